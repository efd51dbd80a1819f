//! Iteration times of continuous batching from load-test results.

use super::solve::nonnegative_least_squares;
use crate::{CalibrateError, yaml};

/// Most of an engine's time that may go to prompts. Beyond it what looks like prompt work is mostly waiting.
const PROMPT_SHARE_MAX: f64 = 0.5;

/// vLLM's `--max-num-seqs` and `--max-num-batched-tokens` where nothing is said.
const SEQUENCES_USUAL: f64 = 256.0;
const BATCHED_TOKENS_USUAL: u32 = 8_192;

/// One load test, or one stage of it, against one replica.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LlmRun {
    /// Requests completed per second.
    pub requests_per_second: f64,
    /// Mean prompt length in tokens.
    pub prompt_tokens: f64,
    /// Mean output length in tokens.
    pub output_tokens: f64,
    /// Mean time to first token in seconds.
    pub ttft_s: f64,
    /// Mean time per further token in seconds: the length of an iteration.
    pub tpot_s: f64,
    /// Share of requests that failed, 0 to 1.
    pub failed_share: f64,
}

impl LlmRun {
    /// Mean number of sequences that decode at once: Little's law over the time from first to last token.
    pub fn sequences(&self) -> f64 {
        self.requests_per_second * self.tpot_s * (self.output_tokens - 1.0).max(0.0)
    }

    /// Mean tokens in the KV cache: each decoding sequence holds its prompt and, on average, half its output.
    pub fn kv_tokens(&self) -> f64 {
        self.sequences() * (self.prompt_tokens + self.output_tokens / 2.0)
    }

    /// Mean prompt tokens that an iteration carries.
    pub fn prompt_tokens_per_iteration(&self) -> f64 {
        self.requests_per_second * self.prompt_tokens * self.tpot_s
    }
}

/// Parameters of the iteration model: an iteration lasts base + KV tokens · per token + prompt tokens · per prompt token.
#[derive(Clone, Debug, PartialEq)]
pub struct LlmFit {
    /// Iteration with an empty cache and no prompts, in seconds.
    pub iteration_base_s: f64,
    /// Added per token in the KV cache, in seconds.
    pub per_kv_token_s: f64,
    /// Added per prompt token, in seconds.
    pub per_prompt_token_s: f64,
    /// Greatest relative distance of a run's time per token from the model's.
    pub error_max: f64,
    /// Mean prompt and output lengths of the runs.
    pub tokens: (f64, f64),
    /// Most sequences and most KV tokens that a run held on average.
    pub held_max: (f64, f64),
    /// What the reader of the result should know.
    pub notes: Vec<String>,
}

