//! Nodes, pods on them, cold starts, interruptions and the bill.
//!
//! A state machine that is driven from outside: every call is given the time, and leaves in an [`Out`] what happened and which
//! [`FleetEvent`]s it wants back later. It does not know requests, metrics or scaling policies: it is told which pods are wanted.

mod autoscaler;
mod autoscaler_mixed;
mod cache;
mod calendar;
mod claims;
mod class;
mod cold_start;
mod commitment;
mod consolidation;
mod dice;
mod event;
mod gang;
mod gpu_label;
mod groups;
mod images;
mod karpenter;
mod life;
mod meter;
mod node;
mod pause;
mod placement;
mod pod;
mod pods;
mod preempt;
mod preference;
mod probes;
mod protection;
mod provision;
mod quota;
mod release;
mod removal;
mod room;
mod rooms;
mod serverless;
mod spot;
mod topology;
mod transfer;
mod view;
mod wait;
mod weights;

use std::collections::BTreeSet;

use record::CostLedger;
use units::{Cost, NodeId, PodId, SimDuration, SimTime};
use workload::Stream;

pub use calendar::is_schedule;
pub use event::{FleetEvent, LoadPart, Notice, Out};
pub use groups::Groups;
pub use pod::{PodPhase, PodRole};
pub use transfer::TransferEpoch;
pub use view::NodeView;

use crate::spec::{FleetSpec, NodeManager, PodClass};
use class::Class;
use node::{Node, Offer};
use pod::Pod;
use pods::Pods;

/// A zone that offerings name.
#[derive(Clone, Debug)]
struct Zone {
    name: String,
    stream: Option<Stream>,
}

/// Nodes billed now, by purchase option.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeCounts {
    /// Pay as you go.
    pub on_demand: u32,
    /// Interruptible.
    pub spot: u32,
    /// Committed and running.
    pub reserved: u32,
}

/// The infrastructure of one run.
#[derive(Clone, Debug)]
pub struct Fleet {
    spec: FleetSpec,
    /// The classes of pods, one per service.
    classes: Vec<Class>,
    /// Names of the extended resources that count.
    names: Vec<String>,
    seed: u64,
    now: SimTime,
    pods: Pods,
    nodes: Vec<Node>,
    offers: Vec<Offer>,
    zones: Vec<Zone>,
    /// Pools in the order they are tried: weight descending, then name, the later in the alphabet first.
    pool_order: Vec<usize>,
    pool_offers: Vec<Vec<usize>>,
    pool_gpus: Vec<u32>,
    /// CPU in millicores and memory in bytes of each pool's machines.
    pool_machines: Vec<(u64, u64)>,
    pool_nodes: Vec<u32>,
    /// Nodes not gone.
    live: BTreeSet<NodeId>,
    /// Those of them that are being drained.
    draining: BTreeSet<NodeId>,
    /// Billed nodes by purchase option.
    counts: [u32; 4],
    /// Pods that wait for others to make way for them, on nodes they are nominated for.
    preemptors: u32,
    /// Pods created so far, of all classes.
    pods_created: u64,
    retry_asked: bool,
    transfers: transfer::Transfers,
    batch: karpenter::Batch,
    disruption: consolidation::Disruption,
    autoscaler: autoscaler::Autoscaler,
    start_unix_seconds: i64,
    /// Something happened since the last fruitless look for nodes to remove.
    changed: bool,
    ledger: CostLedger,
    commitments: Vec<commitment::Commitment>,
    waits: wait::Waits,
    quota: quota::Quota,
    /// Windows of the pools' disruption budgets.
    windows: Vec<Vec<Option<calendar::Schedule>>>,
}

