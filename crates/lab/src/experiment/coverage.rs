//! How often intervals hold the truth: a study over many replications of two policies, cut into experiments of a few.
//!
//! The truth is the figure of all replications together. Each round draws them in a new order and cuts them into disjoint groups, each an experiment
//! with the intervals it would print. Whoever wants to believe the truth runs a hundred times as many replications as an experiment has.

use record::{Interval, ReplicationSummary};
use workload::{Purpose, Stream};

use super::Replication;
use super::compare::share_difference;
use super::control::{CONTROLLED_COLUMNS, controlled_column};
use super::held::{decides_from, deciding_interval, is_changing, replications_needed, widening};
use super::pool::{column_figure, interval_of, merged, pooled_row};
use crate::columns::{COLUMNS, Column, Estimate};
use crate::statistics::{Confidence, Counts, Difference, mean};

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
    /// Share of the intervals that hold the truth, whether or not they are shown; NaN if no experiment gives one.
    pub coverage: f64,
    /// Share of the intervals that lie wholly below the truth: a gate `<=` just below it would hold.
    pub too_low: f64,
    /// Share of the intervals that lie wholly above the truth: a gate `>=` just above it would hold.
    pub too_high: f64,
    /// Median half-width over the truth.
    pub half_width: f64,
    /// Share of the experiments that show their interval.
    pub shown: f64,
    /// Share of the shown intervals that hold the truth; NaN if none is shown.
    pub coverage_shown: f64,
    /// By how much intervals would have to be stretched, from their estimates, for 92, 95 and 98 % of them to hold the truth.
    pub stretch: [f64; 3],
}

/// The experiments of one column.
#[derive(Clone, Default)]
struct Found {
    experiments: usize,
    held: usize,
    too_low: usize,
    too_high: usize,
    shown: usize,
    shown_and_held: usize,
    half_widths: Vec<f64>,
    stretches: Vec<f64>,
}

impl Found {
    fn count(&mut self, interval: Interval, truth: f64, is_shown: bool) {
        self.experiments += 1;
        if interval.low.is_nan() {
            return;
        }
        // Sums of thousands of values are off in their last digits.
        let slack = if truth.is_finite() { 1e-9 * truth.abs() } else { 0.0 };
        let is_too_low = interval.high < truth - slack;
        let is_too_high = interval.low > truth + slack;
        self.too_low += usize::from(is_too_low);
        self.too_high += usize::from(is_too_high);
        self.held += usize::from(!is_too_low && !is_too_high);
        self.shown += usize::from(is_shown);
        self.shown_and_held += usize::from(is_shown && !is_too_low && !is_too_high);
        self.half_widths.push((interval.high - interval.low) / 2.0 / truth.abs());
        let bound = if truth > interval.mean { interval.high } else { interval.low };
        let (off, width) = ((truth - interval.mean).abs(), (bound - interval.mean).abs());
        self.stretches.push(if off <= slack { 0.0 } else { off / width });
    }

    fn row(mut self, policy: &str, column: &str, replications: usize) -> CoverageRow {
        let intervals = self.half_widths.len();
        let of = |count: usize, all: usize| count as f64 / all as f64;
        CoverageRow {
            policy: policy.to_owned(),
            column: column.to_owned(),
            replications,
            experiments: self.experiments,
            coverage: of(self.held, intervals),
            too_low: of(self.too_low, intervals),
            too_high: of(self.too_high, intervals),
            half_width: quantile(&mut self.half_widths, 0.5),
            shown: of(self.shown, self.experiments),
            coverage_shown: of(self.shown_and_held, self.shown),
            stretch: [0.92, 0.95, 0.98].map(|level| quantile(&mut self.stretches, level)),
        }
    }
}

