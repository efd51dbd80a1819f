//! The model against its own slower twin, and against queueing theory.

mod clients;
mod ending;
mod feedback;
mod flows;
mod groups;
mod model;
mod prehistory;
mod rollout;
mod services;
mod support;
mod theory;
