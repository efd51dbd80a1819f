use std::sync::Arc;
use cluster::flow::{Batching, Flow, Intake, Meter, fastest};
use cluster::spec::*;
use units::*;
use workload::*;
fn main() {
    for (replicas, rate) in [(5u32, 1700.0f64), (20, 1700.0), (20, 600.0), (10, 900.0), (200, 20000.0)] {
        let table: Arc<[SimDuration]> = (1..=32u64).map(|size| SimDuration::from_nanos(10_000_000 + 1_500_000 * size)).collect();
        let model = ServiceModel::DynamicBatching { batch_max: 32, preferred: Vec::new(), queue_delay: SimDuration::from_nanos(2_000_000), latency: BatchLatency { table } };
        let service = ServiceSpec { routing: Routing::LeastRequests, ..ServiceSpec::plain("s", model) };
        let n = 1e7;
        let mut best = f64::MAX;
        let mut out = (0, 0);
        for _ in 0..3 {
            let end = SimTime::from_nanos((n / rate * 1e9) as u64);
            let curve = RateCurve::constant(rate, end.since(SimTime::ZERO));
            let slo = SloSpec { latency: Some(SimDuration::from_nanos(200_000_000)), ttft: None, tpot: None, end_to_end: None, objective: 0.0 };
            let intake = Intake::new(&Traffic::Poisson { rate: Arc::new(curve) }, 1, end, None, 32);
            let mut flow: Box<dyn Flow> = fastest(Batching::of(&service), &service, 1, (intake, Meter::new(SimTime::ZERO, 30_000_000_000, &slo, false)));
            let before = std::time::Instant::now();
            (0..replicas as usize).for_each(|slot| flow.add(slot, PodId(slot as u32), SimTime::ZERO));
            let mut now = SimTime::ZERO;
            while now < end { now = (now + SimDuration::from_nanos(15_000_000_000)).min(end); flow.advance(now); flow.load(now); }
            let took = before.elapsed().as_secs_f64();
            let load = flow.load(end);
            out = (load.completed, load.waiting);
            best = best.min(took * 1e9 / n);
        }
        println!("{replicas} at {rate}: {best:.1} ns {out:?}");
    }
}
