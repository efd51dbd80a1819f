//! What `advise` says at a moment is what the simulated policy decided at that moment, out of what a Prometheus was shown of the simulation.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::prometheus::{Running, with_samples};
use crate::support::{Lab, response, serve};

/// 2025-01-06T00:00:00Z.
const START_S: i64 = 1_736_121_600;
const LENGTH_S: i64 = 2_400;
/// Before this, windows reach to before the run.
const FIRST_S: f64 = 900.0;

const SCENARIO: &str = "\
apiVersion: scalelab.dev/v1
kind: Scenario
metadata: {name: original}
spec:
  run: {duration: 40m, start: \"2025-01-06T00:00:00\", replications: 1}
  traffic:
    generator: {rate: {points: {at: [{time: 0m, level: 15req/s}, {time: 14m, level: 90req/s}, {time: 20m, level: 80req/s},
      {time: 24m, level: 10req/s}, {time: 26m, level: 0req/s}, {time: 34m, level: 0req/s}, {time: 36m, level: 60req/s}, {time: 40m, level: 60req/s}]}}}
  service:
    model: {slots: {serviceTime: {logNormal: {p50: 100ms, p90: 180ms}}}}
    pod: {name: chat, gpus: 1, cpu: \"2\"}
    usage: guess
    client: {timeout: 60s}
  slo: {latency: 250ms, objective: 90%}
  coldStart: {imagePull: 20s, modelDownload: 0s, gpuLoad: 40s, cudaWarmUp: 0s}
  nodes:
    pools: [{name: gpu, instanceTypes: [g5.xlarge]}]
  prices: {g5.xlarge: {onDemand: $1.01/h}}
  policies:
  - POLICY
";

const HPA: &str = "{name: hpa, replicas: 4, hpa: {minReplicas: 3, maxReplicas: 14, behavior: {scaleUp: {stabilizationWindowSeconds: 30, \
                   policies: [{type: Pods, value: 2, periodSeconds: 60}]}, scaleDown: {stabilizationWindowSeconds: 120}}, metrics: [{type: \
                   Pods, pods: {metric: {name: nv_gpu_utilization}, target: {type: AverageValue, averageValue: 700m}}}]}}";
const KEDA: &str = "{name: keda, replicas: 4, keda: {pollingInterval: 15, cooldownPeriod: 90, minReplicaCount: 0, maxReplicaCount: 14, \
                    triggers: [{type: prometheus, metadata: {serverAddress: \"http://p\", query: sum(nv_gpu_utilization), threshold: \
                    \"0.7\", activationThreshold: \"0.01\"}}]}}";

const CPU: &str = "{name: cpu, replicas: 4, hpa: {minReplicas: 3, maxReplicas: 14, metrics: [{type: Resource, resource: {name: cpu, target: \
                   {type: Utilization, averageUtilization: 60}}}]}}";
/// What a pod of the scenario asks for, in cores.
const CPU_REQUEST: f64 = 2.0;

type Row = BTreeMap<String, String>;

fn table(text: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().map(|row| row.expect("a row")).collect()
}

fn number(row: &Row, column: &str) -> Option<f64> {
    row[column].parse().ok()
}

fn pod_name(number: usize) -> String {
    let letters: Vec<char> = "bcdfghjklm".chars().collect();
    let digits = format!("{number:05}");
    let suffix: String = digits.chars().map(|digit| letters[digit.to_digit(10).expect("a digit") as usize]).collect();
    format!("chat-7d9f8b6c-{suffix}")
}

/// One simulated run, and a Prometheus that was shown it.
struct Shown {
    decisions: Vec<Row>,
    server: Running,
}

/// The value of the metric that a decision saw: what stands between `=` and `/`.
fn value(decision: &Row) -> Option<f64> {
    let metric = decision["metrics"].split_once('=')?.1;
    metric.split_once('/')?.0.parse().ok()
}

/// OpenMetrics, metric by metric.
#[derive(Default)]
struct Exposition {
    lines: BTreeMap<&'static str, String>,
}

impl Exposition {
    fn say(&mut self, metric: &'static str, labels: &str, value: f64, at: f64) {
        let text = self.lines.entry(metric).or_default();
        writeln!(text, "{metric}{{namespace=\"ml\",{labels}}} {value} {}", START_S as f64 + at)
            .expect("a String takes it");
    }
}

fn is_there(pod: &Row, at: f64) -> bool {
    number(pod, "created_s").unwrap_or(0.0) <= at && number(pod, "ended_s").is_none_or(|ended| ended > at)
}

fn is_ready(pod: &Row, at: f64) -> bool {
    number(pod, "ready_start_s").is_some_and(|ready| ready <= at)
        && number(pod, "ready_end_s").is_none_or(|end| end > at || end >= LENGTH_S as f64)
        && is_there(pod, at)
}

/// The metric of the policy, as its controllers saw it when they passed.
fn say_metric(decisions: &[Row], pods: &[Row], say: &mut impl FnMut(&'static str, String, f64, f64)) {
    let mut counters: BTreeMap<usize, f64> = BTreeMap::new();
    for decision in decisions {
        let (Some(value), Some(at)) = (value(decision), number(decision, "time_s")) else { continue };
        if decision["policy"] == "cpu" {
            // Percent of the request, as the controller saw it, since the second before.
            for pod in (0..pods.len()).filter(|pod| is_ready(&pods[*pod], at)) {
                let labels = format!("pod=\"{}\",container=\"engine\"", pod_name(pod));
                let cores = (value + 0.01) / 100.0 * CPU_REQUEST;
                let used = counters.entry(pod).or_insert(0.0);
                say("container_cpu_usage_seconds_total", labels.clone(), *used, at - 1.0);
                *used += cores;
                say("container_cpu_usage_seconds_total", labels, *used, at);
            }
        } else if decision["controller"] == "hpa" {
            // The average of the pods that serve is what each of them shows.
            for pod in (0..pods.len()).filter(|pod| is_ready(&pods[*pod], at)) {
                say("nv_gpu_utilization", format!("pod=\"{}\"", pod_name(pod)), value, at);
            }
        } else {
            let existing = pods.iter().filter(|pod| is_there(pod, at)).count() as f64;
            let total = if decision["controller"] == "keda-hpa" { value * existing } else { value };
            say("nv_gpu_utilization", "pod=\"all\"".to_owned(), total, at.floor());
        }
    }
}

fn shown(lab: &Lab, policy: &str) -> Option<Shown> {
    lab.write("original.yaml", &SCENARIO.replace("POLICY", policy));
    lab.done("run original.yaml -o original --quiet");
    let decisions = table(&lab.read("original/decisions.csv"));
    let pods = table(&lab.read("original/replicas.csv"));
    let mut exposition = Exposition::default();
    let mut say = |metric, labels: String, value, at| exposition.say(metric, &labels, value, at);
    for second in 0..LENGTH_S {
        let at = second as f64;
        let of_workload = || "deployment=\"chat\"".to_owned();
        let wanted =
            decisions.iter().rev().find(|row| row["written_to"] == "replicas" && number(row, "time_s") <= Some(at));
        say(
            "kube_deployment_spec_replicas",
            of_workload(),
            wanted.map_or(4.0, |row| number(row, "written").expect("a count")),
            at,
        );
        let there: Vec<usize> = (0..pods.len()).filter(|pod| is_there(&pods[*pod], at)).collect();
        let ready = there.iter().filter(|pod| is_ready(&pods[**pod], at)).count();
        say("kube_deployment_status_replicas", of_workload(), there.len() as f64, at);
        say("kube_deployment_status_replicas_ready", of_workload(), ready as f64, at);
        for pod in there {
            let (row, name) = (&pods[pod], format!("pod=\"{}\"", pod_name(pod)));
            let since = number(row, "created_s").filter(|created| *created > 0.0).unwrap_or(-86_400.0);
            let starts = number(row, "image_pull_end_s").unwrap_or(since);
            let is_ready = is_ready(row, at);
            let begun = START_S as f64 + since;
            say("kube_pod_created", name.clone(), begun, at);
            say("kube_pod_start_time", name.clone(), begun, at);
            let phase = if starts <= at { "Running" } else { "Pending" };
            say("kube_pod_status_phase", format!("{name},phase=\"{phase}\""), 1.0, at);
            say("kube_pod_status_ready", format!("{name},condition=\"{is_ready}\""), 1.0, at);
            if is_ready {
                let ready = START_S as f64 + number(row, "ready_start_s").expect("it is ready").max(since);
                say("kube_pod_status_ready_time", name, ready, at);
            }
        }
    }
    say_metric(&decisions, &pods, &mut say);
    let text: String = exposition.lines.into_values().collect();
    let server = with_samples(&lab.path("."), &(text + "# EOF\n"))?;
    Some(Shown { decisions, server })
}

fn instant(decision: &Row) -> String {
    // Prometheus keeps milliseconds.
    let at = number(decision, "time_s").expect("a time");
    let at_ms = START_S * 1_000 + (at * 1_000.0).ceil() as i64;
    jiff::Timestamp::from_millisecond(at_ms).expect("a time").to_string()
}

fn advised(lab: &Lab, shown: &Shown, flags: &str) -> serde_json::Value {
    let out = lab.out(&format!("advise original.yaml --url {} --format json {flags}", shown.server.url));
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

/// Moments of a controller: every change that it wrote, and every 12th pass.
fn moments<'a>(shown: &'a Shown, controller: &str) -> Vec<&'a Row> {
    let of: Vec<&Row> = shown
        .decisions
        .iter()
        .filter(|row| row["controller"] == controller && number(row, "time_s") > Some(FIRST_S))
        .collect();
    of.iter()
        .enumerate()
        .filter(|(at, row)| at % 12 == 0 || row["written_to"] == "replicas")
        .map(|(_, row)| *row)
        .collect()
}

fn hold_against(lab: &Lab, shown: &Shown, controller: &str) -> usize {
    let mut changes = 0;
    let mut wrong = Vec::new();
    for decision in moments(shown, controller) {
        let at = instant(decision);
        let advice = advised(lab, shown, &format!("--at {at}"));
        let written = &decision["written"];
        let expected = if written.is_empty() { &decision["replicas_before"] } else { written };
        changes += usize::from(!written.is_empty());
        let policy = &advice["services"][0]["policies"][0];
        if policy["replicas"].as_u64() != expected.parse().ok() {
            wrong.push(format!("{at}: {expected} in place of {policy:#}\n{decision:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{} moments are wrong, the first: {}", wrong.len(), wrong[0]);
    changes
}

#[test]
fn an_hpa_on_a_custom_metric_is_advised_as_it_decided() {
    let lab = Lab::new();
    let Some(shown) = shown(&lab, HPA) else { return };
    let changes = hold_against(&lab, &shown, "hpa");
    assert!(changes >= 4, "there is something to follow: {changes}");
    other_policies_and_formats(&lab, &shown);
    a_moment_that_nobody_saw_is_refused(&lab, &shown);
}

/// What cannot be known is said in every format, beside what can.
fn other_policies_and_formats(lab: &Lab, shown: &Shown) {
    let signal = "{name: queue, keda: {triggers: [{type: rabbitmq, metadata: {queueName: q, mode: QueueLength, value: \"5\", host: h}}]}}";
    lab.write(
        "more.yaml",
        &SCENARIO.replace("POLICY", &format!("{HPA}\n  - {{name: five, static: {{replicas: 5}}}}\n  - {signal}")),
    );
    let ask = |flags: &str| {
        let url = &shown.server.url;
        lab.out(&format!("advise more.yaml --url {url} --namespace ml --at 2025-01-06T00:20:00Z {flags}"))
    };
    let text = ask("");
    assert!(text.starts_with("chat in ml at 2025-01-06T00:20:00Z: replicas wanted "), "{text}");
    assert!(text.contains("five           5") && text.contains("queue    unknown"), "{text}");
    assert!(text.contains("its trigger asks a service outside Prometheus"), "{text}");
    assert!(text.contains("  metric nv_gpu_utilization is ") && text.contains("  stabilization: "), "{text}");
    let samples = ask("--format prometheus");
    let line = "scalelab_recommended_replicas{service=\"chat\",namespace=\"ml\",policy=\"five\"} 5\n";
    assert!(samples.contains(line) && samples.contains("# TYPE scalelab_recommended_replicas gauge\n"), "{samples}");
    assert!(
        samples.contains("scalelab_recommendation_known{service=\"chat\",namespace=\"ml\",policy=\"queue\"} 0\n"),
        "{samples}"
    );
    assert!(!samples.contains("recommended_replicas{service=\"chat\",namespace=\"ml\",policy=\"queue\"}"), "{samples}");
    assert_eq!(ask("--format prometheus -o advice.prom"), "");
    assert_eq!(lab.read("advice.prom"), samples);
}

fn a_moment_that_nobody_saw_is_refused(lab: &Lab, shown: &Shown) {
    let refused = |flags: &str| {
        let said = lab.refused(&format!("advise original.yaml --url {} -o nothing.txt {flags}", shown.server.url));
        assert!(!lab.path("nothing.txt").exists(), "{said}");
        said
    };
    assert!(refused("").contains("shows no kube_deployment_spec_replicas at that moment"), "a gap up to now");
    assert!(refused("--at 2125-01-06T00:20:00Z").contains("is not over yet"));
    assert!(refused("--at yesterday").contains("an instant such as"));
    assert!(refused("--at 2025-01-06T00:20:00Z --workload chad").contains("did you mean `chat`?"));
    assert!(refused("--at 2025-01-06T00:20:00Z --policy hpb").contains("did you mean `hpa`?"));
    assert!(refused("--at 2025-01-06T00:20:00Z --service chad").contains("did you mean `chat`?"));
}

#[test]
fn an_hpa_on_cpu_is_advised_as_it_decided() {
    let lab = Lab::new();
    let Some(shown) = shown(&lab, CPU) else { return };
    let changes = hold_against(&lab, &shown, "hpa");
    assert!(changes >= 3, "there is something to follow: {changes}");
}

#[test]
fn a_keda_prometheus_trigger_is_advised_as_it_decided_to_zero_and_back() {
    let lab = Lab::new();
    let Some(shown) = shown(&lab, KEDA) else { return };
    let changes = hold_against(&lab, &shown, "keda-hpa");
    let activations = hold_against(&lab, &shown, "keda-operator");
    assert!(changes >= 4 && activations >= 1, "there is something to follow: {changes}, {activations}");
}

#[test]
fn a_server_that_fails_is_told_and_nothing_is_written() {
    let lab = Lab::new();
    lab.write("original.yaml", &SCENARIO.replace("POLICY", HPA));
    let fails = |url: &str| {
        let ran = lab.run(&format!(
            "advise original.yaml --url {url} --retries 0 --timeout 500ms --format prometheus -o advice.prom"
        ));
        assert!(!lab.path("advice.prom").exists(), "{}", ran.stderr);
        (ran.code, ran.stderr)
    };
    let is = |(code, said): (i32, String), expected: (i32, &str)| {
        assert!(code == expected.0 && said.contains(expected.1), "{code}: {said}");
    };
    is(fails(&serve(|_| Some(response("401 Unauthorized", "")))), (2, "--token-file FILE"));
    is(fails(&serve(|_| Some(response("404 Not Found", "")))), (2, "has no Prometheus API (404)"));
    is(fails(&serve(|_| Some(response("200 OK", "<html>")))), (2, "what answers is no Prometheus API"));
    is(fails(&serve(|_| Some(response("503 Service Unavailable", "")))), (3, "is not well"));
    is(fails(&serve(|_| None)), (3, "no whole answer within 500ms"));
    is(fails("http://127.0.0.1:1"), (3, "is it running"));
    // A clock that is a day behind: times are the server's.
    let behind = serve(|_| {
        let body = "{\"status\":\"success\",\"data\":[]}";
        let vector = "Date: Mon, 06 Jan 2025 00:00:00 GMT\r\nConnection: close\r\n\r\n";
        Some(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{vector}{body}", body.len()))
    });
    let (code, said) = fails(&behind);
    assert!(code == 2 && said.contains("behind this machine's; times are the server's"), "{code}: {said}");
}
