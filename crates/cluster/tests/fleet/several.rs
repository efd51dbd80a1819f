//! Whatever is done to the pods of several services, in whatever order: GPUs are not held twice and the books close; and a service without
//! pods is as good as none.

use cluster::fleet::{Notice, PodPhase, PodRole};
use cluster::spec::{
    Consolidation, ContainerSpec, HOSTNAME, NodeManager, PlacementKind, PlacementRule, PodClass, PodDisruptionBudget,
};
use proptest::prelude::*;
use record::{NodeLife, ReplicaLife};
use units::{Cost, Millicores, PodId, SimDuration, SimTime, Usd};

use crate::closing::spec;
use crate::services::class;
use crate::support::{Driver, World, secs};

#[derive(Clone, Debug)]
enum Step {
    Create(usize, bool),
    Delete(usize, u32),
    Drain(usize, u32),
    Busy(usize, u32, u64),
    Wait(u64),
    Pause(usize, u32),
    Reset,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0usize..5, any::<bool>()).prop_map(|(class, standby)| Step::Create(class, standby)),
        3 => (0usize..5, any::<u32>()).prop_map(|(class, pod)| Step::Delete(class, pod)),
        1 => (0usize..5, any::<u32>()).prop_map(|(class, pod)| Step::Drain(class, pod)),
        2 => (0usize..5, any::<u32>(), 0u64..200_000_000_000).prop_map(|(class, pod, busy)| Step::Busy(class, pod, busy)),
        6 => (0u64..400_000_000_000).prop_map(Step::Wait),
        1 => (0usize..5, 0u32..3).prop_map(|(class, count)| Step::Pause(class, count)),
        1 => Just(Step::Reset),
    ];
    prop::collection::vec(step, 1..60)
}

/// Does one step; classes and pods are taken modulo those there are.
fn act(driver: &mut Driver, classes: usize, step: &Step) {
    let pod = |class: usize, number: u32, driver: &Driver| {
        let pods = driver.pods_of(class % classes);
        (pods > 0).then(|| PodId::new(class % classes, number as usize % pods))
    };
    match *step {
        Step::Create(class, is_standby) => {
            let role = if is_standby { PodRole::Standby } else { PodRole::Active };
            driver.create_of_as(class % classes, role);
        }
        Step::Delete(class, number) => pod(class, number, driver).into_iter().for_each(|pod| driver.delete(pod)),
        Step::Drain(class, number) => {
            let (pod, now) = (pod(class, number, driver), driver.now);
            pod.into_iter().for_each(|pod| driver.fleet.begin_drain(pod, now));
        }
        Step::Busy(class, number, nanos) => {
            let busy = SimDuration::from_nanos(nanos);
            pod(class, number, driver).into_iter().for_each(|pod| driver.fleet.add_busy(pod, busy));
        }
        Step::Wait(nanos) => driver.run_to(driver.now + SimDuration::from_nanos(nanos)),
        Step::Pause(class, count) => driver.keep_pause_pods_of(class % classes, count),
        Step::Reset => driver.fleet.reset_measurement(driver.now),
    }
}

/// What makes a class different from the others: GPUs, CPU, priority, and which rules bind it.
type Kind = (u32, u64, i32, u8);

fn kinds() -> impl Strategy<Value = Vec<Kind>> {
    prop::collection::vec((0u32..5, 0u64..3, -1i32..3, 0u8..32), 2..=5)
}

fn classes(kinds: &[Kind], world: &World) -> Vec<PodClass> {
    let of_kind = |(index, &(gpus, cpu, priority, rules)): (usize, &Kind)| {
        let mut class = PodClass { seed: index as u64, ..class(&format!("service-{}", index % 3), gpus) };
        class.cold_start = world.cold_start.clone();
        class.pod.priority = priority * 10;
        let cpu = Some(Millicores(cpu * 1_000)).filter(|_| cpu > 0);
        class.pod.containers = vec![ContainerSpec { name: "server".into(), cpu, memory: None, is_sidecar: false }];
        class.pod.scheduling.never_preempts = rules & 1 == 1;
        if rules & 2 == 2 {
            class.budgets = vec![PodDisruptionBudget::AvailableMin(1)];
        }
        if rules & 0b1100 == 0b1100 {
            let rule = PlacementRule { topology_key: HOSTNAME.into(), kind: PlacementKind::Apart };
            class.pod.scheduling.placement = vec![rule];
        }
        class.pod.spread.nodes = rules & 16 == 16;
        class
    };
    kinds.iter().enumerate().map(of_kind).collect()
}

fn world(variant: u8) -> World {
    let mut world = spec(variant);
    for (offering, cpu) in world.fleet.pools.iter_mut().flat_map(|pool| &mut pool.offerings).zip([2_000, 6_000, 3_000])
    {
        offering.cpu = Millicores(cpu);
    }
    world
}

/// When a pod was bound and when it left.
fn on_node(life: &ReplicaLife) -> Option<(SimTime, SimTime)> {
    let start = life.phases.iter().find(|span| span.phase != "pending").map(|span| span.start)?;
    Some((start, life.ended.unwrap_or(SimTime::MAX)))
}

