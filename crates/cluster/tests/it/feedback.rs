//! Requests that follow from others: calls between services, clients that wait, turns of sessions.

use std::sync::Arc;

use cluster::spec::{CalledBy, ServiceSpec, SimulationSpec};
use record::RunRecord;
use units::{SimDuration, SimTime};
use workload::{ArrivalRule, Distribution, LoadTest, RateCurve, SessionLaw, Stage, StageLength, StageLoad, Traffic};

use crate::model::seconds;
use crate::services::{fixed, queue, requests, run, together};

/// One server that takes `mean` seconds on average, from time zero on, for `length` seconds.
fn single(name: &str, salt: u64, mean: f64, length: u64) -> SimulationSpec {
    let mut spec = queue(name, salt, (1, 1.0, mean));
    (spec.warm_up, spec.end) = (SimDuration::ZERO, SimTime::from_secs(length));
    spec.services[0].traffic = Traffic::Merge(Vec::new());
    spec
}

fn poisson(rate: f64, length: u64) -> Traffic {
    Traffic::Poisson { rate: Arc::new(RateCurve::constant(rate, seconds(length))) }
}

/// A caller at `rate` and a service that `share` of its answers call `count` times.
fn pair(rate: f64, (share, count): (f64, u32), length: u64) -> SimulationSpec {
    let mut caller = single("caller", 5, 1.0 / 16.0, length);
    caller.services[0].traffic = poisson(rate, length);
    let mut called = single("called", 9, 1.0 / 8.0, length);
    called.services[0].called_by = Some(CalledBy { service: 0, share, count, transfer: None });
    together(&[caller, called])
}

fn mean_latency(record: &RunRecord, service: usize) -> f64 {
    let service = &record.services[service];
    service.totals.latency_ns_sum as f64 / 1e9 / service.requests.completed as f64
}

#[test]
fn two_queues_in_a_row_are_what_jackson_says() {
    // 10 requests per second at one server of 16, half of them go on to one of 8: 1/(16 - 10) s and 1/(8 - 5) s, independent of each other.
    let record = run(&pair(10.0, (0.5, 1), 14_400));
    let (first, second) = (mean_latency(&record, 0), mean_latency(&record, 1));
    // Three standard errors of the mean of a queue at 62.5 % load over 144,000 and 72,000 requests, which repeat each other.
    assert!((first * 6.0 - 1.0).abs() < 0.04 && (second * 3.0 - 1.0).abs() < 0.05, "{first} {second}");
    // Their sum has the distribution (1 - e^-3t)^2.
    let chain = record.services[1].totals.end_to_end.as_ref().expect("it is called");
    let median = chain.quantile(0.5).expect("many") as f64 / 1e9;
    assert!((median / 0.409_35 - 1.0).abs() < 0.05, "{median}");
    assert_eq!(chain.count(), record.services[1].requests.completed);
    assert!(record.services[0].totals.end_to_end.is_none());
}

#[test]
fn every_answer_that_calls_brings_all_of_its_calls() {
    let all = run(&pair(2.0, (1.0, 3), 3_600));
    assert_eq!(all.services[1].requests.arrived, 3 * all.services[0].requests.completed);
    let third = run(&pair(10.0, (0.3, 1), 3_600));
    let (completed, arrived) = (third.services[0].requests.completed as f64, third.services[1].requests.arrived as f64);
    // Four standard errors of a share.
    let allowed = 4.0 * (completed * 0.3 * 0.7).sqrt();
    assert!((arrived - 0.3 * completed).abs() < allowed, "{arrived} of {completed}");
}

#[test]
fn who_is_called_leaves_the_requests_of_the_caller_alone() {
    let both = pair(10.0, (0.5, 1), 3_600);
    let mut alone = both.clone();
    alone.services.truncate(1);
    alone.policies.iter_mut().for_each(|policy| policy.services.truncate(1));
    assert_eq!(requests(&run(&both).services[0]), requests(run(&alone).only()));
}

#[test]
fn calls_are_the_same_whoever_serves_the_callers_requests() {
    let one = pair(10.0, (0.5, 1), 3_600);
    let mut more = one.clone();
    more.services[0].replicas_initial = 3;
    more.policies[0].services[0] = fixed(3);
    let (one, more) = (run(&one), run(&more));
    assert_ne!(requests(&one.services[0]), requests(&more.services[0]));
    let work = |record: &RunRecord| {
        let rows = &record.services[1].request_rows;
        let times = rows.iter().filter_map(|row| Some(row.end?.since(row.start?).as_nanos()));
        let mut times: Vec<u64> = times.collect();
        times.sort_unstable();
        times
    };
    // All but those that are still on their way at the end.
    let (one, more) = (work(&one), work(&more));
    let common = one.iter().filter(|time| more.binary_search(time).is_ok()).count();
    assert!(common + 20 > one.len() && one.len() > 15_000, "{common} of {} and {}", one.len(), more.len());
}

