//! A rule, checked and ready to use.

use std::collections::BTreeMap;

use regex::Regex;

use super::AdapterError;
use super::config::{GroupResource, Rule, SeriesFilter};
use super::template::{Fields, Template};
use crate::labels::Labels;
use crate::query::{BOUND_MATCHER, Query};

/// Kubernetes resources that labels may name: singular, plural, group.
const RESOURCES: &[(&str, &str, &str)] = &[
    ("pod", "pods", ""),
    ("namespace", "namespaces", ""),
    ("node", "nodes", ""),
    ("service", "services", ""),
    ("persistentvolume", "persistentvolumes", ""),
    ("persistentvolumeclaim", "persistentvolumeclaims", ""),
    ("replicationcontroller", "replicationcontrollers", ""),
    ("deployment", "deployments", "apps"),
    ("statefulset", "statefulsets", "apps"),
    ("daemonset", "daemonsets", "apps"),
    ("replicaset", "replicasets", "apps"),
    ("job", "jobs", "batch"),
    ("cronjob", "cronjobs", "batch"),
    ("ingress", "ingresses", "networking.k8s.io"),
    ("horizontalpodautoscaler", "horizontalpodautoscalers", "autoscaling"),
];

/// The singular name by which this module knows a resource.
pub(super) fn singular(resource: &str) -> String {
    let known = RESOURCES.iter().find(|(one, many, _)| *one == resource || *many == resource);
    known.map_or_else(|| resource.trim_end_matches('s').to_owned(), |(one, _, _)| (*one).to_owned())
}

#[derive(Clone, Debug)]
pub(super) struct CheckedRule {
    pub series: Query,
    filters: Vec<(Regex, bool)>,
    /// Singular resource by label.
    overrides: BTreeMap<String, String>,
    template: Option<Template>,
    pub is_namespaced: bool,
    matches: Regex,
    api_name: String,
    pub query: Template,
    /// The query for a series, label and objects that do not exist. It shows mistakes before the first request.
    pub example: Query,
}

impl CheckedRule {
    pub fn check(rule: &Rule) -> Result<Self, AdapterError> {
        let mut filters = Vec::new();
        for filter in &rule.series_filters {
            filters.push(match filter {
                SeriesFilter::Is(pattern) => (regex(pattern)?, true),
                SeriesFilter::IsNot(pattern) => (regex(pattern)?, false),
            });
        }
        let matches = regex(if rule.name.matches.is_empty() { ".*" } else { &rule.name.matches })?;
        let api_name = match (rule.name.api_name.as_str(), matches.captures_len() - 1) {
            ("", 0) => "$0",
            ("", 1) => "$1",
            ("", _) => return Err(AdapterError::NameWithoutAs { matches: rule.name.matches.clone() }),
            (given, _) => given,
        };
        let overrides = &rule.resources.overrides;
        let query = Template::parse(&rule.metrics_query)?;
        let (series, group_by) = ("example", "example");
        let fields = Fields { series, label_matchers: BOUND_MATCHER, group_by, ..Fields::default() };
        let example = Query::compile(&query.expand(&fields))?;
        Ok(Self {
            series: Query::compile(&rule.series_query)?,
            filters,
            overrides: overrides.iter().map(|(label, to)| (label.clone(), singular(&to.resource))).collect(),
            template: rule.resources.template.as_deref().map(Template::parse).transpose()?,
            is_namespaced: rule.resources.namespaced.unwrap_or(true),
            api_name: api_name.to_owned(),
            matches,
            query,
            example,
        })
    }

    /// Whether the rule may look at a series, to list it or to compute a value.
    pub fn wants(&self, labels: &Labels) -> bool {
        self.series.wants_name(labels.metric_name()) || self.example.wants(labels)
    }

    /// Whether the rule may look at a series of this name.
    pub fn wants_name(&self, name: &str) -> bool {
        self.series.wants_name(name) || self.example.wants_name(name)
    }

    /// The name under which the API shows a series, or None if the rule leaves it out.
    pub fn api_name(&self, series: &str) -> Option<String> {
        if self.filters.iter().any(|(pattern, is_wanted)| pattern.is_match(series) != *is_wanted) {
            return None;
        }
        let mut name = String::new();
        self.matches.captures(series)?.expand(&self.api_name, &mut name);
        Some(name)
    }

    /// The resources named by labels of a series, singular.
    pub fn resources(&self, labels: &Labels) -> Vec<String> {
        labels.iter().filter_map(|(name, _)| self.resource_of(name)).collect()
    }

    fn resource_of(&self, label: &str) -> Option<String> {
        if let Some(resource) = self.overrides.get(label) {
            return Some(resource.clone());
        }
        let is_named = |resource: &str, group: &str| self.label_by_template(resource, group).as_deref() == Some(label);
        let found = RESOURCES.iter().find(|(one, many, group)| is_named(one, group) || is_named(many, group));
        found.map(|(one, _, _)| (*one).to_owned())
    }

    /// The label that names a resource (singular).
    pub fn label_of(&self, resource: &str) -> Option<String> {
        let overridden = self.overrides.iter().find(|(_, to)| *to == resource).map(|(label, _)| label.clone());
        overridden.or_else(|| {
            let group = RESOURCES.iter().find(|known| known.0 == resource).map_or("", |known| known.2);
            self.label_by_template(resource, group)
        })
    }

    fn label_by_template(&self, resource: &str, group: &str) -> Option<String> {
        let group = group.replace('.', "_");
        Some(self.template.as_ref()?.expand(&Fields { resource, group: &group, ..Fields::default() }))
    }
}

impl GroupResource {
    /// A resource of the core group.
    pub fn core(resource: &str) -> Self {
        Self { group: String::new(), resource: resource.to_owned() }
    }
}

fn regex(pattern: &str) -> Result<Regex, AdapterError> {
    Regex::new(pattern)
        .map_err(|error| AdapterError::Pattern { pattern: pattern.to_owned(), reason: error.to_string() })
}
