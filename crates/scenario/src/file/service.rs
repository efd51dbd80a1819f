//! The service: how a replica serves, how requests find it, what its clients do.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::quantity::{Count, Share, Size, Time};

use super::adapters::AdaptersFile;
use super::{Distribution, RoutingFile, RoutingRule, SchedulerFile, SpeculativeFile, StopFile, TextOr, UsageChoice};

/// `service`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ServiceFile {
    /// The workload manifest, `KIND/NAME` or `NAMESPACE/KIND/NAME`; needed only if there are several.
    #[serde(default)]
    pub workload: Option<String>,
    /// The same for a Deployment: its name alone.
    #[serde(default)]
    pub deployment: Option<String>,
    /// The pod, where there is no workload manifest.
    #[serde(default)]
    pub pod: Option<PodFile>,
    /// Replicas ready at the start; by default the workload's.
    #[serde(default)]
    pub replicas: Option<u32>,
    /// How a replica serves requests.
    pub model: ModelFile,
    /// How requests find a replica.
    #[serde(default = "default_routing")]
    pub routing: RoutingFile,
    /// What happens to arrivals while no replica is ready.
    #[serde(default = "default_no_replica")]
    pub while_no_replica: NoReplicaFile,
    /// Requests that may wait in the whole service; more are rejected. With 0 nobody waits: who is not served at once is rejected. No limit by default.
    #[serde(default)]
    pub queue_limit: Option<u32>,
    /// What happens to requests in service on a replica that is killed.
    #[serde(default = "default_kill")]
    pub on_kill: KillFile,
    /// CPU, memory and power of a replica as measured, for policies that scale on them; or `guess`.
    #[serde(default)]
    pub usage: Option<UsageChoice>,
    /// What clients do.
    #[serde(default)]
    pub client: ClientFile,
    /// From ready to receiving requests.
    #[serde(default = "default_endpoint_delay")]
    pub endpoint_delay: Time,
    /// From deletion to receiving no new requests, with the preStop hook as long as it is. By default a deleted pod gets none from
    /// the instant of its deletion and ends with its last request, whatever its hook says.
    #[serde(default)]
    pub drain_delay: Option<Time>,
    /// What the server does with the requests it has when it is told to stop, after the preStop hook: `finish` them, `abort` them (they end
    /// as `onKill` says), or finish them within a bound, looking every so often whether any are left.
    #[serde(default)]
    pub on_terminate: Option<StopFile>,
}

fn default_routing() -> RoutingFile {
    RoutingFile::Rule(RoutingRule::LeastRequests)
}

fn default_no_replica() -> NoReplicaFile {
    NoReplicaFile::Hold
}

fn default_kill() -> KillFile {
    KillFile::Fail
}

fn default_endpoint_delay() -> Time {
    Time(1.0)
}

/// A pod written in the scenario itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct PodFile {
    /// Name of the service.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Whole GPUs (or slices of them) it asks for.
    pub gpus: u32,
    /// The extended resource it asks them of.
    pub gpu_resource: String,
    /// CPU request, as in a manifest.
    pub cpu: Option<String>,
    /// Memory request.
    pub memory: Option<Size>,
    /// `terminationGracePeriodSeconds`.
    pub grace: Time,
    /// preStop sleep, part of the grace period.
    pub pre_stop: Time,
    /// Period of the readiness probe.
    pub probe_period: Time,
    /// Initial delay of the readiness probe.
    pub probe_initial_delay: Time,
    /// `nodeSelector`.
    pub node_selector: BTreeMap<String, String>,
    /// What the scheduler would rather spread pods over: preferred anti-affinity, `ScheduleAnyway`.
    pub spread: Vec<SpreadFile>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Image reference.
    pub image: String,
}

impl Default for PodFile {
    fn default() -> Self {
        Self {
            name: "inference".to_owned(),
            namespace: "default".to_owned(),
            gpus: 1,
            gpu_resource: "nvidia.com/gpu".to_owned(),
            cpu: None,
            memory: None,
            grace: Time(30.0),
            pre_stop: Time(0.0),
            probe_period: Time(10.0),
            probe_initial_delay: Time(0.0),
            node_selector: BTreeMap::new(),
            spread: Vec::new(),
            labels: BTreeMap::new(),
            image: String::new(),
        }
    }
}

/// What pods are spread over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SpreadFile {
    /// Nodes.
    Nodes,
    /// Zones.
    Zones,
}

/// How a replica serves.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::large_enum_variant, reason = "a scenario has a handful of them")]
pub enum ModelFile {
    /// A number of requests at once, each for its own time.
    Slots(SlotsFile),
    /// Triton-style dynamic batching.
    DynamicBatching(DynamicBatchingFile),
    /// LLM serving with continuous batching.
    ContinuousBatching(Box<ContinuousBatchingFile>),
    /// The same by a preset, such as `llama-3.1-8b-h100-tp1-vllm`; `scalelab calibrate presets` lists them.
    Preset(String),
}

