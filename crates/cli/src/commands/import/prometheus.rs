//! `scalelab import prometheus`: a service's past, and a scenario that replays it.

use std::io::IsTerminal;
use std::ops::Range;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use live::{CHUNKS, ChunkStore, Counts, Grid, Imported, Prometheus, Window, Wish};
use serde::{Deserialize, Serialize};

use super::when::{self, length, shown};
use super::{cold_starts, failure, server, serving, tables};
use crate::args::{ImportPrometheus, Init};
use crate::commands::init::{self, Content, Recording};
use crate::failure::{Failure, Outcome, Result};

/// The longest run that is proposed; what was before it is history.
const RUN_MAX_MS: i64 = 86_400_000;

/// What an import is of: another try goes on only with the same.
#[derive(Deserialize, PartialEq, Serialize)]
struct Plan {
    url: String,
    service: Option<String>,
    namespace: Option<String>,
    matchers: Vec<String>,
    requests: Option<String>,
    since: String,
    until: Option<String>,
    step_ms: i64,
    chunk_ms: i64,
    /// The stretch that was settled at the first try.
    from_ms: i64,
    rows: usize,
}

/// Asks, writes the folder whole or not at all, and says what was found.
pub fn prometheus(args: &ImportPrometheus) -> Result<Outcome> {
    let is_begun = args.making.out.join(CHUNKS).exists();
    if args.making.out.exists() && !is_begun {
        let reason = "exists already; `import` never overwrites: name a folder that does not exist";
        return Err(Failure::input(format!("{}: {reason}", args.making.out.display())));
    }
    let server = server(&args.connection)?;
    let plan = plan(args, &server)?;
    let text = serde_json::to_string(&plan).expect("a plan is text and numbers");
    let store = ChunkStore::open(&args.making.out, &text).map_err(failure)?;
    let grid = Grid { from_ms: plan.from_ms, step_ms: plan.step_ms, rows: plan.rows };
    if store.is_resumed() {
        eprintln!("note: going on with the import from {} to {}", shown(grid.from_ms), shown(grid.to_ms()));
    }
    let wish = Wish {
        service: plan.service.clone(),
        namespace: plan.namespace.clone(),
        matchers: plan.matchers.clone(),
        requests: plan.requests.clone(),
    };
    let bar = bar();
    let mut progress = |done: usize, total: usize| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    };
    let window = Window { grid, chunk_ms: plan.chunk_ms };
    let found = live::import(&server, window, &wish, &store, &mut progress);
    bar.finish_and_clear();
    let written = found.map_err(failure).and_then(|found| write(args, &found, grid));
    if written.is_err() {
        leave(&args.making.out, &store);
    }
    written
}

/// After a failure: what was answered stays for the next try, an empty folder does not.
fn leave(out: &Path, store: &ChunkStore) {
    if store.is_empty() {
        // The error that matters is the first one.
        let _ = std::fs::remove_dir_all(out.join(CHUNKS));
        let _ = std::fs::remove_dir(out);
    } else {
        eprintln!(
            "note: what was answered is kept in {}; the same command goes on from there (delete the folder to begin anew)",
            out.join(CHUNKS).display()
        );
    }
}

fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("importing {bar:30} {pos}/{len} answers, about {eta} left");
    ProgressBar::new(0).with_style(style.expect("the template is well formed"))
}

/// The plan of these arguments: that of an earlier try, if it was of the same, else from the server's now on.
fn plan(args: &ImportPrometheus, server: &Prometheus) -> Result<Plan> {
    let milliseconds = |time: std::time::Duration| time.as_millis() as i64;
    let mut plan = Plan {
        url: server.url().to_owned(),
        service: args.service.service.clone(),
        namespace: args.service.namespace.clone(),
        matchers: args.service.matchers.clone(),
        requests: args.service.requests.clone(),
        since: args.since.clone(),
        until: args.until.clone(),
        step_ms: milliseconds(args.step),
        chunk_ms: milliseconds(args.chunk),
        from_ms: 0,
        rows: 0,
    };
    let earlier = ChunkStore::plan_in(&args.making.out).and_then(|text| serde_json::from_str::<Plan>(&text).ok());
    if let Some(earlier) = earlier {
        let same = Plan { from_ms: earlier.from_ms, rows: earlier.rows, ..plan };
        return Ok(same);
    }
    let there = super::now(server)?;
    let grid = when::grid(&args.since, args.until.as_deref(), plan.step_ms, there)?;
    (plan.from_ms, plan.rows) = (grid.from_ms, grid.rows);
    Ok(plan)
}

/// Rows from the first to the last of which all is known that a run needs.
fn known(found: &Imported, rows: usize) -> Result<Range<usize>> {
    let is_known = |row: &usize| {
        found.requests.rows[*row].is_some() && found.path.as_ref().is_none_or(|path| path.wanted[*row].is_some())
    };
    let has_rows = found.requests.rows.len() == rows;
    let first = (0..rows).find(|row| has_rows && is_known(row));
    let last = (0..rows).rev().find(|row| has_rows && is_known(row));
    let ends = first.zip(last).filter(|(first, last)| first < last).map(|(first, last)| first..last + 1);
    let rows = ends.ok_or_else(|| {
        let reason = "there are no two rows of which requests and replicas are known: the counters have too few samples in this time";
        Failure::input(format!("{}: {reason}", found.service))
    })?;
    if found.requests.rows[rows.clone()].iter().flatten().all(|count| *count <= 0.0) {
        let counters = found.counters.0.join(" + ");
        let reason = "counts no request in this time, so there is nothing to replay; --since and --until say another, --requests another counter";
        return Err(Failure::input(format!("{}: {counters} {reason}", found.service)));
    }
    Ok(rows)
}

