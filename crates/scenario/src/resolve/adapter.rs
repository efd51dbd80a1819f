//! prometheus-adapter: its rules out of the documents, and whether they answer what is asked.

use std::collections::{BTreeMap, BTreeSet};

use exporters::Reader;
use promql::adapter::{
    Adapter, Asked, GroupResource, NameRule, Reason, Resources, Rule, RuleIndex, Rules, SeriesFilter, Unanswered,
};
use promql::{Labels, Outline};
use units::SimDuration;

use crate::error::{At, ScenarioError};
use crate::file::{MetricsFile, OnUnknownFile};
use crate::manifest::{AdapterFound, AdapterRuleFile, Document, Kind, holds_picker, holds_rule_files};
use crate::tree::{Node, parse_path};

use super::Context;
use super::asked::{AskedMetric, AskedOf};
use super::queries::AskedQuery;

/// The adapter of an experiment.
#[derive(Clone, Debug, Default)]
pub(super) struct AdapterSetting {
    /// Its rules; None: there is no adapter.
    pub rules: Option<Rules>,
    /// Whose each rule of `rules` is: titles for notes; empty for the chart's own.
    pub custom_of: Vec<String>,
    /// The same of `externalRules`.
    pub external_of: Vec<String>,
    /// `metricsRelistInterval` of chart values.
    pub relist: Option<SimDuration>,
}

impl AdapterSetting {
    fn add(&mut self, rules: Rules, title: &str) {
        let all = self.rules.get_or_insert_with(Rules::default);
        self.custom_of.extend(rules.custom.iter().map(|_| title.to_owned()));
        self.external_of.extend(rules.external.iter().map(|_| title.to_owned()));
        all.custom.extend(rules.custom);
        all.external.extend(rules.external);
    }
}

