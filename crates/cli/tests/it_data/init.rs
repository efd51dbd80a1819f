//! Starters run, copy word for word, and overwrite nothing.

use super::support::Lab;

#[test]
fn a_starter_without_anything_runs() {
    let lab = Lab::new();
    lab.out("init -o start");
    assert_eq!(lab.names(), ["start"]);
    lab.out("run start --set run.duration=5m --set run.replications=1 -o out --quiet");
}

#[test]
fn a_starter_around_manifests_copies_them_word_for_word_and_compares_their_autoscalers() {
    let lab = Lab::new();
    let ran = lab.run("init --manifests @manifests --traffic @trace.csv -o chat");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // An autoscaler of something else is no policy of this service.
    assert!(ran.stderr.contains("HorizontalPodAutoscaler/other scales other, not chat"), "{}", ran.stderr);
    let original = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data_data/manifests/chat.yaml"));
    assert_eq!(lab.read("chat/chat.yaml"), original.unwrap());
    let scenario = lab.read("chat/scenario.yaml");
    for part in ["continuousBatching:", "hpa: chat", "file: traffic/trace.csv", "instanceTypes: [g", "replicas: 2"] {
        assert!(scenario.contains(part), "{part}\n{scenario}");
    }
    lab.out("run chat --set run.replications=1 -o out --quiet");
}

#[test]
fn a_table_of_counts_becomes_a_rate_and_says_that_this_is_a_guess() {
    let lab = Lab::new();
    lab.out("init --traffic @rate.csv -o counted");
    let scenario = lab.read("counted/scenario.yaml");
    assert!(scenario.contains("GUESS: the column \"requests\" is read as requests in each interval"), "{scenario}");
    assert!(scenario.contains("duration: 900s"), "{scenario}");
    lab.out("run counted --set run.replications=1 -o out --quiet");
}

#[test]
fn nothing_is_overwritten_and_nothing_half_written() {
    let lab = Lab::new();
    lab.write("there", "mine");
    assert!(lab.refused("init -o there").contains("never overwrites"));
    assert_eq!(lab.read("there"), "mine");
    assert!(lab.refused("init --manifests nowhere.yaml -o new").contains("nowhere.yaml: cannot be read"));
    lab.write(
        "broken.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {template: {spec: {containerz: []}}}\n",
    );
    let message = lab.refused("init --manifests broken.yaml -o new");
    assert!(message.contains("broken.yaml:4:"), "{message}");
    lab.write("odd.bin", "what is this");
    assert!(lab.refused("init --traffic odd.bin -o new").contains("neither a trace in a known format"));
    assert_eq!(lab.names(), ["broken.yaml", "odd.bin", "there"]);
}

/// Deployments of one namespace: name, what its pods select, its image.
fn deployments(workloads: &[(&str, &str, &str)]) -> String {
    let gpu = |image: &str| if image == "nginx" { "" } else { ", resources: {limits: {nvidia.com/gpu: 1}}" };
    let one = |(name, selector, image): &(&str, &str, &str)| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 2\n  selector: {{matchLabels: {{app: {name}}}}}\n  \
             template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      nodeSelector: {{{selector}}}\n      containers: [{{name: main, image: \
             '{image}'{}}}]\n",
            gpu(image)
        )
    };
    workloads.iter().map(one).collect::<Vec<_>>().join("---\n")
}

const TRITON: &str = "nvcr.io/nvidia/tritonserver:25.01-py3";

#[test]
fn workloads_with_gpus_become_services_on_one_fleet() {
    let lab = Lab::new();
    lab.write("k8s.yaml", &deployments(&[("ranker", "", TRITON), ("embedder", "", TRITON), ("web", "", "nginx")]));
    let ran = lab.run("init --manifests k8s.yaml -o both");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("Deployment/embedder, Deployment/ranker; left out: Deployment/web"), "{}", ran.stderr);
    let scenario = lab.read("both/scenario.yaml");
    assert_eq!(
        (scenario.matches("  - name: gpu\n").count(), scenario.matches("workload: ").count()),
        (1, 2),
        "{scenario}"
    );
    lab.out("run both --set run.duration=5m --set run.replications=1 -o out --quiet");
}

