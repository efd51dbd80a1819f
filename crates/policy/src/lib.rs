//! Autoscaling policies: what to want, given what was seen.
//!
//! Every policy is a value behind [`ScalingPolicy`]. Its answer depends on its parameters, its own memory and the [`Observation`]
//! it is given, on nothing else: `seen.now` is its only clock. It does not know the engine, the cluster, files, dice or logs.

pub mod external;
pub mod fixed;
pub mod hpa;
pub mod keda;
mod metric_selector;
mod observation;
mod outcome;
pub mod predictive;
pub mod recorded;
mod signal;

pub use metric_selector::{LabelCondition, LabelTest};
pub use observation::{
    Action, ContainerUsage, Counts, MetricError, MetricQuery, MetricReading, Observation, PodPhase, PodSample,
    PodUsage, PodView, Proposal, RateHistory, Ready, Recommendation, Schedule, Step, Trail,
};
pub use outcome::{MetricOutcome, Provenance};
pub use signal::{Signal, SignalQuery};

/// One controller: decides at its own times what it wants of the service it scales.
pub trait ScalingPolicy: Send {
    /// Short name for the decision log: `hpa`, `keda-operator`, `predictive`, …
    fn name(&self) -> &str;

    /// When it runs.
    fn schedule(&self) -> Schedule;

    /// The metrics it must be shown, in the order in which [`Observation::metrics`] holds the answers.
    fn queries(&self) -> &[MetricQuery];

    /// One pass.
    fn decide(&mut self, seen: &Observation<'_>) -> Recommendation;

    /// One pass before the start of the run: what a controller that has been running remembers, without a write. Nothing for one that
    /// remembers nothing of what it saw.
    fn rehearse(&mut self, seen: &Observation<'_>) {
        let _ = seen;
    }
}
