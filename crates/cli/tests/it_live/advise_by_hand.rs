//! What `advise` says of clusters that are written down here, so that the answer can be worked out by hand.

use std::fmt::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::prometheus::with_samples;
use crate::support::{Lab, serve};

/// 2025-01-06T00:00:00Z.
const MONDAY_S: i64 = 1_736_121_600;
const WEEK_S: i64 = 7 * 86_400;

const SCENARIO: &str = "\
apiVersion: scalelab.dev/v1
kind: Scenario
metadata: {name: small}
spec:
  run: {duration: 10m, start: \"2025-01-06T00:00:00\", replications: 1}
  traffic: {generator: {rate: 10req/s}}
  service:
    model: {slots: {serviceTime: {constant: 100ms}}}
    pod: {name: chat, gpus: 1, cpu: \"2\"}
    usage: guess
  slo: {latency: 250ms, objective: 90%}
  coldStart: {imagePull: 20s, modelDownload: 0s, gpuLoad: 40s, cudaWarmUp: 0s}
  nodes:
    pools: [{name: gpu, instanceTypes: [g5.xlarge]}]
  prices: {g5.xlarge: {onDemand: $1.01/h}}
  policies:
  - POLICY
";

/// One metric from `from_s` to `to_s`, every 5 s.
fn samples(metric: &str, labels: &str, (from_s, to_s): (i64, i64), value: impl Fn(i64) -> f64) -> String {
    let mut text = String::new();
    for at in (from_s..=to_s).step_by(5) {
        writeln!(text, "{metric}{{namespace=\"ml\",{labels}}} {} {at}", value(at - from_s)).expect("a String takes it");
    }
    text
}

/// Replicas of a StatefulSet: three, and all of them ready.
fn three_replicas(span: (i64, i64)) -> String {
    ["kube_statefulset_replicas", "kube_statefulset_status_replicas", "kube_statefulset_status_replicas_ready"]
        .map(|metric| samples(metric, "statefulset=\"chat\"", span, |_| 3.0))
        .concat()
}

/// Three ready pods of it, a day old.
fn three_pods(span: (i64, i64)) -> String {
    let born = (MONDAY_S - 86_400) as f64;
    let families: [(&str, &str, f64); 5] = [
        ("kube_pod_created", "", born),
        ("kube_pod_start_time", "", born),
        ("kube_pod_status_phase", ",phase=\"Running\"", 1.0),
        ("kube_pod_status_ready", ",condition=\"true\"", 1.0),
        ("kube_pod_status_ready_time", "", born + 60.0),
    ];
    let of_pods = |(metric, label, value): &(&str, &str, f64)| {
        (0..3).map(|pod| samples(metric, &format!("pod=\"chat-{pod}\"{label}"), span, |_| *value)).collect::<String>()
    };
    families.iter().map(of_pods).collect()
}

/// Policy, replicas and change, as the table has them.
fn row<'a>(said: &'a str, policy: &str) -> Vec<&'a str> {
    let row = said.lines().find(|line| line.split_whitespace().next() == Some(policy) && line.contains("  "));
    row.unwrap_or_default().split_whitespace().take(3).collect()
}

#[test]
fn pods_of_a_statefulset_are_found_and_counted() {
    let lab = Lab::new();
    let hpa = "{name: hpa, hpa: {minReplicas: 1, maxReplicas: 14, metrics: [{type: Pods, pods: {metric: {name: nv_gpu_utilization}, \
               target: {type: AverageValue, averageValue: 500m}}}]}}";
    lab.write("small.yaml", &SCENARIO.replace("POLICY", hpa));
    let span = (MONDAY_S, MONDAY_S + 1_200);
    let used: String =
        (0..3).map(|pod| samples("nv_gpu_utilization", &format!("pod=\"chat-{pod}\""), span, |_| 0.8)).collect();
    let text = three_replicas(span) + &three_pods(span) + &used + "# EOF\n";
    let Some(server) = with_samples(&lab.path("."), &text) else { return };
    let said = lab.out(&format!("advise small.yaml --url {} --at 2025-01-06T00:19:00Z", server.url));
    assert!(said.starts_with("chat in ml at 2025-01-06T00:19:00Z: replicas wanted 3, existing 3, ready 3;"), "{said}");
    // Three at 0.8 where 0.5 is wanted: 4.8, so five.
    assert_eq!(row(&said, "hpa"), ["hpa", "5", "+2"], "{said}");
}

#[test]
fn a_workload_of_two_clusters_and_counts_that_are_no_numbers_are_refused() {
    let span = (MONDAY_S, MONDAY_S + 1_200);
    let of_cluster = |name: &str, replicas: f64| {
        samples("kube_statefulset_replicas", &format!("statefulset=\"chat\",cluster=\"{name}\""), span, |_| replicas)
    };
    let said = |text: String| {
        let lab = Lab::new();
        lab.write("small.yaml", &SCENARIO.replace("POLICY", "{name: five, static: {replicas: 5}}"));
        let server = with_samples(&lab.path("."), &(text + "# EOF\n"))?;
        Some(lab.refused(&format!("advise small.yaml --url {} --at 2025-01-06T00:19:00Z -o advice.txt", server.url)))
    };
    let Some(clusters) = said(of_cluster("a", 3.0) + &of_cluster("b", 7.0)) else { return };
    assert!(clusters.contains("with cluster=\"a\" and with cluster=\"b\""), "{clusters}");
    let none = said(of_cluster("a", f64::NAN)).unwrap_or_default();
    assert!(none.contains("was not scraped lately at that moment, or is no number; --at asks of another"), "{none}");
}

