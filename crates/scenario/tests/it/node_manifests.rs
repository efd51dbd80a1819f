//! Manifests around nodes: what runs on all of them, what is kept on them, by which prices and in which order they are chosen.

use cluster::spec::{NodeManager, PriceOverlay};
use record::Purchase;
use scenario::Loaded;

use crate::support::{SCENARIO, load_text, message};

/// A Deployment with this below its pod's `spec`, in a scenario without pools and with the prices of the catalog.
fn folder(pod: &str, others: &str) -> String {
    let scenario = SCENARIO
        .replacen("    pod:\n      gpus: 1\n", "", 1)
        .replacen("  nodes:\n    pools:\n    - name: gpu\n      instanceTypes: [g5.xlarge]\n", "", 1)
        .replacen("  prices:\n    g5.xlarge: {onDemand: $1.01/h}\n", "  prices: {catalog: embedded}\n", 1);
    format!(
        "{scenario}---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n{pod}      containers:\n      - name: main\n        image: web:1\n        readinessProbe: {{httpGet: {{path: /, port: 80}}}}\n        resources: {{limits: {{nvidia.com/gpu: 1, cpu: 3900m, memory: 13Gi}}}}\n---\n{others}"
    )
}

/// A NodePool of EC2 machines with this requirement.
fn node_pool(requirement: &str) -> String {
    format!(
        "apiVersion: karpenter.sh/v1\nkind: NodePool\nmetadata: {{name: gpus}}\nspec:\n  template:\n    spec:\n      nodeClassRef: {{group: karpenter.k8s.aws, kind: EC2NodeClass, name: gpus}}\n      requirements:\n      - {{key: karpenter.sh/capacity-type, operator: In, values: [on-demand]}}\n      - {{key: kubernetes.io/arch, operator: In, values: [amd64]}}\n      - {{{requirement}}}\n---\n"
    )
}

const NVIDIA: &str = "key: karpenter.k8s.aws/instance-gpu-manufacturer, operator: In, values: [nvidia]";

/// The cheapest type that holds the pod.
fn cheapest(loaded: &Loaded) -> String {
    let (pools, pod) = (&loaded.spec.fleet.pools, &loaded.spec.services[0].pod);
    let named = cluster::spec::named_labels(pools);
    let offerings = pools.iter().flat_map(|pool| pool.offerings.iter().map(move |offering| (pool, offering)));
    let fitting = offerings.filter(|(pool, offering)| cluster::spec::slots(offering, (pool, &named), pod) > 0);
    let (_, first) = fitting.min_by_key(|(_, offering)| offering.prices[0].1).expect("some type holds the pod");
    first.instance_type.clone()
}

fn daemon(cpu: &str, pod: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: agent}}\nspec: {{template: {{spec: {{{pod}containers: [{{name: a, image: a, resources: {{requests: {{cpu: {cpu}}}}}}}]}}}}}}\n---\n"
    )
}

#[test]
fn a_daemon_set_takes_its_requests_of_the_nodes_it_may_run_on() {
    let load = |others: &str| load_text(&folder("", &(node_pool(NVIDIA) + others))).unwrap();
    // 3920m are allocatable on g4dn.xlarge and on g6.xlarge (machines.md section 11).
    assert_eq!(cheapest(&load("")), "g4dn.xlarge");
    let loaded = load(&daemon("50m", ""));
    assert_eq!(cheapest(&loaded), "g4dn.2xlarge");
    assert!(
        loaded.notes.iter().any(|note| note.starts_with("DaemonSet/agent take up to 50m of CPU")),
        "{:?}",
        loaded.notes
    );
    let elsewhere = "nodeSelector: {karpenter.k8s.aws/instance-family: g5}, ";
    assert_eq!(cheapest(&load(&daemon("50m", elsewhere))), "g4dn.xlarge");
}

#[test]
fn the_overhead_of_a_runtime_class_counts_and_its_selector_binds() {
    let class = "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: kata}\nhandler: kata\noverhead: {podFixed: {cpu: 100m, memory: 1Gi}}\nscheduling: {nodeSelector: {karpenter.k8s.aws/instance-family: g5}}\n";
    let text = folder("      runtimeClassName: kata\n", &(node_pool(NVIDIA) + class));
    let loaded = load_text(&text).unwrap();
    assert_eq!(loaded.spec.services[0].pod.millicores(), 4_000);
    assert_eq!(cheapest(&loaded), "g5.2xlarge");
    let clash = text.replacen(
        "      runtimeClassName",
        "      nodeSelector: {karpenter.k8s.aws/instance-family: g6}\n      runtimeClassName",
        1,
    );
    assert!(message(&clash).contains("the API server refuses it"), "{}", message(&clash));
}

