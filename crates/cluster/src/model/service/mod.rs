//! One service of a run: its requests, its pods, the controllers that scale them, and what is recorded of all that.
//!
//! The parts: [`pods`] holds every pod's state, [`reconcile`] turns a wanted count into pods made, promoted, demoted and deleted,
//! [`control`] builds what controllers see and applies what they answer, [`recorder`] keeps the record. Where pods come and go by more than
//! a count, [`ordered`] makes them in a StatefulSet's order and [`rollout`] replaces one version by another in the sizes of [`sets`];
//! [`stop`] has what a server does with its requests when it is told to, [`groups`] what the end of one pod is for a replica of several. A service knows nothing of the others: it meets them in the
//! fleet, which is lent to it for a [`Turn`].

mod control;
mod groups;
mod occupancy;
mod ordered;
mod prehistory;
mod progress;
mod reconcile;
mod recorder;
mod remarks;
mod rollout;
mod sets;
mod stop;

use policy::MetricQuery;
use record::ServiceRecord;
use units::{PodId, SimDuration, SimTime};

use super::turn::Turn;
use super::{Begun, Event};
use crate::fleet::Notice;
use crate::flow::{self, Answered, Drained, Flow, Kept, Slot, Watched};
use crate::metrics::ServiceView;
use crate::pods::{PodState, Pods, Role};
use crate::spec::{ReplicaOrder, ServicePolicy, ServiceSpec, SimulationSpec};
use control::Controllers;
use recorder::Recorder;
use sets::ReplicaSets;

/// A service while its run goes on.
pub(super) struct Service<'a> {
    /// Its number among the services of the run.
    number: usize,
    /// Of its random numbers.
    seed: u64,
    run: &'a SimulationSpec,
    spec: &'a ServiceSpec,
    policy: &'a ServicePolicy,
    actives_at_start: u32,
    flow: Box<dyn Flow>,
    pods: Pods,
    controllers: Controllers,
    /// Versions of the workload and how many pods each shall have; sizes count while a new one is rolled out.
    sets: ReplicaSets,
    rollout: Option<rollout::Running>,
    /// Ordinals of a StatefulSet below it keep the version before.
    partition: u32,
    /// When availability is next looked at.
    settles_at: SimTime,
    recorder: Recorder,
    /// Pods whose nodes got notice at this instant.
    warned: Vec<PodId>,
}

impl<'a> Service<'a> {
    /// Service number `number` of a run as it begins, its requests in `flow`.
    pub fn new(begun: Begun<'a>, number: usize, flow: Box<dyn Flow>) -> Self {
        let Begun { run, policy, seed, keep, .. } = begun;
        let (spec, alternative) = (&run.services[number], &run.policies[policy].services[number]);
        let replicas = run.replicas_at_start(policy, number);
        Self {
            number,
            seed: spec.seed(seed),
            run,
            spec,
            policy: alternative,
            actives_at_start: replicas,
            flow,
            pods: Pods::of(number),
            controllers: Controllers::new(run, spec, alternative, spec.seed(seed)),
            sets: ReplicaSets::new(replicas),
            rollout: None,
            partition: 0,
            settles_at: SimTime::ZERO,
            recorder: Recorder::new(run, alternative, keep),
            warned: Vec::new(),
        }
    }

    /// Every metric any of its controllers may ask for.
    pub fn queries(&self) -> Vec<MetricQuery> {
        self.controllers.queries()
    }

    /// Has its requests leave the histograms that somebody reads.
    pub fn watch(&mut self, watched: &std::sync::Arc<Watched>) {
        if watched.reads_replicas() {
            self.flow.watch_latency(watched);
        }
        self.flow.meter().watch(watched);
    }

    /// The state at time zero: initial replicas ready, standbys warm.
    pub fn start(&mut self, turn: &mut Turn<'_>) {
        turn.fleet
            .keep_standbys_on_demand(self.number, self.policy.warm_pool.as_ref().is_some_and(|pool| pool.on_demand));
        let actives = self.actives_at_start;
        self.controllers.desired = actives;
        self.recorder.desired_changed(turn.now(), actives);
        turn.fleet.want_replicas(self.number, actives);
        (0..actives).for_each(|_| self.create_ready(Role::Active, turn));
        (0..self.standby_size()).for_each(|_| self.create_ready(Role::Standby, turn));
        if let Some(pause) = self.policy.pause_pods {
            turn.fleet.preempt_after(self.number, pause.preemption);
            turn.fleet.keep_room_only(self.number, pause.is_room);
            turn.fleet.start_pause_pods(self.number, pause.count_at(actives), SimTime::ZERO, turn.out);
        }
    }

