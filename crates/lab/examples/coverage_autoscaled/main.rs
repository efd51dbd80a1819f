//! How often 95 % intervals of autoscaled runs hold the truth: `results/evidence/coverage.md` and `coverage.csv`.
//!
//! `coverage_autoscaled EXPERIMENTS FOLDER [SCENARIO]...` runs both policies of each scenario beside this file thirty times as often as there shall be
//! experiments, deals the replications out to experiments of 2 to 100, and writes the page and all columns as rows. `RAYON_NUM_THREADS=1` keeps it to one core.

mod page;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use cluster::Keep;
use lab::Workers;
use lab::experiment::{CoverageRow, Plan, coverage, run, simulator};
use scenario::Input;

/// Replications of an experiment.
const SIZES: [usize; 6] = [2, 3, 5, 10, 30, 100];
/// Replications of each policy over experiments: of up to so many replications experiments share none.
const REPLICATIONS_PER_EXPERIMENT: usize = 30;
/// Autoscaled ones, and a queue beside them that nothing scales.
const SCENARIOS: [&str; 4] = ["spot-rate", "to-zero", "chat-hpa", "steady"];

/// One scenario's answer.
struct Study {
    scenario: &'static str,
    rows: Vec<CoverageRow>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [experiments, folder, wanted @ ..] = &arguments[..] else {
        panic!("coverage_autoscaled EXPERIMENTS FOLDER [SCENARIO]...");
    };
    let experiments: usize = experiments.parse().expect("a whole number of experiments");
    let is_wanted = |name: &&str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    let studies: Vec<Study> = SCENARIOS.into_iter().filter(is_wanted).map(|name| study(name, experiments)).collect();
    let write =
        |name: &str, text: String| std::fs::write(Path::new(folder).join(name), text).expect("it can be written");
    write("coverage.csv", csv(&studies));
    write("coverage.md", page::page(&studies, experiments));
}

fn study(scenario: &'static str, experiments: usize) -> Study {
    let begun = Instant::now();
    let file = format!("{}/examples/coverage_autoscaled/{scenario}.yaml", env!("CARGO_MANIFEST_DIR"));
    let documents = traces::read(&[Input::Path(file.into())]).expect("the scenario is there");
    let loaded = documents.load(&[]).expect("the scenario is right");
    let workers = Workers::new(None).expect("there are threads");
    let replications = experiments * REPLICATIONS_PER_EXPERIMENT;
    let plan = Plan {
        policies: 2,
        replications: replications as u32,
        seed: loaded.seed,
        keep: Keep::default(),
        progress: &|_| (),
    };
    let results = run(&workers, &plan, &simulator(&loaded.spec));
    let [first, second] = &results.policies[..] else { panic!("a study has two policies") };
    eprintln!("{scenario}: {replications} replications of 2 policies in {:.0?}", begun.elapsed());
    let rows = coverage([&first.replications, &second.replications], &SIZES, experiments, loaded.seed);
    eprintln!("{scenario}: dealt out after {:.0?}", begun.elapsed());
    Study { scenario, rows }
}

fn csv(studies: &[Study]) -> String {
    let mut text =
        "scenario,policy,column,replications,experiments,coverage,too_low,too_high,half_width_relative,shown,\
                    coverage_shown,stretch_92,stretch_95,stretch_98\n"
            .to_owned();
    for study in studies {
        for row in &study.rows {
            let CoverageRow { policy, column, replications, experiments, .. } = row;
            let _ = write!(text, "{},{policy},{column},{replications},{experiments}", study.scenario);
            let figures =
                [row.coverage, row.too_low, row.too_high, row.half_width, row.shown, row.coverage_shown].into_iter();
            figures.chain(row.stretch).for_each(|figure| {
                let _ = write!(text, ",{figure:.4}");
            });
            text.push('\n');
        }
    }
    text
}
