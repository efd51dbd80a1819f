//! Scenarios whose data files are on this machine's disk.

use std::path::Path;
use std::sync::Arc;

use scenario::file::{RateSeriesFile, TraceFile};
use scenario::{DataFiles, Documents, Input, Loaded, RateRow, RequestTrace, ScenarioError};

use crate::FileTrace;

/// The disk of this machine. Request traces are parsed once where the process has chosen a [`crate::TraceCache`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl DataFiles for Disk {
    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn text(&self, path: &Path) -> Result<String, ScenarioError> {
        crate::read_text(path)
    }

    fn column(&self, path: &Path, name: &str) -> Result<Vec<f64>, ScenarioError> {
        crate::column::column(path, name)
    }

    fn rates(&self, path: &Path, file: &RateSeriesFile) -> Result<Vec<RateRow>, ScenarioError> {
        crate::series::rates(path, file)
    }

    fn requests(&self, path: &Path, trace: &TraceFile, reads_blocks: bool) -> Result<RequestTrace, ScenarioError> {
        let file = if reads_blocks { FileTrace::load_with_blocks(path, trace)? } else { FileTrace::load(path, trace)? };
        Ok(RequestTrace { last_ns: file.last_ns(), source: Arc::new(file) })
    }

    fn has_blocks(&self, path: &Path, trace: &TraceFile) -> bool {
        FileTrace::has_blocks(path, trace)
    }
}

/// Reads inputs and finds the one Scenario among their documents.
pub fn read(inputs: &[Input]) -> Result<Documents, ScenarioError> {
    read_with(inputs, false)
}

/// The same; with `is_plain` the manifests that kustomize would patch are read as they are.
pub fn read_with(inputs: &[Input], is_plain: bool) -> Result<Documents, ScenarioError> {
    Documents::read_with(inputs, is_plain, Arc::new(Disk))
}

/// Reads and resolves a scenario; each override is a path and a value, applied in order.
pub fn load(inputs: &[Input], overrides: &[(String, String)]) -> Result<Loaded, ScenarioError> {
    read(inputs)?.load(overrides)
}
