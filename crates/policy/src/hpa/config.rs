//! Settings of the controller: flags and feature gates of kube-controller-manager, and what it reads of the Deployment.

use units::{SimDuration, SimTime};

use super::limits::LegacyLimit;
use super::requests::RequestTable;

/// What the controller does at zero replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZeroRule {
    /// Up to v1.35: zero is left alone unless `minReplicas` is 0, and then it is a size like any other.
    MinReplicas,
    /// Since v1.36 with HPAScaleToZero off: zero is always left alone.
    GateOff,
    /// Since v1.36 with HPAScaleToZero on (the default since v1.37): condition ScaledToZero remembers who went to zero, and only a zero
    /// the controller itself chose is ever left again.
    Condition,
}

/// Flags and gates. The defaults are those of v1.37.
#[derive(Clone, Debug, PartialEq)]
pub struct HpaConfig {
    /// Time from one pass to the next (`--horizontal-pod-autoscaler-sync-period`).
    pub sync_period: SimDuration,
    /// Time of the first pass: the phase of this HPA. Up to v1.36 one period after creation, since then at creation.
    pub first: SimTime,
    /// Tolerance both ways (`--horizontal-pod-autoscaler-tolerance`).
    pub tolerance: f64,
    /// Window before scaling down (`--horizontal-pod-autoscaler-downscale-stabilization`).
    pub downscale_stabilization: SimDuration,
    /// How long after its start a pod's CPU is looked at twice (`--horizontal-pod-autoscaler-cpu-initialization-period`).
    pub cpu_initialization_period: SimDuration,
    /// How soon after its start a pod that is not ready never was (`--horizontal-pod-autoscaler-initial-readiness-delay`).
    pub initial_readiness_delay: SimDuration,
    /// The doubling limit of the path without `behavior`.
    pub legacy_limit: LegacyLimit,
    /// What happens at zero replicas (HPAScaleToZero).
    pub zero_rule: ZeroRule,
    /// Gate HPAConfigurableTolerance.
    pub has_configurable_tolerance: bool,
    /// Gate PodLevelResources.
    pub has_pod_level_resources: bool,
    /// Requests of the pods of the scaled Deployment.
    pub requests: RequestTable,
}

impl Default for HpaConfig {
    fn default() -> Self {
        Self {
            sync_period: SimDuration::from_secs(15),
            first: SimTime::ZERO,
            tolerance: 0.1,
            downscale_stabilization: SimDuration::from_secs(300),
            cpu_initialization_period: SimDuration::from_secs(300),
            initial_readiness_delay: SimDuration::from_secs(30),
            legacy_limit: LegacyLimit { factor: 2.0, floor: 4.0 },
            zero_rule: ZeroRule::Condition,
            has_configurable_tolerance: true,
            has_pod_level_resources: true,
            requests: RequestTable::default(),
        }
    }
}
