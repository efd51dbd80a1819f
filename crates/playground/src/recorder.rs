//! From a scenario on disk to a pack: the documents, and every answer of a data file that resolving them asked for.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use scenario::file::{RateSeriesFile, TraceFile};
use scenario::{DataFiles, Documents, RateRow, RequestTrace, ScenarioError, TraceDetails};
use serde::{Deserialize, Serialize};

use crate::files::{PackedFiles, asked, rate_options, trace_options};
use crate::request_trace::PackedTrace;

/// First bytes of a pack; the digit is the version of its layout.
pub const MAGIC: &[u8] = b"SLPACK2\n";

/// Packs are read by the very version that wrote them: another one might understand them otherwise.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Packed bytes of one trace at most: a page that opens at once, and that a mail takes.
const TRACE_BYTES_MAX: usize = 24 << 20;

/// Why a scenario cannot be packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackError {
    /// The scenario is wrong.
    Scenario(Box<ScenarioError>),
    /// A trace is too big for a page.
    TooBig {
        /// Its file.
        file: String,
        /// Its requests.
        requests: u64,
    },
}

/// Data files that notes what was asked of them.
#[derive(Debug)]
pub struct Recorder {
    files: Arc<dyn DataFiles>,
    /// Folder that the scenario's file names start from: it is no part of their names in the pack.
    folder: Mutex<PathBuf>,
    answers: Mutex<PackedFiles>,
    too_big: Mutex<Option<(String, u64)>>,
}

impl Recorder {
    /// Notes what is asked of `files`.
    pub fn new(files: Arc<dyn DataFiles>) -> Self {
        Self { files, folder: Mutex::default(), answers: Mutex::default(), too_big: Mutex::default() }
    }

    fn note(&self, path: &Path, options: &str, keep: impl FnOnce(&mut PackedFiles, String)) {
        let folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let name = asked(path.strip_prefix(&folder).unwrap_or(path), options);
        keep(&mut self.answers.lock().unwrap_or_else(PoisonError::into_inner), name);
    }
}

impl DataFiles for Recorder {
    fn exists(&self, path: &Path) -> bool {
        self.files.exists(path)
    }

    fn names(&self, folder: &Path) -> Option<Vec<String>> {
        self.files.names(folder)
    }

    fn text(&self, path: &Path) -> Result<String, ScenarioError> {
        let text = self.files.text(path)?;
        self.note(path, "", |answers, name| drop(answers.texts.insert(name, text.clone())));
        Ok(text)
    }

    fn column(&self, path: &Path, name: &str) -> Result<Vec<f64>, ScenarioError> {
        let values = self.files.column(path, name)?;
        self.note(path, name, |answers, name| drop(answers.columns.insert(name, values.clone())));
        Ok(values)
    }

    fn rates(&self, path: &Path, file: &RateSeriesFile) -> Result<Vec<RateRow>, ScenarioError> {
        let rows = self.files.rates(path, file)?;
        self.note(path, &rate_options(file), |answers, name| drop(answers.rates.insert(name, rows.clone())));
        Ok(rows)
    }

    fn requests(&self, path: &Path, trace: &TraceFile, wanted: TraceDetails) -> Result<RequestTrace, ScenarioError> {
        let found = self.files.requests(path, trace, wanted)?;
        if let Some(packed) = PackedTrace::pack(&found, wanted.blocks, TRACE_BYTES_MAX) {
            let keep = |answers: &mut PackedFiles, name| drop(answers.requests.insert(name, packed));
            self.note(path, &trace_options(trace, wanted), keep);
        } else {
            let mut too_big = self.too_big.lock().unwrap_or_else(PoisonError::into_inner);
            too_big.get_or_insert((path.display().to_string(), found.source.len()));
        }
        Ok(found)
    }
}

/// Packs documents that were read with `recorder`, with overrides that hold from the start.
pub fn pack(documents: &Documents, recorder: &Recorder, overrides: &[(String, String)]) -> Result<Vec<u8>, PackError> {
    documents.folder().clone_into(&mut recorder.folder.lock().unwrap_or_else(PoisonError::into_inner));
    documents.load(overrides).map_err(|error| PackError::Scenario(Box::new(error)))?;
    if let Some((file, requests)) = recorder.too_big.lock().unwrap_or_else(PoisonError::into_inner).clone() {
        return Err(PackError::TooBig { file, requests });
    }
    let contents = Contents {
        texts: documents.texts(),
        overrides: overrides.to_vec(),
        files: recorder.answers.lock().unwrap_or_else(PoisonError::into_inner).clone(),
    };
    let bytes = postcard::to_extend(&(VERSION, contents), MAGIC.to_vec());
    Ok(bytes.expect("there is memory"))
}

/// What a pack holds after its first bytes and the version.
#[derive(Serialize, Deserialize)]
pub struct Contents {
    /// The documents.
    pub texts: Vec<String>,
    /// Overrides that hold from the start.
    pub overrides: Vec<(String, String)>,
    /// What they ask of their files.
    pub files: PackedFiles,
}
