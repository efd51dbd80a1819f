//! From a wanted count to pods: the Deployment's and the warm pool's part.

use engine::Agenda;
use units::{PodId, SimDuration, SimTime};

use super::pods::{Listing, PodState, Role};
use super::{Cluster, Event};
use crate::fleet::PodRole;
use crate::spec::Routing;

impl Cluster<'_> {
    /// A pod that is there and warm from the start on, and was before it if there is a prehistory.
    pub(super) fn create_ready(&mut self, role: Role) {
        let now = SimTime::ZERO;
        let pod = self.pods.create(role, self.origin);
        self.pods.set_ordinal(pod, pod.0);
        if !self.fleet.create_ready_pod(pod, fleet_role(role), SimTime::ZERO, &mut self.out) {
            // The pools' limits leave no room: it is pending, as it would be in a cluster.
            return;
        }
        self.pods.set_ready(pod, now);
        if self.origin > SimTime::ZERO {
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
    pub(super) fn reconcile(&mut self, agenda: &mut Agenda<Event>) {
        if self.settles() {
            // It is brought in line when the event has been handled.
            return self.refill(agenda);
        }
        let desired = self.controllers.desired;
        let actives = self.pods.actives();
        if actives < desired {
            self.grow(desired - actives, agenda);
        }
        if actives > desired {
            self.shrink(actives - desired, agenda);
        }
        self.refill(agenda);
    }

    /// Standbys first, instantly; the rest cold.
    fn grow(&mut self, count: u32, agenda: &mut Agenda<Event>) {
        for _ in 0..count {
            let standby = self.pods.with(Role::Standby, PodState::Standby).next();
            match standby {
                Some(pod) => self.promote(pod, agenda),
                None => self.create_cold(Role::Active, agenda.now()),
            }
        }
    }

    /// A warm pod joins the endpoints after the label patch has propagated.
    fn promote(&mut self, pod: PodId, agenda: &mut Agenda<Event>) {
        let now = agenda.now();
        self.pods.set_role(pod, Role::Active);
        self.pods.set_state(pod, PodState::Promoting);
        self.fleet.set_role(pod, PodRole::Active, self.in_run(now));
        let delay = self.policy.warm_pool.as_ref().map(|pool| pool.promote).unwrap_or_default();
        agenda.schedule(now + delay, Event::Endpoint(pod));
    }

    fn create_cold(&mut self, role: Role, now: SimTime) {
        self.create_of((role, self.sets.revision()), now);
    }

    /// A new active of a version.
    pub(super) fn create_cold_of(&mut self, revision: u32, now: SimTime) -> PodId {
        self.create_of((Role::Active, revision), now)
    }

    fn create_of(&mut self, (role, revision): (Role, u32), now: SimTime) -> PodId {
        let pod = self.pods.create(role, now);
        self.pods.set_revision(pod, revision);
        self.fleet.create_pod(pod, fleet_role(role), self.in_run(now), &mut self.out);
        pod
    }

    /// A pod is warm. What it was ordered for does not bind it: if an active is still starting, this one serves in its place and
    /// that one becomes the standby.
    pub(super) fn take_up_duty(&mut self, pod: PodId, agenda: &mut Agenda<Event>) {
        let now = agenda.now();
        self.pipeline.pod_is_warm(pod, now);
        if self.pods.role(pod) == Role::Active {
            return self.enter_flow(pod, agenda);
        }
        let still_starting = self.pods.with(Role::Active, PodState::Starting).next_back();
        self.pods.set_state(pod, PodState::Standby);
        if let Some(other) = still_starting {
            self.pods.set_role(other, Role::Standby);
            self.fleet.set_role(other, PodRole::Standby, self.in_run(now));
            self.promote(pod, agenda);
        }
    }

    /// A pod starts to receive requests.
    pub(super) fn enter_flow(&mut self, pod: PodId, agenda: &mut Agenda<Event>) {
        let now = agenda.now();
        if !matches!(self.pods.state(pod), PodState::Starting | PodState::Promoting) {
            return;
        }
        if self.is_kept_out(pod) {
            return self.pods.set_state(pod, PodState::Promoting);
        }
        self.pods.set_state(pod, PodState::Ready);
        let slot = self.pods.take_slot(pod);
        self.flow.add(slot, pod, now);
    }

    /// Takes `count` actives away, in the ReplicaSet's order of victims.
    fn shrink(&mut self, count: u32, agenda: &mut Agenda<Event>) {
        for _ in 0..count {
            let Some(victim) = self.victim() else { return };
            if self.pods.state(victim) != PodState::Ready || !self.has_room_for_standby(agenda.now()) {
                self.retire(victim, "scale_in", agenda);
            } else {
                self.demote(victim, agenda);
            }
        }
    }

    /// Not ready before ready, then as the fleet ranks them (siblings on the node, age).
    fn victim(&self) -> Option<PodId> {
        let in_state = |state| self.fleet.victim(self.pods.with(Role::Active, state));
        [PodState::Lost, PodState::Starting, PodState::Promoting, PodState::Ready].into_iter().find_map(in_state)
    }

    /// Whether a pod taken out of service can fill the pool; cancels a refill that is still starting to make room.
    fn has_room_for_standby(&mut self, now: SimTime) -> bool {
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
            self.end_pod(refill, now);
        }
        true
    }

    /// A serving pod becomes a standby once its requests are done.
    fn demote(&mut self, pod: PodId, agenda: &mut Agenda<Event>) {
        self.pods.set_state(pod, PodState::Demoting);
        self.pods.set_role(pod, Role::Standby);
        self.begin_fleet_drain(pod, agenda.now());
        self.wait_until_drained(pod, agenda);
    }

    /// The fleet's view of a drain, with the pod's busy time up to now told first.
    fn begin_fleet_drain(&mut self, pod: PodId, now: SimTime) {
        if let Some(slot) = self.pods.slot(pod) {
            self.tell_busy_of(pod, slot, now);
        }
        self.fleet.begin_drain(pod, self.in_run(now));
    }

    /// Deletes a pod: at once if it is not serving, else after its last request or its grace period, whichever comes first.
    pub(super) fn retire(&mut self, pod: PodId, ending: &'static str, agenda: &mut Agenda<Event>) {
        let now = agenda.now();
        self.pipeline.pod_is_deleted(pod);
        match self.pods.state(pod) {
            PodState::Ready => {
                self.pods.set_state(pod, PodState::Draining);
                self.pods.set_ending(pod, ending);
                self.pods.set_deleted(pod, now);
                self.begin_fleet_drain(pod, now);
                agenda.schedule(now + self.service.pod.grace, Event::GraceOver(pod));
                self.schedule_stop(pod, agenda);
                match self.service.pod.drain_delay {
                    None => self.wait_until_drained(pod, agenda),
                    Some(delay) => self.begin_termination(pod, delay, agenda),
                }
            }
            PodState::Demoting => {
                self.pods.set_state(pod, PodState::Draining);
                self.pods.set_ending(pod, ending);
                self.pods.set_deleted(pod, now);
                agenda.schedule(now + self.service.pod.grace, Event::GraceOver(pod));
                self.schedule_stop(pod, agenda);
            }
            PodState::Starting | PodState::Promoting | PodState::Standby => {
                self.pods.set_ending(pod, ending);
                self.end_pod(pod, now);
            }
            PodState::Lost => {
                self.leave_flow(pod, now);
                self.pods.set_ending(pod, ending);
                self.delete_rest(pod, now);
                self.pods.set_gone(pod);
                self.pipeline.pod_is_gone(pod);
            }
            PodState::Draining | PodState::Gone => {}
        }
    }

    /// A serving pod is deleted: its preStop hook begins, and the router hears of it after `delay`. Between the end of the hook, when it
    /// is told to stop, and that moment it turns new requests away; what pulls from a shared queue just stops pulling.
    fn begin_termination(&mut self, pod: PodId, delay: SimDuration, agenda: &mut Agenda<Event>) {
        let now = agenda.now();
        let pre_stop = self.service.pod.pre_stop;
        if pre_stop >= delay || self.service.routing == Routing::CentralQueue {
            agenda.schedule(now + delay.min(pre_stop), Event::Withdraw(pod));
        } else {
            agenda.schedule(now + pre_stop, Event::Refuse(pod));
            agenda.schedule(now + delay, Event::Withdraw(pod));
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
    pub(super) fn withdraw(&mut self, pod: PodId, agenda: &mut Agenda<Event>) {
        match self.pods.state(pod) {
            PodState::Draining if self.pods.is_stopped(pod) => self.end_after_hook(pod, agenda),
            PodState::Draining => self.wait_until_drained(pod, agenda),
            PodState::Lost => self.leave_flow(pod, agenda.now()),
            _ => {}
        }
    }

    /// Standbys take the places of serving pods whose nodes are about to be taken and that a disruption budget keeps from being
    /// evicted. Those that could be evicted have been replaced already.
    pub(super) fn cover_warned(&mut self, agenda: &mut Agenda<Event>) {
        let warned = std::mem::take(&mut self.warned);
        if !self.policy.warm_pool.as_ref().is_some_and(|pool| pool.cover_notices) {
            return;
        }
        for pod in warned {
            let is_serving = self.pods.role(pod) == Role::Active && self.pods.state(pod) == PodState::Ready;
            let standby = self.pods.with(Role::Standby, PodState::Standby).next();
            if let (true, Some(standby)) = (is_serving, standby) {
                self.pods.cover(pod);
                self.promote(standby, agenda);
            }
        }
        self.reconcile(agenda);
    }

    fn wait_until_drained(&mut self, pod: PodId, agenda: &mut Agenda<Event>) {
        let slot = self.pods.slot(pod).expect("a serving pod has a place in the flow");
        let now = agenda.now();
        let empty_at = match self.pods.listing(pod) {
            Listing::Listed => self.flow.drain(slot, now),
            Listing::EmptyAt(known) => Some(known.max(now)),
            Listing::Unlisted => (self.flow.replica_load(slot, now) == (0, 0)).then_some(now),
        };
        if let Some(empty_at) = empty_at {
            agenda.schedule(empty_at, Event::Drained(pod));
        }
    }

    /// A pod has answered its last request.
    pub(super) fn pod_is_drained(&mut self, pod: PodId, agenda: &mut Agenda<Event>) {
        let now = agenda.now();
        match self.pods.state(pod) {
            PodState::Draining => {
                // Its preStop hook may still be running, or its process may not have looked yet.
                let exits = self.exits_at(pod, now);
                if now < exits {
                    agenda.schedule(exits, Event::Drained(pod));
                } else {
                    self.end_pod(pod, now);
                }
            }
            PodState::Demoting => {
                self.leave_flow(pod, now);
                self.pods.set_state(pod, PodState::Standby);
                self.fleet.set_role(pod, PodRole::Standby, self.in_run(now));
            }
            _ => {}
        }
    }

    pub(super) fn pod_grace_is_over(&mut self, pod: PodId, now: SimTime) {
        if self.pods.state(pod) == PodState::Draining {
            self.end_pod(pod, now);
        }
    }

    /// The pod is gone; its GPU is free.
    pub(super) fn end_pod(&mut self, pod: PodId, now: SimTime) {
        self.leave_flow(pod, now);
        self.fleet.delete_pod(pod, self.pods.ending(pod), self.in_run(now), &mut self.out);
        self.pods.set_gone(pod);
        self.pipeline.pod_is_gone(pod);
    }

    /// Orders standbys until the pool is full again; lets surplus ones go that have not begun to load.
    fn refill(&mut self, agenda: &mut Agenda<Event>) {
        let size = self.standby_size();
        let counts = self.pods.counts(self.controllers.desired);
        let demoting = self.pods.with(Role::Standby, PodState::Demoting).count() as u32;
        let pool = counts.standby + counts.standby_starting + demoting;
        (pool..size).for_each(|_| self.create_cold(Role::Standby, agenda.now()));
        for _ in size..pool {
            let surplus = self.pods.with(Role::Standby, PodState::Starting).next_back();
            let surplus = surplus.or_else(|| self.pods.with(Role::Standby, PodState::Standby).next_back());
            if let Some(pod) = surplus {
                self.retire(pod, "surplus", agenda);
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
