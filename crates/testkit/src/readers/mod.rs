//! Every reader of input, each with an input that it takes.

mod data;
mod documents;
mod results;

use std::path::Path;

/// Reads bytes; whether it took them.
pub type Read = Box<dyn Fn(&[u8]) -> bool>;

/// One reader: whether it takes an input.
pub struct Reader {
    /// What it reads, in lower case with dashes: the name of its fuzz target too.
    pub name: String,
    /// An input it takes.
    pub good: Vec<u8>,
    /// Reads; true if the input was taken. A panic is a defect, and so is an answer that a damaged copy changes unseen.
    pub read: Read,
}

impl Reader {
    fn new(name: &str, good: impl Into<Vec<u8>>, read: impl Fn(&[u8]) -> bool + 'static) -> Self {
        Self { name: name.to_owned(), good: good.into(), read: Box::new(read) }
    }

    /// The same of a reader of text.
    fn of_text(name: &str, good: impl Into<Vec<u8>>, read: impl Fn(&str) -> bool + 'static) -> Self {
        Self::new(name, good, move |bytes| read(&String::from_utf8_lossy(bytes)))
    }
}

/// Makes a reader that may keep files in a folder of its own.
type Make = fn(&Path) -> Reader;

/// Names of all readers and what makes them: some simulate a while to have something good to damage.
const READERS: &[(&str, Make)] = &[
    ("scenario", |_| documents::document("scenario", "scenario.yaml")),
    ("deployment", |_| documents::document("deployment", "deployment.yaml")),
    ("hpa", |_| documents::document("hpa", "hpa-corrected.yaml")),
    ("scaledobject", |_| documents::document("scaledobject", "scaledobject.yaml")),
    ("adapter-config", |_| documents::document("adapter-config", "prometheus-adapter-corrected.yaml")),
    ("pdb", |_| documents::document("pdb", "pdb.yaml")),
    ("folder", documents::folder),
    ("measured", documents::measured),
    ("promql", |_| documents::promql()),
    ("sweep", |_| documents::sweep()),
    ("gate", |_| documents::gate()),
    ("trace-csv", data::trace_csv),
    ("trace-jsonl", data::trace_jsonl),
    ("trace-parquet", data::trace_parquet),
    ("trace-cache", data::trace_cache),
    ("price-catalog", |_| data::price_catalog()),
    ("spot-history", |_| data::spot_history()),
    ("kubectl-pods", |_| data::kubectl_pods()),
    ("load-test", |_| data::load_test()),
    ("load-table", |_| data::load_table()),
    ("perf-analyzer", |_| data::perf_analyzer()),
    ("journal", results::journal),
    ("run-json", results::run_json),
    ("result-folder", results::result_folder),
];

/// Names of all readers.
pub fn names() -> impl Iterator<Item = &'static str> {
    READERS.iter().map(|(name, _)| *name)
}

/// The reader of a name; its files go to a new folder in `folder`. `None` if there is no such reader.
pub fn reader(name: &str, folder: &Path) -> Option<Reader> {
    let (name, make) = READERS.iter().find(|(known, _)| *known == name)?;
    let own = folder.join(name);
    std::fs::create_dir_all(&own).expect("a writable folder");
    Some(make(&own))
}

/// A file of the tests of the command line.
fn test_data(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/tests").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}
