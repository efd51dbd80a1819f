//! prometheus-adapter's configuration: a file without kind, a ConfigMap that holds one, or values of the chart that makes one.

use std::collections::BTreeMap;

use serde::Deserialize;
use units::SimDuration;

use crate::error::{Allowed, At, ScenarioError};
use crate::tree::{Entry, Node, Value, parse_block};

use super::monitors::{duration, group_kind};
use super::{Document, Kind, read};

/// The configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct AdapterFile {
    /// Rules of the custom metrics API.
    pub rules: Vec<AdapterRuleFile>,
    /// Rules of the external metrics API.
    pub external_rules: Vec<AdapterRuleFile>,
}

/// One rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AdapterRuleFile {
    /// Selects the series the rule is about.
    pub series_query: String,
    /// Filters on their names.
    #[serde(default)]
    pub series_filters: Vec<SeriesFilterFile>,
    /// Which labels name Kubernetes objects.
    #[serde(default)]
    pub resources: AdapterResourcesFile,
    /// How the metric is called.
    #[serde(default)]
    pub name: AdapterNameFile,
    /// The query template.
    #[serde(default)]
    pub metrics_query: Option<String>,
}

/// One of `is` and `isNot`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct SeriesFilterFile {
    /// Names must match.
    pub is: Option<String>,
    /// Names must not match.
    pub is_not: Option<String>,
}

/// `resources`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct AdapterResourcesFile {
    /// Label template.
    pub template: Option<String>,
    /// Resource by label.
    pub overrides: BTreeMap<String, AdapterResourceFile>,
    /// False for external metrics of the whole cluster.
    pub namespaced: Option<bool>,
}

/// One override.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct AdapterResourceFile {
    /// API group.
    pub group: String,
    /// Resource.
    pub resource: String,
}

/// `name`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct AdapterNameFile {
    /// Regex on the series name.
    pub matches: String,
    /// Replacement.
    #[serde(rename = "as")]
    pub alias: String,
}

