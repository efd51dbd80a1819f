//! The plain engine: every iteration one by one, every sequence in a list in order of admission. The oracle of the fast one.

mod apart;

use std::collections::VecDeque;

use exporters::HistogramSignal;

use self::apart::Apart;
use super::adapters::{Residence, adapters_of};
use super::engine::{
    BLOCK_TOKENS, Engine, EngineStats, Fetches, Instant, Job, Left, Limits, blocks, enqueue, in_hand, put_back,
    take_waiting,
};
use super::iteration::{FRACTION_BITS, Run, Work, in_fractions};
use super::pace::Pace;
use super::prefix::{NO_HOLDING, Part, PrefixCache};
use crate::flow::InHand;
use crate::flow::intake::NEVER;
use crate::flow::latency::{LatencyLog, Watched};
use crate::spec::Scheduler;

#[derive(Clone, Copy, Debug)]
struct Sequence {
    job: Job,
    /// Tokens in the cache before the iteration under way.
    computed: u64,
    /// Tokens the iteration under way adds.
    scheduled: u64,
    /// Whether it has made a token since it was admitted.
    decodes: bool,
    /// When its last token was out.
    last: u128,
    /// What is left of a token below one, where several are gained an iteration.
    rest: u64,
}

impl Sequence {
    /// Tokens of its prompt in the next iteration, if the budget allows.
    fn wants(&self) -> u64 {
        self.job.prefill() - self.computed
    }

    /// Tokens it gains in the next iteration, if it decodes; it ends with its last one.
    fn gain(&self, pace: Pace) -> u64 {
        ((self.rest + pace.gain) >> pace.bits).min(u64::from(self.job.output - self.job.made))
    }

    fn blocks(&self) -> u64 {
        blocks(self.computed + self.scheduled)
    }
}

pub struct StepEngine {
    limits: Limits,
    waiting: VecDeque<Job>,
    running: Vec<Sequence>,
    /// In 2^-20 ns.
    clock: u128,
    ends_at: Option<u128>,
    is_halted: bool,
    first_delay: u64,
    busy_since: Option<u64>,
    stats: EngineStats,
    apart: Apart,
    cache: Option<PrefixCache>,
    latency: Option<LatencyLog>,
    fetches: Fetches,
    left: Vec<Left>,
    residence: Residence,
}

impl StepEngine {
    fn blocks_used(&self) -> u64 {
        let counted: u64 = self.running.iter().map(Sequence::blocks).sum();
        let left: u64 = self.left.iter().map(|left| left.blocks).sum();
        let fetched: u64 = self.fetches.jobs().map(|job| blocks(job.prefill())).sum();
        counted + left + fetched - self.cache.as_ref().map_or(0, PrefixCache::counted_twice)
    }

    fn free(&self) -> u64 {
        self.limits.blocks - self.blocks_used()
    }

    fn release(&mut self, job: &mut Job, computed: u64, for_good: bool) {
        let Some(cache) = &mut self.cache else { return };
        if for_good {
            cache.release(job.holding, blocks(computed));
            cache.forget(job.holding);
        } else {
            job.holding = cache.release_for_later(job.holding, (blocks(computed), computed / BLOCK_TOKENS));
        }
    }

    fn share(&mut self, holding: u32, full: u64) {
        let free = self.free();
        if let Some(cache) = &mut self.cache {
            cache.settle(free);
            cache.extend(holding, full);
        }
    }

    /// The one to be preempted: the youngest, by priority the least urgent one.
    fn last(&self) -> usize {
        if !self.limits.by_priority {
            return self.running.len() - 1;
        }
        let rank = |place: &usize| (self.running[*place].job.priority, self.running[*place].job.rank, *place);
        (0..self.running.len()).max_by_key(rank).expect("somebody runs")
    }

    fn nanos(clock: u128) -> u64 {
        (clock >> FRACTION_BITS) as u64
    }

