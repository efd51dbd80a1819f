//! How fast a replica may serve on a GPU: a guess that belongs to the GPU that is billed, never to another.

use prices::Gpu;

/// A dense model of the size such GPUs usually serve, in 16 bits.
struct Model {
    name: &'static str,
    weight_bytes: f64,
    layers: f64,
    kv_heads: f64,
    head_size: f64,
}

/// From the largest to the smallest: the first whose weights leave room is taken.
const MODELS: [Model; 3] = [
    Model { name: "Llama-3.1-8B", weight_bytes: 16.06e9, layers: 32.0, kv_heads: 8.0, head_size: 128.0 },
    Model { name: "Llama-3.2-3B", weight_bytes: 6.43e9, layers: 28.0, kv_heads: 8.0, head_size: 128.0 },
    Model { name: "Llama-3.2-1B", weight_bytes: 2.47e9, layers: 16.0, kv_heads: 8.0, head_size: 64.0 },
];

/// Tokens of context a GPU must have room for beside the weights.
const KV_TOKENS_MIN: f64 = 16_384.0;

/// What the engine keeps for activations, graphs and context.
const RESERVE_BYTES: f64 = 2.0 * 1_073_741_824.0;

/// `service.model` of a vLLM replica on `count` GPUs of this model, by memory bandwidth and throughput: good to about a quarter. `None` if
/// nothing is known of its throughput, or no model fits.
pub fn tokens(gpu: &Gpu, count: u32) -> Option<String> {
    let gpus = f64::from(count.max(1));
    let memory = gpu.driver_memory_mib? as f64 * 1_048_576.0 * 0.994;
    let (bandwidth, flops) = (gpu.bandwidth_gb_s * 1e9, gpu.tflops? * 1e12);
    let (model, kv_tokens) = MODELS.iter().find_map(|model| {
        let room = 0.9 * memory - model.weight_bytes / gpus - RESERVE_BYTES;
        let kv_tokens = (room / model.kv_bytes(gpus) / 16.0).floor() * 16.0;
        (kv_tokens >= KV_TOKENS_MIN).then_some((model, kv_tokens))
    })?;
    let (compute, stream) = efficiency(gpu);
    let together = if count <= 1 { 1.0 } else { 0.85_f64.powf(gpus.log2()) };
    let host = 40e-6 * model.layers + if count > 1 { 11e-6 * model.layers } else { 0.0 };
    let pass = model.weight_bytes / gpus / (0.81 * bandwidth) + host;
    let per_prompt = model.weight_bytes / gpus / (flops * compute * together);
    let per_kv = model.kv_bytes(gpus) / (bandwidth * stream);
    let name = if count > 1 { format!("{count} {}", gpu.name) } else { format!("one {}", gpu.name) };
    Some(format!(
        "    # GUESS: {} on {name} with vLLM, from the GPU's memory bandwidth and throughput, good to a quarter.\n    \
         # `scalelab calibrate service --format vllm-bench FILE…` fits yours.\n    model:\n      continuousBatching:\n        \
         sequencesMax: 256\n        batchedTokensMax: 8192\n        kvTokens: {kv_tokens}\n        iterationMin: {:.2}ms\n        \
         iterationBase: {:.2}ms\n        perKvToken: {:.1}ns\n        perPromptToken: {:.2}us\n        \
         promptTokens: {{logNormal: {{p50: 1000, p90: 2700}}}} # of requests without tokens of their own\n        \
         outputTokens: {{logNormal: {{p50: 130, p90: 420}}}}\n",
        model.name,
        pass * 1e3,
        pass * 1e3,
        per_kv * 1e9,
        per_prompt * 1e6,
    ))
}

impl Model {
    /// Bytes of KV cache per token and GPU.
    fn kv_bytes(&self, gpus: f64) -> f64 {
        2.0 * self.layers * (self.kv_heads / gpus).max(1.0) * self.head_size * 2.0
    }
}

/// Shares of throughput and bandwidth that serving reaches, by the GPU's generation.
fn efficiency(gpu: &Gpu) -> (f64, f64) {
    match gpu.family.as_str() {
        "hopper" => (0.77, 0.89),
        "ampere" => (0.79, 0.74),
        "blackwell" => (0.64, 0.93),
        _ => (0.60, 0.76),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(name: &str) -> &'static Gpu {
        prices::gpus().iter().find(|gpu| gpu.name == name).unwrap()
    }

    #[test]
    fn a_small_gpu_serves_a_smaller_model_more_slowly() {
        let (small, large) = (tokens(gpu("T4"), 1).unwrap(), tokens(gpu("A100-80GB"), 1).unwrap());
        assert!(small.contains("Llama-3.2-3B on one T4") && small.contains("iterationBase: 25.93ms"), "{small}");
        assert!(large.contains("Llama-3.1-8B on one A100-80GB") && large.contains("iterationBase: 11.00ms"), "{large}");
    }

    #[test]
    fn several_gpus_share_the_weights() {
        let pair = tokens(gpu("L4"), 2).unwrap();
        assert!(pair.contains("Llama-3.1-8B on 2 L4"), "{pair}");
    }

    #[test]
    fn a_gpu_of_unknown_throughput_gets_no_guess() {
        assert_eq!(tokens(gpu("P100"), 1), None);
    }
}
