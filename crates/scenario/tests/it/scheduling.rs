//! What manifests say of where pods may run, read and said back.

use insta::assert_snapshot;

use cluster::spec::{LabelOperator, PlacementKind, Protection, TaintEffect};
use units::SimDuration;

use crate::support::{SCENARIO, load_text, message};

/// A Deployment whose pod template has these annotations, labels aside, and these fields below `spec` and of its container.
fn deployment(annotations: &str, pod: &str, container: &str) -> String {
    let scenario = SCENARIO.replacen("    pod:\n      gpus: 1\n", "", 1);
    format!(
        "{scenario}---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: shop}}\nspec:\n  template:\n    metadata: {{labels: {{app: web}}, annotations: {{{annotations}}}}}\n    spec:\n{pod}      containers:\n      - name: main\n        image: web:1\n        readinessProbe: {{httpGet: {{path: /, port: 80}}}}\n        resources: {{limits: {{nvidia.com/gpu: 1, cpu: 2}}}}\n{container}"
    )
}

fn with_pod(pod: &str) -> String {
    deployment("", pod, "")
}

#[test]
fn required_affinities_and_hard_spreads_reach_the_model() {
    let pod = "      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
            - matchExpressions:
              - {key: node.kubernetes.io/instance-type, operator: NotIn, values: [g4dn.xlarge]}
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
          - {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}
          - {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: db}}}
      topologySpreadConstraints:
      - {maxSkew: 2, topologyKey: topology.kubernetes.io/zone, minDomains: 3, labelSelector: {matchLabels: {app: web}}}
      - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: web}}}
      tolerations:
      - {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}
";
    let loaded = load_text(&with_pod(pod)).unwrap();
    let pod = &loaded.spec.services[0].pod;
    let rule = &pod.scheduling.node_terms[0].labels[0];
    assert_eq!((rule.operator, rule.values.as_slice()), (LabelOperator::NotIn, &["g4dn.xlarge".to_owned()][..]));
    let kinds: Vec<PlacementKind> = pod.scheduling.placement.iter().map(|rule| rule.kind).collect();
    let spread = PlacementKind::Spread { skew_max: 2, domains_min: 3, honors_taints: false, honors_affinity: true };
    assert_eq!(kinds, [PlacementKind::Apart, spread]);
    assert!(pod.spread.nodes, "the soft constraint stays a preference");
    assert_eq!(pod.scheduling.tolerations[0].effect, Some(TaintEffect::NoSchedule));
    let about_others = loaded.notes.iter().filter(|note| note.contains("is about other pods than the service's own"));
    assert_eq!(about_others.count(), 1, "{:?}", loaded.notes);
}

#[test]
fn a_pod_that_no_pool_can_hold_is_refused_with_the_failing_term_of_each() {
    let term = "      affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: node.kubernetes.io/instance-type, operator: In, values: [p5.48xlarge]}]}]}}}\n";
    assert_eq!(
        message(&with_pod(term)),
        "scenario.yaml:16:5: spec.nodes: pool `gpu` can never hold the pod: its required node affinity (node.kubernetes.io/instance-type In [p5.48xlarge]) does not meet nodes of g5.xlarge"
    );
    let tainted = with_pod("").replacen(
        "      instanceTypes: [g5.xlarge]\n",
        "      instanceTypes: [g5.xlarge]\n      taints: [{key: dedicated, value: research, effect: NoSchedule}]\n",
        1,
    );
    assert_eq!(
        message(&tainted),
        "scenario.yaml:16:5: spec.nodes: pool `gpu` can never hold the pod: it does not tolerate the taint `dedicated=research:NoSchedule` of its nodes"
    );
}

