//! From the input of a vector to what the code says about it. Only translation happens here: no rule of KEDA's is written down in
//! this file.

use std::collections::BTreeMap;

use policy::hpa::{Behavior, MetricSpec, MetricTarget, Rules, SelectPolicy};
use policy::keda::executor::{ActiveReason, Condition, PollState, Verdict};
use policy::keda::fallback::{Circumstances, Served};
use policy::keda::scaler::{CronMetadata, CronWindow, PrometheusMetadata, Scaler};
use policy::keda::state::{Composite, ObjectState, TriggerState};
use policy::keda::{
    Annotations, Fallback, FallbackBehavior, Formula, MetricType, ScaleLoop, ScaledObject, ScalingModifiers, Trigger,
    Violation, Warning, admission, executor, fallback, generated, state,
};
use serde_json::{Value, json};
use units::{SimDuration, SimTime};

type Outcome = Result<Value, String>;

/// What the code says about one vector, key by key as the vector expects it.
pub fn outcome(schema: &str, input: &Value) -> Outcome {
    let op = input["op"].as_str().unwrap_or("");
    match (schema, op) {
        ("bounds", _) => Ok(bounds(input)),
        ("executor", _) => Ok(executor_poll(input)),
        ("timeline", _) => Ok(timeline(input)),
        ("fallback", _) => Ok(fallback_read(input)),
        ("fallback_validity", _) => Ok(fallback_validity(input)),
        ("state", "state") => Ok(object_state(input)),
        ("state", "modifier_value") => Ok(modifier_value(input)),
        ("state", "formula") => Ok(formula(input)),
        ("state", "deactivation_target") => Ok(deactivation_target(input)),
        ("pause", "has") => Ok(json!({"has": annotations(&input["annotations"]).has_pause()})),
        ("pause", "need") => Ok(json!({"paused": annotations(&input["annotations"]).is_paused()})),
        ("pause", "count") => Ok(pause_count(input)),
        ("hpa", "bounds") => Ok(hpa_bounds(input)),
        ("hpa", "name") => Ok(hpa_name(input)),
        ("hpa", "metrics") => hpa_metrics(input),
        ("hpa", "behavior") => Ok(hpa_behavior(input)),
        ("hpa", "specs") => Ok(hpa_specs(input)),
        ("hpa", "health_prune") => Ok(health_prune(input)),
        ("validity", "triggers") => Ok(triggers(input)),
        ("validity", "warnings") => Ok(warnings(input)),
        ("validity", "cpu_scale_to_zero") => Ok(scale_to_zero(input)),
        ("validity", "name_length") => Ok(name_length(input)),
        ("validity", "modifiers") => Ok(modifiers(input)),
        ("prometheus", "query") => Ok(prometheus_query(input)),
        ("prometheus", "activity") => prometheus_activity(input),
        ("prometheus", "metadata") => Ok(json!({"error": PrometheusMetadata::parse(&metadata(input)).is_err()})),
        ("cron", "metadata") => Ok(json!({"error": CronMetadata::parse(&metadata(input)).is_err()})),
        ("cron", "metric_name") => cron_name(input),
        ("cron", "activity") => cron_activity(input),
        _ => Err(format!("unknown operation {schema}/{op}")),
    }
}

fn count(value: &Value) -> Option<u32> {
    value.as_f64().map(|number| number as u32)
}

