//! What startup, liveness and readiness probes do to a pod that takes its time.

use cluster::fleet::{Notice, PodPhase};
use cluster::spec::{PodSpec, Probe, Probes};
use record::Purchase;
use units::SimDuration;

use crate::support::{Driver, World, at, constant, fleet, offering, secs};

/// One GPU node at once, image there; a load of `seconds`, half of it download.
fn loading(seconds: f64) -> World {
    let mut spec = fleet(vec![offering("g5.xlarge", Purchase::OnDemand, 1, 1.0)]);
    spec.cold_start.image_pre_pulled = true;
    spec.cold_start.model_download = constant(seconds / 2.0);
    spec.cold_start.gpu_load = constant(seconds / 2.0);
    spec.cold_start.cuda_warm_up = constant(0.0);
    spec.pools[0].nodes_min = 1;
    spec
}

fn probed(probes: Probes) -> PodSpec {
    PodSpec { probes, ..PodSpec::plain() }
}

#[allow(clippy::unnecessary_wraps, reason = "where it is put is optional")]
fn probe(period: u64, failures: u32) -> Option<Probe> {
    Some(Probe { initial_delay: SimDuration::ZERO, period: secs(period), failures, grace: None })
}

fn kills(driver: &Driver) -> Vec<f64> {
    driver.times(|notice| matches!(notice, Notice::ContainerKilled { .. }))
}

#[test]
fn a_container_that_needs_longer_than_its_window_is_killed_again_and_again_with_longer_waits() {
    let mut driver = Driver::with_pod(&loading(310.0), &probed(Probes { startup: probe(10, 30), ..Probes::default() }));
    let pod = driver.create();
    driver.run_to(at(3_600));
    assert_eq!(driver.ready_times(), Vec::<f64>::new());
    let kills = kills(&driver);
    assert!((290.0..=300.0).contains(&kills[0]), "within the last period of the window: {kills:?}");
    // The next start is at once, those after it wait 10, 20, 40, … s; each kill is up to a period early.
    let gaps: Vec<f64> = kills.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (gap, wait) in gaps.iter().zip([0.0, 10.0, 20.0, 40.0, 80.0, 160.0]) {
        assert!((wait + 290.0..=wait + 300.0).contains(gap), "{gaps:?}");
    }
    assert_eq!(driver.fleet.counts().on_demand, 1, "it keeps its node, which is paid for");
    driver.fleet.finish(driver.now);
    let remark = driver.fleet.remarks();
    assert!(remark[0].starts_with("the startupProbe killed containers of 1 pod "), "{remark:?}");
    let (lives, _) = driver.fleet.take_lives();
    assert_eq!((lives[0].pod, lives[0].restarts), (pod, kills.len() as u32));
}

#[test]
fn windows_of_ten_minutes_and_more_restart_without_waiting() {
    let mut driver =
        Driver::with_pod(&loading(1_000.0), &probed(Probes { liveness: probe(10, 62), ..Probes::default() }));
    driver.create();
    driver.run_to(at(4_000));
    let kills = kills(&driver);
    assert!(kills.windows(2).all(|pair| pair[1] - pair[0] <= 620.0) && kills.len() == 6, "{kills:?}");
}

#[test]
fn what_was_downloaded_before_the_kill_shortens_the_next_start_only_if_it_lies_on_a_volume() {
    for (keeps_download, ready) in [(false, 0), (true, 1)] {
        // 200 s of download and 200 s of loading; the window of 300 s is long enough for the second part alone.
        let probes = Probes { startup: probe(10, 30), keeps_download, ..Probes::default() };
        let mut driver = Driver::with_pod(&loading(400.0), &probed(probes));
        driver.create();
        driver.run_to(at(1_500));
        assert_eq!(driver.ready_times().len(), ready);
        assert_eq!(kills(&driver).len(), if keeps_download { 1 } else { 4 });
    }
}

#[test]
fn an_interrupted_download_goes_on_where_it_was() {
    let mut spec = loading(0.0);
    spec.cold_start.model_download = constant(450.0);
    let probes = Probes { startup: probe(1, 300), keeps_download: true, ..Probes::default() };
    let mut driver = Driver::with_pod(&spec, &probed(probes));
    driver.create();
    driver.run_to(at(600));
    let ready = driver.ready_times();
    assert!(ready.len() == 1 && (450.0..453.0).contains(&ready[0]), "{ready:?}");
}

#[test]
fn a_download_by_an_init_container_is_outside_the_window() {
    let probes = Probes { startup: probe(10, 30), downloads_first: true, ..Probes::default() };
    let mut driver = Driver::with_pod(&loading(500.0), &probed(probes));
    driver.create();
    driver.run_to(at(700));
    assert_eq!((driver.ready_times().len(), kills(&driver).len()), (1, 0));
}

#[test]
fn weights_in_the_cache_of_the_node_are_found_by_the_next_container() {
    let mut spec = loading(400.0);
    let size = 1;
    spec.cache(size, size);
    spec.pools[0].nodes_min = 0;
    let mut driver = Driver::with_pod(&spec, &probed(Probes { startup: probe(10, 30), ..Probes::default() }));
    driver.create();
    driver.run_to(at(1_500));
    assert_eq!((driver.ready_times().len(), kills(&driver).len()), (1, 1));
}

#[test]
fn the_next_readiness_probe_sees_a_loaded_pod_and_more_successes_take_more_periods() {
    for (more_successes, low, high) in [(0, 100.0, 120.0), (2, 140.0, 160.0)] {
        let pod = PodSpec { probe_period: secs(20), ..probed(Probes { more_successes, ..Probes::default() }) };
        let seen: Vec<f64> = (0..40)
            .map(|seed| {
                let mut driver = Driver::seeded(&loading(100.0), &pod, seed);
                driver.create();
                driver.run_to(at(300));
                driver.ready_times()[0]
            })
            .collect();
        assert!(seen.iter().all(|time| (low..=high).contains(time)), "{seen:?}");
        // Where in the period a container starts is chance: the mean wait is half of it (sd of the mean 0.9 s).
        let mean = seen.iter().sum::<f64>() / seen.len() as f64;
        assert!((mean - (low + 10.0)).abs() < 3.0, "{mean}");
    }
}

#[test]
fn after_the_startup_probe_readiness_is_seen_at_once() {
    let pod = PodSpec { probe_period: secs(600), ..probed(Probes { startup: probe(10, 30), ..Probes::default() }) };
    let mut driver = Driver::with_pod(&loading(100.0), &pod);
    driver.create();
    driver.run_to(at(111));
    assert_eq!(driver.ready_times().len(), 1, "within the startup probe's period, whatever the other one's");
}

#[test]
fn a_pod_deleted_while_it_waits_to_be_restarted_is_gone() {
    let mut driver = Driver::with_pod(&loading(900.0), &probed(Probes { startup: probe(10, 6), ..Probes::default() }));
    let pod = driver.create();
    driver.run_to(at(200));
    while driver.fleet.phase(pod) != PodPhase::BackOff {
        let next = driver.now + secs(1);
        driver.run_to(next);
    }
    driver.delete(pod);
    driver.run_to(at(4_000));
    assert_eq!(driver.fleet.phase(pod), PodPhase::Gone);
}
