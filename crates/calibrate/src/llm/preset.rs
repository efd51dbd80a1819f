//! Presets by name.

use cluster::spec::{PrefillFirst, Scheduler};

use super::error::PresetError;
use super::gpu::{ServingGpu, serving_gpu};
use super::law::IterationLaw;
use super::memory::{KvType, KvUse, RESERVE_GIB, kv_tokens};
use super::name::{Parts, model_slug};
use super::rough;
use super::shape::{self, ModelShape, model_shape};
use super::table::rows;

/// Engines that presets are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresetEngine {
    /// vLLM.
    Vllm,
    /// SGLang.
    Sglang,
    /// TensorRT-LLM.
    TensorRtLlm,
}

impl PresetEngine {
    /// By its word in names.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Vllm, Self::Sglang, Self::TensorRtLlm].into_iter().find(|engine| engine.name() == word)
    }

    /// Its word in names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vllm => "vllm",
            Self::Sglang => "sglang",
            Self::TensorRtLlm => "trtllm",
        }
    }

    /// Its name, as its makers write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Vllm => "vLLM",
            Self::Sglang => "SGLang",
            Self::TensorRtLlm => "TensorRT-LLM",
        }
    }

    /// Its scheduler, as it comes.
    pub fn scheduler(self) -> Scheduler {
        match self {
            Self::Vllm => Scheduler::Vllm,
            Self::Sglang => Scheduler::PrefillFirst(PrefillFirst::default()),
            Self::TensorRtLlm => Scheduler::NoEvict,
        }
    }

    /// Host time per sequence and pass, in seconds: real engines against the simulator's passes, where it is not in them.
    pub fn per_sequence_s(self) -> f64 {
        match self {
            Self::Vllm => 25e-6,
            Self::Sglang => 10e-6,
            Self::TensorRtLlm => 5e-6,
        }
    }

    /// The share of memory it takes where no flag says otherwise; [`kv_tokens`] says of what.
    pub fn memory_share(self) -> f64 {
        match self {
            Self::Sglang => 0.88,
            Self::Vllm | Self::TensorRtLlm => 0.9,
        }
    }

    /// Sequences and tokens of a pass where no flag says otherwise, on a GPU with this name and memory.
    pub fn limits(self, gpu: &ServingGpu) -> (u32, u32) {
        match self {
            Self::Vllm if gpu.memory_gib >= 70.0 && gpu.name != "a100" => (1_024, 8_192),
            Self::Vllm => (256, 2_048),
            // SGLang's seats come from its cache, with at least so many.
            Self::Sglang if gpu.memory_gib >= 150.0 => (2_048, 16_384),
            Self::Sglang if gpu.memory_gib >= 58.0 => (2_048, 8_192),
            Self::Sglang => (2_048, 4_096),
            Self::TensorRtLlm => (2_048, 8_192),
        }
    }
}

/// How a preset was against published rows of real engines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RealRows {
    /// How many.
    pub rows: u32,
    /// Median of measured time per token over the preset's.
    pub tpot_ratio: f64,
    /// Measured time to first token = slope x the preset's + offset.
    pub ttft_slope: f64,
    /// The offset in milliseconds.
    pub ttft_offset_ms: f64,
}

/// Where a preset is from. Nobody measured it.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// A fit to a simulator's passes.
    Fit {
        /// Release of the engine that the simulator's tables are of.
        engine_version: String,
        /// Passes fitted.
        passes: u32,
        /// RMS error over them in percent.
        rms_pct: f64,
        /// End-to-end runs of the same simulator that were not fitted.
        checked_runs: u32,
        /// RMS errors over them in percent: time to first token,
        checked_ttft_pct: f64,
        /// time per output token,
        checked_tpot_pct: f64,
        /// whole answers.
        checked_e2e_pct: f64,
        /// Published rows of real engines, where there are any.
        real: Option<RealRows>,
    },
    /// From bandwidth and throughput.
    Rough,
}

/// A model on GPUs with an engine.
#[derive(Clone, Debug, PartialEq)]
pub struct LlmPreset {
    /// `MODEL-GPU-tpN-ENGINE`.
    pub name: String,
    /// The model with the type of its weights, as presets call it.
    pub model: String,
    /// What it is made of.
    pub shape: &'static ModelShape,
    /// The GPU.
    pub gpu: &'static ServingGpu,
    /// GPUs that share the model.
    pub tp: u32,
    /// The engine.
    pub engine: PresetEngine,
    /// How long passes take.
    pub law: IterationLaw,
    /// Weights on each GPU in GiB.
    pub weights_gib: f64,
    /// Type of the KV cache that the law is about.
    pub kv_type: KvType,
    /// Where it is from.
    pub origin: Origin,
}

