//! Which replica a request goes to.

use super::{Discipline, Failure, RoutedFlow, Routing, Slot, answer_due, start_due};

/// Arrivals routed before the replicas are looked at, per replica and at least: a replica that is looked at once for many requests costs
/// its cache misses once.
const ROUND_PER_REPLICA: usize = 16;
const ROUND_MIN: usize = 1_024;
/// Replicas with neighbouring slots whose requests of a round are handed over together: few enough that all of their state fits the
/// cache of one core.
pub(super) const GROUP: usize = 256;
/// Arrivals whose pairs of replicas are drawn in one go.
const BLOCK: usize = 32;

/// A request and the replica it goes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Routed {
    slot: Slot,
    arrival: u64,
    service: u64,
}

impl<D: Discipline> RoutedFlow<D> {
    /// Everything up to and including `to`.
    pub(super) fn process(&mut self, to: u64) {
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
        self.waiting -= self.held.expire(to, self.rules.leaves, &mut self.meter);
    }

    /// Arrivals up to `to` while no replica serves.
    fn hold_or_reject(&mut self, to: u64) {
        while let Some((arrival, service)) = self.next_arrival(to) {
            if self.rules.reject_without_replica {
                self.meter.fail(arrival, Failure::Rejected, arrival);
            } else {
                self.held.push((arrival, service));
                self.waiting += 1;
            }
        }
    }

    /// Routes a round of arrivals up to `to` by a rule that needs no answers, and looks at whoever is due.
    fn route_round(&mut self, to: u64) {
        let limit = ROUND_MIN.max(ROUND_PER_REPLICA * self.serving.len());
        let last = if self.routing == Routing::PowerOfTwo {
            self.route_to_better(limit, to)
        } else {
            self.route_by_group(limit, to)
        };
        // More may arrive at the instant of the last one.
        self.look(answer_due(last));
    }

    /// How many of the next [`BLOCK`] requests arrive up to `to`.
    #[inline]
    fn arrived_of_block(&mut self, to: u64) -> usize {
        self.intake.ensure(BLOCK);
        let head = self.intake.head;
        self.intake.arrivals[head..head + BLOCK].partition_point(|&arrival| arrival <= to)
    }

    /// Where a request goes depends on no other request. So the round is sorted by group first, and one group after the other is brought
    /// up to the last arrival: with 10,000 replicas a request finds its replica in the cache. Gives the last arrival routed.
    fn route_by_group(&mut self, limit: usize, to: u64) -> u64 {
        let mut last = 0;
        let is_one_group = self.groups.len() == 1;
        for _ in 0..limit / BLOCK {
            let count = self.arrived_of_block(to);
            for _ in 0..count {
                let (arrival, service) = self.intake.take();
                let slot = self.pick(arrival);
                if is_one_group {
                    self.join(slot, arrival, service);
                } else {
                    self.groups[slot / GROUP].push(Routed { slot, arrival, service });
                }
                last = arrival;
            }
            if count < BLOCK {
                break;
            }
        }
        if is_one_group {
            return last;
        }
        for group in 0..self.groups.len() {
            let mut routed = std::mem::take(&mut self.groups[group]);
            self.touch(group);
            for Routed { slot, arrival, service } in routed.drain(..) {
                self.join(slot, arrival, service);
            }
            self.groups[group] = routed;
            self.look_at_touched(answer_due(last));
        }
        last
    }

    /// Reads what the replicas of a group keep, one after the other, so that its cache misses overlap instead of waiting for each other.
    fn touch(&self, group: usize) {
        let slots = group * GROUP..self.watches.len().min((group + 1) * GROUP);
        let touched = slots.fold(0, |touched, slot| {
            let batch = self.batches[self.places_of(slot, 0, 1).start];
            touched ^ self.watches[slot].waiting ^ self.queues[slot].touch() ^ batch ^ self.stations[slot].stats.busy_ns
        });
        std::hint::black_box(touched);
    }

    /// The same to the less loaded of two replicas. The pairs of a block are drawn first, so that its cache misses overlap instead of
    /// waiting for each other.
    fn route_to_better(&mut self, limit: usize, to: u64) -> u64 {
        let mut last = 0;
        let mut pairs = [(0, 0); BLOCK];
        for _ in 0..limit / BLOCK {
            let count = self.arrived_of_block(to);
            let mut touched = 0;
            for pair in &mut pairs[..count] {
                *pair = self.draw_two();
                touched ^= self.watches[pair.0].waiting ^ self.queues[pair.0].touch();
                touched ^= self.watches[pair.1].waiting ^ self.queues[pair.1].touch();
            }
            std::hint::black_box(touched);
            for &pair in &pairs[..count] {
                let (arrival, service) = self.intake.take();
                let slot = self.better(pair, arrival);
                self.join(slot, arrival, service);
                last = arrival;
            }
            if count < BLOCK {
                break;
            }
        }
        last
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
    pub(super) fn pick(&mut self, now: u64) -> Slot {
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
            Routing::Scored(_) | Routing::SessionAffinity => {
                panic!("only language models are routed by scores or sessions")
            }
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
}
