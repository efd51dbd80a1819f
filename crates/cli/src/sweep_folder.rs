//! What a sweep's folder holds besides its journal: tables, plots, and what it takes to repeat it.

use std::path::Path;

use lab::columns::Column;
use lab::design::Value;
use lab::gates::figure;
use lab::sweep::{Cells, PointEstimate, SweepResults};
use report::{SweepPoint, SweepReport, SweepValue, Table};
use serde::{Deserialize, Serialize};

use crate::args::Format;
use crate::failure::{Failure, OrEnvironment, Result};
use crate::grid::Grid;

/// Its file that says where it came from.
pub const SWEEP_FILE: &str = "sweep.json";
/// Most rows of the front that are printed.
const FRONT_MAX: usize = 12;

/// `sweep.json`: where a sweep came from.
#[derive(Debug, Serialize, Deserialize)]
pub struct SweepFile {
    /// Version of scalelab.
    pub version: String,
    /// The command line.
    pub command: Vec<String>,
    /// The sweep as it was written.
    pub sweep: String,
    /// The scenario on a command line, as one writes it where the sweep was started.
    #[serde(default)]
    pub scenario: String,
    /// SLO objective of the scenario as it is; none where several services have their own.
    pub objective: Option<f64>,
    /// Wall time in seconds, of the last part if it was resumed.
    pub wall_time_s: f64,
    /// Threads used.
    pub jobs: usize,
}

impl SweepFile {
    /// Reads the one in `folder`.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(SWEEP_FILE);
        let wrong = |problem: String| Failure::input(format!("{}: {problem}", path.display()));
        let text = std::fs::read_to_string(&path)
            .map_err(|error| wrong(format!("{error}; a folder written by `scalelab sweep` has one")))?;
        serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
    }

    /// Writes it into `folder`.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(self).or_environment("writing sweep.json")?;
        let path = folder.join(SWEEP_FILE);
        report::write_atomically(&path, json.as_bytes()).or_environment(&format!("writing {}", path.display()))
    }
}

/// The sweep's page, from its journal.
pub fn page(results: &SweepResults, file: &SweepFile) -> Vec<u8> {
    with_report(results, file, report::sweep_html)
}

/// Writes `results.csv`, `results.parquet`, plots, `report.html` and `sweep.json`. Plots of fewer runs, by a process that was interrupted, go.
pub fn write(folder: &Path, results: &SweepResults, file: &SweepFile) -> Result<()> {
    let table = table(results);
    let mut files =
        vec![("results.csv".to_owned(), table.to_csv()), ("results.parquet".to_owned(), table.to_parquet())];
    files.extend(with_report(results, file, report::sweep_files));
    let writing = format!("writing {}", folder.display());
    let place = report::ResultFolder::prepare(folder).or_environment(&writing)?;
    report::write_all(folder, &files).or_environment(&writing)?;
    place.remove_others(&[], &files).or_environment(&writing)?;
    file.write(folder)
}

/// One row per point, policy and replication. Digests in hexadecimal, as everywhere.
pub fn table(results: &SweepResults) -> Table {
    results.table().into_iter().fold(Table::default(), |table, column| match (column.name.as_str(), column.cells) {
        ("digest", Cells::Whole(digests)) => {
            table.text("digest", digests.iter().map(|digest| format!("{digest:016x}")))
        }
        (name, Cells::Whole(numbers)) => table.count(name, numbers.into_iter()),
        (name, Cells::Number(numbers)) => table.number(name, numbers.into_iter()),
        (name, Cells::Text(texts)) => table.text(name, texts.iter()),
    })
}

/// The sweep as `report` takes it; `with` gets it because it borrows from here.
fn with_report<T>(results: &SweepResults, file: &SweepFile, with: impl FnOnce(&SweepReport<'_>) -> T) -> T {
    let (costs, shares) = (estimates(results, "cost_usd"), estimates(results, "slo_attainment"));
    let place = |policy: &str| results.policies.iter().position(|name| name == policy).unwrap_or_default();
    let value = |text: &String| SweepValue { text: text.clone(), number: Value::new(text.clone()).number };
    let points: Vec<SweepPoint> = costs
        .iter()
        .zip(&shares)
        .map(|(cost, share)| SweepPoint {
            settings: cost.settings.iter().map(value).collect(),
            policy: place(&cost.policy),
            cost_usd: cost.estimate,
            slo_attainment: share.estimate,
        })
        .collect();
    let parameters: Vec<String> = results.parameters.iter().map(|parameter| parameter.name.clone()).collect();
    let paths: Vec<String> = results.parameters.iter().map(|parameter| parameter.path.clone()).collect();
    with(&SweepReport {
        name: &results.name,
        parameters: &parameters,
        policies: &results.policies,
        points: &points,
        replications: costs.iter().map(|cost| cost.replications).max().unwrap_or(0),
        objective: file.objective,
        command: &format!("scalelab run {}", file.scenario),
        paths: &paths,
    })
}

fn estimates(results: &SweepResults, column: &str) -> Vec<PointEstimate> {
    results.estimates(Column::named(column).expect("this is a column of the summary"))
}

/// The points that no other one beats in both cost and attainment, cheapest first, as a table for people, and which to choose.
pub fn front(results: &SweepResults, file: &SweepFile) -> String {
    let (costs, shares) = (estimates(results, "cost_usd"), estimates(results, "slo_attainment"));
    let mut points: Vec<(&PointEstimate, &PointEstimate)> =
        costs.iter().zip(&shares).filter(|(_, share)| share.estimate.mean.is_finite()).collect();
    points.sort_by(|a, b| {
        let by_cost = a.0.estimate.mean.total_cmp(&b.0.estimate.mean);
        by_cost.then(b.1.estimate.mean.total_cmp(&a.1.estimate.mean))
    });
    let mut best = f64::NEG_INFINITY;
    points.retain(|(_, share)| {
        let is_better = share.estimate.mean > best;
        best = best.max(share.estimate.mean);
        is_better
    });
    let names = results.parameters.iter().map(|parameter| parameter.name.as_str());
    let head: Vec<&str> =
        ["policy"].into_iter().chain(names).chain(["cost_usd", "slo_attainment", "interval"]).collect();
    let mut grid = Grid::new(&head, 1);
    let (dollars, share) = (lab::columns::Unit::Dollars, lab::columns::Unit::Share);
    for (cost, attainment) in points.iter().take(FRONT_MAX) {
        let interval = attainment.estimate;
        let bounds = if interval.low.is_nan() {
            "none".to_owned()
        } else {
            format!("{} to {}", figure(share, interval.low), figure(share, interval.high))
        };
        let mut cells = vec![cost.policy.clone()];
        cells.extend(cost.settings.iter().cloned());
        cells.extend([figure(dollars, cost.estimate.mean), figure(share, interval.mean), bounds]);
        grid.row(cells);
    }
    let more = points.len().saturating_sub(FRONT_MAX);
    let more = if more > 0 { format!("and {more} more\n") } else { String::new() };
    let verdict = with_report(results, file, report::sweep_sentences);
    let verdict: String = verdict.iter().map(|line| format!("{line}\n")).collect();
    format!("nothing beats these in both cost and SLO attainment:\n\n{}{more}\n{verdict}", grid.render(Format::Table))
}
