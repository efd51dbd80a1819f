//! From the metrics a pass was shown to one proposal.

use std::collections::BTreeMap;

use units::{PodId, SimDuration};

use super::config::HpaConfig;
use super::defaults::{EffectiveSpec, replicas};
use super::group::{CpuReadiness, PodMetric};
use super::moment::Moment;
use super::normalize::count;
use super::ratio::Tolerances;
use super::replicas::{
    Measure, PerPod, Proposed, Share, Total, average_value_replicas, external_total, failure, per_pod_replicas,
    value_replicas,
};
use super::requests::RequestQuery;
use super::spec::{MetricSpec, MetricTarget};
use crate::{MetricError, MetricOutcome, MetricReading, Observation, PodSample, PodUsage, Proposal, Provenance};

/// All metrics of one pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// One entry per metric of the spec, for the trail.
    pub proposals: Vec<Proposal>,
    /// The largest proposal of those that succeeded.
    pub best: Option<i32>,
    /// The condition reason and message of the first metric that failed.
    pub failure: Option<(&'static str, String)>,
}

impl Evaluation {
    /// The raw wish, or `None` if the metrics fail as a whole: partial data may raise the size or keep it, never lower it.
    pub fn wish(&self, spec_replicas: i32) -> Option<i32> {
        self.best.filter(|best| self.failure.is_none() || *best >= spec_replicas)
    }
}

/// Evaluates every metric of `spec`.
pub fn evaluate(spec: &EffectiveSpec, config: &HpaConfig, seen: &Observation<'_>) -> Evaluation {
    let pass = Pass {
        config,
        seen,
        tolerances: spec.tolerances(config.tolerance, config.has_configurable_tolerance),
        spec_replicas: replicas(seen.counts.spec),
        status_replicas: replicas(seen.counts.status),
    };
    let mut answers = seen.metrics.iter().enumerate();
    let mut evaluation = Evaluation { proposals: Vec::new(), best: None, failure: None };
    for metric in &spec.metrics {
        let (answer, provenance) = if let MetricSpec::Unknown { kind } = metric {
            (Err(failure(&format!("unknown metric source type {kind:?}"))), Provenance::default())
        } else {
            let (index, answer) = answers.next().expect("one answer per query, and one query per known metric");
            (answer.as_ref().map_err(Clone::clone), seen.provenance_of(index))
        };
        let outcome = outcome(answer.as_ref().ok().copied(), provenance);
        let proposed = answer.and_then(|reading| pass.propose(metric, reading));
        match &proposed {
            Ok(proposed) => {
                let best = evaluation.best.map_or(proposed.replicas, |best| best.max(proposed.replicas));
                evaluation.best = Some(best);
            }
            Err(error) => {
                evaluation.failure.get_or_insert_with(|| (failure_reason(metric), error.message.clone()));
            }
        }
        evaluation.proposals.push(pass.explain(metric, proposed, Provenance { outcome: Some(outcome), ..provenance }));
    }
    evaluation
}

/// What became of a metric: what its source says, else what the answer shows.
fn outcome(answer: Option<&MetricReading>, provenance: Provenance) -> MetricOutcome {
    provenance.outcome.unwrap_or_else(|| {
        let is_empty = match answer {
            None => return MetricOutcome::Failed,
            Some(MetricReading::Resource(usages)) => usages.is_empty(),
            Some(MetricReading::Pods(samples)) => samples.is_empty(),
            Some(MetricReading::External(values)) => values.is_empty(),
            Some(_) => false,
        };
        if is_empty { MetricOutcome::Empty { as_zero: false } } else { MetricOutcome::Read }
    })
}

/// The trail of a pass that did not get as far as asking for its metrics.
pub(super) fn skipped(spec: &EffectiveSpec, why: &str) -> Vec<Proposal> {
    let proposal = |metric: &MetricSpec| {
        let (metric, target) = name_and_target(metric);
        let (note, outcome) = (format!("not read: {why}"), MetricOutcome::Skipped);
        Proposal { metric, value: None, target, ratio: None, replicas: None, note, age: None, outcome }
    };
    spec.metrics.iter().map(proposal).collect()
}

