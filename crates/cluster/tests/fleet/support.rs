//! Small fleets and something to drive them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::{Deref, DerefMut};

use cluster::fleet::{Fleet, FleetEvent, Notice, Out, PodRole};
use cluster::spec::{
    CacheSpec, ColdStartSpec, FleetSpec, InstanceOffering, NodeManager, NodePoolSpec, NodeTimings, PhaseSpec, PodClass,
    PodDisruptionBudget, PodSpec, WeightsSpec,
};
use record::Purchase;
use units::{Bytes, PodId, SimDuration, SimTime, UsdPerHour};
use workload::Distribution;

pub const SEED: u64 = 7;

pub fn secs(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

pub fn at(seconds: u64) -> SimTime {
    SimTime::from_secs(seconds)
}

pub fn constant(seconds: f64) -> PhaseSpec {
    PhaseSpec::Time(Distribution::Constant(seconds))
}

pub fn uniform(low: f64, high: f64) -> PhaseSpec {
    PhaseSpec::Time(Distribution::Uniform { low, high })
}

pub fn offering(instance_type: &str, purchase: Purchase, gpus: u32, dollars: f64) -> InstanceOffering {
    InstanceOffering::plain(instance_type, purchase, gpus, UsdPerHour::from_dollars(dollars))
}

pub fn pool(offerings: Vec<InstanceOffering>) -> NodePoolSpec {
    NodePoolSpec::plain(offerings, secs(300))
}

/// A fleet, and what pods go through on it.
#[derive(Clone)]
pub struct World {
    pub fleet: FleetSpec,
    pub cold_start: ColdStartSpec,
    pub budgets: Vec<PodDisruptionBudget>,
}

impl Deref for World {
    type Target = FleetSpec;

    fn deref(&self) -> &FleetSpec {
        &self.fleet
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut FleetSpec {
        &mut self.fleet
    }
}

impl World {
    /// Under another manager.
    pub fn under(mut self, manager: NodeManager) -> Self {
        self.manager = manager;
        self
    }

    /// Nodes have caches of `size` for weights of `bytes`.
    pub fn cache(&mut self, size: u64, bytes: u64) -> (&mut CacheSpec, &mut WeightsSpec) {
        let cache = CacheSpec { size: Bytes(size), sync_period: None, others: Vec::new() };
        let weights = WeightsSpec { bytes: Bytes(bytes), releases: Vec::new() };
        (self.fleet.cache.insert(cache), self.cold_start.weights.insert(weights))
    }

    /// Its pods, if they are like `pod`.
    pub fn class(&self, pod: &PodSpec, seed: u64) -> PodClass {
        let (cold_start, budgets) = (self.cold_start.clone(), self.budgets.clone());
        PodClass { name: "server".into(), pod: pod.clone(), cold_start, budgets, seed }
    }
}

/// Nodes in 30 + 30 + 20 s, gone 300 s after their last pod; a cold start of 40 + 60 + 20 + 10 s.
pub fn fleet(offerings: Vec<InstanceOffering>) -> World {
    let timings = NodeTimings::plain([30.0, 30.0, 20.0].map(Distribution::Constant));
    let cold_start = ColdStartSpec::plain([40.0, 60.0, 20.0, 10.0].map(Distribution::Constant));
    World { fleet: FleetSpec::plain(offerings, secs(300), timings), cold_start, budgets: Vec::new() }
}

/// A fleet with its clock. Time advances only through [`Driver::run_to`].
pub struct Driver {
    pub fleet: Fleet,
    pub now: SimTime,
    pub notices: Vec<(SimTime, Notice)>,
    /// Whether evicted and interrupted pods are deleted at once and replaced, as a Deployment would.
    pub replaces: bool,
    /// Pods so far, by class.
    created: Vec<usize>,
    events: BinaryHeap<Reverse<(SimTime, u64)>>,
    kept: Vec<FleetEvent>,
    out: Out,
}

impl Driver {
    pub fn new(spec: &World) -> Self {
        Self::with_pod(spec, &PodSpec::plain())
    }

    pub fn with_pod(spec: &World, pod: &PodSpec) -> Self {
        Self::seeded(spec, pod, SEED)
    }

    pub fn seeded(spec: &World, pod: &PodSpec, seed: u64) -> Self {
        Self::of_classes_seeded(spec, vec![spec.class(pod, seed)], seed)
    }

    pub fn of_classes(spec: &World, classes: Vec<PodClass>) -> Self {
        Self::of_classes_seeded(spec, classes, SEED)
    }

    pub fn of_classes_seeded(spec: &World, classes: Vec<PodClass>, seed: u64) -> Self {
        let count = classes.len();
        Self::of(Fleet::new(spec, classes, seed), count)
    }

    /// With time zero so many seconds past a full hour.
    pub fn past_the_hour(spec: &World, seconds: i64) -> Self {
        let mut fleet = Fleet::new(spec, vec![spec.class(&PodSpec::plain(), SEED)], SEED);
        fleet.start_calendar_at(1_767_571_200 + seconds);
        Self::of(fleet, 1)
    }

    fn of(fleet: Fleet, classes: usize) -> Self {
        let mut driver = Self {
            fleet,
            now: SimTime::ZERO,
            notices: Vec::new(),
            replaces: false,
            created: vec![0; classes],
            events: BinaryHeap::new(),
            kept: Vec::new(),
            out: Out::default(),
        };
        driver.fleet.start(&mut driver.out);
        driver.collect();
        driver
    }

    pub fn create(&mut self) -> PodId {
        self.create_as(PodRole::Active)
    }

    pub fn create_as(&mut self, role: PodRole) -> PodId {
        self.create_of_as(0, role)
    }

    /// A pod of a class.
    pub fn create_of(&mut self, class: usize) -> PodId {
        self.create_of_as(class, PodRole::Active)
    }

    pub fn create_of_as(&mut self, class: usize, role: PodRole) -> PodId {
        let pod = self.next_pod(class);
        self.fleet.create_pod(pod, role, self.now, &mut self.out);
        self.collect();
        pod
    }

    pub fn create_ready(&mut self) -> PodId {
        let pod = self.next_pod(0);
        self.fleet.create_ready_pod(pod, PodRole::Active, self.now, &mut self.out);
        self.collect();
        pod
    }

    fn next_pod(&mut self, class: usize) -> PodId {
        self.created[class] += 1;
        PodId::new(class, self.created[class] - 1)
    }

    pub fn keep_pause_pods(&mut self, count: u32) {
        self.keep_pause_pods_of(0, count);
    }

    pub fn keep_pause_pods_of(&mut self, class: usize, count: u32) {
        self.fleet.keep_pause_pods(class, count, self.now, &mut self.out);
        self.collect();
    }

    pub fn delete(&mut self, pod: PodId) {
        self.fleet.delete_pod(pod, "scale_in", self.now, &mut self.out);
        self.collect();
    }

    /// Handles everything up to and including `end`.
    pub fn run_to(&mut self, end: SimTime) {
        while let Some(&Reverse((time, number))) = self.events.peek()
            && time <= end
        {
            self.events.pop();
            self.now = time;
            self.fleet.handle(self.kept[number as usize], time, &mut self.out);
            self.collect();
        }
        self.now = end;
    }

    pub fn pods(&self) -> u32 {
        self.created.iter().sum::<usize>() as u32
    }

    pub fn pods_of(&self, class: usize) -> usize {
        self.created[class]
    }

    /// When the notices that `pick` picks came, in seconds.
    pub fn times(&self, pick: impl Fn(&Notice) -> bool) -> Vec<f64> {
        self.notices.iter().filter(|(_, notice)| pick(notice)).map(|(time, _)| time.as_secs_f64()).collect()
    }

    pub fn ready_times(&self) -> Vec<f64> {
        self.times(|notice| matches!(notice, Notice::Ready { .. }))
    }

    fn collect(&mut self) {
        let out = std::mem::take(&mut self.out);
        for (time, event) in out.schedule {
            assert!(time >= self.now, "{event:?} asked for in the past");
            self.events.push(Reverse((time, self.kept.len() as u64)));
            self.kept.push(event);
        }
        for notice in out.notices {
            self.notices.push((self.now, notice));
            if !self.replaces {
                continue;
            }
            if let Notice::Interrupted { pod, .. } | Notice::Evicted { pod, .. } = notice {
                self.create_of(pod.service());
                self.fleet.delete_pod(pod, "evicted", self.now, &mut self.out);
                self.collect();
            }
            if let Notice::Killed { pod } | Notice::Lost { pod, .. } = notice {
                self.create_of(pod.service());
            }
        }
    }
}
