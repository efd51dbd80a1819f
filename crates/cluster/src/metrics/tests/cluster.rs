//! What GPUs, kube-state-metrics and outages show.

use super::*;

#[test]
fn a_gpu_reads_0_while_it_is_free_or_its_model_loads_and_changes_labels_with_its_holder() {
    let mut utilization = series("DCGM_FI_DEV_GPU_UTIL", Signal::DcgmUtilization);
    utilization.labels = [("gpu", "{gpu}"), ("pod", "{holder_pod}"), ("modelName", "{gpu_model}")]
        .map(|(name, value)| Label::new(name, value))
        .into();
    let arrivals: Vec<u64> = (0..600).collect();
    let spec = spec(&arrivals, vec![target(Exporter::Dcgm, TargetOf::Node, vec![utilization])]);
    let mut stage = Stage::asking(&spec, &["avg(DCGM_FI_DEV_GPU_UTIL)"]);
    let pod = stage.ready_pod();
    stage.run_to(at(95));
    // A node of two GPUs, one of them busy all the time.
    assert_eq!(stage.value("avg(DCGM_FI_DEV_GPU_UTIL)"), 50.0);
    let holder = stage.pipeline.tenants[0].names.pod(pod);
    assert_eq!(
        stage.value(&format!("DCGM_FI_DEV_GPU_UTIL{{exported_pod=\"{holder}\",modelName=\"NVIDIA L4\"}}")),
        100.0
    );
    assert_eq!(stage.value(r#"DCGM_FI_DEV_GPU_UTIL{exported_pod="",pod=~"nvidia-dcgm-exporter-.*"}"#), 0.0);
    // Another pod loads for half a minute on the second GPU.
    let second = stage.cold_pod();
    stage.run_to(at(123));
    assert_eq!(stage.value("count(DCGM_FI_DEV_GPU_UTIL)"), 2.0);
    assert_eq!(stage.value("avg(DCGM_FI_DEV_GPU_UTIL)"), 50.0, "it loads");
    stage.end_pod(pod);
    stage.end_pod(second);
    stage.run_to(at(170));
    assert_eq!(stage.value("count(DCGM_FI_DEV_GPU_UTIL)"), 2.0);
    assert_eq!(stage.value(r#"sum(DCGM_FI_DEV_GPU_UTIL{exported_pod=""})"#), 0.0, "both are free again");
    assert_eq!(stage.pipeline.devices.shown(NodeId(0)).count(), 2);
}

#[test]
fn kube_state_metrics_shows_objects_as_they_come_and_go() {
    let pod = |name: &str, signal, appears| Series {
        labels: vec![Label::new("pod", "{pod}"), Label::new("node", "{node}")],
        appears,
        ..series(name, signal)
    };
    let ksm = Target {
        honor_labels: true,
        metric_relabelings: Vec::new(),
        ..target(
            Exporter::KubeStateMetrics,
            TargetOf::Cluster,
            vec![
                series("spec", Signal::ReplicasDesired),
                series("hpa", Signal::AutoscalerMax),
                pod("pending", Signal::PodIsPending, Appears::WithProcess),
                pod("unscheduled", Signal::PodIsUnscheduled, Appears::WhileTrue),
                pod("ready_time", Signal::PodReadyTime, Appears::WhileTrue),
                Series {
                    per: Scope::Node,
                    labels: vec![Label::new("node", "{node}")],
                    ..series("gpus", Signal::NodeGpus)
                },
            ],
        )
    };
    let mut stage = Stage::asking(&spec(&[], vec![ksm]), &[r#"{job="ksm"}"#]);
    let pod = stage.cold_pod();
    // Bound at 3 s, started at 13 s; one scrape lies in between.
    stage.run_to(SimTime::from_nanos(12_999_000_000));
    assert_eq!((stage.value("spec"), stage.value("hpa"), stage.value("gpus")), (3.0, 9.0, 2.0));
    assert_eq!(stage.value(r#"pending{node="node-0"}"#), 1.0);
    assert_eq!(stage.ask("ready_time"), []);
    stage.run_to(at(50));
    assert_eq!((stage.value("pending"), stage.value("ready_time")), (0.0, 1_700_000_000.0 + 33.0));
    assert_eq!(stage.ask("unscheduled"), [], "only while it holds");
    stage.end_pod(pod);
    stage.run_to(at(61));
    assert_eq!(stage.ask("pending"), [], "the next scrape after its end has it no more");
}

#[test]
fn in_an_outage_of_prometheus_nothing_is_stored_and_of_an_exporter_scrapes_fail() {
    let targets = vec![
        pod_target(vec![series("waiting", Signal::Waiting)]),
        target(Exporter::Gateway, TargetOf::Gateway, vec![series("arrived", Signal::Arrivals)]),
    ];
    let mut spec = spec(&[0], targets);
    let outage = |of, second, length| OutageSpec { of, at: at(second), length: seconds(length) };
    spec.metrics.outages =
        vec![outage(Outage::Exporter(Some(Exporter::Vllm)), 100, 30), outage(Outage::Prometheus, 200, 60)];
    let mut stage = Stage::asking(&spec, &["up", "waiting", "arrived"]);
    stage.ready_pod();
    stage.run_to(at(115));
    assert_eq!((stage.value(r#"up{job="llm"}"#), stage.ask("waiting")), (0.0, vec![]));
    assert_eq!(stage.value("arrived"), 1.0, "another exporter works");
    stage.run_to(at(150));
    assert_eq!(stage.value("waiting"), 0.0);
    stage.run_to(at(259));
    assert!(stage.value("time() - timestamp(arrived)") > 58.0);
    let query = MetricQuery::PromQl { expression: "waiting".into() };
    let answer = stage.answer(&query);
    assert_eq!(answer.unwrap_err().message, "Prometheus does not answer");
    stage.run_to(at(272));
    let answer = stage.answer(&query);
    assert_eq!(answer.unwrap(), policy::MetricReading::Vector(vec![0.0]));
}
