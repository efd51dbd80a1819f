//! GKE's Custom Metrics Stackdriver Adapter: Cloud Monitoring behind `custom.metrics` and `external.metrics`.
//!
//! Follows k8s-stackdriver 673c7dd with `--use-new-resource-model`. A metric's name says everything: which series, and how its values are
//! aligned. There is no list and no relist; the one delay is that of Cloud Monitoring. It knows neither Kubernetes objects nor who asks.

mod name;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use name::{GkeMetric, GkeNameError, SeriesKind};

use crate::adapter::{ExternalValues, ObjectValues, Requirement, SelectorOperator};
use crate::labels::Labels;
use crate::matcher::Matcher;
use crate::query::SampleAges;
use crate::storage::{Place, Sample, Storage};

/// Cloud Monitoring is asked about the last five minutes.
const WINDOW_MS: i64 = 300_000;
/// Rates are aligned to the minute before the end of the window.
const ALIGNMENT_MS: i64 = 60_000;
/// GKE's own system metrics are sampled every minute and visible up to this much later.
const SYSTEM_DELAY_MS: i64 = 210_000;

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GkeError {
    /// A selector key that the adapter does not translate.
    #[error("selector key {key:?} is none that GKE's adapter takes here: {allowed}")]
    SelectorKey {
        /// As written.
        key: String,
        /// The forms there are.
        allowed: &'static str,
    },
    /// A selector value that is no pattern.
    #[error("invalid regular expression {pattern:?}: {reason}")]
    Pattern {
        /// As written.
        pattern: String,
        /// What the compiler said.
        reason: String,
    },
    /// A value that has no whole number of thousandths.
    #[error("metric {metric} has the value {value}")]
    NotANumber {
        /// The series.
        metric: String,
        /// As text.
        value: String,
    },
}

/// What to look up.
#[derive(Clone, Copy, Debug)]
pub struct GkeRequest<'a> {
    /// The metric.
    pub metric: &'a GkeMetric,
    /// The metric selector.
    pub selector: &'a [Requirement],
}

/// The adapter. It remembers nothing between requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GkeAdapter {
    /// How much later than its scrape a sample is visible, in milliseconds.
    pub delay_ms: i64,
}

impl GkeAdapter {
    /// A metric of several pods of a namespace (HPA type Pods): all series of a pod added up. Pods without data are left out.
    pub fn pods_metric<N: AsRef<str>>(
        self,
        storage: &Storage,
        now_ms: i64,
        request: GkeRequest<'_>,
        pods: (&str, &[N]),
    ) -> Result<ObjectValues, GkeError> {
        let matchers = matchers(request.selector, &["metric.labels."])?;
        let (namespace, names) = pods;
        let mut ages = Ages::default();
        let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
        for (labels, place) in storage.all_series(Some(request.metric.series())) {
            let is_ours =
                labels.get("namespace") == namespace && matchers.iter().all(|matcher| matcher.is_match(labels));
            let pod = labels.get("pod");
            if !is_ours || !names.iter().any(|name| name.as_ref() == pod) {
                continue;
            }
            if let Some(found) = self.value(storage, place, request.metric, now_ms) {
                ages.add(found.t_ms);
                *sums.entry(pod).or_default() += found.value;
            }
        }
        let mut values = Vec::with_capacity(names.len());
        for name in names {
            if let Some(sum) = sums.get(name.as_ref()) {
                values.push((name.as_ref().to_owned(), thousandths(request.metric.series(), *sum)?));
            }
        }
        Ok(ObjectValues { values, t_ms: now_ms, ages: ages.0 })
    }

    /// An external metric: one item per series of the whole project. An empty list is an error to the autoscaler.
    pub fn external_metric(
        self,
        storage: &Storage,
        now_ms: i64,
        request: GkeRequest<'_>,
    ) -> Result<ExternalValues, GkeError> {
        let matchers = matchers(request.selector, &["metric.labels.", "resource.labels."])?;
        let mut ages = Ages::default();
        let mut values = Vec::new();
        for (labels, place) in storage.all_series(Some(request.metric.series())) {
            let seen = request.metric.as_monitored(labels);
            if !matchers.iter().all(|matcher| matcher.is_match(&seen)) {
                continue;
            }
            if let Some(found) = self.value(storage, place, request.metric, now_ms) {
                ages.add(found.t_ms);
                values.push((seen.without_name(), thousandths(request.metric.series(), found.value)?));
            }
        }
        Ok(ExternalValues { values, t_ms: now_ms, ages: ages.0 })
    }

    /// How far before the present samples can matter, in milliseconds.
    pub fn lookbehind_ms(self) -> i64 {
        self.delay_ms.max(SYSTEM_DELAY_MS + ALIGNMENT_MS) + WINDOW_MS + ALIGNMENT_MS
    }

    fn value(self, storage: &Storage, place: Place, metric: &GkeMetric, now_ms: i64) -> Option<Sample> {
        let visible_ms = now_ms - self.delay_ms;
        match metric {
            GkeMetric::Prometheus { kind, .. } if kind.is_cumulative() => rate(storage, place, visible_ms),
            GkeMetric::Prometheus { .. } => newest(storage, place, visible_ms),
            GkeMetric::DutyCycle => {
                let sampled_ms = (now_ms - SYSTEM_DELAY_MS).div_euclid(ALIGNMENT_MS) * ALIGNMENT_MS;
                newest(storage, place, sampled_ms)
            }
            // GKE's own agent asks the pod's endpoint.
            GkeMetric::Autoscaling { .. } => newest(storage, place, now_ms),
        }
    }
}

