//! A recorded rate.

use std::path::Path;

use crate::error::ScenarioError;
use crate::file::{RateSeriesFile, SeriesUnit};

use super::line::{find, time_ns};
use super::table::Table;

/// Rates by time, each holding until the next.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Seconds from the first row, ascending.
    times: Vec<f64>,
    /// Requests per second from that time on; `None` is a gap.
    rates: Vec<Option<f64>>,
    /// Where the last row ends: one usual interval after its time.
    end: f64,
    /// How far rows usually are apart, in seconds: the median.
    interval: f64,
}

impl Series {
    /// Reads a CSV or Parquet file of times and values. Quoted, empty and filtered rows are understood; rows must be in order of time.
    pub fn load(path: &Path, file: &RateSeriesFile) -> Result<Self, ScenarioError> {
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
        let mut rows: Vec<(i64, Option<f64>)> = Vec::new();
        let mut take = |number: u64, [time, value]: [&str; 2], unit| {
            let at_ns = match every_ns {
                Some(every_ns) => Ok(rows.len() as i64 * every_ns),
                None => time_ns(time.as_bytes(), unit).ok_or_else(|| format!("`{time}` is not a time")),
            };
            let row = at_ns.and_then(|at_ns| match rows.last() {
                Some(last) if at_ns <= last.0 => {
                    Err("is not later than the row above; rows must be in order of time".to_owned())
                }
                _ => Ok((at_ns, rate(value)?)),
            });
            let row = row.map_err(|reason| ScenarioError::BadRow { file: name.clone(), row: number, reason })?;
            rows.push(row);
            Ok(())
        };
        table.each_row(columns, &filters, file.time_unit, &mut take)?;
        if rows.len() < 2 {
            return Err(bad_file("needs at least two rows of values".to_owned()));
        }
        Ok(Self::from_rows(&rows, file.value_unit))
    }

    fn from_rows(rows: &[(i64, Option<f64>)], unit: SeriesUnit) -> Self {
        let origin_ns = rows[0].0;
        let times: Vec<f64> = rows.iter().map(|row| (row.0 - origin_ns) as f64 / 1e9).collect();
        let mut gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let middle = gaps.len() / 2;
        let (_, usual, _) = gaps.select_nth_unstable_by(middle, f64::total_cmp);
        let interval = *usual;
        let end = times[times.len() - 1] + interval;
        let rates = rows.iter().enumerate().map(|(index, (_, value))| {
            let until = times.get(index + 1).copied().unwrap_or(end);
            value.map(|value| match unit {
                SeriesUnit::PerSecond => value,
                SeriesUnit::PerInterval => value / (until - times[index]),
            })
        });
        Self { rates: rates.collect(), end, interval, times }
    }

    /// How far rows usually are apart, in seconds.
    pub fn interval(&self) -> f64 {
        self.interval
    }

    /// Requests per second at `t` seconds from the first row; `None` in gaps and outside.
    pub fn rate_at(&self, t: f64) -> Option<f64> {
        if t >= self.end {
            return None;
        }
        let next = self.times.partition_point(|time| *time <= t);
        self.rates[next.checked_sub(1)?]
    }
}

/// The value of a row; nothing is a gap.
fn rate(value: &str) -> Result<Option<f64>, String> {
    let value = value.trim();
    if value.is_empty() || value == "NaN" {
        return Ok(None);
    }
    match value.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(Some(number)),
        _ => Err(format!("`{value}` is not a number of 0 or more")),
    }
}
