//! `scalelab sweep`: a scenario at many points, each finished run on disk before the next is counted.

use std::path::{Path, PathBuf};
use std::time::Instant;

use cluster::spec::ServiceSpec;
use lab::Workers;
use lab::sweep::{self, Estimate, JOURNAL_NAME, Shard, Sweep, SweepError, SweepOptions, SweepOutcome};
use scenario::{Input, OtherDocument};

use super::data_files::read_text;
use crate::args;
use crate::failure::{Failure, OrEnvironment, OrInput, Outcome, Result};
use crate::inputs::{self, STANDARD_INPUT};
use crate::interrupt::raise_on_interrupt;
use crate::places::whereabouts;
use crate::progress::Bar;
use crate::question::scenario_words;
use crate::sweep_folder::{self, SweepFile};
use crate::sweep_points::{check_points, problem_at, sweep_failure};
use crate::tuning::Tuned;

/// Says what it will take, runs, writes tables and plots.
pub fn sweep(args: &args::Sweep) -> Result<Outcome> {
    if let Some(words) = &args.emit_job {
        return crate::job::emit(args, words);
    }
    let out = args.out.as_deref().expect("the command line has one unless it has --emit-job");
    let (sweep, text) = read_sweep(&args.file)?;
    let shard = args.shard.as_deref().map_or(Ok(Shard::WHOLE), crate::job::shard)?;
    if !args.resume && !args.dry_run && out.join(JOURNAL_NAME).exists() {
        return Err(sweep_failure(SweepError::Exists(out.to_owned())));
    }
    if !args.dry_run && out.join("run.json").exists() {
        return Err(Failure::input(format!("{}: holds a run; name another folder with -o", out.display())));
    }
    let tuned = scenario_of(&sweep, args)?;
    let workers = Workers::new(args.jobs).or_environment("starting threads")?;
    raise_on_interrupt(workers.stop_flag()).or_environment("listening for interrupts")?;
    check_points(&sweep, &tuned, &workers)?;
    let scenarios = tuned.scenarios();
    if !args.quiet || args.dry_run {
        if !args.quiet {
            tuned.loaded.notes.iter().chain(&tuned.loaded.counted).for_each(|note| eprintln!("note: {note}"));
        }
        let estimate = sweep::estimate(&workers, &sweep, &scenarios, shard).map_err(sweep_failure)?;
        eprint!("{}", plan(&sweep, &estimate, &workers));
    }
    if args.dry_run {
        return Ok(Outcome::Done);
    }
    let begun = Instant::now();
    let bar = Bar::new(&sweep.name, args.quiet);
    let progress = |progress| bar.show(progress);
    let options = SweepOptions { shard, resume: args.resume, progress: &progress };
    let mut file = SweepFile {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: std::env::args().collect(),
        sweep: text,
        scenario: scenario_words(&scenario_files(&sweep, &args.file), &args.set, false),
        objective: lone_objective(&tuned.loaded.spec.services),
        wall_time_s: 0.0,
        jobs: workers.jobs(),
    };
    if !out.join(JOURNAL_NAME).exists() {
        // From the beginning, so that what a killed process leaves can be merged.
        file.write(out)?;
    }
    let outcome = sweep::run(&workers, &sweep, &scenarios, out, &options).map_err(sweep_failure)?;
    bar.finish();
    file.wall_time_s = begun.elapsed().as_secs_f64();
    let results = sweep::read(out).map_err(sweep_failure)?;
    sweep_folder::write(out, &results, &file)?;
    if !args.quiet {
        out!("{}", sweep_folder::front(&results, &file));
        eprintln!("{} rows {}", results.rows.len(), whereabouts(&out.join("results.csv")));
    }
    finish(&sweep, &outcome, out)
}

/// The objective of the only service.
fn lone_objective(services: &[ServiceSpec]) -> Option<f64> {
    if let [only] = services { Some(only.slo.objective) } else { None }
}

/// The sweep and its text.
pub fn read_sweep(path: &Path) -> Result<(Sweep, String)> {
    let text = read_text(path)?;
    let name = if path.as_os_str() == "-" { STANDARD_INPUT.to_owned() } else { path.display().to_string() };
    let document = OtherDocument::parse(&name, &text).or_input()?;
    let file: sweep::SweepFile = document.read().or_input()?;
    let mut sweep = Sweep::resolve(&file).map_err(|error| match &error {
        SweepError::Value { key, .. } => Failure::input(format!("{}: {error}", document.place_of(key))),
        _ => Failure::input(error),
    })?;
    if sweep.name.is_empty() {
        sweep.name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    }
    Ok((sweep, text))
}

/// The scenario a sweep names; its files are beside the sweep's.
fn scenario_of(sweep: &Sweep, args: &args::Sweep) -> Result<Tuned> {
    let files: Vec<Input> = scenario_files(sweep, &args.file).into_iter().map(Input::Path).collect();
    Tuned::new(crate::programs::read(&files, false).or_input()?, inputs::overrides(&args.set)?)
}

/// Files and folders of the scenario of a sweep that was read from `file`.
pub fn scenario_files(sweep: &Sweep, file: &Path) -> Vec<PathBuf> {
    let folder = file.parent().map(Path::to_owned).unwrap_or_default();
    sweep.scenario.iter().map(|file| tidy(&folder, file)).collect()
}

/// `file` seen from `folder`; a `.` in between would only lengthen messages.
fn tidy(folder: &Path, file: &str) -> PathBuf {
    if file == "." && !folder.as_os_str().is_empty() { folder.to_owned() } else { folder.join(file) }
}

fn plan(sweep: &Sweep, estimate: &Estimate, workers: &Workers) -> String {
    let axes: Vec<String> = sweep.parameters.iter().map(|parameter| format!("  {}\n", parameter.path)).collect();
    let skipped =
        if sweep.skipped > 0 { format!(" ({} more skipped by constraints)", sweep.skipped) } else { String::new() };
    format!(
        "{}: {}{skipped}, {} ({}), {}: {}\n{}about {:.3} s a run, {} in all with {}\n",
        sweep.name,
        counted(estimate.points, "point"),
        if estimate.policies.len() == 1 {
            "1 policy".to_owned()
        } else {
            format!("{} policies", estimate.policies.len())
        },
        estimate.policies.join(", "),
        counted(sweep.replications as usize, "replication"),
        counted(estimate.runs, "run"),
        axes.concat(),
        estimate.seconds_per_run,
        duration(estimate.total.as_secs_f64()),
        counted(workers.jobs(), "job"),
    )
}

fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => "less than a second".to_owned(),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// What is not there is said, and how to get it.
fn finish(sweep: &Sweep, outcome: &SweepOutcome, out: &Path) -> Result<Outcome> {
    if outcome.is_interrupted {
        return Err(Failure::Environment(anyhow::anyhow!(
            "interrupted: {} of {} runs are in {}; go on with --resume",
            outcome.before + outcome.done,
            outcome.total,
            out.display()
        )));
    }
    for (point, problem) in outcome.failures.iter().skip(1).take(9) {
        eprintln!("error: {}", problem_at(*point, &sweep.points[*point].to_overrides(), problem));
    }
    match outcome.failures.first() {
        None => Ok(Outcome::Done),
        Some((point, problem)) => Err(Failure::input(format!(
            "{}; {} points could not be run, all others are in {}",
            problem_at(*point, &sweep.points[*point].to_overrides(), problem),
            outcome.failures.len(),
            out.display()
        ))),
    }
}
