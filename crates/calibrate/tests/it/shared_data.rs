//! Do real files run through? They are not part of the repository: `SCALELAB_SHARED` names their folder, by default `../shared` beside it.

use std::fs;
use std::path::PathBuf;

use calibrate::{Phase, batching, cold_start, genai_perf, inference_perf, llm, triton_perf_analyzer, vllm_bench};
use workload::Distribution;

fn sample(name: &str) -> Option<String> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let file = std::env::var_os("SCALELAB_SHARED").map_or_else(beside, PathBuf::from).join("data/samples").join(name);
    let text = fs::read_to_string(&file);
    if text.is_err() {
        println!("skipped: {} is not here", file.display());
    }
    text.ok()
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
    for (name, read) in [
        ("vllm_bench_serve.json", vllm_bench as fn(&str) -> _),
        ("genai_perf_profile_export.json", genai_perf),
        ("inference_perf_stage_lifecycle_metrics.json", inference_perf),
    ] {
        let Some(text) = sample(name) else { return };
        let run = read(&text).unwrap();
        let fit = llm(&[run]).unwrap();
        println!("{name}: {run:?}\n{}", fit.yaml());
        assert!(fit.iteration_base_s > 0.0, "{fit:?}");
    }
}
