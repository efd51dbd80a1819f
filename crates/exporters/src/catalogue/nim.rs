//! NVIDIA NIM for LLMs, from its "Observability" pages: vLLM's names without their prefix. Newer ones show vLLM's own names beside.

use super::Figure::{Of, Spread};
use super::bounds::{FIRST_TOKEN, INTER_TOKEN, REQUEST};
use super::{Bounds, Metric, Pairs, counter, gauge, histogram};
use crate::signal::{HistogramSignal as H, Signal as S};

const M: Pairs = &[("model_name", "{model_name}")];

pub(super) const METRICS: &[Metric] = &[
    gauge("num_requests_running", M, Of(S::Running)),
    gauge("num_requests_waiting", M, Of(S::Waiting)),
    gauge("gpu_cache_usage_perc", M, Of(S::KvUsage)),
    gauge("num_request_max", M, Of(S::BatchLimit)),
    counter("prompt_tokens_total", M, Of(S::PromptTokens)),
    counter("generation_tokens_total", M, Of(S::OutputTokens)),
    counter("request_success_total", M, Of(S::Completed)),
    counter("request_failure_total", M, Of(S::Failed)),
    counter("request_finish_total", M, Of(S::Completed)).rows(&[(&[("finished_reason", "stop")], Of(S::Completed))]),
    histogram("time_to_first_token_seconds", M, FIRST_TOKEN, Spread(H::FirstToken, 1.0)),
    histogram("time_per_output_token_seconds", M, INTER_TOKEN, Spread(H::InterToken, 1.0)),
    histogram("e2e_request_latency_seconds", M, REQUEST, Spread(H::EndToEnd, 1.0)),
    histogram("request_prompt_tokens", M, Bounds::OneTwoFive, Spread(H::PromptSize, 1.0)),
    histogram("request_generation_tokens", M, Bounds::OneTwoFive, Spread(H::OutputSize, 1.0)),
];
