//! What a measurement says about the true length.

use std::collections::BTreeMap;

/// One measured length of time, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Observation {
    /// The length itself, to far better than a second.
    Exact(f64),
    /// The difference of two clocks that show whole seconds: the true length is within a second of it, more likely near than far.
    Rounded(f64),
    /// As [`Observation::Rounded`], and the end was only noticed by a probe that comes every `period`: the true end may be up to that much
    /// earlier.
    Probed {
        /// Difference of the clocks.
        length: f64,
        /// Time between probes.
        period: f64,
    },
    /// Longer than this: it was not over when the sample was taken.
    LongerThan(f64),
}

impl Observation {
    /// The middle of what the true length may be; `None` if it has no end.
    pub fn middle(self) -> Option<f64> {
        match self {
            Self::Exact(length) | Self::Rounded(length) => Some(length),
            Self::Probed { length, period } => Some((length - period / 2.0).max(0.0)),
            Self::LongerThan(_) => None,
        }
    }

    /// The probability of seeing this, given the distribution function `cdf` and density `pdf` of true lengths.
    ///
    /// Start and end fall anywhere within their seconds, so the clocks' difference D is the true length plus a triangular error within
    /// ±1. With F the distribution function that makes P(D) = ∫ F over [D, D+1] − ∫ F over [D−1, D] (integrate by parts). A probe adds the
    /// error of its period, spread evenly: P = H(D) − H(D − period) with H the distribution function blurred by the triangle.
    pub fn probability(self, cdf: impl Fn(f64) -> f64, pdf: impl Fn(f64) -> f64) -> f64 {
        match self {
            Self::Exact(length) => pdf(length),
            Self::Rounded(length) => mean(&cdf, length, length + 1.0) - mean(&cdf, length - 1.0, length),
            Self::Probed { length, period } => blurred(&cdf, length) - blurred(&cdf, length - period),
            Self::LongerThan(length) => 1.0 - cdf(length),
        }
    }

    /// The share of true lengths, by distribution function `cdf`, that would be seen at or below this, as a range: rounding has an exact
    /// answer, but where within its period a probe falls is not known.
    pub fn share_seen_below(self, cdf: impl Fn(f64) -> f64) -> (f64, f64) {
        match self {
            Self::Exact(length) | Self::LongerThan(length) => (cdf(length), cdf(length)),
            Self::Rounded(length) => {
                let share = mean(&cdf, length, length + 1.0);
                (share, share)
            }
            Self::Probed { length, period } => (cdf(length - period - 1.0), cdf(length + 1.0)),
        }
    }

    /// A key by which equal observations are counted once: kind and lengths in microseconds.
    fn key(self) -> (u8, u64, u64) {
        let micros = |seconds: f64| (seconds.max(0.0) * 1e6 + 0.5) as u64;
        match self {
            Self::Exact(length) => (0, micros(length), 0),
            Self::Rounded(length) => (1, micros(length), 0),
            Self::Probed { length, period } => (2, micros(length), micros(period)),
            Self::LongerThan(length) => (3, micros(length), 0),
        }
    }
}

/// The mean of `cdf` over an interval of length one, by three-point Gauss–Legendre: exact for polynomials up to the fifth degree.
fn mean(cdf: &impl Fn(f64) -> f64, from: f64, to: f64) -> f64 {
    const OFFSET: f64 = 0.387_298_334_620_741_7;
    let middle = f64::midpoint(from, to);
    (5.0 * cdf(middle - OFFSET) + 8.0 * cdf(middle) + 5.0 * cdf(middle + OFFSET)) / 18.0
}

/// The mean of `cdf` over a triangle from −1 to 1 around `at`: three-point Gauss rule for that weight (variance 1/6, fourth moment 1/15).
fn blurred(cdf: &impl Fn(f64) -> f64, at: f64) -> f64 {
    const OFFSET: f64 = 0.632_455_532_033_675_9;
    const OUTER: f64 = 5.0 / 24.0;
    OUTER * cdf(at - OFFSET) + (1.0 - 2.0 * OUTER) * cdf(at) + OUTER * cdf(at + OFFSET)
}

/// A sample with equal observations counted: clocks of whole seconds repeat themselves, and every likelihood costs several evaluations.
#[derive(Clone, Debug)]
pub struct Tally {
    /// (observation, how often).
    pub counts: Vec<(Observation, usize)>,
}

impl Tally {
    pub fn new(sample: &[Observation]) -> Self {
        Self::weighted(sample.iter().map(|observation| (*observation, 1)))
    }

    pub fn weighted(sample: impl IntoIterator<Item = (Observation, usize)>) -> Self {
        let mut counts: BTreeMap<(u8, u64, u64), (Observation, usize)> = BTreeMap::new();
        for (observation, count) in sample {
            counts.entry(observation.key()).or_insert((observation, 0)).1 += count;
        }
        Self { counts: counts.into_values().collect() }
    }

    /// Observations with an end.
    pub fn complete(&self) -> usize {
        self.counts.iter().filter(|(observation, _)| observation.middle().is_some()).map(|(_, count)| count).sum()
    }

    /// Observations without an end.
    pub fn censored(&self) -> usize {
        self.counts.iter().filter(|(observation, _)| observation.middle().is_none()).map(|(_, count)| count).sum()
    }

    /// Different observations with an end.
    pub fn distinct(&self) -> usize {
        self.counts.iter().filter(|(observation, _)| observation.middle().is_some()).count()
    }
}
