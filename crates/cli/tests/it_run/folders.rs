//! Folders of results: tried before the work, one run each, whole or not there.

use std::path::Path;

use crate::support::{SCENARIO, folder_with, scalelab};

fn refused(folder: &Path, args: &[&str], code: i32) -> String {
    let output = scalelab(folder, args);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{message}");
    message
}

#[test]
fn a_folder_that_takes_no_files_is_found_before_the_work() {
    let folder = folder_with(SCENARIO);
    std::fs::write(folder.path().join("taken"), "x").unwrap();
    // So much work that only an early end comes in time.
    let much = ["run", "small", "-o", "taken", "--replications", "1000000", "--quiet"];
    assert!(refused(folder.path(), &much, 3).contains("writing taken"));
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    for name in ["../elsewhere", "/tmp", "..", " ", "a\\u001b[2J"] {
        let folder = folder_with(&SCENARIO.replace("name: small", &format!("name: \"{name}\"")));
        let message = refused(folder.path(), &["run", "small", "--quiet"], 2);
        assert!(message.contains("metadata.name") && !message.contains('\u{1b}'), "{message}");
        assert!(!folder.path().join("results").exists());
    }
}

#[test]
fn a_second_run_in_a_folder_leaves_nothing_of_the_first() {
    let folder = folder_with(SCENARIO);
    let run = |args: &[&str]| {
        let args = [&["run", "small", "--quiet", "-o", "o", "--replications", "1"], args].concat();
        assert!(scalelab(folder.path(), &args).status.success());
    };
    let there = |name: &str| folder.path().join("o").join(name).exists();
    run(&["--save-requests"]);
    assert!(there("requests.csv") && there("plots/timeline-hpa.svg"));
    run(&["--policy", "static"]);
    assert!(!there("requests.csv") && !there("requests.parquet") && !there("plots/timeline-hpa.svg"));
    assert!(there("plots/timeline-static.svg") && there("summary.csv"));
}

#[test]
fn a_run_is_repeated_from_any_working_directory() {
    let folder =
        folder_with(&SCENARIO.replace("rate: 300req/s", "rate: {series: {file: rates.csv, valueUnit: perSecond}}"));
    let rates = "time_s,rate\n0,30\n300,60\n";
    std::fs::write(folder.path().join("small/rates.csv"), rates).unwrap();
    let output = scalelab(folder.path(), &["run", "small", "--quiet", "-o", "o", "--replications", "1"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (elsewhere, file) = (tempfile::tempdir().unwrap(), folder.path().join("o/run.json"));
    let from = file.display().to_string();
    let output = scalelab(elsewhere.path(), &["run", "--from", &from, "--quiet", "-o", "p"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[cfg(unix)]
fn a_run_that_is_told_to_end_keeps_what_is_done_and_says_so() {
    let folder = folder_with(SCENARIO);
    let mut run = std::process::Command::new(env!("CARGO_BIN_EXE_scalelab"));
    run.current_dir(folder.path()).args([
        "run",
        "small",
        "--jobs",
        "1",
        "--replications",
        "100000",
        "--quiet",
        "-o",
        "o",
    ]);
    let mut run = run.spawn().unwrap();
    // Signals are handled before the folder is there.
    while !folder.path().join("o").exists() {
        std::thread::yield_now();
    }
    let kill = std::process::Command::new("kill").arg(run.id().to_string()).status().unwrap();
    assert!(kill.success());
    assert_eq!(run.wait().unwrap().code(), Some(3));
}