#[test]
fn a_forecast_looks_at_the_requests_of_last_week() {
    let lab = Lab::new();
    let forecast = "{name: forecast, predictive: {replicaRate: 10req/s, daysAgo: [7], lookahead: 10m}}";
    lab.write("small.yaml", &SCENARIO.replace("POLICY", forecast));
    let now = (MONDAY_S, MONDAY_S + 1_200);
    let then = (MONDAY_S - WEEK_S - 3_600, MONDAY_S - WEEK_S + 3_600);
    // 10 a second until half past eleven in the evening, and 40 from then on.
    let counter = samples("http_requests_total", "pod=\"chat-0\"", then, |since_s| {
        10.0 * since_s as f64 + 30.0 * (since_s - 1_800).max(0) as f64
    });
    let text = three_replicas(now) + &three_pods(now) + &counter + "# EOF\n";
    let Some(server) = with_samples(&lab.path("."), &text) else { return };
    let said = lab.out(&format!("advise small.yaml --url {} --at 2025-01-06T00:15:00Z", server.url));
    // 40 a second in the half hour around 00:25, with a fifth more, at 10 a replica: 4.8, so five.
    assert_eq!(row(&said, "forecast"), ["forecast", "5", "+2"], "{said}");
    // Of a second day nothing is known: it is told, and the first counts alone.
    lab.write("small.yaml", &SCENARIO.replace("POLICY", &forecast.replace("[7]", "[7, 14]")));
    let said = lab.out(&format!("advise small.yaml --url {} --at 2025-01-06T00:15:00Z", server.url));
    assert_eq!(row(&said, "forecast"), ["forecast", "5", "+2"], "{said}");
    assert!(
        said.contains("note: its past is not known of a day, and the others count alone: 14 days ago: no counter"),
        "{said}"
    );
    let said = lab.refused(&format!("advise small.yaml --url {} --at 2025-01-05T20:15:00Z", server.url));
    assert!(said.contains("at that moment"), "{said}");
}

#[test]
fn a_forecast_without_a_past_is_unknown() {
    let lab = Lab::new();
    lab.write("small.yaml", &SCENARIO.replace("POLICY", "{name: forecast, predictive: {replicaRate: 10req/s}}"));
    let now = (MONDAY_S, MONDAY_S + 1_200);
    let Some(server) = with_samples(&lab.path("."), &(three_replicas(now) + "# EOF\n")) else { return };
    let said = lab.out(&format!("advise small.yaml --url {} --at 2025-01-06T00:15:00Z", server.url));
    assert_eq!(row(&said, "forecast")[..2], ["forecast", "unknown"], "{said}");
    assert!(said.contains("its past is not known: "), "{said}");
}

