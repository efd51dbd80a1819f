//! A ScaledObject as its owner wrote it, typed; what is `None` gets its default from the accessors here.

use std::collections::BTreeMap;

use units::SimDuration;

use super::{Annotations, Feed, Release};
use crate::hpa::Behavior;

/// `kind: ScaledObject`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScaledObject {
    /// `metadata.name`, at most 63 characters.
    pub name: String,
    /// `metadata.annotations`.
    pub annotations: Annotations,
    /// `spec.scaleTargetRef.name`.
    pub scale_target: String,
    /// `spec.pollingInterval`, whole seconds, at least 1.
    pub polling_interval: Option<SimDuration>,
    /// `spec.cooldownPeriod`, whole seconds.
    pub cooldown_period: Option<SimDuration>,
    /// `spec.initialCooldownPeriod`, whole seconds.
    pub initial_cooldown_period: Option<SimDuration>,
    /// `spec.minReplicaCount`; unset is not the same as 0 where idle mode is checked.
    pub replicas_min: Option<u32>,
    /// `spec.maxReplicaCount`.
    pub replicas_max: Option<u32>,
    /// `spec.idleReplicaCount`; set turns idle mode on.
    pub replicas_idle: Option<u32>,
    /// `spec.fallback`.
    pub fallback: Option<Fallback>,
    /// `spec.triggers`.
    pub triggers: Vec<Trigger>,
    /// `spec.advanced`.
    pub advanced: Advanced,
    /// The KEDA that runs it.
    pub release: Release,
}

/// One entry of `spec.triggers`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trigger {
    /// `type`: `prometheus`, `cron`, `cpu`, …
    pub kind: String,
    /// `name`; needed by a formula that uses the trigger.
    pub name: Option<String>,
    /// `metadata`, as written.
    pub metadata: BTreeMap<String, String>,
    /// `metricType`.
    pub metric_type: Option<MetricType>,
    /// `useCachedMetrics`: the HPA is answered with the value of the last poll.
    pub use_cached_metrics: bool,
    /// What stands in for its source, as far as the scenario says: one feed per metric; none leaves it to the type's default.
    pub feeds: Vec<Feed>,
}

/// `metricType`: how the HPA compares a value with its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricType {
    /// Value divided by the number of replicas; the default.
    AverageValue,
    /// The value itself, counting ready replicas.
    Value,
    /// Percent of the request; cpu and memory only.
    Utilization,
}

/// `spec.fallback`. Signed, because the API accepts negative numbers and KEDA then treats the block as invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// `failureThreshold`: consecutive failures that are still passed on.
    pub failure_threshold: i32,
    /// `replicas`.
    pub replicas: i32,
    /// `behavior`.
    pub behavior: FallbackBehavior,
}

/// `spec.fallback.behavior`: how many replicas a failed metric stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FallbackBehavior {
    /// `static`: the given number.
    #[default]
    Static,
    /// `currentReplicas`: the present number.
    CurrentReplicas,
    /// `currentReplicasIfHigher`: the larger of the two.
    CurrentReplicasIfHigher,
    /// `currentReplicasIfLower`: the smaller of the two.
    CurrentReplicasIfLower,
    /// `scalingModifiers`: the trigger becomes nil in the formula.
    ScalingModifiers,
}

impl FallbackBehavior {
    /// The behaviour of this name, as the API spells it.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "static" => Self::Static,
            "currentReplicas" => Self::CurrentReplicas,
            "currentReplicasIfHigher" => Self::CurrentReplicasIfHigher,
            "currentReplicasIfLower" => Self::CurrentReplicasIfLower,
            "scalingModifiers" => Self::ScalingModifiers,
            _ => return None,
        })
    }
}

/// `spec.advanced`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Advanced {
    /// `restoreToOriginalReplicaCount`: acts when the object is deleted, which no run does.
    pub restore_to_original_replica_count: bool,
    /// `horizontalPodAutoscalerConfig.name`.
    pub hpa_name: Option<String>,
    /// `horizontalPodAutoscalerConfig.behavior`.
    pub behavior: Option<Behavior>,
    /// `scalingModifiers`.
    pub scaling_modifiers: Option<ScalingModifiers>,
}

/// `spec.advanced.scalingModifiers`, numbers as the strings they are in the API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScalingModifiers {
    /// `formula` over trigger names.
    pub formula: Option<String>,
    /// `target` of the composite metric, above 0.
    pub target: Option<String>,
    /// `activationTarget`, default 0.
    pub activation_target: Option<String>,
    /// `metricType`, AverageValue or Value.
    pub metric_type: Option<MetricType>,
}

impl ScaledObject {
    /// Time between two polls, 30 s unless set.
    pub fn polling_interval(&self) -> SimDuration {
        self.polling_interval.unwrap_or(SimDuration::from_secs(30))
    }

    /// How long the object must have been inactive before it is scaled to zero or idle, 300 s unless set.
    pub fn cooldown_period(&self) -> SimDuration {
        self.cooldown_period.unwrap_or(SimDuration::from_secs(300))
    }

    /// The same for an object that has never been active, counted from its creation; 0 s unless set.
    pub fn initial_cooldown_period(&self) -> SimDuration {
        self.initial_cooldown_period.unwrap_or(SimDuration::ZERO)
    }

    /// `minReplicas` of the generated HPA: never below 1.
    pub fn hpa_replicas_min(&self) -> u32 {
        self.replicas_min.unwrap_or(0).max(1)
    }

    /// `maxReplicas` of the generated HPA.
    pub fn hpa_replicas_max(&self) -> u32 {
        self.replicas_max.unwrap_or(100)
    }

    /// The fallback that is in use: up to 2.19 KEDA passed over it where `scalingModifiers` are given.
    pub fn effective_fallback(&self) -> Option<&Fallback> {
        let is_used = self.advanced.scaling_modifiers.is_none() || self.release >= Release::new(2, 20, 0);
        self.fallback.as_ref().filter(|_| is_used)
    }

    /// Name of the generated HPA.
    pub fn hpa_name(&self) -> String {
        match &self.advanced.hpa_name {
            Some(name) if !name.is_empty() => name.clone(),
            _ => format!("keda-hpa-{}", self.name),
        }
    }

    /// What an activation writes.
    pub fn activation_replicas(&self) -> u32 {
        self.replicas_min.unwrap_or(0).max(1)
    }

    /// What a deactivation writes: the idle count in idle mode, otherwise the minimum.
    pub fn deactivation_replicas(&self) -> u32 {
        self.replicas_idle.unwrap_or(self.replicas_min.unwrap_or(0))
    }
}

impl Trigger {
    /// Its name, else its type: how messages and explanations call it.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.kind)
    }

    /// True for cpu and memory, which take no part in activity and reach the HPA as Resource metrics.
    pub fn is_resource(&self) -> bool {
        is_resource_kind(&self.kind)
    }
}

/// True for the trigger types that become Resource metrics.
pub(super) fn is_resource_kind(kind: &str) -> bool {
    kind == "cpu" || kind == "memory"
}

impl ScalingModifiers {
    /// The target as a whole number, which is all a fallback can work with; `None` makes the fallback invalid.
    pub fn target_whole(&self) -> Option<i64> {
        self.target.as_deref().and_then(|text| text.parse::<i64>().ok()).filter(|value| *value > 0)
    }

    /// The target, if it is a number above 0.
    pub fn target_number(&self) -> Option<f64> {
        self.target.as_deref().and_then(|text| text.parse::<f64>().ok()).filter(|value| *value > 0.0)
    }
}
