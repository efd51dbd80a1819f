//! Vectors of single rules.

use std::collections::{BTreeMap, BTreeSet};

use policy::hpa::defaults::Direction;
use policy::hpa::evaluate::resource_metrics;
use policy::hpa::events::{ScaleEvents, change_within, store_event};
use policy::hpa::group::{CpuReadiness, group_pods};
use policy::hpa::limits::{self, Bounds};
use policy::hpa::ratio::{self, Tolerances};
use policy::hpa::replicas::{
    Measure, PerPod, Proposed, Share, Total, average_value_replicas, external_total, per_pod_replicas, value_replicas,
};
use policy::hpa::requests::RequestQuery;
use policy::hpa::stabilize::{self, LoggedRecommendation, Windows, Wish};
use policy::hpa::{LegacyLimit, PolicyKind, SelectPolicy};
use policy::{MetricError, PodView};
use serde::Deserialize;
use serde_json::{Value, json};
use units::PodId;

use super::read;
use super::runner::compare;
use super::schema::{
    Event, Names, Pod, PodValue, Recommended, ResourceMetric, RulesText, ago, events, recommendations, request_table,
    seconds, views,
};

#[derive(Deserialize)]
struct CalcConfig {
    tolerance_up: f64,
    tolerance_down: f64,
    cpu_initialization_period_s: u64,
    initial_readiness_delay_s: u64,
}

impl CalcConfig {
    fn tolerances(&self) -> Tolerances {
        Tolerances { up: self.tolerance_up, down: self.tolerance_down }
    }
}

fn cpu_rule(resource: &str, initialization_period_s: u64, initial_readiness_delay_s: u64) -> Option<CpuReadiness> {
    (resource == "cpu").then(|| CpuReadiness {
        now: ago(0),
        initialization_period: seconds(initialization_period_s),
        initial_readiness_delay: seconds(initial_readiness_delay_s),
    })
}

/// A case that names an error must fail; its words are our own.
fn judge(case: &Value, outcome: Result<Proposed, MetricError>) -> Result<(), String> {
    let fails = case["expect"]["error_contains"].is_string();
    match outcome {
        Ok(proposed) if !fails => compare(
            &case["expect"],
            &[
                ("replicas", json!(proposed.replicas)),
                ("usage_m", json!(proposed.usage_m)),
                ("raw_average_m", json!(proposed.usage_m)),
                ("utilization_percent", json!(proposed.utilization_percent)),
            ],
        ),
        Ok(proposed) => Err(format!("expected an error, got {} replicas", proposed.replicas)),
        Err(error) if !fails => Err(format!("unexpected error: {}", error.message)),
        Err(_) => Ok(()),
    }
}

pub fn resource_utilization(case: &Value) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Input {
        current_replicas: i32,
        resource: String,
        container: Option<String>,
        target: i32,
        pods: Vec<Pod>,
        pod_metrics: Vec<ResourceMetric>,
    }
    let (config, input): (CalcConfig, Input) = (read(case, "config")?, read(case, "input")?);
    let mut names = Names::default();
    let pods = views(&input.pods, &mut names);
    let usages: Vec<_> = input.pod_metrics.iter().map(|metric| metric.usage(&mut names)).collect();
    let metrics = resource_metrics(&usages, input.container.as_deref());
    let query = RequestQuery { resource: &input.resource, container: input.container.as_deref(), has_pod_level: false };
    let requests = request_table(&input.pods, &[&input.resource], &mut names).of(&pods, query);
    let seen = PerPod {
        pods: &pods,
        metrics: &metrics,
        cpu: cpu_rule(&input.resource, config.cpu_initialization_period_s, config.initial_readiness_delay_s),
        spec_replicas: input.current_replicas,
        tolerances: config.tolerances(),
    };
    let outcome = requests.and_then(|requests_m| {
        per_pod_replicas(&seen, &Measure::Utilization { requests_m: &requests_m, target_percent: input.target })
    });
    judge(case, outcome)
}

pub fn pods_metric(case: &Value) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Input {
        current_replicas: i32,
        target: i64,
        pods: Vec<Pod>,
        pod_values: Vec<PodValue>,
    }
    let (config, input): (CalcConfig, Input) = (read(case, "config")?, read(case, "input")?);
    let mut names = Names::default();
    let pods = views(&input.pods, &mut names);
    let metrics = input.pod_values.iter().map(|value| value.metric(&mut names)).collect();
    let seen = PerPod {
        pods: &pods,
        metrics: &metrics,
        cpu: None,
        spec_replicas: input.current_replicas,
        tolerances: config.tolerances(),
    };
    judge(case, per_pod_replicas(&seen, &Measure::Plain { target_m: input.target }))
}

