//! The fast path for least requests over replicas that serve one batch at a time.
//!
//! Who has the fewest requests changes with arrivals and with answers, not with starts of service. So a replica is looked at when a request joins
//! it and when it answers, and never in between: its next batch is planned, and planned anew by whoever joins it before it starts. What is planned
//! and what is being served are one record, which the clock alone turns from the one into the other.

mod queue;
mod replica;

use std::sync::Arc;

use replica::{Next, Replica};
use units::{PodId, SimTime};

use super::central::Discipline;
use super::draining::Draining;
use super::held::Held;
use super::intake::Intake;
use super::latency::{LatencyLog, Watched, WholeAnswers};
use super::loads::LoadIndex;
use super::meter::{Failure, Meter};
use super::tree::{NEVER, WinnerTree};
use super::{Drained, Flow, InHand, Load, ReplicaStats, Rules, Slot, answer_due, start_due};
use crate::spec::{Routing, ServiceModel, ServiceSpec};

/// Can this flow express `service`?
pub fn is_expressible(service: &ServiceSpec) -> bool {
    let has_one_server = match service.model {
        ServiceModel::Slots { concurrency, .. } => concurrency == 1,
        ServiceModel::DynamicBatching { .. } => true,
        ServiceModel::ContinuousBatching { .. } => false,
    };
    has_one_server
        && service.routing == Routing::LeastRequests
        && service.retries.is_none()
        && !service.clients_differ()
        && service.queue_limit.is_none()
}

/// What of a replica is not needed for every request.
#[derive(Clone, Copy, Debug)]
struct Station {
    /// It is there, serving or draining.
    is_present: bool,
    pod: PodId,
}

/// One queue per replica, joined by whoever finds it the shortest.
pub struct LeastFlow<D> {
    rules: Rules,
    discipline: D,
    intake: Intake,
    meter: Meter,
    replicas: Vec<Replica>,
    stats: Vec<ReplicaStats>,
    stations: Vec<Station>,
    /// When each replica answers next, or a client gives up there.
    dues: WinnerTree,
    /// Loads of the serving replicas.
    loads: LoadIndex,
    /// How many serve.
    serving: usize,
    held: Held,
    /// Requests whose service has started and that are not being served any longer.
    ended: u64,
    /// Everything up to this instant has happened.
    now: u64,
    /// Replicas that requests have joined late since then.
    open: Vec<Slot>,
    draining: Draining,
    whole: WholeAnswers,
}

impl<D: Discipline> LeastFlow<D> {
    /// A flow without any replica.
    pub fn new(service: &ServiceSpec, discipline: D, intake: Intake, meter: Meter) -> Self {
        Self {
            rules: Rules::of(service),
            discipline,
            intake,
            meter,
            replicas: Vec::new(),
            stats: Vec::new(),
            stations: Vec::new(),
            dues: WinnerTree::new(),
            loads: LoadIndex::default(),
            serving: 0,
            held: Held::new(),
            ended: 0,
            now: 0,
            open: Vec::new(),
            draining: Draining::default(),
            whole: WholeAnswers::default(),
        }
    }

    /// Everything up to and including `to`.
    fn process(&mut self, to: u64) {
        for slot in self.open.drain(..) {
            self.replicas[slot].is_open = false;
        }
        loop {
            self.intake.ensure(1);
            let next = self.intake.arrivals[self.intake.head];
            if next > to {
                break;
            }
            self.look(answer_due(next));
            let request = self.intake.take();
            if self.serving > 0 {
                self.route(request);
            } else if self.rules.reject_without_replica {
                self.meter.fail(request.0, Failure::Rejected, request.0);
            } else {
                self.held.push(request);
            }
        }
        self.look(start_due(to));
        self.held.expire(to, self.rules.leaves, &mut self.meter);
        self.now = to;
    }

    /// Looks at every replica that is due up to and including `bound`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a step of the one loop that every request goes through twice")]
    fn look(&mut self, bound: u64) {
        loop {
            let (due, slot) = self.dues.first();
            if due > bound {
                return;
            }
            self.turn(slot, due);
        }
    }

    /// A request that has just arrived joins the replica with the fewest.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a step of the one loop that every request goes through twice")]
    fn route(&mut self, (arrival, service): (u64, u64)) {
        let slot = self.loads.raise_first().expect("a replica serves");
        let replica = &mut self.replicas[slot];
        replica.queue.push(arrival, service);
        // Only one that has not started is changed by who joins.
        if replica.is_settled_at(arrival) {
            if replica.queue.len() == replica.batch() + 1 {
                self.hasten(slot, arrival);
            }
        } else {
            self.plan(slot);
        }
    }

