//! The operator's scale loop and the metrics adapter, which share one state.

use std::collections::BTreeMap;
use std::ops::Range;

use units::{SimDuration, SimTime};

use super::executor::{self, ActiveReason, Condition, PollState, Verdict};
use super::fallback::{self, Circumstances, Served};
use super::generated::{self, COMPOSITE_METRIC, SELECTOR_LABEL};
use super::quantity::{milli_from_f64, milli_truncated};
use super::scaler::{Sample, Scaler};
use super::state::{self, Composite, ObjectState, TriggerState};
use super::{Formula, MetricType, ScaledObject, Violation, admission};
use crate::hpa::{HpaSpec, MetricSpec};
use crate::{
    Action, Counts, LabelCondition, MetricError, MetricOutcome, MetricQuery, MetricReading, Observation, PodPhase,
    Proposal, Provenance, Ready, Recommendation, ScalingPolicy, Schedule, Step, Trail,
};

/// What a run decides about a ScaledObject that its manifest does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Unix time of the start of the run in seconds; cron triggers need it.
    pub start_unix_s: i64,
    /// Time of the first poll: a phase in [0, pollingInterval).
    pub first_poll: SimTime,
    /// How long the queries of a poll take; below pollingInterval. With 0 a poll exactly one cooldown after the last active one
    /// does not yet fire, on a live system it does.
    pub query_latency: SimDuration,
    /// Creation of the object in whole seconds since the start of the run, before it if negative.
    pub created_s: i64,
    /// Last time the object was found active in whole seconds since the start of the run; `None` if never.
    pub last_active_s: Option<i64>,
}

impl Setting {
    /// A ScaledObject created at the start of a run, polled at once; queries take 50 ms.
    pub fn starting_at(start_unix_s: i64) -> Self {
        let query_latency = SimDuration::from_millis(50);
        Self { start_unix_s, first_poll: SimTime::ZERO, query_latency, created_s: 0, last_active_s: None }
    }
}

/// The clock of the scale loop: when the object was created and last found active, in whole seconds as the API keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaleLoop {
    /// Creation, in whole seconds since the start of the run.
    pub created_s: i64,
    /// Last active, likewise; `None` if never.
    pub last_active_s: Option<i64>,
    /// Time between a poll and its decision.
    pub query_latency: SimDuration,
}

impl ScaleLoop {
    /// One decision from a poll at `now`. A stamp is the instant of the decision, cut to the whole second.
    pub fn decide(&mut self, object: &ScaledObject, replicas: u32, found: ObjectState, now: SimTime) -> Verdict {
        const NANOS: i64 = 1_000_000_000;
        let decided = now.saturating_add(self.query_latency);
        let verdict = executor::decide(
            object,
            PollState {
                replicas,
                is_active: found.is_active,
                is_error: found.is_error,
                now_ns: decided.as_nanos() as i64,
                created_ns: self.created_s.saturating_mul(NANOS),
                last_active_ns: self.last_active_s.map(|second| second.saturating_mul(NANOS)),
            },
        );
        if verdict.sets_last_active {
            self.last_active_s = Some(decided.as_secs() as i64);
        }
        verdict
    }
}

/// One ScaledObject in operation: the operator's loop as a [`ScalingPolicy`] and the source of its HPA's external metrics.
#[derive(Clone, Debug)]
pub struct Keda {
    object: ScaledObject,
    setting: Setting,
    scale_loop: ScaleLoop,
    sources: Vec<Source>,
    queries: Vec<MetricQuery>,
    formula: Option<Formula>,
    hpa: HpaSpec,
    /// True once `paused-replicas` has been written.
    is_pause_written: bool,
}

/// A trigger in operation.
#[derive(Clone, Debug)]
struct Source {
    scaler: Scaler,
    /// Name of its external metric.
    metric: String,
    /// Its name in the formula and in explanations.
    label: String,
    metric_type: MetricType,
    /// Number of the trigger it belongs to.
    trigger: usize,
    /// Which of the raw queries are its own.
    queries: Range<usize>,
    /// Failed reads in a row, counted over both loops.
    failures: u32,
    /// Where the HPA is answered from the last poll: that poll and what it gave.
    cached: Option<(SimTime, Served, Provenance)>,
    use_cached_metrics: bool,
}

