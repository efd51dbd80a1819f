//! What a scenario can say about nodes, caches and the ends of pods, and what it must not.

use cluster::spec::{Consolidation, GpuSlice, PhaseSpec, SoftSpread};
use insta::assert_snapshot;
use units::{Bytes, Millicores, SimDuration, SimTime};
use workload::Distribution;

use crate::support::{SCENARIO, load_text, message, with};

/// [`SCENARIO`] with more under `nodes`.
fn nodes(extra: &str) -> String {
    with("  nodes:\n", &format!("  nodes:\n{extra}"))
}

fn secs(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

/// A NodePool of small machines.
const POOL: &str = "\
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: gpus}
spec:
  template:
    metadata:
      labels: {team: research}
    spec:
      nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: gpus}
      requirements:
      - {key: node.kubernetes.io/instance-type, operator: In, values: [g5.xlarge]}
  limits: {cpu: 1k, memory: 1000Gi, nvidia.com/gpu: 8, nodes: 6}
  disruption: {consolidationPolicy: Balanced, consolidationThreshold: 3, consolidateAfter: 1m}
";

fn pooled(manifest: &str) -> String {
    let own = "  nodes:\n    pools:\n    - name: gpu\n      instanceTypes: [g5.xlarge]\n";
    format!("{}---\n{manifest}", with(own, "  nodes: {}\n"))
}

#[test]
fn a_node_pool_gives_labels_every_limit_and_a_balanced_policy() {
    let loaded = load_text(&pooled(POOL)).unwrap();
    let pool = &loaded.spec.fleet.pools[0];
    assert_eq!(pool.labels, [("team".to_owned(), "research".to_owned())]);
    assert_eq!((pool.cpu_max, pool.memory_max), (Some(Millicores(1_000_000)), Some(Bytes(1000 << 30))));
    assert_eq!((pool.gpus_max, pool.nodes_max), (Some(8), Some(6)));
    assert_eq!(pool.consolidation, Consolidation::Balanced { after: secs(60), threshold: 3 });
    // The limit counts the machine, pods get what the system leaves of it.
    let offering = &pool.offerings[0];
    assert_eq!((offering.machine_cpu, offering.cpu), (Millicores(4_000), Millicores(3_920)));
    assert!(loaded.notes.is_empty(), "{:?}", loaded.notes);
    let other = POOL.replacen("limits: {cpu: 1k", "limits: {ephemeral-storage: 1Ti", 1);
    assert_snapshot!(message(&pooled(&other)), @"scenario.yaml:35:11: spec.limits: a limit on `ephemeral-storage` caps the pool by something the model does not have; it would change the result and is not modelled");
    let threshold = POOL.replacen("Balanced", "WhenEmptyOrUnderutilized", 1);
    assert_snapshot!(message(&pooled(&threshold)), @"scenario.yaml:36:15: spec.disruption: `consolidationThreshold` goes with the policy `Balanced` only");
    let zero = POOL.replacen("consolidationThreshold: 3", "consolidationThreshold: 0", 1);
    assert_snapshot!(message(&pooled(&zero)), @"scenario.yaml:36:15: spec.disruption: `consolidationThreshold` must be at least 1");
}

#[test]
fn a_selector_that_no_pool_meets_is_refused() {
    let selecting = |label: &str| {
        let scenario = pooled(POOL);
        scenario.replacen("      gpus: 1\n", &format!("      gpus: 1\n      nodeSelector: {{{label}}}\n"), 1)
    };
    load_text(&selecting("team: research")).unwrap();
    assert_snapshot!(message(&selecting("team: sales")), @"scenario.yaml:18:10: spec.nodes: pool `gpus` can never hold the pod: it selects nodes with `team: sales`, g5.xlarge has `research`");
    // Karpenter launches nothing for a label that neither template nor requirements give.
    assert_snapshot!(message(&selecting("disk: ssd")), @"scenario.yaml:35:9: spec.template.spec.requirements: NodePool/gpus launches nothing for the pod: it selects nodes with `disk: ssd`, which neither the template's labels nor the requirements give");
}

#[test]
fn a_selector_on_a_label_that_no_pool_speaks_of_is_noted() {
    let asks = "      gpus: 1\n      nodeSelector: {disk: ssd}\n";
    let loaded = load_text(&with("      gpus: 1\n", asks)).unwrap();
    assert_snapshot!(loaded.notes.join("\n"), @"nodeSelector `disk: ssd`: no pool says it has this label; taken as met");
}

