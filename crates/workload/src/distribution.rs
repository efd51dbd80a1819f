//! Distributions of lengths of time, in seconds, and of sizes, in whatever unit the caller gives.

use std::sync::Arc;

use crate::Stream;

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

impl Distribution {
    /// One draw, by inverse CDF of one uniform number: each draw takes exactly one number from the stream.
    pub fn sample(&self, stream: &mut Stream) -> f64 {
        self.quantile(stream.uniform())
    }

    /// The value below which a share `q` of draws lies; `q` in [0, 1).
    pub fn quantile(&self, q: f64) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Uniform { low, high } => low + (high - low) * q,
            _ => unimplemented!("the other families: {q}"),
        }
    }
}
