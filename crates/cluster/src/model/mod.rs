//! One run: services on a fleet they share.
//!
//! The parts: [`service`] has everything that belongs to one service, [`turn`] what it is lent while something happens. Requests pass
//! through [`crate::flow`], nodes and cold starts live in [`crate::fleet`]; this module tells each what the other did, and keeps what is the
//! cluster's own: the agenda's clocks, the digest, the counts of nodes taken back.

mod chains;
mod event;
mod service;
mod turn;

use std::sync::atomic::{AtomicBool, Ordering};

use engine::{Agenda, Digest, Model, run_while};
use record::{RunRecord, ServiceRecord};
use units::{SimDuration, SimTime};

use crate::fleet::{FleetEvent, Groups, Notice, Out};
use crate::flow::{self, Flow, Served};
use crate::metrics::{Pipeline, World};
use crate::requests::{AtTheEnd, InOrder, RequestSink};
use crate::spec::SimulationSpec;
use crate::{Keep, Pulse};
use chains::Chains;
pub(crate) use event::Event;
use service::Service;
use turn::Turn;

/// What a run begins with.
#[derive(Clone, Copy)]
pub(crate) struct Begun<'a> {
    /// The experiment.
    pub run: &'a SimulationSpec,
    /// Which of its policies acts.
    pub policy: usize,
    /// The seed of the run.
    pub seed: u64,
    /// What is kept of it.
    pub keep: Keep,
    /// Who waits for it.
    pub pulse: Option<&'a Pulse>,
}

impl<'a> Begun<'a> {
    /// Service number `service` as its requests meet it.
    pub fn served(self, service: usize) -> Served<'a> {
        Served::new(self.run, service, self.run.replicas_at_start(self.policy, service), self.seed)
    }

    fn flows(self, build: impl Fn(Served<'a>, Keep) -> Box<dyn Flow>) -> Vec<Box<dyn Flow>> {
        let flows = (0..self.run.services.len()).map(|service| build(self.served(service), self.keep));
        if self.run.services.len() == 1 { flows.collect() } else { flows.map(flow::pace).collect() }
    }
}

/// A run in progress.
struct Cluster<'a> {
    run: &'a SimulationSpec,
    keep: Keep,
    /// Who waits for the run.
    pulse: Option<&'a Pulse>,
    /// Time zero of the run on the agenda's clock, which begins with the prehistory.
    origin: SimTime,
    services: Vec<Service<'a>>,
    /// Which of them call which.
    chains: Chains,
    fleet: Groups,
    pipeline: Pipeline,
    digest: Digest,
    /// What the fleet asks to have scheduled and has to say; reused.
    out: Out,
    /// Spot nodes taken back in the measured part.
    spot_interruptions: u64,
    /// Most replicas that were ready at once in the measured part.
    replicas_max: u32,
}

/// Runs a policy once, the requests in the fastest flows that can express them.
pub(crate) fn simulate(begun: Begun<'_>) -> RunRecord {
    simulate_flows(begun, begun.flows(flow::build), &NEVER).expect("a run that nobody stops comes to its end")
}

/// The same; `None` if `stop` was raised before the end.
pub(crate) fn simulate_until(begun: Begun<'_>, stop: &AtomicBool) -> Option<RunRecord> {
    simulate_flows(begun, begun.flows(flow::build), stop)
}

/// The same with every request event handled one by one.
pub(crate) fn simulate_by_events(begun: Begun<'_>) -> RunRecord {
    let flows = begun.flows(flow::build_events);
    simulate_flows(begun, flows, &NEVER).expect("a run that nobody stops comes to its end")
}

