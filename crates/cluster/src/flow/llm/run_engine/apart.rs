//! Schedulers whose passes hold either prompts or decoding sequences: SGLang's and TGI's. A pass of prompts is a run of one iteration; between
//! two of them the decoding sequences run on as elsewhere.

use super::super::engine::{BLOCK_TOKENS, Job, Limits, blocks};
use super::super::iteration::{FRACTION_BITS, Run, Work};
use super::super::scheduler::{NewTokenRatio, PassBudget, SORTED_MAX, Stop, least_taken, still_to_come};
use super::RunEngine;
use crate::flow::intake::NEVER;
use crate::spec::{PrefillFirst, Scheduler, Tgi};

/// What such an engine keeps from pass to pass.
pub(super) struct Apart {
    rule: Rule,
    /// How long passes of prompts have let decoding sequences wait, all in all, in 2^-20 ns.
    pub stood_still: u64,
    /// The same when a token was last decoded.
    decoded_at: u64,
}

enum Rule {
    PrefillFirst {
        rule: PrefillFirst,
        ratio: NewTokenRatio,
        /// Nobody is looked at before somebody leaves.
        is_full: bool,
        /// The pass under way began with a retraction.
        has_retracted: bool,
    },
    Tgi {
        rule: Tgi,
        /// The step at which prompts were last computed.
        prefilled_at: u64,
        /// The next pass is one of decoding.
        must_decode: bool,
    },
}

impl Apart {
    /// That of an idle engine; `None` where passes are mixed.
    pub fn of(limits: &Limits) -> Option<Box<Self>> {
        let rule = match limits.scheduler {
            Scheduler::PrefillFirst(rule) => {
                let ratio = NewTokenRatio::new(rule.conservativeness);
                Rule::PrefillFirst { rule, ratio, is_full: false, has_retracted: false }
            }
            Scheduler::Tgi(rule) => Rule::Tgi { rule, prefilled_at: 0, must_decode: false },
            Scheduler::Vllm | Scheduler::NoEvict | Scheduler::MaxUtilization => return None,
        };
        Some(Box::new(Self { rule, stood_still: 0, decoded_at: 0 }))
    }

    /// The engine has nothing to do.
    pub fn idle(&mut self) {
        match &mut self.rule {
            Rule::PrefillFirst { ratio, is_full, .. } => {
                ratio.reset();
                *is_full = false;
            }
            Rule::Tgi { must_decode, .. } => *must_decode = false,
        }
    }

    /// Whether who comes behind others may change what the next pass is.
    pub fn counts_the_queue(&self) -> bool {
        matches!(self.rule, Rule::Tgi { .. })
    }
}

impl RunEngine {
    fn apart(&mut self) -> &mut Apart {
        self.apart.as_mut().expect("passes are apart")
    }

    /// Somebody has left the batch: SGLang looks at its queue again.
    #[inline]
    pub(super) fn note_leaving(&mut self) {
        if let Some(apart) = &mut self.apart
            && let Rule::PrefillFirst { is_full, .. } = &mut apart.rule
        {
            *is_full = false;
        }
    }

    /// Completes `count` iterations of `run` as far as decoding goes on otherwise than elsewhere. Returns whether it stood still.
    pub(super) fn complete_apart(&mut self, run: &Run, count: u64) -> bool {
        let is_alone = self.is_alone;
        let apart = self.apart();
        if is_alone {
            apart.stood_still += run.span(count);
            return true;
        }
        if let Rule::PrefillFirst { ratio, has_retracted, .. } = &mut apart.rule {
            ratio.decay(count - u64::from(std::mem::take(has_retracted)));
        }
        false
    }

    /// The first tokens of `run`, whose durations have been counted, came later by what each sequence has waited for prompts.
    pub(super) fn count_waits(&mut self, run: &Run) {
        let apart = self.apart();
        let (now, before) = (apart.stood_still, std::mem::replace(&mut apart.decoded_at, apart.stood_still));
        if now == before {
            return;
        }
        let Some(log) = &mut self.latency else { return };
        for sequence in self.sequences.iter().filter(|sequence| sequence.lives) {
            log.delay_first(run, now - sequence.stood_still.max(before));
        }
    }

