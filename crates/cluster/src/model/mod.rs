//! One run: the service's pods, the controllers that scale them, and what is recorded of both.
//!
//! The parts: [`pods`] holds every pod's state, [`reconcile`] turns a wanted count into pods made, promoted, demoted and deleted,
//! [`control`] builds what controllers see and applies what they answer, [`recorder`] keeps the record. Where pods come and go by more than
//! a count, [`ordered`] makes them in a StatefulSet's order and [`rollout`] replaces one version by another in the sizes of [`sets`];
//! [`stop`] has what a server does with its requests when it is told to. Requests pass through
//! [`crate::flow`], nodes and cold starts live in [`crate::fleet`]; this module tells each what the other did.

mod control;
mod event;
mod ordered;
mod pods;
mod prehistory;
mod progress;
mod reconcile;
mod recorder;
mod remarks;
mod rollout;
mod sets;
mod stop;

use engine::{Agenda, Digest, Model, run};
use record::RunRecord;
use units::{PodId, SimDuration, SimTime};

use crate::Keep;
use crate::fleet::{Fleet, FleetEvent, Notice, Out};
use crate::flow::{self, Flow, Served};
use crate::metrics::{Pipeline, World};
use crate::requests::{InOrder, RequestSink};
use crate::spec::{ReplicaOrder, ServicePolicy, ServiceSpec, SimulationSpec};
use control::Controllers;
pub(crate) use event::Event;
pub(crate) use pods::Pods;
pub(crate) use pods::{PodState, Role};
use recorder::Recorder;
use sets::ReplicaSets;

/// A run in progress.
pub(crate) struct Cluster<'a> {
    spec: &'a SimulationSpec,
    service: &'a ServiceSpec,
    policy: &'a ServicePolicy,
    /// Time zero of the run on the agenda's clock, which begins with the prehistory.
    origin: SimTime,
    actives_at_start: u32,
    fleet: Fleet,
    flow: Box<dyn Flow>,
    pods: Pods,
    pipeline: Pipeline,
    controllers: Controllers,
    /// Versions of the workload and how many pods each shall have; sizes count while a new one is rolled out.
    sets: ReplicaSets,
    rollout: Option<rollout::Running>,
    /// Ordinals of a StatefulSet below it keep the version before.
    partition: u32,
    /// When availability is next looked at.
    settles_at: SimTime,
    recorder: Recorder,
    digest: Digest,
    /// What the fleet asks to have scheduled and has to say; reused.
    out: Out,
    /// Pods whose nodes got notice at this instant.
    warned: Vec<PodId>,
}

/// Runs policy number `policy` of `spec` once, its requests in the fastest flow that can express them.
pub(crate) fn simulate(spec: &SimulationSpec, policy: usize, replication: u32, seed: u64, keep: Keep) -> RunRecord {
    let flow = flow::build(Served::new(spec, 0, spec.replicas_at_start(policy, 0), seed), keep);
    RunRecord { replication, ..simulate_flow(spec, policy, seed, keep, flow) }
}

/// The same, with a row per request for `requests`.
pub(crate) fn simulate_to(
    spec: &SimulationSpec,
    (policy, replication): (usize, u32),
    seed: u64,
    keep: Keep,
    requests: Box<dyn RequestSink>,
) -> RunRecord {
    let mut flow = flow::build(Served::new(spec, 0, spec.replicas_at_start(policy, 0), seed), keep);
    flow.meter().pass_rows_to(Box::new(InOrder::new(spec, &spec.services[0], seed, requests)));
    RunRecord { replication, ..simulate_flow(spec, policy, seed, keep, flow) }
}

/// Runs policy number `policy` of `spec` once, its requests in `flow`.
pub(crate) fn simulate_flow(
    spec: &SimulationSpec,
    policy: usize,
    seed: u64,
    keep: Keep,
    flow: Box<dyn Flow>,
) -> RunRecord {
    let alternative = &spec.policies[policy].services[0];
    let service = &spec.services[0];
    let origin = SimTime::ZERO + spec.prehistory.length;
    let mut agenda = Agenda::default();
    let controllers = Controllers::new(spec, service, alternative, seed);
    let mut cluster = Cluster {
        spec,
        service,
        policy: alternative,
        origin,
        actives_at_start: spec.replicas_at_start(policy, 0),
        fleet: Fleet::new(&spec.fleet, vec![service.pod_class(seed)], seed),
        flow,
        pods: Pods::new(),
        pipeline: Pipeline::new(spec, &controllers.queries(), seed),
        controllers,
        sets: ReplicaSets::new(spec.replicas_at_start(policy, 0)),
        rollout: None,
        partition: 0,
        settles_at: SimTime::ZERO,
        recorder: Recorder::new(spec, alternative, keep),
        digest: Digest::default(),
        out: Out::default(),
        warned: Vec::new(),
    };
    let watched = cluster.pipeline.watched().clone();
    if watched.reads_replicas() {
        cluster.flow.watch_latency(&watched);
    }
    cluster.flow.meter().watch(&watched);
    cluster.start(&mut agenda);
    run(&mut cluster, &mut agenda, spec.end + spec.prehistory.length);
    let mut record = cluster.finish(seed);
    record.policy.clone_from(&spec.policies[policy].name);
    record
}

