//! Scrape configurations of the user's own: which there are, for they are not read.

use crate::manifest::group_kind;
use crate::tree::Node;

use super::Context;

impl Context<'_> {
    /// Names scrape configurations that are no monitors: what they scrape, and which labels they give, is not known here.
    pub(super) fn note_scrape_configs(&mut self) {
        let mut notes = Vec::new();
        for document in self.documents {
            let Some(what) = scrape_config(&document.node) else { continue };
            notes.push(format!(
                "not read: {}: {}: {what}: labels and interval that it gives to series are not known; `metrics.targets` states them",
                document.node.place.source,
                document.title(),
            ));
        }
        for note in notes {
            self.note_once(note);
        }
    }
}

/// What of a document configures scraping other than by monitors.
fn scrape_config(node: &Node) -> Option<String> {
    let spec = |key: &str| node.at(&["spec", key]).is_some().then(|| format!("spec.{key}"));
    match group_kind(node) {
        ("monitoring.coreos.com", "ScrapeConfig") => Some("a ScrapeConfig".to_owned()),
        ("monitoring.coreos.com", "Prometheus" | "PrometheusAgent") => spec("additionalScrapeConfigs"),
        ("operator.victoriametrics.com", "VMAgent" | "VMSingle") => {
            spec("inlineScrapeConfig").or_else(|| spec("additionalScrapeConfigs"))
        }
        ("", "ConfigMap") => {
            let data = node.get("data").map(Node::entries).unwrap_or_default();
            let holds = |text: &str| text.lines().any(|line| line.starts_with("scrape_configs:"));
            let entry = data.iter().find(|entry| entry.value.text().is_some_and(holds))?;
            Some(format!("scrape_configs of {}", entry.key))
        }
        _ => None,
    }
}
