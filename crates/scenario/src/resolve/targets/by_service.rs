//! Pods that are found by the Services in front of them.

use exporters::TargetLife;
use promql::relabel::sanitized;

use crate::error::ScenarioError;
use crate::manifest::{Monitor, MonitorEndpoint, PodFacts, PortReference, ServiceFacts, ServicePort};

use super::discovered::{Discovered, of_pod, of_port, of_service, relabelled};
use super::{Scrape, ScrapeSettings};

/// Adds what a monitor of Services scrapes; if it finds nothing, the reason where one is worth telling.
pub(super) fn scrapes(
    monitor: &Monitor,
    pod: &PodFacts,
    services: &[&ServiceFacts],
    into: (&ScrapeSettings, &mut Vec<Scrape>),
) -> Result<Option<String>, ScenarioError> {
    let (settings, found) = into;
    let selected: Vec<&ServiceFacts> =
        services.iter().copied().filter(|service| monitor.selector.selects(&service.labels)).collect();
    if selected.is_empty() {
        return Ok(nothing_selected(monitor, pod, services));
    }
    if !monitor.looks_into(&pod.namespace) {
        let own = monitor.namespace.as_deref().unwrap_or("its own");
        return Ok(Some(format!(
            "scrapes nothing here: it looks into namespace {own} only, and Service/{} is in {}; `namespaceSelector` widens it",
            selected[0].name, pod.namespace
        )));
    }
    let mut missed = None;
    for service in selected {
        for (index, endpoint) in monitor.endpoints.iter().enumerate() {
            let ports: Vec<&ServicePort> = service.ports.iter().filter(|port| is_meant(endpoint, port, pod)).collect();
            if ports.is_empty() {
                missed = Some(no_such_port(endpoint, service));
            }
            for port in ports {
                match number(&port.target, pod) {
                    Some(number) => {
                        let at = Place { monitor, endpoint, index, settings };
                        found.extend(scrape(at, service, (port, number), pod)?);
                    }
                    None => {
                        missed = Some(format!(
                            "scrapes nothing: port `{}` of Service/{} goes to the pods' port `{}`, which no container declares",
                            port.name,
                            service.name,
                            port.target.text()
                        ));
                    }
                }
            }
        }
    }
    Ok(missed)
}

/// An endpoint of a monitor, and what holds for all.
struct Place<'a> {
    monitor: &'a Monitor,
    endpoint: &'a MonitorEndpoint,
    index: usize,
    settings: &'a ScrapeSettings,
}

#[allow(clippy::needless_pass_by_value, reason = "a place is four references")]
fn scrape(
    at: Place<'_>,
    service: &ServiceFacts,
    (port, number): (&ServicePort, u16),
    pod: &PodFacts,
) -> Result<Option<Scrape>, ScenarioError> {
    let Place { monitor, endpoint, index, settings } = at;
    let declared = pod.port(&PortReference::Number(number));
    let mut labels: Discovered = of_pod(pod);
    labels.extend(of_service(service, pod, &port.name));
    labels.extend(declared.map(|(container, port)| of_port(container, port)).unwrap_or_default());
    let mut put = |name: &str, value: &str| labels.push((name.to_owned(), value.to_owned()));
    put("__address__", &format!("{}:{number}", pod.address));
    put("__metrics_path__", &endpoint.path);
    put("namespace", &pod.namespace);
    put("service", &service.name);
    put("pod", &pod.pod);
    put("container", declared.map_or("", |(container, _)| container.name.as_str()));
    for label in &monitor.target_labels {
        put(&sanitized(label), service.labels.get(label).map_or("", String::as_str));
    }
    let of_prometheus = settings.pod_target_labels.iter().map(|label| (label.clone(), sanitized(label)));
    for (from, to) in monitor.pod_labels.iter().cloned().chain(of_prometheus) {
        put(&to, pod.labels.get(&from).map_or("", String::as_str));
    }
    let job = monitor.job_label.as_ref().and_then(|label| service.labels.get(label)).filter(|job| !job.is_empty());
    put("job", job.unwrap_or(&service.name));
    put(
        "endpoint",
        &endpoint.port.as_ref().or(endpoint.target_port.as_ref()).map_or_else(String::new, PortReference::text),
    );
    let path = format!("spec.endpoints[{index}]");
    let Some(labels) = relabelled(&labels, &endpoint.relabelings, (&pod.workload, &endpoint.node, &path))? else {
        return Ok(None);
    };
    let by_slices = monitor.endpoint_slices.unwrap_or(settings.endpoint_slices);
    Ok(Some(Scrape {
        origin: monitor.title.clone(),
        container: declared.map(|(container, _)| container.name.clone()),
        port: Some(number),
        path: endpoint.path.clone(),
        labels,
        interval: endpoint.interval.unwrap_or(settings.interval),
        honor_labels: endpoint.honor_labels,
        metric_relabelings: endpoint.metric_relabelings.clone(),
        life: if by_slices { TargetLife::PodObject } else { TargetLife::Endpoints },
    }))
}

