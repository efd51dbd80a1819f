//! Which server a container runs, told by its command or its image.

use crate::tree::Node;

use super::shape::gpu_containers;

/// Servers of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "names of products")]
pub enum Engine {
    Vllm,
    Sglang,
    TextGenerationInference,
    TextEmbeddingsInference,
    Triton,
    TensorRtLlm,
    Nim,
    Dynamo,
    RayServe,
    LmDeploy,
    Djl,
    Ollama,
    LlamaCpp,
    Infinity,
    HuggingfaceServer,
}

/// How a server works through requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serving {
    /// Token by token, many sequences in one iteration.
    Tokens,
    /// Batch by batch.
    Batches,
}

impl Engine {
    /// Its name, as its makers write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Vllm => "vLLM",
            Self::Sglang => "SGLang",
            Self::TextGenerationInference => "TGI",
            Self::TextEmbeddingsInference => "TEI",
            Self::Triton => "Triton",
            Self::TensorRtLlm => "TensorRT-LLM",
            Self::Nim => "NIM",
            Self::Dynamo => "Dynamo",
            Self::RayServe => "Ray Serve",
            Self::LmDeploy => "LMDeploy",
            Self::Djl => "DJL Serving",
            Self::Ollama => "Ollama",
            Self::LlamaCpp => "llama.cpp",
            Self::Infinity => "Infinity",
            Self::HuggingfaceServer => "KServe's Hugging Face server",
        }
    }

    /// How it works through requests.
    pub fn serving(self) -> Serving {
        match self {
            Self::Triton | Self::TextEmbeddingsInference | Self::Infinity => Serving::Batches,
            _ => Serving::Tokens,
        }
    }
}

/// Words of a command, as they stand in it.
const COMMANDS: [(&str, Engine); 21] = [
    ("vllm serve", Engine::Vllm),
    ("vllm.entrypoints.", Engine::Vllm),
    ("sglang.launch_server", Engine::Sglang),
    ("sglang serve", Engine::Sglang),
    ("sglang_router", Engine::Sglang),
    ("text-generation-launcher", Engine::TextGenerationInference),
    ("text-embeddings-router", Engine::TextEmbeddingsInference),
    ("tritonserver", Engine::Triton),
    ("ollama serve", Engine::Ollama),
    ("llama-server", Engine::LlamaCpp),
    ("trtllm-serve", Engine::TensorRtLlm),
    ("dynamo.vllm", Engine::Dynamo),
    ("dynamo.sglang", Engine::Dynamo),
    ("dynamo.trtllm", Engine::Dynamo),
    ("lmdeploy serve", Engine::LmDeploy),
    ("infinity_emb", Engine::Infinity),
    ("huggingfaceserver", Engine::HuggingfaceServer),
    ("serve run", Engine::RayServe),
    ("ray start", Engine::RayServe),
    ("djl-serving", Engine::Djl),
    ("start_triton_server", Engine::Triton),
];

/// Last elements of an image's repository. Triton stands first: its tags name the engines inside it.
const IMAGES: [(&str, Engine); 19] = [
    ("tritonserver", Engine::Triton),
    ("vllm-openai", Engine::Vllm),
    ("vllm-runtime", Engine::Dynamo),
    ("sglang-runtime", Engine::Dynamo),
    ("tensorrtllm-runtime", Engine::Dynamo),
    ("vllm", Engine::Vllm),
    ("llm-d-cuda", Engine::Vllm),
    ("llm-d", Engine::Vllm),
    ("sglang", Engine::Sglang),
    ("text-generation-inference", Engine::TextGenerationInference),
    ("text-embeddings-inference", Engine::TextEmbeddingsInference),
    ("tensorrt-llm", Engine::TensorRtLlm),
    ("ollama", Engine::Ollama),
    ("llama.cpp", Engine::LlamaCpp),
    ("djl-inference", Engine::Djl),
    ("lmdeploy", Engine::LmDeploy),
    ("infinity", Engine::Infinity),
    ("ray-llm", Engine::RayServe),
    ("huggingfaceserver", Engine::HuggingfaceServer),
];

