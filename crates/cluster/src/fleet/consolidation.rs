//! Karpenter's disruption loop: empty nodes go, and nodes whose pods fit elsewhere or on something cheaper.
//!
//! Pods of one class all ask for the same: whether those of a node fit elsewhere is a comparison of numbers of slots. Where there are
//! several, they are placed one after the other on what room there would be.

use std::collections::{BTreeMap, BTreeSet};

use record::Purchase;
use units::{NodeId, SimDuration, SimTime, UsdPerHour};

use super::Fleet;
use super::class::Class;
use super::event::{FleetEvent, Out};
use super::node::NodeState;
use super::pod::PodRole;
use super::rooms::Counts;
use crate::spec::{Consolidation, DisruptionBudget, NodePoolSpec};

/// Pause of the loop when there was nothing to do.
const POLL: SimDuration = SimDuration::from_secs(10);
/// Between finding something to do and doing it, if it still holds then.
const VALIDATION: SimDuration = SimDuration::from_secs(15);
/// A replacement that has not come up by then is given up.
const REPLACEMENT_TIMEOUT: SimDuration = SimDuration::from_secs(600);
/// Without changes the loop looks again after this long.
const RECHECK: SimDuration = SimDuration::from_secs(300);
/// Nodes one multi-node consolidation considers at most.
const NODES_MAX: usize = 100;

/// Why nodes are removed; the names are those of disruption budgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Expired,
    Empty,
    Underutilized,
}

impl Reason {
    const fn name(self) -> &'static str {
        match self {
            Self::Expired => "Expired",
            Self::Empty => "Empty",
            Self::Underutilized => "Underutilized",
        }
    }

    /// The ending of nodes that go for it.
    const fn ending(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Empty => "empty",
            Self::Underutilized => "underutilized",
        }
    }
}

/// What to do with the pods of nodes that go.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    /// They fit elsewhere.
    Delete,
    /// They need one new node, from one of these offerings.
    Replace(Vec<usize>),
}

/// Nodes that are to go.
#[derive(Clone, Debug)]
struct Command {
    reason: Reason,
    nodes: Vec<NodeId>,
}

/// The state of the loop.
#[derive(Clone, Debug, Default)]
pub(super) struct Disruption {
    validating: Option<Command>,
    /// Nodes that go once another is up, and why, by that other.
    replacements: BTreeMap<NodeId, (Vec<NodeId>, Reason)>,
    /// The last fruitless pass, and when time alone may make a difference to it.
    fruitless: Option<(SimTime, SimTime)>,
}

impl Fleet {
    /// Starts the loop where some pool wants nodes removed.
    pub(super) fn start_disruption(&mut self, out: &mut Out) {
        let acts = |pool: &NodePoolSpec| {
            pool.consolidation != Consolidation::Never || pool.rules.expires_gracefully && pool.expire_after.is_some()
        };
        let is_wanted = self.spec.pools.iter().any(acts);
        if self.is_karpenter() && is_wanted {
            self.after(POLL, FleetEvent::Disruption, out);
        }
    }

    /// One pass: nodes that are too old, where that is graceful, then empty ones, then several at once, then one.
    pub(super) fn on_disruption(&mut self, out: &mut Out) {
        if let Some((since, next)) = self.disruption.fruitless
            && !self.changed
            && self.now < next.min(since + RECHECK)
        {
            self.after(POLL, FleetEvent::Disruption, out);
            return;
        }
        if let Some((node, outcome)) = self.find_expired() {
            // Nothing is validated here: the command is carried out at once.
            self.carry_out((vec![node], Reason::Expired), outcome, out);
            self.after(SimDuration::ZERO, FleetEvent::Disruption, out);
            return;
        }
        let command = self.find_empty().or_else(|| {
            let ranked = self.ranked();
            self.find_several(&ranked).or_else(|| self.find_one(ranked))
        });
        if command.is_some() {
            self.disruption.validating = command;
            self.after(VALIDATION, FleetEvent::Validate, out);
        } else {
            self.changed = false;
            // What only a budget holds back is looked at again and again.
            let is_settled = !self.is_budget_bound();
            self.disruption.fruitless = is_settled.then(|| (self.now, self.next_eligible()));
            self.after(POLL, FleetEvent::Disruption, out);
        }
    }

