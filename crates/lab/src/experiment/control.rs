//! The number of requests as a control variate: where traffic is Poisson over a known curve, its mean is known exactly.

use cluster::spec::SimulationSpec;
use record::Interval;
use units::SimTime;
use workload::Traffic;

use super::held::{is_changing, widening};
use super::{Replication, column_interval, replications_needed};
use crate::columns::Column;
use crate::statistics::{Confidence, Controlled, controlled_interval, ratio_influences};

/// The columns that follow the number of requests closely enough to be worth it.
pub const CONTROLLED_COLUMNS: [&str; 5] =
    ["slo_attainment", "latency_ms_mean", "queue_wait_ms_mean", "cost_usd", "cost_serving_usd"];

/// A column with and without the control.
#[derive(Clone, Copy, Debug)]
pub struct ControlledColumn {
    /// Which.
    pub column: &'static Column,
    /// As every table has it.
    pub plain: Interval,
    /// With the number of requests as control.
    pub controlled: Controlled,
}

/// Requests that a replication is expected to have, where the number is random and its mean known: Poisson sources only. A replayed trace has
/// the same number each time, a renewal process an expectation that is known only in the limit, and that of a source times a factor is not
/// worked out. Nor is that of requests that others bring about, by their answers.
pub fn expected_requests(spec: &SimulationSpec) -> Option<f64> {
    fn expected(traffic: &Traffic, from: SimTime, to: SimTime) -> Option<f64> {
        match traffic {
            Traffic::Poisson { rate } => Some(rate.expected_count(from, to)),
            Traffic::Merge(sources) => sources.iter().map(|source| expected(source, from, to)).sum(),
            Traffic::WithTokens { source, .. } => expected(source, from, to),
            Traffic::Renewal { .. }
            | Traffic::Replay { .. }
            | Traffic::Resampled { .. }
            | Traffic::LoadTest(_)
            | Traffic::Sessions { .. }
            | Traffic::Thinned { .. } => None,
        }
    }
    if spec.services.iter().any(|service| service.called_by.is_some()) {
        return None;
    }
    let of_services = spec.services.iter();
    let all: Option<f64> =
        of_services.map(|service| expected(&service.traffic, SimTime::ZERO + spec.warm_up, spec.end)).sum();
    all.filter(|&requests| requests > 0.0)
}

/// The column by regression on the number of requests; `None` where so few replications are not known to give an interval or the column is not one of
/// [`CONTROLLED_COLUMNS`].
pub fn controlled_column(
    column: &'static Column,
    replications: &[Replication],
    expected_requests: f64,
    confidence: Confidence,
) -> Option<ControlledColumn> {
    let is_held = replications.len() as u32 >= replications_needed(column, replications);
    if !CONTROLLED_COLUMNS.contains(&column.name) || !is_held {
        return None;
    }
    let plain = column_interval(column, replications, confidence);
    let confidence = confidence.widened(widening(replications.iter().any(is_changing), replications.len()));
    let requests: Vec<f64> = replications.iter().map(|one| one.summary.requests as f64).collect();
    let figures = figures(column, replications)?;
    let mut controlled = controlled_interval(&figures, &requests, expected_requests, confidence)?;
    if column.name == "slo_attainment" {
        controlled.interval = within_one(controlled.interval);
    }
    Some(ControlledColumn { column, plain, controlled })
}

/// All columns that can be controlled.
pub fn controlled_columns(replications: &[Replication], expected_requests: f64) -> Vec<ControlledColumn> {
    CONTROLLED_COLUMNS
        .iter()
        .filter_map(|name| Column::named(name))
        .filter_map(|column| controlled_column(column, replications, expected_requests, Confidence::P95))
        .collect()
}

/// Per replication a figure whose mean is the estimate: of a ratio the estimate plus the replication's influence on it.
fn figures(column: &Column, replications: &[Replication]) -> Option<Vec<f64>> {
    let ratio = |pairs: Vec<(f64, f64)>| {
        let (ratio, influences) = ratio_influences(&pairs);
        ratio.is_finite().then(|| influences.iter().map(|influence| ratio + influence).collect())
    };
    match column.name {
        "slo_attainment" => ratio(replications.iter().map(|one| (one.slo.met as f64, one.slo.total as f64)).collect()),
        "latency_ms_mean" | "queue_wait_ms_mean" => ratio(
            replications
                .iter()
                .map(|one| {
                    let completed = one.summary.completed as f64;
                    (if completed > 0.0 { column.of(&one.summary) * completed } else { 0.0 }, completed)
                })
                .collect(),
        ),
        _ => Some(replications.iter().map(|one| column.of(&one.summary)).collect()),
    }
}

/// On the logit scale, as without the control: shares near one lean away from it.
fn within_one(interval: Interval) -> Interval {
    let share = interval.mean;
    if share <= 0.0 || share >= 1.0 {
        return Interval { mean: share.clamp(0.0, 1.0), low: interval.low.max(0.0), high: interval.high.min(1.0) };
    }
    let half_width = (interval.high - share) / (share * (1.0 - share));
    let logit = libm::log(share / (1.0 - share));
    let back = |x: f64| 1.0 / (1.0 + libm::exp(-x));
    Interval { mean: share, low: back(logit - half_width), high: back(logit + half_width) }
}
