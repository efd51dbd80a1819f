//! A column of two runs beside each other: paired as far as their seeds are the same, independent otherwise, and the same where that is known.

use record::{Interval, ReplicationSummary};

use crate::columns::{Column, Estimate, Unit};
use crate::experiment::{STRETCH, decides_from, has_changes, replications_needed_of, widening};
use crate::statistics::{Difference, mean};

/// What is left of runs in their folder: each replication, and of each policy the figures of all replications together.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// Rows of `replications.csv`.
    pub replications: Vec<ReplicationSummary>,
    /// Rows of `summary.csv`, whose percentiles and rates are those of all replications together.
    pub pooled: Vec<ReplicationSummary>,
}

/// What rows are about: a policy, and one of its services or, if that is empty, the whole cluster.
pub(crate) type Subject<'a> = (&'a str, &'a str);

pub(crate) fn subject(summary: &ReplicationSummary) -> Subject<'_> {
    (&summary.policy, &summary.service)
}

impl Runs {
    /// The replications of a subject.
    pub(crate) fn about(&self, wanted: Subject<'_>) -> Vec<&ReplicationSummary> {
        self.replications.iter().filter(|summary| subject(summary) == wanted).collect()
    }

    /// All replications of a subject together, if that is known.
    pub(crate) fn together(&self, wanted: Subject<'_>) -> Option<&ReplicationSummary> {
        self.pooled.iter().find(|summary| subject(summary) == wanted)
    }
}

/// One side: its replications, and the figure of the first so many of them together, where that is known.
pub(crate) struct Side<'a> {
    pub rows: &'a [&'a ReplicationSummary],
    pub together: &'a dyn Fn(usize) -> Option<f64>,
}

/// Both sides of a column.
#[derive(Clone, Debug)]
pub(crate) struct Beside {
    /// The figures that are compared, of all counted replications together.
    pub wholes: [f64; 2],
    /// The same of each replication, spread out as far as intervals are wider.
    pub sections: [Vec<f64>; 2],
    /// Replications of each side.
    pub replications: [usize; 2],
    /// Whether the seeds of the shorter side are the first of the other, so that those replications are compared one by one.
    pub is_paired: bool,
    /// Whether every pair has the very same figure.
    pub is_same: bool,
    /// Whether so many replications are known to give an interval that holds; if not, how many would.
    pub needed: Option<u32>,
    /// Whether fewer replications than that decide, by an interval that is much wider.
    pub is_decisive: bool,
}

impl Beside {
    pub(crate) fn of(column: &Column, first: &Side<'_>, second: &Side<'_>) -> Self {
        let shared = shared(first.rows, second.rows);
        let counted = shared.map_or([first.rows.len(), second.rows.len()], |shared| [shared, shared]);
        let rows = [&first.rows[..counted[0]], &second.rows[..counted[1]]];
        let sections = rows.map(|rows| rows.iter().map(|row| column.of(row)).collect::<Vec<f64>>());
        let together = [(first.together)(counted[0]), (second.together)(counted[1])];
        let wholes = match together {
            [Some(first), Some(second)] if column.estimate != Estimate::Mean => [first, second],
            _ => [mean(&sections[0]), mean(&sections[1])],
        };
        let needed = rows.map(|rows| replications_needed_of(column, rows.iter().copied()));
        let needed = needed[0].max(needed[1]);
        let is_held = counted.iter().all(|&count| count as u32 >= needed);
        let is_same = shared.is_some() && sections[0].iter().zip(&sections[1]).all(|(&a, &b)| same(column, a, b));
        // As much less certain as intervals are wider.
        let is_skewed =
            column.estimate == Estimate::Quantile || rows.iter().copied().flatten().any(|row| has_changes(row));
        let wider = |index: usize| -> Vec<f64> {
            let widening = widening(is_skewed, sections[index].len());
            let apart = |value: &f64| {
                if *value == wholes[index] { *value } else { wholes[index] + widening * (value - wholes[index]) }
            };
            sections[index].iter().map(apart).collect()
        };
        let sections = [wider(0), wider(1)];
        Self {
            is_same,
            is_paired: shared.is_some(),
            replications: [first.rows.len(), second.rows.len()],
            needed: (!is_held).then_some(needed),
            is_decisive: is_held || counted.iter().all(|&count| count as u32 >= decides_from(column)),
            wholes,
            sections,
        }
    }

    /// A difference as it is to be judged: much wider where there are too few replications for an interval to show, nothing where there are too few
    /// even for that.
    pub(crate) fn to_judge(&self, difference: &Difference) -> Difference {
        let is_known = self.needed.is_none() || (self.is_same && difference.mean == 0.0);
        if is_known { *difference } else { difference.widened(if self.is_decisive { STRETCH } else { f64::NAN }) }
    }

    /// Its interval.
    pub(crate) fn decides(&self, difference: &Difference, alpha: f64) -> Interval {
        self.to_judge(difference).interval(alpha)
    }

    /// First minus `factor` times the second; exactly nothing where both are the same.
    pub(crate) fn difference(&self, factor: f64) -> Difference {
        let [first, second] = &self.sections;
        if self.is_same && factor == 1.0 {
            return Difference {
                mean: 0.0,
                standard_error: 0.0,
                degrees_of_freedom: (first.len() as f64 - 1.0).max(1.0),
            };
        }
        let scaled: Vec<f64> = second.iter().map(|value| factor * value).collect();
        let wholes = [self.wholes[0], factor * self.wholes[1]];
        if self.is_paired {
            Difference::paired_around(wholes, first, &scaled)
        } else {
            Difference::welch_around(wholes, first, &scaled)
        }
    }
}

/// How many replications both have, if the seeds of the shorter are the first of the other.
fn shared(first: &[&ReplicationSummary], second: &[&ReplicationSummary]) -> Option<usize> {
    let shared = first.len().min(second.len());
    (shared > 0 && first.iter().zip(second).all(|(one, other)| one.seed == other.seed)).then_some(shared)
}

/// Tables have money in micro-dollars; everything else stands in them to the last digit.
fn same(column: &Column, a: f64, b: f64) -> bool {
    let is_close = column.unit == Unit::Dollars && (a - b).abs() <= 0.5e-6;
    is_close || a == b || (a.is_nan() && b.is_nan())
}
