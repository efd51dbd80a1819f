//! Batch latency from Triton's perf_analyzer.

use super::solve::nonnegative_least_squares;
use crate::{CalibrateError, yaml};

const WHAT: &str = "perf_analyzer CSV";

/// Execution time of batches of one size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchRun {
    /// Requests per batch.
    pub batch: u32,
    /// Execution time in seconds.
    pub latency_s: f64,
    /// Queueing before it in seconds, for information.
    pub queue_s: f64,
}

/// Execution time of a batch of n requests: base + n · per request.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchingFit {
    /// Fixed part in seconds.
    pub base_s: f64,
    /// Part per request in seconds.
    pub per_request_s: f64,
    /// Mean latency by batch size, ascending.
    pub points: Vec<(u32, f64)>,
    /// Greatest relative distance of a point from the line.
    pub error_max: f64,
    /// What the reader of the result should know.
    pub notes: Vec<String>,
}

/// Reads a perf_analyzer CSV made with `-b batch` (the file does not say). Execution is its three compute columns (or the one of older
/// releases), in microseconds; one run per row.
pub fn triton_perf_analyzer(text: &str, batch: u32) -> Result<Vec<BatchRun>, CalibrateError> {
    let json = |error: csv::Error| CalibrateError::Json { what: WHAT, reason: error.to_string() };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(json)?.clone();
    let column = |name: &'static str| header.iter().position(|found| found == name);
    let compute: Vec<usize> = match column("Server Compute") {
        Some(all) => vec![all],
        None => ["Server Compute Input", "Server Compute Infer", "Server Compute Output"]
            .into_iter()
            .filter_map(column)
            .collect(),
    };
    if column("Server Compute").is_none() && column("Server Compute Infer").is_none() {
        let found = header.iter().collect::<Vec<_>>().join(", ");
        return Err(CalibrateError::MissingColumn { what: WHAT, column: "Server Compute Infer", found });
    }
    let queue = column("Server Queue");
    let mut runs = Vec::new();
    for record in reader.records() {
        let record = record.map_err(json)?;
        let line = record.position().map_or(0, csv::Position::line);
        let seconds = |index: usize| {
            record[index].parse::<f64>().map(|micros| micros / 1e6).map_err(|_| CalibrateError::Field {
                what: WHAT,
                field: format!("{} of line {line}", &header[index]),
                found: format!("`{}`", &record[index]),
                expected: "microseconds",
            })
        };
        let latency_s = compute.iter().map(|index| seconds(*index)).sum::<Result<f64, _>>()?;
        runs.push(BatchRun { batch, latency_s, queue_s: queue.map_or(Ok(0.0), seconds)? });
    }
    Ok(runs)
}

/// Fits the line through the mean latency of each batch size by least squares of relative errors. One size alone gives a time per
/// request: nothing says how it divides.
pub fn batching(runs: &[BatchRun]) -> Result<BatchingFit, CalibrateError> {
    let mut batches: Vec<u32> = runs.iter().map(|run| run.batch).collect();
    batches.sort_unstable();
    batches.dedup();
    let mean = |batch: u32| {
        let of_batch: Vec<f64> = runs.iter().filter(|run| run.batch == batch).map(|run| run.latency_s).collect();
        (batch, of_batch.iter().sum::<f64>() / of_batch.len() as f64)
    };
    let points: Vec<(u32, f64)> = batches.into_iter().map(mean).collect();
    if points.is_empty()
        || points.iter().any(|(batch, latency)| *batch == 0 || !(latency.is_finite() && *latency > 0.0))
    {
        return Err(CalibrateError::Nothing {
            what: WHAT,
            reason: "no run with a batch size and a compute time".to_owned(),
        });
    }
    let rows: Vec<Vec<f64>> =
        points.iter().map(|(batch, latency)| vec![1.0 / latency, f64::from(*batch) / latency]).collect();
    let mut notes = Vec::new();
    let (base_s, per_request_s) = if let [(batch, latency)] = points[..] {
        notes.push(format!(
            "all runs have batch size {batch}: all of their time is taken as fixed; measure a second size"
        ));
        (latency, 0.0)
    } else {
        let found = nonnegative_least_squares(&rows, &vec![1.0; rows.len()]);
        (found[0], found[1])
    };
    let error_max = points
        .iter()
        .map(|(batch, latency)| ((base_s + per_request_s * f64::from(*batch)) / latency - 1.0).abs())
        .fold(0.0, f64::max);
    if error_max > 0.1 {
        notes.push(format!("the line misses a point by {:.0} %: use `points`", error_max * 100.0));
    }
    Ok(BatchingFit { base_s, per_request_s, points, error_max, notes })
}

impl BatchingFit {
    /// The `service.model` section of a scenario: the line if it is within 10 % of every point, else the points.
    pub fn yaml(&self) -> String {
        let batch_max = self.points.last().map_or(1, |point| point.0);
        let latency = if self.error_max <= 0.1 {
            format!("{{affine: {{base: {}, perRequest: {}}}}}", yaml::time(self.base_s), yaml::time(self.per_request_s))
        } else {
            let points: Vec<String> = self
                .points
                .iter()
                .map(|(batch, latency)| format!("{{batch: {batch}, latency: {}}}", yaml::time(*latency)))
                .collect();
            format!("{{points: [{}]}}", points.join(", "))
        };
        let notes: String = self.notes.iter().flat_map(|note| ["# ", note, "\n"]).collect();
        format!(
            "{notes}service:\n  model:\n    dynamicBatching:\n      batchMax: {batch_max}\n      latency: {latency}\n"
        )
    }
}
