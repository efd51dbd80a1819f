//! The metrics pipeline: what is scraped, recorded and asked for, held against each other.

use std::collections::BTreeSet;

use cluster::spec::{GkeSpec, MetricsSpec, PolicySpec, ServiceSpec};
use promql::Query;
use promql::adapter::Adapter;
use promql::gke::GkeMetric;
use units::SimDuration;

use crate::error::ScenarioError;
use crate::file::{AdapterSwitch, MetricsFile, ScenarioSpec};

use super::Context;
use super::adapter::AdapterSetting;
use super::asked::AskedMetric;
use super::queries::AskedQuery;
use super::registry::Demands;

impl Context<'_> {
    /// How metrics travel, with what is scraped of the service and what its replicas use; every query of the policies is held against what
    /// there is.
    pub(super) fn metrics(
        &mut self,
        spec: &ScenarioSpec,
        service: &mut ServiceSpec,
        policies: &[PolicySpec],
    ) -> Result<MetricsSpec, ScenarioError> {
        let file = &spec.metrics;
        let queries = self.keda_queries(spec, policies);
        let asked = self.asked_metrics(spec, policies);
        let gke = self.gke(&asked)?;
        let of_adapter: Vec<&AskedMetric> = asked.iter().filter(|metric| !gke.contains_key(&metric.name)).collect();
        let adapter = self.adapter(&of_adapter, file.adapter == AdapterSwitch::None)?;
        let readers = Readers::new(&queries, &adapter, (&of_adapter, gke.values()));
        let rules = self.recording(&|name| readers.wants_name(name))?;
        if !queries.is_empty() || !asked.is_empty() {
            self.note_scrape_configs()?;
        }
        let (scrapes, beside) = self.scrapes(spec, service, !gke.is_empty())?;
        let mut names = asked
            .iter()
            .map(|metric| {
                gke.get(&metric.name).map_or_else(|| metric.name.clone(), |meaning| meaning.series().to_owned())
            })
            .collect::<BTreeSet<String>>();
        names.extend(readers.names_behind_rules());
        let demands = Demands { queries: &queries, names: &names, scrapes: &scrapes, beside: &beside, rules: &rules };
        let shown = self.shown(spec, service, policies, &demands)?;
        let answered = self.check_adapter(&of_adapter, &adapter, &shown.series, file)?;
        self.hold_answers(file, &answered, &shown.registry)?;
        self.check_gke(&asked, &gke, &shown.registry)?;
        (service.targets, service.usage) = (shown.targets, self.usage(spec, service, policies)?);
        let second = SimDuration::from_secs(1);
        Ok(MetricsSpec {
            scrape_interval: self.at_least(file.scrape_interval, second, "spec.metrics.scrapeInterval")?,
            lookback: self.at_least(file.lookback, second, "spec.metrics.lookback")?,
            dcgm_interval: self.at_least(file.dcgm_interval, second, "spec.metrics.dcgmInterval")?,
            adapter_relist: self.relist(file, &adapter)?,
            resource_resolution: self.at_least(file.resource_resolution, second, "spec.metrics.resourceResolution")?,
            adapter: adapter.rules,
            rules,
            gke: GkeSpec { delay: file.gke.delay.duration(), metrics: gke },
            outages: self.outages(&file.outages)?,
        })
    }

    /// `metrics.adapterRelist` where the scenario says it, else what the chart's values say.
    fn relist(&self, file: &MetricsFile, adapter: &AdapterSetting) -> Result<SimDuration, ScenarioError> {
        let is_written = self.scenario.at(&["spec", "metrics", "adapterRelist"]).is_some();
        match adapter.relist {
            Some(relist) if !is_written => Ok(relist),
            _ => self.at_least(file.adapter_relist, SimDuration::from_secs(1), "spec.metrics.adapterRelist"),
        }
    }
}

/// Who reads series by name.
struct Readers {
    queries: Vec<Query>,
    adapter: Option<Adapter>,
    gke: BTreeSet<String>,
}

impl Readers {
    fn new<'m>(
        queries: &[AskedQuery],
        adapter: &AdapterSetting,
        (asked, gke): (&[&AskedMetric], impl Iterator<Item = &'m GkeMetric>),
    ) -> Self {
        // A query that is none is told by those who hold it against the registry.
        let queries = queries.iter().filter_map(|query| Query::compile(&query.text).ok()).collect();
        let rules = adapter.rules.as_ref().filter(|_| !asked.is_empty());
        let adapter = rules.and_then(|rules| Adapter::new(rules, 60_000, promql::Options::default()).ok());
        Self {
            queries,
            adapter: adapter.map(|adapter| adapter.only(asked.iter().map(|metric| metric.name.as_str()))),
            gke: gke.map(|metric| metric.series().to_owned()).collect(),
        }
    }

    /// Known names of the series that rules of the adapter make the metrics of that are asked for: `name.as` may call them anything.
    fn names_behind_rules(&self) -> impl Iterator<Item = String> + '_ {
        let adapter = self.adapter.iter();
        adapter.flat_map(|adapter| {
            let known = exporters::catalogue::all().flat_map(|(_, metric)| metric.series_names());
            known.filter(|name| adapter.wants_name(name))
        })
    }

    fn wants_name(&self, name: &str) -> bool {
        self.gke.contains(name)
            || self.queries.iter().any(|query| query.wants_name(name))
            || self.adapter.as_ref().is_some_and(|adapter| adapter.wants_name(name))
    }
}
