//! A picture as a list of shapes, of which SVG is made, and of the SVG a PNG. It knows pixels and colors, no data.

mod canvas;
mod font;
mod png;
mod svg;

pub(crate) use canvas::{Canvas, TENTHS};
pub(crate) use font::{Weight, text_width};
pub(crate) use svg::escaped;

/// A point in pixels from the top left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub x: f64,
    pub y: f64,
}

/// Shorthand for a [`Point`].
pub(crate) const fn at(x: f64, y: f64) -> Point {
    Point { x, y }
}

/// A color. The first four follow the theme of the HTML page; as files they are those of a white page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Color {
    /// Text and strong lines.
    Ink,
    /// Secondary text.
    Muted,
    /// Grid lines and frames.
    Grid,
    /// Background.
    Paper,
    /// Red, green, blue.
    Fixed(u8, u8, u8),
}

impl Color {
    /// Red, green, blue on a white page.
    pub(crate) const fn rgb(self) -> [u8; 3] {
        match self {
            Self::Ink => [0x1f, 0x24, 0x2b],
            Self::Muted => [0x5c, 0x66, 0x70],
            Self::Grid => [0xdd, 0xe1, 0xe6],
            Self::Paper => [0xff, 0xff, 0xff],
            Self::Fixed(red, green, blue) => [red, green, blue],
        }
    }
}

/// How a line looks. Widths in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stroke {
    pub color: Color,
    pub width: f64,
    /// Lengths of dash and gap; `None` for a solid line.
    pub dash: Option<[f64; 2]>,
}

impl Stroke {
    /// A solid line.
    pub const fn solid(color: Color, width: f64) -> Self {
        Self { color, width, dash: None }
    }

    /// A dashed line.
    pub const fn dashed(color: Color, width: f64) -> Self {
        Self { color, width, dash: Some([8.0, 5.0]) }
    }
}

/// Where the text lies relative to its point. The point is always on the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// How text looks. Size in pixels per em.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TextStyle {
    pub size: f64,
    pub color: Color,
    pub anchor: Anchor,
    pub weight: Weight,
    /// A quarter turn counterclockwise about the point.
    pub rotated: bool,
}

impl TextStyle {
    /// Upright regular text.
    pub const fn new(size: f64, color: Color, anchor: Anchor) -> Self {
        Self { size, color, anchor, weight: Weight::Regular, rotated: false }
    }

    /// The same in bold.
    pub const fn bold(self) -> Self {
        Self { weight: Weight::Bold, ..self }
    }

    /// The same turned.
    pub const fn rotated(self) -> Self {
        Self { rotated: true, ..self }
    }
}

/// Which way the lines over an area go, read from the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hatch {
    Rising,
    Falling,
}

/// One element of a picture. Groups carry what the HTML page needs to find its way and draw nothing themselves.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    Line {
        points: Vec<Point>,
        stroke: Stroke,
    },
    Area {
        points: Vec<Point>,
        fill: Color,
        opacity: f64,
    },
    /// Thin lines over an area, for eyes that its color does not reach.
    Hatch {
        points: Vec<Point>,
        hatch: Hatch,
    },
    Circle {
        center: Point,
        radius: f64,
        fill: Color,
    },
    Text {
        at: Point,
        text: String,
        style: TextStyle,
    },
    /// Opens a group with SVG attributes (name, value).
    Group(Vec<(&'static str, String)>),
    /// Opens a group that shows this text where a pointer rests on it.
    Tip(String),
    GroupEnd,
}

/// A finished picture: the same shapes as SVG and as PNG.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    width: u32,
    height: u32,
    title: String,
    shapes: Vec<Shape>,
}

impl Drawing {
    /// An empty picture; `title` is what a screen reader says.
    pub(crate) fn new(width: u32, height: u32, title: &str) -> Self {
        Self { width, height, title: title.to_owned(), shapes: Vec::new() }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// What the picture is about.
    pub fn title(&self) -> &str {
        &self.title
    }

    pub(crate) fn line(&mut self, points: Vec<Point>, stroke: Stroke) {
        if points.len() > 1 {
            self.shapes.push(Shape::Line { points, stroke });
        }
    }

    /// A straight line. One of a pixel's width that is level or upright lies on whole pixels, so that all of them look alike.
    pub(crate) fn segment(&mut self, mut from: Point, mut to: Point, stroke: Stroke) {
        if stroke.width == 1.0 && from.y == to.y {
            (from.y, to.y) = (from.y.floor() + 0.5, to.y.floor() + 0.5);
        }
        if stroke.width == 1.0 && from.x == to.x {
            (from.x, to.x) = (from.x.floor() + 0.5, to.x.floor() + 0.5);
        }
        self.line(vec![from, to], stroke);
    }

    pub(crate) fn area(&mut self, points: Vec<Point>, fill: Color, opacity: f64) {
        if points.len() > 2 {
            self.shapes.push(Shape::Area { points, fill, opacity });
        }
    }

    pub(crate) fn hatch(&mut self, points: Vec<Point>, hatch: Hatch) {
        self.shapes.push(Shape::Hatch { points, hatch });
    }

    /// A filled rectangle between two opposite corners.
    pub(crate) fn rectangle(&mut self, from: Point, to: Point, fill: Color) {
        self.area(vec![from, at(to.x, from.y), to, at(from.x, to.y)], fill, 1.0);
    }

    pub(crate) fn circle(&mut self, center: Point, radius: f64, fill: Color) {
        self.shapes.push(Shape::Circle { center, radius, fill });
    }

    pub(crate) fn text(&mut self, at: Point, text: &str, style: TextStyle) {
        if !text.is_empty() {
            self.shapes.push(Shape::Text { at, text: text.to_owned(), style });
        }
    }

    pub(crate) fn group(&mut self, attributes: Vec<(&'static str, String)>) {
        self.shapes.push(Shape::Group(attributes));
    }

    /// Opens a group that says `text` where a pointer rests on it. Files as pictures show nothing of it.
    pub(crate) fn tip(&mut self, text: String) {
        self.shapes.push(Shape::Tip(text));
    }

    pub(crate) fn group_end(&mut self) {
        self.shapes.push(Shape::GroupEnd);
    }

    /// The picture as a standalone SVG document.
    pub fn to_svg(&self) -> String {
        svg::document(self)
    }

    /// The picture as an `<svg>` element for an HTML page, without width and height.
    pub(crate) fn to_inline_svg(&self) -> String {
        svg::inline(self)
    }

    /// The picture as a PNG file: the SVG, in the vendored fonts.
    pub fn to_png(&self) -> Vec<u8> {
        png::render(&svg::outlined(self), self.width, self.height)
    }
}
