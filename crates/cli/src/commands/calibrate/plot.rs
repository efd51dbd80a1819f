//! Observed against fitted quantiles as a picture, one panel per distribution.

use std::fmt::Write;

use calibrate::{ColdStartFit, QuantilePair, SpotFit};

const PANEL: f64 = 300.0;
const MARGIN: f64 = 56.0;
const COLUMNS: usize = 3;

/// One distribution.
struct Panel<'a> {
    name: String,
    /// Unit of the quantiles.
    unit: &'a str,
    pairs: &'a [QuantilePair],
}

/// The phases of a cold start; `None` if none has a fit.
pub fn cold_start(fit: &ColdStartFit) -> Option<String> {
    let fitted = fit.phases.iter().filter_map(|phase| Some((phase.phase.name(), phase.fit.as_ref()?)));
    let panels: Vec<Panel<'_>> = fitted
        .map(|(name, fit)| Panel {
            name: format!("{name}: {}", fit.family.name()),
            unit: "s",
            pairs: &fit.quantile_pairs,
        })
        .collect();
    svg("Cold-start phases", &panels)
}

/// The node-hours between interruptions; `None` without two of them.
pub fn spot(fit: &SpotFit) -> Option<String> {
    let name = "node-hours between events: exponential".to_owned();
    let panel = Panel { name, unit: "node-hours", pairs: &fit.quantile_pairs };
    svg("Spot interruptions", if fit.quantile_pairs.is_empty() { &[] } else { std::slice::from_ref(&panel) })
}

fn svg(what: &str, panels: &[Panel<'_>]) -> Option<String> {
    if panels.is_empty() {
        return None;
    }
    let columns = panels.len().min(COLUMNS);
    let rows = panels.len().div_ceil(COLUMNS);
    let (width, height) = (columns as f64 * (PANEL + MARGIN) + MARGIN, rows as f64 * (PANEL + 1.6 * MARGIN) + MARGIN);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#1f242b\">\n<title>{what}, observed against \
         fitted quantiles</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    for (index, one) in panels.iter().enumerate() {
        let x = MARGIN + (index % COLUMNS) as f64 * (PANEL + MARGIN);
        let y = MARGIN + (index / COLUMNS) as f64 * (PANEL + 1.6 * MARGIN);
        // Writing into a `String` cannot fail.
        let _ = write!(text, "<g transform=\"translate({x} {y})\">\n{}</g>\n", panel(one));
    }
    text.push_str("</svg>\n");
    Some(text)
}

fn panel(one: &Panel<'_>) -> String {
    let Panel { name, unit, pairs } = one;
    let values = pairs.iter().flat_map(|pair| [pair.observed, pair.fitted]);
    let longest = round_up(values.fold(0.0, f64::max));
    let place = |seconds: f64| seconds / longest * PANEL;
    let mut text = format!(
        "<rect width=\"{PANEL}\" height=\"{PANEL}\" fill=\"none\" stroke=\"#5c6670\"/>\n\
         <text x=\"0\" y=\"-10\" font-weight=\"bold\">{name}</text>\n\
         <line x1=\"0\" y1=\"{PANEL}\" x2=\"{PANEL}\" y2=\"0\" stroke=\"#5c6670\" stroke-dasharray=\"6 4\"/>\n"
    );
    for tick in 0..=4 {
        let seconds = longest * f64::from(tick) / 4.0;
        let (at, down) = (place(seconds), PANEL - place(seconds));
        let _ = write!(
            text,
            "<text x=\"{at}\" y=\"{}\" text-anchor=\"middle\">{seconds}</text>\n\
             <text x=\"-6\" y=\"{}\" text-anchor=\"end\">{seconds}</text>\n",
            PANEL + 16.0,
            down + 4.0
        );
    }
    for pair in *pairs {
        let (x, y) = (place(pair.fitted), PANEL - place(pair.observed));
        let _ = writeln!(text, "<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"3\" fill=\"#0072b2\" fill-opacity=\"0.7\"/>");
    }
    let _ = write!(
        text,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">fitted quantile ({unit})</text>\n\
         <text transform=\"translate(-40 {}) rotate(-90)\" text-anchor=\"middle\">observed quantile ({unit})</text>\n",
        PANEL / 2.0,
        PANEL + 34.0,
        PANEL / 2.0
    );
    text
}

/// The next 1, 2 or 4 times a power of ten, so that four ticks are round.
fn round_up(seconds: f64) -> f64 {
    let mut scale = 0.001;
    loop {
        if let Some(round) = [1.0, 2.0, 4.0].into_iter().map(|digit| digit * scale).find(|round| *round >= seconds) {
            return round;
        }
        scale *= 10.0;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn axes_end_at_a_round_number_above_everything() {
        assert_eq!([0.7, 1.0, 3.0, 39.0, 41.0].map(super::round_up), [1.0, 1.0, 4.0, 40.0, 100.0]);
    }
}
