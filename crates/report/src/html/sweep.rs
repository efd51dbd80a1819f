//! The page of a sweep.

use super::settings::{Answer, ROWS_MAX, Row, SettingsPage, bounds, cell, settings_page, stamp};
use crate::drawing::Drawing;
use crate::plots::{Standing, sweep_front, sweep_replications};
use crate::rounding::{count, dollars, objective, percent};
use crate::{SweepPoint, SweepReport};

/// The page with plots that are already drawn.
pub(crate) fn sweep_page(report: &SweepReport<'_>, plots: &[(String, Drawing)]) -> String {
    let points: Vec<&SweepPoint> = report.points.iter().collect();
    let front = sweep_front(&points);
    let chosen = report.chosen();
    let row = |point: &&SweepPoint| Row {
        cells: cells(report, point),
        is_chosen: chosen.is_some_and(|other| std::ptr::eq(*point, other)),
    };
    let columns = [("policy", true)]
        .into_iter()
        .chain(report.parameters.iter().map(|name| (name.as_str(), false)))
        .chain([("objective", true), ("SLO met", false), ("95 % CI", false), ("cost", false), ("95 % CI", false)]);
    settings_page(SettingsPage {
        product: "scalelab sweep",
        title: report.name,
        facts: facts(report),
        answer: report.objective.map(|least| answer(report, least)),
        columns: columns.collect(),
        front: front.iter().map(row).collect(),
        rows: points.iter().take(ROWS_MAX).map(row).collect(),
        all: (points.len(), "results.csv"),
        plots,
    })
}

/// What the page says first, as lines for a terminal: nothing without an objective.
pub fn sweep_sentences(report: &SweepReport<'_>) -> Vec<String> {
    let Some(answer) = report.objective.map(|least| answer(report, least)) else { return Vec::new() };
    let lines = answer.lines.into_iter().map(|(label, text, command)| {
        let command = command.map_or(String::new(), |command| format!("\n           {command}"));
        format!("{label:<11}{text}{command}")
    });
    [format!("{:<11}{}", "verdict", answer.headline)].into_iter().chain(lines).collect()
}

/// The cheapest that meets the objective, or else what comes nearest to it.
fn answer(report: &SweepReport<'_>, least: f64) -> Answer {
    let wanted = objective(least);
    let Some(chosen) = report.chosen() else {
        let judged = report.points.iter().filter(|point| report.standing(point).is_some());
        let best = judged.max_by(|a, b| a.slo_attainment.mean.total_cmp(&b.slo_attainment.mean));
        let nearest = best.map(|point| ("nearest", report.describe(point), Some(report.command_of(point))));
        return Answer {
            standing: Some(Standing::Missed),
            headline: format!("none of these settings meets {wanted}"),
            lines: nearest.into_iter().collect(),
        };
    };
    let (cost, share) = (chosen.cost_usd.mean, chosen.slo_attainment.mean);
    let standing = report.standing(chosen);
    let mut lines = Vec::new();
    if standing == Some(Standing::Met) {
        let text = "by the estimate alone: no interval of these replications lies above the objective".to_owned();
        lines.push(("how sure", text, None));
    }
    let cheaper = report.points.iter().filter(|point| report.standing(point) == Some(Standing::Missed));
    let next = cheaper.filter(|point| point.cost_usd.mean < cost);
    let next = next.max_by(|a, b| a.slo_attainment.mean.total_cmp(&b.slo_attainment.mean));
    let saved = |point: &SweepPoint| dollars(cost - point.cost_usd.mean);
    lines.extend(
        next.map(|point| ("cheaper", format!("{}, {} less, misses", report.describe(point), saved(point)), None)),
    );
    let text =
        "the best of many looks better than it is: run it alone, with another seed and more replications".to_owned();
    lines.push(("try", text, Some(format!("{} --seed 1001 --replications 30", report.command_of(chosen)))));
    let settings = report.settings(chosen);
    let headline =
        format!("choose {settings}: {} a run, {} met the SLO ({wanted} needed)", dollars(cost), percent(share));
    Answer { standing, headline, lines }
}

fn facts(report: &SweepReport<'_>) -> Vec<String> {
    let policies = report.policies.len();
    vec![
        format!("{} points", count((report.points.len() / policies.max(1)) as u64)),
        format!("{policies} {}", if policies == 1 { "policy" } else { "policies" }),
        sweep_replications(report),
    ]
    .into_iter()
    .chain(report.objective.map(|share| format!("objective {}", objective(share))))
    .collect()
}

fn cells(report: &SweepReport<'_>, point: &SweepPoint) -> Vec<serde_json::Value> {
    let policy = cell(&report.policies[point.policy], f64::NAN);
    let settings = point.settings.iter().map(|value| cell(&value.text, value.number));
    let (share, cost) = (point.slo_attainment, point.cost_usd);
    let figures = [
        stamp(report.standing(point)),
        cell(&percent(share.mean), share.mean),
        bounds(share, percent),
        cell(&dollars(cost.mean), cost.mean),
        bounds(cost, dollars),
    ];
    [policy].into_iter().chain(settings).chain(figures).collect()
}
