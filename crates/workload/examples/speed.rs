//! Prints what drawing arrivals and service times costs: `cargo run --release -p scalelab-workload --example speed`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use units::{SimDuration, SimTime};
use workload::{
    ArrivalCursor, BLOCK, Distribution, ExponentialBlocks, Purpose, RateCurve, ServiceTimes, Stream, TraceChunk,
    Traffic,
};

const COUNT: usize = 4_000_000;

fn main() {
    let mut source = ExponentialBlocks::new(Stream::new(1, Purpose::Design, 0));
    let mut block = [0.0; BLOCK];
    report("standard exponentials", || {
        for _ in 0..COUNT / BLOCK {
            source.fill(&mut block);
            black_box(&block);
        }
        COUNT
    });

    let day = SimDuration::from_secs(86_400);
    let rate = COUNT as f64 / day.as_secs_f64();
    let minutes =
        RateCurve::from_fn(SimDuration::from_secs(60), day, |at| rate * (1.0 + libm::sin(at.as_secs_f64() / 1e4)));
    for (name, curve) in [("Poisson, constant", RateCurve::constant(rate, day)), ("Poisson, minute steps", minutes)] {
        let traffic = Traffic::Poisson { rate: Arc::new(curve) };
        report(name, || count_of(&traffic));
    }
    let gaps = Distribution::Gamma { mean: 1.0, cv: 3.0 };
    let renewal = Traffic::Renewal { rate: Arc::new(RateCurve::constant(rate, day)), gaps };
    report("gamma renewal", || count_of(&renewal));

    for distribution in [
        Distribution::Constant(0.1),
        Distribution::Exponential { mean: 0.1 },
        Distribution::LogNormal { p50: 0.1, p90: 0.3 },
        Distribution::Gamma { mean: 0.1, cv: 0.5 },
        Distribution::Weibull { shape: 0.7, scale: 0.1 },
        Distribution::Empirical((0..100_000).map(|i| f64::from(i) * 1e-6).collect()),
    ] {
        let name = format!("{distribution:?}");
        report(&name[..name.len().min(40)], || demand_of(&distribution));
    }
    let start = Instant::now();
    black_box(Distribution::Gamma { mean: 0.1, cv: 2.0 }.sampler());
    println!("{:<42} {:6.2} ms", "gamma table", start.elapsed().as_secs_f64() * 1e3);
}

fn count_of(traffic: &Traffic) -> usize {
    let mut cursor = ArrivalCursor::new(traffic, 1, SimTime::MAX);
    let mut chunk = TraceChunk::default();
    let mut count = 0;
    while cursor.fill(&mut chunk) {
        count += black_box(&chunk).len();
        chunk.clear();
    }
    count
}

fn demand_of(distribution: &Distribution) -> usize {
    let mut source = ServiceTimes::new(distribution, 1);
    let mut times_ns = Vec::new();
    for _ in 0..COUNT / BLOCK {
        times_ns.clear();
        source.fill(&mut times_ns, BLOCK);
        black_box(&times_ns);
    }
    COUNT
}

fn report(name: &str, mut run: impl FnMut() -> usize) {
    // The least of several runs: what else the machine does can only add to it.
    let once = |_| {
        let start = Instant::now();
        let count = run();
        start.elapsed().as_secs_f64() * 1e9 / count as f64
    };
    let least = (0..5).map(once).fold(f64::INFINITY, f64::min);
    println!("{name:<42} {least:6.2} ns");
}
