//! The page of a search.

use super::settings::{Answer, ROWS_MAX, Row, SettingsPage, bounds, cell, settings_page, stamp};
use crate::drawing::Drawing;
use crate::plots::{SearchPoint, SearchReport};
use crate::rounding::count;

/// The page of a search, with its plot already drawn.
pub fn search_html(report: &SearchReport<'_>, plot: Drawing) -> Vec<u8> {
    let winner = report.confirmed.map(|winner| winner.settings);
    let row = |point: &SearchPoint<'_>| Row { cells: cells(report, point), is_chosen: winner == Some(point.settings) };
    let columns = report.parameters.iter().map(|name| (name.as_str(), false)).chain([
        (report.objective.title, false),
        ("95 % CI", false),
        (report.measure.title, false),
        ("95 % CI", false),
        ("conditions", true),
    ]);
    let mut findings = report.findings.iter();
    let first = findings.next().cloned().unwrap_or_default();
    let answer = Answer {
        standing: report.confirmed.map(|winner| winner.standing),
        headline: report.confirmed.map_or(first, |winner| format!("choose {}", report.describe(&winner))),
        lines: findings
            .map(|line| ("found", line.clone(), None))
            .chain(report.command.map(|command| ("try", "as a run of its own".to_owned(), Some(command.to_owned()))))
            .collect(),
    };
    let page = settings_page(SettingsPage {
        product: "scalelab optimize",
        title: report.name,
        facts: vec![format!("{} settings tried", count(report.points.len() as u64)), report.limit.1.to_owned()],
        answer: Some(answer),
        columns: columns.collect(),
        front: report.points.iter().filter(|point| point.is_front).map(row).collect(),
        rows: report.points.iter().take(ROWS_MAX).map(row).collect(),
        all: (report.points.len(), "tried.csv"),
        plots: &[("front".to_owned(), plot)],
    });
    page.into_bytes()
}

fn cells(report: &SearchReport<'_>, point: &SearchPoint<'_>) -> Vec<serde_json::Value> {
    let number =
        |text: &String| text.trim_end_matches(|letter: char| !letter.is_ascii_digit()).parse().unwrap_or(f64::NAN);
    let settings = point.settings.iter().map(|text| cell(text, number(text)));
    let (objective, measure) = (report.objective.unit, report.measure.unit);
    let figures = [
        cell(&objective.figure(point.objective.mean), point.objective.mean),
        bounds(point.objective, |value| objective.figure(value)),
        cell(&measure.figure(point.measure.mean), point.measure.mean),
        bounds(point.measure, |value| measure.figure(value)),
        stamp(Some(point.standing)),
    ];
    settings.chain(figures).collect()
}