/// Every row of the table.
pub fn llm_presets() -> &'static [LlmPreset] {
    rows()
}

/// The preset of a name: a row of the table, or the rough law of a dense model without one. Without `tpN` it is the one on a single GPU, or
/// the only one.
pub fn llm_preset(name: &str) -> Result<LlmPreset, PresetError> {
    let near = || nearest(name);
    let unknown = || PresetError::Unknown { name: name.to_owned(), near: near() };
    let parts = Parts::of(name).ok_or_else(unknown)?;
    let (Some(gpu), Some(engine)) = (serving_gpu(&parts.gpu), PresetEngine::of(&parts.engine)) else {
        return Err(unknown());
    };
    let of_kind = rows().iter().filter(|row| row.model == parts.model && row.gpu == gpu && row.engine == engine);
    let of_kind: Vec<&LlmPreset> = of_kind.collect();
    let tp = match (parts.tp, of_kind.as_slice()) {
        (Some(tp), _) => tp,
        (None, [only]) => only.tp,
        (None, rows) if rows.is_empty() || rows.iter().any(|row| row.tp == 1) => 1,
        (None, rows) => {
            let choices = rows.iter().map(|row| row.name.clone()).collect();
            return Err(PresetError::Ambiguous { name: name.to_owned(), choices });
        }
    };
    if let Some(row) = of_kind.iter().find(|row| row.tp == tp) {
        return Ok((*row).clone());
    }
    let shape = model_shape(&parts.model).ok_or_else(unknown)?;
    if engine != PresetEngine::Vllm || parts.model.ends_with("-fp8") {
        return Err(PresetError::OnlyPlain { name: name.to_owned(), near: near() });
    }
    rough::preset(shape, gpu, tp)
}

/// The preset of a model by any of its names, on `tp` GPUs of this name.
pub fn llm_preset_for(model: &str, gpu: &str, (tp, engine): (u32, PresetEngine)) -> Result<LlmPreset, PresetError> {
    let gpu = serving_gpu(gpu).map_or(gpu, |gpu| gpu.name);
    llm_preset(&format!("{}-{gpu}-tp{tp}-{}", model_slug(model), engine.name()))
}

fn nearest(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    if let Some(near) = names::nearest(&lower, rows().iter().map(|row| row.name.as_str())) {
        return Some(near.to_owned());
    }
    // A row of the same model and engine is nearer than one of similar letters.
    let parts = Parts::of(&lower)?;
    let of_model = rows().iter().filter(|row| row.model == parts.model);
    let of_model = of_model
        .max_by_key(|row| (row.engine.name() == parts.engine, row.gpu.name == parts.gpu, std::cmp::Reverse(row.tp)));
    of_model.map(|row| row.name.clone()).or_else(|| {
        let model = names::nearest(&parts.model, shape::names())?;
        Some(lower.replacen(&parts.model, model, 1)).filter(|near| *near != lower)
    })
}

impl LlmPreset {
    /// Tokens in the KV cache of a replica with the engine's defaults.
    pub fn kv_tokens(&self) -> Option<u64> {
        self.kv_tokens_with(self.engine.memory_share(), None)
    }

    /// Tokens in the KV cache with another share of the memory, or another type of cache.
    pub fn kv_tokens_with(&self, share: f64, kv_type: Option<KvType>) -> Option<u64> {
        kv_tokens(self.engine, &self.kv_use(share, kv_type.unwrap_or(self.kv_type)))
    }

    fn kv_use(&self, share: f64, kv_type: KvType) -> KvUse {
        KvUse {
            memory_gib: self.gpu.memory_gib,
            share,
            weights_gib: self.weights_gib,
            bytes_per_token: self.shape.kv_values_per_token(self.tp) * kv_type.bytes(),
        }
    }

