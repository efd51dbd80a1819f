//! Language-model serving: requests carry tokens, replicas batch continuously.
//!
//! This module brings requests to the engines and books what comes out; how an engine batches is in [`engine`], how long it takes in
//! [`iteration`]. [`LlmFlow`] runs on either engine: [`RunEngine`], which advances many iterations at once, or the plain one its tests
//! compare it with.
//!
//! With a central queue the gateway holds requests and hands the oldest to the replica with the fewest requests that has a free
//! sequence slot; with other routings each request goes to a replica when it arrives and waits in that engine's queue. The overhead outside
//! the engine comes on top of a request's first token and answer: it is booked when the engine is done with it.

#[cfg(test)]
mod adapter_tests;
mod adapters;
mod book;
mod engine;
mod face;
mod gate;
#[cfg(test)]
mod gate_tests;
#[cfg(test)]
mod handover_tests;
mod hold;
mod impatience;
mod iteration;
mod load_test;
mod pace;
mod prefix;
mod replicas;
mod router;
mod run_engine;
mod scheduler;
#[cfg(test)]
mod session_tests;
#[cfg(test)]
mod step_engine;
mod tags;
#[cfg(test)]
mod tests;
mod tokens;
mod transfers;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::sync::Arc;

use units::PodId;
use workload::{Purpose, Stream};

use self::book::{Entry, Lists, Place, RequestTable};
use self::engine::{Engine, Instant, Job, Limits};
use self::hold::Hold;
use self::impatience::Impatience;
pub use self::load_test::{LoadAnswer, LoadTest, load_test};
use self::prefix::Part;
use self::router::Router;
pub use self::run_engine::RunEngine;
pub use self::tags::{TagDraws, TagLaw};
pub use self::tokens::TokenCounts;
use self::transfers::Transfers;
use super::clients::Clients;
use super::intake::{Intake, NEVER};
use super::latency::Watched;
use super::meter::{Failure, Meter, Streamed};
use super::reactive::{Handover, Kept};
use super::tree::WinnerTree;
use super::{ReplicaStats, Rules, Slot};
use crate::spec::{FlowControl, PrefixSpec, Routing, ServiceSpec};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Absent,
    Serving,
    Draining,
}

/// A replica as the gateway knows it.
#[derive(Clone, Copy, Debug)]
struct Seat {
    stage: Stage,
    pod: PodId,
    stats: ReplicaStats,
    /// Requests waiting at it and being served by it.
    load: u64,
    /// Of these, waiting: as last looked at.
    waiting: u64,
    /// Their prompt tokens.
    tokens: u64,
    is_touched: bool,
    /// It turns new requests away.
    refuses: bool,
    /// It works no more: what it has stays with it until it is removed.
    is_halted: bool,
}

impl Seat {
    fn new(stage: Stage, pod: PodId, is_touched: bool) -> Self {
        let stats = ReplicaStats::default();
        Self { stage, pod, stats, load: 0, waiting: 0, tokens: 0, is_touched, refuses: false, is_halted: false }
    }
}

/// A retry on its way: (when it arrives, entry).
type Retry = (u64, Entry);

