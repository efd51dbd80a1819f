//! Scalers: how a trigger turns the answers to its queries into a value and an activity.

pub mod cron;
mod fed;
mod kinds;
pub mod prometheus;
mod resource;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use cron::{CronMetadata, CronWindow};
pub use fed::{Fed, FeedNote};
pub use prometheus::PrometheusMetadata;
pub use resource::ResourceMetadata;

use super::{MetricType, Release, Trigger};
use crate::{MetricError, MetricOutcome, MetricQuery, MetricReading};

/// One metric of a trigger with its metadata understood.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "an object has a handful of them")]
pub enum Scaler {
    /// `prometheus`.
    Prometheus(PrometheusMetadata),
    /// `cron`.
    Cron(CronWindow),
    /// Every type whose source lies outside the cluster: fed by figures of the simulation.
    Fed(Fed),
    /// `cpu`, `memory`.
    Resource(ResourceMetadata),
}

/// What is wrong with a trigger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A key of its metadata is missing.
    #[error("metadata.{keys} is missing")]
    MissingKey {
        /// The key, or the keys of which one is needed.
        keys: String,
    },
    /// Its type has no signal of its own and the scenario names none.
    #[error("what it measures lies outside the cluster and no signal stands for it")]
    NeedsFeed,
    /// Its type is known neither here nor fed by the scenario.
    #[error("trigger type is not known, and no signal stands for what it measures")]
    UnknownType,
    /// `metadata.scalelabSignal` names no signal.
    #[error("metadata.scalelabSignal: there is no signal `{found}`")]
    UnknownSignal {
        /// What was found.
        found: String,
    },
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

/// Every trigger type the model reads.
pub fn known_types() -> impl Iterator<Item = &'static str> {
    ["prometheus", "cron", "cpu", "memory"].into_iter().chain(kinds::names().filter(|name| *name != "prometheus"))
}

/// The metadata keys KEDA reads of a trigger type, those without effect here included; `None` for a type not known.
pub fn known_keys(kind: &str) -> Option<Vec<&'static str>> {
    Some(match kind {
        "prometheus" => PrometheusMetadata::KEYS.to_vec(),
        "cron" => CronMetadata::KEYS.to_vec(),
        "cpu" | "memory" => ResourceMetadata::KEYS.to_vec(),
        other => kinds::named(other)?.keys().chain(["scalelabSignal"]).collect(),
    })
}

/// One metric read, before any fallback.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The value as the source gave it; activity looks at this one.
    pub value: f64,
    /// True if it is above the activation threshold.
    pub is_active: bool,
}

impl Scaler {
    /// Understands `trigger` as `release` does: one scaler per metric it emits.
    pub fn all_of(trigger: &Trigger, release: Release) -> Result<Vec<Self>, Fault> {
        if !trigger.is_resource() && trigger.metric_type == Some(MetricType::Utilization) {
            let what = "metricType Utilization is for cpu and memory; allowed are AverageValue and Value";
            return Err(Fault::Other(what.to_owned()));
        }
        let one = |scaler: Result<Self, String>| scaler.map(|scaler| vec![scaler]).map_err(Fault::of);
        match trigger.kind.as_str() {
            "prometheus" if trigger.feeds.is_empty() => {
                one(PrometheusMetadata::parse(&trigger.metadata).map(Self::Prometheus))
            }
            "cron" => one(CronMetadata::parse(&trigger.metadata).and_then(CronWindow::new).map(Self::Cron)),
            "cpu" | "memory" => one(ResourceMetadata::parse(trigger, release).map(Self::Resource)),
            _ => Ok(Fed::all_of(trigger, release)?.into_iter().map(Self::Fed).collect()),
        }
    }

    /// What must be asked for a read; cron needs nothing but the time, cpu and memory are the HPA's own business.
    pub fn queries(&self) -> Vec<MetricQuery> {
        match self {
            Self::Prometheus(metadata) => vec![MetricQuery::PromQl { expression: metadata.query.clone() }],
            Self::Fed(fed) => fed.queries(),
            Self::Cron(_) | Self::Resource(_) => Vec::new(),
        }
    }

    /// How it is fed, if it is.
    pub fn feed_note(&self) -> Option<FeedNote> {
        match self {
            Self::Fed(fed) => Some(fed.note()),
            _ => None,
        }
    }

    /// True if its source pushes: activity wakes the target at once.
    pub fn is_push(&self) -> bool {
        matches!(self, Self::Fed(fed) if fed.is_push())
    }

