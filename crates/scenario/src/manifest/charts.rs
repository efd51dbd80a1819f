//! Values of the charts that install Prometheus and exporters: what in them stands for documents that the operator would read.
//!
//! Charts kube-prometheus-stack 88.5.3, prometheus 29.27.0, gpu-operator, dcgm-exporter and kube-state-metrics; values without kind, in a
//! HelmRelease or in an Application of Argo CD, of the chart itself or of one that has it as a part.

use crate::error::ScenarioError;
use crate::tree::{Entry, Node, Value};

use super::adapter::embedded;
use super::monitors::group_kind;

/// Parts under whose names an umbrella chart has the values of another.
const PARTS: [&str; 6] = [
    "kube-prometheus-stack",
    "prometheus",
    "gpu-operator",
    "dcgm-exporter",
    "kube-state-metrics",
    "prometheus-node-exporter",
];

/// Values of a chart.
#[derive(Clone, Debug)]
pub struct ChartValues {
    /// The chart, where the document says which.
    pub chart: Option<String>,
    /// Its values.
    pub node: Node,
}

/// Values of charts in a document, those of parts after those of the whole.
pub fn chart_values(node: &Node) -> Result<Vec<ChartValues>, ScenarioError> {
    let text = |keys: &[&str]| node.at(keys).and_then(Node::text).map(str::to_owned);
    let mut found = match group_kind(node) {
        ("", "") => vec![ChartValues { chart: None, node: node.clone() }],
        ("helm.toolkit.fluxcd.io", "HelmRelease") => {
            let chart = text(&["spec", "chart", "spec", "chart"]).or_else(|| text(&["spec", "chartRef", "name"]));
            let values = node.at(&["spec", "values"]).cloned();
            values.into_iter().map(|node| ChartValues { chart: chart.clone(), node }).collect()
        }
        ("argoproj.io", "Application" | "ApplicationSet") => of_application(node)?,
        // The GPU operator's own object has the keys of its chart.
        ("nvidia.com", "ClusterPolicy") => {
            let spec = node.get("spec").cloned();
            spec.into_iter().map(|node| ChartValues { chart: None, node }).collect()
        }
        _ => Vec::new(),
    };
    let mut next = 0;
    while let Some(values) = found.get(next).cloned() {
        for part in PARTS {
            // `prometheus` is a part of an umbrella and a key of kube-prometheus-stack.
            let is_part = |node: &&Node| part != "prometheus" || node.get("prometheusSpec").is_none();
            if let Some(node) = values.node.get(part).filter(|node| matches!(node.value, Value::Map(_))).filter(is_part)
            {
                found.push(ChartValues { chart: Some(part.to_owned()), node: node.clone() });
            }
        }
        next += 1;
    }
    Ok(found)
}

fn of_application(node: &Node) -> Result<Vec<ChartValues>, ScenarioError> {
    let Some(spec) = node.at(&["spec", "template", "spec"]).or_else(|| node.get("spec")) else { return Ok(Vec::new()) };
    let several = spec.get("sources").map(Node::items).unwrap_or_default();
    let mut found = Vec::new();
    for source in spec.get("source").into_iter().chain(several) {
        let chart = source.get("chart").and_then(Node::text).map(str::to_owned);
        let values = match (source.at(&["helm", "valuesObject"]), source.at(&["helm", "values"])) {
            (Some(object), _) => Some(object.clone()),
            (None, Some(text)) => embedded(text)?,
            (None, None) => None,
        };
        found.extend(values.map(|node| ChartValues { chart, node }));
    }
    Ok(found)
}

/// Whether a document without kind is values of one of these charts, as far as scraping goes.
pub fn is_monitoring_values(node: &Node) -> bool {
    let Ok(values) = chart_values(node) else { return false };
    values.iter().any(|values| !values.objects().is_empty() || values.scrape_configs().is_some())
}

