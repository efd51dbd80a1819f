//! The arithmetic of a Deployment with several ReplicaSets: how large each shall be.
//!
//! Follows the deployment controller of Kubernetes (`pkg/controller/deployment`: rolling.go, recreate.go, sync.go, util) pass by pass,
//! and for a canary that of Argo Rollouts (`utils/replicaset/canary.go`).

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
    /// The version that was rolled out last, to which a canary or a preview is held.
    stable: u32,
}

impl ReplicaSets {
    pub(super) fn new(replicas: u32) -> Self {
        let set = ReplicaSet { revision: 0, size: replicas, available: 0, ceiling: replicas };
        Self { list: vec![set], replicas, stable: 0 }
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

    /// A new version begins with no pod, beside what there is for `replicas`.
    pub(super) fn begin(&mut self, replicas: u32, leeway: Leeway) {
        let revision = self.revision() + 1;
        let ceiling = replicas + leeway.of(replicas).0;
        self.list.push(ReplicaSet { revision, size: 0, available: 0, ceiling });
        // While nothing is rolled out, sizes are not kept.
        if let [only, _] = &mut self.list[..] {
            (only.size, only.ceiling) = (replicas, ceiling);
        }
        self.replicas = replicas;
    }

    /// The present version is the one that serves from now on.
    pub(super) fn settle(&mut self) {
        self.stable = self.revision();
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

    /// The wanted count of a workload whose sizes do not follow from each other.
    pub(super) fn want(&mut self, replicas: u32) {
        self.replicas = replicas;
    }

    /// One pass of a rolling update; true if it changed a size.
    pub(super) fn roll(&mut self, leeway: Leeway) -> bool {
        let replicas = self.replicas;
        let (surge, unavailable) = leeway.of(replicas);
        let room = (replicas + surge).saturating_sub(self.total());
        let newest = self.newest_mut();
        let size = if newest.size > replicas { replicas } else { newest.size + room.min(replicas - newest.size) };
        if std::mem::replace(&mut newest.size, size) != size {
            return true;
        }
        self.shrink_old(replicas.saturating_sub(unavailable))
    }

    /// One pass of a canary towards `new` pods of the present version and `old` ones of the stable one, within the bounds: what is missing
    /// is made first, versions that are neither go next, then what is too many. True if it changed a size.
    pub(super) fn canary(&mut self, (new, old): (u32, u32), ceiling: u32, available_min: u32) -> bool {
        let before = self.list.clone();
        let last = self.list.len() - 1;
        let stable = self.list[..last].iter().position(|set| set.revision == self.stable);
        let mut room = ceiling.saturating_sub(self.total());
        for (index, aim) in stable.map(|index| (index, old)).into_iter().chain([(last, new)]) {
            let more = aim.saturating_sub(self.list[index].size).min(room);
            self.list[index].size += more;
            room -= more;
        }
        let others = |list: &[ReplicaSet]| -> u32 {
            (0..last).filter(|&index| Some(index) != stable).map(|index| list[index].size).sum()
        };
        if others(&before) > 0 {
            self.shrink_others(stable, available_min);
        } else {
            let is_growing = new >= before[last].size;
            // A version that is on its way out need not be available to make room.
            let counted = |set: &ReplicaSet, is_leaving: bool| if is_leaving { set.size } else { set.available };
            let present =
                counted(&before[last], !is_growing) + stable.map_or(0, |index| counted(&before[index], is_growing));
            let mut spare = present.saturating_sub(available_min);
            for (index, aim) in [(last, new)].into_iter().chain(stable.map(|index| (index, old))) {
                let fewer = before[index].size.saturating_sub(aim).min(spare);
                self.list[index].size -= fewer;
                spare -= fewer;
            }
        }
        self.list != before
    }

    /// Takes pods of versions that are neither present nor stable, those that are not available first.
    fn shrink_others(&mut self, stable: Option<usize>, available_min: u32) {
        let available: u32 = self.list.iter().map(|set| set.available).sum();
        let mut spare = available.saturating_sub(available_min);
        let last = self.list.len() - 1;
        for set in
            self.list[..last].iter_mut().enumerate().filter(|(index, _)| Some(*index) != stable).map(|(_, set)| set)
        {
            let taken = set.available.min(spare);
            spare -= taken;
            set.size = set.available - taken;
        }
    }

    /// Sets the sizes of the present and the stable version; others end. True if that changed one.
    pub(super) fn set(&mut self, new: u32, old: u32) -> bool {
        let before = self.list.clone();
        let (newest, stable) = (self.revision(), self.stable);
        for set in &mut self.list {
            set.size = match set.revision {
                revision if revision == newest => new,
                revision if revision == stable => old,
                _ => 0,
            };
        }
        self.list != before
    }

    /// Takes old pods away as long as `available_min` are available: first those that are not, then others; true if there were any.
    fn shrink_old(&mut self, available_min: u32) -> bool {
        let mut surplus = self.old_total();
        let newest = *self.newest();
        let not_yet = newest.size.saturating_sub(newest.available);
        let mut spare = self.total().saturating_sub(available_min + not_yet).min(surplus);
        let before = surplus;
        let last = self.list.len() - 1;
        for set in &mut self.list[..last] {
            let broken = set.size.saturating_sub(set.available).min(spare);
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

    /// The version that was rolled out to the end last.
    pub(super) fn stable_revision(&self) -> u32 {
        self.stable
    }

    /// Pods of the stable version, if it is not the present one.
    pub(super) fn stable(&self) -> Option<&ReplicaSet> {
        self.list.iter().find(|set| set.revision == self.stable && set.revision != self.revision())
    }

    pub(super) fn newest(&self) -> &ReplicaSet {
        self.list.last().expect("a Deployment has a ReplicaSet")
    }

    fn old_total(&self) -> u32 {
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
    use super::super::rollout::canary_sizes;
    use super::*;
    use crate::spec::Portion;

    const fn leeway(surge: u32, unavailable: u32) -> Leeway {
        Leeway { surge: Portion::Count(surge), unavailable: Portion::Count(unavailable) }
    }

    /// Two versions of these sizes, all of the old pods available and so many of the new ones.
    fn half_way(replicas: u32, (old, new): (u32, u32), available: u32, leeway: Leeway) -> ReplicaSets {
        let mut sets = ReplicaSets::new(replicas);
        sets.begin(replicas, leeway);
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
    fn a_canary_may_have_one_more_where_its_weight_does_not_divide() {
        // As Argo's canary.go: replicas, weight, surge and unavailable, then old and new.
        for (replicas, weight, (surge, unavailable), aim) in [
            (10, 10, (1, 1), [9, 1]),
            (10, 30, (3, 0), [10, 3]),
            (10, 30, (0, 5), [7, 0]),
            (10, 5, (1, 1), [10, 1]),
            (1, 5, (1, 0), [1, 1]),
        ] {
            let leeway = leeway(surge, unavailable);
            let mut sets = half_way(replicas, (replicas, 0), 0, leeway);
            let (sizes_wanted, ceiling) = canary_sizes(weight, replicas, leeway);
            sets.canary(sizes_wanted, ceiling, replicas - leeway.of(replicas).1);
            assert_eq!(sizes(&sets), aim, "{replicas} at {weight} %");
        }
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
