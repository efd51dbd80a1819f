//! Series in the coordinates of their data, drawn by plotters: lines, areas above zero, and dots of a panel.

use std::ops::Range;

use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged};
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{BackendCoordOnly, Circle, Drawable, PathElement, PointCollection, Polygon};
use plotters::style::{RGBAColor, ShapeStyle};

use super::frame::Panel;
use super::palette;
use super::scale::Scale;
use crate::drawing::{Canvas, Color, Drawing, Stroke, TENTHS};

/// A pair of values along a panel's axes.
pub(super) type Value = (f64, f64);

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        from + (self.position(*value) * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        self.ticks(hint.max_num_points()).into_iter().map(|tick| tick.0).collect()
    }

    fn range(&self) -> Range<f64> {
        let (low, high) = self.ends();
        low..high
    }
}

/// The stairs along a front: between two of its points, cheapest first, only the cheaper one's second value can be had.
pub(super) fn stairs(front: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let mut corners: Vec<Value> = Vec::new();
    for (x, y) in front {
        corners.extend(corners.last().map(|last| (x, last.1)));
        corners.push((x, y));
    }
    corners
}

impl Panel {
    /// A line through `values`.
    pub fn line(&self, drawing: &mut Drawing, values: Vec<Value>, stroke: Stroke) {
        let style = ShapeStyle { stroke_width: tenths(stroke.width) as u32, ..filled(stroke.color, 1.0) };
        self.draw(drawing, stroke.dash, &PathElement::new(values, style));
    }

    /// The area between `values`, ascending, and the floor.
    pub fn area(&self, drawing: &mut Drawing, mut values: Vec<Value>, fill: Color) {
        let (Some(first), Some(last)) = (values.first().copied(), values.last().copied()) else { return };
        let (floor, _) = self.y.ends();
        values.extend([(last.0, floor), (first.0, floor)]);
        let hatch = palette::hatch(fill);
        let outline = hatch.map(|_| values.iter().map(|&(x, y)| self.place(x, y)).collect());
        self.draw(drawing, None, &Polygon::new(values, filled(fill, 1.0)));
        if let (Some(outline), Some(hatch)) = (outline, hatch) {
            drawing.hatch(outline, hatch);
        }
    }

    /// A round dot of `radius` pixels.
    pub fn dot(&self, drawing: &mut Drawing, value: Value, radius: f64, fill: Color) {
        self.draw(drawing, None, &Circle::new(value, tenths(radius), filled(fill, 1.0)));
    }

    /// Has plotters map the element's values to pixels and draw it.
    fn draw<'a, 'e, E>(&self, drawing: &'a mut Drawing, dash: Option<[f64; 2]>, element: &'e E)
    where
        &'e E: PointCollection<'e, Value, BackendCoordOnly>,
        E: Drawable<Canvas<'a>>,
    {
        let [left, right, top, bottom] = [self.left, self.right, self.top, self.bottom].map(tenths);
        let values = Cartesian2d::<Scale, Scale>::new(self.x, self.y, (left..right, bottom..top));
        let area: DrawingArea<Canvas<'a>, _> = Canvas::new(drawing, dash).into_drawing_area().apply_coord_spec(values);
        area.draw(element).expect("a picture takes every shape");
    }
}

fn tenths(pixels: f64) -> i32 {
    (pixels * TENTHS).round() as i32
}

fn filled(color: Color, opacity: f64) -> ShapeStyle {
    let [red, green, blue] = color.rgb();
    ShapeStyle { color: RGBAColor(red, green, blue, opacity), filled: true, stroke_width: 0 }
}
