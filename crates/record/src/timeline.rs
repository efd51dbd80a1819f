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
    /// Share of ready replicas' time spent serving, 0..=1; NaN if none was ready.
    pub gpu_utilization: f64,
    /// Median latency of the answers of this step in nanoseconds, if there were any.
    pub latency_p50_ns: Option<u64>,
    /// 99th percentile of the same.
    pub latency_p99_ns: Option<u64>,
    /// Bill so far.
    pub cost_so_far: Usd,
}
