//! Which manifest fields have no effect in the model and which must be refused.
//!
//! Paths are written with `[]` for every item of a list.

use crate::error::ScenarioError;
use crate::tree::{Node, Value};

use super::Kind;

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It has no effect: taken out and listed.
    Ignored,
    /// It would change the result: refused, with what it does.
    Refused(&'static str),
    /// It has an effect and is read by another module: taken out here.
    Elsewhere,
}

use Treatment::{Elsewhere, Ignored, Refused};

/// A path and what becomes of it.
pub type Rule = (&'static str, Treatment);

/// Fields of `metadata` that no kind needs; names, labels and annotations are typed where they matter.
const METADATA: [Rule; 8] = [
    ("metadata.uid", Ignored),
    ("metadata.resourceVersion", Ignored),
    ("metadata.generation", Ignored),
    ("metadata.creationTimestamp", Ignored),
    ("metadata.managedFields", Ignored),
    ("metadata.ownerReferences", Ignored),
    ("metadata.finalizers", Ignored),
    ("status", Ignored),
];

const LABELS: [Rule; 1] = [("metadata.labels", Ignored)];

const ANNOTATIONS: [Rule; 1] = [("metadata.annotations", Ignored)];

const DEPLOYMENT: [Rule; 10] = [
    ("spec.selector", Ignored),
    ("spec.strategy", Elsewhere),
    ("spec.revisionHistoryLimit", Ignored),
    ("spec.progressDeadlineSeconds", Elsewhere),
    ("spec.minReadySeconds", Elsewhere),
    ("spec.paused", Ignored),
    ("spec.template.metadata.annotations", Elsewhere),
    ("spec.template.metadata.name", Ignored),
    ("spec.template.metadata.namespace", Ignored),
    ("spec.template.metadata.creationTimestamp", Ignored),
];

const POD: [Rule; 33] = [
    ("spec.template.spec.resources", Elsewhere),
    ("spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution", Elsewhere),
    ("spec.template.spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution", Elsewhere),
    ("spec.template.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution", Elsewhere),
    ("spec.template.spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution", Elsewhere),
    ("spec.template.spec.affinity.nodeAffinity", Elsewhere),
    ("spec.template.spec.affinity.podAffinity", Ignored),
    (
        "spec.template.spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.namespaces",
        Ignored,
    ),
    (
        "spec.template.spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.namespaceSelector",
        Ignored,
    ),
    ("spec.template.spec.topologySpreadConstraints[].minDomains", Elsewhere),
    ("spec.template.spec.topologySpreadConstraints[].nodeAffinityPolicy", Elsewhere),
    ("spec.template.spec.topologySpreadConstraints[].nodeTaintsPolicy", Elsewhere),
    ("spec.template.spec.topologySpreadConstraints[].matchLabelKeys", Elsewhere),
    ("spec.template.spec.nodeName", Refused("nodeName binds every pod to one node")),
    ("spec.template.spec.tolerations", Elsewhere),
    ("spec.template.spec.volumes", Elsewhere),
    ("spec.template.spec.initContainers", Elsewhere),
    ("spec.template.spec.serviceAccountName", Ignored),
    ("spec.template.spec.serviceAccount", Ignored),
    ("spec.template.spec.automountServiceAccountToken", Ignored),
    ("spec.template.spec.imagePullSecrets", Ignored),
    ("spec.template.spec.restartPolicy", Ignored),
    ("spec.template.spec.dnsPolicy", Ignored),
    ("spec.template.spec.hostNetwork", Elsewhere),
    ("spec.template.spec.hostIPC", Ignored),
    ("spec.template.spec.securityContext", Ignored),
    ("spec.template.spec.schedulerName", Ignored),
    ("spec.template.spec.runtimeClassName", Elsewhere),
    ("spec.template.spec.enableServiceLinks", Ignored),
    ("spec.template.spec.priorityClassName", Elsewhere),
    ("spec.template.spec.preemptionPolicy", Elsewhere),
    ("spec.template.spec.resourceClaims", Elsewhere),
    ("spec.template.spec.shareProcessNamespace", Ignored),
];

const CONTAINER: [Rule; 20] = [
    ("spec.template.spec.containers[].command", Ignored),
    ("spec.template.spec.containers[].args", Ignored),
    ("spec.template.spec.containers[].env", Ignored),
    ("spec.template.spec.containers[].envFrom", Ignored),
    ("spec.template.spec.containers[].ports", Ignored),
    ("spec.template.spec.containers[].volumeMounts", Ignored),
    ("spec.template.spec.containers[].imagePullPolicy", Ignored),
    ("spec.template.spec.containers[].securityContext", Ignored),
    ("spec.template.spec.containers[].workingDir", Ignored),
    ("spec.template.spec.containers[].livenessProbe", Elsewhere),
    ("spec.template.spec.containers[].startupProbe", Elsewhere),
    ("spec.template.spec.containers[].resources.claims", Elsewhere),
    ("spec.template.spec.containers[].terminationMessagePath", Ignored),
    ("spec.template.spec.containers[].terminationMessagePolicy", Ignored),
    ("spec.template.spec.containers[].lifecycle.postStart", Ignored),
    ("spec.template.spec.containers[].readinessProbe.httpGet", Ignored),
    ("spec.template.spec.containers[].readinessProbe.grpc", Ignored),
    ("spec.template.spec.containers[].readinessProbe.tcpSocket", Ignored),
    ("spec.template.spec.containers[].readinessProbe.exec", Ignored),
    // Probes of the model neither hang nor flap.
    ("spec.template.spec.containers[].readinessProbe.timeoutSeconds", Ignored),
];

const PROBE: [Rule; 1] = [("spec.template.spec.containers[].readinessProbe.failureThreshold", Ignored)];

const SCALED_OBJECT: [Rule; 3] = [
    ("metadata.labels", Ignored),
    ("spec.scaleTargetRef.envSourceContainerName", Ignored),
    ("spec.triggers[].authenticationRef", Ignored),
];

const HTTP_SCALED_OBJECT: [Rule; 1] = [("spec.tlsConfig", Ignored)];

const BUDGET: [Rule; 1] = [("spec.unhealthyPodEvictionPolicy", Ignored)];

const NODE_POOL: [Rule; 2] = [("spec.template.spec.startupTaints", Ignored), ("spec.template.spec.kubelet", Elsewhere)];

const PROVISIONER: [Rule; 4] = [
    ("spec.startupTaints", Ignored),
    ("spec.kubeletConfiguration", Elsewhere),
    ("spec.provider", Ignored),
    ("spec.providerRef", Ignored),
];

const ADAPTER: [Rule; 1] = [("resourceRules", Ignored)];

/// Fields of the API that pods have and the model does not look at: listed, so that none is taken for a slip of another.
const POD_MORE: [Rule; 11] = [
    ("spec.template.spec.hostPID", Ignored),
    ("spec.template.spec.hostUsers", Ignored),
    ("spec.template.spec.dnsConfig", Ignored),
    ("spec.template.spec.hostAliases", Ignored),
    ("spec.template.spec.hostname", Ignored),
    ("spec.template.spec.subdomain", Ignored),
    ("spec.template.spec.setHostnameAsFQDN", Ignored),
    ("spec.template.spec.os", Ignored),
    ("spec.template.spec.readinessGates", Elsewhere),
    ("spec.template.spec.overhead", Elsewhere),
    ("spec.template.spec.ephemeralContainers", Ignored),
];

const CONTAINER_MORE: [Rule; 7] = [
    ("spec.template.spec.containers[].stdin", Ignored),
    ("spec.template.spec.containers[].stdinOnce", Ignored),
    ("spec.template.spec.containers[].tty", Ignored),
    ("spec.template.spec.containers[].resizePolicy", Ignored),
    ("spec.template.spec.containers[].restartPolicy", Ignored),
    ("spec.template.spec.containers[].volumeDevices", Ignored),
    ("spec.template.spec.containers[].restartPolicyRules", Ignored),
];

/// The rules of a kind, in the order they are applied.
pub fn of(kind: Kind) -> &'static [&'static [Rule]] {
    match kind {
        Kind::Deployment => {
            &[&METADATA, &LABELS, &ANNOTATIONS, &DEPLOYMENT, &POD, &POD_MORE, &CONTAINER, &CONTAINER_MORE, &PROBE]
        }
        Kind::HorizontalPodAutoscaler => &[&METADATA, &LABELS, &ANNOTATIONS],
        Kind::ScaledObject => &[&METADATA, &SCALED_OBJECT],
        Kind::PodDisruptionBudget => &[&METADATA, &LABELS, &ANNOTATIONS, &BUDGET],
        Kind::NodePool | Kind::NodePoolBeta => &[&METADATA, &LABELS, &ANNOTATIONS, &NODE_POOL],
        Kind::Provisioner => &[&METADATA, &LABELS, &ANNOTATIONS, &PROVISIONER],
        Kind::AdapterConfig => &[&ADAPTER],
        Kind::HttpScaledObject => &[&METADATA, &LABELS, &HTTP_SCALED_OBJECT],
        _ => &[&METADATA],
    }
}

