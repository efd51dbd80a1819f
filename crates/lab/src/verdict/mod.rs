//! The verdict on a run: which policy to choose, why, how sure that is, and what to try next.
//!
//! It judges by the objectives and by nothing else, and never takes an estimate for a certainty. How it is put into words is the business
//! of whoever prints it.

mod facts;

use record::{
    Certainty, Comparison, Interval, NextStep, PolicyVerdict, RunVerdict, RunnerUp, ServiceVerdict, Shortfall,
    Standing, Verdict,
};

use crate::experiment::PolicyResult;

/// More replications than this are not proposed.
const REPLICATIONS_PROPOSED_MAX: f64 = 200.0;
/// Replications proposed where there is no interval to go by: at this many the intervals are of use.
const REPLICATIONS_TO_BEGIN_WITH: u32 = 5;

/// What the verdict needs besides results.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Each service with its objective, in their order.
    pub objectives: Vec<(String, f64)>,
    /// What names the scenario and its changes on a command line: `scenarios/triton-day --set run.duration=2h`; empty for the built-in one.
    /// `None` where that is not known: then no command is proposed.
    pub scenario: Option<String>,
    /// By policy what `optimize` may change of it, as `--over` takes it; empty where nothing is known of it.
    pub ranges: Vec<String>,
}

/// The verdict on policies that met the same requests. `comparisons` has their pairs.
pub fn verdict(policies: &[PolicyResult], comparisons: &[Comparison], question: &Question) -> RunVerdict {
    let judged: Vec<PolicyVerdict> = policies.iter().map(|policy| judge(policy, question)).collect();
    let cluster: Vec<&Comparison> = comparisons.iter().filter(|pair| pair.service.is_empty()).collect();
    let chosen = cheapest(&judged, |policy| policy.standing == Standing::Meets)
        .or_else(|| cheapest(&judged, |policy| policy.is_met_by_estimate));
    let runner_up = runner_up(&judged, chosen, &cluster);
    let certainty = certainty(policies, &judged, chosen, &cluster);
    let mut verdict =
        RunVerdict { policies: judged, chosen, runner_up, facts: Vec::new(), certainty, next: Vec::new() };
    verdict.facts = facts::facts(policies, &verdict);
    verdict.next = next(&verdict, question);
    verdict
}

fn judge(policy: &PolicyResult, question: &Question) -> PolicyVerdict {
    let is_lone = question.objectives.len() == 1;
    let services: Vec<ServiceVerdict> = question
        .objectives
        .iter()
        .map(|(name, objective)| {
            let summary = &policy.of_service(Some(name)).summary;
            ServiceVerdict {
                service: if is_lone { String::new() } else { name.clone() },
                objective: *objective,
                standing: Standing::of(summary.slo_attainment_decides, *objective),
                slo_attainment: summary.slo_attainment,
            }
        })
        .collect();
    let mut silent_metrics: Vec<String> =
        policy.first.metrics().filter(|used| used.is_silent()).map(|used| used.metric.clone()).collect();
    silent_metrics.dedup();
    let is_met = |one: &ServiceVerdict| one.slo_attainment.mean.is_nan() || one.slo_attainment.mean >= one.objective;
    let standing = Standing::of_all(services.iter().map(|one| one.standing));
    PolicyVerdict {
        policy: policy.name().to_owned(),
        standing,
        is_met_by_estimate: standing != Standing::NothingToJudge && services.iter().all(is_met),
        slo_attainment: policy.summary.slo_attainment,
        cost_usd: policy.summary.cost_usd,
        services,
        silent_metrics,
    }
}

/// Of equal costs the first.
fn cheapest(policies: &[PolicyVerdict], is_in: impl Fn(&PolicyVerdict) -> bool) -> Option<usize> {
    let candidates = (0..policies.len()).filter(|&index| is_in(&policies[index]));
    candidates.min_by(|&a, &b| policies[a].cost_usd.mean.total_cmp(&policies[b].cost_usd.mean))
}

/// The worst of its services: misses over the misses allowed.
fn burn(policy: &PolicyVerdict) -> f64 {
    let of = |one: &ServiceVerdict| (1.0 - one.slo_attainment.mean) / (1.0 - one.objective).max(1e-9);
    policy.services.iter().map(of).filter(|burn| !burn.is_nan()).fold(0.0, f64::max)
}

