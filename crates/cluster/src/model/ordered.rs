//! A StatefulSet: replicas with numbers, made in order and removed from the highest down, each replaced in its own place.
//!
//! Follows `updateStatefulSet` of Kubernetes (`pkg/controller/statefulset/stateful_set_control.go`): with `OrderedReady` every pass stops
//! at the first thing that is not as it shall be.

use engine::Agenda;
use units::PodId;

use super::pods::PodState;
use super::{Cluster, Event};
use crate::spec::ReplicaOrder;

impl Cluster<'_> {
    /// Passes until nothing can be done at once.
    pub(super) fn settle_ordered(&mut self, agenda: &mut Agenda<Event>) {
        while self.ordered_pass(agenda) {}
    }

    /// One pass; true if it made or deleted a pod.
    fn ordered_pass(&mut self, agenda: &mut Agenda<Event>) -> bool {
        let is_serial = self.spec.service.order == ReplicaOrder::Ordered;
        let desired = self.controllers.desired;
        let places = self.places();
        for ordinal in 0..desired {
            match places.get(ordinal as usize).copied().flatten() {
                None => {
                    self.create_in_place(ordinal, agenda);
                    return true;
                }
                Some(pod) if is_serial && self.pods.state(pod) != PodState::Ready => return false,
                Some(_) => {}
            }
        }
        let condemned: Vec<PodId> = places.iter().skip(desired as usize).flatten().copied().collect();
        let is_broken = |pod: &&PodId| self.pods.state(**pod) != PodState::Ready;
        let first_broken = condemned.iter().find(is_broken).copied();
        for pod in condemned.iter().rev().copied() {
            let state = self.pods.state(pod);
            if state != PodState::Draining && !(is_serial && state != PodState::Ready && first_broken != Some(pod)) {
                self.retire(pod, "scale_in", agenda);
                return true;
            }
            if is_serial {
                return false;
            }
        }
        self.update_in_place(&places, agenda)
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

    fn create_in_place(&mut self, ordinal: u32, agenda: &mut Agenda<Event>) {
        let newest = self.sets.revision();
        let partition = self.rollout.as_ref().and_then(|rollout| rollout.ordered()).map_or(0, |(partition, _)| partition);
        let revision = if ordinal < partition { newest.saturating_sub(1) } else { newest };
        let pod = self.create_cold_of(revision, agenda.now());
        self.pods.set_ordinal(pod, ordinal);
    }

    /// Deletes the highest pod of an old version, if no more are unavailable than may be; true if there was one.
    fn update_in_place(&mut self, places: &[Option<PodId>], agenda: &mut Agenda<Event>) -> bool {
        let Some((partition, unavailable_max)) = self.rollout.as_ref().and_then(|rollout| rollout.ordered()) else {
            return false;
        };
        let wanted = &places[..places.len().min(self.controllers.desired as usize)];
        let is_ready = |place: &Option<PodId>| place.is_some_and(|pod| self.pods.state(pod) == PodState::Ready);
        let unavailable = wanted.iter().filter(|place| !is_ready(place)).count();
        if unavailable >= unavailable_max as usize {
            return false;
        }
        let newest = self.sets.revision();
        let old = wanted.iter().skip(partition as usize).rev().flatten().copied();
        let is_next = |pod: &PodId| self.pods.revision(*pod) < newest && self.pods.state(*pod) != PodState::Draining;
        let Some(pod) = old.filter(is_next).next() else { return false };
        self.retire(pod, "rollout", agenda);
        true
    }

    /// Every pod from `partition` on is new and ready.
    pub(super) fn is_ordered_update_over(&self, partition: u32) -> bool {
        let newest = self.sets.revision();
        let places = self.places();
        (partition..self.controllers.desired).all(|ordinal| {
            let pod = places.get(ordinal as usize).copied().flatten();
            pod.is_some_and(|pod| self.pods.revision(pod) == newest && self.pods.state(pod) == PodState::Ready)
        })
    }
}