fn seconds(value: &Value) -> Option<SimDuration> {
    value.as_f64().map(SimDuration::from_secs_f64)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn nanos(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64
}

/// The shared fields of a spec; an absent key means the field is not set.
fn object(spec: &Value) -> ScaledObject {
    ScaledObject {
        name: "so".to_owned(),
        replicas_min: count(&spec["min_replica_count"]),
        replicas_max: count(&spec["max_replica_count"]),
        replicas_idle: count(&spec["idle_replica_count"]),
        polling_interval: seconds(&spec["polling_interval_s"]),
        cooldown_period: seconds(&spec["cooldown_period_s"]),
        initial_cooldown_period: seconds(&spec["initial_cooldown_period_s"]),
        fallback: fallback_of(&spec["fallback"]),
        ..ScaledObject::default()
    }
}

fn fallback_of(value: &Value) -> Option<Fallback> {
    let number = |key: &str| value[key].as_i64().unwrap_or(0) as i32;
    value.is_object().then(|| Fallback {
        failure_threshold: number("failure_threshold"),
        replicas: number("replicas"),
        behavior: value["behavior"].as_str().and_then(FallbackBehavior::named).unwrap_or_default(),
    })
}

/// Vectors write KEDA's annotations without their prefix, with hyphens or underscores.
fn annotations(value: &Value) -> Annotations {
    let pairs = value.as_object().into_iter().flatten().map(|(key, value)| {
        let key = key.replace('_', "-");
        let is_ours = key.starts_with("paused") || key.starts_with("force");
        let key = if is_ours { format!("autoscaling.keda.sh/{key}") } else { key };
        (key, text(value).unwrap_or_default())
    });
    Annotations(pairs.collect())
}

fn metadata(input: &Value) -> BTreeMap<String, String> {
    let pairs = input["metadata"].as_object().into_iter().flatten();
    pairs.map(|(key, value)| (key.clone(), text(value).unwrap_or_default())).collect()
}

fn trigger_of_type(kind: &Value) -> Trigger {
    Trigger { kind: text(kind).unwrap_or_default(), ..Trigger::default() }
}

fn metric_type(value: &Value) -> Option<MetricType> {
    match value.as_str()? {
        "AverageValue" => Some(MetricType::AverageValue),
        "Value" => Some(MetricType::Value),
        "Utilization" => Some(MetricType::Utilization),
        _ => None,
    }
}

fn bounds(input: &Value) -> Value {
    let error = match admission::check_bounds(&object(input)) {
        Ok(()) => None,
        Err(Violation::MinAboveMax { .. }) => Some("min_above_max"),
        Err(Violation::IdleNotBelowMin { .. }) => Some("idle_not_below_min"),
        Err(_) => Some("other"),
    };
    json!({ "error": error })
}

fn executor_poll(input: &Value) -> Value {
    let state = &input["state"];
    let ago = |key: &str| state[key].as_f64().map(|ago| -nanos(ago));
    let mut object = object(&input["spec"]);
    object.annotations = annotations(&input["annotations"]);
    let verdict = executor::decide(
        &object,
        PollState {
            replicas: count(&state["current_replicas"]).unwrap_or(0),
            is_active: state["is_active"] == true,
            is_error: state["is_error"] == true,
            now_ns: 0,
            created_ns: ago("created_ago_s").unwrap_or(0),
            last_active_ns: ago("last_active_ago_s"),
        },
    );
    let Verdict { scale_to, sets_last_active, active, ready, is_paused, .. } = verdict;
    let (active, reason) = match active {
        None => ("unset", None),
        Some(ActiveReason::ScalerActive) => ("True", Some("ScalerActive")),
        Some(ActiveReason::ScalerNotActive) => ("False", Some("ScalerNotActive")),
        Some(ActiveReason::ScalerCooldown) => ("False", Some("ScalerCooldown")),
    };
    let ready = match ready {
        Condition::True => "True",
        Condition::False => "False",
        Condition::Unknown => "Unknown",
    };
    json!({
        "scale_to": scale_to, "sets_last_active": sets_last_active, "active": active, "active_reason": reason, "ready": ready,
        "paused": is_paused,
    })
}

fn timeline(input: &Value) -> Value {
    let mut object = object(&input["spec"]);
    object.annotations = annotations(&input["annotations"]);
    let period_s = input["polling_interval_s"].as_f64().unwrap_or(30.0);
    let mut replicas = count(&input["initial_replicas"]).unwrap_or(0);
    let mut scale_loop = ScaleLoop {
        created_s: input["created_at_s"].as_f64().unwrap_or(0.0).floor() as i64,
        last_active_s: None,
        query_latency: seconds(&input["eval_latency_s"]).unwrap_or(SimDuration::ZERO),
    };
    let mut writes = Vec::new();
    for (poll, result) in input["poll_results"].as_array().into_iter().flatten().enumerate() {
        if let Some(changed) = count(&input["external_replica_changes"][poll.to_string()]) {
            replicas = changed;
        }
        let found = ObjectState { is_active: *result == true, is_error: *result == "E" };
        let now = SimTime::ZERO + SimDuration::from_secs_f64(period_s * poll as f64);
        if let Some(to) = scale_loop.decide(&object, replicas, found, now).scale_to {
            writes.push(json!({
                "t": now.as_secs_f64(), "poll_index": poll, "from_replicas": replicas, "to_replicas": to,
            }));
            replicas = to;
        }
    }
    json!({"operator_writes": writes, "final_replicas": replicas})
}

fn fallback_read(input: &Value) -> Value {
    let fallback = fallback_of(&input["fallback"]);
    let target_type = metric_type(&input["target_type"]).unwrap_or(MetricType::AverageValue);
    let modifiers = text(&input["mod_target"]).map(|target| ScalingModifiers {
        target: Some(target),
        metric_type: Some(target_type),
        ..ScalingModifiers::default()
    });
    let circumstances = Circumstances {
        fallback: fallback.as_ref(),
        modifiers: modifiers.as_ref(),
        target: input["target"].as_f64().unwrap_or(0.0),
        metric_type: target_type,
        replicas_current: count(&input["current_replicas"]).unwrap_or(0),
        replicas_ready: count(&input["ready_replicas"]).unwrap_or(0),
    };
    let mut failures = count(&input["failures_before"]).unwrap_or(0);
    let read = match (input["query_ok"] == true, input["query_value"].as_f64()) {
        (true, Some(value)) => Ok(nanos(value) / 1_000_000),
        _ => Err("the query failed".to_owned()),
    };
    let (value, error, active) = match fallback::serve(&circumstances, &mut failures, read) {
        Served::Live(value_m) => (Some(value_m as f64 / 1000.0), false, false),
        Served::Fallback(value_m) => (Some(value_m as f64 / 1000.0), false, true),
        Served::Nil => (None, false, false),
        Served::Failed(_) => (None, true, false),
    };
    // A trigger that is nil in the formula travels as the placeholder -1.
    let also = if value.is_none() && !error { json!({"value": [-1]}) } else { json!({}) };
    json!({"value": value, "error": error, "fallback_active": active, "failures": failures, "also": also})
}

fn fallback_validity(input: &Value) -> Value {
    let kinds = input["trigger_types"].as_array().into_iter().flatten();
    let mut object = object(input);
    object.triggers = kinds.map(trigger_of_type).collect();
    object.advanced.scaling_modifiers = (input["uses_modifiers"] == true).then(ScalingModifiers::default);
    json!({"valid": admission::check_fallback(&object).is_ok()})
}

fn object_state(input: &Value) -> Value {
    let triggers: Vec<TriggerState> = input["triggers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|trigger| TriggerState {
            is_resource: trigger_of_type(&trigger["type"]).is_resource(),
            is_active: match trigger["active"].as_array() {
                Some(metrics) => state::activity_of(metrics.iter().map(|metric| *metric == true)),
                None => trigger["active"] == true,
            },
            is_fallback: trigger["fallback_active"] == true,
            is_error: trigger["error"] == true,
        })
        .collect();
    let modifiers = &input["modifiers"];
    let composite = modifiers.is_object().then(|| Composite {
        value: modifiers["composite_value"].as_f64(),
        activation_target: modifiers["activation_target"].as_f64().unwrap_or(0.0),
    });
    let ObjectState { is_active, is_error } = state::combine(&triggers, composite);
    json!({"is_active": is_active, "is_error": is_error})
}

