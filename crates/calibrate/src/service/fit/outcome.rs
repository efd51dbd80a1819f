//! What a fit found, and how well each run is told by it.

use super::super::checks::CheckedRun;
use super::super::run::RunLoad;
use super::engine::{Engine, Shown};
use super::least_squares::Solution;
use super::spread::OverheadSpread;
use super::{Fitting, Given, errors};

/// A coefficient that was fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Coefficient {
    /// Its key in a scenario, or what it is called.
    pub name: String,
    /// Its value: seconds, or a factor.
    pub value: f64,
    /// Half of its 95 % interval, from the curvature at the fit; infinite if the runs leave it open.
    pub plus_minus: f64,
    /// True for seconds.
    pub is_time: bool,
}

/// Errors of a prediction of a run that was not fitted: time to first token, time per token, throughput; `None` of what does not count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldOut {
    /// Relative: 0.05 is 5 % too much.
    pub errors: [Option<f64>; 3],
}

/// A run as measured and as the fitted engine does it.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedRun {
    /// Which.
    pub name: String,
    /// How requests were sent, in words.
    pub load: String,
    /// Time to first token and time per token in seconds, requests per second; `None` where the file has none.
    pub measured: [Option<f64>; 3],
    /// The same, simulated.
    pub fitted: [f64; 3],
    /// Relative errors of what was fitted.
    pub errors: [Option<f64>; 3],
    /// The same by a fit to the other runs.
    pub held_out: Option<HeldOut>,
}

/// A fit to load tests.
#[derive(Clone, Debug, PartialEq)]
pub struct LlmFit {
    /// The preset that was corrected.
    pub preset: Option<String>,
    /// Where the preset, or what stands in for it, is from.
    pub source: Option<String>,
    /// What was fitted.
    pub coefficients: Vec<Coefficient>,
    /// Every run.
    pub runs: Vec<FittedRun>,
    /// A line for each check.
    pub checks: Vec<String>,
    /// What was fixed and why.
    pub notes: Vec<String>,
    /// Mean prompt and output tokens of the runs.
    pub tokens: (f64, f64),
    /// How much `overhead` varies from request to request, where runs tell it.
    pub overhead_spread: Option<OverheadSpread>,
    /// The engine.
    pub(super) engine: Engine,
    pub(super) given: super::Settings,
    pub(super) held_max: (f64, f64),
    pub(super) engine_title: &'static str,
}

pub(super) fn outcome(
    problem: &Fitting<'_>,
    solution: &Solution,
    held_out: Option<&[HeldOut]>,
    (checks, notes): (Vec<String>, Vec<String>),
    given: &Given<'_>,
) -> LlmFit {
    let engine = problem.engine_at(&solution.values);
    let edges = at_the_edge(problem, solution);
    let found = problem.unknowns.iter().zip(solution.values.iter().zip(&solution.deviations));
    let coefficients = found.map(|(unknown, (value, deviation))| {
        // A factor on a point of the table is shown as the point.
        let scale = match unknown.which {
            super::unknown::Which::Pass(place) => engine.law.token_time[place].1,
            _ => 1.0,
        };
        Coefficient {
            name: unknown.name(&engine),
            value: value * scale,
            plus_minus: 1.96 * deviation * scale,
            is_time: unknown.is_time(),
        }
    });
    let runs: Vec<FittedRun> = problem
        .runs
        .iter()
        .enumerate()
        .map(|(index, one)| fitted(one, &engine.show(&problem.tests[index]), held_out.map(|all| all[index])))
        .collect();
    let mean = |read: fn(&CheckedRun) -> f64| problem.runs.iter().map(read).sum::<f64>() / problem.runs.len() as f64;
    let most = |read: fn(&CheckedRun) -> f64| problem.runs.iter().map(read).fold(0.0, f64::max);
    let mut fit = LlmFit {
        preset: given.preset.map(|preset| preset.name.clone()),
        source: given.preset.or(given.like).map(|preset| format!("{}: {}", preset.name, preset.source())),
        coefficients: coefficients.collect(),
        runs,
        checks,
        notes,
        tokens: (mean(|one| one.run.prompt.mean), mean(|one| one.run.output.mean)),
        overhead_spread: None,
        engine,
        given: given.settings,
        held_max: (most(CheckedRun::sequences), most(CheckedRun::kv_tokens)),
        engine_title: super::start::engine_title(given),
    };
    if fit.coefficients.iter().any(|one| one.name == "overhead" && one.value > 0.0) {
        match OverheadSpread::of(&fit.engine, problem.runs) {
            Ok(spread) => fit.overhead_spread = Some(spread),
            Err(reason) => fit.notes.push(format!("overhead is one time for all requests: {reason}")),
        }
    }
    fit.notes.extend(edges);
    fit.notes.extend(fit.misses());
    fit
}

