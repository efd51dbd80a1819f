//! What is to be made of the manifests beside a scenario.

use schemars::JsonSchema;
use serde::Deserialize;

/// `manifests`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ManifestsFile {
    /// Documents to read as if they were not there: `KIND`, `KIND/NAME` or `GROUP/KIND`, such as `VerticalPodAutoscaler/web`.
    pub ignore: Vec<String>,
    /// Namespace of manifests that name none. By default they are taken to be where what they refer to is.
    pub namespace: Option<String>,
}
