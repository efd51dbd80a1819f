//! CPU and memory as metrics-server tells them.

use std::collections::BTreeMap;

use policy::hpa::{ContainerRequests, PodRequests, RequestTable};
use policy::{ContainerUsage, MetricReading, PodUsage};
use units::{PodId, SimDuration, SimTime};

use super::tenant::{Tenant, process_of};
use super::usage::Usage;
use super::world::World;
use crate::spec::ServiceSpec;

/// A pod whose first reading comes this long after its start has a usage at once: from its start to that reading.
const YOUNGEST: SimDuration = SimDuration::from_secs(10);

/// The last two readings of each pod; a pod has a usage only between two.
#[derive(Debug, Default)]
pub(super) struct ResourceSamples {
    points: BTreeMap<PodId, (Point, Option<Point>)>,
}

/// One reading: CPU so far in seconds, and memory in bytes, of each container.
#[derive(Clone, Debug)]
struct Point {
    at: SimTime,
    containers: Vec<(f64, f64)>,
}

impl ResourceSamples {
    /// One reading of all pods whose containers run.
    pub(super) fn read(&mut self, world: &mut World<'_>, tenants: &[Tenant], resolution: SimDuration) {
        let mut known = std::mem::take(&mut self.points);
        let selected: Vec<PodId> = world.services.iter().flat_map(|view| view.pods.selected()).collect();
        for pod in selected {
            let service = &tenants[pod.service()].service;
            let Some(process) = process_of(tenants, pod) else { continue };
            let Some(started) = process.started.filter(|_| !process.is_lost) else { continue };
            let seen = world.pod(pod, process);
            let usage = Usage { service, process, seen, pod };
            let containers = (0..service.pod.containers.len())
                .map(|container| {
                    (usage.cpu_seconds(Some(container), world), usage.memory_bytes(Some(container), world))
                })
                .collect();
            let newest = Point { at: world.now, containers };
            let age = world.now.since(started);
            let before = known.remove(&pod).map(|(newest, _)| newest).or_else(|| {
                let is_young = age >= YOUNGEST && age < resolution;
                is_young.then(|| Point { at: started, containers: vec![(0.0, 0.0); service.pod.containers.len()] })
            });
            self.points.insert(pod, (newest, before));
        }
    }

    /// Usage per container over the time between the last two readings.
    pub(super) fn answer(&self, resource: &str, service: &ServiceSpec, pods: &crate::pods::Pods) -> MetricReading {
        let guesses_cpu = service.usage.cpu.is_none();
        let guesses_memory = service.usage.memory.is_none();
        let usage = |pod: PodId| {
            let (newest, before) = self.points.get(&pod)?;
            let before = before.as_ref()?;
            let window = newest.at - before.at;
            let containers = service.pod.containers.iter().enumerate().filter_map(|(index, container)| {
                let ((cpu, memory), (cpu_before, _)) = (newest.containers[index], before.containers[index]);
                let usage_m = match resource {
                    // A guess is made of the request; without one there is nothing to see.
                    "cpu" if guesses_cpu && container.cpu.is_none() => return None,
                    "memory" if guesses_memory && container.memory.is_none() => return None,
                    // A quantity of nanocores, rounded up when it is read in millicores.
                    "cpu" => ((cpu - cpu_before) / window.as_secs_f64() * 1e9).floor().max(0.0) / 1e6,
                    "memory" => memory.floor() * 1_000.0,
                    _ => return None,
                };
                Some(ContainerUsage { name: container.name.clone(), usage_m: usage_m.ceil() as i64 })
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
