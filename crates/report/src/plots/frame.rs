//! The furniture of a plot: page title, panels with axes and grid, legends. Series are drawn by the plots themselves.

use super::marker::marker;
use super::palette;
use super::scale::Scale;
use crate::drawing::{Anchor, Color, Drawing, Point, Stroke, TextStyle, Weight, at, text_width};
use crate::{PolicyOutcome, RunReport};

/// Size of every plot in pixels: a slide.
pub(super) const WIDTH: u32 = 1600;
pub(super) const HEIGHT: u32 = 900;
/// Space to the right of panels, so that end labels and the last tick stay inside.
pub(super) const MARGIN_RIGHT: f64 = 44.0;
pub(super) const MARGIN_LEFT: f64 = 104.0;
/// Left edge of a panel with shares up to `99.99999 %` beside it, and a turned title beside those.
pub(super) const LEFT_OF_SHARES: f64 = 154.0;

pub(super) const TICK_SIZE: f64 = 16.0;
pub(super) const LABEL_SIZE: f64 = 18.0;

/// An occupied rectangle of the page: left, top, right, bottom.
pub(super) type Place = [f64; 4];

/// Pixels that both have.
pub(super) fn shared_area(a: &Place, b: &Place) -> f64 {
    let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    width * height
}

/// A new page with a title, what the figure is about, and a line of figures below it.
pub(super) fn page(title: &str, subtitle: &str) -> Drawing {
    sized_page(title, subtitle, HEIGHT)
}

/// The same of another height.
pub(super) fn sized_page(title: &str, subtitle: &str, height: u32) -> Drawing {
    let mut drawing = Drawing::new(WIDTH, height, title);
    let fits = |text: &str, size: f64, weight| shortened(text, size, weight, f64::from(WIDTH) - 40.0 - MARGIN_RIGHT);
    let title = fits(title, 27.0, Weight::Bold);
    let subtitle = fits(subtitle, 18.0, Weight::Regular);
    drawing.text(at(40.0, 46.0), &title, TextStyle::new(27.0, Color::Ink, Anchor::Start).bold());
    drawing.text(at(40.0, 76.0), &subtitle, TextStyle::new(18.0, Color::Muted, Anchor::Start));
    drawing
}

/// `text`, or as much of its beginning as fits into `width` pixels and an ellipsis.
pub(super) fn shortened(text: &str, size: f64, weight: Weight, width: f64) -> String {
    if text_width(text, size, weight) <= width {
        return text.to_owned();
    }
    let mut kept: String = text.to_owned();
    while !kept.is_empty() && text_width(&kept, size, weight) > width - size {
        kept.pop();
    }
    format!("{}\u{2026}", kept.trim_end())
}

/// A rectangle of the page with a scale along each side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panel {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
    pub x: Scale,
    pub y: Scale,
}

impl Panel {
    /// The pixel of a pair of values.
    pub fn place(&self, x: f64, y: f64) -> Point {
        at(self.place_x(x), self.place_y(y))
    }

    pub fn place_x(&self, x: f64) -> f64 {
        self.left + self.x.position(x) * (self.right - self.left)
    }

    pub fn place_y(&self, y: f64) -> f64 {
        self.bottom - self.y.position(y) * (self.bottom - self.top)
    }

    /// Horizontal grid lines with labels to the left.
    pub fn y_axis(&self, drawing: &mut Drawing, wanted: usize, label: impl Fn(f64, String) -> String) {
        let mut labelled = f64::INFINITY;
        for (value, text) in self.y.ticks(wanted) {
            let y = self.place_y(value);
            // Labels that would touch the one below are left out, with their line.
            if labelled - y < TICK_SIZE {
                continue;
            }
            labelled = y;
            self.y_tick(drawing, y, &label(value, text));
        }
        drawing.segment(at(self.left, self.bottom), at(self.right, self.bottom), Stroke::solid(Color::Muted, 1.0));
    }

