//! The models the benches run.

mod day;
mod process;
mod queue;

pub use day::{bench_day, bench_day_of};
pub use process::{cpu_seconds, peak_kib};
pub use queue::{Outcome, Queue};
