//! How long before time zero a run must begin for its metrics to be those of a service that has been running, and what arrives then.

mod made;

use std::sync::Arc;

use policy::hpa::HpaSpec;
use policy::keda::{Keda, Setting};
use policy::{MetricQuery, SignalQuery};
use promql::adapter::Adapter;
use promql::{Options, Query};
use units::SimDuration;
use workload::{RateCurve, Traffic};

use self::made::Made;
use crate::spec::{ControllerSpec, Iteration, MetricsSpec, ServiceModel, ServicePolicy, ServiceSpec, SimulationSpec};

/// Share of what the replicas of the start can serve that arrives before the run at most, unless its rate is stated: a service that
/// has been running was not falling behind all the time.
const SUSTAINABLE: f64 = 0.9;
/// Passes of an HPA that has no downscale window of its own remember this long (`--horizontal-pod-autoscaler-downscale-stabilization`).
const DOWNSCALE_WINDOW: SimDuration = SimDuration::from_secs(300);
/// What controllers remember beyond this is left out.
const REHEARSAL_MAX: SimDuration = SimDuration::from_secs(1_800);
/// The first pass seeds a memory with what it finds, which must be forgotten by time zero.
const FIRST_PASS: SimDuration = SimDuration::from_secs(30);
/// GKE's adapter looks at this much.
const GKE_WINDOW_MS: i64 = 300_000;
const MINUTE: SimDuration = SimDuration::from_secs(60);

/// What the metrics of an experiment need to have behind them at time zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needed {
    /// To fill the ranges of every query.
    pub ranges: SimDuration,
    /// To fill the memories of the controllers.
    pub memories: SimDuration,
}

impl Needed {
    /// Both, in whole minutes: rates of past minutes stay rates of minutes.
    pub fn length(self) -> SimDuration {
        MINUTE * (self.ranges + self.memories).as_nanos().div_ceil(MINUTE.as_nanos())
    }
}

/// What the policies of `spec` need; `None` if none of them reads a metric.
pub fn needed(spec: &SimulationSpec) -> Option<Needed> {
    let of_services = |policy| spec.services.iter().zip(policy);
    let each = spec.policies.iter().flat_map(|policy| of_services(&policy.services));
    let each = each.filter_map(|(service, policy)| needed_by(policy, service, &spec.metrics));
    each.reduce(|one, other| Needed {
        ranges: one.ranges.max(other.ranges),
        memories: one.memories.max(other.memories),
    })
}

fn needed_by(policy: &ServicePolicy, service: &ServiceSpec, metrics: &MetricsSpec) -> Option<Needed> {
    let mut queries = Vec::new();
    let mut memories = SimDuration::ZERO;
    for controller in &policy.controllers {
        match controller {
            ControllerSpec::Static { .. } | ControllerSpec::Recorded(_) | ControllerSpec::Predictive(_) => {}
            ControllerSpec::External { config, .. } => {
                queries.extend(config.metrics.iter().map(|(_, query)| query.clone()));
            }
            ControllerSpec::Hpa { spec, .. } => {
                queries.extend(hpa_queries(spec));
                memories = memories.max(longest_window(spec));
            }
            ControllerSpec::Keda { scaled_object, .. } => {
                let keda = Keda::new(scaled_object.clone(), Setting::starting_at(0))
                    .expect("the scenario admitted this ScaledObject");
                queries.extend(policy::ScalingPolicy::queries(&keda).iter().cloned());
                if let Some(hpa) = keda.hpa_spec() {
                    queries.extend(hpa_queries(hpa).into_iter().filter(|query| !is_external(query)));
                    memories = memories.max(longest_window(hpa));
                }
                memories = memories.max(scaled_object.cooldown_period());
            }
        }
    }
    (!queries.is_empty()).then(|| Needed {
        ranges: ranges(&queries, service, metrics),
        memories: memories.min(REHEARSAL_MAX) + FIRST_PASS,
    })
}

fn hpa_queries(spec: &HpaSpec) -> Vec<MetricQuery> {
    let hpa = policy::hpa::HorizontalPodAutoscaler::new(spec, policy::hpa::HpaConfig::default());
    policy::ScalingPolicy::queries(&hpa).to_vec()
}

fn is_external(query: &MetricQuery) -> bool {
    matches!(query, MetricQuery::External { .. })
}

fn longest_window(spec: &HpaSpec) -> SimDuration {
    let rules = spec.behavior.iter().flat_map(|behavior| [&behavior.scale_up, &behavior.scale_down]);
    let stated = rules.flatten().filter_map(|rules| rules.stabilization_window);
    stated.fold(DOWNSCALE_WINDOW, SimDuration::max)
}

