//! A StatefulSet: replicas with numbers, made in order and removed from the highest down, each replaced in its own place.
//!
//! Follows `updateStatefulSet` of Kubernetes (`pkg/controller/statefulset/stateful_set_control.go`): with `OrderedReady` every pass stops
//! at the first thing that is not as it shall be.

use units::{PodId, SimTime};

use super::rollout::Running;
use super::{Service, Turn};
use crate::pods::PodState;
use crate::spec::{Portion, ReplicaOrder};

impl Service<'_> {
    /// Passes until nothing can be done at once.
    pub(super) fn settle_ordered(&mut self, turn: &mut Turn<'_>) {
        while self.ordered_pass(turn) {}
    }

    /// One pass; true if it made or deleted a pod.
    fn ordered_pass(&mut self, turn: &mut Turn<'_>) -> bool {
        let now = turn.now();
        let is_serial = self.spec.order == ReplicaOrder::Ordered;
        let desired = self.controllers.desired;
        let places = self.places();
        for ordinal in 0..desired {
            match places.get(ordinal as usize).copied().flatten() {
                None => {
                    self.create_in_place(ordinal, turn);
                    return true;
                }
                Some(pod) if is_serial && !self.is_available(pod, now) => return false,
                Some(_) => {}
            }
        }
        let condemned: Vec<PodId> = places.iter().skip(desired as usize).flatten().copied().collect();
        let first_broken = condemned.iter().copied().find(|&pod| !self.is_available(pod, now));
        for pod in condemned.iter().rev().copied() {
            let waits = is_serial && first_broken != Some(pod) && !self.is_available(pod, now);
            if self.pods.state(pod) != PodState::Draining && !waits {
                self.retire(pod, "scale_in", turn);
                return true;
            }
            if is_serial {
                return false;
            }
        }
        self.update_in_place(&places, turn)
    }

    /// The living pod of each ordinal.
    fn places(&self) -> Vec<Option<PodId>> {
        let mut places = Vec::new();
        for pod in self.pods.selected() {
            let ordinal = self.pods.ordinal(pod) as usize;
            if places.len() <= ordinal {
                places.resize(ordinal + 1, None);
            }
            places[ordinal] = Some(pod);
        }
        places
    }

    fn create_in_place(&mut self, ordinal: u32, turn: &mut Turn<'_>) {
        let is_held = ordinal < self.partition;
        let revision = if is_held { self.sets.stable_revision() } else { self.sets.revision() };
        let pod = self.create_cold_of(revision, turn);
        self.pods.set_ordinal(pod, ordinal);
    }

    /// Deletes the highest pod of an old version, if no more are unavailable than may be; true if there was one.
    fn update_in_place(&mut self, places: &[Option<PodId>], turn: &mut Turn<'_>) -> bool {
        let Some((partition, unavailable_max)) = self.rollout.as_ref().and_then(Running::ordered) else {
            return false;
        };
        let desired = self.controllers.desired;
        let unavailable_max = match unavailable_max {
            Portion::Count(count) => count,
            percent @ Portion::Percent(_) => percent.of(desired, |amount, hundred| amount / hundred).max(1),
        };
        let wanted = &places[..places.len().min(desired as usize)];
        let is_available = |place: &Option<PodId>| place.is_some_and(|pod| self.is_available(pod, turn.now()));
        let unavailable = wanted.iter().filter(|place| !is_available(place)).count();
        if unavailable >= unavailable_max as usize {
            return false;
        }
        let newest = self.sets.revision();
        let mut old = wanted.iter().skip(partition as usize).rev().flatten().copied();
        let is_next = |pod: &PodId| self.pods.revision(*pod) < newest && self.pods.state(*pod) != PodState::Draining;
        let Some(pod) = old.find(is_next) else { return false };
        self.retire(pod, "rollout", turn);
        true
    }

    /// Every pod from `partition` on is new and available.
    pub(super) fn is_ordered_update_over(&self, partition: u32, now: SimTime) -> bool {
        let newest = self.sets.revision();
        let places = self.places();
        (partition..self.controllers.desired).all(|ordinal| {
            let pod = places.get(ordinal as usize).copied().flatten();
            pod.is_some_and(|pod| self.pods.revision(pod) == newest && self.is_available(pod, now))
        })
    }
}
