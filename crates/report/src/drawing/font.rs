//! The two vendored fonts: how wide text in them is, and its outlines.

use std::fmt::Write;
use std::sync::LazyLock;

use ttf_parser::{Face, OutlineBuilder};

static REGULAR: LazyLock<Face<'static>> =
    LazyLock::new(|| face(include_bytes!("../../assets/fonts/DejaVuSans.subset.ttf")));
static BOLD: LazyLock<Face<'static>> =
    LazyLock::new(|| face(include_bytes!("../../assets/fonts/DejaVuSans-Bold.subset.ttf")));

fn face(bytes: &'static [u8]) -> Face<'static> {
    Face::parse(bytes, 0).expect("the vendored fonts are valid")
}

/// Boldness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular,
    Bold,
}

impl Weight {
    fn face(self) -> &'static Face<'static> {
        match self {
            Self::Regular => &REGULAR,
            Self::Bold => &BOLD,
        }
    }
}

/// Width of `text` in pixels, at `size` pixels per em.
pub(crate) fn text_width(text: &str, size: f64, weight: Weight) -> f64 {
    let face = weight.face();
    glyphs(face, text).map(|(_, units)| units).sum::<f64>() * size / f64::from(face.units_per_em())
}

/// The outlines of `text` as the `d` of an SVG path whose first baseline point is the origin.
pub(super) fn outlines(text: &str, size: f64, weight: Weight) -> String {
    let face = weight.face();
    let mut pen = Pen { scale: size / f64::from(face.units_per_em()), left: 0.0, path: String::new() };
    for (glyph, units) in glyphs(face, text) {
        // A space has no outline.
        face.outline_glyph(glyph, &mut pen);
        pen.left += units;
    }
    pen.path
}

/// Each character's glyph and how far it moves the pen, in units of the font. What the font has no glyph for is its box, glyph 0.
fn glyphs<'a>(face: &'a Face<'static>, text: &'a str) -> impl Iterator<Item = (ttf_parser::GlyphId, f64)> + 'a {
    text.chars().map(|character| {
        let glyph = face.glyph_index(character).unwrap_or_default();
        (glyph, f64::from(face.glyph_hor_advance(glyph).unwrap_or(0)))
    })
}

/// Writes outlines, which count upward, as SVG, which counts downward.
struct Pen {
    scale: f64,
    /// Where the glyph begins, in units of the font.
    left: f64,
    path: String,
}

impl Pen {
    fn push(&mut self, command: char, points: &[(f32, f32)]) {
        self.path.push(command);
        for (x, y) in points {
            let (x, y) = ((f64::from(*x) + self.left) * self.scale, -f64::from(*y) * self.scale);
            let _ = write!(self.path, "{x:.2} {y:.2} ");
        }
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.push('M', &[(x, y)]);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.push('L', &[(x, y)]);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.push('Q', &[(x1, y1), (x, y)]);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.push('C', &[(x1, y1), (x2, y2), (x, y)]);
    }

    fn close(&mut self) {
        self.path.push('Z');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_as_wide_as_its_glyphs_and_twice_as_wide_at_twice_the_size() {
        let width = text_width("99.9 %", 10.0, Weight::Regular);
        // DejaVu Sans: a digit is 0.636 em, point and space 0.318, the percent sign 0.950.
        assert!((width - (3.0 * 6.36 + 2.0 * 3.18 + 9.50)).abs() < 0.05, "{width}");
        assert!((text_width("99.9 %", 20.0, Weight::Regular) - 2.0 * width).abs() < 1e-9);
        assert!(text_width("99.9 %", 10.0, Weight::Bold) > width);
    }

    #[test]
    fn outlines_stand_on_the_baseline_and_go_on_to_the_right() {
        assert_eq!(outlines(" ", 16.0, Weight::Regular), "");
        let points = |path: &str| {
            let numbers = path.split(|c: char| c.is_ascii_alphabetic() || c == ' ').filter(|part| !part.is_empty());
            numbers.map(|part| part.parse::<f64>().unwrap()).collect::<Vec<f64>>()
        };
        let one = points(&outlines("H", 100.0, Weight::Regular));
        let two = points(&outlines("HH", 100.0, Weight::Regular));
        // Capitals of DejaVu are 0.729 em high.
        let heights: Vec<f64> = one.iter().skip(1).step_by(2).copied().collect();
        assert_eq!(heights.iter().copied().fold(0.0, f64::min).round(), -73.0);
        assert_eq!(heights.iter().copied().fold(-100.0, f64::max), 0.0);
        let shift = two[one.len()] - one[0];
        assert!((shift - text_width("H", 100.0, Weight::Regular)).abs() < 0.02, "{shift}");
    }
}
