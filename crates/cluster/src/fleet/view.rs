//! What exporters see of nodes: read only.

use units::{NodeId, PodId, SimDuration, SimTime};

use super::Fleet;
use super::class::Class;
use super::node::NodeState;
use super::pod::PodPhase;
use crate::spec::GpuSlice;

/// A node as an exporter sees it.
#[derive(Clone, Copy, Debug)]
pub struct NodeView<'a> {
    /// Allocatable GPUs or slices of them.
    pub gpus: u32,
    /// What one of them is of the machine's.
    pub slice: GpuSlice,
    /// The extended resource they are.
    pub gpu_resource: &'a str,
    /// Product name as the node label has it; empty if unknown.
    pub gpu_product: &'a str,
    /// When its Node object was made, if it has been.
    pub registered: Option<SimTime>,
    /// Whether it takes pods, or did before it was drained.
    pub is_up: bool,
    /// GPUs that pods hold.
    pub gpus_held: u32,
}

/// A worker of a group as the API server shows it.
#[derive(Clone, Copy, Debug)]
pub struct WorkerView {
    /// When it was created.
    pub created: SimTime,
    /// When it got a node.
    pub scheduled: Option<SimTime>,
    /// Whether its containers run.
    pub is_running: bool,
    /// Since when it could serve, if it can.
    pub ready: Option<SimTime>,
}

impl Fleet {
    /// A pod of a group besides its leader, if it is there.
    pub fn worker(&self, replica: PodId, place: u32) -> Option<WorkerView> {
        let pod = self.gang(replica).pods(replica).nth(place as usize)?;
        let state = &self.pods[pod];
        if state.phase == PodPhase::Gone || self.quota.holds(pod) {
            return None;
        }
        let waited = state.spans.first().filter(|span| span.phase == "pending").map(|span| span.end);
        let could_serve = matches!(state.phase, PodPhase::Group | PodPhase::Ready | PodPhase::Draining);
        Some(WorkerView {
            created: state.created,
            scheduled: state.node.map(|_| waited.unwrap_or(state.created)),
            is_running: !matches!(state.phase, PodPhase::Pending | PodPhase::ImagePull),
            ready: could_serve.then(|| state.ready_at.unwrap_or(state.phase_since)),
        })
    }

    /// Pods that have no node yet.
    pub fn pods_waiting(&self) -> u32 {
        self.classes.iter().map(Class::waiting).sum()
    }

    /// What exporters see of a node that is or was there.
    pub fn node_view(&self, node: NodeId) -> NodeView<'_> {
        let state = &self.nodes[node.index()];
        let offer = &self.offers[state.offer].spec;
        let boot_end = state.spans.iter().find(|span| span.phase == "boot").map(|span| span.end);
        let is_registered = state.state > NodeState::Booting && state.state < NodeState::Gone;
        NodeView {
            gpus: offer.gpus,
            slice: offer.slice,
            gpu_resource: &offer.gpu_resource,
            gpu_product: &offer.gpu_product,
            registered: boot_end.or(state.launched).filter(|_| is_registered),
            is_up: matches!(state.state, NodeState::Up | NodeState::Draining),
            gpus_held: state.held[super::room::GPUS] as u32,
        }
    }

    /// Nodes asked for and not gone; none where there are no nodes to see.
    pub fn live_nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.live.iter().copied().filter(|_| !self.is_serverless())
    }

    /// From container start to a loaded model, as far as it is no transfer; of a group's leader.
    pub fn load_length(&self, replica: PodId) -> SimDuration {
        let leader = self.gang(replica).leader(replica);
        let [_, download, load, warm_up, _] = self.pods[leader].lengths;
        download + load + warm_up
    }
}
