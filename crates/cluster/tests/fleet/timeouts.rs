//! Nodes that do not come in time, and who gives them up.

use cluster::fleet::Notice;
use cluster::spec::{ClusterAutoscalerSpec, NodeManager};
use record::{NodeLife, Purchase};
use workload::Distribution;

use crate::support::{Driver, World, at, fleet, offering, secs};

fn with(manager: NodeManager) -> World {
    let mut spec = fleet(vec![offering("g5.xlarge", Purchase::OnDemand, 1, 3.6)]);
    spec.manager = manager;
    spec
}

fn autoscaler() -> NodeManager {
    NodeManager::ClusterAutoscaler(ClusterAutoscalerSpec {
        scan_interval: secs(10),
        unneeded_time: secs(600),
        delay_after_add: secs(600),
        provision_time_max: secs(900),
        gpu_utilization_threshold: 0.5,
    })
}

fn lives(spec: &World, pods: u32, end: u64) -> Vec<NodeLife> {
    let mut driver = Driver::new(spec);
    for _ in 0..pods {
        driver.create();
    }
    driver.run_to(at(end));
    driver.fleet.finish(at(end));
    driver.fleet.take_lives().1
}

#[test]
fn karpenter_gives_up_a_node_that_does_not_register_and_pays_for_it() {
    let mut spec = with(NodeManager::Karpenter);
    spec.timings.boot = Distribution::Constant(1_000.0);
    let nodes = lives(&spec, 1, 1_000);
    // Asked at 1 s, launched at 31, given up 900 s later; its pod is seen again after 10 s, and a window of a second.
    let first = &nodes[0];
    assert_eq!((first.ending, first.ended), ("registration_timeout", Some(at(931))));
    assert_eq!((first.billed, first.cost.to_string().as_str()), (secs(900), "0.900000"));
    assert_eq!(nodes[1].requested, at(942));
}

#[test]
fn karpenter_gives_up_a_launch_after_five_minutes_and_pays_nothing() {
    let mut spec = with(NodeManager::Karpenter);
    spec.timings.launch = Distribution::Constant(301.0);
    let nodes = lives(&spec, 1, 400);
    assert_eq!((nodes[0].ending, nodes[0].ended, nodes[0].launched), ("launch_timeout", Some(at(301)), None));
    assert_eq!(nodes[1].requested, at(312));
    spec.timings.launch = Distribution::Constant(300.0);
    assert_eq!(lives(&spec, 1, 400)[0].launched, Some(at(301)), "five minutes are in time");
}

#[test]
fn the_cluster_autoscaler_gives_up_after_fifteen_minutes_and_leaves_the_group_alone_for_longer_each_time() {
    let mut spec = with(autoscaler());
    spec.timings.boot = Distribution::Constant(2_000.0);
    let nodes = lives(&spec, 1, 22_000);
    let requested: Vec<u64> = nodes.iter().map(|node| node.requested.as_secs()).collect();
    // Each is given up after 900 s; then the group rests 300, 600, 1200, 1800, 1800 s, and the next scan asks again.
    assert_eq!(requested[..6], [30, 1_230, 2_730, 4_830, 7_530, 10_230]);
    assert!(nodes.iter().take(6).all(|node| node.ending == "provision_timeout"));
    assert_eq!(nodes[0].billed, secs(870));
}

#[test]
fn the_cluster_autoscaler_forgets_a_failure_after_three_hours() {
    // The first failure is at 930 s; a second one counts as a repetition until 930 s + 3 h.
    for (again, rest) in [(10_000, 600), (11_000, 300)] {
        let mut spec = with(autoscaler());
        spec.timings.boot = Distribution::Constant(2_000.0);
        let mut driver = Driver::new(&spec);
        let pod = driver.create();
        driver.run_to(at(1_000));
        driver.delete(pod);
        driver.run_to(at(again));
        driver.create();
        driver.run_to(at(again + 2_000));
        driver.fleet.finish(driver.now);
        let requested: Vec<u64> = driver.fleet.take_lives().1.iter().map(|node| node.requested.as_secs()).collect();
        assert_eq!(requested, [30, again + 30, again + 930 + rest]);
    }
}

#[test]
fn a_groups_least_nodes_are_waited_for_no_longer_than_others() {
    let mut spec = with(autoscaler());
    spec.pools[0].nodes_min = 1;
    spec.timings.registration_stuck = 0.5;
    // Reclaims take the one node the group must have; what is asked for in its place hangs every other time.
    spec.spot.model = cluster::spec::InterruptionModel::Constant { per_hour: 1.0 };
    spec.pools[0].offerings[0].purchase = Purchase::Spot;
    let mut driver = Driver::new(&spec);
    driver.run_to(at(200_000));
    driver.fleet.finish(at(200_000));
    let nodes = driver.fleet.take_lives().1;
    assert!(nodes.iter().filter(|node| node.ending == "provision_timeout").count() > 5);
    let longest = nodes.iter().filter(|node| node.ending == "provision_timeout").map(|node| node.billed).max();
    assert!(longest.is_some_and(|billed| billed <= secs(900)), "{longest:?}");
}

#[test]
fn some_launches_and_registrations_hang_and_every_pod_still_gets_its_node() {
    for manager in [NodeManager::Karpenter, autoscaler()] {
        let mut spec = with(manager);
        (spec.timings.launch_stuck, spec.timings.registration_stuck) = (0.2, 0.2);
        let mut driver = Driver::new(&spec);
        for _ in 0..100 {
            driver.create();
        }
        driver.run_to(at(40_000));
        assert_eq!(driver.ready_times().len(), 100);
        let gone = driver.times(|notice| matches!(notice, Notice::NodeGone { .. })).len();
        driver.fleet.finish(at(40_000));
        let nodes = driver.fleet.take_lives().1;
        let ended = |ending: &str| nodes.iter().filter(|node| node.ending == ending).count();
        let hung = ended("launch_timeout") + ended("registration_timeout") + ended("provision_timeout");
        // Of n nodes 0.64 n come, so some 156 are asked for; four standard deviations are 38.
        assert!((18..=94).contains(&hung), "{hung}");
        assert!(gone < hung, "a launch that is never answered is no node that goes");
        assert_eq!(driver.fleet.ledger().attributed(), driver.fleet.ledger().billed());
    }
}
