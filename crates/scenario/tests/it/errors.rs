//! Every kind of error, in the words the user reads.

use insta::assert_snapshot;
use scenario::Input;
use traces::load;

use crate::support::{HPA, SCENARIO, load_with, message, with};

#[test]
fn an_unknown_key_names_its_place_and_the_nearest_key() {
    assert_snapshot!(message(&with("    duration: 1h", "    durtaion: 1h")), @"scenario.yaml:7:5: spec.run: unknown key `durtaion`; did you mean `duration`? (one of: start, timeZone, duration, warmUp, seed, replications, timelineStep, prehistory)");
    assert_snapshot!(message(&with("    pod:\n", "    pods:\n")), @"scenario.yaml:15:5: spec.service: unknown key `pods`; did you mean `pod`? (one of: workload, deployment, pod, replicas, model, routing, whileNoReplica, queueLimit, onKill, usage, client, endpointDelay, drainDelay, onTerminate)");
}

#[test]
fn an_unknown_choice_lists_the_choices() {
    assert_snapshot!(message(&with("      slots:", "      slot:")), @"scenario.yaml:13:7: spec.service.model: unknown choice `slot`; did you mean `slots`? (one of: slots, dynamicBatching, continuousBatching, preset)");
    assert_snapshot!(message(&with("  traffic:", "  nodes:\n    manager: karpentr\n  traffic:").replacen("  nodes:\n    pools", "  coldStart:\n    links", 1)), @"scenario.yaml:9:14: spec.nodes.manager: unknown choice `karpentr`; did you mean `karpenter`? (one of: karpenter, clusterAutoscaler, simple, serverless)");
}

