//! What the command line of a model server says of how it serves: how many requests at once, how many tokens in an iteration, how many
//! GPUs it uses.
//!
//! Flags and defaults are those of the engines' own sources, by release where they changed (vLLM `config/scheduler.py`, SGLang
//! `server_args.py`, TGI `launcher`, Triton `model_config.proto`). What is not written and has no default that is known stays open.

mod lora;
mod memory;
mod model;
mod scheduler;
mod slips;
mod stop;
mod triton;
mod words;

pub(crate) use lora::LoraFlags;
pub(crate) use memory::memory_settings;
pub use memory::{CacheType, MemorySettings};
pub use model::ModelSize;
pub use model::size_in_name;
pub(crate) use model::{model_names, model_size};
pub(crate) use scheduler::{Drafts, Scheduling, scheduling};
pub(crate) use slips::slips;
pub use stop::Stopping;
pub(crate) use stop::{in_words, stopping};
pub use triton::TritonConfig;
pub use words::Words;

use crate::manifest::workload::Engine;
use crate::tree::Node;

/// What flags of prefill and decode apart come to without two services.
pub(crate) const APART: &str = "prefill and decode apart are two `services`, the one that decodes with `traffic.from.kvTransfer`; \
    here every replica does both";

/// A value and what says so: `--max-num-seqs 24`, `vLLM's default on a GPU of 80 GB`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated<T> {
    /// The value.
    pub value: T,
    /// What says so.
    pub source: String,
    /// True if it is the engine's default and nobody wrote it.
    pub is_default: bool,
}

impl<T> Stated<T> {
    fn written(value: T, source: String) -> Self {
        Self { value, source, is_default: false }
    }

    fn default(value: T, source: &str) -> Self {
        Self { value, source: source.to_owned(), is_default: true }
    }
}

/// The GPU of the machine, where it is known: some defaults depend on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gpu<'a> {
    /// Product name, as drivers print it.
    pub name: &'a str,
    /// Memory in GiB.
    pub memory_gib: f64,
}

/// How a server was told to serve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Requests in service at once, of one replica.
    pub sequences_max: Option<Stated<u32>>,
    /// Tokens in one iteration.
    pub batched_tokens_max: Option<Stated<u32>>,
    /// GPUs that a replica's processes use.
    pub gpus: Option<Stated<u32>>,
    /// What a user should know of what was read and is not modelled.
    pub notes: Vec<String>,
}

/// Reads the container of a server of this kind, whose release the tag of its image may tell.
pub(crate) fn settings(container: &Node, engine: Engine, gpu: Option<Gpu<'_>>) -> Settings {
    let words = Words::of(container);
    let release = container.get("image").and_then(Node::text).and_then(vllm_release_of);
    if words.is_script {
        let notes =
            vec!["start command not understood: a script starts the server, so none of its flags is read".to_owned()];
        return Settings { notes, ..Settings::default() };
    }
    match engine {
        Engine::Vllm => vllm(&words, release, gpu),
        Engine::Sglang => sglang(&words, gpu),
        Engine::TextGenerationInference => text_generation_inference(&words),
        Engine::Nim => nim(&words),
        Engine::TensorRtLlm => tensorrt_llm(&words),
        Engine::Ollama => ollama(&words),
        Engine::LlamaCpp => llama_cpp(&words),
        _ => Settings::default(),
    }
}

/// `v0.10.2` as (0, 10, 2); `None` for `latest`, digests and other tags.
fn release_of(image: &str) -> Option<(u32, u32, u32)> {
    let tag = image.split('@').next()?.rsplit_once(':')?.1;
    let mut parts = tag.trim_start_matches('v').split(['.', '-', '+']);
    let mut next = || parts.next().and_then(|part| part.parse().ok());
    Some((next()?, next()?, next().unwrap_or(0)))
}

/// The release of vLLM in an image of its own makers; the tags of other builds of it count other releases.
fn vllm_release_of(image: &str) -> Option<(u32, u32, u32)> {
    let repository = image.split('@').next()?.rsplit_once(':')?.0;
    let mut path = repository.rsplit('/');
    let (name, owner) = (path.next()?, path.next());
    let is_own = name == "vllm" || (name.starts_with("vllm-") && owner == Some("vllm"));
    is_own.then(|| release_of(image)).flatten()
}

