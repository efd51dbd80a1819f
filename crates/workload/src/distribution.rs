//! Distributions of lengths of time, in seconds, and of sizes, in whatever unit the caller gives.

use std::sync::Arc;

use crate::{Sampler, Stream, gamma, normal};

/// Points of probability over which the mean of what has no formula for it is taken.
const MEAN_POINTS: usize = 4_096;
/// Steps of the integral of a skew normal density, and quantiles kept of it.
const SKEW_STEPS: usize = 20_000;
const SKEW_POINTS: usize = 2_048;
/// Above this coefficient of variation all but one draw in a million is zero, and a double cannot tell the others apart.
const GAMMA_CV_MAX: f64 = 1_000.0;
/// Below this shape draws cover a hundred orders of magnitude, and the mean is that of draws that never come.
const WEIBULL_SHAPE_MIN: f64 = 0.1;

/// A distribution of non-negative amounts.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Always the same.
    Constant(f64),
    /// Uniform between two bounds.
    Uniform {
        /// Lower bound.
        low: f64,
        /// Upper bound.
        high: f64,
    },
    /// Exponential.
    Exponential {
        /// Mean.
        mean: f64,
    },
    /// Lognormal, given by two of its quantiles, as people measure it.
    LogNormal {
        /// Median.
        p50: f64,
        /// 90th percentile.
        p90: f64,
    },
    /// Gamma.
    Gamma {
        /// Mean.
        mean: f64,
        /// Standard deviation over mean.
        cv: f64,
    },
    /// Weibull.
    Weibull {
        /// Shape.
        shape: f64,
        /// Scale.
        scale: f64,
    },
    /// Measured values, each equally likely, interpolated linearly between order statistics. Sorted, not empty.
    Empirical(Arc<[f64]>),
    /// Normal; what falls outside the bounds is moved onto them, and nothing is below 0.
    Normal {
        /// Mean, before the bounds.
        mean: f64,
        /// Standard deviation, before the bounds.
        std: f64,
        /// Least value.
        min: f64,
        /// Greatest value; may be infinite.
        max: f64,
    },
    /// Single values, each with the share of draws that are it or less: both ascending, the last share 1.
    Discrete(Arc<[(f64, f64)]>),
}

/// Why the parameters of a distribution make no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DistributionError {
    /// A parameter is NaN, infinite or negative.
    #[error("{parameter} is {value}; it must be a finite number, not negative")]
    NotAnAmount {
        /// Its name.
        parameter: &'static str,
        /// Its value.
        value: f64,
    },
    /// A parameter that must not be zero is.
    #[error("{parameter} is 0; it must be greater")]
    Zero {
        /// Its name.
        parameter: &'static str,
    },
    /// A parameter is so far out that no draw would be more than rounding.
    #[error("{parameter} is {value}; it must be {limit}")]
    OutOfRange {
        /// Its name.
        parameter: &'static str,
        /// Its value.
        value: f64,
        /// What it may be.
        limit: &'static str,
    },
    /// Two parameters are the wrong way round.
    #[error("{upper} is {upper_value}, below {lower}, which is {lower_value}")]
    OutOfOrder {
        /// Name of the one that must not be greater.
        lower: &'static str,
        /// Its value.
        lower_value: f64,
        /// Name of the one that must not be less.
        upper: &'static str,
        /// Its value.
        upper_value: f64,
    },
    /// An empirical distribution without values.
    #[error("no values; an empirical distribution needs at least one")]
    Empty,
    /// The values of an empirical distribution are not ascending.
    #[error("value {index} is below the one before it; values must be sorted")]
    Unsorted {
        /// Index of the first that is too low, from 0.
        index: usize,
    },
    /// The shares of single values do not ascend to 1.
    #[error("the weights must be finite numbers, not negative, and not all 0")]
    Weights,
    /// The mean is beyond what a number can hold.
    #[error("the mean is not finite; the tail is too heavy")]
    InfiniteMean,
}

impl Distribution {
    /// One draw, by inverse CDF of one uniform number: each draw takes exactly one number from the stream.
    ///
    /// For many draws, [`Distribution::sampler`] is faster.
    pub fn sample(&self, stream: &mut Stream) -> f64 {
        self.quantile(stream.uniform())
    }

