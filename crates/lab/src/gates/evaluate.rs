//! Gates against results.

use record::{Interval, ReplicationSummary};

use super::{Bound, Condition, Gate, Side, figure};
use crate::columns::{Column, Unit};
use crate::experiment::{PolicyResult, column_interval, controlled_column};
use crate::statistics::{Difference, mean, mean_interval, ratio_of_means};

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
    /// The baseline and how far this run is from it, where the gate is about one that there is.
    pub baseline: Option<Against>,
    /// Whether the number of requests was a control variate of the estimate.
    pub is_controlled: bool,
    /// What came out.
    pub outcome: Outcome,
    /// In words, with the numbers.
    pub reason: String,
}

/// A run beside its baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Against {
    /// Mean of the baseline, in the column's unit.
    pub mean: f64,
    /// This run's column over the baseline's; `None` where the baseline may be zero.
    pub ratio: Option<Interval>,
    /// This run's column minus `factor` times the baseline's, for the gate's factor.
    pub excess: Interval,
    /// Whether both have the same seeds as far as the shorter of them goes, so that those replications were compared one by one.
    pub is_paired: bool,
    /// Replications of this run and of the baseline.
    pub replications: [usize; 2],
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
/// A gate against a baseline is decided by the difference from it: paired where both have the same seeds, Welch's otherwise. With
/// `expected_requests` a gate against a figure uses the number of requests as a control variate where it can.
pub fn evaluate(
    gates: &[Gate],
    policies: &[PolicyResult],
    baseline: &[ReplicationSummary],
    expected_requests: Option<f64>,
    when_undecided: WhenUndecided,
) -> GateReport {
    let results = gates
        .iter()
        .flat_map(|gate| {
            policies.iter().filter(|policy| gate.policy.as_deref().is_none_or(|name| name == policy.name())).map(
                |policy| {
                    // How many requests are expected is known of all together.
                    let expected_requests = expected_requests.filter(|_| gate.service.is_none());
                    evaluate_one(gate, policy.of_service(gate.service.as_deref()), baseline, expected_requests)
                },
            )
        })
        .collect();
    GateReport { results, when_undecided }
}

fn evaluate_one(
    gate: &Gate,
    policy: &PolicyResult,
    baseline: &[ReplicationSummary],
    expected_requests: Option<f64>,
) -> GateResult {
    let condition = gate.condition;
    let controlled = expected_requests
        .filter(|_| !gate.needs_baseline())
        .and_then(|expected| controlled_column(condition.column, &policy.replications, expected, condition.confidence));
    let estimate = match controlled {
        Some(controlled) => controlled.controlled.interval,
        // Of each replication one figure, as the difference has it: a percentile of all requests together is another number.
        None if gate.needs_baseline() => {
            mean_interval(&values(condition.column, policy.summaries().iter()), condition.confidence)
        }
        None => column_interval(condition.column, &policy.replications, condition.confidence),
    };
    let (limit, baseline, outcome) = match condition.bound {
        Bound::Value(limit) => (limit, None, decide(condition.column, estimate, condition.side, limit)),
        Bound::Baseline { factor, offset } => {
            let of_policy: Vec<&ReplicationSummary> = baseline
                .iter()
                .filter(|summary| {
                    (summary.policy.as_str(), summary.service.as_str()) == (policy.name(), policy.service())
                })
                .collect();
            let against = against(&condition, &policy.summaries(), &of_policy, factor);
            let outcome = decide(condition.column, against.excess, condition.side, offset);
            (factor * against.mean + offset, Some(against), outcome)
        }
    };
    let offset = if let Bound::Baseline { offset, .. } = condition.bound { offset } else { 0.0 };
    let mut result = GateResult {
        gate: gate.clone(),
        policy: policy.name().to_owned(),
        estimate,
        limit,
        difference: baseline.map(|against| shifted(against.excess, -offset)),
        baseline: baseline.filter(|against| !against.mean.is_nan()),
        is_controlled: controlled.is_some(),
        outcome,
        reason: String::new(),
    };
    result.reason = reason(&condition, &result, policy.replications.len());
    result
}

/// What an interval says of a bound. NaN bounds compare as false both ways: undecided. What differs from the bound by less than the
/// column can say is equal to it: the ledger counts micro-dollars, and other columns are off by the rounding of their mean.
pub(crate) fn decide(column: &Column, interval: Interval, side: Side, limit: f64) -> Outcome {
    let resolution = if column.unit == Unit::Dollars { 0.5e-6 } else { 1e-12 * limit.abs().max(1.0) };
    let snapped = |end: f64| if (end - limit).abs() <= resolution { limit } else { end };
    let interval = Interval { low: snapped(interval.low), high: snapped(interval.high), ..interval };
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

/// This run's column beside `factor` times the baseline's.
fn against(
    condition: &Condition,
    summaries: &[ReplicationSummary],
    baseline: &[&ReplicationSummary],
    factor: f64,
) -> Against {
    let replications = [summaries.len(), baseline.len()];
    let shared = summaries.len().min(baseline.len());
    let is_paired = shared > 0 && summaries.iter().zip(baseline).all(|(ours, theirs)| ours.seed == theirs.seed);
    let (ours, theirs) = if is_paired { (shared, shared) } else { (summaries.len(), baseline.len()) };
    let first = values(condition.column, summaries[..ours].iter());
    let second = values(condition.column, baseline[..theirs].iter().copied());
    let scaled: Vec<f64> = second.iter().map(|value| factor * value).collect();
    let difference = if is_paired { Difference::paired(&first, &scaled) } else { Difference::welch(&first, &scaled) };
    Against {
        mean: mean(&second),
        ratio: ratio_of_means([&first, &second], is_paired, difference.degrees_of_freedom, condition.confidence),
        excess: difference.interval(condition.confidence.alpha()),
        is_paired,
        replications,
    }
}

/// How the replications of both were compared.
fn pairing(against: &Against) -> &'static str {
    match against.replications {
        _ if !against.is_paired => "against other seeds, so independent",
        [ours, theirs] if ours > theirs => "of which the baseline's seeds were paired",
        [ours, theirs] if ours < theirs => "paired with the baseline's first",
        _ => "paired by seed",
    }
}

