//! Arrival processes that follow a rate curve.

use std::sync::Arc;

use proptest::prelude::*;
use units::{SimDuration, SimTime};
use workload::{ArrivalCursor, Distribution, RateCurve, Trace, TraceChunk, Traffic, TrafficError};

use crate::statistics::{chi_square_deviations, ks_distance, ks_limit};

const MINUTE: SimDuration = SimDuration::from_secs(60);

fn poisson(rate: RateCurve) -> Traffic {
    Traffic::Poisson { rate: Arc::new(rate) }
}

fn renewal(rate: RateCurve, gaps: Distribution) -> Traffic {
    Traffic::Renewal { rate: Arc::new(rate), gaps }
}

fn arrivals(traffic: &Traffic, seed: u64, end: SimTime) -> Vec<u64> {
    let (mut cursor, mut chunk) = (ArrivalCursor::new(traffic, seed, end), TraceChunk::default());
    while cursor.fill(&mut chunk) {}
    let length = chunk.len();
    assert!(!cursor.fill(&mut chunk) && chunk.len() == length, "a cursor stays at its end");
    assert!(chunk.arrival_ns.is_sorted());
    chunk.arrival_ns
}

fn counts_per_step(arrival_ns: &[u64], curve: &RateCurve) -> Vec<u64> {
    let mut counts = vec![0; curve.rates.len()];
    for at in arrival_ns {
        counts[(at / curve.step.as_nanos()) as usize] += 1;
    }
    counts
}

/// A curve that jumps up and down, by factors of up to a thousand, with silence in between.
fn jumpy(steps: usize) -> RateCurve {
    let rates = (0..steps).map(|i| [3.0, 0.0, 40.0, 0.5, 500.0, 2.0][i % 6]).collect();
    RateCurve { step: MINUTE, rates }
}

#[test]
fn poisson_counts_per_step_have_the_spread_of_a_poisson_process() {
    let curve = jumpy(1_200);
    let counts = counts_per_step(&arrivals(&poisson(curve.clone()), 1, SimTime::MAX), &curve);
    let (mut seen, mut means) = (Vec::new(), Vec::new());
    for (count, rate) in counts.iter().zip(&curve.rates) {
        if *rate > 0.0 {
            seen.push(*count);
            means.push(rate * 60.0);
        } else {
            assert_eq!(*count, 0, "an arrival in a step without rate");
        }
    }
    let deviations = chi_square_deviations(&seen, &means);
    assert!(deviations.abs() < 4.0, "chi-square is off by {deviations} standard deviations");
}

#[test]
fn poisson_gaps_measured_along_the_curve_are_exponential() {
    let curve = jumpy(600);
    let times = arrivals(&poisson(curve.clone()), 2, SimTime::MAX);
    let area: Vec<f64> = times
        .windows(2)
        .map(|pair| curve.expected_count(SimTime::from_nanos(pair[0]), SimTime::from_nanos(pair[1])))
        .collect();
    let n = area.len();
    assert!(ks_distance(area, |x| 1.0 - libm::exp(-x)) < ks_limit(n));
}

#[test]
fn arrivals_within_a_step_are_spread_evenly() {
    let curve = jumpy(600);
    let times = arrivals(&poisson(curve.clone()), 3, SimTime::MAX);
    let shares: Vec<f64> = times.iter().map(|at| (at % MINUTE.as_nanos()) as f64 / MINUTE.as_nanos() as f64).collect();
    let n = shares.len();
    assert!(ks_distance(shares, |x| x) < ks_limit(n));
}

#[test]
fn a_step_much_shorter_than_a_gap_loses_nothing() {
    let second = SimDuration::from_secs(1);
    let curve = RateCurve { step: second, rates: vec![0.02; 1_000_000] };
    let n = arrivals(&poisson(curve), 4, SimTime::MAX).len() as f64;
    // Poisson: the standard deviation of a count is the root of its mean.
    assert!((n - 20_000.0).abs() < 4.0 * 20_000.0_f64.sqrt(), "{n}");
}

