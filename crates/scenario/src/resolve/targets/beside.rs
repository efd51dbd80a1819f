//! Monitors of programs that run beside the service: exporters of the cluster, gateways, the application in front of the model.
//!
//! Such a program is told by the words its labels are made of; an application by what queries ask of it.

use std::collections::BTreeMap;

use exporters::catalogue::known_as;
use exporters::{Exporter, Label, Target, TargetOf};
use promql::relabel::sanitized;

use crate::error::ScenarioError;
use crate::manifest::{LabelSelector, Monitor, MonitorEndpoint, PodFacts, PortReference, ServiceFacts};

use super::discovered::{Discovered, of_pod, of_service, relabelled};
use super::{ScrapeSettings, settled_namespace};

/// A program beside the service, as a monitor scrapes it.
#[derive(Clone, Debug)]
pub struct Beside {
    /// Which program; None for an application that is no program we know.
    pub exporter: Option<Exporter>,
    /// The monitor.
    pub monitor: Monitor,
    /// Number of its endpoint.
    endpoint: usize,
    /// The Service it selects, where one is among the documents.
    service: Option<ServiceFacts>,
    /// The pods it finds, where their workload is among the documents.
    pod: Option<PodFacts>,
    settings: ScrapeSettings,
}

/// Everything of the documents but the service itself.
pub(super) struct Others<'a> {
    pub services: &'a [ServiceFacts],
    pub pods: &'a [PodFacts],
}

/// Whether a monitor finds these pods, by their labels or by those of a Service in front of them.
pub(super) fn is_of(monitor: &Monitor, pod: &PodFacts, services: &[ServiceFacts]) -> bool {
    if monitor.is_by_service() {
        services.iter().any(|service| service.selects(pod) && monitor.selector.selects(&service.labels))
    } else {
        monitor.selector.selects(&pod.labels)
    }
}

/// What a monitor scrapes that is none of the service's own pods; None for nothing that is known.
pub(super) fn read(monitor: &Monitor, others: &Others<'_>, settings: &ScrapeSettings) -> Option<Beside> {
    let selected = |service: &&ServiceFacts| monitor.is_by_service() && monitor.selector.selects(&service.labels);
    let service = others.services.iter().find(selected);
    let pod = others.pods.iter().find(|pod| match service {
        Some(service) => service.selects(pod),
        None => !monitor.is_by_service() && !monitor.selector.is_empty() && monitor.selector.selects(&pod.labels),
    });
    let exporter = program_of(monitor, service, pod);
    if exporter.is_none() && pod.is_none() {
        return None;
    }
    let endpoint = monitor.endpoints.iter().position(|endpoint| is_meant(endpoint, exporter))?;
    Some(Beside {
        exporter,
        monitor: monitor.clone(),
        endpoint,
        service: service.cloned(),
        pod: pod.cloned(),
        settings: settings.clone(),
    })
}

/// The program that the labels on the way speak of: of the selector, of the Service, of the pods and their image.
fn program_of(monitor: &Monitor, service: Option<&ServiceFacts>, pod: Option<&PodFacts>) -> Option<Exporter> {
    if monitor.is_of_sidecars() {
        let is_istio = monitor.selector.words().chain([monitor.name.as_str()]).any(|word| has_word(word, "istio"));
        return Some(if is_istio { Exporter::Istio } else { Exporter::Envoy });
    }
    let of_service = service.into_iter().flat_map(|service| service.labels.values().chain([&service.name]));
    let of_pod = pod.into_iter().flat_map(|pod| {
        let images = pod.containers.iter().map(|container| &container.image);
        pod.labels.values().chain([&pod.workload]).chain(images)
    });
    let words: Vec<&str> =
        monitor.selector.words().chain(of_service.map(String::as_str)).chain(of_pod.map(String::as_str)).collect();
    let named =
        |exporter: &Exporter| known_as(*exporter).iter().any(|known| words.iter().any(|word| has_word(word, known)));
    Exporter::ALL.into_iter().find(named)
}

/// Whether a text has a word, between its ends and what is neither letter nor digit.
fn has_word(text: &str, word: &str) -> bool {
    let is_edge = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_ascii_alphanumeric());
    text.match_indices(word)
        .any(|(at, found)| is_edge(text[..at].chars().last()) && is_edge(text[at + found.len()..].chars().next()))
}

/// Of a program's several ports and paths, the one with the metrics that are known of it.
fn is_meant(endpoint: &MonitorEndpoint, exporter: Option<Exporter>) -> bool {
    let port = endpoint.port.as_ref().or(endpoint.target_port.as_ref()).map_or_else(String::new, PortReference::text);
    match exporter {
        Some(Exporter::CAdvisor) => endpoint.path.ends_with("cadvisor"),
        Some(Exporter::KubeStateMetrics) => !port.contains("self") && !port.contains("telemetry"),
        _ => true,
    }
}

impl Beside {
    /// The endpoint that is scraped.
    pub fn endpoint(&self) -> &MonitorEndpoint {
        &self.monitor.endpoints[self.endpoint]
    }

