//! Every point of a sweep as cost against SLO attainment.

use super::super::chart::stairs;
use super::super::frame::{HEIGHT, LEFT_OF_SHARES, MARGIN_RIGHT, Panel, WIDTH, legend_rows, page};
use super::super::marker::marker;
use super::super::scale::{Scale, extent};
use super::{SweepPoint, SweepReport, front, is_judged, policy_entries};
use crate::drawing::{Color, Drawing, Stroke, at};
use crate::rounding::{objective, tick};

/// All points in the colors of their policies, and the front that no point is beyond.
pub(super) fn scatter(report: &SweepReport<'_>) -> Drawing {
    let subtitle = format!(
        "{}: {} points. Up and left is better; the line is what nothing beats, the ring the cheapest that meets the objective",
        report.name,
        report.points.len()
    );
    let mut drawing = page("What SLO attainment costs, point by point", &subtitle);
    let points: Vec<&SweepPoint> = report.points.iter().filter(|point| is_judged(point)).collect();
    let panel = Panel {
        left: LEFT_OF_SHARES,
        right: f64::from(WIDTH) - MARGIN_RIGHT,
        top: 140.0,
        bottom: f64::from(HEIGHT) - 84.0,
        x: cost_scale(&points),
        y: attainment_scale(points.iter().map(|point| point.slo_attainment.mean), report.objective),
    };
    let entries = policy_entries(report);
    legend_rows(&mut drawing, &entries, at(panel.left, 112.0), panel.right);
    let ticks: Vec<(f64, String)> =
        panel.x.ticks(8).into_iter().map(|(value, text)| (value, format!("${text}"))).collect();
    panel.x_axis(&mut drawing, &ticks, true);
    let is_nines = matches!(panel.y, Scale::Nines { .. });
    panel.y_axis(&mut drawing, 7, |share, text| if is_nines { text } else { format!("{} %", tick(share * 100.0)) });
    panel.x_title(&mut drawing, "cost of a run in dollars");
    panel.y_title(&mut drawing, 34.0, "requests that met the SLO");
    if let Some(share) = report.objective {
        panel.level(&mut drawing, share, &format!("objective {}", objective(share)), Color::Ink);
    }
    let beaten_by_none = front(&points).into_iter().map(|point| (point.cost_usd.mean, point.slo_attainment.mean));
    panel.line(&mut drawing, stairs(beaten_by_none), Stroke::dashed(Color::Muted, 2.0));
    // Thousands of points stay a cloud and not a blot.
    let radius = if points.len() > 400 { 3.5 } else { 6.5 };
    for point in &points {
        drawing.tip(report.describe(point));
        let center = (point.cost_usd.mean, point.slo_attainment.mean);
        marker(&mut drawing, panel.place(center.0, center.1), radius, point.policy);
        drawing.group_end();
    }
    if let Some(chosen) = report.chosen() {
        let center = (chosen.cost_usd.mean, chosen.slo_attainment.mean);
        drawing.tip(format!("choose {}", report.describe(chosen)));
        panel.dot(&mut drawing, center, radius + 5.0, Color::Ink);
        panel.dot(&mut drawing, center, radius + 2.5, Color::Paper);
        marker(&mut drawing, panel.place(center.0, center.1), radius - 1.0, chosen.policy);
        drawing.group_end();
    }
    drawing
}

fn cost_scale(points: &[&SweepPoint]) -> Scale {
    let (low, high) = extent(points.iter().map(|point| point.cost_usd.mean)).unwrap_or((0.0, 1.0));
    let pad = ((high - low) * 0.06).max(high * 0.02).max(1e-6);
    let low = if low - pad < high * 0.25 { 0.0 } else { low - pad };
    Scale::Linear { low, high: high + pad }
}

/// For these shares and the objective: logarithmic in the share of misses once that is what tells them apart. Bounds that are NaN are left out.
pub(super) fn attainment_scale(shares: impl Iterator<Item = f64> + Clone, objective: Option<f64>) -> Scale {
    let shares = shares.filter(|share| !share.is_nan()).map(|share| share.min(1.0)).chain(objective);
    let (low, high) = extent(shares.clone()).unwrap_or((0.0, 1.0));
    match extent(shares.map(|share| 1.0 - share).filter(|&miss| miss > 0.0)) {
        Some((fewest, most)) if most / fewest > 30.0 && fewest >= 1e-7 => {
            Scale::Nines { miss_high: (most * 1.6).min(1.0), miss_low: fewest / 2.5 }
        }
        _ => {
            let pad = ((high - low) * 0.08).max(0.000_5);
            Scale::Linear { low: (low - pad).max(0.0), high: (high + pad).min(1.0 + pad * 0.4) }
        }
    }
}
