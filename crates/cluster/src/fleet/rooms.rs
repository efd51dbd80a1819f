//! Room on nodes as it would be after some moves, to try out where pods of several classes would go.
//!
//! Pods of one class alone need no such thing: they fit if there are as many slots as pods.

use std::cmp::Reverse;

use smallvec::SmallVec;
use units::NodeId;

use super::Fleet;
use super::room::{self, Amounts};
use super::topology::Map;

/// Numbers of pods by class.
pub(super) type Counts = SmallVec<[u32; 1]>;

/// A node with what is held of it.
#[derive(Clone, Debug)]
struct Place {
    node: NodeId,
    offer: usize,
    held: Amounts,
    /// It is on its way.
    is_coming: bool,
}

/// Nodes that pods could go to.
#[derive(Clone, Debug)]
pub(super) struct Rooms<'a> {
    fleet: &'a Fleet,
    /// In the order in which they are tried.
    places: Vec<Place>,
    /// By class: where its pods are, if that matters.
    maps: Vec<Option<Map<'a>>>,
}

impl Fleet {
    /// Nodes that take pods, once the `leaving` are gone.
    pub(super) fn rooms(&self, leaving: &[NodeId]) -> Rooms<'_> {
        let up = self.live.iter().filter(|node| self.nodes[node.index()].takes_pods() && !leaving.contains(node));
        let places = up.map(|&node| {
            let state = &self.nodes[node.index()];
            let mut held = state.held.clone();
            for &pod in &state.preemptors {
                room::add(&mut held, &self.class(pod).wanted, 1);
            }
            Place { node, offer: state.offer, held, is_coming: false }
        });
        let places = places.collect();
        let map = |class: usize| (!self.classes[class].topology.is_empty()).then(|| self.plan_map(class, leaving));
        Rooms { fleet: self, places, maps: (0..self.classes.len()).map(map).collect() }
    }

    /// The same with nodes that are on their way, for what placement rules do not bind.
    pub(super) fn rooms_coming(&self) -> Rooms<'_> {
        let mut rooms = self.rooms(&[]);
        rooms.maps.fill(None);
        let coming = self.live.iter().filter(|&&node| self.is_counted_on(node) && !self.nodes[node.index()].warned);
        rooms.places.extend(coming.map(|&node| {
            let state = &self.nodes[node.index()];
            Place { node, offer: state.offer, held: state.planned.clone(), is_coming: true }
        }));
        rooms
    }

    /// Classes in the order in which Karpenter looks at their pods: most CPU first, then most memory.
    pub(super) fn largest_first(&self) -> Vec<usize> {
        let mut classes: Vec<usize> = (0..self.classes.len()).collect();
        classes.sort_by_key(|&class| {
            let wanted = &self.classes[class].wanted;
            Reverse((wanted[room::CPU], wanted[room::MEMORY]))
        });
        classes
    }
}

impl Rooms<'_> {
    /// Places as many of the pods as fit on nodes that `receives` says may take some; how many do not.
    pub fn place_all(&mut self, pods: &[u32], receives: impl Fn(NodeId) -> bool) -> Counts {
        let mut missing: Counts = pods.into();
        for class in self.fleet.largest_first() {
            while missing[class] > 0 && self.place(class, &receives) {
                missing[class] -= 1;
            }
        }
        missing
    }

    /// Places one pod on the first node that takes it.
    fn place(&mut self, class: usize, receives: impl Fn(NodeId) -> bool) -> bool {
        let of = &self.fleet.classes[class];
        let map = &mut self.maps[class];
        let found = self.places.iter_mut().find(|place| {
            of.fits[place.offer].slots > 0
                && receives(place.node)
                && room::fits(&self.fleet.offers[place.offer].has, &place.held, &of.wanted) > 0
                && (!place.is_coming || of.counts_on(place.node))
                && map.as_ref().is_none_or(|map| map.admits_at(place.node))
        });
        let Some(place) = found else { return false };
        room::add(&mut place.held, &of.wanted, 1);
        if let Some(map) = map {
            map.add(place.node);
        }
        true
    }

    /// Without a node.
    pub fn remove(&mut self, node: NodeId) {
        self.places.retain(|place| place.node != node);
        for map in self.maps.iter_mut().flatten() {
            map.remove(node);
        }
    }
}
