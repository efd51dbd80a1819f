//! Measured against fitted figures of load tests: a panel for each kind, points on the diagonal where the fit is right.

use super::frame::{HEIGHT, MARGIN_LEFT, MARGIN_RIGHT, Panel, TICK_SIZE, WIDTH, page};
use super::scale::Scale;
use crate::drawing::{Anchor, Color, Drawing, Stroke, TextStyle, at};

/// How far off is still good: the dashed lines beside the diagonal.
const GOOD: f64 = 0.1;

/// Figures of one kind.
#[derive(Clone, Copy, Debug)]
pub struct MeasuredPanel<'a> {
    /// What they are, with their unit.
    pub title: &'a str,
    /// (Measured, fitted), above zero.
    pub pairs: &'a [(f64, f64)],
}

/// One panel for each kind that has figures, logarithmic on both sides.
pub fn measured_vs_fitted(subtitle: &str, panels: &[MeasuredPanel<'_>]) -> Drawing {
    let mut drawing = page("Measured against fitted", subtitle);
    let shown: Vec<&MeasuredPanel<'_>> = panels.iter().filter(|one| !one.pairs.is_empty()).collect();
    let room = (f64::from(WIDTH) - MARGIN_RIGHT) / shown.len().max(1) as f64;
    for (index, one) in shown.into_iter().enumerate() {
        let scale = Scale::log_over(one.pairs.iter().flat_map(|pair| [pair.0, pair.1]));
        let left = room * index as f64 + MARGIN_LEFT;
        let right = room * (index + 1) as f64 - 8.0;
        let bottom = f64::from(HEIGHT) - 84.0;
        // As wide as high, so that the diagonal is one.
        let side = (right - left).min(bottom - 136.0);
        let panel = Panel { left, right: left + side, top: bottom - side, bottom, x: scale, y: scale };
        draw(&mut drawing, &panel, one);
    }
    drawing
}

fn draw(drawing: &mut Drawing, panel: &Panel, one: &MeasuredPanel<'_>) {
    panel.x_axis(drawing, &panel.x.ticks(4), true);
    panel.y_axis(drawing, 5, |_, text| text);
    panel.heading(drawing, one.title);
    panel.x_title(drawing, "fitted");
    let Scale::Log { low, high } = panel.x else { return };
    panel.line(drawing, vec![(low, low), (high, high)], Stroke::solid(Color::Muted, 1.5));
    for factor in [1.0 + GOOD, 1.0 / (1.0 + GOOD)] {
        let (from, to) = (low.max(low / factor), high.min(high / factor));
        panel.line(drawing, vec![(from, from * factor), (to, to * factor)], Stroke::dashed(Color::Muted, 1.2));
    }
    for (measured, fitted) in one.pairs {
        panel.dot(drawing, (*fitted, *measured), 6.0, Color::Ink);
        panel.dot(drawing, (*fitted, *measured), 2.5, Color::Paper);
    }
    let words = at(panel.left + 8.0, panel.top + TICK_SIZE + 6.0);
    drawing.text(words, "measured above, dashed: 10 % off", TextStyle::new(TICK_SIZE, Color::Muted, Anchor::Start));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_a_point_and_an_empty_kind_has_no_panel() {
        let pairs = [(10.0, 11.0), (100.0, 95.0)];
        let panels =
            [MeasuredPanel { title: "time per token, ms", pairs: &pairs }, MeasuredPanel { title: "TTFT", pairs: &[] }];
        let svg = measured_vs_fitted("two runs", &panels).to_svg();
        assert_eq!(svg.matches("<circle").count(), 4, "{svg}");
        assert!(svg.contains("time per token, ms") && !svg.contains("TTFT"), "{svg}");
    }
}
