//! The cache of model weights on a node's SSD: what it holds, and what goes when it is full.
//!
//! It holds the weights of the services and whatever else the scenario says is kept there; the least recently used goes first. Uses of the
//! others are drawn per node and looked at only when somebody asks, so a cache nobody asks costs nothing. Bringing the others in takes
//! bandwidth where a DaemonSet does it, and nothing where whoever uses them does: those run beside the services, out of sight.

use units::{SimDuration, SimTime};
use workload::{Distribution, Purpose, Stream};

use super::dice::draw;
use crate::spec::{CacheSpec, WeightsSpec};

/// Entities of draws about what else a cache holds lie above all others of cold starts; each node has this many.
const CACHE_ENTITY: u64 = 1 << 40;
const ENTITIES_PER_NODE: u64 = 1 << 10;

/// Something a cache can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Artifact {
    /// A version of a class's weights.
    Weights(usize, usize),
    /// Something else, by its number in the scenario.
    Other(usize),
}

impl Artifact {
    /// The weights of class number `class` that a pod starting at `now` needs.
    pub fn weights(class: usize, spec: &WeightsSpec, now: SimTime) -> Self {
        Self::Weights(class, spec.releases.partition_point(|&release| release <= now))
    }
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
    /// The others begin to be used, in a cache of the node with this number as an entity.
    pub fn begin_uses(&mut self, spec: &CacheSpec, seed: u64, (node, now): (u64, SimTime)) {
        let first = CACHE_ENTITY + node * ENTITIES_PER_NODE;
        let uses = spec.others.iter().enumerate().map(|(other, artifact)| {
            let mut dice = Stream::new(seed, Purpose::ColdStart, first + other as u64);
            (next_use(now, &artifact.gap, &mut dice), dice)
        });
        self.uses = uses.collect();
    }

    /// Whether `artifact` is there.
    pub fn holds(&self, artifact: Artifact) -> bool {
        self.held.iter().any(|held| held.0 == artifact)
    }

    /// Marks `artifact` as used just now; false if it is not there.
    pub fn touch(&mut self, artifact: Artifact) -> bool {
        let Some(place) = self.held.iter().position(|held| held.0 == artifact) else { return false };
        self.held[place..].rotate_left(1);
        true
    }

    /// Puts `artifact` in, if it fits at all, in place of what has not been used for longest.
    pub fn insert(&mut self, artifact: Artifact, bytes: u64, size: u64) {
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
    pub fn advance(&mut self, spec: &CacheSpec, now: SimTime) {
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

/// What a DaemonSet brings to a node.
#[derive(Clone, Debug)]
pub(super) struct Sync {
    /// When it began.
    pub began: SimTime,
    /// Classes whose weights it brings; if it brings only other things, the one whose links it takes.
    pub classes: Vec<usize>,
}

impl Sync {
    /// None so far, as of `now`.
    pub fn none(now: SimTime) -> Self {
        Self { began: now, classes: Vec::new() }
    }
}

/// Uses are at least a millisecond apart, so that a distribution that reaches zero does not stop the clock.
fn next_use(last: SimTime, gap: &Distribution, dice: &mut Stream) -> SimTime {
    last.saturating_add(draw(gap, dice).max(SimDuration::from_millis(1)))
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
