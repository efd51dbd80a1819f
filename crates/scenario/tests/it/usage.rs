//! `service.usage` and `metrics.outages`.

use cluster::spec::{CpuUsage, Outage};
use scenario::{Input, Loaded, ScenarioError};
use traces::load;
use units::{Bytes, Millicores, SimDuration, SimTime};

use crate::support::{HPA, load_text, message, with};

/// An HPA on a resource of the scenario's service, whose pod asks for `cpu`.
fn scaled_on(resource: &str, pod: &str, usage: &str) -> Result<Loaded, ScenarioError> {
    let scenario = with("    pod:\n      gpus: 1\n", &format!("{usage}    pod:\n      gpus: 1\n{pod}"))
        .replace("  - name: fixed\n    static: {replicas: 2}\n", "  - name: busy\n    hpa: busy\n");
    let metric = format!(
        "  - type: Resource\n    resource: {{name: {resource}, target: {{type: Utilization, averageUtilization: 80}}}}\n"
    );
    let hpa = format!("{}  metrics:\n{metric}", HPA.split("  metrics:\n").next().unwrap());
    let text = |name: &str, text: String| Input::Text { name: name.to_owned(), text };
    load(&[text("scenario.yaml", scenario), text("hpa.yaml", hpa)], &[])
}

const REQUESTS: &str = "      cpu: \"2\"\n      memory: 8Gi\n";

#[test]
fn a_policy_on_memory_or_cpu_needs_a_statement() {
    let refused = |resource: &str| scaled_on(resource, REQUESTS, "").expect_err("nobody knows").to_string();
    let memory = refused("memory");
    assert!(memory.starts_with("hpa.yaml:9:5: spec.metrics[0]: memory of the pods is not known; state"), "{memory}");
    let cpu = refused("cpu");
    assert!(cpu.contains("CPU of the pods is not known; state service.usage.cpu (measure: rate("), "{cpu}");
    // A statement about the other one does not help.
    assert!(scaled_on("cpu", REQUESTS, "    usage: {memory: 4Gi}\n").is_err());
    assert!(scaled_on("memory", REQUESTS, "    usage: {memory: 4Gi}\n").is_ok());
}

#[test]
fn a_utilization_without_a_request_fails_as_in_a_cluster_and_a_note_says_so() {
    let loaded = scaled_on("cpu", "", "").expect("the controller fails before it asks");
    let note = "busy: missing request for cpu in container inference: the metric fails";
    assert!(loaded.notes.iter().any(|found| found.starts_with(note)), "{:?}", loaded.notes);
}

#[test]
fn a_guess_is_said_in_a_note() {
    let loaded = scaled_on("cpu", REQUESTS, "    usage: guess\n").expect("guessed");
    assert!(loaded.notes.iter().any(|note| note.starts_with("assumed: service.usage is guess: CPU")));
    assert_eq!(loaded.spec.services[0].usage.cpu, None);
}

#[test]
fn usage_is_read_in_its_units() {
    let usage = "usage: {cpu: {idle: 300m, busy: 2200m, startup: 4}, memory: {loaded: 24Gi, perRequest: 8Mi}, gpuPower: {idle: 70W, busy: 0.6kW}}";
    let loaded = load_text(&with("  service:\n", &format!("  service:\n    {usage}\n"))).expect("complete");
    let stated = &loaded.spec.services[0].usage;
    let cores = Millicores;
    assert_eq!(
        stated.cpu,
        Some(CpuUsage { startup: cores(4_000), idle: cores(300), busy: cores(2_200), per_request: cores(0) })
    );
    let memory = stated.memory.expect("stated");
    assert_eq!((memory.loaded, memory.per_request), (Bytes(24 << 30), Bytes(8 << 20)));
    assert_eq!(stated.gpu_power, Some((70.0, 600.0)));
    let wrong = message(&with("  service:\n", "  service:\n    usage: {cpu: {idle: 2 cores, busy: 1}}\n"));
    assert!(wrong.contains("expected an amount of CPU such as `2` or `300m`"), "{wrong}");
    let unknown =
        message(&with("  service:\n", "  service:\n    usage: {containers: {proxi: {cpu: 1, memory: 1Gi}}}\n"));
    assert!(unknown.contains("there is no container `proxi`"), "{unknown}");
}

#[test]
fn outages_have_a_part_a_time_and_a_length() {
    let outages = "  metrics:\n    outages: [{of: prometheus, at: 10m, for: 90s}, {of: exporter, at: 0s, for: 1m}]\n";
    let loaded = load_text(&with("  policies:\n", &format!("{outages}  policies:\n"))).expect("complete");
    let [first, second] = loaded.spec.metrics.outages[..] else { panic!("two outages") };
    assert_eq!(
        (first.of, first.at, first.length),
        (Outage::Prometheus, SimTime::from_secs(600), SimDuration::from_secs(90))
    );
    assert_eq!(second.of, Outage::Exporter(None));
    let wrong = "  metrics:\n    outages: [{of: adapter, exporter: vllm, at: 10m, for: 90s}]\n";
    assert!(message(&with("  policies:\n", &format!("{wrong}  policies:\n"))).contains("only `of: exporter` has one"));
}
