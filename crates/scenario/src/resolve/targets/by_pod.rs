//! Pods that are found by their own labels or annotations.

use exporters::{Label, TargetLife};
use promql::relabel::sanitized;

use crate::error::ScenarioError;
use crate::manifest::{ContainerFacts, Monitor, MonitorEndpoint, PodFacts, PortFacts, PortReference};

use super::by_service::SLOW;
use super::discovered::{Discovered, of_pod, of_port, relabelled};
use super::{Scrape, ScrapeSettings};

/// A port to scrape: its number and, where one declares it, the container.
type Port<'a> = (u16, Option<(&'a ContainerFacts, &'a PortFacts)>);

/// Adds what a monitor of pods scrapes; if it finds nothing, the reason where one is worth telling.
pub(super) fn scrapes(
    monitor: &Monitor,
    pod: &PodFacts,
    into: (&ScrapeSettings, &mut Vec<Scrape>),
) -> Result<Option<String>, ScenarioError> {
    let (settings, found) = into;
    if !monitor.selector.selects(&pod.labels) {
        return Ok(Some("selects nothing in these files: no effect".to_owned()));
    }
    if !monitor.looks_into(&pod.namespace) {
        let own = monitor.namespace.as_deref().unwrap_or("its own");
        let remedy =
            if monitor.is_google() { "a ClusterPodMonitoring looks into all" } else { "`namespaceSelector` widens it" };
        return Ok(Some(format!(
            "scrapes nothing here: it looks into namespace {own} only, and the pods are in {}; {remedy}",
            pod.namespace
        )));
    }
    let mut missed = None;
    for (index, endpoint) in monitor.endpoints.iter().enumerate() {
        let ports = ports(endpoint, pod, monitor.is_google());
        if ports.is_empty() {
            missed = Some(no_such_port(endpoint, pod));
        }
        for port in ports {
            let labels = labels(monitor, endpoint, (pod, port), settings);
            let path = format!("spec.endpoints[{index}]");
            let Some(labels) = relabelled(&labels, &endpoint.relabelings, (&pod.workload, &endpoint.node, &path))?
            else {
                continue;
            };
            found.push(Scrape {
                origin: monitor.title.clone(),
                container: port.1.map(|(container, _)| container.name.clone()),
                port: Some(port.0),
                path: endpoint.path.clone(),
                labels,
                interval: endpoint.interval.unwrap_or(settings.interval),
                honor_labels: endpoint.honor_labels,
                metric_relabelings: endpoint.metric_relabelings.clone(),
                life: TargetLife::PodObject,
            });
        }
    }
    Ok(missed)
}

/// The ports an endpoint means.
fn ports<'a>(endpoint: &MonitorEndpoint, pod: &'a PodFacts, is_google: bool) -> Vec<Port<'a>> {
    let wanted = endpoint.port.as_ref().or(endpoint.target_port.as_ref());
    // Google writes a number into the address, whether or not a container declares it.
    if let (true, Some(PortReference::Number(number))) = (is_google, wanted) {
        return vec![(*number, None)];
    }
    let declared =
        pod.containers.iter().flat_map(|container| container.ports.iter().map(move |port| (container, port)));
    let meant = declared.filter(|(_, port)| wanted.is_none_or(|wanted| wanted.is(port)));
    meant.map(|(container, port)| (port.number, Some((container, port)))).collect()
}

