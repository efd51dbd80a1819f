//! Is the code tidy: the rules of CONTRIBUTING.md that a machine can check.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Crate by crate: which of our crates it may use. The layers of ARCHITECTURE.md; arrows go down only.
const LAYERS: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("names", &[]),
    ("engine", &["units"]),
    ("policy", &["units"]),
    ("workload", &["units"]),
    ("promql", &["units"]),
    ("exporters", &["units", "names", "promql"]),
    ("record", &["units"]),
    ("prices", &["units", "names", "record"]),
    ("cluster", &["units", "engine", "policy", "workload", "promql", "exporters", "record"]),
    // It repeats load tests on a simulated replica: above it stands the engine of one.
    ("calibrate", &["units", "names", "workload", "cluster"]),
    (
        "scenario",
        &["units", "names", "policy", "workload", "promql", "exporters", "record", "prices", "calibrate", "cluster"],
    ),
    ("traces", &["names", "workload", "scenario"]),
    ("live", &["units", "names", "policy", "promql", "exporters", "record", "cluster"]),
    ("storage", &["names"]),
    ("lab", &["units", "names", "workload", "record", "cluster", "scenario"]),
    ("playground", &["units", "workload", "record", "cluster", "scenario", "lab"]),
    ("playground-wasm", &["playground"]),
    ("report", &["units", "names", "record"]),
    (
        "cli",
        &[
            "units",
            "names",
            "policy",
            "workload",
            "exporters",
            "record",
            "prices",
            "calibrate",
            "cluster",
            "scenario",
            "traces",
            "live",
            "storage",
            "lab",
            "playground",
            "report",
        ],
    ),
    // A workspace of its own: what Python is offered.
    ("py", &["units", "policy", "record", "cluster", "scenario", "traces", "lab", "report", "cli"]),
    (
        "testkit",
        &["prices", "calibrate", "cluster", "workload", "promql", "scenario", "traces", "lab", "report", "cli"],
    ),
];

/// Library crates may not use these: polars is for the leaves, printing and exiting is for the command line.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("polars", &["report", "lab"]),
    ("polars-parquet", &["report", "traces"]),
    ("anyhow", &["cli"]),
    ("pyo3", &["py"]),
    ("rayon", &["lab"]),
    ("clap", &["cli"]),
    ("plotters", &["report"]),
    ("resvg", &["report"]),
    ("ureq", &["live", "storage"]),
    ("object_store", &["storage"]),
    ("tokio", &["storage"]),
];

const BANNED: &[(&str, &str)] = &[
    ("todo!(", "finish it"),
    ("unimplemented!(", "finish it"),
    ("#[ignore", "a test that does not run answers nothing"),
    ("dbg!(", "left from debugging"),
    ("StdRng", "not portable: use workload::Stream"),
    ("SmallRng", "not portable: use workload::Stream"),
];

const LINES_MAX: usize = 800;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is there")
}

fn files_below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(files_below(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<(PathBuf, String)> {
    let root = root();
    let all = ["crates", "benches"].iter().flat_map(|folder| files_below(&root.join(folder), "rs"));
    all.filter(|path| !path.ends_with("testkit/tests/tidy.rs"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a source file is text");
            (path.strip_prefix(&root).expect("below the root").to_owned(), text)
        })
        .collect()
}

/// Names in the `[dependencies]` table of a manifest.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let table = manifest.split("\n[").find(|part| part.starts_with("dependencies]")).unwrap_or_default();
    let lines = table.lines().skip(1).filter(|line| !line.trim_start().starts_with('#'));
    lines
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn manifests() -> BTreeMap<String, BTreeSet<String>> {
    let folder = root().join("crates");
    let entries = std::fs::read_dir(folder).expect("the crates are there");
    entries
        .map(|entry| entry.expect("a readable folder").path())
        .filter_map(|path| {
            let manifest = std::fs::read_to_string(path.join("Cargo.toml")).ok()?;
            Some((path.file_name()?.to_str()?.to_owned(), dependencies(&manifest)))
        })
        .collect()
}

#[test]
fn every_crate_uses_only_what_its_layer_may() {
    let layers: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    let ours: BTreeSet<&str> = layers.keys().copied().collect();
    for (name, uses) in manifests() {
        let allowed =
            layers.get(name.as_str()).unwrap_or_else(|| panic!("crate {name} has no line in the layer table"));
        for used in uses.iter().filter(|used| ours.contains(used.as_str())) {
            assert!(allowed.contains(&used.as_str()), "crate {name} may not use {used}");
        }
        for (dependency, homes) in ONLY_IN {
            assert!(
                !uses.contains(*dependency) || homes.contains(&name.as_str()),
                "crate {name} may not use {dependency}"
            );
        }
    }
}

#[test]
fn nothing_banned_stands_in_the_sources() {
    for (path, text) in sources() {
        for (word, why) in BANNED {
            assert!(!text.contains(word), "{}: `{word}`: {why}", path.display());
        }
        // A to-do without an issue number is a wish.
        for line in text.lines().filter(|line| line.contains(concat!("TO", "DO"))) {
            assert!(line.contains('#'), "{}: {line}", path.display());
        }
    }
}

#[test]
fn no_file_is_too_long() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines: split it", path.display());
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for (path, text) in sources() {
        assert!(text.starts_with("//!") || text.starts_with("#![doc"), "{} does not begin with `//!`", path.display());
    }
}

#[test]
fn only_the_command_line_prints_or_exits() {
    let libraries = sources().into_iter().filter(|(path, _)| {
        let path = path.to_string_lossy();
        path.contains("/src/") && !path.starts_with("crates/cli") && !path.contains("/tests")
    });
    for (path, text) in libraries {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for word in ["println!(", "eprintln!(", "process::exit"] {
            assert!(!code.contains(word), "{}: only `cli` may use `{word}`", path.display());
        }
    }
}

#[test]
fn every_formula_cited_exists() {
    let model = std::fs::read_to_string(root().join("docs/model.md")).expect("docs/model.md is there");
    let anchors: BTreeSet<String> = model
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .map(|heading| heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"))
        .collect();
    for (path, text) in sources() {
        for cited in text.split("model.md#").skip(1) {
            let anchor: String = cited.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
            assert!(anchors.contains(&anchor), "{} cites model.md#{anchor}, which does not exist", path.display());
        }
    }
}

#[test]
fn every_scenario_says_what_it_is_and_is_listed() {
    let folder = root().join("scenarios");
    let listing = std::fs::read_to_string(folder.join("README.md")).expect("scenarios/README.md is there");
    for path in files_below(&folder, "yaml").iter().filter(|path| path.ends_with("scenario.yaml")) {
        let name = path.parent().and_then(Path::file_name).expect("a scenario has a folder").to_string_lossy();
        assert!(listing.contains(name.as_ref()), "scenarios/README.md does not mention {name}");
        let text = std::fs::read_to_string(path).expect("a scenario is text");
        assert!(text.starts_with('#'), "{} does not begin with a comment that says what it shows", path.display());
    }
}
