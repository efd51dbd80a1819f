//! Inside or not.

use super::Claim;

/// How near a simulated figure must come to the measured one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Within {
    /// At most this share of the measured figure away.
    Relative(f64),
    /// At most this far away.
    Absolute(f64),
    /// Between the measured figure over this factor and times it.
    Factor(f64),
    /// Between two figures, both included.
    Range(f64, f64),
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// The very figure.
    Exact,
    /// For at least this share of the time.
    Holds(f64),
}

impl Within {
    /// The least and the largest figure that are inside, of what was `measured` (NaN: nothing).
    fn bounds(self, measured: f64) -> (f64, f64) {
        match self {
            Self::Relative(share) => (measured - share * measured.abs(), measured + share * measured.abs()),
            Self::Absolute(distance) => (measured - distance, measured + distance),
            Self::Factor(factor) => (measured / factor, measured * factor),
            Self::Range(low, high) => (low, high),
            Self::AtLeast(least) | Self::Holds(least) => (least, f64::INFINITY),
            Self::AtMost(most) => (f64::NEG_INFINITY, most),
            Self::Exact => (measured, measured),
        }
    }

    /// Whether `value` is inside. What there is no figure of is not, nor is what never happened.
    pub fn contains(self, measured: Option<f64>, value: f64) -> bool {
        let (low, high) = self.bounds(measured.unwrap_or(f64::NAN));
        // The last bit of a product is no reason to be outside.
        let slack = |bound: f64| if bound.is_finite() { bound.abs() * 1e-12 } else { 0.0 };
        value.is_finite() && low - slack(low) <= value && value <= high + slack(high)
    }

    /// How far `value` is from the measured figure, in tolerances: 0 there, 1 at their edge. Where the tolerance has no middle it is 0
    /// inside and grows from 1 outside; of nothing, or what never happened, it is 10.
    fn misfit(self, measured: Option<f64>, value: f64) -> f64 {
        const MOST: f64 = 10.0;
        if !value.is_finite() {
            return MOST;
        }
        let measured = measured.unwrap_or(f64::NAN);
        let distance = match self {
            Self::Relative(share) => (value - measured).abs() / (share * measured.abs()),
            Self::Absolute(distance) => (value - measured).abs() / distance,
            Self::Factor(factor) if value > 0.0 && measured > 0.0 => (value / measured).ln().abs() / factor.ln(),
            _ => {
                let (low, high) = self.bounds(measured);
                let outside = (low - value).max(value - high).max(0.0);
                let size = [low, high].into_iter().filter(|bound| bound.is_finite()).fold(1e-9, |a, b| b.abs().max(a));
                if outside > 0.0 { 1.0 + outside / size } else { 0.0 }
            }
        };
        if distance.is_nan() { 0.0 } else { distance.min(MOST) }
    }
}

/// What a claim came to over all seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The figure of each seed; NaN where there is none, infinite where something never happened.
    pub values: Vec<f64>,
    /// The median: the figure of rank ceil(n/2), one of them.
    pub median: f64,
    /// The 5th percentile, rank ceil(n/20).
    pub low: f64,
    /// The 95th percentile, rank ceil(19n/20).
    pub high: f64,
    /// Share of the seeds that are inside; `None` if the claim is not judged.
    pub inside_share: Option<f64>,
    /// Whether the claim is inside: its median, or the share of the seeds it asks for.
    pub is_inside: Option<bool>,
    /// Distance of the median in tolerances.
    pub misfit: f64,
}

impl Checked {
    /// Holds the figures of all seeds against a claim.
    pub(super) fn new(claim: &Claim, values: Vec<f64>) -> Self {
        let mut sorted = values.clone();
        // No figure sorts last, after what never happened.
        sorted.sort_by(|a, b| a.is_nan().cmp(&b.is_nan()).then(a.total_cmp(b)));
        let at = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1];
        let median = at(50);
        let inside = claim.within.map(|within| {
            values.iter().filter(|value| within.contains(claim.measured, **value)).count() as f64 / values.len() as f64
        });
        let is_inside = claim.within.map(|within| match (claim.seeds, inside) {
            (Some(asked), Some(share)) => share >= asked - 1e-12,
            _ => within.contains(claim.measured, median),
        });
        let misfit = claim.within.map_or(0.0, |within| within.misfit(claim.measured, median));
        Self { median, low: at(5), high: at(95), inside_share: inside, is_inside, misfit, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::Quantity;

    fn claim(measured: Option<f64>, within: Within, seeds: Option<f64>) -> Claim {
        let quantity = Quantity::named("replicas_max", None).unwrap();
        Claim { quantity, window: None, measured, within: Some(within), seeds, note: String::new() }
    }

    #[test]
    fn the_edges_of_every_tolerance_are_inside_and_what_is_beyond_is_not() {
        let cases = [
            (Some(2.46), Within::Relative(0.1), [2.706, 2.214], [2.707, 2.213]),
            (Some(0.958), Within::Absolute(0.04), [0.918, 0.998], [0.917, 0.999]),
            (Some(21.0), Within::Factor(2.0), [10.5, 42.0], [10.0, 43.0]),
            (None, Within::Range(3.0, 4.0), [3.0, 4.0], [2.0, 5.0]),
            (Some(5.0), Within::Exact, [5.0, 5.0], [4.0, 6.0]),
            (None, Within::AtLeast(0.999), [0.999, 1.0], [0.998, f64::NAN]),
            (None, Within::AtMost(180.0), [180.0, 0.0], [181.0, f64::INFINITY]),
            (None, Within::Holds(0.9), [0.9, 1.0], [0.89, 0.0]),
        ];
        for (measured, within, inside, outside) in cases {
            assert!(inside.iter().all(|value| within.contains(measured, *value)), "{within:?}");
            assert!(outside.iter().all(|value| !within.contains(measured, *value)), "{within:?}");
        }
    }

    #[test]
    fn the_median_judges_unless_a_share_of_the_seeds_is_asked_for() {
        let values = vec![3.0, 3.0, 2.0, 3.0, 2.0, 2.0, 2.0];
        let by_median = Checked::new(&claim(Some(3.0), Within::Exact, None), values.clone());
        assert_eq!((by_median.median, by_median.is_inside), (2.0, Some(false)));
        assert!((by_median.inside_share.unwrap() - 3.0 / 7.0).abs() < 1e-12);
        assert_eq!(Checked::new(&claim(Some(3.0), Within::Exact, Some(0.4)), values.clone()).is_inside, Some(true));
        assert_eq!(Checked::new(&claim(Some(3.0), Within::Exact, Some(0.5)), values).is_inside, Some(false));
    }

    #[test]
    fn what_never_happens_is_outside_and_sorts_above_what_does() {
        let values = vec![f64::INFINITY, 170.0, f64::NAN, 180.0, f64::INFINITY];
        let checked = Checked::new(&claim(Some(180.0), Within::Range(150.0, 240.0), None), values);
        assert_eq!((checked.low, checked.median, checked.is_inside), (170.0, f64::INFINITY, Some(false)));
        assert_eq!(checked.inside_share, Some(0.4));
    }
}
