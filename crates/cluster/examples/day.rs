#[path = "../tests/fleet/support.rs"]
mod support;
use cluster::Keep;
use cluster::spec::*;
use policy::hpa::*;
use policy::keda::*;
use promql::adapter as pa;
use std::sync::Arc;
use support::*;
use units::*;
use workload::*;

fn rule(series: &str, matches: &str, name: &str, query: &str) -> pa::Rule {
    let overrides =
        [("namespace", "namespace"), ("pod", "pod")].map(|(l, r)| (l.to_owned(), pa::GroupResource::core(r))).into();
    pa::Rule {
        series_query: series.into(),
        series_filters: vec![],
        resources: pa::Resources { template: None, overrides, namespaced: None },
        name: pa::NameRule { matches: matches.into(), api_name: name.into() },
        metrics_query: query.into(),
    }
}

fn main() {
    let hours: u64 = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(24);
    let rate = |scale: f64| {
        LoadShape {
            base: 150.0 * scale,
            wave: Some(DailyWave { height: 1700.0 * scale, crest_at: secs(14 * 3600) }),
            office: None,
            weekday_factors: [1.0; 7],
            flashes: vec![FlashCrowd {
                start: at(16 * 3600),
                rise: secs(60),
                hold: secs(900),
                fall: secs(300),
                height: 1500.0 * scale,
            }],
            noise: None,
            start_in_week: SimDuration::ZERO,
        }
        .curve(secs(60), secs(86_400), 1)
    };
    let curve = Arc::new(rate(1.0));
    let past: Vec<Option<f64>> =
        (0..14 * 1440).map(|m| Some(curve.rate_at(SimTime::from_secs((m % 1440) * 60)))).collect();
    let mut pod = pod();
    pod.endpoint_delay = secs(1);
    pod.probe_period = secs(10);
    pod.containers[0].name = "triton".into();
    let behavior = Behavior {
        scale_up: Some(Rules {
            policies: Some(vec![ScalingPolicyRule { kind: PolicyKind::Pods, value: 4, period: secs(120) }]),
            stabilization_window: Some(secs(60)),
            ..Rules::default()
        }),
        scale_down: Some(Rules {
            policies: Some(vec![ScalingPolicyRule { kind: PolicyKind::Pods, value: 1, period: secs(300) }]),
            stabilization_window: Some(secs(300)),
            ..Rules::default()
        }),
    };
    let pods = |name: &str, target| MetricSpec::Pods {
        name: name.into(),
        selector: vec![],
        target: MetricTarget::AverageValue(target),
    };
    let hpa = HpaSpec {
        name: "triton-hpa".into(),
        replicas_min: 2,
        replicas_max: 20,
        metrics: vec![pods("triton_queue_depth", 10_000), pods("gpu_utilization_percent", 75_000)],
        behavior: Some(behavior),
    };
    let trigger = |name: &str, query: &str, threshold: &str| Trigger {
        name: Some(name.into()),
        kind: "prometheus".into(),
        metadata: [("serverAddress", "http://p"), ("query", query), ("threshold", threshold)]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .into(),
        ..Trigger::default()
    };
    let so = ScaledObject {
        name: "so".into(),
        polling_interval: Some(secs(15)),
        cooldown_period: Some(secs(600)),
        replicas_min: Some(0),
        replicas_max: Some(10),
        triggers: vec![
            trigger("pending", "sum(nv_inference_pending_request_count{namespace=\"ml\"})", "1"),
            trigger("rate", "sum(rate(http_requests_total{namespace=\"ml\"}[2m])) * 120", "60000"),
        ],
        ..ScaledObject::default()
    };
    let hpa_controller = ControllerSpec::Hpa { spec: hpa, sync_period: secs(15) };
    let alt = |name: &str, controllers, warm_pool, initial| PolicySpec {
        name: name.into(),
        controllers,
        warm_pool,
        replicas_initial: initial,
    };
    let predictive = ControllerSpec::Predictive(PredictiveSpec {
        interval: secs(300),
        lookahead: secs(900),
        days_ago: vec![7, 14],
        percentile: 90.0,
        window: secs(1800),
        buffer: 1.2,
        replica_rps: 500.0,
        replicas_min: 2,
        replicas_max: 20,
        direct: false,
    });
    let spec = SimulationSpec {
        name: "day".into(),
        start_unix_seconds: 1_790_000_000,
        time_zone: "UTC".into(),
        end: at(hours * 3600),
        warm_up: SimDuration::ZERO,
        timeline_step: secs(60),
        service: ServiceSpec {
            name: "triton".into(),
            namespace: "ml".into(),
            model: ServiceModel::DynamicBatching {
                batch_max: 8,
                preferred: vec![],
                queue_delay: SimDuration::from_millis(5),
                latency: BatchLatency {
                    table: (1..=8).map(|n| SimDuration::from_nanos(3_000_000 + n * 1_300_000)).collect(),
                },
            },
            routing: Routing::CentralQueue,
            no_replica: NoReplicaRule::Hold,
            queue_limit: None,
            client_timeout: Some(secs(30)),
            retries: None,
            kill_rule: KillRule::Fail,
            replicas_initial: 2,
            pod,
        },
        traffic: Traffic::Poisson { rate: curve.clone() },
        history: Arc::new(RateLog::with_past(past)),
        slo: SloSpec { latency: Some(SimDuration::from_millis(200)), ttft: None, tpot: None, objective: 0.99 },
        fleet: fleet(vec![offering("g5.xlarge", record::Purchase::OnDemand, 1, 1.01)]),
        metrics: MetricsSpec {
            scrape_interval: secs(15),
            lookback: secs(300),
            dcgm_interval: secs(30),
            adapter_relist: secs(60),
            resource_resolution: secs(15),
            exporters: vec![Exporter::Triton, Exporter::Dcgm, Exporter::Gateway],
            adapter: Some(pa::Rules {
                custom: vec![
                    rule(
                        "nv_inference_queue_duration_us{namespace=\"ml\"}",
                        "nv_inference_queue_duration_us",
                        "triton_queue_depth",
                        "sum(rate(nv_inference_request_success{<<.LabelMatchers>>}[2m])) by (pod) / on(pod) sum(rate(nv_inference_exec_count{<<.LabelMatchers>>}[2m])) by (pod)",
                    ),
                    rule(
                        "DCGM_FI_DEV_GPU_UTIL{namespace=\"ml\"}",
                        "DCGM_FI_DEV_GPU_UTIL",
                        "gpu_utilization_percent",
                        "avg_over_time(DCGM_FI_DEV_GPU_UTIL{<<.LabelMatchers>>}[2m])",
                    ),
                ],
                external: vec![],
            }),
        },
        policies: vec![
            alt("static", vec![ControllerSpec::Static { replicas: 8 }], None, Some(8)),
            alt("hpa", vec![hpa_controller.clone()], None, None),
            alt("keda", vec![ControllerSpec::Keda { scaled_object: so, sync_period: secs(15) }], None, None),
            alt(
                "warm-pool",
                vec![hpa_controller.clone()],
                Some(WarmPoolSpec { size: 2, promote: secs(2), demote: true, on_demand: true }),
                None,
            ),
            alt("predictive", vec![predictive, hpa_controller], None, None),
        ],
    };
    for index in 0..spec.policies.len() {
        let t = std::time::Instant::now();
        let r = cluster::simulate(&spec, index, 0, 42, Keep { tables: true, requests: false });
        let q = |p| r.service.latency.quantile(p).unwrap_or(0) as f64 / 1e6;
        println!(
            "{:10} {:?} slo {:.4} p50 {:.1} p99 {:.1} max {:.0} cost {} ready-h {:.1} max {} cold {} up {} down {} decisions {} [{:.2}s] {:x}",
            r.policy,
            r.requests,
            r.service.slo_met as f64 / r.service.slo_total as f64,
            q(0.5),
            q(0.99),
            r.service.latency_ns_max as f64 / 1e6,
            r.ledger.total(),
            r.scaling.replica_ns as f64 / 3.6e12,
            r.scaling.replicas_max,
            r.scaling.cold_start_ns.len(),
            r.scaling.scale_ups,
            r.scaling.scale_downs,
            r.decisions.len(),
            t.elapsed().as_secs_f64(),
            r.digest
        );
        if let Some(d) = r.decisions.get(r.decisions.len() / 2) {
            println!("    {d:?}");
        }
    }
}