#[test]
fn mistakes_the_api_server_would_refuse_are_refused() {
    for (pod, reason) in [
        (
            "      tolerations: [{operator: Equal, value: x}]\n",
            "an empty key tolerates everything and needs `operator: Exists`",
        ),
        (
            "      topologySpreadConstraints: [{maxSkew: 0, topologyKey: kubernetes.io/hostname}]\n",
            "maxSkew must be at least 1",
        ),
        (
            "      affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: gen, operator: Gt, values: [five]}]}]}}}\n",
            "`gen`: Gt takes one whole number",
        ),
    ] {
        let message = message(&with_pod(pod));
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn annotations_priorities_quotas_and_limit_ranges_are_read() {
    let more = "\
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: gold}
value: 1000
preemptionPolicy: Never
";
    let text = deployment("karpenter.sh/do-not-disrupt: 30m", "      priorityClassName: gold\n", "");
    let loaded = load_text(&format!("{text}{more}")).unwrap();
    let pod = &loaded.spec.services[0].pod;
    assert_eq!(pod.scheduling.protection, Protection::Until(SimDuration::from_secs(1_800)));
    assert_eq!((pod.priority, pod.scheduling.never_preempts), (1_000, true));
    let odd = load_text(&deployment("karpenter.sh/do-not-disrupt: sometimes", "", "")).unwrap();
    assert_eq!(odd.spec.services[0].pod.scheduling.protection, Protection::None);
    assert!(odd.notes.iter().any(|note| note.contains("do-not-disrupt: sometimes")), "{:?}", odd.notes);
}

#[test]
fn a_startup_probe_that_is_too_short_is_said_before_the_run() {
    let probes = |threshold: u32| {
        let container = format!("        startupProbe: {{periodSeconds: 10, failureThreshold: {threshold}}}\n");
        let text = deployment("", "", &container).replacen(
            "  prices:",
            "  coldStart: {modelDownload: 5m, gpuLoad: 60s, cudaWarmUp: 60s}\n  prices:",
            1,
        );
        let notes = load_text(&text).unwrap().notes;
        notes.into_iter().find(|note| note.contains("startupProbe"))
    };
    assert_eq!(probes(50), None);
    let never = "the startupProbe allows 300 s, the load takes 420 s (95 % within 420 s): no start succeeds";
    assert_eq!(probes(30).as_deref(), Some(never));
    // A window of 425 s ends 0 to 10 s early: half of the starts of 420 s are in time.
    let half = probes(42).unwrap();
    assert!(half.contains("% of starts are killed") || half.contains("no start succeeds"), "{half}");
}

#[test]
fn a_window_without_a_schedule_karpenter_can_read_is_said() {
    let pool = "\
---
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: l4}
spec:
  template: {spec: {requirements: [{key: node.kubernetes.io/instance-type, operator: In, values: [g5.xlarge]}]}}
  disruption: {budgets: [{nodes: \"0\", schedule: \"0 0 * * sat-sun\", duration: 48h}]}
";
    let loaded = load_text(&format!("{SCENARIO}{pool}")).unwrap();
    assert!(
        loaded
            .notes
            .iter()
            .any(|note| note.contains("budgets[0].schedule `0 0 * * sat-sun` is no schedule to Karpenter's parser")),
        "{:?}",
        loaded.notes
    );
    let words = pool.replacen("0 0 * * sat-sun", "at midnight", 1);
    assert!(message(&format!("{SCENARIO}{words}")).contains("the API server takes five fields"));
}

#[test]
fn capacity_of_a_node_pool_manifest_is_said_by_its_name() {
    let pool = "\
---
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: gpu}
spec:
  template: {spec: {requirements: [{key: node.kubernetes.io/instance-type, operator: In, values: [g5.xlarge]}]}}
";
    let with = |entry: &str| {
        let scenario = SCENARIO.replacen("    - name: gpu\n      instanceTypes: [g5.xlarge]\n", entry, 1);
        format!("{scenario}{pool}")
    };
    let loaded = load_text(&with("    - {name: gpu, capacity: {on-demand: {instancesMax: 2}}}\n")).unwrap();
    let pools = &loaded.spec.fleet.pools;
    assert_eq!((pools.len(), pools[0].offerings[0].capacity_max), (1, Some(2)));
    let refused = message(&with("    - {name: gpu, weight: 3}\n"));
    assert!(refused.contains("`gpu` is a pool of a manifest, which decides on `weight`"), "{refused}");
    let missing = message(&with("    - {name: gqu, capacity: {on-demand: {instancesMax: 2}}}\n"));
    assert!(missing.ends_with("`instanceTypes` is missing, and no NodePool manifest is called `gqu`"), "{missing}");
}

#[test]
fn a_pod_without_an_accelerator_on_machines_that_have_them_is_told_of() {
    let note = |text: &str| load_text(text).unwrap().notes.into_iter().find(|note| note.contains("no accelerator"));
    assert_eq!(note(&with_pod("")), None);
    assert_snapshot!(note(&with_pod("").replacen("nvidia.com/gpu: 1, cpu: 2", "cpu: 2", 1)).unwrap(), @"the pod asks for no accelerator, and all machines have some: as many pods share one as its CPU and memory hold, and a cluster shows none of them a GPU (`resources: {limits: {nvidia.com/gpu: 1}}` would)");
}

#[test]
fn a_quota_on_limits_is_named_as_one_that_does_not_count() {
    let quota = "---\napiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q, namespace: shop}\nspec: {hard: {limits.cpu: \"6\", services: \"3\"}}\n";
    let loaded = load_text(&format!("{}{quota}", with_pod(""))).unwrap();
    let notes: Vec<&String> = loaded.notes.iter().filter(|note| note.contains("ResourceQuota")).collect();
    assert_snapshot!(notes[0], @"ResourceQuota/q: limits.cpu counts the limits of pods, which are not kept here; taken as not there");
    assert_eq!(notes.len(), 1, "{notes:?}");
}

/// The pod of a template with these fields below `spec`.
fn pod_with(fields: &str) -> cluster::spec::PodSpec {
    load_text(&with_pod(fields)).unwrap().spec.services[0].pod.clone()
}

#[test]
fn a_gate_that_somebody_else_opens_is_said() {
    let loaded =
        load_text(&with_pod("      readinessGates: [{conditionType: target-health.elbv2.k8s.aws/tg}]\n")).unwrap();
    let said =
        |note: &&String| note.starts_with("readinessGates (target-health.elbv2.k8s.aws/tg): pods are ready later");
    assert_eq!(loaded.notes.iter().filter(said).count(), 1, "{:?}", loaded.notes);
}

#[test]
fn sidecars_count_beside_the_containers() {
    let pod = pod_with(
        "      initContainers:\n      - {name: mesh, restartPolicy: Always, resources: {requests: {cpu: 500m, memory: 1Gi}}}\n",
    );
    assert_eq!(pod.millicores(), 2_500);
    assert_eq!(pod.containers.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["main", "mesh"]);
}

#[test]
fn the_webhook_of_keda_asks_for_no_request_of_a_sidecar_and_the_hpa_does() {
    let scaled = |pod: &str| {
        let object = "---\napiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: so, namespace: shop}\nspec:\n  scaleTargetRef: {name: web}\n  minReplicaCount: 1\n  triggers:\n  - {type: cpu, metricType: Utilization, metadata: {value: \"70\"}}\n";
        let scenario = with_pod(pod).replacen("static: {replicas: 2}", "keda: so", 1);
        load_text(&(scenario.replacen("  service:\n", "  service:\n    usage: guess\n", 1) + object))
    };
    let loaded = scaled("      initContainers: [{name: mesh, restartPolicy: Always}]\n").unwrap();
    let said = |note: &&String| note.starts_with("fixed: missing request for cpu in container mesh: the metric fails");
    assert_eq!(loaded.notes.iter().filter(said).count(), 1, "{:?}", loaded.notes);
    assert!(!scaled("").unwrap().notes.iter().any(|note| note.contains("missing request")));
}

#[test]
fn an_init_container_counts_as_far_as_it_asks_for_more_than_what_runs_later() {
    let init = |before: &str, after: &str| {
        pod_with(&format!(
            "      initContainers:\n{before}      - {{name: fetch, resources: {{requests: {{cpu: 3, memory: 4Gi}}}}}}\n{after}"
        ))
    };
    let sidecar = "      - {name: mesh, restartPolicy: Always, resources: {requests: {cpu: 500m}}}\n";
    assert_eq!(init("", "").millicores(), 3_000);
    assert_eq!(init("", "").containers.len(), 1, "it is gone when the pod runs");
    assert_eq!(init("", "").bytes(), 4 << 30);
    assert_eq!(init(sidecar, "").millicores(), 3_500, "it runs beside the sidecars before it");
    assert_eq!(init("", sidecar).millicores(), 3_000);
}

#[test]
fn resources_of_the_pod_as_a_whole_take_the_place_of_the_sum() {
    assert_eq!(pod_with("      resources: {requests: {cpu: 3, memory: 2Gi}}\n").millicores(), 3_000);
    let only_limits = pod_with("      resources: {limits: {cpu: 3, memory: 2Gi}}\n");
    assert_eq!(only_limits.millicores(), 2_000, "a container says what it asks for");
    assert_eq!(only_limits.bytes(), 2 << 30, "no container does");
    let refused = |fields: &str, said: &str| {
        let told = message(&with_pod(fields));
        assert!(told.contains(said), "{told}");
    };
    refused(
        "      resources: {requests: {cpu: 1}}\n",
        "resources.requests.cpu: is less cpu than its containers ask for together",
    );
    refused(
        "      resources: {limits: {nvidia.com/gpu: 1}}\n",
        "`nvidia.com/gpu` belongs to the resources of a container",
    );
}

#[test]
fn pods_that_want_a_port_of_the_node_stand_on_nodes_of_their_own() {
    let apart = |pod: &str, container: &str| {
        let loaded = load_text(&deployment("", pod, container)).unwrap();
        loaded.spec.services[0].pod.scheduling.placement.iter().any(|rule| rule.kind == PlacementKind::Apart)
    };
    assert!(apart("", "        ports: [{containerPort: 80, hostPort: 8080}]\n"));
    assert!(apart("      hostNetwork: true\n", "        ports: [{containerPort: 80}]\n"));
    assert!(!apart("", "        ports: [{containerPort: 80}]\n"));
    assert!(!apart("      hostNetwork: true\n", ""));
}
