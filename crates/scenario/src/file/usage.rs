//! `service.usage`: what a replica uses beside the time of its GPU. Nothing is assumed: nothing in a manifest tells it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::quantity::{Amount, AmountVisitor, Size};

/// CPU: `2`, `1.5`, `300m`; in millicores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cores(pub u64);

impl Amount for Cores {
    const NAME: &'static str = "Cores";
    const EXPECTED: &'static str = "an amount of CPU such as `2` or `300m`";

    fn parse(text: &str) -> Option<Self> {
        let (number, scale) = text.strip_suffix('m').map_or((text, 1_000.0), |number| (number, 1.0));
        number.parse().ok().and_then(|number: f64| Self::of(number * scale))
    }

    fn from_number(number: f64) -> Option<Self> {
        Self::of(number * 1_000.0)
    }
}

impl Cores {
    fn of(millicores: f64) -> Option<Self> {
        (0.0..1e9).contains(&millicores).then(|| Self(millicores.ceil() as u64))
    }
}

/// Power: `70W`, `0.6kW`; in watts.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Power(pub f64);

impl Amount for Power {
    const NAME: &'static str = "Power";
    const EXPECTED: &'static str = "a power with its unit such as `70W`";

    fn parse(text: &str) -> Option<Self> {
        let (number, scale) = match text.strip_suffix("kW") {
            Some(number) => (number, 1_000.0),
            None => (text.strip_suffix('W')?, 1.0),
        };
        let watts: f64 = number.trim_end().parse().ok()?;
        (0.0..1e6).contains(&watts).then_some(Self(watts * scale))
    }
}

macro_rules! amounts {
    ($($name:ident: $schema:tt),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(AmountVisitor::default())
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                Cow::Borrowed($name::NAME)
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let mut schema = json_schema!($schema);
                schema.insert("description".to_owned(), $name::EXPECTED.into());
                schema
            }
        }
    )*};
}

amounts! {
    Cores: {"type": ["string", "number"], "pattern": r"^[0-9.]+m?$", "minimum": 0},
    Power: {"type": "string", "pattern": r"^[0-9.]+ ?k?W$"}
}

/// An amount that stays the same, or a mapping that says more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AmountOr<A, M> {
    /// The amount.
    Amount(A),
    /// The mapping.
    Mapping(M),
}

struct AmountOrVisitor<A, M>(PhantomData<(A, M)>);

impl<'de, A: Amount, M: Deserialize<'de>> Visitor<'de> for AmountOrVisitor<A, M> {
    type Value = AmountOr<A, M>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} or a mapping", A::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        AmountVisitor::default().visit_str(text).map(AmountOr::Amount)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        AmountVisitor::default().visit_u64(number).map(AmountOr::Amount)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        AmountVisitor::default().visit_i64(number).map(AmountOr::Amount)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        AmountVisitor::default().visit_f64(number).map(AmountOr::Amount)
    }

    fn visit_map<Map: MapAccess<'de>>(self, map: Map) -> Result<Self::Value, Map::Error> {
        M::deserialize(MapAccessDeserializer::new(map)).map(AmountOr::Mapping)
    }
}

impl<'de, A: Amount, M: Deserialize<'de>> Deserialize<'de> for AmountOr<A, M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AmountOrVisitor(PhantomData))
    }
}

impl<A: JsonSchema, M: JsonSchema> JsonSchema for AmountOr<A, M> {
    fn schema_name() -> Cow<'static, str> {
        Cow::Owned(format!("{}Or{}", A::schema_name(), M::schema_name()))
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let amount = generator.subschema_for::<A>();
        let mapping = generator.subschema_for::<M>();
        json_schema!({"anyOf": [amount, mapping]})
    }
}

/// `service.usage`: `guess`, or what was measured.
#[derive(Clone, Debug, PartialEq)]
pub enum UsageChoice {
    /// CPU is the busy share times the request, memory is the request.
    Guess,
    /// What was measured.
    Stated(Box<UsageFile>),
}

/// The one word.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum GuessWord {
    /// CPU is the busy share times the request, memory is the request. A note says so.
    Guess,
}

struct UsageVisitor;

impl<'de> Visitor<'de> for UsageVisitor {
    type Value = UsageChoice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`guess` or a mapping with `cpu` and `memory`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<UsageChoice, E> {
        GuessWord::deserialize(StrDeserializer::new(text)).map(|GuessWord::Guess| UsageChoice::Guess)
    }

    fn visit_map<Map: MapAccess<'de>>(self, map: Map) -> Result<UsageChoice, Map::Error> {
        UsageFile::deserialize(MapAccessDeserializer::new(map)).map(|stated| UsageChoice::Stated(Box::new(stated)))
    }
}

impl<'de> Deserialize<'de> for UsageChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UsageVisitor)
    }
}

impl JsonSchema for UsageChoice {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("UsageChoice")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let word = generator.subschema_for::<GuessWord>();
        let mapping = generator.subschema_for::<UsageFile>();
        json_schema!({"anyOf": [word, mapping]})
    }
}

/// What a replica was measured to use.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct UsageFile {
    /// CPU of the serving container; a bare amount is used all the time.
    pub cpu: Option<AmountOr<Cores, CpuFile>>,
    /// Memory of the serving container; a bare amount is what it holds once it is loaded.
    pub memory: Option<AmountOr<Size, MemoryFile>>,
    /// Constant use of the other containers, by name. One that is not named uses nothing.
    pub containers: BTreeMap<String, ContainerUsageFile>,
    /// GPU memory a loaded replica holds on each of its GPUs.
    pub gpu_memory: Option<Size>,
    /// Memory of a GPU, for what of it is free.
    pub gpu_memory_total: Option<Size>,
    /// Power that each GPU draws.
    pub gpu_power: Option<GpuPowerFile>,
}

/// `service.usage.cpu`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CpuFile {
    /// Ready and serving nothing.
    pub idle: Cores,
    /// Busy all the time; between the two it follows the busy share.
    pub busy: Cores,
    /// From its start until it is ready; by default as when busy.
    #[serde(default)]
    pub startup: Option<Cores>,
    /// Added per request in service.
    #[serde(default)]
    pub per_request: Option<Cores>,
}

/// `service.usage.memory`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MemoryFile {
    /// With the model loaded; it grows to that from the start of the container.
    pub loaded: Size,
    /// Added per request waiting or in service.
    #[serde(default)]
    pub per_request: Option<Size>,
}

/// One of `service.usage.containers`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ContainerUsageFile {
    /// CPU.
    pub cpu: Cores,
    /// Memory.
    pub memory: Size,
}

/// `service.usage.gpuPower`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GpuPowerFile {
    /// Serving nothing, or held by nobody.
    pub idle: Power,
    /// Busy all the time.
    pub busy: Power,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_and_power_are_written_as_people_write_them() {
        let cores = |text: &str| Cores::parse(text).map(|cores| cores.0);
        assert_eq!(["2", "1.5", "300m", "0"].map(cores), [Some(2_000), Some(1_500), Some(300), Some(0)]);
        assert_eq!(["2 cores", "-1", "m", ""].map(cores), [None; 4]);
        assert_eq!(Cores::from_number(0.25), Some(Cores(250)));
        assert_eq!(["70W", "0.7 kW", "70"].map(Power::parse), [Some(Power(70.0)), Some(Power(700.0)), None]);
    }
}
