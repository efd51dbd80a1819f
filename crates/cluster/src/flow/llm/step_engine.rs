//! The plain engine: every iteration one by one, every sequence in a list in order of admission. The oracle of the fast one.

use std::collections::VecDeque;

use exporters::HistogramSignal;

use super::engine::{Engine, EngineStats, Instant, Job, Limits, blocks, enqueue, in_hand, take_waiting};
use super::iteration::{FRACTION_BITS, Run, Work};
use crate::flow::InHand;
use crate::flow::intake::NEVER;
use crate::flow::latency::{LatencyLog, Watched};

#[derive(Clone, Copy, Debug)]
struct Sequence {
    job: Job,
    /// Tokens in the cache before the iteration under way.
    computed: u64,
    /// Tokens the iteration under way adds.
    scheduled: u64,
    /// Whether it has made a token since it was admitted.
    decodes: bool,
}

impl Sequence {
    /// Tokens of the next iteration, if the budget allows.
    fn wants(&self) -> u64 {
        self.job.prefill() - self.computed
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
    busy_since: Option<u64>,
    stats: EngineStats,
    latency: Option<LatencyLog>,
}

impl StepEngine {
    fn blocks_used(&self) -> u64 {
        self.running.iter().map(Sequence::blocks).sum()
    }

    fn nanos(clock: u128) -> u64 {
        (clock >> FRACTION_BITS) as u64
    }

    /// As vLLM: through the running sequences in order, each taking what is left of the budget and its blocks, the youngest giving way.
    fn schedule_running(&mut self) -> (u64, bool) {
        let mut budget = self.limits.batched_tokens;
        let mut preempted = false;
        let mut place = 0;
        while place < self.running.len() {
            let tokens = self.running[place].wants().min(budget);
            let sequence = self.running[place];
            let needed = blocks(sequence.computed + tokens) - blocks(sequence.computed);
            if needed > self.limits.blocks - self.blocks_used() {
                let mut youngest = self.running.pop().expect("at least this one runs");
                if youngest.decodes {
                    youngest.job.last_token = Self::nanos(self.clock);
                }
                self.waiting.push_front(youngest.job);
                self.stats.preemptions += 1;
                preempted = true;
                continue;
            }
            self.running[place].scheduled = tokens;
            budget -= tokens;
            place += 1;
        }
        (budget, preempted)
    }

    fn admit(&mut self, mut budget: u64, now: u64) -> u64 {
        let mut started = 0;
        while let Some(mut job) = self.waiting.front().copied() {
            let has_room = blocks(job.prefill()) <= self.limits.blocks - self.blocks_used();
            if self.running.len() == self.limits.sequences || budget == 0 || !has_room {
                break;
            }
            self.waiting.pop_front();
            if job.start == NEVER {
                job.start = now;
                started += 1;
            }
            let scheduled = job.prefill().min(budget);
            budget -= scheduled;
            self.running.push(Sequence { job, computed: 0, scheduled, decodes: false });
        }
        started
    }

    fn end_iteration(&mut self, duration: u128, done: &mut Vec<Job>) {
        let now = Self::nanos(self.clock);
        let mut unwatched = LatencyLog::default();
        let log = self.latency.as_mut().unwrap_or(&mut unwatched);
        self.stats.iterations += 1;
        for sequence in &mut self.running {
            sequence.computed += sequence.scheduled;
            sequence.scheduled = 0;
            let job = &mut sequence.job;
            if sequence.computed == job.prefill() {
                job.made += 1;
                if sequence.decodes {
                    log.record_run(&Run::of(duration as u64), 1, 1);
                } else if job.first_token == NEVER {
                    log.record(HistogramSignal::FirstToken, now - job.arrival);
                } else {
                    log.record(HistogramSignal::InterToken, now - job.last_token);
                }
                sequence.decodes = true;
                self.stats.output_tokens += 1;
                if job.first_token == NEVER {
                    job.first_token = now;
                    self.stats.prompt_tokens += u64::from(job.prompt);
                }
                if job.made == job.output {
                    job.log_finish(log, now);
                }
            }
        }
        done.extend(self.running.iter().map(|sequence| sequence.job).filter(|job| job.made == job.output));
        self.running.retain(|sequence| sequence.job.made < sequence.job.output);
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
            busy_since: None,
            stats: EngineStats::default(),
            latency: None,
        }
    }

    fn next(&self) -> u64 {
        self.ends_at.map_or(NEVER, Self::nanos)
    }

    fn settle(&mut self, now: u64, done: &mut Vec<Job>) {
        assert_eq!(self.next(), now, "every iteration is an event");
        let began = self.clock;
        self.clock = self.ends_at.take().expect("an iteration is under way");
        self.end_iteration(self.clock - began, done);
    }

    fn push(&mut self, job: Job, _at: Instant) {
        enqueue(&mut self.waiting, job);
    }

    fn abort(&mut self, key: u32, _at: Instant) -> Job {
        take_waiting(&mut self.waiting, key).unwrap_or_else(|| {
            let place = self.running.iter().position(|sequence| sequence.job.key == key).expect("it runs");
            self.running.remove(place).job
        })
    }

    fn start(&mut self, now: u64) -> u64 {
        if self.ends_at.is_some() {
            return 0;
        }
        if self.running.is_empty() && self.waiting.is_empty() {
            self.stats.busy_ns += self.busy_since.take().map_or(0, |since| now - since);
            return 0;
        }
        self.busy_since.get_or_insert(now);
        self.clock = self.clock.max(u128::from(now) << FRACTION_BITS);
        let (budget, preempted) = self.schedule_running();
        let started = if preempted { 0 } else { self.admit(budget, now) };
        let mut work = Work::default();
        for sequence in &self.running {
            if sequence.decodes {
                work.decodes += 1;
                work.sequences += 1;
                work.kv_decoding += sequence.computed + sequence.scheduled;
            } else {
                work.add_chunk(sequence.scheduled, sequence.computed);
            }
        }
        let duration = self.limits.curve.iteration(&work);
        self.ends_at = Some(self.clock + u128::from(duration));
        started
    }

    fn clear(&mut self, now: u64) -> Vec<Job> {
        self.stats.busy_ns += self.busy_since.take().map_or(0, |since| now - since);
        self.ends_at = None;
        self.running.drain(..).map(|sequence| sequence.job).chain(self.waiting.drain(..)).collect()
    }

    fn keys(&self) -> Vec<u32> {
        self.running.iter().map(|sequence| sequence.job.key).chain(self.waiting.iter().map(|job| job.key)).collect()
    }

    fn waiting(&self) -> u64 {
        self.waiting.len() as u64
    }

    fn running(&self) -> u64 {
        self.running.len() as u64
    }

    fn kv_usage(&self, _now: u64) -> f64 {
        self.blocks_used() as f64 / self.limits.blocks.max(1) as f64
    }

    fn in_hand(&self, now: u64) -> InHand {
        in_hand(self.waiting.iter(), self.running.iter().map(|sequence| &sequence.job), now)
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
