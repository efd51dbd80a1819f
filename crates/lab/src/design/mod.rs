//! Designs of experiments: which points of a space to look at.
//!
//! Points are drawn in the unit cube and mapped by [`Dimension`]s to settings of a scenario. It does not know what a scenario is.

mod dimension;
mod sample;

pub use dimension::{Dimension, DimensionError, Scale, Value, quantity};
pub use sample::{SOBOL_DIMENSIONS_MAX, Sample};

/// A place in a scenario, with a short name for tables and expressions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Name: letters, digits and underscores.
    pub name: String,
    /// Path, as `--set` takes it.
    pub path: String,
}

impl Parameter {
    /// A parameter named after the last word of its path.
    pub fn at(path: &str) -> Self {
        let word = path.rsplit(['.', '[', ']', '/', '=']).find(|word| word.starts_with(|c: char| c.is_alphabetic()));
        let name = word.unwrap_or(path).chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        Self { name, path: path.to_owned() }
    }
}

/// One parameter set to one value.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Which.
    pub parameter: Parameter,
    /// To what.
    pub value: Value,
}

impl Setting {
    /// As `--set` takes it: `PATH=VALUE`.
    pub fn to_override(&self) -> String {
        format!("{}={}", self.parameter.path, self.value.text)
    }
}
