//! A table that other libraries take over without copying it.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule};

/// Columns of equal length. `pyarrow.table(t)`, `polars.DataFrame(t)`, `pandas.DataFrame.from_arrow(t)` and DuckDB (`FROM t`) take it as it
/// is, through Arrow's PyCapsule interface.
#[pyclass(module = "scalelab", frozen)]
pub struct Table {
    name: String,
    table: Arc<report::Table>,
}

impl Table {
    /// A table under its name.
    pub fn new(name: &str, table: report::Table) -> Self {
        Self { name: name.to_owned(), table: Arc::new(table) }
    }
}

#[pymethods]
impl Table {
    /// Its name, as that of the file `scalelab run` writes.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// Column names, left to right.
    #[getter]
    fn columns(&self) -> Vec<String> {
        self.table.column_names().into_iter().map(str::to_owned).collect()
    }

    fn __len__(&self) -> usize {
        self.table.height()
    }

    /// Arrow's C stream in a capsule: one batch.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // The interface lets a producer give its own schema, and the consumer cast.
        let _ = requested_schema;
        PyCapsule::new_with_value(py, self.table.to_arrow_stream(), c"arrow_array_stream")
    }

    /// The bytes of the file that `scalelab run` writes.
    fn to_csv<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.table.to_csv())
    }

    fn __repr__(&self) -> String {
        format!(
            "<scalelab.Table {}: {} rows, {} columns>",
            self.name,
            self.table.height(),
            self.table.column_names().len()
        )
    }
}
