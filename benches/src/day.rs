//! The day every figure is about: 24 h at 500 requests a second on spot GPUs that batch.

use std::sync::Arc;

use cluster::spec::{
    BatchLatency, ColdStartSpec, ControllerManager, ControllerSpec, FleetSpec, InstanceOffering, InterruptionModel,
    MetricsSpec, NodeTimings, PodSpec, PolicySpec, PredictiveRole, PredictiveSpec, ServiceModel, ServicePolicy,
    ServiceSpec, SimulationSpec, SloSpec, WarmPoolSpec,
};
use policy::hpa::{HpaSpec, MetricSpec, MetricTarget};
use policy::keda::{ScaledObject, Trigger};
use promql::adapter::{GroupResource, NameRule, Resources, Rule, Rules};
use record::Purchase;
use units::{Bytes, Millicores, SimDuration, SimTime, UsdPerHour};
use workload::{DailyWave, Distribution, LoadShape, Traffic};

/// Requests per second that load one replica to 70 %: full batches of 8 take 60 ms.
const REPLICA_RPS: f64 = 93.0;
const BATCH_MAX: u64 = 8;

/// 43.2 M requests: a daily wave around 500 a second, batches of up to 8 within 5 ms that take 20 ms + 5 ms each, four-phase cold
/// starts, spot nodes that live two hours on average. Policies: `static`, `hpa`, `keda`,
/// `warm-pool`, `predictive`.
pub fn bench_day() -> SimulationSpec {
    bench_day_of(500.0, SimDuration::from_secs(86_400))
}

/// The same service at `rate` requests a second on average for `length`.
pub fn bench_day_of(rate: f64, length: SimDuration) -> SimulationSpec {
    let day = SimDuration::from_secs(86_400);
    let wave = DailyWave { height: rate, crest_at: SimDuration::from_secs(43_200) };
    let shape = LoadShape { base: rate / 2.0, wave: Some(wave), ..LoadShape::default() };
    let curve = shape.curve(SimDuration::from_secs(60), day, 0).repeated(length);
    let seconds = SimDuration::from_secs;
    SimulationSpec {
        name: "bench-day".into(),
        start_unix_seconds: 1_700_000_000,
        time_zone: "UTC".into(),
        end: SimTime::ZERO + length,
        warm_up: SimDuration::ZERO,
        timeline_step: seconds(60),
        services: vec![ServiceSpec {
            traffic: Traffic::Poisson { rate: Arc::new(curve) },
            slo: SloSpec { latency: Some(SimDuration::from_millis(100)), ttft: None, tpot: None, objective: 0.99 },
            targets: targets(),
            ..service(rate)
        }],
        prehistory: cluster::spec::PrehistorySpec::default(),
        fleet: fleet(),
        metrics: MetricsSpec {
            scrape_interval: seconds(15),
            lookback: seconds(300),
            dcgm_interval: seconds(30),
            adapter_relist: seconds(30),
            resource_resolution: seconds(15),
            adapter: Some(adapter()),
            ..MetricsSpec::default()
        },
        policies: policies(rate),
    }
}

fn targets() -> Vec<exporters::Target> {
    let facts = exporters::Facts::new("server", "default");
    exporters::targets_of(
        &[exporters::Exporter::Triton, exporters::Exporter::Dcgm, exporters::Exporter::Gateway],
        &facts,
    )
}

/// The service of the bench day, with replicas for `rate` requests a second.
pub(crate) fn service(rate: f64) -> ServiceSpec {
    let latency = |size: u64| SimDuration::from_millis(20 + 5 * size);
    let model = ServiceModel::DynamicBatching {
        batch_max: BATCH_MAX as u32,
        preferred: Vec::new(),
        queue_delay: SimDuration::from_millis(5),
        latency: BatchLatency { table: (1..=BATCH_MAX).map(latency).collect() },
    };
    ServiceSpec {
        replicas_initial: replicas_for(rate / 2.0) + 1,
        pod: PodSpec {
            probe_period: SimDuration::from_secs(5),
            endpoint_delay: SimDuration::from_secs(1),
            ..PodSpec::plain()
        },
        cold_start: ColdStartSpec::plain([about(15.0), about(20.0), about(10.0), about(5.0)]),
        ..ServiceSpec::plain("server", model)
    }
}

fn replicas_for(rate: f64) -> u32 {
    (rate / REPLICA_RPS).ceil() as u32
}

