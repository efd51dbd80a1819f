//! The second cue of a policy: a shape of its own, where its color is not enough.

use super::chart::Value;
use super::frame::Panel;
use super::palette::{self, POLICY_COLORS};
use crate::drawing::{Drawing, Point, Stroke, at};

/// Corners of each shape around the middle, in radii; the first is round.
const SHAPES: [&[(f64, f64)]; POLICY_COLORS] = [
    &[],
    &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
    &[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)],
    &[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
    &[(0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)],
    &[
        (-0.4, -1.2),
        (0.4, -1.2),
        (0.4, -0.4),
        (1.2, -0.4),
        (1.2, 0.4),
        (0.4, 0.4),
        (0.4, 1.2),
        (-0.4, 1.2),
        (-0.4, 0.4),
        (-1.2, 0.4),
        (-1.2, -0.4),
        (-0.4, -0.4),
    ],
];

/// Pixels between the markers of a line.
const APART: f64 = 150.0;

/// The marker of the policy at `index`, `radius` pixels around `center`.
pub(super) fn marker(drawing: &mut Drawing, center: Point, radius: f64, index: usize) {
    let (corners, color) = (SHAPES[index % SHAPES.len()], palette::policy(index));
    if corners.is_empty() {
        return drawing.circle(center, radius, color);
    }
    drawing.area(corners.iter().map(|(x, y)| at(center.x + x * radius, center.y + y * radius)).collect(), color, 1.0);
}

/// A line through `values` in the color and dash of the policy at `index`, with its marker now and then: those of different policies at different places.
pub(super) fn marked_line(drawing: &mut Drawing, panel: &Panel, values: Vec<Value>, width: f64, index: usize) {
    let points: Vec<Point> = values.iter().map(|&(x, y)| panel.place(x, y)).collect();
    let stroke = Stroke { color: palette::policy(index), width, dash: palette::policy_dash(index) };
    panel.line(drawing, values, stroke);
    let offset = (index % POLICY_COLORS) as f64 / POLICY_COLORS as f64;
    for place in along(&points, APART * (0.25 + offset)) {
        marker(drawing, place, 4.5, index);
    }
}

/// Places on a path, the first after `start` pixels, the others [`APART`].
fn along(points: &[Point], start: f64) -> Vec<Point> {
    let (mut places, mut travelled, mut next) = (Vec::new(), 0.0, start);
    for pair in points.windows(2) {
        let (dx, dy) = (pair[1].x - pair[0].x, pair[1].y - pair[0].y);
        let length = dx.hypot(dy);
        while length > 0.0 && next <= travelled + length {
            let share = (next - travelled) / length;
            places.push(at(pair[0].x + dx * share, pair[0].y + dy * share));
            next += APART;
        }
        travelled += length;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_evenly_spaced_around_corners() {
        let path = [at(0.0, 0.0), at(100.0, 0.0), at(100.0, 300.0)];
        assert_eq!(along(&path, 50.0), [at(50.0, 0.0), at(100.0, 100.0), at(100.0, 250.0)]);
    }
}
