//! Small inputs and one-line loading.

use std::path::PathBuf;

use scenario::{Input, Loaded, ScenarioError};
use traces::load;

/// The least a scenario must say.
pub const SCENARIO: &str = "\
apiVersion: scalelab.dev/v1
kind: Scenario
metadata:
  name: small
spec:
  run:
    duration: 1h
  traffic:
    generator:
      rate: 10req/s
  service:
    model:
      slots:
        serviceTime: 50ms
    pod:
      gpus: 1
  nodes:
    pools:
    - name: gpu
      instanceTypes: [g5.xlarge]
  prices:
    g5.xlarge: {onDemand: $1.01/h}
  policies:
  - name: fixed
    static: {replicas: 2}
";

/// An autoscaler of [`SCENARIO`]'s service.
pub const HPA: &str = "\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: busy
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: inference}
  maxReplicas: 5
  metrics:
  - type: Pods
    pods:
      metric: {name: nv_inference_pending_request_count}
      target: {type: AverageValue, averageValue: \"1500m\"}
";

/// [`SCENARIO`] with `old` replaced by `new`, which must occur.
pub fn with(old: &str, new: &str) -> String {
    assert!(SCENARIO.contains(old), "`{old}` is not in the scenario");
    SCENARIO.replacen(old, new, 1)
}

/// Loads one text called `scenario.yaml`.
pub fn load_text(text: &str) -> Result<Loaded, ScenarioError> {
    load_with(text, &[])
}

/// Loads one text with overrides.
pub fn load_with(text: &str, overrides: &[(&str, &str)]) -> Result<Loaded, ScenarioError> {
    let overrides: Vec<(String, String)> =
        overrides.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
    load(&[Input::Text { name: "scenario.yaml".to_owned(), text: text.to_owned() }], &overrides)
}

/// The message a text is refused with.
pub fn message(text: &str) -> String {
    load_text(text).expect_err("this input must be refused").to_string()
}

/// A folder of the repository.
pub fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}
