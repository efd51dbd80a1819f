//! What the router knows of replicas: figures as of its last look at them, and counts of its own.

use std::collections::BTreeMap;

use units::PodId;

use super::prefix::{Part, PrefixCache};
use crate::flow::Slot;
use crate::spec::{FlowControl, RouterSpec, Routing, Scorers};

/// A replica as it was when the router last looked.
#[derive(Clone, Copy, Debug, Default)]
pub struct View {
    /// Whether it has looked at all.
    pub is_known: bool,
    /// Requests waiting in the engine.
    pub waiting: u64,
    /// Sequences in its batch.
    pub running: u64,
    /// Share of its KV cache in use.
    pub kv_usage: f64,
}

/// Prompt tokens in flight at which the token-load scorer gives nothing.
const TOKENS_MAX: f64 = 4_194_304.0;
/// Waiting requests at which the load-aware scorer gives nothing.
const WAITING_MAX: u64 = 128;
/// Blocks of a prompt the prefix scorer looks at.
pub const BLOCKS_SEEN: u64 = 256;

/// What a replica has of the adapter that a request is for, as it was last seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdapterThere {
    /// Others, as many as may be active; or it was not looked at yet.
    #[default]
    No,
    /// Others, and room for one more.
    HasRoom,
    /// Requests for it are there.
    Yes,
}

impl AdapterThere {
    fn score(self) -> f64 {
        match self {
            Self::No => 0.0,
            Self::HasRoom => 0.8,
            Self::Yes => 1.0,
        }
    }
}

/// A replica a request may go to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Candidate {
    /// Where it is.
    pub slot: Slot,
    /// What the router saw.
    pub view: View,
    /// Requests sent there and not answered.
    pub active: u64,
    /// Their prompt tokens.
    pub tokens: u64,
    /// Blocks of the prompt sent there before, and blocks of the prompt.
    pub matched: (u64, u64),
    /// Whether it had the last turn of the conversation.
    pub is_home: bool,
    /// What it knows of the adapter.
    pub adapter: AdapterThere,
}

/// The router's own state.
pub struct Router {
    rules: FlowControl,
    /// Nanoseconds between two looks.
    pub period: u64,
    /// From the instant after this on it has to look again.
    pub next_look: u64,
    views: Vec<View>,
    /// Adapters that requests there are for, if it scores that.
    adapters: Vec<Vec<u32>>,
    /// What it has sent where, if it scores that.
    indices: Vec<PrefixCache>,
    /// Conversations and the replica of their last turn.
    homes: BTreeMap<u32, PodId>,
    /// Mean saturation, until a view changes.
    pub saturation: Option<f64>,
    /// Candidates of the request under way.
    pub candidates: Vec<Candidate>,
    best: Vec<Slot>,
}

impl Router {
    /// Nothing seen yet.
    pub fn new(spec: &RouterSpec) -> Self {
        Self {
            rules: spec.flow_control.unwrap_or_default(),
            period: spec.refresh.as_nanos().max(1),
            next_look: 0,
            views: Vec::new(),
            adapters: Vec::new(),
            indices: Vec::new(),
            homes: BTreeMap::new(),
            saturation: None,
            candidates: Vec::new(),
            best: Vec::new(),
        }
    }

    /// Whether a routing or a hold queue needs it.
    pub fn is_needed(routing: &Routing, spec: &RouterSpec) -> bool {
        matches!(routing, Routing::Scored(_) | Routing::SessionAffinity) || spec.flow_control.is_some()
    }

    /// A replica begins to serve; `blocks` is the size of its KV cache.
    pub fn add(&mut self, slot: Slot, blocks: u64) {
        if slot >= self.views.len() {
            self.views.resize(slot + 1, View::default());
            self.indices.resize_with(slot + 1, PrefixCache::default);
            self.adapters.resize(slot + 1, Vec::new());
        }
        self.views[slot] = View::default();
        self.adapters[slot].clear();
        self.indices[slot] = PrefixCache::new(blocks);
        self.saturation = None;
    }

    /// A replica as it was last seen.
    pub fn view(&self, slot: Slot) -> View {
        self.views[slot]
    }

    /// Looks at a replica.
    pub fn see(&mut self, slot: Slot, view: View) {
        self.views[slot] = view;
        self.saturation = None;
    }

    /// Looks at the adapters that requests at a replica are for.
    pub fn see_adapters(&mut self, slot: Slot, adapters: Vec<u32>) {
        self.adapters[slot] = adapters;
    }

    /// What a replica, of which so many may be active, has of an adapter. The base model is none of them.
    pub fn adapter_at(&self, slot: Slot, adapter: u32, active_max: usize) -> AdapterThere {
        let there = &self.adapters[slot];
        if there.contains(&adapter) {
            AdapterThere::Yes
        } else if self.views[slot].is_known && there.len() < active_max {
            AdapterThere::HasRoom
        } else {
            AdapterThere::No
        }
    }

    /// Saturation of a replica.
    pub fn saturation_of(&self, slot: Slot) -> f64 {
        let View { is_known, waiting, kv_usage, .. } = self.views[slot];
        if is_known { (waiting as f64 / self.rules.queue_depth).max(kv_usage / self.rules.kv_usage) } else { 1.0 }
    }

