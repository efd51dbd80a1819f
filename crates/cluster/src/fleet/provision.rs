//! From pods without a node to nodes that take pods: what to launch, and the life of a node until it is up.

use record::Purchase;
use smallvec::SmallVec;
use units::{NodeId, SimDuration, SimTime};
use workload::{Purpose, Stream};

use super::Fleet;
use super::cache::{NodeCache, Sync};
use super::dice::draw;
use super::event::{FleetEvent, Notice, Out};
use super::images::{self, Image};
use super::meter::Meter;
use super::node::{self, Node, NodeState, Offer, OnNode};
use super::room::{self, Amounts};
use crate::spec::NodeManager;

/// How long an offering that refused a launch is left out (Karpenter's unavailable-offerings cache).
pub(super) const REFUSAL: SimDuration = SimDuration::from_secs(180);
/// Pods that still have no node trigger provisioning again this often (Karpenter's pod controller).
pub(super) const RETRY: SimDuration = SimDuration::from_secs(10);
/// Karpenter gives up a claim that is not launched by then (`nodeclaim/lifecycle/liveness.go`),
const LAUNCH_MAX: SimDuration = SimDuration::from_secs(300);
/// and one whose node has not registered this long after its launch.
const REGISTRATION_MAX: SimDuration = SimDuration::from_secs(900);

/// A node that is stuck somewhere draws it as this entity's.
const STUCK_ENTITY: u64 = 1 << 33;

/// What a pass over the pools may still use of their limits: pools' GPUs, nodes, and CPU and memory of machines.
pub(super) struct Room {
    gpus: Vec<u32>,
    nodes: Vec<u32>,
    millicores: Vec<u64>,
    bytes: Vec<u64>,
}

impl Fleet {
    /// Pods wait: has whoever adds nodes do what it does then.
    pub(super) fn request_capacity(&mut self, out: &mut Out) {
        self.nominate_unplanned();
        if !self.has_demand() {
            return;
        }
        match self.spec.manager {
            NodeManager::Simple { .. } => {
                self.plan(false, out);
                self.plan_headroom(false, out);
                self.retry_later(out);
            }
            // New pods open the window themselves; others re-enter at their next retry.
            NodeManager::Karpenter => self.retry_later(out),
            NodeManager::ClusterAutoscaler(_) | NodeManager::Serverless { .. } => {}
        }
    }

    /// If pods are left without a plan, or a pool without its least nodes, looks again in ten seconds.
    pub(super) fn retry_later(&mut self, out: &mut Out) {
        let is_short = |pool: usize| self.pool_nodes[pool] < self.spec.pools[pool].nodes_min;
        let is_needed = self.has_demand() || (0..self.spec.pools.len()).any(is_short);
        self.retry_if(is_needed, out);
    }

    /// Asks for a retry if there is reason for one and none is asked for.
    pub(super) fn retry_if(&mut self, is_needed: bool, out: &mut Out) {
        if is_needed && !self.retry_asked {
            self.retry_asked = true;
            self.after(RETRY, FleetEvent::Retry, out);
        }
    }

    /// The retry of pods left over.
    pub(super) fn on_retry(&mut self, out: &mut Out) {
        self.retry_asked = false;
        self.fill_minimum(false, out);
        self.nominate_unplanned();
        if self.is_karpenter() && self.has_demand() {
            self.trigger_batch(out);
        } else {
            self.request_capacity(out);
        }
    }

    /// One provisioning pass over the waiting pods. With `pack`, as Karpenter does it: a new node is chosen for as many of the
    /// waiting pods as the largest instance type takes; else for one pod, and others use what room is left on it.
    pub(super) fn plan(&mut self, pack: bool, out: &mut Out) {
        if pack && self.classes.len() > 1 {
            return self.plan_claims_for_pods(out);
        }
        let mut room = self.room();
        let mut failed = vec![[false; 2]; self.classes.len()];
        loop {
            self.nominate_unplanned();
            let Some((class, queue)) = self.first_waiting(|class| &class.unplanned, &failed) else { break };
            let waiting = self.classes[class].unplanned[queue].len() as u32;
            let wanted = if pack { waiting } else { 1 };
            let Some((candidates, takes)) = self.choose(class, (queue == 1, wanted), &mut room) else {
                self.note_waits();
                failed[class][queue] = true;
                continue;
            };
            let node = self.launch(&candidates, out);
            for _ in 0..takes {
                let pod = self.classes[class].unplanned[queue].first().copied().expect("no more than wait");
                self.nominate(pod, node);
            }
        }
    }

