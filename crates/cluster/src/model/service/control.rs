//! Controllers: what they see, when they pass, and what their answers do.

use policy::keda::{Keda, Setting};
use policy::{Action, Counts, MetricQuery, Observation, PodView, Provenance, RateHistory, Recommendation, Schedule};
use units::{SimDuration, SimTime};
use workload::{Purpose, RateLog, Stream};

use super::{Event, Service, Turn};
use crate::controllers::{ControllerList, Terms};
use crate::flow::Load;
use crate::metrics::{Answer, Asker, ScalerStatus};
use crate::spec::{ControllerSpec, ServicePolicy, ServiceSpec, SimulationSpec};

/// A push scaler sees a change within this time: the HTTP add-on's reads its interceptors every 0.5 s and pushes every 0.2 s.
const PUSH_PERIOD: SimDuration = SimDuration::from_millis(700);

/// The controllers of one policy and the counts they write.
pub(super) struct Controllers {
    list: ControllerList,
    /// `spec.replicas`.
    pub(super) desired: u32,
    /// The lower bound set by a controller of the composition.
    pub(super) floor: u32,
    /// A standby size set by a controller, in place of the pool's own.
    pub(super) standby: Option<u32>,
    /// What the HorizontalPodAutoscaler showed after its last pass.
    pub(super) scaler: Option<ScalerStatus>,
    history: RateLog,
    /// Minutes of the prehistory: what the controllers' clock is ahead of the log's.
    minutes_before: i64,
    arrived_at_last_minute: u64,
    seed: u64,
}

impl Controllers {
    /// The controllers of `policy` for `service`, which has this seed.
    pub(super) fn new(spec: &SimulationSpec, service: &ServiceSpec, policy: &ServicePolicy, seed: u64) -> Self {
        let phase = |period: SimDuration, index: usize| {
            let share = Stream::new(seed, Purpose::Phase, index as u64).uniform();
            SimTime::from_nanos((period.as_nanos() as f64 * share) as u64)
        };
        let setting = |first_poll: SimTime| super::prehistory::setting(spec, first_poll);
        let terms = Terms { first: &phase, setting: &setting, before: spec.prehistory.length, seed };
        let list = ControllerList::new(policy, service, &terms);
        Self {
            list,
            desired: 0,
            floor: 0,
            standby: None,
            scaler: scaler_at_start(policy),
            history: (*service.history).clone(),
            minutes_before: (spec.prehistory.length.as_secs() / 60) as i64,
            arrived_at_last_minute: 0,
            seed,
        }
    }

    /// When each controller first passes, with its index; time zero of the run is `origin`. Those that watch have been
    /// passing since `rehearsal` before it.
    pub(super) fn first_passes(&self, origin: SimTime, rehearsal: SimDuration) -> Vec<(usize, SimTime)> {
        let first = |index: usize| {
            let Schedule { period, first } = self.list.schedule(index);
            let earlier = if self.list.watches(index) { rehearsal.as_nanos() / period.as_nanos() } else { 0 };
            (index, (origin + (first.since(SimTime::ZERO))).saturating_sub(period * earlier))
        };
        (0..self.list.len()).map(first).collect()
    }

    /// The run begins; `arrived` requests have arrived before it.
    pub(super) fn begin(&mut self, arrived: u64) {
        self.arrived_at_last_minute = arrived;
    }

    /// When the push scalers of each controller that has some first report, with its index.
    pub(super) fn pushes(&self) -> Vec<(usize, SimTime)> {
        let first = |index: usize| {
            let phase = Stream::new(self.seed, Purpose::Phase, index as u64 | 1 << 41).below(PUSH_PERIOD.as_nanos());
            (index, SimTime::from_nanos(phase))
        };
        (0..self.list.len()).filter(|index| self.list.has_push(*index)).map(first).collect()
    }

    /// Every metric any controller may ask for.
    pub(super) fn queries(&self) -> Vec<MetricQuery> {
        self.list.queries()
    }

    /// A minute is over; `arrived` requests have arrived since the start. How many of them in this minute.
    pub(super) fn minute(&mut self, arrived: u64) -> u64 {
        let in_minute = arrived - self.arrived_at_last_minute;
        self.history.push_minute(in_minute as f64 / 60.0);
        self.arrived_at_last_minute = arrived;
        in_minute
    }
}

/// The offered past as policies may read it.
struct Past<'a> {
    log: &'a RateLog,
    minutes_before: i64,
}

impl RateHistory for Past<'_> {
    fn rate_at_minute(&self, minute: i64) -> Option<f64> {
        self.log.rate_at_minute(minute.saturating_sub(self.minutes_before))
    }
}

