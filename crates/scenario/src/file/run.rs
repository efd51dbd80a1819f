//! Calendar, metrics pipeline and service level objective.

use schemars::JsonSchema;
use serde::Deserialize;

use super::TriggersFile;
use crate::quantity::{Share, Time};

/// `run`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct RunFile {
    /// Local date, or date and time, at which the run starts; weekdays, schedules and cron triggers count from it.
    pub start: String,
    /// IANA name of the zone `start` and schedules are in.
    pub time_zone: String,
    /// How long it lasts.
    pub duration: Time,
    /// Stretch at the start that is simulated and left out of the statistics.
    pub warm_up: Time,
    /// Seed of all dice.
    pub seed: u64,
    /// How often each policy is run, each time with other dice.
    pub replications: u32,
    /// Length of one row of the timeline.
    pub timeline_step: Time,
}

impl Default for RunFile {
    fn default() -> Self {
        Self {
            start: "2026-01-05T00:00:00".to_owned(),
            time_zone: "UTC".to_owned(),
            duration: Time(86_400.0),
            warm_up: Time(0.0),
            seed: 1,
            replications: 1,
            timeline_step: Time(60.0),
        }
    }
}

/// `metrics`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct MetricsFile {
    /// Prometheus scrape interval.
    pub scrape_interval: Time,
    /// How far back Prometheus looks for the newest sample (`--query.lookback-delta`).
    pub lookback: Time,
    /// How often dcgm-exporter refreshes its values (`--collect-interval`).
    pub dcgm_interval: Time,
    /// `--metrics-relist-interval` of prometheus-adapter.
    pub adapter_relist: Time,
    /// `--metric-resolution` of metrics-server.
    pub resource_resolution: Time,
    /// Families of metrics the replicas expose; by default those of the service model, with DCGM and the gateway.
    pub exporters: Option<Vec<ExporterFile>>,
    /// What feeds KEDA triggers whose source lies outside the cluster, by `SCALEDOBJECT/TRIGGER` (its name, index or `*`); without an entry
    /// a queue trigger is fed by the signal of its type.
    pub triggers: TriggersFile,
}

impl Default for MetricsFile {
    fn default() -> Self {
        Self {
            scrape_interval: Time(15.0),
            lookback: Time(300.0),
            dcgm_interval: Time(30.0),
            adapter_relist: Time(60.0),
            resource_resolution: Time(15.0),
            exporters: None,
            triggers: TriggersFile::new(),
        }
    }
}

/// A family of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ExporterFile {
    /// `nv_inference_*`.
    Triton,
    /// `DCGM_FI_*`.
    Dcgm,
    /// `vllm:*`.
    Vllm,
    /// `http_requests_total` at the gateway.
    Gateway,
}

/// `slo`: an answer meets it if it is within every threshold given.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct SloFile {
    /// From arrival to answer.
    pub latency: Option<Time>,
    /// From arrival to first token.
    pub ttft: Option<Time>,
    /// Mean time per output token after the first.
    pub tpot: Option<Time>,
    /// Share of requests that shall meet it.
    pub objective: Share,
}

impl Default for SloFile {
    fn default() -> Self {
        Self { latency: None, ttft: None, tpot: None, objective: Share(0.99) }
    }
}
