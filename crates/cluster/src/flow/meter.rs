//! What is measured of the requests as they pass.

use exporters::HistogramSignal;
use record::{Histogram, RequestRow, RequestTotals, ServiceTotals, TokenLatency};
use units::{PodId, SimTime};

use super::latency::{LatencyLog, Watched};
use crate::RequestSink;
use crate::spec::SloSpec;

/// Rows handed to a [`RequestSink`] at once: a third of a megabyte.
const ROWS_PER_HAND_OVER: usize = 4_096;

/// How a request that did not get its answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Turned away on arrival.
    Rejected,
    /// Given up by the client.
    TimedOut,
    /// Killed with its replica.
    Lost,
}

/// The course of a request whose answer came token by token, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streamed {
    /// When its client first asked.
    pub arrival: u64,
    /// When its service began.
    pub start: u64,
    /// When its first token came.
    pub first_token: u64,
    /// When its last token came.
    pub end: u64,
    /// Tokens of the prompt.
    pub prompt: u32,
    /// Tokens of the answer.
    pub tokens: u32,
}

/// Requests that follow from answers of another service, from the first of the chain on.
struct Chain {
    /// When the first request of the chain of the one that is now looked at arrived.
    asked: u64,
    /// An answer later than this misses the SLO; `u64::MAX` without one.
    slo: u64,
    latency: Histogram,
    /// The chain is one request to its client, who knows of no other arrival than that of the first.
    is_one: bool,
}

impl Chain {
    fn is_met(&self, now: u64) -> bool {
        now - self.asked <= self.slo
    }
}

/// Counts and histograms of one run, per timeline step and in all. Requests that arrived before `measure_from` pass through
/// uncounted, save in [`Meter::completed_ever`] and [`Meter::failed_ever`].
pub struct Meter {
    /// When the run starts, on the clock of the arrivals.
    origin: u64,
    measure_from: u64,
    timeout: u64,
    /// Latency above this misses the SLO; `u64::MAX` without one.
    slo_latency: u64,
    slo_ttft: u64,
    slo_tpot: u64,
    totals: RequestTotals,
    step: Histogram,
    /// Time to first token and per further token of the answers of this step, of streamed answers.
    step_tokens: Option<Box<[Histogram; 2]>>,
    service: ServiceTotals,
    missed: u64,
    missed_in_system: u64,
    /// Requests answered ever, those of warm-up and prehistory included.
    pub completed_ever: u64,
    /// Requests failed ever, likewise.
    pub failed_ever: u64,
    /// Requests of the prehistory among both.
    before_start: (u64, u64),
    /// Attempts failed since the start, by [`Failure`]: final ones and those that were repeated.
    attempts_failed: [u64; 3],
    /// Attempts repeated since the start.
    repeated: u64,
    /// What the gateway's histograms show, if somebody reads them.
    gateway: Option<Box<LatencyLog>>,
    step_missed: u64,
    /// Of services that others call.
    chain: Option<Box<Chain>>,
    /// Latency of the answers to requests of the warm-up: counted nowhere, but seen by the metrics pipeline.
    warm_up: Histogram,
    rows: Option<Vec<RequestRow>>,
    /// Takes the rows while the run goes on; without it they stay until the end.
    sink: Option<Box<dyn RequestSink>>,
}

impl Meter {
    /// A meter for a service judged by `slo`; `timeout` is the client's, in nanoseconds (`u64::MAX`: none).
    pub fn new(measure_from: SimTime, timeout: u64, slo: &SloSpec, keep_rows: bool) -> Self {
        let limit = |threshold: Option<units::SimDuration>| threshold.map_or(u64::MAX, units::SimDuration::as_nanos);
        Self {
            origin: 0,
            measure_from: measure_from.as_nanos(),
            timeout,
            slo_latency: limit(slo.latency),
            slo_ttft: limit(slo.ttft),
            slo_tpot: limit(slo.tpot),
            totals: RequestTotals::default(),
            step: Histogram::new(),
            step_tokens: None,
            service: ServiceTotals::default(),
            missed: 0,
            missed_in_system: 0,
            completed_ever: 0,
            failed_ever: 0,
            before_start: (0, 0),
            attempts_failed: [0; 3],
            repeated: 0,
            gateway: None,
            step_missed: 0,
            chain: None,
            warm_up: Histogram::new(),
            rows: keep_rows.then(Vec::new),
            sink: None,
        }
    }

    /// The run starts at `origin`, which is time zero in the rows.
    pub fn starting_at(mut self, origin: SimTime) -> Self {
        self.origin = origin.as_nanos();
        self
    }

