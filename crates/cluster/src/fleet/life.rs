//! The two ends of a run: what can be launched, and what is left behind.

use std::sync::Arc;

use record::{GpuUse, NodeLife, Purchase, ReplicaLife};
use units::{Bytes, Cost, Millicores, NodeId, SimDuration, SimTime, Usd, UsdPerHour};

use super::class::Fit;
use super::node::{Idle, Node, Offer};
use super::pod::Pod;
use super::pods::Pods;
use super::{Fleet, Zone, meter, room};
use crate::spec::{Billing, FleetSpec, InstanceOffering, NodeManager, NodePoolSpec, PodClass, named_labels, slots};

/// All offerings of all pools in one list, and the zones they name. Without nodes it is one for the replicas of each class.
pub(super) fn list_offers(spec: &FleetSpec, classes: &[PodClass], names: &[String]) -> (Vec<Offer>, Vec<Zone>) {
    let mut zones: Vec<Zone> = Vec::new();
    let mut offers = Vec::new();
    if let NodeManager::Serverless { price } = spec.manager {
        let replica = |class: &PodClass| offer((0, 0), replica_offering(price, class.pod.gpus.max(1)), names);
        offers.extend(classes.iter().map(replica));
        return (offers, zones);
    }
    for (pool, pool_spec) in spec.pools.iter().enumerate() {
        for offering in &pool_spec.offerings {
            assert!(!offering.prices.is_empty(), "every offering has a price");
            let zone = zones.iter().position(|zone| zone.name == offering.zone).unwrap_or_else(|| {
                zones.push(Zone { name: offering.zone.clone(), stream: None });
                zones.len() - 1
            });
            offers.push(offer((pool, zone), offering.clone(), names));
        }
    }
    (offers, zones)
}

/// How pods fit on nodes of the offerings of pools, preferences aside; without nodes they do not.
pub(super) fn offer_fits(spec: &FleetSpec, class: &PodClass, offers: &[Offer]) -> Vec<Fit> {
    let named = named_labels(&spec.pools);
    let is_open = |pool: &&NodePoolSpec| pool.rules.only_for.as_ref().is_none_or(|service| *service == class.name);
    let fit = |offer: &Offer| {
        let pool = spec.pools.get(offer.pool).filter(is_open);
        let slots = pool.map_or(0, |pool| slots(&offer.spec, (pool, &named), &class.pod));
        Fit { slots, steps: u64::MAX, dislike: 0 }
    };
    offers.iter().map(fit).collect()
}

fn offer((pool, zone): (usize, usize), spec: InstanceOffering, names: &[String]) -> Offer {
    let mut offer = Offer {
        pool,
        has: room::allocatable(&spec, names),
        spec,
        in_use: 0,
        price: 0,
        hidden_until: SimTime::ZERO,
        away_until: SimTime::ZERO,
        zone,
        idle: Idle::default(),
    };
    if offer.is_committed() {
        offer.idle.count = offer.spec.capacity_max.unwrap_or(0);
    }
    offer
}

/// What a serverless replica stands on.
fn replica_offering(price: UsdPerHour, gpus: u32) -> InstanceOffering {
    InstanceOffering {
        instance_type: "replica".into(),
        zone: String::new(),
        purchase: Purchase::Serverless,
        gpus,
        slice: crate::spec::GpuSlice::whole(gpus),
        gpu_resource: String::new(),
        gpu_product: String::new(),
        cpu: Millicores(0),
        memory: Bytes(0),
        machine_cpu: Millicores(0),
        machine_memory: Bytes(0),
        prices: Arc::from([(SimTime::ZERO, price)]),
        billing: Billing {
            minimum: SimDuration::ZERO,
            increment: SimDuration::ZERO,
            spot_free_until: SimDuration::ZERO,
        },
        capacity_max: None,
        insufficient_capacity: 0.0,
        labels: Vec::new(),
        extended: Vec::new(),
        overlay: None,
    }
}

