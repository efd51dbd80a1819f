//! How long it takes until a pod serves.

use cluster::fleet::{Notice, PodPhase};
use cluster::spec::{LinkSpec, NodeManager, PhaseSpec, PodSpec};
use record::Purchase;
use units::{Bytes, PodId, UsdPerHour};
use workload::Distribution;

use crate::support::{Driver, at, constant, fleet, offering, secs, uniform};

fn one_gpu() -> cluster::spec::InstanceOffering {
    offering("g5.xlarge", Purchase::OnDemand, 1, 1.006)
}

#[test]
fn a_pod_waits_for_its_node_and_then_for_each_phase() {
    let mut driver = Driver::new(&fleet(vec![one_gpu()]));
    driver.create();
    driver.run_to(at(1_000));
    assert_eq!(driver.times(|notice| matches!(notice, Notice::Scheduled { .. })), [80.0]);
    assert_eq!(driver.times(|notice| matches!(notice, Notice::ContainerStarted { .. })), [120.0]);
    assert_eq!(driver.times(|notice| matches!(notice, Notice::Loaded { .. })), [210.0]);
    assert_eq!(driver.ready_times(), [210.0]);
    driver.fleet.finish(at(1_000));
    let (replicas, nodes) = driver.fleet.take_lives();
    let phases: Vec<(&str, u64)> =
        replicas[0].phases.iter().map(|span| (span.phase, (span.end - span.start).as_secs())).collect();
    assert_eq!(
        phases,
        [
            ("pending", 80),
            ("image_pull", 40),
            ("model_download", 60),
            ("gpu_load", 20),
            ("cuda_warm_up", 10),
            ("ready", 790)
        ]
    );
    let phases: Vec<(&str, u64)> =
        nodes[0].phases.iter().map(|span| (span.phase, (span.end - span.start).as_secs())).collect();
    assert_eq!(phases, [("launch", 30), ("boot", 30), ("device_plugin", 20), ("up", 920)]);
}

/// Cold starts of many pods, each on a node of its own that is up already, with the article's phases.
fn article(is_cached: bool) -> Vec<f64> {
    let mut spec = fleet(vec![one_gpu()]);
    spec.cold_start.image_pull = uniform(30.0, 60.0);
    spec.cold_start.model_download = uniform(60.0, 180.0);
    spec.cold_start.gpu_load = uniform(10.0, 30.0);
    spec.cold_start.cuda_warm_up = uniform(5.0, 15.0);
    spec.cold_start.image_pre_pulled = is_cached;
    let size = 20 << 30;
    if is_cached {
        spec.cache(size, size).0.sync_period = Some(secs(3_600));
    }
    spec.pools[0].nodes_min = 300;
    let mut driver = Driver::new(&spec);
    // Nodes that are there from the start are warm; to see the phases they must be cold, so they are replaced by new ones.
    if !is_cached {
        spec.pools[0].nodes_min = 0;
        driver = Driver::new(&spec);
    }
    for _ in 0..300 {
        driver.create();
    }
    driver.run_to(at(2_000));
    let scheduled = driver.times(|notice| matches!(notice, Notice::Scheduled { .. }))[0];
    driver.ready_times().into_iter().map(|time| time - scheduled).collect()
}

#[test]
fn the_four_phases_of_the_article_take_105_to_285_seconds_and_15_to_45_with_both_caches() {
    for (is_cached, low, high) in [(false, 105.0, 285.0), (true, 15.0, 45.0)] {
        let starts = article(is_cached);
        assert_eq!(starts.len(), 300);
        let least = starts.iter().copied().fold(f64::MAX, f64::min);
        let most = starts.iter().copied().fold(0.0, f64::max);
        assert!(low <= least && most <= high, "{least}..{most}");
        // 300 draws of a sum of uniforms reach well into both ends.
        assert!(least < low + 0.25 * (high - low) && most > high - 0.25 * (high - low), "{least}..{most}");
    }
}

#[test]
fn readiness_is_seen_by_the_next_probe_and_then_by_the_endpoints() {
    let mut pod = PodSpec::plain();
    pod.probe_period = secs(10);
    pod.endpoint_delay = secs(1);
    for (initial_delay, earliest) in [(5, 210.0), (200, 320.0)] {
        pod.probe_initial_delay = secs(initial_delay);
        let mut driver = Driver::with_pod(&fleet(vec![one_gpu()]), &pod);
        driver.create();
        driver.run_to(at(1_000));
        // Container at 120 s, loaded at 210; the next tick, wherever it is, is at most a period away.
        let ready = driver.ready_times();
        assert!(ready.len() == 1 && (earliest + 1.0..=earliest + 11.0).contains(&ready[0]), "{ready:?}");
    }
}

#[test]
fn a_second_pod_on_the_node_pulls_nothing_and_one_that_comes_meanwhile_waits_for_the_same_pull() {
    let mut driver = Driver::new(&fleet(vec![offering("p4d.24xlarge", Purchase::OnDemand, 8, 32.77)]));
    driver.create();
    driver.run_to(at(100));
    driver.create();
    driver.run_to(at(200));
    driver.create();
    driver.run_to(at(1_000));
    assert_eq!(driver.times(|notice| matches!(notice, Notice::ContainerStarted { .. })), [120.0, 120.0, 200.0]);
    assert_eq!(driver.times(|notice| matches!(notice, Notice::NodeUp { .. })).len(), 1);
}