    /// Has its controllers pass at their times.
    pub fn schedule_controllers(&self, turn: &mut Turn<'_>) {
        for (index, first) in self.controllers.first_passes(turn.origin, self.run.prehistory.rehearsal) {
            turn.schedule(first, Event::Decide(self.number, index));
        }
        for (index, first) in self.controllers.pushes() {
            turn.schedule(turn.origin + first.since(SimTime::ZERO), Event::Push(self.number, index));
        }
    }

    /// Requests move on until `to`, or until a draining pod has answered its last, which is then scheduled.
    pub fn advance(&mut self, to: SimTime) -> Option<(SimTime, PodId)> {
        let Drained { slot, at } = self.flow.advance(to)?;
        self.pods.in_slot(slot).map(|pod| (at, pod))
    }

    /// When anything happens next to its requests.
    pub fn next_due(&mut self) -> SimTime {
        self.flow.next_due()
    }

    /// Moves the requests answered since to `into`: others act on them.
    pub fn take_answered(&mut self, into: &mut Vec<Answered>) {
        self.flow.take_answered(into);
    }

    /// The service that calls this one has answered requests.
    pub fn take_calls(&mut self, answered: &[Answered]) {
        self.flow.take_calls(answered);
    }

    /// What those who fetch from this service have lost with its replicas.
    pub fn take_lost(&mut self, into: &mut Vec<Kept>) {
        self.flow.take_lost(into);
    }

    /// What this service was to fetch is lost.
    pub fn lose(&mut self, lost: &[Kept]) {
        self.flow.lose(lost);
    }

    /// What the service that computes for this one need not keep any longer.
    pub fn take_released(&mut self, into: &mut Vec<Kept>) {
        self.flow.take_released(into);
    }

    /// What this service need not keep any longer.
    pub fn release(&mut self, released: &[Kept]) {
        self.flow.release(released);
    }

    /// Whether a pod that gets no new requests may answer its last on the way: one that is deleted or demoted, or an old one of a rollout.
    pub fn may_stop_early(&self) -> bool {
        self.pods.counts(0).draining > 0 || self.rollout.is_some()
    }

    /// Requests whose service has started: a word for the digest.
    pub fn started(&self) -> u64 {
        self.flow.started()
    }

    /// Notes how many replicas are ready from now on.
    pub fn note_ready(&mut self, now: SimTime) -> u32 {
        let counts = self.pods.counts(self.controllers.desired);
        self.recorder.ready_changed(now, counts);
        counts.ready
    }

