//! How far runs are, for those who wait.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use units::SimDuration;

/// What another thread may ask of a run, and what it hears of it.
#[derive(Clone, Copy, Debug)]
pub struct Watch<'a> {
    /// Raised, the run ends at its next event, and there is no record.
    pub stop: &'a AtomicBool,
    /// Told of every simulated minute.
    pub pulse: &'a Pulse,
}

/// What has been simulated so far, by all the runs that tell the same one.
#[derive(Debug, Default)]
pub struct Pulse {
    minutes: AtomicU64,
    requests: AtomicU64,
}

impl Pulse {
    /// Whole minutes simulated, prehistories included.
    pub fn simulated(&self) -> SimDuration {
        SimDuration::from_secs(60) * self.minutes.load(Ordering::Relaxed)
    }

    /// Requests that arrived in them.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// A minute is over in which so many requests arrived.
    pub(crate) fn minute(&self, requests: u64) {
        self.minutes.fetch_add(1, Ordering::Relaxed);
        self.requests.fetch_add(requests, Ordering::Relaxed);
    }
}
