//! Kubernetes manifests as users have them, read as strictly as the API server would.
//!
//! What a manifest says and the model has is typed here; what has no effect is taken out and listed; what would matter and is not
//! modelled is refused. This module does not know how manifests are put together into an experiment.

mod adapter;
mod admission;
mod autoscaler;
mod budget;
mod common;
mod deployment;
mod karpenter;
mod probes;
mod rules;
mod scaled_object;
mod scheduling;

pub use adapter::{
    AdapterFile, AdapterNameFile, AdapterResourceFile, AdapterResourcesFile, AdapterRuleFile, SeriesFilterFile,
};
pub use admission::{DeviceRequestFile, LimitRangeFile, PriorityClassFile, ResourceQuotaFile, is_kind, read_loosely};
pub use autoscaler::{HpaFile, HpaSpecFile, ScaleTargetFile};
pub use budget::BudgetFile;
pub use common::{IntOrPercent, MetadataFile, Quantity};
pub use deployment::{ContainerFile, DeploymentFile, is_accelerator};
pub use karpenter::{
    KarpenterDisruption, KarpenterPool, NodeClassRef, Operator, Requirement, default_budget, disruption_budget,
};
pub use probes::ReadProbes;
pub use scaled_object::{ScaledObjectFile, ScaledObjectSpecFile};
pub use scheduling::{Required, TaintFile, protection};

use crate::error::{Allowed, ScenarioError};
use crate::tree::{Node, Value};

/// Kinds of documents that say something to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The experiment.
    Scenario,
    /// The service.
    Deployment,
    /// An autoscaler.
    HorizontalPodAutoscaler,
    /// An autoscaler.
    ScaledObject,
    /// Holds evictions back.
    PodDisruptionBudget,
    /// A pool of nodes (`karpenter.sh/v1`).
    NodePool,
    /// A pool of nodes (`karpenter.sh/v1beta1`).
    NodePoolBeta,
    /// A pool of nodes (`karpenter.sh/v1alpha5`).
    Provisioner,
    /// prometheus-adapter's configuration, bare or in a ConfigMap.
    AdapterConfig,
    /// Recognised, without effect.
    Inert,
}

/// API version, kind, and what it is to us.
const KINDS: [(&str, &str, Kind); 22] = [
    ("scalelab.dev/v1", "Scenario", Kind::Scenario),
    ("apps/v1", "Deployment", Kind::Deployment),
    ("autoscaling/v2", "HorizontalPodAutoscaler", Kind::HorizontalPodAutoscaler),
    ("keda.sh/v1alpha1", "ScaledObject", Kind::ScaledObject),
    ("policy/v1", "PodDisruptionBudget", Kind::PodDisruptionBudget),
    ("karpenter.sh/v1", "NodePool", Kind::NodePool),
    ("karpenter.sh/v1beta1", "NodePool", Kind::NodePoolBeta),
    ("karpenter.sh/v1alpha5", "Provisioner", Kind::Provisioner),
    ("v1", "ConfigMap", Kind::AdapterConfig),
    ("apps/v1", "DaemonSet", Kind::Inert),
    ("v1", "Service", Kind::Inert),
    ("v1", "ServiceAccount", Kind::Inert),
    ("v1", "Namespace", Kind::Inert),
    ("v1", "Secret", Kind::Inert),
    ("v1", "PersistentVolumeClaim", Kind::Inert),
    ("monitoring.coreos.com/v1", "ServiceMonitor", Kind::Inert),
    ("monitoring.coreos.com/v1", "PodMonitor", Kind::Inert),
    ("keda.sh/v1alpha1", "TriggerAuthentication", Kind::Inert),
    ("karpenter.k8s.aws/v1", "EC2NodeClass", Kind::Inert),
    ("karpenter.k8s.aws/v1beta1", "EC2NodeClass", Kind::Inert),
    ("karpenter.k8s.aws/v1alpha1", "AWSNodeTemplate", Kind::Inert),
    ("scheduling.k8s.io/v1", "PriorityClass", Kind::Inert),
];