/// Coefficients that would go further if they were let: the runs are of something else. Nothing at all is a value like others.
fn at_the_edge(problem: &Fitting<'_>, solution: &Solution) -> Vec<String> {
    let found = problem.unknowns.iter().zip(&solution.values);
    let edge = found.filter_map(|(unknown, value)| {
        let (low, high) = unknown.bounds;
        let near = |bound: f64| (value - bound).abs() <= 1e-6 * bound.abs();
        let bound = [low, high].into_iter().find(|bound| *bound > 0.0 && near(*bound))?;
        let name = unknown.name(problem.engine);
        let bound = if unknown.is_time() && !matches!(unknown.which, super::unknown::Which::Pass(_)) {
            crate::yaml::time(bound)
        } else {
            format!("{} x where it began", crate::yaml::significant(bound))
        };
        Some(format!("WARNING: {name} stands at the edge of what is believed, {bound}: {ELSE}"))
    });
    edge.collect()
}

/// What fits badly is most often this.
const ELSE: &str = "another model, GPU, number of GPUs or engine, or several replicas behind one address (--replicas)?";

/// From here on a fit does not tell its runs.
const MISSES: f64 = 0.2;

fn fitted(one: &CheckedRun, shown: &Shown, held_out: Option<HeldOut>) -> FittedRun {
    let run = &one.run;
    let shape = format!("{:.0}/{:.0}", run.prompt.mean, run.output.mean);
    let load = match run.load {
        RunLoad::Rate { rate, concurrency_max: None } => format!("{shape} at {}/s", crate::yaml::significant(rate)),
        RunLoad::Rate { rate, concurrency_max: Some(bound) } => {
            format!("{shape} at {}/s, at most {bound}", crate::yaml::significant(rate))
        }
        RunLoad::Concurrency(bound) => format!("{shape}, {bound} at once"),
    };
    FittedRun {
        name: run.name.clone(),
        load,
        measured: [run.ttft_s, one.tpot_s, Some(run.requests_per_second)],
        fitted: [shown.ttft_s, shown.tpot_s, shown.requests_per_second],
        errors: errors(shown, one),
        held_out,
    }
}

/// Root mean square, greatest by size and where, of one kind of error over runs; `None` without any.
pub(super) fn summary(all: impl Iterator<Item = (usize, Option<f64>)>) -> Option<(f64, (usize, f64))> {
    let found: Vec<(usize, f64)> = all.filter_map(|(index, error)| Some((index, error?))).collect();
    let worst = *found.iter().max_by(|left, right| left.1.abs().total_cmp(&right.1.abs()))?;
    let squares = found.iter().map(|one| one.1 * one.1).sum::<f64>();
    Some((libm::sqrt(squares / found.len() as f64), worst))
}

impl LlmFit {
    /// A warning if the fit does not tell its own runs.
    fn misses(&self) -> Option<String> {
        let names = ["TTFT", "TPOT", "throughput"].into_iter().zip(self.rms(false));
        let missed: Vec<String> = names
            .filter_map(|(name, rms)| Some((name, rms.filter(|rms| *rms > MISSES)?)))
            .map(|(name, rms)| format!("{name} by {:.0} %", rms * 100.0))
            .collect();
        let what = missed.join(", ");
        (!missed.is_empty()).then(|| format!("WARNING: the fit misses its own runs, {what}: do not use it; {ELSE}"))
    }

    /// Root mean square of the relative errors of (time to first token, time per token, throughput) over the runs, fitted or held out.
    pub fn rms(&self, held_out: bool) -> [Option<f64>; 3] {
        [0, 1, 2].map(|kind| {
            let of_run = |(index, run): (usize, &FittedRun)| {
                (index, if held_out { run.held_out.and_then(|held| held.errors[kind]) } else { run.errors[kind] })
            };
            summary(self.runs.iter().enumerate().map(of_run)).map(|found| found.0)
        })
    }

    /// The time of a pass with so many tokens and no context, in seconds.
    pub fn pass_s(&self, tokens: f64) -> f64 {
        let corrected = crate::llm::IterationLaw { token_time: self.engine.token_time(), ..self.engine.law.clone() };
        corrected.pass_s(tokens)
    }
}
