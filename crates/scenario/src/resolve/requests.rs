//! Utilization needs a request to divide by: where there is none.

use cluster::spec::ServiceSpec;

/// The first container of the service, or the one named, that does not request `resource`; `None` if all that count do.
pub(super) fn lacking(service: &ServiceSpec, resource: &str, container: Option<&str>) -> Option<String> {
    // `spec.containers` is what the webhook walks through; the HPA looks at sidecars too.
    let containers = service.pod.containers.iter().filter(|found| !found.is_sidecar);
    let containers = containers.filter(|found| container.is_none_or(|name| found.name == name));
    let mut lacking = containers.filter(|found| match resource {
        "cpu" => found.cpu.is_none(),
        "memory" => found.memory.is_none(),
        _ => true,
    });
    lacking.next().map(|found| found.name.clone())
}