    /// Name of the external metric of trigger number `index`; empty for cpu and memory.
    pub fn metric_name(&self, index: usize) -> String {
        match self {
            Self::Prometheus(_) => format!("s{index}-prometheus"),
            Self::Cron(window) => window.metadata().metric_name(index),
            Self::Fed(fed) => fed.metric_name(index),
            Self::Resource(_) => String::new(),
        }
    }

    /// Target of the external metric in plain units; 0 for cpu and memory.
    pub fn threshold(&self) -> f64 {
        match self {
            Self::Prometheus(metadata) => metadata.threshold,
            Self::Cron(_) => 1.0,
            Self::Fed(fed) => fed.target(),
            Self::Resource(_) => 0.0,
        }
    }

    /// The value above which the trigger is active, in plain units.
    pub fn activation_threshold(&self) -> f64 {
        match self {
            Self::Prometheus(metadata) => metadata.activation_threshold,
            Self::Fed(fed) => fed.activation(),
            Self::Cron(_) | Self::Resource(_) => 0.0,
        }
    }

    /// Reads the metric from `answers` (to [`Scaler::queries`]) at `unix_s`. The same answers always give the same result, so KEDA's
    /// second try within a poll changes nothing here.
    pub fn read(&mut self, unix_s: i64, answers: &[Result<MetricReading, MetricError>]) -> Result<Sample, String> {
        match self {
            Self::Cron(window) => {
                let is_active = window.is_active(unix_s);
                let value = if is_active { window.metadata().desired_replicas as f64 } else { 0.0 };
                Ok(Sample { value, is_active })
            }
            Self::Prometheus(metadata) => match answers.first() {
                Some(Ok(MetricReading::Vector(values))) => {
                    metadata.value_of(values).map(|value| Sample { value, is_active: metadata.is_active(value) })
                }
                Some(Ok(MetricReading::Scalar(_))) => {
                    let what = "the answer is a scalar, which the prometheus scaler cannot decode; wrap it in vector()";
                    Err(what.to_owned())
                }
                Some(Ok(other)) => Err(format!("the answer is of the wrong kind: {other:?}")),
                Some(Err(error)) => Err(error.message.clone()),
                None => Err("no answer".to_owned()),
            },
            Self::Fed(fed) => fed.read(answers),
            Self::Resource(_) => Err("cpu and memory are read by the HPA, not by KEDA".to_owned()),
        }
    }

    /// What became of a read, as far as `answers` show it; `has_value` says whether it gave a sample.
    pub fn outcome(&self, answers: &[Result<MetricReading, MetricError>], has_value: bool) -> MetricOutcome {
        let mut vectors = answers.iter().filter_map(|answer| match answer {
            Ok(MetricReading::Vector(values)) => Some(values.as_slice()),
            _ => None,
        });
        match vectors.find(|values| values.is_empty() || !values[0].is_finite()) {
            Some([]) => MetricOutcome::Empty { as_zero: has_value },
            Some([_]) => MetricOutcome::NotANumber { as_zero: has_value },
            _ if has_value => MetricOutcome::Read,
            _ => MetricOutcome::Failed,
        }
    }
}

impl Fault {
    /// From the words of a scaler's own reader.
    #[allow(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
    fn of(message: String) -> Self {
        let missing = message.strip_prefix("metadata.").and_then(|rest| rest.strip_suffix(" is missing"));
        missing.map_or(Self::Other(message.clone()), |keys| Self::MissingKey { keys: keys.to_owned() })
    }
}

/// Trigger metadata, read the way KEDA's typed configuration does: an empty value is as good as none.
#[derive(Clone, Copy)]
pub(super) struct Metadata<'a>(pub(super) &'a BTreeMap<String, String>);

impl<'a> Metadata<'a> {
    pub(super) fn text(self, key: &str) -> Option<&'a str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn required(self, key: &str) -> Result<&'a str, String> {
        self.text(key).ok_or_else(|| format!("metadata.{key} is missing"))
    }

    pub(super) fn number(self, key: &str) -> Result<Option<f64>, String> {
        let Some(found) = self.text(key) else { return Ok(None) };
        found.parse().map(Some).map_err(|_| format!("metadata.{key}: `{found}` is not a number"))
    }

    pub(super) fn required_number(self, key: &str) -> Result<f64, String> {
        self.required(key)?;
        self.number(key)?.ok_or_else(|| format!("metadata.{key} is missing"))
    }
}

/// Makes a text fit to be a metric name.
pub(super) fn normalized(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '/' | '.' | ':' | '%' | '(' | ')') { '-' } else { c }).collect()
}
