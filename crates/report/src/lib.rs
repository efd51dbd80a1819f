//! Results to bytes: tables (CSV, Parquet), a comparison for the terminal, plots (SVG, PNG) and one self-contained HTML page.
//!
//! Every function here maps values of `record` to bytes and is deterministic: equal input, equal bytes. The crate does not know the
//! engine, the cluster, policies or scenarios; only [`write_atomically`] touches a disk.

mod calendar;
mod comparison;
mod csv;
mod decision_words;
mod drawing;
mod file;
mod html;
mod money;
mod parquet;
mod plots;
mod requests;
mod rounding;
mod shell;
mod table;
mod tables;

pub use calendar::CalendarStart;
pub use comparison::{
    Format, TerminalStyle, budget_sentences, headline_sentences, ranking_sentences, remark_sentences, render,
    verdict_json,
};
pub use decision_words::{decision_outcome, decision_words, metric_words};
pub use drawing::Drawing;
pub use file::{ResultFolder, WholeFile, write_all, write_atomically};
pub use html::{LabPage, fragment_html, lab_html, report_html, search_html, sweep_sentences};
pub use parquet::ParquetFile;
pub use plots::{
    AxisUnit, MeasuredPanel, SearchAxis, SearchPoint, SearchReport, Standing, SweepPoint, SweepReport, SweepValue,
    cold_start_phases, cost_breakdown, cost_by_service, cost_vs_slo, latency_cdf, measured_vs_fitted, overview,
    search_front, sweep_files, sweep_html, timeline,
};
pub use requests::{FinishedPart, RequestsPart, write_requests};
pub use shell::shell_word;
pub use table::Table;
pub use tables::{
    burn_rate_table, comparison_table, decisions_table, error_budget_table, latency_cdf_table, ledger_table,
    metrics_table, nodes_table, replicas_table, replications_table, requests_table, summary_table, timeline_table,
};

use record::{Comparison, ErrorBudget, PolicySummary, ReplicationSummary, RunRecord, RunVerdict};
use units::SimDuration;

/// Everything a report is made of: several policies that faced the same requests.
#[derive(Clone, Copy, Debug)]
pub struct RunReport<'a> {
    /// Name of the scenario, for titles.
    pub scenario: &'a str,
    /// Calendar time of the run's first instant; without it times are shown as elapsed.
    pub start: Option<CalendarStart<'a>>,
    /// The service this is about; empty for the whole cluster and for a lone service.
    pub service: &'a str,
    /// Latency threshold of the SLO, for the lines in plots. Where there are several services each has its own.
    pub slo_threshold: Option<SimDuration>,
    /// Threshold of the SLO from the first request of a chain of services to the answer here, where this one is called by another.
    pub slo_end_to_end: Option<SimDuration>,
    /// What the SLO says of streamed answers.
    pub token_slo: TokenSlo,
    /// How long the client waits for an answer; `None`: for ever.
    pub timeout: Option<SimDuration>,
    /// SLO objective: the share of requests that must meet it, 0..=1. `None` where each service has its own.
    pub objective: Option<f64>,
    /// The policies, in the order of the scenario.
    pub policies: &'a [PolicyOutcome<'a>],
    /// Pairs of policies.
    pub comparisons: &'a [Comparison],
    /// The answer of the run; `None` in the report of one service of several.
    pub verdict: Option<&'a RunVerdict>,
    /// What stands behind the figures: machines, prices, cold starts, what was left out, how to repeat it.
    pub assumptions: &'a [Assumption],
    /// The same for each service, where there are several: its policies are in the same order.
    pub services: &'a [RunReport<'a>],
}

/// Thresholds of the SLO for streamed answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenSlo {
    /// Arrival to first token.
    pub ttft: Option<SimDuration>,
    /// Mean time per output token after the first.
    pub tpot: Option<SimDuration>,
}

/// Something the figures rest on, as the page lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumption {
    /// What it is about: `machines and prices`, `cold start`.
    pub topic: String,
    /// One line each.
    pub lines: Vec<String>,
}

