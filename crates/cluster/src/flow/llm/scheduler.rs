//! What the schedulers of the engines count with: figures that follow from a request or from the batch as a whole, whoever keeps it.
//!
//! How an engine looks through its batch and its queue is its own matter; what is here is arithmetic that the sources of SGLang
//! (`managers/schedule_policy.py`), TensorRT-LLM (`scheduler.py`) and TGI (`backends/v3`) have in so many words.

use super::engine::{BLOCK_TOKENS, Job, Limits, blocks};
use crate::spec::{EngineSpec, PrefillFirst, Scheduler, Speculative, Tgi};

/// SGLang counts with at most so many tokens still to come of one answer.
const ANSWER_CLIP: u64 = 4_096;
/// Tokens that SGLang adds for each sequence when it estimates anew after a retraction.
const RETRACT_STEPS: u64 = 20;
/// Passes of decoding in which SGLang's estimate falls from its first to its least value.
const DECAY_STEPS: u64 = 600;
/// The first estimate, and the least as a share of the first.
const FIRST_RATIO: f64 = 0.7;
const LEAST_SHARE: f64 = 0.14;
/// Requests in the queue beyond which the longest cached prefix is no longer looked for.
pub const SORTED_MAX: usize = 128;
/// Bits of an estimate below one.
const RATIO_BITS: u32 = 32;

/// SGLang's `new_token_ratio`: the share of what running requests may still make that it keeps free for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewTokenRatio {
    value: u64,
    first: u64,
    least: u64,
    step: u64,
}

impl NewTokenRatio {
    /// The first estimate, for `--schedule-conservativeness`.
    pub fn new(conservativeness: f64) -> Self {
        let unit = (1u64 << RATIO_BITS) as f64;
        let first = ((FIRST_RATIO * conservativeness).min(1.0) * unit).round() as u64;
        let least = (first as f64 * LEAST_SHARE).round() as u64;
        Self { value: first, first, least, step: (first - least) / DECAY_STEPS }
    }

    /// So many passes of decoding went well.
    pub fn decay(&mut self, passes: u64) {
        if passes > 0 {
            self.value = self.value.saturating_sub(self.step.saturating_mul(passes)).max(self.least);
        }
    }

    /// Somebody was retracted: those that are left, so many, have made so many of the tokens they may make.
    pub fn estimate(&mut self, left: u64, made: u64, most: u64) {
        let share = (u128::from(made + RETRACT_STEPS * left) << RATIO_BITS) / u128::from(most + 1);
        self.value = u64::try_from(share).unwrap_or(u64::MAX).min(1 << RATIO_BITS);
    }

    /// The engine is idle.
    pub fn reset(&mut self) {
        self.value = self.first;
    }

    /// What is kept of `tokens`, rounded up.
    pub fn of(&self, tokens: u64) -> u64 {
        let fine = u128::from(self.value) * u128::from(tokens);
        u64::try_from(fine.div_ceil(1 << RATIO_BITS)).unwrap_or(u64::MAX)
    }
}

/// Why SGLang takes no further prompt into a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// There is no room for it and the answers to come: nobody is looked at before somebody leaves.
    NoRoom,
    /// The pass is full.
    PassFull,
}

/// What is left for the prompts of one pass: SGLang's `PrefillAdder`.
#[derive(Clone, Copy, Debug)]
pub struct PassBudget {
    /// Tokens of the cache.
    room: i64,
    /// Tokens of prompts.
    prompts: i64,
    /// Tokens of prompts where they are computed in chunks.
    chunk: i64,
    taken: u32,
}

impl PassBudget {
    /// For a pass with `free` blocks, of which the running requests are kept `kept` tokens.
    pub fn new(limits: &Limits, rule: &PrefillFirst, (free, kept): (u64, u64)) -> Self {
        let chunk = if limits.chunks { limits.batched_tokens as i64 } else { i64::MAX };
        let room = (free * BLOCK_TOKENS) as i64 - i64::try_from(kept).unwrap_or(i64::MAX / 2);
        Self { room, prompts: i64::from(rule.prefill_tokens_max), chunk, taken: 0 }
    }

    /// How many of `left` tokens of a prompt the pass computes, the prompt being the one it went on with before.
    pub fn next_chunk(&self, left: u64) -> u64 {
        left.min(self.chunk as u64)
    }

    /// How many of its `left` tokens are computed in this pass if a prompt that needs `blocks` more blocks, and answers with up to `answer`
    /// tokens, is taken into it.
    pub fn take(&self, left: u64, blocks: u64, answer: u64) -> Result<u64, Stop> {
        let needed = (blocks + 1) * BLOCK_TOKENS + answer.min(ANSWER_CLIP);
        if needed as i64 > self.room {
            return Err(Stop::NoRoom);
        }
        if self.taken > 0 && left as i64 >= self.prompts {
            return Err(Stop::PassFull);
        }
        Ok(self.next_chunk(left))
    }

    /// A chunk of so many tokens is in the pass; it needs `blocks` more blocks. `answer`: what is to come of it, if it is the prompt's last.
    pub fn spend(&mut self, chunk: u64, blocks: u64, answer: Option<u64>) {
        let answer = answer.map_or(0, |answer| answer.min(ANSWER_CLIP));
        self.room -= ((blocks + 1) * BLOCK_TOKENS + answer) as i64;
        self.prompts -= chunk as i64;
        self.chunk -= chunk as i64;
        self.taken += 1;
    }

