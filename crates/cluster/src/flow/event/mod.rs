//! The reference: every request event one by one. Slower, able to express every routing and retry rule, and the oracle of the fast
//! paths.

mod face;
mod line;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use units::{PodId, SimDuration, SimTime};
use workload::{Purpose, Stream};

use self::line::{Line, Request};
use super::central::{Batching, Discipline, Slots};
use super::clients::Clients;
use super::intake::{Intake, NEVER};
use super::latency::WholeAnswers;
use super::meter::{Failure, Meter};
use super::{ReplicaStats, Rules, Slot};
use crate::spec::{Routing, ServiceModel, ServiceSpec};

/// What happens next, outside the arrivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A server finishes; valid if its epoch still matches.
    Finish { server: usize, epoch: u64 },
    /// A retry arrives.
    Retry(Request),
    /// A queue's oldest request may time out or its batching delay be over.
    Wake { queue: usize },
    /// The client of a request in service leaves; valid if the server's epoch still matches.
    GiveUp { server: usize, epoch: u64, place: usize },
}

#[derive(Clone, Debug)]
struct Queue {
    waiting: Line,
    /// Idle servers: (idle since, server).
    idle: BTreeSet<(u64, usize)>,
}

impl Queue {
    fn new(differ: bool) -> Self {
        Self { waiting: Line::new(differ), idle: BTreeSet::new() }
    }
}

#[derive(Clone, Debug, Default)]
struct Server {
    batch: Vec<Request>,
    start: u64,
    epoch: u64,
    in_service: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Absent,
    Serving,
    /// Turns new requests away; the router does not know.
    Refusing,
    Draining,
}

#[derive(Clone, Copy, Debug)]
struct Seat {
    stage: Stage,
    pod: PodId,
    stats: ReplicaStats,
    /// Requests waiting at it and being served by it whose clients are still there: what its router sees.
    load: u64,
}

/// Every request event, one by one.
pub struct EventFlow {
    rules: Rules,
    routing: Routing,
    clients: Clients,
    /// Whether it matters when a client leaves while it is served: it asks again, or something follows from its end.
    tells_at_once: bool,
    discipline: Box<dyn Discipline>,
    intake: Intake,
    meter: Meter,
    clock: u64,
    due: BinaryHeap<Reverse<(u64, Due)>>,
    /// One for the service, or one per replica.
    queues: Vec<Queue>,
    servers: Vec<Server>,
    seats: Vec<Seat>,
    /// Slots that take requests, ascending.
    serving: Vec<Slot>,
    next_in_turn: usize,
    routing_dice: Stream,
    /// Requests held because no replica was there, for routings without a central queue.
    held: Line,
    waiting: usize,
    pending_retries: u64,
    started: u64,
    /// Draining replicas that have run empty and have not been reported.
    drained: BTreeSet<Slot>,
    whole: WholeAnswers,
}

/// In place of a queue's number: the requests held while no replica serves.
const HELD: usize = usize::MAX;

impl EventFlow {
    /// A flow without any replica.
    pub fn new(service: &ServiceSpec, seed: u64, intake: Intake, meter: Meter) -> Self {
        let discipline: Box<dyn Discipline> = match service.model {
            ServiceModel::Slots { .. } => Box::new(Slots::of(service)),
            ServiceModel::DynamicBatching { .. } => Box::new(Batching::of(service)),
            ServiceModel::ContinuousBatching { .. } => panic!("continuous batching has a flow of its own"),
        };
        let clients = Clients::of(service, seed);
        let differ = clients.differ();
        Self {
            rules: Rules::of(service),
            routing: service.routing,
            tells_at_once: clients.retry() || differ || intake.is_reactive(),
            clients,
            discipline,
            intake,
            meter,
            clock: 0,
            due: BinaryHeap::new(),
            queues: vec![Queue::new(differ)],
            servers: Vec::new(),
            seats: Vec::new(),
            serving: Vec::new(),
            next_in_turn: 0,
            routing_dice: Stream::new(seed, Purpose::Routing, 0),
            held: Line::new(differ),
            waiting: 0,
            pending_retries: 0,
            started: 0,
            drained: BTreeSet::new(),
            whole: WholeAnswers::default(),
        }
    }

    fn queue_of(&self, slot: Slot) -> usize {
        if self.routing == Routing::CentralQueue { 0 } else { slot }
    }

    fn servers_of(&self, slot: Slot) -> std::ops::Range<usize> {
        let per_replica = self.discipline.servers_per_replica();
        slot * per_replica..(slot + 1) * per_replica
    }

    fn seat_of(&self, server: usize) -> Slot {
        server / self.discipline.servers_per_replica()
    }

    /// The next instant at which anything happens.
    fn next_instant(&mut self) -> u64 {
        let arrival = self.intake.next_arrival();
        self.due.peek().map_or(arrival, |Reverse((time, _))| arrival.min(*time))
    }

