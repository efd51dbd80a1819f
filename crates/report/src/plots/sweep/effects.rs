//! Many parameters, or sampled ones: every point over one of them, with the mean over all others where values repeat.

use record::Interval;

use super::super::frame::{Panel, page};
use super::super::marker::marker;
use super::super::palette;
use super::curves::panels;
use super::{Axis, SweepPoint, SweepReport, grouped, is_judged, policy_entries};
use crate::drawing::{Drawing, Stroke};

/// What of a point is drawn.
type Figure = fn(&SweepPoint) -> Interval;

/// Attainment above, cost below; a dot per point, a line through the means where a value has several points.
pub(super) fn effect(report: &SweepReport<'_>, axis: &Axis) -> Drawing {
    let points: Vec<&SweepPoint> = report.points.iter().filter(|point| is_judged(point)).collect();
    // Means of a few points at each of many values would be a zigzag of chance.
    let least = if axis.values.len() <= 12 { 2 } else { 6 };
    let has_means = axis.values.len() * least * report.policies.len() <= points.len();
    let line = if has_means { "; lines are means over all other parameters" } else { "" };
    let mut drawing =
        page(&format!("{} over {}", report.name, axis.name), &format!("{} points{line}", report.points.len()));
    let shares: Vec<f64> = points.iter().map(|point| point.slo_attainment.mean).collect();
    let costs: Vec<f64> = points.iter().map(|point| point.cost_usd.mean).collect();
    let [upper, lower] = panels(&mut drawing, report, axis, &policy_entries(report), [&shares, &costs]);
    let shown: [(&Panel, Figure); 2] = [(&upper, |point| point.slo_attainment), (&lower, |point| point.cost_usd)];
    for (panel, figure) in shown {
        let radius = if points.len() > 400 { 3.0 } else { 4.5 };
        for point in &points {
            let place = (axis.at(&point.settings[axis.index]), figure(point).mean);
            marker(&mut drawing, panel.place(place.0, place.1), radius, point.policy);
        }
        if has_means {
            means(&mut drawing, report, (panel, axis), figure);
        }
    }
    drawing
}

fn means(drawing: &mut Drawing, report: &SweepReport<'_>, (panel, axis): (&Panel, &Axis), figure: Figure) {
    for (policy, points) in grouped(report.points.iter(), axis, |point| point.policy) {
        // Of equal values, which stand next to each other.
        let groups = points.chunk_by(|a, b| a.settings[axis.index].text == b.settings[axis.index].text);
        let line = groups.map(|group| {
            let mean = group.iter().map(|point| figure(point).mean).sum::<f64>() / group.len() as f64;
            (axis.at(&group[0].settings[axis.index]), mean)
        });
        let stroke = Stroke { color: palette::policy(policy), width: 2.6, dash: palette::policy_dash(policy) };
        panel.line(drawing, line.collect(), stroke);
    }
}
