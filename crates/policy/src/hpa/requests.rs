//! Resource requests of pods: the divisor of a utilization.

use std::collections::BTreeMap;

use units::PodId;

use crate::{MetricError, PodView};

/// What the pod template of a revision requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodRequests {
    /// Requests of the pod as a whole (`spec.resources`), milli-units by resource.
    pub pod_level: BTreeMap<String, i64>,
    /// `spec.containers`, and those `spec.initContainers` with `restartPolicy: Always`. Other init containers do not count.
    pub containers: Vec<ContainerRequests>,
}

/// Requests of one container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerRequests {
    /// Name of the container.
    pub name: String,
    /// Milli-units by resource.
    pub requests: BTreeMap<String, i64>,
}

/// The requests of every pod of a service: those of its template, save for pods of another revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestTable {
    /// Requests of the template.
    pub template: PodRequests,
    /// Pods whose requests differ from it.
    pub exceptions: BTreeMap<PodId, PodRequests>,
}

/// Which requests to add up.
#[derive(Clone, Copy, Debug)]
pub struct RequestQuery<'a> {
    /// `cpu`, `memory`, …
    pub resource: &'a str,
    /// The one container, or the whole pod.
    pub container: Option<&'a str>,
    /// Gate PodLevelResources: a request of the pod as a whole replaces the sum over its containers.
    pub has_pod_level: bool,
}

impl RequestTable {
    /// The request of every listed pod, ignored ones too. One container without a request fails them all.
    pub fn of(&self, pods: &[PodView], query: RequestQuery<'_>) -> Result<BTreeMap<PodId, i64>, MetricError> {
        pods.iter()
            .map(|view| {
                let requests = self.exceptions.get(&view.pod).unwrap_or(&self.template);
                let request = requests
                    .total(query)
                    .map_err(|what| MetricError { message: format!("{what} of Pod {}", view.pod) })?;
                Ok((view.pod, request))
            })
            .collect()
    }
}

impl PodRequests {
    fn total(&self, query: RequestQuery<'_>) -> Result<i64, String> {
        if let Some(name) = query.container {
            let found = self.containers.iter().find(|container| container.name == name);
            return found.ok_or_else(|| format!("container {name} not found in list"))?.request(query.resource);
        }
        if let (true, Some(request)) = (query.has_pod_level, self.pod_level.get(query.resource)) {
            return Ok(*request);
        }
        self.containers
            .iter()
            .try_fold(0_i64, |sum, container| Ok(sum.saturating_add(container.request(query.resource)?)))
    }
}

impl ContainerRequests {
    fn request(&self, resource: &str) -> Result<i64, String> {
        let request = self.requests.get(resource).copied();
        request.ok_or_else(|| format!("missing request for {resource} in container {}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PodPhase, Ready};

    fn container(name: &str, cpu_m: Option<i64>) -> ContainerRequests {
        ContainerRequests {
            name: name.into(),
            requests: cpu_m.map(|value| ("cpu".into(), value)).into_iter().collect(),
        }
    }

    fn total(requests: PodRequests, container: Option<&str>, has_pod_level: bool) -> Result<i64, String> {
        let view = PodView {
            pod: PodId(7),
            phase: PodPhase::Failed,
            deleted: true,
            ready: Ready::Absent,
            started_ns: None,
            ready_transition_ns: 0,
        };
        let table = RequestTable { template: requests, exceptions: BTreeMap::new() };
        let query = RequestQuery { resource: "cpu", container, has_pod_level };
        table.of(&[view], query).map(|sums| sums[&PodId(7)]).map_err(|error| error.message)
    }

    #[test]
    fn a_pod_requests_what_its_containers_do_unless_the_pod_level_says_otherwise() {
        let pod = || PodRequests {
            pod_level: [("cpu".to_owned(), 800)].into(),
            containers: vec![container("main", Some(300)), container("sidecar", Some(50))],
        };
        assert_eq!(total(pod(), None, false), Ok(350));
        assert_eq!(total(pod(), None, true), Ok(800));
        assert_eq!(total(pod(), Some("sidecar"), true), Ok(50));
    }

    #[test]
    fn one_missing_request_fails_even_for_a_pod_that_is_gone() {
        let pod = || PodRequests {
            pod_level: BTreeMap::new(),
            containers: vec![container("main", Some(300)), container("sidecar", None)],
        };
        assert_eq!(total(pod(), None, true), Err("missing request for cpu in container sidecar of Pod pod-7".into()));
        assert_eq!(total(pod(), Some("main"), false), Ok(300));
        assert_eq!(total(pod(), Some("gone"), false), Err("container gone not found in list of Pod pod-7".into()));
    }

    #[test]
    fn pods_of_another_revision_keep_their_own_requests() {
        let view = |id| PodView {
            pod: PodId(id),
            phase: PodPhase::Running,
            deleted: false,
            ready: Ready::True,
            started_ns: Some(0),
            ready_transition_ns: 0,
        };
        let one = |cpu_m| PodRequests { pod_level: BTreeMap::new(), containers: vec![container("main", Some(cpu_m))] };
        let table = RequestTable { template: one(100), exceptions: [(PodId(1), one(900))].into() };
        let query = RequestQuery { resource: "cpu", container: None, has_pod_level: false };
        assert_eq!(table.of(&[view(0), view(1)], query).unwrap(), [(PodId(0), 100), (PodId(1), 900)].into());
    }
}
