//! A sweep as it is written.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// The whole document.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SweepFile {
    /// `scalelab.dev/v1`.
    pub api_version: String,
    /// `Sweep`.
    pub kind: String,
    /// Name, for results.
    #[serde(default)]
    pub name: String,
    /// Files and folders of the scenario, relative to the sweep's file.
    pub scenario: OneOrMany,
    /// Policies to run; all of the scenario's if left out.
    #[serde(default)]
    pub policies: Option<Vec<String>>,
    /// Replications of each policy at each point.
    #[serde(default = "one")]
    pub replications: u32,
    /// Base seed, the same at every point.
    #[serde(default = "first_seed")]
    pub seed: u64,
    /// What varies. Axes are crossed: the first one turns slowest.
    pub axes: Vec<AxisFile>,
    /// Conditions on axis names; points that break one are skipped.
    #[serde(default)]
    pub constraints: Vec<String>,
}

fn one() -> u32 {
    1
}

fn first_seed() -> u64 {
    1
}

/// A text or a list of texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// One axis: where (`path`, and a `name` for tables) and which of `values`, `range`, `logRange`, or instead `zip` or `sample`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct AxisFile {
    /// Name in tables and constraints; the last word of the path if left out.
    pub name: Option<String>,
    /// Path in the scenario.
    pub path: Option<String>,
    /// These values.
    pub values: Option<Vec<Scalar>>,
    /// Evenly spaced values.
    pub range: Option<RangeFile>,
    /// Values evenly spaced in the logarithm.
    pub log_range: Option<RangeFile>,
    /// Axes that move together.
    pub zip: Option<Vec<Self>>,
    /// A space-filling sample of several parameters at once.
    pub sample: Option<SampleFile>,
}

/// Numbers from an end to the other, by `step` or by `count`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RangeFile {
    /// First value.
    pub from: Scalar,
    /// Last value at most.
    pub to: Scalar,
    /// Distance, in the unit of `from`.
    #[serde(default)]
    pub step: Option<Scalar>,
    /// How many values.
    #[serde(default)]
    pub count: Option<usize>,
}

/// A sample.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SampleFile {
    /// How points are spread.
    pub method: MethodFile,
    /// How many.
    pub points: usize,
    /// The parameters.
    pub over: Vec<SampleAxisFile>,
}

/// How points are spread.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MethodFile {
    /// Latin hypercube.
    LatinHypercube,
    /// Sobol's sequence.
    Sobol,
}

/// One parameter of a sample: `from` and `to`, or `values`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SampleAxisFile {
    /// Name in tables and constraints.
    #[serde(default)]
    pub name: Option<String>,
    /// Path in the scenario.
    pub path: String,
    /// Lower end.
    #[serde(default)]
    pub from: Option<Scalar>,
    /// Upper end.
    #[serde(default)]
    pub to: Option<Scalar>,
    /// Evenly in the logarithm.
    #[serde(default)]
    pub log: bool,
    /// A choice instead of a range.
    #[serde(default)]
    pub values: Option<Vec<Scalar>>,
}

/// A number, boolean or text of YAML, as its text: what follows goes back into a scenario as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar(pub String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;
        impl Visitor<'_> for ScalarVisitor {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, a boolean or a text")
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
                // A point stays visible: `1.0` is a real number, `1` a whole one.
                Ok(Scalar(format!("{value:?}")))
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar(value.to_owned()))
            }
        }
        deserializer.deserialize_any(ScalarVisitor)
    }
}
