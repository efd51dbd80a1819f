//! The controllers of a policy in operation, apart from who shows them what they see: a service of the model, or a cluster that runs.

use policy::external::{External, RunIdentity};
use policy::fixed::Fixed;
use policy::hpa::{HorizontalPodAutoscaler, HpaConfig, HpaSpec};
use policy::keda::{ExternalAnswer, Keda, Setting};
use policy::predictive::Predictive;
use policy::recorded::Recorded;
use policy::{
    Counts, MetricOutcome, MetricQuery, Observation, Provenance, Recommendation, ScalingPolicy, Schedule, Trail,
};
use record::{DecisionRow, MetricRow, StepRow};
use units::{SimDuration, SimTime};

use crate::metrics::Answer;
use crate::spec::{ControllerManager, ControllerSpec, ServicePolicy, ServiceSpec};

/// What those who run controllers decide about them.
pub struct Terms<'a> {
    /// First pass of controller number so much, which passes in this period.
    pub first: &'a dyn Fn(SimDuration, usize) -> SimTime,
    /// The clocks of a ScaledObject that is first polled then.
    pub setting: &'a dyn Fn(SimTime) -> Setting,
    /// How much earlier than the run the controllers' clock begins.
    pub before: SimDuration,
    /// Seed of the run, for policies that are not part of this program.
    pub seed: u64,
}

/// The controllers of one service under one policy, with what they remember. What they want is for others to do.
pub struct ControllerList {
    list: Vec<Controller>,
}

/// One thing that passes at its own times.
enum Controller {
    /// A controller of its own.
    Plain(Box<dyn ScalingPolicy>),
    /// A HorizontalPodAutoscaler of its own.
    Hpa(Box<HorizontalPodAutoscaler>),
    /// KEDA's operator loop; its HPA is the next in the list.
    KedaOperator(Box<Keda>),
    /// The HPA that the KEDA before it in the list generated.
    KedaHpa { hpa: Box<HorizontalPodAutoscaler>, first: SimTime },
}