    /// A request comes to a replica at `now`, having arrived earlier.
    #[cold]
    fn join_late(&mut self, request: (u64, u64), now: u64) {
        let slot = self.loads.raise_first().expect("a replica serves");
        let replica = &mut self.replicas[slot];
        let started = replica.serving_at(now);
        replica.queue.insert(request.0, request.1, started);
        replica.floor = now;
        if started == 0 {
            if !std::mem::replace(&mut replica.is_open, true) {
                self.open.push(slot);
            }
            self.plan(slot);
        } else {
            self.due_while_serving(slot);
        }
    }

    /// The first request that waits behind a batch arrived at `arrival`: does its client give up before that is answered?
    #[inline]
    fn hasten(&mut self, slot: Slot, arrival: u64) {
        if arrival.saturating_add(self.rules.leaves) < self.replicas[slot].end {
            self.due_while_serving(slot);
        }
    }

    /// Plans the next batch of a replica that serves nothing now.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a step of the one loop that every request goes through twice")]
    fn plan(&mut self, slot: Slot) {
        let replica = &mut self.replicas[slot];
        let due = match replica.next(&self.discipline, self.rules.leaves) {
            Next::Nothing => {
                replica.forget();
                NEVER
            }
            Next::GivesUp(at) => {
                replica.forget();
                start_due(at)
            }
            Next::Batch { start, end, len } => {
                replica.begin(start, end, len);
                replica.due(self.rules.leaves)
            }
        };
        self.dues.set(slot, due);
    }

    /// Who waits behind the batch that a replica serves is not whom it was.
    #[cold]
    fn due_while_serving(&mut self, slot: Slot) {
        self.dues.set(slot, self.replicas[slot].due(self.rules.leaves));
    }

    /// What a replica is due for at `due`: an answer, or a client gives up.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a step of the one loop that every request goes through twice")]
    fn turn(&mut self, slot: Slot, due: u64) {
        if self.replicas[slot].answer_due() == due {
            self.answer(slot);
        } else {
            self.give_up(slot, due >> 1);
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a step of the one loop that every request goes through twice")]
    fn answer(&mut self, slot: Slot) {
        let replica = &mut self.replicas[slot];
        let (len, span) = (replica.batch(), (replica.start, replica.end));
        let arrivals = &replica.queue.arrivals()[..len];
        let abandoned = self.meter.batch(arrivals, span.0, span.1, self.stations[slot].pod);
        self.stats[slot].answer(arrivals, span, abandoned, 1);
        if self.whole.is_on() {
            arrivals.iter().for_each(|&arrival| self.whole.answer(slot, arrival, span));
        }
        replica.queue.take(len);
        replica.free = span.1;
        self.ended += len as u64;
        if replica.is_serving {
            self.loads.lower(slot, len as u64);
        }
        self.plan(slot);
    }

    /// The client of the first request that waits at a replica gives up.
    #[cold]
    fn give_up(&mut self, slot: Slot, at: u64) {
        let replica = &mut self.replicas[slot];
        let first = replica.batch();
        self.meter.fail(replica.queue.arrivals()[first], Failure::TimedOut, at);
        self.stats[slot].given_up += 1;
        if replica.is_serving {
            self.loads.lower(slot, 1);
        }
        replica.queue.take_at(first);
        if first > 0 {
            self.due_while_serving(slot);
        } else {
            self.plan(slot);
        }
    }

    fn leave_serving(&mut self, slot: Slot) {
        if std::mem::take(&mut self.replicas[slot].is_serving) {
            self.serving -= 1;
            self.loads.set(slot, None);
        }
    }

    /// What a killed replica was serving at `now`, oldest first; it is answered no more.
    fn take_back(&mut self, slot: Slot, now: u64) -> Vec<(u64, u64)> {
        let replica = &self.replicas[slot];
        let count = replica.serving_at(now);
        let back: Vec<(u64, u64)> = replica.queue.iter().take(count).collect();
        if count > 0 {
            self.stats[slot].busy_ns += now - replica.start;
        }
        if !self.rules.requeue_killed {
            self.ended += count as u64;
            let service = Some((replica.start, self.stations[slot].pod));
            back.iter().for_each(|&(arrival, _)| self.meter.fail_served(arrival, Failure::Lost, now, service));
        }
        back
    }

    fn serving_slots(&self, now: u64) -> impl Iterator<Item = usize> + '_ {
        self.replicas.iter().map(move |replica| replica.serving_at(now))
    }
}

impl<D: Discipline> Flow for LeastFlow<D> {
    fn advance(&mut self, to: SimTime) -> Option<Drained> {
        let to = to.as_nanos();
        self.process(self.draining.limit(to));
        self.draining.take(to)
    }