/// The most GPUs that pods held of a node at one time.
fn most_held(node: &NodeLife, replicas: &[ReplicaLife], gpus: &[u32]) -> u32 {
    let here = replicas.iter().filter(|life| life.node == Some(node.node));
    let held: Vec<(SimTime, SimTime, u32)> =
        here.filter_map(|life| on_node(life).map(|(from, to)| (from, to, gpus[life.pod.service()]))).collect();
    let at =
        |time: SimTime| held.iter().filter(|(from, to, _)| *from <= time && time < *to).map(|(_, _, gpus)| gpus).sum();
    held.iter().map(|(from, _, _)| at(*from)).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_gpu_is_held_twice_and_the_books_close(
        variant in 0u8..32, kinds in kinds(), replaces: bool, seed: u64, steps in steps(),
    ) {
        let world = world(variant);
        let classes = classes(&kinds, &world);
        let gpus: Vec<u32> = classes.iter().map(|class| class.pod.gpus).collect();
        let count = classes.len();
        let mut driver = Driver::of_classes_seeded(&world, classes, seed);
        driver.replaces = replaces;
        (0..count).for_each(|class| driver.fleet.preempt_after(class, secs(u64::from(variant % 3) * 4)));
        for step in &steps {
            act(&mut driver, count, step);
            for node in driver.fleet.live_nodes() {
                let view = driver.fleet.node_view(node);
                prop_assert!(view.gpus_held <= view.gpus, "{node} has {} and {} are held", view.gpus, view.gpus_held);
            }
        }
        driver.run_to(driver.now + secs(1));
        let running = driver.fleet.cost_so_far(driver.now);
        driver.fleet.finish(driver.now);
        let ledger = driver.fleet.ledger().clone();
        prop_assert_eq!(ledger.attributed(), ledger.billed());
        prop_assert_eq!(running, ledger.billed());
        let owners = (0..count as u32).map(Some).chain([None]);
        prop_assert_eq!(owners.map(|owner| ledger.cost_of(owner)).sum::<Cost>(), ledger.billed());
        let lines = ledger.lines_by_service();
        prop_assert_eq!(lines.iter().map(|(line, _)| line.amount).sum::<Usd>(), ledger.total());
        let (replicas, nodes) = driver.fleet.take_lives();
        for node in &nodes {
            let shares: Usd = replicas.iter().filter(|life| life.node == Some(node.node)).map(|life| life.cost).sum();
            prop_assert_eq!(shares + node.cost_without_replica, node.cost);
            prop_assert!(most_held(node, &replicas, &gpus) <= node.gpus, "{:?}", node);
        }
    }

    #[test]
    fn a_service_without_pods_changes_nothing(variant in 0u8..24, kinds in kinds(), replaces: bool, seed: u64, steps in steps()) {
        let mut world = world(variant);
        // Which of the offerings grants is known only when a node is launched.
        world.pools[0].offerings.iter_mut().for_each(|offering| offering.insufficient_capacity = 0.0);
        if variant & 1 == 0 {
            world.pools[0].consolidation = Consolidation::Balanced { after: secs(30), threshold: 2 };
        }
        let run = |classes: Vec<PodClass>| {
            let mut driver = Driver::of_classes_seeded(&world, classes, seed);
            driver.replaces = replaces;
            driver.fleet.preempt_after(0, secs(u64::from(variant % 3) * 4));
            steps.iter().for_each(|step| act(&mut driver, 1, step));
            driver.run_to(driver.now + secs(600));
            driver.fleet.finish(driver.now);
            let told: Vec<(SimTime, Notice)> = driver.notices.clone();
            let ledger = driver.fleet.ledger().lines();
            (told, ledger, driver.fleet.remarks().len(), driver.fleet.take_lives())
        };
        let mut all = classes(&kinds, &world);
        // A DaemonSet would bring in the weights of a service without pods too.
        all[1..].iter_mut().for_each(|class| class.cold_start.weights = None);
        let (alone, beside) = (run(vec![all[0].clone()]), run(all));
        prop_assert_eq!(alone.0, beside.0);
        prop_assert_eq!(alone.1, beside.1);
        prop_assert_eq!(alone.2, beside.2);
        prop_assert_eq!(format!("{:?}", alone.3), format!("{:?}", beside.3));
    }
}

#[test]
fn left_alone_every_pod_that_fits_somewhere_runs() {
    for variant in [0, 8, 16] {
        let mut world = world(variant);
        world.spot.model = cluster::spec::InterruptionModel::None;
        if let NodeManager::ClusterAutoscaler(spec) = &mut world.fleet.manager {
            spec.provision_time_max = secs(900);
        }
        (world.timings.launch_stuck, world.timings.registration_stuck) = (0.0, 0.0);
        let kinds = [(4, 1, 0, 0), (1, 0, 1, 0), (2, 2, 2, 0)];
        let mut driver = Driver::of_classes_seeded(&world, classes(&kinds, &world), 3);
        driver.replaces = true;
        for round in 0..4 {
            for class in 0..3 {
                driver.create_of(class);
            }
            driver.run_to(driver.now + secs(100 * round));
        }
        driver.run_to(driver.now + secs(4 * 3_600));
        for class in 0..3 {
            let running = (0..driver.pods_of(class)).map(|index| driver.fleet.phase(PodId::new(class, index)));
            assert_eq!(running.filter(|phase| *phase == PodPhase::Ready).count(), 4, "{variant} {class}");
        }
    }
}
