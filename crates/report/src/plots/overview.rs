//! What happened when under all policies: a row each, the same axes in all rows, so that none hides another.

use record::TimelineRow;

use super::condense::condensed;
use super::frame::{
    Entry, HEIGHT, LABEL_SIZE, MARGIN_RIGHT, Panel, Swatch, TICK_SIZE, WIDTH, legend_rows, shortened, sized_page,
};
use super::over_time::{
    StateCount, filled_steps, is_silent, latency_line, points_note, replicas_by_state, shown, spending_line, steps,
};
use super::palette;
use super::scale::{Scale, extent, time_ticks};
use super::shared::{Judged, Shared};
use crate::RunReport;
use crate::drawing::{Anchor, Color, Drawing, Stroke, TextStyle, Weight, at, text_width};
use crate::rounding::milliseconds;

/// Points per line in a third of a page.
const POINTS: usize = 288;
/// Pixels of a row that is still readable; the page grows where there are more policies than fit.
const ROW_LEAST: f64 = 64.0;
/// Where the first row begins.
const TOP: f64 = 152.0;
/// Below the last row: ticks and the name of the axis.
const FOOT: f64 = 72.0;
/// Left of a column: the ticks of its axis.
const TICKS: f64 = 74.0;

/// What a column shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Replicas,
    Latency,
    Cost,
}

/// The columns beside the policies' names, over one time axis.
struct Grid<'a> {
    report: &'a RunReport<'a>,
    judged: Judged,
    shared: Shared,
    columns: Vec<Column>,
    /// Left edge and width of the first column, ticks included.
    left: f64,
    width: f64,
    row: f64,
    x: Scale,
    ticks: Vec<(f64, String)>,
}

/// Name of the row above those of the policies.
const TRAFFIC: &str = "requests/s";

/// All policies over time: the traffic they shared, then a row for each with its replicas, p99 and what it spent per hour.
pub fn overview(report: &RunReport<'_>) -> Drawing {
    let series: Vec<Vec<TimelineRow>> =
        report.policies.iter().map(|policy| condensed(&policy.detail.timeline(), POINTS)).collect();
    let empty = Vec::new();
    let traffic = series.iter().find(|rows| !rows.is_empty()).unwrap_or(&empty);
    let note = points_note(&report.policies[0].detail.timeline(), traffic);
    let replication = report.policies[0].detail.replication;
    let subtitle = format!("{}: every policy faced the same requests. Replication {replication}{note}", report.title());
    let title = format!("All policies over time: {} under the same traffic", shown(report, "replicas"));
    let rows = (series.len() + 1) as f64;
    let height = f64::from(HEIGHT).max(TOP + FOOT + rows * ROW_LEAST);
    let mut drawing = sized_page(&title, &subtitle, height as u32);
    let grid = Grid::new(report, traffic, (height - TOP - FOOT) / rows);
    legend_rows(&mut drawing, &grid.entries(&series), at(32.0, 104.0), f64::from(WIDTH) - MARGIN_RIGHT);
    grid.traffic(&mut drawing, traffic);
    for (index, rows) in series.iter().enumerate() {
        grid.policy(&mut drawing, index, rows);
    }
    grid.foot(&mut drawing);
    drawing
}

impl<'a> Grid<'a> {
    fn new(report: &'a RunReport<'a>, rows: &[TimelineRow], row: f64) -> Self {
        let judged = Judged::of(report);
        let shared = Shared::of(report, &judged, POINTS);
        let mut columns = vec![Column::Replicas];
        columns.extend(report.has_latency().then_some(Column::Latency));
        columns.extend(report.has_bill().then_some(Column::Cost));
        let width_of = |name: &str| text_width(name, LABEL_SIZE, Weight::Bold);
        let widths = report.policies.iter().map(|policy| width_of(policy.name()));
        let left = 40.0 + widths.fold(width_of(TRAFFIC), f64::max).min(260.0);
        let width = (f64::from(WIDTH) - MARGIN_RIGHT - left) / columns.len() as f64;
        let first = rows.first().map_or(0.0, |row| row.start.as_secs_f64());
        let last = rows.last().map_or(1.0, |row| (row.start + row.step).as_secs_f64());
        let span = (first, last.max(first + 1.0));
        let ticks = time_ticks(span, report.start, (width / 90.0) as usize);
        let x = Scale::Linear { low: span.0, high: span.1 };
        Self { report, judged, shared, columns, left, width, row, x, ticks }
    }

    fn entries(&self, series: &[Vec<TimelineRow>]) -> Vec<Entry> {
        let is_seen = |count: StateCount| series.iter().flatten().any(|row| count(row) > 0);
        let mut entries = vec![Entry::new(Swatch::Box(palette::STATES[0]), "ready")];
        let others: [(StateCount, &str); 3] =
            [(|row| row.starting, "starting"), (|row| row.standby, "warm standby"), (|row| row.draining, "draining")];
        for (state, (count, name)) in others.into_iter().enumerate() {
            entries.extend(is_seen(count).then(|| Entry::new(Swatch::Box(palette::STATES[state + 1]), name)));
        }
        entries.push(Entry::new(Swatch::Line(Stroke::solid(Color::Ink, 1.4)), "desired"));
        if self.columns.contains(&Column::Latency) {
            if let Some(threshold) = self.judged.threshold {
                let stroke = Stroke::dashed(palette::ALARM, 2.0);
                entries.push(Entry::new(Swatch::Line(stroke), &format!("SLO {}", milliseconds(threshold))));
            }
            if series.iter().flatten().any(is_silent) {
                entries.push(Entry::new(Swatch::Box(palette::SILENT), "requests and no answer"));
            }
        }
        entries
    }

