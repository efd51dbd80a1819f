//! How much of the beginning to leave out, from a pilot run without a warm-up.

use record::RunRecord;
use units::SimDuration;

use crate::statistics::mser5;

/// What a pilot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PilotWarmUp {
    /// What to leave out.
    pub length: SimDuration,
    /// Whether it is half of the pilot, which says that the run is too short to become steady (or that its load never is).
    pub is_half: bool,
}

/// MSER-5 over the requests in the system, step by step of the timeline. It is made for loads that become steady; a day with a night does not.
pub fn pilot_warm_up(pilot: &RunRecord) -> PilotWarmUp {
    let in_system: Vec<f64> = pilot.timeline().iter().map(|row| (row.queue + row.in_flight) as f64).collect();
    let steps = mser5(&in_system);
    let length: SimDuration = pilot.timeline().iter().take(steps).map(|row| row.step).sum();
    // In fives, as the rule cuts.
    PilotWarmUp { length, is_half: steps > 0 && steps / 5 >= in_system.len() / 5 / 2 }
}

#[cfg(test)]
mod tests {
    use record::{ServiceRecord, TimelineRow};
    use units::SimTime;

    use super::*;

    fn pilot(in_system: impl Fn(u64) -> u64) -> RunRecord {
        let step = SimDuration::from_secs(10);
        let row = |index: u64| TimelineRow {
            start: SimTime::ZERO + step * index,
            step,
            queue: in_system(index),
            ..TimelineRow::default()
        };
        let timeline = (0..200).map(row).collect();
        RunRecord { services: vec![ServiceRecord { timeline, ..ServiceRecord::default() }], ..RunRecord::default() }
    }

    #[test]
    fn a_queue_that_has_to_drain_is_left_out_and_one_that_grows_for_ever_is_told() {
        let drains = pilot_warm_up(&pilot(|index| if index < 40 { 400 - 10 * index } else { 5 + index % 3 }));
        assert_eq!(drains, PilotWarmUp { length: SimDuration::from_secs(400), is_half: false });
        assert!(pilot_warm_up(&pilot(|index| 10 * index)).is_half);
        assert_eq!(pilot_warm_up(&pilot(|_| 7)).length, SimDuration::ZERO);
    }
}
