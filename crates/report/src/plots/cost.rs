//! What the money was spent on, per policy.

use super::frame::{
    Entry, HEIGHT, LABEL_SIZE, MARGIN_RIGHT, Panel, Swatch, TICK_SIZE, WIDTH, bar, legend_rows, page, shortened,
};
use super::scale::{Scale, extent};
use super::{horizon, palette, replications};
use crate::drawing::{Anchor, Color, Drawing, Stroke, TextStyle, Weight, at, text_width};
use crate::money::SettledCosts;
use crate::rounding::dollars;
use crate::{PolicyOutcome, RunReport};

const USES: [&str; 6] = ["with a request", "idle", "cold start", "standby", "draining", "unallocated"];
const PURCHASES: [&str; 4] = ["on demand", "spot", "reserved", "serverless"];

/// One bar per policy: what the GPUs were doing while they were billed and, in a thin bar below where there is more than one, how they
/// were bought.
pub fn cost_breakdown(report: &RunReport<'_>) -> Drawing {
    let costs: Vec<SettledCosts> =
        report.policies.iter().map(|policy| SettledCosts::of(&policy.summary.pooled)).collect();
    let subtitle = format!("{}: mean cost of {}, {}", report.title(), horizon(report), replications(report));
    let mut drawing = page("What the money was spent on", &subtitle);
    let used: Vec<usize> = (0..6).filter(|&item| costs.iter().any(|cost| cost.uses[item].as_micros() > 0)).collect();
    let bought: Vec<usize> =
        (0..4).filter(|&item| costs.iter().any(|cost| cost.purchases[item].as_micros() > 0)).collect();
    let mut entries: Vec<Entry> =
        used.iter().map(|&item| Entry::new(Swatch::Box(palette::USES[item]), USES[item])).collect();
    let has_mix = bought.len() > 1;
    if has_mix {
        let purchase = |&item: &usize| {
            Entry::new(Swatch::Box(palette::PURCHASES[item]), &format!("{} (thin bar)", PURCHASES[item]))
        };
        entries.extend(bought.iter().map(purchase));
    }
    let right = f64::from(WIDTH) - MARGIN_RIGHT;
    let below = legend_rows(&mut drawing, &entries, at(40.0, 112.0), right);
    let highest = |policy: &PolicyOutcome<'_>| [policy.summary.pooled.cost_usd, policy.summary.cost_usd.high];
    let largest = extent(report.policies.iter().flat_map(highest)).map_or(1.0, |range| range.1);
    let panel = dollars_across(&mut drawing, report, (below + 24.0, right - 190.0), largest);
    for (index, (policy, cost)) in report.policies.iter().zip(&costs).enumerate() {
        policy_bars(&mut drawing, &panel, (index, policy), cost, has_mix);
    }
    drawing
}

/// A panel with a bar's room per policy and dollars from zero to `largest` along the foot, between these top and right edges.
pub(super) fn dollars_across(
    drawing: &mut Drawing,
    report: &RunReport<'_>,
    (top, right): (f64, f64),
    largest: f64,
) -> Panel {
    let panel = Panel {
        left: names_width(report) + 60.0,
        right,
        top,
        bottom: f64::from(HEIGHT) - 84.0,
        x: Scale::Linear { low: 0.0, high: if largest > 0.0 { largest } else { 1.0 } },
        y: Scale::Linear { low: 0.0, high: report.policies.len() as f64 },
    };
    let ticks: Vec<(f64, String)> =
        panel.x.ticks(7).into_iter().map(|(value, text)| (value, format!("${text}"))).collect();
    panel.x_axis(drawing, &ticks, true);
    panel.x_title(drawing, &format!("cost in dollars for {}", horizon(report)));
    panel
}

