//! From the raw wish to what is written: stabilize, limit the rate, clamp, in this order, each step told in words.

use std::cmp::Ordering;

use units::SimDuration;

use super::conditions::{Condition, Conditions};
use super::defaults::{Direction, Directions};
use super::events::{ScaleEvent, ScaleEvents, events_within};
use super::limits::{
    Bounds, LegacyLimit, LimitReason, Limited, RateLimit, legacy_scale_up_limit, limit, limit_legacy, scale_down_limit,
    scale_up_limit,
};
use super::moment::Moment;
use super::spec::{PolicyKind, SelectPolicy};
use super::stabilize::{LoggedRecommendation, Stabilized, Windows, Wish, record, stabilize, stabilize_legacy};
use crate::Step;

/// What normalizing goes by besides the wish itself.
#[derive(Clone, Copy, Debug)]
pub struct Rulebook<'a> {
    /// The directions of `behavior`; `None` is the legacy path.
    pub behavior: Option<&'a Directions>,
    /// Bounds of this pass.
    pub bounds: Bounds,
    /// The down-window flag.
    pub window_down: SimDuration,
    /// The doubling limit of the legacy path.
    pub legacy_limit: LegacyLimit,
    /// The instant of the pass.
    pub now: Moment,
}

/// A normalized wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Normalized {
    /// What may be written.
    pub replicas: i32,
    /// What cut it, if anything.
    pub reason: LimitReason,
    /// The reason of AbleToScale: what stabilization did.
    pub stabilization: &'static str,
    /// Stabilization, rate limit and bounds, in that order.
    pub steps: [Step; 3],
}

impl Normalized {
    /// Sets the conditions this decides.
    pub fn report(&self, conditions: &mut Conditions) {
        conditions.able_to_scale = Condition::yes(self.stabilization);
        let reason = self.reason.as_str();
        let is_limited = self.reason != LimitReason::DesiredWithinRange;
        conditions.scaling_limited = Some(Condition { is_true: is_limited, reason });
    }
}

/// Normalizes `wish` and logs it raw.
pub fn normalize(
    wish: Wish,
    rulebook: &Rulebook<'_>,
    log: &mut Vec<LoggedRecommendation>,
    events: &ScaleEvents,
) -> Normalized {
    match rulebook.behavior {
        Some(directions) => normalize_behavior(wish, rulebook, directions, log, events),
        None => normalize_legacy(wish, rulebook, log),
    }
}

fn normalize_legacy(wish: Wish, rulebook: &Rulebook<'_>, log: &mut Vec<LoggedRecommendation>) -> Normalized {
    let &Rulebook { bounds, window_down, now, legacy_limit, .. } = rulebook;
    let stabilized = stabilize_legacy(wish.desired, log, window_down, now);
    let stabilization = stabilization_step(wish.desired, stabilized, now, &format!("the last {window_down}"));
    record(log, LoggedRecommendation { replicas: wish.desired, at: now }, window_down);
    let top = legacy_scale_up_limit(wish.current, legacy_limit);
    let limited = limit_legacy(stabilized.replicas, bounds, top);
    let note = format!(
        "one pass may go up to {top}: {} times {} or {}",
        legacy_limit.factor, wish.current, legacy_limit.floor
    );
    let is_held = stabilized.replicas != wish.desired;
    Normalized {
        replicas: limited.replicas,
        reason: limited.reason,
        stabilization: if is_held { "ScaleDownStabilized" } else { "ReadyForNewScale" },
        steps: [stabilization, rate_step(stabilized.replicas, limited, note), bounds_step(limited, bounds)],
    }
}

