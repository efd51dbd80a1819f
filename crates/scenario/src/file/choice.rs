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
    /// Lognormal, by its median and 90th percentile, or by its mean and standard deviation.
    #[serde(rename_all = "camelCase")]
    LogNormal {
        /// Median.
        p50: Option<A>,
        /// 90th percentile.
        p90: Option<A>,
        /// Mean, in place of the median.
        mean: Option<A>,
        /// Standard deviation, in place of the 90th percentile.
        std: Option<A>,
    },
    /// Normal. What falls outside the bounds is moved onto them; nothing is below 0.
    #[serde(rename_all = "camelCase")]
    Normal {
        /// Mean, before the bounds.
        mean: A,
        /// Standard deviation, before the bounds.
        std: A,
        /// Least value.
        min: Option<A>,
        /// Greatest value.
        max: Option<A>,
    },
    /// Skew normal, by its mean and standard deviation, with bounds as those of `normal`.
    #[serde(rename_all = "camelCase")]
    SkewNormal {
        /// Mean, before the bounds.
        mean: A,
        /// Standard deviation, before the bounds.
        std: A,
        /// Shape: 0 is normal, above 0 the tail is above, below 0 below.
        skew: f64,
        /// Least value.
        min: Option<A>,
        /// Greatest value.
        max: Option<A>,
    },
    /// Poisson: whole numbers.
    #[serde(rename_all = "camelCase")]
    Poisson {
        /// Mean.
        mean: A,
    },
    /// Whole numbers from ⌊length (1 − ratio)⌋ to ⌈length (1 + ratio)⌉, each equally likely: `--random-range-ratio` of `vllm bench`.
    #[serde(rename_all = "camelCase")]
    RangeRatio {
        /// Length in the middle.
        length: A,
        /// Reach to both sides, 0 to less than 1.
        ratio: f64,
    },
    /// Single values, not interpolated between.
    #[serde(rename_all = "camelCase")]
    Weighted {
        /// Values.
        values: Vec<A>,
        /// How often each comes, relative to the others.
        weights: Vec<f64>,
    },
    /// The values of a column of a CSV or Parquet file, each as likely as it is there often; times in seconds.
    #[serde(rename_all = "camelCase")]
    Column {
        /// The file, relative to the scenario's own folder.
        file: String,
        /// Name of the column.
        name: String,
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