    /// A target of the program, scraped this way instead; None if relabelling drops it. `workload` is the service's own.
    pub fn target(&self, target: &Target, workload: &str) -> Result<Option<Target>, ScenarioError> {
        let endpoint = self.endpoint();
        let interval = endpoint.interval.unwrap_or(self.settings.interval);
        // What sidecars of the service's own pods show.
        if target.of == TargetOf::Pod {
            return Ok(Some(Target { interval, ..target.clone() }));
        }
        let path = format!("spec.endpoints[{}]", self.endpoint);
        let place = (workload, &endpoint.node, path.as_str());
        let labels = relabelled(&self.discovered(target), &endpoint.relabelings, place)?;
        Ok(labels.map(|labels| Target {
            labels,
            interval,
            honor_labels: endpoint.honor_labels,
            metric_relabelings: endpoint.metric_relabelings.clone(),
            ..target.clone()
        }))
    }

    /// Labels of the target before relabelling: what the documents say of it, else what is usual for the program.
    fn discovered(&self, target: &Target) -> Discovered {
        let usual = |name: &str| {
            let label = target.labels.iter().find(|label: &&Label| label.name == name);
            label.map_or_else(String::new, |label| label.value.text().to_owned())
        };
        let endpoint = self.endpoint();
        let wanted =
            endpoint.port.as_ref().or(endpoint.target_port.as_ref()).map_or_else(String::new, PortReference::text);
        let pod_name = match (&self.pod, target.of) {
            (Some(pod), TargetOf::Gateway | TargetOf::Cluster) => format!("{}-0", pod.workload),
            _ => usual("pod"),
        };
        let namespace = settled_namespace(&self.monitor, self.service.as_ref(), self.pod.as_ref())
            .unwrap_or_else(|| usual("namespace"));
        let pod = PodFacts {
            pod: pod_name,
            address: usual("instance"),
            namespace: namespace.clone(),
            ..self.pod.clone().unwrap_or_else(|| PodFacts {
                labels: demanded(&self.monitor.selector, !self.monitor.is_by_service()),
                ..PodFacts::default()
            })
        };
        let container = pod.containers.first().map_or_else(|| usual("container"), |container| container.name.clone());
        let mut labels = of_pod(&pod);
        if target.of != TargetOf::Node {
            labels.retain(|(name, _)| name != "__meta_kubernetes_pod_node_name");
        }
        let mut put = |name: &str, value: &str| labels.push((name.to_owned(), value.to_owned()));
        put("__address__", &usual("instance"));
        put("__metrics_path__", &endpoint.path);
        put("instance", &usual("instance"));
        put("namespace", &namespace);
        put("pod", &pod.pod);
        put("container", &container);
        put("endpoint", &wanted);
        if target.of == TargetOf::Node {
            put("__meta_kubernetes_pod_container_name", &container);
        }
        for (from, to) in &self.monitor.pod_labels {
            put(to, pod.labels.get(from).map_or("", String::as_str));
        }
        if self.monitor.is_by_service() {
            labels.extend(self.of_service(&pod, &usual("service"), &wanted));
        } else {
            labels.extend(self.job_of_pods(&pod, &wanted));
        }
        labels
    }

    fn of_service(&self, pod: &PodFacts, usual: &str, port: &str) -> Discovered {
        let service = self.service.clone().unwrap_or_else(|| ServiceFacts {
            name: usual.to_owned(),
            namespace: Some(pod.namespace.clone()),
            labels: demanded(&self.monitor.selector, true),
            annotations: BTreeMap::new(),
            selector: LabelSelector::default(),
            ports: Vec::new(),
        });
        let mut labels = of_service(&service, pod, port);
        if pod.pod == "{exporter_pod}" {
            labels.retain(|(name, _)| name != "__meta_kubernetes_endpoint_node_name");
            labels.push(("__meta_kubernetes_endpoint_node_name".to_owned(), "{node}".to_owned()));
        }
        labels.push(("service".to_owned(), service.name.clone()));
        for label in &self.monitor.target_labels {
            labels.push((sanitized(label), service.labels.get(label).cloned().unwrap_or_default()));
        }
        let by_label = self.monitor.job_label.as_ref().and_then(|label| service.labels.get(label));
        let job = by_label.filter(|job| !job.is_empty()).unwrap_or(&service.name);
        labels.push(("job".to_owned(), job.clone()));
        labels
    }

    fn job_of_pods(&self, pod: &PodFacts, port: &str) -> Discovered {
        let name = &self.monitor.name;
        if self.monitor.is_google() {
            let mut labels: Discovered =
                self.settings.google.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            let on_node = pod.pod == "{exporter_pod}";
            let who = if on_node { "{node}" } else { pod.pod.as_str() };
            labels.push(("job".to_owned(), name.clone()));
            labels.push(("instance".to_owned(), format!("{who}:{port}")));
            labels.push(("endpoint".to_owned(), String::new()));
            return labels;
        }
        let by_label = self.monitor.job_label.as_ref().and_then(|label| pod.labels.get(label));
        let namespace = self.monitor.namespace.as_ref().unwrap_or(&pod.namespace);
        let job = by_label.filter(|job| !job.is_empty()).cloned().unwrap_or_else(|| format!("{namespace}/{name}"));
        vec![("job".to_owned(), job)]
    }
}

fn demanded(selector: &LabelSelector, is_wanted: bool) -> BTreeMap<String, String> {
    let pairs = selector.demanded().filter(|_| is_wanted);
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
