//! Replicas that are groups of pods: what the end of one pod means for the replica. Where a replica is one pod nothing here happens.

use engine::Agenda;
use units::{PodId, SimTime};

use super::pods::PodState;
use super::{Cluster, Event};

impl Cluster<'_> {
    /// A pod of the group is going or gone. What the replica serves ends as with a killed one; its pods stay for their preStop hooks, and
    /// then all are deleted (`handleRestartPolicy` in LeaderWorkerSet's `pkg/controllers/pod_controller.go`).
    pub(super) fn group_breaks(&mut self, pod: PodId, reason: &'static str, agenda: &mut Agenda<Event>) {
        let now = agenda.now();
        match self.pods.state(pod) {
            PodState::Ready | PodState::Demoting => {
                self.pipeline.pod_is_deleted(pod);
                self.begin_fleet_drain(pod, now);
                self.leave_flow(pod, now);
                self.pods.set_state(pod, PodState::Draining);
                self.pods.set_ending(pod, reason);
                let service = &self.spec.service.pod;
                agenda.schedule(now + service.pre_stop.min(service.grace), Event::GraceOver(pod));
            }
            PodState::Starting | PodState::Promoting | PodState::Standby => self.retire(pod, reason, agenda),
            PodState::Draining => self.end_pod(pod, now),
            // What is left is deleted when the loss is known.
            PodState::Lost | PodState::Gone => {}
        }
    }

    /// The pods of the group that are left, if there are any.
    pub(super) fn delete_rest(&mut self, pod: PodId, now: SimTime) {
        if self.spec.service.pod.group.is_some() {
            self.fleet.delete_pod(pod, "group_lost", self.in_run(now), &mut self.out);
        }
    }
}