#[test]
fn an_overlay_is_on_the_machines_it_names_and_the_heaviest_counts() {
    let overlay = |name: &str, weight: u32, price: &str| {
        format!(
            "apiVersion: karpenter.sh/v1alpha1\nkind: NodeOverlay\nmetadata: {{name: {name}}}\nspec: {{weight: {weight}, requirements: [{{key: karpenter.k8s.aws/instance-family, operator: In, values: [g5]}}], {price}}}\n---\n"
        )
    };
    let overlays = overlay("light", 1, "price: \"9\"") + &overlay("heavy", 10, "priceAdjustment: \"-40%\"");
    let loaded = load_text(&folder("", &(node_pool(NVIDIA) + &overlays))).unwrap();
    for offering in &loaded.spec.fleet.pools[0].offerings {
        let is_named = offering.instance_type.starts_with("g5.");
        let expected = is_named.then_some(PriceOverlay::Share(-0.4));
        assert_eq!(offering.overlay, expected, "{}", offering.instance_type);
    }
    let wrong = folder("", &(node_pool(NVIDIA) + &overlay("wrong", 1, "priceAdjustment: \"40%\"")));
    assert!(message(&wrong).contains("priceAdjustment: `40%` is neither an amount nor a share"), "{}", message(&wrong));
}

fn buffer(spec: &str) -> String {
    format!(
        "apiVersion: autoscaling.x-k8s.io/v1beta1\nkind: CapacityBuffer\nmetadata: {{name: spare}}\nspec: {{{spec}}}\n---\n"
    )
}

#[test]
fn a_buffer_keeps_room_for_every_policy() {
    let ours = "scalableRef: {apiGroup: apps, kind: Deployment, name: web}";
    let kept = |spec: &str| {
        let loaded = load_text(&folder("", &(node_pool(NVIDIA) + &buffer(spec)))).unwrap();
        loaded.spec.policies[0].services[0].pause_pods.map(|room| (room.count, room.percent, room.is_room))
    };
    assert_eq!(kept(&format!("{ours}, replicas: 2")), Some((2, 0, true)));
    assert_eq!(kept(&format!("{ours}, percentage: 30")), Some((0, 30, true)));
    assert_eq!(kept(&format!("{ours}, replicas: 5, limits: {{nvidia.com/gpu: 3}}")), Some((3, 0, true)));
    assert_eq!(kept(&format!("{ours}, limits: {{cpu: 8}}")), Some((2, 0, true)));
    assert_eq!(kept("scalableRef: {kind: Deployment, name: other}, replicas: 2"), None);
    let nothing = folder("", &(node_pool(NVIDIA) + &buffer(ours)));
    assert!(message(&nothing).contains("without them it keeps nothing"), "{}", message(&nothing));
}

fn class(rules: &str, more: &str) -> String {
    format!(
        "apiVersion: cloud.google.com/v1\nkind: ComputeClass\nmetadata: {{name: fast}}\nspec:\n  priorities:\n{rules}  nodePoolAutoCreation: {{enabled: true}}\n{more}"
    )
}

const ASKS: &str = "      nodeSelector: {cloud.google.com/compute-class: fast}\n";

#[test]
fn a_compute_class_is_pools_in_its_order_on_gkes_own_autoscaler() {
    let rules = "  - {machineFamily: g2, spot: true, gpu: {type: nvidia-l4, count: 1}}\n  - {machineFamily: g2, gpu: {type: nvidia-l4, count: 1}}\n  - {machineType: a3-highgpu-1g}\n";
    let policy = "  autoscalingPolicy: {consolidationDelayMinutes: 4, gpuConsolidationThreshold: 30}\n";
    let loaded = load_text(&folder(ASKS, &class(rules, policy))).unwrap();
    let pools: Vec<(&str, u32, Purchase, &str)> = loaded
        .spec
        .fleet
        .pools
        .iter()
        .map(|pool| {
            let first = &pool.offerings[0];
            (pool.name.as_str(), pool.weight, first.purchase, first.instance_type.as_str())
        })
        .collect();
    assert_eq!(
        pools,
        [
            ("fast/0", 3, Purchase::Spot, "g2-standard-4"),
            ("fast/1", 2, Purchase::OnDemand, "g2-standard-4"),
            ("fast/2", 1, Purchase::OnDemand, "a3-highgpu-1g"),
        ]
    );
    assert!(loaded.spec.fleet.pools[..2].iter().flat_map(|pool| &pool.offerings).all(|one| one.gpus == 1));
    let NodeManager::ClusterAutoscaler(settings) = &loaded.spec.fleet.manager else { panic!("GKE's autoscaler") };
    assert_eq!((settings.unneeded_time.as_secs_f64(), settings.gpu_utilization_threshold), (240.0, 0.3));
}

