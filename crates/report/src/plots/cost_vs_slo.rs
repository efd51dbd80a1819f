//! Cost against SLO attainment: which policies are worth a look, and how sure that is.

use record::Interval;

use super::chart::stairs;
use super::frame::{
    HEIGHT, LABEL_SIZE, LEFT_OF_SHARES, MARGIN_RIGHT, Panel, Place, TICK_SIZE, WIDTH, page, shared_area,
};
use super::marker::marker;
use super::scale::{Scale, extent};
use super::{horizon, palette, replications_of_attainment};
use crate::drawing::{Anchor, Color, Drawing, Point, Stroke, TextStyle, Weight, at, text_width};
use crate::rounding::{dollars, objective, percent, tick};
use crate::{PolicyOutcome, RunReport};

/// Space above the highest share, so that a marker there stays inside.
const ROOM_ABOVE: f64 = 16.0;

/// One point per policy with its 95 % intervals, the Pareto front, and the objective, with the half that meets it shaded and the policy that
/// the verdict chose named. Up and to the left is better.
pub fn cost_vs_slo(report: &RunReport<'_>) -> Drawing {
    let subtitle = format!(
        "{}: {}. Up and left is better; nothing beats what is on the line",
        report.title(),
        replications_of_attainment(report)
    );
    let mut drawing = page("What SLO attainment costs", &subtitle);
    let panel = Panel {
        left: LEFT_OF_SHARES,
        right: f64::from(WIDTH) - MARGIN_RIGHT,
        top: 112.0 + ROOM_ABOVE,
        bottom: f64::from(HEIGHT) - 84.0,
        x: cost_scale(report),
        y: attainment_scale(report),
    };
    let ticks: Vec<(f64, String)> =
        panel.x.ticks(8).into_iter().map(|(value, text)| (value, format!("${text}"))).collect();
    panel.x_axis(&mut drawing, &ticks, true);
    let is_nines = matches!(panel.y, Scale::Nines { .. });
    // Where no request missed, no number of nines says it.
    let is_perfect = |policy: &PolicyOutcome<'_>| policy.summary.slo_attainment.mean >= 1.0;
    let has_perfect = is_nines && report.policies.iter().any(is_perfect);
    if has_perfect {
        panel.y_tick(&mut drawing, panel.top, "100 %");
    }
    panel.y_axis(&mut drawing, 7, |share, text| {
        if !is_nines {
            format!("{} %", tick(share * 100.0))
        } else if has_perfect && panel.place_y(share) - panel.top < TICK_SIZE {
            String::new()
        } else {
            text
        }
    });
    panel.x_title(&mut drawing, &format!("cost in dollars for {}", horizon(report)));
    let scale_note = if is_nines { ", each decade of misses alike" } else { "" };
    panel.y_title(&mut drawing, 34.0, &format!("requests that met the SLO{scale_note}"));
    let mut taken = Vec::new();
    if let Some(share) = report.objective {
        let meets = [panel.left, panel.right].map(|x| at(x, panel.top - ROOM_ABOVE));
        let meets = meets.into_iter().chain([panel.right, panel.left].map(|x| at(x, panel.place_y(share))));
        drawing.area(meets.collect(), palette::MEETS, 0.10);
        let (line, words) = (panel.place_y(share), format!("objective {}", objective(share)));
        let label = panel.level_beside(&mut drawing, share, &words, (Color::Ink, &markers(&panel, report)));
        taken.extend([label, [panel.left, line - 2.0, panel.right, line + 2.0]]);
    }
    taken.extend(front(&mut drawing, &panel, report));
    points(&mut drawing, &panel, report, taken);
    drawing
}

fn cost_scale(report: &RunReport<'_>) -> Scale {
    let (low, high) = reach(report.policies.iter().map(|policy| policy.summary.cost_usd)).unwrap_or((0.0, 1.0));
    let pad = ((high - low) * 0.12).max(high * 0.02).max(1e-6);
    // A cost axis that starts near zero starts at zero.
    let low = if low - pad < high * 0.25 { 0.0 } else { low - pad };
    Scale::Linear { low, high: high + pad }
}

/// What an axis must show: the estimates, and of their bounds what lies no further out than the estimates are apart. Bounds beyond that are clipped,
/// or a single wide one would make everything else a line.
fn reach(intervals: impl Iterator<Item = Interval> + Clone) -> Option<(f64, f64)> {
    let (low, high) = extent(intervals.clone().map(|interval| interval.mean))?;
    let room = if high > low { high - low } else { f64::INFINITY };
    let bounds = intervals.flat_map(|interval| [interval.low, interval.high]);
    extent(bounds.filter(|bound| (low - room..=high + room).contains(bound)).chain([low, high]))
}