    /// What the pools may still take.
    pub(super) fn room(&self) -> Room {
        let pools = self.spec.pools.iter().enumerate();
        Room {
            gpus: pools.clone().map(|(index, pool)| left(pool.gpus_max, self.pool_gpus[index])).collect(),
            nodes: pools.clone().map(|(index, pool)| left(pool.nodes_max, self.pool_nodes[index])).collect(),
            millicores: pools
                .clone()
                .map(|(index, pool)| left_of(pool.cpu_max.map(|cpu| cpu.0), self.pool_machines[index].0))
                .collect(),
            bytes: pools
                .map(|(index, pool)| left_of(pool.memory_max.map(|memory| memory.0), self.pool_machines[index].1))
                .collect(),
        }
    }

    /// The offerings to try for a node that takes up to `wanted` pods of a class, cheapest first and all of one purchase option, and how
    /// many of the pods it takes. The first pool by weight that can host a pod at all decides; preferences are given up one by one while none can.
    pub(super) fn choose(&self, class: usize, wanted: (bool, u32), room: &mut Room) -> Option<(Vec<usize>, u32)> {
        (0..self.classes[class].steps).find_map(|step| self.choose_at(step, class, wanted, room))
    }

    fn choose_at(
        &self,
        step: u32,
        class: usize,
        (on_demand, wanted): (bool, u32),
        room: &mut Room,
    ) -> Option<(Vec<usize>, u32)> {
        let fits = &self.classes[class].fits;
        for &pool in &self.pool_order {
            if room.nodes[pool] == 0 || self.spec.pools[pool].rules.is_static {
                continue;
            }
            let mut candidates: Vec<usize> = self.pool_offers[pool]
                .iter()
                .copied()
                .filter(|&offer| self.is_eligible(class, offer, on_demand))
                .collect();
            candidates.retain(|&offer| fits[offer].is_at(step) && room.has(pool, &self.offers[offer]));
            self.keep_mix(pool, &mut candidates);
            let placeable = self.keep_placeable(class, &mut candidates, &[]);
            let Some(most) = candidates.iter().map(|&offer| fits[offer].slots).max() else { continue };
            let takes = self.takes_each(class, most).min(wanted).min(placeable);
            candidates.retain(|&offer| fits[offer].slots >= takes);
            room.subtract_largest(pool, candidates.iter().map(|&offer| &self.offers[offer]));
            return Some((self.one_purchase(class, candidates), takes));
        }
        None
    }

    /// Leaves the offerings whose nodes the placement rules of a class permit once the `leaving` nodes are gone, and how many pods each
    /// may take.
    pub(super) fn keep_placeable(&self, class: usize, candidates: &mut Vec<usize>, leaving: &[NodeId]) -> u32 {
        if self.classes[class].topology.is_empty() {
            return u32::MAX;
        }
        let map = self.plan_map(class, leaving);
        candidates.retain(|&offer| map.takes_new(offer) > 0);
        candidates.iter().map(|&offer| map.takes_new(offer)).min().unwrap_or(u32::MAX)
    }

    /// Leaves on-demand offerings while the pool is short of them, and the others while it is not; all of them if that leaves none. Spot
    /// dearer than on demand is no choice in either case.
    pub(super) fn keep_mix(&self, pool: usize, candidates: &mut Vec<usize>) {
        if self.spec.pools[pool].on_demand.is_none() {
            return;
        }
        let is_on_demand = |offer: usize| self.offers[offer].spec.purchase == Purchase::OnDemand;
        let is_short = self.is_short_on_demand(pool, &[]);
        let dearest =
            candidates.iter().filter(|offer| is_on_demand(**offer)).map(|&offer| self.offers[offer].choice_price());
        let dearest = dearest.min();
        let fits = |offer: usize| {
            let price = self.offers[offer].choice_price();
            is_on_demand(offer) == is_short && (is_short || dearest.is_none_or(|limit| price <= limit))
        };
        if candidates.iter().any(|&offer| fits(offer)) {
            candidates.retain(|&offer| fits(offer));
        }
    }

