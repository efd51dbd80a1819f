//! A picture as SVG text. Coordinates have one decimal; colors of the theme carry a class that the HTML page restyles.

use std::fmt::Write;

use super::font::{outlines, text_width};
use super::{Anchor, Color, Drawing, Hatch, Point, Shape, Stroke, TextStyle, Weight};

/// Families with the metrics of the vendored font first, so that text fits where PNG puts it.
const FONTS: &str = "DejaVu Sans, Verdana, sans-serif";

/// How texts are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Letters {
    /// As text, which can be searched, copied and read aloud.
    Text,
    /// As paths in the vendored fonts, for a renderer that has no fonts.
    Outlines,
}

pub(super) fn document(drawing: &Drawing) -> String {
    sized(drawing, Letters::Text)
}

/// The same document with outlines in place of texts.
pub(super) fn outlined(drawing: &Drawing) -> String {
    sized(drawing, Letters::Outlines)
}

fn sized(drawing: &Drawing, letters: Letters) -> String {
    let size = format!(" width=\"{}\" height=\"{}\"", drawing.width, drawing.height);
    element(drawing, &size, letters)
}

pub(super) fn inline(drawing: &Drawing) -> String {
    element(drawing, " class=\"plot\"", Letters::Text)
}

fn element(drawing: &Drawing, attributes: &str, letters: Letters) -> String {
    let (width, height) = drawing.size();
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\"{attributes} role=\"img\" \
         font-family=\"{FONTS}\"><title>{}</title>\n<rect width=\"{width}\" height=\"{height}\"{}/>\n",
        escaped(&drawing.title),
        fill(Color::Paper)
    );
    for hatch in [Hatch::Rising, Hatch::Falling] {
        let is_used = |shape: &Shape| matches!(shape, Shape::Hatch { hatch: used, .. } if *used == hatch);
        if drawing.shapes.iter().any(is_used) {
            out.push_str(&pattern(hatch));
        }
    }
    for shape in &drawing.shapes {
        push(&mut out, shape, letters);
    }
    out.push_str("</svg>\n");
    out
}

/// Writing into a `String` cannot fail, so results are dropped.
fn push(out: &mut String, shape: &Shape, letters: Letters) {
    let _ = match shape {
        Shape::Line { points, stroke } => {
            writeln!(out, "<path d=\"{}\" fill=\"none\"{}/>", path(points), stroke_attributes(*stroke))
        }
        Shape::Area { points, fill: color, opacity } => {
            let opacity = if *opacity < 1.0 { format!(" fill-opacity=\"{opacity}\"") } else { String::new() };
            writeln!(out, "<path d=\"{}Z\"{}{opacity}/>", path(points), fill(*color))
        }
        Shape::Hatch { points, hatch } => {
            writeln!(out, "<path d=\"{}Z\" fill=\"url(#{})\"/>", path(points), name(*hatch))
        }
        Shape::Circle { center, radius, fill: color } => {
            writeln!(out, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius:.1}\"{}/>", center.x, center.y, fill(*color))
        }
        Shape::Text { at, text, style } if letters == Letters::Outlines => {
            writeln!(out, "{}", outline_element(*at, text, *style))
        }
        Shape::Text { at, text, style } => writeln!(out, "{}", text_element(*at, text, *style)),
        Shape::Group(attributes) => {
            out.push_str("<g");
            for (name, value) in attributes {
                let _ = write!(out, " {name}=\"{}\"", escaped(value));
            }
            out.push_str(">\n");
            Ok(())
        }
        Shape::Tip(text) => writeln!(out, "<g class=\"tip\"><title>{}</title>", escaped(text)),
        Shape::GroupEnd => writeln!(out, "</g>"),
    };
}

/// The lines of a hatch. A page with several plots has the same pattern under the same name in each.
fn pattern(hatch: Hatch) -> String {
    let angle = match hatch {
        Hatch::Rising => -45,
        Hatch::Falling => 45,
    };
    format!(
        "<defs><pattern id=\"{}\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate({angle})\">\
         <path d=\"M0,3.5h7\" stroke=\"#ffffff\" stroke-width=\"2\" stroke-opacity=\"0.55\"/></pattern></defs>\n",
        name(hatch)
    )
}

fn name(hatch: Hatch) -> &'static str {
    match hatch {
        Hatch::Rising => "hatch-rising",
        Hatch::Falling => "hatch-falling",
    }
}

