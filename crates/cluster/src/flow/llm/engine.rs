//! One replica's engine: continuous batching with chunked prefill and a paged KV cache, as the scheduler of vLLM v1 has it
//! (`vllm/v1/core/sched/scheduler.py`, first come first served, no prefix cache).
//!
//! Before each iteration: every decoding sequence takes one token of the budget and, at each multiple of [`BLOCK_TOKENS`], a
//! new block of KV cache. While blocks are short the youngest sequence is preempted: it loses its cache and goes back to the head of
//! the waiting queue, to be computed anew, its output included. Unless something was preempted, the oldest waiting requests are then
//! admitted while there is a place, a rest of the token budget and room in the cache for their whole prompt; of the budget they take
//! what is left, so at most the youngest sequence is only partly prefilled. The first token is out at the end of the
//! iteration that finishes the prompt, the last one frees the sequence.
//!
//! It does not know other replicas, routing or clients.

use std::collections::VecDeque;

use exporters::HistogramSignal;

use super::iteration::Curve;
use crate::flow::InHand;
use crate::flow::intake::NEVER;
use crate::flow::latency::{LatencyLog, Watched};
use crate::spec::ServiceModel;

/// Tokens in a block of KV cache: vLLM's default.
pub const BLOCK_TOKENS: u64 = 16;

/// What bounds a batch.
#[derive(Clone, Debug)]
pub struct Limits {
    pub(super) curve: Curve,
    /// Most sequences in the batch.
    pub(super) sequences: usize,
    /// Most tokens an iteration carries.
    pub(super) batched_tokens: u64,
    /// Blocks of KV cache.
    pub(super) blocks: u64,
}

impl Limits {
    /// Those of a `continuousBatching` service; panics for any other.
    pub fn of(model: &ServiceModel) -> Self {
        let ServiceModel::ContinuousBatching { sequences_max, batched_tokens_max, kv_tokens, law, .. } = model else {
            panic!("only a continuousBatching service has an engine");
        };
        Self {
            curve: Curve::of(law, u64::from(*batched_tokens_max)),
            // Every decoding sequence needs a token of the budget; vLLM refuses to start otherwise.
            sequences: (*sequences_max).min(*batched_tokens_max) as usize,
            batched_tokens: u64::from(*batched_tokens_max),
            blocks: *kv_tokens / BLOCK_TOKENS,
        }
    }

    /// Whether a request fits into an empty cache up to its last token.
    pub fn can_ever_serve(&self, prompt: u32, output: u32) -> bool {
        // The last token is never written to the cache.
        blocks(u64::from(prompt) + u64::from(output) - 1) <= self.blocks
    }
}

/// Blocks that hold `tokens`.
pub(super) fn blocks(tokens: u64) -> u64 {
    tokens.div_ceil(BLOCK_TOKENS)
}

/// A request as an engine sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its place in the flow's table.
    pub key: u32,
    /// Prompt tokens, at least 1.
    pub prompt: u32,
    /// Output tokens, at least 1.
    pub output: u32,
    /// Output tokens made so far; kept through preemptions.
    pub made: u32,
    /// When it was first admitted; [`NEVER`] before.
    pub start: u64,
    /// When its first token was out; [`NEVER`] before.
    pub first_token: u64,
    /// When it came to this engine.
    pub arrival: u64,
    /// When it came to the service: its rank among those that wait.
    pub rank: u64,
    /// If it was preempted: when its last token before that was out.
    pub last_token: u64,
}

impl Job {
    /// A request that has not been served, brought at `arrival`.
    pub fn new(key: u32, (prompt, output): (u32, u32), arrival: u64, rank: u64) -> Self {
        Self { key, prompt, output, made: 0, start: NEVER, first_token: NEVER, arrival, rank, last_token: NEVER }
    }

    /// Notes in `log` that it is finished at `now`.
    pub(super) fn log_finish(&self, log: &mut LatencyLog, now: u64) {
        log.record(HistogramSignal::EndToEnd, now - self.arrival);
        log.record(HistogramSignal::Queue, self.start - self.arrival);
        log.record(HistogramSignal::Prefill, self.first_token - self.start);
        log.record(HistogramSignal::Decode, now - self.first_token);
        log.record(HistogramSignal::Inference, now - self.start);
        let steps = u64::from(self.output - 1);
        log.record(HistogramSignal::TimePerOutputToken, (now - self.first_token).checked_div(steps).unwrap_or(0));
        log.record(HistogramSignal::PromptSize, u64::from(self.prompt));
        log.record(HistogramSignal::OutputSize, u64::from(self.output));
    }

