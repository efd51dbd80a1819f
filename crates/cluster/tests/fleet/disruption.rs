//! What keeps Karpenter and the Cluster Autoscaler from removing a node, and how old nodes go.

use cluster::fleet::Notice;
use cluster::spec::{Consolidation, DisruptionBudget, InstanceOffering, NodeManager, PodSpec, Protection};
use record::Purchase;
use units::{PodId, SimDuration};

use crate::support::{Driver, World, at, fleet, offering, pool, secs};

fn karpenter(offerings: Vec<InstanceOffering>) -> World {
    let mut spec = fleet(offerings);
    spec.manager = NodeManager::Karpenter;
    spec
}

fn on_demand(gpus: u32, dollars: f64) -> InstanceOffering {
    offering(&format!("{gpus}-gpu"), Purchase::OnDemand, gpus, dollars)
}

fn evicted(driver: &Driver) -> usize {
    driver.times(|notice| matches!(notice, Notice::Evicted { .. })).len()
}

fn gone(driver: &Driver) -> Vec<f64> {
    driver.times(|notice| matches!(notice, Notice::NodeGone { .. }))
}

/// Two pods on two big nodes, of which one would do, an hour later.
fn consolidated(spec: &World, pod: &PodSpec) -> Driver {
    let mut driver = Driver::with_pod(spec, pod);
    driver.replaces = true;
    for index in 0..5 {
        driver.run_to(at(index * 200));
        driver.create();
    }
    driver.run_to(at(1_200));
    for index in 1..4 {
        driver.delete(PodId(index));
    }
    driver.run_to(at(3_600));
    driver
}

#[test]
fn a_pod_that_must_not_be_disrupted_keeps_its_node_from_consolidation() {
    let mut spec = karpenter(vec![on_demand(4, 4.0)]);
    spec.pools[0].consolidation = Consolidation::WhenEmptyOrUnderutilized(secs(60));
    for (protection, evictions) in [(Protection::None, 1), (Protection::Always, 0), (Protection::Until(secs(100)), 1)] {
        let mut pod = PodSpec::plain();
        pod.scheduling.protection = protection;
        assert_eq!(evicted(&consolidated(&spec, &pod)), evictions, "{protection:?}");
    }
    spec.pools[0].rules.protected = true;
    assert_eq!(evicted(&consolidated(&spec, &PodSpec::plain())), 0, "nodes of the pool are annotated");
}

#[test]
fn a_protected_pod_holds_up_the_drain_of_an_expired_node_until_its_hard_limit() {
    for (limit, ends) in [(None, None), (Some(secs(500)), Some(2_471.0))] {
        let mut spec = karpenter(vec![on_demand(1, 1.0)]);
        spec.pools[0].expire_after = Some(secs(2_000));
        spec.pools[0].termination_grace = limit;
        let mut pod = PodSpec::plain();
        pod.scheduling.protection = Protection::Always;
        let mut driver = Driver::with_pod(&spec, &pod);
        driver.replaces = true;
        driver.create();
        driver.run_to(at(3_000));
        // Requested at 1 s, too old at 2001 s; a pod's grace of 30 s must fit into what is left.
        assert_eq!(gone(&driver).first().copied(), ends);
    }
}

#[test]
fn before_v1_an_old_node_goes_within_the_budget_and_not_before_its_replacement_is_up() {
    for (budget, expected) in [(0, 0), (1, 1)] {
        let mut spec = karpenter(vec![on_demand(1, 1.0)]);
        spec.pools[0].consolidation = Consolidation::Never;
        spec.pools[0].expire_after = Some(secs(2_000));
        spec.pools[0].rules.expires_gracefully = true;
        let budget = DisruptionBudget { nodes: Some(budget), percent: None, reasons: Vec::new(), window: None };
        spec.pools[0].budgets = vec![budget];
        let mut driver = Driver::new(&spec);
        driver.replaces = true;
        driver.create();
        driver.run_to(at(2_600));
        // The replacement is up 80 s after it was ordered; then the drain of at least 5 s.
        let gone = gone(&driver);
        assert_eq!(gone.len(), expected, "{gone:?}");
        let up = driver.times(|notice| matches!(notice, Notice::NodeUp { .. }));
        assert!(gone.iter().all(|time| up.len() == 2 && *time >= up[1] + 5.0), "{gone:?} {up:?}");
    }
}

