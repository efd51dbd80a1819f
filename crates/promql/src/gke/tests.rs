//! Does a name mean, and a request answer, what it does on GKE?

use super::*;
use crate::labels::METRIC_NAME;

const NOW_MS: i64 = 600_000;

fn named(text: &str) -> GkeMetric {
    GkeMetric::parse(text).expect("a name of GKE's").expect("one that is modelled")
}

fn give(storage: &mut Storage, labels: &[(&str, &str)], samples: &[(i64, f64)]) {
    let id = storage.series(&Labels::new(labels.iter().copied()));
    for (t_ms, value) in samples {
        storage.append(id, *t_ms, *value);
    }
}

fn pods(storage: &Storage, metric: &str, selector: &[Requirement]) -> String {
    let metric = named(metric);
    let request = GkeRequest { metric: &metric, selector };
    let adapter = GkeAdapter { delay_ms: 10_000 };
    match adapter.pods_metric(storage, NOW_MS, request, ("ml", &["a", "b"])) {
        Ok(found) => found.values.iter().map(|(pod, milli)| format!("{pod}={milli}m")).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    }
}

fn queue(pod: &'static str, engine: &'static str) -> [(&'static str, &'static str); 4] {
    [(METRIC_NAME, "queue"), ("namespace", "ml"), ("pod", pod), ("engine", engine)]
}

#[test]
fn a_gauge_is_the_newest_visible_sample_and_all_series_of_a_pod_are_added() {
    let mut storage = Storage::new(900_000);
    give(&mut storage, &queue("a", "0"), &[(580_000, 3.0), (595_000, 9.0)]);
    give(&mut storage, &queue("a", "1"), &[(585_000, 0.5)]);
    give(&mut storage, &queue("b", "0"), &[(290_000, 7.0)]);
    give(&mut storage, &[(METRIC_NAME, "queue"), ("namespace", "other"), ("pod", "a")], &[(585_000, 100.0)]);
    assert_eq!(pods(&storage, "prometheus.googleapis.com|queue|gauge", &[]), "a=3500m", "b has no point in 5 minutes");
}

#[test]
fn a_marker_does_not_end_a_gauge() {
    let mut storage = Storage::new(900_000);
    give(&mut storage, &queue("a", "0"), &[(400_000, 3.0), (415_000, crate::storage::STALE)]);
    assert_eq!(pods(&storage, "prometheus.googleapis.com|queue|gauge", &[]), "a=3000m");
}

#[test]
fn a_counter_is_the_rate_of_the_newest_minute_that_has_one() {
    let counter = |pod| [(METRIC_NAME, "done_total"), ("namespace", "ml"), ("pod", pod)];
    let mut storage = Storage::new(900_000);
    // The minute is (530 s, 590 s]: a third of 30 at the left edge, then 60 and, after a restart, 6.
    give(&mut storage, &counter("a"), &[(510_000, 0.0), (540_000, 30.0), (570_000, 90.0), (585_000, 6.0)]);
    // Nothing in the newest minute, 60 in the one before.
    give(&mut storage, &counter("b"), &[(470_000, 10.0), (500_000, 40.0), (530_000, 70.0)]);
    assert_eq!(pods(&storage, "prometheus.googleapis.com|done_total|counter", &[]), "a=1266m b=1000m");
}

#[test]
fn a_selector_looks_at_metric_labels_only() {
    let mut storage = Storage::new(900_000);
    give(&mut storage, &queue("a", "0"), &[(580_000, 3.0)]);
    give(&mut storage, &queue("a", "1"), &[(580_000, 4.0)]);
    let of = |key: &str, values: &[&str]| {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        [Requirement { key: key.to_owned(), operator: SelectorOperator::In, values }]
    };
    let ask = |selector: &[Requirement]| pods(&storage, "prometheus.googleapis.com|queue|gauge", selector);
    assert_eq!(ask(&of("metric.labels.engine", &["1", "2"])), "a=4000m");
    assert_eq!(
        ask(&of("resource.labels.cluster", &["x"])),
        "selector key \"resource.labels.cluster\" is none that GKE's adapter takes here: metric.labels.NAME"
    );
}

#[test]
fn an_external_metric_is_one_item_per_series_of_the_whole_project() {
    let mut storage = Storage::new(900_000);
    give(&mut storage, &queue("a", "0"), &[(580_000, 3.0)]);
    give(&mut storage, &[(METRIC_NAME, "queue"), ("namespace", "other")], &[(580_000, 4.0)]);
    let metric = named("prometheus.googleapis.com|queue|gauge");
    let request = GkeRequest { metric: &metric, selector: &[] };
    let found = GkeAdapter { delay_ms: 10_000 }.external_metric(&storage, NOW_MS, request).expect("found");
    assert_eq!(found.values.iter().map(|(_, milli)| *milli).collect::<Vec<_>>(), [3_000, 4_000]);
}

#[test]
fn the_duty_cycle_is_the_utilization_of_a_whole_minute_at_least_210_seconds_ago() {
    let mut storage = Storage::new(1_200_000);
    let labels = [
        (METRIC_NAME, "DCGM_FI_DEV_GPU_UTIL"),
        ("pod", "exporter"),
        ("exported_pod", "a"),
        ("exported_container", "main"),
    ];
    // At 600 s what was sampled at 360 s is the newest to be seen.
    give(&mut storage, &labels, &[(350_000, 40.0), (361_000, 90.0)]);
    let metric = named("kubernetes.io|container|accelerator|duty_cycle");
    let ask = |container: &str| {
        let key = "resource.labels.container_name".to_owned();
        let selector = [Requirement { key, operator: SelectorOperator::Equals, values: vec![container.to_owned()] }];
        let request = GkeRequest { metric: &metric, selector: &selector };
        let found = GkeAdapter { delay_ms: 10_000 }.external_metric(&storage, NOW_MS, request).expect("found");
        found.values.iter().map(|(_, milli)| *milli).collect::<Vec<_>>()
    };
    assert_eq!(ask("main"), [40_000]);
    assert_eq!(ask("sidecar"), []);
}

#[test]
fn names_that_are_not_gkes_are_left_to_others_and_wrong_ones_say_how_they_are_written() {
    assert_eq!(GkeMetric::parse("vllm:num_requests_waiting"), None);
    assert_eq!(GkeMetric::parse("app/queue"), None);
    let refused = |name: &str| GkeMetric::parse(name).expect("GKE's").expect_err("refused").to_string();
    assert_eq!(
        refused("prometheus.googleapis.com|vllm:num_requests_waiting"),
        "prometheus.googleapis.com|vllm:num_requests_waiting: GKE's form is prometheus.googleapis.com|NAME|KIND, such as \
         prometheus.googleapis.com|vllm:num_requests_waiting|gauge"
    );
    assert!(refused("prometheus.googleapis.com|x|guage").contains("\"guage\" is no kind of series"));
    assert!(refused("prometheus.googleapis.com|x|histogram").contains("a histogram is a distribution"));
    assert_eq!(
        refused("pubsub.googleapis.com|subscription|num_undelivered_messages"),
        "pubsub.googleapis.com|subscription|num_undelivered_messages comes from pubsub.googleapis.com, which is not modelled; say by \
         metrics.external what it follows"
    );
}