#[test]
fn stuck_nodes_need_somebody_who_gives_them_up() {
    let loaded = load_text(&nodes("    timings: {launchStuck: 1%, registrationStuck: 0.5%}\n")).unwrap();
    let timings = &loaded.spec.fleet.timings;
    assert_eq!((timings.launch_stuck, timings.registration_stuck), (0.01, 0.005));
    assert_snapshot!(message(&nodes("    timings: {launchStuck: 100%}\n")), @"scenario.yaml:18:28: spec.nodes.timings.launchStuck: must be below 100%: no node would ever come");
    assert_snapshot!(message(&nodes("    manager: {simple: {emptyDelay: 1m}}\n    timings: {launchStuck: 1%}\n")), @"scenario.yaml:19:28: spec.nodes.timings.launchStuck: only `karpenter` and `clusterAutoscaler` give up a node that does not come");
}

#[test]
fn a_machine_may_advertise_slices_of_its_gpus() {
    let types = |resources: &str| {
        let shape = format!("{{gpus: 2, cpu: \"32\", memory: 128Gi, resources: {resources}}}");
        nodes(&format!("    instanceTypes:\n      g5.xlarge: {shape}\n"))
    };
    let sliced = types("{nvidia.com/mig-1g.10gb: 7, nvidia.com/gpu.shared: 4}");
    for (resource, units, slice) in [
        ("nvidia.com/mig-1g.10gb", 7, GpuSlice { devices: 2, shares: 14, of_unit: 1 }),
        ("nvidia.com/gpu.shared", 4, GpuSlice { devices: 2, shares: 8, of_unit: 1 }),
    ] {
        let asks = sliced.replacen("      gpus: 1\n", &format!("      gpus: 1\n      gpuResource: {resource}\n"), 1);
        let loaded = load_text(&asks).unwrap();
        let offering = &loaded.spec.fleet.pools[0].offerings[0];
        assert_eq!((offering.gpus, offering.slice), (units, slice));
        assert!(loaded.notes.iter().any(|note| note.contains("before a node has reported it")), "{:?}", loaded.notes);
    }
    assert_snapshot!(message(&sliced), @"scenario.yaml:18:5: spec.nodes: pool `gpu` can never hold the pod: it asks for `nvidia.com/gpu`, g5.xlarge has `nvidia.com/gpu.shared`");
    assert_snapshot!(message(&types("{nvidia.com/mig-3g.40gb: 5}")), @r#"scenario.yaml:19:65: spec.nodes.instanceTypes["g5.xlarge"].resources: these resources take 3 GPUs (a GPU has seven MIG slices), the machine has 2"#);
}

/// [`SCENARIO`] with a `coldStart`.
fn cold(block: &str) -> String {
    with("  nodes:\n", &format!("  coldStart:\n{block}  nodes:\n"))
}

#[test]
fn a_cache_holds_other_models_and_versions_too() {
    let cache = "    modelCache:\n      size: 100GB\n      model: 16GB\n      others:\n      - {name: adapter, size: 2GB, every: {exponential: {mean: 10m}}}\n      releases: [1h, 2h]\n";
    let loaded = load_text(&cold(cache)).unwrap();
    let spec = loaded.spec.fleet.cache.unwrap();
    assert_eq!((spec.others[0].name.as_str(), spec.others[0].bytes), ("adapter", Bytes(2_000_000_000)));
    let weights = loaded.spec.services[0].cold_start.weights.clone().unwrap();
    assert_eq!(weights.releases, [SimTime::from_secs(3_600), SimTime::from_secs(7_200)]);
    assert_snapshot!(message(&cold(&cache.replacen("[1h, 2h]", "[2h, 1h]", 1))), @"scenario.yaml:23:17: spec.coldStart.modelCache.releases: times must ascend");
    let twice = cache.replacen("      releases", "      - {name: adapter, size: 1GB, every: 5m}\n      releases", 1);
    assert_snapshot!(message(&cold(&twice)), @"scenario.yaml:23:16: spec.coldStart.modelCache.others[1].name: two artifacts are called `adapter`");
}

#[test]
fn a_restore_is_written_or_comes_with_its_preset() {
    let loaded = load_text(&cold("    preset: vllm-8b-h100-sleep\n")).unwrap();
    let restore = loaded.spec.services[0].cold_start.restore.clone().unwrap();
    assert!(!restore.everywhere && matches!(restore.length, PhaseSpec::Time(Distribution::Constant(13.0))));
    let written = "    links: [{name: nvme, bandwidth: 5GB/s, perNode: true}]\n    restore:\n      length: {transfer: {size: 40GB, links: [nvme]}}\n      on: everyNode\n";
    let restore = load_text(&cold(written)).unwrap().spec.services[0].cold_start.restore.clone().unwrap();
    assert!(restore.everywhere && matches!(restore.length, PhaseSpec::Transfer { bytes: Bytes(40_000_000_000), .. }));
    assert_snapshot!(message(&cold(&written.replacen("everyNode", "someNodes", 1))), @"scenario.yaml:21:11: spec.coldStart.restore.on: unknown choice `someNodes` (one of: usedNodes, everyNode)");
}

#[test]
fn a_lost_node_is_found_as_kubernetes_finds_it_unless_said_otherwise() {
    let spot = |text: &str| with("  nodes:\n", &format!("  spot: {text}\n  nodes:\n"));
    assert!(load_text(SCENARIO).unwrap().spec.fleet.spot.node_lost.is_none());
    let lost = load_text(&spot("{interruptionQueue: false}")).unwrap().spec.fleet.spot.node_lost.unwrap();
    assert_eq!(lost.eviction, secs(300));
    assert!(matches!(lost.not_ready, Distribution::Uniform { low: 40.0, high: 50.0 }));
    let spec = load_text(&spot("{interruptionQueue: false, nodeLost: {eviction: 0s}, rebalance: 10m}")).unwrap().spec;
    assert_eq!(spec.fleet.spot.node_lost.unwrap().eviction, SimDuration::ZERO);
    assert!(matches!(spec.fleet.spot.rebalance, Some(Distribution::Constant(600.0))));
}

#[test]
fn preferences_for_other_nodes_and_zones_are_read_if_they_are_about_the_pods_themselves() {
    let deployment = |spec: &str| {
        let manifest = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n{spec}      containers:\n      - {{name: main, image: web:1, resources: {{limits: {{nvidia.com/gpu: 1}}}}}}\n"
        );
        format!("{}---\n{manifest}", with("    pod:\n      gpus: 1\n", ""))
    };
    let anti = |key: &str, selector: &str| {
        format!(
            "      affinity:\n        podAntiAffinity:\n          preferredDuringSchedulingIgnoredDuringExecution:\n          - weight: 100\n            podAffinityTerm: {{topologyKey: {key}, labelSelector: {selector}}}\n"
        )
    };
    let host = "kubernetes.io/hostname";
    let zone = "topology.kubernetes.io/zone";
    let expression = "{matchExpressions: [{key: app, operator: In, values: [web, api]}]}";
    for (spec, nodes, zones) in [
        (anti(host, "{matchLabels: {app: web}}"), true, false),
        (anti(zone, expression), false, true),
        (anti(host, "{matchLabels: {app: other}}"), false, false),
        (
            format!(
                "      topologySpreadConstraints: [{{maxSkew: 1, topologyKey: {zone}, whenUnsatisfiable: ScheduleAnyway, labelSelector: {{matchLabels: {{app: web}}}}}}]\n"
            ),
            false,
            true,
        ),
    ] {
        let loaded = load_text(&deployment(&spec)).unwrap();
        assert_eq!(loaded.spec.services[0].pod.spread, SoftSpread { nodes, zones }, "{spec}");
    }
    let loaded = load_text(&with("      gpus: 1\n", "      gpus: 1\n      spread: [nodes, zones]\n")).unwrap();
    assert_eq!(loaded.spec.services[0].pod.spread, SoftSpread { nodes: true, zones: true });
}

#[test]
fn the_end_of_a_pod_and_pause_pods_are_the_services_and_the_policys() {
    let delayed = with("    pod:\n", "    drainDelay: 2s\n    pod:\n");
    let loaded = load_text(&delayed).unwrap();
    assert_eq!(loaded.spec.services[0].pod.drain_delay, Some(secs(2)));
    let model = "      continuousBatching: {sequencesMax: 8, batchedTokensMax: 512, kvTokens: 4096, iterationMin: 9ms, iterationBase: 6ms, perKvToken: 62ns, perPromptToken: 20us}\n";
    let engine = delayed.replacen("      slots:\n        serviceTime: 50ms\n", model, 1);
    assert_eq!(load_text(&engine).unwrap().spec.services[0].pod.drain_delay, Some(secs(2)));
    let pause = with("static: {replicas: 2}", "static: {replicas: 2}\n    pausePods: {count: 3}");
    let policy = load_text(&pause).unwrap().spec.policies.remove(0);
    assert_eq!(policy.services[0].pause_pods.map(|pause| (pause.count, pause.preemption)), Some((3, secs(2))));
}