#[test]
fn rounding_to_nanoseconds_carries_nothing_over_an_edge() {
    let rates = (0..20_000).map(|i| if i % 2 == 0 { 4e8 } else { 0.0 }).collect();
    let curve = RateCurve { step: SimDuration::from_nanos(2), rates };
    let times = arrivals(&poisson(curve.clone()), 10, SimTime::MAX);
    assert!(times.len() > 7_000);
    assert!(times.iter().all(|at| curve.rate_at(SimTime::from_nanos(*at)) > 0.0));
}

#[test]
fn a_rate_may_last_for_ever() {
    let for_ever = poisson(RateCurve::constant(10.0, SimDuration::MAX));
    assert!(!arrivals(&for_ever, 11, SimTime::from_secs(60)).is_empty());
    let rare = poisson(RateCurve::constant(1e-6, SimDuration::MAX));
    for traffic in [rare.clone(), Traffic::Merge(vec![rare])] {
        let n = arrivals(&traffic, 11, SimTime::MAX).len() as f64;
        let expected = 1e-6 * SimDuration::MAX.as_secs_f64();
        assert!((n - expected).abs() < 4.0 * expected.sqrt(), "{n}");
    }
}

#[test]
fn a_single_step_of_years_keeps_its_rate_and_its_end() {
    let year = SimDuration::from_secs(365 * 86_400);
    let times = arrivals(&poisson(RateCurve::constant(0.01, year * 3)), 5, SimTime::MAX);
    let expected = 0.01 * (year * 3).as_secs_f64();
    assert!((times.len() as f64 - expected).abs() < 4.0 * expected.sqrt(), "{}", times.len());
    let shares: Vec<f64> = times.iter().map(|at| *at as f64 / (year * 3).as_nanos() as f64).collect();
    let n = shares.len();
    assert!(ks_distance(shares, |x| x) < ks_limit(n));
}

#[test]
fn constant_gaps_arrive_like_clockwork_whatever_their_length() {
    let clockwork = renewal(RateCurve::constant(4.0, MINUTE), Distribution::Constant(17.0));
    let times = arrivals(&clockwork, 6, SimTime::from_secs(2));
    assert_eq!(times, [1, 2, 3, 4, 5, 6, 7].map(|i| i * 250_000_000));
}

#[test]
fn constant_gaps_stretch_at_the_edge_of_a_step() {
    // Half a gap is left at the edge; at a quarter of the rate it takes four times as long.
    let curve = RateCurve { step: SimDuration::from_secs(1), rates: vec![1.5, 0.0, 0.375, 1.5] };
    let times = arrivals(&renewal(curve, Distribution::Constant(1.0)), 6, SimTime::MAX);
    // Areas: 1 at 2/3 s; 1.5 at 1 s; 1.875 at 3 s; 2 after 0.125 / 1.5 s more; 3 after another 2/3 s.
    assert_eq!(times, [666_666_667, 3_083_333_333, 3_750_000_000]);
}

#[test]
fn renewal_gaps_have_the_shape_asked_for_and_mean_one() {
    let gaps = Distribution::LogNormal { p50: 3.0, p90: 30.0 };
    let times = arrivals(&renewal(RateCurve::constant(100.0, MINUTE * 60), gaps.clone()), 7, SimTime::MAX);
    let scaled: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64 * 1e-7 * gaps.mean()).collect();
    let n = scaled.len();
    let sigma = libm::log(10.0) / 1.281_551_565_544_600_5;
    let cdf = |x: f64| 0.5 * libm::erfc(-libm::log(x / 3.0) / sigma / std::f64::consts::SQRT_2);
    assert!(ks_distance(scaled, cdf) < ks_limit(n));
}

#[test]
fn exponential_renewal_is_the_poisson_process() {
    let curve = jumpy(60);
    let gaps = Distribution::Exponential { mean: 9.0 };
    assert_eq!(arrivals(&renewal(curve.clone(), gaps), 8, SimTime::MAX), arrivals(&poisson(curve), 8, SimTime::MAX));
}