/// One document and what it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Kind.
    pub kind: Kind,
    /// `metadata.name`; empty for a bare adapter configuration.
    pub name: String,
    /// Its content, as written.
    pub node: Node,
}

impl Document {
    /// `Deployment/triton-inference`, as kubectl calls it.
    pub fn title(&self) -> String {
        let kind = self.node.get("kind").and_then(Node::text).unwrap_or("prometheus-adapter rules");
        if self.name.is_empty() { kind.to_owned() } else { format!("{kind}/{}", self.name) }
    }
}

/// What each document of a stream is; a `List` is taken apart.
pub fn classify(nodes: Vec<Node>) -> Result<Vec<Document>, ScenarioError> {
    let mut documents = Vec::new();
    for node in nodes {
        if node.get("kind").and_then(Node::text) == Some("List") {
            documents.extend(classify(node.get("items").map(|items| items.items().to_vec()).unwrap_or_default())?);
        } else {
            documents.push(recognise(node)?);
        }
    }
    Ok(documents)
}

fn recognise(node: Node) -> Result<Document, ScenarioError> {
    let no_kind = |reason: &str| ScenarioError::NoKind { at: node.locate(""), reason: reason.to_owned() };
    if !matches!(node.value, Value::Map(_)) {
        return Err(no_kind("this document is not a mapping"));
    }
    let Some(kind) = node.get("kind") else {
        // prometheus-adapter reads its rules from a file without kind or version.
        let is_adapter = node.get("rules").is_some() || node.get("externalRules").is_some();
        return if is_adapter {
            Ok(Document { kind: Kind::AdapterConfig, name: String::new(), node })
        } else {
            Err(no_kind("`kind` is missing"))
        };
    };
    let Some(version) = node.get("apiVersion") else { return Err(no_kind("`apiVersion` is missing")) };
    let (kind_text, version_text) = (kind.text().unwrap_or_default(), version.text().unwrap_or_default());
    let versions: Vec<&str> = KINDS.iter().filter(|known| known.1 == kind_text).map(|known| known.0).collect();
    if versions.is_empty() {
        let allowed = Allowed::new(kind_text, KINDS.iter().map(|known| known.1).fold(Vec::new(), distinct));
        return Err(ScenarioError::UnknownKind { at: kind.locate("kind"), allowed });
    }
    let Some((_, _, what)) = KINDS.iter().find(|known| known.1 == kind_text && known.0 == version_text) else {
        let what = "supported API version of this kind";
        let allowed = Allowed::new(version_text, versions);
        return Err(ScenarioError::UnknownName { at: version.locate("apiVersion"), what, allowed });
    };
    let name = node.at(&["metadata", "name"]).and_then(Node::text).unwrap_or_default().to_owned();
    if name.is_empty() && *what != Kind::Inert {
        let at = node.get("metadata").unwrap_or(&node).locate("metadata");
        return Err(ScenarioError::MissingKey { at, key: "name".to_owned() });
    }
    Ok(Document { kind: *what, name, node })
}

fn distinct(mut names: Vec<&'static str>, name: &'static str) -> Vec<&'static str> {
    if !names.contains(&name) {
        names.push(name);
    }
    names
}

/// A manifest typed, and the paths of what was ignored in it.
pub fn read<T: serde::de::DeserializeOwned>(document: &Document) -> Result<(T, Vec<String>), ScenarioError> {
    let mut node = document.node.clone();
    if let Value::Map(entries) = &mut node.value {
        entries.retain(|entry| entry.key != "apiVersion" && entry.key != "kind");
    }
    let ignored = rules::prune(&mut node, rules::of(document.kind))?;
    let value = node.read("").map_err(|error| rules::with_ignored_names(error, rules::of(document.kind)))?;
    Ok((value, ignored))
}
