//! Values by hand: one small cluster, scraped and asked.

mod cluster;
mod usage;

use std::sync::Arc;

use exporters::{
    Appears, Exporter, HistogramPart, HistogramSignal, Kind, Label, Scope, Series, Signal, Target, TargetLife,
    TargetOf, Value,
};
use policy::MetricQuery;
use promql::Query;
use record::Purchase;
use units::{Bytes, Millicores, NodeId, PodId, SimDuration, SimTime, UsdPerHour};
use workload::{Distribution, Trace, TraceChunk, Traffic};

use super::{Answer, Asker, MetricsEvent, Pipeline, ScalerStatus, ServiceView, World};
use crate::Keep;
use crate::fleet::{Fleet, FleetEvent, Notice, Out, PodRole};
use crate::flow::{self, Flow};
use crate::pods::{PodState, Pods, Role};
use crate::spec::{
    ContainerSpec, FleetSpec, InstanceOffering, KillRule, MetricsSpec, NodeTimings, Outage, OutageSpec, PodSpec,
    Routing, ServiceModel, ServiceSpec, SimulationSpec,
};

fn seconds(count: u64) -> SimDuration {
    SimDuration::from_secs(count)
}

fn at(second: u64) -> SimTime {
    SimTime::from_secs(second)
}

fn series(name: &str, signal: Signal) -> Series {
    Series {
        name: name.into(),
        kind: Kind::Gauge,
        labels: Vec::new(),
        value: Value::Signal { signal, scale: 1.0, floor: false },
        per: signal.scope(),
        appears: Appears::WithProcess,
    }
}

fn target(exporter: Exporter, of: TargetOf, series: Vec<Series>) -> Target {
    let labels: &[(&str, &str)] = match of {
        TargetOf::Pod => &[("job", "llm"), ("pod", "{pod}"), ("namespace", "ml")],
        TargetOf::Node => &[("job", "dcgm"), ("pod", "{exporter_pod}"), ("node", "{node}")],
        TargetOf::Gateway => &[("job", "gateway")],
        TargetOf::Cluster => &[("job", "ksm")],
    };
    Target {
        exporter,
        of,
        labels: labels.iter().map(|(name, value)| Label::new(*name, *value)).collect(),
        interval: seconds(10),
        delay: SimDuration::ZERO,
        honor_labels: false,
        metric_relabelings: Vec::new(),
        life: TargetLife::PodObject,
        series,
    }
}

/// Requests of 4 s, one at a time per replica, arriving at these seconds.
fn spec(arrivals: &[u64], targets: Vec<Target>) -> SimulationSpec {
    let mut columns = TraceChunk::default();
    arrivals.iter().for_each(|second| columns.push(second * 1_000_000_000));
    let offering = InstanceOffering {
        gpu_product: "NVIDIA-L4".into(),
        ..InstanceOffering::plain("g6", Purchase::OnDemand, 2, UsdPerHour::from_dollars(1.0))
    };
    let timings = NodeTimings::plain([1.0, 1.0, 1.0].map(Distribution::Constant));
    let fleet = FleetSpec::plain(vec![offering], seconds(10_000), timings);
    let cold_start = crate::spec::ColdStartSpec::plain([10.0, 0.0, 20.0, 0.0].map(Distribution::Constant));
    let container = |name: &str, cpu: u64| ContainerSpec {
        name: name.into(),
        cpu: Some(Millicores(cpu)),
        memory: Some(Bytes(1 << 30)),
        is_sidecar: false,
    };
    let pod = PodSpec { containers: vec![container("vllm", 4_000), container("proxy", 100)], ..PodSpec::plain() };
    SimulationSpec {
        name: "small".into(),
        start_unix_seconds: 1_700_000_000,
        time_zone: "Europe/Berlin".into(),
        end: at(3_600),
        warm_up: SimDuration::ZERO,
        timeline_step: seconds(60),
        services: vec![ServiceSpec {
            namespace: "ml".into(),
            routing: Routing::LeastRequests,
            kill_rule: KillRule::Fail,
            pod,
            traffic: Traffic::Replay { source: Arc::new(Trace::new(columns).unwrap()), copies: 1.0 },
            targets,
            cold_start,
            ..ServiceSpec::plain("llm", ServiceModel::Slots { concurrency: 1, service: Distribution::Constant(4.0) })
        }],
        prehistory: crate::spec::PrehistorySpec::default(),
        fleet,
        metrics: MetricsSpec::default(),
        policies: Vec::new(),
    }
}

