//! The comparison as text cells, with the best of each column marked.

use record::{Interval, PolicySummary, ReplicationSummary, Verdict};

use crate::RunReport;
use crate::rounding::{count, dollars, milliseconds, percent, percent_digits, three_digits};

/// One column of the comparison, a value per policy.
pub(crate) struct Column {
    pub header: &'static str,
    pub values: Vec<String>,
    /// What the cells are sorted by; empty for text.
    pub keys: Vec<f64>,
    /// Not told apart from the best of the column.
    pub best: Vec<bool>,
    pub is_text: bool,
    /// Columns with a higher number are left out first where room is short; 0 stays.
    pub dispensable: u8,
}

pub(crate) struct Cells {
    pub columns: Vec<Column>,
}

/// All columns, most important first within what people expect to read from left to right.
pub(crate) fn cells(report: &RunReport<'_>, unicode: bool) -> Cells {
    let plus_minus = if unicode { "\u{b1}" } else { "+-" };
    let pooled = || report.policies.iter().map(|policy| &policy.summary.pooled);
    let number = |header, dispensable, values: Vec<String>| Column {
        header,
        best: vec![false; values.len()],
        values,
        keys: Vec::new(),
        is_text: false,
        dispensable,
    };
    let name = |text: &str| text.chars().map(|c| if c.is_control() { '?' } else { c }).collect::<String>();
    let marked = |policy: &crate::PolicyOutcome<'_>| {
        let mark = if policy.summary.pooled.metrics_silent > 0 { SILENT } else { "" };
        name(policy.name()) + mark
    };
    let summaries = || report.policies.iter().map(|policy| policy.summary);
    let mut columns = vec![
        Column { is_text: true, ..number("policy", 0, report.policies.iter().map(marked).collect()) },
        Column {
            best: best_slo(report),
            ..number("SLO met", 0, summaries().map(|row| slo_cell(row.slo_attainment, plus_minus)).collect())
        },
        number("p50", 3, pooled().map(|row| milliseconds(row.latency_ms_p50)).collect()),
        number("p99", 1, pooled().map(|row| milliseconds(row.latency_ms_p99)).collect()),
        Column {
            best: best_cost(report),
            ..number("cost", 0, summaries().map(|row| cost_cell(row.cost_usd, plus_minus)).collect())
        },
        number("per 1M requests", 5, pooled().map(|row| dollars(row.cost_per_million_requests_usd)).collect()),
        number("replicas mean/max", 4, pooled().map(replicas_cell).collect()),
        number("cold starts", 6, pooled().map(|row| count(row.cold_starts)).collect()),
        number("lost", 7, pooled().map(|row| count(row.requests_lost)).collect()),
        number("failed", 2, pooled().map(|row| count(row.failed)).collect()),
    ];
    for (column, key) in columns.iter_mut().skip(1).zip(KEYS) {
        column.keys = summaries().map(key).collect();
    }
    for index in [2, 3] {
        columns[index].best = least(report, columns[index].keys.iter().copied());
    }
    if !report.has_latency() {
        columns.drain(2..4);
    }
    Cells { columns }
}

/// Behind the name of a policy some of whose metrics never had a value; the remarks say which.
const SILENT: &str = " (!)";

/// The number behind each column after the first.
const KEYS: [fn(&PolicySummary) -> f64; 9] = [
    |row| row.slo_attainment.mean,
    |row| row.pooled.latency_ms_p50,
    |row| row.pooled.latency_ms_p99,
    |row| row.cost_usd.mean,
    |row| row.pooled.cost_per_million_requests_usd,
    |row| row.pooled.replicas_mean,
    |row| row.pooled.cold_starts as f64,
    |row| row.pooled.requests_lost as f64,
    |row| row.pooled.failed as f64,
];

fn replicas_cell(row: &ReplicationSummary) -> String {
    format!("{}/{}", three_digits(row.replicas_mean), row.replicas_max)
}

fn slo_cell(interval: Interval, plus_minus: &str) -> String {
    let half = (interval.high - interval.low) / 2.0;
    if half.is_finite() {
        format!("{} {plus_minus}{:.*}", percent(interval.mean), percent_digits(interval.mean), half * 100.0)
    } else {
        percent(interval.mean)
    }
}

fn cost_cell(interval: Interval, plus_minus: &str) -> String {
    let half = (interval.high - interval.low) / 2.0;
    if half.is_finite() {
        format!("{} {plus_minus}{}", dollars(interval.mean), dollars(half).trim_start_matches('$'))
    } else {
        dollars(interval.mean)
    }
}

fn best_cost(report: &RunReport<'_>) -> Vec<bool> {
    let order = report.policies.iter().map(|policy| policy.summary.cost_usd.mean).collect::<Vec<_>>();
    tied_with_best(report, &order, |comparison| comparison.cost_verdict)
}

fn best_slo(report: &RunReport<'_>) -> Vec<bool> {
    let order = report.policies.iter().map(|policy| -policy.summary.slo_attainment.mean).collect::<Vec<_>>();
    tied_with_best(report, &order, |comparison| comparison.slo_verdict)
}

/// The policy with the least value and all that the data cannot tell from it.
fn tied_with_best(
    report: &RunReport<'_>,
    order: &[f64],
    verdict: impl Fn(&record::Comparison) -> Verdict,
) -> Vec<bool> {
    let mut best = least(report, order.iter().copied());
    let Some(winner) = best.iter().position(|&is_best| is_best) else { return best };
    let winner = report.policies[winner].name();
    for (policy, is_best) in report.policies.iter().zip(&mut best) {
        let undecided = report.comparisons.iter().filter(|comparison| verdict(comparison) == Verdict::Undecided);
        let names = [policy.name(), winner];
        *is_best |= undecided.into_iter().any(|pair| {
            names == [pair.policy.as_str(), pair.baseline.as_str()]
                || names == [pair.baseline.as_str(), pair.policy.as_str()]
        });
    }
    best
}

/// Marks the least finite values; nothing where there is nothing to compare.
fn least(report: &RunReport<'_>, values: impl Iterator<Item = f64> + Clone) -> Vec<bool> {
    let smallest = values.clone().filter(|value| value.is_finite()).fold(f64::INFINITY, f64::min);
    values.map(|value| report.policies.len() > 1 && value == smallest).collect()
}
