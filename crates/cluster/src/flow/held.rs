//! Requests that wait because no replica is there.

use super::local::LocalQueue;
use super::meter::{Failure, Meter};

/// They go to the first replica that comes, or their clients give up.
pub struct Held {
    queue: LocalQueue,
    /// When a kill last sent requests here: nobody has given up here before.
    floor: u64,
}

impl Held {
    /// Nobody.
    pub fn new() -> Self {
        Self { queue: LocalQueue::new(1), floor: 0 }
    }

    /// Requests in it.
    pub fn len(&self) -> u64 {
        self.queue.len() as u64
    }

    /// A request (arrival, service time) that has just arrived.
    pub fn push(&mut self, (arrival, service): (u64, u64)) {
        self.queue.push(arrival, service);
    }

    /// A request that a replica lost at `now` and that had arrived earlier.
    pub fn put_back(&mut self, (arrival, service): (u64, u64), now: u64) {
        self.queue.insert(arrival, service);
        self.floor = now;
    }

    /// All of them, oldest first; none is left.
    pub fn take_all(&mut self) -> Vec<(u64, u64)> {
        let all = self.queue.iter().collect();
        self.queue = LocalQueue::new(1);
        all
    }

    /// They stay.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.queue.iter()
    }

    /// Those whose clients give up by `to`, `leaves` after they arrived, are gone. How many they are.
    pub fn expire(&mut self, to: u64, leaves: u64, meter: &mut Meter) -> u64 {
        let before = self.len();
        while !self.queue.is_empty() {
            let oldest = self.queue.window()[0];
            let deadline = oldest.saturating_add(leaves);
            if deadline > to {
                break;
            }
            self.queue.take(1);
            meter.fail(oldest, Failure::TimedOut, deadline.max(self.floor));
        }
        before - self.len()
    }
}
