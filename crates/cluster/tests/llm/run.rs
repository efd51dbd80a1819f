//! Whole runs: what controllers see of language-model replicas.

use cluster::spec::{
    ColdStartSpec, ControllerManager, ControllerSpec, FleetSpec, InstanceOffering, MetricsSpec, NodeTimings,
    PolicySpec, PrehistorySpec, ServiceModel, ServiceSpec, SimulationSpec, SloSpec,
};
use cluster::{Keep, simulate};
use policy::hpa::{HpaSpec, MetricSpec, MetricTarget};
use promql::adapter::{GroupResource, NameRule, Resources, Rule, Rules};
use record::{Purchase, RunRecord};
use std::sync::Arc;
use units::{Bytes, Millicores, SimDuration, SimTime, UsdPerHour};

use workload::{Distribution, LoadTest, SessionLaw, Stage, StageLength, StageLoad, Traffic};

use crate::support::{SEED, model, poisson, service, trace};

fn seconds(count: u64) -> SimDuration {
    SimDuration::from_secs(count)
}

/// One on-demand GPU per node, no limit; a cold start of 10 + 10 + 5 + 40 s.
fn fleet() -> FleetSpec {
    let price = UsdPerHour::from_dollars(4.0);
    let offering = InstanceOffering {
        cpu: Millicores(16_000),
        memory: Bytes(256 << 30),
        ..InstanceOffering::plain("p5.4xlarge", Purchase::OnDemand, 1, price)
    };
    let timings = NodeTimings::plain([10.0, 10.0, 5.0].map(Distribution::Constant));
    FleetSpec::plain(vec![offering], seconds(60), timings)
}

/// An external metric made of `series` by the query `text`.
fn rule(name: &str, series: &str, text: &str) -> Rule {
    Rule {
        series_query: format!("{series}{{namespace!=\"\"}}"),
        resources: Resources {
            overrides: [("namespace".to_owned(), GroupResource::core("namespace"))].into(),
            ..Resources::default()
        },
        name: NameRule { matches: String::new(), api_name: name.into() },
        metrics_query: text.into(),
        ..Rule::default()
    }
}

/// An HPA that wants `target` (thousandths) of each metric per replica.
fn hpa(metrics: &[(&str, i64)], (replicas_min, replicas_max): (u32, u32)) -> ControllerSpec {
    let external = |&(name, target): &(&str, i64)| MetricSpec::External {
        name: name.into(),
        selector: Vec::new(),
        target: MetricTarget::AverageValue(target),
    };
    let metrics = metrics.iter().map(external).collect();
    let spec = HpaSpec { name: "llm".into(), replicas_min, replicas_max, metrics, behavior: None };
    ControllerSpec::Hpa { spec, manager: ControllerManager::default() }
}

fn run(service: ServiceSpec, rate: f64, external: Vec<Rule>, controller: ControllerSpec) -> RunRecord {
    let length = seconds(1_800);
    let is_given = service.traffic.follows_answers();
    let policy = PolicySpec::of_one("hpa", vec![controller]);
    let facts = exporters::Facts::new(&service.name, &service.namespace);
    let targets = exporters::targets_of(&[exporters::Exporter::Vllm, exporters::Exporter::Gateway], &facts);
    let cold_start = ColdStartSpec::plain([10.0; 4].map(Distribution::Constant));
    let spec = SimulationSpec {
        name: "llm".into(),
        start_unix_seconds: 1_700_000_000,
        time_zone: "UTC".into(),
        end: SimTime::ZERO + length,
        warm_up: seconds(0),
        timeline_step: seconds(20),
        services: vec![ServiceSpec {
            traffic: if is_given { service.traffic.clone() } else { poisson(rate, length) },
            slo: SloSpec { latency: None, ttft: Some(seconds(1)), tpot: None, end_to_end: None, objective: 0.99 },
            targets,
            cold_start,
            ..service
        }],
        prehistory: PrehistorySpec::default(),
        fleet: fleet(),
        metrics: MetricsSpec {
            scrape_interval: seconds(15),
            lookback: seconds(300),
            dcgm_interval: seconds(30),
            adapter_relist: seconds(30),
            resource_resolution: seconds(15),
            adapter: Some(Rules { custom: Vec::new(), external }),
            ..MetricsSpec::default()
        },
        policies: vec![policy],
    };
    simulate(&spec, 0, 0, SEED, Keep { tables: true, requests: false })
}

