//! The Python package `scalelab`: scenarios, runs and tables as Python objects.
//!
//! What a command of the program does, the library of the command line does here too; this crate only turns Python's values into its
//! arguments, and what it finds into Python's values. Nothing is computed here.

mod arguments;
mod error;
mod policy;
mod results;
mod scenario;
mod study;
mod sweep;
mod table;
mod value;
mod watch;

use pyo3::prelude::*;

/// What `import scalelab` brings, save for what is written in Python.
#[pymodule]
fn _scalelab(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("ScalelabError", module.py().get_type::<error::ScalelabError>())?;
    module.add("ScenarioError", module.py().get_type::<error::ScenarioError>())?;
    module.add("RunError", module.py().get_type::<error::RunError>())?;
    module.add("Interrupted", module.py().get_type::<error::Interrupted>())?;
    module.add_class::<scenario::Scenario>()?;
    module.add_class::<results::Results>()?;
    module.add_class::<results::Verdict>()?;
    module.add_class::<table::Table>()?;
    module.add_class::<study::Search>()?;
    module.add_class::<study::Validation>()?;
    module.add_function(wrap_pyfunction!(sweep::sweep, module)?)?;
    module.add_function(wrap_pyfunction!(sweep::sweep_plan, module)?)?;
    module.add_function(wrap_pyfunction!(sweep::sweep_part, module)?)?;
    module.add_function(wrap_pyfunction!(sweep::sweep_merge, module)?)?;
    module.add_function(wrap_pyfunction!(study::optimize, module)?)?;
    module.add_function(wrap_pyfunction!(study::validate, module)?)?;
    module.add_function(wrap_pyfunction!(scenario::restored, module)?)?;
    module.add_function(wrap_pyfunction!(scenario::load, module)?)
}
