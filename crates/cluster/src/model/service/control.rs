//! Controllers: what they see, when they pass, and what their answers do.

use policy::external::{External, RunIdentity};
use policy::fixed::Fixed;
use policy::hpa::{HorizontalPodAutoscaler, HpaConfig, HpaSpec};
use policy::keda::{ExternalAnswer, Keda, Setting};
use policy::predictive::Predictive;
use policy::recorded::Recorded;
use policy::{
    Action, Counts, MetricQuery, Observation, PodView, Provenance, RateHistory, Recommendation, ScalingPolicy, Schedule,
};
use units::{SimDuration, SimTime};
use workload::{Purpose, RateLog, Stream};

use super::{Event, Service, Turn};
use crate::flow::Load;
use crate::metrics::{Answer, Asker, ScalerStatus};
use crate::spec::{ControllerManager, ControllerSpec, ServicePolicy, ServiceSpec, SimulationSpec};

/// A push scaler sees a change within this time: the HTTP add-on's reads its interceptors every 0.5 s and pushes every 0.2 s.
const PUSH_PERIOD: SimDuration = SimDuration::from_millis(700);

/// The controllers of one policy and the counts they write.
pub(super) struct Controllers {
    list: Vec<Controller>,
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

/// One thing that passes at its own times.
enum Controller {
    /// A controller of its own.
    Plain(Box<dyn ScalingPolicy>),
    /// KEDA's operator loop; its HPA is the next in the list.
    KedaOperator(Box<Keda>),
    /// The HPA that the KEDA before it in the list generated.
    KedaHpa { hpa: Box<HorizontalPodAutoscaler>, first: SimTime },
}

impl Controllers {
    /// The controllers of `policy` for `service`, which has this seed.
    pub(super) fn new(spec: &SimulationSpec, service: &ServiceSpec, policy: &ServicePolicy, seed: u64) -> Self {
        let mut list = Vec::new();
        for controller in &policy.controllers {
            let phase = |period: SimDuration, index: usize| {
                let share = Stream::new(seed, Purpose::Phase, index as u64).uniform();
                SimTime::from_nanos((period.as_nanos() as f64 * share) as u64)
            };
            match controller {
                ControllerSpec::Static { replicas } => {
                    list.push(Controller::Plain(Box::new(Fixed { replicas: *replicas })));
                }
                ControllerSpec::Recorded(path) => {
                    let recorded = Recorded::new(path.clone(), spec.prehistory.length);
                    list.push(Controller::Plain(Box::new(recorded)));
                }
                ControllerSpec::Predictive(config) => {
                    list.push(Controller::Plain(Box::new(Predictive::new(config.clone()))));
                }
                ControllerSpec::External { config, deciders } => {
                    let decider = deciders.start(RunIdentity { seed });
                    let external = External::new(config.clone(), spec.prehistory.length, decider);
                    list.push(Controller::Plain(Box::new(external)));
                }
                ControllerSpec::Hpa { spec: hpa, manager } => {
                    let first = phase(manager.sync_period, list.len());
                    list.push(Controller::Plain(Box::new(hpa_controller(hpa, *manager, first, service))));
                }
                ControllerSpec::Keda { scaled_object, manager } => {
                    let polling = scaled_object.polling_interval();
                    let setting = super::prehistory::setting(spec, phase(polling, list.len()));
                    let keda =
                        Keda::new(scaled_object.clone(), setting).expect("the scenario admitted this ScaledObject");
                    let hpa = keda.hpa_spec().cloned();
                    list.push(Controller::KedaOperator(Box::new(keda)));
                    if let Some(hpa) = hpa {
                        let first = phase(manager.sync_period, list.len());
                        let hpa = Box::new(hpa_controller(&hpa, *manager, first, service));
                        list.push(Controller::KedaHpa { hpa, first });
                    }
                }
            }
        }
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
        let first = |controller: &Controller| {
            let Schedule { period, first } = controller.schedule();
            let earlier = if controller.watches() { rehearsal.as_nanos() / period.as_nanos() } else { 0 };
            (origin + (first.since(SimTime::ZERO))).saturating_sub(period * earlier)
        };
        self.list.iter().map(first).enumerate().collect()
    }

