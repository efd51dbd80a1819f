//! The log of what the controller itself changed, which rate policies are counted against.

use units::SimDuration;

use super::defaults::Direction;
use super::moment::Moment;

/// One change of `spec.replicas` this controller made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaleEvent {
    /// Its size, always positive; the log it is in tells the direction.
    pub change: i32,
    /// When it was made.
    pub at: Moment,
    /// True once its slot may be reused. Sums do not look at it, only at the time.
    pub is_outdated: bool,
}

/// Both logs. Lists never shrink and are in order of slots, not of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScaleEvents {
    /// Scale-ups.
    pub up: Vec<ScaleEvent>,
    /// Scale-downs.
    pub down: Vec<ScaleEvent>,
}

/// Events of the last `period`; one exactly that old is out.
pub fn events_within(log: &[ScaleEvent], period: SimDuration, now: Moment) -> impl Iterator<Item = &ScaleEvent> {
    let cutoff = now.minus(period);
    log.iter().filter(move |event| event.at > cutoff)
}

/// Replicas moved within the last `period`.
pub fn change_within(log: &[ScaleEvent], period: SimDuration, now: Moment) -> i64 {
    events_within(log, period, now).map(|event| i64::from(event.change)).sum()
}

/// Stores a change of size `change` in the log of its own direction. `rules` is that direction's own: its longest period alone
/// decides which slots are free, even if the other direction still needs them.
pub fn store_event(log: &mut Vec<ScaleEvent>, rules: &Direction, change: i32, now: Moment) {
    let longest = rules.policies.iter().map(|policy| policy.period).max().unwrap_or_default();
    let cutoff = now.minus(longest);
    for event in log.iter_mut().filter(|event| event.at < cutoff) {
        event.is_outdated = true;
    }
    let event = ScaleEvent { change, at: now, is_outdated: false };
    match log.iter().rposition(|slot| slot.is_outdated) {
        Some(slot) => log[slot] = event,
        None => log.push(event),
    }
}

#[cfg(test)]
mod tests {
    use super::super::spec::{PolicyKind, Rules, ScalingPolicyRule};
    use super::*;

    const NOW: Moment = Moment::from_nanos(0);

    fn log(entries: &[(i32, u64)]) -> Vec<ScaleEvent> {
        let event =
            |&(change, ago)| ScaleEvent { change, at: NOW.minus(SimDuration::from_secs(ago)), is_outdated: false };
        entries.iter().map(event).collect()
    }

    fn rules(periods_s: &[u64]) -> Direction {
        let rule = |s: &u64| ScalingPolicyRule { kind: PolicyKind::Pods, value: 1, period: SimDuration::from_secs(*s) };
        Direction::as_written(&Rules { policies: Some(periods_s.iter().map(rule).collect()), ..Rules::default() })
    }

    fn stored(entries: &[(i32, u64)], periods_s: &[u64]) -> String {
        let mut log = log(entries);
        store_event(&mut log, &rules(periods_s), 5, NOW);
        let text = |event: &ScaleEvent| format!("{}{}", event.change, if event.is_outdated { "!" } else { "" });
        log.iter().map(text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn an_event_leaves_the_sum_when_it_is_exactly_one_period_old() {
        assert_eq!(change_within(&log(&[(7, 60), (6, 59), (1, 0)]), SimDuration::from_secs(60), NOW), 7);
    }

    #[test]
    fn the_last_outdated_slot_is_reused() {
        assert_eq!(stored(&[], &[60]), "5");
        assert_eq!(stored(&[(7, 61), (6, 59)], &[60]), "5 6");
        assert_eq!(stored(&[(7, 61), (8, 62), (6, 59)], &[60]), "7! 5 6");
    }

    #[test]
    fn the_longest_period_of_the_direction_keeps_a_slot_up_to_and_including_its_end() {
        assert_eq!(stored(&[(7, 60)], &[15, 60]), "7 5");
        assert_eq!(stored(&[(7, 61)], &[60, 15]), "5");
        assert_eq!(stored(&[(7, 61)], &[15, 120]), "7 5");
    }

    #[test]
    fn a_slot_marked_once_stays_free_whatever_its_time() {
        let mut log = log(&[(7, 10)]);
        log[0].is_outdated = true;
        assert_eq!(change_within(&log, SimDuration::from_secs(60), NOW), 7);
        store_event(&mut log, &rules(&[60]), 5, NOW);
        assert_eq!(log.len(), 1);
    }
}