/// Where something is chosen: of the cheaper ones that did not meet for certain the one with the least product of cost and misses, as both would
/// have to come down; else the cheapest of the others that meet. Where nothing is chosen: whatever misses least.
fn runner_up(judged: &[PolicyVerdict], chosen: Option<usize>, pairs: &[&Comparison]) -> Option<RunnerUp> {
    let least = |key: &dyn Fn(usize) -> f64, is_in: &dyn Fn(usize) -> bool| {
        (0..judged.len()).filter(|&index| is_in(index)).min_by(|&a, &b| key(a).total_cmp(&key(b)))
    };
    let is_judged = |index: usize| judged[index].standing != Standing::NothingToJudge;
    let cost = |index: usize| judged[index].cost_usd.mean;
    let Some(chosen) = chosen else {
        let policy = least(&|index| burn(&judged[index]), &is_judged)?;
        return Some(RunnerUp { policy, by: shortfall(&judged[policy])? });
    };
    let is_other = |index: usize| index != chosen && is_judged(index);
    let fails = |index: usize| is_other(index) && judged[index].standing != Standing::Meets;
    let near = least(&|index| burn(&judged[index]) * cost(index), &|index| fails(index) && cost(index) < cost(chosen));
    let meets = least(&cost, &|index| is_other(index) && judged[index].is_met_by_estimate);
    if let Some(policy) = near {
        return Some(RunnerUp { policy, by: shortfall(&judged[policy])? });
    }
    if let Some(policy) = meets {
        let (more, is_certain) = more(&judged[policy], &judged[chosen], pairs);
        return Some(RunnerUp { policy, by: Shortfall::Cost { more, is_certain } });
    }
    let policy = least(&|index| burn(&judged[index]), &fails)?;
    Some(RunnerUp { policy, by: shortfall(&judged[policy])? })
}

/// What a policy that does not meet every objective for certain fails by.
fn shortfall(policy: &PolicyVerdict) -> Option<Shortfall> {
    let gap = |one: &&ServiceVerdict| one.objective - one.slo_attainment.mean;
    let worst = policy.services.iter().filter(|one| gap(one) > 0.0).max_by(|a, b| gap(a).total_cmp(&gap(b)));
    if let Some(worst) = worst {
        let is_certain = worst.standing == Standing::Misses;
        return Some(Shortfall::Objective { service: worst.service.clone(), share: gap(&worst), is_certain });
    }
    let open = policy.services.iter().filter(|one| one.standing == Standing::Undecided);
    let depth = |one: &&ServiceVerdict| one.objective - one.slo_attainment.low;
    let open = open.max_by(|a, b| depth(a).total_cmp(&depth(b)))?;
    Some(Shortfall::NotCertain { service: open.service.clone(), low: open.slo_attainment.low })
}

/// What a policy costs more than another, by the paired difference where there is one.
fn more(policy: &PolicyVerdict, other: &PolicyVerdict, pairs: &[&Comparison]) -> (Interval, bool) {
    let named = |pair: &Comparison, first: &PolicyVerdict, second: &PolicyVerdict| {
        (&pair.policy, &pair.baseline) == (&first.policy, &second.policy)
    };
    for pair in pairs {
        let is_certain = pair.cost_verdict != Verdict::Undecided;
        if named(pair, policy, other) {
            return (pair.cost_usd, is_certain);
        }
        if named(pair, other, policy) {
            let Interval { mean, low, high } = pair.cost_usd;
            return (Interval { mean: -mean, low: -high, high: -low }, is_certain);
        }
    }
    (Interval { mean: policy.cost_usd.mean - other.cost_usd.mean, low: f64::NAN, high: f64::NAN }, false)
}

