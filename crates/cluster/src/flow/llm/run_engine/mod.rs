//! The fast engine: between two changes of the batch, iterations are advanced all at once.
//!
//! While sequences only decode, each iteration adds one token per sequence, so durations rise by a constant and any number of
//! iterations has a closed form ([`Run`]). Nothing is kept per sequence and iteration: a decoding sequence is its finishing step and
//! its `offset`, the computed tokens less the steps of the engine, which never changes while it decodes. Where sequences gain several tokens
//! an iteration ([`super::pace`]) these are counted in fractions; which of them need a block is then looked up one by one.

mod adapters;
mod apart;
mod pace;
mod room;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use exporters::HistogramSignal;

use self::apart::Apart;
use super::adapters::{Adapters, adapters_of};
use super::engine::{
    BLOCK_TOKENS, Engine, EngineStats, Fetches, Instant, Job, Left, Limits, blocks, enqueue, in_hand, take_waiting,
};
use super::iteration::{FRACTION_BITS, Run, Work, in_fractions};
use super::prefix::{Part, PrefixCache};
use crate::flow::InHand;
use crate::flow::intake::NEVER;
use crate::flow::latency::{LatencyLog, Watched};

const PHASES: usize = BLOCK_TOKENS as usize;

/// A decoding sequence.
#[derive(Clone, Copy, Debug)]
struct Sequence {
    job: Job,
    /// The step at the end of which its last token is out.
    finish_step: u64,
    /// Tokens in the cache at the end of step n, less n; in units of the pace, less n times the gain.
    offset: i64,
    /// Number of its admission.
    admission: u64,
    lives: bool,
    /// How long decoding had stood still, all in all, when it began to decode.
    stood_still: u64,
}

/// A sequence some of whose prompt is processed in this iteration, or will be in the next.
#[derive(Clone, Copy, Debug)]
struct Prefill {
    job: Job,
    /// Tokens in the cache at the end of this iteration.
    computed: u64,
    /// How many of them this iteration processes.
    chunk: u64,
    admission: u64,
}

/// An engine that advances many iterations at once.
pub struct RunEngine {
    limits: Limits,
    waiting: VecDeque<Job>,
    sequences: Vec<Sequence>,
    vacant: Vec<u32>,
    /// Decoding sequences by finishing step; entries of sequences that left early stay until their step.
    finishing: BinaryHeap<Reverse<(u64, u32)>>,
    /// In order of admission. Between two iterations: none, or the one that is partly prefilled; several where a pass takes a part of each.
    prefilling: Vec<Prefill>,
    decoding: u64,
    /// Σ offset of the decoding sequences.
    offsets: i64,
    /// Decoding sequences by offset modulo block size: which of them need a block at which step.
    phases: [u32; PHASES],
    /// Σ blocks of every sequence; what several share is counted with each.
    blocks_used: u64,
    /// Where passes hold prompts or decoding sequences: how that goes.
    apart: Option<Box<Apart>>,
    /// The pass under way holds prompts alone: decoding stands still.
    is_alone: bool,
    /// What prompts share, if anything.
    cache: Option<Box<PrefixCache>>,
    /// Sequences that have finished, with (admission, full blocks): they let go of their blocks in order, or leave them for others.
    leaving: Vec<(u64, u64, Left)>,
    admissions: u64,
    /// Iterations completed.
    step: u64,
    /// Where the clock stands: the start of what is left of the run.
    clock_ns: u64,
    clock_fraction: u64,
    run: Option<Run>,
    ends_at: u64,
    is_halted: bool,
    /// What the first iteration with a prompt takes longer, in 2^-20 ns.
    first_delay: u64,
    busy_since: u64,
    stats: EngineStats,
    latency: Option<Box<LatencyLog>>,
    /// Requests whose prompts come from elsewhere, where there are such.
    fetches: Fetches,
    /// What is kept for others to fetch; counted in `blocks_used`.
    left: Vec<Left>,
    /// Adapters of the batch, where requests are for any.
    adapters: Option<Box<Adapters>>,
}

impl RunEngine {
    /// The index into `phases` of the sequences that need a block for the iteration after `step`.
    #[inline]
    fn phase_at(step: u64) -> usize {
        (step.wrapping_neg() % BLOCK_TOKENS) as usize
    }

    #[inline]
    fn phase_of(offset: i64) -> usize {
        offset.rem_euclid(BLOCK_TOKENS as i64) as usize
    }