    /// Whether the next node of a pool must be on demand to keep its share, once the `leaving` are gone.
    pub(super) fn is_short_on_demand(&self, pool: usize, leaving: &[NodeId]) -> bool {
        let Some(share) = self.spec.pools[pool].on_demand else { return false };
        let (mut nodes, mut on_demand) = (0, 0);
        for &offer in &self.pool_offers[pool] {
            let gone = leaving.iter().filter(|node| self.nodes[node.index()].offer == offer).count() as u32;
            let staying = self.offers[offer].in_use - gone;
            nodes += staying;
            on_demand += if self.offers[offer].spec.purchase == Purchase::OnDemand { staying } else { 0 };
        }
        on_demand < share.of(nodes + 1)
    }

    /// Reserved if there is any, else spot no dearer than the cheapest on-demand, else on-demand; cheapest first. For pods of a class.
    pub(super) fn one_purchase(&self, class: usize, mut candidates: Vec<usize>) -> Vec<usize> {
        let of = |offer: usize| &self.offers[offer];
        let is = |offer: usize, purchase: Purchase| of(offer).spec.purchase == purchase;
        let on_demand_price = candidates
            .iter()
            .filter(|&&offer| is(offer, Purchase::OnDemand))
            .map(|&offer| of(offer).choice_price())
            .min();
        candidates.retain(|&offer| {
            !is(offer, Purchase::Spot) || on_demand_price.is_none_or(|price| of(offer).choice_price() <= price)
        });
        let purchase = [Purchase::Reserved, Purchase::Spot, Purchase::OnDemand]
            .into_iter()
            .find(|&purchase| candidates.iter().any(|&offer| is(offer, purchase)));
        candidates.retain(|&offer| Some(of(offer).spec.purchase) == purchase);
        let spreads = self.classes[class].pod.spread.zones;
        let pods = if spreads { self.pods_by_zone(class) } else { vec![0; self.zones.len()] };
        // At equal prices the offering with the fewest nodes: zones that cost the same share the load.
        candidates.sort_by_key(|&offer| (pods[of(offer).zone], of(offer).choice_price(), of(offer).in_use, offer));
        candidates
    }

    /// Whether provisioning considers an offering for pods of a class: they fit, it is of a permitted purchase option, and it is not known to be unavailable.
    /// That a commitment is used up is known; that other capacity is, one learns by asking.
    pub(super) fn is_eligible(&self, class: usize, offer: usize, on_demand: bool) -> bool {
        let slots = self.slots(class, offer);
        let offer = &self.offers[offer];
        let is_used_up =
            offer.spec.purchase == Purchase::Reserved && offer.spec.capacity_max.is_some_and(|max| offer.in_use >= max);
        slots > 0
            && !(on_demand && offer.spec.purchase == Purchase::Spot)
            && offer.hidden_until <= self.now
            && !is_used_up
    }

    /// Asks the provider for one of `candidates`, in that order.
    pub(super) fn launch(&mut self, candidates: &[usize], out: &mut Out) -> NodeId {
        let node = NodeId(self.nodes.len() as u32);
        let mut stream = Stream::new(self.seed, Purpose::Provisioning, node::entity(node));
        let timings = &self.spec.timings;
        let lengths = [&timings.launch, &timings.boot, &timings.device_plugin, &timings.launch_failure]
            .map(|length| draw(length, &mut stream));
        let mut refused = Vec::new();
        let granted = candidates.iter().copied().find(|&offer| {
            let luck = stream.uniform();
            let is_granted = self.has_capacity(offer) && luck >= self.offers[offer].spec.insufficient_capacity;
            if !is_granted {
                refused.push(offer);
            }
            is_granted
        });
        self.push_node(granted.unwrap_or(candidates[0]));
        let state = &mut self.nodes[node.index()];
        state.granted = granted.is_some();
        state.refused = refused;
        state.delays = [lengths[1], lengths[2]];
        let (is_launch_stuck, is_registration_stuck) = self.is_stuck(node);
        if is_registration_stuck {
            self.nodes[node.index()].delays[0] = SimDuration::MAX;
        }
        let answer = if is_launch_stuck {
            SimDuration::MAX
        } else if granted.is_some() {
            lengths[0]
        } else {
            lengths[3]
        };
        self.await_node(node, (answer, LAUNCH_MAX), FleetEvent::Launch(node), out);
        if let NodeManager::ClusterAutoscaler(autoscaler) = &self.spec.manager {
            self.after(autoscaler.provision_time_max, FleetEvent::ProvisionTimeout(node), out);
        }
        node
    }

