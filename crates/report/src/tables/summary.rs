//! `summary`, `replications` and `comparison`: the figures of a whole run.

use record::{Comparison, Interval, PolicySummary, ReplicationSummary};

use crate::money::{SettledCosts, rounded};
use crate::{RunReport, Table};

/// One printed row: figures, their settled dollars, and the intervals where several replications stand behind it.
struct Row<'a> {
    figures: &'a ReplicationSummary,
    costs: SettledCosts,
    pooled: Option<&'a PolicySummary>,
}

impl<'a> Row<'a> {
    fn of(figures: &'a ReplicationSummary, pooled: Option<&'a PolicySummary>) -> Self {
        Self { figures, costs: SettledCosts::of(figures), pooled }
    }
}

/// One row per policy and, where there are several, per service of it, with 95 % intervals. Dollars are means over replications; the six cost items add up to `cost_usd` exactly, and so
/// do the four purchase options.
pub fn summary_table(report: &RunReport<'_>) -> Table {
    let outcomes = report.outcomes();
    let rows: Vec<Row<'_>> =
        outcomes.iter().map(|(_, policy)| Row::of(&policy.summary.pooled, Some(policy.summary))).collect();
    let table = whose(report, &rows)
        .count("replications", outcomes.iter().map(|(_, policy)| u64::from(policy.summary.replications)));
    let table = figures(table, &rows);
    of_all(late_extras(interval_extras(extras(table, &rows), &rows), &rows), &rows)
}

/// One row per policy and replication, and per service where there are several.
pub fn replications_table(report: &RunReport<'_>) -> Table {
    let outcomes = report.outcomes();
    let rows: Vec<Row<'_>> =
        outcomes.iter().flat_map(|(_, policy)| policy.replications).map(|figures| Row::of(figures, None)).collect();
    let table = whose(report, &rows).count("replication", rows.iter().map(|row| u64::from(row.figures.replication)));
    let table = extras(figures(table, &rows), &rows)
        .count("seed", rows.iter().map(|row| row.figures.seed))
        .text("digest", rows.iter().map(|row| format!("{:016x}", row.figures.digest)));
    of_all(late_extras(table, &rows), &rows)
}

/// `policy`, and `service` where there are several; it is empty in the rows of the whole cluster.
fn whose(report: &RunReport<'_>, rows: &[Row<'_>]) -> Table {
    let table = Table::default().text("policy", rows.iter().map(|row| &row.figures.policy));
    if report.has_several_services() {
        table.text("service", rows.iter().map(|row| &row.figures.service))
    } else {
        table
    }
}

