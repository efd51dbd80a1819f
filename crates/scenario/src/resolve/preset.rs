//! `service.model: {preset: NAME}`: a language model on its GPUs from the table of presets, held against the manifest beside it.
//!
//! The preset says how long a pass takes; how large the cache is and how many sequences and tokens a pass may hold follows from the flags of
//! the server, or from its defaults. What is written in the scenario wins over all of it.

use calibrate::llm::{KvType, LlmPreset, PresetEngine, llm_preset, model_shape, model_slug, serving_gpu};
use cluster::spec::{FleetSpec, InstanceOffering, PodSpec, named_labels, slots};

use crate::error::ScenarioError;
use crate::file::{ContinuousBatchingFile, ModelFile, ServiceView, TokenTimeFile};
use crate::manifest::workload::{Engine, engine, gpu_containers};
use crate::quantity::Time;
use crate::server::{CacheType, Gpu, MemorySettings, Settings, Stated, memory_settings, model_names, settings};

use super::Context;

/// Without CUDA graphs the host launches every kernel: milliseconds per layer, from one engine (9.54 ms for 32 layers on an H100).
const EAGER_LAYER_S: f64 = 0.3e-3;

/// What a preset and the manifest make of an engine.
#[derive(Clone, Debug)]
struct FromPreset {
    /// The preset, its law as the engine's cache makes it.
    pub preset: LlmPreset,
    /// Sequences in a pass.
    pub sequences_max: u32,
    /// Tokens in a pass.
    pub batched_tokens_max: u32,
    /// Tokens in the KV cache.
    pub kv_tokens: u64,
    /// Shortest pass in seconds.
    pub iteration_min_s: f64,
}

/// Which keys are written beside `preset`.
#[derive(Clone, Copy, Debug, Default)]
struct Beside {
    pub sequences_max: bool,
    pub batched_tokens_max: bool,
    pub kv_tokens: bool,
    pub iteration_min: bool,
}

/// The container that serves, what runs in it, and what its flags say.
struct Serving {
    place: String,
    engine: Engine,
    settings: Settings,
    memory: MemorySettings,
    models: Vec<String>,
}

/// Where the name of a preset stands.
pub(super) fn preset_path(file: &ContinuousBatchingFile) -> &'static str {
    if file.is_short { "spec.service.model.preset" } else { "spec.service.model.continuousBatching.preset" }
}

