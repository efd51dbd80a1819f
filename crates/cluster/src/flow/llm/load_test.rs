//! One replica alone under a load generator: what a load test of an engine measures, without cluster, router or clients that give up.
//!
//! It exists for calibration, which asks thousands of such tests for what they would have shown.

use std::collections::VecDeque;

use units::SimTime;

use super::engine::{Engine, Instant, Job, Limits};
use super::run_engine::RunEngine;
use crate::flow::intake::NEVER;
use crate::spec::{EngineSpec, ServiceModel, ServiceSpec};

/// What a load generator does to a replica.
#[derive(Clone, Copy, Debug)]
pub struct LoadTest<'a> {
    /// When each request is due, ascending.
    pub arrivals: &'a [SimTime],
    /// Prompt and output tokens of each, at least 1.
    pub tokens: &'a [(u32, u32)],
    /// Requests under way at most: one that is due waits at the generator, and its time counts from when it leaves. All due at once with a
    /// bound are a closed loop.
    pub concurrency: Option<u32>,
}

/// A request that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadAnswer {
    /// When it left the generator, nanoseconds.
    pub sent_ns: u64,
    /// When its first token was back.
    pub first_token_ns: u64,
    /// When all of it was back.
    pub end_ns: u64,
    /// Its output tokens.
    pub output: u32,
}

/// Sends every request and waits for all answers, in the order in which they were complete; a request that never fits into the cache has
/// none. An overhead that is drawn counts with its mean.
///
/// # Panics
///
/// If the model is no `continuousBatching`.
pub fn load_test(model: &ServiceModel, engine: &EngineSpec, load: &LoadTest<'_>) -> Vec<LoadAnswer> {
    let ServiceModel::ContinuousBatching { overhead, .. } = model else {
        panic!("only a continuousBatching service has an engine");
    };
    let limits = Limits::of(&ServiceSpec { engine: engine.clone(), ..ServiceSpec::plain("", model.clone()) });
    let mut generator = Generator {
        load,
        next: 0,
        under_way: 0,
        sent: vec![0; load.arrivals.len()],
        returning: VecDeque::new(),
        overhead: overhead.mean().as_nanos(),
    };
    let mut engine = RunEngine::new(&limits);
    let (mut answered, mut done) = (Vec::with_capacity(load.arrivals.len()), Vec::new());
    let mut now = 0;
    loop {
        now = engine.next().min(generator.next_instant(now));
        if now == NEVER {
            return answered;
        }
        if engine.next() == now {
            engine.settle(now, &mut done);
            answered.extend(done.drain(..).map(|job| generator.answer(&job, now)));
        }
        while let Some((key, (prompt, output))) = generator.send(now) {
            if limits.can_ever_serve(prompt, output) {
                engine.push(Job::new(key, (prompt, output), now, u64::from(key)), Instant { now, has_started: false });
            } else {
                generator.under_way -= 1;
            }
        }
        engine.start(now);
    }
}

struct Generator<'a> {
    load: &'a LoadTest<'a>,
    /// The next request to send.
    next: usize,
    under_way: u32,
    /// When each was sent.
    sent: Vec<u64>,
    /// When answers that the engine is done with are back at the generator.
    returning: VecDeque<u64>,
    overhead: u64,
}

impl Generator<'_> {
    /// When it may next send something.
    fn next_instant(&self, now: u64) -> u64 {
        let Some(due) = self.load.arrivals.get(self.next) else { return NEVER };
        let due = due.as_nanos().max(now);
        if self.load.concurrency.is_none_or(|most| self.under_way < most) {
            return due;
        }
        self.returning.front().map_or(NEVER, |back| due.max(*back))
    }

    fn send(&mut self, now: u64) -> Option<(u32, (u32, u32))> {
        while self.returning.front().is_some_and(|back| *back <= now) {
            self.returning.pop_front();
            self.under_way -= 1;
        }
        let due = self.load.arrivals.get(self.next)?.as_nanos();
        let is_full = self.load.concurrency.is_some_and(|most| self.under_way >= most);
        if due > now || is_full {
            return None;
        }
        let key = self.next;
        self.next += 1;
        self.under_way += 1;
        self.sent[key] = now;
        Some((key as u32, self.load.tokens[key]))
    }

    fn answer(&mut self, job: &Job, now: u64) -> LoadAnswer {
        self.returning.push_back(now + self.overhead);
        LoadAnswer {
            sent_ns: self.sent[job.key as usize],
            first_token_ns: job.first_token + self.overhead,
            end_ns: now + self.overhead,
            output: job.output,
        }
    }
}

#[cfg(test)]
mod tests {
    use units::SimDuration;
    use workload::Distribution;

    use super::*;
    use crate::spec::{IterationLaw, Overhead};

    fn model() -> ServiceModel {
        ServiceModel::ContinuousBatching {
            sequences_max: 256,
            batched_tokens_max: 8_192,
            kv_tokens: 16_000,
            law: IterationLaw::linear(SimDuration::from_millis(1), SimDuration::from_millis(10), [0.0, 0.0]),
            overhead: Overhead::Fixed(SimDuration::from_millis(5)),
            prompt_tokens: Distribution::Constant(1.0),
            output_tokens: Distribution::Constant(1.0),
        }
    }

    fn run(arrivals: &[u64], concurrency: Option<u32>) -> Vec<(u64, u64, u64)> {
        let arrivals: Vec<SimTime> = arrivals.iter().map(|ms| SimTime::from_nanos(ms * 1_000_000)).collect();
        let tokens = vec![(100, 11); arrivals.len()];
        let answered = load_test(
            &model(),
            &EngineSpec::default(),
            &LoadTest { arrivals: &arrivals, tokens: &tokens, concurrency },
        );
        let ms = |nanos: u64| nanos / 1_000_000;
        answered.iter().map(|one| (ms(one.sent_ns), ms(one.first_token_ns), ms(one.end_ns))).collect()
    }

    #[test]
    fn a_closed_loop_sends_the_next_request_when_an_answer_is_back() {
        assert_eq!(run(&[0, 0, 0], Some(1)), [(0, 15, 115), (115, 130, 230), (230, 245, 345)]);
    }

    #[test]
    fn an_open_loop_sends_when_it_is_due_and_a_bound_holds_it_back() {
        assert_eq!(run(&[0, 500], None), [(0, 15, 115), (500, 515, 615)]);
        assert_eq!(run(&[0, 20], Some(1)), [(0, 15, 115), (115, 130, 230)]);
    }

    #[test]
    fn a_request_that_never_fits_has_no_answer_and_blocks_nobody() {
        let arrivals = [SimTime::ZERO; 3];
        let tokens = [(100, 11), (20_000, 11), (100, 11)];
        let load = LoadTest { arrivals: &arrivals, tokens: &tokens, concurrency: Some(1) };
        assert_eq!(load_test(&model(), &EngineSpec::default(), &load).len(), 2);
    }
}
