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
    assert!(refused("import kubectl pods.json -o out").contains("no objects to make a scenario of, but for pods"));
    lab.write("none.json", r#"{"apiVersion": "v1", "kind": "List", "items": null}"#);
    assert!(refused("import kubectl none.json -o out").contains("no objects to make a scenario of"));
    lab.write(
        "status.json",
        r#"{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "Unauthorized", "code": 401}"#,
    );
    let status = refused("import kubectl status.json -o out");
    assert!(
        status.contains("status.json: is what an API server answers when it refuses")
            && status.contains("(Unauthorized)")
    );
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

/// A `kubectl` of this script, the only program on PATH; what it is asked is in `calls`.
#[cfg(unix)]
fn with_kubectl(script: &str) -> Lab {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::new();
    std::fs::create_dir(lab.path("bin")).expect("a writable folder");
    lab.write("bin/kubectl", &format!("#!/bin/sh\necho \"$@\" >> calls\ncase \"$*\" in\n{script}\nesac\n"));
    std::fs::set_permissions(lab.path("bin/kubectl"), std::fs::Permissions::from_mode(0o755)).expect("our own file");
    lab
}

#[cfg(unix)]
const LISTS: &str = "\
api-resources*) printf 'configmaps\\nevents\\nnodes\\npods\\nsecrets\\ndeployments.apps\\nhorizontalpodautoscalers.autoscaling\\n';;
'get deployments.apps '*) /bin/cat objects.json;;
'get pods '*) /bin/cat pods.json;;
'get events '*) /bin/cat events.json;;
'get nodes '*) echo 'E1129 klog' >&2; echo 'Error from server (Forbidden): nodes is forbidden' >&2; exit 1;;
*) echo '{\"items\": []}';;";

#[cfg(unix)]
#[test]
fn kubectl_is_run_to_read_and_what_it_may_not_read_is_told() {
    let lab = with_kubectl(LISTS);
    lab.write("objects.json", &OBJECTS.replace("PODS", ""));
    lab.write("pods.json", &data("pods.json"));
    lab.write("events.json", &data("events.json"));
    let ran = lab.done("import kubectl --run -n ai --context prod --kubeconfig my.conf --also configmaps -o out");
    assert!(
        ran.stderr.contains("note: nodes may not be read and are left out: Error from server (Forbidden)"),
        "{}",
        ran.stderr
    );
    let scenario = lab.read("out/scenario.yaml");
    assert!(scenario.contains("imagePull: 41.5s # n=1") && scenario.contains("hpa: chat"), "{scenario}");
    insta::assert_snapshot!(lab.read("calls"), @r"
    api-resources --verbs=list -o name --namespace=ai --context=prod --kubeconfig=my.conf
    get deployments.apps -o json --namespace=ai --context=prod --kubeconfig=my.conf
    get horizontalpodautoscalers.autoscaling -o json --namespace=ai --context=prod --kubeconfig=my.conf
    get pods -o json --namespace=ai --context=prod --kubeconfig=my.conf
    get events -o json --namespace=ai --context=prod --kubeconfig=my.conf
    get nodes -o json --namespace=ai --context=prod --kubeconfig=my.conf
    get configmaps -o json --namespace=ai --context=prod --kubeconfig=my.conf
    ");
    lab.out("run out --set run.duration=2m --set run.replications=1 --quiet -o ran");
}

#[cfg(unix)]
#[test]
fn each_failure_of_kubectl_says_what_to_do_and_leaves_nothing() {
    let fails = |script: &str, flags: &str| {
        let lab = with_kubectl(script);
        let ran = lab.run(&format!("import kubectl --run {flags} -o out"));
        assert!(!lab.path("out").exists(), "{}", ran.stderr);
        format!("{}: {}", ran.code, ran.stderr.lines().last().unwrap_or_default())
    };
    let missing = {
        let lab = Lab::new();
        std::fs::create_dir(lab.path("bin")).expect("a writable folder");
        lab.refused("import kubectl --run -o out").trim_end().to_owned()
    };
    let said = [
        missing,
        fails("*) echo 'error: You must be logged in to the server (Unauthorized)' >&2; exit 1;;", ""),
        fails(
            "*) echo 'Error in configuration: context was not found for specified context: x' >&2; exit 1;;",
            "--context x",
        ),
        fails(
            "*) echo 'The connection to the server 10.0.0.1 was refused - did you specify the right host or port?' >&2; exit 1;;",
            "",
        ),
        fails("*) exec /bin/sleep 30;;", "--timeout 300ms"),
        fails("api-resources*) echo deployments.apps;;\n*) echo 'NAME READY';;", ""),
        fails("api-resources*) echo deployments.apps;;\n*) echo '{\"items\": []}';;", "--namespace empty"),
        fails(LISTS, "--also configmap"),
        fails(LISTS, "--also secrets"),
    ];
    insta::assert_snapshot!(said.join("\n"), @r"
    error: --run: there is no kubectl on PATH: install it, or give files of what `kubectl get … -o json` printed elsewhere
    2: error: kubectl api-resources: error: You must be logged in to the server (Unauthorized) (--context, --kubeconfig, or log in)
    2: error: kubectl api-resources: Error in configuration: context was not found for specified context: x (--context, --kubeconfig, or log in)
    3: error: kubectl api-resources: The connection to the server 10.0.0.1 was refused - did you specify the right host or port?
    3: error: kubectl api-resources --verbs=list -o name: gave no answer within 300ms: can the cluster be reached from here? --timeout allows more
    3: error: kubectl get deployments.apps -o json: what it printed is no JSON: expected value at line 1 column 1
    2: error: namespace empty shows no objects to make a scenario of: --namespace NAME names another
    2: error: --also configmap: the cluster has no such resource that can be listed (`kubectl api-resources --verbs=list -o name`); did you mean `configmaps`?
    2: error: --also secrets: Secrets are never read
    ");
}
