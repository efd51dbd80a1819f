//! What happened when under one policy, in five panels. All policies of a report have the same axes.

use record::TimelineRow;

use super::chart::Value;
use super::condense::condensed;
use super::frame::{Entry, HEIGHT, MARGIN_LEFT, MARGIN_RIGHT, Panel, Swatch, TICK_SIZE, WIDTH, legend, page};
use super::scale::{Scale, time_ticks};
use super::shared::{Judged, Shared, dollars_per_hour};
use super::{horizon, palette};
use crate::drawing::{Anchor, Color, Drawing, Stroke, TextStyle, at};
use crate::rounding::{cold_starts, dollars, milliseconds, objective, percent};
use crate::{PolicyOutcome, RunReport};

/// Points per line in a policy's own timeline, two pixels each.
const POINTS_ALONE: usize = 720;

/// What waits.
const WAITING: Color = Color::Muted;

/// Panels below each other that share the time axis.
struct Stack<'a> {
    report: &'a RunReport<'a>,
    judged: Judged,
    shared: Shared,
    span: (f64, f64),
    bounds: Vec<(f64, f64)>,
    ticks: Vec<(f64, String)>,
}

impl<'a> Stack<'a> {
    /// Divides the page from `top` down in proportion to `weights`.
    fn new(report: &'a RunReport<'a>, rows: &[TimelineRow], top: f64, weights: &[f64]) -> Self {
        let first = rows.first().map_or(0.0, |row| row.start.as_secs_f64());
        let last = rows.last().map_or(1.0, |row| (row.start + row.step).as_secs_f64());
        let span = (first, last.max(first + 1.0));
        let room = f64::from(HEIGHT) - 72.0 - top;
        let total: f64 = weights.iter().sum();
        let mut next = top;
        let bounds = weights.iter().map(|weight| {
            let from = next;
            next += room * weight / total;
            // The heading takes the first 30 pixels, the gap below the last 12.
            (from + 30.0, next - 12.0)
        });
        let judged = Judged::of(report);
        let shared = Shared::of(report, &judged, POINTS_ALONE);
        Self { report, judged, shared, span, bounds: bounds.collect(), ticks: time_ticks(span, report.start, 12) }
    }

    /// The panel at `index` with its grid, axes and heading.
    fn panel(&self, drawing: &mut Drawing, index: usize, y: Scale, heading: &str) -> Panel {
        let (top, bottom) = self.bounds[index];
        let x = Scale::Linear { low: self.span.0, high: self.span.1 };
        let panel = Panel { left: MARGIN_LEFT, right: f64::from(WIDTH) - MARGIN_RIGHT, top, bottom, x, y };
        let is_last = index + 1 == self.bounds.len();
        panel.x_axis(drawing, &self.ticks, is_last);
        let is_latency = heading.starts_with(self.judged.name);
        let is_money = heading.starts_with("Cost");
        panel.y_axis(drawing, ((bottom - top) / 22.0) as usize, |value, text| match (is_latency, is_money) {
            (true, _) => milliseconds(value),
            (_, true) => format!("${text}"),
            _ => text,
        });
        panel.heading(drawing, heading);
        if is_last {
            let title = self.report.start.map_or("time since the start of the run".to_owned(), |start| {
                format!("local time ({}), start {}", start.zone_label(), &start.iso(units::SimTime::ZERO)[..10])
            });
            panel.x_title(drawing, &title);
        }
        panel
    }

    /// The lowest panel.
    fn last(&self) -> usize {
        self.bounds.len() - 1
    }
}

/// One policy over time: traffic, replicas by state, queue, latency, cost per hour.
pub fn timeline(report: &RunReport<'_>, policy: &PolicyOutcome<'_>) -> Drawing {
    let detail = policy.detail;
    let (steps, totals) = (detail.timeline(), detail.totals());
    let rows = condensed(&steps, POINTS_ALONE);
    let attainment = totals.slo_met as f64 / totals.slo_total as f64;
    let held_against =
        report.objective.map_or("of their service".to_owned(), |share| format!("(objective {})", objective(share)));
    let subtitle = format!(
        "{}: {} of requests met the SLO {held_against}, {} for {}, {}. Replication {}{}",
        report.title(),
        percent(attainment),
        dollars(detail.ledger.total().as_f64()),
        horizon(report),
        cold_starts(detail.scaling().cold_start_ns.len() as u64),
        detail.replication,
        points_note(&steps, &rows),
    );
    let mut drawing =
        page(&format!("{}: {} as traffic changed", policy.name(), shown(report, "replicas, queue")), &subtitle);
    let mut weights = vec![1.0, 1.35, 1.0];
    weights.extend(report.has_latency().then_some(1.15).into_iter().chain(report.has_bill().then_some(0.9)));
    let stack = Stack::new(report, &rows, 88.0, &weights);
    traffic_panel(&mut drawing, &stack, &rows);
    replicas_panel(&mut drawing, &stack, &rows);
    queue_panel(&mut drawing, &stack, &rows);
    if report.has_latency() {
        latency_panel(&mut drawing, &stack, &rows);
    }
    if report.has_bill() {
        cost_panel(&mut drawing, &stack, &rows);
    }
    drawing
}

