//! The prefix cache of one engine: blocks that hold the tokens of prompts, kept after their requests until their room is needed, as vLLM's
//! `kv_cache_manager.py` has it.
//!
//! What requests may share is known by *chain*: a system prompt, a conversation, a numbered block of a recorded prompt. Of a chain the
//! first so many blocks are present. Requests hold leading parts of chains; what nobody holds stands in a queue of free blocks. A request
//! that leaves puts its blocks there last one first, so that the front of a prompt lives longest, and new blocks are taken from the
//! queue's head. So what is present of a chain is always its front, and its pieces in the queue are in order: nothing is kept per block,
//! and a request costs as many steps as it has parts.

mod chains;
mod queue;
#[cfg(test)]
mod tests;

use self::chains::Chains;
use self::queue::{ANONYMOUS, Queue};
use super::engine::BLOCK_TOKENS;

/// "Holds nothing in the cache."
pub const NO_HOLDING: u32 = u32::MAX;

/// The first blocks of a chain, as a piece of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    key: u64,
    /// How many; `u32::MAX`: all that follows.
    blocks: u32,
}

impl Part {
    fn new(kind: u64, number: u32, blocks: u32) -> Self {
        Self { key: kind << 32 | u64::from(number), blocks }
    }

    /// The prompt of a group, as far as it fills blocks.
    pub fn group(group: u32, tokens: u32) -> Self {
        Self::new(0, group, tokens / BLOCK_TOKENS as u32)
    }

    /// What a conversation goes on with.
    pub fn session(session: u32) -> Self {
        Self::new(1, session, u32::MAX)
    }

    /// A numbered piece of a recorded prompt.
    pub fn block(number: u32, blocks: u32) -> Self {
        Self::new(2, number, blocks)
    }

    /// The same tokens as seen by an adapter: no other has what they come to.
    pub fn seen_by(self, adapter: u32) -> Self {
        Self { key: self.key | u64::from(adapter) << 34, ..self }
    }

    /// What no other request has.
    fn own(number: u32) -> Self {
        Self::new(3, number, u32::MAX)
    }
}

/// What a request may share, and what it holds of it.
#[derive(Clone, Debug, Default)]
struct Holding {
    parts: Vec<Part>,
    /// Chains it holds the front of, one per part from the first on, with how many blocks.
    taken: Vec<(u32, u32)>,
    /// Their sum.
    blocks: u64,
}

/// The blocks of one engine.
#[derive(Clone, Debug, Default)]
pub struct PrefixCache {
    total: u64,
    chains: Chains,
    queue: Queue,
    holdings: Vec<Holding>,
    vacant: Vec<u32>,
    /// Σ blocks of the holdings.
    held: u64,
    /// Numbers given to what no other request has.
    owners: u32,
}

impl PrefixCache {
    /// An empty one.
    pub fn new(blocks: u64) -> Self {
        let mut cache = Self { total: blocks, ..Self::default() };
        cache.queue.push_anonymous(blocks);
        cache
    }

