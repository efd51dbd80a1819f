//! Do cold-start fits recover the distributions that the objects were made from, and say what they leave out?

use calibrate::{ColdStartFit, DistributionFit, Family, Observation, Phase, cold_start, fit_distribution};
use serde_json::{Value, json};
use workload::{Distribution, Purpose, Stream};

use crate::synthetic::{Cluster, event};

fn seed() -> u64 {
    let seed = std::env::var("SIM_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(7);
    println!("SIM_SEED={seed}");
    seed
}

/// Median and 90th percentile within 5 %: with 1,000 lognormal values of this spread the 90th percentile has a standard error of about
/// 1.6 %, so this is three of them.
fn check(fit: &DistributionFit, truth: &Distribution) {
    for (name, found, wanted) in [("p50", fit.p50, truth.p50()), ("p90", fit.p90, truth.p90())] {
        assert!((found.value / wanted - 1.0).abs() < 0.05, "{name}: {found:?}, made from {wanted}");
        assert!(found.low <= found.value && found.value <= found.high, "{name}: {found:?}");
    }
}

fn fit(cluster: &Cluster) -> ColdStartFit {
    let seed = seed();
    cold_start(&[&cluster.json(seed)], seed).unwrap()
}

#[test]
fn every_phase_is_recovered_within_five_percent() {
    let cluster = Cluster::default();
    let fit = fit(&cluster);
    for (phase, truth, family) in [
        (Phase::Provision, &cluster.provision, Family::Weibull),
        (Phase::ImagePull, &cluster.pull, Family::Gamma),
        (Phase::Load, &cluster.load, Family::LogNormal),
    ] {
        let found = fit.phase(phase).unwrap();
        check(found, truth);
        assert_eq!(found.family, family, "{phase:?}: {:?}", found.candidates);
        assert_eq!((found.complete, found.censored), (1_000, 0));
    }
}

#[test]
fn each_family_is_recovered_as_the_load_phase() {
    for load in [
        Distribution::LogNormal { p50: 90.0, p90: 200.0 },
        Distribution::Gamma { mean: 60.0, cv: 0.5 },
        Distribution::Weibull { shape: 3.0, scale: 45.0 },
    ] {
        // Wider than the default: three standard errors need four times the pods.
        let cluster = Cluster { load: load.clone(), probe_period_s: 10.0, pods: 4_000, ..Cluster::default() };
        check(fit(&cluster).phase(Phase::Load).unwrap(), &load);
    }
}

#[test]
fn loads_of_a_few_seconds_survive_clocks_of_whole_seconds() {
    let load = Distribution::LogNormal { p50: 2.5, p90: 4.0 };
    let cluster = Cluster { load: load.clone(), probe_period_s: 1.0, pods: 2_000, ..Cluster::default() };
    check(fit(&cluster).phase(Phase::Load).unwrap(), &load);
}

#[test]
fn pods_that_are_not_ready_yet_do_not_make_cold_starts_look_short() {
    // Loads are as long as the whole recording, so that the slow ones are those still running.
    let load = Distribution::LogNormal { p50: 400.0, p90: 900.0 };
    let cluster =
        Cluster { load: load.clone(), probe_period_s: 10.0, pods: 1_500, snapshot_s: 1_500.0, ..Cluster::default() };
    let all = fit(&cluster);
    let found = all.phase(Phase::Load).unwrap();
    assert!(found.censored > 300, "{}", found.censored);
    check(found, &load);
    let sample = &all.phases.iter().find(|phase| phase.phase == Phase::Load).unwrap().sample;
    let mut finished: Vec<f64> = sample.iter().filter_map(|observation| observation.middle()).collect();
    finished.sort_by(f64::total_cmp);
    assert!(finished[finished.len() * 9 / 10] < 0.9 * load.p90(), "the finished ones alone would look shorter");
}

#[test]
fn a_longer_probe_period_costs_width_and_not_truth() {
    let cluster = Cluster { probe_period_s: 30.0, pods: 2_000, ..Cluster::default() };
    check(fit(&cluster).phase(Phase::Load).unwrap(), &cluster.load);
}

#[test]
fn two_kinds_of_start_in_one_sample_are_kept_as_measured() {
    let mut stream = Stream::new(seed(), Purpose::ColdStart, 1);
    let sample: Vec<Observation> = (0..400)
        .map(|index| Observation::Exact(if index % 2 == 0 { 10.0 } else { 100.0 } + stream.uniform()))
        .collect();
    let fit = fit_distribution(&sample, 1).unwrap();
    assert_eq!(fit.family, Family::Empirical);
    assert!((fit.p90.value - 100.8).abs() < 1.0, "{:?}", fit.p90);
}

#[test]
fn too_few_values_have_no_interval_instead_of_a_narrow_one() {
    let fit = fit_distribution(&[Observation::Exact(3.0)], 0).unwrap();
    assert_eq!((fit.p50.value, fit.p50.is_known()), (3.0, false));
}

#[test]
fn the_same_seed_gives_the_same_intervals() {
    let sample: Vec<Observation> = (1..40).map(|value| Observation::Rounded(f64::from(value))).collect();
    assert_eq!(fit_distribution(&sample, 3), fit_distribution(&sample, 3));
}

#[test]
fn a_sample_that_never_ended_has_no_fit() {
    assert_eq!(fit_distribution(&[Observation::LongerThan(5.0)], 0), None);
}

/// One pod that was ready 60 s after its container started, changed by `change`.
fn one_pod(change: impl Fn(&mut Value)) -> String {
    let mut pod = json!({
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "inference", "creationTimestamp": "2026-08-10T09:00:00Z"},
        "spec": {"nodeName": "n", "containers": [{"name": "c", "readinessProbe": {}}]},
        "status": {
            "phase": "Running",
            "conditions": [
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-08-10T09:00:01Z"},
                {"type": "Ready", "status": "True", "lastTransitionTime": "2026-08-10T09:02:00Z"},
            ],
            "containerStatuses": [{"name": "c", "restartCount": 0, "state": {"running": {"startedAt": "2026-08-10T09:01:00Z"}}}],
        },
    });
    change(&mut pod);
    pod.to_string()
}

