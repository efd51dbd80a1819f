//! `service.model: {preset: NAME}`: what it stands for, beside which manifests.

use cluster::spec::{PassTime, ServiceModel};
use insta::assert_snapshot;
use scenario::Loaded;

use crate::support::{load_text, message, with};

const NAME: &str = "llama-3.1-8b-h100-tp1-vllm";

/// The scenario with this model of its service.
fn scenario(model: &str) -> String {
    with("slots:\n        serviceTime: 50ms", model).replace("g5.xlarge", "p5.48xlarge")
}

/// The scenario with a Deployment of one vLLM in the place of the pod.
fn beside(model: &str, flags: &str) -> String {
    let own = scenario(model);
    let (before, rest) = own.split_once("    pod:\n").expect("the service has a pod");
    // The lines of the pod are those that are further in.
    let after: String =
        rest.lines().skip_while(|line| line.starts_with("      ")).map(|line| format!("{line}\n")).collect();
    let container = format!(
        "{{name: server, image: \"vllm/vllm-openai:v0.20.0\", args: [--model, meta-llama/Llama-3.1-8B-Instruct{flags}], \
         resources: {{limits: {{nvidia.com/gpu: 1}}}}}}"
    );
    format!(
        "{before}{after}---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: server}}\nspec:\n  replicas: 1\n  selector: {{matchLabels: \
         {{app: server}}}}\n  template:\n    metadata: {{labels: {{app: server}}}}\n    spec: {{containers: [{container}]}}\n"
    )
}

fn model(loaded: &Loaded) -> (u32, u32, u64, f64, f64) {
    let ServiceModel::ContinuousBatching { sequences_max, batched_tokens_max, kv_tokens, law, .. } =
        &loaded.spec.services[0].model
    else {
        panic!("a language model")
    };
    assert!(matches!(&law.pass, PassTime::Table { points, .. } if points.len() == 10), "{law:?}");
    (*sequences_max, *batched_tokens_max, *kv_tokens, law.ns_per_kv_token, law.shortest.as_secs_f64() * 1e3)
}

#[test]
fn a_preset_is_a_whole_model_and_says_that_nobody_measured_it() {
    for text in [
        format!("preset: {NAME}"),
        "preset: llama-3.1-8b-h100-vllm".to_owned(),
        format!("continuousBatching: {{preset: {NAME}}}"),
    ] {
        let loaded = load_text(&scenario(&text)).unwrap();
        assert_eq!(model(&loaded), (1_024, 8_192, 444_272, 43.777, 0.0));
        let notes = loaded.notes.join("\n");
        assert!(
            notes.contains("not measured: a fit to 315 passes") && notes.contains("kvTokens 444272 = (0.9 x 79.1"),
            "{notes}"
        );
    }
}

#[test]
fn keys_written_beside_a_preset_win() {
    let loaded = load_text(&scenario(&format!(
        "continuousBatching: {{preset: {NAME}, sequencesMax: 64, kvTokens: 99200, perKvToken: 50ns, iterationMin: 2ms}}"
    )));
    assert_eq!(model(&loaded.unwrap()), (64, 8_192, 99_200, 50.0, 2.0));
}

#[test]
fn the_flags_of_the_server_say_the_rest() {
    let preset = format!("preset: {NAME}");
    let of = |flags: &str| load_text(&beside(&preset, flags)).map(|loaded| model(&loaded)).unwrap();
    assert_eq!(of(""), (1_024, 8_192, 444_272, 43.777, 0.0));
    assert_eq!(of(", --max-num-seqs=48, --max-num-batched-tokens=4096").0, 48);
    assert!(of(", --gpu-memory-utilization=0.85").2.abs_diff(411_264) < 700);
    let fp8 = of(", --kv-cache-dtype=fp8");
    assert!((fp8.3 - 43.777 / 2.0).abs() < 1e-9 && fp8.2.abs_diff(2 * 444_272) <= 32, "{fp8:?}");
    assert!((of(", --enforce-eager").4 - 9.6).abs() < 1e-9);
}

#[test]
fn a_preset_of_another_server_is_refused() {
    let preset = format!("preset: {NAME}");
    let refused = |model: &str, flags: &str| message(&beside(model, flags));
    assert_snapshot!(refused(&preset, ", --tensor-parallel-size=2"), @"scenario.yaml:13:15: spec.service.model.preset: llama-3.1-8b-h100-tp1-vllm is of one GPU, and the container at scenario.yaml:32:25 is started with --tensor-parallel-size 2");
    assert_snapshot!(refused("preset: llama-3.1-8b-h100-tp1-sglang", ""), @"scenario.yaml:13:15: spec.service.model.preset: llama-3.1-8b-h100-tp1-sglang is of SGLang, and the container at scenario.yaml:32:25 runs vLLM");
    assert_snapshot!(message(&scenario("preset: llama-3.1-8b-h100-tp1-vlm")), @"scenario.yaml:13:15: spec.service.model.preset: no preset `llama-3.1-8b-h100-tp1-vlm`; did you mean `llama-3.1-8b-h100-tp1-vllm`?; `scalelab calibrate presets` lists them");
    assert_snapshot!(message(&scenario("continuousBatching: {sequencesMax: 8}")), @"scenario.yaml:13:27: spec.service.model.continuousBatching: key `batchedTokensMax` is missing");
    // An A10G is no H100.
    assert_snapshot!(message(&scenario(&preset).replace("p5.48xlarge", "g5.xlarge")), @"scenario.yaml:13:15: spec.service.model.preset: llama-3.1-8b-h100-tp1-vllm is of H100, and pods may run on A10G (g5.xlarge): it says nothing of that GPU");
}
