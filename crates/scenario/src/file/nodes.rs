//! Where pods run and what that costs.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::manifest::TaintFile;
use crate::quantity::{Hazard, Price, Share, Size, Time};

use super::Distribution;
use super::choice::{DistributionChoice, TextOr};

/// `nodes`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct NodesFile {
    /// Who adds and removes nodes. Karpenter by default.
    pub manager: ManagerFile,
    /// How the scheduler ranks nodes that fit.
    pub scheduling: SchedulingFile,
    /// Timings all nodes share.
    pub timings: TimingsFile,
    /// Shapes of instance types that are not built in, or that differ.
    pub instance_types: BTreeMap<String, InstanceTypeFile>,
    /// Pools, beside those of the NodePool and Provisioner manifests.
    pub pools: Vec<PoolFile>,
    /// Take labels of GPU feature discovery (`nvidia.com/gpu.product`) as known to Karpenter before a node runs. It does not know them: a
    /// pod that requires one stays pending unless its pool declares the label. False by default.
    pub assume_gfd_labels: bool,
}

/// Who adds and removes nodes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ManagerFile {
    /// Karpenter.
    #[default]
    Karpenter,
    /// The Cluster Autoscaler.
    ClusterAutoscaler(ClusterAutoscalerFile),
    /// A node as soon as a pod needs one.
    Simple(SimpleFile),
    /// No nodes: replicas are billed while they exist.
    Serverless(ServerlessFile),
}

/// `clusterAutoscaler`, with the defaults of its flags.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ClusterAutoscalerFile {
    /// `--scan-interval`.
    pub scan_interval: Time,
    /// `--scale-down-unneeded-time`.
    pub unneeded_time: Time,
    /// `--scale-down-delay-after-add`.
    pub delay_after_add: Time,
    /// `--max-node-provision-time`.
    pub provision_time_max: Time,
    /// `--scale-down-gpu-utilization-threshold`.
    pub gpu_utilization_threshold: Share,
}

impl Default for ClusterAutoscalerFile {
    fn default() -> Self {
        Self {
            scan_interval: Time(10.0),
            unneeded_time: Time(600.0),
            delay_after_add: Time(600.0),
            provision_time_max: Time(900.0),
            gpu_utilization_threshold: Share(0.5),
        }
    }
}

/// `karpenter`: which Karpenter it is.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct KarpenterFile {
    /// Version, such as `1.13`: before 1.14 consolidation moves pods to nodes that have just received some. The newest by default.
    pub version: Option<String>,
}

/// `simple`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SimpleFile {
    /// How long an empty node stays.
    pub empty_delay: Time,
}

/// `serverless`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ServerlessFile {
    /// Price of one replica.
    pub price: Price,
}

/// Scheduler scoring.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SchedulingFile {
    /// Spread, as kube-scheduler does by default.
    #[default]
    LeastAllocated,
    /// Pack.
    MostAllocated,
}

/// `timings`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct TimingsFile {
    /// From request to running; billing starts at its end.
    pub launch: Distribution<Time>,
    /// From running to Ready.
    pub boot: Distribution<Time>,
    /// From Ready to GPUs that pods can use.
    pub device_plugin: Distribution<Time>,
    /// How long a launch without capacity takes to fail.
    pub launch_failure: Distribution<Time>,
    /// Chance that a launch is never answered.
    pub launch_stuck: Share,
    /// Chance that a launched node never registers; it is billed until it is given up.
    pub registration_stuck: Share,
}

impl Default for TimingsFile {
    fn default() -> Self {
        let constant = |seconds| TextOr::Amount(Time(seconds));
        Self {
            launch: constant(30.0),
            boot: constant(30.0),
            device_plugin: constant(20.0),
            launch_failure: constant(2.0),
            launch_stuck: Share(0.0),
            registration_stuck: Share(0.0),
        }
    }
}

/// The shape of an instance type.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct InstanceTypeFile {
    /// GPUs (or slices of them) pods can use. With `resources`: GPUs in the machine.
    pub gpus: u32,
    /// The extended resource they are advertised as.
    #[serde(default = "gpu_resource")]
    pub gpu_resource: String,
    /// What the device plugin advertises instead, for machines with MIG or time-slicing: `nvidia.com/mig-1g.10gb: 7`,
    /// `nvidia.com/gpu.shared: 4`. In place of `gpuResource`. Resources that are no accelerators, such as `vpc.amazonaws.com/efa: 4`, come on top.
    #[serde(default)]
    pub resources: BTreeMap<String, u32>,
    /// Value of the node label `nvidia.com/gpu.product`.
    #[serde(default)]
    pub gpu_product: String,
    /// Allocatable CPU, as in a manifest: `11`, `11500m`.
    pub cpu: String,
    /// Allocatable memory.
    pub memory: Size,
}

