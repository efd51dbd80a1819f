//! Files, folders and text in; documents out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Loaded;
use crate::data::DataFiles;
use crate::error::ScenarioError;
use crate::file::{ManifestsFile, Measured, ScenarioFile};
use crate::manifest::workload::{Workload, nim_services};
use crate::manifest::{Document, Gathered, Kind, Treatment};
use crate::notes::Folded;
use crate::overrides;
use crate::resolve::{Context, changes_in_run};
use crate::sources::{Sources, sources};
use crate::tree::parse_manifests;

/// Where documents come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file, or a folder whose `*.yaml`, `*.yml` and `*.json` are read in order of their paths, those of the folders below it too.
    Path(PathBuf),
    /// Text under a name: `-` for standard input, or something built in. File names in it start from the current folder.
    Text {
        /// The name messages use.
        name: String,
        /// The documents.
        text: String,
    },
}

impl Input {
    /// The built-in scenario.
    pub fn embedded_default() -> Vec<Self> {
        let files = crate::embedded_default();
        let text =
            |(name, text): (&str, &str)| Self::Text { name: format!("triton-day/{name}"), text: text.to_owned() };
        files.into_iter().map(text).collect()
    }
}

/// All documents of some inputs, read and recognised but not resolved: sweeps resolve them many times.
#[derive(Clone, Debug)]
pub struct Documents {
    all: Vec<Document>,
    /// Folder of the file that holds the Scenario.
    folder: PathBuf,
    /// Where the documents were read, in that order.
    files: Vec<PathBuf>,
    data: Arc<dyn DataFiles>,
    scenario: usize,
    /// What was measured of real runs. The experiment knows nothing of them.
    measured: Vec<Document>,
    notes: Vec<String>,
    folded: Folded,
}

impl Documents {
    /// Reads inputs and finds the one Scenario among their documents; the files they name are opened by `data`.
    pub fn read(inputs: &[Input], data: Arc<dyn DataFiles>) -> Result<Self, ScenarioError> {
        Self::read_with(inputs, false, data)
    }

    /// The same; with `is_plain` the manifests that kustomize would patch are read as they are.
    pub fn read_with(inputs: &[Input], is_plain: bool, data: Arc<dyn DataFiles>) -> Result<Self, ScenarioError> {
        let found = sources(inputs, is_plain)?;
        let mut gathered = gather(&found)?;
        let folder_of = |document: &Document| {
            let source = found.texts.iter().find(|source| source.name == *document.node.place.source);
            source.map(|source| source.folder.clone()).unwrap_or_default()
        };
        leave_inner_scenarios(&mut gathered, folder_of);
        let Gathered { documents, notes, folded } = gathered;
        let (measured, documents): (Vec<_>, Vec<_>) =
            documents.into_iter().partition(|document| document.kind == Kind::Measured);
        let scenarios: Vec<usize> =
            (0..documents.len()).filter(|index| documents[*index].kind == Kind::Scenario).collect();
        let [scenario] = scenarios[..] else {
            return Err(ScenarioError::ScenarioCount { found: scenarios.len(), inputs: list(inputs) });
        };
        Ok(Self {
            folder: folder_of(&documents[scenario]),
            files: found.texts.iter().filter_map(|source| source.path.clone()).collect(),
            all: documents,
            data,
            scenario,
            measured,
            notes,
            folded,
        })
    }

    /// The same documents, with relative file names starting from `folder`: for documents that were read elsewhere before.
    pub fn in_folder(self, folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..self }
    }

    /// Folder of the file that holds the Scenario.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Files the documents were read from; the data files they name are not among them.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Every document as text again, JSON, as it was read: read together they are these documents.
    pub fn texts(&self) -> Vec<String> {
        self.all.iter().map(|document| document.node.to_json().to_string()).collect()
    }

    /// What was measured of the real run that the scenario stands for, if a document says so.
    pub fn measured(&self) -> Result<Option<Measured>, ScenarioError> {
        if let [first, second, ..] = &self.measured[..] {
            let reason = format!("a second Measured document; the first is {}", first.node.place);
            return Err(ScenarioError::Inconsistent { at: second.node.locate(""), reason });
        }
        self.measured.first().map(|document| Measured::of(&document.node)).transpose()
    }

    /// The experiment with these overrides.
    pub fn load(&self, overrides: &[(String, String)]) -> Result<Loaded, ScenarioError> {
        let (documents, scenario, unused) = self.changed(overrides)?;
        let scenario = &documents[scenario];
        let file: ScenarioFile = scenario.node.read("").map_err(|error| overrides::explain(error, overrides))?;
        let mut context = Context::new(&scenario.node, &documents, (self.folder.clone(), self.data.as_ref()));
        context.namespace.clone_from(&file.spec.manifests.namespace);
        context.notes.extend(self.notes.iter().cloned().chain(unused));
        context.folded = self.folded.clone();
        let spec = file.resolve(&mut context)?;
        let start = context.start(&file.spec.run)?;
        let clock_changes = changes_in_run(&start, file.spec.run.duration.duration());
        context.left_out(file.spec.names_workloads())?;
        context.finish_notes();
        let Context { notes, folded, metrics, .. } = context;
        Ok(Loaded {
            spec,
            description: file.metadata.description.clone(),
            seed: file.spec.run.seed,
            replications: file.spec.run.replications,
            gates: file.spec.gates.clone(),
            notes,
            counted: folded.summary(),
            details: folded.details(),
            metrics,
            utc_offset_seconds: start.offset().seconds(),
            clock_changes,
            folder: self.folder.clone(),
            documents: documents.iter().map(|document| document.node.to_json()).collect(),
        })
    }

    /// The documents with overrides applied, without what the scenario ignores, with what operators would make; the position of the
    /// Scenario; remarks.
    fn changed(&self, overrides: &[(String, String)]) -> Result<(Vec<Document>, usize, Vec<String>), ScenarioError> {
        let mut documents = self.all.clone();
        // What an operator makes of a manifest is made of the changed one, and may be changed itself.
        let (first, then): (Vec<_>, Vec<_>) = overrides.iter().partition(|(path, _)| {
            let path = path.strip_prefix("spec.").unwrap_or(path);
            overrides::is_manifest(&documents, path) || path.starts_with("manifests")
        });
        for (path, value) in first {
            overrides::apply(&mut documents, self.scenario, path, value)?;
        }
        let (mut scenario, mut remarks) = (self.scenario, Vec::new());
        if let Some(node) = documents[scenario].node.at(&["spec", "manifests"]) {
            let file: ManifestsFile = node.read("spec.manifests")?;
            let ignored = |document: &Document| file.ignore.iter().any(|pattern| is_meant(pattern, document));
            let idle = file.ignore.iter().filter(|pattern| !documents.iter().any(|one| is_meant(pattern, one)));
            remarks.extend(idle.map(|pattern| format!("manifests.ignore: there is no `{pattern}` in the folder")));
            let keep: Vec<bool> =
                documents.iter().map(|document| document.kind == Kind::Scenario || !ignored(document)).collect();
            let mut kept = keep.into_iter();
            documents.retain(|_| kept.next().unwrap_or(true));
            scenario = documents.iter().position(|document| document.kind == Kind::Scenario).unwrap_or(scenario);
        }
        expand(&mut documents)?;
        for (path, value) in then {
            overrides::apply(&mut documents, scenario, path, value)?;
        }
        Ok((documents, scenario, remarks))
    }
}

