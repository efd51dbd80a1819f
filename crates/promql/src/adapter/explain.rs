//! Which rule answers for a metric, or why none does: told at load, from the series there can be.

use std::collections::{BTreeMap, BTreeSet};

use super::matchers::{self, Condition};
use super::resource::{is_cluster_wide, singular};
use super::rule::CheckedRule;
use super::template::Fields;
use super::{Adapter, AdapterError, CustomKey, Listed, Requirement};
use crate::Outline;
use crate::labels::Labels;

/// A metric as an autoscaler asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// `custom.metrics.k8s.io`, of objects of a kind: type Pods (resource `pod`) or Object.
    Custom {
        /// Name in the API.
        metric: &'a str,
        /// The kind of object, singular or plural.
        resource: &'a str,
    },
    /// `external.metrics.k8s.io`.
    External {
        /// Name in the API.
        metric: &'a str,
    },
}

/// A rule by its place in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleIndex {
    /// Of `rules`.
    Custom(usize),
    /// Of `externalRules`.
    External(usize),
}

/// How a metric will be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The rule in charge: of several for one name, the last.
    pub rule: RuleIndex,
    /// The series it is made of.
    pub series: String,
    /// The label that names the object; empty for external metrics.
    pub label: String,
    /// The query, objects and namespace left out: for messages and for those who judge its windows.
    pub query: String,
}

/// Why no rule lists a metric, and what is listed instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// Names in the API that this kind of object does have.
    pub names: BTreeSet<String>,
    /// The reason, where the series exists.
    pub reason: Option<Reason>,
}

/// Why a series that exists is not found under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A rule shows it under another name, most often without `_total`.
    OtherName {
        /// The series.
        series: String,
        /// The name it has in the API.
        api_name: String,
    },
    /// No label of the series names an object of this kind.
    NoResourceLabel {
        /// The series.
        series: String,
        /// Singular name of the kind.
        resource: String,
        /// The kinds its labels do name.
        named: BTreeSet<String>,
    },
    /// The series has the label of an object but none of a namespace, so that the adapter takes it for cluster-wide.
    NoNamespace {
        /// The series.
        series: String,
    },
    /// The rule of an external metric says by no label which namespace a series belongs to, and does not say
    /// `resources.namespaced: false`: each request fails.
    NoNamespaceLabel {
        /// The series.
        series: String,
    },
    /// The other API has it.
    OtherApi,
    /// No rule selects the series.
    NoRule {
        /// The series.
        series: String,
    },
}