impl ModelFile {
    /// A preset as the `continuousBatching` that it stands for.
    pub fn spell_out(&mut self) {
        if let Self::Preset(name) = self {
            *self = Self::ContinuousBatching(Box::new(ContinuousBatchingFile::of_preset(std::mem::take(name))));
        }
    }
}

/// `slots`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SlotsFile {
    /// Requests served at once by one replica.
    #[serde(default = "one")]
    pub concurrency: u32,
    /// Service time of a request.
    pub service_time: Distribution<Time>,
}

fn one() -> u32 {
    1
}

/// `dynamicBatching`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DynamicBatchingFile {
    /// `max_batch_size`.
    pub batch_max: u32,
    /// `preferred_batch_size`.
    #[serde(default)]
    pub preferred: Vec<u32>,
    /// `max_queue_delay_microseconds`.
    #[serde(default = "no_time")]
    pub queue_delay: Time,
    /// Time to execute a batch, by its size.
    pub latency: BatchLatencyFile,
}

fn no_time() -> Time {
    Time(0.0)
}

fn no_overhead() -> Distribution<Time> {
    TextOr::Amount(no_time())
}

/// Execution time of a batch by its size.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BatchLatencyFile {
    /// A fixed part and a part per request.
    Affine(AffineLatency),
    /// Measured sizes; interpolated between, and beyond the last by its slope.
    Points(Vec<BatchPoint>),
}

/// `affine`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AffineLatency {
    /// Fixed part.
    pub base: Time,
    /// Per request in the batch.
    pub per_request: Time,
}

/// One measured batch size.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BatchPoint {
    /// Requests in the batch.
    pub batch: u32,
    /// Time to execute it.
    pub latency: Time,
}

/// `continuousBatching`: one engine iteration after another. With d decode tokens (one per sequence that decodes) and p prompt tokens, n
/// sequences, K tokens in the KV cache of those that decode, and A the sum over chunks of prompts of tokens · (tokens before them + half
/// the tokens), an iteration lasts
/// max(`iterationMin`, `decodeFactor` (g(d) + K `perKvToken`) + `prefillFactor` (g(d + p) − g(d) + A `perPromptTokenContext`) + n
/// `perSequence`), where g is `tokenTime`; or, without that table, max(`iterationMin`, `iterationBase` + K `perKvToken` + n `perSequence` +
/// p `perPromptToken` + A `perPromptTokenContext`), where K counts the tokens of prompts under way too unless `perPromptTokenContext` is given.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ContinuousBatchingFile {
    /// A preset of a model on a GPU with an engine, such as `llama-3.1-8b-h100-tp1-vllm`: the law of an iteration, and with the flags of the
    /// server `sequencesMax`, `batchedTokensMax` and `kvTokens`. Keys written beside it win. `scalelab calibrate presets` lists them.
    pub preset: Option<String>,
    /// `--max-num-seqs`. Needed without `preset`.
    pub sequences_max: Option<u32>,
    /// `--max-num-batched-tokens`. Needed without `preset`.
    pub batched_tokens_max: Option<u32>,
    /// KV-cache capacity in tokens. Needed without `preset`.
    pub kv_tokens: Option<u64>,
    /// Time of an iteration by the tokens it computes, at least two points, both ascending: between two on a line, below the first its time,
    /// beyond the last along the last line. In place of `iterationBase` and `perPromptToken`.
    #[serde(default)]
    pub token_time: Vec<TokenTimeFile>,
    /// Shortest iteration. Needed without `tokenTime`, else 0.
    pub iteration_min: Option<Time>,
    /// Iteration with an empty cache and no prompt tokens. Needed without `tokenTime`.
    pub iteration_base: Option<Time>,
    /// Added per token in the KV cache. Needed without `tokenTime`, else 0.
    pub per_kv_token: Option<Time>,
    /// Added per prompt token. Needed without `tokenTime`.
    pub per_prompt_token: Option<Time>,
    /// Added per prompt token and token of context before it: attention over a long prompt. Below a nanosecond: `0.775ns` or `775ps`.
    pub per_prompt_token_context: Option<Time>,
    /// Measured over `tokenTime`, of decoding; 1 unless said.
    pub decode_factor: Option<f64>,
    /// The same of what prompts add.
    pub prefill_factor: Option<f64>,
    /// Added per sequence in the batch: work of the host.
    pub per_sequence: Option<Time>,
    /// Outside the engine: router, HTTP, tokenizing. Of a distribution each request has a draw of its own.
    #[serde(default = "no_overhead")]
    pub overhead: Distribution<Time>,
    /// Prompt tokens of requests that have none in the trace.
    #[serde(default = "default_tokens")]
    pub prompt_tokens: Distribution<Count>,
    /// Output tokens of requests that have none in the trace.
    #[serde(default = "default_tokens")]
    pub output_tokens: Distribution<Count>,
    /// In which order the engine takes requests; `--scheduling-policy` of the workload's manifest by default, else `fcfs`.
    #[serde(default)]
    pub scheduling_policy: Option<SchedulingPolicyFile>,
    /// How the engine fills its passes: `vllm`, `prefillFirst` (SGLang), `noEvict` or `maxUtilization` (TensorRT-LLM), `tgi`; by default that of the
    /// server in the workload's manifest, else `vllm`.
    #[serde(default)]
    pub scheduler: Option<SchedulerFile>,
    /// Whether a prompt may be computed in several passes; as the engine's flags say, else it may. Not with `tgi`, which never does.
    #[serde(default)]
    pub chunked_prefill: Option<bool>,
    /// The `max_tokens` that clients ask for, which `prefillFirst`, `noEvict` and `tgi` keep room for; the length of the answer unless said.
    #[serde(default)]
    pub max_new_tokens: Option<u32>,
    /// A request is admitted when the blocks of its first chunk are free, not those of its whole prompt, as vLLM's older releases do; as the flags of
    /// the server say, else not. Of scheduler `vllm` only.
    #[serde(default)]
    pub admit_by_chunk: Option<bool>,
    /// Most tokens of one prompt in a pass, so that a long prompt leaves room for short ones; as `--long-prefill-token-threshold` says, else no limit.
    /// 0 is no limit. Of scheduler `vllm` only, with chunked prefill and without `speculative`.
    #[serde(default)]
    pub long_prefill_token_threshold: Option<u32>,
    /// Speculative decoding: several tokens an iteration.
    #[serde(default)]
    pub speculative: Option<SpeculativeFile>,
    /// Adapters of the model (LoRA) that requests are for, as `traffic.adapters` says.
    #[serde(default)]
    pub adapters: Option<AdaptersFile>,
    /// True for `model: {preset: NAME}`.
    #[serde(skip)]
    pub is_short: bool,
}

