//! The Cluster Autoscaler: node groups, scans and timers.

use record::Purchase;
use units::{Millicores, NodeId, SimDuration, SimTime};

use super::Fleet;
use super::class::Class;
use super::event::{FleetEvent, Out};
use super::node::{Node, NodeState};
use super::pod::PodRole;
use super::room;
use crate::spec::{ClusterAutoscalerSpec, NodeManager};

/// A group that failed is left alone this long, twice as long each time up to the second; a failure longer ago than the third is forgotten.
const BACKOFF: (SimDuration, SimDuration, SimDuration) =
    (SimDuration::from_secs(300), SimDuration::from_secs(1_800), SimDuration::from_secs(10_800));
/// Blocked evictions are retried for this long, then the node is left alone (`--max-pod-eviction-time`).
const EVICTION_MAX: SimDuration = SimDuration::from_secs(120);
/// Pods younger than this are left to the scheduler, and GPU pods younger than the second.
const NEW_POD: SimDuration = SimDuration::from_secs(2);
const NEW_GPU_POD: SimDuration = SimDuration::from_secs(30);
/// Empty nodes deleted in one scan at most.
const EMPTY_MAX: usize = 10;

/// A node group that failed lately.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GroupBackoff {
    failed: SimTime,
    until: SimTime,
    length: SimDuration,
}

/// What the autoscaler remembers.
#[derive(Clone, Debug, Default)]
pub(super) struct Autoscaler {
    last_scale_up: Option<SimTime>,
    groups: Vec<GroupBackoff>,
}

impl Autoscaler {
    pub fn new(groups: usize) -> Self {
        Self { last_scale_up: None, groups: vec![GroupBackoff::default(); groups] }
    }
}

impl Fleet {
    fn autoscaler_spec(&self) -> Option<ClusterAutoscalerSpec> {
        match &self.spec.manager {
            NodeManager::ClusterAutoscaler(spec) => Some(spec.clone()),
            _ => None,
        }
    }

    /// Schedules the first scan.
    pub(super) fn start_scans(&mut self, out: &mut Out) {
        if let Some(spec) = self.autoscaler_spec() {
            self.after(spec.scan_interval, FleetEvent::Scan, out);
        }
    }

    /// One scan: up if pods wait, else down.
    pub(super) fn on_scan(&mut self, out: &mut Out) {
        let Some(spec) = self.autoscaler_spec() else { return };
        self.fill_minimum(false, out);
        self.nominate_unplanned();
        let has_scaled_up = (0..2).any(|class| self.scale_group_up(class == 1, out));
        self.note_unneeded(&spec);
        if !has_scaled_up {
            self.scale_down(&spec, out);
        }
        self.after(spec.scan_interval, FleetEvent::Scan, out);
    }

    /// Raises the size of one group by what the waiting pods need. Groups are tried by priority (their weight); among equals the one
    /// that wastes least.
    fn scale_group_up(&mut self, on_demand: bool, out: &mut Out) -> bool {
        if self.classes.len() > 1 {
            return self.scale_group_up_for_all(on_demand, out);
        }
        let queue = usize::from(on_demand);
        let headroom = if on_demand { 0 } else { self.headroom_missing()[0] };
        let waiting = self.classes[0].unplanned[queue].len() as u32 + headroom;
        if waiting == 0 || self.is_expendable(0) || self.has_only_new(queue) {
            return false;
        }
        let options = self.pool_order.iter().filter_map(|&pool| self.group_option(pool, on_demand, waiting));
        let Some(best) = options.min_by(GroupOption::compare) else {
            self.note_waits();
            return false;
        };
        self.autoscaler.last_scale_up = Some(self.now);
        for _ in 0..best.nodes {
            let node = self.launch(&best.candidates, out);
            for _ in 0..best.slots {
                let Some(pod) = self.classes[0].unplanned[queue].first().copied() else { break };
                self.nominate(pod, node);
            }
        }
        true
    }

    /// Marks that a group grows now.
    pub(super) fn note_scale_up(&mut self) {
        self.autoscaler.last_scale_up = Some(self.now);
    }

    /// Whether all pods of a queue that wait are so new that a scan leaves them to the scheduler: the oldest younger than 2 s, or the
    /// oldest that asks for GPUs than 30 s (`core/static_autoscaler.go`: `allPodsAreNew`).
    pub(super) fn has_only_new(&self, queue: usize) -> bool {
        let oldest = |of: &dyn Fn(&Class) -> bool| {
            let classes = self.classes.iter().filter(|class| of(class));
            classes.flat_map(|class| &class.unplanned[queue]).map(|&pod| self.pods[pod].created).min()
        };
        let is_newer = |created: Option<SimTime>, than| created.is_some_and(|created| self.now.since(created) < than);
        is_newer(oldest(&|_| true), NEW_POD) || is_newer(oldest(&|class| class.pod.gpus > 0), NEW_GPU_POD)
    }

