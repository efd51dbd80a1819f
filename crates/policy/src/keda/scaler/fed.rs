//! Triggers whose source lies outside the cluster, fed by figures of the simulation: kafka, aws-sqs-queue, rabbitmq, metrics-api, …
//!
//! [`super::kinds`] knows their keys; here is what each makes of the figures it is given. Arithmetic follows `pkg/scalers` of
//! kedacore/keda (August 2026).

use units::SimDuration;

use super::kinds::{self, Amount, Kind};
use super::rules::{self, Rule, Shape};
use super::{Fault, Metadata, Sample, normalized};
use crate::keda::{Feed, FeedSource, Release, Trigger};
use crate::{MetricError, MetricQuery, MetricReading, Signal, SignalQuery};

/// One metric of a fed trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct Fed {
    /// The metric name without its index.
    name: String,
    target: f64,
    activation: f64,
    inputs: Vec<Input>,
    rule: Rule,
    /// What the value is where the source answers nothing; else that is an error.
    missing: Option<f64>,
    is_push: bool,
    /// The feed is the type's own, nobody named it.
    is_assumed: bool,
    remarks: Vec<String>,
}

/// One figure: asked for, or given.
#[derive(Clone, Debug, PartialEq)]
struct Input {
    query: Option<MetricQuery>,
    constant: f64,
    factor: f64,
}

/// What a manifest's author should know of how a trigger is fed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedNote {
    /// The signal, where the type's default was taken.
    pub assumed: Option<SignalQuery>,
    /// The signal is the length of a queue that holds nothing where requests are pushed to replicas.
    pub counts_queue: bool,
    /// Everything else.
    pub remarks: Vec<String>,
}

impl Fed {
    /// The metrics of `trigger`: one, or one for each target where its scaler gives several.
    pub(super) fn all_of(trigger: &Trigger, release: Release) -> Result<Vec<Self>, Fault> {
        if kinds::is_ci(&trigger.kind) {
            let what = "it starts jobs of a CI system, and nothing simulated here stands for those";
            return Err(Fault::Other(format!("a {} trigger cannot be fed: {what}", trigger.kind)));
        }
        let metadata = Metadata(&trigger.metadata);
        let feeds = given_feeds(trigger)?;
        let Some(kind) = kinds::named(&trigger.kind) else { return unknown_type(trigger, &feeds) };
        for keys in kind.required.split_whitespace() {
            if !keys.split('|').any(|key| metadata.text(key).is_some()) {
                return Err(Fault::MissingKey { keys: keys.replace('|', " or ") });
            }
        }
        let shapes = rules::shapes(trigger, kind, release)?;
        let given = |index: usize| feeds.get(index).or(feeds.last());
        if shapes.len() == 1 && feeds.len() > 1 {
            return feeds.iter().map(|feed| Self::new(trigger, kind, shapes[0].clone(), Some(feed))).collect();
        }
        shapes.into_iter().enumerate().map(|(index, shape)| Self::new(trigger, kind, shape, given(index))).collect()
    }

    fn new(trigger: &Trigger, kind: &Kind, shape: Shape, feed: Option<&Feed>) -> Result<Self, Fault> {
        let metadata = Metadata(&trigger.metadata);
        let target = match (shape.target, feed.and_then(|feed| feed.target)) {
            (Some(target), _) | (None, Some(target)) => target,
            (None, None) => amount(metadata, kind.target)?,
        };
        let activation = match (shape.activation, feed.and_then(|feed| feed.activation)) {
            (Some(activation), _) | (None, Some(activation)) => activation,
            (None, None) => amount(metadata, kind.activation)?,
        };
        let assumed = shape.signals.iter().map(|signal| Feed::of(FeedSource::Signal(*signal)));
        let assumed: Vec<Feed> = assumed.collect();
        let is_assumed = feed.is_none();
        let sources: Vec<&Feed> = match feed {
            // What the author names is the value itself; the other figures of the rule stay those of the service.
            Some(feed) => std::iter::once(feed).chain(assumed.iter().skip(1)).collect(),
            None if assumed.is_empty() => return Err(Fault::NeedsFeed),
            None => assumed.iter().collect(),
        };
        let mut rule = shape.rule;
        rule.set_target(target, feed.and_then(|feed| feed.partitions));
        if feed.is_some_and(|feed| feed.rounds_up) {
            rule = Rule::RoundUp;
        }
        let freshness = (shape.every.unwrap_or(kind.feed.every()), shape.delay.unwrap_or(kind.feed.delay()));
        let inputs = sources.iter().map(|source| Input::of(source, freshness, shape.over, shape.factor)).collect();
        let name = feed.and_then(|feed| feed.name.clone()).unwrap_or_else(|| shape.name.clone());
        let is_push = feed.and_then(|feed| feed.push).unwrap_or(trigger.kind == "external-push");
        let mut remarks = shape.remarks;
        remarks.extend(rule.remark());
        let missing = shape.missing;
        Ok(Self { name: normalized(&name), target, activation, inputs, rule, missing, is_push, is_assumed, remarks })
    }

    pub(super) fn metric_name(&self, index: usize) -> String {
        format!("s{index}-{}", self.name)
    }

    pub(super) fn target(&self) -> f64 {
        self.target
    }

    pub(super) fn activation(&self) -> f64 {
        self.activation
    }

    /// True if its scaler pushes: activity wakes the target at once.
    pub(super) fn is_push(&self) -> bool {
        self.is_push
    }