/// One trigger's read at a poll.
struct Read {
    sample: Result<Sample, String>,
    served: Served,
    provenance: Provenance,
}

/// What the HPA is answered for one of its external metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct ExternalAnswer {
    /// The answer.
    pub answer: Result<MetricReading, MetricError>,
    /// How KEDA came by it.
    pub provenance: Provenance,
}

impl Keda {
    /// Admits `object` and builds its triggers and its HPA.
    pub fn new(object: ScaledObject, setting: Setting) -> Result<Self, Violation> {
        admission::validate(&object)?;
        let scalers = admission::scalers(&object)?;
        let hpa = generated::hpa_spec(&object, &scalers)?;
        let text = object.advanced.scaling_modifiers.as_ref().and_then(|modifiers| modifiers.formula.as_deref());
        let formula = text.map(|text| Formula::parse(text).expect("validate has parsed it"));
        let mut queries = Vec::new();
        let mut sources = Vec::new();
        for (index, (trigger, scalers)) in object.triggers.iter().zip(scalers).enumerate() {
            for scaler in scalers {
                let first = queries.len();
                queries.extend(scaler.queries());
                sources.push(Source {
                    metric: scaler.metric_name(index),
                    label: trigger.label().to_owned(),
                    metric_type: trigger.metric_type.unwrap_or(MetricType::AverageValue),
                    trigger: index,
                    queries: first..queries.len(),
                    failures: 0,
                    cached: None,
                    use_cached_metrics: trigger.use_cached_metrics,
                    scaler,
                });
            }
        }
        let Setting { created_s, last_active_s, query_latency, .. } = setting;
        let scale_loop = ScaleLoop { created_s, last_active_s, query_latency };
        Ok(Self { object, setting, scale_loop, sources, queries, formula, hpa, is_pause_written: false })
    }

    /// The object.
    pub fn object(&self) -> &ScaledObject {
        &self.object
    }

    /// The generated HPA; `None` while an annotation pauses the object, for then KEDA deletes it.
    pub fn hpa_spec(&self) -> Option<&HpaSpec> {
        (!self.object.annotations.is_paused()).then_some(&self.hpa)
    }

    /// Failed reads in a row of metric number `index`.
    pub fn failures(&self, index: usize) -> u32 {
        self.sources[index].failures
    }

    /// True if the HPA, with this many replicas, gets as far as reading metrics: not at zero and not outside its bounds.
    pub fn reads_metrics(&self, counts: Counts) -> bool {
        self.hpa_spec()
            .is_some_and(|hpa| counts.spec > 0 && (hpa.replicas_min..=hpa.replicas_max).contains(&counts.spec))
    }

    /// True if raw query number `query` must be answered for an HPA sync at `now`, false if the cache will do or nothing is read.
    pub fn needs_query(&self, query: usize, now: SimTime, counts: Counts) -> bool {
        let source = self.sources.iter().find(|source| source.queries.contains(&query));
        self.reads_metrics(counts) && source.is_some_and(|source| self.cached(source, now).is_none())
    }

    /// Which of the answers of [`Keda::external_metrics`] is meant for this query of the HPA; `None` if it is not KEDA's to answer.
    pub fn answer_index(&self, query: &MetricQuery) -> Option<usize> {
        let MetricQuery::External { name, selector } = query else { return None };
        let is_ours = selector.contains(&LabelCondition::equals(SELECTOR_LABEL, &self.object.name));
        self.hpa.metrics.iter().filter_map(external_name).position(|metric| is_ours && metric == name)
    }

    /// The metrics adapter: one answer per External metric of [`Keda::hpa_spec`], in that order, for an HPA sync. `seen.metrics` are
    /// the answers to the raw [`ScalingPolicy::queries`]; those that [`Keda::needs_query`] denies are not looked at. Live reads count
    /// towards the fallback just as polls do. Where the HPA would not read at all, nothing is counted.
    pub fn external_metrics(&mut self, seen: &Observation<'_>) -> Vec<ExternalAnswer> {
        let names: Vec<String> = self.hpa.metrics.iter().filter_map(external_name).map(str::to_owned).collect();
        if !self.reads_metrics(seen.counts) {
            let unread = MetricError { message: "the HPA does not read metrics at this count".to_owned() };
            let provenance = Provenance { outcome: Some(MetricOutcome::Skipped), age: None };
            return names.iter().map(|_| ExternalAnswer { answer: Err(unread.clone()), provenance }).collect();
        }
        let answer = |keda: &mut Self, name: &String| {
            let (value_m, provenance) =
                if name == COMPOSITE_METRIC { keda.composite_for_hpa(seen) } else { keda.single_for_hpa(name, seen) };
            let answer = value_m.map(|value_m| MetricReading::External(vec![value_m]));
            ExternalAnswer { answer: answer.map_err(|message| MetricError { message }), provenance }
        };
        names.iter().map(|name| answer(self, name)).collect()
    }

