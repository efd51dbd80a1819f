//! The scheduler: which waiting pod goes on which node.
//!
//! All pods of the service ask for the same, so a node's room is a number of slots, and nodes with room are kept sorted by how the
//! scheduler ranks them: placing a pod costs the logarithm of the number of nodes.

use std::collections::BTreeSet;

use record::{GpuUse, Purchase};
use units::{NodeId, PodId};

use super::Fleet;
use super::event::{Notice, Out};
use super::node::NodeState;
use super::pod::PodPhase;
use crate::spec::Scheduling;

/// Score of a full node; ranks are fixed-point shares of it.
const FULL: u32 = 1 << 16;

impl Fleet {
    /// Lists or unlists `node` according to the room it has now.
    pub(super) fn reindex(&mut self, node: NodeId) {
        let state = &self.nodes[node.index()];
        let offer = &self.offers[state.offer];
        let kind = offer.spec.purchase as usize;
        let used = state.used();
        let has_room = state.state == NodeState::Up && !state.warned && !state.tainted && used < offer.slots;
        let key = has_room.then(|| {
            let share = (u64::from(used) * u64::from(FULL) / u64::from(offer.slots)) as u32;
            let rank = match self.spec.scheduling {
                Scheduling::LeastAllocated => share,
                Scheduling::MostAllocated => FULL - share,
            } + offer.dislike;
            // A preference for spreading weighs more than how full a node is.
            if self.classes[0].pod.spread.nodes { state.pods.len() as u32 * 2 * FULL + rank } else { rank }
        });
        let slots_open = if has_room { offer.slots - used } else { 0 };
        self.slots_open = self.slots_open + slots_open - state.listed_slots;
        let is_draining = state.state == NodeState::Draining;
        let is_expecting =
            self.is_counted_on(node) && !state.warned && (state.nominated.len() as u32) < self.takes_each(offer.slots);
        if key != state.open_key {
            if let Some(old) = state.open_key {
                self.open[kind].remove(&(old, node));
            }
            if let Some(new) = key {
                self.open[kind].insert((new, node));
            }
            self.nodes[node.index()].open_key = key;
        }
        self.nodes[node.index()].listed_slots = slots_open;
        if is_draining {
            self.draining.insert(node);
        } else {
            self.draining.remove(&node);
        }
        if is_expecting {
            self.coming[kind].insert(node);
        } else {
            self.coming[kind].remove(&node);
        }
    }

    /// Binds every waiting pod that fits somewhere, the oldest first.
    pub(super) fn schedule_pending(&mut self, out: &mut Out) {
        loop {
            let any = self.best_for_first(false);
            let on_demand = self.best_for_first(true);
            let next = match (any, on_demand) {
                (Some(one), Some(other)) => Some(if one.1 < other.1 { one } else { other }),
                (one, other) => one.or(other),
            };
            let Some((node, pod)) = next else { break };
            self.bind(pod, node, out);
        }
        for class in 0..2 {
            let may_preempt =
                !self.paused.is_empty() && (self.room_only || !self.classes[0].pod.scheduling.never_preempts);
            while let Some(pod) = self.pending[class].first().copied().filter(|_| may_preempt)
                && let Some(node) = self.preempt(pod, out)
            {
                if self.preemption.is_zero() {
                    self.bind(pod, node, out);
                } else {
                    self.await_preemption(pod, node, out);
                }
            }
        }
        self.place_pauses();
    }

    /// The first waiting pod of a class, and the node for it.
    fn best_for_first(&self, on_demand: bool) -> Option<(NodeId, PodId)> {
        let pod = self.pending[usize::from(on_demand)].first().copied()?;
        Some((self.best_for_pod(on_demand)?, pod))
    }

    /// The node that the scheduler ranks highest among those that one more pod of the service may go to.
    pub(super) fn best_for_pod(&self, on_demand: bool) -> Option<NodeId> {
        if self.topology.is_empty() { self.best_open(on_demand) } else { self.map().best(on_demand) }
    }

    /// The node with room that the scheduler ranks highest, placement rules aside.
    pub(super) fn best_open(&self, on_demand: bool) -> Option<NodeId> {
        let open = kinds(on_demand).iter().map(|&kind| &self.open[kind as usize]);
        if self.classes[0].pod.spread.zones {
            let pods = self.pods_by_zone();
            let zone = |node: NodeId| self.offers[self.nodes[node.index()].offer].zone;
            return open.flatten().min_by_key(|&&(rank, node)| (pods[zone(node)], rank, node)).map(|&(_, node)| node);
        }
        open.filter_map(BTreeSet::first).min().map(|&(_, node)| node)
    }

    /// Pods in each zone, those that count on a node there included.
    pub(super) fn pods_by_zone(&self) -> Vec<usize> {
        let mut pods = vec![0; self.zones.len()];
        for node in &self.live {
            let state = &self.nodes[node.index()];
            pods[self.offers[state.offer].zone] += state.pods.len() + state.nominated.len();
        }
        pods
    }

    /// How many of the waiting pods a new node with `slots` slots is ordered for. Karpenter takes preferences for requirements as long
    /// as it can meet them: pods that would rather not share a node get one each.
    pub(super) fn takes_each(&self, slots: u32) -> u32 {
        let slots = slots.min(self.topology.pods_per_node());
        if self.is_karpenter() && self.classes[0].pod.spread.nodes { slots.min(1) } else { slots }
    }

