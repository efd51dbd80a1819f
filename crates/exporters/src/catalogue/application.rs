//! HTTP metrics of the user's own front: the names that client libraries give by default, on one assumed gateway.
//!
//! Labels of several libraries stand beside each other (`code` of Go, `handler` and `status` of Python, `route` and `status_code` of
//! Node), so that a query by any of them finds the series.

use super::Figure::{Of, Spread};
use super::{Bounds, Metric, Pairs, counter, gauge, histogram};
use crate::signal::{HistogramSignal as H, Signal as S};

const ANSWER: Pairs = &[
    ("method", "POST"),
    ("code", "200"),
    ("status", "200"),
    ("status_code", "200"),
    ("handler", "?{handler}"),
    ("path", "?{handler}"),
    ("route", "?{handler}"),
];
const REQUEST: Pairs =
    &[("method", "POST"), ("handler", "?{handler}"), ("path", "?{handler}"), ("route", "?{handler}")];
const SPRING: Pairs = &[("method", "POST"), ("uri", "?{handler}"), ("status", "200"), ("outcome", "SUCCESS")];
const OPEN_TELEMETRY: Pairs =
    &[("http_request_method", "POST"), ("http_route", "?{handler}"), ("http_response_status_code", "200")];

pub(super) const METRICS: &[Metric] = &[
    counter("http_requests_total", ANSWER, Of(S::Arrivals)),
    histogram("http_request_duration_seconds", ANSWER, Bounds::Http, Spread(H::GatewayLatency, 1.0)),
    gauge("http_requests_in_flight", REQUEST, Of(S::Unfinished)),
    histogram("http_server_requests_seconds", SPRING, Bounds::Http, Spread(H::GatewayLatency, 1.0)),
    histogram("http_server_request_duration_seconds", OPEN_TELEMETRY, Bounds::Http, Spread(H::GatewayLatency, 1.0)),
];
