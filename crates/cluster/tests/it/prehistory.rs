//! A run that begins in a service that has been running.

use std::sync::Arc;

use cluster::prehistory::needed;
use cluster::simulate;
use cluster::spec::{ControllerManager, ControllerSpec, PolicySpec, PrehistorySpec, ServiceSpec, SimulationSpec};
use policy::keda::{ScaledObject, Trigger};
use promql::rules::{GroupConfig, RuleConfig, RuleGroup};
use record::RunRecord;
use units::{SimDuration, SimTime};
use workload::{Distribution, RateCurve, Traffic};

use crate::model::{EVERYTHING, fleet, scenario, seconds};
use crate::support::{service, slots};

const BEFORE: SimDuration = SimDuration::from_secs(600);

/// Gives the run a prehistory with `rate` requests per second at its first service.
pub fn precede(spec: &mut SimulationSpec, rate: f64) {
    spec.prehistory = PrehistorySpec { length: BEFORE, rehearsal: seconds(330) };
    spec.services[0].earlier.rate = (rate > 0.0).then(|| Arc::new(RateCurve::constant(rate, BEFORE)));
}

fn preceded(mut spec: SimulationSpec, rate: f64) -> SimulationSpec {
    precede(&mut spec, rate);
    spec
}

/// 18 requests a second for `replicas` replicas that serve 4 each, without interruptions.
fn steady(replicas: u32, controller: ControllerSpec) -> SimulationSpec {
    let service =
        ServiceSpec { replicas_initial: replicas, ..service(slots(4, Distribution::Exponential { mean: 1.0 })) };
    let length = seconds(1_800);
    let mut spec = scenario(service, 18.0, length, fleet(0.0, SimDuration::ZERO));
    spec.services[0].traffic = Traffic::Poisson { rate: Arc::new(RateCurve::constant(18.0, length)) };
    spec.policies = vec![PolicySpec::of_one("policy", vec![controller])];
    spec.warm_up = SimDuration::ZERO;
    spec
}

fn fixed(replicas: u32) -> ControllerSpec {
    ControllerSpec::Static { replicas }
}

/// From zero to ten, three requests per second each.
fn keda() -> ControllerSpec {
    asking("sum(rate(http_requests_total[1m]))")
}

fn asking(query: &str) -> ControllerSpec {
    let pairs = [("serverAddress", "http://prometheus:9090"), ("query", query), ("threshold", "3")];
    let metadata = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let trigger = Trigger { kind: "prometheus".into(), metadata, ..Trigger::default() };
    let scaled_object = ScaledObject {
        name: "server".into(),
        scale_target: "server".into(),
        replicas_min: Some(0),
        replicas_max: Some(10),
        triggers: vec![trigger],
        ..ScaledObject::default()
    };
    ControllerSpec::Keda { scaled_object, manager: ControllerManager::default() }
}

fn run(spec: &SimulationSpec) -> RunRecord {
    simulate(spec, 0, 0, 7, EVERYTHING)
}

fn desired(record: &RunRecord) -> Vec<u32> {
    record.only().timeline.iter().map(|row| row.desired).collect()
}

#[test]
fn a_service_that_has_been_busy_is_not_scaled_to_zero_by_the_first_poll() {
    let lowest =
        |spec: &SimulationSpec, seed| desired(&simulate(spec, 0, 0, seed, EVERYTHING)).into_iter().min().unwrap();
    let seeds = 1..=5;
    let fresh = steady(6, keda());
    assert!(seeds.clone().any(|seed| lowest(&fresh, seed) == 0), "an empty Prometheus reads as no requests");
    let running = preceded(fresh, 18.0);
    for seed in seeds {
        assert!(lowest(&running, seed) >= 4, "seed {seed}");
    }
}

#[test]
fn an_idle_service_that_is_a_day_old_is_scaled_to_zero_by_the_first_poll() {
    let rates = (0..6).map(|step| if step == 0 { 0.0 } else { 18.0 }).collect();
    let traffic = Traffic::Poisson { rate: Arc::new(RateCurve { step: seconds(300), rates }) };
    let mut spec = preceded(steady(6, keda()), 0.0);
    spec.services[0].traffic = traffic;
    let record = run(&spec);
    assert_eq!(desired(&record)[2], 0);
    assert!(
        record.all_remarks().iter().any(|remark| remark.ends_with("the run begins with 6")),
        "{:?}",
        record.all_remarks()
    );
}

#[test]
fn requests_of_the_run_arrive_as_they_would_without_what_came_before() {
    let spec = steady(6, fixed(6));
    let arrivals = |record: RunRecord| record.only().request_rows.iter().map(|row| row.arrival).collect::<Vec<_>>();
    let fresh = arrivals(run(&spec));
    let running = arrivals(run(&preceded(spec, 18.0)));
    assert!(fresh.len() > 30_000);
    assert_eq!(fresh, running);
}

