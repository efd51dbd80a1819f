//! How metrics travel from replicas to controllers.

use units::SimDuration;

/// The metrics pipeline.
#[derive(Clone, Debug)]
pub struct MetricsSpec {
    /// Prometheus scrape interval.
    pub scrape_interval: SimDuration,
    /// Prometheus lookback for instant selectors.
    pub lookback: SimDuration,
    /// dcgm-exporter's own refresh.
    pub dcgm_interval: SimDuration,
    /// prometheus-adapter's relist interval (also its max age).
    pub adapter_relist: SimDuration,
    /// metrics-server resolution.
    pub resource_resolution: SimDuration,
    /// Which families of metrics the replicas expose.
    pub exporters: Vec<Exporter>,
    /// What Prometheus scrapes, with all the series shown.
    pub targets: Vec<exporters::Target>,
    /// prometheus-adapter configuration, if there is one.
    pub adapter: Option<promql::adapter::Rules>,
}

/// A family of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exporter {
    /// `nv_inference_*`.
    Triton,
    /// `DCGM_FI_*`.
    Dcgm,
    /// `vllm:*`.
    Vllm,
    /// `http_requests_total` at the gateway, with queue and in-flight gauges.
    Gateway,
}
