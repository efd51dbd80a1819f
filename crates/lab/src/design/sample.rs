//! Space-filling samples of the unit cube.

use workload::{Purpose, Stream};

/// A sample to draw: how many points in how many dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Points.
    pub points: usize,
    /// Coordinates of each, in [0, 1).
    pub dimensions: usize,
    /// The same seed gives the same points.
    pub seed: u64,
}

impl Sample {
    /// One point in each of `points` slices of every dimension, slices paired at random.
    pub fn latin_hypercube(self) -> Vec<Vec<f64>> {
        let mut rows = vec![vec![0.0; self.dimensions]; self.points];
        for dimension in 0..self.dimensions {
            let mut stream = Stream::new(self.seed, Purpose::Design, dimension as u64);
            let mut slices: Vec<usize> = (0..self.points).collect();
            for index in (1..self.points).rev() {
                slices.swap(index, stream.below(index as u64 + 1) as usize);
            }
            for (row, slice) in rows.iter_mut().zip(slices) {
                row[dimension] = (slice as f64 + stream.uniform()) / self.points as f64;
            }
        }
        rows
    }

    /// The beginning of Sobol's sequence, shifted digitally by the seed, which keeps its evenness and moves it off the corner: even in
    /// all low-dimensional projections, best at powers of two. Panics beyond [`SOBOL_DIMENSIONS_MAX`] dimensions.
    pub fn sobol(self) -> Vec<Vec<f64>> {
        assert!(self.dimensions <= SOBOL_DIMENSIONS_MAX, "at most {SOBOL_DIMENSIONS_MAX} dimensions: {self:?}");
        let directions: Vec<[u32; BITS]> = (0..self.dimensions).map(direction_numbers).collect();
        let shifts: Vec<u32> = (0..self.dimensions)
            .map(|dimension| (Stream::new(self.seed, Purpose::Design, dimension as u64).next_u64() >> 32) as u32)
            .collect();
        let mut state = vec![0_u32; self.dimensions];
        (0..self.points)
            .map(|index| {
                let row = state
                    .iter()
                    .zip(&shifts)
                    // Half a unit in, so that no coordinate is exactly zero.
                    .map(|(bits, shift)| (f64::from(bits ^ shift) + 0.5) / (1_u64 << BITS) as f64)
                    .collect();
                // Gray-code order: the next point differs by the direction of the lowest zero bit of the index.
                let bit = (index.trailing_ones() as usize).min(BITS - 1);
                for (bits, direction) in state.iter_mut().zip(&directions) {
                    *bits ^= direction[bit];
                }
                row
            })
            .collect()
    }

    /// Sobol's sequence where it reaches, a Latin hypercube beyond.
    pub fn spread(self) -> Vec<Vec<f64>> {
        if self.dimensions <= SOBOL_DIMENSIONS_MAX { self.sobol() } else { self.latin_hypercube() }
    }
}

/// Bits of a coordinate.
const BITS: usize = 32;

/// Primitive polynomials (degree, inner coefficients) and initial direction numbers of dimensions 2 and up: Joe and Kuo,
/// "Constructing Sobol sequences with better two-dimensional projections", SIAM J. Sci. Comput. 30 (2008), table new-joe-kuo-6.
const DIRECTIONS: &[(usize, u32, &[u32])] = &[
    (1, 0, &[1]),
    (2, 1, &[1, 3]),
    (3, 1, &[1, 3, 1]),
    (3, 2, &[1, 1, 1]),
    (4, 1, &[1, 1, 3, 3]),
    (4, 4, &[1, 3, 5, 13]),
    (5, 2, &[1, 1, 5, 5, 17]),
    (5, 4, &[1, 1, 5, 5, 5]),
    (5, 7, &[1, 1, 7, 11, 19]),
    (5, 11, &[1, 1, 5, 1, 1]),
    (5, 13, &[1, 1, 1, 3, 11]),
    (5, 14, &[1, 3, 5, 5, 31]),
    (6, 1, &[1, 3, 3, 9, 7, 49]),
    (6, 13, &[1, 1, 1, 15, 21, 21]),
    (6, 16, &[1, 3, 1, 13, 27, 49]),
    (6, 19, &[1, 1, 1, 15, 7, 5]),
    (6, 22, &[1, 3, 1, 15, 13, 25]),
    (6, 25, &[1, 1, 5, 5, 19, 61]),
    (7, 1, &[1, 3, 7, 11, 23, 15, 103]),
];

