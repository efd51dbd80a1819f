//! The model: a service of GPU replicas, the nodes they run on, the requests they serve, the metrics they expose and the controllers
//! that scale them.
//!
//! It does not know YAML, paths, standard output or threads: it takes a [`spec::SimulationSpec`] and leaves a `record::RunRecord`.

pub mod controllers;
pub mod fleet;
pub mod flow;
mod metrics;
mod model;
mod pods;
pub mod prehistory;
mod pulse;
mod requests;
pub mod saturation;
pub mod spec;

pub use metrics::metric_selector;
use model::Begun;
pub use pulse::{Pulse, Watch};
pub use requests::RequestSink;

/// What to keep of a run besides its totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Timeline, decisions, lives of replicas and nodes.
    pub tables: bool,
    /// One row per request, in the record. It grows with the requests; [`simulate_to`] hands the rows on instead.
    pub requests: bool,
}

/// Runs policy number `policy` of `spec` once. Same spec, policy and seed: the same record, bit for bit.
pub fn simulate(
    spec: &spec::SimulationSpec,
    policy: usize,
    replication: u32,
    seed: u64,
    keep: Keep,
) -> record::RunRecord {
    record::RunRecord { replication, ..model::simulate(Begun { run: spec, policy, seed, keep, pulse: None }) }
}

/// The same as [`simulate`], unless `watch.stop` is raised before the run's end: then there is no record. It is looked at before every event of a
/// control loop, so that a run of any length ends within a moment.
pub fn simulate_until(
    spec: &spec::SimulationSpec,
    (policy, replication): (usize, u32),
    seed: u64,
    keep: Keep,
    watch: Watch<'_>,
) -> Option<record::RunRecord> {
    let record = model::simulate_until(Begun { run: spec, policy, seed, keep, pulse: Some(watch.pulse) }, watch.stop)?;
    Some(record::RunRecord { replication, ..record })
}

/// The same as [`simulate`], with one row per request handed on in order of arrival while the run goes on, and none in the record: those of
/// each service to the sink of its number in `requests`. Memory is that of the run, and of the requests that were answered while an older one was not.
pub fn simulate_to(
    spec: &spec::SimulationSpec,
    (policy, replication): (usize, u32),
    seed: u64,
    keep: Keep,
    (requests, pulse): (Vec<Box<dyn RequestSink>>, &Pulse),
) -> record::RunRecord {
    let begun = Begun { run: spec, policy, seed, keep, pulse: Some(pulse) };
    record::RunRecord { replication, ..model::simulate_to(begun, requests) }
}

/// The same as [`simulate`] with every request event handled one by one: the oracle of the fast flows, for tests.
#[doc(hidden)]
pub fn simulate_by_events(spec: &spec::SimulationSpec, policy: usize, seed: u64, keep: Keep) -> record::RunRecord {
    model::simulate_by_events(Begun { run: spec, policy, seed, keep, pulse: None })
}
