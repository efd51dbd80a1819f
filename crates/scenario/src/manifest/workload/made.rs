//! Documents and parts of them that operators make, for the makers of workloads.

use cluster::spec::GroupRestart;

use crate::tree::Node;

use super::super::{Document, Kind};
use super::shape::{self, accelerator};
use super::{Group, Target};

/// Fields of a pod that operators hand on as they are.
const POD_FIELDS: [&str; 17] = [
    "nodeSelector",
    "tolerations",
    "affinity",
    "topologySpreadConstraints",
    "volumes",
    "initContainers",
    "serviceAccountName",
    "imagePullSecrets",
    "terminationGracePeriodSeconds",
    "priorityClassName",
    "priority",
    "runtimeClassName",
    "schedulerName",
    "hostIPC",
    "hostNetwork",
    "securityContext",
    "resourceClaims",
];

/// The Deployment that an operator makes.
pub fn target(kind: &str, name: impl Into<String>) -> Target {
    let group = match kind {
        "LeaderWorkerSet" => "leaderworkerset.x-k8s.io",
        _ => "apps",
    };
    Target { group: group.to_owned(), kind: kind.to_owned(), name: name.into() }
}

/// An autoscaler of `target`, with these fields of its `spec` besides.
pub fn scaler(document: &Document, kind: Kind, name: &str, target: &Target, fields: Vec<(&str, Node)>) -> Document {
    let node = &document.node;
    let (version, kind_text) = match kind {
        Kind::ScaledObject => ("keda.sh/v1alpha1", "ScaledObject"),
        _ => ("autoscaling/v2", "HorizontalPodAutoscaler"),
    };
    let mut metadata = vec![("name", node.with_text(name))];
    metadata.extend(document.namespace().map(|namespace| ("namespace", node.with_text(namespace))));
    let reference = node.with_map([
        ("apiVersion", node.with_text(format!("{}/v1", target.group))),
        ("kind", node.with_text(target.kind.as_str())),
        ("name", node.with_text(target.name.as_str())),
    ]);
    let mut spec = vec![("scaleTargetRef", reference)];
    spec.extend(fields);
    let node = node.with_map([
        ("apiVersion", node.with_text(version)),
        ("kind", node.with_text(kind_text)),
        ("metadata", node.with_map(metadata)),
        ("spec", node.with_map(spec)),
    ]);
    Document { kind, name: name.to_owned(), node }
}

/// A pod template with these containers, and what `pod` says of pods in general.
pub fn template(pod: &Node, containers: Vec<Node>, labels: Option<&Node>) -> Node {
    let mut spec = vec![("containers", pod.with_list(containers))];
    spec.extend(POD_FIELDS.into_iter().filter_map(|key| Some((key, pod.get(key)?.clone()))));
    let metadata = labels.map(|labels| ("metadata", labels.with_map([("labels", labels.clone())])));
    pod.with_map(metadata.into_iter().chain([("spec", pod.with_map(spec))]))
}

/// `nvidia.com/gpu` in the limits of the first container, if the template asks for no accelerator itself.
pub fn with_gpus(template: &mut Node, gpus: u32) {
    if gpus == 0 || accelerator(template).is_some() {
        return;
    }
    let place = template.clone();
    let Some(list) = template.get_mut("spec").and_then(|spec| spec.get_mut("containers")) else { return };
    let crate::tree::Value::List(items) = &mut list.value else { return };
    let Some(container) = items.first_mut() else { return };
    let count = place.with_map([("nvidia.com/gpu", place.with_word(gpus.to_string()))]);
    let limits = place.with_map([("limits", count)]);
    let resources = container.get("resources").map_or_else(|| limits.clone(), |own| shape::merged(own, &limits));
    container.put("resources", resources);
}

/// A group of `size` pods that are all alike; `None` if that is one.
pub fn alike(document: &Document, size: u32, worker: &Node) -> Option<Group> {
    (size > 1).then(|| Group {
        size,
        worker: shape::deployment(document, worker.clone(), None),
        worker_path: "spec.template".to_owned(),
        restart: GroupRestart::Group,
        leader_ready_first: false,
    })
}

/// Some fields of a node, those that are there.
pub fn fields<'k>(node: &Node, keys: &[&'k str]) -> Vec<(&'k str, Node)> {
    keys.iter().filter_map(|key| Some((*key, node.get(key)?.clone()))).collect()
}

/// True unless the node says no.
pub fn is_on(node: Option<&Node>) -> bool {
    node.and_then(Node::text).is_none_or(|text| text != "false")
}
