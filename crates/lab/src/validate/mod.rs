//! A simulated run against what was measured of the real one: which quantities come out, how near, and which value of what is not known
//! fits best.
//!
//! Every quantity is computed run by run, so that a band over seeds stands beside the one measured figure. Nothing is fitted: the verdict
//! is that of the scenario as it is, and the sweep over what is not known stands beside it.

mod judge;
mod output;
mod part;
mod quantity;

use std::sync::atomic::{AtomicUsize, Ordering};

use cluster::Keep;
use cluster::spec::SloSpec;
use record::RunRecord;
use units::SimTime;

pub use judge::{Checked, Within};
pub use output::{markdown, to_json, to_text};
pub use quantity::{EXTRA_QUANTITIES, Quantity};

use crate::design::{Parameter, Setting, Value};
use crate::experiment::{Job, replication_seed, summarize};
use crate::sweep::{Scenarios, Slot};
use crate::{Progress, TrialError, Workers};
use part::Part;

/// Most points of the sweep over what is not known.
pub const POINTS_MAX: usize = 256;

/// A part of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its name.
    pub name: String,
    /// Its start.
    pub from: SimTime,
    /// Its end, itself outside.
    pub to: SimTime,
}

/// One measured quantity.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Which.
    pub quantity: Quantity,
    /// Index of the window it is of; the whole run if there is none.
    pub window: Option<usize>,
    /// What was measured.
    pub measured: Option<f64>,
    /// How near the simulated figure must come; without it the quantity is shown and not judged.
    pub within: Option<Within>,
    /// Share of the seeds that must be inside; without it their median must be.
    pub seeds: Option<f64>,
    /// A sentence for readers.
    pub note: String,
}

/// A key of the scenario whose value is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The key, as `--set` takes it.
    pub key: String,
    /// What it may be.
    pub values: Vec<String>,
    /// Why it is not known.
    pub note: String,
}

/// What was measured of one real run, and how the scenario stands for it.
#[derive(Clone, Debug)]
pub struct Case {
    /// Name.
    pub name: String,
    /// A sentence or two.
    pub description: String,
    /// Where the figures are from.
    pub source: Vec<(String, String)>,
    /// The policy that was running.
    pub policy: String,
    /// Number of the service that was measured.
    pub service: usize,
    /// By what its answers are judged.
    pub slo: SloSpec,
    /// Parts of the run that quantities are of.
    pub windows: Vec<Window>,
    /// What was measured.
    pub claims: Vec<Claim>,
    /// What is not known.
    pub unknown: Vec<Unknown>,
    /// Runs with different seeds.
    pub replications: u32,
    /// Base seed.
    pub seed: u64,
}

/// The scenario at one setting of what is not known.
#[derive(Clone, Debug)]
pub struct Point {
    /// Keys and values; empty for the scenario as it is.
    pub settings: Vec<(String, String)>,
    /// What each claim came to.
    pub checked: Vec<Checked>,
}

impl Point {
    /// Claims that are judged and inside, and all that are judged.
    pub fn inside(&self) -> (usize, usize) {
        let judged = self.checked.iter().filter_map(|checked| checked.is_inside);
        judged.fold((0, 0), |(inside, all), is_inside| (inside + usize::from(is_inside), all + 1))
    }

    /// Mean over the judged claims of how far each is from what was measured, in its tolerances: 1 is the edge of all of them.
    pub fn misfit(&self) -> f64 {
        let judged = || self.checked.iter().filter(|checked| checked.is_inside.is_some());
        judged().map(|checked| checked.misfit).sum::<f64>() / judged().count() as f64
    }
}

/// What a validation found.
#[derive(Clone, Debug)]
pub struct Validation {
    /// What was asked.
    pub case: Case,
    /// The scenario as it is.
    pub as_it_is: Point,
    /// The scenario at every combination of what is not known.
    pub sweep: Vec<Point>,
}

impl Validation {
    /// Whether every judged claim is inside, of the scenario as it is.
    pub fn is_inside(&self) -> bool {
        let (inside, all) = self.as_it_is.inside();
        inside == all
    }

    /// The points that fit best: most claims inside, and of those the smallest misfit.
    pub fn best(&self) -> Vec<&Point> {
        let rank = |point: &Point| (std::cmp::Reverse(point.inside().0), (point.misfit() * 1e9).round() as i64);
        let Some(first) = self.sweep.iter().map(rank).min() else { return Vec::new() };
        self.sweep.iter().filter(|point| rank(point) == first).collect()
    }
}

