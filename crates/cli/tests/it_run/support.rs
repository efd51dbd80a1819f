//! A small scenario, and the binary run on it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

/// Ten minutes of a batching service on one-GPU nodes: a few seconds of CPU at most for all policies.
pub const SCENARIO: &str = "\
# A small service for tests.
apiVersion: scalelab.dev/v1
kind: Scenario
metadata:
  name: small
spec:
  run: {duration: 10m, replications: 2, seed: 7}
  traffic:
    generator:
      rate: 300req/s
  service:
    model:
      dynamicBatching:
        batchMax: 8
        queueDelay: 2ms
        latency: {affine: {base: 10ms, perRequest: 2ms}}
    routing: centralQueue
    client: {timeout: 10s}
    usage: {cpu: {idle: 0, busy: 4, startup: 0}}
  slo: {latency: 100ms, objective: 95%}
  coldStart:
    imagePull: {constant: 10s}
    modelDownload: {constant: 20s}
    gpuLoad: {constant: 5s}
    cudaWarmUp: {constant: 2s}
  nodes:
    manager: {simple: {emptyDelay: 30s}}
    instanceTypes:
      gpu.small: {gpus: 1, cpu: \"8\", memory: 32Gi}
    pools:
    - {name: gpu, instanceTypes: [gpu.small], capacityTypes: [on-demand]}
  prices:
    gpu.small: {onDemand: $3.00/h}
  policies:
  - {name: static, static: {replicas: 3}, replicas: 3}
  - {name: hpa, hpa: server}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: server, namespace: ml}
spec:
  replicas: 1
  selector: {matchLabels: {app: server}}
  template:
    metadata: {labels: {app: server}}
    spec:
      containers:
      - name: server
        image: server:1
        resources: {requests: {nvidia.com/gpu: 1, cpu: \"4\", memory: 16Gi}, limits: {nvidia.com/gpu: 1}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: server, namespace: ml}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: server}
  minReplicas: 1
  maxReplicas: 6
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}
";

/// `scalelab ARGS` in `folder`.
pub fn scalelab(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scalelab"));
    command.current_dir(folder).args(args).env("NO_COLOR", "1").output().expect("the binary runs")
}

/// Writes `text` as the scenario of a fresh folder.
pub fn folder_with(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("small")).expect("a fresh folder");
    std::fs::write(folder.path().join("small/scenario.yaml"), text).expect("a writable folder");
    folder
}

/// A table as rows of named cells.
pub fn table(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a header").split(',').collect();
    lines
        .map(|line| {
            names.iter().zip(line.split(',')).map(|(name, cell)| ((*name).to_owned(), cell.to_owned())).collect()
        })
        .collect()
}

/// Micro-dollars of a cell with six decimals.
pub fn micros(cell: &str) -> i64 {
    assert_eq!(cell.split('.').nth(1).map(str::len), Some(6), "{cell} has not six decimals");
    cell.replace('.', "").parse().expect("digits")
}