fn modifier_value(input: &Value) -> Value {
    let behavior =
        if input["modifiers_fallback"] == true { FallbackBehavior::ScalingModifiers } else { FallbackBehavior::Static };
    let failure_threshold = input["failure_threshold"].as_i64().unwrap_or(0) as i32;
    let fallback = Fallback { failure_threshold, replicas: 1, behavior };
    let value = input["value"].as_f64().unwrap_or(0.0);
    let found = fallback::formula_value(value, count(&input["failures"]), Some(&fallback));
    json!({"nil": found.is_none(), "value": found})
}

fn formula(input: &Value) -> Value {
    let values = input["values"].as_object().into_iter().flatten();
    let values: BTreeMap<String, Option<f64>> = values.map(|(name, value)| (name.clone(), value.as_f64())).collect();
    let found = Formula::parse(input["formula"].as_str().unwrap_or("")).and_then(|formula| formula.evaluate(&values));
    let modifiers = ScalingModifiers { target: text(&input["target"]), ..ScalingModifiers::default() };
    let replicas = input["fallback_replicas"].as_i64().unwrap_or(0) as i32;
    let fallback = Fallback { failure_threshold: 0, replicas, behavior: FallbackBehavior::ScalingModifiers };
    let value = match found {
        Err(_) => None,
        Ok(Some(value)) => Some(value),
        Ok(None) => fallback::composite_of_nil(&fallback, &modifiers).map(|value_m| value_m as f64 / 1000.0),
    };
    json!({"value": value, "error": value.is_none()})
}