    /// One horizontal grid line, at pixel `y`, with its label.
    pub fn y_tick(&self, drawing: &mut Drawing, y: f64, label: &str) {
        drawing.segment(at(self.left, y), at(self.right, y), Stroke::solid(Color::Grid, 1.0));
        let style = TextStyle::new(TICK_SIZE, Color::Muted, Anchor::End);
        drawing.text(at(self.left - 10.0, y + TICK_SIZE * 0.36), label, style);
    }

    /// Vertical grid lines at `ticks`, labels below if `labelled`.
    pub fn x_axis(&self, drawing: &mut Drawing, ticks: &[(f64, String)], labelled: bool) {
        for (value, text) in ticks {
            let x = self.place_x(*value);
            drawing.segment(at(x, self.top), at(x, self.bottom), Stroke::solid(Color::Grid, 1.0));
            if labelled {
                drawing.segment(at(x, self.bottom), at(x, self.bottom + 6.0), Stroke::solid(Color::Muted, 1.0));
                // The last label may be wide, a date: it ends 30 pixels before the page does.
                let half = text_width(text, TICK_SIZE, Weight::Regular) / 2.0;
                let middle = x.min(f64::from(WIDTH) - 30.0 - half);
                let style = TextStyle::new(TICK_SIZE, Color::Muted, Anchor::Middle);
                drawing.text(at(middle, self.bottom + 10.0 + TICK_SIZE), text, style);
            }
        }
    }

    /// The panel's name above its left corner.
    pub fn heading(&self, drawing: &mut Drawing, text: &str) {
        drawing.text(at(self.left, self.top - 9.0), text, TextStyle::new(LABEL_SIZE, Color::Ink, Anchor::Start).bold());
    }

    /// The name of the x axis below its middle.
    pub fn x_title(&self, drawing: &mut Drawing, text: &str) {
        let middle = f64::midpoint(self.left, self.right);
        let style = TextStyle::new(LABEL_SIZE, Color::Ink, Anchor::Middle);
        drawing.text(at(middle, self.bottom + TICK_SIZE + 38.0), text, style);
    }

    /// The name of the y axis, turned, at `x`.
    pub fn y_title(&self, drawing: &mut Drawing, x: f64, text: &str) {
        let middle = f64::midpoint(self.top, self.bottom);
        drawing.text(at(x, middle), text, TextStyle::new(LABEL_SIZE, Color::Ink, Anchor::Middle).rotated());
    }

    /// A dashed level line with its meaning written above it at the right end.
    pub fn level(&self, drawing: &mut Drawing, value: f64, text: &str, color: Color) {
        self.level_beside(drawing, value, text, (color, &[]));
    }

    /// The same with the words at the end where they cover least of what is `taken`, and where they stand.
    pub fn level_beside(
        &self,
        drawing: &mut Drawing,
        value: f64,
        text: &str,
        (color, taken): (Color, &[Place]),
    ) -> Place {
        let y = self.place_y(value);
        drawing.segment(at(self.left, y), at(self.right, y), Stroke::dashed(color, 2.0));
        let below = y - self.top < 22.0;
        let baseline = if below { y + TICK_SIZE + 4.0 } else { y - 6.0 };
        let width = text_width(text, TICK_SIZE, Weight::Regular);
        let place = |left: f64| [left, baseline - TICK_SIZE, left + width + 8.0, baseline + 4.0];
        let covered = |place: &Place| taken.iter().map(|other| shared_area(place, other)).sum::<f64>();
        let (at_right, at_left) = (place(self.right - width - 8.0), place(self.left));
        let words = if covered(&at_left) < covered(&at_right) { at_left } else { at_right };
        let [left, top, right, bottom] = words;
        let corners = vec![at(left, top), at(right, top), at(right, bottom), at(left, bottom)];
        drawing.area(corners, Color::Paper, 0.75);
        drawing.text(at(right - 4.0, baseline), text, TextStyle::new(TICK_SIZE, color, Anchor::End));
        words
    }
}