    /// How many iterations of the run are over by `now`.
    #[inline]
    fn progress(&self, now: u64) -> u64 {
        let Some(run) = &self.run else { return 0 };
        if self.is_halted {
            return 0;
        }
        if now >= self.ends_at {
            return run.count;
        }
        // Over means: the clock, rounded down, has reached `now` at most.
        let span = ((now + 1 - self.clock_ns) << FRACTION_BITS) - 1 - self.clock_fraction;
        run.ended_within(span)
    }

    /// Completes the first `count` iterations of the run.
    fn complete(&mut self, count: u64) {
        let run = self.run.expect("iterations are completed of a run");
        let clock = self.clock_fraction + run.span(count);
        self.clock_ns += clock >> FRACTION_BITS;
        self.clock_fraction = clock & ((1 << FRACTION_BITS) - 1);
        let is_over = count == run.count;
        self.stats.iterations += count;
        self.run = (!is_over).then(|| run.after(count));
        if self.apart.is_some() && self.complete_apart(&run, count) {
            return;
        }
        // The first iteration took its blocks when the run began; one that is under way has taken its own.
        self.blocks_used += self.blocks_taken(self.step + 1, count - u64::from(is_over));
        self.stats.output_tokens += self.tokens_made(count);
        self.step += count;
        if let Some(log) = &mut self.latency {
            log.record_run(&run, count, self.decoding);
        }
        if self.apart.is_some() {
            self.count_waits(&run);
        }
    }

    /// Brings the engine to the instant, and has the run end with the iteration under way, or with the one that ends now.
    fn interrupt(&mut self, at: Instant) {
        let count = self.progress(at.now);
        if let Some(run) = &mut self.run
            && count > 0
        {
            let clock_ns = self.clock_ns + ((self.clock_fraction + run.span(count)) >> FRACTION_BITS);
            if clock_ns == at.now && !at.has_started {
                *run = run.first(count);
            }
            self.complete(count);
        }
        if let Some(run) = &mut self.run {
            *run = run.first(1);
            self.ends_at = self.clock_ns + ((self.clock_fraction + run.span(1)) >> FRACTION_BITS);
        }
    }

    /// Prompts that this iteration finished: each has its next token.
    fn finish_prefills(&mut self, done: &mut Vec<Job>) {
        for place in (0..self.prefilling.len()).rev() {
            let Prefill { mut job, computed, admission, .. } = self.prefilling[place];
            if computed < job.prefill() {
                continue;
            }
            self.prefilling.remove(place);
            self.stats.output_tokens += 1;
            job.made += 1;
            if let Some(log) = &mut self.latency {
                match job.first_token {
                    NEVER => log.record(HistogramSignal::FirstToken, self.clock_ns - job.arrival),
                    _ => log.record(HistogramSignal::InterToken, self.clock_ns - job.last_token),
                }
            }
            if job.first_token == NEVER {
                job.first_token = self.clock_ns;
                self.stats.prompt_tokens += u64::from(job.prompt);
                self.stats.cached_tokens += u64::from(job.cached);
                self.stats.fetched_tokens += u64::from(job.fetched);
            }
            if job.made == job.output {
                self.release_finished((admission, &job), computed);
                self.leave_adapter(&job);
                self.finish(job, done);
            } else {
                self.decode(job, computed, admission);
            }
        }
    }

    fn decode(&mut self, job: Job, computed: u64, admission: u64) {
        let pace = self.limits.pace;
        let offset = (computed << pace.bits) as i64 - (self.step * pace.gain) as i64;
        let finish_step = self.step + pace.steps_for(u64::from(job.output - job.made));
        let stood_still = self.apart.as_ref().map_or(0, |apart| apart.stood_still);
        let sequence = Sequence { job, finish_step, offset, admission, lives: true, stood_still };
        let place = if let Some(place) = self.vacant.pop() {
            self.sequences[place as usize] = sequence;
            place
        } else {
            self.sequences.push(sequence);
            self.sequences.len() as u32 - 1
        };
        self.finishing.push(Reverse((finish_step, place)));
        self.decoding += 1;
        self.offsets += offset;
        self.phases[Self::phase_of(offset)] += 1;
    }

