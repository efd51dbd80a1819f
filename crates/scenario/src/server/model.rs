//! How large a model is, as far as its name says.

use super::Words;
use crate::tree::Node;

/// The size of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModelSize {
    /// Parameters, in billions; all experts of a mixture.
    pub billions: f64,
    /// Bytes of a parameter in GPU memory.
    pub bytes_each: f64,
}

impl ModelSize {
    /// Bytes of its weights.
    pub fn weight_bytes(self) -> f64 {
        self.billions * 1e9 * self.bytes_each
    }
}

/// Flags and variables that name the model, the most exact first: a served name may be an alias.
const FLAGS: [&str; 5] = ["--model", "--model-path", "--model-id", "--model-name", "--served-model-name"];
const VARIABLES: [&str; 5] = ["MODEL_ID", "MODEL", "MODEL_NAME", "HF_MODEL_ID", "NIM_MODEL_NAME"];

/// The names that a container gives the model it is told to serve, the most exact first; the image names it where a NIM has it built in.
pub(crate) fn model_names(container: &Node) -> Vec<String> {
    let words = Words::of(container);
    let by_flag = FLAGS.iter().filter_map(|flag| Some(words.flag(&[flag])?.1));
    let by_variable = VARIABLES.iter().filter_map(|name| words.variable(name).map(str::to_owned));
    let image = container.get("image").and_then(Node::text).filter(|image| image.contains("/nim/")).map(str::to_owned);
    by_flag.chain(words.served()).chain(by_variable).chain(image).collect()
}

/// The size of the model that a container is told to serve.
pub(crate) fn model_size(container: &Node) -> Option<ModelSize> {
    let words = Words::of(container);
    let quantization =
        words.flag(&["--quantization", "--quantize", "-q"]).map(|(_, method)| method).unwrap_or_default();
    model_names(container).into_iter().find_map(|name| size_of(&name, &quantization))
}

/// The size that a model's name or address says.
pub fn size_in_name(name: &str) -> Option<ModelSize> {
    size_of(name, "")
}

/// `Llama-3.1-8B`, `Mixtral-8x7B`, `gpt-oss-20b`: the first part that is a number and a B.
fn size_of(name: &str, quantization: &str) -> Option<ModelSize> {
    let lower = name.to_lowercase();
    let mut parts = lower.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '.'));
    let billions = parts.find_map(billions)?;
    let has =
        |words: &[&str]| words.iter().any(|word| lower.contains(word) || quantization.to_lowercase().contains(word));
    let bytes_each = if has(&["awq", "gptq", "int4", "w4a16", "fp4", "4bit", "bitsandbytes", "gpt-oss", "q4_"]) {
        0.6
    } else if has(&["fp8", "int8", "w8a8", "w8a16", "8bit", "q8_"]) {
        1.05
    } else {
        2.0
    };
    Some(ModelSize { billions, bytes_each })
}

/// `8b`, `1.5b`, `8x7b`, `405b`, `llama3.2.3b` is none.
fn billions(part: &str) -> Option<f64> {
    let figure = part.strip_suffix('b')?;
    let parse = |text: &str| text.parse::<f64>().ok().filter(|value| *value > 0.0 && *value < 5_000.0);
    match figure.split_once('x') {
        // Experts share what is not theirs: 8 x 7 B are 47 B.
        Some((experts, each)) => Some(parse(experts)? * parse(each)? * 0.84),
        None => parse(figure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_of_names_that_have_one() {
        let of = |name: &str| size_of(name, "").map(|size| (size.billions * size.bytes_each).round());
        assert_eq!(of("meta-llama/Llama-3.1-8B-Instruct"), Some(16.0));
        assert_eq!(of("Qwen/Qwen2.5-1.5B"), Some(3.0));
        assert_eq!(of("mistralai/Mixtral-8x7B-v0.1"), Some(94.0));
        assert_eq!(of("hugging-quants/Llama-3.1-70B-Instruct-AWQ-INT4"), Some(42.0));
        assert_eq!(of("Qwen/Qwen3-30B-A3B-FP8"), Some(32.0));
        assert_eq!(of("microsoft/phi-4"), None);
        assert_eq!(of("BAAI/bge-m3"), None);
    }
}