    /// The validation delay is over: what still holds is done.
    pub(super) fn on_validate(&mut self, out: &mut Out) {
        let Some(command) = self.disruption.validating.take() else { return };
        match command.reason {
            Reason::Empty => {
                for node in command.nodes {
                    if self.is_candidate(node, Reason::Empty) {
                        self.begin_drain_of(node, "empty", out);
                    }
                }
            }
            Reason::Underutilized | Reason::Expired => {
                if command.nodes.iter().all(|&node| self.is_candidate(node, Reason::Underutilized))
                    && let Some(outcome) = self.simulate(&command.nodes)
                {
                    self.carry_out((command.nodes, command.reason), outcome, out);
                }
            }
        }
        self.after(SimDuration::ZERO, FleetEvent::Disruption, out);
    }

    fn carry_out(&mut self, (nodes, reason): (Vec<NodeId>, Reason), outcome: Outcome, out: &mut Out) {
        match outcome {
            Outcome::Delete => {
                for node in nodes {
                    self.begin_drain_of(node, reason.ending(), out);
                }
            }
            Outcome::Replace(offers) => {
                for &node in &nodes {
                    self.nodes[node.index()].tainted = true;
                    self.reindex(node);
                    self.drop_preemptors(node);
                }
                let node = self.launch(&offers, out);
                self.nodes[node.index()].reserved = true;
                self.disruption.replacements.insert(node, (nodes, reason));
                self.after(REPLACEMENT_TIMEOUT, FleetEvent::ReplaceTimeout(node), out);
            }
        }
    }

    /// If `node` is a replacement, what it replaces may go.
    pub(super) fn on_replacement_up(&mut self, node: NodeId, out: &mut Out) {
        let Some((nodes, reason)) = self.disruption.replacements.remove(&node) else { return };
        for replaced in nodes {
            self.nodes[replaced.index()].tainted = false;
            self.begin_drain_of(replaced, reason.ending(), out);
        }
    }

    /// If `node` was to be a replacement, it will not be, or not in time: what it was to replace takes pods again.
    pub(super) fn on_replacement_lost(&mut self, node: NodeId, out: &mut Out) {
        let Some((replaced, _)) = self.disruption.replacements.remove(&node) else { return };
        for node in replaced {
            self.nodes[node.index()].tainted = false;
            self.reindex(node);
        }
        self.changed = true;
        self.schedule_pending(out);
    }

    /// A node past its age in a pool that replaces such nodes first: an empty one at once, else the oldest whose pods have somewhere to go.
    fn find_expired(&self) -> Option<(NodeId, Outcome)> {
        let is_due = |node: &NodeId| self.nodes[node.index()].expired && self.is_disruptable(*node);
        let due: Vec<NodeId> = self.live.iter().copied().filter(is_due).collect();
        let mut due = self.within_budgets_each(due, Reason::Expired);
        due.sort_by_key(|node| (self.nodes[node.index()].used() > 0, self.nodes[node.index()].requested, *node));
        due.into_iter().find_map(|node| self.place_pods_of(&[node]).map(|outcome| (node, outcome)))
    }

    /// Where the pods of `nodes` go, whatever it costs.
    fn place_pods_of(&self, nodes: &[NodeId]) -> Option<Outcome> {
        let missing = self.missing_without(nodes);
        if missing.iter().all(|&missing| missing == 0) {
            return Some(Outcome::Delete);
        }
        if self.classes.len() > 1 {
            return self.choose_for_all(&missing).map(Outcome::Replace);
        }
        let (offers, takes) = self.choose(0, (false, missing[0]), &mut self.room())?;
        (takes >= missing[0]).then_some(Outcome::Replace(offers))
    }

    /// Whether some node would be looked at but for a budget.
    fn is_budget_bound(&self) -> bool {
        [Reason::Empty, Reason::Underutilized].into_iter().any(|reason| {
            let candidates = self.candidates(reason);
            let count = candidates.len();
            self.within_budgets(candidates, reason).len() < count
        })
    }

    fn find_empty(&self) -> Option<Command> {
        let nodes = self.within_budgets(self.candidates(Reason::Empty), Reason::Empty);
        (!nodes.is_empty()).then_some(Command { reason: Reason::Empty, nodes })
    }