impl Fleet {
    /// The infrastructure of `spec` for pods of these classes, at time zero and without nodes. What is drawn for nodes follows from `seed`.
    pub fn new(spec: &FleetSpec, classes: Vec<PodClass>, seed: u64) -> Self {
        let names = room::names(&classes);
        let (offers, zones) = life::list_offers(spec, &classes, &names);
        let quota = quota::Quota::new(&classes);
        let mut classes: Vec<Class> =
            classes.into_iter().map(|class| Class::new(class, spec, &offers, &names)).collect();
        images::number(&mut classes);
        let mut pool_order: Vec<usize> = (0..spec.pools.len()).collect();
        pool_order.sort_by(|&a, &b| {
            let key = |pool: usize| (spec.pools[pool].weight, &spec.pools[pool].name);
            key(b).cmp(&key(a))
        });
        let mut pool_offers = vec![Vec::new(); spec.pools.len().max(1)];
        for (index, offer) in offers.iter().enumerate() {
            pool_offers[offer.pool].push(index);
        }
        Self {
            spec: spec.clone(),
            seed,
            now: SimTime::ZERO,
            pods: Pods::new(classes.len()),
            nodes: Vec::new(),
            pool_gpus: vec![0; pool_offers.len()],
            pool_machines: vec![(0, 0); pool_offers.len()],
            pool_nodes: vec![0; pool_offers.len()],
            waits: wait::Waits::default(),
            quota,
            windows: spec.pools.iter().map(|pool| calendar::windows(&pool.budgets)).collect(),
            offers,
            zones,
            pool_order,
            pool_offers,
            live: BTreeSet::new(),
            draining: BTreeSet::new(),
            counts: [0; 4],
            preemptors: 0,
            pods_created: 0,
            names,
            retry_asked: false,
            transfers: transfer::Transfers::new(&spec.links),
            batch: karpenter::Batch::default(),
            disruption: consolidation::Disruption::default(),
            autoscaler: autoscaler::Autoscaler::new(spec.pools.len()),
            start_unix_seconds: 0,
            changed: true,
            ledger: CostLedger::default(),
            commitments: Vec::new(),
            classes,
        }
    }

    /// Whether standbys of a service must not go on spot nodes. Holds for pods created and roles set from then on.
    pub fn keep_standbys_on_demand(&mut self, service: usize, on_demand: bool) {
        self.classes[service].standbys_on_demand = on_demand;
    }

    /// Unix time of time zero, for the windows of disruption budgets.
    pub fn start_calendar_at(&mut self, unix_seconds: i64) {
        self.start_unix_seconds = unix_seconds;
    }

    /// Starts the run: the pools' least nodes, warm, the first scans, price changes and zone-wide interruptions.
    pub fn start(&mut self, out: &mut Out) {
        for (index, offer) in self.offers.iter().enumerate() {
            for (step, &(from, _)) in offer.spec.prices.iter().enumerate().skip(1) {
                out.at(from, FleetEvent::Price(index as u32, step as u32));
            }
        }
        self.start_zones(out);
        self.start_commitments(out);
        if !self.is_serverless() {
            self.fill_minimum(true, out);
            self.start_disruption(out);
            self.start_scans(out);
        }
    }

    /// A pod that is there from the start: at once warm and ready, on a node with room or one that is made for it. If the pools'
    /// limits leave no room it is created like any other, and the answer is false.
    pub fn create_ready_pod(&mut self, pod: PodId, role: PodRole, now: SimTime, out: &mut Out) -> bool {
        self.enter(now);
        self.push_pod(pod, role);
        if self.is_serverless() {
            self.open_replica(pod, out);
        } else {
            let on_demand = self.pods[pod].on_demand;
            let is_held = self.quota.holds(pod);
            let class = pod.service();
            let node = if is_held { None } else { self.best_for_pod(class, on_demand) };
            let node = node.or_else(|| if is_held { None } else { self.node_at_start(class, on_demand, out) });
            let Some(node) = node else {
                self.note_waits();
                self.request_capacity(out);
                return false;
            };
            self.forget_waiting(pod);
            self.join(pod, node);
            self.warm(pod.service(), node);
            out.tell(Notice::Scheduled { pod, node });
        }
        let node = self.node_of(pod);
        self.nodes[node.index()].classes[pod.service()].has_snapshot = true;
        self.become_ready(pod, out);
        true
    }

    /// A new pod, which needs a node. Pods come in the order of their ids, none left out.
    pub fn create_pod(&mut self, pod: PodId, role: PodRole, now: SimTime, out: &mut Out) {
        self.enter(now);
        self.push_pod(pod, role);
        self.seek_place(pod, out);
    }

