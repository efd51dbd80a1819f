//! `scalelab sensitivity`: which inputs matter for a figure.

use lab::columns::Column;
use lab::gates::figure;
use lab::sensitivity::{self, SobolDesign, Tornado};
use lab::{Progress, TrialError, Trials, Workers};
use record::Interval;

use crate::args::{Format, Sensitivity};
use crate::failure::{Failure, OrEnvironment, Outcome, Result};
use crate::grid::Grid;
use crate::interrupt::raise_on_interrupt;
use crate::progress::Bar;
use crate::results::column;
use crate::tuning::{Tuned, ranges};

/// One input at a time, widest swing first; or Sobol indices over all of them.
pub fn sensitivity(args: &Sensitivity) -> Result<Outcome> {
    let column = column("--of", &args.of)?;
    let inputs = ranges("--over", &args.over)?;
    if args.points < 2 {
        return Err(Failure::input(format!("--points {}: at least 2 are needed, best a power of two", args.points)));
    }
    let tuned = Tuned::read(&args.scenario)?;
    let policy = tuned.policy(args.policy.as_deref(), &inputs)?;
    tuned.check_ranges(&inputs)?;
    let workers = Workers::new(args.work.jobs).or_environment("starting threads")?;
    raise_on_interrupt(workers.stop_flag()).or_environment("listening for interrupts")?;
    let bar = Bar::new(&tuned.loaded.spec.name, args.work.quiet);
    let progress = |progress: Progress| bar.show(progress);
    let scenarios = tuned.scenarios();
    let seed = args.work.seed.unwrap_or(tuned.loaded.seed);
    let trials = Trials { workers: &workers, scenarios: &scenarios, policy: Some(&policy), seed, progress: &progress };
    let replications = tuned.replications(args.replications, 1);
    let failure = |error: TrialError| match error {
        TrialError::Stopped => Failure::Environment(anyhow::anyhow!("interrupted before there was an answer")),
        error @ TrialError::Scenario { .. } => Failure::input(error),
    };
    let (words, grid, name) = if args.sobol {
        let design = SobolDesign { points: args.points, seed };
        let indices =
            sensitivity::sobol_sensitivity(&trials, &inputs, column, design, replications).map_err(failure)?;
        let words = format!("{policy}: shares of the variance of {} over {} points", column.name, args.points);
        (words, sobol_grid(&indices), "sobol.csv")
    } else {
        let tornado = sensitivity::tornado(&trials, &inputs, column, replications).map_err(failure)?;
        let words = format!("{policy}: {} is {} as it is", column.name, shown(column, tornado.base));
        (words, tornado_grid(&tornado, column), "tornado.csv")
    };
    bar.finish();
    if let Some(folder) = &args.out {
        let path = folder.join(name);
        report::write_atomically(&path, grid.render(Format::Csv).as_bytes())
            .or_environment(&format!("writing {}", path.display()))?;
    }
    if !args.work.quiet {
        out!("{words}\n\n{}", grid.render(Format::Table));
    }
    Ok(Outcome::Done)
}

fn tornado_grid(tornado: &Tornado, column: &Column) -> Grid {
    let mut grid = Grid::new(&["input", "from", "to", "at from", "at to", "difference"], 1);
    for bar in &tornado.bars {
        grid.row(vec![
            bar.parameter.path.clone(),
            bar.low.text.clone(),
            bar.high.text.clone(),
            figure(column.unit, bar.at_low.mean),
            figure(column.unit, bar.at_high.mean),
            shown(column, bar.swing),
        ]);
    }
    grid
}

fn sobol_grid(indices: &[(lab::design::Parameter, sensitivity::SobolIndex)]) -> Grid {
    let mut grid = Grid::new(&["input", "alone", "interval alone", "with all others", "interval with all others"], 1);
    let mut indices: Vec<_> = indices.iter().collect();
    indices.sort_by(|a, b| b.1.total.mean.total_cmp(&a.1.total.mean));
    let bounds = |interval: Interval| format!("{:.3} to {:.3}", interval.low, interval.high);
    for (parameter, index) in indices {
        let (first, total) = (index.first_order, index.total);
        grid.row(vec![
            parameter.path.clone(),
            format!("{:.3}", first.mean),
            bounds(first),
            format!("{:.3}", total.mean),
            bounds(total),
        ]);
    }
    grid
}

/// A figure with its interval; one replication gives none.
fn shown(column: &Column, interval: Interval) -> String {
    let figure = |value| figure(column.unit, value);
    if interval.low.is_nan() {
        return figure(interval.mean);
    }
    format!("{} ({} to {})", figure(interval.mean), figure(interval.low), figure(interval.high))
}
