//! A run's folder, read back: what a baseline and a difference need of it.

use std::path::Path;

use lab::Runs;
use lab::columns::read_summary;
use record::ReplicationSummary;

use crate::failure::{Failure, Result};

/// What is left of a run in a folder written by `scalelab run`: its replications, and of each policy all of them together.
pub fn runs(folder: &Path) -> Result<Runs> {
    let replications =
        rows(&folder.join("replications.csv"), &["policy", "seed", "digest", "slo_attainment", "cost_usd"])?;
    let summary = folder.join("summary.csv");
    // Folders that were copied in part have the replications at least.
    let pooled = if summary.exists() { rows(&summary, &["policy", "slo_attainment", "cost_usd"])? } else { Vec::new() };
    Ok(Runs { replications, pooled })
}

/// The rows of a table of summaries, which must have the columns `needed`.
fn rows(path: &Path, needed: &[&str]) -> Result<Vec<ReplicationSummary>> {
    let wrong = |problem: String| Failure::input(format!("{}: {problem}", path.display()));
    let mut reader = csv::Reader::from_path(path)
        .map_err(|error| wrong(format!("{error}; a folder written by `scalelab run` has one")))?;
    let names = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
    let missing = needed.iter().find(|needed| names.iter().all(|name| name != **needed));
    if let Some(missing) = missing {
        return Err(wrong(format!("there is no column `{missing}`; is it of `scalelab run`?")));
    }
    let mut rows = Vec::new();
    for (index, record) in reader.records().enumerate() {
        let line = index + 2;
        let record = record.map_err(|error| wrong(error.to_string()))?;
        let cells: Vec<(&str, String)> =
            names.iter().zip(&record).map(|(name, text)| (name, decimal(name, text))).collect();
        let row = read_summary(cells.iter().map(|(name, text)| (*name, text.as_str())));
        rows.push(row.map_err(|error| wrong(format!("line {line}: {error}")))?);
    }
    if rows.is_empty() { Err(wrong("there are no rows".to_owned())) } else { Ok(rows) }
}

/// Digests are written in hexadecimal, as in run.json; everything else is decimal already.
fn decimal(name: &str, text: &str) -> String {
    match (name, u64::from_str_radix(text, 16)) {
        ("digest", Ok(digest)) => digest.to_string(),
        _ => text.to_owned(),
    }
}

/// The columns of the summary by name; the error names the one that is not there and the nearest that is.
pub fn columns(option: &str, names: &[String]) -> Result<Vec<&'static lab::columns::Column>> {
    names.iter().map(|name| column(option, name)).collect()
}

/// One column of the summary by name.
pub fn column(option: &str, name: &str) -> Result<&'static lab::columns::Column> {
    let known = || lab::columns::COLUMNS.iter().map(|column| column.name);
    lab::columns::Column::named(name).ok_or_else(|| {
        let hint = names::nearest(name, known()).map(|near| format!("; did you mean `{near}`?"));
        Failure::input(format!(
            "{option} {name}: no such column{} (one of: {})",
            hint.unwrap_or_default(),
            known().collect::<Vec<_>>().join(", ")
        ))
    })
}
