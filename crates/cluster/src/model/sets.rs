//! The arithmetic of a Deployment with several ReplicaSets: how large each shall be.
//!
//! Follows the deployment controller of Kubernetes (`pkg/controller/deployment`: rolling.go, recreate.go, sync.go, util) pass by pass;
//! a canary moves within the same bounds between the sizes its step asks for.

use crate::spec::Leeway;

/// A ReplicaSet: all pods of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReplicaSet {
    /// Its version, from 0.
    pub(super) revision: u32,
    /// `spec.replicas`.
    pub(super) size: u32,
    /// Its pods that are available.
    pub(super) available: u32,
    /// Wanted count and surge together when its size was last set (the annotation `max-replicas`).
    ceiling: u32,
}

/// The ReplicaSets of a Deployment, the oldest first and the present version last.
#[derive(Clone, Debug)]
pub(super) struct ReplicaSets {
    list: Vec<ReplicaSet>,
    /// The wanted count the sizes were made for.
    replicas: u32,
}

impl ReplicaSets {
    pub(super) fn new(replicas: u32) -> Self {
        let set = ReplicaSet { revision: 0, size: replicas, available: 0, ceiling: replicas };
        Self { list: vec![set], replicas }
    }

    /// The present version.
    pub(super) fn revision(&self) -> u32 {
        self.newest().revision
    }

    pub(super) fn all(&self) -> &[ReplicaSet] {
        &self.list
    }

    /// True while another version than the present has pods.
    pub(super) fn has_old(&self) -> bool {
        self.list.len() > 1
    }

    /// A new version begins with no pod.
    pub(super) fn begin(&mut self) {
        let revision = self.revision() + 1;
        let ceiling = self.newest().ceiling;
        self.list.push(ReplicaSet { revision, size: 0, available: 0, ceiling });
    }

    /// Sets that have no pods left are forgotten, save for the present version.
    pub(super) fn forget_empty(&mut self) {
        let newest = self.revision();
        self.list.retain(|set| set.size > 0 || set.revision == newest);
    }

    /// The number of available pods of each set.
    pub(super) fn observe(&mut self, available: impl Fn(u32) -> u32) {
        self.list.iter_mut().for_each(|set| set.available = available(set.revision).min(set.size));
    }

    /// All wanted pods are new, and available.
    pub(super) fn is_complete(&self) -> bool {
        let newest = self.newest();
        !self.has_old() && newest.size == self.replicas && newest.available >= self.replicas
    }

    /// Sizes for a changed wanted count: with one set its own, else spread in proportion. True if the count has changed.
    pub(super) fn rescale(&mut self, replicas: u32, leeway: Leeway) -> bool {
        if replicas == self.replicas {
            return false;
        }
        self.replicas = replicas;
        let ceiling = if replicas == 0 { 0 } else { replicas + leeway.of(replicas).0 };
        let active: Vec<usize> = (0..self.list.len()).filter(|&index| self.list[index].size > 0).collect();
        match active[..] {
            [] => self.newest_mut().size = replicas,
            [only] => self.list[only].size = replicas,
            _ => self.spread(ceiling),
        }
        self.list.iter_mut().for_each(|set| set.ceiling = ceiling);
        true
    }

    /// Brings the sum of the sizes to `ceiling`, each set in proportion to its size; what rounding leaves goes to the largest.
    fn spread(&mut self, ceiling: u32) {
        let missing = i64::from(ceiling) - i64::from(self.total());
        let mut order: Vec<usize> = (0..self.list.len()).filter(|&index| self.list[index].size > 0).collect();
        // Of equal ones the newer grows first and the older shrinks first.
        order.sort_by_key(|&index| {
            let age = index as i64 * missing.signum();
            (std::cmp::Reverse(self.list[index].size), std::cmp::Reverse(age))
        });
        let mut done = 0;
        for &index in &order {
            let set = &mut self.list[index];
            let share = i64::from(set.size) * i64::from(ceiling);
            let before = i64::from(set.ceiling.max(1));
            let change = (2 * share + before) / (2 * before) - i64::from(set.size);
            let left = missing - done;
            let change = if missing > 0 { change.clamp(0, left) } else { change.clamp(left, 0) };
            done += change;
            set.size = grown(set.size, change);
        }
        if let Some(&largest) = order.first() {
            self.list[largest].size = grown(self.list[largest].size, missing - done);
        }
    }

    /// One pass of a rolling update; true if it changed a size.
    pub(super) fn roll(&mut self, leeway: Leeway) -> bool {
        let replicas = self.replicas;
        self.toward(replicas, 0, leeway)
    }

    /// One pass towards `new` pods of the present version and `old` ones of others, within the bounds.
    pub(super) fn toward(&mut self, new: u32, old: u32, leeway: Leeway) -> bool {
        let (surge, unavailable) = leeway.of(self.replicas);
        let ceiling = self.replicas + surge;
        let room = ceiling.saturating_sub(self.total());
        let newest = self.newest_mut();
        let size = if newest.size > new { new } else { newest.size + room.min(new - newest.size) };
        if std::mem::replace(&mut newest.size, size) != size {
            return true;
        }
        self.shrink_old(old, self.replicas.saturating_sub(unavailable))
    }

