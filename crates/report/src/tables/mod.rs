//! The tables of product.md section 4: which columns, from which fields. Encodings are in `table`.

mod budget;
mod decisions;
mod lives;
mod metrics;
mod series;
mod summary;

pub use budget::{burn_rate_table, error_budget_table};
pub use decisions::decisions_table;
pub use lives::{nodes_table, replicas_table};
pub use metrics::metrics_table;
pub use series::{latency_cdf_table, ledger_table, requests_table, timeline_table};
pub use summary::{comparison_table, replications_table, summary_table};

use units::SimTime;

use record::ServiceRecord;

use crate::{CalendarStart, RunReport, Table};

/// Rows of every service of every policy's detailed replication, with whose they are.
struct ByService<'a, T> {
    rows: Vec<(&'a str, &'a str, &'a T)>,
    has_several_services: bool,
}

impl<'a, T> ByService<'a, T> {
    fn of(report: &RunReport<'a>, rows: impl Fn(&'a ServiceRecord) -> &'a [T]) -> Self {
        let services =
            report.policies.iter().flat_map(|policy| policy.detail.services.iter().map(|one| (policy.name(), one)));
        let rows = services
            .flat_map(|(policy, service)| rows(service).iter().map(move |row| (policy, service.name.as_str(), row)));
        Self { rows: rows.collect(), has_several_services: report.has_several_services() }
    }

    fn each(&self) -> impl Iterator<Item = &'a T> + Clone {
        self.rows.iter().map(|&(_, _, row)| row)
    }

    /// Adds `policy`, and `service` where there are several.
    fn whose(&self, table: Table) -> Table {
        let table = table.text("policy", self.rows.iter().map(|row| row.0));
        if self.has_several_services { table.text("service", self.rows.iter().map(|row| row.1)) } else { table }
    }
}

/// A table that begins with `policy` and, where there are several, `service`.
fn whose<'a>(report: &RunReport<'_>, names: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Table {
    let table = Table::default().text("policy", names.clone().map(|(policy, _)| policy));
    if report.has_several_services() { table.text("service", names.map(|(_, service)| service)) } else { table }
}

/// Adds `time_s`, seconds since the start of the run, and `time` in ISO 8601 where the calendar is known.
fn with_time(table: Table, start: Option<CalendarStart<'_>>, times: impl Iterator<Item = SimTime> + Clone) -> Table {
    let table = table.number("time_s", times.clone().map(SimTime::as_secs_f64));
    match start {
        Some(start) => table.text("time", times.map(|time| start.iso(time))),
        None => table,
    }
}

/// Adds `NAME_start_s` and `NAME_start`, which are empty where there is no such time.
fn with_named_time(
    table: Table,
    name: &str,
    start: Option<CalendarStart<'_>>,
    times: impl Iterator<Item = Option<SimTime>> + Clone,
) -> Table {
    let table = table.number(&format!("{name}_start_s"), times.clone().map(|time| time.map(SimTime::as_secs_f64)));
    match start {
        Some(start) => table
            .text(&format!("{name}_start"), times.map(|time| time.map_or_else(String::new, |time| start.iso(time)))),
        None => table,
    }
}
