//! Calibration by simulation: each load test is repeated on one simulated replica, and the coefficients are moved until the simulated tests
//! show what the real ones did (Gauss-Newton on relative errors of time to first token, time per token and throughput).

mod engine;
mod least_squares;
mod outcome;
mod report;
mod spread;
mod start;
#[cfg(test)]
mod tests;
mod unknown;

pub use engine::Settings;
pub use outcome::{Coefficient, FittedRun, HeldOut, LlmFit};
pub use spread::OverheadSpread;

use super::checks::{Beside, Checked, CheckedRun, check};
use super::run::LlmRun;
use crate::CalibrateError;
use crate::llm::LlmPreset;
use engine::{Engine, Shown, Test};
use least_squares::{Problem, Solution, solve};
use unknown::Unknown;

/// Runs below which leaving one out proves nothing.
pub const RUNS_TO_CHECK: usize = 4;

/// Up to so many runs each is left out in a whole fit of its own; beyond them by one step from the fit to all.
const RUNS_TO_REFIT: usize = 8;

/// Fits a model to load tests.
///
/// With a preset: how far its decoding and its prompts are off, and what the host adds. Without one: the table of pass times where the runs
/// visit it, and the cost of context where the runs tell it, else that of `like`, a preset of the model and GPU that may be rough.
pub fn fit(runs: Vec<LlmRun>, given: &Given<'_>) -> Result<LlmFit, CalibrateError> {
    let beside = Beside { preset: given.preset.or(given.like), kv_tokens: given.settings.kv_tokens };
    let Checked { runs, lines, floor_s, has_one_shape } = check(runs, &beside)?;
    if runs.iter().all(|one| one.weights.iter().sum::<f64>() <= 1.0) {
        let reason = "every run is saturated: none says how long an iteration takes".to_owned();
        return Err(CalibrateError::Nothing { what: "LLM load tests", reason });
    }
    let mut notes = Vec::new();
    let mut engine = match given.preset {
        Some(preset) => Engine::of_preset(preset, &given.settings),
        None => start::engine(&runs, given, &mut notes)?,
    };
    if let Some(floor) = floor_s {
        engine.floor_s = floor;
    }
    let unknowns = match given.preset {
        Some(_) => start::beside_preset(&runs, has_one_shape, &mut notes),
        None => start::of_law(&runs, &engine, has_one_shape, &mut notes),
    };
    let tests: Vec<Test> = runs.iter().map(Test::of).collect();
    let problem = Fitting { engine: &engine, unknowns: &unknowns, tests: &tests, runs: &runs };
    let solution = solve(&problem, problem.start());
    let held_out = held_out(&problem, &solution);
    Ok(outcome::outcome(&problem, &solution, held_out.as_deref(), (lines, notes), given))
}

/// Times to first and per further token, in seconds, that a preset shows in a closed loop: so many under way, and how many requests for each of them
/// (the simulator it was fitted to sends four, people ten).
pub fn repeated(preset: &LlmPreset, (prompt, output): (f64, f64), (concurrency, rounds): (u32, u32)) -> (f64, f64) {
    let engine = Engine::of_preset(preset, &Settings::default());
    let shown = engine.show(&Test::closed((prompt, output), (concurrency, rounds)));
    (shown.ttft_s, shown.tpot_s)
}

/// What is known beside the runs.
#[derive(Clone, Debug, Default)]
pub struct Given<'a> {
    /// The preset that is to be corrected.
    pub preset: Option<&'a LlmPreset>,
    /// Without one: a preset of the same model and GPU that stands in for what the runs do not tell.
    pub like: Option<&'a LlmPreset>,
    /// Settings of the engine.
    pub settings: Settings,
}

/// The runs, the engine they are simulated on, and what of it is to be found.
struct Fitting<'a> {
    engine: &'a Engine,
    unknowns: &'a [Unknown],
    tests: &'a [Test],
    runs: &'a [CheckedRun],
}

impl Fitting<'_> {
    fn start(&self) -> Vec<f64> {
        self.unknowns.iter().map(|unknown| unknown.start).collect()
    }

    fn engine_at(&self, values: &[f64]) -> Engine {
        let mut engine = self.engine.clone();
        self.unknowns.iter().zip(values).for_each(|(unknown, value)| unknown.set(&mut engine, *value));
        engine
    }

    fn shown(&self, values: &[f64], index: usize) -> Shown {
        self.engine_at(values).show(&self.tests[index])
    }
}

/// Relative errors of one run: simulated less measured, of what counts.
fn errors(shown: &Shown, one: &CheckedRun) -> [Option<f64>; 3] {
    let relative = |simulated: f64, measured: Option<f64>, weight: f64| {
        let measured = measured.filter(|value| *value > 0.0 && weight > 0.0)?;
        // A run that shows nothing at all is as wrong as can be.
        let error = if simulated.is_finite() { simulated / measured - 1.0 } else { 10.0 };
        Some(error.clamp(-10.0, 10.0))
    };
    [
        relative(shown.ttft_s, one.run.ttft_s, one.weights[0]),
        relative(shown.tpot_s, one.tpot_s, one.weights[1]),
        relative(shown.requests_per_second, Some(one.run.requests_per_second), one.weights[2]),
    ]
}

impl Problem for Fitting<'_> {
    fn residuals(&self, values: &[f64]) -> Vec<Vec<f64>> {
        let engine = self.engine_at(values);
        let of_run = |(test, one): (&Test, &CheckedRun)| {
            let errors = errors(&engine.show(test), one);
            errors.iter().zip(one.weights).map(|(error, weight)| error.unwrap_or(0.0) * weight.sqrt()).collect()
        };
        self.tests.iter().zip(self.runs).map(of_run).collect()
    }

    fn bounds(&self, index: usize) -> (f64, f64) {
        self.unknowns[index].bounds
    }

    fn step(&self, index: usize) -> f64 {
        self.unknowns[index].step
    }

    fn prior(&self, index: usize) -> (f64, f64) {
        (self.unknowns[index].start, self.unknowns[index].usual)
    }
}

/// Each run predicted by a fit to the others; `None` with too few to say anything.
fn held_out(problem: &Fitting<'_>, solution: &Solution) -> Option<Vec<HeldOut>> {
    if problem.runs.len() < RUNS_TO_CHECK {
        return None;
    }
    let predict = |index: usize| {
        let values = if problem.runs.len() <= RUNS_TO_REFIT {
            let keep = |other: usize| other != index;
            let tests: Vec<Test> = (0..problem.runs.len())
                .filter(|other| keep(*other))
                .map(|other| problem.tests[other].clone())
                .collect();
            let runs: Vec<CheckedRun> =
                (0..problem.runs.len()).filter(|other| keep(*other)).map(|other| problem.runs[other].clone()).collect();
            let without = Fitting { tests: &tests, runs: &runs, ..*problem };
            solve(&without, problem.start()).values
        } else {
            solution.without(index, problem)
        };
        HeldOut { errors: errors(&problem.shown(&values, index), &problem.runs[index]) }
    };
    Some((0..problem.runs.len()).map(predict).collect())
}