impl Context<'_> {
    /// The rules of all adapter configurations, in the order of the files. Without any: those of the chart, if something asks for a metric
    /// that only an adapter can answer.
    pub(super) fn adapter(&mut self, asked: &[&AskedMetric], is_off: bool) -> Result<AdapterSetting, ScenarioError> {
        let mut setting = AdapterSetting::default();
        for document in self.documents {
            let title = document.title();
            let Some(found) = AdapterFound::read(document)? else {
                if document.kind == Kind::AdapterConfig
                    && !document.name.is_empty()
                    && !holds_rule_files(&document.node)
                    && !holds_picker(&document.node)
                    && !self.is_environment(document)
                {
                    self.without_effect(document);
                }
                continue;
            };
            if is_off {
                let source = &document.node.place.source;
                self.notes
                    .push(format!("ignored: {source}: {title}: `metrics.adapter: none` says there is no adapter"));
                continue;
            }
            self.note_ignored(document, &found.ignored);
            self.check_existing(document, &found)?;
            if found.has_defaults {
                self.notes.push(format!(
                    "{}: {title}: the chart's default rules come before the {} given there (`rules.default` is true)",
                    document.node.place.source,
                    found.file.rules.len()
                ));
                setting.add(Rules::chart_defaults(), "");
            }
            setting.relist = found.relist.or(setting.relist);
            setting.add(resolve(found)?, &title);
        }
        if setting.rules.is_none() && !is_off && !asked.is_empty() {
            let names: BTreeSet<&str> = asked.iter().map(|metric| metric.name.as_str()).collect();
            let names: Vec<&str> = names.into_iter().collect();
            self.notes.push(format!(
                "no prometheus-adapter rules in these files: the default rules of its chart are assumed, for {} (`metrics.adapter: none` if \
                 the cluster has no adapter)",
                names.join(", ")
            ));
            setting.add(Rules::chart_defaults(), "");
        }
        Ok(setting)
    }

    /// `rules.existing` names a ConfigMap that takes the place of all other rules.
    fn check_existing(&self, document: &Document, found: &AdapterFound) -> Result<(), ScenarioError> {
        let Some(name) = &found.existing else { return Ok(()) };
        let is_there = self
            .documents
            .iter()
            .any(|other| other.name == *name && other.node.get("kind").and_then(Node::text) == Some("ConfigMap"));
        if is_there {
            return Ok(());
        }
        let reason = format!("the rules are in ConfigMap `{name}`, which is not in these files");
        Err(ScenarioError::Inconsistent { at: at(&document.node, "rules.existing"), reason })
    }

    /// Holds every metric that a service asks for against the rules and the series there can be, its own and those of all. A metric without
    /// rule is an error.
    pub(super) fn check_adapter(
        &mut self,
        asked: &[&AskedMetric],
        setting: &AdapterSetting,
        (own, all): (&[Labels], &[Labels]),
        file: &MetricsFile,
    ) -> Result<Vec<AskedQuery>, ScenarioError> {
        let mut queries = Vec::new();
        let Some(rules) = &setting.rules else { return Ok(queries) };
        let adapter = self.adapter_of(rules)?;
        for metric in asked {
            // An HPA's metrics of pods are those of its own.
            let series = if metric.of == AskedOf::Pods { own } else { all };
            let question = match &metric.of {
                AskedOf::Pods => Asked::Custom { metric: &metric.name, resource: "pod" },
                AskedOf::Object { kind, .. } => Asked::Custom { metric: &metric.name, resource: kind },
                AskedOf::External => Asked::External { metric: &metric.name },
            };
            match adapter.explain(question, series) {
                Ok(answer) => {
                    let is_own = match answer.rule {
                        RuleIndex::Custom(index) => &setting.custom_of[index],
                        RuleIndex::External(index) => &setting.external_of[index],
                    };
                    self.note_unnamed(metric, &answer.label, &answer.query);
                    queries.push(AskedQuery {
                        text: adapter.query_where(&answer, &cluster::metric_selector(&metric.selector)),
                        at: metric.at.clone(),
                        asker: format!("{}: hpa metric {}", metric.policy, metric.name),
                        reader: Reader::Adapter,
                        is_of_own_pods: metric.of == AskedOf::Pods,
                    });
                    if is_own.is_empty() {
                        self.note_once(format!(
                            "{}: {} of {} is answered by the adapter's default rule: {}",
                            metric.policy,
                            metric.name,
                            metric.of.text(),
                            answer.query
                        ));
                    }
                }
                Err(why) => {
                    let silent = adapter.series_behind(&metric.name);
                    let mut why = why;
                    why.names.extend(self.idle_records.iter().cloned());
                    let reason = nobody_shows(metric, &silent, series).unwrap_or_else(|| unanswered(metric, &why));
                    let is_assumed = file.assume_absent.contains(&metric.name);
                    if is_assumed || file.on_unknown == OnUnknownFile::Absent {
                        let word = if is_assumed { "metrics.assumeAbsent" } else { "metrics.onUnknown: absent" };
                        self.note_once(format!("{}: {reason}; it fails at every pass ({word})", metric.policy));
                        continue;
                    }
                    return Err(ScenarioError::Inconsistent { at: metric.at.clone(), reason });
                }
            }
        }
        Ok(queries)
    }

    /// Says which rules of the user match nothing that any service shows.
    pub(super) fn note_idle_rules(&mut self, setting: &AdapterSetting, series: &[Labels]) -> Result<(), ScenarioError> {
        let Some(rules) = &setting.rules else { return Ok(()) };
        let adapter = self.adapter_of(rules)?;
        for rule in adapter.idle_rules(series) {
            let (title, list, index) = match rule {
                RuleIndex::Custom(index) => (&setting.custom_of[index], "rule", index),
                RuleIndex::External(index) => (&setting.external_of[index], "external rule", index),
            };
            if !title.is_empty() {
                let query = match rule {
                    RuleIndex::Custom(index) => &rules.custom[index].series_query,
                    RuleIndex::External(index) => &rules.external[index].series_query,
                };
                let first = match rule {
                    RuleIndex::Custom(_) => setting.custom_of.iter().position(|other| other == title),
                    RuleIndex::External(_) => setting.external_of.iter().position(|other| other == title),
                };
                let number = index + 1 - first.unwrap_or(0);
                self.note_once(format!("{title}: {list} {number} ({query}) matches no series of this scenario"));
            }
        }
        Ok(())
    }

    fn adapter_of(&self, rules: &Rules) -> Result<Adapter, ScenarioError> {
        let adapter = Adapter::new(rules, 60_000, promql::Options::default());
        adapter.map_err(|error| self.inconsistent("spec.metrics", &error.to_string()))
    }
}

impl Context<'_> {
    /// Says so if no element of an answer can belong to an object.
    fn note_unnamed(&mut self, metric: &AskedMetric, label: &str, query: &str) {
        let Ok(outline) = Outline::of(query) else { return };
        let mut kept = outline.selectors.iter().filter_map(|selector| selector.kept.as_ref());
        if label.is_empty() || outline.selectors.is_empty() || kept.any(|kept| kept.keeps(label)) {
            return;
        }
        self.note_once(format!(
            "{}: the answer for {} has no label {label}, so that no value belongs to {}: the metric fails at every pass ({})",
            metric.policy,
            metric.name,
            metric.of.text(),
            query.split_whitespace().collect::<Vec<_>>().join(" ")
        ));
    }
}