/// Continuous batching on the replicas of one service.
pub struct LlmFlow<E = RunEngine> {
    rules: Rules,
    routing: Routing,
    clients: Clients,
    limits: Limits,
    intake: Intake,
    meter: Meter,
    clock: u64,
    /// Every instant up to here is over, starts of iterations included.
    done_until: Option<u64>,
    requests: RequestTable,
    /// Deadlines of attempts in order of arrival; those of requests that are gone stay until they come up.
    deadlines: VecDeque<(u64, u32, u32)>,
    /// In its place where clients do not leave in the order in which they came.
    impatience: Option<Box<Impatience>>,
    retrying: BinaryHeap<Reverse<Retry>>,
    /// Requests no replica has: the central queue, or those held because no replica was there.
    queue: VecDeque<u32>,
    /// Those the router holds, where it has flow control.
    hold: Option<Hold>,
    flow_control: Option<FlowControl>,
    /// Requests that were held for too long.
    expired: u64,
    /// What the router knows, where it needs to know anything.
    router: Option<Box<Router>>,
    /// Numbered blocks that prompts are made of.
    lists: Lists,
    blocks_per_entry: u32,
    /// What the prompt of the request under way is made of.
    parts: Vec<Part>,
    engines: Vec<E>,
    seats: Vec<Seat>,
    /// When each engine has to be looked at next.
    events: WinnerTree,
    /// Requests at each replica that takes any; NEVER for the others, and with a central queue for those without a free slot.
    loads: WinnerTree,
    /// Slots that take requests, ascending.
    serving: Vec<Slot>,
    /// Replicas something happened to at this instant.
    touched: Vec<Slot>,
    next_in_turn: usize,
    routing_dice: Stream,
    /// Waiting anywhere but at their clients.
    waiting: u64,
    started: u64,
    drained: BTreeSet<Slot>,
    /// Requests an engine has just finished.
    done: Vec<Job>,
    watched: Option<Arc<Watched>>,
    /// Prompts on their way here, where others compute them.
    transfers: Option<Box<Transfers>>,
    /// Prompts computed here that others have yet to fetch.
    kept: Vec<Kept>,
    /// Of these, gone with their replicas since the last time anybody asked.
    lost: Vec<Kept>,
}

impl LlmFlow<RunEngine> {
    /// A flow without any replica, on fast engines. `intake` must have tokens.
    pub fn new(service: &ServiceSpec, seed: u64, intake: Intake, meter: Meter) -> Self {
        Self::on_engines(service, seed, intake, meter)
    }
}

impl<E: Engine> LlmFlow<E> {
    fn on_engines(service: &ServiceSpec, seed: u64, intake: Intake, meter: Meter) -> Self {
        let clients = Clients::of(service, seed);
        Self {
            rules: Rules::of(service),
            routing: service.routing,
            impatience: Impatience::of(&clients),
            clients,
            limits: Limits { keeps_finished: intake.hands_over(), ..Limits::of(service) },
            intake,
            meter,
            clock: 0,
            done_until: None,
            requests: RequestTable::default(),
            deadlines: VecDeque::new(),
            retrying: BinaryHeap::new(),
            queue: VecDeque::new(),
            hold: service.router.flow_control.map(Hold::new),
            flow_control: service.router.flow_control,
            expired: 0,
            router: Router::is_needed(&service.routing, &service.router)
                .then(|| Box::new(Router::new(&service.router))),
            lists: Lists::default(),
            blocks_per_entry: if let PrefixSpec::Cache { blocks_per_entry } = service.prefix {
                blocks_per_entry
            } else {
                0
            },
            parts: Vec::new(),
            engines: Vec::new(),
            seats: Vec::new(),
            events: WinnerTree::new(),
            loads: WinnerTree::new(),
            serving: Vec::new(),
            touched: Vec::new(),
            next_in_turn: 0,
            routing_dice: Stream::new(seed, Purpose::Routing, 0),
            waiting: 0,
            started: 0,
            drained: BTreeSet::new(),
            done: Vec::new(),
            watched: None,
            transfers: service.called_by.and_then(|call| call.transfer).map(|rules| Box::new(Transfers::new(rules))),
            kept: Vec::new(),
            lost: Vec::new(),
        }
    }

    /// The next instant at which anything happens.
    fn next_instant(&mut self) -> u64 {
        if !self.touched.is_empty() {
            return self.clock;
        }
        while let Some(&(_, key, generation)) = self.deadlines.front()
            && !self.requests.is_alive(key, generation)
        {
            self.deadlines.pop_front();
        }
        let arrival = self.intake.next_arrival();
        let deadline = self.deadline_due();
        let retry = self.retrying.peek().map_or(NEVER, |Reverse(retry)| retry.0);
        let hold = self.hold_due();
        let landing = self.transfers.as_ref().map_or(NEVER, |transfers| transfers.next());
        self.events.first().0.min(arrival).min(deadline).min(retry).min(hold).min(landing)
    }

