//! How often 95 % intervals of autoscaled runs hold the truth: `results/evidence/coverage.md` and `coverage.csv`.
//!
//! `coverage_autoscaled REPLICATIONS EXPERIMENTS FOLDER [SCENARIO]...` runs both policies of each scenario beside this file that many times, deals the
//! replications out to as many experiments each of 2 to 100, and writes the page and all columns as rows. `RAYON_NUM_THREADS=1` keeps it to one core; with
//! `COVERAGE_KEPT=DIR` the replications are kept there and read instead of run when they are there.

mod kept;
mod page;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use cluster::Keep;
use lab::Workers;
use lab::experiment::{CoverageRow, Plan, Replication, coverage, expected_requests, run, simulator};
use scenario::{Input, Loaded};

/// Replications of an experiment.
const SIZES: [usize; 6] = [2, 3, 5, 10, 30, 100];
/// Autoscaled ones, and a queue beside them that nothing scales.
const SCENARIOS: [&str; 4] = ["spot-rate", "to-zero", "chat-hpa", "steady"];

/// One scenario's answer.
struct Study {
    scenario: &'static str,
    rows: Vec<CoverageRow>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [replications, experiments, folder, wanted @ ..] = &arguments[..] else {
        panic!("coverage_autoscaled REPLICATIONS EXPERIMENTS FOLDER [SCENARIO]...");
    };
    let [replications, experiments] = [replications, experiments].map(|text| text.parse().expect("a whole number"));
    let is_wanted = |name: &&str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    let scenarios = SCENARIOS.into_iter().filter(is_wanted);
    let studies: Vec<Study> = scenarios.map(|name| study(name, replications, experiments)).collect();
    let write = |name: &str, text: String| std::fs::write(Path::new(folder).join(name), text).expect("it is written");
    write("coverage.csv", csv(&studies));
    write("coverage.md", page::page(&studies, replications, experiments));
}

fn study(scenario: &'static str, replications: usize, experiments: usize) -> Study {
    let begun = Instant::now();
    let kept = std::env::var_os("COVERAGE_KEPT").map(|folder| Path::new(&folder).join(scenario));
    let documents = traces::read(&[Input::Path(file(scenario).into())]).expect("the scenario is there");
    let loaded = documents.load(&[]).expect("the scenario is right");
    let found = kept.as_ref().and_then(|path| kept::read(path, replications));
    let [first, second] = found.unwrap_or_else(|| {
        let both = runs(&loaded, replications);
        if let Some(path) = &kept {
            kept::write(path, [&both[0], &both[1]]).expect("it is kept");
        }
        both
    });
    eprintln!("{scenario}: {replications} replications of 2 policies after {:.0?}", begun.elapsed());
    let rows = coverage([&first, &second], &SIZES, experiments, expected_requests(&loaded.spec));
    eprintln!("{scenario}: dealt out after {:.0?}", begun.elapsed());
    Study { scenario, rows }
}

fn file(scenario: &str) -> String {
    format!("{}/examples/coverage_autoscaled/{scenario}.yaml", env!("CARGO_MANIFEST_DIR"))
}

fn runs(loaded: &Loaded, replications: usize) -> [Vec<Replication>; 2] {
    let workers = Workers::new(None).expect("there are threads");
    let plan = Plan {
        policies: 2,
        replications: replications as u32,
        seed: loaded.seed,
        keep: Keep::default(),
        progress: &|_| (),
    };
    let results = run(&workers, &plan, &simulator(&loaded.spec));
    let mut policies = results.policies.into_iter().map(|policy| policy.replications);
    [(); 2].map(|()| policies.next().expect("a study has two policies"))
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
