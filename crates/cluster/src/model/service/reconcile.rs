//! From a wanted count to pods: the Deployment's and the warm pool's part.

use units::{PodId, SimDuration, SimTime};

use super::{Event, Service, Turn};
use crate::fleet::PodRole;
use crate::pods::{Listing, PodState, Role};
use crate::spec::Routing;

impl Service<'_> {
    /// A pod that is there and warm from the start on, and was before it if there is a prehistory.
    pub(super) fn create_ready(&mut self, role: Role, turn: &mut Turn<'_>) {
        let now = SimTime::ZERO;
        let pod = self.pods.create(role, turn.origin);
        self.pods.set_ordinal(pod, pod.index() as u32);
        if !turn.fleet.create_ready_pod(pod, fleet_role(role), SimTime::ZERO, turn.out) {
            // The pools' limits leave no room: it is pending, as it would be in a cluster.
            return;
        }
        self.pods.set_ready(pod, now);
        self.pods.begin_service(pod);
        if turn.origin > SimTime::ZERO {
            self.pods.set_old(pod);
        }
        if role == Role::Standby {
            self.pods.set_state(pod, PodState::Standby);
        } else {
            self.pods.set_state(pod, PodState::Ready);
            let slot = self.pods.take_slot(pod);
            self.flow.add(slot, pod, now);
        }
    }

    /// Brings the pods in line with the wanted count and the standby size.
    pub(super) fn reconcile(&mut self, turn: &mut Turn<'_>) {
        if self.settles() {
            // It is brought in line when the event has been handled.
            return self.refill(turn);
        }
        let desired = self.controllers.desired;
        let actives = self.pods.actives();
        if actives < desired {
            self.grow(desired - actives, turn);
        }
        if actives > desired {
            self.shrink(actives - desired, turn);
        }
        self.refill(turn);
    }

    /// Standbys first, instantly; the rest cold.
    fn grow(&mut self, count: u32, turn: &mut Turn<'_>) {
        for _ in 0..count {
            let standby = self.pods.with(Role::Standby, PodState::Standby).next();
            match standby {
                Some(pod) => self.promote(pod, turn),
                None => self.create_cold(Role::Active, turn),
            }
        }
    }

    /// A warm pod joins the endpoints after the label patch has propagated.
    fn promote(&mut self, pod: PodId, turn: &mut Turn<'_>) {
        let now = turn.now();
        self.pods.set_role(pod, Role::Active);
        self.pods.set_state(pod, PodState::Promoting);
        turn.fleet.set_role(pod, PodRole::Active, turn.run_now());
        let delay = self.policy.warm_pool.as_ref().map(|pool| pool.promote).unwrap_or_default();
        turn.schedule(now + delay, Event::Endpoint(pod));
    }

    fn create_cold(&mut self, role: Role, turn: &mut Turn<'_>) {
        self.create_of((role, self.sets.revision()), turn);
    }

    /// A new active of a version.
    pub(super) fn create_cold_of(&mut self, revision: u32, turn: &mut Turn<'_>) -> PodId {
        self.create_of((Role::Active, revision), turn)
    }

    fn create_of(&mut self, (role, revision): (Role, u32), turn: &mut Turn<'_>) -> PodId {
        let pod = self.pods.create(role, turn.now());
        self.pods.set_revision(pod, revision);
        turn.fleet.create_pod(pod, fleet_role(role), turn.run_now(), turn.out);
        pod
    }

    /// A pod is warm. What it was ordered for does not bind it: if an active is still starting, this one serves in its place and
    /// that one becomes the standby.
    pub(super) fn take_up_duty(&mut self, pod: PodId, turn: &mut Turn<'_>) {
        let now = turn.now();
        turn.pipeline.pod_is_warm(pod, now);
        if self.pods.role(pod) == Role::Active {
            return self.enter_flow(pod, turn);
        }
        let still_starting = self.pods.with(Role::Active, PodState::Starting).next_back();
        self.pods.set_state(pod, PodState::Standby);
        if let Some(other) = still_starting {
            self.pods.set_role(other, Role::Standby);
            turn.fleet.set_role(other, PodRole::Standby, turn.run_now());
            self.promote(pod, turn);
        }
    }

    /// A pod starts to receive requests.
    pub(super) fn enter_flow(&mut self, pod: PodId, turn: &mut Turn<'_>) {
        let now = turn.now();
        if !matches!(self.pods.state(pod), PodState::Starting | PodState::Promoting) {
            return;
        }
        if self.is_kept_out(pod) {
            return self.pods.set_state(pod, PodState::Promoting);
        }
        self.pods.set_state(pod, PodState::Ready);
        let slot = self.pods.take_slot(pod);
        self.flow.add(slot, pod, now);
        if self.pods.begin_service(pod)
            && let Some(delay) = self.spec.first_delay(self.seed, pod)
        {
            self.flow.slow_first(slot, delay);
        }
    }

    /// Takes `count` actives away, in the ReplicaSet's order of victims.
    fn shrink(&mut self, count: u32, turn: &mut Turn<'_>) {
        for _ in 0..count {
            let Some(victim) = self.victim(turn) else { return };
            if self.pods.state(victim) != PodState::Ready || !self.has_room_for_standby(turn) {
                self.retire(victim, "scale_in", turn);
            } else {
                self.demote(victim, turn);
            }
        }
    }

    fn victim(&self, turn: &Turn<'_>) -> Option<PodId> {
        self.victim_among(|_| true, turn)
    }

    /// Who goes first of the actives that are meant: those that do not serve yet before those that do, then as the fleet ranks them.
    pub(super) fn victim_among(&self, is_meant: impl Fn(PodId) -> bool, turn: &Turn<'_>) -> Option<PodId> {
        let ways: [&[PodState]; 3] =
            [&[PodState::Lost, PodState::Starting], &[PodState::Promoting], &[PodState::Ready]];
        ways.into_iter().find_map(|states| {
            let in_states = states.iter().flat_map(|state| self.pods.with(Role::Active, *state));
            turn.fleet.victim(in_states.filter(|pod| is_meant(*pod)), turn.run_now())
        })
    }

    /// Whether a pod taken out of service can fill the pool; cancels a refill that is still starting to make room.
    fn has_room_for_standby(&mut self, turn: &mut Turn<'_>) -> bool {
        if !self.policy.warm_pool.as_ref().is_some_and(|pool| pool.demote) {
            return false;
        }
        let counts = self.pods.counts(self.controllers.desired);
        let warm = counts.standby + self.pods.with(Role::Standby, PodState::Demoting).count() as u32;
        if warm >= self.standby_size() {
            return false;
        }
        let refill = self.pods.with(Role::Standby, PodState::Starting).next_back();
        if warm + counts.standby_starting >= self.standby_size()
            && let Some(refill) = refill
        {
            self.pods.set_ending(refill, "cancelled");
            self.end_pod(refill, turn);
        }
        true
    }

    /// A serving pod becomes a standby once its requests are done.
    fn demote(&mut self, pod: PodId, turn: &mut Turn<'_>) {
        self.pods.set_state(pod, PodState::Demoting);
        self.pods.set_role(pod, Role::Standby);
        self.begin_fleet_drain(pod, turn);
        self.wait_until_drained(pod, turn);
    }

    /// The fleet's view of a drain, with the pod's busy time up to now told first.
    fn begin_fleet_drain(&mut self, pod: PodId, turn: &mut Turn<'_>) {
        if let Some(slot) = self.pods.slot(pod) {
            self.tell_busy_of((pod, slot), turn.now(), turn);
        }
        turn.fleet.begin_drain(pod, turn.run_now());
    }

    /// Deletes a pod: at once if it is not serving, else after its last request or its grace period, whichever comes first.
    pub(super) fn retire(&mut self, pod: PodId, ending: &'static str, turn: &mut Turn<'_>) {
        let now = turn.now();
        turn.pipeline.pod_is_deleted(pod);
        match self.pods.state(pod) {
            PodState::Ready => {
                self.pods.set_state(pod, PodState::Draining);
                self.pods.set_ending(pod, ending);
                self.pods.set_deleted(pod, now);
                self.begin_fleet_drain(pod, turn);
                turn.schedule(now + self.spec.pod.grace, Event::GraceOver(pod));
                self.schedule_stop(pod, turn);
                match self.spec.pod.drain_delay {
                    None => self.wait_until_drained(pod, turn),
                    Some(delay) => self.begin_termination(pod, delay, turn),
                }
            }
            PodState::Demoting => {
                self.pods.set_state(pod, PodState::Draining);
                self.pods.set_ending(pod, ending);
                self.pods.set_deleted(pod, now);
                turn.schedule(now + self.spec.pod.grace, Event::GraceOver(pod));
                self.schedule_stop(pod, turn);
            }
            PodState::Starting | PodState::Promoting | PodState::Standby => {
                self.pods.set_ending(pod, ending);
                self.end_pod(pod, turn);
            }
            PodState::Lost => {
                self.leave_flow(pod, turn);
                self.pods.set_ending(pod, ending);
                self.delete_rest(pod, turn);
                self.pods.set_gone(pod);
                turn.pipeline.pod_is_gone(pod);
            }
            PodState::Draining | PodState::Gone => {}
        }
    }

    /// A serving pod is deleted: its preStop hook begins, and the router hears of it after `delay`. Between the end of the hook, when it
    /// is told to stop, and that moment it turns new requests away; what pulls from a shared queue just stops pulling.
    fn begin_termination(&mut self, pod: PodId, delay: SimDuration, turn: &mut Turn<'_>) {
        let now = turn.now();
        let pre_stop = self.spec.pod.pre_stop;
        if pre_stop >= delay || self.spec.routing == Routing::CentralQueue {
            turn.schedule(now + delay.min(pre_stop), Event::Withdraw(pod));
        } else {
            turn.schedule(now + pre_stop, Event::Refuse(pod));
            turn.schedule(now + delay, Event::Withdraw(pod));
        }
    }

    pub(super) fn refuse_requests(&mut self, pod: PodId, now: SimTime) {
        if let (PodState::Draining, Some(slot), false) =
            (self.pods.state(pod), self.pods.slot(pod), self.pods.is_stopped(pod))
        {
            self.flow.refuse(slot, now);
        }
    }

    /// No new request reaches the pod any more.
    pub(super) fn withdraw(&mut self, pod: PodId, turn: &mut Turn<'_>) {
        match self.pods.state(pod) {
            PodState::Draining if self.pods.is_stopped(pod) => self.end_after_hook(pod, turn),
            PodState::Draining => self.wait_until_drained(pod, turn),
            PodState::Lost => self.leave_flow(pod, turn),
            _ => {}
        }
    }

    /// Standbys take the places of serving pods whose nodes are about to be taken and that a disruption budget keeps from being
    /// evicted. Those that could be evicted have been replaced already.
    pub(super) fn cover_warned(&mut self, turn: &mut Turn<'_>) {
        let warned = std::mem::take(&mut self.warned);
        if !self.policy.warm_pool.as_ref().is_some_and(|pool| pool.cover_notices) {
            return;
        }
        for pod in warned {
            let is_serving = self.pods.role(pod) == Role::Active && self.pods.state(pod) == PodState::Ready;
            let standby = self.pods.with(Role::Standby, PodState::Standby).next();
            if let (true, Some(standby)) = (is_serving, standby) {
                self.pods.cover(pod);
                self.promote(standby, turn);
            }
        }
        self.reconcile(turn);
    }

    fn wait_until_drained(&mut self, pod: PodId, turn: &mut Turn<'_>) {
        let slot = self.pods.slot(pod).expect("a serving pod has a place in the flow");
        let now = turn.now();
        let empty_at = match self.pods.listing(pod) {
            Listing::Listed => self.flow.drain(slot, now),
            Listing::EmptyAt(known) => Some(known.max(now)),
            Listing::Unlisted => (self.flow.replica_load(slot, now) == (0, 0)).then_some(now),
        };
        if let Some(empty_at) = empty_at {
            turn.schedule(empty_at, Event::Drained(pod));
        }
    }

    /// A pod has answered its last request.
    pub(super) fn pod_is_drained(&mut self, pod: PodId, turn: &mut Turn<'_>) {
        let now = turn.now();
        match self.pods.state(pod) {
            PodState::Draining => {
                // Its preStop hook may still be running, or its process may not have looked yet.
                let exits = self.exits_at(pod, now);
                if now < exits {
                    turn.schedule(exits, Event::Drained(pod));
                } else {
                    self.end_pod(pod, turn);
                }
            }
            PodState::Demoting => {
                self.leave_flow(pod, turn);
                self.pods.set_state(pod, PodState::Standby);
                turn.fleet.set_role(pod, PodRole::Standby, turn.run_now());
            }
            _ => {}
        }
    }

    pub(super) fn pod_grace_is_over(&mut self, pod: PodId, turn: &mut Turn<'_>) {
        if self.pods.state(pod) == PodState::Draining {
            self.end_pod(pod, turn);
        }
    }

    /// The pod is gone; its GPU is free.
    pub(super) fn end_pod(&mut self, pod: PodId, turn: &mut Turn<'_>) {
        self.leave_flow(pod, turn);
        turn.fleet.delete_pod(pod, self.pods.ending(pod), turn.run_now(), turn.out);
        self.pods.set_gone(pod);
        turn.pipeline.pod_is_gone(pod);
    }

    /// Orders standbys until the pool is full again; lets surplus ones go that have not begun to load.
    fn refill(&mut self, turn: &mut Turn<'_>) {
        let size = self.standby_size();
        let counts = self.pods.counts(self.controllers.desired);
        let demoting = self.pods.with(Role::Standby, PodState::Demoting).count() as u32;
        let pool = counts.standby + counts.standby_starting + demoting;
        (pool..size).for_each(|_| self.create_cold(Role::Standby, turn));
        for _ in size..pool {
            let surplus = self.pods.with(Role::Standby, PodState::Starting).next_back();
            let surplus = surplus.or_else(|| self.pods.with(Role::Standby, PodState::Standby).next_back());
            if let Some(pod) = surplus {
                self.retire(pod, "surplus", turn);
            }
        }
    }
}

fn fleet_role(role: Role) -> PodRole {
    match role {
        Role::Active => PodRole::Active,
        Role::Standby => PodRole::Standby,
    }
}
