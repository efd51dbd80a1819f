//! The metrics themselves: names, labels and values, as the real exporters have them.
//!
//! Sources per family: Triton core `metrics.cc` and its metrics guide; dcgm-exporter `default-counters.csv`; vLLM v1
//! `metrics/loggers.py`; llm-d's inference extension. Counters start at 0 with each process.

use promql::adapter::Adapter;
use promql::labels::METRIC_NAME;
use promql::{Labels, Query};
use units::{PodId, SimTime};

use crate::flow::{Family, Flow, LatencyLog, Load, Meter, ReplicaStats};
use crate::model::Pods;
use crate::spec::{Exporter, MetricsSpec, ServiceSpec};

/// Upper bounds of the gateway's `http_request_duration_seconds`, in seconds.
const DURATION_BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What one replica is doing at a scrape.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Live {
    pub(super) stats: ReplicaStats,
    /// Requests waiting at it.
    pub(super) own_waiting: u64,
    /// Requests waiting for it: its own and its share of the central queue.
    pub(super) waiting: u64,
    pub(super) serving: u64,
    pub(super) kv_usage: f64,
}

/// A metric of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PodMetric {
    TritonRequestSuccess,
    TritonRequestFailure(&'static str),
    TritonInferenceCount,
    TritonExecCount,
    TritonRequestDuration,
    TritonQueueDuration,
    TritonComputeInferDuration,
    TritonPending,
    DcgmUtilization,
    VllmRunning,
    VllmWaiting,
    VllmKvUsage,
    /// The older name of the same.
    VllmGpuCacheUsage,
    VllmSuccess,
    VllmPromptTokens,
    VllmGenerationTokens,
    VllmPreemptions,
    /// A bucket of a histogram, by number.
    VllmBucket(Family, usize),
    VllmSum(Family),
    VllmCount(Family),
}

impl PodMetric {
    const TRITON: [Self; 11] = [
        Self::TritonRequestSuccess,
        Self::TritonRequestFailure("REJECTED"),
        Self::TritonRequestFailure("CANCELED"),
        Self::TritonRequestFailure("BACKEND"),
        Self::TritonRequestFailure("OTHER"),
        Self::TritonInferenceCount,
        Self::TritonExecCount,
        Self::TritonRequestDuration,
        Self::TritonQueueDuration,
        Self::TritonComputeInferDuration,
        Self::TritonPending,
    ];
    const VLLM: [Self; 8] = [
        Self::VllmRunning,
        Self::VllmWaiting,
        Self::VllmKvUsage,
        Self::VllmGpuCacheUsage,
        Self::VllmSuccess,
        Self::VllmPromptTokens,
        Self::VllmGenerationTokens,
        Self::VllmPreemptions,
    ];

    fn of(exporter: Exporter) -> Vec<Self> {
        match exporter {
            Exporter::Triton => Self::TRITON.to_vec(),
            Exporter::Dcgm => vec![Self::DcgmUtilization],
            Exporter::Vllm => Self::VLLM.into_iter().chain(Family::ALL.into_iter().flat_map(Self::histogram)).collect(),
            Exporter::Gateway => Vec::new(),
        }
    }

    fn histogram(family: Family) -> impl Iterator<Item = Self> {
        let buckets = (0..family.bounds().len()).map(move |bucket| Self::VllmBucket(family, bucket));
        buckets.chain([Self::VllmSum(family), Self::VllmCount(family)])
    }

    /// Whether it is made of the latency histograms of an engine.
    pub(super) fn is_latency(self) -> bool {
        matches!(self, Self::VllmBucket(..) | Self::VllmSum(_) | Self::VllmCount(_))
    }

