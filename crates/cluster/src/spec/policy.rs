//! The alternatives a run compares.

use std::sync::Arc;

use policy::external::{Deciders, ExternalConfig};
use policy::hpa::{HpaSpec, ZeroRule};
pub use policy::predictive::{PredictiveConfig as PredictiveSpec, Role as PredictiveRole};
use policy::recorded::RecordedPath;
use units::SimDuration;

/// One named alternative for the whole cluster.
#[derive(Clone, Debug)]
pub struct PolicySpec {
    /// Name, unique in the scenario.
    pub name: String,
    /// What scales each service, in the order of the services.
    pub services: Vec<ServicePolicy>,
    /// Every service has pools of its own, as if each had a cluster to itself.
    pub has_pools_apart: bool,
}

/// Controllers that act together on one service.
#[derive(Clone, Debug, Default)]
pub struct ServicePolicy {
    /// The controllers.
    pub controllers: Vec<ControllerSpec>,
    /// Warm standbys, if it keeps any.
    pub warm_pool: Option<WarmPoolSpec>,
    /// Pause pods, if it keeps any.
    pub pause_pods: Option<PausePodsSpec>,
    /// Replicas at the start, if not the Deployment's.
    pub replicas_initial: Option<u32>,
}

/// One controller.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a scenario has a handful of them")]
pub enum ControllerSpec {
    /// Keeps a fixed count.
    Static {
        /// The count.
        replicas: u32,
    },
    /// Writes what was recorded, when it was recorded.
    Recorded(RecordedPath),
    /// A HorizontalPodAutoscaler.
    Hpa {
        /// As written.
        spec: HpaSpec,
        /// What runs it.
        manager: ControllerManager,
    },
    /// A ScaledObject: operator loop and generated HPA.
    Keda {
        /// As written.
        scaled_object: policy::keda::ScaledObject,
        /// What runs the generated HPA.
        manager: ControllerManager,
    },
    /// A floor from the traffic of past weeks.
    Predictive(PredictiveSpec),
    /// A policy that is not part of this program.
    External {
        /// When it is asked, and what it is shown.
        config: ExternalConfig,
        /// Who answers.
        deciders: Arc<dyn Deciders>,
    },
}

/// kube-controller-manager: flags and gates of the release it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerManager {
    /// `--horizontal-pod-autoscaler-sync-period`.
    pub sync_period: SimDuration,
    /// What happens at zero replicas (HPAScaleToZero).
    pub zero_rule: ZeroRule,
    /// Gate HPAConfigurableTolerance.
    pub has_configurable_tolerance: bool,
    /// Gate PodLevelResources.
    pub has_pod_level_resources: bool,
}

impl Default for ControllerManager {
    /// The defaults of v1.37.
    fn default() -> Self {
        Self {
            sync_period: SimDuration::from_secs(15),
            zero_rule: ZeroRule::Condition,
            has_configurable_tolerance: true,
            has_pod_level_resources: true,
        }
    }
}

/// Low-priority placeholders, each as large as a replica, that give up their room when a replica needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PausePodsSpec {
    /// How many.
    pub count: u32,
    /// Percent of the replicas that are wanted, rounded up, if that is more: what a CapacityBuffer keeps.
    pub percent: u32,
    /// No pods at all, but room that whoever adds nodes keeps (CapacityBuffer): every pod may take it, whatever its priority.
    pub is_room: bool,
    /// From a replica's finding no room to its being bound in a pause pod's place: scheduling cycles and the pause pod's termination.
    pub preemption: SimDuration,
}

impl PausePodsSpec {
    /// How many there are while so many replicas are wanted.
    pub fn count_at(&self, replicas: u32) -> u32 {
        let share = (u64::from(replicas) * u64::from(self.percent)).div_ceil(100);
        self.count.max(u32::try_from(share).unwrap_or(u32::MAX))
    }
}

/// Warm standbys (policies.md section 9.2).
#[derive(Clone, Debug, PartialEq)]
pub struct WarmPoolSpec {
    /// Standbys to keep.
    pub size: u32,
    /// From promotion to receiving requests (label patch and endpoint propagation).
    pub promote: SimDuration,
    /// Whether scale-in refills the pool before deleting.
    pub demote: bool,
    /// Whether standbys go on on-demand nodes only.
    pub on_demand: bool,
    /// Whether a standby is promoted at the notice of a reclaim that a PodDisruptionBudget keeps from being acted on.
    pub cover_notices: bool,
}