fn reasons(fit: &ColdStartFit, phase: Phase) -> Vec<&str> {
    fit.unused.iter().filter(|unused| unused.phase == Some(phase)).map(|unused| unused.reason.as_str()).collect()
}

#[test]
fn a_restarted_container_is_left_out_and_said_so() {
    let fit =
        cold_start(&[&one_pod(|pod| pod["status"]["containerStatuses"][0]["restartCount"] = json!(2))], 0).unwrap();
    assert_eq!(fit.phase(Phase::Load), None);
    assert_eq!(
        reasons(&fit, Phase::Load),
        ["its container restarted: the first start, the one that was cold, is no longer recorded"]
    );
}

#[test]
fn a_pod_without_probes_says_nothing_about_its_load() {
    let fit = cold_start(&[&one_pod(|pod| pod["spec"]["containers"][0] = json!({"name": "c"}))], 0).unwrap();
    assert_eq!(
        reasons(&fit, Phase::Load),
        ["has neither startup nor readiness probe: it is ready when its process starts, whatever it still loads"]
    );
}

#[test]
fn a_probe_without_a_period_has_that_of_kubernetes() {
    let fit = cold_start(&[&one_pod(|_| {})], 0).unwrap();
    let load = fit.phases.iter().find(|phase| phase.phase == Phase::Load).unwrap();
    assert_eq!(load.sample, [Observation::Probed { length: 60.0, period: 10.0 }]);
}

#[test]
fn an_image_on_the_node_is_no_pull() {
    let present =
        event("p", "Pulled", "Container image \"i\" already present on machine", "2026-08-10T09:00:30Z").to_string();
    let fit = cold_start(&[&one_pod(|_| {}), &present], 0).unwrap();
    assert_eq!(fit.phase(Phase::ImagePull), None);
    assert!(
        fit.notes.iter().any(|note| note == "1 pods found their image on the node and pulled nothing"),
        "{:?}",
        fit.notes
    );
}

