//! Whatever is done to a fleet, in whatever order: the ledger closes and nothing is lost.

use cluster::fleet::{PodPhase, PodRole};
use cluster::spec::{
    ArtifactSpec, ClusterAutoscalerSpec, CommitmentSpec, Consolidation, HOSTNAME, InterruptionModel, NodeLostSpec,
    NodeManager, PlacementKind, PlacementRule, PodDisruptionBudget, PodQuota, PodSpec, Probe, Protection, RestoreSpec,
    Scheduling,
};
use proptest::prelude::*;
use record::{NodeLife, Purchase, ReplicaLife};
use units::{Bytes, PodId, SimDuration, SimTime, Usd, UsdPerHour};
use workload::Distribution;

use crate::support::{Driver, World, at, constant, fleet, offering, secs};

pub fn spec(variant: u8) -> World {
    let mut spot = offering("small", Purchase::Spot, 1, 0.303);
    spot.capacity_max = Some(3);
    spot.insufficient_capacity = 0.2;
    spot.billing.spot_free_until = secs(3_600);
    spot.prices =
        [(0, 0.3), (700, 0.7), (1_900, 0.1)].map(|(time, price)| (at(time), UsdPerHour::from_dollars(price))).into();
    let mut reserved = offering("big", Purchase::Reserved, 3, 1.1);
    reserved.capacity_max = Some(1);
    let committed = UsdPerHour::from_dollars(21.9);
    let large = offering("p4d.24xlarge", Purchase::OnDemand, 8, 32.77);
    let mut spec = fleet(vec![spot, large, reserved]);
    spec.spot.model = InterruptionModel::Constant { per_hour: 20.0 };
    if variant & 1 == 0 {
        let rates = vec![("p4d.24xlarge".to_owned(), committed)];
        spec.commitments = vec![CommitmentSpec { per_hour: UsdPerHour::from_dollars(30.123_457), rates }];
    }
    spec.scheduling = if variant & 1 == 0 { Scheduling::LeastAllocated } else { Scheduling::MostAllocated };
    if variant & 2 == 0 {
        spec.cache(2, 1);
    }
    spec.cold_start.streaming_load = variant & 4 == 0;
    if variant & 1 == 0 {
        (spec.timings.launch_stuck, spec.timings.registration_stuck) = (0.1, 0.1);
        spec.cold_start.restore = Some(RestoreSpec { length: constant(3.0), everywhere: false });
        if variant & 2 == 0 {
            let (cache, weights) = spec.cache(2, 1);
            cache.sync_period = (variant & 4 == 0).then(|| secs(60));
            weights.releases = vec![at(900)];
            let gap = Distribution::Exponential { mean: 100.0 };
            cache.others = vec![ArtifactSpec { name: "other".into(), bytes: Bytes(2), gap }];
        }
    }
    if variant & 6 == 6 {
        spec.spot.node_lost = Some(NodeLostSpec { not_ready: Distribution::Constant(45.0), eviction: secs(300) });
    }
    match variant / 8 {
        0 => {}
        1 => {
            spec.manager = NodeManager::Karpenter;
            spec.budgets = vec![PodDisruptionBudget::AvailableMin(2)];
            spec.pools[0].consolidation = Consolidation::WhenEmptyOrUnderutilized(secs(20));
            spec.pools[0].expire_after = Some(secs(1_500));
            spec.pools[0].termination_grace = Some(secs(200));
        }
        2 => {
            spec.manager = NodeManager::ClusterAutoscaler(ClusterAutoscalerSpec {
                scan_interval: secs(10),
                unneeded_time: secs(60),
                delay_after_add: secs(60),
                provision_time_max: secs(75),
                gpu_utilization_threshold: 0.5,
            });
            spec.budgets = vec![PodDisruptionBudget::UnavailableMaxPercent(20.0)];
        }
        _ => {
            spec.pools.clear();
            spec.manager = NodeManager::Serverless { price: UsdPerHour::from_dollars(1.7) };
        }
    }
    spec
}

#[derive(Clone, Debug)]
enum Step {
    Create(bool),
    Delete(u32),
    Drain(u32),
    Role(u32, bool),
    Busy(u32, u64),
    Wait(u64),
    Reset,
    Pause(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => any::<bool>().prop_map(Step::Create),
        3 => any::<u32>().prop_map(Step::Delete),
        1 => any::<u32>().prop_map(Step::Drain),
        1 => (any::<u32>(), any::<bool>()).prop_map(|(pod, standby)| Step::Role(pod, standby)),
        3 => (any::<u32>(), 0u64..200_000_000_000).prop_map(|(pod, busy)| Step::Busy(pod, busy)),
        6 => (0u64..400_000_000_000).prop_map(Step::Wait),
        1 => Just(Step::Reset),
        1 => (0u32..4).prop_map(Step::Pause),
    ];
    prop::collection::vec(step, 1..60)
}

