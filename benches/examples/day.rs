//! Runs the bench day once and prints what it cost the whole process: `day POLICY [RATE] [DAYS]`.
//!
//! User CPU seconds, nanoseconds per request, peak memory, and the digest.

use benches::bench_day_of;
use cluster::{Keep, simulate};
use units::SimDuration;

/// Clock ticks per second in /proc, the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number =
        |place: usize, default: f64| arguments.get(place).map_or(default, |text| text.parse().expect("a number"));
    let (rate, days) = (number(2, 500.0), number(3, 1.0));
    let spec = bench_day_of(rate, SimDuration::from_secs((days * 86_400.0) as u64));
    let name = arguments.get(1).map_or("hpa", String::as_str);
    let policy = spec.policies.iter().position(|policy| policy.name == name).expect("a policy of the bench day");
    let record = simulate(&spec, policy, 0, 1, Keep { tables: true, requests: false });

    let (user, peak) = (user_seconds(), peak_kib());
    let requests = record.requests.arrived;
    let p99 = record.service.latency.quantile(0.99).map_or(f64::NAN, |nanos| nanos as f64 / 1e6);
    println!(
        "{name} {requests} requests  {user:.2} s  {:.2} ns/request  {:.1} M/s  {peak} KiB  p99 {p99:.1} ms  replicas max {}  \
         kills {}  {:.2} USD  digest {:016x}",
        user * 1e9 / requests as f64,
        requests as f64 / user / 1e6,
        record.scaling.replicas_max,
        record.scaling.spot_interruptions,
        record.ledger.billed().to_usd(),
        record.digest
    );
}

fn user_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux has /proc");
    let after_name = stat.rsplit(')').next().expect("the name is in parentheses");
    let ticks: f64 = after_name.split_whitespace().nth(11).and_then(|text| text.parse().ok()).expect("utime");
    ticks / TICKS_PER_SECOND
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("peak memory");
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number of KiB")
}
