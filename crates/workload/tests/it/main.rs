//! What the crate promises, tested from outside.

mod arrivals;
mod distributions;
mod replay;
mod statistics;
mod streams;
