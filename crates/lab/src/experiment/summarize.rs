//! One run to one row, and to what pooling needs of it.

use record::{
    GpuUse, Histogram, LedgerLine, Occupancy, Purchase, ReplicationSummary, RunRecord, ServiceTotals, TimelineRow,
};
use units::{SimDuration, Usd};

use crate::statistics::Counts;

/// Nanoseconds in a millisecond, a second, an hour.
const NANOS_PER_MS: f64 = 1e6;
const NANOS_PER_S: f64 = 1e9;
const NANOS_PER_HOUR: f64 = 3.6e12;
/// Batches a lone run is cut into: enough for a t interval, long enough to be nearly independent (Schmeiser 1982 finds 10 to 30).
const BATCHES: usize = 20;

/// A histogram as its non-empty buckets: a hundredth to a tenth of its memory, nothing lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(Vec<(u64, u64)>);

impl Tally {
    /// The buckets of `histogram`.
    pub fn of(histogram: &Histogram) -> Self {
        Self(histogram.buckets().collect())
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|&(_, count)| count).sum()
    }

    /// How many are at most `limit`, the middle of a bucket.
    pub fn count_at_most(&self, limit: u64) -> u64 {
        self.0.iter().take_while(|&&(value, _)| value <= limit).map(|&(_, count)| count).sum()
    }

    /// Counts everything into `histogram`; a bucket's middle lies in that very bucket.
    pub fn add_to(&self, histogram: &mut Histogram) {
        for &(value, count) in &self.0 {
            histogram.record_many(value, count);
        }
    }
}

/// What stays of one replication: its row, and sums and counts from which any set of replications can be pooled exactly.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replication {
    /// Its row.
    pub summary: ReplicationSummary,
    /// Requests that met the SLO, of those it is judged on.
    pub slo: Counts,
    /// The same cut into batches of time; empty unless the run kept its timeline.
    pub slo_batches: Vec<Counts>,
    /// Σ latency of the answered requests in nanoseconds.
    pub latency_ns_sum: u128,
    /// Σ waiting of the answered requests in nanoseconds.
    pub wait_ns_sum: u128,
    /// Latencies in nanoseconds.
    pub latency: Tally,
    /// Times to first token in nanoseconds, of an LLM service.
    pub ttft: Option<Tally>,
    /// Times per output token in nanoseconds, of an LLM service.
    pub tpot: Option<Tally>,
    /// Σ of the times to first token and of those per output token in nanoseconds.
    pub token_ns_sums: (u128, u128),
    /// Cold starts in nanoseconds, ascending.
    pub cold_start_ns: Vec<u64>,
    /// Whether its policy looks at metrics, and so may change the replicas.
    pub is_watched: bool,
    /// The same of each service, where there are several.
    pub services: Vec<Self>,
}

impl Replication {
    /// The replication of the cluster, or of one of its services. Where there is only one service, both are the same.
    pub fn of_service(&self, service: Option<&str>) -> &Self {
        let named = service.and_then(|name| self.services.iter().find(|one| one.summary.service == name));
        named.unwrap_or(self)
    }
}

/// Reduces a run to its row and what pooling needs.
pub fn reduce(record: &RunRecord) -> Replication {
    let mut cold_start_ns = record.scaling().cold_start_ns.clone();
    cold_start_ns.sort_unstable();
    let totals = record.totals();
    let tokens = totals.tokens.as_ref();
    let services = if record.has_several_services() { 0..record.services.len() } else { 0..0 };
    Replication {
        services: services.map(|service| reduce_service(record, service)).collect(),
        summary: summarize(record),
        slo: Counts { met: totals.slo_met, total: totals.slo_total },
        slo_batches: slo_batches(&record.timeline(), record.measured),
        latency_ns_sum: totals.latency_ns_sum,
        wait_ns_sum: totals.wait_ns_sum,
        latency: Tally::of(&totals.latency),
        ttft: tokens.map(|tokens| Tally::of(&tokens.ttft)),
        tpot: tokens.map(|tokens| Tally::of(&tokens.tpot)),
        token_ns_sums: tokens.map(|tokens| (tokens.ttft_ns_sum, tokens.tpot_ns_sum)).unwrap_or_default(),
        cold_start_ns,
        is_watched: record.metrics().next().is_some(),
    }
}

