//! `scalelab run`: every policy over the same requests, compared.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use cluster::Pulse;
use lab::Workers;
use lab::experiment::{self, ControlledColumn, PrecisionMeasure, PrecisionReport, Results};
use lab::sweep::JOURNAL_NAME;
use record::Interval;
use report::{ResultFolder, Table, TerminalStyle};
use scenario::Loaded;
use units::SimTime;

use crate::args::{Format, Run};
use crate::failure::{Failure, OrEnvironment, OrInput, Outcome, Result};
use crate::inputs;
use crate::interrupt::raise_on_interrupt;
use crate::places::{is_elsewhere, whereabouts};
use crate::progress::Bar;
use crate::run_file::{self, NOT_ALWAYS, RUN_FILE, RunFile};
use crate::run_report::{Origin, with_report};
use crate::saved_requests::SavedRequests;
use crate::simulation::{Effort, Watch, simulate};

/// Runs, writes, prints.
pub fn run(args: &Run) -> Result<Outcome> {
    let (mut loaded, recorded) = match &args.from {
        Some(path) => {
            let file = RunFile::read(path)?;
            (file.reload()?, Some(file))
        }
        None => (load(args)?, None),
    };
    inputs::choose_policies(&mut loaded, &args.policy)?;
    if !args.work.quiet {
        inputs::print_notes(&loaded, args.scenario.reading.verbose);
    }
    let seed = args.work.seed.or(recorded.as_ref().map(|file| file.seed)).unwrap_or(loaded.seed);
    let asked = args.effort.replications.map(std::num::NonZeroU32::get);
    let replications = asked.or(recorded.as_ref().map(|file| file.replications)).unwrap_or(loaded.replications);
    let folder = args.out.clone().unwrap_or_else(|| Path::new("results").join(&loaded.spec.name));
    let begun = Instant::now();
    let workers = Workers::new(args.work.jobs).or_environment("starting threads")?;
    raise_on_interrupt(workers.stop_flag()).or_environment("listening for interrupts")?;
    let prepared = prepare(&folder)?;
    let effort = Effort { seed, replications, precision: args.effort.precision };
    let names: Vec<&str> = loaded.spec.policies.iter().map(|policy| policy.name.as_str()).collect();
    let of_services: Vec<&str> = loaded.spec.services.iter().map(|service| service.name.as_str()).collect();
    let saved = args.save_requests.then(|| SavedRequests::create(&folder, &names, &of_services)).transpose()?;
    let (results, precision) = simulate_with_bar(&effort, &loaded, (&workers, saved.as_ref()), args.work.quiet)?;
    if results.policies.is_empty() {
        return Err(Failure::Environment(anyhow::anyhow!(
            "interrupted before any policy was done; nothing was written"
        )));
    }
    let file = run_file::describe(&loaded, &results, (seed, workers.jobs(), begun.elapsed()), Some(&folder));
    check_repetition(recorded.as_ref(), &file)?;
    let origin = Origin { file: &file, scenario: args.from.is_none().then_some(&args.scenario) };
    write_tables(&loaded, &results, origin, (&folder, &prepared))?;
    saved.map_or(Ok(()), SavedRequests::write)?;
    // Last: a folder with it holds one whole run.
    write_all(&folder, &[(RUN_FILE.to_owned(), file.to_json()?.into_bytes())])?;
    print(args, &loaded, &results, (origin, &folder, precision.as_ref()));
    finish(args, &folder)?;
    Ok(if results.is_interrupted { Outcome::Interrupted } else { Outcome::Done })
}

/// The folder of results, tried before the work: a day of it is lost on a folder that takes no files.
fn prepare(folder: &Path) -> Result<ResultFolder> {
    if folder.join(JOURNAL_NAME).exists() {
        return Err(Failure::input(format!("{}: holds a sweep; name another folder with -o", folder.display())));
    }
    ResultFolder::prepare(folder).or_environment(&format!("writing {}", folder.display()))
}

