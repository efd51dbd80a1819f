//! Answers that come in the order in which their requests did.

use std::collections::VecDeque;

use super::NEVER;

/// Replicas by when they are due, as far as that was known in order: idle ones that are each given one request after the other answer one after
/// the other. Who stands here need not be held against all others.
#[derive(Debug)]
pub struct Line {
    entries: VecDeque<(u64, u32)>,
    first: u64,
    last: u64,
}

impl Line {
    /// Nobody.
    pub fn new() -> Self {
        Self { entries: VecDeque::new(), first: NEVER, last: 0 }
    }

    /// The earliest due time, [`NEVER`] if nobody stands here.
    #[inline]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// A replica is due at `due`: whether it could be put at the end.
    #[inline]
    pub fn try_push(&mut self, due: u64, slot: usize) -> bool {
        if due < self.last || due == NEVER {
            return false;
        }
        self.last = due;
        if self.entries.is_empty() {
            self.first = due;
        }
        self.entries.push_back((due, slot as u32));
        true
    }

    /// Takes the first one out.
    #[inline]
    pub fn pop(&mut self) -> usize {
        let (_, slot) = self.entries.pop_front().expect("somebody stands here");
        self.first = self.entries.front().map_or(NEVER, |&(due, _)| due);
        if self.entries.is_empty() {
            self.last = 0;
        }
        slot as usize
    }
}