    /// When the next client leaves.
    fn deadline_due(&mut self) -> u64 {
        match &mut self.impatience {
            Some(impatience) => impatience.next(&self.requests),
            None => self.deadlines.front().map_or(NEVER, |deadline| deadline.0),
        }
    }

    /// Everything that happens at `now`, which [`LlmFlow::next_instant`] gave: answers, arrivals, time-outs, starts.
    fn instant(&mut self, now: u64) {
        self.look(now);
        self.clock = now;
        let is_quiet = self.is_quiet(now);
        while self.events.first().0 <= now {
            let slot = self.events.first().1;
            self.settle_engine(slot);
            if is_quiet {
                self.start_engine(slot);
            } else {
                self.events.set(slot, NEVER);
                self.touch(slot);
            }
        }
        if is_quiet {
            self.done_until = Some(now);
            return;
        }
        self.land();
        // Retries that fall due were decided on earlier than those this instant may still bring; those come later.
        let mut returning = Vec::new();
        while let Some(Reverse((at, entry))) = self.retrying.peek().copied()
            && at <= now
        {
            self.retrying.pop();
            returning.push(entry);
        }
        while self.intake.next_arrival() == now {
            let head = self.intake.head;
            let (prompt, output) = (self.intake.prompt_tokens[head].max(1), self.intake.output_tokens[head].max(1));
            if self.intake.goes_on(prompt) {
                self.intake.pass_on((prompt, output));
                continue;
            }
            let tag = self.intake.tag(head);
            let list =
                if self.blocks_per_entry > 0 { self.lists.keep(self.intake.blocks_of(head)) } else { book::NO_LIST };
            let ticket = self.intake.admit();
            let tag = self.intake.tag_of(ticket).unwrap_or(tag);
            let number = self.clients.number(&self.intake, ticket, now);
            self.arrive(Entry { tag, list, number, ..Entry::new(now, (prompt, output), ticket) });
        }
        for entry in returning {
            self.arrive(entry);
        }
        self.tend_hold();
        self.time_out();
        self.dispatch();
        self.start_engines();
        self.done_until = Some(now);
    }

    /// Whether nothing but engines has anything to do at `now`: each can then go on as soon as it is settled.
    fn is_quiet(&mut self, now: u64) -> bool {
        self.touched.is_empty()
            && !self.intake.is_reactive()
            && (self.queue.is_empty() || self.routing != Routing::CentralQueue)
            && self.hold.as_ref().is_none_or(|hold| hold.len() == 0)
            && self.intake.arrivals[self.intake.head] > now
            && self.deadline_due() > now
            && self.retrying.peek().is_none_or(|Reverse(retry)| retry.0 > now)
    }

    /// An engine's iterations up to now are completed, its finished requests booked.
    fn settle_engine(&mut self, slot: Slot) {
        let mut done = std::mem::take(&mut self.done);
        self.engines[slot].settle(self.clock, &mut done);
        if !done.is_empty() {
            let finished = done.len() as u64;
            // Engines may keep them in any order.
            done.sort_unstable_by_key(|job| job.key);
            done.drain(..).for_each(|job| self.book(slot, &job));
            self.set_load(slot, self.seats[slot].load - finished);
        }
        self.done = done;
    }

