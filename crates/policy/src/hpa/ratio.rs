//! Usage ratios: how far a metric is from its target, and when that is close enough.
//!
//! Integer division truncates wherever the real controller works in integers, and nowhere else.

use std::collections::BTreeMap;
use std::fmt;

use units::PodId;

/// How far a usage ratio may be from 1 without any change, per direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerances {
    /// Above 1: scale-up.
    pub up: f64,
    /// Below 1: scale-down.
    pub down: f64,
}

impl Tolerances {
    /// The same tolerance both ways.
    pub const fn both(tolerance: f64) -> Self {
        Self { up: tolerance, down: tolerance }
    }

    /// True if `ratio` calls for no change. Both ends belong to the range and the sums are taken in doubles, so that 1.1 is within 0.1;
    /// NaN and infinity never are.
    pub fn is_within(self, ratio: f64) -> bool {
        (1.0 - self.down) <= ratio && ratio <= (1.0 + self.up)
    }
}

impl fmt::Display for Tolerances {
    /// The range of ratios that change nothing: `0.9 to 1.1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", 1.0 - self.down, 1.0 + self.up)
    }
}

/// A measured usage against its target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Usage over target.
    pub ratio: f64,
    /// Usage in whole percent of the requests, truncated; only for a utilization target.
    pub utilization_percent: Option<i32>,
    /// Mean usage per pod in milli-units, truncated.
    pub average_m: i64,
}

/// Usage as a share of the requests, over the pods that have both. `None` if those requests add up to nothing.
///
/// The mean is weighted by request, and cut to a whole percent before the ratio is taken.
pub fn utilization_ratio(
    usage_m: &BTreeMap<PodId, i64>,
    requests_m: &BTreeMap<PodId, i64>,
    target_percent: i32,
) -> Option<Measured> {
    let (mut usage_total, mut request_total, mut pods) = (0_i128, 0_i128, 0_i128);
    for (pod, usage) in usage_m {
        let Some(request) = requests_m.get(pod) else { continue };
        usage_total += i128::from(*usage);
        request_total += i128::from(*request);
        pods += 1;
    }
    if request_total == 0 {
        return None;
    }
    let percent = saturate(usage_total * 100 / request_total);
    Some(Measured {
        ratio: f64::from(percent) / f64::from(target_percent),
        utilization_percent: Some(percent),
        average_m: wide(usage_total / pods),
    })
}

/// The truncated mean of plain values against a target in milli-units. `usage_m` must not be empty.
pub fn usage_ratio(usage_m: &BTreeMap<PodId, i64>, target_m: i64) -> Measured {
    assert!(!usage_m.is_empty(), "a mean needs at least one value");
    let total: i128 = usage_m.values().map(|value| i128::from(*value)).sum();
    let average_m = wide(total / usage_m.len() as i128);
    Measured { ratio: average_m as f64 / target_m as f64, utilization_percent: None, average_m }
}

/// The figure per pod that the status shows for a total: rounded up, zero without pods.
pub fn per_pod_usage(total_m: i64, status_replicas: i32) -> i64 {
    if status_replicas == 0 {
        return 0;
    }
    // A float-to-integer `as` saturates, which is what the largest usages need.
    (total_m as f64 / f64::from(status_replicas)).ceil() as i64
}

fn saturate(value: i128) -> i32 {
    value.clamp(i128::from(i32::MIN), i128::from(i32::MAX)) as i32
}

fn wide(value: i128) -> i64 {
    value.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_pod(values: &[i64]) -> BTreeMap<PodId, i64> {
        values.iter().enumerate().map(|(at, value)| (PodId(at as u32), *value)).collect()
    }

    #[test]
    fn both_ends_of_the_tolerance_are_inside() {
        let rows = [
            (Tolerances::both(0.1), 1.1, true),
            (Tolerances::both(0.1), 0.9, true),
            (Tolerances::both(0.1), 1.100_000_000_000_000_3, false),
            (Tolerances { up: 0.5, down: 0.0 }, 1.5, true),
            (Tolerances { up: 0.5, down: 0.0 }, 0.999, false),
            (Tolerances::both(0.1), f64::NAN, false),
            (Tolerances::both(0.1), f64::INFINITY, false),
        ];
        for (tolerances, ratio, within) in rows {
            assert_eq!(tolerances.is_within(ratio), within, "{ratio} in {tolerances:?}");
        }
    }

    #[test]
    fn utilization_is_cut_to_a_whole_percent_and_weighted_by_request() {
        let seen = utilization_ratio(&by_pod(&[559]), &by_pod(&[1000]), 50).unwrap();
        assert_eq!((seen.utilization_percent, seen.ratio), (Some(55), 1.1));
        let seen = utilization_ratio(&by_pod(&[100, 0]), &by_pod(&[100, 900]), 50).unwrap();
        assert_eq!((seen.utilization_percent, seen.average_m), (Some(10), 50));
    }

    #[test]
    fn pods_without_a_request_do_not_count_and_no_request_at_all_is_a_failure() {
        let seen = utilization_ratio(&by_pod(&[50, 70, 9000]), &by_pod(&[100, 100]), 60).unwrap();
        assert_eq!((seen.utilization_percent, seen.average_m, seen.ratio), (Some(60), 60, 1.0));
        assert_eq!(utilization_ratio(&by_pod(&[50]), &BTreeMap::new(), 60), None);
        assert_eq!(utilization_ratio(&by_pod(&[50]), &by_pod(&[0]), 60), None);
    }

    #[test]
    fn plain_means_are_cut_and_never_overflow() {
        assert_eq!(usage_ratio(&by_pod(&[11, 11, 12]), 10).ratio, 1.1);
        assert_eq!(usage_ratio(&by_pod(&[i64::MAX, i64::MAX]), i64::MAX).average_m, i64::MAX);
    }

    #[test]
    fn usage_per_pod_is_rounded_up() {
        for (total, replicas, usage) in [(1000, 3, 334), (20_000, 0, 0), (i64::MAX, 1, i64::MAX), (999, 3, 333)] {
            assert_eq!(per_pod_usage(total, replicas), usage, "{total} over {replicas}");
        }
    }
}
