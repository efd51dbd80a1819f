//! The simulator beside queueing theory: `results/theory.md`, made by `cargo run --release --example theory`.
//!
//! Every row is a small world of its own, run through scenario files as a user's is, with a figure that has a closed form or an exact recursion. The
//! interval is over replications at 99.9 %, so that of some forty rows one may be outside by chance once in twenty-five pages; seeds are fixed, so the
//! page is the same on every machine.

mod formulas;
mod worlds;

use cluster::Keep;
use lab::Workers;
use lab::experiment::{Plan, PolicyResult, run, simulator};
use lab::statistics::{Confidence, ratio_interval};
use record::Interval;
use scenario::Input;

use worlds::{Figure, Row, rows};

const REPLICATIONS: u32 = 12;

fn main() {
    let workers = Workers::new(None).expect("there are threads");
    let rows = rows();
    println!("# The simulator beside queueing theory\n");
    println!(
        "{} worlds with a closed form or an exact recursion, {REPLICATIONS} replications each, made by `cargo run --release --example theory`; CI compares.",
        rows.len()
    );
    println!(
        "The interval is that of the mean over replications at 99.9 %; a row is ok where it holds the formula's value. Limits (many servers) hold up to the\nterm that the formula leaves out, stated beside them.\n"
    );
    println!("| system | figure | formula | theory | simulated | deviation | interval | ok |");
    println!("| --- | --- | --- | ---: | ---: | ---: | --- | --- |");
    let mut is_ok = true;
    for row in &rows {
        let interval = simulated(&workers, row);
        let slack = row.left_out * row.theory.abs() + 1e-9 * row.theory.abs();
        let is_held = interval.low - slack <= row.theory && row.theory <= interval.high + slack;
        is_ok &= is_held;
        println!(
            "| {} | {} | {} | {} | {} | {:+.2} % | {} to {} | {} |",
            row.system,
            row.figure.name(),
            row.formula,
            digits(row.theory),
            digits(interval.mean),
            (interval.mean / row.theory - 1.0) * 100.0,
            digits(interval.low),
            digits(interval.high),
            if is_held { "yes" } else { "**no**" }
        );
    }
    if !is_ok {
        std::process::exit(1);
    }
}

/// Five significant digits.
fn digits(value: f64) -> String {
    let whole = value.abs().max(1e-12).log10().floor() as i32 + 1;
    let decimals = usize::try_from((5 - whole).max(0)).unwrap_or(0);
    format!("{value:.decimals$}")
}

/// The figure over all replications of the only policy.
fn simulated(workers: &Workers, row: &Row) -> Interval {
    let documents = traces::read(&[Input::Text { name: "world".to_owned(), text: row.world.clone() }]);
    let loaded = documents.and_then(|documents| documents.load(&[]));
    let loaded = loaded.unwrap_or_else(|error| panic!("{}: {error}\n{}", row.system, row.world));
    let plan =
        Plan { policies: 1, replications: REPLICATIONS, seed: loaded.seed, keep: Keep::default(), progress: &|_| () };
    let results = run(workers, &plan, &simulator(&loaded.spec));
    let found: &PolicyResult = &results.policies[0];
    let found = if found.services.is_empty() { found } else { &found.services[found.services.len() - 1] };
    let level = Confidence::new(0.999).expect("it is between 0 and 1");
    let pairs: Vec<(f64, f64)> = found.replications.iter().map(|one| row.figure.of(one)).collect();
    ratio_interval(&pairs, level)
}

impl Figure {
    /// Numerator and denominator of one replication.
    fn of(self, one: &lab::experiment::Replication) -> (f64, f64) {
        let row = &one.summary;
        let completed = row.completed as f64;
        match self {
            Self::Wait => (one.wait_ns_sum as f64 / 1e6, completed),
            Self::Latency => (one.latency_ns_sum as f64 / 1e6, completed),
            Self::P99 => (row.latency_ms_p99, 1.0),
            Self::Attainment => (one.slo.met as f64, one.slo.total as f64),
            Self::Rejected => (row.rejected as f64, row.requests as f64),
            Self::TimedOut => (row.timed_out as f64, row.requests as f64),
            Self::Busy => (row.cost_serving_usd, row.cost_usd),
            Self::Cost => (row.cost_usd, 1.0),
            Self::Requests => (row.requests as f64, 1.0),
            Self::Interruptions => (row.spot_interruptions as f64, row.gpu_hours),
            Self::InSystem => (row.batch_mean.unwrap_or(f64::NAN), 1.0),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Wait => "mean wait, ms",
            Self::Latency => "mean latency, ms",
            Self::P99 => "99th percentile, ms",
            Self::Attainment => "share within the SLO",
            Self::Rejected => "share rejected",
            Self::TimedOut => "share timed out",
            Self::Busy => "share of the bill that serves",
            Self::Cost => "dollars",
            Self::Requests => "requests",
            Self::Interruptions => "interruptions per node-hour",
            Self::InSystem => "requests in service",
        }
    }
}
