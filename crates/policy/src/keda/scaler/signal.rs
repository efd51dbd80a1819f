//! Triggers fed by a signal the simulator names, in place of a service outside the cluster.
//!
//! `metadata.scalelabSignal` names the signal (`queue_length`, `in_flight`, `arrival_rate`, …). For `metrics-api` the other keys are
//! KEDA's own; an external scaler defines its own target, so here `targetValue` and `activationTargetValue` say it for that too.

use super::{Metadata, normalized};

/// Metadata of a `metrics-api`, `external` or `external-push` trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalMetadata {
    /// `scalelabSignal`.
    pub signal: String,
    /// `targetValue`: the HPA's target.
    pub target: f64,
    /// `activationTargetValue`, default 0.
    pub activation_target: f64,
    /// The metric name without its index.
    name: String,
}

impl SignalMetadata {
    /// Keys that take part in the model.
    pub const KEYS: [&str; 4] = ["scalelabSignal", "targetValue", "activationTargetValue", "valueLocation"];

    pub(super) fn parse(kind: &str, metadata: Metadata<'_>) -> Result<Self, String> {
        let signal = metadata
            .required("scalelabSignal")
            .map_err(|missing| format!("{missing}: it names the simulated signal that feeds the trigger"))?
            .to_owned();
        let name = match kind {
            "metrics-api" => format!("metric-api-{}", metadata.text("valueLocation").unwrap_or(&signal)),
            _ => signal.clone(),
        };
        let target = metadata.required_number("targetValue")?;
        let activation_target = metadata.number("activationTargetValue")?.unwrap_or(0.0);
        Ok(Self { signal, target, activation_target, name: normalized(&name) })
    }

    pub(super) fn metric_name(&self, index: usize) -> String {
        format!("s{index}-{}", self.name)
    }
}
