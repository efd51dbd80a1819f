//! Required placement of pods relative to each other: apart, together, evenly spread.
//!
//! Without such rules all nodes with room are alike but for their rank, and the fast lists of [`super::placement`] decide. With them, each
//! placement looks at where the class's pods are: on a [`Map`] of nodes, drawn for the purpose, on which moves can be tried out.

use units::NodeId;

use super::Fleet;
use super::class::Fit;
use super::node::{NodeState, Offer};
use super::placement::kinds;
use super::room;
use crate::spec::{
    FleetSpec, HOSTNAME, NodeLabel, PlacementKind, PlacementRule, PodSpec, affinity_misfit, named_labels, node_label,
    untolerated,
};

/// The placement rules of a class of pods.
#[derive(Clone, Debug, Default)]
pub(super) struct Topology {
    rules: Vec<Rule>,
    /// By offering: whether the pod's node selector and affinity permit its nodes, and whether it tolerates their taints.
    permitted: Vec<(bool, bool)>,
    /// By rule: its number of domains that can be had at all.
    launchable: Vec<Vec<usize>>,
}

#[derive(Clone, Debug)]
struct Rule {
    kind: PlacementKind,
    /// Each node is a domain of its own.
    by_node: bool,
    /// By offering: the domain its nodes are in; `None` if they lack the label.
    domains: Vec<Option<usize>>,
}

impl Topology {
    pub fn new(spec: &FleetSpec, pod: &PodSpec, (offers, fits): (&[Offer], &[Fit])) -> Self {
        if pod.scheduling.placement.is_empty() || spec.pools.is_empty() {
            return Self::default();
        }
        let named = named_labels(&spec.pools);
        let permitted = offers.iter().map(|offer| {
            let pool = &spec.pools[offer.pool];
            (affinity_misfit(&offer.spec, (pool, &named), pod).is_none(), untolerated(pool, pod).is_none())
        });
        let permitted: Vec<(bool, bool)> = permitted.collect();
        let rules: Vec<Rule> = pod.scheduling.placement.iter().map(|rule| Rule::new(rule, spec, offers)).collect();
        let launchable = rules.iter().map(|rule| {
            let usable = (0..offers.len()).filter(|&offer| fits[offer].slots > 0);
            let mut domains: Vec<usize> = usable.filter_map(|offer| rule.domains[offer]).collect();
            domains.sort_unstable();
            domains.dedup();
            domains
        });
        Self { launchable: launchable.collect(), rules, permitted }
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Pods one node may hold at most, wherever the others are.
    pub fn pods_per_node(&self) -> u32 {
        let each = self.rules.iter().filter_map(|rule| match rule.kind {
            PlacementKind::Apart => Some(1),
            PlacementKind::Spread { skew_max, .. } if rule.by_node => Some(skew_max),
            _ => None,
        });
        each.min().unwrap_or(u32::MAX)
    }

    /// Whether every rule is about single nodes, so that any number of new ones are alike.
    pub fn is_by_node(&self) -> bool {
        self.rules.iter().all(|rule| rule.by_node)
    }

    /// The rule that keeps pods from what there is, in words.
    #[allow(clippy::unused_self, reason = "it speaks for these rules")]
    pub fn in_words(&self, pod: &PodSpec) -> String {
        let rules = pod.scheduling.placement.iter().map(|rule| {
            let key = &rule.topology_key;
            match rule.kind {
                PlacementKind::Apart => format!("required podAntiAffinity on `{key}`"),
                PlacementKind::Together => format!("required podAffinity on `{key}`"),
                PlacementKind::Spread { skew_max, .. } => {
                    format!("topologySpreadConstraints on `{key}` (maxSkew {skew_max}, DoNotSchedule)")
                }
            }
        });
        rules.collect::<Vec<_>>().join(" and ")
    }
}

impl Rule {
    fn new(rule: &PlacementRule, spec: &FleetSpec, offers: &[Offer]) -> Self {
        let named = named_labels(&spec.pools);
        let mut values: Vec<String> = Vec::new();
        let domains = offers.iter().map(|offer| {
            let value = match node_label(&offer.spec, (&spec.pools[offer.pool], &named), &rule.topology_key) {
                NodeLabel::Is(value) => value.into_owned(),
                NodeLabel::Absent => return None,
                // All nodes are taken to share the one value nobody stated.
                NodeLabel::Unknown => String::new(),
            };
            Some(values.iter().position(|known| *known == value).unwrap_or_else(|| {
                values.push(value);
                values.len() - 1
            }))
        });
        Self { kind: rule.kind, by_node: rule.topology_key == HOSTNAME, domains: domains.collect() }
    }
}

/// A node on a [`Map`].
#[derive(Clone, Debug)]
struct Place {
    node: NodeId,
    offer: usize,
    /// Pods of the class on it: all, and those that are not on their way out.
    pods: u32,
    staying: u32,
    /// Room for more.
    free: u32,
    rank: u32,
    /// It has joined the cluster.
    is_node: bool,
    /// Nothing is placed on it: it is cordoned.
    is_cordoned: bool,
}

/// Where the pods of a class are, or would be after some moves.
#[derive(Clone, Debug)]
pub(super) struct Map<'a> {
    fleet: &'a Fleet,
    class: usize,
    places: Vec<Place>,
    /// As Karpenter sees it: nodes on their way count with the pods they were ordered for, and every zone that could be had is a domain.
    is_plan: bool,
}