fn labels(
    monitor: &Monitor,
    endpoint: &MonitorEndpoint,
    (pod, (number, declared)): (&PodFacts, Port<'_>),
    settings: &ScrapeSettings,
) -> Discovered {
    let mut labels: Discovered = of_pod(pod);
    labels.extend(declared.map(|(container, port)| of_port(container, port)).unwrap_or_default());
    let mut put = |name: &str, value: &str| labels.push((name.to_owned(), value.to_owned()));
    put("__address__", &format!("{}:{number}", pod.address));
    put("__metrics_path__", &endpoint.path);
    let container = declared.map_or("", |(container, _)| container.name.as_str());
    let wanted = endpoint.port.as_ref().or(endpoint.target_port.as_ref()).map_or_else(String::new, PortReference::text);
    if monitor.is_google() {
        let is_cluster_wide = monitor.family == crate::manifest::Family::GoogleCluster;
        let default = ["container", "pod", "top_level_controller_name", "top_level_controller_type"].map(str::to_owned);
        let mut metadata = monitor.metadata.clone().unwrap_or_else(|| default.to_vec());
        if monitor.metadata.is_none() || !is_cluster_wide {
            metadata.push("namespace".to_owned());
        }
        let values = [
            ("namespace", pod.namespace.as_str()),
            ("container", container),
            ("pod", &pod.pod),
            ("node", "{node}"),
            ("top_level_controller_name", &pod.workload),
            ("top_level_controller_type", &pod.workload_kind),
        ];
        for (name, value) in values {
            if metadata.iter().any(|wanted| wanted == name) {
                put(name, value);
            }
        }
        for (name, value) in &settings.google {
            put(name, value);
        }
        put("job", &monitor.name);
        let who = if pod.workload_kind == "DaemonSet" { "{node}" } else { pod.pod.as_str() };
        put("instance", &format!("{who}:{wanted}"));
    } else {
        put("namespace", &pod.namespace);
        put("pod", &pod.pod);
        put("container", container);
        let namespace = monitor.namespace.as_ref().unwrap_or(&pod.namespace);
        let job = monitor.job_label.as_ref().and_then(|label| pod.labels.get(label)).filter(|job| !job.is_empty());
        put("job", job.unwrap_or(&format!("{namespace}/{}", monitor.name)));
        put("endpoint", if endpoint.is_port_number && endpoint.port.is_none() { "" } else { &wanted });
        for label in &settings.pod_target_labels {
            put(&sanitized(label), pod.labels.get(label).map_or("", String::as_str));
        }
    }
    for (from, to) in &monitor.pod_labels {
        put(to, pod.labels.get(from).map_or("", String::as_str));
    }
    labels
}

/// What Google's managed collection would be told if somebody had written a PodMonitoring for the pods.
pub(super) fn assumed_google(pod: &PodFacts, settings: &ScrapeSettings) -> Scrape {
    let declared =
        pod.containers.iter().flat_map(|container| container.ports.iter().map(move |port| (container, port)));
    let (container, port) = declared.into_iter().next().unzip();
    let container = container.or(pod.containers.first()).map(|container: &ContainerFacts| container.name.clone());
    let number = port.map(|port: &PortFacts| port.number);
    let own = [
        ("namespace", pod.namespace.clone()),
        ("pod", pod.pod.clone()),
        ("container", container.clone().unwrap_or_default()),
        ("top_level_controller_name", pod.workload.clone()),
        ("top_level_controller_type", pod.workload_kind.clone()),
        ("job", pod.workload.clone()),
        ("instance", format!("{}:{}", pod.pod, number.unwrap_or(8_000))),
    ];
    let google = settings.google.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let labels = own.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(google).collect();
    Scrape {
        origin: "an assumed PodMonitoring".to_owned(),
        container,
        port: number,
        path: "/metrics".to_owned(),
        labels: unique(labels),
        interval: settings.interval,
        honor_labels: false,
        metric_relabelings: Vec::new(),
        life: TargetLife::PodObject,
    }
}

fn no_such_port(endpoint: &MonitorEndpoint, pod: &PodFacts) -> String {
    let wanted = endpoint.port.as_ref().or(endpoint.target_port.as_ref()).map_or_else(String::new, PortReference::text);
    let ports = pod.containers.iter().flat_map(|container| &container.ports);
    let names: Vec<String> = ports.map(|port| port.name.clone().unwrap_or_else(|| port.number.to_string())).collect();
    let declared =
        if names.is_empty() { "they declare none".to_owned() } else { format!("ports: {}", names.join(", ")) };
    format!("scrapes nothing: no container of the pods declares port `{wanted}` ({declared})")
}

/// The chart's job for annotated pods.
pub(super) fn annotated(pod: &PodFacts, settings: &ScrapeSettings) -> Vec<Scrape> {
    let annotation = |key: &str| pod.annotations.get(&format!("prometheus.io/{key}")).map(String::as_str);
    let slow = annotation("scrape-slow") == Some("true");
    if annotation("scrape") != Some("true") && !slow {
        return Vec::new();
    }
    let declared = pod.containers.iter().flat_map(|container| container.ports.iter().map(|port| port.number));
    let mut numbers: Vec<u16> = match annotation("port").and_then(|port| port.parse().ok()) {
        Some(port) => vec![port],
        None => declared.collect(),
    };
    numbers.sort_unstable();
    numbers.dedup();
    let job = if slow { "kubernetes-pods-slow" } else { "kubernetes-pods" };
    let scrape = |number: u16| {
        let mut labels: Discovered = pod.labels.iter().map(|(key, value)| (sanitized(key), value.clone())).collect();
        let own = [("namespace", pod.namespace.as_str()), ("pod", &pod.pod), ("node", "{node}"), ("job", job)];
        labels.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
        labels.push(("instance".to_owned(), format!("{}:{number}", pod.address)));
        Scrape {
            origin: "the annotation prometheus.io/scrape of the pods".to_owned(),
            container: pod.port(&PortReference::Number(number)).map(|(container, _)| container.name.clone()),
            port: Some(number),
            path: annotation("path").unwrap_or("/metrics").to_owned(),
            labels: unique(labels),
            interval: if slow { settings.annotation_interval.max(SLOW) } else { settings.annotation_interval },
            honor_labels: true,
            metric_relabelings: Vec::new(),
            life: TargetLife::PodObject,
        }
    };
    numbers.into_iter().map(scrape).collect()
}

/// Labels by name; of two with one name the later counts.
pub(super) fn unique(labels: Discovered) -> Vec<Label> {
    let by_name: std::collections::BTreeMap<String, String> = labels.into_iter().collect();
    by_name.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| Label::new(name, value)).collect()
}
