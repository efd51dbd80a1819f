//! Rate limits and bounds: how far one pass may move.

use std::cmp::Ordering;

use super::defaults::Direction;
use super::events::{ScaleEvents, change_within};
use super::moment::Moment;
use super::spec::{PolicyKind, ScalingPolicyRule, SelectPolicy};
use super::stabilize::Wish;

/// Bounds of `spec.replicas`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Lowest.
    pub min: i32,
    /// Highest.
    pub max: i32,
}

/// The doubling limit of the path without `behavior`, a package variable of the controller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LegacyLimit {
    /// The most one pass may multiply by.
    pub factor: f64,
    /// The size every pass may reach.
    pub floor: f64,
}

/// The reason words of ScalingLimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitReason {
    /// Nothing was cut.
    DesiredWithinRange,
    /// `minReplicas` cut it.
    TooFewReplicas,
    /// `maxReplicas` cut it.
    TooManyReplicas,
    /// The rate limit upwards cut it.
    ScaleUpLimit,
    /// The rate limit downwards cut it.
    ScaleDownLimit,
}

impl LimitReason {
    /// As the condition shows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DesiredWithinRange => "DesiredWithinRange",
            Self::TooFewReplicas => "TooFewReplicas",
            Self::TooManyReplicas => "TooManyReplicas",
            Self::ScaleUpLimit => "ScaleUpLimit",
            Self::ScaleDownLimit => "ScaleDownLimit",
        }
    }
}

/// A wish after rate limit and bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// What may be written.
    pub replicas: i32,
    /// What the rate limit alone would have let through.
    pub rate_limited: i32,
    /// What cut it.
    pub reason: LimitReason,
}

/// What one policy of a direction lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyBudget {
    /// The policy.
    pub rule: ScalingPolicyRule,
    /// Replicas the controller added within its period.
    pub added: i64,
    /// Replicas it removed within its period.
    pub removed: i64,
    /// The size at the start of its period, as rebuilt from both logs.
    pub start: i64,
    /// The furthest size it allows.
    pub allows: i32,
}

/// The rate limit of one direction at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The furthest size allowed.
    pub replicas: i32,
    /// The budget that set it; `None` if the direction is disabled.
    pub deciding: Option<PolicyBudget>,
}

/// How far up `rules` allow to go from `current`.
pub fn scale_up_limit(current: i32, rules: &Direction, events: &ScaleEvents, now: Moment) -> RateLimit {
    let allows = |rule: &ScalingPolicyRule, start: i64| match rule.kind {
        PolicyKind::Pods => saturate(start + i64::from(rule.value)),
        // Rounded up, so that a small percentage of a small service is never nothing. The order of the operations is the controller's:
        // its rounding errors are part of the rule.
        PolicyKind::Percent => (start as f64 * (1.0 + f64::from(rule.value) / 100.0)).ceil() as i32,
    };
    let budgets = budgets(current, rules, events, now, allows);
    let deciding = match rules.select {
        SelectPolicy::Disabled => None,
        SelectPolicy::Min => budgets.min_by_key(|budget| budget.allows),
        SelectPolicy::Max => budgets.max_by_key(|budget| budget.allows),
    };
    RateLimit { replicas: deciding.map_or(current, |budget| budget.allows), deciding }
}

/// How far down `rules` allow to go from `current`.
pub fn scale_down_limit(current: i32, rules: &Direction, events: &ScaleEvents, now: Moment) -> RateLimit {
    let allows = |rule: &ScalingPolicyRule, start: i64| match rule.kind {
        PolicyKind::Pods => saturate(start - i64::from(rule.value)),
        PolicyKind::Percent => (start as f64 * (1.0 - f64::from(rule.value) / 100.0)) as i32,
    };
    let budgets = budgets(current, rules, events, now, allows);
    let deciding = match rules.select {
        SelectPolicy::Disabled => None,
        // The least change downwards is the largest size.
        SelectPolicy::Min => budgets.max_by_key(|budget| budget.allows),
        SelectPolicy::Max => budgets.min_by_key(|budget| budget.allows),
    };
    RateLimit { replicas: deciding.map_or(current, |budget| budget.allows), deciding }
}

