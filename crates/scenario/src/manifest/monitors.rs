//! Documents that tell some Prometheus what to scrape: prometheus-operator's monitors, AKS' copies of them, Google's PodMonitoring,
//! VictoriaMetrics' scrapes.
//!
//! Read here; what they select and which labels come of it is `resolve::targets`' business.

use promql::relabel::{Action, RelabelConfig, RelabelRule};
use units::SimDuration;

use crate::error::{Allowed, ScenarioError};
use crate::quantity::Time;
use crate::tree::Node;

use super::label_selector::LabelSelector;
use super::pod_facts::PortReference;

/// What kind of monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Pods behind Services (prometheus-operator, AKS).
    Service,
    /// Pods (prometheus-operator, AKS).
    Pod,
    /// Pods, Google's way.
    Google,
    /// Pods of all namespaces, Google's way.
    GoogleCluster,
    /// Pods behind Services (VictoriaMetrics).
    VictoriaService,
    /// Pods (VictoriaMetrics).
    VictoriaPod,
}

/// In which namespaces a monitor looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Namespaces {
    /// In its own.
    Own,
    /// In all.
    Any,
    /// In these.
    Named(Vec<String>),
}

/// A monitor.
#[derive(Clone, Debug)]
pub struct Monitor {
    /// What kind.
    pub family: Family,
    /// `ServiceMonitor/NAME`.
    pub title: String,
    /// Name.
    pub name: String,
    /// Its own namespace, if it says so.
    pub namespace: Option<String>,
    /// Its own labels: `release` is what kube-prometheus-stack looks for.
    pub release: Option<String>,
    /// Services or pods it selects.
    pub selector: LabelSelector,
    /// Where.
    pub namespaces: Namespaces,
    /// `jobLabel`.
    pub job_label: Option<String>,
    /// `targetLabels`: labels of the Service.
    pub target_labels: Vec<String>,
    /// `podTargetLabels`, or Google's `targetLabels.fromPod`: label of the pod, label of the target.
    pub pod_labels: Vec<(String, String)>,
    /// Google's `targetLabels.metadata`.
    pub metadata: Option<Vec<String>>,
    /// `serviceDiscoveryRole: EndpointSlice`; None if it does not say.
    pub endpoint_slices: Option<bool>,
    /// What to scrape.
    pub endpoints: Vec<MonitorEndpoint>,
    /// The document.
    pub node: Node,
}

/// One endpoint of a monitor.
#[derive(Clone, Debug)]
pub struct MonitorEndpoint {
    /// `port`: a name, for Google also a number.
    pub port: Option<PortReference>,
    /// `targetPort`, or `portNumber` of a PodMonitor: of the pod.
    pub target_port: Option<PortReference>,
    /// Whether the target port came as `portNumber`, which gives no `endpoint` label.
    pub is_port_number: bool,
    /// `path`.
    pub path: String,
    /// `interval`.
    pub interval: Option<SimDuration>,
    /// `honorLabels`.
    pub honor_labels: bool,
    /// `relabelings`, with their places.
    pub relabelings: Vec<RelabelRule>,
    /// `metricRelabelings`.
    pub metric_relabelings: Vec<RelabelRule>,
    /// Where it stands.
    pub node: Node,
}

/// The kinds that are read, by group and kind.
const KINDS: [(&str, &str, Family); 8] = [
    ("monitoring.coreos.com", "ServiceMonitor", Family::Service),
    ("monitoring.coreos.com", "PodMonitor", Family::Pod),
    ("azmonitoring.coreos.com", "ServiceMonitor", Family::Service),
    ("azmonitoring.coreos.com", "PodMonitor", Family::Pod),
    ("monitoring.googleapis.com", "PodMonitoring", Family::Google),
    ("monitoring.googleapis.com", "ClusterPodMonitoring", Family::GoogleCluster),
    ("operator.victoriametrics.com", "VMServiceScrape", Family::VictoriaService),
    ("operator.victoriametrics.com", "VMPodScrape", Family::VictoriaPod),
];

/// API group and kind of a document.
pub fn group_kind(node: &Node) -> (&str, &str) {
    let version = node.get("apiVersion").and_then(Node::text).unwrap_or_default();
    let group = version.rsplit_once('/').map_or("", |(group, _)| group);
    (group, node.get("kind").and_then(Node::text).unwrap_or_default())
}

impl Monitor {
    /// What kind of monitor a document is; None for everything else.
    pub fn family(node: &Node) -> Option<Family> {
        let found = group_kind(node);
        KINDS.iter().find(|(group, kind, _)| (*group, *kind) == found).map(|(_, _, family)| *family)
    }

