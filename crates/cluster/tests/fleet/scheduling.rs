//! Hard scheduling rules: who may share what with whom, and why a pod waits.

use cluster::fleet::{Notice, PodPhase};
use cluster::spec::{
    HOSTNAME, LabelOperator, LabelRule, NodeManager, NodeTerm, PlacementKind, PlacementRule, PodQuota, PodSpec, Taint,
    TaintEffect, Toleration,
};
use record::Purchase;
use units::PodId;

use crate::support::{Driver, World, at, fleet, offering, pool, secs};

const ZONE: &str = "topology.kubernetes.io/zone";

/// Machines of four GPUs in three zones, the first the cheapest.
fn zones(manager: NodeManager) -> World {
    let offerings = [("a", 4.0), ("b", 5.0), ("c", 6.0)].map(|(zone, price)| {
        let mut offering = offering("g5.12xlarge", Purchase::OnDemand, 4, price);
        offering.zone = zone.into();
        offering
    });
    fleet(offerings.into()).under(manager)
}

fn placed(key: &str, kind: PlacementKind) -> PodSpec {
    let mut pod = PodSpec::plain();
    pod.scheduling.placement = vec![PlacementRule { topology_key: key.into(), kind }];
    pod
}

fn spread(skew_max: u32, domains_min: u32) -> PlacementKind {
    PlacementKind::Spread { skew_max, domains_min, honors_taints: false, honors_affinity: true }
}

/// Pods in each zone, and on each node, of `count` pods an hour after they were created.
fn settled(spec: &World, pod: &PodSpec, count: u32) -> (Vec<usize>, Vec<usize>, Driver) {
    let mut driver = Driver::with_pod(spec, pod);
    for _ in 0..count {
        driver.create();
    }
    driver.run_to(at(3_600));
    let mut copy = driver.fleet.clone();
    copy.finish(driver.now);
    let (pods, nodes) = copy.take_lives();
    let zones = ["a", "b", "c"].map(|zone| pods.iter().filter(|life| life.zone == zone).count());
    let on = |node: &record::NodeLife| pods.iter().filter(|life| life.node == Some(node.node)).count();
    (zones.to_vec(), nodes.iter().map(on).collect(), driver)
}

fn managers() -> [NodeManager; 3] {
    let autoscaler = cluster::spec::ClusterAutoscalerSpec {
        scan_interval: secs(10),
        unneeded_time: secs(600),
        delay_after_add: secs(600),
        provision_time_max: secs(900),
        gpu_utilization_threshold: 0.5,
    };
    [NodeManager::Karpenter, NodeManager::ClusterAutoscaler(autoscaler), NodeManager::Simple { empty_delay: secs(300) }]
}

#[test]
fn pods_that_must_not_share_a_node_get_one_each_under_every_manager() {
    for manager in managers() {
        let (_, nodes, driver) = settled(&zones(manager.clone()), &placed(HOSTNAME, PlacementKind::Apart), 5);
        assert_eq!((nodes, driver.ready_times().len()), (vec![1; 5], 5), "{manager:?}");
    }
}

#[test]
fn pods_that_must_not_share_a_zone_wait_once_every_zone_has_one() {
    for manager in managers() {
        let (zones, nodes, driver) = settled(&zones(manager.clone()), &placed(ZONE, PlacementKind::Apart), 5);
        assert_eq!((zones, nodes.len()), (vec![1, 1, 1], 3), "{manager:?}");
        let remarks = driver.fleet.remarks();
        let expected = "pool `gpu`: required podAntiAffinity on `topology.kubernetes.io/zone` leaves no place";
        assert!(remarks.iter().any(|remark| remark.ends_with(expected)), "{manager:?}: {remarks:?}");
    }
}

#[test]
fn pods_that_must_share_a_zone_all_go_where_the_first_went() {
    for manager in managers() {
        let mut spec = zones(manager.clone());
        spec.pools[0].offerings.iter_mut().for_each(|offering| offering.gpus = 1);
        let (zones, _, driver) = settled(&spec, &placed(ZONE, PlacementKind::Together), 3);
        assert_eq!((zones, driver.ready_times().len()), (vec![3, 0, 0], 3), "{manager:?}");
    }
}

#[test]
fn a_hard_spread_keeps_zones_within_its_skew() {
    for manager in managers() {
        for (count, expected) in [(3, vec![1, 1, 1]), (5, vec![1, 2, 2]), (7, vec![2, 2, 3])] {
            let (mut zones, _, driver) = settled(&zones(manager.clone()), &placed(ZONE, spread(1, 1)), count);
            zones.sort_unstable();
            assert_eq!((zones, driver.ready_times().len()), (expected, count as usize), "{manager:?}");
        }
    }
}

#[test]
fn a_spread_over_nodes_fills_them_evenly() {
    let mut spec = zones(NodeManager::Simple { empty_delay: secs(300) });
    spec.pools[0].nodes_min = 2;
    let (_, nodes, _) = settled(&spec, &placed(HOSTNAME, spread(1, 1)), 4);
    assert_eq!(nodes, [2, 2]);
}

#[test]
fn fewer_domains_than_wanted_hold_no_more_than_the_skew_each() {
    let mut spec = zones(NodeManager::Karpenter);
    spec.pools[0].offerings.truncate(2);
    let (zones, _, driver) = settled(&spec, &placed(ZONE, spread(2, 3)), 6);
    assert_eq!((zones, driver.ready_times().len()), (vec![2, 2, 0], 4));
}

