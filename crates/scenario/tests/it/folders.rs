//! Folders as people have them: what does not matter is counted, what does is named, and nothing stops a run without a reason.

use std::path::Path;

use insta::assert_snapshot;
use scenario::{Input, Loaded, ScenarioError};
use traces::load;

use crate::support::{HPA, SCENARIO, load_text, message, with};

/// A folder with these files, loaded; paths in messages are from the folder on.
fn folder(files: &[(&str, &str)]) -> Result<Loaded, String> {
    folder_with(files, false)
}

fn folder_with(files: &[(&str, &str)], is_plain: bool) -> Result<Loaded, String> {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let relative = |text: String, root: &Path| {
        text.replace(&format!("{}/", root.display()), "").replace(&root.display().to_string(), "FOLDER")
    };
    let read = || -> Result<Loaded, ScenarioError> {
        traces::read_with(&[Input::Path(root.path().to_owned())], is_plain)?.load(&[])
    };
    let loaded = read().map_err(|error| relative(error.to_string(), root.path()))?;
    let lines = |lines: Vec<String>| lines.into_iter().map(|line| relative(line, root.path())).collect();
    Ok(Loaded { notes: lines(loaded.notes), counted: lines(loaded.counted), details: lines(loaded.details), ..loaded })
}

fn inert(kind: &str, name: &str) -> String {
    format!("---\napiVersion: {kind}\nmetadata: {{name: {name}}}\n")
}

#[test]
fn documents_without_effect_are_one_line_and_a_list_for_those_who_ask() {
    let others = inert("networking.k8s.io/v1\nkind: Ingress", "a")
        + &inert("v1\nkind: Service", "a")
        + &inert("v1\nkind: Service", "b")
        + &inert("example.com/v1\nkind: Widget", "w");
    let loaded = load_text(&format!("{SCENARIO}{others}")).unwrap();
    assert!(loaded.notes.is_empty(), "{:?}", loaded.notes);
    assert_snapshot!(loaded.counted.join("\n"), @"4 documents have no effect on the simulation: Service x2, Ingress, Widget");
    assert_snapshot!(loaded.details.join("\n"), @r"
    no effect: scenario.yaml: Ingress/a
    no effect: scenario.yaml: Service/a
    no effect: scenario.yaml: Service/b
    no effect: scenario.yaml: Widget/w
    ");
}

#[test]
fn what_an_answer_lacks_is_named_where_it_concerns_the_service() {
    let request = "---\napiVersion: autoscaling.x-k8s.io/v1\nkind: ProvisioningRequest\nmetadata: {name: q}\nspec: {provisioningClassName: best-effort-atomic-scale-up.autoscaling.x-k8s.io}\n";
    let sticky = "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {sessionAffinity: ClientIP}\n";
    let loaded = load_text(&format!("{SCENARIO}{request}{sticky}")).unwrap();
    assert_snapshot!(loaded.notes.join("\n"), @r"
    scenario.yaml: ProvisioningRequest/q: nodes that come all at once or not at all are left out
    scenario.yaml: Service/s: `sessionAffinity: ClientIP` keeps a client on one replica; that is left out
    ");
}

#[test]
fn an_unknown_kind_that_moves_the_service_stops_the_run_unless_it_is_ignored() {
    let deployment = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: c, resources: {limits: {nvidia.com/gpu: 1}}}]}}}\n";
    let scaler = "---\napiVersion: scale.example/v1\nkind: MagicScaler\nmetadata: {name: m}\nspec: {targetRef: {kind: Deployment, name: web}}\n";
    let scenario = with("    pod:\n      gpus: 1\n", "");
    assert_snapshot!(message(&format!("{scenario}{deployment}{scaler}")), @"scenario.yaml:30:1: MagicScaler/m: it moves the replicas of the service and is not modelled; `manifests: {ignore: [MagicScaler/m]}` of the scenario, or `init --ignore MagicScaler/m`, leaves it out all the same");
    let ignoring = scenario.replacen("  policies:", "  manifests: {ignore: [MagicScaler/m, Nothing]}\n  policies:", 1);
    let loaded = load_text(&format!("{ignoring}{deployment}{scaler}")).unwrap();
    assert_snapshot!(loaded.notes[0], @"manifests.ignore: there is no `Nothing` in the folder");
}

