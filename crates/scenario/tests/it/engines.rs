//! What an engine does when it is told to stop and at first, and what it serves at most.

use cluster::spec::StopRule;
use insta::assert_snapshot;

use crate::support::{SCENARIO, load_text, message, with};

const TABLE: &str = "tokenTime: [{tokens: 1, time: 6.33ms}, {tokens: 8192, time: 173.8ms}]";

/// The scenario with this law.
fn scenario(law: &str) -> String {
    let batching =
        format!("continuousBatching: {{sequencesMax: 256, batchedTokensMax: 8192, kvTokens: 400000, {law}}}");
    with("slots:\n        serviceTime: 50ms", &batching)
}

const LINEAR: &str = "iterationMin: 6ms, iterationBase: 6ms, perKvToken: 60ns, perPromptToken: 20us";

#[test]
fn a_language_model_that_aborts_is_gone_for_its_clients_when_it_is_killed_unless_it_says_so_at_once() {
    let engine = scenario(LINEAR);
    let stop = |text: &str, rule: &str| {
        let text = text.replacen("    pod:\n", &format!("    onTerminate: {rule}\n    pod:\n"), 1);
        load_text(&text).map(|loaded| loaded.spec.services[0].pod.stop)
    };
    for (rule, expected) in [
        ("abort", StopRule::Halt),
        ("{abort: {}}", StopRule::Halt),
        ("{abort: {notice: atKill}}", StopRule::Halt),
        ("{abort: {notice: atOnce}}", StopRule::Abort),
    ] {
        assert_eq!(stop(&engine, rule).unwrap(), expected, "{rule}");
    }
    assert_eq!(stop(SCENARIO, "abort").unwrap(), StopRule::Abort, "other servers exit");
    assert_snapshot!(stop(SCENARIO, "{abort: {notice: atKill}}").unwrap_err(), @"scenario.yaml:15:35: spec.service.onTerminate.abort.notice: `atKill` needs `continuousBatching`: other servers exit at once");
}

#[test]
fn only_engines_have_a_first_iteration() {
    let with_first = |text: &str| text.replacen("  nodes:\n", "  coldStart: {firstIteration: 2s}\n  nodes:\n", 1);
    let loaded = load_text(&with_first(&scenario(LINEAR))).unwrap();
    assert!(loaded.spec.services[0].first_iteration.is_some());
    assert_snapshot!(message(&with_first(SCENARIO)), @"scenario.yaml:17:31: spec.coldStart.firstIteration: only `continuousBatching` has iterations");
}

#[test]
fn what_a_replica_serves_at_most_is_said_with_the_replicas_the_load_needs() {
    let text = scenario(&format!("{TABLE}, promptTokens: 4600, outputTokens: 64"));
    let notes = load_text(&text).unwrap().notes;
    let found: Vec<&String> = notes
        .iter()
        .filter(|note| ["saturation", "perPromptTokenContext", "mean load"].iter().any(|word| note.contains(word)))
        .collect();
    assert_eq!(found.len(), 3, "{notes:?}");
    assert!(found[1].contains("of 4600 prompt and 64 output tokens"), "{notes:?}");
}

#[test]
fn nothing_is_said_to_be_the_most_where_requests_follow_from_answers_or_are_found_in_a_cache() {
    let text = scenario(&format!("{TABLE}, promptTokens: 4600, outputTokens: 64"));
    for more in ["    sessions: {turns: 3, thinkTime: 5s, newTokens: 60}\n", "    prefix: {hitRatio: 60%}\n"] {
        let notes = load_text(&text.replacen("  traffic:\n", &format!("  traffic:\n{more}"), 1)).unwrap().notes;
        assert!(!notes.iter().any(|note| note.contains("saturation") || note.contains("mean load")), "{more}{notes:?}");
        assert!(notes.iter().any(|note| note.contains("perPromptTokenContext")), "{more}{notes:?}");
    }
}

