//! Everything one simulated run (one policy, one replication) leaves behind.

use std::borrow::Cow;

use units::{Cost, PodId, SimDuration, SimTime};

use crate::{CostLedger, Histogram, MetricUse, NodeLife, Occupancy, ServiceRecord, TimelineRow};

/// One policy, one replication: what is the cluster's, and per service what is its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunRecord {
    /// Name of the policy alternative.
    pub policy: String,
    /// Replication, from 0.
    pub replication: u32,
    /// Seed of the replication; the same for all policies.
    pub seed: u64,
    /// Fold of every handled control event and of the request counters at each of them.
    pub digest: u64,
    /// Length of the measured part: the run without its warm-up.
    pub measured: SimDuration,
    /// Money.
    pub ledger: CostLedger,
    /// Nodes (empty unless asked for).
    pub nodes: Vec<NodeLife>,
    /// Spot nodes taken back over the measured part.
    pub spot_interruptions: u64,
    /// Most replicas of all services that were ready at once over the measured part.
    pub replicas_max: u32,
    /// The services in the order of the scenario; at least one in every run that was simulated.
    pub services: Vec<ServiceRecord>,
    /// Remarks about the cluster, each once: pods that waited for nodes, …
    pub remarks: Vec<String>,
}

/// What the services come to together. For the only service it is what that service has.
impl RunRecord {
    /// The service of a run that has one. Panics if there are several: for tests and tools that know what they ran.
    pub fn only(&self) -> &ServiceRecord {
        assert_eq!(self.services.len(), 1, "a run with several services");
        &self.services[0]
    }

    /// Requests of all services.
    pub fn requests(&self) -> RequestTotals {
        self.services.iter().fold(RequestTotals::default(), |sum, service| sum.plus(service.requests))
    }

    /// Latency and waiting of all services; every request is judged by the SLO of its own service.
    pub fn totals(&self) -> Cow<'_, ServiceTotals> {
        if let [only] = &self.services[..] {
            return Cow::Borrowed(&only.totals);
        }
        let mut totals = ServiceTotals::default();
        self.services.iter().for_each(|service| totals.merge(&service.totals));
        Cow::Owned(totals)
    }

    /// Replicas and scaling of all services.
    pub fn scaling(&self) -> Cow<'_, ScalingTotals> {
        if let [only] = &self.services[..] {
            return Cow::Borrowed(&only.scaling);
        }
        let mut scaling = ScalingTotals::default();
        self.services.iter().for_each(|service| scaling.merge(&service.scaling));
        Cow::Owned(ScalingTotals { replicas_max: self.replicas_max, ..scaling })
    }

    /// The time series of all services, step by step.
    pub fn timeline(&self) -> Cow<'_, [TimelineRow]> {
        if let [only] = &self.services[..] {
            return Cow::Borrowed(&only.timeline);
        }
        let steps = self.services.iter().map(|service| service.timeline.len()).min().unwrap_or_default();
        let at = |step: usize| self.services.iter().map(|service| &service.timeline[step]).collect::<Vec<_>>();
        Cow::Owned((0..steps).map(|step| TimelineRow::together(&at(step))).collect())
    }

    /// The metrics that controllers of any service read.
    pub fn metrics(&self) -> impl Iterator<Item = &MetricUse> {
        self.services.iter().flat_map(|service| &service.metrics)
    }

    /// The run as far as it is the business of service number `service`: its record, and of the bill what its pods did. Nodes and
    /// interruptions are the cluster's.
    #[must_use]
    pub fn of_service(&self, service: usize) -> Self {
        let one = &self.services[service];
        Self {
            policy: self.policy.clone(),
            replication: self.replication,
            seed: self.seed,
            digest: self.digest,
            measured: self.measured,
            ledger: part_of(&self.ledger, service),
            replicas_max: one.scaling.replicas_max,
            services: vec![one.clone()],
            ..Self::default()
        }
    }

    /// Whether there is more than one service: only then do outputs tell them apart.
    pub fn has_several_services(&self) -> bool {
        self.services.len() > 1
    }

    /// Every remark; where there are several services, with the name of the one it is about.
    pub fn all_remarks(&self) -> Vec<String> {
        let named = |service: &ServiceRecord, remark: &str| {
            if self.has_several_services() { format!("{}: {remark}", service.name) } else { remark.to_owned() }
        };
        let of_services = self.services.iter();
        of_services
            .flat_map(|service| service.remarks.iter().map(move |remark| named(service, remark)))
            .chain(self.remarks.iter().cloned())
            .collect()
    }
}

