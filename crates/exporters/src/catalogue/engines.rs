//! Small servers: trtllm-serve (TensorRT-LLM's inventory of metrics), llama.cpp's server (its README), TorchServe 0.12.

use super::Figure::{Always, Found, Not, Of, Spread, Times};
use super::bounds::{FIRST_TOKEN, INTER_TOKEN, REQUEST};
use super::{Metric, Needs, Pairs, counter, gauge, histogram};
use crate::signal::{HistogramSignal as H, Signal as S};

const TRTLLM: Pairs = &[("model_name", "{model_name}"), ("engine_type", "trtllm")];
const PREFIX: &str =
    "the model has no prefix cache where the scenario does not say what prompts share (traffic.prefix)";

/// At `/prometheus/metrics`, with `return_perf_metrics: true`.
pub(super) const TRTLLM_SERVE: &[Metric] = &[
    gauge("trtllm_num_requests_running", TRTLLM, Of(S::Running)),
    gauge("trtllm_num_requests_waiting", TRTLLM, Of(S::Waiting)),
    gauge("trtllm_kv_cache_utilization", TRTLLM, Of(S::KvUsage)),
    gauge("trtllm_kv_cache_hit_rate", TRTLLM, Found(S::PrefixHitRate, PREFIX)),
    counter("trtllm_request_success_total", TRTLLM, Of(S::Completed))
        .rows(&[(&[("finished_reason", "stop")], Of(S::Completed))]),
    counter("trtllm_num_requests_completed_total", TRTLLM, Of(S::Completed)),
    counter("trtllm_prompt_tokens_total", TRTLLM, Of(S::PromptTokens)),
    counter("trtllm_generation_tokens_total", TRTLLM, Of(S::OutputTokens)),
    histogram("trtllm_time_to_first_token_seconds", TRTLLM, FIRST_TOKEN, Spread(H::FirstToken, 1.0)),
    histogram("trtllm_time_per_output_token_seconds", TRTLLM, INTER_TOKEN, Spread(H::InterToken, 1.0)),
    histogram("trtllm_e2e_request_latency_seconds", TRTLLM, REQUEST, Spread(H::EndToEnd, 1.0)),
    histogram("trtllm_request_queue_time_seconds", TRTLLM, REQUEST, Spread(H::Queue, 1.0)),
];

const ON: Needs = Needs::Argument("--metrics");
const AVERAGE: &str = "an average since the start; the rate of the counter beside it says more";

pub(super) const LLAMA_CPP: &[Metric] = &[
    gauge("llamacpp:requests_processing", &[], Of(S::Running)).needs(ON),
    gauge("llamacpp:requests_deferred", &[], Of(S::Waiting)).needs(ON),
    gauge("llamacpp:prompt_tokens_seconds", &[], Not(AVERAGE)).needs(ON),
    gauge("llamacpp:predicted_tokens_seconds", &[], Not(AVERAGE)).needs(ON),
    gauge("llamacpp:n_busy_slots_per_decode", &[], Not(AVERAGE)).needs(ON),
    gauge("llamacpp:kv_cache_usage_ratio", &[], Of(S::KvUsage)).needs(ON),
    counter("llamacpp:prompt_tokens_total", &[], Of(S::PromptTokens)).needs(ON),
    counter("llamacpp:tokens_predicted_total", &[], Of(S::OutputTokens)).needs(ON),
    counter("llamacpp:prompt_seconds_total", &[], Not("prefill and decode time of an engine are not kept apart"))
        .needs(ON),
    counter(
        "llamacpp:tokens_predicted_seconds_total",
        &[],
        Not("prefill and decode time of an engine are not kept apart"),
    )
    .needs(ON),
    counter("llamacpp:n_decode_total", &[], Of(S::Executions)).needs(ON),
];

const TORCH: Pairs = &[("model_name", "{model_name}"), ("model_version", "default"), ("hostname", "{pod}")];
const HOST: Pairs = &[("Level", "Host"), ("Hostname", "{pod}")];
const MACHINE: &str = "it depends on the machine, and nothing in a scenario tells it";

/// With `metrics_mode=prometheus`; every series is born with its first event.
pub(super) const TORCH_SERVE: &[Metric] = &[
    counter("ts_inference_requests_total", TORCH, Of(S::Completed)).first(),
    counter("ts_inference_latency_microseconds", TORCH, Times(S::ServiceSeconds, 1e6)).first(),
    counter("ts_queue_latency_microseconds", TORCH, Times(S::QueueSeconds, 1e6)).first(),
    counter("Requests2XX", HOST, Of(S::Completed)).first(),
    counter("Requests4XX", HOST, Always(0.0, "clients of the model send nothing wrong")).first(),
    counter("Requests5XX", HOST, Of(S::Failed)).first(),
    gauge(
        "QueueTime",
        HOST,
        Not("it is the wait of the last request only; ts_queue_latency_microseconds adds them up"),
    )
    .first(),
    gauge("GPUUtilization", HOST, Times(S::GpuUtilization, 100.0))
        .rows(&[(&[("DeviceId", "0")], Times(S::GpuUtilization, 100.0))]),
    gauge("CPUUtilization", HOST, Not(MACHINE)),
    gauge("MemoryUsed", HOST, Not(MACHINE)),
    gauge("MemoryUtilization", HOST, Not(MACHINE)),
    gauge("GPUMemoryUsed", HOST, Not(MACHINE)),
    gauge("GPUMemoryUtilization", HOST, Not(MACHINE)),
];
