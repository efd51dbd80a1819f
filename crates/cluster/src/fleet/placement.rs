//! The scheduler: which waiting pod goes on which node.
//!
//! All pods of a class ask for the same, so a node's room for them is a number of slots, and nodes with room are kept sorted by how the
//! scheduler ranks them for that class: placing a pod costs the logarithm of the number of nodes.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use record::{GpuUse, Purchase};
use units::{NodeId, PodId, SimTime};
use workload::{Purpose, Stream};

use super::Fleet;
use super::class::Class;
use super::event::{Notice, Out};
use super::node::NodeState;
use super::pod::PodPhase;
use super::room;
use crate::spec::Scheduling;

/// Score of a full node; ranks are fixed-point shares of it.
const FULL: u32 = 1 << 16;

impl Fleet {
    /// How many pods of a class fit on an empty node of `offer`.
    pub(super) fn slots(&self, class: usize, offer: usize) -> u32 {
        self.classes[class].fits[offer].slots
    }

    /// How many more pods of a class fit on `node`, beside those that are there and those that others make way for.
    fn free_slots(&self, class: usize, node: NodeId) -> u32 {
        let state = &self.nodes[node.index()];
        let (of, has) = (&self.classes[class], &self.offers[state.offer].has);
        if of.fits[state.offer].slots == 0 {
            return 0;
        }
        if state.preemptors.is_empty() {
            return room::fits(has, &state.held, &of.wanted);
        }
        let mut held = state.held.clone();
        for &pod in &state.preemptors {
            if self.class(pod).pod.priority >= of.pod.priority {
                room::add(&mut held, &self.class(pod).wanted, 1);
            }
        }
        room::fits(has, &held, &of.wanted)
    }

    /// Lists or unlists `node` according to the room it has now.
    pub(super) fn reindex(&mut self, node: NodeId) {
        for class in 0..self.classes.len() {
            self.reindex_for(class, node);
        }
        if self.nodes[node.index()].state == NodeState::Draining {
            self.draining.insert(node);
        } else {
            self.draining.remove(&node);
        }
    }

    fn reindex_for(&mut self, class: usize, node: NodeId) {
        let state = &self.nodes[node.index()];
        let (offer, on_node) = (&self.offers[state.offer], &state.classes[class]);
        let kind = offer.spec.purchase as usize;
        let slots_open = if state.takes_pods() { self.free_slots(class, node) } else { 0 };
        let key = (slots_open > 0).then(|| self.rank(class, node, slots_open));
        let takes = self.takes_each(class, self.slots(class, state.offer));
        let is_expecting = self.is_counted_on(node)
            && !state.warned
            && on_node.nominated < takes
            && room::fits(&offer.has, &state.planned, &self.classes[class].wanted) > 0;
        let (old_key, old_slots) = (on_node.open_key, on_node.listed_slots);
        let of = &mut self.classes[class];
        of.slots_open = of.slots_open + slots_open - old_slots;
        if key != old_key {
            if let Some(old) = old_key {
                of.open[kind].remove(&(old, node));
            }
            if let Some(new) = key {
                of.open[kind].insert((new, node));
            }
        }
        if is_expecting {
            of.coming[kind].insert(node);
        } else {
            of.coming[kind].remove(&node);
        }
        let on_node = &mut self.nodes[node.index()].classes[class];
        (on_node.open_key, on_node.listed_slots) = (key, slots_open);
    }

    /// How the scheduler ranks a node with so many free slots for a class; the lowest is best.
    fn rank(&self, class: usize, node: NodeId, free: u32) -> u32 {
        let (state, of) = (&self.nodes[node.index()], &self.classes[class]);
        let fit = &of.fits[state.offer];
        let share = (u64::from(fit.slots - free) * u64::from(FULL) / u64::from(fit.slots)) as u32;
        let rank = match self.spec.scheduling {
            Scheduling::LeastAllocated => share,
            Scheduling::MostAllocated => FULL - share,
        } + fit.dislike;
        // A preference for spreading weighs more than how full a node is.
        if of.pod.spread.nodes { state.classes[class].pods * 2 * FULL + rank } else { rank }
    }

