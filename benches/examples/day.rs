//! Runs the bench day once and prints what it cost the whole process: `day POLICY [RATE] [DAYS] [totals]`. With `totals` no tables are kept.
//!
//! CPU seconds, nanoseconds per request, peak memory, and the digest.

use benches::{bench_day_of, cpu_seconds, peak_kib};
use cluster::{Keep, simulate};
use units::SimDuration;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number =
        |place: usize, default: f64| arguments.get(place).map_or(default, |text| text.parse().expect("a number"));
    let (rate, days) = (number(2, 500.0), number(3, 1.0));
    let spec = bench_day_of(rate, SimDuration::from_secs((days * 86_400.0) as u64));
    let name = arguments.get(1).map_or("hpa", String::as_str);
    let policy = spec.policies.iter().position(|policy| policy.name == name).expect("a policy of the bench day");
    let record = simulate(&spec, policy, 0, 1, Keep { tables: arguments.len() < 5, requests: false });

    let (user, peak) = (cpu_seconds(), peak_kib());
    let requests = record.only().requests.arrived;
    let p99 = record.only().totals.latency.quantile(0.99).map_or(f64::NAN, |nanos| nanos as f64 / 1e6);
    println!(
        "{name} {requests} requests  {user:.2} s  {:.2} ns/request  {:.1} M/s  {peak} KiB  p99 {p99:.1} ms  replicas max {}  \
         kills {}  {:.2} USD  digest {:016x}",
        user * 1e9 / requests as f64,
        requests as f64 / user / 1e6,
        record.only().scaling.replicas_max,
        record.spot_interruptions,
        record.ledger.billed().to_usd(),
        record.digest
    );
}
