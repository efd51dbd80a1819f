//! What a trace looks like: rates, burstiness, token counts. Arrivals in, figures out.

use units::SimDuration;
use workload::{RateCurve, TraceChunk};

const NANOS: f64 = 1e9;

/// z such that nine tenths of a normal distribution lie below it.
const NORMAL_P90: f64 = 1.281_551_565_544_600_4;

/// Figures of one column of token counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    /// Mean.
    pub mean: f64,
    /// Order statistics: median, 90th and 99th percentile, maximum.
    pub p50: u32,
    /// 90th percentile.
    pub p90: u32,
    /// 99th percentile.
    pub p99: u32,
    /// Largest.
    pub max: u32,
    /// Median and 90th percentile of the lognormal distribution of greatest likelihood; equal if all counts are.
    pub fitted: (f64, f64),
    /// 99th percentile of that distribution.
    pub fitted_p99: f64,
    /// Greatest distance between the distribution functions of the column and of the lognormal, 0 to 1.
    pub distance: f64,
    /// The column at evenly spread shares: a distribution without a formula.
    pub quantiles: Vec<u32>,
}

/// Values of an empirical distribution.
const QUANTILES: u32 = 25;

impl Tokens {
    /// The figures of a column; `None` if it is empty. Counts of zero enter the fit as one token: a logarithm needs it.
    pub fn of(column: &[u32]) -> Option<Self> {
        let mut sorted = column.to_vec();
        sorted.sort_unstable();
        let max = *sorted.last()?;
        let count = column.len() as f64;
        let at = |share: f64| sorted[((share * count).ceil() as usize).clamp(1, sorted.len()) - 1];
        let logs: Vec<f64> = column.iter().map(|tokens| libm::log(f64::from((*tokens).max(1)))).collect();
        let mean_log = logs.iter().sum::<f64>() / count;
        let variance = logs.iter().map(|log| (log - mean_log) * (log - mean_log)).sum::<f64>() / count;
        let deviation = libm::sqrt(variance);
        let share_below = |tokens: f64| {
            let z = (libm::log(tokens) - mean_log) / deviation.max(1e-9);
            0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
        };
        // Counts are whole: those up to n are what the lognormal puts below n + 1/2.
        let distance_at = |(index, tokens): (usize, &u32)| {
            let is_last_of_its_kind = sorted.get(index + 1).is_none_or(|next| next != tokens);
            let seen = (index + 1) as f64 / count;
            if is_last_of_its_kind { (share_below(f64::from(*tokens) + 0.5) - seen).abs() } else { 0.0 }
        };
        let distance = sorted.iter().enumerate().map(distance_at).fold(0.0, f64::max);
        let fitted = |z: f64| libm::exp(mean_log + z * deviation);
        Some(Self {
            mean: column.iter().map(|tokens| f64::from(*tokens)).sum::<f64>() / count,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max,
            fitted: (fitted(0.0), fitted(NORMAL_P90)),
            fitted_p99: fitted(2.326_347_874_040_841),
            distance,
            quantiles: (0..QUANTILES).map(|i| at((f64::from(i) + 0.5) / f64::from(QUANTILES))).collect(),
        })
    }
}

/// Figures of arrivals.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrivals {
    /// Requests.
    pub requests: u64,
    /// First and last arrival in seconds from the start of the trace.
    pub span_s: (f64, f64),
    /// Requests per second between them.
    pub rate_mean: f64,
    /// Coefficient of variation of the gaps as they are: ups and downs of the rate count as burstiness.
    pub gap_cv: f64,
    /// Share of requests that arrive at the very instant of the one before.
    pub together: f64,
}

impl Arrivals {
    /// The figures of ascending arrivals, of which there is at least one.
    pub fn of(arrival_ns: &[u64]) -> Self {
        let (first, last) = (arrival_ns[0], arrival_ns[arrival_ns.len() - 1]);
        let span = (last - first) as f64 / NANOS;
        let gaps: Vec<f64> = arrival_ns.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let together = gaps.iter().filter(|gap| **gap == 0.0).count() as f64 / arrival_ns.len() as f64;
        Self {
            requests: arrival_ns.len() as u64,
            span_s: (first as f64 / NANOS, last as f64 / NANOS),
            rate_mean: if span > 0.0 { gaps.len() as f64 / span } else { 0.0 },
            gap_cv: variation(&gaps),
            together,
        }
    }
}

