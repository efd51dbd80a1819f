//! Standard exponential numbers, a block at a time.
//!
//! Eight xoshiro256++ generators run side by side and the logarithm is a division and a polynomial without branches, so that the compiler
//! can work on several numbers at once: on as many as the widest vectors of the processor hold, which is found out as the program runs. Nothing but
//! IEEE additions, multiplications and divisions is used: the same bits on every platform and for every width.

use std::array;
use std::f64::consts::{FRAC_1_SQRT_2, LN_2};

use fearless_simd::{Level, Simd, dispatch};

use crate::Stream;

/// Numbers in a block.
pub const BLOCK: usize = 1024;

const LANES: usize = 8;
const TWO_52: f64 = 4_503_599_627_370_496.0;
const EXPONENT_BIAS: f64 = 1023.0;
const MANTISSA_BITS: u32 = 52;
const MANTISSA_MASK: u64 = (1 << MANTISSA_BITS) - 1;

/// A source of independent exponential numbers with mean 1.
#[derive(Clone, Debug)]
pub struct ExponentialBlocks {
    state: [[u64; LANES]; 4],
}

impl ExponentialBlocks {
    /// Generators seeded with the next 32 numbers of `stream`.
    pub fn new(mut stream: Stream) -> Self {
        Self { state: array::from_fn(|_| array::from_fn(|_| stream.next_u64())) }
    }

    /// Overwrites `block` with the next numbers, each in [0, 36.1]. About 0.7 ns a number with vectors of eight, 2 with four, 3 with two.
    pub fn fill(&mut self, block: &mut [f64; BLOCK]) {
        dispatch!(Level::new(), simd => simd.vectorize(
            // What is compiled once per width of vectors must be part of this call.
            #[inline(always)]
            || fill_by_lanes(&mut self.state, block)
        ));
    }
}

/// Fills `block` eight numbers at a time.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it must be compiled for the vectors of its caller")]
fn fill_by_lanes(state: &mut [[u64; LANES]; 4], block: &mut [f64; BLOCK]) {
    // A local copy, so that the state can live in registers.
    let mut local = *state;
    let (groups, _) = block.as_chunks_mut::<LANES>();
    for group in groups {
        *group = minus_logs_of_uniforms(next_lanes(&mut local));
    }
    *state = local;
}

/// One step of xoshiro256++ in every lane.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it must be compiled for the vectors of its caller")]
fn next_lanes(state: &mut [[u64; LANES]; 4]) -> [u64; LANES] {
    let [a, b, c, d] = state;
    let result = array::from_fn(|lane| a[lane].wrapping_add(d[lane]).rotate_left(23).wrapping_add(a[lane]));
    for lane in 0..LANES {
        let shifted = b[lane] << 17;
        c[lane] ^= a[lane];
        d[lane] ^= b[lane];
        b[lane] ^= c[lane];
        a[lane] ^= d[lane];
        c[lane] ^= shifted;
        d[lane] = d[lane].rotate_left(45);
    }
    result
}

