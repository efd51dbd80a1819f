//! `scalelab metrics`, and what becomes of queries that nothing can answer: exit code 2 with the place, never a crash.

use insta::assert_snapshot;

use crate::errors::check;
use crate::support::{SCENARIO, folder_with, scalelab};

const CPU: &str = "{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}";

/// The small scenario with vLLM as its server.
fn of_vllm() -> String {
    SCENARIO.replace("image: server:1", "image: vllm/vllm-openai:v0.11.0")
}

/// Its HPA with this metric, and these documents behind it.
fn with_metric(metric: &str, documents: &str) -> String {
    format!("{}{documents}", of_vllm().replace(CPU, metric))
}

/// An HPA on a metric of the pods with this selector.
fn selecting(selector: &str) -> String {
    let metric = format!(
        "{{type: Pods, pods: {{metric: {{name: \"vllm:num_requests_waiting\", selector: {selector}}}, target: {{type: AverageValue, \
         averageValue: 2}}}}}}"
    );
    with_metric(&metric, "")
}

/// KEDA on `query`, with `advanced`.
fn triggered_by(query: &str, advanced: &str) -> String {
    let policy = "  - {name: hpa, hpa: server}\n";
    let object = format!(
        "---\napiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {{name: waiting, namespace: ml}}\nspec:\n  \
         scaleTargetRef: {{name: server}}\n  advanced: {advanced}\n  triggers:\n  - type: prometheus\n    name: queue\n    metadata:\n      \
         serverAddress: http://prometheus:9090\n      threshold: '5'\n      query: '{query}'\n"
    );
    of_vllm().replace(policy, &format!("{policy}  - {{name: keda, keda: waiting}}\n")) + &object
}

/// An HPA on `llm_queue`, which a rule of prometheus-adapter with these fields is to answer.
fn adapted(series: &str, name: &str, query: &str) -> String {
    let metric = "{type: Pods, pods: {metric: {name: llm_queue}, target: {type: AverageValue, averageValue: 2}}}";
    let rule = format!(
        "---\nrules:\n- seriesQuery: '{series}'\n  resources: {{overrides: {{namespace: {{resource: namespace}}, pod: {{resource: pod}}}}}}\n  \
         name: {name}\n  metricsQuery: '{query}'\n"
    );
    with_metric(metric, &rule)
}

/// An HPA on a series that this rule records.
fn recorded(rule: &str) -> String {
    let metric = "{type: Pods, pods: {metric: {name: \"llm:queue\"}, target: {type: AverageValue, averageValue: 2}}}";
    let document = format!(
        "---\napiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {{name: llm, namespace: ml}}\nspec:\n  groups:\n  - \
         name: llm\n    rules:\n    - {rule}\n"
    );
    with_metric(metric, &document)
}

/// What `scalelab metrics small ARGS` prints, after its exit code.
fn told(text: &str, args: &[&str]) -> String {
    let folder = folder_with(text);
    let output = scalelab(folder.path(), &[&["metrics", "small"], args].concat());
    let code = output.status.code().unwrap_or(-1);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let noted = String::from_utf8_lossy(&output.stderr).into_owned();
    format!("exit code {code}\n{shown}{noted}")
}

#[test]
fn metrics_lists_what_a_name_matches_with_labels_source_and_readers() {
    assert_snapshot!(told(
        &triggered_by("sum(vllm:num_requests_waiting)", "{}"),
        &["--match", "num_requests_(wait|runn)ing$"]
    ));
}

#[test]
fn metrics_lists_the_same_as_json() {
    let text = triggered_by("sum(vllm:num_requests_waiting)", "{}");
    assert_snapshot!(told(&text, &["--match", "^vllm:kv_cache_usage_perc$", "--json"]));
}

#[test]
fn metrics_of_all_says_why_a_metric_is_not_shown() {
    assert_snapshot!(told(&of_vllm(), &["--match", "gpu_prefix_cache|iteration_tokens", "--all"]));
}

#[test]
fn metrics_refuses_an_expression_that_is_none() {
    assert_snapshot!(told(&of_vllm(), &["--match", "num_requests_("]));
}