    /// Whether the node group is left alone after a failure.
    pub(super) fn is_backing_off(&self, pool: usize) -> bool {
        self.autoscaler.groups.get(pool).is_some_and(|group| group.until > self.now)
    }

    /// What growing one group would do for `waiting` pods.
    fn group_option(&self, pool: usize, on_demand: bool, waiting: u32) -> Option<GroupOption> {
        if self.autoscaler.groups[pool].until > self.now || self.seems_without_gpus(pool) {
            return None;
        }
        let mut candidates: Vec<usize> =
            self.pool_offers[pool].iter().copied().filter(|&offer| self.is_eligible(0, offer, on_demand)).collect();
        self.sort_for_group(&mut candidates);
        // A group's nodes are taken to be alike: the first is the template.
        let placeable = self.keep_placeable(0, &mut candidates, &[]);
        let template = &self.offers[*candidates.first()?];
        let template_slots = self.slots(0, *candidates.first()?);
        candidates.retain(|&offer| self.slots(0, offer) >= template_slots);
        let slots = self.takes_each(0, template_slots).min(placeable);
        // Where the other pods are decides over the next node: one at a time.
        let most = if placeable == u32::MAX { u32::MAX } else { self.nodes_at_once() };
        let room = self.room().nodes_of(pool, template).min(most);
        let nodes = waiting.div_ceil(slots).min(room);
        if nodes == 0 {
            return None;
        }
        let served = waiting.min(nodes * slots);
        let cpu: u64 = self.classes[0]
            .pod
            .containers
            .iter()
            .map(|container| container.cpu.unwrap_or(Millicores(0)).0)
            .sum::<u64>();
        let offered = u64::from(nodes) * template.spec.cpu.0;
        let waste = if cpu > 0 && offered > 0 {
            // Least-waste looks at CPU and memory only: it is blind to GPUs.
            1.0 - (u64::from(served) * cpu) as f64 / offered as f64
        } else {
            1.0 - f64::from(served) / f64::from(nodes * slots)
        };
        let priority = self.spec.pools[pool].weight;
        Some(GroupOption { priority, waste, slots, candidates, nodes })
    }

    /// In the order in which a group falls back, in one request: reserved, spot, on-demand.
    pub(super) fn sort_for_group(&self, candidates: &mut [usize]) {
        let preference = |purchase| [Purchase::Reserved, Purchase::Spot].iter().position(|&first| first == purchase);
        candidates.sort_by_key(|&offer| {
            let of = &self.offers[offer];
            (preference(of.spec.purchase).unwrap_or(2), of.price(), of.in_use, offer)
        });
    }

    /// How many nodes one scan may add where placement rules bind: any number if they are about single nodes.
    pub(super) fn nodes_at_once(&self) -> u32 {
        if self.classes.iter().all(|class| class.topology.is_by_node()) { u32::MAX } else { 1 }
    }

    /// Starts and stops the clocks of nodes that are not needed: little used, and their pods fit elsewhere.
    fn note_unneeded(&mut self, spec: &ClusterAutoscalerSpec) {
        if self.classes.len() > 1 {
            return self.note_unneeded_of_all(spec);
        }
        let live: Vec<NodeId> = self.live.iter().copied().collect();
        let waiting = self.classes[0].waiting() + self.classes[0].pauses_waiting;
        let mut spare = self.classes[0].slots_open.saturating_sub(waiting);
        for node in live {
            let own = self.open_slots(0, node);
            let pods = self.nodes[node.index()].used();
            let elsewhere = spare.saturating_sub(own);
            let fits = if self.classes[0].topology.is_empty() {
                pods <= elsewhere
            } else {
                self.plan_map(0, &[node]).missing_after(pods, |_| true) == 0
            };
            if self.is_removable(node, spec) && fits {
                self.nodes[node.index()].unneeded_since.get_or_insert(self.now);
                // Its pods will take room elsewhere, and its own room goes.
                spare = elsewhere.saturating_sub(pods);
            } else {
                self.nodes[node.index()].unneeded_since = None;
            }
        }
    }

    /// Utilization below the threshold (GPUs only, as on any GPU group), and nothing that pins the node.
    pub(super) fn is_removable(&self, node: NodeId, spec: &ClusterAutoscalerSpec) -> bool {
        let state = &self.nodes[node.index()];
        let offer = &self.offers[state.offer];
        let used = state.held[room::GPUS] as f64;
        state.state == NodeState::Up
            && !state.warned
            && !state.pods.iter().any(|&pod| self.class(pod).pod.scheduling.pins_node)
            && used / f64::from(offer.spec.gpus.max(1)) < spec.gpu_utilization_threshold
            && self.pool_nodes[offer.pool] > self.spec.pools[offer.pool].nodes_min
            && state.pods.iter().all(|&pod| self.pods[pod].role == PodRole::Active && self.may_evict(pod))
    }

