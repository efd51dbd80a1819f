//! What the simulation feeds a trigger with, in place of the service outside the cluster that the manifest names.

use units::SimDuration;

use crate::{MetricQuery, Signal, SignalQuery};

/// Where the figure of a trigger comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum FeedSource {
    /// A figure of the simulated service.
    Signal(Signal),
    /// Always this number.
    Constant(f64),
    /// The one element of this query's answer.
    PromQl(String),
}

/// One metric's worth of input. What is `None` gets the default of the trigger's type.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// The source.
    pub source: FeedSource,
    /// Messages per request, or whatever the trigger counts.
    pub per_request: f64,
    /// Step of the grid on which the source is refreshed.
    pub every: Option<SimDuration>,
    /// How long after a refresh it can be seen.
    pub delay: Option<SimDuration>,
    /// Window of a rate.
    pub over: Option<SimDuration>,
    /// Partitions of the topic or event hub, where a scaler caps by them.
    pub partitions: Option<u32>,
    /// The target an external scaler's server defines.
    pub target: Option<f64>,
    /// The activation value an external scaler's server defines.
    pub activation: Option<f64>,
    /// Whether an external scaler pushes: activity then wakes the target at once.
    pub push: Option<bool>,
    /// The value is rounded up to a whole number.
    pub rounds_up: bool,
    /// What the metric is called, where the manifest does not say.
    pub name: Option<String>,
}

impl Feed {
    /// A feed from `source` with every default.
    pub fn of(source: FeedSource) -> Self {
        Self {
            source,
            per_request: 1.0,
            every: None,
            delay: None,
            over: None,
            partitions: None,
            target: None,
            activation: None,
            push: None,
            rounds_up: false,
            name: None,
        }
    }

    /// What must be asked for it, with the freshness the type has by default; a constant asks nothing.
    pub(super) fn query(&self, every: SimDuration, delay: SimDuration) -> Option<MetricQuery> {
        match &self.source {
            FeedSource::Signal(signal) => Some(MetricQuery::Signal(SignalQuery {
                signal: *signal,
                over: self.over.unwrap_or(SignalQuery::OVER),
                every: self.every.unwrap_or(every),
                delay: self.delay.unwrap_or(delay),
            })),
            FeedSource::PromQl(expression) => Some(MetricQuery::PromQl { expression: expression.clone() }),
            FeedSource::Constant(_) => None,
        }
    }
}