/// Takes out what has no effect and returns the paths of what was there; refuses what cannot be left out.
pub fn prune(node: &mut Node, rules: &[&[Rule]]) -> Result<Vec<String>, ScenarioError> {
    let mut ignored = Vec::new();
    for (path, treatment) in rules.iter().copied().flatten() {
        let steps: Vec<&str> = path.split('.').collect();
        if apply(node, &steps, *treatment, "")? && *treatment == Ignored {
            ignored.push((*path).to_owned());
        }
    }
    Ok(ignored)
}

/// True if there was anything.
fn apply(node: &mut Node, steps: &[&str], treatment: Treatment, path: &str) -> Result<bool, ScenarioError> {
    let [step, rest @ ..] = steps else { return Ok(false) };
    let (key, is_list) = step.strip_suffix("[]").map_or((*step, false), |key| (key, true));
    let here = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    if rest.is_empty() {
        return remove(node, key, treatment, &here);
    }
    let Some(child) = node.get_mut(key) else { return Ok(false) };
    if !is_list {
        return apply(child, rest, treatment, &here);
    }
    let Value::List(items) = &mut child.value else { return Ok(false) };
    let mut found = false;
    for (index, item) in items.iter_mut().enumerate() {
        found |= apply(item, rest, treatment, &format!("{here}[{index}]"))?;
    }
    Ok(found)
}