#[test]
fn required_node_affinity_and_taints_choose_the_pool() {
    let mut spec = fleet(vec![offering("cheap", Purchase::OnDemand, 1, 0.5)]);
    spec.pools[0].name = "tainted".into();
    spec.pools[0].rules.taints =
        vec![Taint { key: "dedicated".into(), value: "research".into(), effect: TaintEffect::NoSchedule }];
    let mut other = pool(vec![offering("dear", Purchase::OnDemand, 1, 2.0)]);
    other.name = "open".into();
    spec.pools.push(other);
    let tolerating = Toleration { key: "dedicated".into(), value: Some("research".into()), effect: None };
    let term = |operator, value: &str| NodeTerm {
        labels: vec![LabelRule {
            key: "node.kubernetes.io/instance-type".into(),
            operator,
            values: vec![value.into()],
        }],
    };
    let cases = [
        (vec![], vec![], Some("dear")),
        (vec![tolerating.clone()], vec![], Some("cheap")),
        (vec![tolerating.clone()], vec![term(LabelOperator::NotIn, "cheap")], Some("dear")),
        (vec![tolerating], vec![term(LabelOperator::In, "none"), term(LabelOperator::In, "cheap")], Some("cheap")),
        (vec![], vec![term(LabelOperator::In, "cheap")], None),
        (vec![], vec![NodeTerm::default()], None),
    ];
    for (tolerations, node_terms, expected) in cases {
        let mut pod = PodSpec::plain();
        pod.scheduling.tolerations = tolerations.clone();
        pod.scheduling.node_terms = node_terms.clone();
        // The later in the alphabet comes first, and is the tainted one.
        let mut driver = Driver::with_pod(&spec, &pod);
        driver.create();
        driver.run_to(at(500));
        driver.fleet.finish(at(500));
        let (_, nodes) = driver.fleet.take_lives();
        let found = nodes.first().map(|node| node.instance_type.as_str());
        assert_eq!(found, expected, "{tolerations:?} {node_terms:?}");
    }
}

#[test]
fn another_resource_than_the_gpu_limits_what_fits_where_a_type_declares_it() {
    let mut machine = offering("p5.48xlarge", Purchase::OnDemand, 8, 98.0);
    machine.extended = vec![("vpc.amazonaws.com/efa".into(), 4)];
    let mut pod = PodSpec::plain();
    pod.scheduling.extended = vec![("vpc.amazonaws.com/efa".into(), 2), ("rdma/shared".into(), 1)];
    let mut driver = Driver::with_pod(&fleet(vec![machine]), &pod);
    for _ in 0..4 {
        driver.create();
    }
    driver.run_to(at(500));
    assert_eq!(driver.fleet.counts().on_demand, 2);
}

#[test]
fn a_quota_keeps_pods_from_being_created_until_another_is_gone() {
    let mut pod = PodSpec::plain();
    pod.scheduling.quotas = vec![PodQuota::of_pods(2, "ResourceQuota/gpus: requests.nvidia.com/gpu of 2")];
    let mut driver = Driver::with_pod(&fleet(vec![offering("g5.xlarge", Purchase::OnDemand, 1, 1.0)]), &pod);
    let pods: Vec<PodId> = (0..3).map(|_| driver.create()).collect();
    driver.run_to(at(1_000));
    assert_eq!((driver.ready_times().len(), driver.fleet.counts().on_demand), (2, 2));
    driver.delete(pods[0]);
    driver.run_to(at(2_000));
    assert_eq!(driver.fleet.phase(pods[2]), PodPhase::Ready);
    driver.fleet.finish(at(2_000));
    let (lives, _) = driver.fleet.take_lives();
    assert_eq!(lives[2].waits.len(), 1);
    let wait = &lives[2].waits[0];
    assert_eq!(wait.reason, "ResourceQuota/gpus: requests.nvidia.com/gpu of 2 is used up");
    assert_eq!((wait.start, wait.end), (at(0), at(1_000)));
}

#[test]
fn a_pod_that_waits_says_for_which_limit_of_which_pool() {
    for manager in managers() {
        let mut spec = fleet(vec![offering("g6.xlarge", Purchase::OnDemand, 1, 0.8)]);
        spec.manager = manager;
        spec.pools[0].name = "capped".into();
        spec.pools[0].gpus_max = Some(1);
        let mut driver = Driver::new(&spec);
        driver.create();
        driver.create();
        driver.run_to(at(1_800));
        let remarks = driver.fleet.remarks();
        assert_eq!(remarks.len(), 1, "{remarks:?}");
        assert!(remarks[0].ends_with("pool `capped`: limit of 1 nvidia.com/gpu reached"), "{remarks:?}");
    }
}

#[test]
fn pods_that_never_preempt_wait_beside_pause_pods() {
    for (never_preempts, ready) in [(false, 1), (true, 0)] {
        let mut spec = fleet(vec![offering("g5.xlarge", Purchase::OnDemand, 1, 1.0)]);
        spec.pools[0].nodes_max = Some(1);
        let mut pod = PodSpec::plain();
        pod.scheduling.never_preempts = never_preempts;
        let mut driver = Driver::with_pod(&spec, &pod);
        driver.keep_pause_pods(1);
        driver.run_to(at(500));
        driver.create();
        driver.run_to(at(1_000));
        assert_eq!(driver.ready_times().len(), ready);
    }
}

#[test]
fn pods_of_very_low_priority_add_no_nodes_under_the_cluster_autoscaler() {
    for (priority, nodes) in [(-10, 1), (-11, 0)] {
        let mut spec = fleet(vec![offering("g5.xlarge", Purchase::OnDemand, 1, 1.0)]);
        spec.manager = managers()[1].clone();
        let mut driver = Driver::with_pod(&spec, &PodSpec { priority, ..PodSpec::plain() });
        driver.create();
        driver.run_to(at(600));
        assert_eq!(driver.times(|notice| matches!(notice, Notice::NodeUp { .. })).len(), nodes);
    }
}