    fn single_for_hpa(&mut self, metric: &str, seen: &Observation<'_>) -> (Result<i64, String>, Provenance) {
        let index = self.sources.iter().position(|source| source.metric == metric);
        let index = index.expect("the HPA's external metrics are those of the triggers");
        let (served, provenance) = self.serve_hpa(index, seen);
        let value_m = match served {
            Served::Live(value_m) | Served::Fallback(value_m) => Ok(value_m),
            Served::Failed(error) => Err(error),
            Served::Nil => Err("the trigger has no value".to_owned()),
        };
        (value_m, provenance)
    }

    fn composite_for_hpa(&mut self, seen: &Observation<'_>) -> (Result<i64, String>, Provenance) {
        let (served, provenances): (Vec<Option<Served>>, Vec<Option<Provenance>>) = (0..self.sources.len())
            .map(|index| (!self.is_resource(index)).then(|| self.serve_hpa(index, seen)).unzip())
            .unzip();
        let is_fallback = served.iter().flatten().any(|served| matches!(served, Served::Fallback(_)));
        let failed = served.iter().flatten().find_map(|served| match served {
            Served::Failed(error) => Some(error.clone()),
            _ => None,
        });
        let value_m = match failed {
            Some(error) if !is_fallback => Err(error),
            _ => self.composite(&served),
        };
        let mut provenance = together(provenances.into_iter().flatten(), value_m.is_ok());
        if value_m.as_ref().is_ok_and(Option::is_none) {
            provenance.outcome = Some(MetricOutcome::NotANumber { as_zero: true });
        }
        (value_m.map(Option::unwrap_or_default), provenance)
    }

    /// What the HPA is answered for one trigger: from the cache, or by a live read.
    fn serve_hpa(&mut self, index: usize, seen: &Observation<'_>) -> (Served, Provenance) {
        if let Some((at, served, provenance)) = self.cached(&self.sources[index], seen.now) {
            let age = provenance.age.map(|age| age + seen.now.since(*at));
            return (served.clone(), Provenance { age, ..*provenance });
        }
        let read = self.read(index, seen);
        (read.served, read.provenance)
    }