    /// Its requests follow from those of other services: what is measured of them from the first request of the chain on is kept too, and
    /// judged by the SLO's `end_to_end`.
    pub fn of_chain(mut self, slo: &SloSpec) -> Self {
        let slo = slo.end_to_end.map_or(u64::MAX, units::SimDuration::as_nanos);
        self.chain = Some(Box::new(Chain { asked: 0, slo, latency: Histogram::new(), is_one: false }));
        self
    }

    /// Its chains are one request each to their clients: everything counts from the arrival of the first. Needs [`Meter::of_chain`].
    pub fn of_one_request(mut self) -> Self {
        if let Some(chain) = &mut self.chain {
            chain.is_one = true;
        }
        self
    }

    /// When the client of a request that arrived here at `arrival` asked.
    #[inline]
    fn asked(&self, arrival: u64) -> u64 {
        self.chain.as_ref().filter(|chain| chain.is_one).map_or(arrival, |chain| chain.asked)
    }

    /// The chain of the request that is looked at next began at `asked`.
    #[inline]
    pub fn asked_at(&mut self, asked: Option<u64>) {
        if let (Some(chain), Some(asked)) = (&mut self.chain, asked) {
            chain.asked = asked;
        }
    }

    /// Counts an answer from the first request of its chain on. Whether that is within the SLO.
    fn answer_chain(&mut self, end: u64) -> bool {
        self.chain.as_mut().is_none_or(|chain| {
            chain.latency.record(end - chain.asked);
            chain.is_met(end)
        })
    }

    /// Requests that arrived before the run and have been answered, and those that have failed.
    pub fn before_start(&self) -> (u64, u64) {
        self.before_start
    }

    /// Hands every row to `sink` instead of keeping it, some thousands at a time and the rest with the totals.
    pub fn pass_rows_to(&mut self, sink: Box<dyn RequestSink>) {
        self.rows = Some(Vec::with_capacity(ROWS_PER_HAND_OVER));
        self.sink = Some(sink);
    }

    /// Keeps the gateway's histograms from now on.
    pub fn watch(&mut self, watched: &Watched) {
        self.gateway = watched.reads_gateway().then(|| Box::new(LatencyLog::new(watched)));
    }

    /// The gateway's histograms, if they are kept.
    pub fn gateway(&self) -> Option<&LatencyLog> {
        self.gateway.as_deref()
    }

    /// An attempt failed and its client will try again.
    pub fn fail_attempt(&mut self, failure: Failure) {
        self.attempts_failed[failure as usize] += 1;
        self.repeated += 1;
    }

    /// Attempts that failed so since the start.
    pub fn attempts_failed(&self, failure: Failure) -> u64 {
        self.attempts_failed[failure as usize]
    }

    /// Attempts that were followed by another, whether or not that has begun.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Requests that arrive from here on are counted.
    pub fn measure_from(&self) -> u64 {
        self.measure_from
    }

    /// A batch is answered at `end`, its service having begun at `start`. `arrivals` ascend. Returns how many of them the client had
    /// given up by then.
    #[inline]
    pub fn batch(&mut self, arrivals: &[u64], start: u64, end: u64, replica: PodId) -> u64 {
        let oldest = end - arrivals[0];
        let is_special = self.rows.is_some() || self.gateway.is_some();
        if arrivals[0] < self.measure_from || oldest > self.timeout || is_special {
            return arrivals.iter().map(|&arrival| u64::from(!self.answer(arrival, start, end, replica))).sum();
        }
        let count = arrivals.len() as u64;
        let mut latency_sum = 0;
        for &arrival in arrivals {
            let latency = end - arrival;
            self.step.record(latency);
            latency_sum += latency;
        }
        if oldest > self.slo_latency {
            let missed = arrivals.iter().filter(|&&arrival| end - arrival > self.slo_latency).count() as u64;
            self.missed += missed;
            self.step_missed += missed;
        }
        self.service.latency_ns_max = self.service.latency_ns_max.max(oldest);
        self.service.latency_ns_sum += u128::from(latency_sum);
        self.service.wait_ns_sum += u128::from(latency_sum - count * (end - start));
        self.totals.completed += count;
        self.completed_ever += count;
        0
    }

    /// One request is answered. False if the client had given up by then: it counts as timed out.
    pub fn answer(&mut self, arrival: u64, start: u64, end: u64, replica: PodId) -> bool {
        if end - arrival > self.timeout {
            self.fail_served(arrival, Failure::TimedOut, end, Some((start, replica)));
            return false;
        }
        self.complete(arrival, start, end, replica);
        true
    }