/// What a legend shows before the words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Swatch {
    Box(Color),
    Line(Stroke),
    /// A policy's line with its marker.
    Policy(usize),
    /// A policy's marker alone.
    Marker(usize),
}

/// A filled rectangle between two opposite corners, hatched where its color is not the only cue.
pub(super) fn bar(drawing: &mut Drawing, from: Point, to: Point, color: Color) {
    drawing.rectangle(from, to, color);
    if let Some(hatch) = palette::hatch(color) {
        drawing.hatch(vec![from, at(to.x, from.y), to, at(from.x, to.y)], hatch);
    }
}

/// One entry of a legend; with a policy's index it can be clicked in the HTML page.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub swatch: Swatch,
    pub text: String,
    pub policy: Option<usize>,
}

impl Entry {
    pub fn new(swatch: Swatch, text: &str) -> Self {
        Self { swatch, text: text.to_owned(), policy: None }
    }

    fn width(&self) -> f64 {
        36.0 + text_width(&self.text, TICK_SIZE, Weight::Regular) + 22.0
    }
}

/// A legend entry per policy that the HTML page can switch on and off.
pub(super) fn policy_entries(report: &RunReport<'_>) -> Vec<Entry> {
    let entry = |(index, policy): (usize, &PolicyOutcome<'_>)| {
        let name = shortened(policy.name(), TICK_SIZE, Weight::Regular, 420.0);
        Entry { policy: Some(index), ..Entry::new(Swatch::Policy(index), &name) }
    };
    report.policies.iter().enumerate().map(entry).collect()
}

/// Draws entries in one row that ends at `end`, left to right.
pub(super) fn legend(drawing: &mut Drawing, entries: &[Entry], end: Point) {
    let width: f64 = entries.iter().map(Entry::width).sum::<f64>() - 22.0;
    let mut x = end.x - width;
    for entry in entries {
        legend_entry(drawing, entry, at(x, end.y));
        x += entry.width();
    }
}

/// Draws entries in rows from `start`, as many per row as fit up to `right`; returns the baseline of the last row.
pub(super) fn legend_rows(drawing: &mut Drawing, entries: &[Entry], start: Point, right: f64) -> f64 {
    let (mut x, mut y) = (start.x, start.y);
    for entry in entries {
        if x > start.x && x + entry.width() > right + 22.0 {
            (x, y) = (start.x, y + 26.0);
        }
        legend_entry(drawing, entry, at(x, y));
        x += entry.width();
    }
    y
}

fn legend_entry(drawing: &mut Drawing, entry: &Entry, start: Point) {
    if let Some(policy) = entry.policy {
        drawing.group(vec![("class", "series".to_owned()), ("data-policy", policy.to_string())]);
    }
    let middle = start.y - TICK_SIZE * 0.36;
    match entry.swatch {
        Swatch::Box(color) => {
            bar(drawing, at(start.x + 8.0, middle - 7.0), at(start.x + 28.0, middle + 7.0), color);
        }
        Swatch::Line(stroke) => drawing.segment(at(start.x, middle), at(start.x + 28.0, middle), stroke),
        Swatch::Policy(index) => {
            let stroke = Stroke { color: palette::policy(index), width: 3.0, dash: palette::policy_dash(index) };
            drawing.segment(at(start.x, middle), at(start.x + 28.0, middle), stroke);
            marker(drawing, at(start.x + 14.0, middle), 6.0, index);
        }
        Swatch::Marker(index) => marker(drawing, at(start.x + 18.0, middle), 7.0, index),
    }
    drawing.text(at(start.x + 36.0, start.y), &entry.text, TextStyle::new(TICK_SIZE, Color::Ink, Anchor::Start));
    if entry.policy.is_some() {
        drawing.group_end();
    }
}
