//! The request flow: arrivals, queues, batches, answers. Everything that happens between two control events.
//!
//! Several implementations answer to one trait. [`event::EventFlow`] handles every request event one by one, can express every
//! service and routing but continuous batching, and is the oracle of the fast ones; `CentralFlow` and
//! `RoutedFlow` advance whole batches by recursion, from one queue and from one per replica, and `LeastFlow` does so
//! where requests go to whoever has the fewest. They agree to the last
//! nanosecond, which `tests/it/flows.rs` checks over random scenarios. [`llm::LlmFlow`] serves language models.
//!
//! Order at one instant, in every implementation: answers, then arrivals, then time-outs, then starts of service, so that a
//! replica freed now can serve what arrives now. Control events of that instant come after all of them.

mod central;
mod clients;
mod draining;
mod event;
mod held;
mod intake;
mod latency;
mod least;
mod llm;
mod loads;
mod local;
mod meter;
mod paced;
mod reactive;
mod routed;
mod tree;

use std::sync::Arc;

use central::CentralFlow;
pub use central::{Batching, Discipline, Slots};
pub use event::EventFlow;
pub use intake::Intake;
pub use latency::{LatencyLog, Watched};
use least::LeastFlow;
pub use llm::{LlmFlow, LoadAnswer, LoadTest, TagDraws, TagLaw, TokenCounts, load_test};
pub use meter::{Failure, Meter, StepLatency, Streamed};
use reactive::Reactive;
pub use reactive::{Answered, Kept};
use routed::RoutedFlow;
use units::{PodId, SimDuration, SimTime};
use workload::{Purpose, Stream};

use crate::Keep;
use crate::prehistory;
use crate::spec::{
    CalledBy, KillRule, NoReplicaRule, Patience, Routing, ServiceModel, ServiceSpec, SimulationSpec, TagSpec,
};

/// A replica's place in a flow; freed and reused when the replica is gone.
pub type Slot = usize;

/// What one replica has done since it was added: the source of the counters it exposes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplicaStats {
    /// Requests answered.
    pub success: u64,
    /// Requests that failed on it (lost with it, or answered after the client gave up).
    pub failure: u64,
    /// Requests whose clients gave up while they waited at it.
    pub given_up: u64,
    /// Batches executed.
    pub executions: u64,
    /// Σ waiting of its answered requests, nanoseconds.
    pub wait_ns: u64,
    /// Σ execution time of its answered requests (a batch of 8 counts its time 8 times), nanoseconds.
    pub compute_ns: u64,
    /// Time spent serving, nanoseconds; with several slots per replica, slot-time over slots.
    pub busy_ns: u64,
    /// Prompt tokens of requests whose first answer token is out (LLM services).
    pub prompt_tokens: u64,
    /// Output tokens produced (LLM services).
    pub output_tokens: u64,
    /// Sequences that lost their KV cache to older ones (LLM services).
    pub preemptions: u64,
    /// Prompt tokens of requests admitted to a batch (LLM services).
    pub admitted_tokens: u64,
    /// Of these, found in the prefix cache.
    pub hit_tokens: u64,
    /// Of `prompt_tokens`, found in the prefix cache.
    pub cached_tokens: u64,
    /// Of `prompt_tokens`, fetched from replicas of another service that had computed them.
    pub fetched_tokens: u64,
    /// How often an adapter was made active; language models only.
    pub adapter_loads: u64,
}

impl ReplicaStats {
    /// A batch of requests that arrived at `arrivals` was served over `span`, `abandoned` of them for clients that had given up.
    #[inline]
    fn answer(&mut self, arrivals: &[u64], span: (u64, u64), abandoned: u64, servers: u64) {
        let count = arrivals.len() as u64;
        let (start, end) = span;
        self.success += count - abandoned;
        self.failure += abandoned;
        self.executions += 1;
        self.wait_ns += count * start - arrivals.iter().sum::<u64>();
        self.compute_ns += count * (end - start);
        self.busy_ns += share(end - start, servers);
    }
}

