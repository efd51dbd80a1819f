//! Policies that are Python classes.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;

use ::policy::external::{Decider, Deciders, RunIdentity, Sight, Wish};
use ::scenario::file::{RateSeriesFile, TraceFile};
use ::scenario::{DataFiles, Program, RateRow, RequestTrace, ScenarioError, TraceDetails};
use cli::programs::{Commands, Files, Notes, answer, observe};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyString};

use crate::value;

/// First word of the command that stands for a class; the second is the policy's name.
pub const PYTHON: &str = "(python)";

/// The classes of a scenario by the names of their policies.
pub type Classes = BTreeMap<String, Arc<Py<PyAny>>>;

/// The disk, programs if they are allowed, and classes of this interpreter.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// The disk.
    pub files: Arc<Files>,
    /// Whether the scenario may start programs.
    pub allows_exec: bool,
    /// What its own policies are.
    pub classes: Classes,
}

impl DataFiles for Host {
    fn exists(&self, path: &Path) -> bool {
        self.files.exists(path)
    }

    fn names(&self, folder: &Path) -> Option<Vec<String>> {
        self.files.names(folder)
    }

    fn text(&self, path: &Path) -> Result<String, ScenarioError> {
        self.files.text(path)
    }

    fn column(&self, path: &Path, name: &str) -> Result<Vec<f64>, ScenarioError> {
        self.files.column(path, name)
    }

    fn rates(&self, path: &Path, file: &RateSeriesFile) -> Result<Vec<RateRow>, ScenarioError> {
        self.files.rates(path, file)
    }

    fn requests(&self, path: &Path, trace: &TraceFile, wanted: TraceDetails) -> Result<RequestTrace, ScenarioError> {
        self.files.requests(path, trace, wanted)
    }

    fn details(&self, path: &Path, trace: &TraceFile) -> TraceDetails {
        self.files.details(path, trace)
    }

    fn program(&self, program: Program) -> Result<Arc<dyn Deciders>, String> {
        let class = self.classes.get(&program.policy).filter(|_| program.command[0] == PYTHON);
        match class {
            Some(class) => Ok(Arc::new(Class { policy: program.policy, make: Arc::clone(class) })),
            None if self.allows_exec => Ok(Arc::new(Commands::new(program))),
            None => Err(format!(
                "starts the program `{}`, and a scenario may come from a stranger: load it with allow_exec=True if it may",
                program.command.join(" ")
            )),
        }
    }
}

/// What makes an object with `decide` for every run.
struct Class {
    policy: String,
    make: Arc<Py<PyAny>>,
}

impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Class({})", self.policy)
    }
}

impl Deciders for Class {
    fn start(&self, run: RunIdentity) -> Box<dyn Decider> {
        let made = Python::attach(|py| {
            let decide = self.make.call0(py)?.getattr(py, "decide")?;
            Ok(Object { policy: self.policy.clone(), decide, seed: run.seed, names: Names::new() })
        });
        match made {
            Ok(object) => Box::new(object),
            Err(error) => resume_unwind(Box::<PyErr>::new(error)),
        }
    }
}

/// One object, for one run.
struct Object {
    policy: String,
    decide: Py<PyAny>,
    seed: u64,
    names: Names,
}

/// Names in an observation as Python has them: the same few at every pass.
type Names = BTreeMap<&'static str, Py<PyString>>;

/// An observation as a dict.
struct Seen<'a, 'py> {
    dict: Bound<'py, PyDict>,
    names: &'a mut Names,
    /// The first that went wrong: there is no memory left.
    result: PyResult<()>,
}

impl<'py> Seen<'_, 'py> {
    fn put(&mut self, dict: &Bound<'py, PyDict>, name: &'static str, value: impl IntoPyObject<'py>) {
        let py = dict.py();
        let name = self.names.entry(name).or_insert_with(|| PyString::intern(py, name).unbind());
        let put = dict.set_item(name.bind(py), value);
        self.result = std::mem::replace(&mut self.result, Ok(())).and(put);
    }

    fn note(&mut self, name: &'static str, value: impl IntoPyObject<'py>) {
        self.put(&self.dict.clone(), name, value);
    }
}

impl Notes for Seen<'_, '_> {
    fn number(&mut self, name: &'static str, value: f64) {
        self.note(name, value);
    }

    fn count(&mut self, name: &'static str, value: u64) {
        self.note(name, value);
    }

    fn text(&mut self, name: &'static str, value: &str) {
        self.note(name, value);
    }

    fn counts(&mut self, name: &'static str, values: &[(&'static str, u32)]) {
        let counts = PyDict::new(self.dict.py());
        for (name, value) in values {
            self.put(&counts, name, value);
        }
        self.note(name, counts);
    }

    fn metrics(&mut self, names: [&'static str; 2], answers: &mut dyn Iterator<Item = (&str, Result<f64, String>)>) {
        let py = self.dict.py();
        let (values, errors) = (PyDict::new(py), PyDict::new(py));
        for (name, answer) in answers {
            let put = match answer {
                Ok(value) => values.set_item(name, value),
                Err(reason) => values.set_item(name, py.None()).and_then(|()| errors.set_item(name, reason)),
            };
            self.result = std::mem::replace(&mut self.result, Ok(())).and(put);
        }
        self.note(names[0], values);
        self.note(names[1], errors);
    }
}

impl Object {
    fn ask(&mut self, sight: &Sight<'_>) -> PyResult<Wish> {
        let Self { policy, decide, seed, names } = self;
        Python::attach(|py| {
            let mut seen = Seen { dict: PyDict::new(py), names, result: Ok(()) };
            observe(sight, *seed, &mut seen);
            seen.result?;
            let said = decide.bind(py).call1((seen.dict,))?;
            // NumPy's whole numbers are some too.
            let may_be_number = !said.is_instance_of::<PyBool>();
            if let Some(replicas) = may_be_number.then(|| said.extract().ok()).flatten() {
                return Ok(Wish { replicas: Some(replicas), note: String::new() });
            }
            // The rules of an answer are those of a program's.
            let found = match said.extract::<f64>() {
                Ok(number) if !number.is_finite() => Err(format!("{number} is no number of replicas")),
                _ => value::json(&said).map_err(|_| "this is neither a number nor a dict".to_owned()),
            };
            found.and_then(|text| answer(&text)).map_err(|why| {
                let said = said.repr().map(|repr| repr.to_string()).unwrap_or_default();
                let message = format!("policy {policy}: decide gave {said}: {why}");
                crate::error::scenario_error(py, &message, (None, None, None))
            })
        })
    }
}

impl Decider for Object {
    fn decide(&mut self, sight: &Sight<'_>) -> Wish {
        match self.ask(sight) {
            Ok(wish) => wish,
            Err(error) => resume_unwind(Box::new(error)),
        }
    }
}
