//! `metrics.triggers`: what feeds the KEDA triggers whose source lies outside the cluster.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::quantity::Time;

/// By `SCALEDOBJECT/TRIGGER`, the trigger by its name, its index from 0, or `*` for all of the object.
pub type TriggersFile = BTreeMap<String, TriggerFile>;

/// What feeds one trigger: exactly one of `signal`, `constant` and `promql`, and how it is seen.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct TriggerFile {
    /// A figure of the simulated service: `held` (given to no replica), `assigned` (on a replica), `running`, `waiting`, `requests` (all
    /// unfinished), `arrivalRate`, `finishRate` (per second), `oldest` (seconds), `arrivals_total`, `replicas_ready`, …
    pub signal: Option<String>,
    /// Always this number.
    pub constant: Option<f64>,
    /// The one element of this query over the simulated series.
    pub promql: Option<String>,
    /// Messages per request, or whatever the trigger counts; 1 unless set.
    pub per_request: Option<f64>,
    /// The source is refreshed on a grid of this step; by default as the trigger's type is.
    pub every: Option<Time>,
    /// How long after a refresh it can be seen; by default as the trigger's type.
    pub delay: Option<Time>,
    /// Window of `arrivalRate` and `finishRate`, 60 s unless set.
    pub over: Option<Time>,
    /// Partitions of the topic or event hub: the scalers that cap replicas by them do so only if it is given.
    pub partitions: Option<u32>,
    /// For `external` and `external-push`, and for types not known here: the target the scaler's server defines.
    pub target: Option<f64>,
    /// The same for the activation value, 0 unless set.
    pub activation: Option<f64>,
    /// For `external` and `external-push`: whether its activity wakes the target at once instead of at the next poll.
    pub push: Option<bool>,
}
