//! Does the adapter show and compute metrics as prometheus-adapter does?

use super::{
    Adapter, AdapterError, Asked, GroupResource, MetricRequest, NameRule, Objects, Reason, Requirement, Resources,
    Rule, RuleIndex, Rules, SelectorOperator, SeriesFilter,
};
use crate::labels::{Labels, METRIC_NAME};
use crate::query::Options;
use crate::storage::Storage;

const MINUTE_MS: i64 = 60_000;

fn resources() -> Resources {
    let overrides = [("namespace", "namespace"), ("pod", "pods"), ("kubernetes_service", "service")];
    Resources {
        overrides: overrides.map(|(label, to)| (label.to_owned(), GroupResource::core(to))).into(),
        ..Resources::default()
    }
}

fn rule(series_query: &str, metrics_query: &str) -> Rule {
    Rule {
        series_query: series_query.to_owned(),
        resources: resources(),
        metrics_query: metrics_query.to_owned(),
        ..Rule::default()
    }
}

fn adapter(custom: Vec<Rule>, external: Vec<Rule>) -> Adapter {
    Adapter::new(&Rules { custom, external }, MINUTE_MS, Options::default()).expect("valid rules")
}

/// Three pods in `ml`, one in `web`, with a queue and a request counter.
fn fleet() -> Storage {
    let mut storage = Storage::new(10 * MINUTE_MS);
    for (pod, namespace, queue) in
        [("v-0", "ml", 3.0), ("v-1", "ml", 0.2505), ("v-2", "ml", f64::NAN), ("w-0", "web", 9.0)]
    {
        for step in 0..9_i64 {
            let labels = |name| {
                Labels::new([
                    (METRIC_NAME, name),
                    ("pod", pod),
                    ("namespace", namespace),
                    ("kubernetes_service", "llm"),
                ])
            };
            let id = storage.series(&labels("vllm:queue"));
            storage.append(id, step * 15_000, queue);
            let id = storage.series(&labels("requests_total"));
            storage.append(id, step * 15_000, step as f64 * 15.0);
        }
    }
    storage
}

fn request(metric: &str) -> MetricRequest<'_> {
    MetricRequest { metric, namespace: "ml", selector: &[] }
}

