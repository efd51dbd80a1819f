//! Pause pods: low-priority placeholders, each as large as a replica of their service, that keep room and give it up the moment a pod needs
//! it.
//!
//! Those of one class are alike and have no life of their own, so they are numbers: how many stand on each node and how many wait. A pod
//! that preempts one waits until it has made way (`PausePodsSpec::preemption`), with that room kept for it.

use std::cmp::Reverse;

use record::GpuUse;
use units::{NodeId, PodId, SimDuration, SimTime};

use super::Fleet;
use super::event::{FleetEvent, Out};
use super::placement::kinds;
use super::pod::PodPhase;
use super::room;
use super::rooms::Counts;

impl Fleet {
    /// Keeps `count` pause pods of a service from now on. Their GPUs count as [`GpuUse::Standby`]. Without nodes there is nothing to keep.
    pub fn keep_pause_pods(&mut self, service: usize, count: u32, now: SimTime, out: &mut Out) {
        self.enter(now);
        if self.is_serverless() {
            return;
        }
        let paused = self.classes[service].paused.iter();
        let placed: u32 = paused.map(|node| self.nodes[node.index()].classes[service].pauses).sum();
        self.classes[service].pauses_waiting = count.saturating_sub(placed);
        for _ in count..placed {
            let node = *self.classes[service].paused.last().expect("more are placed than wanted");
            self.unplace_pause(service, node);
            self.on_maybe_empty(node, out);
        }
        self.schedule_pending(out);
        if self.is_karpenter() && self.classes[service].pauses_waiting > 0 {
            self.trigger_batch(out);
        } else {
            self.request_capacity(out);
        }
    }

    /// How long a pause pod of a service takes to make way for a pod that preempts it. At once unless said.
    pub fn preempt_after(&mut self, service: usize, preemption: SimDuration) {
        self.classes[service].preemption = preemption;
    }

    /// They are no pods but room that is kept: pods take it whatever their priority.
    pub fn keep_room_only(&mut self, service: usize, is_room: bool) {
        self.classes[service].room_only = is_room;
    }

    /// Pause pods that are there from the start, as far as the pools' limits leave room for them.
    pub fn start_pause_pods(&mut self, service: usize, count: u32, now: SimTime, out: &mut Out) {
        self.enter(now);
        if self.is_serverless() {
            return;
        }
        self.classes[service].pauses_waiting = count;
        self.place_pauses();
        while self.classes[service].pauses_waiting > 0 && self.node_at_start(service, false, out).is_some() {
            self.place_pauses();
        }
        self.request_capacity(out);
    }

    /// Has waiting pods take the places of their own service's pause pods.
    pub(super) fn preempt_pauses(&mut self, out: &mut Out) {
        let mut failed: Vec<[bool; 2]> = self.classes.iter().map(|class| [!class.may_take_pauses(); 2]).collect();
        while let Some((class, queue)) = self.first_waiting(|class| &class.pending, &failed) {
            let waiting = self.classes[class].pending[queue].iter();
            // A pod that others make way for has its place.
            let pod = waiting.copied().find(|&pod| self.pods[pod].preempts_on.is_none());
            let found = pod.and_then(|pod| Some((pod, self.preempt(pod, out)?)));
            match found {
                Some((pod, node)) => self.take_over(pod, node, self.classes[class].preemption, out),
                None => failed[class][queue] = true,
            }
        }
    }

    /// `pod` is bound to `node` in the place of pause pods that take `preemption` to make way.
    pub(super) fn take_over(&mut self, pod: PodId, node: NodeId, preemption: SimDuration, out: &mut Out) {
        if preemption.is_zero() {
            self.bind(pod, node, out);
        } else {
            self.await_preemption(pod, node, preemption, out);
        }
    }

    /// `pod` will take the place of pause pods on `node` once they have gone; until then the room is nobody's.
    fn await_preemption(&mut self, pod: PodId, node: NodeId, preemption: SimDuration, out: &mut Out) {
        self.forget_waiting(pod);
        let class = pod.service();
        let of = &self.classes[class];
        let state = &mut self.nodes[node.index()];
        state.classes[class].leaving += 1;
        room::add(&mut state.held, &of.wanted, 1);
        state.meter.take((class, GpuUse::Standby), of.pod.gpus, self.now);
        self.reindex(node);
        self.after(preemption, FleetEvent::Preempted(node, pod), out);
    }

    /// The pause pod has gone. If the node has, or will, the pod looks elsewhere.
    pub(super) fn on_preempted(&mut self, node: NodeId, pod: PodId, out: &mut Out) {
        let class = pod.service();
        let of = &self.classes[class];
        let state = &mut self.nodes[node.index()];
        if state.ended.is_none() {
            state.classes[class].leaving -= 1;
            room::subtract(&mut state.held, &of.wanted, 1);
            state.meter.free((class, GpuUse::Standby), of.pod.gpus, self.now);
            self.reindex(node);
        }
        let state = &self.nodes[node.index()];
        let on_demand = self.pods[pod].on_demand;
        let takes_pods = state.takes_pods() && kinds(on_demand).contains(&self.offers[state.offer].spec.purchase);
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
        let waiting = self.classes.iter().enumerate().filter(|(_, class)| class.pauses_waiting > 0);
        let mut waiting: Vec<usize> = waiting.map(|(class, _)| class).collect();
        // Those of the more important services first.
        waiting.sort_by_key(|&class| Reverse(self.classes[class].pod.priority));
        for class in waiting {
            while self.classes[class].pauses_waiting > 0
                && let Some(node) = self.best_open(class, false)
            {
                self.place_pause(class, node);
            }
        }
    }

