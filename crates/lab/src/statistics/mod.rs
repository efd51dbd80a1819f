//! Confidence intervals, tests and their corrections, on plain numbers.
//!
//! Nothing here knows what was simulated. All intervals are two-sided. Where data cannot give an interval (one value, no spread to
//! judge by) its bounds are NaN and a test's p-value is 1: no claim.

mod control;
mod difference;
mod interval;
mod warm_up;

pub use control::{CONTROLLED_MIN, Controlled, controlled_interval};
pub use difference::{Difference, HolmStep, holm, ratio_of_wholes};
pub use interval::{
    Confidence, Counts, log_section_interval, mean_interval, quantile_interval, quantile_levels, ratio_interval,
    share_forecast, share_interval, wilson_interval,
};
pub(crate) use interval::{between_buckets, ratio_influences};
pub use warm_up::mser5;

/// Arithmetic mean; NaN when empty.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard error of the mean from the spread of `values`; NaN with fewer than two.
pub fn standard_error(values: &[f64]) -> f64 {
    section_error(mean(values), values)
}

/// Standard error of a figure of all data together from those of its independent sections.
pub(crate) fn section_error(whole: f64, sections: &[f64]) -> f64 {
    let count = sections.len() as f64;
    let squares: f64 = sections.iter().map(|section| (section - whole) * (section - whole)).sum();
    libm::sqrt(squares / (count - 1.0) / count)
}
