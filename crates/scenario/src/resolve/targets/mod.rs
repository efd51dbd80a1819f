//! Which monitors select the pods, and the targets that come of it.
//!
//! A monitor, an annotation or nothing at all: each way of scraping gives its targets other labels, another interval and another end.
//! The rules are those of prometheus-operator 6adcebc, prometheus-engine 2ffde4e and the prometheus chart 29.27.0.

mod beside;
mod by_pod;
mod by_service;
mod discovered;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use cluster::spec::{ContainerSpec, ServiceSpec};
use exporters::catalogue::program;
use exporters::{Label, Target, TargetLife, TargetOf};
use promql::relabel::RelabelRule;
use units::SimDuration;

use crate::error::ScenarioError;
use crate::file::ServiceView;
use crate::manifest::{
    ChartValues, ContainerFacts, Monitor, Namespaces, PodFacts, ServiceFacts, chart_values, duration, group_kind,
};
use crate::tree::Node;

use super::Context;

pub(super) use self::beside::Beside;

/// One way a port of the pods is scraped.
#[derive(Clone, Debug, PartialEq)]
pub struct Scrape {
    /// Where it comes from, for notes: `ServiceMonitor/llm`.
    pub origin: String,
    /// The container that declares the port, if one does.
    pub container: Option<String>,
    /// The pod's port.
    pub port: Option<u16>,
    /// Where on it.
    pub path: String,
    /// Labels of the target, relabelling done.
    pub labels: Vec<Label>,
    /// Time between scrapes.
    pub interval: SimDuration,
    /// Whether shown labels win.
    pub honor_labels: bool,
    /// What becomes of each series.
    pub metric_relabelings: Vec<RelabelRule>,
    /// When the target leaves discovery.
    pub life: TargetLife,
}

impl Scrape {
    /// A target of the pods, scraped this way instead.
    fn target(&self, target: &Target) -> Target {
        Target {
            labels: self.labels.clone(),
            interval: self.interval,
            honor_labels: self.honor_labels,
            metric_relabelings: self.metric_relabelings.clone(),
            life: self.life,
            ..target.clone()
        }
    }
}

/// The targets with those of the pods scraped as the documents say. What no monitor scrapes is not there: its targets are left out.
pub(super) fn as_scraped(targets: Vec<Target>, scrapes: &[Scrape]) -> Vec<Target> {
    if scrapes.is_empty() {
        return targets;
    }
    let mut all = Vec::with_capacity(targets.len());
    for target in targets {
        if target.of == TargetOf::Pod {
            let port = port_of(&target, scrapes);
            all.extend(scrapes.iter().filter(|scrape| scrape.port == port).map(|scrape| scrape.target(&target)));
        } else {
            all.push(target);
        }
    }
    all
}

/// The targets of programs beside the service, scraped as the documents say where they say so.
pub(super) fn as_scraped_beside(
    targets: Vec<Target>,
    beside: &[Beside],
    workload: &str,
) -> Result<Vec<Target>, ScenarioError> {
    let mut all = Vec::with_capacity(targets.len());
    for target in targets {
        let ours: Vec<&Beside> = beside.iter().filter(|beside| beside.exporter == Some(target.exporter)).collect();
        for beside in &ours {
            all.extend(beside.target(&target, workload)?);
        }
        if ours.is_empty() {
            all.push(target);
        }
    }
    Ok(all)
}

/// The namespace a monitor finds things in, as far as documents say.
fn settled_namespace(monitor: &Monitor, service: Option<&ServiceFacts>, pod: Option<&PodFacts>) -> Option<String> {
    let of_documents =
        service.and_then(|service| service.namespace.clone()).or_else(|| pod.map(|pod| pod.namespace.clone()));
    of_documents.filter(|namespace| !namespace.is_empty()).or_else(|| match &monitor.namespaces {
        Namespaces::Any => None,
        Namespaces::Own => monitor.namespace.clone(),
        Namespaces::Named(names) => names.first().filter(|_| names.len() == 1).cloned(),
    })
}

