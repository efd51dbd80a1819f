//! Do the rules do to labels what Prometheus does?

use super::*;

fn rule(write: impl FnOnce(&mut RelabelConfig)) -> RelabelRule {
    RelabelRule::new(&config(write)).expect("valid")
}

fn config(write: impl FnOnce(&mut RelabelConfig)) -> RelabelConfig {
    let mut config = RelabelConfig::default();
    write(&mut config);
    config
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|&word| word.to_owned()).collect()
}

fn labels() -> Labels {
    Labels::new([("a", "foo"), ("b", "bar"), ("c", "baz")])
}

fn shown(rules: &[RelabelRule]) -> String {
    apply(rules, &labels()).map_or_else(|| "dropped".to_owned(), |labels| labels.to_string())
}

#[test]
fn replace_joins_its_sources_and_expands_groups() {
    let joined = rule(|c| {
        c.source_labels = words(&["a", "b"]);
        c.regex = Some("f(.*);(.*)r".to_owned());
        c.target_label = Some("c".to_owned());
        c.replacement = Some("$1-${2}".to_owned());
    });
    assert_eq!(shown(&[joined]), r#"{a="foo", b="bar", c="oo-ba"}"#);
}

#[test]
fn replace_leaves_everything_where_the_whole_value_does_not_match() {
    let part = rule(|c| {
        c.source_labels = words(&["a"]);
        c.regex = Some("f".to_owned());
        c.target_label = Some("c".to_owned());
    });
    assert_eq!(shown(&[part]), r#"{a="foo", b="bar", c="baz"}"#);
}

#[test]
fn replace_with_nothing_takes_the_label_out_and_a_bare_replacement_writes_it() {
    let from_absent = rule(|c| {
        c.source_labels = words(&["absent"]);
        c.target_label = Some("a".to_owned());
    });
    let constant = rule(|c| {
        c.target_label = Some("team".to_owned());
        c.replacement = Some("ml".to_owned());
    });
    assert_eq!(shown(&[from_absent, constant]), r#"{b="bar", c="baz", team="ml"}"#);
}

#[test]
fn keep_and_drop_decide_over_the_whole_set_and_later_rules_do_not_run() {
    let of = |action: Action| {
        rule(|c| {
            c.source_labels = words(&["a"]);
            c.regex = Some("fo+".to_owned());
            c.action = Some(action);
        })
    };
    assert_eq!(shown(&[of(Action::Keep)]), r#"{a="foo", b="bar", c="baz"}"#);
    assert_eq!(shown(&[of(Action::Drop), of(Action::Keep)]), "dropped");
}

#[test]
fn label_actions_look_at_names() {
    let of = |action: Action, regex: &str| {
        rule(|c| {
            c.regex = Some(regex.to_owned());
            c.action = Some(action);
        })
    };
    assert_eq!(shown(&[of(Action::LabelDrop, "a|b")]), r#"{c="baz"}"#);
    assert_eq!(shown(&[of(Action::LabelKeep, "a|b")]), r#"{a="foo", b="bar"}"#);
    let map = rule(|c| {
        c.regex = Some("(a|b)".to_owned());
        c.replacement = Some("pod_$1".to_owned());
        c.action = Some(Action::LabelMap);
    });
    assert_eq!(shown(&[map]), r#"{a="foo", b="bar", c="baz", pod_a="foo", pod_b="bar"}"#);
}

#[test]
fn case_actions_write_the_target() {
    let upper = rule(|c| {
        c.source_labels = words(&["a", "b"]);
        c.target_label = Some("c".to_owned());
        c.action = Some(Action::Uppercase);
    });
    assert_eq!(shown(&[upper]), r#"{a="foo", b="bar", c="FOO;BAR"}"#);
}

#[test]
fn a_metric_is_renamed_through_its_name_label() {
    let rename = rule(|c| {
        c.source_labels = words(&["__name__"]);
        c.regex = Some("vllm:(.*)".to_owned());
        c.target_label = Some("__name__".to_owned());
        c.replacement = Some("kserve_vllm:$1".to_owned());
    });
    let scraped = Labels::new([("__name__", "vllm:num_requests_waiting"), ("engine", "0")]);
    let stored = apply(&[rename], &scraped).expect("kept");
    assert_eq!(stored.to_string(), r#"kserve_vllm:num_requests_waiting{engine="0"}"#);
}

#[test]
fn a_target_keeps_no_meta_label_and_its_address_is_its_instance() {
    let discovered = Labels::new([
        ("__address__", "10.0.0.7:8000"),
        ("__meta_kubernetes_pod_name", "llm-0"),
        ("__meta_kubernetes_pod_label_app", "llm"),
    ]);
    let pod = rule(|c| {
        c.source_labels = words(&["__meta_kubernetes_pod_name"]);
        c.target_label = Some("pod".to_owned());
    });
    let all = rule(|c| {
        c.regex = Some("__meta_kubernetes_pod_label_(.+)".to_owned());
        c.action = Some(Action::LabelMap);
    });
    let labels = target_labels(&discovered, &[pod, all]).expect("kept");
    assert_eq!(labels.to_string(), r#"{app="llm", instance="10.0.0.7:8000", pod="llm-0"}"#);
}

#[test]
fn a_target_without_address_is_none() {
    let clear = rule(|c| {
        c.target_label = Some("__address__".to_owned());
        c.replacement = Some(String::new());
    });
    assert_eq!(target_labels(&Labels::new([("__address__", "10.0.0.7:8000")]), &[clear]), None);
}

#[test]
fn settings_that_do_not_fit_the_action_are_refused() {
    let text =
        |write: &dyn Fn(&mut RelabelConfig)| RelabelRule::new(&config(|c| write(c))).expect_err("refused").to_string();
    assert_eq!(text(&|_| {}), "relabelling action replace needs `targetLabel`");
    assert_eq!(
        text(&|c| {
            c.action = Some(Action::LabelDrop);
            c.source_labels = words(&["a"]);
        }),
        "relabelling action labeldrop takes no `sourceLabels`"
    );
    assert_eq!(text(&|c| c.target_label = Some("a-b".to_owned())), r#""a-b" is not a label name"#);
    let pattern = text(&|c| {
        c.target_label = Some("a".to_owned());
        c.regex = Some("(".to_owned());
    });
    assert!(pattern.starts_with(r#"invalid regular expression "(": "#), "{pattern}");
}
