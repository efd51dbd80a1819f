//! Manifests as users have them: strict where it matters, silent nowhere.

use cluster::spec::{Consolidation, ControllerSpec, PodDisruptionBudget};
use insta::assert_snapshot;
use policy::hpa::{MetricSpec, MetricTarget};
use units::SimDuration;

use crate::support::{HPA, load_text, message, with};

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 4
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: main
        image: web:1
        resources:
          limits: {nvidia.com/gpu: 1, cpu: 1500m, memory: 2Gi}
        readinessProbe:
          httpGet: {path: /, port: 80}
          periodSeconds: 3
        lifecycle:
          preStop:
            exec: {command: [sh, -c, sleep 7]}
";

fn deployed(extra: &str) -> String {
    let scenario = with("    pod:\n      gpus: 1\n", "");
    format!("{scenario}---\n{DEPLOYMENT}---\n{extra}")
}

#[test]
fn a_deployment_gives_the_pod_with_requests_taken_from_limits() {
    let loaded = load_text(&deployed("")).unwrap();
    let service = &loaded.spec.services[0];
    assert_eq!((service.name.as_str(), service.namespace.as_str(), service.replicas_initial), ("web", "shop", 4));
    let pod = &service.pod;
    assert_eq!((pod.gpus, pod.gpu_resource.as_str()), (1, "nvidia.com/gpu"));
    assert_eq!(pod.containers[0].cpu.unwrap().0, 1_500);
    assert_eq!(pod.containers[0].memory.unwrap().0, 2 << 30);
    assert_eq!((pod.probe_period, pod.pre_stop), (SimDuration::from_secs(3), SimDuration::from_secs(7)));
    assert_eq!(pod.grace, SimDuration::from_secs(30));
    assert!(loaded.notes.is_empty(), "{:?}", loaded.notes);
    assert_snapshot!(loaded.details.join("\n"), @"ignored: scenario.yaml: Deployment/web: spec.template.spec.containers[].readinessProbe.httpGet");
}

#[test]
fn an_hpa_keeps_its_quantities_and_its_missing_behavior() {
    let scenario = with("static: {replicas: 2}", "hpa: busy");
    let loaded = load_text(&format!("{scenario}---\n{HPA}")).unwrap();
    let ControllerSpec::Hpa { spec, manager } = &loaded.spec.policies[0].services[0].controllers[0] else {
        panic!("no HPA")
    };
    assert_eq!((spec.replicas_min, spec.replicas_max, manager.sync_period), (1, 5, SimDuration::from_secs(15)));
    assert!(spec.behavior.is_none(), "absent behavior must stay absent: the controller then takes another path");
    let MetricSpec::Pods { target, .. } = &spec.metrics[0] else { panic!("no Pods metric") };
    assert_eq!(*target, MetricTarget::AverageValue(1_500));
}

#[test]
fn a_hook_that_waits_drains_and_one_that_is_not_understood_is_told_of() {
    let loaded = |hook: &str| {
        let changed = DEPLOYMENT.replacen("exec: {command: [sh, -c, sleep 7]}", hook, 1);
        load_text(&deployed("").replacen(DEPLOYMENT, &changed, 1)).expect("a deployment")
    };
    let hook = |hook: &str| {
        let loaded = loaded(hook);
        let notes = loaded.notes.iter().filter(|note| note.contains("preStop hook of container `main`")).count();
        (loaded.spec.services[0].pod.pre_stop.as_secs_f64(), notes)
    };
    assert_eq!(hook("exec: {command: [sh, -c, sleep 7]}"), (7.0, 0));
    assert_eq!(hook("exec: {command: [sh, -c, \"/bin/sleep 5; nginx -s quit && sleep 1m\"]}"), (65.0, 0));
    assert_eq!(hook("exec: {command: [drain.sh]}"), (0.0, 1));
    assert_eq!(hook("httpGet: {path: /drain, port: 80}"), (0.0, 1));
    let waiting = "exec: {command: [sh, -c, \"while curl -s :80/metrics | grep -q busy; do sleep 2; done\"]}";
    assert_eq!(hook(waiting), (0.0, 1), "as long as it takes, not two seconds");
}

