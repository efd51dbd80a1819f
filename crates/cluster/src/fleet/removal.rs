//! How nodes go: empty, drained or taken; and when the bill is made out.

use record::Purchase;
use units::{NodeId, PodId, SimDuration};

use super::Fleet;
use super::event::{FleetEvent, Notice, Out};
use super::meter::Terms;
use super::node::NodeState;
use super::pod::PodPhase;
use crate::spec::{NodeManager, PodDisruptionBudget};

/// A drain takes at least this long (Karpenter), and the Cluster Autoscaler waits as long after its taint.
const DRAIN_MIN: SimDuration = SimDuration::from_secs(5);
/// First and longest wait before a blocked eviction is tried again.
const EVICT_BACKOFF: (SimDuration, SimDuration) = (SimDuration::from_millis(100), SimDuration::from_secs(10));

impl Fleet {
    /// A pod has left `node`, or none has come yet: if it is empty, what happens then.
    pub(super) fn on_maybe_empty(&mut self, node: NodeId, out: &mut Out) {
        let state = &mut self.nodes[node.index()];
        if state.used() > 0 {
            return;
        }
        match state.state {
            NodeState::Up => {
                if let NodeManager::Simple { empty_delay } = self.spec.manager {
                    state.empty_epoch += 1;
                    let event = FleetEvent::Empty(node, state.empty_epoch);
                    self.after(empty_delay, event, out);
                }
            }
            // Without a node controller nobody terminates a warned node; it runs until the provider takes it.
            NodeState::Draining if !matches!(self.spec.manager, NodeManager::Simple { .. }) => {
                let earliest = state.drain_since + DRAIN_MIN;
                out.at(earliest.max(self.now), FleetEvent::Drained(node));
            }
            _ => {}
        }
    }

    /// An empty node has stayed its time.
    pub(super) fn on_empty(&mut self, node: NodeId, epoch: u32, out: &mut Out) {
        let state = &self.nodes[node.index()];
        let is_still_empty = state.state == NodeState::Up && state.empty_epoch == epoch;
        let pool = self.offers[state.offer].pool;
        if is_still_empty && self.pool_nodes[pool] > self.spec.pools[pool].nodes_min {
            self.end_node(node, "empty", out);
        }
    }

    /// The last pod of a draining node has left.
    pub(super) fn on_drained(&mut self, node: NodeId, out: &mut Out) {
        let state = &self.nodes[node.index()];
        if state.state == NodeState::Draining && state.pods.is_empty() {
            self.end_node(node, state.ending, out);
        }
    }

    /// Ends a node that has no pods: the bill is made out, and whoever counted on it looks elsewhere.
    pub(super) fn end_node(&mut self, node: NodeId, ending: &'static str, out: &mut Out) {
        let state = &mut self.nodes[node.index()];
        assert!(state.pods.is_empty() && state.ended.is_none(), "{node} ends once, and without pods");
        state.ending = ending;
        self.release_pauses(node);
        self.disappoint(node);
        self.drop_preemptors(node);
        self.transfers.abandon(
            |owner| matches!(owner, super::transfer::Owner::Image(of, _) | super::transfer::Owner::Cache(of) if of == node),
            self.now,
            out,
        );
        if self.nodes[node.index()].launched.is_some() {
            let is_reclaim = self.nodes[node.index()].kill_at == Some(self.now);
            self.bill(node, is_reclaim);
            out.tell(Notice::NodeGone { node, reclaimed: is_reclaim });
        }
        let state = &mut self.nodes[node.index()];
        state.enter(NodeState::Gone, self.now);
        state.ended = Some(self.now);
        let offer = &mut self.offers[state.offer];
        offer.in_use -= 1;
        self.pool_gpus[offer.pool] -= offer.spec.gpus;
        self.pool_machines[offer.pool].0 -= offer.spec.machine_cpu.0;
        self.pool_machines[offer.pool].1 -= offer.spec.machine_memory.0;
        self.pool_nodes[offer.pool] -= 1;
        self.live.remove(&node);
        self.apply_commitments(out);
        self.changed = true;
        self.reindex(node);
        self.on_replacement_lost(node, out);
        self.fill_minimum(false, out);
        self.request_capacity(out);
        self.retry_later(out);
    }

    /// The final bill of a node.
    fn bill(&mut self, node: NodeId, is_reclaim: bool) {
        let state = &mut self.nodes[node.index()];
        let offer = &mut self.offers[state.offer];
        let billing = offer.spec.billing;
        let elapsed = self.now - state.launched.expect("only launched nodes are billed");
        let is_free = is_reclaim && offer.spec.purchase == Purchase::Spot && elapsed < billing.spot_free_until;
        let surplus = if offer.is_committed() { SimDuration::ZERO } else { round_up(elapsed, billing) - elapsed };
        let terms = Terms { zone: &offer.spec.zone, surplus, free: is_free };
        let bill = state.meter.settle(self.now, terms, &mut self.ledger);
        state.billed = bill.billed;
        state.cost = bill.cost.to_usd();
        self.counts[offer.spec.purchase as usize] -= 1;
        if offer.is_committed() {
            offer.idle.accrue(self.now);
            offer.idle.count += 1;
        }
    }

