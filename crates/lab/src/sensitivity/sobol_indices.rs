//! Sobol indices from a Saltelli design.

use record::Interval;
use workload::{Purpose, Stream};

use crate::design::Sample;
use crate::statistics::mean;

/// Resamples behind an interval: enough for 2.5 % tails.
const RESAMPLES: usize = 500;

/// Which points to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SobolDesign {
    /// Base points; the design has `points (inputs + 2)`.
    pub points: usize,
    /// Seed of the design and of resampling.
    pub seed: u64,
}

/// How much of a column's variance an input explains, each with a 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SobolIndex {
    /// Alone.
    pub first_order: Interval,
    /// Alone and together with all others.
    pub total: Interval,
}

impl SobolDesign {
    /// The points in the unit cube: base point by base point A, B, then A with each input from B in turn.
    pub fn positions(&self, inputs: usize) -> Vec<Vec<f64>> {
        // Both matrices come from one sequence of twice the dimensions, so that they are independent and each is even.
        let rows = Sample { points: self.points, dimensions: 2 * inputs, seed: self.seed }.spread();
        rows.iter()
            .flat_map(|row| {
                let (a, b) = row.split_at(inputs);
                let mixed = (0..inputs).map(|input| {
                    let mut position = a.to_vec();
                    position[input] = b[input];
                    position
                });
                [a.to_vec(), b.to_vec()].into_iter().chain(mixed).collect::<Vec<_>>()
            })
            .collect()
    }
}

/// Indices of each input from `outputs` at the positions of a [`SobolDesign`], in their order. NaN where outputs do not vary.
///
/// First order by Saltelli et al. 2010 (Computer Physics Communications 181, table 2, b) on centered outputs, total by Jansen
/// (table 2, f). Intervals are percentiles over resampled base points.
pub fn sobol_indices(outputs: &[f64], inputs: usize, seed: u64) -> Vec<SobolIndex> {
    let center = mean(outputs);
    let centered: Vec<f64> = outputs.iter().map(|output| output - center).collect();
    let rows: Vec<&[f64]> = centered.chunks_exact(inputs + 2).collect();
    let all: Vec<usize> = (0..rows.len()).collect();
    let mut stream = Stream::new(seed, Purpose::Resampling, 0);
    let resamples: Vec<Vec<usize>> =
        (0..RESAMPLES).map(|_| all.iter().map(|_| stream.below(rows.len().max(1) as u64) as usize).collect()).collect();
    (0..inputs)
        .map(|input| {
            let (first, total) = effects(&rows, &all, input);
            let (firsts, totals): (Vec<f64>, Vec<f64>) =
                resamples.iter().map(|chosen| effects(&rows, chosen, input)).unzip();
            SobolIndex { first_order: percentiles(first, firsts), total: percentiles(total, totals) }
        })
        .collect()
}

fn effects(rows: &[&[f64]], chosen: &[usize], input: usize) -> (f64, f64) {
    let count = chosen.len() as f64;
    let (mut sum, mut squares, mut first, mut total) = (0.0, 0.0, 0.0, 0.0);
    for &index in chosen {
        let (a, b, mixed) = (rows[index][0], rows[index][1], rows[index][2 + input]);
        sum += a + b;
        squares += a * a + b * b;
        first += b * (mixed - a);
        total += (a - mixed) * (a - mixed);
    }
    let variance = squares / (2.0 * count) - (sum / (2.0 * count)) * (sum / (2.0 * count));
    (first / count / variance, total / (2.0 * count) / variance)
}

fn percentiles(estimate: f64, mut resampled: Vec<f64>) -> Interval {
    resampled.sort_by(f64::total_cmp);
    let at = |share: f64| resampled[((resampled.len() - 1) as f64 * share).round() as usize];
    Interval { mean: estimate, low: at(0.025), high: at(0.975) }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;

    #[test]
    fn the_indices_of_the_ishigami_function_are_found() {
        // sin x1 + 7 sin^2 x2 + 0.1 x3^4 sin x1 on (-pi, pi)^3; Saltelli et al., "Sensitivity Analysis", 2000, give the variances.
        let design = SobolDesign { points: 4096, seed: 1 };
        let outputs: Vec<f64> = design
            .positions(3)
            .iter()
            .map(|position| {
                let [x1, x2, x3] = [0, 1, 2].map(|index| -PI + 2.0 * PI * position[index]);
                libm::sin(x1) + 7.0 * libm::sin(x2).powi(2) + 0.1 * x3.powi(4) * libm::sin(x1)
            })
            .collect();
        let indices = sobol_indices(&outputs, 3, 1);
        let first = [0.3139, 0.4424, 0.0];
        let total = [0.5576, 0.4424, 0.2437];
        for input in 0..3 {
            let index = indices[input];
            assert!((index.first_order.mean - first[input]).abs() < 0.02, "input {input}: {index:?}");
            assert!((index.total.mean - total[input]).abs() < 0.02, "input {input}: {index:?}");
            assert!(index.total.low <= total[input] && total[input] <= index.total.high, "input {input}: {index:?}");
        }
    }

    #[test]
    fn a_model_that_does_not_vary_has_no_indices() {
        let outputs = vec![3.0; 16 * 4];
        assert!(sobol_indices(&outputs, 2, 1)[0].total.mean.is_nan());
    }
}
