//! Vectors of whole passes.

use policy::hpa::defaults::EffectiveSpec;
use policy::hpa::{
    Condition, Conditions, HorizontalPodAutoscaler, HpaConfig, HpaSpec, LegacyLimit, Memory, MetricSpec, MetricTarget,
    ScaleApi, ZeroRule, reconcile as reconcile_pass,
};
use policy::{Action, Counts, MetricError, MetricReading, Observation, PodView, RateHistory, ScalingPolicy};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use units::SimTime;

use super::read;
use super::runner::compare;
use super::schema::{
    BehaviorText, NOW, Names, Pod, PodValue, Recommended, ResourceMetric, recommendations, request_table, seconds,
    views,
};

struct NoHistory;

impl RateHistory for NoHistory {
    fn rate_at_minute(&self, _minute: i64) -> Option<f64> {
        None
    }
}

/// What a pass is shown when nothing but replica counts, pods and metrics matters.
fn observe<'a>(
    now: SimTime,
    counts: Counts,
    pods: &'a [PodView],
    metrics: &'a [Result<MetricReading, MetricError>],
) -> Observation<'a> {
    Observation {
        now,
        counts,
        floor: 0,
        pods,
        metrics,
        provenance: &[],
        arrivals: 0,
        completions: 0,
        queue: 0,
        in_flight: 0,
        history: &NoHistory,
    }
}

#[derive(Deserialize)]
struct Target {
    average_utilization: Option<i32>,
    average_value_m: Option<i64>,
    value_m: Option<i64>,
}

#[derive(Deserialize)]
struct Metric {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    container: Option<String>,
    #[serde(rename = "metric")]
    custom_name: Option<String>,
    target: Option<Target>,
}

impl Metric {
    fn spec(&self) -> MetricSpec {
        let name = self.name.clone().or_else(|| self.custom_name.clone()).unwrap_or_default();
        let target = self.target();
        let selector = Vec::new();
        match &*self.kind {
            "Resource" => MetricSpec::Resource { name, target },
            "ContainerResource" => {
                let container = self.container.clone().expect("a container metric names its container");
                MetricSpec::ContainerResource { name, container, target }
            }
            "Pods" => MetricSpec::Pods { name, selector, target },
            "Object" => {
                MetricSpec::Object { name, selector, kind: "Service".into(), object: "some-object".into(), target }
            }
            "External" => MetricSpec::External { name, selector, target },
            kind => MetricSpec::Unknown { kind: kind.to_owned() },
        }
    }

    /// The one target the controller looks at. A target with nothing set is one of a form its type has no use for.
    fn target(&self) -> MetricTarget {
        let none = Target { average_utilization: None, average_value_m: None, value_m: None };
        let target = self.target.as_ref().unwrap_or(&none);
        let is_total = matches!(&*self.kind, "Object" | "External");
        match (target.average_utilization, target.average_value_m, target.value_m) {
            (_, Some(average_m), _) => MetricTarget::AverageValue(average_m),
            (Some(percent), _, _) => MetricTarget::Utilization(percent),
            (_, _, Some(value_m)) => MetricTarget::Value(value_m),
            _ if is_total => MetricTarget::Utilization(0),
            _ => MetricTarget::Value(0),
        }
    }
}

#[derive(Deserialize)]
struct Config {
    tolerance: f64,
    cpu_initialization_period_s: u64,
    initial_readiness_delay_s: u64,
    downscale_stabilization_s: u64,
    scale_up_limit_factor: f64,
    scale_up_limit_minimum: f64,
    gates: Map<String, Value>,
}

impl Config {
    fn gate(&self, name: &str) -> Option<bool> {
        self.gates.get(name).and_then(Value::as_bool)
    }