    /// Whether a replica is over one of the limits of flow control.
    pub fn is_over(&self, slot: Slot) -> bool {
        let View { is_known, waiting, kv_usage, .. } = self.views[slot];
        !is_known || waiting as f64 > self.rules.queue_depth || kv_usage > self.rules.kv_usage
    }

    /// The replica of a conversation's last turn.
    pub fn home(&self, session: u32) -> Option<PodId> {
        self.homes.get(&session).copied()
    }

    /// A turn of a conversation goes to `pod`.
    pub fn settle(&mut self, session: u32, pod: PodId) {
        if session > 0 {
            self.homes.insert(session, pod);
        }
    }

    /// Blocks of a prompt that have been sent to a replica before.
    pub fn matched(&mut self, slot: Slot, parts: &[Part], blocks: u64) -> u64 {
        self.indices[slot].present(parts, blocks)
    }

    /// A prompt is sent to a replica.
    pub fn sent(&mut self, slot: Slot, parts: &[Part], blocks: u64) {
        self.indices[slot].touch(parts, blocks);
    }

    /// The candidates with the highest score, in order.
    #[expect(clippy::float_cmp, reason = "equal replicas have equal scores to the bit: the sums are made alike")]
    pub fn best(&mut self, weights: &Scorers) -> &[Slot] {
        let spread = |value: fn(&Candidate) -> u64| {
            let values = self.candidates.iter().map(value);
            (values.clone().min().unwrap_or(0), values.max().unwrap_or(0))
        };
        let waiting = spread(|candidate| candidate.view.waiting);
        let running = spread(|candidate| candidate.view.running);
        let active = spread(|candidate| candidate.active);
        let among = |(low, high): (u64, u64), value: u64| {
            if low == high { 1.0 } else { (high - value) as f64 / (high - low) as f64 }
        };
        self.best.clear();
        let mut highest = f64::NEG_INFINITY;
        for candidate in &self.candidates {
            let view = candidate.view;
            let (matched, blocks) = candidate.matched;
            let score = weights.queue * among(waiting, view.waiting)
                + weights.kv_cache_utilization * (1.0 - view.kv_usage)
                + weights.prefix_cache * if blocks == 0 { 0.0 } else { matched as f64 / blocks as f64 }
                + weights.running_requests * among(running, view.running)
                + weights.load_aware * 0.5 * (1.0 - view.waiting.min(WAITING_MAX) as f64 / WAITING_MAX as f64)
                + weights.active_request * among(active, candidate.active)
                + weights.token_load * (1.0 - candidate.tokens as f64 / TOKENS_MAX).max(0.0)
                + weights.session_affinity * f64::from(u8::from(candidate.is_home))
                + weights.lora_affinity * candidate.adapter.score();
            if score > highest {
                highest = score;
                self.best.clear();
            }
            if score == highest {
                self.best.push(candidate.slot);
            }
        }
        &self.best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(weights: Scorers, candidates: &[Candidate]) -> Vec<Slot> {
        let mut router = Router::new(&RouterSpec::default());
        router.candidates.extend_from_slice(candidates);
        router.best(&weights).to_vec()
    }

    fn candidate(slot: Slot, waiting: u64, kv_usage: f64) -> Candidate {
        let view = View { is_known: true, waiting, running: 10 - waiting, kv_usage };
        Candidate { slot, view, active: 5, ..Candidate::default() }
    }

    /// Two replicas by the formulas of the scorers, worked out by hand.
    #[test]
    fn each_scorer_weighs_what_it_is_named_for() {
        let busy = Candidate { matched: (3, 4), is_home: true, tokens: 4_194_304, ..candidate(0, 4, 0.5) };
        let idle = Candidate { matched: (1, 4), active: 6, ..candidate(1, 0, 0.25) };
        let zero = Scorers::default();
        for (weights, expected) in [
            (zero, vec![0, 1]),
            (Scorers { queue: 1.0, ..zero }, vec![1]),
            (Scorers { kv_cache_utilization: 1.0, ..zero }, vec![1]),
            (Scorers { prefix_cache: 1.0, ..zero }, vec![0]),
            (Scorers { running_requests: 1.0, ..zero }, vec![0]),
            (Scorers { load_aware: 1.0, ..zero }, vec![1]),
            (Scorers { active_request: 1.0, ..zero }, vec![0]),
            (Scorers { token_load: 1.0, ..zero }, vec![1]),
            (Scorers { session_affinity: 1.0, ..zero }, vec![0]),
            // 2 (0.5) + 3 (0.75) = 3.25 against 2 (1) + 2 (0.75) + 3 (0.25) = 4.25.
            (Scorers { queue: 2.0, kv_cache_utilization: 2.0, prefix_cache: 3.0, ..zero }, vec![1]),
            // Half of an affinity of 0.5 is a queue of 0.25.
            (Scorers { queue: 0.25, prefix_cache: 0.5, ..zero }, vec![0, 1]),
        ] {
            assert_eq!(best(weights, &[busy, idle]), expected, "{weights:?}");
        }
    }

    #[test]
    fn equal_queues_count_in_full_for_all() {
        assert_eq!(
            best(Scorers { queue: 1.0, ..Scorers::default() }, &[candidate(3, 2, 0.9), candidate(5, 2, 0.1)]),
            [3, 5]
        );
    }
}
