//! The pending-event set under the hold model: take the next event, schedule another, the number of them constant.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine::{Agenda, Event};
use units::{SimDuration, SimTime};
use workload::{Purpose, Stream};

const HOLDS: u64 = 100_000;

#[derive(Clone, Copy)]
struct Mark;

impl Event for Mark {
    fn rank(&self) -> u8 {
        0
    }
}

/// Takes and schedules `HOLDS` times; how far the clock got in all.
fn hold(agenda: &mut Agenda<Mark>, dice: &mut Stream) -> SimTime {
    for _ in 0..HOLDS {
        let event = agenda.pop_until(SimTime::MAX).expect("the set is never empty");
        agenda.schedule(agenda.now() + SimDuration::from_nanos(dice.below(2_000_000)), event);
    }
    agenda.now()
}

fn hold_model(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine/hold");
    group.throughput(Throughput::Elements(HOLDS)).sample_size(20);
    for size in [100, 1_000, 10_000, 100_000, 1_000_000] {
        let mut dice = Stream::new(1, Purpose::Design, 0);
        let mut agenda = Agenda::default();
        for _ in 0..size {
            agenda.schedule(SimTime::from_nanos(dice.below(2_000_000)), Mark);
        }
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                let before = agenda.now();
                assert!(hold(&mut agenda, &mut dice) > before && agenda.len() == size);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, hold_model);
criterion_main!(benches);