    /// Starts the next pass.
    pub(super) fn start_apart(&mut self, now: u64) -> u64 {
        let (started, most) = match self.apart().rule {
            Rule::PrefillFirst { rule, .. } => self.take_prompts_first(&rule),
            Rule::Tgi { rule, .. } => self.take_prompts_together(&rule),
        };
        if self.nobody_runs() {
            // Whoever waits does so for others to fetch what takes its room.
            self.end_busy(now);
            self.apart().idle();
            return started;
        }
        self.is_alone = !self.prefilling.is_empty();
        let run = if self.is_alone {
            self.mixed_run(Work::default())
        } else {
            self.blocks_used += self.blocks_needed();
            self.decoding_run(most)
        };
        self.go(run);
        started
    }

    /// Prompts for a pass, as SGLang chooses them; without any, room for a pass of decoding. Returns how many start for the first time and after
    /// how many passes of decoding it looks again.
    fn take_prompts_first(&mut self, rule: &PrefillFirst) -> (u64, u64) {
        let started = self.fill_pass(rule);
        if !self.prefilling.is_empty() {
            return (started, 1);
        }
        let needed = self.blocks_needed();
        if needed <= self.free() {
            return (started, NEVER);
        }
        self.retract();
        (started, 1)
    }

    fn fill_pass(&mut self, rule: &PrefillFirst) -> u64 {
        let goes_on = !self.prefilling.is_empty();
        let Rule::PrefillFirst { ratio, is_full, .. } = self.apart().rule else { return 0 };
        if !goes_on && (is_full || self.waiting.is_empty()) {
            return 0;
        }
        let mut kept = 0;
        for sequence in self.sequences.iter().filter(|sequence| sequence.lives) {
            kept += still_to_come(self.limits.most_of(&sequence.job), self.made_of(sequence));
        }
        let mut budget = PassBudget::new(&self.limits, rule, (self.free(), ratio.of(kept)));
        if goes_on {
            self.go_on_with_prompt(&mut budget);
        }
        if rule.longest_prefix_first {
            self.sort_by_found();
        }
        let mut started = 0;
        let mut stop = budget.state();
        while stop.is_ok()
            && let Some(&job) = self.waiting.front()
        {
            if self.decoding as usize + self.prefilling.len() >= self.limits.sequences {
                stop = Err(Stop::NoRoom);
                break;
            }
            let (hit, found, pinned) = self.find(&job);
            let (left, needed) = (job.prefill() - hit, blocks(job.prefill()) - pinned);
            let answer = still_to_come(self.limits.most_of(&job), u64::from(job.made));
            match budget.take(left, needed, answer) {
                Err(reason) => stop = Err(reason),
                Ok(chunk) => {
                    let taken = blocks(hit + chunk) - pinned;
                    started += self.take_first((hit, found), chunk);
                    budget.spend(chunk, taken, (chunk == left).then_some(answer));
                    stop = budget.state();
                }
            }
        }
        if let Rule::PrefillFirst { is_full, .. } = &mut self.apart().rule {
            *is_full = stop == Err(Stop::NoRoom);
        }
        started
    }

    /// The prompt that was cut in the pass before comes first.
    fn go_on_with_prompt(&mut self, budget: &mut PassBudget) {
        let partial = &mut self.prefilling[0];
        let left = partial.job.prefill() - partial.computed;
        partial.chunk = budget.next_chunk(left);
        let grown = blocks(partial.computed + partial.chunk) - blocks(partial.computed);
        partial.computed += partial.chunk;
        let (job, chunk, full) = (partial.job, partial.chunk, partial.computed / BLOCK_TOKENS);
        let answer = still_to_come(self.limits.most_of(&job), u64::from(job.made));
        self.blocks_used += grown;
        self.stats.prefilled_tokens += chunk;
        self.share(job.holding, full);
        budget.spend(chunk, grown, (chunk == left).then_some(answer));
    }

