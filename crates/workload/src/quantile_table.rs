//! Inverse distribution functions as cubic pieces, for those that take tens of nanoseconds or more to compute.

use crate::Distribution;

/// Octaves of probability on each side of the median that are tabulated; what lies further out (a draw in a million) is computed.
const OCTAVES: usize = 20;
/// Cells per octave.
const CELLS_PER_OCTAVE: usize = 32;
const CELL_BITS: u32 = CELLS_PER_OCTAVE.trailing_zeros();
const CELLS: usize = OCTAVES * CELLS_PER_OCTAVE;
/// A cell that is off by more than this share of the value and of the mean is computed, not interpolated.
const ERROR_MAX_OF_VALUE: f64 = 1e-7;
const ERROR_MAX_OF_MEAN: f64 = 1e-8;

/// A distribution and a table of its quantiles.
///
/// Cells halve in width towards both ends, as floating-point numbers do, so that both tails are resolved as finely as the middle.
#[derive(Debug)]
pub struct QuantileTable {
    distribution: Distribution,
    /// By probability from below, then by probability from above.
    sides: [Vec<Cubic>; 2],
}

/// `c0 + x (c1 + x (c2 + x c3))`, with `x` from 0 to 1 across the cell. NaN where a cubic does not fit well enough.
#[derive(Clone, Copy, Debug)]
struct Cubic([f64; 4]);

impl QuantileTable {
    /// Tabulates a valid distribution: about five thousand quantiles.
    pub fn new(distribution: &Distribution) -> Self {
        let error_max = ERROR_MAX_OF_MEAN * distribution.mean();
        let lower = side(error_max, |tail| distribution.quantile(tail));
        let upper = side(error_max, |tail| distribution.quantile(1.0 - tail));
        Self { distribution: distribution.clone(), sides: [lower, upper] }
    }

    /// The value below which a share `q` of draws lies; `q` in [0, 1).
    #[inline]
    pub fn quantile(&self, q: f64) -> f64 {
        let from_above = q > 0.5;
        let tail = if from_above { 1.0 - q } else { q };
        if let Some((index, share)) = cell_of(tail) {
            let value = self.sides[usize::from(from_above)][index].at(share);
            if !value.is_nan() {
                return value;
            }
        }
        self.distribution.quantile(q)
    }
}

fn side(error_max: f64, quantile: impl Fn(f64) -> f64) -> Vec<Cubic> {
    let cell = |index| {
        let (start, end) = (cell_start(index), cell_start(index + 1));
        let at = |share: f64| quantile(start + (end - start) * share);
        let cubic = Cubic::through([at(0.0), at(1.0 / 3.0), at(2.0 / 3.0), at(1.0)]);
        // The error is greatest an eighth from either end, and greater where the quantile bends more: at the side of the tail.
        let expected = at(0.125);
        let error = (cubic.at(0.125) - expected).abs();
        if error <= error_max.max(ERROR_MAX_OF_VALUE * expected) { cubic } else { Cubic([f64::NAN; 4]) }
    };
    (0..CELLS).map(cell).collect()
}

impl Cubic {
    /// The cubic with these values at 0, 1/3, 2/3 and 1, by Newton's forward differences.
    fn through([a, b, c, d]: [f64; 4]) -> Self {
        let (first, second, third) = (b - a, c - 2.0 * b + a, d - 3.0 * c + 3.0 * b - a);
        Self([a, 3.0 * first - 1.5 * second + third, 4.5 * (second - third), 4.5 * third])
    }

    #[inline]
    fn at(self, x: f64) -> f64 {
        let Self([c0, c1, c2, c3]) = self;
        c0 + x * (c1 + x * (c2 + x * c3))
    }
}

/// Where cell `index` starts: cells cover the tail from 2^-21 to 1/2, doubling in width with each octave.
fn cell_start(index: usize) -> f64 {
    let (octave, cell) = (index / CELLS_PER_OCTAVE, index % CELLS_PER_OCTAVE);
    let octave_start = 0.5 / (1_u64 << (OCTAVES - octave)) as f64;
    octave_start * (1.0 + cell as f64 / CELLS_PER_OCTAVE as f64)
}

/// The cell of a tail probability of at most 1/2 and how far into it that lies, 0 to 1; none outside the table.
#[inline]
fn cell_of(tail: f64) -> Option<(usize, f64)> {
    const SHARE_BITS: u32 = 52 - CELL_BITS;
    const FIRST: f64 = 0.5 / (1_u64 << OCTAVES) as f64;
    // Exponent and leading mantissa bits count cells, the rest of the mantissa is the position within.
    let bits = tail.to_bits().checked_sub(FIRST.to_bits())?;
    let index = (bits >> SHARE_BITS) as usize;
    let share = (bits & ((1 << SHARE_BITS) - 1)) as f64 / (1_u64 << SHARE_BITS) as f64;
    (index < CELLS).then_some((index, share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Purpose, Stream};

    fn families() -> Vec<Distribution> {
        let mut families = vec![
            Distribution::LogNormal { p50: 0.2, p90: 0.2 },
            Distribution::LogNormal { p50: 0.2, p90: 5.0 },
            Distribution::Weibull { shape: 0.3, scale: 2.0 },
            Distribution::Weibull { shape: 4.0, scale: 2.0 },
        ];
        families.extend([0.0, 0.01, 0.5, 1.0, 1.7, 3.0, 20.0].map(|cv| Distribution::Gamma { mean: 3.0, cv }));
        families
    }

    #[test]
    fn interpolated_quantiles_are_as_close_as_promised() {
        let mut stream = Stream::new(4, Purpose::Design, 0);
        for family in families() {
            let table = QuantileTable::new(&family);
            let tails = (0..4_000).map(|i| stream.uniform() / f64::from(1 << (i % 24)));
            for q in tails.flat_map(|tail| [tail, 1.0 - tail]).filter(|q| *q < 1.0) {
                let (seen, expected) = (table.quantile(q), family.quantile(q));
                let allowed = (2e-8 * family.mean()).max(2e-7 * expected);
                assert!((seen - expected).abs() <= allowed, "{family:?} at {q}: {seen} instead of {expected}");
            }
        }
    }

    #[test]
    fn hardly_any_draw_needs_the_exact_quantile() {
        for family in families().into_iter().filter(|family| !matches!(family, Distribution::Gamma { cv: 20.0, .. })) {
            let table = QuantileTable::new(&family);
            let width_of = |index: usize| cell_start(index + 1) - cell_start(index);
            let computed: f64 = table
                .sides
                .iter()
                .flat_map(|side| side.iter().enumerate())
                .filter(|(_, cubic)| cubic.at(0.5).is_nan())
                .map(|(index, _)| width_of(index))
                .sum();
            assert!(computed < 0.001, "{family:?}: {computed}");
        }
    }

    #[test]
    fn cells_lie_end_to_end_up_to_the_median() {
        for index in 0..CELLS {
            assert_eq!(cell_of(cell_start(index)), Some((index, 0.0)));
            assert_eq!(cell_of(cell_start(index + 1).next_down()).map(|(index, _)| index), Some(index));
        }
        assert_eq!(cell_start(CELLS), 0.5);
        assert_eq!((cell_of(0.5), cell_of(0.0)), (None, None));
    }
}
