//! Scrape configurations of the user's own: which there are, for they are not read.

use crate::error::ScenarioError;
use crate::manifest::{ChartValues, Document, chart_values, group_kind};
use crate::tree::Node;

use super::Context;

impl Context<'_> {
    /// Scrape configurations that are no monitors, each with where it is: what they scrape, and which labels they give, is not known.
    pub(super) fn scrape_configs(&self) -> Result<Vec<String>, ScenarioError> {
        let mut found = Vec::new();
        for document in self.documents {
            if let Some(what) = scrape_config(document)? {
                found.push(format!("{}: {}: {what}", document.node.place.source, document.title()));
            }
        }
        Ok(found)
    }

    /// Names them.
    pub(super) fn note_scrape_configs(&mut self) -> Result<(), ScenarioError> {
        for found in self.scrape_configs()? {
            self.note_once(format!(
                "not read: {found}: labels and interval that it gives to series are not known; `metrics.targets` states them"
            ));
        }
        Ok(())
    }
}

/// What of a document configures scraping other than by monitors.
fn scrape_config(document: &Document) -> Result<Option<String>, ScenarioError> {
    let node = &document.node;
    let spec = |key: &str| node.at(&["spec", key]).is_some().then(|| format!("spec.{key}"));
    let own = match group_kind(node) {
        ("monitoring.coreos.com", "ScrapeConfig") => Some("a ScrapeConfig".to_owned()),
        ("monitoring.coreos.com", "Prometheus" | "PrometheusAgent") => spec("additionalScrapeConfigs"),
        ("operator.victoriametrics.com", "VMAgent" | "VMSingle") => {
            spec("inlineScrapeConfig").or_else(|| spec("additionalScrapeConfigs"))
        }
        ("", "ConfigMap") => {
            let data = node.get("data").map(Node::entries).unwrap_or_default();
            let holds = |text: &str| text.lines().any(|line| line.starts_with("scrape_configs:"));
            let entry = data.iter().find(|entry| entry.value.text().is_some_and(holds));
            entry.map(|entry| format!("scrape_configs of {}", entry.key))
        }
        _ => None,
    };
    let of_charts = || Ok(chart_values(node)?.iter().find_map(ChartValues::scrape_configs).map(str::to_owned));
    own.map_or_else(of_charts, |own| Ok(Some(own)))
}
