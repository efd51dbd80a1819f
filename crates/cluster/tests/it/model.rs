//! Whole runs: the fast flow against the event flow, and against themselves in another build.

use std::sync::Arc;

use cluster::spec::{
    ColdStartSpec, ControllerManager, ControllerSpec, FleetSpec, GroupRestart, InstanceOffering, InterruptionModel,
    KillRule, MetricsSpec, NoReplicaRule, NodeTimings, Patience, PolicySpec, PrehistorySpec, ReplicaOrder, RetryDemand,
    RetrySpec, Routing, ServicePolicy, ServiceSpec, SimulationSpec, SloSpec, WarmPoolSpec,
};
use cluster::{Keep, RequestSink, simulate, simulate_by_events, simulate_to};
use policy::hpa::{HpaSpec, MetricSpec, MetricTarget};
use promql::adapter::{GroupResource, NameRule, Resources, Rule, Rules};
use proptest::prelude::*;
use record::{Purchase, RequestRow, RunRecord};
use units::{Bytes, Millicores, SimDuration, SimTime, UsdPerHour};
use workload::{Distribution, RateCurve, Trace, TraceChunk, Traffic};

use crate::support::{batching, millis, service, slots};

pub const EVERYTHING: Keep = Keep { tables: true, requests: true };

pub fn seconds(count: u64) -> SimDuration {
    SimDuration::from_secs(count)
}

pub fn about(mean: f64) -> Distribution {
    Distribution::Uniform { low: 0.5 * mean, high: 1.5 * mean }
}

/// Spot nodes with one GPU each that live for minutes only.
pub fn fleet(interruptions_per_hour: f64, notice: SimDuration) -> FleetSpec {
    let price = UsdPerHour::from_dollars(0.4);
    let spot = InstanceOffering {
        cpu: Millicores(4_000),
        memory: Bytes(16 << 30),
        insufficient_capacity: 0.1,
        ..InstanceOffering::plain("g6.xlarge", Purchase::Spot, 1, price)
    };
    let timings =
        NodeTimings { launch_failure: about(2.0), ..NodeTimings::plain([about(10.0), about(10.0), about(5.0)]) };
    let mut fleet = FleetSpec::plain(vec![spot], seconds(60), timings);
    fleet.spot.model = InterruptionModel::Constant { per_hour: interruptions_per_hour };
    (fleet.spot.notice, fleet.spot.notice_latency, fleet.spot.away) = (notice, seconds(1), seconds(10));
    fleet
}

/// Rates of the gateway's and the replicas' counters as custom metrics.
fn adapter() -> Rules {
    let overrides = [("namespace", "namespace"), ("pod", "pods")];
    let resources = Resources {
        overrides: overrides.map(|(label, to)| (label.to_owned(), GroupResource::core(to))).into(),
        ..Resources::default()
    };
    let rate = |series: &str, name: &str| Rule {
        series_query: format!("{series}{{namespace!=\"\"}}"),
        resources: resources.clone(),
        name: NameRule { matches: String::new(), api_name: name.into() },
        metrics_query: "sum(rate(<<.Series>>{<<.LabelMatchers>>}[1m])) by (<<.GroupBy>>)".into(),
        ..Rule::default()
    };
    Rules {
        custom: vec![rate("nv_inference_queue_duration_us", "queue_us_per_second")],
        external: vec![rate("http_requests_total", "requests_per_second")],
    }
}

fn hpa(requests_per_replica: i64) -> ControllerSpec {
    let queue = MetricSpec::Pods {
        name: "queue_us_per_second".into(),
        selector: Vec::new(),
        target: MetricTarget::AverageValue(2_000_000_000),
    };
    let requests = MetricSpec::External {
        name: "requests_per_second".into(),
        selector: Vec::new(),
        target: MetricTarget::AverageValue(requests_per_replica * 1_000),
    };
    let spec = HpaSpec {
        name: "server".into(),
        replicas_min: 1,
        replicas_max: 9,
        metrics: vec![queue, requests],
        behavior: None,
    };
    ControllerSpec::Hpa { spec, manager: ControllerManager::default() }
}

fn policies() -> Vec<PolicySpec> {
    let named = |name: &str, controller, warm_pool| PolicySpec {
        name: name.into(),
        services: vec![ServicePolicy { controllers: vec![controller], warm_pool, ..ServicePolicy::default() }],
        has_pools_apart: false,
    };
    let pool = WarmPoolSpec { size: 1, promote: seconds(2), demote: true, on_demand: false, cover_notices: true };
    vec![
        named("static", ControllerSpec::Static { replicas: 3 }, None),
        named("hpa", hpa(60), None),
        named("warm-pool", hpa(60), Some(pool)),
    ]
}

