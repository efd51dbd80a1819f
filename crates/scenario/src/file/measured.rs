//! The Measured document as it is written: what was measured of a real run, to be held against the scenario beside it.
//!
//! It knows neither what quantities there are nor how they are made; whoever holds them against a run says so, in the words of [`Measured`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::Metadata;
use crate::error::{Allowed, ScenarioError};
use crate::quantity::{Share, Time};
use crate::tree::{Node, parse_path};

/// A Measured document.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MeasuredFile {
    /// Always `scalelab.dev/v1`.
    pub api_version: String,
    /// Always `Measured`.
    pub kind: String,
    /// Name and description.
    pub metadata: Metadata,
    /// What was measured.
    pub spec: MeasuredSpec,
}

/// `spec` of a Measured document.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MeasuredSpec {
    /// Where the figures are from: keys and texts of your choice, such as `repository`, `commit`, `date`. Repeated in reports.
    #[serde(default)]
    pub source: BTreeMap<String, String>,
    /// The policy of the scenario that was running. Needed where it has several.
    #[serde(default)]
    pub policy: Option<String>,
    /// The service that was measured. Needed where there are several.
    #[serde(default)]
    pub service: Option<String>,
    /// Runs with different seeds, 20 if left out.
    #[serde(default = "twenty")]
    pub replications: u32,
    /// Parts of the run, by name; a quantity without a window is of the whole run.
    #[serde(default)]
    pub windows: BTreeMap<String, WindowFile>,
    /// What was measured, and how near a simulation must come.
    pub quantities: Vec<QuantityFile>,
    /// What is not known of the real run: each key is tried at all its values, and the values that fit best are named.
    #[serde(default)]
    pub unknown: Vec<UnknownFile>,
}

fn twenty() -> u32 {
    20
}

/// A part of the run, from the run's start: requests that arrive in it, replicas while it lasts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WindowFile {
    /// Its start, 0s if left out.
    #[serde(default)]
    pub from: Option<Time>,
    /// Its end, that of the run if left out.
    #[serde(default)]
    pub to: Option<Time>,
}

/// One measured quantity.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct QuantityFile {
    /// A column of `replications`, or `replicas_min`, `replicas_final`, `replica_transitions`, `time_to_replicas_s`, `replicas_held`,
    /// `throughput_rps`, `output_tokens_per_s`.
    pub quantity: String,
    /// The window it is of.
    #[serde(default)]
    pub window: Option<String>,
    /// How many replicas `time_to_replicas_s` and `replicas_held` are about.
    #[serde(default)]
    pub replicas: Option<u32>,
    /// What was measured: a number in the column's unit, or one with a unit, `2.66s`, `95.8%`.
    #[serde(default)]
    pub measured: Option<Figure>,
    /// How near the simulated figure must come. Without it the quantity is shown and not judged.
    #[serde(default)]
    pub within: Option<WithinFile>,
    /// Judge by this share of the seeds being inside, and not by their median.
    #[serde(default)]
    pub seeds: Option<Share>,
    /// A sentence for readers of the report: why the quantity is outside, or how it was measured.
    #[serde(default)]
    pub note: String,
}

/// How near a simulated figure must come to the measured one.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum WithinFile {
    /// At most this share of the measured figure away.
    Relative(Share),
    /// At most this far away.
    Absolute(Figure),
    /// Between the measured figure over this factor and times it.
    Factor(f64),
    /// Between two figures, both included.
    Range(Vec<Figure>),
    /// At least this.
    AtLeast(Figure),
    /// At most this.
    AtMost(Figure),
    /// The very figure.
    Exact,
    /// Of `replicas_held`: for at least this share of the time.
    Holds(Share),
}

/// A key of the scenario whose value is not known.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UnknownFile {
    /// The key, as `--set` takes it.
    pub key: String,
    /// What it may be.
    pub values: Vec<Figure>,
    /// Why it is not known.
    #[serde(default)]
    pub note: String,
}

/// A number, with or without its unit, or a word, as its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure(pub String);

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FigureVisitor;
        impl Visitor<'_> for FigureVisitor {
            type Value = Figure;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a text")
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Figure, E> {
                Ok(Figure(value.to_string()))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Figure, E> {
                Ok(Figure(value.to_string()))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Figure, E> {
                Ok(Figure(value.to_string()))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Figure, E> {
                Ok(Figure(format!("{value:?}")))
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<Figure, E> {
                Ok(Figure(value.to_owned()))
            }
        }
        deserializer.deserialize_any(FigureVisitor)
    }
}

impl JsonSchema for Figure {
    fn schema_name() -> Cow<'static, str> {
        "Figure".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["number", "string", "boolean"], "description": "A number, with or without its unit."})
    }
}

/// A Measured document with the places of what stands in it, for what only its reader can find wrong.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What it says.
    pub file: MeasuredFile,
    node: Node,
}

impl Measured {
    /// Reads the document.
    pub(crate) fn of(node: &Node) -> Result<Self, ScenarioError> {
        let file: MeasuredFile = node.read("")?;
        let measured = Self { file, node: node.clone() };
        if measured.file.spec.quantities.is_empty() {
            return Err(
                measured.wrong("spec.quantities", "no quantities; there must be something to hold the run against")
            );
        }
        if measured.file.spec.replications == 0 {
            return Err(measured.wrong("spec.replications", "0 replications; at least 1 is needed"));
        }
        Ok(measured)
    }

    /// The file it stands in.
    pub fn source(&self) -> &str {
        &self.node.place.source
    }

    /// What stands at `path` cannot be.
    pub fn wrong(&self, path: &str, reason: impl Into<String>) -> ScenarioError {
        ScenarioError::Inconsistent { at: self.at(path).locate(path), reason: reason.into() }
    }

    /// What stands at `path` names nothing.
    pub fn unknown<'n>(
        &self,
        path: &str,
        what: &'static str,
        found: &str,
        names: impl IntoIterator<Item = &'n str>,
    ) -> ScenarioError {
        ScenarioError::UnknownName { at: self.at(path).locate(path), what, allowed: Allowed::new(found, names) }
    }

    /// What stands at `path` is not what is expected there.
    pub fn unexpected(&self, path: &str, found: &str, expected: &str) -> ScenarioError {
        let found = format!("found `{found}`");
        ScenarioError::WrongValue { at: self.at(path).locate(path), found, expected: expected.to_owned() }
    }

    fn at(&self, path: &str) -> &Node {
        parse_path(path).map_or(&self.node, |path| self.node.deepest(&path))
    }
}
