//! The flow of language models as the cluster sees it.

use std::cmp::Reverse;
use std::sync::Arc;

use units::{PodId, SimDuration, SimTime};

use super::engine::Engine;
use super::hold::Hold;
use super::{LlmFlow, Stage};
use crate::flow::intake::NEVER;
use crate::flow::latency::{LatencyLog, Watched};
use crate::flow::meter::Meter;
use crate::flow::reactive::{Answered, Kept};
use crate::flow::{Drained, Flow, InHand, Load, ReplicaStats, Slot};

impl<E: Engine> Flow for LlmFlow<E> {
    fn advance(&mut self, to: SimTime) -> Option<Drained> {
        let to = to.as_nanos();
        loop {
            if let Some(slot) = self.drained.pop_first() {
                return Some(Drained { slot, at: SimTime::from_nanos(self.clock) });
            }
            let next = self.next_instant();
            if next > to {
                self.look(to);
                self.clock = to;
                self.done_until = Some(to);
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

    fn take_lost(&mut self, into: &mut Vec<Kept>) {
        into.append(&mut self.lost);
    }

    fn lose(&mut self, lost: &[Kept]) {
        self.lose_prompts(lost);
    }

    fn take_released(&mut self, into: &mut Vec<Kept>) {
        if let Some(reactive) = self.intake.apart() {
            reactive.take_released(into);
        }
    }

    fn release(&mut self, released: &[Kept]) {
        self.let_go_of(released);
    }

    fn add(&mut self, slot: Slot, pod: PodId, now: SimTime) {
        self.seat(slot, pod, now);
        self.route_held(slot);
    }

    fn drain(&mut self, slot: Slot, now: SimTime) -> Option<SimTime> {
        self.look(now.as_nanos());
        self.clock = now.as_nanos();
        if let Some(router) = &mut self.router {
            router.saturation = None;
        }
        assert!(self.seats[slot].stage == Stage::Serving, "only a serving replica can be drained");
        self.seats[slot].stage = Stage::Draining;
        self.serving.retain(|&other| other != slot);
        self.loads.set(slot, NEVER);
        (self.seats[slot].load == 0 && !self.keeps(slot)).then_some(now)
    }

    fn refuse(&mut self, slot: Slot, now: SimTime) {
        self.look(now.as_nanos());
        self.clock = now.as_nanos();
        assert!(self.seats[slot].stage == Stage::Serving, "only a serving replica can begin to refuse");
        self.seats[slot].refuses = true;
    }

    fn add_dead(&mut self, slot: Slot, pod: PodId, now: SimTime) {
        self.seat(slot, pod, now);
        self.seats[slot].refuses = true;
        self.route_held(slot);
    }

    fn halt(&mut self, slot: Slot, now: SimTime) {
        self.look(now.as_nanos());
        self.clock = now.as_nanos();
        self.engines[slot].halt(self.clock);
        (self.seats[slot].refuses, self.seats[slot].is_halted) = (true, true);
        self.events.set(slot, NEVER);
    }

    fn slow_first(&mut self, slot: Slot, delay: SimDuration) {
        self.engines[slot].slow_first(delay.as_nanos());
    }

    fn remove(&mut self, slot: Slot, now: SimTime) -> (ReplicaStats, u64) {
        self.look(now.as_nanos());
        self.clock = now.as_nanos();
        if self.seats[slot].stage == Stage::Serving {
            self.drain(slot, now);
        }
        let jobs = self.engines[slot].clear(self.clock);
        if let Some(transfers) = &mut self.transfers {
            jobs.iter().for_each(|job| transfers.cancel(job.key, self.clock));
        }
        self.lose_kept(slot);
        self.count_waiting(slot);
        (self.seats[slot].load, self.seats[slot].tokens) = (0, 0);
        self.events.set(slot, NEVER);
        self.drained.remove(&slot);
        let lost = self.dispose(slot, jobs);
        let stats = self.stats(slot, now);
        self.seats[slot].stage = Stage::Absent;
        // Requests that are back in the central queue may find another replica at once.
        if let Some(&other) = self.serving.first()
            && !self.queue.is_empty()
        {
            self.touch(other);
        }
        (stats, lost)
    }

    fn settle(&mut self, _now: SimTime) {}

    fn stats(&mut self, slot: Slot, now: SimTime) -> ReplicaStats {
        let engine = self.engines[slot].stats(now.as_nanos());
        ReplicaStats {
            executions: engine.iterations,
            busy_ns: engine.busy_ns,
            prompt_tokens: engine.prompt_tokens,
            output_tokens: engine.output_tokens,
            preemptions: engine.preemptions,
            admitted_tokens: engine.admitted_tokens,
            hit_tokens: engine.hit_tokens,
            cached_tokens: engine.cached_tokens,
            fetched_tokens: engine.fetched_tokens,
            adapter_loads: engine.adapter_loads,
            ..self.seats[slot].stats
        }
    }

    fn replica_load(&self, slot: Slot, _now: SimTime) -> (u64, u64) {
        (self.engines[slot].waiting(), self.engines[slot].running())
    }

    fn central_queue(&mut self, _now: SimTime) -> u64 {
        (self.queue.len() + self.hold.as_ref().map_or(0, Hold::len)) as u64
    }

    fn saturation(&mut self) -> Option<f64> {
        self.router.is_some().then(|| LlmFlow::saturation(self))
    }

    fn expired(&self) -> u64 {
        self.expired
    }

    fn kv_usage(&self, slot: Slot, now: SimTime) -> f64 {
        self.engines[slot].kv_usage(now.as_nanos())
    }

    fn in_hand(&self, slot: Slot, now: SimTime) -> InHand {
        self.engines[slot].in_hand(now.as_nanos())
    }

    fn retrying(&self) -> u64 {
        self.retrying.len() as u64
    }

    fn watch_latency(&mut self, watched: &Arc<Watched>) {
        self.watched = Some(watched.clone());
    }

    fn latency(&mut self, slot: Slot, now: SimTime) -> Option<&LatencyLog> {
        self.engines[slot].stats(now.as_nanos());
        self.engines[slot].latency()
    }

    fn load(&mut self, now: SimTime) -> Load {
        let in_flight = self.engines.iter().map(Engine::running).sum();
        // A request between two attempts waits, at its client.
        let waiting = self.waiting + self.retrying.len() as u64;
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
        let at_replicas = self.engines.iter().flat_map(Engine::keys);
        let keys = at_replicas.chain(self.queue.iter().copied());
        let keys: Vec<u32> = keys.chain(self.hold.iter().flat_map(Hold::keys)).collect();
        for key in keys {
            let entry = self.requests.entry(key);
            self.meter.asked_at(self.intake.asked(entry.ticket));
            self.meter.leave_prompt_in_system((entry.first_arrival, Some(entry.prompt)), now);
        }
        for Reverse((_, entry)) in &self.retrying {
            self.meter.asked_at(self.intake.asked(entry.ticket));
            self.meter.leave_prompt_in_system((entry.first_arrival, Some(entry.prompt)), now);
        }
        self.intake.arrived_measured(now)
    }
}
