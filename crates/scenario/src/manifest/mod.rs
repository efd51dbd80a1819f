//! Kubernetes manifests as users have them, whole folders of them.
//!
//! What a manifest says and the model has is typed here; what has no effect is taken out and counted; what would matter and is not
//! modelled is refused. This module does not know how manifests are put together into an experiment.

mod adapter;
mod admission;
mod amounts;
mod autoscaler;
mod budget;
mod charts;
mod common;
mod deployment;
mod documents;
mod endpoint_picker;
mod habits;
mod http_scaled_object;
mod karpenter;
mod kind_table;
mod kinds;
mod label_selector;
mod monitors;
mod pod_facts;
mod pod_requests;
mod probes;
mod prometheus_rule;
mod rules;
mod scaled_object;
mod scheduling;
mod templates;
mod versions;
pub mod workload;

pub use adapter::{
    AdapterFile, AdapterFound, AdapterNameFile, AdapterResourceFile, AdapterResourcesFile, AdapterRuleFile,
    SeriesFilterFile,
};
pub use admission::{DeviceRequestFile, LimitRangeFile, PriorityClassFile, ResourceQuotaFile, is_kind, read_loosely};
pub use autoscaler::{HpaFile, HpaSpecFile, ScaleTargetFile};
pub use budget::BudgetFile;
pub use charts::{ChartValues, chart_values, is_monitoring_values};
pub use common::{IntOrPercent, MetadataFile, Quantity};
pub use deployment::{ContainerFile, DeploymentFile, is_accelerator};
pub use documents::{Document, Gathered, Origin, group_and_version};
pub(crate) use endpoint_picker::{PICKER_KIND, PickerRole, PickerRules, holds_picker, read_picker};
pub use http_scaled_object::{HttpScaledObjectFile, InterceptorRouteFile, ScalingMetricFile};
pub use karpenter::{
    KarpenterDisruption, KarpenterPool, NodeClassRef, Operator, Requirement, default_budget, disruption_budget,
};
pub use kinds::{Kind, Treatment};
pub use label_selector::LabelSelector;
pub use monitors::{Family, Monitor, MonitorEndpoint, Namespaces, duration, group_kind};
pub use pod_facts::{ContainerFacts, PodFacts, PortFacts, PortReference, ServiceFacts, ServicePort};
pub use pod_requests::BesideContainers;
pub use probes::ReadProbes;
pub use prometheus_rule::{RuleGroupFile, RuleOrigin, holds_groups, holds_rule_files, read_groups};
pub use scaled_object::{ScaledObjectFile, ScaledObjectSpecFile};
pub use scheduling::{Required, TaintFile, TolerationFile, protection};
pub use templates::first_action;

use crate::error::ScenarioError;
use crate::tree::{Node, Value, parse_path};

/// A manifest typed, and the paths of what was ignored in it. A key that is not known is ignored as well; where it is a slip of one that
/// counts, its path says so (see [`is_slip`]).
pub fn read<T: serde::de::DeserializeOwned>(document: &Document) -> Result<(T, Vec<String>), ScenarioError> {
    let mut node = document.node.clone();
    if let Value::Map(entries) = &mut node.value {
        entries.retain(|entry| entry.key != "apiVersion" && entry.key != "kind");
    }
    let rules = rules::of(document.kind);
    let mut ignored = rules::prune(&mut node, rules)?;
    loop {
        match node.read("") {
            Ok(value) => return Ok((value, ignored)),
            // prometheus-adapter itself does not start with a key it does not know.
            Err(error) if document.kind == Kind::AdapterConfig => return Err(rules::with_ignored_names(error, rules)),
            Err(error) => ignored.push(forgive(&mut node, unsubstituted(error), rules)?),
        }
    }
}

/// True if an ignored path is that of a key that was probably meant to be another one.
pub fn is_slip(ignored: &str) -> bool {
    ignored.contains("; did you mean `")
}

/// Takes an unknown key of a manifest out and returns its path; any other error, and a slip in an override, is one.
fn forgive(node: &mut Node, error: ScenarioError, rules: &[&[rules::Rule]]) -> Result<String, ScenarioError> {
    let ScenarioError::UnknownKey { at, allowed } = &error else { return Err(error) };
    if at.place.source.starts_with("--set ") {
        return Err(rules::with_ignored_names(error, rules));
    }
    let segments = if at.path.is_empty() { Vec::new() } else { parse_path(&at.path).unwrap_or_default() };
    let path = if at.path.is_empty() { allowed.found.clone() } else { format!("{}.{}", at.path, allowed.found) };
    if node.deepest_mut(&segments).and_then(|parent| parent.take(&allowed.found)).is_none() {
        return Err(rules::with_ignored_names(error, rules));
    }
    let near = names::nearest(&allowed.found, allowed.names.iter().map(String::as_str));
    Ok(match near {
        Some(near) => format!("{path} (line {}) is not known; did you mean `{near}`?", at.place.line),
        None => path,
    })
}

/// A word that stands where a number belongs may be one that was to be replaced before.
fn unsubstituted(error: ScenarioError) -> ScenarioError {
    let ScenarioError::WrongValue { at, found, expected } = &error else { return error };
    let text = found.strip_prefix("text `").and_then(|rest| rest.strip_suffix('`'));
    match text.and_then(habits::placeholder) {
        Some(variable) => ScenarioError::WrongValue {
            at: at.clone(),
            found: format!("unsubstituted variable `{variable}`"),
            expected: format!("{expected}; put the value in first, as `envsubst < FILE` does"),
        },
        None => error,
    }
}
