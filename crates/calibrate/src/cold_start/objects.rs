//! The parts of Kubernetes objects that tell when things happened, as `kubectl get ... -o json` prints them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::CalibrateError;

const WHAT: &str = "Kubernetes objects";

/// Everything in the documents, sorted by kind.
#[derive(Default)]
pub struct Objects {
    pub pods: Vec<Pod>,
    pub events: Vec<Event>,
    pub nodes: Vec<Node>,
    /// The latest instant anywhere: the snapshot was taken then or a little later.
    pub latest: Option<Timestamp>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metadata {
    pub name: String,
    pub namespace: String,
    pub creation_timestamp: Option<Timestamp>,
    pub deletion_timestamp: Option<Timestamp>,
}

#[derive(Deserialize)]
pub struct Pod {
    pub metadata: Metadata,
    #[serde(default)]
    pub spec: PodSpec,
    #[serde(default)]
    pub status: PodStatus,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSpec {
    pub node_name: String,
    pub containers: Vec<Container>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Container {
    pub name: String,
    pub resources: Resources,
    pub startup_probe: Option<Probe>,
    pub readiness_probe: Option<Probe>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Resources {
    pub limits: BTreeMap<String, Value>,
}

/// A probe; its period is 10 s and its threshold 1 unless stated.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Probe {
    pub period_seconds: Option<f64>,
    pub success_threshold: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodStatus {
    pub phase: String,
    pub conditions: Vec<Condition>,
    pub container_statuses: Vec<ContainerStatus>,
    pub init_container_statuses: Vec<ContainerStatus>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Condition {
    #[serde(rename = "type")]
    pub kind: String,
    pub status: String,
    pub last_transition_time: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerStatus {
    pub name: String,
    pub restart_count: u32,
    pub state: ContainerState,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ContainerState {
    pub running: Option<Span>,
    pub terminated: Option<Span>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Span {
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

#[derive(Deserialize)]
pub struct Node {
    pub metadata: Metadata,
    #[serde(default)]
    pub status: NodeStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct NodeStatus {
    pub conditions: Vec<Condition>,
}

/// An event, of `v1` or of `events.k8s.io`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Event {
    pub metadata: Metadata,
    #[serde(alias = "regarding")]
    pub involved_object: Reference,
    pub reason: String,
    #[serde(alias = "note")]
    pub message: String,
    first_timestamp: Option<Timestamp>,
    #[serde(rename = "eventTime")]
    exact_time: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Reference {
    pub kind: String,
    pub name: String,
    pub namespace: Option<String>,
}

impl Event {
    /// When it first happened. New events have only `eventTime`, old ones only `firstTimestamp`.
    pub fn at(&self) -> Option<Timestamp> {
        self.first_timestamp.or(self.exact_time).or(self.metadata.creation_timestamp)
    }
}

impl Pod {
    /// Namespace and name.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.metadata.namespace, self.metadata.name)
    }

    /// When a condition became true; `None` if it is not.
    pub fn since(&self, kind: &str) -> Option<Timestamp> {
        became_true(&self.status.conditions, kind)
    }

    /// The container that has the GPU.
    pub fn gpu_container(&self) -> Option<&Container> {
        self.spec.containers.iter().find(|container| container.resources.limits.keys().any(|key| is_gpu(key)))
    }
}

/// When a condition became true; `None` if it is not.
pub fn became_true(conditions: &[Condition], kind: &str) -> Option<Timestamp> {
    conditions.iter().find(|condition| condition.kind == kind && condition.status == "True")?.last_transition_time
}

/// Whole GPUs, slices of them (`nvidia.com/mig-1g.5gb`) and shared ones alike.
fn is_gpu(resource: &str) -> bool {
    resource.starts_with("nvidia.com/") || resource.starts_with("amd.com/gpu") || resource.starts_with("gpu.")
}

impl Objects {
    /// Reads documents, each a `List` of any kinds or a single object. Kinds that say nothing about cold starts are passed over.
    pub fn read(documents: &[&str]) -> Result<Self, CalibrateError> {
        let mut objects = Self::default();
        for document in documents {
            let value: Value = serde_json::from_str(document)
                .map_err(|error| CalibrateError::Json { what: WHAT, reason: error.to_string() })?;
            objects.latest = objects.latest.max(latest(&value));
            objects.take(value)?;
        }
        Ok(objects)
    }

    fn take(&mut self, mut value: Value) -> Result<(), CalibrateError> {
        if let Some(Value::Array(items)) = value.get_mut("items").map(Value::take) {
            return items.into_iter().try_for_each(|item| self.take(item));
        }
        match value.get("kind").and_then(Value::as_str) {
            Some("Pod") => self.pods.push(parsed(value)?),
            Some("Event") => self.events.push(parsed(value)?),
            Some("Node") => self.nodes.push(parsed(value)?),
            Some(_) => {}
            None => {
                let reason = "an object without `kind`; expected the output of `kubectl get pods,events,nodes -o json`"
                    .to_owned();
                return Err(CalibrateError::Json { what: WHAT, reason });
            }
        }
        Ok(())
    }
}

fn parsed<T: for<'de> Deserialize<'de>>(value: Value) -> Result<T, CalibrateError> {
    let name = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("without a name").to_owned();
    serde_json::from_value(value)
        .map_err(|error| CalibrateError::Json { what: WHAT, reason: format!("object {name}: {error}") })
}

/// The latest string that is an instant.
fn latest(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) if text.len() >= 20 && text.as_bytes()[4] == b'-' => text.parse().ok(),
        Value::Array(items) => items.iter().filter_map(latest).max(),
        Value::Object(map) => map.values().filter_map(latest).max(),
        _ => None,
    }
}
