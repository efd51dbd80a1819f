//! `metrics.outages`: when parts of the metrics pipeline do not work.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::quantity::Time;

use super::ExporterFile;

/// One of `metrics.outages`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OutageFile {
    /// Which part does not work.
    pub of: OutagePartFile,
    /// Which exporter, if `of` is `exporter`; all of them if it is left out.
    #[serde(default)]
    pub exporter: Option<ExporterFile>,
    /// From when, counted from the start of the run.
    pub at: Time,
    /// For how long.
    #[serde(rename = "for")]
    pub length: Time,
}

/// A part of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OutagePartFile {
    /// Prometheus: nothing is scraped, and neither KEDA nor the adapter gets an answer.
    Prometheus,
    /// prometheus-adapter: the HPA gets no custom or external metric.
    Adapter,
    /// Exporters: scrapes fail, their series end.
    Exporter,
}