    /// Takes a node with everything on it, at once.
    pub(super) fn kill_node(&mut self, node: NodeId, ending: &'static str, out: &mut Out) {
        let lost = self.found_lost_at(node);
        for pod in self.nodes[node.index()].pods.clone() {
            self.remove_pod(pod, ending, out);
            out.tell(match lost {
                Some((not_ready_at, evicted_at)) => Notice::Lost { pod, not_ready_at, evicted_at },
                None => Notice::Killed { pod },
            });
        }
        self.end_node(node, ending, out);
    }

    /// Ends the life of a pod and frees its place.
    pub(super) fn remove_pod(&mut self, pod: PodId, ending: &'static str, out: &mut Out) {
        if self.pods[pod].phase == PodPhase::Pending {
            self.forget_waiting(pod);
        }
        let owner_is_pod = |owner| matches!(owner, super::transfer::Owner::Pod(of, _) if of == pod);
        self.transfers.abandon(owner_is_pod, self.now, out);
        self.enter_phase(pod, PodPhase::Gone);
        let now = self.now;
        let state = &mut self.pods[pod];
        state.stop_waiting(now);
        state.ended = Some(now);
        state.ending = ending;
        self.release_quota(pod);
        let state = &self.pods[pod];
        if let Some(node) = state.node {
            self.leave(pod, node);
        }
    }

    /// Stops placing pods on `node` and evicts those it has, as far as the disruption budgets allow.
    pub(super) fn begin_drain_of(&mut self, node: NodeId, reason: &'static str, out: &mut Out) {
        let state = &mut self.nodes[node.index()];
        if state.state != NodeState::Up && state.state != NodeState::Plugging {
            return;
        }
        state.enter(NodeState::Draining, self.now);
        state.ending = reason;
        state.drain_since = self.now;
        state.evict_backoff = EVICT_BACKOFF.0;
        self.changed = true;
        self.reindex(node);
        self.release_pauses(node);
        self.drop_preemptors(node);
        self.begin_grace(node, out);
        self.evict_pods(node, out);
        self.on_maybe_empty(node, out);
        if self.is_karpenter() && self.headroom_missing().iter().any(|&missing| missing > 0) {
            self.trigger_batch(out);
        }
    }

    /// Evicts what may be evicted now; the rest is tried again, waiting twice as long each time.
    pub(super) fn evict_pods(&mut self, node: NodeId, out: &mut Out) {
        if self.nodes[node.index()].state != NodeState::Draining {
            return;
        }
        let mut is_blocked = false;
        for pod in self.nodes[node.index()].pods.clone() {
            let state = &self.pods[pod];
            if state.evicted {
                continue;
            }
            // One that its owner drains is on its way out, but may yet come back as a standby.
            if state.phase < PodPhase::Draining && self.may_evict(pod) {
                self.evict(pod, out);
            } else {
                is_blocked = true;
            }
        }
        if is_blocked {
            let backoff = self.nodes[node.index()].evict_backoff;
            self.nodes[node.index()].evict_backoff = (backoff * 2).min(EVICT_BACKOFF.1);
            self.after(backoff, FleetEvent::Evict(node), out);
        }
    }

    /// Evicts one pod.
    pub(super) fn evict(&mut self, pod: PodId, out: &mut Out) {
        let node = self.node_of(pod);
        self.change_pod(pod, |state| state.evicted = true);
        let state = &self.nodes[node.index()];
        out.tell(match state.kill_at {
            Some(kill_at) if state.warned => Notice::Interrupted { pod, kill_at },
            _ => Notice::Evicted { pod, reason: state.ending },
        });
    }

    /// Whether the eviction API would let `pod` go. Without a node controller nobody asks it.
    pub(super) fn may_evict(&self, pod: PodId) -> bool {
        let state = &self.pods[pod];
        if self.is_pod_protected(pod) {
            return false;
        }
        if matches!(self.spec.manager, NodeManager::Simple { .. }) || !state.is_expected() {
            return true;
        }
        let class = self.class(pod);
        let (healthy, expected) = (class.healthy, class.expected_pods());
        class.budgets.iter().all(|budget| {
            let desired = healthy_desired(budget, expected);
            // Pods that are not healthy themselves may also go while the budget is exactly met.
            healthy > desired || !state.is_healthy() && healthy == desired && desired > 0
        })
    }
}

/// How many pods must stay healthy under `budget` when `expected` are wanted; shares are rounded up.
pub(super) fn healthy_desired(budget: &PodDisruptionBudget, expected: u32) -> u32 {
    let share = |percent: f64| (f64::from(expected) * percent / 100.0).ceil() as u32;
    match *budget {
        PodDisruptionBudget::AvailableMin(least) => least,
        PodDisruptionBudget::AvailableMinPercent(percent) => share(percent),
        PodDisruptionBudget::UnavailableMax(most) => expected.saturating_sub(most),
        PodDisruptionBudget::UnavailableMaxPercent(percent) => expected.saturating_sub(share(percent)),
    }
}

/// Billed time of a stretch: at least the minimum, in whole increments.
fn round_up(elapsed: SimDuration, billing: crate::spec::Billing) -> SimDuration {
    let least = elapsed.max(billing.minimum).as_nanos();
    let increment = billing.increment.as_nanos().max(1);
    SimDuration::from_nanos(least.div_ceil(increment) * increment)
}