/// What panels there are, beginning with those that always are: `replicas, p99 and cost`.
pub(super) fn shown(report: &RunReport<'_>, always: &str) -> String {
    let latency = if always.contains("queue") { "latency" } else { "p99" };
    match (report.has_latency(), report.has_bill()) {
        (true, true) => format!("{always}, {latency} and cost"),
        (true, false) => format!("{always} and {latency}"),
        (false, _) => format!("{always} and cost"),
    }
}

/// What one point stands for, where it is more than one row of the table.
pub(super) fn points_note(all: &[TimelineRow], shown: &[TimelineRow]) -> String {
    if shown.len() == all.len() || shown.is_empty() {
        return String::new();
    }
    format!("; each point is the worst of {}", milliseconds(shown[0].step.as_millis_f64()))
}

fn traffic_panel(drawing: &mut Drawing, stack: &Stack<'_>, rows: &[TimelineRow]) {
    let rate = |requests: u64, row: &TimelineRow| requests as f64 / row.step.as_secs_f64();
    let panel = stack.panel(drawing, 0, stack.shared.traffic, "Traffic (requests/s)");
    filled_steps(drawing, &panel, rows, |row| rate(row.arrivals, row), palette::TRAFFIC);
    filled_steps(drawing, &panel, rows, |row| rate(row.slo_misses, row), palette::ALARM);
    let entries = [
        Entry::new(Swatch::Box(palette::TRAFFIC), "arrivals"),
        Entry::new(Swatch::Box(palette::ALARM), "missed the SLO, when they were answered or failed"),
    ];
    legend(drawing, &entries, at(panel.right, panel.top - 9.0));
}

/// How many replicas of a row are in one state.
pub(super) type StateCount = fn(&TimelineRow) -> u32;

fn replicas_panel(drawing: &mut Drawing, stack: &Stack<'_>, rows: &[TimelineRow]) {
    let panel = stack.panel(drawing, 1, stack.shared.replicas, "Replicas");
    let mut entries = replicas_by_state(drawing, &panel, rows);
    let desired = Stroke::solid(Color::Ink, 1.6);
    panel.line(drawing, steps(rows, |row| f64::from(row.desired)), desired);
    entries.push(Entry::new(Swatch::Line(desired), "desired (spec.replicas)"));
    legend(drawing, &entries, at(panel.right, panel.top - 9.0));
}

/// Areas on top of each other, and what each is.
pub(super) fn replicas_by_state(drawing: &mut Drawing, panel: &Panel, rows: &[TimelineRow]) -> Vec<Entry> {
    let states: [(StateCount, &str); 4] = [
        (|row| row.ready, "ready"),
        (|row| row.starting, "starting"),
        (|row| row.standby, "warm standby"),
        (|row| row.draining, "draining"),
    ];
    let mut entries = Vec::new();
    for (index, (_, name)) in states.iter().enumerate().rev() {
        // Each layer is drawn from the ground up, the outermost first, so that layers meet without gaps.
        let height = |row: &TimelineRow| f64::from(states[..=index].iter().map(|state| state.0(row)).sum::<u32>());
        if rows.iter().any(|row| states[index].0(row) > 0) || index < 2 {
            filled_steps(drawing, panel, rows, height, palette::STATES[index]);
            entries.insert(0, Entry::new(Swatch::Box(palette::STATES[index]), name));
        }
    }
    entries
}

fn queue_panel(drawing: &mut Drawing, stack: &Stack<'_>, rows: &[TimelineRow]) {
    let panel = stack.panel(drawing, 2, stack.shared.queue, "Queue (requests, log scale above 1)");
    filled_steps(drawing, &panel, rows, |row| row.queue as f64, WAITING);
    let served = Stroke::solid(Color::Ink, 1.6);
    panel.line(drawing, steps(rows, |row| row.in_flight as f64), served);
    let entries = [Entry::new(Swatch::Box(WAITING), "waiting"), Entry::new(Swatch::Line(served), "being served")];
    legend(drawing, &entries, at(panel.right, panel.top - 9.0));
}