fn number(words: &Words, flags: &[&str]) -> Option<Stated<u32>> {
    let (flag, value) = words.flag(flags)?;
    Some(Stated::written(count(&value)?, format!("{flag} {value}")))
}

/// A whole number, as vLLM reads them too: `8k` is 8,000, `8K` 8,192, `25.6k` 25,600; decimals go with the small letters only.
pub(crate) fn count(text: &str) -> Option<u32> {
    let Some(unit) = text.chars().last().filter(char::is_ascii_alphabetic) else { return text.parse().ok() };
    let number = &text[..text.len() - 1];
    let whole = number.parse::<u32>().ok();
    let times = |power: u32| whole?.checked_mul(1024_u32.pow(power));
    match unit {
        'K' => times(1),
        'M' => times(2),
        'k' | 'm' => {
            let factor = if unit == 'k' { 1e3 } else { 1e6 };
            let product = number.parse::<f64>().ok()? * factor;
            (product >= 0.0 && product <= f64::from(u32::MAX)).then_some(product as u32)
        }
        _ => None,
    }
}

fn variable(words: &Words, name: &str) -> Option<Stated<u32>> {
    let value = words.variable(name)?;
    Some(Stated::written(value.parse().ok()?, format!("{name}={value}")))
}

/// The product of parallel sizes; nothing where none is written.
fn product(factors: &[Option<Stated<u32>>]) -> Option<Stated<u32>> {
    let written: Vec<&Stated<u32>> = factors.iter().flatten().collect();
    let source: Vec<&str> = written.iter().map(|factor| factor.source.as_str()).collect();
    let value = written.iter().map(|factor| factor.value).product();
    (!written.is_empty()).then(|| Stated::written(value, source.join(", ")))
}

fn vllm(words: &Words, release: Option<(u32, u32, u32)>, gpu: Option<Gpu<'_>>) -> Settings {
    let is_old = release.is_some_and(|release| release < (0, 8, 0)) || words.variable("VLLM_USE_V1") == Some("0");
    let context = number(words, &["--max-model-len"]);
    let doubled = words.flag(&["--performance-mode"]).is_some_and(|(_, mode)| mode == "throughput");
    let factor = if doubled { 2 } else { 1 };
    let large = gpu.map(|gpu| gpu.memory_gib >= 70.0 && !gpu.name.to_lowercase().contains("a100"));
    let default_of = |on_large: u32, else_: u32| match (is_old, release, large) {
        (true, ..) => Some(Stated::default(if on_large == 1024 { 256 } else { 2048 }, "vLLM's default before 0.8")),
        (_, Some((0, 8, patch)), _) if patch < 4 && on_large == 1024 => {
            Some(Stated::default(1024, "vLLM's default in 0.8"))
        }
        (_, _, Some(true)) => Some(Stated::default(on_large * factor, "vLLM's default on a GPU of 70 GiB or more")),
        (_, _, Some(false)) => Some(Stated::default(else_ * factor, "vLLM's default on a GPU of this size")),
        (_, _, None) => None,
    };
    let sequences = number(words, &["--max-num-seqs"]).or_else(|| default_of(1024, 256));
    let batched = number(words, &["--max-num-batched-tokens"]).or_else(|| {
        let mut default = default_of(8192, 2048)?;
        // The scheduler never plans more tokens than its sequences can hold.
        if let (Some(sequences), Some(context)) = (&sequences, &context) {
            default.value = default.value.min(sequences.value.saturating_mul(context.value));
        }
        Some(default)
    });
    let sequences = match (sequences, &batched) {
        (Some(sequences), Some(batched)) if sequences.is_default && sequences.value > batched.value => {
            Some(Stated { value: batched.value, ..sequences })
        }
        (sequences, _) => sequences,
    };
    let data =
        number(words, &["--data-parallel-size-local"]).or_else(|| number(words, &["--data-parallel-size", "-dp"]));
    let mut notes = Vec::new();
    if words.switch("--enforce-eager") == Some(true) {
        notes.push(
            "--enforce-eager: no CUDA graphs, so coldStart.cudaWarmUp is about 0 and decoding is slower".to_owned(),
        );
    }
    if let Some((flag, _)) = words.flag(&["--kv-transfer-config"]) {
        notes.push(format!("{flag}: {APART}"));
    }
    Settings {
        sequences_max: sequences,
        batched_tokens_max: batched,
        gpus: product(&[
            number(words, &["--tensor-parallel-size", "-tp"]),
            number(words, &["--pipeline-parallel-size", "-pp"]),
            data,
        ]),
        notes,
    }
}

