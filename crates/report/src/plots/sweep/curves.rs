//! SLO attainment and cost over one parameter of a sweep.

use record::Interval;

use super::super::frame::{Entry, HEIGHT, MARGIN_LEFT, MARGIN_RIGHT, Panel, Swatch, WIDTH, legend_rows, page};
use super::super::marker::marker;
use super::super::palette;
use super::super::scale::{Scale, extent};
use super::scatter::attainment_scale;
use super::{Axis, SweepPoint, SweepReport, grouped, is_judged, replications};
use crate::drawing::{Color, Drawing, Stroke, at};
use crate::rounding::{objective, tick};

/// A line: its name and its points from left to right.
type Line<'a> = (String, Vec<&'a SweepPoint>);

/// A line per policy.
pub(super) fn by_policy(report: &SweepReport<'_>, axis: &Axis) -> Drawing {
    let groups = grouped(report.points.iter(), axis, |point| point.policy);
    let lines: Vec<Line<'_>> =
        groups.into_iter().map(|(policy, points)| (report.policies[policy].clone(), points)).collect();
    draw(report, axis, &lines, &format!("{} over {}", report.name, axis.name))
}

/// One policy: a line per value of the second parameter.
pub(super) fn of_policy(report: &SweepReport<'_>, policy: usize, [along, lines]: [&Axis; 2]) -> Drawing {
    let own = report.points.iter().filter(|point| point.policy == policy);
    let groups = grouped(own, along, |point| lines.place(&point.settings[lines.index]));
    let lines: Vec<Line<'_>> = groups
        .into_iter()
        .map(|(place, points)| (format!("{} {}", lines.name, lines.values[place].text), points))
        .collect();
    draw(report, along, &lines, &format!("{} over {}: {}", report.name, along.name, report.policies[policy]))
}

fn draw(report: &SweepReport<'_>, axis: &Axis, lines: &[Line<'_>], title: &str) -> Drawing {
    let mut drawing = page(title, &format!("{}; all points face the same requests", replications(report)));
    let shown: Vec<&SweepPoint> = lines.iter().flat_map(|(_, points)| points.iter().copied()).collect();
    let shares = shown.iter().filter(|point| is_judged(point)).map(|point| point.slo_attainment);
    let shares: Vec<f64> = shares.flat_map(|share| [share.mean, share.low, share.high]).collect();
    let costs: Vec<f64> = shown.iter().flat_map(|point| [point.cost_usd.mean, point.cost_usd.high]).collect();
    let entries: Vec<Entry> =
        lines.iter().enumerate().map(|(index, (name, _))| Entry::new(Swatch::Policy(index), name)).collect();
    let [upper, lower] = panels(&mut drawing, report, axis, &entries, [&shares, &costs]);
    for (index, (_, points)) in lines.iter().enumerate() {
        series(&mut drawing, (report, &upper, axis), (points, index), |point| point.slo_attainment);
        series(&mut drawing, (report, &lower, axis), (points, index), |point| point.cost_usd);
    }
    drawing
}

/// Two panels over one parameter with their furniture: attainment above, cost below, for the values that will be shown in them.
pub(super) fn panels(
    drawing: &mut Drawing,
    report: &SweepReport<'_>,
    axis: &Axis,
    entries: &[Entry],
    [shares, costs]: [&[f64]; 2],
) -> [Panel; 2] {
    let x = axis.scale();
    let upper = Panel {
        left: MARGIN_LEFT + 28.0,
        right: f64::from(WIDTH) - MARGIN_RIGHT,
        top: 166.0,
        bottom: 462.0,
        x,
        y: attainment_scale(shares.iter().copied(), report.objective),
    };
    let (_, dearest) = extent(costs.iter().copied()).unwrap_or((0.0, 1.0));
    let lower = Panel { top: 516.0, bottom: f64::from(HEIGHT) - 84.0, y: Scale::from_zero(dearest), ..upper };
    legend_rows(drawing, entries, at(upper.left, 112.0), upper.right);
    let ticks = axis.ticks(x);
    let is_nines = matches!(upper.y, Scale::Nines { .. });
    upper.x_axis(drawing, &ticks, false);
    upper.y_axis(drawing, 5, |share, text| if is_nines { text } else { format!("{} %", tick(share * 100.0)) });
    upper.heading(drawing, "requests that met the SLO");
    if let Some(share) = report.objective {
        upper.level(drawing, share, &format!("objective {}", objective(share)), Color::Ink);
    }
    lower.x_axis(drawing, &ticks, true);
    lower.y_axis(drawing, 5, |_, text| format!("${text}"));
    lower.heading(drawing, "cost of a run in dollars");
    lower.x_title(drawing, &axis.name);
    [upper, lower]
}

fn stroke(index: usize) -> Stroke {
    Stroke { color: palette::policy(index), width: 2.6, dash: palette::policy_dash(index) }
}

/// A line with a dot and a bar at each point.
fn series(
    drawing: &mut Drawing,
    (report, panel, axis): (&SweepReport<'_>, &Panel, &Axis),
    (points, index): (&[&SweepPoint], usize),
    figure: impl Fn(&SweepPoint) -> Interval,
) {
    let place = |point: &SweepPoint, value: f64| (axis.at(&point.settings[axis.index]), value);
    panel.line(drawing, points.iter().map(|point| place(point, figure(point).mean)).collect(), stroke(index));
    for point in points {
        let interval = figure(point);
        if interval.low.is_finite() && interval.high.is_finite() {
            let thin = Stroke::solid(palette::policy(index), 1.4);
            panel.line(drawing, vec![place(point, interval.low), place(point, interval.high)], thin);
        }
        drawing.tip(report.describe(point));
        let (x, y) = place(point, interval.mean);
        marker(drawing, panel.place(x, y), 5.0, index);
        drawing.group_end();
    }
}