/// Whether an endpoint means a port of the Service: by the port's name, or by the pod's port behind it.
fn is_meant(endpoint: &MonitorEndpoint, port: &ServicePort, pod: &PodFacts) -> bool {
    match (&endpoint.port, &endpoint.target_port) {
        (Some(name), _) => name.text() == port.name,
        (None, Some(target)) => {
            let declared = pod.port(&port.target).map(|(_, port)| port);
            port.target == *target || declared.is_some_and(|port| target.is(port))
        }
        (None, None) => true,
    }
}

/// The number of the pod's port behind a Service's port.
fn number(target: &PortReference, pod: &PodFacts) -> Option<u16> {
    match target {
        PortReference::Number(number) => Some(*number),
        PortReference::Name(_) => pod.port(target).map(|(_, port)| port.number),
    }
}

fn no_such_port(endpoint: &MonitorEndpoint, service: &ServiceFacts) -> String {
    let wanted = endpoint.port.as_ref().or(endpoint.target_port.as_ref()).map_or_else(String::new, PortReference::text);
    let names: Vec<String> = service
        .ports
        .iter()
        .map(|port| if port.name.is_empty() { format!("{} (without a name)", port.number) } else { port.name.clone() })
        .collect();
    let kind = if endpoint.port.is_some() { "port" } else { "target port" };
    format!("scrapes nothing: Service/{} has no {kind} `{wanted}` (ports: {})", service.name, names.join(", "))
}

/// A monitor of something else is no concern of ours, unless it seems to be meant for these pods.
#[allow(clippy::unnecessary_wraps, reason = "it joins other reasons that may be absent")]
fn nothing_selected(monitor: &Monitor, pod: &PodFacts, services: &[&ServiceFacts]) -> Option<String> {
    if monitor.selector.selects(&pod.labels) && !monitor.selector.is_empty() {
        return Some(match services.first() {
            None => "scrapes nothing: it selects Services, and no Service in these files stands in front of the pods"
                .to_owned(),
            Some(service) => format!(
                "scrapes nothing: its selector fits labels of the pods, but it selects by labels of Services, and Service/{} has others",
                service.name
            ),
        });
    }
    Some("selects nothing in these files: no effect".to_owned())
}

/// The chart's job for annotated Services: the target has labels of the Service and none of the pod.
pub(super) fn annotated(pod: &PodFacts, services: &[&ServiceFacts], settings: &ScrapeSettings) -> Vec<Scrape> {
    let mut found = Vec::new();
    for service in services {
        let annotation = |key: &str| service.annotations.get(&format!("prometheus.io/{key}")).map(String::as_str);
        let slow = annotation("scrape-slow") == Some("true");
        if annotation("scrape") != Some("true") && !slow {
            continue;
        }
        let fixed = annotation("port").and_then(|port| port.parse::<u16>().ok());
        let mut numbers: Vec<u16> =
            service.ports.iter().filter_map(|port| fixed.or(number(&port.target, pod))).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let job = if slow { "kubernetes-service-endpoints-slow" } else { "kubernetes-service-endpoints" };
        for number in numbers {
            let mut labels: Discovered =
                service.labels.iter().map(|(key, value)| (sanitized(key), value.clone())).collect();
            let own =
                [("namespace", pod.namespace.as_str()), ("service", &service.name), ("node", "{node}"), ("job", job)];
            labels.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
            labels.push(("instance".to_owned(), format!("{}:{number}", pod.address)));
            let origin = format!("the annotation prometheus.io/scrape of Service/{}", service.name);
            found.push(Scrape {
                origin,
                container: pod.port(&PortReference::Number(number)).map(|(container, _)| container.name.clone()),
                port: Some(number),
                path: annotation("path").unwrap_or("/metrics").to_owned(),
                labels: super::by_pod::unique(labels),
                interval: if slow { settings.annotation_interval.max(SLOW) } else { settings.annotation_interval },
                honor_labels: true,
                metric_relabelings: Vec::new(),
                life: TargetLife::PodObject,
            });
        }
    }
    found
}

/// Interval of the chart's slow jobs.
pub(super) const SLOW: units::SimDuration = units::SimDuration::from_secs(300);
