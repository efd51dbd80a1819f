//! KServe's Python server 0.21, and Knative's queue-proxy, activator and autoscaler at 98e5ef9 with the names they had before.

use super::Figure::{Not, Of, Spread};
use super::bounds::PYTHON;
use super::{Metric, Pairs, counter, gauge, histogram};
use crate::signal::{HistogramSignal as H, Signal as S};
use crate::target::TargetOf;

const M: Pairs = &[("model_name", "{model_name}")];
const INSIDE: &str = "it is part of the service time";

pub(super) const METRICS: &[Metric] = &[
    histogram("request_predict_seconds", M, PYTHON, Spread(H::EndToEnd, 1.0)).first(),
    histogram("request_preprocess_seconds", M, PYTHON, Not(INSIDE)).first(),
    histogram("request_postprocess_seconds", M, PYTHON, Not(INSIDE)).first(),
    histogram("request_explain_seconds", M, PYTHON, Not(INSIDE)).first(),
];

const REVISION: Pairs =
    &[("namespace_name", "{namespace}"), ("service_name", "?{service}"), ("revision_name", "?{service}-00001")];
const ANSWER: Pairs = &[
    ("namespace_name", "{namespace}"),
    ("service_name", "?{service}"),
    ("revision_name", "?{service}-00001"),
    ("response_code", "200"),
];
const STATUS: Pairs = &[("http_response_status_code", "200")];

pub(super) const KNATIVE: &[Metric] = &[
    histogram("kn_serving_invocation_duration_seconds", STATUS, PYTHON, Spread(H::EndToEnd, 1.0)).first(),
    gauge("kn_serving_queue_depth", &[], Of(S::Requests)),
    gauge("kn_revision_request_concurrency", REVISION, Of(S::Unfinished)).at(TargetOf::Gateway),
    gauge("kn_revision_pods_desired", REVISION, Of(S::ReplicasDesired)).at(TargetOf::Cluster),
    gauge("kn_revision_concurrency_stable", REVISION, Not("Knative's own window is not modelled")),
    counter("revision_app_request_count", ANSWER, Of(S::Completed)).first(),
    histogram("revision_app_request_latencies", ANSWER, PYTHON, Spread(H::EndToEnd, 1e3)).first(),
    gauge("revision_queue_depth", REVISION, Of(S::Requests)),
    counter("revision_request_count", ANSWER, Of(S::Completed)).first(),
];