#[test]
fn a_budget_whose_schedule_cannot_be_read_permits_nothing() {
    let mut spec = karpenter(vec![on_demand(1, 1.0)]);
    spec.pools[0].consolidation = Consolidation::WhenEmpty(secs(60));
    for (schedule, ends) in [("0 0 * * sat,sun", 1), ("0 0 * * sat-sun", 0)] {
        let window = Some((schedule.to_owned(), secs(3_600)));
        // It binds disruption of another kind only; one that cannot be read binds all.
        let unread = DisruptionBudget { nodes: Some(0), percent: None, reasons: vec!["Drifted".into()], window };
        spec.pools[0].budgets = vec![unread];
        let mut driver = Driver::new(&spec);
        let pod = driver.create();
        driver.run_to(at(300));
        driver.delete(pod);
        driver.run_to(at(3_600));
        assert_eq!(gone(&driver).len(), ends, "{schedule}");
    }
}

#[test]
fn nodes_that_only_a_window_holds_go_soon_after_it_closes() {
    let mut spec = karpenter(vec![on_demand(1, 1.0)]);
    spec.pools[0].consolidation = Consolidation::WhenEmpty(secs(60));
    let closed = DisruptionBudget {
        nodes: Some(0),
        percent: None,
        reasons: Vec::new(),
        window: Some(("0 * * * *".into(), secs(1_800))),
    };
    spec.pools[0].budgets = vec![closed];
    let mut driver = Driver::past_the_hour(&spec, 0);
    let pod = driver.create();
    driver.run_to(at(300));
    driver.delete(pod);
    driver.run_to(at(3_600));
    let gone = gone(&driver);
    // Half past the hour, the next pass within 10 s, 15 s of validation, 5 s of drain.
    assert!(gone.len() == 1 && (1_800.0..=1_830.0).contains(&gone[0]), "{gone:?}");
}

#[test]
fn a_static_pool_keeps_its_nodes_and_gets_no_more() {
    let mut spec = karpenter(vec![on_demand(1, 1.0)]);
    let rules = &mut spec.pools[0];
    (rules.nodes_min, rules.nodes_max, rules.consolidation) = (2, Some(2), Consolidation::Never);
    rules.rules.is_static = true;
    let mut driver = Driver::new(&spec);
    let pods: Vec<PodId> = (0..3).map(|_| driver.create()).collect();
    driver.run_to(at(1_000));
    assert_eq!((driver.ready_times().len(), driver.fleet.counts().on_demand), (2, 2));
    let remarks = driver.fleet.remarks();
    assert!(remarks[0].ends_with("its number of nodes is fixed, and they are full"), "{remarks:?}");
    pods.into_iter().for_each(|pod| driver.delete(pod));
    driver.run_to(at(4_000));
    assert_eq!(driver.fleet.counts().on_demand, 2);
}

#[test]
fn since_1_14_a_node_that_has_just_received_a_pod_takes_none_from_consolidation() {
    for (receivers_need_not_settle, moved) in [(true, true), (false, false)] {
        let mut spec = karpenter(vec![on_demand(2, 2.0)]);
        spec.karpenter.receivers_need_not_settle = receivers_need_not_settle;
        spec.pools[0].consolidation = Consolidation::WhenEmptyOrUnderutilized(secs(300));
        // The other pool's nodes have no window of their own to speak of; they are the ones to leave.
        let mut hasty = pool(vec![offering("hasty", Purchase::OnDemand, 1, 1.5)]);
        hasty.name = "hasty".into();
        hasty.weight = 1;
        hasty.nodes_max = Some(1);
        hasty.consolidation = Consolidation::WhenEmptyOrUnderutilized(SimDuration::ZERO);
        spec.pools.push(hasty);
        let mut driver = Driver::new(&spec);
        driver.replaces = true;
        // The first on `hasty`, the second on a node of two, which keeps one place free.
        driver.create();
        driver.run_to(at(100));
        driver.create();
        // A pod event on the node of two every four minutes.
        for round in 1..8 {
            driver.run_to(at(100 + round * 240));
            let pod = driver.create();
            driver.run_to(at(101 + round * 240));
            driver.delete(pod);
        }
        assert_eq!(evicted(&driver) > 0, moved);
    }
}

#[test]
fn a_pod_that_pins_its_node_keeps_it_from_the_cluster_autoscaler() {
    for (pins_node, evictions) in [(false, 1), (true, 0)] {
        let mut spec = fleet(vec![on_demand(4, 4.0)]);
        spec.manager = NodeManager::ClusterAutoscaler(cluster::spec::ClusterAutoscalerSpec {
            scan_interval: secs(10),
            unneeded_time: secs(60),
            delay_after_add: secs(60),
            provision_time_max: secs(900),
            gpu_utilization_threshold: 0.5,
        });
        let mut pod = PodSpec::plain();
        pod.scheduling.pins_node = pins_node;
        assert_eq!(evicted(&consolidated(&spec, &pod)), evictions);
    }
}