/// Linear while attainments are alike; logarithmic in the share of misses once they are orders of magnitude apart.
fn attainment_scale(report: &RunReport<'_>) -> Scale {
    let intervals = report.policies.iter().map(|policy| policy.summary.slo_attainment);
    let point = |share: f64| Interval { mean: share, low: share, high: share };
    let (low, high) = reach(intervals.chain(report.objective.map(point))).unwrap_or((0.0, 1.0));
    let means = report.policies.iter().map(|policy| 1.0 - policy.summary.slo_attainment.mean);
    let misses = extent(means.chain(report.objective.map(|share| 1.0 - share)).filter(|&miss| miss > 0.0));
    match misses {
        Some((fewest, most)) if most / fewest > 30.0 && fewest >= 1e-7 => {
            let miss_high = ((1.0 - low).max(most) * 1.6).min(1.0);
            Scale::Nines { miss_high, miss_low: fewest / 2.5 }
        }
        _ => {
            let pad = ((high - low) * 0.12).max(0.000_5);
            Scale::Linear { low: (low - pad).max(0.0), high: (high + pad).min(1.0 + pad * 0.4) }
        }
    }
}

/// The policies no other one beats in cost and attainment at once, by cost.
fn pareto<'a>(report: &RunReport<'a>) -> Vec<&'a PolicyOutcome<'a>> {
    let mut by_cost: Vec<&PolicyOutcome<'_>> = report.policies.iter().collect();
    let key = |policy: &PolicyOutcome<'_>| (policy.summary.cost_usd.mean, -policy.summary.slo_attainment.mean);
    by_cost.sort_by(|a, b| key(a).0.total_cmp(&key(b).0).then(key(a).1.total_cmp(&key(b).1)));
    let mut best = f64::NEG_INFINITY;
    by_cost.retain(|policy| {
        let attainment = policy.summary.slo_attainment.mean;
        let is_better = attainment > best;
        best = best.max(attainment);
        is_better
    });
    by_cost
}

/// Draws the front and says which places it takes.
fn front(drawing: &mut Drawing, panel: &Panel, report: &RunReport<'_>) -> Vec<Place> {
    let figures = |policy: &PolicyOutcome<'_>| (policy.summary.cost_usd.mean, policy.summary.slo_attainment.mean);
    let values = stairs(pareto(report).into_iter().map(figures));
    let corners: Vec<Point> = values.iter().map(|&(cost, share)| panel.place(cost, share)).collect();
    panel.line(drawing, values, Stroke::dashed(Color::Muted, 2.0));
    let along = |ends: &[Point]| {
        let (a, b) = (ends[0], ends[1]);
        [a.x.min(b.x) - 2.0, a.y.min(b.y) - 2.0, a.x.max(b.x) + 2.0, a.y.max(b.y) + 2.0]
    };
    corners.windows(2).map(along).collect()
}

/// Every policy with its place; one without a request to judge has none.
fn placed<'r>(panel: &Panel, report: &'r RunReport<'r>) -> Vec<(usize, &'r PolicyOutcome<'r>, Point)> {
    let place = |policy: &PolicyOutcome<'_>| (policy.summary.cost_usd.mean, policy.summary.slo_attainment.mean);
    let judged = report.policies.iter().enumerate().filter(|(_, policy)| place(policy).1.is_finite());
    judged.map(|(index, policy)| (index, policy, panel.place(place(policy).0, place(policy).1))).collect()
}

/// The places of all markers.
fn markers(panel: &Panel, report: &RunReport<'_>) -> Vec<Place> {
    placed(panel, report).into_iter().map(|(_, _, center)| around(center)).collect()
}

/// The place of a marker.
fn around(center: Point) -> Place {
    [center.x - 12.0, center.y - 12.0, center.x + 12.0, center.y + 12.0]
}

