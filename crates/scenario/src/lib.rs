//! From documents to validated values.
//!
//! [`Documents`] takes files, folders and text as `kubectl -f` does, one `kind: Scenario` beside any manifests, and returns an experiment in
//! which no path and no option is left open. Data files are opened by whoever it is given for that ([`DataFiles`]). It neither runs nor reports anything.

mod data;
mod embedded;
mod error;
pub mod file;
mod input;
pub mod manifest;
mod notes;
mod other;
mod overrides;
mod quantity;
mod resolve;
pub mod server;
mod sources;
mod survey;
mod tree;

pub use data::{DataFiles, NoFiles, Program, RateRow, RequestTrace, TraceDetails};
pub use embedded::embedded_default;
pub use error::{Allowed, At, OpenTrigger, Place, ScenarioError};
pub use file::Measured;
pub use input::{Documents, Input};
pub use manifest::workload::{Engine, Serving};
pub use other::OtherDocument;
pub use quantity::{Amount, Bandwidth, Count, Hazard, Price, RequestRate, Share, Size, Time};

pub use resolve::{MetricUse, MetricsView};
pub use survey::{Autoscaler, Candidate, Survey};

use cluster::spec::SimulationSpec;

use crate::file::ScenarioFile;

/// Everything a scenario says.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The experiment.
    pub spec: SimulationSpec,
    /// One or two sentences about it; may be empty.
    pub description: String,
    /// `run.seed`.
    pub seed: u64,
    /// `run.replications`.
    pub replications: u32,
    /// Conditions for `check`, as written.
    pub gates: Vec<String>,
    /// What a user should know: what is left out or assumed.
    pub notes: Vec<String>,
    /// How many fields and manifests have no effect, one line for each sort.
    pub counted: Vec<String>,
    /// What stands behind those numbers, one line each.
    pub details: Vec<String>,
    /// What metrics each service has and who reads them.
    pub metrics: Vec<MetricsView>,
    /// All documents as read, overrides applied; for `run.json`.
    pub documents: serde_json::Value,
    /// Offset of the run's time zone from UTC at its start, in seconds.
    pub utc_offset_seconds: i32,
    /// Changes of its clocks in the run: when, in seconds since 1970-01-01T00:00:00Z, and the offset from then on, in seconds.
    pub clock_changes: Vec<(i64, i32)>,
    /// Folder that relative file names in them start from.
    pub folder: std::path::PathBuf,
}

/// JSON schema of the Measured document.
pub fn measured_schema() -> serde_json::Value {
    schemars::schema_for!(file::MeasuredFile).to_value()
}

/// JSON schema of the Scenario document.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(ScenarioFile).to_value()
}