impl Cluster<'_> {
    /// The state at time zero: initial replicas ready, standbys warm, every clock ticking.
    fn start(&mut self, agenda: &mut Agenda<Event>) {
        self.fleet.start_calendar_at(self.spec.start_unix_seconds);
        self.fleet.keep_standbys_on_demand(0, self.policy.warm_pool.as_ref().is_some_and(|pool| pool.on_demand));
        self.fleet.start(&mut self.out);
        let actives = self.actives_at_start;
        self.controllers.desired = actives;
        self.recorder.desired_changed(agenda.now(), actives);
        self.fleet.want_replicas(0, actives);
        (0..actives).for_each(|_| self.create_ready(Role::Active));
        (0..self.standby_size()).for_each(|_| self.create_ready(Role::Standby));
        if let Some(pause) = self.policy.pause_pods {
            self.fleet.preempt_after(0, pause.preemption);
            self.fleet.keep_room_only(0, pause.is_room);
            self.fleet.start_pause_pods(0, pause.count_at(actives), SimTime::ZERO, &mut self.out);
        }
        self.take_notices(agenda);
        self.schedule_clocks(agenda);
        self.schedule_begin(agenda);
        self.schedule_rollouts(agenda);
    }

    fn schedule_clocks(&mut self, agenda: &mut Agenda<Event>) {
        for (index, first) in self.controllers.first_passes(self.origin, self.spec.prehistory.rehearsal) {
            agenda.schedule(first, Event::Decide(index));
        }
        for (index, first) in self.controllers.pushes() {
            agenda.schedule(self.origin + first.since(SimTime::ZERO), Event::Push(index));
        }
        agenda.schedule(self.origin + SimDuration::from_secs(60), Event::Minute);
        agenda.schedule(self.origin + self.spec.timeline_step, Event::Step);
        if self.spec.warm_up > SimDuration::ZERO {
            agenda.schedule(self.origin + self.spec.warm_up, Event::MeasureFrom);
        }
        for (time, event) in self.pipeline.first_events() {
            agenda.schedule(time, Event::Metrics(event));
        }
    }

    /// Passes on what the fleet asked for and said, until it has nothing more to say.
    fn take_notices(&mut self, agenda: &mut Agenda<Event>) {
        loop {
            let before = self.spec.prehistory.length;
            for (time, event) in self.out.schedule.drain(..) {
                agenda.schedule(time.saturating_add(before), Event::Fleet(event));
            }
            if self.out.notices.is_empty() {
                if self.warned.is_empty() {
                    return;
                }
                self.cover_warned(agenda);
                continue;
            }
            for notice in std::mem::take(&mut self.out.notices) {
                self.take_notice(notice, agenda);
            }
        }
    }

    fn take_notice(&mut self, notice: Notice, agenda: &mut Agenda<Event>) {
        let now = agenda.now();
        match notice {
            Notice::Scheduled { pod, node } => {
                self.pods.set_scheduled(pod, now);
                self.pipeline.pod_is_scheduled(pod, node);
            }
            Notice::ContainerStarted { pod } => {
                self.pods.set_started(pod, now);
                self.pipeline.pod_has_started(pod, now);
            }
            Notice::Loaded { pod } => self.pipeline.pod_listens(pod, now),
            Notice::Ready { pod } => self.pod_is_ready(pod, agenda),
            Notice::NodeInterrupted { .. } => self.recorder.interruption(now),
            Notice::Interrupted { pod, .. } => {
                self.retire(pod, "spot_reclaim", agenda);
                self.reconcile(agenda);
            }
            Notice::Evicted { pod, reason } => {
                self.retire(pod, reason, agenda);
                self.reconcile(agenda);
            }
            Notice::Killed { pod } => {
                self.pod_is_killed(pod, now);
                self.reconcile(agenda);
            }
            Notice::Lost { pod, not_ready_at, evicted_at } => {
                let until = (self.on_agenda(not_ready_at), self.on_agenda(evicted_at));
                self.pod_is_lost(pod, until, agenda);
            }
            Notice::Warned { pod, .. } => self.warned.push(pod),
            Notice::NodeUp { node } => self.pipeline.node_is_up(node, &self.fleet, now),
            Notice::NodeGone { node, .. } => self.pipeline.node_is_gone(node),
            Notice::ContainerKilled { .. } | Notice::LaunchFailed { .. } => {}
        }
    }

    /// A pod has passed its readiness probe and its endpoint is known.
    fn pod_is_ready(&mut self, pod: PodId, agenda: &mut Agenda<Event>) {
        let now = agenda.now();
        if self.pods.state(pod) != PodState::Starting {
            // One that was there from the start.
            self.pipeline.pod_is_warm(pod, now);
            return;
        }
        self.recorder.cold_start(now, now - self.pods.created(pod));
        self.pods.set_ready(pod, now);
        self.take_up_duty(pod, agenda);
    }

    /// The pod is gone, and what it was serving with it.
    fn pod_is_killed(&mut self, pod: PodId, now: SimTime) {
        self.leave_flow(pod, now);
        self.pods.set_gone(pod);
        self.pipeline.pod_is_gone(pod);
    }

    /// The pod is gone with its node, and only its requests notice: the router sends it more until its node is NotReady. One that was being deleted has been replaced already.
    fn pod_is_lost(&mut self, pod: PodId, (not_ready_at, evicted_at): (SimTime, SimTime), agenda: &mut Agenda<Event>) {
        let now = agenda.now();
        if matches!(self.pods.state(pod), PodState::Draining | PodState::Gone) {
            return self.pod_is_killed(pod, now);
        }
        let was_ready = self.pods.state(pod) == PodState::Ready;
        self.leave_flow(pod, now);
        self.pipeline.pod_is_lost(pod);
        self.pods.set_state(pod, PodState::Lost);
        if was_ready && flow::keeps_dead_endpoints(self.spec, self.service) {
            let slot = self.pods.take_slot(pod);
            self.flow.add_dead(slot, pod, now);
            agenda.schedule(not_ready_at, Event::Withdraw(pod));
        }
        agenda.schedule(evicted_at, Event::Forget(pod));
    }

    /// A lost pod is evicted at last: it can be replaced.
    fn pod_is_forgotten(&mut self, pod: PodId, agenda: &mut Agenda<Event>) {
        if self.pods.state(pod) == PodState::Lost {
            self.leave_flow(pod, agenda.now());
            self.pods.set_gone(pod);
            self.pipeline.pod_is_gone(pod);
            self.reconcile(agenda);
        }
    }

    /// Takes a pod out of the request flow, if it is in it. What it still serves is lost.
    fn leave_flow(&mut self, pod: PodId, now: SimTime) {
        if let Some(slot) = self.pods.release_slot(pod) {
            let (stats, lost) = self.flow.remove(slot, now);
            let fresh = stats.busy_ns - self.pods.busy_told(pod);
            self.fleet.add_busy(pod, SimDuration::from_nanos(fresh));
            self.recorder.busy(fresh);
            self.pipeline.pod_left_flow(pod, stats, self.flow.latency(slot, now));
            self.recorder.replica_ended(pod, stats, lost);
        }
    }

    fn step(&mut self, agenda: &mut Agenda<Event>) {
        let now = agenda.now();
        self.tell_busy(now);
        let load = self.load_of_run(now);
        let latency = self.flow.meter().close_step();
        let counts = self.pods.counts(self.controllers.desired);
        let cost = self.fleet.cost_so_far(self.in_run(now));
        self.recorder.step(now, (load, latency), counts, (self.fleet.counts(), cost));
        let next = now + self.spec.timeline_step;
        agenda.schedule(next, Event::Step);
    }

    /// Tells the fleet how long each serving pod has been busy since it was last told.
    fn tell_busy(&mut self, now: SimTime) {
        for (pod, slot) in self.pods.in_flow() {
            self.tell_busy_of(pod, slot, now);
        }
    }

    fn tell_busy_of(&mut self, pod: PodId, slot: flow::Slot, now: SimTime) {
        let busy = self.flow.stats(slot, now).busy_ns;
        let fresh = busy - self.pods.busy_told(pod);
        if fresh > 0 {
            self.fleet.add_busy(pod, SimDuration::from_nanos(fresh));
            self.pods.set_busy_told(pod, busy);
            self.recorder.busy(fresh);
        }
    }

    fn finish(mut self, seed: u64) -> RunRecord {
        let end = self.on_agenda(self.spec.end);
        self.remark_on_unfinished_rollout(end);
        self.tell_busy(end);
        let arrived = self.flow.finish(end);
        for (pod, slot) in self.pods.in_flow() {
            let stats = self.flow.stats(slot, end);
            self.recorder.replica_ended(pod, stats, 0);
        }
        self.fleet.finish(self.spec.end);
        let meter = std::mem::replace(self.flow.meter(), flow::Meter::idle());
        self.recorder.ready_changed(end, self.pods.counts(self.controllers.desired));
        let mut record =
            self.recorder.into_record((self.policy, end), &mut self.fleet, meter.into_totals(arrived), self.digest);
        record.services[0].name.clone_from(&self.spec.services[0].name);
        record.seed = seed;
        record.measured = self.spec.end.since(SimTime::ZERO + self.spec.warm_up);
        record
    }
}