/// The columns whose order product.md fixes.
fn figures(table: Table, rows: &[Row<'_>]) -> Table {
    let each = || rows.iter().map(|row| row.figures);
    let table = table
        .count("requests", each().map(|row| row.requests))
        .count("completed", each().map(|row| row.completed))
        .count("failed", each().map(|row| row.failed))
        .number("slo_attainment", each().map(|row| row.slo_attainment));
    let table = interval(table, rows, "slo_attainment", |pooled| pooled.slo_attainment)
        .number("latency_ms_mean", each().map(|row| row.latency_ms_mean))
        .number("latency_ms_p50", each().map(|row| row.latency_ms_p50))
        .number("latency_ms_p90", each().map(|row| row.latency_ms_p90))
        .number("latency_ms_p95", each().map(|row| row.latency_ms_p95))
        .number("latency_ms_p99", each().map(|row| row.latency_ms_p99))
        .number("latency_ms_p999", each().map(|row| row.latency_ms_p999))
        .number("latency_ms_max", each().map(|row| row.latency_ms_max))
        .number("queue_wait_ms_mean", each().map(|row| row.queue_wait_ms_mean));
    cost_figures(table, rows)
        .number("gpu_hours", each().map(|row| row.gpu_hours))
        .number("replicas_mean", each().map(|row| row.replicas_mean))
        .count("replicas_max", each().map(|row| u64::from(row.replicas_max)))
        .count("cold_starts", each().map(|row| row.cold_starts))
        .number("cold_start_s_mean", each().map(|row| row.cold_start_s_mean))
        .number("cold_start_s_p95", each().map(|row| row.cold_start_s_p95))
        .count("spot_interruptions", each().map(|row| row.service.is_empty().then_some(row.spot_interruptions)))
        .count("requests_lost", each().map(|row| row.requests_lost))
        .count("scale_ups", each().map(|row| row.scale_ups))
        .count("scale_downs", each().map(|row| row.scale_downs))
}

fn cost_figures(table: Table, rows: &[Row<'_>]) -> Table {
    let table = table.dollars("cost_usd", rows.iter().map(|row| row.costs.total));
    let bounds = |pick: fn(Interval) -> f64| {
        move |row: &Row<'_>| {
            row.pooled.map(|pooled| pick(pooled.cost_usd)).filter(|bound| bound.is_finite()).map(rounded)
        }
    };
    let table = if rows.iter().any(|row| row.pooled.is_some()) {
        table
            .dollars("cost_usd_ci_low", rows.iter().map(bounds(|interval| interval.low)))
            .dollars("cost_usd_ci_high", rows.iter().map(bounds(|interval| interval.high)))
    } else {
        table
    };
    let per_million = |row: &Row<'_>| {
        Some(row.figures.cost_per_million_requests_usd).filter(|dollars| dollars.is_finite()).map(rounded)
    };
    table
        .dollars("cost_per_million_requests_usd", rows.iter().map(per_million))
        .dollars("cost_serving_usd", rows.iter().map(|row| row.costs.uses[0]))
        .dollars("cost_idle_usd", rows.iter().map(|row| row.costs.uses[1]))
        .dollars("cost_cold_start_usd", rows.iter().map(|row| row.costs.uses[2]))
        .dollars("cost_standby_usd", rows.iter().map(|row| row.costs.uses[3]))
        .dollars("cost_draining_usd", rows.iter().map(|row| row.costs.uses[4]))
        .dollars("cost_unallocated_usd", rows.iter().map(|row| row.costs.uses[5]))
        .dollars("cost_on_demand_usd", rows.iter().map(|row| row.costs.purchases[0]))
        .dollars("cost_spot_usd", rows.iter().map(|row| row.costs.purchases[1]))
}

