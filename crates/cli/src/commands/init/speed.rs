//! How fast a replica may serve on a GPU: a guess that belongs to the GPU that is billed, never to another.

use prices::Gpu;
use scenario::server::ModelSize;

/// A dense model in 16 bits.
struct Model {
    name: &'static str,
    billions: f64,
    layers: f64,
    kv_heads: f64,
    head_size: f64,
}

impl Model {
    const fn new(name: &'static str, billions: f64, (layers, kv_heads, head_size): (f64, f64, f64)) -> Self {
        Self { name, billions, layers, kv_heads, head_size }
    }

    /// Bytes of KV cache per token and GPU.
    fn kv_bytes(&self, gpus: f64) -> f64 {
        2.0 * self.layers * (self.kv_heads / gpus).max(1.0) * self.head_size * 2.0
    }
}

/// From the largest to the smallest (layers, KV heads and head size of their published configurations).
const MODELS: [Model; 6] = [
    Model::new("Llama-3.1-70B", 70.55, (80.0, 8.0, 128.0)),
    Model::new("Qwen2.5-32B", 32.76, (64.0, 8.0, 128.0)),
    Model::new("Qwen2.5-14B", 14.77, (48.0, 8.0, 128.0)),
    Model::new("Llama-3.1-8B", 8.03, (32.0, 8.0, 128.0)),
    Model::new("Llama-3.2-3B", 3.21, (28.0, 8.0, 128.0)),
    Model::new("Llama-3.2-1B", 1.24, (16.0, 8.0, 64.0)),
];

/// The largest that is taken where nothing says how large the model is: what such GPUs usually serve.
const USUAL: &str = "Llama-3.1-8B";

/// Tokens of context a GPU must have room for beside the weights.
const KV_TOKENS_MIN: f64 = 16_384.0;

/// What the engine keeps for activations, graphs and context.
const RESERVE_BYTES: f64 = 2.0 * 1_073_741_824.0;

/// `service.model` of a vLLM replica on `count` GPUs of this model, by memory bandwidth and throughput: good to about a quarter. `None` if
/// nothing is known of its throughput, or the model does not fit; without a `size` it is the largest usual one that does.
pub fn tokens(gpu: &Gpu, count: u32, size: Option<ModelSize>) -> Option<String> {
    let gpus = f64::from(count.max(1));
    let (bandwidth, flops) = (gpu.bandwidth_gb_s * 1e9, gpu.tflops? * 1e12);
    let (model, size, kv_tokens) = match size {
        Some(size) => {
            let model = like(size);
            (model, size, kv_tokens(gpu, gpus, (model, size))?)
        }
        None => MODELS.iter().skip_while(|model| model.name != USUAL).find_map(|model| {
            let size = ModelSize { billions: model.billions, bytes_each: 2.0 };
            Some((model, size, kv_tokens(gpu, gpus, (model, size))?))
        })?,
    };
    let (compute, stream) = efficiency(gpu);
    let together = if count <= 1 { 1.0 } else { 0.85_f64.powf(gpus.log2()) };
    let host = 40e-6 * model.layers + if count > 1 { 11e-6 * model.layers } else { 0.0 };
    let pass = size.weight_bytes() / gpus / (0.81 * bandwidth) + host;
    let per_prompt = 2e9 * size.billions / gpus / (flops * compute * together);
    let per_kv = model.kv_bytes(gpus) / (bandwidth * stream);
    let on = if count > 1 { format!("{count} {}", gpu.name) } else { format!("one {}", gpu.name) };
    let what = if (size.billions / model.billions - 1.0).abs() < 0.05 {
        model.name.to_owned()
    } else {
        format!("a model of {} billion parameters", size.billions)
    };
    Some(format!(
        "    # GUESS: {what} on {on} with vLLM, from the GPU's memory bandwidth and throughput, good to a quarter.\n    \
         # `scalelab calibrate service --format vllm-bench FILE…` fits yours.\n    model:\n      continuousBatching:\n        \
         sequencesMax: 256\n        batchedTokensMax: 8192\n        kvTokens: {kv_tokens}\n        iterationMin: {:.2}ms\n        \
         iterationBase: {:.2}ms\n        perKvToken: {:.1}ns\n        perPromptToken: {:.2}us\n        \
         promptTokens: {{logNormal: {{p50: 1000, p90: 2700}}}} # of requests without tokens of their own\n        \
         outputTokens: {{logNormal: {{p50: 130, p90: 420}}}}\n",
        pass * 1e3,
        pass * 1e3,
        per_kv * 1e9,
        per_prompt * 1e6,
    ))
}

/// Whether the usual model, or one of this size, is what the measured H100 serves.
pub fn is_measured(gpu: &Gpu, count: u32, size: Option<ModelSize>) -> bool {
    let is_usual = size.is_none_or(|size| like(size).name == USUAL && size.bytes_each >= 2.0 && size.billions < 9.0);
    gpu.name == "H100" && count <= 1 && is_usual
}

/// The model whose shape one of this size most likely has.
fn like(size: ModelSize) -> &'static Model {
    let distance = |model: &Model| (size.billions / model.billions).ln().abs();
    MODELS.iter().min_by(|one, other| distance(one).total_cmp(&distance(other))).expect("there are models")
}

/// Tokens of context that fit beside the weights; `None` if too few do.
fn kv_tokens(gpu: &Gpu, gpus: f64, (model, size): (&Model, ModelSize)) -> Option<f64> {
    // Where the driver's word is not known: about a twentieth less than the maker's.
    let reported = gpu.driver_memory_mib.map_or(gpu.memory_gib * 1024.0 * 0.94, |mib| mib as f64);
    let memory = reported * 1_048_576.0 * 0.994;
    let room = 0.9 * memory - size.weight_bytes() / gpus - RESERVE_BYTES;
    let tokens = (room / model.kv_bytes(gpus) / 16.0).floor() * 16.0;
    (tokens >= KV_TOKENS_MIN).then_some(tokens)
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
        let (small, large) = (tokens(gpu("T4"), 1, None).unwrap(), tokens(gpu("A100-80GB"), 1, None).unwrap());
        assert!(small.contains("Llama-3.2-3B on one T4") && small.contains("iterationBase: 25.89ms"), "{small}");
        assert!(large.contains("Llama-3.1-8B on one A100-80GB") && large.contains("iterationBase: 11.00ms"), "{large}");
    }

    #[test]
    fn several_gpus_share_the_weights() {
        let pair = tokens(gpu("L4"), 2, None).unwrap();
        assert!(pair.contains("Llama-3.1-8B on 2 L4"), "{pair}");
    }

    #[test]
    fn a_gpu_of_unknown_throughput_gets_no_guess() {
        assert_eq!(tokens(gpu("P100"), 1, None), None);
    }

    #[test]
    fn a_model_that_says_how_large_it_is_gets_gpus_that_hold_it() {
        let large = Some(ModelSize { billions: 70.0, bytes_each: 2.0 });
        assert_eq!(tokens(gpu("A100-80GB"), 1, large), None);
        let four = tokens(gpu("A100-80GB"), 4, large).unwrap();
        assert!(four.contains("Llama-3.1-70B on 4 A100-80GB"), "{four}");
        let quantized = tokens(gpu("A100-80GB"), 1, Some(ModelSize { billions: 70.0, bytes_each: 0.6 }));
        assert!(quantized.is_some(), "42 GB of weights leave room");
    }
}
