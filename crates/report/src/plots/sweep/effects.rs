//! Many parameters, or sampled ones: every point over one of them, with the mean over all others where values repeat.

use record::Interval;

use super::super::frame::{Entry, HEIGHT, MARGIN_LEFT, MARGIN_RIGHT, Panel, Swatch, WIDTH, legend_rows, page};
use super::super::palette;
use super::super::scale::{Scale, extent};
use super::scatter::attainment_scale;
use super::{Axis, SweepPoint, SweepReport, grouped, is_judged};
use crate::drawing::{Color, Drawing, Stroke, at};
use crate::rounding::{objective, tick};

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
    let x = axis.scale();
    let upper = Panel {
        left: MARGIN_LEFT + 28.0,
        right: f64::from(WIDTH) - MARGIN_RIGHT,
        top: 166.0,
        bottom: 462.0,
        x,
        y: attainment_scale(points.iter().map(|point| point.slo_attainment.mean), report.objective),
    };
    let (_, dearest) = extent(points.iter().map(|point| point.cost_usd.mean)).unwrap_or((0.0, 1.0));
    let lower = Panel { top: 516.0, bottom: f64::from(HEIGHT) - 84.0, y: Scale::from_zero(dearest), ..upper };
    let entries: Vec<Entry> = report
        .policies
        .iter()
        .enumerate()
        .map(|(index, name)| Entry::new(Swatch::Box(palette::policy(index)), name))
        .collect();
    legend_rows(&mut drawing, &entries, at(upper.left, 112.0), upper.right);
    let ticks = axis.ticks(x);
    let is_nines = matches!(upper.y, Scale::Nines { .. });
    upper.x_axis(&mut drawing, &ticks, false);
    upper.y_axis(&mut drawing, 5, |share, text| if is_nines { text } else { format!("{} %", tick(share * 100.0)) });
    upper.heading(&mut drawing, "requests that met the SLO");
    upper.level(&mut drawing, report.objective, &format!("objective {}", objective(report.objective)), Color::Ink);
    lower.x_axis(&mut drawing, &ticks, true);
    lower.y_axis(&mut drawing, 5, |_, text| format!("${text}"));
    lower.heading(&mut drawing, "cost of a run in dollars");
    lower.x_title(&mut drawing, &axis.name);
    let panels: [(&Panel, Figure); 2] = [(&upper, |point| point.slo_attainment), (&lower, |point| point.cost_usd)];
    for (panel, figure) in panels {
        let radius = if points.len() > 400 { 3.0 } else { 4.5 };
        for point in &points {
            let place = panel.place(axis.at(&point.settings[axis.index]), figure(point).mean);
            drawing.circle(place, radius, palette::policy(point.policy));
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
            panel.place(axis.at(&group[0].settings[axis.index]), mean)
        });
        let line = line.collect();
        drawing.line(line, Stroke { color: palette::policy(policy), width: 2.6, dash: palette::policy_dash(policy) });
    }
}
