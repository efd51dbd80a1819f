//! Distributions prepared for many draws.

use std::sync::Arc;

use crate::distribution::{
    empirical_quantile, gamma_quantile, log_normal_quantile, log_normal_sigma, weibull_quantile,
};
use crate::{Distribution, Stream, gamma};

/// Octaves of probability on each side of the median that are tabulated; what lies further out (two draws in a million) is computed.
const OCTAVES: usize = 20;
/// Cells per octave.
const CELLS_PER_OCTAVE: usize = 32;
/// A cell whose middle is off by more than this share is computed instead of interpolated.
const CELL_ERROR_MAX: f64 = 1e-7;

/// A [`Distribution`] with everything precomputed that makes a draw cheap.
///
/// Same values as [`Distribution::quantile`], to the bit except for gamma: that is interpolated, within 1e-7 of the value.
#[derive(Clone, Debug)]
pub struct Sampler(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Constant(f64),
    Uniform { low: f64, width: f64 },
    Exponential { mean: f64 },
    LogNormal { p50: f64, sigma: f64 },
    Gamma(Arc<GammaTable>),
    Weibull { shape_inverse: f64, scale: f64 },
    Empirical(Arc<[f64]>),
}

impl Sampler {
    /// Prepares `distribution`, which must be valid. A few milliseconds for gamma, at once for the others.
    pub fn new(distribution: &Distribution) -> Self {
        Self(match distribution {
            Distribution::Constant(value) => Kind::Constant(*value),
            Distribution::Uniform { low, high } => Kind::Uniform { low: *low, width: high - low },
            Distribution::Exponential { mean } => Kind::Exponential { mean: *mean },
            Distribution::LogNormal { p50, p90 } => Kind::LogNormal { p50: *p50, sigma: log_normal_sigma(*p50, *p90) },
            Distribution::Gamma { mean, cv } if *cv == 0.0 => Kind::Constant(*mean),
            Distribution::Gamma { mean, cv } => Kind::Gamma(Arc::new(GammaTable::new(*mean, *cv))),
            Distribution::Weibull { shape, scale } => Kind::Weibull { shape_inverse: 1.0 / shape, scale: *scale },
            Distribution::Empirical(values) => Kind::Empirical(Arc::clone(values)),
        })
    }

    /// The value below which a share `q` of draws lies; `q` in [0, 1).
    #[inline]
    pub fn quantile(&self, q: f64) -> f64 {
        match &self.0 {
            Kind::Constant(value) => *value,
            Kind::Uniform { low, width } => low + width * q,
            Kind::Exponential { mean } => -mean * libm::log1p(-q),
            Kind::LogNormal { p50, sigma } => log_normal_quantile(*p50, *sigma, q),
            Kind::Gamma(table) => table.quantile(q),
            Kind::Weibull { shape_inverse, scale } => weibull_quantile(*shape_inverse, *scale, q),
            Kind::Empirical(values) => empirical_quantile(values, q),
        }
    }

    /// One draw; takes exactly one number from the stream.
    #[inline]
    pub fn sample(&self, stream: &mut Stream) -> f64 {
        self.quantile(stream.uniform())
    }
}

/// The inverse CDF of a gamma distribution as cubic pieces.
///
/// Cells halve in width towards both ends, as floating-point numbers do, so that both tails are resolved as finely as the middle.
#[derive(Debug)]
struct GammaTable {
    mean: f64,
    cv: f64,
    /// By probability from below, then by probability from above.
    sides: [Vec<Cell>; 2],
}

/// One cubic `c0 + x (c1 + x (c2 + x c3))`, with `x` from 0 to 1 across the cell. NaN where a cubic does not fit well enough.
#[derive(Clone, Copy, Debug)]
struct Cell([f64; 4]);

impl GammaTable {
    fn new(mean: f64, cv: f64) -> Self {
        let side = |from_above: bool| {
            let at = |tail: f64| {
                let q = if from_above { 1.0 - tail } else { tail };
                let slope = quantile_slope(mean, cv, q);
                (gamma_quantile(mean, cv, q), if from_above { -slope } else { slope })
            };
            let mut cells = Vec::with_capacity(OCTAVES * CELLS_PER_OCTAVE);
            let mut left = at(cell_start(0));
            for index in 0..OCTAVES * CELLS_PER_OCTAVE {
                let (start, end) = (cell_start(index), cell_start(index + 1));
                let right = at(end);
                let middle = at(f64::midpoint(start, end)).0;
                cells.push(Cell::fitted(left, right, (end - start, middle)));
                left = right;
            }
            cells
        };
        Self { mean, cv, sides: [side(false), side(true)] }
    }

    #[inline]
    fn quantile(&self, q: f64) -> f64 {
        let from_above = q > 0.5;
        let tail = if from_above { 1.0 - q } else { q };
        if let Some((index, share)) = cell_of(tail) {
            let value = self.sides[usize::from(from_above)][index].at(share);
            if !value.is_nan() {
                return value;
            }
        }
        gamma_quantile(self.mean, self.cv, q)
    }
}

impl Cell {
    /// The cubic through two points (value, slope), if it meets the middle.
    fn fitted(left: (f64, f64), right: (f64, f64), (width, middle): (f64, f64)) -> Self {
        let (rise, slope_left, slope_right) = (right.0 - left.0, left.1 * width, right.1 * width);
        let cubic = Self([
            left.0,
            slope_left,
            3.0 * rise - 2.0 * slope_left - slope_right,
            slope_left + slope_right - 2.0 * rise,
        ]);
        // The negation keeps NaN out as well.
        let fits = (cubic.at(0.5) - middle).abs() <= CELL_ERROR_MAX * middle;
        if fits { cubic } else { Self([f64::NAN; 4]) }
    }

    #[inline]
    fn at(&self, x: f64) -> f64 {
        let Self([c0, c1, c2, c3]) = self;
        c0 + x * (c1 + x * (c2 + x * c3))
    }
}

/// Where cell `index` starts: cells cover [2^-(OCTAVES + 1), 1/2], doubling in width with each octave.
fn cell_start(index: usize) -> f64 {
    let (octave, cell) = (index / CELLS_PER_OCTAVE, index % CELLS_PER_OCTAVE);
    let octave_start = 0.5 / (1_u64 << (OCTAVES - octave)) as f64;
    octave_start * (1.0 + cell as f64 / CELLS_PER_OCTAVE as f64)
}

/// The cell of a tail probability of at most 1/2 and how far into it that lies, 0 to 1; none outside the table.
#[inline]
fn cell_of(tail: f64) -> Option<(usize, f64)> {
    const CELL_BITS: u32 = CELLS_PER_OCTAVE.trailing_zeros();
    const SHARE_BITS: u32 = 52 - CELL_BITS;
    let first = cell_start(0).to_bits();
    // Exponent and leading mantissa bits count cells, the rest of the mantissa is the position within.
    let bits = tail.to_bits().checked_sub(first)?;
    let index = (bits >> SHARE_BITS) as usize;
    if index >= OCTAVES * CELLS_PER_OCTAVE {
        return None;
    }
    let share = (bits & ((1 << SHARE_BITS) - 1)) as f64 / (1_u64 << SHARE_BITS) as f64;
    Some((index, share))
}

/// Derivative of the quantile: one over the density.
fn quantile_slope(mean: f64, cv: f64, q: f64) -> f64 {
    let shape = 1.0 / (cv * cv);
    let scale = mean / shape;
    scale / gamma::density(shape, gamma_quantile(mean, cv, q) / scale)
}