/// The newest sample of the last five minutes. Cloud Monitoring keeps points only: no staleness marker ends a series early.
fn newest(storage: &Storage, place: Place, end_ms: i64) -> Option<Sample> {
    let mut samples = Vec::new();
    storage.samples(place, end_ms - WINDOW_MS, end_ms, &mut samples);
    samples.pop()
}

/// The newest per-second rate of the last five minutes: the increase within one minute, over that minute. The minutes end at `end_ms`,
/// `end_ms` less one minute and so on.
fn rate(storage: &Storage, place: Place, end_ms: i64) -> Option<Sample> {
    let mut samples = Vec::new();
    storage.samples(place, end_ms - WINDOW_MS - ALIGNMENT_MS, end_ms, &mut samples);
    let minutes = (0..WINDOW_MS / ALIGNMENT_MS).map(|back| end_ms - back * ALIGNMENT_MS);
    minutes.into_iter().find_map(|end_ms| rate_within(&samples, end_ms - ALIGNMENT_MS, end_ms))
}

/// The increase in `(start_ms, end_ms]`, linear at the left edge, a fall taken as a restart from zero. None if it has no two samples to
/// be made of.
fn rate_within(samples: &[Sample], start_ms: i64, end_ms: i64) -> Option<Sample> {
    let first = samples.partition_point(|sample| sample.t_ms <= start_ms);
    let after = samples.partition_point(|sample| sample.t_ms <= end_ms);
    let inside = &samples[first..after];
    let last = *inside.last()?;
    let growth = |one: f64, next: f64| if next < one { next } else { next - one };
    let across = first.checked_sub(1).map(|before| {
        let (before, next) = (samples[before], inside[0]);
        let share = (next.t_ms - start_ms) as f64 / (next.t_ms - before.t_ms) as f64;
        growth(before.value, next.value) * share
    });
    if across.is_none() && inside.len() < 2 {
        return None;
    }
    let within: f64 = inside.windows(2).map(|pair| growth(pair[0].value, pair[1].value)).sum();
    let per_second = (across.unwrap_or(0.0) + within) / (ALIGNMENT_MS as f64 / 1_000.0);
    Some(Sample { t_ms: last.t_ms, value: per_second })
}

#[derive(Default)]
struct Ages(SampleAges);

impl Ages {
    fn add(&mut self, t_ms: i64) {
        self.0.newest_ms = Some(self.0.newest_ms.map_or(t_ms, |newest| newest.max(t_ms)));
        self.0.stalest_ms = Some(self.0.stalest_ms.map_or(t_ms, |stalest| stalest.min(t_ms)));
    }
}

/// The selector's conditions on labels. `prefixes` are the parts of a time series it may look at.
fn matchers(selector: &[Requirement], prefixes: &[&str]) -> Result<Vec<Matcher>, GkeError> {
    let mut all = Vec::with_capacity(selector.len());
    for requirement in selector {
        if requirement.key == "resource.type" {
            continue;
        }
        let label = prefixes.iter().find_map(|prefix| requirement.key.strip_prefix(prefix));
        let Some(label) = label else {
            let allowed = if prefixes.len() > 1 {
                "metric.labels.NAME, resource.labels.NAME and resource.type"
            } else {
                "metric.labels.NAME"
            };
            return Err(GkeError::SelectorKey { key: requirement.key.clone(), allowed });
        };
        all.push(matcher(label, requirement)?);
    }
    Ok(all)
}

fn matcher(label: &str, requirement: &Requirement) -> Result<Matcher, GkeError> {
    let one_of = || {
        let escaped: Vec<String> = requirement.values.iter().map(|value| regex::escape(value)).collect();
        Matcher::pattern(label, &escaped.join("|"))
            .map_err(|error| GkeError::Pattern { pattern: error.pattern, reason: error.reason })
    };
    Ok(match requirement.operator {
        SelectorOperator::Equals | SelectorOperator::In => one_of()?,
        SelectorOperator::NotEquals | SelectorOperator::NotIn => one_of()?.negated(),
        SelectorOperator::Exists => Matcher::equal(label, "").negated(),
        SelectorOperator::DoesNotExist => Matcher::equal(label, ""),
    })
}

/// Checks a selector before the first request.
pub fn check_selector(selector: &[Requirement], is_external: bool) -> Result<(), GkeError> {
    let prefixes: &[&str] = if is_external { &["metric.labels.", "resource.labels."] } else { &["metric.labels."] };
    matchers(selector, prefixes).map(drop)
}

fn thousandths(metric: &str, value: f64) -> Result<i64, GkeError> {
    if value.is_finite() {
        return Ok((value * 1000.0).trunc() as i64);
    }
    Err(GkeError::NotANumber { metric: metric.to_owned(), value: value.to_string() })
}

impl GkeMetric {
    /// The labels of a series as Cloud Monitoring has them: GKE's system metrics have names of their own.
    fn as_monitored(&self, labels: &Labels) -> Labels {
        let Self::DutyCycle = self else { return labels.clone() };
        let of_holder = |name: &str| {
            let exported = labels.get(&format!("exported_{name}"));
            if exported.is_empty() { labels.get(name) } else { exported }.to_owned()
        };
        Labels::new([
            ("pod_name", of_holder("pod")),
            ("namespace_name", of_holder("namespace")),
            ("container_name", of_holder("container")),
            ("accelerator_id", labels.get("UUID").to_owned()),
            ("make", "nvidia".to_owned()),
            ("model", labels.get("modelName").to_owned()),
        ])
    }
}
