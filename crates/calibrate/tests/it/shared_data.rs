//! Do real files run through? They are not part of the repository: `SCALELAB_SHARED` names their folder, by default `../shared` beside it.

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use calibrate::{
    LlmFormat, Phase, SpotHistory, Told, ZoneSteps, batching, cold_start, llm_format, llm_runs, spot,
    triton_perf_analyzer,
};
use workload::Distribution;

pub fn shared(path: &str) -> Option<Vec<u8>> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let file = std::env::var_os("SCALELAB_SHARED").map_or_else(beside, PathBuf::from).join(path);
    let bytes = fs::read(&file);
    if bytes.is_err() {
        println!("skipped: {} is not here", file.display());
    }
    bytes.ok()
}

fn sample(name: &str) -> Option<String> {
    shared(&format!("data/samples/{name}")).map(|bytes| String::from_utf8(bytes).unwrap())
}

/// A SkyPilot trace as the steps of one zone.
fn trace(path: &str, zone: &str) -> Option<ZoneSteps> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(&shared(path)?[..]).read_to_string(&mut text).unwrap();
    let trace = prices::availability_skypilot(zone, &text).unwrap();
    Some(ZoneSteps { zone: trace.zone, steps: trace.steps, end: trace.end })
}

#[test]
fn one_held_node_gives_the_loss_rates_counted_by_hand() {
    for (zone, losses_per_hour) in
        [("us-west-2b", 0.31), ("us-west-2c", 0.44), ("us-east-1f", 0.57), ("us-east-1c", 0.74)]
    {
        let path = format!("data/spot/skypilot/preemption/1-node/aws-04-22-2023/{zone}_v100_1.json.gz");
        let Some(trace) = trace(&path, zone) else { return };
        let fit = spot(&SpotHistory::Held(vec![trace])).unwrap();
        assert!((fit.hazard_per_hour.value - losses_per_hour).abs() < 0.006, "{zone}: {:?}", fit.hazard_per_hour);
    }
}

#[test]
fn sixteen_nodes_are_lost_several_at_a_time() {
    let zones = ["us-east-2b", "us-west-2a", "us-west-2c"];
    let traces: Option<Vec<ZoneSteps>> = zones
        .into_iter()
        .map(|zone| {
            trace(&format!("data/spot/skypilot/availability/16-node/aws-08-27-2023/{zone}_v100_1.json.gz"), zone)
        })
        .collect();
    let Some(traces) = traces else { return };
    let fit = spot(&SpotHistory::Available(traces)).unwrap();
    println!("{}\n{}", fit.report(), fit.yaml());
    assert!(fit.clustering.unwrap().losses_per_event > 1.5 && fit.yaml().contains("clustered"), "{fit:?}");
}

#[test]
fn the_sample_cluster_is_fitted_and_what_it_lacks_is_explained() {
    let files = ["kubectl_get_pods.json", "kubectl_get_events.json", "kubectl_get_nodes.json"].map(sample);
    let [Some(pods), Some(events), Some(nodes)] = files else { return };
    let fit = cold_start(&[&pods, &events, &nodes], 1).unwrap();
    println!("{}\n{}", fit.report(), fit.yaml());
    assert_eq!(fit.phase(Phase::ImagePull).unwrap().distribution, Distribution::Constant(39.553));
    assert_eq!(fit.phase(Phase::Load).unwrap().complete, 2);
    assert_eq!(fit.phase(Phase::NodeLaunch).unwrap().p50.value, 3.0);
    assert_eq!(fit.phase(Phase::NodeBoot).unwrap().p50.value, 37.0);
    assert_eq!(fit.phase(Phase::DevicePlugin).unwrap().p50.value, 85.0);
    // Of the second pod only the pod itself is there.
    assert!(fit.unused.iter().any(|unused| unused.object.ends_with("q7xk2") && unused.phase == Some(Phase::ImagePull)));
}

#[test]
fn sample_load_tests_read() {
    if let Some(text) = sample("triton_perf_analyzer.csv") {
        let fit = batching(&triton_perf_analyzer(&text, 1).unwrap()).unwrap();
        assert!((0.011..0.013).contains(&fit.base_s), "{fit:?}");
    }
    for (name, format) in [
        ("vllm_bench_serve.json", LlmFormat::VllmBench),
        ("genai_perf_profile_export.json", LlmFormat::GenaiPerf),
        ("inference_perf_stage_lifecycle_metrics.json", LlmFormat::InferencePerf),
    ] {
        let Some(text) = sample(name) else { return };
        assert_eq!(llm_format(&text), Some(format), "{name}");
        let runs = llm_runs((name, &text), format, &[], &Told::default()).unwrap();
        assert_eq!(runs.len(), 1, "{name}");
    }
}
