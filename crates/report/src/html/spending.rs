//! The bill over time by use. What is spent in a step of the timeline is exact, from the bill; how it is shared among uses follows from the
//! lives of pods and nodes, each at the mean price of its life: with a spot price that moves a part may be a little off, the sum never is.

use record::{NodeLife, PhaseSpan, ReplicaLife, RunRecord, TimelineRow};
use units::SimTime;

/// Names of the uses, in the order of [`spending`].
pub(super) const USES: [&str; 6] = ["serving", "idle", "cold start", "standby", "draining", "nobody's"];

/// Dollars per hour by use, step by step.
pub(super) fn spending(detail: &RunRecord, rows: &[TimelineRow]) -> [Vec<f64>; USES.len()] {
    let mut spent = Spent::new(detail, rows);
    for pod in detail.services.iter().flat_map(|service| &service.replicas) {
        spent.add_pod(pod);
    }
    for node in &detail.nodes {
        spent.add_boot(node);
    }
    spent.by_use(rows)
}

/// Dollars by step: of pods that are ready, starting, standing by, draining, and of nodes that come up.
struct Spent {
    bounds: Vec<f64>,
    measured_from: f64,
    pods: [Vec<f64>; 4],
    boot: Vec<f64>,
}

impl Spent {
    fn new(detail: &RunRecord, rows: &[TimelineRow]) -> Self {
        let end = |row: &TimelineRow| (row.start + row.step).as_secs_f64();
        let first = rows.first().map(|row| row.start.as_secs_f64());
        let bounds: Vec<f64> = first.into_iter().chain(rows.iter().map(end)).collect();
        let measured_from = bounds.last().map_or(0.0, |last| last - detail.measured.as_secs_f64());
        let none = vec![0.0; rows.len()];
        Self { bounds, measured_from, pods: std::array::from_fn(|_| none.clone()), boot: none }
    }

    fn add_pod(&mut self, pod: &ReplicaLife) {
        let held: Vec<&PhaseSpan> = pod.phases.iter().filter(|span| span.phase != "pending").collect();
        let length: f64 = held.iter().map(|span| self.billed(span)).map(|(from, to)| to - from).sum();
        if length <= 0.0 {
            return;
        }
        let per_second = pod.cost.as_f64() / length;
        for span in held {
            let part = match span.phase {
                "ready" => 0,
                "standby" => 2,
                "draining" => 3,
                _ => 1,
            };
            let billed = self.billed(span);
            add(&self.bounds, &mut self.pods[part], billed, per_second);
        }
    }

    /// A node that comes up for pods that wait for it.
    fn add_boot(&mut self, node: &NodeLife) {
        let Some(launched) = node.launched.map(SimTime::as_secs_f64) else { return };
        if node.billed.is_zero() {
            return;
        }
        let per_second = node.cost.as_f64() / node.billed.as_secs_f64();
        for span in node.phases.iter().filter(|span| !matches!(span.phase, "up" | "draining")) {
            let (from, to) = self.billed(span);
            add(&self.bounds, &mut self.boot, (from.max(launched), to), per_second);
        }
    }

    /// The part of a span that is measured: the warm-up is not billed.
    fn billed(&self, span: &PhaseSpan) -> (f64, f64) {
        let from = span.start.as_secs_f64().max(self.measured_from);
        (from, span.end.as_secs_f64().max(from))
    }

    fn by_use(self, rows: &[TimelineRow]) -> [Vec<f64>; USES.len()] {
        let mut by_use: [Vec<f64>; USES.len()] = std::array::from_fn(|_| Vec::with_capacity(rows.len()));
        let mut before = 0.0;
        for (step, row) in rows.iter().enumerate() {
            let so_far = row.cost_so_far.as_f64();
            let total = (so_far - std::mem::replace(&mut before, so_far)).max(0.0);
            let parts: [f64; 4] = std::array::from_fn(|part| self.pods[part][step]);
            let known: f64 = parts.iter().sum();
            let scale = if known > total { total / known } else { 1.0 };
            let [ready, starting, standby, draining] = parts.map(|part| part * scale);
            let rest = total - known * scale;
            let boot = self.boot[step].min(rest);
            let busy = if row.gpu_utilization.is_finite() { row.gpu_utilization } else { 0.0 };
            let amounts = [ready * busy, ready * (1.0 - busy), starting + boot, standby, draining, rest - boot];
            let hours = row.step.as_secs_f64() / 3_600.0;
            for (column, amount) in by_use.iter_mut().zip(amounts) {
                column.push(if hours > 0.0 { amount / hours } else { 0.0 });
            }
        }
        by_use
    }
}

/// Adds what a span costs to the steps it lies in.
fn add(bounds: &[f64], steps: &mut [f64], (from, to): (f64, f64), per_second: f64) {
    let mut step = bounds.partition_point(|&bound| bound <= from).saturating_sub(1);
    while step < steps.len() && bounds[step] < to {
        let overlap = to.min(bounds[step + 1]) - from.max(bounds[step]);
        steps[step] += overlap.max(0.0) * per_second;
        step += 1;
    }
}