    /// The last poll's answer, if the trigger is cached and that poll is not older than the polling interval.
    fn cached<'a>(&self, source: &'a Source, now: SimTime) -> Option<&'a (SimTime, Served, Provenance)> {
        let cached = source.cached.as_ref()?;
        (now.since(cached.0) <= self.object.polling_interval()).then_some(cached)
    }

    /// One live read of one trigger, with its consequences for the fallback counter.
    fn read(&mut self, index: usize, seen: &Observation<'_>) -> Read {
        let unix_s = self.setting.start_unix_s + seen.now.as_secs() as i64;
        let source = &mut self.sources[index];
        let answers = &seen.metrics[source.queries.clone()];
        let sample = source.scaler.read(unix_s, answers);
        let known: Vec<Provenance> = source.queries.clone().map(|query| seen.provenance_of(query)).collect();
        let told = known.iter().find_map(|known| known.outcome);
        let outcome = told.unwrap_or_else(|| source.scaler.outcome(answers, sample.is_ok()));
        let age = known.iter().filter_map(|known| known.age).max();
        let provenance = Provenance { outcome: Some(outcome), age };
        let circumstances = Circumstances {
            fallback: self.object.effective_fallback(),
            modifiers: self.object.advanced.scaling_modifiers.as_ref(),
            // Through the quantity the HPA holds, as KEDA reads it back from there.
            target: milli_from_f64(source.scaler.threshold()) as f64 / 1000.0,
            metric_type: source.metric_type,
            replicas_current: seen.counts.spec,
            replicas_ready: ready_pods(seen),
        };
        let value_m = sample.clone().map(|sample| milli_from_f64(sample.value));
        let served = fallback::serve(&circumstances, &mut source.failures, value_m);
        Read { sample, served, provenance }
    }

    /// The formula's value in milli-units, `None` if it is no finite number, which nobody scales up on; `served` has one entry per
    /// trigger, `None` for cpu and memory. A fallback in force takes the place of the formula.
    fn composite(&self, served: &[Option<Served>]) -> Result<Option<i64>, String> {
        let fallback = served.iter().flatten().find_map(|served| match served {
            Served::Fallback(value_m) => Some(*value_m),
            _ => None,
        });
        if let Some(value_m) = fallback {
            return Ok(Some(value_m));
        }
        let mut values = BTreeMap::new();
        for (source, served) in self.sources.iter().zip(served) {
            match served {
                Some(Served::Live(value_m)) => values.insert(source.label.clone(), Some(*value_m as f64 / 1000.0)),
                Some(Served::Nil) => values.insert(source.label.clone(), None),
                _ => None,
            };
        }
        let formula = self.formula.as_ref().expect("a composite metric has a formula");
        if let Some(value) = formula.evaluate(&values).map_err(|error| error.to_string())? {
            return Ok(value.is_finite().then(|| milli_truncated(value)));
        }
        let of_nil = self.object.effective_fallback().zip(self.object.advanced.scaling_modifiers.as_ref());
        of_nil
            .and_then(|(fallback, modifiers)| fallback::composite_of_nil(fallback, modifiers))
            .map(Some)
            .ok_or_else(|| "the formula gives nil".to_owned())
    }

    fn is_resource(&self, index: usize) -> bool {
        matches!(self.sources[index].scaler, Scaler::Resource(_))
    }

    /// All triggers of one poll; `None` for cpu and memory.
    fn poll(&mut self, seen: &Observation<'_>) -> Vec<Option<Read>> {
        let mut reads = Vec::with_capacity(self.sources.len());
        for index in 0..self.sources.len() {
            let read = (!self.is_resource(index)).then(|| self.read(index, seen));
            let source = &mut self.sources[index];
            if let Some(read) = read.as_ref().filter(|_| source.use_cached_metrics) {
                source.cached = Some((seen.now, read.served.clone(), read.provenance));
            }
            reads.push(read);
        }
        reads
    }

    /// The composite metric at a poll, and what there is to say about it.
    fn composite_at_poll(&self, reads: &[Option<Read>]) -> Option<(Composite, Proposal)> {
        self.formula.as_ref()?;
        let modifiers = self.object.advanced.scaling_modifiers.as_ref()?;
        let activation_target =
            modifiers.activation_target.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0.0);
        let served: Vec<_> = reads.iter().map(|read| read.as_ref().map(|read| read.served.clone())).collect();
        let found = self.composite(&served);
        let is_number = !matches!(found, Ok(None));
        let value = found.map(|value_m| value_m.unwrap_or_default() as f64 / 1000.0);
        let note = match &value {
            Ok(_) if !is_number => "the formula gives no finite number, counts as inactive".to_owned(),
            Ok(value) => compared(*value, *value > activation_target, "activationTarget", activation_target),
            // KEDA only logs this: an object whose formula fails is inactive, not in error.
            Err(error) => format!("no composite value, counts as inactive: {error}"),
        };
        let value = value.ok();
        let metric = COMPOSITE_METRIC.to_owned();
        let of_parts = reads.iter().flatten().map(|read| read.provenance);
        let Provenance { outcome, age } = together(of_parts, value.is_some());
        let outcome = match outcome.unwrap_or(MetricOutcome::Failed) {
            MetricOutcome::Read if !is_number => MetricOutcome::NotANumber { as_zero: true },
            outcome => outcome,
        };
        let target = activation_target;
        let proposal = Proposal { metric, value, target, ratio: None, replicas: None, note, age, outcome };
        Some((Composite { value, activation_target }, proposal))
    }

    fn proposal(&self, source: &Source, read: &Read) -> Proposal {
        let target = source.scaler.activation_threshold();
        let note = match (&read.sample, &read.served) {
            (Ok(sample), _) if matches!(source.scaler, Scaler::Cron(_)) => {
                if sample.is_active {
                    "active: inside the window".to_owned()
                } else {
                    "inactive: outside the window".to_owned()
                }
            }
            (Ok(sample), _) => compared(sample.value, sample.is_active, "activation threshold", target),
            (Err(error), Served::Fallback(value_m)) => {
                let value = *value_m as f64 / 1000.0;
                format!(
                    "failed {} times in a row, fallback value {value} in force, counts as active: {error}",
                    source.failures
                )
            }
            (Err(error), Served::Nil) => {
                format!("failed {} times in a row, nil in the formula: {error}", source.failures)
            }
            (Err(error), _) => match &self.object.fallback {
                Some(fallback) => {
                    format!(
                        "failed {} in a row, fallback beyond {}: {error}",
                        source.failures, fallback.failure_threshold
                    )
                }
                None => format!("failed: {error}"),
            },
        };
        let value = read.sample.as_ref().ok().map(|sample| sample.value);
        let wants = read.sample.as_ref().ok().filter(|_| self.formula.is_none());
        let activation = self.object.activation_replicas();
        let replicas =
            wants.map(|sample| if sample.is_active { activation } else { self.object.deactivation_replicas() });
        let metric = format!("{} ({})", source.label, source.metric);
        let Provenance { outcome, age } = read.provenance;
        let outcome = outcome.unwrap_or(MetricOutcome::Failed);
        Proposal { metric, value, target, ratio: None, replicas, note, age, outcome }
    }

    /// One state per metric. Where a trigger emits several the last one decides its activity, as in `state::activity_of`.
    fn states(&self, reads: &[Option<Read>]) -> Vec<TriggerState> {
        let mut states: Vec<TriggerState> = reads.iter().map(|read| trigger_state(read.as_ref())).collect();
        for (at, pair) in self.sources.windows(2).enumerate() {
            states[at].is_active &= pair[0].trigger != pair[1].trigger;
        }
        states
    }

    /// True if some trigger pushes: then [`Keda::push`] has something to say between polls.
    pub fn has_push(&self) -> bool {
        !self.object.annotations.is_paused() && self.sources.iter().any(|source| source.scaler.is_push())
    }

    /// The raw queries with those that no push scaler needs left unread.
    pub fn push_queries(&self) -> Vec<MetricQuery> {
        let needed =
            |query: usize| self.sources.iter().any(|source| source.scaler.is_push() && source.queries.contains(&query));
        let asked = |(query, raw): (usize, &MetricQuery)| if needed(query) { raw.clone() } else { MetricQuery::Unread };
        self.queries.iter().enumerate().map(asked).collect()
    }

    /// What push scalers tell at `seen.now`: `true` activates at once and counts as activity, `false` is ignored. `None` if there is
    /// nothing to write.
    pub fn push(&mut self, seen: &Observation<'_>) -> Option<Recommendation> {
        if !self.has_push() {
            return None;
        }
        let mut active = None;
        for source in self.sources.iter_mut().filter(|source| source.scaler.is_push()) {
            let sample = source.scaler.read(0, &seen.metrics[source.queries.clone()]);
            if let Some(sample) = sample.ok().filter(|sample| sample.is_active) {
                active.get_or_insert((format!("{} ({})", source.label, source.metric), sample.value));
            }
        }
        let (metric, value) = active?;
        let found = ObjectState { is_active: true, is_error: false };
        let spec = seen.counts.spec;
        let verdict = self.scale_loop.decide(&self.object, spec, found, seen.now);
        let scale_to = verdict.scale_to?;
        let note = format!("{metric} pushed: active at {value}; {}", verdict.why);
        let steps = vec![Step { name: "push", before: spec, after: scale_to, note }];
        let trail = Trail { proposals: Vec::new(), raw: Some(scale_to), steps, reason: reason_word(&verdict) };
        Some(Recommendation { action: Action::Scale(scale_to), trail })
    }

    /// While paused nothing runs, except that `paused-replicas` is written once.
    fn paused(&mut self, seen: &Observation<'_>) -> Recommendation {
        let count = self.object.annotations.paused_replicas().ok().flatten().filter(|_| !self.is_pause_written);
        self.is_pause_written = true;
        let action = match count {
            Some(count) if count != seen.counts.spec => Action::Scale(count),
            _ => Action::Hold,
        };
        let after = count.unwrap_or(seen.counts.spec);
        let note = "paused by annotation: the loop is stopped and the HPA deleted".to_owned();
        let steps = vec![Step { name: "pause", before: seen.counts.spec, after, note }];
        Recommendation { action, trail: Trail { proposals: Vec::new(), raw: count, steps, reason: "Paused" } }
    }
}