/// A configuration as found in some document.
#[derive(Clone, Debug)]
pub struct AdapterFound {
    /// What it says.
    pub file: AdapterFile,
    /// Whether the chart's default rules come before it.
    pub has_defaults: bool,
    /// Where its lists begin: the node that `rules` of the configuration, or `rules.custom` of the values, is read from.
    pub node: Node,
    /// How its lists are called, for messages.
    pub lists: [&'static str; 2],
    /// `rules.existing`: the ConfigMap that takes the place of the chart's own.
    pub existing: Option<String>,
    /// `metricsRelistInterval`.
    pub relist: Option<SimDuration>,
    /// Fields without effect.
    pub ignored: Vec<String>,
}

/// Keys of the chart's `rules`.
const VALUE_KEYS: [&str; 5] = ["default", "custom", "external", "resource", "existing"];
/// Name of the chart, and of its values within an umbrella chart's.
const CHART: &str = "prometheus-adapter";
/// What the chart passes as `--metrics-relist-interval` unless told otherwise.
const CHART_RELIST: SimDuration = SimDuration::from_secs(60);

impl AdapterFound {
    /// Reads the configuration out of a document: bare, in a ConfigMap, or as values of the chart, which may stand below the chart's name
    /// or in a HelmRelease or Argo Application. None for a document that holds none.
    pub fn read(document: &Document) -> Result<Option<Self>, ScenarioError> {
        let node = &document.node;
        match group_kind(node) {
            ("", "ConfigMap") => in_config_map(document),
            ("helm.toolkit.fluxcd.io", "HelmRelease") => {
                let chart =
                    node.at(&["spec", "chart", "spec", "chart"]).or_else(|| node.at(&["spec", "chartRef", "name"]));
                let is_ours = chart.and_then(Node::text) == Some(CHART);
                of_release(document, node.at(&["spec", "values"]).cloned(), is_ours)
            }
            ("argoproj.io", "Application" | "ApplicationSet") => in_application(document),
            ("", "") => match of_values(document, node)? {
                Some(found) => Ok(Some(found)),
                None if is_bare(node) => configuration(document, node.clone()).map(Some),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }
}

/// Values of a release: of the chart itself, or of one that has it as a part.
fn of_release(document: &Document, values: Option<Node>, is_ours: bool) -> Result<Option<AdapterFound>, ScenarioError> {
    let empty = || Node { value: Value::Map(Vec::new()), place: document.node.place.clone() };
    match values {
        Some(values) if is_ours || values.get(CHART).is_some() => {
            let part = values.get(CHART).filter(|_| !is_ours).unwrap_or(&values).clone();
            chart_values(document, &part).map(Some)
        }
        None if is_ours => chart_values(document, &empty()).map(Some),
        _ => Ok(None),
    }
}

fn in_application(document: &Document) -> Result<Option<AdapterFound>, ScenarioError> {
    let spec = document.node.at(&["spec", "template", "spec"]).or_else(|| document.node.get("spec"));
    let Some(spec) = spec else { return Ok(None) };
    let several = spec.get("sources").map(Node::items).unwrap_or_default();
    for source in spec.get("source").into_iter().chain(several) {
        let is_ours = source.get("chart").and_then(Node::text) == Some(CHART);
        let values = match (source.at(&["helm", "valuesObject"]), source.at(&["helm", "values"])) {
            (Some(object), _) => Some(object.clone()),
            (None, Some(text)) => embedded(text)?,
            (None, None) => None,
        };
        if let Some(found) = of_release(document, values, is_ours)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Values without kind; None for a bare configuration.
fn of_values(document: &Document, node: &Node) -> Result<Option<AdapterFound>, ScenarioError> {
    let is_map = |rules: &Node| matches!(rules.value, Value::Map(_));
    match (node.get(CHART), node.get("rules")) {
        (Some(part), _) => chart_values(document, part).map(Some),
        (None, Some(rules)) if is_map(rules) => chart_values(document, node).map(Some),
        _ => Ok(None),
    }
}

fn in_config_map(document: &Document) -> Result<Option<AdapterFound>, ScenarioError> {
    let data = document.node.get("data").map(Node::entries).unwrap_or_default();
    let Some(entry) = data.iter().find(|entry| is_configuration(&entry.value)) else { return Ok(None) };
    let Some(node) = embedded(&entry.value)? else { return Ok(None) };
    configuration(document, node).map(Some)
}

/// The configuration itself.
fn configuration(document: &Document, node: Node) -> Result<AdapterFound, ScenarioError> {
    let (file, ignored) = read_as_configuration(document, node.clone())?;
    Ok(AdapterFound {
        file,
        has_defaults: false,
        node,
        lists: ["rules", "externalRules"],
        existing: None,
        relist: None,
        ignored,
    })
}

/// Values of the chart: its configuration has the default rules first, then `custom`.
fn chart_values(document: &Document, values: &Node) -> Result<AdapterFound, ScenarioError> {
    let empty = Node { value: Value::Map(Vec::new()), place: values.place.clone() };
    let rules = values.get("rules").unwrap_or(&empty);
    if let Some(unknown) = rules.entries().iter().find(|entry| !VALUE_KEYS.contains(&entry.key.as_str())) {
        let at = Box::new(At { place: unknown.place.clone(), path: format!("rules.{}", unknown.key) });
        return Err(ScenarioError::UnknownKey { at, allowed: Allowed::new(unknown.key.as_str(), VALUE_KEYS) });
    }
    let list = |from: &str, to: &str| {
        let entry =
            rules.entries().iter().find(|entry| entry.key == from && !matches!(entry.value.value, Value::Null))?;
        Some(Entry { key: to.to_owned(), ..entry.clone() })
    };
    let lists = [("custom", "rules"), ("external", "externalRules"), ("resource", "resourceRules")];
    let entries = lists.into_iter().filter_map(|(from, to)| list(from, to)).collect();
    let written = Node { value: Value::Map(entries), place: rules.place.clone() };
    let (file, ignored) = read_as_configuration(document, written.clone())?;
    let existing = rules.get("existing").and_then(Node::text).filter(|name| !name.is_empty() && *name != "false");
    let relist = values.get("metricsRelistInterval").map(|node| duration(node, "metricsRelistInterval")).transpose()?;
    let is_on = rules.get("default").and_then(Node::text).is_none_or(|text| text != "false");
    Ok(AdapterFound {
        file: if existing.is_some() { AdapterFile::default() } else { file },
        has_defaults: is_on && existing.is_none(),
        node: written,
        lists: ["rules.custom", "rules.external"],
        existing: existing.map(str::to_owned),
        relist: Some(relist.unwrap_or(CHART_RELIST)),
        ignored,
    })
}

fn read_as_configuration(document: &Document, node: Node) -> Result<(AdapterFile, Vec<String>), ScenarioError> {
    read(&Document { kind: Kind::AdapterConfig, name: document.name.clone(), node })
}

/// Whether a document without kind is the configuration itself.
fn is_bare(node: &Node) -> bool {
    ["rules", "externalRules", "resourceRules"].iter().any(|key| node.get(key).is_some())
}

fn is_configuration(node: &Node) -> bool {
    let is_list = |line: &str| {
        ["rules:", "externalRules:", "resourceRules:"]
            .iter()
            .any(|key| line.trim_end() == *key || line.starts_with(&format!("{key} [")))
    };
    node.text().is_some_and(|text| text.lines().any(is_list) && !text.lines().any(|line| line.trim_end() == "groups:"))
}

/// A document within a block of text; its lines count from that of the block's first one, below its key.
pub(super) fn embedded(text: &Node) -> Result<Option<Node>, ScenarioError> {
    Ok(parse_block(text)?.pop())
}
