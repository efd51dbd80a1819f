//! Two parameters of a sweep at once: SLO attainment and cost as colors.

use super::super::frame::{HEIGHT, LABEL_SIZE, TICK_SIZE, WIDTH, page};
use super::super::scale::extent;
use super::{Axis, SweepPoint, SweepReport, is_judged};
use crate::drawing::{Anchor, Color, Drawing, Stroke, TextStyle, Weight, at, text_width};
use crate::rounding::{dollars, objective, percent};

const TOP: f64 = 140.0;
const BOTTOM: f64 = HEIGHT as f64 - 90.0;
/// From pale to dark, the ends of viridis turned so that dark is more; text on it stays readable.
const RAMP: [[f64; 3]; 4] = [[253.0, 247.0, 205.0], [127.0, 205.0, 187.0], [44.0, 127.0, 184.0], [37.0, 52.0, 148.0]];
/// What misses the objective, from just below to far below.
const MISSED: [[f64; 3]; 2] = [[253.0, 224.0, 210.0], [178.0, 60.0, 20.0]];

/// A rectangle of cells, one per pair of values.
struct Map<'a> {
    left: f64,
    right: f64,
    axes: [&'a Axis; 2],
}

/// One policy: attainment to the left, cost to the right. Cells that miss the objective are red on the left and struck through on the right.
pub(super) fn heat_map(report: &SweepReport<'_>, policy: usize, axes: [&Axis; 2]) -> Drawing {
    let title = format!("{}: {} over {} and {}", report.name, report.policies[policy], axes[0].name, axes[1].name);
    let judged = report
        .objective
        .map(|share| format!("; red misses the objective of {}, struck out on the right", objective(share)));
    let judged = judged.unwrap_or_default();
    let subtitle = match report.replications {
        0 | 1 => format!("1 replication a point{judged}"),
        many => format!("means of {many} replications{judged}"),
    };
    let mut drawing = page(&title, &subtitle);
    let points: Vec<&SweepPoint> =
        report.points.iter().filter(|point| point.policy == policy && is_judged(point)).collect();
    let widest =
        axes[1].values.iter().map(|value| text_width(&value.text, TICK_SIZE, Weight::Regular)).fold(0.0, f64::max);
    let left = 78.0 + widest;
    let middle = f64::midpoint(left, f64::from(WIDTH) - 40.0);
    let share = Map { left, right: middle - 24.0, axes };
    let cost = Map { left: middle + 24.0, right: f64::from(WIDTH) - 40.0, axes };
    share.heading(&mut drawing, "requests that met the SLO");
    cost.heading(&mut drawing, "cost of a run");
    let lowest = points.iter().map(|point| point.slo_attainment.mean).fold(1.0, f64::min);
    // Without an objective nothing misses it, and colors span what there is.
    let reached = report.objective.unwrap_or(lowest);
    let lowest = lowest.min(reached);
    let (cheapest, dearest) = extent(points.iter().map(|point| point.cost_usd.mean)).unwrap_or((0.0, 1.0));
    for point in &points {
        let attainment = point.slo_attainment.mean;
        let misses = attainment < reached;
        let color = if misses {
            mixed(&MISSED, (reached - attainment) / (reached - lowest).max(1e-9))
        } else {
            mixed(&RAMP, 0.15 + 0.6 * (attainment - reached) / (1.0 - reached).max(1e-9))
        };
        drawing.tip(report.describe(point));
        share.cell(&mut drawing, point, (color, &percent(attainment)));
        let position = (point.cost_usd.mean - cheapest) / (dearest - cheapest).max(1e-9);
        cost.cell(&mut drawing, point, (mixed(&RAMP, position), &dollars(point.cost_usd.mean)));
        if misses {
            cost.strike(&mut drawing, point);
        }
        drawing.group_end();
    }
    share.labels(&mut drawing, true);
    cost.labels(&mut drawing, false);
    drawing
}