/// The part of service number `service`.
fn reduce_service(record: &RunRecord, service: usize) -> Replication {
    let mut part = reduce(&record.of_service(service));
    part.summary.service.clone_from(&record.services[service].name);
    part
}

/// The row of one run. Shares and means of nothing are NaN.
pub fn summarize(record: &RunRecord) -> ReplicationSummary {
    let (requests, totals) = (record.requests(), record.totals());
    let mut summary = ReplicationSummary {
        policy: record.policy.clone(),
        replication: record.replication,
        seed: record.seed,
        digest: record.digest,
        requests: requests.arrived,
        completed: requests.completed,
        failed: requests.failed(),
        in_system: requests.in_system,
        rejected: requests.rejected,
        timed_out: requests.timed_out,
        requests_lost: requests.lost,
        slo_attainment: totals.slo_met as f64 / totals.slo_total as f64,
        ..ReplicationSummary::default()
    };
    put_service(&mut summary, &totals);
    put_costs(&mut summary, record);
    put_cost_rates(&mut summary, totals.slo_met);
    put_scaling(&mut summary, record);
    summary
}

fn put_service(summary: &mut ReplicationSummary, service: &ServiceTotals) {
    put_latency_quantiles(summary, &service.latency);
    put_quantiles_of_all(summary, &service.latency, service.slo_total.saturating_sub(service.latency.count()));
    summary.latency_ms_mean = service.latency_ns_sum as f64 / NANOS_PER_MS / summary.completed as f64;
    summary.queue_wait_ms_mean = service.wait_ns_sum as f64 / NANOS_PER_MS / summary.completed as f64;
    summary.latency_ms_max =
        if summary.completed > 0 { service.latency_ns_max as f64 / NANOS_PER_MS } else { f64::NAN };
    if let Some(tokens) = &service.tokens {
        put_token_latency(summary, (&tokens.ttft, tokens.ttft_ns_sum), (&tokens.tpot, tokens.tpot_ns_sum));
        summary.prompt_tokens = Some(tokens.prompt_tokens);
        summary.output_tokens = Some(tokens.output_tokens);
    }
}

/// A quantile of nanoseconds in milliseconds; NaN of nothing.
fn quantile_ms(histogram: &Histogram, q: f64) -> f64 {
    histogram.quantile(q).map_or(f64::NAN, |nanos| nanos as f64 / NANOS_PER_MS)
}

pub(super) fn put_latency_quantiles(summary: &mut ReplicationSummary, latency: &Histogram) {
    summary.latency_ms_p50 = quantile_ms(latency, 0.5);
    summary.latency_ms_p90 = quantile_ms(latency, 0.9);
    summary.latency_ms_p95 = quantile_ms(latency, 0.95);
    summary.latency_ms_p99 = quantile_ms(latency, 0.99);
    summary.latency_ms_p999 = quantile_ms(latency, 0.999);
}

/// The same with requests that had no answer, which are later than any that had one; infinite where the rank falls among them.
pub(super) fn put_quantiles_of_all(summary: &mut ReplicationSummary, latency: &Histogram, unanswered: u64) {
    let beyond = if unanswered > 0 { f64::INFINITY } else { f64::NAN };
    let quantile = |q| latency.quantile_with_beyond(q, unanswered).map_or(beyond, |nanos| nanos as f64 / NANOS_PER_MS);
    summary.latency_ms_p50_all = quantile(0.5);
    summary.latency_ms_p90_all = quantile(0.9);
    summary.latency_ms_p95_all = quantile(0.95);
    summary.latency_ms_p99_all = quantile(0.99);
    summary.latency_ms_p999_all = quantile(0.999);
}

