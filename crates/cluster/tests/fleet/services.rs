//! Pods of several services on the same nodes.

use cluster::fleet::Notice;
use cluster::spec::{
    ClusterAutoscalerSpec, ColdStartSpec, Consolidation, ContainerSpec, NodeManager, PodClass, PodDisruptionBudget,
    PodQuota, PodSpec, WeightsSpec,
};
use record::{GpuUse, Purchase};
use units::{Bytes, Cost, Millicores, NodeId, PodId};
use workload::Distribution;

use crate::support::{Driver, World, at, fleet, offering, secs};

/// A class of pods with so many GPUs, an image of their own, and a cold start of 40 + 60 + 20 + 10 s.
pub fn class(name: &str, gpus: u32) -> PodClass {
    PodClass {
        name: name.into(),
        pod: PodSpec { gpus, image: name.into(), ..PodSpec::plain() },
        cold_start: ColdStartSpec::plain([40.0, 60.0, 20.0, 10.0].map(Distribution::Constant)),
        budgets: Vec::new(),
        seed: 11,
    }
}

fn with_cpu(mut class: PodClass, millicores: u64) -> PodClass {
    class.pod.containers = vec![ContainerSpec {
        name: "server".into(),
        cpu: Some(Millicores(millicores)),
        memory: None,
        is_sidecar: false,
    }];
    class
}

fn with_priority(mut class: PodClass, priority: i32) -> PodClass {
    class.pod.priority = priority;
    class
}

/// Nodes of eight GPUs, at most so many.
fn eights(nodes: u32) -> World {
    let mut world = fleet(vec![offering("p5.48xlarge", Purchase::OnDemand, 8, 8.0)]);
    world.pools[0].nodes_max = Some(nodes);
    world
}

fn nodes_of(driver: &Driver, pods: &[PodId]) -> Vec<Option<u32>> {
    pods.iter().map(|&pod| driver.fleet.node(pod).map(|node| node.0)).collect()
}

/// Pods that were evicted to make way, in order.
fn preempted(driver: &Driver) -> Vec<PodId> {
    let notices = driver.notices.iter().filter_map(|(_, notice)| match notice {
        Notice::Evicted { pod, reason: "preempted" } => Some(*pod),
        _ => None,
    });
    notices.collect()
}

#[test]
fn pods_of_different_sizes_fill_a_node_together() {
    let mut driver = Driver::of_classes(&eights(5), vec![class("large", 4), class("small", 1)]);
    let large = driver.create_of(0);
    driver.run_to(at(10));
    let small: Vec<PodId> = (0..5).map(|_| driver.create_of(1)).collect();
    driver.run_to(at(400));
    assert_eq!(nodes_of(&driver, &[large]), [Some(0)]);
    assert_eq!(nodes_of(&driver, &small), [Some(0), Some(0), Some(0), Some(0), Some(1)]);
    assert_eq!(driver.fleet.node_view(NodeId(0)).gpus_held, 8);
}

#[test]
fn a_node_without_cpu_left_takes_no_more_pods_though_it_has_gpus() {
    let mut world = eights(5);
    world.pools[0].offerings[0].cpu = Millicores(16_000);
    let classes = vec![with_cpu(class("gpu", 1), 1_000), with_cpu(class("cpu", 0), 13_000)];
    let mut driver = Driver::of_classes(&world, classes);
    let hungry = driver.create_of(1);
    let pods: Vec<PodId> = (0..4).map(|_| driver.create_of(0)).collect();
    driver.run_to(at(400));
    assert_eq!(nodes_of(&driver, &[hungry]), [Some(0)]);
    assert_eq!(nodes_of(&driver, &pods), [Some(0), Some(0), Some(0), Some(1)]);
}

#[test]
fn a_more_important_pod_takes_the_place_of_as_few_others_as_it_needs() {
    for (never_preempts, evicted) in [(false, vec![PodId::new(0, 6), PodId::new(0, 7)]), (true, Vec::new())] {
        let mut online = with_priority(class("online", 2), 100);
        online.pod.scheduling.never_preempts = never_preempts;
        let mut driver = Driver::of_classes(&eights(1), vec![with_priority(class("batch", 1), 0), online]);
        let batch: Vec<PodId> = (0..9).map(|_| driver.create_of(0)).collect();
        driver.run_to(at(300));
        // The ninth has waited longer, and is less important.
        let online = driver.create_of(1);
        assert_eq!(preempted(&driver), evicted);
        driver.run_to(at(310));
        assert_eq!(driver.fleet.node(online), None, "victims have their grace period");
        driver.delete(batch[6]);
        // Unless nobody made it, the room is kept for the one they make way for.
        assert_eq!(driver.fleet.node(batch[8]).is_some(), never_preempts);
        driver.delete(batch[7]);
        assert_eq!(driver.fleet.node(online).is_some(), !never_preempts);
        assert_eq!(preempted(&driver), evicted, "nobody else is driven out");
    }
}