#[test]
fn what_came_before_is_served_and_counted_nowhere() {
    let spec = preceded(steady(6, fixed(6)), 18.0);
    let record = run(&spec);
    let totals = record.only().requests;
    assert_eq!(totals.arrived, totals.completed + totals.failed() + totals.in_system);
    let first = &record.only().timeline[0];
    assert_eq!(first.start, SimTime::ZERO);
    let sum = |column: fn(&record::TimelineRow) -> u64| record.only().timeline.iter().map(column).sum::<u64>();
    assert_eq!(sum(|row| row.arrivals), totals.arrived);
    assert_eq!(sum(|row| row.completions), totals.completed);
    let served: u64 = record.only().replicas.iter().map(|life| life.completed).sum();
    assert!(served > totals.completed && served < totals.completed + 40, "only what was in the system at the start");
    let busy = record.only().replicas.iter().map(|life| life.busy).max().unwrap();
    assert!(busy <= spec.end.since(SimTime::ZERO), "{busy}");
}

#[test]
fn the_fleet_and_its_bill_begin_with_the_run() {
    let spec = steady(6, fixed(6));
    let fresh = run(&spec);
    let running = run(&preceded(spec, 18.0));
    assert_eq!(fresh.ledger.billed(), running.ledger.billed());
    assert_eq!(fresh.nodes.len(), running.nodes.len());
    assert!(running.only().replicas.iter().all(|life| life.created == SimTime::ZERO));
    assert_eq!(fresh.only().scaling.replica_ns, running.only().scaling.replica_ns);
}

#[test]
fn replicas_of_the_start_are_ready_from_the_first_nanosecond() {
    // Nothing happens before the first step of the timeline is over: no controller, no scrape.
    let mut spec = steady(2, fixed(2));
    spec.policies = vec![PolicySpec::of_one("none", Vec::new())];
    let record = run(&spec);
    let scaling = &record.only().scaling;
    assert_eq!(scaling.replica_ns, 2 * u128::from(spec.end.as_nanos()));
    assert_eq!((scaling.replicas_max, &scaling.ready_path[..]), (2, &[(SimTime::ZERO, 2)][..]));
}

#[test]
fn before_the_run_no_more_arrives_than_the_replicas_of_the_start_can_serve() {
    let mut spec = preceded(steady(1, fixed(1)), 18.0);
    let overrun = run(&spec);
    assert!(
        overrun.only().timeline[0].queue < 1_500,
        "what waits came in the run: {}",
        overrun.only().timeline[0].queue
    );
    spec.services[0].earlier.is_rate_stated = true;
    let record = run(&spec);
    assert!(record.only().timeline[0].queue > 8_000, "ten minutes of fourteen too many a second");
    assert!(record.all_remarks()[0].contains("requests wait that came before it"), "{:?}", record.all_remarks());
}

#[test]
fn a_policy_that_reads_metrics_needs_its_ranges_and_the_memory_of_its_controllers_before_it() {
    assert_eq!(needed(&steady(6, fixed(6))), None);
    let needed = needed(&steady(6, keda())).unwrap();
    assert_eq!(needed.memories, seconds(330));
    assert!(needed.ranges >= seconds(90) && needed.ranges <= seconds(180), "{}", needed.ranges);
    assert_eq!(needed.length().as_secs() % 60, 0);
}

/// Ranges that must be full for `query`, where each of `rules` stores an expression every minute, asked half a minute before.
fn ranges(query: &str, rules: &[(&str, &str)]) -> SimDuration {
    let rule = |(record, expression): &(&str, &str)| RuleConfig {
        record: (*record).to_owned(),
        expression: (*expression).to_owned(),
        ..RuleConfig::default()
    };
    let groups = rules.iter().map(|written| {
        let rules = vec![rule(written)];
        let group = GroupConfig { interval_ms: 60_000, query_offset_ms: 30_000, rules, ..GroupConfig::default() };
        RuleGroup::new(&group, 0).unwrap()
    });
    let mut spec = steady(6, asking(query));
    spec.metrics.rules = groups.collect();
    needed(&spec).unwrap().ranges
}

#[test]
fn what_recording_rules_look_back_on_is_behind_the_queries_that_read_them() {
    let direct = ranges("avg_over_time(http_requests_total[10m])", &[]);
    let rate = ("job:rate", "max_over_time(sum(rate(http_requests_total[4m] offset 1m))[20m:1m])");
    let behind_rule = seconds(60 + 30 + 20 * 60 + 4 * 60 + 60);
    assert_eq!(ranges("avg_over_time(job:rate[10m])", &[rate]), direct + behind_rule);
    let of_rule = ("job:rate:smooth", "avg_over_time(job:rate[15m])");
    let behind_both = seconds(60 + 30 + 15 * 60) + behind_rule;
    assert_eq!(ranges("avg_over_time(job:rate:smooth[10m])", &[of_rule, rate]), direct + behind_both);
    assert_eq!(ranges("avg_over_time(http_requests_total[10m])", &[rate, of_rule]), direct, "rules that nobody reads");
}

#[test]
fn rules_that_read_each_other_count_one_turn() {
    let direct = ranges("avg_over_time(http_requests_total[10m])", &[]);
    let itself = ("smooth", "0.9 * max_over_time(smooth[2m]) or sum(http_requests_total)");
    assert_eq!(ranges("avg_over_time(smooth[10m])", &[itself]), direct + seconds(60 + 30 + 120));
    let everything: Vec<(String, String)> =
        (0..40).map(|index| (format!("r{index}"), "sum(max_over_time({__name__=~\"r.+\"}[2m]))".to_owned())).collect();
    let everything: Vec<(&str, &str)> = everything.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert!(ranges("avg_over_time(r0[10m])", &everything) < direct + seconds(40 * 210 + 1));
}
