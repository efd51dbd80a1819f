//! Where pods run: node pools, their prices, how nodes come and go, and what all of them share.

use std::sync::Arc;

use record::Purchase;
use units::{Bytes, Millicores, SimDuration, SimTime, UsdPerHour};
use workload::Distribution;

use super::{CacheSpec, LinkSpec, Taint};

/// The whole infrastructure.
#[derive(Clone, Debug)]
pub struct FleetSpec {
    /// Who adds and removes nodes.
    pub manager: NodeManager,
    /// Pools (Karpenter) or groups (Cluster Autoscaler); one with `replicas`-like bounds for fixed fleets; empty for serverless.
    pub pools: Vec<NodePoolSpec>,
    /// Shared timings of nodes.
    pub timings: NodeTimings,
    /// Named links that parts of cold starts given in bytes share.
    pub links: Vec<LinkSpec>,
    /// Node-local cache of model weights.
    pub cache: Option<CacheSpec>,
    /// Interruptions of spot nodes.
    pub spot: SpotSpec,
    /// What is paid for whether it is used or not; the first that covers an instance and has money left is drawn on.
    pub commitments: Vec<CommitmentSpec>,
    /// How the scheduler ranks nodes that fit.
    pub scheduling: Scheduling,
    /// Rules of Karpenter that differ between its versions.
    pub karpenter: KarpenterSpec,
}

/// Rules of Karpenter that differ between its versions; by default those of the newest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KarpenterSpec {
    /// Consolidation moves pods to nodes whose own `consolidateAfter` has not passed: before 1.14.
    pub receivers_need_not_settle: bool,
}

/// Who adds and removes nodes.
#[derive(Clone, Debug)]
pub enum NodeManager {
    /// Karpenter, per its NodePools.
    Karpenter,
    /// The Cluster Autoscaler.
    ClusterAutoscaler(ClusterAutoscalerSpec),
    /// A node as soon as a pod needs one, gone `empty_delay` after its last pod: no controller in between.
    Simple {
        /// How long an empty node stays.
        empty_delay: SimDuration,
    },
    /// No nodes: each replica is billed while it exists.
    Serverless {
        /// Price of one replica.
        price: UsdPerHour,
    },
}

/// Cluster Autoscaler settings; defaults as in its flags.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterAutoscalerSpec {
    /// `--scan-interval`.
    pub scan_interval: SimDuration,
    /// `--scale-down-unneeded-time`.
    pub unneeded_time: SimDuration,
    /// `--scale-down-delay-after-add`.
    pub delay_after_add: SimDuration,
    /// `--max-node-provision-time`.
    pub provision_time_max: SimDuration,
    /// `--scale-down-gpu-utilization-threshold`, 0..=1.
    pub gpu_utilization_threshold: f64,
}

/// Scheduler scoring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduling {
    /// Spread (the default of kube-scheduler).
    LeastAllocated,
    /// Pack.
    MostAllocated,
}

/// One node pool.
#[derive(Clone, Debug)]
pub struct NodePoolSpec {
    /// Name.
    pub name: String,
    /// Higher is tried first.
    pub weight: u32,
    /// What may be launched.
    pub offerings: Vec<InstanceOffering>,
    /// Labels its nodes carry, sorted by key.
    pub labels: Vec<(String, String)>,
    /// GPUs at most in this pool; `None` is no limit.
    pub gpus_max: Option<u32>,
    /// CPUs of all its machines at most; `None` is no limit.
    pub cpu_max: Option<Millicores>,
    /// Memory of all its machines at most; `None` is no limit.
    pub memory_max: Option<Bytes>,
    /// Nodes at least (node groups and fixed fleets).
    pub nodes_min: u32,
    /// Nodes at most.
    pub nodes_max: Option<u32>,
    /// How many nodes are kept on demand; `None`: spot whenever there is any.
    pub on_demand: Option<OnDemandShare>,
    /// When and which nodes go.
    pub consolidation: Consolidation,
    /// Age at which a node is replaced.
    pub expire_after: Option<SimDuration>,
    /// Hard limit of a drain.
    pub termination_grace: Option<SimDuration>,
    /// Disruption budgets.
    pub budgets: Vec<DisruptionBudget>,
    /// Taints, and how its nodes differ from ordinary ones.
    pub rules: PoolRules,
}

/// Taints of a pool's nodes, and how its nodes differ from ordinary ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolRules {
    /// Taints all its nodes carry.
    pub taints: Vec<Taint>,
    /// Its nodes are annotated `karpenter.sh/do-not-disrupt`.
    pub protected: bool,
    /// Nodes that have reached their age go within the budgets, a replacement first: Karpenter before v1.
    pub expires_gracefully: bool,
    /// Its number of nodes is fixed (`spec.replicas`): pods launch none, and none is consolidated.
    pub is_static: bool,
    /// The node group has no label that tells the Cluster Autoscaler of its GPUs: nodes count as there before their GPUs are.
    pub lacks_gpu_label: bool,
    /// The only service whose pods may run there, if it is one service's own.
    pub only_for: Option<String>,
}

