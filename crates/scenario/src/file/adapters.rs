//! Adapters of a model (LoRA): what a server does with them, and how many requests are for which.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::quantity::{Bandwidth, Share, Size, Time};

use super::routing::PopularityFile;

/// `adapters`: a pass holds requests for the base model and for `maxActive` adapters at most; who would be one adapter too many is passed over and
/// waits. An adapter that is not in the GPU's memory is loaded when a pass first needs it, and the whole pass waits for that; what was used last
/// stays. Of scheduler `vllm` only.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct AdaptersFile {
    /// `--max-loras`: adapters of a pass, and slots for them in the GPU's memory; as the flag of the server says, else 1.
    pub max_active: Option<u32>,
    /// `--max-cpu-loras`: adapters kept in the machine's memory, those in a slot included; as the flag says, else as many as `maxActive`.
    pub max_cpu: Option<u32>,
    /// Size of each adapter: 2 MB per rank is usual for a model of 7 or 8 billion parameters.
    pub size: Option<Size>,
    /// From the machine's memory into a slot; takes no time unless said.
    pub load: AdapterTimeFile,
    /// Into the machine's memory, from disk or from where they are; takes no time unless said.
    pub fetch: AdapterTimeFile,
    /// What each adapter of a pass adds to its time, in percent of that without.
    pub step_overhead: Share,
}

impl Default for AdaptersFile {
    fn default() -> Self {
        let (load, fetch) = (AdapterTimeFile::default(), AdapterTimeFile::default());
        Self { max_active: None, max_cpu: None, size: None, load, fetch, step_overhead: Share(0.0) }
    }
}

/// `load` and `fetch`: `fixed` + size / `bandwidth`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct AdapterTimeFile {
    /// Whatever the size.
    pub fixed: Option<Time>,
    /// What the size is divided by.
    pub bandwidth: Option<Bandwidth>,
}

/// `traffic.adapters`: how many requests are for which adapter of the model.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct TrafficAdaptersFile {
    /// Adapters there are; as many as `--lora-modules` of the server names unless said.
    pub count: Option<u32>,
    /// Share of the requests that are for any of them; the rest is for the base model.
    pub share: Share,
    /// How often each is used.
    pub popularity: PopularityFile,
    /// In place of these: the share of the requests that are for the first adapter, for the second and so on; at most 100% together.
    pub shares: Vec<Share>,
    /// In place of all these: each request is for the adapter that its trace names, in a column `adapter` or the one of `trace.columns.adapter`.
    pub from_trace: bool,
}

impl Default for TrafficAdaptersFile {
    fn default() -> Self {
        let popularity = PopularityFile::Uniform;
        Self { count: None, share: Share(1.0), popularity, shares: Vec::new(), from_trace: false }
    }
}
