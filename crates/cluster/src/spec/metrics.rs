//! How metrics travel from replicas to controllers.

use std::collections::BTreeMap;

use exporters::Exporter;
use promql::gke::GkeMetric;
use promql::rules::RuleGroup;
use units::{Bytes, Millicores, SimDuration, SimTime};

/// The metrics pipeline.
#[derive(Clone, Debug)]
pub struct MetricsSpec {
    /// Prometheus scrape interval, of targets that have none of their own.
    pub scrape_interval: SimDuration,
    /// Prometheus lookback for instant selectors.
    pub lookback: SimDuration,
    /// dcgm-exporter's own refresh.
    pub dcgm_interval: SimDuration,
    /// prometheus-adapter's relist interval (also its max age).
    pub adapter_relist: SimDuration,
    /// metrics-server resolution.
    pub resource_resolution: SimDuration,
    /// prometheus-adapter configuration, if there is one.
    pub adapter: Option<promql::adapter::Rules>,
    /// Groups of recording rules that somebody reads.
    pub rules: Vec<RuleGroup>,
    /// Metrics that GKE's adapter answers for.
    pub gke: GkeSpec,
    /// When parts of the pipeline do not work.
    pub outages: Vec<OutageSpec>,
}

impl Default for MetricsSpec {
    /// A scrape and metrics-server every 15 s, five minutes of lookback, dcgm-exporter every 30 s, a relist a minute.
    fn default() -> Self {
        let seconds = SimDuration::from_secs;
        Self {
            scrape_interval: seconds(15),
            lookback: seconds(300),
            dcgm_interval: seconds(30),
            adapter_relist: seconds(60),
            resource_resolution: seconds(15),
            adapter: None,
            rules: Vec::new(),
            gke: GkeSpec::default(),
            outages: Vec::new(),
        }
    }
}

/// GKE's Custom Metrics Stackdriver Adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GkeSpec {
    /// How much later than its scrape a sample is visible in Cloud Monitoring.
    pub delay: SimDuration,
    /// What each name that an autoscaler asks for means.
    pub metrics: BTreeMap<String, GkeMetric>,
}

impl Default for GkeSpec {
    /// Ten seconds of delay, no metrics.
    fn default() -> Self {
        Self { delay: SimDuration::from_secs(10), metrics: BTreeMap::new() }
    }
}

/// What replicas use of their machines beside the time of a GPU.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UsageSpec {
    /// CPU of the main container; `None`: the busy share times the request, for every container.
    pub cpu: Option<CpuUsage>,
    /// Memory of the main container; `None`: the request, for every container.
    pub memory: Option<MemoryUsage>,
    /// Constant CPU and memory of other containers, by name. One that is not here uses nothing.
    pub containers: Vec<(String, Millicores, Bytes)>,
    /// GPU memory a loaded replica holds on each of its GPUs, if known.
    pub gpu_memory: Option<Bytes>,
    /// Memory of a GPU, if known.
    pub gpu_memory_total: Option<Bytes>,
    /// Power of a GPU in watts: idle, and busy all the time.
    pub gpu_power: Option<(f64, f64)>,
}

/// CPU of a serving container.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CpuUsage {
    /// From its start until it is ready.
    pub startup: Millicores,
    /// Ready and serving nothing.
    pub idle: Millicores,
    /// Busy all the time.
    pub busy: Millicores,
    /// Added per request in service.
    pub per_request: Millicores,
}

/// Memory of a serving container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUsage {
    /// From the end of its load phase on; it grows to that from its start.
    pub loaded: Bytes,
    /// Added per request waiting at it or in service.
    pub per_request: Bytes,
}

/// A time in which a part of the pipeline does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutageSpec {
    /// Which part.
    pub of: Outage,
    /// From when.
    pub at: SimTime,
    /// For how long.
    pub length: SimDuration,
}

/// A part of the pipeline that may not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// Prometheus: nothing is scraped, no rule evaluated, no query answered.
    Prometheus,
    /// prometheus-adapter: the metric APIs it serves do not answer.
    Adapter,
    /// An exporter, or all of them: scrapes fail.
    Exporter(Option<Exporter>),
}
