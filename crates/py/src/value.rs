//! Python's values as the text that `--set` takes.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde_json::Value;

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
    if let Some(number) = number(value)? {
        return Ok(number.str()?.to_string());
    }
    let is_structure =
        value.is_instance_of::<PyDict>() || value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>();
    if is_structure {
        return json(value);
    }
    Err(PyTypeError::new_err(format!(
        "a value is text, a number, True, False, None, a list or a dict, not {}",
        value.get_type().name()?
    )))
}

/// A number as Python's own: NumPy's are of the kinds that `numbers` names, but neither ints nor all of them floats. None for what is no number.
fn number<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    if value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>() {
        return Ok(Some(value.clone()));
    }
    let kinds = value.py().import("numbers")?;
    if value.is_instance(&kinds.getattr("Integral")?)? {
        return value.py().get_type::<PyInt>().call1((value,)).map(Some);
    }
    let is_real = value.is_instance(&kinds.getattr("Real")?)?;
    is_real.then(|| value.py().get_type::<PyFloat>().call1((value,))).transpose()
}

/// What `json.dumps` makes of a number that it does not know.
#[pyfunction]
fn plain_number<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    number(value)?.ok_or_else(|| PyTypeError::new_err("this is neither text, number, list nor dict"))
}

/// A value as JSON, numbers of NumPy among them.
pub fn json(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let py = value.py();
    let options = PyDict::new(py);
    options.set_item("default", wrap_pyfunction!(plain_number, py)?)?;
    py.import("json")?.call_method("dumps", (value,), Some(&options))?.extract()
}

/// Python's form of a JSON value: what `json.loads` makes of its text.
pub fn from_json<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(truth) => PyBool::new(py, *truth).to_owned().into_any(),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(whole), _) => whole.into_pyobject(py)?.into_any(),
            (None, Some(whole)) => whole.into_pyobject(py)?.into_any(),
            (None, None) => PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any(),
        },
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(values) => {
            let values = values.iter().map(|value| from_json(py, value)).collect::<PyResult<Vec<_>>>()?;
            PyList::new(py, values)?.into_any()
        }
        Value::Object(entries) => {
            let dict = PyDict::new(py);
            for (key, value) in entries {
                dict.set_item(key, from_json(py, value)?)?;
            }
            dict.into_any()
        }
    })
}
