//! Many runs: seeds, pairing, confidence intervals, sweeps, search, gates; the only threads.
//!
//! Everything here is generic over a *runner*, a function from a [`Job`] to a `record::RunRecord`; [`simulator`] makes the real one
//! from a resolved scenario and tests make theirs from a formula. What comes out depends on the jobs alone, never on the number of
//! threads or on which run ended first. This crate does not know YAML manifests, plots or tables on disk; the sweep's journal is its
//! one file format.

mod beside;
pub mod columns;
pub mod design;
pub mod diff;
pub mod error_budget;
pub mod experiment;
pub mod fuzz;
pub mod gates;
pub mod optimize;
pub mod sensitivity;
pub mod statistics;
pub mod sweep;
mod trial;
pub mod validate;
pub mod verdict;
mod workers;

pub use beside::Runs;
pub use experiment::{Job, simulator};
pub use trial::{TrialError, Trials};
pub use workers::{Progress, Within, Workers};
