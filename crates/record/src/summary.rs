//! The summary: one row per policy, and one per policy and replication.

use serde::Serialize;

/// An estimate with its confidence interval; the bounds are NaN where one replication gives none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The estimate.
    pub mean: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// The figures of one replication of one policy; the columns of product.md section 4 without intervals.
/// Milliseconds, seconds, dollars and hours as the names say.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "each field is a column whose name says what it is; the user guide defines them")]
pub struct ReplicationSummary {
    pub policy: String,
    /// Empty for the whole cluster.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service: String,
    pub replication: u32,
    pub requests: u64,
    pub completed: u64,
    pub failed: u64,
    pub in_system: u64,
    pub slo_attainment: f64,
    pub latency_ms_mean: f64,
    pub latency_ms_p50: f64,
    pub latency_ms_p90: f64,
    pub latency_ms_p95: f64,
    pub latency_ms_p99: f64,
    pub latency_ms_p999: f64,
    pub latency_ms_max: f64,
    pub queue_wait_ms_mean: f64,
    pub cost_usd: f64,
    pub cost_per_million_requests_usd: f64,
    pub cost_serving_usd: f64,
    pub cost_idle_usd: f64,
    pub cost_cold_start_usd: f64,
    pub cost_standby_usd: f64,
    pub cost_draining_usd: f64,
    pub cost_unallocated_usd: f64,
    pub cost_on_demand_usd: f64,
    pub cost_spot_usd: f64,
    pub gpu_hours: f64,
    pub replicas_mean: f64,
    pub replicas_max: u32,
    pub cold_starts: u64,
    pub cold_start_s_mean: f64,
    pub cold_start_s_p95: f64,
    pub spot_interruptions: u64,
    pub requests_lost: u64,
    pub scale_ups: u64,
    pub scale_downs: u64,
    pub rejected: u64,
    pub timed_out: u64,
    pub ttft_ms_p50: Option<f64>,
    pub ttft_ms_p99: Option<f64>,
    pub tpot_ms_p50: Option<f64>,
    pub tpot_ms_p99: Option<f64>,
    pub cost_reserved_usd: f64,
    pub cost_serverless_usd: f64,
    pub cost_per_thousand_slo_met_usd: f64,
    pub metrics_silent: u64,
    pub metric_unanswered_share: f64,
    pub at_max_share: f64,
    pub ttft_ms_mean: Option<f64>,
    pub ttft_ms_p90: Option<f64>,
    pub ttft_ms_p95: Option<f64>,
    pub tpot_ms_mean: Option<f64>,
    pub tpot_ms_p90: Option<f64>,
    pub tpot_ms_p95: Option<f64>,
    pub kv_usage_mean: Option<f64>,
    pub kv_usage_max: Option<f64>,
    pub batch_mean: Option<f64>,
    pub batch_max: u64,
    pub queue_gateway_mean: f64,
    pub queue_gateway_max: Option<u64>,
    pub queue_replicas_mean: f64,
    pub queue_replicas_max: Option<u64>,
    pub prompt_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    pub cost_per_million_input_tokens_usd: Option<f64>,
    pub cost_per_million_output_tokens_usd: Option<f64>,
    pub replica_changes: u64,
    /// Median over all requests the SLO is judged on: one without an answer is later than any other. Infinite where the median has no answer.
    pub latency_ms_p50_all: f64,
    /// 99th percentile of the same.
    pub latency_ms_p99_all: f64,
    /// 90th percentile of the same.
    pub latency_ms_p90_all: f64,
    /// 95th percentile of the same.
    pub latency_ms_p95_all: f64,
    /// 99.9th percentile of the same.
    pub latency_ms_p999_all: f64,
    pub seed: u64,
    pub digest: u64,
}

/// One policy over all its replications.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicySummary {
    /// Pooled figures, of one run: counts and money as means over replications (counts to the nearest whole), percentiles of the pooled
    /// histogram, means over replications for money and replicas. `seed` and `digest` are those of the first replication.
    pub pooled: ReplicationSummary,
    /// How many replications.
    pub replications: u32,
    /// Replications from which attainment has an interval that is known to hold; with fewer its bounds are NaN. Latencies may need more.
    pub replications_needed: u32,
    /// SLO attainment with its 95 % interval.
    pub slo_attainment: Interval,
    /// What attainment is judged by: the same interval, or one much wider where so few replications give none to show.
    pub slo_attainment_decides: Interval,
    /// Cost in dollars per replication with its 95 % interval.
    pub cost_usd: Interval,
    /// Mean latency in milliseconds with its interval.
    pub latency_ms_mean: Interval,
    /// 99th percentile of latency in milliseconds with its interval.
    pub latency_ms_p99: Interval,
    /// 99th percentile over all requests the SLO is judged on; infinite where it has no answer.
    pub latency_ms_p99_all: Interval,
    /// Requests the SLO is judged on that had no answer, summed over replications as `latency` is.
    pub unanswered: u64,
    /// Pooled latency histogram of the answers, for the CDF.
    pub latency: crate::Histogram,
}