impl Fleet {
    /// The map of a class as the scheduler sees it.
    pub(super) fn map(&self, class: usize) -> Map<'_> {
        Map { fleet: self, class, places: self.places(class, false, &[]), is_plan: false }
    }

    /// The map of a class as whoever adds nodes sees it, without the nodes `leaving`.
    pub(super) fn plan_map(&self, class: usize, leaving: &[NodeId]) -> Map<'_> {
        Map { fleet: self, class, places: self.places(class, true, leaving), is_plan: true }
    }

    fn places(&self, class: usize, is_plan: bool, leaving: &[NodeId]) -> Vec<Place> {
        let live = self.live.iter().filter(|node| !leaving.contains(node));
        let places = live.filter_map(|&node| {
            let state = &self.nodes[node.index()];
            let is_node = state.state > NodeState::Booting;
            if !is_node && !is_plan {
                return None;
            }
            let on_node = &state.classes[class];
            let nominated = if is_plan { on_node.nominated } else { 0 };
            let going = |&&pod: &&units::PodId| {
                let pod = &self.pods[pod];
                pod.evicted || pod.phase > super::PodPhase::Ready
            };
            let pods = on_node.pods + on_node.leaving + nominated;
            let own = state.pods.iter().filter(|pod| pod.service() == class);
            let staying = pods - own.filter(going).count() as u32;
            let free = if is_plan && self.is_counted_on(node) && !state.warned {
                let free = room::fits(&self.offers[state.offer].has, &state.planned, &self.classes[class].wanted);
                free.min(self.slots(class, state.offer))
            } else {
                self.open_slots(class, node)
            };
            let is_cordoned = state.tainted || state.warned || state.state == NodeState::Draining;
            let rank = on_node.open_key.unwrap_or(0);
            Some(Place { node, offer: state.offer, pods, staying, free, rank, is_node, is_cordoned })
        });
        places.collect()
    }
}