#[test]
fn preemption_breaks_the_fewest_budgets_then_takes_the_least_important() {
    // Node 0 has guarded pods, node 1 those of priority 5, node 2 of 3.
    for (guards, victim) in [(true, PodId::new(2, 0)), (false, PodId::new(0, 0))] {
        let mut guarded = with_priority(class("guarded", 8), 1);
        guarded.budgets = if guards { vec![PodDisruptionBudget::AvailableMin(1)] } else { Vec::new() };
        let (five, three) = (with_priority(class("five", 8), 5), with_priority(class("three", 8), 3));
        let classes = vec![guarded, five, three, with_priority(class("online", 4), 10)];
        let mut world = eights(3);
        world.pools[0].nodes_min = 3;
        let mut driver = Driver::of_classes(&world, classes);
        for class in [0, 1, 2] {
            driver.create_of(class);
        }
        driver.run_to(at(900));
        driver.create_of(3);
        assert_eq!(preempted(&driver), [victim]);
    }
}

#[test]
fn another_services_pause_pod_makes_way_at_once() {
    let classes = vec![with_priority(class("kept", 4), 10), with_priority(class("online", 2), 10)];
    let mut driver = Driver::of_classes(&eights(1), classes);
    driver.keep_pause_pods_of(0, 1);
    driver.create_of(0);
    driver.run_to(at(300));
    let pods = [driver.create_of(1), driver.create_of(1), driver.create_of(1)];
    // Four GPUs are held by a pod, four by the pause pod that gives way to two.
    assert_eq!(nodes_of(&driver, &pods), [Some(0), Some(0), None]);
    assert_eq!(preempted(&driver), []);
}

#[test]
fn karpenter_packs_mixed_pods_into_the_cheapest_machine_that_holds_them_all() {
    let offerings = vec![
        offering("large", Purchase::OnDemand, 8, 8.0),
        offering("middle", Purchase::OnDemand, 4, 5.0),
        offering("small", Purchase::OnDemand, 1, 2.0),
    ];
    for (pods, gpus) in
        [(&[0, 1, 2][..], vec![8]), (&[1, 1], vec![4]), (&[1, 2, 2], vec![4]), (&[0, 0, 1, 2], vec![8, 4])]
    {
        let world = fleet(offerings.clone()).under(NodeManager::Karpenter);
        let classes = vec![with_cpu(class("four", 4), 4_000), with_cpu(class("two", 2), 2_000), class("one", 1)];
        let mut driver = Driver::of_classes(&world, classes);
        for &class in pods {
            driver.create_of(class);
        }
        driver.run_to(at(300));
        driver.fleet.finish(driver.now);
        let lives = driver.fleet.take_lives().1;
        assert_eq!(lives.iter().map(|node| node.gpus).collect::<Vec<_>>(), gpus, "{pods:?}");
    }
}

#[test]
fn karpenter_moves_the_pods_of_one_service_to_the_free_half_of_anothers_node() {
    let mut world = eights(2).under(NodeManager::Karpenter);
    world.pools[0].consolidation = Consolidation::WhenEmptyOrUnderutilized(secs(60));
    let mut driver = Driver::of_classes(&world, vec![class("chat", 4), class("embed", 4)]);
    driver.replaces = true;
    let chat = [driver.create_of(0), driver.create_of(0)];
    driver.run_to(at(200));
    let embed = [driver.create_of(1), driver.create_of(1)];
    driver.run_to(at(500));
    assert_eq!(nodes_of(&driver, &[chat[0], embed[0]]), [Some(0), Some(1)]);
    driver.delete(chat[1]);
    driver.delete(embed[1]);
    driver.run_to(at(2_000));
    assert_eq!(driver.fleet.counts().on_demand, 1, "half a node and half a node are one");
    assert_eq!(driver.pods(), 5, "one pod was moved");
}

#[test]
fn the_cluster_autoscaler_adds_one_node_for_pods_of_two_services_and_takes_it_away() {
    let manager = NodeManager::ClusterAutoscaler(ClusterAutoscalerSpec {
        scan_interval: secs(10),
        unneeded_time: secs(60),
        delay_after_add: secs(60),
        provision_time_max: secs(900),
        gpu_utilization_threshold: 0.5,
    });
    let mut driver = Driver::of_classes(&eights(4).under(manager), vec![class("chat", 4), class("embed", 2)]);
    driver.replaces = true;
    let chat = [driver.create_of(0), driver.create_of(0)];
    let embed = driver.create_of(1);
    driver.run_to(at(600));
    assert_eq!(nodes_of(&driver, &[chat[0], chat[1], embed]), [Some(0), Some(0), Some(1)]);
    driver.delete(chat[0]);
    // Two of eight GPUs are in use on the second node, and the first has room for them.
    driver.run_to(at(1_500));
    assert_eq!(driver.fleet.counts().on_demand, 1);
}

