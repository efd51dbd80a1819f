//! The alternatives a scenario compares.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::manifest::{HpaSpecFile, MetadataFile, ScaledObjectSpecFile};
use crate::quantity::{RequestRate, Share, Time};

use super::{ServicePolicyFile, TimeColumn};

/// One alternative: the controllers that act together.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PolicyFile {
    /// Name, unique in the scenario.
    pub name: String,
    /// A fixed number of replicas.
    #[serde(default, rename = "static")]
    pub fixed: Option<StaticFile>,
    /// The counts of a recording, at the times they were recorded: what really happened, beside what would have.
    #[serde(default)]
    pub recorded: Option<RecordedFile>,
    /// A HorizontalPodAutoscaler: name of the manifest, or its `spec` written here.
    #[serde(default)]
    pub hpa: Option<HpaChoice>,
    /// A ScaledObject: name of the manifest, or its `spec` written here. The name of an HTTPScaledObject stands for the ScaledObject that
    /// KEDA's HTTP add-on makes of it.
    #[serde(default)]
    pub keda: Option<KedaChoice>,
    /// Name and annotations of the ScaledObject whose `spec` is written in place.
    #[serde(default)]
    pub metadata: Option<MetadataFile>,
    /// A floor from the traffic of past weeks.
    #[serde(default)]
    pub predictive: Option<PredictiveFile>,
    /// A program that decides. It runs only where the command line allows it (`--allow-exec`).
    #[serde(default)]
    pub exec: Option<ExecFile>,
    /// Warm standbys.
    #[serde(default)]
    pub warm_pool: Option<WarmPoolFile>,
    /// Pause pods: low-priority placeholders that keep room for replicas.
    #[serde(default)]
    pub pause_pods: Option<PausePodsFile>,
    /// Replicas at the start, if not the service's.
    #[serde(default)]
    pub replicas: Option<u32>,
    /// `--horizontal-pod-autoscaler-sync-period`.
    #[serde(default = "sync_period")]
    pub sync_period: Time,
    /// What acts on each service by name, where the scenario has `services`. Who is not named keeps the autoscaler of its manifests, or its
    /// replicas if it has none.
    #[serde(default)]
    pub services: Option<BTreeMap<String, ServicePolicyFile>>,
    /// Whether the services share the node pools, or each has a copy of every pool to itself, with the same rules and limits: what the same
    /// services would cost in clusters of their own.
    #[serde(default)]
    pub pools: PoolSharing,
    /// What an object written in place is called, if not as the policy.
    #[serde(skip)]
    pub object: Option<String>,
}

fn sync_period() -> Time {
    Time(15.0)
}

/// `pools` of a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PoolSharing {
    /// All services on the same nodes.
    #[default]
    Shared,
    /// A copy of every pool for each service.
    PerService,
}

/// `static`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct StaticFile {
    /// The number.
    pub replicas: u32,
}

/// `recorded`: a CSV or Parquet file of times and replica counts (`spec.replicas`), each holding until the next row. `scalelab import prometheus`
/// writes one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RecordedFile {
    /// CSV, plain, `.gz` or `.zst`, or Parquet; relative to the scenario's own folder.
    pub file: String,
    /// Column of times; the first by default.
    #[serde(default)]
    pub time: Option<String>,
    /// What it holds.
    #[serde(default)]
    pub time_unit: TimeColumn,
    /// Column of counts; the second by default. An empty cell is a gap, in which the count before it holds.
    #[serde(default)]
    pub value: Option<String>,
    /// Where in the recording the run starts.
    #[serde(default = "no_shift")]
    pub start_at: Time,
    /// Only rows with these values, column by column.
    #[serde(default, rename = "where")]
    pub filter: BTreeMap<String, String>,
}

fn no_shift() -> Time {
    Time(0.0)
}

