//! The fast path for queues at the replicas: each replica runs the batch recursion over its own queue.
//!
//! Once a request is routed its replica's future depends on nothing else, so a replica is looked at only when its next start of service
//! (or time-out) is due; a winner tree says whose is next. Round robin and random routing look at no replica at all, power of two at the
//! two drawn; least requests keeps an index of the loads, which answers must reach in time.

use units::{PodId, SimTime};
use workload::{Purpose, Stream};

use super::central::Discipline;
use super::intake::{Intake, NEVER};
use super::loads::LoadIndex;
use super::local::LocalQueue;
use super::meter::{Failure, Meter};
use super::tree::WinnerTree;
use super::{Drained, Flow, Load, ReplicaStats, Rules, Slot};
use crate::spec::{Routing, ServiceModel, ServiceSpec};

/// Arrivals routed before the replicas are looked at, per replica and at least: a replica that is looked at once for many requests costs
/// its cache misses once.
const ROUND_PER_REPLICA: usize = 16;
const ROUND_MIN: usize = 1_024;
/// Arrivals routed in one go.
const BLOCK: usize = 32;

/// Can this flow express `service`? A waiting room shared by all replicas and client retries are left to the event loop.
pub fn is_expressible(service: &ServiceSpec) -> bool {
    service.routing != Routing::CentralQueue
        && service.retries.is_none()
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Absent,
    Serving,
    Draining,
}

