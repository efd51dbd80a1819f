//! Distributions against their closed forms.

use std::sync::Arc;

use proptest::prelude::*;
use workload::{Distribution, DistributionError, Purpose, Stream};

use crate::statistics::{ks_distance, ks_limit};

const DRAWS: usize = 200_000;

fn empirical(values: &[f64]) -> Distribution {
    Distribution::Empirical(Arc::from(values))
}

fn families() -> Vec<Distribution> {
    vec![
        Distribution::Constant(3.0),
        Distribution::Uniform { low: 1.0, high: 4.0 },
        Distribution::Exponential { mean: 2.5 },
        Distribution::LogNormal { p50: 2.0, p90: 5.0 },
        Distribution::Gamma { mean: 2.0, cv: 0.5 },
        Distribution::Gamma { mean: 2.0, cv: 1.5 },
        Distribution::Weibull { shape: 0.8, scale: 2.0 },
        empirical(&[1.0, 2.0, 2.0, 7.0]),
    ]
}

fn draws(family: &Distribution) -> Vec<f64> {
    let (sampler, mut stream) = (family.sampler(), Stream::new(17, Purpose::Demand, 0));
    (0..DRAWS).map(|_| sampler.sample(&mut stream)).collect()
}

#[test]
fn draws_follow_the_closed_form() {
    type Cdf = fn(f64) -> f64;
    // Lognormal: sigma = ln(p90 / p50) / z(0.9). Gamma with cv 0.5 has shape 4: an Erlang distribution.
    let cases: [(Distribution, Cdf); 5] = [
        (Distribution::Uniform { low: 1.0, high: 4.0 }, |x| (x - 1.0) / 3.0),
        (Distribution::Exponential { mean: 2.5 }, |x| 1.0 - libm::exp(-x / 2.5)),
        (Distribution::LogNormal { p50: 2.0, p90: 5.0 }, |x| {
            let sigma = libm::log(2.5) / 1.281_551_565_544_600_5;
            0.5 * libm::erfc(-libm::log(x / 2.0) / sigma / std::f64::consts::SQRT_2)
        }),
        (Distribution::Gamma { mean: 2.0, cv: 0.5 }, |x| {
            let y = 2.0 * x;
            1.0 - libm::exp(-y) * (1.0 + y + y * y / 2.0 + y * y * y / 6.0)
        }),
        (Distribution::Weibull { shape: 0.8, scale: 2.0 }, |x| 1.0 - libm::exp(-libm::pow(x / 2.0, 0.8))),
    ];
    for (family, cdf) in cases {
        let distance = ks_distance(draws(&family), cdf);
        assert!(distance < ks_limit(DRAWS), "{family:?}: {distance}");
    }
}

#[test]
fn the_mean_of_many_draws_is_the_mean() {
    for family in families() {
        let mean = draws(&family).iter().sum::<f64>() / DRAWS as f64;
        // Every family here has a coefficient of variation of at most 1.5: four standard errors.
        assert!((mean / family.mean() - 1.0).abs() < 4.0 * 1.5 / (DRAWS as f64).sqrt(), "{family:?}: {mean}");
    }
}

#[test]
fn quantiles_given_are_quantiles_got() {
    let log_normal = Distribution::LogNormal { p50: 2.0, p90: 5.0 };
    assert!((log_normal.p50() - 2.0).abs() < 1e-12 && (log_normal.p90() - 5.0).abs() < 1e-12);
    let exponential = Distribution::Exponential { mean: 2.0 };
    assert!((exponential.p50() - 2.0 * std::f64::consts::LN_2).abs() < 1e-12);
    let measured = empirical(&[1.0, 2.0, 4.0]);
    assert_eq!([0.0, 0.25, 0.5, 0.75].map(|q| measured.quantile(q)), [1.0, 1.5, 2.0, 3.0]);
    assert_eq!(empirical(&[5.0]).quantile(0.7), 5.0);
}

#[test]
fn a_draw_takes_one_number_and_a_sampler_gives_the_same_one() {
    for family in families() {
        let (mut direct, mut prepared) = (Stream::new(3, Purpose::Spot, 1), Stream::new(3, Purpose::Spot, 1));
        let mut counted = direct.clone();
        let sampler = family.sampler();
        for _ in 0..1_000 {
            let (a, b) = (family.sample(&mut direct), sampler.sample(&mut prepared));
            assert!((a - b).abs() <= 2e-7 * a, "{family:?}: {a} {b}");
            counted.next_u64();
        }
        let next = counted.next_u64();
        assert_eq!((direct.next_u64(), prepared.next_u64()), (next, next), "{family:?}");
    }
}

#[test]
fn draws_are_the_same_on_every_platform() {
    let bits: Vec<u64> = families().iter().map(|family| family.quantile(0.3).to_bits()).collect();
    assert_eq!(bits, PINNED);
}

const PINNED: [u64; 8] = [
    4_613_937_818_241_073_152,
    4_611_235_658_464_650_854,
    4_606_206_825_268_350_754,
    4_608_869_749_895_453_576,
    4_608_902_143_183_481_935,
    4_597_689_181_614_770_685,
    4_603_140_691_324_020_194,
    4_611_235_658_464_650_854,
];

