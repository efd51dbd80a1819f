//! Folders as users have them, each with what must come of it: `tests/folders/NAME/{manifests/…, expect.json}`.
//!
//! `init` is run over the manifests (from standard input with `"stdin": true`), then what it made for an hour with one request a second.
//! `says`, `says_not` and `writes` are parts of a line of everything printed, or of the scenario, with `…` between them for anything;
//! `replicas_max` is the largest number of replicas a policy came to.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::support::Lab;

fn cases() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/folders")
}

/// Exit code and everything printed.
fn scalelab(lab: &Lab, arguments: &[&str], input: Option<&Path>) -> (i32, String) {
    let input = input.map_or(Stdio::null(), |path| std::fs::File::open(path).expect("an input file").into());
    let mut command = Command::new(env!("CARGO_BIN_EXE_scalelab"));
    let output = command.args(arguments).current_dir(lab.path(".")).stdin(input).output().expect("the program starts");
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    (output.status.code().unwrap_or(-1), text)
}

/// True if a line has all parts of a pattern, in order.
fn matches(pattern: &str, text: &str) -> bool {
    let has = |line: &str| {
        pattern
            .split('…')
            .map(str::trim)
            .try_fold(line, |rest, part| rest.find(part).map(|at| &rest[at + part.len()..]))
            .is_some()
    };
    text.lines().any(has)
}

fn list<'a>(expect: &'a Value, key: &str) -> Vec<&'a str> {
    expect[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What is wrong with a case; nothing if all is as it must be.
fn verdict(folder: &Path) -> Vec<String> {
    let expect = std::fs::read_to_string(folder.join("expect.json")).expect("expect.json");
    let expect: Value = serde_json::from_str(&expect).expect("JSON");
    let (lab, manifests) = (Lab::new(), folder.join("manifests"));
    let given = manifests.display().to_string();
    let piped = expect["stdin"].as_bool().unwrap_or(false);
    let file = piped
        .then(|| std::fs::read_dir(&manifests).expect("manifests").next().expect("a file").expect("a file").path());
    let from = if piped { "-" } else { given.as_str() };
    let (mut code, mut said) =
        scalelab(&lab, &["init", "--no-cache", "--manifests", from, "-o", "made"], file.as_deref());
    let is_made = code == 0;
    if is_made {
        let run = ["run", "made", "--no-cache", "--replications", "1", "--jobs", "1", "-o", "results"];
        let set = ["--set", "run.duration=1h", "--set", "traffic={generator: {rate: 1req/s}}"];
        let (run_code, run_said) = scalelab(&lab, &[&run[..], &set[..]].concat(), None);
        (code, said) = (run_code, said + &run_said);
    }
    let mut wrong = Vec::new();
    if i64::from(code) != expect["exit"].as_i64().unwrap_or(0) {
        wrong.push(format!("exit code {code}"));
    }
    wrong.extend(
        list(&expect, "says").iter().filter(|one| !matches(one, &said)).map(|one| format!("does not say {one}")),
    );
    wrong.extend(list(&expect, "says_not").iter().filter(|one| matches(one, &said)).map(|one| format!("says {one}")));
    if is_made {
        let scenario = lab.read("made/scenario.yaml");
        wrong.extend(
            list(&expect, "writes")
                .iter()
                .filter(|one| !matches(one, &scenario))
                .map(|one| format!("does not write {one}")),
        );
    }
    for (policy, most) in expect["replicas_max"].as_object().into_iter().flatten() {
        let found = if code == 0 { largest(&lab.read("results/summary.csv"), policy) } else { None };
        if found != most.as_f64() {
            wrong.push(format!("{policy} came to {found:?} replicas"));
        }
    }
    if !wrong.is_empty() {
        wrong.push(said);
    }
    wrong
}

/// `replicas_max` of a policy.
fn largest(summary: &str, policy: &str) -> Option<f64> {
    let mut lines = summary.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next()?;
    let column = |name: &str| header.iter().position(|cell| *cell == name);
    let (name, value) = (column("policy")?, column("replicas_max")?);
    lines.find(|cells| cells[name] == policy)?.get(value)?.parse().ok()
}

#[test]
fn every_folder_comes_to_what_it_must() {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(cases()).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 8, "the cases are there");
    let wrong: Vec<String> = folders
        .iter()
        .map(|folder| (folder, verdict(folder)))
        .filter(|(_, wrong)| !wrong.is_empty())
        .map(|(folder, wrong)| format!("{}:\n  {}", folder.display(), wrong.join("\n  ")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
