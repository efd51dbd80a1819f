//! Karpenter: what it launches and when, what it removes and when.

use cluster::fleet::{Notice, PodPhase, PodRole};
use cluster::spec::{Consolidation, DisruptionBudget, InstanceOffering, NodeManager, PodDisruptionBudget};
use record::Purchase;
use units::{PodId, SimDuration, UsdPerHour};

use crate::support::{Driver, World, at, fleet, offering, pool, secs};

fn karpenter(offerings: Vec<InstanceOffering>) -> World {
    let mut spec = fleet(offerings);
    spec.manager = NodeManager::Karpenter;
    spec
}

fn on_demand(instance_type: &str, gpus: u32, dollars: f64) -> InstanceOffering {
    offering(instance_type, Purchase::OnDemand, gpus, dollars)
}

/// Instance types of the nodes that came up, in the order of their requests.
fn types(mut driver: Driver) -> Vec<String> {
    driver.fleet.finish(driver.now);
    let (_, nodes) = driver.fleet.take_lives();
    nodes.into_iter().filter(|node| node.launched.is_some()).map(|node| node.instance_type).collect()
}

fn gone(driver: &Driver) -> Vec<f64> {
    driver.times(|notice| matches!(notice, Notice::NodeGone { .. }))
}

fn evicted(driver: &Driver) -> Vec<f64> {
    driver.times(|notice| matches!(notice, Notice::Evicted { .. }))
}

#[test]
fn the_window_closes_a_second_after_the_last_pod_and_ten_after_the_first() {
    for (pods, gap_ms, closes) in [(1, 0, 1.0), (3, 500, 2.0), (30, 900, 10.0)] {
        let mut driver = Driver::new(&karpenter(vec![on_demand("g5.xlarge", 1, 1.0)]));
        for index in 0..pods {
            driver.run_to(at(0) + SimDuration::from_millis(index * gap_ms));
            driver.create();
        }
        driver.run_to(at(500));
        assert_eq!(driver.times(|notice| matches!(notice, Notice::NodeUp { .. }))[0], closes + 80.0);
    }
}

#[test]
fn pods_of_one_batch_share_the_largest_type_and_the_rest_takes_what_fits_it() {
    let mut driver = Driver::new(&karpenter(vec![
        on_demand("g5.xlarge", 1, 1.006),
        on_demand("g5.12xlarge", 4, 5.672),
        on_demand("g5.48xlarge", 8, 16.288),
    ]));
    for _ in 0..11 {
        driver.create();
    }
    driver.run_to(at(1_000));
    assert_eq!(driver.ready_times().len(), 11);
    assert_eq!(types(driver), ["g5.48xlarge", "g5.12xlarge"]);
}

#[test]
fn a_lower_weight_is_used_only_when_the_higher_is_at_its_limit() {
    let mut spec = karpenter(vec![on_demand("cheap", 1, 0.5)]);
    let mut preferred = pool(vec![on_demand("preferred", 1, 2.0)]);
    preferred.name = "preferred".into();
    preferred.weight = 10;
    preferred.gpus_max = Some(2);
    spec.pools.push(preferred);
    let mut driver = Driver::new(&spec);
    for _ in 0..3 {
        driver.create();
    }
    driver.run_to(at(1_000));
    assert_eq!(types(driver), ["preferred", "preferred", "cheap"]);
}

#[test]
fn spot_exhausted_falls_back_in_the_next_pass_and_is_tried_again_after_three_minutes() {
    let mut spot = offering("g5.xlarge", Purchase::Spot, 1, 0.3);
    spot.insufficient_capacity = 1.0 - 1e-12;
    let mut driver = Driver::new(&karpenter(vec![spot, on_demand("g5.xlarge", 1, 1.0)]));
    driver.create();
    driver.run_to(at(100));
    // Refused 2 s after the window closed at 1 s; noticed 10 s later, and another window.
    let failed = |driver: &Driver| driver.times(|notice| matches!(notice, Notice::LaunchFailed { .. }));
    assert_eq!(failed(&driver), [3.0]);
    assert_eq!(driver.times(|notice| matches!(notice, Notice::NodeUp { .. })), [94.0]);
    driver.create();
    driver.run_to(at(182));
    assert_eq!(driver.times(|notice| matches!(notice, Notice::NodeUp { .. })), [94.0, 181.0], "spot is still left out");
    driver.run_to(at(190));
    driver.create();
    driver.run_to(at(400));
    assert_eq!(failed(&driver), [3.0, 193.0]);
}

