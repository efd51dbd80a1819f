//! Offered rate as a function of time.

use units::{SimDuration, SimTime};

/// A piecewise constant rate in requests per second: step `i` covers `[i * step, (i + 1) * step)` from the start of the run; zero after the last.
#[derive(Clone, Debug, PartialEq)]
pub struct RateCurve {
    /// Length of a step; not zero.
    pub step: SimDuration,
    /// Requests per second in each step; finite, not negative.
    pub rates: Vec<f64>,
}

/// Why a curve is none.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RateError {
    /// The step has no length.
    #[error("the step of a rate curve is 0; it must be longer")]
    NoStep,
    /// A rate is NaN, infinite or negative.
    #[error("the rate of step {step} is {rate}; it must be a finite number, not negative")]
    NotARate {
        /// Index of the step.
        step: usize,
        /// The rate.
        rate: f64,
    },
}

impl RateCurve {
    /// The same rate over `length`, then nothing.
    pub fn constant(rate: f64, length: SimDuration) -> Self {
        if length.is_zero() {
            return Self { step: SimDuration::from_secs(1), rates: Vec::new() };
        }
        Self { step: length, rates: vec![rate] }
    }

    /// `rate(t)` sampled at the middle of each step that starts within `length`; negative values and NaN become zero.
    pub fn from_fn(step: SimDuration, length: SimDuration, rate: impl FnMut(SimTime) -> f64) -> Self {
        assert!(!step.is_zero(), "a rate curve with a step of no length");
        let steps = length.as_nanos().div_ceil(step.as_nanos());
        let middles = (0..steps).map(|i| SimTime::ZERO + step * i + step / 2);
        Self { step, rates: middles.map(rate).map(|rate| rate.max(0.0)).collect() }
    }

    /// Whether step and rates make sense. Everything else here relies on it.
    pub fn validate(&self) -> Result<(), RateError> {
        if self.step.is_zero() {
            return Err(RateError::NoStep);
        }
        match self.rates.iter().position(|rate| !rate.is_finite() || *rate < 0.0) {
            Some(step) => Err(RateError::NotARate { step, rate: self.rates[step] }),
            None => Ok(()),
        }
    }

    /// From the start of the run to the end of the last step.
    pub fn length(&self) -> SimDuration {
        self.step * self.rates.len() as u64
    }

    /// Requests per second at an instant.
    pub fn rate_at(&self, at: SimTime) -> f64 {
        let step = at.as_nanos() / self.step.as_nanos();
        usize::try_from(step).ok().and_then(|step| self.rates.get(step)).copied().unwrap_or(0.0)
    }

    /// Requests per second, averaged over the length; 0 if it has none.
    pub fn mean(&self) -> f64 {
        if self.rates.is_empty() { 0.0 } else { self.rates.iter().sum::<f64>() / self.rates.len() as f64 }
    }

    /// The highest rate; 0 if it has no length.
    pub fn peak(&self) -> f64 {
        self.rates.iter().copied().fold(0.0, f64::max)
    }

    /// Requests expected in `[from, to)`: the area under the curve.
    pub fn expected_count(&self, from: SimTime, to: SimTime) -> f64 {
        let step_ns = self.step.as_nanos();
        let (from_ns, to_ns) = (from.as_nanos(), to.as_nanos().min(self.length().as_nanos()));
        if to_ns <= from_ns {
            return 0.0;
        }
        let (first, last) = (from_ns / step_ns, (to_ns - 1) / step_ns);
        let area_of = |step: u64| {
            let covered = to_ns.min((step + 1) * step_ns) - from_ns.max(step * step_ns);
            self.rates[step as usize] * SimDuration::from_nanos(covered).as_secs_f64()
        };
        (first..=last).map(area_of).sum()
    }

    /// Every rate multiplied by `factor`, which must be finite and not negative.
    pub fn scaled(&self, factor: f64) -> Self {
        self.map(|rate| rate * factor)
    }

    /// Every rate moved into `[low, high]`; after the last step it is zero all the same.
    pub fn clipped(&self, low: f64, high: f64) -> Self {
        self.map(|rate| rate.clamp(low, high))
    }

    /// The sum of two curves, as long as the longer. Its step is the greatest that divides both.
    pub fn plus(&self, other: &Self) -> Self {
        self.combined(other, self.length().max(other.length()), |a, b| a + b)
    }

    /// The product of two curves (one of them usually a curve of factors), as long as the shorter. Its step is the greatest that divides both.
    pub fn times(&self, other: &Self) -> Self {
        self.combined(other, self.length().min(other.length()), |a, b| a * b)
    }

    /// The same curve later by `by`, with nothing before it. Its step is the greatest that divides both step and shift.
    pub fn shifted(&self, by: SimDuration) -> Self {
        let step = common_step(self.step, by);
        let silent = (by.as_nanos() / step.as_nanos()) as usize;
        let mut rates = vec![0.0; silent];
        rates.extend_from_slice(&self.with_step(step).rates);
        Self { step, rates }
    }

