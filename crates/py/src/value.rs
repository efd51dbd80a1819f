//! Python's values as the text that `--set` takes.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// Words and numbers as they are written in YAML, lists and mappings in JSON, which YAML takes too.
pub fn text(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(text) = value.cast::<PyString>() {
        return text.extract();
    }
    if value.is_none() {
        return Ok("null".to_owned());
    }
    if let Ok(truth) = value.cast::<PyBool>() {
        return Ok(truth.is_true().to_string());
    }
    if value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>() {
        return Ok(value.str()?.to_string());
    }
    let is_structure =
        value.is_instance_of::<PyDict>() || value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>();
    if is_structure {
        return value.py().import("json")?.call_method1("dumps", (value,))?.extract();
    }
    Err(PyTypeError::new_err(format!(
        "a value is text, a number, True, False, None, a list or a dict, not {}",
        value.get_type().name()?
    )))
}

/// Python's form of a JSON text.
pub fn from_json<'py>(py: Python<'py>, json: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("json")?.call_method1("loads", (json,))
}