    fn config(&self) -> HpaConfig {
        let defaults = HpaConfig::default();
        HpaConfig {
            tolerance: self.tolerance,
            downscale_stabilization: seconds(self.downscale_stabilization_s),
            cpu_initialization_period: seconds(self.cpu_initialization_period_s),
            initial_readiness_delay: seconds(self.initial_readiness_delay_s),
            legacy_limit: LegacyLimit { factor: self.scale_up_limit_factor, floor: self.scale_up_limit_minimum },
            zero_rule: match self.gate("HPAScaleToZero") {
                Some(false) => ZeroRule::GateOff,
                _ => ZeroRule::Condition,
            },
            has_configurable_tolerance: self.gate("HPAConfigurableTolerance").unwrap_or(true),
            has_pod_level_resources: self.gate("PodLevelResources").unwrap_or(true),
            ..defaults
        }
    }
}

#[derive(Deserialize)]
struct Input {
    min_replicas: Option<u32>,
    max_replicas: u32,
    spec_replicas: u32,
    status_replicas: u32,
    behavior: Option<BehaviorText>,
    metrics: Vec<Metric>,
    pods: Vec<Pod>,
    resource_metrics: Option<Vec<ResourceMetric>>,
    custom_pod_values: Option<Vec<PodValue>>,
    object_value_m: Option<i64>,
    external_values_m: Option<Vec<i64>>,
    failing_apis: Vec<String>,
    scale_get_fails: bool,
    scale_update: String,
    recommendations: Option<Vec<Recommended>>,
    scaled_to_zero_condition: Option<String>,
}

impl Input {
    fn spec(&self) -> EffectiveSpec {
        EffectiveSpec::new(&HpaSpec {
            name: "hpa".into(),
            replicas_min: self.min_replicas.unwrap_or(1),
            replicas_max: self.max_replicas,
            metrics: self.metrics.iter().map(Metric::spec).collect(),
            behavior: self.behavior.as_ref().map(BehaviorText::behavior),
        })
    }

    fn memory(&self) -> Memory {
        let scaled_to_zero = match self.scaled_to_zero_condition.as_deref() {
            None => None,
            Some("True") => Condition::yes("ScaledToZero"),
            Some(_) => Condition::no("NotScaledToZero"),
        };
        Memory {
            recommendations: self.recommendations.as_deref().map(recommendations),
            conditions: Conditions { scaled_to_zero, ..Conditions::default() },
            ..Memory::default()
        }
    }

    fn scale_api(&self) -> ScaleApi {
        let is_writable = match &*self.scale_update {
            "ok" | "conflict_then_ok" => true,
            "error" => false,
            other => panic!("unknown scale_update {other}"),
        };
        ScaleApi { is_readable: !self.scale_get_fails, is_writable }
    }

    /// One answer per metric the controller asks for.
    fn readings(&self, metrics: &[MetricSpec], names: &mut Names) -> Vec<Result<MetricReading, MetricError>> {
        let mut answers = Vec::new();
        for metric in metrics {
            let (api, reading) = match metric {
                MetricSpec::Resource { .. } | MetricSpec::ContainerResource { .. } => {
                    let list = self.resource_metrics.iter().flatten();
                    ("resource", Some(MetricReading::Resource(list.map(|usage| usage.usage(names)).collect())))
                }
                MetricSpec::Pods { .. } => {
                    let list = self.custom_pod_values.iter().flatten();
                    ("custom", Some(MetricReading::Pods(list.map(|value| value.sample(names)).collect())))
                }
                MetricSpec::Object { .. } => ("custom", self.object_value_m.map(MetricReading::Object)),
                MetricSpec::External { .. } => {
                    ("external", Some(MetricReading::External(self.external_values_m.clone().unwrap_or_default())))
                }
                MetricSpec::Unknown { .. } => continue,
            };
            let fails = self.failing_apis.iter().any(|failing| failing == api);
            let reading = reading.filter(|_| !fails);
            answers.push(reading.ok_or_else(|| MetricError { message: format!("the {api} API answers nothing") }));
        }
        answers
    }
}