impl Case {
    /// Every combination of what is not known, the first key turning slowest; none if everything is known.
    fn points(&self) -> Vec<Vec<Setting>> {
        if self.unknown.is_empty() {
            return Vec::new();
        }
        self.unknown.iter().fold(vec![Vec::new()], |points, unknown| {
            let setting =
                |text: &String| Setting { parameter: Parameter::at(&unknown.key), value: Value::new(text.clone()) };
            let with = |point: &Vec<Setting>, text| point.iter().cloned().chain([setting(text)]).collect();
            points.iter().flat_map(|point| unknown.values.iter().map(move |text| with(point, text))).collect()
        })
    }

    /// What a run must keep for its figures to be had.
    fn keep(&self) -> Keep {
        let requests = self.claims.iter().any(|claim| claim.quantity.needs_requests(claim.window.is_some()));
        Keep { tables: false, requests }
    }

    /// The figure of every claim in one run.
    fn figures(&self, record: &RunRecord) -> Vec<f64> {
        let whole = record.of_service(self.service);
        let summary = summarize(&whole);
        let service = &whole.services[0];
        let start = service.scaling.ready_path.first().map_or(SimTime::ZERO, |first| first.0);
        let end = start + whole.measured;
        let part = |window: Option<&Window>| {
            let (from, to) = window.map_or((start, end), |window| (window.from, window.to));
            Part::new(service, &self.slo, (from, to), end)
        };
        let windows: Vec<Part<'_>> = self.windows.iter().map(|window| part(Some(window))).collect();
        let of_run = part(None);
        let figure = |claim: &Claim| match claim.window {
            Some(window) => windows[window].figure(&claim.quantity),
            None => match &claim.quantity {
                Quantity::Column(column) => column.of(&summary),
                quantity => of_run.figure(quantity),
            },
        };
        self.claims.iter().map(figure).collect()
    }
}

/// Runs the scenario as it is and, if `sweeps`, at every combination of what is not known, each with the seeds of the case.
pub fn validate<S: Scenarios>(
    workers: &Workers,
    scenarios: &S,
    case: Case,
    sweeps: bool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Validation, TrialError> {
    let mut points = vec![Vec::new()];
    points.extend(if sweeps { case.points() } else { Vec::new() });
    let figures = run_points(workers, scenarios, &case, &points, progress)?;
    let mut checked = points.iter().zip(figures).map(|(settings, runs)| Point {
        settings: settings.iter().map(|one| (one.parameter.path.clone(), one.value.text.clone())).collect(),
        checked: (case.claims.iter().enumerate())
            .map(|(index, claim)| Checked::new(claim, runs.iter().map(|run| run[index]).collect()))
            .collect(),
    });
    let as_it_is = checked.next().expect("the scenario as it is comes first");
    let sweep = checked.collect();
    Ok(Validation { case, as_it_is, sweep })
}

/// The figures of the claims, by point and replication.
fn run_points<S: Scenarios>(
    workers: &Workers,
    scenarios: &S,
    case: &Case,
    points: &[Vec<Setting>],
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Vec<Vec<Vec<f64>>>, TrialError> {
    let slots: Vec<Slot<S::Prepared>> = points.iter().map(|_| Slot::new(case.replications as usize)).collect();
    let tasks: Vec<(usize, u32)> = (0..points.len())
        .flat_map(|point| (0..case.replications).map(move |replication| (point, replication)))
        .collect();
    let (keep, finished) = (case.keep(), AtomicUsize::new(0));
    let answers = workers.map(&tasks, |&(point, replication)| {
        let prepared = slots[point].get(|| scenarios.prepare(&points[point]));
        let answer = prepared.as_ref().as_ref().map_err(Clone::clone).and_then(|prepared| {
            let known = scenarios.policies(prepared);
            let policy = known.iter().position(|name| *name == case.policy);
            let policy = policy.ok_or_else(|| format!("there is no policy `{}`", case.policy))?;
            let job = Job { policy, replication, seed: replication_seed(case.seed, replication), keep };
            Ok(case.figures(&scenarios.run(prepared, &job)))
        });
        slots[point].release();
        let finished = finished.fetch_add(1, Ordering::Relaxed) + 1;
        progress(Progress { finished, total: tasks.len() });
        answer
    });
    let mut answers = answers.into_iter();
    let described = |settings: &[Setting], problem| {
        let settings: Vec<String> = settings.iter().map(Setting::to_override).collect();
        let settings = if settings.is_empty() { "scenario as it is".to_owned() } else { settings.join(", ") };
        TrialError::Scenario { settings, problem }
    };
    points
        .iter()
        .map(|point| {
            let mine: Vec<_> = answers.by_ref().take(case.replications as usize).collect();
            mine.into_iter()
                .map(|answer| answer.ok_or(TrialError::Stopped)?.map_err(|problem| described(point, problem)))
                .collect()
        })
        .collect()
}