    /// The largest number of the least disruptive nodes that one node or none can replace, found by bisection as Karpenter does.
    fn find_several(&self, ranked: &[NodeId]) -> Option<Command> {
        let mut nodes = self.within_budgets(ranked.to_vec(), Reason::Underutilized);
        nodes.truncate(NODES_MAX);
        let (mut best, mut low, mut high) = (None, 2, nodes.len());
        while low <= high {
            let middle = usize::midpoint(low, high);
            if self.simulate(&nodes[..middle]).is_some() {
                best = Some(middle);
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        let count = best?;
        nodes.truncate(count);
        Some(Command { reason: Reason::Underutilized, nodes })
    }

    fn find_one(&self, ranked: Vec<NodeId>) -> Option<Command> {
        // Nodes of one offering with equally many pods of each class are alike: what holds for one holds for all.
        let mut hopeless = BTreeSet::new();
        let node = self.within_budgets_each(ranked, Reason::Underutilized).into_iter().find(|&node| {
            let state = &self.nodes[node.index()];
            let kind = (state.offer, state.load());
            if hopeless.contains(&kind) {
                return false;
            }
            let fits = self.simulate(&[node]).is_some();
            if !fits {
                hopeless.insert(kind);
            }
            fits
        })?;
        Some(Command { reason: Reason::Underutilized, nodes: vec![node] })
    }

    /// Underutilized candidates, those that cost most for the disruption their going would be first. A node that will expire soon disrupts
    /// little: its pods would have to move anyway.
    fn ranked(&self) -> Vec<NodeId> {
        let worth = |node: &NodeId| {
            let offer = &self.offers[self.nodes[node.index()].offer];
            let disruption = self.disruption_cost(*node) * self.life_remaining(*node);
            offer.choice_price().as_micros() as f64 / disruption
        };
        let mut nodes = self.candidates(Reason::Underutilized);
        // Stable, so that older nodes come first among equals.
        nodes.sort_by(|one, other| worth(other).total_cmp(&worth(one)));
        nodes
    }

    /// The share of its permitted age that a node still has; 1 where there is no limit.
    fn life_remaining(&self, node: NodeId) -> f64 {
        let state = &self.nodes[node.index()];
        match self.spec.pools[self.offers[state.offer].pool].expire_after {
            Some(age) if !age.is_zero() => {
                let lived = self.now.since(state.requested).as_secs_f64() / age.as_secs_f64();
                (1.0 - lived).clamp(0.0, 1.0)
            }
            _ => 1.0,
        }
    }

    fn candidates(&self, reason: Reason) -> Vec<NodeId> {
        self.live.iter().copied().filter(|&node| self.is_candidate(node, reason)).collect()
    }

    /// Whether the loop may remove `node` for `reason`, budgets aside.
    fn is_candidate(&self, node: NodeId, reason: Reason) -> bool {
        let state = &self.nodes[node.index()];
        if (state.used() == 0) != (reason == Reason::Empty) || self.eligible_from(node) > self.now {
            return false;
        }
        let pool = &self.spec.pools[self.offers[state.offer].pool];
        let is_for_empty_ones = matches!(pool.consolidation, Consolidation::WhenEmpty(_));
        let is_covered = reason == Reason::Empty || !is_for_empty_ones;
        is_covered && self.pool_nodes[self.offers[state.offer].pool] > pool.nodes_min && self.is_disruptable(node)
    }

    /// Whether `node` is up, nobody's plans rest on it, and all its pods may be evicted.
    fn is_disruptable(&self, node: NodeId) -> bool {
        let state = &self.nodes[node.index()];
        state.state == NodeState::Up
            && !state.tainted
            && !state.warned
            && !self.is_reserved(node)
            && !self.is_protected(node)
            && state.pods.iter().all(|&pod| self.pods[pod].role == PodRole::Active && self.may_evict(pod))
    }

    /// A node ordered for pods that are still on nodes to be drained is left alone until they come.
    fn is_reserved(&self, node: NodeId) -> bool {
        self.nodes[node.index()].reserved
            && (self.disruption.replacements.contains_key(&node)
                || self.displaced().iter().any(|&displaced| displaced > 0))
    }

    /// When `consolidateAfter` has passed since the node's last pod event; never if its pool consolidates nothing.
    fn eligible_from(&self, node: NodeId) -> SimTime {
        let state = &self.nodes[node.index()];
        match self.spec.pools[self.offers[state.offer].pool].consolidation {
            Consolidation::Never => SimTime::MAX,
            Consolidation::WhenEmpty(after)
            | Consolidation::WhenEmptyOrUnderutilized(after)
            | Consolidation::Balanced { after, .. } => state.pod_event.saturating_add(after),
        }
    }

    /// When time alone will next make a node eligible.
    fn next_eligible(&self) -> SimTime {
        let up = self.live.iter().copied().filter(|node| self.nodes[node.index()].state == NodeState::Up);
        up.map(|node| self.eligible_from(node)).filter(|&time| time > self.now).min().unwrap_or(SimTime::MAX)
    }

    /// As many of `nodes`, in order, as the budgets of their pools allow.
    fn within_budgets(&self, mut nodes: Vec<NodeId>, reason: Reason) -> Vec<NodeId> {
        let mut allowed: Vec<Option<u32>> = vec![None; self.spec.pools.len()];
        nodes.retain(|node| {
            let pool = self.offers[self.nodes[node.index()].offer].pool;
            let left = allowed[pool].get_or_insert_with(|| self.allowed(pool, reason));
            let is_allowed = *left > 0;
            *left = left.saturating_sub(1);
            is_allowed
        });
        nodes
    }

    /// Those of `nodes` that might each go alone.
    fn within_budgets_each(&self, mut nodes: Vec<NodeId>, reason: Reason) -> Vec<NodeId> {
        let mut allowed: Vec<Option<u32>> = vec![None; self.spec.pools.len()];
        nodes.retain(|node| {
            let pool = self.offers[self.nodes[node.index()].offer].pool;
            *allowed[pool].get_or_insert_with(|| self.allowed(pool, reason)) > 0
        });
        nodes
    }

    /// Nodes of `pool` that may be disrupted for `reason` now: the tightest budget in force, less those already going.
    fn allowed(&self, pool: usize, reason: Reason) -> u32 {
        let (mut up, mut going) = (0, 0);
        for node in &self.live {
            let state = &self.nodes[node.index()];
            if self.offers[state.offer].pool == pool && state.state >= NodeState::Up {
                up += 1;
                going += u32::from(state.state == NodeState::Draining || state.tainted);
            }
        }
        let budgets = self.spec.pools[pool].budgets.iter().zip(&self.windows[pool]);
        let binds = |budget: &DisruptionBudget| {
            budget.reasons.is_empty() || budget.reasons.iter().any(|name| name == reason.name())
        };
        let permitted = budgets.filter_map(|(budget, window)| match (&budget.window, window) {
            // Karpenter takes a schedule it cannot read for a budget of zero, whatever its reasons (`GetAllowedDisruptionsByReason`).
            (Some(_), None) => Some(0),
            (Some((_, duration)), Some(schedule)) => {
                let now = self.start_unix_seconds + self.now.as_secs() as i64;
                let is_open = binds(budget) && super::calendar::is_within(schedule, *duration, now);
                is_open.then(|| budget_nodes(budget, up))
            }
            (None, _) => binds(budget).then(|| budget_nodes(budget, up)),
        });
        permitted.min().map_or(u32::MAX, |nodes| nodes.saturating_sub(going))
    }

    /// Whether the pods of `nodes` fit elsewhere, or with one new node that is cheaper than all of `nodes` together.
    fn simulate(&self, nodes: &[NodeId]) -> Option<Outcome> {
        let missing = self.missing_without(nodes);
        let outcome = if missing.iter().all(|&missing| missing == 0) {
            Outcome::Delete
        } else {
            let mut offers = self.cheaper(nodes, &missing);
            self.keep_hosts_of(&mut offers, &missing, nodes);
            if offers.is_empty() {
                return None;
            }
            Outcome::Replace(offers)
        };
        self.is_worth_it(nodes, &outcome).then_some(outcome)
    }

    /// Leaves the offerings whose nodes the placement rules of all classes permit to take so many pods.
    pub(super) fn keep_hosts_of(&self, offers: &mut Vec<usize>, pods: &[u32], leaving: &[NodeId]) {
        for (class, &pods) in pods.iter().enumerate() {
            if pods > 0 && !self.classes[class].topology.is_empty() {
                let takes = self.keep_placeable(class, offers, leaving);
                offers.retain(|&offer| takes.min(self.takes_each(class, self.slots(class, offer))) >= pods);
            }
        }
    }

    /// How many of the pods of `nodes`, by class, find no room on others.
    fn missing_without(&self, nodes: &[NodeId]) -> Counts {
        // Pods that already wait, or are about to be evicted elsewhere, go first.
        let mut waiting = self.displaced();
        for (waiting, class) in waiting.iter_mut().zip(&self.classes) {
            *waiting += class.waiting() + class.pauses_waiting;
        }
        if self.classes.len() == 1 {
            return Counts::from_elem(self.missing_alone(nodes, waiting[0]), 1);
        }
        let mut pods = Counts::from_elem(0, self.classes.len());
        for node in nodes {
            let on_node = self.nodes[node.index()].classes.iter();
            pods.iter_mut().zip(on_node).for_each(|(pods, on_node)| *pods += on_node.used());
        }
        let mut rooms = self.rooms(nodes);
        rooms.place_all(&waiting, |_| true);
        rooms.place_all(&pods, |node| self.receives(node))
    }

    /// The same for pods of the only class: what counts is numbers of slots.
    fn missing_alone(&self, nodes: &[NodeId], waiting: u32) -> u32 {
        let pods: u32 = nodes.iter().map(|node| self.nodes[node.index()].used()).sum();
        if !self.classes[0].topology.is_empty() {
            let mut map = self.plan_map(0, nodes);
            let is_up = |node: NodeId| self.nodes[node.index()].state == NodeState::Up;
            map.missing_after(waiting, is_up);
            return map.missing_after(pods, |node| is_up(node) && self.receives(node));
        }
        let own: u32 = nodes.iter().map(|&node| self.open_slots(0, node)).sum();
        let open = self.classes[0].slots_open - own;
        let fresh = self.fresh_slots(nodes);
        let taken = waiting.saturating_sub(fresh);
        pods.saturating_sub((open - fresh).saturating_sub(taken))
    }

    /// Free slots of other nodes than `leaving` whose own window since their last pod event is not over.
    fn fresh_slots(&self, leaving: &[NodeId]) -> u32 {
        let is_fresh = |node: &&NodeId| !leaving.contains(node) && !self.receives(**node);
        let open = self.classes[0].open.iter().flatten().map(|(_, node)| node);
        open.filter(is_fresh).map(|&node| self.open_slots(0, node)).sum()
    }

    /// Whether a pod moved by consolidation may go to `node`: not while the node's own `consolidateAfter` has not passed since its last
    /// pod event. Since Karpenter 1.14; before, only the node it leaves had to be past it.
    fn receives(&self, node: NodeId) -> bool {
        let offer = &self.offers[self.nodes[node.index()].offer];
        match self.spec.pools[offer.pool].consolidation {
            _ if self.spec.karpenter.receivers_need_not_settle => true,
            Consolidation::Never => true,
            _ => self.eligible_from(node) <= self.now,
        }
    }

    /// Whether every pool with the policy `Balanced` that has some of `nodes` finds the move worth the disruption: its share of the
    /// pool's cost that is saved over its share of the pool's disruption cost (model.md#consolidation; `disruption/balanced.go`).
    fn is_worth_it(&self, nodes: &[NodeId], outcome: &Outcome) -> bool {
        let price_of = |node: NodeId| self.offers[self.nodes[node.index()].offer].choice_price().as_micros() as f64;
        let replaced: f64 = nodes.iter().map(|&node| price_of(node)).sum();
        let replacement = match outcome {
            Outcome::Delete => 0.0,
            Outcome::Replace(offers) => self.offers[offers[0]].choice_price().as_micros() as f64,
        };
        let saved = replaced - replacement;
        self.spec.pools.iter().enumerate().all(|(pool, spec)| {
            let Consolidation::Balanced { threshold, .. } = spec.consolidation else { return true };
            let in_pool = |node: &NodeId| self.offers[self.nodes[node.index()].offer].pool == pool;
            let moved: Vec<NodeId> = nodes.iter().copied().filter(in_pool).collect();
            if moved.is_empty() {
                return true;
            }
            let all = self.live.iter().copied().filter(|node| in_pool(node) && self.is_disruptable(*node));
            let (pool_cost, pool_disruption) = all.fold((0.0, 0.0), |(cost, disruption), node| {
                (cost + price_of(node), disruption + self.disruption_cost(node))
            });
            // Nodes of other pools that go at the same time have their part in what is saved.
            let share: f64 = moved.iter().map(|&node| price_of(node)).sum::<f64>() / replaced;
            let disruption: f64 = moved.iter().map(|&node| self.disruption_cost(node)).sum();
            let (saved_fraction, disrupted_fraction) = (saved * share / pool_cost, disruption / pool_disruption);
            saved > 0.0 && saved_fraction * f64::from(threshold) >= disrupted_fraction
        })
    }

    /// One for the node and about one for each pod, more for those of high priority and none for those of very low.
    fn disruption_cost(&self, node: NodeId) -> f64 {
        let state = &self.nodes[node.index()];
        let of_pod = |class: &Class| (1.0 + f64::from(class.pod.priority) / f64::from(1 << 25)).clamp(0.0, 10.0);
        let pods = state.classes.iter().zip(&self.classes);
        pods.fold(1.0, |sum, (on_node, class)| {
            sum + f64::from(on_node.pods) * of_pod(class) + f64::from(on_node.pauses)
        })
    }

    /// Free slots for a class of a node that is up and takes pods.
    pub(super) fn open_slots(&self, class: usize, node: NodeId) -> u32 {
        self.nodes[node.index()].classes[class].listed_slots
    }

    /// Offerings that hold so many pods and cost less than `nodes` do now, all of one purchase option, cheapest first.
    fn cheaper(&self, nodes: &[NodeId], pods: &[u32]) -> Vec<usize> {
        let offer_of = |node: &NodeId| &self.offers[self.nodes[node.index()].offer];
        let total: u64 = nodes.iter().map(|node| offer_of(node).choice_price().as_micros()).sum();
        let room = self.room();
        let most = self.classes.iter().map(|class| class.steps).max().unwrap_or(1);
        let steps = (0..most).flat_map(|step| self.pool_order.iter().map(move |&pool| (step, pool)));
        let first = pods.iter().position(|&pods| pods > 0).unwrap_or(0);
        for (step, pool) in steps {
            let fits = |&offer: &usize| self.hosts(offer, pods, step) && room.has(pool, &self.offers[offer]);
            let hosts: Vec<usize> = self.pool_offers[pool].iter().copied().filter(fits).collect();
            if hosts.is_empty() {
                continue;
            }
            // Several nodes become one of a type they have already only by deleting the others: that would be found as such.
            let same_type = |node: &&NodeId| {
                let kind = &offer_of(node).spec.instance_type;
                hosts.iter().any(|&offer| self.offers[offer].spec.instance_type == *kind)
            };
            let cap = nodes.iter().filter(same_type).map(|node| offer_of(node).choice_price()).min();
            let limit = if nodes.len() > 1 { cap } else { None };
            let is_cheaper = |price: UsdPerHour| price.as_micros() < total && limit.is_none_or(|limit| price < limit);
            let mut cheaper: Vec<usize> =
                hosts.into_iter().filter(|&offer| is_cheaper(self.offers[offer].choice_price())).collect();
            if self.is_short_on_demand(pool, nodes) {
                cheaper.retain(|&offer| self.offers[offer].spec.purchase == Purchase::OnDemand);
            }
            // From spot to spot is behind a feature gate that is off.
            let is_spot = |offer: &usize| self.offers[*offer].spec.purchase == Purchase::Spot;
            if nodes.iter().all(|node| offer_of(node).spec.purchase == Purchase::Spot) && cheaper.iter().any(is_spot) {
                return Vec::new();
            }
            cheaper = self.one_purchase(first, cheaper);
            return cheaper;
        }
        Vec::new()
    }
}

/// Nodes a budget permits of `up`; percentages are rounded up.
fn budget_nodes(budget: &DisruptionBudget, up: u32) -> u32 {
    let by_percent = budget.percent.map(|percent| (f64::from(up) * percent / 100.0).ceil() as u32);
    by_percent.unwrap_or(u32::MAX).min(budget.nodes.unwrap_or(u32::MAX))
}
