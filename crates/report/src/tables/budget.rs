//! `error_budget` and `burn_rate`: what SLO misses mean for a budget of 28 days.

use record::{BudgetDetail, BudgetStretch, BudgetWindow, ErrorBudget, Interval};
use units::{SimDuration, SimTime};

use super::{whose, with_named_time};
use crate::{RunReport, Table};

/// One row per policy, and per service where there are several.
pub fn error_budget_table(report: &RunReport<'_>) -> Table {
    let outcomes = report.outcomes();
    // A cluster of several services has no budget of its own.
    let rows: Vec<_> = outcomes.iter().filter_map(|(of, policy)| Some((of, policy, policy.budget?))).collect();
    let budgets = || rows.iter().map(|&(_, _, budget)| budget);
    let details = || budgets().map(|budget| budget.detail.as_ref());
    let worst = || details().map(|detail| detail.and_then(BudgetDetail::worst_five_minutes));
    let bounds = |table: Table, name: &str, pick: fn(&ErrorBudget) -> Interval| {
        table
            .number(name, budgets().map(|budget| pick(budget).mean))
            .number(&format!("{name}_ci_low"), budgets().map(|budget| pick(budget).low))
            .number(&format!("{name}_ci_high"), budgets().map(|budget| pick(budget).high))
    };
    let names = rows.iter().map(|&(of, policy, _)| (policy.name(), of.service));
    let table = whose(report, names).number("objective", rows.iter().map(|(of, _, _)| of.objective));
    let table = bounds(table, "slo_attainment", |budget| budget.slo_attainment);
    let table = bounds(table, "burn_rate", |budget| budget.burn_rate);
    let table = bounds(table, "budget_spent_28d", |budget| budget.spent_28d)
        .number("budget_lasts_days", budgets().map(|budget| lasting_days(budget.burn_rate.mean)))
        .number("measured_s", details().map(|detail| detail.map(|detail| detail.measured.as_secs_f64())))
        .number("budget_spent_run", details().map(|detail| detail.map(|detail| detail.spent)))
        .number("in_violation_s", details().map(|detail| detail.map(|detail| detail.in_violation.as_secs_f64())));
    with_named_time(table, "worst_5m", report.start, worst().map(|worst| worst.map(|worst| worst.start)))
        .count("worst_5m_requests", worst().map(|worst| worst.map(|worst| worst.requests)))
        .count("worst_5m_slo_misses", worst().map(|worst| worst.map(|worst| worst.slo_misses)))
        .number("worst_5m_burn_rate", worst().map(|worst| worst.map(|worst| worst.burn_rate)))
}

/// Days until a budget burnt at this rate is gone; `None` if it never is.
fn lasting_days(burn_rate: f64) -> Option<f64> {
    (burn_rate > 0.0).then(|| record::BUDGET_WINDOW.as_secs_f64() / 86_400.0 / burn_rate)
}

/// One row per policy and length of window: where the first replication burnt fastest, and how long an alert would have been on.
pub fn burn_rate_table(report: &RunReport<'_>) -> Table {
    let outcomes = report.outcomes();
    let rows: Vec<((&str, &str), &BudgetWindow)> = outcomes
        .iter()
        .filter_map(|(of, policy)| Some(((policy.name(), of.service), policy.budget?.detail.as_ref()?)))
        .flat_map(|(names, detail)| detail.windows.iter().map(move |window| (names, window)))
        .collect();
    let each = || rows.iter().map(|&(_, window)| window);
    let worst = || each().map(|window| window.worst.as_ref());
    let table = whose(report, rows.iter().map(|&(names, _)| names))
        .number("window_s", each().map(|window| window.length.as_secs_f64()));
    let start = |worst: Option<&BudgetStretch>| -> Option<SimTime> { worst.map(|worst| worst.start) };
    with_named_time(table, "worst", report.start, worst().map(start))
        .count("requests", worst().map(|worst| worst.map(|worst| worst.requests)))
        .count("slo_misses", worst().map(|worst| worst.map(|worst| worst.slo_misses)))
        .number("burn_rate", worst().map(|worst| worst.map(|worst| worst.burn_rate)))
        .number("budget_spent", worst().map(|worst| worst.map(|worst| worst.spent)))
        .number("alert_burn_rate", each().map(|window| window.alert_burn_rate))
        .number(
            "alerting_s",
            each().map(|window| window.alert_burn_rate.map(|_| SimDuration::as_secs_f64(window.alerting))),
        )
}
