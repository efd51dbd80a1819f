//! One reconcile pass, from the scale to the write.

use super::conditions::{Condition, Conditions};
use super::config::{HpaConfig, ZeroRule};
use super::defaults::{EffectiveSpec, replicas};
use super::evaluate::{Evaluation, evaluate, skipped};
use super::events::{ScaleEvents, store_event};
use super::limits::{Bounds, LimitReason};
use super::moment::Moment;
use super::normalize::{Rulebook, count, normalize, step};
use super::stabilize::{LoggedRecommendation, Wish};
use crate::{Observation, Trail};

/// What the controller remembers of one HPA between passes. Lives in memory only, save for the conditions: a restart of the
/// controller loses the logs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Raw recommendations; `None` until the first pass, which seeds it with the size it finds.
    pub recommendations: Option<Vec<LoggedRecommendation>>,
    /// Changes this controller made; kept only with `behavior`.
    pub events: ScaleEvents,
    /// Status conditions.
    pub conditions: Conditions,
}

/// Whether the scale subresource answers in this pass. A write conflict that a retry settles counts as an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaleApi {
    /// The scale can be read.
    pub is_readable: bool,
    /// The scale can be written.
    pub is_writable: bool,
}

impl ScaleApi {
    /// Both work.
    pub const UP: Self = Self { is_readable: true, is_writable: true };
}

/// What a pass led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// `spec.replicas` after the pass.
    pub replicas: i32,
    /// True if it was written.
    pub is_written: bool,
    /// True if the pass returns an error, which it may even after a write: one metric failed and the others acted.
    pub is_error: bool,
    /// How it came about.
    pub trail: Trail,
}

/// One pass of the HPA `spec` under the flags `config` over what was `seen`.
pub fn reconcile(
    spec: &EffectiveSpec,
    config: &HpaConfig,
    memory: &mut Memory,
    seen: &Observation<'_>,
    scale: ScaleApi,
) -> Outcome {
    let current = replicas(seen.counts.spec);
    if !scale.is_readable {
        memory.conditions.able_to_scale = Condition::no("FailedGetScale");
        let trail = Trail { reason: "FailedGetScale", ..Trail::default() };
        return finish(current, Decision { desired: current, is_error: true, trail }, memory);
    }
    memory.conditions.able_to_scale = Condition::yes("SucceededGetScale");
    let now = Moment::from(seen.now);
    memory.recommendations.get_or_insert_with(|| vec![LoggedRecommendation { replicas: current, at: now }]);

    let bounds = effective_bounds(spec, seen.floor);
    let decision = decide(spec, config, memory, seen, bounds);
    if decision.desired == current {
        return finish(current, decision, memory);
    }
    if !scale.is_writable {
        memory.conditions.able_to_scale = Condition::no("FailedUpdateScale");
        let trail = Trail { reason: "FailedUpdateScale", ..decision.trail };
        return finish(current, Decision { desired: current, is_error: true, trail }, memory);
    }
    let wish = Wish { current, desired: decision.desired };
    memory.conditions.able_to_scale = Condition::yes("SucceededRescale");
    remember_zero(spec, config, &mut memory.conditions, wish, bounds);
    remember_change(spec, &mut memory.events, wish, now);
    finish(current, decision, memory)
}

struct Decision {
    desired: i32,
    is_error: bool,
    trail: Trail,
}

/// A change of the count from outside a pass, remembered as this controller's own: rate policies are counted against it.
pub fn adopt(spec: &EffectiveSpec, config: &HpaConfig, memory: &mut Memory, (wish, floor): (Wish, u32), now: Moment) {
    if wish.desired != wish.current {
        remember_zero(spec, config, &mut memory.conditions, wish, effective_bounds(spec, floor));
        remember_change(spec, &mut memory.events, wish, now);
    }
}

/// The bounds of this pass. A floor set by another policy acts as a higher `minReplicas`, but never above `maxReplicas`.
fn effective_bounds(spec: &EffectiveSpec, floor: u32) -> Bounds {
    let max = spec.replicas_max;
    Bounds { min: spec.replicas_min.max(replicas(floor)).min(max.max(spec.replicas_min)), max }
}

/// The branch of the pass; first match wins.
fn decide(
    spec: &EffectiveSpec,
    config: &HpaConfig,
    memory: &mut Memory,
    seen: &Observation<'_>,
    bounds: Bounds,
) -> Decision {
    let current = replicas(seen.counts.spec);
    let is_flagged = config.zero_rule == ZeroRule::Condition
        && memory.conditions.scaled_to_zero.is_some_and(|condition| condition.is_true);
    if current == 0 {
        if !is_active_at_zero(spec, config, is_flagged, bounds) {
            return disabled(spec, config, &mut memory.conditions);
        }
    } else if current > bounds.max {
        return bound(spec, "spec.replicas is above maxReplicas", (current, bounds.max), LimitReason::TooManyReplicas);
    } else if current < bounds.min {
        return bound(spec, "spec.replicas is below minReplicas", (current, bounds.min), LimitReason::TooFewReplicas);
    }
    let evaluation = evaluate(spec, config, seen);
    match evaluation.wish(current) {
        Some(wish) => {
            let wish = Wish { current, desired: wish.max(0) };
            act(spec, config, memory, Acting { wish, evaluation, bounds, is_flagged, now: Moment::from(seen.now) })
        }
        None => metrics_failed(evaluation, current, &mut memory.conditions),
    }
}