impl Adapter {
    /// Which rule answers, if the scenario can produce `series` (label sets with the metric's name).
    pub fn explain<'a>(
        &self,
        asked: Asked<'_>,
        series: impl IntoIterator<Item = &'a Labels>,
    ) -> Result<Answer, Unanswered> {
        let series: Vec<&Labels> = series.into_iter().collect();
        let (custom, external) = self.list(&series);
        match asked {
            Asked::Custom { metric, resource } => {
                let resource = singular(resource);
                let is_namespaced = !is_cluster_wide(&resource);
                let key = CustomKey { metric: metric.to_owned(), resource: resource.clone(), is_namespaced };
                if let Some(listed) = custom.get(&key) {
                    return Ok(answer(&self.custom, RuleIndex::Custom(listed.rule), listed, &resource));
                }
                let of_kind =
                    custom.keys().filter(|key| key.resource == resource && key.is_namespaced == is_namespaced);
                let names = of_kind.map(|key| key.metric.clone()).collect();
                let other_api = external.contains_key(metric);
                Err(Unanswered { names, reason: self.why_not(metric, &resource, &series, other_api) })
            }
            Asked::External { metric } => {
                if let Some(listed) = external.get(metric) {
                    let rule = &self.external[listed.rule];
                    if rule.is_namespaced && rule.label_of("namespace").is_none() {
                        let reason = Some(Reason::NoNamespaceLabel { series: listed.series.clone() });
                        return Err(Unanswered { names: BTreeSet::new(), reason });
                    }
                    return Ok(answer(&self.external, RuleIndex::External(listed.rule), listed, ""));
                }
                let other_api = custom.keys().any(|key| key.metric == metric);
                let reason =
                    if other_api { Some(Reason::OtherApi) } else { named_otherwise(&self.external, metric, &series) };
                Err(Unanswered { names: external.into_keys().collect(), reason })
            }
        }
    }

    /// The query of an answer with the conditions of a metric selector, objects and namespace left out.
    pub fn query_where(&self, answer: &Answer, selector: &[Requirement]) -> String {
        let rule = match answer.rule {
            RuleIndex::Custom(index) => &self.custom[index],
            RuleIndex::External(index) => &self.external[index],
        };
        rule.shown_query(&answer.series, &answer.label, &matchers::text(&matchers::of_selector(selector)))
    }

    /// The query of an answer as the adapter sends it: of objects in a namespace, by their names (`objects`; none for an external metric),
    /// under a metric selector.
    pub fn query_for(
        &self,
        answer: &Answer,
        (namespace, objects): (&str, &[String]),
        selector: &[Requirement],
    ) -> Result<String, AdapterError> {
        let (rule, resource) = match answer.rule {
            RuleIndex::Custom(index) => (&self.custom[index], self.custom[index].resource_of(&answer.label)),
            RuleIndex::External(index) => (&self.external[index], None),
        };
        let mut conditions = matchers::of_selector(selector);
        let is_namespaced = resource.as_ref().map_or(rule.is_namespaced, |resource| !is_cluster_wide(resource));
        if is_namespaced {
            let missing = || AdapterError::NoLabel { metric: answer.series.clone(), resource: "namespace".to_owned() };
            conditions.push(Condition::equal(&rule.label_of("namespace").ok_or_else(missing)?, namespace));
        }
        if resource.is_some() {
            conditions.push(Condition::names(&answer.label, objects));
        }
        let values = conditions.iter().map(|condition| (condition.label(), condition.values())).collect();
        let label_matchers = matchers::text(&conditions);
        let fields = Fields {
            series: &answer.series,
            label_matchers: &label_matchers,
            group_by: &answer.label,
            values,
            ..Fields::default()
        };
        Ok(rule.query.expand(&fields))
    }

    /// What the adapter asks at a relist: the `seriesQuery` of each rule, each once.
    pub fn series_queries(&self) -> BTreeSet<&str> {
        self.custom.iter().chain(&self.external).map(|rule| rule.series.text()).collect()
    }

    /// Series that rules are meant to make this metric of: rules that name their series, no patterns. With each whether the rule takes
    /// it: its `seriesFilters` and `name.matches`.
    pub fn series_behind(&self, metric: &str) -> BTreeMap<String, bool> {
        let named = self.custom.iter().chain(&self.external).filter_map(|rule| {
            let series = Outline::of(rule.series.text()).ok()?.selectors.into_iter().next()?.name?;
            let api_name = rule.api_name(&series);
            let is_meant = rule.is_called(metric) || api_name.as_deref() == Some(metric);
            is_meant.then_some((series, api_name.is_some()))
        });
        named.collect()
    }

    /// Rules that select none of these series.
    pub fn idle_rules<'a>(&self, series: impl IntoIterator<Item = &'a Labels>) -> Vec<RuleIndex> {
        let series: Vec<&Labels> = series.into_iter().collect();
        let is_idle = |rule: &CheckedRule| {
            !series.iter().any(|labels| rule.selects(labels) && rule.api_name(labels.metric_name()).is_some())
        };
        let custom = self.custom.iter().enumerate().filter(|(_, rule)| is_idle(rule));
        let external = self.external.iter().enumerate().filter(|(_, rule)| is_idle(rule));
        let custom = custom.map(|(index, _)| RuleIndex::Custom(index));
        custom.chain(external.map(|(index, _)| RuleIndex::External(index))).collect()
    }

    fn list(&self, series: &[&Labels]) -> (BTreeMap<CustomKey, Listed>, BTreeMap<String, Listed>) {
        let (mut custom, mut external) = (BTreeMap::new(), BTreeMap::new());
        for (index, rule) in self.custom.iter().enumerate() {
            for labels in series.iter().filter(|labels| rule.selects(labels)) {
                let Some(metric) = rule.api_name(labels.metric_name()) else { continue };
                for key in keys(rule, labels, &metric) {
                    custom.insert(key, Listed { rule: index, series: labels.metric_name().to_owned() });
                }
            }
        }
        for (index, rule) in self.external.iter().enumerate() {
            for labels in series.iter().filter(|labels| rule.selects(labels)) {
                if let Some(metric) = rule.api_name(labels.metric_name()) {
                    external.insert(metric, Listed { rule: index, series: labels.metric_name().to_owned() });
                }
            }
        }
        (custom, external)
    }

    fn why_not(&self, metric: &str, resource: &str, series: &[&Labels], other_api: bool) -> Option<Reason> {
        if let Some(reason) = named_otherwise(&self.custom, metric, series) {
            return Some(reason);
        }
        let under_name = |rule: &CheckedRule, labels: &Labels| {
            rule.selects(labels) && rule.api_name(labels.metric_name()).as_deref() == Some(metric)
        };
        let pairs = || self.custom.iter().flat_map(|rule| series.iter().map(move |labels| (rule, *labels)));
        let named: Vec<(&CheckedRule, &Labels)> = pairs().filter(|(rule, labels)| under_name(rule, labels)).collect();
        if let Some((_, labels)) = named.last() {
            let resources: BTreeSet<String> = named.iter().flat_map(|(rule, labels)| rule.resources(labels)).collect();
            let series = labels.metric_name().to_owned();
            return Some(if resources.contains(resource) {
                Reason::NoNamespace { series }
            } else {
                Reason::NoResourceLabel { series, resource: resource.to_owned(), named: resources }
            });
        }
        if other_api {
            return Some(Reason::OtherApi);
        }
        let exists = series.iter().find(|labels| labels.metric_name() == metric);
        exists.map(|labels| Reason::NoRule { series: labels.metric_name().to_owned() })
    }
}