#[test]
fn nothing_is_lost_where_pods_of_both_come_and_go() {
    let mut both = pair(10.0, (1.0, 1), 600);
    for service in 0..2 {
        both.services[service].replicas_initial = 3;
        both.policies[0].services[service] = fixed(if service == 0 { 1 } else { 2 });
    }
    let record = run(&both);
    let [caller, called] = &record.services[..] else { panic!("two services") };
    assert_eq!(called.requests.arrived, caller.requests.completed);
    assert!(caller.replicas.iter().chain(&called.replicas).filter(|life| life.ended.is_some()).count() >= 3);
    assert_eq!(record.digest, run(&both).digest);
}

fn clients(concurrency: u32, length: StageLength) -> Traffic {
    let load = StageLoad::Closed { concurrency, ramp: SimDuration::ZERO, delay: Distribution::Constant(0.0) };
    let stage = Stage { load, length, gap: SimDuration::ZERO };
    Traffic::LoadTest(Arc::new(LoadTest { start: SimDuration::ZERO, stages: vec![stage], drain: None }))
}

#[test]
fn clients_that_wait_are_as_many_as_throughput_times_latency() {
    let mut spec = single("server", 0, 0.1, 3_600);
    spec.services[0].replicas_initial = 3;
    spec.policies[0].services[0] = fixed(3);
    spec.services[0].traffic = clients(8, StageLength::Duration(seconds(3_600)));
    let record = run(&spec);
    let service = record.only();
    // Σ latency is the integral of the number under way, but for what the eight last ones have spent.
    let spent = service.totals.latency_ns_sum as f64 / 1e9;
    let open = 8.0 * service.totals.latency_ns_max as f64 / 1e9;
    assert!(spent <= 28_800.0 && spent > 28_800.0 - open, "{spent}");
    assert_eq!(service.requests.in_system, 8);
    assert!((service.requests.completed as f64 / 108_000.0 - 1.0).abs() < 0.02, "three servers, never idle");
}

#[test]
fn a_drained_test_has_exact_counts_and_its_stages_do_not_meet() {
    let stage = |rate: f64| {
        let load = StageLoad::Open { rate, arrivals: ArrivalRule::Gamma { shape: 1.0 }, concurrency_max: None };
        Stage { load, length: StageLength::Duration(seconds(60)), gap: seconds(30) }
    };
    let mut spec = single("server", 0, 0.09, 900);
    let test = LoadTest { start: SimDuration::ZERO, stages: vec![stage(20.0), stage(4.0)], drain: Some(seconds(2)) };
    spec.services[0].traffic = Traffic::LoadTest(Arc::new(test));
    let record = run(&spec);
    let rows = requests(record.only());
    assert_eq!((rows.len(), record.only().requests.completed), (1_440, 1_440));
    let last = rows[..1_200].iter().filter_map(|row| row.2).max().expect("all are answered");
    assert!(last > 80_000_000_000, "one server falls behind: {last}");
    // The second stage begins 32 s after the last answer and ends 60 s later with its last request.
    assert!(rows[1_439].0.abs_diff(last + 92_000_000_000) <= 2, "{} after {last}", rows[1_439].0);
}

#[test]
fn sessions_ask_again_when_they_have_their_answer_and_have_thought() {
    let mut spec = single("server", 0, 0.001, 3_600);
    let law =
        SessionLaw { turns: Distribution::Constant(4.0), think_time: Distribution::Constant(20.0), new_tokens: None };
    let starts = crate::support::replay((0..50).map(|start| start * 1_000_000_000).collect());
    spec.services[0].traffic = Traffic::Sessions { starts: Box::new(starts), law };
    let rows = requests(run(&spec).only());
    assert_eq!(rows.len(), 200);
    let second = rows[0].2.expect("it is answered") + 20_000_000_000;
    assert!(rows.iter().any(|row| row.0 == second));
}

#[test]
fn who_is_turned_away_gives_way_to_the_next_request() {
    let mut spec = single("server", 0, 0.1, 60);
    spec.services[0] = ServiceSpec { queue_limit: Some(1), ..spec.services[0].clone() };
    spec.services[0].traffic = clients(4, StageLength::Requests(500));
    let record = run(&spec);
    let requests = &record.only().requests;
    assert_eq!((requests.arrived, requests.in_system), (500, 0));
    assert!(requests.rejected > 400 && requests.completed >= 2, "{requests:?}");
}
