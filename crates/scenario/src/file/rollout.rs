//! New versions of the workload in the course of the run, and how its servers stop.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::quantity::{Amount, Time};

use super::choice::TextOr;

/// An entry of `rollouts`: a new pod template is applied.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RolloutFile {
    /// When, from the start of the run.
    pub at: Time,
    /// Name of the workload, for readers; there is only one.
    #[serde(default)]
    pub service: Option<String>,
    /// `new`: images that nodes have pulled do not help.
    #[serde(default = "new")]
    pub image: VersionFile,
    /// `new`: weights that nodes have cached do not help.
    #[serde(default = "same")]
    pub model: VersionFile,
    /// How old pods give way to new ones; by default as the workload's manifest says, else a quarter more and a quarter less at once.
    #[serde(default)]
    pub strategy: Option<StrategyFile>,
    /// A pod counts as available when it has been ready this long; by default the manifest's `minReadySeconds`.
    #[serde(default)]
    pub min_ready: Option<Time>,
    /// How long a person takes to promote: pauses of a canary without a length, and a blue-green preview that is not promoted by itself.
    #[serde(default)]
    pub promote_after: Option<Time>,
}

const fn new() -> VersionFile {
    VersionFile::New
}

const fn same() -> VersionFile {
    VersionFile::Same
}

/// Whether a part of the template is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum VersionFile {
    /// It is.
    New,
    /// It is not.
    Same,
}

/// `strategy`: a word, or its fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StrategyFile(pub StrategyFields);

/// The fields of a `strategy`. Which of them mean something depends on `type`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct StrategyFields {
    /// By default that of the workload: `rollingUpdate`.
    #[serde(rename = "type")]
    pub kind: StrategyKind,
    /// Pods beyond the wanted count; a percentage is rounded up.
    pub max_surge: Option<PortionFile>,
    /// Pods that may be missing; a percentage is rounded down.
    pub max_unavailable: Option<PortionFile>,
    /// Ordinals of a StatefulSet below it stay as they are.
    pub partition: u32,
    /// Steps of a canary.
    pub steps: Vec<StepFile>,
    /// A canary whose requests are routed by weight: the old pods stay to the end.
    pub traffic_routing: bool,
    /// New pods of a blue-green rollout before it is promoted.
    pub preview_replica_count: Option<u32>,
    /// Whether a blue-green rollout promotes itself; by default it does.
    pub auto_promotion_enabled: Option<bool>,
    /// After so long, if it does.
    pub auto_promotion_seconds: Option<u64>,
    /// The old pods of a blue-green rollout stay so long after the promotion; 30 s unless said.
    pub scale_down_delay_seconds: Option<u64>,
}

/// `strategy.type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StrategyKind {
    /// Some at a time.
    #[default]
    RollingUpdate,
    /// All old ones go before a new one comes.
    Recreate,
    /// A StatefulSet's: only pods that go for other reasons are replaced by new ones.
    OnDelete,
    /// In steps.
    Canary,
    /// All new ones beside all old ones, then a switch.
    BlueGreen,
}

impl<'de> Deserialize<'de> for StrategyFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        const WORDS: &str =
            "`rollingUpdate`, `recreate`, `onDelete`, `canary` or `blueGreen`, or a mapping with `type` and more";
        impl<'de> Visitor<'de> for Either {
            type Value = StrategyFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(WORDS)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                let kind = match text {
                    "rollingUpdate" => StrategyKind::RollingUpdate,
                    "recreate" => StrategyKind::Recreate,
                    "onDelete" => StrategyKind::OnDelete,
                    "canary" => StrategyKind::Canary,
                    "blueGreen" => StrategyKind::BlueGreen,
                    _ => return Err(E::invalid_value(Unexpected::Str(text), &WORDS)),
                };
                Ok(StrategyFile(StrategyFields { kind, ..StrategyFields::default() }))
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
                StrategyFields::deserialize(MapAccessDeserializer::new(map)).map(StrategyFile)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for StrategyFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Strategy".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (word, fields) = (generator.subschema_for::<StrategyKind>(), generator.subschema_for::<StrategyFields>());
        json_schema!({"anyOf": [word, fields]})
    }
}

/// A step of a canary.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StepFile {
    /// So many percent of the pods are new.
    SetWeight(u32),
    /// So many pods are new, whatever the weight; with `trafficRouting` only.
    SetCanaryScale(ScaleFile),
    /// Nothing happens for a while.
    Pause(PauseFile),
}

/// `setCanaryScale`: one of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ScaleFile {
    /// Pods.
    #[serde(default)]
    pub replicas: Option<u32>,
    /// Percent of the wanted count.
    #[serde(default)]
    pub weight: Option<u32>,
}

/// `pause`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PauseFile {
    /// How long; without it until somebody promotes.
    #[serde(default)]
    pub duration: Option<Time>,
}

/// A number of pods, or a percentage: `1`, `25%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortionFile {
    /// Pods.
    Count(u32),
    /// Percent of the wanted count.
    Percent(u32),
}

impl Amount for PortionFile {
    const NAME: &'static str = "PodsOrPercent";
    const EXPECTED: &'static str = "a number of pods or a whole percentage such as `25%`";

    fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix('%') {
            Some(percent) => percent.trim_end().parse().ok().map(Self::Percent),
            None => text.parse().ok().map(Self::Count),
        }
    }

    fn from_number(number: f64) -> Option<Self> {
        (number >= 0.0 && number <= f64::from(u32::MAX) && number.fract() == 0.0).then_some(Self::Count(number as u32))
    }
}

/// `onTerminate`: what a server that is told to stop does with the requests it has.
pub type StopFile = TextOr<StopWord, StopChoice>;

/// `onTerminate` in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopWord {
    /// It exits at once, and they end as `onKill` says.
    Abort,
    /// It finishes them.
    Finish,
}

impl Amount for StopWord {
    const NAME: &'static str = "Stop";
    const EXPECTED: &'static str = "`abort` or `finish`";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "abort" => Some(Self::Abort),
            "finish" => Some(Self::Finish),
            _ => None,
        }
    }
}

/// `onTerminate` with its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StopChoice {
    /// It gives up what it has.
    Abort(AbortFile),
    /// It finishes what it has.
    Finish(FinishFile),
}

/// `abort`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct AbortFile {
    /// When the clients learn of it; of language models `atKill` unless said, of others always `atOnce`.
    pub notice: Option<NoticeFile>,
}

/// When clients learn that an engine works no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NoticeFile {
    /// When it is told to stop: it answers what it aborts, and exits.
    AtOnce,
    /// When it is killed at the end of the grace period: until then the connections stay, and so does the pod.
    AtKill,
}

/// `finish`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct FinishFile {
    /// After so long it gives up what is left; by default the grace period ends it.
    pub within: Option<Time>,
    /// It looks every so often whether any are left, and exits when there are none; by default it exits with the last.
    pub poll: Option<Time>,
}
