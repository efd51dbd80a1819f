//! A rule, checked and ready to use.

use std::collections::BTreeMap;

use regex::Regex;

use super::AdapterError;
use super::config::{GroupResource, Rule, SeriesFilter};
use super::resource::{group_of, known, singular};
use super::template::{Fields, Template};
use crate::labels::Labels;
use crate::query::{BOUND_MATCHER, Query};

#[derive(Clone, Debug)]
pub(super) struct CheckedRule {
    pub series: Query,
    filters: Vec<(Regex, bool)>,
    /// Singular resource by label.
    overrides: BTreeMap<String, String>,
    template: Option<Template>,
    /// Singular resource by the label that the template makes of it.
    by_template: BTreeMap<String, &'static str>,
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
        if rule.metrics_query.trim().is_empty() {
            return Err(AdapterError::EmptyQuery { series_query: rule.series_query.clone() });
        }
        let query = Template::parse(&rule.metrics_query)?;
        let (series, group_by) = ("example", "example");
        let fields = Fields { series, label_matchers: BOUND_MATCHER, group_by, ..Fields::default() };
        let example = Query::compile(&query.expand(&fields))?;
        let template = rule.resources.template.as_deref().map(Template::parse).transpose()?;
        Ok(Self {
            series: Query::compile(&rule.series_query)?,
            filters,
            overrides: overrides.iter().map(|(label, to)| (label.clone(), singular(&to.resource))).collect(),
            by_template: template.as_ref().map(labels_of_resources).unwrap_or_default(),
            template,
            is_namespaced: rule.resources.namespaced.unwrap_or(true),
            api_name: api_name.to_owned(),
            matches,
            query,
            example,
        })
    }

    /// Whether the rule may look at a series: to list it under a name that `is_asked`, or to compute a value.
    pub fn wants(&self, labels: &Labels, is_asked: impl Fn(&str) -> bool) -> bool {
        let is_listed = || self.api_name(labels.metric_name()).is_some_and(|name| is_asked(&name));
        self.series.wants_name(labels.metric_name()) && is_listed() || self.example.wants(labels)
    }

    /// Whether the rule would list a series with these labels, if it has a sample.
    pub fn selects(&self, labels: &Labels) -> bool {
        self.series.wants(labels)
    }

    /// The query for a series and the label it is grouped by, under these conditions.
    pub fn shown_query(&self, series: &str, group_by: &str, label_matchers: &str) -> String {
        let text = self.query.expand(&Fields { series, label_matchers, group_by, ..Fields::default() });
        if label_matchers.is_empty() { without_leading_commas(&text) } else { text }
    }

    /// Whether the rule may look at a series of this name.
    pub fn wants_name(&self, name: &str, is_asked: impl Fn(&str) -> bool) -> bool {
        let is_listed = || self.api_name(name).is_some_and(|name| is_asked(&name));
        self.series.wants_name(name) && is_listed() || self.example.wants_name(name)
    }

    /// Whether it gives this name to whatever it takes.
    pub fn is_called(&self, metric: &str) -> bool {
        self.api_name == metric
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

    /// The resource that a label names, singular.
    pub fn resource_of(&self, label: &str) -> Option<String> {
        if let Some(resource) = self.overrides.get(label) {
            return Some(resource.clone());
        }
        self.by_template.get(label).map(|resource| (*resource).to_owned())
    }

    /// The label that names a resource (singular).
    pub fn label_of(&self, resource: &str) -> Option<String> {
        let overridden = self.overrides.iter().find(|(_, to)| *to == resource).map(|(label, _)| label.clone());
        overridden.or_else(|| Some(label_by(self.template.as_ref()?, resource, group_of(resource))))
    }
}

/// The label that a template makes of a resource.
fn label_by(template: &Template, resource: &str, group: &str) -> String {
    let group = group.replace(['.', '-'], "_");
    template.expand(&Fields { resource, group: &group, ..Fields::default() })
}

/// The known resources by the labels that a template makes of their names, singular or plural; the first of two with one label counts.
fn labels_of_resources(template: &Template) -> BTreeMap<String, &'static str> {
    let mut labels = BTreeMap::new();
    for (one, many, group) in known() {
        for name in [one, many] {
            labels.entry(label_by(template, name, group)).or_insert(one);
        }
    }
    labels
}

impl GroupResource {
    /// A resource of the core group.
    pub fn core(resource: &str) -> Self {
        Self { group: String::new(), resource: resource.to_owned() }
    }
}

/// A query without the commas that conditions left out of the front of a list leave behind: `{,container="x"}`.
fn without_leading_commas(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let (mut quote, mut is_escaped) = (None, false);
    for letter in text.chars() {
        match (quote, letter) {
            (Some(_), _) if is_escaped => is_escaped = false,
            (Some(_), '\\') => is_escaped = true,
            (Some(mark), letter) if letter == mark => quote = None,
            (None, '"' | '\'' | '`') => quote = Some(letter),
            (None, ',') if kept.trim_end().ends_with(['{', ',']) => continue,
            _ => {}
        }
        kept.push(letter);
    }
    kept
}

fn regex(pattern: &str) -> Result<Regex, AdapterError> {
    Regex::new(pattern).map_err(|error| AdapterError::Pattern {
        pattern: pattern.to_owned(),
        reason: crate::matcher::in_one_line(&error),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn conditions_that_are_left_out_leave_no_comma_in_front() {
        let cleaned = super::without_leading_commas;
        assert_eq!(
            cleaned(r#"sum(x{,container="a,b", pod!="{,"}) by (pod, node)"#),
            r#"sum(x{container="a,b", pod!="{,"}) by (pod, node)"#
        );
        assert_eq!(cleaned("x{ , ,a=\"1\",}"), "x{  a=\"1\",}");
    }
}