/// The color at `position` of a ramp of evenly spaced colors.
fn mixed(ramp: &[[f64; 3]], position: f64) -> Color {
    let scaled = position.clamp(0.0, 1.0) * (ramp.len() - 1) as f64;
    let index = (scaled as usize).min(ramp.len() - 2);
    let share = scaled - index as f64;
    let channel =
        |channel: usize| (ramp[index][channel] * (1.0 - share) + ramp[index + 1][channel] * share).round() as u8;
    Color::Fixed(channel(0), channel(1), channel(2))
}

impl Map<'_> {
    fn cell_size(&self) -> (f64, f64) {
        let [x, y] = self.axes.map(|axis| axis.values.len() as f64);
        ((self.right - self.left) / x, (BOTTOM - TOP) / y)
    }

    /// Left top corner of the cell of a point; the second parameter grows upward.
    fn corner(&self, point: &SweepPoint) -> (f64, f64) {
        let (width, height) = self.cell_size();
        let [x, y] = self.axes.map(|axis| axis.place(&point.settings[axis.index]) as f64);
        (self.left + x * width, BOTTOM - (y + 1.0) * height)
    }

    fn heading(&self, drawing: &mut Drawing, text: &str) {
        drawing.text(at(self.left, TOP - 12.0), text, TextStyle::new(LABEL_SIZE, Color::Ink, Anchor::Start).bold());
    }

    fn cell(&self, drawing: &mut Drawing, point: &SweepPoint, (color, text): (Color, &str)) {
        let (width, height) = self.cell_size();
        let (x, y) = self.corner(point);
        drawing.rectangle(at(x + 1.0, y + 1.0), at(x + width - 1.0, y + height - 1.0), color);
        if text_width(text, TICK_SIZE, Weight::Regular) + 8.0 < width && height > TICK_SIZE + 4.0 {
            let [red, green, blue] = color.rgb().map(f64::from);
            let is_dark = 0.299 * red + 0.587 * green + 0.114 * blue < 140.0;
            let style = TextStyle::new(TICK_SIZE, if is_dark { Color::Paper } else { Color::Ink }, Anchor::Middle);
            drawing.text(at(x + width / 2.0, y + height / 2.0 + TICK_SIZE * 0.36), text, style);
        }
    }

    fn strike(&self, drawing: &mut Drawing, point: &SweepPoint) {
        let (width, height) = self.cell_size();
        let (x, y) = self.corner(point);
        drawing.segment(at(x + 3.0, y + height - 3.0), at(x + width - 3.0, y + 3.0), Stroke::solid(Color::Muted, 1.0));
    }

    /// Values along both sides; those of the second parameter only if `with_rows`.
    fn labels(&self, drawing: &mut Drawing, with_rows: bool) {
        let (width, height) = self.cell_size();
        let [across, up] = self.axes;
        let widest =
            across.values.iter().map(|value| text_width(&value.text, TICK_SIZE, Weight::Regular)).fold(1.0, f64::max);
        let stride = ((widest + 10.0) / width).ceil().max(1.0) as usize;
        for (index, value) in across.values.iter().enumerate().step_by(stride) {
            let x = self.left + (index as f64 + 0.5) * width;
            drawing.text(at(x, BOTTOM + 22.0), &value.text, TextStyle::new(TICK_SIZE, Color::Muted, Anchor::Middle));
        }
        let middle = f64::midpoint(self.left, self.right);
        drawing.text(at(middle, BOTTOM + 54.0), &across.name, TextStyle::new(LABEL_SIZE, Color::Ink, Anchor::Middle));
        if !with_rows {
            return;
        }
        let stride = ((TICK_SIZE + 4.0) / height).ceil().max(1.0) as usize;
        for (index, value) in up.values.iter().enumerate().step_by(stride) {
            let y = BOTTOM - (index as f64 + 0.5) * height + TICK_SIZE * 0.36;
            drawing.text(at(self.left - 10.0, y), &value.text, TextStyle::new(TICK_SIZE, Color::Muted, Anchor::End));
        }
        let style = TextStyle::new(LABEL_SIZE, Color::Ink, Anchor::Middle).rotated();
        drawing.text(at(34.0, f64::midpoint(TOP, BOTTOM)), &up.name, style);
    }
}
