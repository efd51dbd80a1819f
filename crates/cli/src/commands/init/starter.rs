//! The text of a starter scenario. Every value that is a guess says so.

use calibrate::llm::LlmPreset;
use prices::Gpu;
use scenario::server::ModelSize;
use scenario::{Candidate, OpenTrigger};

use super::manifests::Found;
use super::recording::{Recording, Serving};
use super::traffic::{TrafficChoice, TrafficKind};
use super::{preset, speed, triggers};

/// Longest run a starter proposes: a day is what most daily shapes need.
const LENGTH_MAX_S: u64 = 86_400;

/// Where pods run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodesChoice {
    /// Nowhere: for trying out everything else.
    Serverless,
    /// On the pools of the manifests.
    Manifests,
    /// On a pool of this instance type.
    Pool {
        /// Provider.
        provider: String,
        /// Instance type.
        instance_type: String,
        /// Bought as spot.
        is_spot: bool,
        /// Region, where it is not the usual one.
        region: Option<String>,
        /// Zone, where the pod selects one.
        zone: Option<String>,
    },
}

impl NodesChoice {
    /// Provider of the machine.
    pub fn provider(&self) -> Option<&str> {
        match self {
            Self::Pool { provider, .. } => Some(provider),
            Self::Serverless | Self::Manifests => None,
        }
    }

    /// Whether both can stand in one scenario.
    pub fn is_priced_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Pool { provider, region, .. }, Self::Pool { provider: other, region: other_region, .. }) => {
                provider == other && region == other_region
            }
            _ => self == other,
        }
    }

    /// Name for a message.
    pub fn title(&self) -> String {
        match self {
            Self::Serverless => "no nodes".to_owned(),
            Self::Manifests => "the pools of the manifests".to_owned(),
            Self::Pool { provider, instance_type, region, .. } => {
                let region = region.as_ref().map_or_else(String::new, |region| format!(" in {region}"));
                format!("{instance_type} of {provider}{region}")
            }
        }
    }

    /// The pool, called by its machine if there are others, and unlike the pools of the manifests.
    fn pool_text(&self, is_one_of_several: bool, taken: &[String]) -> Option<String> {
        let Self::Pool { instance_type, is_spot, zone, .. } = self else { return None };
        let capacity = if *is_spot { "spot" } else { "on-demand" };
        let name =
            if is_one_of_several { instance_type.replace(['.', '_'], "-").to_lowercase() } else { "gpu".to_owned() };
        let numbered = (2..=taken.len() + 2).map(|number| format!("{name}-{number}"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        let name = names.find(|name| !taken.contains(name)).unwrap_or(name);
        let zones = zone.as_ref().map_or_else(String::new, |zone| format!("      zones: [{}]\n", quoted(zone)));
        Some(format!(
            "    - name: {name}\n      instanceTypes: [{instance_type}]\n      capacityTypes: [{capacity}]\n{zones}"
        ))
    }
}

/// How a replica serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Tokens,
    Batches,
    Slots,
}

impl Engine {
    /// How the server that was recognised works through requests; one at a time where none was.
    fn of(server: Option<scenario::Engine>) -> Self {
        match server.map(scenario::Engine::serving) {
            Some(scenario::Serving::Tokens) => Self::Tokens,
            Some(scenario::Serving::Batches) => Self::Batches,
            None => Self::Slots,
        }
    }
}

