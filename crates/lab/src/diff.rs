//! Two results of the same thing, before and after: what changed, and is it more than chance?

use record::{Interval, ReplicationSummary, Verdict};

use crate::columns::{Column, Unit};
use crate::experiment::{corrected, verdict};
use crate::statistics::{Difference, mean};

/// The columns that are compared unless others are asked for.
pub const COLUMNS_COMPARED: &[&str] = &[
    "slo_attainment",
    "latency_ms_mean",
    "latency_ms_p50",
    "latency_ms_p99",
    "cost_usd",
    "gpu_hours",
    "replicas_mean",
    "cold_starts",
    "requests_lost",
    "failed",
];

/// One column of one policy.
#[derive(Clone, Debug)]
pub struct DiffRow {
    /// The policy.
    pub policy: String,
    /// The service; empty for the whole cluster.
    pub service: String,
    /// The column.
    pub column: &'static Column,
    /// Mean over the first result's replications.
    pub before: f64,
    /// Mean over the second result's.
    pub after: f64,
    /// After minus before; the interval is at the level the verdict was reached at.
    pub difference: Interval,
    /// Whether replications were paired: both results have the same seeds.
    pub is_paired: bool,
    /// Is after better than before? For columns that are neither good nor bad, `Better` is more.
    pub verdict: Verdict,
}

/// What two results have in common and what not.
#[derive(Clone, Debug)]
pub struct Diff {
    /// Policy by policy in the order of the second result, column by column.
    pub rows: Vec<DiffRow>,
    /// Policies, and services of policies (`hpa: chat`), that only the first has.
    pub only_before: Vec<String>,
    /// Those that only the second has.
    pub only_after: Vec<String>,
    /// Whether every replication of every common policy has the same digest: nothing changed at all.
    pub is_identical: bool,
}

/// Compares two results, policy by policy: paired where the seeds are the same, Welch's test otherwise, Holm's correction over all rows.
pub fn diff(before: &[ReplicationSummary], after: &[ReplicationSummary], columns: &[&'static Column]) -> Diff {
    let (old, new) = (subjects(before), subjects(after));
    let common: Vec<&Subject<'_>> = new.iter().filter(|policy| old.contains(policy)).collect();
    let pairs: Vec<(Vec<&ReplicationSummary>, Vec<&ReplicationSummary>)> =
        common.iter().map(|subject| (about(before, subject), about(after, subject))).collect();
    let cells: Vec<(usize, &'static Column)> =
        (0..common.len()).flat_map(|policy| columns.iter().map(move |&column| (policy, column))).collect();
    let differences: Vec<Difference> =
        cells.iter().map(|&(policy, column)| difference(column, &pairs[policy])).collect();
    let rows = cells
        .iter()
        .zip(&differences)
        .zip(corrected(&differences))
        .map(|((&(policy, column), difference), step)| {
            let (old, new) = &pairs[policy];
            DiffRow {
                policy: common[policy].0.to_owned(),
                service: common[policy].1.to_owned(),
                column,
                before: mean(&values(column, old)),
                after: mean(&values(column, new)),
                difference: difference.interval(step.alpha),
                is_paired: is_paired(old, new),
                verdict: verdict(if is_less_better(column) { -difference.mean } else { difference.mean }, step),
            }
        })
        .collect();
    let digests = |runs: &[&ReplicationSummary]| runs.iter().map(|run| (run.seed, run.digest)).collect::<Vec<_>>();
    Diff {
        rows,
        only_before: old.iter().filter(|subject| !new.contains(subject)).map(named).collect(),
        only_after: new.iter().filter(|subject| !old.contains(subject)).map(named).collect(),
        is_identical: old == new && pairs.iter().all(|(old, new)| digests(old) == digests(new)),
    }
}

/// Money, times and losses are better when less; attainment and answers are better when more.
fn is_less_better(column: &Column) -> bool {
    match column.unit {
        Unit::Dollars | Unit::Milliseconds | Unit::Seconds | Unit::Hours => true,
        Unit::Share => false,
        Unit::Count => !matches!(column.name, "requests" | "completed"),
    }
}

/// What rows are about: a policy, and one of its services or, if that is empty, the whole cluster.
type Subject<'a> = (&'a str, &'a str);

fn subject(summary: &ReplicationSummary) -> Subject<'_> {
    (&summary.policy, &summary.service)
}

fn named((policy, service): &Subject<'_>) -> String {
    if service.is_empty() { (*policy).to_owned() } else { format!("{policy}: {service}") }
}

fn subjects(summaries: &[ReplicationSummary]) -> Vec<Subject<'_>> {
    let mut subjects = Vec::new();
    for summary in summaries {
        if !subjects.contains(&subject(summary)) {
            subjects.push(subject(summary));
        }
    }
    subjects
}

fn about<'a>(summaries: &'a [ReplicationSummary], wanted: &Subject<'_>) -> Vec<&'a ReplicationSummary> {
    summaries.iter().filter(|summary| subject(summary) == *wanted).collect()
}

fn values(column: &Column, runs: &[&ReplicationSummary]) -> Vec<f64> {
    runs.iter().map(|run| column.of(run)).collect()
}

fn is_paired(old: &[&ReplicationSummary], new: &[&ReplicationSummary]) -> bool {
    old.iter().map(|run| run.seed).eq(new.iter().map(|run| run.seed))
}

/// After minus before.
fn difference(column: &Column, (old, new): &(Vec<&ReplicationSummary>, Vec<&ReplicationSummary>)) -> Difference {
    let (first, second) = (values(column, new), values(column, old));
    if is_paired(old, new) { Difference::paired(&first, &second) } else { Difference::welch(&first, &second) }
}
