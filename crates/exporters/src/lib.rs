//! What metrics there are: the series each exporter shows, what they are made of, and under which labels a scrape stores them.
//!
//! A [`Target`] is something Prometheus scrapes; it shows [`Series`], each made of a [`Signal`], a figure the model knows. The
//! [`catalogue`] has every metric that people scale on; [`Facts`] of a scenario make series of it. The scenario builds the targets from
//! the manifests and holds every query against them with a [`Registry`]; the cluster gives the signals their values.
//! This crate knows neither manifests nor the model: only names, types, labels and meanings, each with its source.

mod build;
pub mod catalogue;
mod check;
mod domain;
mod facts;
mod names_of_signals;
mod registry;
mod signal;
mod target;
mod version;

pub use build::{OF_EVERY_TARGET, appears_text, default_target, pod_labels, series, targets, targets_of};
pub use check::{Bindings, Finding, Question, Reader, Severity, Topic, Verdict, check};
pub use domain::{Domain, Fit};
pub use facts::Facts;
pub use names_of_signals::{NAMED_SIGNALS, NamedSignal, named_signal, signal_text};
/// What names and labels are matched with.
pub use promql::Matcher;
pub use registry::{Registry, Shown};
pub use signal::{HistogramPart, HistogramSignal, Scope, Signal};
pub use target::{Appears, Exporter, Kind, Label, Series, Target, TargetLife, TargetOf, Template, Value, Variable};
pub use version::Version;