fn gpu_resource() -> String {
    "nvidia.com/gpu".to_owned()
}

/// A pool written in the scenario itself. One with the name of a NodePool or Provisioner manifest has no `instanceTypes`: it adds to that
/// pool `capacity`, `onDemandBase`, `onDemandShare`, `spotPrice` and `zones`, which a manifest cannot say.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PoolFile {
    /// Name.
    pub name: String,
    /// Higher is tried first.
    #[serde(default)]
    pub weight: u32,
    /// Instance types it may launch.
    #[serde(default)]
    pub instance_types: Vec<String>,
    /// Purchase options it may use.
    #[serde(default = "on_demand")]
    pub capacity_types: Vec<CapacityType>,
    /// Zones; none by default.
    #[serde(default)]
    pub zones: Vec<String>,
    /// Labels of its nodes, for pods' `nodeSelector` and node affinity.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Taints of its nodes: pods that do not tolerate them run elsewhere. None by default.
    #[serde(default)]
    pub taints: Vec<TaintFile>,
    /// Whether the node group tells the Cluster Autoscaler of its GPUs, by `k8s.amazonaws.com/accelerator` on AWS. Without it a node counts
    /// as there before its GPUs are, and the pods it was ordered for get a second one. True by default.
    #[serde(default)]
    pub gpu_label: Option<bool>,
    /// GPUs at most.
    #[serde(default)]
    pub gpus_max: Option<u32>,
    /// CPUs at most, of whole machines.
    #[serde(default)]
    pub cpus_max: Option<u32>,
    /// Memory at most, of whole machines.
    #[serde(default)]
    pub memory_max: Option<Size>,
    /// Nodes at least; paid for whether used or not.
    #[serde(default)]
    pub nodes_min: u32,
    /// Nodes at most.
    #[serde(default)]
    pub nodes_max: Option<u32>,
    /// The first so many nodes are on demand, the others spot where there is any. 0 unless said.
    #[serde(default)]
    pub on_demand_base: Option<u32>,
    /// Of the nodes above the base this share is on demand, rounded up. None unless said.
    #[serde(default)]
    pub on_demand_share: Option<Share>,
    /// When and which nodes go.
    #[serde(default = "default_consolidation")]
    pub consolidation: ConsolidationFile,
    /// Age at which a node is replaced. Never by default.
    #[serde(default)]
    pub expire_after: Option<Time>,
    /// Hard limit of a drain. None by default.
    #[serde(default)]
    pub termination_grace: Option<Time>,
    /// Disruption budgets; 10 % of the nodes by default.
    #[serde(default)]
    pub budgets: Option<Vec<DisruptionBudgetFile>>,
    /// How much there is to be had, per purchase option.
    #[serde(default)]
    pub capacity: BTreeMap<CapacityType, OfferCapacity>,
    /// Price of this pool's spot instances, whatever their type; else as under `prices`.
    #[serde(default)]
    pub spot_price: Option<Price>,
}

fn on_demand() -> Vec<CapacityType> {
    vec![CapacityType::OnDemand]
}

fn default_consolidation() -> ConsolidationFile {
    ConsolidationFile::WhenEmpty(Time(300.0))
}

/// Purchase options, as `karpenter.sh/capacity-type` spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CapacityType {
    /// Pay as you go.
    OnDemand,
    /// Interruptible.
    Spot,
    /// Committed.
    Reserved,
}

/// How much of an offering there is.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct OfferCapacity {
    /// Instances that can be had at once, per type and zone.
    pub instances_max: Option<u32>,
    /// Chance that a launch fails for want of capacity.
    pub insufficient: Option<Share>,
}

/// When nodes go.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ConsolidationFile {
    /// Never.
    Never,
    /// Empty nodes, this long after the last pod left.
    WhenEmpty(Time),
    /// Empty and underutilized nodes, this long after the last pod event.
    WhenEmptyOrUnderutilized(Time),
    /// As before, where what is saved is worth the disruption.
    Balanced(BalancedFile),
}

