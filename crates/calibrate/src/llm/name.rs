//! Names of models and presets.

/// Models that have the shape of another.
const SAME: [(&str, &str); 8] = [
    ("llama-3.3-70b", "llama-3.1-70b"),
    ("llama-3-8b", "llama-3.1-8b"),
    ("llama-3-70b", "llama-3.1-70b"),
    ("deepseek-r1", "deepseek-v3"),
    ("deepseek-v3.1", "deepseek-v3"),
    ("mistral-7b-v0.3", "mistral-7b"),
    ("mistral-7b-v0.2", "mistral-7b"),
    ("mistral-7b-v0.1", "mistral-7b"),
];

/// What the names of models carry beside what they are.
const ENDINGS: [&str; 13] = [
    "-instruct",
    "-chat",
    "-hf",
    "-it",
    "-dynamic",
    "-2507",
    "-0324",
    "-0528",
    "-v0.1",
    "-v0.2",
    "-v0.3",
    "-bf16",
    "-base",
];

/// A model as presets call it: `meta-llama/Meta-Llama-3.1-8B-Instruct` is `llama-3.1-8b`, `Qwen/Qwen3-32B-FP8` is `qwen3-32b-fp8`.
pub fn model_slug(name: &str) -> String {
    let lower = name.trim_end_matches('/').rsplit('/').next().unwrap_or(name).to_lowercase().replace('_', "-");
    let mut slug = lower.strip_prefix("meta-").unwrap_or(&lower).to_owned();
    let mut is_fp8 = false;
    loop {
        if let Some(rest) = slug.strip_suffix("-fp8") {
            is_fp8 = true;
            slug.truncate(rest.len());
        } else if let Some(ending) = ENDINGS.iter().find(|ending| slug.ends_with(**ending)) {
            slug.truncate(slug.len() - ending.len());
        } else {
            break;
        }
    }
    // Both spellings are in use.
    if let Some(rest) = slug.strip_prefix("llama3") {
        slug = format!("llama-3{rest}");
    }
    if let Some((_, same)) = SAME.iter().find(|(other, _)| *other == slug) {
        (*same).clone_into(&mut slug);
    }
    if is_fp8 { slug + "-fp8" } else { slug }
}

/// The parts of a preset's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    /// The model, as presets call it.
    pub model: String,
    /// The word for the GPU.
    pub gpu: String,
    /// Tensor parallelism, where it is said.
    pub tp: Option<u32>,
    /// The word for the engine.
    pub engine: String,
}

impl Parts {
    /// `MODEL-GPU-tpN-ENGINE` or `MODEL-GPU-ENGINE`.
    pub fn of(name: &str) -> Option<Self> {
        let lower = name.to_lowercase().replace("tensorrt-llm", "trtllm");
        let (rest, engine) = lower.rsplit_once('-')?;
        let (before, last) = rest.rsplit_once('-')?;
        let tp = last.strip_prefix("tp").and_then(|degree| degree.parse().ok());
        let (model, gpu) = if tp.is_some() { before.rsplit_once('-')? } else { (before, last) };
        Some(Self { model: model_slug(model), gpu: gpu.to_owned(), tp, engine: engine.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_have_one_name_however_they_are_spelled() {
        for (name, slug) in [
            ("meta-llama/Meta-Llama-3.1-8B-Instruct", "llama-3.1-8b"),
            ("RedHatAI/Meta-Llama-3.1-70B-Instruct-FP8-dynamic", "llama-3.1-70b-fp8"),
            ("meta-llama/Llama-3.3-70B-Instruct", "llama-3.1-70b"),
            ("Qwen/Qwen3-235B-A22B-Instruct-2507-FP8", "qwen3-235b-a22b-fp8"),
            ("mistralai/Mixtral-8x7B-Instruct-v0.1", "mixtral-8x7b"),
            ("deepseek-ai/DeepSeek-R1-0528", "deepseek-v3"),
            ("openai/gpt-oss-120b", "gpt-oss-120b"),
            ("/models/Qwen3-32B/", "qwen3-32b"),
        ] {
            assert_eq!(model_slug(name), slug, "{name}");
        }
    }

    #[test]
    fn a_name_falls_into_its_parts_with_and_without_the_number_of_gpus() {
        let parts = |name: &str| Parts::of(name).map(|parts| (parts.model, parts.gpu, parts.tp, parts.engine));
        let told = |tp| Some(("llama-3.1-8b".to_owned(), "h100".to_owned(), tp, "vllm".to_owned()));
        assert_eq!(parts("llama-3.1-8b-h100-tp1-vllm"), told(Some(1)));
        assert_eq!(parts("Meta-Llama-3.1-8B-Instruct-H100-vllm"), told(None));
        assert_eq!(parts("vllm"), None);
    }
}
