//! Readers of what people write: scenarios, manifests, folders of both, measured runs, queries, sweeps, gates.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use cli::measured;
use lab::gates::Gate;
use lab::sweep::{Sweep, SweepFile};
use promql::Query;
use scenario::{Documents, Input, NoFiles, OtherDocument};

use super::{Reader, test_data};

/// The text of a document of the built-in scenario.
fn embedded(file: &str) -> &'static str {
    let found = scenario::embedded_default().into_iter().find(|(name, _)| *name == file);
    found.unwrap_or_else(|| panic!("{file} is not built in")).1
}

fn is_loaded(inputs: &[Input]) -> bool {
    Documents::read(inputs, Arc::new(NoFiles)).and_then(|documents| documents.load(&[])).is_ok()
}

/// One document of the built-in scenario, damaged while the others stay as they are.
pub fn document(name: &str, file: &'static str) -> Reader {
    Reader::of_text(name, embedded(file), move |damaged| {
        let whole = scenario::embedded_default().into_iter();
        let inputs: Vec<Input> = whole
            .map(|(name, text)| Input::Text {
                name: name.to_owned(),
                text: if name == file { damaged } else { text }.to_owned(),
            })
            .collect();
        is_loaded(&inputs)
    })
}

/// Begins a file in the text of a folder; its path from there on.
const FILE: &str = "### ";

/// A scenario and its manifests in a folder with folders below, with some that are none. The text of all files is damaged together, so that names of
/// files and folders change too, and files go missing.
pub fn folder(own: &Path) -> Reader {
    let list = "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{\"apiVersion\": \"v1\", \"kind\": \"Service\", \"metadata\": {\"name\": \"a\"}}]}\n";
    let files = [
        ("scenario.yaml", embedded("scenario.yaml")),
        ("notes.txt", "read by nobody\n"),
        ("list.json", list),
        ("dashboard.json", "{\"panels\": []}\n"),
        (".hidden/deployment.yaml", "kind: Nobody\n"),
        ("values.yaml", "replicas: 3\n"),
        ("base/deployment.yaml", embedded("deployment.yaml")),
        ("base/hpa.yaml", embedded("hpa.yaml")),
        ("base/hpa-corrected.yaml", embedded("hpa-corrected.yaml")),
        ("base/scaledobject.yml", embedded("scaledobject.yaml")),
        ("base/rules/adapter.yaml", embedded("prometheus-adapter-config.yaml")),
        ("base/rules/corrected.yaml", embedded("prometheus-adapter-corrected.yaml")),
        ("base/rules/pdb.yaml", embedded("pdb.yaml")),
    ];
    let text: String = files.iter().map(|(path, text)| format!("{FILE}{path}\n{text}")).collect();
    let own = own.to_owned();
    Reader::of_text("folder", text, move |damaged| {
        unpack(damaged, &own);
        let is_taken = is_loaded(&[Input::Path(own.join("in"))]);
        std::fs::remove_dir_all(own.join("in")).expect("a folder of ours");
        is_taken
    })
}

/// Writes the files of a text to `own/in`. Names that lead out of it, or that no file can have here, are left out: the reader never sees them.
fn unpack(text: &str, own: &Path) {
    let inside = own.join("in");
    std::fs::create_dir_all(&inside).expect("a writable folder");
    for part in text.split(FILE).skip(1) {
        let (name, text) = part.split_once('\n').unwrap_or((part, ""));
        let name = PathBuf::from(name);
        if name.components().any(|part| !matches!(part, Component::Normal(_))) || name.as_os_str().len() > 200 {
            continue;
        }
        let path = inside.join(name);
        let _ = path.parent().map(std::fs::create_dir_all);
        let _ = std::fs::write(path, text);
    }
}

/// A Measured document beside the scenario it holds against what was measured.
pub fn measured(own: &Path) -> Reader {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/validation/llmd-symmetrical-static");
    for name in ["scenario.yaml", "deployment.yaml"] {
        std::fs::copy(shipped.join(name), own.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let good = std::fs::read(shipped.join("measured.yaml")).expect("a shipped file");
    let own = own.to_owned();
    Reader::new("measured", good, move |bytes| {
        std::fs::write(own.join("measured.yaml"), bytes).expect("a writable folder");
        measured::prepare(&own, &measured::Options::default()).is_ok()
    })
}

/// A query; what compiles is asked what it would want of the servers, too.
pub fn promql() -> Reader {
    let good = "sum by (pod) (rate(nv_inference_request_success{namespace=\"triton\", pod=~\"triton-.*\"}[2m] offset 30s)) \
                / on (pod) group_left () (1 + max_over_time(queue_depth[5m:15s]) > bool 3.5e-1) \
                or histogram_quantile(0.95, sum by (le) (increase(latency_bucket[1h]))) unless label_replace(vector(time()), \"a\", \"$1\", \"b\", \"(.*)\")";
    Reader::of_text("promql", good, |text| {
        Query::compile(text).is_ok_and(|query| {
            let _ =
                (query.lookbehind_ms(promql::Options::default()), query.answer_type(), query.wants_name("queue_depth"));
            true
        })
    })
}

/// The document of a sweep.
pub fn sweep() -> Reader {
    Reader::of_text("sweep", test_data("data/sweep.yaml"), |text| {
        let file = OtherDocument::parse("sweep.yaml", text).and_then(|document| document.read::<SweepFile>());
        file.is_ok_and(|file| Sweep::resolve(&file).is_ok())
    })
}

/// A gate, as on the command line of `check`.
pub fn gate() -> Reader {
    Reader::of_text("gate", "hpa: service chat: cost_usd <= baseline * 1.05 at 97.5 %", |text| {
        Gate::parse(text).is_ok()
    })
}
