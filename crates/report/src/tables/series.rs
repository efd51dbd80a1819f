//! `timeline`, `requests`, `ledger` and `latency_cdf`: the long tables of the detailed replication. `requests` is written while the run
//! goes on, a stretch at a time ([`crate::RequestsPart`]); the others are made of its record.

use record::{LedgerLine, RequestRow, TimelineRow};
use units::{SimDuration, SimTime};

use super::{whose, with_time};
use crate::{RunReport, Table};

/// One row per policy and time step, and per service where there are several. Counts of requests are of the step, counts of things are at
/// its end; nodes and the bill are the cluster's. Token latencies have columns where there are any.
pub fn timeline_table(report: &RunReport<'_>) -> Table {
    let together: Vec<_> = report.policies.iter().map(|policy| policy.detail.timeline()).collect();
    let mut rows: Vec<((&str, &str), &TimelineRow)> = Vec::new();
    for (index, policy) in report.policies.iter().enumerate() {
        rows.extend(together[index].iter().map(|row| ((policy.name(), ""), row)));
        let services = policy.detail.services.iter().filter(|_| report.has_several_services());
        let named =
            services.flat_map(|one| one.timeline.iter().map(move |row| ((policy.name(), one.name.as_str()), row)));
        rows.extend(named);
    }
    let each = || rows.iter().map(|&(_, row)| row);
    let of_cluster = || rows.iter().map(|&((_, service), row)| service.is_empty().then_some(row));
    let nodes = |count: fn(&TimelineRow) -> u32| of_cluster().map(move |row| row.map(|row| u64::from(count(row))));
    let milliseconds = |nanos: u64| nanos as f64 / 1e6;
    let table =
        with_time(whose(report, rows.iter().map(|&(names, _)| names)), report.start, each().map(|row| row.start))
            .number("step_s", each().map(|row| row.step.as_secs_f64()))
            .count("arrivals", each().map(|row| row.arrivals))
            .count("completions", each().map(|row| row.completions))
            .count("failures", each().map(|row| row.failures))
            .count("slo_misses", each().map(|row| row.slo_misses))
            .count("queue", each().map(|row| row.queue))
            .count("in_flight", each().map(|row| row.in_flight))
            .count("desired", each().map(|row| u64::from(row.desired)))
            .count("ready", each().map(|row| u64::from(row.ready)))
            .count("starting", each().map(|row| u64::from(row.starting)))
            .count("standby", each().map(|row| u64::from(row.standby)))
            .count("draining", each().map(|row| u64::from(row.draining)))
            .count("nodes_on_demand", nodes(|row| row.nodes_on_demand))
            .count("nodes_spot", nodes(|row| row.nodes_spot))
            .count("nodes_reserved", nodes(|row| row.nodes_reserved))
            .number("gpu_utilization", each().map(|row| row.gpu_utilization))
            .number("latency_ms_p50", each().map(|row| row.latency_p50_ns.map(milliseconds)))
            .number("latency_ms_p99", each().map(|row| row.latency_p99_ns.map(milliseconds)))
            .dollars("cost_so_far_usd", of_cluster().map(|row| row.map(|row| row.cost_so_far)))
            .count("queue_gateway", each().map(|row| row.queue_gateway))
            .count("queue_replicas", each().map(|row| row.queue_replicas))
            .number("kv_usage", each().map(|row| row.kv_usage));
    let table = if each().all(|row| row.ttft_p99_ns.is_none()) {
        table
    } else {
        table
            .number("ttft_ms_p50", each().map(|row| row.ttft_p50_ns.map(milliseconds)))
            .number("ttft_ms_p99", each().map(|row| row.ttft_p99_ns.map(milliseconds)))
            .number("tpot_ms_p50", each().map(|row| row.tpot_p50_ns.map(milliseconds)))
            .number("tpot_ms_p99", each().map(|row| row.tpot_p99_ns.map(milliseconds)))
    };
    // Where no service has adapters it is no column.
    if each().all(|row| row.adapter_loads.is_none()) {
        return table;
    }
    table.count("adapter_loads", each().map(|row| row.adapter_loads))
}

