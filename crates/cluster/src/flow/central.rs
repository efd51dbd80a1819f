//! The fast path for a central queue: whole batches by recursion between control events.
//!
//! With one first-come-first-served queue and interchangeable replicas, the next batch starts at
//! `max(earliest free replica, trigger, floor)`, where the trigger is the arrival that fills a batch or the instant the oldest request
//! has waited long enough, and `floor` is the last control event: nothing can start before what that event changed. No request
//! event needs a place in any queue; one winner-tree update serves a whole batch. The batch in flight on each server is kept until
//! it is over, so that a kill can still take it back.

use std::sync::Arc;

use units::{PodId, SimTime};

use super::intake::{Intake, NEVER};
use super::latency::{LatencyLog, Watched, WholeAnswers};
use super::meter::{Failure, Meter};
use super::tree::WinnerTree;
use super::{Drained, Flow, InHand, Load, ReplicaStats, Rules, Slot, share};
use crate::spec::{Routing, ServiceModel, ServiceSpec};

/// Can the recursion express `service`? What it cannot (other routings, client retries, a waiting room smaller than a batch) is
/// left to the event loop.
pub fn is_expressible(service: &ServiceSpec) -> bool {
    let batch_max = match &service.model {
        ServiceModel::Slots { .. } => 1,
        ServiceModel::DynamicBatching { batch_max, .. } => *batch_max,
        ServiceModel::ContinuousBatching { .. } => return false,
    };
    service.routing == Routing::CentralQueue
        && service.retries.is_none()
        && !service.clients_differ()
        && service.queue_limit.is_none_or(|limit| limit >= batch_max)
}

/// How a server takes requests from the queue. Monomorphized into the recursion.
pub trait Discipline: Send {
    /// Most requests one start of service can take.
    fn batch_max(&self) -> usize;
    /// Servers one replica brings.
    fn servers_per_replica(&self) -> usize;
    /// Requests in the queue from which on a free server starts at once.
    fn fill(&self) -> usize;
    /// The instant from which a free server starts, by the arrivals of the oldest request and of the one that fills a batch (never, if there is
    /// none).
    fn trigger_of(&self, oldest: u64, filling: u64) -> u64;
    /// The same for a `queue` that begins with the oldest request and is at least `batch_max` long.
    #[inline]
    fn trigger(&self, queue: &[u64]) -> u64 {
        self.trigger_of(queue[0], queue[self.fill() - 1])
    }
    /// How many requests a server that starts at `start` takes.
    fn take(&self, queue: &[u64], start: u64) -> usize;
    /// How many of `arrived` requests, all there are or a full batch, the oldest from `oldest`, it takes.
    fn take_of(&self, arrived: usize, oldest: u64, start: u64) -> usize;
    /// How long it serves them; `service` is the service time the first was created with, or 0.
    fn duration(&self, taken: usize, service: u64) -> u64;
}

/// Dynamic batching with a fixed time per batch size.
#[derive(Clone, Debug)]
pub struct Batching {
    delay: u64,
    /// Execution time of a batch of `i + 1`.
    latency: Vec<u64>,
    /// Sizes to wait for, ascending; the largest batch if none is preferred.
    preferred: Vec<usize>,
}

impl Discipline for Batching {
    #[inline]
    fn batch_max(&self) -> usize {
        self.latency.len()
    }

    #[inline]
    fn servers_per_replica(&self) -> usize {
        1
    }

    #[inline]
    fn fill(&self) -> usize {
        self.preferred[0]
    }

    #[inline]
    fn trigger_of(&self, oldest: u64, filling: u64) -> u64 {
        filling.min(oldest.saturating_add(self.delay))
    }

    #[inline]
    fn take(&self, queue: &[u64], start: u64) -> usize {
        let arrived = queue[..self.latency.len()].iter().filter(|&&arrival| arrival <= start).count();
        self.take_of(arrived, queue[0], start)
    }

    #[inline]
    fn take_of(&self, arrived: usize, oldest: u64, start: u64) -> usize {
        if self.preferred[0] == self.latency.len() || start >= oldest.saturating_add(self.delay) {
            return arrived;
        }
        // Before the delay is over only a preferred size starts: the largest that has arrived.
        self.preferred.iter().copied().filter(|&size| size <= arrived).max().unwrap_or(arrived)
    }

    #[inline]
    fn duration(&self, taken: usize, _service: u64) -> u64 {
        self.latency[taken - 1]
    }
}

/// Independent slots, each serving one request for the time it was created with.
#[derive(Clone, Copy, Debug)]
pub struct Slots {
    concurrency: usize,
}

