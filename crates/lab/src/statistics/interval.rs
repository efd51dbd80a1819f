//! Intervals of one estimate.

use record::Interval;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::{mean, section_error, standard_error};

/// A confidence level, in (0, 1).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Confidence {
    level: f64,
    /// Student's t is multiplied by it.
    widening: f64,
}

impl Confidence {
    /// The level of every table.
    pub const P95: Self = Self { level: 0.95, widening: 1.0 };

    /// A level; `None` outside (0, 1).
    pub fn new(level: f64) -> Option<Self> {
        (level > 0.0 && level < 1.0).then_some(Self { level, widening: 1.0 })
    }

    /// The level as a share.
    pub const fn level(self) -> f64 {
        self.level
    }

    /// The same level with intervals by Student's t so much wider: what skewed values take.
    pub(crate) fn widened(self, widening: f64) -> Self {
        Self { widening: self.widening * widening, ..self }
    }

    /// What is left: the chance of an interval that misses.
    pub fn alpha(self) -> f64 {
        1.0 - self.level
    }

    /// Two-sided quantile of Student's t; NaN for fewer than one degree of freedom.
    pub(crate) fn t(self, degrees_of_freedom: f64) -> f64 {
        StudentsT::new(0.0, 1.0, degrees_of_freedom)
            .ok()
            .filter(|_| degrees_of_freedom >= 1.0)
            .map_or(f64::NAN, |t| t.inverse_cdf(0.5 + self.level / 2.0) * self.widening)
    }

    fn z(self) -> f64 {
        Normal::standard().inverse_cdf(0.5 + self.level / 2.0) * self.widening
    }
}

/// How many of how many: requests that met the SLO of those it is judged on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The good ones.
    pub met: u64,
    /// All.
    pub total: u64,
}

impl Counts {
    /// `met / total`; NaN of nothing.
    pub fn share(self) -> f64 {
        self.met as f64 / self.total as f64
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, one| Self { met: sum.met + one.met, total: sum.total + one.total })
    }
}

fn around(center: f64, half_width: f64) -> Interval {
    Interval { mean: center, low: center - half_width, high: center + half_width }
}

/// Student's t interval of the mean of independent values.
pub fn mean_interval(values: &[f64], confidence: Confidence) -> Interval {
    let half_width = confidence.t(values.len() as f64 - 1.0) * standard_error(values);
    around(mean(values), half_width)
}

/// Half the width of a histogram's bucket relative to its value, and a little: a quantile read off one may be off by so much.
const HALF_BUCKET: f64 = 0.005;

/// Interval of a positive figure of all data together by *sectioning*, on the logarithm: its spread is that of the figures of the independent
/// sections (replications) around it, Student's t with one degree of freedom less than sections. Skewed as times are, and never at zero or below.
///
/// Centering on the pooled figure avoids the bias that the mean of quantiles of short sections has (Asmussen and Glynn,
/// *Stochastic Simulation*, 2007, section III.5a).
///
/// Where every section and the whole are infinite, so are the bounds: that much is sure. Where only some are, or one is nothing, there are no bounds.
pub fn log_section_interval(whole: f64, sections: &[f64], confidence: Confidence) -> Interval {
    widened_section(whole, sections, 0.0, confidence)
}

/// [`log_section_interval`] of a quantile that was read off a histogram, half a bucket wider on both sides: sections that share a bucket are no
/// sign of certainty.
pub fn quantile_interval(whole: f64, sections: &[f64], confidence: Confidence) -> Interval {
    widened_section(whole, sections, HALF_BUCKET, confidence)
}

/// Between which levels the true quantile of level `p` lies, from how many of each replication's values are at or below the pooled quantile: the
/// interval of that share on the logit scale, carried over to `p`. Read off all values together the levels bound the quantile, whatever the shape of
/// its distribution, and also where a few replications hold most of a tail. `None` where the counts have no spread to judge by.
///
/// R. S. Woodruff, "Confidence intervals for medians and other position measures", Journal of the American Statistical Association 47 (1952).
pub fn quantile_levels(counts: &[Counts], p: f64, confidence: Confidence) -> Option<[f64; 2]> {
    let pairs: Vec<(f64, f64)> = counts.iter().map(|one| (one.met as f64, one.total as f64)).collect();
    let (share, influences) = ratio_influences(&pairs);
    let half_width = confidence.t(counts.len() as f64 - 1.0) * standard_error(&influences) / (share * (1.0 - share));
    let logit = libm::log(p / (1.0 - p));
    let back = |x: f64| 1.0 / (1.0 + libm::exp(-x));
    half_width.is_finite().then(|| [back(logit - half_width), back(logit + half_width)])
}

