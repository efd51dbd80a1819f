//! Replays recorded answers of a real Prometheus engine.
//!
//! `SCALELAB_VECTORS=DIR` replays every file in `DIR/promql`; without it the few small files in `tests/data` are
//! replayed. Values may differ by a relative 1e-6, the tolerance of Prometheus' own tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use promql::storage::STALE;
use promql::{Element, Labels, Options, Query, QueryError, Storage, Value};
use serde::Deserialize;

const SCHEMA: &str = "promql-vectors/1";
const TOLERANCE: f64 = 1e-6;

#[derive(Deserialize)]
struct File {
    schema: String,
    series: Vec<Series>,
    loads: BTreeMap<String, Vec<usize>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Series {
    labels: BTreeMap<String, String>,
    samples: Vec<(i64, Number)>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Plain(f64),
    Word(String),
}

#[derive(Deserialize)]
struct Case {
    id: String,
    load: Option<String>,
    t_ms: i64,
    lookback_ms: Option<i64>,
    expr: String,
    expect: Expected,
    tier: String,
    #[serde(default)]
    ordered: bool,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Expected {
    Scalar { value: Number },
    Vector { samples: Vec<ExpectedElement> },
    Empty,
    Error { kind: String },
}

#[derive(Deserialize)]
struct ExpectedElement {
    labels: BTreeMap<String, String>,
    value: Number,
}

impl Number {
    fn value(&self) -> f64 {
        match self {
            Number::Plain(value) => *value,
            Number::Word(word) => match word.as_str() {
                "NaN" => f64::NAN,
                "+Inf" => f64::INFINITY,
                "-Inf" => f64::NEG_INFINITY,
                "stale" => STALE,
                other => panic!("unknown number {other:?}"),
            },
        }
    }
}

#[test]
fn answers_are_those_of_prometheus() {
    let (folder, origin) = match std::env::var_os("SCALELAB_VECTORS") {
        Some(folder) => (Path::new(&folder).join("promql"), "SCALELAB_VECTORS"),
        None => (Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"), "tests/data"),
    };
    let files = json_files(&folder);
    assert!(!files.is_empty(), "no vectors in {} ({origin})", folder.display());
    let misses: usize = files.iter().map(|path| replay(path)).sum();
    assert_eq!(misses, 0, "some answers differ; see above");
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "json")).collect();
    files.sort();
    files
}

/// Replays one file, prints its score and returns the number of misses.
fn replay(path: &Path) -> usize {
    let name = path.file_name().expect("a file").to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).expect("a readable file");
    let file: File = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(file.schema, SCHEMA, "{name}: unknown schema");
    assert!(!file.cases.is_empty(), "{name}: no cases");
    let stores: BTreeMap<&str, Storage> =
        file.loads.iter().map(|(id, indices)| (id.as_str(), load(indices.iter().map(|&i| &file.series[i])))).collect();
    let empty = Storage::new(i64::MAX);
    // Per tier: hits and cases.
    let mut scores = BTreeMap::from([("core", (0, 0)), ("optional", (0, 0))]);
    for case in &file.cases {
        let store = case.load.as_deref().map_or(&empty, |id| &stores[id]);
        let score = scores.get_mut(case.tier.as_str()).unwrap_or_else(|| panic!("{name}: unknown tier {}", case.tier));
        score.1 += 1;
        match check(case, store) {
            Ok(()) => score.0 += 1,
            Err(difference) => println!("  {name} {} at {}: {}\n    {difference}", case.id, case.t_ms, case.expr),
        }
    }
    let (core, optional) = (scores["core"], scores["optional"]);
    println!("{name}: core {} of {}, optional {} of {}", core.0, core.1, optional.0, optional.1);
    core.1 - core.0 + optional.1 - optional.0
}

fn load<'a>(series: impl Iterator<Item = &'a Series>) -> Storage {
    let mut storage = Storage::new(i64::MAX);
    for series in series {
        let id = storage.series(&labels(&series.labels));
        for (t_ms, value) in &series.samples {
            assert!(storage.append(id, *t_ms, value.value()), "samples are in order");
        }
    }
    storage
}

fn labels(pairs: &BTreeMap<String, String>) -> Labels {
    Labels::new(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

fn check(case: &Case, storage: &Storage) -> Result<(), String> {
    let mut options = Options::default();
    if let Some(lookback_ms) = case.lookback_ms {
        options.lookback_ms = lookback_ms;
    }
    let mut query = match (Query::compile(&case.expr), &case.expect) {
        (Err(_), Expected::Error { kind }) if kind == "parse" => return Ok(()),
        (Ok(_), Expected::Error { kind }) if kind == "parse" => return Err("compiled, should not".to_owned()),
        // Known before the first evaluation, but a server would say so only then.
        (Err(QueryError::NeverEvaluates { .. }), Expected::Error { .. }) => return Ok(()),
        (compiled, _) => compiled.map_err(|error| error.to_string())?,
    };
    // Twice, since the second time is answered from the caches.
    for _ in 0..2 {
        match (query.evaluate(storage, case.t_ms, options), &case.expect) {
            (Err(_), Expected::Error { .. }) => {}
            (Ok(answer), Expected::Error { .. }) => return Err(format!("{answer:?} instead of an error")),
            (Err(error), _) => return Err(error.to_string()),
            (Ok(answer), expected) => compare(&answer.value, expected, case.ordered)?,
        }
    }
    Ok(())
}

fn compare(answer: &Value, expected: &Expected, is_ordered: bool) -> Result<(), String> {
    match (answer, expected) {
        (Value::Scalar(value), Expected::Scalar { value: wanted }) if is_close(*value, wanted.value()) => Ok(()),
        (Value::Scalar(value), Expected::Scalar { value: wanted }) => Err(format!("{value}, not {}", wanted.value())),
        (Value::Vector(elements), Expected::Empty) if elements.is_empty() => Ok(()),
        (Value::Vector(elements), Expected::Vector { samples }) => compare_elements(elements, samples, is_ordered),
        _ => Err(format!("{answer:?} has the wrong type or is not empty")),
    }
}

fn compare_elements(elements: &[Element], expected: &[ExpectedElement], is_ordered: bool) -> Result<(), String> {
    let mut got: Vec<(Labels, f64)> = elements.iter().map(|element| (element.labels.clone(), element.value)).collect();
    let mut wanted: Vec<(Labels, f64)> =
        expected.iter().map(|element| (labels(&element.labels), element.value.value())).collect();
    if !is_ordered {
        got.sort_by(|a, b| a.0.cmp(&b.0));
        wanted.sort_by(|a, b| a.0.cmp(&b.0));
    }
    let is_equal = got.len() == wanted.len()
        && got.iter().zip(&wanted).all(|(got, wanted)| got.0 == wanted.0 && is_close(got.1, wanted.1));
    if is_equal { Ok(()) } else { Err(format!("got {got:?}\n    not {wanted:?}")) }
}

fn is_close(a: f64, b: f64) -> bool {
    let is_near = a.is_finite() && b.is_finite() && (a - b).abs() <= TOLERANCE * a.abs().max(b.abs());
    a == b || (a.is_nan() && b.is_nan()) || is_near
}