    /// The run begins; `arrived` requests have arrived before it.
    pub(super) fn begin(&mut self, arrived: u64) {
        self.arrived_at_last_minute = arrived;
    }

    /// When the push scalers of each controller that has some first report, with its index.
    pub(super) fn pushes(&self) -> Vec<(usize, SimTime)> {
        let first = |(index, controller): (usize, &Controller)| match controller {
            Controller::KedaOperator(keda) if keda.has_push() => {
                let phase =
                    Stream::new(self.seed, Purpose::Phase, index as u64 | 1 << 41).below(PUSH_PERIOD.as_nanos());
                Some((index, SimTime::from_nanos(phase)))
            }
            _ => None,
        };
        self.list.iter().enumerate().filter_map(first).collect()
    }

    /// Every metric any controller may ask for.
    pub(super) fn queries(&self) -> Vec<MetricQuery> {
        self.list.iter().flat_map(|controller| controller.queries().to_vec()).collect()
    }

    /// A minute is over; `arrived` requests have arrived since the start. How many of them in this minute.
    pub(super) fn minute(&mut self, arrived: u64) -> u64 {
        let in_minute = arrived - self.arrived_at_last_minute;
        self.history.push_minute(in_minute as f64 / 60.0);
        self.arrived_at_last_minute = arrived;
        in_minute
    }
}

impl Controller {
    fn schedule(&self) -> Schedule {
        match self {
            Self::Plain(policy) => policy.schedule(),
            Self::KedaOperator(keda) => keda.schedule(),
            Self::KedaHpa { hpa, first } => Schedule { first: *first, ..hpa.schedule() },
        }
    }

    /// The raw metrics to fetch before a pass. The generated HPA's go through KEDA: see [`Controllers::queries_of`].
    fn queries(&self) -> &[MetricQuery] {
        match self {
            Self::Plain(policy) => policy.queries(),
            Self::KedaOperator(keda) => keda.queries(),
            Self::KedaHpa { hpa, .. } => hpa.queries(),
        }
    }

    /// Whether it remembers what it saw before it acts: KEDA always does, others if they read metrics.
    fn watches(&self) -> bool {
        !matches!(self, Self::Plain(policy) if policy.queries().is_empty())
    }

