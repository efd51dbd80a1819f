//! `scalelab validate`: how near does a scenario come to the real run it stands for?

use std::path::PathBuf;

use lab::validate::{Validation, markdown, to_json, to_text};
use lab::{Progress, TrialError, Workers};

use super::data_files::{is_standard_output, write_bytes};
use crate::args::Validate;
use crate::failure::{Failure, OrEnvironment, Outcome, Result};
use crate::inputs;
use crate::interrupt::raise_on_interrupt;
use crate::measured::{Options, Prepared, prepare};
use crate::progress::Bar;

/// Runs every scenario given, holds it against the measured figures beside it, writes what was asked for.
pub fn validate(args: &Validate) -> Result<Outcome> {
    // All are read before any is run: a slip in the last one costs no time.
    let options = Options {
        is_plain: args.reading.plain,
        set: args.set.clone(),
        replications: args.replications,
        seed: args.work.seed,
    };
    let prepared: Vec<Prepared> = args.scenario.iter().map(|path| prepare(path, &options)).collect::<Result<_>>()?;
    // Before the work: two of them cannot be standard output.
    let is_piped = is_standard_output(&[args.markdown.as_ref(), args.json.as_ref()])?;
    let workers = Workers::new(args.work.jobs).or_environment("starting threads")?;
    raise_on_interrupt(workers.stop_flag()).or_environment("listening for interrupts")?;
    let mut found = Vec::new();
    for one in prepared {
        let validation = run(one, args, &workers)?;
        if !args.work.quiet {
            let gap = if found.is_empty() { "" } else { "\n" };
            let text = to_text(&validation);
            if is_piped { eprint!("{gap}{text}") } else { out!("{gap}{text}") }
        }
        found.push(validation);
    }
    write(args, &found)?;
    let is_inside = found.iter().all(Validation::is_inside);
    Ok(if is_inside { Outcome::Done } else { Outcome::GateFailed })
}

fn run(Prepared { tuned, case }: Prepared, args: &Validate, workers: &Workers) -> Result<Validation> {
    if args.reading.verbose && !args.work.quiet {
        inputs::print_notes(&tuned.loaded, true);
    }
    let bar = Bar::new(&case.name, args.work.quiet);
    let progress = |progress: Progress| bar.show(progress);
    let scenarios = tuned.scenarios();
    let found = lab::validate::validate(workers, &scenarios, case, !args.no_sweep, &progress);
    bar.finish();
    found.map_err(|error| match error {
        TrialError::Stopped => {
            Failure::Environment(anyhow::anyhow!("interrupted before all runs were done; nothing was decided"))
        }
        error @ TrialError::Scenario { .. } => Failure::input(error),
    })
}

fn write(args: &Validate, found: &[Validation]) -> Result<()> {
    let files: [(&Option<PathBuf>, String); 2] =
        [(&args.markdown, markdown(found)), (&args.json, format!("{:#}\n", to_json(found)))];
    for (path, text) in &files {
        if let Some(path) = path {
            write_bytes(path, text.as_bytes())?;
        }
    }
    Ok(())
}