fn sglang(words: &Words, gpu: Option<Gpu<'_>>) -> Settings {
    let by_memory = |gpu: Gpu<'_>| match gpu.memory_gib {
        small if small < 35.0 => 2048,
        middle if middle < 60.0 => 4096,
        large if large < 160.0 => 8192,
        _ => 16384,
    };
    let by_default = || Some(Stated::default(by_memory(gpu?), "SGLang's default on a GPU of this size"));
    // -1: prompts are computed whole.
    let chunk = if scheduler::chunks_are_off(words) {
        None
    } else {
        number(words, &["--chunked-prefill-size"]).or_else(by_default)
    };
    Settings {
        sequences_max: number(words, &["--max-running-requests"]),
        batched_tokens_max: chunk,
        gpus: product(&[
            number(words, &["--tensor-parallel-size", "--tp-size", "--tp"]),
            number(words, &["--pipeline-parallel-size", "--pp-size", "--pp"]),
            number(words, &["--data-parallel-size", "--dp-size", "--dp"]),
        ]),
        notes: Vec::new(),
    }
}

fn text_generation_inference(words: &Words) -> Settings {
    let read = |flag: &str, name: &str| number(words, &[flag]).or_else(|| variable(words, name));
    let limit = read("--max-concurrent-requests", "MAX_CONCURRENT_REQUESTS")
        .unwrap_or_else(|| Stated::default(128, "TGI's default"));
    let notes = vec![format!(
        "TGI turns requests away beyond {} at once in a replica ({}); the model has one limit for the service: service.queueLimit",
        limit.value, limit.source
    )];
    Settings {
        sequences_max: read("--max-batch-size", "MAX_BATCH_SIZE"),
        batched_tokens_max: read("--max-batch-prefill-tokens", "MAX_BATCH_PREFILL_TOKENS"),
        gpus: read("--num-shard", "NUM_SHARD"),
        notes,
    }
}

fn nim(words: &Words) -> Settings {
    Settings {
        sequences_max: variable(words, "NIM_MAX_NUM_SEQS"),
        batched_tokens_max: None,
        gpus: product(&[variable(words, "NIM_TENSOR_PARALLEL_SIZE"), variable(words, "NIM_PIPELINE_PARALLEL_SIZE")]),
        notes: Vec::new(),
    }
}

fn tensorrt_llm(words: &Words) -> Settings {
    let default = |value| Some(Stated::default(value, "trtllm-serve's default"));
    Settings {
        sequences_max: number(words, &["--max-batch-size"]).or_else(|| default(2048)),
        batched_tokens_max: number(words, &["--max-num-tokens"]).or_else(|| default(8192)),
        gpus: product(&[number(words, &["--tp-size"]), number(words, &["--pp-size"])]),
        notes: Vec::new(),
    }
}

fn ollama(words: &Words) -> Settings {
    let sequences = variable(words, "OLLAMA_NUM_PARALLEL").unwrap_or_else(|| Stated::default(1, "Ollama's default"));
    let notes = vec![
        "Ollama is ready before it has loaded: the first request pays for the load, which is not modelled".to_owned(),
    ];
    Settings { sequences_max: Some(sequences), notes, ..Settings::default() }
}

