//! Services and traffic to try the flows on.

use std::sync::Arc;

use cluster::flow::{Batching, EventFlow, Flow, Intake, Meter, Slots, fastest};
use cluster::spec::{BatchLatency, Patience, ServiceModel, ServiceSpec, SloSpec};
use units::{SimDuration, SimTime};
use workload::{Distribution, Trace, TraceChunk, Traffic};

pub const MILLISECOND: u64 = 1_000_000;

pub fn millis(count: u64) -> SimDuration {
    SimDuration::from_nanos(count * MILLISECOND)
}

/// A service with a central queue in which nothing is ever refused.
pub fn service(model: ServiceModel) -> ServiceSpec {
    ServiceSpec::plain("server", model)
}

pub fn slots(concurrency: u32, service: Distribution) -> ServiceModel {
    ServiceModel::Slots { concurrency, service }
}

/// Batches of up to `batch_max` that wait `delay` at most and take `base + per_request` x size.
pub fn batching(batch_max: u32, delay: SimDuration, base: SimDuration, per_request: SimDuration) -> ServiceModel {
    let table: Arc<[SimDuration]> = (1..=u64::from(batch_max)).map(|size| base + per_request * size).collect();
    ServiceModel::DynamicBatching {
        batch_max,
        preferred: Vec::new(),
        queue_delay: delay,
        latency: BatchLatency { table },
    }
}

pub fn replay(arrival_ns: Vec<u64>) -> Traffic {
    let trace = Trace::new(TraceChunk { arrival_ns, ..TraceChunk::default() }).unwrap();
    Traffic::Replay { source: Arc::new(trace), copies: 1.0 }
}

/// What a flow is made of besides the service.
#[derive(Clone)]
pub struct Demand {
    pub traffic: Traffic,
    pub seed: u64,
    pub end: SimTime,
    pub measure_from: SimTime,
    pub keep_rows: bool,
}

impl Demand {
    pub fn of(traffic: Traffic, seed: u64, end: SimTime) -> Self {
        Self { traffic, seed, end, measure_from: SimTime::ZERO, keep_rows: false }
    }

    fn intake(&self, service: &ServiceSpec) -> Intake {
        let (time, padding) = match &service.model {
            ServiceModel::Slots { service: time, .. } => (Some(time), 1),
            ServiceModel::DynamicBatching { batch_max, .. } => (None, *batch_max as usize),
            ServiceModel::ContinuousBatching { .. } => panic!("not a service of these tests"),
        };
        Intake::new(&self.traffic, self.seed, self.end, time, padding).measure_from(self.measure_from.as_nanos())
    }

    fn meter(&self, service: &ServiceSpec) -> Meter {
        let slo = SloSpec { latency: Some(millis(20)), ttft: None, tpot: None, end_to_end: None, objective: 0.99 };
        let timeout = service.client_timeout.as_ref().and_then(Patience::fixed).map_or(u64::MAX, SimDuration::as_nanos);
        Meter::new(self.measure_from, timeout, &slo, self.keep_rows)
    }

    pub fn event_flow(&self, service: &ServiceSpec) -> Box<dyn Flow> {
        Box::new(EventFlow::new(service, self.seed, self.intake(service), self.meter(service)))
    }

    pub fn fast_flow(&self, service: &ServiceSpec) -> Box<dyn Flow> {
        let (intake, meter, seed) = (self.intake(service), self.meter(service), self.seed);
        match &service.model {
            ServiceModel::Slots { .. } => fastest(Slots::of(service), service, seed, (intake, meter)),
            _ => fastest(Batching::of(service), service, seed, (intake, meter)),
        }
    }
}
