//! Distributions prepared for many draws.

use std::sync::Arc;

use crate::distribution::{discrete_quantile, empirical_quantile};
use crate::quantile_table::QuantileTable;
use crate::{Distribution, Stream};

/// A [`Distribution`] with everything precomputed that makes a draw cheap (3 to 10 ns).
///
/// Same values as [`Distribution::quantile`], except that lognormal, gamma and Weibull are interpolated: off by at most 1e-7 of the value
/// or 1e-8 of the mean, whichever is more.
#[derive(Clone, Debug)]
pub struct Sampler(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Constant(f64),
    Uniform {
        low: f64,
        width: f64,
    },
    Exponential {
        mean: f64,
    },
    Table(Arc<QuantileTable>),
    Empirical(Arc<[f64]>),
    Discrete(Arc<[(f64, f64)]>),
    /// Quick enough as it is.
    Exact(Distribution),
}

impl Sampler {
    /// Prepares `distribution`, which must be valid. Some milliseconds for gamma, well below one for the others.
    pub fn new(distribution: &Distribution) -> Self {
        Self(match distribution {
            Distribution::Constant(value) => Kind::Constant(*value),
            Distribution::Uniform { low, high } => Kind::Uniform { low: *low, width: high - low },
            Distribution::Exponential { mean } => Kind::Exponential { mean: *mean },
            Distribution::LogNormal { .. } | Distribution::Gamma { .. } | Distribution::Weibull { .. } => {
                Kind::Table(Arc::new(QuantileTable::new(distribution)))
            }
            Distribution::Empirical(values) => Kind::Empirical(Arc::clone(values)),
            Distribution::Discrete(values) => Kind::Discrete(Arc::clone(values)),
            Distribution::Normal { .. } => Kind::Exact(distribution.clone()),
        })
    }

    /// The value below which a share `q` of draws lies; `q` in [0, 1).
    #[inline]
    pub fn quantile(&self, q: f64) -> f64 {
        match &self.0 {
            Kind::Constant(value) => *value,
            Kind::Uniform { low, width } => low + width * q,
            Kind::Exponential { mean } => -mean * libm::log1p(-q),
            Kind::Table(table) => table.quantile(q),
            Kind::Empirical(values) => empirical_quantile(values, q),
            Kind::Discrete(values) => discrete_quantile(values, q),
            Kind::Exact(distribution) => distribution.quantile(q),
        }
    }

    /// One draw; takes exactly one number from the stream.
    #[inline]
    pub fn sample(&self, stream: &mut Stream) -> f64 {
        self.quantile(stream.uniform())
    }
}
