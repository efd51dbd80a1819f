//! The metrics pipeline.

use cluster::spec::{MetricsSpec, PolicySpec, ServiceSpec};
use promql::adapter::{GroupResource, NameRule, Resources, Rule, Rules, SeriesFilter};
use units::SimDuration;

use crate::error::ScenarioError;
use crate::file::ScenarioSpec;
use crate::manifest::{AdapterFile, AdapterRuleFile, Kind};

use super::Context;

impl Context<'_> {
    /// How metrics travel; every query of the policies is held against what there is.
    pub(super) fn metrics(
        &mut self,
        spec: &ScenarioSpec,
        service: &ServiceSpec,
        policies: &[PolicySpec],
    ) -> Result<MetricsSpec, ScenarioError> {
        let file = &spec.metrics;
        let second = SimDuration::from_secs(1);
        let asked = self.keda_queries(spec, policies);
        let shown = self.shown(spec, service, policies, &asked)?;
        Ok(MetricsSpec {
            scrape_interval: self.at_least(file.scrape_interval, second, "spec.metrics.scrapeInterval")?,
            lookback: self.at_least(file.lookback, second, "spec.metrics.lookback")?,
            dcgm_interval: self.at_least(file.dcgm_interval, second, "spec.metrics.dcgmInterval")?,
            adapter_relist: self.at_least(file.adapter_relist, second, "spec.metrics.adapterRelist")?,
            resource_resolution: self.at_least(file.resource_resolution, second, "spec.metrics.resourceResolution")?,
            targets: shown.targets,
            adapter: self.adapter()?,
            usage: self.usage(spec, service, policies)?,
            outages: self.outages(&file.outages)?,
        })
    }

    /// The rules of all adapter configurations, in the order of the files.
    fn adapter(&mut self) -> Result<Option<Rules>, ScenarioError> {
        let mut all: Option<Rules> = None;
        for document in self.of_kind(Kind::AdapterConfig) {
            let Some((file, ignored)) = AdapterFile::read(document)? else {
                self.without_effect(document);
                continue;
            };
            self.note_ignored(document, &ignored);
            let rules = resolve(file)
                .map_err(|(path, reason)| ScenarioError::Inconsistent { at: document.node.locate(path), reason })?;
            // The adapter itself judges patterns and templates.
            promql::adapter::Adapter::new(&rules, 60_000, promql::Options::default()).map_err(|error| {
                ScenarioError::Inconsistent { at: document.node.locate("rules"), reason: error.to_string() }
            })?;
            let merged = all.get_or_insert_with(Rules::default);
            merged.custom.extend(rules.custom);
            merged.external.extend(rules.external);
        }
        Ok(all)
    }
}

fn resolve(file: AdapterFile) -> Result<Rules, (String, String)> {
    let all = |rules: Vec<AdapterRuleFile>, list: &str| {
        let numbered = rules.into_iter().enumerate();
        numbered.map(|(index, written)| rule(written, &format!("{list}[{index}]"))).collect::<Result<Vec<_>, _>>()
    };
    Ok(Rules { custom: all(file.rules, "rules")?, external: all(file.external_rules, "externalRules")? })
}

fn rule(file: AdapterRuleFile, path: &str) -> Result<Rule, (String, String)> {
    let mut series_filters = Vec::new();
    for filter in file.series_filters {
        series_filters.push(match (filter.is, filter.is_not) {
            (Some(pattern), None) => SeriesFilter::Is(pattern),
            (None, Some(pattern)) => SeriesFilter::IsNot(pattern),
            _ => return Err((format!("{path}.seriesFilters"), "needs exactly one of `is` and `isNot`".to_owned())),
        });
    }
    let overrides = file.resources.overrides.into_iter();
    Ok(Rule {
        series_query: file.series_query,
        series_filters,
        resources: Resources {
            template: file.resources.template,
            overrides: overrides
                .map(|(label, entry)| (label, GroupResource { group: entry.group, resource: entry.resource }))
                .collect(),
            namespaced: file.resources.namespaced,
        },
        name: NameRule { matches: file.name.matches, api_name: file.name.alias },
        // What the adapter does without a template: the sum of the series by object.
        metrics_query: file
            .metrics_query
            .unwrap_or_else(|| "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)".to_owned()),
    })
}