/// Whose cells of the ledger are those of service number `service`, in whole micro-dollars, so that the parts and what is nobody's add up to
/// the whole bill as it is printed.
fn part_of(ledger: &CostLedger, service: usize) -> CostLedger {
    let mut part = CostLedger::default();
    for (line, whose) in ledger.lines_by_service() {
        if whose == u32::try_from(service).ok() {
            let cost = Cost::from_raw(u128::from(line.amount.as_micros().unsigned_abs()) * Cost::PER_MICRO_USD);
            part.bill_exactly(cost);
            part.attribute_to(whose, (line.gpu_use, line.purchase, &line.zone), (cost, line.gpu_ns));
        }
    }
    part
}

/// Requests that arrived in the measured part, by fate: `arrived = completed + failed() + in_system`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestTotals {
    /// Arrived.
    pub arrived: u64,
    /// Answered in time for the client.
    pub completed: u64,
    /// Turned away: queue full or no replica.
    pub rejected: u64,
    /// Given up by the client, waiting or being served.
    pub timed_out: u64,
    /// Killed with their replica and not retried.
    pub lost: u64,
    /// Still waiting or being served at the end.
    pub in_system: u64,
}

impl RequestTotals {
    /// Requests without an answer.
    pub fn failed(&self) -> u64 {
        self.rejected + self.timed_out + self.lost
    }

    /// Both together.
    #[must_use]
    fn plus(self, other: Self) -> Self {
        Self {
            arrived: self.arrived + other.arrived,
            completed: self.completed + other.completed,
            rejected: self.rejected + other.rejected,
            timed_out: self.timed_out + other.timed_out,
            lost: self.lost + other.lost,
            in_system: self.in_system + other.in_system,
        }
    }
}

/// Latency and waiting of the answered requests of the measured part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceTotals {
    /// Latency in nanoseconds from arrival to answer.
    pub latency: Histogram,
    /// Σ latency in nanoseconds.
    pub latency_ns_sum: u128,
    /// Longest latency in nanoseconds.
    pub latency_ns_max: u64,
    /// Σ waiting before service in nanoseconds.
    pub wait_ns_sum: u128,
    /// Answers within every SLO threshold.
    pub slo_met: u64,
    /// Requests the SLO is judged on: answered, failed, and those still in the system already too old to meet it.
    pub slo_total: u64,
    /// Token latencies of an LLM service.
    pub tokens: Option<TokenLatency>,
}

impl ServiceTotals {
    /// Adds all of `other`.
    fn merge(&mut self, other: &Self) {
        self.latency.merge(&other.latency);
        self.latency_ns_sum += other.latency_ns_sum;
        self.latency_ns_max = self.latency_ns_max.max(other.latency_ns_max);
        self.wait_ns_sum += other.wait_ns_sum;
        self.slo_met += other.slo_met;
        self.slo_total += other.slo_total;
        if let Some(theirs) = &other.tokens {
            let mine = self.tokens.get_or_insert_default();
            mine.ttft.merge(&theirs.ttft);
            mine.tpot.merge(&theirs.tpot);
            mine.output_tokens += theirs.output_tokens;
            mine.prompt_tokens += theirs.prompt_tokens;
            mine.ttft_ns_sum += theirs.ttft_ns_sum;
            mine.tpot_ns_sum += theirs.tpot_ns_sum;
        }
    }
}

