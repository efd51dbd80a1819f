//! Does the user understand, and do the promises hold: `run`, `explain`, `report` as commands, on small scenarios.

mod errors;
mod nodes;
mod promises;
mod support;
