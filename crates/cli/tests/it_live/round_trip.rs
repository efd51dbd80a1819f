//! Simulated, exposed, scraped, imported, simulated again: the circle closes.

use std::collections::BTreeMap;

use crate::prometheus::with_samples;
use crate::support::Lab;

/// 2025-01-06T00:00:00Z.
const START_S: i64 = 1_736_121_600;
const STEP_S: i64 = 15;
const LENGTH_S: i64 = 7_200;

const SCENARIO: &str = "\
apiVersion: scalelab.dev/v1
kind: Scenario
metadata: {name: original}
spec:
  run: {duration: 2h, start: \"2025-01-06T00:00:00\", timelineStep: 15s, replications: REPLICATIONS}
  traffic:
    TRAFFIC
  service:
    model: {slots: {serviceTime: {logNormal: {p50: 100ms, p90: 180ms}}}}
    pod: {name: chat, gpus: 1}
    client: {timeout: 60s}
  slo: {latency: 250ms, objective: 90%}
  coldStart: {imagePull: 20s, modelDownload: 0s, gpuLoad: 40s, cudaWarmUp: 0s}
  nodes:
    pools: [{name: gpu, instanceTypes: [g5.xlarge]}]
  prices: {g5.xlarge: {onDemand: $1.01/h}}
  policies:
  - POLICY
";

const WAVE: &str = "generator: {rate: {points: {at: [{time: 0h, level: 15req/s}, {time: 1h, level: 70req/s}, {time: 2h, level: 20req/s}]}}}";
const HPA: &str = "{name: hpa, replicas: 4, hpa: {minReplicas: 3, maxReplicas: 14, metrics: [{type: Pods, pods: {metric: {name: \
                   nv_gpu_utilization}, target: {type: AverageValue, averageValue: 700m}}}]}}";

fn scenario(traffic: &str, policy: &str, replications: u32) -> String {
    let text = SCENARIO.replace("TRAFFIC", traffic).replace("POLICY", policy);
    text.replace("REPLICATIONS", &replications.to_string())
}

/// A table by its columns.
fn table(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().map(|row| row.expect("a row")).collect()
}

fn number(row: &BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column}: {}", row[column]))
}

/// A pod's name as a Deployment's pods are called.
fn pod_name(number: usize) -> String {
    let letters: Vec<char> = "bcdfghjklm".chars().collect();
    let digits = format!("{number:05}")
        .chars()
        .map(|digit| letters[digit.to_digit(10).expect("a digit") as usize])
        .collect::<String>();
    format!("chat-7d9f8b6c-{digits}")
}

/// What scrapes of the run would have seen, at the end of every step and for some minutes before the start.
struct Exposition {
    /// `spec.replicas` at each scrape of the run.
    wanted: Vec<u32>,
    /// Requests of each step.
    arrivals: Vec<f64>,
    text: String,
}

fn exposition(lab: &Lab, folder: &str) -> Exposition {
    let timeline = table(&lab.read(&format!("{folder}/timeline.csv")));
    let pods = table(&lab.read(&format!("{folder}/replicas.csv")));
    let decisions = table(&lab.read(&format!("{folder}/decisions.csv")));
    let arrivals: Vec<f64> = timeline.iter().map(|row| number(row, "arrivals")).collect();
    let writes: Vec<(f64, u32)> = decisions
        .iter()
        .filter(|row| row["written_to"] == "replicas")
        .map(|row| (number(row, "time_s"), number(row, "written") as u32))
        .collect();
    let wanted_at = |at: i64| writes.iter().rev().find(|(when, _)| *when <= at as f64).map_or(4, |(_, count)| *count);
    let moment = |row: &BTreeMap<String, String>, column: &str| row[column].parse::<f64>().ok();
    // What is ready at the end of the run goes on.
    let end = |row: &BTreeMap<String, String>| {
        moment(row, "ready_end_s").filter(|end| *end < LENGTH_S as f64).unwrap_or(f64::MAX)
    };
    let lives: Vec<(f64, f64)> =
        pods.iter().map(|row| (moment(row, "ready_start_s").unwrap_or(f64::MAX), end(row))).collect();
    let mut lines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut counters = vec![0.0; pods.len()];
    let mut wanted = Vec::new();
    for at in (-300..=LENGTH_S + 60).step_by(STEP_S as usize) {
        let time = START_S + at;
        let is_ready =
            |pod: &usize| (lives[*pod].0 <= at as f64 || (at < 0 && lives[*pod].0 == 0.0)) && lives[*pod].1 > at as f64;
        let ready: Vec<usize> = (0..pods.len()).filter(is_ready).collect();
        if at > 0 && at <= LENGTH_S {
            let step = (at / STEP_S - 1) as usize;
            ready.iter().for_each(|pod| counters[*pod] += arrivals[step] / ready.len() as f64);
        }
        for pod in &ready {
            let line = format!(
                "nv_inference_request_success{{namespace=\"ml\",pod=\"{}\"}} {} {time}",
                pod_name(*pod),
                counters[*pod]
            );
            lines.entry("requests").or_default().push(line);
        }
        if (0..LENGTH_S).contains(&at) {
            wanted.push(wanted_at(at));
        }
        let object = "{namespace=\"ml\",deployment=\"chat\"}";
        lines
            .entry("spec")
            .or_default()
            .push(format!("kube_deployment_spec_replicas{object} {} {time}", wanted_at(at.max(0))));
        lines
            .entry("ready")
            .or_default()
            .push(format!("kube_deployment_status_replicas_ready{object} {} {time}", ready.len()));
        for (metric, column) in [
            ("kube_pod_created", "created_s"),
            ("kube_pod_status_scheduled_time", "pending_end_s"),
            ("kube_pod_container_state_started", "image_pull_end_s"),
            ("kube_pod_status_ready_time", "ready_s"),
        ] {
            for (pod, row) in pods.iter().enumerate().filter(|(_, row)| number(row, "created_s") > 0.0) {
                let is_there = moment(row, column).is_some_and(|when| when <= at as f64);
                let ended = moment(row, "ended_s").is_some_and(|when| when <= at as f64);
                if is_there && !ended {
                    let when = START_S + moment(row, column).unwrap_or(0.0) as i64;
                    lines
                        .entry(metric)
                        .or_default()
                        .push(format!("{metric}{{namespace=\"ml\",pod=\"{}\"}} {when} {time}", pod_name(pod)));
                }
            }
        }
    }
    let text = lines.into_values().flatten().map(|line| line + "\n").collect::<String>() + "# EOF\n";
    Exposition { wanted, arrivals, text }
}

