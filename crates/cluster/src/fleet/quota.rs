//! ResourceQuotas: pods beyond what they permit are not created, and tried again when another one is gone.

use std::collections::BTreeSet;

use units::PodId;

use super::Fleet;
use crate::spec::PodQuota;

/// How many pods there are, and how many there may be.
#[derive(Clone, Debug, Default)]
pub(super) struct Quota {
    tightest: Option<PodQuota>,
    existing: u32,
    /// Wanted, not created.
    held: BTreeSet<PodId>,
    /// Not to be created before another one is ready.
    unborn: BTreeSet<PodId>,
}

impl Quota {
    pub fn new(quotas: &[PodQuota]) -> Self {
        Self { tightest: quotas.iter().min_by_key(|quota| quota.pods).cloned(), ..Self::default() }
    }

    /// Whether `pod` is not created for now.
    pub fn holds(&self, pod: PodId) -> bool {
        self.held.contains(&pod) || self.unborn.contains(&pod)
    }

    /// `pod` is not created before [`Quota::bear`].
    pub fn keep_unborn(&mut self, pod: PodId) {
        self.unborn.insert(pod);
    }

    /// `pod` may be created now; false if it has been.
    pub fn bear(&mut self, pod: PodId) -> bool {
        self.unborn.remove(&pod)
    }

    fn is_full(&self) -> bool {
        self.tightest.as_ref().is_some_and(|quota| self.existing >= quota.pods)
    }
}

impl Fleet {
    /// A new pod begins to wait for a node, if a quota lets it exist.
    pub(super) fn admit(&mut self, pod: PodId) {
        if let Some(quota) = self.quota.tightest.clone().filter(|_| self.quota.is_full()) {
            self.quota.held.insert(pod);
            self.note_quota(pod, &quota.what);
        } else {
            self.quota.existing += 1;
            self.queue(pod);
        }
    }

    /// `pod` waits for a node.
    pub(super) fn queue(&mut self, pod: PodId) {
        if self.quota.holds(pod) {
            return;
        }
        let class = usize::from(self.pods[pod].on_demand);
        self.pending[class].insert(pod);
        self.unplanned[class].insert(pod);
    }

    /// `pod` is gone: the first of those not created may be.
    pub(super) fn release_quota(&mut self, pod: PodId) {
        if self.quota.unborn.remove(&pod) || self.quota.tightest.is_none() || self.quota.held.remove(&pod) {
            return;
        }
        self.quota.existing -= 1;
        if !self.quota.is_full()
            && let Some(next) = self.quota.held.pop_first()
        {
            self.quota.existing += 1;
            let now = self.now;
            self.pods[next].stop_waiting(now);
            self.queue(next);
        }
    }
}