    /// Takes in what a request may share. The number is good until [`PrefixCache::forget`].
    pub fn announce(&mut self, parts: &[Part]) -> u32 {
        if parts.iter().all(|part| part.blocks == 0) {
            return NO_HOLDING;
        }
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.holdings.push(Holding::default());
            self.holdings.len() as u32 - 1
        });
        self.holdings[place as usize].parts.extend(parts.iter().filter(|part| part.blocks > 0));
        place
    }

    /// The request is gone.
    pub fn forget(&mut self, holding: u32) {
        if holding != NO_HOLDING {
            let old = &mut self.holdings[holding as usize];
            old.parts.clear();
            old.taken.clear();
            self.vacant.push(holding);
        }
    }

    /// Blocks that are counted more than once where every request counts its own.
    pub fn counted_twice(&self) -> u64 {
        self.held - self.chains.pinned
    }

    /// What has been taken from the queue meanwhile: it has `free` blocks.
    pub fn settle(&mut self, free: u64) {
        self.queue.shrink(free, &mut self.chains);
    }

    /// How many of the first `limit` blocks of the parts are present.
    pub fn present(&self, parts: &[Part], limit: u64) -> u64 {
        let mut found = 0;
        for part in parts {
            let wanted = u64::from(part.blocks).min(limit - found);
            let there = self.chains.find(part.key).map_or(0, |chain| u64::from(self.chains.get(chain).present));
            found += there.min(wanted);
            if there < u64::from(part.blocks) {
                break;
            }
        }
        found
    }

    /// The same of what a request announced, and how many of these others hold.
    pub fn look(&self, holding: u32, limit: u64) -> (u64, u64) {
        if holding == NO_HOLDING {
            return (0, 0);
        }
        let (mut found, mut pinned) = (0, 0);
        for part in &self.holdings[holding as usize].parts {
            let wanted = u64::from(part.blocks).min(limit - found);
            let Some(chain) = self.chains.find(part.key) else { break };
            let chain = self.chains.get(chain);
            let there = u64::from(chain.present);
            found += there.min(wanted);
            pinned += u64::from(chain.pinned).min(there.min(wanted));
            if there < u64::from(part.blocks) {
                break;
            }
        }
        (found, pinned)
    }

    /// A request, which holds nothing, takes its first `blocks` blocks, which are present.
    pub fn take(&mut self, holding: u32, blocks: u64) {
        if holding == NO_HOLDING {
            return;
        }
        let own = &mut self.holdings[holding as usize];
        let mut left = blocks;
        for part in &own.parts {
            if left == 0 {
                break;
            }
            let count = u64::from(part.blocks).min(left) as u32;
            let chain = self.chains.find(part.key).expect("what is present has a chain");
            self.chains.pin(chain, (0, count), &mut self.queue);
            own.taken.push((chain, count));
            left -= u64::from(count);
        }
        own.blocks = blocks - left;
        self.held += own.blocks;
    }

    /// A request has computed its first `blocks` blocks: those it shares are present from now on, up to the first that another has computed
    /// at the same time.
    pub fn extend(&mut self, holding: u32, blocks: u64) {
        if holding == NO_HOLDING {
            return;
        }
        let own = &mut self.holdings[holding as usize];
        while own.blocks < blocks {
            let left = blocks - own.blocks;
            let begun = own.taken.len().checked_sub(1).filter(|&last| own.taken[last].1 < own.parts[last].blocks);
            let place = begun.unwrap_or(own.taken.len());
            let Some(part) = own.parts.get(place) else { break };
            let (chain, count) =
                begun.map_or_else(|| (self.chains.find_or_make(part.key), 0), |begun| own.taken[begun]);
            let more = u64::from(part.blocks - count).min(left) as u32;
            if !self.chains.grow(chain, (count, count + more)) {
                break;
            }
            own.taken.truncate(place);
            own.taken.push((chain, count + more));
            own.blocks += u64::from(more);
            self.held += u64::from(more);
        }
    }

    /// A request that holds `blocks` blocks in all lets go of them.
    pub fn release(&mut self, holding: u32, blocks: u64) {
        if holding == NO_HOLDING {
            return self.queue.push_anonymous(blocks);
        }
        let own = &mut self.holdings[holding as usize];
        self.queue.push_anonymous(blocks - own.blocks);
        while let Some((chain, count)) = own.taken.pop() {
            self.chains.unpin(chain, count, &mut self.queue);
        }
        self.held -= std::mem::take(&mut own.blocks);
    }

    /// A preempted request lets go of its `blocks` blocks, `full` of them full: it finds these when it comes back, unless their room has been
    /// needed. Gives the number under which it announces them from now on.
    pub fn release_for_later(&mut self, holding: u32, (blocks, full): (u64, u64)) -> u32 {
        let is_open = |cache: &Self| {
            let parts = &cache.holdings[holding as usize].parts;
            parts.last().is_some_and(|part| part.blocks == u32::MAX)
        };
        let mut holding = holding;
        if holding == NO_HOLDING || !is_open(self) {
            let own = Part::own(self.owners);
            self.owners = self.owners.wrapping_add(1);
            if holding == NO_HOLDING {
                holding = self.announce(&[own]);
            } else {
                self.holdings[holding as usize].parts.push(own);
            }
        }
        self.extend(holding, full);
        self.release(holding, blocks);
        holding
    }

    /// Somebody has used the first `blocks` blocks of the parts for a moment: what of them was not there is from now on, for what was used
    /// longest ago.
    pub fn touch(&mut self, parts: &[Part], blocks: u64) {
        let blocks = blocks.min(self.total);
        let present = self.present(parts, blocks);
        let holding = self.announce(parts);
        self.take(holding, present);
        self.settle(self.total - blocks);
        self.extend(holding, blocks);
        self.release(holding, blocks);
        self.forget(holding);
    }
}

impl Queue {
    /// Adds free blocks that hold nothing anyone looks for.
    fn push_anonymous(&mut self, blocks: u64) {
        self.push(ANONYMOUS, (0, blocks));
    }
}