    pub(super) fn queries(&self) -> Vec<MetricQuery> {
        self.inputs.iter().filter_map(|input| input.query.clone()).collect()
    }

    pub(super) fn note(&self) -> FeedNote {
        let signals = || self.inputs.iter().filter_map(Input::signal);
        FeedNote {
            assumed: signals().next().filter(|_| self.is_assumed),
            counts_queue: signals().next().is_some_and(|query| query.signal.is_queue()),
            remarks: self.remarks.clone(),
        }
    }

    /// The value, from the answers to [`Fed::queries`] in their order.
    pub(super) fn read(&mut self, answers: &[Result<MetricReading, MetricError>]) -> Result<Sample, String> {
        let mut answers = answers.iter();
        let mut figures = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            let figure = match &input.query {
                None => Some(input.constant),
                Some(_) => figure_of(answers.next())?,
            };
            let Some(figure) = figure else {
                let value = self.missing.ok_or_else(|| "the source answers nothing".to_owned())?;
                return Ok(Sample { value, is_active: value > self.activation });
            };
            figures.push(figure * input.factor);
        }
        let reading = self.rule.read(&figures, self.activation);
        Ok(Sample { value: reading.value, is_active: reading.is_active })
    }
}

impl Input {
    fn of(feed: &Feed, (every, delay): (SimDuration, SimDuration), over: Option<SimDuration>, factor: f64) -> Self {
        let mut feed = feed.clone();
        feed.over = feed.over.or(over);
        let query = feed.query(every, delay);
        let (factor, constant) = match feed.source {
            FeedSource::Constant(value) => (1.0, value),
            FeedSource::Signal(Signal::Oldest) => (1.0, 0.0),
            // A statistic that adds up makes a number per period of a rate.
            FeedSource::Signal(signal) if signal.is_rate() => (feed.per_request * factor, 0.0),
            FeedSource::Signal(_) | FeedSource::PromQl(_) => (feed.per_request, 0.0),
        };
        Self { query, constant, factor }
    }

    fn signal(&self) -> Option<SignalQuery> {
        match self.query {
            Some(MetricQuery::Signal(query)) => Some(query),
            _ => None,
        }
    }
}

/// The feeds the scenario names, or the one the manifest names in the old way.
fn given_feeds(trigger: &Trigger) -> Result<Vec<Feed>, Fault> {
    match Metadata(&trigger.metadata).text("scalelabSignal") {
        Some(name) if trigger.feeds.is_empty() => {
            let signal = Signal::named(name).ok_or_else(|| Fault::UnknownSignal { found: name.to_owned() })?;
            let name = (trigger.kind != "metrics-api").then(|| name.to_owned());
            Ok(vec![Feed { name, ..Feed::of(FeedSource::Signal(signal)) }])
        }
        _ => Ok(trigger.feeds.clone()),
    }
}

/// A type KEDA may have and this table has not: it works with a feed that says its target too.
fn unknown_type(trigger: &Trigger, feeds: &[Feed]) -> Result<Vec<Fed>, Fault> {
    const ANY: Kind = Kind {
        names: "",
        required: "",
        known: "",
        target: Amount { keys: "targetValue threshold value", default: None, is_whole: false },
        activation: Amount { keys: "activationTargetValue activationThreshold", default: Some(0.0), is_whole: false },
        feed: kinds::DefaultFeed { signal: None, every_s: 0, delay_s: 0 },
    };
    if feeds.is_empty() {
        return Err(Fault::UnknownType);
    }
    let shape = Shape::plain(trigger.kind.clone(), None);
    feeds.iter().map(|feed| Fed::new(trigger, &ANY, shape.clone(), Some(feed))).collect()
}

/// A number of the metadata, as KEDA reads it.
pub(super) fn amount(metadata: Metadata<'_>, amount: Amount) -> Result<f64, Fault> {
    let written = amount.keys.split_whitespace().find_map(|key| Some((key, metadata.text(key)?)));
    match (written, amount.default) {
        (Some((key, text)), _) if amount.is_whole => {
            let whole = text.parse::<i64>();
            whole
                .map(|value| value as f64)
                .map_err(|_| Fault::Other(format!("metadata.{key}: `{text}` is not a whole number")))
        }
        (Some((key, text)), _) => {
            text.parse().map_err(|_| Fault::Other(format!("metadata.{key}: `{text}` is not a number")))
        }
        (None, Some(default)) => Ok(default),
        (None, None) => {
            Err(Fault::MissingKey { keys: amount.keys.split_whitespace().next().unwrap_or_default().to_owned() })
        }
    }
}

/// The number in an answer; `None` where the source has none.
fn figure_of(answer: Option<&Result<MetricReading, MetricError>>) -> Result<Option<f64>, String> {
    match answer {
        Some(Ok(MetricReading::Signal(value) | MetricReading::Scalar(value))) => Ok(Some(*value)),
        Some(Ok(MetricReading::Vector(values))) => match values.as_slice() {
            [] => Ok(None),
            [value] => Ok(Some(*value)),
            several => Err(format!("the query returned {} elements, one is accepted: aggregate it", several.len())),
        },
        Some(Ok(other)) => Err(format!("the answer is of the wrong kind: {other:?}")),
        Some(Err(error)) => Err(error.message.clone()),
        None => Err("no answer".to_owned()),
    }
}
