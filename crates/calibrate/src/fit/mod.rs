//! Fitting a distribution to lengths of time that were rounded, probed or cut short.

mod bootstrap;
mod families;
mod maximum;
mod observation;
mod quantiles;

use workload::Distribution;

pub use families::Family;
pub use observation::Observation;
pub use quantiles::{QuantilePair, quantile_plot};

use families::Parameters;
use observation::Tally;

/// Fewer usable values than this are reported as they are: two parameters and an interval from less would be make-believe.
pub const VALUES_MIN: usize = 5;

/// A number with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Best value.
    pub value: f64,
    /// Lower end; 0 if too few values were measured for an interval.
    pub low: f64,
    /// Upper end; infinite if too few values were measured for an interval.
    pub high: f64,
}

impl Interval {
    /// A value of which no more is known.
    fn unknown(value: f64) -> Self {
        Self { value, low: 0.0, high: f64::INFINITY }
    }

    /// Whether enough was measured for an interval.
    pub fn is_known(&self) -> bool {
        self.high.is_finite()
    }
}

/// One family that was tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Family.
    pub family: Family,
    /// Akaike's criterion, 2 · parameters − 2 · log-likelihood: the lower the better.
    pub aic: f64,
}

/// The distribution that explains a sample best.
#[derive(Clone, Debug, PartialEq)]
pub struct DistributionFit {
    /// The chosen family.
    pub family: Family,
    /// The fitted distribution, in seconds.
    pub distribution: Distribution,
    /// Median in seconds.
    pub p50: Interval,
    /// 90th percentile in seconds.
    pub p90: Interval,
    /// Every parametric family with its criterion, best first; empty for samples too small to choose from.
    pub candidates: Vec<Candidate>,
    /// Values measured to their end.
    pub complete: usize,
    /// Values known only to be longer than something.
    pub censored: usize,
    /// Greatest distance between the fitted and the observed distribution function that rounding and probing do not explain, 0 to 1.
    pub distance: f64,
    /// Observed against fitted quantiles.
    pub quantile_pairs: Vec<QuantilePair>,
}

/// Fits lognormal, gamma and Weibull by maximum likelihood, each observation counting with the probability of what was seen of it, and
/// keeps the one with the lowest criterion of Akaike. Where even that one is further from the data than chance explains (Kolmogorov's
/// distance above 1.63/√n, the 1 % point), or the sample is too small or constant, the values themselves are the distribution.
///
/// Intervals are 95 % percentile intervals over `seed`ed bootstrap resamples. `None` if no value was measured to its end.
pub fn fit_distribution(sample: &[Observation], seed: u64) -> Option<DistributionFit> {
    let tally = Tally::new(sample);
    let curve = quantiles::survival(&tally);
    if curve.steps.is_empty() {
        return None;
    }
    let mut tried: Vec<(Family, Parameters, f64)> = Vec::new();
    if tally.complete() >= VALUES_MIN && tally.distinct() >= 3 {
        tried = Family::PARAMETRIC
            .into_iter()
            .filter_map(|family| {
                let (parameters, log_likelihood) = maximum::likelihood(family, &tally, None)?;
                Some((family, parameters, 4.0 - 2.0 * log_likelihood))
            })
            .collect();
        tried.sort_by(|left, right| left.2.total_cmp(&right.2));
    }
    let candidates = tried.iter().map(|(family, _, aic)| Candidate { family: *family, aic: *aic }).collect();
    let best = tried.first().map(|(family, parameters, _)| (*family, *parameters));
    let limit = 1.63 / libm::sqrt(tally.complete() as f64);
    let chosen = best.filter(|(family, parameters)| curve.distance(|x| family.cdf(*parameters, x)) <= limit);
    let distribution = match chosen {
        Some((family, parameters)) => family.distribution(parameters),
        None => curve.empirical(),
    };
    let (p50, p90) = if tally.complete() < VALUES_MIN {
        (Interval::unknown(distribution.p50()), Interval::unknown(distribution.p90()))
    } else {
        bootstrap::intervals(sample, chosen, &distribution, seed)
    };
    Some(DistributionFit {
        family: chosen.map_or(Family::Empirical, |(family, _)| family),
        distance: chosen.map_or(0.0, |(family, parameters)| curve.distance(|x| family.cdf(parameters, x))),
        quantile_pairs: curve.pairs(&distribution),
        distribution,
        p50,
        p90,
        candidates,
        complete: tally.complete(),
        censored: tally.censored(),
    })
}