fn deactivation_target(input: &Value) -> Value {
    let object = object(input);
    json!({"from_idle": object.replicas_idle.is_some(), "replicas": object.deactivation_replicas()})
}

fn pause_count(input: &Value) -> Value {
    let count = annotations(&input["annotations"]).paused_replicas();
    json!({"count": count.as_ref().ok().copied().flatten(), "error": count.is_err()})
}

fn hpa_bounds(input: &Value) -> Value {
    let object = object(input);
    json!({"hpa_min": object.hpa_replicas_min(), "hpa_max": object.hpa_replicas_max()})
}

fn hpa_name(input: &Value) -> Value {
    let mut object = ScaledObject { name: text(&input["scaledobject"]).unwrap_or_default(), ..ScaledObject::default() };
    object.advanced.hpa_name = text(&input["custom_name"]);
    json!({"name": object.hpa_name()})
}

/// A trigger with metadata its scaler accepts, carrying the numbers the vector gives.
fn full_trigger(input: &Value) -> Trigger {
    let mut trigger = trigger_of_type(&input["type"]);
    trigger.name = text(&input["name"]);
    trigger.metric_type = metric_type(&input["metric_type"]);
    let given = |key: &str| text(&input[key]).unwrap_or_default();
    let pairs: Vec<(&str, String)> = match trigger.kind.as_str() {
        "prometheus" => {
            vec![("serverAddress", "http://p".into()), ("query", "up".into()), ("threshold", given("threshold"))]
        }
        "cron" => vec![
            ("timezone", "UTC".into()),
            ("start", "0 8 * * *".into()),
            ("end", "0 18 * * *".into()),
            ("desiredReplicas", given("desired_replicas")),
        ],
        _ => {
            // The vectors leave the kind of a cpu target out where it is a percentage.
            trigger.metric_type = trigger.metric_type.or(Some(MetricType::Utilization));
            vec![("value", given("value"))]
        }
    };
    trigger.metadata = pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    trigger
}

fn hpa_metrics(input: &Value) -> Outcome {
    let mut object = ScaledObject { name: "so".to_owned(), ..ScaledObject::default() };
    object.triggers = input["triggers"].as_array().into_iter().flatten().map(full_trigger).collect();
    let modifiers = &input["modifiers"];
    object.advanced.scaling_modifiers = modifiers.is_object().then(|| ScalingModifiers {
        formula: text(&modifiers["formula"]),
        target: text(&modifiers["target"]),
        activation_target: text(&modifiers["activation_target"]),
        metric_type: metric_type(&modifiers["metric_type"]),
    });
    let scalers = object.triggers.iter().map(|trigger| Scaler::all_of(trigger, object.release));
    let scalers = scalers.collect::<Result<Vec<_>, _>>().map_err(|fault| fault.to_string())?;
    let hpa = generated::hpa_spec(&object, &scalers).map_err(|error| error.to_string())?;
    Ok(json!({"metrics": hpa.metrics.iter().map(metric).collect::<Vec<_>>()}))
}

fn metric(spec: &MetricSpec) -> Value {
    let (kind, name, target) = match spec {
        MetricSpec::External { name, target, .. } => ("External", name, *target),
        MetricSpec::Resource { name, target } => ("Resource", name, *target),
        MetricSpec::ContainerResource { name, target, .. } => ("ContainerResource", name, *target),
        other => return json!({"kind": format!("{other:?}")}),
    };
    let (target_type, target) = match target {
        MetricTarget::Utilization(percent) => ("Utilization", f64::from(percent)),
        MetricTarget::AverageValue(milli) => ("AverageValue", milli as f64 / 1000.0),
        MetricTarget::Value(milli) => ("Value", milli as f64 / 1000.0),
    };
    match name.split_once('-') {
        _ if kind != "External" => {
            json!({"kind": kind, "resource": name, "target_type": target_type, "target": target})
        }
        // Names of triggers' metrics are given by their index prefix, that of the composite metric in full.
        Some((index, _)) if index.starts_with('s') => {
            json!({"kind": kind, "target_type": target_type, "target": target, "name_prefix": format!("{index}-")})
        }
        _ => json!({"kind": kind, "name": name, "target_type": target_type, "target": target}),
    }
}

