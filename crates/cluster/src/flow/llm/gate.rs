//! The router at work: looking at replicas, scoring them, holding requests while they are saturated.

use super::engine::{BLOCK_TOKENS, Engine};
use super::hold::Held;
use super::prefix::Part;
use super::router::{BLOCKS_SEEN, Candidate, View};
use super::{Failure, LlmFlow, NEVER, Slot, Stage};
use crate::spec::{Routing, Scorers};

impl<E: Engine> LlmFlow<E> {
    /// Has the router look at the replicas, if it has to before `now`: at what they were at the last multiple of its period before.
    pub(super) fn look(&mut self, now: u64) {
        let Some(router) = &mut self.router else { return };
        if now <= router.next_look {
            return;
        }
        let at = (now - 1) / router.period * router.period;
        let sees_adapters = matches!(self.routing, Routing::Scored(weights) if weights.lora_affinity > 0.0);
        for &slot in &self.serving {
            let engine = &self.engines[slot];
            if sees_adapters {
                router.see_adapters(slot, engine.adapters());
            }
            let (waiting, running, kv_usage) = (engine.waiting(), engine.running(), engine.kv_usage(at));
            router.see(slot, View { is_known: true, waiting, running, kv_usage });
        }
        router.next_look = at + router.period;
    }

    /// Mean over replicas of how saturated the router takes them to be.
    pub(super) fn saturation(&mut self) -> f64 {
        let Some(router) = &mut self.router else { return 0.0 };
        if self.serving.is_empty() {
            return 1.0;
        }
        if let Some(known) = router.saturation {
            return known;
        }
        let sum: f64 = self.serving.iter().map(|&slot| router.saturation_of(slot)).sum();
        let mean = sum / self.serving.len() as f64;
        router.saturation = Some(mean);
        mean
    }

    /// Whether the router turns a request away because the replicas are saturated: one that may be shed where nothing is held, or one whose
    /// band is full.
    pub(super) fn is_shed(&mut self, priority: i32, prompt: u32) -> bool {
        if let Some(hold) = &self.hold {
            return hold.is_full(priority, prompt);
        }
        priority < 0 && matches!(self.routing, Routing::Scored(_)) && self.saturation() >= 1.0
    }

    /// Holds a request that waits.
    pub(super) fn hold_back(&mut self, key: u32) {
        let entry = self.requests.get(key);
        let hold = self.hold.as_mut().expect("only flow control holds requests");
        hold.push(entry.tag.priority, Held::new(key, entry.arrival, entry.prompt));
    }

    /// Lets one held request through, unless the replicas are saturated.
    pub(super) fn try_one(&mut self) {
        let Some(ceiling) = self.ceiling() else { return };
        if self.serving.is_empty() || self.saturation() >= ceiling {
            return;
        }
        if let Some(key) = self.hold.as_mut().and_then(super::hold::Hold::pop) {
            self.route(key);
        }
    }

    fn ceiling(&self) -> Option<f64> {
        self.flow_control.map(|rules| rules.ceiling)
    }

    /// When the hold queue has to be looked at next, after everything up to `done_until`.
    pub(super) fn hold_due(&mut self) -> u64 {
        let Some(rules) = self.flow_control else { return NEVER };
        let Some(hold) = self.hold.as_ref().filter(|hold| hold.len() > 0) else { return NEVER };
        // A request that a kill has brought back may have been there for longer already.
        let expiry = hold.next_expiry().max(self.clock);
        if self.serving.is_empty() {
            return expiry;
        }
        let tick = rules.tick.as_nanos().max(1);
        // While they are saturated nothing changes before the router looks again.
        let from = match (self.saturation() >= rules.ceiling, &self.router) {
            (true, Some(router)) => Some(router.next_look.max(self.done_until.unwrap_or(0))),
            _ => self.done_until,
        };
        from.map_or(0, |from| (from / tick + 1).saturating_mul(tick)).min(expiry)
    }

