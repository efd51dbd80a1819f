//! What the data allow to say about pairs of policies, in words.

use record::{BudgetDetail, BudgetStretch, Comparison, Interval, Standing, Verdict};

use crate::RunReport;
use crate::rounding::{self, dollars, percent};

/// Per pair a sentence about cost and one about the SLO, then who meets the objective. Differences the data cannot tell from zero say
/// "undecided".
pub fn ranking_sentences(report: &RunReport<'_>) -> Vec<String> {
    let mut sentences: Vec<String> = report.comparisons.iter().flat_map(pair_sentences).collect();
    sentences.extend(objective_sentences(report));
    sentences
}

fn objective_sentences(report: &RunReport<'_>) -> Vec<String> {
    let of_policy = |(index, policy)| match report.objective {
        Some(objective) => objective_sentence(objective, policy),
        None => objectives_sentence(report, index, policy),
    };
    report.policies.iter().enumerate().map(of_policy).collect()
}

/// A policy against the objectives of all services: `hpa meets the objective of embed, misses that of chat (98.2 % met the SLO of their service)`.
fn objectives_sentence(report: &RunReport<'_>, index: usize, policy: &crate::PolicyOutcome<'_>) -> String {
    let standing = |service: &RunReport<'_>| {
        let attainment = service.policies[index].summary.slo_attainment_decides;
        service.objective.map_or("meets", |objective| standing(objective, attainment))
    };
    let mut parts: Vec<String> = Vec::new();
    for verdict in ["meets", "misses", "is undecided against", NOTHING_TO_JUDGE] {
        let of: Vec<&RunReport<'_>> = report.services.iter().filter(|service| standing(service) == verdict).collect();
        let names: Vec<&str> = of.iter().map(|service| service.service).collect();
        parts.extend(match (&names[..], verdict) {
            ([], _) => None,
            (names, NOTHING_TO_JUDGE) => Some(format!("had no request of {} to judge", names.join(", "))),
            (names, _) if names.len() == report.services.len() => {
                Some(format!("{verdict} the objectives of all services"))
            }
            ([only], _) => Some(format!("{verdict} the objective of {only}")),
            (names, _) => Some(format!("{verdict} the objectives of {}", names.join(", "))),
        });
    }
    format!(
        "{} {} ({} of all requests met the SLO of their service){}",
        policy.name(),
        parts.join(", "),
        percent(policy.summary.slo_attainment.mean),
        warning(policy)
    )
}

const NOTHING_TO_JUDGE: &str = "had no request to judge";

/// About cost and about the SLO; of policies that are the same in both one sentence says it.
fn pair_sentences(pair: &Comparison) -> Vec<String> {
    if pair.cost_verdict == Verdict::Same && pair.slo_verdict == Verdict::Same {
        let (policy, baseline) = (&pair.policy, &pair.baseline);
        return vec![format!(
            "{policy} and {baseline} have the same cost and meet the SLO as often, {}",
            in_each(pair)
        )];
    }
    vec![cost_sentence(pair), slo_sentence(pair)]
}

/// Whether too few replications leave a pair undecided in both respects.
fn has_no_interval(pair: &Comparison) -> bool {
    pair.replications <= 2 && pair.cost_verdict == Verdict::Undecided && pair.slo_verdict == Verdict::Undecided
}

fn in_each(pair: &Comparison) -> String {
    if pair.replications == 1 {
        "in 1 replication".to_owned()
    } else {
        format!("in each of {} replications", pair.replications)
    }
}

