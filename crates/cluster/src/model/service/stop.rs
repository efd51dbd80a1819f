//! What the server of a deleted pod does with its requests when it is told to stop.

use units::{PodId, SimTime};

use super::{Event, Service, Turn};
use crate::flow;
use crate::pods::PodState;
use crate::spec::StopRule;

impl Service<'_> {
    /// When the process of a deleted pod is told to stop: after its preStop hook.
    fn told_at(&self, pod: PodId) -> SimTime {
        self.pods.deleted(pod).saturating_add(self.spec.pod.pre_stop)
    }

    /// Has the pod, just deleted, stopped when its server gives up what it has, if it ever does.
    pub(super) fn schedule_stop(&self, pod: PodId, turn: &mut Turn<'_>) {
        let told_at = self.told_at(pod);
        let stops_at = match self.spec.pod.stop {
            StopRule::Abort | StopRule::Halt => told_at,
            StopRule::Finish { within: Some(within), .. } => told_at.saturating_add(within),
            StopRule::Finish { within: None, .. } => return,
        };
        turn.schedule(stops_at, Event::Stop(pod));
    }

    /// When a pod that has answered its last request at `now` exits: with a router that takes its time the hook runs to its end first, and
    /// a server that looks for requests every so often sees that there are none when it next looks.
    pub(super) fn exits_at(&self, pod: PodId, now: SimTime) -> SimTime {
        let rule = &self.spec.pod;
        let told_at = self.told_at(pod);
        let asked = if rule.drain_delay.is_some() { told_at.max(now) } else { now };
        let StopRule::Finish { poll, .. } = rule.stop else { return asked };
        if poll.is_zero() || asked <= told_at {
            return asked;
        }
        told_at + poll * (asked - told_at).as_nanos().div_ceil(poll.as_nanos())
    }

    /// The server gives up what it has: those requests end as those of a killed replica. If the router still sends it some, they meet
    /// nobody until it knows.
    pub(super) fn stop_serving(&mut self, pod: PodId, turn: &mut Turn<'_>) {
        let now = turn.now();
        if self.pods.state(pod) != PodState::Draining {
            return;
        }
        if self.spec.pod.stop == StopRule::Halt
            && let Some(slot) = self.pods.slot(pod)
            && self.flow.replica_load(slot, now) != (0, 0)
        {
            // Its process stays, with the connections of the clients, until it is killed.
            return self.flow.halt(slot, now);
        }
        let withdrawn_at = self.spec.pod.drain_delay.map(|delay| self.pods.deleted(pod).saturating_add(delay));
        let is_known = withdrawn_at.is_none_or(|at| at <= now) || !flow::sends_to_the_dead(self.run, self.spec);
        if is_known {
            return self.end_after_hook(pod, turn);
        }
        self.leave_flow(pod, turn);
        self.pods.set_stopped(pod);
        let slot = self.pods.take_slot(pod);
        self.flow.add_dead(slot, pod, now);
    }

    /// A pod whose server has stopped goes when its hook has run. Only that of a group's leader may still be running.
    pub(super) fn end_after_hook(&mut self, pod: PodId, turn: &mut Turn<'_>) {
        let told_at = self.told_at(pod);
        if self.spec.pod.drain_delay.is_none() || told_at <= turn.now() {
            return self.end_pod(pod, turn);
        }
        self.pods.set_stopped(pod);
        self.leave_flow(pod, turn);
        turn.schedule(told_at, Event::GraceOver(pod));
    }
}
