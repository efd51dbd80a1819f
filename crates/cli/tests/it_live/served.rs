//! What becomes of a model server's own metrics: the model of the service as far as they tell it, and a word on what they do not.

use std::fmt::Write as _;

use crate::prometheus::with_samples;
use crate::support::Lab;

/// 2025-01-06T00:00:00Z.
const START_S: i64 = 1_736_121_600;
const LENGTH_S: i64 = 3_600;

/// One metric of pod `chat-0` every 15 s; `each` is what it grows by in that time, none is a gauge of `value`.
fn samples(metric: &str, labels: &str, value: f64, each: Option<f64>) -> String {
    let mut text = String::new();
    for (row, at) in (START_S - 300..START_S + LENGTH_S + 60).step_by(15).enumerate() {
        let value = each.map_or(value, |each| value + each * row as f64);
        writeln!(text, "{metric}{{namespace=\"ml\",pod=\"chat-0\",{labels}}} {value} {at}").expect("a String takes it");
    }
    text
}

/// A histogram of which each row adds 30 requests with these shares at or below the bounds.
fn histogram(metric: &str, labels: &str, mean: f64, shares: &[(&str, f64)]) -> String {
    let buckets = shares.iter().chain(&[("+Inf", 1.0)]);
    let buckets = buckets.map(|(bound, share)| {
        samples(&format!("{metric}_bucket"), &format!("{labels},le=\"{bound}\""), 0.0, Some(30.0 * share))
    });
    let sum = samples(&format!("{metric}_sum"), labels, 0.0, Some(30.0 * mean));
    buckets.collect::<String>() + &sum + &samples(&format!("{metric}_count"), labels, 0.0, Some(30.0))
}

/// A vLLM server on two L4, whose prompts are a lognormal with mean 300 and standard deviation 200.
fn vllm() -> String {
    let of = "model_name=\"Llama-3.1-8B-Instruct\",engine=\"0\"";
    let spread = [("100", 0.0657), ("200", 0.3574), ("500", 0.8740), ("1000", 0.9889)];
    let cache = format!("{of},num_gpu_blocks=\"2500\",block_size=\"16\"");
    let gpu = |uuid| format!("UUID=\"{uuid}\",modelName=\"NVIDIA L4\"");
    [
        samples("vllm:request_success_total", of, 0.0, Some(30.0)),
        // Its own web server counts too, whatever was asked.
        samples("http_requests_total", "handler=\"/v1/models\"", 0.0, Some(77.0)),
        samples("vllm:num_requests_running", of, 300.0, None),
        samples("vllm:num_requests_waiting", of, 7.0, None),
        samples("vllm:cache_config_info", &cache, 1.0, None),
        samples("vllm:prefix_cache_queries_total", of, 0.0, Some(1_000.0)),
        samples("vllm:prefix_cache_hits_total", of, 0.0, Some(250.0)),
        histogram("vllm:request_prompt_tokens", of, 300.0, &spread),
        histogram("vllm:request_generation_tokens", of, 128.0, &[("100", 0.0), ("200", 1.0)]),
        samples("DCGM_FI_DEV_GPU_UTIL", &gpu("a"), 50.0, None),
        samples("DCGM_FI_DEV_GPU_UTIL", &gpu("b"), 50.0, None),
        samples("kube_statefulset_replicas", "statefulset=\"chat\"", 1.0, None),
    ]
    .concat()
}

