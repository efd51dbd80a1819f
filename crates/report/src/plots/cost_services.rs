//! Whose the money was, per policy: each service's part of the bill and what all of them share.

use super::cost::{names_width, stacked};
use super::frame::{
    Entry, HEIGHT, LABEL_SIZE, MARGIN_RIGHT, Panel, Swatch, TICK_SIZE, WIDTH, legend_rows, page, shortened,
};
use super::scale::{Scale, extent};
use super::{horizon, palette, replications};
use crate::drawing::{Anchor, Color, Drawing, TextStyle, Weight, at};
use crate::rounding::dollars;
use crate::{PolicyOutcome, RunReport};

/// One bar per policy: what the pods of each service cost, then what no pod held.
pub fn cost_by_service(report: &RunReport<'_>) -> Drawing {
    let subtitle = format!("{}: mean cost of {}, {}", report.title(), horizon(report), replications(report));
    let mut drawing = page("Whose the money was", &subtitle);
    let mut colors: Vec<Color> = (0..report.services.len()).map(palette::policy).collect();
    colors.push(palette::SHARED);
    let names = report.services.iter().map(|one| one.service).chain(["shared: no pod held it"]);
    let entries: Vec<Entry> = names
        .zip(&colors)
        .map(|(name, &color)| Entry::new(Swatch::Box(color), &shortened(name, TICK_SIZE, Weight::Regular, 420.0)))
        .collect();
    let right = f64::from(WIDTH) - MARGIN_RIGHT;
    let below = legend_rows(&mut drawing, &entries, at(40.0, 112.0), right);
    let largest = extent(report.policies.iter().map(total)).map_or(1.0, |range| range.1);
    let panel = Panel {
        left: names_width(report) + 60.0,
        right: right - 190.0,
        top: below + 24.0,
        bottom: f64::from(HEIGHT) - 84.0,
        x: Scale::Linear { low: 0.0, high: if largest > 0.0 { largest } else { 1.0 } },
        y: Scale::Linear { low: 0.0, high: report.policies.len() as f64 },
    };
    let ticks: Vec<(f64, String)> =
        panel.x.ticks(7).into_iter().map(|(value, text)| (value, format!("${text}"))).collect();
    panel.x_axis(&mut drawing, &ticks, true);
    panel.x_title(&mut drawing, &format!("cost in dollars for {}", horizon(report)));
    let slot = (panel.bottom - panel.top) / report.policies.len().max(1) as f64;
    let height = (slot * 0.62).min(72.0);
    for (index, policy) in report.policies.iter().enumerate() {
        let top = panel.top + slot * (index as f64 + 0.5) - height / 2.0;
        stacked(&mut drawing, &panel, &parts(report, index), (top, top + height), &colors);
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
