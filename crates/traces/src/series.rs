//! A recorded rate: times and values of a table.

use std::path::Path;

use scenario::file::RateSeriesFile;
use scenario::{RateRow, ScenarioError};

use crate::line::{find, time_ns};
use crate::table::Table;
use crate::text::shortened;

/// Reads a CSV or Parquet file of times and values. Quoted, empty and filtered rows are understood; rows must be in order of time.
pub fn rates(path: &Path, file: &RateSeriesFile) -> Result<Vec<RateRow>, ScenarioError> {
    let table = Table::read(path)?;
    let name = path.display().to_string();
    let bad_file = |reason: String| ScenarioError::BadFile { file: name.clone(), reason };
    let names: Vec<&str> = table.names.iter().map(String::as_str).collect();
    let column = |wanted: &Option<String>, default: usize| match wanted {
        Some(wanted) => find(&names, wanted),
        None if default < names.len() => Ok(default),
        None => Err(format!("only {} columns; a time and a value are needed", names.len())),
    };
    let every_ns = file.every.map(|every| every.duration().as_nanos() as i64);
    let columns = match every_ns {
        None => [column(&file.time, 0).map_err(bad_file)?, column(&file.value, 1).map_err(bad_file)?],
        Some(_) if file.time.is_some() => {
            return Err(bad_file("has its times by `time` or by `every`, not by both".to_owned()));
        }
        Some(0) => return Err(bad_file("`every` is 0; rows must be some time apart".to_owned())),
        Some(_) => [column(&file.value, 0).map_err(bad_file)?; 2],
    };
    let mut filters = Vec::new();
    for (wanted, value) in &file.filter {
        filters.push((find(&names, wanted).map_err(bad_file)?, value.as_str()));
    }
    let mut rows: Vec<RateRow> = Vec::new();
    let mut take = |number: u64, [time, value]: [&str; 2], unit| {
        let at_ns = match every_ns {
            Some(every_ns) => Ok(rows.len() as i64 * every_ns),
            None => time_ns(time.as_bytes(), unit).ok_or_else(|| format!("`{}` is not a time", shortened(time))),
        };
        let row = at_ns.and_then(|at_ns| match rows.last() {
            Some(last) if at_ns <= last.at_ns => {
                Err("is not later than the row above; rows must be in order of time".to_owned())
            }
            _ => Ok(RateRow { at_ns, value: rate(value)? }),
        });
        let row = row.map_err(|reason| ScenarioError::BadRow { file: name.clone(), row: number, reason })?;
        rows.push(row);
        Ok(())
    };
    table.each_row(columns, &filters, file.time_unit, &mut take)?;
    if rows.len() < 2 {
        return Err(bad_file("needs at least two rows of values".to_owned()));
    }
    Ok(rows)
}

/// The value of a row; nothing is a gap.
fn rate(value: &str) -> Result<Option<f64>, String> {
    let value = value.trim();
    if value.is_empty() || value == "NaN" {
        return Ok(None);
    }
    match value.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(Some(number)),
        _ => Err(format!("`{}` is not a number of 0 or more", shortened(value))),
    }
}