impl ScalingPolicy for Keda {
    fn name(&self) -> &'static str {
        "keda-operator"
    }

    fn schedule(&self) -> Schedule {
        Schedule { period: self.object.polling_interval(), first: self.setting.first_poll }
    }

    /// The raw queries of all triggers. PromQl ones are to be evaluated at the current whole second: the scaler formats its time
    /// without a fraction.
    fn queries(&self) -> &[MetricQuery] {
        &self.queries
    }

    fn decide(&mut self, seen: &Observation<'_>) -> Recommendation {
        if self.object.annotations.is_paused() {
            return self.paused(seen);
        }
        let reads = self.poll(seen);
        let states = self.states(&reads);
        let composite = self.composite_at_poll(&reads);
        let found = state::combine(&states, composite.as_ref().map(|(composite, _)| *composite));
        let spec = seen.counts.spec;
        let verdict = self.scale_loop.decide(&self.object, spec, found, seen.now);
        let pairs = self.sources.iter().zip(&reads);
        let mut proposals: Vec<Proposal> =
            pairs.filter_map(|(source, read)| Some(self.proposal(source, read.as_ref()?))).collect();
        proposals.extend(composite.map(|(_, proposal)| proposal));
        let is_cooling = verdict.active == Some(ActiveReason::ScalerCooldown);
        let wish = if is_cooling { Some(self.object.deactivation_replicas()) } else { verdict.scale_to };
        let after = verdict.scale_to.unwrap_or(spec);
        let name = if is_cooling { "cooldown" } else { "scale loop" };
        let step = Step { name, before: wish.unwrap_or(spec), after, note: verdict.why.clone() };
        let action = verdict.scale_to.map_or(Action::Hold, Action::Scale);
        Recommendation {
            action,
            trail: Trail { proposals, raw: wish, steps: vec![step], reason: reason_word(&verdict) },
        }
    }

    /// The time of last activity and the health of the triggers are kept, the verdict is not.
    fn rehearse(&mut self, seen: &Observation<'_>) {
        if !self.object.annotations.is_paused() {
            self.decide(seen);
        }
    }
}

