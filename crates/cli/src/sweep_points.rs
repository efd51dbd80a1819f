//! Points of a sweep, looked at before the first run.

use lab::Workers;
use lab::design::Setting;
use lab::sweep::{Point, Sweep, SweepError};

use crate::failure::{Failure, Result};
use crate::tuning::Tuned;

/// Most points that are resolved before the first run for a number of theirs, to find slips early.
const CHECKED_MAX: usize = 256;

/// Resolves the first point of every value of every parameter: what is wrong shows before the first run and not after a night. Of numbers, of which a
/// sample may have any number, some of them; words, such as names of files, each.
pub fn check_points(sweep: &Sweep, tuned: &Tuned, workers: &Workers) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    let mut is_new = |setting: &&Setting| seen.insert((setting.parameter.path.clone(), setting.value.text.clone()));
    let (mut chosen, mut of_numbers): (Vec<&Point>, Vec<&Point>) = Default::default();
    for point in &sweep.points {
        // Collected, so that every setting of the point is seen with it.
        let new: Vec<&Setting> = point.settings.iter().filter(&mut is_new).collect();
        if new.iter().any(|setting| setting.value.number.is_nan()) {
            chosen.push(point);
        } else if !new.is_empty() {
            of_numbers.push(point);
        }
    }
    let stride = of_numbers.len().div_ceil(CHECKED_MAX).max(1);
    chosen.extend(of_numbers.into_iter().step_by(stride));
    chosen.sort_by_key(|point| point.index);
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