fn write(args: &ImportPrometheus, found: &Imported, grid: Grid) -> Result<Outcome> {
    let rows = known(found, grid.rows)?;
    let notes = notes(found, grid, &rows);
    let (from_ms, to_ms) = (grid.at_ms(rows.start), grid.at_ms(rows.end));
    let start_ms = from_ms.max(to_ms - RUN_MAX_MS);
    let cold_start = cold_starts::text(&found.pods);
    let wanted = |row: usize| found.path.as_ref().and_then(|path| path.wanted[row]);
    let recording = Recording {
        title: format!("{} as {} recorded it from {} on", found.service, args.connection.url, shown(start_ms)),
        start: shown(start_ms).trim_end_matches('Z').to_owned(),
        length_s: (to_ms - start_ms) / 1_000,
        start_at_s: (start_ms - from_ms) / 1_000,
        has_path: found.path.is_some(),
        replicas: rows.clone().find_map(wanted).unwrap_or(1),
        cold_start,
        serving: serving::serving(found),
        notes: notes.clone(),
    };
    let mut files = vec![(init::TRAFFIC, tables::traffic(found, grid, rows.clone()))];
    files.extend(found.path.as_ref().map(|path| (init::REPLICAS, tables::replicas(path, grid, rows.clone()))));
    if !found.pods.is_empty() {
        files.push(("pods.csv", tables::pods(&found.pods)));
    }
    let (observed_grid, observed) = &found.observed;
    if !observed.columns.is_empty() {
        files.push(("observed.csv", tables::observed(observed, *observed_grid)));
    }
    let files: Vec<(String, Content)> =
        files.into_iter().map(|(name, text)| (name.to_owned(), Content::Text(text))).collect();
    let as_init = Init {
        manifests: args.manifests.clone(),
        workload: if args.manifests.is_empty() { Vec::new() } else { vec![found.service.clone()] },
        ignore: Vec::new(),
        traffic: None,
        making: args.making.clone(),
    };
    notes.iter().for_each(|note| eprintln!("note: {note}"));
    init::from_recording(&as_init, &found.service, recording, &files)
}

/// What a reader of the recording has to know.
fn notes(found: &Imported, grid: Grid, rows: &Range<usize>) -> Vec<String> {
    let (requests, (counters, counts)) = (&found.requests, &found.counters);
    let total: f64 = requests.rows[rows.clone()].iter().flatten().sum();
    let share = |amount: f64| 100.0 * amount / total.max(1.0);
    let mut notes = vec![format!(
        "{:.0} requests between {} and {}, by {} of {} series, scraped every {}",
        total,
        shown(grid.at_ms(rows.start)),
        shown(grid.at_ms(rows.end)),
        counters.join(" + "),
        requests.series,
        length(requests.interval_ms)
    )];
    if *counts == Some(Counts::Answers) {
        notes.push("the counter counts answers: requests came as much earlier as an answer takes, and those without one are missing".to_owned());
    }
    notes.extend(found.warnings.iter().map(|warning| super::warned(warning)));
    let left = (rows.start, grid.rows - rows.end);
    if left.0 + left.1 > 2 {
        let ends = |count: usize| length(count as i64 * grid.step_ms);
        notes.push(format!(
            "left out, as not all is known there: {} at the start, {} at the end",
            ends(left.0),
            ends(left.1)
        ));
    }
    let inside = |gap: &&(i64, i64)| gap.0 >= grid.at_ms(rows.start) && gap.1 <= grid.at_ms(rows.end);
    let gaps: Vec<&(i64, i64)> = requests.gaps.iter().filter(inside).collect();
    if let Some(first) = gaps.first() {
        let whole = length(gaps.iter().map(|gap| gap.1 - gap.0).sum());
        notes.push(format!(
            "{} gap(s) of {whole} without a scrape, the first at {}: no traffic in the run there; {:.0} requests were counted across them and are in no row",
            gaps.len(),
            shown(first.0),
            requests.lost_in_gaps
        ));
    }
    if share(requests.blurred) >= 0.1 {
        notes.push(format!(
            "{:.1} % of the requests are of pods that missed scrapes while others did not: spread evenly over the time between",
            share(requests.blurred)
        ));
    }
    if !requests.begun_before.is_empty() {
        notes.push(format!(
            "{} series began with more than a scrape's worth of requests, and count from there on: they ran before they were scraped",
            requests.begun_before.len()
        ));
    }
    match &found.path {
        None => notes.push(
            "no kube_deployment_spec_replicas of the service (kube-state-metrics): the recorded replicas are not known, and no policy replays them"
                .to_owned(),
        ),
        Some(path) => {
            let unknown = path.wanted[rows.clone()].iter().filter(|count| count.is_none()).count();
            if unknown > 0 {
                notes.push(format!("replicas are not known in {unknown} of {} rows", rows.len()));
            }
        }
    }
    let started = found.pods.iter().filter(|pod| pod.pull_s().is_some() && pod.load_s().is_some()).count();
    if cold_starts::text(&found.pods).is_none() && found.path.is_some() {
        notes.push(format!("{started} pods show how they started, too few: coldStart is a guess"));
    }
    notes
}
