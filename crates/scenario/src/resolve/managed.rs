//! Metrics named as GKE names them: what they mean, and whether the scenario has them.

use std::collections::BTreeMap;

use exporters::{Kind, Registry};
use promql::gke::{GkeMetric, SeriesKind, check_selector};

use crate::error::{Allowed, ScenarioError};
use crate::manifest::group_kind;
use crate::tree::Node;

use super::Context;
use super::asked::{AskedMetric, AskedOf};

impl Context<'_> {
    /// What each name of GKE's means that an HPA asks for.
    pub(super) fn gke<'m>(
        &self,
        asked: impl Iterator<Item = &'m AskedMetric>,
    ) -> Result<BTreeMap<String, GkeMetric>, ScenarioError> {
        let mut all = BTreeMap::new();
        for metric in asked {
            let Some(parsed) = GkeMetric::parse(&metric.name) else { continue };
            let wrong = |reason: String| ScenarioError::Inconsistent { at: metric.at.clone(), reason };
            let mut meaning = parsed.map_err(|error| wrong(error.to_string()))?;
            let is_external = match &metric.of {
                AskedOf::Pods => false,
                AskedOf::External => true,
                AskedOf::Object { .. } => {
                    return Err(wrong(
                        "GKE's adapter answers for Pods and External metrics, not for Object".to_owned(),
                    ));
                }
            };
            if meaning == GkeMetric::DutyCycle && !is_external {
                return Err(wrong("GKE's own metrics are External ones; `type: Pods` finds nothing".to_owned()));
            }
            check_selector(&cluster::metric_selector(&metric.selector), is_external)
                .map_err(|error| wrong(error.to_string()))?;
            if let GkeMetric::Autoscaling { object, metric: name, series } = &mut meaning {
                *series = self.autoscaling_series(metric, object, name)?;
            }
            all.insert(metric.name.clone(), meaning);
        }
        Ok(all)
    }

    /// The gauge behind a metric of an AutoscalingMetric.
    fn autoscaling_series(&self, asked: &AskedMetric, object: &str, name: &str) -> Result<String, ScenarioError> {
        let nodes = self.documents.iter().map(|document| &document.node);
        let objects: Vec<&Node> =
            nodes.filter(|node| group_kind(node) == ("autoscaling.gke.io", "AutoscalingMetric")).collect();
        let text = |node: &Node, keys: &[&str]| node.at(keys).and_then(Node::text).map(str::to_owned);
        let named = objects.iter().find(|node| text(node, &["metadata", "name"]).as_deref() == Some(object));
        let unknown = |what: &'static str, found: &str, names: Vec<String>| ScenarioError::UnknownName {
            at: asked.at.clone(),
            what,
            allowed: Allowed::new(found, names),
        };
        let Some(node) = named else {
            let names = objects.iter().filter_map(|node| text(node, &["metadata", "name"])).collect();
            return Err(unknown("AutoscalingMetric", object, names));
        };
        let list = |node: &Node, key: &str| node.get(key).map(Node::items).unwrap_or_default().to_vec();
        let spec = node.at(&["spec", "metrics"]).map(Node::items).unwrap_or_default();
        let containers =
            spec.iter().flat_map(|of| of.get("pod").map(|pod| list(pod, "containers")).unwrap_or_default());
        let gauges: Vec<Node> = containers
            .flat_map(|container| list(&container, "metrics"))
            .filter_map(|metric| metric.get("gauge").cloned())
            .collect();
        let found = gauges.iter().find(|gauge| text(gauge, &["name"]).as_deref() == Some(name));
        let Some(gauge) = found else {
            let names = gauges.iter().filter_map(|gauge| text(gauge, &["name"])).collect();
            return Err(unknown("gauge of this AutoscalingMetric", name, names));
        };
        Ok(text(gauge, &["prometheusMetricName"]).filter(|name| !name.is_empty()).unwrap_or_else(|| name.to_owned()))
    }

    /// Holds the names against what is shown, by the service itself first: the series must be there and of the kind that the name says.
    pub(super) fn check_gke(
        &self,
        asked: &[AskedMetric],
        metrics: &BTreeMap<String, GkeMetric>,
        registries: &[&Registry],
    ) -> Result<(), ScenarioError> {
        for metric in asked {
            // Metrics of pods are those of the service's own.
            let registries = if metric.of == AskedOf::Pods { &registries[..1] } else { registries };
            let Some(meaning) = metrics.get(&metric.name) else { continue };
            let wrong = |reason: String| Err(ScenarioError::Inconsistent { at: metric.at.clone(), reason });
            let series = meaning.series();
            let kinds: Vec<Kind> =
                registries.iter().flat_map(|registry| registry.named(series)).map(|shown| shown.kind).collect();
            let Some(found) = kinds.first() else {
                let shown = registries.iter().flat_map(|registry| registry.names());
                let near = names::nearest(series, shown.chain(self.idle_records.iter().map(String::as_str)));
                let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                return wrong(format!("{}: nothing in this scenario shows a series {series}{hint}", metric.name));
            };
            let GkeMetric::Prometheus { kind, .. } = meaning else { continue };
            let right = right_kind(*found, series);
            if *kind != right && *kind != SeriesKind::Unknown && *kind != SeriesKind::UnknownCounter {
                return wrong(format!(
                    "{}: {series} is a {right}, not a {kind}: its name is prometheus.googleapis.com|{series}|{right}",
                    metric.name
                ));
            }
        }
        Ok(())
    }
}

/// How Managed Service for Prometheus stores a series.
#[allow(clippy::match_same_arms, reason = "one line per kind")]
fn right_kind(kind: Kind, series: &str) -> SeriesKind {
    let is_part = |ending: &str| series.ends_with(ending);
    match kind {
        Kind::Counter => SeriesKind::Counter,
        Kind::Gauge | Kind::Recorded => SeriesKind::Gauge,
        // The parts of a histogram are one distribution there.
        Kind::Histogram => SeriesKind::Histogram,
        Kind::Summary if is_part("_sum") || is_part("_count") => SeriesKind::Counter,
        Kind::Summary => SeriesKind::Gauge,
    }
}