/// Latencies of streamed answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenLatency {
    /// Time to first token, nanoseconds.
    pub ttft: Histogram,
    /// Mean time per output token after the first, nanoseconds.
    pub tpot: Histogram,
    /// Output tokens produced.
    pub output_tokens: u64,
    /// Prompt tokens of the answered requests.
    pub prompt_tokens: u64,
    /// Σ time to first token, nanoseconds.
    pub ttft_ns_sum: u128,
    /// Σ over requests of their mean time per further token, nanoseconds.
    pub tpot_ns_sum: u128,
}

/// Replicas and scaling over the measured part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScalingTotals {
    /// ∫ ready replicas dt in replica-nanoseconds.
    pub replica_ns: u128,
    /// Most replicas that were ready at once.
    pub replicas_max: u32,
    /// Cold starts that finished, creation to ready, nanoseconds each.
    pub cold_start_ns: Vec<u64>,
    /// Writes that raised the wanted count.
    pub scale_ups: u64,
    /// Writes that lowered it.
    pub scale_downs: u64,
    /// ∫ busy dt over all replicas in nanoseconds.
    pub busy_ns: u128,
    /// Time with as many replicas wanted as the policy may want at most, in nanoseconds.
    pub at_max_ns: u128,
    /// How many replicas were ready from when on, from the start of the measured part: each entry another number than the one before.
    pub ready_path: Vec<(SimTime, u32)>,
    /// How many were wanted, likewise.
    pub desired_path: Vec<(SimTime, u32)>,
    /// What replicas and queues held.
    pub occupancy: Occupancy,
}

impl ScalingTotals {
    /// Times at which the number of ready replicas changed.
    pub fn replica_changes(&self) -> u64 {
        self.ready_path.len().saturating_sub(1) as u64
    }

    /// Adds all of `other`, save for the most replicas at once, which sums do not know. The time at the maximum is that of the service that was there longest.
    fn merge(&mut self, other: &Self) {
        self.replica_ns += other.replica_ns;
        self.cold_start_ns.extend_from_slice(&other.cold_start_ns);
        self.scale_ups += other.scale_ups;
        self.scale_downs += other.scale_downs;
        self.busy_ns += other.busy_ns;
        self.at_max_ns = self.at_max_ns.max(other.at_max_ns);
        self.ready_path = together(&self.ready_path, &other.ready_path);
        self.desired_path = together(&self.desired_path, &other.desired_path);
        self.occupancy.merge(&other.occupancy);
    }
}

/// Two paths of counts as the path of their sum.
fn together(one: &[(SimTime, u32)], other: &[(SimTime, u32)]) -> Vec<(SimTime, u32)> {
    let at = |path: &[(SimTime, u32)], time: SimTime| {
        let passed = path.partition_point(|step| step.0 <= time);
        passed.checked_sub(1).map_or(0, |last| path[last].1)
    };
    let mut times: Vec<SimTime> = one.iter().chain(other).map(|step| step.0).collect();
    times.sort_unstable();
    times.dedup();
    let mut sum: Vec<(SimTime, u32)> = times.into_iter().map(|time| (time, at(one, time) + at(other, time))).collect();
    sum.dedup_by_key(|step| step.1);
    sum
}

/// One request, when `--save-requests` asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// Arrival.
    pub arrival: SimTime,
    /// Start of service, if it got there.
    pub start: Option<SimTime>,
    /// First token, for streamed answers.
    pub first_token: Option<SimTime>,
    /// Answer or failure; `None` if still in the system.
    pub end: Option<SimTime>,
    /// The replica that served it.
    pub replica: Option<PodId>,
    /// `completed`, `rejected`, `timed_out`, `lost`, `in_system`.
    pub outcome: &'static str,
    /// Tokens of its prompt, of a language model's request.
    pub prompt_tokens: Option<u32>,
    /// Tokens of its answer, likewise; `None` if it got none.
    pub output_tokens: Option<u32>,
}
