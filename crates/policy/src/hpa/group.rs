//! Sorting pods by what their metric is worth: counted, set aside as unready, missing, ignored.

use std::collections::{BTreeMap, BTreeSet};

use units::{PodId, SimDuration};

use super::moment::Moment;
use crate::{PodPhase, PodView, Ready};

/// One pod's value of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodMetric {
    /// Value in milli-units.
    pub value_m: i64,
    /// End of the window it was measured over.
    pub at: Moment,
    /// Length of that window.
    pub window: SimDuration,
}

/// The readiness test, which only the `cpu` resource has: start-up burns CPU that says nothing about load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuReadiness {
    /// The instant of the pass.
    pub now: Moment,
    /// How long after its start a pod is initializing (`--horizontal-pod-autoscaler-cpu-initialization-period`).
    pub initialization_period: SimDuration,
    /// How soon after its start an unready pod counts as never having been ready
    /// (`--horizontal-pod-autoscaler-initial-readiness-delay`).
    pub initial_readiness_delay: SimDuration,
}

/// Pods by class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// How many count.
    pub ready: usize,
    /// Pending, or not yet trusted with CPU: damp a scale-up only.
    pub unready: BTreeSet<PodId>,
    /// Running without a metric: damp both directions.
    pub missing: BTreeSet<PodId>,
    /// Ended or being deleted: as if they were not there.
    pub ignored: BTreeSet<PodId>,
}

impl CpuReadiness {
    fn is_unready(&self, pod: &PodView, metric: &PodMetric) -> bool {
        let (Some(started_ns), true) = (pod.started_ns, pod.ready != Ready::Absent) else {
            return true;
        };
        let started = Moment::from_nanos(started_ns);
        let changed = Moment::from_nanos(pod.ready_transition_ns);
        let is_false = pod.ready == Ready::False;
        if started.plus(self.initialization_period) > self.now {
            // A sample that reaches back before the pod became ready still holds its start-up.
            is_false || metric.at < changed.plus(metric.window)
        } else {
            // A pod that was ready once and is not now still carries load.
            is_false && started.plus(self.initial_readiness_delay) > changed
        }
    }
}

/// Puts each pod into the first class that fits. `cpu` is given exactly if the metric is the `cpu` resource.
pub fn group_pods(pods: &[PodView], metrics: &BTreeMap<PodId, PodMetric>, cpu: Option<&CpuReadiness>) -> Groups {
    let mut groups = Groups::default();
    for pod in pods {
        if pod.deleted || matches!(pod.phase, PodPhase::Failed | PodPhase::Succeeded) {
            groups.ignored.insert(pod.pod);
        } else if pod.phase == PodPhase::Pending {
            groups.unready.insert(pod.pod);
        } else if let Some(metric) = metrics.get(&pod.pod) {
            if cpu.is_some_and(|rule| rule.is_unready(pod, metric)) {
                groups.unready.insert(pod.pod);
            } else {
                groups.ready += 1;
            }
        } else {
            groups.missing.insert(pod.pod);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 10_000;

    fn seconds(s: i64) -> i64 {
        s * 1_000_000_000
    }

    /// A running pod started and last changed so many seconds ago.
    fn pod(ready: Ready, started_ago: i64, changed_ago: i64) -> PodView {
        PodView {
            pod: PodId(0),
            phase: PodPhase::Running,
            deleted: false,
            ready,
            started_ns: Some(seconds(NOW_S - started_ago)),
            ready_transition_ns: seconds(NOW_S - changed_ago),
        }
    }

    fn class(pod: PodView, sample: Option<(i64, u64)>, is_cpu: bool) -> &'static str {
        let rule = CpuReadiness {
            now: Moment::from_nanos(seconds(NOW_S)),
            initialization_period: SimDuration::from_secs(300),
            initial_readiness_delay: SimDuration::from_secs(30),
        };
        let metrics = sample
            .map(|(ago, window)| {
                let at = Moment::from_nanos(seconds(NOW_S - ago));
                (pod.pod, PodMetric { value_m: 1, at, window: SimDuration::from_secs(window) })
            })
            .into_iter()
            .collect();
        let groups = group_pods(&[pod], &metrics, is_cpu.then_some(&rule));
        match (groups.ready, groups.unready.len(), groups.missing.len(), groups.ignored.len()) {
            (1, 0, 0, 0) => "ready",
            (0, 1, 0, 0) => "unready",
            (0, 0, 1, 0) => "missing",
            (0, 0, 0, 1) => "ignored",
            other => panic!("one pod, one class: {other:?}"),
        }
    }

    #[test]
    fn a_sample_counts_only_once_its_whole_window_lies_after_readiness() {
        for (sample, expected) in [((0, 30), "ready"), ((0, 31), "unready"), ((1, 30), "unready"), ((0, 0), "ready")] {
            assert_eq!(class(pod(Ready::True, 60, 30), Some(sample), true), expected, "{sample:?}");
        }
    }

    #[test]
    fn the_initialization_period_ends_exactly_at_its_length() {
        assert_eq!(class(pod(Ready::False, 299, 100), Some((0, 0)), true), "unready");
        assert_eq!(class(pod(Ready::False, 300, 100), Some((0, 0)), true), "ready");
    }

    #[test]
    fn after_initialization_only_a_pod_that_never_was_ready_is_unready() {
        for (changed_ago, expected) in [(600, "unready"), (571, "unready"), (570, "ready"), (10, "ready")] {
            assert_eq!(class(pod(Ready::False, 600, changed_ago), Some((0, 60)), true), expected, "{changed_ago}");
        }
        assert_eq!(class(pod(Ready::Unknown, 600, 600), Some((0, 60)), true), "ready");
    }

    #[test]
    fn only_cpu_asks_for_readiness() {
        assert_eq!(class(pod(Ready::False, 10, 10), Some((0, 60)), false), "ready");
        assert_eq!(class(pod(Ready::Absent, 10, 10), Some((0, 60)), true), "unready");
        assert_eq!(class(PodView { started_ns: None, ..pod(Ready::True, 10, 10) }, Some((0, 0)), true), "unready");
    }

    #[test]
    fn the_first_class_that_fits_wins() {
        let base = pod(Ready::True, 600, 500);
        let rows = [
            (PodView { deleted: true, phase: PodPhase::Pending, ..base }, None, "ignored"),
            (PodView { phase: PodPhase::Succeeded, ..base }, Some((0, 0)), "ignored"),
            (PodView { phase: PodPhase::Failed, ..base }, Some((0, 0)), "ignored"),
            (PodView { phase: PodPhase::Pending, ..base }, Some((0, 0)), "unready"),
            (PodView { phase: PodPhase::Pending, ..base }, None, "unready"),
            (base, None, "missing"),
        ];
        for (pod, sample, expected) in rows {
            assert_eq!(class(pod, sample, false), expected, "{pod:?}");
        }
    }
}