/// One row per request of one policy, or of one service of it where there are several. `time_s` is the arrival.
pub fn requests_table((policy, service): (&str, Option<&str>), rows: &[RequestRow]) -> Table {
    let each = || rows.iter();
    let table = Table::default().text("policy", rows.iter().map(|_| policy));
    let table = match service {
        Some(service) => table.text("service", rows.iter().map(|_| service)),
        None => table,
    };
    // Without calendar times: a column of text per request would be half the file.
    with_time(table, None, each().map(|row| row.arrival))
        .number("start_s", each().map(|row| row.start.map(SimTime::as_secs_f64)))
        .number("first_token_s", each().map(|row| row.first_token.map(SimTime::as_secs_f64)))
        .number("end_s", each().map(|row| row.end.map(SimTime::as_secs_f64)))
        .number(
            "latency_ms",
            each().map(|row| row.end.map(|end| end.since(row.arrival)).map(SimDuration::as_millis_f64)),
        )
        .count("replica", each().map(|row| row.replica.map(|pod| u64::from(pod.0))))
        .text("outcome", each().map(|row| row.outcome))
        .count("prompt_tokens", each().map(|row| row.prompt_tokens.map(u64::from)))
        .count("output_tokens", each().map(|row| row.output_tokens.map(u64::from)))
}

/// One row per policy and cell of the ledger of the detailed replication. `usd` adds up to that replication's cost exactly. Where there are
/// several services a line is of the service whose pods it is for; what no pod held has none, all share it.
pub fn ledger_table(report: &RunReport<'_>) -> Table {
    let mut rows: Vec<((&str, &str), LedgerLine)> = Vec::new();
    for policy in report.policies {
        let services = &policy.detail.services;
        let named = |service: Option<u32>| services.get(service? as usize).map(|one| one.name.as_str());
        if report.has_several_services() {
            let lines = policy.detail.ledger.lines_by_service();
            rows.extend(lines.into_iter().map(|(line, whose)| ((policy.name(), named(whose).unwrap_or("")), line)));
        } else {
            rows.extend(policy.detail.ledger.lines().into_iter().map(|line| ((policy.name(), ""), line)));
        }
    }
    let each = || rows.iter().map(|(_, line)| line);
    whose(report, rows.iter().map(|&(names, _)| names))
        .text("use", each().map(|line| line.gpu_use.name()))
        .text("purchase", each().map(|line| line.purchase.name()))
        .text("zone", each().map(|line| &line.zone))
        .number("gpu_hours", each().map(|line| line.gpu_ns as f64 / 3.6e12))
        .dollars("usd", each().map(|line| line.amount))
}

/// One row per policy (and service, where there are several) and non-empty bucket of its pooled latency histogram: the bucket's middle, how
/// many requests it holds, the share of answers at most that slow, and the share that took longer.
pub fn latency_cdf_table(report: &RunReport<'_>) -> Table {
    let outcomes = report.outcomes();
    let mut names: Vec<(&str, &str)> = Vec::new();
    let mut rows: Vec<(f64, u64, [f64; 2])> = Vec::new();
    // Latencies of several services together are no one's.
    for (of, policy) in outcomes.iter().filter(|(of, _)| of.has_latency()) {
        let total = policy.summary.latency.count();
        let mut seen = 0;
        for (nanos, count) in policy.summary.latency.buckets() {
            seen += count;
            let shares = [seen as f64 / total as f64, (total - seen) as f64 / total as f64];
            names.push((policy.name(), of.service));
            rows.push((nanos as f64 / 1e6, count, shares));
        }
    }
    whose(report, names.iter().copied())
        .number("latency_ms", rows.iter().map(|row| row.0))
        .count("count", rows.iter().map(|row| row.1))
        .number("share_at_most", rows.iter().map(|row| row.2[0]))
        .number("share_slower", rows.iter().map(|row| row.2[1]))
}
