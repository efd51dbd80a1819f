//! Policies that are programs: who may start them, what they are told and answer, and what becomes of a run whose program fails.
//!
//! A run whose program fails has no record: its thread unwinds with a [`ProgramFailure`], nothing is written, and [`crate::main`] or whoever else
//! began the work turns it into words.

mod process;
mod wire;

use std::borrow::Cow;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use policy::external::Deciders;
use scenario::file::{RateSeriesFile, TraceFile};
use scenario::{DataFiles, Documents, Input, Program, RateRow, RequestTrace, ScenarioError, TraceDetails};
use storage::{Whose, is_address};
use traces::Disk;

use crate::failure::Failure;
use crate::places::Fetched;

pub use process::Commands;
pub use wire::{Notes, answer, observe};

/// Whether scenarios may name programs. Who runs strangers' scenarios leaves it as it is.
static IS_ALLOWED: AtomicBool = AtomicBool::new(false);

/// From now on scenarios may name programs (`--allow-exec`).
pub fn allow() {
    IS_ALLOWED.store(true, Ordering::Relaxed);
}

/// Whether scenarios may name programs.
pub fn are_allowed() -> bool {
    IS_ALLOWED.load(Ordering::Relaxed)
}

/// Why a run came to no end: what its program did instead of answering, or that a store of its data did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramFailure {
    /// In words.
    pub message: String,
    /// Whether what was given is wrong (a program that is not there, an answer that is none), or the program failed.
    pub is_input: bool,
}

impl From<ProgramFailure> for Failure {
    fn from(failure: ProgramFailure) -> Self {
        let error = anyhow::anyhow!("{}", failure.message);
        if failure.is_input { Self::Input(error) } else { Self::Environment(error) }
    }
}

/// The disk of this machine, what buckets have, and programs where they are allowed.
#[derive(Debug, Default)]
pub struct Files {
    disk: Disk,
    fetched: Fetched,
}

impl Files {
    /// The data files of this machine that were read until now, by path.
    pub fn read(&self) -> Vec<PathBuf> {
        let mut files = self.disk.files();
        files.retain(|file| !self.fetched.has(file));
        files
    }

    /// The file that a path is, brought here if it is in a bucket.
    fn here<'a>(&self, path: &'a Path) -> Result<Cow<'a, Path>, ScenarioError> {
        self.fetched.here(path).map_err(|error| match error.whose {
            Whose::Input => {
                let path = path.display().to_string();
                let reason = error.message.strip_prefix(&format!("{path}: ")).unwrap_or(&error.message).to_owned();
                ScenarioError::Unreadable { path, reason }
            }
            // No mistake in a scenario, which is all that could be returned: the same may be read the next time.
            Whose::Environment => resume_unwind(Box::new(ProgramFailure { message: error.message, is_input: false })),
        })
    }
}

impl DataFiles for Files {
    fn exists(&self, path: &Path) -> bool {
        // Whether there is an object is told when it is read, with the reason if there is none.
        is_address(path) || self.disk.exists(path)
    }

    fn names(&self, folder: &Path) -> Option<Vec<String>> {
        self.disk.names(folder)
    }

    fn text(&self, path: &Path) -> Result<String, ScenarioError> {
        self.disk.text(&self.here(path)?)
    }

    fn column(&self, path: &Path, name: &str) -> Result<Vec<f64>, ScenarioError> {
        self.disk.column(&self.here(path)?, name)
    }

    fn rates(&self, path: &Path, file: &RateSeriesFile) -> Result<Vec<RateRow>, ScenarioError> {
        self.disk.rates(&self.here(path)?, file)
    }

    fn requests(&self, path: &Path, trace: &TraceFile, wanted: TraceDetails) -> Result<RequestTrace, ScenarioError> {
        self.disk.requests(&self.here(path)?, trace, wanted)
    }

    fn details(&self, path: &Path, trace: &TraceFile) -> TraceDetails {
        self.here(path).map(|path| self.disk.details(&path, trace)).unwrap_or_default()
    }

    fn program(&self, program: Program) -> Result<Arc<dyn Deciders>, String> {
        if are_allowed() {
            return Ok(Arc::new(Commands::new(program)));
        }
        Err(format!(
            "starts the program `{}`, and a scenario may come from a stranger: say --allow-exec on the command line if it may",
            program.command.join(" ")
        ))
    }
}

/// Reads inputs and finds the one Scenario among their documents; with `is_plain` manifests that kustomize would patch are read as they are.
pub fn read(inputs: &[Input], is_plain: bool) -> Result<Documents, ScenarioError> {
    Documents::read_with(inputs, is_plain, Arc::new(Files::default()))
}
