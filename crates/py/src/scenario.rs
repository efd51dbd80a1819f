//! Scenarios as values: loaded, changed, run.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use ::scenario::{Documents, Input, Loaded};
use cli::failure::{Failure, OrEnvironment, OrInput};
use cli::simulation::{Effort, Watch, simulate};
use cli::{inputs, run_file};
use cluster::Pulse;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::arguments::{Whole, Words};
use crate::error::{interrupted, raised};
use crate::policy::{Host, PYTHON};
use crate::results::Results;
use crate::value;
use crate::watch::{watched, workers};

/// An experiment: traffic, machines, prices, manifests and the policies to compare. It never changes; `set` gives another one.
#[pyclass(module = "scalelab", frozen)]
pub struct Scenario {
    pub(crate) documents: Arc<Documents>,
    host: Host,
    pub(crate) overrides: Vec<(String, String)>,
    pub(crate) loaded: Arc<Loaded>,
}

/// A scenario taken apart: see [`restored`].
type Taken = (Vec<String>, PathBuf, Vec<(String, String)>, bool, BTreeMap<String, Py<PyAny>>);

impl Scenario {
    fn resolved(documents: Arc<Documents>, host: Host, overrides: Vec<(String, String)>) -> Result<Self, Failure> {
        // A data file may have changed since the documents were first resolved.
        let loaded = traces::Changed::catch(|| documents.load(&overrides));
        let loaded = Arc::new(loaded.map_err(|changed| Failure::Environment(changed.into()))?.or_input()?);
        Ok(Self { documents, host, overrides, loaded })
    }

    fn read(inputs: &[Input], is_plain: bool, host: Host) -> Result<Self, Failure> {
        let documents = Documents::read_with(inputs, is_plain, Arc::new(host.clone())).or_input()?;
        Self::resolved(Arc::new(documents), host, Vec::new())
    }

    /// The same documents with one more policy, a class of this interpreter.
    fn joined(&self, host: Host, policy: &serde_json::Value) -> Result<Self, Failure> {
        let input = |text: String| {
            let mut document: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            if document["kind"] == "Scenario"
                && let Some(policies) = document["spec"]["policies"].as_array_mut()
            {
                policies.push(policy.clone());
            }
            Input::Text {
                name: "(documents of the scenario, with its own policies)".to_owned(),
                text: document.to_string(),
            }
        };
        let inputs: Vec<Input> = self.documents.texts().into_iter().map(input).collect();
        let documents = Documents::read_with(&inputs, true, Arc::new(host.clone())).or_input()?;
        Self::resolved(Arc::new(documents.in_folder(self.documents.folder())), host, self.overrides.clone())
    }
}

/// Reads a scenario: a folder, a file, or several of them, as `scalelab run` takes them; without one the built-in `triton-day`.
#[pyfunction]
#[pyo3(signature = (*paths, plain=false, allow_exec=false))]
pub fn load(py: Python<'_>, paths: Vec<PathBuf>, plain: bool, allow_exec: bool) -> PyResult<Scenario> {
    let host = Host { allows_exec: allow_exec, ..Host::default() };
    let inputs =
        if paths.is_empty() { Input::embedded_default() } else { paths.into_iter().map(Input::Path).collect() };
    py.detach(|| Scenario::read(&inputs, plain, host)).map_err(|failure| raised(py, failure))
}

/// A scenario as `Scenario.__reduce__` takes it apart: documents, the folder their file names start from, changes, and who may be started.
#[pyfunction]
pub fn restored(
    py: Python<'_>,
    documents: Vec<String>,
    folder: PathBuf,
    overrides: Vec<(String, String)>,
    allows_exec: bool,
    classes: BTreeMap<String, Py<PyAny>>,
) -> PyResult<Scenario> {
    let classes = classes.into_iter().map(|(name, class)| (name, Arc::new(class))).collect();
    let host = Host { allows_exec, classes, ..Host::default() };
    let input = |text| Input::Text { name: "(documents of a scenario)".to_owned(), text };
    let inputs: Vec<Input> = documents.into_iter().map(input).collect();
    let restore = || -> Result<Scenario, Failure> {
        let documents = Documents::read_with(&inputs, true, Arc::new(host.clone())).or_input()?.in_folder(&folder);
        Scenario::resolved(Arc::new(documents), host, overrides)
    };
    py.detach(restore).map_err(|failure| raised(py, failure))
}