    /// Prepares for many draws.
    pub fn sampler(&self) -> Sampler {
        Sampler::new(self)
    }

    /// The value below which a share `q` of draws lies; `q` in [0, 1).
    pub fn quantile(&self, q: f64) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Uniform { low, high } => low + (high - low) * q,
            Self::Exponential { mean } => -mean * libm::log1p(-q),
            Self::LogNormal { p50, p90 } => log_normal_quantile(*p50, log_normal_sigma(*p50, *p90), q),
            Self::Gamma { mean, cv } => gamma_quantile(*mean, *cv, q),
            Self::Weibull { shape, scale } => scale * libm::pow(-libm::log1p(-q), 1.0 / shape),
            Self::Empirical(values) => empirical_quantile(values, q),
            Self::Normal { mean, std, min, max } => normal_quantile((*mean, *std), (*min, *max), q),
            Self::Discrete(values) => discrete_quantile(values, q),
        }
    }

    /// The expected value.
    pub fn mean(&self) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Uniform { low, high } => f64::midpoint(*low, *high),
            Self::Exponential { mean } | Self::Gamma { mean, .. } => *mean,
            Self::LogNormal { p50, p90 } => {
                let sigma = log_normal_sigma(*p50, *p90);
                p50 * libm::exp(0.5 * sigma * sigma)
            }
            Self::Weibull { shape, scale } => scale * libm::tgamma(1.0 + 1.0 / shape),
            Self::Empirical(values) => empirical_mean(values),
            Self::Normal { .. } => {
                (0..MEAN_POINTS).map(|index| self.quantile((index as f64 + 0.5) / MEAN_POINTS as f64)).sum::<f64>()
                    / MEAN_POINTS as f64
            }
            Self::Discrete(values) => discrete_mean(values),
        }
    }

    /// The median.
    pub fn p50(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The 90th percentile.
    pub fn p90(&self) -> f64 {
        self.quantile(0.9)
    }

    /// The same distribution with every value multiplied by `factor`, which must be finite and not negative.
    pub fn scaled(&self, factor: f64) -> Self {
        match self {
            Self::Constant(value) => Self::Constant(value * factor),
            Self::Uniform { low, high } => Self::Uniform { low: low * factor, high: high * factor },
            Self::Exponential { mean } => Self::Exponential { mean: mean * factor },
            Self::LogNormal { .. } | Self::Normal { .. } if factor == 0.0 => Self::Constant(0.0),
            Self::LogNormal { p50, p90 } => Self::LogNormal { p50: p50 * factor, p90: p90 * factor },
            Self::Gamma { mean, cv } => Self::Gamma { mean: mean * factor, cv: *cv },
            Self::Weibull { shape, scale } => Self::Weibull { shape: *shape, scale: scale * factor },
            Self::Empirical(values) => Self::Empirical(values.iter().map(|value| value * factor).collect()),
            Self::Normal { mean, std, min, max } => {
                Self::Normal { mean: mean * factor, std: std * factor, min: min * factor, max: max * factor }
            }
            Self::Discrete(values) => {
                Self::Discrete(values.iter().map(|(value, share)| (value * factor, *share)).collect())
            }
        }
    }

    /// Single values with weights, in any order; a weight of 0 is never drawn. Invalid weights make an invalid distribution.
    pub fn weighted(values: &[(f64, f64)]) -> Self {
        let mut sorted: Vec<(f64, f64)> = values.iter().copied().filter(|(_, weight)| *weight != 0.0).collect();
        sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
        let total: f64 = sorted.iter().map(|(_, weight)| weight).sum();
        let mut so_far = 0.0;
        for (_, weight) in &mut sorted {
            so_far += *weight;
            *weight = so_far / total;
        }
        if let Some(last) = sorted.last_mut().filter(|last| last.1 > 0.0) {
            last.1 = 1.0;
        }
        Self::Discrete(sorted.into())
    }

    /// Poisson: whole numbers with this mean, which is finite and not negative. What is rarer than one in 10^15 is left out.
    pub fn poisson(mean: f64) -> Self {
        let reach = 8.0 * mean.sqrt() + 40.0;
        let (first, last) = ((mean - reach).max(0.0).floor(), (mean + reach).ceil());
        let weight = |count: f64| (count, libm::exp(count * libm::log(mean) - mean - libm::lgamma(count + 1.0)));
        if mean == 0.0 {
            return Self::Constant(0.0);
        }
        let counts = (0..=(last - first) as u64).map(|step| weight(first + step as f64));
        Self::weighted(&counts.filter(|(_, weight)| *weight > 1e-15).collect::<Vec<_>>())
    }

    /// Lognormal with this mean and standard deviation.
    pub fn log_normal(mean: f64, std: f64) -> Self {
        let variance = libm::log1p((std / mean) * (std / mean));
        let p50 = mean / libm::exp(variance / 2.0);
        Self::LogNormal { p50, p90: p50 * libm::exp(normal::Z_P90 * variance.sqrt()) }
    }

    /// Skew normal with this mean and standard deviation and the shape `skew` (0 is the normal distribution, positive has the longer tail
    /// above), moved onto the bounds. Its quantiles are tabulated.
    pub fn skew_normal((mean, std): (f64, f64), skew: f64, (min, max): (f64, f64)) -> Self {
        let delta = skew / (1.0 + skew * skew).sqrt();
        let centre = delta * (2.0 / std::f64::consts::PI).sqrt();
        let scale = std / (1.0 - centre * centre).sqrt();
        let location = mean - scale * centre;
        let density = |z: f64| libm::exp(-z * z / 2.0) * libm::erfc(-skew * z / std::f64::consts::SQRT_2);
        // The area under the density by the rule of trapezoids, then the points at which it has grown by equal parts.
        let at = |index: usize| -9.0 + 18.0 * index as f64 / SKEW_STEPS as f64;
        let mut area = vec![0.0; SKEW_STEPS + 1];
        for index in 1..=SKEW_STEPS {
            area[index] = area[index - 1] + density(at(index - 1)) + density(at(index));
        }
        let values = (0..=SKEW_POINTS).map(|point| {
            let wanted = area[SKEW_STEPS] * point as f64 / SKEW_POINTS as f64;
            let above = area.partition_point(|area| *area < wanted).clamp(1, SKEW_STEPS);
            let step = area[above] - area[above - 1];
            let share = if step > 0.0 { (wanted - area[above - 1]) / step } else { 0.0 };
            let z = at(above - 1) + (at(above) - at(above - 1)) * share;
            (location + scale * z).max(min).min(max).max(0.0)
        });
        Self::Empirical(values.collect())
    }

    /// Whether the parameters make sense. Everything else here relies on it.
    pub fn validate(&self) -> Result<(), DistributionError> {
        match self {
            Self::Constant(value) => amount("value", *value)?,
            Self::Uniform { low, high } => ordered(("low", *low), ("high", *high))?,
            Self::Exponential { mean } => amount("mean", *mean)?,
            Self::LogNormal { p50, p90 } => {
                positive("p50", *p50)?;
                ordered(("p50", *p50), ("p90", *p90))?;
            }
            Self::Gamma { mean, cv } => {
                amount("mean", *mean)?;
                amount("cv", *cv)?;
                if *cv > GAMMA_CV_MAX {
                    return Err(DistributionError::OutOfRange { parameter: "cv", value: *cv, limit: "at most 1000" });
                }
            }
            Self::Weibull { shape, scale } => {
                positive("shape", *shape)?;
                amount("scale", *scale)?;
                if *shape < WEIBULL_SHAPE_MIN {
                    let limit = "at least 0.1, whose coefficient of variation is 430";
                    return Err(DistributionError::OutOfRange { parameter: "shape", value: *shape, limit });
                }
            }
            Self::Empirical(values) => sorted_amounts(values)?,
            Self::Normal { mean, std, min, max } => {
                amount("mean", *mean)?;
                amount("std", *std)?;
                amount("min", *min)?;
                if !max.is_infinite() || max.is_sign_negative() {
                    ordered(("min", *min), ("max", *max))?;
                }
            }
            Self::Discrete(values) => {
                let amounts: Vec<f64> = values.iter().map(|(value, _)| *value).collect();
                sorted_amounts(&amounts)?;
                let is_rising = values.windows(2).all(|pair| pair[0].1 <= pair[1].1) && values[0].1 >= 0.0;
                if !is_rising || values[values.len() - 1].1 != 1.0 {
                    return Err(DistributionError::Weights);
                }
            }
        }
        if self.mean().is_finite() { Ok(()) } else { Err(DistributionError::InfiniteMean) }
    }
}