/// `-ln(u)` for the uniforms `u` in (0, 1] made of the top 52 bits of each number; relative error below 2e-15.
///
/// With `u = 2^-k * m`, `m` in [sqrt(1/2), sqrt(2)) and `s = (m - 1) / (m + 1)`: `-ln(u) = k ln 2 - 2 artanh(s)`. Since `s^2 < 0.0295`, the
/// series of artanh may stop after `s^17`: the next term is below 1e-15 of the sum.
///
/// Every step is one of the whole group: whatever the order in which a compiler inlines and unrolls (a release's is another than a test's), it
/// finds the numbers side by side.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it must be compiled for the vectors of its caller")]
fn minus_logs_of_uniforms<const N: usize>(bits: [u64; N]) -> [f64; N] {
    let uniforms = bits.map(|bits| 2.0 - f64::from_bits((bits >> 12) | 1.0_f64.to_bits()));
    // Moves the seam between exponents from 1 to sqrt(1/2), so that the exponent is that of the nearest power of two.
    let seam = FRAC_1_SQRT_2.to_bits();
    let moved = uniforms.map(|uniform| uniform.to_bits().wrapping_add(1.0_f64.to_bits() - seam));
    let halvings =
        moved.map(|bits| (TWO_52 + EXPONENT_BIAS) - f64::from_bits((bits >> MANTISSA_BITS) | TWO_52.to_bits()));
    let mantissas = moved.map(|bits| f64::from_bits((bits & MANTISSA_MASK) + seam));

    let s = mantissas.map(|mantissa| (mantissa - 1.0) / (mantissa + 1.0));
    let z = s.map(|s| s * s);
    let mut series = [1.0 / 17.0; N];
    for odd in [15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        series = array::from_fn(|i| series[i] * z[i] + 1.0 / odd);
    }
    array::from_fn(|i| halvings[i] * LN_2 - 2.0 * s[i] * series[i])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Purpose;

    fn numbers(seed: u64, blocks: usize) -> Vec<f64> {
        let mut source = ExponentialBlocks::new(Stream::new(seed, Purpose::Arrivals, 0));
        let mut block = [0.0; BLOCK];
        (0..blocks)
            .flat_map(|_| {
                source.fill(&mut block);
                block
            })
            .collect()
    }

    #[test]
    fn the_logarithm_agrees_with_libm_over_the_whole_range() {
        let mut stream = Stream::new(1, Purpose::Design, 0);
        let edges = [0, u64::MAX, u64::MAX << 12, 1 << 63, 0x4afb_0ccc_0661_0000];
        let random = (0..200_000).map(|i| stream.next_u64() | !(u64::MAX >> (i % 52)));
        for bits in edges.into_iter().chain(random) {
            let uniform = 1.0 - (bits >> 12) as f64 / (1_u64 << 52) as f64;
            let expected = -libm::log(uniform);
            let [found] = minus_logs_of_uniforms([bits]);
            let error = (found - expected).abs();
            assert!(error <= 2e-15 * expected.abs(), "{bits:x}: off by {error:e} of {expected}");
        }
    }

    #[test]
    fn numbers_follow_the_exponential_distribution() {
        let mut sorted = numbers(7, 200);
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len() as f64;
        let distance = sorted
            .iter()
            .enumerate()
            .fold(0.0_f64, |worst, (i, x)| worst.max((1.0 - libm::exp(-x) - (i as f64 + 0.5) / n).abs()));
        // Kolmogorov's distance is below 1.95 / sqrt(n) with probability 0.999.
        assert!(distance < 1.95 / n.sqrt(), "{distance}");
    }

    #[test]
    fn neighbours_are_uncorrelated_within_and_across_lanes() {
        let centred: Vec<f64> = numbers(8, 200).into_iter().map(|x| x - 1.0).collect();
        for lag in [1, 2, 7, 8, 9, 16, BLOCK] {
            let products = centred.iter().zip(&centred[lag..]).map(|(a, b)| a * b);
            let correlation = products.sum::<f64>() / (centred.len() - lag) as f64;
            // Variance 1: the standard error of a sample correlation is 1 / sqrt(n); four of them.
            assert!(correlation.abs() < 4.0 / (centred.len() as f64).sqrt(), "lag {lag}: {correlation}");
        }
    }

    #[test]
    fn the_widest_vectors_give_the_same_bits_as_the_narrowest() {
        let mut widest = ExponentialBlocks::new(Stream::new(9, Purpose::Arrivals, 0));
        let mut narrowest = widest.clone();
        let (mut found, mut expected) = ([0.0; BLOCK], [0.0; BLOCK]);
        for _ in 0..100 {
            widest.fill(&mut found);
            fill_by_lanes(&mut narrowest.state, &mut expected);
            assert_eq!(found.map(f64::to_bits), expected.map(f64::to_bits));
        }
    }

    #[test]
    fn the_first_numbers_are_the_same_on_every_platform() {
        let bits: Vec<u64> = numbers(42, 1)[..4].iter().map(|x| x.to_bits()).collect();
        assert_eq!(bits, PINNED);
    }

    const PINNED: [u64; 4] =
        [4_607_027_986_666_361_178, 4_611_613_800_032_734_447, 4_612_310_415_136_522_285, 4_601_206_498_918_308_334];
}
