//! `karpenter.sh/do-not-disrupt`: nodes and pods that are left where they are.

use units::{NodeId, PodId};

use super::Fleet;
use crate::spec::Protection;

impl Fleet {
    /// Whether Karpenter leaves `node` alone because of its own annotation or of one of its pods.
    pub(super) fn is_protected(&self, node: NodeId) -> bool {
        let state = &self.nodes[node.index()];
        self.spec.pools[self.offers[state.offer].pool].rules.protected
            || state.pods.iter().any(|&pod| self.is_pod_protected(pod))
    }

    /// Whether the annotation of `pod` is in force: it holds back consolidation, and evictions until the drain's hard limit.
    pub(super) fn is_pod_protected(&self, pod: PodId) -> bool {
        self.is_karpenter()
            && match self.class(pod).pod.scheduling.protection {
                Protection::None => false,
                Protection::Always => true,
                Protection::Until(age) => self.now.since(self.pods[pod].created) < age,
            }
    }
}