    fn name(self) -> &'static str {
        match self {
            Self::TritonRequestSuccess => "nv_inference_request_success",
            Self::TritonRequestFailure(_) => "nv_inference_request_failure",
            Self::TritonInferenceCount => "nv_inference_count",
            Self::TritonExecCount => "nv_inference_exec_count",
            Self::TritonRequestDuration => "nv_inference_request_duration_us",
            Self::TritonQueueDuration => "nv_inference_queue_duration_us",
            Self::TritonComputeInferDuration => "nv_inference_compute_infer_duration_us",
            Self::TritonPending => "nv_inference_pending_request_count",
            Self::DcgmUtilization => "DCGM_FI_DEV_GPU_UTIL",
            Self::VllmRunning => "vllm:num_requests_running",
            Self::VllmWaiting => "vllm:num_requests_waiting",
            Self::VllmKvUsage => "vllm:kv_cache_usage_perc",
            Self::VllmGpuCacheUsage => "vllm:gpu_cache_usage_perc",
            Self::VllmSuccess => "vllm:request_success_total",
            Self::VllmPromptTokens => "vllm:prompt_tokens_total",
            Self::VllmGenerationTokens => "vllm:generation_tokens_total",
            Self::VllmPreemptions => "vllm:num_preemptions_total",
            Self::VllmBucket(Family::FirstToken, _) => "vllm:time_to_first_token_seconds_bucket",
            Self::VllmSum(Family::FirstToken) => "vllm:time_to_first_token_seconds_sum",
            Self::VllmCount(Family::FirstToken) => "vllm:time_to_first_token_seconds_count",
            Self::VllmBucket(Family::InterToken, _) => "vllm:inter_token_latency_seconds_bucket",
            Self::VllmSum(Family::InterToken) => "vllm:inter_token_latency_seconds_sum",
            Self::VllmCount(Family::InterToken) => "vllm:inter_token_latency_seconds_count",
            Self::VllmBucket(Family::EndToEnd, _) => "vllm:e2e_request_latency_seconds_bucket",
            Self::VllmSum(Family::EndToEnd) => "vllm:e2e_request_latency_seconds_sum",
            Self::VllmCount(Family::EndToEnd) => "vllm:e2e_request_latency_seconds_count",
            Self::VllmBucket(Family::Queue, _) => "vllm:request_queue_time_seconds_bucket",
            Self::VllmSum(Family::Queue) => "vllm:request_queue_time_seconds_sum",
            Self::VllmCount(Family::Queue) => "vllm:request_queue_time_seconds_count",
        }
    }

    fn labels(self) -> Vec<(&'static str, &'static str)> {
        match self {
            Self::DcgmUtilization => vec![("gpu", "0")],
            Self::VllmSuccess => vec![("model_name", "model"), ("engine", "0"), ("finished_reason", "stop")],
            Self::VllmBucket(family, bucket) => {
                vec![("model_name", "model"), ("engine", "0"), ("le", family.bounds()[bucket])]
            }
            Self::VllmRunning
            | Self::VllmWaiting
            | Self::VllmKvUsage
            | Self::VllmGpuCacheUsage
            | Self::VllmPromptTokens
            | Self::VllmGenerationTokens
            | Self::VllmPreemptions
            | Self::VllmSum(_)
            | Self::VllmCount(_) => vec![("model_name", "model"), ("engine", "0")],
            Self::TritonRequestFailure(reason) => vec![("model", "model"), ("version", "1"), ("reason", reason)],
            _ => vec![("model", "model"), ("version", "1")],
        }
    }

    /// The value of a metric made of `log`.
    pub(super) fn latency_value(self, log: &LatencyLog) -> f64 {
        match self {
            Self::VllmBucket(family, bucket) => log.at_most(family, bucket) as f64,
            Self::VllmSum(family) => log.sum_seconds(family),
            Self::VllmCount(family) => log.count(family) as f64,
            _ => panic!("{} is not made of latency histograms", self.name()),
        }
    }

    /// The value of any other metric at a scrape. Triton counts microseconds, truncated.
    pub(super) fn value(self, stats: ReplicaStats, live: Live, dcgm_percent: f64) -> f64 {
        let whole = match self {
            Self::TritonRequestSuccess | Self::TritonInferenceCount | Self::VllmSuccess => stats.success,
            // What was lost with a replica is never scraped from it; what its client gave up on it still answered.
            Self::TritonRequestFailure("CANCELED") => stats.failure,
            Self::TritonRequestFailure(_) => 0,
            Self::TritonExecCount => stats.executions,
            Self::TritonRequestDuration => (stats.wait_ns + stats.compute_ns) / 1_000,
            Self::TritonQueueDuration => stats.wait_ns / 1_000,
            Self::TritonComputeInferDuration => stats.compute_ns / 1_000,
            Self::TritonPending => live.waiting,
            // An engine does not know what the gateway holds.
            Self::VllmWaiting => live.own_waiting,
            Self::VllmRunning => live.serving,
            Self::VllmPromptTokens => stats.prompt_tokens,
            Self::VllmGenerationTokens => stats.output_tokens,
            Self::VllmPreemptions => stats.preemptions,
            Self::VllmBucket(..) | Self::VllmSum(_) | Self::VllmCount(_) => {
                panic!("{} is made of latency histograms", self.name())
            }
            Self::DcgmUtilization => return dcgm_percent,
            Self::VllmKvUsage | Self::VllmGpuCacheUsage => return live.kv_usage,
        };
        whole as f64
    }
}