/// What holds for all monitors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScrapeSettings {
    /// Interval of a monitor that gives none.
    pub interval: SimDuration,
    /// Interval of the annotation jobs.
    pub annotation_interval: SimDuration,
    /// Whether Services' pods are found by EndpointSlices where the monitor does not say.
    pub endpoint_slices: bool,
    /// `podTargetLabels` of the Prometheus object.
    pub pod_target_labels: Vec<String>,
    /// Values of Google's labels `project_id`, `location` and `cluster`.
    pub google: [(&'static str, String); 3],
}

/// Prometheus' own default where an object of the operator is in use.
const OPERATOR_INTERVAL: SimDuration = SimDuration::from_secs(30);
/// The default of a Prometheus configuration without an interval, which the chart keeps.
const SERVER_INTERVAL: SimDuration = SimDuration::from_secs(60);

/// Time between evaluations of rules where no Prometheus object says otherwise.
pub const OPERATOR_EVALUATION: SimDuration = OPERATOR_INTERVAL;
/// The same for a Prometheus configured by file.
pub const SERVER_EVALUATION: SimDuration = SERVER_INTERVAL;

impl Default for ScrapeSettings {
    fn default() -> Self {
        let google = [("project_id", "project"), ("location", "location"), ("cluster", "cluster")];
        Self {
            interval: OPERATOR_INTERVAL,
            annotation_interval: SERVER_INTERVAL,
            endpoint_slices: false,
            pod_target_labels: Vec::new(),
            google: google.map(|(name, value)| (name, value.to_owned())),
        }
    }
}

/// What monitors made of the pods, and what a user should know of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Ways the pods are scraped.
    pub scrapes: Vec<Scrape>,
    /// Notes.
    pub notes: Vec<String>,
}

impl ScrapeSettings {
    /// The settings that Prometheus objects among the documents give.
    pub fn of_documents<'n>(nodes: impl IntoIterator<Item = &'n Node>) -> Result<Self, ScenarioError> {
        let mut settings = Self::default();
        for node in nodes {
            if !is_prometheus(node) {
                continue;
            }
            if let Some(interval) = node.at(&["spec", "scrapeInterval"]).filter(|node| node.text().is_some()) {
                settings.interval = duration(interval, "spec.scrapeInterval")?;
            }
            let role = node.at(&["spec", "serviceDiscoveryRole"]).and_then(Node::text);
            settings.endpoint_slices |= role == Some("EndpointSlice");
            let labels = node.at(&["spec", "podTargetLabels"]).map(Node::items).unwrap_or_default();
            settings.pod_target_labels.extend(labels.iter().filter_map(Node::text).map(str::to_owned));
        }
        Ok(settings)
    }

    /// The same with the values of Google's labels taken from `metrics.externalLabels`.
    pub fn with_external_labels<'l>(mut self, labels: impl IntoIterator<Item = (&'l str, &'l str)>) -> Self {
        for (name, value) in labels {
            if let Some(known) = self.google.iter_mut().find(|(known, _)| *known == name) {
                value.clone_into(&mut known.1);
            }
        }
        self
    }
}

/// Whether a document is prometheus-operator's Prometheus.
fn is_prometheus(node: &Node) -> bool {
    matches!(group_kind(node), ("monitoring.coreos.com", "Prometheus" | "PrometheusAgent"))
}

/// `spec.evaluationInterval` of a Prometheus object among the documents.
pub fn evaluation_interval<'n>(
    nodes: impl IntoIterator<Item = &'n Node>,
) -> Result<Option<SimDuration>, ScenarioError> {
    let objects = nodes.into_iter().filter(|node| is_prometheus(node));
    let given = objects.filter_map(|node| node.at(&["spec", "evaluationInterval"])).find(|node| node.text().is_some());
    given.map(|node| duration(node, "spec.evaluationInterval")).transpose()
}

/// How these pods are scraped. Without monitor and annotation: not at all, as far as the documents say.
pub fn scrapes(
    pod: &PodFacts,
    monitors: &[Monitor],
    services: &[ServiceFacts],
    settings: &ScrapeSettings,
) -> Result<Found, ScenarioError> {
    let mut found = Found::default();
    let ours: Vec<&ServiceFacts> = services.iter().filter(|service| service.selects(pod)).collect();
    for monitor in monitors {
        let before = found.scrapes.len();
        let missed = if monitor.is_by_service() {
            by_service::scrapes(monitor, pod, &ours, (settings, &mut found.scrapes))?
        } else {
            by_pod::scrapes(monitor, pod, (settings, &mut found.scrapes))?
        };
        if found.scrapes.len() == before
            && let Some(missed) = missed
        {
            found.notes.push(format!("{}: {}: {missed}", monitor.node.place, monitor.title));
        }
    }
    note_twins(&mut found);
    note_release(monitors, &found.scrapes.clone(), &mut found.notes);
    let annotated = by_pod::annotated(pod, settings);
    let annotated = if annotated.is_empty() { by_service::annotated(pod, &ours, settings) } else { annotated };
    if found.scrapes.is_empty() {
        if let Some(first) = annotated.first() {
            found.notes.push(format!(
                "the pods of {} are scraped for their annotation prometheus.io/scrape: job {}, every {}",
                pod.workload,
                label_text(first, "job"),
                first.interval
            ));
        }
        found.scrapes = annotated;
    } else if let Some(annotated) = annotated.first() {
        let origin = &found.scrapes[0].origin;
        found.notes.push(format!("{} has no effect: the pods are scraped for {origin}", annotated.origin));
    }
    Ok(found)
}

