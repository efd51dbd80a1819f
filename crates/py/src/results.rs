//! What a run found.

use ::scenario::Loaded;
use cli::run_file::RunFile;
use cli::run_report::{Origin, with_report};
use pyo3::exceptions::{PyAttributeError, PyKeyError};
use pyo3::prelude::*;
use report::{RunReport, TABLES};
use serde_json::Value;

use crate::table::Table;
use crate::value;

/// All policies over the same requests: tables and the verdict.
#[pyclass(module = "scalelab", frozen)]
pub struct Results {
    loaded: Loaded,
    found: lab::experiment::Results,
    file: RunFile,
}

impl Results {
    /// What was found, of what, and what repeats it.
    pub fn new(loaded: Loaded, found: lab::experiment::Results, file: RunFile) -> Self {
        Self { loaded, found, file }
    }

    fn with<T>(&self, with: impl FnOnce(&RunReport<'_>) -> T) -> T {
        with_report(&self.loaded, &self.found, Origin { file: &self.file, scenario: None }, with)
    }
}

#[pymethods]
impl Results {
    /// Names of the tables, each also an attribute.
    #[getter]
    fn tables(&self) -> Vec<&'static str> {
        TABLES.iter().map(|(name, _)| *name).collect()
    }

    /// The table of this name.
    fn table(&self, py: Python<'_>, name: &str) -> PyResult<Table> {
        let (name, make) = TABLES
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| PyKeyError::new_err(format!("no table `{name}` (one of: {})", self.tables().join(", "))))?;
        Ok(Table::new(name, py.detach(|| self.with(*make))))
    }

    fn __getattr__(&self, py: Python<'_>, name: &str) -> PyResult<Table> {
        self.table(py, name).map_err(|_| PyAttributeError::new_err(format!("Results has no table `{name}`")))
    }

    fn __dir__(&self) -> Vec<&'static str> {
        let own = ["digests", "is_interrupted", "policies", "seed", "table", "tables", "verdict"];
        self.tables().into_iter().chain(own).collect()
    }

    /// Which policy to choose, why, and how sure that is.
    #[getter]
    fn verdict(&self, py: Python<'_>) -> Verdict {
        let found = py.detach(|| self.with(report::verdict_json));
        let lines = found["text"].as_array().into_iter().flatten();
        Verdict { lines: lines.filter_map(|line| line.as_str().map(str::to_owned)).collect(), json: found }
    }

    /// The policies that were run.
    #[getter]
    fn policies(&self) -> Vec<String> {
        self.file.policies.clone()
    }

    /// The base seed.
    #[getter]
    fn seed(&self) -> u64 {
        self.file.seed
    }

    /// Whether it was cut short.
    #[getter]
    fn is_interrupted(&self) -> bool {
        self.found.is_interrupted
    }

    /// (policy, replication, digest) of every run: the same as in the `run.json` of `scalelab run`.
    #[getter]
    fn digests(&self) -> Vec<(String, u32, String)> {
        self.file.digests.iter().map(|one| (one.policy.clone(), one.replication, one.digest.clone())).collect()
    }

    /// The verdict and all policies over time, for notebooks.
    fn _repr_html_(&self, py: Python<'_>) -> String {
        py.detach(|| self.with(report::fragment_html))
    }

    fn __repr__(&self) -> String {
        let verdict = self.with(report::verdict_json);
        format!("<scalelab.Results {}: {}>", self.file.scenario, verdict["text"][0].as_str().unwrap_or_default())
    }
}

/// The answer of a run.
#[pyclass(module = "scalelab", frozen)]
pub struct Verdict {
    json: Value,
    lines: Vec<String>,
}

#[pymethods]
impl Verdict {
    /// Names and numbers as the JSON of `scalelab run --format json` has them.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        value::from_json(py, &self.json)
    }

    /// The policy to choose; None if the estimate of none meets the objective.
    #[getter]
    fn chosen<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.to_dict(py)?.get_item("chosen")
    }

    /// What it says, a line each.
    #[getter]
    fn lines(&self) -> Vec<String> {
        self.lines.clone()
    }

    fn __str__(&self) -> String {
        self.lines.join("\n")
    }

    fn __repr__(&self) -> String {
        self.__str__()
    }
}