impl FleetSpec {
    /// The same with pools of its own for each service in place of those that all share. A pool's limits are each copy's.
    pub fn apart<'a>(&self, services: impl IntoIterator<Item = &'a str>) -> Self {
        let copies = services.into_iter().flat_map(|service| {
            self.pools.iter().map(move |pool| {
                let mut copy = pool.clone();
                copy.name = format!("{}/{service}", pool.name);
                copy.rules.only_for = Some(service.to_owned());
                copy
            })
        });
        Self { pools: copies.collect(), ..self.clone() }
    }
}

/// The on-demand part of a pool that also has spot, as in an EC2 Auto Scaling group's mixed instances policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OnDemandShare {
    /// The first so many nodes are on demand.
    pub base: u32,
    /// Of those above the base this share is, 0..=1, rounded up.
    pub above: f64,
}

impl OnDemandShare {
    /// On-demand nodes among `nodes`.
    pub fn of(self, nodes: u32) -> u32 {
        let above = nodes.saturating_sub(self.base);
        nodes.min(self.base) + (f64::from(above) * self.above).ceil() as u32
    }
}

/// One thing that can be launched: instance type, zone, purchase option, price.
#[derive(Clone, Debug)]
pub struct InstanceOffering {
    /// Instance type.
    pub instance_type: String,
    /// Zone; empty where the scenario has none.
    pub zone: String,
    /// How it is paid for.
    pub purchase: Purchase,
    /// Allocatable GPUs (or slices of them): how many of [`Self::gpu_resource`] a node advertises.
    pub gpus: u32,
    /// What one of them is of the machine's GPUs.
    pub slice: GpuSlice,
    /// The extended resource they are advertised as.
    pub gpu_resource: String,
    /// Value of the `nvidia.com/gpu.product` label; empty if unknown.
    pub gpu_product: String,
    /// Allocatable CPU.
    pub cpu: Millicores,
    /// Allocatable memory.
    pub memory: Bytes,
    /// CPU of the whole machine, which pool limits count.
    pub machine_cpu: Millicores,
    /// Memory of the whole machine, which pool limits count.
    pub machine_memory: Bytes,
    /// Price from an instant on, ascending, the first at zero: one entry for a constant price.
    pub prices: Arc<[(SimTime, UsdPerHour)]>,
    /// Billing rules.
    pub billing: Billing,
    /// Instances of this offering that can be had at once; `None` is no limit.
    pub capacity_max: Option<u32>,
    /// Chance that a launch fails for want of capacity, 0..1.
    pub insufficient_capacity: f64,
    /// Labels of its nodes that follow from type, place and purchase, as far as the pod asks for them; `None`: they do not carry it.
    pub labels: Vec<(String, Option<String>)>,
    /// Other extended resources it declares.
    pub extended: Vec<(String, u32)>,
    /// What Karpenter takes its price for when it chooses (`NodeOverlay`); bills are by the price itself.
    pub overlay: Option<PriceOverlay>,
}

/// A price that is not paid, but chosen by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PriceOverlay {
    /// In place of the price.
    Fixed(UsdPerHour),
    /// Added to it, in millionths of a dollar per hour; the sum is never below zero.
    Add(i64),
    /// Added to it, as a share of it; the sum is never below zero.
    Share(f64),
}

impl PriceOverlay {
    /// What is chosen by where `price` is paid.
    pub fn over(self, price: UsdPerHour) -> UsdPerHour {
        let micros = price.as_micros();
        match self {
            Self::Fixed(fixed) => fixed,
            Self::Add(more) => UsdPerHour::from_micros(micros.saturating_add_signed(more)),
            Self::Share(share) => UsdPerHour::from_micros((micros as f64 * (1.0 + share)).max(0.0).round() as u64),
        }
    }
}

/// What one allocatable unit is of a machine's GPUs: a whole one, a MIG instance, a turn in time-slicing. GPU-time is attributed in shares
/// of the machine's GPUs, so that slices nobody asks for are seen as unallocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GpuSlice {
    /// GPUs in the machine.
    pub devices: u32,
    /// Equal shares all of them together are counted in, a multiple of `devices` (0 if there are none).
    pub shares: u32,
    /// Shares one allocatable unit stands for.
    pub of_unit: u32,
}

impl GpuSlice {
    /// Whole GPUs.
    pub const fn whole(devices: u32) -> Self {
        Self { devices, shares: devices, of_unit: 1 }
    }
}

/// Purchase options a pool may use, in order of preference: as in `karpenter.sh/capacity-type`.
pub type CapacityKind = Purchase;

/// A savings plan, or reserved instances as so many times their price: applied by the clock hour to on-demand instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitmentSpec {
    /// Committed per hour.
    pub per_hour: UsdPerHour,
    /// Instance types it covers, with their prices under it.
    pub rates: Vec<(String, UsdPerHour)>,
}

