//! The decision log: one row per pass of a controller that wanted something or was asked to show its reasoning.

use units::{SimDuration, SimTime};

use crate::MetricOutcome;

/// One pass of one controller.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionRow {
    /// When.
    pub time: SimTime,
    /// Which controller of the policy: `hpa`, `keda-operator`, `predictive`, `warm-pool`, …
    pub controller: String,
    /// `spec.replicas` before.
    pub replicas_before: u32,
    /// Ready replicas at that instant.
    pub replicas_ready: u32,
    /// Metric by metric.
    pub metrics: Vec<MetricRow>,
    /// The combined wish before damping.
    pub raw: Option<u32>,
    /// Each damping step.
    pub steps: Vec<StepRow>,
    /// Reason word.
    pub reason: String,
    /// What was written and where (`replicas`, `floor`, `standby`); `None` if nothing was.
    pub written: Option<(&'static str, u32)>,
}

/// One metric as a controller saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricRow {
    /// Metric name.
    pub metric: String,
    /// Value, in plain units.
    pub value: Option<f64>,
    /// Target.
    pub target: f64,
    /// Usage ratio.
    pub ratio: Option<f64>,
    /// Replicas asked for.
    pub replicas: Option<u32>,
    /// Whether it could be read.
    pub outcome: MetricOutcome,
    /// In plain words.
    pub note: String,
    /// Age of the oldest sample behind it.
    pub age: Option<SimDuration>,
}

/// One damping step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRow {
    /// Which.
    pub name: String,
    /// Value before.
    pub before: u32,
    /// Value after.
    pub after: u32,
    /// In plain words.
    pub note: String,
}
