//! Gates against results.

use record::{Interval, ReplicationSummary};

use super::{Bound, Condition, Gate, Side, figure};
use crate::columns::Column;
use crate::experiment::{PolicyResult, column_interval};
use crate::statistics::{Difference, mean};

/// What the data say of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The whole interval is on the right side.
    Holds,
    /// The whole interval is on the wrong side.
    Fails,
    /// The interval contains the bound, or there is none.
    Undecided,
}

impl Outcome {
    /// The word in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::Undecided => "undecided",
        }
    }
}

/// What an undecided gate does to the check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenUndecided {
    /// It fails it: what the data do not support is not claimed.
    #[default]
    Fail,
    /// It is reported and passes.
    Pass,
}

/// One gate on one policy.
#[derive(Clone, Debug)]
pub struct GateResult {
    /// The gate.
    pub gate: Gate,
    /// The policy it was held against.
    pub policy: String,
    /// The column's estimate and interval at the gate's level.
    pub estimate: Interval,
    /// The bound in the column's unit; of a baseline its estimate. NaN if there is no baseline.
    pub limit: f64,
    /// Distance to the bound, where it was decided by a difference from a baseline.
    pub difference: Option<Interval>,
    /// What came out.
    pub outcome: Outcome,
    /// In words, with the numbers.
    pub reason: String,
}

/// All gates on all the policies they are about.
#[derive(Clone, Debug)]
pub struct GateReport {
    /// In the order of gates, then of policies.
    pub results: Vec<GateResult>,
    /// What undecided gates do.
    pub when_undecided: WhenUndecided,
}

impl GateReport {
    /// Whether `scalelab check` succeeds.
    pub fn is_passed(&self) -> bool {
        self.results.iter().all(|result| self.passes(result))
    }

    pub(super) fn passes(&self, result: &GateResult) -> bool {
        match result.outcome {
            Outcome::Holds => true,
            Outcome::Fails => false,
            Outcome::Undecided => self.when_undecided == WhenUndecided::Pass,
        }
    }

    /// How many came out so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.results.iter().filter(|result| result.outcome == outcome).count()
    }
}

/// Holds every gate against the policies it is about. `baseline` is the replications of an earlier run, all its policies.
///
/// A gate against a baseline is decided by the difference from it: paired where both have the same seeds, Welch's otherwise.
pub fn evaluate(
    gates: &[Gate],
    policies: &[PolicyResult],
    baseline: &[ReplicationSummary],
    when_undecided: WhenUndecided,
) -> GateReport {
    let results = gates
        .iter()
        .flat_map(|gate| {
            policies
                .iter()
                .filter(|policy| gate.policy.as_deref().is_none_or(|name| name == policy.name()))
                .map(|policy| evaluate_one(gate, policy, baseline))
        })
        .collect();
    GateReport { results, when_undecided }
}

fn evaluate_one(gate: &Gate, policy: &PolicyResult, baseline: &[ReplicationSummary]) -> GateResult {
    let condition = gate.condition;
    let estimate = column_interval(condition.column, &policy.replications, condition.confidence);
    let (limit, difference, outcome) = match condition.bound {
        Bound::Value(limit) => (limit, None, decide(estimate, condition.side, limit)),
        Bound::Baseline { factor, offset } => {
            let of_policy: Vec<&ReplicationSummary> =
                baseline.iter().filter(|summary| summary.policy == policy.name()).collect();
            let limit = factor * mean(&values(condition.column, of_policy.iter().copied())) + offset;
            let difference = excess(condition.column, &policy.summaries(), &of_policy, factor)
                .interval(condition.confidence.alpha());
            let outcome = decide(difference, condition.side, offset);
            (limit, Some(shifted(difference, -offset)), outcome)
        }
    };
    let mut result = GateResult {
        gate: gate.clone(),
        policy: policy.name().to_owned(),
        estimate,
        limit,
        difference,
        outcome,
        reason: String::new(),
    };
    result.reason = reason(&condition, &result, policy.replications.len());
    result
}

/// What an interval says of a bound. NaN bounds compare as false both ways: undecided.
pub(crate) fn decide(interval: Interval, side: Side, limit: f64) -> Outcome {
    let (holds, fails) = match side {
        Side::AtMost => (interval.high <= limit, interval.low > limit),
        Side::Below => (interval.high < limit, interval.low >= limit),
        Side::AtLeast => (interval.low >= limit, interval.high < limit),
        Side::Above => (interval.low > limit, interval.high <= limit),
    };
    match (holds, fails) {
        (true, _) => Outcome::Holds,
        (_, true) => Outcome::Fails,
        _ => Outcome::Undecided,
    }
}

fn shifted(interval: Interval, by: f64) -> Interval {
    Interval { mean: interval.mean + by, low: interval.low + by, high: interval.high + by }
}

fn values<'a>(column: &Column, summaries: impl Iterator<Item = &'a ReplicationSummary>) -> Vec<f64> {
    summaries.map(|summary| column.of(summary)).collect()
}

/// This run's column minus `factor` times the baseline's.
fn excess(
    column: &Column,
    summaries: &[ReplicationSummary],
    baseline: &[&ReplicationSummary],
    factor: f64,
) -> Difference {
    let seeds = |seed_of: &[u64], other: &[u64]| seed_of == other;
    let own: Vec<u64> = summaries.iter().map(|summary| summary.seed).collect();
    let theirs: Vec<u64> = baseline.iter().map(|summary| summary.seed).collect();
    let first = values(column, summaries.iter());
    let second: Vec<f64> = values(column, baseline.iter().copied()).into_iter().map(|value| factor * value).collect();
    if seeds(&own, &theirs) { Difference::paired(&first, &second) } else { Difference::welch(&first, &second) }
}

fn reason(condition: &Condition, result: &GateResult, replications: usize) -> String {
    let unit = condition.column.unit;
    let shown = |value: f64| figure(unit, value);
    let estimate = result.estimate;
    let percent = condition.confidence.level() * 100.0;
    let count = if replications == 1 { "1 replication".to_owned() } else { format!("{replications} replications") };
    let measured = if estimate.low.is_nan() {
        format!("{} from {count}, which gives no interval", shown(estimate.mean))
    } else {
        format!(
            "{} ({percent:.0} % interval {} to {}, {count})",
            shown(estimate.mean),
            shown(estimate.low),
            shown(estimate.high),
        )
    };
    let bound = match (condition.bound, result.limit.is_nan()) {
        (Bound::Value(limit), _) => format!("the limit {}", shown(limit)),
        (Bound::Baseline { .. }, true) => return format!("{measured}; the baseline has no policy `{}`", result.policy),
        (Bound::Baseline { .. }, false) => format!("the limit {} from the baseline", shown(result.limit)),
    };
    let judged = match result.outcome {
        Outcome::Holds => "is within",
        Outcome::Fails => "breaks",
        Outcome::Undecided => "cannot be told from",
    };
    format!("{measured} {judged} {bound}")
}