/// The longest way from what happens to what a query answers: exporter, scrape, range, recording rules, list of the adapter, and two
/// scrapes more for the first difference.
fn ranges(queries: &[MetricQuery], service: &ServiceSpec, metrics: &MetricsSpec) -> SimDuration {
    // An instant selector needs one sample, not all that the lookback would show.
    let options = Options { lookback_ms: millis(metrics.scrape_interval), ..Options::default() };
    let made = Made::of(metrics, &service.targets, options);
    let asked = queries.iter().filter_map(|query| match query {
        MetricQuery::PromQl { expression } => made.behind_query_ms(&Query::compile(expression).ok()?),
        MetricQuery::Signal(signal) => Some(millis(signal_behind(*signal))),
        _ => None,
    });
    let names: Vec<&str> = queries.iter().filter_map(api_name).collect();
    let listed = metrics.adapter.as_ref().filter(|_| !names.is_empty()).and_then(|rules| {
        let relist = millis(metrics.adapter_relist);
        let adapter = Adapter::new(rules, relist, options).ok()?;
        let behind = adapter.lookbehind_ms()?.max(relist);
        let adapter = adapter.only(names.iter().copied());
        Some(behind.saturating_add(made.behind_names_ms(&|name| adapter.wants_name(name))))
    });
    let of_gke = names
        .iter()
        .filter_map(|name| metrics.gke.metrics.get(*name))
        .map(|metric| GKE_WINDOW_MS.saturating_add(made.behind_names_ms(&|name| metric.wants_name(name))));
    let behind = asked.chain(listed).chain(of_gke).max().unwrap_or(0).max(0);
    let behind = SimDuration::from_millis(behind.unsigned_abs());
    let intervals = service.targets.iter().map(|target| target.interval + target.delay);
    let interval = intervals.fold(metrics.scrape_interval, SimDuration::max);
    behind + metrics.dcgm_interval.max(metrics.resource_resolution) + interval * 2
}

/// How long ago what a reading of the service tells may have been.
fn signal_behind(query: SignalQuery) -> SimDuration {
    let over = if query.signal.is_rate() { query.over } else { SimDuration::ZERO };
    over + query.every + query.delay
}

/// Name of a metric of the custom or external metrics API.
fn api_name(query: &MetricQuery) -> Option<&str> {
    match query {
        MetricQuery::Pods { name, .. } | MetricQuery::Object { name, .. } | MetricQuery::External { name, .. } => {
            Some(name)
        }
        _ => None,
    }
}

fn millis(duration: SimDuration) -> i64 {
    (duration.as_nanos() / 1_000_000) as i64
}

/// Requests per second that one replica serves when it is never idle, about: mean lengths, the largest batch that fits.
pub fn capacity(service: &ServiceSpec, tokens: Option<(f64, f64)>) -> f64 {
    match &service.model {
        ServiceModel::Slots { concurrency, service } => f64::from(*concurrency) / service.mean(),
        ServiceModel::DynamicBatching { batch_max, latency, .. } => {
            let times = latency.table.iter().take(*batch_max as usize).zip(1u32..);
            times.map(|(time, size)| f64::from(size) / time.as_secs_f64()).fold(0.0, f64::max)
        }
        ServiceModel::ContinuousBatching { sequences_max, kv_tokens, law, prompt_tokens, output_tokens, .. } => {
            let (prompt, output) = tokens.unwrap_or_else(|| (prompt_tokens.mean(), output_tokens.mean()));
            let output = output.max(1.0);
            let held = prompt + output / 2.0;
            let batch = (*kv_tokens as f64 / held.max(1.0)).min(f64::from(*sequences_max));
            // In the long run an iteration carries as many prompts as answers end in it.
            let work = Iteration {
                decodes: batch,
                prompt: batch * prompt / output,
                sequences: batch,
                kv: batch * held,
                context: batch * prompt * prompt / output / 2.0,
            };
            batch / (output * law.seconds(&work))
        }
    }
}

/// Requests per second before the run that `replicas` can keep up with.
pub fn sustainable(service: &ServiceSpec, replicas: u32) -> f64 {
    let tokens = service.earlier.tokens.as_ref().map(|(prompt, output)| (prompt.mean(), output.mean()));
    SUSTAINABLE * f64::from(replicas) * capacity(service, tokens)
}

/// What arrives before the run at `replicas` replicas, from the beginning of the prehistory on; nothing where there are none, for
/// then nobody has called.
pub(crate) fn traffic(length: SimDuration, service: &ServiceSpec, replicas: u32) -> Option<Traffic> {
    let before = &service.earlier;
    let curve = before.rate.as_ref().filter(|_| replicas > 0 && !length.is_zero())?;
    let limit = if before.is_rate_stated { f64::INFINITY } else { sustainable(service, replicas) };
    let rates = curve.rates.iter().map(|rate| rate.min(limit)).collect();
    let rate = Arc::new(RateCurve { step: curve.step, rates });
    let source = match &before.gaps {
        Some(gaps) => Traffic::Renewal { rate, gaps: gaps.clone() },
        None => Traffic::Poisson { rate },
    };
    Some(match before.tokens.clone() {
        Some((prompt, output)) => Traffic::WithTokens { source: Box::new(source), prompt, output },
        None => source,
    })
}
