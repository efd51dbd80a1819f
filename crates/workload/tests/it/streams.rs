//! Random streams: the same everywhere, and independent of each other.

use proptest::prelude::*;
use workload::{Purpose, Stream};

use crate::statistics::{ks_distance, ks_limit};

const PURPOSES: [Purpose; 11] = [
    Purpose::Arrivals,
    Purpose::Demand,
    Purpose::ColdStart,
    Purpose::Spot,
    Purpose::Routing,
    Purpose::Phase,
    Purpose::Provisioning,
    Purpose::Client,
    Purpose::Resampling,
    Purpose::Design,
    Purpose::RateNoise,
];

fn correlation(mut a: Stream, mut b: Stream) -> f64 {
    const DRAWS: u32 = 4_096;
    let sum: f64 = (0..DRAWS).map(|_| (a.uniform() - 0.5) * (b.uniform() - 0.5)).sum();
    // A uniform number has variance 1/12.
    sum * 12.0 / f64::from(DRAWS)
}

/// Six standard errors of the correlation of 4096 independent pairs: once in 500 million comparisons by chance.
const CORRELATION_MAX: f64 = 6.0 / 64.0;

proptest! {
    #[test]
    fn streams_of_different_purposes_are_uncorrelated(seed: u64, entity: u64, a in 0..11_usize, b in 0..11_usize) {
        prop_assume!(a != b);
        let seen = correlation(Stream::new(seed, PURPOSES[a], entity), Stream::new(seed, PURPOSES[b], entity));
        prop_assert!(seen.abs() < CORRELATION_MAX, "{seen}");
    }

    #[test]
    fn streams_of_neighbouring_entities_are_uncorrelated(seed: u64, entity in 0..1_000_000_u64, apart in 1..9_u64) {
        let (a, b) = (Stream::new(seed, Purpose::Spot, entity), Stream::new(seed, Purpose::Spot, entity + apart));
        let seen = correlation(a, b);
        prop_assert!(seen.abs() < CORRELATION_MAX, "{seen}");
    }

    #[test]
    fn streams_of_neighbouring_seeds_are_uncorrelated(seed in 0..u64::MAX - 9, apart in 1..9_u64) {
        let (a, b) = (Stream::new(seed, Purpose::Demand, 0), Stream::new(seed + apart, Purpose::Demand, 0));
        let seen = correlation(a, b);
        prop_assert!(seen.abs() < CORRELATION_MAX, "{seen}");
    }

    #[test]
    fn draws_below_a_bound_stay_below_it(seed: u64, bound in 1..u64::MAX) {
        let mut stream = Stream::new(seed, Purpose::Routing, 0);
        prop_assert!((0..64).all(|_| stream.below(bound) < bound));
    }
}

#[test]
fn the_first_numbers_are_the_same_on_every_platform() {
    // Worked out with an independent implementation of SplitMix64 and xoshiro256++.
    let mut stream = Stream::new(0, Purpose::Arrivals, 0);
    let seen = [stream.next_u64(), stream.next_u64(), stream.next_u64()];
    assert_eq!(seen, [8_406_314_580_880_979_878, 14_246_343_552_861_520_113, 3_453_961_875_355_789_597]);
    assert_eq!(Stream::new(42, Purpose::Arrivals, 0).next_u64(), 0x66cd_8f60_c2ed_8859);
    assert_eq!(Stream::new(42, Purpose::Demand, 7).next_u64(), 0xabfe_fbe9_ce17_3ec9);
}

#[test]
fn uniform_numbers_are_uniform() {
    let mut stream = Stream::new(1, Purpose::Design, 0);
    let sample: Vec<f64> = (0..100_000).map(|_| stream.uniform()).collect();
    assert!(sample.iter().all(|x| (0.0..1.0).contains(x)));
    assert!(ks_distance(sample, |x| x) < ks_limit(100_000));
}