/// The same as [`simulate`], with a row per request of each service for the sink of its number.
pub(crate) fn simulate_to(begun: Begun<'_>, requests: Vec<Box<dyn RequestSink>>) -> RunRecord {
    let mut flows = begun.flows(flow::build);
    for ((flow, sink), service) in flows.iter_mut().zip(requests).zip(&begun.run.services) {
        let follows = service.traffic.follows_answers() || service.called_by.is_some();
        let rows: Box<dyn RequestSink> = if follows {
            Box::new(AtTheEnd::new(sink))
        } else {
            Box::new(InOrder::new(begun.run, service, service.seed(begun.seed), sink))
        };
        flow.meter().pass_rows_to(rows);
    }
    simulate_flows(begun, flows, &NEVER).expect("a run that nobody stops comes to its end")
}

/// The stop flag of runs that nobody stops.
static NEVER: AtomicBool = AtomicBool::new(false);

/// `None` if `stop` was raised before the end.
fn simulate_flows(begun: Begun<'_>, flows: Vec<Box<dyn Flow>>, stop: &AtomicBool) -> Option<RunRecord> {
    let Begun { run: spec, policy, seed, keep, pulse } = begun;
    let mut agenda = Agenda::default();
    let numbered = flows.into_iter().enumerate();
    let mut services: Vec<Service<'_>> = numbered.map(|(number, flow)| Service::new(begun, number, flow)).collect();
    let asked: Vec<_> = services.iter().map(Service::queries).collect();
    let pipeline = Pipeline::new(spec, &asked, seed);
    services.iter_mut().enumerate().for_each(|(number, service)| service.watch(pipeline.watched(number)));
    let classes = spec.services.iter().map(|service| service.pod_class(seed));
    let mut cluster = Cluster {
        run: spec,
        keep,
        pulse,
        origin: SimTime::ZERO + spec.prehistory.length,
        services,
        chains: Chains::of(&spec.services),
        fleet: Groups::new(&spec.fleet_of(policy), classes.collect(), seed),
        pipeline,
        digest: Digest::default(),
        out: Out::default(),
        spot_interruptions: 0,
        replicas_max: 0,
    };
    cluster.start(&mut agenda);
    let end = spec.end + spec.prehistory.length;
    if !run_while(&mut cluster, &mut agenda, end, || !stop.load(Ordering::Relaxed)) {
        return None;
    }
    let record = cluster.finish(&mut agenda);
    Some(RunRecord {
        policy: spec.policies[policy].name.clone(),
        seed,
        measured: spec.end.since(SimTime::ZERO + spec.warm_up),
        ..record
    })
}

impl<'a> Cluster<'a> {
    /// The services, and what they share while the event that `agenda` is at is handled.
    fn parts<'t>(&'t mut self, agenda: &'t mut Agenda<Event>) -> (&'t mut [Service<'a>], Turn<'t>) {
        let turn = Turn::new(agenda, (&mut self.fleet, &mut self.out), &mut self.pipeline, self.origin);
        (&mut self.services, turn)
    }

    /// The state at time zero: initial replicas ready, standbys warm, every clock ticking.
    fn start(&mut self, agenda: &mut Agenda<Event>) {
        self.fleet.start_calendar_at(self.run.start_unix_seconds);
        self.fleet.start(&mut self.out);
        let (services, mut turn) = self.parts(agenda);
        services.iter_mut().for_each(|service| service.start(&mut turn));
        self.take_notices(agenda);
        self.schedule_clocks(agenda);
        let (services, mut turn) = self.parts(agenda);
        services.iter().for_each(|service| service.schedule_rollouts(&mut turn));
        // The first event may be seconds away: what is ready from the start counts from then on.
        self.note_ready(SimTime::ZERO);
    }

    fn schedule_clocks(&mut self, agenda: &mut Agenda<Event>) {
        let (services, mut turn) = self.parts(agenda);
        services.iter().for_each(|service| service.schedule_controllers(&mut turn));
        agenda.schedule(self.origin + SimDuration::from_secs(60), Event::Minute);
        self.schedule_step(agenda);
        if self.run.warm_up > SimDuration::ZERO {
            agenda.schedule(self.origin + self.run.warm_up, Event::MeasureFrom);
        }
        for (time, event) in self.pipeline.first_events() {
            agenda.schedule(time, Event::Metrics(event));
        }
        if self.origin > SimTime::ZERO {
            agenda.schedule(self.origin.saturating_sub(SimDuration::from_nanos(1)), Event::Begin);
        }
    }