    /// How the size of the cache was worked out, with the numbers.
    pub fn kv_in_words(&self, share: f64, kv_type: KvType) -> String {
        let KvUse { memory_gib, weights_gib, bytes_per_token, .. } = self.kv_use(share, kv_type);
        let room = match self.engine {
            PresetEngine::Vllm => format!("{share} x {memory_gib} - {weights_gib:.1} weights - {RESERVE_GIB}"),
            PresetEngine::Sglang => format!("{share} x {memory_gib} - {weights_gib:.1} weights"),
            PresetEngine::TensorRtLlm => format!("{share} x ({memory_gib} - {weights_gib:.1} weights - {RESERVE_GIB})"),
        };
        format!("({room}) GiB / {bytes_per_token:.0} B")
    }

    /// Where it is from and how good it is, in one line.
    pub fn source(&self) -> String {
        match &self.origin {
            Origin::Fit {
                engine_version,
                passes,
                rms_pct,
                checked_runs,
                checked_tpot_pct,
                checked_ttft_pct,
                real,
                ..
            } => {
                let checked = match checked_runs {
                    0 => String::new(),
                    runs => format!(
                        "; {runs} whole runs of that simulator TTFT {checked_ttft_pct} %, TPOT {checked_tpot_pct} %"
                    ),
                };
                let real = real.map_or_else(String::new, |real| {
                    format!(
                        "; {} published rows of real engines took {:.2} x its time per token",
                        real.rows, real.tpot_ratio
                    )
                });
                format!(
                    "not measured: a fit to {passes} passes of {} {engine_version} predicted by a simulator (AISimulate 0.13 dev, 2026-10-27), \
                     RMS {rms_pct} %{checked}{real}",
                    self.engine.title()
                )
            }
            Origin::Rough => "rough: +-25 %: from the GPU's bandwidth and throughput, for want of a preset".to_owned(),
        }
    }

    /// The least time in which the GPUs could compute a prompt of so many tokens; `None` for mixtures, of which a part works.
    pub fn prefill_at_full_speed_s(&self, tokens: f64) -> Option<f64> {
        if self.shape.is_mixture {
            return None;
        }
        let flops = self.gpu.rough.flops;
        // Two operations per parameter and token; 8-bit weights run at twice the speed.
        let parameters = self.shape.billions * 1e9 / f64::from(self.tp);
        let speed = if self.model.ends_with("-fp8") { 2.0 } else { 1.0 };
        Some(2.0 * parameters * tokens / (flops * speed))
    }

    /// True if nobody fitted it.
    pub fn is_rough(&self) -> bool {
        self.origin == Origin::Rough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_the_number_of_gpus_is_the_single_one_or_the_only_one() {
        let name = |name: &str| llm_preset(name).map(|preset| preset.name);
        assert_eq!(name("llama-3.1-8b-h100-vllm").as_deref(), Ok("llama-3.1-8b-h100-tp1-vllm"));
        assert_eq!(name("Llama-3.3-70B-Instruct-h100-tp4-vllm").as_deref(), Ok("llama-3.1-70b-h100-tp4-vllm"));
        assert_eq!(name("deepseek-r1-h100-vllm").as_deref(), Ok("deepseek-v3-h100-tp16-vllm"));
        let several = llm_preset("llama-3.1-70b-h100-vllm").unwrap_err().to_string();
        assert_eq!(
            several,
            "`llama-3.1-70b-h100-vllm` is one of several: llama-3.1-70b-h100-tp4-vllm, llama-3.1-70b-h100-tp8-vllm"
        );
    }

    #[test]
    fn what_has_no_row_is_rough_or_refused() {
        assert!(llm_preset("qwen2.5-14b-a100-tp2-vllm").unwrap().is_rough());
        assert!(llm_preset("mixtral-8x7b-l40s-tp2-vllm").unwrap_err().to_string().contains("mixture of experts"));
        assert!(llm_preset("llama-3.1-70b-l40s-tp4-vllm").unwrap_err().to_string().contains("4 x l40s"));
        assert!(llm_preset("qwen3-8b-h100-tp1-sglang").unwrap_err().to_string().contains("`qwen3-8b-"));
        let near = llm_preset("llama-3.1-8b-h100-tp1-vlm").unwrap_err().to_string();
        assert_eq!(
            near,
            "no preset `llama-3.1-8b-h100-tp1-vlm`; did you mean `llama-3.1-8b-h100-tp1-vllm`?; `scalelab calibrate presets` lists them"
        );
        assert!(
            llm_preset("llama-3.1-8b-h300-tp1-vllm").unwrap_err().to_string().contains("`llama-3.1-8b-h100-tp1-vllm`")
        );
    }
}
