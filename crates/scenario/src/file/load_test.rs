//! Load tests and sessions: what is sent by stages, by clients that wait, and turn by turn.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::quantity::{Count, RequestRate, Time};

use super::choice::Distribution;

/// One of `stages`: requests at a `rate`, or clients (`concurrency`) that each wait for their answer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct StageFile {
    /// Requests per second.
    #[serde(default)]
    pub rate: Option<RequestRate>,
    /// Clients, each of which sends its next request when the last has ended.
    #[serde(default)]
    pub concurrency: Option<u32>,
    /// How long the stage sends. With a rate, ⌊rate × duration⌋ requests, but a Poisson number with `arrivals: poisson`.
    #[serde(default)]
    pub duration: Option<Time>,
    /// How many requests it sends; in place of `duration`.
    #[serde(default)]
    pub count: Option<u64>,
    /// How requests at a rate are placed.
    #[serde(default)]
    pub arrivals: Option<ArrivalsFile>,
    /// Pause after the stage; `interval` of the traffic unless said.
    #[serde(default)]
    pub gap: Option<Time>,
    /// At a rate: requests that are under way at most. One that is due waits at its client until another has ended, and its latency counts
    /// from when it is sent (`--max-concurrency` of `vllm bench`).
    #[serde(default)]
    pub concurrency_max: Option<u32>,
    /// Clients begin spread evenly over this time; all at once unless said.
    #[serde(default)]
    pub ramp: Option<Time>,
    /// From an answer to the client's next request; nothing unless said.
    #[serde(default)]
    pub delay: Option<Distribution<Time>>,
}

/// How the requests of a stage are placed.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum ArrivalsFile {
    /// A Poisson process.
    Poisson,
    /// Exponential gaps, stretched so that the last request comes at the very end: `constant` of inference-perf, burstiness 1 of `vllm
    /// bench`.
    ExactPoisson,
    /// A Poisson number for each second, the last request of it at its end, until the count is reached: `poisson` of inference-perf.
    PerSecondPoisson,
    /// Gaps of a gamma distribution, stretched so that the last request comes at the very end: `--burstiness` of `vllm bench`.
    Gamma {
        /// Shape: below 1 burstier than Poisson, above it more even.
        shape: f64,
    },
    /// Equal gaps.
    Even,
}

/// `closedLoop`: clients that each wait for their answer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ClosedLoopFile {
    /// Clients.
    pub concurrency: u32,
    /// Requests in all.
    #[serde(default)]
    pub requests: Option<u64>,
    /// Nothing is sent after this; in place of `requests`. Without either they send until the end of the run.
    #[serde(default)]
    pub duration: Option<Time>,
    /// Clients begin spread evenly over this time; all at once unless said.
    #[serde(default)]
    pub ramp: Option<Time>,
    /// From an answer to the client's next request; nothing unless said.
    #[serde(default)]
    pub delay: Option<Distribution<Time>>,
}

/// `sessions`: each request of the traffic begins a conversation. Turn k asks with everything of turn k − 1, prompt and answer, and new
/// tokens; it comes when the answer is there and the user has thought. A turn without an answer is the last.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SessionsFile {
    /// Turns of a session, the first included; rounded, at least 1.
    pub turns: Distribution<Count>,
    /// From an answer to the next turn.
    pub think_time: Distribution<Time>,
    /// Prompt tokens that each turn adds; those of the model's `promptTokens` unless said.
    #[serde(default)]
    pub new_tokens: Option<Distribution<Count>>,
}