    /// Passes on what the fleet asked for and said, until it has nothing more to say.
    fn take_notices(&mut self, agenda: &mut Agenda<Event>) {
        loop {
            let before = self.run.prehistory.length;
            for (time, event) in self.out.schedule.drain(..) {
                agenda.schedule(time.saturating_add(before), Event::Fleet(event));
            }
            if self.out.notices.is_empty() {
                let (services, mut turn) = self.parts(agenda);
                if !services.iter_mut().any(|service| service.take_warnings(&mut turn)) {
                    return;
                }
                continue;
            }
            for notice in std::mem::take(&mut self.out.notices) {
                self.take_notice(notice, agenda);
            }
        }
    }

    fn take_notice(&mut self, notice: Notice, agenda: &mut Agenda<Event>) {
        match notice {
            Notice::NodeInterrupted { .. } => {
                self.spot_interruptions += u64::from(agenda.now() >= self.origin + self.run.warm_up);
            }
            Notice::NodeUp { node } => self.pipeline.node_is_up(node, self.fleet.fleet(), agenda.now()),
            Notice::NodeGone { node, .. } => self.pipeline.node_is_gone(node),
            other => {
                if let Some(pod) = other.pod() {
                    let (services, mut turn) = self.parts(agenda);
                    services[pod.service()].take_notice(other, &mut turn);
                }
            }
        }
    }

    /// Something happens to all services at once.
    fn for_each(&mut self, agenda: &mut Agenda<Event>, act: impl Fn(&mut Service<'a>, &mut Turn<'_>)) {
        let (services, mut turn) = self.parts(agenda);
        services.iter_mut().for_each(|service| act(service, &mut turn));
    }

    fn fleet_event(&mut self, event: FleetEvent, agenda: &mut Agenda<Event>) {
        let now = agenda.now();
        if event.wants_busy() {
            // A bill is written: what was busy until now must be on it.
            self.for_each(agenda, |service, turn| service.tell_busy(now, turn));
        }
        let in_run = SimTime::ZERO + now.since(self.origin);
        self.fleet.handle(event, in_run, &mut self.out);
    }

    /// The warm-up is over: money and counters start from here.
    fn measure_from(&mut self, agenda: &mut Agenda<Event>) {
        let now = agenda.now();
        self.for_each(agenda, |service, turn| service.tell_busy(now, turn));
        self.fleet.reset_measurement(SimTime::ZERO + now.since(self.origin));
        self.services.iter_mut().for_each(|service| service.measure_from(now));
        (self.spot_interruptions, self.replicas_max) = (0, 0);
    }

    fn step(&mut self, agenda: &mut Agenda<Event>) {
        self.for_each(agenda, Service::step);
        self.schedule_step(agenda);
    }

    /// The next end of a step: the last one of the run is shorter where the steps do not divide the run.
    fn schedule_step(&self, agenda: &mut Agenda<Event>) {
        let (now, end) = (agenda.now().max(self.origin), self.origin + self.run.end.since(SimTime::ZERO));
        let next = now + self.run.timeline_step;
        agenda.schedule(if now < end { next.min(end) } else { next }, Event::Step);
    }

    fn minute(&mut self, agenda: &mut Agenda<Event>) {
        let now = agenda.now();
        let arrived = self.services.iter_mut().map(|service| service.minute(now)).sum();
        if let Some(pulse) = self.pulse {
            pulse.minute(arrived);
        }
        agenda.schedule(now + SimDuration::from_secs(60), Event::Minute);
    }

    /// The prehistory is over: what has been counted is forgotten.
    fn begin(&mut self, now: SimTime) {
        self.services.iter_mut().for_each(|service| service.begin(now));
        (self.spot_interruptions, self.replicas_max) = (0, 0);
    }

