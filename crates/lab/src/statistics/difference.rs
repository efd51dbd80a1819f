//! Differences of two means, and Holm's correction for asking many questions at once.

use record::Interval;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Confidence, mean, section_error};

/// A difference of two estimates with what is needed to judge it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// First minus second.
    pub mean: f64,
    /// Its standard error; NaN if the data give none.
    pub standard_error: f64,
    /// Degrees of freedom of Student's t.
    pub degrees_of_freedom: f64,
}

impl Difference {
    /// Of values measured in pairs: the spread is that of the pairs' differences. Panics on unequal lengths.
    pub fn paired(first: &[f64], second: &[f64]) -> Self {
        Self::paired_around([mean(first), mean(second)], first, second)
    }

    /// The same between two figures of all data together, of which the values are the sections'. Values that are equal differ by nothing, infinite
    /// ones too.
    pub fn paired_around(wholes: [f64; 2], first: &[f64], second: &[f64]) -> Self {
        assert_eq!(first.len(), second.len(), "paired values come in pairs");
        let apart = |a: f64, b: f64| if a == b { 0.0 } else { a - b };
        let differences: Vec<f64> = first.iter().zip(second).map(|(&a, &b)| apart(a, b)).collect();
        let mean = apart(wholes[0], wholes[1]);
        Self {
            mean,
            standard_error: section_error(mean, &differences),
            degrees_of_freedom: differences.len() as f64 - 1.0,
        }
    }

    /// Of two independent samples with spreads of their own: Welch's test, Satterthwaite's degrees of freedom.
    pub fn welch(first: &[f64], second: &[f64]) -> Self {
        Self::welch_around([mean(first), mean(second)], first, second)
    }

    /// The same between two figures of all data together, of which the values are the sections'.
    pub fn welch_around(wholes: [f64; 2], first: &[f64], second: &[f64]) -> Self {
        let (a, b) = (section_error(wholes[0], first), section_error(wholes[1], second));
        let (a, b) = (a * a, b * b);
        let (freedom_a, freedom_b) = (first.len() as f64 - 1.0, second.len() as f64 - 1.0);
        // Without any spread the quotient is 0/0; the smaller sample's freedom is the cautious limit.
        let freedom = if a + b > 0.0 {
            (a + b) * (a + b) / (a * a / freedom_a + b * b / freedom_b)
        } else {
            freedom_a.min(freedom_b)
        };
        Self { mean: wholes[0] - wholes[1], standard_error: libm::sqrt(a + b), degrees_of_freedom: freedom }
    }

    /// The same difference, so much less certain.
    pub(crate) fn widened(self, widening: f64) -> Self {
        Self { standard_error: self.standard_error * widening, ..self }
    }

    /// Two-sided p-value of "no difference"; 1 where the data cannot tell.
    pub fn p_value(&self) -> f64 {
        if !self.standard_error.is_finite() || self.mean == 0.0 || self.mean.is_nan() {
            return 1.0;
        }
        if self.standard_error == 0.0 {
            return 0.0;
        }
        let t = (self.mean / self.standard_error).abs();
        StudentsT::new(0.0, 1.0, self.degrees_of_freedom).map_or(1.0, |distribution| 2.0 * distribution.sf(t))
    }

    /// The interval that misses with chance `alpha`.
    pub fn interval(&self, alpha: f64) -> Interval {
        let t = Confidence::new(1.0 - alpha).map_or(f64::NAN, |level| level.t(self.degrees_of_freedom));
        let half_width = t * self.standard_error;
        Interval { mean: self.mean, low: self.mean - half_width, high: self.mean + half_width }
    }
}

/// The ratio of two figures of all data together, `wholes`, with Fieller's interval: the ratios `r` at which "the first is `r` times the second" is
/// not refused by Student's t with `degrees_of_freedom` and the spread of their sections. `None` where the second cannot be told from zero, for then
/// no ratio can be ruled out.
///
/// E. C. Fieller, "Some problems in interval estimation", Journal of the Royal Statistical Society B 16 (1954). Paired values must be equally many.
pub fn ratio_of_wholes(
    wholes: [f64; 2],
    [first, second]: [&[f64]; 2],
    is_paired: bool,
    degrees_of_freedom: f64,
    confidence: Confidence,
) -> Option<Interval> {
    let [a, b] = wholes;
    let squared = |whole: f64, values: &[f64]| section_error(whole, values) * section_error(whole, values);
    let (var_a, var_b) = (squared(a, first), squared(b, second));
    let count = first.len() as f64;
    let products = first.iter().zip(second).map(|(x, y)| (x - a) * (y - b));
    let covariance = if is_paired { products.sum::<f64>() / (count - 1.0) / count } else { 0.0 };
    let t = confidence.t(degrees_of_freedom);
    if t.is_nan() || var_a.is_nan() || var_b.is_nan() {
        return (b > 0.0).then_some(Interval { mean: a / b, low: f64::NAN, high: f64::NAN });
    }
    let denominator = b * b - t * t * var_b;
    if b <= 0.0 || denominator <= 0.0 {
        return None;
    }
    let middle = a * b - t * t * covariance;
    // Never below zero but for rounding, since a / b itself is never refused.
    let spread = libm::sqrt((middle * middle - denominator * (a * a - t * t * var_a)).max(0.0));
    let (low, high) = ((middle - spread) / denominator, (middle + spread) / denominator);
    Some(Interval { mean: a / b, low: low.min(a / b), high: high.max(a / b) })
}