    /// Takes a decoding sequence out, with what it has made by now. Gives the tokens it has in the cache too.
    fn leave(&mut self, place: u32) -> (Job, u64) {
        let sequence = &mut self.sequences[place as usize];
        sequence.lives = false;
        let sequence = *sequence;
        let Sequence { mut job, offset, .. } = sequence;
        job.made = self.made_of(&sequence) as u32;
        // An iteration under way has already taken the block of the token it makes.
        let is_decoding = self.run.is_some() && !self.is_alone;
        let computed = self.cached_at(&sequence, self.step + u64::from(is_decoding));
        self.vacant.push(place);
        self.decoding -= 1;
        self.offsets -= offset;
        self.phases[Self::phase_of(offset)] -= 1;
        self.leave_adapter(&job);
        (job, computed)
    }

    fn finish_sequences(&mut self, done: &mut Vec<Job>) {
        while let Some(&Reverse((step, place))) = self.finishing.peek() {
            if step > self.step {
                break;
            }
            self.finishing.pop();
            if self.is_current(step, place) {
                let admission = self.sequences[place as usize].admission;
                let (job, computed) = self.leave(place);
                self.release_finished((admission, &job), computed);
                self.finish(job, done);
            }
        }
    }

    #[inline]
    fn nobody_runs(&self) -> bool {
        self.decoding == 0 && self.prefilling.is_empty()
    }

    fn end_busy(&mut self, now: u64) {
        if self.busy_since != NEVER {
            self.stats.busy_ns += now - self.busy_since;
            self.busy_since = NEVER;
        }
    }

    fn finish(&mut self, job: Job, done: &mut Vec<Job>) {
        self.note_leaving();
        if let Some(log) = &mut self.latency {
            job.log_finish(log, self.clock_ns);
        }
        done.push(job);
    }

    /// Whether an entry of `finishing` is about the sequence that has its place now.
    fn is_current(&self, step: u64, place: u32) -> bool {
        let sequence = &self.sequences[place as usize];
        sequence.lives && sequence.finish_step == step
    }

    /// The next step at which a sequence finishes.
    fn next_finish(&mut self) -> u64 {
        while let Some(&Reverse((step, place))) = self.finishing.peek() {
            if self.is_current(step, place) {
                return step;
            }
            self.finishing.pop();
        }
        NEVER
    }

    /// Begins the next run. After a preemption somebody may be admitted one iteration later where what waits shares blocks with what runs,
    /// goes by priority, needs those of a first chunk only, was denied those of several tokens, is passed over for its adapter, or has its own
    /// already; elsewhere the last one preempted heads the queue and does not fit before another sequence leaves.
    fn begin(&mut self, has_preempted: bool) {
        self.bring_adapters();
        let decoded = self.decoded();
        let run = if self.prefilling.is_empty() {
            let limits = &self.limits;
            let may_pass = limits.by_priority || self.adapters.is_some();
            let may_fit = may_pass || limits.by_chunk || !limits.pace.is_one();
            let may_admit = has_preempted && (self.cache.is_some() || may_fit || !self.fetches.landed.is_empty());
            self.decoding_run(if may_admit { 1 } else { NEVER })
        } else {
            let decodes = self.decoding;
            self.mixed_run(Work { decodes, sequences: decodes, kv_decoding: decoded, ..Work::default() })
        };
        self.go(run);
    }

    /// Tokens in the cache of the decoding sequences when the next iteration is over, in units of the pace.
    fn decoded(&self) -> u64 {
        ((self.step + 1) * self.decoding * self.limits.pace.gain).wrapping_add_signed(self.offsets)
    }

    /// Iterations of the decoding sequences alone, until one of them is finished or blocks run out, and not more than `most`.
    fn decoding_run(&mut self, most: u64) -> Run {
        let wanted = (self.next_finish() - self.step).min(most);
        let count = 1 + self.iterations_with_room(wanted - 1);
        self.curve().rising(self.decoded(), self.decoding, count)
    }

    /// One iteration of the chunks of prompts that are in it, beside `work`.
    fn mixed_run(&mut self, mut work: Work) -> Run {
        for prefill in self.prefilling.iter().filter(|prefill| prefill.chunk > 0) {
            work.add_chunk(prefill.chunk, prefill.computed - prefill.chunk);
        }
        let delay = std::mem::take(&mut self.first_delay) + self.adapters.as_ref().map_or(0, |adapters| adapters.delay);
        self.curve().single(&work, delay)
    }

    fn go(&mut self, run: Run) {
        self.ends_at = self.clock_ns + ((self.clock_fraction + run.span(run.count)) >> FRACTION_BITS);
        self.run = Some(run);
    }
}

