//! Scales that all policies of a report share, so that the same height means the same in each of their plots.

use record::TimelineRow;

use super::condense::condensed;
use super::scale::{Scale, extent};
use crate::RunReport;

/// What the axes over time must reach.
pub(super) struct Shared {
    pub traffic: Scale,
    pub replicas: Scale,
    pub queue: Scale,
    pub latency: Scale,
    pub spending: Scale,
}

impl Shared {
    /// Over all policies, with at most `points` a line, and the threshold of the latency in milliseconds.
    pub fn of(report: &RunReport<'_>, judged: &Judged, points: usize) -> Self {
        let lines: Vec<Vec<TimelineRow>> =
            report.policies.iter().map(|policy| condensed(&policy.detail.timeline(), points)).collect();
        let largest =
            |value: fn(&TimelineRow) -> f64| extent(lines.iter().flatten().map(value)).map_or(1.0, |range| range.1);
        let rate = |row: &TimelineRow| row.arrivals.max(row.slo_misses) as f64 / row.step.as_secs_f64();
        let replicas =
            |row: &TimelineRow| f64::from(row.desired.max(row.ready + row.starting + row.standby + row.draining));
        let nanos = lines.iter().flatten().flat_map(|row| [(judged.p50)(row), (judged.p99)(row)]).flatten();
        let dearest = extent(lines.iter().flat_map(|rows| dollars_per_hour(rows)).map(|(_, dollars)| dollars));
        Self {
            traffic: Scale::from_zero(largest(rate)),
            replicas: Scale::whole_from_zero(largest(replicas)),
            queue: Scale::Count { high: (largest(|row| row.queue.max(row.in_flight) as f64) * 1.3).max(10.0) },
            latency: Scale::log_over(nanos.map(|nanos| nanos as f64 / 1e6).chain(judged.threshold)),
            spending: Scale::from_zero(dearest.map_or(1.0, |range| range.1)),
        }
    }
}

/// The latency that is drawn: that which the SLO is about.
pub(super) struct Judged {
    /// As a panel's title begins.
    pub name: &'static str,
    pub p50: fn(&TimelineRow) -> Option<u64>,
    pub p99: fn(&TimelineRow) -> Option<u64>,
    /// What it must be within, milliseconds.
    pub threshold: Option<f64>,
}

impl Judged {
    /// Time to first token where that is judged and the whole answer is not, whose length is the client's.
    pub fn of(report: &RunReport<'_>) -> Self {
        let millis = |limit: Option<units::SimDuration>| limit.map(units::SimDuration::as_millis_f64);
        match (report.slo_threshold, report.token_slo.ttft) {
            (None, Some(ttft)) => Self {
                name: "Time to first token",
                p50: |row| row.ttft_p50_ns,
                p99: |row| row.ttft_p99_ns,
                threshold: millis(Some(ttft)),
            },
            (threshold, _) => Self {
                name: "Latency",
                p50: |row| row.latency_p50_ns,
                p99: |row| row.latency_p99_ns,
                threshold: millis(threshold),
            },
        }
    }
}

/// What was spent in each row, in dollars per hour.
pub(super) fn dollars_per_hour(rows: &[TimelineRow]) -> impl Iterator<Item = (&TimelineRow, f64)> {
    let mut before = 0.0;
    rows.iter().map(move |row| {
        let so_far = row.cost_so_far.as_f64();
        let spent = so_far - std::mem::replace(&mut before, so_far);
        (row, spent / row.step.as_secs_f64() * 3_600.0)
    })
}
