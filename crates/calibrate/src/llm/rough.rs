//! A law for dense models in 16 bits that have no preset, from the GPU's bandwidth and throughput.
//!
//! Over the passes of 30 combinations its RMS error is 4 to 22 %, 8 % in the median, and 3 % too low on average; the coefficients come from
//! those passes. Mixtures of experts have no such law.

use super::error::PresetError;
use super::gpu::ServingGpu;
use super::law::IterationLaw;
use super::memory::KvType;
use super::preset::{LlmPreset, Origin, PresetEngine};
use super::shape::ModelShape;

const GIB: f64 = 1_073_741_824.0;

/// Share of the bandwidth that reading the weights reaches.
const WEIGHT_STREAM: f64 = 0.81;

/// Host and launch time per layer; with several GPUs the reduction comes on top.
const LAYER_S: f64 = 40e-6;
const REDUCTION_S: f64 = 11e-6;

/// Tokens of the passes that are tabulated: straight lines between them are within 1 % of the curve.
const KNOTS: [u32; 16] = [1, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096, 8192];

/// The law of a model on `tp` GPUs.
pub(super) fn preset(shape: &'static ModelShape, gpu: &'static ServingGpu, tp: u32) -> Result<LlmPreset, PresetError> {
    if shape.is_mixture {
        return Err(PresetError::Mixture { model: shape.name });
    }
    if shape.billions < 1.0 {
        return Err(PresetError::TooSmall { model: shape.name });
    }
    let known = Some(gpu.rough).filter(|known| tp <= known.tp_max);
    let shared = match tp {
        1 => Some(1.0),
        2 => Some(0.85),
        4 => Some(0.72),
        8 => Some(0.56),
        _ => None,
    };
    let (Some(known), Some(shared)) = (known, shared) else {
        return Err(PresetError::NoRough { gpu: gpu.name, tp });
    };
    let (gpus, layers) = (f64::from(tp), f64::from(shape.layers));
    let weights = shape.billions * 1e9 * 2.0 / gpus;
    let host = layers * (LAYER_S + if tp > 1 { REDUCTION_S } else { 0.0 });
    let shortest = weights / (WEIGHT_STREAM * known.bandwidth) + host;
    let per_token = weights / (known.flops * known.compute * shared);
    let kv_type = KvType::Bf16;
    let law = IterationLaw {
        token_time: KNOTS
            .iter()
            .map(|tokens| (*tokens, libm::hypot(shortest, per_token * f64::from(*tokens))))
            .collect(),
        per_kv_token_s: shape.kv_values_per_token(tp) * kv_type.bytes() / (known.bandwidth * known.stream),
        per_prompt_token_context_s: 4.0 * layers * f64::from(shape.heads) * f64::from(shape.head_size)
            / (gpus * known.flops * known.attention),
        per_sequence_s: PresetEngine::Vllm.per_sequence_s(),
    };
    Ok(LlmPreset {
        name: format!("{}-{}-tp{tp}-vllm", shape.name, gpu.name),
        model: shape.name.to_owned(),
        shape,
        gpu,
        tp,
        engine: PresetEngine::Vllm,
        law,
        weights_gib: weights / GIB,
        kv_type,
        origin: Origin::Rough,
    })
}

#[cfg(test)]
mod tests {
    use super::super::table::rows;
    use super::*;

    #[test]
    fn the_rough_law_is_within_a_quarter_of_every_dense_preset_it_could_stand_for() {
        let mut worst: Vec<(f64, &str)> = Vec::new();
        for row in rows().iter().filter(|row| row.engine == PresetEngine::Vllm && !row.model.ends_with("-fp8")) {
            let Ok(rough) = preset(row.shape, row.gpu, row.tp) else { continue };
            let off: Vec<f64> = [1.0, 64.0, 256.0, 2048.0, 8192.0]
                .iter()
                .map(|tokens| rough.law.pass_s(*tokens) / row.law.pass_s(*tokens) - 1.0)
                .collect();
            let rms = libm::sqrt(off.iter().map(|one| one * one).sum::<f64>() / off.len() as f64);
            worst.push((rms, &row.name));
        }
        worst.sort_by(|left, right| left.0.total_cmp(&right.0));
        assert!(worst.len() > 25 && worst[worst.len() / 2].0 < 0.12 && worst[worst.len() - 1].0 < 0.26, "{worst:?}");
    }
}
