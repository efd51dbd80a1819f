//! Every pair of policies, on the same requests.

use record::{Comparison, Interval, Verdict};

use super::held::{STRETCH, decides_from, is_changing, needed, widening};
use super::{PolicyResult, Replication, replications_needed};
use crate::columns::Column;
use crate::statistics::{Counts, Difference, holm, ratio_influences, standard_error};

/// Family-wise chance of any false verdict, for cost and for attainment each.
const ALPHA: f64 = 0.05;

/// Compares every later policy with every earlier one (the baseline is the one listed first), over the replications both have: the whole
/// cluster first, then service by service where there are several.
///
/// Differences are paired, replication by replication. Holm's procedure corrects over all pairs and services, for cost and for attainment
/// separately, and each interval is at the level its verdict was reached at: it excludes zero exactly if the verdict is not
/// `undecided`. Pairs with the very same figure in every replication are no question and not corrected for. Where so few replications are not known
/// to give an interval that holds, there is none, and a verdict only if one much wider would exclude zero.
pub fn compare(policies: &[PolicyResult]) -> Vec<Comparison> {
    let services = policies.first().map_or(0, |policy| policy.services.len());
    let cluster: Vec<&PolicyResult> = policies.iter().collect();
    let parts = (0..services).map(|service| policies.iter().map(|policy| &policy.services[service]).collect());
    let pairs: Vec<Pair<'_>> =
        [cluster].into_iter().chain(parts).flat_map(|results: Vec<_>| pairs(&results)).map(Pair::new).collect();
    let cost: Vec<Question> = pairs.iter().map(Pair::cost).collect();
    let slo: Vec<Question> = pairs.iter().map(Pair::attainment).collect();
    let (cost, slo) = (answers(&cost), answers(&slo));
    pairs
        .iter()
        .enumerate()
        .map(|(index, pair)| Comparison {
            policy: pair.policy.name().to_owned(),
            baseline: pair.baseline.name().to_owned(),
            service: pair.policy.service().to_owned(),
            replications: pair.first.len() as u32,
            replications_needed: pair.needed("slo_attainment"),
            cost_usd: cost[index].0,
            cost_verdict: better_if(cost[index], |difference| difference < 0.0),
            slo_attainment: slo[index].0,
            slo_verdict: better_if(slo[index], |difference| difference > 0.0),
        })
        .collect()
}

/// Two policies over the replications that both have.
struct Pair<'a> {
    policy: &'a PolicyResult,
    baseline: &'a PolicyResult,
    first: &'a [Replication],
    second: &'a [Replication],
}

/// A difference that may be one.
pub(crate) struct Question {
    /// First minus second, as it is to be judged: without an error where nothing can be said of it.
    pub difference: Difference,
    /// Whether it is known that there is none: both have the same in every replication.
    pub is_same: bool,
    /// Whether so many replications are known to give an interval.
    pub is_shown: bool,
}

impl<'a> Pair<'a> {
    fn new((policy, baseline): (&'a PolicyResult, &'a PolicyResult)) -> Self {
        let both = policy.replications.len().min(baseline.replications.len());
        Self { policy, baseline, first: &policy.replications[..both], second: &baseline.replications[..both] }
    }

    /// Replications from which the difference of `column` is known to have an interval that holds.
    fn needed(&self, column: &str) -> u32 {
        let column = Column::named(column).expect("these names are in the list of columns");
        replications_needed(column, self.first).max(replications_needed(column, self.second))
    }

    fn question(&self, column: &str, difference: Difference, is_same: bool) -> Question {
        let is_changing = self.first.iter().chain(self.second).any(is_changing);
        let difference = difference.widened(widening(is_changing, self.first.len()));
        let replications = self.first.len() as u32;
        let is_shown = replications >= self.needed(column);
        let column = Column::named(column).expect("these names are in the list of columns");
        let stretch = if is_shown {
            1.0
        } else if replications >= decides_from(column) {
            STRETCH
        } else {
            f64::NAN
        };
        Question { difference: difference.widened(stretch), is_same, is_shown }
    }

    fn cost(&self) -> Question {
        let costs = |part: &[Replication]| -> Vec<f64> { part.iter().map(|one| one.summary.cost_usd).collect() };
        let (first, second) = (costs(self.first), costs(self.second));
        self.question("cost_usd", Difference::paired(&first, &second), first == second)
    }

    /// Difference of two ratio estimators on paired replications: the spread is that of the differences of their influences.
    fn attainment(&self) -> Question {
        let counts = |part: &[Replication]| -> Vec<Counts> { part.iter().map(|one| one.slo).collect() };
        let (first, second) = (counts(self.first), counts(self.second));
        self.question("slo_attainment", share_difference(&first, &second), first == second)
    }
}