/// The bills of nodes, shared among the pods they held.
struct Shares {
    /// By pod.
    pods: Vec<Usd>,
    /// What is left of each node's bill.
    rest: Vec<Usd>,
}

/// Shares each node's bill by GPU-time: every pod its part rounded down to micro-dollars, what is left over by that to the largest
/// remainders, so that parts and rest add up to the bill exactly. Each pod comes with its GPUs.
fn share_bills<'a>(pods: impl Iterator<Item = (&'a Pod, u32)> + Clone, nodes: &[Node], end: SimTime) -> Shares {
    let rest = nodes.iter().map(|node| node.cost).collect();
    let mut shares = Shares { pods: vec![Usd::ZERO; pods.clone().count()], rest };
    let mut held: Vec<Vec<(usize, Cost)>> = vec![Vec::new(); nodes.len()];
    for (index, (pod, gpus)) in pods.enumerate() {
        let bound = pod.spans.iter().find(|span| span.phase != "pending").map(|span| span.start);
        if let (Some(node), Some(bound)) = (pod.node, bound) {
            let cost = nodes[node.index()].meter.cost_between(bound, pod.ended.unwrap_or(end), gpus);
            held[node.index()].push((index, cost));
        }
    }
    for (node, mut held) in held.into_iter().enumerate() {
        held.sort_by_key(|&(index, cost)| (std::cmp::Reverse(cost.raw() % Cost::PER_MICRO_USD), index));
        let micros = |cost: Cost| (cost.raw() / Cost::PER_MICRO_USD) as i64;
        let whole: i64 = held.iter().map(|&(_, cost)| micros(cost)).sum();
        let parts: Cost = held.iter().map(|&(_, cost)| cost).sum();
        // Of the micro-dollars lost to rounding the pods get as many as their parts hold together.
        let mut left_over = micros(parts) - whole;
        for (index, cost) in held {
            let share = micros(cost) + i64::from(left_over > 0);
            left_over -= 1;
            let share = Usd::from_micros(share.min(shares.rest[node].as_micros()));
            shares.pods[index] = share;
            shares.rest[node] = shares.rest[node] - share;
        }
    }
    shares
}

impl Fleet {
    /// A price changes for nodes of `offer`, running or committed.
    pub(super) fn on_price(&mut self, offer: usize, step: usize) {
        self.settle_idle(offer);
        self.offers[offer].price = step;
        let tariff = self.tariff(offer);
        for node in &self.live {
            let state = &mut self.nodes[node.index()];
            if state.offer == offer && state.is_billed() {
                state.meter.change_tariff(tariff, self.now);
            }
        }
        self.changed = true;
    }

    /// Puts the time committed instances did not run into the ledger.
    fn settle_idle(&mut self, offer: usize) {
        let offer = &mut self.offers[offer];
        if !offer.is_committed() {
            return;
        }
        offer.idle.accrue(self.now);
        let instance_ns = std::mem::take(&mut offer.idle.instance_ns);
        if instance_ns > 0 {
            let (price, time) = (offer.price(), SimDuration::from_nanos(instance_ns));
            self.ledger.bill(price, time);
            let gpu_ns = u128::from(instance_ns) * u128::from(offer.spec.slice.devices);
            let key = (GpuUse::NodeOverhead, offer.spec.purchase, offer.spec.zone.as_str());
            self.ledger.attribute(key, price.cost_of(time), gpu_ns);
        }
    }

    pub(super) fn committed_so_far(&self, now: SimTime) -> Cost {
        let cost = |offer: &Offer| {
            let mut idle = offer.idle;
            idle.accrue(now);
            offer.price().cost_of(SimDuration::from_nanos(idle.instance_ns))
        };
        let reserved: Cost = self.offers.iter().filter(|offer| offer.is_committed()).map(cost).sum();
        reserved + self.unused_so_far(now)
    }

