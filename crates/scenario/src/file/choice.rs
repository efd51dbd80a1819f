//! Values that are written either as plain text or as one named choice: `15s`, or `{uniform: {low: 30s, high: 60s}}`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::quantity::{Amount, AmountVisitor};

/// An amount written as text, or one of the choices `C`.
#[derive(Clone, Debug, PartialEq)]
pub enum TextOr<A, C> {
    /// The amount.
    Amount(A),
    /// The choice.
    Choice(C),
}

struct TextOrVisitor<A, C>(PhantomData<(A, C)>);

impl<'de, A: Amount, C: Deserialize<'de>> Visitor<'de> for TextOrVisitor<A, C> {
    type Value = TextOr<A, C>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} or one named choice", A::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        AmountVisitor::default().visit_str(text).map(TextOr::Amount)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        AmountVisitor::default().visit_u64(number).map(TextOr::Amount)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        AmountVisitor::default().visit_i64(number).map(TextOr::Amount)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        AmountVisitor::default().visit_f64(number).map(TextOr::Amount)
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
        // The enum below would read the first key and never look at the others.
        if map.size_hint().is_some_and(|keys| keys != 1) {
            return Err(M::Error::custom(format!("expected {} or a mapping with exactly one key", A::EXPECTED)));
        }
        C::deserialize(MapAccessDeserializer::new(map)).map(TextOr::Choice)
    }
}

impl<'de, A: Amount, C: Deserialize<'de>> Deserialize<'de> for TextOr<A, C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrVisitor(PhantomData))
    }
}

impl<A: JsonSchema, C: JsonSchema> JsonSchema for TextOr<A, C> {
    fn schema_name() -> Cow<'static, str> {
        Cow::Owned(format!("{}Or{}", A::schema_name(), C::schema_name()))
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let amount = generator.subschema_for::<A>();
        let choice = generator.subschema_for::<C>();
        json_schema!({"anyOf": [amount, choice]})
    }
}

/// A constant, or a distribution of amounts.
pub type Distribution<A> = TextOr<A, DistributionChoice<A>>;

/// The families of distributions.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum DistributionChoice<A> {
    /// Always the same.
    Constant(A),
    /// Evenly spread between two bounds.
    #[serde(rename_all = "camelCase")]
    Uniform {
        /// Lower bound.
        low: A,
        /// Upper bound.
        high: A,
    },
    /// Exponential.
    #[serde(rename_all = "camelCase")]
    Exponential {
        /// Mean.
        mean: A,
    },
    /// Lognormal, by its median and 90th percentile.
    #[serde(rename_all = "camelCase")]
    LogNormal {
        /// Median.
        p50: A,
        /// 90th percentile.
        p90: A,
    },
    /// Gamma.
    #[serde(rename_all = "camelCase")]
    Gamma {
        /// Mean.
        mean: A,
        /// Standard deviation over mean.
        cv: f64,
    },
    /// Weibull.
    #[serde(rename_all = "camelCase")]
    Weibull {
        /// Shape.
        shape: f64,
        /// Scale.
        scale: A,
    },
    /// Measured values, each equally likely, interpolated between.
    Empirical(Vec<A>),
}