#[test]
fn a_number_without_its_unit_says_which_unit_is_meant() {
    assert_snapshot!(message(&with("serviceTime: 50ms", "serviceTime: 50")), @"scenario.yaml:14:22: spec.service.model.slots.serviceTime: number `50` without a unit, expected a duration with its unit such as `15s`, `2m`, `500ms` or `1h30m`");
    assert_snapshot!(message(&with("rate: 10req/s", "rate: 10")), @"scenario.yaml:10:13: spec.traffic.generator.rate: number `10` without a unit, expected a rate such as `12req/s` or a factor such as `70%`");
    assert_snapshot!(message(&with("onDemand: $1.01/h", "onDemand: 1.01")), @r#"scenario.yaml:22:27: spec.prices["g5.xlarge"].onDemand: number `1.01` without a unit, expected a price with its unit such as `$3.06/h`"#);
    assert_snapshot!(message(&with("duration: 1h", "duration: 1 fortnight")), @"scenario.yaml:7:15: spec.run.duration: text `1 fortnight`, expected a duration with its unit such as `15s`, `2m`, `500ms` or `1h30m`");
}

#[test]
fn a_value_of_the_wrong_type_says_what_was_found() {
    assert_snapshot!(message(&with("replicas: 2", "replicas: two")), @"scenario.yaml:25:24: spec.policies[0].static.replicas: text `two`, expected a whole number");
    assert_snapshot!(message(&with("name: small", "name: 7")), @r#"scenario.yaml:4:9: metadata.name: number `7`, expected text; put it in quotes: "7""#);
    assert_snapshot!(message(&with("instanceTypes: [g5.xlarge]", "instanceTypes: g5.xlarge")), @"scenario.yaml:20:22: spec.nodes.pools[0].instanceTypes: text `g5.xlarge`, expected a list");
}

#[test]
fn a_missing_key_is_named() {
    assert_snapshot!(message(&with("  name: small", "  description: none")), @"scenario.yaml:4:3: metadata: key `name` is missing");
}

#[test]
fn two_choices_at_once_are_one_too_many() {
    let text = with(
        "      slots:\n",
        "      dynamicBatching: {batchMax: 4, latency: {affine: {base: 1ms, perRequest: 1ms}}}\n      slots:\n",
    );
    assert_snapshot!(message(&text), @"scenario.yaml:14:7: spec.service.model: `dynamicBatching` and `slots` together, expected only one of: slots, dynamicBatching, continuousBatching, preset");
}

#[test]
fn broken_yaml_and_double_keys_have_a_line() {
    assert_snapshot!(message(&with("    duration: 1h", "    duration: [1h")), @"scenario.yaml:8:10: not valid YAML: illegal placement of ':' indicator");
    assert_snapshot!(message(&with("    duration: 1h", "    duration: 1h\n    duration: 2h")), @"scenario.yaml:8:5: key `duration` is given twice; first at line 7");
}

#[test]
fn documents_must_say_what_they_are() {
    assert_snapshot!(message("metadata: {name: x}\n"), @"scenario.yaml:1:1: `kind` is missing; every document starts with `apiVersion` and `kind`");
    assert_snapshot!(message("kind: Scenario\n"), @"scenario.yaml:1:1: `apiVersion` is missing; every document starts with `apiVersion` and `kind`");
    assert_snapshot!(message("- 1\n"), @"scenario.yaml:1:1: this document is not a mapping; every document starts with `apiVersion` and `kind`");
    assert_snapshot!(message("apiVersion: scalelab.dev/v1\nkind: Scenaro\n"), @"scenario.yaml:2:7: kind: unknown kind `Scenaro`; did you mean `Scenario`? (one of: Scenario, Measured, Sweep)");
    assert_snapshot!(message("apiVersion: scalelab.dev/v2\nkind: Scenario\n"), @"scenario.yaml:1:13: apiVersion: there is no supported API version of this kind `scalelab.dev/v2`; did you mean `scalelab.dev/v1`? (one of: scalelab.dev/v1)");
}

#[test]
fn exactly_one_scenario_is_needed() {
    assert_snapshot!(message(HPA), @"0 documents of `kind: Scenario` in scenario.yaml; exactly one is needed");
    assert_snapshot!(message(&format!("{SCENARIO}---\n{SCENARIO}")), @"2 documents of `kind: Scenario` in scenario.yaml; exactly one is needed");
}

#[test]
fn names_that_refer_to_nothing_are_shown_what_there_is() {
    let unlinked = with("static: {replicas: 2}", "hpa: bussy");
    assert_snapshot!(message(&format!("{unlinked}---\n{HPA}")), @"scenario.yaml:25:10: spec.policies[0].hpa: there is no HorizontalPodAutoscaler `bussy`; did you mean `busy`? (one of: busy)");
    let linked = with("static: {replicas: 2}", "hpa: busy");
    let other = HPA.replacen("name: inference", "name: inferense", 1);
    assert_snapshot!(message(&format!("{linked}---\n{other}")), @"scenario.yaml:32:65: spec.scaleTargetRef.name: there is no service `inferense`; did you mean `inference`? (one of: inference)");
    assert_snapshot!(message(&with("instanceTypes: [g5.xlarge]", "instanceTypes: [g5.xlarg]")), @"scenario.yaml:20:22: spec.nodes.pools[0].instanceTypes: there is no entry under `prices` for instance type `g5.xlarg`; did you mean `g5.xlarge`? (one of: g5.xlarge)");
    assert_snapshot!(message(&with("  service:\n", "  service:\n    deployment: web\n")), @"scenario.yaml:12:17: spec.service.deployment: there is no Deployment `web` (there is none)");
}

#[test]
fn values_that_do_not_go_together_say_why() {
    assert_snapshot!(message(&with("duration: 1h", "duration: 1h\n    warmUp: 2h")), @"scenario.yaml:8:13: spec.run.warmUp: must be shorter than `run.duration`");
    assert_snapshot!(message(&with("gpus: 1", "gpus: 2")), @"scenario.yaml:18:5: spec.nodes: pool `gpu` can never hold the pod: it asks for 2 GPUs, g5.xlarge has 1");
    assert_snapshot!(message(&with("- name: fixed", "- name: fixed\n    replicas: 1\n  - name: fixed")), @"scenario.yaml:24:5: spec.policies[0]: needs at least one of `static`, `recorded`, `hpa`, `keda`, `predictive` and `exec`");
    assert_snapshot!(message(&with("rate: 10req/s", "rate: {sum: [10req/s, 50%]}")), @"scenario.yaml:10:19: spec.traffic.generator.rate.sum: adds rates (`req/s`) and factors (`%`); all terms must be alike");
    assert_snapshot!(message(&with("serviceTime: 50ms", "serviceTime: {uniform: {low: 2s, high: 1s}}")), @"scenario.yaml:14:22: spec.service.model.slots.serviceTime: high is 1, below low, which is 2");
    assert_snapshot!(message(&with("duration: 1h", "duration: 1h\n    start: yesterday")), @"scenario.yaml:8:12: spec.run.start: text `yesterday`, expected a local date and time such as `2026-03-16T00:00:00` (the zone is `timeZone`)");
    assert_snapshot!(message(&with("static: {replicas: 2}", "static: {replicas: 9}\n    predictive: {replicasMax: 4}")), @"scenario.yaml:26:17: spec.policies[0].predictive: `replicasMax` is below `static.replicas`");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let missing = load(&[Input::Path("no/such/scenario.yaml".into())], &[]).unwrap_err();
    assert_snapshot!(missing, @"no/such/scenario.yaml: cannot be read: No such file or directory (os error 2)");
    let folder = tempfile::tempdir().unwrap();
    let empty = load(&[Input::Path(folder.path().to_owned())], &[]).unwrap_err().to_string();
    assert_snapshot!(empty.replace(&folder.path().display().to_string(), "FOLDER"), @"FOLDER: no *.yaml, *.yml or *.json file in this folder");
    let text = with("generator:\n      rate: 10req/s", "trace: {file: missing.csv}");
    assert_snapshot!(message(&text), @"scenario.yaml:9:19: spec.traffic.trace.file: there is no file `missing.csv`");
}

#[test]
fn an_override_that_fits_nowhere_shows_the_nearest_path() {
    let refused = |path: &str, value: &str| load_with(SCENARIO, &[(path, value)]).unwrap_err().to_string();
    assert_snapshot!(refused("run.durtion", "2h"), @"--set run.durtion=2h: unknown key `durtion` (one of: start, timeZone, duration, warmUp, seed, replications, timelineStep, prehistory); did you mean `run.duration`?");
    assert_snapshot!(refused("policies.fixd.static.replicas", "3"), @"--set policies.fixd.static.replicas=3: `policies` has no entry `fixd` (one of: fixed); did you mean `policies.fixed`?");
    assert_snapshot!(refused("policies[4].static.replicas", "3"), @"--set policies[4].static.replicas=3: `policies` has 1 entries, there is no number 4");
    assert_snapshot!(refused("policies.fixed.spec.maxReplicas", "3"), @"--set policies.fixed.spec.maxReplicas=3: `spec` of a policy stands for the `spec` of its `hpa` or `keda`, of which it has none");
    assert_snapshot!(refused("run..seed", "3"), @"--set run..seed=3: an empty step in path `run..seed`");
    assert_snapshot!(refused("run.duration", "15"), @"--set run.duration=15: spec.run.duration: number `15` without a unit, expected a duration with its unit such as `15s`, `2m`, `500ms` or `1h30m`");
    assert_snapshot!(refused("run.duration", "[1h"), @"--set run.duration=[1h: the value is not valid YAML: unclosed bracket '['");
}
