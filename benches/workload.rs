//! Requests on their way in: arrivals and service times.

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use units::{SimDuration, SimTime};
use workload::{
    ArrivalCursor, BLOCK, DailyWave, Distribution, LoadShape, RateCurve, ServiceTimes, TraceChunk, Traffic,
};

const REQUESTS: u64 = 1_000_000;
const DAY: SimDuration = SimDuration::from_secs(86_400);

fn count(traffic: &Traffic) -> u64 {
    let mut cursor = ArrivalCursor::new(traffic, 1, SimTime::MAX);
    let mut chunk = TraceChunk::default();
    let mut arrived = 0;
    while cursor.fill(&mut chunk) {
        arrived += chunk.len() as u64;
        chunk.clear();
    }
    arrived
}

fn arrivals(criterion: &mut Criterion) {
    let rate = REQUESTS as f64 / DAY.as_secs_f64();
    let constant = Arc::new(RateCurve::constant(rate, DAY));
    let wave = DailyWave { height: rate, crest_at: SimDuration::from_secs(43_200) };
    let shape = LoadShape { base: rate / 2.0, wave: Some(wave), ..LoadShape::default() };
    let daily = Arc::new(shape.curve(SimDuration::from_secs(60), DAY, 1));
    let gaps = Distribution::Gamma { mean: 1.0, cv: 2.0 };
    let traffics = [
        ("poisson", Traffic::Poisson { rate: Arc::clone(&constant) }),
        ("poisson-daily-wave", Traffic::Poisson { rate: daily }),
        ("gamma-renewal", Traffic::Renewal { rate: constant, gaps }),
    ];
    let mut group = criterion.benchmark_group("workload/arrivals");
    for (name, traffic) in traffics {
        let expected = count(&traffic);
        assert!(expected.abs_diff(REQUESTS) < REQUESTS / 50);
        group.throughput(Throughput::Elements(expected)).sample_size(20);
        group.bench_function(name, |bencher| bencher.iter(|| assert_eq!(count(&traffic), expected)));
    }
    group.finish();
}

fn total(distribution: &Distribution) -> u64 {
    let mut source = ServiceTimes::new(distribution, 1);
    let mut times_ns = Vec::new();
    let mut sum = 0;
    for _ in 0..REQUESTS as usize / BLOCK {
        times_ns.clear();
        source.fill(&mut times_ns, BLOCK);
        sum += times_ns.iter().sum::<u64>();
    }
    sum
}

fn service_times(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("workload/service");
    group.throughput(Throughput::Elements(REQUESTS / BLOCK as u64 * BLOCK as u64)).sample_size(20);
    let distributions = [
        ("exponential", Distribution::Exponential { mean: 0.1 }),
        ("lognormal", Distribution::LogNormal { p50: 0.08, p90: 0.25 }),
        ("gamma", Distribution::Gamma { mean: 0.1, cv: 2.0 }),
    ];
    for (name, distribution) in distributions {
        let expected = total(&distribution);
        let mean = expected as f64 / REQUESTS as f64 / 1e9;
        assert!((mean / distribution.mean() - 1.0).abs() < 0.02, "{mean}");
        group.bench_function(name, |bencher| bencher.iter(|| assert_eq!(total(&distribution), expected)));
    }
    group.finish();
}

criterion_group!(benches, arrivals, service_times);
criterion_main!(benches);