impl Discipline for Slots {
    #[inline]
    fn batch_max(&self) -> usize {
        1
    }

    #[inline]
    fn servers_per_replica(&self) -> usize {
        self.concurrency
    }

    #[inline]
    fn fill(&self) -> usize {
        1
    }

    #[inline]
    fn trigger_of(&self, oldest: u64, _filling: u64) -> u64 {
        oldest
    }

    #[inline]
    fn take(&self, _queue: &[u64], _start: u64) -> usize {
        1
    }

    #[inline]
    fn take_of(&self, _arrived: usize, _oldest: u64, _start: u64) -> usize {
        1
    }

    #[inline]
    fn duration(&self, _taken: usize, service: u64) -> u64 {
        service
    }
}

impl Batching {
    /// The discipline of a `dynamicBatching` service; panics for any other.
    pub fn of(service: &ServiceSpec) -> Self {
        let ServiceModel::DynamicBatching { batch_max, preferred, queue_delay, latency } = &service.model else {
            panic!("only a dynamicBatching service batches");
        };
        let mut preferred: Vec<usize> = preferred.iter().map(|&size| size as usize).collect();
        if preferred.is_empty() {
            preferred.push(*batch_max as usize);
        }
        Self {
            delay: queue_delay.as_nanos(),
            latency: latency.table.iter().map(|time| time.as_nanos()).take(*batch_max as usize).collect(),
            preferred,
        }
    }
}

impl Slots {
    /// The discipline of a service with concurrency slots; panics for any other.
    pub fn of(service: &ServiceSpec) -> Self {
        let ServiceModel::Slots { concurrency, .. } = service.model else { panic!("only a slots service has slots") };
        Self { concurrency: concurrency as usize }
    }
}

/// The batch a server works on, or worked on last and has not reported yet.
#[derive(Clone, Copy, Debug, Default)]
struct Work {
    start: u64,
    end: u64,
    /// Requests in it; 0 once reported.
    len: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Absent,
    Serving,
    Draining,
}

/// A replica's flow state.
#[derive(Clone, Copy, Debug)]
struct Seat {
    stage: Stage,
    pod: PodId,
    stats: ReplicaStats,
}

/// One central queue, advanced batch by batch.
pub struct CentralFlow<D> {
    rules: Rules,
    discipline: D,
    intake: Intake,
    meter: Meter,
    tree: WinnerTree,
    seats: Vec<Seat>,
    work: Vec<Work>,
    /// Arrivals of each server's batch, `batch_max` places per server.
    held: Vec<u64>,
    serving: usize,
    started: u64,
    /// Nothing starts before this: the instant of the last control event.
    floor: u64,
    /// Whether anything has been processed yet: `floor` is then the last instant that has.
    begun: bool,
    whole: WholeAnswers,
}

impl<D: Discipline> CentralFlow<D> {
    /// A flow without any replica.
    pub fn new(service: &ServiceSpec, discipline: D, intake: Intake, meter: Meter) -> Self {
        Self {
            rules: Rules::of(service),
            discipline,
            intake,
            meter,
            tree: WinnerTree::new(),
            seats: Vec::new(),
            work: Vec::new(),
            held: Vec::new(),
            serving: 0,
            started: 0,
            floor: 0,
            begun: false,
            whole: WholeAnswers::default(),
        }
    }

    /// Starts every batch that starts up to and including `to`.
    fn start_batches(&mut self, to: u64) {
        let batch_max = self.discipline.batch_max();
        loop {
            self.intake.ensure(batch_max);
            let queue = &self.intake.arrivals[self.intake.head..self.intake.head + batch_max];
            let (free, server) = self.tree.first();
            let start = free.max(self.discipline.trigger(queue)).max(self.floor);
            let may_leave = self.rules.leaves != NEVER || self.rules.queue_limit != usize::MAX;
            if may_leave && self.give_up_before(start, to) {
                continue;
            }
            if start > to {
                return;
            }
            self.start_batch(server, start);
        }
    }

    #[inline]
    fn start_batch(&mut self, server: usize, start: u64) {
        let batch_max = self.discipline.batch_max();
        if self.work[server].len > 0 {
            self.report(server);
        }
        let head = self.intake.head;
        let queue = &self.intake.arrivals[head..head + batch_max];
        let taken = self.discipline.take(queue, start);
        let service = self.intake.service.get(head).copied().unwrap_or(0);
        let end = start + self.discipline.duration(taken, service);
        self.held[server * batch_max..][..batch_max].copy_from_slice(queue);
        self.work[server] = Work { start, end, len: taken as u32 };
        self.tree.set(server, end);
        self.intake.head = head + taken;
        self.started += taken as u64;
    }

