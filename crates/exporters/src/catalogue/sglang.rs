//! SGLang 0.5.23: `observability/metrics_collector.py`. Nothing without `--enable-metrics`.
//!
//! Scheduler gauges are reports: written at a prefill batch, every 40th decode step, and when the batch empties.

use super::Figure::{Found, Not, Of, Spread};
use super::{Bounds, Metric, Needs, Pairs, counter, gauge, histogram};
use crate::signal::{HistogramSignal as H, Signal as S};

const SCHEDULER: Pairs = &[
    ("model_name", "{model_name}"),
    ("engine_type", "unified"),
    ("tp_rank", "0"),
    ("pp_rank", "0"),
    ("moe_ep_rank", "0"),
];
const TOKENIZER: Pairs = &[("model_name", "{model_name}"), ("engine_type", "unified")];
const STREAMED: Pairs = &[("model_name", "{model_name}"), ("engine_type", "unified"), ("is_streaming", "True")];
const HTTP: Pairs = &[("endpoint", "{handler}"), ("method", "POST")];
const ANSWER: Pairs = &[("endpoint", "{handler}"), ("method", "POST"), ("status_code", "200")];

const ON: Needs = Needs::Argument("--enable-metrics");
const PREFIX: &str =
    "the model has no prefix cache where the scenario does not say what prompts share (traffic.prefix)";

const FIRST_TOKEN: Bounds = Bounds::List(&[
    0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 20.0, 40.0, 60.0, 80.0, 100.0, 200.0, 400.0,
]);
const REQUEST: Bounds = Bounds::List(&[
    0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 20.0, 40.0, 60.0, 80.0, 100.0, 200.0, 400.0, 600.0, 1200.0,
    1800.0, 2400.0,
]);
const INTER_TOKEN: Bounds = Bounds::List(&[
    0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.06, 0.08, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0,
    2.0, 4.0, 6.0, 8.0,
]);
const QUEUE: Bounds = Bounds::List(&[
    0.0, 0.001, 0.005, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0,
    70.0, 80.0, 90.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0, 1000.0, 1200.0, 1400.0, 1600.0,
    1800.0, 2000.0, 2500.0, 3000.0,
]);

pub(super) const METRICS: &[Metric] = &[
    gauge("sglang:num_running_reqs", SCHEDULER, Of(S::Running)).needs(ON),
    gauge("sglang:num_queue_reqs", SCHEDULER, Of(S::Waiting)).needs(ON),
    gauge("sglang:token_usage", SCHEDULER, Of(S::KvUsage)).needs(ON),
    gauge("sglang:full_token_usage", SCHEDULER, Of(S::KvUsage)).needs(ON),
    gauge("sglang:num_used_tokens", SCHEDULER, Of(S::KvTokensUsed)).needs(ON),
    gauge("sglang:kv_used_tokens", SCHEDULER, Of(S::KvTokensUsed)).needs(ON),
    gauge("sglang:max_total_num_tokens", SCHEDULER, Of(S::KvTokensMax)).needs(ON),
    gauge("sglang:gen_throughput", SCHEDULER, Of(S::TokenRate)).needs(ON),
    gauge("sglang:cache_hit_rate", SCHEDULER, Found(S::PrefixHitRate, PREFIX)).needs(ON),
    gauge("sglang:utilization", SCHEDULER, Not("it is relative to a latency objective given to the server")).needs(ON),
    counter("sglang:prompt_tokens_total", TOKENIZER, Of(S::PromptTokens)).needs(ON).first(),
    counter("sglang:generation_tokens_total", TOKENIZER, Of(S::OutputTokens)).needs(ON).first(),
    counter("sglang:num_requests_total", STREAMED, Of(S::Completed)).needs(ON).first(),
    counter("sglang:num_aborted_requests_total", TOKENIZER, Of(S::Failed)).needs(ON).first(),
    counter("sglang:num_retracted_requests_total", SCHEDULER, Of(S::Preemptions)).needs(ON).first(),
    counter("sglang:http_requests_total", HTTP, Of(S::Received)).needs(ON).first(),
    counter("sglang:http_responses_total", ANSWER, Of(S::Completed)).needs(ON).first(),
    gauge("sglang:http_requests_active", HTTP, Of(S::Requests)).needs(ON).first(),
    histogram("sglang:time_to_first_token_seconds", STREAMED, FIRST_TOKEN, Spread(H::FirstToken, 1.0))
        .needs(ON)
        .first(),
    histogram("sglang:e2e_request_latency_seconds", STREAMED, REQUEST, Spread(H::EndToEnd, 1.0)).needs(ON).first(),
    histogram("sglang:inter_token_latency_seconds", TOKENIZER, INTER_TOKEN, Spread(H::InterToken, 1.0))
        .needs(ON)
        .first(),
    histogram(
        "sglang:request_time_per_output_token_seconds",
        TOKENIZER,
        INTER_TOKEN,
        Spread(H::TimePerOutputToken, 1.0),
    )
    .needs(ON)
    .first(),
    histogram("sglang:queue_time_seconds", SCHEDULER, QUEUE, Spread(H::Queue, 1.0)).needs(ON).first(),
];