#[test]
fn merged_sources_add_up_and_leave_each_other_alone() {
    let (a, b) = (poisson(jumpy(60)), poisson(RateCurve::constant(7.0, MINUTE * 60)));
    let c = renewal(RateCurve::constant(2.0, MINUTE * 30), Distribution::Constant(1.0));
    let both = arrivals(&Traffic::Merge(vec![a.clone(), b.clone()]), 9, SimTime::MAX);
    let three = arrivals(&Traffic::Merge(vec![a, b, c]), 9, SimTime::MAX);
    let clockwork = (1..3_600_u64).map(|i| i * 500_000_000);
    let mut expected: Vec<u64> = both.iter().copied().chain(clockwork).collect();
    expected.sort_unstable();
    assert_eq!(three, expected);
    assert_ne!(arrivals(&Traffic::Merge(vec![poisson(jumpy(60)); 2]), 9, SimTime::MAX), [0; 0]);
}

#[test]
fn the_first_arrivals_are_the_same_on_every_platform() {
    let times = arrivals(&poisson(RateCurve::constant(1_000.0, MINUTE)), 42, SimTime::MAX);
    assert_eq!(times[..PINNED.len()], PINNED);
}

/// Running sums of the first four exponential numbers of the stream, worked out independently, times a millisecond.
const PINNED: [u64; 4] = [982_855, 2_966_819, 5_244_107, 5_662_377];

#[test]
fn traffic_that_cannot_run_says_why() {
    let broken = RateCurve { step: MINUTE, rates: vec![f64::NAN] };
    assert!(matches!(poisson(broken).validate(), Err(TrafficError::Rate(_))));
    let still = renewal(jumpy(1), Distribution::Constant(0.0));
    assert_eq!(still.validate(), Err(TrafficError::NoGaps));
    let merged = Traffic::Merge(vec![poisson(jumpy(1)), still]);
    assert_eq!(merged.validate().unwrap_err().to_string(), "gaps have a mean of 0; arrivals would never end");
}

fn curves() -> impl Strategy<Value = RateCurve> {
    let rate = prop_oneof![Just(0.0), Just(1e-305), Just(1e-12), 0.0..2_000.0_f64];
    (1..100_000_000_u64, prop::collection::vec(rate, 0..40))
        .prop_map(|(step_us, rates)| RateCurve { step: SimDuration::from_nanos(step_us * 1_000), rates })
}

proptest! {
    #[test]
    fn nothing_arrives_outside_the_run_or_in_silent_steps(curve in curves(), seed: u64, end_share in 0.0..1.2_f64) {
        let end = SimTime::from_nanos((curve.length().as_nanos() as f64 * end_share) as u64);
        for traffic in [poisson(curve.clone()), renewal(curve.clone(), Distribution::Gamma { mean: 2.0, cv: 2.5 })] {
            let times = arrivals(&traffic, seed, end);
            prop_assert!(times.iter().all(|at| *at < end.as_nanos() && curve.rate_at(SimTime::from_nanos(*at)) > 0.0));
        }
    }

    #[test]
    fn an_earlier_end_only_cuts_the_same_arrivals_short(curve in curves(), seed: u64, end_share in 0.0..1.0_f64) {
        let end = SimTime::from_nanos((curve.length().as_nanos() as f64 * end_share) as u64);
        let whole = arrivals(&poisson(curve.clone()), seed, SimTime::MAX);
        let cut = arrivals(&poisson(curve), seed, end);
        let before_end = whole.partition_point(|at| *at < end.as_nanos());
        prop_assert_eq!(&cut[..], &whole[..before_end]);
    }

    #[test]
    fn equal_seeds_give_equal_arrivals_and_different_ones_do_not(seed: u64) {
        let traffic = poisson(jumpy(12));
        let times = arrivals(&traffic, seed, SimTime::MAX);
        prop_assert_eq!(&times, &arrivals(&traffic, seed, SimTime::MAX));
        prop_assert_ne!(times, arrivals(&traffic, seed ^ 1, SimTime::MAX));
    }
}

fn thinned(source: Traffic, factor: RateCurve) -> Traffic {
    Traffic::Thinned { source: Box::new(source), factor: Arc::new(factor) }
}