fn cost_sentence(pair: &Comparison) -> String {
    let (policy, baseline, size) = (&pair.policy, &pair.baseline, dollars(pair.cost_usd.mean.abs()));
    let range = |bounds: [f64; 2]| sure(pair, bounds, [&dollars(bounds[0]), &dollars(bounds[1])]);
    match pair.cost_verdict {
        Verdict::Better => format!("{policy} is cheaper than {baseline} by {size} {}", range(saved(pair.cost_usd))),
        Verdict::Worse => {
            format!("{policy} costs {size} more than {baseline} {}", range([pair.cost_usd.low, pair.cost_usd.high]))
        }
        Verdict::Undecided => {
            format!("{policy} against {baseline}, cost: undecided{}", unsure(pair, pair.cost_usd, dollars))
        }
        Verdict::Same => format!("{policy} costs the same as {baseline} {}", in_each(pair)),
    }
}

fn slo_sentence(pair: &Comparison) -> String {
    let (policy, baseline) = (&pair.policy, &pair.baseline);
    let size = points(pair.slo_attainment.mean.abs());
    // The unit once is enough: "2.11 to 2.91 points".
    let range =
        |bounds: [f64; 2]| sure(pair, bounds, [points(bounds[0]).trim_end_matches(" points"), &points(bounds[1])]);
    let bounds = [pair.slo_attainment.low, pair.slo_attainment.high];
    match pair.slo_verdict {
        Verdict::Better => format!("{policy} meets the SLO more often than {baseline}, by {size} {}", range(bounds)),
        Verdict::Worse => {
            format!(
                "{policy} meets the SLO less often than {baseline}, by {size} {}",
                range(saved(pair.slo_attainment))
            )
        }
        Verdict::Undecided => {
            format!("{policy} against {baseline}, SLO: undecided{}", unsure(pair, pair.slo_attainment, points))
        }
        Verdict::Same => format!("{policy} meets the SLO as often as {baseline} {}", in_each(pair)),
    }
}

/// The interval of a negative difference, told as a positive amount: smaller bound first.
fn saved(interval: Interval) -> [f64; 2] {
    [-interval.high, -interval.low]
}

fn sure(pair: &Comparison, [low, high]: [f64; 2], [low_text, high_text]: [&str; 2]) -> String {
    if low.is_nan() || high.is_nan() {
        let (replications, needed) = (pair.replications, pair.replications_needed);
        return format!("(clear with {replications} replications; an interval that holds needs {needed})");
    }
    format!("(95 % CI {low_text} to {high_text}, {} replications)", pair.replications)
}

fn unsure(pair: &Comparison, interval: Interval, print: impl Fn(f64) -> String) -> String {
    if interval.low.is_finite() && interval.high.is_finite() && pair.replications > 2 {
        let signed = |amount: f64| print(amount).replace('-', "\u{2212}");
        let (mean, low, high) = (signed(interval.mean), signed(interval.low), signed(interval.high));
        return format!(" (difference {mean}, 95 % CI {low} to {high}, {} replications)", pair.replications);
    }
    if pair.replications < pair.replications_needed && pair.replications > 2 {
        return format!(
            " (difference {}; {} replications, an interval that holds needs {})",
            print(interval.mean).replace('-', "\u{2212}"),
            pair.replications,
            pair.replications_needed
        );
    }
    let replications = if pair.replications == 1 { "1 replication gives" } else { "these replications give" };
    format!(" ({replications} no interval)")
}

/// A difference of shares in percentage points.
pub(crate) fn points(difference: f64) -> String {
    let size = (difference * 100.0).abs();
    let digits = if size >= 0.1 || size == 0.0 { 2 } else { 4 };
    let sign = if difference < 0.0 { "-" } else { "" };
    format!("{sign}{size:.digits$} points")
}

fn standing(objective: f64, attainment: Interval) -> &'static str {
    match Standing::of(attainment, objective) {
        Standing::Meets => "meets",
        Standing::Misses => "misses",
        Standing::Undecided => "is undecided against",
        Standing::NothingToJudge => NOTHING_TO_JUDGE,
    }
}

fn objective_sentence(objective: f64, policy: &crate::PolicyOutcome<'_>) -> String {
    let attainment = policy.summary.slo_attainment;
    let verdict = standing(objective, policy.summary.slo_attainment_decides);
    format!(
        "{} {verdict} the objective of {} ({} met the SLO){}",
        policy.name(),
        rounding::objective(objective),
        percent(attainment.mean),
        warning(policy)
    )
}

