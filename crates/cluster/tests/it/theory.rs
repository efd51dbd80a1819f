//! The flows against queueing theory.
//!
//! Each test runs `REQUESTS` requests under a fixed seed. The standard error of a mean wait over N requests in a queue with load ρ
//! and squared coefficient of variation c² of its service times is about `sqrt(2 (1 + c²) / (P N)) / (1 - ρ)` of the mean (Whitt,
//! Planning queueing simulations, 1989), where P is the chance to wait; tests allow four of them.

use std::sync::Arc;

use cluster::flow::{Flow, Meter};
use cluster::spec::{ServiceModel, ServiceSpec};
use record::ServiceTotals;
use units::{PodId, SimDuration, SimTime};
use workload::{Distribution, RateCurve, Traffic};

use crate::support::{Demand, batching, millis, service, slots};

const REQUESTS: f64 = 4e6;
const SEED: u64 = 11;

/// `replicas` replicas under a Poisson stream of `rate` requests per second, run to the end.
struct Run {
    flow: Box<dyn Flow>,
    end: SimTime,
}

impl Run {
    fn new(model: ServiceModel, replicas: usize, rate: f64) -> Self {
        let length = SimDuration::from_secs((REQUESTS / rate).ceil() as u64);
        let traffic = Traffic::Poisson { rate: Arc::new(RateCurve::constant(rate, length)) };
        let end = SimTime::ZERO + length;
        let spec: ServiceSpec = service(model);
        let mut flow = Demand::of(traffic, SEED, end).fast_flow(&spec);
        (0..replicas).for_each(|slot| flow.add(slot, PodId(slot as u32), SimTime::ZERO));
        Self { flow, end }
    }

    fn totals(mut self) -> (u64, ServiceTotals) {
        self.flow.advance(self.end);
        let arrived = self.flow.finish(self.end);
        let (totals, service, _) = std::mem::replace(self.flow.meter(), Meter::idle()).into_totals(arrived);
        (totals.completed, service)
    }

    fn mean_wait(self) -> f64 {
        let (completed, service) = self.totals();
        service.wait_ns_sum as f64 / completed as f64 / 1e9
    }
}

fn mean_wait(model: ServiceModel, replicas: usize, rate: f64) -> f64 {
    Run::new(model, replicas, rate).mean_wait()
}

/// Four standard errors of a mean wait, as a share of it.
fn tolerance(load: f64, variability: f64, chance_to_wait: f64) -> f64 {
    4.0 * (2.0 * (1.0 + variability) / (chance_to_wait * REQUESTS)).sqrt() / (1.0 - load)
}

fn assert_near(found: f64, expected: f64, tolerance: f64) {
    let error = found / expected - 1.0;
    assert!(error.abs() <= tolerance, "{found} instead of {expected}: off by {error:.5}, allowed {tolerance:.5}");
}

/// The chance to wait in M/M/c with `offered` = λ/μ.
fn erlang_c(servers: usize, offered: f64) -> f64 {
    let blocked = (1..=servers).fold(1.0, |blocked, count| offered * blocked / (count as f64 + offered * blocked));
    let load = offered / servers as f64;
    blocked / (1.0 - load * (1.0 - blocked))
}

#[test]
fn mm1_waits_as_long_as_theory_says() {
    for load in [0.5, 0.8] {
        let wait = mean_wait(slots(1, Distribution::Exponential { mean: 0.01 }), 1, load * 100.0);
        assert_near(wait, load * 0.01 / (1.0 - load), tolerance(load, 1.0, load));
    }
}

#[test]
fn the_latency_of_mm1_is_exponential() {
    let load = 0.6;
    let (_, service) = Run::new(slots(1, Distribution::Exponential { mean: 0.01 }), 1, load * 100.0).totals();
    let mean = 0.01e9 / (1.0 - load);
    for quantile in [0.1, 0.5, 0.9, 0.99] {
        let expected = -mean * (1.0_f64 - quantile).ln();
        // Half a percent for the histogram's buckets, the rest for chance.
        let found = service.latency.quantile(quantile).unwrap() as f64;
        assert_near(found, expected, 0.005 + tolerance(load, 1.0, load));
    }
}

#[test]
fn mmc_waits_by_erlang_c_however_its_servers_are_split_into_replicas() {
    for (servers, concurrency, load) in [(2, 1, 0.5), (8, 1, 0.8), (8, 4, 0.8), (64, 1, 0.9), (64, 16, 0.9)] {
        let rate = load * servers as f64 * 100.0;
        let model = slots(concurrency, Distribution::Exponential { mean: 0.01 });
        let wait = mean_wait(model, servers / concurrency as usize, rate);
        let chance = erlang_c(servers, load * servers as f64);
        let expected = chance * 0.01 / (servers as f64 * (1.0 - load));
        assert_near(wait, expected, tolerance(load, 1.0, chance));
    }
}

