//! Requests on their way in: arrivals, service times, traces in files.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::Compression;
use flate2::write::GzEncoder;
use report::Table;
use scenario::file::{TraceFile, TraceFormat};
use traces::{FileTrace, TraceCache};
use units::{SimDuration, SimTime};
use workload::{
    ArrivalCursor, BLOCK, DailyWave, Distribution, LlmTrace, LoadShape, RateCurve, ServiceTimes, TraceChunk,
    TraceReader, TraceSource, Traffic, synthesize_llm,
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

/// Folds every row, so that none can be left out.
fn fold(reader: &mut dyn TraceReader) -> (u64, u64, u64) {
    let (mut chunk, mut rows, mut sum, mut all_tokens) = (TraceChunk::default(), 0, 0_u64, 0);
    while reader.next_chunk(&mut chunk) {
        rows += chunk.len() as u64;
        sum = chunk.arrival_ns.iter().fold(sum, |sum, at| sum.wrapping_mul(31).wrapping_add(*at));
        let tokens = chunk.prompt_tokens.iter().chain(&chunk.output_tokens);
        all_tokens += tokens.map(|tokens| u64::from(*tokens)).sum::<u64>();
    }
    (rows, sum, all_tokens)
}

/// The same trace in every format, in `folder`.
fn write_formats(folder: &Path) {
    let spec = LlmTrace {
        rate: Arc::new(RateCurve::constant(500.0, SimDuration::from_secs(REQUESTS / 500))),
        prompt_tokens: Distribution::LogNormal { p50: 1_000.0, p90: 2_700.0 },
        output_tokens: Distribution::LogNormal { p50: 130.0, p90: 420.0 },
        tokens_max: 8_192,
        requests_max: None,
    };
    let trace = synthesize_llm(&spec, 1);
    let mut csv = String::from("arrival_s,prompt_tokens,output_tokens\n");
    for (row, at) in trace.arrival_ns.iter().enumerate() {
        let tokens = (trace.prompt_tokens[row], trace.output_tokens[row]);
        // Writing into a `String` cannot fail.
        let _ = writeln!(csv, "{}.{:09},{},{}", at / 1_000_000_000, at % 1_000_000_000, tokens.0, tokens.1);
    }
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(csv.as_bytes()).expect("memory takes it");
    std::fs::write(folder.join("trace.csv.gz"), packer.finish().expect("memory takes it")).expect("a writable folder");
    std::fs::write(folder.join("trace.csv"), csv).expect("a writable folder");
    let counts = |column: &[u32]| column.iter().map(|tokens| u64::from(*tokens)).collect::<Vec<_>>();
    let table = Table::default()
        .number("arrival_s", trace.arrival_ns.iter().map(|at| *at as f64 / 1e9))
        .count("prompt_tokens", counts(&trace.prompt_tokens).into_iter())
        .count("output_tokens", counts(&trace.output_tokens).into_iter());
    std::fs::write(folder.join("trace.parquet"), table.to_parquet()).expect("a writable folder");
}

/// `read`: what every policy and replication pays for the requests of a trace. `load`: what a command pays before it.
fn traces(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_formats(folder.path());
    let key =
        |file: &str| TraceFile { file: file.to_owned(), format: TraceFormat::Auto, columns: None, resample: false };
    let caches = TraceCache::Folder(folder.path().join("caches"));
    let load = |file: &str, cache: &TraceCache| {
        FileTrace::load_with(&folder.path().join(file), &key(file), cache).expect("a trace that was just written")
    };
    let expected = fold(load("trace.csv", &TraceCache::Off).reader().as_mut());
    assert!(expected.0.abs_diff(REQUESTS) < REQUESTS / 50);
    // Makes the cache.
    assert!(load("trace.csv", &caches).is_cached());
    let cases = [
        ("csv", "trace.csv", &TraceCache::Off),
        ("csv.gz", "trace.csv.gz", &TraceCache::Off),
        ("parquet", "trace.parquet", &TraceCache::Off),
        ("cache", "trace.csv", &caches),
    ];
    for group_name in ["workload/read", "workload/load"] {
        let mut group = criterion.benchmark_group(group_name);
        group.throughput(Throughput::Elements(expected.0)).sample_size(10);
        for (name, file, cache) in cases {
            let trace = load(file, cache);
            assert_eq!(trace.is_cached(), name == "cache");
            group.bench_function(name, |bencher| {
                if group_name == "workload/read" {
                    bencher.iter(|| assert_eq!(fold(trace.reader().as_mut()), expected));
                } else {
                    bencher.iter(|| assert_eq!(load(file, cache).len(), expected.0));
                }
            });
        }
        group.finish();
    }
}

criterion_group!(benches, arrivals, service_times, traces);
criterion_main!(benches);