/// The scenario, with the warm-up asked for.
fn load(args: &Run) -> Result<Loaded> {
    let Some(warm_up) = &args.warm_up else { return inputs::load(&args.scenario) };
    let (documents, overrides) = inputs::documents(&args.scenario)?;
    let with = |time: &str| {
        let warm_up = ("run.warmUp".to_owned(), time.to_owned());
        let overrides: Vec<_> = overrides.iter().cloned().chain([warm_up]).collect();
        documents.load(&overrides).or_input()
    };
    if warm_up != "auto" {
        return with(warm_up);
    }
    let mut pilot = with("0s")?;
    inputs::choose_policies(&mut pilot, &args.policy)?;
    let workers = Workers::new(args.work.jobs).or_environment("starting threads")?;
    let effort = Effort { seed: args.work.seed.unwrap_or(pilot.seed), replications: 1, precision: None };
    let (results, _) = simulate_with_bar(&effort, &pilot, (&workers, None), args.work.quiet)?;
    let found = results.policies.iter().map(|policy| (policy.name(), experiment::pilot_warm_up(&policy.first)));
    // All policies leave out the same, so that they are judged on the same requests.
    let Some((name, longest)) = found.max_by_key(|(_, warm_up)| warm_up.length) else { return with("0s") };
    if !args.work.quiet {
        let doubt = if longest.is_half {
            "; that is half of the run: it is too short, or its load never becomes steady"
        } else {
            ""
        };
        eprintln!("note: warm-up {} by MSER-5 in a pilot run of {name}{doubt}", longest.length);
    }
    with(&format!("{}ms", longest.length.as_nanos() / 1_000_000))
}

/// All policies of a scenario with a bar that shows how far it is, unless it is to be quiet.
pub fn simulate_with_bar(
    effort: &Effort,
    loaded: &Loaded,
    (workers, saved): (&Workers, Option<&SavedRequests>),
    quiet: bool,
) -> Result<(Results, Option<PrecisionReport>)> {
    let pulse = Arc::new(Pulse::default());
    let spec = &loaded.spec;
    let bar = if effort.precision.is_some() {
        // How many runs it takes is not known before.
        Bar::new(&spec.name, quiet)
    } else {
        let runs = spec.policies.len() * effort.replications as usize;
        Bar::live(&spec.name, quiet, &pulse, (runs, spec.end.since(SimTime::ZERO) + spec.prehistory.length))
    };
    let progress = |progress| bar.show(progress);
    let watch = Watch { progress: &progress, pulse: &pulse, saved, stops_within_runs: false };
    let found = simulate(effort, loaded, workers, watch)?;
    bar.finish();
    Ok(found)
}

/// A repetition must come out as the run it repeats.
fn check_repetition(recorded: Option<&RunFile>, now: &RunFile) -> Result<()> {
    let Some(recorded) = recorded else { return Ok(()) };
    let differing = now.digests.iter().find(|digest| {
        let same_run = |old: &&run_file::RunDigest| {
            (&old.policy, old.replication, old.seed) == (&digest.policy, digest.replication, digest.seed)
        };
        recorded.digests.iter().find(same_run).is_some_and(|old| old.digest != digest.digest)
    });
    match differing {
        Some(digest) => Err(Failure::input(format!(
            "policy {}, replication {}: digest {} differs from the recorded one; run.json is of scalelab {}, this is {}",
            digest.policy, digest.replication, digest.digest, recorded.version, now.version
        ))),
        None => Ok(()),
    }
}

/// Everything but the requests and `run.json`. What an earlier run left is taken away first, its `run.json` too.
fn write_tables(
    loaded: &Loaded,
    results: &Results,
    origin: Origin<'_>,
    (folder, prepared): (&Path, &ResultFolder),
) -> Result<()> {
    let mut files = with_report(loaded, results, origin, report::files);
    files.extend(control_variates(loaded, results).map(|table| ("control_variates.csv".to_owned(), table.to_csv())));
    // The second is there where a run was killed while it wrote.
    if [RUN_FILE, "summary.csv"].iter().any(|name| folder.join(name).exists()) {
        prepared.remove_others(&NOT_ALWAYS, &files).or_environment(&format!("writing {}", folder.display()))?;
    }
    write_all(folder, &files)
}

fn write_all(folder: &Path, files: &[(String, Vec<u8>)]) -> Result<()> {
    report::write_all(folder, files).or_environment(&format!("writing {}", folder.display()))
}

