//! The metrics pipeline.

use cluster::spec::{Exporter, MetricsSpec, PolicySpec};
use promql::gke::GkeMetric;
use units::SimDuration;

use crate::error::ScenarioError;
use crate::file::{AdapterSwitch, ExporterFile, ModelFile, ScenarioSpec};

use super::Context;

impl Context<'_> {
    pub(super) fn metrics(
        &mut self,
        spec: &ScenarioSpec,
        policies: &[PolicySpec],
    ) -> Result<MetricsSpec, ScenarioError> {
        let file = &spec.metrics;
        let asked = self.asked_metrics(spec, policies);
        let of_adapter: Vec<_> = asked.iter().filter(|metric| GkeMetric::parse(&metric.name).is_none()).collect();
        let adapter = self.adapter(&of_adapter, file.adapter == AdapterSwitch::None)?;
        let second = SimDuration::from_secs(1);
        let exporters = match &file.exporters {
            Some(exporters) => exporters.iter().copied().map(exporter).collect(),
            None => match spec.service.model {
                ModelFile::ContinuousBatching(_) => vec![Exporter::Vllm, Exporter::Dcgm, Exporter::Gateway],
                _ => vec![Exporter::Triton, Exporter::Dcgm, Exporter::Gateway],
            },
        };
        Ok(MetricsSpec {
            scrape_interval: self.at_least(file.scrape_interval, second, "spec.metrics.scrapeInterval")?,
            lookback: self.at_least(file.lookback, second, "spec.metrics.lookback")?,
            dcgm_interval: self.at_least(file.dcgm_interval, second, "spec.metrics.dcgmInterval")?,
            adapter_relist: self.at_least(file.adapter_relist, second, "spec.metrics.adapterRelist")?,
            resource_resolution: self.at_least(file.resource_resolution, second, "spec.metrics.resourceResolution")?,
            exporters,
            adapter: adapter.rules,
        })
    }
}

fn exporter(file: ExporterFile) -> Exporter {
    match file {
        ExporterFile::Triton => Exporter::Triton,
        ExporterFile::Dcgm => Exporter::Dcgm,
        ExporterFile::Vllm => Exporter::Vllm,
        ExporterFile::Gateway => Exporter::Gateway,
    }
}