    /// Whether the launch of `node` will never be answered, and whether it will never register. Drawn apart from its other dice.
    fn is_stuck(&self, node: NodeId) -> (bool, bool) {
        let timings = &self.spec.timings;
        if timings.launch_stuck == 0.0 && timings.registration_stuck == 0.0 {
            return (false, false);
        }
        let mut stream = Stream::new(self.seed, Purpose::Provisioning, STUCK_ENTITY + node::entity(node));
        let (launch, registration) = (stream.uniform(), stream.uniform());
        (launch < timings.launch_stuck, registration < timings.registration_stuck)
    }

    /// The next step of a node that is coming: it takes `length`, and Karpenter waits for it no longer than `limit`. What never happens
    /// is not waited for; the Cluster Autoscaler has a time-out of its own for the whole way.
    fn await_node(&self, node: NodeId, (length, limit): (SimDuration, SimDuration), event: FleetEvent, out: &mut Out) {
        if self.is_karpenter() && length > limit {
            self.after(limit, FleetEvent::ClaimTimeout(node), out);
        } else if length < SimDuration::MAX {
            self.after(length, event, out);
        }
    }

    /// Karpenter deletes the claim of a node that is not there in time, and the instance with it; its pods go round again.
    pub(super) fn on_claim_timeout(&mut self, node: NodeId, out: &mut Out) {
        let ending = match self.nodes[node.index()].state {
            NodeState::Launching => "launch_timeout",
            NodeState::Booting => "registration_timeout",
            _ => return,
        };
        self.end_node(node, ending, out);
    }

    /// Leaves out what was refused, in every pool that offers it.
    pub(super) fn hide(&mut self, offer: usize, until: SimTime) {
        let spec = &self.offers[offer].spec;
        let key = (spec.purchase, spec.instance_type.clone(), spec.zone.clone());
        for other in &mut self.offers {
            if (other.spec.purchase, &other.spec.instance_type, &other.spec.zone) == (key.0, &key.1, &key.2) {
                other.hidden_until = other.hidden_until.max(until);
            }
        }
    }

    /// Whether the provider has one more of an offering right now.
    fn has_capacity(&self, offer: usize) -> bool {
        let state = &self.offers[offer];
        state.spec.capacity_max.is_none_or(|max| state.in_use < max)
            && state.away_until <= self.now
            && self.spot_room(offer) > 0
    }

    /// A node of `offer` in the state of having been asked for.
    pub(super) fn push_node(&mut self, offer: usize) -> NodeId {
        let node = NodeId(self.nodes.len() as u32);
        let of = &mut self.offers[offer];
        of.in_use += 1;
        let (pool, gpus) = (of.pool, of.spec.gpus);
        let machine = (of.spec.machine_cpu.0, of.spec.machine_memory.0);
        let meter = Meter::new(of.spec.slice, self.tariff(offer), self.now);
        let mut state = Node::new(offer, meter, self.now);
        (state.held, state.planned) = (room::nothing(self.names.len()), room::nothing(self.names.len()));
        state.classes.resize(self.classes.len(), OnNode::default());
        state.images.resize(images::count(&self.classes), Image::default());
        for class in self.classes.iter().filter(|class| class.cold_start.image_pre_pulled) {
            state.images[class.image] = Image::PRESENT;
        }
        self.nodes.push(state);
        self.pool_gpus[pool] += gpus;
        self.pool_machines[pool].0 += machine.0;
        self.pool_machines[pool].1 += machine.1;
        self.pool_nodes[pool] += 1;
        self.live.insert(node);
        self.reindex(node);
        node
    }