/// Standard deviation of the logarithm, from the distance between median and 90th percentile.
fn log_normal_sigma(p50: f64, p90: f64) -> f64 {
    libm::log(p90 / p50) / normal::Z_P90
}

fn log_normal_quantile(p50: f64, sigma: f64, q: f64) -> f64 {
    // Without spread the product below would be 0 times infinity at q = 0.
    if sigma == 0.0 { p50 } else { p50 * libm::exp(sigma * normal::quantile(q)) }
}

fn gamma_quantile(mean: f64, cv: f64, q: f64) -> f64 {
    if cv == 0.0 {
        return mean;
    }
    let shape = 1.0 / (cv * cv);
    mean / shape * gamma::quantile(shape, q)
}

/// A normal quantile between the bounds.
pub fn normal_quantile((mean, std): (f64, f64), (min, max): (f64, f64), q: f64) -> f64 {
    let value = if std == 0.0 { mean } else { mean + std * normal::quantile(q) };
    value.max(min.max(0.0)).min(max)
}

/// The first of the values up to which more than a share `q` of draws lies.
#[inline]
pub fn discrete_quantile(values: &[(f64, f64)], q: f64) -> f64 {
    values[values.partition_point(|(_, share)| *share <= q).min(values.len() - 1)].0
}

fn discrete_mean(values: &[(f64, f64)]) -> f64 {
    let mut below = 0.0;
    let weighted = values.iter().map(|(value, share)| value * (share - std::mem::replace(&mut below, *share)));
    weighted.sum()
}