    /// The longest cached prefix first, those with equal ones in their order.
    fn sort_by_found(&mut self) {
        if self.cache.is_none() || self.waiting.len() > SORTED_MAX {
            return;
        }
        let mut waiting: Vec<Job> = self.waiting.drain(..).collect();
        waiting.sort_by_cached_key(|job| std::cmp::Reverse(self.find(job).1));
        self.waiting.extend(waiting);
    }

    /// Sends away who has made the fewest tokens, of these the longest prompt, of these the youngest, until the others have room.
    fn retract(&mut self) {
        while self.blocks_needed() > self.free() {
            let lives = self.sequences.iter().enumerate().filter(|(_, sequence)| sequence.lives);
            let rank = |sequence: &super::Sequence| {
                (self.made_of(sequence), std::cmp::Reverse(sequence.job.prompt), std::cmp::Reverse(sequence.admission))
            };
            let (place, _) = lives.min_by_key(|(_, sequence)| rank(sequence)).expect("somebody uses the blocks");
            let last_token = self.last_token_of(place);
            let (job, computed) = self.leave(place as u32);
            self.blocks_used -= blocks(computed);
            if let Some(cache) = &mut self.cache {
                // What it leaves is used at once, and not kept to be found.
                cache.release(job.holding, blocks(computed));
            }
            self.waiting.push_back(Job { last_token, ..job });
            self.stats.preemptions += 1;
        }
        let left = self.decoding;
        let (mut made, mut most) = (0, 0);
        for sequence in self.sequences.iter().filter(|sequence| sequence.lives) {
            made += self.made_of(sequence);
            most += self.limits.most_of(&sequence.job);
        }
        let Rule::PrefillFirst { ratio, is_full, has_retracted, .. } = &mut self.apart().rule else { return };
        ratio.estimate(left, made, most);
        (*is_full, *has_retracted) = (false, true);
    }

    /// When a decoding sequence made its last token.
    fn last_token_of(&mut self, place: usize) -> u64 {
        let since = self.sequences[place].stood_still;
        let (ns, fraction) = (self.clock_ns, self.clock_fraction);
        let apart = self.apart();
        let waited = apart.stood_still - since.max(apart.decoded_at);
        (((u128::from(ns) << FRACTION_BITS) + u128::from(fraction) - u128::from(waited)) >> FRACTION_BITS) as u64
    }

    /// Prompts for a pass, as TGI chooses them: see [`RunEngine::take_prompts_first`].
    fn take_prompts_together(&mut self, rule: &Tgi) -> (u64, u64) {
        let (decoding, step) = (self.decoding, self.step);
        let Rule::Tgi { prefilled_at, must_decode, .. } = &mut self.apart().rule else { return (0, NEVER) };
        let steps = 1 + step - *prefilled_at;
        if std::mem::take(must_decode) && decoding > 0 {
            return (0, if self.waiting.is_empty() { NEVER } else { 1 });
        }
        let count = self.fitting_together();
        if count < least_taken(rule, decoding, steps) {
            // Any number is taken after a while.
            let left = u64::from(rule.waiting_tokens_max).saturating_sub(steps);
            return (0, if self.waiting.is_empty() || left == 0 { NEVER } else { left });
        }
        let mut started = 0;
        for _ in 0..count {
            let job = *self.waiting.front().expect("they were counted");
            let (hit, found, _) = self.find(&job);
            started += self.take_first((hit, found), job.prefill() - hit);
        }
        let Rule::Tgi { prefilled_at, must_decode, .. } = &mut self.apart().rule else { return (started, 1) };
        (*prefilled_at, *must_decode) = (step, decoding > 0);
        (started, 1)
    }

    /// How many from the head of the queue fit into one pass, and with their whole answers beside the others.
    fn fitting_together(&self) -> usize {
        let (mut unreserved, mut pass) = (self.unreserved(), self.limits.batched_tokens);
        let seats = self.limits.sequences - self.decoding as usize;
        let fits = |job: &&Job| {
            let (reserved, prompt) = (self.limits.reserved_by(job), job.prefill());
            let is_small = reserved <= unreserved && prompt <= pass;
            if is_small {
                (unreserved, pass) = (unreserved - reserved, pass - prompt);
            }
            is_small
        };
        self.waiting.iter().take(seats).take_while(fits).count()
    }
}