pub fn reconcile(case: &Value) -> Result<(), String> {
    let (config, input): (Config, Input) = (read(case, "config")?, read(case, "input")?);
    let mut names = Names::default();
    let pods = views(&input.pods, &mut names);
    let spec = input.spec();
    let metrics = input.readings(&spec.metrics, &mut names);
    let config = HpaConfig { requests: request_table(&input.pods, &["cpu", "memory"], &mut names), ..config.config() };
    let counts = Counts { spec: input.spec_replicas, status: input.status_replicas, ..Counts::default() };
    let mut memory = input.memory();
    let seen = observe(NOW, counts, &pods, &metrics);
    let outcome = reconcile_pass(&spec, &config, &mut memory, &seen, input.scale_api());

    let before = i32::try_from(input.spec_replicas).expect("a small number");
    let action = match outcome.replicas.cmp(&before) {
        std::cmp::Ordering::Less => "scale_down",
        std::cmp::Ordering::Equal => "none",
        std::cmp::Ordering::Greater => "scale_up",
    };
    compare(
        &case["expect"],
        &[
            ("spec_replicas", json!(outcome.replicas)),
            ("scale_updated", json!(outcome.is_written)),
            ("error", json!(outcome.is_error)),
            ("action", json!(action)),
            ("conditions", conditions(&memory.conditions)),
        ],
    )
}

fn conditions(conditions: &Conditions) -> Value {
    let text = |condition: Condition| {
        let status = if condition.is_true { "True" } else { "False" };
        json!({"status": status, "reason": condition.reason})
    };
    conditions.iter().map(|(name, condition)| (name.to_owned(), text(condition))).collect::<Map<_, _>>().into()
}

/// Replays raw wishes through the policy itself: an External average of 1 with no tolerance asks for exactly its value.
pub fn trace(case: &Value) -> Result<(), String> {
    #[derive(Deserialize)]
    struct TraceConfig {
        downscale_stabilization_s: u64,
        scale_up_limit_factor: f64,
        scale_up_limit_minimum: f64,
    }
    #[derive(Deserialize)]
    struct Sync {
        t_s: u64,
        desired: Option<i64>,
    }
    #[derive(Deserialize)]
    struct Trace {
        initial_replicas: u32,
        min_replicas: u32,
        max_replicas: u32,
        behavior: Option<BehaviorText>,
        syncs: Vec<Sync>,
    }
    let (config, input): (TraceConfig, Trace) = (read(case, "config")?, read(case, "input")?);
    let target = MetricTarget::AverageValue(1_000);
    let spec = HpaSpec {
        name: "hpa".into(),
        replicas_min: input.min_replicas,
        replicas_max: input.max_replicas,
        metrics: vec![MetricSpec::External { name: "wish".into(), selector: Vec::new(), target }],
        behavior: input.behavior.as_ref().map(BehaviorText::behavior),
    };
    let config = HpaConfig {
        tolerance: 0.0,
        has_configurable_tolerance: false,
        zero_rule: ZeroRule::MinReplicas,
        downscale_stabilization: seconds(config.downscale_stabilization_s),
        legacy_limit: LegacyLimit { factor: config.scale_up_limit_factor, floor: config.scale_up_limit_minimum },
        ..HpaConfig::default()
    };
    let mut hpa = HorizontalPodAutoscaler::new(&spec, config);
    let mut replicas = input.initial_replicas;
    let mut written = Vec::new();
    for sync in &input.syncs {
        let missing = || MetricError { message: "no wish".to_owned() };
        let metrics = [sync.desired.map(|wish| MetricReading::External(vec![wish * 1_000])).ok_or_else(missing)];
        let counts = Counts { spec: replicas, status: replicas, ..Counts::default() };
        let answer = hpa.decide(&observe(SimTime::from_secs(sync.t_s), counts, &[], &metrics));
        if let Action::Scale(count) = answer.action {
            replicas = count;
        }
        written.push(replicas);
    }
    compare(&case["expect"], &[("replicas", json!(written))])
}
