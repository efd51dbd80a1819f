//! What stands in files beside the documents, seen through one interface.
//!
//! A scenario names request traces, recorded rates, columns of numbers and price lists. How they are opened, and in which formats, is for
//! others to say (`traces` reads them from disk): this module knows what is asked of them only, so that a scenario can be resolved where
//! there is no disk.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use policy::external::Deciders;
use serde::{Deserialize, Serialize};
use workload::TraceSource;

use crate::error::ScenarioError;
use crate::file::{RateSeriesFile, TraceFile};

/// Opens data files. A message calls a file by the path it was asked for.
pub trait DataFiles: Debug + Send + Sync {
    /// True if there is such a file.
    fn exists(&self, path: &Path) -> bool;

    /// Names of the files in a folder, for messages about one that is not there; `None` where there are no folders.
    fn names(&self, _folder: &Path) -> Option<Vec<String>> {
        None
    }

    /// The whole of a small file, unpacked.
    fn text(&self, path: &Path) -> Result<String, ScenarioError>;

    /// The numbers of a column, in order of the rows; all of them finite and 0 or more.
    fn column(&self, path: &Path, name: &str) -> Result<Vec<f64>, ScenarioError>;

    /// Times and values of a recorded rate, in order of time; at least two.
    fn rates(&self, path: &Path, file: &RateSeriesFile) -> Result<Vec<RateRow>, ScenarioError>;

    /// A request trace whose every row was found good. Its requests carry what is `wanted` of them beside times and tokens.
    fn requests(&self, path: &Path, trace: &TraceFile, wanted: TraceDetails) -> Result<RequestTrace, ScenarioError>;

    /// What a trace says of its requests beside times and tokens, as far as its first line tells.
    fn details(&self, _path: &Path, _trace: &TraceFile) -> TraceDetails {
        TraceDetails::default()
    }

    /// Who runs a program that a policy names. By default nobody does: the error says why not.
    fn program(&self, program: Program) -> Result<Arc<dyn Deciders>, String> {
        Err(format!("nothing is run here; this would start `{}`", program.command.join(" ")))
    }
}

/// A program that a policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The program and its arguments, at least the former.
    pub command: Vec<String>,
    /// How long an answer may take, on the clock on the wall.
    pub timeout: Duration,
    /// Where it runs.
    pub folder: PathBuf,
    /// What messages call it: the policy.
    pub policy: String,
}

/// One row of a recorded rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateRow {
    /// When, in nanoseconds of the file's own time.
    pub at_ns: i64,
    /// The value as it is written; `None` is a gap.
    pub value: Option<f64>,
}

/// What a trace may say of a request beside its time and its tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceDetails {
    /// The numbered blocks of its prompt (`hash_ids`). Who wants them needs them in every row.
    pub blocks: bool,
    /// The adapter it is for. Who wants it takes a trace without them too.
    pub adapters: bool,
}

/// A request trace that has been opened.
#[derive(Clone, Debug)]
pub struct RequestTrace {
    /// Its requests.
    pub source: Arc<dyn TraceSource>,
    /// Arrival of the last one, in nanoseconds from the start of the trace.
    pub last_ns: u64,
    /// Names of the adapters that its requests are for, that of number 1 first; `None` if they were not wanted or it names none.
    pub adapters: Option<Vec<String>>,
}

/// No data files at all: for documents that name none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl NoFiles {
    fn refuse<T>(path: &Path) -> Result<T, ScenarioError> {
        let reason = "data files are not read here".to_owned();
        Err(ScenarioError::Unreadable { path: path.display().to_string(), reason })
    }
}

impl DataFiles for NoFiles {
    fn exists(&self, _: &Path) -> bool {
        false
    }

    fn text(&self, path: &Path) -> Result<String, ScenarioError> {
        Self::refuse(path)
    }

    fn column(&self, path: &Path, _: &str) -> Result<Vec<f64>, ScenarioError> {
        Self::refuse(path)
    }

    fn rates(&self, path: &Path, _: &RateSeriesFile) -> Result<Vec<RateRow>, ScenarioError> {
        Self::refuse(path)
    }

    fn requests(&self, path: &Path, _: &TraceFile, _: TraceDetails) -> Result<RequestTrace, ScenarioError> {
        Self::refuse(path)
    }
}