/// A service that wants three replicas, two of which there are.
fn view<'a>(flow: &'a mut dyn Flow, pods: &'a Pods) -> ServiceView<'a> {
    ServiceView { flow, pods, desired: 3, scaler: Some(ScalerStatus { min: 1, max: 9, current: 2, desired: 3 }) }
}

/// A cluster whose pods the test makes, with a pipeline that scrapes it.
struct Stage {
    pipeline: Pipeline,
    flow: Box<dyn Flow>,
    pods: Pods,
    fleet: Fleet,
    out: Out,
    metrics: Vec<(SimTime, MetricsEvent)>,
    events: Vec<(SimTime, FleetEvent)>,
    now: SimTime,
}

impl Stage {
    /// A cluster without pods whose controllers ask `queries`.
    fn new(spec: &SimulationSpec, queries: &[MetricQuery]) -> Self {
        let mut stage = Self {
            pipeline: Pipeline::new(spec, &[queries.to_vec()], 1),
            flow: flow::build(flow::Served::new(spec, 0, 0, 1), Keep::default()),
            pods: Pods::of(0),
            fleet: Fleet::new(&spec.fleet, vec![spec.services[0].pod_class(1)], 1),
            out: Out::default(),
            metrics: Vec::new(),
            events: Vec::new(),
            now: SimTime::ZERO,
        };
        let watched = stage.pipeline.watched(0).clone();
        stage.flow.watch_latency(&watched);
        stage.flow.meter().watch(&watched);
        stage.fleet.start(&mut stage.out);
        stage.metrics = stage.pipeline.first_events();
        stage
    }

    fn asking(spec: &SimulationSpec, queries: &[&str]) -> Self {
        let asked: Vec<MetricQuery> =
            queries.iter().map(|text| MetricQuery::PromQl { expression: (*text).to_owned() }).collect();
        Self::new(spec, &asked)
    }

    /// A pod that is there from the start.
    fn ready_pod(&mut self) -> PodId {
        let pod = self.pods.create(Role::Active, self.now);
        self.fleet.create_ready_pod(pod, PodRole::Active, self.now, &mut self.out);
        self.pods.set_ready(pod, self.now);
        self.pods.set_state(pod, PodState::Ready);
        let slot = self.pods.take_slot(pod);
        self.flow.add(slot, pod, self.now);
        self.pass_on();
        pod
    }

    fn cold_pod(&mut self) -> PodId {
        let pod = self.pods.create(Role::Active, self.now);
        self.fleet.create_pod(pod, PodRole::Active, self.now, &mut self.out);
        self.pass_on();
        pod
    }

    fn end_pod(&mut self, pod: PodId) {
        if let Some(slot) = self.pods.release_slot(pod) {
            let (stats, _) = self.flow.remove(slot, self.now);
            self.pipeline.pod_left_flow(pod, stats, self.flow.latency(slot, self.now));
        }
        self.fleet.delete_pod(pod, "scale_in", self.now, &mut self.out);
        self.pods.set_gone(pod);
        self.pipeline.pod_is_gone(pod);
        self.pass_on();
    }

    fn pass_on(&mut self) {
        self.events.append(&mut self.out.schedule);
        for notice in std::mem::take(&mut self.out.notices) {
            match notice {
                Notice::Scheduled { pod, node } => {
                    self.pods.set_scheduled(pod, self.now);
                    self.pipeline.pod_is_scheduled(pod, node);
                }
                Notice::ContainerStarted { pod } => {
                    self.pods.set_started(pod, self.now);
                    self.pipeline.pod_has_started(pod, self.now);
                }
                Notice::Loaded { pod } => self.pipeline.pod_listens(pod, self.now),
                Notice::Ready { pod } => {
                    if self.pods.state(pod) == PodState::Starting {
                        self.pods.set_ready(pod, self.now);
                        self.pods.set_state(pod, PodState::Ready);
                        let slot = self.pods.take_slot(pod);
                        self.flow.add(slot, pod, self.now);
                    }
                    self.pipeline.pod_is_warm(pod, self.now);
                }
                Notice::NodeUp { node } => self.pipeline.node_is_up(node, &self.fleet, self.now),
                Notice::NodeGone { node, .. } => self.pipeline.node_is_gone(node),
                _ => {}
            }
        }
        self.metrics.extend(self.pipeline.take_pending());
    }