/// The program, until the test is over.
struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_watch_writes_again_and_says_when_the_server_is_gone() {
    let lab = Lab::new();
    lab.write("small.yaml", &SCENARIO.replace("POLICY", "{name: five, static: {replicas: 5}}"));
    let now = jiff::Timestamp::now().as_second();
    let Some(server) = with_samples(&lab.path("."), &(three_replicas((now - 900, now + 300)) + "# EOF\n")) else {
        return;
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_scalelab"));
    command.args(["advise", "small.yaml", "--url", &server.url, "--watch", "200ms", "--retries", "0"]);
    command.args(["--format", "prometheus", "-o", "advice.prom"]);
    command.current_dir(lab.path(".")).stdout(Stdio::null()).stderr(Stdio::null());
    let _watching = Watching(command.spawn().expect("the program starts"));
    let wait_for = |what: &str, is_there: &dyn Fn(&str) -> bool| {
        let begun = Instant::now();
        loop {
            let text = std::fs::read_to_string(lab.path("advice.prom")).unwrap_or_default();
            if is_there(&text) {
                return text;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "no {what} after 30 s: {text}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let first = wait_for("advice", &|text| text.contains("policy=\"five\"} 5\n"));
    let moment =
        |text: &str| text.lines().find(|line| line.starts_with("scalelab_advise_timestamp")).map(str::to_owned);
    wait_for("second time", &|text| moment(text).is_some() && moment(text) != moment(&first));
    drop(server);
    let last = wait_for("word of the failure", &|text| text.contains("scalelab_advise_up 0\n"));
    assert!(!last.contains("recommended"), "what is old is not repeated: {last}");
}

/// Three replicas of a StatefulSet, by a server whose clock stands at midnight and who warns of each answer.
fn in_the_past(request: &str) -> String {
    let line = request.lines().next().unwrap_or_default();
    let data = if line.contains("/label/statefulset/") {
        r#"["chat"]"#.to_owned()
    } else if line.contains("/label/") {
        "[]".to_owned()
    } else {
        let values: Vec<String> = (1..=20).rev().map(|row| format!("[{},\"3\"]", MONDAY_S - row * 15)).collect();
        let labels = r#"{"__name__":"kube_statefulset_replicas","statefulset":"chat"}"#;
        format!(r#"{{"resultType":"matrix","result":[{{"metric":{labels},"values":[{}]}}]}}"#, values.join(","))
    };
    let body = format!(r#"{{"status":"success","warnings":["store a is down"],"data":{data}}}"#);
    let head = "Date: Mon, 06 Jan 2025 00:00:00 GMT\r\nConnection: close";
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{head}\r\n\r\n{body}", body.len())
}

#[test]
fn a_watch_says_once_what_is_so_each_time() {
    let lab = Lab::new();
    lab.write("small.yaml", &SCENARIO.replace("POLICY", "{name: five, static: {replicas: 5}}"));
    let url = serve(|request| Some(in_the_past(request)));
    let mut command = Command::new(env!("CARGO_BIN_EXE_scalelab"));
    command.args(["advise", "small.yaml", "--url", &url, "--watch", "50ms", "--retries", "0"]);
    let errors = std::fs::File::create(lab.path("errors")).expect("a writable folder");
    let out = std::fs::File::create(lab.path("out")).expect("a writable folder");
    command.current_dir(lab.path(".")).stdout(out).stderr(errors);
    let watching = Watching(command.spawn().expect("the program starts"));
    let begun = Instant::now();
    while lab.read("out").matches("chat at 2025-01-06T00:00:00Z").count() < 3 {
        assert!(begun.elapsed() < Duration::from_secs(30), "{}{}", lab.read("out"), lab.read("errors"));
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(watching);
    let said = lab.read("errors");
    assert_eq!(said.matches("behind this machine's; times are the server's").count(), 1, "{said}");
    assert_eq!(said.matches("may lack something: store a is down").count(), 1, "{said}");
}

/// Where a value is not as its schema says; every key must be one of the schema's, so that none is forgotten there.
fn misfit(value: &Value, schema: &Value, root: &Value) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return misfit(value, root.pointer(reference.trim_start_matches('#')).expect("it is defined"), root);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let all = choices.iter().map(|choice| misfit(value, choice, root));
        return all.reduce(Option::and).flatten();
    }
    let word = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_word = |allowed: &Value| allowed == word || allowed == "number" && word == "integer";
    if !schema["type"].as_array().map_or_else(|| is_word(&schema["type"]), |allowed| allowed.iter().any(is_word)) {
        return Some(format!("{value} is no {}", schema["type"]));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        return Some(format!("{value} is none of {allowed:?}"));
    }
    match value {
        Value::Array(items) => items.iter().find_map(|item| misfit(item, &schema["items"], root)),
        Value::Object(fields) => {
            let needed = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let missing = needed.filter(|key| !fields.contains_key(*key)).map(|key| format!("{key} is missing")).next();
            let of_schema = |(key, field): (&String, &Value)| match schema["properties"].get(key) {
                Some(schema) => misfit(field, schema, root).map(|misfit| format!("{key}: {misfit}")),
                None => Some(format!("{key} is not in the schema")),
            };
            missing.or_else(|| fields.iter().find_map(of_schema))
        }
        _ => None,
    }
}

#[test]
fn json_is_as_its_schema_says() {
    let lab = Lab::new();
    // One that answers, with a floor, a metric and its steps; one without a metric to read; one that is unknown; one without controllers.
    let hpa = "hpa: {minReplicas: 1, maxReplicas: 14, metrics: [{type: Pods, pods: {metric: {name: nv_gpu_utilization}, target: {type: \
               AverageValue, averageValue: 500m}}}]}";
    let policies = format!(
        "{{name: hpa, {hpa}}}\n  - {{name: warm, {hpa}, warmPool: {{size: 2}}}}\n  - {{name: five, static: {{replicas: 5}}}}\n  - {{name: queue, keda: {{triggers: \
         [{{type: rabbitmq, metadata: {{queueName: q, mode: QueueLength, value: \"5\", host: h}}}}]}}}}\n  - {{name: forecast, predictive: {{replicaRate: 10req/s}}}}"
    );
    lab.write("small.yaml", &SCENARIO.replace("POLICY", &policies));
    let span = (MONDAY_S, MONDAY_S + 1_200);
    let used =
        samples("nv_gpu_utilization", "pod=\"chat-0\"", span, |since_s| if since_s > 600 { 0.8 } else { f64::NAN });
    let text = three_replicas(span) + &three_pods(span) + &used + "# EOF\n";
    let Some(server) = with_samples(&lab.path("."), &text) else { return };
    let schema: Value = serde_json::from_str(&lab.out("schema --advice")).expect("a schema");
    for at in ["00:05:00", "00:19:00"] {
        let said = lab.out(&format!("advise small.yaml --url {} --format json --at 2025-01-06T{at}Z", server.url));
        let advice: Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(misfit(&advice, &schema, &schema), None, "{said}");
    }
}