    /// Tokens to compute before it makes its next one.
    pub(super) fn prefill(&self) -> u64 {
        u64::from(self.prompt) + u64::from(self.made)
    }
}

/// What an engine has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// Iterations that are over.
    pub iterations: u64,
    /// Time with an iteration under way, nanoseconds.
    pub busy_ns: u64,
    /// Tokens of prompts whose first answer token is out.
    pub prompt_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Preemptions.
    pub preemptions: u64,
}

/// The instant of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instant {
    /// When, nanoseconds.
    pub now: u64,
    /// Whether the iterations that begin at `now` have begun already, as they have at a control event.
    pub has_started: bool,
}

/// The engine of one replica. Calls come in order of time; at one instant: settle, then arrivals and aborts, then start.
pub trait Engine: Send {
    /// An idle one.
    fn new(limits: &Limits) -> Self;
    /// The next instant at which it must be settled; [`NEVER`] if it only waits for requests.
    fn next(&self) -> u64;
    /// Completes every iteration that is over by `now`, handing finished requests (all at `now`, if it is not called late) to `done`.
    fn settle(&mut self, now: u64, done: &mut Vec<Job>);
    /// A request joins the waiting queue, see [`enqueue`].
    fn push(&mut self, job: Job, at: Instant);
    /// Takes request `key` out. An iteration under way takes as long as it would have; the cache is free at once.
    fn abort(&mut self, key: u32, at: Instant) -> Job;
    /// Starts the next iteration, if none is under way. Returns how many requests were served for the first time.
    fn start(&mut self, now: u64) -> u64;
    /// Takes every request out: first the running ones in order of admission, then the waiting ones.
    fn clear(&mut self, now: u64) -> Vec<Job>;
    /// Every request in it.
    fn keys(&self) -> Vec<u32>;
    /// Requests waiting, preempted ones included.
    fn waiting(&self) -> u64;
    /// Sequences in the batch.
    fn running(&self) -> u64;
    /// Share of KV blocks in use.
    fn kv_usage(&self, now: u64) -> f64;
    /// What it has in hand at `now`.
    fn in_hand(&self, now: u64) -> InHand;
    /// Keeps these histograms from now on.
    fn watch_latency(&mut self, watched: &Watched);
    /// The latency histograms, if kept, as far as the engine was settled.
    fn latency(&self) -> Option<&LatencyLog>;
    /// What it has done by `now`; settles all it can without finishing anything.
    fn stats(&mut self, now: u64) -> EngineStats;
}

/// What the requests that wait and those in the batch amount to at `now`.
pub(super) fn in_hand<'a>(
    waiting: impl Iterator<Item = &'a Job>,
    running: impl Iterator<Item = &'a Job>,
    now: u64,
) -> InHand {
    let waiting_tokens = waiting.map(|job| u64::from(job.prompt)).sum();
    running.fold(InHand { waiting_tokens, ..InHand::default() }, |sum, job| InHand {
        under_way_ns: sum.under_way_ns + now.saturating_sub(job.start),
        prefilling: sum.prefilling + u64::from(job.first_token == NEVER),
        serving_tokens: sum.serving_tokens + u64::from(job.prompt),
        ..sum
    })
}

/// Puts a request into a waiting queue: at the end, unless a kill has sent it here and it ranks before some that have not been served
/// yet. Returns whether it is the first.
pub(super) fn enqueue(waiting: &mut VecDeque<Job>, job: Job) -> bool {
    let ranks_after = |other: &&Job| other.start == NEVER && other.rank > job.rank;
    let place = waiting.len() - waiting.iter().rev().take_while(ranks_after).count();
    waiting.insert(place, job);
    place == 0
}

/// Takes request `key` out of a waiting queue. It is looked for from the front, where the ones to time out are.
pub(super) fn take_waiting(waiting: &mut VecDeque<Job>, key: u32) -> Option<Job> {
    let place = waiting.iter().position(|job| job.key == key)?;
    waiting.remove(place)
}
