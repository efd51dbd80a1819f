//! Functions of the samples of one series within a window.

use super::eval::Window;
use super::plan::RangeFunction;
use super::sums::{self, Mean, Spread, Sum};
use crate::storage::Sample;

/// What a function may need besides the samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    /// Where the samples come from.
    pub window: Window,
    /// Time of the evaluation, which differs from the end of the window under `offset` and `@`.
    pub t_ms: i64,
    /// The scalar argument: the quantile, or the seconds to predict.
    pub parameter: f64,
}

impl RangeFunction {
    /// Whether the result still is the metric, not something computed from it.
    pub fn keeps_name(self) -> bool {
        matches!(self, Self::First | Self::Last)
    }
}

/// The function's value, or None if it needs more samples. `samples` is not empty.
pub(super) fn apply(function: RangeFunction, samples: &[Sample], context: Context) -> Option<f64> {
    let Context { window, t_ms, parameter } = context;
    let values = || samples.iter().map(|sample| sample.value);
    let (first, last) = (samples.first()?, samples.last()?);
    Some(match function {
        RangeFunction::Rate => extrapolated(samples, window, true)? / (window.range_ms as f64 / 1000.0),
        RangeFunction::Increase => extrapolated(samples, window, true)?,
        RangeFunction::Delta => extrapolated(samples, window, false)?,
        RangeFunction::InstantRate => instant_rate(samples)?,
        RangeFunction::InstantDelta => instant_delta(samples)?,
        RangeFunction::Derivative => regression(samples, first.t_ms)?.0,
        RangeFunction::PredictLinear => {
            let (slope, intercept) = regression(samples, t_ms)?;
            slope * parameter + intercept
        }
        RangeFunction::Resets => count_steps(samples, |before, after| after < before),
        RangeFunction::Changes => {
            count_steps(samples, |before, after| after != before && !(after.is_nan() && before.is_nan()))
        }
        RangeFunction::Sum => {
            let mut sum = Sum::default();
            values().for_each(|value| sum.add(value));
            sum.total()
        }
        RangeFunction::Average => {
            let mut mean = Mean::default();
            values().for_each(|value| mean.add(value));
            mean.value()
        }
        RangeFunction::Count => samples.len() as f64,
        // A number wins against NaN, whichever comes first: f64::min and max do just that.
        RangeFunction::Minimum => values().fold(f64::NAN, f64::min),
        RangeFunction::Maximum => values().fold(f64::NAN, f64::max),
        RangeFunction::First => first.value,
        RangeFunction::Last => last.value,
        RangeFunction::Present => 1.0,
        RangeFunction::Quantile => sums::quantile(parameter, &mut values().collect::<Vec<f64>>()),
        RangeFunction::Deviation => variance(samples).sqrt(),
        RangeFunction::Variance => variance(samples),
    })
}

/// The increase (counters) or difference (gauges) over the window, extended to its edges as far as the spacing of
/// samples makes that plausible (functions.go:extrapolatedRate).
fn extrapolated(samples: &[Sample], window: Window, is_counter: bool) -> Option<f64> {
    let [first, .., last] = samples else { return None };
    let mut change = last.value - first.value;
    if is_counter {
        // After a reset the counter began again at zero, so what it had before is part of the increase.
        let lost = samples.windows(2).filter(|pair| pair[1].value < pair[0].value).map(|pair| pair[0].value);
        change = lost.fold(change, |change, before| change + before);
    }
    let sampled_s = (last.t_ms - first.t_ms) as f64 / 1000.0;
    let spacing_s = sampled_s / (samples.len() - 1) as f64;
    // A gap longer than this cannot be explained by the scrape interval: the series began or ended within the window.
    let threshold_s = spacing_s * 1.1;
    let mut to_start_s = (first.t_ms - (window.end_ms - window.range_ms)) as f64 / 1000.0;
    let mut to_end_s = (window.end_ms - last.t_ms) as f64 / 1000.0;
    if to_start_s >= threshold_s {
        to_start_s = spacing_s / 2.0;
    }
    if is_counter && change > 0.0 && first.value >= 0.0 {
        // A counter cannot have been below zero: it is extended at most to where it would have started.
        to_start_s = to_start_s.min(sampled_s * (first.value / change));
    }
    if to_end_s >= threshold_s {
        to_end_s = spacing_s / 2.0;
    }
    Some(change * ((sampled_s + to_start_s + to_end_s) / sampled_s))
}

fn instant_rate(samples: &[Sample]) -> Option<f64> {
    let [.., before, after] = samples else { return None };
    let change = if after.value < before.value { after.value } else { after.value - before.value };
    Some(change / ((after.t_ms - before.t_ms) as f64 / 1000.0))
}

fn instant_delta(samples: &[Sample]) -> Option<f64> {
    let [.., before, after] = samples else { return None };
    Some(after.value - before.value)
}

fn count_steps(samples: &[Sample], is_counted: impl Fn(f64, f64) -> bool) -> f64 {
    samples.windows(2).filter(|pair| is_counted(pair[0].value, pair[1].value)).count() as f64
}

fn variance(samples: &[Sample]) -> f64 {
    let mut spread = Spread::default();
    for sample in samples {
        spread.add(sample.value);
    }
    spread.variance()
}

/// Slope per second and value at `origin_ms` of the least squares line. A constant series has slope 0 exactly.
fn regression(samples: &[Sample], origin_ms: i64) -> Option<(f64, f64)> {
    let [first, rest @ ..] = samples else { return None };
    if rest.is_empty() {
        return None;
    }
    if rest.iter().all(|sample| sample.value == first.value) {
        let is_finite = first.value.is_finite();
        return Some(if is_finite { (0.0, first.value) } else { (f64::NAN, f64::NAN) });
    }
    let [mut x_sum, mut y_sum, mut xy_sum, mut xx_sum] = [Sum::default(); 4];
    for sample in samples {
        let x = (sample.t_ms - origin_ms) as f64 / 1000.0;
        x_sum.add(x);
        y_sum.add(sample.value);
        xy_sum.add(x * sample.value);
        xx_sum.add(x * x);
    }
    let n = samples.len() as f64;
    let (x, y) = (x_sum.total(), y_sum.total());
    let slope = (xy_sum.total() - x * y / n) / (xx_sum.total() - x * x / n);
    Some((slope, y / n - slope * x / n))
}
