//! How requests find a replica, what a router holds back, and what requests have in common.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::quantity::{Share, Size, Time};

/// `service.routing`: a rule by its name, or a router with scorers, flow control or both.
#[derive(Clone, Debug)]
pub enum RoutingFile {
    /// A rule.
    Rule(RoutingRule),
    /// A router.
    Router(Box<RouterFile>),
}

/// How requests find a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RoutingRule {
    /// One queue for all.
    CentralQueue,
    /// In turn.
    RoundRobin,
    /// At random.
    Random,
    /// The replica with the fewest requests.
    LeastRequests,
    /// The less loaded of two drawn at random.
    PowerOfTwo,
    /// The replica with the most of its KV cache free, as of the router's last look (`continuousBatching` only).
    LeastKv,
    /// A conversation to the replica of its last turn, everything else to the one with the fewest requests (`continuousBatching` only).
    SessionAffinity,
}

struct RoutingVisitor;

impl<'de> Visitor<'de> for RoutingVisitor {
    type Value = RoutingFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a rule such as `leastRequests` or a mapping with `scorers` and `flowControl`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RoutingFile, E> {
        RoutingRule::deserialize(StrDeserializer::new(text)).map(RoutingFile::Rule)
    }

    fn visit_map<Map: MapAccess<'de>>(self, map: Map) -> Result<RoutingFile, Map::Error> {
        RouterFile::deserialize(MapAccessDeserializer::new(map)).map(|router| RoutingFile::Router(Box::new(router)))
    }
}

impl<'de> Deserialize<'de> for RoutingFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RoutingVisitor)
    }
}

impl JsonSchema for RoutingFile {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("RoutingFile")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let rule = generator.subschema_for::<RoutingRule>();
        let router = generator.subschema_for::<RouterFile>();
        json_schema!({"anyOf": [rule, router]})
    }
}

/// `service.routing` as a mapping: a router such as llm-d's endpoint picker. `continuousBatching` only.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RouterFile {
    /// A rule instead of scorers.
    #[serde(default)]
    pub rule: Option<RoutingRule>,
    /// Scorers with their weights; the default profile is `{queue: 2, kvCacheUtilization: 2, prefixCache: 3}`.
    #[serde(default)]
    pub scorers: Option<ScorersFile>,
    /// The router looks at queues, batches and KV caches this often and knows nothing newer.
    #[serde(default = "default_refresh")]
    pub refresh: Time,
    /// Holds requests while the replicas are saturated. Off by default, as the picker's feature gate is.
    #[serde(default)]
    pub flow_control: Option<FlowControlFile>,
}

fn default_refresh() -> Time {
    Time(0.05)
}

/// `scorers`: weights, 0 where not written. The highest sum of weight times score wins, ties at random.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ScorersFile {
    /// `queue-scorer`: few waiting requests.
    pub queue: f64,
    /// `kv-cache-utilization-scorer`: much free KV cache.
    pub kv_cache_utilization: f64,
    /// `prefix-cache-scorer`: much of the prompt has been sent there before.
    pub prefix_cache: f64,
    /// `running-requests-size-scorer`: few requests in the batch.
    pub running_requests: f64,
    /// `load-aware-scorer`: few of 128 places in the queue taken.
    pub load_aware: f64,
    /// `active-request-scorer`: few requests sent there and not answered.
    pub active_request: f64,
    /// `token-load-scorer`: few prompt tokens of such requests.
    pub token_load: f64,
    /// `session-affinity-scorer`: it had the conversation's last turn.
    pub session_affinity: f64,
    /// `lora-affinity-scorer`: it has requests for the adapter, or room for one more adapter.
    pub lora_affinity: f64,
}

/// `flowControl`: requests are held while the mean over replicas of max(waiting / `queueDepth`, KV usage / `kvUsage`) is at or above
/// `ceiling`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct FlowControlFile {
    /// `queueDepthThreshold`.
    pub queue_depth: f64,
    /// `kvCacheUtilThreshold`.
    pub kv_usage: Share,
    /// Saturation from which on requests are held.
    pub ceiling: f64,
    /// Requests of one priority that may be held; more are rejected (429).
    pub per_band_requests: u64,
    /// Bytes of their prompts, at 4 a token.
    pub per_band_bytes: Size,
    /// Requests held so long fail (503); never by default.
    pub ttl: Option<Time>,
}

impl Default for FlowControlFile {
    fn default() -> Self {
        Self {
            queue_depth: 5.0,
            kv_usage: Share(0.8),
            ceiling: 1.0,
            per_band_requests: 5_000,
            per_band_bytes: Size(1_000_000_000),
            ttl: None,
        }
    }
}

/// `traffic.prefix`: what prompts have in common, and so what the engines' prefix caches find. Off by default.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PrefixFile {
    /// What the trace says: its `hash_ids`, each a block of so many tokens (Mooncake: 512).
    HashIds(HashIdsFile),
    /// What conversations say: a turn's prompt begins with the whole of the turn before it.
    Sessions(SessionsPrefixFile),
    /// Each prompt begins with one of a number of system prompts.
    SharedPrefix(SharedPrefixFile),
    /// This share of every prompt is found, whatever the cache holds: for those who know only the metric.
    HitRatio(Share),
}

/// `hashIds`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct HashIdsFile {
    /// Tokens of a block, a multiple of 16; the last one of a prompt covers what is left.
    pub block_tokens: u32,
}

impl Default for HashIdsFile {
    fn default() -> Self {
        Self { block_tokens: 512 }
    }
}

/// `sessions`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SessionsPrefixFile {}

/// `sharedPrefix`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SharedPrefixFile {
    /// System prompts there are.
    pub groups: u32,
    /// Tokens of each: the first ones of the prompts, not on top of them.
    pub tokens: u32,
    /// How often each is used.
    #[serde(default)]
    pub popularity: PopularityFile,
}

/// `popularity`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PopularityFile {
    /// All equally often.
    #[default]
    Uniform,
    /// The n-th in proportion to n to the power of minus this.
    Zipf(f64),
}

/// One of `traffic.classes`: requests of one urgency.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ClassFile {
    /// Share of the requests; those of all classes are at most 100%, the rest has priority 0.
    pub share: Share,
    /// For the router's flow control: larger is sooner. Without flow control requests below 0 are turned away while replicas are saturated,
    /// if scorers route.
    #[serde(default)]
    pub priority: i32,
    /// For an engine with `--scheduling-policy priority`: smaller is sooner.
    #[serde(default)]
    pub engine_priority: i32,
}