#[test]
fn a_type_that_is_nowhere_to_be_had_is_tried_every_three_minutes_and_no_more_often() {
    let mut offering = on_demand("p5", 8, 98.0);
    offering.insufficient_capacity = 1.0 - 1e-12;
    let mut driver = Driver::new(&karpenter(vec![offering]));
    driver.create();
    driver.run_to(at(3_600));
    let attempts = driver.times(|notice| matches!(notice, Notice::LaunchFailed { .. })).len();
    assert!((17..=20).contains(&attempts), "{attempts}");
}

#[test]
fn an_empty_node_goes_after_its_time_the_next_pass_validation_and_drain() {
    let mut driver = Driver::new(&karpenter(vec![on_demand("g5.xlarge", 1, 1.0)]));
    let pod = driver.create();
    driver.run_to(at(1_003));
    driver.delete(pod);
    driver.run_to(at(3_000));
    // Empty since 1003, eligible from 1303, seen at 1310, done at 1325, drained for 5 s.
    assert_eq!(gone(&driver), [1_330.0]);
}

#[test]
fn a_pod_that_comes_during_validation_saves_the_node() {
    let mut driver = Driver::new(&karpenter(vec![on_demand("g5.xlarge", 1, 1.0)]));
    let pod = driver.create();
    driver.run_to(at(1_003));
    driver.delete(pod);
    driver.run_to(at(1_320));
    driver.create();
    driver.run_to(at(3_000));
    assert!(gone(&driver).is_empty());
}

#[test]
fn never_and_an_unset_ttl_keep_empty_nodes_for_ever() {
    let mut spec = karpenter(vec![on_demand("g5.xlarge", 1, 1.0)]);
    spec.pools[0].consolidation = Consolidation::Never;
    let mut driver = Driver::new(&spec);
    let pod = driver.create();
    driver.run_to(at(1_000));
    driver.delete(pod);
    driver.run_to(at(100_000));
    assert!(gone(&driver).is_empty());
}

#[test]
fn budgets_let_empty_nodes_go_a_share_at_a_time() {
    let mut spec = karpenter(vec![on_demand("g5.xlarge", 1, 1.0)]);
    spec.pools[0].budgets =
        vec![DisruptionBudget { nodes: None, percent: Some(10.0), reasons: Vec::new(), window: None }];
    let mut driver = Driver::new(&spec);
    let pods: Vec<PodId> = (0..12).map(|_| driver.create()).collect();
    driver.run_to(at(1_000));
    for pod in pods {
        driver.delete(pod);
    }
    driver.run_to(at(4_000));
    let gone = gone(&driver);
    // 10 % of 12 is rounded up to 2; both must be gone before the next go, one at a time from ten nodes on.
    assert_eq!(gone.len(), 12);
    assert_eq!(&gone[..2], [1_320.0, 1_320.0]);
    assert!(gone[2] > 1_330.0 && gone.windows(3).skip(2).all(|three| three[0] < three[2]), "{gone:?}");
}

#[test]
fn a_closed_window_forbids_and_an_open_one_allows() {
    for (duration, is_allowed) in [(3_600, false), (60, true)] {
        let mut spec = karpenter(vec![on_demand("g5.xlarge", 1, 1.0)]);
        let window = Some(("0 0 * * *".to_owned(), secs(duration)));
        spec.pools[0].budgets =
            vec![DisruptionBudget { nodes: Some(0), percent: None, reasons: vec!["Empty".into()], window }];
        let mut driver = Driver::new(&spec);
        let pod = driver.create();
        driver.run_to(at(500));
        driver.delete(pod);
        driver.run_to(at(3_500));
        assert_eq!(gone(&driver).len(), usize::from(is_allowed));
    }
}

