//! The fast path for queues at the replicas: each replica runs the batch recursion over its own queue.
//!
//! Once a request is routed its replica's future depends on nothing else, so a replica is looked at only when its next start of service
//! (or time-out) is due; a winner tree says whose is next. Round robin and random routing look at no replica at all, power of two at the
//! two drawn; least requests keeps an index of the loads, which answers must reach in time. Replicas with one server have a flow of their
//! own for that: [`super::least`].

mod route;
mod station;

use std::sync::Arc;

use units::{PodId, SimTime};
use workload::{Purpose, Stream};

use super::central::Discipline;
use super::draining::Draining;
use super::held::Held;
use super::intake::{Intake, NEVER};
use super::latency::{LatencyLog, Watched, WholeAnswers};
use super::loads::LoadIndex;
use super::local::LocalQueue;
use super::meter::{Failure, Meter};
use super::tree::WinnerTree;
use super::{Drained, Flow, InHand, Load, ReplicaStats, Rules, Slot, answer_due, start_due};
use crate::spec::{Routing, ServiceModel, ServiceSpec};

/// Can this flow express `service`? A waiting room shared by all replicas and client retries are left to the event loop.
pub fn is_expressible(service: &ServiceSpec) -> bool {
    service.routing != Routing::CentralQueue
        && service.retries.is_none()
        && !service.clients_differ()
        && service.queue_limit.is_none()
        && !matches!(service.model, ServiceModel::ContinuousBatching { .. })
}

/// The batch a server works on, or worked on last and has not reported yet.
#[derive(Clone, Copy, Debug, Default)]
struct Work {
    start: u64,
    end: u64,
    /// Requests in it; 0 once reported.
    len: u32,
    /// Whether the replica's load still includes it.
    counted: bool,
}

impl Work {
    /// Nothing, from `now` on.
    fn idle(now: u64) -> Self {
        Self { start: now, end: now, len: 0, counted: false }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Absent,
    Serving,
    Draining,
}

/// What is read of a replica for every request, on one cache line if it has one server.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Watch {
    /// When it must be looked at next.
    due: u64,
    /// Nothing starts here before this: when it was added, or a kill elsewhere sent requests to it.
    floor: u64,
    /// Requests waiting at it.
    waiting: u64,
    /// Whether `due` has changed since the tree of dues was told.
    is_new: bool,
    /// What its server works on, if it has one; see [`RoutedFlow::work`].
    work: Work,
}

impl Watch {
    /// A replica that is idle and may start from `now` on.
    fn idle(now: u64) -> Self {
        Self { due: NEVER, floor: now, waiting: 0, is_new: false, work: Work::idle(now) }
    }
}

/// One replica.
#[derive(Clone, Debug)]
struct Station {
    stage: Stage,
    pod: PodId,
    stats: ReplicaStats,
    /// Waiting at it and being served by it; kept for routing by least requests only.
    load: u64,
}

/// One queue per replica.
pub struct RoutedFlow<D> {
    rules: Rules,
    routing: Routing,
    discipline: D,
    intake: Intake,
    meter: Meter,
    stations: Vec<Station>,
    watches: Vec<Watch>,
    queues: Vec<LocalQueue>,
    /// What the servers of replicas with several work on, replica by replica.
    work_of_many: Vec<Work>,
    /// Requests of the round under way, by group of replicas.
    groups: Vec<Vec<route::Routed>>,
    /// Arrivals of each server's batch, `batch_max` places per server.
    batches: Vec<u64>,
    /// When each replica must be looked at next, as far as it has been told.
    dues: WinnerTree,
    /// Replicas whose due time the tree has not been told.
    touched: Vec<Slot>,
    /// Loads of the serving replicas, for routing by least requests.
    loads: LoadIndex,
    /// Slots that take requests, ascending.
    serving: Vec<Slot>,
    next_in_turn: usize,
    dice: Stream,
    held: Held,
    waiting: u64,
    started: u64,
    draining: Draining,
    whole: WholeAnswers,
}

