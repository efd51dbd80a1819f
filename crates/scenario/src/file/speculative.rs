//! Speculative decoding, as a scenario has it.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::{SeqAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use crate::quantity::{AmountVisitor, Share, Time};

/// `speculative`: tokens are guessed and checked together with the next one; a sequence keeps them up to the first that is wrong. Each iteration
/// makes the mean, 1 + a1 + a1·a2 + …, of every sequence, in 1024ths of a token, and computes 1 + `tokens` of it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SpeculativeFile {
    /// Guessed tokens per sequence and iteration (`num_speculative_tokens`); as the flags of the server say unless written.
    #[serde(default)]
    pub tokens: Option<u32>,
    /// How often a guess is right where all before it were: `70%` at every place, or one share per place. From vLLM's counters:
    /// `spec_decode_num_accepted_tokens_per_pos` of a place over that of the place before it, of the first over `num_drafts`.
    pub acceptance: AcceptanceFile,
    /// What guessing adds to each iteration.
    #[serde(default = "no_time")]
    pub draft_time: Time,
}

fn no_time() -> Time {
    Time(0.0)
}

/// `acceptance`.
#[derive(Clone, Debug, PartialEq)]
pub enum AcceptanceFile {
    /// At every place.
    Same(Share),
    /// Place by place.
    Each(Vec<Share>),
}

struct AcceptanceVisitor;

impl<'de> Visitor<'de> for AcceptanceVisitor {
    type Value = AcceptanceFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a percentage such as `70%`, or a list of them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<AcceptanceFile, E> {
        Share::deserialize(StrDeserializer::new(text)).map(AcceptanceFile::Same)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<AcceptanceFile, E> {
        AmountVisitor::default().visit_u64(number).map(AcceptanceFile::Same)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<AcceptanceFile, E> {
        AmountVisitor::default().visit_f64(number).map(AcceptanceFile::Same)
    }

    fn visit_seq<Seq: SeqAccess<'de>>(self, list: Seq) -> Result<AcceptanceFile, Seq::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(AcceptanceFile::Each)
    }
}

impl<'de> Deserialize<'de> for AcceptanceFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AcceptanceVisitor)
    }
}

impl JsonSchema for AcceptanceFile {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("AcceptanceFile")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Share>();
        let each = generator.subschema_for::<Vec<Share>>();
        json_schema!({"anyOf": [one, each]})
    }
}
