//! Replicas that are groups of pods: what the end of a worker means for the replica. Where a replica is one pod nothing here happens.

use units::{PodId, SimDuration};

use super::{Event, Service, Turn};
use crate::pods::PodState;

impl Service<'_> {
    /// A worker of the group is going or gone, and its leader is deleted for it (`handleRestartPolicy` in LeaderWorkerSet's
    /// `pkg/controllers/pod_controller.go`). What the replica serves is lost when the worker stops, long as the leader may want to finish.
    pub(super) fn group_breaks(&mut self, pod: PodId, (reason, at_once): (&'static str, bool), turn: &mut Turn<'_>) {
        if matches!(self.pods.state(pod), PodState::Lost | PodState::Gone) {
            // What is left of a lost one is deleted when the loss is known.
            return;
        }
        self.retire(pod, reason, turn);
        let rule = &self.spec.pod;
        let hook = rule.group.as_ref().map_or(SimDuration::ZERO, |group| group.worker_pre_stop.min(rule.grace));
        let stops_in = if at_once { SimDuration::ZERO } else { hook };
        turn.schedule(turn.now() + stops_in, Event::Stop(pod));
    }

    /// The pods of the group that are left, if there are any.
    pub(super) fn delete_rest(&mut self, pod: PodId, turn: &mut Turn<'_>) {
        if self.spec.pod.group.is_some() {
            turn.fleet.delete_pod(pod, "group_lost", turn.run_now(), turn.out);
        }
    }
}