/// What is read of a replica for every request.
#[derive(Clone, Copy, Debug)]
struct Watch {
    /// When it must be looked at next.
    due: u64,
    /// Nothing starts here before this: when it was added, or a kill elsewhere sent requests to it.
    floor: u64,
    /// Requests waiting at it.
    waiting: u64,
    /// Whether `due` has changed since the tree of dues was told.
    is_new: bool,
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

/// When something is to be done at a replica. At one instant answers come first, then arrivals, then time-outs and starts.
fn answer_due(time: u64) -> u64 {
    time << 1
}

fn start_due(time: u64) -> u64 {
    if time == NEVER { NEVER } else { time << 1 | 1 }
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
    work: Vec<Work>,
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
    /// Requests held because no replica was there.
    held: LocalQueue,
    /// When a kill last sent requests there.
    held_floor: u64,
    waiting: u64,
    started: u64,
    /// Draining replicas that are not empty yet, with the instant at which they will be, ascending.
    draining: Vec<(u64, Slot)>,
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
            work: Vec::new(),
            batches: Vec::new(),
            dues: WinnerTree::new(),
            touched: Vec::new(),
            loads: LoadIndex::default(),
            serving: Vec::new(),
            next_in_turn: 0,
            dice: Stream::new(seed, Purpose::Routing, 0),
            held: LocalQueue::new(1),
            held_floor: 0,
            waiting: 0,
            started: 0,
            draining: Vec::new(),
        }
    }

    fn servers_of(&self, slot: Slot) -> std::ops::Range<usize> {
        let per_replica = self.discipline.servers_per_replica();
        slot * per_replica..(slot + 1) * per_replica
    }

    fn watches_loads(&self) -> bool {
        self.routing == Routing::LeastRequests
    }

    /// Everything up to and including `to`.
    fn process(&mut self, to: u64) {
        self.intake.ensure(1);
        while self.intake.arrivals[self.intake.head] <= to {
            if self.serving.is_empty() {
                self.hold_or_reject(to);
            } else if self.watches_loads() {
                self.route_watching(to);
            } else {
                self.route_round(to);
            }
            self.intake.ensure(1);
        }
        self.look(start_due(to));
        self.expire_held(to);
    }

    /// Arrivals up to `to` while no replica serves.
    fn hold_or_reject(&mut self, to: u64) {
        while let Some((arrival, service)) = self.next_arrival(to) {
            if self.rules.reject_without_replica {
                self.meter.fail(arrival, Failure::Rejected, arrival);
            } else {
                self.held.push(arrival, service);
                self.waiting += 1;
            }
        }
    }

    /// Routes a round of arrivals up to `to` by a rule that needs no answers, then looks at whoever is due.
    fn route_round(&mut self, to: u64) {
        let mut last = 0;
        let blocks = ROUND_MIN.max(ROUND_PER_REPLICA * self.serving.len()) / BLOCK;
        for _ in 0..blocks {
            self.intake.ensure(BLOCK);
            let head = self.intake.head;
            let count = self.intake.arrivals[head..head + BLOCK].partition_point(|&arrival| arrival <= to);
            let Some(place) = count.checked_sub(1) else { break };
            last = self.intake.arrivals[head + place];
            match self.routing {
                Routing::Random => self.route_random(count),
                Routing::PowerOfTwo => self.route_to_better(count),
                _ => self.route_block(count),
            }
        }
        // More may arrive at the instant of the last one.
        self.look(answer_due(last));
    }

    fn route_block(&mut self, count: usize) {
        for _ in 0..count {
            let (arrival, service) = self.intake.take();
            let slot = self.pick(arrival);
            self.join(slot, arrival, service);
        }
    }

    /// The same at random: all slots first, so that the cache misses of a block overlap instead of waiting for each other (28 ns a request
    /// instead of 41 with 10,000 replicas).
    fn route_random(&mut self, count: usize) {
        let mut slots = [0; BLOCK];
        let mut touched = 0;
        for slot in &mut slots[..count] {
            *slot = self.serving[self.dice.below(self.serving.len() as u64) as usize];
            touched ^= self.watches[*slot].waiting ^ self.queues[*slot].touch();
        }
        std::hint::black_box(touched);
        for &slot in &slots[..count] {
            let (arrival, service) = self.intake.take();
            self.join(slot, arrival, service);
        }
    }

    /// The same for pairs of replicas of which the less loaded is taken.
    fn route_to_better(&mut self, count: usize) {
        let mut pairs = [(0, 0); BLOCK];
        let mut touched = 0;
        for pair in &mut pairs[..count] {
            *pair = self.draw_two();
            for slot in [pair.0, pair.1] {
                let server = self.servers_of(slot).start;
                touched ^= self.watches[slot].waiting ^ self.work[server].end ^ self.queues[slot].touch();
            }
        }
        std::hint::black_box(touched);
        for &pair in &pairs[..count] {
            let (arrival, service) = self.intake.take();
            let slot = self.better(pair, arrival);
            self.join(slot, arrival, service);
        }
    }

    /// Routes the arrivals of one instant, having seen every answer up to it.
    fn route_watching(&mut self, to: u64) {
        let now = self.intake.arrivals[self.intake.head];
        self.look(answer_due(now));
        while let Some((arrival, service)) = self.next_arrival(now.min(to)) {
            let slot = self.least_loaded();
            self.join(slot, arrival, service);
        }
    }

    #[inline]
    fn next_arrival(&mut self, to: u64) -> Option<(u64, u64)> {
        self.intake.ensure(1);
        let head = self.intake.head;
        let arrival = self.intake.arrivals[head];
        if arrival > to {
            return None;
        }
        Some(self.intake.take())
    }

    /// The replica for a request that is routed at `now`.
    #[inline]
    fn pick(&mut self, now: u64) -> Slot {
        match self.routing {
            Routing::RoundRobin => {
                let turn = if self.next_in_turn < self.serving.len() {
                    self.next_in_turn
                } else {
                    self.next_in_turn % self.serving.len()
                };
                self.next_in_turn = if turn + 1 == self.serving.len() { 0 } else { turn + 1 };
                self.serving[turn]
            }
            Routing::Random => self.serving[self.dice.below(self.serving.len() as u64) as usize],
            Routing::PowerOfTwo => {
                let pair = self.draw_two();
                self.better(pair, now)
            }
            Routing::LeastRequests => self.least_loaded(),
            Routing::CentralQueue => panic!("a central queue routes nothing"),
        }
    }

    fn least_loaded(&mut self) -> Slot {
        self.loads.first().expect("a replica serves")
    }

    /// Two replicas at random, different ones if there are.
    fn draw_two(&mut self) -> (Slot, Slot) {
        let count = self.serving.len();
        let first = self.dice.below(count as u64) as usize;
        let mut second = first;
        if count > 1 {
            second += 1 + self.dice.below(count as u64 - 1) as usize;
            second -= if second >= count { count } else { 0 };
        }
        (self.serving[first], self.serving[second])
    }

    /// The less loaded of two replicas, the first one at equal loads.
    fn better(&mut self, (first, second): (Slot, Slot), now: u64) -> Slot {
        if self.load_at(second, now) < self.load_at(first, now) { second } else { first }
    }

    /// Requests waiting at a replica and being served by it as an arrival at `now` finds them.
    fn load_at(&mut self, slot: Slot, now: u64) -> u64 {
        if self.watches[slot].due <= answer_due(now) {
            self.advance_station(slot, answer_due(now));
            self.schedule(slot);
        }
        self.watches[slot].waiting + self.in_service(slot, now)
    }

    fn in_service(&self, slot: Slot, now: u64) -> u64 {
        let busy = self.work[self.servers_of(slot)].iter().filter(|work| work.end > now);
        busy.map(|work| u64::from(work.len)).sum()
    }

    /// A request that has just arrived joins the queue of a replica.
    #[inline]
    fn join(&mut self, slot: Slot, arrival: u64, service: u64) {
        self.waiting += 1;
        self.queues[slot].push(arrival, service);
        self.watches[slot].waiting += 1;
        let waiting = self.watches[slot].waiting as usize;
        if self.watches_loads() {
            self.change_load(slot, 1);
        }
        // Only the first request and the one that fills a batch can bring the next start forward.
        if waiting == 1 || waiting == self.discipline.fill() {
            self.schedule(slot);
        }
    }

    /// A request joins the queue of a replica at `now`, having arrived earlier.
    fn join_late(&mut self, slot: Slot, (arrival, service): (u64, u64), now: u64) {
        self.waiting += 1;
        self.queues[slot].insert(arrival, service);
        self.watches[slot].waiting += 1;
        self.watches[slot].floor = now;
        if self.watches_loads() {
            self.change_load(slot, 1);
        }
        self.schedule(slot);
    }

    fn change_load(&mut self, slot: Slot, by: i64) {
        let station = &mut self.stations[slot];
        station.load = station.load.checked_add_signed(by).expect("a load never falls below zero");
        if station.stage == Stage::Serving {
            self.loads.set(slot, Some(station.load));
        }
    }

    /// Looks at every replica that is due up to and including `bound`.
    fn look(&mut self, bound: u64) {
        while let Some(slot) = self.touched.pop() {
            if self.watches[slot].due <= bound {
                self.advance_station(slot, bound);
            }
            self.tell(slot);
        }
        loop {
            let (due, slot) = self.dues.first();
            if due > bound || due == NEVER {
                return;
            }
            self.advance_station(slot, bound);
            self.tell(slot);
        }
    }

    /// Tells the tree when a replica is due.
    fn tell(&mut self, slot: Slot) {
        let due = self.next_due(slot);
        let watch = &mut self.watches[slot];
        watch.due = due;
        watch.is_new = false;
        self.dues.set(slot, due);
    }

    /// Notes when a replica is due.
    fn schedule(&mut self, slot: Slot) {
        let due = self.next_due(slot);
        let watch = &mut self.watches[slot];
        watch.due = due;
        if !std::mem::replace(&mut watch.is_new, true) {
            self.touched.push(slot);
        }
    }

    /// Answers, time-outs and starts at one replica up to and including `bound`.
    #[inline]
    fn advance_station(&mut self, slot: Slot, bound: u64) {
        while let Some((next, server, is_start)) = self.next_at(slot) {
            if start_due(next) > bound {
                break;
            }
            if is_start {
                self.start_batch(slot, server, next);
            } else {
                self.time_out(slot, next);
            }
        }
        if self.watches_loads() {
            self.count_answers(slot, bound >> 1);
        }
    }

    /// The next start (or, if false, time-out) at a replica as far as its queue knows, and the server it concerns.
    #[inline]
    fn next_at(&self, slot: Slot) -> Option<(u64, usize, bool)> {
        let watch = self.watches[slot];
        if watch.waiting == 0 {
            return None;
        }
        let servers = self.servers_of(slot);
        let mut server = servers.start;
        for other in servers {
            if self.work[other].end < self.work[server].end {
                server = other;
            }
        }
        let window = self.queues[slot].window();
        let start = self.work[server].end.max(self.discipline.trigger(window)).max(watch.floor);
        let deadline = window[0].saturating_add(self.rules.timeout);
        if deadline <= start { Some((deadline.max(watch.floor), server, false)) } else { Some((start, server, true)) }
    }

    fn next_due(&self, slot: Slot) -> u64 {
        let start = self.next_at(slot).map_or(NEVER, |(next, _, _)| start_due(next));
        let answer = if self.watches_loads() {
            let counted = self.work[self.servers_of(slot)].iter().filter(|work| work.counted);
            counted.map(|work| answer_due(work.end)).min().unwrap_or(NEVER)
        } else {
            NEVER
        };
        start.min(answer)
    }

    #[inline]
    fn start_batch(&mut self, slot: Slot, server: usize, start: u64) {
        if self.work[server].len > 0 {
            self.uncount(slot, server);
            self.report(slot, server);
        }
        let batch_max = self.discipline.batch_max();
        let queue = &mut self.queues[slot];
        let window = queue.window();
        let taken = self.discipline.take(window, start);
        self.batches[server * batch_max..][..batch_max].copy_from_slice(window);
        let end = start + self.discipline.duration(taken, queue.service());
        queue.take(taken);
        self.watches[slot].waiting -= taken as u64;
        self.work[server] = Work { start, end, len: taken as u32, counted: self.watches_loads() };
        self.waiting -= taken as u64;
        self.started += taken as u64;
    }

    fn time_out(&mut self, slot: Slot, at: u64) {
        let oldest = self.queues[slot].window()[0];
        self.queues[slot].take(1);
        self.watches[slot].waiting -= 1;
        self.waiting -= 1;
        if self.watches_loads() {
            self.change_load(slot, -1);
        }
        self.meter.fail(oldest, Failure::TimedOut, at);
    }

    /// Takes the batches that are over by `now` out of a replica's load.
    fn count_answers(&mut self, slot: Slot, now: u64) {
        for server in self.servers_of(slot) {
            if self.work[server].end <= now {
                self.uncount(slot, server);
            }
        }
    }

    fn uncount(&mut self, slot: Slot, server: usize) {
        if std::mem::take(&mut self.work[server].counted) {
            self.change_load(slot, -i64::from(self.work[server].len));
        }
    }

    /// Books the finished batch of `server`.
    #[inline]
    fn report(&mut self, slot: Slot, server: usize) {
        let batch_max = self.discipline.batch_max();
        let work = self.work[server];
        let arrivals = &self.batches[server * batch_max..][..work.len as usize];
        let station = &mut self.stations[slot];
        let abandoned = self.meter.batch(arrivals, work.start, work.end, station.pod);
        let span = (work.start, work.end);
        station.stats.answer(arrivals, span, abandoned, self.discipline.servers_per_replica() as u64);
        self.work[server].len = 0;
    }

    fn settle_station(&mut self, slot: Slot, now: u64) {
        for server in self.servers_of(slot) {
            if self.work[server].len > 0 && self.work[server].end <= now {
                self.uncount(slot, server);
                self.report(slot, server);
            }
        }
    }

    fn expire_held(&mut self, to: u64) {
        while !self.held.is_empty() {
            let oldest = self.held.window()[0];
            let deadline = oldest.saturating_add(self.rules.timeout);
            if deadline > to {
                return;
            }
            self.held.take(1);
            self.waiting -= 1;
            self.meter.fail(oldest, Failure::TimedOut, deadline.max(self.held_floor));
        }
    }

    fn leave_serving(&mut self, slot: Slot, stage: Stage) {
        self.stations[slot].stage = stage;
        self.serving.retain(|&other| other != slot);
        self.loads.set(slot, None);
    }

    /// When a replica that gets no more requests has done with those it has.
    fn empty_at(&self, slot: Slot, now: u64) -> u64 {
        let floor = self.watches[slot].floor;
        let mut queue = self.queues[slot].clone();
        let mut ends: Vec<u64> = self.work[self.servers_of(slot)].iter().map(|work| work.end).collect();
        let mut empty_at = ends.iter().copied().max().unwrap_or(0).max(now);
        while !queue.is_empty() {
            let server = (0..ends.len()).min_by_key(|&server| ends[server]).expect("a replica has a server");
            let window = queue.window();
            let start = ends[server].max(self.discipline.trigger(window)).max(floor);
            let deadline = window[0].saturating_add(self.rules.timeout);
            if deadline <= start {
                empty_at = empty_at.max(deadline);
                queue.take(1);
                continue;
            }
            let taken = self.discipline.take(window, start);
            ends[server] = start + self.discipline.duration(taken, queue.service());
            empty_at = empty_at.max(ends[server]);
            queue.take(taken);
        }
        empty_at
    }

    /// What a killed replica was serving at `now`, oldest first; it is answered no more.
    fn take_back(&mut self, slot: Slot, now: u64) -> Vec<(u64, u64)> {
        let batch_max = self.discipline.batch_max();
        let per_replica = self.discipline.servers_per_replica() as u64;
        let pod = self.stations[slot].pod;
        let mut back = Vec::new();
        for server in self.servers_of(slot) {
            let work = std::mem::take(&mut self.work[server]);
            let arrivals = &self.batches[server * batch_max..][..work.len as usize];
            if work.len == 0 {
                continue;
            }
            self.stations[slot].stats.busy_ns += (now - work.start) / per_replica;
            if self.rules.requeue_killed {
                self.started -= u64::from(work.len);
            } else {
                for &arrival in arrivals {
                    self.meter.fail_served(arrival, Failure::Lost, now, Some((work.start, pod)));
                }
            }
            back.extend(arrivals.iter().map(|&arrival| (arrival, work.end - work.start)));
        }
        back.sort_unstable();
        back
    }
}

