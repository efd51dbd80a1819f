//! Triton core at 73aad7c (`metrics.cc`, `infer_stats.cc`, `metric_model_reporter.cc`) and the TensorRT-LLM backend at 0b9d7d5.
//!
//! Counters have no `_total` and count whole microseconds. The queue that Triton shows is its scheduler's, which is the service's own
//! central queue where it has one.

use super::Figure::{Always, Not, Of, Spread, SumAndCount, Whole};
use super::{Bounds, Metric, Needs, Pairs, counter, gauge, histogram, summary};
use crate::signal::{HistogramSignal as H, Signal as S};

/// On series of GPU instances; the model-level reporter of the pending gauge has no GPU.
const M: Pairs = &[("model", "?model"), ("version", "1"), ("gpu_uuid", "{gpu_uuid}")];
const PENDING: Pairs = &[("model", "?model"), ("version", "1")];
const GPU: Pairs = &[("gpu_uuid", "{gpu_uuid}")];

const MICROS: f64 = 1e6;
const NO_COPY: &str = "copying inputs and outputs is part of the service time, compute_infer";
const NEVER: &str = "requests of the model fail by being given up or by the queue's limit only";
const MACHINE: &str = "it depends on the machine, and nothing in a scenario tells it";
const HISTOGRAMS: Needs = Needs::Argument("histogram_latencies=true");
const SUMMARIES: Needs = Needs::Argument("summary_latencies=true");

pub(super) const METRICS: &[Metric] = &[
    counter("nv_inference_request_success", M, Of(S::Completed)),
    counter("nv_inference_request_failure", M, Of(S::Failed)).rows(&[
        (&[("reason", "REJECTED")], Of(S::RejectedAtReplica)),
        (&[("reason", "CANCELED")], Of(S::Failed)),
        (&[("reason", "BACKEND")], Always(0.0, NEVER)),
        (&[("reason", "OTHER")], Always(0.0, NEVER)),
    ]),
    counter("nv_inference_count", M, Of(S::Completed)),
    counter("nv_inference_exec_count", M, Of(S::Executions)),
    counter("nv_inference_request_duration_us", M, Whole(S::RequestSeconds, MICROS)),
    counter("nv_inference_queue_duration_us", M, Whole(S::QueueSeconds, MICROS)),
    counter("nv_inference_compute_input_duration_us", M, Always(0.0, NO_COPY)),
    counter("nv_inference_compute_infer_duration_us", M, Whole(S::ServiceSeconds, MICROS)),
    counter("nv_inference_compute_output_duration_us", M, Always(0.0, NO_COPY)),
    gauge("nv_inference_pending_request_count", PENDING, Of(S::WaitingShared)),
    gauge("nv_model_load_duration_secs", PENDING, Of(S::LoadSeconds)),
    histogram(
        "nv_inference_first_response_histogram_ms",
        PENDING,
        Bounds::List(&[100.0, 500.0, 2000.0, 5000.0]),
        Spread(H::FirstToken, 1e3),
    )
    .needs(HISTOGRAMS),
    summary("nv_inference_request_summary_us", M, SumAndCount(S::RequestSeconds, MICROS, S::Completed))
        .needs(SUMMARIES),
    summary("nv_inference_queue_summary_us", M, SumAndCount(S::QueueSeconds, MICROS, S::Completed)).needs(SUMMARIES),
    summary("nv_inference_compute_input_summary_us", M, Not(NO_COPY)).needs(SUMMARIES),
    summary("nv_inference_compute_infer_summary_us", M, SumAndCount(S::ServiceSeconds, MICROS, S::Completed))
        .needs(SUMMARIES),
    summary("nv_inference_compute_output_summary_us", M, Not(NO_COPY)).needs(SUMMARIES),
    gauge("nv_gpu_utilization", GPU, Of(S::GpuUtilization)),
    gauge("nv_gpu_memory_used_bytes", GPU, Not(MACHINE)),
    gauge("nv_gpu_memory_total_bytes", GPU, Not(MACHINE)),
    gauge("nv_gpu_power_usage", GPU, Not(MACHINE)),
    gauge("nv_gpu_power_limit", GPU, Not(MACHINE)),
    counter("nv_energy_consumption", GPU, Not(MACHINE)),
    gauge("nv_cpu_utilization", &[], Not(MACHINE)),
    gauge("nv_cpu_memory_total_bytes", &[], Not(MACHINE)),
    gauge("nv_cpu_memory_used_bytes", &[], Not(MACHINE)),
    counter("nv_cache_num_hits_per_model", PENDING, Not("the model has no response cache")),
    counter("nv_cache_num_misses_per_model", PENDING, Not("the model has no response cache")),
    counter("nv_cache_hit_duration_per_model", PENDING, Not("the model has no response cache")),
    counter("nv_cache_miss_duration_per_model", PENDING, Not("the model has no response cache")),
    gauge("nv_pinned_memory_pool_total_bytes", &[], Not(MACHINE)),
    gauge("nv_pinned_memory_pool_used_bytes", &[], Not(MACHINE)),
];