    /// Takes old pods away as long as `available_min` are available: first those that are not, then others; true if there were any.
    fn shrink_old(&mut self, old: u32, available_min: u32) -> bool {
        let mut surplus = self.old_total().saturating_sub(old);
        let newest = *self.newest();
        let not_yet = newest.size.saturating_sub(newest.available);
        let mut spare = self.total().saturating_sub(available_min + not_yet).min(surplus);
        let before = self.old_total();
        let last = self.list.len() - 1;
        for set in &mut self.list[..last] {
            let broken = (set.size - set.available).min(spare);
            set.size -= broken;
            spare -= broken;
            surplus -= broken;
        }
        let available: u32 = self.list.iter().map(|set| set.available).sum();
        let mut spare = available.saturating_sub(available_min).min(surplus).min(spare);
        for set in &mut self.list[..last] {
            let taken = set.size.min(spare);
            set.size -= taken;
            spare -= taken;
        }
        self.old_total() != before
    }

    /// One pass of `Recreate`; `lingers` while an old pod is not gone.
    pub(super) fn recreate(&mut self, lingers: bool) -> bool {
        let last = self.list.len() - 1;
        let had_old = self.old_total() > 0;
        self.list[..last].iter_mut().for_each(|set| set.size = 0);
        let size = if had_old || lingers { self.newest().size } else { self.replicas };
        had_old || std::mem::replace(&mut self.newest_mut().size, size) != size
    }

    /// Sets the size of the present version; true if it changed.
    pub(super) fn set_newest(&mut self, size: u32) -> bool {
        std::mem::replace(&mut self.newest_mut().size, size) != size
    }

    /// All old sets end.
    pub(super) fn end_old(&mut self) {
        let last = self.list.len() - 1;
        self.list[..last].iter_mut().for_each(|set| set.size = 0);
    }

    pub(super) fn newest(&self) -> &ReplicaSet {
        self.list.last().expect("a Deployment has a ReplicaSet")
    }

    pub(super) fn old_total(&self) -> u32 {
        self.total() - self.newest().size
    }

    fn newest_mut(&mut self) -> &mut ReplicaSet {
        self.list.last_mut().expect("a Deployment has a ReplicaSet")
    }

    fn total(&self) -> u32 {
        self.list.iter().map(|set| set.size).sum()
    }
}

fn grown(size: u32, by: i64) -> u32 {
    u32::try_from((i64::from(size) + by).max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Portion;

    const fn leeway(surge: u32, unavailable: u32) -> Leeway {
        Leeway { surge: Portion::Count(surge), unavailable: Portion::Count(unavailable) }
    }

    /// Two versions of these sizes, all of the old pods available and so many of the new ones.
    fn half_way(replicas: u32, (old, new): (u32, u32), available: u32, leeway: Leeway) -> ReplicaSets {
        let mut sets = ReplicaSets::new(replicas);
        sets.begin();
        let ceiling = replicas + leeway.of(replicas).0;
        sets.list[0] = ReplicaSet { revision: 0, size: old, available: old, ceiling };
        sets.list[1] = ReplicaSet { revision: 1, size: new, available, ceiling };
        sets
    }

    fn sizes(sets: &ReplicaSets) -> Vec<u32> {
        sets.list.iter().map(|set| set.size).collect()
    }

    #[test]
    fn a_quarter_is_rounded_up_for_the_surge_and_down_for_the_unavailable() {
        let of = |replicas| Leeway::DEFAULT.of(replicas);
        assert_eq!([of(1), of(3), of(4), of(10)], [(1, 0), (1, 0), (1, 1), (3, 2)]);
        assert_eq!(leeway(0, 0).of(5), (0, 1));
    }

    #[test]
    fn a_single_replica_needs_a_second_place_before_it_may_go() {
        let mut sets = half_way(1, (1, 0), 0, Leeway::DEFAULT);
        assert!(sets.roll(Leeway::DEFAULT));
        assert_eq!(sizes(&sets), [1, 1]);
        assert!(!sets.roll(Leeway::DEFAULT), "the new pod is not ready");
        sets.list[1].available = 1;
        assert!(sets.roll(Leeway::DEFAULT));
        assert_eq!(sizes(&sets), [0, 1]);
    }

    #[test]
    fn old_pods_go_as_new_ones_become_available() {
        let mut sets = half_way(10, (10, 0), 0, leeway(3, 2));
        while sets.roll(leeway(3, 2)) {}
        assert_eq!(sizes(&sets), [8, 5], "up to 13, then two down and two more up");
        sets.list[1].available = 3;
        while sets.roll(leeway(3, 2)) {}
        assert_eq!(sizes(&sets), [5, 8]);
    }

    #[test]
    fn broken_old_pods_go_first_and_count_as_unavailable() {
        let mut sets = half_way(4, (4, 0), 0, leeway(0, 1));
        sets.list[0].available = 3;
        while sets.roll(leeway(0, 1)) {}
        assert_eq!(sizes(&sets), [3, 1], "the broken one made room, and no healthy one may go");
    }

    #[test]
    fn a_changed_count_is_spread_in_proportion() {
        // The example of the Kubernetes documentation: 10 replicas, surge 3, 8 old and 5 new, then 15.
        let mut sets = half_way(10, (8, 5), 0, leeway(3, 2));
        assert!(sets.rescale(15, leeway(3, 2)));
        assert_eq!(sizes(&sets), [11, 7]);
        assert!(!sets.rescale(15, leeway(3, 2)));
        assert!(sets.rescale(0, leeway(3, 2)));
        assert_eq!(sizes(&sets), [0, 0]);
    }

    #[test]
    fn recreate_waits_for_the_last_old_pod() {
        let mut sets = half_way(3, (3, 0), 0, Leeway::DEFAULT);
        assert!(sets.recreate(true));
        assert_eq!(sizes(&sets), [0, 0]);
        assert!(!sets.recreate(true));
        assert!(sets.recreate(false));
        assert_eq!(sizes(&sets), [0, 3]);
        assert!(!sets.recreate(false));
    }
}