#[test]
fn the_first_download_fills_the_nodes_cache_unless_the_model_is_too_large() {
    for (size, second_ready) in [(100, 530.0), (10, 590.0)] {
        let mut spec = fleet(vec![offering("p4d.24xlarge", Purchase::OnDemand, 8, 32.77)]);
        spec.cache(size, 50);
        let mut driver = Driver::new(&spec);
        driver.create();
        driver.run_to(at(500));
        driver.create();
        driver.run_to(at(1_000));
        assert_eq!(driver.ready_times(), [210.0, second_ready]);
    }
}

#[test]
fn a_streaming_loader_takes_the_longer_of_download_and_load() {
    for (download, load, ready) in [(60.0, 20.0, 190.0), (20.0, 60.0, 190.0)] {
        let mut spec = fleet(vec![one_gpu()]);
        spec.cold_start.streaming_load = true;
        spec.cold_start.model_download = constant(download);
        spec.cold_start.gpu_load = constant(load);
        let mut driver = Driver::new(&spec);
        driver.create();
        driver.run_to(at(1_000));
        assert_eq!(driver.ready_times(), [ready]);
    }
}

/// When ten pods on ten nodes have pulled 9.35 GB at 10 Gbit/s, counted from being scheduled.
fn pulls(pods: usize, per_node: bool) -> Vec<f64> {
    let mut spec = fleet(vec![one_gpu()]);
    spec.links = vec![LinkSpec { name: "link".into(), bytes_per_second: 1.25e9, per_node }];
    let fixed = Distribution::Constant(0.0);
    spec.cold_start.image_pull = PhaseSpec::Transfer { bytes: Bytes(9_350_000_000), links: vec![0], fixed };
    let mut driver = Driver::new(&spec);
    for _ in 0..pods {
        driver.create();
    }
    driver.run_to(at(1_000));
    driver.times(|notice| matches!(notice, Notice::ContainerStarted { .. })).iter().map(|time| time - 80.0).collect()
}

#[test]
fn ten_pulls_share_a_registry_but_not_their_own_network_cards() {
    assert!(pulls(1, false).iter().all(|time| (time - 7.48).abs() < 1e-6));
    assert!(pulls(10, true).iter().all(|time| (time - 7.48).abs() < 1e-6));
    let shared = pulls(10, false);
    assert_eq!(shared.len(), 10);
    assert!(shared.iter().all(|time| (time - 74.8).abs() < 1e-6), "{shared:?}");
}

#[test]
fn a_pod_deleted_while_starting_leaves_its_node_to_the_next() {
    let mut driver = Driver::new(&fleet(vec![one_gpu()]));
    let first = driver.create();
    driver.run_to(at(100));
    let second = driver.create();
    driver.delete(first);
    assert_eq!(driver.fleet.phase(second), PodPhase::ImagePull);
    driver.run_to(at(1_000));
    // The second node, asked for at 100 s, found nothing to do and went after 300 s.
    assert_eq!(driver.times(|notice| matches!(notice, Notice::NodeGone { .. })), [480.0]);
}

#[test]
fn a_serverless_replica_has_no_node_to_wait_for() {
    let mut spec = fleet(Vec::new());
    spec.pools.clear();
    spec.manager = NodeManager::Serverless { price: UsdPerHour::from_dollars(3.6) };
    let mut driver = Driver::new(&spec);
    let pod = driver.create();
    driver.run_to(at(1_000));
    assert_eq!(driver.ready_times(), [130.0]);
    driver.delete(pod);
    driver.fleet.finish(at(2_000));
    assert_eq!(driver.fleet.ledger().total().to_string(), "1.000000");
    let (replicas, nodes) = driver.fleet.take_lives();
    assert!(nodes.is_empty() && replicas[0].node.is_none());
}

#[test]
fn siblings_on_a_node_go_before_the_newest_and_the_unready_before_both() {
    let mut spec = fleet(vec![offering("g5.12xlarge", Purchase::OnDemand, 4, 5.672)]);
    spec.scheduling = cluster::spec::Scheduling::MostAllocated;
    spec.pools[0].nodes_min = 2;
    let mut driver = Driver::new(&spec);
    for _ in 0..5 {
        driver.create_ready();
    }
    driver.run_to(at(10));
    let starting = driver.create();
    let all = || (0..6).map(PodId);
    assert_eq!(driver.fleet.victim(all(), at(10)), Some(starting));
    // Pods 0 to 3 share a node; pod 4 is alone on its.
    let first = driver.fleet.victims(all(), 5, at(10));
    assert!(first[0] == starting && !first.contains(&PodId(4)), "{first:?}");
}

#[test]
fn among_pods_of_an_age_chance_decides_and_ages_count_in_doublings() {
    let mut spec = fleet(vec![offering("g5.xlarge", Purchase::OnDemand, 1, 1.0)]);
    spec.pools[0].nodes_min = 64;
    let mut driver = Driver::new(&spec);
    let old: Vec<PodId> = (0..32).map(|_| driver.create_ready()).collect();
    driver.run_to(at(1_000));
    let young: Vec<PodId> = (0..32).map(|_| driver.create()).collect();
    driver.run_to(at(2_000));
    let all = || old.iter().chain(&young).copied();
    let youngest = young.iter().max().copied();
    // Ready for about 900 s against 2,000 s: a doubling apart, so that the young ones go; which of them, is chance.
    let first = driver.fleet.victims(all(), 32, at(2_000));
    assert!(first.iter().all(|pod| young.contains(pod)), "{first:?}");
    assert!(!first.is_sorted() && first[0] != youngest.unwrap(), "{first:?}");
    // A day later they are of an age.
    let later = driver.fleet.victims(all(), 32, at(100_000));
    let count = later.iter().filter(|pod| old.contains(pod)).count();
    assert!((8..=24).contains(&count), "{count}");
}
