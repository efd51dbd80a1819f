//! One fully resolved experiment: no paths, no options left open. Made by `scenario`, read by the model.

mod class;
mod cold_start;
mod fleet;
mod law;
mod metrics;
mod plain;
mod policy;
mod prehistory;
mod probes;
mod rollout;
mod routing;
mod scheduler;
mod scheduling;
mod service;

pub use class::{PodClass, PodDisruptionBudget};
pub use cold_start::{ArtifactSpec, CacheSpec, ColdStartSpec, LinkSpec, PhaseSpec, RestoreSpec, WeightsSpec};
pub use fleet::{
    AvailabilityTrace, Billing, CapacityKind, ClusterAutoscalerSpec, CommitmentSpec, Consolidation, DisruptionBudget,
    FleetSpec, GpuSlice, InstanceOffering, InterruptionModel, KarpenterSpec, NodeLostSpec, NodeManager, NodePoolSpec,
    NodeTimings, OnDemandShare, PoolRules, PriceOverlay, Scheduling, SpotSpec, ZoneTrace,
};
pub use law::{Iteration, IterationLaw, PassTime, time_of};
pub use metrics::{CpuUsage, GkeSpec, MemoryUsage, MetricsSpec, Outage, OutageSpec, UsageSpec};
pub use policy::{
    ControllerManager, ControllerSpec, PausePodsSpec, PolicySpec, PredictiveRole, PredictiveSpec, ServicePolicy,
    WarmPoolSpec,
};
pub use prehistory::{EarlierTraffic, PrehistorySpec};
pub use probes::{Probe, Probes};
pub use rollout::{CanaryStep, Leeway, Portion, RolloutSpec, RolloutStrategy};
pub use routing::{ClassSpec, FlowControl, GroupSpec, PrefixSpec, RouterSpec, Routing, Scorers, TagSpec};
pub use scheduler::{AdapterSpec, EngineSpec, PrefillFirst, Scheduler, Speculative, Tgi};
pub use scheduling::{
    HOSTNAME, LabelOperator, LabelRule, NodeLabel, NodeTerm, PODS_PER_NODE, PlacementKind, PlacementRule, PodOverhead,
    PodQuota, PodScheduling, PreferredTerm, Protection, Taint, TaintEffect, Toleration, affinity_misfit, misfit,
    named_labels, node_label, slots, untolerated,
};
pub use service::{
    BatchLatency, CalledBy, ContainerSpec, GroupRestart, KillRule, KvTransfer, NoReplicaRule, Overhead, Patience,
    PodGroup, PodSpec, ReplicaOrder, RetryDemand, RetrySpec, ServiceModel, ServiceSpec, SloSpec, SoftSpread, StopRule,
};

use std::borrow::Cow;

use units::{SimDuration, SimTime};

/// Everything one run needs but its seed and which of the policies it replays.
#[derive(Clone, Debug)]
pub struct SimulationSpec {
    /// Name of the scenario.
    pub name: String,
    /// Unix time in seconds of the start of the run: schedules, cron triggers and seasonality count from it.
    pub start_unix_seconds: i64,
    /// IANA zone for schedules that name none.
    pub time_zone: String,
    /// When the run ends.
    pub end: SimTime,
    /// Requests that arrive before this are served but not counted, and money spent before it is not either.
    pub warm_up: SimDuration,
    /// Length of a step of the timeline.
    pub timeline_step: SimDuration,
    /// The services, at least one. What is counted by service is counted in this order.
    pub services: Vec<ServiceSpec>,
    /// The stretch before time zero.
    pub prehistory: PrehistorySpec,
    /// Where they run and what that costs.
    pub fleet: FleetSpec,
    /// How metrics travel.
    pub metrics: MetricsSpec,
    /// The alternatives to compare.
    pub policies: Vec<PolicySpec>,
}

impl SimulationSpec {
    /// The nodes as policy number `policy` has them.
    pub fn fleet_of(&self, policy: usize) -> Cow<'_, FleetSpec> {
        if self.policies[policy].has_pools_apart {
            Cow::Owned(self.fleet.apart(self.services.iter().map(|service| service.name.as_str())))
        } else {
            Cow::Borrowed(&self.fleet)
        }
    }

    /// What other services of this run ask of one.
    fn calls_of<'a>(&'a self, service: &'a ServiceSpec) -> impl Iterator<Item = CalledBy> + 'a {
        let calls = self.services.iter().filter_map(|other| other.called_by);
        calls.filter(move |call| std::ptr::eq(&raw const self.services[call.service], service))
    }

    /// Whether answers of a service of this run bring requests to another.
    pub(crate) fn is_caller(&self, service: &ServiceSpec) -> bool {
        self.calls_of(service).next().is_some()
    }

    /// Whether another service of this run fetches what replicas of this one have computed: prompts of how many tokens at least.
    pub(crate) fn hands_over(&self, service: &ServiceSpec) -> Option<u32> {
        self.calls_of(service).find_map(|call| call.transfer).map(|transfer| transfer.from_tokens)
    }

    /// Replicas of service number `service` that are there and ready when policy number `policy` starts.
    pub fn replicas_at_start(&self, policy: usize, service: usize) -> u32 {
        let stated = self.policies[policy].services[service].replicas_initial;
        stated.unwrap_or(self.services[service].replicas_initial)
    }
}
