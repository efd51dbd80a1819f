//! Versions of the controllers: they decide differently from release to release.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// `kubernetes`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct KubernetesFile {
    /// Release of the control plane, `"1.37"`.
    pub version: String,
    /// Gates forced on or off: `HPAScaleToZero`, `HPAConfigurableTolerance`, `PodLevelResources`.
    pub feature_gates: BTreeMap<String, bool>,
}

impl Default for KubernetesFile {
    fn default() -> Self {
        Self { version: "1.37".to_owned(), feature_gates: BTreeMap::new() }
    }
}

/// `keda`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct KedaFile {
    /// Release of KEDA, `"2.21"`.
    pub version: String,
}

impl Default for KedaFile {
    fn default() -> Self {
        Self { version: "2.21".to_owned() }
    }
}

/// `httpAddOn`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct HttpAddOnFile {
    /// Release of KEDA's HTTP add-on, `"0.16"`.
    pub version: String,
}

impl Default for HttpAddOnFile {
    fn default() -> Self {
        Self { version: "0.16".to_owned() }
    }
}