impl Engine for RunEngine {
    fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            waiting: VecDeque::new(),
            sequences: Vec::new(),
            vacant: Vec::new(),
            finishing: BinaryHeap::new(),
            prefilling: Vec::new(),
            decoding: 0,
            offsets: 0,
            phases: [0; PHASES],
            blocks_used: 0,
            apart: Apart::of(limits),
            is_alone: false,
            cache: limits.has_prefix_cache.then(|| Box::new(PrefixCache::new(limits.blocks))),
            leaving: Vec::new(),
            admissions: 0,
            step: 0,
            clock_ns: 0,
            clock_fraction: 0,
            run: None,
            ends_at: NEVER,
            is_halted: false,
            first_delay: 0,
            busy_since: NEVER,
            stats: EngineStats::default(),
            latency: None,
            fetches: Fetches::default(),
            left: Vec::new(),
            adapters: Adapters::of(limits),
        }
    }

    fn next(&self) -> u64 {
        if self.run.is_some() && !self.is_halted { self.ends_at } else { NEVER }
    }

    fn settle(&mut self, now: u64, done: &mut Vec<Job>) {
        let count = self.progress(now);
        if count == 0 {
            return;
        }
        self.complete(count);
        if self.run.is_none() {
            self.finish_sequences(done);
            self.finish_prefills(done);
            self.let_go();
        }
    }

    fn announce(&mut self, parts: &[Part]) -> u32 {
        self.cache.as_mut().map_or(super::prefix::NO_HOLDING, |cache| cache.announce(parts))
    }

    fn push(&mut self, job: Job, at: Instant) {
        // Who waits behind others, or for a place, waits for the end of the run in any case.
        let is_first = enqueue(&mut self.waiting, job, self.limits.by_priority);
        let has_place = (self.decoding as usize) < self.limits.sequences;
        let may_pass = self.adapters.as_ref().is_some_and(|adapters| adapters.may_run(job.adapter));
        let may_be_taken = is_first || may_pass || self.apart.as_ref().is_some_and(|apart| apart.counts_the_queue());
        if may_be_taken && has_place && self.run.is_some_and(|run| run.count > 1) {
            self.interrupt(at);
        }
    }

    fn abort(&mut self, key: u32, at: Instant) -> Job {
        self.interrupt(at);
        if let Some(job) = take_waiting(&mut self.waiting, key) {
            if let Some(cache) = &mut self.cache {
                cache.forget(job.holding);
            }
            return job;
        }
        if let Some(job) = self.fetches.take(key) {
            self.blocks_used -= blocks(job.prefill());
            return job;
        }
        let (mut job, computed) = if let Some(place) = self.prefilling.iter().position(|prefill| prefill.job.key == key)
        {
            let prefill = self.prefilling.remove(place);
            self.leave_adapter(&prefill.job);
            (prefill.job, prefill.computed)
        } else {
            let place = self.sequences.iter().position(|sequence| sequence.lives && sequence.job.key == key);
            self.leave(place.expect("a request to abort is in its engine") as u32)
        };
        self.note_leaving();
        self.release(&mut job, computed, true);
        job
    }

    fn first_token(&mut self, key: u32, at: Instant) -> u64 {
        self.interrupt(at);
        let decoding = self.sequences.iter().filter(|sequence| sequence.lives).map(|sequence| &sequence.job);
        let waiting = self.waiting.iter().chain(self.fetches.jobs());
        let mut jobs = waiting.chain(self.prefilling.iter().map(|prefill| &prefill.job)).chain(decoding);
        jobs.find(|job| job.key == key).map_or(NEVER, |job| job.first_token)
    }

    fn start(&mut self, now: u64) -> u64 {
        if self.run.is_some() || self.is_halted {
            return 0;
        }
        let is_empty = self.nobody_runs() && self.waiting.is_empty() && self.fetches.landed.is_empty();
        if is_empty {
            self.end_busy(now);
            if let Some(apart) = &mut self.apart {
                apart.idle();
            }
            return 0;
        }
        if self.busy_since == NEVER {
            self.busy_since = now;
        }
        if self.clock_ns < now {
            (self.clock_ns, self.clock_fraction) = (now, 0);
        }
        if self.apart.is_some() {
            return self.start_apart(now);
        }
        let (chunk, has_preempted) = self.take_blocks();
        let budget = self.limits.batched_tokens - self.decoding * self.limits.pace.width - chunk;
        let is_shut = has_preempted && !self.nobody_runs();
        let started = if is_shut { 0 } else { self.admit(budget) };
        if self.nobody_runs() {
            self.end_busy(now);
        } else {
            self.begin(has_preempted);
        }
        started
    }

    fn take_fetching(&mut self, into: &mut Vec<u32>) {
        into.append(&mut self.fetches.fresh);
    }

    fn land(&mut self, key: u32, at: Instant) {
        self.interrupt(at);
        self.fetches.land(key);
    }

    fn let_go_of(&mut self, key: u32, at: Instant) {
        self.interrupt(at);
        let place = self.left.iter().position(|left| left.key == key).expect("it is kept");
        let left = self.left.remove(place);
        self.blocks_used -= left.blocks;
        self.note_leaving();
        if let Some(cache) = &mut self.cache {
            cache.release(left.holding, left.blocks);
            cache.forget(left.holding);
        }
    }

    fn clear(&mut self, now: u64) -> Vec<Job> {
        self.interrupt(Instant { now, has_started: true });
        let mut running: Vec<(u64, Job)> = Vec::new();
        for place in 0..self.sequences.len() {
            if self.sequences[place].lives {
                running.push((self.sequences[place].admission, self.leave(place as u32).0));
            }
        }
        running.extend(self.prefilling.drain(..).map(|prefill| (prefill.admission, prefill.job)));
        running.sort_unstable_by_key(|(admission, _)| *admission);
        self.end_busy(now);
        self.run = None;
        self.blocks_used = 0;
        self.apart = Apart::of(&self.limits);
        self.cache = self.cache.take().map(|_| Box::new(PrefixCache::new(self.limits.blocks)));
        self.finishing.clear();
        self.left.clear();
        self.adapters = Adapters::of(&self.limits);
        running.into_iter().map(|(_, job)| job).chain(self.fetches.clear()).chain(self.waiting.drain(..)).collect()
    }

    fn halt(&mut self, now: u64) {
        self.interrupt(Instant { now, has_started: true });
        self.end_busy(now);
        self.is_halted = true;
    }

    fn slow_first(&mut self, nanos: u64) {
        self.first_delay = in_fractions(nanos);
    }

    fn keys(&self) -> Vec<u32> {
        let decoding = self.sequences.iter().filter(|sequence| sequence.lives).map(|sequence| sequence.job.key);
        let prefilling = self.prefilling.iter().map(|prefill| prefill.job.key);
        let waiting = self.waiting.iter().chain(self.fetches.jobs()).map(|job| job.key);
        decoding.chain(prefilling).chain(waiting).collect()
    }

    fn adapters(&self) -> Vec<u32> {
        let decoding = self.sequences.iter().filter(|sequence| sequence.lives).map(|sequence| &sequence.job);
        let running = decoding.chain(self.prefilling.iter().map(|prefill| &prefill.job));
        adapters_of(running.chain(&self.waiting).chain(self.fetches.jobs()))
    }

    fn waiting(&self) -> u64 {
        (self.waiting.len() + self.fetches.len()) as u64
    }

    fn running(&self) -> u64 {
        self.decoding + self.prefilling.len() as u64
    }

    fn kv_usage(&self, now: u64) -> f64 {
        let count = self.progress(now);
        let under_way = self.run.map_or(0, |run| count.min(run.count - 1));
        let used = self.limits.blocks - self.free() + self.blocks_taken(self.step + 1, under_way);
        used as f64 / self.limits.blocks.max(1) as f64
    }

    fn in_hand(&self, now: u64) -> InHand {
        let decoding = self.sequences.iter().filter(|sequence| sequence.lives).map(|sequence| &sequence.job);
        let running = decoding.chain(self.prefilling.iter().map(|prefill| &prefill.job));
        in_hand(self.waiting.iter().chain(self.fetches.jobs()), running, now)
    }

    fn watch_latency(&mut self, watched: &Watched) {
        self.latency = Some(Box::new(LatencyLog::new(watched)));
    }

    fn latency(&self) -> Option<&LatencyLog> {
        self.latency.as_deref()
    }

    fn stats(&mut self, now: u64) -> EngineStats {
        let count = self.progress(now);
        if count > 0 && self.run.is_some_and(|run| count < run.count) {
            self.complete(count);
        }
        let busy = if self.busy_since == NEVER { 0 } else { now - self.busy_since };
        EngineStats { busy_ns: self.stats.busy_ns + busy, ..self.stats }
    }
}