/// What is open and would change the answer: whether the chosen one or a cheaper one meets, and whether another that meets costs less.
fn certainty(
    policies: &[PolicyResult],
    judged: &[PolicyVerdict],
    chosen: Option<usize>,
    pairs: &[&Comparison],
) -> Certainty {
    let replications = policies.iter().map(|policy| policy.summary.replications).min().unwrap_or(0);
    let limit = chosen.map_or(f64::INFINITY, |index| judged[index].cost_usd.mean);
    let is_open = |&index: &usize| {
        judged[index].standing == Standing::Undecided && (Some(index) == chosen || judged[index].cost_usd.mean <= limit)
    };
    let open_objectives: Vec<usize> = (0..judged.len()).filter(is_open).collect();
    let rivals = (0..judged.len()).filter(|&index| Some(index) != chosen && judged[index].is_met_by_estimate);
    let open_costs: Vec<usize> = chosen
        .map_or(Vec::new(), |chosen| rivals.filter(|&index| !more(&judged[index], &judged[chosen], pairs).1).collect());
    let objectives = open_objectives.iter().map(|&index| needed_for_objective(&judged[index]));
    let costs = open_costs.iter().filter_map(|&index| {
        let (difference, _) = more(&judged[index], &judged[chosen?], pairs);
        Some(needed(difference.mean, [difference.low, difference.high], 0.0))
    });
    // Two give an interval that is none.
    let factor = if replications > 2 { objectives.chain(costs).fold(0.0, f64::max) } else { 1.0 };
    // Where there is no interval to go by, as many as give one.
    let least = open_objectives.iter().map(|&index| policies[index].summary.replications_needed).max().unwrap_or(0);
    let wanted = (factor * f64::from(replications)).ceil().max(f64::from(least));
    let replications_needed = match (open_objectives.len() + open_costs.len(), wanted) {
        (0, _) => None,
        (_, wanted) if wanted <= REPLICATIONS_PROPOSED_MAX => {
            let more = if least > replications { least } else { replications + 2 };
            Some((wanted as u32).max(more).max(REPLICATIONS_TO_BEGIN_WITH))
        }
        _ => None,
    };
    Certainty { replications, open_objectives, open_costs, replications_needed }
}

/// By what factor the replications must grow until the half-width towards `limit` is the distance to it: half-widths shrink with the square root
/// of their number. 1 where there is no interval to go by.
fn needed(mean: f64, bounds: [f64; 2], limit: f64) -> f64 {
    let half = if mean >= limit { mean - bounds[0] } else { bounds[1] - mean };
    let distance = (mean - limit).abs();
    let ratio = half / distance;
    if half.is_finite() { ratio * ratio } else { 1.0 }
}

/// On the scale on which intervals of shares are even.
fn needed_for_objective(policy: &PolicyVerdict) -> f64 {
    let logit = |share: f64| {
        let share = share.clamp(1e-9, 1.0 - 1e-9);
        libm::log(share / (1.0 - share))
    };
    let open = policy.services.iter().filter(|one| one.standing == Standing::Undecided);
    let of = |one: &ServiceVerdict| {
        let Interval { mean, low, high } = one.slo_attainment;
        if low.is_nan() { 1.0 } else { needed(logit(mean), [logit(low), logit(high)], logit(one.objective)) }
    };
    open.map(of).fold(0.0, f64::max)
}

fn next(verdict: &RunVerdict, question: &Question) -> Vec<NextStep> {
    let mut steps = Vec::new();
    let Some(scenario) = &question.scenario else { return steps };
    let scenario = if scenario.is_empty() { String::new() } else { format!(" {scenario}") };
    let runner_up = verdict.runner_up.as_ref().map(|other| other.policy);
    let named = [verdict.chosen, runner_up].into_iter().flatten();
    if let Some(silent) = named.map(|index| &verdict.policies[index]).find(|policy| !policy.silent_metrics.is_empty()) {
        steps.push(NextStep {
            purpose: format!("see which metrics {} could read instead", silent.policy),
            command: format!("scalelab metrics{scenario} --policy {}", silent.policy),
        });
    }
    if let Some(replications) = verdict.certainty.replications_needed {
        steps.push(NextStep {
            purpose: "decide what is open".to_owned(),
            command: format!("scalelab run{scenario} --replications {replications}"),
        });
    }
    // The cheaper one that falls short is where there is most to gain; then the one that was chosen.
    let tunable = |index: &usize| question.ranges.get(*index).is_some_and(|ranges| !ranges.is_empty());
    let is_short = |other: &&RunnerUp| !matches!(other.by, Shortfall::Cost { .. });
    let short = verdict.runner_up.as_ref().filter(is_short).map(|other| other.policy);
    let any = (0..verdict.policies.len()).find(tunable);
    let best = [short, verdict.chosen, any].into_iter().flatten().find(|index| tunable(index));
    if let Some(index) = best {
        let policy = &verdict.policies[index];
        let conditions: Vec<String> = policy
            .services
            .iter()
            .map(|one| {
                let whose = if one.service.is_empty() { String::new() } else { format!("{}: ", one.service) };
                format!(" --subject-to '{whose}slo_attainment >= {}'", one.objective)
            })
            .collect();
        steps.push(NextStep {
            purpose: format!("look beyond what is listed: cheaper settings of {} that meet", policy.policy),
            command: format!(
                "scalelab optimize{scenario} --policy {}{} --over {}",
                policy.policy,
                conditions.concat(),
                question.ranges[index]
            ),
        });
    }
    steps
}