#[test]
fn mg1_waits_by_pollaczek_and_khinchine() {
    // The logarithm of a lognormal is normal, whose 90th percentile is 1.2816 standard deviations above its median.
    let sigma = (0.020_f64 / 0.008).ln() / 1.281_551_565_5;
    let demands = [
        (Distribution::Constant(0.01), 0.0),
        (Distribution::Uniform { low: 0.0, high: 0.02 }, 1.0 / 3.0),
        (Distribution::LogNormal { p50: 0.008, p90: 0.020 }, (sigma * sigma).exp() - 1.0),
        (Distribution::Gamma { mean: 0.01, cv: 2.0 }, 4.0),
    ];
    for (demand, variability) in demands {
        let load = 0.7;
        let mean = demand.mean();
        let wait = mean_wait(slots(1, demand), 1, load / mean);
        let expected = load * mean * (1.0 + variability) / (2.0 * (1.0 - load));
        assert_near(wait, expected, tolerance(load, variability, load));
    }
}

#[test]
fn a_batch_server_without_delay_takes_all_that_arrived_while_it_was_busy() {
    // Batches never fill up: what arrives during a service of D waits D / 2 on average, the rest not at all. By PASTA the chance to
    // find the server busy is its share of time: a service, then with chance e^-λD an idle time of 1/λ.
    let (busy, rate) = (0.05, 60.0);
    let wait = mean_wait(batching(64, SimDuration::ZERO, millis(50), SimDuration::ZERO), 1, rate);
    let idle = (-rate * busy).exp() / rate;
    let chance = busy / (busy + idle);
    // The wait given that the server is busy is uniform, nearly independent from batch to batch: c² = 1/3.
    assert_near(wait, chance * busy / 2.0, 4.0 * (1.0 / 3.0 / REQUESTS).sqrt() * 4.0);
}

#[test]
fn a_free_batch_server_waits_the_delay_from_the_first_request_on() {
    // With servers in plenty a batch is the first request, which waits T, and the λT that follow it within T, which wait T / 2.
    let (delay, rate) = (0.05, 60.0);
    let wait = mean_wait(batching(64, millis(50), millis(10), SimDuration::ZERO), 16, rate);
    let followers = rate * delay;
    let expected = (delay + followers * delay / 2.0) / (1.0 + followers);
    assert_near(wait, expected, 4.0 * (1.0 / REQUESTS).sqrt());
}

#[test]
fn full_batches_start_at_once_whatever_the_delay() {
    // The delay is out of reach: every batch is of 4, whose requests wait for 3, 2, 1 and 0 more gaps.
    let rate = 100.0;
    let wait = mean_wait(batching(4, SimDuration::from_secs(1_000), millis(1), SimDuration::ZERO), 8, rate);
    assert_near(wait, 1.5 / rate, 4.0 * (1.0 / REQUESTS).sqrt() * 2.0);
}

#[test]
fn littles_law_holds_between_what_is_seen_and_what_is_measured() {
    let (rate, step) = (560.0, millis(70));
    let mut run = Run::new(slots(1, Distribution::Exponential { mean: 0.01 }), 7, rate);
    let (mut now, mut seen, mut looks) = (SimTime::ZERO, 0u64, 0u64);
    while now < run.end {
        now += step;
        run.flow.advance(now);
        let load = run.flow.load(now);
        seen += load.waiting + load.in_flight;
        looks += 1;
    }
    run.end = now;
    let (completed, service) = run.totals();
    let latency = service.latency_ns_sum as f64 / completed as f64 / 1e9;
    assert_near(seen as f64 / looks as f64, rate * latency, tolerance(0.8, 1.0, 1.0));
}

#[test]
fn a_queue_for_nobody_is_erlangs_loss_system() {
    let (servers, offered, requests) = (8, 6.0, 4e5);
    let length = SimDuration::from_secs((requests / offered) as u64);
    let traffic = Traffic::Poisson { rate: Arc::new(RateCurve::constant(offered, length)) };
    let end = SimTime::ZERO + length;
    let model = slots(servers as u32, Distribution::Exponential { mean: 1.0 });
    let spec = ServiceSpec { queue_limit: Some(0), ..service(model) };
    // The fast flow of a central queue is not for queues this short.
    let mut flow = Demand::of(traffic, SEED, end).event_flow(&spec);
    flow.add(0, PodId(0), SimTime::ZERO);
    flow.advance(end);
    let arrived = flow.finish(end);
    let (totals, service, _) = std::mem::replace(flow.meter(), Meter::idle()).into_totals(arrived);
    let blocked = (1..=servers).fold(1.0, |blocked, count| offered * blocked / (f64::from(count) + offered * blocked));
    let found = totals.rejected as f64 / totals.arrived as f64;
    // Losses cluster: by Whitt about 2/(1 - load) times the variance of independent ones.
    let error = (8.0 * blocked * (1.0 - blocked) / requests).sqrt();
    assert!((found - blocked).abs() < 4.0 * error, "{found} instead of {blocked}");
    assert_eq!(service.wait_ns_sum, 0, "nobody waits");
}
