//! From how many replications on an interval is known to hold what it promises; with fewer none is shown.
//!
//! Whatever a few replications say of rare misfortune (a spot machine lost, a crowd that meets a cold start), most triples of them have not seen it,
//! and no arithmetic on what they saw makes up for that. `results/evidence/coverage.md` has the shares of intervals that hold the truth, by kind of
//! column and number of replications; the numbers here follow from it.

use record::{Interval, ReplicationSummary};

use super::{Replication, column_interval};
use crate::columns::{COLUMNS, Column, Estimate};
use crate::statistics::Confidence;

/// The fewest that were looked at.
const FEWEST: u32 = 3;
/// Shares and means of requests where replicas change.
const MANY: u32 = 30;
/// What a few requests of a hundred decide there, and what is counted of misfortune.
const MOST: u32 = 100;
/// More than was looked at: with none of those numbers an interval held.
const UNKNOWN: u32 = 1_000;

/// How many times as wide an interval is taken where fewer replications than it needs shall decide all the same.
pub(crate) const STRETCH: f64 = 3.0;

/// How much wider Student's t interval is made where figures are skewed, as they are where replicas change and as percentiles are everywhere: by a
/// half with three replications, by a seventh with ten.
pub(crate) fn widening(is_skewed: bool, replications: usize) -> f64 {
    if is_skewed { 1.0 + 1.5 / replications as f64 } else { 1.0 }
}

/// Replications from which the interval of `column` is known to hold, for runs like these.
pub fn replications_needed(column: &Column, replications: &[Replication]) -> u32 {
    needed(column, replications.iter().any(is_changing))
}

/// The same of rows as tables have them.
pub(crate) fn replications_needed_of<'a>(
    column: &Column,
    mut rows: impl Iterator<Item = &'a ReplicationSummary>,
) -> u32 {
    needed(column, rows.any(has_changes))
}

/// The same of any runs, if it is known whether replicas change.
pub(super) fn needed(column: &Column, is_changing: bool) -> u32 {
    let is = |name: &str| column.name.contains(name);
    match column.estimate {
        Estimate::Quantile if is("_p999") => UNKNOWN,
        Estimate::Mean if RARE.contains(&column.name) => UNKNOWN,
        // Of replicas that never change a figure is a sum over a steady run.
        _ if !is_changing => FEWEST,
        Estimate::Whole | Estimate::Mean if MONEY.contains(&column.name) => FEWEST,
        Estimate::Quantile if is("_p50") => 10,
        Estimate::Quantile if is("_p99") => MOST,
        // A few long waits are most of their mean.
        Estimate::RequestMean if is("ttft") || is("tpot") || is("queue_wait") => MOST,
        Estimate::Share | Estimate::Quantile | Estimate::RequestMean => MANY,
        Estimate::Whole | Estimate::Mean => MOST,
    }
}

/// What a whole run adds up to, and is about the same every time. Everything else that is counted or timed once a run is about what goes wrong now
/// and then.
const MONEY: [&str; 6] = [
    "cost_usd",
    "cost_per_million_requests_usd",
    "cost_per_million_input_tokens_usd",
    "cost_per_million_output_tokens_usd",
    "gpu_hours",
    "replicas_mean",
];

/// What most replications have none of, or a handful.
const RARE: [&str; 4] = ["queue_gateway_mean", "in_system", "timed_out", "cost_draining_usd"];

/// Whether replicas came, went or were lost, or might have: a policy that looks at metrics may act in the next replication.
pub(super) fn is_changing(replication: &Replication) -> bool {
    replication.is_watched || has_changes(&replication.summary)
}

/// What a row shows of that. Spot machines may be taken away.
pub(crate) fn has_changes(row: &ReplicationSummary) -> bool {
    row.replica_changes + row.scale_ups + row.scale_downs + row.spot_interruptions > 0 || row.cost_spot_usd > 0.0
}

/// [`column_interval`] where it is known to hold; without bounds where it is not. A lone steady run has batch means.
pub fn held_interval(column: &Column, replications: &[Replication], confidence: Confidence) -> Interval {
    held(column, replications, column_interval(column, replications, confidence))
}

/// What to decide by: [`held_interval`], and with fewer replications than it takes one that is three times as wide, from as many as are known to
/// decide wrongly no more often by it. It is never shown: too wide to be one at 95 %, and often not wide enough to be one of any other level.
pub fn deciding_interval(column: &Column, replications: &[Replication], confidence: Confidence) -> Interval {
    let interval = held_interval(column, replications, confidence);
    let is_enough = replications.len() as u32 >= decides_from(column);
    if !interval.low.is_nan() || !is_enough {
        return interval;
    }
    column_interval(column, replications, confidence.widened(STRETCH))
}

/// Replications from which a stretched interval decides: means and tails of latency have none, for a few bad minutes are most of them.
pub(crate) fn decides_from(column: &Column) -> u32 {
    match column.estimate {
        Estimate::Share => FEWEST,
        Estimate::Quantile if column.name.contains("_p50") => FEWEST,
        _ => UNKNOWN,
    }
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
    fn few_replications_decide_by_an_interval_three_times_as_wide_and_show_none() {
        let column = Column::named("slo_attainment").unwrap();
        let few = replications(3, 4);
        let decides = deciding_interval(column, &few, Confidence::P95);
        let plain = column_interval(column, &few, Confidence::P95);
        let logit = |share: f64| libm::log(share / (1.0 - share));
        let width = |interval: Interval| logit(interval.high) - logit(interval.mean);
        assert!((width(decides) / width(plain) - STRETCH).abs() < 1e-9, "{decides:?} {plain:?}");
        assert!(held_interval(column, &few, Confidence::P95).low.is_nan());
        let p99 = Column::named("latency_ms_p99").unwrap();
        assert!(deciding_interval(p99, &few, Confidence::P95).low.is_nan(), "a tail is not decided by few");
    }

    #[test]
    fn a_policy_that_looks_at_metrics_may_act_in_the_next_replication() {
        let mut runs = replications(5, 0);
        let column = Column::named("slo_attainment").unwrap();
        assert_eq!(replications_needed(column, &runs), FEWEST);
        runs[0].is_watched = true;
        assert_eq!(replications_needed(column, &runs), MANY);
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
        // A minute at 3 dollars an hour, in one of five runs: t(4) of 2.776, 30 % wider, on both sides.
        assert!((width(7) - 2.0 * 2.776 * 1.3 * 0.05 / 5.0).abs() < 1e-4, "{}", width(7));
    }
}
