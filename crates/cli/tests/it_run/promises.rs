//! The promises a run makes.

use std::path::Path;

use crate::support::{SCENARIO, folder_with, micros, scalelab, table};

const TABLES: [&str; 11] = [
    "summary",
    "replications",
    "comparison",
    "timeline",
    "decisions",
    "metrics",
    "replicas",
    "nodes",
    "ledger",
    "error_budget",
    "burn_rate",
];

fn run(folder: &Path, args: &[&str]) {
    let output = scalelab(folder, &[&["run", "small", "--quiet"], args].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn read(folder: &Path, file: &str) -> Vec<u8> {
    std::fs::read(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn one_and_two_threads_and_a_repetition_leave_the_same_bytes() {
    let folder = folder_with(SCENARIO);
    run(folder.path(), &["--jobs", "1", "-o", "one"]);
    run(folder.path(), &["--jobs", "2", "-o", "two"]);
    let again = scalelab(folder.path(), &["run", "--from", "one/run.json", "--quiet", "-o", "again"]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    for table in TABLES {
        let file = format!("{table}.csv");
        let one = read(folder.path(), &format!("one/{file}"));
        assert!(one == read(folder.path(), &format!("two/{file}")), "{file} differs between 1 and 2 threads");
        assert!(one == read(folder.path(), &format!("again/{file}")), "{file} differs in the repetition");
    }
    assert_eq!(read(folder.path(), "one/timeline.parquet"), read(folder.path(), "two/timeline.parquet"));
}

#[test]
fn another_seed_is_another_history_and_the_policies_of_one_seed_face_the_same_requests() {
    let folder = folder_with(SCENARIO);
    run(folder.path(), &["-o", "seven"]);
    run(folder.path(), &["--seed", "8", "-o", "eight"]);
    let (seven, eight) =
        (table(&folder.path().join("seven/replications.csv")), table(&folder.path().join("eight/replications.csv")));
    assert_ne!(seven[0]["digest"], eight[0]["digest"]);
    for replication in ["0", "1"] {
        let arrivals: Vec<&String> =
            seven.iter().filter(|row| row["replication"] == replication).map(|row| &row["requests"]).collect();
        assert_eq!(arrivals.len(), 2);
        assert_eq!(arrivals[0], arrivals[1]);
    }
}

#[test]
fn the_ledger_closes_and_no_request_is_lost() {
    let folder = folder_with(SCENARIO);
    run(folder.path(), &["-o", "out"]);
    for row in table(&folder.path().join("out/replications.csv")) {
        let uses = ["serving", "idle", "cold_start", "standby", "draining", "unallocated"];
        let purchases = ["on_demand", "spot", "reserved", "serverless"];
        let sum = |names: &[&str]| names.iter().map(|name| micros(&row[&format!("cost_{name}_usd")])).sum::<i64>();
        assert_eq!(sum(&uses), micros(&row["cost_usd"]), "uses of {}", row["policy"]);
        assert_eq!(sum(&purchases), micros(&row["cost_usd"]), "purchase options of {}", row["policy"]);
        let count = |name: &str| row[name].parse::<u64>().expect("a count");
        assert_eq!(count("requests"), count("completed") + count("failed") + count("in_system"), "{}", row["policy"]);
    }
}

/// Three replicas on three $3 nodes for ten minutes: 3 x 600 s x $3/3600 s = $1.50, worked out by hand.
#[test]
fn static_replicas_cost_billed_seconds_times_price() {
    let folder = folder_with(SCENARIO);
    run(folder.path(), &["--policy", "static", "-o", "out"]);
    let summary = table(&folder.path().join("out/summary.csv"));
    assert_eq!(summary[0]["cost_usd"], "1.500000");
    let billed: f64 = table(&folder.path().join("out/nodes.csv"))
        .iter()
        .map(|row| row["billed_s"].parse::<f64>().expect("seconds"))
        .sum();
    assert_eq!(billed, 1_800.0);
}

#[test]
fn a_run_leaves_every_file_it_promises() {
    let folder = folder_with(SCENARIO);
    run(folder.path(), &["--save-requests", "--replications", "1", "-o", "out"]);
    let out = folder.path().join("out");
    let tables = TABLES.iter().map(|table| format!("{table}.csv"));
    let plots = ["overview", "latency_cdf", "cost_vs_slo", "cost_breakdown", "timeline-hpa"];
    let plots = plots.iter().flat_map(|plot| [format!("plots/{plot}.svg"), format!("plots/{plot}.png")]);
    let others = ["timeline.parquet", "run.json", "report.html", "requests.parquet"].map(str::to_owned);
    for file in tables.chain(plots).chain(others) {
        assert!(out.join(&file).metadata().is_ok_and(|data| data.len() > 0), "{file} is missing or empty");
    }
}

#[test]
fn saved_requests_are_the_same_bytes_with_any_number_of_threads_and_all_of_them() {
    let folder = folder_with(SCENARIO);
    for jobs in ["1", "2"] {
        run(folder.path(), &["--save-requests", "--jobs", jobs, "-o", jobs]);
    }
    for file in ["requests.csv", "requests.parquet"] {
        let read = |jobs: &str| std::fs::read(folder.path().join(jobs).join(file)).expect("the file is there");
        assert!(read("1") == read("2"), "{file} differs");
    }
    let rows = table(&folder.path().join("1/requests.csv"));
    for summary in table(&folder.path().join("1/replications.csv")) {
        let of_policy = rows.iter().filter(|row| row["policy"] == summary["policy"]).count();
        if summary["replication"] == "0" {
            assert_eq!(of_policy.to_string(), summary["requests"], "{}", summary["policy"]);
        }
    }
    let parts = ["static", "hpa"].map(|policy| rows.iter().position(|row| row["policy"] == policy));
    assert!(parts[0] < parts[1], "in the order of the policies");
    let left_over = std::fs::read_dir(folder.path().join("1")).expect("the folder is there").filter(|entry| {
        entry.as_ref().expect("a readable folder").path().extension().is_some_and(|extension| extension == "tmp")
    });
    assert_eq!(left_over.count(), 0);
}

#[test]
fn nothing_of_a_run_that_was_killed_while_it_wrote_stays_beside_the_next() {
    let folder = folder_with(SCENARIO);
    run(folder.path(), &["--save-requests", "-o", "out"]);
    // What makes a folder one of a run comes last.
    std::fs::remove_file(folder.path().join("out/run.json")).expect("a run leaves one");
    run(folder.path(), &["--policy", "static", "-o", "out"]);
    let is_there = |name: &str| folder.path().join("out").join(name).exists();
    assert!(!is_there("requests.csv") && !is_there("plots/timeline-hpa.svg"));
    assert!(is_there("plots/timeline-static.svg") && is_there("run.json"));
}

#[test]
fn explain_tells_each_step_of_a_decision() {
    let folder = folder_with(SCENARIO);
    run(folder.path(), &["-o", "out"]);
    let output = scalelab(folder.path(), &["explain", "out", "--policy", "hpa", "--at", "00:05"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for part in
        ["hpa at 00:0", "metric cpu", "against a target of 60", "stabilization", "rate limit", "bounds", "written"]
    {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[test]
fn explain_refuses_a_time_outside_the_run() {
    let folder = folder_with(SCENARIO);
    run(folder.path(), &["--replications", "1", "-o", "out"]);
    for at in ["09:54", "+25h", "2020-01-01 00:01"] {
        let output = scalelab(folder.path(), &["explain", "out", "--policy", "hpa", "--at", at]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{at}: {told}");
        assert!(told.contains(&format!("error: --at {at}: the run goes from ")), "{told}");
    }
}

#[test]
fn the_verdict_stands_in_what_is_printed_and_on_the_page() {
    let folder = folder_with(SCENARIO);
    let output = scalelab(folder.path(), &["run", "small", "--replications", "3", "--format", "json", "-o", "out"]);
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let page = std::fs::read_to_string(folder.path().join("out/report.html")).expect("a page");
    let first = printed["verdict"]["text"][0].as_str().and_then(|text| text.strip_prefix("verdict: ")).expect("a line");
    assert!(page.contains(first), "{first}");
    let standings = ["meets", "undecided", "misses"];
    for policy in printed["verdict"]["policies"].as_array().expect("policies") {
        assert!(standings.contains(&policy["standing"].as_str().expect("a word")), "{policy}");
    }
    assert!(page.contains("What this rests on") && page.contains("digests of the first replications"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("open file://"));
}

#[test]
fn policies_are_chosen_by_name_and_values_are_set_by_path() {
    let folder = folder_with(SCENARIO);
    run(folder.path(), &["--policy", "static", "--set", "run.duration=5m", "--replications", "1", "-o", "out"]);
    let summary = table(&folder.path().join("out/summary.csv"));
    assert_eq!(summary.len(), 1);
    assert_eq!(summary[0]["cost_usd"], "0.750000");
}

/// The lesson's claim for two standbys: no cold start before the first scale event is served. With an instant label patch the ready
/// count follows the written one within the same second, while replacements load for half a minute.
#[test]
fn the_first_scale_event_from_a_warm_pool_costs_no_time() {
    let warm = SCENARIO.replace(
        "  - {name: hpa, hpa: server}",
        "  - {name: warm, hpa: server, warmPool: {size: 2, promote: 0s}}\n  - {name: cold, hpa: server}",
    );
    let folder = folder_with(&warm);
    run(folder.path(), &["--replications", "1", "--set", "run.timelineStep=1s", "-o", "out"]);
    let seconds_until_ready = |policy: &str| {
        let of_policy = |row: &&std::collections::BTreeMap<String, String>| row["policy"] == policy;
        let timeline = table(&folder.path().join("out/timeline.csv"));
        let steps: Vec<_> = timeline.iter().filter(of_policy).collect();
        let count =
            |row: &std::collections::BTreeMap<String, String>, name: &str| row[name].parse::<u32>().expect("a count");
        let asked = steps.iter().position(|row| count(row, "desired") > 1).expect("the HPA scales up");
        let wanted = count(steps[asked], "desired");
        steps[asked..].iter().position(|row| count(row, "ready") >= wanted).expect("they become ready")
    };
    assert_eq!(seconds_until_ready("warm"), 0);
    // Ten, twenty, five and two seconds of cold start at least.
    assert!(seconds_until_ready("cold") >= 37);
}

#[test]
fn random_worlds_hold_and_leave_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let output = scalelab(folder.path(), &["fuzz", "--worlds", "3", "--seed", "9"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(said, "3 worlds from seed 9, 0 in which something does not hold\n");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