#[test]
fn services_that_select_different_machines_get_a_pool_each() {
    let lab = Lab::new();
    let label = |gpu: &str| format!("karpenter.k8s.aws/instance-gpu-name: {gpu}");
    lab.write("k8s.yaml", &deployments(&[("small", &label("l4"), TRITON), ("big", &label("h100"), TRITON)]));
    lab.out("init --manifests k8s.yaml -o two");
    let scenario = lab.read("two/scenario.yaml");
    for pool in ["- name: p5-4xlarge", "- name: g6-xlarge"] {
        assert!(scenario.contains(pool), "{pool}\n{scenario}");
    }
}

#[test]
fn a_file_of_traffic_is_that_of_one_service() {
    let lab = Lab::new();
    lab.write("k8s.yaml", &deployments(&[("ranker", "", TRITON), ("embedder", "", TRITON)]));
    let message =
        lab.refused("init --manifests k8s.yaml --traffic @rate.csv --workload ranker --workload embedder -o new");
    assert!(message.contains("is the traffic of one service, and several `--workload` are given"), "{message}");
    lab.out("init --manifests k8s.yaml --traffic @rate.csv -o likeliest");
    assert!(!lab.read("likeliest/scenario.yaml").contains("services:"));
}

#[test]
fn a_workload_is_one_service() {
    let lab = Lab::new();
    lab.write("k8s.yaml", &deployments(&[("ranker", "", TRITON), ("embedder", "", TRITON)]));
    let message = lab.refused("init --manifests k8s.yaml --workload ranker --workload Deployment/ranker -o new");
    assert!(message.contains("--workload Deployment/ranker: is a service already"), "{message}");
}

/// vLLM as this kind in namespace `ml`, with the ScaledObject of it in this namespace.
fn scaled(kind: &str, namespace: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: chat, namespace: ml}}\nspec:\n  selector: {{matchLabels: {{app: chat}}}}\n  template:\n    \
         metadata: {{labels: {{app: chat}}}}\n    spec:\n      containers:\n      - {{name: vllm, image: \"vllm/vllm-openai:v0.15.1\", args: [--model, \
         Qwen/Qwen2.5-7B-Instruct], readinessProbe: {{httpGet: {{path: /health, port: 8000}}}}, resources: {{limits: {{nvidia.com/gpu: 1}}}}}}\n---\n\
         apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {{name: chat, namespace: {namespace}}}\nspec:\n  scaleTargetRef: {{name: chat}}\n  \
         triggers:\n  - {{type: prometheus, metadata: {{serverAddress: \"http://p:9090\", query: \"sum(vllm:num_requests_waiting)\", threshold: \"2\"}}}}\n"
    )
}

#[test]
fn an_autoscaler_that_misses_its_target_by_kind_or_namespace_is_said_to() {
    let lab = Lab::new();
    let said = |name: &str, text: String| {
        lab.write(&format!("{name}.yaml"), &text);
        let ran = lab.run(&format!("init --manifests {name}.yaml -o {name}"));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(!lab.read(&format!("{name}/scenario.yaml")).contains("keda: chat"));
        ran.stderr
    };
    let kind = said("kind", scaled("StatefulSet", "ml"));
    assert!(kind.contains("targets Deployment chat; the folder has StatefulSet chat"), "{kind}");
    let namespace = said("namespace", scaled("Deployment", "prod"));
    assert!(
        namespace.contains(
            "is in namespace prod and scales Deployment chat there; Deployment/chat of the folder is in namespace ml"
        ),
        "{namespace}"
    );
}

#[test]
fn a_machine_that_does_not_exist_gets_the_nearest_that_does_and_auto_mode_has_no_gpu_of_its_own() {
    let lab = Lab::new();
    let selecting = |selector: &str| {
        scaled("Deployment", "ml").replacen(
            "      containers:",
            &format!("      nodeSelector: {{{selector}}}\n      containers:"),
            1,
        )
    };
    lab.write("slip.yaml", &selecting("node.kubernetes.io/instance-type: g6.xlrge"));
    assert!(lab.refused("init --manifests slip.yaml -o slip").contains("did you mean `g6.xlarge`?"));
    lab.write("auto.yaml", &selecting("eks.amazonaws.com/compute-type: auto"));
    let ran = lab.run("init --manifests auto.yaml -o auto");
    assert!(
        ran.code == 0 && ran.stderr.contains("the built-in pools of EKS Auto Mode launch no GPU"),
        "{}",
        ran.stderr
    );
}

/// A Deployment with a GPU and this ScaledObject's triggers.
fn scaled_by(triggers: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: chat}}\nspec:\n  selector: {{matchLabels: {{app: chat}}}}\n  template:\n    metadata: {{labels: {{app: chat}}}}\n    \
         spec: {{containers: [{{name: server, image: vllm/vllm-openai:v0.11.0, resources: {{limits: {{nvidia.com/gpu: 1}}}}}}]}}\n---\napiVersion: \
         keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {{name: chat}}\nspec:\n  scaleTargetRef: {{name: chat}}\n  triggers:\n{triggers}"
    )
}