impl ControllerList {
    /// The controllers of `policy` for `service`.
    pub fn new(policy: &ServicePolicy, service: &ServiceSpec, terms: &Terms<'_>) -> Self {
        let mut list = Vec::new();
        for controller in &policy.controllers {
            match controller {
                ControllerSpec::Static { replicas } => {
                    list.push(Controller::Plain(Box::new(Fixed { replicas: *replicas })));
                }
                ControllerSpec::Recorded(path) => {
                    list.push(Controller::Plain(Box::new(Recorded::new(path.clone(), terms.before))));
                }
                ControllerSpec::Predictive(config) => {
                    list.push(Controller::Plain(Box::new(Predictive::new(config.clone()))));
                }
                ControllerSpec::External { config, deciders } => {
                    let decider = deciders.start(RunIdentity { seed: terms.seed });
                    list.push(Controller::Plain(Box::new(External::new(config.clone(), terms.before, decider))));
                }
                ControllerSpec::Hpa { spec: hpa, manager } => {
                    let first = (terms.first)(manager.sync_period, list.len());
                    list.push(Controller::Hpa(Box::new(hpa_controller(hpa, *manager, first, service))));
                }
                ControllerSpec::Keda { scaled_object, manager } => {
                    let polling = scaled_object.polling_interval();
                    let setting = (terms.setting)((terms.first)(polling, list.len()));
                    let keda =
                        Keda::new(scaled_object.clone(), setting).expect("the scenario admitted this ScaledObject");
                    let hpa = keda.hpa_spec().cloned();
                    list.push(Controller::KedaOperator(Box::new(keda)));
                    if let Some(hpa) = hpa {
                        let first = (terms.first)(manager.sync_period, list.len());
                        let hpa = Box::new(hpa_controller(&hpa, *manager, first, service));
                        list.push(Controller::KedaHpa { hpa, first });
                    }
                }
            }
        }
        Self { list }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// When controller number `index` passes.
    pub fn schedule(&self, index: usize) -> Schedule {
        match &self.list[index] {
            Controller::Plain(policy) => policy.schedule(),
            Controller::Hpa(hpa) => hpa.schedule(),
            Controller::KedaOperator(keda) => keda.schedule(),
            Controller::KedaHpa { hpa, first } => Schedule { first: *first, ..hpa.schedule() },
        }
    }

    /// Its name in decisions: `hpa`, `keda-operator`, `keda-hpa`, `predictive`, …
    pub fn name(&self, index: usize) -> String {
        match &self.list[index] {
            Controller::Plain(policy) => policy.name().to_owned(),
            Controller::Hpa(hpa) => hpa.name().to_owned(),
            Controller::KedaOperator(keda) => keda.name().to_owned(),
            Controller::KedaHpa { .. } => "keda-hpa".to_owned(),
        }
    }

    /// Whether it remembers what it saw before it acts: KEDA always does, others if they read metrics.
    pub fn watches(&self, index: usize) -> bool {
        match &self.list[index] {
            Controller::Plain(policy) => !policy.queries().is_empty(),
            Controller::Hpa(hpa) => !hpa.queries().is_empty(),
            Controller::KedaOperator(_) | Controller::KedaHpa { .. } => true,
        }
    }

    /// Whether it is KEDA's operator.
    pub fn is_operator(&self, index: usize) -> bool {
        matches!(self.list[index], Controller::KedaOperator(_))
    }

    /// Whether it is a HorizontalPodAutoscaler, KEDA's or its own.
    pub fn is_hpa(&self, index: usize) -> bool {
        matches!(self.list[index], Controller::Hpa(_) | Controller::KedaHpa { .. })
    }

    /// Every metric any of them may ask for.
    pub fn queries(&self) -> Vec<MetricQuery> {
        self.list.iter().flat_map(|controller| controller.queries().to_vec()).collect()
    }

    /// What must be fetched for a pass at `now`: for a generated HPA, KEDA's raw queries followed by the HPA's own resource metrics.
    pub fn queries_of(&self, index: usize, now: SimTime, counts: Counts) -> Vec<MetricQuery> {
        match (&self.list[index], index.checked_sub(1).map(|before| &self.list[before])) {
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

    /// One pass of controller number `index`; `seen` has the answers to [`Self::queries_of`]. A rehearsal is remembered and answers nothing.
    pub fn pass(&mut self, index: usize, seen: &Observation<'_>, is_rehearsal: bool) -> Option<Recommendation> {
        let (earlier, rest) = self.list.split_at_mut(index);
        match &mut rest[0] {
            Controller::Plain(policy) => answer(policy.as_mut(), seen, is_rehearsal),
            Controller::Hpa(hpa) => answer(hpa.as_mut(), seen, is_rehearsal),
            Controller::KedaOperator(keda) => answer(keda.as_mut(), seen, is_rehearsal),
            Controller::KedaHpa { hpa, .. } => {
                let Some(Controller::KedaOperator(keda)) = earlier.last_mut() else {
                    panic!("a generated HPA follows its KEDA operator");
                };
                let external = keda.external_metrics(seen);
                let own = keda.queries().len();
                let resource = seen.metrics[own..].iter().cloned().zip(seen.provenance[own..].iter().copied());
                let (metrics, provenance) = through_keda(hpa.queries(), external, resource);
                answer(hpa.as_mut(), &Observation { metrics: &metrics, provenance: &provenance, ..*seen }, is_rehearsal)
            }
        }
    }

    /// The count was changed at `at` by whoever is in charge of a cluster that runs: autoscalers of pods hold it against their rates as if they
    /// had. To zero and back is the way of a KEDA operator, whose generated HPA knows nothing of it.
    pub fn saw_change(&mut self, (before, after): (u32, u32), floor: u32, at: SimTime) {
        for controller in &mut self.list {
            match controller {
                Controller::Hpa(hpa) => hpa.saw_change((before, after), floor, at),
                Controller::KedaHpa { hpa, .. } if before > 0 && after > 0 => {
                    hpa.saw_change((before, after), floor, at);
                }
                Controller::KedaHpa { .. } | Controller::KedaOperator(_) | Controller::Plain(_) => {}
            }
        }
    }

    /// Whether it has push scalers, which report between polls.
    pub fn has_push(&self, index: usize) -> bool {
        matches!(&self.list[index], Controller::KedaOperator(keda) if keda.has_push())
    }

    /// What the push scalers of controller number `index` look at.
    pub fn push_queries(&self, index: usize) -> Vec<MetricQuery> {
        match &self.list[index] {
            Controller::KedaOperator(keda) => keda.push_queries(),
            _ => panic!("only a KEDA operator has push scalers"),
        }
    }

    /// Its push scalers report; nothing if there is nothing to write. `seen` has the answers to [`Self::push_queries`].
    pub fn push(&mut self, index: usize, seen: &Observation<'_>) -> Option<Recommendation> {
        match &mut self.list[index] {
            Controller::KedaOperator(keda) => keda.push(seen),
            _ => None,
        }
    }
}

impl Controller {
    /// The raw metrics to fetch before a pass. The generated HPA's go through KEDA: see [`ControllerList::queries_of`].
    fn queries(&self) -> &[MetricQuery] {
        match self {
            Self::Plain(policy) => policy.queries(),
            Self::Hpa(hpa) | Self::KedaHpa { hpa, .. } => hpa.queries(),
            Self::KedaOperator(keda) => keda.queries(),
        }
    }
}

fn answer(policy: &mut dyn ScalingPolicy, seen: &Observation<'_>, is_rehearsal: bool) -> Option<Recommendation> {
    if is_rehearsal {
        policy.rehearse(seen);
        return None;
    }
    Some(policy.decide(seen))
}

/// A pass as tables and explanations have it.
pub fn decision_row(
    time: SimTime,
    controller: String,
    (before, ready): (u32, u32),
    trail: &Trail,
    written: Option<(&'static str, u32)>,
) -> DecisionRow {
    let asked = trail.proposals.iter().filter(|proposal| proposal.outcome != MetricOutcome::Skipped);
    let metrics = asked.map(|proposal| MetricRow {
        metric: proposal.metric.clone(),
        value: proposal.value,
        target: proposal.target,
        ratio: proposal.ratio,
        replicas: proposal.replicas,
        outcome: outcome_word(proposal.outcome),
        note: proposal.note.clone(),
        age: proposal.age,
    });
    let steps = trail.steps.iter().map(|step| StepRow {
        name: step.name.to_owned(),
        before: step.before,
        after: step.after,
        note: step.note.clone(),
    });
    DecisionRow {
        time,
        controller,
        replicas_before: before,
        replicas_ready: ready,
        metrics: metrics.collect(),
        raw: trail.raw,
        steps: steps.collect(),
        reason: trail.reason.to_owned(),
        written,
    }
}

/// The same word in the record.
pub(crate) fn outcome_word(of: MetricOutcome) -> record::MetricOutcome {
    match of {
        MetricOutcome::Read => record::MetricOutcome::Read,
        MetricOutcome::Empty { as_zero: true } => record::MetricOutcome::EmptyAsZero,
        MetricOutcome::Empty { as_zero: false } => record::MetricOutcome::Empty,
        MetricOutcome::NotANumber { .. } => record::MetricOutcome::NotANumber,
        MetricOutcome::Failed => record::MetricOutcome::Failed,
        MetricOutcome::Skipped => record::MetricOutcome::Skipped,
    }
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
