//! A picture as RGB pixels, by plotters. Drawn at twice the size and averaged down: plotters works in whole pixels, and this makes
//! halves of them.
//!
//! Drawn band by band: a whole page at twice the size would be half of the memory of a run.

use plotters::backend::DrawingBackend;
use plotters::style::{Color as _, RGBAColor};

use super::band::Band;
use super::font::{baseline_shift, font, text_width};
use super::{Anchor, Color, Drawing, Point, Shape, Stroke, TextStyle};

/// Drawn pixels per pixel, along each side.
const SCALE: u32 = 2;

/// Rows of the picture in a band.
const BAND: u32 = 150;

/// Rows of RGB pixels, top to bottom.
pub(super) fn pixels(drawing: &Drawing) -> Vec<u8> {
    let (width, height) = (drawing.width * SCALE, drawing.height * SCALE);
    let mut pixels = Vec::with_capacity((drawing.width * drawing.height * 3) as usize);
    let mut buffer = vec![0; (width * BAND * SCALE * 3) as usize];
    for top in (0..height).step_by((BAND * SCALE) as usize) {
        let rows = (BAND * SCALE).min(height - top);
        let part = &mut buffer[..(width * rows * 3) as usize];
        part.fill(0xff);
        {
            let mut band = Band::new(part, (width, height), top..top + rows);
            drawing.shapes.iter().for_each(|shape| draw(&mut band, shape));
        }
        average(part, width as usize * 3, &mut pixels);
    }
    pixels
}

const NO_ERROR: &str = "drawing into memory cannot fail";

fn draw(backend: &mut Band<'_>, shape: &Shape) {
    match shape {
        Shape::Line { points, stroke } => draw_line(backend, points, *stroke),
        Shape::Area { points, fill, opacity } => {
            let vertices: Vec<(i32, i32)> = points.iter().map(|&point| scaled(point)).collect();
            backend.fill_polygon(vertices, &color(*fill, *opacity)).expect(NO_ERROR);
        }
        Shape::Circle { center, radius, fill } => {
            let radius = (radius * f64::from(SCALE)).round() as u32;
            backend.draw_circle(scaled(*center), radius, &color(*fill, 1.0), true).expect(NO_ERROR);
        }
        Shape::Text { at, text, style } => draw_text(backend, *at, text, *style),
        Shape::Group(_) | Shape::Tip(_) | Shape::GroupEnd => {}
    }
}

/// Each segment as a quadrilateral with round joints: plotters' own wide paths grow spikes at sharp corners.
fn draw_line(backend: &mut Band<'_>, points: &[Point], stroke: Stroke) {
    let paint = color(stroke.color, 1.0);
    let half = stroke.width * f64::from(SCALE) / 2.0;
    for (from, to) in dashes(points, stroke.dash) {
        let (dx, dy) = (to.x - from.x, to.y - from.y);
        let length = dx.hypot(dy);
        if length == 0.0 {
            continue;
        }
        let (from, to) = (scaled_exact(from), scaled_exact(to));
        if !backend.meets(f64::midpoint(from.1, to.1), (from.1 - to.1).abs() / 2.0 + half + 1.0) {
            continue;
        }
        if dx == 0.0 || dy == 0.0 {
            draw_straight(backend, [from, to], half, &paint);
            continue;
        }
        let (nx, ny) = (-dy / length * half, dx / length * half);
        let corners =
            [(from.0 + nx, from.1 + ny), (to.0 + nx, to.1 + ny), (to.0 - nx, to.1 - ny), (from.0 - nx, from.1 - ny)];
        let corners = corners.map(|(x, y)| (x.round() as i32, y.round() as i32));
        backend.fill_polygon(corners, &paint).expect(NO_ERROR);
        if stroke.dash.is_none() && half >= 1.5 {
            let joint = (to.0.round() as i32, to.1.round() as i32);
            backend.draw_circle(joint, (half - 0.5).round() as u32, &paint, true).expect(NO_ERROR);
        }
    }
}

