//! One replica's engine: continuous batching with chunked prefill and a paged KV cache, by the rule of [`Scheduler`]; what requests find of
//! each other in the cache is in [`super::prefix`].
//!
//! As the scheduler of vLLM v1 has it (`vllm/v1/core/sched/scheduler.py`, first come first served or by priority): before each iteration: every decoding sequence takes one token of the budget and, at each multiple of [`BLOCK_TOKENS`], a
//! new block of KV cache. While blocks are short the youngest sequence is preempted: it loses its cache and goes back to the head of
//! the waiting queue, to be computed anew, its output included. Unless something was preempted, the oldest waiting requests are then
//! admitted while there is a place, a rest of the token budget and room in the cache for their whole prompt; of the budget they take
//! what is left, so at most the youngest sequence is only partly prefilled; or no more than a threshold (`long_prefill_token_threshold`), so that
//! several long prompts are under way beside short ones. Those that are, and those that decode, come before whoever waits, and what each of them
//! wants never grows but of the youngest, which alone was cut to what was left: so there is always a token for everybody who decodes. The first token is out at the end of the
//! iteration that finishes the prompt, the last one frees the sequence.
//!
//! TensorRT-LLM fills its passes in the same way. With `MAX_UTILIZATION` it differs in nothing that is modelled; with `GUARANTEED_NO_EVICT` a
//! request is admitted when the blocks of its whole answer are free beside those kept for the others, so that none is ever short.
//!
//! SGLang and TGI compute prompts in passes of their own, in which those that decode wait:
//! - SGLang (`managers/scheduler.py`, `schedule_policy.py`) as long as one is admissible. A prompt is, if it and its answer fit beside a share of
//!   what the others may still make; the share falls while decoding goes well. Who finds no room ends the looking until somebody
//!   leaves. When blocks are short those with the fewest tokens made are retracted, go to the end of the queue and are computed anew.
//! - TGI (`backends/v3/src/backend.rs`) when enough wait that fit together with their whole answers, or any after some tokens; a pass of
//!   prompts is followed by one of decoding.
//!
//! With speculative decoding a sequence gains several tokens in an iteration, see [`super::pace`]. They count as many in the pass, and in the budget,
//! as are checked; in the cache as many as are right: what guesses take for a moment is less than a block.
//!
//! Where prefill and decode are apart (vLLM's `KVConnector`), the engine that computes a prompt keeps its blocks until it is told to let go of them;
//! the one that decodes gives a request its seat and the blocks of its prompt when it is admitted, waits until it is told that they have come, and
//! then computes the prompt's last token, for the first of the answer. Who is preempted after that is computed anew like anybody else.
//!
//! Requests may be for adapters of the model (LoRA). A pass holds those of a few only: who would be one adapter too many is passed over, and stays
//! where it waits; see [`super::adapters`].
//!
//! It does not know other replicas, routing or clients.

use std::collections::VecDeque;
use std::sync::Arc;

use exporters::HistogramSignal;

use super::adapters::AdapterRules;
use super::iteration::Curve;
use super::pace::Pace;
use super::prefix::{NO_HOLDING, Part};
use super::scheduler::largest_pass;
use crate::flow::InHand;
use crate::flow::intake::NEVER;
use crate::flow::latency::{LatencyLog, Watched};
use crate::spec::{PrefixSpec, Scheduler, ServiceModel, ServiceSpec};

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
    /// Whether requests find in the cache what others have computed.
    pub(super) has_prefix_cache: bool,
    /// Share of every prompt that is taken to be found, whatever it is.
    pub(super) hit_ratio: f64,
    /// Whether the queue is by priority, and not first come first served.
    pub(super) by_priority: bool,
    /// How passes are filled.
    pub(super) scheduler: Scheduler,
    /// Tokens that clients ask for at most; 0 if it is the length of their answers.
    pub(super) max_new_tokens: u64,
    /// Whether a prompt may be computed in several passes.
    pub(super) chunks: bool,
    /// Whether the blocks of a first chunk are enough to be admitted.
    pub(super) by_chunk: bool,
    /// Most tokens of one prompt in a pass; no limit is `u64::MAX`.
    pub(super) longest_chunk: u64,
    /// How fast who decodes goes on.
    pub(super) pace: Pace,
    /// What is finished keeps its blocks until others have fetched them.
    pub(super) keeps_finished: bool,
    /// Adapters, where requests are for any.
    pub(super) adapters: Option<Arc<AdapterRules>>,
}

