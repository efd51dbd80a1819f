//! What the command line of an LLM server says of memory and of how it runs: what the size of the KV cache and the length of a pass go by.

use super::{Stated, Words, number, vllm_release_of};
use crate::manifest::workload::Engine;
use crate::tree::Node;

/// From this release on vLLM takes more of the memory.
const VLLM_TAKES_MORE: (u32, u32, u32) = (0, 21, 0);

/// Type of the values in a KV cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheType {
    /// The type of the model's own values.
    Model,
    /// 8 bits.
    Fp8,
}

/// How a server uses its GPUs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemorySettings {
    /// GPUs that share one copy of the model.
    pub tensor_parallel: Option<Stated<u32>>,
    /// Copies of the model in one server, which share its seats and its cache.
    pub data_parallel: Option<Stated<u32>>,
    /// Stages that the layers are spread over.
    pub pipeline_parallel: Option<Stated<u32>>,
    /// Share of the memory that the engine takes; of what, is its own.
    pub share: Option<Stated<f64>>,
    /// Type of the KV cache.
    pub cache: Option<Stated<CacheType>>,
    /// True if kernels are launched one by one, without CUDA graphs.
    pub is_eager: Option<String>,
    /// How the weights are quantized.
    pub quantization: Option<String>,
    /// Why none of this is known.
    pub is_script: bool,
}

/// Reads the container of a server of this kind.
pub(crate) fn memory_settings(container: &Node, engine: Engine) -> MemorySettings {
    let words = Words::of(container);
    if words.is_script {
        return MemorySettings { is_script: true, ..MemorySettings::default() };
    }
    let image = container.get("image").and_then(Node::text);
    match engine {
        Engine::Vllm => vllm(&words, image.and_then(vllm_release_of)),
        Engine::Sglang => sglang(&words),
        Engine::TensorRtLlm => tensorrt_llm(&words),
        _ => MemorySettings::default(),
    }
}

fn share(words: &Words, flags: &[&str]) -> Option<Stated<f64>> {
    let (flag, value) = words.flag(flags)?;
    let share = value.parse::<f64>().ok().filter(|share| *share > 0.0 && *share <= 1.0)?;
    Some(Stated::written(share, format!("{flag} {value}")))
}

fn cache(words: &Words) -> Option<Stated<CacheType>> {
    let (flag, value) = words.flag(&["--kv-cache-dtype", "--kv_cache_dtype"])?;
    let kind = if value.starts_with("fp8") { CacheType::Fp8 } else { CacheType::Model };
    Some(Stated::written(kind, format!("{flag} {value}")))
}

fn vllm(words: &Words, release: Option<(u32, u32, u32)>) -> MemorySettings {
    let default = match release {
        Some(release) if release >= VLLM_TAKES_MORE => Stated::default(0.92, "vLLM's default from 0.21 on"),
        Some(_) => Stated::default(0.9, "vLLM's default before 0.21"),
        None => Stated::default(0.9, "vLLM's default before 0.21, for want of a release"),
    };
    MemorySettings {
        tensor_parallel: number(words, &["--tensor-parallel-size", "-tp"]),
        data_parallel: number(words, &["--data-parallel-size", "-dp"]),
        pipeline_parallel: number(words, &["--pipeline-parallel-size", "-pp"]),
        share: share(words, &["--gpu-memory-utilization"]).or(Some(default)),
        cache: cache(words).or(Some(Stated::default(CacheType::Model, "vLLM's default, `auto`, is the model's type"))),
        is_eager: (words.switch("--enforce-eager") == Some(true)).then(|| "--enforce-eager".to_owned()),
        quantization: words.flag(&["--quantization", "-q"]).map(|(_, method)| method),
        is_script: false,
    }
}

fn sglang(words: &Words) -> MemorySettings {
    MemorySettings {
        tensor_parallel: number(words, &["--tensor-parallel-size", "--tp-size", "--tp"]),
        data_parallel: number(words, &["--data-parallel-size", "--dp-size", "--dp"]),
        pipeline_parallel: number(words, &["--pipeline-parallel-size", "--pp-size", "--pp"]),
        share: share(words, &["--mem-fraction-static"])
            .or(Some(Stated::default(0.88, "about SGLang's default on a large GPU"))),
        cache: cache(words),
        is_eager: (words.switch("--disable-cuda-graph") == Some(true)).then(|| "--disable-cuda-graph".to_owned()),
        quantization: words.flag(&["--quantization"]).map(|(_, method)| method),
        is_script: false,
    }
}

fn tensorrt_llm(words: &Words) -> MemorySettings {
    MemorySettings {
        tensor_parallel: number(words, &["--tp-size"]),
        pipeline_parallel: number(words, &["--pp-size"]),
        share: share(words, &["--kv-cache-free-gpu-memory-fraction", "--free-gpu-memory-fraction"])
            .or(Some(Stated::default(0.9, "trtllm-serve's default"))),
        ..MemorySettings::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::parse_documents;

    fn read(container: &str, engine: Engine) -> MemorySettings {
        memory_settings(&parse_documents("a.yaml", container).expect("YAML")[0], engine)
    }

    #[test]
    fn memory_goes_by_the_flag_and_else_by_the_release() {
        let share = |container: &str| read(container, Engine::Vllm).share.map(|share| share.value);
        assert_eq!(share("{image: \"vllm/vllm-openai:v0.20.2\"}"), Some(0.9));
        assert_eq!(share("{image: \"vllm/vllm-openai:v0.21.0\"}"), Some(0.92));
        assert_eq!(share("{image: \"vllm/vllm-openai:latest\", args: [--gpu-memory-utilization=0.85]}"), Some(0.85));
        assert!(read("{command: [bash, /start.sh]}", Engine::Vllm).is_script);
    }

    #[test]
    fn the_type_of_the_cache_and_eager_mode_are_read() {
        let flags = "{args: [--kv-cache-dtype, fp8_e4m3, --enforce-eager, --tensor-parallel-size, \"4\"]}";
        let found = read(flags, Engine::Vllm);
        assert_eq!(found.cache.map(|cache| cache.value), Some(CacheType::Fp8));
        assert_eq!(
            (found.is_eager.as_deref(), found.tensor_parallel.map(|degree| degree.value)),
            (Some("--enforce-eager"), Some(4))
        );
        assert_eq!(read("{args: [--tp, \"2\"]}", Engine::Sglang).tensor_parallel.map(|degree| degree.value), Some(2));
    }
}
