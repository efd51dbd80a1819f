//! A stretch of a run, to be looked at before the whole of it: some hours around the worst one, begun with the replicas that were there.
//!
//! What comes of it is a preview and is called one: controllers begin with an empty memory, nodes anew. Only traffic whose rate is a curve
//! can begin in the middle; of any other run the preview is its beginning.

use std::sync::Arc;

use cluster::spec::{EarlierTraffic, InterruptionModel, ServiceSpec, SimulationSpec};
use units::{SimDuration, SimTime};
use workload::{RateCurve, RateLog, Traffic};

const MINUTE: SimDuration = SimDuration::from_secs(60);

/// Of the stretch before time zero, at most.
const PREHISTORY_MAX: SimDuration = SimDuration::from_secs(150);

/// Which stretch, and with how many replicas of each service it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its start, in seconds from that of the run.
    pub from_s: u64,
    /// Its length in seconds.
    pub length_s: u64,
    /// Replicas of each service at its start; none: as the run begins.
    pub replicas: Vec<u32>,
}

/// The spec of this stretch, and where it really begins.
pub fn preview(spec: &SimulationSpec, policy: usize, stretch: &Stretch) -> (SimulationSpec, SimDuration) {
    let run = spec.end.since(SimTime::ZERO);
    let length = SimDuration::from_secs(stretch.length_s.max(60)).min(run);
    // Steps of curves and of the timeline begin on whole minutes.
    let latest = run.saturating_sub(length);
    let from = MINUTE * (SimDuration::from_secs(stretch.from_s).min(latest).as_nanos() / MINUTE.as_nanos());
    let mut cut = spec.clone();
    cut.end = SimTime::ZERO + length;
    if from.is_zero() || !begins_anywhere(spec) || !from.as_nanos().is_multiple_of(spec.timeline_step.as_nanos()) {
        cut.warm_up = cut.warm_up.min(length / 2);
        return (cut, SimDuration::ZERO);
    }
    let services: Option<Vec<ServiceSpec>> =
        spec.services.iter().map(|service| later(service, from, spec.prehistory.length.min(PREHISTORY_MAX))).collect();
    let Some(services) = services else {
        cut.warm_up = cut.warm_up.min(length / 2);
        return (cut, SimDuration::ZERO);
    };
    cut.services = services;
    cut.warm_up = SimDuration::ZERO;
    // Long enough for a scrape, a query over two minutes and a pass; the rest of the memory of controllers is left out.
    cut.prehistory.length = cut.prehistory.length.min(PREHISTORY_MAX);
    cut.prehistory.rehearsal = cut.prehistory.rehearsal.min(PREHISTORY_MAX);
    cut.start_unix_seconds += from.as_secs() as i64;
    for (part, replicas) in cut.policies[policy].services.iter_mut().zip(&stretch.replicas) {
        part.replicas_initial = Some(*replicas);
    }
    (cut, from)
}

/// True if nothing but traffic has its time in the run.
fn begins_anywhere(spec: &SimulationSpec) -> bool {
    !matches!(spec.fleet.spot.model, InterruptionModel::Availability { .. })
        && spec.metrics.outages.is_empty()
        && spec.services.iter().all(|service| service.rollouts.is_empty())
}

fn later(service: &ServiceSpec, from: SimDuration, prehistory: SimDuration) -> Option<ServiceSpec> {
    let mut cut = service.clone();
    cut.traffic = from_then_on(&service.traffic, from)?;
    let rate = |at: SimDuration| rate_at(&service.traffic, SimTime::ZERO + at);
    if !prehistory.is_zero() {
        let begin = from.saturating_sub(prehistory);
        let known = EarlierTraffic {
            rate: Some(Arc::new(RateCurve::from_fn(MINUTE, prehistory, |at| rate(begin + at.since(SimTime::ZERO))))),
            ..service.earlier.clone()
        };
        cut.earlier = known;
    }
    // What a predictor may look back at: the minutes of the run up to here follow those before it.
    let mut history = RateLog::clone(&service.history);
    if !history.before.is_empty() {
        let minutes = from.as_nanos() / MINUTE.as_nanos();
        history.before.extend((0..minutes).map(|minute| Some(rate(MINUTE * minute + MINUTE / 2))));
        cut.history = Arc::new(history);
    }
    Some(cut)
}

/// The traffic from an instant on, as if the run began there; `None` if it cannot begin there.
fn from_then_on(traffic: &Traffic, from: SimDuration) -> Option<Traffic> {
    let cut = |rate: &RateCurve| {
        let steps = from.as_nanos() / rate.step.as_nanos();
        let is_edge = from.as_nanos().is_multiple_of(rate.step.as_nanos());
        let rates = rate.rates.get(usize::try_from(steps).ok()?..).unwrap_or_default().to_vec();
        is_edge.then(|| Arc::new(RateCurve { step: rate.step, rates }))
    };
    let inner = |source: &Traffic| from_then_on(source, from).map(Box::new);
    Some(match traffic {
        Traffic::Poisson { rate } => Traffic::Poisson { rate: cut(rate)? },
        Traffic::Renewal { rate, gaps } => Traffic::Renewal { rate: cut(rate)?, gaps: gaps.clone() },
        Traffic::Merge(sources) => {
            Traffic::Merge(sources.iter().map(|source| from_then_on(source, from)).collect::<Option<_>>()?)
        }
        Traffic::Thinned { source, factor } => Traffic::Thinned { source: inner(source)?, factor: cut(factor)? },
        Traffic::WithTokens { source, prompt, output } => {
            Traffic::WithTokens { source: inner(source)?, prompt: prompt.clone(), output: output.clone() }
        }
        Traffic::Sessions { .. } | Traffic::Replay { .. } | Traffic::Resampled { .. } | Traffic::LoadTest(_) => {
            return None;
        }
    })
}

/// Requests per second that a traffic of curves brings at an instant.
fn rate_at(traffic: &Traffic, at: SimTime) -> f64 {
    match traffic {
        Traffic::Poisson { rate } | Traffic::Renewal { rate, .. } => rate.rate_at(at),
        Traffic::Merge(sources) => sources.iter().map(|source| rate_at(source, at)).sum(),
        Traffic::Thinned { source, factor } => rate_at(source, at) * factor.rate_at(at),
        Traffic::WithTokens { source, .. } => rate_at(source, at),
        Traffic::Sessions { .. } | Traffic::Replay { .. } | Traffic::Resampled { .. } | Traffic::LoadTest(_) => 0.0,
    }
}