impl ContinuousBatchingFile {
    /// A preset with nothing beside it.
    fn of_preset(name: String) -> Self {
        Self {
            preset: Some(name),
            sequences_max: None,
            batched_tokens_max: None,
            kv_tokens: None,
            token_time: Vec::new(),
            iteration_min: None,
            iteration_base: None,
            per_kv_token: None,
            per_prompt_token: None,
            per_prompt_token_context: None,
            decode_factor: None,
            prefill_factor: None,
            per_sequence: None,
            overhead: no_overhead(),
            prompt_tokens: default_tokens(),
            output_tokens: default_tokens(),
            scheduling_policy: None,
            scheduler: None,
            chunked_prefill: None,
            max_new_tokens: None,
            admit_by_chunk: None,
            long_prefill_token_threshold: None,
            speculative: None,
            adapters: None,
            is_short: true,
        }
    }
}

/// `--scheduling-policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SchedulingPolicyFile {
    /// First come, first served.
    Fcfs,
    /// The smallest `enginePriority` of `traffic.classes` first.
    Priority,
}

/// A point of `tokenTime`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TokenTimeFile {
    /// Tokens that the iteration computes.
    pub tokens: u32,
    /// How long that takes.
    pub time: Time,
}

fn default_tokens() -> Distribution<Count> {
    Distribution::Amount(Count(256.0))
}

/// While no replica is ready.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NoReplicaFile {
    /// Requests wait.
    Hold,
    /// Requests fail.
    Reject,
}

/// Requests in service on a replica that is killed.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum KillFile {
    /// They fail.
    Fail,
    /// They go back to the head of the queue.
    Requeue,
}

/// `client`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ClientFile {
    /// Requests not answered so long after the arrival of an attempt are given up: the same for all clients, or a distribution, of which each
    /// client draws once. Never by default.
    pub timeout: Option<Distribution<Time>>,
    /// Requests whose service has not begun so long after the arrival of an attempt (with `continuousBatching`: that have no first token) are
    /// given up, likewise. Never by default.
    pub patience: Option<Distribution<Time>>,
    /// Retries of failed requests. None by default.
    pub retries: Option<RetryFile>,
}

/// `retries`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct RetryFile {
    /// Attempts in all, the first included.
    pub attempts_max: u32,
    /// Wait before the first retry; doubles each time.
    pub backoff: Time,
    /// Longest wait.
    pub backoff_max: Time,
    /// Share of the wait drawn at random.
    pub jitter: Share,
    /// What a request asks for when it is sent again.
    pub demand: RetryDemandFile,
}

/// What a request asks for when it is sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RetryDemandFile {
    /// The same: what takes long takes long again (in queueing theory: repeat identical).
    #[default]
    Same,
    /// A new draw of the service time, or of the tokens of the answer (repeat different).
    Redraw,
}

impl Default for RetryFile {
    fn default() -> Self {
        Self {
            attempts_max: 3,
            backoff: Time(0.1),
            backoff_max: Time(10.0),
            jitter: Share(0.5),
            demand: RetryDemandFile::Same,
        }
    }
}
