//! Continuous batching against its formula, queueing theory and published runs.

mod law;
mod published;
mod rules;
mod run;
mod schedulers;
mod support;
mod theory;