/// A series of exactly this name that rules show under another one only.
fn named_otherwise(rules: &[CheckedRule], metric: &str, series: &[&Labels]) -> Option<Reason> {
    let of_name = || series.iter().filter(|labels| labels.metric_name() == metric);
    let shown = rules.iter().flat_map(|rule| of_name().filter(|labels| rule.selects(labels)).map(move |_| rule));
    let names: Vec<String> = shown.filter_map(|rule| rule.api_name(metric)).collect();
    let is_only_other = !names.is_empty() && !names.iter().any(|name| name == metric);
    let api_name = is_only_other.then(|| names.last().cloned()).flatten()?;
    Some(Reason::OtherName { series: metric.to_owned(), api_name })
}

/// The entries a series makes in the list.
pub(super) fn keys(rule: &CheckedRule, labels: &Labels, metric: &str) -> Vec<CustomKey> {
    let resources = rule.resources(labels);
    let has_namespace = resources.iter().any(|resource| resource == "namespace");
    let key = |resource: String| {
        let is_namespaced = has_namespace && !is_cluster_wide(&resource);
        CustomKey { metric: metric.to_owned(), resource, is_namespaced }
    };
    resources.into_iter().map(key).collect()
}

fn answer(rules: &[CheckedRule], rule: RuleIndex, listed: &Listed, resource: &str) -> Answer {
    let label = rules[listed.rule].label_of(resource).unwrap_or_default();
    let query = rules[listed.rule].shown_query(&listed.series, &label, "");
    Answer { rule, series: listed.series.clone(), label, query }
}
