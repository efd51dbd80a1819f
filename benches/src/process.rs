//! What this process has cost so far, from Linux's /proc.

/// Seconds its main thread has spent on a CPU.
pub fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("Linux has /proc");
    let nanos: f64 = text.split_whitespace().next().and_then(|text| text.parse().ok()).expect("nanoseconds first");
    nanos / 1e9
}

/// Most memory it has held at once, in KiB.
pub fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("peak memory");
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number of KiB")
}
