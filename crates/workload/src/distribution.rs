//! Distributions of lengths of time, in seconds, and of sizes, in whatever unit the caller gives.

use std::sync::Arc;

use crate::{Sampler, Stream, gamma, normal};

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
            Self::LogNormal { .. } if factor == 0.0 => Self::Constant(0.0),
            Self::LogNormal { p50, p90 } => Self::LogNormal { p50: p50 * factor, p90: p90 * factor },
            Self::Gamma { mean, cv } => Self::Gamma { mean: mean * factor, cv: *cv },
            Self::Weibull { shape, scale } => Self::Weibull { shape: *shape, scale: scale * factor },
            Self::Empirical(values) => Self::Empirical(values.iter().map(|value| value * factor).collect()),
        }
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
