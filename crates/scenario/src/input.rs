//! Files, folders and text in; documents out.

use std::path::{Path, PathBuf};

use crate::Loaded;
use crate::error::ScenarioError;
use crate::file::ScenarioFile;
use crate::manifest::{Document, Kind, classify};
use crate::overrides;
use crate::resolve::Context;
use crate::tree::parse_documents;

/// Where documents come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file, or a folder whose `*.yaml`, `*.yml` and `*.json` are read in order of their names.
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
    scenario: usize,
}

impl Documents {
    /// Reads inputs and finds the one Scenario among their documents.
    pub fn read(inputs: &[Input]) -> Result<Self, ScenarioError> {
        let mut documents = Vec::new();
        let mut folders: Vec<PathBuf> = Vec::new();
        for input in inputs {
            for (name, text, folder) in sources(input)? {
                documents.extend(classify(parse_documents(&name, &text)?)?);
                folders.resize(documents.len(), folder);
            }
        }
        check_names(&documents)?;
        let scenarios: Vec<usize> =
            (0..documents.len()).filter(|index| documents[*index].kind == Kind::Scenario).collect();
        let [scenario] = scenarios[..] else {
            return Err(ScenarioError::ScenarioCount { found: scenarios.len(), inputs: list(inputs) });
        };
        Ok(Self { all: documents, folder: folders.swap_remove(scenario), scenario })
    }

    /// The same documents, with relative file names starting from `folder`: for documents that were read elsewhere before.
    pub fn in_folder(self, folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..self }
    }

    /// The experiment with these overrides.
    pub fn load(&self, overrides: &[(String, String)]) -> Result<Loaded, ScenarioError> {
        let mut documents = self.all.clone();
        for (path, value) in overrides {
            overrides::apply(&mut documents, self.scenario, path, value)?;
        }
        let scenario = &documents[self.scenario];
        let file: ScenarioFile = scenario.node.read("").map_err(|error| overrides::explain(error, overrides))?;
        let mut context = Context {
            scenario: &scenario.node,
            documents: &documents,
            folder: self.folder.clone(),
            notes: Vec::new(),
            metrics: None,
        };
        let spec = file.resolve(&mut context)?;
        let utc_offset_seconds = context.start(&file.spec.run)?.offset().seconds();
        let metrics = context.metrics;
        let mut notes = context.notes;
        notes.extend(inert(&documents));
        Ok(Loaded {
            spec,
            description: file.metadata.description.clone(),
            seed: file.spec.run.seed,
            replications: file.spec.run.replications,
            gates: file.spec.gates.clone(),
            notes,
            metrics,
            utc_offset_seconds,
            folder: self.folder.clone(),
            documents: documents.iter().map(|document| document.node.to_json()).collect(),
        })
    }
}

/// One document of some input, for those who look at manifests without running them.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// File it stands in.
    pub source: String,
    /// `kind`; empty for bare prometheus-adapter rules.
    pub kind: String,
    /// `metadata.name`; may be empty.
    pub name: String,
    /// The document as JSON has it.
    pub content: serde_json::Value,
}

/// The documents of some inputs, recognised but neither validated nor resolved, a `List` taken apart.
pub fn manifests(inputs: &[Input]) -> Result<Vec<Manifest>, ScenarioError> {
    let mut found = Vec::new();
    for input in inputs {
        for (source, text, _) in sources(input)? {
            let documents = classify(parse_documents(&source, &text)?)?;
            found.extend(documents.into_iter().map(|document| Manifest {
                source: source.clone(),
                kind: document.node.get("kind").and_then(crate::tree::Node::text).unwrap_or_default().to_owned(),
                name: document.name,
                content: document.node.to_json(),
            }));
        }
    }
    Ok(found)
}

/// Two manifests of one kind and name would make every reference to them a matter of luck.
fn check_names(documents: &[Document]) -> Result<(), ScenarioError> {
    for (index, document) in documents.iter().enumerate() {
        let twin = documents[..index].iter().find(|earlier| {
            !document.name.is_empty() && document.kind != Kind::Scenario && earlier.title() == document.title()
        });
        if let Some(twin) = twin {
            let reason = format!("{} is defined twice; first at {}", document.title(), twin.node.place);
            return Err(ScenarioError::Inconsistent { at: document.node.locate(""), reason });
        }
    }
    Ok(())
}

fn inert(documents: &[Document]) -> impl Iterator<Item = String> {
    let without_effect = documents.iter().filter(|document| document.kind == Kind::Inert);
    without_effect.map(|document| {
        format!(
            "ignored: {}: {}: manifests of this kind have no effect in the model",
            document.node.place.source,
            document.title()
        )
    })
}

/// Name, text and folder of every file an input stands for.
fn sources(input: &Input) -> Result<Vec<(String, String, PathBuf)>, ScenarioError> {
    match input {
        Input::Text { name, text } => Ok(vec![(name.clone(), text.clone(), PathBuf::new())]),
        Input::Path(path) => {
            let files = if path.is_dir() { manifests_in(path)? } else { vec![path.clone()] };
            files.iter().map(|file| read_file(file)).collect()
        }
    }
}

fn read_file(path: &Path) -> Result<(String, String, PathBuf), ScenarioError> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    Ok((path.display().to_string(), text, folder))
}

fn manifests_in(folder: &Path) -> Result<Vec<PathBuf>, ScenarioError> {
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_file() && matches!(extension, Some("yaml" | "yml" | "json")) {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(ScenarioError::EmptyFolder { path: folder.display().to_string() });
    }
    files.sort();
    Ok(files)
}

fn unreadable(path: &Path, error: &std::io::Error) -> ScenarioError {
    ScenarioError::Unreadable { path: path.display().to_string(), reason: error.to_string() }
}

fn list(inputs: &[Input]) -> String {
    let names = inputs.iter().map(|input| match input {
        Input::Path(path) => path.display().to_string(),
        Input::Text { name, .. } => name.clone(),
    });
    let names: Vec<String> = names.collect();
    if names.is_empty() { "no input".to_owned() } else { names.join(", ") }
}