/// The reason of ScalingActive when a metric of this type fails.
fn failure_reason(metric: &MetricSpec) -> &'static str {
    match metric {
        MetricSpec::Resource { .. } => "FailedGetResourceMetric",
        MetricSpec::ContainerResource { .. } => "FailedGetContainerResourceMetric",
        MetricSpec::Pods { .. } => "FailedGetPodsMetric",
        MetricSpec::Object { .. } => "FailedGetObjectMetric",
        MetricSpec::External { .. } => "FailedGetExternalMetric",
        MetricSpec::Unknown { .. } => "InvalidMetricSourceType",
    }
}

struct Pass<'a> {
    config: &'a HpaConfig,
    seen: &'a Observation<'a>,
    tolerances: Tolerances,
    spec_replicas: i32,
    status_replicas: i32,
}

impl Pass<'_> {
    fn propose(&self, metric: &MetricSpec, reading: &MetricReading) -> Result<Proposed, MetricError> {
        match (metric, reading) {
            (MetricSpec::Resource { name, target }, MetricReading::Resource(usages)) => {
                self.resource(RequestQuery { resource: name, container: None, has_pod_level: false }, *target, usages)
            }
            (MetricSpec::ContainerResource { name, container, target }, MetricReading::Resource(usages)) => {
                let query = RequestQuery { resource: name, container: Some(container), has_pod_level: false };
                self.resource(query, *target, usages)
            }
            (MetricSpec::Pods { target, .. }, MetricReading::Pods(samples)) => self.pods(*target, samples),
            (MetricSpec::Object { target, .. }, MetricReading::Object(usage_m)) => self.total(*target, *usage_m),
            (MetricSpec::External { target, .. }, MetricReading::External(values_m)) => {
                self.total(*target, external_total(values_m)?)
            }
            (metric, reading) => panic!("a metric must be answered in its own form: {metric:?} by {reading:?}"),
        }
    }

    fn resource(
        &self,
        query: RequestQuery<'_>,
        target: MetricTarget,
        usages: &[PodUsage],
    ) -> Result<Proposed, MetricError> {
        let metrics = resource_metrics(usages, query.container);
        let cpu = (query.resource == "cpu").then(|| CpuReadiness {
            now: self.now(),
            initialization_period: self.config.cpu_initialization_period,
            initial_readiness_delay: self.config.initial_readiness_delay,
        });
        let per_pod = self.per_pod(&metrics, cpu);
        match target {
            MetricTarget::Utilization(target_percent) => {
                let query = RequestQuery { has_pod_level: self.config.has_pod_level_resources, ..query };
                let requests_m = self.config.requests.of(self.seen.pods, query)?;
                per_pod_replicas(&per_pod, &Measure::Utilization { requests_m: &requests_m, target_percent })
            }
            MetricTarget::AverageValue(target_m) => per_pod_replicas(&per_pod, &Measure::Plain { target_m }),
            MetricTarget::Value(_) => {
                Err(failure("invalid resource metric source: neither averageUtilization nor averageValue is set"))
            }
        }
    }

    fn pods(&self, target: MetricTarget, samples: &[PodSample]) -> Result<Proposed, MetricError> {
        let MetricTarget::AverageValue(target_m) = target else {
            return Err(failure("invalid pods metric source: averageValue is not set"));
        };
        let metric = |sample: &PodSample| PodMetric {
            value_m: sample.value_m,
            at: Moment::from_nanos(sample.timestamp_ns),
            window: SimDuration::ZERO,
        };
        let metrics = samples.iter().map(|sample| (sample.pod, metric(sample))).collect();
        per_pod_replicas(&self.per_pod(&metrics, None), &Measure::Plain { target_m })
    }

    fn total(&self, target: MetricTarget, usage_m: i64) -> Result<Proposed, MetricError> {
        let tolerances = self.tolerances;
        match target {
            MetricTarget::Value(target_m) => {
                let pods = self.seen.pods;
                value_replicas(&Total { usage_m, target_m, pods, spec_replicas: self.spec_replicas, tolerances })
            }
            MetricTarget::AverageValue(target_m) => {
                let status_replicas = self.status_replicas;
                Ok(average_value_replicas(&Share { usage_m, target_m, status_replicas, tolerances }))
            }
            MetricTarget::Utilization(_) => {
                Err(failure("invalid metric source: neither value nor averageValue is set"))
            }
        }
    }

    fn per_pod<'a>(&'a self, metrics: &'a BTreeMap<PodId, PodMetric>, cpu: Option<CpuReadiness>) -> PerPod<'a> {
        PerPod { pods: self.seen.pods, metrics, cpu, spec_replicas: self.spec_replicas, tolerances: self.tolerances }
    }

    fn now(&self) -> Moment {
        Moment::from(self.seen.now)
    }

    fn explain(
        &self,
        metric: &MetricSpec,
        proposed: Result<Proposed, MetricError>,
        provenance: Provenance,
    ) -> Proposal {
        let (metric, target) = name_and_target(metric);
        let read = provenance.outcome.unwrap_or(MetricOutcome::Failed);
        match proposed {
            Ok(proposed) => Proposal {
                metric,
                value: Some(proposed.utilization_percent.map_or(plain(proposed.usage_m), f64::from)),
                target,
                ratio: Some(proposed.ratio),
                replicas: Some(count(proposed.replicas)),
                note: proposed.note,
                age: proposed.oldest.map(|oldest| self.now().since(oldest)).or(provenance.age),
                outcome: read,
            },
            Err(error) => {
                // A metric that was answered and yet gave no proposal failed all the same, as one without a request does.
                let outcome = if read.has_value() { MetricOutcome::Failed } else { read };
                let note = error.message;
                Proposal {
                    metric,
                    value: None,
                    target,
                    ratio: None,
                    replicas: None,
                    note,
                    age: provenance.age,
                    outcome,
                }
            }
        }
    }
}