    /// Puts `pod` on `node`.
    pub(super) fn bind(&mut self, pod: PodId, node: NodeId, out: &mut Out) {
        self.forget_waiting(pod);
        self.join(pod, node);
        out.tell(Notice::Scheduled { pod, node });
        self.begin_cold_start(pod, out);
    }

    /// The bookkeeping of binding.
    pub(super) fn join(&mut self, pod: PodId, node: NodeId) {
        self.pods[pod].node = Some(node);
        let state = &mut self.nodes[node.index()];
        state.pods.push(pod);
        state.empty_epoch += 1;
        state.pod_event = self.now;
        state.reserved = false;
        self.reindex(node);
        self.changed = true;
    }

    /// Takes `pod` out of every waiting list.
    pub(super) fn forget_waiting(&mut self, pod: PodId) {
        let class = usize::from(self.pods[pod].on_demand);
        self.pending[class].remove(&pod);
        self.unplanned[class].remove(&pod);
        let now = self.now;
        self.pods[pod].stop_waiting(now);
        self.withdraw(pod);
    }

    /// Counts on `node`, which is on its way, for `pod`.
    pub(super) fn nominate(&mut self, pod: PodId, node: NodeId) {
        let class = usize::from(self.pods[pod].on_demand);
        self.unplanned[class].remove(&pod);
        let now = self.now;
        self.pods[pod].stop_waiting(now);
        self.pods[pod].nominated = Some(node);
        let state = &mut self.nodes[node.index()];
        state.nominated.push(pod);
        state.meter.take(GpuUse::Provisioning, self.classes[0].pod.gpus, self.now);
        self.reindex(node);
    }

    /// Counts on no node for `pod` any more. It is not yet unplanned again: that is for the caller to say.
    fn withdraw(&mut self, pod: PodId) {
        if let Some(node) = self.pods[pod].nominated.take() {
            let state = &mut self.nodes[node.index()];
            state.nominated.retain(|&other| other != pod);
            state.meter.free(GpuUse::Provisioning, self.classes[0].pod.gpus, self.now);
            self.reindex(node);
        }
    }

    /// The pods that counted on `node` must look elsewhere.
    pub(super) fn disappoint(&mut self, node: NodeId) {
        for pod in self.nodes[node.index()].nominated.clone() {
            self.withdraw(pod);
            let class = usize::from(self.pods[pod].on_demand);
            self.unplanned[class].insert(pod);
        }
    }

    /// Lets waiting pods count on nodes already on their way.
    pub(super) fn nominate_unplanned(&mut self) {
        for class in 0..2 {
            while let Some(pod) = self.unplanned[class].first().copied() {
                let Some(node) = self.first_coming(class == 1) else { break };
                self.nominate(pod, node);
            }
        }
    }

    /// The first node on its way that one more pod may count on.
    fn first_coming(&self, on_demand: bool) -> Option<NodeId> {
        let mut firsts = kinds(on_demand).iter().filter_map(|&kind| self.coming[kind as usize].first()).peekable();
        firsts.peek()?;
        if self.topology.is_empty() { firsts.min().copied() } else { self.plan_map(&[]).first_coming(on_demand) }
    }

    /// True if pods wait for which no node is on its way, or room lacks that is to be kept.
    pub(super) fn has_demand(&self) -> bool {
        self.unplanned.iter().any(|pods| !pods.is_empty()) || self.headroom_missing() > 0
    }

    /// Where ReplicaSet would start: pods in the order of nodes.md section 5 in which a scale-in deletes them.
    ///
    /// Unscheduled first, then not ready, then those with more siblings on their node, then the newest ready, then the newest.
    pub fn victims(&self, candidates: impl Iterator<Item = PodId>, count: usize) -> Vec<PodId> {
        let mut ranked: Vec<_> = candidates.map(|pod| (self.victim_rank(pod), pod)).collect();
        // Only the first `count` need to be in order.
        if count < ranked.len() && count > 0 {
            ranked.select_nth_unstable(count - 1);
        }
        ranked.truncate(count);
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, pod)| pod).collect()
    }

    /// The first of [`Fleet::victims`].
    pub fn victim(&self, candidates: impl Iterator<Item = PodId>) -> Option<PodId> {
        candidates.min_by_key(|&pod| (self.victim_rank(pod), pod))
    }

    fn victim_rank(&self, pod: PodId) -> impl Ord + use<> {
        let state = &self.pods[pod];
        let siblings = state.node.map_or(0, |node| {
            self.nodes[node.index()].pods.iter().filter(|&&other| self.pods[other].is_expected()).count()
        });
        let newest = |time: units::SimTime| std::cmp::Reverse(time);
        (
            state.node.is_some(),
            state.phase == PodPhase::Ready,
            std::cmp::Reverse(siblings),
            state.ready_at.map(newest),
            newest(state.created),
            std::cmp::Reverse(pod),
        )
    }
}

/// Purchase options a pod may run on, in no particular order.
pub(super) fn kinds(on_demand: bool) -> &'static [Purchase] {
    if on_demand {
        &[Purchase::OnDemand, Purchase::Reserved]
    } else {
        &[Purchase::OnDemand, Purchase::Spot, Purchase::Reserved]
    }
}