impl Service<'_> {
    /// One pass of controller number `index`.
    pub(super) fn decide(&mut self, index: usize, turn: &mut Turn<'_>) {
        let now = turn.now();
        let period = self.controllers.list.schedule(index).period;
        turn.schedule(now + period, Event::Decide(self.number, index));
        let Some(recommendation) = self.pass(index, turn) else { return };
        let is_first = self.controllers.list.watches(index) && now < turn.origin + period;
        let before = self.controllers.desired;
        self.carry_out(index, &recommendation, turn);
        if is_first {
            let name = self.controllers.list.name(index);
            self.remark_on_first_pass(&name, before, recommendation.action);
        }
    }

    /// Push scalers of controller number `index` report; only what is written enters the decision log.
    pub(super) fn push(&mut self, index: usize, turn: &mut Turn<'_>) {
        let now = turn.now();
        if let Some(recommendation) = self.pushed(index, turn) {
            self.carry_out(index, &recommendation, turn);
        }
        turn.schedule(now + PUSH_PERIOD, Event::Push(self.number, index));
    }

    fn carry_out(&mut self, index: usize, recommendation: &Recommendation, turn: &mut Turn<'_>) {
        let now = turn.now();
        let before = self.controllers.desired;
        let ready = self.pods.counts(before).ready;
        self.apply(recommendation, turn);
        if let (true, Some(scaler)) = (self.controllers.list.is_hpa(index), &mut self.controllers.scaler) {
            (scaler.current, scaler.desired) = (before, self.controllers.desired);
        }
        self.recorder.desired_changed(now, self.controllers.desired);
        let written = match recommendation.action {
            Action::Hold => None,
            Action::Scale(replicas) => Some(("replicas", replicas)),
            Action::Floor(replicas) => Some(("floor", replicas)),
            Action::Standby(replicas) => Some(("standby", replicas)),
        };
        let name = self.controllers.list.name(index);
        self.recorder.decision((now, name), (before, ready), &recommendation.trail, written);
        self.resize_buffer(before, turn);
        self.reconcile(turn);
    }

    /// Room kept in percent of the replicas follows their number.
    fn resize_buffer(&mut self, before: u32, turn: &mut Turn<'_>) {
        let wanted = self.controllers.desired;
        if let Some(pause) = self.policy.pause_pods.filter(|pause| pause.percent > 0 && wanted != before) {
            turn.fleet.keep_pause_pods(self.number, pause.count_at(wanted), turn.run_now(), turn.out);
        }
    }

    fn pushed(&mut self, index: usize, turn: &mut Turn<'_>) -> Option<Recommendation> {
        let now = turn.now();
        let raw = self.controllers.list.push_queries(index);
        let load = self.flow.load(now);
        let counts = self.pods.counts(self.controllers.desired);
        let (answers, provenance) = self.ask(&raw, turn);
        let Controllers { list, floor, history, minutes_before, .. } = &mut self.controllers;
        let past = Past { log: history, minutes_before: *minutes_before };
        let told = (answers.as_slice(), provenance.as_slice());
        list.push(index, &observation((now, counts, *floor), self.pods.views(), load, told, &past))
    }

    /// What the metric APIs answer now.
    fn ask(&mut self, queries: &[MetricQuery], turn: &mut Turn<'_>) -> (Vec<Answer>, Vec<Provenance>) {
        let mut asker = Asker { now: turn.now(), service: self.number, view: self.view() };
        turn.pipeline.answer_all(queries, &mut asker)
    }

    /// What the controller answers; nothing before the run, when it only watches.
    fn pass(&mut self, index: usize, turn: &mut Turn<'_>) -> Option<Recommendation> {
        let now = turn.now();
        let is_rehearsal = now < turn.origin;
        let load = self.flow.load(now);
        let counts = self.pods.counts(self.controllers.desired);
        let raw = self.controllers.list.queries_of(index, now, counts);
        let (answers, provenance) = self.ask(&raw, turn);
        let Controllers { list, floor, history, minutes_before, .. } = &mut self.controllers;
        let past = Past { log: history, minutes_before: *minutes_before };
        let told = (answers.as_slice(), provenance.as_slice());
        list.pass(index, &observation((now, counts, *floor), self.pods.views(), load, told, &past), is_rehearsal)
    }

    fn apply(&mut self, recommendation: &Recommendation, turn: &mut Turn<'_>) {
        match recommendation.action {
            Action::Hold => {}
            Action::Scale(replicas) => {
                self.controllers.desired = replicas;
                turn.fleet.want_replicas(self.number, replicas);
            }
            Action::Floor(replicas) => self.controllers.floor = replicas,
            Action::Standby(replicas) => self.controllers.standby = Some(replicas),
        }
    }
}

/// What a controller sees: counts and the floor of its target, the target's pods and requests, what the metric APIs answered, the past.
fn observation<'o>(
    (now, counts, floor): (SimTime, Counts, u32),
    pods: &'o [PodView],
    load: Load,
    (metrics, provenance): (&'o [Answer], &'o [Provenance]),
    history: &'o dyn RateHistory,
) -> Observation<'o> {
    let Load { arrived: arrivals, completed: completions, waiting: queue, in_flight, .. } = load;
    Observation { now, counts, floor, pods, metrics, provenance, arrivals, completions, queue, in_flight, history }
}

/// What the policy's HorizontalPodAutoscaler shows before its first pass; nothing if it has none.
fn scaler_at_start(policy: &ServicePolicy) -> Option<ScalerStatus> {
    policy.controllers.iter().find_map(|controller| match controller {
        ControllerSpec::Hpa { spec, .. } => {
            Some(ScalerStatus { min: spec.replicas_min, max: spec.replicas_max, current: 0, desired: 0 })
        }
        ControllerSpec::Keda { scaled_object, .. } => {
            let keda = Keda::new(scaled_object.clone(), Setting::starting_at(0)).ok()?;
            let spec = keda.hpa_spec()?;
            Some(ScalerStatus { min: spec.replicas_min, max: spec.replicas_max, current: 0, desired: 0 })
        }
        ControllerSpec::Static { .. }
        | ControllerSpec::Recorded(_)
        | ControllerSpec::Predictive(_)
        | ControllerSpec::External { .. } => None,
    })
}
