//! What plotters draws on: a picture, in tenths of its pixels, since plotters knows whole numbers only.

use std::convert::Infallible;

use plotters_backend::{BackendColor, BackendCoord, BackendStyle, DrawingBackend, DrawingErrorKind};

use super::{Color, Drawing, Point, Stroke, at};

/// Steps of plotters' coordinates in a pixel; SVG text has as many.
pub(crate) const TENTHS: f64 = 10.0;

type Done = Result<(), DrawingErrorKind<Infallible>>;

/// A plotters backend that adds shapes to a picture. Texts are not drawn through it: they carry themes and places that plotters has no words for.
pub(crate) struct Canvas<'a> {
    drawing: &'a mut Drawing,
    /// plotters' styles know no dashes: whoever draws a series says here how its lines are dashed.
    dash: Option<[f64; 2]>,
}

impl<'a> Canvas<'a> {
    /// On `drawing`, with lines in this dash.
    pub(crate) fn new(drawing: &'a mut Drawing, dash: Option<[f64; 2]>) -> Self {
        Self { drawing, dash }
    }

    fn rectangle(&mut self, from: Point, to: Point, color: BackendColor) {
        self.drawing.area(vec![from, at(to.x, from.y), to, at(from.x, to.y)], Color::of(color), color.alpha);
    }
}

fn pixels((x, y): BackendCoord) -> Point {
    at(f64::from(x) / TENTHS, f64::from(y) / TENTHS)
}

impl Color {
    /// The color of the theme that has these values, or just them.
    fn of(color: BackendColor) -> Self {
        let (red, green, blue) = color.rgb;
        let theme = [Self::Ink, Self::Muted, Self::Grid, Self::Paper];
        theme.into_iter().find(|known| known.rgb() == [red, green, blue]).unwrap_or(Self::Fixed(red, green, blue))
    }
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        let tenths = TENTHS as u32;
        (self.drawing.width * tenths, self.drawing.height * tenths)
    }

    fn ensure_prepared(&mut self) -> Done {
        Ok(())
    }

    fn present(&mut self) -> Done {
        Ok(())
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Done {
        let corner = pixels(point);
        self.rectangle(corner, at(corner.x + 1.0 / TENTHS, corner.y + 1.0 / TENTHS), color);
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Done {
        self.draw_path([from, to], style)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Done {
        let width = f64::from(style.stroke_width()) / TENTHS;
        let points = simplified(path.into_iter().map(pixels));
        self.drawing.line(points, Stroke { color: Color::of(style.color()), width, dash: self.dash });
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, fill: bool) -> Done {
        if !fill {
            return self.draw_path([from, (to.0, from.1), to, (from.0, to.1), from], style);
        }
        self.rectangle(pixels(from), pixels(to), style.color());
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, center: BackendCoord, radius: u32, style: &S, _fill: bool) -> Done {
        self.drawing.circle(pixels(center), f64::from(radius) / TENTHS, Color::of(style.color()));
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, corners: I, style: &S) -> Done {
        let color = style.color();
        self.drawing.area(corners.into_iter().map(pixels).collect(), Color::of(color), color.alpha);
        Ok(())
    }
}

/// Drops points that lie within half a pixel of the last one kept; the ends stay.
fn simplified(points: impl Iterator<Item = Point>) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::new();
    let mut last = None;
    for point in points {
        let is_far = kept.last().is_none_or(|kept| (kept.x - point.x).abs() >= 0.5 || (kept.y - point.y).abs() >= 0.5);
        if is_far {
            kept.push(point);
        }
        last = Some(point);
    }
    if let Some(last) = last.filter(|last| kept.last() != Some(last)) {
        kept.push(last);
    }
    kept
}
