//! Many runs: a sweep on one thread and on two.

use std::num::NonZeroUsize;

use benches::bench_day_of;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lab::Workers;
use lab::design::Setting;
use lab::sweep::{Shard, Simulated, Sweep, SweepOptions, read, run};
use units::SimDuration;

/// One hour of the bench day at 24 rates: independent runs of 20 to 60 ms, each on disk before the next is counted.
const SWEEP: &str = "
apiVersion: scalelab.dev/v1
kind: Sweep
name: rates
scenario: bench-hour
policies: [hpa]
replications: 1
seed: 1
axes:
  - {path: traffic.rate, range: {from: 500, to: 1650, step: 50}}
";

/// All rows of the sweep, worked through by `jobs` threads.
fn sweep_on(jobs: usize) -> String {
    let sweep = Sweep::parse(SWEEP).expect("the sweep is well-formed");
    let scenario = |settings: &[Setting]| Ok(bench_day_of(settings[0].value.number, SimDuration::from_secs(3_600)));
    let workers = Workers::new(NonZeroUsize::new(jobs)).expect("two threads are to be had");
    let folder = tempfile::tempdir().expect("a folder for the rows");
    let options = SweepOptions { shard: Shard::WHOLE, resume: false, progress: &|_| () };
    let outcome = run(&workers, &sweep, &Simulated(scenario), folder.path(), &options).expect("the sweep runs");
    assert_eq!(outcome.done, sweep.points.len());
    // Debug text, for an absent number is NaN, which equals nothing.
    format!("{:?}", read(folder.path()).expect("its rows are on disk").rows)
}

fn sweeps(criterion: &mut Criterion) {
    let expected = sweep_on(1);
    let points = Sweep::parse(SWEEP).expect("the sweep is well-formed").points.len();
    let mut group = criterion.benchmark_group("lab/sweep");
    group.sample_size(10).throughput(Throughput::Elements(points as u64));
    for jobs in [1, 2] {
        group.bench_function(BenchmarkId::new("threads", jobs), |bencher| {
            bencher.iter(|| assert_eq!(sweep_on(jobs), expected));
        });
    }
    group.finish();
}

criterion_group!(benches, sweeps);
criterion_main!(benches);
