//! The preset of the model that is served on the GPU that is billed.

use calibrate::llm::{LlmPreset, PresetEngine, llm_preset_for, model_shape};
use prices::Gpu;
use scenario::Engine;

/// The preset of a model by any of its names: a row of the table or, for a dense model, a rough law; `None` if there is neither, or the
/// weights leave no room for a cache.
pub fn preset_of(model: &str, (gpu, count): (&Gpu, u32), engine: Option<Engine>) -> Option<LlmPreset> {
    let engine = match engine {
        Some(Engine::Sglang) => PresetEngine::Sglang,
        Some(Engine::TensorRtLlm) => PresetEngine::TensorRtLlm,
        _ => PresetEngine::Vllm,
    };
    let preset = llm_preset_for(model, &gpu.name, (count.max(1), engine)).ok()?;
    preset.kv_tokens().is_some().then_some(preset)
}

/// Whether nothing may be guessed of a model because it is a mixture of experts.
pub fn is_mixture(model: &str) -> bool {
    model_shape(model).is_some_and(|shape| shape.is_mixture)
}

/// `service.model` by this preset.
pub fn text(preset: &LlmPreset, model: &str) -> String {
    let quality = if preset.is_rough() { "GUESS, rough: +-25 %" } else { "GUESS: a simulator's, not measured" };
    format!(
        "    # {quality}: {model} on {} x {} with {}. Sizes of batch and cache follow from the server's flags.\n    \
         # `scalelab calibrate service --preset {} FILE…` corrects it by your load tests.\n    model:\n      continuousBatching:\n        \
         preset: {}\n        promptTokens: {{logNormal: {{p50: 1000, p90: 2700}}}} # of requests without tokens of their own\n        \
         outputTokens: {{logNormal: {{p50: 130, p90: 420}}}}\n",
        preset.tp,
        preset.gpu.board(),
        preset.engine.title(),
        preset.name,
        preset.name,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(name: &str) -> &'static Gpu {
        prices::gpus().iter().find(|gpu| gpu.name == name).unwrap()
    }

    #[test]
    fn a_model_that_is_named_gets_its_preset_on_the_gpu_that_is_billed() {
        let name = |model: &str, gpu_name: &str, count, engine| {
            preset_of(model, (gpu(gpu_name), count), engine).map(|preset| preset.name)
        };
        assert_eq!(
            name("meta-llama/Llama-3.1-8B-Instruct", "H100", 1, None).as_deref(),
            Some("llama-3.1-8b-h100-tp1-vllm")
        );
        assert_eq!(
            name("Qwen/Qwen3-32B", "H100", 2, Some(Engine::Sglang)).as_deref(),
            Some("qwen3-32b-h100-tp2-sglang")
        );
        assert_eq!(
            name("Qwen/Qwen2.5-14B-Instruct", "A100-80GB", 1, None).as_deref(),
            Some("qwen2.5-14b-a100-tp1-vllm")
        );
        // Too large for the card; another GPU than any; a mixture without a row.
        assert_eq!(name("meta-llama/Llama-3.1-70B", "H100", 1, None), None);
        assert_eq!(name("meta-llama/Llama-3.1-8B", "L4", 1, None), None);
        assert_eq!(name("openai/gpt-oss-120b", "A100-80GB", 2, None), None);
    }
}