#[pymethods]
impl Scenario {
    /// What `pickle` writes. Data files stay where they are: whoever reads it must find them at the same path.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Taken)> {
        // The built-in scenario has no folder: its file names start from the working directory.
        let folder = std::path::absolute(Path::new(".").join(self.documents.folder()));
        let folder = folder.or_environment("finding the scenario's folder");
        let folder = folder.map_err(|failure| raised(py, failure))?;
        let classes = self.host.classes.iter().map(|(name, class)| (name.clone(), class.clone_ref(py))).collect();
        let parts = (self.documents.texts(), folder, self.overrides.clone(), self.host.allows_exec, classes);
        Ok((py.import("scalelab._scalelab")?.getattr("restored")?, parts))
    }

    /// A scenario from the text of its documents; file names in it start from `folder`.
    #[staticmethod]
    #[pyo3(signature = (text, folder=None, allow_exec=false))]
    fn from_yaml(py: Python<'_>, text: String, folder: Option<PathBuf>, allow_exec: bool) -> PyResult<Self> {
        let host = Host { allows_exec: allow_exec, ..Host::default() };
        let read = || -> Result<Self, Failure> {
            let input = Input::Text { name: "(text)".to_owned(), text };
            let documents = Documents::read_with(&[input], false, Arc::new(host.clone())).or_input()?;
            let documents = if let Some(folder) = folder { documents.in_folder(&folder) } else { documents };
            Self::resolved(Arc::new(documents), host, Vec::new())
        };
        py.detach(read).map_err(|failure| raised(py, failure))
    }

    /// The same scenario with a value changed, as `--set PATH=VALUE` does.
    fn set(&self, py: Python<'_>, path: &str, value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let change = (path.trim().to_owned(), value::text(value)?.trim().to_owned());
        let overrides = self.overrides.iter().cloned().chain([change]).collect();
        py.detach(|| Self::resolved(Arc::clone(&self.documents), self.host.clone(), overrides))
            .map_err(|failure| raised(py, failure))
    }

    /// The same scenario with one more policy: `make` is called for every run, without arguments, and gives an object whose
    /// `decide(observation)` answers with a number of replicas, None or a dict.
    #[pyo3(signature = (name, make, period="15s", metrics=None, min_replicas=0, max_replicas=100, replicas=None))]
    fn with_policy(
        &self,
        py: Python<'_>,
        name: String,
        make: Py<PyAny>,
        period: &str,
        metrics: Option<BTreeMap<String, String>>,
        min_replicas: u32,
        max_replicas: u32,
        replicas: Option<u32>,
    ) -> PyResult<Self> {
        if !make.bind(py).is_callable() {
            return Err(PyTypeError::new_err("make is called for every run: give the class, not an object of it"));
        }
        let mut policy = serde_json::json!({ "name": name, "exec": {
            "command": [PYTHON, name],
            "period": period,
            "minReplicas": min_replicas,
            "maxReplicas": max_replicas,
            "metrics": metrics.unwrap_or_default(),
        }});
        if let Some(replicas) = replicas {
            policy["replicas"] = replicas.into();
        }
        let mut host = self.host.clone();
        host.classes.insert(name, Arc::new(make));
        py.detach(|| self.joined(host, &policy)).map_err(|failure| raised(py, failure))
    }

    /// Its name.
    #[getter]
    fn name(&self) -> &str {
        &self.loaded.spec.name
    }

    /// One or two sentences about it.
    #[getter]
    fn description(&self) -> &str {
        &self.loaded.description
    }

    /// Names of its policies.
    #[getter]
    fn policies(&self) -> Vec<String> {
        self.loaded.spec.policies.iter().map(|policy| policy.name.clone()).collect()
    }

    /// Names of its services.
    #[getter]
    fn services(&self) -> Vec<String> {
        self.loaded.spec.services.iter().map(|service| service.name.clone()).collect()
    }

    /// The base seed of its runs.
    #[getter]
    fn seed(&self) -> u64 {
        self.loaded.seed
    }

    /// How often each policy is run.
    #[getter]
    fn replications(&self) -> u32 {
        self.loaded.replications
    }

    /// Conditions that `scalelab check` holds it against.
    #[getter]
    fn gates(&self) -> Vec<String> {
        self.loaded.gates.clone()
    }

    /// What one should know of it: what is assumed, what has no effect.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.loaded.notes.iter().chain(&self.loaded.counted).cloned().collect()
    }

    /// What was changed by `set`, in order, as `--set` takes it.
    #[getter]
    fn changes(&self) -> Vec<String> {
        self.overrides.iter().map(|(path, value)| format!("{path}={value}")).collect()
    }

    /// Runs every policy, or those named, over the same requests. `progress` is called with (finished, total). Python's lock is released;
    /// Ctrl-C raises `Interrupted`.
    #[pyo3(signature = (policies=None, replications=None, seed=None, jobs=None, progress=None))]
    fn run(
        &self,
        py: Python<'_>,
        policies: Option<Words>,
        replications: Option<Whole<NonZeroU32>>,
        seed: Option<Whole<u64>>,
        jobs: Option<Whole<NonZeroUsize>>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Results> {
        let mut loaded = (*self.loaded).clone();
        let chosen = inputs::choose_policies(&mut loaded, &Words::or_none(policies));
        let workers = chosen.and_then(|()| workers(Whole::if_given(jobs)));
        let workers = workers.map_err(|failure| raised(py, failure))?;
        let seed = Whole::if_given(seed).unwrap_or(loaded.seed);
        let replications = Whole::if_given(replications).map_or(loaded.replications, NonZeroU32::get);
        let effort = Effort { seed, replications, precision: None };
        let begun = Instant::now();
        let (found, error) = watched(py, &workers.stop_flag(), progress, |note| {
            let watch = Watch { progress: note, pulse: &Pulse::default(), saved: None, stops_within_runs: true };
            simulate(&effort, &loaded, &workers, watch)
        })?;
        let (found, _) = found.map_err(|failure| raised(py, failure))?;
        let results = (!found.policies.is_empty()).then(|| {
            let file = run_file::describe(&loaded, &found, (seed, workers.jobs(), begun.elapsed()), None);
            Results::new(loaded, found, file)
        });
        match (error, results) {
            (None, Some(results)) => Ok(results),
            (Some(error), results) => Err(interrupted(py, error, results)),
            (None, None) => unreachable!("a run that nobody stops has results"),
        }
    }

    fn __repr__(&self) -> String {
        let spec = &self.loaded.spec;
        let changes =
            if self.overrides.is_empty() { String::new() } else { format!(", set {}", self.changes().join(", ")) };
        format!("<scalelab.Scenario {}: {}{changes}>", spec.name, self.policies().join(", "))
    }
}
