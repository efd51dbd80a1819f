//! Progress bars on standard error, for people only.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use lab::Progress;

/// A bar that counts runs, or nothing if standard error is not a terminal.
pub struct Bar(Option<ProgressBar>);

impl Bar {
    /// A bar for `what`; silent if `quiet`.
    pub fn new(what: &str, quiet: bool) -> Self {
        if quiet || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::no_length().with_message(what.to_owned());
        let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} runs, {elapsed} so far, about {eta} left");
        bar.set_style(style.expect("the template is well formed"));
        // From the first second on, and between runs.
        bar.tick();
        bar.enable_steady_tick(std::time::Duration::from_millis(500));
        Self(Some(bar))
    }

    /// Shows how far it is.
    pub fn show(&self, progress: Progress) {
        if let Some(bar) = &self.0 {
            bar.set_length(progress.total as u64);
            bar.set_position(progress.finished as u64);
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
