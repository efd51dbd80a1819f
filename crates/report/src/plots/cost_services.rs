//! Whose the money was, per policy: each service's part of the bill and what all of them share.

use super::cost::{dollars_across, stacked};
use super::frame::{Entry, LABEL_SIZE, MARGIN_RIGHT, Swatch, TICK_SIZE, WIDTH, legend_rows, page, shortened};
use super::scale::extent;
use super::{horizon, palette, replications};
use crate::drawing::{Anchor, Color, Drawing, TextStyle, Weight, at};
use crate::rounding::dollars;
use crate::{PolicyOutcome, RunReport};

/// One bar per policy: what the pods of each service cost, then what no pod held.
pub fn cost_by_service(report: &RunReport<'_>) -> Drawing {
    let subtitle = format!("{}: mean cost of {}, {}", report.title(), horizon(report), replications(report));
    let mut drawing = page("Whose the money was", &subtitle);
    let mut colors: Vec<Color> = (0..report.services.len()).map(palette::policy).collect();
    colors.push(palette::NOBODY);
    let names = report.services.iter().map(|one| one.service).chain(["shared: no pod held it"]);
    let entries: Vec<Entry> = names
        .zip(&colors)
        .map(|(name, &color)| Entry::new(Swatch::Box(color), &shortened(name, TICK_SIZE, Weight::Regular, 420.0)))
        .collect();
    let right = f64::from(WIDTH) - MARGIN_RIGHT;
    let below = legend_rows(&mut drawing, &entries, at(40.0, 112.0), right);
    let largest = extent(report.policies.iter().map(total)).map_or(1.0, |range| range.1);
    let panel = dollars_across(&mut drawing, report, (below + 24.0, right - 190.0), largest);
    let slot = (panel.bottom - panel.top) / report.policies.len().max(1) as f64;
    let height = (slot * 0.62).min(72.0);
    for (index, policy) in report.policies.iter().enumerate() {
        let top = panel.top + slot * (index as f64 + 0.5) - height / 2.0;
        stacked(&mut drawing, &panel, &parts(report, index), (top, top + height), (&colors, dollars));
        let middle = top + height / 2.0 + 6.0;
        let name = shortened(policy.name(), LABEL_SIZE, Weight::Regular, panel.left - 56.0);
        drawing.text(at(panel.left - 14.0, middle), &name, TextStyle::new(LABEL_SIZE, Color::Ink, Anchor::End));
        let style = TextStyle::new(LABEL_SIZE, Color::Ink, Anchor::Start).bold();
        drawing.text(at(panel.place_x(total(policy)) + 12.0, middle), &dollars(total(policy)), style);
    }
    drawing
}

fn total(policy: &PolicyOutcome<'_>) -> f64 {
    policy.summary.pooled.cost_usd
}

/// Dollars of each service, then those of none.
fn parts(report: &RunReport<'_>, policy: usize) -> Vec<f64> {
    let mut parts: Vec<f64> = report.services.iter().map(|one| total(&one.policies[policy])).collect();
    let shared = total(&report.policies[policy]) - parts.iter().sum::<f64>();
    // Sums of real numbers may miss nothing by a hair.
    parts.push(shared.max(0.0));
    parts
}
