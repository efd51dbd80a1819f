//! Scenarios whose data files are on this machine's disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use scenario::file::{RateSeriesFile, TraceFile};
use scenario::{DataFiles, Documents, Input, Loaded, RateRow, RequestTrace, ScenarioError, TraceDetails};

use crate::seal::Seal;
use crate::{FileTrace, TraceCache, unreadable};

/// The disk of this machine. Request traces are parsed once where the process has chosen a [`crate::TraceCache`]. A file is the same however
/// often it is asked for: see [`crate::Changed`].
#[derive(Debug, Default)]
pub struct Disk {
    /// Files that were read, as they were.
    seals: Mutex<BTreeMap<PathBuf, Arc<Seal>>>,
}

impl Disk {
    /// The files that were read until now, by path.
    pub fn files(&self) -> Vec<PathBuf> {
        self.seals.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// The seal of a file, taken when it is first asked for. Ends the run if the file is another one by now.
    fn sealed(&self, path: &Path) -> Result<Arc<Seal>, ScenarioError> {
        // What it guards is whole at every moment.
        let mut seals = self.seals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seal) = seals.get(path) {
            seal.hold();
            return Ok(Arc::clone(seal));
        }
        let seal = Arc::new(Seal::take(path).map_err(|error| unreadable(path, &error))?);
        seals.insert(path.to_owned(), Arc::clone(&seal));
        Ok(seal)
    }

    /// What `read` makes of a file that stays the same meanwhile.
    fn read<T>(&self, path: &Path, read: impl FnOnce() -> Result<T, ScenarioError>) -> Result<T, ScenarioError> {
        let seal = self.sealed(path)?;
        let answer = read();
        seal.hold();
        answer
    }
}

impl DataFiles for Disk {
    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn names(&self, folder: &Path) -> Option<Vec<String>> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        Some(names)
    }

    fn text(&self, path: &Path) -> Result<String, ScenarioError> {
        self.read(path, || crate::read_text(path))
    }

    fn column(&self, path: &Path, name: &str) -> Result<Vec<f64>, ScenarioError> {
        self.read(path, || crate::column::column(path, name))
    }

    fn rates(&self, path: &Path, file: &RateSeriesFile) -> Result<Vec<RateRow>, ScenarioError> {
        self.read(path, || crate::series::rates(path, file))
    }

    fn requests(&self, path: &Path, trace: &TraceFile, wanted: TraceDetails) -> Result<RequestTrace, ScenarioError> {
        let seal = self.sealed(path)?;
        let file = if wanted.blocks || wanted.adapters {
            FileTrace::load_detailed(&seal, trace, wanted)?
        } else {
            FileTrace::load_sealed(&seal, trace, TraceCache::chosen())?
        };
        Ok(RequestTrace { last_ns: file.last_ns(), adapters: file.adapters(), source: Arc::new(file) })
    }

    fn details(&self, path: &Path, trace: &TraceFile) -> TraceDetails {
        self.sealed(path).map(|seal| FileTrace::details(&seal, trace)).unwrap_or_default()
    }
}

/// Reads inputs and finds the one Scenario among their documents.
pub fn read(inputs: &[Input]) -> Result<Documents, ScenarioError> {
    read_with(inputs, false)
}

/// The same; with `is_plain` the manifests that kustomize would patch are read as they are.
pub fn read_with(inputs: &[Input], is_plain: bool) -> Result<Documents, ScenarioError> {
    Documents::read_with(inputs, is_plain, Arc::new(Disk::default()))
}

/// Reads and resolves a scenario; each override is a path and a value, applied in order.
pub fn load(inputs: &[Input], overrides: &[(String, String)]) -> Result<Loaded, ScenarioError> {
    read(inputs)?.load(overrides)
}
