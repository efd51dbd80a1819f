//! From files, folders and pipes to texts: which files of a folder are read at all.
//!
//! A folder is read with the folders below it, in order of path, as `kubectl apply -R -f` does. Charts and kustomizations make manifests
//! and are none: they are refused with the command that renders them. This module does not know what manifests mean.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Place, ScenarioError};
use crate::input::Input;
use crate::manifest::{Origin, first_action};

/// Largest text that is read, in bytes: the manifests of a large cluster fit several times.
const BYTES_MAX: u64 = 1 << 28;

/// A text to read.
#[derive(Clone, Debug)]
pub struct Source {
    /// What messages call it.
    pub name: String,
    /// Where it was read; a pipe or a built-in text has no place.
    pub path: Option<PathBuf>,
    /// Its text.
    pub text: String,
    /// Folder that relative file names in it start from.
    pub folder: PathBuf,
    /// Whether it was named or found.
    pub origin: Origin,
}

/// Texts, and what was passed over on the way.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// In the order they are read.
    pub texts: Vec<Source>,
    /// Folders of Helm charts.
    pub charts: Vec<String>,
    /// Files that are no manifests.
    pub strangers: Vec<String>,
}

/// Everything some inputs stand for. With `is_plain` kustomize's files are passed over instead of refused.
pub fn sources(inputs: &[Input], is_plain: bool) -> Result<Sources, ScenarioError> {
    let mut found = Sources::default();
    for input in inputs {
        match input {
            Input::Text { name, text } => found.texts.push(Source {
                name: name.clone(),
                path: None,
                text: text.clone(),
                folder: PathBuf::new(),
                origin: Origin::Named,
            }),
            Input::Path(path) if path.is_dir() => found.folder(path, is_plain)?,
            Input::Path(path) => {
                let text = read_text(path)?;
                found.texts.push(source(path, text, Origin::Named)?);
            }
        }
    }
    Ok(found)
}

impl Sources {
    fn folder(&mut self, root: &Path, is_plain: bool) -> Result<(), ScenarioError> {
        if root.join("Chart.yaml").exists() {
            return Err(ScenarioError::Chart { folder: root.display().to_string() });
        }
        let mut files = Vec::new();
        self.walk(root, &mut files)?;
        files.sort();
        let mut has_manifests = false;
        for path in files {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if ["kustomization.yaml", "kustomization.yml"].contains(&name) {
                if is_plain {
                    self.strangers.push(path.display().to_string());
                    continue;
                }
                let folder = path.parent().unwrap_or(root).display().to_string();
                return Err(ScenarioError::Kustomization { file: path.display().to_string(), folder });
            }
            has_manifests = true;
            let text = read_text(&path)?;
            let is_values = name.starts_with("values") || name.starts_with("Chart.");
            let may_be_manifest = !has_extension(&path, &["json"]) || looks_like_json_manifest(&text);
            if !may_be_manifest || (is_values && first_action(&text).is_some()) {
                self.strangers.push(path.display().to_string());
                continue;
            }
            self.texts.push(source(&path, text, Origin::Folder)?);
        }
        if !has_manifests {
            return Err(match self.charts.first() {
                Some(folder) => ScenarioError::Chart { folder: folder.clone() },
                None => ScenarioError::EmptyFolder { path: root.display().to_string() },
            });
        }
        Ok(())
    }

    /// All files of manifests below a folder; hidden folders, links to folders and charts are passed over.
    fn walk(&mut self, folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), ScenarioError> {
        let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(folder, &error))?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(|error| unreadable(folder, &error))?);
            let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
            if kind.is_dir() {
                if is_hidden || entry.file_name() == "node_modules" {
                    continue;
                }
                if path.join("Chart.yaml").exists() {
                    self.charts.push(path.display().to_string());
                    continue;
                }
                self.walk(&path, files)?;
            } else if path.is_file() && has_extension(&path, &["yaml", "yml", "json"]) {
                files.push(path);
            }
        }
        Ok(())
    }
}

fn source(path: &Path, text: String, origin: Origin) -> Result<Source, ScenarioError> {
    let name = path.display().to_string();
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    if let Some((line, action)) = first_action(&text) {
        let chart = folder.ancestors().find(|folder| folder.join("Chart.yaml").exists()).unwrap_or(&folder);
        let chart = if chart.as_os_str().is_empty() { Path::new(".") } else { chart };
        let place = Place::new(&name.as_str().into(), line, 1);
        let action = action.chars().take(60).collect();
        return Err(ScenarioError::Template { place, action, folder: chart.display().to_string() });
    }
    Ok(Source { name, path: Some(path.to_owned()), text, folder, origin })
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().and_then(|extension| extension.to_str()).is_some_and(|found| extensions.contains(&found))
}

/// Data beside a scenario may be of any size and shape; only what names a kind and a version is looked at.
fn looks_like_json_manifest(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim_start().starts_with('{')
        && text.contains("\"apiVersion\"")
        && text.contains("\"kind\"")
}

/// A text in UTF-8, or in UTF-16 with its mark, which is what some shells write.
fn read_text(path: &Path) -> Result<String, ScenarioError> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes));
    read.map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > BYTES_MAX {
        let reason = format!("holds more than {} MiB, which no document does", BYTES_MAX >> 20);
        return Err(ScenarioError::Unreadable { path: path.display().to_string(), reason });
    }
    let wide = |from_pair: fn([u8; 2]) -> u16| {
        let pairs = bytes[2..].chunks_exact(2).map(|pair| from_pair([pair[0], pair[1]]));
        char::decode_utf16(pairs).collect::<Result<String, _>>().ok()
    };
    let text = match bytes.get(..2) {
        Some([0xff, 0xfe]) => wide(u16::from_le_bytes),
        Some([0xfe, 0xff]) => wide(u16::from_be_bytes),
        _ => std::str::from_utf8(&bytes).ok().map(str::to_owned),
    };
    let reason = || "is neither UTF-8 nor UTF-16 text".to_owned();
    text.ok_or_else(|| ScenarioError::Unreadable { path: path.display().to_string(), reason: reason() })
}

fn unreadable(path: &Path, error: &std::io::Error) -> ScenarioError {
    ScenarioError::Unreadable { path: path.display().to_string(), reason: error.to_string() }
}