    /// Binds every waiting pod that fits somewhere: the most important first, then the oldest. One that does not fit lets others pass.
    pub(super) fn schedule_pending(&mut self, out: &mut Out) {
        self.bind_preemptors(out);
        let mut failed = vec![[false; 2]; self.classes.len()];
        while let Some((pod, queue)) = self.next_pending(&failed) {
            let class = pod.service();
            let Some(node) = self.best_for_pod(class, queue == 1) else {
                failed[class][queue] = true;
                continue;
            };
            self.bind(pod, node, out);
            if !self.classes[class].topology.is_empty() {
                failed[class] = [false; 2];
            }
        }
        self.preempt_pauses(out);
        self.preempt_lower(out);
        self.place_pauses();
    }

    /// The waiting pod that comes first, leaving out queues.
    fn next_pending(&self, failed: &[[bool; 2]]) -> Option<(PodId, usize)> {
        let firsts = self.classes.iter().zip(failed).flat_map(|(class, failed)| {
            let first = |queue: usize| class.pending[queue].first().map(|&pod| (pod, queue));
            (0..2).filter(|&queue| !failed[queue]).filter_map(first)
        });
        firsts.min_by_key(|&(pod, _)| (Reverse(self.class(pod).pod.priority), self.pods[pod].number))
    }

    /// The class and queue of pods to be looked after next: the class of highest priority, then with the oldest pod; those that may go
    /// anywhere first. Those left out are left out.
    pub(super) fn first_waiting<'a>(
        &'a self,
        of: impl Fn(&'a Class) -> &'a [BTreeSet<PodId>; 2],
        left_out: &[[bool; 2]],
    ) -> Option<(usize, usize)> {
        let firsts = self.classes.iter().enumerate().filter_map(|(class, state)| {
            let queue = (0..2).find(|&queue| !left_out[class][queue] && !of(state)[queue].is_empty())?;
            Some((class, queue))
        });
        firsts.min_by_key(|&(class, queue)| {
            let state = &self.classes[class];
            let number = of(state)[queue].first().map(|&pod| self.pods[pod].number);
            (Reverse(state.pod.priority), number)
        })
    }

    /// The node that the scheduler ranks highest among those that one more pod of a class may go to.
    pub(super) fn best_for_pod(&self, class: usize, on_demand: bool) -> Option<NodeId> {
        if self.classes[class].topology.is_empty() {
            self.best_open(class, on_demand)
        } else {
            self.map(class).best(on_demand)
        }
    }

    /// The node with room that the scheduler ranks highest, placement rules aside.
    pub(super) fn best_open(&self, class: usize, on_demand: bool) -> Option<NodeId> {
        let of = &self.classes[class];
        let open = kinds(on_demand).iter().map(|&kind| &of.open[kind as usize]);
        if of.pod.spread.zones {
            let pods = self.pods_by_zone(class);
            let zone = |node: NodeId| self.offers[self.nodes[node.index()].offer].zone;
            return open.flatten().min_by_key(|&&(rank, node)| (pods[zone(node)], rank, node)).map(|&(_, node)| node);
        }
        open.filter_map(BTreeSet::first).min().map(|&(_, node)| node)
    }

    /// Pods of a class in each zone, those that count on a node there included.
    pub(super) fn pods_by_zone(&self, class: usize) -> Vec<usize> {
        let mut pods = vec![0; self.zones.len()];
        for node in &self.live {
            let state = &self.nodes[node.index()];
            let on_node = &state.classes[class];
            pods[self.offers[state.offer].zone] += (on_node.pods + on_node.nominated) as usize;
        }
        pods
    }

