//! From one metric to a number of replicas, by kind of target.
//!
//! Per-pod metrics multiply by the pods that count, `Value` targets by the ready pods, `AverageValue` targets by nothing.

use std::collections::BTreeMap;

use units::PodId;

use super::group::{CpuReadiness, Groups, PodMetric, group_pods};
use super::moment::Moment;
use super::ratio::{Measured, Tolerances, per_pod_usage, usage_ratio, utilization_ratio};
use crate::{MetricError, PodPhase, PodView, Ready};

/// What one metric proposes and how it came to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposed {
    /// Replicas; negative only for a negative metric.
    pub replicas: i32,
    /// The figure the status shows, milli-units: mean per pod, or the total for a `Value` target.
    pub usage_m: i64,
    /// Percent of the requests, for a utilization target.
    pub utilization_percent: Option<i32>,
    /// The ratio that decided: the one over the filled set where pods were filled in.
    pub ratio: f64,
    /// In words.
    pub note: String,
    /// Oldest sample that took part.
    pub oldest: Option<Moment>,
}

/// How a per-pod metric is compared with its target.
#[derive(Clone, Copy, Debug)]
pub enum Measure<'a> {
    /// As a share of the requests.
    Utilization {
        /// Requests of every listed pod, milli-units.
        requests_m: &'a BTreeMap<PodId, i64>,
        /// Target in percent.
        target_percent: i32,
    },
    /// As a plain mean.
    Plain {
        /// Target in milli-units.
        target_m: i64,
    },
}

/// A per-pod metric and the pods it is about.
#[derive(Clone, Copy, Debug)]
pub struct PerPod<'a> {
    /// Every pod the selector matches.
    pub pods: &'a [PodView],
    /// What the metrics API answered, pods the selector does not match included.
    pub metrics: &'a BTreeMap<PodId, PodMetric>,
    /// The readiness test, if the metric is the `cpu` resource.
    pub cpu: Option<CpuReadiness>,
    /// `spec.replicas`: the answer for "no change".
    pub spec_replicas: i32,
    /// How near is near enough.
    pub tolerances: Tolerances,
}

impl Measure<'_> {
    fn measure(&self, usage_m: &BTreeMap<PodId, i64>) -> Result<Measured, MetricError> {
        match *self {
            Self::Utilization { requests_m, target_percent } => utilization_ratio(usage_m, requests_m, target_percent)
                .ok_or_else(|| failure("no metrics returned matched known pods")),
            Self::Plain { target_m } => Ok(usage_ratio(usage_m, target_m)),
        }
    }

    /// The least harmful guess for a missing pod when the rest ask for fewer replicas.
    fn fill(&self, pod: PodId) -> i64 {
        match *self {
            Self::Utilization { requests_m, target_percent } => {
                let request = requests_m.get(&pod).copied().expect("every listed pod has a request by now");
                (i128::from(request) * i128::from(target_percent.max(100)) / 100) as i64
            }
            Self::Plain { target_m } => target_m,
        }
    }
}

/// Resource, ContainerResource and Pods metrics.
pub fn per_pod_replicas(seen: &PerPod<'_>, measure: &Measure<'_>) -> Result<Proposed, MetricError> {
    if seen.metrics.is_empty() {
        return Err(failure("no metrics returned by the metrics API"));
    }
    if seen.pods.is_empty() {
        return Err(failure("no pods returned by the selector"));
    }
    let groups = group_pods(seen.pods, seen.metrics, seen.cpu.as_ref());
    let counts = |pod: &PodId| !groups.ignored.contains(pod) && !groups.unready.contains(pod);
    let kept = || seen.metrics.iter().filter(|(pod, _)| counts(pod));
    let usage_m: BTreeMap<PodId, i64> = kept().map(|(pod, metric)| (*pod, metric.value_m)).collect();
    if usage_m.is_empty() {
        return Err(failure("no metrics for the targeted pods, which might be unready"));
    }
    let first = measure.measure(&usage_m)?;
    let is_damped = !groups.unready.is_empty() && first.ratio > 1.0;
    let verdict = if is_damped || !groups.missing.is_empty() {
        filled_replicas(seen, measure, Unfilled { groups: &groups, usage_m, ratio: first.ratio, is_damped })?
    } else {
        direct_replicas(seen, first.ratio, groups.ready)
    };
    Ok(Proposed {
        replicas: verdict.replicas,
        usage_m: first.average_m,
        utilization_percent: first.utilization_percent,
        ratio: verdict.ratio,
        note: verdict.note,
        oldest: kept().map(|(_, metric)| metric.at).min(),
    })
}

