//! All policies times all replications, in parallel, over the same requests.
//!
//! Replication `r` has the same seed for every policy (common random numbers), so that policies are compared pair by pair. Results
//! are ordered by policy and replication, whatever the number of threads.

mod compare;
mod control;
mod coverage;
mod held;
mod pool;
mod precision;
mod quantile;
mod summarize;
mod warm_up;

pub(crate) use compare::{Question, answers, better_if, held_difference};
pub use compare::{compare, paired_differences};
pub use control::{CONTROLLED_COLUMNS, ControlledColumn, controlled_column, controlled_columns, expected_requests};
pub use coverage::{CoverageRow, coverage};
pub(crate) use held::{STRETCH, decides_from, has_changes, replications_needed_of, widening};
pub use held::{deciding_interval, held_interval, replications_needed};
pub(crate) use pool::column_figure;
pub use pool::{column_interval, pool};
pub use precision::{Precision, PrecisionMeasure, PrecisionReport, run_to_precision};
pub(crate) use summarize::measured_rows;
pub use summarize::{Replication, Tally, reduce, summarize};
pub use warm_up::{PilotWarmUp, pilot_warm_up};

use cluster::Keep;
use cluster::spec::SimulationSpec;
use record::{Comparison, PolicySummary, ReplicationSummary, RunRecord};

use crate::{Progress, Workers};

/// One run to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Index of the policy in the scenario.
    pub policy: usize,
    /// Replication, from 0.
    pub replication: u32,
    /// Seed of the replication, the same for every policy.
    pub seed: u64,
    /// What to keep besides totals.
    pub keep: Keep,
}

/// The runner that simulates `spec`.
pub fn simulator(spec: &SimulationSpec) -> impl Fn(&Job) -> RunRecord + Sync + '_ {
    |job| cluster::simulate(spec, job.policy, job.replication, job.seed, job.keep)
}

/// Seed of replication `replication` under the base seed of an experiment: SplitMix64 over both, the same on every platform and for
/// ever, since results name it.
pub fn replication_seed(base: u64, replication: u32) -> u64 {
    let mix = |value: u64| {
        let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    mix(mix(base) ^ u64::from(replication))
}

/// What an experiment shall run.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    /// How many policies, all of them run: a choice by name belongs to whoever makes the runner.
    pub policies: usize,
    /// Replications of each, at least one.
    pub replications: u32,
    /// Base seed.
    pub seed: u64,
    /// What to keep of replication 0; of the others only summaries and histograms stay.
    pub keep: Keep,
    /// Called after each run, from any thread.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// One policy's part of the results.
#[derive(Clone, Debug)]
pub struct PolicyResult {
    /// Pooled over its replications.
    pub summary: PolicySummary,
    /// Each replication, in order, from 0.
    pub replications: Vec<Replication>,
    /// The whole record of replication 0, with the tables the plan asked for.
    pub first: RunRecord,
    /// The same of each service, where there are several.
    pub services: Vec<Self>,
}

impl PolicyResult {
    fn new(replications: Vec<Replication>, first: RunRecord) -> Self {
        let part = |service: usize| {
            let replications = replications.iter().map(|one| one.services[service].clone()).collect();
            Self::new(replications, first.of_service(service))
        };
        let services = (0..replications[0].services.len()).map(part).collect();
        Self { summary: pool(&replications), replications, first, services }
    }

    /// The results of the cluster, or of one of its services. Where there is only one service, both are the same.
    pub fn of_service(&self, service: Option<&str>) -> &Self {
        let named = service.and_then(|name| self.services.iter().find(|one| one.service() == name));
        named.unwrap_or(self)
    }

    /// Name of the service; empty for the whole cluster.
    pub fn service(&self) -> &str {
        &self.summary.pooled.service
    }

    /// Name of the policy.
    pub fn name(&self) -> &str {
        &self.summary.pooled.policy
    }

    /// The replications' summaries.
    pub fn summaries(&self) -> Vec<ReplicationSummary> {
        self.replications.iter().map(|replication| replication.summary.clone()).collect()
    }
}

/// Everything an experiment found.
#[derive(Clone, Debug)]
pub struct Results {
    /// In the order of the scenario; empty if it was stopped before replication 0 was done everywhere.
    pub policies: Vec<PolicyResult>,
    /// Whether the stop flag cut it short; then `policies` has the replications that all policies finished.
    pub is_interrupted: bool,
}

impl Results {
    /// Every pair of policies, compared on the same requests.
    pub fn comparisons(&self) -> Vec<Comparison> {
        compare(&self.policies)
    }

    /// The pooled summaries, in order.
    pub fn summaries(&self) -> Vec<&PolicySummary> {
        self.policies.iter().map(|policy| &policy.summary).collect()
    }
}

/// Runs all policies times replications of `plan` and pools them. A runner may give `None` for a run that was stopped in the middle: it then
/// counts as one that was not begun.
pub fn run<R: Into<Option<RunRecord>>>(
    workers: &Workers,
    plan: &Plan<'_>,
    runner: &(impl Fn(&Job) -> R + Sync),
) -> Results {
    let mut gathered = Gathered::default();
    gathered.extend(workers, plan, runner);
    gathered.into_results()
}

/// Runs finished so far: `finished[replication][policy]`, and the whole record of replication 0 of each policy.
#[derive(Default)]
struct Gathered {
    finished: Vec<Vec<Replication>>,
    first: Vec<RunRecord>,
    is_interrupted: bool,
}

impl Gathered {
    /// Adds replications until there are `plan.replications`, or the stop flag is raised.
    fn extend<R: Into<Option<RunRecord>>>(
        &mut self,
        workers: &Workers,
        plan: &Plan<'_>,
        runner: &(impl Fn(&Job) -> R + Sync),
    ) {
        assert!(plan.policies > 0, "an experiment without policies");
        let from = self.finished.len() as u32;
        let jobs: Vec<Job> = (from..plan.replications)
            .flat_map(|replication| (0..plan.policies).map(move |policy| (policy, replication)))
            .map(|(policy, replication)| Job {
                policy,
                replication,
                seed: replication_seed(plan.seed, replication),
                keep: if replication == 0 { plan.keep } else { Keep::default() },
            })
            .collect();
        let total = plan.replications as usize * plan.policies;
        let done = std::sync::atomic::AtomicUsize::new(from as usize * plan.policies);
        let answers = workers.map(&jobs, |job| {
            let record = runner(job).into()?;
            let reduced = reduce(&record);
            let finished = done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            (plan.progress)(Progress { finished, total });
            Some((reduced, (job.replication == 0).then_some(record)))
        });
        let mut answers = answers.into_iter().map(Option::flatten);
        for _ in from..plan.replications {
            // Pairing needs all policies of a replication; a row with a hole ends what can be used.
            let Some(row) = answers.by_ref().take(plan.policies).collect::<Option<Vec<_>>>() else {
                self.is_interrupted = true;
                return;
            };
            let (reduced, records): (Vec<_>, Vec<_>) = row.into_iter().unzip();
            self.finished.push(reduced);
            self.first.extend(records.into_iter().flatten());
        }
    }

    fn into_results(self) -> Results {
        let mut by_policy: Vec<Vec<Replication>> = self.first.iter().map(|_| Vec::new()).collect();
        for row in self.finished {
            for (policy, replication) in row.into_iter().enumerate() {
                by_policy[policy].push(replication);
            }
        }
        let policies = by_policy
            .into_iter()
            .zip(self.first)
            .map(|(replications, first)| PolicyResult::new(replications, first))
            .collect();
        Results { policies, is_interrupted: self.is_interrupted }
    }
}
