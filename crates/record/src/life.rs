//! Lives of replicas and nodes: what every phase took and what it cost.

use units::{NodeId, PodId, SimDuration, SimTime, Usd};

use crate::Purchase;

/// One phase of a life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseSpan {
    /// `pending`, `back_off`, `image_pull`, `model_download`, `gpu_load`, `cuda_warm_up`, `restore`, `readiness`, `group` (could
    /// serve, and waits for the other pods of its group), `ready`, `standby`, `draining`; for nodes `launch`, `boot`, `device_plugin`, `up`, `draining`.
    pub phase: &'static str,
    /// When it began.
    pub start: SimTime,
    /// When it ended; the end of the run for one still going on.
    pub end: SimTime,
}

/// A stretch of waiting for something that is not on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitSpan {
    /// For what, in words: the limit of a pool, capacity, a quota, where other pods are.
    pub reason: String,
    /// When it began.
    pub start: SimTime,
    /// When it ended; the end of the run for one still going on.
    pub end: SimTime,
}

/// One replica, from creation to its end: a pod, or a group of pods that is its first one here, with what all of them cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaLife {
    /// The pod.
    pub pod: PodId,
    /// The node it ran on, if it ever got one.
    pub node: Option<NodeId>,
    /// Nodes of the other pods of its group, as far as they got some.
    pub worker_nodes: Vec<NodeId>,
    /// Purchase option of that node.
    pub purchase: Option<Purchase>,
    /// Zone of that node; empty where there is none.
    pub zone: String,
    /// Creation.
    pub created: SimTime,
    /// First time it was ready to serve (for standbys: warm), if it got there.
    pub ready: Option<SimTime>,
    /// Deletion or loss; `None` if it outlived the run.
    pub ended: Option<SimTime>,
    /// Phases in order.
    pub phases: Vec<PhaseSpan>,
    /// What it waited for while no node was on its way for it, in order.
    pub waits: Vec<WaitSpan>,
    /// Times its container was killed by a startup or liveness probe and started again.
    pub restarts: u32,
    /// Time spent serving.
    pub busy: SimDuration,
    /// What its GPUs cost from the moment it was bound to its node to its end: their share of the node's bill.
    pub cost: Usd,
    /// Requests it finished.
    pub completed: u64,
    /// Requests lost with it.
    pub lost: u64,
    /// How often it brought an adapter into a slot of its GPU's memory; of language models with adapters.
    pub adapter_loads: Option<u64>,
    /// `scale_in`, `spot_reclaim`, `consolidation`, `preempted`, `cancelled`, …; `running` if it outlived the run.
    pub ending: &'static str,
}

/// One node, from request to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeLife {
    /// The node.
    pub node: NodeId,
    /// Node pool it belongs to.
    pub pool: String,
    /// Instance type.
    pub instance_type: String,
    /// Zone; empty where there is none.
    pub zone: String,
    /// Purchase option.
    pub purchase: Purchase,
    /// GPUs it has.
    pub gpus: u32,
    /// When it was asked for.
    pub requested: SimTime,
    /// When the provider recommended to leave it, if it did and took it later; nobody acts on that.
    pub recommended: Option<SimTime>,
    /// When the provider gave notice that it would take it.
    pub noticed: Option<SimTime>,
    /// When billing began; `None` if the launch failed.
    pub launched: Option<SimTime>,
    /// When billing ended; `None` if it outlived the run.
    pub ended: Option<SimTime>,
    /// Phases in order.
    pub phases: Vec<PhaseSpan>,
    /// Billed time, with the provider's minimum and rounding.
    pub billed: SimDuration,
    /// The bill.
    pub cost: Usd,
    /// What of the bill no pod held: GPUs without a pod, the time before the first and after the last, the billing minimum. With the costs
    /// of its pods it adds up to the bill exactly.
    pub cost_without_replica: Usd,
    /// `empty`, `underutilized`, `expired`, `spot_reclaim`, `insufficient_capacity`, …; `running` if it outlived the run.
    pub ending: &'static str,
}
