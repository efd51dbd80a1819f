//! Parts that several kinds of manifests share.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use policy::keda::quantity::milli_from_text;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// `metadata`, as far as it matters.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct MetadataFile {
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: Option<String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// A Kubernetes quantity (`500m`, `16Gi`, `75`) in thousandths, rounded up as the API server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(pub i64);

impl Quantity {
    /// Whole units, rounded up; zero if negative.
    pub fn units(self) -> u64 {
        u64::try_from(self.0).unwrap_or(0).div_ceil(1000)
    }
}

/// A number or a percentage: `2`, `"50%"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum IntOrPercent {
    /// A number.
    Int(u32),
    /// Percent.
    Percent(f64),
}

struct QuantityVisitor;

impl Visitor<'_> for QuantityVisitor {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kubernetes quantity such as `500m`, `4` or `16Gi`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Quantity, E> {
        let found = format!("text `{text}`");
        milli_from_text(text).map(Quantity).ok_or_else(|| E::invalid_value(Unexpected::Other(&found), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }
}

struct IntOrPercentVisitor;

impl Visitor<'_> for IntOrPercentVisitor {
    type Value = IntOrPercent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number or a percentage such as `50%`")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<IntOrPercent, E> {
        let found = format!("number `{number}`");
        u32::try_from(number).map(IntOrPercent::Int).map_err(|_| E::invalid_value(Unexpected::Other(&found), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<IntOrPercent, E> {
        let percent = text.strip_suffix('%').and_then(|number| number.parse::<u32>().ok());
        let found = format!("text `{text}`");
        percent
            .map(|percent| IntOrPercent::Percent(f64::from(percent)))
            .or_else(|| text.parse().ok().map(IntOrPercent::Int))
            .ok_or_else(|| E::invalid_value(Unexpected::Other(&found), &self))
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor)
    }
}

impl<'de> Deserialize<'de> for IntOrPercent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntOrPercentVisitor)
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Quantity")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number"], "description": "a Kubernetes quantity such as `500m`, `4` or `16Gi`"})
    }
}
