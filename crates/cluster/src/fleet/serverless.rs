//! Replicas without nodes: each is billed from creation to deletion, for itself.
//!
//! Such a replica stands on a node of its own that nobody sees: not counted, not in the lives, with a meter like any other.

use record::Purchase;
use units::PodId;

use super::Fleet;
use super::event::{Notice, Out};
use super::node::NodeState;
use crate::spec::NodeManager;

impl Fleet {
    /// True where there are no nodes.
    pub(super) fn is_serverless(&self) -> bool {
        matches!(self.spec.manager, NodeManager::Serverless { .. })
    }

    /// Gives `pod` the place it is billed for.
    pub(super) fn open_replica(&mut self, pod: PodId, out: &mut Out) {
        let node = self.push_node(pod.service());
        let tariff = self.tariff(pod.service());
        let state = &mut self.nodes[node.index()];
        state.launched = Some(self.now);
        state.state = NodeState::Up;
        state.meter.restart(tariff, self.now);
        self.counts[Purchase::Serverless as usize] += 1;
        self.forget_waiting(pod);
        self.join(pod, node);
        out.tell(Notice::Scheduled { pod, node });
    }
}
