//! CPU and memory of a pod, as far as the scenario states them.
//!
//! CPU is counted, not sampled: what a pod has used follows from how long it was starting, idle and busy, so a rate over any window is
//! exact.

use units::{PodId, SimTime};

use super::process::Process;
use super::world::{PodSeen, World};
use crate::spec::{CpuUsage, MemoryUsage, ServiceModel, ServiceSpec};

const NANOS: f64 = 1e9;

/// What the containers of one pod have used.
pub(super) struct Usage<'a> {
    pub service: &'a ServiceSpec,
    pub process: &'a Process,
    pub seen: PodSeen,
    pub pod: PodId,
}

impl Usage<'_> {
    /// CPU of a container since it started, in seconds; of all of them if that is `None`.
    pub fn cpu_seconds(&self, container: Option<usize>, world: &World<'_>) -> f64 {
        match container {
            Some(container) => self.cpu_of(container, world),
            None => (0..self.service.pod.containers.len()).map(|container| self.cpu_of(container, world)).sum(),
        }
    }

    /// Memory in use by a container, in bytes; by all of them if that is `None`.
    pub fn memory_bytes(&self, container: Option<usize>, world: &World<'_>) -> f64 {
        match container {
            Some(container) => self.memory_of(container, world),
            None => (0..self.service.pod.containers.len()).map(|container| self.memory_of(container, world)).sum(),
        }
    }

    fn cpu_of(&self, container: usize, world: &World<'_>) -> f64 {
        let Some(started) = self.process.started else { return 0.0 };
        let busy = self.seen.stats.busy_ns as f64 / NANOS;
        match (self.service.usage.cpu, container) {
            // A serving process keeps its cores busy while it serves.
            (None, _) => cores(self.service.pod.containers[container].cpu.map_or(0, |cpu| cpu.0)) * busy,
            (Some(cpu), 0) => self.main_cpu(cpu, started, world),
            (Some(_), other) => {
                let used = self.other(other).map_or(0, |(cpu, _)| cpu);
                cores(used) * world.now.since(started).as_secs_f64()
            }
        }
    }

    fn main_cpu(&self, cpu: CpuUsage, started: SimTime, world: &World<'_>) -> f64 {
        let ready = self.process.ready.unwrap_or(world.now).max(started);
        let busy = self.seen.stats.busy_ns as f64 / NANOS;
        let mut used = cores(cpu.startup.0) * (ready - started).as_secs_f64();
        used += cores(cpu.idle.0) * world.now.since(ready).as_secs_f64();
        used += (cores(cpu.busy.0) - cores(cpu.idle.0)) * busy;
        if cpu.per_request.0 > 0 {
            used += cores(cpu.per_request.0) * self.request_seconds(world);
        }
        used
    }

    /// ∫ requests in service dt.
    fn request_seconds(&self, world: &World<'_>) -> f64 {
        if let ServiceModel::Slots { concurrency, .. } = self.service.model {
            return self.seen.stats.busy_ns as f64 / NANOS * f64::from(concurrency);
        }
        let under_way = self
            .seen
            .slot
            .map_or(0, |slot| world.services[self.pod.service()].flow.in_hand(slot, world.now).under_way_ns);
        (self.seen.stats.compute_ns + under_way) as f64 / NANOS
    }

    fn memory_of(&self, container: usize, world: &World<'_>) -> f64 {
        let Some(started) = self.process.started else { return 0.0 };
        match (self.service.usage.memory, container) {
            (None, _) => self.service.pod.containers[container].memory.map_or(0.0, |memory| memory.0 as f64),
            (Some(memory), 0) => self.main_memory(memory, started, world),
            (Some(_), other) => self.other(other).map_or(0.0, |(_, memory)| memory as f64),
        }
    }

    fn main_memory(&self, memory: MemoryUsage, started: SimTime, world: &World<'_>) -> f64 {
        let requests = (self.seen.own_waiting + self.seen.serving) as f64;
        if self.process.listening.is_some() {
            return memory.loaded.0 as f64 + memory.per_request.0 as f64 * requests;
        }
        // How long transfers will take nobody knows yet: what is planned is what it grows over.
        let planned = world.fleet.load_length(self.pod).as_secs_f64();
        let elapsed = world.now.since(started).as_secs_f64();
        let share = if planned > 0.0 { (elapsed / planned).min(1.0) } else { 1.0 };
        memory.loaded.0 as f64 * share
    }

    /// Constant CPU in millicores and memory in bytes of a container beside the main one.
    fn other(&self, container: usize) -> Option<(u64, u64)> {
        let name = &self.service.pod.containers[container].name;
        let stated = self.service.usage.containers.iter().find(|(known, ..)| known == name);
        stated.map(|(_, cpu, memory)| (cpu.0, memory.0))
    }
}

fn cores(millicores: u64) -> f64 {
    millicores as f64 / 1_000.0
}