#[test]
fn a_vllm_server_is_continuous_batching_with_what_its_metrics_tell() {
    let lab = Lab::new();
    let Some(server) = with_samples(&lab.path("."), &(vllm() + "# EOF\n")) else { return };
    let command = format!("import prometheus --url {} --since 1h --until 2025-01-06T01:00:00Z -o out", server.url);
    let said = lab.done(&command).stderr;
    assert!(
        said.contains("7200 requests between") && said.contains("by vllm:request_success_total of 1 series"),
        "{said}"
    );
    let note = said.lines().find(|line| line.contains("by its metrics (vllm:…)")).unwrap_or_default();
    insta::assert_snapshot!(note, @"note: service.model: vLLM, by its metrics (vllm:…): `continuousBatching`. Measured: kvTokens, promptTokens, outputTokens. GUESS: sequencesMax, batchedTokensMax, iterationMin, iterationBase, perKvToken, perPromptToken. `scalelab calibrate service` fits times to load tests, --model NAME takes a preset, --manifests reads the server's flags");
    let scenario = lab.read("out/scenario.yaml");
    let service = scenario.split("\n  service:\n").nth(1).and_then(|text| text.split("    routing:").next());
    insta::assert_snapshot!(service.unwrap_or_default(), @r"
    pod: # stands for a workload manifest; put yours into this folder and take this out
      name: chat
      gpus: 2 # by dcgm-exporter
      nodeSelector: {nvidia.com/gpu.product: NVIDIA-L4} # by dcgm-exporter
    # Seen: at most 300 in service and 7 waiting at a scrape, in one engine.
    # Seen: 25 % of the tokens of prompts were found in the prefix cache. Here all are computed, unless `traffic.prefix` says what prompts share.
    # GUESS: Llama-3.1-8B on 2 L4 with vLLM, from the GPU's memory bandwidth and throughput, good to a quarter.
    # `scalelab calibrate service --format vllm-bench FILE…` fits yours.
    model:
      continuousBatching:
        sequencesMax: 300 # so many were in service at once; GUESS: that it is no more
        batchedTokensMax: 8192
        kvTokens: 40000 # vllm:cache_config_info
        iterationMin: 34.55ms
        iterationBase: 34.55ms
        perKvToken: 287.4ns
        perPromptToken: 129.64us
        promptTokens: {logNormal: {mean: 300, std: 199}} # vllm:request_prompt_tokens: 7905 requests, mean 300.0; the lognormal is off by at most 0.1 % of them at a bucket's bound
        outputTokens: {constant: 128} # vllm:request_generation_tokens: 7905 requests, mean 128.0; how they spread within a bucket is not told
    ");
    assert!(scenario.contains("slo: {ttft: 1s, tpot: 50ms, objective: 95%} # GUESS"), "{scenario}");
    lab.done("run out --set run.duration=1m --set run.replications=1 --quiet -o ran");
    flags_of_a_manifest_are_known(&lab, &command);
}

/// What the manifest tells is no guess, and the machine has the GPU that was seen all the same.
fn flags_of_a_manifest_are_known(lab: &Lab, command: &str) {
    std::fs::create_dir(lab.path("manifests")).expect("a writable folder");
    lab.write(
        "manifests/chat.yaml",
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: chat, namespace: ml}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: chat}}\n  \
         template:\n    metadata: {labels: {app: chat}}\n    spec:\n      containers:\n      - name: engine\n        image: vllm/vllm-openai:v0.11.0\n        \
         args: [--model, meta-llama/Llama-3.1-8B-Instruct, --max-num-seqs, \"320\", --tensor-parallel-size, \"2\"]\n        \
         resources: {limits: {nvidia.com/gpu: 2}}\n",
    );
    let said = lab.done(&command.replace("-o out", "--manifests manifests -o told")).stderr;
    assert!(said.contains("x L4, ") && said.contains("with the GPU that dcgm-exporter shows"), "{said}");
    assert!(said.contains("service.model: vLLM: `continuousBatching`. Measured: kvTokens, promptTokens, outputTokens. GUESS: iteration"), "{said}");
    let scenario = lab.read("told/scenario.yaml");
    assert!(
        scenario.contains("sequencesMax: 320 # --max-num-seqs 320") && scenario.contains("kvTokens: 40000 # vllm:"),
        "{scenario}"
    );
}

#[test]
fn an_sglang_server_behind_a_gateway_has_the_means_of_its_counters_and_its_own_latencies() {
    let lab = Lab::new();
    let of = "model_name=\"a/model-of-ours\"";
    let text = [
        samples("istio_requests_total", "destination_app=\"chat\"", 0.0, Some(60.0)),
        samples("sglang:num_requests_total", of, 0.0, Some(30.0)),
        samples("sglang:prompt_tokens_total", of, 0.0, Some(30.0 * 500.0)),
        samples("sglang:generation_tokens_total", of, 0.0, Some(30.0 * 200.0)),
        samples("sglang:max_total_num_tokens", of, 380_000.0, None),
        histogram("sglang:time_to_first_token_seconds", of, 0.15, &[("0.1", 0.0), ("0.2", 1.0)]),
        samples("kube_statefulset_replicas", "statefulset=\"chat\"", 1.0, None),
        "# EOF\n".to_owned(),
    ];
    let Some(server) = with_samples(&lab.path("."), &text.concat()) else { return };
    let command =
        "--requests istio_requests_total --match destination_app=\"chat\" --since 1h --until 2025-01-06T01:00:00Z";
    let said = lab.done(&format!("import prometheus --url {} {command} -o out", server.url)).stderr;
    assert!(said.contains("14400 requests between") && said.contains("SGLang, by its metrics (sglang:…)"), "{said}");
    let scenario = lab.read("out/scenario.yaml");
    for line in [
        "kvTokens: 380000 # sglang:max_total_num_tokens",
        "promptTokens: {logNormal: {mean: 500, std: 455}} # sglang:prompt_tokens_total by sglang:num_requests_total: ",
        "outputTokens: {logNormal: {mean: 200, std: 228}} # sglang:generation_tokens_total by sglang:num_requests_total: ",
        "scheduler: prefillFirst # SGLang's",
        "# Seen: p50 of time to first token 150 ms in the middle of the rows",
    ] {
        assert!(scenario.contains(line), "{line}: {scenario}");
    }
    lab.done("run out --set run.duration=1m --set run.replications=1 --quiet -o ran");
}
