//! The hold queue of the router's flow control: bands of one priority each, the most urgent first, first come first served within.

use std::collections::VecDeque;

use crate::flow::intake::NEVER;
use crate::spec::FlowControl;

/// Bytes the router takes a token of a prompt to have.
const BYTES_PER_TOKEN: u64 = 4;

/// A request that is held.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// Its key in the table of requests.
    pub key: u32,
    /// When this attempt of it arrived.
    pub since: u64,
    bytes: u64,
}

impl Held {
    /// Request `key` with a prompt of so many tokens.
    pub fn new(key: u32, since: u64, prompt: u32) -> Self {
        Self { key, since, bytes: u64::from(prompt) * BYTES_PER_TOKEN }
    }
}

#[derive(Clone, Debug)]
struct Band {
    priority: i32,
    /// In order of `since`.
    queue: VecDeque<Held>,
    bytes: u64,
}

/// Requests held at the router.
#[derive(Clone, Debug)]
pub struct Hold {
    rules: FlowControl,
    ttl: u64,
    /// Descending priority.
    bands: Vec<Band>,
    count: usize,
}

impl Hold {
    /// Holds nothing yet.
    pub fn new(rules: FlowControl) -> Self {
        let ttl = rules.ttl.map_or(NEVER, units::SimDuration::as_nanos);
        Self { rules, ttl, bands: Vec::new(), count: 0 }
    }

    /// Whether the band of `priority` has no room for one more.
    pub fn is_full(&self, priority: i32, prompt: u32) -> bool {
        self.bands.iter().find(|band| band.priority == priority).is_some_and(|band| {
            band.queue.len() as u64 >= self.rules.per_band_requests
                || band.bytes + u64::from(prompt) * BYTES_PER_TOKEN > self.rules.per_band_bytes
        })
    }

    /// Requests held.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Holds a request; among those of its priority it stands where its arrival says, behind those of the same instant.
    pub fn push(&mut self, priority: i32, held: Held) {
        let place = self.bands.partition_point(|band| band.priority > priority);
        if self.bands.get(place).is_none_or(|band| band.priority != priority) {
            self.bands.insert(place, Band { priority, queue: VecDeque::new(), bytes: 0 });
        }
        let band = &mut self.bands[place];
        let later = band.queue.iter().rev().take_while(|other| other.since > held.since).count();
        band.queue.insert(band.queue.len() - later, held);
        band.bytes += held.bytes;
        self.count += 1;
    }

    /// Lets the first of the most urgent band go.
    pub fn pop(&mut self) -> Option<u32> {
        let band = self.bands.iter_mut().find(|band| !band.queue.is_empty())?;
        let held = band.queue.pop_front()?;
        band.bytes -= held.bytes;
        self.count -= 1;
        Some(held.key)
    }

    /// Takes request `key` out.
    pub fn remove(&mut self, priority: i32, key: u32) {
        let Some(band) = self.bands.iter_mut().find(|band| band.priority == priority) else { return };
        let Some(place) = band.queue.iter().position(|held| held.key == key) else { return };
        if let Some(held) = band.queue.remove(place) {
            band.bytes -= held.bytes;
            self.count -= 1;
        }
    }

    /// When the next one has been held for too long.
    pub fn next_expiry(&self) -> u64 {
        let first = self.bands.iter().filter_map(|band| band.queue.front()).map(|held| held.since).min();
        first.map_or(NEVER, |since| since.saturating_add(self.ttl))
    }

    /// Takes out one that has been held for too long by `now`.
    pub fn expire(&mut self, now: u64) -> Option<u32> {
        let is_over = |held: &Held| held.since.saturating_add(self.ttl) <= now;
        let band = self.bands.iter_mut().find(|band| band.queue.front().is_some_and(is_over))?;
        let held = band.queue.pop_front()?;
        band.bytes -= held.bytes;
        self.count -= 1;
        Some(held.key)
    }

    /// All of them, the most urgent first.
    pub fn keys(&self) -> impl Iterator<Item = u32> + '_ {
        self.bands.iter().flat_map(|band| &band.queue).map(|held| held.key)
    }
}

#[cfg(test)]
mod tests {
    use units::SimDuration;

    use super::*;

    fn hold() -> Hold {
        Hold::new(FlowControl {
            per_band_requests: 2,
            per_band_bytes: 1_000,
            ttl: Some(SimDuration::from_nanos(100)),
            ..FlowControl::default()
        })
    }

    #[test]
    fn the_largest_priority_goes_first_and_within_it_the_first_come() {
        let mut hold = hold();
        for (priority, key, since) in [(0, 1, 10), (-1, 2, 5), (7, 3, 20), (7, 4, 15), (0, 5, 10)] {
            hold.push(priority, Held::new(key, since, 1));
        }
        assert_eq!(hold.keys().collect::<Vec<_>>(), [4, 3, 1, 5, 2]);
        hold.remove(7, 3);
        assert_eq!(std::iter::from_fn(|| hold.pop()).collect::<Vec<_>>(), [4, 1, 5, 2]);
        assert_eq!(hold.len(), 0);
    }

    #[test]
    fn a_band_is_full_by_requests_or_by_bytes_and_the_others_are_not() {
        let mut hold = hold();
        hold.push(0, Held::new(1, 0, 100));
        assert!(!hold.is_full(0, 150) && hold.is_full(0, 151) && !hold.is_full(1, 151));
        hold.push(0, Held::new(2, 0, 1));
        assert!(hold.is_full(0, 1));
        hold.pop();
        assert!(!hold.is_full(0, 1));
    }

    #[test]
    fn what_is_held_for_too_long_goes_whatever_its_priority() {
        let mut hold = hold();
        hold.push(1, Held::new(1, 10, 1));
        hold.push(0, Held::new(2, 4, 1));
        assert_eq!((hold.next_expiry(), hold.expire(103)), (104, None));
        assert_eq!((hold.expire(110), hold.expire(110), hold.expire(110)), (Some(1), Some(2), None));
        assert_eq!(hold.next_expiry(), NEVER);
    }
}
