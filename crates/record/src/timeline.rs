//! The run as a time series.

use units::{SimDuration, SimTime, Usd};

/// One step of the timeline. Counts of requests are of this step; counts of things are at its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimelineRow {
    /// Start of the step.
    pub start: SimTime,
    /// Its length.
    pub step: SimDuration,
    /// Requests that arrived.
    pub arrivals: u64,
    /// Requests that were answered.
    pub completions: u64,
    /// Requests rejected, timed out or lost.
    pub failures: u64,
    /// Answers and failures that missed the latency SLO.
    pub slo_misses: u64,
    /// Requests waiting at the end of the step.
    pub queue: u64,
    /// Requests being served at the end of the step.
    pub in_flight: u64,
    /// `spec.replicas`.
    pub desired: u32,
    /// Ready replicas.
    pub ready: u32,
    /// Pending and starting replicas.
    pub starting: u32,
    /// Warm standbys, ready or on their way.
    pub standby: u32,
    /// Draining replicas.
    pub draining: u32,
    /// Nodes billed at the on-demand price.
    pub nodes_on_demand: u32,
    /// Nodes billed at the spot price.
    pub nodes_spot: u32,
    /// Reserved nodes.
    pub nodes_reserved: u32,
    /// ∫ ready replicas dt over the step in replica-nanoseconds.
    pub ready_ns: u128,
    /// Share of ready replicas' time spent serving, 0..=1; NaN if none was ready.
    pub gpu_utilization: f64,
    /// Median latency of the answers of this step in nanoseconds, if there were any.
    pub latency_p50_ns: Option<u64>,
    /// 99th percentile of the same.
    pub latency_p99_ns: Option<u64>,
    /// Bill so far.
    pub cost_so_far: Usd,
    /// Of the waiting requests, those at no replica: at the gateway.
    pub queue_gateway: u64,
    /// Those at replicas. The rest is between two attempts, at its clients.
    pub queue_replicas: u64,
    /// Share of the KV cache in use at the end of the step, mean over ready replicas; of language models.
    pub kv_usage: Option<f64>,
    /// Adapters brought into slots of GPUs during the step; of language models with adapters.
    pub adapter_loads: Option<u64>,
    /// Median time to first token of the answers of this step in nanoseconds; of language models, if there were any.
    pub ttft_p50_ns: Option<u64>,
    /// 99th percentile of the same.
    pub ttft_p99_ns: Option<u64>,
    /// Median of the mean time per output token after the first, in nanoseconds, likewise.
    pub tpot_p50_ns: Option<u64>,
    /// 99th percentile of the same.
    pub tpot_p99_ns: Option<u64>,
}

impl TimelineRow {
    /// One step of several services together. Nodes and the bill are the cluster's and the same in every row; what share of the time replicas
    /// serve weighs by the time they were ready. There is no latency: quantiles of parts do not give those of the whole.
    pub fn together(services: &[&Self]) -> Self {
        let Some(&first) = services.first() else { return Self::default() };
        let sum = |count: fn(&Self) -> u64| services.iter().map(|&row| count(row)).sum::<u64>();
        let replicas = |count: fn(&Self) -> u32| services.iter().map(|&row| count(row)).sum::<u32>();
        let ready_ns = services.iter().map(|row| row.ready_ns).sum::<u128>();
        let busy_ns =
            services.iter().filter(|row| row.ready_ns > 0).map(|row| row.gpu_utilization * row.ready_ns as f64);
        Self {
            arrivals: sum(|row| row.arrivals),
            completions: sum(|row| row.completions),
            failures: sum(|row| row.failures),
            slo_misses: sum(|row| row.slo_misses),
            queue: sum(|row| row.queue),
            in_flight: sum(|row| row.in_flight),
            desired: replicas(|row| row.desired),
            ready: replicas(|row| row.ready),
            starting: replicas(|row| row.starting),
            standby: replicas(|row| row.standby),
            draining: replicas(|row| row.draining),
            ready_ns,
            gpu_utilization: if ready_ns == 0 { f64::NAN } else { busy_ns.sum::<f64>() / ready_ns as f64 },
            latency_p50_ns: None,
            latency_p99_ns: None,
            queue_gateway: sum(|row| row.queue_gateway),
            queue_replicas: sum(|row| row.queue_replicas),
            // Caches of several models have no common size.
            kv_usage: None,
            adapter_loads: services.iter().filter_map(|row| row.adapter_loads).reduce(|one, other| one + other),
            ttft_p50_ns: None,
            ttft_p99_ns: None,
            tpot_p50_ns: None,
            tpot_p99_ns: None,
            ..first.clone()
        }
    }
}
