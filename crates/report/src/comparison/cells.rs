//! The comparison as text cells. Each policy is stamped with how it stands to the objective; nothing else is marked.

use record::{Interval, PolicySummary, ReplicationSummary, Standing};

use crate::rounding::{bounds, count, dollars, milliseconds, percent, three_digits};
use crate::{PolicyOutcome, RunReport};

/// One column of the comparison, a value per policy.
pub(crate) struct Column {
    pub header: &'static str,
    pub values: Vec<String>,
    /// 95 % bounds beside the values, each empty where there are none.
    pub intervals: Vec<String>,
    /// What the cells are sorted by; empty for text.
    pub keys: Vec<f64>,
    /// How each policy stands to the objective, in the one column that says so.
    pub standings: Vec<Standing>,
    pub is_text: bool,
    /// Columns with a higher number are left out first where room is short; 0 stays.
    pub dispensable: u8,
    /// Only where there is a whole page.
    pub is_for_page: bool,
}

pub(crate) struct Cells {
    pub columns: Vec<Column>,
}

/// What a column is made of.
struct Make<'a> {
    header: &'static str,
    dispensable: u8,
    value: &'a dyn Fn(&PolicyOutcome<'_>) -> String,
    key: fn(&PolicySummary) -> f64,
}

/// All columns, most important first within what people expect to read from left to right.
pub(crate) fn cells(report: &RunReport<'_>) -> Cells {
    let mut columns = vec![names(report), stamps(report)];
    let attainment = Make {
        header: "SLO met",
        dispensable: 0,
        value: &|policy| percent(policy.summary.slo_attainment.mean),
        key: |row| row.slo_attainment.mean,
    };
    columns.push(with_bounds(report, &attainment, |row| row.slo_attainment, percent));
    if report.has_latency() {
        columns.extend(token_columns(report));
        columns.extend(latency_columns(report));
    }
    let cost = Make {
        header: "cost",
        dispensable: 0,
        value: &|policy| dollars(policy.summary.cost_usd.mean),
        key: |row| row.cost_usd.mean,
    };
    columns.push(with_bounds(report, &cost, |row| row.cost_usd, dollars));
    columns.extend(counts(report));
    columns.extend(page_columns(report));
    Cells { columns }
}

/// The columns of the page's table, from left to right, as far as there is something to say: what one chooses by. The others are in
/// `summary.csv` and under "All figures".
const OF_PAGE: [&str; 15] = [
    "policy",
    "objective",
    "SLO met",
    "cost",
    "a day like this",
    "30 days like this",
    "below objective",
    "failed",
    "TTFT p99",
    "TPOT p99",
    "p99",
    "waste",
    "replicas mean/max",
    "cold starts",
    "per 1M tokens out",
];

/// The columns of the page. Where tokens are judged and the whole answer is not, its latency is left out.
pub(crate) fn page_cells(report: &RunReport<'_>) -> Cells {
    let is_of_tokens = report.slo_threshold.is_none() && report.token_slo != crate::TokenSlo::default();
    let mut columns: Vec<Column> = cells(report).columns;
    let place = |column: &Column| OF_PAGE.iter().position(|header| *header == column.header);
    let is_left_out = |column: &Column| is_of_tokens && matches!(column.header, "p99" | "cold starts");
    columns.retain(|column| place(column).is_some() && !is_left_out(column));
    columns.sort_by_key(place);
    Cells { columns }
}

/// Behind the name of a policy some of whose metrics never had a value; the remarks say which.
const SILENT: &str = " (!)";

fn names(report: &RunReport<'_>) -> Column {
    let name = |policy: &PolicyOutcome<'_>| {
        let plain: String = policy.name().chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        plain + if policy.summary.pooled.metrics_silent > 0 { SILENT } else { "" }
    };
    Column {
        is_text: true,
        keys: Vec::new(),
        ..column(report, &Make { header: "policy", dispensable: 0, value: &name, key: |_| 0.0 })
    }
}

fn stamps(report: &RunReport<'_>) -> Column {
    let standings = standings(report);
    let values = standings.iter().map(|standing| standing.name().to_owned()).collect();
    let keys = standings.iter().map(|standing| f64::from(*standing as u8)).collect();
    let make = Make { header: "objective", dispensable: 0, value: &|_| String::new(), key: |_| 0.0 };
    Column { is_text: true, values, keys, standings, ..column(report, &make) }
}