/// From all values of each and their sum in nanoseconds.
pub(super) fn put_token_latency(
    summary: &mut ReplicationSummary,
    (ttft, ttft_ns_sum): (&Histogram, u128),
    (tpot, tpot_ns_sum): (&Histogram, u128),
) {
    let known = |value: f64| Some(value).filter(|value| !value.is_nan());
    let quantile = |histogram: &Histogram, q| known(quantile_ms(histogram, q));
    let mean = |sum: u128, histogram: &Histogram| known(sum as f64 / NANOS_PER_MS / histogram.count() as f64);
    summary.ttft_ms_mean = mean(ttft_ns_sum, ttft);
    summary.ttft_ms_p50 = quantile(ttft, 0.5);
    summary.ttft_ms_p90 = quantile(ttft, 0.9);
    summary.ttft_ms_p95 = quantile(ttft, 0.95);
    summary.ttft_ms_p99 = quantile(ttft, 0.99);
    summary.tpot_ms_mean = mean(tpot_ns_sum, tpot);
    summary.tpot_ms_p50 = quantile(tpot, 0.5);
    summary.tpot_ms_p90 = quantile(tpot, 0.9);
    summary.tpot_ms_p95 = quantile(tpot, 0.95);
    summary.tpot_ms_p99 = quantile(tpot, 0.99);
}

/// Every column is a sum of whole ledger lines in micro-dollars, so that columns add up to the total as the lines do.
fn put_costs(summary: &mut ReplicationSummary, record: &RunRecord) {
    let ledger = &record.ledger;
    // Rounded line by line: what is added up must be what is printed.
    let lines: Vec<LedgerLine> = if record.has_several_services() {
        ledger.lines_by_service().into_iter().map(|(line, _)| line).collect()
    } else {
        ledger.lines()
    };
    let by_use = |uses: &[GpuUse]| -> f64 {
        lines.iter().filter(|line| uses.contains(&line.gpu_use)).map(|line| line.amount).sum::<Usd>().as_f64()
    };
    let by_purchase = |purchase: Purchase| -> f64 {
        lines.iter().filter(|line| line.purchase == purchase).map(|line| line.amount).sum::<Usd>().as_f64()
    };
    summary.cost_usd = ledger.total().as_f64();
    summary.cost_serving_usd = by_use(&[GpuUse::ServingBusy]);
    summary.cost_idle_usd = by_use(&[GpuUse::ServingIdle]);
    summary.cost_cold_start_usd = by_use(&[
        GpuUse::Provisioning,
        GpuUse::ImagePull,
        GpuUse::ModelDownload,
        GpuUse::GpuLoad,
        GpuUse::CudaWarmUp,
        GpuUse::Readiness,
    ]);
    summary.cost_standby_usd = by_use(&[GpuUse::Standby]);
    summary.cost_draining_usd = by_use(&[GpuUse::Draining]);
    summary.cost_unallocated_usd = by_use(&[GpuUse::Unallocated, GpuUse::NodeOverhead]);
    summary.cost_on_demand_usd = by_purchase(Purchase::OnDemand);
    summary.cost_spot_usd = by_purchase(Purchase::Spot);
    summary.cost_reserved_usd = by_purchase(Purchase::Reserved);
    summary.cost_serverless_usd = by_purchase(Purchase::Serverless);
    summary.gpu_hours = ledger.gpu_ns() as f64 / NANOS_PER_HOUR;
}

/// Dollars per million *answered* requests, per thousand that met the SLO, and per million tokens of the answered: a policy does not get
/// cheaper by failing requests. The whole bill over the tokens of the prompts, and once more over those of the answers: two views of one
/// bill, no parts of it.
pub(super) fn put_cost_rates(summary: &mut ReplicationSummary, slo_met: u64) {
    summary.cost_per_million_requests_usd = summary.cost_usd / summary.completed as f64 * 1e6;
    summary.cost_per_thousand_slo_met_usd = summary.cost_usd / slo_met as f64 * 1e3;
    let cost_usd = summary.cost_usd;
    let per_million =
        |tokens: Option<u64>| tokens.filter(|tokens| *tokens > 0).map(|tokens| cost_usd / tokens as f64 * 1e6);
    summary.cost_per_million_input_tokens_usd = per_million(summary.prompt_tokens);
    summary.cost_per_million_output_tokens_usd = per_million(summary.output_tokens);
}