/// `exec`: a program that is shown the service at every pass and answers with a number of replicas. It is started for every run, in the folder
/// of the scenario, takes one observation a line on standard input and gives one answer a line on standard output, both JSON.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ExecFile {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// How long an answer may take, on the clock on the wall; the first one too, which the program has to start for.
    #[serde(default = "exec_timeout")]
    pub timeout: Time,
    /// Time of the run between two passes; the first is at its start.
    #[serde(default = "sync_period")]
    pub period: Time,
    /// Least replicas that are written, whatever it answers.
    #[serde(default)]
    pub min_replicas: u32,
    /// Most replicas that are written, whatever it answers.
    #[serde(default = "exec_replicas_max")]
    pub max_replicas: u32,
    /// Metrics it is shown: its name for each, and the PromQL query.
    #[serde(default)]
    pub metrics: BTreeMap<String, String>,
}

fn exec_timeout() -> Time {
    Time(5.0)
}

fn exec_replicas_max() -> u32 {
    100
}

/// A manifest by name, or its `spec` written in place.
#[derive(Clone, Debug, PartialEq)]
pub enum Reference<T> {
    /// Name of the manifest.
    Name(String),
    /// Its `spec`.
    Inline(Box<T>),
}

/// Reference to a HorizontalPodAutoscaler.
pub type HpaChoice = Reference<HpaSpecFile>;

/// Reference to a ScaledObject.
pub type KedaChoice = Reference<ScaledObjectSpecFile>;

struct ReferenceVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ReferenceVisitor<T> {
    type Value = Reference<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a manifest, or its `spec` as a mapping")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Reference::Name(name.to_owned()))
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|spec| Reference::Inline(Box::new(spec)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Reference<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReferenceVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Reference<T> {
    fn schema_name() -> Cow<'static, str> {
        Cow::Owned(format!("NameOr{}", T::schema_name()))
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let spec = generator.subschema_for::<T>();
        json_schema!({"anyOf": [{"type": "string"}, spec]})
    }
}

/// `predictive`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct PredictiveFile {
    /// Time between forecasts.
    pub interval: Time,
    /// How far ahead.
    pub lookahead: Time,
    /// Days back to look at the same time of day.
    pub days_ago: Vec<u32>,
    /// Percentile of the past rates, 0–100.
    pub percentile: f64,
    /// Width of the window of past rates around the time looked at.
    pub window: Time,
    /// Safety factor: `120%` adds a fifth.
    pub buffer: Share,
    /// Requests per second one replica serves within the SLO.
    pub replica_rate: RequestRate,
    /// Least answer.
    pub replicas_min: u32,
    /// Largest answer.
    pub replicas_max: u32,
    /// Writes the replica count only upwards instead of setting a floor for `hpa` or `keda`, or of writing it up and down where it is alone.
    pub direct: bool,
}

impl Default for PredictiveFile {
    fn default() -> Self {
        Self {
            interval: Time(300.0),
            lookahead: Time(900.0),
            days_ago: vec![7, 14],
            percentile: 90.0,
            window: Time(1_800.0),
            buffer: Share(1.2),
            replica_rate: RequestRate(500.0),
            replicas_min: 2,
            replicas_max: 100,
            direct: false,
        }
    }
}

/// `warmPool`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WarmPoolFile {
    /// Standbys to keep.
    pub size: u32,
    /// From promotion to receiving requests.
    #[serde(default = "promotion")]
    pub promote: Time,
    /// Scale-in refills the pool before it deletes.
    #[serde(default = "yes")]
    pub demote: bool,
    /// Standbys go on on-demand nodes only.
    #[serde(default = "yes")]
    pub on_demand: bool,
    /// A standby is promoted at the notice of a reclaim whose eviction a PodDisruptionBudget blocks.
    #[serde(default = "yes")]
    pub cover_notices: bool,
}

/// `pausePods`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PausePodsFile {
    /// How many, each as large as a replica.
    pub count: u32,
    /// From a replica's finding no room until it is bound in a pause pod's place.
    #[serde(default = "preemption")]
    pub preemption: Time,
}

fn preemption() -> Time {
    Time(2.0)
}

fn promotion() -> Time {
    Time(2.0)
}

fn yes() -> bool {
    true
}
