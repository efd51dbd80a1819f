//! prometheus-adapter's configuration: a file without kind, or a ConfigMap that holds one.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::ScenarioError;
use crate::tree::{Node, Value, parse_documents};

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

impl AdapterFile {
    /// Reads the configuration out of a document; `None` for a ConfigMap that holds none. Second, what was ignored.
    pub fn read(document: &Document) -> Result<Option<(Self, Vec<String>)>, ScenarioError> {
        if document.kind_text() == "ConfigMap" && document.node.get("data").is_none() {
            return Ok(None);
        }
        let Some(data) = document.node.get("data") else { return read(document).map(Some) };
        let Some(entry) = data.entries().iter().find(|entry| is_configuration(&entry.value)) else { return Ok(None) };
        // Lines inside the block count from its first one, which is where the text starts below its key.
        let mut nodes = parse_documents(&entry.value.place.source, entry.value.text().unwrap_or_default())?;
        let Some(mut node) = nodes.pop() else { return Ok(None) };
        move_down(&mut node, entry.value.place.line);
        read(&Document { kind: Kind::AdapterConfig, name: document.name.clone(), node }).map(Some)
    }
}

fn is_configuration(node: &Node) -> bool {
    node.text()
        .is_some_and(|text| text.lines().any(|line| line.trim_end() == "rules:" || line.trim_end() == "externalRules:"))
}

fn move_down(node: &mut Node, lines: u32) {
    node.place.line += lines;
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| move_down(item, lines)),
        Value::Map(entries) => entries.iter_mut().for_each(|entry| {
            entry.place.line += lines;
            move_down(&mut entry.value, lines);
        }),
        Value::Null | Value::Scalar { .. } => {}
    }
}