/// All that goes into the text.
#[derive(Debug)]
pub struct Starter {
    name: String,
    service: String,
    has_workload: bool,
    /// What `service.workload` has to say.
    workload: Option<String>,
    ignored: Vec<String>,
    replicas: u64,
    hpas: Vec<String>,
    scaled_objects: Vec<String>,
    engine: Engine,
    /// Traffic file, if there is one.
    pub traffic: Option<TrafficChoice>,
    /// Where pods run.
    pub nodes: NodesChoice,
    /// The GPU there, and how many of them a pod has.
    pub gpu: Option<(&'static Gpu, u32)>,
    /// The workload that serves, whose command line says how.
    chosen: Option<Candidate>,
    /// The model that is served and who says so.
    model: Option<(String, &'static str)>,
    /// What is replayed, if it is a recording.
    recording: Option<Recording>,
    /// `coldStart` as it was measured, and lines of `nodes.timings`.
    pub measured: Option<(String, String)>,
    /// Names that a pool of its own may not have.
    taken: Vec<String>,
    /// Triggers whose signal is a guess.
    pub triggers: Vec<OpenTrigger>,
}

impl Starter {
    /// A starter for what was found; nodes are chosen later.
    pub fn new(name: String, found: &Found, traffic: Option<TrafficChoice>) -> Self {
        let has_tokens =
            traffic.as_ref().is_some_and(|traffic| traffic.kind == TrafficKind::Trace { has_tokens: true });
        let engine = if has_tokens || found.model.is_some() {
            Engine::Tokens
        } else {
            Engine::of(found.chosen.as_ref().and_then(|chosen| chosen.engine))
        };
        let by_manifest =
            || found.chosen.as_ref().and_then(Candidate::model_name).map(|name| (name, "of the manifest"));
        let model = found.model.clone().map(|name| (name, "by --model")).or_else(by_manifest);
        Self {
            name,
            service: found.service.clone(),
            has_workload: found.chosen.is_some(),
            workload: found.workload_key.clone(),
            ignored: found.ignored.clone(),
            replicas: found.replicas,
            hpas: found.hpas.clone(),
            scaled_objects: found.scaled_objects.clone(),
            engine,
            traffic,
            nodes: NodesChoice::Serverless,
            gpu: None,
            chosen: found.chosen.clone(),
            model,
            recording: None,
            measured: None,
            taken: found.pools.clone(),
            triggers: Vec::new(),
        }
    }

    /// The same, replaying a recording.
    pub fn replaying(self, recording: Recording) -> Self {
        let told = recording.serving.as_ref();
        // The manifest, and --model, know better than the metrics.
        let is_known = self.server().is_some() || self.model.is_some();
        let engine = if is_known { self.engine } else { Engine::of(told.map(|serving| serving.engine)) };
        let by_metrics = || Some((told?.model.clone()?, "by the label model_name of its metrics"));
        let model = self.model.or_else(by_metrics);
        Self { replicas: u64::from(recording.replicas), engine, model, recording: Some(recording), ..self }
    }

    /// What the metrics of a recording tell of how a replica serves.
    fn serving(&self) -> Option<&Serving> {
        self.recording.as_ref()?.serving.as_ref()
    }

    /// Value of `nvidia.com/gpu.product` that the pods of a recording really had.
    pub fn seen_gpu(&self) -> Option<&str> {
        self.serving()?.gpus.as_ref().map(|(product, _)| product.as_str())
    }

    /// What `service.model` is made of in a recording: what was measured, what is a guess, and what to put in its place.
    pub fn serving_note(&self) -> Option<String> {
        self.recording.as_ref()?;
        let server = self.server().map_or("a server of language models", scenario::Engine::title);
        let source = match self.serving() {
            Some(serving) if self.chosen.as_ref().and_then(|chosen| chosen.engine).is_none() => {
                format!("{server}, by its metrics ({}…)", serving.prefix)
            }
            _ => server.to_owned(),
        };
        Some(match (self.engine, self.serving()) {
            (Engine::Slots, _) => "service.model: no metric of a model server that is known is there: `slots` is a GUESS. State concurrency and \
                                   serviceTime, or `continuousBatching` or `dynamicBatching` where requests share a pass"
                .to_owned(),
            (Engine::Batches, _) => format!(
                "service.model: {source}: `dynamicBatching` is a GUESS. State batchMax, queueDelay and latency (`scalelab calibrate service`)"
            ),
            (Engine::Tokens, Some(serving)) => {
                let guessed = match self.preset() {
                    Some(_) => "the preset's times of a pass; sequencesMax and batchedTokensMax where no flag tells them".to_owned(),
                    None => serving.guessed((&self.tokens_text(), &self.as_told(self.tokens_text()))).join(", "),
                };
                format!(
                    "service.model: {source}: `continuousBatching`. Measured: {}. GUESS: {guessed}. `scalelab calibrate service` fits times to load \
                     tests{}{}",
                    serving.measured(),
                    if self.preset().is_some() { "" } else { ", --model NAME takes a preset" },
                    if self.has_workload { "" } else { ", --manifests reads the server's flags" }
                )
            }
            (Engine::Tokens, None) => format!(
                "service.model: {source}: `continuousBatching` is a GUESS, as no metric of the server is there: promptTokens and outputTokens too"
            ),
        })
    }

    /// The scenario.
    pub fn text(&self) -> String {
        let traffic = self.recording.as_ref().map_or_else(|| self.traffic_text(), Recording::traffic);
        let recorded = self.recording.as_ref().map(Recording::policy).unwrap_or_default();
        self.compose(&traffic, &self.nodes, &recorded)
    }

    /// The scenario with made-up traffic and other nodes, to see whether it loads.
    pub fn probe(&self, nodes: &NodesChoice) -> String {
        self.compose("  traffic:\n    generator: {rate: 1req/s}\n", nodes, "")
    }

    fn head(&self) -> String {
        if let Some(recording) = &self.recording {
            return recording.head(&self.name);
        }
        let length = self.traffic.as_ref().map_or(LENGTH_MAX_S, |traffic| traffic.length_s.min(LENGTH_MAX_S));
        format!(
            "# Made by `scalelab init`. Lines marked GUESS are placeholders: replace them by what you know or have measured.\n\
             #\n#   scalelab run FOLDER\n#   scalelab schema        every key, for your editor\n\
             apiVersion: scalelab.dev/v1\nkind: Scenario\nmetadata:\n  name: {}\nspec:\n  run:\n    \
             start: \"2026-01-05T00:00:00\" # local time; weekdays and schedules count from it\n    timeZone: UTC\n    \
             duration: {}\n    seed: 1\n    replications: 3 # intervals need several\n\n",
            quoted(&self.name),
            if length.is_multiple_of(3_600) { format!("{}h", length / 3_600) } else { format!("{length}s") }
        )
    }

    fn compose(&self, traffic: &str, nodes: &NodesChoice, recorded: &str) -> String {
        let timings = self.measured.as_ref().map_or("", |(_, timings)| timings.as_str());
        let nodes = with_timings(nodes_text(std::slice::from_ref(nodes), &self.taken), nodes, timings);
        let parts =
            [traffic, &self.service_text(), &self.slo_text(), self.cold_start(), &nodes, &self.policies_text(recorded)];
        self.head_text() + &parts.map(str::to_owned).join("\n")
    }

    fn cold_start(&self) -> &str {
        let recorded = self.recording.as_ref().and_then(|recording| recording.cold_start.as_deref());
        recorded.or(self.measured.as_ref().map(|(phases, _)| phases.as_str())).unwrap_or(COLD_START)
    }

    /// What stands before the first service of several.
    pub fn head_text(&self) -> String {
        self.head() + &self.manifests_text() + &triggers::text(&self.triggers)
    }

    /// One service of several; what is explained with the first is not explained again, but where a cold start is from, if some are measured.
    pub fn entry_text(&self, is_first: bool, says_where_from: bool) -> String {
        let parts = [self.traffic_text(), self.service_text(), self.slo_text()].concat();
        let lines = parts.lines().filter(|line| is_first || !line.starts_with("  #"));
        let start = self.cold_start().lines().filter(|line| is_first || says_where_from || !line.starts_with("  #"));
        let indented: String = lines.chain(start).map(|line| format!("  {line}\n")).collect();
        format!("  - name: {}\n{indented}", quoted(&self.service))
    }

    fn manifests_text(&self) -> String {
        if self.ignored.is_empty() {
            return String::new();
        }
        let ignored: Vec<String> = self.ignored.iter().map(|pattern| quoted(pattern)).collect();
        format!("  manifests: {{ignore: [{}]}}\n\n", ignored.join(", "))
    }

    fn traffic_text(&self) -> String {
        let Some(choice) = &self.traffic else {
            let mean = if self.engine == Engine::Tokens { 5 } else { 20 };
            return format!(
                "  # GUESS: a day with its peak at 14:00. `trace: {{file: …}}` replays recorded requests instead, and `scalelab trace fit`\n  \
                 # describes them by a generator.\n  traffic:\n    generator:\n      process: poisson\n      rate:\n        \
                 sine: {{mean: {mean}req/s, amplitude: 70%, period: 24h, peak: 14h}}\n    history: {{days: 14}} # what predictors look at\n"
            );
        };
        let file = quoted(&choice.file);
        let cut = if choice.length_s > LENGTH_MAX_S { " It is longer than the run above." } else { "" };
        match &choice.kind {
            TrafficKind::Trace { .. } => format!(
                "  # Your requests, every policy facing the very same ones.{cut}\n  traffic:\n    trace: {{file: {file}}}\n    \
                 scale: 100% # 250% sends two and a half times as many\n"
            ),
            TrafficKind::Series { is_dated, value, is_count } => {
                let (unit, read_as) = if *is_count {
                    ("perInterval", "requests in each interval")
                } else {
                    ("perSecond", "requests per second")
                };
                let times = if *is_dated { "timestamp" } else { "seconds" };
                format!(
                    "  # GUESS: the column {value:?} is read as {read_as}; the other reading is `valueUnit: {}`.{cut}\n  traffic:\n    \
                     generator:\n      process: poisson\n      rate:\n        series: {{file: {file}, timeUnit: {times}, value: {}, \
                     valueUnit: {unit}}}\n",
                    if *is_count { "perSecond" } else { "perInterval" },
                    quoted(value)
                )
            }
        }
    }

    fn service_text(&self) -> String {
        let who = match &self.workload {
            Some(name) => format!("    workload: {}\n", quoted(name)),
            None if self.has_workload => String::new(),
            None => self.pod_text(),
        };
        let model = match self.engine {
            Engine::Tokens => {
                let text = self.as_told(self.tokens_text());
                self.serving().map_or(text.clone(), |serving| serving.as_told(&text))
            }
            Engine::Batches => self.batches_text(),
            Engine::Slots => SLOTS.to_owned(),
        };
        let stop = self.chosen.as_ref().and_then(Candidate::on_terminate);
        let stop = stop.map(|(rule, source)| format!("    onTerminate: {rule} # {source}\n")).unwrap_or_default();
        format!(
            "  service:\n{who}{model}    routing: leastRequests\n    whileNoReplica: hold # or reject\n    client: {{timeout: 60s}}\n{stop}"
        )
    }

    /// A pod where there is no manifest of one.
    fn pod_text(&self) -> String {
        let gpus = self.serving().and_then(|serving| serving.gpus.as_ref());
        let gpus = gpus.map_or_else(
            || "      gpus: 1 # GUESS\n".to_owned(),
            |(product, count)| {
                format!(
                    "      gpus: {count} # by dcgm-exporter\n      nodeSelector: {{nvidia.com/gpu.product: {}}} # by dcgm-exporter\n",
                    quoted(product)
                )
            },
        );
        format!(
            "    pod: # stands for a workload manifest; put yours into this folder and take this out\n      name: {}\n{gpus}",
            quoted(&self.service)
        )
    }

    /// The speed of the GPU that is billed: measured on one H100, estimated for others. Without a GPU to go by it is the H100's, and says so.
    fn tokens_text(&self) -> String {
        if let Some((preset, (model, _))) = self.preset() {
            return preset::text(&preset, model);
        }
        match self.gpu {
            Some((gpu, count)) if self.lacks_speed(gpu, count) => {
                format!("    # NOT of {}, of whose speed with this model nothing is known:\n{TOKENS}", gpu.name)
            }
            Some((gpu, count)) if speed::is_measured(gpu, count, self.model_size()) => TOKENS.to_owned(),
            Some((gpu, count)) => speed::tokens(gpu, count, self.model_size())
                .unwrap_or_else(|| format!("    # NOT of {}, of whose speed nothing is known:\n{TOKENS}", gpu.name)),
            None => TOKENS.to_owned(),
        }
    }

    /// Whether a guess of how fast a replica serves depends on the GPU, and there is none for this one.
    pub fn lacks_speed(&self, gpu: &Gpu, count: u32) -> bool {
        let size = self.model_size();
        let has_preset = || {
            self.model
                .as_ref()
                .is_some_and(|(model, _)| preset::preset_of(model, (gpu, count), self.server()).is_some())
        };
        let is_mixture = || self.model.as_ref().is_some_and(|(model, _)| preset::is_mixture(model));
        self.engine == Engine::Tokens
            && !has_preset()
            && (is_mixture() || (!speed::is_measured(gpu, count, size) && speed::tokens(gpu, count, size).is_none()))
    }

    /// The preset of the model that is served, on the GPU that is billed.
    fn preset(&self) -> Option<(LlmPreset, &(String, &'static str))> {
        let named = self.model.as_ref().filter(|_| self.engine == Engine::Tokens)?;
        Some((preset::preset_of(&named.0, self.gpu?, self.server())?, named))
    }

    /// Which preset was taken and why.
    pub fn preset_note(&self) -> Option<String> {
        let (preset, (model, source)) = self.preset()?;
        let kind = if preset.is_rough() { "the rough law" } else { "the preset" };
        Some(format!(
            "service.model: {kind} {}, of {model} ({source}) on {} x {}",
            preset.name,
            preset.tp,
            preset.gpu.board()
        ))
    }

    /// The server by its manifest, else by its metrics.
    fn server(&self) -> Option<scenario::Engine> {
        let by_manifest = self.chosen.as_ref().and_then(|chosen| chosen.engine);
        by_manifest.or(self.serving().map(|serving| serving.engine))
    }

    /// What a machine must have room for, in words.
    pub fn held(&self) -> &'static str {
        match (self.engine, self.model_size()) {
            (Engine::Tokens, Some(_)) => "the pod and its model",
            _ => "the pod",
        }
    }

    fn model_size(&self) -> Option<ModelSize> {
        let by_user = self.model.as_ref().and_then(|(name, _)| scenario::server::size_in_name(name));
        self.chosen.as_ref().and_then(Candidate::model_size).or(by_user)
    }

    /// The guess with what the container's command line says in the place of it.
    fn as_told(&self, guess: String) -> String {
        let Some(chosen) = &self.chosen else { return guess };
        let gpu = self.gpu.map(|(gpu, _)| scenario::server::Gpu { name: &gpu.name, memory_gib: gpu.memory_gib });
        let settings = chosen.settings(gpu);
        let told = [("sequencesMax", settings.sequences_max), ("batchedTokensMax", settings.batched_tokens_max)];
        let lines = guess.lines().map(|line| {
            let key = line.trim_start().split(':').next().unwrap_or_default();
            match told.iter().find(|(known, _)| *known == key) {
                Some((_, Some(stated))) => {
                    let indent = &line[..line.len() - line.trim_start().len()];
                    format!("{indent}{key}: {} # {}\n", stated.value, stated.source)
                }
                _ => format!("{line}\n"),
            }
        });
        lines.collect()
    }

    /// Triton's batching as its configuration says, if the folder holds it.
    fn batches_text(&self) -> String {
        let Some(config) = self.chosen.as_ref().and_then(|chosen| chosen.triton.as_ref()) else {
            return BATCHES.to_owned();
        };
        if !config.is_dynamic || config.batch_max <= 1 {
            return format!(
                "    # config.pbtxt merges no requests. GUESS: how long one takes.\n    model:\n      slots: {{concurrency: {}, \
                 serviceTime: {{logNormal: {{p50: 10ms, p90: 20ms}}}}}} # instance_group\n",
                config.instances
            );
        }
        let preferred: Vec<String> = config.preferred.iter().map(u32::to_string).collect();
        format!(
            "    # How requests are merged is config.pbtxt's; GUESS: how long a batch takes.\n    # `scalelab calibrate service --format \
             perf-analyzer --batch 1,8,32 FILE…` fits yours.\n    model:\n      dynamicBatching:\n        batchMax: {} # max_batch_size\n        \
             preferred: [{}]\n        queueDelay: {}us # max_queue_delay_microseconds\n        latency: {{affine: {{base: 10ms, \
             perRequest: 1.5ms}}}}\n",
            config.batch_max,
            preferred.join(", "),
            config.queue_delay_us
        )
    }

    fn slo_text(&self) -> String {
        // Servers for one user at a time are judged by whole answers.
        let small = [scenario::Engine::Ollama, scenario::Engine::LlamaCpp];
        let is_small = self.chosen.as_ref().and_then(|one| one.engine).is_some_and(|engine| small.contains(&engine));
        let thresholds = if self.engine == Engine::Tokens && is_small {
            "latency: 30s, objective: 95%"
        } else if self.engine == Engine::Tokens {
            "ttft: 1s, tpot: 50ms, objective: 95%"
        } else {
            "latency: 500ms, objective: 99%"
        };
        format!("  slo: {{{thresholds}}} # GUESS\n")
    }

    fn policies_text(&self, recorded: &str) -> String {
        let replicas = self.replicas.max(1);
        let mut text = format!(
            "  # Alternatives to compare, all over the same requests.\n  policies:\n{recorded}  - name: static\n    static: {{replicas: {replicas}}}\n"
        );
        let mut names = vec!["static".to_owned(), "recorded".to_owned()];
        let manifests =
            self.hpas.iter().map(|name| ("hpa", name)).chain(self.scaled_objects.iter().map(|name| ("keda", name)));
        for (key, manifest) in manifests {
            let policy = if names.contains(manifest) { format!("{manifest}-{key}") } else { manifest.clone() };
            text += &format!("  - name: {}\n    {key}: {}\n", quoted(&policy), quoted(manifest));
            names.push(policy);
        }
        let (key, base) = match (self.hpas.first(), self.scaled_objects.first()) {
            (Some(name), _) => ("hpa", quoted(name)),
            (None, Some(name)) => ("keda", quoted(name)),
            (None, None) => {
                text += "  # An autoscaler is a manifest in this folder, named here: `hpa: NAME` or `keda: NAME`.\n";
                return text;
            }
        };
        text += &format!(
            "  - name: {key}-with-warm-pool # two standbys with the model loaded\n    {key}: {base}\n    warmPool: {{size: 2}}\n"
        );
        text
    }
}

const TOKENS: &str = "    # GUESS: Llama-3.1-8B on one H100 with vLLM. `scalelab calibrate service --format vllm-bench FILE…` fits yours.
    model:
      continuousBatching:
        sequencesMax: 256
        batchedTokensMax: 8192
        kvTokens: 411264
        iterationMin: 9.54ms
        iterationBase: 6.64ms
        perKvToken: 62.7ns
        perPromptToken: 20.04us
        promptTokens: {logNormal: {p50: 1000, p90: 2700}} # of requests without tokens of their own
        outputTokens: {logNormal: {p50: 130, p90: 420}}
";

const BATCHES: &str =
    "    # GUESS. `scalelab calibrate service --format perf-analyzer --batch 1,8,32 FILE…` fits yours.
    model:
      dynamicBatching:
        batchMax: 32
        queueDelay: 2ms
        latency: {affine: {base: 10ms, perRequest: 1.5ms}}
";

const SLOTS: &str =
    "    # GUESS: one request at a time. `dynamicBatching` and `continuousBatching` model Triton and LLM engines.
    model:
      slots: {concurrency: 1, serviceTime: {logNormal: {p50: 80ms, p90: 150ms}}}
";

const COLD_START: &str = "  # GUESS. `scalelab calibrate cold-start --pods … --events … --nodes …` fits yours; `coldStart: {preset: NAME}` takes a published one
  # (`scalelab calibrate preset` lists them).
  coldStart:
    imagePull: {uniform: {low: 30s, high: 60s}}
    modelDownload: {uniform: {low: 60s, high: 180s}}
    gpuLoad: {uniform: {low: 10s, high: 30s}}
    cudaWarmUp: {uniform: {low: 5s, high: 15s}}
";

/// What is bought, and at which prices: all of them of one provider and region.
pub fn nodes_text(nodes: &[NodesChoice], taken: &[String]) -> String {
    let pools: Vec<String> = nodes.iter().filter_map(|choice| choice.pool_text(nodes.len() > 1, taken)).collect();
    match nodes.first() {
        Some(NodesChoice::Pool { provider, instance_type, region, .. }) => {
            let region = region.as_ref().map_or_else(String::new, |region| format!(", region: {region}"));
            format!(
                "  # GUESS: the cheapest machine of the price catalog that the pod's labels and requests allow. Prices written here take\n  \
                 # precedence: `{instance_type}: {{onDemand: $1.01/h, spot: $0.45/h}}`; `scalelab prices show {instance_type}` says where the\n  \
                 # catalog's are from.\n  nodes:\n    pools:\n{}  prices: {{catalog: embedded, provider: {provider}{region}}}\n",
                pools.concat()
            )
        }
        Some(NodesChoice::Manifests) => {
            "  # Nodes come from the NodePool, Provisioner or ComputeClass beside this file. Prices written here take precedence:\n  \
             # `g5.xlarge: {onDemand: $1.01/h, spot: $0.45/h}`.\n  prices: {catalog: embedded}\n"
                .to_owned()
        }
        Some(NodesChoice::Serverless) | None => "  nodes: {manager: {serverless: {price: $1/h}}}\n".to_owned(),
    }
}

/// The nodes with what was measured of how they start; where nothing starts, as they are.
pub fn with_timings(text: String, nodes: &NodesChoice, timings: &str) -> String {
    match nodes {
        _ if timings.is_empty() => text,
        NodesChoice::Pool { .. } => text.replacen("  nodes:\n", &format!("  nodes:\n{timings}"), 1),
        NodesChoice::Manifests => format!("  nodes:\n{timings}{text}"),
        NodesChoice::Serverless => text,
    }
}

/// Text as YAML takes it whatever it looks like.
pub fn quoted(text: &str) -> String {
    let is_plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_./".contains(letter))
        && !["true", "false", "null", "yes", "no", "on", "off"].contains(&text.to_lowercase().as_str());
    if is_plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