/// Billing granularity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Billing {
    /// Shortest bill.
    pub minimum: SimDuration,
    /// Bills are rounded up to a multiple of this.
    pub increment: SimDuration,
    /// A spot instance that the provider takes back younger than this is free (AWS: an hour, GCP: a minute); zero is never.
    pub spot_free_until: SimDuration,
}

/// When Karpenter removes nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consolidation {
    /// Never.
    Never,
    /// Empty nodes, this long after the last pod left.
    WhenEmpty(SimDuration),
    /// Empty and underutilized nodes, this long after the last pod event.
    WhenEmptyOrUnderutilized(SimDuration),
    /// As before, but a move must be worth it: its share of the pool's cost saved, over its share of the pool's disruption cost, must
    /// reach `1 / threshold` (Karpenter's `consolidationThreshold`, 2 unless set).
    Balanced {
        /// Since the last pod event.
        after: SimDuration,
        /// Disruption a unit of saving may cost.
        threshold: u32,
    },
}

/// One entry of `spec.disruption.budgets`.
#[derive(Clone, Debug, PartialEq)]
pub struct DisruptionBudget {
    /// Nodes: absolute.
    pub nodes: Option<u32>,
    /// Nodes: percent of the pool's.
    pub percent: Option<f64>,
    /// Reasons it binds; empty: all.
    pub reasons: Vec<String>,
    /// Cron schedule and duration of its window; `None`: always.
    pub window: Option<(String, SimDuration)>,
}

/// Timings of a node.
#[derive(Clone, Debug)]
pub struct NodeTimings {
    /// From request to running (billing starts).
    pub launch: Distribution,
    /// From running to kubelet registered and Ready.
    pub boot: Distribution,
    /// From Ready to GPUs allocatable.
    pub device_plugin: Distribution,
    /// How long a failed launch takes to fail.
    pub launch_failure: Distribution,
    /// Chance that a launch is never answered, 0..1; whoever asked gives it up after its time-out.
    pub launch_stuck: f64,
    /// Chance that a launched node never registers, 0..1; it is billed until it is given up.
    pub registration_stuck: f64,
}

/// Interruptions of spot nodes.
#[derive(Clone, Debug)]
pub struct SpotSpec {
    /// When they come.
    pub model: InterruptionModel,
    /// Time between notice and kill.
    pub notice: SimDuration,
    /// How long the notice takes to reach the node controller.
    pub notice_latency: SimDuration,
    /// Without an interruption queue: nobody hears the notice, and lost nodes are found like this.
    pub node_lost: Option<NodeLostSpec>,
    /// Rebalance recommendations: how long (in seconds) before the notice they come. Nobody acts on them.
    pub rebalance: Option<Distribution>,
    /// How long an offering stays unavailable after a reclaim.
    pub away: SimDuration,
}

/// How a cluster finds out that a node is gone which nobody announced.
#[derive(Clone, Debug)]
pub struct NodeLostSpec {
    /// Seconds from its end until it is seen as NotReady.
    pub not_ready: Distribution,
    /// From NotReady to the eviction of its pods, which is when they are replaced.
    pub eviction: SimDuration,
}

/// How many nodes can be had from each instant on, ascending.
pub type AvailabilityTrace = Arc<[(SimTime, u32)]>;

/// When spot nodes are taken back.
#[derive(Clone, Debug)]
pub enum InterruptionModel {
    /// Never.
    None,
    /// A constant hazard per node-hour.
    Constant {
        /// Interruptions per node-hour.
        per_hour: f64,
    },
    /// High when young and when old: hazard per hour interpolated over age in hours.
    Bathtub {
        /// (age in hours, interruptions per node-hour), ascending.
        points: Vec<(f64, f64)>,
    },
    /// Zone-wide events that each take a share of the zone's spot nodes within minutes.
    Clustered {
        /// Events per zone-hour.
        events_per_hour: f64,
        /// Share of nodes each event takes, 0..=1.
        share: f64,
        /// Nodes of one event are taken within this time.
        spread: SimDuration,
    },
    /// A recorded availability trace: at most this many nodes from an instant on.
    Availability {
        /// The traces; no two limit the same offering.
        zones: Vec<ZoneTrace>,
    },
}

/// How many spot nodes a zone has to give over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneTrace {
    /// Zone.
    pub zone: String,
    /// Instance type it is of; empty for all together.
    pub instance_type: String,
    /// (from, nodes) ascending.
    pub steps: AvailabilityTrace,
}

impl ZoneTrace {
    /// Whether nodes of `offering` count towards it.
    pub fn limits(&self, offering: &InstanceOffering) -> bool {
        offering.purchase == Purchase::Spot
            && offering.zone == self.zone
            && (self.instance_type.is_empty() || offering.instance_type == self.instance_type)
    }
}