    /// A pod that waits for a node is new.
    fn seek_place(&mut self, pod: PodId, out: &mut Out) {
        if self.is_serverless() {
            self.open_replica(pod, out);
            self.begin_cold_start(pod, out);
        } else {
            self.schedule_pending(out);
            self.nominate_unplanned();
            if self.is_karpenter() && self.pods[pod].is_unplanned() {
                self.trigger_batch(out);
            } else {
                self.request_capacity(out);
            }
        }
    }

    /// Promotes or demotes a pod. One that was draining is ready again.
    pub fn set_role(&mut self, pod: PodId, role: PodRole, now: SimTime) {
        self.enter(now);
        let on_demand = self.class(pod).standbys_on_demand && role == PodRole::Standby;
        let is_waiting = self.pods[pod].phase == PodPhase::Pending;
        if is_waiting && on_demand != self.pods[pod].on_demand {
            // It changes queues, and a node on its way for it may be none it can use.
            self.forget_waiting(pod);
            self.pods[pod].on_demand = on_demand;
            self.queue(pod);
        }
        self.change_pod(pod, |state| {
            state.role = role;
            state.on_demand = on_demand;
            if state.phase == PodPhase::Draining && !state.evicted {
                state.phase = PodPhase::Ready;
            }
        });
    }

    /// No new requests for `pod`: from now on its GPUs count as draining. One that is not ready has nothing to drain.
    pub fn begin_drain(&mut self, pod: PodId, now: SimTime) {
        self.enter(now);
        if self.pods[pod].phase == PodPhase::Ready {
            self.enter_phase(pod, PodPhase::Draining);
        }
    }

    /// The pod is gone, its GPUs are free. Nothing happens if it is gone already.
    pub fn delete_pod(&mut self, pod: PodId, ending: &'static str, now: SimTime, out: &mut Out) {
        self.enter(now);
        if self.pods[pod].phase == PodPhase::Gone {
            return;
        }
        self.remove_pod(pod, ending, out);
        let Some(node) = self.pods[pod].node else {
            self.nominate_unplanned();
            return;
        };
        if self.is_serverless() {
            self.end_node(node, ending, out);
            return;
        }
        self.schedule_pending(out);
        self.on_maybe_empty(node, out);
    }

    /// Time `pod` was serving since the last call; what its node's ledger had as idle becomes busy. Call it before
    /// [`Fleet::begin_drain`] too: time spent on the last requests counts as draining.
    pub fn add_busy(&mut self, pod: PodId, busy: SimDuration) {
        let state = &mut self.pods[pod];
        state.busy += busy;
        if let (Some(node), PodPhase::Ready) = (state.node, state.phase) {
            let gpus = u64::from(
                self.class(pod).pod.gpus.max(u32::from(matches!(self.spec.manager, NodeManager::Serverless { .. }))),
            );
            self.nodes[node.index()].meter.add_busy(pod.service(), busy * gpus);
        }
    }

