//! Two results of the same thing, before and after: what changed, and is it more than chance?

use record::{Interval, ReplicationSummary, Verdict};

use crate::beside::{Beside, Runs, Side, Subject, subject};
use crate::columns::{Column, Unit};
use crate::experiment::{Question, answers, better_if};

/// The columns that are compared unless others are asked for.
pub const COLUMNS_COMPARED: &[&str] = &[
    "slo_attainment",
    "latency_ms_mean",
    "latency_ms_p50_all",
    "latency_ms_p99_all",
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
    /// The first result's figure, as its summary has it.
    pub before: f64,
    /// The second result's.
    pub after: f64,
    /// After minus before; the interval is at the level the verdict was reached at.
    pub difference: Interval,
    /// Whether replications were paired: both results have the same seeds, as far as the shorter of them goes.
    pub is_paired: bool,
    /// Replications that would give an interval known to hold, where these are too few.
    pub replications_needed: Option<u32>,
    /// Is after better than before? For columns that are neither good nor bad, `Better` is more. `Same` where every replication of both has the very
    /// same figure.
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

/// What a row is about: whom, and which figure.
type Cell<'r> = (Subject<'r>, &'static Column);

/// Compares two results, policy by policy: paired where the seeds are the same, Welch's test otherwise, Holm's correction over all rows in which
/// something differs.
pub fn diff(before: &Runs, after: &Runs, columns: &[&'static Column]) -> Diff {
    let (old, new) = (subjects(&before.replications), subjects(&after.replications));
    let common: Vec<Subject<'_>> = new.iter().filter(|policy| old.contains(policy)).copied().collect();
    let cells: Vec<Cell<'_>> =
        common.iter().flat_map(|&subject| columns.iter().map(move |&column| (subject, column))).collect();
    let found: Vec<Beside> = cells.iter().map(|&(subject, column)| beside(column, before, after, subject)).collect();
    let questions: Vec<Question> = found
        .iter()
        .map(|found| Question {
            difference: found.to_judge(&found.difference(1.0)),
            // Of replications that only one side has nothing is known.
            is_same: found.is_same && found.replications[0] == found.replications[1],
            is_shown: found.needed.is_none(),
        })
        .collect();
    let row = |((&(subject, column), found), answer): ((&Cell<'_>, &Beside), (Interval, Verdict))| {
        let is_good = |difference: f64| if is_less_better(column) { difference < 0.0 } else { difference > 0.0 };
        DiffRow {
            policy: subject.0.to_owned(),
            service: subject.1.to_owned(),
            column,
            before: found.wholes[1],
            after: found.wholes[0],
            difference: answer.0,
            is_paired: found.is_paired,
            replications_needed: found.needed,
            verdict: better_if(answer, is_good),
        }
    };
    let rows = cells.iter().zip(&found).zip(answers(&questions)).map(row).collect();
    let digests = |runs: &Runs, subject: Subject<'_>| -> Vec<(u64, u64)> {
        runs.about(subject).iter().map(|run| (run.seed, run.digest)).collect()
    };
    Diff {
        rows,
        only_before: old.iter().filter(|subject| !new.contains(subject)).map(named).collect(),
        only_after: new.iter().filter(|subject| !old.contains(subject)).map(named).collect(),
        is_identical: old == new && common.iter().all(|&subject| digests(before, subject) == digests(after, subject)),
    }
}

/// After beside before.
fn beside(column: &Column, before: &Runs, after: &Runs, subject: Subject<'_>) -> Beside {
    let (old, new) = (before.about(subject), after.about(subject));
    let together = |runs: &Runs, all: usize, count: usize| {
        runs.together(subject).filter(|_| count == all).map(|pooled| column.of(pooled))
    };
    let (of_new, of_old) = (|count| together(after, new.len(), count), |count| together(before, old.len(), count));
    Beside::of(column, &Side { rows: &new, together: &of_new }, &Side { rows: &old, together: &of_old })
}

/// Money, times and losses are better when less; attainment and answers are better when more.
fn is_less_better(column: &Column) -> bool {
    match column.unit {
        Unit::Dollars | Unit::Milliseconds | Unit::Seconds | Unit::Hours => true,
        Unit::Share => false,
        Unit::Count => !matches!(column.name, "requests" | "completed"),
    }
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
