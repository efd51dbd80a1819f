//! Utilization needs a request to divide by: what the HPA and KEDA's webhook say where there is none.

use cluster::spec::ServiceSpec;
use policy::hpa::{HpaSpec, MetricSpec, MetricTarget};

use super::Context;

/// The first container of the service, or the one named, that does not request `resource`; `None` if all that count do.
pub(super) fn lacking(service: &ServiceSpec, resource: &str, container: Option<&str>) -> Option<String> {
    let containers = service.pod.containers.iter().filter(|found| container.is_none_or(|name| found.name == name));
    let mut lacking = containers.filter(|found| match resource {
        "cpu" => found.cpu.is_none(),
        "memory" => found.memory.is_none(),
        _ => true,
    });
    lacking.next().map(|found| found.name.clone())
}

impl Context<'_> {
    /// The real controller tries, fails at every pass and changes nothing; nobody should have to ask why.
    pub(super) fn note_missing_requests(&mut self, hpa: &HpaSpec, service: &ServiceSpec) {
        for metric in &hpa.metrics {
            let (resource, container, reason) = match metric {
                MetricSpec::Resource { name, target: MetricTarget::Utilization(_) } => {
                    (name, None, "FailedGetResourceMetric")
                }
                MetricSpec::ContainerResource { name, container, target: MetricTarget::Utilization(_) } => {
                    (name, Some(container.as_str()), "FailedGetContainerResourceMetric")
                }
                _ => continue,
            };
            let Some(lacking) = lacking(service, resource, container) else { continue };
            let note = format!(
                "HorizontalPodAutoscaler/{}: missing request for {resource} in container {lacking}: the HPA reports {reason} and scales on \
                 nothing by this metric",
                hpa.name
            );
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }
}
