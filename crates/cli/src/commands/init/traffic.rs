//! What kind of traffic file the user has.

use std::path::Path;

use jiff::civil::DateTime;
use scenario::file::{TraceFile, TraceFormat};
use traces::FileTrace;
use workload::TraceSource;

use super::super::data_files::{file_name, read_text, wrong};
use crate::failure::Result;

/// A traffic file, recognised.
#[derive(Clone, Debug)]
pub struct TrafficChoice {
    /// Name of the copy, below the scenario's folder.
    pub file: String,
    /// What it is.
    pub kind: TrafficKind,
    /// Seconds it covers, at least 1.
    pub length_s: u64,
}

/// The kinds of traffic files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrafficKind {
    /// One row per request.
    Trace {
        /// Rows have tokens.
        has_tokens: bool,
    },
    /// One row per interval.
    Series {
        /// Times are dates.
        is_dated: bool,
        /// Name of the column of values.
        value: String,
        /// Values count requests of an interval, by their name; else they are requests per second.
        is_count: bool,
    },
}

impl TrafficChoice {
    /// Recognises a file.
    pub fn of(path: &Path) -> Result<Self> {
        // In a folder of its own: not everything with a known ending is a manifest.
        let file = format!("traffic/{}", file_name(path));
        let key =
            TraceFile { file: path.display().to_string(), format: TraceFormat::Auto, columns: None, resample: false };
        match FileTrace::load(path, &key) {
            Ok(trace) => Ok(Self {
                file,
                kind: TrafficKind::Trace { has_tokens: trace.has_tokens() },
                length_s: trace.last_ns() / 1_000_000_000 + 1,
            }),
            Err(error) if error.to_string().contains("format not recognised") => Self::series(path, file),
            Err(error) => Err(crate::failure::Failure::input(error)),
        }
    }

    fn series(path: &Path, file: String) -> Result<Self> {
        let text = read_text(path)?;
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let header = lines.next().unwrap_or_default().trim_start_matches('\u{feff}');
        let cell = |line: &str, index: usize| -> Option<String> {
            line.split(',').nth(index).map(|cell| cell.trim().trim_matches('"').to_owned())
        };
        let rows: Vec<&str> = lines.collect();
        let ends = rows.first().zip(rows.last()).and_then(|(first, last)| Some((cell(first, 0)?, cell(last, 0)?)));
        let value = cell(header, 1).filter(|value| !value.is_empty());
        let (Some((first, last)), Some(value)) = (ends, value) else { return Err(unknown(path)) };
        let is_dated = first.parse::<f64>().is_err();
        let length = if is_dated {
            let seconds = |text: &str| text.get(..19)?.replace(' ', "T").parse::<DateTime>().ok();
            seconds(&first).zip(seconds(&last)).map(|(first, last)| last.duration_since(first).as_secs_f64())
        } else {
            first.parse::<f64>().ok().zip(last.parse::<f64>().ok()).map(|(first, last)| last - first)
        };
        let length = length.filter(|seconds| *seconds >= 1.0).ok_or_else(|| unknown(path))?;
        let lower = value.to_lowercase();
        let is_rate = ["per_s", "/s", "rps", "rate", "qps"].iter().any(|word| lower.contains(word));
        Ok(Self { file, kind: TrafficKind::Series { is_dated, value, is_count: !is_rate }, length_s: length as u64 })
    }
}

fn unknown(path: &Path) -> crate::failure::Failure {
    wrong(
        path,
        "neither a trace in a known format nor a CSV of times and values; `scalelab trace convert --arrival COLUMN` makes a trace of any CSV",
    )
}
