//! Does the user understand, and do the promises hold: `run`, `explain`, `report` as commands, on small scenarios.

mod errors;
mod exec;
mod folders;
mod metrics;
mod nodes;
mod promises;
mod support;