/// `balanced`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BalancedFile {
    /// Since the last pod event.
    pub after: Time,
    /// A move passes when its share of the pool's cost saved, over its share of the pool's disruption, is at least one over this.
    #[serde(default = "balanced_threshold")]
    pub threshold: u32,
}

fn balanced_threshold() -> u32 {
    2
}

/// One disruption budget.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DisruptionBudgetFile {
    /// Nodes that may be disrupted at once: `"3"` or `"10%"`.
    pub nodes: String,
    /// Reasons it binds; all by default.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// Cron expression in UTC at which its window opens; needs `duration`.
    #[serde(default)]
    pub schedule: Option<String>,
    /// Length of the window.
    #[serde(default)]
    pub duration: Option<Time>,
}

/// `spot`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct SpotFile {
    /// When nodes are taken back.
    pub interruptions: InterruptionsFile,
    /// From notice to kill.
    pub notice: Time,
    /// Until the notice has reached the node controller.
    pub notice_latency: Time,
    /// Whether notices reach it at all. Without a queue pods die with their node and are replaced once it is found lost.
    pub interruption_queue: bool,
    /// How a lost node is found without a queue.
    pub node_lost: NodeLostFile,
    /// How long before the notice a rebalance recommendation comes; nobody acts on it. None by default.
    pub rebalance: Option<Distribution<Time>>,
    /// How long an offering is unavailable after it was taken back.
    pub away: Time,
}

impl Default for SpotFile {
    fn default() -> Self {
        Self {
            interruptions: InterruptionsFile::None,
            notice: Time(120.0),
            notice_latency: Time(5.0),
            interruption_queue: true,
            node_lost: NodeLostFile::default(),
            rebalance: None,
            away: Time(180.0),
        }
    }
}

/// `nodeLost`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct NodeLostFile {
    /// From its end until it is NotReady.
    pub not_ready: Distribution<Time>,
    /// From NotReady until its pods are evicted; `0s` where the cloud's controller removes the Node at once.
    pub eviction: Time,
}

impl Default for NodeLostFile {
    fn default() -> Self {
        Self {
            not_ready: TextOr::Choice(DistributionChoice::Uniform { low: Time(40.0), high: Time(50.0) }),
            eviction: Time(300.0),
        }
    }
}

/// When spot nodes are taken back.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum InterruptionsFile {
    /// Never.
    None,
    /// At a constant rate.
    Constant(Hazard),
    /// More often when young and when old.
    Bathtub(BathtubFile),
    /// Many of a zone at once.
    Clustered(ClusteredFile),
    /// As recorded.
    Availability(AvailabilityFile),
}

/// `bathtub`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BathtubFile {
    /// Rate by age, interpolated between.
    pub points: Vec<BathtubPoint>,
}

/// One point of a bathtub curve.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BathtubPoint {
    /// Age of the node.
    pub age: Time,
    /// Interruptions at that age.
    pub rate: Hazard,
}

/// `clustered`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ClusteredFile {
    /// Events per zone.
    pub events: Hazard,
    /// Share of the zone's spot nodes each takes.
    pub share: Share,
    /// The nodes of one event are taken within this time.
    pub spread: Time,
}

/// `availability`: recorded traces of the nodes that could be had, in the formats of SkyPilot (JSON) and Bamboo (CSV).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AvailabilityFile {
    /// File per zone, for all instance types together; or per zone and instance type.
    pub zones: BTreeMap<String, ZoneTraceFile>,
    /// Where in the recordings the run starts. At their start by default.
    #[serde(default = "at_start")]
    pub start_at: Time,
    /// Whether a recording that is over starts again. By default its last count stays.
    #[serde(default)]
    pub repeat: bool,
}

fn at_start() -> Time {
    Time(0.0)
}

/// The traces of a zone: files by instance type, the empty name standing for all types together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneTraceFile(pub BTreeMap<String, String>);

struct ZoneTraceVisitor;

impl<'de> Visitor<'de> for ZoneTraceVisitor {
    type Value = ZoneTraceFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a file, or a mapping of instance types to files")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ZoneTraceFile, E> {
        Ok(ZoneTraceFile(BTreeMap::from([(String::new(), text.to_owned())])))
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<ZoneTraceFile, M::Error> {
        BTreeMap::deserialize(MapAccessDeserializer::new(map)).map(ZoneTraceFile)
    }
}

impl<'de> Deserialize<'de> for ZoneTraceFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ZoneTraceVisitor)
    }
}

impl JsonSchema for ZoneTraceFile {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("ZoneTrace")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}]})
    }
}
