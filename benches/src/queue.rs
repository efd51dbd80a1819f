//! One flow by itself: a fixed number of replicas under Poisson arrivals, looked at every 15 seconds.

use std::sync::Arc;

use cluster::flow::{Batching, EventFlow, Flow, Intake, Meter, Slots, fastest};
use cluster::spec::{Routing, ServiceModel, ServiceSpec, SloSpec};
use units::{PodId, SimDuration, SimTime};
use workload::{Distribution, RateCurve, Traffic};

use crate::day::service;

const LOOK_EVERY: SimDuration = SimDuration::from_secs(15);
const SEED: u64 = 1;

/// A service, its replicas and its load.
#[derive(Clone, Debug)]
pub struct Queue {
    service: ServiceSpec,
    replicas: usize,
    /// Requests per second.
    rate: f64,
    /// Requests on average.
    requests: f64,
}

/// What a run of a [`Queue`] gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Requests answered.
    pub completed: u64,
    /// Mean wait in seconds.
    pub wait: f64,
    /// Hash of the latency histogram.
    pub hash: u64,
}

impl Queue {
    /// G/G/k: `servers` single-slot replicas at `load`, service times of `demand`.
    pub fn slots(servers: usize, load: f64, demand: Distribution, requests: f64) -> Self {
        let rate = load * servers as f64 / demand.mean();
        let model = ServiceModel::Slots { concurrency: 1, service: demand };
        Self { service: ServiceSpec { model, ..service(rate) }, replicas: servers, rate, requests }
    }

    /// `replicas` replicas that batch as those of the bench day do, each under 93 requests a second.
    pub fn batching(replicas: usize, requests: f64) -> Self {
        let rate = 93.0 * replicas as f64;
        Self { service: service(rate), replicas, rate, requests }
    }

    /// The same with another routing.
    pub fn routed(self, routing: Routing) -> Self {
        Self { service: ServiceSpec { routing, ..self.service }, ..self }
    }

    /// Runs it in the fastest flow that can.
    pub fn run(&self) -> Outcome {
        let (intake, meter) = self.sources();
        let service = &self.service;
        self.drive(match &service.model {
            ServiceModel::Slots { .. } => fastest(Slots::of(service), service, SEED, (intake, meter)),
            _ => fastest(Batching::of(service), service, SEED, (intake, meter)),
        })
    }

    /// Runs it event by event.
    pub fn run_by_events(&self) -> Outcome {
        let (intake, meter) = self.sources();
        self.drive(Box::new(EventFlow::new(&self.service, SEED, intake, meter)))
    }

    fn end(&self) -> SimTime {
        SimTime::ZERO + SimDuration::from_nanos((self.requests / self.rate * 1e9) as u64)
    }

    fn sources(&self) -> (Intake, Meter) {
        let end = self.end();
        let curve = RateCurve::constant(self.rate, end.since(SimTime::ZERO));
        let (demand, padding) = match &self.service.model {
            ServiceModel::Slots { service, .. } => (Some(service), 1),
            ServiceModel::DynamicBatching { batch_max, .. } => (None, *batch_max as usize),
            ServiceModel::ContinuousBatching { .. } => panic!("these queues have no tokens"),
        };
        let slo = SloSpec { latency: None, ttft: None, tpot: None, end_to_end: None, objective: 0.0 };
        let intake = Intake::new(&Traffic::Poisson { rate: Arc::new(curve) }, SEED, end, demand, padding);
        (intake, Meter::new(SimTime::ZERO, u64::MAX, &slo, false))
    }

    fn drive(&self, mut flow: Box<dyn Flow>) -> Outcome {
        (0..self.replicas).for_each(|slot| flow.add(slot, PodId(slot as u32), SimTime::ZERO));
        let end = self.end();
        let mut now = SimTime::ZERO;
        while now < end {
            now = (now + LOOK_EVERY).min(end);
            flow.advance(now);
            flow.load(now);
        }
        let arrived = flow.finish(end);
        let (totals, service, _) = std::mem::replace(flow.meter(), Meter::idle()).into_totals(arrived);
        Outcome {
            completed: totals.completed,
            wait: service.wait_ns_sum as f64 / totals.completed as f64 / 1e9,
            hash: service.latency.digest(0),
        }
    }
}
