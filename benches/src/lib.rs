//! The models the benches run.

mod day;

pub use day::{bench_day, bench_day_of};