/// A quantile between two bounds that were read off a histogram, half a bucket wider on both sides.
pub(crate) fn between_buckets(figure: f64, low: f64, high: f64) -> Interval {
    let wider = libm::exp(HALF_BUCKET);
    Interval { mean: figure, low: low.min(figure) / wider, high: high.max(figure) * wider }
}

fn widened_section(whole: f64, sections: &[f64], wider: f64, confidence: Confidence) -> Interval {
    let none = Interval { mean: whole, low: f64::NAN, high: f64::NAN };
    if sections.len() > 1 && whole.is_infinite() && sections.iter().all(|section| section.is_infinite()) {
        return Interval { mean: whole, low: whole, high: whole };
    }
    if sections.len() > 1 && wider == 0.0 && whole == 0.0 && sections.iter().all(|&section| section == 0.0) {
        return Interval { mean: whole, low: whole, high: whole };
    }
    let is_usable = |figure: f64| figure.is_finite() && figure > 0.0;
    if !(is_usable(whole) && sections.iter().all(|&section| is_usable(section))) {
        return none;
    }
    let logarithms: Vec<f64> = sections.iter().map(|&section| libm::log(section)).collect();
    let half_width = confidence.t(sections.len() as f64 - 1.0) * section_error(libm::log(whole), &logarithms) + wider;
    on_log_scale(whole, half_width)
}

/// From a positive figure and the half-width of the interval of its logarithm.
fn on_log_scale(figure: f64, half_width: f64) -> Interval {
    Interval { mean: figure, low: figure * libm::exp(-half_width), high: figure * libm::exp(half_width) }
}

/// The influence of each pair on the ratio of sums Σ numerator / Σ denominator: their mean is zero and the standard error of their
/// mean is that of the ratio, to first order.
pub(crate) fn ratio_influences(pairs: &[(f64, f64)]) -> (f64, Vec<f64>) {
    let denominator: f64 = pairs.iter().map(|pair| pair.1).sum();
    let ratio = pairs.iter().map(|pair| pair.0).sum::<f64>() / denominator;
    let denominator_mean = denominator / pairs.len() as f64;
    (ratio, pairs.iter().map(|pair| (pair.0 - ratio * pair.1) / denominator_mean).collect())
}

/// Interval of Σ numerator / Σ denominator over independent pairs, both positive: ratio estimator, standard error by linearization, Student's t on
/// the logarithm. A ratio of zero has none to take: then it is that of the ratio itself.
pub fn ratio_interval(pairs: &[(f64, f64)], confidence: Confidence) -> Interval {
    let (ratio, influences) = ratio_influences(pairs);
    let half_width = confidence.t(pairs.len() as f64 - 1.0) * standard_error(&influences);
    if ratio > 0.0 { on_log_scale(ratio, half_width / ratio) } else { around(ratio, half_width) }
}

/// Interval of a share of requests over independent replications: ratio estimator, standard error by linearization, Student's t on
/// the logit scale, so that it stays within 0..=1 and leans away from the bound where misses are rare and bursty.
///
/// Where no request missed (or all did) the replications show no spread at all, which does not mean there is none: then the
/// interval is Wilson's over all requests, the least uncertainty even independent requests would leave.
pub fn share_interval(counts: &[Counts], confidence: Confidence) -> Interval {
    widened_share(counts, 1.0, confidence)
}

/// Where the share over `runs_ahead` further replications together will lie: [`share_interval`] with the variance of the new ones on top of
/// that of the estimate. `runs_ahead` need not be whole; below one it is part of a replication.
pub fn share_forecast(counts: &[Counts], runs_ahead: f64, confidence: Confidence) -> Interval {
    widened_share(counts, libm::sqrt(1.0 + counts.len() as f64 / runs_ahead), confidence)
}

fn widened_share(counts: &[Counts], factor: f64, confidence: Confidence) -> Interval {
    let all: Counts = counts.iter().copied().sum();
    if counts.len() < 2 || all.total == 0 {
        return Interval { mean: all.share(), low: f64::NAN, high: f64::NAN };
    }
    if all.met == 0 || all.met == all.total {
        return wilson_interval(all, confidence);
    }
    let pairs: Vec<(f64, f64)> = counts.iter().map(|one| (one.met as f64, one.total as f64)).collect();
    let (share, influences) = ratio_influences(&pairs);
    let error = factor * standard_error(&influences) / (share * (1.0 - share));
    let half_width = confidence.t(counts.len() as f64 - 1.0) * error;
    let logit = libm::log(share / (1.0 - share));
    let back = |x: f64| 1.0 / (1.0 + libm::exp(-x));
    Interval { mean: share, low: back(logit - half_width).min(share), high: back(logit + half_width).max(share) }
}