    /// A node that is up at once, warm: images and weights are there, of a class or (`None`) of all that fit. For the start of a run.
    pub(super) fn push_warm_node(&mut self, offer: usize, class: Option<usize>, out: &mut Out) -> NodeId {
        let node = self.push_node(offer);
        let state = &mut self.nodes[node.index()];
        state.granted = true;
        self.begin_cache_uses(node);
        if self.spec.cache.as_ref().is_some_and(|cache| cache.sync_period.is_some()) {
            self.on_cache_filled(node, out);
        }
        let fitting = (0..self.classes.len()).filter(|&class| self.slots(class, offer) > 0);
        let classes = class.map_or_else(|| fitting.collect(), |class| vec![class]);
        for class in classes {
            self.warm(class, node);
        }
        self.begin_billing(node, out);
        self.nodes[node.index()].state = NodeState::Up;
        self.reindex(node);
        out.tell(Notice::NodeUp { node });
        self.on_maybe_empty(node, out);
        self.begin_expiry(node, out);
        node
    }

    /// The provider has answered.
    pub(super) fn on_launch(&mut self, node: NodeId, out: &mut Out) {
        let until = self.now + REFUSAL;
        for offer in std::mem::take(&mut self.nodes[node.index()].refused) {
            self.hide(offer, until);
        }
        if self.nodes[node.index()].state != NodeState::Launching {
            return;
        }
        if !self.nodes[node.index()].granted {
            out.tell(Notice::LaunchFailed { node });
            self.back_off_group(node);
            self.end_node(node, "insufficient_capacity", out);
            return;
        }
        self.nodes[node.index()].enter(NodeState::Booting, self.now);
        self.begin_billing(node, out);
        self.await_node(node, (self.nodes[node.index()].delays[0], REGISTRATION_MAX), FleetEvent::Boot(node), out);
    }

    fn begin_billing(&mut self, node: NodeId, out: &mut Out) {
        let state = &mut self.nodes[node.index()];
        state.launched = Some(self.now);
        let tariff = self.tariff(self.nodes[node.index()].offer);
        let state = &mut self.nodes[node.index()];
        let offer = &mut self.offers[state.offer];
        state.meter.restart(tariff, self.now);
        self.counts[offer.spec.purchase as usize] += 1;
        if offer.is_committed() {
            offer.idle.accrue(self.now);
            offer.idle.count -= 1;
        }
        self.apply_commitments(out);
        self.begin_hazard(node, out);
    }

    /// Kubelet is Ready; GPUs are not allocatable before the device plugin has registered them.
    pub(super) fn on_boot(&mut self, node: NodeId, out: &mut Out) {
        if self.nodes[node.index()].state == NodeState::Booting {
            self.nodes[node.index()].enter(NodeState::Plugging, self.now);
            self.after(self.nodes[node.index()].delays[1], FleetEvent::DevicePlugin(node), out);
            self.seem_ready(node);
        }
    }

    /// The node takes pods: the waiting ones in their order, not only those it was launched for.
    pub(super) fn on_device_plugin(&mut self, node: NodeId, out: &mut Out) {
        if self.nodes[node.index()].state != NodeState::Plugging {
            return;
        }
        self.disappoint(node);
        self.nodes[node.index()].pod_event = self.now;
        self.nodes[node.index()].enter(NodeState::Up, self.now);
        self.changed = true;
        self.reindex(node);
        out.tell(Notice::NodeUp { node });
        self.begin_expiry(node, out);
        if self.nodes[node.index()].warned {
            self.begin_drain_of(node, "spot_reclaim", out);
        } else {
            self.begin_cache_uses(node);
            self.sync_cache(node, out);
            self.schedule_pending(out);
            self.on_maybe_empty(node, out);
        }
        self.on_replacement_up(node, out);
        self.request_capacity(out);
    }

    /// Brings every pool to its least number of nodes: at once and warm at the start, by launching later.
    pub(super) fn fill_minimum(&mut self, at_start: bool, out: &mut Out) {
        for pool in 0..self.spec.pools.len() {
            while self.pool_nodes[pool] < self.spec.pools[pool].nodes_min {
                let offers = self.pool_offers[pool].iter().copied();
                let usable: Vec<usize> = if at_start {
                    offers.filter(|&offer| self.holds_any(offer) && self.has_capacity(offer)).collect()
                } else {
                    let is_eligible =
                        |offer| (0..self.classes.len()).any(|class| self.is_eligible(class, offer, false));
                    offers.filter(|&offer| is_eligible(offer)).collect()
                };
                let candidates = self.one_purchase(0, usable);
                match candidates.first() {
                    None => break,
                    Some(&offer) if at_start => drop(self.push_warm_node(offer, None, out)),
                    Some(_) => drop(self.launch(&candidates, out)),
                }
            }
        }
    }