/// Does one step; steps that name a pod take it modulo the pods there are.
fn act(driver: &mut Driver, step: &Step) {
    let pod = |number: u32, driver: &Driver| (driver.pods() > 0).then(|| PodId(number % driver.pods()));
    let role = |is_standby| if is_standby { PodRole::Standby } else { PodRole::Active };
    match *step {
        Step::Create(is_standby) => drop(driver.create_as(role(is_standby))),
        Step::Delete(number) => {
            if let Some(pod) = pod(number, driver) {
                driver.delete(pod);
            }
        }
        Step::Drain(number) => {
            if let Some(pod) = pod(number, driver) {
                driver.fleet.begin_drain(pod, driver.now);
            }
        }
        Step::Role(number, is_standby) => {
            if let Some(pod) = pod(number, driver).filter(|&pod| driver.fleet.phase(pod) != PodPhase::Gone) {
                driver.fleet.set_role(pod, role(is_standby), driver.now);
            }
        }
        Step::Busy(number, nanos) => {
            if let Some(pod) = pod(number, driver) {
                driver.fleet.add_busy(pod, SimDuration::from_nanos(nanos));
            }
        }
        Step::Wait(nanos) => driver.run_to(driver.now + SimDuration::from_nanos(nanos)),
        Step::Pause(count) => driver.keep_pause_pods(count),
        Step::Reset => driver.fleet.reset_measurement(driver.now),
    }
}

fn billed_gpu_ns(nodes: &[NodeLife]) -> u128 {
    nodes.iter().map(|node| u128::from(node.billed.as_nanos()) * u128::from(node.gpus)).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_ledger_closes_whatever_happens(variant in 0u8..32, replaces: bool, seed: u64, steps in steps()) {
        let mut driver = Driver::seeded(&spec(variant), &PodSpec::plain(), seed);
        driver.replaces = replaces;
        driver.fleet.preempt_after(0, secs(u64::from(variant % 3) * 4));
        books_close(driver, &steps, variant >= 24)?;
    }

    #[test]
    fn the_ledger_closes_and_hard_rules_hold_with_probes_quotas_and_placement(
        variant in 0u8..24,
        rules in 0u8..64,
        replaces: bool,
        seed: u64,
        steps in steps(),
    ) {
        let mut driver = Driver::seeded(&spec(variant), &bound(rules), seed);
        driver.replaces = replaces;
        let replicas = books_close(driver, &steps, false)?;
        if rules & 3 == 1 {
            for life in &replicas {
                let together = replicas.iter().filter(|other| other.node == life.node && meet(life, other));
                prop_assert!(life.node.is_none() || together.count() <= 1, "{life:?} shares its node");
            }
        }
    }
}

/// A pod with some of the hard rules, and probes that often kill it.
fn bound(rules: u8) -> PodSpec {
    let mut pod = PodSpec::plain();
    let kind = match rules & 3 {
        1 => Some(PlacementKind::Apart),
        2 => Some(PlacementKind::Spread { skew_max: 1, domains_min: 1, honors_taints: true, honors_affinity: true }),
        3 => Some(PlacementKind::Together),
        _ => None,
    };
    pod.scheduling.placement.extend(kind.map(|kind| PlacementRule { topology_key: HOSTNAME.into(), kind }));
    if rules & 4 != 0 {
        let (initial_delay, period) = (SimDuration::ZERO, secs(10));
        pod.probes.startup = Some(Probe { initial_delay, period, failures: 8, grace: None });
        pod.probes.keeps_download = rules & 8 != 0;
    }
    if rules & 16 != 0 {
        pod.scheduling.quotas = vec![PodQuota::of_pods(3, "quota")];
    }
    if rules & 32 != 0 {
        pod.scheduling.protection = Protection::Until(secs(600));
    }
    pod
}

/// Whether two pods were bound at one instant.
fn meet(one: &ReplicaLife, other: &ReplicaLife) -> bool {
    let bound = |life: &ReplicaLife| {
        let start = life.phases.iter().find(|span| span.phase != "pending").map(|span| span.start);
        start.map(|start| (start, life.ended.unwrap_or(SimTime::MAX)))
    };
    bound(one).zip(bound(other)).is_some_and(|(one, other)| one.0 < other.1 && other.0 < one.1)
}