fn about(mean: f64) -> Distribution {
    Distribution::Uniform { low: 0.5 * mean, high: 1.5 * mean }
}

fn fleet() -> FleetSpec {
    let seconds = SimDuration::from_secs;
    let price = UsdPerHour::from_dollars(0.4);
    let spot = InstanceOffering {
        cpu: Millicores(4_000),
        memory: Bytes(16 << 30),
        ..InstanceOffering::plain("g6.xlarge", Purchase::Spot, 1, price)
    };
    let timings =
        NodeTimings { launch_failure: about(2.0), ..NodeTimings::plain([about(20.0), about(25.0), about(5.0)]) };
    let mut fleet = FleetSpec::plain(vec![spot], seconds(30), timings);
    fleet.spot.model = InterruptionModel::Constant { per_hour: 0.5 };
    // No notice: what is in flight is killed and goes back to the queue.
    (fleet.spot.notice, fleet.spot.notice_latency) = (SimDuration::ZERO, SimDuration::ZERO);
    fleet
}

fn adapter() -> Rules {
    let overrides = [("namespace", "namespace"), ("pod", "pods")];
    let resources = Resources {
        overrides: overrides.map(|(label, to)| (label.to_owned(), GroupResource::core(to))).into(),
        ..Resources::default()
    };
    let requests = Rule {
        series_query: "nv_inference_request_success{namespace!=\"\"}".into(),
        resources,
        name: NameRule { matches: String::new(), api_name: "requests_per_second".into() },
        metrics_query: "sum(rate(<<.Series>>{<<.LabelMatchers>>}[1m])) by (<<.GroupBy>>)".into(),
        ..Rule::default()
    };
    Rules { custom: vec![requests], external: Vec::new() }
}

fn policies(rate: f64) -> Vec<PolicySpec> {
    let peak = replicas_for(1.5 * rate);
    let hpa = || {
        let target = MetricTarget::AverageValue((REPLICA_RPS * 1_000.0) as i64);
        let metrics = vec![MetricSpec::Pods { name: "requests_per_second".into(), selector: Vec::new(), target }];
        let spec = HpaSpec { name: "server".into(), replicas_min: 1, replicas_max: 2 * peak, metrics, behavior: None };
        ControllerSpec::Hpa { spec, manager: ControllerManager::default() }
    };
    let predictive = ControllerSpec::Predictive(PredictiveSpec {
        interval: SimDuration::from_secs(300),
        lookahead: SimDuration::from_secs(300),
        days_ago: vec![7, 14],
        percentile: 95.0,
        window: SimDuration::from_secs(1_800),
        buffer: 1.1,
        replica_rps: REPLICA_RPS,
        replicas_min: 1,
        replicas_max: 2 * peak,
        role: PredictiveRole::Floor,
    });
    let named = |name: &str, controllers, warm_pool| PolicySpec {
        name: name.into(),
        has_pools_apart: false,
        services: vec![ServicePolicy { controllers, warm_pool, ..ServicePolicy::default() }],
    };
    let pool = WarmPoolSpec {
        size: 2,
        promote: SimDuration::from_secs(2),
        demote: true,
        on_demand: false,
        cover_notices: true,
    };
    let mut fixed = named("static", vec![ControllerSpec::Static { replicas: peak + 1 }], None);
    fixed.services[0].replicas_initial = Some(peak + 1);
    vec![
        fixed,
        named("hpa", vec![hpa()], None),
        named("keda", vec![keda(2 * peak)], None),
        named("warm-pool", vec![hpa()], Some(pool)),
        named("predictive", vec![predictive, hpa()], None),
    ]
}

fn keda(replicas_max: u32) -> ControllerSpec {
    let metadata = [
        ("serverAddress", "http://prometheus:9090".to_owned()),
        ("query", "sum(rate(nv_inference_request_success[1m]))".to_owned()),
        ("threshold", REPLICA_RPS.to_string()),
    ];
    let trigger = Trigger {
        kind: "prometheus".into(),
        metadata: metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        ..Trigger::default()
    };
    let scaled_object = ScaledObject {
        name: "server".into(),
        scale_target: "server".into(),
        replicas_min: Some(1),
        replicas_max: Some(replicas_max),
        triggers: vec![trigger],
        ..ScaledObject::default()
    };
    ControllerSpec::Keda { scaled_object, manager: ControllerManager::default() }
}
