//! A run's folder, read back: what a baseline and a difference need of it.

use std::path::Path;

use lab::columns::read_summary;
use record::ReplicationSummary;

use crate::failure::{Failure, Result};

/// The table of replications in a folder written by `scalelab run`.
pub fn replications(folder: &Path) -> Result<Vec<ReplicationSummary>> {
    let path = folder.join("replications.csv");
    let wrong = |problem: String| Failure::input(format!("{}: {problem}", path.display()));
    let mut reader = csv::Reader::from_path(&path)
        .map_err(|error| wrong(format!("{error}; a folder written by `scalelab run` has one")))?;
    let names = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
    let missing = ["policy", "seed", "digest", "slo_attainment", "cost_usd"]
        .into_iter()
        .find(|needed| names.iter().all(|name| name != *needed));
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
