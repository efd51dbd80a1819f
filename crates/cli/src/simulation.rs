//! All policies of a scenario, run as often as was asked for.

use cluster::Keep;
use lab::experiment::{self, Job, Plan, Precision, PrecisionReport, Results};
use lab::{Progress, Workers};
use record::RunRecord;
use scenario::Loaded;

use crate::failure::{Failure, Result};
use crate::saved_requests::SavedRequests;

/// How much to simulate.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Base seed.
    pub seed: u64,
    /// Replications of each policy, unless there is a precision.
    pub replications: u32,
    /// Relative half-width of intervals to reach.
    pub precision: Option<f64>,
}

/// Who looks on while it is simulated.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Called after each run, from any thread.
    pub progress: &'a (dyn Fn(Progress) + Sync),
    /// Takes the requests of each policy's first replication.
    pub saved: Option<&'a SavedRequests>,
    /// Whether the workers' stop flag ends the runs under way too, whose results are then lost, and not only keeps further ones from beginning.
    pub stops_within_runs: bool,
}

/// All policies of a scenario, as many times as it takes. A precision that is no share is a mistake in the input.
pub fn simulate(
    effort: &Effort,
    loaded: &Loaded,
    workers: &Workers,
    watch: Watch<'_>,
) -> Result<(Results, Option<PrecisionReport>)> {
    let plan = Plan {
        policies: loaded.spec.policies.len(),
        replications: effort.replications,
        seed: effort.seed,
        keep: Keep { tables: true, requests: false },
        progress: watch.progress,
    };
    let stop = workers.stop_flag();
    let runner = |job: &Job| -> Option<RunRecord> {
        match watch.saved {
            Some(saved) if job.replication == 0 => {
                let run = (job.policy, job.replication);
                Some(cluster::simulate_to(&loaded.spec, run, job.seed, job.keep, saved.sinks(job.policy)))
            }
            _ if watch.stops_within_runs => {
                cluster::simulate_until(&loaded.spec, (job.policy, job.replication), job.seed, job.keep, &stop)
            }
            _ => Some(cluster::simulate(&loaded.spec, job.policy, job.replication, job.seed, job.keep)),
        }
    };
    let run = || match effort.precision {
        Some(relative) if !(relative > 0.0 && relative < 1.0) => {
            Err(Failure::input(format!("--precision {relative}: must be between 0 and 1, such as 0.02 for 2 %")))
        }
        Some(relative) => {
            // Of several services the one that allows least decides.
            let misses = loaded.spec.services.iter().map(|service| 1.0 - service.slo.objective);
            let miss_floor = misses.fold(1.0, f64::min);
            let precision = Precision { relative, miss_floor, ..Precision::default() };
            let (results, report) = experiment::run_to_precision(workers, &plan, precision, &runner);
            Ok((results, Some(report)))
        }
        None => Ok((experiment::run(workers, &plan, &runner), None)),
    };
    traces::Changed::catch(run).unwrap_or_else(|changed| Err(Failure::Environment(changed.into())))
}
