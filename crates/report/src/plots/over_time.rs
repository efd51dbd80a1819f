//! What happened when: one policy in five panels, and all policies on top of each other.

use record::TimelineRow;

use super::chart::Value;
use super::condense::condensed;
use super::frame::{
    Entry, HEIGHT, MARGIN_LEFT, MARGIN_RIGHT, Panel, Swatch, TICK_SIZE, WIDTH, legend, legend_rows, page,
};
use super::scale::{Scale, extent, time_ticks};
use super::{horizon, palette};
use crate::drawing::{Anchor, Color, Drawing, Stroke, TextStyle, at};
use crate::rounding::{cold_starts, dollars, milliseconds, objective, percent};
use crate::{PolicyOutcome, RunReport};

/// Points per line in a policy's own timeline, two pixels each.
const POINTS_ALONE: usize = 720;
/// Points per line where all policies overlap.
const POINTS_TOGETHER: usize = 288;

/// Panels below each other that share the time axis.
struct Stack<'a> {
    report: &'a RunReport<'a>,
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
        Self { report, span, bounds: bounds.collect(), ticks: time_ticks(span, report.start, 12) }
    }

    /// The panel at `index` with its grid, axes and heading.
    fn panel(&self, drawing: &mut Drawing, index: usize, y: Scale, heading: &str) -> Panel {
        let (top, bottom) = self.bounds[index];
        let x = Scale::Linear { low: self.span.0, high: self.span.1 };
        let panel = Panel { left: MARGIN_LEFT, right: f64::from(WIDTH) - MARGIN_RIGHT, top, bottom, x, y };
        let is_last = index + 1 == self.bounds.len();
        panel.x_axis(drawing, &self.ticks, is_last);
        let is_latency = heading.starts_with("Latency") || heading.starts_with("p99");
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

/// One policy over time: traffic, replicas by state, queue, latency, cost so far.
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
fn shown(report: &RunReport<'_>, always: &str) -> String {
    let latency = if always.contains("queue") { "latency" } else { "p99" };
    match (report.has_latency(), report.has_bill()) {
        (true, true) => format!("{always}, {latency} and cost"),
        (true, false) => format!("{always} and {latency}"),
        (false, _) => format!("{always} and cost"),
    }
}

/// What one point stands for, where it is more than one row of the table.
fn points_note(all: &[TimelineRow], shown: &[TimelineRow]) -> String {
    if shown.len() == all.len() || shown.is_empty() {
        return String::new();
    }
    format!("; each point is the worst of {}", milliseconds(shown[0].step.as_millis_f64()))
}

fn traffic_panel(drawing: &mut Drawing, stack: &Stack<'_>, rows: &[TimelineRow]) {
    let rate = |requests: u64, row: &TimelineRow| requests as f64 / row.step.as_secs_f64();
    let highest = extent(rows.iter().map(|row| rate(row.arrivals, row))).map_or(1.0, |range| range.1);
    let panel = stack.panel(drawing, 0, Scale::from_zero(highest), "Traffic (requests/s)");
    filled_steps(drawing, &panel, rows, |row| rate(row.arrivals, row), palette::COMPANION);
    filled_steps(drawing, &panel, rows, |row| rate(row.slo_misses, row), palette::ALARM);
    let entries = [
        Entry::new(Swatch::Box(palette::COMPANION), "arrivals"),
        Entry::new(Swatch::Box(palette::ALARM), "missed the SLO (late or failed)"),
    ];
    legend(drawing, &entries, at(panel.right, panel.top - 9.0));
}

/// How many replicas of a row are in one state.
type StateCount = fn(&TimelineRow) -> u32;

fn replicas_panel(drawing: &mut Drawing, stack: &Stack<'_>, rows: &[TimelineRow]) {
    let states: [(StateCount, &str); 4] = [
        (|row| row.ready, "ready"),
        (|row| row.starting, "starting"),
        (|row| row.standby, "warm standby"),
        (|row| row.draining, "draining"),
    ];
    let highest = |row: &TimelineRow| f64::from(row.desired.max(states.iter().map(|state| state.0(row)).sum()));
    let largest = extent(rows.iter().map(highest)).map_or(1.0, |range| range.1);
    let panel = stack.panel(drawing, 1, Scale::whole_from_zero(largest), "Replicas");
    let mut entries = Vec::new();
    for (index, (_, name)) in states.iter().enumerate().rev() {
        // Each layer is drawn from the ground up, the outermost first, so that layers meet without gaps.
        let height = |row: &TimelineRow| f64::from(states[..=index].iter().map(|state| state.0(row)).sum::<u32>());
        if rows.iter().any(|row| states[index].0(row) > 0) || index < 2 {
            filled_steps(drawing, &panel, rows, height, palette::STATES[index]);
            entries.insert(0, Entry::new(Swatch::Box(palette::STATES[index]), name));
        }
    }
    let desired = Stroke::solid(Color::Ink, 1.6);
    panel.line(drawing, steps(rows, |row| f64::from(row.desired)), desired);
    entries.push(Entry::new(Swatch::Line(desired), "desired (spec.replicas)"));
    legend(drawing, &entries, at(panel.right, panel.top - 9.0));
}

fn queue_panel(drawing: &mut Drawing, stack: &Stack<'_>, rows: &[TimelineRow]) {
    let highest = extent(rows.iter().map(|row| row.queue.max(row.in_flight) as f64)).map_or(1.0, |range| range.1);
    let panel =
        stack.panel(drawing, 2, Scale::Count { high: (highest * 1.3).max(10.0) }, "Queue (requests, log scale)");
    filled_steps(drawing, &panel, rows, |row| row.queue as f64, palette::ALARM);
    let served = Stroke::solid(palette::MAIN, 1.6);
    panel.line(drawing, steps(rows, |row| row.in_flight as f64), served);
    let entries =
        [Entry::new(Swatch::Box(palette::ALARM), "waiting"), Entry::new(Swatch::Line(served), "being served")];
    legend(drawing, &entries, at(panel.right, panel.top - 9.0));
}

/// The latency that is drawn: that which the SLO is about.
struct Judged {
    /// As a panel's title begins.
    name: &'static str,
    p50: fn(&TimelineRow) -> Option<u64>,
    p99: fn(&TimelineRow) -> Option<u64>,
    /// What it must be within, milliseconds.
    threshold: Option<f64>,
}

impl Judged {
    /// Time to first token where that is judged and the whole answer is not, whose length is the client's.
    fn of(report: &RunReport<'_>) -> Self {
        let millis = |limit: Option<units::SimDuration>| limit.map(units::SimDuration::as_millis_f64);
        match (report.slo_threshold, report.token_slo.ttft) {
            (None, Some(ttft)) => Self {
                name: "Time to first token",
                p50: |row| row.ttft_p50_ns,
                p99: |row| row.ttft_p99_ns,
                threshold: millis(Some(ttft)),
            },
            (threshold, _) => Self {
                name: "Latency",
                p50: |row| row.latency_p50_ns,
                p99: |row| row.latency_p99_ns,
                threshold: millis(threshold),
            },
        }
    }
}

fn latency_panel(drawing: &mut Drawing, stack: &Stack<'_>, rows: &[TimelineRow]) {
    let judged = Judged::of(stack.report);
    let threshold = judged.threshold;
    let seen = rows.iter().flat_map(|row| [(judged.p50)(row), (judged.p99)(row)]).flatten();
    let seen = seen.map(|nanos| nanos as f64 / 1e6);
    let title = format!("{} (log scale)", judged.name);
    let panel = stack.panel(drawing, 3, Scale::log_over(seen.chain(threshold)), &title);
    let strokes = [Stroke::solid(palette::COMPANION, 1.8), Stroke::solid(palette::MAIN, 1.8)];
    let is_silent = |row: &TimelineRow| row.completions == 0 && row.failures + row.slo_misses > 0;
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
    if let Some(threshold) = threshold {
        let stroke = Stroke::dashed(palette::ALARM, 2.0);
        let y = panel.place_y(threshold);
        drawing.segment(at(panel.left, y), at(panel.right, y), stroke);
        entries.push(Entry::new(Swatch::Line(stroke), &format!("SLO {}", milliseconds(threshold))));
    }
    legend(drawing, &entries, at(panel.right, panel.top - 9.0));
}

fn cost_panel(drawing: &mut Drawing, stack: &Stack<'_>, rows: &[TimelineRow]) {
    let total = rows.last().map_or(0.0, |row| row.cost_so_far.as_f64());
    let panel = stack.panel(drawing, stack.last(), Scale::from_zero(total), "Cost so far");
    let points = rows.iter().map(|row| ((row.start + row.step).as_secs_f64(), row.cost_so_far.as_f64()));
    panel.line(drawing, points.collect(), Stroke::solid(palette::MAIN, 2.4));
    let style = TextStyle::new(TICK_SIZE, Color::Ink, Anchor::End);
    drawing.text(at(panel.right, panel.top - 9.0), &format!("{} at the end", dollars(total)), style);
}

/// All policies over time: the traffic they shared, then ready replicas, p99 and cost so far of each.
pub fn overview(report: &RunReport<'_>) -> Drawing {
    let series: Vec<Vec<TimelineRow>> =
        report.policies.iter().map(|policy| condensed(&policy.detail.timeline(), POINTS_TOGETHER)).collect();
    let empty = Vec::new();
    let traffic = series.iter().find(|rows| !rows.is_empty()).unwrap_or(&empty);
    let note = points_note(&report.policies[0].detail.timeline(), traffic);
    let replication = report.policies[0].detail.replication;
    let subtitle = format!("{}: every policy faced the same requests. Replication {replication}{note}", report.title());
    let title = format!("All policies over time: {} under the same traffic", shown(report, "replicas"));
    let mut drawing = page(&title, &subtitle);
    let entries = policy_entries(report);
    let below = legend_rows(&mut drawing, &entries, at(40.0, 108.0), f64::from(WIDTH) - MARGIN_RIGHT);
    let mut weights = vec![0.8, 1.3];
    weights.extend(report.has_latency().then_some(1.3).into_iter().chain(report.has_bill().then_some(0.9)));
    let stack = Stack::new(report, traffic, below + 12.0, &weights);
    let rate = |row: &TimelineRow| row.arrivals as f64 / row.step.as_secs_f64();
    let highest = extent(traffic.iter().map(rate)).map_or(1.0, |range| range.1);
    let panel = stack.panel(&mut drawing, 0, Scale::from_zero(highest), "Traffic (requests/s)");
    filled_steps(&mut drawing, &panel, traffic, rate, palette::COMPANION);
    overview_lines(&mut drawing, &stack, &series);
    drawing
}

fn overview_lines(drawing: &mut Drawing, stack: &Stack<'_>, series: &[Vec<TimelineRow>]) {
    let every = || series.iter().flatten();
    let most = extent(every().map(|row| f64::from(row.ready))).map_or(1.0, |range| range.1);
    let ready = stack.panel(drawing, 1, Scale::whole_from_zero(most), "Ready replicas");
    let judged = Judged::of(stack.report);
    let threshold = judged.threshold;
    let slowest = every().filter_map(judged.p99).map(|nanos| nanos as f64 / 1e6);
    let title = format!("{}, p99 (log scale)", judged.name);
    let has_latency = stack.report.has_latency();
    let latency = has_latency.then(|| stack.panel(drawing, 2, Scale::log_over(slowest.chain(threshold)), &title));
    let total = extent(every().map(|row| row.cost_so_far.as_f64())).map_or(1.0, |range| range.1);
    let cost =
        stack.report.has_bill().then(|| stack.panel(drawing, stack.last(), Scale::from_zero(total), "Cost so far"));
    for (index, rows) in series.iter().enumerate() {
        let stroke = Stroke { color: palette::policy(index), width: 2.6, dash: palette::policy_dash(index) };
        drawing.group(vec![("class", "series".to_owned()), ("data-policy", index.to_string())]);
        ready.line(drawing, steps(rows, |row| f64::from(row.ready)), stroke);
        if let Some(latency) = &latency {
            latency_line(drawing, latency, rows, judged.p99, Stroke { width: 2.0, ..stroke });
            silent_bars(drawing, latency, rows, (index, stroke));
        }
        if let Some(cost) = &cost {
            let end = |row: &TimelineRow| (row.start + row.step).as_secs_f64();
            let bill = rows.iter().map(|row| (end(row), row.cost_so_far.as_f64()));
            cost.line(drawing, bill.collect(), stroke);
        }
        drawing.group_end();
    }
    if let (Some(threshold), Some(latency)) = (threshold, latency) {
        latency.level(drawing, threshold, &format!("SLO {}", milliseconds(threshold)), Color::Ink);
    }
}

/// A legend entry per policy that the HTML page can switch on and off.
pub(super) fn policy_entries(report: &RunReport<'_>) -> Vec<Entry> {
    let entry = |(index, policy): (usize, &PolicyOutcome<'_>)| {
        let stroke = Stroke { color: palette::policy(index), width: 4.0, dash: palette::policy_dash(index) };
        let name = super::frame::shortened(policy.name(), TICK_SIZE, crate::drawing::Weight::Regular, 420.0);
        Entry { policy: Some(index), ..Entry::new(Swatch::Line(stroke), &name) }
    };
    report.policies.iter().enumerate().map(entry).collect()
}

/// A line that keeps each row's value from the row's start to its end.
fn steps(rows: &[TimelineRow], value: impl Fn(&TimelineRow) -> f64) -> Vec<Value> {
    let mut points: Vec<Value> = Vec::new();
    for row in rows {
        let level = value(row);
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
fn filled_steps(
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

/// A bar along the top where there were requests and no answer to any: later than the axis goes. Each policy has its own height.
fn silent_bars(drawing: &mut Drawing, panel: &Panel, rows: &[TimelineRow], (index, stroke): (usize, Stroke)) {
    let is_silent = |row: &TimelineRow| row.completions == 0 && row.failures + row.slo_misses > 0;
    let y = panel.top + 4.0 + 6.0 * (index % 7) as f64;
    for stretch in rows.chunk_by(|a, b| is_silent(a) == is_silent(b)).filter(|stretch| is_silent(&stretch[0])) {
        let Some(last) = stretch.last() else { continue };
        let ends = [stretch[0].start.as_secs_f64(), (last.start + last.step).as_secs_f64()];
        let [from, to] = ends.map(|second| at(panel.place_x(second), y));
        drawing.segment(from, to, Stroke { width: 5.0, dash: None, ..stroke });
    }
}

/// A line through the middles of the rows that has a gap where nothing was answered.
fn latency_line(
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