/// Wilson's score interval of a share of independent trials; the mean is the share itself.
pub fn wilson_interval(counts: Counts, confidence: Confidence) -> Interval {
    let (total, share, z) = (counts.total as f64, counts.share(), confidence.z());
    let center = (share + z * z / (2.0 * total)) / (1.0 + z * z / total);
    let half_width =
        z / (1.0 + z * z / total) * libm::sqrt(share * (1.0 - share) / total + z * z / (4.0 * total * total));
    Interval {
        mean: share,
        low: (center - half_width).clamp(0.0, share),
        high: (center + half_width).clamp(share, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_t_interval_of_a_textbook_sample_is_right() {
        // 1..=5: mean 3, s = sqrt(2.5), t(4, 0.975) = 2.776445.
        let interval = mean_interval(&[1.0, 2.0, 3.0, 4.0, 5.0], Confidence::P95);
        let half_width = 2.776_445 * (2.5_f64 / 5.0).sqrt();
        assert!((interval.high - (3.0 + half_width)).abs() < 1e-5, "{interval:?}");
        assert!((interval.low - (3.0 - half_width)).abs() < 1e-5, "{interval:?}");
    }

    #[test]
    fn one_value_gives_no_interval() {
        assert!(mean_interval(&[7.0], Confidence::P95).low.is_nan());
        assert!(log_section_interval(7.0, &[7.0], Confidence::P95).high.is_nan());
        assert!(quantile_interval(f64::INFINITY, &[f64::INFINITY], Confidence::P95).high.is_nan());
        assert!(share_interval(&[Counts { met: 9, total: 10 }], Confidence::P95).low.is_nan());
        assert!(share_interval(&[Counts::default(); 3], Confidence::P95).mean.is_nan());
    }

    #[test]
    fn sections_that_share_a_bucket_leave_half_a_bucket_and_lean_upwards() {
        let same = quantile_interval(100.0, &[100.0; 4], Confidence::P95);
        assert!((same.low - 99.501).abs() < 1e-3 && (same.high - 100.501).abs() < 1e-3, "{same:?}");
        assert_eq!(log_section_interval(100.0, &[100.0; 4], Confidence::P95).high, 100.0);
        let spread = log_section_interval(100.0, &[50.0, 90.0, 200.0], Confidence::P95);
        assert!(spread.low > 0.0 && spread.high - 100.0 > 100.0 - spread.low, "{spread:?}");
        let mean = ratio_interval(&[(50.0, 1.0), (90.0, 1.0), (200.0, 1.0)], Confidence::P95);
        assert!(mean.low > 0.0 && mean.high > mean.mean, "{mean:?}");
        assert_eq!(ratio_interval(&[(0.0, 9.0), (0.0, 8.0)], Confidence::P95).high, 0.0);
    }

    #[test]
    fn a_share_without_a_single_miss_is_still_uncertain() {
        let interval = share_interval(&[Counts { met: 100, total: 100 }; 5], Confidence::P95);
        // Wilson: 500 / (500 + 1.96^2).
        assert!((interval.low - 500.0 / 503.841_459).abs() < 1e-6, "{interval:?}");
        assert_eq!((interval.mean, interval.high), (1.0, 1.0));
    }

    #[test]
    fn a_share_interval_never_leaves_zero_to_one() {
        let counts =
            [Counts { met: 999, total: 1000 }, Counts { met: 900, total: 1000 }, Counts { met: 1000, total: 1000 }];
        let interval = share_interval(&counts, Confidence::P95);
        assert!(0.0 < interval.low && interval.low < interval.mean, "{interval:?}");
        assert!(interval.mean < interval.high && interval.high < 1.0, "{interval:?}");
    }

    #[test]
    fn a_wider_level_gives_a_wider_interval() {
        let values = [1.0, 2.0, 4.0, 4.5];
        let narrow = mean_interval(&values, Confidence::new(0.8).unwrap());
        let wide = mean_interval(&values, Confidence::new(0.99).unwrap());
        assert!(wide.low < narrow.low && narrow.high < wide.high);
        assert_eq!(Confidence::new(1.0), None);
    }
}