    fn place_pause(&mut self, class: usize, node: NodeId) {
        let of = &mut self.classes[class];
        of.pauses_waiting -= 1;
        of.paused.insert(node);
        let state = &mut self.nodes[node.index()];
        state.classes[class].pauses += 1;
        room::add(&mut state.held, &of.wanted, 1);
        state.reserved = false;
        state.empty_epoch += 1;
        state.pod_event = self.now;
        state.meter.take((class, GpuUse::Standby), of.pod.gpus, self.now);
        self.reindex(node);
    }

    /// A node where `pod` can take the place of a pause pod, which then waits itself.
    fn preempt(&mut self, pod: PodId, out: &mut Out) -> Option<NodeId> {
        let class = pod.service();
        let of = &self.classes[class];
        let allowed = kinds(self.pods[pod].on_demand);
        let fits = |node: &&NodeId| {
            let state = &self.nodes[node.index()];
            !state.tainted && allowed.contains(&self.offers[state.offer].spec.purchase)
        };
        let node = if of.topology.is_empty() {
            *of.paused.iter().find(fits)?
        } else {
            self.map(class).first_paused(self.pods[pod].on_demand)?
        };
        self.unplace_pause(class, node);
        self.classes[class].pauses_waiting += 1;
        if self.is_karpenter() {
            self.trigger_batch(out);
        }
        Some(node)
    }

    /// The pause pods of a node that is going wait again.
    pub(super) fn release_pauses(&mut self, node: NodeId) {
        for class in 0..self.classes.len() {
            while self.nodes[node.index()].classes[class].pauses > 0 {
                self.unplace_pause(class, node);
                self.classes[class].pauses_waiting += 1;
            }
        }
    }

    pub(super) fn unplace_pause(&mut self, class: usize, node: NodeId) {
        let of = &mut self.classes[class];
        let state = &mut self.nodes[node.index()];
        state.classes[class].pauses -= 1;
        room::subtract(&mut state.held, &of.wanted, 1);
        state.pod_event = self.now;
        state.meter.free((class, GpuUse::Standby), of.pod.gpus, self.now);
        if state.classes[class].pauses == 0 {
            of.paused.remove(&node);
        }
        self.reindex(node);
    }

    /// Slots that pause pods and (under Karpenter) pods about to be evicted lack, by class, beyond what is free or on its way.
    pub(super) fn headroom_missing(&self) -> Counts {
        let mut wanted: Counts =
            if self.is_karpenter() { self.displaced() } else { Counts::from_elem(0, self.classes.len()) };
        for (wanted, class) in wanted.iter_mut().zip(&self.classes) {
            *wanted += class.pauses_waiting;
        }
        if wanted.iter().all(|&wanted| wanted == 0) {
            return wanted;
        }
        if self.classes.len() == 1 {
            wanted[0] = wanted[0].saturating_sub(self.spare_slots());
            return wanted;
        }
        self.rooms_coming().place_all(&wanted, |_| true)
    }

    /// Orders that room. True if some of it is not to be had.
    pub(super) fn plan_headroom(&mut self, pack: bool, out: &mut Out) -> bool {
        if self.classes.len() > 1 {
            return if pack { self.plan_claims_for_headroom(out) } else { self.plan_headroom_singly(out) };
        }
        let mut missing = self.headroom_missing()[0];
        let mut room = self.room();
        while missing > 0 {
            let wanted = if pack { missing } else { 1 };
            let Some((candidates, _)) = self.choose(0, (false, wanted), &mut room) else { return true };
            let node = self.launch(&candidates, out);
            self.nodes[node.index()].reserved = true;
            missing = missing.saturating_sub(self.slots(0, self.nodes[node.index()].offer));
        }
        false
    }

    /// A node at a time for what lacks most.
    fn plan_headroom_singly(&mut self, out: &mut Out) -> bool {
        let mut is_short = vec![false; self.classes.len()];
        let mut room = self.room();
        loop {
            let missing = self.headroom_missing();
            let lacking = (0..missing.len()).filter(|&class| missing[class] > 0 && !is_short[class]);
            let Some(class) = lacking.min_by_key(|&class| Reverse(self.classes[class].pod.priority)) else { break };
            let Some((candidates, _)) = self.choose(class, (false, 1), &mut room) else {
                is_short[class] = true;
                continue;
            };
            let node = self.launch(&candidates, out);
            self.nodes[node.index()].reserved = true;
        }
        is_short.contains(&true)
    }
}

impl super::class::Class {
    /// Whether its pods may take the places of pause pods there are.
    fn may_take_pauses(&self) -> bool {
        !self.paused.is_empty() && (self.room_only || !self.pod.scheduling.never_preempts)
    }
}