#[test]
fn what_a_class_cannot_be_is_said() {
    let typo = folder(ASKS, &class("  - {machineFamily: g2, gpu: {type: nvidia-l40}}\n", ""));
    assert!(
        message(&typo).contains("gpu.type: no machine with accelerators has `nvidia-l40`; did you mean `nvidia-l4`?"),
        "{}",
        message(&typo)
    );
    let lost = load_text(&folder(
        ASKS,
        &class(
            "  - {machineType: a3-highgpu-8g, flexStart: {enabled: true}, maxRunDurationSeconds: 600}\n",
            "  activeMigration: {optimizeRulePriority: true}\n",
        ),
    ))
    .unwrap();
    let said = lost.notes.join("\n");
    for part in ["flexStart", "maxRunDurationSeconds", "activeMigration"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let manual = class("  - {machineFamily: g2}\n", "").replace("enabled: true", "enabled: false");
    assert!(message(&folder(ASKS, &manual)).contains("there is no pool"));
}

#[test]
fn preferences_and_required_terms_reach_the_model_heaviest_first() {
    let pod = "      affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: karpenter.k8s.aws/instance-family, operator: In, values: [g5]}]}}, {weight: 50, preference: {matchExpressions: [{key: nobody.knows/it, operator: Exists}]}}]}}\n";
    let loaded = load_text(&folder(pod, &node_pool(NVIDIA))).unwrap();
    let weights: Vec<u32> = loaded.spec.services[0].pod.scheduling.preferred.iter().map(|one| one.weight).collect();
    assert_eq!(weights, [50, 1]);
    let said = loaded.notes.iter().filter(|note| note.contains("taken as not there")).count();
    assert_eq!(said, 1, "{:?}", loaded.notes);
}

#[test]
fn the_autoscaler_of_the_folder_is_the_one_with_its_flags() {
    let autoscaler = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: cluster-autoscaler}\nspec: {template: {spec: {containers: [{name: ca, image: 'registry.k8s.io/autoscaling/cluster-autoscaler:v1.33.0', command: [./cluster-autoscaler, --v=4, --scale-down-unneeded-time=3m, --expander=priority, --scale-down-uneeded-time=3m]}]}}}\n";
    let pools = "  nodes: {pools: [{name: gpu, instanceTypes: [g5.xlarge], gpuLabel: false}]}\n  policies:";
    let text = folder("", autoscaler).replacen("  policies:", pools, 1).replacen(
        "  service:\n",
        "  service:\n    workload: Deployment/web\n",
        1,
    );
    let loaded = load_text(&text).unwrap();
    let NodeManager::ClusterAutoscaler(settings) = &loaded.spec.fleet.manager else {
        panic!("the folder's autoscaler")
    };
    assert_eq!(settings.unneeded_time.as_secs_f64(), 180.0);
    assert!(loaded.spec.fleet.pools[0].rules.lacks_gpu_label);
    let said = |words: &str| loaded.notes.iter().any(|note| note.contains(words));
    assert!(said("`--expander=priority` is not modelled"), "{:?}", loaded.notes);
    let slip = "`--scale-down-uneeded-time` is not read; did you mean `--scale-down-unneeded-time`?";
    assert!(said(slip) && !said("--v"), "{:?}", loaded.notes);
    let karpenter = text.replacen("nodes: {pools", "nodes: {manager: karpenter, pools", 1);
    assert!(message(&karpenter).contains("only the Cluster Autoscaler looks at it"));
}

#[test]
fn an_annotation_that_is_a_slip_is_told_with_its_line_in_templates_too() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other, annotations: {autoscaling.keda.sh/pausd: \"true\"}}\n---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: night}\nspec: {template: {metadata: {annotations: {karpenter.sh/do-not-disrup: \"true\"}}}}\n";
    let pools = "  nodes: {pools: [{name: gpu, instanceTypes: [g5.xlarge]}]}\n  policies:";
    let notes = load_text(&folder("", map).replacen("  policies:", pools, 1)).unwrap().notes;
    let told = |title: &str, meant: &str| {
        let is_it = |note: &&String| note.contains(title) && note.contains(meant) && note.starts_with("scenario.yaml:");
        notes.iter().filter(is_it).count()
    };
    assert_eq!(told("ConfigMap/other", "did you mean `autoscaling.keda.sh/paused`?"), 1, "{notes:?}");
    assert_eq!(told("Job/night", "did you mean `karpenter.sh/do-not-disrupt`?"), 1, "{notes:?}");
}

