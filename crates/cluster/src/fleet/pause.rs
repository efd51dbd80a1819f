//! Pause pods: low-priority placeholders, each as large as a replica, that keep room and give it up the moment a replica needs it.
//!
//! They are alike and have no life of their own, so they are numbers: how many stand on each node and how many wait. A pod that preempts
//! one waits until it has made way (`PausePodsSpec::preemption`), with that room kept for it.

use record::GpuUse;
use units::{NodeId, PodId, SimDuration, SimTime};

use super::Fleet;
use super::event::{FleetEvent, Out};
use super::node::NodeState;
use super::placement::kinds;
use super::pod::PodPhase;

impl Fleet {
    /// Keeps `count` pause pods from now on. Their GPUs count as [`GpuUse::Standby`]. Without nodes there is nothing to keep.
    pub fn keep_pause_pods(&mut self, count: u32, now: SimTime, out: &mut Out) {
        self.enter(now);
        if self.is_serverless() {
            return;
        }
        let placed: u32 = self.paused.iter().map(|node| self.nodes[node.index()].pauses).sum();
        self.pauses_waiting = count.saturating_sub(placed);
        for _ in count..placed {
            let node = *self.paused.last().expect("more are placed than wanted");
            self.unplace_pause(node);
            self.on_maybe_empty(node, out);
        }
        self.schedule_pending(out);
        if self.is_karpenter() && self.pauses_waiting > 0 {
            self.trigger_batch(out);
        } else {
            self.request_capacity(out);
        }
    }

    /// How long a pause pod takes to make way for a pod that preempts it. At once unless said.
    pub fn preempt_after(&mut self, preemption: SimDuration) {
        self.preemption = preemption;
    }

    /// They are no pods but room that is kept: pods take it whatever their priority.
    pub fn keep_room_only(&mut self, is_room: bool) {
        self.room_only = is_room;
    }

    /// Pause pods that are there from the start, as far as the pools' limits leave room for them.
    pub fn start_pause_pods(&mut self, count: u32, now: SimTime, out: &mut Out) {
        self.enter(now);
        if self.is_serverless() {
            return;
        }
        self.pauses_waiting = count;
        self.place_pauses();
        while self.pauses_waiting > 0 && self.node_at_start(false, out).is_some() {
            self.place_pauses();
        }
        self.request_capacity(out);
    }

    /// `pod` will take the place of a pause pod on `node` once that has gone; until then the room is nobody's.
    pub(super) fn await_preemption(&mut self, pod: PodId, node: NodeId, out: &mut Out) {
        self.forget_waiting(pod);
        let state = &mut self.nodes[node.index()];
        state.leaving += 1;
        state.meter.take(GpuUse::Standby, self.classes[0].pod.gpus, self.now);
        self.reindex(node);
        self.after(self.preemption, FleetEvent::Preempted(node, pod), out);
    }

    /// The pause pod has gone. If the node has, or will, the pod looks elsewhere.
    pub(super) fn on_preempted(&mut self, node: NodeId, pod: PodId, out: &mut Out) {
        let state = &mut self.nodes[node.index()];
        if state.ended.is_none() {
            state.leaving -= 1;
            state.meter.free(GpuUse::Standby, self.classes[0].pod.gpus, self.now);
            self.reindex(node);
        }
        let state = &self.nodes[node.index()];
        let on_demand = self.pods[pod].on_demand;
        let takes_pods = state.state == NodeState::Up
            && !state.warned
            && !state.tainted
            && kinds(on_demand).contains(&self.offers[state.offer].spec.purchase);
        if self.pods[pod].phase == PodPhase::Pending {
            if takes_pods {
                self.bind(pod, node, out);
                return;
            }
            self.queue(pod);
        }
        self.schedule_pending(out);
        self.on_maybe_empty(node, out);
        if self.is_karpenter() && self.has_demand() {
            self.trigger_batch(out);
        } else {
            self.request_capacity(out);
        }
    }

    /// Places pause pods on whatever room replicas have left.
    pub(super) fn place_pauses(&mut self) {
        while self.pauses_waiting > 0
            && let Some(node) = self.best_open(false)
        {
            self.pauses_waiting -= 1;
            let state = &mut self.nodes[node.index()];
            state.pauses += 1;
            state.reserved = false;
            state.empty_epoch += 1;
            state.pod_event = self.now;
            state.meter.take(GpuUse::Standby, self.classes[0].pod.gpus, self.now);
            self.paused.insert(node);
            self.reindex(node);
        }
    }

    /// A node where `pod` can take the place of a pause pod, which then waits itself.
    pub(super) fn preempt(&mut self, pod: PodId, out: &mut Out) -> Option<NodeId> {
        let allowed = kinds(self.pods[pod].on_demand);
        let fits = |node: &&NodeId| {
            let state = &self.nodes[node.index()];
            !state.tainted && allowed.contains(&self.offers[state.offer].spec.purchase)
        };
        let node = if self.topology.is_empty() {
            *self.paused.iter().find(fits)?
        } else {
            self.map().first_paused(self.pods[pod].on_demand)?
        };
        self.unplace_pause(node);
        self.pauses_waiting += 1;
        if self.is_karpenter() {
            self.trigger_batch(out);
        }
        Some(node)
    }

    /// The pause pods of a node that is going wait again.
    pub(super) fn release_pauses(&mut self, node: NodeId) {
        while self.nodes[node.index()].pauses > 0 {
            self.unplace_pause(node);
            self.pauses_waiting += 1;
        }
    }

    fn unplace_pause(&mut self, node: NodeId) {
        let state = &mut self.nodes[node.index()];
        state.pauses -= 1;
        state.pod_event = self.now;
        state.meter.free(GpuUse::Standby, self.classes[0].pod.gpus, self.now);
        if state.pauses == 0 {
            self.paused.remove(&node);
        }
        self.reindex(node);
    }

    /// Slots that pause pods and (under Karpenter) pods about to be evicted lack, beyond what is free or on its way.
    pub(super) fn headroom_missing(&self) -> u32 {
        let displaced = if self.is_karpenter() { self.displaced() } else { 0 };
        match displaced + self.pauses_waiting {
            0 => 0,
            wanted => wanted.saturating_sub(self.spare_slots()),
        }
    }

    /// Orders that room. True if some of it is not to be had.
    pub(super) fn plan_headroom(&mut self, pack: bool, out: &mut Out) -> bool {
        let mut missing = self.headroom_missing();
        let mut room = self.room();
        while missing > 0 {
            let wanted = if pack { missing } else { 1 };
            let Some((candidates, _)) = self.choose(false, wanted, &mut room) else { return true };
            let node = self.launch(&candidates, out);
            self.nodes[node.index()].reserved = true;
            missing = missing.saturating_sub(self.offers[self.nodes[node.index()].offer].slots);
        }
        false
    }
}