/// What names of an engine's own metrics begin with, and what its router's begin with, which say nothing of the pods.
const METRICS: [(&str, Engine); 8] = [
    ("vllm:", Engine::Vllm),
    ("sglang:", Engine::Sglang),
    ("tgi_", Engine::TextGenerationInference),
    ("te_", Engine::TextEmbeddingsInference),
    ("nv_inference_", Engine::Triton),
    ("nv_trt_llm_", Engine::Triton),
    ("ray_serve_", Engine::RayServe),
    ("lmdeploy:", Engine::LmDeploy),
];

/// The server whose metrics a query or a metric's name asks for.
pub fn engine_of_metrics(text: &str) -> Option<Engine> {
    let mut words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_' || letter == ':'));
    let of = |word: &str| METRICS.iter().find(|(prefix, _)| word.starts_with(prefix)).map(|(_, engine)| *engine);
    words.find_map(of)
}

/// The server of a pod: that of its containers with an accelerator, by their commands, then by their images.
pub fn engine(template: &Node) -> Option<Engine> {
    let containers = gpu_containers(template);
    let by_command = containers.iter().find_map(|container| of_command(&words(container)));
    by_command.or_else(|| containers.iter().find_map(|container| of_image(container.text_at(&["image"])?)))
}

/// Command and arguments in one line.
fn words(container: &Node) -> String {
    let parts = ["command", "args"].into_iter().filter_map(|key| container.get(key));
    let words: Vec<&str> = parts.flat_map(Node::items).filter_map(Node::text).collect();
    words.join(" ")
}

fn of_command(command: &str) -> Option<Engine> {
    let flat = command.split_whitespace().collect::<Vec<_>>().join(" ");
    let found = COMMANDS.iter().filter_map(|(word, engine)| Some((flat.find(word)?, *engine)));
    found.min_by_key(|(position, _)| *position).map(|(_, engine)| engine)
}

fn of_image(image: &str) -> Option<Engine> {
    // The tag comes after the last colon, the digest after `@`; a port of a registry stands before a slash.
    let bare = image.split('@').next().unwrap_or(image);
    let repository = match bare.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => bare,
    };
    let elements: Vec<String> = repository.to_lowercase().split('/').map(str::to_owned).collect();
    let last = elements.last()?;
    let exact = IMAGES.iter().find(|(name, _)| last == name);
    if let Some((_, engine)) = exact {
        return Some(*engine);
    }
    if elements.iter().any(|element| element == "nim") {
        return Some(Engine::Nim);
    }
    if elements.iter().any(|element| element == "rayproject") {
        return Some(Engine::RayServe);
    }
    // Builds of one's own are called after what is in them: `my-vllm`, `vllm-cuda12`.
    let parts: Vec<&str> = last.split(['-', '_', '.']).collect();
    let is_in = |name: &str| parts.contains(&name) || (name.contains(['-', '.']) && last.contains(name));
    IMAGES.iter().find(|(name, _)| is_in(name)).map(|(_, engine)| *engine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_told_by_its_repository_not_by_its_tag() {
        assert_eq!(of_image("nvcr.io/nvidia/tritonserver:24.08-trtllm-python-py3"), Some(Engine::Triton));
        assert_eq!(of_image("registry.example:5000/team/vllm-cuda12@sha256:00"), Some(Engine::Vllm));
        assert_eq!(of_image("nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8.4"), Some(Engine::Nim));
        assert_eq!(
            of_image("ghcr.io/huggingface/text-embeddings-inference:1.6"),
            Some(Engine::TextEmbeddingsInference)
        );
        assert_eq!(of_image("example/all-llm-things:1"), None);
    }

    #[test]
    fn a_command_says_more_than_an_image() {
        assert_eq!(of_command("sh -c  exec python3 -m sglang.launch_server --model x"), Some(Engine::Sglang));
        assert_eq!(of_command("python app.py"), None);
    }
}