fn remove(node: &mut Node, key: &str, treatment: Treatment, path: &str) -> Result<bool, ScenarioError> {
    let Value::Map(entries) = &mut node.value else { return Ok(false) };
    let Some(position) = entries.iter().position(|entry| entry.key == key) else { return Ok(false) };
    match treatment {
        Ignored | Elsewhere => {
            entries.remove(position);
            Ok(true)
        }
        Refused(what) => {
            let at = Box::new(crate::error::At { place: entries[position].place.clone(), path: path.to_owned() });
            Err(ScenarioError::NotModelled { at, reason: what.to_owned() })
        }
    }
}

/// An unknown key may be a slip in a name that would have been ignored: those names are valid too.
pub fn with_ignored_names(error: ScenarioError, rules: &[&[Rule]]) -> ScenarioError {
    let ScenarioError::UnknownKey { at, mut allowed } = error else { return error };
    let parent = without_indexes(&at.path);
    for (path, _) in rules.iter().copied().flatten() {
        let (above, name) = path.rsplit_once('.').unwrap_or(("", path));
        if above == parent && !allowed.names.iter().any(|known| known == name) {
            allowed.names.push(name.to_owned());
        }
    }
    ScenarioError::UnknownKey { at, allowed }
}

/// `spec.containers[3]` as `spec.containers[]`.
fn without_indexes(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    let mut is_inside = false;
    for letter in path.chars() {
        match letter {
            '[' => is_inside = true,
            ']' => is_inside = false,
            _ if is_inside => continue,
            _ => {}
        }
        text.push(letter);
    }
    text
}