    /// The end of warm-up: money spent before `now` is forgotten, as are busy times. Lives keep their phases; their bills count from
    /// here too, so that they add up to the ledger.
    pub fn reset_measurement(&mut self, now: SimTime) {
        self.enter(now);
        for offer in &mut self.offers {
            offer.idle.accrue(now);
            offer.idle.instance_ns = 0;
        }
        self.restart_commitments();
        let tariffs: Vec<_> = (0..self.offers.len()).map(|offer| self.tariff(offer)).collect();
        for node in &mut self.nodes {
            node.meter.restart(tariffs[node.offer], now.max(node.ended.unwrap_or(now)));
            node.billed = SimDuration::ZERO;
            node.cost = Usd::ZERO;
        }
        for pod in self.pods.iter_mut() {
            pod.busy = SimDuration::ZERO;
        }
        self.ledger = record::CostLedger::default();
    }

    /// The end of the run: bills everything that still runs up to `end`, without minimum and rounding, as it would run on.
    pub fn finish(&mut self, end: SimTime) {
        self.enter(end);
        for offer in 0..self.offers.len() {
            self.settle_idle(offer);
        }
        self.pay_unused();
        for node in &self.live {
            let state = &mut self.nodes[node.index()];
            if state.is_billed() {
                let offer = &self.offers[state.offer];
                let terms = meter::Terms { zone: &offer.spec.zone, surplus: SimDuration::ZERO, free: false };
                let bill = state.meter.settle(end, terms, &mut self.ledger);
                state.billed += bill.billed;
                state.cost += bill.cost.to_usd();
            }
            state.close_span(end);
        }
        for pod in self.pods.iter_mut().filter(|pod| pod.ended.is_none()) {
            pod.close_span(pod.phase_name(), end);
        }
    }

    /// What every pod, class by class, and every node went through. Requests finished and lost are the caller's to fill in.
    pub fn take_lives(&mut self) -> (Vec<ReplicaLife>, Vec<NodeLife>) {
        let pods = std::mem::replace(&mut self.pods, Pods::new(self.classes.len()));
        let nodes = std::mem::take(&mut self.nodes);
        let gpus = |class: usize| self.classes[class].pod.gpus;
        let with_gpus =
            (0..self.classes.len()).flat_map(|class| pods.of(class).iter().map(move |pod| (pod, gpus(class))));
        let shares = share_bills(with_gpus, &nodes, self.now);
        let replicas = pods.into_iter().zip(shares.pods).map(|((id, pod), cost)| {
            let offer = pod.node.map(|node| &self.offers[nodes[node.index()].offer]);
            ReplicaLife {
                pod: id,
                node: pod.node.filter(|_| !self.is_serverless()),
                worker_nodes: Vec::new(),
                purchase: offer.map(|offer| offer.spec.purchase),
                zone: offer.map_or_else(String::new, |offer| offer.spec.zone.clone()),
                created: pod.created,
                ready: pod.ready_at,
                ended: pod.ended,
                waits: self.wait_spans(&pod, self.now),
                restarts: pod.attempts.restarts,
                phases: pod.spans,
                busy: pod.busy,
                cost,
                completed: 0,
                lost: 0,
                adapter_loads: None,
                ending: pod.ending,
            }
        });
        let replicas: Vec<ReplicaLife> = replicas.collect();
        if self.is_serverless() {
            return (replicas, Vec::new());
        }
        let lives = nodes.into_iter().enumerate().map(|(index, node)| {
            let offer = &self.offers[node.offer];
            NodeLife {
                node: NodeId(index as u32),
                pool: self.spec.pools[offer.pool].name.clone(),
                instance_type: offer.spec.instance_type.clone(),
                zone: offer.spec.zone.clone(),
                purchase: offer.spec.purchase,
                gpus: offer.spec.slice.devices,
                requested: node.requested,
                recommended: node.recommended,
                noticed: node.noticed,
                launched: node.launched,
                ended: node.ended,
                phases: node.spans,
                billed: node.billed,
                cost: node.cost,
                cost_without_replica: shares.rest[index],
                ending: if node.ended.is_some() { node.ending } else { "running" },
            }
        });
        (replicas, lives.collect())
    }
}
