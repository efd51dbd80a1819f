//! Chains of blocks: how much of each is present, and who holds it.

use std::collections::BTreeMap;

use super::queue::Queue;

/// One chain.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    key: u64,
    /// Its first so many blocks are in the cache.
    pub present: u32,
    /// Its first so many are held by some request.
    pub pinned: u32,
    /// How many requests hold how many, ascending.
    holders: Vec<(u32, u32)>,
    /// Its pieces in the queue, the one with the first blocks last: they cover what is present and not pinned.
    pieces: Vec<u32>,
}

/// All chains of a cache.
#[derive(Clone, Debug, Default)]
pub struct Chains {
    all: Vec<Chain>,
    vacant: Vec<u32>,
    by_key: BTreeMap<u64, u32>,
    /// Σ pinned.
    pub pinned: u64,
}

impl Chains {
    /// A chain.
    pub fn get(&self, chain: u32) -> &Chain {
        &self.all[chain as usize]
    }

    /// The chain of a key, if any of it is present or held.
    pub fn find(&self, key: u64) -> Option<u32> {
        self.by_key.get(&key).copied()
    }

    /// The chain of a key.
    pub fn find_or_make(&mut self, key: u64) -> u32 {
        if let Some(chain) = self.find(key) {
            return chain;
        }
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.all.push(Chain::default());
            self.all.len() as u32 - 1
        });
        self.all[place as usize].key = key;
        self.by_key.insert(key, place);
        place
    }

    /// A request that held the first `from` blocks holds the first `to`, which are present.
    pub fn pin(&mut self, chain: u32, (from, to): (u32, u32), queue: &mut Queue) {
        let own = &mut self.all[chain as usize];
        own.hold(from, to);
        while own.pinned < to {
            let piece = *own.pieces.last().expect("what is present is held or free");
            let free = queue.piece(piece);
            let count = u64::from(to).min(free.to) - free.from;
            if queue.take_front(piece, count) {
                own.pieces.pop();
            }
            own.pinned += count as u32;
            self.pinned += count;
        }
    }

    /// A request that holds the first `from` blocks has made those up to `to`. False, and nothing changes, if somebody else has.
    pub fn grow(&mut self, chain: u32, (from, to): (u32, u32)) -> bool {
        let own = &mut self.all[chain as usize];
        if own.present > from {
            return false;
        }
        own.hold(from, to);
        own.present = to;
        self.pinned += u64::from(to - own.pinned);
        own.pinned = to;
        true
    }

    /// A request that held the first `count` blocks holds none: those nobody else holds go to the queue.
    pub fn unpin(&mut self, chain: u32, count: u32, queue: &mut Queue) {
        let own = &mut self.all[chain as usize];
        own.let_go(count);
        let pinned = own.holders.last().map_or(0, |holder| holder.0);
        if pinned < own.pinned {
            own.pieces.push(queue.push(chain, (u64::from(pinned), u64::from(own.pinned))));
            self.pinned -= u64::from(own.pinned - pinned);
            own.pinned = pinned;
        }
        self.forget_if_empty(chain);
    }

    /// The last blocks of a chain are used for something else, down to `present`; `is_piece_gone`: with a whole piece of the queue.
    pub fn cut(&mut self, chain: u32, present: u32, is_piece_gone: bool) {
        let own = &mut self.all[chain as usize];
        own.present = present;
        if is_piece_gone {
            own.pieces.remove(0);
        }
        self.forget_if_empty(chain);
    }

    fn forget_if_empty(&mut self, chain: u32) {
        let own = &self.all[chain as usize];
        if own.present == 0 && own.holders.is_empty() {
            self.by_key.remove(&own.key);
            self.vacant.push(chain);
        }
    }
}

impl Chain {
    fn hold(&mut self, from: u32, to: u32) {
        if from > 0 {
            self.let_go(from);
        }
        match self.holders.binary_search_by_key(&to, |holder| holder.0) {
            Ok(place) => self.holders[place].1 += 1,
            Err(place) => self.holders.insert(place, (to, 1)),
        }
    }

    fn let_go(&mut self, count: u32) {
        if count == 0 {
            return;
        }
        let place = self.holders.binary_search_by_key(&count, |holder| holder.0).expect("somebody holds so many");
        self.holders[place].1 -= 1;
        if self.holders[place].1 == 0 {
            self.holders.remove(place);
        }
    }
}
