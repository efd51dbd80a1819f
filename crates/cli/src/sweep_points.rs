//! Points of a sweep, looked at before the first run.

use lab::Workers;
use lab::design::Setting;
use lab::sweep::{Point, Sweep, SweepError};

use crate::failure::{Failure, Result};
use crate::tuning::Tuned;

/// Most points that are resolved before the first run, to find slips early.
const CHECKED_MAX: usize = 256;

/// Resolves the first point of every value of every parameter: what is wrong shows before the first run and not after a night.
pub fn check_points(sweep: &Sweep, tuned: &Tuned, workers: &Workers) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    let mut is_new = |setting: &Setting| seen.insert((setting.parameter.path.clone(), setting.value.text.clone()));
    let mut chosen: Vec<&Point> = Vec::new();
    for point in &sweep.points {
        // Not `any`: every setting of the point is seen with it.
        let new = point.settings.iter().filter(|setting| is_new(setting)).count();
        if new > 0 {
            chosen.push(point);
        }
    }
    let stride = chosen.len().div_ceil(CHECKED_MAX).max(1);
    let chosen: Vec<&Point> = chosen.into_iter().step_by(stride).collect();
    let problems = workers.map(&chosen, |point| tuned.with(&point.settings).err());
    for (point, problem) in chosen.iter().zip(problems) {
        if let Some(problem) = problem.flatten() {
            return Err(Failure::input(problem_at(point.index, &point.to_overrides(), &problem)));
        }
    }
    Ok(())
}

/// What is wrong at a point, with its settings.
pub fn problem_at(point: usize, overrides: &[String], problem: &str) -> String {
    format!("point {point} ({}): {problem}", overrides.join(", "))
}

/// What ends a sweep, as a command ends by it.
pub fn sweep_failure(error: SweepError) -> Failure {
    let is_environment = error.is_environment();
    let error = anyhow::Error::new(error);
    if is_environment { Failure::Environment(error) } else { Failure::Input(error) }
}