/// Pairs up to which a terminal has room for all that can be said.
const PAIRS_IN_FULL: usize = 3;

/// The sentences about pairs that a terminal or a comment has room for: all of them for few policies, none for more. Every pair is in the
/// `comparison` table and in the report.
pub fn headline_sentences(report: &RunReport<'_>) -> Vec<String> {
    let is_short = report.comparisons.len() <= PAIRS_IN_FULL;
    // That no pair is decided for want of an interval is one sentence, not two for each.
    if is_short && report.comparisons.len() > 1 && report.comparisons.iter().all(has_no_interval) {
        return vec!["no policy is told from another: an interval takes 3 replications or more".to_owned()];
    }
    report.comparisons.iter().filter(|_| is_short).flat_map(pair_sentences).collect()
}

/// Policies some of whose metrics never answered, and what else the runs remarked: of each policy its first replication's words. What is true of
/// several policies is said once, with their names.
pub fn remark_sentences(report: &RunReport<'_>) -> Vec<String> {
    let mut told: Vec<(String, Vec<&str>)> = Vec::new();
    for policy in report.policies {
        for remark in policy.detail.all_remarks() {
            match told.iter_mut().find(|(known, _)| *known == remark) {
                Some((_, names)) if names.last() != Some(&policy.name()) => names.push(policy.name()),
                Some(_) => {}
                None => told.push((remark, vec![policy.name()])),
            }
        }
    }
    told.into_iter().map(|(remark, names)| format!("{}: {remark}", names.join(", "))).collect()
}

/// What stands beside a policy wherever it is named as the best: which of its metrics never answered; empty if all did.
fn warning(policy: &crate::PolicyOutcome<'_>) -> String {
    let silent: Vec<&str> =
        policy.detail.metrics().filter(|used| used.is_silent()).map(|used| used.metric.as_str()).fold(
            Vec::new(),
            |mut names, name| {
                if !names.contains(&name) {
                    names.push(name);
                }
                names
            },
        );
    if silent.is_empty() {
        return String::new();
    }
    format!(" (warning: it never had a value of {}, see the remarks)", silent.join(" and of "))
}

/// How fast each policy spends an error budget of 28 days, one sentence per policy that spends any.
pub fn budget_sentences(report: &RunReport<'_>) -> Vec<String> {
    let budgets = report.policies.iter().filter_map(|policy| Some((policy, policy.budget?)));
    budgets
        .filter(|(_, budget)| budget.burn_rate.mean > 0.0)
        .map(|(policy, budget)| {
            let share = |spent: f64| format!("{} %", rounding::three_digits(spent * 100.0));
            let bounds = budget.spent_28d;
            let interval = if bounds.low.is_nan() || policy.summary.replications == 2 {
                String::new()
            } else {
                format!(" (95 % of them {} to {})", share(bounds.low), share(bounds.high))
            };
            // The detail is one replication's, which may have missed nothing.
            let worst = budget.detail.as_ref().and_then(BudgetDetail::worst_five_minutes);
            let worst = worst.filter(|worst| worst.slo_misses > 0).map(|worst| {
                let at = report.start.map_or_else(|| worst.start.to_string(), |start| start.clock(worst.start));
                format!("; worst 5 min from {at}, {}", rate(worst))
            });
            format!(
                "{}: 28 days like this spend {}{interval} of the error budget{}",
                policy.name(),
                share(budget.spent_28d.mean),
                worst.unwrap_or_default()
            )
        })
        .collect()
}

/// How fast a stretch burns the budget, or that nothing more could be missed in it.
fn rate(stretch: &BudgetStretch) -> String {
    if stretch.slo_misses == stretch.requests {
        return "when every request missed".to_owned();
    }
    format!("at {} times the rate allowed", rounding::three_digits(stretch.burn_rate))
}