    /// Whether there is anything left.
    pub fn state(&self) -> Result<(), Stop> {
        if self.room <= 0 {
            return Err(Stop::NoRoom);
        }
        if self.prompts <= 0 || self.chunk <= 0 { Err(Stop::PassFull) } else { Ok(()) }
    }
}

/// Tokens still to come of an answer of at most `most`, as SGLang counts them for a running request.
pub fn still_to_come(most: u64, made: u64) -> u64 {
    most.saturating_sub(made).min(ANSWER_CLIP)
}

/// At least so many prompts TGI takes while `decoding` sequences have decoded for `steps` tokens since it last took any.
pub fn least_taken(rule: &Tgi, decoding: u64, steps: u64) -> usize {
    if decoding == 0 || steps >= u64::from(rule.waiting_tokens_max) {
        return 1;
    }
    ((decoding as f64 * rule.waiting_served_ratio) as usize).max(1)
}

impl Limits {
    /// Tokens an answer may have, as the rules that reserve count: what its client asked for, as far as the cache could hold it.
    pub fn most_of(&self, job: &Job) -> u64 {
        let output = u64::from(job.output);
        if self.max_new_tokens <= output {
            return output;
        }
        // Two blocks are lost to rounding and to the page that SGLang adds.
        let holds = (self.total_tokens() + 1).saturating_sub(u64::from(job.prompt) + 2 * BLOCK_TOKENS);
        self.max_new_tokens.min(holds).max(output)
    }

    /// Blocks a request has when the last token it may make is written.
    pub fn reserved_by(&self, job: &Job) -> u64 {
        blocks(u64::from(job.prompt) + self.most_of(job))
    }

    /// What the rules that reserve may give away.
    pub fn total_tokens(&self) -> u64 {
        let all = self.blocks * BLOCK_TOKENS;
        match self.scheduler {
            Scheduler::Tgi(Tgi { total_tokens_max: Some(most), .. }) => most.min(all),
            _ => all,
        }
    }

    /// Whether a request is ever served: fits into an empty cache up to its last token, and its prompt into a pass.
    pub fn can_ever_serve(&self, prompt: u32, output: u32) -> bool {
        let (prompt, all) = (u64::from(prompt), u64::from(prompt) + u64::from(output));
        let fits = match self.scheduler {
            // The last token is never written to the cache.
            Scheduler::Vllm | Scheduler::MaxUtilization => blocks(all - 1) <= self.blocks,
            Scheduler::NoEvict | Scheduler::Tgi(_) => blocks(all) * BLOCK_TOKENS <= self.total_tokens(),
            Scheduler::PrefillFirst(_) => all + 2 * BLOCK_TOKENS <= self.total_tokens() + 1,
        };
        let in_a_pass = match self.scheduler {
            Scheduler::Tgi(_) => prompt <= self.batched_tokens,
            Scheduler::NoEvict => self.chunks || prompt <= self.batched_tokens,
            // Who is preempted comes back with what it has answered.
            Scheduler::Vllm | Scheduler::MaxUtilization => self.chunks || all - 1 <= self.batched_tokens,
            Scheduler::PrefillFirst(_) => true,
        };
        fits && in_a_pass
    }
}

/// Sequences and tokens of the largest pass.
pub fn largest_pass(engine: &EngineSpec, (sequences, batched): (u32, u32), kv_tokens: u64) -> (u32, u64) {
    let width = engine.speculative.as_ref().map_or(1, Speculative::width);
    let wide = |tokens: u32| u64::from(tokens.max(batched).max(sequences.saturating_mul(width)));
    match engine.scheduler {
        // Every decoding sequence needs its tokens of the budget; vLLM refuses to start otherwise.
        Scheduler::Vllm | Scheduler::NoEvict | Scheduler::MaxUtilization => {
            (sequences.min((batched / width).max(1)), u64::from(batched.max(width)))
        }
        // The first prompt of a pass may be of any length where they are not cut.
        Scheduler::PrefillFirst(_) if !engine.chunks_prompts => (sequences, wide(0).max(kv_tokens)),
        Scheduler::PrefillFirst(rule) => (sequences, wide(rule.prefill_tokens_max)),
        Scheduler::Tgi(_) => (sequences, wide(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_falls_in_600_passes_and_rises_with_a_retraction() {
        let mut ratio = NewTokenRatio::new(1.0);
        assert_eq!(ratio.of(1_000), 700);
        ratio.decay(300);
        assert_eq!(ratio.of(1_000), 400, "half way between 700 and 98, rounded up");
        let mut once = ratio;
        ratio.decay(400);
        assert_eq!(ratio.of(1_000), 98);
        (0..400).for_each(|_| once.decay(1));
        assert_eq!(once, ratio);
        // Ten are left, with 300 of 1,000 tokens made: (300 + 200) / 1,001.
        ratio.estimate(10, 300, 1_000);
        assert_eq!(ratio.of(1_001_000), 500_000);
        ratio.estimate(10, 900, 1_000);
        assert_eq!(ratio.of(1_000), 1_000, "at most one");
        ratio.reset();
        assert_eq!(ratio.of(1_000), 700);
        assert_eq!(NewTokenRatio::new(2.0).of(1_000), 1_000);
    }

    #[test]
    fn tgi_takes_a_share_of_those_that_decode_or_any_after_a_while() {
        let least = |decoding, steps| least_taken(&Tgi::default(), decoding, steps);
        assert_eq!([least(0, 1), least(3, 1), least(10, 1), least(100, 19), least(100, 20)], [1, 1, 3, 30, 1]);
    }
}
