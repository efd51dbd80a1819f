//! Node groups that do not tell the Cluster Autoscaler of their GPUs.
//!
//! With the label a Ready node whose GPUs are not allocatable yet counts as still coming. Without it the node counts as there, with no GPU:
//! its pods do not fit it, and the next scan orders nodes for them again (`core/static_autoscaler.go`, `processors/customresources`).

use units::{NodeId, SimDuration};

use super::Fleet;
use super::node::NodeState;
use crate::spec::NodeManager;

/// A node that has been Ready for so long is what the autoscaler takes for the group's template.
const TEMPLATE_AGE: SimDuration = SimDuration::from_secs(60);

impl Fleet {
    /// Whether waiting pods count on a node that is on its way.
    pub(super) fn is_counted_on(&self, node: NodeId) -> bool {
        let state = &self.nodes[node.index()];
        state.is_coming()
            && !(state.state == NodeState::Plugging && self.lacks_gpu_label(self.offers[state.offer].pool))
    }

    /// A node is Ready and its GPUs are not: without the label its pods wait again.
    pub(super) fn seem_ready(&mut self, node: NodeId) {
        if !self.lacks_gpu_label(self.offers[self.nodes[node.index()].offer].pool) {
            return;
        }
        self.disappoint(node);
        self.reindex(node);
        self.nominate_unplanned();
    }

    /// Whether the group's template is a node without GPUs, so that growing it would not help: one is Ready for a minute, and none has GPUs.
    pub(super) fn seems_without_gpus(&self, pool: usize) -> bool {
        if !self.lacks_gpu_label(pool) {
            return false;
        }
        let mut own =
            self.live.iter().map(|node| &self.nodes[node.index()]).filter(|node| self.offers[node.offer].pool == pool);
        let is_template = |node: &super::node::Node| {
            node.state == NodeState::Plugging && self.now.since(node.phase_since) > TEMPLATE_AGE
        };
        let has_gpus = own.clone().any(|node| node.state >= NodeState::Up);
        !has_gpus && own.any(is_template)
    }

    fn lacks_gpu_label(&self, pool: usize) -> bool {
        matches!(self.spec.manager, NodeManager::ClusterAutoscaler(_))
            && self.classes.iter().any(|class| class.pod.gpus > 0)
            && self.spec.pools.get(pool).is_some_and(|pool| pool.rules.lacks_gpu_label)
    }
}