fn llama_cpp(words: &Words) -> Settings {
    let sequences = number(words, &["--parallel", "-np"])
        .or_else(|| variable(words, "LLAMA_ARG_N_PARALLEL"))
        .unwrap_or_else(|| Stated::default(4, "llama-server's default"));
    let batch =
        number(words, &["--batch-size", "-b"]).unwrap_or_else(|| Stated::default(2048, "llama-server's default"));
    Settings { sequences_max: Some(sequences), batched_tokens_max: Some(batch), ..Settings::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::parse_documents;

    const H100: Gpu<'static> = Gpu { name: "NVIDIA H100 80GB HBM3", memory_gib: 80.0 };
    const L4: Gpu<'static> = Gpu { name: "NVIDIA L4", memory_gib: 24.0 };

    fn read(container: &str, engine: Engine, gpu: Option<Gpu<'_>>) -> (Option<u32>, Option<u32>, Option<u32>) {
        let container = &parse_documents("a.yaml", container).expect("YAML")[0];
        let found = settings(container, engine, gpu);
        let value = |stated: Option<Stated<u32>>| stated.map(|stated| stated.value);
        (value(found.sequences_max), value(found.batched_tokens_max), value(found.gpus))
    }

    #[test]
    fn what_is_written_counts_whatever_the_gpu() {
        let container = "{image: vllm/vllm-openai:v0.10.2, args: [--max-num-seqs, \"24\", --max-num-batched-tokens=4096, -tp, \"2\"]}";
        assert_eq!(read(container, Engine::Vllm, None), (Some(24), Some(4096), Some(2)));
    }

    #[test]
    fn defaults_of_vllm_go_by_memory_and_release() {
        let of = |tag: &str, gpu| read(&format!("{{image: \"vllm/vllm-openai:{tag}\"}}"), Engine::Vllm, gpu);
        assert_eq!(of("v0.11.0", Some(H100)), (Some(1024), Some(8192), None));
        assert_eq!(of("v0.11.0", Some(L4)), (Some(256), Some(2048), None));
        let a100 = Gpu { name: "NVIDIA A100-SXM4-80GB", memory_gib: 80.0 };
        assert_eq!(of("v0.11.0", Some(a100)), (Some(256), Some(2048), None));
        assert_eq!(of("v0.6.3", Some(H100)).0, Some(256));
        assert_eq!(of("v0.8.2", Some(L4)).0, Some(1024));
        assert_eq!(of("latest", None), (None, None, None));
    }

    #[test]
    fn a_short_context_bounds_the_tokens_of_an_iteration() {
        let container = "{image: vllm/vllm-openai:v0.11.0, args: [--max-num-seqs, \"2\", --max-model-len, \"512\"]}";
        assert_eq!(read(container, Engine::Vllm, Some(H100)).1, Some(1024));
    }

    #[test]
    fn numbers_may_have_the_letters_that_vllm_reads() {
        let counts = ["8192", "8k", "8K", "25.6k", "1M", "1.5K", "8q", "k", "5000000k"].map(count);
        let expected = [Some(8192), Some(8000), Some(8192), Some(25_600), Some(1_048_576), None, None, None, None];
        assert_eq!(counts, expected);
        let container = "{args: [--max-num-batched-tokens, 16K, --max-num-seqs, 1k]}";
        assert_eq!(read(container, Engine::Vllm, Some(H100)), (Some(1_000), Some(16_384), None));
    }

    #[test]
    fn other_engines_have_flags_and_variables_of_their_own() {
        let sglang = "{args: [--max-running-requests, \"64\", --tp, \"4\"]}";
        assert_eq!(read(sglang, Engine::Sglang, Some(L4)), (Some(64), Some(2048), Some(4)));
        let tgi = "{env: [{name: MAX_BATCH_PREFILL_TOKENS, value: \"4096\"}, {name: NUM_SHARD, value: \"2\"}]}";
        assert_eq!(read(tgi, Engine::TextGenerationInference, None), (None, Some(4096), Some(2)));
        assert_eq!(read("{}", Engine::Ollama, None).0, Some(1));
        assert_eq!(read("{args: [-np, \"8\"]}", Engine::LlamaCpp, None), (Some(8), Some(2048), None));
        let nim = "{env: [{name: NIM_TENSOR_PARALLEL_SIZE, value: \"2\"}]}";
        assert_eq!(read(nim, Engine::Nim, None).2, Some(2));
    }
}