    /// Handles the requests that leave the queue before the next start of service: rejected on arrival because the queue is full,
    /// or given up by the client. True if the queue changed and the start must be worked out anew.
    #[cold]
    fn give_up_before(&mut self, start: u64, to: u64) -> bool {
        let oldest = self.intake.arrivals[self.intake.head];
        let deadline = oldest.saturating_add(self.rules.leaves);
        let until = start.min(deadline).min(to);
        if self.rules.queue_limit != usize::MAX {
            let limit = self.rules.queue_limit;
            self.intake.ensure(limit + 1);
            if self.intake.arrivals[self.intake.head + limit] <= until && self.reject_beyond(limit, until) {
                return true;
            }
        }
        if deadline <= start.min(to) {
            // A request that a kill has put back may have been given up while it was being served.
            self.meter.fail(oldest, Failure::TimedOut, deadline.max(self.floor));
            self.intake.head += 1;
            return true;
        }
        false
    }

    /// Rejects what arrives up to `to` beyond the first `room` waiting; never what has been let in before. False if that is nothing.
    fn reject_beyond(&mut self, room: usize, to: u64) -> bool {
        self.intake.ensure_until(to);
        let admitted = if self.begun { self.intake.waiting(self.floor) } else { 0 };
        let kept = room.max(admitted);
        let waiting = self.intake.waiting(to);
        if waiting <= kept {
            return false;
        }
        let meter = &mut self.meter;
        self.intake.drop_waiting(kept, waiting, |arrival| meter.fail(arrival, Failure::Rejected, arrival));
        true
    }

    /// Books the finished batch of `server`.
    #[inline]
    fn report(&mut self, server: usize) {
        let batch_max = self.discipline.batch_max();
        let per_replica = self.discipline.servers_per_replica();
        let work = self.work[server];
        let arrivals = &self.held[server * batch_max..][..work.len as usize];
        let seat = &mut self.seats[share(server as u64, per_replica as u64) as usize];
        let abandoned = self.meter.batch(arrivals, work.start, work.end, seat.pod);
        seat.stats.answer(arrivals, (work.start, work.end), abandoned, per_replica as u64);
        if self.whole.is_on() {
            // A replica sees a request of the central queue when it takes it.
            let slot = server / per_replica;
            arrivals.iter().for_each(|_| self.whole.answer(slot, work.start, (work.start, work.end)));
        }
        self.work[server].len = 0;
    }

    fn servers_of(&self, slot: Slot) -> std::ops::Range<usize> {
        let per_replica = self.discipline.servers_per_replica();
        slot * per_replica..(slot + 1) * per_replica
    }

    fn settle_replica(&mut self, slot: Slot, now: u64) {
        for server in self.servers_of(slot) {
            if self.work[server].len > 0 && self.work[server].end <= now {
                self.report(server);
            }
        }
    }

    /// Takes back what `slot` was serving at `now`: the requests are lost, or go back to where they stood. Returns how many were lost.
    fn take_back(&mut self, slot: Slot, now: u64) -> u64 {
        let batch_max = self.discipline.batch_max();
        let per_replica = self.discipline.servers_per_replica() as u64;
        let mut back: Vec<(u64, u64)> = Vec::new();
        let mut lost = 0;
        for server in self.servers_of(slot) {
            let work = std::mem::take(&mut self.work[server]);
            let arrivals = &self.held[server * batch_max..][..work.len as usize];
            if work.len == 0 {
                continue;
            }
            self.seats[slot].stats.busy_ns += (now - work.start) / per_replica;
            if self.rules.requeue_killed {
                back.extend(arrivals.iter().map(|&arrival| (arrival, work.end - work.start)));
                self.started -= u64::from(work.len);
            } else {
                let pod = self.seats[slot].pod;
                for &arrival in arrivals {
                    self.meter.fail_served(arrival, Failure::Lost, now, Some((work.start, pod)));
                }
                lost += u64::from(work.len);
                self.seats[slot].stats.failure += u64::from(work.len);
            }
        }
        back.sort_unstable();
        self.intake.put_back(&back);
        lost
    }
}

impl<D: Discipline> Flow for CentralFlow<D> {
    fn advance(&mut self, to: SimTime) -> Option<Drained> {
        let to = to.as_nanos();
        if self.serving == 0 && self.rules.reject_without_replica {
            self.reject_beyond(0, to);
        }
        self.start_batches(to);
        self.floor = to;
        self.begun = true;
        None
    }