    /// Reads a document of one of the families.
    pub fn read(node: &Node, family: Family) -> Result<Self, ScenarioError> {
        let text = |keys: &[&str]| node.at(keys).and_then(Node::text).map(str::to_owned);
        let name = text(&["metadata", "name"]).unwrap_or_default();
        let list_key =
            if matches!(family, Family::Pod | Family::VictoriaPod) { "podMetricsEndpoints" } else { "endpoints" };
        let mut endpoints = Vec::new();
        for (index, item) in node.at(&["spec", list_key]).map(Node::items).unwrap_or_default().iter().enumerate() {
            endpoints.push(endpoint(item, family, &format!("spec.{list_key}[{index}]"))?);
        }
        Ok(Self {
            family,
            title: format!("{}/{name}", group_kind(node).1),
            name,
            namespace: text(&["metadata", "namespace"]),
            release: text(&["metadata", "labels", "release"]),
            selector: node.at(&["spec", "selector"]).map(LabelSelector::read).unwrap_or_default(),
            namespaces: namespaces(node, family),
            job_label: text(&["spec", "jobLabel"]).filter(|label| !label.is_empty()),
            target_labels: if is_google(family) { Vec::new() } else { texts(node.at(&["spec", "targetLabels"])) },
            pod_labels: pod_labels(node, family),
            metadata: is_google(family)
                .then(|| node.at(&["spec", "targetLabels", "metadata"]).map(|list| texts(Some(list))))
                .flatten(),
            endpoint_slices: match text(&["spec", "serviceDiscoveryRole"]).as_deref() {
                Some("EndpointSlice" | "endpointslices" | "endpointslice") => Some(true),
                Some(_) => Some(false),
                None => text(&["spec", "discoveryRole"]).map(|role| role == "endpointslices"),
            },
            endpoints,
            node: node.clone(),
        })
    }

    /// Whether it is one of Google's.
    pub fn is_google(&self) -> bool {
        is_google(self.family)
    }

    /// Whether it finds pods by the Services in front of them.
    pub fn is_by_service(&self) -> bool {
        matches!(self.family, Family::Service | Family::VictoriaService)
    }

    /// Whether it scrapes the proxies that a mesh puts beside the containers of pods.
    pub fn is_of_sidecars(&self) -> bool {
        !self.endpoints.is_empty() && self.endpoints.iter().all(|endpoint| endpoint.path.ends_with("/stats/prometheus"))
    }

    /// Whether it looks into a namespace.
    pub fn looks_into(&self, namespace: &str) -> bool {
        match &self.namespaces {
            Namespaces::Any => true,
            Namespaces::Own => self.namespace.as_ref().is_none_or(|own| own == namespace),
            Namespaces::Named(names) => names.iter().any(|name| name == namespace),
        }
    }
}

fn is_google(family: Family) -> bool {
    matches!(family, Family::Google | Family::GoogleCluster)
}

fn namespaces(node: &Node, family: Family) -> Namespaces {
    match family {
        Family::Google => return Namespaces::Own,
        Family::GoogleCluster => return Namespaces::Any,
        _ => {}
    }
    let Some(selector) = node.at(&["spec", "namespaceSelector"]) else { return Namespaces::Own };
    let names = texts(selector.get("matchNames"));
    match selector.get("any").and_then(Node::text) {
        Some("true") => Namespaces::Any,
        _ if names.is_empty() => Namespaces::Own,
        _ => Namespaces::Named(names),
    }
}

fn pod_labels(node: &Node, family: Family) -> Vec<(String, String)> {
    if is_google(family) {
        let from_pod = node.at(&["spec", "targetLabels", "fromPod"]).map(Node::items).unwrap_or_default();
        let pair = |item: &Node| {
            let from = item.get("from").and_then(Node::text)?.to_owned();
            let to = item.get("to").and_then(Node::text).filter(|to| !to.is_empty());
            Some((from.clone(), to.map_or_else(|| promql::relabel::sanitized(&from), str::to_owned)))
        };
        return from_pod.iter().filter_map(pair).collect();
    }
    let labels = texts(node.at(&["spec", "podTargetLabels"]));
    labels.into_iter().map(|label| (label.clone(), promql::relabel::sanitized(&label))).collect()
}

fn texts(node: Option<&Node>) -> Vec<String> {
    node.map(Node::items).unwrap_or_default().iter().filter_map(Node::text).map(str::to_owned).collect()
}

