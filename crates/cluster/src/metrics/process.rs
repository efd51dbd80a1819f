//! What the pipeline knows of a pod beside its requests: where it runs, since when it can be scraped, what it did before.

use smallvec::SmallVec;
use units::{NodeId, SimTime};

use crate::flow::{LatencyLog, ReplicaStats};

/// One pod, from its scheduling to its end.
#[derive(Clone, Debug, Default)]
pub(super) struct Process {
    pub node: Option<NodeId>,
    /// Where the other pods of its group are, by their places there.
    pub workers: Vec<(u32, NodeId)>,
    /// When its containers started.
    pub started: Option<SimTime>,
    /// When its server began to listen: the model is loaded.
    pub listening: Option<SimTime>,
    /// When it was first ready.
    pub ready: Option<SimTime>,
    /// Its node is gone, and nobody has noticed: it answers no more.
    pub is_lost: bool,
    /// What it did before it last joined the endpoints: counters of a process do not start anew with a label patch.
    pub carried: ReplicaStats,
    pub carried_latency: Option<Box<LatencyLog>>,
    /// Its targets, by number.
    pub targets: SmallVec<[u32; 2]>,
    pub is_gone: bool,
}

impl Process {
    /// Whether its server answers a scrape.
    pub fn listens(&self) -> bool {
        self.listening.is_some() && !self.is_lost && !self.is_gone
    }
}

/// Statistics of two stretches of one process.
pub(super) fn sum(one: ReplicaStats, other: ReplicaStats) -> ReplicaStats {
    ReplicaStats {
        success: one.success + other.success,
        failure: one.failure + other.failure,
        given_up: one.given_up + other.given_up,
        executions: one.executions + other.executions,
        wait_ns: one.wait_ns + other.wait_ns,
        compute_ns: one.compute_ns + other.compute_ns,
        busy_ns: one.busy_ns + other.busy_ns,
        prompt_tokens: one.prompt_tokens + other.prompt_tokens,
        output_tokens: one.output_tokens + other.output_tokens,
        preemptions: one.preemptions + other.preemptions,
        admitted_tokens: one.admitted_tokens + other.admitted_tokens,
        hit_tokens: one.hit_tokens + other.hit_tokens,
        cached_tokens: one.cached_tokens + other.cached_tokens,
        fetched_tokens: one.fetched_tokens + other.fetched_tokens,
        adapter_loads: one.adapter_loads + other.adapter_loads,
    }
}
