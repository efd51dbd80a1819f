//! What machines cost.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::quantity::{Price, Time};

/// `prices`: instance types with their prices, and where prices that are not written come from.
///
/// `catalog`, `provider`, `region`, `zones`, `estimateSpot`, `nodeFee`, `spotHistory` and `commitments` are settings; every other key is an
/// instance type.
#[derive(Clone, Debug, Default)]
pub struct PricesFile {
    /// Catalogs to take missing prices and shapes from: `embedded`, or files as `scalelab prices import` writes them. Of several, the
    /// last that states a price counts. None by default.
    pub catalog: Vec<String>,
    /// Only this provider's rows of the catalog; needed where several sell a type of the same name.
    pub provider: Option<String>,
    /// Region of the catalog's prices; by default `us-east-1`, `us-central1` or `eastus`.
    pub region: Option<String>,
    /// Which zone id each of the account's zones is, for spot prices of AWS: `us-east-1a: use1-az4`. Without it zones are taken in order.
    pub zones: BTreeMap<String, String>,
    /// Whether a spot price that nobody states may be guessed. It may not by default.
    pub estimate_spot: EstimateSpot,
    /// What the operator of the nodes adds to their price.
    pub node_fee: NodeFeeFile,
    /// Recorded spot prices; they take precedence over the catalog's.
    pub spot_history: Option<SpotHistoryFile>,
    /// What is paid for whether it is used or not, and lowers the price of what is used.
    pub commitments: Vec<CommitmentFile>,
    /// Prices written in the scenario; they take precedence.
    pub types: BTreeMap<String, PriceFile>,
}

struct PricesVisitor;

impl<'de> Visitor<'de> for PricesVisitor {
    type Value = PricesFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of instance types to prices, with `catalog`, `provider`, `region`, `zones`, `estimateSpot`, `nodeFee`, `spotHistory` and `commitments` beside them")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<PricesFile, M::Error> {
        let mut file = PricesFile::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "catalog" => file.catalog = map.next_value::<OneOrMany>()?.0,
                "provider" => file.provider = Some(map.next_value()?),
                "region" => file.region = Some(map.next_value()?),
                "zones" => file.zones = map.next_value()?,
                "estimateSpot" => file.estimate_spot = map.next_value()?,
                "nodeFee" => file.node_fee = map.next_value()?,
                "spotHistory" => file.spot_history = Some(map.next_value()?),
                "commitments" => file.commitments = map.next_value()?,
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
        let history = generator.subschema_for::<SpotHistoryFile>();
        let commitments = generator.subschema_for::<Vec<CommitmentFile>>();
        let estimate = generator.subschema_for::<EstimateSpot>();
        let fee = generator.subschema_for::<NodeFeeFile>();
        json_schema!({
            "type": "object",
            "properties": {
                "catalog": {
                    "description": "Catalogs to take missing prices and shapes from: `embedded`, or files as `scalelab prices import` writes them.",
                    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
                },
                "provider": {"description": "Only this provider's rows of the catalog.", "type": "string"},
                "region": {"description": "Region of the catalog's prices.", "type": "string"},
                "zones": {
                    "description": "Which zone id each of the account's zones is: `us-east-1a: use1-az4`. Without it zones are taken in order.",
                    "type": "object",
                    "additionalProperties": {"type": "string"}
                },
                "estimateSpot": estimate,
                "nodeFee": fee,
                "spotHistory": history,
                "commitments": commitments
            },
            "additionalProperties": price
        })
    }
}

/// `prices.estimateSpot`: what a spot price that nobody states may be guessed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EstimateSpot {
    /// Nothing: it stays unknown.
    #[default]
    No,
    /// Other sizes of its family in the region.
    Siblings,
    /// The same type in other regions.
    Regions,
}

struct EstimateVisitor;

impl Visitor<'_> for EstimateVisitor {
    type Value = EstimateSpot;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`false`, `siblings` or `regions`")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<EstimateSpot, E> {
        if value { Err(E::invalid_value(serde::de::Unexpected::Bool(value), &self)) } else { Ok(EstimateSpot::No) }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<EstimateSpot, E> {
        match text {
            "false" => Ok(EstimateSpot::No),
            "siblings" => Ok(EstimateSpot::Siblings),
            "regions" => Ok(EstimateSpot::Regions),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }
}

impl<'de> Deserialize<'de> for EstimateSpot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EstimateVisitor)
    }
}

impl JsonSchema for EstimateSpot {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("EstimateSpot")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What a spot price that nobody states may be guessed from: nothing by default, other sizes of the family in the region, or the type in other regions. A guess is marked.",
            "enum": [false, "siblings", "regions"]
        })
    }
}

/// `prices.nodeFee`: what is paid to the operator of the nodes on top of the machine, as for EKS Auto Mode.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct NodeFeeFile {
    /// Percent of the machine's on-demand price, whatever it is bought as. 0 by default.
    pub percent: f64,
}

/// Price of one instance type.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PriceFile {
    /// On demand.
    #[serde(default)]
    pub on_demand: Option<Price>,
    /// Spot.
    #[serde(default)]
    pub spot: Option<Price>,
    /// Reserved or committed.
    #[serde(default)]
    pub reserved: Option<Price>,
    /// Provider whose billing rules hold: `aws`, `gcp`, `azure` or `modal`. By default the one whose catalog row it is; without a
    /// catalog a minute at least, by the second, and spot is never free.
    #[serde(default)]
    pub billing: Option<String>,
    /// Shortest bill of an instance.
    #[serde(default)]
    pub billing_minimum: Option<Time>,
    /// Bills are rounded up to a multiple of this.
    #[serde(default)]
    pub billing_increment: Option<Time>,
    /// A spot instance the provider takes back within its first hour is free. The same as `spotFreeWithin: 1h`.
    #[serde(default)]
    pub spot_first_hour_free: Option<bool>,
    /// A spot instance the provider takes back younger than this is free.
    #[serde(default)]
    pub spot_free_within: Option<Time>,
}

/// `prices.spotHistory`: recorded spot prices, per zone and instance type.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SpotHistoryFile {
    /// Answers of `aws ec2 describe-spot-price-history`, one file per page, or a catalog as `scalelab prices import` writes it, whose
    /// prices change at midnight UTC of the days of its rows.
    pub file: OneOrMany,
    /// Instant of the history at which the run starts, such as `2026-08-10T00:00:00Z`. By default `run.start`.
    #[serde(default)]
    pub from: Option<String>,
    /// The history of this length from there on is played again and again. By default it is played once, and the last price stays.
    #[serde(default)]
    pub repeat: Option<Time>,
    /// Whose prices: `Linux/UNIX` by default.
    #[serde(default = "linux")]
    pub product: String,
}

fn linux() -> String {
    prices::LINUX.to_owned()
}

/// One of `prices.commitments`: a savings plan or reserved instances, applied hour by hour to on-demand instances of the types it covers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CommitmentFile {
    /// Dollars committed per hour; a savings plan. Instead of `instances`.
    #[serde(default)]
    pub per_hour: Option<Price>,
    /// Instances committed; reserved instances. Instead of `perHour`, and with a single rate.
    #[serde(default)]
    pub instances: Option<u32>,
    /// Price of an instance of each covered type under the commitment.
    pub rates: BTreeMap<String, Price>,
}

/// One text, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMany(pub Vec<String>);

impl JsonSchema for OneOrMany {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("OneOrMany")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
    }
}

struct OneOrManyVisitor;

impl<'de> Visitor<'de> for OneOrManyVisitor {
    type Value = OneOrMany;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a file (for `catalog` also `embedded`), or a list of these")
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