    /// The curve from `from` on, moved to the start of the run. Its step is the greatest that divides both step and cut.
    pub fn skipped(&self, from: SimDuration) -> Self {
        let step = common_step(self.step, from);
        let cut = (from.as_nanos() / step.as_nanos()) as usize;
        Self { step, rates: self.with_step(step).rates.into_iter().skip(cut).collect() }
    }

    /// The curve over and over until `length`, rounded up to a whole step. Panics if it has no length itself.
    pub fn repeated(&self, length: SimDuration) -> Self {
        assert!(!self.rates.is_empty(), "a curve of no length cannot be repeated");
        let steps = length.as_nanos().div_ceil(self.step.as_nanos()) as usize;
        Self { step: self.step, rates: self.rates.iter().copied().cycle().take(steps).collect() }
    }

    /// The same curve in shorter steps; `step` must divide its own.
    fn with_step(&self, step: SimDuration) -> Self {
        let parts = (self.step.as_nanos() / step.as_nanos()) as usize;
        Self { step, rates: self.rates.iter().flat_map(|rate| std::iter::repeat_n(*rate, parts)).collect() }
    }

    fn map(&self, change: impl FnMut(f64) -> f64) -> Self {
        Self { step: self.step, rates: self.rates.iter().copied().map(change).collect() }
    }

    fn combined(&self, other: &Self, length: SimDuration, combine: impl Fn(f64, f64) -> f64) -> Self {
        let step = common_step(self.step, other.step);
        let steps = length.as_nanos() / step.as_nanos();
        let starts = (0..steps).map(|i| SimTime::ZERO + step * i);
        Self { step, rates: starts.map(|start| combine(self.rate_at(start), other.rate_at(start))).collect() }
    }
}

/// The greatest length that divides both; the other one if one is zero.
fn common_step(a: SimDuration, b: SimDuration) -> SimDuration {
    let (mut a, mut b) = (a.as_nanos(), b.as_nanos());
    while b > 0 {
        (a, b) = (b, a % b);
    }
    SimDuration::from_nanos(a)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> SimDuration {
        SimDuration::from_secs(seconds)
    }

    fn curve(step: u64, rates: &[f64]) -> RateCurve {
        RateCurve { step: seconds(step), rates: rates.to_vec() }
    }

    #[test]
    fn a_step_holds_from_its_start_to_just_before_the_next() {
        let curve = curve(10, &[1.0, 2.0]);
        let at = [0, 9_999_999_999, 10_000_000_000, 20_000_000_000].map(|ns| curve.rate_at(SimTime::from_nanos(ns)));
        assert_eq!(at, [1.0, 1.0, 2.0, 0.0]);
        assert_eq!((curve.mean(), curve.peak(), curve.length()), (1.5, 2.0, seconds(20)));
    }

    #[test]
    fn the_expected_count_is_the_area_under_the_curve() {
        let curve = curve(10, &[1.0, 3.0, 5.0]);
        let count = |from, to| curve.expected_count(SimTime::from_secs(from), SimTime::from_secs(to));
        assert_eq!(
            [count(0, 30), count(5, 15), count(12, 14), count(25, 99), count(9, 9), count(40, 50)],
            [90.0, 20.0, 6.0, 25.0, 0.0, 0.0]
        );
        assert_eq!(RateCurve::constant(4.0, seconds(60)).expected_count(SimTime::ZERO, SimTime::MAX), 240.0);
    }

    #[test]
    fn curves_with_different_steps_combine_instant_by_instant() {
        let (a, b) = (curve(6, &[1.0, 2.0]), curve(4, &[10.0, 20.0]));
        assert_eq!(a.plus(&b), curve(2, &[11.0, 11.0, 21.0, 22.0, 2.0, 2.0]));
        assert_eq!(a.times(&b), curve(2, &[10.0, 10.0, 20.0, 40.0]));
    }

    #[test]
    fn shifting_forward_and_skipping_the_same_length_cancel() {
        let base = curve(6, &[1.0, 2.0]);
        assert_eq!(base.shifted(seconds(4)), curve(2, &[0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0]));
        assert_eq!(base.shifted(seconds(12)).skipped(seconds(12)), base);
        assert_eq!(base.shifted(SimDuration::ZERO), base);
    }

    #[test]
    fn curves_repeat_scale_and_clip() {
        let base = curve(5, &[1.0, 4.0]);
        assert_eq!(base.repeated(seconds(13)), curve(5, &[1.0, 4.0, 1.0]));
        assert_eq!(base.scaled(2.0), curve(5, &[2.0, 8.0]));
        assert_eq!(base.clipped(2.0, 3.0), curve(5, &[2.0, 3.0]));
    }

    #[test]
    fn a_curve_of_a_function_samples_the_middle_of_each_step() {
        let line = RateCurve::from_fn(seconds(2), seconds(5), |at| at.as_secs_f64() - 2.0);
        assert_eq!(line, curve(2, &[0.0, 1.0, 3.0]));
    }

    #[test]
    fn a_broken_curve_names_its_step() {
        assert_eq!(curve(0, &[]).validate(), Err(RateError::NoStep));
        let error = curve(1, &[1.0, -2.0]).validate().unwrap_err().to_string();
        assert_eq!(error, "the rate of step 1 is -2; it must be a finite number, not negative");
    }
}
