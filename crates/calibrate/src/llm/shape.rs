//! Shapes of language models, from their published configurations.

use super::name::model_slug;

/// What a model is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModelShape {
    /// Name in presets, without the type of its weights.
    pub name: &'static str,
    /// Parameters in billions, all experts included.
    pub billions: f64,
    /// Layers.
    pub layers: u32,
    /// Layers whose cache grows with the sequence; the others see a window.
    pub growing_layers: u32,
    /// Attention heads.
    pub heads: u32,
    /// Heads of keys and values; 0: one latent for all of them, which tensor parallelism does not divide.
    pub kv_heads: u32,
    /// Width of a head, or of the latent.
    pub head_size: u32,
    /// A mixture of experts: how many wake depends on the tokens in a pass.
    pub is_mixture: bool,
}

const fn dense(
    name: &'static str,
    billions: f64,
    layers: u32,
    (heads, kv_heads, head_size): (u32, u32, u32),
) -> ModelShape {
    ModelShape { name, billions, layers, growing_layers: layers, heads, kv_heads, head_size, is_mixture: false }
}

const fn mixture(
    name: &'static str,
    billions: f64,
    layers: u32,
    (heads, kv_heads, head_size): (u32, u32, u32),
) -> ModelShape {
    ModelShape { is_mixture: true, ..dense(name, billions, layers, (heads, kv_heads, head_size)) }
}

const SHAPES: [ModelShape; 27] = [
    dense("llama-3.1-8b", 8.03, 32, (32, 8, 128)),
    dense("llama-3.1-70b", 70.55, 80, (64, 8, 128)),
    dense("llama-3.1-405b", 405.85, 126, (128, 8, 128)),
    dense("llama-3.2-1b", 1.24, 16, (32, 8, 64)),
    dense("llama-3.2-3b", 3.21, 28, (24, 8, 128)),
    dense("llama-2-7b", 6.74, 32, (32, 32, 128)),
    dense("llama-2-13b", 13.02, 40, (40, 40, 128)),
    dense("llama-2-70b", 68.98, 80, (64, 8, 128)),
    dense("qwen2.5-1.5b", 1.54, 28, (12, 2, 128)),
    dense("qwen2.5-3b", 3.09, 36, (16, 2, 128)),
    dense("qwen2.5-7b", 7.62, 28, (28, 4, 128)),
    dense("qwen2.5-14b", 14.77, 48, (40, 8, 128)),
    dense("qwen2.5-32b", 32.76, 64, (40, 8, 128)),
    dense("qwen2.5-72b", 72.71, 80, (64, 8, 128)),
    dense("qwen3-0.6b", 0.6, 28, (16, 8, 128)),
    dense("qwen3-1.7b", 2.03, 28, (16, 8, 128)),
    dense("qwen3-4b", 4.02, 36, (32, 8, 128)),
    dense("qwen3-8b", 8.19, 36, (32, 8, 128)),
    dense("qwen3-14b", 14.77, 40, (40, 8, 128)),
    dense("qwen3-32b", 32.76, 64, (64, 8, 128)),
    dense("mistral-7b", 7.25, 32, (32, 8, 128)),
    mixture("qwen3-30b-a3b", 30.53, 48, (32, 4, 128)),
    mixture("qwen3-235b-a22b", 235.09, 94, (64, 4, 128)),
    mixture("mixtral-8x7b", 46.7, 32, (32, 8, 128)),
    ModelShape { growing_layers: 12, ..mixture("gpt-oss-20b", 20.91, 24, (64, 8, 64)) },
    ModelShape { growing_layers: 18, ..mixture("gpt-oss-120b", 116.83, 36, (64, 8, 64)) },
    mixture("deepseek-v3", 671.03, 61, (128, 0, 576)),
];

/// The shape of a model by any of its usual names; what its weights are made of does not matter.
pub fn model_shape(name: &str) -> Option<&'static ModelShape> {
    let slug = model_slug(name);
    let plain = slug.strip_suffix("-fp8").unwrap_or(&slug);
    SHAPES.iter().find(|shape| shape.name == plain)
}

/// Names of all shapes.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SHAPES.iter().map(|shape| shape.name)
}

impl ModelShape {
    /// Values of the KV cache per token on each of `tp` GPUs.
    pub fn kv_values_per_token(&self, tp: u32) -> f64 {
        if self.kv_heads == 0 {
            return f64::from(self.growing_layers * self.head_size);
        }
        let heads = (f64::from(self.kv_heads) / f64::from(tp)).max(1.0);
        2.0 * f64::from(self.growing_layers) * heads * f64::from(self.head_size)
    }
}
