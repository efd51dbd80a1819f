//! The families of distributions that are tried.

use std::f64::consts::{PI, SQRT_2};

use statrs::function::gamma::{gamma_lr, ln_gamma};
use workload::Distribution;

/// Quantile of the standard normal distribution at 90 %.
const Z_P90: f64 = 1.281_551_565_544_600_4;

/// A family of distributions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Lognormal.
    LogNormal,
    /// Gamma.
    Gamma,
    /// Weibull.
    Weibull,
    /// The measured values themselves.
    Empirical,
}

/// Two real numbers, unbounded, that make a distribution of a family: lognormal (μ, ln σ); gamma (ln shape, ln scale); Weibull (ln shape,
/// ln scale).
pub type Parameters = [f64; 2];

impl Family {
    /// The families with parameters.
    pub const PARAMETRIC: [Self; 3] = [Self::LogNormal, Self::Gamma, Self::Weibull];

    /// Name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LogNormal => "lognormal",
            Self::Gamma => "gamma",
            Self::Weibull => "Weibull",
            Self::Empirical => "empirical",
        }
    }

    /// Share of lengths up to `x`.
    pub fn cdf(self, [a, b]: Parameters, x: f64) -> f64 {
        if x <= 0.0 {
            return 0.0;
        }
        match self {
            Self::LogNormal => 0.5 * libm::erfc((a - libm::log(x)) / (libm::exp(b) * SQRT_2)),
            Self::Gamma => gamma_lr(libm::exp(a), x / libm::exp(b)),
            Self::Weibull => -libm::expm1(-libm::pow(x / libm::exp(b), libm::exp(a))),
            Self::Empirical => panic!("an empirical distribution has no parameters"),
        }
    }

    /// Density at `x`.
    pub fn pdf(self, [a, b]: Parameters, x: f64) -> f64 {
        if x <= 0.0 {
            return 0.0;
        }
        match self {
            Self::LogNormal => {
                let sigma = libm::exp(b);
                let z = (libm::log(x) - a) / sigma;
                libm::exp(-0.5 * z * z) / (x * sigma * libm::sqrt(2.0 * PI))
            }
            Self::Gamma => {
                let (shape, scale) = (libm::exp(a), libm::exp(b));
                libm::exp((shape - 1.0) * libm::log(x / scale) - x / scale - ln_gamma(shape)) / scale
            }
            Self::Weibull => {
                let (shape, scale) = (libm::exp(a), libm::exp(b));
                let power = libm::pow(x / scale, shape);
                shape / x * power * libm::exp(-power)
            }
            Self::Empirical => panic!("an empirical distribution has no parameters"),
        }
    }

    /// A first guess from mean and variance of the logarithms or of the values.
    pub fn guess(self, values: &[f64]) -> Parameters {
        let mean_of =
            |read: &dyn Fn(f64) -> f64| values.iter().map(|value| read(*value)).sum::<f64>() / values.len() as f64;
        let log_mean = mean_of(&|value| libm::log(value.max(0.1)));
        let log_variance = mean_of(&|value| (libm::log(value.max(0.1)) - log_mean).powi(2)).max(1e-4);
        let mean = mean_of(&|value| value).max(0.1);
        let variance = mean_of(&|value| (value - mean).powi(2)).max(1e-4 * mean * mean);
        match self {
            Self::LogNormal => [log_mean, 0.5 * libm::log(log_variance)],
            Self::Gamma => [libm::log(mean * mean / variance), libm::log(variance / mean)],
            // The logarithm of a Weibull variable has standard deviation π / (shape · √6) and mean ln scale − 0.5772 / shape.
            Self::Weibull => {
                let shape = PI / libm::sqrt(6.0 * log_variance);
                [libm::log(shape), log_mean + 0.577_215_664_901_532_9 / shape]
            }
            Self::Empirical => panic!("an empirical distribution has no parameters"),
        }
    }

    /// The distribution of these parameters.
    pub fn distribution(self, [a, b]: Parameters) -> Distribution {
        match self {
            Self::LogNormal => Distribution::LogNormal { p50: libm::exp(a), p90: libm::exp(a + Z_P90 * libm::exp(b)) },
            Self::Gamma => Distribution::Gamma { mean: libm::exp(a + b), cv: libm::exp(-0.5 * a) },
            Self::Weibull => Distribution::Weibull { shape: libm::exp(a), scale: libm::exp(b) },
            Self::Empirical => panic!("an empirical distribution has no parameters"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distribution_functions_agree_with_the_quantiles_that_the_simulator_draws_from() {
        for (family, parameters) in [
            (Family::LogNormal, [3.7, -1.0]),
            (Family::Gamma, [1.2, 2.0]),
            (Family::Weibull, [0.6, 3.0]),
            (Family::Gamma, [-0.5, 1.0]),
        ] {
            let distribution = family.distribution(parameters);
            for q in [0.01, 0.1, 0.5, 0.9, 0.99] {
                let back = family.cdf(parameters, distribution.quantile(q));
                assert!((back - q).abs() < 1e-6, "{family:?} {q} {back}");
            }
        }
    }

    #[test]
    fn densities_are_slopes_of_distribution_functions() {
        for (family, parameters) in
            [(Family::LogNormal, [3.7, -1.0]), (Family::Gamma, [1.2, 2.0]), (Family::Weibull, [0.6, 3.0])]
        {
            for x in [5.0, 20.0, 60.0] {
                let slope = (family.cdf(parameters, x + 1e-4) - family.cdf(parameters, x - 1e-4)) / 2e-4;
                let density = family.pdf(parameters, x);
                assert!((slope - density).abs() < 1e-6, "{family:?} {x} {slope} {density}");
            }
        }
    }
}
