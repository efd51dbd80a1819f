//! Offered rate as a function of time.

use units::SimDuration;

/// A piecewise constant rate in requests per second: step `i` covers `[i * step, (i + 1) * step)` from the start of the run; zero after the last.
#[derive(Clone, Debug, PartialEq)]
pub struct RateCurve {
    /// Length of a step; not zero.
    pub step: SimDuration,
    /// Requests per second in each step; finite, not negative.
    pub rates: Vec<f64>,
}
