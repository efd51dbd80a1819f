//! How many tokens the KV cache of an engine holds.

use super::PresetEngine;

const GIB: f64 = 1_073_741_824.0;

/// Tokens of a block.
const BLOCK: f64 = 16.0;

/// What an engine keeps on each GPU for activations, graphs, communication and context, in GiB.
pub const RESERVE_GIB: f64 = 2.0;

/// The type of the values in the KV cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvType {
    /// 16 bits.
    Bf16,
    /// 8 bits.
    Fp8,
}

impl KvType {
    /// Bytes of a value.
    pub fn bytes(self) -> f64 {
        match self {
            Self::Bf16 => 2.0,
            Self::Fp8 => 1.0,
        }
    }

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bf16 => "bf16",
            Self::Fp8 => "fp8",
        }
    }
}

/// What the memory of one GPU is used for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KvUse {
    /// Memory as CUDA reports it, in GiB.
    pub memory_gib: f64,
    /// Share the engine may use: what it means is the engine's own ([`kv_tokens`]).
    pub share: f64,
    /// Weights, in GiB.
    pub weights_gib: f64,
    /// Bytes of KV cache per token.
    pub bytes_per_token: f64,
}

/// Tokens that the KV cache of a replica holds, in whole blocks of 16; `None` if the weights leave no room.
///
/// vLLM takes its share of the memory, less weights and what it needs itself (2 GiB); SGLang's static share holds weights and cache;
/// TensorRT-LLM takes its share of what is free once the model is loaded.
pub fn kv_tokens(engine: PresetEngine, of: &KvUse) -> Option<u64> {
    let KvUse { memory_gib, share, weights_gib, bytes_per_token } = *of;
    let room = match engine {
        PresetEngine::Vllm => share * memory_gib - weights_gib - RESERVE_GIB,
        PresetEngine::Sglang => share * memory_gib - weights_gib,
        PresetEngine::TensorRtLlm => share * (memory_gib - weights_gib - RESERVE_GIB),
    };
    let blocks = libm::floor(room * GIB / bytes_per_token / BLOCK);
    (blocks >= 1.0).then_some((blocks * BLOCK) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::llm_preset;

    fn vllm(name: &str, share: f64) -> u64 {
        llm_preset(name).unwrap().kv_tokens_with(share, None).unwrap()
    }

    #[test]
    fn the_cache_is_as_large_as_engines_log_it() {
        // The engine of an 8B on an H100 logged 411,264 at 0.85; about 350k and 48k were published for Qwen3-32B at 0.95.
        assert!(vllm("llama-3.1-8b-h100-vllm", 0.85).abs_diff(411_264) < 700);
        assert!(vllm("qwen3-32b-h100-tp2-vllm", 0.95).abs_diff(349_255) < 300);
        assert!(vllm("qwen3-32b-h100-tp1-vllm", 0.95).abs_diff(49_650) < 300);
        assert_eq!(vllm("llama-3.1-70b-h100-tp4-vllm", 0.9), 476_256);
    }

    #[test]
    fn weights_that_fill_the_card_leave_no_cache() {
        let full = KvUse { memory_gib: 44.4, share: 0.9, weights_gib: 40.0, bytes_per_token: 131_072.0 };
        assert_eq!(kv_tokens(PresetEngine::Vllm, &full), None);
    }
}