const STEPS: &str = "it is about single engine steps, which are not kept";

/// What the backend adds. It takes requests at once, so Triton's own queue stays empty.
pub(super) const TENSOR_RT_LLM: &[Metric] = &[
    counter("nv_inference_request_success", M, Of(S::Completed)),
    counter("nv_inference_request_failure", M, Of(S::Failed)).rows(&[
        (&[("reason", "REJECTED")], Of(S::RejectedAtReplica)),
        (&[("reason", "CANCELED")], Of(S::Failed)),
        (&[("reason", "BACKEND")], Always(0.0, NEVER)),
        (&[("reason", "OTHER")], Always(0.0, NEVER)),
    ]),
    counter("nv_inference_count", M, Of(S::Completed)),
    counter("nv_inference_exec_count", M, Of(S::Executions)),
    counter("nv_inference_request_duration_us", M, Whole(S::RequestSeconds, MICROS)),
    counter("nv_inference_queue_duration_us", M, Whole(S::QueueSeconds, MICROS)),
    counter("nv_inference_compute_input_duration_us", M, Always(0.0, NO_COPY)),
    counter("nv_inference_compute_infer_duration_us", M, Whole(S::ServiceSeconds, MICROS)),
    counter("nv_inference_compute_output_duration_us", M, Always(0.0, NO_COPY)),
    gauge(
        "nv_inference_pending_request_count",
        PENDING,
        Always(
            0.0,
            "the TensorRT-LLM batcher takes requests at once; nv_trt_llm_request_metrics{request_type=\"waiting\"} has its queue",
        ),
    ),
    gauge("nv_model_load_duration_secs", PENDING, Of(S::LoadSeconds)),
    gauge("nv_gpu_utilization", GPU, Of(S::GpuUtilization)),
    gauge("nv_trt_llm_request_metrics", PENDING, Of(S::Running)).rows(&[
        (&[("request_type", "waiting")], Of(S::Waiting)),
        (&[("request_type", "context")], Of(S::Prefilling)),
        (&[("request_type", "scheduled")], Of(S::Running)),
        (&[("request_type", "active")], Of(S::Requests)),
        (&[("request_type", "max")], Of(S::BatchLimit)),
    ]),
    gauge("nv_trt_llm_kv_cache_block_metrics", PENDING, Of(S::KvUsage)).rows(&[
        (&[("kv_cache_block_type", "fraction")], Of(S::KvUsage)),
        (&[("kv_cache_block_type", "used")], Whole(S::KvTokensUsed, 1.0 / 64.0)),
        (&[("kv_cache_block_type", "free")], Whole(S::KvTokensFree, 1.0 / 64.0)),
        (&[("kv_cache_block_type", "max")], Whole(S::KvTokensMax, 1.0 / 64.0)),
        (&[("kv_cache_block_type", "tokens_per")], Always(64.0, "blocks of 64 tokens are assumed")),
    ]),
    gauge("nv_trt_llm_inflight_batcher_metrics", PENDING, Not(STEPS)),
    gauge("nv_trt_llm_runtime_memory_metrics", PENDING, Not(MACHINE)),
    gauge("nv_trt_llm_general_metrics", PENDING, Not(STEPS)),
    counter("nv_trt_llm_disaggregated_serving_metrics", PENDING, Not("prefill and decode run in one engine")),
];