/// Does `steps` and looks whether money, time and room add up; the lives of the pods.
fn books_close(mut driver: Driver, steps: &[Step], is_serverless: bool) -> Result<Vec<ReplicaLife>, TestCaseError> {
    for step in steps {
        act(&mut driver, step);
    }
    let end = driver.now + secs(1);
    driver.run_to(end);
    let running = driver.fleet.cost_so_far(end);
    driver.fleet.finish(end);
    let ledger = driver.fleet.ledger().clone();
    prop_assert_eq!(ledger.attributed(), ledger.billed());
    prop_assert_eq!(running, ledger.billed());
    let (replicas, nodes) = driver.fleet.take_lives();
    for life in &replicas {
        let mut time = life.created;
        for span in &life.phases {
            prop_assert_eq!(span.start, time);
            time = span.end;
        }
        prop_assert_eq!(time, life.ended.unwrap_or(end).max(life.created));
    }
    // With commitments and free hours the ledger holds more GPU-time than the nodes were billed.
    prop_assert!(is_serverless || ledger.gpu_ns() >= billed_gpu_ns(&nodes));
    for node in &nodes {
        let shares: Usd = replicas.iter().filter(|life| life.node == Some(node.node)).map(|life| life.cost).sum();
        prop_assert_eq!(shares + node.cost_without_replica, node.cost);
        let held = replicas.iter().filter(|life| life.node == Some(node.node));
        let most = held
            .clone()
            .map(|life| {
                let on_node =
                    |life: &ReplicaLife| life.phases.iter().find(|span| span.phase != "pending").map(|span| span.start);
                let start = on_node(life).unwrap_or(SimTime::MAX);
                let is_there = |other: &&ReplicaLife| {
                    other.node == life.node
                        && on_node(other).is_some_and(|from| from <= start)
                        && other.ended.is_none_or(|ended| ended > start)
                };
                replicas.iter().filter(is_there).count()
            })
            .max()
            .unwrap_or(0);
        prop_assert!(most as u32 <= node.gpus, "{} pods at once on {:?}", most, node);
    }
    Ok(replicas)
}

/// Plenty of on-demand capacity of two sizes, spot that is sometimes refused, nothing that interrupts.
fn calm(manager: u8) -> World {
    let mut spot = offering("small", Purchase::Spot, 1, 0.3);
    spot.insufficient_capacity = 0.4;
    spot.capacity_max = Some(2);
    let mut spec =
        fleet(vec![spot, offering("small", Purchase::OnDemand, 1, 1.0), offering("large", Purchase::OnDemand, 4, 3.5)]);
    // Longer than a cold start: with less, Karpenter moves pods that are still loading, again and again.
    spec.pools[0].consolidation = Consolidation::WhenEmptyOrUnderutilized(secs(300));
    spec.budgets = vec![PodDisruptionBudget::UnavailableMax(1)];
    if manager > 0 {
        (spec.timings.launch_stuck, spec.timings.registration_stuck) = (0.1, 0.1);
    }
    spec.manager = match manager {
        0 => NodeManager::Simple { empty_delay: secs(30) },
        1 => NodeManager::Karpenter,
        _ => NodeManager::ClusterAutoscaler(ClusterAutoscalerSpec {
            scan_interval: secs(10),
            unneeded_time: secs(60),
            delay_after_add: secs(60),
            provision_time_max: secs(900),
            gpu_utilization_threshold: 0.5,
        }),
    };
    spec
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn left_alone_every_pod_becomes_ready_and_no_node_stays_empty(manager in 0u8..3, on_demand: bool, seed: u64, steps in steps()) {
        let mut driver = Driver::seeded(&calm(manager), &PodSpec::plain(), seed);
        driver.fleet.keep_standbys_on_demand(0, on_demand);
        driver.replaces = true;
        driver.fleet.preempt_after(0, secs(if on_demand { 5 } else { 0 }));
        for step in &steps {
            act(&mut driver, step);
        }
        driver.keep_pause_pods(0);
        driver.run_to(driver.now + secs(4 * 3_600));
        for index in 0..driver.pods() {
            let phase = driver.fleet.phase(PodId(index));
            prop_assert!(phase >= PodPhase::Ready, "{} is {phase:?}", PodId(index));
        }
        driver.fleet.finish(driver.now);
        let (replicas, nodes) = driver.fleet.take_lives();
        // Karpenter goes on trying cheaper replacements; a node on its way is not one that stays.
        let settled = driver.now.saturating_sub(secs(300));
        for node in nodes.iter().filter(|node| node.ended.is_none() && node.requested < settled) {
            let is_used = replicas.iter().any(|life| life.node == Some(node.node) && life.ended.is_none());
            prop_assert!(is_used, "{node:?}");
        }
        let standbys_on_spot = replicas.iter().filter(|life| {
            life.purchase == Some(Purchase::Spot) && life.phases.len() == 2 && life.phases[1].phase == "standby"
        });
        prop_assert!(!on_demand || standbys_on_spot.count() == 0);
    }
}