fn reason(condition: &Condition, result: &GateResult, replications: usize) -> String {
    let shown = |value: f64| figure(condition.column.unit, value);
    let estimate = result.estimate;
    let count = if replications == 1 { "1 replication".to_owned() } else { format!("{replications} replications") };
    let count = if result.is_controlled { format!("{count}, requests as control") } else { count };
    let judged = match result.outcome {
        Outcome::Holds => "is within",
        Outcome::Fails => "breaks",
        Outcome::Undecided => "cannot be told from",
    };
    if let Some(against) = &result.baseline {
        let how = match against.replications {
            [ours, theirs] if against.is_paired && ours > theirs => format!("{}, the first {theirs}", pairing(against)),
            _ => pairing(against).to_owned(),
        };
        let measured = format!("{} {}", shown(estimate.mean), distance(condition, against, &format!("{count} {how}")));
        return format!("{measured}, which {judged} the limit {}", result.limit_text());
    }
    let measured = if estimate.low.is_nan() {
        format!("{} from {count}, which gives no interval", shown(estimate.mean))
    } else {
        format!(
            "{} ({} interval {} to {}, {count})",
            shown(estimate.mean),
            level(condition),
            shown(estimate.low),
            shown(estimate.high),
        )
    };
    match condition.bound {
        Bound::Value(limit) => format!("{measured} {judged} the limit {}", shown(limit)),
        Bound::Baseline { .. } => format!("{measured}; {}", no_baseline(&result.gate, &result.policy)),
    }
}

fn no_baseline(gate: &Gate, policy: &str) -> String {
    match &gate.service {
        Some(service) => format!("the baseline has no service `{service}` under policy `{policy}`"),
        None => format!("the baseline has no policy `{policy}`"),
    }
}

fn level(condition: &Condition) -> String {
    format!("{:.0} %", condition.confidence.level() * 100.0)
}

/// How far from the baseline, in percent where the gate is, with the interval that decided it.
fn distance(condition: &Condition, against: &Against, count: &str) -> String {
    let shown = |value: f64| figure(condition.column.unit, value);
    let baseline = shown(against.mean);
    let interval = |range: Option<String>| match range {
        Some(range) => format!("({} interval {range}, {count})", level(condition)),
        None => format!("(from {count}: no interval)"),
    };
    match (condition.bound, against.ratio) {
        (Bound::Baseline { offset: 0.0, .. }, Some(ratio)) => {
            format!("is {} against the baseline's {baseline} {}", change(ratio.mean), interval(ratio_text(ratio)))
        }
        (Bound::Baseline { factor, .. }, _) => {
            let times = if factor == 1.0 { String::new() } else { format!("{factor} times ") };
            let excess = against.excess;
            let range = (!excess.low.is_nan()).then(|| format!("{} to {}", shown(excess.low), shown(excess.high)));
            format!("differs by {} from {times}the baseline's {baseline} {}", shown(excess.mean), interval(range))
        }
        (Bound::Value(_), _) => String::new(),
    }
}

/// `+1.90 % to +2.78 %`; `None` where there is no interval.
pub(super) fn ratio_text(ratio: Interval) -> Option<String> {
    (!ratio.low.is_nan()).then(|| format!("{} to {}", change(ratio.low), change(ratio.high)))
}

/// A ratio as a change in percent: `+2.34 %`.
pub(super) fn change(ratio: f64) -> String {
    let percent = (ratio - 1.0) * 100.0;
    let text = format!("{percent:+.2} %");
    // Not `-0.00 %`.
    if text.starts_with("-0.00") { "+0.00 %".to_owned() } else { text }
}

impl GateResult {
    /// The bound in words: of a baseline what may be added, and what that comes to.
    pub(super) fn limit_text(&self) -> String {
        let unit = self.gate.condition.column.unit;
        let limit = figure(unit, self.limit);
        match (self.gate.condition.bound, &self.baseline) {
            (Bound::Baseline { factor, offset: 0.0 }, Some(against)) if against.ratio.is_some() => {
                format!("{} ({limit})", change(factor))
            }
            _ => limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Confidence;

    #[test]
    fn a_constant_cost_at_the_bound_is_within_with_any_number_of_replications() {
        let cost = Column::named("cost_usd").unwrap();
        for count in 2..40 {
            let interval = mean_interval(&vec![0.666_667; count], Confidence::P95);
            let outcomes = [Side::AtMost, Side::AtLeast, Side::Below, Side::Above]
                .map(|side| decide(cost, interval, side, 0.666_667));
            assert_eq!(outcomes, [Outcome::Holds, Outcome::Holds, Outcome::Fails, Outcome::Fails], "{count}");
            assert_eq!(decide(cost, interval, Side::AtMost, 0.666_666), Outcome::Fails, "a micro-dollar is one");
        }
    }
}
