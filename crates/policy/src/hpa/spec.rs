//! The HPA as its owner wrote it, typed; defaults are filled by [`super`], not here.

use units::SimDuration;

use crate::LabelCondition;

/// `spec` of a HorizontalPodAutoscaler v2.
#[derive(Clone, Debug, PartialEq)]
pub struct HpaSpec {
    /// `metadata.name`.
    pub name: String,
    /// `minReplicas`; the API default is 1.
    pub replicas_min: u32,
    /// `maxReplicas`.
    pub replicas_max: u32,
    /// `metrics`, in the order written.
    pub metrics: Vec<MetricSpec>,
    /// `behavior`; absent is not the same as empty (legacy path).
    pub behavior: Option<Behavior>,
}

/// `spec.behavior`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Behavior {
    /// `scaleUp`, as written.
    pub scale_up: Option<Rules>,
    /// `scaleDown`, as written.
    pub scale_down: Option<Rules>,
}

/// One direction of `behavior`, as written: what is `None` gets its default at use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// `policies`; a given list replaces the default list whole.
    pub policies: Option<Vec<ScalingPolicyRule>>,
    /// `selectPolicy`.
    pub select_policy: Option<SelectPolicy>,
    /// `stabilizationWindowSeconds`.
    pub stabilization_window: Option<SimDuration>,
    /// `tolerance`, as the double the controller makes of the quantity.
    pub tolerance: Option<f64>,
}

/// One entry of `policies`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalingPolicyRule {
    /// `type`.
    pub kind: PolicyKind,
    /// `value`: pods or percent.
    pub value: u32,
    /// `periodSeconds`.
    pub period: SimDuration,
}

/// `type` of a scaling policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// A number of pods.
    Pods,
    /// A percentage of the pods at the start of the period.
    Percent,
}

/// `selectPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectPolicy {
    /// The policy that allows the largest change.
    Max,
    /// The policy that allows the smallest change.
    Min,
    /// No change in this direction.
    Disabled,
}

/// One entry of `metrics`.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricSpec {
    /// `type: Resource`.
    Resource {
        /// `cpu`, `memory`, …
        name: String,
        /// Utilization or AverageValue.
        target: MetricTarget,
    },
    /// `type: ContainerResource`.
    ContainerResource {
        /// `cpu`, `memory`, …
        name: String,
        /// The container.
        container: String,
        /// Utilization or AverageValue.
        target: MetricTarget,
    },
    /// `type: Pods`; AverageValue only.
    Pods {
        /// Metric name.
        name: String,
        /// Metric selector, sorted by key.
        selector: Vec<LabelCondition>,
        /// AverageValue.
        target: MetricTarget,
    },
    /// `type: Object`.
    Object {
        /// Metric name.
        name: String,
        /// Metric selector, sorted by key.
        selector: Vec<LabelCondition>,
        /// Kind of the described object.
        kind: String,
        /// Name of the described object.
        object: String,
        /// Value or AverageValue.
        target: MetricTarget,
    },
    /// `type: External`.
    External {
        /// Metric name.
        name: String,
        /// Metric selector, sorted by key.
        selector: Vec<LabelCondition>,
        /// Value or AverageValue.
        target: MetricTarget,
    },
    /// Any other `type`: the controller counts it as a metric that failed.
    Unknown {
        /// `type`, as written.
        kind: String,
    },
}

/// `target` of a metric, in milli-units or whole percents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricTarget {
    /// `averageUtilization`, percent of the request.
    Utilization(i32),
    /// `averageValue`, milli-units per pod.
    AverageValue(i64),
    /// `value`, milli-units.
    Value(i64),
}
