//! The figures of a part of a run, from its requests and from the path of its replicas.

use std::cell::OnceCell;

use cluster::spec::SloSpec;
use record::{RequestRow, ScalingTotals, ServiceRecord};
use units::{SimDuration, SimTime};

use super::Quantity;

const NANOS_PER_MS: f64 = 1e6;

/// A part of a run of one service.
pub(super) struct Part<'a> {
    service: &'a ServiceRecord,
    slo: &'a SloSpec,
    from: SimTime,
    to: SimTime,
    /// End of the run.
    end: SimTime,
    requests: OnceCell<Requests>,
}

/// What its requests came to. Times in nanoseconds, ascending.
#[derive(Default)]
struct Requests {
    arrived: u64,
    completed: u64,
    rejected: u64,
    timed_out: u64,
    lost: u64,
    in_system: u64,
    slo_met: u64,
    slo_total: u64,
    latency: Vec<u64>,
    ttft: Vec<u64>,
    tpot: Vec<u64>,
    prompt_tokens: u64,
    output_tokens: u64,
    /// Of the first arrival, and of the last answer.
    span: Option<(SimTime, SimTime)>,
}

impl<'a> Part<'a> {
    /// The part from `from` up to `to` of a run that ends at `end`.
    pub(super) fn new(
        service: &'a ServiceRecord,
        slo: &'a SloSpec,
        (from, to): (SimTime, SimTime),
        end: SimTime,
    ) -> Self {
        Self { service, slo, from, to, end, requests: OnceCell::new() }
    }

    /// A figure of this part; NaN if it has none.
    pub(super) fn figure(&self, quantity: &Quantity) -> f64 {
        match quantity {
            Quantity::Column(column) => self.column(column.name),
            Quantity::ReplicasMin => self.counts().min().map_or(f64::NAN, f64::from),
            Quantity::ReplicasFinal => self.counts().last().map_or(f64::NAN, f64::from),
            Quantity::Transitions => self.transitions() as f64,
            Quantity::TimeTo(replicas) => {
                self.reached(*replicas).map_or(f64::INFINITY, |at| at.since(self.from).as_secs_f64())
            }
            Quantity::Held(replicas) => self.held(*replicas),
            Quantity::Throughput => self.per_second(|requests| requests.completed),
            Quantity::TokenThroughput => self.per_second(|requests| requests.output_tokens),
        }
    }

    fn column(&self, name: &str) -> f64 {
        if name == "replicas_mean" {
            let seconds = |span: SimDuration| span.as_secs_f64();
            let area: f64 = self.spans().map(|(count, span)| f64::from(count) * seconds(span)).sum();
            return area / seconds(self.to.since(self.from));
        }
        if name == "replicas_max" {
            return self.counts().max().map_or(f64::NAN, f64::from);
        }
        if name == "replica_changes" {
            return self.changes(&self.scaling().ready_path).count() as f64;
        }
        let requests = self.requests();
        let count = match name {
            "requests" => requests.arrived,
            "completed" => requests.completed,
            "failed" => requests.rejected + requests.timed_out + requests.lost,
            "rejected" => requests.rejected,
            "timed_out" => requests.timed_out,
            "requests_lost" => requests.lost,
            "in_system" => requests.in_system,
            "prompt_tokens" => requests.prompt_tokens,
            "output_tokens" => requests.output_tokens,
            "slo_attainment" => return requests.slo_met as f64 / requests.slo_total as f64,
            _ => return requests.time(name),
        };
        count as f64
    }

    fn per_second(&self, count: fn(&Requests) -> u64) -> f64 {
        let requests = self.requests();
        let span = requests.span.map_or(f64::NAN, |(first, last)| last.since(first).as_secs_f64());
        count(requests) as f64 / span
    }

