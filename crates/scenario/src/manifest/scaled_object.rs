//! KEDA's ScaledObject, `keda.sh/v1alpha1`.

use std::collections::BTreeMap;

use policy::keda::{
    Advanced, Annotations, Fallback, FallbackBehavior, MetricType, ScaledObject, ScalingModifiers, Trigger,
};
use schemars::JsonSchema;
use serde::Deserialize;
use units::SimDuration;

use super::MetadataFile;
use super::autoscaler::{BehaviorFile, ScaleTargetFile};

/// The manifest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ScaledObjectFile {
    /// `metadata`.
    pub metadata: MetadataFile,
    /// `spec`.
    pub spec: ScaledObjectSpecFile,
}

/// `spec` of a ScaledObject.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ScaledObjectSpecFile {
    /// What it scales; the service, where it is left out in a scenario.
    #[serde(default)]
    pub scale_target_ref: Option<ScaleTargetFile>,
    /// Seconds between polls, 30 unless set.
    #[serde(default)]
    pub polling_interval: Option<u64>,
    /// Seconds of inactivity before scaling to zero or idle, 300 unless set.
    #[serde(default)]
    pub cooldown_period: Option<u64>,
    /// The same for an object that has never been active, 0 unless set.
    #[serde(default)]
    pub initial_cooldown_period: Option<u64>,
    /// Lower bound, 0 unless set.
    #[serde(default)]
    pub min_replica_count: Option<u32>,
    /// Upper bound, 100 unless set.
    #[serde(default)]
    pub max_replica_count: Option<u32>,
    /// Replicas while inactive.
    #[serde(default)]
    pub idle_replica_count: Option<u32>,
    /// What a failed metric stands for.
    #[serde(default)]
    pub fallback: Option<FallbackFile>,
    /// Triggers.
    pub triggers: Vec<TriggerFile>,
    /// The rest.
    #[serde(default)]
    pub advanced: Option<AdvancedFile>,
}

/// `fallback`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FallbackFile {
    /// Consecutive failures that are still passed on.
    pub failure_threshold: i32,
    /// Replicas.
    pub replicas: i32,
    /// How many replicas a failed metric stands for; `static` unless set.
    #[serde(default)]
    pub behavior: Option<FallbackBehaviorFile>,
}

/// `fallback.behavior`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "names of the API")]
pub enum FallbackBehaviorFile {
    Static,
    CurrentReplicas,
    CurrentReplicasIfHigher,
    CurrentReplicasIfLower,
    ScalingModifiers,
}

/// One entry of `triggers`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TriggerFile {
    /// `prometheus`, `cron`, `cpu`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Name, for formulas.
    #[serde(default)]
    pub name: Option<String>,
    /// Its settings, all text.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// `AverageValue` unless set.
    #[serde(default)]
    pub metric_type: Option<MetricTypeFile>,
    /// The HPA is answered with the value of the last poll.
    #[serde(default)]
    pub use_cached_metrics: bool,
}

/// `metricType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "names of the API")]
pub enum MetricTypeFile {
    AverageValue,
    Value,
    Utilization,
}

/// `advanced`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct AdvancedFile {
    /// Acts when the object is deleted, which no run does.
    pub restore_to_original_replica_count: bool,
    /// The generated HPA.
    pub horizontal_pod_autoscaler_config: Option<HpaConfigFile>,
    /// One metric made of all.
    pub scaling_modifiers: Option<ModifiersFile>,
}

/// `horizontalPodAutoscalerConfig`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct HpaConfigFile {
    /// Its name.
    pub name: Option<String>,
    /// Its behavior.
    pub behavior: Option<BehaviorFile>,
}

/// `scalingModifiers`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ModifiersFile {
    /// Formula over trigger names.
    pub formula: Option<String>,
    /// Target of the composite metric.
    pub target: Option<String>,
    /// Above it the object is active.
    pub activation_target: Option<String>,
    /// `AverageValue` unless set.
    pub metric_type: Option<MetricTypeFile>,
}

impl ScaledObjectSpecFile {
    /// The policy's own object; the error is a path below `spec` and what is wrong there.
    pub fn resolve(&self, metadata: &MetadataFile) -> Result<ScaledObject, (String, String)> {
        let seconds = |value: Option<u64>| value.map(SimDuration::from_secs);
        Ok(ScaledObject {
            name: metadata.name.clone(),
            annotations: Annotations(metadata.annotations.clone()),
            scale_target: self.scale_target_ref.as_ref().map(|target| target.name.clone()).unwrap_or_default(),
            polling_interval: seconds(self.polling_interval),
            cooldown_period: seconds(self.cooldown_period),
            initial_cooldown_period: seconds(self.initial_cooldown_period),
            replicas_min: self.min_replica_count,
            replicas_max: self.max_replica_count,
            replicas_idle: self.idle_replica_count,
            fallback: self.fallback.as_ref().map(FallbackFile::resolve),
            triggers: self.triggers.iter().map(TriggerFile::resolve).collect(),
            advanced: self.advanced.as_ref().map(AdvancedFile::resolve).transpose()?.unwrap_or_default(),
            ..ScaledObject::default()
        })
    }
}

impl FallbackFile {
    fn resolve(&self) -> Fallback {
        let behavior = match self.behavior {
            None | Some(FallbackBehaviorFile::Static) => FallbackBehavior::Static,
            Some(FallbackBehaviorFile::CurrentReplicas) => FallbackBehavior::CurrentReplicas,
            Some(FallbackBehaviorFile::CurrentReplicasIfHigher) => FallbackBehavior::CurrentReplicasIfHigher,
            Some(FallbackBehaviorFile::CurrentReplicasIfLower) => FallbackBehavior::CurrentReplicasIfLower,
            Some(FallbackBehaviorFile::ScalingModifiers) => FallbackBehavior::ScalingModifiers,
        };
        Fallback { failure_threshold: self.failure_threshold, replicas: self.replicas, behavior }
    }
}

impl TriggerFile {
    fn resolve(&self) -> Trigger {
        Trigger {
            kind: self.kind.clone(),
            name: self.name.clone(),
            metadata: self.metadata.clone(),
            metric_type: self.metric_type.map(MetricTypeFile::resolve),
            use_cached_metrics: self.use_cached_metrics,
            feeds: Vec::new(),
        }
    }
}

impl MetricTypeFile {
    fn resolve(self) -> MetricType {
        match self {
            Self::AverageValue => MetricType::AverageValue,
            Self::Value => MetricType::Value,
            Self::Utilization => MetricType::Utilization,
        }
    }
}

impl AdvancedFile {
    fn resolve(&self) -> Result<Advanced, (String, String)> {
        let config = self.horizontal_pod_autoscaler_config.clone().unwrap_or_default();
        let below = "advanced.horizontalPodAutoscalerConfig";
        let behavior = config.behavior.as_ref().map(BehaviorFile::resolve).transpose();
        Ok(Advanced {
            restore_to_original_replica_count: self.restore_to_original_replica_count,
            hpa_name: config.name,
            behavior: behavior.map_err(|(path, reason)| (format!("{below}.{path}"), reason))?,
            scaling_modifiers: self.scaling_modifiers.as_ref().map(|modifiers| ScalingModifiers {
                formula: modifiers.formula.clone(),
                target: modifiers.target.clone(),
                activation_target: modifiers.activation_target.clone(),
                metric_type: modifiers.metric_type.map(MetricTypeFile::resolve),
            }),
        })
    }
}