#[test]
fn a_poisson_process_times_a_curve_is_the_poisson_process_of_the_product() {
    let rate = RateCurve::constant(40.0, MINUTE * 600);
    // From nothing to three and a half times, step by step.
    let factor = RateCurve { step: MINUTE, rates: (0..600).map(|step| f64::from(step % 8) * 0.5).collect() };
    let product = rate.times(&factor);
    let times = arrivals(&thinned(poisson(rate), factor), 11, SimTime::MAX);
    let (mut seen, mut means) = (0.0, 0.0);
    for (count, rate) in counts_per_step(&times, &product).iter().zip(&product.rates) {
        assert!(*rate > 0.0 || *count == 0, "a request where the factor is zero");
        (seen, means) = (seen + *count as f64, means + rate * 60.0);
    }
    // Copies come in groups of at most four: the variance is at most four times that of a Poisson process.
    assert!((seen - means).abs() < 4.0 * (4.0 * means).sqrt(), "{seen} of {means}");

    // Below one nothing is copied, and gaps along the product are exponential again.
    let below = RateCurve { step: MINUTE, rates: (0..600).map(|step| 0.1 + f64::from(step % 8) * 0.1).collect() };
    let rate = RateCurve::constant(40.0, MINUTE * 600);
    let product = rate.times(&below);
    let times = arrivals(&thinned(poisson(rate), below), 12, SimTime::MAX);
    let (seen, means): (Vec<u64>, Vec<f64>) =
        (counts_per_step(&times, &product), product.rates.iter().map(|rate| rate * 60.0).collect());
    assert!(chi_square_deviations(&seen, &means).abs() < 4.0);
    let area: Vec<f64> = times
        .windows(2)
        .map(|pair| product.expected_count(SimTime::from_nanos(pair[0]), SimTime::from_nanos(pair[1])))
        .collect();
    let n = area.len();
    assert!(ks_distance(area, |x| 1.0 - libm::exp(-x)) < ks_limit(n));
}

#[test]
fn a_factor_of_one_changes_nothing_and_one_of_three_plays_each_request_three_times() {
    let source = || poisson(RateCurve::constant(5.0, MINUTE * 60));
    let plain = arrivals(&source(), 4, SimTime::MAX);
    let times_factor = |factor| arrivals(&thinned(source(), RateCurve::constant(factor, MINUTE * 61)), 4, SimTime::MAX);
    assert_eq!(times_factor(1.0), plain);
    let thrice = times_factor(3.0);
    assert_eq!(thrice.len(), plain.len() * 3);
    assert!(plain.iter().enumerate().all(|(index, at)| thrice[index * 3] == *at), "first copies keep their instants");
    let end = SimTime::from_secs(1_800);
    assert!(
        arrivals(&thinned(source(), RateCurve::constant(3.0, MINUTE * 61)), 4, end)
            .iter()
            .all(|at| *at < end.as_nanos())
    );
}

#[test]
fn a_sum_holds_the_requests_of_every_part_and_drawn_tokens_go_beside_recorded_ones() {
    let mut columns = TraceChunk::default();
    (0..5_000u64).for_each(|row| columns.push_with_tokens(row * 300_000_000, (row as u32 + 1_000_000, 7)));
    let trace = Traffic::Replay { source: Arc::new(Trace::new(columns).unwrap()), copies: 1.0 };
    let bare = poisson(RateCurve::constant(10.0, MINUTE * 25));
    assert_eq!(Traffic::Merge(vec![trace.clone(), bare.clone()]).validate(), Err(TrafficError::MixedTokens));
    let prompt = Distribution::LogNormal { p50: 400.0, p90: 900.0 };
    let drawn = Traffic::WithTokens { source: Box::new(bare), prompt, output: Distribution::Constant(3.0) };
    let sum = Traffic::Merge(vec![trace, drawn]);
    sum.validate().unwrap();
    let (mut cursor, mut chunk) = (ArrivalCursor::new(&sum, 9, SimTime::MAX), TraceChunk::default());
    while cursor.fill(&mut chunk) {}
    chunk.validate().unwrap();
    let recorded: Vec<u32> = chunk.prompt_tokens.iter().copied().filter(|tokens| *tokens >= 1_000_000).collect();
    assert!(recorded.iter().copied().eq(1_000_000..1_005_000), "recorded requests keep their tokens and order");
    let drawn = chunk.output_tokens.iter().filter(|tokens| **tokens == 3).count() as f64;
    // 10 req/s over 25 minutes, four standard deviations.
    assert!((drawn - 15_000.0).abs() < 4.0 * 15_000_f64.sqrt(), "{drawn}");
}
