//! The alternatives a run compares.

use policy::hpa::HpaSpec;
use units::SimDuration;

/// One named alternative: controllers that act together on one service.
#[derive(Clone, Debug)]
pub struct PolicySpec {
    /// Name, unique in the scenario.
    pub name: String,
    /// Its controllers.
    pub controllers: Vec<ControllerSpec>,
    /// Warm standbys, if it keeps any.
    pub warm_pool: Option<WarmPoolSpec>,
    /// Replicas at the start, if not the Deployment's.
    pub replicas_initial: Option<u32>,
}

/// One controller.
#[derive(Clone, Debug)]
pub enum ControllerSpec {
    /// Keeps a fixed count.
    Static {
        /// The count.
        replicas: u32,
    },
    /// A HorizontalPodAutoscaler.
    Hpa {
        /// As written.
        spec: HpaSpec,
        /// `--horizontal-pod-autoscaler-sync-period`.
        sync_period: SimDuration,
    },
    /// A ScaledObject: operator loop and generated HPA.
    Keda {
        /// As written.
        scaled_object: policy::keda::ScaledObject,
        /// Sync period of the generated HPA.
        sync_period: SimDuration,
    },
    /// A floor from the traffic of past weeks.
    Predictive(PredictiveSpec),
}

/// The predictive scaler (policies.md section 9.1).
#[derive(Clone, Debug, PartialEq)]
pub struct PredictiveSpec {
    /// Time between forecasts.
    pub interval: SimDuration,
    /// How far ahead.
    pub lookahead: SimDuration,
    /// Days back to look at the same time of day.
    pub days_ago: Vec<u32>,
    /// Percentile of the pooled past rates, 0..=100.
    pub percentile: f64,
    /// Width of the window of past rates around the target time.
    pub window: SimDuration,
    /// Safety factor.
    pub buffer: f64,
    /// Requests per second one replica can serve within the SLO.
    pub replica_rps: f64,
    /// Least answer.
    pub replicas_min: u32,
    /// Largest answer.
    pub replicas_max: u32,
    /// Writes `spec.replicas` only upwards, as the naive version does, instead of a floor for the other controllers.
    pub direct: bool,
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
}
