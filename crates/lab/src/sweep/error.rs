//! What can be wrong with a sweep or its folder.

use std::path::PathBuf;

use thiserror::Error;

/// What can be wrong with a sweep or its folder.
#[derive(Debug, Error)]
pub enum SweepError {
    /// The document is not what a sweep looks like; the message has line and column.
    #[error("{0}")]
    Syntax(String),
    /// A key has a value that cannot be.
    #[error("{key}: {problem}")]
    Value {
        /// Path of the key.
        key: String,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// `--shard` is not `I/N`.
    #[error(
        "`{found}` is not a shard; expected `I/N` with 1 <= I <= N, as `2/4`, or `job/N` in a Kubernetes Indexed Job"
    )]
    Shard {
        /// What was given.
        found: String,
    },
    /// There is a journal already and `--resume` was not given.
    #[error("{} holds a sweep already; go on with `--resume` or choose another folder", .0.display())]
    Exists(PathBuf),
    /// There is no journal.
    #[error("{} holds no sweep", .0.display())]
    Missing(PathBuf),
    /// The journal is of another sweep.
    #[error("{} holds another sweep (other points, policies, replications or seed)", .0.display())]
    Other(PathBuf),
    /// A line of the journal that is not its last cannot be read.
    #[error("{}:{line}: damaged journal: {problem}", path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// Two folders disagree about one run: different versions or inputs made them.
    #[error(
        "point {point}, policy {policy}, replication {replication} has two different results; were the folders made by the same version from the same files?"
    )]
    Conflict {
        /// The point.
        point: usize,
        /// The policy.
        policy: String,
        /// The replication.
        replication: u32,
    },
    /// The first point cannot be made into an experiment.
    #[error("point {point} ({settings}): {problem}")]
    Point {
        /// The point.
        point: usize,
        /// Its settings.
        settings: String,
        /// What is wrong.
        problem: String,
    },
    /// The disk failed.
    #[error("{}: {source}", path.display())]
    Disk {
        /// What was read or written.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl SweepError {
    /// A problem at a key.
    pub(super) fn at(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Value { key: key.into(), problem: problem.into() }
    }

    /// Whether the environment failed and not the input: exit code 3 and not 2.
    pub fn is_environment(&self) -> bool {
        matches!(self, Self::Disk { .. })
    }
}

pub(super) fn expect_word(key: &str, found: &str, expected: &str) -> Result<(), SweepError> {
    if found == expected { Ok(()) } else { Err(SweepError::at(key, format!("found `{found}`, expected `{expected}`"))) }
}