struct Verdict {
    replicas: i32,
    ratio: f64,
    note: String,
}

fn direct_replicas(seen: &PerPod<'_>, ratio: f64, ready: usize) -> Verdict {
    if seen.tolerances.is_within(ratio) {
        let note = format!("within {}, {} stay", seen.tolerances, seen.spec_replicas);
        return Verdict { replicas: seen.spec_replicas, ratio, note };
    }
    Verdict {
        replicas: (ratio * ready as f64).ceil() as i32,
        ratio,
        note: format!("outside {}: ratio x {ready} ready pods", seen.tolerances),
    }
}

struct Unfilled<'a> {
    groups: &'a Groups,
    usage_m: BTreeMap<PodId, i64>,
    ratio: f64,
    is_damped: bool,
}

/// Pods without a usable value are given the one that argues most against the move; if the move survives that, it is made.
fn filled_replicas(seen: &PerPod<'_>, measure: &Measure<'_>, unfilled: Unfilled<'_>) -> Result<Verdict, MetricError> {
    let Unfilled { groups, mut usage_m, ratio: first, is_damped } = unfilled;
    let mut words = Vec::new();
    if !groups.missing.is_empty() && first != 1.0 {
        let fill = |pod| if first < 1.0 { measure.fill(pod) } else { 0 };
        usage_m.extend(groups.missing.iter().map(|pod| (*pod, fill(*pod))));
        words.push(format!("{} missing filled with {}", pods(groups.missing.len()), fill_words(measure, first)));
    }
    if is_damped {
        usage_m.extend(groups.unready.iter().map(|pod| (*pod, 0)));
        words.push(format!("{} unready filled with 0", pods(groups.unready.len())));
    }
    let ratio = measure.measure(&usage_m)?.ratio;
    words.push(format!("ratio {first} became {ratio}"));
    let spec = seen.spec_replicas;
    let mut hold = |why: &str| {
        words.push(format!("{why}, {spec} stay"));
        Verdict { replicas: spec, ratio, note: words.join("; ") }
    };
    if seen.tolerances.is_within(ratio) {
        return Ok(hold(&format!("within {}", seen.tolerances)));
    }
    if (first < 1.0 && ratio > 1.0) || (first > 1.0 && ratio < 1.0) {
        return Ok(hold("filling in turned the direction"));
    }
    let replicas = (ratio * usage_m.len() as f64).ceil() as i32;
    if (ratio < 1.0 && replicas > spec) || (ratio > 1.0 && replicas < spec) {
        return Ok(hold(&format!("{replicas} would move against the ratio")));
    }
    words.push(format!("outside {}: ratio x {}", seen.tolerances, pods(usage_m.len())));
    Ok(Verdict { replicas, ratio, note: words.join("; ") })
}

/// A total in milli-units against a `Value` target (Object, External).
#[derive(Clone, Copy, Debug)]
pub struct Total<'a> {
    /// The total in milli-units.
    pub usage_m: i64,
    /// The target in milli-units.
    pub target_m: i64,
    /// Every pod the selector matches.
    pub pods: &'a [PodView],
    /// `spec.replicas`.
    pub spec_replicas: i32,
    /// How near is near enough.
    pub tolerances: Tolerances,
}

