//! From the triggers of one poll to the state of the object (`scale_handler.go:getScaledObjectState`).

/// What one trigger said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TriggerState {
    /// cpu or memory.
    pub is_resource: bool,
    /// Its value is above its activation threshold.
    pub is_active: bool,
    /// Its failures have gone past the threshold and a fallback value stands in for it.
    pub is_fallback: bool,
    /// It failed and nothing stands in for it.
    pub is_error: bool,
}

/// What the formula came to, where there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Composite {
    /// Its value; `None` if it could not be worked out, which is not an error of the object.
    pub value: Option<f64>,
    /// `activationTarget`.
    pub activation_target: f64,
}

/// The state of the whole object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectState {
    /// It wants to be awake.
    pub is_active: bool,
    /// Some trigger failed without a fallback value.
    pub is_error: bool,
}

/// Combines: active is OR over triggers, a trigger in fallback counts as active, a formula replaces that wholly. Where all triggers
/// are cpu or memory nothing could ever wake the target, so the object is always active.
pub fn combine(triggers: &[TriggerState], composite: Option<Composite>) -> ObjectState {
    let is_error = triggers.iter().any(|trigger| trigger.is_error && !trigger.is_fallback);
    let is_active = match composite {
        Some(composite) => !is_error && composite.value.is_some_and(|value| value > composite.activation_target),
        None => triggers.iter().any(|trigger| !trigger.is_resource && (trigger.is_active || trigger.is_fallback)),
    };
    let is_resource_only = triggers.iter().all(|trigger| trigger.is_resource);
    ObjectState { is_active: is_active || (is_resource_only && !is_error), is_error }
}

/// Activity of a trigger that emits several metrics: the last one decides, the others do not matter
/// (`scale_handler.go:getScalerState` assigns where one would expect OR).
pub fn activity_of(metrics: impl Iterator<Item = bool>) -> bool {
    metrics.last().unwrap_or(false)
}
