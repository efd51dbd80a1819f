//! Blocks of the KV cache: how many are free, who lets go of them, and who gets them: running sequences, by preemption if it must be, and those that
//! wait.

use super::super::engine::{BLOCK_TOKENS, Job, Left, blocks, put_back};
use super::{Prefill, RunEngine, Sequence};
use crate::flow::intake::NEVER;

impl RunEngine {
    /// Blocks that hold nothing a sequence in the batch needs.
    #[inline]
    pub(super) fn free(&self) -> u64 {
        let twice = self.cache.as_ref().map_or(0, |cache| cache.counted_twice());
        self.limits.blocks + twice - self.blocks_used
    }

    /// A sequence with `computed` tokens in the cache lets go of its blocks, for good or until it is admitted again.
    pub(super) fn release(&mut self, job: &mut Job, computed: u64, for_good: bool) {
        self.blocks_used -= blocks(computed);
        let Some(cache) = &mut self.cache else { return };
        if for_good {
            cache.release(job.holding, blocks(computed));
            cache.forget(job.holding);
        } else {
            job.holding = cache.release_for_later(job.holding, (blocks(computed), computed / BLOCK_TOKENS));
        }
    }

    /// The same of a sequence that has finished, as soon as all that finish now are known.
    pub(super) fn release_finished(&mut self, (admission, job): (u64, &Job), computed: u64) {
        if self.cache.is_some() || self.limits.keeps_finished {
            let left = Left { key: job.key, holding: job.holding, blocks: blocks(computed) };
            self.leaving.push((admission, computed / BLOCK_TOKENS, left));
        } else {
            self.blocks_used -= blocks(computed);
        }
    }

    /// Those that have finished let go of their blocks in order of admission. A conversation leaves its answer in the cache too.
    pub(super) fn let_go(&mut self) {
        if self.leaving.is_empty() {
            return;
        }
        let free = self.free();
        self.leaving.sort_unstable_by_key(|(admission, ..)| *admission);
        if let Some(cache) = &mut self.cache {
            cache.settle(free);
            for &(_, full, Left { holding, blocks, .. }) in &self.leaving {
                cache.extend(holding, full);
                if !self.limits.keeps_finished {
                    cache.release(holding, blocks);
                    cache.forget(holding);
                    self.blocks_used -= blocks;
                }
            }
        }
        let left = self.leaving.drain(..).map(|(.., left)| left);
        if self.limits.keeps_finished {
            self.left.extend(left);
        }
    }

    /// Blocks taken by `count` iterations of the decoding sequences, the first of them after `step`.
    pub(super) fn blocks_taken(&self, step: u64, count: u64) -> u64 {
        if !self.limits.pace.is_one() {
            return self.blocks_taken_at_pace(step, count);
        }
        let whole = count / BLOCK_TOKENS * self.decoding;
        (step..step + count % BLOCK_TOKENS).map(|step| u64::from(self.phases[Self::phase_at(step)])).sum::<u64>()
            + whole
    }

