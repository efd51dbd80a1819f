//! llm-d's endpoint picker (llm-d-router at ebab687). What has an older twin is written under both names.
//!
//! Series are born with their first event, but those of the pool.

use super::Figure::{Always, Not, Of, Spread};
use super::{Bounds, Metric, Pairs, counter, gauge, histogram};
use crate::signal::{HistogramSignal as H, Scope, Signal as S};

const MODEL: Pairs = &[("model_name", "{model_name}")];
const M: Pairs = &[("model_name", "{model_name}"), ("target_model_name", "{model_name}")];
const MP: Pairs = &[("model_name", "{model_name}"), ("target_model_name", "{model_name}"), ("priority", "0")];
const MF: Pairs = &[
    ("model_name", "{model_name}"),
    ("target_model_name", "{model_name}"),
    ("fairness_id", "?default-flow"),
    ("priority", "0"),
];
const STREAMED: Pairs = &[
    ("model_name", "{model_name}"),
    ("target_model_name", "{model_name}"),
    ("fairness_id", "?default-flow"),
    ("priority", "0"),
    ("streaming", "true"),
];
const FLOW: Pairs = &[
    ("fairness_id", "?default-flow"),
    ("priority", "0"),
    ("inference_pool", "?{service}"),
    ("model_name", "{model_name}"),
    ("target_model_name", "{model_name}"),
];
const OUTCOME: Pairs = &[
    ("fairness_id", "?default-flow"),
    ("priority", "0"),
    ("inference_pool", "?{service}"),
    ("model_name", "{model_name}"),
    ("target_model_name", "{model_name}"),
    ("outcome", "Dispatched"),
];
const POOL_PRIORITY: Pairs = &[("priority", "0"), ("inference_pool", "?{service}")];
const SATURATION: Pairs = &[("inference_pool", "?{service}")];
const POOL: Pairs = &[("name", "?{service}")];
const ENDPOINT: Pairs = &[("name", "?{service}"), ("model_server_endpoint", "{pod}")];
const OLD_POD: Pairs = &[("name", "?{service}"), ("model_server_pod", "{pod}")];
const PRODUCER: Pairs = &[
    ("endpoint_name", "{pod}"),
    ("namespace", "{namespace}"),
    ("producer_name", "?inflight-load"),
    ("fairness_id", "?default-flow"),
    ("priority", "0"),
];

const PLUGINS: &str = "plugins of the endpoint picker are not modelled";
const DEVIATION: &str = "deviations over the pool are not kept";
const FAILS: &str = "the picker of the model never fails by itself";
const HOLD: &str = "how long the gateway holds a request is not kept apart from its latency";

const DURATION: Bounds = Bounds::List(&[
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0,
    45.0, 60.0, 120.0, 180.0, 240.0, 300.0, 360.0, 480.0, 600.0, 900.0, 1200.0, 1800.0, 2700.0, 3600.0,
]);
const FIRST_TOKEN: Bounds = Bounds::List(&[
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0,
    45.0, 60.0, 120.0,
]);
const PER_TOKEN: Bounds = Bounds::List(&[
    0.0005, 0.00205, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.125, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 2.0,
]);
const INTER_TOKEN: Bounds =
    Bounds::List(&[0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0]);
const NORMALIZED: Bounds = Bounds::List(&[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]);
/// 32778 is how the source spells it.
const INPUT: Bounds = Bounds::List(&[
    1.0,
    8.0,
    16.0,
    32.0,
    64.0,
    128.0,
    256.0,
    512.0,
    1024.0,
    2048.0,
    4096.0,
    8192.0,
    16384.0,
    32778.0,
    65536.0,
    131_072.0,
    262_144.0,
    524_288.0,
    1_048_576.0,
]);
const OUTPUT: Bounds = Bounds::List(&[1.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0]);
const HELD: Bounds =
    Bounds::List(&[0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0]);

