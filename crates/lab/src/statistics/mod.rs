//! Confidence intervals, tests and their corrections, on plain numbers.
//!
//! Nothing here knows what was simulated. All intervals are two-sided. Where data cannot give an interval (one value, no spread to
//! judge by) its bounds are NaN and a test's p-value is 1: no claim.

mod control;
mod difference;
mod interval;
mod warm_up;

pub use control::{CONTROLLED_MIN, Controlled, controlled_interval};
pub use difference::{Difference, HolmStep, holm, ratio_of_means};
pub(crate) use interval::ratio_influences;
pub use interval::{
    Confidence, Counts, log_section_interval, mean_interval, ratio_interval, section_interval, share_forecast,
    share_interval, wilson_interval,
};
pub use warm_up::mser5;

/// Arithmetic mean; NaN when empty.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard error of the mean from the spread of `values`; NaN with fewer than two.
pub fn standard_error(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let center = mean(values);
    let squares: f64 = values.iter().map(|value| (value - center) * (value - center)).sum();
    libm::sqrt(squares / (count - 1.0) / count)
}
