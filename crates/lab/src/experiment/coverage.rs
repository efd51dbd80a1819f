//! How often intervals hold the truth: a study over many replications of two policies, cut into experiments of a few.
//!
//! The truth is the figure of all replications together. Each round draws them in a new order and cuts them into disjoint groups, each an experiment
//! with the intervals it would print. Whoever wants to believe the truth runs a hundred times as many replications as an experiment has.

use record::{Interval, ReplicationSummary};
use workload::{Purpose, Stream};

use super::Replication;
use super::compare::share_difference;
use super::held::{is_changing, replications_needed, widening};
use super::pool::{column_figure, interval_of, merged, pooled_row};
use crate::columns::{COLUMNS, Column};
use crate::statistics::{Confidence, Counts, Difference};

/// What the experiments with one number of replications come to, for one column.
#[derive(Clone, Debug, PartialEq)]
pub struct CoverageRow {
    /// The policy; of a difference both.
    pub policy: String,
    /// The column, or `cost_usd difference` and `slo_attainment difference` of the two policies.
    pub column: String,
    /// Replications of an experiment.
    pub replications: usize,
    /// Experiments.
    pub experiments: usize,
    /// Share of them whose 95 % interval holds the truth; NaN if none gives an interval.
    pub coverage: f64,
    /// Share of them whose interval lies wholly below the truth.
    pub too_low: f64,
    /// Mean half-width over the truth.
    pub half_width: f64,
    /// Share of them that show it.
    pub shown: f64,
}

/// Sums over the experiments of one column.
#[derive(Clone, Copy, Default)]
struct Tally {
    experiments: usize,
    intervals: usize,
    held: usize,
    too_low: usize,
    shown: usize,
    half_widths: f64,
}

impl Tally {
    fn count(&mut self, interval: Interval, truth: f64, is_shown: bool) {
        self.experiments += 1;
        if interval.low.is_nan() {
            return;
        }
        self.intervals += 1;
        self.shown += usize::from(is_shown);
        // Sums of a thousand values are off in their last digits.
        let slack = 1e-9 * truth.abs();
        self.too_low += usize::from(interval.high < truth - slack);
        self.held += usize::from(interval.low <= truth + slack && truth - slack <= interval.high);
        let half_width = (interval.high - interval.low) / 2.0 / truth.abs();
        self.half_widths += if half_width.is_finite() { half_width } else { 0.0 };
    }

    fn row(self, policy: &str, column: &str, replications: usize) -> CoverageRow {
        let of = |count: usize, all: usize| count as f64 / all as f64;
        CoverageRow {
            policy: policy.to_owned(),
            column: column.to_owned(),
            replications,
            experiments: self.experiments,
            coverage: of(self.held, self.intervals),
            too_low: of(self.too_low, self.intervals),
            half_width: self.half_widths / self.intervals as f64,
            shown: of(self.shown, self.experiments),
        }
    }
}

/// At least `experiments` experiments of each of `sizes` replications, drawn from those of two policies that met the same requests: a row per
/// policy, column that varies and size, and of their differences.
pub fn coverage(policies: [&[Replication]; 2], sizes: &[usize], experiments: usize, seed: u64) -> Vec<CoverageRow> {
    let [first, second] = policies;
    assert_eq!(first.len(), second.len(), "both policies met the same requests");
    let mut rows = Vec::new();
    for &size in sizes {
        let groups = groups(first.len(), size, experiments, seed);
        for policy in policies {
            rows.extend(of_columns(policy, &groups));
        }
        rows.extend(of_differences(policies, &groups));
    }
    rows
}

/// Indexes of each experiment's replications: disjoint within a round, each round in an order of its own.
fn groups(all: usize, size: usize, wanted: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut stream = Stream::new(seed, Purpose::Resampling, size as u64);
    let mut order: Vec<usize> = (0..all).collect();
    let mut groups = Vec::new();
    while groups.len() < wanted {
        for last in (1..all).rev() {
            order.swap(last, (stream.uniform() * (last + 1) as f64) as usize);
        }
        groups.extend(order.chunks_exact(size).take(wanted - groups.len()).map(<[usize]>::to_vec));
    }
    groups
}

fn chosen(all: &[Replication], group: &[usize]) -> Vec<Replication> {
    group.iter().map(|&index| all[index].clone()).collect()
}

fn of_columns(all: &[Replication], groups: &[Vec<usize>]) -> Vec<CoverageRow> {
    let varies = |column: &&Column| {
        let values = || all.iter().map(|one| column.of(&one.summary));
        values().all(f64::is_finite) && values().any(|value| value != column.of(&all[0].summary))
    };
    let columns: Vec<&Column> = COLUMNS.iter().filter(|column| !column.is_maximum()).filter(varies).collect();
    let truths: Vec<f64> = columns.iter().map(|column| column_figure(column, all)).collect();
    let mut tallies = vec![Tally::default(); columns.len()];
    for group in groups {
        let part = chosen(all, group);
        let pooled: ReplicationSummary = pooled_row(&part, &merged(part.iter().map(|one| &one.latency)));
        for ((column, &truth), tally) in columns.iter().zip(&truths).zip(&mut tallies) {
            let is_shown = part.len() as u32 >= replications_needed(column, &part);
            tally.count(interval_of(column, &part, &pooled, Confidence::P95), truth, is_shown);
        }
    }
    let name = &all[0].summary.policy;
    columns.iter().zip(tallies).map(|(column, tally)| tally.row(name, column.name, groups[0].len())).collect()
}

fn of_differences([first, second]: [&[Replication]; 2], groups: &[Vec<usize>]) -> Vec<CoverageRow> {
    let costs = |part: &[Replication]| -> Vec<f64> { part.iter().map(|one| one.summary.cost_usd).collect() };
    let counts = |part: &[Replication]| -> Vec<Counts> { part.iter().map(|one| one.slo).collect() };
    let of = |first: &[Replication], second: &[Replication]| {
        [Difference::paired(&costs(first), &costs(second)), share_difference(&counts(first), &counts(second))]
    };
    let names = ["cost_usd", "slo_attainment"];
    let truths = of(first, second).map(|difference| difference.mean);
    let mut tallies = [Tally::default(); 2];
    for group in groups {
        let (first, second) = (chosen(first, group), chosen(second, group));
        let found = of(&first, &second);
        for (index, name) in names.iter().enumerate() {
            let column = Column::named(name).expect("these names are in the list of columns");
            let needed = replications_needed(column, &first).max(replications_needed(column, &second));
            let is_changing = first.iter().chain(&second).any(is_changing);
            let found = found[index].widened(widening(is_changing, group.len()));
            let interval = found.interval(Confidence::P95.alpha());
            tallies[index].count(interval, truths[index], group.len() as u32 >= needed);
        }
    }
    let both = format!("{} − {}", first[0].summary.policy, second[0].summary.policy);
    let row = |(name, tally): (&&str, Tally)| tally.row(&both, &format!("{name} difference"), groups[0].len());
    names.iter().zip(tallies).map(row).collect()
}
