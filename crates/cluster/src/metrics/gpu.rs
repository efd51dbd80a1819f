//! dcgm-exporter: which pod holds which GPU of a node, and what the exporter last saw of each.
//!
//! A GPU is there from the node's start to its end, whoever holds it: a free one, or one whose model is still loading, reads 0.

use std::collections::BTreeMap;

use exporters::Signal;
use units::{Bytes, NodeId, PodId, SimDuration, SimTime};

use super::process::Process;
use super::tenant::{Tenant, process_of};
use super::world::World;
use crate::fleet::NodeView;
use crate::spec::UsageSpec;

/// DCGM's utilization is the busy share of the driver's last sample period.
pub(super) const DCGM_WINDOW: SimDuration = SimDuration::from_secs(1);
const MEBIBYTE: f64 = 1_048_576.0;

/// Who holds a GPU: a pod of a replica, the first being 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Holder {
    pub replica: PodId,
    pub place: u32,
}

/// What the exporter shows of one GPU until its next refresh.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reading {
    holder: Option<Holder>,
    utilization: f64,
    active: f64,
    memory_used: f64,
    memory_free: f64,
    power: f64,
    energy_mj: f64,
}

/// A node's GPUs.
#[derive(Clone, Debug)]
struct NodeGpus {
    /// Who holds each allocatable unit.
    units: Vec<Option<Holder>>,
    /// GPUs those are of.
    devices: u32,
    /// Parts of a GPU with memory of their own: the driver tells no utilization of them.
    is_partitioned: bool,
    product: String,
    shown: Vec<Reading>,
    /// When the last refresh was, and the driver's last sample period began; busy time of each unit's holder then.
    refreshed: (SimTime, Vec<(Option<Holder>, u64)>),
    sampled: (SimTime, Vec<(Option<Holder>, u64)>),
}

impl NodeGpus {
    fn device_of(&self, unit: usize) -> usize {
        unit * self.devices as usize / self.units.len().max(1)
    }
}

/// All GPUs that can be seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Devices {
    nodes: BTreeMap<NodeId, NodeGpus>,
}

impl Devices {
    /// A node takes pods.
    pub fn node_is_up(&mut self, node: NodeId, view: &NodeView<'_>, (tenants, now): (&[Tenant], SimTime)) {
        let devices = if view.slice.devices == 0 { view.gpus } else { view.slice.devices };
        let units = vec![None; view.gpus as usize];
        let marks = (now, units.iter().map(|holder| (*holder, 0)).collect::<Vec<_>>());
        let mut of_node = NodeGpus {
            units,
            devices,
            is_partitioned: view.gpu_resource.contains("/mig-"),
            product: view.gpu_product.replace('-', " "),
            shown: Vec::new(),
            refreshed: marks.clone(),
            sampled: marks,
        };
        of_node.shown = (0..devices).map(|_| free(usage_of_free(tenants))).collect();
        self.nodes.insert(node, of_node);
    }

    pub fn node_is_gone(&mut self, node: NodeId) {
        self.nodes.remove(&node);
    }

    /// A pod has been bound: it gets the lowest free units.
    pub fn allocate(&mut self, pod: Holder, node: NodeId, gpus: u32) {
        let Some(of_node) = self.nodes.get_mut(&node) else { return };
        of_node.units.iter_mut().filter(|unit| unit.is_none()).take(gpus as usize).for_each(|unit| *unit = Some(pod));
    }

    /// The first GPU of a node that a pod holds.
    pub fn first_of(&self, pod: Holder, node: NodeId) -> Option<u32> {
        let of_node = self.nodes.get(&node)?;
        let unit = of_node.units.iter().position(|unit| *unit == Some(pod))?;
        Some(of_node.device_of(unit) as u32)
    }

    pub fn release(&mut self, replica: PodId, node: NodeId) {
        let Some(of_node) = self.nodes.get_mut(&node) else { return };
        let is_held = |unit: &Option<Holder>| unit.is_some_and(|holder| holder.replica == replica);
        of_node.units.iter_mut().filter(|unit| is_held(unit)).for_each(|unit| *unit = None);
    }

