//! Every pod of the service and what it is doing.

use policy::{Counts, PodPhase, PodView, Ready};
use units::{PodId, SimDuration, SimTime};

use crate::flow::Slot;

const A_DAY_NS: i64 = 86_400_000_000_000;

/// What a pod is kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Serves.
    Active,
    /// Waits warm.
    Standby,
}

/// Where a pod is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PodState {
    /// Waits for a node, pulls, downloads, loads, warms up.
    Starting,
    /// Warm, and promoted: its endpoint is on its way to the router.
    Promoting,
    /// In the endpoints.
    Ready,
    /// Warm, outside the endpoints.
    Standby,
    /// Being deleted, finishing its requests.
    Draining,
    /// Being demoted: finishing its requests, then warm at once.
    Demoting,
    /// Gone with its node, which nobody in the cluster knows yet: not replaced before it is evicted.
    Lost,
    /// Not there any more.
    Gone,
}

#[derive(Clone, Debug)]
struct Pod {
    role: Role,
    state: PodState,
    slot: Option<Slot>,
    created: SimTime,
    scheduled: Option<SimTime>,
    is_running: bool,
    ready_transition: SimTime,
    busy_told_ns: u64,
    ending: &'static str,
    /// Its node is about to be taken, and a standby already serves in its place.
    is_covered: bool,
    deleted: SimTime,
    /// It has been ready since long before the run: neither its start nor its getting ready is recent news.
    is_old: bool,
    /// Version of the template it was made from.
    revision: u32,
    /// Its place in a StatefulSet.
    ordinal: u32,
    /// Whether it gets requests when it is ready.
    unlisted: Listing,
    /// Its server has stopped, and the router does not know yet.
    is_stopped: bool,
    /// It has been among those that take requests, or its process runs since the start.
    has_served: bool,
}

/// Whether a ready pod is among the endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    Listed,
    /// It was taken out; when it will have answered its last request is not known.
    Unlisted,
    /// It was taken out, and will have answered its last request at this instant.
    EmptyAt(SimTime),
}

/// A pod as the API server shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PodObject {
    pub(crate) created: SimTime,
    pub(crate) scheduled: Option<SimTime>,
    pub(crate) is_running: bool,
    pub(crate) is_ready: bool,
    pub(crate) ready_transition: SimTime,
}

/// All pods of a run by id, with the living ones at hand.
#[derive(Debug, Default)]
pub(crate) struct Pods {
    service: usize,
    all: Vec<Pod>,
    /// Pods that are not gone, in order of creation.
    living: Vec<PodId>,
    slots: Vec<Option<PodId>>,
    views: Vec<PodView>,
    tally: Tally,
    /// Ready pods for which a standby already serves.
    covered: u32,
    /// For each slot, how many ready pods have lower ones; `None` if its pod is not ready.
    ranks: Vec<Option<u64>>,
}

/// Living pods by role and state; kept up to date so that counting is free.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    ready: u32,
    starting: u32,
    standby: u32,
    standby_starting: u32,
    draining: u32,
}

impl Pods {
    /// Those of service number `service`: none yet.
    pub(crate) fn of(service: usize) -> Self {
        Self { service, ..Self::default() }
    }

    /// A new pod, starting.
    pub(crate) fn create(&mut self, role: Role, now: SimTime) -> PodId {
        let pod = PodId::new(self.service, self.all.len());
        self.all.push(Pod {
            role,
            state: PodState::Starting,
            slot: None,
            created: now,
            scheduled: None,
            is_running: false,
            ready_transition: now,
            busy_told_ns: 0,
            ending: "running",
            is_covered: false,
            deleted: SimTime::MAX,
            is_old: false,
            revision: 0,
            ordinal: 0,
            unlisted: Listing::Listed,
            is_stopped: false,
            has_served: false,
        });
        self.living.push(pod);
        self.count(pod, 1);
        pod
    }

    pub(crate) fn state(&self, pod: PodId) -> PodState {
        self.all[pod.index()].state
    }

