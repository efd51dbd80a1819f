//! Who gets blocks of the KV cache: running sequences, by preemption if it must be, and those that wait.

use super::super::engine::{BLOCK_TOKENS, Job, blocks, put_back};
use super::{Prefill, RunEngine, Sequence};
use crate::flow::intake::NEVER;

impl RunEngine {
    /// Preempts the youngest sequence, by priority the least urgent one.
    fn preempt(&mut self) {
        self.stats.preemptions += 1;
        let by_priority = self.limits.by_priority;
        let rank = |job: &Job, admission: u64| {
            if by_priority { (job.priority, job.rank, admission) } else { (0, 0, admission) }
        };
        let lives = |(_, sequence): &(usize, &Sequence)| sequence.lives;
        let all = self.sequences.iter().enumerate().filter(lives);
        let last = all.map(|(place, sequence)| (rank(&sequence.job, sequence.admission), place)).max();
        let partial = self.prefilling.last().map(|partial| rank(&partial.job, partial.admission));
        let (mut job, computed) = match last {
            Some((rank, place)) if partial.is_none_or(|partial| partial < rank) => {
                let (job, computed) = self.leave(place as u32);
                (Job { last_token: self.clock_ns, ..job }, computed)
            }
            _ => {
                let partial = self.prefilling.pop().expect("somebody uses the blocks");
                (partial.job, partial.computed)
            }
        };
        self.release(&mut job, computed, false);
        put_back(&mut self.waiting, job, by_priority);
    }

    /// Tokens of the partly prefilled sequence in the next iteration, if there is one.
    fn next_chunk(&self) -> u64 {
        self.prefilling.first().map_or(0, |partial| {
            (partial.job.prefill() - partial.computed)
                .min(self.limits.batched_tokens - self.decoding * self.limits.pace.width)
        })
    }

    /// Gives the running sequences their blocks for the next iteration, by preemption if it must be. Returns the prompt tokens it
    /// will process of the partly prefilled one, and whether somebody was preempted: then nobody is admitted.
    pub(super) fn take_blocks(&mut self) -> (u64, bool) {
        let before = self.stats.preemptions;
        loop {
            let chunk = self.next_chunk();
            let grown = self
                .prefilling
                .first()
                .map_or(0, |partial| blocks(partial.computed + chunk) - blocks(partial.computed));
            let needed = self.blocks_needed() + grown;
            if needed <= self.free() {
                self.blocks_used += needed;
                self.stats.prefilled_tokens += chunk;
                if let Some(partial) = self.prefilling.first_mut() {
                    partial.computed += chunk;
                    partial.chunk = chunk;
                    let (holding, full) = (partial.job.holding, partial.computed / BLOCK_TOKENS);
                    self.share(holding, full);
                }
                return (chunk, before != self.stats.preemptions);
            }
            self.make_room_by_preemption();
        }
    }

    /// Preempts one. Whoever decodes comes before the one whose prompt is under way and has taken its block by then, as far as they go; what
    /// that has cost the cache is gone before the preempted one leaves its blocks there.
    fn make_room_by_preemption(&mut self) {
        let free = self.free().saturating_sub(self.blocks_needed());
        if let Some(cache) = &mut self.cache {
            cache.settle(free);
        }
        self.preempt();
    }

    /// The first `full` blocks of a prompt are computed, or will be in this iteration: others find them from now on.
    pub(super) fn share(&mut self, holding: u32, full: u64) {
        let free = self.free();
        if let Some(cache) = &mut self.cache {
            cache.settle(free);
            cache.extend(holding, full);
        }
    }

    /// What a request at the head of the queue finds in the cache: (tokens, blocks, blocks of these that others use too).
    pub(super) fn find(&mut self, job: &Job) -> (u64, u64, u64) {
        let prefill = job.prefill();
        let free = self.free();
        let Some(cache) = &mut self.cache else { return (self.limits.assumed_hit(prefill), 0, 0) };
        cache.settle(free);
        // At least one token is computed.
        let (found, pinned) = cache.look(job.holding, (prefill - 1) / BLOCK_TOKENS);
        (found * BLOCK_TOKENS, found, pinned)
    }

    /// Admits waiting requests. Returns how many start for the first time.
    pub(super) fn admit(&mut self, mut budget: u64) -> u64 {
        let mut started = 0;
        let reserves = self.limits.scheduler.reserves_answers();
        let mut unreserved = if reserves && !self.waiting.is_empty() { self.unreserved() } else { 0 };
        while let Some(&job) = self.waiting.front() {
            let is_full = self.decoding as usize + self.prefilling.len() >= self.limits.sequences;
            if is_full || budget == 0 {
                break;
            }
            let (hit, found, pinned) = self.find(&job);
            let chunk = (job.prefill() - hit).min(budget);
            let needed = blocks(if self.limits.by_chunk { hit + chunk } else { job.prefill() });
            if needed > self.free() + pinned || (!self.limits.chunks && job.prefill() - hit > budget) {
                break;
            }
            if reserves {
                let Some(left) = unreserved.checked_sub(self.limits.reserved_by(&job)) else { break };
                unreserved = left;
            }
            budget -= chunk;
            started += self.take_first((hit, found), chunk);
        }
        started
    }

    /// The request at the head of the queue, which has found so many tokens in so many blocks, joins the batch with a chunk of its prompt.
    /// Returns 1 if it starts for the first time.
    pub(super) fn take_first(&mut self, (hit, found): (u64, u64), chunk: u64) -> u64 {
        let job = self.waiting.pop_front().expect("it waits");
        if let Some(cache) = &mut self.cache {
            cache.take(job.holding, found);
        }
        self.blocks_used += blocks(hit + chunk);
        self.share(job.holding, (hit + chunk) / BLOCK_TOKENS);
        let job = self.count_admission(job, hit, chunk);
        let is_new = job.start == NEVER;
        let job = Job { start: job.start.min(self.clock_ns), ..job };
        self.prefilling.push(Prefill { job, computed: hit + chunk, chunk, admission: self.admissions });
        self.admissions += 1;
        u64::from(is_new)
    }

    /// Blocks that are kept for nobody's answer.
    pub(super) fn unreserved(&self) -> u64 {
        let decoding = self.sequences.iter().filter(|sequence| sequence.lives).map(|sequence| &sequence.job);
        let running = decoding.chain(self.prefilling.iter().map(|prefill| &prefill.job));
        let reserved: u64 = running.map(|job| self.limits.reserved_by(job)).sum();
        (self.limits.total_tokens() / BLOCK_TOKENS).saturating_sub(reserved)
    }

    /// Counts what an admitted request has found and what of it is computed first.
    fn count_admission(&mut self, job: Job, hit: u64, chunk: u64) -> Job {
        self.stats.prefilled_tokens += chunk;
        self.stats.found_tokens += hit;
        if job.start != NEVER {
            return job;
        }
        self.stats.admitted_tokens += u64::from(job.prompt);
        self.stats.hit_tokens += hit;
        Job { cached: hit as u32, ..job }
    }
}