    /// Handles an event the fleet asked for, at the time it asked for.
    pub fn handle(&mut self, event: FleetEvent, now: SimTime, out: &mut Out) {
        self.enter(now);
        match event {
            FleetEvent::Launch(node) => self.on_launch(node, out),
            FleetEvent::Boot(node) => self.on_boot(node, out),
            FleetEvent::DevicePlugin(node) => self.on_device_plugin(node, out),
            FleetEvent::ImagePulled(node, image) => self.on_image_pulled(node, image as usize, out),
            FleetEvent::CacheFilled(node) => self.on_cache_filled(node, out),
            FleetEvent::CacheSync(node) => self.sync_cache(node, out),
            FleetEvent::Preempted(node, pod) => self.on_preempted(node, pod, out),
            FleetEvent::PartDone(pod, part, attempt) => self.on_part_done(pod, (part, attempt), out),
            FleetEvent::ProbeKill(pod, attempt) => self.on_probe_kill(pod, attempt, out),
            FleetEvent::Restart(pod, attempt) => self.on_restart(pod, attempt, out),
            FleetEvent::Transfer(epoch) => {
                for owner in self.transfers.step(epoch, now, out) {
                    self.on_transferred(owner, out);
                }
            }
            FleetEvent::Probe(pod) => self.on_probe(pod, out),
            FleetEvent::Endpoint(pod) => self.on_endpoint(pod, out),
            FleetEvent::Empty(node, epoch) => self.on_empty(node, epoch, out),
            FleetEvent::SpotNotice(node) => self.on_spot_notice(node, out),
            FleetEvent::SpotHeard(node) => self.on_spot_heard(node, out),
            FleetEvent::SpotKill(node) => self.on_spot_kill(node, out),
            FleetEvent::SpotCluster(zone) => self.on_spot_cluster(zone, out),
            FleetEvent::AvailabilityNotice(zone, step) => self.on_availability_notice(zone, step, out),
            FleetEvent::Availability(zone, step) => self.on_availability(zone, step, out),
            FleetEvent::Price(offer, step) => self.on_price(offer as usize, step as usize),
            FleetEvent::CommitmentHour => self.on_commitment_hour(out),
            FleetEvent::CommitmentSpent(index, epoch) => self.on_commitment_spent(index, epoch, out),
            FleetEvent::Retry => self.on_retry(out),
            FleetEvent::Batch => self.on_batch(out),
            FleetEvent::Disruption => self.on_disruption(out),
            FleetEvent::Validate => self.on_validate(out),
            FleetEvent::ReplaceTimeout(node) => self.on_replacement_lost(node, out),
            FleetEvent::Expire(node) => self.on_expire(node, out),
            FleetEvent::Evict(node) => self.evict_pods(node, out),
            FleetEvent::Drained(node) => self.on_drained(node, out),
            FleetEvent::GraceOver(node, is_last) => self.on_grace_over(node, is_last, out),
            FleetEvent::Scan => self.on_scan(out),
            FleetEvent::ProvisionTimeout(node) => self.on_provision_timeout(node, out),
            FleetEvent::ClaimTimeout(node) => self.on_claim_timeout(node, out),
        }
    }

    /// Where in its life a pod is.
    pub fn phase(&self, pod: PodId) -> PodPhase {
        self.pods[pod].phase
    }

    /// The node a pod is or was bound to.
    pub fn node(&self, pod: PodId) -> Option<NodeId> {
        self.pods[pod].node
    }

    /// Why a pod ended.
    pub(crate) fn ending(&self, pod: PodId) -> &'static str {
        self.pods[pod].ending
    }

    /// Nodes billed now.
    pub fn counts(&self) -> NodeCounts {
        let [on_demand, spot, reserved, _] = self.counts;
        NodeCounts { on_demand, spot, reserved }
    }

    /// Pods the Deployment of a service wants, for disruption budgets that count from it. Without it the active pods there are count.
    pub fn want_replicas(&mut self, service: usize, replicas: u32) {
        self.classes[service].wanted_replicas = Some(replicas);
    }

    /// The bill of what has ended so far; of everything after [`Fleet::finish`].
    pub fn ledger(&self) -> &CostLedger {
        &self.ledger
    }

    /// Money spent by `now` since the measurement began, minimum and rounding of running nodes left out.
    pub fn cost_so_far(&self, now: SimTime) -> Cost {
        let running = self.live.iter().map(|node| &self.nodes[node.index()]).filter(|node| node.is_billed());
        let running: Cost = running.map(|node| node.meter.cost_so_far(now)).sum();
        self.ledger.billed() + running + self.committed_so_far(now)
    }

    /// Every call passes here: time never goes back.
    fn enter(&mut self, now: SimTime) {
        assert!(now >= self.now, "the fleet is told of {now} after {}", self.now);
        self.now = now;
    }

    fn push_pod(&mut self, pod: PodId, role: PodRole) {
        self.push_state(pod, role);
        self.admit(pod);
    }

    fn push_state(&mut self, pod: PodId, role: PodRole) {
        let mut state = Pod::new(role, self.now);
        state.on_demand = self.class(pod).standbys_on_demand && role == PodRole::Standby;
        state.number = self.pods_created;
        self.pods_created += 1;
        self.classes[pod.service()].expected += u32::from(state.is_expected());
        self.pods.push(pod, state);
    }

    /// What `pod` is one of.
    fn class(&self, pod: PodId) -> &Class {
        &self.classes[pod.service()]
    }

    /// The node of a pod that has one.
    fn node_of(&self, pod: PodId) -> NodeId {
        self.pods[pod].node.expect("only bound pods start")
    }
}
