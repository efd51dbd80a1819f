//! Working through a sweep.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cluster::Keep;
use cluster::spec::SimulationSpec;
use record::RunRecord;

use super::journal::{Header, Journal, RunKey};
use super::{Point, Sweep, SweepError, SweepRow};
use crate::design::Setting;
use crate::experiment::{Job, reduce, replication_seed};
use crate::{Progress, Workers};

/// Where scenarios come from: the files of the sweep with a point's settings on top.
pub trait Scenarios: Sync {
    /// A scenario ready to run.
    type Prepared: Send + Sync;

    /// The scenario with `settings`; the error is for the user.
    fn prepare(&self, settings: &[Setting]) -> Result<Self::Prepared, String>;

    /// Names of its policies, in the order of `Job::policy`.
    fn policies(&self, prepared: &Self::Prepared) -> Vec<String>;

    /// One run of it.
    fn run(&self, prepared: &Self::Prepared, job: &Job) -> RunRecord;
}

/// The real scenarios: a function from settings to a resolved experiment, simulated.
pub struct Simulated<F>(pub F);

impl<F: Fn(&[Setting]) -> Result<SimulationSpec, String> + Sync> Scenarios for Simulated<F> {
    type Prepared = SimulationSpec;

    fn prepare(&self, settings: &[Setting]) -> Result<SimulationSpec, String> {
        (self.0)(settings)
    }

    fn policies(&self, prepared: &SimulationSpec) -> Vec<String> {
        prepared.policies.iter().map(|policy| policy.name.clone()).collect()
    }

    fn run(&self, prepared: &SimulationSpec, job: &Job) -> RunRecord {
        cluster::simulate(prepared, job.policy, job.replication, job.seed, job.keep)
    }
}

/// One of several machines' share: every `count`-th point, beginning with `index` (from 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// Everything.
    pub const WHOLE: Self = Self { index: 1, count: 1 };

    /// From `I/N`.
    pub fn parse(text: &str) -> Result<Self, SweepError> {
        text.split_once('/')
            .and_then(|(index, count)| Some((index.trim().parse().ok()?, count.trim().parse().ok()?)))
            .filter(|&(index, count)| 1 <= index && index <= count)
            .map(|(index, count)| Self { index, count })
            .ok_or_else(|| SweepError::Shard { found: text.to_owned() })
    }

    /// The share of a completion index of Kubernetes, which counts from 0; none if it is not below `count`.
    pub fn of_completion_index(index: usize, count: usize) -> Option<Self> {
        (index < count).then_some(Self { index: index + 1, count })
    }

    fn has(self, point: usize) -> bool {
        point % self.count == self.index - 1
    }
}

/// How to work through a sweep.
#[derive(Clone, Copy)]
pub struct SweepOptions<'a> {
    /// Which points.
    pub shard: Shard,
    /// Go on with what the folder has.
    pub resume: bool,
    /// Called after each run is on disk, from any thread; runs done before count as finished.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepOutcome {
    /// Runs this shard has in all.
    pub total: usize,
    /// Runs the folder had before.
    pub before: usize,
    /// Runs done now.
    pub done: usize,
    /// Points that could not be made into an experiment, with what is wrong; `resume` tries them again.
    pub failures: Vec<(usize, String)>,
    /// Whether the stop flag cut it short.
    pub is_interrupted: bool,
}

/// What a sweep will take.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Points.
    pub points: usize,
    /// Points that constraints skip.
    pub skipped: usize,
    /// Policies.
    pub policies: Vec<String>,
    /// Runs, and rows, of this shard.
    pub runs: usize,
    /// Seconds of one run, from one run each of the first, middle and last point.
    pub seconds_per_run: f64,
    /// All runs on this pool.
    pub total: Duration,
}

/// Tries three runs and says what the whole sweep will take.
pub fn estimate<S: Scenarios>(
    workers: &Workers,
    sweep: &Sweep,
    scenarios: &S,
    shard: Shard,
) -> Result<Estimate, SweepError> {
    let policies = policies(sweep, scenarios)?;
    let last = sweep.points.len() - 1;
    let probes: BTreeSet<usize> = [0, last / 2, last].into();
    let begin = Instant::now();
    for &index in &probes {
        let prepared = prepare(&sweep.points[index], scenarios)?;
        scenarios.run(&prepared, &job(sweep, 0, 0));
    }
    let seconds_per_run = begin.elapsed().as_secs_f64() / probes.len() as f64;
    let points = sweep.points.iter().filter(|point| shard.has(point.index)).count();
    let runs = points * policies.len() * sweep.replications as usize;
    let total = Duration::from_secs_f64(seconds_per_run * runs as f64 / workers.jobs() as f64);
    Ok(Estimate { points: sweep.points.len(), skipped: sweep.skipped, policies, runs, seconds_per_run, total })
}

fn job(sweep: &Sweep, policy: usize, replication: u32) -> Job {
    Job { policy, replication, seed: replication_seed(sweep.seed, replication), keep: Keep::default() }
}

fn prepare<S: Scenarios>(point: &Point, scenarios: &S) -> Result<S::Prepared, SweepError> {
    scenarios.prepare(&point.settings).map_err(|problem| SweepError::Point {
        point: point.index,
        settings: point.to_overrides().join(", "),
        problem,
    })
}

/// The policies of the sweep, checked against the first point's.
fn policies<S: Scenarios>(sweep: &Sweep, scenarios: &S) -> Result<Vec<String>, SweepError> {
    let known = scenarios.policies(&prepare(&sweep.points[0], scenarios)?);
    let Some(wanted) = &sweep.policies else { return Ok(known) };
    match wanted.iter().find(|name| !known.contains(name)) {
        None => Ok(wanted.clone()),
        Some(name) => {
            let suggestion = names::nearest(name, known.iter().map(String::as_str))
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            Err(SweepError::at(
                "policies",
                format!("unknown policy `{name}`{suggestion}; one of: {}", known.join(", ")),
            ))
        }
    }
}