    fn is_hpa(&self) -> bool {
        match self {
            Self::Plain(policy) => policy.name() == "hpa",
            Self::KedaOperator(_) => false,
            Self::KedaHpa { .. } => true,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Plain(policy) => policy.name().to_owned(),
            Self::KedaOperator(keda) => keda.name().to_owned(),
            Self::KedaHpa { .. } => "keda-hpa".to_owned(),
        }
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
        let period = self.controllers.list[index].schedule().period;
        turn.schedule(now + period, Event::Decide(self.number, index));
        let Some(recommendation) = self.pass(index, turn) else { return };
        let is_first = self.controllers.list[index].watches() && now < turn.origin + period;
        let before = self.controllers.desired;
        self.carry_out(index, &recommendation, turn);
        if is_first {
            let name = self.controllers.list[index].name();
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
        if let (true, Some(scaler)) = (self.controllers.list[index].is_hpa(), &mut self.controllers.scaler) {
            (scaler.current, scaler.desired) = (before, self.controllers.desired);
        }
        self.recorder.desired_changed(now, self.controllers.desired);
        let written = match recommendation.action {
            Action::Hold => None,
            Action::Scale(replicas) => Some(("replicas", replicas)),
            Action::Floor(replicas) => Some(("floor", replicas)),
            Action::Standby(replicas) => Some(("standby", replicas)),
        };
        let name = self.controllers.list[index].name();
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
        let Controller::KedaOperator(keda) = &self.controllers.list[index] else {
            panic!("only a KEDA operator has push scalers");
        };
        let raw = keda.push_queries();
        let load = self.flow.load(now);
        let counts = self.pods.counts(self.controllers.desired);
        let (answers, provenance) = self.ask(&raw, turn);
        let Controllers { list, floor, history, minutes_before, .. } = &mut self.controllers;
        let Controller::KedaOperator(keda) = &mut list[index] else { return None };
        let past = Past { log: history, minutes_before: *minutes_before };
        let told = (answers.as_slice(), provenance.as_slice());
        keda.push(&observation((now, counts, *floor), self.pods.views(), load, told, &past))
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
        let raw: Vec<MetricQuery> = self.raw_queries(index, now, counts);
        let (answers, provenance) = self.ask(&raw, turn);
        let Controllers { list, floor, history, minutes_before, .. } = &mut self.controllers;
        let past = Past { log: history, minutes_before: *minutes_before };
        let told = (answers.as_slice(), provenance.as_slice());
        let mut seen = observation((now, counts, *floor), self.pods.views(), load, told, &past);
        let (earlier, rest) = list.split_at_mut(index);
        match &mut rest[0] {
            Controller::Plain(policy) => answer(policy.as_mut(), &seen, is_rehearsal),
            Controller::KedaOperator(keda) => answer(keda.as_mut(), &seen, is_rehearsal),
            Controller::KedaHpa { hpa, .. } => {
                let Some(Controller::KedaOperator(keda)) = earlier.last_mut() else {
                    panic!("a generated HPA follows its KEDA operator");
                };
                let external = keda.external_metrics(&seen);
                let own = keda.queries().len();
                let resource = answers[own..].iter().cloned().zip(provenance[own..].iter().copied());
                let (metrics, provenance) = through_keda(hpa.queries(), external, resource);
                (seen.metrics, seen.provenance) = (&metrics, &provenance);
                answer(hpa.as_mut(), &seen, is_rehearsal)
            }
        }
    }

    /// What must be fetched for a pass: for a generated HPA, KEDA's raw queries followed by the HPA's own resource metrics.
    fn raw_queries(&self, index: usize, now: SimTime, counts: Counts) -> Vec<MetricQuery> {
        let list = &self.controllers.list;
        match (&list[index], index.checked_sub(1).map(|before| &list[before])) {
            (Controller::KedaHpa { hpa, .. }, Some(Controller::KedaOperator(keda))) => {
                let live = keda.queries().iter().enumerate().map(|(query, raw)| {
                    let is_needed = keda.needs_query(query, now, counts);
                    if is_needed { raw.clone() } else { MetricQuery::Unread }
                });
                live.chain(hpa.queries().iter().filter(|query| !is_external(query)).cloned()).collect()
            }
            (controller, _) => controller.queries().to_vec(),
        }
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

fn answer(policy: &mut dyn ScalingPolicy, seen: &Observation<'_>, is_rehearsal: bool) -> Option<Recommendation> {
    if is_rehearsal {
        policy.rehearse(seen);
        return None;
    }
    Some(policy.decide(seen))
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

fn is_external(query: &MetricQuery) -> bool {
    matches!(query, MetricQuery::External { .. })
}

/// Puts KEDA's answers in the places of the HPA's external metrics, in order, and the resource answers in the others.
fn through_keda(
    queries: &[MetricQuery],
    external: Vec<ExternalAnswer>,
    mut resource: impl Iterator<Item = (Answer, Provenance)>,
) -> (Vec<Answer>, Vec<Provenance>) {
    let mut external = external.into_iter().map(|external| (external.answer, external.provenance));
    let next = |query| if is_external(query) { external.next() } else { resource.next() };
    queries.iter().map(next).map(|answer| answer.expect("one answer per query")).unzip()
}

fn hpa_controller(
    spec: &HpaSpec,
    manager: ControllerManager,
    first: SimTime,
    service: &ServiceSpec,
) -> HorizontalPodAutoscaler {
    let config = HpaConfig {
        sync_period: manager.sync_period,
        first,
        zero_rule: manager.zero_rule,
        has_configurable_tolerance: manager.has_configurable_tolerance,
        has_pod_level_resources: manager.has_pod_level_resources,
        requests: crate::metrics::request_table(service),
        ..HpaConfig::default()
    };
    HorizontalPodAutoscaler::new(spec, config)
}