#[derive(Deserialize)]
struct TotalInput {
    current_replicas: i32,
    target: i64,
    #[serde(default)]
    pods: Vec<Pod>,
    object_value_m: Option<i64>,
    external_values_m: Option<Vec<i64>>,
}

impl TotalInput {
    fn usage_m(&self) -> Result<i64, MetricError> {
        match (self.object_value_m, &self.external_values_m) {
            (Some(value), _) => Ok(value),
            (None, values) => external_total(values.as_deref().unwrap_or_default()),
        }
    }
}

pub fn value(case: &Value) -> Result<(), String> {
    let (config, input): (CalcConfig, TotalInput) = (read(case, "config")?, read(case, "input")?);
    let pods: Vec<PodView> = views(&input.pods, &mut Names::default());
    let outcome = input.usage_m().and_then(|usage_m| {
        value_replicas(&Total {
            usage_m,
            target_m: input.target,
            pods: &pods,
            spec_replicas: input.current_replicas,
            tolerances: config.tolerances(),
        })
    });
    judge(case, outcome)
}

pub fn average_value(case: &Value) -> Result<(), String> {
    let (config, input): (CalcConfig, TotalInput) = (read(case, "config")?, read(case, "input")?);
    let outcome = input.usage_m().map(|usage_m| {
        average_value_replicas(&Share {
            usage_m,
            target_m: input.target,
            status_replicas: input.current_replicas,
            tolerances: config.tolerances(),
        })
    });
    judge(case, outcome)
}

pub fn group(case: &Value) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Config {
        cpu_initialization_period_s: u64,
        initial_readiness_delay_s: u64,
    }
    #[derive(Deserialize)]
    struct Input {
        resource: String,
        pods: Vec<Pod>,
        metrics: Vec<PodValue>,
    }
    #[derive(Deserialize)]
    struct Expect {
        ready_count: usize,
        unready: BTreeSet<String>,
        missing: BTreeSet<String>,
        ignored: BTreeSet<String>,
    }
    let (config, input): (Config, Input) = (read(case, "config")?, read(case, "input")?);
    let expect: Expect = read(case, "expect")?;
    let mut names = Names::default();
    let pods = views(&input.pods, &mut names);
    let metrics = input.metrics.iter().map(|metric| metric.metric(&mut names)).collect();
    let cpu = cpu_rule(&input.resource, config.cpu_initialization_period_s, config.initial_readiness_delay_s);
    let groups = group_pods(&pods, &metrics, cpu.as_ref());
    let named = |set: &BTreeSet<PodId>| set.iter().map(|id| names.name(*id).to_owned()).collect::<BTreeSet<_>>();
    let as_expected = groups.ready == expect.ready_count
        && named(&groups.unready) == expect.unready
        && named(&groups.missing) == expect.missing
        && named(&groups.ignored) == expect.ignored;
    if as_expected { Ok(()) } else { Err(format!("got {groups:?}")) }
}

pub fn requests(case: &Value) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Input {
        resource: String,
        container: Option<String>,
        pod_level_resources_gate: bool,
        pods: Vec<Pod>,
    }
    let input: Input = read(case, "input")?;
    let mut names = Names::default();
    let pods = views(&input.pods, &mut names);
    let table = request_table(&input.pods, &[&input.resource], &mut names);
    let query = RequestQuery {
        resource: &input.resource,
        container: input.container.as_deref(),
        has_pod_level: input.pod_level_resources_gate,
    };
    let fails = case["expect"]["error_contains"].is_string();
    match table.of(&pods, query) {
        Ok(sums) if !fails => {
            let named: BTreeMap<_, _> = sums.iter().map(|(id, sum)| (names.name(*id), *sum)).collect();
            compare(&case["expect"], &[("requests_m", json!(named))])
        }
        Ok(_) => Err("expected an error".to_owned()),
        Err(error) if !fails => Err(error.message),
        Err(_) => Ok(()),
    }
}

fn by_pod(values: &BTreeMap<String, i64>, names: &mut Names) -> BTreeMap<PodId, i64> {
    values.iter().map(|(name, value)| (names.id(name), *value)).collect()
}