    fn add(&mut self, slot: Slot, pod: PodId, now: SimTime) {
        let now = now.as_nanos();
        if slot >= self.replicas.len() {
            self.replicas.resize(slot + 1, Replica::default());
            self.stats.resize(slot + 1, ReplicaStats::default());
            self.stations.resize(slot + 1, Station { is_present: false, pod });
        }
        assert!(!self.stations[slot].is_present, "slot {slot} is taken");
        self.stations[slot] = Station { is_present: true, pod };
        self.stats[slot] = ReplicaStats::default();
        self.replicas[slot].restart(now);
        self.dues.set(slot, NEVER);
        self.whole.add(slot, now);
        self.serving += 1;
        self.loads.set(slot, Some(0));
        for request in self.held.take_all() {
            self.join_late(request, now);
        }
    }

    fn drain(&mut self, slot: Slot, now: SimTime) -> Option<SimTime> {
        assert!(self.replicas[slot].is_serving, "only a serving replica can be drained");
        self.leave_serving(slot);
        let replica = &self.replicas[slot];
        let empty_at = replica.empty_at(&self.discipline, self.rules.leaves, now.as_nanos());
        if empty_at == now.as_nanos() && replica.queue.len() == 0 {
            return Some(now);
        }
        self.draining.push(slot, empty_at);
        None
    }

    fn remove(&mut self, slot: Slot, now: SimTime) -> (ReplicaStats, u64) {
        let now = now.as_nanos();
        self.leave_serving(slot);
        self.stations[slot].is_present = false;
        self.draining.forget(slot);
        let serving = self.take_back(slot, now);
        let waiting: Vec<(u64, u64)> = self.replicas[slot].queue.iter().skip(serving.len()).collect();
        self.replicas[slot].restart(now);
        self.replicas[slot].is_serving = false;
        self.dues.set(slot, NEVER);
        if !self.rules.requeue_killed {
            let lost = (serving.len() + waiting.len()) as u64;
            self.stats[slot].failure += lost;
            waiting.into_iter().for_each(|(arrival, _)| self.meter.fail(arrival, Failure::Lost, now));
            return (self.stats[slot], lost);
        }
        for request in serving.into_iter().chain(waiting) {
            if self.serving == 0 {
                self.held.put_back(request, now);
            } else {
                self.join_late(request, now);
            }
        }
        (self.stats[slot], 0)
    }

    // Answers are booked as they are given.
    fn settle(&mut self, _now: SimTime) {}

    fn stats(&mut self, slot: Slot, now: SimTime) -> ReplicaStats {
        let (replica, stats, now) = (&self.replicas[slot], self.stats[slot], now.as_nanos());
        let under_way = if replica.serving_at(now) > 0 { now - replica.start } else { 0 };
        ReplicaStats { busy_ns: stats.busy_ns + under_way, ..stats }
    }

    fn replica_load(&self, slot: Slot, now: SimTime) -> (u64, u64) {
        let serving = self.replicas[slot].serving_at(now.as_nanos());
        ((self.replicas[slot].queue.len() - serving) as u64, serving as u64)
    }

    fn central_queue(&mut self, _now: SimTime) -> u64 {
        self.held.len()
    }

    fn in_hand(&self, slot: Slot, now: SimTime) -> InHand {
        let (replica, now) = (&self.replicas[slot], now.as_nanos());
        match replica.serving_at(now) {
            0 => InHand::default(),
            serving => InHand::default().with_whole(now - replica.start, serving as u64),
        }
    }

    fn watch_latency(&mut self, watched: &Arc<Watched>) {
        self.whole.watch(watched);
    }

    fn latency(&mut self, slot: Slot, _now: SimTime) -> Option<&LatencyLog> {
        self.whole.log(slot)
    }

    fn load(&mut self, now: SimTime) -> Load {
        let arrived = self.intake.arrived(now.as_nanos());
        let in_flight = self.serving_slots(now.as_nanos()).sum::<usize>() as u64;
        let here = self.replicas.iter().map(|replica| replica.queue.len()).sum::<usize>() as u64;
        Load::conserved(&self.meter, arrived, (here - in_flight + self.held.len(), in_flight), now)
    }

    fn started(&self) -> u64 {
        self.ended + self.serving_slots(self.now).sum::<usize>() as u64
    }

    fn meter(&mut self) -> &mut Meter {
        &mut self.meter
    }

    fn finish(&mut self, now: SimTime) -> u64 {
        self.load(now);
        let now = now.as_nanos();
        let waiting = self.replicas.iter().flat_map(|replica| replica.queue.iter()).chain(self.held.iter());
        waiting.for_each(|(arrival, _)| self.meter.leave_in_system(arrival, now));
        self.intake.arrived_measured(now)
    }
}
