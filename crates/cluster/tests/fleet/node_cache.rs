//! Caches of weights on nodes, and restoring instead of loading.

use cluster::spec::{ArtifactSpec, LinkSpec, PhaseSpec, RestoreSpec};
use record::Purchase;
use units::Bytes;
use workload::Distribution;

use crate::support::{Driver, World, at, constant, fleet, offering, secs};

/// One node of eight GPUs for all pods; a cold start of 40 + 60 + 20 + 10 s once it is up at 80 s.
fn one_node() -> World {
    fleet(vec![offering("p4d.24xlarge", Purchase::OnDemand, 8, 32.77)])
}

/// When pods created at `times` are ready.
fn ready(spec: &World, times: &[u64]) -> Vec<f64> {
    let mut driver = Driver::new(spec);
    for &time in times {
        driver.run_to(at(time));
        driver.create();
    }
    driver.run_to(at(5_000));
    driver.ready_times()
}

fn other(name: &str, bytes: u64, seconds: f64) -> ArtifactSpec {
    ArtifactSpec { name: name.into(), bytes: Bytes(bytes), gap: Distribution::Constant(seconds) }
}

#[test]
fn another_model_that_is_used_drives_the_weights_out_of_a_cache_too_small_for_both() {
    for (size, second) in [(100, 590.0), (110, 530.0)] {
        let mut spec = one_node();
        spec.cache(size, 50).0.others = vec![other("adapter", 60, 300.0)];
        // The other is used at 380 and 680 s. The second pod's download at 560 s brings the weights back for the third.
        assert_eq!(ready(&spec, &[0, 500, 600]), [210.0, second, 630.0]);
    }
}

#[test]
fn what_is_used_often_stays_and_what_is_not_goes_first() {
    let mut spec = one_node();
    let others = vec![other("often", 30, 100.0), other("once", 40, 400.0)];
    spec.cache(100, 50).0.others = others;
    // 50 + 30 fit; `once`, at 480 s, finds the weights of 180 s used least recently, as `often` was there at 380 s.
    assert_eq!(ready(&spec, &[0, 470, 550]), [210.0, 500.0, 640.0]);
}

#[test]
fn a_new_version_is_downloaded_until_the_daemon_set_has_synced_it() {
    let mut spec = one_node();
    let (cache, weights) = spec.cache(100, 50);
    (cache.sync_period, weights.releases) = (Some(secs(300)), vec![at(1_000)]);
    // Syncs begin at 80, 440, 740 and 1040 s; those that find something take 60 s.
    assert_eq!(ready(&spec, &[0, 200, 1_010, 1_050, 1_110]), [210.0, 230.0, 1_100.0, 1_140.0, 1_140.0]);
}

#[test]
fn a_node_that_is_warm_from_the_start_is_synced_too() {
    let mut spec = one_node();
    spec.pools[0].nodes_min = 1;
    let (cache, weights) = spec.cache(100, 50);
    (cache.sync_period, weights.releases) = (Some(secs(300)), vec![at(1_000)]);
    // Warm at 0 s: syncs at 300, 600, 900 and 1200 s. Image and weights are there, then the weights are old until 1260 s.
    assert_eq!(ready(&spec, &[100, 1_010, 1_300]), [130.0, 1_100.0, 1_330.0]);
}

#[test]
fn the_first_sync_of_a_node_brings_everything_over_its_links() {
    let mut spec = one_node();
    spec.links = vec![LinkSpec { name: "bucket".into(), bytes_per_second: 1.0, per_node: false }];
    let fixed = Distribution::Constant(0.0);
    spec.cold_start.model_download = PhaseSpec::Transfer { bytes: Bytes(50), links: vec![0], fixed };
    let cache = spec.cache(250, 50).0;
    (cache.sync_period, cache.others) = (Some(secs(300)), vec![other("big", 150, 1e6)]);
    // 200 bytes from 80 s on; the first pod's own download of 50 shares the bucket from 120 to 220 s, so that 110 are left then, and
    // 30 when the second pod finds nothing cached at 300 s: those are there at 360 s, its own at 380 s.
    assert_eq!(ready(&spec, &[0, 300, 500]), [250.0, 410.0, 530.0]);
}

#[test]
fn a_pod_is_restored_where_another_has_been_warm_or_everywhere() {
    for (everywhere, first) in [(false, 210.0), (true, 125.0)] {
        let mut spec = one_node();
        spec.cold_start.restore = Some(RestoreSpec { length: constant(5.0), everywhere });
        assert_eq!(ready(&spec, &[0, 500]), [first, 505.0]);
    }
}

#[test]
fn a_snapshot_is_read_over_the_nodes_own_disk() {
    let mut spec = one_node();
    spec.links = vec![LinkSpec { name: "nvme".into(), bytes_per_second: 2e9, per_node: true }];
    let length =
        PhaseSpec::Transfer { bytes: Bytes(16_000_000_000), links: vec![0], fixed: Distribution::Constant(1.0) };
    spec.cold_start.restore = Some(RestoreSpec { length, everywhere: false });
    // 16 GB at 2 GB/s and a second; two at once share the disk.
    assert_eq!(ready(&spec, &[0, 500, 600, 600]), [210.0, 509.0, 617.0, 617.0]);
    let mut driver = Driver::new(&spec);
    driver.create();
    driver.run_to(at(500));
    driver.create();
    driver.run_to(at(600));
    driver.fleet.finish(at(600));
    let phases: Vec<&str> = driver.fleet.take_lives().0[1].phases.iter().map(|span| span.phase).collect();
    assert_eq!(phases, ["restore", "ready"]);
}
