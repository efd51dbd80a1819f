//! Policies that are programs: do they decide, and is everything said that goes wrong with them?

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::{SCENARIO, folder_with, scalelab, table};

/// The scenario with one policy, which is this shell script.
fn run(script: &str, exec: &str, args: &[&str]) -> (tempfile::TempDir, Output) {
    let policy = format!("  - {{name: own, exec: {{command: [sh, own.sh]{exec}}}, replicas: 3}}\n");
    let from = SCENARIO.find("  - {name: static").unwrap();
    let to = SCENARIO.find("---").unwrap();
    let folder = folder_with(&format!("{}{policy}{}", &SCENARIO[..from], &SCENARIO[to..]));
    std::fs::write(folder.path().join("small/own.sh"), script).unwrap();
    let output = scalelab(folder.path(), &[&["run", "small", "--quiet", "-o", "out"], args].concat());
    (folder, output)
}

/// The last words and exit code of a run that wrote no table.
fn refused(script: &str, exec: &str, code: i32) -> String {
    let (folder, output) = run(script, exec, &["--allow-exec"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(!folder.path().join("out/summary.csv").exists());
    said
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/own-policy")
}

#[test]
fn a_program_that_always_says_three_is_the_static_policy_byte_for_byte() {
    let text = std::fs::read_to_string(shipped().join("scenario.yaml")).unwrap();
    let script = std::fs::read_to_string(shipped().join("fixed.sh")).unwrap();
    let lines = |skipped: &str, renamed: (&str, &str)| -> String {
        let kept = text.lines().filter(|line| !line.contains(skipped));
        kept.map(|line| line.replace(renamed.0, renamed.1) + "\n").collect()
    };
    let (fixed, own) = (lines("name: own,", ("", "")), lines("name: static,", ("name: own,", "name: static,")));
    let outputs = [fixed, own].map(|text| {
        let folder = folder_with(&text);
        std::fs::write(folder.path().join("small/fixed.sh"), &script).unwrap();
        let output = scalelab(folder.path(), &["run", "small", "--allow-exec", "--quiet", "-o", "out"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        folder
    });
    let names = ["summary", "replications", "timeline", "metrics", "replicas", "nodes", "ledger", "latency_cdf"];
    for name in names.into_iter().chain(["decisions"]) {
        let [fixed, own] = [0, 1]
            .map(|one: usize| std::fs::read_to_string(outputs[one].path().join(format!("out/{name}.csv"))).unwrap());
        // The log says who decided.
        assert_eq!(fixed, own.replace(",external,", ",static,").replace("Answered", "Fixed"), "{name}");
    }
}

#[test]
fn without_leave_no_program_is_started() {
    let (folder, output) = run("touch started; echo 3", "", &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("small/scenario.yaml:") && said.contains("`sh own.sh`") && said.contains("--allow-exec"),
        "{said}"
    );
    assert!(!folder.path().join("small/started").exists());
    assert!(!folder.path().join("out").exists());
}

#[test]
fn it_is_shown_the_service_and_its_answer_is_written() {
    let script =
        "while read -r line; do echo \"$line\" >> seen.json; echo '{\"replicas\": 5, \"reason\": \"noon\"}'; done";
    let metrics = ", period: 30s, metrics: {rate: 'sum(rate(http_requests_total[1m]))', none: sum(nothing_like_it)}";
    let (folder, output) = run(script, metrics, &["--allow-exec", "--replications", "1"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        // A query that can find no series is refused as those of manifests are.
        assert!(said.contains("nothing_like_it"), "{said}");
    }
    let metrics = ", period: 30s, metrics: {rate: 'sum(rate(http_requests_total[1m]))'}";
    let (folder, output) = if output.status.success() {
        (folder, output)
    } else {
        run(script, metrics, &["--allow-exec", "--replications", "1"])
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen = std::fs::read_to_string(folder.path().join("small/seen.json")).unwrap();
    let seen: Vec<serde_json::Value> = seen.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(seen.len(), 21);
    assert_eq!(seen[0]["time_s"], 0.0);
    assert_eq!(seen[0]["replicas"]["ready"], 3);
    assert_eq!(seen[20]["time_s"], 600.0);
    assert_eq!(seen[20]["replicas"]["ready"], 5);
    let rate = |key: &serde_json::Value| key.as_f64().unwrap();
    assert!((200.0..400.0).contains(&rate(&seen[10]["arrivals_per_s"])), "{}", seen[10]);
    assert!((200.0..400.0).contains(&rate(&seen[10]["metrics"]["rate"])), "{}", seen[10]);
    let decisions = table(&folder.path().join("out/decisions.csv"));
    assert!(
        decisions.iter().any(|row| row["controller"] == "external" && row.values().any(|cell| cell.contains("noon")))
    );
}

#[test]
fn its_answers_are_kept_within_bounds() {
    let (folder, output) = run("while read -r line; do echo 50; done", ", maxReplicas: 4", &["--allow-exec"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(table(&folder.path().join("out/summary.csv"))[0]["replicas_max"], "4");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let script = "n=3; while read -r line; do n=$((7 - n)); echo $n; done";
    let texts = ["1", "2"].map(|jobs| {
        let (folder, output) = run(script, "", &["--allow-exec", "--jobs", jobs, "--replications", "4"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read_to_string(folder.path().join("out/replications.csv")).unwrap()
    });
    assert_eq!(texts[0], texts[1]);
}

#[test]
fn what_goes_wrong_with_it_is_said() {
    let crash = refused("read -r line; echo 3; echo 'out of luck' >&2; exit 7", "", 3);
    assert!(
        crash.contains("policy own") && crash.contains("exit status: 7") && crash.contains("after 1 answers"),
        "{crash}"
    );
    assert!(crash.contains("out of luck"), "{crash}");
    let late = refused("read -r line; sleep 5", ", timeout: 200ms", 3);
    assert!(late.contains("gave no answer within 200ms"), "{late}");
    let nonsense = refused("while read -r line; do echo many; done", "", 2);
    assert!(nonsense.contains("answered `many`: this is no JSON"), "{nonsense}");
    let negative = refused("while read -r line; do echo -1; done", "", 2);
    assert!(negative.contains("-1 is no number of replicas"), "{negative}");
    let twice = refused("while read -r line; do echo 3; echo 4; sleep 0.1; done", "", 2);
    assert!(twice.contains("said `4` without being asked"), "{twice}");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let text = SCENARIO.replace("static: {replicas: 3}", "exec: {command: [no-such-program]}");
    let folder = folder_with(&text);
    let output = scalelab(folder.path(), &["run", "small", "--policy", "static", "--allow-exec", "-o", "out"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("`no-such-program` cannot be started"), "{said}");
}

#[test]
fn it_does_not_fight_with_another_over_the_count() {
    let text = SCENARIO.replace("static: {replicas: 3}", "static: {replicas: 3}, exec: {command: [sh]}");
    crate::errors::check(&text, &["--allow-exec"], &["`exec` beside `hpa`, `keda` or `static`"]);
}