/// The values per replica of metric number `index` the controller saw in the second half of the run.
fn seen(record: &RunRecord, index: usize) -> Vec<f64> {
    let late = record.only().decisions.iter().filter(|row| row.time > SimTime::from_secs(900));
    late.filter_map(|row| row.metrics[index].value).collect()
}

#[test]
fn queries_read_what_the_requests_went_through() {
    let quantile = "1000 * histogram_quantile(0.9, sum(rate(<<.Series>>{<<.LabelMatchers>>}[10m])) by (le))";
    let mean = |family: &str| {
        format!("1000 * sum(rate(vllm:{family}_seconds_sum[10m])) / sum(rate(vllm:{family}_seconds_count[10m]))")
    };
    let rules = vec![
        rule("first_token", "vllm:time_to_first_token_seconds_bucket", quantile),
        rule("end_to_end", "vllm:e2e_request_latency_seconds_sum", &mean("e2e_request_latency")),
        rule("inter_token", "vllm:inter_token_latency_seconds_sum", &mean("inter_token_latency")),
        rule("tokens", "vllm:generation_tokens_total", "sum(rate(<<.Series>>{<<.LabelMatchers>>}[10m]))"),
        rule("running", "vllm:num_requests_running", "sum(avg_over_time(<<.Series>>{<<.LabelMatchers>>}[10m]))"),
    ];
    let metrics = ["first_token", "end_to_end", "inter_token", "tokens", "running"].map(|name| (name, 1_000));
    let two = ServiceSpec { replicas_initial: 2, ..service(model(1_000.0, 250.0)) };
    let record = run(two, 16.0, rules, hpa(&metrics, (2, 2)));
    let tokens = record.only().totals.tokens.as_ref().expect("it makes tokens");
    let first_token = tokens.ttft.quantile(0.9).expect("tokens were made") as f64 / 1e9;
    let latency = record.only().totals.latency_ns_sum as f64 / 1e9 / record.only().requests.completed as f64;
    let between = tokens.tpot.quantile(0.5).expect("tokens were made") as f64 / 1e9;
    // Times in milliseconds. Tolerances: the width of a bucket; else the chance of ten minutes.
    let expected = [
        (1e3 * first_token, 0.2),
        (1e3 * latency, 0.05),
        (1e3 * between, 0.05),
        (16.0 * 250.0, 0.05),
        (16.0 * latency, 0.1),
    ];
    for (index, (expected, tolerance)) in expected.into_iter().enumerate() {
        let values = seen(&record, index);
        assert!(values.len() > 5, "metric {index} was seen {} times", values.len());
        for average in values {
            let value = 2.0 * average;
            assert!((value / expected - 1.0).abs() < tolerance, "metric {index}: {value} against {expected}");
        }
    }
}

/// Eight clients that wait for their answers, 2,000 requests of them.
fn closed_loop(output: Distribution) -> RunRecord {
    let load = StageLoad::Closed { concurrency: 8, ramp: SimDuration::ZERO, delay: Distribution::Constant(0.0) };
    let stage = Stage { load, length: StageLength::Requests(2_000), gap: SimDuration::ZERO };
    let test = LoadTest { start: SimDuration::ZERO, stages: vec![stage], drain: None };
    let mut one = ServiceSpec { traffic: Traffic::LoadTest(Arc::new(test)), ..service(model(1_024.0, 128.0)) };
    if let ServiceModel::ContinuousBatching { output_tokens, .. } = &mut one.model {
        *output_tokens = output;
    }
    run(one, 0.0, Vec::new(), ControllerSpec::Static { replicas: 1 })
}

