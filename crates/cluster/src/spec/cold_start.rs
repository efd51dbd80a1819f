//! What a pod goes through between getting a node and being ready: the parts that are its service's own, and the links and caches that the
//! pods of all services share.

use units::{Bytes, SimDuration, SimTime};
use workload::Distribution;

/// What a pod goes through on its node.
#[derive(Clone, Debug)]
pub struct ColdStartSpec {
    /// Container image.
    pub image_pull: PhaseSpec,
    /// Model weights to the node.
    pub model_download: PhaseSpec,
    /// Weights to the GPU.
    pub gpu_load: PhaseSpec,
    /// First inferences.
    pub cuda_warm_up: PhaseSpec,
    /// Whether download and GPU load overlap (streaming loaders): the longer of both counts.
    pub streaming_load: bool,
    /// Image already on every node.
    pub image_pre_pulled: bool,
    /// Weights that are kept in the nodes' caches; `None`: they are downloaded every time.
    pub weights: Option<WeightsSpec>,
    /// Restoring a pod from a snapshot, or waking it from sleep, in place of download, load and warm-up.
    pub restore: Option<RestoreSpec>,
}

/// Restore in place of download, GPU load and warm-up.
#[derive(Clone, Debug)]
pub struct RestoreSpec {
    /// How long it takes.
    pub length: PhaseSpec,
    /// True if every node can restore from the start; false if a node can once a pod of the service has been warm on it.
    pub everywhere: bool,
}

/// The length of one phase.
#[derive(Clone, Debug)]
pub enum PhaseSpec {
    /// A time in seconds.
    Time(Distribution),
    /// Bytes through shared links (max–min fair), plus a fixed time in seconds (unpacking, API calls).
    Transfer {
        /// How much.
        bytes: Bytes,
        /// Indexes into [`super::FleetSpec::links`]; the slowest share decides.
        links: Vec<usize>,
        /// Fixed part.
        fixed: Distribution,
    },
}

/// A link that concurrent transfers share.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkSpec {
    /// Name: `nic`, `registry`, `bucket`, `nvme`.
    pub name: String,
    /// Bytes per second.
    pub bytes_per_second: f64,
    /// True if every node has its own, false if all share one.
    pub per_node: bool,
}

/// A node-local cache of model weights.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheSpec {
    /// Size; weights larger than this are never cached.
    pub size: Bytes,
    /// Filled by a DaemonSet that syncs this often, or (`None`) by the first pod that downloads.
    pub sync_period: Option<SimDuration>,
    /// What else is kept in it; the least recently used goes first.
    pub others: Vec<ArtifactSpec>,
}

/// A service's weights as caches hold them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightsSpec {
    /// Their size.
    pub bytes: Bytes,
    /// When new versions of them are released, ascending: copies made before are of no use to pods that start later.
    pub releases: Vec<SimTime>,
}

/// Something else in a node's cache: another model, an adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct ArtifactSpec {
    /// Name.
    pub name: String,
    /// Its size.
    pub bytes: Bytes,
    /// Time in seconds between its uses on one node.
    pub gap: Distribution,
}
