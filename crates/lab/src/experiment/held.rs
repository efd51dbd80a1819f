//! From how many replications on an interval is known to hold what it promises; with fewer none is shown.
//!
//! Whatever a few replications say of rare misfortune (a spot machine lost, a crowd that meets a cold start), most triples of them have not seen it,
//! and no arithmetic on what they saw makes up for that. `results/evidence/coverage.md` has the shares of intervals that hold the truth, by kind of
//! column and number of replications; the numbers here follow from it.

use record::{Interval, ReplicationSummary};

use super::{Replication, column_interval};
use crate::columns::{COLUMNS, Column, Estimate};
use crate::statistics::Confidence;

/// Two values are the fewest that have a spread.
const FEWEST: u32 = 2;
/// Of runs whose replicas change: money and means over time.
const CHANGING_MONEY: u32 = 3;
/// Of runs whose replicas change: shares of requests.
const CHANGING_SHARES: u32 = 10;
/// Of runs whose replicas change: what a few bad minutes decide.
const CHANGING_MISFORTUNE: u32 = 30;

/// What a few of a hundred or of a thousand requests decide: the 99th percentile where replicas change, the 99.9th anywhere.
const TAILS: u32 = 100;

/// How much wider Student's t interval is made where figures are skewed, as they are where replicas change and as percentiles are everywhere: by a
/// third with three replications, by a tenth with ten.
pub(crate) fn widening(is_skewed: bool, replications: usize) -> f64 {
    if is_skewed { 1.0 + 1.0 / replications as f64 } else { 1.0 }
}

/// Replications from which the interval of `column` is known to hold, for runs like these.
///
/// Of replicas that never change it is two: Student's t does what it promises where a figure is a sum over a steady run.
pub fn replications_needed(column: &Column, replications: &[Replication]) -> u32 {
    replications_needed_of(column, replications.iter().map(|one| &one.summary))
}

/// The same of rows as tables have them.
pub(crate) fn replications_needed_of<'a>(
    column: &Column,
    mut rows: impl Iterator<Item = &'a ReplicationSummary>,
) -> u32 {
    if !rows.any(has_changes) {
        return if column.name.contains("_p999") { TAILS } else { FEWEST };
    }
    match column.estimate {
        Estimate::Share => CHANGING_SHARES,
        Estimate::Quantile if column.name.contains("_p50") => CHANGING_SHARES,
        Estimate::Quantile if column.name.contains("_p99") => TAILS,
        Estimate::Quantile => CHANGING_MISFORTUNE,
        Estimate::RequestMean => CHANGING_MISFORTUNE,
        Estimate::Whole if column.name.starts_with("cold_start") => CHANGING_MISFORTUNE,
        Estimate::Mean if OF_MISFORTUNE.contains(&column.name) => CHANGING_MISFORTUNE,
        Estimate::Whole | Estimate::Mean => CHANGING_MONEY,
    }
}

/// Columns that count or time what goes wrong now and then.
const OF_MISFORTUNE: [&str; 16] = [
    "failed",
    "rejected",
    "timed_out",
    "requests_lost",
    "completed",
    "in_system",
    "spot_interruptions",
    "latency_ms_max",
    "cold_starts",
    "scale_ups",
    "scale_downs",
    "replica_changes",
    "cost_cold_start_usd",
    "cost_draining_usd",
    "cost_unallocated_usd",
    "queue_replicas_mean",
];

/// Whether replicas came, went or were lost.
pub(super) fn is_changing(replication: &Replication) -> bool {
    has_changes(&replication.summary)
}

pub(crate) fn has_changes(row: &ReplicationSummary) -> bool {
    row.replica_changes + row.scale_ups + row.scale_downs + row.spot_interruptions > 0
}

/// [`column_interval`] where it is known to hold; without bounds where it is not. A lone steady run has batch means.
pub fn held_interval(column: &Column, replications: &[Replication], confidence: Confidence) -> Interval {
    held(column, replications, column_interval(column, replications, confidence))
}

/// `interval`, without bounds where that of `column` is not known to hold.
pub(super) fn held(column: &Column, replications: &[Replication], interval: Interval) -> Interval {
    let is_steady = !replications.iter().any(is_changing);
    let has_batches = replications.len() == 1 && column.estimate == Estimate::Share && is_steady;
    let is_held = has_batches || replications.len() as u32 >= replications_needed(column, replications);
    if is_held { interval } else { Interval { mean: interval.mean, low: f64::NAN, high: f64::NAN } }
}

/// What attainment needs, and with it percentiles.
pub(super) fn needed_for_attainment(replications: &[Replication]) -> u32 {
    let share = COLUMNS.iter().find(|column| column.estimate == Estimate::Share);
    share.map_or(FEWEST, |column| replications_needed(column, replications))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Counts;

    fn replications(count: u64, replica_changes: u64) -> Vec<Replication> {
        let one = |index: u64| {
            let mut one = Replication { slo: Counts { met: 90 + index % 3, total: 100 }, ..Replication::default() };
            one.summary.cost_usd = 5.0 + (index % 2) as f64;
            one.summary.replica_changes = replica_changes;
            one
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn few_replications_of_changing_replicas_bound_money_and_no_attainment() {
        let bounded = |name: &str, runs: &[Replication]| {
            !held_interval(Column::named(name).unwrap(), runs, Confidence::P95).low.is_nan()
        };
        assert!(bounded("slo_attainment", &replications(3, 0)), "steady");
        assert!(!bounded("slo_attainment", &replications(3, 4)));
        assert!(bounded("cost_usd", &replications(3, 4)));
        assert!(!bounded("cost_usd", &replications(2, 4)));
        assert!(bounded("slo_attainment", &replications(30, 4)));
        assert!(!bounded("slo_attainment", &replications(1, 4)));
    }

    #[test]
    fn equal_bills_of_changing_replicas_are_chance_and_of_steady_ones_are_not() {
        let width = |replica_changes: u64| {
            let mut runs = replications(5, replica_changes);
            for run in &mut runs {
                (run.summary.cost_usd, run.summary.gpu_hours) = (6.0, 2.0);
            }
            let interval = held_interval(Column::named("cost_usd").unwrap(), &runs, Confidence::P95);
            interval.high - interval.low
        };
        assert_eq!(width(0), 0.0);
        // A minute at 3 dollars an hour, in one of five runs: t(4) of 2.776, a fifth wider, on both sides.
        assert!((width(7) - 2.0 * 2.776 * 1.2 * 0.05 / 5.0).abs() < 1e-4, "{}", width(7));
    }
}