/// How each policy stands to the objective, of several services to those of all.
pub(crate) fn standings(report: &RunReport<'_>) -> Vec<Standing> {
    let of = |report: &RunReport<'_>, index: usize| {
        let attainment = report.policies[index].summary.slo_attainment_decides;
        report.objective.map_or(Standing::NothingToJudge, |objective| Standing::of(attainment, objective))
    };
    let standing = |index: usize| {
        if report.has_several_services() {
            Standing::of_all(report.services.iter().map(|service| of(service, index)))
        } else {
            of(report, index)
        }
    };
    (0..report.policies.len()).map(standing).collect()
}

/// Of an LLM service: time to first token and per token, how full replicas were, and what tokens cost.
fn token_columns(report: &RunReport<'_>) -> Vec<Column> {
    if report.policies.iter().all(|policy| policy.summary.pooled.ttft_ms_p99.is_none()) {
        return Vec::new();
    }
    let known = |time: Option<f64>| time.unwrap_or(f64::NAN);
    let first = |policy: &PolicyOutcome<'_>| milliseconds(known(policy.summary.pooled.ttft_ms_p99));
    let each = |policy: &PolicyOutcome<'_>| milliseconds(known(policy.summary.pooled.tpot_ms_p99));
    let make = |header, dispensable, value: &dyn Fn(&PolicyOutcome<'_>) -> String, key| {
        column(report, &Make { header, dispensable, value, key })
    };
    let full = |policy: &PolicyOutcome<'_>| {
        let row = &policy.summary.pooled;
        let kv = row.kv_usage_mean.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 100.0));
        format!("{}/{kv}", three_digits(known(row.batch_mean)))
    };
    let tokens = |policy: &PolicyOutcome<'_>| dollars(known(policy.summary.pooled.cost_per_million_output_tokens_usd));
    vec![
        make("TTFT p99", 1, &first, |row| row.pooled.ttft_ms_p99.unwrap_or(f64::NAN)),
        make("TPOT p99", 1, &each, |row| row.pooled.tpot_ms_p99.unwrap_or(f64::NAN)),
        make("batch/KV mean", 5, &full, |row| row.pooled.batch_mean.unwrap_or(f64::NAN)),
        make("per 1M tokens out", 5, &tokens, |row| row.pooled.cost_per_million_output_tokens_usd.unwrap_or(f64::NAN)),
    ]
}

/// Percentiles over all requests: one without an answer is later than any that had one.
fn latency_columns(report: &RunReport<'_>) -> [Column; 2] {
    let time = |milliseconds: f64| time_of_all(report, milliseconds);
    let median = Make {
        header: "p50",
        dispensable: 3,
        value: &|policy| time(policy.summary.pooled.latency_ms_p50_all),
        key: |row| row.pooled.latency_ms_p50_all,
    };
    let tail = Make {
        header: "p99",
        dispensable: 1,
        value: &|policy| time(policy.summary.pooled.latency_ms_p99_all),
        key: |row| row.pooled.latency_ms_p99_all,
    };
    let mut tail = with_bounds(report, &tail, |row| row.latency_ms_p99_all, milliseconds);
    // Where all replications have no answer there, the value says it all.
    for (interval, policy) in tail.intervals.iter_mut().zip(report.policies) {
        if policy.summary.latency_ms_p99_all.high.is_infinite() {
            interval.clear();
        }
    }
    [column(report, &median), tail]
}

/// A percentile over all requests; where it has no answer, later than the client waits.
pub(crate) fn time_of_all(report: &RunReport<'_>, amount: f64) -> String {
    match report.timeout {
        _ if amount.is_finite() || amount.is_nan() => milliseconds(amount),
        Some(timeout) => format!("> {}", milliseconds(timeout.as_millis_f64())),
        None => "no answer".to_owned(),
    }
}

fn counts(report: &RunReport<'_>) -> Vec<Column> {
    let replicas = |row: &ReplicationSummary| format!("{}/{}", three_digits(row.replicas_mean), row.replicas_max);
    let make = |header, dispensable, value: &dyn Fn(&PolicyOutcome<'_>) -> String, key| {
        column(report, &Make { header, dispensable, value, key })
    };
    vec![
        make("per 1M answers", 5, &|one| dollars(one.summary.pooled.cost_per_million_requests_usd), |row| {
            row.pooled.cost_per_million_requests_usd
        }),
        make("replicas mean/max", 4, &|one| replicas(&one.summary.pooled), |row| row.pooled.replicas_mean),
        make("cold starts", 6, &|one| count(one.summary.pooled.cold_starts), |row| row.pooled.cold_starts as f64),
        make("lost", 7, &|one| count(one.summary.pooled.requests_lost), |row| row.pooled.requests_lost as f64),
        make("failed", 2, &|one| count(one.summary.pooled.failed), |row| row.pooled.failed as f64),
    ]
}

