//! Rows of a sweep as columns, ready for CSV, Parquet or a data frame.

use record::ReplicationSummary;

use super::SweepRow;
use crate::columns::COLUMNS;
use crate::design::{Parameter, Value};

/// The cells of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// Words.
    Text(Vec<String>),
    /// Numbers; NaN where there is none.
    Number(Vec<f64>),
    /// Whole numbers.
    Whole(Vec<u64>),
}

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub struct TableColumn {
    /// Name.
    pub name: String,
    /// Cells, one per row.
    pub cells: Cells,
}

pub(super) fn columns(parameters: &[Parameter], rows: &[SweepRow]) -> Vec<TableColumn> {
    let column = |name: &str, cells: Cells| TableColumn { name: name.to_owned(), cells };
    // A line per run and, where there are several, per service of it.
    let lines: Vec<(&SweepRow, &ReplicationSummary)> =
        rows.iter().flat_map(|row| row.parts().map(move |(_, summary)| (row, summary))).collect();
    let whole = |value: fn(&SweepRow) -> u64| Cells::Whole(lines.iter().map(|(row, _)| value(row)).collect());
    let mut columns = vec![column("point", whole(|row| row.point as u64))];
    for (index, parameter) in parameters.iter().enumerate() {
        let texts = lines.iter().map(|(row, _)| row.settings[index].clone()).collect();
        columns.push(column(&parameter.name, parameter_cells(texts)));
    }
    columns.push(column("policy", Cells::Text(lines.iter().map(|(row, _)| row.summary.policy.clone()).collect())));
    if rows.iter().any(|row| !row.services.is_empty()) {
        columns.push(column("service", Cells::Text(lines.iter().map(|(_, one)| one.service.clone()).collect())));
    }
    columns.push(column("replication", whole(|row| u64::from(row.summary.replication))));
    columns.push(column("seed", whole(|row| row.summary.seed)));
    columns.push(column("digest", whole(|row| row.summary.digest)));
    for one in COLUMNS {
        let values = lines.iter().map(|(_, summary)| one.of(summary));
        let is_whole = one.is_whole() && values.clone().all(f64::is_finite);
        // A service has no part of what is the cluster's: not none of it.
        let is_partial = one.is_of_the_cluster() && lines.iter().any(|(_, summary)| !summary.service.is_empty());
        let cells = if is_partial {
            let part = |(_, summary): &(&SweepRow, &ReplicationSummary)| {
                if summary.service.is_empty() { one.of(summary) } else { f64::NAN }
            };
            Cells::Number(lines.iter().map(part).collect())
        } else if is_whole {
            Cells::Whole(values.map(|value| value as u64).collect())
        } else {
            Cells::Number(values.collect())
        };
        columns.push(column(one.name, cells));
    }
    columns
}

/// Numbers if every text is one; times in seconds and sizes in bytes, so that `90s` and `2m` can be plotted on one axis.
fn parameter_cells(texts: Vec<String>) -> Cells {
    let numbers: Vec<f64> = texts.iter().map(|text| Value::new(text.clone()).number).collect();
    if numbers.iter().any(|number| number.is_nan()) { Cells::Text(texts) } else { Cells::Number(numbers) }
}