    /// As vLLM: through the running sequences in order, each taking what is left of the budget and its blocks, the last one giving way.
    fn schedule_running(&mut self) -> (u64, bool) {
        let (mut budget, pace) = (self.limits.batched_tokens, self.limits.pace);
        let mut preempted = false;
        let mut place = 0;
        while place < self.running.len() {
            let sequence = self.running[place];
            // Of the budget it has what is checked, of the cache what is right.
            let (tokens, spent) = if sequence.decodes {
                assert!(pace.width <= budget, "there is a place in the pass for everybody who decodes");
                (sequence.gain(pace), pace.width)
            } else {
                let chunk = sequence.wants().min(budget).min(self.limits.longest_chunk);
                (chunk, chunk)
            };
            let needed = blocks(sequence.computed + tokens) - blocks(sequence.computed);
            if needed > self.free() {
                let (last, free) = (self.last(), self.free());
                if let Some(cache) = &mut self.cache {
                    cache.settle(free);
                }
                let mut out = self.running.remove(last);
                if out.decodes {
                    out.job.last_token = Self::nanos(out.last);
                }
                // What it was given for this iteration is free again.
                if out.scheduled > 0 {
                    budget += if out.decodes { pace.width } else { out.scheduled };
                }
                place -= usize::from(last < place);
                self.release(&mut out.job, out.computed, false);
                put_back(&mut self.waiting, out.job, self.limits.by_priority);
                self.stats.preemptions += 1;
                preempted = true;
                continue;
            }
            self.running[place].scheduled = tokens;
            budget -= spent;
            place += 1;
        }
        for place in 0..self.running.len() {
            let sequence = self.running[place];
            if !sequence.decodes {
                self.stats.prefilled_tokens += sequence.scheduled;
                self.share(sequence.job.holding, (sequence.computed + sequence.scheduled) / BLOCK_TOKENS);
            }
        }
        (budget, preempted)
    }

    /// What the request at the head finds: (tokens, blocks, blocks of these that others use too).
    fn find(&mut self, job: &Job) -> (u64, u64, u64) {
        let free = self.free();
        let Some(cache) = &mut self.cache else { return (self.limits.assumed_hit(job.prefill()), 0, 0) };
        cache.settle(free);
        let (found, pinned) = cache.look(job.holding, (job.prefill() - 1) / BLOCK_TOKENS);
        (found * BLOCK_TOKENS, found, pinned)
    }

    fn admit(&mut self, mut budget: u64, now: u64) -> u64 {
        let mut started = 0;
        let mut place = 0;
        while let Some(job) = self.waiting.get(place).copied() {
            if self.running.len() + self.fetches.len() == self.limits.sequences || budget == 0 {
                break;
            }
            if !self.may_run(&job) {
                place += 1;
                continue;
            }
            if job.is_remote {
                if blocks(job.prefill()) > self.free() || !self.can_keep(&job) {
                    break;
                }
                self.waiting.remove(place);
                self.fetches.admit(job);
                continue;
            }
            let (hit, found, pinned) = self.find(&job);
            let scheduled = (job.prefill() - hit).min(budget).min(self.limits.longest_chunk);
            let wanted = if self.limits.by_chunk { hit + scheduled } else { job.prefill() };
            if blocks(wanted) - pinned > self.free() || !self.limits.chunks && job.prefill() - hit > budget {
                break;
            }
            if !self.can_keep(&job) {
                break;
            }
            budget -= scheduled;
            started += self.join_at(place, (hit, found), scheduled, now);
        }
        started
    }

    /// As vLLM's check of `max_loras`: whether the batch has the adapter of a request, or room for one more.
    fn may_run(&self, job: &Job) -> bool {
        let Some(rules) = &self.limits.adapters else { return true };
        let batch = adapters_of(self.running.iter().map(|sequence| &sequence.job));
        job.adapter == 0 || batch.contains(&job.adapter) || batch.len() < rules.max_active
    }

    /// Blocks that those with a seat may have in the end, and those that are left for others.
    fn kept(&self) -> u64 {
        let running = self.running.iter().map(|sequence| &sequence.job);
        let reserved: u64 = running.chain(self.fetches.jobs()).map(|job| self.limits.reserved_by(job)).sum();
        reserved + self.left.iter().map(|left| left.blocks).sum::<u64>()
    }

    /// Whether there are blocks for the whole answer beside those of the others, where they are kept.
    fn can_keep(&self, job: &Job) -> bool {
        self.limits.scheduler != Scheduler::NoEvict || self.kept() + self.limits.reserved_by(job) <= self.limits.blocks
    }

