//! Many runs: searches, and scenarios held against what was measured.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use cli::failure::Failure;
use cli::measured::{Options, Prepared, prepare};
use cli::results::column;
use cli::searching::{REPLICATIONS_LEAST, conditions, trial_failure, tried, verdict};
use cli::tuning::{Tuned, ranges};
use lab::optimize::Search as Question;
use lab::validate::{to_json, to_text};
use lab::{Trials, Workers};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::Value;

use crate::arguments::{Whole, Words};
use crate::error::{interrupted, raised};
use crate::scenario::Scenario;
use crate::table::Table;
use crate::value;
use crate::watch::{watched, workers};

impl Scenario {
    pub(crate) fn tuned(&self) -> Result<Tuned, Failure> {
        Tuned::new((*self.documents).clone(), self.overrides.clone())
    }
}

/// Long work with workers, followed by signals and `progress`.
pub(crate) fn studied<T: Send>(
    py: Python<'_>,
    jobs: Option<Whole<NonZeroUsize>>,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&Workers, &(dyn Fn(lab::Progress) + Sync)) -> Result<T, Failure> + Send,
) -> PyResult<T> {
    let workers = workers(Whole::if_given(jobs)).map_err(|failure| raised(py, failure))?;
    let stop: &AtomicBool = &workers.stop_flag();
    let (found, error) = watched(py, stop, progress, |note| {
        let found = traces::Changed::catch(|| work(&workers, note));
        found.unwrap_or_else(|changed| Err(Failure::Environment(changed.into())))
    })?;
    match error {
        Some(error) => Err(interrupted(py, error, None)),
        None => found.map_err(|failure| raised(py, failure)),
    }
}

/// Finds the settings in the ranges of `over` that make a column small while conditions hold, as `scalelab optimize` does.
#[pyfunction]
#[pyo3(signature = (scenario, over, subject_to=None, minimize="cost_usd", policy=None, runs=100, replications=None, seed=None, jobs=None, progress=None))]
pub fn optimize(
    py: Python<'_>,
    scenario: &Scenario,
    over: &Bound<'_, PyDict>,
    subject_to: Option<Words>,
    minimize: &str,
    policy: Option<&str>,
    runs: usize,
    replications: Option<Whole<NonZeroU32>>,
    seed: Option<Whole<u64>>,
    jobs: Option<Whole<NonZeroUsize>>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Search> {
    let mut texts = Vec::new();
    for (path, range) in over {
        texts.push(format!("{}={}", path.extract::<String>()?, value::text(&range)?));
    }
    let (given, seed) = (Words::or_none(subject_to), Whole::if_given(seed));
    studied(py, jobs, progress, |workers, note| {
        if runs == 0 {
            return Err(Failure::input("runs 0: a search needs at least one run"));
        }
        let minimize = column("minimize", minimize)?;
        let over = ranges("over", &texts)?;
        let tuned = scenario.tuned()?;
        let policy = tuned.policy(policy, &over)?;
        let subject_to = conditions(&given, &tuned, &policy)?;
        tuned.check_ranges(&over)?;
        let scenarios = tuned.scenarios_until(workers.stop_flag());
        let seed = seed.unwrap_or(tuned.loaded.seed);
        let trials = Trials { workers, scenarios: &scenarios, policy: Some(&policy), seed, progress: note };
        let replications = tuned.replications(Whole::if_given(replications), REPLICATIONS_LEAST);
        let question = Question { minimize, subject_to, over, runs_max: runs, replications };
        let found = lab::optimize::optimize(&question, &trials);
        if found.tried.is_empty() {
            let error = found.failures.into_iter().next().unwrap_or(lab::TrialError::Stopped);
            return Err(trial_failure(error));
        }
        let setting = |one: &lab::design::Setting| (one.parameter.path.clone(), one.value.text.clone());
        let best = found.winner.as_ref().map(|winner| winner.settings.iter().map(setting).collect());
        Ok(Search { policy, best, text: verdict(&question, &found), tried: tried(&question, &found) })
    })
}

/// What a search found.
#[pyclass(module = "scalelab", frozen)]
pub struct Search {
    policy: String,
    best: Option<Vec<(String, String)>>,
    text: String,
    tried: report::Table,
}

#[pymethods]
impl Search {
    /// The policy that was tuned.
    #[getter]
    fn policy(&self) -> &str {
        &self.policy
    }

    /// Path and value of the best settings, for `Scenario.set`; None if nothing meets the conditions for certain.
    #[getter]
    fn best<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Some(best) = &self.best else { return Ok(None) };
        let found = PyDict::new(py);
        best.iter().try_for_each(|(path, value)| found.set_item(path, value))?;
        Ok(Some(found))
    }

    /// Everything tried, best first.
    #[getter]
    fn tried(&self) -> Table {
        Table::new("tried", self.tried.clone())
    }

    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(&self) -> String {
        format!("<scalelab.Search {}: {}>", self.policy, self.text.lines().next().unwrap_or_default())
    }
}

/// Holds scenarios against what was measured of the real runs they stand for, as `scalelab validate` does.
#[pyfunction]
#[pyo3(signature = (*folders, replications=None, sweep=true, seed=None, jobs=None, progress=None))]
pub fn validate(
    py: Python<'_>,
    folders: Vec<PathBuf>,
    replications: Option<Whole<NonZeroU32>>,
    sweep: bool,
    seed: Option<Whole<u64>>,
    jobs: Option<Whole<NonZeroUsize>>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Vec<Validation>> {
    if folders.is_empty() {
        return Err(PyTypeError::new_err("validate() needs at least one folder"));
    }
    let (replications, seed) = (Whole::if_given(replications), Whole::if_given(seed));
    let options = Options { replications, seed, ..Options::default() };
    studied(py, jobs, progress, |workers, note| {
        let prepared: Vec<Prepared> = folders.iter().map(|path| prepare(path, &options)).collect::<Result<_, _>>()?;
        let one = |Prepared { tuned, case }: Prepared| {
            let scenarios = tuned.scenarios_until(workers.stop_flag());
            let found = lab::validate::validate(workers, &scenarios, case, sweep, note).map_err(trial_failure)?;
            let json = to_json(std::slice::from_ref(&found));
            Ok(Validation { is_inside: found.is_inside(), text: to_text(&found), json })
        };
        prepared.into_iter().map(one).collect()
    })
}

/// How near a scenario comes to the real run it stands for.
#[pyclass(module = "scalelab", frozen)]
pub struct Validation {
    is_inside: bool,
    text: String,
    json: Value,
}

#[pymethods]
impl Validation {
    /// Whether every quantity that is judged is within its tolerance.
    #[getter]
    fn is_inside(&self) -> bool {
        self.is_inside
    }

    /// As the JSON of `scalelab validate`, with the figures of every seed.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        value::from_json(py, &self.json)
    }

    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(&self) -> String {
        format!("<scalelab.Validation: {}>", if self.is_inside { "inside" } else { "outside" })
    }
}
