//! Replications of one policy to its row with intervals.

use record::{Histogram, Interval, PolicySummary, ReplicationSummary};

use super::Replication;
use super::held::{deciding_interval, held, is_changing, needed_for_attainment, widening};
use super::quantile::percentile_interval;
use super::summarize::{
    put_cold_starts, put_cost_rates, put_latency_quantiles, put_quantiles_of_all, put_token_latency,
};
use crate::columns::{COLUMNS, Column, Estimate, Unit};
use crate::statistics::{
    Confidence, Counts, log_section_interval, mean, mean_interval, quantile_interval, ratio_interval, share_interval,
};

/// Pools replications of one policy; see `record::PolicySummary` for what is summed, pooled and averaged. Panics without any.
///
/// Intervals at 95 %: SLO attainment and mean latency by ratio estimators with linearization, attainment on the logit scale and latency on the
/// logarithm; cost by Student's t; p99 by sectioning on the logarithm. Where that many replications are not known to give one that holds (see
/// [`replications_needed`](super::replications_needed)) bounds are NaN. A lone replication whose replicas never change gives an interval for
/// attainment only, from batch means over its timeline.
pub fn pool(replications: &[Replication]) -> PolicySummary {
    assert!(!replications.is_empty(), "a policy without replications");
    let latency = merged(replications.iter().map(|replication| &replication.latency));
    let pooled = pooled_row(replications, &latency);
    let interval = |name: &str| {
        let column = Column::named(name).expect("these names are in the list of columns");
        held(column, replications, interval_of(column, replications, &pooled, Confidence::P95))
    };
    PolicySummary {
        replications: replications.len() as u32,
        replications_needed: needed_for_attainment(replications),
        slo_attainment: interval("slo_attainment"),
        slo_attainment_decides: deciding(replications),
        cost_usd: interval("cost_usd"),
        latency_ms_mean: interval("latency_ms_mean"),
        latency_ms_p99: interval("latency_ms_p99"),
        latency_ms_p99_all: interval("latency_ms_p99_all"),
        unanswered: unanswered(replications, &latency),
        latency,
        pooled,
    }
}

fn deciding(replications: &[Replication]) -> Interval {
    let column = Column::named("slo_attainment").expect("this name is in the list of columns");
    deciding_interval(column, replications, Confidence::P95)
}

/// The estimate and interval of any column over replications, whether or not so many are known to give one that holds. Where replications are
/// summed in the pooled row (counts), this is of one replication.
pub fn column_interval(column: &Column, replications: &[Replication], confidence: Confidence) -> Interval {
    let latency = merged(replications.iter().map(|replication| &replication.latency));
    interval_of(column, replications, &pooled_row(replications, &latency), confidence)
}

/// The figure of all `replications` together, as every table has it.
pub(crate) fn column_figure(column: &Column, replications: &[Replication]) -> f64 {
    if column.estimate == Estimate::Mean {
        return mean(&replications.iter().map(|replication| column.of(&replication.summary)).collect::<Vec<_>>());
    }
    let latency = merged(replications.iter().map(|replication| &replication.latency));
    column.of(&pooled_row(replications, &latency))
}

pub(super) fn interval_of(
    column: &Column,
    replications: &[Replication],
    pooled: &ReplicationSummary,
    confidence: Confidence,
) -> Interval {
    let values: Vec<f64> = replications.iter().map(|replication| column.of(&replication.summary)).collect();
    let is_skewed = column.estimate == Estimate::Quantile || replications.iter().any(is_changing);
    let confidence = confidence.widened(widening(is_skewed, replications.len()));
    match column.estimate {
        Estimate::Share => {
            let counts: Vec<Counts> = replications.iter().map(|replication| replication.slo).collect();
            match counts.as_slice() {
                [only] => lone_share(*only, &replications[0].slo_batches, confidence),
                several => share_interval(several, confidence),
            }
        }
        // Each replication's mean times its number of answers is its sum.
        Estimate::RequestMean => {
            let pairs: Vec<(f64, f64)> = values
                .iter()
                .zip(replications)
                .filter(|(_, replication)| replication.summary.completed > 0)
                .map(|(value, replication)| {
                    (value * replication.summary.completed as f64, replication.summary.completed as f64)
                })
                .collect();
            Interval { mean: column.of(pooled), ..ratio_interval(&pairs, confidence) }
        }
        Estimate::Quantile => {
            let figure = column.of(pooled);
            let by_levels = percentile_interval(column, replications, figure, confidence);
            by_levels.unwrap_or_else(|| quantile_interval(figure, &values, confidence))
        }
        // Cold starts are as many as they are, in each replication another number.
        Estimate::Whole if column.name == "cold_start_s_mean" => {
            let seen = values.iter().zip(replications).filter(|(value, _)| value.is_finite());
            let pairs =
                seen.map(|(value, one)| (value * one.summary.cold_starts as f64, one.summary.cold_starts as f64));
            Interval { mean: column.of(pooled), ..ratio_interval(&pairs.collect::<Vec<_>>(), confidence) }
        }
        Estimate::Whole => log_section_interval(column.of(pooled), &values, confidence),
        Estimate::Mean => {
            let interval = mean_interval(&values, confidence);
            let interval =
                if column.name == "cost_usd" { not_by_chance(interval, replications, confidence) } else { interval };
            possible(interval, column.unit)
        }
    }
}

