//! Replicas that finish what they have and take no more.

use units::SimTime;

use super::{Drained, Slot};

/// Draining replicas that are not empty yet, by the instant at which they will be: nobody joins them, so that it is known.
#[derive(Debug, Default)]
pub struct Draining {
    /// Ascending.
    empty_at: Vec<(u64, Slot)>,
}

impl Draining {
    /// A replica will be empty at `empty_at`.
    pub fn push(&mut self, slot: Slot, empty_at: u64) {
        let place = self.empty_at.partition_point(|&other| other < (empty_at, slot));
        self.empty_at.insert(place, (empty_at, slot));
    }

    /// A replica is gone before it is empty, or was not draining.
    pub fn forget(&mut self, slot: Slot) {
        self.empty_at.retain(|&(_, other)| other != slot);
    }

    /// How far requests may be carried towards `to`: no further than to where the first replica is empty.
    pub fn limit(&self, to: u64) -> u64 {
        self.empty_at.first().map_or(to, |&(empty_at, _)| empty_at.min(to))
    }

    /// Takes out the first replica that is empty by `to`.
    pub fn take(&mut self, to: u64) -> Option<Drained> {
        let (empty_at, slot) = self.empty_at.first().copied().filter(|&(empty_at, _)| empty_at <= to)?;
        self.empty_at.remove(0);
        Some(Drained { slot, at: SimTime::from_nanos(empty_at) })
    }
}
