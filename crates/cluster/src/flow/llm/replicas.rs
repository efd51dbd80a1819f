//! Replicas come and go: what becomes of the requests they have, and who takes those that wait for one.

use units::{PodId, SimTime};

use super::book::Place;
use super::engine::{Engine, Job};
use super::{Failure, LlmFlow, NEVER, Routing, Seat, Slot, Stage};

impl<E: Engine> LlmFlow<E> {
    /// Requests of a removed replica are lost, or go back to where they stood, without what they had. Returns how many were lost.
    pub(super) fn dispose(&mut self, slot: Slot, mut jobs: Vec<Job>) -> u64 {
        if !self.rules.requeue_killed {
            self.seats[slot].stats.failure += jobs.len() as u64;
            for job in &jobs {
                let entry = self.requests.remove(job.key);
                let served = (job.start != NEVER).then_some((job.start, slot));
                self.fail(entry, Failure::Lost, self.clock, served);
            }
            return jobs.len() as u64;
        }
        self.started -= jobs.iter().filter(|job| job.start != NEVER).count() as u64;
        self.waiting += jobs.len() as u64;
        // Those in service first, as in the event flow: the order in which they are routed anew decides who draws which number.
        jobs.sort_by_key(|job| (job.start == NEVER, job.rank));
        if self.routing == Routing::CentralQueue {
            for job in jobs.iter().rev() {
                self.requests.place(job.key, Place::Queue);
                let place = self.queue.partition_point(|&other| self.requests.arrival(other) < job.rank);
                self.queue.insert(place, job.key);
            }
        } else if self.serving.is_empty() && self.hold.is_some() {
            for job in &jobs {
                self.requests.place(job.key, Place::Queue);
                self.hold_back(job.key);
            }
        } else if self.serving.is_empty() {
            // Held behind those of the same instant that an earlier kill has sent here.
            for job in &jobs {
                self.requests.place(job.key, Place::Queue);
                let place = self.queue.partition_point(|&other| self.requests.arrival(other) <= job.rank);
                self.queue.insert(place, job.key);
            }
        } else {
            for job in &jobs {
                self.route(job.key);
            }
        }
        0
    }

    /// A replica takes its place among those that take requests.
    pub(super) fn seat(&mut self, slot: Slot, pod: PodId, now: SimTime) {
        self.look(now.as_nanos());
        self.clock = now.as_nanos();
        if slot >= self.seats.len() {
            self.seats.resize(slot + 1, Seat::new(Stage::Absent, pod, false));
            self.engines.resize_with(slot + 1, || E::new(&self.limits));
        }
        assert!(self.seats[slot].stage == Stage::Absent, "slot {slot} is taken");
        let is_touched = self.seats[slot].is_touched;
        self.seats[slot] = Seat::new(Stage::Serving, pod, is_touched);
        self.engines[slot] = E::new(&self.limits);
        if let Some(router) = &mut self.router {
            router.add(slot, self.limits.blocks);
        }
        if let Some(watched) = &self.watched {
            self.engines[slot].watch_latency(watched);
        }
        self.events.set(slot, NEVER);
        self.set_load(slot, 0);
        let place = self.serving.partition_point(|&other| other < slot);
        self.serving.insert(place, slot);
    }

    /// Requests that were held because no replica was there go to those that are there now.
    pub(super) fn route_held(&mut self, slot: Slot) {
        if self.routing != Routing::CentralQueue {
            while let Some(key) = self.queue.pop_front() {
                self.route(key);
            }
        }
        self.touch(slot);
    }
}
