//! vLLM: `v1/metrics/loggers.py`, `buckets.py` and `stats.py` of release 0.33, the V0 engine at 00c33e8 for what is gone, and
//! prometheus-fastapi-instrumentator 8.1 for its HTTP metrics.

use super::Figure::{Always, Found, Not, Of, Ones, Spread};
use super::bounds::{FIRST_TOKEN, INTER_TOKEN, REQUEST};
use super::{Bounds, Metric, Needs, Pairs, counter, gauge, histogram};
use crate::signal::{HistogramSignal as H, Signal as S};

const V: Pairs = &[("model_name", "{model_name}"), ("engine", "{engine}")];
/// Without the engine.
const M: Pairs = &[("model_name", "{model_name}")];
const HTTP: Pairs = &[("method", "POST"), ("handler", "{handler}")];
const ANSWERS: Pairs = &[("method", "POST"), ("handler", "{handler}"), ("status", "2xx")];

const PREFIX: &str =
    "the model has no prefix cache where the scenario does not say what prompts share (traffic.prefix)";
const DEVICE: &str = "the prefix cache of the model is in GPU memory only";
const NO_TRANSFER: &str = "prompt tokens are all computed by the engine itself: no `traffic.from.kvTransfer`";
const LENGTH: &str = "a request of the model ends when its answer is complete: its finished_reason is stop";
const SWAP: &str = "requests are never swapped to CPU memory";
const V0: &str = "only the V0 engine had it";

/// Without statistics the server has only its HTTP metrics.
const STATISTICS: Needs = Needs::NoArgument("--disable-log-stats");

/// The metrics of the engine (all named `vllm:`) need its statistics; those of HTTP do not.
const fn of_statistics<const COUNT: usize>(mut metrics: [Metric; COUNT]) -> [Metric; COUNT] {
    let mut index = 0;
    while index < COUNT {
        if let [b'v', b'l', b'l', b'm', b':', ..] = metrics[index].name.as_bytes() {
            metrics[index] = metrics[index].needs(STATISTICS);
        }
        index += 1;
    }
    metrics
}