    /// One request is answered and its client is still there.
    pub fn complete(&mut self, arrival: u64, start: u64, end: u64, replica: PodId) {
        self.completed_ever += 1;
        self.log_answer(arrival, (end, end));
        if arrival < self.measure_from {
            self.before_start.0 += u64::from(arrival < self.origin);
            return self.count_warm_up(end - arrival);
        }
        self.count_answer(arrival, start, end);
        let is_chain_met = self.answer_chain(end);
        self.judge(end - arrival <= self.slo_latency && is_chain_met);
        self.keep(RequestRow {
            arrival: self.at(arrival),
            start: Some(self.at(start)),
            first_token: None,
            end: Some(self.at(end)),
            replica: Some(replica),
            outcome: "completed",
            prompt_tokens: None,
            output_tokens: None,
        });
    }

    /// One streamed request is answered and its client is still there.
    pub fn answer_streamed(&mut self, answer: &Streamed, replica: PodId) {
        let Streamed { arrival: came, start, first_token, end, prompt, tokens } = *answer;
        let arrival = self.asked(came);
        self.completed_ever += 1;
        self.log_answer(arrival, (first_token, end));
        if arrival < self.measure_from {
            self.before_start.0 += u64::from(came < self.origin);
            return self.count_warm_up(end - arrival);
        }
        self.count_answer(arrival, start, end);
        let ttft = first_token - arrival;
        let tpot = if tokens > 1 { (end - first_token) / u64::from(tokens - 1) } else { 0 };
        let log = self.service.tokens.get_or_insert_with(TokenLatency::default);
        let step = self.step_tokens.get_or_insert_with(|| Box::new([Histogram::new(), Histogram::new()]));
        step[0].record(ttft);
        log.ttft_ns_sum += u128::from(ttft);
        if tokens > 1 {
            step[1].record(tpot);
            log.tpot_ns_sum += u128::from(tpot);
        }
        log.output_tokens += u64::from(tokens);
        log.prompt_tokens += u64::from(prompt);
        let is_chain_met = self.answer_chain(end);
        self.judge(is_chain_met && end - arrival <= self.slo_latency && ttft <= self.slo_ttft && tpot <= self.slo_tpot);
        self.keep(RequestRow {
            arrival: self.at(arrival),
            start: Some(self.at(start)),
            first_token: Some(self.at(first_token)),
            end: Some(self.at(end)),
            replica: Some(replica),
            outcome: "completed",
            prompt_tokens: Some(prompt),
            output_tokens: Some(tokens),
        });
    }

    /// One request ends without an answer, before any service.
    pub fn fail(&mut self, arrival: u64, failure: Failure, at: u64) {
        self.fail_served(arrival, failure, at, None);
    }

    /// One request ends without an answer; `service` is when and where it was being served, if it was.
    pub fn fail_served(&mut self, arrival: u64, failure: Failure, at: u64, service: Option<(u64, PodId)>) {
        self.fail_prompt((arrival, None), failure, at, service);
    }

    /// The same of a request to a language model, with the tokens of its prompt.
    pub fn fail_prompt(
        &mut self,
        (came, prompt): (u64, Option<u32>),
        failure: Failure,
        at: u64,
        service: Option<(u64, PodId)>,
    ) {
        let arrival = self.asked(came);
        self.failed_ever += 1;
        self.attempts_failed[failure as usize] += 1;
        if arrival < self.measure_from {
            self.before_start.1 += u64::from(came < self.origin);
            return;
        }
        let outcome = match failure {
            Failure::Rejected => {
                self.totals.rejected += 1;
                "rejected"
            }
            Failure::TimedOut => {
                self.totals.timed_out += 1;
                "timed_out"
            }
            Failure::Lost => {
                self.totals.lost += 1;
                "lost"
            }
        };
        self.step_missed += 1;
        self.keep(RequestRow {
            arrival: self.at(arrival),
            start: service.map(|(start, _)| self.at(start)),
            first_token: None,
            end: Some(self.at(at)),
            replica: service.map(|(_, replica)| replica),
            outcome,
            prompt_tokens: prompt,
            output_tokens: None,
        });
    }

    /// One request is still in the system when the run ends at `now`.
    pub fn leave_in_system(&mut self, arrival: u64, now: u64) {
        self.leave_prompt_in_system((arrival, None), now);
    }

