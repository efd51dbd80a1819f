//! The cache of model weights on a node's SSD: what it holds, and what goes when it is full.
//!
//! It holds the weights of the service and whatever else the scenario says is kept there; the least recently used goes first. Uses of the
//! others are drawn per node and looked at only when somebody asks, so a cache nobody asks costs nothing. Bringing the others in takes
//! bandwidth where a DaemonSet does it, and nothing where whoever uses them does: those run beside the service, out of sight.

use units::{NodeId, SimTime};
use workload::{Distribution, Purpose, Stream};

use super::Fleet;
use super::cold_start::draw;
use super::event::{FleetEvent, Out};
use super::node::{self, NodeState};
use super::transfer::Owner;
use crate::spec::{CacheSpec, PhaseSpec};

/// Entities of draws about what else a cache holds lie above all others of cold starts; each node has this many.
const CACHE_ENTITY: u64 = 1 << 40;
const ENTITIES_PER_NODE: u64 = 1 << 10;

/// Something a cache can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Artifact {
    /// A version of the service's weights.
    Weights(usize),
    /// Something else, by its number in the scenario.
    Other(usize),
}

/// What one node's cache holds.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeCache {
    /// The least recently used first.
    held: Vec<(Artifact, u64)>,
    /// When each of the others is used next, and its dice.
    uses: Vec<(SimTime, Stream)>,
}

impl NodeCache {
    /// Marks `artifact` as used just now; false if it is not there.
    fn touch(&mut self, artifact: Artifact) -> bool {
        let Some(place) = self.held.iter().position(|held| held.0 == artifact) else { return false };
        self.held[place..].rotate_left(1);
        true
    }

    /// Puts `artifact` in, if it fits at all, in place of what has not been used for longest.
    fn insert(&mut self, artifact: Artifact, bytes: u64, size: u64) {
        if bytes > size || self.touch(artifact) {
            return;
        }
        let mut free = size - self.held.iter().map(|held| held.1).sum::<u64>();
        while free < bytes {
            free += self.held.remove(0).1;
        }
        self.held.push((artifact, bytes));
    }

    /// The uses of other artifacts up to `now`, in the order of their times.
    fn advance(&mut self, spec: &CacheSpec, now: SimTime) {
        while let Some(next) = (0..self.uses.len()).min_by_key(|&other| (self.uses[other].0, other))
            && self.uses[next].0 <= now
        {
            let artifact = &spec.others[next];
            if !self.touch(Artifact::Other(next)) && spec.sync_period.is_none() {
                self.insert(Artifact::Other(next), artifact.bytes.0, spec.size.0);
            }
            let (time, dice) = &mut self.uses[next];
            *time = next_use(*time, &artifact.gap, dice);
        }
    }
}

/// Uses are at least a millisecond apart, so that a distribution that reaches zero does not stop the clock.
fn next_use(last: SimTime, gap: &Distribution, dice: &mut Stream) -> SimTime {
    last.saturating_add(draw(gap, dice).max(units::SimDuration::from_millis(1)))
}

impl Fleet {
    /// The cache of `node` with everything that happened to it until now, and its rules; `None` without a cache.
    fn cache_now(&mut self, node: NodeId) -> Option<(&mut NodeCache, &CacheSpec)> {
        let spec = self.spec.cold_start.model_cache.as_ref()?;
        let cache = &mut self.nodes[node.index()].cache;
        cache.advance(spec, self.now);
        Some((cache, spec))
    }

    /// Whether the present weights are in the cache of `node`. To ask is to use them.
    pub(super) fn has_weights(&mut self, node: NodeId) -> bool {
        let now = self.now;
        self.cache_now(node).is_some_and(|(cache, spec)| cache.touch(weights(spec, now)))
    }

    /// The weights as they were at `read` are in the cache of `node` from now on, if they fit.
    pub(super) fn keep_weights(&mut self, node: NodeId, read: SimTime) {
        if let Some((cache, spec)) = self.cache_now(node) {
            cache.insert(weights(spec, read), spec.model.0, spec.size.0);
        }
    }