/// Equal bills of replicas that come and go are equal by chance: the interval is at least what it would be had one of them one step of the ledger
/// more, a GPU for the minute that clouds charge at least.
fn not_by_chance(interval: Interval, replications: &[Replication], confidence: Confidence) -> Interval {
    let sum = |figure: fn(&ReplicationSummary) -> f64| replications.iter().map(|one| figure(&one.summary)).sum::<f64>();
    let minute = sum(|row| row.cost_usd) / sum(|row| row.gpu_hours) / 60.0;
    let mut one_more = vec![0.0; replications.len()];
    if !minute.is_finite() || !replications.iter().any(is_changing) {
        return interval;
    }
    one_more[0] = minute;
    let least = mean_interval(&one_more, confidence);
    let least = (least.high - least.low) / 2.0;
    if (interval.high - interval.low) / 2.0 < least {
        return Interval { mean: interval.mean, low: interval.mean - least, high: interval.mean + least };
    }
    interval
}

/// An interval within what can be: nothing here is below zero, and no share above one.
fn possible(interval: Interval, unit: Unit) -> Interval {
    // Comparisons and not `min` and `max`, which would hide a NaN bound.
    let low = if interval.low < 0.0 { 0.0 } else { interval.low };
    let high = if unit == Unit::Share && interval.high > 1.0 { 1.0 } else { interval.high };
    Interval { low, high, ..interval }
}

/// Requests the SLO is judged on that have no answer in `latency`.
fn unanswered(replications: &[Replication], latency: &Histogram) -> u64 {
    let judged: Counts = replications.iter().map(|replication| replication.slo).sum();
    judged.total.saturating_sub(latency.count())
}

/// Batch means of a lone run; the estimate stays that of the whole run.
fn lone_share(whole: Counts, batches: &[Counts], confidence: Confidence) -> Interval {
    let share = whole.share();
    let interval = share_interval(batches, confidence);
    // Requests still in the system count in the whole and in no batch; the bounds must enclose the estimate all the same.
    // Comparisons and not `min` and `max`, which would hide a NaN bound.
    let low = if interval.low > share { share } else { interval.low };
    let high = if interval.high < share { share } else { interval.high };
    Interval { mean: share, low, high }
}

pub(super) fn merged<'a>(tallies: impl Iterator<Item = &'a super::Tally>) -> Histogram {
    let mut histogram = Histogram::new();
    tallies.for_each(|tally| tally.add_to(&mut histogram));
    histogram
}

pub(super) fn pooled_row(replications: &[Replication], latency: &Histogram) -> ReplicationSummary {
    let first = &replications[0].summary;
    let mut pooled = ReplicationSummary {
        policy: first.policy.clone(),
        service: first.service.clone(),
        seed: first.seed,
        digest: first.digest,
        ..ReplicationSummary::default()
    };
    for column in COLUMNS {
        let values: Vec<f64> = replications.iter().map(|replication| column.of(&replication.summary)).collect();
        let value = if column.is_maximum() {
            values.iter().copied().fold(f64::NAN, f64::max)
        } else if column.is_whole() {
            values.iter().sum()
        } else {
            mean(&values)
        };
        column.set(&mut pooled, value);
    }
    put_latency_quantiles(&mut pooled, latency);
    put_quantiles_of_all(&mut pooled, latency, unanswered(replications, latency));
    let all: Counts = replications.iter().map(|replication| replication.slo).sum();
    pooled.slo_attainment = all.share();
    let answered_ms = pooled.completed as f64 * 1e6;
    pooled.latency_ms_mean = replications.iter().map(|one| one.latency_ns_sum).sum::<u128>() as f64 / answered_ms;
    pooled.queue_wait_ms_mean = replications.iter().map(|one| one.wait_ns_sum).sum::<u128>() as f64 / answered_ms;
    put_pooled_rates(&mut pooled, all, replications.len() as f64);
    if replications.iter().any(|replication| replication.ttft.is_some()) {
        let ttft = merged(replications.iter().filter_map(|replication| replication.ttft.as_ref()));
        let tpot = merged(replications.iter().filter_map(|replication| replication.tpot.as_ref()));
        let sums = replications.iter().map(|replication| replication.token_ns_sums);
        let (ttft_ns, tpot_ns) = sums.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        put_token_latency(&mut pooled, (&ttft, ttft_ns), (&tpot, tpot_ns));
    }
    let mut cold_starts: Vec<u64> = replications.iter().flat_map(|one| one.cold_start_ns.iter().copied()).collect();
    cold_starts.sort_unstable();
    put_cold_starts(&mut pooled, &cold_starts);
    put_counts_per_replication(&mut pooled, replications.len() as u64);
    pooled
}

/// Sums of counts to means per replication, to the nearest whole one: a row then tells of one run, as its money does. Requests
/// still add up: completed is what is left of arrived.
fn put_counts_per_replication(pooled: &mut ReplicationSummary, replications: u64) {
    for column in COLUMNS.iter().filter(|column| column.is_whole() && !column.is_maximum()) {
        let mean = (column.of(pooled) / replications as f64).round();
        column.set(pooled, mean);
    }
    pooled.failed = pooled.rejected + pooled.timed_out + pooled.requests_lost;
    pooled.completed = pooled.requests - pooled.failed - pooled.in_system;
}

/// Rates of the sums: requests are summed over replications and money is not, so money is multiplied up for the quotient.
fn put_pooled_rates(pooled: &mut ReplicationSummary, slo: Counts, replications: f64) {
    let cost_usd = pooled.cost_usd;
    pooled.cost_usd *= replications;
    put_cost_rates(pooled, slo.met);
    pooled.cost_usd = cost_usd;
}
