//! How often 95 % intervals of autoscaled runs hold the truth: `results/evidence/coverage.md`.
//!
//! `coverage_autoscaled [REPLICATIONS] [EXPERIMENTS]` runs every policy of the scenarios in `coverage/` (and of a steady queue beside them) that many
//! times, cuts the replications into experiments of 3, 5, 10 and 30, and prints the page. With `--csv` it prints all columns as rows.

use std::fmt::Write as _;
use std::path::Path;

use cluster::Keep;
use lab::Workers;
use lab::experiment::{CoverageRow, Plan, coverage, run, simulator};
use scenario::{Documents, Input};

/// Replications of an experiment.
const SIZES: [usize; 4] = [3, 5, 10, 30];

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
    let documents = Documents::read(&[Input::Path(path)]).expect("the scenario is there");
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
    let mut text = "scenario,policy,column,replications,experiments,coverage,too_low,half_width_relative,shown\n".to_owned();
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

fn page(_found: &[(&str, Vec<CoverageRow>)], _replications: usize, _experiments: usize) -> String {
    String::new()
}