fn underutilized(offerings: Vec<InstanceOffering>) -> World {
    let mut spec = karpenter(offerings);
    spec.pools[0].consolidation = Consolidation::WhenEmptyOrUnderutilized(secs(60));
    spec
}

/// Two nodes of four GPUs with two pods each.
fn half_used(spec: &mut World) -> Driver {
    spec.pools[0].nodes_min = 2;
    let mut driver = Driver::new(spec);
    for _ in 0..4 {
        driver.create_ready();
    }
    driver.replaces = true;
    driver
}

#[test]
fn two_half_used_nodes_become_one() {
    let mut spec = underutilized(vec![on_demand("g5.12xlarge", 4, 5.672)]);
    let mut driver = half_used(&mut spec);
    driver.run_to(at(1_000));
    assert!(gone(&driver).is_empty(), "the pool's least nodes stay");
    spec.pools[0].nodes_min = 0;
    let mut driver = Driver::new(&spec);
    let pods: Vec<PodId> = (0..8).map(|_| driver.create_ready()).collect();
    driver.replaces = true;
    driver.run_to(at(3));
    // The first four came to the first node; two of each node go.
    for index in [0, 1, 4, 5] {
        driver.delete(pods[index]);
    }
    driver.run_to(at(1_000));
    // Quiet since 3, so eligible from 63, seen at 70, validated at 85; the two pods are gone at once, the node 5 s later.
    assert_eq!(evicted(&driver), [85.0, 85.0]);
    assert_eq!(gone(&driver), [90.0]);
    assert_eq!(driver.ready_times().len(), 10);
}

#[test]
fn standby_pods_hold_their_node() {
    let spec = underutilized(vec![on_demand("g5.12xlarge", 4, 5.672), on_demand("g5.xlarge", 1, 1.0)]);
    for (role, moves) in [(PodRole::Active, true), (PodRole::Standby, false)] {
        let mut driver = Driver::new(&spec);
        let pods: Vec<PodId> = (0..4).map(|_| driver.create_as(role)).collect();
        driver.run_to(at(500));
        for &pod in &pods[1..] {
            driver.delete(pod);
        }
        driver.replaces = true;
        driver.run_to(at(2_000));
        assert_eq!(!evicted(&driver).is_empty(), moves);
    }
}

#[test]
fn a_large_node_with_one_pod_is_replaced_by_a_small_one_that_is_up_first() {
    let mut driver =
        Driver::new(&underutilized(vec![on_demand("g5.48xlarge", 8, 16.288), on_demand("g5.xlarge", 1, 1.006)]));
    let pods: Vec<PodId> = (0..8).map(|_| driver.create()).collect();
    driver.replaces = true;
    driver.run_to(at(505));
    for &pod in &pods[1..] {
        driver.delete(pod);
    }
    driver.run_to(at(2_000));
    // Eligible from 565, seen at 570, validated at 585; the replacement takes 80 s, and only then is the pod evicted.
    assert_eq!(driver.times(|notice| matches!(notice, Notice::NodeUp { .. })), [81.0, 665.0]);
    assert_eq!(evicted(&driver), [665.0]);
    assert_eq!(gone(&driver), [670.0]);
    assert_eq!(driver.fleet.counts().on_demand, 1);
    assert_eq!(driver.ready_times().last(), Some(&795.0), "the model is loaded anew");
}

#[test]
fn spot_is_not_replaced_by_cheaper_spot() {
    let mut driver = Driver::new(&underutilized(vec![
        offering("g5.48xlarge", Purchase::Spot, 8, 5.0),
        offering("g5.xlarge", Purchase::Spot, 1, 0.3),
    ]));
    let pods: Vec<PodId> = (0..8).map(|_| driver.create()).collect();
    driver.replaces = true;
    driver.run_to(at(505));
    for &pod in &pods[1..] {
        driver.delete(pod);
    }
    driver.run_to(at(5_000));
    assert!(evicted(&driver).is_empty() && gone(&driver).is_empty());
}

