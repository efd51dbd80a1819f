//! What a new pod goes through on its node.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::quantity::{Bandwidth, Size, Time};

use super::Distribution;
use super::choice::{DistributionChoice, TextOr};

/// `coldStart`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ColdStartFile {
    /// A measured cold start by its name, such as `vllm-8b-h100`: the phases that are not written come from it.
    pub preset: Option<String>,
    /// Container image to the node. Without preset 30–60 s.
    pub image_pull: Option<PhaseFile>,
    /// Model weights to the node. Without preset 60–180 s.
    pub model_download: Option<PhaseFile>,
    /// Weights to the GPU. Without preset 10–30 s.
    pub gpu_load: Option<PhaseFile>,
    /// First inferences. Without preset 5–15 s.
    pub cuda_warm_up: Option<PhaseFile>,
    /// Download and GPU load overlap: the longer of the two counts.
    pub streaming_load: bool,
    /// The image is on every node from the start.
    pub image_pre_pulled: bool,
    /// Node-local cache of model weights. None by default.
    pub model_cache: Option<CacheFile>,
    /// Pods are restored from a snapshot, or woken from sleep, in place of download, load and warm-up. No by default.
    pub restore: Option<RestoreFile>,
    /// What the first iteration with a prompt takes longer in an engine that was started during the run (kernels compiled on first use);
    /// only with `continuousBatching`. Nothing by default.
    pub first_iteration: Option<Distribution<Time>>,
    /// Links that transfers share.
    pub links: Vec<LinkFile>,
}

/// `restore`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RestoreFile {
    /// How long it takes: a time, a distribution, or bytes over links.
    pub length: PhaseFile,
    /// Where it can be done.
    #[serde(default)]
    pub on: RestorePlace,
}

/// Where pods can be restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RestorePlace {
    /// On a node on which a pod of the service has been warm.
    #[default]
    UsedNodes,
    /// On every node: the snapshot is brought there like the image.
    EveryNode,
}

/// The length of a phase: a time, a distribution of times, or bytes over links.
pub type PhaseFile = TextOr<Time, PhaseChoice>;

/// The ways to give the length of a phase.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum PhaseChoice {
    /// Always the same.
    Constant(Time),
    /// Evenly spread between two bounds.
    #[serde(rename_all = "camelCase")]
    Uniform {
        /// Lower bound.
        low: Time,
        /// Upper bound.
        high: Time,
    },
    /// Exponential.
    #[serde(rename_all = "camelCase")]
    Exponential {
        /// Mean.
        mean: Time,
    },
    /// Lognormal, by its median and 90th percentile.
    #[serde(rename_all = "camelCase")]
    LogNormal {
        /// Median.
        p50: Time,
        /// 90th percentile.
        p90: Time,
    },
    /// Gamma.
    #[serde(rename_all = "camelCase")]
    Gamma {
        /// Mean.
        mean: Time,
        /// Standard deviation over mean.
        cv: f64,
    },
    /// Weibull.
    #[serde(rename_all = "camelCase")]
    Weibull {
        /// Shape.
        shape: f64,
        /// Scale.
        scale: Time,
    },
    /// Measured values, each equally likely, interpolated between.
    Empirical(Vec<Time>),
    /// Bytes over links that concurrent transfers share.
    #[serde(rename_all = "camelCase")]
    Transfer {
        /// How much.
        size: Size,
        /// Names of the links it crosses.
        links: Vec<String>,
        /// Added whatever the bandwidth: unpacking, API calls.
        #[serde(default)]
        fixed: Option<Distribution<Time>>,
    },
}

impl PhaseChoice {
    /// The distribution this is; `None` for a transfer.
    pub fn distribution(&self) -> Option<DistributionChoice<Time>> {
        Some(match self.clone() {
            Self::Constant(value) => DistributionChoice::Constant(value),
            Self::Uniform { low, high } => DistributionChoice::Uniform { low, high },
            Self::Exponential { mean } => DistributionChoice::Exponential { mean },
            Self::LogNormal { p50, p90 } => DistributionChoice::LogNormal { p50, p90 },
            Self::Gamma { mean, cv } => DistributionChoice::Gamma { mean, cv },
            Self::Weibull { shape, scale } => DistributionChoice::Weibull { shape, scale },
            Self::Empirical(values) => DistributionChoice::Empirical(values),
            Self::Transfer { .. } => return None,
        })
    }
}

/// A node-local cache of model weights.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CacheFile {
    /// Size of the cache.
    pub size: Size,
    /// Size of the weights; weights larger than the cache are never cached.
    pub model: Size,
    /// A DaemonSet fills it this often; without it the first pod that downloads does.
    #[serde(default)]
    pub sync_period: Option<Time>,
    /// What else is kept in it. The least recently used makes room.
    #[serde(default)]
    pub others: Vec<ArtifactFile>,
    /// When new versions of the weights are released; copies made before are of no use to pods that start later.
    #[serde(default)]
    pub releases: Vec<Time>,
}

/// Something else in the cache: another model, an adapter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ArtifactFile {
    /// Name.
    pub name: String,
    /// Its size.
    pub size: Size,
    /// Time between its uses on one node.
    pub every: Distribution<Time>,
}

/// A link that concurrent transfers share.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LinkFile {
    /// Name by which phases refer to it.
    pub name: String,
    /// Its bandwidth.
    pub bandwidth: Bandwidth,
    /// Every node has its own, instead of all sharing one.
    #[serde(default)]
    pub per_node: bool,
}