fn hpa_behavior(input: &Value) -> Value {
    let rules = |snake: &str, camel: &str| {
        let given = &input["behavior"];
        let given = if given[snake].is_object() { &given[snake] } else { &given[camel] };
        let policy = text(&given["select_policy"]).or_else(|| text(&given["selectPolicy"]));
        let select_policy = policy.map(|policy| match policy.as_str() {
            "Min" => SelectPolicy::Min,
            "Disabled" => SelectPolicy::Disabled,
            _ => SelectPolicy::Max,
        });
        given.is_object().then(|| Rules { select_policy, ..Rules::default() })
    };
    let mut object = ScaledObject { annotations: annotations(&input["annotations"]), ..ScaledObject::default() };
    object.advanced.behavior = input["behavior"]
        .is_object()
        .then(|| Behavior { scale_up: rules("scale_up", "scaleUp"), scale_down: rules("scale_down", "scaleDown") });
    let behavior = generated::behavior(&object).unwrap_or_default();
    let select = |rules: Option<Rules>| rules.and_then(|rules| rules.select_policy).map(|policy| format!("{policy:?}"));
    json!({"scale_down_select_policy": select(behavior.scale_down), "scale_up_select_policy": select(behavior.scale_up)})
}

fn hpa_specs(input: &Value) -> Value {
    let spec = |name: &Value| MetricSpec::External {
        name: name.to_string(),
        selector: Vec::new(),
        target: MetricTarget::AverageValue(1000),
    };
    let per_trigger = input["trigger_specs"].as_array().into_iter().flatten();
    let per_trigger = per_trigger.map(|specs| specs.as_array().into_iter().flatten().map(spec).collect()).collect();
    let found = generated::collected(&ScaledObject::default(), per_trigger);
    json!({"error": found.is_err(), "count": found.map_or(0, |metrics| metrics.len())})
}