/// What the gateway knows at a scrape.
#[derive(Clone, Copy, Debug)]
pub(super) struct AtGateway {
    pub(super) load: Load,
    /// Requests it has not given to a replica yet.
    pub(super) held: u64,
    /// Requests it has given to a replica, waiting there or in service.
    pub(super) dispatched: u64,
}

/// A metric of the gateway in front of the service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum GatewayMetric {
    /// Requests received: counted on arrival, as a proxy's upstream counter is, so that it moves at zero replicas too.
    RequestsTotal,
    Queue,
    InFlight,
    DurationBucket(f64),
    DurationSum,
    DurationCount,
}

impl GatewayMetric {
    fn all() -> Vec<Self> {
        let plain = [Self::RequestsTotal, Self::Queue, Self::InFlight, Self::DurationSum, Self::DurationCount];
        let buckets = DURATION_BOUNDS.iter().copied().chain([f64::INFINITY]).map(Self::DurationBucket);
        plain.into_iter().chain(buckets).collect()
    }

    fn name(self) -> &'static str {
        match self {
            Self::RequestsTotal => "http_requests_total",
            Self::Queue => "inference_extension_flow_control_queue_size",
            Self::InFlight => "inference_objective_running_requests",
            Self::DurationBucket(_) => "http_request_duration_seconds_bucket",
            Self::DurationSum => "http_request_duration_seconds_sum",
            Self::DurationCount => "http_request_duration_seconds_count",
        }
    }

    fn exposed(self) -> Labels {
        let le = match self {
            Self::DurationBucket(bound) if bound.is_infinite() => "+Inf".to_owned(),
            Self::DurationBucket(bound) => bound.to_string(),
            _ => String::new(),
        };
        Labels::new([(METRIC_NAME, self.name().to_owned()), ("le", le)])
    }

    /// The value at a scrape.
    pub(super) fn value(self, seen: AtGateway, meter: &Meter) -> f64 {
        let AtGateway { load, held, dispatched } = seen;
        match self {
            Self::RequestsTotal => load.arrived as f64,
            Self::Queue => held as f64,
            Self::InFlight => dispatched as f64,
            Self::DurationBucket(bound) if bound.is_infinite() => load.completed as f64,
            Self::DurationBucket(bound) => meter.answers_within((bound * 1e9) as u64) as f64,
            Self::DurationSum => meter.latency_sum_seconds(),
            Self::DurationCount => load.completed as f64,
        }
    }
}

/// Which metrics are exposed: those that some query could read.
pub(super) struct Exposition {
    pub(super) pod_metrics: Vec<PodMetric>,
    pub(super) pod_labels: Vec<Labels>,
    pub(super) gateway_metrics: Vec<GatewayMetric>,
    pub(super) gateway_labels: Vec<Labels>,
}

