//! The metrics pipeline: what is scraped, recorded and asked for, held against each other.

use std::collections::{BTreeMap, BTreeSet};

use cluster::spec::{GkeSpec, MetricsSpec};
use exporters::{Exporter, Registry};
use promql::adapter::Adapter;
use promql::gke::GkeMetric;
use promql::{Labels, Query};
use units::SimDuration;

use crate::error::ScenarioError;
use crate::file::{AdapterSwitch, MetricsFile, ServiceView};
use crate::manifest::PodFacts;

use super::Context;
use super::adapter::AdapterSetting;
use super::asked::AskedMetric;
use super::neighbours::Neighbour;
use super::queries::AskedQuery;
use super::registry::{Demands, Shown, is_of};
use super::{MetricsView, Resolved};

/// What one service asks for.
struct Asks {
    queries: Vec<AskedQuery>,
    metrics: Vec<AskedMetric>,
}

impl Asks {
    /// Metrics that an adapter must answer for.
    fn of_adapter<'a>(&'a self, gke: &BTreeMap<String, GkeMetric>) -> Vec<&'a AskedMetric> {
        self.metrics.iter().filter(|metric| !gke.contains_key(&metric.name)).collect()
    }
}

impl Context<'_> {
    /// How metrics travel, with what is scraped of each service and what its replicas use; every query of the policies is held against what
    /// there is.
    pub(super) fn metrics(
        &mut self,
        views: &[ServiceView],
        all: &mut [Resolved],
    ) -> Result<MetricsSpec, ScenarioError> {
        let file = &views[0].metrics;
        let asks = self.asks(views, all);
        let gke = self.gke(asks.iter().flat_map(|asks| &asks.metrics))?;
        let of_adapter: Vec<&AskedMetric> = asks.iter().flat_map(|asks| asks.of_adapter(&gke)).collect();
        let adapter = self.adapter(&of_adapter, file.adapter == AdapterSwitch::None)?;
        let queries = asks.iter().flat_map(|asks| &asks.queries);
        let readers = Readers::new(queries, &adapter, (&of_adapter, gke.values()));
        let recording = self.recording(&|name| readers.wants_name(name))?;
        let rules = recording.groups;
        if asks.iter().any(|asks| !asks.queries.is_empty() || !asks.metrics.is_empty()) {
            self.note_scrape_configs()?;
        }
        let facts: Vec<PodFacts> = all.iter().map(|one| self.pod_facts(&one.service)).collect();
        let engines = self.engines(views, all);
        let mut shown = Vec::with_capacity(all.len());
        for (number, (spec, one)) in views.iter().zip(all.iter()).enumerate() {
            self.turn_to(number);
            let asks = &asks[number];
            let is_google = asks.metrics.iter().any(|metric| gke.contains_key(&metric.name));
            let (scrapes, beside) = self.scrapes(spec, (&facts, number), is_google)?;
            let mut names = asks
                .metrics
                .iter()
                .map(|metric| {
                    gke.get(&metric.name).map_or_else(|| metric.name.clone(), |meaning| meaning.series().to_owned())
                })
                .collect::<BTreeSet<String>>();
            // What a neighbour's engine shows is no sign of another program beside this service.
            let is_neighbours = |name: &String| {
                let shows = |engines: &[Exporter]| engines.iter().any(|engine| is_of(*engine, name));
                !shows(&engines[number]) && engines.iter().any(|engines| shows(engines))
            };
            names.extend(readers.names_behind_rules().filter(|name| !is_neighbours(name)));
            let (queries, names) = (asks.queries.as_slice(), &names);
            let demands = Demands {
                queries,
                names,
                scrapes: &scrapes,
                beside: &beside,
                rules: &rules,
                recorded: &recording.asked,
            };
            shown.push(self.shown(spec, &one.service, &one.policies, &demands)?);
        }
        let registries: Vec<&Registry> = shown.iter().map(|shown| &shown.registry).collect();
        self.turn_to_all();
        self.hold_rules(file, &recording.asked, &registries)?;
        let queries = asks.iter().flat_map(|asks| &asks.queries).chain(&recording.asked);
        self.note_idle_words(file, queries, all.iter().flat_map(|one| &one.policies));
        self.hold_all(file, (&asks, all), (&adapter, &gke), &mut shown)?;
        for (number, ((spec, one), shown)) in views.iter().zip(all.iter_mut()).zip(shown).enumerate() {
            self.turn_to(number);
            one.service.targets = shown.targets;
            one.service.usage = self.usage(spec, &one.service, &one.policies)?;
        }
        self.turn_to_all();
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

    /// The engines of each service.
    fn engines(&mut self, views: &[ServiceView], all: &[Resolved]) -> Vec<Vec<Exporter>> {
        let of = |(number, (spec, one)): (usize, (&ServiceView, &Resolved))| {
            self.turn_to(number);
            self.likely_engines(spec, &one.service)
        };
        let engines = views.iter().zip(all).enumerate().map(of).collect();
        self.turn_to_all();
        engines
    }

    fn asks(&mut self, views: &[ServiceView], all: &[Resolved]) -> Vec<Asks> {
        let mut asks = Vec::with_capacity(all.len());
        for (number, (spec, one)) in views.iter().zip(all).enumerate() {
            self.turn_to(number);
            let queries = self.keda_queries(spec, &one.policies);
            asks.push(Asks { queries, metrics: self.asked_metrics(spec, &one.policies) });
        }
        self.turn_to_all();
        asks
    }

    /// Holds what every service asks for against what all of them show.
    fn hold_all(
        &mut self,
        file: &MetricsFile,
        (asks, all): (&[Asks], &[Resolved]),
        (adapter, gke): (&AdapterSetting, &BTreeMap<String, GkeMetric>),
        shown: &mut [Shown],
    ) -> Result<(), ScenarioError> {
        for (number, asks) in asks.iter().enumerate() {
            self.turn_to(number);
            let verdicts = std::mem::take(&mut shown[number].verdicts);
            let uses = self.judge_all(file, (&asks.queries, verdicts), &neighbours(all, shown, number))?;
            self.metrics.push(MetricsView {
                service: all[number].service.name.clone(),
                registry: shown[number].registry.clone(),
                uses,
            });
        }
        self.turn_to_all();
        let every: Vec<Labels> = shown.iter().flat_map(|shown| shown.series.iter().cloned()).collect();
        let mut answered = Vec::with_capacity(asks.len());
        for (number, asks) in asks.iter().enumerate() {
            self.turn_to(number);
            let series = (shown[number].series.as_slice(), every.as_slice());
            answered.push(self.check_adapter(&asks.of_adapter(gke), adapter, series, file)?);
        }
        self.turn_to_all();
        self.note_idle_rules(adapter, &every)?;
        for (number, answered) in answered.iter().enumerate() {
            self.turn_to(number);
            let neighbours = neighbours(all, shown, number);
            self.hold_answers(file, answered, (number, &shown[number].registry), &neighbours)?;
            let registries =
                std::iter::once(&shown[number].registry).chain(neighbours.iter().map(|other| other.registry));
            self.check_gke(&asks[number].metrics, gke, &registries.collect::<Vec<_>>())?;
        }
        Ok(())
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

/// What the others show, and what they are called.
fn neighbours<'a>(all: &'a [Resolved], shown: &'a [Shown], own: usize) -> Vec<Neighbour<'a>> {
    let others = all.iter().zip(shown).enumerate().filter(|(number, _)| *number != own);
    others.map(|(_, (one, shown))| Neighbour { name: &one.service.name, registry: &shown.registry }).collect()
}

/// Who reads series by name.
struct Readers {
    queries: Vec<Query>,
    adapter: Option<Adapter>,
    gke: BTreeSet<String>,
}

impl Readers {
    fn new<'m>(
        queries: impl Iterator<Item = &'m AskedQuery>,
        adapter: &AdapterSetting,
        (asked, gke): (&[&AskedMetric], impl Iterator<Item = &'m GkeMetric>),
    ) -> Self {
        // A query that is none is told by those who hold it against the registry.
        let queries = queries.filter_map(|query| Query::compile(&query.text).ok()).collect();
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
