//! Gates against results.

use record::{Interval, ReplicationSummary};

use super::{Bound, Condition, Gate, Side, figure};
use crate::beside::{self, Beside, Runs};
use crate::columns::{Column, Unit};
use crate::experiment::{
    PolicyResult, Replication, column_figure, controlled_column, deciding_interval, held_interval, replications_needed,
};
use crate::statistics::ratio_of_wholes;

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
    /// Replications that would give an interval known to hold, where these are too few.
    pub replications_needed: Option<u32>,
    /// What came out.
    pub outcome: Outcome,
    /// In words, with the numbers.
    pub reason: String,
}

/// A run beside its baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Against {
    /// The baseline's figure, in the column's unit.
    pub mean: f64,
    /// This run's column over the baseline's; `None` where the baseline may be zero.
    pub ratio: Option<Interval>,
    /// This run's column minus `factor` times the baseline's, for the gate's factor.
    pub excess: Interval,
    /// Whether both have the same seeds as far as the shorter of them goes, so that those replications were compared one by one.
    pub is_paired: bool,
    /// Whether every replication that was compared has the baseline's very figure.
    pub is_same: bool,
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

/// Holds every gate against the policies it is about. `baseline` is an earlier run, all its policies.
///
/// A gate against a baseline is decided by the difference from it: paired where both have the same seeds, Welch's otherwise. With
/// `expected_requests` a gate against a figure uses the number of requests as a control variate where it can.
pub fn evaluate(
    gates: &[Gate],
    policies: &[PolicyResult],
    baseline: &Runs,
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

fn evaluate_one(gate: &Gate, policy: &PolicyResult, baseline: &Runs, expected_requests: Option<f64>) -> GateResult {
    let condition = gate.condition;
    let controlled = expected_requests
        .filter(|_| !gate.needs_baseline())
        .and_then(|expected| controlled_column(condition.column, &policy.replications, expected, condition.confidence));
    let of = |part: &[Replication]| held_interval(condition.column, part, condition.confidence);
    let mut result = GateResult {
        gate: gate.clone(),
        policy: policy.name().to_owned(),
        estimate: controlled.map_or_else(|| of(&policy.replications), |controlled| controlled.controlled.interval),
        limit: f64::NAN,
        difference: None,
        baseline: None,
        is_controlled: controlled.is_some(),
        replications_needed: None,
        outcome: Outcome::Undecided,
        reason: String::new(),
    };
    let needed = replications_needed(condition.column, &policy.replications);
    let is_short = result.estimate.low.is_nan() && policy.replications.len() < needed as usize;
    result.replications_needed = is_short.then_some(needed);
    match condition.bound {
        Bound::Value(limit) => {
            result.limit = limit;
            let decides = match controlled {
                Some(_) => result.estimate,
                None => deciding_interval(condition.column, &policy.replications, condition.confidence),
            };
            result.outcome = decide(condition.column, decides, condition.side, limit);
        }
        Bound::Baseline { factor, offset } => {
            if let Some(((against, decides), needed)) = against(&condition, policy, baseline, factor) {
                // What is shown is what was compared.
                let [ours, theirs] = against.replications;
                let counted = if against.is_paired { ours.min(theirs) } else { ours };
                result.estimate = of(&policy.replications[..counted]);
                result.replications_needed = needed;
                result.limit = factor * against.mean + offset;
                result.outcome = decide(condition.column, decides, condition.side, offset);
                result.difference = Some(shifted(against.excess, -offset));
                result.baseline = Some(against);
            }
        }
    }
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

/// This run's column beside `factor` times the baseline's with the interval to decide by, and how many replications it would take where these are too few; `None` where the
/// baseline has nothing of the kind.
fn against(
    condition: &Condition,
    policy: &PolicyResult,
    baseline: &Runs,
    factor: f64,
) -> Option<((Against, Interval), Option<u32>)> {
    let (column, confidence) = (condition.column, condition.confidence);
    let subject = (policy.name(), policy.service());
    let summaries = policy.summaries();
    let ours: Vec<&ReplicationSummary> = summaries.iter().collect();
    let theirs = baseline.about(subject);
    if theirs.is_empty() {
        return None;
    }
    let of_ours = |count: usize| Some(column_figure(column, &policy.replications[..count]));
    let of_theirs =
        |count: usize| baseline.together(subject).filter(|_| count == theirs.len()).map(|pooled| column.of(pooled));
    let sides =
        [beside::Side { rows: &ours, together: &of_ours }, beside::Side { rows: &theirs, together: &of_theirs }];
    let found = Beside::of(column, &sides[0], &sides[1]);
    let difference = found.difference(factor);
    let needed = found.needed.filter(|_| !(found.is_same && factor == 1.0));
    let none = Interval { mean: difference.mean, low: f64::NAN, high: f64::NAN };
    let sections = [&found.sections[0][..], &found.sections[1][..]];
    let ratio = ratio_of_wholes(found.wholes, sections, found.is_paired, difference.degrees_of_freedom, confidence);
    let without_bounds = |interval: Interval| Interval { low: f64::NAN, high: f64::NAN, ..interval };
    let against = Against {
        mean: found.wholes[1],
        ratio: if needed.is_some() { ratio.map(without_bounds) } else { ratio },
        excess: if needed.is_some() { none } else { difference.interval(confidence.alpha()) },
        is_paired: found.is_paired,
        is_same: found.is_same,
        replications: found.replications,
    };
    Some(((against, found.decides(&difference, confidence.alpha())), needed))
}

/// Which replications of both were compared, and how.
fn pairing(against: &Against) -> String {
    let many = |count: usize| if count == 1 { "1 replication".to_owned() } else { format!("{count} replications") };
    match against.replications {
        [ours, theirs] if !against.is_paired => {
            format!("{} against {theirs} with other seeds, so independent", many(ours))
        }
        [ours, theirs] if ours > theirs => {
            format!("the first {theirs} of {}, whose seeds are the baseline's: paired", many(ours))
        }
        [ours, theirs] if ours < theirs => {
            format!("{} paired by seed with the first of the baseline's {theirs}", many(ours))
        }
        [ours, _] => format!("{} paired by seed", many(ours)),
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
    let needed = match result.replications_needed {
        Some(needed) => format!("; an interval that holds needs {needed}"),
        None => String::new(),
    };
    if let Some(against) = &result.baseline {
        let how = pairing(against) + &needed;
        let distance = if against.is_same && against.excess.mean == 0.0 {
            format!("is the baseline's figure in every replication ({how})")
        } else {
            distance(condition, against, &how)
        };
        return format!("{} {distance}, which {judged} the limit {}", shown(estimate.mean), result.limit_text());
    }
    let measured = if estimate.low.is_nan() {
        let gives = if replications == 1 { "gives" } else { "give" };
        format!("{} from {count}, which {gives} no interval{needed}:", shown(estimate.mean))
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
        Bound::Value(limit) if estimate.low.is_nan() && result.outcome != Outcome::Undecided => {
            let measured = measured.trim_end_matches(':');
            format!("{measured}; it {judged} the limit {} by so much that they decide all the same", shown(limit))
        }
        Bound::Value(limit) => format!("{measured} {judged} the limit {}", shown(limit)),
        Bound::Baseline { .. } => {
            format!("{}; {}", measured.trim_end_matches(':'), no_baseline(&result.gate, &result.policy))
        }
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
    use crate::statistics::{Confidence, mean_interval};

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
