//! Other fronts: ingress-nginx, Traefik, the interceptor of KEDA's HTTP add-on (59b2f6a), the router of vLLM's production stack (a6c01db).

use super::Figure::{Not, Of, Spread};
use super::bounds::PYTHON;
use super::{Bounds, Metric, Pairs, counter, gauge, histogram};
use crate::signal::{HistogramSignal as H, Scope, Signal as S};

macro_rules! nginx {
    ($($name:literal: $value:literal),*) => {
        &[
            ("controller_class", "k8s.io/ingress-nginx"),
            ("controller_namespace", "?ingress-nginx"),
            ("controller_pod", "?ingress-nginx-controller-0"),
            ("namespace", "{namespace}"),
            ("ingress", "?{service}"),
            ("service", "{service}"),
            ("host", "?{service}.example.com"),
            ("path", "?/"),
            ("method", "POST"),
            ("canary", ""),
            $(($name, $value),)*
        ]
    };
}

const ANY: Pairs = nginx!();
const ANSWERED: Pairs = nginx!("status": "200");
const CONTROLLER: Pairs = &[
    ("controller_class", "k8s.io/ingress-nginx"),
    ("controller_namespace", "?ingress-nginx"),
    ("controller_pod", "?ingress-nginx-controller-0"),
];
const PARTS: &str = "only the whole time of a request is kept at the gateway";
const SHORT: Bounds = Bounds::List(&[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);

pub(super) const NGINX: &[Metric] = &[
    counter("nginx_ingress_controller_requests", ANY, Of(S::Answered)).first().rows(&[
        (&[("status", "200")], Of(S::Answered)),
        (&[("status", "499")], Of(S::TimedOut)),
        (&[("status", "502")], Of(S::Lost)),
        (&[("status", "503")], Of(S::Rejected)),
    ]),
    histogram("nginx_ingress_controller_request_duration_seconds", ANSWERED, SHORT, Spread(H::GatewayLatency, 1.0))
        .first(),
    histogram("nginx_ingress_controller_response_duration_seconds", ANSWERED, SHORT, Spread(H::GatewayLatency, 1.0))
        .first(),
    histogram("nginx_ingress_controller_header_duration_seconds", ANSWERED, SHORT, Spread(H::GatewayFirstToken, 1.0))
        .first(),
    histogram("nginx_ingress_controller_connect_duration_seconds", ANSWERED, SHORT, Not(PARTS)).first(),
    gauge("nginx_ingress_controller_nginx_process_connections", CONTROLLER, Of(S::Unfinished)).rows(&[
        (&[("state", "active")], Of(S::Unfinished)),
        (&[("state", "reading")], Not(PARTS)),
        (&[("state", "writing")], Not(PARTS)),
        (&[("state", "waiting")], Not(PARTS)),
    ]),
];

const TRAEFIK_SERVICE: Pairs =
    &[("method", "POST"), ("protocol", "http"), ("service", "?{namespace}-{service}-80@kubernetes")];
const TRAEFIK_SERVICE_OK: Pairs =
    &[("code", "200"), ("method", "POST"), ("protocol", "http"), ("service", "?{namespace}-{service}-80@kubernetes")];
const ENTRYPOINT: Pairs = &[("method", "POST"), ("protocol", "http"), ("entrypoint", "?web")];
const ENTRYPOINT_OK: Pairs = &[("code", "200"), ("method", "POST"), ("protocol", "http"), ("entrypoint", "?web")];
const OPEN: Pairs = &[("entrypoint", "?web"), ("protocol", "TCP")];
const TRAEFIK_BOUNDS: Bounds = Bounds::List(&[0.1, 0.3, 1.2, 5.0]);

pub(super) const TRAEFIK: &[Metric] = &[
    counter("traefik_service_requests_total", TRAEFIK_SERVICE, Of(S::Answered)).first().rows(CODES),
    counter("traefik_entrypoint_requests_total", ENTRYPOINT, Of(S::Answered)).first().rows(CODES),
    histogram(
        "traefik_service_request_duration_seconds",
        TRAEFIK_SERVICE_OK,
        TRAEFIK_BOUNDS,
        Spread(H::GatewayLatency, 1.0),
    )
    .first(),
    histogram(
        "traefik_entrypoint_request_duration_seconds",
        ENTRYPOINT_OK,
        TRAEFIK_BOUNDS,
        Spread(H::GatewayLatency, 1.0),
    )
    .first(),
    gauge("traefik_open_connections", OPEN, Of(S::Unfinished)),
    gauge("traefik_service_open_connections", TRAEFIK_SERVICE, Of(S::Unfinished)),
];

const CODES: &[(Pairs, super::Figure)] = &[
    (&[("code", "200")], Of(S::Answered)),
    (&[("code", "502")], Of(S::Lost)),
    (&[("code", "503")], Of(S::Rejected)),
    (&[("code", "504")], Of(S::TimedOut)),
];

const ROUTE: Pairs = &[("route_name", "?{service}"), ("route_namespace", "{namespace}")];
const ROUTE_METHOD: Pairs = &[("method", "POST"), ("route_name", "?{service}"), ("route_namespace", "{namespace}")];
const ROUTE_OK: Pairs =
    &[("code", "200"), ("method", "POST"), ("route_name", "?{service}"), ("route_namespace", "{namespace}")];
const HOST: Pairs = &[("host", "?{service}.example.com")];
const HOST_PATH: Pairs = &[("method", "POST"), ("path", "?/"), ("host", "?{service}.example.com")];

pub(super) const KEDA_INTERCEPTOR: &[Metric] = &[
    gauge("interceptor_request_concurrency", ROUTE, Of(S::Unfinished)).first(),
    counter("interceptor_request_count_total", ROUTE_METHOD, Of(S::Answered)).first().rows(CODES),
    histogram("interceptor_request_duration_seconds", ROUTE_OK, PYTHON, Spread(H::GatewayLatency, 1.0)).first(),
    gauge("interceptor_pending_request_count", HOST, Of(S::Unfinished))
        .first()
        .successor("interceptor_request_concurrency"),
    counter("interceptor_request_count", HOST_PATH, Of(S::Answered))
        .first()
        .rows(CODES)
        .successor("interceptor_request_count_total"),
];

const SERVER: Pairs = &[("server", "http://{pod_ip}:8000")];
const ALSO: &str = "the router keeps its own averages over a sliding window";

/// Per backend, with names of vLLM again: a sum without labels counts twice.
pub(super) const VLLM_ROUTER: &[Metric] = &[
    gauge("vllm:num_requests_running", SERVER, Of(S::Running)).per(Scope::Pod),
    gauge("vllm:num_requests_waiting", SERVER, Of(S::Waiting)).per(Scope::Pod),
    gauge("vllm:current_qps", SERVER, Not(ALSO)).per(Scope::Pod),
    gauge("vllm:num_prefill_requests", SERVER, Of(S::Prefilling)).per(Scope::Pod),
    gauge("vllm:num_decoding_requests", SERVER, Of(S::Running)).per(Scope::Pod),
    counter("vllm:num_incoming_requests_total", &[("model", "{model_name}")], Of(S::Arrivals)),
    gauge("vllm:healthy_pods_total", SERVER, super::Figure::Always(1.0, "a backend in the list is healthy"))
        .per(Scope::Pod),
    gauge("vllm:avg_latency", SERVER, Not(ALSO)).per(Scope::Pod),
    gauge("vllm:avg_itl", SERVER, Not(ALSO)).per(Scope::Pod),
];
