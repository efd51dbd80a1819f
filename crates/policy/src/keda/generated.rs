//! The HorizontalPodAutoscaler KEDA generates (`controllers/keda/hpa.go`).

use std::collections::BTreeMap;

use super::quantity::{milli_from_f64, milli_truncated};
use super::scaler::Scaler;
use super::{MetricType, ScaledObject, Violation};
use crate::LabelCondition;
use crate::hpa::{Behavior, HpaSpec, MetricSpec, MetricTarget, SelectPolicy};

/// Name of the one metric a formula gives.
pub const COMPOSITE_METRIC: &str = "composite-metric";

/// Label by which the metrics adapter finds the ScaledObject.
pub const SELECTOR_LABEL: &str = "scaledobject.keda.sh/name";

/// The whole HPA. `scalers` are those of the object's triggers, in their order: one per metric.
pub fn hpa_spec(object: &ScaledObject, scalers: &[Vec<Scaler>]) -> Result<HpaSpec, Violation> {
    let specs = object.triggers.iter().zip(scalers).enumerate();
    let per_trigger = specs.map(|(index, (trigger, scalers))| {
        let spec = |scaler: &Scaler| metric_spec(object, scaler, scaler.metric_name(index), trigger.metric_type);
        scalers.iter().map(spec).collect()
    });
    Ok(HpaSpec {
        name: object.hpa_name(),
        replicas_min: object.hpa_replicas_min(),
        replicas_max: object.hpa_replicas_max(),
        metrics: collected(object, per_trigger.collect())?,
        behavior: behavior(object),
    })
}

/// The metrics of all triggers, ordered by type. With a formula the external ones collapse into the composite metric, which comes
/// last. Without any metric there can be no HPA, and KEDA starts no scale loop either.
pub fn collected(object: &ScaledObject, per_trigger: Vec<Vec<MetricSpec>>) -> Result<Vec<MetricSpec>, Violation> {
    let mut metrics: Vec<MetricSpec> = per_trigger.into_iter().flatten().collect();
    if metrics.is_empty() {
        return Err(Violation::NoMetrics);
    }
    let mut names: Vec<&str> = metrics.iter().filter_map(external_name).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Violation::DuplicateMetric { name: pair[0].to_owned() });
    }
    metrics.sort_by_key(type_name);
    if let Some(modifiers) = &object.advanced.scaling_modifiers {
        metrics.retain(|metric| type_name(metric) != "External");
        let target_m = milli_truncated(modifiers.target_number().unwrap_or(0.0));
        metrics.push(external(object, COMPOSITE_METRIC.to_owned(), modifiers.metric_type, target_m));
    }
    Ok(metrics)
}

/// The owner's behavior; pausing one direction adds the Disabled select policy to it and changes nothing else.
pub fn behavior(object: &ScaledObject) -> Option<Behavior> {
    let (no_in, no_out) = (object.annotations.is_scale_in_paused(), object.annotations.is_scale_out_paused());
    let mut behavior = object.advanced.behavior.clone();
    if no_in {
        let rules = behavior.get_or_insert_default().scale_down.get_or_insert_default();
        rules.select_policy = Some(SelectPolicy::Disabled);
    }
    if no_out {
        let rules = behavior.get_or_insert_default().scale_up.get_or_insert_default();
        rules.select_policy = Some(SelectPolicy::Disabled);
    }
    behavior
}

/// Failure counters of metrics that no trigger emits any more are forgotten when the HPA is generated anew.
pub fn pruned_health(health: BTreeMap<String, u32>, metric_names: &[&str]) -> BTreeMap<String, u32> {
    health.into_iter().filter(|(name, _)| metric_names.contains(&name.as_str())).collect()
}

fn metric_spec(object: &ScaledObject, scaler: &Scaler, name: String, metric_type: Option<MetricType>) -> MetricSpec {
    match scaler {
        Scaler::Resource(metadata) => match &metadata.container {
            None => MetricSpec::Resource { name: metadata.resource.clone(), target: metadata.target },
            Some(container) => MetricSpec::ContainerResource {
                name: metadata.resource.clone(),
                container: container.clone(),
                target: metadata.target,
            },
        },
        _ => external(object, name, metric_type, milli_from_f64(scaler.threshold())),
    }
}

fn external(object: &ScaledObject, name: String, metric_type: Option<MetricType>, target_m: i64) -> MetricSpec {
    let target = match metric_type {
        Some(MetricType::Value) => MetricTarget::Value(target_m),
        _ => MetricTarget::AverageValue(target_m),
    };
    MetricSpec::External { name, selector: vec![LabelCondition::equals(SELECTOR_LABEL, &object.name)], target }
}

fn external_name(metric: &MetricSpec) -> Option<&str> {
    match metric {
        MetricSpec::External { name, .. } => Some(name),
        _ => None,
    }
}

/// The `type` of a metric, by which KEDA sorts.
fn type_name(metric: &MetricSpec) -> &'static str {
    match metric {
        MetricSpec::ContainerResource { .. } => "ContainerResource",
        MetricSpec::External { .. } => "External",
        MetricSpec::Object { .. } => "Object",
        MetricSpec::Pods { .. } => "Pods",
        MetricSpec::Resource { .. } => "Resource",
        MetricSpec::Unknown { .. } => "Unknown",
    }
}
