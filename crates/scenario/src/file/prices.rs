//! What machines cost.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::PriceFile;

/// `prices`: instance types with their prices, and where prices that are not written come from.
///
/// `catalog`, `provider` and `region` are settings; every other key is an instance type.
#[derive(Clone, Debug, Default)]
pub struct PricesFile {
    /// Catalogs to take missing prices and shapes from: `embedded`, or files as `scalelab prices import` writes them. Of several, the
    /// last that states a price counts. None by default.
    pub catalog: Vec<String>,
    /// Only this provider's rows of the catalog; needed where several sell a type of the same name.
    pub provider: Option<String>,
    /// Region of the catalog's prices; by default `us-east-1`, `us-central1` or `eastus`.
    pub region: Option<String>,
    /// Prices written in the scenario; they take precedence.
    pub types: BTreeMap<String, PriceFile>,
}

struct PricesVisitor;

impl<'de> Visitor<'de> for PricesVisitor {
    type Value = PricesFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of instance types to prices, with `catalog`, `provider` and `region` beside them")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<PricesFile, M::Error> {
        let mut file = PricesFile::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "catalog" => file.catalog = map.next_value::<OneOrMany>()?.0,
                "provider" => file.provider = Some(map.next_value()?),
                "region" => file.region = Some(map.next_value()?),
                _ => {
                    file.types.insert(key, map.next_value()?);
                }
            }
        }
        Ok(file)
    }
}

impl<'de> Deserialize<'de> for PricesFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PricesVisitor)
    }
}

impl JsonSchema for PricesFile {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Prices")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let price = generator.subschema_for::<PriceFile>();
        json_schema!({
            "type": "object",
            "properties": {
                "catalog": {
                    "description": "Catalogs to take missing prices and shapes from: `embedded`, or files as `scalelab prices import` writes them.",
                    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
                },
                "provider": {"description": "Only this provider's rows of the catalog.", "type": "string"},
                "region": {"description": "Region of the catalog's prices.", "type": "string"}
            },
            "additionalProperties": price
        })
    }
}

/// One text, or a list of them.
struct OneOrMany(Vec<String>);

struct OneOrManyVisitor;

impl<'de> Visitor<'de> for OneOrManyVisitor {
    type Value = OneOrMany;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`embedded`, the name of a catalog file, or a list of these")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<OneOrMany, E> {
        Ok(OneOrMany(vec![text.to_owned()]))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<OneOrMany, S::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(OneOrMany(all))
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor)
    }
}