fn policy_bars(
    drawing: &mut Drawing,
    panel: &Panel,
    row: (usize, &PolicyOutcome<'_>),
    cost: &SettledCosts,
    has_mix: bool,
) {
    let (index, policy) = row;
    let slot = (panel.bottom - panel.top) / panel.y_slots();
    let height = (slot * 0.62).min(72.0);
    let top = panel.top + slot * (index as f64 + 0.5) - height / 2.0;
    let thin = if has_mix { height * 0.22 } else { 0.0 };
    stacked(drawing, panel, &cost.uses.map(units::Usd::as_f64), (top, top + height - thin), (&palette::USES, dollars));
    if has_mix {
        let bounds = (top + height - thin + 2.0, top + height);
        stacked(drawing, panel, &cost.purchases.map(units::Usd::as_f64), bounds, (&palette::PURCHASES, dollars));
    }
    let interval = policy.summary.cost_usd;
    let total = cost.total.as_f64();
    let mut end = panel.place_x(total);
    let middle = top + (height - thin) / 2.0;
    if interval.low.is_finite() && interval.high.is_finite() {
        whisker(drawing, middle, [panel.place_x(interval.low), panel.place_x(interval.high)]);
        end = end.max(panel.place_x(interval.high));
    }
    let name = shortened(policy.name(), LABEL_SIZE, Weight::Regular, panel.left - 56.0);
    drawing.text(at(panel.left - 14.0, middle + 6.0), &name, TextStyle::new(LABEL_SIZE, Color::Ink, Anchor::End));
    let style = TextStyle::new(LABEL_SIZE, Color::Ink, Anchor::Start).bold();
    drawing.text(at(end + 12.0, middle + 1.0), &dollars(total), style);
    let idle = format!("{:.0} % with a request", cost.uses[0].as_f64() / total.max(1e-9) * 100.0);
    drawing.text(at(end + 12.0, middle + 21.0), &idle, TextStyle::new(TICK_SIZE - 1.0, Color::Muted, Anchor::Start));
}

impl Panel {
    /// How many bars share the panel's height.
    fn y_slots(&self) -> f64 {
        if let Scale::Linear { high, .. } = self.y { high } else { 1.0 }
    }
}

/// Segments next to each other from zero, each with its figure: inside where it fits, else above, where the larger come first and those that find no
/// room have none. Segments of a thin bar have no figures.
pub(super) fn stacked(
    drawing: &mut Drawing,
    panel: &Panel,
    parts: &[f64],
    (top, bottom): (f64, f64),
    (colors, figure): (&[Color], impl Fn(f64) -> String),
) {
    let mut so_far = 0.0;
    let mut narrow: Vec<(f64, f64)> = Vec::new();
    for (part, &color) in parts.iter().zip(colors) {
        let (from, to) = (panel.place_x(so_far), panel.place_x(so_far + part));
        so_far += part;
        if to - from < 0.2 {
            continue;
        }
        bar(drawing, at(from, top), at(to, bottom), color);
        let (label, middle) = (figure(*part), f64::midpoint(from, to));
        let half = text_width(&label, TICK_SIZE, Weight::Regular) / 2.0 + 4.0;
        if bottom - top < 24.0 {
            continue;
        }
        if to - from <= 2.0 * half + 6.0 {
            narrow.push((*part, middle));
            continue;
        }
        let baseline = f64::midpoint(top, bottom) + TICK_SIZE * 0.36;
        plate(drawing, [middle - half, baseline - TICK_SIZE, middle + half, baseline + 5.0], color);
        drawing.text(at(middle, baseline), &label, TextStyle::new(TICK_SIZE, readable_on(color), Anchor::Middle));
    }
    narrow.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut taken: Vec<(f64, f64)> = Vec::new();
    for (part, middle) in narrow {
        let label = figure(part);
        let half = text_width(&label, TICK_SIZE, Weight::Regular) / 2.0 + 4.0;
        let (left, right) = (middle - half, middle + half);
        if taken.iter().all(|&(from, to)| right <= from || to <= left) {
            taken.push((left, right));
            drawing.text(at(middle, top - 8.0), &label, TextStyle::new(TICK_SIZE, Color::Muted, Anchor::Middle));
            drawing.segment(at(middle, top - 6.0), at(middle, top), Stroke::solid(Color::Muted, 1.0));
        }
    }
}

/// Nothing but the color under a label, where lines would run through it.
fn plate(drawing: &mut Drawing, [left, top, right, bottom]: [f64; 4], color: Color) {
    if palette::hatch(color).is_some() {
        drawing.rectangle(at(left, top), at(right, bottom), color);
    }
}

/// White on dark colors, near-black on light ones.
pub(super) fn readable_on(color: Color) -> Color {
    let [red, green, blue] = color.rgb().map(f64::from);
    // Rec. 601 luma.
    let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
    if luma > 140.0 { Color::Fixed(0x1f, 0x24, 0x2b) } else { Color::Fixed(0xff, 0xff, 0xff) }
}

/// A level error bar between two pixels.
pub(super) fn whisker(drawing: &mut Drawing, y: f64, ends: [f64; 2]) {
    let stroke = Stroke::solid(Color::Ink, 2.0);
    drawing.segment(at(ends[0], y), at(ends[1], y), stroke);
    for x in ends {
        drawing.segment(at(x, y - 6.0), at(x, y + 6.0), stroke);
    }
}

/// Room the policies' names need, up to a third of the page.
pub(super) fn names_width(report: &RunReport<'_>) -> f64 {
    let widest = report.policies.iter().map(|policy| text_width(policy.name(), LABEL_SIZE, Weight::Regular));
    widest.fold(60.0, f64::max).min(f64::from(WIDTH) / 3.0)
}