/// Object and External metrics with a `Value` target: the ratio times the pods that are running and ready, terminating ones included.
pub fn value_replicas(seen: &Total<'_>) -> Result<Proposed, MetricError> {
    let ratio = seen.usage_m as f64 / seen.target_m as f64;
    let propose = |replicas, note| Proposed {
        replicas,
        usage_m: seen.usage_m,
        utilization_percent: None,
        ratio,
        note,
        oldest: None,
    };
    if seen.spec_replicas == 0 {
        return Ok(propose(ratio.ceil() as i32, "from zero: the ratio itself".to_owned()));
    }
    if seen.tolerances.is_within(ratio) {
        return Ok(propose(seen.spec_replicas, format!("within {}, {} stay", seen.tolerances, seen.spec_replicas)));
    }
    if seen.pods.is_empty() {
        return Err(failure("no pods returned by the selector"));
    }
    let ready = seen.pods.iter().filter(|pod| pod.phase == PodPhase::Running && pod.ready == Ready::True).count();
    Ok(propose(
        (ratio * ready as f64).ceil() as i32,
        format!("outside {}: ratio x {ready} ready pods", seen.tolerances),
    ))
}

/// A total in milli-units against an `AverageValue` target (Object, External).
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// The total in milli-units.
    pub usage_m: i64,
    /// The target per pod in milli-units.
    pub target_m: i64,
    /// `status.replicas`: what the total is divided by, and the answer for "no change".
    pub status_replicas: i32,
    /// How near is near enough.
    pub tolerances: Tolerances,
}

/// Object and External metrics with an `AverageValue` target. Knows no pods: the total over the target, whatever runs.
pub fn average_value_replicas(seen: &Share) -> Proposed {
    let (usage, target, status) = (seen.usage_m as f64, seen.target_m as f64, seen.status_replicas);
    let ratio = usage / (target * f64::from(status));
    let (replicas, note) = if seen.tolerances.is_within(ratio) {
        (status, format!("within {}, the {status} existing replicas stay", seen.tolerances))
    } else {
        ((usage / target).ceil() as i32, format!("outside {}: total / target", seen.tolerances))
    };
    Proposed {
        replicas,
        usage_m: per_pod_usage(seen.usage_m, status),
        utilization_percent: None,
        ratio,
        note,
        oldest: None,
    }
}

/// The total of an External metric: its values added up. Fails without any.
pub fn external_total(values_m: &[i64]) -> Result<i64, MetricError> {
    if values_m.is_empty() {
        return Err(failure("no metrics returned from the external metrics API"));
    }
    Ok(values_m.iter().fold(0, |sum: i64, value| sum.saturating_add(*value)))
}

/// A modelled failure of a metric.
pub(super) fn failure(message: &str) -> MetricError {
    MetricError { message: message.to_owned() }
}

fn pods(count: usize) -> String {
    if count == 1 { "1 pod".to_owned() } else { format!("{count} pods") }
}