    fn metrics(&mut self, event: crate::metrics::MetricsEvent, now: SimTime) {
        let services = self.services.iter_mut().map(Service::view).collect();
        let mut world = World { now, fleet: self.fleet.fleet(), services };
        self.pipeline.handle(event, &mut world);
    }

    fn note_ready(&mut self, now: SimTime) {
        let ready = self.services.iter_mut().map(|service| service.note_ready(now)).sum();
        self.replicas_max = self.replicas_max.max(ready);
    }

    /// The record of the run, save for what the caller knows about it.
    fn finish(mut self, agenda: &mut Agenda<Event>) -> RunRecord {
        let end = self.origin + self.run.end.since(SimTime::ZERO);
        let (services, mut turn) = self.parts(agenda);
        let arrived: Vec<u64> = services.iter_mut().map(|service| service.end(end, &mut turn)).collect();
        self.fleet.finish(self.run.end);
        // Remarks first: some are made of the lives.
        let remarks = self.fleet.remarks();
        let (lives, nodes) = if self.keep.tables { self.fleet.take_lives() } else { Default::default() };
        let mut lives: Vec<_> = lives.into_iter().map(Some).collect();
        let numbered = self.services.into_iter().zip(arrived).enumerate();
        let services: Vec<ServiceRecord> = numbered
            .map(|(number, (service, arrived))| {
                let of_service = lives.iter_mut().filter_map(|life| life.take_if(|life| life.pod.service() == number));
                service.into_record(arrived, end, of_service.collect())
            })
            .collect();
        for service in &services {
            fold(&mut self.digest, service);
        }
        self.digest.fold(self.fleet.ledger().billed().raw() as u64);
        RunRecord {
            digest: self.digest.value(),
            ledger: self.fleet.ledger().clone(),
            nodes,
            spot_interruptions: self.spot_interruptions,
            replicas_max: self.replicas_max,
            services,
            remarks,
            ..RunRecord::default()
        }
    }
}

/// What a service came to, as part of the digest.
fn fold(digest: &mut Digest, service: &ServiceRecord) {
    let ServiceRecord { requests, totals, .. } = service;
    for word in [requests.arrived, requests.completed, requests.failed(), requests.in_system, totals.slo_met] {
        digest.fold(word);
    }
    digest.fold(totals.latency.digest(0));
}

impl Model for Cluster<'_> {
    type Event = Event;

    fn advance(&mut self, to: SimTime, agenda: &mut Agenda<Event>) {
        // Those that may stop early go first, so that the others do not run ahead of where they stop.
        let mut until = to;
        for is_first in [true, false] {
            for chain in self.chains.iter() {
                if chain.may_stop_early(&self.services) != is_first {
                    continue;
                }
                chain.advance(&mut self.services, until, |(at, pod)| {
                    agenda.schedule(at, Event::Drained(pod));
                    until = at;
                });
            }
        }
    }

    fn handle(&mut self, event: Event, agenda: &mut Agenda<Event>) {
        let now = agenda.now();
        self.digest.fold(now.as_nanos());
        self.digest.fold(event.word());
        self.digest.fold(self.services.iter().map(Service::started).sum());
        match event {
            Event::Fleet(event) => self.fleet_event(event, agenda),
            Event::Metrics(event) => self.metrics(event, now),
            Event::Minute => self.minute(agenda),
            Event::Step => self.step(agenda),
            Event::MeasureFrom => self.measure_from(agenda),
            Event::Begin => self.begin(now),
            other => {
                let (services, mut turn) = self.parts(agenda);
                if let Some(number) = other.service() {
                    services[number].handle(other, &mut turn);
                }
            }
        }
        self.take_notices(agenda);
        let (services, mut turn) = self.parts(agenda);
        let mut has_settled = false;
        for service in services.iter_mut().filter(|service| service.settles()) {
            service.settle_workload(&mut turn);
            has_settled = true;
        }
        if has_settled {
            self.take_notices(agenda);
        }
        for (time, event) in self.pipeline.take_pending() {
            agenda.schedule(time, Event::Metrics(event));
        }
        self.note_ready(now);
    }
}
