//! Every pair of policies, on the same requests.

use record::{Comparison, Interval, Verdict};

use super::PolicyResult;
use crate::statistics::{Counts, Difference, HolmStep, holm, ratio_influences, standard_error};

/// Family-wise chance of any false verdict, for cost and for attainment each.
const ALPHA: f64 = 0.05;

/// Compares every later policy with every earlier one (the baseline is the one listed first), over the replications both have: the whole
/// cluster first, then service by service where there are several.
///
/// Differences are paired, replication by replication. Holm's procedure corrects over all pairs and services, for cost and for attainment
/// separately, and each interval is at the level its verdict was reached at: it excludes zero exactly if the verdict is not
/// `undecided`. Few and short replications are skewed, and intervals of differences then miss somewhat more often than they say:
/// `tests/it/coverage.rs` has the figures.
pub fn compare(policies: &[PolicyResult]) -> Vec<Comparison> {
    let services = policies.first().map_or(0, |policy| policy.services.len());
    let cluster: Vec<&PolicyResult> = policies.iter().collect();
    let parts = (0..services).map(|service| policies.iter().map(|policy| &policy.services[service]).collect());
    let pairs: Vec<(&PolicyResult, &PolicyResult)> =
        [cluster].into_iter().chain(parts).flat_map(|results: Vec<_>| pairs(&results)).collect();
    let cost: Vec<Difference> = pairs.iter().map(|&(policy, baseline)| cost_difference(policy, baseline)).collect();
    let slo: Vec<Difference> = pairs.iter().map(|&(policy, baseline)| share_difference(policy, baseline)).collect();
    let (cost_steps, slo_steps) = (corrected(&cost), corrected(&slo));
    pairs
        .iter()
        .enumerate()
        .map(|(index, (policy, baseline))| Comparison {
            policy: policy.name().to_owned(),
            baseline: baseline.name().to_owned(),
            service: policy.service().to_owned(),
            replications: policy.replications.len().min(baseline.replications.len()) as u32,
            cost_usd: cost[index].interval(cost_steps[index].alpha),
            cost_verdict: verdict(-cost[index].mean, cost_steps[index]),
            slo_attainment: slo[index].interval(slo_steps[index].alpha),
            slo_verdict: verdict(slo[index].mean, slo_steps[index]),
        })
        .collect()
}

fn pairs<'a>(results: &[&'a PolicyResult]) -> Vec<(&'a PolicyResult, &'a PolicyResult)> {
    let after = |(index, &baseline): (usize, &&'a PolicyResult)| {
        results[index + 1..].iter().map(move |&policy| (policy, baseline)).collect::<Vec<_>>()
    };
    results.iter().enumerate().flat_map(after).collect()
}

/// Holm's steps for a family of differences.
pub(crate) fn corrected(differences: &[Difference]) -> Vec<HolmStep> {
    holm(&differences.iter().map(Difference::p_value).collect::<Vec<_>>(), ALPHA)
}

/// `gain` is positive where the first of the pair is the better one.
pub(crate) fn verdict(gain: f64, step: HolmStep) -> Verdict {
    match (step.is_rejected, gain > 0.0) {
        (false, _) => Verdict::Undecided,
        (true, true) => Verdict::Better,
        (true, false) => Verdict::Worse,
    }
}

fn cost_difference(policy: &PolicyResult, baseline: &PolicyResult) -> Difference {
    let both = policy.replications.len().min(baseline.replications.len());
    let costs = |result: &PolicyResult| -> Vec<f64> {
        result.replications[..both].iter().map(|replication| replication.summary.cost_usd).collect()
    };
    Difference::paired(&costs(policy), &costs(baseline))
}

/// Difference of two ratio estimators on paired replications: the spread is that of the differences of their influences.
fn share_difference(policy: &PolicyResult, baseline: &PolicyResult) -> Difference {
    let both = policy.replications.len().min(baseline.replications.len());
    let influences = |result: &PolicyResult| {
        let counts: Vec<Counts> = result.replications[..both].iter().map(|replication| replication.slo).collect();
        ratio_influences(&counts.iter().map(|one| (one.met as f64, one.total as f64)).collect::<Vec<_>>())
    };
    let ((share, first), (baseline_share, second)) = (influences(policy), influences(baseline));
    let spread: Vec<f64> = first.iter().zip(&second).map(|(a, b)| a - b).collect();
    Difference {
        mean: share - baseline_share,
        standard_error: standard_error(&spread),
        degrees_of_freedom: both as f64 - 1.0,
    }
}

/// How two settings differ over the replications both have, by what each replication cost in dollars, and how many of its requests met the
/// objective out of how many: the difference of cost and that of attainment, each with its own 95 % interval.
pub fn paired_differences(now: &[(f64, u64, u64)], before: &[(f64, u64, u64)]) -> (Interval, Interval) {
    let both = now.len().min(before.len());
    let (now, before) = (&now[..both], &before[..both]);
    let costs = |rows: &[(f64, u64, u64)]| rows.iter().map(|row| row.0).collect::<Vec<f64>>();
    let cost = Difference::paired(&costs(now), &costs(before));
    let shares = |rows: &[(f64, u64, u64)]| {
        ratio_influences(&rows.iter().map(|row| (row.1 as f64, row.2 as f64)).collect::<Vec<_>>())
    };
    let ((share, first), (share_before, second)) = (shares(now), shares(before));
    let spread: Vec<f64> = first.iter().zip(&second).map(|(a, b)| a - b).collect();
    let attainment = Difference {
        mean: share - share_before,
        standard_error: standard_error(&spread),
        degrees_of_freedom: both as f64 - 1.0,
    };
    (cost.interval(ALPHA), attainment.interval(ALPHA))
}