fn budgets<'a>(
    current: i32,
    rules: &'a Direction,
    events: &'a ScaleEvents,
    now: Moment,
    allows: impl Fn(&ScalingPolicyRule, i64) -> i32 + 'a,
) -> impl Iterator<Item = PolicyBudget> + 'a {
    rules.policies.iter().map(move |rule| {
        // Both logs count in both directions: what was added is taken off, what was removed is put back.
        let (added, removed) =
            (change_within(&events.up, rule.period, now), change_within(&events.down, rule.period, now));
        let start = i64::from(current) - added + removed;
        PolicyBudget { rule: *rule, added, removed, start, allows: allows(rule, start) }
    })
}

/// With `behavior`: the limit of the direction of the move, then the bound on that side. No move, no test.
pub fn limit(wish: Wish, bounds: Bounds, rate_limit: i32) -> Limited {
    let Wish { current, desired } = wish;
    match desired.cmp(&current) {
        Ordering::Greater => {
            let top = rate_limit.max(current);
            let cut = if bounds.max > top { LimitReason::ScaleUpLimit } else { LimitReason::TooManyReplicas };
            finish(desired, desired.min(top), bounds.max.min(top).min(desired), cut)
        }
        Ordering::Less => {
            let bottom = rate_limit.min(current);
            let cut = if bounds.min < bottom { LimitReason::ScaleDownLimit } else { LimitReason::TooFewReplicas };
            finish(desired, desired.max(bottom), bounds.min.max(bottom).max(desired), cut)
        }
        Ordering::Equal => finish(desired, desired, desired, LimitReason::DesiredWithinRange),
    }
}

/// The furthest one pass of the path without `behavior` may go up from `current`.
pub fn legacy_scale_up_limit(current: i32, rule: LegacyLimit) -> i32 {
    (rule.factor * f64::from(current)).max(rule.floor) as i32
}

/// Without `behavior`: `minReplicas` first, then the doubling limit and `maxReplicas`; nothing limits the way down.
pub fn limit_legacy(desired: i32, bounds: Bounds, rate_limit: i32) -> Limited {
    let top = bounds.max.min(rate_limit);
    let rate_limited = desired.min(rate_limit);
    if desired < bounds.min {
        finish(desired, rate_limited, bounds.min, LimitReason::TooFewReplicas)
    } else {
        let cut = if bounds.max > rate_limit { LimitReason::ScaleUpLimit } else { LimitReason::TooManyReplicas };
        finish(desired, rate_limited, desired.min(top), cut)
    }
}

fn finish(desired: i32, rate_limited: i32, replicas: i32, cut: LimitReason) -> Limited {
    let reason = if replicas == desired { LimitReason::DesiredWithinRange } else { cut };
    Limited { replicas, rate_limited, reason }
}