/// Most dimensions [`Sample::sobol`] has direction numbers for.
pub const SOBOL_DIMENSIONS_MAX: usize = DIRECTIONS.len() + 1;

fn direction_numbers(dimension: usize) -> [u32; BITS] {
    let mut directions = [0; BITS];
    let Some(&(degree, inner, initial)) = dimension.checked_sub(1).map(|index| &DIRECTIONS[index]) else {
        // The first dimension is van der Corput's sequence.
        return std::array::from_fn(|bit| 1 << (BITS - 1 - bit));
    };
    for bit in 0..BITS {
        directions[bit] = if bit < degree {
            initial[bit] << (BITS - 1 - bit)
        } else {
            let mut direction = directions[bit - degree] ^ (directions[bit - degree] >> degree);
            for term in 1..degree {
                if inner >> (degree - 1 - term) & 1 == 1 {
                    direction ^= directions[bit - term];
                }
            }
            direction
        };
    }
    directions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latin_hypercube(points: usize, dimensions: usize, seed: u64) -> Vec<Vec<f64>> {
        Sample { points, dimensions, seed }.latin_hypercube()
    }

    fn sobol(points: usize, dimensions: usize, seed: u64) -> Vec<Vec<f64>> {
        Sample { points, dimensions, seed }.sobol()
    }

    /// Whether every one of `slices` equal slices of the dimension holds the same number of points.
    fn is_stratified(rows: &[Vec<f64>], dimension: usize, slices: usize) -> bool {
        let mut counts = vec![0; slices];
        for row in rows {
            counts[(row[dimension] * slices as f64) as usize] += 1;
        }
        counts.iter().all(|&count| count == rows.len() / slices)
    }

    #[test]
    fn a_latin_hypercube_has_one_point_in_every_slice_of_every_dimension() {
        let rows = latin_hypercube(37, 5, 42);
        assert!((0..5).all(|dimension| is_stratified(&rows, dimension, 37)));
        assert_eq!(rows, latin_hypercube(37, 5, 42));
        assert_ne!(rows, latin_hypercube(37, 5, 43));
    }

    #[test]
    fn sobol_points_are_stratified_in_every_dimension_at_every_power_of_two() {
        let rows = sobol(1024, SOBOL_DIMENSIONS_MAX, 42);
        for power in 1..=10 {
            for dimension in 0..SOBOL_DIMENSIONS_MAX {
                assert!(
                    is_stratified(&rows[..1 << power], dimension, 1 << power),
                    "dimension {dimension}, 2^{power} points"
                );
            }
        }
    }

    #[test]
    fn the_first_two_sobol_dimensions_fill_every_box_of_equal_area() {
        let rows = sobol(256, 2, 7);
        for split in 0..=8 {
            let (wide, high) = (1_usize << split, 1_usize << (8 - split));
            let mut boxes = vec![0; 256];
            for row in &rows {
                boxes[(row[0] * wide as f64) as usize * high + (row[1] * high as f64) as usize] += 1;
            }
            assert!(boxes.iter().all(|&count| count == 1), "{wide} x {high}");
        }
    }

    #[test]
    fn sobol_integrates_a_product_over_all_dimensions_better_than_chance() {
        // The product of |4x - 2| integrates to one; independent points at this size are off by several tenths.
        let rows = sobol(1 << 14, SOBOL_DIMENSIONS_MAX, 3);
        let sum: f64 =
            rows.iter().map(|row| row.iter().map(|x| ((4.0 * x - 2.0).abs() + 2.0) / 3.0).product::<f64>()).sum();
        assert!((sum / rows.len() as f64 - 1.0).abs() < 0.005, "{}", sum / rows.len() as f64);
    }
}
