//! Requests that wait in one place, oldest first.

use std::collections::{BTreeSet, VecDeque};

use super::super::clients::Waits;
use super::super::intake::NEVER;
use super::super::reactive::Ticket;

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Request {
    /// When its client first asked.
    pub first_arrival: u64,
    /// When this attempt arrived.
    pub arrival: u64,
    /// Service time it was created with, nanoseconds.
    pub service: u64,
    /// Attempts so far, this one included.
    pub attempt: u32,
    /// Whom its end is told to.
    pub ticket: Ticket,
    /// What is drawn for it follows from this.
    pub number: u64,
    /// How long its client waits.
    pub waits: Waits,
    /// Its client has left while it was being served.
    pub is_abandoned: bool,
}

impl Request {
    /// When its client leaves unless it is answered by then.
    pub fn deadline(&self) -> u64 {
        self.arrival.saturating_add(self.waits.answer)
    }

    /// When its client leaves if it still waits.
    pub fn leaves_at(&self) -> u64 {
        self.arrival.saturating_add(self.waits.in_queue())
    }
}

/// Requests by arrival.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    requests: VecDeque<Request>,
    /// When each leaves, where they do not in the order in which they came: (when, arrival, number).
    leaving: Option<BTreeSet<(u64, u64, u64)>>,
}

impl Line {
    /// An empty one. `differ`: some clients wait longer than others.
    pub fn new(differ: bool) -> Self {
        Self { requests: VecDeque::new(), leaving: differ.then(BTreeSet::new) }
    }

    pub fn len(&self) -> usize {
        self.requests.len()
    }

    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Request> {
        self.requests.iter()
    }

    /// Puts a request in its place: the end, unless a kill has sent it to another replica.
    pub fn insert(&mut self, request: Request) {
        let place = self.requests.partition_point(|other| other.arrival <= request.arrival);
        self.insert_at(place, request);
    }

    /// Puts a request before those that arrived with it.
    pub fn insert_first(&mut self, request: Request) {
        let place = self.requests.partition_point(|other| other.arrival < request.arrival);
        self.insert_at(place, request);
    }

    fn insert_at(&mut self, place: usize, request: Request) {
        self.requests.insert(place, request);
        if let Some(leaving) = &mut self.leaving {
            leaving.insert((request.leaves_at(), request.arrival, request.number));
        }
    }

    /// Takes the oldest `count`.
    pub fn take(&mut self, count: usize) -> Vec<Request> {
        let taken: Vec<Request> = self.requests.drain(..count).collect();
        if let Some(leaving) = &mut self.leaving {
            for request in &taken {
                leaving.remove(&(request.leaves_at(), request.arrival, request.number));
            }
        }
        taken
    }

    /// When the next one leaves.
    pub fn next_leave(&self) -> u64 {
        match &self.leaving {
            Some(leaving) => leaving.first().map_or(NEVER, |&(at, ..)| at),
            None => self.requests.front().map_or(NEVER, Request::leaves_at),
        }
    }

    /// Takes out the next one whose client has left by `now`.
    pub fn pop_left(&mut self, now: u64) -> Option<Request> {
        if self.next_leave() > now {
            return None;
        }
        let Some(leaving) = &mut self.leaving else { return self.requests.pop_front() };
        let (_, arrival, number) = leaving.pop_first()?;
        let mut place = self.requests.partition_point(|other| other.arrival < arrival);
        while self.requests[place].number != number {
            place += 1;
        }
        self.requests.remove(place)
    }

    /// The oldest arrivals as the disciplines look at them: `count` of them, [`NEVER`] after the last.
    pub fn window(&self, count: usize) -> Vec<u64> {
        let waiting = self.requests.iter().map(|request| request.arrival);
        waiting.chain(std::iter::repeat(NEVER)).take(count).collect()
    }
}
