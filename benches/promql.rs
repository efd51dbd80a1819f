//! The metrics pipeline: a scrape of 1,000 replicas, and the queries an HPA and a ScaledObject ask.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use promql::labels::METRIC_NAME;
use promql::{Labels, Options, Query, ScrapeTarget, Storage, TargetId, Value};

const REPLICAS: usize = 1_000;
const INTERVAL_MS: i64 = 15_000;
const METRICS: [&str; 4] = ["requests_total", "errors_total", "queue_us_total", "compute_us_total"];
const RETENTION_MS: i64 = 300_000;

/// A storage that has scraped all replicas for five minutes, and the time of the next scrape.
fn filled() -> (Storage, Vec<TargetId>, i64) {
    let mut storage = Storage::new(RETENTION_MS);
    let exposed: Vec<Labels> = METRICS.iter().map(|&name| Labels::new([(METRIC_NAME, name), ("model", "m")])).collect();
    let register = |replica: usize| {
        let labels = Labels::new([("pod", format!("server-{replica}")), ("namespace", "default".to_owned())]);
        ScrapeTarget::new(labels, INTERVAL_MS, 0).register(&mut storage, &exposed)
    };
    let targets: Vec<TargetId> = (0..REPLICAS).map(register).collect();
    let mut now_ms = 0;
    while now_ms <= RETENTION_MS {
        scrape(&mut storage, &targets, now_ms);
        now_ms += INTERVAL_MS;
    }
    (storage, targets, now_ms)
}

/// One request a millisecond at each replica.
fn scrape(storage: &mut Storage, targets: &[TargetId], now_ms: i64) {
    let values = [now_ms as f64; METRICS.len()];
    let stored = targets.iter().filter(|&&target| storage.scrape(target, now_ms, &values)).count();
    assert_eq!(stored, targets.len());
    storage.collect(now_ms);
}

fn scrapes(criterion: &mut Criterion) {
    let (mut storage, targets, mut now_ms) = filled();
    let mut group = criterion.benchmark_group("promql/scrape");
    group.throughput(Throughput::Elements(REPLICAS as u64));
    group.bench_function("1000-replicas", |bencher| {
        bencher.iter(|| {
            scrape(&mut storage, &targets, now_ms);
            now_ms += INTERVAL_MS;
        });
    });
    group.finish();
}

fn queries(criterion: &mut Criterion) {
    let (storage, _, next_ms) = filled();
    let now_ms = next_ms - INTERVAL_MS;
    let mut group = criterion.benchmark_group("promql/query-1000-replicas");
    for (name, text, elements) in [
        ("total", "sum(rate(requests_total[1m]))", 1),
        ("by-pod", "sum(rate(requests_total[1m])) by (pod)", REPLICAS),
        ("ratio", "sum(rate(queue_us_total[2m])) / sum(rate(requests_total[2m]))", 1),
    ] {
        let mut query = Query::compile(text).expect("valid PromQL");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let found = query.evaluate(&storage, now_ms, Options::default()).expect("an answer");
                let Value::Vector(vector) = found.value else { panic!("a vector was asked for") };
                assert_eq!(vector.len(), elements);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, scrapes, queries);
criterion_main!(benches);