#[test]
fn clients_with_equal_lengths_wait_for_the_first_token_together() {
    let equal = closed_loop(Distribution::Constant(128.0));
    let spread = closed_loop(Distribution::Uniform { low: 101.5, high: 154.5 });
    let first_token = |record: &RunRecord| {
        let tokens = record.only().totals.tokens.as_ref().expect("it makes tokens");
        tokens.ttft.quantile(0.5).expect("tokens were made") as f64
    };
    for record in [&equal, &spread] {
        assert_eq!((record.only().requests.arrived, record.only().requests.completed), (2_000, 2_000));
    }
    assert!(first_token(&equal) > 2.0 * first_token(&spread), "{} {}", first_token(&equal), first_token(&spread));
}

#[test]
fn a_session_asks_with_everything_that_was_said() {
    let starts = trace(&[(0, 100, 10), (1_000_000_000, 200, 20)]);
    let law = SessionLaw {
        turns: Distribution::Constant(3.0),
        think_time: Distribution::Constant(5.0),
        new_tokens: Some(Distribution::Constant(7.0)),
    };
    let traffic = Traffic::Sessions { starts: Box::new(starts), law };
    let mut one = ServiceSpec { traffic, ..service(model(1_000.0, 30.0)) };
    // The first asks with 100, 110 + 7 and 147 + 7 tokens; the second with 200 and 220 + 7, which with an answer of 30 the cache cannot hold: there it
    // ends.
    if let ServiceModel::ContinuousBatching { kv_tokens, .. } = &mut one.model {
        *kv_tokens = 240;
    }
    let record = run(one, 0.0, Vec::new(), ControllerSpec::Static { replicas: 1 });
    let requests = &record.only().requests;
    assert_eq!((requests.arrived, requests.completed, requests.rejected), (5, 4, 1));
    let tokens = record.only().totals.tokens.as_ref().expect("it makes tokens");
    assert_eq!(tokens.output_tokens, 10 + 20 + 2 * 30);
}

#[test]
fn the_gateway_counts_what_waits_in_an_engine_as_dispatched() {
    let read = |series: &str| format!("sum(avg_over_time({series}[5m]))");
    let names = ["inference_objective_running_requests", "inference_extension_flow_control_queue_size"];
    let own = ["vllm:num_requests_running", "vllm:num_requests_waiting"];
    let rules = names.iter().chain(&own).map(|series| rule(&series.replace(':', "_"), series, &read(series))).collect();
    let metrics: Vec<(String, i64)> = names.iter().chain(&own).map(|name| (name.replace(':', "_"), 1_000)).collect();
    let metrics: Vec<(&str, i64)> = metrics.iter().map(|(name, target)| (name.as_str(), *target)).collect();
    // More than one replica can serve: its batch is full and requests wait in the engine.
    let record = run(service(model(1_000.0, 250.0)), 25.0, rules, hpa(&metrics, (1, 1)));
    let [dispatched, held, running, waiting] = [0, 1, 2, 3].map(|index| seen(&record, index));
    for at in 0..dispatched.len() {
        assert_eq!((held[at], running[at]), (0.0, 256.0));
        // The two scrapes are up to 15 s apart.
        let engine = running[at] + waiting[at];
        assert!((dispatched[at] / engine - 1.0).abs() < 0.1 && waiting[at] > 500.0, "{} {engine}", dispatched[at]);
    }
}

#[test]
fn an_hpa_on_requests_running_brings_the_replicas_the_load_needs() {
    let rules = vec![rule("running", "vllm:num_requests_running", "sum(<<.Series>>{<<.LabelMatchers>>})")];
    let record = run(service(model(1_000.0, 250.0)), 16.0, rules, hpa(&[("running", 16_000)], (1, 10)));
    // 16 requests/s of 2.7 s are 43 in service: three replicas at 16 each.
    let late = record.only().timeline.iter().filter(|row| row.start > SimTime::from_secs(900));
    let replicas: Vec<u32> = late.map(|row| row.ready).collect();
    assert!(replicas.iter().all(|&ready| (3..=4).contains(&ready)), "{replicas:?}");
    assert_eq!(record.only().requests.failed(), 0);
}
