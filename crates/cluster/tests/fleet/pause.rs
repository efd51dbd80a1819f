//! Overprovisioning by pause pods.

use cluster::fleet::Notice;
use cluster::spec::{Consolidation, NodeManager};
use record::{GpuUse, Purchase};

use crate::support::{Driver, World, at, fleet, offering, secs};

fn spec(manager: NodeManager) -> World {
    let mut spec = fleet(vec![offering("g5.xlarge", Purchase::OnDemand, 1, 3.6)]);
    spec.manager = manager;
    spec.pools[0].consolidation = Consolidation::WhenEmpty(secs(30));
    spec
}

#[test]
fn a_replica_takes_the_place_of_a_pause_pod_and_another_node_is_ordered_behind_it() {
    // Karpenter's window costs a second each time.
    for (manager, window) in [(NodeManager::Simple { empty_delay: secs(30) }, 0.0), (NodeManager::Karpenter, 1.0)] {
        let mut driver = Driver::new(&spec(manager));
        driver.keep_pause_pods(2);
        driver.run_to(at(1_000));
        let up = |driver: &Driver| driver.times(|notice| matches!(notice, Notice::NodeUp { .. }));
        assert_eq!(up(&driver), [80.0 + window, 80.0 + window], "pause pods hold their nodes");
        driver.create();
        driver.run_to(at(2_000));
        assert_eq!(driver.times(|notice| matches!(notice, Notice::Scheduled { .. })), [1_000.0]);
        assert_eq!(driver.ready_times(), [1_130.0], "no wait for a node");
        assert_eq!(up(&driver)[2..], [1_080.0 + window]);
        driver.keep_pause_pods(0);
        driver.run_to(at(3_000));
        assert_eq!(driver.times(|notice| matches!(notice, Notice::NodeGone { .. })).len(), 2);
        driver.fleet.finish(at(3_000));
        let ledger = driver.fleet.ledger();
        let standby: u128 =
            ledger.lines().iter().filter(|line| line.gpu_use == GpuUse::Standby).map(|line| line.gpu_ns).sum();
        // Two from 80 to 1000, then one, the other again from 1080 to 2000.
        let seconds = 2.0 * (920.0 - window) + 1_000.0 + 920.0 - window;
        assert_eq!(standby as f64 / 1e9, seconds);
        assert_eq!(ledger.attributed(), ledger.billed());
    }
}

#[test]
fn a_node_taken_by_the_provider_sends_its_pause_pods_elsewhere() {
    let mut spec = spec(NodeManager::Karpenter);
    spec.pools[0].expire_after = Some(secs(1_000));
    let mut driver = Driver::new(&spec);
    driver.keep_pause_pods(1);
    driver.run_to(at(1_500));
    assert_eq!(driver.times(|notice| matches!(notice, Notice::NodeUp { .. })), [81.0, 1_082.0]);
    assert_eq!(driver.times(|notice| matches!(notice, Notice::NodeGone { .. })), [1_006.0]);
}

#[test]
fn a_pause_pod_takes_its_time_to_make_way_and_its_room_is_kept() {
    let mut driver = Driver::new(&spec(NodeManager::Karpenter));
    driver.fleet.preempt_after(0, secs(3));
    driver.keep_pause_pods(1);
    driver.run_to(at(1_000));
    driver.create();
    driver.run_to(at(1_001));
    // Another that comes meanwhile finds nothing to preempt; it takes the node ordered at 1001 s for the pause pod.
    driver.create();
    driver.run_to(at(2_000));
    assert_eq!(driver.times(|notice| matches!(notice, Notice::Scheduled { .. })), [1_003.0, 1_081.0]);
    driver.fleet.finish(at(2_000));
    assert_eq!(driver.fleet.ledger().attributed(), driver.fleet.ledger().billed());
}

#[test]
fn a_pod_whose_node_goes_while_the_pause_pod_makes_way_looks_elsewhere() {
    let mut spec = spec(NodeManager::Karpenter);
    spec.pools[0].expire_after = Some(secs(1_000));
    let mut driver = Driver::new(&spec);
    driver.fleet.preempt_after(0, secs(10));
    driver.keep_pause_pods(1);
    driver.run_to(at(999));
    // The node was asked for at 1 s and expires at 1001 s.
    driver.create();
    driver.run_to(at(1_500));
    let scheduled = driver.times(|notice| matches!(notice, Notice::Scheduled { .. }));
    assert!(scheduled[0] > 1_009.0 && scheduled[0] < 1_200.0, "{scheduled:?}");
}

#[test]
fn room_that_is_only_kept_is_taken_by_pods_that_preempt_nobody() {
    let taken_at = |is_room: bool| {
        let mut pod = cluster::spec::PodSpec::plain();
        pod.scheduling.never_preempts = true;
        let mut driver = Driver::with_pod(&spec(NodeManager::Karpenter), &pod);
        driver.fleet.keep_room_only(0, is_room);
        driver.keep_pause_pods(1);
        driver.run_to(at(1_000));
        driver.create();
        driver.run_to(at(2_000));
        driver.times(|notice| matches!(notice, Notice::Scheduled { .. }))
    };
    assert_eq!(taken_at(true), [1_000.0]);
    assert_eq!(taken_at(false), [1_081.0], "it waits for a node of its own");
}