#[inline]
pub fn empirical_quantile(values: &[f64], q: f64) -> f64 {
    let position = q * (values.len() - 1) as f64;
    let index = position as usize;
    let low = values[index];
    let high = values[(index + 1).min(values.len() - 1)];
    low + (high - low) * (position - index as f64)
}

/// Mean of the interpolated distribution: that of the segments between neighbours, not of the values.
fn empirical_mean(values: &[f64]) -> f64 {
    if values.len() == 1 {
        return values[0];
    }
    let sum: f64 = values.windows(2).map(|pair| f64::midpoint(pair[0], pair[1])).sum();
    sum / (values.len() - 1) as f64
}

fn amount(parameter: &'static str, value: f64) -> Result<(), DistributionError> {
    if value.is_finite() && value >= 0.0 { Ok(()) } else { Err(DistributionError::NotAnAmount { parameter, value }) }
}

fn positive(parameter: &'static str, value: f64) -> Result<(), DistributionError> {
    amount(parameter, value)?;
    if value > 0.0 { Ok(()) } else { Err(DistributionError::Zero { parameter }) }
}

fn ordered(low: (&'static str, f64), high: (&'static str, f64)) -> Result<(), DistributionError> {
    amount(low.0, low.1)?;
    amount(high.0, high.1)?;
    if low.1 <= high.1 {
        return Ok(());
    }
    Err(DistributionError::OutOfOrder { lower: low.0, lower_value: low.1, upper: high.0, upper_value: high.1 })
}

fn sorted_amounts(values: &[f64]) -> Result<(), DistributionError> {
    if values.is_empty() {
        return Err(DistributionError::Empty);
    }
    for value in values {
        amount("value", *value)?;
    }
    match values.windows(2).position(|pair| pair[1] < pair[0]) {
        Some(index) => Err(DistributionError::Unsorted { index: index + 1 }),
        None => Ok(()),
    }
}