    pub(crate) fn role(&self, pod: PodId) -> Role {
        self.all[pod.index()].role
    }

    pub(crate) fn created(&self, pod: PodId) -> SimTime {
        self.all[pod.index()].created
    }

    pub(crate) fn ending(&self, pod: PodId) -> &'static str {
        self.all[pod.index()].ending
    }

    pub(crate) fn busy_told(&self, pod: PodId) -> u64 {
        self.all[pod.index()].busy_told_ns
    }

    pub(crate) fn set_busy_told(&mut self, pod: PodId, busy_ns: u64) {
        self.all[pod.index()].busy_told_ns = busy_ns;
    }

    pub(crate) fn set_ending(&mut self, pod: PodId, ending: &'static str) {
        self.all[pod.index()].ending = ending;
    }

    pub(crate) fn set_scheduled(&mut self, pod: PodId, now: SimTime) {
        self.all[pod.index()].scheduled = Some(now);
    }

    pub(crate) fn set_started(&mut self, pod: PodId, _now: SimTime) {
        self.all[pod.index()].is_running = true;
    }

    /// The Ready condition turns true (or the pod was ready from the start).
    pub(crate) fn set_ready(&mut self, pod: PodId, now: SimTime) {
        let entry = &mut self.all[pod.index()];
        entry.is_running = true;
        entry.scheduled.get_or_insert(entry.created);
        entry.ready_transition = now;
    }

    pub(crate) fn set_revision(&mut self, pod: PodId, revision: u32) {
        self.all[pod.index()].revision = revision;
    }

    pub(crate) fn revision(&self, pod: PodId) -> u32 {
        self.all[pod.index()].revision
    }

    pub(crate) fn set_ordinal(&mut self, pod: PodId, ordinal: u32) {
        self.all[pod.index()].ordinal = ordinal;
    }

    pub(crate) fn ordinal(&self, pod: PodId) -> u32 {
        self.all[pod.index()].ordinal
    }

    pub(crate) fn is_scheduled(&self, pod: PodId) -> bool {
        self.all[pod.index()].scheduled.is_some()
    }

    /// A ready pod gets no requests any more; `empty_at` is when it will have answered the last, where that is known.
    pub(crate) fn unlist(&mut self, pod: PodId, empty_at: Option<SimTime>) {
        self.all[pod.index()].unlisted = empty_at.map_or(Listing::Unlisted, Listing::EmptyAt);
    }

    /// Whether it gets requests, and what was known when it was unlisted.
    pub(crate) fn listing(&self, pod: PodId) -> Listing {
        self.all[pod.index()].unlisted
    }

    pub(crate) fn set_stopped(&mut self, pod: PodId) {
        self.all[pod.index()].is_stopped = true;
    }

    pub(crate) fn is_stopped(&self, pod: PodId) -> bool {
        self.all[pod.index()].is_stopped
    }

    /// Actives of a version that are not being deleted.
    pub(crate) fn actives_of(&self, revision: u32) -> u32 {
        self.count_of(revision, |state| !matches!(state, PodState::Draining | PodState::Demoting | PodState::Gone))
    }

    /// Actives of a version that serve.
    pub(crate) fn ready_of(&self, revision: u32) -> u32 {
        self.count_of(revision, |state| state == PodState::Ready)
    }

    /// Actives of a version that have been ready for `min_ready`.
    pub(crate) fn available(&self, revision: u32, min_ready: SimDuration, now: SimTime) -> u32 {
        let is_of = |pod: &&PodId| self.revision(**pod) == revision;
        let is_available = |pod: &&PodId| self.available_at(**pod, min_ready).is_some_and(|at| at <= now);
        self.living.iter().filter(is_of).filter(is_available).count() as u32
    }

    /// When an active that is ready has been so for `min_ready`. One that is there from the start was before it.
    pub(crate) fn available_at(&self, pod: PodId, min_ready: SimDuration) -> Option<SimTime> {
        let Pod { role, state, ready_transition, .. } = self.all[pod.index()];
        let is_ready = role == Role::Active && matches!(state, PodState::Ready | PodState::Promoting);
        let was_before = ready_transition == SimTime::ZERO;
        is_ready.then(|| if was_before { SimTime::ZERO } else { ready_transition.saturating_add(min_ready) })
    }

    /// Whether a pod of a version before `revision` is still there, be it on its way out.
    pub(crate) fn has_older_than(&self, revision: u32) -> bool {
        self.living.iter().any(|&pod| self.revision(pod) < revision)
    }

    fn count_of(&self, revision: u32, is_meant: impl Fn(PodState) -> bool) -> u32 {
        let actives = self.living.iter().map(|pod| &self.all[pod.index()]).filter(|pod| pod.role == Role::Active);
        actives.filter(|pod| pod.revision == revision && is_meant(pod.state)).count() as u32
    }

    /// It has been ready for a day.
    /// The pod begins to take requests. Returns whether its process never has before, and was started during the run.
    pub(crate) fn begin_service(&mut self, pod: PodId) -> bool {
        !std::mem::replace(&mut self.all[pod.index()].has_served, true)
    }

    pub(crate) fn set_old(&mut self, pod: PodId) {
        let entry = &mut self.all[pod.index()];
        (entry.is_old, entry.created, entry.scheduled) = (true, SimTime::ZERO, Some(SimTime::ZERO));
    }

    pub(crate) fn set_state(&mut self, pod: PodId, state: PodState) {
        self.count(pod, -1);
        let before = std::mem::replace(&mut self.all[pod.index()].state, state);
        self.count(pod, 1);
        if PodState::Ready == before && state != before {
            self.covered -= u32::from(std::mem::take(&mut self.all[pod.index()].is_covered));
            self.rank();
        }
    }

    /// From now on a standby serves in the place of this ready pod, which will be gone soon: it does not count as wanted any more.
    pub(crate) fn cover(&mut self, pod: PodId) {
        self.covered += u32::from(!std::mem::replace(&mut self.all[pod.index()].is_covered, true));
    }

    /// Its deletion was asked for.
    pub(crate) fn set_deleted(&mut self, pod: PodId, now: SimTime) {
        self.all[pod.index()].deleted = now;
    }

    /// When that was; the end of time if it was not.
    pub(crate) fn deleted(&self, pod: PodId) -> SimTime {
        self.all[pod.index()].deleted
    }

    pub(crate) fn set_role(&mut self, pod: PodId, role: Role) {
        self.count(pod, -1);
        self.all[pod.index()].role = role;
        self.count(pod, 1);
    }

    pub(crate) fn set_gone(&mut self, pod: PodId) {
        self.set_state(pod, PodState::Gone);
        self.living.retain(|&other| other != pod);
    }

    /// Gives a pod the lowest free place in the flow.
    pub(crate) fn take_slot(&mut self, pod: PodId) -> Slot {
        let slot = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        if slot == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[slot] = Some(pod);
        let entry = &mut self.all[pod.index()];
        entry.slot = Some(slot);
        entry.busy_told_ns = 0;
        self.rank();
        slot
    }

    pub(crate) fn release_slot(&mut self, pod: PodId) -> Option<Slot> {
        let slot = self.all[pod.index()].slot.take()?;
        self.slots[slot] = None;
        Some(slot)
    }

    pub(crate) fn slot(&self, pod: PodId) -> Option<Slot> {
        self.all[pod.index()].slot
    }

    pub(crate) fn in_slot(&self, slot: Slot) -> Option<PodId> {
        self.slots.get(slot).copied().flatten()
    }

    /// How many ready pods have lower slots than this one's pod (`None` if it is not ready), and how many are ready.
    pub(crate) fn rank_among_ready(&self, slot: Slot) -> (Option<u64>, u64) {
        (self.ranks.get(slot).copied().flatten(), u64::from(self.tally.ready))
    }

    fn rank(&mut self) {
        let mut ready = 0;
        let is_ready = |pod: &Option<PodId>| pod.is_some_and(|pod| self.state(pod) == PodState::Ready);
        let flags: Vec<bool> = self.slots.iter().map(is_ready).collect();
        self.ranks.clear();
        self.ranks.extend(flags.into_iter().map(|is_ready| {
            ready += u64::from(is_ready);
            is_ready.then(|| ready - 1)
        }));
    }

    /// Pods the serving Deployment's selector matches: actives, those being deleted included.
    pub(crate) fn selected(&self) -> Vec<PodId> {
        self.living.iter().copied().filter(|&pod| self.role(pod) == Role::Active).collect()
    }

    /// Pods with a place in the flow: ready, draining and demoting ones.
    pub(crate) fn in_flow(&self) -> Vec<(PodId, Slot)> {
        self.slots.iter().enumerate().filter_map(|(slot, pod)| pod.map(|pod| (pod, slot))).collect()
    }

    /// Pods that are not gone, in order of creation.
    pub(crate) fn living(&self) -> &[PodId] {
        &self.living
    }

    /// What the API server shows of a pod.
    pub(crate) fn object(&self, pod: PodId) -> PodObject {
        let entry = &self.all[pod.index()];
        PodObject {
            created: entry.created,
            scheduled: entry.scheduled,
            is_running: entry.is_running,
            is_ready: !matches!(entry.state, PodState::Starting | PodState::Lost),
            ready_transition: entry.ready_transition,
        }
    }

    /// Living pods of `role` in `state`, oldest first.
    pub(crate) fn with(&self, role: Role, state: PodState) -> impl DoubleEndedIterator<Item = PodId> + '_ {
        self.living.iter().copied().filter(move |&pod| self.role(pod) == role && self.state(pod) == state)
    }

    /// Actives that are not being deleted: what `status.replicas` counts. Those that others already stand in for are left out.
    pub(crate) fn actives(&self) -> u32 {
        self.tally.ready + self.tally.starting - self.covered
    }

    pub(crate) fn counts(&self, spec: u32) -> Counts {
        let tally = self.tally;
        Counts {
            spec,
            status: self.actives(),
            ready: tally.ready,
            starting: tally.starting,
            standby: tally.standby,
            standby_starting: tally.standby_starting,
            draining: tally.draining,
        }
    }

    /// What controllers can read of the serving Deployment's pods: actives, those being deleted included.
    pub(crate) fn views(&mut self) -> &[PodView] {
        let mut views = std::mem::take(&mut self.views);
        views.clear();
        let actives = self.living.iter().filter(|&&pod| self.role(pod) == Role::Active);
        views.extend(actives.map(|&pod| self.view(pod)));
        self.views = views;
        &self.views
    }

    fn view(&self, pod: PodId) -> PodView {
        let entry = &self.all[pod.index()];
        let ready = match entry.state {
            PodState::Starting | PodState::Lost => Ready::False,
            _ => Ready::True,
        };
        let old = entry.is_old.then_some(-A_DAY_NS);
        PodView {
            pod,
            phase: if entry.is_running { PodPhase::Running } else { PodPhase::Pending },
            deleted: entry.state == PodState::Draining,
            ready,
            started_ns: old.or(entry.scheduled.map(|time| time.as_nanos() as i64)),
            ready_transition_ns: old.unwrap_or(entry.ready_transition.as_nanos() as i64),
        }
    }

    fn count(&mut self, pod: PodId, by: i32) {
        let Pod { role, state, .. } = self.all[pod.index()];
        let place = match (role, state) {
            (Role::Active, PodState::Starting | PodState::Promoting | PodState::Lost) => &mut self.tally.starting,
            (Role::Standby, PodState::Starting | PodState::Lost) => &mut self.tally.standby_starting,
            (_, PodState::Ready) => &mut self.tally.ready,
            (_, PodState::Standby | PodState::Promoting) => &mut self.tally.standby,
            (_, PodState::Draining | PodState::Demoting) => &mut self.tally.draining,
            (_, PodState::Gone) => return,
        };
        *place = place.checked_add_signed(by).expect("a tally never goes below zero");
    }
}