fn points(drawing: &mut Drawing, panel: &Panel, report: &RunReport<'_>, mut taken: Vec<Place>) {
    let placed = placed(panel, report);
    for &(index, policy, center) in &placed {
        taken.extend(error_bars(drawing, panel, policy, palette::policy(index)));
        let (cost, share) = (policy.summary.cost_usd.mean, policy.summary.slo_attainment.mean);
        drawing.tip(format!("{}: {}, {} met the SLO", policy.name(), dollars(cost), percent(share)));
        marker(drawing, center, 9.0, index);
        drawing.group_end();
        taken.push(around(center));
    }
    let chosen = report.verdict.and_then(|verdict| verdict.chosen);
    for (index, policy, center) in placed {
        let label = if chosen == Some(index) { format!("choose {}", policy.name()) } else { policy.name().to_owned() };
        let place = label_place(panel, &label, center, &taken);
        taken.push(place);
        let near = at(center.x.clamp(place[0], place[2]), center.y.clamp(place[1], place[3]));
        if (near.x - center.x).hypot(near.y - center.y) > 30.0 {
            drawing.segment(center, near, Stroke::solid(Color::Muted, 1.2));
        }
        let baseline = at(place[0] + 2.0, place[3] - 5.0);
        drawing.text(baseline, &label, TextStyle::new(LABEL_SIZE, Color::Ink, Anchor::Start).bold());
    }
}

/// Draws both intervals and says which places they take.
fn error_bars(drawing: &mut Drawing, panel: &Panel, policy: &PolicyOutcome<'_>, color: Color) -> Vec<Place> {
    let (cost, slo) = (policy.summary.cost_usd, policy.summary.slo_attainment);
    let is_known = |interval: Interval| interval.low.is_finite() && interval.high.is_finite();
    let center = panel.place(cost.mean, slo.mean);
    let stroke = Stroke::solid(color, 2.4);
    let mut taken = Vec::new();
    if is_known(cost) {
        let (left, right) = (panel.place_x(cost.low), panel.place_x(cost.high));
        drawing.segment(at(left, center.y), at(right, center.y), stroke);
        for (x, bound, inward) in [(left, cost.low, 1.0), (right, cost.high, -1.0)] {
            // An arrow where the bound lies beyond the axis.
            let tip = if panel.x.holds(bound) { 0.0 } else { inward * 9.0 };
            drawing.segment(at(x + tip, center.y - 7.0), at(x, center.y), stroke);
            drawing.segment(at(x, center.y), at(x + tip, center.y + 7.0), stroke);
        }
        taken.push([left, center.y - 7.0, right, center.y + 7.0]);
    }
    if is_known(slo) {
        let (bottom, top) = (panel.place_y(slo.low), panel.place_y(slo.high));
        drawing.segment(at(center.x, bottom), at(center.x, top), stroke);
        for (y, bound, inward) in [(bottom, slo.low, -1.0), (top, slo.high, 1.0)] {
            let tip = if panel.y.holds(bound) { 0.0 } else { inward * 9.0 };
            drawing.segment(at(center.x - 7.0, y + tip), at(center.x, y), stroke);
            drawing.segment(at(center.x, y), at(center.x + 7.0, y + tip), stroke);
        }
        taken.push([center.x - 7.0, top, center.x + 7.0, bottom]);
    }
    taken
}

/// The nearest free place for a label around its point: eight directions, then further out. If nothing is free, the least bad.
fn label_place(panel: &Panel, text: &str, center: Point, taken: &[Place]) -> Place {
    let width = text_width(text, LABEL_SIZE, Weight::Bold) + 4.0;
    let height = LABEL_SIZE + 6.0;
    let directions =
        [(1.0, -1.0), (1.0, 1.0), (-1.0, -1.0), (-1.0, 1.0), (1.0, 0.0), (-1.0, 0.0), (0.0, -1.0), (0.0, 1.0)];
    let mut best: Option<(f64, Place)> = None;
    for reach in [16.0, 30.0, 50.0, 75.0, 105.0, 140.0] {
        for (dx, dy) in directions {
            let x = center.x + dx * (reach + width / 2.0);
            let y = center.y + dy * (reach * 0.7 + height / 2.0);
            let place = [x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0];
            let outside = (panel.left - place[0]).max(0.0) + (place[2] - panel.right).max(0.0);
            let outside = outside + (panel.top - place[1]).max(0.0) + (place[3] - panel.bottom).max(0.0);
            let overlap: f64 = taken.iter().map(|other| shared_area(&place, other)).sum::<f64>() + outside * 1_000.0;
            if overlap == 0.0 {
                return place;
            }
            if best.is_none_or(|(least, _)| overlap < least) {
                best = Some((overlap, place));
            }
        }
    }
    best.map_or([center.x, center.y, center.x + width, center.y + height], |(_, place)| place)
}