impl Context<'_> {
    /// The keys of a service with what its preset says of those that are not written; `None` without a preset.
    pub(super) fn with_preset(
        &mut self,
        file: &ContinuousBatchingFile,
        pod: &PodSpec,
    ) -> Result<Option<ContinuousBatchingFile>, ScenarioError> {
        let Some(name) = &file.preset else { return Ok(None) };
        let beside = Beside {
            sequences_max: file.sequences_max.is_some(),
            batched_tokens_max: file.batched_tokens_max.is_some(),
            kv_tokens: file.kv_tokens.is_some(),
            iteration_min: file.iteration_min.is_some(),
        };
        let found = self.taken_from_preset((name, preset_path(file)), pod, beside)?;
        let (law, mut file) = (&found.preset.law, file.clone());
        if file.token_time.is_empty() {
            let points =
                law.token_time.iter().map(|(tokens, time)| TokenTimeFile { tokens: *tokens, time: Time(*time) });
            file.token_time = points.collect();
        }
        let seconds = |seconds: f64| Some(Time(seconds));
        file.per_kv_token = file.per_kv_token.or(seconds(law.per_kv_token_s));
        file.per_prompt_token_context = file.per_prompt_token_context.or(seconds(law.per_prompt_token_context_s));
        file.per_sequence = file.per_sequence.or(seconds(law.per_sequence_s));
        file.iteration_min = file.iteration_min.or(seconds(found.iteration_min_s));
        file.sequences_max = file.sequences_max.or(Some(found.sequences_max));
        file.batched_tokens_max = file.batched_tokens_max.or(Some(found.batched_tokens_max));
        file.kv_tokens = file.kv_tokens.or(Some(found.kv_tokens));
        Ok(Some(file))
    }

    /// The preset of this name for the service whose turn it is; `path` is where it stands.
    fn taken_from_preset(
        &mut self,
        (name, path): (&str, &str),
        pod: &PodSpec,
        beside: Beside,
    ) -> Result<FromPreset, ScenarioError> {
        let mut preset = llm_preset(name).map_err(|error| self.inconsistent(path, &error.to_string()))?;
        let serving = self.serving(&preset);
        let mut words = Vec::new();
        if let Some(serving) = &serving {
            self.agree(&preset, serving, path)?;
        }
        let gpus = pod.replica_gpus();
        if gpus != preset.tp {
            self.note(format!("{path}: {} is of {}, and a replica has {gpus}", preset.name, gpus_in_words(preset.tp)));
        }
        let kv_tokens = self.preset_cache(&mut preset, serving.as_ref(), (path, beside), &mut words)?;
        let (sequences_max, batched_tokens_max) = limits(&preset, serving.as_ref(), beside, &mut words);
        let eager =
            serving.as_ref().and_then(|serving| serving.memory.is_eager.clone()).filter(|_| !beside.iteration_min);
        let iteration_min_s = eager.as_ref().map_or(0.0, |_| EAGER_LAYER_S * f64::from(preset.shape.layers));
        if let Some(flag) = eager {
            let layers = preset.shape.layers;
            words.push(format!(
                "iterationMin {:.2} ms, a GUESS from one engine: 0.30 ms for each of {layers} layers ({flag})",
                iteration_min_s * 1e3
            ));
        }
        self.note(format!("{path}: {} is {}", preset.name, preset.source()));
        if !words.is_empty() {
            self.note(format!("{path}: from it and the server: {}", words.join("; ")));
        }
        if !preset.is_rough() {
            self.note(format!(
                "{path}: times to first token of a preset are typically too low: two single prompts correct them (`scalelab calibrate service \
                 --preset {}`)",
                preset.name
            ));
        }
        Ok(FromPreset { preset, sequences_max, batched_tokens_max, kv_tokens, iteration_min_s })
    }

    fn serving(&self, preset: &LlmPreset) -> Option<Serving> {
        let node = &self.workload.as_ref()?.deployment.node;
        let template = node.at(&["spec", "template"]).unwrap_or(node);
        let (engine, container) = (engine(template)?, gpu_containers(template).first().copied()?);
        let gpu = Gpu { name: preset.gpu.board(), memory_gib: preset.gpu.memory_gib };
        Some(Serving {
            place: container.place.to_string(),
            engine,
            settings: settings(container, engine, Some(gpu)),
            memory: memory_settings(container, engine),
            models: model_names(container),
        })
    }

    /// A preset of another engine or another number of GPUs is about another server. What `--set` chooses is meant to differ, and is noted.
    fn agree(&mut self, preset: &LlmPreset, serving: &Serving, path: &str) -> Result<(), ScenarioError> {
        let place = &serving.place;
        let of = match serving.engine {
            Engine::Vllm => Some(PresetEngine::Vllm),
            Engine::Sglang => Some(PresetEngine::Sglang),
            Engine::TensorRtLlm => Some(PresetEngine::TensorRtLlm),
            _ => None,
        };
        match of {
            Some(engine) if engine != preset.engine => {
                self.refuse(
                    path,
                    &format!(
                        "{} is of {}, and the container at {place} runs {}",
                        preset.name,
                        preset.engine.title(),
                        engine.title()
                    ),
                )?;
            }
            None => self.note(format!(
                "{path}: {} is of {}; the container at {place} runs {}, whose own engine it may be",
                preset.name,
                preset.engine.title(),
                serving.engine.title()
            )),
            Some(_) => {}
        }
        let memory = &serving.memory;
        match &memory.tensor_parallel {
            Some(Stated { value, source, .. }) if *value != preset.tp => {
                self.refuse(
                    path,
                    &format!(
                        "{} is of {}, and the container at {place} is started with {source}",
                        preset.name,
                        gpus_in_words(preset.tp)
                    ),
                )?;
            }
            None if preset.tp > 1 && of.is_some() && !memory.is_script => self.note(format!(
                "{path}: {} is of {}, and the container at {place} does not say that any do",
                preset.name,
                gpus_in_words(preset.tp)
            )),
            _ => {}
        }
        let copies =
            [(&memory.data_parallel, "copies of the model"), (&memory.pipeline_parallel, "stages of its layers")];
        for (stated, what) in copies {
            if let Some(Stated { value: 2.., source, .. }) = stated {
                self.note(format!(
                    "{path}: {source} at {place}: several {what} in a server are not modelled, {} is of one",
                    preset.name
                ));
            }
        }
        self.agree_on_model(preset, serving, path);
        Ok(())
    }

    fn agree_on_model(&mut self, preset: &LlmPreset, serving: &Serving, path: &str) {
        let known = serving.models.iter().find(|name| model_shape(name).is_some());
        let quantization = serving.memory.quantization.as_deref();
        let is_fp8 = quantization.is_some_and(|method| method.starts_with("fp8"));
        if let Some(name) = known {
            let mut slug = model_slug(name);
            if is_fp8 && !slug.ends_with("-fp8") {
                slug += "-fp8";
            }
            if slug != preset.model {
                self.note(format!(
                    "{path}: {} is of {}, and the container at {} serves {name}",
                    preset.name, preset.model, serving.place
                ));
            }
        }
        if let Some(method) = quantization.filter(|_| !is_fp8) {
            self.note(format!("{path}: weights in {method} at {}: {} is of other weights", serving.place, preset.name));
        }
    }

    /// An error, or a note if `--set` says it.
    fn refuse(&mut self, path: &str, reason: &str) -> Result<(), ScenarioError> {
        if self.at(path).place.source.starts_with("--set") {
            self.note(format!("{path} by --set: {reason}"));
            return Ok(());
        }
        Err(self.inconsistent(path, reason))
    }

    /// Tokens in the KV cache; where the cache is of another type than the preset's, its law is changed with the bytes.
    fn preset_cache(
        &mut self,
        preset: &mut LlmPreset,
        serving: Option<&Serving>,
        (path, beside): (&str, Beside),
        words: &mut Vec<String>,
    ) -> Result<u64, ScenarioError> {
        let memory = serving.map(|serving| &serving.memory).filter(|memory| !memory.is_script);
        let share = memory.and_then(|memory| memory.share.as_ref());
        let (share, share_source) =
            share.map_or((preset.engine.memory_share(), "its default"), |share| (share.value, share.source.as_str()));
        let (kind, kind_source) = match memory.and_then(|memory| memory.cache.as_ref()) {
            // An fp8 checkpoint computes in 16 bits, and so is its cache unless a flag says otherwise.
            Some(Stated { value: CacheType::Model, source, .. }) => (KvType::Bf16, source.as_str()),
            Some(Stated { value: CacheType::Fp8, source, .. }) => (KvType::Fp8, source.as_str()),
            None => (preset.kv_type, "the preset's"),
        };
        if kind != preset.kv_type {
            let factor = kind.bytes() / preset.kv_type.bytes();
            preset.law.per_kv_token_s *= factor;
            words.push(format!(
                "a KV cache in {} ({kind_source}) where the preset's is in {}: perKvToken x {factor}, and the cache holds 1/{factor} as many tokens",
                kind.name(),
                preset.kv_type.name()
            ));
        }
        let Some(tokens) = preset.kv_tokens_with(share, Some(kind)) else {
            if beside.kv_tokens {
                return Ok(0);
            }
            let reason = format!(
                "{}: the weights leave no room for a KV cache: {}",
                preset.name,
                preset.kv_in_words(share, kind)
            );
            return Err(self.inconsistent(path, &reason));
        };
        preset.kv_type = kind;
        if !beside.kv_tokens {
            words.push(format!(
                "kvTokens {tokens} = {}, the share being {share_source}",
                preset.kv_in_words(share, kind)
            ));
        }
        Ok(tokens)
    }

    /// Whether the GPUs that pods get are those of the preset.
    pub(super) fn hold_preset_gpu(
        &mut self,
        view: &ServiceView,
        pod: &PodSpec,
        fleet: &FleetSpec,
    ) -> Result<(), ScenarioError> {
        let ModelFile::ContinuousBatching(file) = &view.service.model else { return Ok(()) };
        let (Some(name), path) = (&file.preset, preset_path(file)) else { return Ok(()) };
        let preset = llm_preset(name).map_err(|error| self.inconsistent(path, &error.to_string()))?;
        let named = named_labels(&fleet.pools);
        let all = fleet.pools.iter().flat_map(|pool| pool.offerings.iter().map(move |offering| (pool, offering)));
        let open = all.filter(|(pool, offering)| slots(offering, (pool, &named), pod) > 0);
        let boards: Vec<(&str, &prices::Gpu)> =
            open.filter_map(|(_, offering)| Some((offering.instance_type.as_str(), gpu_of(offering)?))).collect();
        let is_it = |gpu: &prices::Gpu| serving_gpu(&gpu.name).is_some_and(|gpu| gpu == preset.gpu);
        let (same, others): (Vec<_>, Vec<_>) = boards.into_iter().partition(|(_, gpu)| is_it(gpu));
        let mut other: Vec<String> = others.iter().map(|(machine, gpu)| format!("{} ({machine})", gpu.name)).collect();
        other.sort_unstable();
        other.dedup();
        if other.is_empty() {
            return Ok(());
        }
        let what = format!("{} is of {}, and pods may run on {}", preset.name, preset.gpu.board(), other.join(", "));
        if same.is_empty() {
            return self.refuse(path, &format!("{what}: it says nothing of that GPU"));
        }
        self.note(format!("{path}: {what} too: all are as fast here as {}", preset.gpu.board()));
        Ok(())
    }
}

