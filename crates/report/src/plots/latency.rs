//! How latencies are distributed: the share answered in time, and the tail on a logarithmic scale.

use record::Histogram;

use super::frame::{HEIGHT, MARGIN_LEFT, MARGIN_RIGHT, Panel, WIDTH, legend_rows, page, policy_entries};
use super::marker::marked_line;
use super::scale::{Scale, extent};
use crate::RunReport;
use crate::drawing::{Anchor, Color, Drawing, Stroke, TextStyle, at};
use crate::rounding::{milliseconds, objective};

/// Latency of the requests of all replications: left the share answered within a time, right the share that takes longer. A request without an
/// answer takes longer than any time, so a curve ends below one, or above zero, by their share.
pub fn latency_cdf(report: &RunReport<'_>) -> Drawing {
    let histograms: Vec<&Histogram> = report.policies.iter().map(|policy| &policy.summary.latency).collect();
    let answered: u64 = histograms.iter().map(|histogram| histogram.count()).max().unwrap_or(0);
    let subtitle = format!(
        "{}: pooled over all replications, up to {} answers per policy; a request without an answer takes longer than any",
        report.title(),
        crate::rounding::count(answered)
    );
    let mut drawing = page("How long requests took: share answered in time, and the slow tail", &subtitle);
    let right = f64::from(WIDTH) - MARGIN_RIGHT;
    let below = legend_rows(&mut drawing, &policy_entries(report), at(40.0, 108.0), right);
    let x = x_scale(report, &histograms);
    let (top, bottom, middle) = (below + 46.0, f64::from(HEIGHT) - 84.0, f64::midpoint(MARGIN_LEFT, right));
    let share = Scale::Linear { low: 0.0, high: 1.0 };
    let cdf = Panel { left: MARGIN_LEFT, right: middle - 24.0, top, bottom, x, y: share };
    let rarest = 10f64.powf((0.8 / answered.max(10) as f64).max(1e-6).log10().floor());
    let tail = Panel { left: middle + 84.0, right, top, bottom, x, y: Scale::Log { low: rarest, high: 1.0 } };
    let ticks: Vec<(f64, String)> = x.ticks(5).into_iter().map(|(value, _)| (value, milliseconds(value))).collect();
    for panel in [&cdf, &tail] {
        panel.x_axis(&mut drawing, &ticks, true);
        panel.x_title(&mut drawing, "latency from arrival to answer (log scale)");
    }
    cdf.y_axis(&mut drawing, 5, |value, _| format!("{:.0} %", value * 100.0));
    tail.y_axis(&mut drawing, 6, |value, _| tail_label(value));
    cdf.heading(&mut drawing, "Share of requests answered within the time");
    tail.heading(&mut drawing, "Share of requests that take longer (log scale)");
    marks(&mut drawing, report, [&cdf, &tail]);
    curves(&mut drawing, report, [&cdf, &tail]);
    drawing
}

fn x_scale(report: &RunReport<'_>, histograms: &[&Histogram]) -> Scale {
    let ends = histograms.iter().flat_map(|histogram| [histogram.quantile(0.001), histogram.quantile(1.0)]);
    let threshold = report.slo_threshold.map(units::SimDuration::as_nanos);
    let (low, high) = extent(ends.flatten().chain(threshold).map(|nanos| nanos as f64 / 1e6)).unwrap_or((1.0, 10.0));
    Scale::log_over([low.max(1e-6), high.max(low * 1.5).max(2e-6)].into_iter())
}

/// `10 %`, `0.01 %`.
fn tail_label(share: f64) -> String {
    let digits = (-(share * 100.0).log10() + 1e-9).floor().max(0.0) as usize;
    format!("{:.digits$} %", share * 100.0)
}

/// The SLO's threshold and objective, and where they meet.
fn marks(drawing: &mut Drawing, report: &RunReport<'_>, panels: [&Panel; 2]) {
    let Some(reached) = report.objective else { return };
    let allowed = 1.0 - reached;
    for (panel, share) in panels.into_iter().zip([reached, allowed]) {
        if allowed > 0.0 {
            let y = panel.place_y(share);
            drawing.segment(at(panel.left, y), at(panel.right, y), Stroke::dashed(Color::Muted, 1.4));
        }
        let Some(threshold) = report.slo_threshold else { continue };
        let x = panel.place_x(threshold.as_millis_f64());
        drawing.segment(at(x, panel.top), at(x, panel.bottom), Stroke::dashed(Color::Ink, 1.8));
        let text = format!("SLO: {} within {}", objective(reached), milliseconds(threshold.as_millis_f64()));
        let is_left = x < f64::midpoint(panel.left, panel.right);
        let (shift, anchor) = if is_left { (8.0, Anchor::Start) } else { (-8.0, Anchor::End) };
        // Where the curves are not: low on the rising side, high on the falling one.
        let y = if share == allowed { panel.top + 22.0 } else { panel.bottom - 14.0 };
        let (shift, anchor) = if share == allowed { (shift, anchor) } else { (8.0, Anchor::Start) };
        drawing.text(at(x + shift, y), &text, TextStyle::new(super::frame::TICK_SIZE, Color::Ink, anchor));
    }
}

fn curves(drawing: &mut Drawing, report: &RunReport<'_>, panels: [&Panel; 2]) {
    let [cdf, tail] = panels;
    let Scale::Log { low: rarest, .. } = tail.y else { return };
    for (index, policy) in report.policies.iter().enumerate() {
        let (histogram, unanswered) = (&policy.summary.latency, policy.summary.unanswered);
        let total = (histogram.count() + unanswered) as f64;
        let (mut rising, mut falling, mut seen) = (Vec::new(), Vec::new(), 0);
        for (nanos, count) in histogram.buckets() {
            let milliseconds = nanos as f64 / 1e6;
            let slower = 1.0 - seen as f64 / total;
            seen += count;
            rising.push((milliseconds, seen as f64 / total));
            if slower >= rarest {
                falling.push((milliseconds, slower));
            }
        }
        let never = unanswered as f64 / total.max(1.0);
        if let Some(last) = falling.last().copied() {
            if never >= rarest {
                // Behind the last answer only those without one are left, for ever.
                falling.extend([(last.0, never), (tail.x.ends().1, never)]);
            } else {
                // The last answer: nobody is slower, so the tail ends at the floor.
                falling.push((last.0, last.1.min(1.0 / total.max(1.0))));
            }
        }
        if let Some(last) = rising.last().copied() {
            rising.push((cdf.x.ends().1, last.1));
        }
        drawing.group(vec![("class", "series".to_owned()), ("data-policy", index.to_string())]);
        marked_line(drawing, cdf, rising, 2.4, index);
        marked_line(drawing, tail, falling, 2.4, index);
        drawing.group_end();
    }
}
