//! Advice as JSON: the fields of `docs/guide/advise.md`.

use live::advise::PolicyAdvice;
use record::DecisionRow;
use serde_json::{Value, json};

use super::ServiceAdvice;
use crate::commands::import::when::shown;

/// All of it.
pub fn json(advices: &[ServiceAdvice], at_ms: i64) -> Value {
    let service = |of: &ServiceAdvice| {
        let (wanted, existing, ready) = of.advice.replicas;
        json!({
            "service": of.service,
            "workload": of.workload,
            "namespace": of.advice.namespace,
            "replicas": {"wanted": wanted, "existing": existing, "ready": ready},
            "lookbackSeconds": of.advice.lookback_ms as f64 / 1e3,
            "policies": of.advice.policies.iter().map(policy).collect::<Vec<_>>(),
        })
    };
    json!({"at": shown(at_ms), "services": advices.iter().map(service).collect::<Vec<_>>()})
}

fn policy(of: &PolicyAdvice) -> Value {
    json!({
        "policy": of.policy,
        "replicas": of.replicas.as_ref().ok(),
        "unknown": of.replicas.as_ref().err(),
        "controllers": of.decisions.iter().map(decision).collect::<Vec<_>>(),
        "notes": of.notes,
    })
}

fn decision(of: &DecisionRow) -> Value {
    let metrics = of.metrics.iter().map(|metric| {
        json!({
            "metric": metric.metric,
            "value": metric.value,
            "target": metric.target,
            "ratio": metric.ratio,
            "replicas": metric.replicas,
            "note": metric.note,
        })
    });
    let steps = of
        .steps
        .iter()
        .map(|step| json!({"step": step.name, "before": step.before, "after": step.after, "note": step.note}));
    json!({
        "controller": of.controller,
        "why": report::decision_outcome(of),
        "reason": of.reason,
        "raw": of.raw,
        "written": of.written.map(|(what, value)| json!({"to": what, "value": value})),
        "metrics": metrics.collect::<Vec<_>>(),
        "steps": steps.collect::<Vec<_>>(),
    })
}