    /// GPUs of a node as the exporter shows them: index, and who held it at the last refresh.
    pub fn shown(&self, node: NodeId) -> impl Iterator<Item = (u32, Option<Holder>)> + '_ {
        let of_node = self.nodes.get(&node).into_iter();
        of_node.flat_map(|of_node| (0..).zip(of_node.shown.iter().map(|reading| reading.holder)))
    }

    /// Product name of a node's GPUs.
    pub fn product(&self, node: NodeId) -> String {
        self.nodes.get(&node).map_or_else(String::new, |of_node| of_node.product.clone())
    }

    /// The driver's sample period before a refresh begins; false if the node is gone.
    pub fn sample(&mut self, node: NodeId, world: &mut World<'_>, tenants: &[Tenant]) -> bool {
        let Some(of_node) = self.nodes.get_mut(&node) else { return false };
        of_node.sampled = (world.now, busy(&of_node.units, world, tenants));
        true
    }

    /// The exporter reads the driver; false if the node is gone.
    pub fn refresh(&mut self, node: NodeId, world: &mut World<'_>, tenants: &[Tenant]) -> bool {
        let Some(of_node) = self.nodes.get_mut(&node) else { return false };
        let now = busy(&of_node.units, world, tenants);
        let share = |unit: usize, (since, before): &(SimTime, Vec<(Option<Holder>, u64)>)| {
            let (holder, busy_ns) = now[unit];
            // Who has come since then has done nothing before.
            let base = if before[unit].0 == holder { before[unit].1 } else { 0 };
            let span = world.now.since(*since).as_nanos();
            if span == 0 { 0.0 } else { (busy_ns.saturating_sub(base) as f64 / span as f64).min(1.0) }
        };
        let elapsed = world.now.since(of_node.refreshed.0).as_secs_f64();
        let shown: Vec<Reading> = (0..of_node.devices as usize)
            .map(|device| {
                let units = (0..of_node.units.len()).filter(|&unit| of_node.device_of(unit) == device);
                let holders = units.clone().filter_map(|unit| of_node.units[unit]);
                let of_holder = holders.map(|holder| &tenants[holder.replica.service()].service.usage).next();
                let of_machine = of_holder.unwrap_or_else(|| usage_of_free(tenants));
                let mut reading = Reading { energy_mj: of_node.shown[device].energy_mj, ..free(of_machine) };
                for unit in units {
                    let Some(holder) = of_node.units[unit] else { continue };
                    let usage = &tenants[holder.replica.service()].service.usage;
                    reading.holder.get_or_insert(holder);
                    reading.utilization += share(unit, &of_node.sampled);
                    reading.active += share(unit, &of_node.refreshed);
                    let process = process_of(tenants, holder.replica);
                    let is_loaded = process.is_some_and(|process| process.listening.is_some());
                    if let Some(memory) = usage.gpu_memory.filter(|_| is_loaded) {
                        reading.memory_used += mebibytes(memory);
                        reading.memory_free = (reading.memory_free - mebibytes(memory)).max(0.0);
                    }
                }
                let (active, utilization) = (reading.active.min(1.0), reading.utilization.min(1.0));
                let (idle, busy) = of_machine.gpu_power.unwrap_or((f64::NAN, f64::NAN));
                reading.power = idle + (busy - idle) * utilization;
                reading.energy_mj += 1_000.0 * elapsed * (idle + (busy - idle) * active);
                reading.active = active;
                reading.utilization = if of_node.is_partitioned { f64::NAN } else { (utilization * 100.0).round() };
                reading
            })
            .collect();
        of_node.shown = shown;
        of_node.refreshed = (world.now, now);
        true
    }

    /// What the exporter shows of a GPU.
    pub fn value(&self, signal: Signal, node: NodeId, gpu: u32) -> f64 {
        let of_node = self.nodes.get(&node);
        let Some(reading) = of_node.and_then(|of_node| of_node.shown.get(gpu as usize)) else { return f64::NAN };
        match signal {
            Signal::DcgmUtilization => reading.utilization,
            Signal::DcgmEngineActive => reading.active,
            Signal::DcgmMemoryUsed => reading.memory_used,
            Signal::DcgmMemoryFree => reading.memory_free,
            Signal::DcgmPower => reading.power,
            Signal::DcgmEnergy => reading.energy_mj.floor(),
            _ => f64::NAN,
        }
    }
}

/// What is stated of GPUs, by the first service that states something: what nobody holds is one of those.
fn usage_of_free(tenants: &[Tenant]) -> &UsageSpec {
    let states = |usage: &&UsageSpec| usage.gpu_memory_total.is_some() || usage.gpu_power.is_some();
    let mut usages = tenants.iter().map(|tenant| &tenant.service.usage);
    usages.clone().find(states).or_else(|| usages.next()).expect("a run has at least one service")
}

/// What is seen of a GPU that nobody holds.
fn free(usage: &UsageSpec) -> Reading {
    Reading {
        holder: None,
        utilization: 0.0,
        active: 0.0,
        memory_used: if usage.gpu_memory.is_some() { 0.0 } else { f64::NAN },
        memory_free: usage.gpu_memory.and(usage.gpu_memory_total).map_or(f64::NAN, mebibytes),
        power: usage.gpu_power.map_or(f64::NAN, |(idle, _)| idle),
        energy_mj: usage.gpu_power.map_or(f64::NAN, |_| 0.0),
    }
}

fn mebibytes(memory: Bytes) -> f64 {
    memory.0 as f64 / MEBIBYTE
}

/// Who holds each unit, and how long it has been busy.
fn busy(units: &[Option<Holder>], world: &mut World<'_>, tenants: &[Tenant]) -> Vec<(Option<Holder>, u64)> {
    let nothing = Process::default();
    let of_unit = |holder: &Option<Holder>| {
        let busy = holder.map_or(0, |Holder { replica, .. }| {
            world.busy_ns(replica, process_of(tenants, replica).unwrap_or(&nothing))
        });
        (*holder, busy)
    };
    units.iter().map(of_unit).collect()
}
