//! Failures as exceptions.

use cli::failure::Failure;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyKeyboardInterrupt};
use pyo3::prelude::*;

use crate::results::Results;

create_exception!(scalelab, ScalelabError, PyException, "What scalelab raises.");
create_exception!(
    scalelab,
    ScenarioError,
    ScalelabError,
    "The input is wrong: `message` says what, `file`, `line` and `column` where, each None where it is not known."
);
create_exception!(scalelab, RunError, ScalelabError, "The environment failed: disk, threads, a program.");
create_exception!(
    scalelab,
    Interrupted,
    PyKeyboardInterrupt,
    "Ctrl-C while runs were under way. `results` has the replications that every policy finished, or is None."
);

/// A failure of the command line's library as the exception it is here.
pub fn raised(py: Python<'_>, failure: Failure) -> PyErr {
    match failure {
        Failure::Input(error) => {
            let position = error.downcast_ref::<scenario::ScenarioError>().map(scenario::ScenarioError::position);
            // A value that was set stands in no file.
            let position = position.filter(|(file, ..)| file.as_ref().is_none_or(|name| !name.starts_with("--set ")));
            scenario_error(py, &format!("{error:#}"), position.unwrap_or_default())
        }
        Failure::Environment(error) => RunError::new_err(format!("{error:#}")),
    }
}

/// A mistake in what was given, with its place.
pub fn scenario_error(
    py: Python<'_>,
    message: &str,
    (file, line, column): (Option<String>, Option<u64>, Option<u64>),
) -> PyErr {
    let error = ScenarioError::new_err(message.to_owned());
    let value = error.value(py);
    let set = value
        .setattr("message", message)
        .and_then(|()| value.setattr("file", file))
        .and_then(|()| value.setattr("line", line))
        .and_then(|()| value.setattr("column", column));
    set.err().unwrap_or(error)
}

/// Ctrl-C with what is finished; what a callback raised as it is.
pub fn interrupted(py: Python<'_>, error: PyErr, results: Option<Results>) -> PyErr {
    if !error.is_instance_of::<PyKeyboardInterrupt>(py) {
        return error;
    }
    let interrupted = Interrupted::new_err("interrupted");
    let set = interrupted.value(py).setattr("results", results);
    set.err().unwrap_or(interrupted)
}