/// `time / servers`, without the division where there is nothing to divide: it would cost as much as all else a request does.
#[inline]
fn share(time: u64, servers: u64) -> u64 {
    if servers == 1 { time } else { time / servers }
}

/// When something is to be done at a replica. At one instant answers come first, then arrivals, then time-outs and starts.
#[inline]
fn answer_due(time: u64) -> u64 {
    time << 1
}

/// `u64::MAX` stays what it is: never.
#[inline]
fn start_due(time: u64) -> u64 {
    if time == u64::MAX { u64::MAX } else { time << 1 | 1 }
}

/// What one replica has in hand at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InHand {
    /// Σ time since the start of service of its requests in service, nanoseconds.
    pub under_way_ns: u64,
    /// Requests in service whose first token is not out.
    pub prefilling: u64,
    /// Prompt tokens of requests that wait at it.
    pub waiting_tokens: u64,
    /// Prompt tokens of requests in service.
    pub serving_tokens: u64,
    /// Prompt tokens not found in a cache, of requests whose first token is not out.
    pub backlog_tokens: u64,
}

impl InHand {
    /// With `count` requests more that are answered in one piece and have been in service for `since` nanoseconds.
    fn with_whole(self, since: u64, count: u64) -> Self {
        let (under_way_ns, prefilling) = (self.under_way_ns + since * count, self.prefilling + count);
        Self { under_way_ns, prefilling, ..self }
    }
}

/// Requests by where they are at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Arrived so far.
    pub arrived: u64,
    /// Answered so far.
    pub completed: u64,
    /// Rejected, timed out or lost so far.
    pub failed: u64,
    /// Waiting.
    pub waiting: u64,
    /// Being served.
    pub in_flight: u64,
}

impl Load {
    /// The load at `now`, checked: every request that arrived is answered, failed, waiting or being served.
    fn conserved(meter: &Meter, arrived: u64, (waiting, in_flight): (u64, u64), now: SimTime) -> Self {
        let (completed, failed) = (meter.completed_ever, meter.failed_ever);
        let known = completed + failed + waiting + in_flight;
        assert_eq!(arrived, known, "a request was lost or counted twice by {now}");
        Self { arrived, completed, failed, waiting, in_flight }
    }
}

/// A replica that has finished its last request while draining.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Its slot.
    pub slot: Slot,
    /// When it did.
    pub at: SimTime,
}

/// The requests of one service on its way through the replicas. Every call's time must not be before the last one's.
pub trait Flow: Send {
    /// Processes every request event up to and including `to`, or stops early at the first instant at which a draining replica
    /// runs empty and reports it.
    fn advance(&mut self, to: SimTime) -> Option<Drained>;

    /// The next instant at which anything happens of itself. As the two after it, only flows that handle every request know this; `build`
    /// chooses such a one for services that call others or are called.
    fn next_due(&mut self) -> SimTime {
        panic!("this flow runs by itself");
    }

    /// Moves the requests answered since to `into`, for those who act on them.
    fn take_answered(&mut self, into: &mut Vec<Answered>) {
        panic!("this flow does not remember its {} answers", into.len());
    }

    /// Requests of the service that calls this one have been answered: some become arrivals.
    fn take_calls(&mut self, answered: &[Answered]) {
        panic!("this flow cannot take the calls of {} requests", answered.len());
    }

    /// Moves what was lost with the replicas that kept it to `into`.
    fn take_lost(&mut self, into: &mut Vec<Kept>) {
        let _ = into;
    }

    /// Prompts of some of its requests have been lost with the replicas that kept them.
    fn lose(&mut self, lost: &[Kept]) {
        assert!(lost.is_empty(), "this flow fetches nothing");
    }

    /// Moves what replicas of the service that calls this one need not keep any longer to `into`.
    fn take_released(&mut self, into: &mut Vec<Kept>) {
        let _ = into;
    }

