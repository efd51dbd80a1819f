//! SGLang's and TGI's passes, one by one: either prompts or decoding sequences.

use std::cmp::Reverse;

use super::super::engine::{BLOCK_TOKENS, blocks};
use super::super::scheduler::{NewTokenRatio, PassBudget, SORTED_MAX, Stop, least_taken, still_to_come};
use super::{Sequence, StepEngine};
use crate::spec::{PrefillFirst, Scheduler, Tgi};

/// What is kept from pass to pass; gone when the engine is idle.
pub struct Apart {
    /// SGLang: nobody is looked at before somebody leaves.
    pub is_full: bool,
    ratio: NewTokenRatio,
    /// TGI: `waiting_tokens`.
    steps: u64,
    must_decode: bool,
}

impl Apart {
    pub fn of(scheduler: &Scheduler) -> Self {
        let conservativeness = if let Scheduler::PrefillFirst(rule) = scheduler { rule.conservativeness } else { 0.0 };
        Self { is_full: false, ratio: NewTokenRatio::new(conservativeness), steps: 1, must_decode: false }
    }
}

impl StepEngine {
    /// SGLang's `get_next_batch_to_run`.
    pub(super) fn schedule_prompts_first(&mut self, rule: &PrefillFirst, now: u64) -> u64 {
        let cut = self.running.iter().position(|sequence| !sequence.decodes);
        if cut.is_some() {
            self.apart.is_full = false;
        }
        let mut started = 0;
        if cut.is_some() || !self.apart.is_full && !self.waiting.is_empty() {
            started = self.extend(rule, cut, now);
        }
        if self.running.iter().all(|sequence| sequence.scheduled == 0) {
            self.decode_or_retract();
        }
        started
    }

    /// SGLang's `get_new_batch_prefill`.
    fn extend(&mut self, rule: &PrefillFirst, cut: Option<usize>, now: u64) -> u64 {
        let decoding = self.running.iter().filter(|sequence| sequence.decodes);
        let to_come = decoding
            .map(|sequence| still_to_come(self.limits.most_of(&sequence.job), u64::from(sequence.job.made)))
            .sum();
        let mut budget = PassBudget::new(&self.limits, rule, (self.free(), self.apart.ratio.of(to_come)));
        if let Some(place) = cut {
            let before = self.running[place];
            let chunk = budget.next_chunk(before.wants());
            self.running[place].scheduled = chunk;
            self.stats.prefilled_tokens += chunk;
            let after = self.running[place];
            self.share(before.job.holding, (before.computed + chunk) / BLOCK_TOKENS);
            let answer = still_to_come(self.limits.most_of(&before.job), u64::from(before.job.made));
            budget.spend(chunk, after.blocks() - before.blocks(), (chunk == before.wants()).then_some(answer));
        }
        if rule.longest_prefix_first && self.cache.is_some() && self.waiting.len() <= SORTED_MAX {
            let mut ranked: Vec<_> = self.waiting.clone().iter().map(|job| (Reverse(self.find(job).1), *job)).collect();
            ranked.sort_by_key(|(found, _)| *found);
            self.waiting = ranked.into_iter().map(|(_, job)| job).collect();
        }
        let mut started = 0;
        while let Some(job) = self.waiting.front().copied() {
            if let Err(stop) = budget.state() {
                self.apart.is_full = stop == Stop::NoRoom;
                break;
            }
            if self.running.len() >= self.limits.sequences {
                self.apart.is_full = true;
                break;
            }
            let (hit, found, pinned) = self.find(&job);
            let left = job.prefill() - hit;
            let answer = still_to_come(self.limits.most_of(&job), u64::from(job.made));
            match budget.take(left, blocks(job.prefill()) - pinned, answer) {
                Ok(chunk) => {
                    started += self.join((hit, found), chunk, now);
                    budget.spend(chunk, blocks(hit + chunk) - pinned, (chunk == left).then_some(answer));
                }
                Err(stop) => {
                    self.apart.is_full = stop == Stop::NoRoom;
                    break;
                }
            }
        }
        // Noticed whether or not anybody is left to be looked at.
        if budget.state() == Err(Stop::NoRoom) {
            self.apart.is_full = true;
        }
        started
    }

    /// Blocks that everybody's next tokens need.
    fn needed(&self) -> u64 {
        let pace = self.limits.pace;
        let more = |sequence: &Sequence| blocks(sequence.computed + sequence.gain(pace)) - blocks(sequence.computed);
        self.running.iter().map(more).sum()
    }

    fn decode_all(&mut self) {
        let pace = self.limits.pace;
        self.running.iter_mut().for_each(|sequence| sequence.scheduled = sequence.gain(pace));
    }

    /// SGLang's `update_running_batch`.
    fn decode_or_retract(&mut self) {
        if self.needed() <= self.free() {
            self.apart.ratio.decay(1);
        } else {
            while self.needed() > self.free() {
                let rank = |place: &usize| {
                    let job = &self.running[*place].job;
                    (job.made, Reverse(job.prompt), Reverse(*place))
                };
                let place = (0..self.running.len()).min_by_key(rank).expect("somebody uses the blocks");
                let mut out = self.running.remove(place);
                out.job.last_token = Self::nanos(out.last);
                if let Some(cache) = &mut self.cache {
                    cache.release(out.job.holding, blocks(out.computed));
                }
                self.waiting.push_back(out.job);
                self.stats.preemptions += 1;
            }
            let made = self.running.iter().map(|sequence| u64::from(sequence.job.made)).sum();
            let most = self.running.iter().map(|sequence| self.limits.most_of(&sequence.job)).sum();
            self.apart.ratio.estimate(self.running.len() as u64, made, most);
            self.apart.is_full = false;
        }
        self.decode_all();
    }

    /// TGI's `batching_task`.
    pub(super) fn schedule_together(&mut self, rule: &Tgi, now: u64) -> u64 {
        let decoding = self.running.len() as u64;
        let may_take = decoding == 0 || !self.apart.must_decode;
        let count = if may_take { self.next_batch(least_taken(rule, decoding, self.apart.steps)) } else { 0 };
        if count == 0 {
            self.apart.must_decode = false;
            self.apart.steps += 1;
            self.decode_all();
            return 0;
        }
        (self.apart.steps, self.apart.must_decode) = (1, decoding > 0);
        let mut started = 0;
        for _ in 0..count {
            let job = self.waiting[0];
            let (hit, found, _) = self.find(&job);
            started += self.join((hit, found), job.prefill() - hit, now);
        }
        started
    }

    /// TGI's `queue.next_batch`: how many are taken, none if they are fewer than `least`.
    fn next_batch(&self, least: usize) -> usize {
        let (mut tokens, mut reserved, mut count) = (0, self.kept(), 0);
        for job in &self.waiting {
            tokens += u64::from(job.prompt);
            reserved += self.limits.reserved_by(job);
            let has_room =
                reserved * BLOCK_TOKENS <= self.limits.total_tokens() && tokens <= self.limits.batched_tokens;
            if !has_room || self.running.len() + count == self.limits.sequences {
                break;
            }
            count += 1;
        }
        if count < least { 0 } else { count }
    }
}
