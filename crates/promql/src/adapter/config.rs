//! The configuration of prometheus-adapter, as written by its user.

use std::collections::BTreeMap;

use super::AdapterError;
use super::rule::CheckedRule;

/// A configuration: what becomes `custom.metrics` and what becomes `external.metrics`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// `rules`: metrics of pods and other objects.
    pub custom: Vec<Rule>,
    /// `externalRules`.
    pub external: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// `seriesQuery`: a selector that finds the series to expose.
    pub series_query: String,
    /// `seriesFilters`: further conditions on the metric name.
    pub series_filters: Vec<SeriesFilter>,
    /// `resources`: which label names which kind of object.
    pub resources: Resources,
    /// `name`: how the API calls the metric.
    pub name: NameRule,
    /// `metricsQuery`: a template of the query that gives the values. A rule without one is refused: the adapter would list its metrics
    /// and then fail each request with "empty query produced by metrics query template".
    pub metrics_query: String,
}

impl Rule {
    /// Checks the rule as the adapter does when it starts, and what would make each of its requests fail.
    pub fn check(&self) -> Result<(), AdapterError> {
        CheckedRule::check(self).map(drop)
    }
}

/// A condition on the metric name: a regular expression that may match anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeriesFilter {
    /// `is`.
    Is(String),
    /// `isNot`.
    IsNot(String),
}

/// How labels and Kubernetes resources belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// `template`: the label's name, from `.Group` and `.Resource`.
    pub template: Option<String>,
    /// `overrides`: resource by label; wins over the template.
    pub overrides: BTreeMap<String, GroupResource>,
    /// `namespaced`: whether external metrics are limited to a namespace; true if left out.
    pub namespaced: Option<bool>,
}

/// A Kubernetes resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupResource {
    /// API group, empty for the core group.
    pub group: String,
    /// Name, singular or plural.
    pub resource: String,
}

/// How a series becomes a metric of the API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameRule {
    /// `matches`: a regular expression on the series name; `.*` if empty. Series that do not match are left out.
    pub matches: String,
    /// `as`: the name, with the groups of `matches`; if empty `$0`, or `$1` if there is one group.
    pub api_name: String,
}

/// One requirement of a metric selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// How it is compared.
    pub operator: SelectorOperator,
    /// With what; empty for the existence operators.
    pub values: Vec<String>,
}

/// Operators of a metric selector. Kubernetes' `Gt` and `Lt` are refused by the adapter and do not exist here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectorOperator {
    /// `matchLabels`, or `=`.
    Equals,
    /// `!=`.
    NotEquals,
    /// `In`.
    In,
    /// `NotIn`.
    NotIn,
    /// `Exists`.
    Exists,
    /// `DoesNotExist`.
    DoesNotExist,
}