/// Requests per second in the busiest of the intervals of `interval` counted from the start.
pub fn busiest(arrival_ns: &[u64], interval: SimDuration) -> f64 {
    let step = interval.as_nanos();
    let counts = arrival_ns.chunk_by(|one, next| one / step == next / step).map(<[u64]>::len);
    counts.max().unwrap_or(0) as f64 / interval.as_secs_f64()
}

/// Requests per second in intervals of `interval` up to the last arrival. The last interval is cut at that arrival, if that leaves half of it.
pub fn rate_curve(arrival_ns: &[u64], interval: SimDuration) -> RateCurve {
    let step = interval.as_nanos();
    let last = arrival_ns.last().copied().unwrap_or(0);
    let mut counts = vec![0u64; (last / step + 1) as usize];
    for at in arrival_ns {
        counts[(at / step) as usize] += 1;
    }
    let seconds = interval.as_secs_f64();
    let mut rates: Vec<f64> = counts.iter().map(|count| *count as f64 / seconds).collect();
    let rest = (last % step) as f64 / step as f64;
    if rest >= 0.5 {
        *rates.last_mut().expect("there is at least one interval") /= rest;
    } else if rates.len() > 1 {
        // Too short a rest to tell a rate: the interval before stands for it.
        rates.pop();
    }
    RateCurve { step: interval, rates }
}

/// Coefficient of variation of the gaps on a clock that runs with the rate, so that a mere change of rate is no burst. A Poisson process of
/// that rate has 1.
pub fn burstiness(arrival_ns: &[u64], curve: &RateCurve) -> f64 {
    let step = curve.step.as_nanos();
    let mut areas = vec![0.0];
    for rate in &curve.rates {
        areas.push(areas[areas.len() - 1] + rate * curve.step.as_secs_f64());
    }
    let clock = |at: u64| {
        let index = ((at / step) as usize).min(curve.rates.len() - 1);
        areas[index] + curve.rates[index] * (at - index as u64 * step) as f64 / NANOS
    };
    let gaps: Vec<f64> = arrival_ns.windows(2).map(|pair| clock(pair[1]) - clock(pair[0])).collect();
    variation(&gaps)
}

/// Standard deviation over mean; 0 without a mean.
fn variation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    if values.len() < 2 || mean <= 0.0 {
        return 0.0;
    }
    libm::sqrt(values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (count - 1.0)) / mean
}

/// Appends all rows of `other`.
pub fn append(all: &mut TraceChunk, other: &TraceChunk) {
    all.extend_known(other, all.len());
    all.arrival_ns.extend_from_slice(&other.arrival_ns);
    all.prompt_tokens.extend_from_slice(&other.prompt_tokens);
    all.output_tokens.extend_from_slice(&other.output_tokens);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_steady_beat_has_no_burstiness_even_if_its_rate_changes() {
        let slow = (0..100).map(|beat| beat * SECOND);
        let fast = (0..1_000).map(|beat| 100 * SECOND + beat * SECOND / 10);
        let arrivals: Vec<u64> = slow.chain(fast).collect();
        let curve = rate_curve(&arrivals, SimDuration::from_secs(100));
        assert_eq!(curve.rates.len(), 2);
        assert!((curve.rates[0] - 1.0).abs() < 1e-9 && (curve.rates[1] - 10.0).abs() < 0.02, "{:?}", curve.rates);
        assert!(burstiness(&arrivals, &curve) < 0.01, "{}", burstiness(&arrivals, &curve));
        assert!(Arrivals::of(&arrivals).gap_cv > 1.0);
    }

    #[test]
    fn the_lognormal_of_a_column_has_its_own_median_and_spread() {
        // Quantiles of a lognormal with median 100 and 90th percentile 400.
        let law = workload::Distribution::LogNormal { p50: 100.0, p90: 400.0 };
        let column: Vec<u32> =
            (0..2_000).map(|i| law.quantile((f64::from(i) + 0.5) / 2_000.0).round() as u32).collect();
        let tokens = Tokens::of(&column).unwrap();
        assert!(
            (tokens.fitted.0 / 100.0 - 1.0).abs() < 0.01 && (tokens.fitted.1 / 400.0 - 1.0).abs() < 0.02,
            "{tokens:?}"
        );
        assert_eq!((tokens.p50, tokens.p90), (100, 399));
    }

    #[test]
    fn a_rest_too_short_to_tell_a_rate_is_left_out() {
        let arrivals: Vec<u64> = (0..=20).map(|beat| beat * SECOND).collect();
        let curve = rate_curve(&arrivals, SimDuration::from_secs(10));
        assert_eq!(curve.rates, [1.0, 1.0]);
    }
}
