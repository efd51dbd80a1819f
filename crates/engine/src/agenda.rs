//! The pending-event set.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use units::SimTime;

/// A small value that says what happens.
pub trait Event: Copy {
    /// Order among events of one instant, lowest first; equal ranks go in order of scheduling.
    fn rank(&self) -> u8;
}

/// Future events in order of (time, rank, order of scheduling), and the clock.
///
/// A std binary heap: O(log n) to schedule and to pop. d-ary heaps and calendar queues were measured and brought nothing at the
/// sizes a model with its requests outside the heap has (tens to tens of thousands).
#[derive(Debug)]
pub struct Agenda<E> {
    heap: BinaryHeap<Entry<E>>,
    now: SimTime,
    scheduled: u64,
}

#[derive(Debug)]
struct Entry<E> {
    time: SimTime,
    /// Rank in the top byte, order of scheduling below: one comparison for both.
    order: u64,
    event: E,
}

impl<E: Event> Default for Agenda<E> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), now: SimTime::ZERO, scheduled: 0 }
    }
}

impl<E: Event> Agenda<E> {
    /// The instant of the event being handled.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// Adds an event. Panics if `time` is before [`Agenda::now`]: the past cannot change.
    pub fn schedule(&mut self, time: SimTime, event: E) {
        assert!(time >= self.now, "an event at {time} was scheduled at {}: the past cannot change", self.now);
        let order = u64::from(event.rank()) << 56 | self.scheduled;
        self.scheduled += 1;
        self.heap.push(Entry { time, order, event });
    }

    /// When the next event is due.
    pub fn next_time(&self) -> Option<SimTime> {
        self.heap.peek().map(|entry| entry.time)
    }

    /// Takes the next event and moves the clock to it, unless it is later than `end`.
    pub fn pop_until(&mut self, end: SimTime) -> Option<E> {
        if self.next_time()? > end {
            return None;
        }
        let entry = self.heap.pop()?;
        self.now = entry.time;
        Some(entry.event)
    }

    /// Number of events that wait.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// True if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        // Reversed: `BinaryHeap` gives the largest first.
        (other.time, other.order).cmp(&(self.time, self.order))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}