impl Exposition {
    pub(super) fn new(
        service: &ServiceSpec,
        metrics: &MetricsSpec,
        queries: &[Query],
        adapter: Option<&Adapter>,
    ) -> Self {
        let is_read = |target: &Labels, own: &Labels| {
            let labels = joined(target, own);
            queries.iter().any(|query| query.wants(&labels)) || adapter.is_some_and(|adapter| adapter.wants(&labels))
        };
        let (pod, gateway) = (pod_labels(service, PodId(0)), gateway_labels(service));
        let offered = metrics.exporters.iter().flat_map(|&exporter| PodMetric::of(exporter));
        let pod_metrics: Vec<PodMetric> = offered.filter(|&metric| is_read(&pod, &exposed(metric))).collect();
        let mut gateway_metrics = GatewayMetric::all();
        gateway_metrics
            .retain(|metric| metrics.exporters.contains(&Exporter::Gateway) && is_read(&gateway, &metric.exposed()));
        Self {
            pod_labels: pod_metrics.iter().map(|&metric| exposed(metric)).collect(),
            pod_metrics,
            gateway_labels: gateway_metrics.iter().map(|metric| metric.exposed()).collect(),
            gateway_metrics,
        }
    }
}

fn exposed(metric: PodMetric) -> Labels {
    let labels = metric.labels().into_iter().chain([(METRIC_NAME, metric.name())]);
    Labels::new(labels)
}

fn joined(target: &Labels, own: &Labels) -> Labels {
    Labels::new(target.iter().chain(own.iter()).map(|(name, value)| (name.to_owned(), value.to_owned())))
}

/// Labels Prometheus gives a pod's target.
pub(super) fn pod_labels(service: &ServiceSpec, pod: PodId) -> Labels {
    let container = service.pod.containers.first().map_or("main", |container| &container.name);
    Labels::new([
        ("namespace", service.namespace.clone()),
        ("pod", pod_name(service, pod)),
        ("service", service.name.clone()),
        ("container", container.to_owned()),
        ("job", service.name.clone()),
        ("instance", format!("{}:8002", pod_name(service, pod))),
    ])
}

/// Labels Prometheus gives the gateway's target.
pub(super) fn gateway_labels(service: &ServiceSpec) -> Labels {
    Labels::new([
        ("namespace", service.namespace.clone()),
        ("service", service.name.clone()),
        ("job", "gateway".to_owned()),
        ("instance", "gateway:9090".to_owned()),
    ])
}

/// Name of a pod.
pub(super) fn pod_name(service: &ServiceSpec, pod: PodId) -> String {
    format!("{}-{}", service.name, pod.0)
}

/// The pod of a name made by [`pod_name`].
pub(super) fn pod_of(service: &ServiceSpec, name: &str) -> Option<PodId> {
    name.strip_prefix(service.name.as_str())?.strip_prefix('-')?.parse().ok().map(PodId)
}

/// What a pod is doing now; nothing, if it is not in the request flow.
pub(super) fn live(pod: PodId, now: SimTime, flow: &mut dyn Flow, pods: &Pods) -> Live {
    let Some(slot) = pods.slot(pod) else { return Live::default() };
    let (own, serving) = flow.replica_load(slot, now);
    let (rank, ready) = pods.rank_among_ready(slot);
    let shared = flow.central_queue(now);
    // The central queue belongs to nobody: each ready replica shows an equal share, the first ones the remainder.
    let share = rank.map_or(0, |rank| shared / ready + u64::from(rank < shared % ready));
    let kv_usage = flow.kv_usage(slot, now);
    Live { stats: flow.stats(slot, now), own_waiting: own, waiting: own + share, serving, kv_usage }
}

/// Statistics of two stretches of one process.
pub(super) fn sum(one: ReplicaStats, other: ReplicaStats) -> ReplicaStats {
    ReplicaStats {
        success: one.success + other.success,
        failure: one.failure + other.failure,
        executions: one.executions + other.executions,
        wait_ns: one.wait_ns + other.wait_ns,
        compute_ns: one.compute_ns + other.compute_ns,
        busy_ns: one.busy_ns + other.busy_ns,
        prompt_tokens: one.prompt_tokens + other.prompt_tokens,
        output_tokens: one.output_tokens + other.output_tokens,
        preemptions: one.preemptions + other.preemptions,
    }
}