pub(super) const METRICS: &[Metric] = &of_statistics([
    gauge("vllm:num_requests_running", V, Of(S::Running)),
    gauge("vllm:num_requests_waiting", V, Of(S::Waiting)),
    gauge("vllm:num_requests_waiting_by_reason", V, Of(S::Waiting)).rows(&[
        (&[("reason", "capacity")], Of(S::Waiting)),
        (&[("reason", "deferred")], Always(0.0, "requests wait for room in the batch only, reason capacity")),
    ]),
    gauge("vllm:kv_cache_usage_perc", V, Of(S::KvUsage)).since(0, 9, 2),
    gauge("vllm:gpu_cache_usage_perc", V, Of(S::KvUsage))
        .hidden(0, 11)
        .until(0, 12)
        .successor("vllm:kv_cache_usage_perc"),
    counter("vllm:prefix_cache_queries_total", V, Found(S::PrefixQueries, PREFIX)).since(0, 9, 2),
    counter("vllm:prefix_cache_hits_total", V, Found(S::PrefixHits, PREFIX)).since(0, 9, 2),
    counter("vllm:gpu_prefix_cache_queries_total", V, Found(S::PrefixQueries, PREFIX))
        .hidden(0, 11)
        .until(0, 12)
        .successor("vllm:prefix_cache_queries_total"),
    counter("vllm:gpu_prefix_cache_hits_total", V, Found(S::PrefixHits, PREFIX))
        .hidden(0, 11)
        .until(0, 12)
        .successor("vllm:prefix_cache_hits_total"),
    counter("vllm:external_prefix_cache_queries_total", V, Found(S::TransferQueries, NO_TRANSFER)),
    counter("vllm:external_prefix_cache_hits_total", V, Found(S::PromptTokensFetched, NO_TRANSFER)),
    counter("vllm:mm_cache_queries_total", V, Always(0.0, "requests carry no pictures or sound")),
    counter("vllm:mm_cache_hits_total", V, Always(0.0, "requests carry no pictures or sound")),
    counter("vllm:num_preemptions_total", V, Of(S::Preemptions)),
    counter("vllm:prompt_tokens_total", V, Of(S::PromptTokens)),
    counter("vllm:generation_tokens_total", V, Of(S::OutputTokens)),
    counter("vllm:prompt_tokens_by_source_total", V, Of(S::PromptTokens)).rows(&[
        (&[("source", "local_compute")], Of(S::PromptTokensComputed)),
        (&[("source", "local_cache_hit")], Found(S::PromptTokensCached, PREFIX)),
        (&[("source", "external_kv_transfer")], Found(S::PromptTokensFetched, NO_TRANSFER)),
    ]),
    counter("vllm:prompt_tokens_cached_total", V, Found(S::PromptTokensCached, PREFIX)),
    counter("vllm:prompt_tokens_cached_by_source_total", V, Found(S::PromptTokensCached, PREFIX)).rows(&[
        (&[("source", "device")], Found(S::PromptTokensCached, PREFIX)),
        (&[("source", "host")], Always(0.0, DEVICE)),
        (&[("source", "disk")], Always(0.0, DEVICE)),
        (&[("source", "p2p")], Always(0.0, DEVICE)),
        (&[("source", "external_unspecified")], Always(0.0, DEVICE)),
    ]),
    counter("vllm:request_success_total", V, Of(S::Completed)).rows(&[
        (&[("finished_reason", "stop")], Of(S::Completed)),
        (&[("finished_reason", "abort")], Of(S::Failed)),
        (&[("finished_reason", "length")], Always(0.0, LENGTH)),
        (&[("finished_reason", "error")], Always(0.0, LENGTH)),
        (&[("finished_reason", "repetition")], Always(0.0, LENGTH)),
    ]),
    counter("vllm:admission_rejections_total", M, Of(S::RejectedAtReplica)).since(0, 33, 0).rows(&[
        (&[("reason", "max_num_queued_reqs")], Of(S::RejectedAtReplica)),
        (&[("reason", "max_num_queued_tokens")], Always(0.0, "queues are limited by requests, not by tokens")),
    ]),
    gauge("vllm:engine_sleep_state", V, Always(1.0, "engines of the model are awake")).rows(&[
        (&[("sleep_state", "awake")], Always(1.0, "engines of the model are awake")),
        (&[("sleep_state", "weights_offloaded")], Always(0.0, "engines of the model are awake")),
        (&[("sleep_state", "discard_all")], Always(0.0, "engines of the model are awake")),
    ]),
    histogram("vllm:time_to_first_token_seconds", V, FIRST_TOKEN, Spread(H::FirstToken, 1.0)),
    histogram("vllm:inter_token_latency_seconds", V, INTER_TOKEN, Spread(H::InterToken, 1.0)).since(0, 11, 0),
    histogram("vllm:time_per_output_token_seconds", V, INTER_TOKEN, Spread(H::InterToken, 1.0))
        .hidden(0, 12)
        .until(0, 13)
        .successor("vllm:inter_token_latency_seconds"),
    histogram("vllm:request_time_per_output_token_seconds", V, INTER_TOKEN, Spread(H::TimePerOutputToken, 1.0)),
    histogram("vllm:e2e_request_latency_seconds", V, REQUEST, Spread(H::EndToEnd, 1.0)),
    histogram("vllm:request_queue_time_seconds", V, REQUEST, Spread(H::Queue, 1.0)),
    histogram("vllm:request_inference_time_seconds", V, REQUEST, Spread(H::Inference, 1.0)),
    histogram("vllm:request_prefill_time_seconds", V, REQUEST, Spread(H::Prefill, 1.0)),
    histogram("vllm:request_decode_time_seconds", V, REQUEST, Spread(H::Decode, 1.0)),
    histogram("vllm:request_prompt_tokens", V, Bounds::OneTwoFive, Spread(H::PromptSize, 1.0)),
    histogram("vllm:request_generation_tokens", V, Bounds::OneTwoFive, Spread(H::OutputSize, 1.0)),
    histogram("vllm:request_max_num_generation_tokens", V, Bounds::OneTwoFive, Spread(H::OutputSize, 1.0)),
    histogram("vllm:request_params_max_tokens", V, Bounds::OneTwoFive, Always(0.0, "no request sets max_tokens")),
    histogram("vllm:request_prefill_kv_computed_tokens", V, Bounds::OneTwoFive, Spread(H::PromptSize, 1.0)),
    histogram("vllm:request_params_n", V, Bounds::List(&[1.0, 2.0, 5.0, 10.0, 20.0]), Ones(S::Completed)),
    histogram(
        "vllm:request_num_preemptions",
        V,
        Bounds::List(&[1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0]),
        Not("preemptions are counted per engine, not per request; vllm:num_preemptions_total has them"),
    ),
    histogram(
        "vllm:iteration_tokens_total",
        V,
        Bounds::Geometric { first: 8.0, factor: 2.0, count: 12 },
        Not("tokens of single engine steps are not kept"),
    ),
    gauge("vllm:cache_config_info", V, Always(1.0, "it only says how the cache is configured")),
    counter("http_requests_total", ANSWERS, Of(S::Completed)).first(),
    histogram("http_request_duration_seconds", HTTP, Bounds::List(&[0.1, 0.5, 1.0]), Spread(H::EndToEnd, 1.0)).first(),
    histogram(
        "http_request_duration_highr_seconds",
        &[],
        Bounds::List(&[
            0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 7.5, 10.0,
            30.0, 60.0,
        ]),
        Spread(H::EndToEnd, 1.0),
    ),
    gauge("vllm:num_requests_swapped", M, Always(0.0, SWAP)).until(0, 10).successor("vllm:num_preemptions_total"),
    gauge("vllm:cpu_cache_usage_perc", M, Always(0.0, SWAP)).until(0, 10).successor("vllm:kv_cache_usage_perc"),
    gauge("vllm:cpu_prefix_cache_hit_rate", M, Always(0.0, SWAP)).until(0, 10),
    gauge("vllm:gpu_prefix_cache_hit_rate", M, Found(S::PrefixHitRate, PREFIX))
        .until(0, 10)
        .successor("vllm:prefix_cache_hits_total"),
    histogram("vllm:time_in_queue_requests", M, REQUEST, Spread(H::Queue, 1.0))
        .hidden(0, 9)
        .until(0, 10)
        .successor("vllm:request_queue_time_seconds"),
    histogram("vllm:model_forward_time_milliseconds", M, REQUEST, Not(V0)).hidden(0, 9).until(0, 10),
    histogram("vllm:model_execute_time_milliseconds", M, REQUEST, Not(V0))
        .hidden(0, 9)
        .until(0, 10)
        .successor("vllm:request_inference_time_seconds"),
    gauge("vllm:avg_prompt_throughput_toks_per_s", M, Not(V0)).until(0, 10).successor("vllm:prompt_tokens_total"),
    gauge("vllm:avg_generation_throughput_toks_per_s", M, Of(S::TokenRate))
        .until(0, 10)
        .successor("vllm:generation_tokens_total"),
]);