#[test]
fn waiting_behind_other_pulls_is_not_pulling() {
    let message = "Successfully pulled image \"i\" in 20s (50s including waiting). Image size: 1000000000 bytes.";
    let pulled = event("p", "Pulled", message, "2026-08-10T09:00:55Z").to_string();
    let fit = cold_start(&[&one_pod(|_| {}), &pulled], 0).unwrap();
    assert_eq!(fit.phase(Phase::ImagePull).unwrap().distribution, Distribution::Constant(20.0));
    assert!(fit.notes.iter().any(|note| note.starts_with("1 pulls waited 30.0 s on average")), "{:?}", fit.notes);
}

#[test]
fn an_expired_event_is_named_and_not_guessed() {
    let fit = cold_start(&[&one_pod(|_| {})], 0).unwrap();
    assert_eq!(reasons(&fit, Phase::ImagePull), ["has no Pulled event (events are kept for an hour)"]);
}

#[test]
fn an_init_container_is_the_model_download() {
    let done = json!([{"name": "fetch", "restartCount": 0, "state": {"terminated": {
        "startedAt": "2026-08-10T09:00:10Z", "finishedAt": "2026-08-10T09:00:50Z"}}}]);
    let fit = cold_start(&[&one_pod(|pod| pod["status"]["initContainerStatuses"] = done.clone())], 0).unwrap();
    assert_eq!(fit.phase(Phase::ModelDownload).unwrap().distribution, Distribution::Constant(40.0));
    assert!(fit.yaml().contains("  modelDownload: 40s #"), "{}", fit.yaml());
}

#[test]
fn the_snippet_uses_the_keys_of_scenarios() {
    let yaml = fit(&Cluster { pods: 200, ..Cluster::default() }).yaml();
    let keys: Vec<&str> = yaml.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(keys, ["coldStart", "  imagePull", "  modelDownload", "  gpuLoad", "  cudaWarmUp"], "{yaml}");
    assert!(yaml.contains("  gpuLoad: {") && yaml.contains(": {p50: ") || yaml.contains("gamma"), "{yaml}");
}

#[test]
fn the_report_draws_observed_against_fitted() {
    let report = fit(&Cluster { pods: 200, ..Cluster::default() }).report();
    assert!(
        report.contains("load and warm-up (start to ready): ")
            && report.contains("AIC: ")
            && report.contains("observed, 0 to "),
        "{report}"
    );
}

#[test]
fn mistakes_are_named() {
    let message = |documents: &[&str]| cold_start(documents, 0).unwrap_err().to_string();
    assert_eq!(message(&["{"]), "Kubernetes objects: EOF while parsing an object at line 1 column 1");
    assert_eq!(
        message(&["{}"]),
        "Kubernetes objects: an object without `kind`; expected the output of `kubectl get pods,events,nodes -o json`"
    );
    assert_eq!(
        message(&[r#"{"kind": "List", "items": []}"#]),
        "Kubernetes objects: nothing to fit: no pods among 0 events and 0 nodes"
    );
    assert!(
        message(&[r#"{"kind": "Pod", "metadata": {"name": "p", "creationTimestamp": "noon"}}"#])
            .starts_with("Kubernetes objects: object p: "),
    );
}

#[test]
fn a_phase_that_ends_before_it_begins_is_left_out_and_said_so() {
    let done = json!([{"name": "fetch", "restartCount": 0, "state": {"terminated": {
        "startedAt": "2026-08-10T09:00:50Z", "finishedAt": "2026-08-10T09:00:10Z"}}}]);
    let fit = cold_start(&[&one_pod(|pod| pod["status"]["initContainerStatuses"] = done.clone())], 0).unwrap();
    assert_eq!(fit.phase(Phase::ModelDownload), None);
    assert_eq!(reasons(&fit, Phase::ModelDownload), ["ends before it begins: the clocks that tell of it differ"]);
}