/// What a whole page has room for.
fn page_columns(report: &RunReport<'_>) -> Vec<Column> {
    let days = |policy: &PolicyOutcome<'_>| policy.detail.measured.as_secs_f64() / 86_400.0;
    let day = |policy: &PolicyOutcome<'_>| dollars(policy.summary.cost_usd.mean / days(policy));
    let month = |policy: &PolicyOutcome<'_>| dollars(policy.summary.cost_usd.mean / days(policy) * 30.0);
    let is_a_day = report.policies.iter().all(|policy| (days(policy) - 1.0).abs() < 1e-9);
    let violation = |policy: &PolicyOutcome<'_>| {
        let detail = policy.budget.and_then(|budget| budget.detail.as_ref());
        match detail.map(|detail| detail.in_violation) {
            None => "-".to_owned(),
            Some(time) if time.is_zero() => "none".to_owned(),
            Some(time) => milliseconds(time.as_millis_f64()),
        }
    };
    let make = |header, value: &dyn Fn(&PolicyOutcome<'_>) -> String, key| Column {
        is_for_page: true,
        ..column(report, &Make { header, dispensable: 9, value, key })
    };
    let mut columns = vec![make("30 days like this", &month, |row| row.cost_usd.mean)];
    if !is_a_day {
        columns.insert(0, make("a day like this", &day, |row| row.cost_usd.mean));
    }
    columns.push(make("waste", &|policy| format!("{:.0} %", waste(policy.summary) * 100.0), waste));
    if !report.has_several_services() {
        let mut column = make("below objective", &violation, |_| 0.0);
        let seconds = |policy: &PolicyOutcome<'_>| {
            let detail = policy.budget.and_then(|budget| budget.detail.as_ref());
            detail.map_or(f64::NAN, |detail| detail.in_violation.as_secs_f64())
        };
        column.keys = report.policies.iter().map(seconds).collect();
        columns.push(column);
    }
    columns
}

/// Share of the bill for ready replicas without a request, cold starts, standbys and GPUs nobody uses.
fn waste(row: &PolicySummary) -> f64 {
    let row = &row.pooled;
    let wasted = row.cost_idle_usd + row.cost_cold_start_usd + row.cost_standby_usd + row.cost_unallocated_usd;
    if row.cost_usd > 0.0 { wasted / row.cost_usd } else { 0.0 }
}

fn column(report: &RunReport<'_>, make: &Make<'_>) -> Column {
    Column {
        header: make.header,
        values: report.policies.iter().map(make.value).collect(),
        intervals: vec![String::new(); report.policies.len()],
        keys: report.policies.iter().map(|policy| (make.key)(policy.summary)).collect(),
        standings: Vec::new(),
        is_text: false,
        dispensable: make.dispensable,
        is_for_page: false,
    }
}

/// The same with bounds, where the replications give any that are of use.
fn with_bounds(
    report: &RunReport<'_>,
    make: &Make<'_>,
    interval: fn(&PolicySummary) -> Interval,
    print: impl Fn(f64) -> String,
) -> Column {
    let text = |policy: &PolicyOutcome<'_>| {
        let is_usable = policy.summary.replications != TOO_FEW;
        if is_usable { bounds(interval(policy.summary), &print) } else { String::new() }
    };
    Column { intervals: report.policies.iter().map(text).collect(), ..column(report, make) }
}

/// So many replications give an interval of one degree of freedom: as good as none. (One alone gives that of its batch means.)
const TOO_FEW: u32 = 2;

/// What is to be said where intervals are missing.
pub(crate) fn interval_note(report: &RunReport<'_>) -> Option<String> {
    let is_too_few = report.policies.iter().any(|policy| policy.summary.replications == TOO_FEW);
    if is_too_few {
        return Some("2 replications give no usable interval; 3 or more do".to_owned());
    }
    // One replication is known to give none.
    let short = |policy: &&PolicyOutcome<'_>| {
        policy.summary.replications > TOO_FEW && policy.summary.replications < policy.summary.replications_needed
    };
    let short: Vec<&PolicyOutcome<'_>> = report.policies.iter().filter(short).collect();
    let first = short.first()?.summary;
    let names: Vec<&str> = short.iter().map(|policy| policy.name()).collect();
    let whose = if short.len() == report.policies.len() { String::new() } else { format!(" of {}", names.join(", ")) };
    Some(format!(
        "SLO met and p99{whose} have no interval: where replicas come and go none is known to hold with fewer than {} replications (p99: 100)",
        first.replications_needed
    ))
}