    /// The panel of a column in a row, the traffic's being row 0, with its axes.
    fn panel(&self, drawing: &mut Drawing, (column, row): (usize, usize), y: Scale) -> Panel {
        let top = TOP + self.row * row as f64;
        let left = self.left + self.width * column as f64;
        let (right, bottom) = (left + self.width - 8.0, top + self.row - 14.0);
        let panel = Panel { left: left + TICKS, right, top, bottom, x: self.x, y };
        let is_last = row == self.report.policies.len();
        let mut ticks = self.ticks.clone();
        // The last label would run into the first of the next column where both are dates.
        let has_next = column + 1 < self.columns.len();
        if let Some(last) =
            ticks.last_mut().filter(|last| has_next && text_width(&last.1, TICK_SIZE, Weight::Regular) > TICKS)
        {
            last.1.clear();
        }
        panel.x_axis(drawing, &ticks, is_last);
        let what = if row == 0 { None } else { Some(self.columns[column]) };
        panel.y_axis(drawing, (((bottom - top) / 24.0) as usize).max(1), |value, text| match what {
            Some(Column::Latency) => milliseconds(value),
            Some(Column::Cost) => format!("${text}"),
            _ => text,
        });
        panel
    }

    /// The shared traffic above each column, with the column's name.
    fn traffic(&self, drawing: &mut Drawing, rows: &[TimelineRow]) {
        self.name(drawing, 0, TRAFFIC);
        let rate = |row: &TimelineRow| row.arrivals as f64 / row.step.as_secs_f64();
        let highest = extent(rows.iter().map(rate)).map_or(1.0, |range| range.1);
        for (index, column) in self.columns.iter().enumerate() {
            let panel = self.panel(drawing, (index, 0), Scale::from_zero(highest));
            filled_steps(drawing, &panel, rows, rate, palette::TRAFFIC);
            panel.heading(
                drawing,
                &match column {
                    Column::Replicas => "Replicas".to_owned(),
                    Column::Latency => format!("{}, p99 (log scale)", self.judged.name),
                    Column::Cost => "Cost per hour".to_owned(),
                },
            );
        }
    }

    fn policy(&self, drawing: &mut Drawing, index: usize, rows: &[TimelineRow]) {
        drawing.group(vec![("class", "series".to_owned()), ("data-policy", index.to_string())]);
        self.name(drawing, index + 1, self.report.policies[index].name());
        for (number, column) in self.columns.iter().enumerate() {
            let place = (number, index + 1);
            match column {
                Column::Replicas => {
                    let panel = self.panel(drawing, place, self.shared.replicas);
                    replicas_by_state(drawing, &panel, rows);
                    panel.line(drawing, steps(rows, |row| f64::from(row.desired)), Stroke::solid(Color::Ink, 1.4));
                }
                Column::Latency => {
                    let panel = self.panel(drawing, place, self.shared.latency);
                    let silent = |row: &TimelineRow| if is_silent(row) { f64::INFINITY } else { 0.0 };
                    filled_steps(drawing, &panel, rows, silent, palette::SILENT);
                    latency_line(drawing, &panel, rows, self.judged.p99, Stroke::solid(Color::Ink, 1.8));
                    if let Some(threshold) = self.judged.threshold {
                        let (low, high) = panel.x.ends();
                        let level = vec![(low, threshold), (high, threshold)];
                        panel.line(drawing, level, Stroke::dashed(palette::ALARM, 2.0));
                    }
                }
                Column::Cost => {
                    let panel = self.panel(drawing, place, self.shared.spending);
                    spending_line(drawing, &panel, rows);
                }
            }
        }
        drawing.group_end();
    }

    /// What a row is, left of its columns.
    fn name(&self, drawing: &mut Drawing, row: usize, name: &str) {
        let middle = TOP + self.row * (row as f64 + 0.5) - 7.0 + LABEL_SIZE * 0.36;
        let name = shortened(name, LABEL_SIZE, Weight::Bold, self.left - 24.0);
        drawing.text(at(32.0, middle), &name, TextStyle::new(LABEL_SIZE, Color::Ink, Anchor::Start).bold());
    }

    fn foot(&self, drawing: &mut Drawing) {
        let title = self.report.start.map_or("time since the start of the run".to_owned(), |start| {
            format!("local time ({}), start {}", start.zone_label(), &start.iso(units::SimTime::ZERO)[..10])
        });
        let middle = f64::midpoint(self.left + TICKS, f64::from(WIDTH) - MARGIN_RIGHT);
        let below = TOP + self.row * (self.report.policies.len() + 1) as f64 - 14.0 + TICK_SIZE + 38.0;
        drawing.text(at(middle, below), &title, TextStyle::new(LABEL_SIZE, Color::Ink, Anchor::Middle));
    }
}