#[test]
fn a_trigger_without_a_signal_of_its_own_gets_a_guess_that_says_so() {
    let lab = Lab::new();
    let triggers = "  - {type: datadog, name: load, metadata: {query: 'avg:x{*}', queryValue: '5'}}\n  - {type: external, metadata: {scalerAddress: 'x:1'}}\n";
    lab.write("m.yaml", &scaled_by(triggers));
    let ran = lab.run("init --manifests m.yaml -o new");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("m.yaml:17:"), "{}", ran.stderr);
    assert!(ran.stderr.contains("trigger chat/load (datadog) measures lies outside the cluster"), "{}", ran.stderr);
    let scenario = lab.read("new/scenario.yaml");
    let entries = "      \"chat/load\": {signal: requests} # datadog\n      \"chat/1\": {signal: requests, target: 10} # external\n";
    assert!(scenario.contains(entries), "{scenario}");
    lab.out("run new --set run.duration=1h --set run.replications=1 -o out --quiet");
}

#[test]
fn a_pool_that_was_made_up_has_a_name_of_its_own() {
    let lab = Lab::new();
    let pool = "---\napiVersion: karpenter.sh/v1\nkind: NodePool\nmetadata: {name: gpu}\nspec: {template: {spec: {requirements: [{key: karpenter.k8s.aws/instance-family, operator: In, values: [m5]}], nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: default}}}}\n";
    let triggers =
        "  - {type: cron, metadata: {timezone: UTC, start: 0 6 * * *, end: 0 20 * * *, desiredReplicas: '2'}}\n";
    lab.write("m.yaml", &(scaled_by(triggers) + pool));
    let ran = lab.run("init --manifests m.yaml -o new");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(lab.read("new/scenario.yaml").contains("- name: gpu-2\n"), "{}", lab.read("new/scenario.yaml"));
    lab.out("run new --set run.duration=1h --set run.replications=1 -o out --quiet");
}

#[test]
fn a_product_that_no_gpu_has_is_refused_and_not_met_by_a_slice() {
    let lab = Lab::new();
    let cron = "  - {type: cron, metadata: {timezone: UTC, start: 0 6 * * *, end: 0 20 * * *, desiredReplicas: '2'}}\n";
    let selecting = |product: &str| {
        scaled_by(cron).replacen(
            "spec: {containers",
            &format!("spec: {{nodeSelector: {{nvidia.com/gpu.product: {product}}}, containers"),
            1,
        )
    };
    lab.write("l5.yaml", &selecting("NVIDIA-L5"));
    let refused = lab.refused("init --manifests l5.yaml -o new");
    assert!(
        refused.contains("`nvidia.com/gpu.product: NVIDIA-L5` that the pod selects; did you mean `NVIDIA-L4`?"),
        "{refused}"
    );
    lab.write("l4.yaml", &selecting("NVIDIA-L4"));
    assert!(lab.out("init --manifests l4.yaml -o four").contains("ready"));
}

#[test]
fn a_misspelt_target_a_label_and_a_class_are_told_with_the_nearest() {
    let lab = Lab::new();
    let cron = "  - {type: cron, metadata: {timezone: UTC, start: 0 6 * * *, end: 0 20 * * *, desiredReplicas: '2'}}\n";
    let class = "---\napiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: high}\nvalue: 1000\n";
    let pod = "spec: {priorityClassName: hgih, nodeSelector: {cloud.google.com/gke-acelerator: nvidia-l4}, containers";
    let text = scaled_by(cron).replacen("scaleTargetRef: {name: chat}", "scaleTargetRef: {name: chta}", 1);
    lab.write("m.yaml", &(text.replacen("spec: {containers", pod, 1) + class));
    let ran = lab.run("init --manifests m.yaml -o new");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for part in [
        "m.yaml:10:1: ScaledObject/chat scales chta, not chat: it became no policy; did you mean chat?",
        "m.yaml:8:31: PriorityClass `hgih` is not among the manifests; priority 0 is taken; did you mean `high`?",
        "taken as met; did you mean `cloud.google.com/gke-accelerator`?",
    ] {
        assert!(ran.stderr.contains(part), "{part}\n{}", ran.stderr);
    }
}
