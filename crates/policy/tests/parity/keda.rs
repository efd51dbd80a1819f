//! Replays KEDA vectors: every file of `$SCALELAB_VECTORS/keda`, or the compact ones kept beside this test.
//!
//! A vector is met if every key it expects has the value expected; an operation this test does not know is a miss. Where the
//! vectors' own description leaves the spelling of an answer open, `also` in the outcome lists the other spellings per key.

#[path = "keda_rules.rs"]
mod rules;

use std::path::{Path, PathBuf};

use serde_json::Value;

#[test]
fn keda_vectors_are_met() {
    let folder = folder();
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no vectors", folder.display());
    let misses: Vec<String> = files.iter().flat_map(|file| replay(file)).collect();
    assert!(misses.is_empty(), "{} vectors missed:\n{}", misses.len(), misses.join("\n"));
}

fn folder() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    match std::env::var_os("SCALELAB_VECTORS") {
        None => here.join("tests/data/keda"),
        // Cargo runs tests in the crate's folder, people give paths from the workspace's.
        Some(given) => {
            let given = Path::new(&given).join("keda");
            if given.is_dir() { given } else { here.join("../..").join(given) }
        }
    }
}

/// Prints one line per file and returns its misses.
fn replay(file: &Path) -> Vec<String> {
    let name = file.file_name().expect("it was listed").to_string_lossy().into_owned();
    let text = std::fs::read_to_string(file).expect("a listed file can be read");
    let content: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let schema = content["schema"].as_str().unwrap_or_else(|| panic!("{name}: no schema"));
    let vectors = content["vectors"].as_array().unwrap_or_else(|| panic!("{name}: no vectors"));
    assert!(!vectors.is_empty(), "{name}: no vectors");
    let misses: Vec<String> = vectors.iter().filter_map(|vector| miss(schema, vector)).collect();
    println!("{name}: {} of {}", vectors.len() - misses.len(), vectors.len());
    misses
}

fn miss(schema: &str, vector: &Value) -> Option<String> {
    let id = vector["id"].as_str().unwrap_or("(no id)");
    let found = match rules::outcome(schema, &vector["input"]) {
        Ok(found) => found,
        Err(error) => return Some(format!("{id}: {error}")),
    };
    let expected = vector["expect"].as_object()?;
    let also = |key: &str, value: &Value| {
        found["also"][key].as_array().is_some_and(|all| all.iter().any(|one| same(one, value)))
    };
    let met = |key: &str, value: &Value| found.get(key).is_some_and(|found| same(found, value)) || also(key, value);
    let wrong = expected.iter().find(|(key, value)| !met(key, value));
    wrong.map(|(key, value)| format!("{id}: {key}: expected {value}, found {}", found.get(key).unwrap_or(&Value::Null)))
}

/// Numbers are compared as doubles, so that 3 and 3.0 are the same.
fn same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => found == expected,
    }
}