    /// `node` has come up: others begin to use its cache.
    pub(super) fn begin_cache_uses(&mut self, node: NodeId) {
        let Some(spec) = &self.spec.cold_start.model_cache else { return };
        let first = CACHE_ENTITY + node::entity(node) * ENTITIES_PER_NODE;
        let uses = spec.others.iter().enumerate().map(|(other, artifact)| {
            let mut dice = Stream::new(self.seed, Purpose::ColdStart, first + other as u64);
            (next_use(self.now, &artifact.gap, &mut dice), dice)
        });
        self.nodes[node.index()].cache.uses = uses.collect();
    }

    /// A DaemonSet looks what is missing in the cache of a node: at once on one that has just come up, then every period.
    pub(super) fn sync_cache(&mut self, node: NodeId, out: &mut Out) {
        if !matches!(self.nodes[node.index()].state, NodeState::Up | NodeState::Draining) {
            return;
        }
        let now = self.now;
        let Some((cache, spec)) = self.cache_now(node) else { return };
        let Some(period) = spec.sync_period else { return };
        let others = spec.others.iter().enumerate().filter(|(other, artifact)| {
            artifact.bytes.0 <= spec.size.0 && !cache.held.iter().any(|held| held.0 == Artifact::Other(*other))
        });
        let mut missing: u64 = others.map(|(_, artifact)| artifact.bytes.0).sum();
        let present = weights(spec, now);
        if fits(spec) && !cache.held.iter().any(|held| held.0 == present) {
            missing += spec.model.0;
        }
        if missing == 0 {
            let is_settled = spec.others.is_empty() && spec.releases.is_empty();
            if !is_settled {
                self.after(period, FleetEvent::CacheSync(node), out);
            }
            return;
        }
        self.nodes[node.index()].sync_began = now;
        let mut phase = self.spec.cold_start.model_download.clone();
        let alone = self.spec.cold_start.model_cache.as_ref().is_some_and(|spec| spec.others.is_empty());
        if let (PhaseSpec::Transfer { bytes, .. }, false) = (&mut phase, alone) {
            bytes.0 = missing;
        }
        if !self.start_transfer(&phase, Owner::Cache(node), node, out) {
            let length = self.cache_fill_length(node);
            self.after(length, FleetEvent::CacheFilled(node), out);
        }
    }

    /// The DaemonSet has brought in what was missing when it began, or long ago on a node that is warm from the start.
    pub(super) fn on_cache_filled(&mut self, node: NodeId, out: &mut Out) {
        if self.nodes[node.index()].ended.is_some() {
            return;
        }
        let began = self.nodes[node.index()].sync_began;
        let Some((cache, spec)) = self.cache_now(node) else { return };
        for (other, artifact) in spec.others.iter().enumerate() {
            let artifact = (Artifact::Other(other), artifact.bytes.0);
            if !cache.held.contains(&artifact) {
                cache.insert(artifact.0, artifact.1, spec.size.0);
            }
        }
        let present = (weights(spec, began), spec.model.0);
        if !cache.held.contains(&present) {
            cache.insert(present.0, present.1, spec.size.0);
        }
        let is_settled = spec.others.is_empty() && spec.releases.is_empty();
        if let (Some(period), false) = (spec.sync_period, is_settled) {
            self.after(period, FleetEvent::CacheSync(node), out);
        }
    }
}

/// The version of the weights that a pod starting at `now` needs.
fn weights(spec: &CacheSpec, now: SimTime) -> Artifact {
    Artifact::Weights(spec.releases.partition_point(|&release| release <= now))
}

/// A model larger than the cache is never cached.
fn fits(spec: &CacheSpec) -> bool {
    spec.model <= spec.size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_not_been_used_for_longest_makes_room() {
        let mut cache = NodeCache::default();
        let [one, two, three] = [0, 1, 2].map(Artifact::Other);
        cache.insert(one, 40, 100);
        cache.insert(two, 40, 100);
        assert!(cache.touch(one));
        cache.insert(three, 50, 100);
        assert_eq!(cache.held, [(one, 40), (three, 50)]);
        cache.insert(two, 101, 100);
        assert!(!cache.touch(two), "what is larger than the cache never gets in");
        assert_eq!(cache.held.len(), 2, "nor drives anything out");
    }
}
