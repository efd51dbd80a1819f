//! CPU, memory and GPU figures: stated, guessed, by metrics-server and by cAdvisor.

use exporters::{Exporter, Label, Series, Signal, Target, TargetOf};
use policy::MetricQuery;
use units::{Bytes, Millicores, PodId};

use super::{Stage, at, series, spec, target};
use crate::spec::{CpuUsage, MemoryUsage, UsageSpec};

fn usage() -> UsageSpec {
    UsageSpec {
        cpu: Some(CpuUsage {
            startup: Millicores(2_000),
            idle: Millicores(500),
            busy: Millicores(3_500),
            per_request: Millicores(100),
        }),
        memory: Some(MemoryUsage { loaded: Bytes(8_000), per_request: Bytes(10) }),
        containers: vec![("proxy".into(), Millicores(50), Bytes(300))],
        gpu_memory: Some(Bytes(6 << 30)),
        gpu_memory_total: Some(Bytes(24 << 30)),
        gpu_power: Some((30.0, 70.0)),
    }
}

#[test]
fn metrics_server_tells_the_stated_usage_over_its_window() {
    let mut spec = spec(&[120, 120], Vec::new());
    spec.services[0].usage = usage();
    let ask = MetricQuery::Resource { name: "cpu".into(), container: None };
    let mut stage = Stage::new(&spec, &[ask]);
    stage.ready_pod();
    stage.run_to(at(119));
    assert_eq!(stage.resource("cpu"), [(PodId(0), 550)], "500m idle and the proxy's 50m");
    assert_eq!(stage.resource("memory"), [(PodId(0), 8_300_000)]);
    // Readings at 120 and 135 s; busy for 8 s of 15 with one request: 0.5 + (3 + 0.1) 8/15, and the proxy.
    stage.run_to(at(122));
    assert_eq!(stage.resource("memory"), [(PodId(0), 8_320_000)], "one waits and one is served");
    stage.run_to(at(136));
    assert_eq!(stage.resource("cpu"), [(PodId(0), 2_153 + 51)]);
}

#[test]
fn a_starting_pod_uses_its_startup_cpu_and_its_memory_grows_until_it_is_loaded() {
    let mut spec = spec(&[], Vec::new());
    spec.services[0].usage = usage();
    let ask = MetricQuery::Resource { name: "cpu".into(), container: None };
    let mut stage = Stage::new(&spec, &[ask]);
    stage.cold_pod();
    stage.run_to(at(14));
    assert_eq!(stage.resource("cpu"), [], "started at 13 s, read at 15 and 30 s");
    stage.run_to(at(30));
    assert_eq!(stage.resource("cpu"), [(PodId(0), 2_050)]);
    // 17 of 20 s of loading.
    assert_eq!(stage.resource("memory"), [(PodId(0), 6_800_000 + 300_000)]);
}

#[test]
fn without_a_statement_usage_is_guessed_from_the_requests() {
    let spec = spec(&[120, 120], Vec::new());
    let ask = MetricQuery::Resource { name: "cpu".into(), container: None };
    let mut stage = Stage::new(&spec, &[ask]);
    stage.ready_pod();
    stage.run_to(at(136));
    // Busy for 8 s of 15: of 4 cores and of the proxy's 100m.
    assert_eq!(stage.resource("cpu"), [(PodId(0), 2_134 + 54)]);
    assert_eq!(stage.resource("memory"), [(PodId(0), 2 * (1 << 30) * 1_000)]);
}

#[test]
fn cadvisor_counts_the_cpu_of_each_container_and_of_the_pod() {
    let of = |container: &str| Series {
        labels: vec![Label::new("pod", "{pod}"), Label::new("container", container)],
        ..series("cpu", Signal::CpuSeconds)
    };
    let cadvisor = Target {
        honor_labels: true,
        metric_relabelings: Vec::new(),
        ..target(Exporter::CAdvisor, TargetOf::Node, vec![of("vllm"), of("proxy"), of("")])
    };
    let mut spec = spec(&[], vec![cadvisor]);
    spec.services[0].usage = usage();
    let mut stage = Stage::asking(&spec, &["cpu"]);
    stage.ready_pod();
    stage.run_to(at(100));
    let rate = |container: &str| stage.value(&format!("rate(cpu{{container=\"{container}\"}}[1m])"));
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
    near(rate("vllm"), 0.5);
    near(rate("proxy"), 0.05);
    near(rate(""), 0.55);
}

#[test]
fn gpu_memory_and_power_follow_the_statement() {
    let names = [
        ("used", Signal::DcgmMemoryUsed),
        ("free", Signal::DcgmMemoryFree),
        ("power", Signal::DcgmPower),
        ("energy", Signal::DcgmEnergy),
    ];
    let with_gpu =
        |(name, signal): (&str, Signal)| Series { labels: vec![Label::new("gpu", "{gpu}")], ..series(name, signal) };
    let arrivals: Vec<u64> = (0..600).collect();
    let dcgm = target(Exporter::Dcgm, TargetOf::Node, names.map(with_gpu).into());
    let mut spec = spec(&arrivals, vec![dcgm]);
    spec.services[0].usage = usage();
    let mut stage = Stage::asking(&spec, &[r#"{job="dcgm"}"#]);
    stage.ready_pod();
    stage.run_to(at(200));
    let of = |name: &str, gpu: u32| stage.value(&format!("{name}{{gpu=\"{gpu}\"}}"));
    assert_eq!([of("used", 0), of("used", 1)], [6_144.0, 0.0]);
    assert_eq!([of("free", 0), of("free", 1)], [18_432.0, 24_576.0]);
    assert_eq!([of("power", 0), of("power", 1)], [70.0, 30.0]);
    let watts = |gpu: u32| stage.value(&format!("rate(energy{{gpu=\"{gpu}\"}}[2m])")) / 1_000.0;
    // Refreshes every 30 s, scrapes every 10 s: the rate is exact to a refresh.
    assert!((watts(0) - 70.0).abs() < 20.0 && (watts(1) / watts(0) - 30.0 / 70.0).abs() < 0.01, "{}", watts(0));
}