#[test]
fn a_name_that_nothing_matches_is_said() {
    assert_snapshot!(told(&of_vllm(), &["--match", "no_such_name"]));
}

#[test]
fn a_broken_query_of_keda_is_refused_where_it_stands() {
    let queries = [
        ("sum(vllm:num_requests_waiting", "unclosed left parenthesis"),
        ("rate(vllm:request_success_total)", "rate"),
        ("sum(vllm:num_requests_waiting{model_name=~\"(\"})", "("),
        ("sum(rate(vllm:request_success_total[$__interval]))", "$__interval"),
        ("sum(vllm:num_requests_waitin)", "vllm:num_requests_waiting"),
    ];
    for (query, part) in queries {
        check(&triggered_by(query, "{}"), &[], &["scenario.yaml:75:14: ", "query", part]);
    }
}

#[test]
fn a_broken_formula_of_keda_is_refused_where_it_stands() {
    for formula in ["queue +", "queu * 2", "max([queue", "queue > 1 ? 1", "(((("] {
        let advanced = format!("{{scalingModifiers: {{target: \"2\", formula: \"{formula}\"}}}}");
        let text = triggered_by("sum(vllm:num_requests_waiting)", &advanced);
        check(&text, &[], &["scenario.yaml:68:", "scalingModifiers.formula"]);
    }
}

#[test]
fn a_broken_rule_of_prometheus_adapter_is_refused_where_it_stands() {
    let series = "vllm:num_requests_waiting{pod!=\"\"}";
    let query = "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)";
    let rules = [
        ("{", "{as: llm_queue}", query),
        (series, "{matches: \"(\", as: llm_queue}", query),
        (series, "{as: llm_queue}", "sum(<<.Series>>{<<.LabelMatchers>>} by (<<.GroupBy>>)"),
        (series, "{as: llm_queue}", "sum(<<.Series"),
        (series, "{as: llm_queue}", "sum(<<.Pods>>)"),
    ];
    for (series, name, query) in rules {
        check(&adapted(series, name, query), &[], &["scenario.yaml:63:3: rules[0]"]);
    }
}

#[test]
fn a_broken_recording_rule_is_refused_where_it_stands() {
    let rules = [
        "{record: \"llm:queue\", expr: \"sum(\"}",
        "{record: \"llm:queue\", expr: \"up[5m]\"}",
        "{record: \"llm:queue\", expr: \"\"}",
    ];
    for rule in rules {
        check(&recorded(rule), &[], &["scenario.yaml:69:", "rules[0].expr"]);
    }
}

#[test]
fn a_selector_of_a_metric_that_is_none_is_refused_where_it_stands() {
    let selectors = [
        ("{matchExpressions: [{key: pod, operator: Gt, values: [\"1\"]}]}", "one of: In, NotIn, Exists, DoesNotExist"),
        ("{matchExpressions: [{key: pod, operator: In}]}", "`In` and `NotIn` need at least one value"),
        ("{matchExpressions: [{key: pod, operator: Exists, values: [a]}]}", "take no values"),
    ];
    for (selector, part) in selectors {
        check(&selecting(selector), &[], &["scenario.yaml:60:", "matchExpressions[0]", part]);
    }
}

#[test]
fn expressions_of_a_selector_choose_series() {
    let run = |selector: &str| {
        let folder = folder_with(&selecting(selector));
        scalelab(folder.path(), &["run", "small", "-o", "out", "--policy", "hpa"])
    };
    let readable = |selector: &str| {
        let output = run(selector);
        let is_read = !String::from_utf8_lossy(&output.stdout).contains("unread in 40 of 40 passes");
        output.status.code() == Some(0) && is_read
    };
    let refused = |selector: &str| run(selector).status.code() == Some(2);
    assert!(readable(
        "{matchExpressions: [{key: model_name, operator: Exists}, {key: engine, operator: In, values: [\"0\", \"1\"]}]}"
    ));
    assert!(refused("{matchExpressions: [{key: engine, operator: NotIn, values: [\"0\"]}]}"));
    assert!(refused("{matchExpressions: [{key: model_name, operator: DoesNotExist}]}"));
}