    /// How many of the waiting pods of a class a new node with `slots` slots is ordered for. Karpenter takes preferences for requirements
    /// as long as it can meet them: pods that would rather not share a node get one each.
    pub(super) fn takes_each(&self, class: usize, slots: u32) -> u32 {
        let of = &self.classes[class];
        let slots = slots.min(of.topology.pods_per_node());
        if self.is_karpenter() && of.pod.spread.nodes { slots.min(1) } else { slots }
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
        let class = pod.service();
        self.pods[pod].node = Some(node);
        self.pods[pod].bound_at = self.now;
        self.classes[class].bound += 1;
        let state = &mut self.nodes[node.index()];
        state.pods.push(pod);
        state.classes[class].pods += 1;
        room::add(&mut state.held, &self.classes[class].wanted, 1);
        state.empty_epoch += 1;
        state.pod_event = self.now;
        state.reserved = false;
        self.reindex(node);
        self.changed = true;
    }

    /// Takes `pod` off `node`.
    pub(super) fn leave(&mut self, pod: PodId, node: NodeId) {
        let class = pod.service();
        self.classes[class].bound -= 1;
        let state = &mut self.nodes[node.index()];
        state.pods.retain(|&other| other != pod);
        state.classes[class].pods -= 1;
        room::subtract(&mut state.held, &self.classes[class].wanted, 1);
        state.pod_event = self.now;
        self.changed = true;
        self.reindex(node);
    }

    /// Takes `pod` out of every waiting list.
    pub(super) fn forget_waiting(&mut self, pod: PodId) {
        let queue = usize::from(self.pods[pod].on_demand);
        let class = &mut self.classes[pod.service()];
        class.pending[queue].remove(&pod);
        class.unplanned[queue].remove(&pod);
        let now = self.now;
        self.pods[pod].stop_waiting(now);
        self.withdraw(pod);
        self.drop_preemption(pod);
    }

    /// A pod that waits has no node on its way any more.
    pub(super) fn unplan(&mut self, pod: PodId) {
        let queue = usize::from(self.pods[pod].on_demand);
        self.classes[pod.service()].unplanned[queue].insert(pod);
    }

    /// Counts on `node`, which is on its way, for `pod`.
    pub(super) fn nominate(&mut self, pod: PodId, node: NodeId) {
        let (class, queue) = (pod.service(), usize::from(self.pods[pod].on_demand));
        self.classes[class].unplanned[queue].remove(&pod);
        let now = self.now;
        self.pods[pod].stop_waiting(now);
        self.pods[pod].nominated = Some(node);
        let of = &self.classes[class];
        let state = &mut self.nodes[node.index()];
        state.nominated.push(pod);
        state.classes[class].nominated += 1;
        room::add(&mut state.planned, &of.wanted, 1);
        state.meter.take((class, GpuUse::Provisioning), of.pod.gpus, self.now);
        self.reindex(node);
    }

    /// Counts on no node for `pod` any more. It is not yet unplanned again: that is for the caller to say.
    pub(super) fn withdraw(&mut self, pod: PodId) {
        if let Some(node) = self.pods[pod].nominated.take() {
            let class = pod.service();
            let of = &self.classes[class];
            let state = &mut self.nodes[node.index()];
            state.nominated.retain(|&other| other != pod);
            state.classes[class].nominated -= 1;
            room::subtract(&mut state.planned, &of.wanted, 1);
            state.meter.free((class, GpuUse::Provisioning), of.pod.gpus, self.now);
            self.reindex(node);
        }
    }

    /// The pods that counted on `node` must look elsewhere.
    pub(super) fn disappoint(&mut self, node: NodeId) {
        for pod in self.nodes[node.index()].nominated.clone() {
            self.withdraw(pod);
            self.unplan(pod);
        }
    }

    /// Lets waiting pods count on nodes already on their way.
    pub(super) fn nominate_unplanned(&mut self) {
        let mut failed = vec![[false; 2]; self.classes.len()];
        while let Some((class, queue)) = self.first_waiting(|class| &class.unplanned, &failed) {
            let pod = self.classes[class].unplanned[queue].first().copied().expect("some wait");
            match self.first_coming(class, queue == 1) {
                Some(node) => self.nominate(pod, node),
                None => failed[class][queue] = true,
            }
        }
    }

