//! What a policy is shown and what it answers.

use units::{PodId, SimDuration, SimTime};

use crate::{LabelCondition, MetricOutcome, Provenance, SignalQuery};

/// When a controller runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Time between the starts of two passes.
    pub period: SimDuration,
    /// Time of the first pass, from the start of the run.
    pub first: SimTime,
}

/// A metric a controller asks for; the metrics pipeline of the cluster answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricQuery {
    /// Usage of a compute resource by each pod (`metrics.k8s.io`). `container` restricts it to one container.
    Resource {
        /// `cpu`, `memory`, …
        name: String,
        /// The one container, or all of them.
        container: Option<String>,
    },
    /// One value per pod (`custom.metrics.k8s.io`).
    Pods {
        /// Metric name as the adapter exposes it.
        name: String,
        /// Selector of the metric, sorted by key.
        selector: Vec<LabelCondition>,
    },
    /// One value for a named object (`custom.metrics.k8s.io`).
    Object {
        /// Metric name.
        name: String,
        /// Kind of the object, as written.
        kind: String,
        /// Name of the object.
        object: String,
        /// Selector of the metric.
        selector: Vec<LabelCondition>,
    },
    /// A list of values from outside (`external.metrics.k8s.io`).
    External {
        /// Metric name.
        name: String,
        /// Selector of the metric.
        selector: Vec<LabelCondition>,
    },
    /// An instant query sent to Prometheus, as KEDA's prometheus scaler does. Answered by [`MetricReading::Vector`] or
    /// [`MetricReading::Scalar`].
    PromQl {
        /// The expression.
        expression: String,
    },
    /// A figure the simulator itself knows, in place of a service outside the cluster.
    Signal(SignalQuery),
    /// Nothing: holds the place of an answer that nobody looks at in this pass.
    Unread,
}

/// The answer to a [`MetricQuery`].
#[derive(Clone, Debug, PartialEq)]
pub enum MetricReading {
    /// Per pod and container (Resource).
    Resource(Vec<PodUsage>),
    /// Per pod, milli-units (Pods).
    Pods(Vec<PodSample>),
    /// One value in milli-units (Object).
    Object(i64),
    /// Any number of values in milli-units (External).
    External(Vec<i64>),
    /// The values of an instant vector (PromQL), in the order of the answer.
    Vector(Vec<f64>),
    /// A scalar answer (PromQL), which KEDA cannot decode.
    Scalar(f64),
    /// The value of a simulator signal.
    Signal(f64),
}

/// Why a metric could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricError {
    /// What the API answered, in its words.
    pub message: String,
}

/// Usage of one resource by one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodUsage {
    /// Name of the pod.
    pub pod: PodId,
    /// Its containers, milli-units each; a container without the resource is left out.
    pub containers: Vec<ContainerUsage>,
    /// How many containers the pod's metrics list names, with or without this resource.
    pub containers_listed: usize,
    /// Nanoseconds since the start of the run at which the window of the sample ended; may be negative.
    pub timestamp_ns: i64,
    /// Length of the window.
    pub window: SimDuration,
}

/// Usage by one container, in milli-units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerUsage {
    /// Name of the container.
    pub name: String,
    /// Usage in milli-units.
    pub usage_m: i64,
}

/// One pod's value of a custom metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodSample {
    /// The pod.
    pub pod: PodId,
    /// Value in milli-units.
    pub value_m: i64,
    /// Nanoseconds since the start of the run of the newest sample behind it; may be negative.
    pub timestamp_ns: i64,
}

/// Kubernetes' pod phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodPhase {
    /// Not all containers have started: waiting for a node or pulling the image.
    Pending,
    /// Containers run; says nothing about readiness.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
}

/// Status of the pod's Ready condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// The condition is not there yet.
    Absent,
    /// "True".
    True,
    /// "False".
    False,
    /// "Unknown".
    Unknown,
}

/// What a controller can read of a pod from the API server. Requests are the same for all pods of a service and are the policy's
/// own configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodView {
    /// The pod.
    pub pod: PodId,
    /// Its phase.
    pub phase: PodPhase,
    /// True once deletion has been asked for.
    pub deleted: bool,
    /// Its Ready condition.
    pub ready: Ready,
    /// `status.startTime` in nanoseconds since the start of the run; `None` while unscheduled.
    pub started_ns: Option<i64>,
    /// `lastTransitionTime` of the Ready condition, nanoseconds since the start of the run.
    pub ready_transition_ns: i64,
}