/// What each question comes to: its interval, at Holm's level of those that are one, and what is decided.
pub(crate) fn answers(questions: &[Question]) -> Vec<(Interval, Verdict)> {
    let is_open = |question: &&Question| !question.difference.standard_error.is_nan() && !question.is_same;
    let open: Vec<f64> = questions.iter().filter(is_open).map(|question| question.difference.p_value()).collect();
    let mut steps = holm(&open, ALPHA).into_iter();
    let mut answer = |question: &Question| {
        if question.is_same {
            // Of one replication it is known, and no more than of that one.
            return (question.difference.interval(ALPHA), Verdict::Same);
        }
        let mean = question.difference.mean;
        let none = Interval { mean, low: f64::NAN, high: f64::NAN };
        let Some(step) = is_open(&question).then(|| steps.next()).flatten() else {
            return (none, Verdict::Undecided);
        };
        // Which way is good is not known here.
        let verdict = if step.is_rejected { Verdict::Better } else { Verdict::Undecided };
        (if question.is_shown { question.difference.interval(step.alpha) } else { none }, verdict)
    };
    questions.iter().map(&mut answer).collect()
}

/// The verdict of an answer, where a difference is good if `is_good` says so.
pub(crate) fn better_if((interval, verdict): (Interval, Verdict), is_good: impl Fn(f64) -> bool) -> Verdict {
    match verdict {
        Verdict::Better if !is_good(interval.mean) => Verdict::Worse,
        other => other,
    }
}

fn pairs<'a>(results: &[&'a PolicyResult]) -> Vec<(&'a PolicyResult, &'a PolicyResult)> {
    let after = |(index, &baseline): (usize, &&'a PolicyResult)| {
        results[index + 1..].iter().map(move |&policy| (policy, baseline)).collect::<Vec<_>>()
    };
    results.iter().enumerate().flat_map(after).collect()
}

pub(super) fn share_difference(first: &[Counts], second: &[Counts]) -> Difference {
    let influences = |counts: &[Counts]| {
        ratio_influences(&counts.iter().map(|one| (one.met as f64, one.total as f64)).collect::<Vec<_>>())
    };
    let ((share, first), (baseline_share, second)) = (influences(first), influences(second));
    let spread: Vec<f64> = first.iter().zip(&second).map(|(a, b)| a - b).collect();
    Difference {
        mean: share - baseline_share,
        standard_error: standard_error(&spread),
        degrees_of_freedom: spread.len() as f64 - 1.0,
    }
}

/// How a column of two settings differs over paired replications, each with its own mean, with a 95 % interval where so many are known to give one.
pub(crate) fn held_difference(column: &Column, first: &[Replication], second: &[Replication]) -> Interval {
    let values = |part: &[Replication]| part.iter().map(|one| column.of(&one.summary)).collect::<Vec<f64>>();
    let is_changing = first.iter().chain(second).any(is_changing);
    let needed = replications_needed(column, first).max(replications_needed(column, second));
    let difference = Difference::paired(&values(first), &values(second)).widened(widening(is_changing, first.len()));
    let interval = difference.interval(ALPHA);
    if first.len() as u32 >= needed { interval } else { Interval { low: f64::NAN, high: f64::NAN, ..interval } }
}

/// How two settings differ over the replications both have, by what each replication cost in dollars, and how many of its requests met the
/// objective out of how many: the difference of cost and that of attainment, each with its own 95 % interval where so many replications are known to give
/// one of runs whose replicas change; whether these do is not known here.
pub fn paired_differences(now: &[(f64, u64, u64)], before: &[(f64, u64, u64)]) -> (Interval, Interval) {
    let both = now.len().min(before.len());
    let (now, before) = (&now[..both], &before[..both]);
    let costs = |rows: &[(f64, u64, u64)]| rows.iter().map(|row| row.0).collect::<Vec<f64>>();
    let widening = widening(true, both);
    let cost = Difference::paired(&costs(now), &costs(before)).widened(widening);
    let counts =
        |rows: &[(f64, u64, u64)]| rows.iter().map(|row| Counts { met: row.1, total: row.2 }).collect::<Vec<_>>();
    let attainment = share_difference(&counts(now), &counts(before)).widened(widening);
    let held = |name: &str, difference: Difference| {
        let column = Column::named(name).expect("these names are in the list of columns");
        let interval = difference.interval(ALPHA);
        let is_held = both as u32 >= needed(column, true);
        if is_held { interval } else { Interval { low: f64::NAN, high: f64::NAN, ..interval } }
    };
    (held("cost_usd", cost), held("slo_attainment", attainment))
}
