//! `--set` reaches what it should and nothing else.

use cluster::spec::{ControllerSpec, PolicySpec};
use units::SimTime;

use crate::support::{HPA, SCENARIO, load_with, with};

fn two_policies() -> String {
    let scenario =
        with("  - name: fixed\n    static: {replicas: 2}", "  - name: a\n    hpa: busy\n  - name: b\n    hpa: busy");
    format!("{scenario}---\n{HPA}")
}

fn replicas_max(policy: &PolicySpec) -> u32 {
    match &policy.services[0].controllers[0] {
        ControllerSpec::Hpa { spec, .. } => spec.replicas_max,
        other => panic!("no HPA but {other:?}"),
    }
}

#[test]
fn a_value_that_is_not_written_can_be_set() {
    let loaded =
        load_with(SCENARIO, &[("run.seed", "9"), ("spec.run.duration", "90m"), ("metadata.name", "other")]).unwrap();
    assert_eq!((loaded.seed, loaded.spec.end, loaded.spec.name.as_str()), (9, SimTime::from_secs(5_400), "other"));
}

#[test]
fn a_choice_can_be_set_whole_or_in_parts() {
    let whole = [("coldStart.modelDownload", "{uniform: {low: 1s, high: 2s}}"), ("coldStart.gpuLoad", "5s")];
    assert!(load_with(SCENARIO, &whole).is_ok());
    let part = [("coldStart.modelDownload.exponential.mean", "4s")];
    assert!(load_with(SCENARIO, &part).is_ok());
}

#[test]
fn a_policy_changes_its_own_copy_of_a_manifest() {
    let text = two_policies();
    for path in ["policies.a.spec.maxReplicas", "policies.a.hpa.maxReplicas", "policies[0].spec.maxReplicas"] {
        let loaded = load_with(&text, &[(path, "9")]).unwrap();
        assert_eq!(loaded.spec.policies.iter().map(replicas_max).collect::<Vec<_>>(), [9, 5], "{path}");
    }
    let deep = load_with(&text, &[("policies.b.spec.metrics[0].pods.target.averageValue", "3")]).unwrap();
    let ControllerSpec::Hpa { spec, .. } = &deep.spec.policies[1].services[0].controllers[0] else { panic!("no HPA") };
    assert!(format!("{:?}", spec.metrics).contains("AverageValue(3000)"));
}

#[test]
fn a_manifest_changes_for_all_who_name_it() {
    let loaded = load_with(&two_policies(), &[("HorizontalPodAutoscaler/busy.spec.maxReplicas", "7")]).unwrap();
    assert_eq!(loaded.spec.policies.iter().map(replicas_max).collect::<Vec<_>>(), [7, 7]);
}

#[test]
fn later_overrides_win() {
    let loaded = load_with(SCENARIO, &[("run.seed", "2"), ("run.seed", "3")]).unwrap();
    assert_eq!(loaded.seed, 3);
}

#[test]
fn a_number_becomes_text_where_a_manifest_takes_nothing_else() {
    let scaled = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: busy}\nspec:\n  scaleTargetRef: {name: inference}\n  \
                  triggers:\n  - type: cron\n    metadata: {timezone: UTC, start: 0 8 * * *, end: 0 18 * * *, desiredReplicas: \"2\"}\n";
    let scenario = with("  - name: fixed\n    static: {replicas: 2}", "  - name: a\n    keda: busy");
    let text = format!("{scenario}---\n{scaled}");
    let path = "policies.a.spec.triggers[0].metadata.desiredReplicas";
    let set = |value: &str| load_with(&text, &[(path, value)]).map(|loaded| format!("{:?}", loaded.spec.policies[0]));
    assert_eq!(set("3").unwrap(), set("\"3\"").unwrap());
    assert_ne!(set("3").unwrap(), set("2").unwrap());
}