#[test]
fn a_slip_in_a_kind_or_a_key_is_shown_what_it_may_mean() {
    let kind = inert("apps/v1\nkind: Deploymnet", "a");
    let loaded = load_text(&format!("{SCENARIO}{kind}")).unwrap();
    assert_snapshot!(loaded.notes.join("\n"), @"scenario.yaml: Deploymnet/a: not a known kind of `apps/v1`: no effect; did you mean `Deployment`?");
    let hpa = HPA.replacen("  maxReplicas: 5", "  maxReplicas: 5\n  minReplica: 2\n  paused: true", 1);
    let loaded = load_text(&format!("{}---\n{hpa}", with("static: {replicas: 2}", "hpa: busy"))).unwrap();
    assert_snapshot!(loaded.notes.join("\n"), @r##"
    scenario.yaml: HorizontalPodAutoscaler/busy: spec.minReplica (line 34) is not known; did you mean `minReplicas`?
    no prometheus-adapter rules in these files: the default rules of its chart are assumed, for nv_inference_pending_request_count (`metrics.adapter: none` if the cluster has no adapter)
    fixed: nv_inference_pending_request_count of pods is answered by the adapter's default rule: sum(nv_inference_pending_request_count{}) by (pod)
    "##);
    assert_snapshot!(loaded.details.join("\n"), @"ignored: scenario.yaml: HorizontalPodAutoscaler/busy: spec.paused");
}

#[test]
fn the_last_of_two_documents_of_one_identity_counts() {
    let other = HPA.replacen("maxReplicas: 5", "maxReplicas: 9", 1);
    let elsewhere = HPA.replacen("name: busy", "name: busy\n  namespace: other", 1);
    let scenario = with("static: {replicas: 2}", "hpa: busy");
    let loaded = load_text(&format!("{scenario}---\n{HPA}---\n{other}---\n{elsewhere}")).unwrap();
    let cluster::spec::ControllerSpec::Hpa { spec, .. } = &loaded.spec.policies[0].services[0].controllers[0] else {
        panic!()
    };
    assert_eq!(spec.replicas_max, 9);
    assert_snapshot!(loaded.notes.join("\n"), @r##"
    scenario.yaml:40:1: HorizontalPodAutoscaler/busy again, first at scenario.yaml:27:1: the last counts
    no prometheus-adapter rules in these files: the default rules of its chart are assumed, for nv_inference_pending_request_count (`metrics.adapter: none` if the cluster has no adapter)
    fixed: nv_inference_pending_request_count of pods is answered by the adapter's default rule: sum(nv_inference_pending_request_count{}) by (pod)
    "##);
}

#[test]
fn of_a_key_given_twice_the_last_counts_in_a_manifest_and_none_in_a_scenario() {
    let twice = HPA.replacen("  maxReplicas: 5", "  maxReplicas: 4\n  maxReplicas: 5", 1);
    let loaded = load_text(&format!("{}---\n{twice}", with("static: {replicas: 2}", "hpa: busy"))).unwrap();
    assert_snapshot!(loaded.notes.join("\n"), @r##"
    scenario.yaml:34:3: key `maxReplicas` twice, first at line 33: the last counts
    no prometheus-adapter rules in these files: the default rules of its chart are assumed, for nv_inference_pending_request_count (`metrics.adapter: none` if the cluster has no adapter)
    fixed: nv_inference_pending_request_count of pods is answered by the adapter's default rule: sum(nv_inference_pending_request_count{}) by (pod)
    "##);
    assert_snapshot!(message(&with("    duration: 1h", "    duration: 1h\n    duration: 2h")), @"scenario.yaml:8:5: key `duration` is given twice; first at line 7");
}

#[test]
fn older_versions_of_an_autoscaler_say_the_same_in_their_own_words() {
    let hpa = |version: &str, spec: &str| {
        let text = format!(
            "apiVersion: autoscaling/{version}\nkind: HorizontalPodAutoscaler\nmetadata: {{name: busy}}\nspec:\n  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: inference}}\n  maxReplicas: 5\n{spec}"
        );
        let loaded = load_text(&format!("{}---\n{text}", with("static: {replicas: 2}", "hpa: busy"))).unwrap();
        let cluster::spec::ControllerSpec::Hpa { spec, .. } = &loaded.spec.policies[0].services[0].controllers[0]
        else {
            panic!()
        };
        (spec.metrics.clone(), loaded.notes)
    };
    let modern = |metric: &str| hpa("v2", &format!("  metrics:\n  - {metric}\n")).0;
    let cpu = modern("{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}");
    assert_eq!(hpa("v1", "  targetCPUUtilizationPercentage: 60\n").0, cpu);
    assert_eq!(
        hpa("v2beta1", "  metrics: [{type: Resource, resource: {name: cpu, targetAverageUtilization: 60}}]\n").0,
        cpu
    );
    let pods = modern(
        "{type: Pods, pods: {metric: {name: nv_inference_pending_request_count}, target: {type: AverageValue, averageValue: \"3\"}}}",
    );
    assert_eq!(
        hpa("v2beta1", "  metrics: [{type: Pods, pods: {metricName: nv_inference_pending_request_count, targetAverageValue: \"3\"}}]\n").0,
        pods
    );
    let (_, notes) = hpa(
        "v3",
        "  metrics: [{type: Pods, pods: {metric: {name: nv_inference_pending_request_count}, target: {type: AverageValue, averageValue: \"3\"}}}]\n",
    );
    assert_snapshot!(notes.join("\n"), @r##"
    scenario.yaml: HorizontalPodAutoscaler/busy: version `v3` is not known, read as `v2`
    no prometheus-adapter rules in these files: the default rules of its chart are assumed, for nv_inference_pending_request_count (`metrics.adapter: none` if the cluster has no adapter)
    fixed: nv_inference_pending_request_count of pods is answered by the adapter's default rule: sum(nv_inference_pending_request_count{}) by (pod)
    "##);
}

#[test]
fn folders_are_read_below_and_what_is_no_manifest_does_not_disturb() {
    let typed = "apiVersion: v1\nkind: ServiceList\nitems:\n- metadata: {name: a}\n- metadata: {name: b}\n";
    let loaded = folder(&[
        ("scenario.yaml", SCENARIO),
        ("data/prices.json", "{\"rows\": [1, 2]}"),
        ("data/lines.json", "{\"a\": 1}\n{\"a\": 2}\n"),
        ("deep/er/services.yml", typed),
        ("deep/compose.yaml", "services: {web: {image: x}}\n"),
        (".git/config.yaml", "- broken: ["),
        ("notes.txt", "not read"),
    ])
    .unwrap();
    assert!(loaded.notes.is_empty(), "{:?}", loaded.notes);
    assert_snapshot!(loaded.counted.join("\n"), @r"
    2 documents have no effect on the simulation: Service x2
    no manifests, left out: deep/compose.yaml, data/lines.json, data/prices.json
    ");
}

#[test]
fn a_scenario_further_down_is_another_one() {
    let loaded =
        folder(&[("scenario.yaml", SCENARIO), ("old/scenario.yaml", SCENARIO), ("old/hpa.yaml", HPA)]).unwrap();
    assert_snapshot!(loaded.notes.join("\n"), @"old: holds a scenario of its own, left out");
}

#[test]
fn templates_charts_and_patches_are_refused_with_the_command_that_renders_them() {
    let refused = |files: &[(&str, &str)]| folder(files).expect_err("must be refused");
    let template = "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\n";
    assert_snapshot!(refused(&[("Chart.yaml", "name: c"), ("templates/s.yaml", template)]), @"FOLDER: a Helm chart, whose templates are no manifests: render it first, `helm template NAME FOLDER [-f VALUES] | scalelab init --manifests - -o SCENARIO`");
    assert_snapshot!(refused(&[("scenario.yaml", SCENARIO), ("s.yaml", template)]), @"s.yaml:4:1: `{{ .Release.Name }}` is a template action, and templates are no manifests: render them first, `helm template NAME FOLDER | scalelab init --manifests - -o SCENARIO`");
    let patched = [
        ("scenario.yaml", SCENARIO),
        ("base/kustomization.yaml", "resources: [s.yaml]\n"),
        ("base/s.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"),
    ];
    assert_snapshot!(refused(&patched), @"base/kustomization.yaml: the manifests here are patched by kustomize: build them first, `kubectl kustomize base | scalelab init --manifests - -o SCENARIO`, or read them without their patches with `--plain`");
    assert_eq!(folder_with(&patched, true).unwrap().counted[0], "1 document has no effect on the simulation: Service");
}

#[test]
fn numbers_where_only_text_can_be_are_text_and_variables_where_numbers_belong_are_named() {
    let deployment = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, labels: {v: 1.10}}\nspec:\n  replicas: 1\n  template:\n    metadata: {labels: {build: 07, on: yes}}\n    spec: {containers: [{name: c, env: [{name: N, value: 3}], resources: {limits: {nvidia.com/gpu: 1}}}]}\n";
    let scenario = with("    pod:\n      gpus: 1\n", "");
    let loaded = load_text(&format!("{scenario}{deployment}")).unwrap();
    assert_eq!(
        loaded.spec.services[0].pod.labels,
        [("build".to_owned(), "07".to_owned()), ("on".to_owned(), "yes".to_owned())]
    );
    assert_snapshot!(loaded.counted[1], @"4 values are read as text, which the API server refuses without quotes: scenario.yaml:27:35: labels.v: `1.10`");
    let variable = deployment.replacen("replicas: 1", "replicas: ${REPLICAS}", 1);
    assert_snapshot!(message(&format!("{scenario}{variable}")), @"scenario.yaml:29:13: spec.replicas: unsubstituted variable `${REPLICAS}`, expected a whole number; put the value in first, as `envsubst < FILE` does");
}

#[test]
fn secrets_are_neither_kept_nor_told() {
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {token: hunter2}\n";
    let loaded = load(&[Input::Text { name: "f.yaml".to_owned(), text: format!("{SCENARIO}{secret}") }], &[]).unwrap();
    assert!(!loaded.documents.to_string().contains("hunter2"));
}
