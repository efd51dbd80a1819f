//! Advice as JSON. The types below are its schema (`scalelab schema --advice`).

use live::advise::PolicyAdvice;
use record::{DecisionRow, MetricRow, StepRow};
use schemars::JsonSchema;
use serde::Serialize;

use super::ServiceAdvice;
use crate::commands::import::when::shown;

/// What `scalelab advise --format json` prints.
#[derive(JsonSchema, Serialize)]
#[schemars(title = "Advice")]
#[serde(rename_all = "camelCase")]
struct AdviceJson {
    /// The moment that the advice is of, by the server's clock, in UTC (RFC 3339).
    #[schemars(extend("format" = "date-time"))]
    at: String,
    /// Service by service, in the scenario's order.
    services: Vec<ServiceJson>,
}

/// One service.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Service")]
#[serde(rename_all = "camelCase")]
struct ServiceJson {
    /// Its name in the scenario.
    service: String,
    /// Name of its Deployment or StatefulSet in the cluster.
    workload: String,
    /// The workload's namespace; null where the cluster does not tell.
    namespace: Option<String>,
    /// Replicas at that moment.
    replicas: ReplicasJson,
    /// How far back controllers were shown what was, in seconds.
    lookback_seconds: f64,
    /// Policy by policy, in the scenario's order.
    policies: Vec<PolicyJson>,
}

/// Replicas of the workload.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Replicas")]
#[serde(rename_all = "camelCase")]
struct ReplicasJson {
    /// `spec.replicas`.
    wanted: u32,
    /// Pods that exist; null where that was not seen.
    existing: Option<u32>,
    /// Ready ones; null where that was not seen.
    ready: Option<u32>,
}

/// What one policy would ask for.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Policy")]
#[serde(rename_all = "camelCase")]
struct PolicyJson {
    /// Its name.
    policy: String,
    /// Replicas that it would ask for; null where that cannot be known.
    replicas: Option<u32>,
    /// Why it cannot be known; null where it is known.
    unknown: Option<String>,
    /// The last pass of each of its controllers, in the order in which they passed.
    controllers: Vec<ControllerJson>,
    /// What a reader has to know of how it came about.
    notes: Vec<String>,
}

/// The last pass of one controller.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Controller")]
#[serde(rename_all = "camelCase")]
struct ControllerJson {
    /// Which: `hpa`, `keda-operator`, `keda-hpa`, `predictive`, `warm-pool`, …
    controller: String,
    /// What it did and why, in one line.
    why: String,
    /// Its own word for the reason.
    reason: String,
    /// What the metrics ask for together, before damping; null where none could be read.
    raw: Option<u32>,
    /// What it would write; null where it would write nothing.
    written: Option<WrittenJson>,
    /// Metric by metric.
    metrics: Vec<MetricJson>,
    /// Each damping step, in order.
    steps: Vec<StepJson>,
}

/// What a controller would write.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Written")]
#[serde(rename_all = "camelCase")]
struct WrittenJson {
    /// Where: `replicas` of the workload, the `floor` of its HPA, or `standby` replicas of a warm pool.
    #[schemars(extend("enum" = ["replicas", "floor", "standby"]))]
    to: &'static str,
    /// How many.
    value: u32,
}

/// One metric as the controller saw it.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Metric")]
#[serde(rename_all = "camelCase")]
struct MetricJson {
    /// Its name.
    metric: String,
    /// Its value, in plain units; null where it could not be read or is no finite number.
    value: Option<f64>,
    /// Its target, in the same units; null where that is no finite number.
    target: Option<f64>,
    /// Value by target; null where it could not be read or is no finite number.
    ratio: Option<f64>,
    /// Replicas that it alone asks for; null where it asks for none.
    replicas: Option<u32>,
    /// In plain words; may be empty.
    note: String,
}

/// One damping step.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Step")]
#[serde(rename_all = "camelCase")]
struct StepJson {
    /// Which.
    step: String,
    /// Replicas before it.
    before: u32,
    /// Replicas after it.
    after: u32,
    /// In plain words; may be empty.
    note: String,
}

/// The JSON schema of what [`json`] gives.
pub fn schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<AdviceJson>()
        .to_value()
}

/// All of it, as text.
pub fn json(advices: &[ServiceAdvice], at_ms: i64) -> String {
    let advice = AdviceJson { at: shown(at_ms), services: advices.iter().map(service).collect() };
    serde_json::to_string_pretty(&advice).expect("text, numbers and lists are JSON") + "\n"
}

fn service(of: &ServiceAdvice) -> ServiceJson {
    let (wanted, existing, ready) = of.advice.replicas;
    ServiceJson {
        service: of.service.clone(),
        workload: of.workload.clone(),
        namespace: of.advice.namespace.clone(),
        replicas: ReplicasJson { wanted, existing, ready },
        lookback_seconds: of.advice.lookback_ms as f64 / 1e3,
        policies: of.advice.policies.iter().map(policy).collect(),
    }
}

fn policy(of: &PolicyAdvice) -> PolicyJson {
    PolicyJson {
        policy: of.policy.clone(),
        replicas: of.replicas.as_ref().ok().copied(),
        unknown: of.replicas.as_ref().err().cloned(),
        controllers: of.decisions.iter().map(controller).collect(),
        notes: of.notes.clone(),
    }
}

fn controller(of: &DecisionRow) -> ControllerJson {
    ControllerJson {
        controller: of.controller.clone(),
        why: report::decision_outcome(of),
        reason: of.reason.clone(),
        raw: of.raw,
        written: of.written.map(|(to, value)| WrittenJson { to, value }),
        metrics: of.metrics.iter().map(metric).collect(),
        steps: of.steps.iter().map(step).collect(),
    }
}

fn metric(of: &MetricRow) -> MetricJson {
    let finite = |value: f64| value.is_finite().then_some(value);
    MetricJson {
        metric: of.metric.clone(),
        value: of.value.and_then(finite),
        target: finite(of.target),
        ratio: of.ratio.and_then(finite),
        replicas: of.replicas,
        note: of.note.clone(),
    }
}

fn step(of: &StepRow) -> StepJson {
    StepJson { step: of.name.clone(), before: of.before, after: of.after, note: of.note.clone() }
}
