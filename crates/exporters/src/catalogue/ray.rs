//! Ray Serve 2.60. Counters exist twice: `NAME_total` and, as a gauge, `NAME`.

use super::Figure::{Not, Of, Spread};
use super::{Bounds, Metric, Pairs, counter, gauge, histogram};
use crate::signal::{HistogramSignal as H, Signal as S};
use crate::target::TargetOf;

const DEPLOYMENT: Pairs = &[("deployment", "?{service}"), ("application", "?default"), ("SessionName", "session")];
const HANDLE: Pairs = &[
    ("deployment", "?{service}"),
    ("application", "?default"),
    ("handle", "proxy"),
    ("actor_id", ""),
    ("SessionName", "session"),
];
const REPLICA: Pairs =
    &[("deployment", "?{service}"), ("application", "?default"), ("replica", "{pod}"), ("SessionName", "session")];
const ROUTE: Pairs = &[
    ("deployment", "?{service}"),
    ("application", "?default"),
    ("replica", "{pod}"),
    ("route", "?/"),
    ("SessionName", "session"),
];
const HTTP: Pairs = &[
    ("route", "?/"),
    ("method", "POST"),
    ("application", "?default"),
    ("status_code", "200"),
    ("SessionName", "session"),
];
const OWN: &str = "Ray Serve's own autoscaler is not a controller of this model";

const MILLIS: Bounds = Bounds::List(&[
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 300.0, 400.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0, 60_000.0,
    120_000.0, 300_000.0, 600_000.0,
]);

pub(super) const METRICS: &[Metric] = &[
    gauge("ray_serve_deployment_queued_queries", DEPLOYMENT, Of(S::QueueLength)).at(TargetOf::Gateway),
    gauge("ray_serve_num_ongoing_requests_at_replicas", HANDLE, Of(S::Dispatched)).at(TargetOf::Gateway),
    gauge("ray_serve_replica_processing_queries", REPLICA, Of(S::Running)),
    gauge("ray_serve_autoscaling_desired_replicas", DEPLOYMENT, Not(OWN)),
    gauge("ray_serve_autoscaling_target_replicas", DEPLOYMENT, Not(OWN)),
    gauge("ray_serve_autoscaling_total_requests", DEPLOYMENT, Not(OWN)),
    gauge("ray_serve_num_ongoing_http_requests", HTTP, Of(S::Unfinished)).at(TargetOf::Gateway),
    gauge(
        "ray_serve_deployment_replica_healthy",
        REPLICA,
        super::Figure::Always(1.0, "it is there while the replica is"),
    ),
    counter("ray_serve_deployment_request_counter_total", ROUTE, Of(S::Completed)).first(),
    gauge("ray_serve_deployment_request_counter", ROUTE, Of(S::Completed)).first(),
    counter("ray_serve_num_http_requests_total", HTTP, Of(S::Answered)).first().at(TargetOf::Gateway),
    gauge("ray_serve_num_http_requests", HTTP, Of(S::Answered)).first().at(TargetOf::Gateway),
    counter("ray_serve_num_router_requests_total", DEPLOYMENT, Of(S::Scheduled)).first().at(TargetOf::Gateway),
    gauge("ray_serve_num_router_requests", DEPLOYMENT, Of(S::Scheduled)).first().at(TargetOf::Gateway),
    histogram("ray_serve_deployment_processing_latency_ms", ROUTE, MILLIS, Spread(H::Inference, 1e3)).first(),
    histogram("ray_serve_http_request_latency_ms", HTTP, MILLIS, Spread(H::GatewayLatency, 1e3))
        .first()
        .at(TargetOf::Gateway),
];
