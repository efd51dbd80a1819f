//! What kubectl prints becomes a scenario: manifests and cold starts out of one export.

use crate::support::Lab;

const OBJECTS: &str = r#"{"apiVersion": "v1", "kind": "List", "items": [
{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "chat", "namespace": "ai"}, "spec": {"replicas": 2,
 "selector": {"matchLabels": {"app": "chat"}}, "template": {"metadata": {"labels": {"app": "chat"}}, "spec": {"containers": [
 {"name": "engine", "image": "vllm/vllm-openai:v0.11.0", "resources": {"requests": {"cpu": "3", "memory": "12Gi"}, "limits": {"nvidia.com/gpu": "1"}}}]}}},
 "status": {"replicas": 2}},
{"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "chat", "namespace": "ai"}, "spec": {
 "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"}, "minReplicas": 1, "maxReplicas": 6, "metrics": [
 {"type": "Pods", "pods": {"metric": {"name": "vllm:num_requests_waiting"}, "target": {"type": "AverageValue", "averageValue": "4"}}}]}}PODS
]}"#;

fn data(name: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data_data/");
    std::fs::read_to_string(format!("{path}{name}")).expect("a file of the tests")
}

/// The items of a list, each with a comma before it.
fn items(list: &str) -> String {
    let list: serde_json::Value = serde_json::from_str(list).expect("a list");
    list["items"].as_array().expect("items").iter().map(|item| format!(",\n{item}")).collect()
}

#[test]
fn one_export_or_several_files_give_manifests_and_measured_cold_starts() {
    let lab = Lab::new();
    let (pods, events) = (data("pods.json"), data("events.json"));
    lab.write("pods.json", &pods);
    lab.write("events.json", &events);
    lab.write("objects.json", &OBJECTS.replace("PODS", ""));
    lab.write("all.json", &OBJECTS.replace("PODS", &(items(&pods) + &items(&events))));
    lab.out("import kubectl objects.json pods.json events.json -o apart");
    lab.out("import kubectl all.json -o together");
    for folder in ["apart", "together"] {
        let scenario = lab.read(&format!("{folder}/scenario.yaml"));
        assert!(scenario.contains("    imagePull: 41.5s # n=1"), "{folder}: {scenario}");
        assert!(scenario.contains("    gpuLoad: 67.5s"), "{folder}: {scenario}");
        assert!(scenario.contains("    hpa: chat"), "{folder}: {scenario}");
        lab.out(&format!("run {folder} --set run.duration=2m --set run.replications=1 --quiet -o ran"));
    }
    assert!(!lab.path("apart/pods.json").exists(), "what is only measured is no manifest");
}

#[test]
fn what_is_no_export_is_refused_and_nothing_is_left() {
    let lab = Lab::new();
    lab.write("pods.json", &data("pods.json"));
    lab.write("words.json", "NAME READY");
    let refused = |line: &str| {
        let said = lab.refused(line);
        assert!(!lab.path("out").exists(), "{said}");
        said
    };
    assert!(refused("import kubectl pods.json -o out").contains("only pods, events and nodes"));
    assert!(
        refused("import kubectl words.json -o out").contains("words.json: not the output of `kubectl get … -o json`")
    );
}

#[test]
fn each_of_several_services_has_the_cold_starts_of_its_own_pods() {
    let lab = Lab::new();
    let embed =
        OBJECTS.split_once("items\": [\n").unwrap().1.split_once(",\n{\"apiVersion\": \"autoscaling").unwrap().0;
    let objects = OBJECTS.replace("PODS", &format!(",\n{}", embed.replace("\"chat\"", "\"embed\"")));
    lab.write("objects.json", &objects);
    lab.write("pods.json", &data("pods.json"));
    lab.write("events.json", &data("events.json"));
    let said = lab.done("import kubectl objects.json pods.json events.json -o out").stderr;
    assert!(said.contains("note: no pods of embed in the files: coldStart is a guess"), "{said}");
    let scenario = lab.read("out/scenario.yaml");
    let (chat, embed) = scenario.split_once("  - name: embed").expect("two services");
    assert!(chat.contains("      imagePull: 41.5s # n=1") && chat.contains("# Measured by"), "{scenario}");
    let embed = embed.split("  nodes:").next().unwrap();
    assert!(
        embed.contains("# GUESS. `scalelab calibrate cold-start") && embed.contains("imagePull: {uniform"),
        "{scenario}"
    );
    lab.out("run out --set run.duration=2m --set run.replications=1 --quiet -o ran");
}
