//! What the API server adds to pods or keeps from being: priority classes, resource quotas, default requests.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::ScenarioError;
use crate::tree::{Node, Value};

use super::{Document, MetadataFile, Quantity};

/// PriorityClass.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PriorityClassFile {
    /// Its priority.
    pub value: i32,
    /// Whether it is that of pods that name none.
    #[serde(default)]
    pub global_default: bool,
    /// `Never`: its pods do not push others out.
    #[serde(default)]
    pub preemption_policy: Option<String>,
}

/// ResourceQuota.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceQuotaFile {
    /// `metadata`.
    pub metadata: MetadataFile,
    /// `spec`.
    #[serde(default)]
    pub spec: ResourceQuotaSpecFile,
}

/// `spec` of a ResourceQuota.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceQuotaSpecFile {
    /// Resources at most.
    pub hard: BTreeMap<String, Quantity>,
    /// Kinds of pods it counts.
    pub scopes: Vec<String>,
}

/// LimitRange.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitRangeFile {
    /// `metadata`.
    pub metadata: MetadataFile,
    /// `spec`.
    pub spec: LimitRangeSpecFile,
}

/// `spec` of a LimitRange.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LimitRangeSpecFile {
    /// By type.
    pub limits: Vec<LimitFile>,
}

/// One of `limits`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LimitFile {
    /// `Container`, `Pod` or `PersistentVolumeClaim`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Limits of containers that have none.
    pub default: BTreeMap<String, Quantity>,
    /// Requests of containers that have none.
    pub default_request: BTreeMap<String, Quantity>,
}

/// ResourceClaim and ResourceClaimTemplate, as far as counts go; `exactly` or, before v1, flat.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeviceRequestFile {
    /// Name.
    pub name: String,
    /// v1: the request itself.
    pub exactly: Option<Box<DeviceRequestFile>>,
    /// Alternatives, the first that fits.
    pub first_available: Vec<DeviceRequestFile>,
    /// Class of devices.
    pub device_class_name: String,
    /// `ExactCount` or `All`.
    pub allocation_mode: Option<String>,
    /// Devices, 1 unless said.
    pub count: Option<u32>,
    /// CEL selectors.
    pub selectors: Vec<serde_json::Value>,
}

impl DeviceRequestFile {
    /// What is asked for in the end: the first alternative.
    pub fn chosen(&self) -> &Self {
        self.exactly.as_deref().or(self.first_available.first()).map_or(self, Self::chosen)
    }
}

/// Reads a document of one of these kinds whatever else it says.
pub fn read_loosely<T: serde::de::DeserializeOwned>(document: &Document) -> Result<T, ScenarioError> {
    let mut node = document.node.clone();
    if let Value::Map(entries) = &mut node.value {
        entries.retain(|entry| !matches!(entry.key.as_str(), "apiVersion" | "kind" | "status"));
        for entry in entries.iter_mut().filter(|entry| entry.key == "metadata") {
            keep_names(&mut entry.value);
        }
    }
    node.read("")
}

/// Leaves of `metadata` what [`MetadataFile`] has.
fn keep_names(metadata: &mut Node) {
    if let Value::Map(entries) = &mut metadata.value {
        entries.retain(|entry| matches!(entry.key.as_str(), "name" | "namespace" | "annotations" | "labels"));
    }
}

/// Whether a document is of this kind of the API.
pub fn is_kind(document: &Document, kind: &str) -> bool {
    document.node.get("kind").and_then(Node::text) == Some(kind)
}
