//! How a metric reaches an autoscaler: adapter, GKE's names, monitors, recording rules.

use insta::assert_snapshot;

use crate::support::{SCENARIO, load_text, message};

/// A service of vLLM pods with a policy `busy`, and the documents that are added.
fn served(extra: &str) -> String {
    let scenario = SCENARIO
        .replace(
            "    model:\n      slots:\n        serviceTime: 50ms\n    pod:\n      gpus: 1\n",
            "    model:\n      slots: {serviceTime: 50ms}\n",
        )
        .replace("static: {replicas: 2}", "hpa: busy");
    format!(
        "{scenario}---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llm, namespace: chat}}
spec:
  template:
    metadata: {{labels: {{app: llm}}}}
    spec:
      containers:
      - name: server
        image: vllm/vllm-openai:v0.11.0
        ports: [{{name: http, containerPort: 8000}}]
        resources: {{limits: {{nvidia.com/gpu: 1}}}}
---
{extra}"
    )
}

fn hpa(kind: &str, metric: &str) -> String {
    let source = match kind {
        "Object" => "object: {describedObject: {apiVersion: v1, kind: Service, name: llm}, ",
        "External" => "external: {",
        _ => "pods: {",
    };
    let target = if kind == "Pods" { "AverageValue, averageValue: \"5\"" } else { "Value, value: \"5\"" };
    served(&format!(
        "apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: busy, namespace: chat}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: llm}}
  maxReplicas: 5
  metrics:
  - type: {kind}
    {source}metric: {{name: \"{metric}\"}}, target: {{type: {target}}}}}
"
    ))
}

fn notes_with(word: &str, text: &str) -> String {
    let notes = load_text(text).unwrap().notes;
    notes.into_iter().filter(|note| note.contains(word)).collect::<Vec<_>>().join("\n")
}

#[test]
fn without_rules_the_charts_are_assumed_and_said() {
    assert_snapshot!(notes_with("default", &hpa("Pods", "vllm:num_requests_waiting")), @r##"
    no prometheus-adapter rules in these files: the default rules of its chart are assumed, for vllm:num_requests_waiting (`metrics.adapter: none` if the cluster has no adapter)
    fixed: vllm:num_requests_waiting of pods is answered by the adapter's default rule: sum(vllm:num_requests_waiting{}) by (pod)
    "##);
    assert!(load_text(&hpa("Object", "vllm:num_requests_waiting")).is_ok(), "by the label service");
}

#[test]
fn a_selector_that_meets_no_series_is_an_error_with_what_there_is() {
    let with = |selector: &str| {
        let plain = "name: \"vllm:num_requests_waiting\"";
        hpa("Pods", "vllm:num_requests_waiting").replacen(plain, &format!("{plain}, selector: {{{selector}}}"), 1)
    };
    assert_snapshot!(message(&with("matchLabels: {modelname: x}")), @"scenario.yaml:45:27: spec.metrics[0].pods.metric.name: vllm:num_requests_waiting has no label modelname (labels: container, endpoint, engine, instance, job, model_name, namespace, pod, service); did you mean model_name? (at character 5 of the query)");
    assert_snapshot!(message(&with("matchExpressions: [{key: namespace, operator: NotIn, values: [chat]}]")), @r##"scenario.yaml:45:27: spec.metrics[0].pods.metric.name: vllm:num_requests_waiting: namespace is "chat", the query asks for namespace!~"chat" (at character 5 of the query)"##);
    assert!(load_text(&with("matchLabels: {namespace: chat}")).is_ok());
}

#[test]
fn a_slip_in_a_rule_of_the_adapter_is_told_by_the_series_that_was_meant() {
    let rules = "---
rules:
- seriesQuery: 'vllm:num_requests_waiting{namespace!=\"\",pod!=\"\"}'
  resources: {overrides: {namespace: {resource: namespace}, pod: {resource: pod}}}
  name: {matches: '^vllm:num_requests_waiting$', as: waiting}
  metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)
";
    let with = |from: &str, to: &str| message(&format!("{}{}", hpa("Pods", "waiting"), rules.replacen(from, to, 1)));
    assert_snapshot!(with("seriesQuery: 'vllm:num_requests", "seriesQuery: 'vllm:num_request"), @"scenario.yaml:45:27: spec.metrics[0].pods.metric.name: no rule of prometheus-adapter answers for metric waiting of pods: the rule for it makes it of vllm:num_request_waiting, which nobody here shows; nearest: vllm:num_requests_waiting");
    assert_snapshot!(with("'^vllm:num_requests", "'^vllm:num_request"), @"scenario.yaml:45:27: spec.metrics[0].pods.metric.name: no rule of prometheus-adapter answers for metric waiting of pods: `name.matches` or `seriesFilters` of the rule for it leave out its series vllm:num_requests_waiting");
    let beside = rules.replacen("<<.LabelMatchers>>", "<<.LabelMatchers>>,model_name!=\"x\"", 1);
    assert!(
        load_text(&format!("{}{beside}", hpa("Pods", "waiting"))).is_ok(),
        "a condition after those of the adapter"
    );
}

#[test]
fn a_metric_that_no_rule_lists_is_an_error_with_the_reason() {
    assert_snapshot!(message(&hpa("Pods", "vllm:num_request_waiting")), @"scenario.yaml:45:27: spec.metrics[0].pods.metric.name: no rule of prometheus-adapter answers for metric vllm:num_request_waiting of pods; did you mean `vllm:num_requests_waiting`?");
    assert_snapshot!(message(&hpa("Pods", "vllm:prompt_tokens_total")), @"scenario.yaml:45:27: spec.metrics[0].pods.metric.name: no rule of prometheus-adapter answers for metric vllm:prompt_tokens_total of pods: series vllm:prompt_tokens_total is listed as `vllm:prompt_tokens`; ask for that");
    assert_snapshot!(message(&hpa("External", "vllm:num_requests_waiting")), @"scenario.yaml:45:31: spec.metrics[0].external.metric.name: no rule of prometheus-adapter answers for metric vllm:num_requests_waiting of external metrics: it is listed in the other API; `type: External` reads external rules, Pods and Object the others");
}

#[test]
fn chart_values_are_rules() {
    let values = "---
prometheus: {url: http://prometheus.monitoring.svc}
rules:
  default: false
  custom:
  - seriesQuery: '{__name__=\"vllm:num_requests_waiting\",namespace!=\"\",pod!=\"\"}'
    resources: {overrides: {namespace: {resource: namespace}, pod: {resource: pod}}}
    name: {as: queue_per_pod}
    metricsQuery: 'max_over_time(<<.Series>>{<<.LabelMatchers>>}[30s])'
metricsRelistInterval: 30s
";
    let loaded = load_text(&format!("{}{values}", hpa("Pods", "queue_per_pod"))).unwrap();
    let rules = loaded.spec.metrics.adapter.unwrap();
    assert_eq!((rules.custom.len(), rules.external.len()), (1, 0));
    assert_eq!(loaded.spec.metrics.adapter_relist.as_nanos(), 30_000_000_000);
    let with_defaults =
        format!("{}{}", hpa("Pods", "queue_per_pod"), values.replace("default: false", "default: true"));
    assert_eq!(load_text(&with_defaults).unwrap().spec.metrics.adapter.unwrap().custom.len(), 7);
    let without_query = values.replace("    metricsQuery: 'max_over_time(<<.Series>>{<<.LabelMatchers>>}[30s])'\n", "");
    assert_snapshot!(message(&format!("{}{without_query}", hpa("Pods", "queue_per_pod"))), @r##"scenario.yaml:51:5: rules.custom[0]: the rule for "{__name__=\"vllm:num_requests_waiting\",namespace!=\"\",pod!=\"\"}" has no metricsQuery: prometheus-adapter would answer every request for its metrics with an error"##);
}

#[test]
fn a_rule_that_matches_nothing_is_noted() {
    let rules = "---
rules:
- seriesQuery: 'vllm:num_requests_waiting'
  resources: {template: <<.Resource>>}
  metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)
- seriesQuery: 'queue_of_another_cluster'
  resources: {template: <<.Resource>>}
  metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)
";
    assert_snapshot!(notes_with("matches no series", &format!("{}{rules}", hpa("Pods", "vllm:num_requests_waiting"))), @"prometheus-adapter rules: rule 2 (queue_of_another_cluster) matches no series of this scenario");
}

#[test]
fn names_of_gke_need_the_right_kind_and_assume_a_pod_monitoring() {
    let gauge = "prometheus.googleapis.com|vllm:num_requests_waiting|gauge";
    assert_snapshot!(notes_with("PodMonitoring", &hpa("Pods", gauge)), @"no PodMonitoring in these files selects the pods of llm: one with an interval of 30s is assumed");
    let loaded = load_text(&hpa("Pods", gauge)).unwrap();
    assert!(loaded.spec.metrics.gke.metrics.contains_key(gauge) && loaded.spec.metrics.adapter.is_none());
    assert_snapshot!(message(&hpa("Pods", &gauge.replace("|gauge", "|counter"))), @"scenario.yaml:45:27: spec.metrics[0].pods.metric.name: prometheus.googleapis.com|vllm:num_requests_waiting|counter: vllm:num_requests_waiting is a gauge, not a counter: its name is prometheus.googleapis.com|vllm:num_requests_waiting|gauge");
    assert_snapshot!(message(&hpa("Pods", &gauge.replace("waiting", "waitin"))), @"scenario.yaml:45:27: spec.metrics[0].pods.metric.name: prometheus.googleapis.com|vllm:num_requests_waitin|gauge: nothing in this scenario shows a series vllm:num_requests_waitin; did you mean `vllm:num_requests_waiting`?");
    assert_snapshot!(message(&hpa("Object", gauge)), @"scenario.yaml:45:90: spec.metrics[0].object.metric.name: GKE's adapter answers for Pods and External metrics, not for Object");
}

#[test]
fn a_pod_monitoring_without_an_interval_is_refused() {
    let monitoring = "---\napiVersion: monitoring.googleapis.com/v1\nkind: PodMonitoring\nmetadata: {name: llm, namespace: chat}\n\
                      spec: {selector: {matchLabels: {app: llm}}, endpoints: [{port: http}]}\n";
    let gauge = "prometheus.googleapis.com|vllm:num_requests_waiting|gauge";
    assert_snapshot!(message(&format!("{}{monitoring}", hpa("Pods", gauge))), @"scenario.yaml:50:57: spec.endpoints[0]: there is no `interval`, which a monitoring.googleapis.com endpoint must have: Kubernetes refuses it");
}

#[test]
fn recording_rules_that_are_read_are_evaluated_and_known() {
    let rule = "---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: rules, namespace: chat}
spec:
  groups:
  - name: scaling
    interval: 15s
    rules:
    - record: llm:waiting:sum
      expr: sum by (namespace, pod) (vllm:num_requests_waiting)
    - {alert: Long, expr: 'llm:waiting:sum > 100'}
  - name: unread
    rules: [{record: other, expr: up}]
";
    let loaded = load_text(&format!("{}{rule}", hpa("Pods", "llm:waiting:sum"))).unwrap();
    let groups = &loaded.spec.metrics.rules;
    assert_eq!(groups.iter().map(promql::rules::RuleGroup::name).collect::<Vec<_>>(), ["scaling"]);
    assert_eq!(groups[0].interval_ms(), 15_000);
    assert_eq!(loaded.counted.last().map(String::as_str), Some("1 recording rule is read by nothing: other"));
    let spaced = rule.replace("interval: 15s", "interval: 15 s");
    let refused = message(&format!("{}{spaced}", hpa("Pods", "llm:waiting:sum")));
    assert!(refused.contains("spec.groups[0].interval: text `15 s`"), "{refused}");
    let broken = rule.replace("sum by (namespace, pod) (vllm:num_requests_waiting)", "sum by (namespace (x)");
    assert_snapshot!(message(&format!("{}{broken}", hpa("Pods", "llm:waiting:sum"))), @r##"scenario.yaml:56:13: spec.groups[0].rules[0].expr: cannot parse query "sum by (namespace (x)": unclosed left parenthesis"##);
}

/// The nearest of a query's, a Pods metric's and a GKE metric's slip of a rule that then nobody reads.
#[test]
fn a_slip_of_a_recording_rule_gets_its_name() {
    let rule = "---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: rules, namespace: chat}
spec: {groups: [{name: scaling, rules: [{record: 'llm:backlog:sum', expr: 'sum by (namespace, pod) (vllm:num_requests_waiting)'}]}]}
";
    let asking = |name: &str| message(&format!("{}{rule}", hpa("Pods", name)));
    assert!(asking("llm:baklog:sum").contains("did you mean `llm:backlog:sum`?"), "{}", asking("llm:baklog:sum"));
    let gke = asking("prometheus.googleapis.com|llm:baklog:sum|gauge");
    assert!(gke.contains("did you mean `llm:backlog:sum`?"), "{gke}");
    let query = "  policies: [{name: keda, keda: {scaleTargetRef: {name: llm}, triggers: [{type: prometheus, metadata: {serverAddress: 'http://p', threshold: '2', query: 'sum(llm:baklog:sum)'}}]}}]\n";
    let queried = hpa("Pods", "x");
    let start = queried.find("  policies:").unwrap();
    let end = start + queried[start..].find("\n---").unwrap() + 1;
    let queried = format!("{}{query}{}{rule}", &queried[..start], &queried[end..]);
    let told = message(&queried);
    assert!(
        told.contains("no metric llm:baklog:sum exists in this scenario; nearest: llm:backlog:sum (recorded)"),
        "{told}"
    );
}

#[test]
fn expressions_of_recording_rules_are_held_against_what_is_shown() {
    let rules = |expression: &str| {
        format!(
            "---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {{name: rules, namespace: chat}}
spec:
  groups:
  - name: scaling
    rules:
    - record: llm:waiting
      expr: {expression}
    - record: llm:waiting:sum
      expr: sum by (namespace, pod) (llm:waiting)
    - record: llm:unread
      expr: node_of_another_program
"
        )
    };
    let with = |expression: &str| format!("{}{}", hpa("Pods", "llm:waiting:sum"), rules(expression));
    assert!(load_text(&with("vllm:num_requests_waiting")).is_ok(), "what nobody reads is not held against anything");
    assert_snapshot!(message(&with("vllm:num_request_waiting")), @r"
    scenario.yaml:55:13: spec.groups[0].rules[0].expr: no metric vllm:num_request_waiting exists in this scenario; nearest: vllm:num_requests_waiting (vllm), vllm:num_requests_running (vllm), num_requests_waiting (nim)
      help: if it is your own, say what it shows: metrics.aliases: {vllm:num_request_waiting: queue_length}
    ");
    assert_snapshot!(message(&with("'sum by (namespace, pod) (vllm:num_requests_waiting{pod=~\"other-.*\"})'")), @r#"scenario.yaml:55:13: spec.groups[0].rules[0].expr: vllm:num_requests_waiting: pod is such as "llm-dq8mt75z7-pktb9", the query asks for pod=~"other-.*" (at character 26 of the query)"#);
    let absent = with("vllm:num_request_waiting or vllm:num_requests_waiting")
        .replace("spec:\n  run:", "spec:\n  metrics: {assumeAbsent: [\"vllm:num_request_waiting\"]}\n  run:");
    assert!(load_text(&absent).is_ok(), "absent on purpose");
}

#[test]
fn recording_rules_of_a_config_map_are_evaluated_and_their_errors_have_the_line_of_the_file() {
    let map = "---
apiVersion: v1
kind: ConfigMap
metadata: {name: prometheus-rules, namespace: monitoring}
data:
  README.txt: none
  scaling.rules: |
    groups:
    - name: scaling
      rules:
      - record: llm:waiting:sum
        expr: sum by (namespace, pod) (vllm:num_requests_waiting)
";
    let loaded = load_text(&format!("{}{map}", hpa("Pods", "llm:waiting:sum"))).unwrap();
    assert_eq!(loaded.spec.metrics.rules.len(), 1);
    assert_eq!(loaded.spec.metrics.rules[0].interval_ms(), 60_000);
    assert!(!loaded.notes.iter().any(|note| note.contains("ConfigMap/prometheus-rules")), "{:?}", loaded.notes);
    let broken = map.replace("sum by (namespace, pod)", "sum by (namespace");
    assert_snapshot!(message(&format!("{}{broken}", hpa("Pods", "llm:waiting:sum"))), @r##"scenario.yaml:57:15: data["scaling.rules"].groups[0].rules[0].expr: cannot parse query "sum by (namespace (vllm:num_requests_waiting)": unclosed left parenthesis"##);
}

#[test]
fn scrape_configurations_that_are_not_read_are_named() {
    let documents = "---
apiVersion: v1
kind: ConfigMap
metadata: {name: prometheus-server, namespace: monitoring}
data:
  prometheus.yml: |
    scrape_configs:
    - job_name: llm
---
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: k8s, namespace: monitoring}
spec: {additionalScrapeConfigs: {name: more, key: more.yaml}}
";
    assert_snapshot!(notes_with("not read: ", &format!("{}{documents}", hpa("Pods", "vllm:num_requests_waiting"))), @r"
    not read: scenario.yaml: ConfigMap/prometheus-server: scrape_configs of prometheus.yml: labels and interval that it gives to series are not known; `metrics.targets` states them
    not read: scenario.yaml: Prometheus/k8s: spec.additionalScrapeConfigs: labels and interval that it gives to series are not known; `metrics.targets` states them
    ");
}

/// A ScaledObject `busy` on the service that asks `query`, beside other documents.
fn asked(query: &str, extra: &str) -> String {
    let scenario = served(extra).replace("hpa: busy", "keda: busy");
    format!(
        "{scenario}---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {{name: busy, namespace: chat}}
spec:
  scaleTargetRef: {{name: llm}}
  triggers:
  - type: prometheus
    metadata: {{serverAddress: \"http://p\", threshold: \"5\", query: '{query}'}}
"
    )
}

const DCGM_MONITOR: &str = "apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: gpus, namespace: gpu-operator}
spec:
  selector: {matchLabels: {app: nvidia-dcgm-exporter}}
  endpoints:
  - port: gpu-metrics
    interval: 5s
    honorLabels: true
    relabelings: [{sourceLabels: [__meta_kubernetes_pod_node_name], targetLabel: node}, {targetLabel: zone, replacement: a}]
    metricRelabelings: [{action: labeldrop, regex: UUID}]
";

#[test]
fn a_monitor_of_an_exporter_gives_its_labels_interval_and_relabelling() {
    let gpus = "sum(DCGM_FI_DEV_GPU_UTIL{pod=~\"llm.*\", node!=\"\", zone=\"a\", endpoint=\"gpu-metrics\"})";
    assert!(load_text(&asked(gpus, DCGM_MONITOR)).is_ok());
    assert_snapshot!(message(&asked("sum(DCGM_FI_DEV_GPU_UTIL{UUID!=\"\"})", DCGM_MONITOR)), @"scenario.yaml:56:66: spec.triggers[0].metadata.query: DCGM_FI_DEV_GPU_UTIL has no label UUID (labels: DCGM_FI_DRIVER_VERSION, Hostname, container, device, endpoint, gpu, instance, job, modelName, namespace, node, pci_bus_id, pod, service, zone) (at character 5 of the query)");
    let often = "sum(rate(DCGM_FI_DEV_XID_ERRORS[5s]))";
    assert!(message(&asked(often, DCGM_MONITOR)).contains("because DCGM_FI_DEV_XID_ERRORS is scraped every 5s"));
    assert_snapshot!(notes_with("ServiceMonitor", &asked(gpus, DCGM_MONITOR)), @"scenario.yaml:37:1: ServiceMonitor/gpus scrapes dcgm-exporter: its labels, interval and relabelling hold for the metrics of that");
    let unread = asked("sum(vllm:num_requests_waiting)", DCGM_MONITOR);
    assert_snapshot!(notes_with("ServiceMonitor", &unread), @"scenario.yaml:37:1: ServiceMonitor/gpus scrapes dcgm-exporter: nothing reads metrics of that, no effect");
}

#[test]
fn values_of_charts_stand_for_the_monitors_that_they_make() {
    let stack = "apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: monitoring, namespace: monitoring}
spec:
  chart: {spec: {chart: kube-prometheus-stack}}
  values:
    prometheus: {prometheusSpec: {scrapeInterval: 20s}}
    kube-state-metrics: {prometheus: {monitor: {relabelings: [{targetLabel: cluster, replacement: eu}]}}}
    gpu-operator: {dcgmExporter: {serviceMonitor: {enabled: true, honorLabels: true}}}
";
    let read = "sum(DCGM_FI_DEV_GPU_UTIL{pod=~\"llm.*\"}) * scalar(sum(kube_deployment_spec_replicas{cluster=\"eu\"}))";
    assert!(load_text(&asked(read, stack)).is_ok());
    assert_snapshot!(message(&asked("sum(rate(DCGM_FI_DEV_XID_ERRORS[20s]))", stack)), @r##"
    scenario.yaml:54:66: spec.triggers[0].metadata.query: rate over 20s never has two samples, because DCGM_FI_DEV_XID_ERRORS is scraped every 20s (at character 10 of the query)
      help: take a window of at least four intervals: [80s]
    "##);
    let bare = "dcgm-exporter: {serviceMonitor: {interval: 7s, honorLabels: true}}
";
    assert_snapshot!(message(&asked("sum(rate(DCGM_FI_DEV_XID_ERRORS{pod=~\"llm.*\"}[7s]))", bare)), @r##"
    scenario.yaml:46:66: spec.triggers[0].metadata.query: rate over 7s never has two samples, because DCGM_FI_DEV_XID_ERRORS is scraped every 7s (at character 10 of the query)
      help: take a window of at least four intervals: [28s]
    "##);
}

#[test]
fn the_application_in_front_counts_requests_under_the_labels_of_its_monitor() {
    let application = |name: &str| {
        format!(
            "---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: chat}}
spec:
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: web, image: x, ports: [{{name: web, containerPort: 80}}]}}]}}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {{name: {name}, namespace: chat}}
spec: {{selector: {{matchLabels: {{app: {name}}}}}, podMetricsEndpoints: [{{port: web, interval: 40s}}]}}
"
        )
    };
    let both = format!("{}{}", application("cache"), application("front"));
    let read = "sum(rate(http_requests_total{job=\"chat/front\"}[2m]))";
    assert_snapshot!(notes_with("PodMonitor", &asked(read, &both)), @r##"
    scenario.yaml:46:1: PodMonitor/cache scrapes another application: nothing reads metrics of that, no effect
    assumed: scenario.yaml:59:1: PodMonitor/front scrapes the application in front of llm: requests are counted under its labels
    "##);
    assert_snapshot!(message(&asked(&read.replace("2m", "40s"), &both)), @r##"
    scenario.yaml:71:66: spec.triggers[0].metadata.query: rate over 40s never has two samples, because http_requests_total is scraped every 40s (at character 10 of the query)
      help: take a window of at least four intervals: [160s]
    "##);
    assert_snapshot!(notes_with("PodMonitor", &asked("sum(rate(http_requests_total[2m]))", &both)), @r##"
    scenario.yaml:46:1: PodMonitor/cache scrapes another application: whether that counts the requests is not known: labels and interval are those of the assumed gateway; `metrics.targets` states them
    scenario.yaml:59:1: PodMonitor/front scrapes another application: whether that counts the requests is not known: labels and interval are those of the assumed gateway; `metrics.targets` states them
    "##);
}

#[test]
fn scrape_configurations_that_are_not_read_are_told_of_where_a_label_is_missing() {
    let values = "extraScrapeConfigs: |
  - job_name: pods
";
    assert_snapshot!(message(&asked("sum(vllm:num_requests_waiting{job=\"pods\"})", values)), @r##"
    scenario.yaml:47:66: spec.triggers[0].metadata.query: vllm:num_requests_waiting: job is "llm", the query asks for job="pods" (at character 5 of the query)
      help: scrape configurations are not read (scenario.yaml: chart values: extraScrapeConfigs): metrics.targets states the labels that they give
    "##);
    assert_snapshot!(notes_with("not read", &asked("sum(vllm:num_requests_waiting)", values)), @"not read: scenario.yaml: chart values: extraScrapeConfigs: labels and interval that it gives to series are not known; `metrics.targets` states them");
}

#[test]
fn a_metric_that_every_monitor_drops_is_told_apart_from_one_that_another_program_shows() {
    let monitor = "apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: llm, namespace: chat}
spec:
  selector: {matchLabels: {app: llm}}
  podMetricsEndpoints: [{port: http, metricRelabelings: [{sourceLabels: [__name__], regex: \"vllm:num_.*\", action: drop}]}]
";
    assert_snapshot!(message(&asked("sum(vllm:num_requests_waiting)", monitor)), @"scenario.yaml:51:66: spec.triggers[0].metadata.query: vllm:num_requests_waiting of vLLM is kept by none of the monitors: their relabelings (metricRelabelings, `action: drop` or `keep`) drop it (at character 5 of the query)");
}
