//! Who puts weights into the caches of nodes: the first pod that downloads them, or a DaemonSet.

use units::{NodeId, PodId, SimDuration, SimTime};
use workload::{Purpose, Stream};

use super::Fleet;
use super::cache::{Artifact, NodeCache, Sync};
use super::class::Class;
use super::dice::{draw, time_part};
use super::event::{FleetEvent, Out};
use super::images::Image;
use super::node::{self, NodeState};
use super::transfer::Owner;
use crate::spec::{CacheSpec, PhaseSpec};

/// Entities of draws about what a DaemonSet brings to a node lie above all pods'.
const NODE_ENTITY: u64 = 1 << 32;

impl Fleet {
    /// The cache of `node` with everything that happened to it until now, its rules, and the classes; `None` without a cache.
    fn cache_now(&mut self, node: NodeId) -> Option<(&mut NodeCache, &CacheSpec, &[Class])> {
        let spec = self.spec.cache.as_ref()?;
        let cache = &mut self.nodes[node.index()].cache;
        cache.advance(spec, self.now);
        Some((cache, spec, &self.classes))
    }

    /// Whether the present weights of a class are in the cache of `node`. To ask is to use them.
    pub(super) fn has_weights(&mut self, class: usize, node: NodeId) -> bool {
        let now = self.now;
        self.cache_now(node).is_some_and(|(cache, _, classes)| {
            let weights = classes[class].cold_start.weights.as_ref();
            weights.is_some_and(|spec| cache.touch(Artifact::weights(class, spec, now)))
        })
    }

    /// The weights of a class as they were at `read` are in the cache of `node` from now on, if they fit.
    pub(super) fn keep_weights(&mut self, class: usize, node: NodeId, read: SimTime) {
        if let Some((cache, spec, classes)) = self.cache_now(node)
            && let Some(weights) = &classes[class].cold_start.weights
        {
            cache.insert(Artifact::weights(class, weights, read), weights.bytes.0, spec.size.0);
        }
    }

    /// The image and the weights of a class are on `node`, as they are where its pods have run before.
    pub(super) fn warm(&mut self, class: usize, node: NodeId) {
        let image = self.classes[class].image;
        self.nodes[node.index()].images[image] = Image::PRESENT;
        let now = self.now;
        let has_weights = self.cache_now(node).is_none_or(|(cache, _, classes)| {
            let weights = classes[class].cold_start.weights.as_ref();
            weights.is_none_or(|spec| cache.holds(Artifact::weights(class, spec, now)))
        });
        if !has_weights {
            self.keep_weights(class, node, now);
        }
    }

    /// The first pod that downloads leaves the weights behind, where no DaemonSet does that.
    pub(super) fn fill_cache_from(&mut self, pod: PodId) {
        if self.spec.cache.as_ref().is_some_and(|cache| cache.sync_period.is_none()) {
            let (node, read) = (self.node_of(pod), self.pods[pod].container_started);
            self.keep_weights(pod.service(), node, read);
        }
    }

    /// `node` has come up: others begin to use its cache.
    pub(super) fn begin_cache_uses(&mut self, node: NodeId) {
        let Some(spec) = &self.spec.cache else { return };
        self.nodes[node.index()].cache.begin_uses(spec, self.seed, (node::entity(node), self.now));
    }

    /// A DaemonSet looks what is missing in the cache of a node: at once on one that has just come up, then every period.
    pub(super) fn sync_cache(&mut self, node: NodeId, out: &mut Out) {
        if !matches!(self.nodes[node.index()].state, NodeState::Up | NodeState::Draining) {
            return;
        }
        let now = self.now;
        let Some((cache, spec, classes)) = self.cache_now(node) else { return };
        if spec.sync_period.is_none() {
            return;
        }
        let others = spec
            .others
            .iter()
            .enumerate()
            .filter(|(other, artifact)| artifact.bytes.0 <= spec.size.0 && !cache.holds(Artifact::Other(*other)));
        let mut missing: u64 = others.map(|(_, artifact)| artifact.bytes.0).sum();
        let mut wanting = Vec::new();
        for (class, weights) in weights_of(classes) {
            if weights.bytes <= spec.size && !cache.holds(Artifact::weights(class, weights, now)) {
                missing += weights.bytes.0;
                wanting.push(class);
            }
        }
        if missing == 0 {
            return self.sync_later(node, out);
        }
        if wanting.is_empty() {
            wanting.extend(weights_of(classes).map(|(class, _)| class).next().or(Some(0)));
        }
        let mut phase = classes[wanting[0]].cold_start.model_download.clone();
        let is_alone = spec.others.is_empty() && wanting.len() == 1;
        if let (PhaseSpec::Transfer { bytes, .. }, false) = (&mut phase, is_alone) {
            bytes.0 = missing;
        }
        self.nodes[node.index()].sync = Sync { began: now, classes: wanting };
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
        let began = self.nodes[node.index()].sync.began;
        let Some((cache, spec, classes)) = self.cache_now(node) else { return };
        let others = spec.others.iter().enumerate().map(|(other, artifact)| (Artifact::Other(other), artifact.bytes));
        let weights = weights_of(classes).map(|(class, spec)| (Artifact::weights(class, spec, began), spec.bytes));
        for (artifact, bytes) in others.chain(weights) {
            if !cache.holds(artifact) {
                cache.insert(artifact, bytes.0, spec.size.0);
            }
        }
        self.sync_later(node, out);
    }

    /// The next look of the DaemonSet, unless there can be nothing new any more.
    fn sync_later(&self, node: NodeId, out: &mut Out) {
        let Some(spec) = &self.spec.cache else { return };
        let has_releases = weights_of(&self.classes).any(|(_, weights)| !weights.releases.is_empty());
        if let (Some(period), true) = (spec.sync_period, !spec.others.is_empty() || has_releases) {
            self.after(period, FleetEvent::CacheSync(node), out);
        }
    }

    /// The part of a sync that is a plain time: the weights of one class after those of the other.
    pub(super) fn cache_fill_length(&self, node: NodeId) -> SimDuration {
        let length = |&class: &usize| {
            let class = &self.classes[class];
            let mut stream = Stream::new(class.seed, Purpose::ColdStart, NODE_ENTITY + node::entity(node));
            draw(time_part(&class.cold_start.model_download), &mut stream)
        };
        let classes = &self.nodes[node.index()].sync.classes;
        classes.iter().map(length).fold(SimDuration::ZERO, |sum, length| sum + length)
    }
}

/// The classes whose weights are cached, with them.
fn weights_of(classes: &[Class]) -> impl Iterator<Item = (usize, &crate::spec::WeightsSpec)> {
    let classes = classes.iter().enumerate();
    classes.filter_map(|(class, spec)| Some((class, spec.cold_start.weights.as_ref()?)))
}