    /// Everything that happens at `now`: answers, arrivals, time-outs, starts.
    fn instant(&mut self, now: u64) {
        self.clock = now;
        let mut touched = BTreeSet::new();
        let (mut retries, mut leaving) = (Vec::new(), Vec::new());
        while let Some(&Reverse((time, due))) = self.due.peek() {
            if time > now {
                break;
            }
            self.due.pop();
            match due {
                Due::Finish { server, epoch } => touched.extend(self.finish_service(server, epoch)),
                Due::Retry(request) => retries.push(request),
                Due::GiveUp { server, epoch, place } => leaving.push((server, epoch, place)),
                Due::Wake { queue } => {
                    touched.insert(queue);
                }
            }
        }
        while self.next_arrival() == Some(now) {
            let service = self.intake.service.get(self.intake.head).copied().unwrap_or(0);
            let ticket = self.intake.admit();
            let number = self.clients.number(&self.intake, ticket, now);
            let waits = self.clients.waits(number);
            let (first_arrival, attempt, is_abandoned) = (now, 1, false);
            touched.extend(self.arrive(Request {
                first_arrival,
                arrival: now,
                service,
                attempt,
                ticket,
                number,
                waits,
                is_abandoned,
            }));
        }
        for request in retries {
            self.pending_retries -= 1;
            touched.extend(self.arrive(request));
        }
        leaving.sort_unstable();
        for (server, epoch, place) in leaving {
            self.give_up(server, epoch, place);
        }
        for queue in touched {
            if queue == HELD { self.expire_held() } else { self.serve(queue) }
        }
    }

    fn next_arrival(&mut self) -> Option<u64> {
        Some(self.intake.next_arrival()).filter(|&arrival| arrival != NEVER)
    }

    /// A server finishes its batch. Returns the queue it may now serve.
    fn finish_service(&mut self, server: usize, epoch: u64) -> Option<usize> {
        if self.servers[server].epoch != epoch || !self.servers[server].in_service {
            return None;
        }
        let slot = self.seat_of(server);
        let now = self.clock;
        let batch = std::mem::take(&mut self.servers[server].batch);
        let start = self.servers[server].start;
        self.servers[server].in_service = false;
        self.book(slot, &batch, start);
        self.seats[slot].load -= batch.iter().filter(|request| !request.is_abandoned).count() as u64;
        if self.seats[slot].stage == Stage::Serving || self.routing != Routing::CentralQueue {
            let queue = self.queue_of(slot);
            self.queues[queue].idle.insert((now, server));
            self.note_if_drained(slot);
            return Some(queue);
        }
        None
    }

    fn book(&mut self, slot: Slot, batch: &[Request], start: u64) {
        let now = self.clock;
        let stats = &mut self.seats[slot].stats;
        stats.executions += 1;
        stats.busy_ns += (now - start) / self.discipline.servers_per_replica() as u64;
        for request in batch {
            let stats = &mut self.seats[slot].stats;
            stats.wait_ns += start - request.arrival;
            stats.compute_ns += now - start;
            if self.whole.is_on() {
                let arrival = if self.routing == Routing::CentralQueue { start } else { request.arrival };
                self.whole.answer(slot, arrival, (start, now));
            }
            let stats = &mut self.seats[slot].stats;
            if request.is_abandoned {
                // Its client has been told; the server knows no better than that it was not wanted.
                stats.failure += 1;
            } else if now <= request.deadline() {
                stats.success += 1;
                self.meter.asked_at(self.intake.asked(request.ticket));
                self.meter.complete(request.first_arrival, start, now, self.seats[slot].pod);
                self.intake.ended(request.ticket, now, true);
            } else {
                stats.failure += 1;
                self.fail(*request, Failure::TimedOut, Some((start, slot)));
            }
        }
    }

    /// The client of a request that is being served leaves. Its server finishes it all the same: a request that is on a slot or in a batch is
    /// not looked at again before its answer is sent.
    fn give_up(&mut self, server: usize, epoch: u64, place: usize) {
        if self.servers[server].epoch != epoch || !self.servers[server].in_service {
            return;
        }
        let start = self.servers[server].start;
        let request = self.servers[server].batch[place];
        self.servers[server].batch[place].is_abandoned = true;
        let slot = self.seat_of(server);
        self.seats[slot].load -= 1;
        self.fail(request, Failure::TimedOut, Some((start, slot)));
    }

