//! The flow as the cluster sees it.

use std::cmp::Reverse;
use std::sync::Arc;

use units::{PodId, SimTime};

use super::{Due, EventFlow, Queue, Stage};
use crate::flow::latency::{LatencyLog, Watched};
use crate::flow::meter::Meter;
use crate::flow::reactive::Answered;
use crate::flow::{Drained, Flow, InHand, Load, ReplicaStats, Slot};
use crate::spec::Routing;

impl Flow for EventFlow {
    fn advance(&mut self, to: SimTime) -> Option<Drained> {
        let to = to.as_nanos();
        loop {
            if let Some(slot) = self.drained.pop_first() {
                return Some(Drained { slot, at: SimTime::from_nanos(self.clock) });
            }
            let next = self.next_instant();
            if next > to {
                self.clock = to;
                return None;
            }
            self.instant(next);
        }
    }

    fn next_due(&mut self) -> SimTime {
        SimTime::from_nanos(if self.drained.is_empty() { self.next_instant() } else { self.clock })
    }

    fn take_answered(&mut self, into: &mut Vec<Answered>) {
        self.intake.take_answered(into);
    }

    fn take_calls(&mut self, answered: &[Answered]) {
        self.intake.take_calls(answered);
    }

    fn add(&mut self, slot: Slot, pod: PodId, now: SimTime) {
        let queue = self.seat(slot, (pod, Stage::Serving), now);
        for server in self.servers_of(slot) {
            self.queues[queue].idle.insert((now.as_nanos(), server));
        }
        let held = self.held.len();
        for request in self.held.take(held) {
            let joined = self.join(request);
            self.wake_now(joined);
        }
        self.wake_now(queue);
    }

    fn drain(&mut self, slot: Slot, now: SimTime) -> Option<SimTime> {
        self.clock = now.as_nanos();
        let stage = self.seats[slot].stage;
        assert!(matches!(stage, Stage::Serving | Stage::Refusing), "only a serving replica can be drained");
        self.seats[slot].stage = Stage::Draining;
        self.serving.retain(|&other| other != slot);
        if self.routing == Routing::CentralQueue {
            let servers = self.servers_of(slot);
            self.queues[0].idle.retain(|(_, server)| !servers.contains(server));
            let busy = servers.filter(|&server| self.servers[server].in_service);
            let ends = busy.map(|server| {
                let work = &self.servers[server];
                work.start + self.discipline.duration(work.batch.len(), work.batch[0].service)
            });
            return Some(SimTime::from_nanos(ends.max().unwrap_or(0)).max(now));
        }
        self.is_empty(slot).then_some(now)
    }

    fn refuse(&mut self, slot: Slot, now: SimTime) {
        self.clock = now.as_nanos();
        assert!(self.seats[slot].stage == Stage::Serving, "only a serving replica can begin to refuse");
        self.seats[slot].stage = Stage::Refusing;
    }

    fn add_dead(&mut self, slot: Slot, pod: PodId, now: SimTime) {
        self.seat(slot, (pod, Stage::Refusing), now);
    }

    fn remove(&mut self, slot: Slot, now: SimTime) -> (ReplicaStats, u64) {
        self.clock = now.as_nanos();
        if matches!(self.seats[slot].stage, Stage::Serving | Stage::Refusing) {
            self.drain(slot, now);
        }
        let per_replica = self.discipline.servers_per_replica() as u64;
        let mut serving = Vec::new();
        for server in self.servers_of(slot) {
            let work = &mut self.servers[server];
            work.epoch += 1;
            if std::mem::take(&mut work.in_service) {
                let start = work.start;
                let batch = std::mem::take(&mut work.batch).into_iter();
                serving.extend(batch.filter(|request| !request.is_abandoned).map(|request| (request, start)));
                self.seats[slot].stats.busy_ns += (now.as_nanos() - start) / per_replica;
            }
        }
        if self.rules.requeue_killed {
            self.started -= serving.len() as u64;
        }
        let mut waiting = Vec::new();
        if self.routing != Routing::CentralQueue {
            let Queue { waiting: mut line, .. } =
                std::mem::replace(&mut self.queues[slot], Queue::new(self.clients.differ()));
            waiting = line.take(line.len());
            self.waiting -= waiting.len();
        }
        self.seats[slot].stage = Stage::Absent;
        self.drained.remove(&slot);
        let lost = self.dispose(slot, waiting, serving);
        self.wake_now(0);
        (self.seats[slot].stats, lost)
    }

    fn settle(&mut self, _now: SimTime) {}

    fn stats(&mut self, slot: Slot, now: SimTime) -> ReplicaStats {
        let per_replica = self.discipline.servers_per_replica() as u64;
        let busy = self.servers_of(slot).filter(|&server| self.servers[server].in_service);
        let under_way: u64 = busy.map(|server| (now.as_nanos() - self.servers[server].start) / per_replica).sum();
        let stats = self.seats[slot].stats;
        ReplicaStats { busy_ns: stats.busy_ns + under_way, ..stats }
    }

    fn replica_load(&self, slot: Slot, _now: SimTime) -> (u64, u64) {
        let serving = self.servers_of(slot).map(|server| self.servers[server].batch.len() as u64).sum();
        let waiting = if self.routing == Routing::CentralQueue { 0 } else { self.queues[slot].waiting.len() as u64 };
        (waiting, serving)
    }

    fn central_queue(&mut self, _now: SimTime) -> u64 {
        if self.routing == Routing::CentralQueue { self.waiting as u64 } else { self.held.len() as u64 }
    }

    fn in_hand(&self, slot: Slot, now: SimTime) -> InHand {
        let servers = self.servers_of(slot).map(|server| &self.servers[server]).filter(|server| server.in_service);
        let now = now.as_nanos();
        servers.fold(InHand::default(), |sum, server| sum.with_whole(now - server.start, server.batch.len() as u64))
    }

    fn retrying(&self) -> u64 {
        self.pending_retries
    }

    fn watch_latency(&mut self, watched: &Arc<Watched>) {
        self.whole.watch(watched);
    }

    fn latency(&mut self, slot: Slot, _now: SimTime) -> Option<&LatencyLog> {
        self.whole.log(slot)
    }

    fn load(&mut self, now: SimTime) -> Load {
        let serving = self.servers.iter().flat_map(|server| &server.batch);
        let in_flight = serving.filter(|request| !request.is_abandoned).count() as u64;
        // A request between two attempts waits, at its client.
        let waiting = self.waiting as u64 + self.pending_retries;
        let arrived = self.intake.arrived(now.as_nanos());
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
        let now = now.as_nanos();
        let waiting = self.queues.iter().flat_map(|queue| queue.waiting.iter()).chain(self.held.iter());
        let serving = self.servers.iter().flat_map(|server| &server.batch).filter(|request| !request.is_abandoned);
        let retrying = self.due.iter().filter_map(|Reverse((_, due))| match due {
            Due::Retry(request) => Some(request),
            Due::Finish { .. } | Due::Wake { .. } | Due::GiveUp { .. } => None,
        });
        let left = waiting.chain(serving).chain(retrying).map(|request| (request.first_arrival, request.ticket));
        for (arrival, ticket) in left.collect::<Vec<_>>() {
            self.meter.asked_at(self.intake.asked(ticket));
            self.meter.leave_in_system(arrival, now);
        }
        self.intake.arrived_measured(now)
    }
}
