//! Every command in the tutorial and the how-to pages, run as it stands there.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::support::Desk;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// The fenced blocks of shell, as one script.
fn script(page: &str) -> String {
    let shell = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap_or(rest));
    shell.collect::<Vec<_>>().join("\n")
}

/// Runs a page's commands in a folder that has `scenarios/` and `traces/` as the repository has them.
fn follow(page: &str) {
    let text = std::fs::read_to_string(docs().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
    let commands = script(&text);
    assert!(commands.contains("scalelab "), "{page} has no commands");
    let desk = Desk::new();
    for folder in ["scenarios", "traces"] {
        symlink(docs().join("..").join(folder), desk.path(folder)).expect("a fresh folder");
    }
    let output = desk.shell(&commands);
    assert!(output.status.success(), "{page}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_tutorial_can_be_followed() {
    follow("tutorial.md");
}

#[test]
fn a_keda_threshold_can_be_found() {
    follow("how-to/keda-threshold.md");
}

#[test]
fn scale_to_zero_can_be_weighed() {
    follow("how-to/scale-to-zero.md");
}

#[test]
fn a_published_run_can_be_simulated() {
    follow("how-to/llm-d.md");
}

#[test]
fn consolidation_policies_can_be_compared() {
    follow("how-to/consolidation.md");
}

#[test]
fn ways_to_buy_machines_can_be_compared() {
    follow("how-to/spot-or-reserved.md");
}

#[test]
fn the_summary_names_every_page_and_no_other() {
    let summary = std::fs::read_to_string(docs().join("SUMMARY.md")).expect("a readable file");
    let named = |page: &str| summary.contains(&format!("({page})"));
    for folder in ["", "how-to/", "guide/"] {
        for entry in std::fs::read_dir(docs().join(folder)).expect("a folder of pages") {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
            let is_page = path.extension().is_some_and(|extension| extension == "md") && name != "SUMMARY.md";
            assert!(!is_page || named(&format!("{folder}{name}")), "SUMMARY.md does not name {folder}{name}");
        }
    }
    for link in summary.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(docs().join(link).is_file(), "SUMMARY.md names {link}, which is not there");
    }
}