#[test]
fn variables_come_from_config_maps_and_from_the_pod_as_the_kubelet_fills_them_in() {
    let map = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: cfg, namespace: ml}\ndata: {SERVED: qwen, SEQS: \"48\"}\n";
    let chat = |env: &str, name: &str| {
        let scenario =
            SCENARIO.replacen("    pod:\n      gpus: 1\n", "", 1).replacen("static: {replicas: 2}", "keda: so", 1);
        format!(
            "{scenario}---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: chat, namespace: ml}}\nspec:\n  template:\n    metadata: {{labels: \
             {{app: chat, model: qwen}}}}\n    spec:\n      containers:\n      - name: vllm\n        image: vllm/vllm-openai:v0.15.1\n        args: \
             [--model, m, --served-model-name, $(SERVED)]\n{env}        resources: {{limits: {{nvidia.com/gpu: 1}}}}\n---\napiVersion: \
             keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {{name: so, namespace: ml}}\nspec:\n  scaleTargetRef: {{name: chat}}\n  triggers:\n  - \
             {{type: prometheus, metadata: {{serverAddress: \"http://p\", query: 'sum(vllm:num_requests_waiting{{model_name=\"{name}\"}})', threshold: \"2\"}}}}\n{map}"
        )
    };
    for env in [
        "        envFrom: [{configMapRef: {name: cfg}}]\n",
        "        env: [{name: SERVED, valueFrom: {configMapKeyRef: {name: cfg, key: SERVED}}}]\n",
        "        env: [{name: SERVED, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['model']\"}}}]\n",
        "        env: [{name: SERVED, value: qwen}]\n        envFrom: [{configMapRef: {name: cfg}, prefix: X_}]\n",
    ] {
        let loaded = load_text(&chat(env, "qwen")).unwrap();
        let is_config = env.contains("cfg");
        assert_eq!(
            loaded.counted.iter().any(|line| line.contains("ConfigMap")),
            !is_config,
            "{env} {:?}",
            loaded.counted
        );
        let text = message(&chat(env, "qwenn"));
        assert!(text.contains("model_name is \"qwen\""), "{env} {text}");
    }
}

/// One reader of flags: what counts for how a server serves counts for the labels of its metrics.
#[test]
fn a_flag_that_is_given_twice_is_told_and_the_last_one_counts_for_labels_too() {
    let chat = |start: &str, name: &str| {
        let scenario =
            SCENARIO.replacen("    pod:\n      gpus: 1\n", "", 1).replacen("static: {replicas: 2}", "keda: so", 1);
        format!(
            "{scenario}---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: chat}}\nspec:\n  template:\n    metadata: {{labels: {{app: chat}}}}\n    spec:\n      \
             containers:\n      - name: vllm\n        image: vllm/vllm-openai:v0.15.1\n        {start}\n        resources: {{limits: {{nvidia.com/gpu: 1}}}}\n---\napiVersion: \
             keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {{name: so}}\nspec:\n  scaleTargetRef: {{name: chat}}\n  triggers:\n  - {{type: prometheus, metadata: \
             {{serverAddress: \"http://p\", query: 'sum(vllm:num_requests_waiting{{model_name=\"{name}\"}})', threshold: \"2\"}}}}\n"
        )
    };
    for start in [
        "args: [--model, m, --served-model-name, first, --served_model_name=last]",
        "command: [sh, -c, \"vllm serve m --served-model-name first --served-model-name last & wait $!\"]",
    ] {
        let notes = load_text(&chat(start, "last")).unwrap().notes;
        let told = "--served-model-name is given 2 times (first, then last): the last one counts";
        let is_told = |note: &String| note.starts_with("scenario.yaml:") && note.ends_with(told);
        assert_eq!(notes.iter().filter(|note| is_told(note)).count(), 1, "{notes:?}");
        assert!(message(&chat(start, "first")).contains("model_name is \"last\""));
    }
}
