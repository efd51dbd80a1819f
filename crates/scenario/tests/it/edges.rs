//! Values that would be read as something else, or that Kubernetes refuses: each says so where it stands.

use units::SimTime;

use crate::support::{SCENARIO, load_with, message, with};

fn refused(overrides: &[(&str, &str)]) -> String {
    load_with(SCENARIO, overrides).expect_err("this input must be refused").to_string()
}

#[test]
fn a_change_of_the_clocks_in_the_run_is_said() {
    let spring = |start: &str| {
        let overrides = [("run.timeZone", "Europe/Berlin"), ("run.start", start), ("run.duration", "5h")];
        load_with(SCENARIO, &overrides)
            .unwrap()
            .notes
            .iter()
            .any(|note| note.starts_with("the clocks of Europe/Berlin change"))
    };
    assert!(spring("2026-03-29T00:00") && spring("2026-10-25T00:00"));
    assert!(!spring("2026-03-28T00:00") && !spring("2026-03-29T04:00"));
}

/// Peak of a daily curve at four in the morning by the clock: an hour earlier after the start of summer time, an hour later after its end.
#[test]
fn daily_rates_follow_the_clocks() {
    let peak = |start: &str, rate: &str| {
        let overrides = [
            ("run.timeZone", "Europe/Berlin"),
            ("run.start", start),
            ("run.duration", "12h"),
            ("traffic", &format!("{{generator: {{rate: {rate}, step: 60s}}}}")),
        ];
        let spec = load_with(SCENARIO, &overrides).unwrap().spec;
        let workload::Traffic::Poisson { rate } = &spec.services[0].traffic else { panic!("a Poisson process") };
        let minutes = (0..720).map(|minute| rate.rate_at(SimTime::from_secs(60 * minute))).enumerate();
        minutes.max_by(|one, other| one.1.total_cmp(&other.1)).unwrap().0 / 10
    };
    let points = "{points: {every: 24h, at: [{time: 3h54m, level: 1req/s}, {time: 4h5m, level: 9req/s}, {time: 4h15m, level: 1req/s}]}}";
    let sine = "{sine: {mean: 20req/s, amplitude: 60%, period: 24h, peak: 4h5m}}";
    for rate in [points, sine] {
        assert_eq!(peak("2026-03-28T00:00", rate), 24, "{rate}");
        assert_eq!(peak("2026-03-29T00:00", rate), 18, "{rate}");
        assert_eq!(peak("2026-10-25T00:00", rate), 30, "{rate}");
    }
    // What has nothing to do with the day goes by time elapsed.
    let own = "{points: {every: 9h, at: [{time: 3h54m, level: 1req/s}, {time: 4h5m, level: 9req/s}, {time: 4h15m, level: 1req/s}]}}";
    assert_eq!(peak("2026-03-29T00:00", own), 24);
}

#[test]
fn a_start_that_no_clock_shows_is_refused() {
    let message = refused(&[("run.timeZone", "Europe/Berlin"), ("run.start", "2026-03-29T02:30")]);
    assert!(message.contains("summer time begins there"), "{message}");
}

#[test]
fn more_than_a_century_or_a_cluster_is_refused() {
    let message = refused(&[("run.duration", "5200000h")]);
    assert!(message.contains("at most a century"), "{message}");
    let message = refused(&[("policies[0].static.replicas", "2000000000")]);
    assert!(message.contains("static.replicas: more than 150000"), "{message}");
}

#[test]
fn names_that_act_where_they_are_shown_are_refused() {
    let message = refused(&[("policies[0].name", "\"=1+1\"")]);
    assert!(message.contains("policies[0].name: starts with"), "{message}");
}

#[test]
fn a_queue_for_nobody_needs_a_server_that_starts_at_once() {
    assert!(load_with(SCENARIO, &[("service.queueLimit", "0")]).is_ok());
    let batching = "dynamicBatching: {batchMax: 8, queueDelay: 5ms, latency: {affine: {base: 10ms, perRequest: 2ms}}}";
    let text = with("      slots:\n        serviceTime: 50ms", &format!("      {batching}\n    queueLimit: 0"));
    assert!(message(&text).contains("spec.service.queueLimit: 0 lets nobody wait"));
}

#[test]
fn resources_that_kubernetes_refuses_are_refused_where_they_stand() {
    let deployment = |resources: &str| {
        let scenario = with("    pod:\n      gpus: 1", "    workload: server");
        format!(
            "{scenario}---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: server}}\nspec:\n  selector: {{matchLabels: {{app: s}}}}\n  \
             template:\n    metadata: {{labels: {{app: s}}}}\n    spec:\n      containers:\n      - {{name: s, image: \"s:1\", resources: {resources}}}\n"
        )
    };
    assert!(crate::support::load_text(&deployment("{limits: {nvidia.com/gpu: 1}}")).is_ok());
    for resources in ["{limits: {nvidia.com/gpu: -1}}", "{limits: {nvidia.com/gpu: \"0.5\"}}", "{requests: {cp: 1}}"] {
        let message = message(&deployment(resources));
        assert!(message.contains("spec.template.spec.containers[0].resources"), "{message}");
    }
}
