//! The names under which a scenario asks for signals: `metrics.aliases`, `metrics.series[].from`, `scalelabSignal`.

use crate::signal::{HistogramPart, HistogramSignal as H, Signal as S};
use crate::target::Kind;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NamedSignal {
    /// One figure.
    Plain(S),
    /// A distribution.
    Spread(H),
}

/// Name, type, what it stands for, in words.
pub const NAMED_SIGNALS: [(&str, Kind, NamedSignal, &str); 62] = {
    use Kind::{Counter, Gauge, Histogram};
    use NamedSignal::{Plain, Spread};
    [
        ("queue_length", Gauge, Plain(S::QueueLength), "everything that waits, at the gateway and at the replicas"),
        ("gateway_queue", Gauge, Plain(S::GatewayQueue), "requests held by the gateway, given to no replica"),
        ("pod_waiting", Gauge, Plain(S::Waiting), "requests waiting at a replica"),
        ("in_flight", Gauge, Plain(S::InFlight), "requests in service, over all replicas"),
        ("pod_in_flight", Gauge, Plain(S::Running), "requests in service at a replica"),
        ("pod_requests", Gauge, Plain(S::Requests), "requests waiting and in service at a replica"),
        ("dispatched", Gauge, Plain(S::Dispatched), "requests given to a replica and unfinished"),
        ("requests", Gauge, Plain(S::Unfinished), "all unfinished requests"),
        ("arrivals_total", Counter, Plain(S::Arrivals), "requests received by the gateway"),
        ("requests_total", Counter, Plain(S::Arrivals), "requests received by the gateway"),
        ("completed_total", Counter, Plain(S::Answered), "answers with code 200"),
        ("failed_total", Counter, Plain(S::Unanswered), "requests that ended otherwise"),
        ("rejected_total", Counter, Plain(S::Rejected), "requests that ended with 503"),
        ("timed_out_total", Counter, Plain(S::TimedOut), "requests given up by their client"),
        ("lost_total", Counter, Plain(S::Lost), "requests lost with a replica"),
        ("pod_received_total", Counter, Plain(S::Received), "requests received by a replica"),
        ("pod_completed_total", Counter, Plain(S::Completed), "requests finished well at a replica"),
        ("pod_failed_total", Counter, Plain(S::Failed), "requests given up at a replica"),
        ("preemptions_total", Counter, Plain(S::Preemptions), "preemptions at a replica"),
        ("executions_total", Counter, Plain(S::Executions), "batches executed by a replica"),
        ("prompt_tokens_total", Counter, Plain(S::PromptTokens), "prompt tokens processed by a replica"),
        ("output_tokens_total", Counter, Plain(S::OutputTokens), "output tokens made by a replica"),
        ("waiting_tokens", Gauge, Plain(S::WaitingTokens), "prompt tokens of requests waiting at a replica"),
        (
            "backlog_tokens",
            Gauge,
            Plain(S::BacklogTokens),
            "prompt tokens, not found in a cache, of a replica's requests without a first token",
        ),
        ("inflight_tokens", Gauge, Plain(S::InflightTokens), "prompt tokens of unfinished requests of a replica"),
        ("token_rate", Gauge, Plain(S::TokenRate), "output tokens per second of a replica"),
        ("kv_usage", Gauge, Plain(S::KvUsage), "share of KV blocks in use at a replica, 0..1"),
        ("kv_tokens", Gauge, Plain(S::KvTokensUsed), "tokens in the KV cache of a replica"),
        ("kv_tokens_max", Gauge, Plain(S::KvTokensMax), "tokens that fit the KV cache of a replica"),
        ("batch_size", Gauge, Plain(S::Running), "requests in the batch of a replica"),
        ("batch_limit", Gauge, Plain(S::BatchLimit), "most requests in the batch of a replica"),
        ("busy_seconds_total", Counter, Plain(S::BusySeconds), "seconds with a request in service at a replica"),
        (
            "queue_seconds_total",
            Counter,
            Plain(S::QueueSeconds),
            "summed waiting time of requests finished at a replica",
        ),
        (
            "service_seconds_total",
            Counter,
            Plain(S::ServiceSeconds),
            "summed service time of requests finished at a replica",
        ),
        ("gpu_utilization", Gauge, Plain(S::GpuUtilization), "busy share of the last second of a replica, 0..1"),
        ("ttft", Histogram, Spread(H::FirstToken), "arrival at a replica to first token, seconds"),
        ("itl", Histogram, Spread(H::InterToken), "time between tokens, seconds"),
        ("tpot", Histogram, Spread(H::TimePerOutputToken), "decode time per output token of a request, seconds"),
        ("e2e", Histogram, Spread(H::EndToEnd), "arrival at a replica to last token, seconds"),
        ("queue_time", Histogram, Spread(H::Queue), "arrival at a replica to admission, seconds"),
        ("prefill_time", Histogram, Spread(H::Prefill), "admission to first token, seconds"),
        ("decode_time", Histogram, Spread(H::Decode), "first to last token, seconds"),
        ("inference_time", Histogram, Spread(H::Inference), "admission to last token, seconds"),
        ("prompt_size", Histogram, Spread(H::PromptSize), "prompt tokens of a request"),
        ("output_size", Histogram, Spread(H::OutputSize), "output tokens of a request"),
        ("latency", Histogram, Spread(H::GatewayLatency), "arrival at the gateway to answer, seconds"),
        ("gateway_ttft", Histogram, Spread(H::GatewayFirstToken), "arrival at the gateway to first token, seconds"),
        ("arrival_rate", Gauge, Plain(S::ArrivalRate { window_s: 60.0 }), "arrivals per second over a window"),
        (
            "latency_quantile",
            Gauge,
            Plain(S::LatencyQuantile { quantile: 0.95, window_s: 60.0 }),
            "quantile of the latency of answers over a window",
        ),
        ("replicas_desired", Gauge, Plain(S::ReplicasDesired), "spec.replicas"),
        ("replicas_current", Gauge, Plain(S::ReplicasCurrent), "pods not being deleted"),
        ("replicas_ready", Gauge, Plain(S::ReplicasReady), "ready pods"),
        ("replicas_starting", Gauge, Plain(S::ReplicasStarting), "pods not ready yet"),
        ("replicas_terminating", Gauge, Plain(S::ReplicasTerminating), "pods being deleted"),
        ("replicas_unavailable", Gauge, Plain(S::ReplicasUnavailable), "pods less ready pods"),
        ("pods_pending", Gauge, Plain(S::PodsPending), "pods without a node"),
        ("nodes_ready", Gauge, Plain(S::NodesReady), "nodes that are ready"),
        ("nodes_starting", Gauge, Plain(S::NodesStarting), "nodes on their way"),
        ("gpus_allocatable", Gauge, Plain(S::GpusAllocatable), "GPUs of ready nodes"),
        ("gpus_free", Gauge, Plain(S::GpusFree), "GPUs that no pod holds"),
        ("time_of_day", Gauge, Plain(S::TimeOfDay), "seconds since local midnight"),
        ("day_of_week", Gauge, Plain(S::DayOfWeek), "0 is Sunday"),
    ]
};