fn latency_panel(drawing: &mut Drawing, stack: &Stack<'_>, rows: &[TimelineRow]) {
    let judged = &stack.judged;
    let panel = stack.panel(drawing, 3, stack.shared.latency, &format!("{} (log scale)", judged.name));
    let strokes = [Stroke::solid(Color::Muted, 1.2), Stroke::solid(Color::Ink, 2.0)];
    filled_steps(drawing, &panel, rows, |row| if is_silent(row) { f64::INFINITY } else { 0.0 }, palette::SILENT);
    latency_line(drawing, &panel, rows, judged.p50, strokes[0]);
    latency_line(drawing, &panel, rows, judged.p99, strokes[1]);
    let mut entries = vec![
        Entry::new(Swatch::Line(strokes[0]), "p50 of answers"),
        Entry::new(Swatch::Line(strokes[1]), "p99 of answers"),
    ];
    if rows.iter().any(is_silent) {
        entries.push(Entry::new(Swatch::Box(palette::SILENT), "requests and no answer"));
    }
    if let Some(threshold) = judged.threshold {
        let stroke = Stroke::dashed(palette::ALARM, 2.0);
        let y = panel.place_y(threshold);
        drawing.segment(at(panel.left, y), at(panel.right, y), stroke);
        entries.push(Entry::new(Swatch::Line(stroke), &format!("SLO {}", milliseconds(threshold))));
    }
    legend(drawing, &entries, at(panel.right, panel.top - 9.0));
}

/// Requests and no answer: later than any axis goes.
pub(super) fn is_silent(row: &TimelineRow) -> bool {
    row.completions == 0 && row.failures + row.slo_misses > 0
}

fn cost_panel(drawing: &mut Drawing, stack: &Stack<'_>, rows: &[TimelineRow]) {
    let total = rows.last().map_or(0.0, |row| row.cost_so_far.as_f64());
    let panel = stack.panel(drawing, stack.last(), stack.shared.spending, "Cost per hour");
    spending_line(drawing, &panel, rows);
    let style = TextStyle::new(TICK_SIZE, Color::Ink, Anchor::End);
    drawing.text(at(panel.right, panel.top - 9.0), &format!("{} in all", dollars(total)), style);
}

/// Dollars per hour of each row.
pub(super) fn spending_line(drawing: &mut Drawing, panel: &Panel, rows: &[TimelineRow]) {
    panel.line(drawing, levels(dollars_per_hour(rows)), Stroke::solid(Color::Ink, 2.0));
}

/// A line that keeps each row's value from the row's start to its end.
pub(super) fn steps(rows: &[TimelineRow], value: impl Fn(&TimelineRow) -> f64) -> Vec<Value> {
    levels(rows.iter().map(|row| (row, value(row))))
}

/// A line that keeps each value from its row's start to its end.
fn levels<'r>(rows: impl Iterator<Item = (&'r TimelineRow, f64)>) -> Vec<Value> {
    let mut points: Vec<Value> = Vec::new();
    for (row, level) in rows {
        if points.last().is_some_and(|last| last.1 == level) {
            points.pop();
        } else {
            points.push((row.start.as_secs_f64(), level));
        }
        points.push(((row.start + row.step).as_secs_f64(), level));
    }
    points
}

/// The areas under a step line, one per stretch of rows above zero.
pub(super) fn filled_steps(
    drawing: &mut Drawing,
    panel: &Panel,
    rows: &[TimelineRow],
    value: impl Fn(&TimelineRow) -> f64,
    fill: Color,
) {
    for stretch in rows.chunk_by(|a, b| (value(a) > 0.0) == (value(b) > 0.0)) {
        if value(&stretch[0]) > 0.0 {
            panel.area(drawing, steps(stretch, &value), fill);
        }
    }
}

/// A line through the middles of the rows that has a gap where nothing was answered.
pub(super) fn latency_line(
    drawing: &mut Drawing,
    panel: &Panel,
    rows: &[TimelineRow],
    value: impl Fn(&TimelineRow) -> Option<u64>,
    stroke: Stroke,
) {
    let mut points = Vec::new();
    for row in rows {
        match value(row) {
            Some(nanos) => {
                let middle = row.start.as_secs_f64() + row.step.as_secs_f64() / 2.0;
                points.push((middle, nanos as f64 / 1e6));
            }
            None => panel.line(drawing, std::mem::take(&mut points), stroke),
        }
    }
    panel.line(drawing, points, stroke);
}
