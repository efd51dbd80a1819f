//! `scalelab report`: a run's HTML page, made anew from its run.json, or a sweep's, from its journal.

use std::num::NonZeroUsize;

use cluster::Keep;
use lab::Workers;
use lab::experiment::{self, Plan};
use lab::sweep::{self, JOURNAL_NAME};

use clap::Parser;

use super::data_files::write_bytes;
use crate::args::{Cli, Command, Report, Run};
use crate::failure::{Failure, OrEnvironment, Outcome, Result};
use crate::places::shown;
use crate::progress::Bar;
use crate::run_file::RunFile;
use crate::run_report::{Origin, with_report};
use crate::sweep_folder::{self, SweepFile};

/// Writes the page of the folder.
pub fn report(args: &Report) -> Result<Outcome> {
    let page = if args.dir.join(JOURNAL_NAME).exists() { sweep_page(args)? } else { run_page(args)? };
    let out = args.out.clone().unwrap_or_else(|| args.dir.join("report.html"));
    write_bytes(&out, &page)?;
    if out.as_os_str() != "-" {
        outln!("{}", shown(&out));
    }
    Ok(Outcome::Done)
}

/// What the journal has so far, also of a sweep that is not done.
fn sweep_page(args: &Report) -> Result<Vec<u8>> {
    let file = SweepFile::read(&args.dir)?;
    let results = sweep::read(&args.dir).map_err(Failure::input)?;
    Ok(sweep_folder::page(&results, &file))
}

/// Repeats the run, which is cheaper than storing all a page can show.
fn run_page(args: &Report) -> Result<Vec<u8>> {
    let file = RunFile::read(&args.dir)?;
    let loaded = file.reload()?;
    let workers = Workers::new(NonZeroUsize::new(file.jobs)).or_environment("starting threads")?;
    let bar = Bar::new(&file.scenario, false);
    let progress = |progress| bar.show(progress);
    let plan = Plan {
        policies: loaded.spec.policies.len(),
        replications: file.replications,
        seed: file.seed,
        keep: Keep { tables: true, requests: false },
        progress: &progress,
    };
    let results = experiment::run(&workers, &plan, &experiment::simulator(&loaded.spec));
    bar.finish();
    let command = command(&file);
    let origin = Origin { file: &file, scenario: command.as_ref().map(|run| &run.scenario) };
    Ok(with_report(&loaded, &results, origin, report::report_html))
}

/// The command line that made the run, unless it repeated another.
fn command(file: &RunFile) -> Option<Run> {
    match Cli::try_parse_from(&file.command).ok()?.command {
        Command::Run(run) if run.from.is_none() => Some(run),
        _ => None,
    }
}
