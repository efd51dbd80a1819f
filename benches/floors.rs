//! The least that a simulator of this kind can do for a request: bare loops to measure the others against, with the usual crates and
//! nothing else.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use benches::{Queue, bench_day_of};
use cluster::{Keep, simulate};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_distr::{Exp1, LogNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use record::Histogram;
use units::SimDuration;
use workload::Distribution;

const REQUESTS: u64 = 1_000_000;

fn within(found: f64, expected: f64, share: f64) {
    assert!((found / expected - 1.0).abs() < share, "{found} instead of {expected}");
}

/// Gaps between requests; their mean.
fn gaps() -> f64 {
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(1);
    let sum: f64 = (0..REQUESTS).map(|_| dice.sample::<f64, _>(Exp1)).sum();
    sum / REQUESTS as f64
}

/// Gaps and service times; the mean of both together.
fn gaps_and_services(service: impl Fn(&mut Xoshiro256PlusPlus) -> f64) -> f64 {
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(1);
    let sum: f64 = (0..REQUESTS).map(|_| dice.sample::<f64, _>(Exp1) + service(&mut dice)).sum();
    sum / REQUESTS as f64
}

/// M/M/8 at load 0.8 with the next-free server from a std heap and a histogram of latencies; the mean wait in services.
fn next_free_server() -> f64 {
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut free: BinaryHeap<Reverse<u64>> = (0..8).map(Reverse).collect();
    let mut latencies = Histogram::new();
    let (mut now, mut waited) = (0.0, 0);
    for _ in 0..REQUESTS {
        now += dice.sample::<f64, _>(Exp1) * 1e8 / 6.4;
        let arrival = now as u64;
        let Reverse(earliest) = free.pop().expect("eight servers");
        let start = earliest.max(arrival);
        let end = start + (dice.sample::<f64, _>(Exp1) * 1e8) as u64;
        free.push(Reverse(end));
        latencies.record(end - arrival);
        waited += start - arrival;
    }
    assert_eq!(latencies.count(), REQUESTS);
    waited as f64 / REQUESTS as f64 / 1e8
}

/// Mean wait of M/M/8 at load 0.8 in services: Erlang C over c (1 - ρ).
const MM8_WAIT: f64 = 0.285_7;

fn floors(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("floor");
    group.throughput(Throughput::Elements(REQUESTS)).sample_size(20);
    group.bench_function("gaps", |bencher| bencher.iter(|| within(gaps(), 1.0, 0.01)));
    group.bench_function("gaps-exponential", |bencher| {
        bencher.iter(|| within(gaps_and_services(|dice| dice.sample(Exp1)), 2.0, 0.01));
    });
    group.bench_function("gaps-lognormal", |bencher| {
        let service = LogNormal::new(-0.125, 0.5).expect("finite");
        bencher.iter(|| within(gaps_and_services(|dice| dice.sample(service)), 2.0, 0.01));
    });
    group.bench_function("next-free-of-8", |bencher| bencher.iter(|| within(next_free_server(), MM8_WAIT, 0.1)));
    group.finish();
}

/// Ours in the same run.
fn ours(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ours");
    group.sample_size(20);
    let queue = Queue::slots(8, 0.8, Distribution::Exponential { mean: 0.1 }, REQUESTS as f64);
    let expected = queue.run();
    within(expected.wait * 10.0, MM8_WAIT, 0.1);
    group.throughput(Throughput::Elements(expected.completed));
    group.bench_function("mm8", |bencher| bencher.iter(|| assert_eq!(queue.run(), expected)));
    let hour = bench_day_of(500.0, SimDuration::from_secs(3_600));
    let expected = simulate(&hour, 1, 0, 1, Keep::default());
    group.throughput(Throughput::Elements(expected.only().requests.arrived));
    group.bench_function("day-hpa-first-hour", |bencher| {
        bencher.iter(|| assert_eq!(simulate(&hour, 1, 0, 1, Keep::default()).digest, expected.digest));
    });
    group.finish();
}

criterion_group!(benches, floors, ours);
criterion_main!(benches);
