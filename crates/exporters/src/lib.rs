//! What metrics there are: the series each exporter shows, what they are made of, and under which labels a scrape stores them.
//!
//! A [`Target`] is something Prometheus scrapes; it shows [`Series`], each made of a [`Signal`], a figure the model knows. The
//! scenario builds the targets from the manifests and holds every query against them; the cluster gives the signals their values.
//! This crate knows neither manifests nor the model: only names, types, labels and meanings, each with its source.

mod signal;
mod target;

pub use signal::{HistogramPart, HistogramSignal, Scope, Signal};
pub use target::{Appears, Exporter, Kind, Label, Series, Target, TargetLife, TargetOf, Template, Value, Variable};
