//! In which order a language-model engine computes prompts and answers, and what it does when its KV cache is short.

use units::SimDuration;

/// How an engine fills its passes, beyond what bounds them.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineSpec {
    /// The rule.
    pub scheduler: Scheduler,
    /// The `max_tokens` that clients ask for, where it is more than the answer's length: what rules that reserve room count with. It is cut to
    /// what the cache can hold, as servers do.
    pub max_new_tokens: Option<u32>,
    /// Whether a prompt may be computed in several passes.
    pub chunks_prompts: bool,
    /// Whether a request is admitted when the blocks of its first chunk are free, and not those of its whole prompt; vLLM's older releases.
    pub admits_by_chunk: bool,
    /// Most tokens of one prompt in a pass, if a prompt may not take all that is left of it; of [`Scheduler::Vllm`] without guesses, where prompts
    /// may be computed in several passes.
    pub long_prefill_token_threshold: Option<u32>,
    /// Tokens that are guessed and then checked together, if any are.
    pub speculative: Option<Speculative>,
    /// Adapters that requests are for, if any; where passes are mixed.
    pub adapters: Option<AdapterSpec>,
}

/// Adapters of a model (LoRA), all of one size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdapterSpec {
    /// Adapters that a pass may hold requests for: slots of the GPU's memory.
    pub max_active: u32,
    /// Adapters kept in the machine's memory, those that are active included.
    pub max_kept: u32,
    /// From there into a slot: what the first pass takes longer that needs one.
    pub load: SimDuration,
    /// The same of one that has to come into the machine's memory first, on top.
    pub fetch: SimDuration,
    /// Share that each adapter of a pass adds to its time.
    pub step_overhead: f64,
}

/// Speculative decoding: in an iteration a sequence has its next token computed and, in the same pass, the tokens guessed after it checked; it
/// keeps them up to the first that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Speculative {
    /// Guessed tokens per sequence and iteration.
    pub tokens: u32,
    /// Of the guesses at each place, the share that is right where all before it were. Fewer places than tokens: the guesses are a tree.
    pub acceptance: Vec<f64>,
    /// What guessing adds to an iteration.
    pub draft_time: SimDuration,
}

impl Speculative {
    /// Tokens that a sequence gains in an iteration, on the average.
    pub fn tokens_per_iteration(&self) -> f64 {
        let mut all_right = 1.0;
        let mut sum = 1.0;
        for share in &self.acceptance {
            all_right *= share;
            sum += all_right;
        }
        sum
    }

    /// Tokens of one sequence in a pass.
    pub fn width(&self) -> u32 {
        self.tokens.saturating_add(1)
    }
}

impl Default for EngineSpec {
    fn default() -> Self {
        Self {
            scheduler: Scheduler::Vllm,
            max_new_tokens: None,
            chunks_prompts: true,
            admits_by_chunk: false,
            long_prefill_token_threshold: None,
            speculative: None,
            adapters: None,
        }
    }
}

/// The rules of the engines people run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scheduler {
    /// vLLM v1: decoding sequences and chunks of prompts in one pass; a prompt is admitted when its blocks are free; when blocks are short the
    /// youngest sequence is computed anew.
    Vllm,
    /// SGLang: a pass holds prompts as long as one is admissible, else decoding sequences; when blocks are short those with the fewest tokens are
    /// retracted.
    PrefillFirst(PrefillFirst),
    /// TensorRT-LLM, `GUARANTEED_NO_EVICT`: as vLLM, but a request is admitted when the blocks of its whole answer are free too, and nobody is
    /// ever preempted.
    NoEvict,
    /// TensorRT-LLM, `MAX_UTILIZATION`: a request is admitted when the blocks of its prompt are free; the one that started last is paused.
    MaxUtilization,
    /// TGI: prompts have a pass of their own when enough wait or those that decode have done so for long; prompt and answer are reserved.
    Tgi(Tgi),
}

impl Scheduler {
    /// Its word in scenarios.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Vllm => "vllm",
            Self::PrefillFirst(_) => "prefillFirst",
            Self::NoEvict => "noEvict",
            Self::MaxUtilization => "maxUtilization",
            Self::Tgi(_) => "tgi",
        }
    }
}

/// What SGLang's scheduler is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrefillFirst {
    /// `--max-prefill-tokens`: tokens of prompts in one pass, the first prompt aside.
    pub prefill_tokens_max: u32,
    /// `--schedule-conservativeness`: on the share of answers to come that is kept free, 0.7 at first.
    pub conservativeness: f64,
    /// `--schedule-policy lpm`: the longest cached prefix first.
    pub longest_prefix_first: bool,
}

impl Default for PrefillFirst {
    fn default() -> Self {
        Self { prefill_tokens_max: 16_384, conservativeness: 1.0, longest_prefix_first: false }
    }
}

/// What TGI's batcher is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tgi {
    /// `--waiting-served-ratio`: at least so many as this share of those that decode must be taken together.
    pub waiting_served_ratio: f64,
    /// `--max-waiting-tokens`: after so many decoded tokens any number is taken.
    pub waiting_tokens_max: u32,
    /// `--max-batch-total-tokens`, if it is less than the cache holds.
    pub total_tokens_max: Option<u64>,
}

impl Default for Tgi {
    fn default() -> Self {
        Self { waiting_served_ratio: 0.3, waiting_tokens_max: 20, total_tokens_max: None }
    }
}

impl Scheduler {
    /// Whether passes hold either prompts or decoding sequences.
    pub fn keeps_prompts_apart(&self) -> bool {
        matches!(self, Self::PrefillFirst(_) | Self::Tgi(_))
    }

    /// Whether room for the whole answer is kept from the start, so that nothing is ever computed anew.
    pub fn reserves_answers(&self) -> bool {
        matches!(self, Self::NoEvict | Self::Tgi(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_guess_counts_where_all_before_it_were_right() {
        let of = |acceptance: &[f64]| {
            let speculative = Speculative { tokens: 3, acceptance: acceptance.to_vec(), draft_time: SimDuration::ZERO };
            speculative.tokens_per_iteration()
        };
        assert!((of(&[0.8, 0.5, 0.25]) - (1.0 + 0.8 + 0.4 + 0.1)).abs() < 1e-12);
        // One share a: (1 - a^(k + 1)) / (1 - a).
        assert!((of(&[0.7; 3]) - (1.0 - 0.7_f64.powi(4)) / 0.3).abs() < 1e-12);
    }
}