    /// The same of a request to a language model, with the tokens of its prompt.
    pub fn leave_prompt_in_system(&mut self, (came, prompt): (u64, Option<u32>), now: u64) {
        let arrival = self.asked(came);
        if arrival < self.measure_from {
            return;
        }
        self.totals.in_system += 1;
        let is_chain_late = self.chain.as_ref().is_some_and(|chain| !chain.is_met(now));
        self.missed_in_system += u64::from(now - arrival > self.slo_latency || is_chain_late);
        self.keep(RequestRow {
            arrival: self.at(arrival),
            start: None,
            first_token: None,
            end: None,
            replica: None,
            outcome: "in_system",
            prompt_tokens: prompt,
            output_tokens: None,
        });
    }

    /// Latency of all answers so far, warm-up included.
    pub fn answers(&self) -> Histogram {
        let mut all = self.service.latency.clone();
        all.merge(&self.step);
        all.merge(&self.warm_up);
        all
    }

    /// A meter that has measured nothing, to leave in the place of one that is taken away.
    pub fn idle() -> Self {
        let slo = SloSpec { latency: None, ttft: None, tpot: None, end_to_end: None, objective: 0.0 };
        Self::new(SimTime::ZERO, u64::MAX, &slo, false)
    }

    /// Closes a timeline step: its latency histograms and SLO misses. The histograms are folded into the totals.
    pub fn close_step(&mut self) -> StepLatency {
        let mut closed = StepLatency {
            p50_ns: self.step.quantile(0.5),
            p99_ns: self.step.quantile(0.99),
            missed: std::mem::take(&mut self.step_missed),
            ..StepLatency::default()
        };
        if let (Some(step), Some(log)) = (&mut self.step_tokens, &mut self.service.tokens) {
            let [ttft, tpot] = &mut **step;
            closed.ttft_ns = [ttft.quantile(0.5), ttft.quantile(0.99)];
            closed.tpot_ns = [tpot.quantile(0.5), tpot.quantile(0.99)];
            log.ttft.merge(ttft);
            log.tpot.merge(tpot);
            ttft.clear();
            tpot.clear();
        }
        self.service.latency.merge(&self.step);
        self.step.clear();
        closed
    }

    /// The totals, with `arrived` requests of the measured part, and the rows in order of arrival if they were kept.
    pub fn into_totals(mut self, arrived: u64) -> (RequestTotals, ServiceTotals, Vec<RequestRow>) {
        self.close_step();
        let totals = RequestTotals { arrived, ..self.totals };
        self.service.slo_met = totals.completed - self.missed;
        self.service.slo_total = totals.completed + totals.failed() + self.missed_in_system;
        self.service.end_to_end = self.chain.map(|chain| chain.latency);
        let mut rows = self.rows.unwrap_or_default();
        if let Some(mut sink) = self.sink {
            sink.take(&rows);
            sink.close();
            rows.clear();
        }
        rows.sort_by_key(|row| (row.arrival, row.start, row.end, row.replica));
        (totals, self.service, rows)
    }

    /// An instant as the tables show it.
    fn at(&self, nanos: u64) -> SimTime {
        SimTime::from_nanos(nanos - self.origin)
    }

    fn log_answer(&mut self, arrival: u64, (first_token, end): (u64, u64)) {
        if let Some(log) = &mut self.gateway {
            log.record(HistogramSignal::GatewayLatency, end - arrival);
            log.record(HistogramSignal::GatewayFirstToken, first_token - arrival);
        }
    }

    fn count_answer(&mut self, arrival: u64, start: u64, end: u64) {
        let latency = end - arrival;
        self.step.record(latency);
        self.service.latency_ns_sum += u128::from(latency);
        self.service.latency_ns_max = self.service.latency_ns_max.max(latency);
        self.service.wait_ns_sum += u128::from(start - arrival);
        self.totals.completed += 1;
    }

    fn count_warm_up(&mut self, latency: u64) {
        self.warm_up.record(latency);
    }

    fn judge(&mut self, met: bool) {
        self.missed += u64::from(!met);
        self.step_missed += u64::from(!met);
    }

    fn keep(&mut self, row: RequestRow) {
        if let Some(rows) = &mut self.rows {
            rows.push(row);
            if let Some(sink) = &mut self.sink
                && rows.len() == ROWS_PER_HAND_OVER
            {
                sink.take(rows);
                rows.clear();
            }
        }
    }
}

/// Latency of the answers of one timeline step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepLatency {
    /// Median in nanoseconds.
    pub p50_ns: Option<u64>,
    /// 99th percentile in nanoseconds.
    pub p99_ns: Option<u64>,
    /// Answers and failures that missed the SLO.
    pub missed: u64,
    /// Median and 99th percentile of the time to first token in nanoseconds, of streamed answers.
    pub ttft_ns: [Option<u64>; 2],
    /// The same of the mean time per further token.
    pub tpot_ns: [Option<u64>; 2],
}