    /// A request (or a retry of one) arrives. Returns the queue it joined.
    fn arrive(&mut self, request: Request) -> Option<usize> {
        let nobody_waits = self.rules.queue_limit == 0;
        let is_turned_away = if nobody_waits {
            self.serving.is_empty()
        } else {
            self.serving.is_empty() && self.rules.reject_without_replica || self.waiting >= self.rules.queue_limit
        };
        if is_turned_away {
            self.fail(request, Failure::Rejected, None);
            return None;
        }
        self.waiting += 1;
        if self.serving.is_empty() && self.routing != Routing::CentralQueue {
            self.hold(request);
            return None;
        }
        let queue = self.join(request);
        if nobody_waits {
            self.serve_or_reject(queue);
        }
        Some(queue)
    }

    /// Where nobody waits a request is served at once or rejected.
    fn serve_or_reject(&mut self, queue: usize) {
        self.serve(queue);
        let all = self.queues[queue].waiting.len();
        for request in self.queues[queue].waiting.take(all) {
            self.waiting -= 1;
            self.leave_replica(queue);
            self.fail(request, Failure::Rejected, None);
        }
    }

    /// Keeps a request until a replica serves, or its client gives up.
    fn hold(&mut self, request: Request) {
        let leaves_at = request.leaves_at();
        if leaves_at != NEVER {
            self.due.push(Reverse((leaves_at.max(self.clock), Due::Wake { queue: HELD })));
        }
        self.held.insert(request);
    }

    fn expire_held(&mut self) {
        while let Some(request) = self.held.pop_left(self.clock) {
            self.waiting -= 1;
            self.fail(request, Failure::TimedOut, None);
        }
    }

    /// Puts a request into the queue its routing picks. If that is one of a replica that is shutting down, the request fails.
    fn join(&mut self, request: Request) -> usize {
        let queue = match self.routing {
            Routing::CentralQueue => 0,
            Routing::RoundRobin => {
                let slot = self.serving[self.next_in_turn % self.serving.len()];
                self.next_in_turn = (self.next_in_turn + 1) % self.serving.len();
                slot
            }
            Routing::Random => self.serving[self.routing_dice.below(self.serving.len() as u64) as usize],
            Routing::LeastRequests => self.least_loaded(),
            Routing::PowerOfTwo => self.better_of_two(),
            Routing::Scored(_) | Routing::SessionAffinity => {
                panic!("only language models are routed by scores or sessions")
            }
        };
        if self.routing != Routing::CentralQueue {
            if self.seats[queue].stage == Stage::Refusing {
                self.waiting -= 1;
                self.fail(request, Failure::Lost, None);
                return queue;
            }
            self.seats[queue].load += 1;
        }
        self.queues[queue].waiting.insert(request);
        queue
    }

    fn least_loaded(&self) -> Slot {
        self.serving.iter().copied().min_by_key(|&slot| (self.seats[slot].load, slot)).expect("a replica serves")
    }

    fn better_of_two(&mut self) -> Slot {
        let count = self.serving.len() as u64;
        let first = self.routing_dice.below(count) as usize;
        // The second differs from the first where it can.
        let second =
            if count > 1 { (first + 1 + self.routing_dice.below(count - 1) as usize) % count as usize } else { first };
        let (first, second) = (self.serving[first], self.serving[second]);
        if self.seats[second].load < self.seats[first].load { second } else { first }
    }

    /// Time-outs and starts of service at one queue, as far as they are due now.
    fn serve(&mut self, queue: usize) {
        let now = self.clock;
        while let Some(request) = self.queues[queue].waiting.pop_left(now) {
            self.waiting -= 1;
            if self.routing != Routing::CentralQueue {
                self.seats[queue].stats.given_up += 1;
            }
            self.leave_replica(queue);
            self.fail(request, Failure::TimedOut, None);
        }
        while self.start_one(queue) {}
        if self.queues[queue].waiting.is_empty() {
            return;
        }
        let deadline = self.queues[queue].waiting.next_leave();
        let trigger = self.discipline.trigger(&self.window(queue));
        let wake = if self.queues[queue].idle.is_empty() { deadline } else { deadline.min(trigger) };
        if wake != NEVER && wake > now {
            self.due.push(Reverse((wake, Due::Wake { queue })));
        }
    }

    /// A request that waited at a replica of its own leaves without service.
    fn leave_replica(&mut self, queue: usize) {
        if self.routing != Routing::CentralQueue {
            self.seats[queue].load -= 1;
            self.note_if_drained(queue);
        }
    }

    /// Has a draining replica reported if it has nothing more to do.
    fn note_if_drained(&mut self, slot: Slot) {
        if self.seats[slot].stage == Stage::Draining && self.is_empty(slot) {
            self.drained.insert(slot);
        }
    }

    /// Whether nothing waits at a replica and it serves nothing, for clients that have left neither.
    fn is_empty(&self, slot: Slot) -> bool {
        self.seats[slot].load == 0 && self.servers_of(slot).all(|server| !self.servers[server].in_service)
    }