    /// Its replicas need not keep these any longer: they have been fetched, or nobody will.
    fn release(&mut self, released: &[Kept]) {
        assert!(released.is_empty(), "this flow keeps nothing");
    }

    /// A replica starts to take requests.
    fn add(&mut self, slot: Slot, pod: PodId, now: SimTime);

    /// A replica takes no more requests. `Some(t)`: it will be empty at `t` (which may be `now`); `None`: [`Flow::advance`] will say.
    fn drain(&mut self, slot: Slot, now: SimTime) -> Option<SimTime>;

    /// A replica turns new requests away, though the router still sends it some: they fail, or their clients try again. It finishes what
    /// it has. Only [`EventFlow`] and [`LlmFlow`] can do this; `build` chooses one for services that need it.
    fn refuse(&mut self, slot: Slot, now: SimTime) {
        panic!("slot {slot} cannot refuse requests at {now} in this flow");
    }

    /// A replica is gone and the router does not know: requests sent there fail, or their clients try again. As [`Flow::refuse`], only
    /// [`EventFlow`] and [`LlmFlow`] can do this; [`Flow::remove`] ends it.
    fn add_dead(&mut self, slot: Slot, pod: PodId, now: SimTime) {
        panic!("slot {slot} cannot be {pod}, which is gone, at {now} in this flow");
    }

    /// A replica stops working and turns new requests away; what it has stays with it until it is removed. Only [`LlmFlow`] can do this.
    fn halt(&mut self, slot: Slot, now: SimTime) {
        panic!("slot {slot} cannot halt at {now} in this flow");
    }

    /// The first iteration of a replica, just added, that carries a prompt takes longer. Only [`LlmFlow`] can do this.
    fn slow_first(&mut self, slot: Slot, delay: SimDuration) {
        panic!("slot {slot} has no first iteration that could take {delay} longer in this flow");
    }

    /// A replica is gone, with what it was serving unless it was empty. Returns its final statistics and how many requests were
    /// lost with it. Its slot may be reused.
    fn remove(&mut self, slot: Slot, now: SimTime) -> (ReplicaStats, u64);

    /// Brings the meter and the statistics of every replica up to `now`.
    fn settle(&mut self, now: SimTime);

    /// Statistics of one replica at `now`.
    fn stats(&mut self, slot: Slot, now: SimTime) -> ReplicaStats;

    /// Requests waiting at one replica, and being served by it, at `now`. With a central queue the waiting ones belong to the service
    /// and are not counted here.
    fn replica_load(&self, slot: Slot, now: SimTime) -> (u64, u64);

    /// Requests waiting in a queue that belongs to no replica, at `now`. Cheap.
    fn central_queue(&mut self, now: SimTime) -> u64;

    /// Share of the KV cache in use at one replica, 0..=1; 0 for services without one.
    fn kv_usage(&self, slot: Slot, now: SimTime) -> f64 {
        let _ = (slot, now);
        0.0
    }

    /// What one replica has in hand at `now`; its tokens for LLM services only. Costs a look at every request there.
    fn in_hand(&self, slot: Slot, now: SimTime) -> InHand;

    /// How saturated the router takes the replicas to be, on average; nothing where it does not look.
    fn saturation(&mut self) -> Option<f64> {
        None
    }

    /// Requests the router has held for too long.
    fn expired(&self) -> u64 {
        0
    }

    /// Requests between two attempts, at their clients.
    fn retrying(&self) -> u64 {
        0
    }

    /// Has the replicas added from now on keep these histograms.
    fn watch_latency(&mut self, watched: &Arc<Watched>);

    /// The latency histograms of one replica at `now`, if it keeps them. Those of a removed one stay until its slot is reused.
    fn latency(&mut self, slot: Slot, now: SimTime) -> Option<&LatencyLog> {
        let _ = (slot, now);
        None
    }

