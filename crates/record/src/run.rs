//! Everything one simulated run (one policy, one replication) leaves behind.

use units::{PodId, SimDuration, SimTime};

use crate::{CostLedger, DecisionRow, Histogram, MetricUse, NodeLife, ReplicaLife, RolloutLife, TimelineRow};

/// One policy, one replication.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunRecord {
    /// Name of the policy alternative.
    pub policy: String,
    /// Replication, from 0.
    pub replication: u32,
    /// Seed of the replication; the same for all policies.
    pub seed: u64,
    /// Fold of every handled control event and of the request counters at each of them.
    pub digest: u64,
    /// Length of the measured part: the run without its warm-up.
    pub measured: SimDuration,
    /// Requests by fate.
    pub requests: RequestTotals,
    /// Latency and waiting.
    pub service: ServiceTotals,
    /// Money.
    pub ledger: CostLedger,
    /// Replicas and scaling.
    pub scaling: ScalingTotals,
    /// Time series (empty unless asked for).
    pub timeline: Vec<TimelineRow>,
    /// Decision log (empty unless asked for).
    pub decisions: Vec<DecisionRow>,
    /// Pods (empty unless asked for).
    pub replicas: Vec<ReplicaLife>,
    /// Nodes (empty unless asked for).
    pub nodes: Vec<NodeLife>,
    /// Requests (empty unless asked for).
    pub request_rows: Vec<RequestRow>,
    /// What happened to each metric that a controller read, in the order in which they were first read.
    pub metrics: Vec<MetricUse>,
    /// New versions that were rolled out, in order of time.
    pub rollouts: Vec<RolloutLife>,
    /// Remarks for the user, each once: metrics that never answered, clipped forecasts, …
    pub remarks: Vec<String>,
}

/// Requests that arrived in the measured part, by fate: `arrived = completed + failed() + in_system`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestTotals {
    /// Arrived.
    pub arrived: u64,
    /// Answered in time for the client.
    pub completed: u64,
    /// Turned away: queue full or no replica.
    pub rejected: u64,
    /// Given up by the client, waiting or being served.
    pub timed_out: u64,
    /// Killed with their replica and not retried.
    pub lost: u64,
    /// Still waiting or being served at the end.
    pub in_system: u64,
}

impl RequestTotals {
    /// Requests without an answer.
    pub fn failed(&self) -> u64 {
        self.rejected + self.timed_out + self.lost
    }
}

/// Latency and waiting of the answered requests of the measured part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceTotals {
    /// Latency in nanoseconds from arrival to answer.
    pub latency: Histogram,
    /// Σ latency in nanoseconds.
    pub latency_ns_sum: u128,
    /// Longest latency in nanoseconds.
    pub latency_ns_max: u64,
    /// Σ waiting before service in nanoseconds.
    pub wait_ns_sum: u128,
    /// Answers within every SLO threshold.
    pub slo_met: u64,
    /// Requests the SLO is judged on: answered, failed, and those still in the system already too old to meet it.
    pub slo_total: u64,
    /// Token latencies of an LLM service.
    pub tokens: Option<TokenLatency>,
}

/// Latencies of streamed answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenLatency {
    /// Time to first token, nanoseconds.
    pub ttft: Histogram,
    /// Mean time per output token after the first, nanoseconds.
    pub tpot: Histogram,
    /// Output tokens produced.
    pub output_tokens: u64,
}

/// Replicas and scaling over the measured part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScalingTotals {
    /// ∫ ready replicas dt in replica-nanoseconds.
    pub replica_ns: u128,
    /// Most replicas that were ready at once.
    pub replicas_max: u32,
    /// Cold starts that finished, creation to ready, nanoseconds each.
    pub cold_start_ns: Vec<u64>,
    /// Spot nodes taken back.
    pub spot_interruptions: u64,
    /// Writes that raised the wanted count.
    pub scale_ups: u64,
    /// Writes that lowered it.
    pub scale_downs: u64,
    /// ∫ busy dt over all replicas in nanoseconds.
    pub busy_ns: u128,
    /// Time with as many replicas wanted as the policy may want at most, in nanoseconds.
    pub at_max_ns: u128,
}

/// One request, when `--save-requests` asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// Arrival.
    pub arrival: SimTime,
    /// Start of service, if it got there.
    pub start: Option<SimTime>,
    /// First token, for streamed answers.
    pub first_token: Option<SimTime>,
    /// Answer or failure; `None` if still in the system.
    pub end: Option<SimTime>,
    /// The replica that served it.
    pub replica: Option<PodId>,
    /// `completed`, `rejected`, `timed_out`, `lost`, `in_system`.
    pub outcome: &'static str,
}