impl<D: Discipline> RoutedFlow<D> {
    /// A flow without any replica.
    pub fn new(service: &ServiceSpec, discipline: D, seed: u64, intake: Intake, meter: Meter) -> Self {
        Self {
            rules: Rules::of(service),
            routing: service.routing,
            discipline,
            intake,
            meter,
            stations: Vec::new(),
            watches: Vec::new(),
            queues: Vec::new(),
            work_of_many: Vec::new(),
            groups: Vec::new(),
            batches: Vec::new(),
            dues: WinnerTree::new(),
            touched: Vec::new(),
            loads: LoadIndex::default(),
            serving: Vec::new(),
            next_in_turn: 0,
            dice: Stream::new(seed, Purpose::Routing, 0),
            held: Held::new(),
            waiting: 0,
            started: 0,
            draining: Draining::default(),
            whole: WholeAnswers::default(),
        }
    }

    /// What each server of a replica works on. Known to be one by a discipline that has but one server, and then beside all else that
    /// routing reads.
    #[inline]
    fn work(&self, slot: Slot) -> &[Work] {
        let servers = self.discipline.servers_per_replica();
        if servers == 1 {
            std::slice::from_ref(&self.watches[slot].work)
        } else {
            &self.work_of_many[slot * servers..][..servers]
        }
    }

    #[inline]
    fn work_mut(&mut self, slot: Slot) -> &mut [Work] {
        let servers = self.discipline.servers_per_replica();
        if servers == 1 {
            std::slice::from_mut(&mut self.watches[slot].work)
        } else {
            &mut self.work_of_many[slot * servers..][..servers]
        }
    }

    /// Requests being served by a replica at `now`.
    #[inline]
    fn in_service(&self, slot: Slot, now: u64) -> u64 {
        self.work(slot).iter().filter(|work| work.end > now).map(|work| u64::from(work.len)).sum()
    }

    /// Where the arrivals of a server's batch are kept.
    fn places_of(&self, slot: Slot, server: usize, count: usize) -> std::ops::Range<usize> {
        let first = (slot * self.discipline.servers_per_replica() + server) * self.discipline.batch_max();
        first..first + count
    }

    #[inline]
    fn watches_loads(&self) -> bool {
        self.routing == Routing::LeastRequests
    }
}

impl<D: Discipline> Flow for RoutedFlow<D> {
    fn advance(&mut self, to: SimTime) -> Option<Drained> {
        let to = to.as_nanos();
        self.process(self.draining.limit(to));
        self.draining.take(to)
    }

    fn add(&mut self, slot: Slot, pod: PodId, now: SimTime) {
        let batch_max = self.discipline.batch_max();
        let servers = self.discipline.servers_per_replica();
        let now = now.as_nanos();
        let station = Station { stage: Stage::Serving, pod, stats: ReplicaStats::default(), load: 0 };
        if slot >= self.stations.len() {
            self.watches.resize(slot + 1, Watch::idle(now));
            self.queues.resize(slot + 1, LocalQueue::new(batch_max));
            self.stations.resize(slot + 1, Station { stage: Stage::Absent, ..station.clone() });
            self.groups.resize(slot / route::GROUP + 1, Vec::new());
            self.batches.resize((slot + 1) * servers * batch_max, 0);
            if servers > 1 {
                self.work_of_many.resize((slot + 1) * servers, Work::idle(now));
            }
        }
        assert!(self.stations[slot].stage == Stage::Absent, "slot {slot} is taken");
        self.stations[slot] = station;
        self.whole.add(slot, now);
        let Watch { is_new, .. } = self.watches[slot];
        self.watches[slot] = Watch { is_new, ..Watch::idle(now) };
        self.work_mut(slot).fill(Work::idle(now));
        let place = self.serving.partition_point(|&other| other < slot);
        self.serving.insert(place, slot);
        if self.watches_loads() {
            self.loads.set(slot, Some(0));
        }
        self.waiting -= self.held.len();
        for request in self.held.take_all() {
            let slot = self.pick(now);
            self.join_late(slot, request, now);
        }
    }

    fn drain(&mut self, slot: Slot, now: SimTime) -> Option<SimTime> {
        assert!(self.stations[slot].stage == Stage::Serving, "only a serving replica can be drained");
        self.leave_serving(slot, Stage::Draining);
        let now = now.as_nanos();
        let empty_at = self.empty_at(slot, now);
        if self.watches[slot].waiting == 0 && empty_at == now {
            return Some(SimTime::from_nanos(now));
        }
        self.draining.push(slot, empty_at);
        None
    }