/// Each annotation where nobody looks for it, and what is said of it.
#[test]
fn an_annotation_in_the_wrong_place_is_told_with_the_right_one() {
    let folder_with = |documents: &str| {
        let pools = "  nodes: {pools: [{name: gpu, instanceTypes: [g5.xlarge]}]}\n  policies:";
        load_text(&folder("", documents).replacen("  policies:", pools, 1)).unwrap().notes
    };
    let cases = [
        (
            "apps/v1",
            "StatefulSet",
            "karpenter.sh/do-not-disrupt",
            "it belongs to the pods, into `spec.template.metadata.annotations`",
        ),
        (
            "batch/v1",
            "CronJob",
            "cluster-autoscaler.kubernetes.io/safe-to-evict",
            "into `spec.jobTemplate.spec.template.metadata",
        ),
        (
            "policy/v1",
            "PodDisruptionBudget",
            "controller.kubernetes.io/pod-deletion-cost",
            "`spec.template.metadata.annotations` of the workload",
        ),
        ("apps/v1", "DaemonSet", "autoscaling.keda.sh/paused", "`metadata.annotations` of the ScaledObject"),
        (
            "v1",
            "Service",
            "httpscaledobject.keda.sh/skip-scaledobject-creation",
            "`metadata.annotations` of the HTTPScaledObject",
        ),
        (
            "serving.knative.dev/v1",
            "Configuration",
            "autoscaling.knative.dev/min-scale",
            "Knative refuses it outside `spec.template",
        ),
        ("apps/v1", "DaemonSet", "autoscaling.knative.dev/min-scale", "only a Service of Knative has it"),
        ("v1", "ConfigMap", "karpenter.sh/nodepool", "it is a label of nodes, which `nodeSelector` asks for"),
    ];
    for (version, kind, key, said) in cases {
        let document = |owner: &str| {
            format!(
                "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: other, {owner}annotations: {{{key}: \"true\"}}}}\nspec: {{selector: {{matchLabels: {{app: other}}}}, template: {{metadata: {{labels: {{app: other}}}}, spec: {{containers: []}}}}}}\n"
            )
        };
        let notes = folder_with(&document(""));
        let told = |note: &String| {
            note.starts_with("scenario.yaml:") && note.contains(kind) && note.contains(key) && note.contains(said)
        };
        assert_eq!(notes.iter().filter(|note| told(note)).count(), 1, "{kind} {key}: {notes:?}");
        let made = folder_with(&document("ownerReferences: [{kind: Revision, name: a, controller: true}], "));
        assert!(kind == "ConfigMap" || !made.iter().any(told), "{kind} {key}: {made:?}");
    }
    let labelled = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other, labels: {karpenter.sh/do-not-disrupt: \"true\", karpenter.sh/nodepool: gpu}}\n";
    let notes = folder_with(labelled);
    let among_labels = notes.iter().filter(|note| note.contains("among labels: it is an annotation"));
    assert_eq!(among_labels.count(), 1, "{notes:?}");
    let read = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: night}\nspec: {template: {metadata: {annotations: {karpenter.sh/do-not-disrupt: \"true\"}}}}\n";
    let notes = folder_with(read);
    assert!(!notes.iter().any(|note| note.contains("nothing reads")), "{notes:?}");
}

#[test]
fn a_spot_pool_of_aks_carries_its_taint_and_one_of_gke_lets_gpu_pods_in() {
    let pool = |name: &str, capacity: &str| {
        let pools = format!(
            "  nodes: {{manager: {{clusterAutoscaler: {{}}}}, pools: [{{name: gpu, instanceTypes: [{name}], capacityTypes: [{capacity}], spotPrice: $0.2/h}}]}}\n  policies:"
        );
        folder("", "").replacen("  policies:", &pools, 1).replacen("3900m", "3", 1)
    };
    let refused = message(&pool("Standard_NC8as_T4_v3", "spot"));
    assert!(
        refused.contains("does not tolerate the taint `kubernetes.azure.com/scalesetpriority=spot:NoSchedule`"),
        "{refused}"
    );
    assert!(load_text(&pool("Standard_NC8as_T4_v3", "on-demand")).is_ok());
    assert!(load_text(&pool("g2-standard-8", "spot")).is_ok());
}