/// Holm's answer to one of many questions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HolmStep {
    /// Whether the difference stands although many were asked.
    pub is_rejected: bool,
    /// The level at which this question was decided: an interval at `1 - alpha` excludes zero exactly if `is_rejected`.
    pub alpha: f64,
    /// The p-value adjusted for the number of questions.
    pub p_adjusted: f64,
}

/// Holm's step-down procedure at family-wise level `alpha`, in the order of `p_values`.
///
/// The smallest p is held against `alpha / m`, the next against `alpha / (m - 1)` and so on; the first that fails stops it, and all
/// that follow are judged at the level it failed at.
pub fn holm(p_values: &[f64], alpha: f64) -> Vec<HolmStep> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]).then(a.cmp(&b)));
    let mut steps = vec![HolmStep { is_rejected: false, alpha, p_adjusted: 1.0 }; p_values.len()];
    let mut failed_at = None;
    let mut adjusted = 0.0_f64;
    for (rank, &index) in order.iter().enumerate() {
        let left = (p_values.len() - rank) as f64;
        let level = failed_at.unwrap_or(alpha / left);
        // After a failure every p is at least the one that failed, so none passes its level.
        let is_rejected = p_values[index] <= level;
        if !is_rejected {
            failed_at = Some(level);
        }
        adjusted = adjusted.max((p_values[index] * left).min(1.0));
        steps[index] = HolmStep { is_rejected, alpha: level, p_adjusted: adjusted };
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holm_stops_at_the_first_failure() {
        // Against 0.05/4, /3, /2, /1: 0.005 and 0.01 stand, 0.03 > 0.025 does not, and 0.04 < 0.05 falls with it.
        let steps = holm(&[0.01, 0.04, 0.03, 0.005], 0.05);
        assert_eq!(steps.iter().map(|step| step.is_rejected).collect::<Vec<_>>(), [true, false, false, true]);
        let adjusted: Vec<f64> = steps.iter().map(|step| step.p_adjusted).collect();
        for (got, want) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((got - want).abs() < 1e-12, "{adjusted:?}");
        }
        assert_eq!((steps[1].alpha, steps[2].alpha), (0.025, 0.025));
    }

    #[test]
    fn an_interval_at_holms_level_excludes_zero_exactly_if_the_difference_stands() {
        let differences: Vec<Difference> = [0.5, 1.0, 1.6, 2.0, 2.4, 3.1, 5.0]
            .map(|mean| Difference { mean, standard_error: 0.8, degrees_of_freedom: 9.0 })
            .to_vec();
        let steps = holm(&differences.iter().map(Difference::p_value).collect::<Vec<_>>(), 0.05);
        assert!(steps.iter().any(|step| step.is_rejected) && steps.iter().any(|step| !step.is_rejected));
        for (difference, step) in differences.iter().zip(&steps) {
            assert_eq!(difference.interval(step.alpha).low > 0.0, step.is_rejected, "{difference:?} {step:?}");
        }
    }

    #[test]
    fn a_ratio_is_within_its_interval_exactly_where_the_difference_is_not_refused() {
        let (first, second) = ([10.0, 12.0, 11.0, 13.5, 12.5], [9.0, 11.5, 10.0, 12.0, 11.0]);
        for is_paired in [true, false] {
            let wholes = [mean(&first), mean(&second)];
            let ratio = ratio_of_wholes(wholes, [&first, &second], is_paired, 4.0, Confidence::P95).unwrap();
            for (factor, is_inside) in [
                (ratio.low - 1e-9, false),
                (ratio.low + 1e-9, true),
                (ratio.high - 1e-9, true),
                (ratio.high + 1e-9, false),
            ] {
                let scaled = second.map(|value| factor * value);
                let difference = if is_paired {
                    Difference::paired(&first, &scaled)
                } else {
                    Difference { degrees_of_freedom: 4.0, ..Difference::welch(&first, &scaled) }
                };
                let interval = difference.interval(0.05);
                assert_eq!(interval.low <= 0.0 && 0.0 <= interval.high, is_inside, "{ratio:?} {factor} {interval:?}");
            }
        }
        let around_zero = [-1.0, 1.0, 0.5];
        let wholes = [mean(&first), mean(&around_zero)];
        assert_eq!(ratio_of_wholes(wholes, [&first, &around_zero], false, 2.0, Confidence::P95), None);
    }

    #[test]
    fn welch_agrees_with_a_worked_example() {
        // Two samples with variances 2.5 and 10, five values each: t = -3/sqrt(2.5), df = 5.8824.
        let difference = Difference::welch(&[1.0, 2.0, 3.0, 4.0, 5.0], &[2.0, 4.0, 6.0, 8.0, 10.0]);
        assert!((difference.standard_error - 2.5_f64.sqrt()).abs() < 1e-12);
        assert!((difference.degrees_of_freedom - 5.882_353).abs() < 1e-6);
        assert!((difference.p_value() - 0.107_53).abs() < 1e-4, "{}", difference.p_value());
    }

    #[test]
    fn equal_runs_differ_by_nothing_and_a_constant_gap_is_certain() {
        assert_eq!(Difference::paired(&[1.0, 2.0], &[1.0, 2.0]).p_value(), 1.0);
        assert_eq!(Difference::paired(&[2.0, 3.0], &[1.0, 2.0]).p_value(), 0.0);
        assert_eq!(Difference::paired(&[2.0], &[1.0]).p_value(), 1.0);
    }
}