/// What the resource metrics API gives for each pod: the sum over its containers if each of them has the resource, or the one container's.
pub fn resource_metrics(usages: &[PodUsage], container: Option<&str>) -> BTreeMap<PodId, PodMetric> {
    let value = |usage: &PodUsage| match container {
        Some(name) => usage.containers.iter().find(|container| container.name == name).map(|found| found.usage_m),
        None if usage.containers.is_empty() || usage.containers.len() < usage.containers_listed => None,
        None => Some(usage.containers.iter().fold(0_i64, |sum, container| sum.saturating_add(container.usage_m))),
    };
    let metric = |usage: &PodUsage| {
        let at = Moment::from_nanos(usage.timestamp_ns);
        Some((usage.pod, PodMetric { value_m: value(usage)?, at, window: usage.window }))
    };
    usages.iter().filter_map(metric).collect()
}

fn name_and_target(metric: &MetricSpec) -> (String, f64) {
    let (name, target) = match metric {
        MetricSpec::Resource { name, target }
        | MetricSpec::Pods { name, target, .. }
        | MetricSpec::External { name, target, .. } => (name.clone(), target),
        MetricSpec::ContainerResource { name, container, target } => {
            (format!("{name} of container {container}"), target)
        }
        MetricSpec::Object { name, kind, object, target, .. } => (format!("{name} of {kind} {object}"), target),
        MetricSpec::Unknown { kind } => return (kind.clone(), f64::NAN),
    };
    match *target {
        MetricTarget::Utilization(percent) => (name, f64::from(percent)),
        MetricTarget::AverageValue(target_m) | MetricTarget::Value(target_m) => (name, plain(target_m)),
    }
}

fn plain(value_m: i64) -> f64 {
    value_m as f64 / 1000.0
}