impl Model for Cluster<'_> {
    type Event = Event;

    fn advance(&mut self, to: SimTime, agenda: &mut Agenda<Event>) {
        if let Some(drained) = self.flow.advance(to)
            && let Some(pod) = self.pods.in_slot(drained.slot)
        {
            agenda.schedule(drained.at, Event::Drained(pod));
        }
    }

    fn handle(&mut self, event: Event, agenda: &mut Agenda<Event>) {
        let now = agenda.now();
        self.digest.fold(now.as_nanos());
        self.digest.fold(event.word());
        self.digest.fold(self.flow.started());
        match event {
            Event::Fleet(event) => self.fleet_event(event, now),
            Event::Drained(pod) => self.pod_is_drained(pod, agenda),
            Event::Endpoint(pod) => self.enter_flow(pod, agenda),
            Event::GraceOver(pod) => self.pod_grace_is_over(pod, now),
            Event::Refuse(pod) => self.refuse_requests(pod, now),
            Event::Withdraw(pod) => self.withdraw(pod, agenda),
            Event::Forget(pod) => self.pod_is_forgotten(pod, agenda),
            Event::Metrics(event) => self.metrics(event, agenda),
            Event::Minute => self.minute(agenda),
            Event::Decide(index) => self.decide(index, agenda),
            Event::Push(index) => self.push(index, agenda),
            Event::Step => self.step(agenda),
            Event::MeasureFrom => self.measure_from(now),
            Event::Begin => self.begin(now),
            Event::Rollout(index) => self.begin_rollout(index, now),
            Event::Settle => {}
            Event::Stop(pod) => self.stop_serving(pod, now),
        }
        self.take_notices(agenda);
        if self.settles() {
            self.settle_workload(agenda);
            self.take_notices(agenda);
        }
        for (time, event) in self.pipeline.take_pending() {
            agenda.schedule(time, Event::Metrics(event));
        }
        self.recorder.ready_changed(now, self.pods.counts(self.controllers.desired));
    }
}

