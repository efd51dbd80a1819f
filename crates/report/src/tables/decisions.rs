//! `decisions`: why each controller wanted what it wanted, flattened into readable columns.

use std::fmt::Write;

use record::{DecisionRow, MetricRow, StepRow};

use super::{ByService, with_time};
use crate::{RunReport, Table};

/// One row per logged pass of a controller. `metrics` reads `name=value/target->replicas` joined by `; `, `steps` reads
/// `name before->after (note)`; the value after each usual step has a column of its own, empty where the step was not taken.
pub fn decisions_table(report: &RunReport<'_>) -> Table {
    let rows = ByService::of(report, |service| &service.decisions);
    let each = || rows.each();
    let after = |step: &'static str| each().map(move |row| value_after(row, step));
    let table = with_time(Table::default(), report.start, each().map(|row| row.time));
    rows.whose(table)
        .text("controller", each().map(|row| &row.controller))
        .count("replicas_before", each().map(|row| u64::from(row.replicas_before)))
        .count("ready", each().map(|row| u64::from(row.replicas_ready)))
        .text("metrics", each().map(|row| joined(&row.metrics, metric_text)))
        .number("metric_age_s_max", each().map(oldest_sample))
        .count("raw", each().map(|row| row.raw.map(u64::from)))
        .count("stabilized", after("stabilization"))
        .count("rate_limited", after("rate limit"))
        .count("bounded", after("bounds"))
        .count("after_steps", each().map(|row| row.steps.last().map(|step| step.after).or(row.raw).map(u64::from)))
        .text("steps", each().map(|row| joined(&row.steps, step_text)))
        .text("reason", each().map(|row| &row.reason))
        .text("written_to", each().map(|row| row.written.map_or("", |written| written.0)))
        .count("written", each().map(|row| row.written.map(|written| u64::from(written.1))))
}

fn value_after(row: &DecisionRow, step: &str) -> Option<u64> {
    row.steps.iter().rev().find(|taken| taken.name == step).map(|taken| u64::from(taken.after))
}

fn oldest_sample(row: &DecisionRow) -> Option<f64> {
    row.metrics.iter().filter_map(|metric| metric.age).max().map(units::SimDuration::as_secs_f64)
}

fn joined<T>(items: &[T], print: impl Fn(&T) -> String) -> String {
    items.iter().map(print).collect::<Vec<_>>().join("; ")
}

fn metric_text(metric: &MetricRow) -> String {
    let value = metric.value.map_or("?".to_owned(), |value| value.to_string());
    let mut text = format!("{}={value}/{}", metric.metric, metric.target);
    // Writing into a `String` cannot fail.
    let _ = match metric.replicas {
        Some(replicas) => write!(text, "->{replicas}"),
        None => write!(text, "->?"),
    };
    if !metric.note.is_empty() {
        let _ = write!(text, " ({})", metric.note);
    }
    text
}

fn step_text(step: &StepRow) -> String {
    let note = if step.note.is_empty() { String::new() } else { format!(" ({})", step.note) };
    format!("{} {}->{}{note}", step.name, step.before, step.after)
}