/// The port that shows an exporter's metrics: its usual one if that is scraped, else the first that is. Others answer nothing there.
fn port_of(target: &Target, scrapes: &[Scrape]) -> Option<u16> {
    let usual = Some(program(target.exporter).port);
    let is_scraped = scrapes.iter().any(|scrape| scrape.port == usual);
    if is_scraped { usual } else { scrapes.first().and_then(|scrape| scrape.port) }
}

fn label_text<'s>(scrape: &'s Scrape, name: &str) -> &'s str {
    scrape.labels.iter().find(|label| label.name == name).map_or("", |label| label.value.text())
}

/// One port that is scraped twice has every series twice, and sums double.
fn note_twins(found: &mut Found) {
    for (index, scrape) in found.scrapes.iter().enumerate() {
        let twin = found.scrapes[..index].iter().find(|earlier| {
            earlier.port == scrape.port && earlier.path == scrape.path && earlier.labels != scrape.labels
        });
        if let Some(twin) = twin {
            let port = scrape.port.map_or_else(|| "a port".to_owned(), |port| format!("port {port}"));
            found.notes.push(format!(
                "{port} of the pods is scraped twice, for {} and for {}: each of its series is there twice, under jobs {} and {}, and a \
                 sum over both counts double",
                twin.origin,
                scrape.origin,
                label_text(twin, "job"),
                label_text(scrape, "job")
            ));
        }
    }
}

/// kube-prometheus-stack looks only at monitors with its `release` label; which one that is no document says.
fn note_release(monitors: &[Monitor], scrapes: &[Scrape], notes: &mut Vec<String>) {
    let of_operator = || monitors.iter().filter(|monitor| !monitor.is_google());
    let Some(other) = of_operator().find(|monitor| monitor.release.is_some()) else { return };
    for monitor in of_operator().filter(|monitor| monitor.release.is_none()) {
        if scrapes.iter().any(|scrape| scrape.origin == monitor.title) {
            notes.push(format!(
                "{}: {} has no label `release`, {} has: kube-prometheus-stack reads monitors with its own release only; taken as read",
                monitor.node.place, monitor.title, other.title
            ));
        }
    }
}