impl<D: Discipline> Flow for RoutedFlow<D> {
    fn advance(&mut self, to: SimTime) -> Option<Drained> {
        let to = to.as_nanos();
        let first = self.draining.first().copied().filter(|&(empty_at, _)| empty_at <= to);
        self.process(first.map_or(to, |(empty_at, _)| empty_at));
        let (empty_at, slot) = first?;
        self.draining.remove(0);
        Some(Drained { slot, at: SimTime::from_nanos(empty_at) })
    }

    fn add(&mut self, slot: Slot, pod: PodId, now: SimTime) {
        let batch_max = self.discipline.batch_max();
        let servers = self.servers_of(slot);
        let now = now.as_nanos();
        let station = Station { stage: Stage::Serving, pod, stats: ReplicaStats::default(), load: 0 };
        if slot >= self.stations.len() {
            self.watches.resize(slot + 1, Watch { due: NEVER, floor: now, waiting: 0, is_new: false });
            self.queues.resize(slot + 1, LocalQueue::new(batch_max));
            self.stations.resize(slot + 1, Station { stage: Stage::Absent, ..station.clone() });
            self.work.resize(servers.end, Work::default());
            self.batches.resize(servers.end * batch_max, 0);
        }
        assert!(self.stations[slot].stage == Stage::Absent, "slot {slot} is taken");
        self.stations[slot] = station;
        self.watches[slot].floor = now;
        self.work[servers].fill(Work { start: now, end: now, len: 0, counted: false });
        let place = self.serving.partition_point(|&other| other < slot);
        self.serving.insert(place, slot);
        if self.watches_loads() {
            self.loads.set(slot, Some(0));
        }
        let held = std::mem::replace(&mut self.held, LocalQueue::new(1));
        self.waiting -= held.len() as u64;
        for request in held.iter() {
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
        let place = self.draining.partition_point(|&other| other < (empty_at, slot));
        self.draining.insert(place, (empty_at, slot));
        None
    }

    fn remove(&mut self, slot: Slot, now: SimTime) -> (ReplicaStats, u64) {
        let now = now.as_nanos();
        self.settle_station(slot, now);
        self.leave_serving(slot, Stage::Absent);
        self.draining.retain(|&(_, other)| other != slot);
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
                    self.held.insert(request.0, request.1);
                    self.held_floor = now;
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
        let under_way = self.work[self.servers_of(slot)].iter().filter(|work| work.len > 0);
        let busy: u64 = under_way.map(|work| (now.as_nanos() - work.start) / per_replica).sum();
        let stats = self.stations[slot].stats;
        ReplicaStats { busy_ns: stats.busy_ns + busy, ..stats }
    }

    fn replica_load(&self, slot: Slot, now: SimTime) -> (u64, u64) {
        (self.watches[slot].waiting, self.in_service(slot, now.as_nanos()))
    }

    fn central_queue(&mut self, _now: SimTime) -> u64 {
        self.held.len() as u64
    }

    fn load(&mut self, now: SimTime) -> Load {
        self.settle(now);
        let arrived = self.intake.arrived(now.as_nanos());
        let in_flight = self.work.iter().map(|work| u64::from(work.len)).sum();
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
        let batch_max = self.discipline.batch_max();
        for queue in self.queues.iter().chain([&self.held]) {
            queue.iter().for_each(|(arrival, _)| self.meter.leave_in_system(arrival, now));
        }
        for (server, work) in self.work.iter().enumerate() {
            let batch = &self.batches[server * batch_max..][..work.len as usize];
            for &arrival in batch {
                self.meter.leave_in_system(arrival, now);
            }
        }
        self.intake.arrived_measured(now)
    }
}