    /// Prompts that have come are done but for their last token. Returns what is left of the budget, and how many start now.
    fn join_landed(&mut self, mut budget: u64, now: u64) -> (u64, u64) {
        let mut started = 0;
        let mut place = 0;
        while budget > 0
            && let Some(job) = self.fetches.landed.get(place).copied()
        {
            if !self.may_run(&job) {
                place += 1;
                continue;
            }
            self.fetches.landed.remove(place);
            budget -= 1;
            started += 1;
            self.stats.prefilled_tokens += 1;
            self.stats.admitted_tokens += u64::from(job.prompt);
            let computed = u64::from(job.prompt) - 1;
            let job = Job { start: now, is_remote: false, ..job };
            self.running.push(Sequence { job, computed, scheduled: 1, decodes: false, last: 0, rest: 0 });
        }
        (budget, started)
    }

    /// The head of the queue runs from now on, so much of its prompt first. Returns 1 if for the first time.
    fn join(&mut self, found: (u64, u64), scheduled: u64, now: u64) -> u64 {
        self.join_at(0, found, scheduled, now)
    }

    /// The same of the one at `place`.
    fn join_at(&mut self, place: usize, (hit, found): (u64, u64), scheduled: u64, now: u64) -> u64 {
        let mut job = self.waiting.remove(place).expect("it waits");
        let is_new = job.start == NEVER;
        if is_new {
            job.start = now;
            job.cached = hit as u32;
            self.stats.admitted_tokens += u64::from(job.prompt);
            self.stats.hit_tokens += hit;
        }
        self.stats.prefilled_tokens += scheduled;
        self.stats.found_tokens += hit;
        if let Some(cache) = &mut self.cache {
            cache.take(job.holding, found);
        }
        self.running.push(Sequence { job, computed: hit, scheduled, decodes: false, last: 0, rest: 0 });
        self.share(job.holding, (hit + scheduled) / BLOCK_TOKENS);
        u64::from(is_new)
    }

    fn end_iteration(&mut self, done: &mut Vec<Job>) {
        let now = Self::nanos(self.clock);
        let mut unwatched = LatencyLog::default();
        let log = self.latency.as_mut().unwrap_or(&mut unwatched);
        self.stats.iterations += 1;
        let pace = self.limits.pace;
        for sequence in &mut self.running {
            let gained = std::mem::take(&mut sequence.scheduled);
            sequence.computed += gained;
            let job = &mut sequence.job;
            let is_prompt_done = !sequence.decodes && sequence.computed == job.prefill();
            if gained > 0 && (sequence.decodes || is_prompt_done) {
                let made = if sequence.decodes { gained } else { 1 };
                if sequence.decodes {
                    sequence.rest = (sequence.rest + pace.gain) & ((1 << pace.bits) - 1);
                }
                job.made += made as u32;
                if sequence.decodes {
                    log.record_run(&Run::of((self.clock - sequence.last) as u64), 1, 1);
                } else if job.first_token == NEVER {
                    log.record(HistogramSignal::FirstToken, now - job.arrival);
                } else {
                    log.record(HistogramSignal::InterToken, now - job.last_token);
                }
                (sequence.decodes, sequence.last) = (true, self.clock);
                self.stats.output_tokens += made;
                if job.first_token == NEVER {
                    job.first_token = now;
                    self.stats.prompt_tokens += u64::from(job.prompt);
                    self.stats.cached_tokens += u64::from(job.cached);
                    self.stats.fetched_tokens += u64::from(job.fetched);
                }
                if job.made == job.output {
                    job.log_finish(log, now);
                }
            }
        }
        let free = self.free();
        if let Some(cache) = &mut self.cache {
            let finished = self.running.iter().filter(|sequence| sequence.job.made == sequence.job.output);
            for (index, sequence) in finished.enumerate() {
                if index == 0 {
                    cache.settle(free);
                }
                cache.extend(sequence.job.holding, sequence.computed / BLOCK_TOKENS);
                if !self.limits.keeps_finished {
                    cache.release(sequence.job.holding, sequence.blocks());
                    cache.forget(sequence.job.holding);
                }
            }
        }
        if self.limits.keeps_finished {
            let finished = self.running.iter().filter(|sequence| sequence.job.made == sequence.job.output);
            let left = |sequence: &Sequence| {
                let (key, holding) = (sequence.job.key, sequence.job.holding);
                Left { key, holding, blocks: sequence.blocks() }
            };
            self.left.extend(finished.map(left));
        }
        let ran = self.running.len();
        done.extend(self.running.iter().map(|sequence| sequence.job).filter(|job| job.made == job.output));
        self.running.retain(|sequence| sequence.job.made < sequence.job.output);
        if self.running.len() < ran {
            self.apart.is_full = false;
        }
    }
}