impl Cluster<'_> {
    fn fleet_event(&mut self, event: FleetEvent, now: SimTime) {
        if event.wants_busy() {
            // A bill is written: what was busy until now must be on it.
            self.tell_busy(now);
        }
        self.fleet.handle(event, self.in_run(now), &mut self.out);
    }

    /// The warm-up is over: money and counters start from here.
    fn measure_from(&mut self, now: SimTime) {
        self.tell_busy(now);
        self.fleet.reset_measurement(self.in_run(now));
        self.recorder.reset(now);
    }

    fn minute(&mut self, agenda: &mut Agenda<Event>) {
        let arrived = self.flow.load(agenda.now()).arrived;
        self.controllers.minute(arrived);
        agenda.schedule(agenda.now() + SimDuration::from_secs(60), Event::Minute);
    }

    fn metrics(&mut self, event: crate::metrics::MetricsEvent, agenda: &mut Agenda<Event>) {
        let mut world = World {
            now: agenda.now(),
            flow: &mut *self.flow,
            pods: &self.pods,
            fleet: &self.fleet,
            desired: self.controllers.desired,
            scaler: self.controllers.scaler,
        };
        self.pipeline.handle(event, &mut world);
    }

    /// Whether pods come and go by more than a count: in order, or one version for another.
    fn settles(&self) -> bool {
        let is_ordered = self.service.order != ReplicaOrder::Parallel && self.policy.warm_pool.is_none();
        is_ordered || self.rollout.is_some()
    }

    fn standby_size(&self) -> u32 {
        let pool = self.policy.warm_pool.as_ref().map_or(0, |pool| pool.size);
        self.controllers.standby.unwrap_or(pool)
    }
}
