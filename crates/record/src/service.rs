//! What one service of a run leaves behind.

use crate::{
    DecisionRow, MetricUse, ReplicaLife, RequestRow, RequestTotals, RolloutLife, ScalingTotals, ServiceTotals,
    TimelineRow,
};

/// One service under one policy in one replication.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceRecord {
    /// Its name.
    pub name: String,
    /// Requests by fate.
    pub requests: RequestTotals,
    /// Latency and waiting.
    pub totals: ServiceTotals,
    /// Replicas and scaling.
    pub scaling: ScalingTotals,
    /// Time series (empty unless asked for). Nodes and the bill in it are the cluster's.
    pub timeline: Vec<TimelineRow>,
    /// Decision log (empty unless asked for).
    pub decisions: Vec<DecisionRow>,
    /// Pods (empty unless asked for).
    pub replicas: Vec<ReplicaLife>,
    /// Requests (empty unless asked for).
    pub request_rows: Vec<RequestRow>,
    /// What happened to each metric that a controller read, in the order in which they were first read.
    pub metrics: Vec<MetricUse>,
    /// New versions that were rolled out, in order of time.
    pub rollouts: Vec<RolloutLife>,
    /// Remarks for the user, each once: metrics that never answered, clipped forecasts, …
    pub remarks: Vec<String>,
}