fn endpoint(node: &Node, family: Family, path: &str) -> Result<MonitorEndpoint, ScenarioError> {
    let reference = |key: &str| node.get(key).and_then(PortReference::read);
    let named = |key: &str| node.get(key).and_then(Node::text).filter(|text| !text.is_empty());
    // Only Google reads a number here; for the others a port is a name, whatever it looks like.
    let port = if is_google(family) {
        reference("port")
    } else {
        named("port").map(|name| PortReference::Name(name.to_owned()))
    };
    let number = reference("portNumber");
    let is_victoria = matches!(family, Family::VictoriaService | Family::VictoriaPod);
    let (own, after) = if is_victoria {
        ("relabelConfigs", "metricRelabelConfigs")
    } else if is_google(family) {
        ("", "metricRelabeling")
    } else {
        ("relabelings", "metricRelabelings")
    };
    let interval = node.get("interval").or_else(|| node.get("scrape_interval").filter(|_| is_victoria));
    if is_google(family) && interval.is_none() {
        let reason =
            "there is no `interval`, which a monitoring.googleapis.com endpoint must have: Kubernetes refuses it";
        return Err(ScenarioError::Inconsistent { at: node.locate(path), reason: reason.to_owned() });
    }
    Ok(MonitorEndpoint {
        port,
        is_port_number: number.is_some(),
        target_port: number.or_else(|| reference("targetPort")),
        path: named("path").unwrap_or("/metrics").to_owned(),
        interval: interval.map(|interval| duration(interval, &format!("{path}.interval"))).transpose()?,
        honor_labels: node.get("honorLabels").and_then(Node::text) == Some("true"),
        relabelings: relabelings(node.get(own), &format!("{path}.{own}"))?,
        metric_relabelings: relabelings(node.get(after), &format!("{path}.{after}"))?,
        node: node.clone(),
    })
}

/// Units of durations in Prometheus' configuration.
const UNITS: &[&str] = &["w", "d", "h", "m", "s", "ms"];

/// A duration of Prometheus' configuration: above zero.
pub fn duration(node: &Node, path: &str) -> Result<SimDuration, ScenarioError> {
    let text = node.text().unwrap_or_default();
    let wrong = || ScenarioError::WrongValue {
        at: node.locate(path),
        found: format!("text `{text}`"),
        expected: "a duration with its unit such as `15s` or `1m30s`".to_owned(),
    };
    let duration = Time::written_in(UNITS, text).ok_or_else(wrong)?.duration();
    if duration.is_zero() { Err(wrong()) } else { Ok(duration) }
}

/// A list of relabelling rules.
fn relabelings(node: Option<&Node>, path: &str) -> Result<Vec<RelabelRule>, ScenarioError> {
    let items = node.map(Node::items).unwrap_or_default();
    items.iter().enumerate().map(|(index, item)| relabeling(item, &format!("{path}[{index}]"))).collect()
}

fn relabeling(node: &Node, path: &str) -> Result<RelabelRule, ScenarioError> {
    let get = |keys: [&str; 2]| keys.into_iter().find_map(|key| node.get(key));
    let text = |keys: [&str; 2]| get(keys).and_then(Node::text).map(str::to_owned);
    let action = match node.get("action").filter(|action| action.text().is_some_and(|text| !text.is_empty())) {
        None => None,
        Some(action) => Some(self::action(action, &format!("{path}.action"))?),
    };
    let config = RelabelConfig {
        source_labels: texts(get(["sourceLabels", "source_labels"])),
        separator: text(["separator", "separator"]),
        regex: text(["regex", "regex"]).filter(|text| !text.is_empty()),
        target_label: text(["targetLabel", "target_label"]).filter(|text| !text.is_empty()),
        replacement: text(["replacement", "replacement"]),
        action,
    };
    RelabelRule::new(&config)
        .map_err(|error| ScenarioError::Inconsistent { at: node.locate(path), reason: error.to_string() })
}

fn action(node: &Node, path: &str) -> Result<Action, ScenarioError> {
    let text = node.text().unwrap_or_default();
    if let Some(action) = Action::of_name(text) {
        return Ok(action);
    }
    // They are Prometheus', and change which targets there are by hashing or comparing labels.
    if ["hashmod", "keepequal", "dropequal"].iter().any(|known| known.eq_ignore_ascii_case(text)) {
        let reason = format!("relabelling action {} decides over targets", text.to_ascii_lowercase());
        return Err(ScenarioError::NotModelled { at: node.locate(path), reason });
    }
    let allowed = Allowed::new(text, Action::NAMES.iter().map(|(name, _)| *name));
    Err(ScenarioError::UnknownChoice { at: node.locate(path), allowed })
}