impl Context<'_> {
    /// The documents, and the objects that charts make of values among them.
    pub(super) fn monitoring(&self) -> Result<Vec<Node>, ScenarioError> {
        let mut nodes: Vec<Node> = self.documents.iter().map(|document| document.node.clone()).collect();
        for document in self.documents {
            nodes.extend(chart_values(&document.node)?.iter().flat_map(ChartValues::objects));
        }
        Ok(nodes)
    }

    /// Monitors among the documents.
    pub(super) fn monitors(&self) -> Result<Vec<Monitor>, ScenarioError> {
        let nodes = self.monitoring()?;
        let of_family = nodes.iter().filter_map(|node| Monitor::family(node).map(|family| (node, family)));
        of_family.map(|(node, family)| Monitor::read(node, family)).collect()
    }

    /// Services among the documents.
    pub(super) fn service_facts(&self) -> Vec<ServiceFacts> {
        let nodes = self.documents.iter().map(|document| &document.node);
        nodes.filter(|node| group_kind(node) == ("", "Service")).map(ServiceFacts::read).collect()
    }

    /// How the pods of the service are scraped, as far as the documents say, and the programs beside it; what a user should know of it is
    /// noted. With `for_google` and no monitor, a PodMonitoring every 30 s is assumed.
    pub(super) fn scrapes(
        &mut self,
        spec: &ServiceView,
        (all, number): (&[PodFacts], usize),
        for_google: bool,
    ) -> Result<(Vec<Scrape>, Vec<Beside>), ScenarioError> {
        let pod = &all[number];
        let neighbours = || all.iter().enumerate().filter(|(other, _)| *other != number).map(|(_, pod)| pod);
        let labels = spec.metrics.external_labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let settings = ScrapeSettings::of_documents(&self.monitoring()?)?.with_external_labels(labels);
        let settings = self.with_written_interval(spec, settings);
        let services = self.service_facts();
        let pods = self.other_pods(pod, all);
        let others = beside::Others { services: &services, pods: &pods };
        let mut monitors = Vec::new();
        let mut programs = Vec::new();
        for monitor in self.monitors()? {
            let is_ours = beside::is_of(&monitor, pod, &services);
            if !is_ours && neighbours().any(|pod| beside::is_of(&monitor, pod, &services)) {
                continue;
            }
            let read = || beside::read(&monitor, &others, &settings);
            match if is_ours && !monitor.is_of_sidecars() { None } else { read() } {
                Some(beside) => programs.push(beside),
                None => monitors.push(monitor),
            }
        }
        let mut found = scrapes(pod, &monitors, &services, &settings)?;
        if found.scrapes.is_empty() && for_google {
            found.notes.push(format!(
                "no PodMonitoring in these files selects the pods of {}: one with an interval of {OPERATOR_INTERVAL} is assumed",
                pod.workload
            ));
            found.scrapes.push(by_pod::assumed_google(pod, &settings));
        }
        for note in found.notes {
            self.note_once(note);
        }
        Ok((found.scrapes, programs))
    }

    /// Pods of the workloads among the documents that are no service.
    fn other_pods(&self, ours: &PodFacts, services: &[PodFacts]) -> Vec<PodFacts> {
        let workloads = self.documents.iter().map(|document| &document.node).filter_map(|node| {
            node.at(&["spec", "template", "spec", "containers"])?;
            let template = node.at(&["spec", "template"])?;
            let kind = node.get("kind").and_then(Node::text)?;
            let name = node.at(&["metadata", "name"]).and_then(Node::text)?;
            let namespace = node.at(&["metadata", "namespace"]).and_then(Node::text).unwrap_or(&ours.namespace);
            Some(PodFacts::of_template(template, (kind, name), namespace))
        });
        let is_service =
            |pod: &PodFacts| services.iter().any(|own| own.workload == pod.workload && own.namespace == pod.namespace);
        workloads.filter(|pod| !is_service(pod)).collect()
    }

    /// `metrics.scrapeInterval` is that of the server, where the scenario says it; monitors with an interval of their own keep that.
    fn with_written_interval(&self, spec: &ServiceView, settings: ScrapeSettings) -> ScrapeSettings {
        if self.scenario.at(&["spec", "metrics", "scrapeInterval"]).is_none() {
            return settings;
        }
        let interval = spec.metrics.scrape_interval.duration();
        ScrapeSettings { interval, annotation_interval: interval, ..settings }
    }

    /// What discovery sees of the service's pods: their template, or what the scenario says of them itself.
    pub(super) fn pod_facts(&self, service: &ServiceSpec) -> PodFacts {
        let is_here = |node: &&Node| {
            let name = node.at(&["metadata", "name"]).and_then(Node::text);
            let namespace = node.at(&["metadata", "namespace"]).and_then(Node::text);
            name == Some(service.workload.as_str())
                && namespace.is_none_or(|namespace| namespace == service.namespace)
                && node.at(&["spec", "template", "spec", "containers"]).is_some()
        };
        let nodes = self.documents.iter().map(|document| &document.node);
        if let Some(node) = nodes.into_iter().find(is_here) {
            let kind = node.get("kind").and_then(Node::text).unwrap_or("Deployment");
            let template = node.at(&["spec", "template"]).unwrap_or(node);
            return PodFacts::of_template(template, (kind, &service.workload), &service.namespace);
        }
        let container = |container: &ContainerSpec| ContainerFacts {
            name: container.name.clone(),
            image: service.pod.image.clone(),
            ports: Vec::new(),
        };
        PodFacts {
            pod: "{pod}".to_owned(),
            address: "{pod_ip}".to_owned(),
            workload_kind: "Deployment".to_owned(),
            workload: service.workload.clone(),
            namespace: service.namespace.clone(),
            labels: service.pod.labels.iter().cloned().collect(),
            annotations: BTreeMap::new(),
            containers: service.pod.containers.iter().map(container).collect(),
        }
    }
}