    fn remove(&mut self, slot: Slot, now: SimTime) -> (ReplicaStats, u64) {
        let now = now.as_nanos();
        self.settle_station(slot, now);
        self.leave_serving(slot, Stage::Absent);
        self.draining.forget(slot);
        let waiting: Vec<(u64, u64)> = self.queues[slot].iter().collect();
        self.waiting -= waiting.len() as u64;
        let serving = self.take_back(slot, now);
        let batch_max = self.discipline.batch_max();
        self.queues[slot] = LocalQueue::new(batch_max);
        self.watches[slot].waiting = 0;
        self.tell(slot);
        let mut lost = 0;
        if self.rules.requeue_killed {
            for request in serving.into_iter().chain(waiting) {
                if self.serving.is_empty() {
                    self.held.put_back(request, now);
                    self.waiting += 1;
                } else {
                    let to = self.pick(now);
                    self.join_late(to, request, now);
                }
            }
        } else {
            lost = (serving.len() + waiting.len()) as u64;
            self.stations[slot].stats.failure += lost;
            for (arrival, _) in waiting {
                self.meter.fail(arrival, Failure::Lost, now);
            }
        }
        (self.stations[slot].stats, lost)
    }

    fn settle(&mut self, now: SimTime) {
        (0..self.stations.len()).for_each(|slot| self.settle_station(slot, now.as_nanos()));
    }

    fn stats(&mut self, slot: Slot, now: SimTime) -> ReplicaStats {
        self.settle_station(slot, now.as_nanos());
        let per_replica = self.discipline.servers_per_replica() as u64;
        let under_way = self.work(slot).iter().filter(|work| work.len > 0);
        let busy: u64 = under_way.map(|work| (now.as_nanos() - work.start) / per_replica).sum();
        let stats = self.stations[slot].stats;
        ReplicaStats { busy_ns: stats.busy_ns + busy, ..stats }
    }

    fn replica_load(&self, slot: Slot, now: SimTime) -> (u64, u64) {
        (self.watches[slot].waiting, self.in_service(slot, now.as_nanos()))
    }

    fn central_queue(&mut self, _now: SimTime) -> u64 {
        self.held.len()
    }

    fn in_hand(&self, slot: Slot, now: SimTime) -> InHand {
        let now = now.as_nanos();
        let works = self.work(slot).iter().filter(|work| work.end > now);
        works.fold(InHand::default(), |sum, work| sum.with_whole(now - work.start, u64::from(work.len)))
    }

    fn watch_latency(&mut self, watched: &Arc<Watched>) {
        self.whole.watch(watched);
    }

    fn latency(&mut self, slot: Slot, now: SimTime) -> Option<&LatencyLog> {
        self.settle_station(slot, now.as_nanos());
        self.whole.log(slot)
    }

    fn load(&mut self, now: SimTime) -> Load {
        self.settle(now);
        let arrived = self.intake.arrived(now.as_nanos());
        let in_flight = (0..self.watches.len()).flat_map(|slot| self.work(slot)).map(|work| u64::from(work.len)).sum();
        Load::conserved(&self.meter, arrived, (self.waiting, in_flight), now)
    }

    fn started(&self) -> u64 {
        self.started
    }

    fn meter(&mut self) -> &mut Meter {
        &mut self.meter
    }

    fn finish(&mut self, now: SimTime) -> u64 {
        self.load(now);
        let now = now.as_nanos();
        let waiting = self.queues.iter().flat_map(LocalQueue::iter).chain(self.held.iter());
        waiting.for_each(|(arrival, _)| self.meter.leave_in_system(arrival, now));
        for slot in 0..self.watches.len() {
            for server in 0..self.work(slot).len() {
                let len = self.work(slot)[server].len as usize;
                let batch = &self.batches[self.places_of(slot, server, len)];
                batch.iter().for_each(|&arrival| self.meter.leave_in_system(arrival, now));
            }
        }
        self.intake.arrived_measured(now)
    }
}
