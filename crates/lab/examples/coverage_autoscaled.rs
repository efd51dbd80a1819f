//! How often 95 % intervals of autoscaled runs hold the truth: `results/evidence/coverage.md`.
//!
//! `coverage_autoscaled [REPLICATIONS] [EXPERIMENTS]` runs every policy of the scenarios in `coverage/` (and of a steady queue beside them) that many
//! times, cuts the replications into experiments of 3, 5, 10, 30 and 100, and prints the page. With `--csv` it prints all columns as rows.

use std::fmt::Write as _;
use std::path::Path;

use cluster::Keep;
use lab::Workers;
use lab::experiment::{CoverageRow, Plan, coverage, run, simulator};
use scenario::Input;

/// Replications of an experiment.
const SIZES: [usize; 5] = [3, 5, 10, 30, 100];

/// Its name, where it is, and what is changed of it.
type Study = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// The steady queue is long enough for a thousand runs to be quick.
const STUDIES: [Study; 4] = [
    ("spot-rate", "examples/coverage/spot-rate.yaml", &[]),
    ("to-zero", "examples/coverage/to-zero.yaml", &[]),
    ("chat-hpa", "examples/coverage/chat-hpa.yaml", &[]),
    ("steady", "examples/coverage/steady.yaml", &[]),
];

fn main() {
    let texts: Vec<String> = std::env::args().skip(1).collect();
    let is_csv = texts.iter().any(|text| text == "--csv");
    let mut numbers =
        texts.iter().filter(|text| *text != "--csv").map(|text| text.parse::<usize>().expect("a whole number"));
    let (replications, experiments) = (numbers.next().unwrap_or(2_000), numbers.next().unwrap_or(1_000));
    let found: Vec<(&str, Vec<CoverageRow>)> =
        STUDIES.iter().map(|study| (study.0, one_study(study, replications, experiments))).collect();
    print!("{}", if is_csv { csv(&found) } else { page(&found, replications, experiments) });
}

fn one_study((_, file, changes): &Study, replications: usize, experiments: usize) -> Vec<CoverageRow> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let documents = traces::read(&[Input::Path(path)]).expect("the scenario is there");
    let changes: Vec<_> = changes.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
    let loaded = documents.load(&changes).expect("the scenario is right");
    let workers = Workers::new(None).expect("there are threads");
    let plan = Plan {
        policies: 2,
        replications: replications as u32,
        seed: loaded.seed,
        keep: Keep::default(),
        progress: &|_| (),
    };
    let results = run(&workers, &plan, &simulator(&loaded.spec));
    let [first, second] = &results.policies[..] else { panic!("a study has two policies") };
    coverage([&first.replications, &second.replications], &SIZES, experiments, loaded.seed)
}

fn csv(found: &[(&str, Vec<CoverageRow>)]) -> String {
    let mut text =
        "scenario,policy,column,replications,experiments,coverage,too_low,half_width_relative,shown\n".to_owned();
    for (scenario, rows) in found {
        for row in rows {
            let CoverageRow { policy, column, replications, experiments, coverage, too_low, half_width, shown } = row;
            let _ = writeln!(
                text,
                "{scenario},{policy},{column},{replications},{experiments},{coverage:.4},{too_low:.4},{half_width:.5},{shown:.4}"
            );
        }
    }
    text
}

/// The page: a table per scenario, a row per policy and column, a cell per number of replications. What is not shown is in brackets.
fn page(found: &[(&str, Vec<CoverageRow>)], replications: usize, experiments: usize) -> String {
    let mut text = format!(
        "# Do 95 % intervals of autoscaled runs hold the truth in 95 % of cases?

{replications} replications of each policy, cut at random into {experiments} experiments of n replications; the truth is the figure of all of them together. A cell is the
share of intervals that hold it, and their mean half-width over the truth. **Bold: shown.** In brackets: not shown, for so many replications are not
known to give an interval that holds (`scalelab run` says how many are). `outside` counts what is shown and not within 92 to 98 %.

```
cargo run --release -p lab --example coverage_autoscaled -- {replications} {experiments} > results/evidence/coverage.md
```
"
    );
    let (mut shown, mut outside) = (0, Vec::new());
    for (scenario, rows) in found {
        let _ = write!(text, "\n## {scenario}\n\n| policy | column |");
        SIZES.iter().for_each(|size| text += &format!(" n = {size} |"));
        text += &format!("\n| --- | --- |{}\n", " --- |".repeat(SIZES.len()));
        let mut keys: Vec<(&str, &str)> = Vec::new();
        for row in rows {
            let key = (row.policy.as_str(), row.column.as_str());
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        for (policy, column) in keys {
            let _ = write!(
                text,
                "| {policy} | {} |",
                if PRINTED.contains(&column) { format!("**{column}**") } else { column.to_owned() }
            );
            for size in SIZES {
                let found = rows
                    .iter()
                    .find(|row| (row.policy.as_str(), row.column.as_str(), row.replications) == (policy, column, size));
                let Some(row) = found.filter(|row| !row.coverage.is_nan()) else {
                    text += " |";
                    continue;
                };
                let cell = format!("{:.1} % (±{:.1} %)", row.coverage * 100.0, row.half_width * 100.0);
                let is_shown = row.shown > 0.5;
                text += &if is_shown { format!(" **{cell}** |") } else { format!(" [{cell}] |") };
                if is_shown && PRINTED.contains(&column) {
                    shown += 1;
                    if !(0.92..=0.98).contains(&row.coverage) {
                        outside.push(format!("{scenario} {policy} {column} n = {size}: {:.1} %", row.coverage * 100.0));
                    }
                }
            }
            text.push('\n');
        }
    }
    let _ = write!(
        text,
        "\n## What a run prints\n\nOf {shown} intervals of the columns in bold that are shown, {} are outside 92 to 98 %:\n\n",
        outside.len()
    );
    outside.iter().for_each(|one| text += &format!("- {one}\n"));
    text
}

/// Columns whose intervals a run prints; the others are for gates.
const PRINTED: [&str; 7] = [
    "slo_attainment",
    "cost_usd",
    "latency_ms_mean",
    "latency_ms_p99",
    "latency_ms_p99_all",
    "cost_usd difference",
    "slo_attainment difference",
];
