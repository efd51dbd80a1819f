//! Scalers: how a trigger turns the answer to its query into a value and an activity.

pub mod cron;
pub mod prometheus;
mod resource;
mod signal;

use std::collections::BTreeMap;

pub use cron::{CronMetadata, CronWindow};
pub use prometheus::PrometheusMetadata;
pub use resource::ResourceMetadata;
pub use signal::SignalMetadata;

use super::{MetricType, Trigger};
use crate::{MetricError, MetricOutcome, MetricQuery, MetricReading};

/// Trigger types the model knows.
pub const MODELLED: [&str; 7] = ["cpu", "memory", "prometheus", "cron", "metrics-api", "external", "external-push"];

/// A trigger with its metadata understood.
#[derive(Clone, Debug)]
pub enum Scaler {
    /// `prometheus`.
    Prometheus(PrometheusMetadata),
    /// `cron`.
    Cron(CronWindow),
    /// `metrics-api`, `external`, `external-push`: fed by a signal the simulator names.
    Signal(SignalMetadata),
    /// `cpu`, `memory`.
    Resource(ResourceMetadata),
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
    /// Understands `trigger`; the text of the error names what is wrong with it.
    pub fn of(trigger: &Trigger) -> Result<Self, String> {
        let metadata = Metadata(&trigger.metadata);
        if !trigger.is_resource() && trigger.metric_type == Some(MetricType::Utilization) {
            return Err("metricType Utilization is for cpu and memory; allowed are AverageValue and Value".to_owned());
        }
        match trigger.kind.as_str() {
            "prometheus" => PrometheusMetadata::parse(&trigger.metadata).map(Self::Prometheus),
            "cron" => CronMetadata::parse(&trigger.metadata).and_then(CronWindow::new).map(Self::Cron),
            "metrics-api" | "external" | "external-push" => {
                SignalMetadata::parse(&trigger.kind, metadata).map(Self::Signal)
            }
            "cpu" | "memory" => ResourceMetadata::parse(trigger).map(Self::Resource),
            other => Err(format!("trigger type `{other}` is not modelled; modelled are: {}", MODELLED.join(", "))),
        }
    }

    /// What must be asked for a read; cron needs nothing but the time, cpu and memory are the HPA's own business.
    pub fn query(&self) -> Option<MetricQuery> {
        match self {
            Self::Prometheus(metadata) => Some(MetricQuery::PromQl { expression: metadata.query.clone() }),
            Self::Signal(metadata) => Some(MetricQuery::Signal { name: metadata.signal.clone() }),
            Self::Cron(_) | Self::Resource(_) => None,
        }
    }

    /// Name of the external metric of trigger number `index`; empty for cpu and memory.
    pub fn metric_name(&self, index: usize) -> String {
        match self {
            Self::Prometheus(_) => format!("s{index}-prometheus"),
            Self::Cron(window) => window.metadata().metric_name(index),
            Self::Signal(metadata) => metadata.metric_name(index),
            Self::Resource(_) => String::new(),
        }
    }

    /// Target of the external metric in plain units; 0 for cpu and memory.
    pub fn threshold(&self) -> f64 {
        match self {
            Self::Prometheus(metadata) => metadata.threshold,
            Self::Cron(_) => 1.0,
            Self::Signal(metadata) => metadata.target,
            Self::Resource(_) => 0.0,
        }
    }

    /// The value above which the trigger is active, in plain units.
    pub fn activation_threshold(&self) -> f64 {
        match self {
            Self::Prometheus(metadata) => metadata.activation_threshold,
            Self::Signal(metadata) => metadata.activation_target,
            Self::Cron(_) | Self::Resource(_) => 0.0,
        }
    }

    /// Reads the metric from `answer` (to [`Scaler::query`]) at `unix_s`. The same answer always gives the same result, so KEDA's
    /// second try within a poll changes nothing here.
    pub fn read(&mut self, unix_s: i64, answer: Option<&Result<MetricReading, MetricError>>) -> Result<Sample, String> {
        let answer = match answer {
            None => None,
            Some(Ok(reading)) => Some(reading),
            Some(Err(error)) => return Err(error.message.clone()),
        };
        match (self, answer) {
            (Self::Cron(window), _) => {
                let is_active = window.is_active(unix_s);
                let value = if is_active { window.metadata().desired_replicas as f64 } else { 0.0 };
                Ok(Sample { value, is_active })
            }
            (Self::Prometheus(metadata), Some(MetricReading::Vector(values))) => {
                metadata.value_of(values).map(|value| Sample { value, is_active: metadata.is_active(value) })
            }
            (Self::Prometheus(_), Some(MetricReading::Scalar(_))) => {
                Err("the answer is a scalar, which the prometheus scaler cannot decode; wrap it in vector()".to_owned())
            }
            (Self::Signal(metadata), Some(MetricReading::Signal(value))) => {
                Ok(Sample { value: *value, is_active: *value > metadata.activation_target })
            }
            (Self::Resource(_), _) => Err("cpu and memory are read by the HPA, not by KEDA".to_owned()),
            (_, Some(other)) => Err(format!("the answer is of the wrong kind: {other:?}")),
            (_, None) => Err("no answer".to_owned()),
        }
    }
}

impl Scaler {
    /// What became of a read, as far as `answer` shows it; `has_value` says whether it gave a sample.
    pub fn outcome(&self, answer: Option<&Result<MetricReading, MetricError>>, has_value: bool) -> MetricOutcome {
        match answer {
            Some(Ok(MetricReading::Vector(values))) if values.is_empty() => MetricOutcome::Empty { as_zero: has_value },
            Some(Ok(MetricReading::Vector(values))) if values.len() == 1 && !values[0].is_finite() => {
                MetricOutcome::NotANumber { as_zero: has_value }
            }
            _ if has_value => MetricOutcome::Read,
            _ => MetricOutcome::Failed,
        }
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