/// Waves of requests for `length`.
pub fn scenario(service: ServiceSpec, rate: f64, length: SimDuration, fleet: FleetSpec) -> SimulationSpec {
    let curve =
        RateCurve::from_fn(seconds(10), length, |at| (rate * (0.9 - libm::cos(at.as_secs_f64() / 47.0))).max(0.0));
    let facts = exporters::Facts::new(&service.name, &service.namespace);
    let targets = exporters::targets_of(&[exporters::Exporter::Triton, exporters::Exporter::Gateway], &facts);
    let cold_start = ColdStartSpec::plain([about(5.0), about(8.0), about(5.0), about(2.0)]);
    SimulationSpec {
        name: "random".into(),
        start_unix_seconds: 1_700_000_000,
        time_zone: "UTC".into(),
        end: SimTime::ZERO + length,
        warm_up: seconds(30),
        timeline_step: seconds(20),
        services: vec![ServiceSpec {
            traffic: Traffic::Poisson { rate: Arc::new(curve) },
            slo: SloSpec { latency: Some(millis(150)), ttft: None, tpot: None, end_to_end: None, objective: 0.99 },
            targets,
            cold_start,
            ..service
        }],
        prehistory: PrehistorySpec::default(),
        fleet,
        metrics: MetricsSpec {
            scrape_interval: seconds(15),
            lookback: seconds(300),
            dcgm_interval: seconds(30),
            adapter_relist: seconds(30),
            resource_resolution: seconds(15),
            adapter: Some(adapter()),
            ..MetricsSpec::default()
        },
        policies: policies(),
    }
}

fn any_service() -> impl Strategy<Value = ServiceSpec> {
    let model = prop_oneof![
        (1u32..=16, 0u64..8).prop_map(|(size, delay)| batching(size, millis(delay), millis(20), millis(5))),
        (1u32..4).prop_map(|concurrency| slots(concurrency, Distribution::Exponential { mean: 0.015 })),
    ];
    let routing = prop_oneof![
        4 => Just(Routing::CentralQueue),
        1 => Just(Routing::RoundRobin),
        1 => Just(Routing::Random),
        1 => Just(Routing::LeastRequests),
        1 => Just(Routing::PowerOfTwo),
    ];
    let rules = (prop::option::of(200u64..2_000), prop::option::of(20u32..200), any::<bool>(), any::<bool>());
    (model, routing, 0u32..4, rules).prop_map(|(model, routing, replicas, (timeout, limit, reject, requeue))| {
        ServiceSpec {
            routing,
            client_timeout: timeout.map(|limit| Patience::Fixed(millis(limit))),
            queue_limit: limit,
            no_replica: if reject { NoReplicaRule::Reject } else { NoReplicaRule::Hold },
            kill_rule: if requeue { KillRule::Requeue } else { KillRule::Fail },
            replicas_initial: replicas,
            ..service(model)
        }
    })
}

pub fn any_scenario() -> impl Strategy<Value = SimulationSpec> {
    let nodes = (prop_oneof![Just(0.0), Just(30.0)], prop_oneof![Just(seconds(0)), Just(seconds(8))], 0u64..2);
    (any_service(), 20.0..250.0, 120u64..420, nodes).prop_map(|(mut service, rate, length, (hazard, notice, grace))| {
        service.pod.grace = seconds(grace);
        service.pod.endpoint_delay = seconds(grace);
        // With a hook that is long enough, too short, and none.
        service.pod.drain_delay = (length % 3 > 0).then_some(millis(400));
        service.pod.pre_stop = millis([0, 700, 200][length as usize % 3]);
        // A replica may be a group of pods, of any kind.
        let (size, kind) = (1 + length as u32 % 5, length as usize % 7);
        service.pod.group = (size > 1).then(|| crate::groups::group(size.min(3)));
        if let Some(group) = &mut service.pod.group {
            group.leader_ready_first = kind < 2;
            group.restart = [GroupRestart::Group, GroupRestart::GroupAfterStart, GroupRestart::Pod][kind % 3];
            group.worker_pre_stop = millis(300 * (length % 2));
        }
        if kind > 3 {
            service.order = ReplicaOrder::HighestFirst;
        }
        let mut spec = scenario(service, rate, seconds(length), fleet(hazard, notice));
        if length % 2 == 0 {
            crate::prehistory::precede(&mut spec, rate * 0.7);
        }
        spec
    })
}

/// Everything a run leaves behind, as text: NaN equals NaN there.
fn text(record: &RunRecord) -> String {
    format!("{record:#?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_run_leaves_the_same_record_in_the_fast_flow_and_in_the_event_flow(
        spec in any_scenario(), policy in 0usize..3, seed in any::<u64>(), with_rows in any::<bool>()
    ) {
        let keep = Keep { requests: with_rows, ..EVERYTHING };
        let (fast, event) = (simulate(&spec, policy, 0, seed, keep), simulate_by_events(&spec, policy, seed, keep));
        prop_assert_eq!(fast.digest, event.digest);
        prop_assert_eq!(&fast.only().totals, &event.only().totals);
        prop_assert_eq!(&fast.ledger, &event.ledger);
        let (fast, event) = (text(&fast), text(&event));
        let differing = fast.lines().zip(event.lines()).enumerate().find(|(_, (one, other))| one != other);
        prop_assert!(fast == event, "first difference: {:?}", differing);
    }
}