    /// A request is finished by the engine now.
    fn book(&mut self, slot: Slot, job: &Job) {
        let entry = self.requests.get(job.key);
        let overhead = self.clients.overhead(entry.number);
        let end = self.clock + overhead;
        let seat = &mut self.seats[slot];
        seat.tokens -= u64::from(entry.prompt);
        seat.stats.wait_ns += job.start - entry.arrival;
        seat.stats.compute_ns += self.clock - job.start;
        let mut timeout = self.rules.timeout;
        if self.impatience.is_some() {
            let waits = self.clients.waits(entry.number);
            let patient_until = entry.arrival.saturating_add(waits.service);
            // What lies behind has been judged when it was due, and a kill since may have taken the first token away again.
            let has_seen_enough = patient_until < self.clock || job.first_token + overhead <= patient_until;
            timeout = if has_seen_enough { waits.answer } else { waits.in_queue() };
        }
        if end - entry.arrival > timeout {
            // Its client leaves while the answer is on its way.
            seat.stats.failure += 1;
            self.requests.remove(job.key);
            if self.limits.keeps_finished {
                self.engines[slot].let_go_of(job.key, Instant { now: self.clock, has_started: false });
            }
            self.fail(entry, Failure::TimedOut, entry.arrival + timeout, Some((job.start, slot)));
            return;
        }
        seat.stats.success += 1;
        self.lists.forget(entry.list);
        let answer = Streamed {
            arrival: entry.first_arrival,
            start: job.start,
            first_token: job.first_token + overhead,
            end,
            prompt: entry.prompt,
            tokens: job.output,
        };
        let pod = seat.pod;
        self.meter.asked_at(self.intake.asked(entry.ticket));
        self.meter.answer_streamed(&answer, pod);
        if self.limits.keeps_finished {
            // Its key stays in use until what it has left is fetched.
            let kept = Kept { slot, request: (job.key, self.requests.leave(job.key)) };
            self.kept.push(kept);
            self.intake.handed_over(
                entry.ticket,
                end,
                Handover { kept: Some(kept), tokens: (entry.prompt, entry.output), tag: entry.tag },
            );
            return;
        }
        self.requests.remove(job.key);
        self.intake.ended(entry.ticket, end, true);
    }

    /// Tokens of the answer that is made here.
    fn answer_of(&self, entry: &Entry) -> u32 {
        if self.limits.keeps_finished { 1 } else { entry.output }
    }

    /// A request, or a retry of one, arrives.
    fn arrive(&mut self, entry: Entry) {
        if self.is_prompt_lost(entry.ticket) {
            return self.fail(entry, Failure::Lost, self.clock, None);
        }
        let is_turned_away = self.serving.is_empty() && self.rules.reject_without_replica
            || self.waiting >= self.rules.queue_limit as u64
            || !self.limits.can_ever_serve(entry.prompt, self.answer_of(&entry))
            || self.is_shed(entry.tag.priority, entry.prompt);
        if is_turned_away {
            return self.fail(entry, Failure::Rejected, self.clock, None);
        }
        let (key, generation) = self.requests.insert(entry);
        if let Some(impatience) = &mut self.impatience {
            impatience.note(&entry, &self.clients, (key, generation));
        } else if self.rules.timeout != NEVER {
            self.deadlines.push_back((entry.arrival.saturating_add(self.rules.timeout), key, generation));
        }
        self.waiting += 1;
        if self.hold.is_some() {
            self.hold_back(key);
            self.try_one();
        } else if self.serving.is_empty() || self.routing == Routing::CentralQueue {
            self.queue.push_back(key);
        } else {
            self.route(key);
        }
    }

