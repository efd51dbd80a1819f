//! What a run says of nodes, pulls and bills, in the numbers a reader would work out by hand.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{folder_with, micros, scalelab, table};

/// Pods that do nothing but pull 9.35 GB over a link of 10 Gbit/s: 7.48 s alone.
fn pulling(replicas: u32, per_node: bool, instance_type: &str) -> String {
    format!(
        "\
apiVersion: scalelab.dev/v1
kind: Scenario
metadata: {{name: pulls}}
spec:
  run: {{duration: 30m}}
  traffic: {{generator: {{rate: 1req/s}}}}
  service:
    replicas: 0
    model: {{slots: {{concurrency: 8, serviceTime: 50ms}}}}
    pod: {{gpus: 1, probePeriod: 1ms}}
    endpointDelay: 0s
  coldStart:
    imagePull: {{transfer: {{size: 9.35GB, links: [link]}}}}
    modelDownload: 0s
    gpuLoad: 0s
    cudaWarmUp: 0s
    links: [{{name: link, bandwidth: 10Gbit/s, perNode: {per_node}}}]
  nodes:
    pools: [{{name: gpu, instanceTypes: [{instance_type}]}}]
  prices:
    g5.xlarge: {{onDemand: $1.006/h}}
    p4d.24xlarge: {{onDemand: $32.77/h}}
  policies:
  - {{name: fixed, static: {{replicas: {replicas}}}}}
"
    )
}

fn run(text: &str, read: impl FnOnce(&Path)) {
    let folder = folder_with(text);
    let output = scalelab(folder.path(), &["run", "small", "--quiet", "-o", "out"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    read(&folder.path().join("out"));
}

fn seconds(row: &BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column}: {}", row[column]))
}

/// How long each pod's image took to come.
fn pulls(text: &str) -> Vec<f64> {
    let mut lengths = Vec::new();
    run(text, |out| {
        let rows = table(&out.join("replicas.csv"));
        lengths.extend(rows.iter().map(|row| seconds(row, "image_pull_end_s") - seconds(row, "image_pull_start_s")));
    });
    lengths
}

#[test]
fn ten_pulls_over_one_registry_link_take_ten_times_one_and_over_ten_network_cards_one() {
    for (replicas, per_node, expected) in [(1, false, 7.48), (10, false, 74.8), (10, true, 7.48)] {
        let lengths = pulls(&pulling(replicas, per_node, "g5.xlarge"));
        assert_eq!(lengths.len(), replicas as usize);
        assert!(lengths.iter().all(|length| (length - expected).abs() < 1e-6), "{lengths:?}");
    }
    // Eight pods on one machine and two on another: two pulls, whoever waits for them.
    let shared = pulls(&pulling(10, false, "p4d.24xlarge"));
    assert!(shared.iter().all(|length| (length - 14.96).abs() < 1e-6), "{shared:?}");
}

#[test]
fn one_replica_on_a_machine_of_eight_gpus_pays_for_seven_that_nobody_uses() {
    let text = pulling(1, false, "p4d.24xlarge").replacen("replicas: 0", "replicas: 1", 1);
    run(&text, |out| {
        let row = &table(&out.join("summary.csv"))[0];
        assert_eq!(row["gpu_hours"], "4.0");
        assert_eq!(micros(&row["cost_usd"]), 16_385_000);
        assert_eq!(micros(&row["cost_unallocated_usd"]), 16_385_000 / 8 * 7);
    });
}

#[test]
fn the_articles_provisioner_and_budget_hold_off_an_expiry_and_not_a_reclaim() {
    let article = |days: u32, interruptions: &str| {
        format!("{}{ARTICLE}", SCENARIO.replace("DAYS", &days.to_string()).replace("INTERRUPTIONS", interruptions))
    };
    let least_ready = |text: &str| {
        let mut least = 0;
        run(text, |out| {
            let rows = table(&out.join("timeline.csv"));
            least = rows.iter().map(|row| row["ready"].parse::<u32>().unwrap_or(0)).min().unwrap_or(0);
            let nodes = table(&out.join("nodes.csv"));
            assert!(nodes.iter().all(|node| node["purchase"] == "spot"), "spot comes first");
        });
        least
    };
    // `ttlSecondsUntilExpired` is a day: all three nodes go, one after another.
    assert_eq!(least_ready(&article(2, "none")), 2);
    assert!(least_ready(&article(1, "{clustered: {events: 1/d, share: 100%, spread: 1m}}")) < 2);
}

#[test]
fn explain_tells_what_the_provider_said_of_nodes() {
    let text = SCENARIO
        .replace("DAYS", "1")
        .replace("INTERRUPTIONS", "{clustered: {events: 1/d, share: 100%, spread: 1m}}\n    rebalance: 5m");
    let folder = folder_with(&format!("{text}{ARTICLE}"));
    let run = scalelab(folder.path(), &["run", "small", "--quiet", "-o", "out"]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let nodes = table(&folder.path().join("out/nodes.csv"));
    let taken = nodes.iter().find(|node| !node["notice_s"].is_empty()).expect("one is taken");
    assert!((seconds(taken, "notice_s") - seconds(taken, "rebalance_s") - 300.0).abs() < 1e-6);
    let at = format!("{}s", seconds(taken, "ended_s") + 1.0);
    let told = scalelab(folder.path(), &["explain", "out", "--policy", "three", "--at", &at]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    for what in ["the provider recommends to leave it", "the provider gives notice", "ended (spot_reclaim)"] {
        assert!(told.contains(&format!("{} (g5.xlarge, spot): {what}", taken["node"])), "{told}");
    }
}

const SCENARIO: &str = "\
apiVersion: scalelab.dev/v1
kind: Scenario
metadata: {name: article}
spec:
  run: {duration: DAYSd, seed: 3}
  traffic: {generator: {rate: 1req/min}}
  service:
    model: {slots: {concurrency: 8, serviceTime: 50ms}}
  prices:
    g5.xlarge: {onDemand: $1.006/h, spot: $0.40/h}
    g5.2xlarge: {onDemand: $1.212/h, spot: $0.48/h}
  spot:
    interruptions: INTERRUPTIONS
  policies:
  - {name: three, static: {replicas: 3}}
";

const ARTICLE: &str = "\
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: triton-inference}
spec:
  replicas: 3
  selector: {matchLabels: {app: triton-inference}}
  template:
    metadata: {labels: {app: triton-inference}}
    spec:
      containers:
      - {name: triton, image: 'triton:1', resources: {limits: {nvidia.com/gpu: 1}}}
---
apiVersion: karpenter.sh/v1alpha5
kind: Provisioner
metadata: {name: gpu-inference}
spec:
  requirements:
  - {key: node.kubernetes.io/instance-type, operator: In, values: [g5.xlarge, g5.2xlarge]}
  - {key: karpenter.sh/capacity-type, operator: In, values: [spot, on-demand]}
  - {key: nvidia.com/gpu, operator: Exists}
  weight: 10
  limits: {resources: {nvidia.com/gpu: 20}}
  ttlSecondsUntilExpired: 86400
  ttlSecondsAfterEmpty: 300
  providerRef: {name: gpu-node-template}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: triton-pdb}
spec:
  minAvailable: 2
  selector: {matchLabels: {app: triton-inference}}
";