    /// The first node on its way that one more pod of a class may count on.
    pub(super) fn first_coming(&self, class: usize, on_demand: bool) -> Option<NodeId> {
        let of = &self.classes[class];
        let mut firsts = kinds(on_demand).iter().filter_map(|&kind| of.coming[kind as usize].first()).peekable();
        firsts.peek()?;
        if of.topology.is_empty() { firsts.min().copied() } else { self.plan_map(class, &[]).first_coming(on_demand) }
    }

    /// True if pods wait for which no node is on its way, or room lacks that is to be kept.
    pub(super) fn has_demand(&self) -> bool {
        self.classes.iter().flat_map(|class| &class.unplanned).any(|pods| !pods.is_empty())
            || self.headroom_missing().iter().any(|&missing| missing > 0)
    }

    /// Where the ReplicaSet controller would start: pods in the order in which a scale-in at `now` deletes them.
    ///
    /// Without a node first, then pending, then not ready, then those with more siblings on their node, then those that became ready (or, if
    /// they are not, were restarted more often and created) most recently. Ages count in doublings, as `LogarithmicScaleDown` has it since
    /// Kubernetes 1.22: among pods of an age the lower UID goes, which is chance. Source: `ActivePodsWithRanks` of
    /// `pkg/controller/controller_utils.go`. The annotation `pod-deletion-cost` comes after readiness there; it is that of the template,
    /// the same for all pods of a ReplicaSet, and decides nothing.
    pub fn victims(&self, candidates: impl Iterator<Item = PodId>, count: usize, now: SimTime) -> Vec<PodId> {
        let mut ranked: Vec<_> = candidates.map(|pod| (self.victim_rank(pod, now), pod)).collect();
        // Only the first `count` need to be in order.
        if count < ranked.len() && count > 0 {
            ranked.select_nth_unstable(count - 1);
        }
        ranked.truncate(count);
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, pod)| pod).collect()
    }

    /// The first of [`Fleet::victims`].
    pub fn victim(&self, candidates: impl Iterator<Item = PodId>, now: SimTime) -> Option<PodId> {
        candidates.min_by_key(|&pod| (self.victim_rank(pod, now), pod))
    }

    fn victim_rank(&self, pod: PodId, now: SimTime) -> impl Ord + use<> {
        let state = &self.pods[pod];
        let siblings = state.node.map_or(0, |node| {
            let on_node = self.nodes[node.index()].pods.iter();
            on_node.filter(|other| other.service() == pod.service() && self.pods[**other].is_expected()).count()
        });
        let is_ready = state.phase == PodPhase::Ready;
        let uid = Stream::new(self.class(pod).seed, Purpose::PodUid, pod.index() as u64).next_u64();
        (
            state.node.is_some(),
            !matches!(state.phase, PodPhase::Pending | PodPhase::ImagePull),
            is_ready,
            Reverse(siblings),
            state.ready_at.filter(|_| is_ready).map(|since| doublings(now, since)),
            Reverse(if is_ready { 0 } else { state.attempts.restarts }),
            if is_ready { None } else { doublings(now, state.created) },
            uid,
        )
    }
}

/// The age of what is since `since` in whole doublings of a nanosecond; `None` before it. Times are stored in whole seconds.
fn doublings(now: SimTime, since: SimTime) -> Option<u32> {
    const SECOND: u64 = 1_000_000_000;
    now.as_nanos().saturating_sub(since.as_nanos() / SECOND * SECOND).checked_ilog2()
}

/// Purchase options a pod may run on, in no particular order.
pub(super) fn kinds(on_demand: bool) -> &'static [Purchase] {
    if on_demand {
        &[Purchase::OnDemand, Purchase::Reserved]
    } else {
        &[Purchase::OnDemand, Purchase::Spot, Purchase::Reserved]
    }
}
