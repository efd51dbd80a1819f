//! Does the store remember what Prometheus would, and forget what it should?

use super::{MISSING, STALE, Storage, TargetId};
use crate::labels::{Labels, METRIC_NAME};
use crate::query::{Options, Query, Value};

const INTERVAL_MS: i64 = 15_000;

fn named(name: &str, pod: &str) -> Labels {
    Labels::new([(METRIC_NAME, name), ("pod", pod)])
}

fn target(storage: &mut Storage, pod: &str) -> TargetId {
    storage.add_target(named("up", pod), vec![named("queue", pod), named("requests", pod)])
}

/// The value of a query with one element or none.
fn ask(storage: &Storage, text: &str, now_ms: i64) -> Option<f64> {
    let mut query = Query::compile(text).expect("a valid query");
    match query.evaluate(storage, now_ms, Options::default()).expect("an answer").value {
        Value::Vector(elements) => elements.first().map(|element| element.value),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_failed_scrape_ends_all_series_but_up() {
    let mut storage = Storage::new(600_000);
    let pod = target(&mut storage, "a");
    storage.scrape(pod, 0, &[3.0, 10.0]);
    storage.scrape_failed(pod, INTERVAL_MS);
    assert_eq!(ask(&storage, "queue", INTERVAL_MS - 1), Some(3.0));
    assert_eq!(ask(&storage, "queue", INTERVAL_MS), None);
    assert_eq!(ask(&storage, "up", INTERVAL_MS), Some(0.0));
    storage.scrape(pod, 2 * INTERVAL_MS, &[4.0, 11.0]);
    assert_eq!(ask(&storage, "queue", 2 * INTERVAL_MS), Some(4.0));
    assert_eq!(ask(&storage, "count_over_time(queue[1m])", 2 * INTERVAL_MS), Some(2.0));
}

#[test]
fn a_series_missing_from_a_scrape_ends_there_and_only_it() {
    let mut storage = Storage::new(600_000);
    let pod = target(&mut storage, "a");
    storage.scrape(pod, 0, &[3.0, 10.0]);
    storage.scrape(pod, INTERVAL_MS, &[MISSING, 11.0]);
    storage.scrape(pod, 2 * INTERVAL_MS, &[MISSING, 12.0]);
    assert_eq!(ask(&storage, "queue", 2 * INTERVAL_MS), None);
    assert_eq!(ask(&storage, "requests", 2 * INTERVAL_MS), Some(12.0));
}

#[test]
fn a_removed_target_answers_for_two_intervals_and_then_never_did() {
    let mut storage = Storage::new(600_000);
    let pod = target(&mut storage, "a");
    storage.scrape(pod, 0, &[3.0, 10.0]);
    storage.end_target(pod, INTERVAL_MS);
    let noticed_ms = INTERVAL_MS * 21 / 10;
    assert_eq!(ask(&storage, "queue", noticed_ms - 1), Some(3.0));
    assert_eq!(ask(&storage, "queue", noticed_ms), None);
    assert_eq!(ask(&storage, "up", noticed_ms), None);
    // The markers carry the time of the first missed tick, so looking back one sees them where they were not.
    assert_eq!(ask(&storage, "queue offset 10s", noticed_ms), None);
    assert_eq!(ask(&storage, "queue offset 20s", noticed_ms), Some(3.0));
}

#[test]
fn a_target_that_comes_back_in_time_gets_no_late_markers() {
    let mut storage = Storage::new(600_000);
    let first = target(&mut storage, "a");
    storage.scrape(first, 0, &[3.0, 10.0]);
    storage.end_target(first, INTERVAL_MS);
    let again = target(&mut storage, "a");
    storage.scrape(again, 2 * INTERVAL_MS, &[4.0, 11.0]);
    assert_eq!(ask(&storage, "queue offset 10s", 3 * INTERVAL_MS), Some(4.0));
    assert_eq!(ask(&storage, "queue offset 20s", 3 * INTERVAL_MS), Some(3.0));
    assert_eq!(storage.series_count(), 3);
}

#[test]
fn a_target_that_comes_back_late_keeps_the_markers() {
    let mut storage = Storage::new(600_000);
    let first = target(&mut storage, "a");
    storage.scrape(first, 0, &[3.0, 10.0]);
    storage.end_target(first, INTERVAL_MS);
    let again = target(&mut storage, "a");
    storage.scrape(again, 4 * INTERVAL_MS, &[4.0, 11.0]);
    assert_eq!(ask(&storage, "queue offset 30s", 5 * INTERVAL_MS), None);
    assert_eq!(ask(&storage, "queue", 5 * INTERVAL_MS), Some(4.0));
}

#[test]
fn pods_that_come_and_go_leave_nothing_behind() {
    let mut storage = Storage::new(60_000);
    let mut queries: Vec<Query> = ["sum(queue)", "sum(rate(requests[30s]))", "count({pod=~\"p.*\"})"]
        .map(|text| Query::compile(text).expect("a valid query"))
        .into();
    for round in 0..1_000_i64 {
        let now_ms = round * INTERVAL_MS;
        let pod = target(&mut storage, &format!("p{round}"));
        storage.scrape(pod, now_ms, &[1.0, 2.0]);
        storage.end_target(pod, INTERVAL_MS);
        storage.collect(now_ms);
        for query in &mut queries {
            query.evaluate(&storage, now_ms, Options::default()).expect("an answer");
        }
        assert!(storage.series_count() <= 3 * 5, "{}", storage.series_count());
    }
    assert!(storage.targets.len() <= 5, "{}", storage.targets.len());
}

#[test]
fn samples_past_retention_are_forgotten() {
    let mut storage = Storage::new(60_000);
    let id = storage.series(&named("queue", "a"));
    for step in 0..1_000 {
        storage.append(id, step * INTERVAL_MS, step as f64);
    }
    let now_ms = 999 * INTERVAL_MS;
    assert_eq!(ask(&storage, "count_over_time(queue[1m])", now_ms), Some(4.0));
    assert_eq!(ask(&storage, "count_over_time(queue[1h])", now_ms), Some(4.0));
}

#[test]
fn samples_that_are_not_newer_are_refused() {
    let mut storage = Storage::new(60_000);
    let id = storage.series(&named("queue", "a"));
    assert!(storage.append(id, 1_000, 1.0));
    assert!(!storage.append(id, 1_000, 2.0) && !storage.append(id, 500, 2.0));
    assert!(storage.append(id, 2_000, STALE));
    assert_eq!(ask(&storage, "queue", 2_000), None);
}

#[test]
fn a_series_added_to_a_target_has_no_past() {
    let mut storage = Storage::new(600_000);
    let pod = target(&mut storage, "a");
    storage.scrape(pod, 0, &[3.0, 10.0]);
    storage.add_series(pod, named("failures", "a"));
    assert_eq!(ask(&storage, "failures", 1_000), None);
    storage.scrape(pod, INTERVAL_MS, &[4.0, 11.0, 1.0]);
    assert_eq!(ask(&storage, "failures", INTERVAL_MS), Some(1.0));
    assert_eq!(ask(&storage, "idelta(queue[1m])", INTERVAL_MS), Some(1.0));
}

#[test]
fn a_scraped_not_a_number_is_a_value() {
    let mut storage = Storage::new(600_000);
    let pod = target(&mut storage, "a");
    storage.scrape(pod, 0, &[f64::NAN, 10.0]);
    assert!(ask(&storage, "queue", 1_000).is_some_and(f64::is_nan));
}