    /// Whether pods of some class fit on nodes of an offering.
    pub(super) fn holds_any(&self, offer: usize) -> bool {
        (0..self.classes.len()).any(|class| self.slots(class, offer) > 0)
    }

    /// A warm node for a pod of a class that is there from the start, if the pools' limits leave room for one.
    pub(super) fn node_at_start(&mut self, class: usize, on_demand: bool, out: &mut Out) -> Option<NodeId> {
        let mut room = self.room();
        let (candidates, _) = self.choose(class, (on_demand, 1), &mut room)?;
        let offer = candidates.into_iter().find(|&offer| self.has_capacity(offer))?;
        Some(self.push_warm_node(offer, Some(class), out))
    }
}

impl Room {
    /// Whether one more node of `offer` is within the limits of `pool`.
    pub(super) fn has(&self, pool: usize, offer: &Offer) -> bool {
        self.nodes_of(pool, offer) > 0
    }

    /// GPUs, millicores and bytes left in `pool`.
    pub(super) fn left(&self, pool: usize) -> (u32, u64, u64) {
        (self.gpus[pool], self.millicores[pool], self.bytes[pool])
    }

    /// How many nodes of `offer` are within the limits of `pool`.
    pub(super) fn nodes_of(&self, pool: usize, offer: &Offer) -> u32 {
        let by = |left: u64, each: u64| left.checked_div(each).unwrap_or(u64::MAX);
        let by_machine = by(self.millicores[pool], offer.spec.machine_cpu.0)
            .min(by(self.bytes[pool], offer.spec.machine_memory.0))
            .min(u64::from(u32::MAX)) as u32;
        self.nodes[pool].min(self.gpus[pool] / offer.spec.gpus.max(1)).min(by_machine)
    }

    /// Any of the candidates may be launched; a pass reckons with the largest in each resource (`subtractMax`).
    pub(super) fn subtract_largest<'a>(&mut self, pool: usize, candidates: impl Iterator<Item = &'a Offer> + Clone) {
        let gpus = candidates.clone().map(|offer| offer.spec.gpus).max().unwrap_or(0);
        let millicores = candidates.clone().map(|offer| offer.spec.machine_cpu.0).max().unwrap_or(0);
        let bytes = candidates.map(|offer| offer.spec.machine_memory.0).max().unwrap_or(0);
        self.nodes[pool] -= 1;
        self.gpus[pool] -= gpus;
        self.millicores[pool] -= millicores;
        self.bytes[pool] -= bytes;
    }
}

fn left_of(max: Option<u64>, used: u64) -> u64 {
    max.map_or(u64::MAX, |max| max.saturating_sub(used))
}

fn left(max: Option<u32>, used: u32) -> u32 {
    max.map_or(u32::MAX, |max| max.saturating_sub(used))
}

impl Node {
    fn new(offer: usize, meter: Meter, now: SimTime) -> Self {
        Self {
            offer,
            state: NodeState::Launching,
            phase_since: now,
            spans: Vec::new(),
            pods: Vec::new(),
            nominated: Vec::new(),
            preemptors: Vec::new(),
            classes: SmallVec::new(),
            held: Amounts::new(),
            planned: Amounts::new(),
            images: SmallVec::new(),
            cache: NodeCache::default(),
            sync: Sync::none(now),
            meter,
            requested: now,
            launched: None,
            ended: None,
            granted: true,
            refused: Vec::new(),
            delays: [SimDuration::ZERO; 2],
            empty_epoch: 0,
            pod_event: now,
            noticed: None,
            recommended: None,
            kill_at: None,
            warned: false,
            ending: "running",
            evict_backoff: SimDuration::ZERO,
            drain_since: now,
            tainted: false,
            expired: false,
            reserved: false,
            unneeded_since: None,
            billed: SimDuration::ZERO,
            cost: units::Usd::ZERO,
        }
    }
}