pub(super) const METRICS: &[Metric] = &[
    counter("llm_d_epp_request_total", MF, Of(S::Scheduled)).first(),
    counter("inference_objective_request_total", MP, Of(S::Scheduled)).first().successor("llm_d_epp_request_total"),
    counter("llm_d_epp_request_error_total", MF, Always(0.0, FAILS)).first().rows(&[
        (&[("error_code", "ServiceUnavailable")], Of(S::Rejected)),
        (&[("error_code", "ClientDisconnected")], Of(S::TimedOut)),
    ]),
    counter("inference_objective_request_error_total", M, Always(0.0, FAILS))
        .first()
        .rows(&[
            (&[("error_code", "ServiceUnavailable")], Of(S::Rejected)),
            (&[("error_code", "ClientDisconnected")], Of(S::TimedOut)),
        ])
        .successor("llm_d_epp_request_error_total"),
    gauge("llm_d_epp_request_running", MF, Of(S::Dispatched)).first(),
    gauge("inference_objective_running_requests", MODEL, Of(S::Dispatched))
        .first()
        .successor("llm_d_epp_request_running"),
    histogram("llm_d_epp_request_duration_seconds", MF, DURATION, Spread(H::GatewayLatency, 1.0)).first(),
    histogram("inference_objective_request_duration_seconds", M, DURATION, Spread(H::GatewayLatency, 1.0))
        .first()
        .successor("llm_d_epp_request_duration_seconds"),
    histogram("llm_d_epp_request_ttft_seconds", STREAMED, FIRST_TOKEN, Spread(H::GatewayFirstToken, 1.0)).first(),
    histogram("llm_d_epp_request_streaming_tpot_seconds", MF, PER_TOKEN, Spread(H::TimePerOutputToken, 1.0)).first(),
    histogram("llm_d_epp_request_streaming_itl_seconds", MF, INTER_TOKEN, Spread(H::InterToken, 1.0)).first(),
    histogram("llm_d_epp_request_ntpot_seconds", MF, NORMALIZED, Not("latency over tokens is not kept per request"))
        .first(),
    histogram(
        "inference_objective_normalized_time_per_output_token_seconds",
        M,
        NORMALIZED,
        Not("latency over tokens is not kept per request"),
    )
    .first(),
    histogram("llm_d_epp_request_input_tokens", MF, INPUT, Spread(H::PromptSize, 1.0)).first(),
    histogram("inference_objective_input_tokens", M, INPUT, Spread(H::PromptSize, 1.0)).first(),
    histogram("llm_d_epp_request_output_tokens", MF, OUTPUT, Spread(H::OutputSize, 1.0)).first(),
    histogram("inference_objective_output_tokens", M, OUTPUT, Spread(H::OutputSize, 1.0)).first(),
    gauge("llm_d_epp_flow_control_queue_size", FLOW, Of(S::GatewayQueue)).while_flowing(),
    gauge("inference_extension_flow_control_queue_size", FLOW, Of(S::GatewayQueue))
        .while_flowing()
        .successor("llm_d_epp_flow_control_queue_size"),
    histogram("llm_d_epp_flow_control_request_queue_duration_seconds", OUTCOME, HELD, Not(HOLD)).first(),
    histogram("inference_extension_flow_control_request_queue_duration_seconds", OUTCOME, HELD, Not(HOLD))
        .first()
        .successor("llm_d_epp_flow_control_request_queue_duration_seconds"),
    gauge("llm_d_epp_flow_control_pool_saturation", SATURATION, Of(S::PoolSaturation))
        .rows(&[(&[("stage", "decode")], Of(S::PoolSaturation)), (&[("stage", "effective")], Of(S::PoolSaturation))]),
    gauge("inference_extension_flow_control_pool_saturation", SATURATION, Of(S::PoolSaturation))
        .rows(&[(&[("stage", "decode")], Of(S::PoolSaturation)), (&[("stage", "effective")], Of(S::PoolSaturation))])
        .successor("llm_d_epp_flow_control_pool_saturation"),
    counter("llm_d_epp_flow_control_requests_total", POOL_PRIORITY, Of(S::Scheduled)).first().rows(&[
        (&[("outcome", "Dispatched")], Of(S::Scheduled)),
        (&[("outcome", "RejectedCapacity")], Of(S::RejectedAtOnce)),
        (&[("outcome", "EvictedTTL")], Of(S::Evicted)),
        (
            &[("outcome", "EvictedContextCancelled")],
            Not("who gave up at the gateway and who at a replica is not kept apart"),
        ),
    ]),
    gauge(
        "llm_d_epp_flow_control_capacity_utilization_requests",
        POOL_PRIORITY,
        super::Figure::Times(S::GatewayQueue, 0.0002),
    )
    .first(),
    gauge("llm_d_epp_average_queue_size", POOL, Of(S::PoolQueueMean)),
    gauge("inference_pool_average_queue_size", POOL, Of(S::PoolQueueMean)).successor("llm_d_epp_average_queue_size"),
    gauge("llm_d_epp_average_kv_cache_utilization", POOL, Of(S::PoolKvMean)),
    gauge("inference_pool_average_kv_cache_utilization", POOL, Of(S::PoolKvMean))
        .successor("llm_d_epp_average_kv_cache_utilization"),
    gauge("llm_d_epp_average_running_requests", POOL, Of(S::PoolRunningMean)),
    gauge("inference_pool_average_running_requests", POOL, Of(S::PoolRunningMean))
        .successor("llm_d_epp_average_running_requests"),
    gauge("llm_d_epp_std_dev_queue_size", POOL, Not(DEVIATION)),
    gauge("llm_d_epp_std_dev_kv_cache_utilization", POOL, Not(DEVIATION)),
    gauge("llm_d_epp_std_dev_running_requests", POOL, Not(DEVIATION)),
    gauge("llm_d_epp_ready_endpoints", POOL, Of(S::ReplicasReady)),
    gauge("inference_pool_ready_pods", POOL, Of(S::ReplicasReady)).successor("llm_d_epp_ready_endpoints"),
    gauge("llm_d_epp_per_endpoint_queue_size", ENDPOINT, Of(S::Waiting)).per(Scope::Pod),
    gauge("inference_pool_per_pod_queue_size", OLD_POD, Of(S::Waiting))
        .per(Scope::Pod)
        .successor("llm_d_epp_per_endpoint_queue_size"),
    gauge("llm_d_epp_inflight_requests", PRODUCER, Of(S::Requests)).per(Scope::Pod).first(),
    gauge("llm_d_epp_inflight_tokens", PRODUCER, Of(S::BacklogTokens)).per(Scope::Pod).first(),
    histogram("llm_d_epp_plugin_duration_seconds", &[], Bounds::List(&[]), Not(PLUGINS)),
    gauge("llm_d_epp_prefix_indexer_size", &[], Not(PLUGINS)),
    histogram("llm_d_epp_prefix_indexer_hit_ratio", &[], Bounds::List(&[]), Not(PLUGINS)),
    histogram("llm_d_epp_prefix_indexer_hit_bytes", &[], Bounds::List(&[]), Not(PLUGINS)),
    counter("inference_model_request_total", MODEL, Of(S::Scheduled)).until(0, 5).successor("llm_d_epp_request_total"),
    gauge("inference_model_running_requests", MODEL, Of(S::Dispatched))
        .until(0, 5)
        .successor("llm_d_epp_request_running"),
    histogram("inference_model_request_duration_seconds", MODEL, DURATION, Spread(H::GatewayLatency, 1.0))
        .until(0, 5)
        .successor("llm_d_epp_request_duration_seconds"),
    gauge("llm_d_router_epp_request_running", MF, Of(S::Dispatched)).until(0, 5).successor("llm_d_epp_request_running"),
    gauge("llm_d_router_epp_flow_control_queue_size", FLOW, Of(S::GatewayQueue))
        .until(0, 5)
        .successor("llm_d_epp_flow_control_queue_size"),
];
