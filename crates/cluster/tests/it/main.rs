//! The model against its own slower twin, and against queueing theory.

mod flows;
mod support;
mod theory;