/// Fits the iteration model to runs at different loads.
///
/// The time per prompt token comes first, from the least loaded run: without a queue its time to first token is one iteration that carries
/// the prompt, so (TTFT − TPOT) / prompt tokens. It contains what the client and the network add, so it is an upper bound, and never so much that prompts would take more than half of any run. What is left of
/// each run's time per token after its share of prompt work is then a line in the KV tokens, by least squares of relative errors.
pub fn llm(runs: &[LlmRun]) -> Result<LlmFit, CalibrateError> {
    let usable: Vec<&LlmRun> =
        runs.iter().filter(|run| run.tpot_s > 0.0 && run.ttft_s > 0.0 && run.prompt_tokens >= 1.0).collect();
    let Some(lightest) = usable.iter().min_by(|left, right| left.sequences().total_cmp(&right.sequences())) else {
        let reason = "no run has a time to first token, a time per token and prompts".to_owned();
        return Err(CalibrateError::Nothing { what: "LLM load tests", reason });
    };
    let mut notes = Vec::new();
    let seen = ((lightest.ttft_s - lightest.tpot_s) / lightest.prompt_tokens).max(0.0);
    let prompts_per_second = usable.iter().map(|run| run.requests_per_second * run.prompt_tokens).fold(0.0, f64::max);
    let most = PROMPT_SHARE_MAX / prompts_per_second;
    let per_prompt_token_s = seen.min(most);
    if seen > most {
        let note = "times to first token hold more than prompts cost (waiting, network, tokenizing): half of the busiest run's time is \
                    taken for prompts, a guess; measure a light load";
        notes.push(note.to_owned());
    }
    let rows: Vec<Vec<f64>> = usable.iter().map(|run| vec![1.0 / run.tpot_s, run.kv_tokens() / run.tpot_s]).collect();
    let prompt_work = |run: &LlmRun| per_prompt_token_s * run.prompt_tokens_per_iteration();
    let targets: Vec<f64> = usable.iter().map(|run| (1.0 - prompt_work(run) / run.tpot_s).max(0.0)).collect();
    let (iteration_base_s, per_kv_token_s) = if usable.len() == 1 {
        notes.push("one run only: its time per token is taken as fixed; measure other loads".to_owned());
        (lightest.tpot_s * targets[0], 0.0)
    } else {
        let found = nonnegative_least_squares(&rows, &targets);
        (found[0], found[1])
    };
    let model = |run: &LlmRun| iteration_base_s + per_kv_token_s * run.kv_tokens() + prompt_work(run);
    let error_max = usable.iter().map(|run| (model(run) / run.tpot_s - 1.0).abs()).fold(0.0, f64::max);
    if error_max > 0.15 {
        notes.push(format!("the model misses a run's time per token by {:.0} %", error_max * 100.0));
    }
    if seen <= most && lightest.sequences() > 4.0 {
        let sequences = lightest.sequences();
        notes.push(format!(
            "even the lightest run decodes {sequences:.0} sequences: the time per prompt token may contain queueing"
        ));
    }
    let failed = usable.iter().map(|run| run.failed_share).fold(0.0, f64::max);
    if failed > 0.0 {
        notes.push(format!("up to {:.0} % of a run's requests failed; they are not in its figures", failed * 100.0));
    }
    let mean = |read: fn(&LlmRun) -> f64| usable.iter().map(|run| read(run)).sum::<f64>() / usable.len() as f64;
    let tokens = (mean(|run| run.prompt_tokens), mean(|run| run.output_tokens));
    let most = |read: fn(&LlmRun) -> f64| usable.iter().map(|run| read(run)).fold(0.0, f64::max);
    let held_max = (most(LlmRun::sequences), most(LlmRun::kv_tokens));
    Ok(LlmFit { iteration_base_s, per_kv_token_s, per_prompt_token_s, error_max, tokens, held_max, notes })
}

impl LlmFit {
    /// The `service.model` section of a scenario, complete as it stands. What a load test does not show (`sequencesMax`,
    /// `batchedTokensMax`, `kvTokens`) is filled with usual settings, or what the busiest run needed if that is more, and says so.
    pub fn yaml(&self) -> String {
        let notes: String = self.notes.iter().flat_map(|note| ["# ", note, "\n"]).collect();
        let base = yaml::time(self.iteration_base_s);
        let sequences = libm::ceil(self.held_max.0).max(SEQUENCES_USUAL);
        let kv_tokens = libm::ceil(self.held_max.1).max(libm::ceil(self.tokens.0 + self.tokens.1));
        format!(
            "{notes}service:\n  model:\n    continuousBatching:\n      # The next three are settings of the engine that no load test shows: \
             take them from its log.\n      sequencesMax: {sequences} # assumed\n      batchedTokensMax: {BATCHED_TOKENS_USUAL} # assumed\n      \
             kvTokens: {kv_tokens} # what the busiest run held on average; there is more\n      iterationMin: {base}\n      iterationBase: {base}\n      perKvToken: {}\n      \
             perPromptToken: {}\n      promptTokens: {:.0}\n      outputTokens: {:.0}\n",
            yaml::time(self.per_kv_token_s),
            yaml::time(self.per_prompt_token_s),
            self.tokens.0,
            self.tokens.1
        )
    }
}