/// A rule is meant to make the metric of a series that nobody shows, or that its own pattern does not take.
fn nobody_shows(metric: &AskedMetric, behind: &BTreeMap<String, bool>, series: &[Labels]) -> Option<String> {
    let shown: BTreeSet<&str> = series.iter().map(Labels::metric_name).collect();
    let (name, of) = (&metric.name, metric.of.text());
    let head = format!("no rule of prometheus-adapter answers for metric {name} of {of}");
    if let Some((series, _)) = behind.iter().find(|(name, is_taken)| !*is_taken && shown.contains(name.as_str())) {
        return Some(format!(
            "{head}: `name.matches` or `seriesFilters` of the rule for it leave out its series {series}"
        ));
    }
    let missing = behind.keys().find(|name| !shown.contains(name.as_str()))?;
    let known: Vec<String> = exporters::catalogue::all().flat_map(|(_, known)| known.series_names()).collect();
    let near = names::nearest(missing, shown.iter().copied())
        .or_else(|| names::nearest(missing, known.iter().map(String::as_str)));
    let near = near.map(|name| format!("; nearest: {name}")).unwrap_or_default();
    Some(format!("{head}: the rule for it makes it of {missing}, which nobody here shows{near}"))
}

/// Why nothing answers, and what might.
fn unanswered(metric: &AskedMetric, why: &Unanswered) -> String {
    let name = &metric.name;
    let of = metric.of.text();
    let because = why.reason.as_ref().map(reason).unwrap_or_default();
    let near = names::nearest(name, why.names.iter().map(String::as_str));
    let listed: Vec<&str> = why.names.iter().map(String::as_str).take(12).collect();
    let hint = match (near, &why.reason, listed.as_slice()) {
        (_, Some(_), _) => String::new(),
        (Some(near), None, _) => format!("; did you mean `{near}`?"),
        (None, None, []) => "; it lists none".to_owned(),
        (None, None, names) if why.names.len() > names.len() => format!("; it lists {}, ..", names.join(", ")),
        (None, None, names) => format!("; it lists {}", names.join(", ")),
    };
    format!("no rule of prometheus-adapter answers for metric {name} of {of}{because}{hint}")
}

fn reason(reason: &Reason) -> String {
    match reason {
        Reason::OtherName { series, api_name } => format!(": series {series} is listed as `{api_name}`; ask for that"),
        Reason::NoResourceLabel { series, resource, named } => {
            let named: Vec<&str> = named.iter().map(String::as_str).collect();
            let named = if named.is_empty() { "no object".to_owned() } else { named.join(", ") };
            format!(": series {series} has no label that names a {resource}; its labels name {named}")
        }
        Reason::NoNamespace { series } => {
            format!(": no label of series {series} names the namespace, so it is listed for the cluster as a whole")
        }
        Reason::NoNamespaceLabel { series } => format!(
            ": its external rule for series {series} says neither which label names the namespace nor `resources.namespaced: false`, so \
             that each request fails"
        ),
        Reason::OtherApi => {
            ": it is listed in the other API; `type: External` reads external rules, Pods and Object the others"
                .to_owned()
        }
        Reason::NoRule { series } => format!(": series {series} is there, and no rule selects it"),
    }
}

#[allow(clippy::unnecessary_box_returns, reason = "errors hold it boxed, to stay small")]
fn at(node: &Node, path: &str) -> Box<At> {
    let segments = parse_path(path).unwrap_or_default();
    Box::new(At { place: node.deepest(&segments).place.clone(), path: path.to_owned() })
}

/// The rules a document gives, each checked where it stands.
fn resolve(found: AdapterFound) -> Result<Rules, ScenarioError> {
    let AdapterFound { file, node, lists, .. } = found;
    let all = |rules: Vec<AdapterRuleFile>, (key, shown): (&str, &str)| {
        let numbered = rules.into_iter().enumerate();
        let checked = numbered.map(|(index, written)| {
            let wrong = |below: &str, reason: String| {
                let place = at(&node, &format!("{key}[{index}]{below}")).place;
                ScenarioError::Inconsistent {
                    at: Box::new(At { place, path: format!("{shown}[{index}]{below}") }),
                    reason,
                }
            };
            let rule = rule(written).map_err(|reason| wrong(".seriesFilters", reason))?;
            rule.check().map_err(|error| wrong("", error.to_string()))?;
            Ok(rule)
        });
        checked.collect::<Result<Vec<_>, ScenarioError>>()
    };
    Ok(Rules {
        custom: all(file.rules, ("rules", lists[0]))?,
        external: all(file.external_rules, ("externalRules", lists[1]))?,
    })
}

fn rule(file: AdapterRuleFile) -> Result<Rule, String> {
    let mut series_filters = Vec::new();
    for filter in file.series_filters {
        series_filters.push(match (filter.is, filter.is_not) {
            (Some(pattern), None) => SeriesFilter::Is(pattern),
            (None, Some(pattern)) => SeriesFilter::IsNot(pattern),
            _ => return Err("needs exactly one of `is` and `isNot`".to_owned()),
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
        metrics_query: file.metrics_query.unwrap_or_default(),
    })
}
