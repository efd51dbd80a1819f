//! Measurements in, snippets out that a scenario takes as they are.

use super::support::{Lab, SERVICE, TRAFFIC, scenario};

#[test]
fn a_cold_start_snippet_goes_under_spec_as_it_is() {
    let lab = Lab::new();
    let report =
        lab.out("calibrate cold-start --pods @pods.json --events @events.json -o snippet.yaml --plot plot.svg");
    assert!(report.contains("image pull") && report.contains("load and warm-up"), "{report}");
    assert!(lab.read("plot.svg").starts_with("<svg ") && lab.read("plot.svg").contains("image pull: empirical"));
    let snippet = lab.read("snippet.yaml");
    assert!(snippet.contains("imagePull: 41.5s"), "{snippet}");
    let indented: String = snippet.lines().map(|line| format!("  {line}\n")).collect();
    let nodes = "  nodes: {manager: {serverless: {price: $1/h}}}\n";
    lab.write("tiny.yaml", &scenario(&format!("{TRAFFIC}{SERVICE}{nodes}{indented}")));
    lab.out("run tiny.yaml -o out --quiet");
}

#[test]
fn losses_of_a_held_history_become_interruptions_of_a_scenario() {
    let lab = Lab::new();
    let text = lab.out("calibrate spot --history @held.json");
    assert!(text.contains("5 losses in") && text.contains("taken as nodes that were held"), "{text}");
    let snippet = text.split("# Interruptions").nth(1).unwrap();
    let indented: String = snippet.lines().skip(1).map(|line| format!("  {line}\n")).collect();
    let nodes = "  nodes: {manager: {serverless: {price: $1/h}}}\n";
    lab.write("tiny.yaml", &scenario(&format!("{TRAFFIC}{SERVICE}{nodes}{indented}")));
    lab.out("run tiny.yaml -o out --quiet");
    assert!(!lab.out("calibrate spot --available --history @held.json").contains("that were held;"));
}

#[test]
fn a_price_history_counts_the_times_it_rose_above_the_most_one_would_pay() {
    let lab = Lab::new();
    // 0.40, 1.20, 0.45 against 1.006 on demand: one loss in 30 hours below.
    let text = lab.out("calibrate spot --history @spot-history.json");
    assert!(text.contains("1 losses in 30.0 node-hours") && text.contains("on-demand price, $1.006/h"), "{text}");
    assert!(lab.out("calibrate spot --history @spot-history.json --price-max $2/h").contains("0 losses"));
    assert!(lab.refused("calibrate spot --history @spot-history.json --price-max 2").contains("$3.06/h"));
    assert!(lab.refused("calibrate spot --history @held.json --price-max $2/h").contains("price histories"));
}

#[test]
fn two_batch_sizes_give_the_line_between_them() {
    let lab = Lab::new();
    let text = lab.out("calibrate service --format perf-analyzer --batch 1,8 @perf-b1.csv @perf-b8.csv");
    // 11.0 ms for one, 22.0 ms for eight.
    assert!(text.contains("base: 9.429ms, perRequest: 1.571ms"), "{text}");
    insta::assert_snapshot!(lab.refused("calibrate service --format perf-analyzer --batch 1 @perf-b1.csv @perf-b8.csv"), @"error: --batch: 1 sizes for 2 files; one for each is needed");
}

#[test]
fn a_load_test_gives_iteration_times_and_the_wrong_format_says_what_is_missing() {
    let lab = Lab::new();
    let text = lab.out("calibrate service --format vllm-bench @vllm.json");
    assert!(text.contains("tokenTime: [{tokens: 1, time: ") && text.contains("promptTokens: 500"), "{text}");
    assert!(text.contains("hold-one-out: not enough to check: 1 of at least 4 runs"), "{text}");
    let wrong = lab.refused("calibrate service --format genai-perf @vllm.json");
    assert!(wrong.contains("vllm.json") && wrong.contains("`request_throughput.avg` is missing"), "{wrong}");
}

/// Runs a tiny scenario with a snippet under its `spec`, as it stands.
fn takes(lab: &Lab, snippet: &str) {
    // Here no Deployment is beside it.
    let snippet = snippet.replace("service:\n", "service:\n  pod: {gpus: 1}\n");
    let indented: String = snippet.lines().map(|line| format!("  {line}\n")).collect();
    let nodes = if snippet.contains("\nnodes:") || snippet.starts_with("nodes:") {
        ""
    } else {
        "  nodes: {manager: {serverless: {price: $1/h}}}\n"
    };
    let service = if snippet.contains("service:") { "" } else { SERVICE };
    lab.write("tiny.yaml", &scenario(&format!("{TRAFFIC}{service}{nodes}{indented}")));
    lab.out("run tiny.yaml -o out --quiet");
    std::fs::remove_dir_all(lab.path("out")).expect("the results are there");
}

#[test]
fn every_preset_is_taken_as_it_is_printed() {
    let lab = Lab::new();
    let list = lab.out("calibrate preset");
    let names: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        takes(&lab, &lab.out(&format!("calibrate preset {name}")));
    }
}

