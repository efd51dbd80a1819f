//! A flow among others: one that has run ahead of the clock takes what happens before its time as if it happened now.
//!
//! Flows of several services move on between two control events one after the other, those with a draining replica first. Each stops where
//! one runs empty, and those after it stop there too. If two services have one that runs empty in the same gap, the first may be ahead of
//! the second's instant. What that means for it (room that becomes free, a pod that starts in no time) reaches it at the instant it is at:
//! later by less than that gap.

use std::sync::Arc;

use units::{PodId, SimDuration, SimTime};

use super::{Answered, Drained, Flow, InHand, Kept, LatencyLog, Load, Meter, ReplicaStats, Slot, Watched};

/// A flow with its own notion of now, which never goes back.
pub(super) struct Paced {
    flow: Box<dyn Flow>,
    reached: SimTime,
}

impl Paced {
    pub fn new(flow: Box<dyn Flow>) -> Self {
        Self { flow, reached: SimTime::ZERO }
    }

    fn at(&self, now: SimTime) -> SimTime {
        now.max(self.reached)
    }
}

impl Flow for Paced {
    fn advance(&mut self, to: SimTime) -> Option<Drained> {
        if to < self.reached {
            return None;
        }
        let drained = self.flow.advance(to);
        self.reached = drained.map_or(to, |drained| drained.at);
        drained
    }

    fn next_due(&mut self) -> SimTime {
        self.flow.next_due()
    }

    fn take_answered(&mut self, into: &mut Vec<Answered>) {
        self.flow.take_answered(into);
    }

    fn take_calls(&mut self, answered: &[Answered]) {
        self.flow.take_calls(answered);
    }

    fn take_lost(&mut self, into: &mut Vec<Kept>) {
        self.flow.take_lost(into);
    }

    fn lose(&mut self, lost: &[Kept]) {
        self.flow.lose(lost);
    }

    fn take_released(&mut self, into: &mut Vec<Kept>) {
        self.flow.take_released(into);
    }

    fn release(&mut self, released: &[Kept]) {
        self.flow.release(released);
    }

    fn add(&mut self, slot: Slot, pod: PodId, now: SimTime) {
        self.flow.add(slot, pod, self.at(now));
    }

    fn drain(&mut self, slot: Slot, now: SimTime) -> Option<SimTime> {
        self.flow.drain(slot, self.at(now))
    }

    fn refuse(&mut self, slot: Slot, now: SimTime) {
        self.flow.refuse(slot, self.at(now));
    }

    fn add_dead(&mut self, slot: Slot, pod: PodId, now: SimTime) {
        self.flow.add_dead(slot, pod, self.at(now));
    }

    fn halt(&mut self, slot: Slot, now: SimTime) {
        self.flow.halt(slot, self.at(now));
    }

    fn slow_first(&mut self, slot: Slot, delay: SimDuration) {
        self.flow.slow_first(slot, delay);
    }

    fn remove(&mut self, slot: Slot, now: SimTime) -> (ReplicaStats, u64) {
        self.flow.remove(slot, self.at(now))
    }

    fn settle(&mut self, now: SimTime) {
        self.flow.settle(self.at(now));
    }

    fn stats(&mut self, slot: Slot, now: SimTime) -> ReplicaStats {
        self.flow.stats(slot, self.at(now))
    }

    fn replica_load(&self, slot: Slot, now: SimTime) -> (u64, u64) {
        self.flow.replica_load(slot, self.at(now))
    }

    fn central_queue(&mut self, now: SimTime) -> u64 {
        self.flow.central_queue(self.at(now))
    }

    fn kv_usage(&self, slot: Slot, now: SimTime) -> f64 {
        self.flow.kv_usage(slot, self.at(now))
    }

    fn in_hand(&self, slot: Slot, now: SimTime) -> InHand {
        self.flow.in_hand(slot, self.at(now))
    }

    fn saturation(&mut self) -> Option<f64> {
        self.flow.saturation()
    }

    fn expired(&self) -> u64 {
        self.flow.expired()
    }

    fn retrying(&self) -> u64 {
        self.flow.retrying()
    }

    fn watch_latency(&mut self, watched: &Arc<Watched>) {
        self.flow.watch_latency(watched);
    }

    fn latency(&mut self, slot: Slot, now: SimTime) -> Option<&LatencyLog> {
        self.flow.latency(slot, self.at(now))
    }

    fn load(&mut self, now: SimTime) -> Load {
        self.flow.load(self.at(now))
    }

    fn started(&self) -> u64 {
        self.flow.started()
    }

    fn meter(&mut self) -> &mut Meter {
        self.flow.meter()
    }

    fn finish(&mut self, now: SimTime) -> u64 {
        self.flow.finish(self.at(now))
    }
}
