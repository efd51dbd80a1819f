//! Hugging Face's servers: Text Generation Inference at db931fc, Text Embeddings Inference at 0d124dc.
//!
//! The Rust `metrics` crate creates nothing before its first value, so every series here is born with its first event, and counters have
//! no `_total`.

use super::Figure::{Always, Not, Of, Spread};
use super::{Bounds, Metric, Pairs, counter, gauge, histogram};
use crate::signal::{HistogramSignal as H, Signal as S};

const NONE: Pairs = &[];
const INSIDE: &str = "tokenizing and single engine steps are part of the service time";
const WELL: &str = "requests of the model fail by being given up or by the queue's limit only";

/// `1e-4 * 1.5^k`, k = 1..35.
const DURATION: Bounds = Bounds::Geometric { first: 1.5e-4, factor: 1.5, count: 35 };
/// `1e-5 * 1.5^k`, k = 1..35.
const FINE: Bounds = Bounds::Geometric { first: 1.5e-5, factor: 1.5, count: 35 };
const BATCH: Bounds = Bounds::List(&[]);

pub(super) const METRICS: &[Metric] = &[
    gauge("tgi_queue_size", NONE, Of(S::Waiting)).first(),
    gauge("tgi_batch_current_size", NONE, Of(S::Running)).first(),
    gauge("tgi_batch_current_max_tokens", NONE, Of(S::KvTokensMax)).first(),
    counter("tgi_request_count", NONE, Of(S::Received)).first(),
    counter("tgi_request_success", NONE, Of(S::Completed)).first(),
    counter("tgi_request_failure", NONE, Of(S::Failed))
        .first()
        .rows(&[(&[("err", "overloaded")], Of(S::RejectedAtReplica)), (&[("err", "dropped")], Of(S::Failed))]),
    counter("tgi_batch_inference_count", NONE, Of(S::Executions))
        .first()
        .rows(&[(&[("method", "prefill")], Not(INSIDE)), (&[("method", "decode")], Of(S::Executions))]),
    counter("tgi_batch_inference_success", NONE, Of(S::Executions))
        .first()
        .rows(&[(&[("method", "prefill")], Not(INSIDE)), (&[("method", "decode")], Of(S::Executions))]),
    histogram("tgi_request_duration", NONE, DURATION, Spread(H::EndToEnd, 1.0)).first(),
    histogram("tgi_request_queue_duration", NONE, DURATION, Spread(H::Queue, 1.0)).first(),
    histogram("tgi_request_inference_duration", NONE, DURATION, Spread(H::Inference, 1.0)).first(),
    histogram("tgi_request_validation_duration", NONE, DURATION, Not(INSIDE)).first(),
    histogram("tgi_request_mean_time_per_token_duration", NONE, DURATION, Spread(H::TimePerOutputToken, 1.0)).first(),
    histogram("tgi_batch_inference_duration", NONE, DURATION, Not(INSIDE)).first(),
    histogram("tgi_batch_forward_duration", NONE, DURATION, Not(INSIDE)).first(),
    histogram("tgi_batch_decode_duration", NONE, DURATION, Not(INSIDE)).first(),
    histogram("tgi_batch_filter_duration", NONE, DURATION, Not(INSIDE)).first(),
    histogram("tgi_request_input_length", NONE, Bounds::Hundredths, Spread(H::PromptSize, 1.0)).first(),
    histogram("tgi_request_generated_tokens", NONE, Bounds::Hundredths, Spread(H::OutputSize, 1.0)).first(),
    histogram("tgi_request_max_new_tokens", NONE, Bounds::Hundredths, Spread(H::OutputSize, 1.0)).first(),
    histogram("tgi_batch_next_size", NONE, BATCH, Not("sizes of single batches are not kept")).first(),
];

const NO_CLASSES: &str = "every request of the model is one of embeddings";

pub(super) const EMBEDDINGS: &[Metric] = &[
    gauge("te_queue_size", NONE, Of(S::Waiting)).first(),
    counter("te_request_count", NONE, Of(S::Received)).first().rows(&[
        (&[("method", "single")], Of(S::Received)),
        (&[("method", "batch")], Always(0.0, "a request of the model is one text")),
    ]),
    counter("te_request_success", NONE, Of(S::Completed)).first().rows(&[
        (&[("method", "single")], Of(S::Completed)),
        (&[("method", "batch")], Always(0.0, "a request of the model is one text")),
    ]),
    counter("te_request_failure", NONE, Of(S::Failed))
        .first()
        .rows(&[(&[("err", "overloaded")], Of(S::RejectedAtReplica)), (&[("err", "validation")], Always(0.0, WELL))]),
    counter("te_embed_count", NONE, Of(S::Received)).first(),
    counter("te_embed_success", NONE, Of(S::Completed)).first(),
    counter("te_predict_count", NONE, Not(NO_CLASSES)).first(),
    counter("te_predict_success", NONE, Not(NO_CLASSES)).first(),
    histogram("te_request_duration", NONE, FINE, Spread(H::EndToEnd, 1.0)).first(),
    histogram("te_request_tokenization_duration", NONE, FINE, Not(INSIDE)).first(),
    histogram("te_request_queue_duration", NONE, FINE, Spread(H::Queue, 1.0)).first(),
    histogram("te_request_inference_duration", NONE, FINE, Spread(H::Inference, 1.0)).first(),
    histogram("te_embed_duration", NONE, FINE, Spread(H::EndToEnd, 1.0)).first(),
    histogram("te_embed_tokenization_duration", NONE, FINE, Not(INSIDE)).first(),
    histogram("te_embed_queue_duration", NONE, FINE, Spread(H::Queue, 1.0)).first(),
    histogram("te_embed_inference_duration", NONE, FINE, Spread(H::Inference, 1.0)).first(),
    histogram("te_predict_duration", NONE, FINE, Not(NO_CLASSES)).first(),
    histogram("te_predict_tokenization_duration", NONE, FINE, Not(NO_CLASSES)).first(),
    histogram("te_predict_queue_duration", NONE, FINE, Not(NO_CLASSES)).first(),
    histogram("te_predict_inference_duration", NONE, FINE, Not(NO_CLASSES)).first(),
    histogram(
        "te_request_input_length",
        NONE,
        Bounds::Geometric { first: 1.0, factor: 2.0, count: 20 },
        Spread(H::PromptSize, 1.0),
    )
    .first(),
    histogram("te_batch_next_size", NONE, BATCH, Not("sizes of single batches are not kept")).first(),
    histogram("te_batch_next_tokens", NONE, BATCH, Not("sizes of single batches are not kept")).first(),
];