impl Limits {
    /// Those of a `continuousBatching` service; panics for any other.
    pub fn of(service: &ServiceSpec) -> Self {
        let model = &service.model;
        let ServiceModel::ContinuousBatching { sequences_max, batched_tokens_max, kv_tokens, law, .. } = model else {
            panic!("only a continuousBatching service has an engine");
        };
        let pace = Pace::of(&service.engine);
        let drafting = service.engine.speculative.as_ref().map_or(0, |speculative| speculative.draft_time.as_nanos());
        let (sequences, largest) = largest_pass(&service.engine, (*sequences_max, *batched_tokens_max), *kv_tokens);
        Self {
            curve: Curve::of(law, largest).with_drafts(pace, drafting),
            sequences: sequences as usize,
            batched_tokens: u64::from(*batched_tokens_max),
            blocks: *kv_tokens / BLOCK_TOKENS,
            has_prefix_cache: matches!(service.prefix, PrefixSpec::Cache { .. }),
            hit_ratio: if let PrefixSpec::HitRatio(share) = service.prefix { share } else { 0.0 },
            by_priority: service.engine_by_priority,
            scheduler: service.engine.scheduler,
            max_new_tokens: service.engine.max_new_tokens.map_or(0, u64::from),
            chunks: service.engine.chunks_prompts,
            by_chunk: service.engine.admits_by_chunk,
            longest_chunk: service.engine.long_prefill_token_threshold.map_or(u64::MAX, u64::from),
            pace,
            keeps_finished: false,
            adapters: service.engine.adapters.as_ref().map(|spec| {
                let law = law.clone();
                let curve = move |factor: f64| {
                    let drafting = (drafting as f64 * factor).round() as u64;
                    Curve::of(&law.times(factor), largest).with_drafts(pace, drafting)
                };
                Arc::new(AdapterRules::new(spec, curve))
            }),
        }
    }

    /// Tokens of a prefill that are taken to be found.
    pub(super) fn assumed_hit(&self, prefill: u64) -> u64 {
        if self.hit_ratio == 0.0 { 0 } else { ((prefill as f64 * self.hit_ratio) as u64).min(prefill - 1) }
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
    /// What it shares, as announced to its engine.
    pub holding: u32,
    /// Tokens of its prompt that were found in the cache when it was first admitted.
    pub cached: u32,
    /// Smaller is sooner, where the queue is by priority.
    pub priority: i32,
    /// Its prompt is fetched, and not computed here: it has yet to take its seat in the batch.
    pub is_remote: bool,
    /// Tokens of its prompt that were fetched.
    pub fetched: u32,
    /// The adapter it is for; 0: none.
    pub adapter: u32,
}

impl Job {
    /// Prompt tokens that a router counts as its backlog: those neither found in the cache nor fetched, until the first token is out.
    fn backlog(&self) -> u64 {
        if self.first_token == NEVER { u64::from(self.prompt.saturating_sub(self.cached + self.fetched)) } else { 0 }
    }

    /// A request that has not been served, brought at `arrival`.
    pub fn new(key: u32, (prompt, output): (u32, u32), arrival: u64, rank: u64) -> Self {
        Self {
            key,
            prompt,
            output,
            made: 0,
            start: NEVER,
            first_token: NEVER,
            arrival,
            rank,
            last_token: NEVER,
            holding: NO_HOLDING,
            cached: 0,
            priority: 0,
            is_remote: false,
            fetched: 0,
            adapter: 0,
        }
    }

    /// The same, with a prompt that is fetched from elsewhere but for its last token.
    pub fn computed_elsewhere(self) -> Self {
        Self { is_remote: true, fetched: self.prompt - 1, ..self }
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
    /// Prompt tokens of requests admitted for the first time.
    pub admitted_tokens: u64,
    /// Of these, found in the cache.
    pub hit_tokens: u64,
    /// Of the prompt tokens whose first answer token is out, found in the cache.
    pub cached_tokens: u64,
    /// Of them, fetched from another engine.
    pub fetched_tokens: u64,
    /// Tokens that were computed before a sequence's next token, what was preempted again included.
    pub prefilled_tokens: u64,
    /// The like that were found in the cache, at every admission.
    pub found_tokens: u64,
    /// How often an adapter was made active.
    pub adapter_loads: u64,
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
    /// Takes in what a request about to be pushed may share with others; gives the number for [`Job::holding`].
    fn announce(&mut self, parts: &[Part]) -> u32;
    /// A request joins the waiting queue, see [`enqueue`].
    fn push(&mut self, job: Job, at: Instant);
    /// Takes request `key` out. An iteration under way takes as long as it would have; the cache is free at once.
    fn abort(&mut self, key: u32, at: Instant) -> Job;
    /// When the first token of request `key`, which is in it, was out; [`NEVER`] if it is not yet.
    fn first_token(&mut self, key: u32, at: Instant) -> u64;
    /// Starts the next iteration, if none is under way. Returns how many requests were served for the first time.
    fn start(&mut self, now: u64) -> u64;
    /// Moves the keys of requests whose prompts are to be fetched from now on, in order of admission, to `into`.
    fn take_fetching(&mut self, into: &mut Vec<u32>);
    /// The prompt of request `key`, which is in it, has come.
    fn land(&mut self, key: u32, at: Instant);
    /// What request `key`, which is finished, has left is kept no longer.
    fn let_go_of(&mut self, key: u32, at: Instant);
    /// Takes every request out: first the running ones in order of admission, then the waiting ones.
    fn clear(&mut self, now: u64) -> Vec<Job>;
    /// It works no more: what it has stays as it is until it is aborted or taken out. Every iteration that is over by now has been settled.
    fn halt(&mut self, now: u64);
    /// Its first iteration that carries a prompt takes so many nanoseconds longer.
    fn slow_first(&mut self, nanos: u64);
    /// Every request in it.
    fn keys(&self) -> Vec<u32>;
    /// The adapters that requests in it are for, ascending.
    fn adapters(&self) -> Vec<u32>;
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
    let in_queue = waiting.fold(InHand::default(), |sum, job| InHand {
        waiting_tokens: sum.waiting_tokens + u64::from(job.prompt),
        backlog_tokens: sum.backlog_tokens + job.backlog(),
        ..sum
    });
    running.fold(in_queue, |sum, job| InHand {
        under_way_ns: sum.under_way_ns + now.saturating_sub(job.start),
        prefilling: sum.prefilling + u64::from(job.first_token == NEVER),
        serving_tokens: sum.serving_tokens + u64::from(job.prompt),
        backlog_tokens: sum.backlog_tokens + job.backlog(),
        ..sum
    })
}

/// What a finished request has left for others to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// Its key.
    pub key: u32,
    /// What it shares, as announced.
    pub holding: u32,
    /// Blocks of the cache.
    pub blocks: u64,
}

/// Requests whose prompts come from elsewhere, from admission to the first iteration.
#[derive(Clone, Debug, Default)]
pub(super) struct Fetches {
    /// Admitted since the flow last asked.
    pub fresh: Vec<u32>,
    /// Prompts on their way.
    pub under_way: Vec<Job>,
    /// Prompts that have come, in this order.
    pub landed: VecDeque<Job>,
}

impl Fetches {
    /// Seats taken.
    pub fn len(&self) -> usize {
        self.under_way.len() + self.landed.len()
    }

