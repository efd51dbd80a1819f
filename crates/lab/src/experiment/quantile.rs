//! Intervals of percentiles over replications, from the histograms of all of them.

use record::{Histogram, Interval};

use super::{Replication, Tally};
use crate::columns::Column;
use crate::statistics::{Confidence, Counts, between_buckets, quantile_levels};

const NANOS_PER_MS: f64 = 1e6;

/// Which values a column is a percentile of, and which one.
struct Percentile {
    tally: fn(&Replication) -> Option<&Tally>,
    level: f64,
    /// Whether requests without an answer count as later than any.
    is_of_all: bool,
}

impl Percentile {
    /// What the name of `column` says: `latency_ms_p99`, `ttft_ms_p50`, `latency_ms_p999_all`.
    fn of(column: &Column) -> Option<Self> {
        let (values, level) = column.name.split_once("_ms_p")?;
        let (level, is_of_all) = level.strip_suffix("_all").map_or((level, false), |level| (level, true));
        let tally: fn(&Replication) -> Option<&Tally> = match values {
            "latency" => |one| Some(&one.latency),
            "ttft" => |one| one.ttft.as_ref(),
            "tpot" => |one| one.tpot.as_ref(),
            _ => return None,
        };
        let digits = i32::try_from(level.len()).ok()?;
        Some(Self { tally, level: level.parse::<f64>().ok()? / 10_f64.powi(digits), is_of_all })
    }

    /// Requests without an answer that count.
    fn beyond(&self, replication: &Replication) -> u64 {
        let answered = || replication.latency.count();
        if self.is_of_all { replication.slo.total.saturating_sub(answered()) } else { 0 }
    }
}

/// The interval of a percentile whose estimate is `figure`: between the levels that the replications leave open, read off all of them together. Its
/// upper bound is infinite where that level falls among requests without an answer. `None` where their counts do not tell, or the column is none.
pub(super) fn percentile_interval(
    column: &Column,
    replications: &[Replication],
    figure: f64,
    confidence: Confidence,
) -> Option<Interval> {
    let percentile = Percentile::of(column)?;
    let tallies: Vec<&Tally> = replications.iter().map(percentile.tally).collect::<Option<_>>()?;
    let beyond: Vec<u64> = replications.iter().map(|one| percentile.beyond(one)).collect();
    let mut all = Histogram::new();
    tallies.iter().for_each(|tally| tally.add_to(&mut all));
    let all_beyond: u64 = beyond.iter().sum();
    let estimate = all.quantile_with_beyond(percentile.level, all_beyond);
    let counted = |limit: u64| -> Vec<Counts> {
        let one = |(tally, beyond): (&&Tally, &u64)| Counts {
            met: tally.count_at_most(limit),
            total: tally.count() + beyond,
        };
        tallies.iter().zip(&beyond).map(one).collect()
    };
    // Where the percentile has no answer, the share of those that have one is what is known. Where it is the last value, what lies below it.
    let counts = counted(estimate.unwrap_or(u64::MAX));
    let is_last = counts.iter().all(|one| one.met == one.total);
    let counts = if is_last { counted(estimate?.checked_sub(1)?) } else { counts };
    let levels = quantile_levels(&counts, percentile.level, confidence)?;
    let read =
        |level: f64| all.quantile_with_beyond(level, all_beyond).map_or(f64::INFINITY, |at| at as f64 / NANOS_PER_MS);
    Some(between_buckets(figure, read(levels[0]), read(levels[1])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replication(slow: u64, unanswered: u64) -> Replication {
        let mut histogram = Histogram::new();
        histogram.record_many(10_000_000, 1_000 - slow);
        histogram.record_many(900_000_000, slow);
        let slo = Counts { met: 0, total: 1_000 + unanswered };
        Replication { latency: Tally::of(&histogram), slo, ..Replication::default() }
    }

    fn interval(name: &str, replications: &[Replication], figure: f64) -> Interval {
        percentile_interval(Column::named(name).unwrap(), replications, figure, Confidence::P95).unwrap()
    }

    #[test]
    fn a_tail_that_one_replication_holds_leaves_the_percentile_open() {
        // Of 4,000 requests 36 are slow, all in one run: 0.9 %, and with other luck 2 %.
        let runs = [replication(0, 0), replication(36, 0), replication(0, 0), replication(0, 0)];
        let found = interval("latency_ms_p99", &runs, 10.0);
        assert!(found.low < 10.0 && found.high > 890.0, "{found:?}");
        let even = [replication(3, 0), replication(4, 0), replication(2, 0), replication(3, 0)];
        assert!(interval("latency_ms_p99", &even, 10.0).high < 11.0);
    }

    #[test]
    fn requests_without_an_answer_are_beyond_every_bound() {
        let runs = [replication(0, 8), replication(0, 9), replication(0, 8), replication(0, 12)];
        assert_eq!(interval("latency_ms_p99_all", &runs, 10.0).high, f64::INFINITY);
        let answered = Column::named("latency_ms_p99").unwrap();
        assert_eq!(percentile_interval(answered, &runs, 10.0, Confidence::P95), None, "one value has no spread");
    }
}