pub fn utilization_ratio(case: &Value) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Input {
        metrics_m: BTreeMap<String, i64>,
        requests_m: BTreeMap<String, i64>,
        target_percent: i32,
    }
    let input: Input = read(case, "input")?;
    let mut names = Names::default();
    let (usage_m, requests_m) = (by_pod(&input.metrics_m, &mut names), by_pod(&input.requests_m, &mut names));
    let measured = ratio::utilization_ratio(&usage_m, &requests_m, input.target_percent);
    let fails = case["expect"]["error_contains"].is_string();
    match measured {
        Some(measured) if !fails => compare(
            &case["expect"],
            &[
                ("ratio", json!(measured.ratio)),
                ("utilization_percent", json!(measured.utilization_percent)),
                ("raw_average_m", json!(measured.average_m)),
            ],
        ),
        Some(_) => Err("expected an error".to_owned()),
        None if fails => Ok(()),
        None => Err("no ratio".to_owned()),
    }
}

pub fn metric_usage_ratio(case: &Value) -> Result<(), String> {
    let metrics: BTreeMap<String, i64> = read(&case["input"], "metrics_m")?;
    // The name of the target is the one thing the description of the vectors leaves open here.
    let target = case["input"].as_object().and_then(|input| input.iter().find(|(key, _)| key.starts_with("target")));
    let target_m = target.and_then(|(_, value)| value.as_i64()).ok_or("no target")?;
    let measured = ratio::usage_ratio(&by_pod(&metrics, &mut Names::default()), target_m);
    let average = json!(measured.average_m);
    compare(
        &case["expect"],
        &[
            ("ratio", json!(measured.ratio)),
            ("usage_m", average.clone()),
            ("current_usage_m", average.clone()),
            ("average_m", average.clone()),
            ("raw_average_m", average),
        ],
    )
}

pub fn per_pod_usage(case: &Value) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Input {
        usage_m: i64,
        status_replicas: i32,
    }
    let input: Input = read(case, "input")?;
    let usage_m = ratio::per_pod_usage(input.usage_m, input.status_replicas);
    compare(&case["expect"], &[("usage_m", json!(usage_m))])
}

pub fn behavior_defaults(case: &Value) -> Result<(), String> {
    let rules: Option<RulesText> = read(&case["input"], "rules")?;
    let rules = rules.map(|rules| rules.rules());
    let filled = match case["input"]["direction"].as_str() {
        Some("up") => Direction::up(rules.as_ref()),
        Some("down") => Direction::down(rules.as_ref()),
        other => return Err(format!("unknown direction {other:?}")),
    };
    let policies: Vec<_> = filled
        .policies
        .iter()
        .map(|rule| {
            let kind = match rule.kind {
                PolicyKind::Pods => "Pods",
                PolicyKind::Percent => "Percent",
            };
            json!({"type": kind, "value": rule.value, "period_s": rule.period.as_secs()})
        })
        .collect();
    let select = match filled.select {
        SelectPolicy::Max => "Max",
        SelectPolicy::Min => "Min",
        SelectPolicy::Disabled => "Disabled",
    };
    compare(
        &case["expect"],
        &[
            ("policies", json!(policies)),
            ("stabilization_window_s", json!(filled.window.map(units::SimDuration::as_secs))),
            ("select_policy", json!(select)),
            ("tolerance", json!(filled.tolerance)),
        ],
    )
}

#[derive(Deserialize)]
struct MoveInput {
    current_replicas: i32,
    #[serde(default)]
    desired_replicas: i32,
    #[serde(default)]
    min_replicas: i32,
    #[serde(default)]
    max_replicas: i32,
    scale_up: Option<RulesText>,
    scale_down: Option<RulesText>,
    #[serde(default)]
    scale_up_events: Vec<Event>,
    #[serde(default)]
    scale_down_events: Vec<Event>,
}

impl MoveInput {
    fn bounds(&self) -> Bounds {
        Bounds { min: self.min_replicas, max: self.max_replicas }
    }

    fn events(&self) -> ScaleEvents {
        ScaleEvents { up: events(&self.scale_up_events), down: events(&self.scale_down_events) }
    }
}

pub fn convert_with_rules(case: &Value) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Config {
        scale_up_limit_factor: f64,
        scale_up_limit_minimum: f64,
    }
    let (config, input): (Config, MoveInput) = (read(case, "config")?, read(case, "input")?);
    let rule = LegacyLimit { factor: config.scale_up_limit_factor, floor: config.scale_up_limit_minimum };
    let top = limits::legacy_scale_up_limit(input.current_replicas, rule);
    let limited = limits::limit_legacy(input.desired_replicas, input.bounds(), top);
    compare(&case["expect"], &[("replicas", json!(limited.replicas)), ("reason", json!(limited.reason.as_str()))])
}

