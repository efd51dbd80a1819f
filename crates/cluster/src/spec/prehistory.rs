//! What the service did before time zero, so that a run does not begin in an empty Prometheus.

use std::sync::Arc;

use units::SimDuration;
use workload::{Distribution, RateCurve};

/// The stretch before time zero in which the replicas of the start serve requests that are counted nowhere, while exporters, scrapes,
/// adapter and metrics-server run and controllers watch without writing. By default there is none.
#[derive(Clone, Debug, Default)]
pub struct PrehistorySpec {
    /// Its length in whole minutes; zero is none.
    pub length: SimDuration,
    /// How long before time zero controllers begin to watch; not longer than the length. What comes before it fills the ranges of their
    /// queries.
    pub rehearsal: SimDuration,
}

/// What arrives at one service before time zero; by default nothing.
#[derive(Clone, Debug, Default)]
pub struct EarlierTraffic {
    /// Requests per second from the beginning of the prehistory to time zero; `None` is no requests.
    pub rate: Option<Arc<RateCurve>>,
    /// True if the user stated the rate: it then stands even where the replicas of the start cannot serve it.
    pub is_rate_stated: bool,
    /// Gaps between requests, as those of [`workload::Traffic::Renewal`]; a Poisson process without.
    pub gaps: Option<Distribution>,
    /// Prompt and output tokens, where those of the run come with its trace.
    pub tokens: Option<(Distribution, Distribution)>,
    /// Share of the requests for each adapter, likewise; else as [`super::TagSpec`] says.
    pub adapters: Vec<f64>,
}