    fn add(&mut self, slot: Slot, pod: PodId, now: SimTime) {
        let servers = self.servers_of(slot);
        if slot >= self.seats.len() {
            self.seats.resize(slot + 1, Seat { stage: Stage::Absent, pod, stats: ReplicaStats::default() });
            self.work.resize(servers.end, Work::default());
            self.held.resize(servers.end * self.discipline.batch_max(), 0);
        }
        assert!(self.seats[slot].stage == Stage::Absent, "slot {slot} is taken");
        self.seats[slot] = Seat { stage: Stage::Serving, pod, stats: ReplicaStats::default() };
        servers.for_each(|server| self.tree.set(server, now.as_nanos()));
        self.whole.add(slot, now.as_nanos());
        self.serving += 1;
    }

    fn drain(&mut self, slot: Slot, now: SimTime) -> Option<SimTime> {
        assert!(self.seats[slot].stage == Stage::Serving, "only a serving replica can be drained");
        self.seats[slot].stage = Stage::Draining;
        self.serving -= 1;
        let servers = self.servers_of(slot);
        servers.clone().for_each(|server| self.tree.set(server, NEVER));
        let empty_at = servers.filter(|&server| self.work[server].len > 0).map(|server| self.work[server].end).max();
        Some(SimTime::from_nanos(empty_at.unwrap_or(0)).max(now))
    }

    fn remove(&mut self, slot: Slot, now: SimTime) -> (ReplicaStats, u64) {
        self.settle_replica(slot, now.as_nanos());
        if self.seats[slot].stage == Stage::Serving {
            self.drain(slot, now);
        }
        let lost = self.take_back(slot, now.as_nanos());
        self.seats[slot].stage = Stage::Absent;
        (self.seats[slot].stats, lost)
    }

    fn settle(&mut self, now: SimTime) {
        (0..self.seats.len()).for_each(|slot| self.settle_replica(slot, now.as_nanos()));
    }

    fn stats(&mut self, slot: Slot, now: SimTime) -> ReplicaStats {
        self.settle_replica(slot, now.as_nanos());
        let per_replica = self.discipline.servers_per_replica() as u64;
        // A batch under way has been busy so far, although its requests are not answered yet.
        let under_way = self.servers_of(slot).filter(|&server| self.work[server].len > 0);
        let busy: u64 = under_way.map(|server| (now.as_nanos() - self.work[server].start) / per_replica).sum();
        let stats = self.seats[slot].stats;
        ReplicaStats { busy_ns: stats.busy_ns + busy, ..stats }
    }

    fn replica_load(&self, slot: Slot, now: SimTime) -> (u64, u64) {
        let serving = self.servers_of(slot).map(|server| self.work[server]).filter(|work| work.end > now.as_nanos());
        (0, serving.map(|work| u64::from(work.len)).sum())
    }

    fn central_queue(&mut self, now: SimTime) -> u64 {
        self.intake.ensure_until(now.as_nanos());
        self.intake.waiting(now.as_nanos()) as u64
    }

    fn in_hand(&self, slot: Slot, now: SimTime) -> InHand {
        let now = now.as_nanos();
        let works = self.servers_of(slot).map(|server| self.work[server]).filter(|work| work.end > now);
        works.fold(InHand::default(), |sum, work| sum.with_whole(now - work.start, u64::from(work.len)))
    }

    fn watch_latency(&mut self, watched: &Arc<Watched>) {
        self.whole.watch(watched);
    }

    fn latency(&mut self, slot: Slot, now: SimTime) -> Option<&LatencyLog> {
        self.settle_replica(slot, now.as_nanos());
        self.whole.log(slot)
    }

    fn load(&mut self, now: SimTime) -> Load {
        self.settle(now);
        let arrived = self.intake.arrived(now.as_nanos());
        let in_flight = self.work.iter().map(|work| u64::from(work.len)).sum();
        let waiting = self.intake.waiting(now.as_nanos()) as u64;
        Load::conserved(&self.meter, arrived, (waiting, in_flight), now)
    }

    fn started(&self) -> u64 {
        self.started
    }

    fn meter(&mut self) -> &mut Meter {
        &mut self.meter
    }

    fn finish(&mut self, now: SimTime) -> u64 {
        self.load(now);
        let waiting = self.intake.waiting(now.as_nanos());
        let meter = &mut self.meter;
        self.intake.arrivals[self.intake.head..][..waiting]
            .iter()
            .for_each(|&arrival| meter.leave_in_system(arrival, now.as_nanos()));
        let batch_max = self.discipline.batch_max();
        for (server, work) in self.work.iter().enumerate() {
            self.held[server * batch_max..][..work.len as usize]
                .iter()
                .for_each(|&arrival| meter.leave_in_system(arrival, now.as_nanos()));
        }
        self.intake.arrived_measured(now.as_nanos())
    }
}
