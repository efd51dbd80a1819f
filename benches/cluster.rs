//! The model: whole days per policy, queues by number of servers, routings by number of replicas.

use benches::{Outcome, Queue, bench_day};
use cluster::spec::Routing;
use cluster::{Keep, simulate};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use workload::Distribution;

const REQUESTS: f64 = 4e6;

fn day(criterion: &mut Criterion) {
    let spec = bench_day();
    let mut group = criterion.benchmark_group("cluster/day");
    group.sample_size(10);
    for (index, policy) in spec.policies.iter().enumerate() {
        let keep = Keep { tables: true, requests: false };
        let expected = simulate(&spec, index, 0, 1, keep);
        assert!(expected.only().requests.arrived > 43_000_000 && expected.spot_interruptions > 0);
        group.throughput(Throughput::Elements(expected.only().requests.arrived));
        group.bench_function(&policy.name, |bencher| {
            bencher.iter(|| assert_eq!(simulate(&spec, index, 0, 1, keep).digest, expected.digest));
        });
    }
    group.finish();
}

/// Runs a queue again and again, comparing with its first run, and that with the event loop.
fn measure(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    id: BenchmarkId,
    queue: &Queue,
) {
    let expected: Outcome = queue.run();
    assert_eq!(expected, queue.run_by_events());
    group.throughput(Throughput::Elements(expected.completed)).sample_size(10);
    group.bench_function(id, |bencher| bencher.iter(|| assert_eq!(queue.run(), expected)));
}

fn queues(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cluster/queue");
    for servers in [8, 64, 1_000] {
        let queue = Queue::slots(servers, 0.8, Distribution::Exponential { mean: 0.1 }, REQUESTS);
        measure(&mut group, BenchmarkId::new("exponential", servers), &queue);
        let queue = Queue::slots(servers, 0.8, Distribution::LogNormal { p50: 0.08, p90: 0.25 }, REQUESTS);
        measure(&mut group, BenchmarkId::new("lognormal", servers), &queue);
    }
    group.finish();
}

fn routings(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cluster/replicas");
    let routings = [
        ("central", Routing::CentralQueue),
        ("round-robin", Routing::RoundRobin),
        ("random", Routing::Random),
        ("least-requests", Routing::LeastRequests),
        ("power-of-two", Routing::PowerOfTwo),
    ];
    for (name, routing) in routings {
        for replicas in [10, 100, 1_000] {
            let queue = Queue::batching(replicas, REQUESTS).routed(routing);
            measure(&mut group, BenchmarkId::new(name, replicas), &queue);
        }
        // Against the event loop at the sizes above; it needs minutes for this one.
        let queue = Queue::batching(10_000, 10.0 * REQUESTS).routed(routing);
        let expected = queue.run();
        group.throughput(Throughput::Elements(expected.completed)).sample_size(10);
        group.bench_function(BenchmarkId::new(name, 10_000), |bencher| {
            bencher.iter(|| assert_eq!(queue.run(), expected));
        });
    }
    group.finish();
}

criterion_group!(benches, day, queues, routings);
criterion_main!(benches);