pub fn stabilize_recommendation(case: &Value) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Input {
        recommendations: Vec<Recommended>,
        desired_replicas: i32,
    }
    let input: Input = read(case, "input")?;
    let window = seconds(read(&case["config"], "downscale_stabilization_s")?);
    let mut log = recommendations(&input.recommendations);
    let stabilized = stabilize::stabilize_legacy(input.desired_replicas, &log, window, ago(0));
    stabilize::record(&mut log, LoggedRecommendation { replicas: input.desired_replicas, at: ago(0) }, window);
    let values: Vec<_> = log.iter().map(|entry| entry.replicas).collect();
    compare(
        &case["expect"],
        &[
            ("replicas", json!(stabilized.replicas)),
            ("log_length", json!(log.len())),
            ("recommendation_values_after", json!(values)),
        ],
    )
}

pub fn convert_with_behavior_rate(case: &Value) -> Result<(), String> {
    let input: MoveInput = read(case, "input")?;
    let up = Direction::up(input.scale_up.as_ref().map(RulesText::rules).as_ref());
    let down = Direction::down(input.scale_down.as_ref().map(RulesText::rules).as_ref());
    let wish = Wish { current: input.current_replicas, desired: input.desired_replicas };
    let rate_limit = if wish.desired > wish.current {
        limits::scale_up_limit(wish.current, &up, &input.events(), ago(0))
    } else {
        limits::scale_down_limit(wish.current, &down, &input.events(), ago(0))
    };
    let limited = limits::limit(wish, input.bounds(), rate_limit.replicas);
    compare(&case["expect"], &[("replicas", json!(limited.replicas)), ("reason", json!(limited.reason.as_str()))])
}

pub fn scale_limit(case: &Value, is_up: bool) -> Result<(), String> {
    let input: MoveInput = read(case, "input")?;
    let rules = if is_up { &input.scale_up } else { &input.scale_down };
    let rules = Direction::as_written(&rules.as_ref().ok_or("no rules")?.rules());
    let limit = if is_up { limits::scale_up_limit } else { limits::scale_down_limit };
    let found = limit(input.current_replicas, &rules, &input.events(), ago(0));
    compare(&case["expect"], &[("limit", json!(found.replicas))])
}

pub fn behavior_stabilization(case: &Value) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Input {
        current_replicas: i32,
        desired_replicas: i32,
        up_window_s: u64,
        down_window_s: u64,
        recommendations: Vec<Recommended>,
    }
    let input: Input = read(case, "input")?;
    let mut log = recommendations(&input.recommendations);
    let windows = Windows { up: seconds(input.up_window_s), down: seconds(input.down_window_s) };
    let wish = Wish { current: input.current_replicas, desired: input.desired_replicas };
    let stabilized = stabilize::stabilize(wish, &log, windows, ago(0));
    let entry = LoggedRecommendation { replicas: wish.desired, at: ago(0) };
    stabilize::record(&mut log, entry, windows.up.max(windows.down));
    let values = match &case["expect"]["recommendation_values_after"] {
        Value::Null => Value::Null,
        _ => json!(log.iter().map(|entry| entry.replicas).collect::<Vec<_>>()),
    };
    compare(&case["expect"], &[("replicas", json!(stabilized.replicas)), ("recommendation_values_after", values)])
}

pub fn scale_events(case: &Value) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Input {
        direction: String,
        previous_events: Vec<Event>,
        behavior_rules: Option<RulesText>,
        prev_replicas: i32,
        new_replicas: i32,
        query_period_s: u64,
    }
    let input: Input = read(case, "input")?;
    let mut log = events(&input.previous_events);
    let before = change_within(&log, seconds(input.query_period_s), ago(0));
    let change = match &*input.direction {
        "up" => input.new_replicas - input.prev_replicas,
        "down" => input.prev_replicas - input.new_replicas,
        other => return Err(format!("unknown direction {other}")),
    };
    if let Some(rules) = &input.behavior_rules {
        store_event(&mut log, &Direction::as_written(&rules.rules()), change, ago(0));
    }
    let after: Vec<_> =
        log.iter().map(|event| json!({"change": event.change, "outdated": event.is_outdated})).collect();
    compare(&case["expect"], &[("change_in_period_before", json!(before)), ("events_after", json!(after))])
}