    /// Brings a waiting request to the replica its routing picks.
    fn route(&mut self, key: u32) {
        let slot = match self.routing {
            Routing::RoundRobin => {
                let slot = self.serving[self.next_in_turn % self.serving.len()];
                self.next_in_turn = (self.next_in_turn + 1) % self.serving.len();
                slot
            }
            Routing::Random => self.serving[self.routing_dice.below(self.serving.len() as u64) as usize],
            Routing::LeastRequests | Routing::CentralQueue => self.loads.first().1,
            Routing::PowerOfTwo => self.better_of_two(),
            Routing::Scored(weights) => self.pick_scored(key, &weights),
            Routing::SessionAffinity => {
                self.home_of(self.requests.get(key).tag.session).unwrap_or_else(|| self.loads.first().1)
            }
        };
        self.give(key, slot);
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

    /// Gives a waiting request to the engine at `slot`, unless that turns it away.
    fn give(&mut self, key: u32, slot: Slot) {
        if self.seats[slot].refuses {
            let entry = self.requests.remove(key);
            self.waiting -= 1;
            return self.fail(entry, Failure::Lost, self.clock, None);
        }
        let entry = self.requests.place(key, Place::At(slot));
        let has_started = self.done_until.is_some_and(|until| until >= self.clock);
        // What the router has held comes to the engine in the order in which it is let go.
        let rank = if self.hold.is_some() { self.clock } else { entry.arrival };
        let mut job = Job::new(key, (entry.prompt, self.answer_of(&entry)), self.clock, rank);
        if self.is_kept(entry.ticket) {
            job = job.computed_elsewhere();
        }
        if self.limits.has_prefix_cache {
            let mut parts = std::mem::take(&mut self.parts);
            self.parts_of(&entry, &mut parts);
            job.holding = self.engines[slot].announce(&parts);
            self.parts = parts;
        }
        // The engine's order is the other way round: smaller is sooner.
        job.priority = entry.tag.engine_priority;
        job.adapter = entry.tag.adapter;
        if let Some(router) = &mut self.router {
            router.settle(entry.tag.session, self.seats[slot].pod);
        }
        self.engines[slot].push(job, Instant { now: self.clock, has_started });
        self.seats[slot].waiting += 1;
        self.seats[slot].tokens += u64::from(entry.prompt);
        self.set_load(slot, self.seats[slot].load + 1);
        self.touch(slot);
    }

    fn set_load(&mut self, slot: Slot, load: u64) {
        let is_keeping = self.keeps(slot);
        let seat = &mut self.seats[slot];
        seat.load = load;
        match seat.stage {
            Stage::Serving => {
                let is_full = self.routing == Routing::CentralQueue && load >= self.limits.sequences as u64;
                self.loads.set(slot, if is_full { NEVER } else { load });
            }
            Stage::Draining if load == 0 && !seat.is_halted && !is_keeping => {
                self.drained.insert(slot);
            }
            Stage::Draining | Stage::Absent => {}
        }
    }

    fn touch(&mut self, slot: Slot) {
        if !std::mem::replace(&mut self.seats[slot].is_touched, true) {
            self.touched.push(slot);
        }
    }

    /// Hands the requests of the central queue to replicas with a free sequence slot.
    fn dispatch(&mut self) {
        if self.routing != Routing::CentralQueue {
            return;
        }
        while !self.queue.is_empty() && self.loads.first().0 != NEVER {
            let key = self.queue.pop_front().expect("the queue is not empty");
            self.route(key);
        }
    }

    fn start_engines(&mut self) {
        while let Some(slot) = self.touched.pop() {
            self.seats[slot].is_touched = false;
            if self.seats[slot].stage == Stage::Absent {
                continue;
            }
            self.start_engine(slot);
        }
    }

    fn start_engine(&mut self, slot: Slot) {
        self.started += self.engines[slot].start(self.clock);
        self.fetch(slot);
        self.count_waiting(slot);
        self.events.set(slot, self.engines[slot].next());
    }

    /// Counts anew how many wait at a replica.
    fn count_waiting(&mut self, slot: Slot) {
        let waiting = self.engines[slot].waiting();
        let seat = &mut self.seats[slot];
        self.waiting = self.waiting + waiting - seat.waiting;
        seat.waiting = waiting;
    }

    /// A request fails at `at`: its client tries again, or it is over.
    fn fail(&mut self, entry: Entry, failure: Failure, at: u64, service: Option<(u64, Slot)>) {
        if let Some(pause) = self.clients.pause_after(entry.attempt) {
            let (again, attempt) = (at + pause, entry.attempt + 1);
            let redrawn = self.clients.demand(entry.number, attempt);
            let output = redrawn.map_or(entry.output, |tokens| ((tokens + 0.5) as u32).max(1));
            let next = Entry { arrival: again, attempt, output, place: Place::Queue, ..entry };
            self.retrying.push(Reverse((again, next)));
            self.meter.fail_attempt(failure);
            return;
        }
        self.lists.forget(entry.list);
        let served = service.map(|(start, slot)| (start, self.seats[slot].pod));
        self.meter.asked_at(self.intake.asked(entry.ticket));
        self.meter.fail_prompt((entry.first_arrival, Some(entry.prompt)), failure, at, served);
        self.intake.ended(entry.ticket, at, false);
    }
}