/// What a name stands for, and its type.
pub fn named_signal(name: &str) -> Option<(Kind, NamedSignal)> {
    NAMED_SIGNALS.iter().find(|known| known.0 == name).map(|known| (known.1, known.2))
}

/// A signal in words: the name a scenario has for it, or what it is.
pub fn signal_text(signal: S) -> String {
    if let S::Histogram(of, part) = signal {
        let known = NAMED_SIGNALS.iter().find(|known| known.2 == NamedSignal::Spread(of));
        let part = match part {
            HistogramPart::Bucket(_) => "buckets",
            HistogramPart::Sum => "sum",
            HistogramPart::Count => "count",
        };
        return format!("{} ({part})", known.map_or("a distribution", |known| known.0));
    }
    let known = NAMED_SIGNALS.iter().find(|known| known.2 == NamedSignal::Plain(signal));
    known.map_or_else(|| in_words(&format!("{signal:?}")), |known| known.0.to_owned())
}

/// `WaitingShared` as `waiting_shared`.
fn in_words(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_once() {
        for (index, (name, kind, signal, _)) in NAMED_SIGNALS.iter().enumerate() {
            assert_eq!(named_signal(name), Some((*kind, *signal)), "{name}");
            assert!(NAMED_SIGNALS[..index].iter().all(|earlier| earlier.0 != *name), "{name}");
        }
    }

    #[test]
    fn signals_without_a_name_are_told_in_words() {
        assert_eq!(signal_text(S::Waiting), "pod_waiting");
        assert_eq!(signal_text(S::WaitingShared), "waiting_shared");
    }
}
