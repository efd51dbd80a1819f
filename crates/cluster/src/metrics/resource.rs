//! CPU and memory as metrics-server tells them.

use std::collections::BTreeMap;

use policy::hpa::{ContainerRequests, PodRequests, RequestTable};
use policy::{ContainerUsage, MetricReading, PodUsage};
use units::{PodId, SimTime};

use super::exposition;
use crate::flow::Flow;
use crate::model::Pods;
use crate::spec::ServiceSpec;

/// The last two readings of each pod; a pod has a usage only between two.
#[derive(Debug, Default)]
pub(super) struct ResourceSamples {
    points: BTreeMap<PodId, (Point, Option<Point>)>,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    at: SimTime,
    busy_ns: u64,
}

impl ResourceSamples {
    /// One reading of all pods.
    pub(super) fn read(&mut self, now: SimTime, flow: &mut dyn Flow, pods: &Pods) {
        let known = std::mem::take(&mut self.points);
        for pod in pods.selected() {
            let busy_ns = exposition::live(pod, now, flow, pods).stats.busy_ns;
            let before = known.get(&pod).map(|(newest, _)| *newest);
            self.points.insert(pod, (Point { at: now, busy_ns }, before));
        }
    }

    /// Usage per container: CPU is the busy share of the window times the request (a serving process keeps its cores busy while it
    /// serves), memory is the request (weights stay loaded).
    pub(super) fn answer(&self, resource: &str, service: &ServiceSpec, pods: &Pods) -> MetricReading {
        let usage = |pod: PodId| {
            let (newest, before) = self.points.get(&pod)?;
            let before = before.as_ref()?;
            let window = newest.at - before.at;
            let share = newest.busy_ns.saturating_sub(before.busy_ns) as f64 / window.as_nanos() as f64;
            let containers = service.pod.containers.iter().filter_map(|container| {
                let usage_m = match resource {
                    "cpu" => (container.cpu?.0 as f64 * share) as i64,
                    "memory" => container.memory?.0 as i64 * 1_000,
                    _ => return None,
                };
                Some(ContainerUsage { name: container.name.clone(), usage_m })
            });
            let timestamp_ns = newest.at.as_nanos() as i64;
            let containers_listed = service.pod.containers.len();
            Some(PodUsage { pod, containers: containers.collect(), containers_listed, timestamp_ns, window })
        };
        MetricReading::Resource(pods.selected().into_iter().filter_map(usage).collect())
    }
}

/// Requests of the service's pods, the divisor of a utilization.
pub(crate) fn request_table(service: &ServiceSpec) -> RequestTable {
    let containers = service.pod.containers.iter().map(|container| {
        let cpu = container.cpu.map(|cpu| ("cpu".to_owned(), cpu.0 as i64));
        let memory = container.memory.map(|memory| ("memory".to_owned(), memory.0 as i64 * 1_000));
        ContainerRequests { name: container.name.clone(), requests: cpu.into_iter().chain(memory).collect() }
    });
    let template = PodRequests { containers: containers.collect(), ..PodRequests::default() };
    RequestTable { template, ..RequestTable::default() }
}
