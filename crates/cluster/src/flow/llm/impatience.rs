//! Clients of a language model that leave before their answer is complete, in the order in which they came or not.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::book::{Entry, RequestTable};
use super::{LlmFlow, Place};
use crate::flow::clients::Clients;
use crate::flow::intake::NEVER;
use crate::flow::llm::engine::{Engine, Instant};
use crate::flow::meter::Failure;

/// What a client has waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    FirstToken,
    Answer,
}

/// When a client leaves: (when, order in which they came, what it waits for, key, generation).
type Leave = (u64, u64, Wanted, u32, u32);

/// When clients leave.
#[derive(Clone, Debug, Default)]
pub(super) struct Impatience {
    leaving: BinaryHeap<Reverse<Leave>>,
    came: u64,
}

impl Impatience {
    /// Needed where clients wait for a first token, or some wait longer than others.
    pub fn of(clients: &Clients) -> Option<Box<Self>> {
        (clients.differ() || clients.have_patience()).then(Box::default)
    }

    /// Notes when the client of an attempt leaves.
    pub fn note(&mut self, entry: &Entry, clients: &Clients, (key, generation): (u32, u32)) {
        let waits = clients.waits(entry.number);
        self.came += 1;
        for (length, wanted) in [(waits.service, Wanted::FirstToken), (waits.answer, Wanted::Answer)] {
            let at = entry.arrival.saturating_add(length);
            if at != NEVER {
                self.leaving.push(Reverse((at, self.came, wanted, key, generation)));
            }
        }
    }

    /// When the next one leaves, of those that are still in the system.
    pub fn next(&mut self, requests: &RequestTable) -> u64 {
        while let Some(&Reverse((at, _, _, key, generation))) = self.leaving.peek() {
            if requests.is_alive(key, generation) {
                return at;
            }
            self.leaving.pop();
        }
        NEVER
    }

    /// The next that is due at `now`: its key, and whether a first token keeps it.
    fn pop(&mut self, now: u64, requests: &RequestTable) -> Option<(u32, bool)> {
        if self.next(requests) > now {
            return None;
        }
        let Reverse((_, _, wanted, key, _)) = self.leaving.pop()?;
        Some((key, wanted == Wanted::FirstToken))
    }
}

impl<E: Engine> LlmFlow<E> {
    /// Attempts whose client gives up now.
    pub(super) fn time_out(&mut self) {
        self.lose_patience();
        while let Some(&(deadline, key, generation)) = self.deadlines.front()
            && deadline <= self.clock
        {
            self.deadlines.pop_front();
            if self.requests.is_alive(key, generation) {
                self.abandon(key, Failure::TimedOut);
            }
        }
    }

    /// A request is taken out wherever it is, and fails.
    pub(super) fn abandon(&mut self, key: u32, failure: Failure) {
        let entry = self.requests.remove(key);
        if let Some(transfers) = &mut self.transfers {
            transfers.cancel(key, self.clock);
        }
        let Place::At(slot) = entry.place else {
            if let Some(hold) = &mut self.hold {
                hold.remove(entry.tag.priority, key);
            } else {
                let place = self.queue.iter().position(|&other| other == key).expect("it waits in the queue");
                self.queue.remove(place);
            }
            self.waiting -= 1;
            return self.fail(entry, failure, self.clock, None);
        };
        let has_started = self.done_until.is_some_and(|until| until >= self.clock);
        let job = self.engines[slot].abort(key, Instant { now: self.clock, has_started });
        let served = (job.start != NEVER).then_some((job.start, slot));
        let stats = &mut self.seats[slot].stats;
        *if served.is_some() || failure == Failure::Lost { &mut stats.failure } else { &mut stats.given_up } += 1;
        self.count_waiting(slot);
        self.seats[slot].tokens -= u64::from(entry.prompt);
        self.set_load(slot, self.seats[slot].load - 1);
        self.touch(slot);
        self.fail(entry, failure, self.clock, served);
    }

    /// Clients that leave now, each by its own patience.
    fn lose_patience(&mut self) {
        while let Some((key, has_seen_enough)) =
            self.impatience.as_mut().and_then(|impatience| impatience.pop(self.clock, &self.requests))
        {
            if !(has_seen_enough && self.has_first_token(key)) {
                self.abandon(key, Failure::TimedOut);
            }
        }
    }

    /// Whether a client has seen its first token.
    fn has_first_token(&mut self, key: u32) -> bool {
        let entry = self.requests.get(key);
        let Place::At(slot) = entry.place else { return false };
        let has_started = self.done_until.is_some_and(|until| until >= self.clock);
        let first_token = self.engines[slot].first_token(key, Instant { now: self.clock, has_started });
        self.touch(slot);
        first_token != NEVER && first_token + self.clients.overhead(entry.number) <= self.clock
    }
}
