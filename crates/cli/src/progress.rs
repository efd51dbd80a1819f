//! Progress bars on standard error, for people only.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use cluster::Pulse;
use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use lab::Progress;
use units::SimDuration;

/// Letters of a bar that follows simulated time.
const WIDTH: usize = 24;

/// A bar on standard error, or nothing if that is not a terminal.
pub struct Bar {
    bar: Option<ProgressBar>,
    /// Simulated time counts, not finished runs.
    is_live: bool,
}

impl Bar {
    /// A bar that counts runs of `what`; silent if `quiet`.
    pub fn new(what: &str, quiet: bool) -> Self {
        let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} runs, {elapsed} so far, about {eta} left");
        Self::with_style(what, quiet, (style.expect("the template is well formed"), false))
    }

    /// A bar that moves with the simulated time of `runs` runs, each `length` long with its prehistory, and says how fast requests go by.
    pub fn live(what: &str, quiet: bool, pulse: &Arc<Pulse>, (runs, length): (usize, SimDuration)) -> Self {
        let whole = length.as_secs_f64() * runs as f64;
        let share = {
            let pulse = Arc::clone(pulse);
            move || if whole > 0.0 { (pulse.simulated().as_secs_f64() / whole).min(1.0) } else { 0.0 }
        };
        let rate = {
            let pulse = Arc::clone(pulse);
            move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let per_second = pulse.requests() as f64 / state.elapsed().as_secs_f64().max(1e-3);
                let _ = write!(out, "{}", rate_words(per_second));
            }
        };
        let left = {
            let share = share.clone();
            move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{}", left_words(state.elapsed(), share()));
            }
        };
        let drawn = {
            let share = share.clone();
            move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
                let full = (share() * WIDTH as f64) as usize;
                let _ = write!(out, "{}{}", "█".repeat(full), "░".repeat(WIDTH - full));
            }
        };
        let simulated = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:.0} %", share() * 100.0);
        };
        let style =
            ProgressStyle::with_template("{msg} {drawn} {simulated} simulated, {rate}, {elapsed} so far, {left}");
        let style = style.expect("the template is well formed");
        let style = style.with_key("drawn", drawn).with_key("simulated", simulated);
        let style = style.with_key("rate", rate).with_key("left", left);
        Self::with_style(what, quiet, (style, true))
    }

    fn with_style(what: &str, quiet: bool, (style, is_live): (ProgressStyle, bool)) -> Self {
        if quiet || !std::io::stderr().is_terminal() {
            return Self { bar: None, is_live };
        }
        let bar = ProgressBar::no_length().with_message(what.to_owned());
        bar.set_style(style);
        // From the first second on, and between runs.
        bar.tick();
        bar.enable_steady_tick(Duration::from_millis(500));
        Self { bar: Some(bar), is_live }
    }

    /// Shows how far it is.
    pub fn show(&self, progress: Progress) {
        if let Some(bar) = self.bar.as_ref().filter(|_| !self.is_live) {
            bar.set_length(progress.total as u64);
            bar.set_position(progress.finished as u64);
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `17.3 M requests/s`.
fn rate_words(per_second: f64) -> String {
    match per_second {
        many if many >= 1e6 => format!("{:.1} M requests/s", many / 1e6),
        many if many >= 1e3 => format!("{:.0} k requests/s", many / 1e3),
        few => format!("{few:.0} requests/s"),
    }
}

/// The time left if the rest goes as fast as what is done.
fn left_words(elapsed: Duration, share: f64) -> String {
    if share < 0.005 {
        return "time left not known yet".to_owned();
    }
    format!("about {} left", HumanDuration(elapsed.mul_f64((1.0 - share) / share)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_that_of_the_rest_at_the_same_pace() {
        assert_eq!(left_words(Duration::from_secs(20), 0.25), "about 60 seconds left");
        assert_eq!(left_words(Duration::from_secs(20), 0.0), "time left not known yet");
    }

    #[test]
    fn a_rate_is_short_at_any_size() {
        let words = [12.0, 4_600.0, 17_340_000.0].map(rate_words);
        assert_eq!(words, ["12 requests/s", "5 k requests/s", "17.3 M requests/s"]);
    }
}
