//! LMDeploy 0.18: vLLM's names with its own prefix, and counts of requests as gauges. Off with `--disable-metrics`.

use super::Figure::{Of, Spread};
use super::bounds::{FIRST_TOKEN, REQUEST};
use super::{Bounds, Metric, Pairs, counter, gauge, histogram};
use crate::signal::{HistogramSignal as H, Signal as S};

const M: Pairs = &[("model_name", "{model_name}"), ("engine", "0")];

const INTER_TOKEN: Bounds = Bounds::List(&[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
]);

pub(super) const METRICS: &[Metric] = &[
    gauge("lmdeploy:num_requests_running", M, Of(S::Running)),
    gauge("lmdeploy:num_requests_waiting", M, Of(S::Waiting)),
    gauge("lmdeploy:num_api_requests_routed", M, Of(S::Running)),
    gauge("lmdeploy:num_api_requests_waiting", M, Of(S::Waiting)),
    gauge("lmdeploy:num_requests_succeeded", M, Of(S::Completed)),
    gauge("lmdeploy:num_requests_failed", M, Of(S::Failed)),
    gauge("lmdeploy:gpu_cache_usage_perc", M, Of(S::KvUsage)),
    counter("lmdeploy:prompt_tokens_total", M, Of(S::PromptTokens)),
    counter("lmdeploy:generation_tokens_total", M, Of(S::OutputTokens)),
    counter("lmdeploy:request_success_total", M, Of(S::Completed))
        .rows(&[(&[("finished_reason", "stop")], Of(S::Completed))]),
    histogram("lmdeploy:time_to_first_token_seconds", M, FIRST_TOKEN, Spread(H::FirstToken, 1.0)),
    histogram("lmdeploy:time_per_output_token_seconds", M, INTER_TOKEN, Spread(H::TimePerOutputToken, 1.0)),
    histogram("lmdeploy:iter_token_latency", M, INTER_TOKEN, Spread(H::InterToken, 1.0)),
    histogram("lmdeploy:e2e_request_latency_seconds", M, REQUEST, Spread(H::EndToEnd, 1.0)),
    histogram("lmdeploy:request_queue_time_seconds", M, REQUEST, Spread(H::Queue, 1.0)),
    histogram("lmdeploy:request_inference_time_seconds", M, REQUEST, Spread(H::Inference, 1.0)),
    histogram("lmdeploy:request_prefill_time_seconds", M, REQUEST, Spread(H::Prefill, 1.0)),
    histogram("lmdeploy:request_decode_time_seconds", M, REQUEST, Spread(H::Decode, 1.0)),
    histogram("lmdeploy:request_prompt_tokens", M, Bounds::OneTwoFive, Spread(H::PromptSize, 1.0)),
    histogram("lmdeploy:request_generation_tokens", M, Bounds::OneTwoFive, Spread(H::OutputSize, 1.0)),
];