#[test]
fn expiry_drains_at_once_and_orders_what_comes_after() {
    let mut spec = karpenter(vec![on_demand("g5.xlarge", 1, 1.0)]);
    spec.pools[0].expire_after = Some(secs(3_600));
    let mut driver = Driver::new(&spec);
    driver.replaces = true;
    driver.create();
    driver.run_to(at(3_700));
    // The claim was made when the window closed at 1 s.
    assert_eq!(evicted(&driver), [3_601.0]);
    assert_eq!(gone(&driver), [3_606.0]);
    assert_eq!(driver.times(|notice| matches!(notice, Notice::NodeUp { .. })), [81.0, 3_682.0]);
}

#[test]
fn a_budget_of_one_replica_blocks_a_drain_until_the_nodes_grace_is_over() {
    for (grace, evictions) in [(None, vec![]), (Some(secs(600)), vec![3_601.0 + 570.0])] {
        let mut spec = karpenter(vec![on_demand("g5.xlarge", 1, 1.0)]);
        spec.pools[0].expire_after = Some(secs(3_600));
        spec.pools[0].termination_grace = grace;
        spec.budgets = vec![PodDisruptionBudget::AvailableMin(1)];
        let mut driver = Driver::new(&spec);
        let pod = driver.create();
        driver.run_to(at(8_000));
        assert_eq!(evicted(&driver), evictions);
        // Nobody deletes the evicted pod here, so it dies with the grace period.
        let killed = driver.times(|notice| matches!(notice, Notice::Killed { .. }));
        assert_eq!(killed, grace.map(|_| 4_201.0).into_iter().collect::<Vec<_>>());
        assert_eq!(driver.fleet.phase(pod) == PodPhase::Gone, grace.is_some());
        // Room for its replacement was ordered as soon as the drain began.
        assert_eq!(driver.times(|notice| matches!(notice, Notice::NodeUp { .. }))[1], 3_682.0);
    }
}

#[test]
fn consolidation_waits_for_replacements_to_be_ready_where_the_budget_asks_for_it() {
    let mut spec = underutilized(vec![on_demand("g5.12xlarge", 4, 5.672)]);
    spec.budgets = vec![PodDisruptionBudget::UnavailableMax(1)];
    let mut driver = Driver::new(&spec);
    let pods: Vec<PodId> = (0..8).map(|_| driver.create_ready()).collect();
    driver.fleet.want_replicas(0, 4);
    driver.replaces = true;
    driver.run_to(at(3));
    for index in [0, 1, 4, 5] {
        driver.delete(pods[index]);
    }
    driver.run_to(at(1_000));
    let evicted = evicted(&driver);
    assert_eq!(evicted[0], 85.0);
    // The first replacement pulls nothing (warm node), loads for 90 s and is ready at 175; the next try comes within 10 s.
    assert!((175.0..=185.2).contains(&evicted[1]), "{evicted:?}");
    assert_eq!(gone(&driver).len(), 1);
}

#[test]
fn the_articles_budget_of_two_forbids_consolidation_at_two_replicas_and_paces_it_at_three() {
    for (replicas, moves) in [(2, false), (3, true)] {
        let mut spec = underutilized(vec![on_demand("g5.12xlarge", 4, 5.672)]);
        spec.budgets = vec![PodDisruptionBudget::AvailableMin(2)];
        let mut driver = Driver::new(&spec);
        let pods: Vec<PodId> = (0..8).map(|_| driver.create_ready()).collect();
        driver.replaces = true;
        // One replica is left on the second node, the others on the first.
        for &pod in pods[replicas - 1..4].iter().chain(&pods[5..]) {
            driver.delete(pod);
        }
        driver.run_to(at(3_000));
        assert_eq!(!evicted(&driver).is_empty(), moves, "{replicas}");
        assert_eq!(gone(&driver).len(), usize::from(moves));
    }
}