/// NaN of nothing.
fn quantile(values: &mut [f64], level: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (level * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// At least `experiments` experiments of each of `sizes` replications, drawn from those of two policies that met the same requests: a row per
/// policy, column that varies and size, and of their differences; with `expected_requests` also of columns with the number of requests as control.
pub fn coverage(
    policies: [&[Replication]; 2],
    sizes: &[usize],
    experiments: usize,
    expected_requests: Option<f64>,
) -> Vec<CoverageRow> {
    let [first, second] = policies;
    assert_eq!(first.len(), second.len(), "both policies met the same requests");
    let mut rows = Vec::new();
    for &size in sizes {
        let groups = groups(first.len(), size, experiments);
        for policy in policies {
            rows.extend(of_columns(policy, &groups));
            rows.extend(of_deciding(policy, &groups));
            rows.extend(expected_requests.into_iter().flat_map(|expected| of_controlled(policy, &groups, expected)));
        }
        rows.extend(of_differences(policies, &groups));
    }
    rows
}

/// Indexes of each experiment's replications: disjoint within a round, each round in an order of its own.
fn groups(all: usize, size: usize, wanted: usize) -> Vec<Vec<usize>> {
    assert!(size <= all, "an experiment of more replications than there are");
    let mut stream = Stream::new(1, Purpose::Resampling, size as u64);
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
        !values().any(f64::is_nan) && values().any(|value| value != column.of(&all[0].summary))
    };
    let columns: Vec<&Column> = COLUMNS.iter().filter(|column| !column.is_maximum()).filter(varies).collect();
    let together = pooled_row(all, &merged(all.iter().map(|one| &one.latency)));
    let mean_of = |column: &Column| mean(&all.iter().map(|one| column.of(&one.summary)).collect::<Vec<f64>>());
    let truth = |column: &&Column| match column.estimate {
        Estimate::Mean => mean_of(column),
        _ => column.of(&together),
    };
    let truths: Vec<f64> = columns.iter().map(truth).collect();
    let mut found = vec![Found::default(); columns.len()];
    for group in groups {
        let part = chosen(all, group);
        let pooled: ReplicationSummary = pooled_row(&part, &merged(part.iter().map(|one| &one.latency)));
        for ((column, &truth), found) in columns.iter().zip(&truths).zip(&mut found) {
            let is_shown = part.len() as u32 >= replications_needed(column, &part);
            found.count(interval_of(column, &part, &pooled, Confidence::P95), truth, is_shown);
        }
    }
    let name = &all[0].summary.policy;
    columns.iter().zip(found).map(|(column, found)| found.row(name, column.name, groups[0].len())).collect()
}

/// Intervals that are not shown and yet decide, where there are too few replications for others.
fn of_deciding(all: &[Replication], groups: &[Vec<usize>]) -> Vec<CoverageRow> {
    let size = groups[0].len() as u32;
    let is_one = |column: &&Column| size >= decides_from(column) && size < replications_needed(column, all);
    let row = |column: &'static Column| {
        let (mut found, truth) = (Found::default(), column_figure(column, all));
        for group in groups {
            found.count(deciding_interval(column, &chosen(all, group), Confidence::P95), truth, false);
        }
        found.row(&all[0].summary.policy, &format!("{} to decide by", column.name), groups[0].len())
    };
    COLUMNS.iter().filter(is_one).map(row).collect()
}

fn of_controlled(all: &[Replication], groups: &[Vec<usize>], expected: f64) -> Vec<CoverageRow> {
    let columns = CONTROLLED_COLUMNS.iter().filter_map(|name| Column::named(name));
    let row = |column: &'static Column| {
        let (mut found, truth) = (Found::default(), column_figure(column, all));
        for group in groups {
            let controlled = controlled_column(column, &chosen(all, group), expected, Confidence::P95);
            let none = Interval { mean: truth, low: f64::NAN, high: f64::NAN };
            found.count(controlled.map_or(none, |one| one.controlled.interval), truth, true);
        }
        found.row(&all[0].summary.policy, &format!("{} with requests as control", column.name), groups[0].len())
    };
    columns.map(row).collect()
}

fn of_differences([first, second]: [&[Replication]; 2], groups: &[Vec<usize>]) -> Vec<CoverageRow> {
    let costs = |part: &[Replication]| -> Vec<f64> { part.iter().map(|one| one.summary.cost_usd).collect() };
    let counts = |part: &[Replication]| -> Vec<Counts> { part.iter().map(|one| one.slo).collect() };
    let of = |first: &[Replication], second: &[Replication]| {
        [Difference::paired(&costs(first), &costs(second)), share_difference(&counts(first), &counts(second))]
    };
    let names = ["cost_usd", "slo_attainment"];
    let truths = of(first, second).map(|difference| difference.mean);
    let mut found = [Found::default(), Found::default()];
    for group in groups {
        let (first, second) = (chosen(first, group), chosen(second, group));
        let differences = of(&first, &second);
        for (index, name) in names.iter().enumerate() {
            let column = Column::named(name).expect("these names are in the list of columns");
            let needed = replications_needed(column, &first).max(replications_needed(column, &second));
            let is_changing = first.iter().chain(&second).any(is_changing);
            let difference = differences[index].widened(widening(is_changing, group.len()));
            let interval = difference.interval(Confidence::P95.alpha());
            found[index].count(interval, truths[index], group.len() as u32 >= needed);
        }
    }
    let both = format!("{} − {}", first[0].summary.policy, second[0].summary.policy);
    let row = |(name, found): (&&str, Found)| found.row(&both, &format!("{name} difference"), groups[0].len());
    names.iter().zip(found).map(row).collect()
}
