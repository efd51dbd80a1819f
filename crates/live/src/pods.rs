//! What new pods went through, out of kube-state-metrics.

use std::collections::BTreeMap;

use crate::answer::{Sample, Series};

/// Moments of a pod, in seconds since 1970: the metric of each, in the order of [`PodStart`]'s fields.
pub(crate) const MOMENTS: [&str; 4] = [
    "kube_pod_created",
    "kube_pod_status_scheduled_time",
    "kube_pod_container_state_started",
    "kube_pod_status_ready_time",
];

/// When a pod came how far, in whole seconds since 1970, as Kubernetes' clocks have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodStart {
    /// Its name.
    pub pod: String,
    /// Created.
    pub created_s: Option<i64>,
    /// Bound to a node.
    pub scheduled_s: Option<i64>,
    /// Its containers run: the last of them to begin.
    pub started_s: Option<i64>,
    /// First ready.
    pub ready_s: Option<i64>,
}

impl PodStart {
    /// From bound to running: the image, the sandbox, init containers.
    pub fn pull_s(&self) -> Option<i64> {
        between(self.scheduled_s, self.started_s)
    }

    /// From running to ready: the model, the warm-up, the probe.
    pub fn load_s(&self) -> Option<i64> {
        between(self.started_s, self.ready_s)
    }
}

fn between(from: Option<i64>, to: Option<i64>) -> Option<i64> {
    Some(to? - from?).filter(|seconds| *seconds >= 0)
}

/// Puts the moments together.
#[derive(Default)]
pub(crate) struct Starting {
    pods: BTreeMap<String, PodStart>,
}

impl Starting {
    /// Values of one moment: the earliest of each series in a stretch.
    pub(crate) fn add(&mut self, moment: usize, found: &[Series]) {
        for series in found {
            let moment_s = series.samples.first().and_then(Sample::time_s);
            let (Some(pod), Some(at)) = (series.labels.get("pod"), moment_s) else { continue };
            let one =
                self.pods.entry(pod.clone()).or_insert_with(|| PodStart { pod: pod.clone(), ..PodStart::default() });
            let at = at as i64;
            let earliest = |known: Option<i64>| Some(known.map_or(at, |known| known.min(at)));
            match moment {
                0 => one.created_s = earliest(one.created_s),
                1 => one.scheduled_s = earliest(one.scheduled_s),
                // Of one stretch the containers' latest; a later stretch may hold a restart.
                2 => one.started_s = earliest(one.started_s),
                _ => one.ready_s = earliest(one.ready_s),
            }
        }
    }

    /// Pods created in `[from, to)`, oldest first.
    pub(crate) fn finish(self, (from_ms, to_ms): (i64, i64)) -> Vec<PodStart> {
        let in_time = |pod: &PodStart| pod.created_s.is_some_and(|at| at * 1_000 >= from_ms && at * 1_000 < to_ms);
        let mut pods: Vec<PodStart> = self.pods.into_values().filter(in_time).collect();
        pods.sort_by(|one, other| (one.created_s, &one.pod).cmp(&(other.created_s, &other.pod)));
        pods
    }
}
