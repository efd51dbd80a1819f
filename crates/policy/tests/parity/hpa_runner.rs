//! Finds vector files, replays every case, and counts.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder of vectors of one controller: below `SCALELAB_VECTORS` if that is set, else the committed one.
///
/// A relative `SCALELAB_VECTORS` counts from where the test runs or from the root of the workspace, whichever exists.
fn folder(controller: &str) -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = match std::env::var_os("SCALELAB_VECTORS") {
        Some(given) if Path::new(&given).exists() => PathBuf::from(given),
        Some(given) => package.join("../..").join(given),
        None => package.join("tests/data"),
    };
    root.join(controller)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("no vectors in {}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("a readable folder entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no vectors in {}", folder.display());
    files
}

/// Replays every case of every file; `check` says why a case misses. Fails on any miss, and on a file without cases.
pub fn replay(controller: &str, check: impl Fn(&Value, &Value) -> Result<(), String>) {
    let mut misses = Vec::new();
    for path in files(&folder(controller)) {
        let text = std::fs::read_to_string(&path).expect("a readable vector file");
        let file: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.file_name().expect("a file has a name").to_string_lossy();
        let cases = file["cases"].as_array().filter(|cases| !cases.is_empty());
        let cases = cases.unwrap_or_else(|| panic!("{name}: no cases"));
        let before = misses.len();
        for case in cases {
            let outcome = catch_unwind(AssertUnwindSafe(|| check(&file, case)));
            if let Err(why) = outcome.unwrap_or_else(|_| Err("panicked".to_owned())) {
                misses.push(format!("{name} {}: {why}", case["id"].as_str().unwrap_or("without id")));
            }
        }
        println!("{name}: {} of {}", cases.len() - (misses.len() - before), cases.len());
    }
    assert!(misses.is_empty(), "{} misses:\n{}", misses.len(), misses.join("\n"));
}

/// Compares what `expect` holds, key by key, with `actual`. A key nobody knows is a miss, not a pass.
pub fn compare(expect: &Value, actual: &[(&str, Value)]) -> Result<(), String> {
    let expected = expect.as_object().ok_or("expect is not an object")?;
    for (key, wanted) in expected {
        let found = actual.iter().find(|(name, _)| name == key);
        let (_, found) = found.ok_or_else(|| format!("unknown expectation {key}"))?;
        if found != wanted {
            return Err(format!("{key}: expected {wanted}, got {found}"));
        }
    }
    Ok(())
}