#[test]
fn scaling_a_distribution_scales_every_quantile() {
    for family in families() {
        let scaled = family.scaled(3.0);
        for q in [0.0, 0.1, 0.5, 0.99] {
            assert!((scaled.quantile(q) - 3.0 * family.quantile(q)).abs() < 1e-12 * scaled.mean(), "{family:?}");
        }
    }
}

#[test]
fn parameters_that_make_no_sense_are_refused_by_name() {
    let message = |family: Distribution| family.validate().unwrap_err().to_string();
    let amount = "it must be a finite number, not negative";
    assert_eq!(message(Distribution::Constant(f64::NAN)), format!("value is NaN; {amount}"));
    assert_eq!(message(Distribution::Exponential { mean: -1.0 }), format!("mean is -1; {amount}"));
    assert_eq!(message(Distribution::Uniform { low: 2.0, high: 1.0 }), "high is 1, below low, which is 2");
    assert_eq!(message(Distribution::LogNormal { p50: 3.0, p90: 2.0 }), "p90 is 2, below p50, which is 3");
    assert_eq!(message(Distribution::LogNormal { p50: 0.0, p90: 2.0 }), "p50 is 0; it must be greater");
    assert_eq!(message(Distribution::Weibull { shape: 0.0, scale: 2.0 }), "shape is 0; it must be greater");
    let tiny = Distribution::Weibull { shape: 0.001, scale: 2.0 }.validate();
    assert!(matches!(tiny, Err(DistributionError::OutOfRange { parameter: "shape", .. })));
    let spread = Distribution::Gamma { mean: 1.0, cv: 1_001.0 }.validate();
    assert!(matches!(spread, Err(DistributionError::OutOfRange { parameter: "cv", .. })));
    assert_eq!(message(empirical(&[])), "no values; an empirical distribution needs at least one");
    assert_eq!(message(empirical(&[1.0, 3.0, 2.0])), "value 2 is below the one before it; values must be sorted");
    assert!(families().iter().all(|family| family.validate().is_ok()));
}

proptest! {
    #[test]
    fn quantiles_never_fall(mean in 0.0..1e6_f64, cv in 0.0..5.0_f64, mut q in prop::array::uniform2(0.0..1.0_f64)) {
        q.sort_by(f64::total_cmp);
        let families = [
            Distribution::Exponential { mean },
            Distribution::LogNormal { p50: mean + 1e-3, p90: (mean + 1e-3) * (1.0 + cv) },
            Distribution::Gamma { mean, cv },
            Distribution::Weibull { shape: cv + 0.1, scale: mean },
        ];
        for family in families {
            let (low, high) = (family.quantile(q[0]), family.quantile(q[1]));
            prop_assert!(0.0 <= low && low <= high * (1.0 + 1e-9) && high.is_finite(), "{family:?}: {low} {high}");
        }
    }
}

/// Families of token counts: (distribution, mean, standard deviation).
fn by_moments() -> Vec<(Distribution, f64, f64)> {
    let no_limit = (0.0, f64::INFINITY);
    vec![
        (Distribution::Normal { mean: 500.0, std: 60.0, min: 0.0, max: f64::INFINITY }, 500.0, 60.0),
        (Distribution::log_normal(700.0, 900.0), 700.0, 900.0),
        (Distribution::poisson(128.0), 128.0, 128.0_f64.sqrt()),
        (Distribution::poisson(2.5), 2.5, 2.5_f64.sqrt()),
        (Distribution::skew_normal((1_000.0, 150.0), 4.0, no_limit), 1_000.0, 150.0),
        (Distribution::weighted(&[(512.0, 3.0), (128.0, 1.0)]), 416.0, 27_648.0_f64.sqrt()),
    ]
}

#[test]
fn families_given_by_moments_have_them() {
    for (family, mean, std) in by_moments() {
        family.validate().unwrap();
        let values = draws(&family);
        let n = values.len() as f64;
        let seen = values.iter().sum::<f64>() / n;
        let spread = (values.iter().map(|value| (value - seen) * (value - seen)).sum::<f64>() / n).sqrt();
        assert!((seen - mean).abs() < 4.0 * std / n.sqrt() + 1e-4 * mean, "{family:?}: {seen}");
        assert!((spread / std - 1.0).abs() < 0.05, "{family:?}: {spread}");
        assert!((family.mean() / mean - 1.0).abs() < 1e-3, "{family:?}: {}", family.mean());
    }
}

#[test]
fn a_normal_length_is_moved_onto_its_bounds() {
    let law = Distribution::Normal { mean: 100.0, std: 50.0, min: 80.0, max: 130.0 };
    let values = draws(&law);
    let share = |of: f64| values.iter().filter(|value| **value == of).count() as f64 / values.len() as f64;
    // Below 80 lie 34.5 %, above 130 27.4 % of the normal distribution.
    assert!((share(80.0) - 0.3446).abs() < 0.01 && (share(130.0) - 0.2743).abs() < 0.01);
    assert!(Distribution::Normal { mean: 1.0, std: 1.0, min: 3.0, max: 2.0 }.validate().is_err());
}

#[test]
fn weights_that_make_no_sense_are_refused() {
    for weights in [[1.0, -0.5], [f64::NAN, 1.0], [0.0, 0.0]] {
        let law = Distribution::weighted(&[(1.0, weights[0]), (2.0, weights[1])]);
        assert!(law.validate().is_err(), "{weights:?}");
    }
}