    /// A request is admitted.
    pub fn admit(&mut self, job: Job) {
        self.fresh.push(job.key);
        self.under_way.push(job);
    }

    /// The prompt of a request has come.
    pub fn land(&mut self, key: u32) {
        let place = self.under_way.iter().position(|job| job.key == key).expect("it is fetched");
        self.landed.push_back(self.under_way.remove(place));
    }

    /// Takes a request out.
    pub fn take(&mut self, key: u32) -> Option<Job> {
        self.fresh.retain(|&other| other != key);
        if let Some(place) = self.under_way.iter().position(|job| job.key == key) {
            return Some(self.under_way.remove(place));
        }
        take_waiting(&mut self.landed, key)
    }

    /// Every one of them.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.under_way.iter().chain(&self.landed)
    }

    /// Takes all out.
    pub fn clear(&mut self) -> Vec<Job> {
        self.fresh.clear();
        self.under_way.drain(..).chain(self.landed.drain(..)).collect()
    }
}

/// Puts a request into a waiting queue: at the end, unless a kill has sent it here and it ranks before some that have not been served
/// yet; by priority before all that are less urgent. Returns whether it is the first.
pub(super) fn enqueue(waiting: &mut VecDeque<Job>, job: Job, by_priority: bool) -> bool {
    let ranks_after = |other: &&Job| {
        if by_priority {
            (other.priority, other.rank) > (job.priority, job.rank)
        } else {
            other.start == NEVER && other.rank > job.rank
        }
    };
    let place = waiting.len() - waiting.iter().rev().take_while(ranks_after).count();
    waiting.insert(place, job);
    place == 0
}

/// Puts a preempted request back into a waiting queue: at its head, by priority where its own says.
pub(super) fn put_back(waiting: &mut VecDeque<Job>, job: Job, by_priority: bool) {
    if by_priority {
        enqueue(waiting, job, true);
    } else {
        waiting.push_front(job);
    }
}

/// Takes request `key` out of a waiting queue. It is looked for from the front, where the ones to time out are.
pub(super) fn take_waiting(waiting: &mut VecDeque<Job>, key: u32) -> Option<Job> {
    let place = waiting.iter().position(|job| job.key == key)?;
    waiting.remove(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backlog_is_what_no_cache_held_of_prompts_without_a_first_token() {
        let waiting = Job::new(0, (100, 10), 0, 0);
        let mut prefilling = Job::new(1, (80, 10), 0, 1);
        (prefilling.start, prefilling.cached) = (5, 30);
        let mut decoding = Job::new(2, (60, 10), 0, 2);
        (decoding.start, decoding.first_token) = (3, 8);
        let mut preempted = Job::new(3, (40, 10), 0, 3);
        (preempted.start, preempted.first_token) = (1, 2);
        let hand = in_hand([waiting, preempted].iter(), [prefilling, decoding].iter(), 10);
        assert_eq!(hand.backlog_tokens, 100 + 50);
        assert_eq!((hand.waiting_tokens, hand.serving_tokens), (140, 140));
    }
}
