//! One class of pods at work: how they fit on nodes, which of them wait, and which nodes have room for them.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};

use units::{NodeId, PodId, SimDuration};

use super::life::offer_fits;
use super::node::Offer;
use super::preference;
use super::room::{self, Amounts};
use super::topology::Topology;
use crate::spec::{FleetSpec, PodClass};

/// How pods of one class fit on nodes of one offering.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    /// How many fit on an empty node.
    pub slots: u32,
    /// At which of the steps by which Karpenter gives preferences up its nodes are permitted: a bit each.
    pub steps: u64,
    /// How much worse than the best the scheduler ranks its nodes for the pod's preferences.
    pub dislike: u32,
}

impl Fit {
    /// Whether nodes are permitted at a step.
    pub fn is_at(&self, step: u32) -> bool {
        self.steps >> step & 1 == 1
    }
}

/// One class of pods, and what of the fleet's books is by class.
#[derive(Clone, Debug)]
pub(super) struct Class {
    spec: PodClass,
    /// What one pod asks for.
    pub wanted: Amounts,
    /// By offering.
    pub fits: Vec<Fit>,
    /// Steps by which Karpenter gives preferences up; 1 where there are none.
    pub steps: u32,
    /// Where pods may be relative to each other.
    pub topology: Topology,
    /// Number of its image among those of all classes.
    pub image: usize,
    /// Free slots of nodes that take pods.
    pub slots_open: u32,
    /// Nodes that take pods and have room, by purchase option, in the scheduler's order.
    pub open: [BTreeSet<(u32, NodeId)>; 4],
    /// Nodes on their way with room for more nominations, by purchase option.
    pub coming: [BTreeSet<NodeId>; 4],
    /// Pods without a node: those that may go anywhere, and those that must not go on spot.
    pub pending: [BTreeSet<PodId>; 2],
    /// Those of them for which no node is on its way.
    pub unplanned: [BTreeSet<PodId>; 2],
    /// Pods on nodes.
    pub bound: u32,
    /// Pause pods without a node, and the nodes that have some.
    pub pauses_waiting: u32,
    pub paused: BTreeSet<NodeId>,
    /// From a pod's preempting a pause pod to its being bound.
    pub preemption: SimDuration,
    /// Pause pods are room that is kept, for pods of any priority.
    pub room_only: bool,
    pub standbys_on_demand: bool,
    /// Ready active pods not being evicted, and active pods that are wanted.
    pub healthy: u32,
    pub expected: u32,
    pub wanted_replicas: Option<u32>,
}

impl Class {
    /// Pods of `spec` as they fit on `offers`; `names` are those of the extended resources.
    pub fn new(spec: PodClass, fleet: &FleetSpec, offers: &[Offer], names: &[String]) -> Self {
        let mut fits: Vec<Fit> = offer_fits(fleet, &spec, offers);
        let steps = preference::rank(&mut fits, offers, (fleet, &spec.pod));
        Self {
            wanted: room::wanted(&spec, names),
            topology: Topology::new(fleet, &spec.pod, (offers, &fits)),
            steps,
            fits,
            image: 0,
            slots_open: 0,
            open: Default::default(),
            coming: Default::default(),
            pending: Default::default(),
            unplanned: Default::default(),
            bound: 0,
            pauses_waiting: 0,
            paused: BTreeSet::new(),
            preemption: SimDuration::ZERO,
            room_only: false,
            standbys_on_demand: false,
            healthy: 0,
            expected: 0,
            wanted_replicas: None,
            spec,
        }
    }

    /// Pods it has or shall have, for disruption budgets that count from it.
    pub fn expected_pods(&self) -> u32 {
        self.wanted_replicas.unwrap_or(self.expected)
    }

    /// Whether one more of its pods may count on a node.
    pub fn counts_on(&self, node: NodeId) -> bool {
        self.coming.iter().any(|coming| coming.contains(&node))
    }

    /// Pods without a node.
    pub fn waiting(&self) -> u32 {
        self.pending.iter().map(BTreeSet::len).sum::<usize>() as u32
    }
}

impl Deref for Class {
    type Target = PodClass;

    fn deref(&self) -> &PodClass {
        &self.spec
    }
}

impl DerefMut for Class {
    fn deref_mut(&mut self) -> &mut PodClass {
        &mut self.spec
    }
}
