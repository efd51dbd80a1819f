//! Language models on GPUs: how long the passes of an engine take and how many tokens its KV cache holds, by the name of a preset.
//!
//! A preset is a row of `presets/llm.csv` or, for a dense model that has none, a rough law from the GPU's bandwidth and throughput. It
//! knows nothing of scenarios or manifests: those say which flags count.

mod error;
mod gpu;
mod law;
mod memory;
mod name;
mod preset;
mod rough;
mod shape;
mod table;

pub use error::PresetError;
pub use gpu::{ServingGpu, serving_gpu, serving_gpus};
pub use law::IterationLaw;
pub use memory::{KvType, KvUse, RESERVE_GIB, kv_tokens};
pub use name::model_slug;
pub use preset::{LlmPreset, Origin, PresetEngine, RealRows, llm_preset, llm_preset_for, llm_presets};
pub use shape::{ModelShape, model_shape};