/// One run to do.
struct Task<'a> {
    point: &'a Point,
    policy: &'a str,
    replication: u32,
    slot: usize,
}

/// A point's scenario, made by the first of its runs and dropped after the last, so that only points in work are in memory.
pub(crate) struct Slot<P> {
    prepared: Mutex<Option<Arc<Result<P, String>>>>,
    left: AtomicUsize,
}

impl<P> Slot<P> {
    /// For `left` runs.
    pub(crate) fn new(left: usize) -> Self {
        Self { prepared: Mutex::new(None), left: AtomicUsize::new(left) }
    }

    /// The scenario; made if this is the first run to ask.
    pub(crate) fn get(&self, make: impl FnOnce() -> Result<P, String>) -> Arc<Result<P, String>> {
        // A poisoned lock is a run that panicked elsewhere; what it guards is whole or absent.
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(prepared.get_or_insert_with(|| Arc::new(make())))
    }

    /// Says that a run is over.
    pub(crate) fn release(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            *self.prepared.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}

/// Works through `sweep` into `directory`: every run that the journal there does not have yet.
pub fn run<S: Scenarios>(
    workers: &Workers,
    sweep: &Sweep,
    scenarios: &S,
    directory: &Path,
    options: &SweepOptions<'_>,
) -> Result<SweepOutcome, SweepError> {
    let policies = policies(sweep, scenarios)?;
    let (journal, done) = Journal::open(directory, &Header::new(sweep, &policies), options.resume)?;
    let (tasks, slots) = tasks::<S::Prepared>(sweep, &policies, options.shard, &done);
    let points = sweep.points.iter().filter(|point| options.shard.has(point.index)).count();
    let total = points * policies.len() * sweep.replications as usize;
    let before = total - tasks.len();
    let work = Work {
        sweep,
        scenarios,
        slots: &slots,
        journal: Mutex::new(journal),
        finished: AtomicUsize::new(before),
        total,
        progress: options.progress,
        is_broken: AtomicBool::new(false),
    };
    let answers = workers.map(&tasks, |task| work.one(task));
    let mut outcome = SweepOutcome { total, before, done: 0, failures: Vec::new(), is_interrupted: false };
    for (answer, task) in answers.into_iter().zip(&tasks) {
        match answer {
            None => outcome.is_interrupted = true,
            Some(Answer::Done) => outcome.done += 1,
            Some(Answer::Failed(problem)) => {
                if outcome.failures.last().is_none_or(|(point, _)| *point != task.point.index) {
                    outcome.failures.push((task.point.index, problem));
                }
            }
            Some(Answer::Broken(error)) => return Err(error),
            Some(Answer::Skipped) => {}
        }
    }
    work.journal.into_inner().unwrap_or_else(PoisonError::into_inner).sync()?;
    Ok(outcome)
}

fn tasks<'a, P>(
    sweep: &'a Sweep,
    policies: &'a [String],
    shard: Shard,
    done: &BTreeSet<RunKey>,
) -> (Vec<Task<'a>>, Vec<Slot<P>>) {
    let mut tasks = Vec::new();
    let mut slots = Vec::new();
    for point in sweep.points.iter().filter(|point| shard.has(point.index)) {
        let before = tasks.len();
        for replication in 0..sweep.replications {
            for policy in policies {
                if !done.contains(&(point.index, policy.clone(), replication)) {
                    tasks.push(Task { point, policy, replication, slot: slots.len() });
                }
            }
        }
        slots.push(Slot::new(tasks.len() - before));
    }
    (tasks, slots)
}

enum Answer {
    Done,
    /// The point's scenario is wrong.
    Failed(String),
    /// The disk failed.
    Broken(SweepError),
    /// The disk had failed before.
    Skipped,
}

/// What all workers share.
struct Work<'a, S: Scenarios> {
    sweep: &'a Sweep,
    scenarios: &'a S,
    slots: &'a [Slot<S::Prepared>],
    journal: Mutex<Journal>,
    finished: AtomicUsize,
    total: usize,
    progress: &'a (dyn Fn(Progress) + Sync),
    is_broken: AtomicBool,
}

impl<S: Scenarios> Work<'_, S> {
    fn one(&self, task: &Task<'_>) -> Answer {
        if self.is_broken.load(Ordering::Relaxed) {
            return Answer::Skipped;
        }
        let slot = &self.slots[task.slot];
        let prepared = slot.get(|| self.scenarios.prepare(&task.point.settings));
        let answer = match prepared.as_ref() {
            Ok(prepared) => self.simulate(task, prepared),
            Err(problem) => Answer::Failed(problem.clone()),
        };
        slot.release();
        answer
    }

    fn simulate(&self, task: &Task<'_>, prepared: &S::Prepared) -> Answer {
        let known = self.scenarios.policies(prepared);
        let Some(policy) = known.iter().position(|name| name == task.policy) else {
            return Answer::Failed(format!("no policy `{}` at this point; it has {}", task.policy, known.join(", ")));
        };
        let record = self.scenarios.run(prepared, &job(self.sweep, policy, task.replication));
        let row = SweepRow::of(task.point, reduce(&record));
        let written = self.journal.lock().unwrap_or_else(PoisonError::into_inner).append(&row);
        if let Err(error) = written {
            self.is_broken.store(true, Ordering::Relaxed);
            return Answer::Broken(error);
        }
        let finished = self.finished.fetch_add(1, Ordering::Relaxed) + 1;
        (self.progress)(Progress { finished, total: self.total });
        Answer::Done
    }
}
