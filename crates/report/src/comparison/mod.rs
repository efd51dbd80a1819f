//! The side-by-side comparison that a run prints: as a table for terminals, Markdown, JSON or CSV, with the sentences the data support.

pub(crate) mod answer;
pub(crate) mod cells;
mod sentences;
mod terminal;

use serde_json::{Value, json};

use crate::rounding::{milliseconds, objective};
use crate::tables::{comparison_table, error_budget_table, metrics_table, summary_table};
use crate::{RunReport, Table};
pub use answer::json_value as verdict_json;
use cells::{Cells, Column, cells, interval_note};
pub(crate) use sentences::points;
pub use sentences::{budget_sentences, headline_sentences, ranking_sentences, remark_sentences};

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns for a terminal.
    Table,
    /// One JSON object: the verdict, summary rows, comparison rows, ranking sentences.
    Json,
    /// A GitHub table and a list.
    Markdown,
    /// The `summary` table.
    Csv,
}

/// What the terminal can show. The caller knows `NO_COLOR`, the width and the locale; this crate does not look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalStyle {
    /// Color the stamps with ANSI escapes.
    pub color: bool,
    /// Use `±`, `–` and box-drawing lines; otherwise ASCII only.
    pub unicode: bool,
    /// Columns available; less important columns are left out to fit. `None`: no limit.
    pub width: Option<usize>,
}

impl TerminalStyle {
    /// For a pipe or file: no escapes, no limit.
    pub const PLAIN: Self = Self { color: false, unicode: false, width: None };
}

/// The comparison of all policies in `format`, ending in a line break. `style` matters for [`Format::Table`] only.
pub fn render(report: &RunReport<'_>, format: Format, style: TerminalStyle) -> String {
    match format {
        Format::Table => terminal::table(report, style),
        Format::Json => json_text(report),
        Format::Markdown => markdown(report),
        Format::Csv => String::from_utf8(summary_table(report).to_csv()).expect("tables are made of valid text"),
    }
}

fn json_text(report: &RunReport<'_>) -> String {
    let rows = |table: &Table| Value::Array(table.to_json_rows());
    let mut value = json!({
        "scenario": report.scenario,
        "verdict": answer::json_value(report),
        "slo_objective": report.objective,
        "slo_threshold_ms": report.slo_threshold.map(units::SimDuration::as_millis_f64),
        "summary": rows(&summary_table(report)),
        "comparison": rows(&comparison_table(report)),
        "error_budget": rows(&error_budget_table(report)),
        "metrics": rows(&metrics_table(report)),
        "remarks": remark_sentences(report),
        "ranking": ranking_sentences(report),
    });
    if report.has_several_services() {
        value["services"] = report.services.iter().map(service_json).collect();
    }
    let mut text = serde_json::to_string_pretty(&value).expect("maps with text keys are valid JSON");
    text.push('\n');
    text
}

/// What the tables do not say of a service: its rows are in them.
fn service_json(report: &RunReport<'_>) -> Value {
    json!({
        "service": report.service,
        "slo_objective": report.objective,
        "slo_threshold_ms": report.slo_threshold.map(units::SimDuration::as_millis_f64),
        "ranking": ranking_sentences(report),
    })
}

/// The verdict and a GitHub table, then what can be said of pairs as a list; the same of each service, where there are several.
fn markdown(report: &RunReport<'_>) -> String {
    let mut text = markdown_verdict(report) + &markdown_table(report);
    for service in report.services {
        text += &format!("\n#### {}\n\n", names::markdown(&service_heading(service)));
        text += &markdown_table(service);
    }
    text
}

/// The first line in bold, the others as a list, commands as code.
fn markdown_verdict(report: &RunReport<'_>) -> String {
    let mut lines = answer::lines(report).into_iter();
    let Some(first) = lines.next() else { return String::new() };
    let rest = lines.map(|line| {
        let text = names::markdown(&line.text);
        let label = if line.is_warning { format!("**{}**", line.label) } else { line.label.to_owned() };
        match line.command {
            Some(command) => format!("- {label}: {text}: `{}`\n", command.replace('`', "'")),
            None => format!("- {label}: {text}\n"),
        }
    });
    format!("**{}**\n\n{}\n", names::markdown(&first.text), rest.collect::<String>())
}

fn markdown_table(report: &RunReport<'_>) -> String {
    let Cells { mut columns } = cells(report);
    columns.retain(|column| !column.is_for_page);
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let headers = line(columns.iter().map(|column| column.header.to_owned()).collect());
    let rule = line(columns.iter().map(|column| if column.is_text { "---" } else { "---:" }.to_owned()).collect());
    let rows = (0..report.policies.len()).map(|row| {
        let cell = |column: &Column| {
            let text = names::markdown(&column.values[row]);
            let bounds = &column.intervals[row];
            match (column.standings.get(row), bounds.is_empty()) {
                (Some(_), _) => format!("**{text}**"),
                (None, true) => text,
                (None, false) => format!("{text} ({})", names::markdown(bounds)),
            }
        };
        line(columns.iter().map(cell).collect())
    });
    let sentences = interval_note(report).into_iter().chain(headline_sentences(report)).chain(budget_sentences(report));
    let sentences =
        sentences.chain(remark_sentences(report)).map(|sentence| format!("- {}\n", names::markdown(&sentence)));
    [headers, rule].into_iter().chain(rows).chain(["\n".to_owned()]).chain(sentences).collect()
}

/// A service and what it is judged by: `chat (SLO: 99 % within 2 s)`.
pub(crate) fn service_heading(report: &RunReport<'_>) -> String {
    let judged = slo_words(report).map(|slo| format!(" (SLO: {slo})"));
    format!("{}{}", report.service, judged.unwrap_or_default())
}

/// `99 % within 200 ms`, `95 % with TTFT within 1 s and TPOT within 40 ms`; `None` where there is no objective.
pub(crate) fn slo_words(report: &RunReport<'_>) -> Option<String> {
    let time = |one: units::SimDuration| milliseconds(one.as_millis_f64());
    let tokens = [("TTFT", report.token_slo.ttft), ("TPOT", report.token_slo.tpot)];
    let tokens: Vec<String> =
        tokens.into_iter().filter_map(|(name, limit)| Some(format!("{name} within {}", time(limit?)))).collect();
    let whole = report.slo_threshold.map(|one| format!("within {}", time(one)));
    let tokens = (!tokens.is_empty()).then(|| format!("with {}", tokens.join(" and ")));
    let chain = report.slo_end_to_end.map(|one| format!("end to end within {}", time(one)));
    let parts = [whole, tokens, chain];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let share = objective(report.objective?);
    Some(if parts.is_empty() { share } else { format!("{share} {}", parts.join(", ")) })
}
