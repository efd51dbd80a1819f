//! Envoy's own statistics, and Istio's standard metrics, both from their documentation.
//!
//! Istio counts a request at its end, and on both sides: at the gateway as source, in the replica's sidecar as destination. A query that
//! does not say which `reporter` counts twice, as it does in a cluster.

use super::Figure::{Not, Of, Spread};
use super::{Bounds, Metric, Pairs, counter, gauge, histogram};
use crate::signal::{HistogramSignal as H, Signal as S};
use crate::target::TargetOf;

const CLUSTER: Pairs = &[("envoy_cluster_name", "?{service}")];
const CONNECTIONS: Pairs = &[("envoy_http_conn_manager_prefix", "?ingress_http")];

const MILLIS: Bounds = Bounds::List(&[
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
]);

pub(super) const ENVOY: &[Metric] = &[
    counter("envoy_cluster_upstream_rq_total", CLUSTER, Of(S::Scheduled)),
    counter("envoy_cluster_upstream_rq_completed", CLUSTER, Of(S::Ended)),
    gauge("envoy_cluster_upstream_rq_active", CLUSTER, Of(S::Dispatched)),
    gauge("envoy_cluster_upstream_rq_pending_active", CLUSTER, Of(S::GatewayQueue)),
    counter("envoy_cluster_upstream_rq_xx", CLUSTER, Of(S::Answered)).first().rows(&[
        (&[("envoy_response_code_class", "2")], Of(S::Answered)),
        (&[("envoy_response_code_class", "5")], Of(S::Unanswered)),
    ]),
    counter("envoy_cluster_upstream_rq", CLUSTER, Of(S::Answered)).first().rows(&[
        (&[("envoy_response_code", "200")], Of(S::Answered)),
        (&[("envoy_response_code", "502")], Of(S::Lost)),
        (&[("envoy_response_code", "503")], Of(S::Rejected)),
        (&[("envoy_response_code", "504")], Of(S::TimedOut)),
    ]),
    histogram("envoy_cluster_upstream_rq_time", CLUSTER, MILLIS, Spread(H::GatewayLatency, 1e3)),
    counter("envoy_http_downstream_rq_total", CONNECTIONS, Of(S::Arrivals)),
    gauge("envoy_http_downstream_rq_active", CONNECTIONS, Of(S::Unfinished)),
    counter("envoy_http_downstream_rq_xx", CONNECTIONS, Of(S::Answered)).first().rows(&[
        (&[("envoy_response_code_class", "2")], Of(S::Answered)),
        (&[("envoy_response_code_class", "5")], Of(S::Unanswered)),
    ]),
    histogram("envoy_http_downstream_rq_time", CONNECTIONS, MILLIS, Spread(H::GatewayLatency, 1e3)),
];

macro_rules! istio {
    ($reporter:literal $(, $name:literal: $value:literal)*) => {
        &[
            ("reporter", $reporter),
            ("source_workload", "?istio-ingressgateway"),
            ("source_workload_namespace", "?istio-system"),
            ("source_app", "?istio-ingressgateway"),
            ("source_version", "unknown"),
            ("source_principal", "unknown"),
            ("source_cluster", "?Kubernetes"),
            ("source_canonical_service", "?istio-ingressgateway"),
            ("source_canonical_revision", "latest"),
            ("destination_workload", "{workload}"),
            ("destination_workload_namespace", "{namespace}"),
            ("destination_app", "?{workload}"),
            ("destination_version", "unknown"),
            ("destination_principal", "unknown"),
            ("destination_cluster", "?Kubernetes"),
            ("destination_canonical_service", "?{workload}"),
            ("destination_canonical_revision", "latest"),
            ("destination_service", "?{service}.{namespace}.svc.cluster.local"),
            ("destination_service_name", "?{service}"),
            ("destination_service_namespace", "{namespace}"),
            ("request_protocol", "http"),
            ("response_flags", "-"),
            ("grpc_response_status", ""),
            ("connection_security_policy", "mutual_tls"),
            $(($name, $value),)*
        ]
    };
}

const SOURCE: Pairs = istio!("source");
const DESTINATION: Pairs = istio!("destination", "response_code": "200");
const SOURCE_OK: Pairs = istio!("source", "response_code": "200");
const SIZES: &str = "sizes of requests and answers in bytes are not modelled";

pub(super) const ISTIO: &[Metric] = &[
    counter("istio_requests_total", SOURCE, Of(S::Answered)).first().at(TargetOf::Gateway).rows(&[
        (&[("response_code", "200")], Of(S::Answered)),
        (&[("response_code", "502")], Of(S::Lost)),
        (&[("response_code", "503")], Of(S::Rejected)),
        (&[("response_code", "504")], Of(S::TimedOut)),
    ]),
    counter("istio_requests_total", DESTINATION, Of(S::Completed)).first().at(TargetOf::Pod),
    histogram("istio_request_duration_milliseconds", SOURCE_OK, MILLIS, Spread(H::GatewayLatency, 1e3))
        .first()
        .at(TargetOf::Gateway),
    histogram("istio_request_duration_milliseconds", DESTINATION, MILLIS, Spread(H::EndToEnd, 1e3))
        .first()
        .at(TargetOf::Pod),
    histogram("istio_request_bytes", DESTINATION, MILLIS, Not(SIZES)).first().at(TargetOf::Pod),
    histogram("istio_response_bytes", DESTINATION, MILLIS, Not(SIZES)).first().at(TargetOf::Pod),
];