#[test]
fn the_articles_provisioner_takes_spot_first_up_to_twenty_gpus_and_lets_empty_nodes_go_after_300_s() {
    let mut spec = karpenter(vec![
        on_demand("p4d.24xlarge", 8, 32.77),
        offering("p4d.24xlarge", Purchase::Spot, 8, 9.83),
        on_demand("g5.xlarge", 1, 1.01),
        offering("g5.xlarge", Purchase::Spot, 1, 0.30),
    ]);
    spec.pools[0].gpus_max = Some(20);
    let mut driver = Driver::new(&spec);
    let pods: Vec<PodId> = (0..30).map(|_| driver.create()).collect();
    driver.run_to(at(1_000));
    // Two nodes of eight, then, as a third would exceed the limit, four of one.
    assert_eq!(driver.ready_times().len(), 20);
    assert_eq!((driver.fleet.counts().spot, driver.fleet.counts().on_demand), (6, 0));
    for pod in pods {
        driver.delete(pod);
    }
    driver.run_to(at(1_300));
    assert_eq!(driver.fleet.counts().spot, 6);
    driver.run_to(at(1_330));
    assert_eq!(driver.fleet.counts().spot, 0);
}

/// Whether one node with one pod on it is replaced once another type costs `dollars` and its own a dollar.
fn is_replaced(consolidation: Consolidation, dollars: f64) -> bool {
    let mut rising = on_demand("rising", 1, 0.1);
    rising.prices = [(at(0), UsdPerHour::from_dollars(0.1)), (at(500), UsdPerHour::from_dollars(1.0))].into();
    let mut spec = karpenter(vec![rising, on_demand("steady", 1, dollars)]);
    spec.pools[0].consolidation = consolidation;
    let mut driver = Driver::new(&spec);
    driver.create_ready();
    driver.replaces = true;
    driver.run_to(at(2_000));
    types(driver).len() > 1
}

#[test]
fn a_balanced_pool_moves_only_what_saves_half_of_what_it_disrupts() {
    let balanced = |threshold| Consolidation::Balanced { after: secs(0), threshold };
    // The move disrupts all of the pool and saves 1 − price of it.
    for (threshold, dollars, moves) in [(2, 0.5, true), (2, 0.51, false), (4, 0.75, true), (1, 0.2, false)] {
        assert_eq!(is_replaced(balanced(threshold), dollars), moves, "{threshold} {dollars}");
        assert!(is_replaced(Consolidation::WhenEmptyOrUnderutilized(secs(0)), dollars));
    }
}

#[test]
fn a_balanced_pool_weighs_a_node_against_all_its_nodes() {
    // Two of the three nodes of a dollar run one pod each and the third three of four: to empty one of the former saves a third of the
    // cost and disrupts 2 of 8, a score of 1.33; with a threshold of one that passes too.
    let mut spec = karpenter(vec![on_demand("g5.12xlarge", 4, 1.0)]);
    spec.pools[0].consolidation = Consolidation::Balanced { after: secs(0), threshold: 1 };
    let mut driver = Driver::new(&spec);
    let pods: Vec<PodId> = (0..12).map(|_| driver.create_ready()).collect();
    driver.run_to(at(5));
    for pod in [1, 2, 3, 5, 6, 7, 9] {
        driver.delete(pods[pod]);
    }
    driver.replaces = true;
    driver.run_to(at(400));
    assert_eq!(driver.fleet.counts().on_demand, 2);
}

#[test]
fn the_node_that_costs_most_for_its_disruption_goes_first() {
    // Large nodes at ten dollars with one pod and with three, a small one at a dollar with one: 10 / 2, 10 / 4 and 1 / 2. The first one's
    // pod takes the last free place of the other large one, so the small one stays.
    let mut spec = karpenter(vec![on_demand("small", 1, 1.0), on_demand("large", 4, 10.0)]);
    spec.pools[0].consolidation = Consolidation::WhenEmptyOrUnderutilized(secs(0));
    spec.pools[0].offerings[0].capacity_max = Some(1);
    let mut driver = Driver::new(&spec);
    let pods: Vec<PodId> = (0..9).map(|_| driver.create_ready()).collect();
    driver.run_to(at(5));
    for pod in [2, 3, 4, 8] {
        driver.delete(pods[pod]);
    }
    driver.replaces = true;
    driver.run_to(at(60));
    let left: Vec<String> = {
        driver.fleet.finish(at(60));
        let (_, nodes) = driver.fleet.take_lives();
        nodes.into_iter().filter(|node| node.ended.is_none()).map(|node| node.instance_type).collect()
    };
    assert_eq!(left, ["small", "large"]);
}