    /// Requests by place at `now`; settles first.
    fn load(&mut self, now: SimTime) -> Load;

    /// Requests whose service has started so far: cheap, and equal in every implementation.
    fn started(&self) -> u64;

    /// The measurements.
    fn meter(&mut self) -> &mut Meter;

    /// Ends the run at `now`: requests still in the system are counted as such. Returns how many arrived in the measured part.
    fn finish(&mut self, now: SimTime) -> u64;
}

/// One service of a run, as much of it as its requests meet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served<'a> {
    /// The run.
    pub spec: &'a SimulationSpec,
    /// The service.
    pub service: &'a ServiceSpec,
    /// Replicas that are there from the start.
    pub replicas: u32,
    /// The seed of the service.
    pub seed: u64,
}

impl<'a> Served<'a> {
    /// Service number `service` of `spec` under the seed of a run, with so many replicas at the start.
    pub fn new(spec: &'a SimulationSpec, service: usize, replicas: u32, seed: u64) -> Self {
        let service = &spec.services[service];
        Self { spec, service, replicas, seed: service.seed(seed) }
    }
}

/// The flow of a service among others.
pub(crate) fn pace(flow: Box<dyn Flow>) -> Box<dyn Flow> {
    Box::new(paced::Paced::new(flow))
}

/// The fastest flow that can express a service, without any replica yet.
pub(crate) fn build(served: Served<'_>, keep: Keep) -> Box<dyn Flow> {
    let service = served.service;
    let (intake, meter) = sources(served, keep);
    match &service.model {
        ServiceModel::Slots { .. } => build_with(Slots::of(service), served, (intake, meter)),
        ServiceModel::DynamicBatching { .. } => build_with(Batching::of(service), served, (intake, meter)),
        ServiceModel::ContinuousBatching { .. } => Box::new(LlmFlow::new(service, served.seed, intake, meter)),
    }
}

fn build_with<D: Discipline + 'static>(
    discipline: D,
    Served { spec, service, seed, .. }: Served<'_>,
    (intake, meter): (Intake, Meter),
) -> Box<dyn Flow> {
    if sends_to_the_dead(spec, service) || intake.is_reactive() {
        Box::new(EventFlow::new(service, seed, intake, meter))
    } else {
        fastest(discipline, service, seed, (intake, meter))
    }
}

/// The fastest flow for a service none of whose requests follow from others or go to replicas that are gone.
pub fn fastest<D: Discipline + 'static>(
    discipline: D,
    service: &ServiceSpec,
    seed: u64,
    (intake, meter): (Intake, Meter),
) -> Box<dyn Flow> {
    if central::is_expressible(service) {
        Box::new(CentralFlow::new(service, discipline, intake, meter))
    } else if least::is_expressible(service) {
        Box::new(LeastFlow::new(service, discipline, intake, meter))
    } else if routed::is_expressible(service) {
        Box::new(RoutedFlow::new(service, discipline, seed, intake, meter))
    } else {
        Box::new(EventFlow::new(service, seed, intake, meter))
    }
}

/// Whether requests may go to replicas that answer no more. Elsewhere one that stops is known to have at once.
pub(crate) fn sends_to_the_dead(spec: &SimulationSpec, service: &ServiceSpec) -> bool {
    may_refuse(service) || keeps_dead_endpoints(spec, service)
}

/// Whether a replica may be told to stop before the router knows that it will.
fn may_refuse(service: &ServiceSpec) -> bool {
    service.routing != Routing::CentralQueue
        && service.pod.drain_delay.is_some_and(|delay| delay > service.pod.pre_stop)
}

/// Whether the router goes on sending requests to replicas that are gone with their nodes, until those are found lost. Where replicas
/// pull from one queue nobody sends them any, and language models have a flow of their own that takes them to fail over at once.
pub(crate) fn keeps_dead_endpoints(spec: &SimulationSpec, service: &ServiceSpec) -> bool {
    spec.fleet.spot.node_lost.is_some()
        && service.routing != Routing::CentralQueue
        && !matches!(service.model, ServiceModel::ContinuousBatching { .. })
}

