//! The executor: one decision from one poll (`scale_scaledobjects.go:RequestScale`). Instants are nanoseconds since the start of
//! the run and may lie before it.

use units::SimDuration;

use super::ScaledObject;

/// What the executor is told at one poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollState {
    /// Wanted replicas, `spec.replicas` of the target; readiness plays no part.
    pub replicas: u32,
    /// Some trigger is active.
    pub is_active: bool,
    /// Some trigger failed and has no fallback value.
    pub is_error: bool,
    /// The instant of the decision: the poll plus the time its queries took.
    pub now_ns: i64,
    /// Creation of the object, in whole seconds.
    pub created_ns: i64,
    /// Last time the object was found active, in whole seconds; `None` if never.
    pub last_active_ns: Option<i64>,
}

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// "True".
    True,
    /// "False".
    False,
    /// "Unknown".
    Unknown,
}

/// Reason of the Active condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActiveReason {
    /// Some trigger is active, or activation is forced.
    ScalerActive,
    /// No trigger is active.
    ScalerNotActive,
    /// No trigger is active, and the cooldown is still running.
    ScalerCooldown,
}

/// What one poll comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Replicas to write, if any. The write is unconditional.
    pub scale_to: Option<u32>,
    /// The object counts as active now: the cooldown starts anew.
    pub sets_last_active: bool,
    /// The Active condition and its reason; `None` while paused, when it is left as it was.
    pub active: Option<ActiveReason>,
    /// The Ready condition.
    pub ready: Condition,
    /// True if an annotation stops the object.
    pub is_paused: bool,
    /// In plain words why.
    pub why: String,
}

/// Decides. The first branch that fits wins; activation comes before the error branches, so a failing trigger never keeps an
/// active one from waking the target.
pub fn decide(object: &ScaledObject, seen: PollState) -> Verdict {
    if object.annotations.is_paused() {
        let why = "paused by annotation".to_owned();
        let ready = Condition::True;
        return Verdict { scale_to: None, sets_last_active: false, active: None, ready, is_paused: true, why };
    }
    if seen.is_active || object.annotations.is_activation_forced() {
        decide_active(object, seen)
    } else {
        decide_inactive(object, seen)
    }
}

fn decide_active(object: &ScaledObject, seen: PollState) -> Verdict {
    let idle_below_min = object.replicas_idle.is_some() && seen.replicas < object.replicas_min.unwrap_or(0);
    let mut verdict = verdict(ActiveReason::ScalerActive);
    if !seen.is_active {
        verdict.why += "activation is forced by annotation; ";
    }
    if idle_below_min || seen.replicas == 0 {
        if object.annotations.is_scale_out_paused() {
            verdict.why += "activation is blocked by paused-scale-out, last-active is not stamped";
            return verdict;
        }
        verdict.scale_to = Some(object.activation_replicas());
        verdict.sets_last_active = true;
        verdict.why += "the target is woken to max(minReplicaCount, 1)";
    } else if seen.is_error {
        verdict.ready = Condition::Unknown;
        verdict.why += "some trigger failed: nothing is written and last-active is not refreshed";
    } else {
        verdict.sets_last_active = true;
        verdict.why += "the count is left to the HPA, last-active is now";
    }
    verdict
}

fn decide_inactive(object: &ScaledObject, seen: PollState) -> Verdict {
    let mut verdict = verdict(ActiveReason::ScalerNotActive);
    let replicas_min = object.replicas_min.unwrap_or(0);
    match object.fallback {
        Some(fallback) if seen.is_error && fallback.replicas != 0 => {
            verdict.why += "triggers failed, a fallback is configured: hold";
            return verdict;
        }
        None if seen.is_error => {
            verdict.ready = Condition::False;
            verdict.why += "triggers failed and there is no fallback: hold";
            return verdict;
        }
        _ => {}
    }
    let above_idle = object.replicas_idle.is_some_and(|idle| seen.replicas > idle);
    if above_idle || (seen.replicas > 0 && replicas_min == 0) {
        deactivate(object, seen, &mut verdict);
    } else if object.replicas_idle.is_none() && seen.replicas < replicas_min {
        verdict.scale_to = Some(replicas_min);
        verdict.why += "below minReplicaCount: repaired at once";
    } else {
        verdict.why += "no trigger is active and there is nothing to take away";
    }
    verdict
}

/// `scaleToZeroOrIdle`: a single jump from any count, once the clock has run out. The comparison is strict; on a live system the
/// truncated stamp makes a poll exactly one cooldown after the last active poll late enough.
fn deactivate(object: &ScaledObject, seen: PollState, verdict: &mut Verdict) {
    if object.annotations.is_scale_in_paused() {
        verdict.why += "deactivation is blocked by paused-scale-in";
        return;
    }
    let (since_ns, period, clock) = match seen.last_active_ns {
        Some(stamp) => (stamp, object.cooldown_period(), "cooldownPeriod since last active"),
        None => (seen.created_ns, object.initial_cooldown_period(), "initialCooldownPeriod since creation"),
    };
    let due_ns = since_ns.saturating_add(period.as_nanos() as i64);
    let elapsed = SimDuration::from_nanos(seen.now_ns.saturating_sub(since_ns).max(0) as u64);
    if due_ns < seen.now_ns {
        verdict.scale_to = Some(object.deactivation_replicas());
        verdict.why = format!("{clock} is over ({elapsed} of {period}): one jump from {}", seen.replicas);
    } else {
        let left = SimDuration::from_nanos((due_ns - seen.now_ns) as u64);
        verdict.active = Some(ActiveReason::ScalerCooldown);
        verdict.why = format!("{clock}: {elapsed} of {period}, {left} left");
    }
}

fn verdict(active: ActiveReason) -> Verdict {
    let ready = Condition::True;
    Verdict {
        scale_to: None,
        sets_last_active: false,
        active: Some(active),
        ready,
        is_paused: false,
        why: String::new(),
    }
}
