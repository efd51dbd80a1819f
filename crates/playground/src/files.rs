//! The data files of a pack: what a scenario asked of its files when it was packed, answered again without them.

use std::collections::BTreeMap;
use std::path::Path;

use scenario::file::{RateSeriesFile, TraceFile};
use scenario::{DataFiles, RateRow, RequestTrace, ScenarioError, TraceDetails};
use serde::{Deserialize, Serialize};

use crate::request_trace::PackedTrace;

/// Answers by what was asked: the file, and for what in it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PackedFiles {
    /// Whole texts.
    pub texts: BTreeMap<String, String>,
    /// Columns of numbers.
    pub columns: BTreeMap<String, Vec<f64>>,
    /// Recorded rates.
    pub rates: BTreeMap<String, Vec<RateRow>>,
    /// Request traces.
    pub requests: BTreeMap<String, PackedTrace>,
}

/// What a file is called in a pack, and what was asked of it: everything that decides the answer.
pub fn asked(path: &Path, options: &str) -> String {
    format!("{}\n{options}", path.display())
}

/// What decides how a request trace is read.
pub fn trace_options(trace: &TraceFile, wanted: TraceDetails) -> String {
    format!("{:?} {:?} {wanted:?}", trace.format, trace.columns)
}

/// What decides how a recorded rate is read. Its unit does not: that is made of the rows later.
pub fn rate_options(file: &RateSeriesFile) -> String {
    format!("{:?} {:?} {:?} {:?} {:?}", file.time, file.value, file.every, file.filter, file.time_unit)
}

impl PackedFiles {
    fn found<'f, T>(answers: &'f BTreeMap<String, T>, path: &Path, options: &str) -> Result<&'f T, ScenarioError> {
        answers.get(&asked(path, options)).ok_or_else(|| ScenarioError::Unreadable {
            path: path.display().to_string(),
            reason: "is not in this page, which holds what its scenario read when it was made".to_owned(),
        })
    }
}

impl DataFiles for PackedFiles {
    fn exists(&self, path: &Path) -> bool {
        let prefix = asked(path, "");
        let has = |name: &String| name.starts_with(&prefix);
        self.texts.keys().any(has)
            || self.columns.keys().any(has)
            || self.rates.keys().any(has)
            || self.requests.keys().any(has)
    }

    fn text(&self, path: &Path) -> Result<String, ScenarioError> {
        Self::found(&self.texts, path, "").cloned()
    }

    fn column(&self, path: &Path, name: &str) -> Result<Vec<f64>, ScenarioError> {
        Self::found(&self.columns, path, name).cloned()
    }

    fn rates(&self, path: &Path, file: &RateSeriesFile) -> Result<Vec<RateRow>, ScenarioError> {
        Self::found(&self.rates, path, &rate_options(file)).cloned()
    }

    fn requests(&self, path: &Path, trace: &TraceFile, wanted: TraceDetails) -> Result<RequestTrace, ScenarioError> {
        let found = Self::found(&self.requests, path, &trace_options(trace, wanted))?;
        Ok(found.opened())
    }
}