fn health_prune(input: &Value) -> Value {
    let health = input["health"].as_object().into_iter().flatten();
    let health = health.map(|(name, failures)| (name.clone(), count(failures).unwrap_or(0))).collect();
    let names: Vec<&str> = input["metric_names"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    json!({"health": generated::pruned_health(health, &names)})
}

fn triggers(input: &Value) -> Value {
    let given = input["triggers"].as_array().into_iter().flatten();
    let triggers: Vec<Trigger> = given
        .map(|trigger| Trigger {
            name: text(&trigger["name"]),
            use_cached_metrics: trigger["use_cached_metrics"] == true,
            ..trigger_of_type(&trigger["type"])
        })
        .collect();
    let error = match admission::check_triggers(&triggers) {
        Ok(()) => None,
        Err(Violation::NoTriggers) => Some("no_triggers"),
        Err(Violation::DuplicateTriggerName { .. }) => {
            let words =
                ["duplicate_names", "duplicate_trigger_name", "name_not_unique", "names_not_unique", "duplicate"];
            return json!({"error": "duplicate_name", "also": {"error": words}});
        }
        Err(Violation::CachedUnsupported { .. }) => Some("cached_unsupported"),
        Err(_) => Some("other"),
    };
    json!({ "error": error })
}

fn warnings(input: &Value) -> Value {
    let mut object = object(input);
    object.triggers = vec![Trigger { use_cached_metrics: input["use_cached_metrics"] == true, ..Trigger::default() }];
    let word = |warning: &Warning| match warning {
        Warning::PollingIntervalIrrelevant => "polling_interval_irrelevant",
        Warning::CooldownIrrelevant => "cooldown_irrelevant",
        _ => "other",
    };
    json!({"warnings": admission::irrelevant_fields(&object).iter().map(word).collect::<Vec<_>>()})
}

fn scale_to_zero(input: &Value) -> Value {
    let mut object = object(input);
    object.triggers = input["trigger_types"].as_array().into_iter().flatten().map(trigger_of_type).collect();
    json!({"valid": admission::check_scale_to_zero(&object).is_ok()})
}

fn name_length(input: &Value) -> Value {
    let length = input["name_length"].as_u64().unwrap_or(0) as usize;
    let mut object = ScaledObject { name: "n".repeat(length), ..ScaledObject::default() };
    object.advanced.hpa_name = match input["custom_hpa_name"].as_u64() {
        Some(length) => Some("h".repeat(length as usize)),
        None => text(&input["custom_hpa_name"]),
    };
    json!({"valid": admission::check_names(&object).is_ok()})
}

fn modifiers(input: &Value) -> Value {
    let names = input["trigger_names"].as_array().into_iter().flatten();
    let mut object = object(input);
    object.triggers = names.map(|name| Trigger { name: text(name), ..Trigger::default() }).collect();
    if let Some(behavior) = input["fallback_behavior"].as_str().and_then(FallbackBehavior::named) {
        object.fallback = Some(Fallback { failure_threshold: 3, replicas: 1, behavior });
    }
    object.advanced.scaling_modifiers = Some(ScalingModifiers {
        formula: text(&input["formula"]),
        target: text(&input["target"]),
        activation_target: text(&input["activation_target"]),
        metric_type: metric_type(&input["metric_type"]),
    });
    let checked = admission::check_triggers(&object.triggers).and_then(|()| admission::check_modifiers(&object));
    json!({"valid": checked.is_ok()})
}

/// The answer of Prometheus arrives as the wire has it: a list of `[time, "value"]` per series.
fn prometheus_query(input: &Value) -> Value {
    let ignore_null_values = input["ignore_null_values"] != false;
    let metadata =
        PrometheusMetadata { query: "q".to_owned(), threshold: 1.0, activation_threshold: 0.0, ignore_null_values };
    let is_answered = input["http_status"].as_u64().is_none_or(|status| (200..300).contains(&status));
    let empty = Vec::new();
    let series = input["series"].as_array().unwrap_or(&empty);
    let found = match series.as_slice() {
        _ if !is_answered => Err("the server answered with an error".to_owned()),
        [only] => match only.as_array().map_or(&[] as &[Value], Vec::as_slice) {
            [] => metadata.null("the value list is empty"),
            [_] => Err("the value list is too short".to_owned()),
            // The scaler starts from -1 and keeps it where the value is null.
            [_, Value::Null, ..] => metadata.value_of(&[-1.0]),
            [_, value, ..] => {
                let parsed = text(value).unwrap_or_default().parse::<f64>();
                parsed.map_err(|error| error.to_string()).and_then(|value| metadata.value_of(&[value]))
            }
        },
        several => metadata.value_of(&vec![1.0; several.len()]),
    };
    json!({"value": found.as_ref().ok(), "error": found.is_err()})
}

fn prometheus_activity(input: &Value) -> Outcome {
    let pairs = [
        ("serverAddress", Some("http://p".to_owned())),
        ("query", Some("q".to_owned())),
        ("threshold", text(&input["threshold"]).or(Some("1".to_owned()))),
        ("activationThreshold", text(&input["activation_threshold"])),
    ];
    let metadata = pairs.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
    let active = PrometheusMetadata::parse(&metadata)?.is_active(input["value"].as_f64().unwrap_or(f64::NAN));
    Ok(json!({ "active": active }))
}

fn cron_name(input: &Value) -> Outcome {
    let index = input["trigger_index"].as_u64().unwrap_or(0) as usize;
    Ok(json!({"name": CronMetadata::parse(&metadata(input))?.metric_name(index)}))
}

fn cron_activity(input: &Value) -> Outcome {
    let mut window = CronWindow::new(CronMetadata::parse(&metadata(input))?)?;
    let now = input["now"].as_str().unwrap_or("").parse::<jiff::Timestamp>().map_err(|error| error.to_string())?;
    let active = window.is_active(now.as_second());
    let value = if active { window.metadata().desired_replicas } else { 0 };
    Ok(json!({"active": active, "value": value}))
}