impl Map<'_> {
    /// The node the scheduler ranks highest among those with room that the rules permit.
    pub fn best(&self, on_demand: bool) -> Option<NodeId> {
        let zones = self.fleet.classes[self.class].pod.spread.zones.then(|| self.fleet.pods_by_zone(self.class));
        let fits = |place: &&Place| {
            let purchase = self.fleet.offers[place.offer].spec.purchase;
            place.free > 0 && kinds(on_demand).contains(&purchase) && self.admits(place)
        };
        let rank = |place: &&Place| {
            let in_zone = zones.as_ref().map_or(0, |pods| pods[self.fleet.offers[place.offer].zone]);
            (in_zone, place.rank, place.node)
        };
        self.places.iter().filter(fits).min_by_key(rank).map(|place| place.node)
    }

    /// The first node on its way that may take one more pod.
    pub fn first_coming(&self, on_demand: bool) -> Option<NodeId> {
        let fits = |place: &&Place| {
            self.fleet.is_counted_on(place.node)
                && place.free > 0
                && kinds(on_demand).contains(&self.fleet.offers[place.offer].spec.purchase)
                && place.pods < self.fleet.takes_each(self.class, self.fleet.slots(self.class, place.offer))
                && self.admits(place)
        };
        self.places.iter().find(fits).map(|place| place.node)
    }

    /// A node with a pause pod whose place a pod may take.
    pub fn first_paused(&self, on_demand: bool) -> Option<NodeId> {
        let fits = |place: &&Place| {
            self.fleet.nodes[place.node.index()].classes[self.class].pauses > 0
                && !place.is_cordoned
                && kinds(on_demand).contains(&self.fleet.offers[place.offer].spec.purchase)
                && self.admits(place)
        };
        self.places.iter().find(fits).map(|place| place.node)
    }

    /// How many of `pods` pods find no place among those that `receives` says may take some, once as many as can have moved there.
    pub fn missing_after(&mut self, pods: u32, receives: impl Fn(NodeId) -> bool) -> u32 {
        for placed in 0..pods {
            let fits = |place: &Place| place.free > 0 && receives(place.node) && self.admits(place);
            let Some(found) = self.places.iter().position(fits) else { return pods - placed };
            let place = &mut self.places[found];
            (place.free, place.pods, place.staying) = (place.free - 1, place.pods + 1, place.staying + 1);
        }
        0
    }

    fn topology(&self) -> &Topology {
        &self.fleet.classes[self.class].topology
    }

    /// Whether the rules permit one more pod on `node`, room aside.
    pub fn admits_at(&self, node: NodeId) -> bool {
        self.place_of(node).is_some_and(|place| self.admits(&self.places[place]))
    }

    /// One more pod is on `node`.
    pub fn add(&mut self, node: NodeId) {
        if let Some(place) = self.place_of(node) {
            let place = &mut self.places[place];
            (place.free, place.pods, place.staying) = (place.free.saturating_sub(1), place.pods + 1, place.staying + 1);
        }
    }

    /// `node` is gone.
    pub fn remove(&mut self, node: NodeId) {
        self.places.retain(|place| place.node != node);
    }

    /// A node that is to be ordered from `offer`, for so many pods of the class.
    pub fn add_planned(&mut self, offer: usize, pods: u32) {
        // It has no number yet; none of those that have one may be taken for it.
        let node = NodeId(u32::MAX);
        let (free, rank, is_node, is_cordoned) = (0, 0, false, false);
        self.places.push(Place { node, offer, pods, staying: pods, free, rank, is_node, is_cordoned });
    }

    fn place_of(&self, node: NodeId) -> Option<usize> {
        self.places.binary_search_by_key(&node, |place| place.node).ok()
    }

    /// How many pods a new node of `offer` may take now; zero if none may go there.
    pub fn takes_new(&self, offer: usize) -> u32 {
        let topology = self.topology();
        let each = topology.rules.iter().enumerate().map(|(index, rule)| match (rule.kind, rule.domains[offer]) {
            (PlacementKind::Apart, _) if rule.by_node => 1,
            (PlacementKind::Apart, Some(domain)) => u32::from(self.count(rule, domain, |place| place.pods) == 0),
            (PlacementKind::Apart, None) => u32::MAX,
            (PlacementKind::Together, domain) => {
                let all: u32 = self.places.iter().map(|place| place.staying).sum();
                let here = domain.map(|domain| self.count(rule, domain, |place| place.staying));
                let may = domain.is_some() && (all == 0 || !rule.by_node && here > Some(0));
                if may { u32::MAX } else { 0 }
            }
            (PlacementKind::Spread { skew_max, .. }, _) if rule.by_node => skew_max,
            (PlacementKind::Spread { skew_max, domains_min, .. }, Some(domain)) => {
                self.takes_spread(index, domain, (skew_max, domains_min))
            }
            (PlacementKind::Spread { .. }, None) => 0,
        });
        each.min().unwrap_or(u32::MAX)
    }

    /// Pods that a new node in `domain` may take under a spread rule: none unless the domain is among those with the fewest, as Karpenter
    /// chooses it (`topologygroup.go`: `nextDomainTopologySpread`).
    fn takes_spread(&self, rule: usize, domain: usize, (skew_max, domains_min): (u32, u32)) -> u32 {
        let domains = &self.topology().launchable[rule];
        let count = |domain: usize| self.count(&self.topology().rules[rule], domain, |place| place.staying);
        let here = count(domain);
        let others = domains.iter().filter(|&&other| other != domain).map(|&other| count(other)).min();
        if others.is_some_and(|least| least < here) {
            return 0;
        }
        let least = if (domains.len() as u32) < domains_min { Some(0) } else { others };
        least.map_or(u32::MAX, |least| (least + skew_max).saturating_sub(here))
    }

    fn count(&self, rule: &Rule, domain: usize, of: impl Fn(&Place) -> u32) -> u32 {
        self.places.iter().filter(|place| rule.domains[place.offer] == Some(domain)).map(of).sum()
    }

    /// Whether the rules permit one more pod at `place`.
    fn admits(&self, place: &Place) -> bool {
        let rules = &self.topology().rules;
        rules.iter().enumerate().all(|(index, rule)| match (rule.kind, rule.domains[place.offer]) {
            (PlacementKind::Apart, _) if rule.by_node => place.pods == 0,
            (PlacementKind::Apart, Some(domain)) => self.count(rule, domain, |other| other.pods) == 0,
            // A node without the label is in no domain: nothing is too near.
            (PlacementKind::Apart, None) => true,
            (PlacementKind::Together, domain) => {
                let here = if rule.by_node {
                    place.staying
                } else {
                    domain.map_or(0, |domain| self.count(rule, domain, |other| other.staying))
                };
                domain.is_some() && (here > 0 || self.places.iter().all(|other| other.staying == 0))
            }
            (PlacementKind::Spread { skew_max, .. }, Some(domain)) => {
                let here = if rule.by_node { place.staying } else { self.count(rule, domain, |other| other.staying) };
                here < self.least(index) + skew_max
            }
            (PlacementKind::Spread { .. }, None) => false,
        })
    }

    /// The fewest pods in any domain of a spread rule; zero if there are fewer domains than it wants.
    fn least(&self, index: usize) -> u32 {
        let topology = self.topology();
        let rule = &topology.rules[index];
        let PlacementKind::Spread { domains_min, honors_affinity, honors_taints, .. } = rule.kind else { return 0 };
        // Karpenter can always add a node, so the emptiest one holds none.
        if rule.by_node && self.is_plan {
            return 0;
        }
        let counts = |place: &&Place| {
            let (is_permitted, is_tolerated) = topology.permitted[place.offer];
            place.is_node
                && (is_permitted || !honors_affinity)
                && (is_tolerated && !place.is_cordoned || !honors_taints)
        };
        let seen = self.places.iter().filter(counts);
        let (least, domains) = if rule.by_node {
            let pods: Vec<u32> = seen.map(|place| place.staying).collect();
            (pods.iter().copied().min(), pods.len())
        } else {
            let mut domains: Vec<usize> = seen.filter_map(|place| rule.domains[place.offer]).collect();
            if self.is_plan {
                domains.extend(&topology.launchable[index]);
            }
            domains.sort_unstable();
            domains.dedup();
            let least = domains.iter().map(|&domain| self.count(rule, domain, |place| place.staying)).min();
            (least, domains.len())
        };
        if (domains as u32) < domains_min { 0 } else { least.unwrap_or(0) }
    }
}