fn gpus_in_words(tp: u32) -> String {
    if tp == 1 { "one GPU".to_owned() } else { format!("{tp} GPUs that share the model") }
}

fn gpu_of(offering: &InstanceOffering) -> Option<&'static prices::Gpu> {
    let by_type = || prices::machine(&offering.instance_type).and_then(|machine| machine.gpu);
    prices::Gpu::of_product(&offering.gpu_product).or_else(by_type)
}

/// Sequences and tokens of a pass: the server's flags, else its defaults on this GPU.
fn limits(preset: &LlmPreset, serving: Option<&Serving>, beside: Beside, words: &mut Vec<String>) -> (u32, u32) {
    let usual = preset.engine.limits(preset.gpu);
    let settings = serving.map(|serving| &serving.settings);
    let default = format!("{}'s default on this GPU", preset.engine.title());
    let stated = |found: Option<&Stated<u32>>, usual: u32| {
        found.map_or((usual, default.clone()), |stated| (stated.value, stated.source.clone()))
    };
    let sequences = stated(settings.and_then(|settings| settings.sequences_max.as_ref()), usual.0);
    let tokens = stated(settings.and_then(|settings| settings.batched_tokens_max.as_ref()), usual.1);
    for (is_written, key, (value, source)) in
        [(beside.sequences_max, "sequencesMax", &sequences), (beside.batched_tokens_max, "batchedTokensMax", &tokens)]
    {
        if !is_written {
            words.push(format!("{key} {value} ({source})"));
        }
    }
    (sequences.0, tokens.0)
}