/// How many pods the service has, by what they are doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Wanted: `spec.replicas` of the scale subresource.
    pub spec: u32,
    /// Existing: `status.replicas` (actives not being deleted, ready or not).
    pub status: u32,
    /// Ready and in the endpoints.
    pub ready: u32,
    /// On their way: pending or starting for active duty.
    pub starting: u32,
    /// Loaded and warm, outside the endpoints.
    pub standby: u32,
    /// On their way to standby.
    pub standby_starting: u32,
    /// Being deleted but still there.
    pub draining: u32,
}

/// Offered arrivals of the past: what a predictor may look at. Nothing later than `now` is in it.
pub trait RateHistory {
    /// Mean offered rate in requests per second over the minute that starts `minute` minutes after the start of the run
    /// (negative: before it). `None` if that minute is not fully in the past or was not recorded.
    fn rate_at_minute(&self, minute: i64) -> Option<f64>;
}

/// All a controller is shown in one pass.
#[derive(Clone, Copy)]
pub struct Observation<'a> {
    /// The instant of the pass.
    pub now: SimTime,
    /// Pods by state.
    pub counts: Counts,
    /// A lower bound another policy of the same composition has set; 0 if none.
    pub floor: u32,
    /// All pods of the service, in order of creation, those being deleted included.
    pub pods: &'a [PodView],
    /// Answers to [`crate::ScalingPolicy::queries`], in that order.
    pub metrics: &'a [Result<MetricReading, MetricError>],
    /// How those answers came about, in the same order; answers beyond its end are of unknown provenance.
    pub provenance: &'a [Provenance],
    /// Requests offered so far.
    pub arrivals: u64,
    /// Requests answered so far.
    pub completions: u64,
    /// Requests waiting for a replica.
    pub queue: u64,
    /// Requests being served.
    pub in_flight: u64,
    /// Offered rates of the past.
    pub history: &'a dyn RateHistory,
}

impl Observation<'_> {
    /// What is known of answer number `index`.
    pub fn provenance_of(&self, index: usize) -> Provenance {
        self.provenance.get(index).copied().unwrap_or_default()
    }
}

/// What a controller wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Hold,
    /// Write this to `spec.replicas`.
    Scale(u32),
    /// Let no other controller go below this.
    Floor(u32),
    /// Keep this many warm standbys.
    Standby(u32),
}

/// An answer and why it is that one.
#[derive(Clone, Debug, PartialEq)]
pub struct Recommendation {
    /// What to do.
    pub action: Action,
    /// How the answer came about.
    pub trail: Trail,
}

/// How an answer came about, in the order of reasoning: metric values, proposals, then each damping step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trail {
    /// One entry per metric.
    pub proposals: Vec<Proposal>,
    /// The combined wish before any damping.
    pub raw: Option<u32>,
    /// Damping steps in the order they were taken.
    pub steps: Vec<Step>,
    /// The outcome in one of the controller's own reason words (`DesiredWithinRange`, `ScalerCooldown`, …).
    pub reason: &'static str,
}

/// What one metric asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// Name of the metric.
    pub metric: String,
    /// Value as compared with the target, in plain units; `None` if it could not be read.
    pub value: Option<f64>,
    /// The target in the same units.
    pub target: f64,
    /// Usage ratio the decision used; `None` where there is none.
    pub ratio: Option<f64>,
    /// Replicas asked for; `None` if the metric failed.
    pub replicas: Option<u32>,
    /// In plain words: `within tolerance`, `2 pods missing, filled with 0`, the error text, …
    pub note: String,
    /// Age of the oldest sample behind the value, where known.
    pub age: Option<SimDuration>,
    /// What became of the metric in this pass.
    pub outcome: MetricOutcome,
}

/// One damping step: stabilization, a rate limit, a clamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which step: `stabilization`, `rate limit`, `bounds`, `floor`, `cooldown`, …
    pub name: &'static str,
    /// Value before.
    pub before: u32,
    /// Value after.
    pub after: u32,
    /// In plain words which recommendation, event or bound decided.
    pub note: String,
}