fn normalize_behavior(
    wish: Wish,
    rulebook: &Rulebook<'_>,
    directions: &Directions,
    log: &mut Vec<LoggedRecommendation>,
    events: &ScaleEvents,
) -> Normalized {
    let &Rulebook { bounds, now, .. } = rulebook;
    let windows = Windows {
        up: directions.up.window.unwrap_or_default(),
        down: directions.down.window.unwrap_or(rulebook.window_down),
    };
    let stabilized = stabilize(wish, log, windows, now);
    let period = format!("the last {} (up) or {} (down)", windows.up, windows.down);
    let stabilization = stabilization_step(wish.desired, stabilized, now, &period);
    record(log, LoggedRecommendation { replicas: wish.desired, at: now }, windows.up.max(windows.down));

    let step = Wish { current: wish.current, desired: stabilized.replicas };
    let (limit_now, note) = rate_limit(step, directions, events, now);
    let limited = limit(step, bounds, limit_now);
    Normalized {
        replicas: limited.replicas,
        reason: limited.reason,
        stabilization: match stabilized.replicas {
            held if held == wish.desired => "ReadyForNewScale",
            _ if wish.desired >= wish.current => "ScaleUpStabilized",
            _ => "ScaleDownStabilized",
        },
        steps: [stabilization, rate_step(stabilized.replicas, limited, note), bounds_step(limited, bounds)],
    }
}

/// The rate limit of the direction of the move, in numbers and in words.
fn rate_limit(wish: Wish, directions: &Directions, events: &ScaleEvents, now: Moment) -> (i32, String) {
    match wish.desired.cmp(&wish.current) {
        Ordering::Greater => {
            let found = scale_up_limit(wish.current, &directions.up, events, now);
            (found.replicas, rate_words("scaleUp", &directions.up, &found, events, now))
        }
        Ordering::Less => {
            let found = scale_down_limit(wish.current, &directions.down, events, now);
            (found.replicas, rate_words("scaleDown", &directions.down, &found, events, now))
        }
        Ordering::Equal => (wish.current, "no move, no limit".to_owned()),
    }
}

fn rate_words(name: &str, rules: &Direction, found: &RateLimit, events: &ScaleEvents, now: Moment) -> String {
    let Some(budget) = found.deciding else {
        return format!("{name}: selectPolicy Disabled allows no change");
    };
    let (kind, unit) = match budget.rule.kind {
        PolicyKind::Pods => ("Pods", ""),
        PolicyKind::Percent => ("Percent", "%"),
    };
    let period = budget.rule.period;
    let select = match rules.select {
        SelectPolicy::Max => "Max",
        SelectPolicy::Min => "Min",
        SelectPolicy::Disabled => "Disabled",
    };
    format!(
        "{name} {kind} {}{unit} per {period} (selectPolicy {select} of {}) allows {}: {} at the start of the period, {} added{}, {} removed{}",
        budget.rule.value,
        rules.policies.len(),
        budget.allows,
        budget.start,
        budget.added,
        event_words(&events.up, period, now),
        budget.removed,
        event_words(&events.down, period, now),
    )
}

fn event_words(log: &[ScaleEvent], period: SimDuration, now: Moment) -> String {
    let words: Vec<_> =
        events_within(log, period, now).map(|event| format!("{} {} ago", event.change, now.since(event.at))).collect();
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
}

fn stabilization_step(desired: i32, stabilized: Stabilized, now: Moment, window: &str) -> Step {
    let note = match stabilized.held_by {
        Some(entry) => format!("held by the recommendation of {} made {} ago", entry.replicas, now.since(entry.at)),
        None => format!("no recommendation of {window} holds it"),
    };
    step("stabilization", desired, stabilized.replicas, note)
}

fn rate_step(before: i32, limited: Limited, note: String) -> Step {
    step("rate limit", before, limited.rate_limited, note)
}

fn bounds_step(limited: Limited, bounds: Bounds) -> Step {
    let range = format!("minReplicas {}, maxReplicas {}", bounds.min, bounds.max);
    step("bounds", limited.rate_limited, limited.replicas, range)
}

/// A step in the counts of a trail, which cannot be negative.
pub(super) fn step(name: &'static str, before: i32, after: i32, note: String) -> Step {
    Step { name, before: count(before), after: count(after), note }
}

/// A replica count as the rest of the simulator counts: a negative one is none.
pub(super) fn count(replicas: i32) -> u32 {
    u32::try_from(replicas).unwrap_or(0)
}
