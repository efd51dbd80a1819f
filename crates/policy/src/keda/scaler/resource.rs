//! cpu and memory triggers: no scaler of their own, they become Resource metrics of the HPA.

use super::Metadata;
use crate::hpa::MetricTarget;
use crate::keda::quantity::milli_from_text;
use crate::keda::{MetricType, Release, Trigger};

/// Metadata of a cpu or memory trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceMetadata {
    /// `cpu` or `memory`.
    pub resource: String,
    /// Utilization or AverageValue.
    pub target: MetricTarget,
    /// `containerName`.
    pub container: Option<String>,
}

impl ResourceMetadata {
    /// Keys that take part in the model.
    pub const KEYS: [&str; 3] = ["value", "type", "containerName"];

    pub(super) fn parse(trigger: &Trigger, release: Release) -> Result<Self, String> {
        let metadata = Metadata(&trigger.metadata);
        let value = metadata.required("value")?;
        // `metadata.type` is the old place of `metricType`.
        if release >= Release::new(2, 18, 0) && trigger.metric_type.is_none() && metadata.text("type").is_some() {
            let what = "metadata.type was removed in KEDA 2.18; write it as metricType beside metadata";
            return Err(what.to_owned());
        }
        let metric_type = match (trigger.metric_type, metadata.text("type")) {
            (Some(metric_type), _) => metric_type,
            (None, Some("Utilization")) => MetricType::Utilization,
            (None, Some("AverageValue")) => MetricType::AverageValue,
            (None, found) => {
                let found = found.unwrap_or("nothing");
                return Err(format!("metricType: found {found}, allowed are Utilization and AverageValue"));
            }
        };
        let target = match metric_type {
            MetricType::Utilization => value.parse().ok().map(MetricTarget::Utilization),
            MetricType::AverageValue => milli_from_text(value).map(MetricTarget::AverageValue),
            MetricType::Value => {
                return Err("metricType: found Value, allowed are Utilization and AverageValue".to_owned());
            }
        };
        let target = target.ok_or_else(|| format!("metadata.value: `{value}` is not a value for this metricType"))?;
        let container = metadata.text("containerName").map(str::to_owned);
        Ok(Self { resource: trigger.kind.clone(), target, container })
    }
}