    /// How many iterations can start after the one after the present step before blocks run out, counted to at most `wanted`.
    pub(super) fn iterations_with_room(&self, wanted: u64) -> u64 {
        let free = self.free();
        if !self.limits.pace.is_one() {
            return self.room_at_pace(wanted, free);
        }
        if (wanted / BLOCK_TOKENS + 1) * self.decoding <= free {
            return wanted;
        }
        let mut left = free % self.decoding;
        let mut count = free / self.decoding * BLOCK_TOKENS;
        while count < wanted {
            let needed = u64::from(self.phases[Self::phase_at(self.step + 1 + count)]);
            if needed > left {
                return count;
            }
            left -= needed;
            count += 1;
        }
        wanted
    }

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
        let partials = self.prefilling.iter().enumerate();
        let partial = partials.map(|(place, partial)| (rank(&partial.job, partial.admission), place)).max();
        let (mut job, computed) = match last {
            Some((rank, place)) if partial.is_none_or(|(partial, _)| partial < rank) => {
                let (job, computed) = self.leave(place as u32);
                (Job { last_token: self.clock_ns, ..job }, computed)
            }
            _ => {
                let (_, place) = partial.expect("somebody uses the blocks");
                let partial = self.prefilling.remove(place);
                self.leave_adapter(&partial.job);
                (partial.job, partial.computed)
            }
        };
        self.release(&mut job, computed, false);
        put_back(&mut self.waiting, job, by_priority);
    }

    /// What those whose prompts are under way process in the next iteration: (their tokens, the blocks these take).
    fn plan_chunks(&mut self) -> (u64, u64) {
        let mut left = self.limits.batched_tokens - self.decoding * self.limits.pace.width;
        let (before, mut grown) = (left, 0);
        for partial in &mut self.prefilling {
            let rest = partial.job.prefill() - partial.computed;
            partial.chunk = rest.min(left).min(self.limits.longest_chunk);
            left -= partial.chunk;
            grown += blocks(partial.computed + partial.chunk) - blocks(partial.computed);
        }
        (before - left, grown)
    }

    /// Gives the running sequences their blocks for the next iteration, by preemption if it must be. Returns the prompt tokens it
    /// will process of those partly prefilled, and whether somebody was preempted: then nobody is admitted.
    pub(super) fn take_blocks(&mut self) -> (u64, bool) {
        let before = self.stats.preemptions;
        loop {
            let (tokens, grown) = self.plan_chunks();
            let needed = self.blocks_needed() + grown;
            if needed <= self.free() {
                self.blocks_used += needed;
                self.stats.prefilled_tokens += tokens;
                for place in 0..self.prefilling.len() {
                    let partial = &mut self.prefilling[place];
                    partial.computed += partial.chunk;
                    let (holding, full) = (partial.job.holding, partial.computed / BLOCK_TOKENS);
                    self.share(holding, full);
                }
                return (tokens, before != self.stats.preemptions);
            }
            self.make_room_by_preemption();
        }
    }

    /// Preempts one. Those before the one that finds no block have taken theirs by then; what that has cost the cache is gone before the
    /// preempted one leaves its blocks there.
    fn make_room_by_preemption(&mut self) {
        // Only a cache asks: without one the look at all sequences would be for nothing.
        let free = self.cache.is_some().then(|| self.free_at_shortage());
        if let (Some(cache), Some(free)) = (&mut self.cache, free) {
            cache.settle(free);
        }
        self.preempt();
    }

    /// Blocks left when the first in the order of admission finds too few.
    fn free_at_shortage(&self) -> u64 {
        if self.prefilling.len() < 2 {
            // Whoever decodes comes before the one whose prompt is under way, and needs one block at a time, as far as they go.
            return self.free().saturating_sub(self.blocks_needed());
        }
        // Where several prompts are under way nobody guesses: who decodes gains one token.
        let decoding = self.sequences.iter().filter(|sequence| sequence.lives);
        let of_decoding = decoding.map(|sequence| {
            let is_full = self.cached_at(sequence, self.step).is_multiple_of(BLOCK_TOKENS);
            (sequence.admission, u64::from(is_full))
        });
        let of_prompts = self
            .prefilling
            .iter()
            .map(|partial| (partial.admission, blocks(partial.computed + partial.chunk) - blocks(partial.computed)));
        let mut needs: Vec<(u64, u64)> = of_decoding.chain(of_prompts).collect();
        needs.sort_unstable();
        let mut free = self.free();
        for (_, need) in needs {
            let Some(left) = free.checked_sub(need) else { break };
            free = left;
        }
        free
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
        // Who would be one adapter too many is passed over.
        let mut place = 0;
        while budget > 0
            && let Some(&job) = self.fetches.landed.get(place)
        {
            if !self.may_run(&job) {
                place += 1;
                continue;
            }
            self.fetches.landed.remove(place);
            budget -= 1;
            started += 1;
            self.join(job);
        }
        let reserves = self.limits.scheduler.reserves_answers();
        let mut unreserved = if reserves && !self.waiting.is_empty() { self.unreserved() } else { 0 };
        place = 0;
        while let Some(&job) = self.waiting.get(place) {
            let seats = self.decoding as usize + self.prefilling.len() + self.fetches.len();
            if seats >= self.limits.sequences || budget == 0 {
                break;
            }
            if !self.may_run(&job) {
                place += 1;
                continue;
            }
            if job.is_remote {
                let needed = blocks(job.prefill());
                if needed > self.free() || !self.reserve(&job, reserves, &mut unreserved) {
                    break;
                }
                self.waiting.remove(place);
                self.blocks_used += needed;
                self.fetches.admit(job);
                continue;
            }
            let (hit, found, pinned) = self.find(&job);
            let chunk = (job.prefill() - hit).min(budget).min(self.limits.longest_chunk);
            let needed = blocks(if self.limits.by_chunk { hit + chunk } else { job.prefill() });
            if needed > self.free() + pinned || (!self.limits.chunks && job.prefill() - hit > budget) {
                break;
            }
            if !self.reserve(&job, reserves, &mut unreserved) {
                break;
            }
            budget -= chunk;
            started += self.take(place, (hit, found), chunk);
        }
        started
    }

    /// Whether the blocks of the whole answer can be kept, where they are.
    fn reserve(&self, job: &Job, reserves: bool, unreserved: &mut u64) -> bool {
        let left = if reserves { unreserved.checked_sub(self.limits.reserved_by(job)) } else { Some(*unreserved) };
        *unreserved = left.unwrap_or(*unreserved);
        left.is_some()
    }

    /// A prompt that has come is done but for its last token, which the next iteration computes. Its blocks are counted.
    fn join(&mut self, job: Job) {
        self.stats.prefilled_tokens += 1;
        self.stats.admitted_tokens += u64::from(job.prompt);
        let job = Job { start: self.clock_ns, is_remote: false, ..job };
        self.join_adapter(&job);
        let computed = job.prefill();
        self.prefilling.push(Prefill { job, computed, chunk: 1, admission: self.admissions });
        self.admissions += 1;
    }

    /// The request at the head of the queue, which has found so many tokens in so many blocks, joins the batch with a chunk of its prompt.
    /// Returns 1 if it starts for the first time.
    pub(super) fn take_first(&mut self, found: (u64, u64), chunk: u64) -> u64 {
        self.take(0, found, chunk)
    }

    /// The same of the request at `place` in the queue.
    fn take(&mut self, place: usize, (hit, found): (u64, u64), chunk: u64) -> u64 {
        let job = self.waiting.remove(place).expect("it waits");
        self.join_adapter(&job);
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

    /// Blocks that are kept for nobody's answer, nor left for others.
    pub(super) fn unreserved(&self) -> u64 {
        let decoding = self.sequences.iter().filter(|sequence| sequence.lives).map(|sequence| &sequence.job);
        let running = decoding.chain(self.prefilling.iter().map(|prefill| &prefill.job)).chain(self.fetches.jobs());
        let reserved: u64 = running.map(|job| self.limits.reserved_by(job)).sum();
        let left: u64 = self.left.iter().map(|left| left.blocks).sum();
        (self.limits.total_tokens() / BLOCK_TOKENS).saturating_sub(reserved + left)
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