/// Columns beyond the fixed ones.
fn extras(table: Table, rows: &[Row<'_>]) -> Table {
    let each = || rows.iter().map(|row| row.figures);
    let per_thousand = |row: &ReplicationSummary| {
        Some(row.cost_per_thousand_slo_met_usd).filter(|dollars| dollars.is_finite()).map(rounded)
    };
    table
        .dollars("cost_reserved_usd", rows.iter().map(|row| row.costs.purchases[2]))
        .dollars("cost_serverless_usd", rows.iter().map(|row| row.costs.purchases[3]))
        .dollars("cost_per_thousand_slo_met_usd", each().map(per_thousand))
        .count("in_system", each().map(|row| row.in_system))
        .count("rejected", each().map(|row| row.rejected))
        .count("timed_out", each().map(|row| row.timed_out))
        .number("ttft_ms_p50", each().map(|row| row.ttft_ms_p50))
        .number("ttft_ms_p99", each().map(|row| row.ttft_ms_p99))
        .number("tpot_ms_p50", each().map(|row| row.tpot_ms_p50))
        .number("tpot_ms_p99", each().map(|row| row.tpot_ms_p99))
        .count("metrics_silent", each().map(|row| row.metrics_silent))
        .number("metric_unanswered_share", each().map(|row| row.metric_unanswered_share))
        .number("at_max_share", each().map(|row| row.at_max_share))
}

/// What was added later, after everything that was there.
fn late_extras(table: Table, rows: &[Row<'_>]) -> Table {
    let each = || rows.iter().map(|row| row.figures);
    let dollars = |cost: Option<f64>| cost.filter(|dollars| dollars.is_finite()).map(rounded);
    table
        .number("ttft_ms_mean", each().map(|row| row.ttft_ms_mean))
        .number("ttft_ms_p90", each().map(|row| row.ttft_ms_p90))
        .number("ttft_ms_p95", each().map(|row| row.ttft_ms_p95))
        .number("tpot_ms_mean", each().map(|row| row.tpot_ms_mean))
        .number("tpot_ms_p90", each().map(|row| row.tpot_ms_p90))
        .number("tpot_ms_p95", each().map(|row| row.tpot_ms_p95))
        .number("kv_usage_mean", each().map(|row| row.kv_usage_mean))
        .number("kv_usage_max", each().map(|row| row.kv_usage_max))
        .number("batch_mean", each().map(|row| row.batch_mean))
        .count("batch_max", each().map(|row| row.batch_max))
        .number("queue_gateway_mean", each().map(|row| row.queue_gateway_mean))
        .count("queue_gateway_max", each().map(|row| row.queue_gateway_max))
        .number("queue_replicas_mean", each().map(|row| row.queue_replicas_mean))
        .count("queue_replicas_max", each().map(|row| row.queue_replicas_max))
        .count("prompt_tokens", each().map(|row| row.prompt_tokens))
        .count("output_tokens", each().map(|row| row.output_tokens))
        .dollars("cost_per_million_input_tokens_usd", each().map(|row| dollars(row.cost_per_million_input_tokens_usd)))
        .dollars(
            "cost_per_million_output_tokens_usd",
            each().map(|row| dollars(row.cost_per_million_output_tokens_usd)),
        )
        .count("replica_changes", each().map(|row| row.replica_changes))
}

fn interval_extras(table: Table, rows: &[Row<'_>]) -> Table {
    let table = interval(table, rows, "latency_ms_mean", |pooled| pooled.latency_ms_mean);
    interval(table, rows, "latency_ms_p99", |pooled| pooled.latency_ms_p99)
}

/// Percentiles over all requests, in which one without an answer is later than any other: `inf` where that is what stands there.
fn of_all(table: Table, rows: &[Row<'_>]) -> Table {
    let table = table
        .number("latency_ms_p50_all", rows.iter().map(|row| row.figures.latency_ms_p50_all))
        .number("latency_ms_p99_all", rows.iter().map(|row| row.figures.latency_ms_p99_all));
    interval(table, rows, "latency_ms_p99_all", |pooled| pooled.latency_ms_p99_all)
        .number("latency_ms_p90_all", rows.iter().map(|row| row.figures.latency_ms_p90_all))
        .number("latency_ms_p95_all", rows.iter().map(|row| row.figures.latency_ms_p95_all))
        .number("latency_ms_p999_all", rows.iter().map(|row| row.figures.latency_ms_p999_all))
}

/// Adds `<name>_ci_low` and `<name>_ci_high` if the rows are pooled ones.
fn interval(table: Table, rows: &[Row<'_>], name: &str, pick: fn(&PolicySummary) -> Interval) -> Table {
    if rows.iter().all(|row| row.pooled.is_none()) && !rows.is_empty() {
        return table;
    }
    table
        .number(&format!("{name}_ci_low"), rows.iter().map(|row| row.pooled.map(|pooled| pick(pooled).low)))
        .number(&format!("{name}_ci_high"), rows.iter().map(|row| row.pooled.map(|pooled| pick(pooled).high)))
}

/// One row per pair of policies, of the cluster and of each service where there are several: differences (policy − baseline) with 95 % intervals and what they allow to say.
pub fn comparison_table(report: &RunReport<'_>) -> Table {
    let of_services = report.services.iter().flat_map(|service| service.comparisons);
    let rows: Vec<&Comparison> = report.comparisons.iter().chain(of_services).collect();
    let dollars = |bound: fn(&Comparison) -> f64| {
        rows.iter().map(move |&row| Some(bound(row)).filter(|dollars| dollars.is_finite()).map(rounded))
    };
    let table = Table::default()
        .text("policy", rows.iter().map(|row| &row.policy))
        .text("baseline", rows.iter().map(|row| &row.baseline));
    let table =
        if report.has_several_services() { table.text("service", rows.iter().map(|row| &row.service)) } else { table };
    table
        .count("replications", rows.iter().map(|row| u64::from(row.replications)))
        .dollars("cost_usd_difference", dollars(|row| row.cost_usd.mean))
        .dollars("cost_usd_difference_ci_low", dollars(|row| row.cost_usd.low))
        .dollars("cost_usd_difference_ci_high", dollars(|row| row.cost_usd.high))
        .text("cost_verdict", rows.iter().map(|row| row.cost_verdict.name()))
        .number("slo_attainment_difference", rows.iter().map(|row| row.slo_attainment.mean))
        .number("slo_attainment_difference_ci_low", rows.iter().map(|row| row.slo_attainment.low))
        .number("slo_attainment_difference_ci_high", rows.iter().map(|row| row.slo_attainment.high))
        .text("slo_verdict", rows.iter().map(|row| row.slo_verdict.name()))
}