    fn run_to(&mut self, to: SimTime) {
        loop {
            let fleet = self.events.iter().map(|(time, _)| *time).min().filter(|time| *time <= to);
            let metrics = self.metrics.iter().map(|(time, _)| *time).min().filter(|time| *time <= to);
            let next = match (fleet, metrics) {
                (None, None) => break,
                (one, other) => one.unwrap_or(SimTime::MAX).min(other.unwrap_or(SimTime::MAX)),
            };
            self.now = next;
            let _ = self.flow.advance(next);
            if fleet == Some(next) {
                let place = self.events.iter().position(|(time, _)| *time == next).unwrap();
                let (_, event) = self.events.remove(place);
                self.fleet.handle(event, next, &mut self.out);
            } else {
                let place = self.metrics.iter().position(|(time, _)| *time == next).unwrap();
                let (_, event) = self.metrics.remove(place);
                self.handle(event);
            }
            self.pass_on();
        }
        self.now = to;
        let _ = self.flow.advance(to);
    }

    fn handle(&mut self, event: MetricsEvent) {
        let services = vec![view(&mut *self.flow, &self.pods)];
        let mut world = World { now: self.now, fleet: &self.fleet, services };
        self.pipeline.handle(event, &mut world);
    }

    /// What a controller of the service is answered.
    fn answer(&mut self, query: &MetricQuery) -> Answer {
        let view = view(&mut *self.flow, &self.pods);
        let mut asker = Asker { now: self.now, service: 0, view };
        self.pipeline.answer_all(std::slice::from_ref(query), &mut asker).0.remove(0)
    }

    /// Elements of an answer, by labels without those of the target.
    fn ask(&self, text: &str) -> Vec<(String, f64)> {
        let now_ms = (self.now.as_nanos() / 1_000_000) as i64;
        let found = Query::compile(text).unwrap().evaluate(&self.pipeline.storage, now_ms, self.pipeline.options);
        let promql::Value::Vector(elements) = found.unwrap().value else { panic!("{text} gives no vector") };
        elements.into_iter().map(|element| (element.labels.to_string(), element.value)).collect()
    }