/// Spot kills, timeouts, a queue limit and an HPA, all of which happen.
fn eventful() -> SimulationSpec {
    let service = ServiceSpec {
        client_timeout: Some(Patience::Fixed(millis(800))),
        queue_limit: Some(120),
        ..service(batching(8, millis(5), millis(20), millis(5)))
    };
    scenario(service, 200.0, seconds(1_200), fleet(20.0, SimDuration::ZERO))
}

#[test]
fn the_digest_of_a_run_is_the_same_in_every_build() {
    let record = simulate(&eventful(), 1, 0, 5, Keep::default());
    let totals = record.only().requests;
    assert!(totals.timed_out > 0 && totals.rejected > 0, "{totals:?}");
    assert!(record.spot_interruptions > 0 && record.only().scaling.scale_ups > 0, "{:?}", record.only().scaling);
    // Changes whenever the model does; what matters is that a debug build gives the same.
    assert_eq!(format!("{:016x}", record.digest), "c9b9bb04b03ba5b6");
}

#[test]
fn seeds_make_different_histories_and_repeat_their_own() {
    let spec = eventful();
    let digest = |seed| simulate(&spec, 1, 0, seed, Keep::default()).digest;
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1), digest(2));
}

#[test]
fn the_timeline_covers_the_run_though_its_steps_do_not_divide_it() {
    for step in [20, 70, 7_000] {
        let spec = SimulationSpec { timeline_step: seconds(step), warm_up: SimDuration::ZERO, ..eventful() };
        let record = simulate(&spec, 1, 0, 5, EVERYTHING);
        let timeline = record.timeline();
        let arrivals: u64 = timeline.iter().map(|row| row.arrivals).sum();
        assert_eq!(arrivals, record.only().requests.arrived, "step {step}");
        let last = timeline.last().expect("a step");
        assert_eq!(last.start + last.step, spec.end, "step {step}");
        assert!(timeline.windows(2).all(|rows| rows[0].start + rows[0].step == rows[1].start));
    }
}

#[test]
fn the_warm_up_is_not_billed_in_the_timeline_either() {
    let record = simulate(&eventful(), 1, 0, 5, EVERYTHING);
    let timeline = record.timeline();
    let (before, after): (Vec<_>, Vec<_>) =
        timeline.iter().partition(|row| row.start + row.step <= SimTime::ZERO + seconds(30));
    assert!(!before.is_empty() && before.iter().all(|row| row.cost_so_far == units::Usd::ZERO));
    let last = after.last().expect("steps after it").cost_so_far;
    assert!(last > units::Usd::ZERO && last <= record.ledger.total());
}

/// Rows as a run hands them over.
#[derive(Clone, Default)]
struct Collected(Arc<std::sync::Mutex<(Vec<RequestRow>, bool)>>);

impl RequestSink for Collected {
    fn take(&mut self, rows: &[RequestRow]) {
        self.0.lock().unwrap().0.extend_from_slice(rows);
    }

    fn close(&mut self) {
        self.0.lock().unwrap().1 = true;
    }
}

/// Rows handed over, in their order, against those a record keeps and sorts at its end.
fn rows_are_equal(spec: &SimulationSpec, policy: usize, seed: u64) -> bool {
    let kept = simulate(spec, policy, 0, seed, EVERYTHING);
    let collected = Collected::default();
    let tables_only = Keep { requests: false, ..EVERYTHING };
    let handed = simulate_to(spec, (policy, 0), seed, tables_only, vec![Box::new(collected.clone())]);
    let (rows, is_closed) = std::mem::take(&mut *collected.0.lock().unwrap());
    assert!(is_closed && handed.only().request_rows.is_empty() && handed.digest == kept.digest);
    rows == kept.only().request_rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]

    #[test]
    fn rows_are_handed_over_in_the_order_in_which_a_record_keeps_them(
        spec in any_scenario(), policy in 0usize..3, seed in any::<u64>()
    ) {
        prop_assert!(rows_are_equal(&spec, policy, seed));
    }
}

#[test]
fn rows_keep_their_order_with_retries_and_requests_that_arrive_together() {
    let mut spec = eventful();
    spec.services[0].retries = Some(RetrySpec {
        attempts_max: 3,
        backoff: millis(200),
        backoff_max: seconds(2),
        jitter: 0.5,
        demand: RetryDemand::Same,
    });
    let mut columns = TraceChunk::default();
    (0..60_000u64).for_each(|request| columns.push(request / 4 * 20_000_000));
    spec.services[0].traffic = Traffic::Replay { source: Arc::new(Trace::new(columns).unwrap()), copies: 1.0 };
    assert!(rows_are_equal(&spec, 1, 3));
}

#[test]
fn what_is_kept_of_a_run_does_not_change_it() {
    let spec = eventful();
    assert_eq!(simulate(&spec, 1, 0, 1, EVERYTHING).digest, simulate(&spec, 1, 0, 1, Keep::default()).digest);
}