fn put_scaling(summary: &mut ReplicationSummary, record: &RunRecord) {
    let scaling = record.scaling();
    summary.replicas_mean = scaling.replica_ns as f64 / record.measured.as_nanos() as f64;
    summary.replicas_max = scaling.replicas_max;
    summary.spot_interruptions = record.spot_interruptions;
    summary.scale_ups = scaling.scale_ups;
    summary.scale_downs = scaling.scale_downs;
    summary.replica_changes = scaling.replica_changes();
    put_occupancy(summary, &scaling.occupancy);
    summary.at_max_share = scaling.at_max_ns as f64 / record.measured.as_nanos() as f64;
    let (reads, unanswered) =
        record.metrics().fold((0, 0), |(reads, unanswered), used| (reads + used.reads, unanswered + used.unanswered()));
    // A policy that reads nothing has nothing unanswered.
    summary.metric_unanswered_share = if reads == 0 { 0.0 } else { unanswered as f64 / reads as f64 };
    summary.metrics_silent = record.metrics().filter(|used| used.is_silent()).count() as u64;
    let mut cold_starts = scaling.cold_start_ns.clone();
    cold_starts.sort_unstable();
    put_cold_starts(summary, &cold_starts);
}

fn put_occupancy(summary: &mut ReplicationSummary, seen: &Occupancy) {
    let kv = seen.kv.filter(|kv| kv.looks > 0);
    summary.kv_usage_mean = kv.map(|kv| kv.sum / kv.looks as f64);
    summary.kv_usage_max = kv.map(|kv| kv.max);
    summary.batch_mean = (seen.replica_looks > 0).then(|| seen.served_sum as f64 / seen.replica_looks as f64);
    summary.batch_max = seen.served_max;
    summary.queue_gateway_mean = seen.gateway.mean(seen.looks);
    summary.queue_gateway_max = seen.gateway.max;
    summary.queue_replicas_mean = seen.replicas.mean(seen.looks);
    summary.queue_replicas_max = seen.replicas.max;
}

/// `cold_start_ns` ascending. The 95th percentile is the order statistic of rank ceil(0.95 n).
pub(super) fn put_cold_starts(summary: &mut ReplicationSummary, cold_start_ns: &[u64]) {
    let count = cold_start_ns.len();
    let total: u128 = cold_start_ns.iter().copied().map(u128::from).sum();
    summary.cold_starts = count as u64;
    summary.cold_start_s_mean = total as f64 / NANOS_PER_S / count as f64;
    // 95 n / 100 in integers: 0.95 * 20 must stay rank 19.
    let rank = (95 * count).div_ceil(100);
    summary.cold_start_s_p95 = rank.checked_sub(1).map_or(f64::NAN, |index| cold_start_ns[index] as f64 / NANOS_PER_S);
}

/// The rows after the warm-up; its steps come first.
pub(crate) fn measured_rows(timeline: &[TimelineRow], measured: SimDuration) -> impl Iterator<Item = &TimelineRow> {
    let end = timeline.last().map(|last| last.start + last.step);
    timeline.iter().filter(move |row| end.is_some_and(|end| row.start >= end.saturating_sub(measured)))
}

/// The timeline's measured end, cut into batches of equal time.
fn slo_batches(timeline: &[TimelineRow], measured: SimDuration) -> Vec<Counts> {
    let steps: Vec<Counts> = measured_rows(timeline, measured)
        .map(|row| {
            let total = row.completions + row.failures;
            Counts { met: total.saturating_sub(row.slo_misses), total }
        })
        .collect();
    if steps.len() < BATCHES {
        return Vec::new();
    }
    (0..BATCHES)
        .map(|batch| steps[batch * steps.len() / BATCHES..(batch + 1) * steps.len() / BATCHES].iter().copied().sum())
        .collect()
}