/// A formula is read if it gives a value; its oldest part makes its age.
fn together(parts: impl Iterator<Item = Provenance>, has_value: bool) -> Provenance {
    let outcome = Some(if has_value { MetricOutcome::Read } else { MetricOutcome::Failed });
    Provenance { outcome, age: parts.filter_map(|part| part.age).max() }
}

fn trigger_state(read: Option<&Read>) -> TriggerState {
    let Some(read) = read else { return TriggerState { is_resource: true, ..TriggerState::default() } };
    TriggerState {
        is_resource: false,
        is_active: read.sample.as_ref().is_ok_and(|sample| sample.is_active),
        is_fallback: matches!(read.served, Served::Fallback(_)),
        is_error: matches!(read.served, Served::Failed(_)),
    }
}

fn reason_word(verdict: &Verdict) -> &'static str {
    match (verdict.ready, verdict.active) {
        (Condition::Unknown, _) => "PartialTriggerError",
        (Condition::False, _) => "TriggerError",
        (_, Some(ActiveReason::ScalerActive)) => "ScalerActive",
        (_, Some(ActiveReason::ScalerCooldown)) => "ScalerCooldown",
        (_, Some(ActiveReason::ScalerNotActive)) => "ScalerNotActive",
        (_, None) => "Paused",
    }
}

fn compared(value: f64, is_active: bool, what: &str, threshold: f64) -> String {
    let (word, sign) = if is_active { ("active", "above") } else { ("inactive", "not above") };
    format!("{word}: {value} is {sign} the {what} {threshold}")
}

/// Pods that run and are ready; those being deleted still count.
fn ready_pods(seen: &Observation<'_>) -> u32 {
    seen.pods.iter().filter(|pod| pod.phase == PodPhase::Running && pod.ready == Ready::True).count() as u32
}

fn external_name(metric: &MetricSpec) -> Option<&str> {
    match metric {
        MetricSpec::External { name, .. } => Some(name),
        _ => None,
    }
}