/// `M` and relative steps in tenths of a pixel: about half the length of absolute coordinates.
fn path(points: &[Point]) -> String {
    let tenths = |value: f64| (value * 10.0).round() as i64;
    let mut out = String::with_capacity(points.len() * 8);
    let mut last = (0, 0);
    for (index, point) in points.iter().enumerate() {
        let here = (tenths(point.x), tenths(point.y));
        let (dx, dy) = (here.0 - last.0, here.1 - last.1);
        let _ = match (index, dx, dy) {
            (0, ..) => write!(out, "M{},{}", decimal(here.0), decimal(here.1)),
            (_, 0, 0) => Ok(()),
            (_, 0, _) => write!(out, "v{}", decimal(dy)),
            (_, _, 0) => write!(out, "h{}", decimal(dx)),
            _ => write!(out, "l{},{}", decimal(dx), decimal(dy)),
        };
        last = here;
    }
    out
}

/// Tenths as the shortest decimal: `12`, `-0.5` as `-.5`.
fn decimal(tenths: i64) -> String {
    let (sign, size) = (if tenths < 0 { "-" } else { "" }, tenths.unsigned_abs());
    match (size / 10, size % 10) {
        (whole, 0) => format!("{sign}{whole}"),
        (0, rest) => format!("{sign}.{rest}"),
        (whole, rest) => format!("{sign}{whole}.{rest}"),
    }
}

fn text_element(at: Point, text: &str, style: TextStyle) -> String {
    let anchor = match style.anchor {
        Anchor::Start => "",
        Anchor::Middle => " text-anchor=\"middle\"",
        Anchor::End => " text-anchor=\"end\"",
    };
    let weight = if style.weight == Weight::Bold { " font-weight=\"bold\"" } else { "" };
    let turn =
        if style.rotated { format!(" transform=\"rotate(-90 {:.1} {:.1})\"", at.x, at.y) } else { String::new() };
    format!(
        "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"{}\"{}{anchor}{weight}{turn}>{}</text>",
        at.x,
        at.y,
        style.size,
        fill(style.color),
        escaped(text)
    )
}

fn outline_element(at: Point, text: &str, style: TextStyle) -> String {
    let back = match style.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => text_width(text, style.size, style.weight) / 2.0,
        Anchor::End => text_width(text, style.size, style.weight),
    };
    let turn = if style.rotated { " rotate(-90)" } else { "" };
    format!(
        "<path transform=\"translate({:.1} {:.1}){turn} translate({:.2} 0)\" d=\"{}\"{}/>",
        at.x,
        at.y,
        -back,
        outlines(text, style.size, style.weight),
        fill(style.color)
    )
}

fn hex(color: Color) -> String {
    let [red, green, blue] = color.rgb();
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn theme_class(color: Color) -> Option<&'static str> {
    match color {
        Color::Ink => Some("ink"),
        Color::Muted => Some("muted"),
        Color::Grid => Some("grid"),
        Color::Paper => Some("paper"),
        Color::Fixed(..) => None,
    }
}

fn fill(color: Color) -> String {
    let class = theme_class(color).map_or(String::new(), |name| format!(" class=\"fill-{name}\""));
    format!(" fill=\"{}\"{class}", hex(color))
}

fn stroke_attributes(stroke: Stroke) -> String {
    let class = theme_class(stroke.color).map_or(String::new(), |name| format!(" class=\"line-{name}\""));
    let dash = stroke.dash.map_or(String::new(), |[on, off]| format!(" stroke-dasharray=\"{on} {off}\""));
    format!(
        " stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"{dash}{class}",
        hex(stroke.color),
        stroke.width
    )
}

/// Text that is safe between tags and in double-quoted attributes; characters XML forbids become the replacement character.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(' '),
            control if control < ' ' || control == '\u{fffe}' || control == '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drawing::at;

    #[test]
    fn a_path_is_relative_and_short() {
        assert_eq!(path(&[at(1.0, 2.0), at(1.5, 2.0), at(1.5, 1.5), at(1.25, 30.0)]), "M1,2h.5v-.5l-.2,28.5");
    }

    #[test]
    fn hostile_text_cannot_leave_its_element() {
        assert_eq!(escaped("</text><script>\u{0}\"'&"), "&lt;/text&gt;&lt;script&gt;\u{fffd}&quot;&#39;&amp;");
    }
}