#[test]
fn every_service_snippet_is_taken_as_it_is_printed() {
    let lab = Lab::new();
    takes(&lab, &lab.out("calibrate service --format perf-analyzer --batch 1,8 @perf-b1.csv @perf-b8.csv"));
    let text = lab.out("calibrate service --format vllm-bench @vllm.json");
    assert!(text.contains("sequencesMax: 1024 # assumed"), "{text}");
    takes(&lab, &text);
    let Ok(shared) = std::env::var("SCALELAB_DATA") else {
        println!("skipped: SCALELAB_DATA does not say where samples are");
        return;
    };
    for (format, name) in [
        ("perf-analyzer", "triton_perf_analyzer.csv"),
        ("vllm-bench", "vllm_bench_serve.json"),
        ("genai-perf", "genai_perf_profile_export.json"),
        ("inference-perf", "inference_perf_stage_lifecycle_metrics.json"),
    ] {
        takes(&lab, &lab.out(&format!("calibrate service --format {format} {shared}/samples/{name}")));
    }
}

#[test]
fn recorded_histories_and_clusters_become_snippets_that_are_taken_as_they_are() {
    let Ok(shared) = std::env::var("SCALELAB_DATA") else {
        println!("skipped: SCALELAB_DATA does not say where samples are");
        return;
    };
    let lab = Lab::new();
    for line in [
        "--history SHARED/spot/skypilot/preemption/1-node/aws-04-22-2023/us-west-2b_v100_1.json.gz",
        "--available --history SHARED/spot/skypilot/availability/16-node/aws-08-27-2023/us-west-2a_v100_1.json.gz",
        "--history SHARED/spot/bamboo/g4dn-trace.csv",
        "--history SHARED/spot/bamboo/p3-trace.csv",
        "--history SHARED/spot/bamboo/a100x1-east1b.txt",
    ] {
        let line = line.replace("SHARED", &shared);
        lab.out(&format!("calibrate spot {line} -o spot.yaml --plot spot.svg"));
        assert!(lab.read("spot.svg").contains("fitted quantile (node-hours)"), "{line}");
        takes(&lab, &lab.read("spot.yaml"));
    }
    let samples = format!("{shared}/samples/kubectl_get");
    let report = lab.out(&format!(
        "calibrate cold-start --pods {samples}_pods.json --events {samples}_events.json --nodes {samples}_nodes.json -o cold.yaml"
    ));
    assert!(report.contains("not used:"), "{report}");
    // Timings of nodes need nodes to time.
    let snippet =
        lab.read("cold.yaml").replace("nodes:\n", "nodes:\n  pools: [{name: gpu, instanceTypes: [g5.xlarge]}]\n");
    takes(&lab, &format!("{snippet}prices: {{g5.xlarge: {{onDemand: $1/h}}}}\n"));
}

#[test]
fn a_preset_is_a_cold_start_of_a_scenario_and_a_misspelt_one_finds_its_neighbour() {
    let lab = Lab::new();
    assert!(lab.out("calibrate preset").lines().count() >= 10);
    assert!(lab.out("calibrate preset vllm-8b-h100").contains("imagePull: 130.8s"));
    let with = |preset: &str| {
        let nodes = "  nodes: {manager: {serverless: {price: $1/h}}}\n";
        scenario(&format!("{TRAFFIC}{SERVICE}{nodes}  coldStart: {{preset: {preset}}}\n"))
    };
    lab.write("good.yaml", &with("vllm-8b-h100, gpuLoad: 3s"));
    let ran = lab.run("run good.yaml -o out");
    assert!(ran.code == 0 && ran.stderr.contains("cold start `vllm-8b-h100`"), "{}", ran.stderr);
    lab.write("bad.yaml", &with("vllm-8b-h10"));
    assert!(lab.refused("run bad.yaml -o out").contains("did you mean `vllm-8b-h100`?"));
}

#[test]
fn presets_of_language_models_are_listed_with_their_quality_and_that_nobody_measured_them() {
    let lab = Lab::new();
    let table = lab.out("calibrate presets --match llama-3.1-8b-h100");
    assert!(
        table.contains("llama-3.1-8b-h100-tp1-vllm") && table.contains("444272") && table.contains("Not measured"),
        "{table}"
    );
    assert!(!table.contains("qwen3"), "{table}");
    let csv = lab.out("calibrate presets --format csv");
    assert_eq!(csv.lines().count(), 108);
    assert!(csv.lines().skip(1).all(|line| line.contains("not measured")), "{csv}");
    assert!(lab.refused("calibrate presets --match nothing").contains("none of 107 presets matches `nothing`"));
}

#[test]
fn a_preset_is_corrected_by_load_tests_and_drawn() {
    let lab = Lab::new();
    lab.write(
        "runs.csv",
        "prompt,output,concurrency,ttft_ms,tpot_ms,e2e_ms,throughput\n512,64,1,35,7.2,489,131\n8192,64,1,260,7.6,739,87\n\
         512,128,8,60,8.1,1089,940\n2048,128,16,300,13.5,2014,1017\n",
    );
    let text = lab.out("calibrate service --preset llama-3.1-8b-h100-vllm runs.csv --plot fit.png");
    for part in [
        "# check 1, TPOT of 4 runs",
        "# hold-one-out",
        "preset: llama-3.1-8b-h100-tp1-vllm",
        "prefillFactor: ",
        "overhead: ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("not measured: a fit to 315 passes"), "{text}");
    takes(&lab, &text);
    assert!(lab.refused("calibrate service --preset llama-3.1-8b-h100-vlm runs.csv").contains("did you mean"));
    assert!(
        lab.refused("calibrate service --preset llama-3.1-8b-h100-vllm runs.csv --plot fit.gif")
            .contains(".svg or .png")
    );
}
