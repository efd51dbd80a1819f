//! How a language-model engine fills its passes.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::quantity::Amount;

use super::choice::TextOr;

/// `scheduler`.
pub type SchedulerFile = TextOr<SchedulerWord, SchedulerChoice>;

/// `scheduler` in a word: with the engine's defaults, and the flags of the manifest where it is of that engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchedulerWord {
    /// vLLM.
    Vllm,
    /// SGLang.
    PrefillFirst,
    /// TensorRT-LLM, `GUARANTEED_NO_EVICT`.
    NoEvict,
    /// TensorRT-LLM, `MAX_UTILIZATION`.
    MaxUtilization,
    /// TGI.
    Tgi,
}

impl Amount for SchedulerWord {
    const NAME: &'static str = "Scheduler";
    const EXPECTED: &'static str = "`vllm`, `prefillFirst`, `noEvict`, `maxUtilization` or `tgi`";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "vllm" => Some(Self::Vllm),
            "prefillFirst" => Some(Self::PrefillFirst),
            "noEvict" => Some(Self::NoEvict),
            "maxUtilization" => Some(Self::MaxUtilization),
            "tgi" => Some(Self::Tgi),
            _ => None,
        }
    }
}

/// `scheduler` with what the engine is told.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SchedulerChoice {
    /// SGLang: prompts have passes of their own, before decoding; `batchedTokensMax` is `--chunked-prefill-size`.
    PrefillFirst(PrefillFirstFile),
    /// TGI: prompts have passes of their own when enough wait; `batchedTokensMax` is `--max-batch-prefill-tokens`, `sequencesMax`
    /// `--max-batch-size`.
    Tgi(TgiFile),
}

/// `prefillFirst`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct PrefillFirstFile {
    /// `--max-prefill-tokens`: prompt tokens of one pass; 16384 unless said.
    pub max_prefill_tokens: Option<u32>,
    /// `--schedule-conservativeness`: on the share of answers to come that is kept free; 1 unless said.
    pub conservativeness: Option<f64>,
    /// `--schedule-policy`; `fcfs` unless said.
    pub policy: Option<QueueOrderFile>,
}

/// `--schedule-policy` of SGLang.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum QueueOrderFile {
    /// First come, first served.
    Fcfs,
    /// The longest cached prefix first, while no more than 128 wait.
    Lpm,
}

/// `tgi`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct TgiFile {
    /// `--waiting-served-ratio`: so many are taken together at least, as a share of those that decode; 0.3 unless said.
    pub waiting_served_ratio: Option<f64>,
    /// `--max-waiting-tokens`: after so many decoded tokens any number is taken; 20 unless said.
    pub max_waiting_tokens: Option<u32>,
    /// `--max-batch-total-tokens`: prompts and whole answers of the batch; `kvTokens` unless said.
    pub max_batch_total_tokens: Option<u64>,
}