fn saturate(value: i64) -> i32 {
    value.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use units::SimDuration;

    use super::super::events::ScaleEvent;
    use super::super::spec::Rules;
    use super::*;

    use PolicyKind::{Percent, Pods};

    const NOW: Moment = Moment::from_nanos(0);

    fn rules(select: SelectPolicy, policies: &[(PolicyKind, u32, u64)]) -> Direction {
        let rule = |&(kind, value, s): &(PolicyKind, u32, u64)| ScalingPolicyRule {
            kind,
            value,
            period: SimDuration::from_secs(s),
        };
        let policies = Some(policies.iter().map(rule).collect());
        Direction::as_written(&Rules { policies, select_policy: Some(select), ..Rules::default() })
    }

    fn log(entries: &[(i32, u64)]) -> Vec<ScaleEvent> {
        let event =
            |&(change, ago)| ScaleEvent { change, at: NOW.minus(SimDuration::from_secs(ago)), is_outdated: false };
        entries.iter().map(event).collect()
    }

    #[test]
    fn percentages_are_taken_in_doubles_with_their_rounding_errors() {
        let none = ScaleEvents::default();
        for (from, percent, up, down) in
            [(10, 10, 11, 9), (100, 10, 111, 90), (1, 1, 2, 0), (10, 90, 19, 0), (100, 55, 155, 44), (0, 100, 0, 0)]
        {
            let rules = rules(SelectPolicy::Max, &[(Percent, percent, 60)]);
            assert_eq!(scale_up_limit(from, &rules, &none, NOW).replicas, up, "{from} + {percent}%");
            assert_eq!(scale_down_limit(from, &rules, &none, NOW).replicas, down, "{from} - {percent}%");
        }
    }

    #[test]
    fn min_is_the_least_change_and_disabled_is_none() {
        let none = ScaleEvents::default();
        let both = [(Pods, 4, 60), (Percent, 100, 60)];
        for (select, up, down) in
            [(SelectPolicy::Max, 20, 0), (SelectPolicy::Min, 14, 6), (SelectPolicy::Disabled, 10, 10)]
        {
            let rules = rules(select, &both);
            assert_eq!(scale_up_limit(10, &rules, &none, NOW).replicas, up, "{select:?}");
            assert_eq!(scale_down_limit(10, &rules, &none, NOW).replicas, down, "{select:?}");
        }
    }

    #[test]
    fn both_logs_enter_both_directions_each_within_the_period_of_the_policy() {
        let events = ScaleEvents { up: log(&[(3, 10), (100, 60)]), down: log(&[(2, 59)]) };
        let rules = rules(SelectPolicy::Max, &[(Pods, 6, 60)]);
        let up = scale_up_limit(8, &rules, &events, NOW);
        let budget = up.deciding.unwrap();
        assert_eq!((budget.added, budget.removed, budget.start, budget.allows), (3, 2, 7, 13));
        assert_eq!(scale_down_limit(8, &rules, &events, NOW).replicas, 1);
    }

    #[test]
    fn the_reason_names_what_cut() {
        use LimitReason::{DesiredWithinRange, ScaleDownLimit, ScaleUpLimit, TooFewReplicas, TooManyReplicas};
        let bounds = Bounds { min: 2, max: 20 };
        let rows = [
            ((10, 50), 14, 14, ScaleUpLimit),
            ((10, 50), 30, 20, TooManyReplicas),
            ((10, 50), 20, 20, TooManyReplicas),
            ((10, 50), 7, 10, ScaleUpLimit),
            ((10, 14), 14, 14, DesiredWithinRange),
            ((10, 0), 6, 6, ScaleDownLimit),
            ((10, 0), 0, 2, TooFewReplicas),
            ((10, 0), 30, 10, ScaleDownLimit),
            ((30, 30), 0, 30, DesiredWithinRange),
        ];
        for ((current, desired), rate_limit, replicas, reason) in rows {
            let limited = limit(Wish { current, desired }, bounds, rate_limit);
            assert_eq!(
                (limited.replicas, limited.reason),
                (replicas, reason),
                "{current} -> {desired} at {rate_limit}"
            );
        }
    }

    #[test]
    fn legacy_doubles_from_four_and_tests_the_minimum_first() {
        use LimitReason::{DesiredWithinRange, ScaleUpLimit, TooFewReplicas, TooManyReplicas};
        let rule = LegacyLimit { factor: 2.0, floor: 4.0 };
        let rows = [
            (0, 1000, 0, 2000, 4, ScaleUpLimit),
            (3, 1000, 1, 2000, 6, ScaleUpLimit),
            (3, 1000, 1, 6, 6, TooManyReplicas),
            (5, 0, 1, 10, 1, TooFewReplicas),
            (0, 1, 10, 20, 10, TooFewReplicas),
            (5, 7, 1, 10, 7, DesiredWithinRange),
        ];
        for (current, desired, min, max, replicas, reason) in rows {
            let limited = limit_legacy(desired, Bounds { min, max }, legacy_scale_up_limit(current, rule));
            assert_eq!(
                (limited.replicas, limited.reason),
                (replicas, reason),
                "{current} -> {desired} in {min}..={max}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_size_within_bounds_stays_within_and_never_moves_the_wrong_way(
            min in 0..20_i32, span in 0..80_i32, at in 0..=100_i32, desired in 0..200_i32, rate_limit in -50..250_i32,
        ) {
            let bounds = Bounds { min, max: min + span };
            let current = min + at * span / 100;
            let limited = limit(Wish { current, desired }, bounds, rate_limit);
            prop_assert!(bounds.min <= limited.replicas && limited.replicas <= bounds.max);
            prop_assert!(current.min(desired) <= limited.replicas && limited.replicas <= current.max(desired)
                || limited.replicas == bounds.min || limited.replicas == bounds.max);
            prop_assert_eq!(limited.reason == LimitReason::DesiredWithinRange, limited.replicas == desired);
        }

        #[test]
        fn legacy_keeps_its_bounds(min in 0..20_i32, span in 0..80_i32, current in 0..100_i32, desired in 0..200_i32) {
            let bounds = Bounds { min, max: min + span };
            let rate_limit = legacy_scale_up_limit(current.max(min), LegacyLimit { factor: 2.0, floor: 4.0 });
            let limited = limit_legacy(desired, bounds, rate_limit);
            prop_assert!(bounds.min <= limited.replicas && limited.replicas <= bounds.max);
        }
    }
}