#[test]
fn a_slip_in_a_field_that_counts_is_shown_it() {
    let slip = DEPLOYMENT.replacen(
        "      containers:",
        "      nodeSelectr: {a: b}\n      tolerationz: []\n      containers:",
        1,
    );
    let loaded = load_text(&deployed("").replacen(DEPLOYMENT, &slip, 1)).unwrap();
    assert_snapshot!(loaded.notes.join("\n"), @r"
    scenario.yaml: Deployment/web: spec.template.spec.nodeSelectr (line 34) is not known; did you mean `nodeSelector`?
    scenario.yaml: Deployment/web: spec.template.spec.tolerationz (line 35) is not known; did you mean `tolerations`?
    ");
    assert!(loaded.details[0].ends_with("spec.template.spec.tolerationz"), "{:?}", loaded.details);
}

/// What Kubernetes would refuse is no default in silence.
#[test]
fn an_update_that_cannot_be_read_is_refused() {
    let wrong = |field: &str| {
        let manifest = DEPLOYMENT.replacen("  replicas: 4", &format!("  replicas: 4\n  {field}"), 1);
        message(&deployed("").replacen(DEPLOYMENT, &manifest, 1))
    };
    assert_snapshot!(wrong("strategy: {rollingUpdate: {maxSurge: 25 %}}"), @"scenario.yaml:30:40: spec.strategy.rollingUpdate.maxSurge: text `25 %`, expected a number of pods or a whole percentage such as `25%`");
    let seconds = wrong("minReadySeconds: ten");
    assert!(
        seconds.starts_with("scenario.yaml:30:") && seconds.contains("spec.minReadySeconds: text `ten`"),
        "{seconds}"
    );
}

/// Keys of mappings that are read by their paths: each slip with its line, once.
#[test]
fn a_slip_is_told_wherever_the_mapping_is_read() {
    let told = |from: &str, to: &str, meant: &str| {
        let slip = DEPLOYMENT.replacen(from, to, 1);
        let notes = load_text(&deployed("").replacen(DEPLOYMENT, &slip, 1)).unwrap().notes;
        let is_told = |note: &&String| note.contains("(line ") && note.ends_with(&format!("did you mean `{meant}`?"));
        assert_eq!(notes.iter().filter(is_told).count(), 1, "{to}: {notes:?}");
    };
    told("  replicas: 4", "  replica: 4", "replicas");
    told("  replicas: 4", "  replicas: 4\n  strategy: {rollingUpdate: {maxSurg: 1}}", "maxSurge");
    told("        image: web:1", "        image: web:1\n        startupProb: {}", "startupProbe");
    told("        image: web:1", "        image: web:1\n        lifecycl: {}", "lifecycle");
    let affinity =
        "      affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecutions: {}}}\n      containers:";
    told("      containers:", affinity, "requiredDuringSchedulingIgnoredDuringExecution");
    let scenario = with("static: {replicas: 2}", "hpa: busy");
    let behavior = "maxReplicas: 5\n  behavior: {scaleUp: {policy: []}}";
    let notes = load_text(&format!("{scenario}---\n{}", HPA.replacen("maxReplicas: 5", behavior, 1))).unwrap().notes;
    assert!(
        notes.iter().any(|note| note.ends_with("scaleUp.policy (line 34) is not known; did you mean `policies`?")),
        "{notes:?}"
    );
}

#[test]
fn a_monitor_that_looks_where_no_server_shows_metrics_is_told() {
    let told = |path: &str| {
        let monitor = format!(
            "---\napiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata: {{name: web}}\nspec:\n  selector: {{matchLabels: {{app: web}}}}\n  podMetricsEndpoints: [{{port: http, path: {path}}}]\n"
        );
        let notes = load_text(&format!("{}{monitor}", deployed(""))).unwrap().notes;
        notes.into_iter().find(|note| note.contains("no server shows metrics"))
    };
    assert!(told("/metric").is_some_and(|note| note.ends_with("did you mean `/metrics`?")));
    assert_eq!(["/metrics", "/v2/metrics", "/stats/prometheus"].map(told), [None, None, None]);
}

#[test]
fn a_resource_metric_that_no_metrics_server_has_is_told() {
    let scenario = with("static: {replicas: 2}", "hpa: busy");
    let start = HPA.find("  metrics:").unwrap();
    let metric = "  metrics:\n  - {type: Resource, resource: {name: nvidia.com/gpu, target: {type: Utilization, averageUtilization: 70}}}\n";
    let notes = load_text(&format!("{scenario}---\n{}{metric}", &HPA[..start])).unwrap().notes;
    let told = notes
        .iter()
        .filter(|note| note.contains("`nvidia.com/gpu` fails at every pass") && note.starts_with("scenario.yaml:"));
    assert_eq!(told.count(), 1, "{notes:?}");
}

#[test]
fn manifest_values_the_api_server_would_refuse_are_refused() {
    let scenario = with("static: {replicas: 2}", "hpa: busy");
    let broken = |old: &str, new: &str| message(&format!("{scenario}---\n{}", HPA.replacen(old, new, 1)));
    assert_snapshot!(broken("maxReplicas: 5", "maxReplicas: 5\n  minReplicas: 0"), @"scenario.yaml:34:16: spec.minReplicas: 0 needs at least one Object or External metric: per-pod metrics say nothing without pods");
    assert_snapshot!(broken("maxReplicas: 5", "maxReplicas: 5\n  minReplicas: 6"), @"scenario.yaml:33:16: spec.maxReplicas: 5 is below minReplicas 6");
    assert_snapshot!(broken("\"1500m\"", "\"1500x\""), @"scenario.yaml:38:50: spec.metrics[0].pods.target.averageValue: text `1500x`, expected a Kubernetes quantity such as `500m`, `4` or `16Gi`");
    assert_snapshot!(broken("type: AverageValue", "type: Value"), @"scenario.yaml:38:15: spec.metrics[0].pods.target.value: missing, though `type` is Value");
    assert_snapshot!(broken("  maxReplicas: 5", "  maxReplicas: 5\n  behavior: {scaleUp: {stabilizationWindowSeconds: 7200}}"), @"scenario.yaml:34:52: spec.behavior.scaleUp.stabilizationWindowSeconds: must be at most 3600");
}

#[test]
fn a_budget_binds_only_the_pods_it_selects() {
    let budget = |label: &str| {
        format!(
            "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: b}}\nspec: {{maxUnavailable: 25%, selector: {{matchLabels: {{app: {label}}}}}}}\n"
        )
    };
    let bound = load_text(&deployed(&budget("web"))).unwrap();
    assert_eq!(bound.spec.services[0].budgets, [PodDisruptionBudget::UnavailableMaxPercent(25.0)]);
    let free = load_text(&deployed(&budget("other"))).unwrap();
    assert!(free.spec.services[0].budgets.is_empty());
    assert_snapshot!(free.notes.last().unwrap(), @"ignored: scenario.yaml: PodDisruptionBudget/b: selects no pod of the service");
}

/// A NodePool of some version with this `disruption`.
fn node_pool(version: &str, disruption: &str) -> String {
    format!(
        "apiVersion: karpenter.sh/{version}\nkind: NodePool\nmetadata: {{name: gpu-pool}}\nspec:\n  weight: 5\n  limits: {{nvidia.com/gpu: 8}}\n  disruption: {disruption}\n  template:\n    spec:\n      nodeClassRef: {{name: default}}\n      requirements:\n      - {{key: karpenter.k8s.aws/instance-family, operator: In, values: [g5]}}\n      - {{key: karpenter.sh/capacity-type, operator: In, values: [spot, on-demand]}}\n"
    )
}

#[test]
fn node_pools_of_each_version_have_their_own_defaults() {
    let pool = |manifest: &str| load_text(&deployed(manifest)).unwrap().spec.fleet.pools[1].clone();
    let v1 = pool(&node_pool("v1", "{}"));
    let notes = load_text(&deployed(&node_pool("v1", "{}"))).unwrap().notes;
    let unoffered = "not offered for want of a price: spot capacity of NodePool/gpu-pool";
    assert!(notes.iter().any(|note| note == unoffered), "{notes:?}");
    assert_eq!((v1.weight, v1.gpus_max, v1.offerings.len()), (5, Some(8), 1));
    assert_eq!(v1.consolidation, Consolidation::WhenEmptyOrUnderutilized(SimDuration::ZERO));
    assert_eq!(v1.expire_after, Some(SimDuration::from_secs(720 * 3_600)));
    let beta =
        pool(&node_pool("v1beta1", "{consolidationPolicy: WhenEmpty, consolidateAfter: 30s, expireAfter: Never}"));
    assert_eq!(beta.consolidation, Consolidation::WhenEmpty(SimDuration::from_secs(30)));
    assert_eq!(beta.expire_after, None);
    let provisioner = "apiVersion: karpenter.sh/v1alpha5\nkind: Provisioner\nmetadata: {name: old}\nspec: {}\n";
    let alpha = pool(provisioner);
    assert_eq!((alpha.consolidation, alpha.expire_after), (Consolidation::Never, None));
}

#[test]
fn node_pool_mistakes_are_named() {
    assert_snapshot!(message(&deployed(&node_pool("v1", "{consolidationPolicy: WhenUnderutilized}"))), @"scenario.yaml:52:15: spec.disruption: v1 calls `WhenUnderutilized` `WhenEmptyOrUnderutilized`");
    assert_snapshot!(message(&deployed(&node_pool("v1beta1", "{consolidateAfter: 30s}"))), @"scenario.yaml:52:15: spec.disruption: v1beta1 refuses `consolidateAfter` with `WhenUnderutilized`");
    let spaced = node_pool("v1", "{consolidationPolicy: WhenEmpty, consolidateAfter: 30 s}");
    assert_snapshot!(message(&deployed(&spaced)), @"scenario.yaml:52:66: spec.disruption.consolidateAfter: text `30 s`, expected a duration such as `720h` or `Never`");
    let unpriced =
        node_pool("v1", "{}").replacen("karpenter.k8s.aws/instance-family", "node.kubernetes.io/instance-type", 1);
    assert_snapshot!(message(&deployed(&unpriced)), @"scenario.yaml:57:9: spec.template.spec.requirements: `node.kubernetes.io/instance-type In [g5]`: no machine of aws is called that");
    let unknown = unpriced.replacen("[g5]", "[g5.xlarge, g5.2xlarge]", 1);
    assert_snapshot!(message(&deployed(&unknown)), @"scenario.yaml:57:9: spec.template.spec.requirements: instance type `g5.2xlarge` has no entry under `prices` of the scenario");
}

#[test]
fn a_config_map_may_hold_the_adapter_rules() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: adapter-config}\ndata:\n  config.yaml: |\n    rules:\n    - seriesQuery: up\n      metricsQuery: sum(up) by (<<.GroupBy>>)\n";
    let loaded = load_text(&deployed(map)).unwrap();
    assert_eq!(loaded.spec.metrics.adapter.unwrap().custom.len(), 1);
    let slip = map.replacen("metricsQuery", "metricQuery", 1);
    assert_snapshot!(message(&deployed(&slip)), @"scenario.yaml:53:7: rules[0]: unknown key `metricQuery`; did you mean `metricsQuery`? (one of: seriesQuery, seriesFilters, resources, name, metricsQuery)");
    let broken = map.replacen("<<.GroupBy>>", "<<.Pod>>", 1);
    assert_snapshot!(message(&deployed(&broken)), @r##"scenario.yaml:52:7: rules[0]: template "sum(up) by (<<.Pod>>)": cannot use <<.Pod>>; supported are .Series, .LabelMatchers, .GroupBy, index .GroupBySlice 0, index .LabelValuesByName "label" and, in resources, .Group and .Resource"##);
}

#[test]
fn a_scaled_object_is_admitted_as_keda_would() {
    let object = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: so}\nspec:\n  scaleTargetRef: {name: web}\n  minReplicaCount: 3\n  maxReplicaCount: 2\n  triggers:\n  - type: prometheus\n    metadata: {serverAddress: http://p, query: sum(x), threshold: \"1\"}\n";
    let scenario = with("static: {replicas: 2}", "keda: so").replacen("    pod:\n      gpus: 1\n", "", 1);
    assert_snapshot!(message(&format!("{scenario}---\n{DEPLOYMENT}---\n{object}")), @"scenario.yaml:50:3: spec: minReplicaCount 3 is above maxReplicaCount 2");
    let unquoted = object.replacen("\"1\"", "1", 1);
    assert_snapshot!(message(&format!("{scenario}---\n{DEPLOYMENT}---\n{unquoted}")), @r#"scenario.yaml:55:67: spec.triggers[0].metadata.threshold: number `1`, expected text; put it in quotes: "1""#);
}