#[test]
fn what_was_simulated_comes_back_and_costs_and_misses_the_same() {
    let lab = Lab::new();
    lab.write("original.yaml", &scenario(WAVE, HPA, 1));
    lab.done("run original.yaml -o original --quiet");
    let shown = exposition(&lab, "original");
    let Some(server) = with_samples(&lab.path("."), &shown.text) else { return };

    let command = format!(
        "import prometheus --url {} --since 2h --until 2025-01-06T02:00:00Z --chunk 30m -o imported",
        server.url
    );
    let ran = lab.done(&command);
    assert!(!lab.path("imported/.chunks").exists());
    lab.done("run imported --set run.duration=5m --set run.replications=1 --quiet -o as-it-is");

    let traffic = table(&lab.read("imported/traffic.csv"));
    assert_eq!(traffic.len(), shown.arrivals.len(), "{}", ran.stderr);
    for (row, arrivals) in traffic.iter().zip(&shown.arrivals) {
        let (rate, simulated) = (number(row, "requests_per_s"), arrivals / STEP_S as f64);
        assert!(
            (rate - simulated).abs() <= 0.01 * simulated.max(0.1),
            "{}: {rate} in place of {simulated}",
            row["time"]
        );
    }
    let replicas = table(&lab.read("imported/replicas.csv"));
    let wanted: Vec<u32> = replicas.iter().map(|row| number(row, "wanted") as u32).collect();
    assert_eq!(wanted, shown.wanted, "the replica path");
    assert!(wanted.iter().max() > wanted.iter().min(), "there is something to follow");
    let pods = table(&lab.read("imported/pods.csv"));
    assert!(lab.read("imported/scenario.yaml").contains("# Measured: "), "{} pods, {}", pods.len(), ran.stderr);

    let series = "generator: {rate: {series: {file: traffic.csv, timeUnit: timestamp, valueUnit: perSecond}}}";
    let recorded = "{name: recorded, recorded: {file: replicas.csv, timeUnit: timestamp, value: wanted}}";
    lab.write("imported/scenario.yaml", &scenario(series, recorded, 3));
    lab.done("run imported/scenario.yaml -o again --quiet");
    let (original, again) = (table(&lab.read("original/summary.csv")), table(&lab.read("again/summary.csv")));
    let of = |column: &str| (number(&original[0], column), number(&again[0], column));
    let (cost, cost_again) = of("cost_usd");
    assert!((cost_again / cost - 1.0).abs() < 0.01, "cost {cost} and {cost_again}");
    let (met, met_again) = of("slo_attainment");
    assert!((met - met_again).abs() < 0.002, "attainment {met} and {met_again}");
    println!("cost {cost} and {cost_again}, attainment {met} and {met_again}");
}

#[test]
fn a_gap_is_told_and_no_folder_is_overwritten() {
    let lab = Lab::new();
    let sample = |at: i64| {
        let (time, pod) = (START_S + at, pod_name(1));
        format!("nv_inference_request_success{{pod=\"{pod}\"}} {} {time}\n", 10_000 + at * 7)
    };
    let spec = |at: i64| format!("kube_deployment_spec_replicas{{deployment=\"chat\"}} 2 {}\n", START_S + at);
    let scrapes = || (-300..7_500_i64).step_by(15);
    let counted = scrapes().filter(|at| !(3_000..3_900).contains(at));
    let text = counted.map(sample).chain(scrapes().map(spec)).collect::<String>() + "# EOF\n";
    let Some(server) = with_samples(&lab.path("."), &text) else { return };

    let address = server.url.clone();
    let begin = format!("import prometheus --url {address} --since 2h --until 2025-01-06T02:00:00Z --chunk 20m -o out");
    let whole = lab.done(&begin);
    assert!(whole.stderr.contains("1 gap(s) of 15 min without a scrape"), "{}", whole.stderr);
    assert!(whole.stderr.contains(&format!("{} requests were counted across them", 915 * 7)), "{}", whole.stderr);
    let empty = lab.read("out/traffic.csv").lines().filter(|line| line.ends_with(',')).count();
    assert_eq!(empty, 61, "15 minutes and the rows at their ends are gaps");

    // A question too long for an address is sent as a form.
    let same = begin.replace("-o out", &format!("--match pod!=\"{}\" -o again", "x".repeat(4_000)));
    lab.done(&same);
    assert_eq!(lab.read("again/traffic.csv"), lab.read("out/traffic.csv"));

    let refused = lab.refused(&begin);
    assert!(refused.contains("exists already"), "{refused}");
}