    /// Deletes nodes that have been unneeded for long enough: empty ones in bulk, else one that must be drained.
    fn scale_down(&mut self, spec: &ClusterAutoscalerSpec, out: &mut Out) {
        let has_rested = self.autoscaler.last_scale_up.is_none_or(|time| self.now.since(time) > spec.delay_after_add);
        let is_due = |node: &NodeId, fleet: &Self| {
            let since = fleet.nodes[node.index()].unneeded_since;
            since.is_some_and(|since| fleet.now.since(since) >= spec.unneeded_time)
        };
        let due: Vec<NodeId> = self.live.iter().copied().filter(|node| is_due(node, self)).collect();
        if !has_rested || due.is_empty() {
            return;
        }
        let (empty, full): (Vec<NodeId>, Vec<NodeId>) =
            due.into_iter().partition(|node| self.nodes[node.index()].used() == 0);
        let is_draining = self.draining.iter().any(|node| {
            let state = &self.nodes[node.index()];
            !state.pods.is_empty() && state.ending == "underutilized"
        });
        let mut deleted = 0;
        for node in empty {
            if deleted < EMPTY_MAX && self.may_shrink(node) {
                deleted += 1;
                self.begin_drain_of(node, "empty", out);
            }
        }
        if let (0, false, Some(&node)) = (deleted, is_draining, full.first())
            && self.may_shrink(node)
        {
            self.begin_drain_of(node, "underutilized", out);
        }
    }

    /// Whether the group of `node` stays at or above its minimum without it and those already going.
    fn may_shrink(&self, node: NodeId) -> bool {
        let pool = self.offers[self.nodes[node.index()].offer].pool;
        let draining = self.live.iter().map(|node| &self.nodes[node.index()]);
        let draining =
            draining.filter(|node| node.state == NodeState::Draining && self.offers[node.offer].pool == pool);
        self.pool_nodes[pool] - draining.count() as u32 > self.spec.pools[pool].nodes_min
    }

    /// Evictions are retried for a limited time only, unless the provider takes the node anyway.
    pub(super) fn begin_eviction_limit(&mut self, node: NodeId, out: &mut Out) {
        if self.nodes[node.index()].ending == "underutilized" {
            self.after(EVICTION_MAX, FleetEvent::GraceOver(node, true), out);
        }
    }

    /// Pods could not be evicted in time: the node takes pods again. Those that could are on their way out.
    pub(super) fn abandon_drain(&mut self, node: NodeId, out: &mut Out) {
        let state: &mut Node = &mut self.nodes[node.index()];
        let is_blocked = state.pods.iter().any(|&pod| !self.pods[pod].evicted);
        if !is_blocked || state.warned {
            return;
        }
        state.enter(NodeState::Up, self.now);
        state.ending = "running";
        state.unneeded_since = None;
        self.reindex(node);
        self.schedule_pending(out);
    }

    /// A launch failed or never came up: the node's group is left alone for a while.
    pub(super) fn back_off_group(&mut self, node: NodeId) {
        let pool = self.offers[self.nodes[node.index()].offer].pool;
        let now = self.now;
        let Some(group) = self.autoscaler.groups.get_mut(pool) else { return };
        let is_fresh = group.failed.saturating_add(BACKOFF.2) < now || group.length.is_zero();
        group.failed = now;
        // Failures of one scale-up come together and count once.
        if group.until > now {
            return;
        }
        group.length = if is_fresh { BACKOFF.0 } else { (group.length * 2).min(BACKOFF.1) };
        group.until = now + group.length;
    }

    /// A node the autoscaler asked for is not there: it is given up, and its group with it.
    pub(super) fn on_provision_timeout(&mut self, node: NodeId, out: &mut Out) {
        if self.nodes[node.index()].is_coming() {
            self.back_off_group(node);
            self.end_node(node, "provision_timeout", out);
        }
    }
}

/// A group that could grow.
pub(super) struct GroupOption {
    pub priority: u32,
    pub waste: f64,
    /// Pods each of its nodes is for.
    pub slots: u32,
    pub candidates: Vec<usize>,
    pub nodes: u32,
}

impl GroupOption {
    /// Better options first: higher priority, then less waste.
    pub fn compare(one: &Self, other: &Self) -> std::cmp::Ordering {
        other.priority.cmp(&one.priority).then(one.waste.total_cmp(&other.waste))
    }
}