impl ChartValues {
    /// The objects that the chart makes of these values: Prometheus, ServiceMonitors, PodMonitors.
    pub fn objects(&self) -> Vec<Node> {
        let mut made = Vec::new();
        let of_stack = ["prometheus", "prometheusSpec"];
        made.extend(self.node.at(&of_stack).map(|spec| object("Prometheus", None, spec.clone())));
        for (key, kind) in [("additionalServiceMonitors", "ServiceMonitor"), ("additionalPodMonitors", "PodMonitor")] {
            let lists = [self.node.get(key), self.node.at(&["prometheus", key])];
            let monitors = lists.into_iter().flatten().flat_map(Node::items);
            made.extend(monitors.map(|spec| object(kind, spec.get("name"), spec.clone())));
        }
        let is = |chart: &str| self.chart.as_deref() == Some(chart);
        if let Some(monitor) = self.node.at(&["dcgmExporter", "serviceMonitor"]) {
            made.extend(of_chart(monitor, monitor, ("app", "nvidia-dcgm-exporter", "gpu-metrics")));
        }
        if let Some(monitor) = self.node.get("serviceMonitor").filter(|_| is("dcgm-exporter")) {
            made.extend(of_chart(monitor, monitor, ("app.kubernetes.io/name", "dcgm-exporter", "metrics")));
        }
        let exporters = [("kube-state-metrics", "http"), ("prometheus-node-exporter", "http-metrics")];
        for (chart, port) in exporters.into_iter().filter(|(chart, _)| is(chart)) {
            if let Some(monitor) = self.node.at(&["prometheus", "monitor"]) {
                let endpoint = monitor.get("http").unwrap_or(monitor);
                made.extend(of_chart(monitor, endpoint, ("app.kubernetes.io/name", chart, port)));
            }
        }
        made
    }

    /// Scrape configurations in Prometheus' own form: their key.
    pub fn scrape_configs(&self) -> Option<&'static str> {
        let filled = |keys: &[&str]| {
            let node = self.node.at(keys);
            node.is_some_and(|node| {
                !node.items().is_empty()
                    || !node.entries().is_empty()
                    || node.text().is_some_and(|text| !text.is_empty())
            })
        };
        let places: [(&[&str], &str); 5] = [
            (
                &["prometheus", "prometheusSpec", "additionalScrapeConfigs"],
                "prometheus.prometheusSpec.additionalScrapeConfigs",
            ),
            (
                &["prometheus", "prometheusSpec", "additionalScrapeConfigsSecret"],
                "prometheus.prometheusSpec.additionalScrapeConfigsSecret",
            ),
            (&["extraScrapeConfigs"], "extraScrapeConfigs"),
            (&["scrapeConfigs"], "scrapeConfigs"),
            (&["serverFiles", "prometheus.yml", "scrape_configs"], "serverFiles[\"prometheus.yml\"].scrape_configs"),
        ];
        places.into_iter().find(|(keys, _)| filled(keys)).map(|(_, name)| name)
    }
}

/// The ServiceMonitor that an exporter's chart makes for itself, unless it is switched off.
fn of_chart(monitor: &Node, endpoint: &Node, (key, value, port): (&str, &str, &str)) -> Option<Node> {
    if monitor.get("enabled").and_then(Node::text) == Some("false") {
        return None;
    }
    let at = &monitor.place;
    let copied = ["interval", "honorLabels", "relabelings", "metricRelabelings"].into_iter().filter_map(|key| {
        let node = endpoint.get(key).or_else(|| monitor.get(key))?;
        let is_given = node.text() != Some("") && !matches!(node.value, Value::Null);
        is_given.then(|| entry(key, node.clone()))
    });
    let port = entry("port", scalar(port, monitor));
    let endpoint = map(copied.chain([port]).collect(), monitor);
    let labels = map(vec![entry(key, scalar(value, monitor))], monitor);
    let spec = vec![
        entry("selector", map(vec![entry("matchLabels", labels)], monitor)),
        entry("namespaceSelector", map(vec![entry("any", scalar("true", monitor))], monitor)),
        entry("endpoints", Node { value: Value::List(vec![endpoint]), place: at.clone() }),
    ];
    Some(object("ServiceMonitor", Some(&scalar(value, monitor)), map(spec, monitor)))
}

/// A document of prometheus-operator with this `spec`.
fn object(kind: &str, name: Option<&Node>, spec: Node) -> Node {
    let at = spec.clone();
    let named = name.map(|name| entry("name", name.clone()));
    let entries = vec![
        entry("apiVersion", scalar("monitoring.coreos.com/v1", &at)),
        entry("kind", scalar(kind, &at)),
        entry("metadata", map(named.into_iter().collect(), &at)),
        entry("spec", spec),
    ];
    map(entries, &at)
}

fn entry(key: &str, value: Node) -> Entry {
    Entry { key: key.to_owned(), place: value.place.clone(), value }
}

fn map(entries: Vec<Entry>, at: &Node) -> Node {
    Node { value: Value::Map(entries), place: at.place.clone() }
}

fn scalar(text: &str, at: &Node) -> Node {
    Node { value: Value::Scalar { text: text.to_owned(), plain: false }, place: at.place.clone() }
}