fn pods(adapter: &mut Adapter, storage: &Storage, metric: &str, names: &[&str]) -> String {
    match adapter.pods_metric(storage, 2 * MINUTE_MS, request(metric), names) {
        Ok(found) => found.values.iter().map(|(pod, milli)| format!("{pod}={milli}m")).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn values_are_cut_to_thousandths_and_nan_is_zero_and_unknown_pods_are_left_out() {
    let storage = fleet();
    let query = "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)";
    let mut adapter = adapter(vec![rule(r#"{__name__="vllm:queue"}"#, query)], Vec::new());
    adapter.relist(&storage, 2 * MINUTE_MS);
    assert_eq!(
        pods(&mut adapter, &storage, "vllm:queue", &["v-0", "v-1", "v-2", "v-9", "w-0"]),
        "v-0=3000m v-1=250m v-2=0m"
    );
    assert_eq!(pods(&mut adapter, &storage, "vllm:queue", &["v-1"]), "v-1=250m");
    assert_eq!(adapter.queries.len(), 1, "one query serves every list of pods");
}

#[test]
fn a_metric_is_unknown_before_the_relist_and_after_its_series_are_gone() {
    let storage = fleet();
    let mut adapter = adapter(vec![rule("requests_total", "rate(<<.Series>>{<<.LabelMatchers>>}[1m])")], Vec::new());
    let unknown = "metric requests_total is not listed for pod";
    assert_eq!(pods(&mut adapter, &storage, "requests_total", &["v-0"]), unknown);
    adapter.relist(&storage, 3 * MINUTE_MS);
    assert_eq!(pods(&mut adapter, &storage, "requests_total", &["v-0"]), "v-0=1000m");
    adapter.relist(&storage, 3 * MINUTE_MS + 1);
    assert_eq!(pods(&mut adapter, &storage, "requests_total", &["v-0"]), unknown);
}

#[test]
fn names_follow_matches_and_as_and_filters_leave_series_out() {
    let storage = fleet();
    let mut renamed = rule(r#"{namespace!=""}"#, "sum by (<<.GroupBy>>) (rate(<<.Series>>{<<.LabelMatchers>>}[1m]))");
    renamed.name = NameRule { matches: "^(.*)_total$".to_owned(), api_name: "${1}_per_second".to_owned() };
    let mut filtered = rule(r#"{namespace!=""}"#, "<<.Series>>{<<.LabelMatchers>>}");
    filtered.series_filters = vec![SeriesFilter::IsNot("_total$".to_owned()), SeriesFilter::Is("^vllm".to_owned())];
    let mut adapter = adapter(vec![renamed, filtered], Vec::new());
    adapter.relist(&storage, 2 * MINUTE_MS);
    let names: Vec<&str> = adapter.listed_custom.keys().map(|key| key.metric.as_str()).collect();
    assert_eq!(names, ["requests_per_second"; 3].into_iter().chain(["vllm:queue"; 3]).collect::<Vec<_>>());
    assert_eq!(pods(&mut adapter, &storage, "requests_per_second", &["v-0"]), "v-0=1000m");
}

#[test]
fn several_groups_need_a_name() {
    let mut unclear = rule("x", "<<.Series>>");
    unclear.name.matches = "(.*)_(.*)".to_owned();
    let rules = Rules { custom: vec![unclear], external: Vec::new() };
    let error = Adapter::new(&rules, MINUTE_MS, Options::default()).expect_err("unclear");
    assert_eq!(error.to_string(), "name.matches \"(.*)_(.*)\" has several groups, so name.as is needed");
}

#[test]
fn an_object_metric_is_found_by_the_label_of_its_kind() {
    let storage = fleet();
    let query = r#"sum(requests_total{<<.LabelMatchers>>,pod!=""}) by (<<index .GroupBySlice 0>>)"#;
    let mut adapter = adapter(vec![rule("requests_total", query)], Vec::new());
    adapter.relist(&storage, 2 * MINUTE_MS);
    let service = Objects { resource: "services", names: &["llm"] };
    let found = adapter.objects_metric(&storage, 2 * MINUTE_MS, request("requests_total"), &service).expect("found");
    assert_eq!(found.values, [("llm".to_owned(), 360_000)]);
}

#[test]
fn a_template_names_labels_by_resource() {
    let storage = fleet();
    let mut by_template = rule("requests_total", "<<.Series>>{<<.LabelMatchers>>}");
    by_template.resources = Resources { template: Some("<<.Resource>>".to_owned()), ..Resources::default() };
    let mut adapter = adapter(vec![by_template], Vec::new());
    adapter.relist(&storage, 2 * MINUTE_MS);
    assert_eq!(pods(&mut adapter, &storage, "requests_total", &["v-1", "v-0"]), "v-1=120000m v-0=120000m");
}

#[test]
fn a_query_with_label_values_is_compiled_for_each_list() {
    let storage = fleet();
    let query = r#"sum(<<.Series>>{pod=~"<<index .LabelValuesByName "pod">>"}) by (<<.GroupBy>>)"#;
    let mut adapter = adapter(vec![rule("requests_total", query)], Vec::new());
    adapter.relist(&storage, 2 * MINUTE_MS);
    assert_eq!(pods(&mut adapter, &storage, "requests_total", &["v-0", "v-1"]), "v-0=120000m v-1=120000m");
    assert_eq!(pods(&mut adapter, &storage, "requests_total", &["v-2"]), "v-2=120000m");
}

#[test]
fn an_external_metric_is_one_total_of_its_namespace() {
    let storage = fleet();
    let query = "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)";
    let mut everywhere = rule("requests_total", query);
    everywhere.resources.namespaced = Some(false);
    everywhere.name.api_name = "requests_everywhere".to_owned();
    let mut adapter = adapter(Vec::new(), vec![rule("requests_total", query), everywhere]);
    adapter.relist(&storage, 2 * MINUTE_MS);
    let mut total = |metric, selector: &[Requirement]| {
        let request = MetricRequest { metric, namespace: "ml", selector };
        let found = adapter.external_metric(&storage, 2 * MINUTE_MS, request).expect("found");
        found.values.iter().map(|(labels, milli)| (labels.to_string(), *milli)).collect::<Vec<_>>()
    };
    assert_eq!(total("requests_total", &[]), [("{}".to_owned(), 360_000)]);
    assert_eq!(total("requests_everywhere", &[]), [("{}".to_owned(), 480_000)]);
    let some = |operator, values: &[&str]| {
        [Requirement { key: "pod".to_owned(), operator, values: values.iter().map(|&v| v.to_owned()).collect() }]
    };
    assert_eq!(total("requests_total", &some(SelectorOperator::In, &["v-0", "v-1"])), [("{}".to_owned(), 240_000)]);
    assert_eq!(total("requests_total", &some(SelectorOperator::NotEquals, &["v-0"])), [("{}".to_owned(), 240_000)]);
    assert_eq!(total("requests_total", &some(SelectorOperator::Exists, &[])), [("{}".to_owned(), 360_000)]);
    assert_eq!(total("requests_total", &some(SelectorOperator::DoesNotExist, &[])), []);
}

#[test]
fn an_external_value_that_is_no_number_is_an_error() {
    let storage = fleet();
    let mut adapter = adapter(Vec::new(), vec![rule("vllm:queue", "sum(<<.Series>>{<<.LabelMatchers>>})")]);
    adapter.relist(&storage, 2 * MINUTE_MS);
    let error = adapter.external_metric(&storage, 2 * MINUTE_MS, request("vllm:queue")).expect_err("NaN");
    assert!(matches!(error, AdapterError::NotANumber { .. }), "{error}");
}

#[test]
fn what_a_template_cannot_say_is_refused_with_what_it_can() {
    let rules = Rules { custom: vec![rule("x", "<<range .GroupBySlice>>")], external: Vec::new() };
    let error = Adapter::new(&rules, MINUTE_MS, Options::default()).expect_err("unsupported").to_string();
    assert!(error.contains("cannot use <<range .GroupBySlice>>; supported are .Series"), "{error}");
}

#[test]
fn a_query_that_cannot_work_is_refused_when_rules_are_read() {
    let rules = Rules { custom: vec![rule("x", "sum(<<.Series>>{<<.LabelMatchers>>}")], external: Vec::new() };
    assert!(matches!(Adapter::new(&rules, MINUTE_MS, Options::default()), Err(AdapterError::Query(_))));
}

#[test]
fn the_rules_tell_which_series_and_how_much_history_they_need() {
    let query = "rate(<<.Series>>{<<.LabelMatchers>>}[10m]) / on (pod) group_left () weight";
    let adapter = adapter(vec![rule(r#"{__name__=~"^re.*_total",namespace!=""}"#, query)], Vec::new());
    assert_eq!(adapter.lookbehind_ms(), Some(10 * MINUTE_MS));
    let wants = |name: &str| adapter.wants(&Labels::new([(METRIC_NAME, name)]));
    assert_eq!(["requests_total", "weight", "other"].map(wants), [true, true, false]);
}

fn series(labels: &[(&str, &str)]) -> Labels {
    Labels::new(labels.iter().copied())
}

/// What a pod of `llm` shows behind a ServiceMonitor.
fn shown(name: &'static str) -> Labels {
    series(&[
        (METRIC_NAME, name),
        ("namespace", "ml"),
        ("pod", "llm-0"),
        ("service", "llm"),
        ("container", "main"),
        ("job", "llm"),
    ])
}

fn with_defaults(custom: Vec<Rule>) -> Adapter {
    let mut rules = Rules::chart_defaults();
    rules.custom.extend(custom);
    Adapter::new(&rules, MINUTE_MS, Options::default()).expect("valid rules")
}

fn explained(adapter: &Adapter, asked: Asked<'_>, series: &[Labels]) -> String {
    match adapter.explain(asked, series) {
        Ok(answer) => format!("{:?} {}", answer.rule, answer.query),
        Err(why) => format!("{:?} of {:?}", why.reason, why.names),
    }
}

#[test]
fn the_charts_rules_show_gauges_under_their_names_and_counters_as_rates_without_total() {
    let series = [
        shown("vllm:num_requests_waiting"),
        shown("http_requests_total"),
        shown("process_cpu_seconds_total"),
        shown("nv_inference_request_success"),
        shown("container_memory_working_set_bytes"),
        shown("container_cpu_usage_seconds_total"),
        shown("container_network_receive_bytes_total"),
    ];
    let adapter = with_defaults(Vec::new());
    let ask = |metric| explained(&adapter, Asked::Custom { metric, resource: "pod" }, &series);
    let sum = |name: &str| format!("Custom(3) sum({name}{{}}) by (pod)");
    assert_eq!(ask("vllm:num_requests_waiting"), sum("vllm:num_requests_waiting"));
    assert_eq!(ask("nv_inference_request_success"), sum("nv_inference_request_success"), "a counter without _total");
    assert_eq!(ask("http_requests"), "Custom(4) sum(rate(http_requests_total{}[5m])) by (pod)");
    assert_eq!(ask("process_cpu"), "Custom(5) sum(rate(process_cpu_seconds_total{}[5m])) by (pod)");
    let of_container = |rule: usize, query: &str| format!("Custom({rule}) {query} by (pod)");
    assert_eq!(
        ask("cpu_usage"),
        of_container(0, r#"sum(rate(container_cpu_usage_seconds_total{container!="POD"}[5m]))"#)
    );
    assert_eq!(
        ask("network_receive_bytes"),
        of_container(1, r#"sum(rate(container_network_receive_bytes_total{container!="POD"}[5m]))"#)
    );
    assert_eq!(
        ask("memory_working_set_bytes"),
        of_container(2, r#"sum(container_memory_working_set_bytes{container!="POD"})"#)
    );
}

#[test]
fn a_default_rule_answers_per_pod_service_and_job() {
    let storage = fleet();
    let mut adapter = with_defaults(Vec::new());
    adapter.relist(&storage, 2 * MINUTE_MS);
    assert_eq!(pods(&mut adapter, &storage, "vllm:queue", &["v-0", "v-1"]), "v-0=3000m v-1=250m");
    // Two minutes of one per second, from zero, in a window of five.
    assert_eq!(pods(&mut adapter, &storage, "requests", &["v-0", "v-1"]), "v-0=400m v-1=400m");
    let series = [shown("vllm:queue")];
    for resource in ["Service", "services", "job", "pod", "namespace"] {
        let adapter = with_defaults(Vec::new());
        assert!(adapter.explain(Asked::Custom { metric: "vllm:queue", resource }, &series).is_ok(), "{resource}");
    }
}

#[test]
fn of_several_rules_for_one_name_the_last_answers() {
    let mut own = rule(r#"{__name__="vllm:queue"}"#, "max(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)");
    own.name.api_name = "vllm:queue".to_owned();
    let adapter = with_defaults(vec![own]);
    let asked = Asked::Custom { metric: "vllm:queue", resource: "pod" };
    assert_eq!(explained(&adapter, asked, &[shown("vllm:queue")]), "Custom(6) max(vllm:queue{}) by (pod)");
}

#[test]
fn why_nothing_answers_is_told_where_the_series_exists() {
    let gpu =
        series(&[(METRIC_NAME, "gpu"), ("namespace", "ml"), ("exported_pod", "llm-0"), ("instance", "10.0.0.1:9400")]);
    let adapter = with_defaults(Vec::new());
    let ask = |metric, resource, series: &[Labels]| {
        adapter.explain(Asked::Custom { metric, resource }, series).expect_err("none").reason
    };
    let http = [shown("http_requests_total")];
    let other = Reason::OtherName { series: "http_requests_total".to_owned(), api_name: "http_requests".to_owned() };
    assert_eq!(ask("http_requests_total", "pod", &http), Some(other));
    let no_label = Reason::NoResourceLabel {
        series: "gpu".to_owned(),
        resource: "pod".to_owned(),
        named: ["namespace".to_owned()].into(),
    };
    assert_eq!(ask("gpu", "pod", &[gpu]), Some(no_label));
    assert_eq!(ask("nothing", "pod", &http), None);
    let bare = series(&[(METRIC_NAME, "queue"), ("pod", "llm-0")]);
    assert_eq!(ask("queue", "pod", &[bare]), Some(Reason::NoRule { series: "queue".to_owned() }));
    let names = adapter.explain(Asked::Custom { metric: "nothing", resource: "pod" }, &http).expect_err("none").names;
    assert_eq!(names, ["http_requests".to_owned()].into());
}

#[test]
fn a_metric_of_the_other_api_is_told_apart_and_an_external_rule_needs_a_namespace() {
    let series = [shown("queue")];
    let query = "sum(<<.Series>>{<<.LabelMatchers>>})";
    let only_external = adapter(Vec::new(), vec![rule("queue", query)]);
    let custom = Asked::Custom { metric: "queue", resource: "pod" };
    assert_eq!(only_external.explain(custom, &series).expect_err("other").reason, Some(Reason::OtherApi));
    assert!(only_external.explain(Asked::External { metric: "queue" }, &series).is_ok());
    let only_custom = adapter(vec![rule("queue", query)], Vec::new());
    let external = Asked::External { metric: "queue" };
    assert_eq!(only_custom.explain(external, &series).expect_err("other").reason, Some(Reason::OtherApi));
    let unmapped = adapter(Vec::new(), vec![Rule { resources: Resources::default(), ..rule("queue", query) }]);
    let reason = Reason::NoNamespaceLabel { series: "queue".to_owned() };
    assert_eq!(unmapped.explain(external, &series).expect_err("fails").reason, Some(reason));
}

#[test]
fn rules_without_series_are_found() {
    let query = "sum(<<.Series>>{<<.LabelMatchers>>})";
    let adapter = adapter(vec![rule("queue", query), rule("gone", query)], vec![rule("gone", query)]);
    assert_eq!(adapter.idle_rules(&[shown("queue")]), [RuleIndex::Custom(1), RuleIndex::External(0)]);
}

#[test]
fn an_adapter_that_is_asked_for_some_metrics_wants_and_lists_only_their_series() {
    let storage = fleet();
    let mut adapter = with_defaults(Vec::new()).only(["requests"]);
    let wants = |name: &str| adapter.wants(&Labels::new([(METRIC_NAME, name), ("namespace", "ml")]));
    assert_eq!(["requests_total", "requests", "vllm:queue"].map(wants), [true, true, false]);
    adapter.relist(&storage, 2 * MINUTE_MS);
    assert_eq!(pods(&mut adapter, &storage, "requests", &["v-0"]), "v-0=400m");
    assert_eq!(pods(&mut adapter, &storage, "vllm:queue", &["v-0"]), "metric vllm:queue is not listed for pod");
}

#[test]
fn a_rule_without_query_is_refused() {
    let rules = Rules { custom: vec![rule("queue", " ")], external: Vec::new() };
    let error = Adapter::new(&rules, MINUTE_MS, Options::default()).expect_err("fails at each request").to_string();
    assert!(error.starts_with("the rule for \"queue\" has no metricsQuery"), "{error}");
}