impl Engine for StepEngine {
    fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            waiting: VecDeque::new(),
            running: Vec::new(),
            clock: 0,
            ends_at: None,
            is_halted: false,
            first_delay: 0,
            busy_since: None,
            stats: EngineStats::default(),
            apart: Apart::of(&limits.scheduler),
            cache: limits.has_prefix_cache.then(|| PrefixCache::new(limits.blocks)),
            latency: None,
            fetches: Fetches::default(),
            left: Vec::new(),
            residence: Residence::default(),
        }
    }

    fn next(&self) -> u64 {
        self.ends_at.map_or(NEVER, Self::nanos)
    }

    fn settle(&mut self, now: u64, done: &mut Vec<Job>) {
        assert_eq!(self.next(), now, "every iteration is an event");
        self.clock = self.ends_at.take().expect("an iteration is under way");
        self.end_iteration(done);
    }

    fn announce(&mut self, parts: &[Part]) -> u32 {
        self.cache.as_mut().map_or(NO_HOLDING, |cache| cache.announce(parts))
    }

    fn push(&mut self, job: Job, _at: Instant) {
        enqueue(&mut self.waiting, job, self.limits.by_priority);
    }

    fn abort(&mut self, key: u32, _at: Instant) -> Job {
        if let Some(job) = take_waiting(&mut self.waiting, key) {
            if let Some(cache) = &mut self.cache {
                cache.forget(job.holding);
            }
            return job;
        }
        if let Some(job) = self.fetches.take(key) {
            return job;
        }
        let place = self.running.iter().position(|sequence| sequence.job.key == key).expect("it runs");
        let Sequence { mut job, computed, scheduled, .. } = self.running.remove(place);
        self.release(&mut job, computed + scheduled, true);
        self.apart.is_full = false;
        job
    }

    fn first_token(&mut self, key: u32, _at: Instant) -> u64 {
        let waiting = self.waiting.iter().chain(self.fetches.jobs());
        let mut jobs = waiting.chain(self.running.iter().map(|sequence| &sequence.job));
        jobs.find(|job| job.key == key).map_or(NEVER, |job| job.first_token)
    }

    fn start(&mut self, now: u64) -> u64 {
        if self.ends_at.is_some() || self.is_halted {
            return 0;
        }
        if self.running.is_empty() && self.waiting.is_empty() && self.fetches.landed.is_empty() {
            self.stats.busy_ns += self.busy_since.take().map_or(0, |since| now - since);
            self.apart = Apart::of(&self.limits.scheduler);
            return 0;
        }
        self.busy_since.get_or_insert(now);
        self.clock = self.clock.max(u128::from(now) << FRACTION_BITS);
        let started = match self.limits.scheduler {
            Scheduler::PrefillFirst(rule) => self.schedule_prompts_first(&rule, now),
            Scheduler::Tgi(rule) => self.schedule_together(&rule, now),
            Scheduler::Vllm | Scheduler::NoEvict | Scheduler::MaxUtilization => {
                let (budget, preempted) = self.schedule_running();
                if preempted && !self.running.is_empty() {
                    0
                } else {
                    let (budget, landed) = self.join_landed(budget, now);
                    landed + self.admit(budget, now)
                }
            }
        };
        if self.running.is_empty() {
            // Whoever waits does so for others to fetch what takes its room, or for what it has to fetch.
            self.stats.busy_ns += self.busy_since.take().map_or(0, |since| now - since);
            self.apart = Apart::of(&self.limits.scheduler);
            return started;
        }
        assert!(self.blocks_used() <= self.limits.blocks, "the cache holds what it is said to hold");
        let mut work = Work::default();
        for sequence in self.running.iter().filter(|sequence| sequence.scheduled > 0) {
            if sequence.decodes {
                work.decodes += 1;
                work.sequences += 1;
                work.kv_decoding +=
                    (sequence.computed << self.limits.pace.bits) + sequence.rest + self.limits.pace.gain;
            } else {
                work.add_chunk(sequence.scheduled, sequence.computed);
            }
        }
        let mut delay = if work.prompt > 0 { std::mem::take(&mut self.first_delay) } else { 0 };
        let mut curve = &self.limits.curve;
        if let Some(rules) = &self.limits.adapters {
            let batch = adapters_of(self.running.iter().map(|sequence| &sequence.job));
            assert!(batch.len() <= rules.max_active, "no pass has more adapters than it may");
            let brought = self.residence.bring(rules, &batch);
            self.stats.adapter_loads += brought.loads;
            delay += brought.time;
            curve = rules.curve(batch.len()).unwrap_or(curve);
        }
        let duration = curve.single(&work, delay).span(1);
        self.ends_at = Some(self.clock + u128::from(duration));
        started
    }

    fn take_fetching(&mut self, into: &mut Vec<u32>) {
        into.append(&mut self.fetches.fresh);
    }

    fn land(&mut self, key: u32, _at: Instant) {
        self.fetches.land(key);
    }

    fn let_go_of(&mut self, key: u32, _at: Instant) {
        let place = self.left.iter().position(|left| left.key == key).expect("it is kept");
        let left = self.left.remove(place);
        if let Some(cache) = &mut self.cache {
            cache.release(left.holding, left.blocks);
            cache.forget(left.holding);
        }
        self.apart.is_full = false;
    }

    fn clear(&mut self, now: u64) -> Vec<Job> {
        self.stats.busy_ns += self.busy_since.take().map_or(0, |since| now - since);
        self.ends_at = None;
        self.apart = Apart::of(&self.limits.scheduler);
        self.cache = self.cache.take().map(|_| PrefixCache::new(self.limits.blocks));
        self.left.clear();
        self.residence = Residence::default();
        let running = self.running.drain(..).map(|sequence| sequence.job);
        running.chain(self.fetches.clear()).chain(self.waiting.drain(..)).collect()
    }

    fn halt(&mut self, now: u64) {
        self.stats.busy_ns += self.busy_since.take().map_or(0, |since| now - since);
        self.ends_at = None;
        self.is_halted = true;
    }

    fn slow_first(&mut self, nanos: u64) {
        self.first_delay = in_fractions(nanos);
    }

    fn keys(&self) -> Vec<u32> {
        let waiting = self.waiting.iter().chain(self.fetches.jobs()).map(|job| job.key);
        self.running.iter().map(|sequence| sequence.job.key).chain(waiting).collect()
    }

    fn adapters(&self) -> Vec<u32> {
        let running = self.running.iter().map(|sequence| &sequence.job);
        adapters_of(running.chain(&self.waiting).chain(self.fetches.jobs()))
    }

    fn waiting(&self) -> u64 {
        (self.waiting.len() + self.fetches.len()) as u64
    }

    fn running(&self) -> u64 {
        self.running.len() as u64
    }

    fn kv_usage(&self, _now: u64) -> f64 {
        self.blocks_used() as f64 / self.limits.blocks.max(1) as f64
    }

    fn in_hand(&self, now: u64) -> InHand {
        in_hand(self.waiting.iter().chain(self.fetches.jobs()), self.running.iter().map(|sequence| &sequence.job), now)
    }

    fn watch_latency(&mut self, watched: &Watched) {
        self.latency = Some(LatencyLog::new(watched));
    }

    fn latency(&self) -> Option<&LatencyLog> {
        self.latency.as_ref()
    }

    fn stats(&mut self, now: u64) -> EngineStats {
        let busy = self.busy_since.map_or(0, |since| now - since);
        EngineStats { busy_ns: self.stats.busy_ns + busy, ..self.stats }
    }
}