/// The event flow for a service.
pub(crate) fn build_events(served: Served<'_>, keep: Keep) -> Box<dyn Flow> {
    let (intake, meter) = sources(served, keep);
    Box::new(EventFlow::new(served.service, served.seed, intake, meter))
}

/// Where the requests of a service come from, those before its start included, and where what happens to them is counted.
fn sources(served: Served<'_>, keep: Keep) -> (Intake, Meter) {
    let Served { spec, service, seed, .. } = served;
    let origin = SimTime::ZERO + spec.prehistory.length;
    let measure_from = origin + spec.warm_up;
    let meter = Meter::new(measure_from, Rules::of(service).timeout, &service.slo, keep.requests);
    let (service_time, padding) = match &service.model {
        ServiceModel::Slots { service: time, .. } => (Some(time), 1),
        ServiceModel::DynamicBatching { batch_max, .. } => (None, *batch_max as usize),
        ServiceModel::ContinuousBatching { .. } => (None, 1),
    };
    let tokens = |seed| match &service.model {
        ServiceModel::ContinuousBatching { prompt_tokens, output_tokens, .. } => {
            Some(TokenCounts::new(prompt_tokens, output_tokens, seed))
        }
        _ => None,
    };
    let mut intake = Intake::new(&service.traffic, seed, spec.end, service_time, padding);
    if let Some(tokens) = tokens(seed) {
        intake = intake.with_tokens(tokens).with_tags(TagDraws::new(&service.tags, seed));
    }
    let early = prehistory::traffic(spec.prehistory.length, served.service, served.replicas);
    let early_seed = Stream::new(seed, Purpose::Prehistory, 0).next_u64();
    let is_heard = (spec.is_caller(service), spec.hands_over(service));
    let intake = intake
        .preceded_by(origin, (early.as_ref(), early_seed), service_time, tokens(early_seed))
        .with_early_tags(TagDraws::new(&early_tags(service), early_seed))
        .measure_from(measure_from.as_nanos())
        .with_reactive(Reactive::of(service, is_heard, seed, (origin, spec.end)));
    let meter = meter.starting_at(origin);
    let meter = match service.called_by {
        None => meter,
        Some(CalledBy { transfer: None, .. }) => meter.of_chain(&service.slo),
        Some(CalledBy { transfer: Some(_), .. }) => meter.of_chain(&service.slo).of_one_request(),
    };
    (intake, meter)
}

/// What requests before the start are: those of the run say it, or their trace.
fn early_tags(service: &ServiceSpec) -> TagSpec {
    let mut tags = service.tags.clone();
    if !service.earlier.adapters.is_empty() {
        tags.adapters.clone_from(&service.earlier.adapters);
    }
    tags
}

/// The rules of a service that every implementation needs, in raw nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Client time-out; `u64::MAX` is none, or that each client has its own.
    timeout: u64,
    /// A request that still waits so long after its arrival is given up, likewise.
    leaves: u64,
    /// Waiting room; `usize::MAX` is unlimited.
    queue_limit: usize,
    reject_without_replica: bool,
    requeue_killed: bool,
}

impl Rules {
    fn of(service: &ServiceSpec) -> Self {
        let fixed = |patience: &Option<Patience>| {
            patience.as_ref().and_then(Patience::fixed).map_or(u64::MAX, SimDuration::as_nanos)
        };
        let timeout = fixed(&service.client_timeout);
        Self {
            timeout,
            leaves: timeout.min(fixed(&service.client_patience)),
            queue_limit: service.queue_limit.map_or(usize::MAX, |limit| limit as usize),
            reject_without_replica: service.no_replica == NoReplicaRule::Reject,
            requeue_killed: service.kill_rule == KillRule::Requeue,
        }
    }
}