fn fill_words(measure: &Measure<'_>, first: f64) -> String {
    match measure {
        _ if first > 1.0 => "0".to_owned(),
        Measure::Utilization { target_percent, .. } => format!("{}% of the request", target_percent.max(&100)),
        Measure::Plain { .. } => "the target".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use units::SimDuration;

    use super::*;

    fn running(id: u32, ready: Ready) -> PodView {
        PodView {
            pod: PodId(id),
            phase: PodPhase::Running,
            deleted: false,
            ready,
            started_ns: Some(-1_000_000_000_000),
            ready_transition_ns: 0,
        }
    }

    /// Plain metric with `pods` running pods, of which the first ones have these values.
    fn plain(pods: u32, values: &[i64], target_m: i64, spec_replicas: i32) -> (i32, String) {
        let pods: Vec<_> = (0..pods).map(|id| running(id, Ready::True)).collect();
        let metrics = values.iter().enumerate().map(|(at, value_m)| {
            let metric = PodMetric { value_m: *value_m, at: Moment::from_nanos(0), window: SimDuration::ZERO };
            (PodId(at as u32), metric)
        });
        let seen = PerPod {
            pods: &pods,
            metrics: &metrics.collect(),
            cpu: None,
            spec_replicas,
            tolerances: Tolerances::both(0.1),
        };
        let proposed = per_pod_replicas(&seen, &Measure::Plain { target_m }).unwrap();
        (proposed.replicas, proposed.note)
    }

    #[test]
    fn pods_that_count_are_multiplied_not_wanted_ones() {
        assert_eq!(plain(2, &[300, 300], 100, 10).0, 6);
        assert_eq!(plain(3, &[105, 105, 105], 100, 7), (7, "within 0.9 to 1.1, 7 stay".into()));
    }

    #[test]
    fn missing_pods_argue_against_the_move() {
        let (replicas, note) = plain(3, &[130, 130], 100, 3);
        assert_eq!(
            (replicas, &*note),
            (3, "1 pod missing filled with 0; ratio 1.3 became 0.86; filling in turned the direction, 3 stay")
        );
        let (replicas, note) = plain(4, &[20, 20], 100, 4);
        assert_eq!(
            (replicas, &*note),
            (3, "2 pods missing filled with the target; ratio 0.2 became 0.6; outside 0.9 to 1.1: ratio x 4 pods")
        );
    }

    #[test]
    fn a_count_may_not_move_against_its_ratio() {
        // Five pods are listed while one is wanted: filled in, 0.28 x 5 rounds up to 2, a scale-up on low usage.
        let (replicas, note) = plain(5, &[10, 10, 10, 10], 100, 1);
        assert_eq!(replicas, 1, "{note}");
    }

    #[test]
    fn values_of_unknown_pods_count_in_the_filled_set() {
        let pods = [running(0, Ready::True), running(1, Ready::True)];
        let metric = |value_m| PodMetric { value_m, at: Moment::from_nanos(0), window: SimDuration::ZERO };
        let metrics = [(PodId(0), metric(400)), (PodId(9), metric(400))].into();
        let seen =
            PerPod { pods: &pods, metrics: &metrics, cpu: None, spec_replicas: 2, tolerances: Tolerances::both(0.1) };
        // 800 over three entries is 266, times three is eight.
        assert_eq!(per_pod_replicas(&seen, &Measure::Plain { target_m: 100 }).unwrap().replicas, 8);
    }

    #[test]
    fn a_value_target_multiplies_ready_pods_even_terminating_ones() {
        let mut pods = vec![running(0, Ready::True), running(1, Ready::False), running(2, Ready::True)];
        pods[2].deleted = true;
        let seen =
            Total { usage_m: 5000, target_m: 1000, pods: &pods, spec_replicas: 3, tolerances: Tolerances::both(0.1) };
        assert_eq!(value_replicas(&seen).unwrap().replicas, 10);
        assert_eq!(value_replicas(&Total { spec_replicas: 0, pods: &[], ..seen }).unwrap().replicas, 5);
        assert_eq!(value_replicas(&Total { usage_m: 1100, ..seen }).unwrap().replicas, 3);
        assert_eq!(value_replicas(&Total { usage_m: i64::MAX, target_m: 1, ..seen }).unwrap().replicas, i32::MAX);
        assert!(value_replicas(&Total { pods: &[], ..seen }).is_err());
    }

    #[test]
    fn an_average_value_target_answers_status_within_tolerance_and_total_over_target_outside() {
        let seen = Share { usage_m: 5200, target_m: 1000, status_replicas: 5, tolerances: Tolerances::both(0.1) };
        let rows =
            [(seen, 5, 1040), (Share { usage_m: 5600, ..seen }, 6, 1120), (Share { status_replicas: 0, ..seen }, 6, 0)];
        for (seen, replicas, usage_m) in rows {
            let proposed = average_value_replicas(&seen);
            assert_eq!((proposed.replicas, proposed.usage_m), (replicas, usage_m), "{seen:?}");
        }
        assert_eq!(average_value_replicas(&Share { usage_m: 0, status_replicas: 0, ..seen }).replicas, 0);
    }

    #[test]
    fn external_values_add_up_and_stop_at_the_largest_number() {
        assert_eq!(external_total(&[1, 2, 3]), Ok(6));
        assert_eq!(external_total(&[i64::MAX, 5]), Ok(i64::MAX));
        assert!(external_total(&[]).is_err());
    }
}