/// A level or upright segment as a crisp rectangle of exactly the wanted width.
fn draw_straight(backend: &mut Band<'_>, ends: [(f64, f64); 2], half: f64, paint: &RGBAColor) {
    let [(x0, y0), (x1, y1)] = ends;
    let thickness = ((half * 2.0).round() as i32).max(1);
    let low = |value: f64| (value - half).round() as i32;
    let (left, right) = (x0.min(x1), x0.max(x1));
    let (top, bottom) = (y0.min(y1), y0.max(y1));
    let corner = (low(left), low(top));
    let opposite = if y0 == y1 {
        ((right + half).round() as i32 - 1, corner.1 + thickness - 1)
    } else {
        (corner.0 + thickness - 1, (bottom + half).round() as i32 - 1)
    };
    backend.draw_rect(corner, opposite, paint, true).expect(NO_ERROR);
}

/// The visible pieces of a path; the pattern runs on around corners.
fn dashes(points: &[Point], dash: Option<[f64; 2]>) -> Vec<(Point, Point)> {
    let segments = points.windows(2).map(|pair| (pair[0], pair[1]));
    let Some([on, off]) = dash else { return segments.collect() };
    let mut pieces = Vec::new();
    let mut travelled = 0.0;
    for (from, to) in segments {
        let length = (to.x - from.x).hypot(to.y - from.y);
        let along = |distance: f64| Point {
            x: from.x + (to.x - from.x) * distance / length,
            y: from.y + (to.y - from.y) * distance / length,
        };
        let mut position = 0.0;
        while position < length {
            let phase = (travelled + position) % (on + off);
            let (visible, rest) = if phase < on { (true, on - phase) } else { (false, on + off - phase) };
            // Never a zero step: rounding could otherwise stop the walk.
            let end = (position + rest.max(1e-6)).min(length);
            if visible {
                pieces.push((along(position), along(end)));
            }
            position = end;
        }
        travelled += length;
    }
    pieces
}

fn draw_text(backend: &mut Band<'_>, at: Point, text: &str, style: TextStyle) {
    let size = style.size * f64::from(SCALE);
    let width = text_width(text, size, style.weight);
    let reach = if style.rotated { width } else { 2.0 * size };
    if !backend.meets(scaled_exact(at).1, reach) {
        return;
    }
    let back = match style.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => width / 2.0,
        Anchor::End => width,
    };
    let (x, y) = scaled_exact(at);
    let (x, y) = (x.round() as i32, y.round() as i32);
    let start = (-back.round() as i32, -baseline_shift(size));
    let paint = |alpha: f32| color(style.color, f64::from(alpha).clamp(0.0, 1.0));
    let drawn = font(size, style.weight).draw(text, start, |dx, dy, alpha| {
        let place = if style.rotated { (x + dy, y - dx) } else { (x + dx, y + dy) };
        backend.draw_pixel(place, paint(alpha).to_backend_color())
    });
    drawn.expect("the fonts are registered").expect(NO_ERROR);
}

fn scaled_exact(point: Point) -> (f64, f64) {
    (point.x * f64::from(SCALE), point.y * f64::from(SCALE))
}

fn scaled(point: Point) -> (i32, i32) {
    let (x, y) = scaled_exact(point);
    (x.round() as i32, y.round() as i32)
}

fn color(color: Color, alpha: f64) -> RGBAColor {
    let [red, green, blue] = color.rgb();
    RGBAColor(red, green, blue, alpha)
}

/// Adds the averages of squares of `SCALE` by `SCALE` pixels to `small`.
fn average(large: &[u8], row_bytes: usize, small: &mut Vec<u8>) {
    let scale = SCALE as usize;
    for rows in large.chunks_exact(row_bytes * scale) {
        for column in 0..row_bytes / (3 * scale) {
            for channel in 0..3 {
                let square = (0..scale * scale).map(|cell| {
                    let (row, shift) = (cell / scale, cell % scale);
                    u32::from(rows[row * row_bytes + (column * scale + shift) * 3 + channel])
                });
                small.push((square.sum::<u32>() / (SCALE * SCALE)) as u8);
            }
        }
    }
}