impl<'a> RunReport<'a> {
    /// Whether outputs tell services apart.
    pub(crate) fn has_several_services(&self) -> bool {
        !self.services.is_empty()
    }

    /// Policy by policy the cluster and then each service, as tables have their rows, each with the report it is from.
    pub(crate) fn outcomes(&self) -> Vec<(RunReport<'a>, PolicyOutcome<'a>)> {
        let parts =
            |index: usize| [self].into_iter().chain(self.services).map(move |part| (*part, part.policies[index]));
        (0..self.policies.len()).flat_map(parts).collect()
    }

    /// The name of the scenario, and the service if this is about one.
    pub(crate) fn title(&self) -> String {
        if self.service.is_empty() { self.scenario.to_owned() } else { format!("{}, {}", self.scenario, self.service) }
    }

    /// Whether latencies are those of one service: those of several are no one's.
    pub(crate) fn has_latency(&self) -> bool {
        self.services.is_empty()
    }

    /// Whether the bill along the way is of what this is about: it is the cluster's.
    pub(crate) fn has_bill(&self) -> bool {
        self.service.is_empty()
    }
}

/// One policy: its figures over all replications and one replication in detail.
#[derive(Clone, Copy, Debug)]
pub struct PolicyOutcome<'a> {
    /// Figures over all replications.
    pub summary: &'a PolicySummary,
    /// Figures of each replication.
    pub replications: &'a [ReplicationSummary],
    /// The replication whose timeline, decisions, lives and ledger are shown.
    pub detail: &'a RunRecord,
    /// How it spends its error budget. `None` for a cluster of several services: each has its own.
    pub budget: Option<&'a ErrorBudget>,
}

impl PolicyOutcome<'_> {
    /// Name of the policy.
    pub fn name(&self) -> &str {
        &self.summary.pooled.policy
    }
}

/// Every artifact of a run as (path relative to the result folder, bytes), in a fixed order: tables, plots, `report.html`.
pub fn files(report: &RunReport<'_>) -> Vec<(String, Vec<u8>)> {
    let mut files = table_files(report);
    let plots = plots::all(report);
    for (name, drawing) in &plots {
        files.push((format!("plots/{name}.svg"), drawing.to_svg().into_bytes()));
        files.push((format!("plots/{name}.png"), drawing.to_png()));
    }
    let of_services: Vec<_> = (0..report.services.len()).map(|service| plots::of_service(report, service)).collect();
    for (name, drawing) in of_services.iter().flatten() {
        files.push((format!("plots/{name}.svg"), drawing.to_svg().into_bytes()));
        files.push((format!("plots/{name}.png"), drawing.to_png()));
    }
    files.push(("report.html".to_owned(), html::page(report, &plots, &of_services).into_bytes()));
    files
}

/// A table of a run by its name, and what makes it.
pub type NamedTable = (&'static str, fn(&RunReport<'_>) -> Table);

/// The tables of product.md section 4, save `requests`: [`RequestsPart`] writes that one.
pub const TABLES: [NamedTable; 12] = [
    ("summary", summary_table),
    ("replications", replications_table),
    ("comparison", comparison_table),
    ("timeline", timeline_table),
    ("decisions", decisions_table),
    ("metrics", metrics_table),
    ("replicas", replicas_table),
    ("nodes", nodes_table),
    ("ledger", ledger_table),
    ("latency_cdf", latency_cdf_table),
    ("error_budget", error_budget_table),
    ("burn_rate", burn_rate_table),
];

/// All of them as CSV, the timeline as Parquet too.
pub fn table_files(report: &RunReport<'_>) -> Vec<(String, Vec<u8>)> {
    let tables = TABLES.map(|(name, make)| (name, make(report)));
    let mut files: Vec<_> = tables.iter().map(|(name, table)| (format!("{name}.csv"), table.to_csv())).collect();
    files.push(("timeline.parquet".to_owned(), tables[3].1.to_parquet()));
    files
}
