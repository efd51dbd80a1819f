//! Replica counts over time, out of kube-state-metrics.

use std::collections::BTreeMap;

use crate::answer::{Sample, Series};
use crate::grid::Grid;

/// A count that was not seen for so many usual intervals is not known.
pub(crate) const STALE: f64 = 2.5;

/// Kinds of workloads whose replicas are known, and under which names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
}

impl Workload {
    /// Both, in the order in which they are looked for.
    pub const ALL: [Self; 2] = [Self::Deployment, Self::StatefulSet];

    /// Its kind, and the label that has its name.
    pub fn kind(self) -> (&'static str, &'static str) {
        match self {
            Self::Deployment => ("Deployment", "deployment"),
            Self::StatefulSet => ("StatefulSet", "statefulset"),
        }
    }

    /// Names of the counts: wanted, existing, ready.
    pub fn metrics(self) -> [&'static str; 3] {
        match self {
            Self::Deployment => [
                "kube_deployment_spec_replicas",
                "kube_deployment_status_replicas",
                "kube_deployment_status_replicas_ready",
            ],
            Self::StatefulSet => [
                "kube_statefulset_replicas",
                "kube_statefulset_status_replicas",
                "kube_statefulset_status_replicas_ready",
            ],
        }
    }
}

/// Counts row by row: what held at the row's start. `None` where it was not seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaPath {
    /// `spec.replicas`.
    pub wanted: Vec<Option<u32>>,
    /// Pods that exist.
    pub existing: Vec<Option<u32>>,
    /// Ready ones.
    pub ready: Vec<Option<u32>>,
}

/// Puts the samples of one count together.
#[derive(Default)]
pub(crate) struct Counting {
    /// Of several series of one object (kube-state-metrics was restarted, or there are two) the newest counts.
    samples: BTreeMap<i64, f64>,
}

impl Counting {
    pub(crate) fn add(&mut self, chunk: &[Series]) {
        for Sample { at_ms, value } in chunk.iter().flat_map(|series| series.samples.iter().copied()) {
            if value.is_finite() && value >= 0.0 {
                self.samples.insert(at_ms, value);
            }
        }
    }

    pub(crate) fn rows(&self, grid: Grid) -> Vec<Option<u32>> {
        let times: Vec<i64> = self.samples.keys().copied().collect();
        let mut between: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        if between.is_empty() {
            return vec![None; grid.rows];
        }
        let middle = between.len() / 2;
        let usual = *between.select_nth_unstable(middle).1;
        let fresh_ms = (STALE * usual as f64) as i64;
        let at = |row: usize| {
            let at_ms = grid.at_ms(row);
            let (seen_ms, value) = self.samples.range(..=at_ms).next_back()?;
            (at_ms - seen_ms <= fresh_ms).then_some(*value as u32)
        };
        (0..grid.rows).map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_newest_count_and_nothing_where_none_was_seen() {
        let samples = [(-5, 2.0), (5, 2.0), (15, 4.0), (25, 4.0), (85, 7.0), (95, 7.0)];
        let samples = samples.map(|(at, value)| Sample { at_ms: at * 1_000, value }).to_vec();
        let mut counting = Counting::default();
        counting.add(&[Series { labels: BTreeMap::new(), samples }]);
        let rows = counting.rows(Grid { from_ms: 0, step_ms: 10_000, rows: 10 });
        let (two, four, seven) = (Some(2), Some(4), Some(7));
        assert_eq!(rows, [two, two, four, four, four, four, None, None, None, seven]);
    }
}
