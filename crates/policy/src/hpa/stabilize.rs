//! Stabilization: past recommendations that hold the present one back.

use std::cmp::Ordering;

use units::SimDuration;

use super::moment::Moment;

/// One raw recommendation: before stabilization, rate limits and bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedRecommendation {
    /// Replicas wanted.
    pub replicas: i32,
    /// When.
    pub at: Moment,
}

/// Where the service is and where its metrics want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// `spec.replicas` as it is.
    pub current: i32,
    /// What is wanted.
    pub desired: i32,
}

/// How far back each direction looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Before scaling up.
    pub up: SimDuration,
    /// Before scaling down.
    pub down: SimDuration,
}

/// A stabilized wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stabilized {
    /// What is left of it.
    pub replicas: i32,
    /// The recommendation that held it, if one did.
    pub held_by: Option<LoggedRecommendation>,
}

/// Without `behavior`: the highest recommendation of the window, which may even be above the present size. An entry exactly as old
/// as the window still counts.
pub fn stabilize_legacy(desired: i32, log: &[LoggedRecommendation], window: SimDuration, now: Moment) -> Stabilized {
    let cutoff = now.minus(window);
    let highest = log.iter().filter(|entry| entry.at >= cutoff).max_by_key(|entry| entry.replicas);
    match highest {
        Some(entry) if entry.replicas > desired => Stabilized { replicas: entry.replicas, held_by: Some(*entry) },
        _ => Stabilized { replicas: desired, held_by: None },
    }
}

/// With `behavior`: the present size moved into the range of what both windows and the wish agree on. An entry exactly as old as its
/// window no longer counts.
pub fn stabilize(wish: Wish, log: &[LoggedRecommendation], windows: Windows, now: Moment) -> Stabilized {
    let within = |window| {
        let cutoff = now.minus(window);
        log.iter().filter(move |entry| entry.at > cutoff)
    };
    let lowest = within(windows.up).min_by_key(|entry| entry.replicas).filter(|entry| entry.replicas < wish.desired);
    let highest = within(windows.down).max_by_key(|entry| entry.replicas).filter(|entry| entry.replicas > wish.desired);
    let low = lowest.map_or(wish.desired, |entry| entry.replicas);
    let high = highest.map_or(wish.desired, |entry| entry.replicas);
    let replicas = wish.current.max(low).min(high);
    let held_by = match replicas.cmp(&wish.desired) {
        Ordering::Less => lowest.copied(),
        Ordering::Equal => None,
        Ordering::Greater => highest.copied(),
    };
    Stabilized { replicas, held_by }
}

/// Logs a raw recommendation: into the last slot in list order that is older than `keep`, at the end if there is none. The list
/// never shrinks.
pub fn record(log: &mut Vec<LoggedRecommendation>, entry: LoggedRecommendation, keep: SimDuration) {
    let cutoff = entry.at.minus(keep);
    match log.iter().rposition(|slot| slot.at < cutoff) {
        Some(slot) => log[slot] = entry,
        None => log.push(entry),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Moment = Moment::from_nanos(0);

    fn entry(&(replicas, ago): &(i32, u64)) -> LoggedRecommendation {
        LoggedRecommendation { replicas, at: NOW.minus(SimDuration::from_secs(ago)) }
    }

    fn windows(up: u64, down: u64) -> Windows {
        Windows { up: SimDuration::from_secs(up), down: SimDuration::from_secs(down) }
    }

    fn legacy(desired: i32, log: &[(i32, u64)]) -> i32 {
        let log: Vec<_> = log.iter().map(entry).collect();
        stabilize_legacy(desired, &log, SimDuration::from_secs(300), NOW).replicas
    }

    fn behavior(wish: (i32, i32), log: &[(i32, u64)], windows: Windows) -> i32 {
        let log: Vec<_> = log.iter().map(entry).collect();
        stabilize(Wish { current: wish.0, desired: wish.1 }, &log, windows, NOW).replicas
    }

    #[test]
    fn legacy_takes_the_highest_of_the_window_edge_included() {
        assert_eq!(legacy(3, &[(10, 300)]), 10);
        assert_eq!(legacy(3, &[(10, 301), (5, 20)]), 5);
        assert_eq!(legacy(12, &[(10, 10)]), 12);
    }

    #[test]
    fn behavior_leaves_the_edge_of_the_window_out() {
        assert_eq!(behavior((10, 3), &[(10, 300)], windows(0, 300)), 3);
        assert_eq!(behavior((10, 3), &[(10, 299)], windows(0, 300)), 10);
    }

    #[test]
    fn behavior_holds_but_never_pushes() {
        assert_eq!(behavior((5, 3), &[(10, 60)], windows(0, 300)), 5);
        assert_eq!(behavior((5, 6), &[(2, 30), (9, 30)], windows(60, 300)), 5);
        assert_eq!(behavior((1, 7), &[(4, 120), (5, 60)], windows(300, 0)), 4);
    }

    #[test]
    fn the_last_old_slot_takes_the_new_entry_and_fresh_ones_are_kept() {
        let mut log: Vec<_> = [(10, 600), (9, 540), (4, 60)].iter().map(entry).collect();
        record(&mut log, entry(&(3, 0)), SimDuration::from_secs(300));
        assert_eq!(log.iter().map(|entry| entry.replicas).collect::<Vec<_>>(), [10, 3, 4]);
        record(&mut log, entry(&(2, 0)), SimDuration::from_secs(600));
        assert_eq!(log.iter().map(|entry| entry.replicas).collect::<Vec<_>>(), [10, 3, 4, 2]);
    }

    proptest! {
        #[test]
        fn the_result_lies_between_the_present_size_and_the_wish(
            current in 0..100_i32, desired in 0..100_i32,
            log in prop::collection::vec((0..100_i32, 0..700_u64), 0..12), up in 0..600_u64, down in 0..600_u64,
        ) {
            let result = behavior((current, desired), &log, windows(up, down));
            prop_assert!(current.min(desired) <= result && result <= current.max(desired));
        }

        #[test]
        fn empty_windows_change_nothing(current in 0..100_i32, desired in 0..100_i32, log in prop::collection::vec((0..100_i32, 0..700_u64), 0..12)) {
            prop_assert_eq!(behavior((current, desired), &log, windows(0, 0)), desired);
        }

        #[test]
        fn legacy_never_goes_below_the_wish(desired in 0..100_i32, log in prop::collection::vec((0..100_i32, 0..700_u64), 0..12)) {
            prop_assert!(legacy(desired, &log) >= desired);
        }
    }
}