/// Everything in some texts, each document once.
pub fn gather(found: &Sources) -> Result<Gathered, ScenarioError> {
    let mut gathered = Gathered::default();
    for source in &found.texts {
        for parsed in parse_manifests(&source.name, &source.text)? {
            gathered.take(parsed, source.origin)?;
        }
    }
    gathered.settle();
    found.strangers.iter().for_each(|name| gathered.folded.stranger(name.clone()));
    let is_read = |document: &Document| document.kind != Kind::Scenario && document.treatment() == Treatment::Read;
    if let Some(chart) = found.charts.first()
        && !gathered.documents.iter().any(is_read)
    {
        return Err(ScenarioError::Chart { folder: chart.clone() });
    }
    for chart in &found.charts {
        let how = format!("`helm template NAME {chart} [-f VALUES]`");
        gathered.notes.push(format!("{chart}: a Helm chart, left out: what {how} prints can be read"));
    }
    Ok(gathered)
}

/// Adds what operators would make of the documents, unless it is there already.
pub fn expand(documents: &mut Vec<Document>) -> Result<(), ScenarioError> {
    let pipelines: Vec<Document> = documents.iter().filter(|one| one.kind == Kind::NimPipeline).cloned().collect();
    for service in pipelines.iter().flat_map(nim_services) {
        push_new(documents, service);
    }
    for index in 0..documents.len() {
        let document = documents[index].clone();
        if !document.kind.is_workload() {
            continue;
        }
        let Some(workload) = Workload::of(&document, documents)? else { continue };
        for scaler in workload.scalers {
            push_new(documents, scaler);
        }
    }
    Ok(())
}

/// A document that was made of another one, unless it is there as a cluster has it.
fn push_new(documents: &mut Vec<Document>, made: Document) {
    let is_there =
        |other: &Document| other.kind == made.kind && other.name == made.name && other.is_beside(made.namespace());
    if !documents.iter().any(is_there) {
        documents.push(made);
    }
}

/// True if an entry of `manifests.ignore` means a document: `KIND`, `KIND/NAME` or `GROUP/KIND`.
pub fn is_meant(pattern: &str, document: &Document) -> bool {
    pattern == document.kind_text()
        || pattern == document.title()
        || pattern.rsplit_once('/') == Some((document.group(), document.kind_text()))
}

/// A folder may hold folders of other scenarios: the outermost one counts, the documents beside the others are theirs.
fn leave_inner_scenarios(gathered: &mut Gathered, folder_of: impl Fn(&Document) -> PathBuf) {
    let folders: Vec<PathBuf> =
        gathered.documents.iter().filter(|document| document.kind == Kind::Scenario).map(&folder_of).collect();
    let Some(outer) = folders.iter().min_by_key(|folder| folder.components().count()) else { return };
    let inner: Vec<&PathBuf> = folders.iter().filter(|folder| *folder != outer && folder.starts_with(outer)).collect();
    if inner.is_empty() || inner.len() + 1 < folders.len() {
        return;
    }
    gathered.documents.retain(|document| {
        let folder = folder_of(document);
        !inner.iter().any(|inner| folder.starts_with(inner))
    });
    for folder in inner {
        gathered.notes.push(format!("{}: holds a scenario of its own, left out", folder.display()));
    }
}

fn list(inputs: &[Input]) -> String {
    let names = inputs.iter().map(|input| match input {
        Input::Path(path) => path.display().to_string(),
        Input::Text { name, .. } => name.clone(),
    });
    let names: Vec<String> = names.collect();
    if names.is_empty() { "no input".to_owned() } else { names.join(", ") }
}
