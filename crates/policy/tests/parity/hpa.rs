//! HorizontalPodAutoscaler: the decisions of the controller's own unit tests, and cases derived from its rules.

#[path = "hpa_pass.rs"]
mod pass;
#[path = "hpa_rules.rs"]
mod rules;
#[path = "hpa_runner.rs"]
mod runner;
#[path = "hpa_schema.rs"]
mod schema;

use serde::de::DeserializeOwned;
use serde_json::Value;

#[test]
fn the_hpa_decides_as_recorded() {
    runner::replay("hpa", |file, case| {
        let schema = file["schema"].as_str().ok_or("no schema")?;
        let group = schema.strip_prefix("hpa-vectors/").and_then(|rest| rest.strip_suffix("/1"));
        match group {
            Some("derived") => check(text(case, "kind")?, case),
            Some(group) => check(group, case),
            None => Err(format!("unknown schema {schema}")),
        }
    });
}

fn check(kind: &str, case: &Value) -> Result<(), String> {
    match (kind, case["function"].as_str()) {
        ("replica_calc", Some("resource_utilization")) => rules::resource_utilization(case),
        ("replica_calc", Some("pods_metric")) => rules::pods_metric(case),
        ("replica_calc", Some("object_value" | "external_value")) => rules::value(case),
        ("replica_calc", Some("object_average_value" | "external_average_value")) => rules::average_value(case),
        ("group_pods", None) => rules::group(case),
        ("requests", None) => rules::requests(case),
        ("ratios", Some("resource_utilization_ratio")) => rules::utilization_ratio(case),
        ("ratios", Some("metric_usage_ratio")) => rules::metric_usage_ratio(case),
        ("ratios", Some("per_pod_usage")) => rules::per_pod_usage(case),
        ("behavior_defaults", None) => rules::behavior_defaults(case),
        ("legacy_normalization", Some("convert_with_rules")) => rules::convert_with_rules(case),
        ("legacy_normalization", Some("stabilize_recommendation")) => rules::stabilize_recommendation(case),
        ("behavior_limits", Some("convert_with_behavior_rate")) => rules::convert_with_behavior_rate(case),
        ("behavior_limits", Some("scale_up_limit")) => rules::scale_limit(case, true),
        ("behavior_limits", Some("scale_down_limit")) => rules::scale_limit(case, false),
        ("behavior_stabilization", None) => rules::behavior_stabilization(case),
        ("scale_events", None) => rules::scale_events(case),
        ("reconcile", None) => pass::reconcile(case),
        ("trace", None) => pass::trace(case),
        (kind, function) => Err(format!("unknown kind {kind}, function {function:?}")),
    }
}

fn text<'a>(case: &'a Value, key: &str) -> Result<&'a str, String> {
    case[key].as_str().ok_or_else(|| format!("no {key}"))
}

/// One part of a case, typed.
fn read<T: DeserializeOwned>(case: &Value, key: &str) -> Result<T, String> {
    T::deserialize(&case[key]).map_err(|error| format!("{key}: {error}"))
}