#[test]
fn a_cache_too_small_for_two_models_holds_the_one_used_last() {
    for (size, third) in [(100, 630.0), (120, 570.0)] {
        let mut world = eights(1);
        world.cache(size, 60);
        let weights = Some(WeightsSpec { bytes: Bytes(60), releases: Vec::new() });
        let classes = ["chat", "embed"].map(|name| {
            let mut class = class(name, 1);
            class.cold_start.weights.clone_from(&weights);
            class
        });
        let mut driver = Driver::of_classes(&world, classes.into());
        for (time, class) in [(0, 0), (300, 1), (540, 0)] {
            driver.run_to(at(time));
            driver.create_of(class);
        }
        driver.run_to(at(1_000));
        // The second pulls its image and downloads; the third finds its image, and its weights if both models fit.
        assert_eq!(driver.ready_times(), [210.0, 430.0, third]);
    }
}

#[test]
fn services_with_one_image_pull_it_once_until_one_of_them_has_another() {
    let mut same = class("chat", 1);
    same.name = "twin".into();
    let mut driver = Driver::of_classes(&eights(1), vec![class("chat", 1), same, class("embed", 1)]);
    for (time, class) in [(0, 0), (300, 1), (600, 2)] {
        driver.run_to(at(time));
        driver.create_of(class);
    }
    driver.run_to(at(900));
    driver.fleet.release(1, (true, false), driver.now);
    driver.create_of(0);
    driver.create_of(1);
    driver.run_to(at(1_200));
    assert_eq!(driver.ready_times(), [210.0, 390.0, 730.0, 990.0, 1_030.0]);
}

#[test]
fn services_of_a_namespace_share_its_quota() {
    let quota = |each| PodQuota { key: "ml/gpus".into(), hard: 8, each, what: "ResourceQuota/gpus of 8".into() };
    let classes = [("large", 4), ("small", 1)].map(|(name, gpus)| {
        let mut class = class(name, gpus);
        class.pod.scheduling.quotas = vec![quota(u64::from(gpus))];
        class
    });
    let mut driver = Driver::of_classes(&eights(9), classes.into());
    let large = driver.create_of(0);
    let small: Vec<PodId> = (0..5).map(|_| driver.create_of(1)).collect();
    let second = driver.create_of(0);
    driver.run_to(at(300));
    assert_eq!(driver.fleet.node(small[3]), Some(NodeId(0)));
    assert_eq!(nodes_of(&driver, &[small[4], second]), [None, None], "four and four are eight");
    driver.delete(large);
    driver.run_to(at(400));
    assert_eq!(nodes_of(&driver, &[small[4], second]), [Some(0), None], "three are left, too few for the large one");
}

#[test]
fn each_service_pays_for_its_gpus_and_nobody_for_those_nobody_holds() {
    let mut driver = Driver::of_classes(&eights(1), vec![class("chat", 4), class("embed", 2)]);
    let (chat, _) = (driver.create_of(0), driver.create_of(1));
    driver.run_to(at(1_000));
    driver.fleet.add_busy(chat, secs(500));
    driver.fleet.finish(driver.now);
    let ledger = driver.fleet.ledger().clone();
    let [chat, embed, nobody] = [Some(0), Some(1), None].map(|service| ledger.cost_of(service));
    assert_eq!([chat, embed, nobody].into_iter().sum::<Cost>(), ledger.billed());
    // Launched at 30 s: 970 s of eight GPUs at a dollar an hour each.
    assert_eq!([chat, embed, nobody].map(|cost| cost.to_usd().to_string()), ["1.077778", "0.538889", "0.538889"]);
    let busy = ledger.lines_by_service().into_iter().find(|(line, _)| line.gpu_use == GpuUse::ServingBusy);
    let (line, service) = busy.expect("chat was busy");
    assert_eq!((line.amount.to_string().as_str(), service), ("0.555556", Some(0)));
}

#[test]
fn what_one_service_draws_does_not_depend_on_the_others() {
    let random = |name: &str, seed| {
        let mut class = class(name, 1);
        class.cold_start = ColdStartSpec::plain([0; 4].map(|_| Distribution::Exponential { mean: 30.0 }));
        PodClass { seed, ..class }
    };
    let ready = |classes: Vec<PodClass>, of: usize| {
        let mut world = eights(9);
        world.pools[0].nodes_min = 9;
        let count = classes.len();
        let mut driver = Driver::of_classes(&world, classes);
        for _ in 0..6 {
            for class in 0..count {
                driver.create_of(class);
            }
        }
        driver.run_to(at(5_000));
        driver.times(|notice| matches!(notice, Notice::Ready { pod } if pod.service() == of))
    };
    let alone = ready(vec![random("chat", 1)], 0);
    assert_eq!(ready(vec![random("chat", 1), random("embed", 2)], 0), alone);
    assert_eq!(ready(vec![random("embed", 2), random("chat", 1)], 1), alone);
}