    /// The only value of an answer.
    fn value(&self, text: &str) -> f64 {
        let found = self.ask(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        found[0].1
    }

    fn resource(&mut self, name: &str) -> Vec<(PodId, i64)> {
        let query = MetricQuery::Resource { name: name.into(), container: None };
        let answer = self.answer(&query).unwrap();
        let policy::MetricReading::Resource(pods) = answer else { panic!("not per pod") };
        pods.into_iter()
            .map(|usage| (usage.pod, usage.containers.iter().map(|container| container.usage_m).sum()))
            .collect()
    }
}

fn pod_target(series: Vec<Series>) -> Target {
    target(Exporter::Vllm, TargetOf::Pod, series)
}

#[test]
fn a_replica_shows_what_it_does_and_has_done() {
    let names = [
        ("waiting", Signal::Waiting),
        ("running", Signal::Running),
        ("requests", Signal::Requests),
        ("received", Signal::Received),
        ("completed", Signal::Completed),
        ("busy", Signal::BusySeconds),
        ("queued", Signal::QueueSeconds),
        ("served", Signal::ServiceSeconds),
        ("limit", Signal::BatchLimit),
        ("prefilling", Signal::Prefilling),
    ];
    let spec = spec(&[0, 0, 0, 0], vec![pod_target(names.map(|(name, signal)| series(name, signal)).into())]);
    let mut stage = Stage::asking(&spec, &[r#"{job="llm"}"#]);
    stage.ready_pod();
    // Scrapes lie somewhere in each 10 s: what was scraped last is from after 10 s, when two of four have been answered.
    stage.run_to(at(10));
    let scraped = stage.pipeline.storage.series_count();
    assert_eq!(scraped, names.len() + 1, "the series and `up`");
    let first = stage.metrics.iter().find(|(_, event)| matches!(event, MetricsEvent::Scrape(_))).unwrap().0;
    stage.run_to(first);
    let second = first.as_secs_f64();
    assert!((10.0..20.0).contains(&second), "{second}");
    let done = (second / 4.0).floor().min(4.0);
    assert_eq!(stage.value("completed"), done);
    assert_eq!(stage.value("running"), f64::from(u8::from(done < 4.0)));
    assert_eq!(stage.value("waiting"), (3.0 - done).max(0.0));
    assert_eq!(stage.value("requests"), 4.0 - done);
    assert_eq!(stage.value("received"), 4.0);
    assert!((stage.value("busy") - second.min(16.0)).abs() < 1e-6);
    assert_eq!(stage.value("queued"), (0..done as u64).map(|place| 4.0 * place as f64).sum::<f64>());
    assert_eq!(stage.value("served"), 4.0 * done);
    assert_eq!(stage.value("limit"), 1.0);
    assert_eq!(stage.value("up"), 1.0);
}

#[test]
fn series_nobody_can_reach_are_not_kept() {
    let spec = spec(
        &[0],
        vec![
            pod_target(vec![series("a", Signal::Waiting), series("b", Signal::Running)]),
            target(Exporter::Gateway, TargetOf::Gateway, vec![series("c", Signal::Arrivals)]),
        ],
    );
    let mut stage = Stage::asking(&spec, &[r#"sum(a{namespace="ml"}) + sum(b{namespace="other"})"#]);
    stage.ready_pod();
    stage.run_to(at(60));
    assert_eq!(stage.pipeline.storage.series_count(), 2, "`a` and the `up` beside it");
    let events: Vec<&MetricsEvent> = stage.metrics.iter().map(|(_, event)| event).collect();
    assert_eq!(events, [&MetricsEvent::Scrape(0)], "the gateway is not scraped");
}

#[test]
fn up_is_0_from_container_start_until_the_server_listens() {
    let spec = spec(&[], vec![pod_target(vec![series("waiting", Signal::Waiting)])]);
    let mut stage = Stage::asking(&spec, &["up", "waiting"]);
    stage.cold_pod();
    // Node 3 s, image 10 s, load 20 s.
    stage.run_to(at(12));
    assert_eq!(stage.ask("up"), [], "its containers have not started");
    stage.run_to(at(29));
    assert_eq!((stage.value("up"), stage.ask("waiting")), (0.0, vec![]));
    stage.run_to(at(45));
    assert_eq!((stage.value("up"), stage.value("waiting")), (1.0, 0.0));
}

#[test]
fn figures_that_come_late_are_seen_as_they_were() {
    let late = Target { delay: seconds(25), ..pod_target(vec![series("waiting", Signal::Waiting)]) };
    let mut stage = Stage::asking(&spec(&[100; 7], vec![late]), &["waiting"]);
    stage.ready_pod();
    stage.run_to(at(124));
    assert_eq!(stage.value("waiting"), 0.0);
    // Somebody waits from 100 to 124 s, and a scrape every 10 s sees it.
    stage.run_to(at(136));
    assert!(stage.value("waiting") > 0.0);
    stage.run_to(at(160));
    assert_eq!(stage.value("waiting"), 0.0);
}

#[test]
fn an_idle_flow_is_forgotten_after_five_minutes_and_comes_back() {
    let queue = Series { appears: Appears::WhileFlowing, ..series("queue", Signal::GatewayQueue) };
    let target = Target { of: TargetOf::Gateway, ..pod_target(vec![queue]) };
    let mut stage = Stage::asking(&spec(&[100, 900], vec![target]), &["queue"]);
    stage.ready_pod();
    stage.run_to(at(95));
    assert_eq!(stage.ask("queue"), []);
    stage.run_to(at(380));
    assert_eq!(stage.value("queue"), 0.0);
    stage.run_to(at(430));
    assert_eq!(stage.ask("queue"), []);
    stage.run_to(at(915));
    assert_eq!(stage.value("queue"), 0.0);
}

#[test]
fn a_series_of_ready_replicas_is_absent_without_one() {
    let ready = Series { appears: Appears::WhileReady, per: Scope::Gateway, ..series("backlog", Signal::QueueLength) };
    let target = Target { of: TargetOf::Gateway, ..pod_target(vec![ready]) };
    let mut stage = Stage::asking(&spec(&[], vec![target]), &["backlog"]);
    stage.run_to(at(20));
    assert_eq!(stage.ask("backlog"), []);
    stage.ready_pod();
    stage.run_to(at(120));
    assert_eq!(stage.value("backlog"), 0.0);
}

#[test]
fn a_series_of_its_first_event_is_born_with_its_first_value() {
    let first = |name: &str, kind, signal| Series { kind, appears: Appears::FirstEvent, ..series(name, signal) };
    let targets = vec![pod_target(vec![
        first("success", Kind::Counter, Signal::Completed),
        first("queue", Kind::Gauge, Signal::Waiting),
        first("e2e_count", Kind::Histogram, Signal::Histogram(HistogramSignal::EndToEnd, HistogramPart::Count)),
    ])];
    let mut stage = Stage::asking(&spec(&[100], targets), &[r#"{job="llm"}"#]);
    stage.ready_pod();
    stage.run_to(at(99));
    assert_eq!(stage.ask("success or queue or e2e_count"), []);
    stage.run_to(at(120));
    assert_eq!((stage.value("success"), stage.value("queue"), stage.value("e2e_count")), (1.0, 0.0, 1.0));
    stage.run_to(at(400));
    assert_eq!(stage.value("queue"), 0.0, "it stays");
}

#[test]
fn histograms_have_the_bounds_they_are_asked_for() {
    let bucket = |bound: f64| Series {
        labels: vec![Label::new("le", if bound.is_infinite() { "+Inf".to_owned() } else { bound.to_string() })],
        ..series("e2e_bucket", Signal::Histogram(HistogramSignal::EndToEnd, HistogramPart::Bucket(bound)))
    };
    let gateway = |part| series("latency_sum", Signal::Histogram(HistogramSignal::GatewayLatency, part));
    let targets = vec![
        pod_target([4.0, 8.0, 11.0, f64::INFINITY].map(bucket).into()),
        target(Exporter::Gateway, TargetOf::Gateway, vec![gateway(HistogramPart::Sum)]),
    ];
    let mut stage = Stage::asking(&spec(&[0, 0, 0], targets), &["e2e_bucket", "latency_sum"]);
    stage.ready_pod();
    stage.run_to(at(40));
    // 4, 8 and 12 s.
    let counts: Vec<f64> =
        ["4.0", "8.0", "11.0", "+Inf"].map(|bound| stage.value(&format!("e2e_bucket{{le=\"{bound}\"}}"))).into();
    assert_eq!(counts, [1.0, 2.0, 2.0, 3.0]);
    assert_eq!(stage.value("latency_sum"), 24.0);
}

#[test]
fn the_gateway_tells_what_it_holds_from_what_replicas_have() {
    let names = [
        ("held", Signal::GatewayQueue),
        ("queue", Signal::QueueLength),
        ("flight", Signal::InFlight),
        ("dispatched", Signal::Dispatched),
        ("all", Signal::Unfinished),
        ("scheduled", Signal::Scheduled),
        ("arrived", Signal::Arrivals),
        ("saturation", Signal::PoolSaturation),
        ("mean", Signal::PoolQueueMean),
        ("rate", Signal::ArrivalRate { window_s: 60.0 }),
    ];
    let gateway = target(Exporter::Epp, TargetOf::Gateway, names.map(|(name, signal)| series(name, signal)).into());
    let arrivals: Vec<u64> = vec![1; 50];
    let mut stage = Stage::asking(&spec(&arrivals, vec![gateway]), &[r#"{job="gateway"}"#]);
    stage.run_to(at(20));
    let shown = |stage: &Stage| names.map(|(name, _)| stage.value(name));
    assert_eq!(shown(&stage)[..8], [50.0, 50.0, 0.0, 0.0, 50.0, 0.0, 50.0, 1.0], "nobody is there");
    let pod = stage.ready_pod();
    stage.run_to(at(39));
    let [held, queue, flight, dispatched, all, scheduled, arrived, saturation, mean, rate] = shown(&stage);
    assert_eq!((held, flight, scheduled, arrived), (0.0, 1.0, 50.0, 50.0));
    assert_eq!((queue + flight, dispatched, all), (all, all, all));
    assert_eq!(saturation, queue / 5.0);
    assert!((0.0..=2.0).contains(&(mean - queue)), "{mean} is up to 5 s old, {queue} is now");
    assert!((rate - 50.0 / 35.0).abs() < 0.4, "{rate}");
    stage.end_pod(pod);
    stage.run_to(at(70));
    assert_eq!((stage.value("saturation"), stage.value("scheduled")), (1.0, 50.0));
    assert!(stage.value("mean") > 30.0, "the last mean is kept");
}

#[test]
fn a_series_of_the_scenarios_own_is_made_of_others() {
    let expression =
        Series { value: Value::Expression("sum(waiting) * 2".into()), ..series("pressure", Signal::Arrivals) };
    let targets = vec![
        pod_target(vec![series("waiting", Signal::Waiting)]),
        target(Exporter::User, TargetOf::Gateway, vec![expression]),
    ];
    let arrivals: Vec<u64> = vec![0; 100];
    let mut stage = Stage::asking(&spec(&arrivals, targets), &["pressure"]);
    stage.ready_pod();
    stage.run_to(at(40));
    let pressure = stage.value("pressure");
    assert!(pressure >= 2.0 * (99.0 - 10.0) && pressure % 2.0 == 0.0, "{pressure}");
}

#[test]
fn an_endpoints_target_ends_with_the_deletion_and_a_pods_with_its_end() {
    let named = |name: &str| vec![series(name, Signal::Running)];
    let mut of_endpoints = Target { life: TargetLife::Endpoints, ..pod_target(named("a")) };
    of_endpoints.labels.push(Label::new("endpoint", "http"));
    let mut stage = Stage::asking(&spec(&[0], vec![of_endpoints, pod_target(named("b"))]), &["a", "b"]);
    let pod = stage.ready_pod();
    stage.run_to(at(30));
    assert_eq!((stage.ask("a").len(), stage.ask("b").len()), (1, 1));
    stage.pipeline.pod_is_deleted(pod);
    stage.run_to(at(60));
    assert_eq!((stage.ask("a").len(), stage.ask("b").len()), (0, 1));
    stage.end_pod(pod);
    stage.run_to(at(90));
    assert_eq!(stage.ask("b"), []);
}

#[test]
fn two_targets_with_the_same_labels_show_what_both_have() {
    let mut stage = Stage::asking(
        &spec(
            &[0],
            vec![
                pod_target(vec![series("a", Signal::Received), series("b", Signal::Received)]),
                pod_target(vec![series("b", Signal::Waiting), series("c", Signal::Received)]),
            ],
        ),
        &["a", "b", "c", "up"],
    );
    stage.ready_pod();
    stage.run_to(at(30));
    assert_eq!(["a", "b", "c", "up"].map(|name| stage.value(name)), [1.0; 4]);
}

#[test]
fn metrics_tell_local_time() {
    let clock = target(
        Exporter::User,
        TargetOf::Cluster,
        vec![series("second", Signal::TimeOfDay), series("day", Signal::DayOfWeek)],
    );
    let mut stage = Stage::asking(&spec(&[], vec![clock]), &["second", "day"]);
    stage.run_to(at(10));
    // 2023-11-14 22:13:20 UTC, a Tuesday, is 23:13:20 in Berlin.
    let second = stage.value("second");
    assert!((0.0..10.0).contains(&(second - 83_600.0)), "{second}");
    assert_eq!(stage.value("day"), 2.0);
}
