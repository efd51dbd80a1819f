//! What discovery knows of a target, and relabelling where parts of it differ from pod to pod.

use exporters::Label;
use promql::Labels;
use promql::relabel::{self, RelabelRule, sanitized};

use crate::error::ScenarioError;
use crate::manifest::{ContainerFacts, PodFacts, PortFacts, ServiceFacts};
use crate::resolve::examples::{filled, unfilled};
use crate::tree::Node;

/// Labels with variables in their values.
pub(super) type Discovered = Vec<(String, String)>;

/// Meta labels of a pod.
pub(super) fn of_pod(pod: &PodFacts) -> Discovered {
    let meta = |name: &str, value: &str| (format!("__meta_kubernetes_{name}"), value.to_owned());
    let mut labels = vec![
        ("__scheme__".to_owned(), "http".to_owned()),
        meta("namespace", &pod.namespace),
        meta("pod_name", &pod.pod),
        meta("pod_ip", &pod.address),
        meta("pod_host_ip", "{node_ip}"),
        meta("pod_node_name", "{node}"),
        meta("pod_uid", "{uid}"),
        meta("pod_ready", "true"),
        meta("pod_phase", "Running"),
    ];
    let controller = match pod.workload_kind.as_str() {
        // A Deployment's pods belong to a ReplicaSet; its hash is part of their names.
        "Deployment" | "Rollout" => ("ReplicaSet", "{replica_set}".to_owned()),
        kind => (kind, pod.workload.clone()),
    };
    labels.push(meta("pod_controller_kind", controller.0));
    labels.push(meta("pod_controller_name", &controller.1));
    for (kind, map) in [("label", &pod.labels), ("annotation", &pod.annotations)] {
        labels.extend(map.iter().flat_map(|(key, value)| {
            let name = sanitized(key);
            [meta(&format!("pod_{kind}_{name}"), value), meta(&format!("pod_{kind}present_{name}"), "true")]
        }));
    }
    labels
}

/// Meta labels of a container's port.
pub(super) fn of_port(container: &ContainerFacts, port: &PortFacts) -> Discovered {
    let meta = |name: &str, value: &str| (format!("__meta_kubernetes_pod_container_{name}"), value.to_owned());
    vec![
        meta("name", &container.name),
        meta("image", &container.image),
        meta("port_name", port.name.as_deref().unwrap_or_default()),
        meta("port_number", &port.number.to_string()),
        meta("port_protocol", &port.protocol),
        meta("init", "false"),
    ]
}

/// Meta labels of a Service and one of its ports.
pub(super) fn of_service(service: &ServiceFacts, pod: &PodFacts, port_name: &str) -> Discovered {
    let meta = |name: &str, value: &str| (format!("__meta_kubernetes_{name}"), value.to_owned());
    let mut labels = vec![
        meta("service_name", &service.name),
        meta("endpoints_name", &service.name),
        meta("endpoint_port_name", port_name),
        meta("endpoint_port_protocol", "TCP"),
        meta("endpoint_ready", "true"),
        meta("endpoint_node_name", "{node}"),
        meta("endpoint_address_target_kind", "Pod"),
        meta("endpoint_address_target_name", &pod.pod),
    ];
    for (kind, map) in [("label", &service.labels), ("annotation", &service.annotations)] {
        labels.extend(map.iter().flat_map(|(key, value)| {
            let name = sanitized(key);
            [meta(&format!("service_{kind}_{name}"), value), meta(&format!("service_{kind}present_{name}"), "true")]
        }));
    }
    labels
}

/// The labels of a target once `rules` have been applied; None if they drop it.
pub(super) fn relabelled(
    discovered: &Discovered,
    rules: &[RelabelRule],
    of: (&str, &Node, &str),
) -> Result<Option<Vec<Label>>, ScenarioError> {
    let (workload, node, path) = of;
    let one = sampled(discovered, rules, workload, 0);
    let other = sampled(discovered, rules, workload, 1);
    let (Some(one), Some(other)) = (&one, &other) else {
        return if one.is_none() && other.is_none() { Ok(None) } else { Err(apart(node, path)) };
    };
    let mut labels = Vec::new();
    for (name, value) in one.iter() {
        let template = unfilled(value, workload);
        if other.get(name) != filled(&template, workload, 1) {
            return Err(apart(node, path));
        }
        labels.push(Label::new(name, template));
    }
    if one.len() == other.len() { Ok(Some(labels)) } else { Err(apart(node, path)) }
}

fn apart(node: &Node, path: &str) -> ScenarioError {
    let reason = "relabelling takes apart what differs from pod to pod (a name, an address, a ReplicaSet's hash), so that each pod has \
                  values or targets of its own";
    ScenarioError::NotModelled { at: node.locate(path), reason: reason.to_owned() }
}

fn sampled(discovered: &Discovered, rules: &[RelabelRule], workload: &str, sample: usize) -> Option<Labels> {
    let values = discovered.iter().map(|(name, value)| (name.clone(), filled(value, workload, sample)));
    relabel::target_labels(&Labels::new(values), rules)
}