    /// Held requests that go on, or fail, at the instant the clock stands at.
    pub(super) fn tend_hold(&mut self) {
        let Some(rules) = self.flow_control else { return };
        let now = self.clock;
        if self.done_until != Some(now) && now.is_multiple_of(rules.tick.as_nanos().max(1)) {
            self.try_one();
        }
        while let Some(key) = self.hold.as_mut().and_then(|hold| hold.expire(now)) {
            let entry = self.requests.remove(key);
            self.waiting -= 1;
            self.expired += 1;
            self.fail(entry, Failure::Rejected, now, None);
        }
    }

    /// The replica of a conversation's last turn, if it still serves.
    pub(super) fn home_of(&self, session: u32) -> Option<Slot> {
        let pod = self.router.as_ref()?.home(session)?;
        self.serving
            .iter()
            .copied()
            .find(|&slot| self.seats[slot].pod == pod && self.seats[slot].stage == Stage::Serving)
    }

    /// The replica with the highest score for a request.
    pub(super) fn pick_scored(&mut self, key: u32, weights: &Scorers) -> Slot {
        let entry = self.requests.get(key);
        let home = if weights.session_affinity > 0.0 { self.home_of(entry.tag.session) } else { None };
        let mut parts = std::mem::take(&mut self.parts);
        self.parts_of(&entry, &mut parts);
        let seen = (u64::from(entry.prompt) / BLOCK_TOKENS).min(BLOCKS_SEEN);
        let filters = self.flow_control.is_some();
        let adapters_max = self.limits.adapters.as_ref().map_or(0, |rules| rules.max_active);
        let router = self.router.as_mut().expect("scores are the router's");
        router.candidates.clear();
        let has_room = |slot: &Slot| !filters || !router.is_over(*slot);
        let open: Vec<Slot> = self.serving.iter().copied().filter(has_room).collect();
        let open = if open.is_empty() { &self.serving } else { &open };
        for &slot in open {
            let seat = &self.seats[slot];
            let matched = if weights.prefix_cache > 0.0 { router.matched(slot, &parts, seen) } else { 0 };
            router.candidates.push(Candidate {
                slot,
                view: router.view(slot),
                active: seat.load,
                tokens: seat.tokens,
                matched: (matched, seen),
                is_home: home == Some(slot),
                adapter: router.adapter_at(slot, entry.tag.adapter, adapters_max),
            });
        }
        let best = router.best(weights);
        let slot = match best {
            [one] => *one,
            several => several[self.routing_dice.below(several.len() as u64) as usize],
        };
        if weights.prefix_cache > 0.0 {
            router.sent(slot, &parts, seen);
        }
        self.parts = parts;
        slot
    }

    /// What a request's prompt is made of that others may have too.
    pub(super) fn parts_of(&self, entry: &super::book::Entry, parts: &mut Vec<Part>) {
        parts.clear();
        if !self.limits.has_prefix_cache {
            return;
        }
        if entry.list != super::book::NO_LIST {
            // The last one covers what is left of the prompt.
            let mut left = entry.prompt / BLOCK_TOKENS as u32;
            for &block in self.lists.get(entry.list) {
                let count = self.blocks_per_entry.min(left);
                parts.push(Part::block(block, count).seen_by(entry.tag.adapter));
                left -= count;
            }
        } else if entry.tag.group > 0 {
            let tokens = entry.tag.group_tokens.min(entry.prompt);
            parts.push(Part::group(entry.tag.group, tokens).seen_by(entry.tag.adapter));
        }
        if entry.tag.session > 0 {
            parts.push(Part::session(entry.tag.session));
        }
    }

    /// Prompt tokens of the requests at a replica, those in its batch first.
    #[cfg(test)]
    pub(super) fn requests_at(&self, slot: Slot) -> Vec<u32> {
        self.engines[slot].keys().into_iter().map(|key| self.requests.get(key).prompt).collect()
    }
}