/// What the number of requests, whose mean is known of Poisson traffic, does for the intervals; `None` with too few replications.
fn control_variates(loaded: &Loaded, results: &Results) -> Option<Table> {
    let expected = experiment::expected_requests(&loaded.spec)?;
    let rows: Vec<(&str, ControlledColumn)> = results
        .policies
        .iter()
        .flat_map(|policy| {
            let found = experiment::controlled_columns(&policy.replications, expected);
            found.into_iter().map(|one| (policy.name(), one))
        })
        .collect();
    let each = || rows.iter().map(|(_, one)| one);
    let bounds = |table: Table, name: &str, pick: fn(&ControlledColumn) -> Interval| {
        table
            .number(name, each().map(|one| pick(one).mean))
            .number(&format!("{name}_ci_low"), each().map(|one| pick(one).low))
            .number(&format!("{name}_ci_high"), each().map(|one| pick(one).high))
    };
    let table = Table::default()
        .text("policy", rows.iter().map(|(policy, _)| policy))
        .text("column", each().map(|one| one.column.name))
        .number("requests_expected", each().map(|_| expected));
    let table = bounds(bounds(table, "plain", |one| one.plain), "controlled", |one| one.controlled.interval)
        .number("variance_ratio", each().map(|one| one.controlled.variance_ratio));
    (!rows.is_empty()).then_some(table)
}

fn print(
    args: &Run,
    loaded: &Loaded,
    results: &Results,
    (origin, folder, precision): (Origin<'_>, &Path, Option<&PrecisionReport>),
) {
    if args.work.quiet {
        return;
    }
    let format = match args.format {
        Format::Table => report::Format::Table,
        Format::Json => report::Format::Json,
        Format::Markdown => report::Format::Markdown,
        Format::Csv => report::Format::Csv,
    };
    let style = if std::io::stdout().is_terminal() {
        let color = std::env::var_os("NO_COLOR").is_none();
        let width = console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
        TerminalStyle { color, unicode: true, width }
    } else {
        TerminalStyle::PLAIN
    };
    out!("{}", with_report(loaded, results, origin, |report| report::render(report, format, style)));
    if let Some(precision) = precision {
        precision_words(precision).iter().for_each(|line| eprintln!("{line}"));
    }
    if results.is_interrupted {
        eprintln!("interrupted: the tables hold the replications that every policy finished");
    }
    eprintln!("tables, plots and report.html {}", whereabouts(folder));
    if !is_elsewhere(folder) {
        eprintln!("open {}", page_link(folder));
    }
}

/// What was to be reached, of what, and how near the widest came.
fn precision_words(found: &PrecisionReport) -> Vec<String> {
    let percent = |share: f64| format!("{:.2} %", share * 100.0);
    let verdict = if found.is_met { "met" } else { "not met" };
    let wanted = format!(
        "precision {} {verdict} with {} replications per policy: half-widths of the 95 % intervals of cost, relative to it, and of the share of requests \
         that miss the SLO, relative to it or, where it is smaller, to the {} that the objective allows",
        percent(found.relative),
        found.replications,
        percent(found.miss_floor),
    );
    let name = |measure: &PrecisionMeasure| format!("{} of {}", measure.name(), measure.policy);
    let reached = |measure: &PrecisionMeasure| {
        if measure.reached.is_nan() {
            format!("{} has no interval", name(measure))
        } else {
            format!("{} {}", name(measure), percent(measure.reached))
        }
    };
    let width = |measure: &&PrecisionMeasure| if measure.reached.is_nan() { f64::INFINITY } else { measure.reached };
    let widest = found.measures.iter().max_by(|a, b| width(a).total_cmp(&width(b)));
    let short: Vec<String> = found.measures.iter().filter(|measure| !measure.is_met).map(reached).collect();
    let second = if short.is_empty() {
        widest.map(|widest| format!("widest: {}", reached(widest)))
    } else {
        Some(format!("not narrow enough: {}", short.join(", ")))
    };
    [Some(wanted), second].into_iter().flatten().collect()
}

/// The page as an address that terminals make a link of.
fn page_link(folder: &Path) -> String {
    let page = folder.join("report.html");
    let path = std::path::absolute(&page).unwrap_or(page);
    let escaped = |byte: &u8| match byte {
        b'/' | b'.' | b'-' | b'_' | b'~' | b':' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
            char::from(*byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    let path: String = path.to_string_lossy().replace('\\', "/").as_bytes().iter().map(escaped).collect();
    if path.starts_with('/') { format!("file://{path}") } else { format!("file:///{path}") }
}

/// Hands the page to whatever opens pages here, if that was asked for.
fn finish(args: &Run, folder: &Path) -> Result<()> {
    if !args.open {
        return Ok(());
    }
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(windows) {
        "explorer"
    } else {
        "xdg-open"
    };
    let started = std::process::Command::new(opener).arg(folder.join("report.html")).spawn();
    started.map(|_| ()).or_environment(&format!("--open: starting {opener}; the page is {}", page_link(folder)))
}
