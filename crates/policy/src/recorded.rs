//! What was: the replica counts of a recording, written again at the times they were recorded.
//!
//! It is no rule anybody would run. It stands beside rules as the past they would have taken the place of.

use std::sync::Arc;

use units::{SimDuration, SimTime};

use crate::{Action, MetricQuery, Observation, Recommendation, ScalingPolicy, Schedule, Trail};

/// A recording as it is replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedPath {
    /// From the start of the run on: when a count begins, and the count; ascending, the first at the start.
    pub changes: Arc<[(SimDuration, u32)]>,
    /// Time between two passes: every change falls on one.
    pub period: SimDuration,
}

impl RecordedPath {
    /// Changes of a count, ascending and the first of them at zero; `None` if they are not. Changes closer than a second are none that a
    /// recording shows: the period is the greatest that meets all of them, in whole seconds.
    pub fn new(changes: Vec<(SimDuration, u32)>) -> Option<Self> {
        let starts = changes.first().is_some_and(|(at, _)| *at == SimDuration::ZERO);
        if !starts || changes.windows(2).any(|pair| pair[1].0 <= pair[0].0) {
            return None;
        }
        let second = SimDuration::from_secs(1).as_nanos();
        let common = changes.iter().fold(0, |common, (at, _)| greatest_common_divisor(common, at.as_nanos()));
        let nanos = if common == 0 { 60 * second } else { common.max(second) };
        Some(Self { changes: changes.into(), period: SimDuration::from_nanos(nanos) })
    }

    /// The count that held so long after the start.
    pub fn at(&self, since_start: SimDuration) -> u32 {
        let next = self.changes.partition_point(|(at, _)| *at <= since_start);
        self.changes[next.saturating_sub(1)].1
    }

    /// The greatest count of the recording.
    pub fn most(&self) -> u32 {
        self.changes.iter().map(|(_, count)| *count).max().unwrap_or(0)
    }
}

fn greatest_common_divisor(mut one: u64, mut other: u64) -> u64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// The policy: at every pass, the count of that time.
#[derive(Clone, Debug)]
pub struct Recorded {
    path: RecordedPath,
    /// How long the clock has been running when the run begins.
    before: SimDuration,
}

impl Recorded {
    /// A policy whose clock is at `before` when the run begins.
    pub fn new(path: RecordedPath, before: SimDuration) -> Self {
        Self { path, before }
    }
}

impl ScalingPolicy for Recorded {
    fn name(&self) -> &'static str {
        "recorded"
    }

    fn schedule(&self) -> Schedule {
        Schedule { period: self.path.period, first: SimTime::ZERO }
    }

    fn queries(&self) -> &[MetricQuery] {
        &[]
    }

    fn decide(&mut self, seen: &Observation<'_>) -> Recommendation {
        let wanted = self.path.at(seen.now.since(SimTime::ZERO + self.before));
        let action = if seen.counts.spec == wanted { Action::Hold } else { Action::Scale(wanted) };
        Recommendation { action, trail: Trail { raw: Some(wanted), reason: "Recorded", ..Trail::default() } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(changes: &[(u64, u32)]) -> Option<RecordedPath> {
        RecordedPath::new(changes.iter().map(|(at, count)| (SimDuration::from_secs(*at), *count)).collect())
    }

    #[test]
    fn a_count_holds_until_the_next_one() {
        let path = path(&[(0, 2), (45, 5), (120, 1)]).unwrap();
        let at: Vec<u32> = [0, 44, 45, 119, 120, 9_999].map(|at| path.at(SimDuration::from_secs(at))).to_vec();
        assert_eq!(at, [2, 2, 5, 5, 1, 1]);
        assert_eq!(path.most(), 5);
    }

    #[test]
    fn every_change_falls_on_a_pass() {
        assert_eq!(path(&[(0, 2), (45, 5), (120, 1)]).unwrap().period, SimDuration::from_secs(15));
        assert_eq!(path(&[(0, 2)]).unwrap().period, SimDuration::from_secs(60));
    }

    #[test]
    fn what_is_no_path_is_none() {
        assert_eq!(path(&[]), None);
        assert_eq!(path(&[(15, 2)]), None);
        assert_eq!(path(&[(0, 2), (30, 3), (30, 4)]), None);
    }
}