    fn scaling(&self) -> &'a ScalingTotals {
        &self.service.scaling
    }

    /// How many were ready for how long, in order.
    fn spans(&self) -> impl Iterator<Item = (u32, SimDuration)> + '_ {
        let path = &self.scaling().ready_path;
        path.iter().enumerate().filter_map(move |(index, &(since, count))| {
            let until = path.get(index + 1).map_or(self.to, |next| next.0.min(self.to));
            let since = since.max(self.from);
            (since < until).then(|| (count, until.since(since)))
        })
    }

    fn counts(&self) -> impl Iterator<Item = u32> + '_ {
        self.spans().map(|(count, _)| count)
    }

    /// Instants within the part at which a path changes.
    fn changes(&self, path: &'a [(SimTime, u32)]) -> impl Iterator<Item = SimTime> + 'a {
        let (from, to) = (self.from, self.to);
        path.iter().skip(1).map(|step| step.0).filter(move |at| *at > from && *at < to)
    }

    fn transitions(&self) -> usize {
        let scaling = self.scaling();
        let mut at: Vec<SimTime> =
            self.changes(&scaling.ready_path).chain(self.changes(&scaling.desired_path)).collect();
        at.sort_unstable();
        at.dedup();
        at.len()
    }

    /// When so many were ready for the first time.
    fn reached(&self, replicas: u32) -> Option<SimTime> {
        let mut at = self.from;
        for (count, span) in self.spans() {
            if count >= replicas {
                return Some(at);
            }
            at += span;
        }
        None
    }

    fn held(&self, replicas: u32) -> f64 {
        let Some(reached) = self.reached(replicas) else { return 0.0 };
        let since = Self { from: reached, requests: OnceCell::new(), ..*self };
        let held: SimDuration = since.spans().filter(|(count, _)| *count >= replicas).map(|(_, span)| span).sum();
        held.as_secs_f64() / self.to.since(reached).as_secs_f64()
    }

    fn requests(&self) -> &Requests {
        self.requests.get_or_init(|| {
            let mut requests = Requests::default();
            let within = |row: &&RequestRow| self.from <= row.arrival && row.arrival < self.to;
            self.service.request_rows.iter().filter(within).for_each(|row| requests.add(row, self.slo, self.end));
            requests.latency.sort_unstable();
            requests.ttft.sort_unstable();
            requests.tpot.sort_unstable();
            requests
        })
    }
}

impl Requests {
    fn add(&mut self, row: &RequestRow, slo: &SloSpec, end: SimTime) {
        self.arrived += 1;
        let first = self.span.map_or(row.arrival, |span| span.0.min(row.arrival));
        let last = self.span.map_or(row.arrival, |span| span.1);
        self.span = Some((first, last));
        match row.outcome {
            "completed" => self.answer(row, slo),
            "rejected" => self.rejected += 1,
            "timed_out" => self.timed_out += 1,
            "lost" => self.lost += 1,
            _ => {
                self.in_system += 1;
                let is_late = slo.latency.is_some_and(|limit| end.since(row.arrival) > limit);
                self.slo_total += u64::from(is_late);
                return;
            }
        }
        self.slo_total += 1;
    }

    fn answer(&mut self, row: &RequestRow, slo: &SloSpec) {
        let Some(end) = row.end else { return };
        self.completed += 1;
        self.span = self.span.map(|(first, last)| (first, last.max(end)));
        let latency = end.since(row.arrival);
        self.latency.push(latency.as_nanos());
        let mut is_met = slo.latency.is_none_or(|limit| latency <= limit);
        if let (Some(first_token), Some(tokens)) = (row.first_token, row.output_tokens) {
            let ttft = first_token.since(row.arrival);
            self.ttft.push(ttft.as_nanos());
            self.output_tokens += u64::from(tokens);
            self.prompt_tokens += u64::from(row.prompt_tokens.unwrap_or(0));
            is_met &= slo.ttft.is_none_or(|limit| ttft <= limit);
            if tokens > 1 {
                let tpot = end.since(first_token).as_nanos() / u64::from(tokens - 1);
                self.tpot.push(tpot);
                is_met &= slo.tpot.is_none_or(|limit| tpot <= limit.as_nanos());
            }
        }
        self.slo_met += u64::from(is_met);
    }

    /// A mean or percentile of a time, in milliseconds.
    fn time(&self, name: &str) -> f64 {
        let Some((which, what)) = name.split_once("_ms_") else { return f64::NAN };
        let values = match which {
            "latency" => &self.latency,
            "ttft" => &self.ttft,
            "tpot" => &self.tpot,
            _ => return f64::NAN,
        };
        let of_rank = |per_thousand: usize| {
            // In thousandths: 999 of them are a percentile too.
            let rank = (values.len() * per_thousand).div_ceil(1000).max(1) - 1;
            values.get(rank).map_or(f64::NAN, |nanos| *nanos as f64 / NANOS_PER_MS)
        };
        match what {
            "mean" => {
                values.iter().map(|nanos| u128::from(*nanos)).sum::<u128>() as f64 / values.len() as f64 / NANOS_PER_MS
            }
            "p50" => of_rank(500),
            "p90" => of_rank(900),
            "p95" => of_rank(950),
            "p99" => of_rank(990),
            "p999" => of_rank(999),
            "max" => of_rank(1000),
            _ => f64::NAN,
        }
    }
}
