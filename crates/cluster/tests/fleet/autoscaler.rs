//! The Cluster Autoscaler: scans, timers, the GPU rule.

use cluster::fleet::Notice;
use cluster::spec::{ClusterAutoscalerSpec, InstanceOffering, NodeManager, PodDisruptionBudget};
use record::Purchase;
use units::PodId;

use crate::support::{Driver, World, at, fleet, offering, pool, secs};

fn autoscaler(offerings: Vec<InstanceOffering>) -> World {
    let mut spec = fleet(offerings);
    spec.manager = NodeManager::ClusterAutoscaler(ClusterAutoscalerSpec {
        scan_interval: secs(10),
        unneeded_time: secs(600),
        delay_after_add: secs(600),
        provision_time_max: secs(900),
        gpu_utilization_threshold: 0.5,
    });
    spec
}

fn on_demand(instance_type: &str, gpus: u32) -> InstanceOffering {
    offering(instance_type, Purchase::OnDemand, gpus, 1.0)
}

fn gone(driver: &Driver) -> Vec<f64> {
    driver.times(|notice| matches!(notice, Notice::NodeGone { .. }))
}

#[test]
fn pods_wait_for_the_next_scan_and_an_empty_node_lives_ten_minutes_more() {
    let mut driver = Driver::new(&autoscaler(vec![on_demand("g5.xlarge", 1)]));
    driver.run_to(at(3));
    let pod = driver.create();
    driver.run_to(at(2_003));
    assert_eq!(
        driver.times(|notice| matches!(notice, Notice::NodeUp { .. })),
        [120.0],
        "a GPU pod is looked at when it is 30 s old"
    );
    driver.delete(pod);
    driver.run_to(at(4_000));
    // First seen unneeded at 2010, deleted at 2610, five seconds after its taint.
    assert_eq!(gone(&driver), [2_615.0]);
}

#[test]
fn nothing_goes_within_ten_minutes_of_a_scale_up() {
    let mut driver = Driver::new(&autoscaler(vec![on_demand("g5.xlarge", 1)]));
    let pod = driver.create();
    driver.run_to(at(200));
    driver.delete(pod);
    driver.run_to(at(700));
    driver.create();
    driver.create();
    driver.run_to(at(1_310));
    // Without the second scale-up, at 710, the first node would have been unneeded again from the start; it is used instead.
    assert!(gone(&driver).is_empty());
}

/// Evictions from two nodes of eight GPUs when each runs `used` pods.
fn evictions(used: usize) -> usize {
    let mut driver = Driver::new(&autoscaler(vec![on_demand("p4d.24xlarge", 8)]));
    let pods: Vec<PodId> = (0..16).map(|_| driver.create_ready()).collect();
    driver.replaces = true;
    driver.run_to(at(5));
    for node in [0, 8] {
        for index in used..8 {
            driver.delete(pods[node + index]);
        }
    }
    driver.run_to(at(2_000));
    driver.times(|notice| matches!(notice, Notice::Evicted { .. })).len()
}

#[test]
fn three_of_eight_gpus_is_a_candidate_and_four_of_eight_is_not() {
    assert_eq!(evictions(3), 3);
    assert_eq!(evictions(4), 0);
}

#[test]
fn a_drain_blocked_by_a_budget_is_given_up_after_two_minutes() {
    let mut spec = autoscaler(vec![on_demand("p4d.24xlarge", 8)]);
    spec.budgets = vec![PodDisruptionBudget::UnavailableMax(1)];
    let mut driver = Driver::new(&spec);
    let pods: Vec<PodId> = (0..16).map(|_| driver.create_ready()).collect();
    driver.run_to(at(5));
    for node in [0, 8] {
        for index in 3..8 {
            driver.delete(pods[node + index]);
        }
    }
    driver.run_to(at(1_000));
    // Of three pods one may go; nobody replaces it here, so the others may not.
    assert_eq!(driver.times(|notice| matches!(notice, Notice::Evicted { .. })), [610.0]);
    assert!(gone(&driver).is_empty());
    let fresh = driver.create();
    assert!(driver.fleet.node(fresh).is_some());
}

#[test]
fn a_group_without_capacity_is_left_and_the_next_by_priority_tried() {
    let mut spot = offering("g5.xlarge", Purchase::Spot, 1, 0.3);
    spot.insufficient_capacity = 1.0 - 1e-12;
    let mut spec = autoscaler(vec![on_demand("g5.xlarge", 1)]);
    let mut first = pool(vec![spot]);
    first.name = "spot".into();
    first.weight = 50;
    spec.pools.push(first);
    let mut driver = Driver::new(&spec);
    driver.create();
    driver.run_to(at(1_000));
    // Asked at 30, refused at 32, the other group asked at 40.
    assert_eq!(driver.times(|notice| matches!(notice, Notice::LaunchFailed { .. })), [32.0]);
    assert_eq!(driver.times(|notice| matches!(notice, Notice::NodeUp { .. })), [120.0]);
}

#[test]
fn a_group_stays_between_its_bounds() {
    let mut spec = autoscaler(vec![on_demand("g5.xlarge", 1)]);
    spec.pools[0].nodes_min = 2;
    spec.pools[0].nodes_max = Some(3);
    let mut driver = Driver::new(&spec);
    let pods: Vec<PodId> = (0..5).map(|_| driver.create()).collect();
    driver.run_to(at(1_000));
    assert_eq!(driver.fleet.counts().on_demand, 3);
    for pod in pods {
        driver.delete(pod);
    }
    driver.run_to(at(5_000));
    assert_eq!(driver.fleet.counts().on_demand, 2);
}

/// Nodes ordered for one pod by the Cluster Autoscaler where the device plugin takes 36 s, and how many are left an hour later.
fn ordered(lacks_gpu_label: bool) -> (usize, usize) {
    let mut spec = autoscaler(vec![on_demand("g5.xlarge", 1)]);
    spec.timings.device_plugin = workload::Distribution::Constant(36.0);
    spec.pools[0].rules.lacks_gpu_label = lacks_gpu_label;
    let mut driver = Driver::new(&spec);
    driver.create();
    driver.run_to(at(3_600));
    let (_, nodes) = driver.fleet.take_lives();
    (nodes.len(), nodes.iter().filter(|node| node.ended.is_none()).count())
}

#[test]
fn a_node_group_without_the_gpu_label_grows_twice_for_one_pod() {
    assert_eq!(ordered(false), (1, 1));
    assert_eq!(ordered(true), (2, 1), "the second goes once it has been unneeded for ten minutes");
}

#[test]
fn a_group_whose_template_has_no_gpus_helps_no_more_until_the_plugin_reports() {
    let mut spec = autoscaler(vec![on_demand("g5.xlarge", 1)]);
    spec.timings.launch = workload::Distribution::Constant(25.0);
    spec.timings.device_plugin = workload::Distribution::Constant(600.0);
    spec.pools[0].rules.lacks_gpu_label = true;
    let mut driver = Driver::new(&spec);
    driver.create();
    driver.run_to(at(400));
    // Ready at 85 and at 145: at the next scan the first has been Ready for more than a minute.
    assert_eq!(driver.fleet.take_lives().1.len(), 2);
}
