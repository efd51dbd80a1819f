//! Karpenter's provisioning window, expiry, and the hard limit of a drain.

use std::collections::BTreeSet;

use units::{NodeId, SimDuration, SimTime};

use super::Fleet;
use super::event::{FleetEvent, Notice, Out};
use super::node::NodeState;
use super::pod::PodPhase;
use super::rooms::Counts;
use crate::spec::NodeManager;

/// The provisioning window closes this long after the last new pod, and at the latest this long (second) after the first.
const BATCH: (SimDuration, SimDuration) = (SimDuration::from_secs(1), SimDuration::from_secs(10));

/// The provisioning window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Batch {
    opened: Option<SimTime>,
    closes: SimTime,
    is_asked: bool,
}

impl Fleet {
    /// True under Karpenter.
    pub(super) fn is_karpenter(&self) -> bool {
        matches!(self.spec.manager, NodeManager::Karpenter)
    }

    /// A new pod without a plan opens the window, or keeps it open.
    pub(super) fn trigger_batch(&mut self, out: &mut Out) {
        let opened = *self.batch.opened.get_or_insert(self.now);
        self.batch.closes = (self.now + BATCH.0).min(opened + BATCH.1);
        if !self.batch.is_asked {
            self.batch.is_asked = true;
            out.at(self.batch.closes, FleetEvent::Batch);
        }
    }

    /// The window may close: it does unless it was kept open meanwhile.
    pub(super) fn on_batch(&mut self, out: &mut Out) {
        if self.batch.closes > self.now {
            out.at(self.batch.closes, FleetEvent::Batch);
            return;
        }
        self.batch = Batch::default();
        self.plan(true, out);
        let is_short = self.plan_headroom(true, out);
        self.retry_if(is_short || self.has_demand(), out);
    }

    /// Pods on draining nodes that have not been evicted yet, by class.
    pub(super) fn displaced(&self) -> Counts {
        let mut counts = Counts::from_elem(0, self.classes.len());
        let draining = self.draining.iter().map(|node| &self.nodes[node.index()]);
        let is_displaced = |&pod: &units::PodId| {
            let state = &self.pods[pod];
            !state.evicted && state.phase < PodPhase::Draining
        };
        for pod in draining.flat_map(|node| &node.pods).filter(|pod| is_displaced(pod)) {
            counts[pod.service()] += 1;
        }
        counts
    }

    /// Room for pods of the only class on nodes that are up or on their way, beyond what pods without a node will take.
    pub(super) fn spare_slots(&self) -> u32 {
        let expected = |node: &NodeId| {
            let state = &self.nodes[node.index()];
            self.slots(0, state.offer) - state.nominated.len() as u32
        };
        let of = &self.classes[0];
        of.slots_open + of.coming.iter().flatten().map(expected).sum::<u32>()
    }

    /// A node is up: from its creation on it may reach a certain age.
    pub(super) fn begin_expiry(&mut self, node: NodeId, out: &mut Out) {
        let state = &self.nodes[node.index()];
        let pool = self.offers[state.offer].pool;
        if let (true, Some(age)) = (self.is_karpenter(), self.spec.pools[pool].expire_after) {
            out.at((state.requested + age).max(self.now), FleetEvent::Expire(node));
        }
    }

    /// The node is too old: drained at once, with no budget and no replacement ordered beforehand. Before v1 it is left to the
    /// disruption loop.
    pub(super) fn on_expire(&mut self, node: NodeId, out: &mut Out) {
        let pool = self.offers[self.nodes[node.index()].offer].pool;
        if self.spec.pools[pool].rules.expires_gracefully {
            self.nodes[node.index()].expired = true;
            self.changed = true;
        } else {
            self.begin_drain_of(node, "expired", out);
        }
    }

    /// A drain begins: where it has a hard limit, that is counted from here.
    pub(super) fn begin_grace(&mut self, node: NodeId, out: &mut Out) {
        match &self.spec.manager {
            NodeManager::Karpenter => {
                let pool = self.offers[self.nodes[node.index()].offer].pool;
                let Some(limit) = self.spec.pools[pool].termination_grace else { return };
                // A pod is deleted early enough for its own grace period to end with the node's; if that is longer, at once.
                let graces: BTreeSet<SimDuration> = self.classes.iter().map(|class| class.pod.grace).collect();
                for grace in graces {
                    self.after(limit.saturating_sub(grace), FleetEvent::GraceOver(node, false), out);
                }
                self.after(limit, FleetEvent::GraceOver(node, true), out);
            }
            NodeManager::ClusterAutoscaler(_) => self.begin_eviction_limit(node, out),
            _ => {}
        }
    }

    /// The hard limit nears: everything is evicted whatever the budgets say; at the limit itself, killed.
    pub(super) fn on_grace_over(&mut self, node: NodeId, is_last: bool, out: &mut Out) {
        if self.nodes[node.index()].state != NodeState::Draining {
            return;
        }
        if !self.is_karpenter() {
            self.abandon_drain(node, out);
            return;
        }
        let (pods, ending) = (self.nodes[node.index()].pods.clone(), self.nodes[node.index()].ending);
        let pool = self.offers[self.nodes[node.index()].offer].pool;
        let limit = self.spec.pools[pool].termination_grace.unwrap_or_default();
        let since = self.now.since(self.nodes[node.index()].drain_since);
        for pod in pods {
            if is_last {
                self.remove_pod(pod, ending, out);
                out.tell(Notice::Killed { pod });
            } else if !self.pods[pod].evicted && since >= limit.saturating_sub(self.class(pod).pod.grace) {
                self.evict(pod, out);
            }
        }
        if is_last {
            self.on_maybe_empty(node, out);
        }
    }
}
