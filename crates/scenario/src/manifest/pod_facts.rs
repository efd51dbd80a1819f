//! What service discovery sees of the service's pods: labels, containers and ports, and the Services in front of them.

use std::collections::BTreeMap;

use crate::tree::Node;

use super::label_selector::{LabelSelector, text_map};

/// The pods of one workload as discovery sees them. What differs from pod to pod stands as a variable of `exporters::Template`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFacts {
    /// Name of a pod, `{pod}`.
    pub pod: String,
    /// Its address, `{pod_ip}`.
    pub address: String,
    /// Kind of the workload.
    pub workload_kind: String,
    /// Name of the workload.
    pub workload: String,
    /// Their namespace.
    pub namespace: String,
    /// Their labels.
    pub labels: BTreeMap<String, String>,
    /// Their annotations.
    pub annotations: BTreeMap<String, String>,
    /// Their containers, without init containers that end.
    pub containers: Vec<ContainerFacts>,
}

/// One container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerFacts {
    /// Name.
    pub name: String,
    /// Image reference.
    pub image: String,
    /// Ports it declares.
    pub ports: Vec<PortFacts>,
}

/// A declared port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortFacts {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its number.
    pub number: u16,
    /// `TCP` unless said.
    pub protocol: String,
}

impl PodFacts {
    /// The facts of a pod template (a mapping with `metadata` and `spec`). Labels of the pods are those of the template.
    pub fn of_template(template: &Node, workload: (&str, &str), namespace: &str) -> Self {
        let list = |key: &str| template.at(&["spec", key]).map(Node::items).unwrap_or_default();
        let is_sidecar = |node: &&Node| node.get("restartPolicy").and_then(Node::text) == Some("Always");
        let sidecars = list("initContainers").iter().filter(is_sidecar);
        Self {
            pod: "{pod}".to_owned(),
            address: "{pod_ip}".to_owned(),
            workload_kind: workload.0.to_owned(),
            workload: workload.1.to_owned(),
            namespace: namespace.to_owned(),
            labels: text_map(template.at(&["metadata", "labels"])),
            annotations: text_map(template.at(&["metadata", "annotations"])),
            containers: list("containers").iter().chain(sidecars).map(container).collect(),
        }
    }

    /// The container that declares a port, and the port.
    pub fn port(&self, reference: &PortReference) -> Option<(&ContainerFacts, &PortFacts)> {
        let pairs =
            self.containers.iter().flat_map(|container| container.ports.iter().map(move |port| (container, port)));
        pairs.into_iter().find(|(_, port)| reference.is(port))
    }
}

/// A port by name or by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortReference {
    /// Its name.
    Name(String),
    /// Its number.
    Number(u16),
}

impl PortReference {
    /// A scalar: digits are a number.
    pub fn read(node: &Node) -> Option<Self> {
        let text = node.text()?;
        Some(text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Number))
    }

    /// Whether it means this port.
    pub fn is(&self, port: &PortFacts) -> bool {
        match self {
            Self::Name(name) => port.name.as_ref() == Some(name),
            Self::Number(number) => port.number == *number,
        }
    }

    /// As written.
    pub fn text(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

fn container(node: &Node) -> ContainerFacts {
    let text = |key: &str| node.get(key).and_then(Node::text).unwrap_or_default().to_owned();
    let ports = node.get("ports").map(Node::items).unwrap_or_default().iter().filter_map(|port| {
        let name = port.get("name").and_then(Node::text).map(str::to_owned);
        let protocol = port.get("protocol").and_then(Node::text).unwrap_or("TCP").to_owned();
        let number = port.get("containerPort").and_then(Node::text)?.parse().ok()?;
        Some(PortFacts { name, number, protocol })
    });
    ContainerFacts { name: text("name"), image: text("image"), ports: ports.collect() }
}

/// A Service that may stand in front of the pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceFacts {
    /// Name.
    pub name: String,
    /// Namespace, if it says so.
    pub namespace: Option<String>,
    /// Its own labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Which pods it stands for; one without selector stands for none.
    pub selector: LabelSelector,
    /// Name, number and target of its ports.
    pub ports: Vec<ServicePort>,
}

/// One port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name; empty if it has none.
    pub name: String,
    /// Its number at the Service.
    pub number: u16,
    /// The pod's port.
    pub target: PortReference,
}

impl ServiceFacts {
    /// The facts of a Service manifest.
    pub fn read(node: &Node) -> Self {
        let text = |keys: &[&str]| node.at(keys).and_then(Node::text).map(str::to_owned);
        let ports = node.at(&["spec", "ports"]).map(Node::items).unwrap_or_default().iter().filter_map(|port| {
            let number = port.get("port").and_then(Node::text)?.parse().ok()?;
            let target = port.get("targetPort").and_then(PortReference::read).unwrap_or(PortReference::Number(number));
            Some(ServicePort {
                name: port.get("name").and_then(Node::text).unwrap_or_default().to_owned(),
                number,
                target,
            })
        });
        Self {
            name: text(&["metadata", "name"]).unwrap_or_default(),
            namespace: text(&["metadata", "namespace"]),
            labels: text_map(node.at(&["metadata", "labels"])),
            annotations: text_map(node.at(&["metadata", "annotations"])),
            selector: node.at(&["spec", "selector"]).map(LabelSelector::of_labels).unwrap_or_default(),
            ports: ports.collect(),
        }
    }

    /// Whether it stands in front of these pods.
    pub fn selects(&self, pod: &PodFacts) -> bool {
        let is_here = self.namespace.as_ref().is_none_or(|namespace| *namespace == pod.namespace);
        is_here && !self.selector.is_empty() && self.selector.selects(&pod.labels)
    }
}