    /// The oldest requests of a queue as the disciplines look at them.
    fn window(&self, queue: usize) -> Vec<u64> {
        self.queues[queue].waiting.window(self.discipline.batch_max())
    }

    fn start_one(&mut self, queue: usize) -> bool {
        let now = self.clock;
        if self.queues[queue].waiting.is_empty() {
            return false;
        }
        let Some(&(idle_since, server)) = self.queues[queue].idle.first() else { return false };
        let window = self.window(queue);
        if self.discipline.trigger(&window) > now {
            return false;
        }
        let taken = self.discipline.take(&window, now);
        self.queues[queue].idle.remove(&(idle_since, server));
        let batch = self.queues[queue].waiting.take(taken);
        let end = now + self.discipline.duration(taken, batch[0].service);
        self.waiting -= taken;
        self.started += taken as u64;
        if self.routing == Routing::CentralQueue {
            let slot = self.seat_of(server);
            self.seats[slot].load += taken as u64;
        }
        let epoch = self.servers[server].epoch + 1;
        if self.tells_at_once {
            for (place, request) in batch.iter().enumerate().filter(|(_, request)| request.deadline() < end) {
                self.due.push(Reverse((request.deadline(), Due::GiveUp { server, epoch, place })));
            }
        }
        self.servers[server] = Server { batch, start: now, epoch, in_service: true };
        if end == now {
            // A service without length is over before the next one starts.
            self.finish_service(server, epoch);
        } else {
            self.due.push(Reverse((end, Due::Finish { server, epoch })));
        }
        true
    }

    /// A request fails: its client tries again, or it is over.
    fn fail(&mut self, request: Request, failure: Failure, service: Option<(u64, Slot)>) {
        if let Some(pause) = self.clients.pause_after(request.attempt) {
            let (at, attempt) = (self.clock + pause, request.attempt + 1);
            let again = self.clients.demand(request.number, attempt);
            let service = again.map_or(request.service, |seconds| SimDuration::from_secs_f64(seconds).as_nanos());
            let next = Request { arrival: at, attempt, service, ..request };
            self.due.push(Reverse((at, Due::Retry(next))));
            self.pending_retries += 1;
            self.meter.fail_attempt(failure);
            return;
        }
        let served = service.map(|(start, slot)| (start, self.seats[slot].pod));
        self.meter.fail_served(request.first_arrival, failure, self.clock, served);
        self.intake.ended(request.ticket, self.clock, false);
    }

    /// Requests that waited at a removed replica, or were in service on it, are lost or go back to where they stood.
    fn dispose(&mut self, slot: Slot, waiting: Vec<Request>, mut serving: Vec<(Request, u64)>) -> u64 {
        let lost = waiting.len() + serving.len();
        serving.sort_by_key(|(request, _)| (request.arrival, request.service));
        if self.rules.requeue_killed {
            let all = serving.into_iter().map(|(request, _)| request).chain(waiting);
            self.waiting += all.clone().count();
            if self.routing == Routing::CentralQueue {
                all.rev().for_each(|request| self.queues[0].waiting.insert_first(request));
            } else if self.serving.is_empty() {
                for request in all {
                    self.hold(request);
                }
            } else {
                let touched: BTreeSet<usize> = all.map(|request| self.join(request)).collect();
                for queue in touched {
                    self.wake_now(queue);
                }
            }
            return 0;
        }
        self.seats[slot].stats.failure += lost as u64;
        for (request, start) in serving {
            self.fail(request, Failure::Lost, Some((start, slot)));
        }
        for request in waiting {
            self.fail(request, Failure::Lost, None);
        }
        lost as u64
    }

    /// Gives a replica its place, among those the router knows, and its queue, whose number is returned.
    fn seat(&mut self, slot: Slot, (pod, stage): (PodId, Stage), now: SimTime) -> usize {
        self.clock = now.as_nanos();
        if slot >= self.seats.len() {
            self.seats.resize(slot + 1, Seat { stage: Stage::Absent, pod, stats: ReplicaStats::default(), load: 0 });
            self.servers.resize(self.servers_of(slot).end, Server::default());
        }
        assert!(self.seats[slot].stage == Stage::Absent, "slot {slot} is taken");
        self.seats[slot] = Seat { stage, pod, stats: ReplicaStats::default(), load: 0 };
        self.whole.add(slot, now.as_nanos());
        let queue = self.queue_of(slot);
        if queue >= self.queues.len() {
            self.queues.resize(queue + 1, Queue::new(self.clients.differ()));
        }
        let place = self.serving.partition_point(|&other| other < slot);
        self.serving.insert(place, slot);
        queue
    }

    /// Has a queue looked at again at the present instant, after the control events of that instant.
    fn wake_now(&mut self, queue: usize) {
        self.due.push(Reverse((self.clock, Due::Wake { queue })));
    }
}
