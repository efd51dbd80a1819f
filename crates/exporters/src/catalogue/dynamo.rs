//! NVIDIA Dynamo at 0014908: its frontend, and the workers' own endpoint.

use super::Figure::{Not, Of, Spread};
use super::bounds::PYTHON;
use super::{Bounds, Metric, Pairs, counter, gauge, histogram};
use crate::signal::{HistogramSignal as H, Signal as S};
use crate::target::TargetOf;

const MODEL: Pairs = &[("model", "{model_name_lower}")];
const REQUEST: Pairs =
    &[("model", "{model_name_lower}"), ("endpoint", "?chat_completions"), ("request_type", "stream")];
const WORKER: Pairs = &[
    ("dynamo_namespace", "?dynamo"),
    ("dynamo_component", "?backend"),
    ("dynamo_endpoint", "?generate"),
    ("model", "{model_name}"),
];

const DURATION: Bounds = Bounds::List(&[0.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 130.0, 260.0, 510.0]);
const FIRST_TOKEN: Bounds = Bounds::List(&[
    0.0, 0.0022, 0.0047, 0.01, 0.022, 0.047, 0.1, 0.22, 0.47, 1.0, 2.2, 4.7, 10.0, 22.0, 48.0, 100.0, 220.0, 480.0,
]);
const INTER_TOKEN: Bounds =
    Bounds::List(&[0.0, 0.0019, 0.0035, 0.0067, 0.013, 0.024, 0.045, 0.084, 0.16, 0.3, 0.56, 1.1, 2.0]);
const INPUT: Bounds =
    Bounds::List(&[0.0, 100.0, 210.0, 430.0, 870.0, 1800.0, 3600.0, 7400.0, 15_000.0, 31_000.0, 63_000.0, 130_000.0]);
const OUTPUT: Bounds = Bounds::List(&[0.0, 100.0, 210.0, 430.0, 880.0, 1800.0, 3700.0, 7600.0, 16_000.0, 32_000.0]);

pub(super) const METRICS: &[Metric] = &[
    counter("dynamo_frontend_requests_total", REQUEST, Of(S::Ended)).first().rows(&[
        (&[("status", "success"), ("error_type", "")], Of(S::Answered)),
        (&[("status", "error"), ("error_type", "internal")], Of(S::Unanswered)),
    ]),
    counter("dynamo_frontend_requests_started_total", REQUEST, Of(S::Arrivals)).first(),
    counter("dynamo_frontend_output_tokens_total", MODEL, Not("output tokens are counted at the replicas")).first(),
    gauge("dynamo_frontend_queued_requests", MODEL, Of(S::BeforeFirstToken)).first(),
    gauge("dynamo_frontend_inflight_requests", MODEL, Of(S::Unfinished)).first(),
    gauge("dynamo_frontend_active_requests", MODEL, Of(S::Unfinished)).first(),
    histogram("dynamo_frontend_request_duration_seconds", MODEL, DURATION, Spread(H::GatewayLatency, 1.0)).first(),
    histogram("dynamo_frontend_time_to_first_token_seconds", MODEL, FIRST_TOKEN, Spread(H::GatewayFirstToken, 1.0))
        .first(),
    histogram("dynamo_frontend_inter_token_latency_seconds", MODEL, INTER_TOKEN, Spread(H::InterToken, 1.0)).first(),
    histogram("dynamo_frontend_input_sequence_tokens", MODEL, INPUT, Spread(H::PromptSize, 1.0)).first(),
    histogram("dynamo_frontend_output_sequence_tokens", MODEL, OUTPUT, Spread(H::OutputSize, 1.0)).first(),
    counter("dynamo_component_requests_total", WORKER, Of(S::Received)).first().at(TargetOf::Pod),
    gauge("dynamo_component_inflight_requests", WORKER, Of(S::Requests)).first().at(TargetOf::Pod),
    histogram("dynamo_component_request_duration_seconds", WORKER, PYTHON, Spread(H::EndToEnd, 1.0))
        .first()
        .at(TargetOf::Pod),
    counter("dynamo_component_errors_total", WORKER, Of(S::Failed)).first().at(TargetOf::Pod),
    gauge("dynamo_component_gpu_cache_usage_percent", WORKER, Of(S::KvUsage)).at(TargetOf::Pod),
    gauge("dynamo_component_total_blocks", WORKER, Not("blocks of the KV cache have no size of their own"))
        .at(TargetOf::Pod),
];
