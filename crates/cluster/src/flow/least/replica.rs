//! One replica: its requests, and the batch it serves or will serve next.

use super::super::central::Discipline;
use super::super::tree::NEVER;
use super::super::{answer_due, start_due};
use super::queue::Queue;

/// What every request is held against, in two lines of the cache.
#[derive(Clone, Debug)]
pub struct Replica {
    /// When its batch starts; [`NEVER`] without one.
    pub start: u64,
    /// When that is answered; [`NEVER`] without one.
    pub end: u64,
    /// Nothing starts here before this: when it answered last.
    pub free: u64,
    /// Nor before this: when it was added, or a kill elsewhere sent requests to it.
    pub floor: u64,
    /// Requests in its batch, the oldest of the queue; 0 without one.
    len: u32,
    /// It takes requests.
    pub is_serving: bool,
    /// Its batch was planned after the starts of the present instant, for requests that came late: others may join it still.
    pub is_open: bool,
    pub queue: Queue,
}

impl Default for Replica {
    fn default() -> Self {
        Self {
            start: NEVER,
            end: NEVER,
            free: 0,
            floor: 0,
            len: 0,
            is_serving: false,
            is_open: false,
            queue: Queue::default(),
        }
    }
}

/// What happens next at a replica that serves nothing, if nobody joins it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nobody waits.
    Nothing,
    /// The client of the oldest request gives up.
    GivesUp(u64),
    /// A batch.
    Batch { start: u64, end: u64, len: usize },
}

impl Replica {
    /// Empty, and taking requests from `now` on.
    pub fn restart(&mut self, now: u64) {
        self.queue.clear();
        self.forget();
        (self.free, self.floor, self.is_serving) = (now, now, true);
    }

    /// Requests in the batch it serves or will serve.
    #[inline]
    pub fn batch(&self) -> usize {
        self.len as usize
    }

    /// Requests it serves at `now`, which is not after the answer.
    #[inline]
    pub fn serving_at(&self, now: u64) -> usize {
        if self.start <= now && !self.is_open { self.batch() } else { 0 }
    }

    /// Whether a request that arrives at `arrival` finds a batch that has started. At one instant arrivals come before starts.
    #[inline]
    pub fn is_settled_at(&self, arrival: u64) -> bool {
        self.start < arrival
    }

    /// It has this batch.
    #[inline]
    pub fn begin(&mut self, start: u64, end: u64, len: usize) {
        (self.start, self.end, self.len) = (start, end, len as u32);
    }

    /// It has no batch.
    #[inline]
    pub fn forget(&mut self) {
        self.begin(NEVER, NEVER, 0);
    }

    /// When its batch is answered. One that takes no time is after those have joined that arrive as it starts.
    #[inline]
    pub fn answer_due(&self) -> u64 {
        if self.end == self.start { start_due(self.end) } else { answer_due(self.end) }
    }

    /// When it must be looked at: its batch is answered, or a client of those behind it gives up, which it does after `leaves`.
    #[inline]
    pub fn due(&self, leaves: u64) -> u64 {
        let answer = self.answer_due();
        match self.queue.arrivals().get(self.batch()) {
            None => answer,
            Some(&first) => answer.min(start_due(first.saturating_add(leaves).max(self.floor))),
        }
    }

    /// What comes next, its server being free from [`Replica::free`] on.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a step of the one loop that every request goes through twice")]
    pub fn next(&self, discipline: &impl Discipline, leaves: u64) -> Next {
        let waiting = self.queue.arrivals();
        let Some(&oldest) = waiting.first() else { return Next::Nothing };
        let filling = waiting.get(discipline.fill() - 1).copied().unwrap_or(NEVER);
        let start = self.free.max(self.floor).max(discipline.trigger_of(oldest, filling));
        let deadline = oldest.saturating_add(leaves);
        if deadline <= start {
            return Next::GivesUp(deadline.max(self.floor));
        }
        debug_assert!(
            waiting.last().is_some_and(|&last| last <= start),
            "who has arrived has done so by the next start"
        );
        let len = discipline.take_of(waiting.len().min(discipline.batch_max()), oldest, start);
        Next::Batch { start, end: start + discipline.duration(len, self.queue.service(0)), len }
    }

    /// When it has done with all it has, if it gets no more after `now`.
    pub fn empty_at(&self, discipline: &impl Discipline, leaves: u64, now: u64) -> u64 {
        let (mut rest, mut empty_at) = (self.clone(), now);
        loop {
            if rest.len > 0 {
                let gives_up = rest.due(leaves) != rest.answer_due();
                empty_at = empty_at.max(if gives_up { rest.due(leaves) >> 1 } else { rest.end });
                if gives_up {
                    rest.queue.take_at(rest.batch());
                    continue;
                }
                rest.queue.take(rest.batch());
                rest.free = rest.end;
                rest.forget();
            }
            match rest.next(discipline, leaves) {
                Next::Nothing => return empty_at,
                Next::Batch { start, end, len } => rest.begin(start, end, len),
                Next::GivesUp(at) => {
                    empty_at = empty_at.max(at);
                    rest.queue.take(1);
                }
            }
        }
    }
}
