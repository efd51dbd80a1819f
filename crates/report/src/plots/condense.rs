//! Fewer timeline rows than were recorded, for screens: what went wrong stays visible.

use record::TimelineRow;
use units::SimDuration;

/// At most about `limit` rows. Each covers several steps: flows are summed, queue and latencies are the worst of them, counts of things
/// and the bill are those at the end, utilization is weighed by time.
pub(crate) fn condensed(rows: &[TimelineRow], limit: usize) -> Vec<TimelineRow> {
    let group = rows.len().div_ceil(limit.max(1)).max(1);
    rows.chunks(group).map(merged).collect()
}

fn merged(rows: &[TimelineRow]) -> TimelineRow {
    let last = rows.last().expect("chunks are never empty");
    let busy: Vec<(f64, f64)> = rows
        .iter()
        .filter(|row| row.gpu_utilization.is_finite())
        .map(|row| (row.gpu_utilization, row.step.as_secs_f64()))
        .collect();
    let weight: f64 = busy.iter().map(|sample| sample.1).sum();
    TimelineRow {
        start: rows[0].start,
        step: rows.iter().map(|row| row.step).sum::<SimDuration>(),
        arrivals: rows.iter().map(|row| row.arrivals).sum(),
        completions: rows.iter().map(|row| row.completions).sum(),
        failures: rows.iter().map(|row| row.failures).sum(),
        slo_misses: rows.iter().map(|row| row.slo_misses).sum(),
        queue: rows.iter().map(|row| row.queue).max().unwrap_or(0),
        in_flight: rows.iter().map(|row| row.in_flight).max().unwrap_or(0),
        gpu_utilization: busy.iter().map(|(share, seconds)| share * seconds).sum::<f64>() / weight,
        latency_p50_ns: rows.iter().filter_map(|row| row.latency_p50_ns).max(),
        latency_p99_ns: rows.iter().filter_map(|row| row.latency_p99_ns).max(),
        adapter_loads: rows.iter().filter_map(|row| row.adapter_loads).reduce(|one, other| one + other),
        ttft_p50_ns: rows.iter().filter_map(|row| row.ttft_p50_ns).max(),
        ttft_p99_ns: rows.iter().filter_map(|row| row.ttft_p99_ns).max(),
        tpot_p50_ns: rows.iter().filter_map(|row| row.tpot_p50_ns).max(),
        tpot_p99_ns: rows.iter().filter_map(|row| row.tpot_p99_ns).max(),
        ..last.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use units::SimTime;

    #[test]
    fn a_spike_survives_condensing_and_no_request_is_lost() {
        let rows: Vec<TimelineRow> = (0..100)
            .map(|step| TimelineRow {
                start: SimTime::from_secs(60 * step),
                step: SimDuration::from_secs(60),
                arrivals: 10,
                queue: if step == 37 { 500 } else { 0 },
                latency_p99_ns: Some(if step == 37 { 9_000_000 } else { 1_000 }),
                gpu_utilization: 0.5,
                ..TimelineRow::default()
            })
            .collect();
        let fewer = condensed(&rows, 10);
        assert_eq!(fewer.len(), 10);
        assert_eq!(fewer.iter().map(|row| row.arrivals).sum::<u64>(), 1_000);
        assert_eq!((fewer[3].queue, fewer[3].latency_p99_ns), (500, Some(9_000_000)));
        assert_eq!(fewer[9].start + fewer[9].step, SimTime::from_secs(6_000));
        assert!((fewer[0].gpu_utilization - 0.5).abs() < 1e-12);
    }
}