    /// What exporters may look at.
    pub fn view(&mut self) -> ServiceView<'_> {
        ServiceView {
            flow: &mut *self.flow,
            pods: &self.pods,
            desired: self.controllers.desired,
            scaler: self.controllers.scaler,
        }
    }

    /// The fleet tells of one of its pods.
    pub fn take_notice(&mut self, notice: Notice, turn: &mut Turn<'_>) {
        let now = turn.now();
        match notice {
            Notice::Scheduled { pod, node } => {
                self.pods.set_scheduled(pod, now);
                turn.pipeline.pod_is_scheduled(pod, node);
            }
            Notice::Joined { pod, place, node } => turn.pipeline.worker_is_scheduled((pod, place), node),
            Notice::ContainerStarted { pod } => {
                self.pods.set_started(pod, now);
                turn.pipeline.pod_has_started(pod, now);
            }
            Notice::Loaded { pod } => turn.pipeline.pod_listens(pod, now),
            Notice::Ready { pod } => self.pod_is_ready(pod, turn),
            Notice::Interrupted { pod, .. } => {
                self.retire(pod, "spot_reclaim", turn);
                self.reconcile(turn);
            }
            Notice::Evicted { pod, reason } => {
                self.retire(pod, reason, turn);
                self.reconcile(turn);
            }
            Notice::Killed { pod } => {
                self.pod_is_killed(pod, turn);
                self.reconcile(turn);
            }
            Notice::Lost { pod, not_ready_at, evicted_at } => {
                let until = (turn.on_agenda(not_ready_at), turn.on_agenda(evicted_at));
                self.pod_is_lost(pod, until, turn);
            }
            Notice::Broken { pod, reason, at_once } => {
                self.group_breaks(pod, (reason, at_once), turn);
                self.reconcile(turn);
            }
            Notice::Warned { pod, .. } => self.warned.push(pod),
            Notice::NodeInterrupted { .. }
            | Notice::NodeUp { .. }
            | Notice::NodeGone { .. }
            | Notice::ContainerKilled { .. }
            | Notice::LaunchFailed { .. } => {}
        }
    }

    /// Does what is left to do when all notices of the instant are there; true if there was something.
    pub fn take_warnings(&mut self, turn: &mut Turn<'_>) -> bool {
        let is_warned = !self.warned.is_empty();
        if is_warned {
            self.cover_warned(turn);
        }
        is_warned
    }

    /// Something happens to one of its pods or controllers.
    pub fn handle(&mut self, event: Event, turn: &mut Turn<'_>) {
        match event {
            Event::Drained(pod) => self.pod_is_drained(pod, turn),
            Event::Endpoint(pod) => self.enter_flow(pod, turn),
            Event::GraceOver(pod) => self.pod_grace_is_over(pod, turn),
            Event::Refuse(pod) => self.refuse_requests(pod, turn.now()),
            Event::Withdraw(pod) => self.withdraw(pod, turn),
            Event::Forget(pod) => self.pod_is_forgotten(pod, turn),
            Event::Stop(pod) => self.stop_serving(pod, turn),
            Event::Decide(_, index) => self.decide(index, turn),
            Event::Push(_, index) => self.push(index, turn),
            Event::Rollout(_, index) => self.begin_rollout(index, turn),
            Event::Fleet(_)
            | Event::Metrics(_)
            | Event::Minute
            | Event::Step
            | Event::MeasureFrom
            | Event::Begin
            | Event::Settle(_) => {}
        }
    }

    /// A pod has passed its readiness probe and its endpoint is known.
    fn pod_is_ready(&mut self, pod: PodId, turn: &mut Turn<'_>) {
        let now = turn.now();
        if self.pods.state(pod) != PodState::Starting {
            // One that was there from the start.
            turn.pipeline.pod_is_warm(pod, now);
            return;
        }
        self.recorder.cold_start(now, now - self.pods.created(pod));
        self.pods.set_ready(pod, now);
        self.take_up_duty(pod, turn);
    }

    /// The pod is gone, and what it was serving with it.
    fn pod_is_killed(&mut self, pod: PodId, turn: &mut Turn<'_>) {
        self.leave_flow(pod, turn);
        self.delete_rest(pod, turn);
        self.pods.set_gone(pod);
        turn.pipeline.pod_is_gone(pod);
    }

    /// The pod is gone with its node, and only its requests notice: the router sends it more until its node is NotReady. One that was being deleted has been replaced already.
    fn pod_is_lost(&mut self, pod: PodId, (not_ready_at, evicted_at): (SimTime, SimTime), turn: &mut Turn<'_>) {
        if matches!(self.pods.state(pod), PodState::Draining | PodState::Gone) {
            return self.pod_is_killed(pod, turn);
        }
        let was_ready = self.pods.state(pod) == PodState::Ready;
        self.leave_flow(pod, turn);
        turn.pipeline.pod_is_lost(pod);
        self.pods.set_state(pod, PodState::Lost);
        if was_ready && flow::keeps_dead_endpoints(self.run, self.spec) {
            let slot = self.pods.take_slot(pod);
            self.flow.add_dead(slot, pod, turn.now());
            turn.schedule(not_ready_at, Event::Withdraw(pod));
        }
        turn.schedule(evicted_at, Event::Forget(pod));
    }

    /// A lost pod is evicted at last: it can be replaced.
    fn pod_is_forgotten(&mut self, pod: PodId, turn: &mut Turn<'_>) {
        if self.pods.state(pod) == PodState::Lost {
            self.leave_flow(pod, turn);
            self.delete_rest(pod, turn);
            self.pods.set_gone(pod);
            turn.pipeline.pod_is_gone(pod);
            self.reconcile(turn);
        }
    }

    /// Takes a pod out of the request flow, if it is in it. What it still serves is lost.
    fn leave_flow(&mut self, pod: PodId, turn: &mut Turn<'_>) {
        if let Some(slot) = self.pods.release_slot(pod) {
            let now = turn.now();
            let (stats, lost) = self.flow.remove(slot, now);
            let fresh = stats.busy_ns - self.pods.busy_told(pod);
            turn.fleet.add_busy(pod, SimDuration::from_nanos(fresh));
            self.recorder.busy(fresh);
            turn.pipeline.pod_left_flow(pod, stats, self.flow.latency(slot, now));
            self.recorder.replica_ended(pod, stats, lost);
        }
    }

    /// A step of the timeline is over.
    pub fn step(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now();
        self.tell_busy(now, turn);
        let load = self.load_of_run(now);
        let latency = self.flow.meter().close_step();
        let look = self.look(now);
        let counts = self.pods.counts(self.controllers.desired);
        let cost = turn.fleet.cost_so_far(turn.run_now());
        self.recorder.step(now, (load, latency, look), counts, (turn.fleet.counts(), cost));
    }

    /// A minute is over; how many requests arrived in it.
    pub fn minute(&mut self, now: SimTime) -> u64 {
        let arrived = self.flow.load(now).arrived;
        self.controllers.minute(arrived)
    }

    /// The warm-up is over: counters start from here.
    pub fn measure_from(&mut self, now: SimTime) {
        self.recorder.reset(now);
    }

    /// Tells the fleet how long each serving pod has been busy since it was last told.
    pub fn tell_busy(&mut self, now: SimTime, turn: &mut Turn<'_>) {
        for (pod, slot) in self.pods.in_flow() {
            self.tell_busy_of((pod, slot), now, turn);
        }
    }

    fn tell_busy_of(&mut self, (pod, slot): (PodId, Slot), now: SimTime, turn: &mut Turn<'_>) {
        let busy = self.flow.stats(slot, now).busy_ns;
        let fresh = busy - self.pods.busy_told(pod);
        if fresh > 0 {
            turn.fleet.add_busy(pod, SimDuration::from_nanos(fresh));
            self.pods.set_busy_told(pod, busy);
            self.recorder.busy(fresh);
        }
    }

    /// The run is over at `end` of the agenda's clock.
    pub fn end(&mut self, end: SimTime, turn: &mut Turn<'_>) -> u64 {
        self.remark_on_unfinished_rollout(turn, end);
        self.tell_busy(end, turn);
        let arrived = self.flow.finish(end);
        for (pod, slot) in self.pods.in_flow() {
            let stats = self.flow.stats(slot, end);
            self.recorder.replica_ended(pod, stats, 0);
        }
        arrived
    }

    /// What it leaves behind, once the bill is written; `arrived` is what [`Service::end`] said.
    pub fn into_record(mut self, arrived: u64, end: SimTime, replicas: Vec<record::ReplicaLife>) -> ServiceRecord {
        let meter = std::mem::replace(self.flow.meter(), flow::Meter::idle());
        self.note_ready(end);
        let of_adapters = self.spec.engine.adapters.as_ref().and_then(|rules| self.recorder.adapters.remark(rules));
        let has_adapters = self.spec.engine.adapters.is_some();
        let mut record =
            self.recorder.into_record((self.policy, end, has_adapters), replicas, meter.into_totals(arrived));
        record.name.clone_from(&self.spec.name);
        record.remarks.extend(of_adapters);
        // Of prompts computed elsewhere all figures are of the whole way.
        if self.spec.called_by.is_none_or(|call| call.transfer.is_none()) {
            record.remarks.extend(remarks::of_chain(&record.totals));
        }
        record
    }

    /// Whether pods come and go by more than a count: in order, or one version for another.
    pub fn settles(&self) -> bool {
        let is_ordered = self.spec.order != ReplicaOrder::Parallel && self.policy.warm_pool.is_none();
        is_ordered || self.rollout.is_some()
    }

    fn standby_size(&self) -> u32 {
        let pool = self.policy.warm_pool.as_ref().map_or(0, |pool| pool.size);
        self.controllers.standby.unwrap_or(pool)
    }
}
