//! ResourceQuotas: pods beyond what they permit are not created, and tried again when another one is gone.
//!
//! A quota counts the pods of all services of its namespace that ask for what it limits.

use std::collections::BTreeSet;

use units::PodId;

use super::Fleet;
use crate::spec::{PodClass, PodQuota};

/// One quota, and how much of it is used.
#[derive(Clone, Debug)]
struct Limit {
    key: String,
    hard: u64,
    used: u64,
}

/// How much there is of what quotas limit, and how much there may be.
#[derive(Clone, Debug, Default)]
pub(super) struct Quota {
    limits: Vec<Limit>,
    /// By class: which limits bind its pods, the tightest first, with what each pod uses and how it is called.
    binding: Vec<Vec<(usize, u64, String)>>,
    /// Wanted, not created.
    held: BTreeSet<PodId>,
    /// Not to be created before another one is ready.
    unborn: BTreeSet<PodId>,
}

impl Quota {
    pub fn new(classes: &[PodClass]) -> Self {
        let mut quota = Self::default();
        for class in classes {
            let mut quotas: Vec<&PodQuota> = class.pod.scheduling.quotas.iter().collect();
            quotas.sort_by_key(|quota| quota.pods());
            let binding = quotas.into_iter().map(|spec| (quota.limit(spec), spec.each, spec.what.clone()));
            let binding = binding.collect();
            quota.binding.push(binding);
        }
        quota
    }

    /// The number of a limit, which may bind other classes too.
    fn limit(&mut self, spec: &PodQuota) -> usize {
        self.limits.iter().position(|known| known.key == spec.key).unwrap_or_else(|| {
            self.limits.push(Limit { key: spec.key.clone(), hard: spec.hard, used: 0 });
            self.limits.len() - 1
        })
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

    /// What keeps one more pod of a class from being created.
    fn exhausted(&self, class: usize) -> Option<&str> {
        let is_full = |&&(limit, each, _): &&(usize, u64, String)| {
            let limit = &self.limits[limit];
            limit.used.saturating_add(each) > limit.hard
        };
        self.binding[class].iter().find(is_full).map(|(_, _, what)| what.as_str())
    }

    fn take(&mut self, class: usize) {
        for &(limit, each, _) in &self.binding[class] {
            self.limits[limit].used += each;
        }
    }

    fn give_back(&mut self, class: usize) {
        for &(limit, each, _) in &self.binding[class] {
            self.limits[limit].used -= each;
        }
    }
}

impl Fleet {
    /// A new pod begins to wait for a node, if the quotas let it exist.
    pub(super) fn admit(&mut self, pod: PodId) {
        if let Some(what) = self.quota.exhausted(pod.service()).map(str::to_owned) {
            self.quota.held.insert(pod);
            self.note_quota(pod, &what);
        } else {
            self.quota.take(pod.service());
            self.queue(pod);
        }
    }

    /// `pod` waits for a node.
    pub(super) fn queue(&mut self, pod: PodId) {
        if self.quota.holds(pod) {
            return;
        }
        let queue = usize::from(self.pods[pod].on_demand);
        let class = &mut self.classes[pod.service()];
        class.pending[queue].insert(pod);
        class.unplanned[queue].insert(pod);
    }

    /// `pod` is gone: those not created may be, the oldest first, as far as they are let.
    pub(super) fn release_quota(&mut self, pod: PodId) {
        if self.quota.unborn.remove(&pod) || self.quota.held.remove(&pod) || self.quota.limits.is_empty() {
            return;
        }
        self.quota.give_back(pod.service());
        let mut held: Vec<PodId> = self.quota.held.iter().copied().collect();
        held.sort_by_key(|&next| self.pods[next].number);
        for next in held {
            if self.quota.exhausted(next.service()).is_none() {
                self.quota.held.remove(&next);
                self.quota.take(next.service());
                let now = self.now;
                self.pods[next].stop_waiting(now);
                self.queue(next);
            }
        }
    }
}