fn is_active_at_zero(spec: &EffectiveSpec, config: &HpaConfig, is_flagged: bool, bounds: Bounds) -> bool {
    match config.zero_rule {
        // The owner's own minimum, not the floor of another policy: a floor must never switch scaling off.
        ZeroRule::MinReplicas => spec.replicas_min == 0,
        ZeroRule::GateOff => false,
        ZeroRule::Condition => is_flagged && (bounds.min != 0 || spec.has_object_or_external_metric()),
    }
}

fn disabled(spec: &EffectiveSpec, config: &HpaConfig, conditions: &mut Conditions) -> Decision {
    conditions.scaling_active = Condition::no("ScalingDisabled");
    if config.zero_rule == ZeroRule::GateOff {
        conditions.scaled_to_zero = None;
    }
    let why = match config.zero_rule {
        ZeroRule::MinReplicas => "spec.replicas is 0 while minReplicas is not",
        ZeroRule::GateOff => "spec.replicas is 0 and HPAScaleToZero is off",
        ZeroRule::Condition => {
            "spec.replicas is 0 and it was not this controller that set it (ScaledToZero is not True)"
        }
    };
    let steps = vec![step("zero", 0, 0, why.to_owned())];
    let trail = Trail { proposals: skipped(spec, why), raw: None, steps, reason: "ScalingDisabled" };
    Decision { desired: 0, is_error: false, trail }
}

/// Outside its bounds the service is put back in one step: no metrics, no limits, no log entry.
fn bound(spec: &EffectiveSpec, note: &str, (current, desired): (i32, i32), reason: LimitReason) -> Decision {
    let steps = vec![step("bounds", current, desired, note.to_owned())];
    let trail = Trail { proposals: skipped(spec, note), raw: None, steps, reason: reason.as_str() };
    Decision { desired, is_error: false, trail }
}

fn metrics_failed(evaluation: Evaluation, current: i32, conditions: &mut Conditions) -> Decision {
    let (reason, message) = evaluation.failure.expect("metrics fail as a whole only if one of them did");
    conditions.scaling_active = Condition::no(reason);
    let note = match evaluation.best {
        Some(best) => format!("the other metrics ask for {best}, and partial data may not lower the size: {message}"),
        None => format!("every metric failed, first: {message}"),
    };
    let steps = vec![step("metrics", current, current, note)];
    let trail = Trail { proposals: evaluation.proposals, raw: None, steps, reason };
    Decision { desired: current, is_error: true, trail }
}

struct Acting {
    wish: Wish,
    evaluation: Evaluation,
    bounds: Bounds,
    is_flagged: bool,
    now: Moment,
}

fn act(spec: &EffectiveSpec, config: &HpaConfig, memory: &mut Memory, acting: Acting) -> Decision {
    let Acting { wish, evaluation, bounds, is_flagged, now } = acting;
    memory.conditions.scaling_active = Condition::yes("ValidMetricFound");
    let rulebook = Rulebook {
        behavior: spec.behavior.as_ref(),
        bounds,
        window_down: config.downscale_stabilization,
        legacy_limit: config.legacy_limit,
        now,
    };
    let log = memory.recommendations.as_mut().expect("seeded when the scale was read");
    let normalized = normalize(wish, &rulebook, log, &memory.events);
    normalized.report(&mut memory.conditions);
    let mut desired = normalized.replicas;
    let reason = match normalized.reason {
        LimitReason::DesiredWithinRange if normalized.stabilization != "ReadyForNewScale" => normalized.stabilization,
        reason => reason.as_str(),
    };
    let mut steps = Vec::from(normalized.steps);
    if wish.current == 0 && is_flagged && desired < bounds.min {
        let note = format!("leaving zero goes to minReplicas {} at once", bounds.min);
        steps.push(step("from zero", desired, bounds.min, note));
        desired = bounds.min;
    }
    let trail = Trail { proposals: evaluation.proposals, raw: Some(count(wish.desired)), steps, reason };
    Decision { desired, is_error: evaluation.failure.is_some(), trail }
}

/// Who went to zero is known from v1.36 on, and told on every rescale.
fn remember_zero(spec: &EffectiveSpec, config: &HpaConfig, conditions: &mut Conditions, wish: Wish, bounds: Bounds) {
    let went_to_zero = wish.current > 0 && wish.desired == 0 && bounds.min == 0 && spec.has_object_or_external_metric();
    conditions.scaled_to_zero = match config.zero_rule {
        ZeroRule::Condition if went_to_zero => Condition::yes("ScaledToZero"),
        ZeroRule::Condition => Condition::no("NotScaledToZero"),
        ZeroRule::GateOff | ZeroRule::MinReplicas => None,
    };
}

fn remember_change(spec: &EffectiveSpec, events: &mut ScaleEvents, wish: Wish, now: Moment) {
    let Some(directions) = &spec.behavior else { return };
    if wish.desired > wish.current {
        store_event(&mut events.up, &directions.up, wish.desired - wish.current, now);
    } else {
        store_event(&mut events.down, &directions.down, wish.current - wish.desired, now);
    }
}

fn finish(current: i32, decision: Decision, memory: &Memory) -> Outcome {
    let Decision { desired, is_error, mut trail } = decision;
    trail.steps.push(step("conditions", current, desired, memory.conditions.to_string()));
    Outcome { replicas: desired, is_written: desired != current, is_error, trail }
}
