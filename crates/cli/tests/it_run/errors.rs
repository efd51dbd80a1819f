//! A broken scenario: exit code 2, file, line, column, the nearest valid name, and nothing written.

use crate::support::{SCENARIO, folder_with, scalelab};

pub(crate) fn check(text: &str, args: &[&str], parts: &[&str]) {
    let folder = folder_with(text);
    let output = scalelab(folder.path(), &[&["run", "small", "-o", "out"], args].concat());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{message}");
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
    assert!(!folder.path().join("out").exists(), "something was written");
}

#[test]
fn an_unknown_key_names_its_place_and_the_nearest_key() {
    check(
        &SCENARIO.replace("queueDelay", "queueDelai"),
        &[],
        &["small/scenario.yaml:15:", "queueDelai", "`queueDelay`"],
    );
}

#[test]
fn a_bare_number_where_a_unit_is_needed_is_refused() {
    check(
        &SCENARIO.replace("imagePull: {constant: 10s}", "imagePull: {constant: 10}"),
        &[],
        &["scenario.yaml:22:", "10"],
    );
}

#[test]
fn a_wrong_unit_is_refused() {
    check(&SCENARIO.replace("latency: 100ms", "latency: 100GB"), &[], &["scenario.yaml:20:", "100GB"]);
}

#[test]
fn a_missing_trace_is_named() {
    let text = SCENARIO.replace("    generator:\n      rate: 300req/s", "    trace: {file: nowhere.csv}");
    check(&text, &[], &["nowhere.csv"]);
}

#[test]
fn a_policy_whose_manifest_is_of_an_unknown_kind_is_refused() {
    let text = SCENARIO.replace("kind: HorizontalPodAutoscaler", "kind: HorizontalPodAutoscale");
    check(&text, &[], &["scenario.yaml:36:", "there is no HorizontalPodAutoscaler `server`"]);
}

#[test]
fn an_unknown_policy_and_an_unknown_path_are_named() {
    check(SCENARIO, &["--policy", "statik"], &["statik", "`static`"]);
    check(SCENARIO, &["--set", "run.durration=5m"], &["durration", "duration"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = folder_with(SCENARIO);
    let output = scalelab(folder.path(), &["run", "elsewhere"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("elsewhere"));
}
