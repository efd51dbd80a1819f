//! Cold starts as published: a small table to start from, each figure with its source.

use workload::Distribution;

use crate::yaml;

/// One phase of a preset, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PresetPhase {
    /// Median, or the only value measured.
    pub p50_s: f64,
    /// 90th percentile, where the source has enough measurements for one.
    pub p90_s: Option<f64>,
    /// Measurements behind it; 0 where the source does not say.
    pub count: u32,
    /// Who measured it, and where.
    pub source: &'static str,
}

/// A named cold start. A phase that is `None` takes no time: the weights are on the node, or a later phase includes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColdStartPreset {
    /// Name, as in `coldStart: {preset: vllm-8b-h100}`.
    pub name: &'static str,
    /// What it describes.
    pub description: &'static str,
    /// Image to the node.
    pub image_pull: Option<PresetPhase>,
    /// Weights to the node.
    pub model_download: Option<PresetPhase>,
    /// Weights to the GPU.
    pub gpu_load: Option<PresetPhase>,
    /// Compilation, graph capture, first inferences.
    pub cuda_warm_up: Option<PresetPhase>,
    /// Restore or waking in place of the last three, on a node where a pod has been warm.
    pub restore: Option<PresetPhase>,
}

impl PresetPhase {
    /// Lognormal where the spread is known; otherwise the value itself.
    pub fn distribution(&self) -> Distribution {
        match self.p90_s {
            Some(p90) => Distribution::LogNormal { p50: self.p50_s, p90 },
            None => Distribution::Constant(self.p50_s),
        }
    }
}

const KARPENTER_BLUEPRINTS: &str =
    "9.35 GB vLLM image from ECR in the region; aws-samples/karpenter-blueprints, soci-snapshotter";
const SERVERLESS_LLM: &str = "NVMe to H100; ServerlessLLM benchmarks, h100_2025";
const RUN_AI: &str = "Llama-3-8B, 15 GB, to an A10G; run-ai/runai-model-streamer benchmarks";
const ANYSCALE: &str = "Ray Serve logs of 2025-10; anyscale/ray-serve-llm-perf-examples";
const VLLM_11005: &str = "Llama-3-8B profiling, KV cache and warm-up; vllm-project/vllm pull request 11005";
const GENTD26: &str = "production diffusion serving over 22 h; alibaba/clusterdata cluster-trace-v2026-GenAI";

const FAST_ACTUATION: &str = "mean of 9 to 18 s; llm-d-incubation/llm-d-fast-model-actuation benchmark";

const fn measured(p50_s: f64, p90_s: f64, count: u32, source: &'static str) -> PresetPhase {
    PresetPhase { p50_s, p90_s: Some(p90_s), count, source }
}

const fn single(p50_s: f64, count: u32, source: &'static str) -> PresetPhase {
    PresetPhase { p50_s, p90_s: None, count, source }
}

const DEFAULT_PULL: PresetPhase = single(130.813, 1, KARPENTER_BLUEPRINTS);
const PARALLEL_PULL: PresetPhase = single(39.553, 1, KARPENTER_BLUEPRINTS);

const PRESETS: [ColdStartPreset; 13] = [
    ColdStartPreset {
        name: "vllm-8b-h100",
        description: "vLLM, 8B model on the node's NVMe, H100, containerd's default pull, torch.compile from scratch",
        image_pull: Some(DEFAULT_PULL),
        model_download: None,
        gpu_load: Some(measured(4.507, 5.295, 30, SERVERLESS_LLM)),
        cuda_warm_up: Some(single(39.34, 1, VLLM_11005)),
        restore: None,
    },
    ColdStartPreset {
        name: "vllm-8b-h100-parallel-pull",
        description: "as vllm-8b-h100, with SOCI's parallel pull and unpack",
        image_pull: Some(PARALLEL_PULL),
        model_download: None,
        gpu_load: Some(measured(4.507, 5.295, 30, SERVERLESS_LLM)),
        cuda_warm_up: Some(single(39.34, 1, VLLM_11005)),
        restore: None,
    },
    ColdStartPreset {
        name: "vllm-8b-h100-fast-load",
        description: "as vllm-8b-h100-parallel-pull, with ServerlessLLM's store and no compilation",
        image_pull: Some(PARALLEL_PULL),
        model_download: None,
        gpu_load: Some(measured(0.674, 0.694, 30, SERVERLESS_LLM)),
        cuda_warm_up: Some(single(14.18, 1, VLLM_11005)),
        restore: None,
    },
    ColdStartPreset {
        name: "vllm-32b-h100",
        description: "vLLM, 32B model on the node's NVMe, H100; warm-up of an 8B model, for want of a measurement",
        image_pull: Some(DEFAULT_PULL),
        model_download: None,
        gpu_load: Some(measured(20.008, 23.310, 30, SERVERLESS_LLM)),
        cuda_warm_up: Some(single(39.34, 1, VLLM_11005)),
        restore: None,
    },
    ColdStartPreset {
        name: "vllm-8b-a10g-disk",
        description: "vLLM, 8B model on a gp3 volume of 1000 MiB/s, A10G, safetensors",
        image_pull: Some(DEFAULT_PULL),
        model_download: None,
        gpu_load: Some(single(47.99, 1, RUN_AI)),
        cuda_warm_up: Some(single(14.18, 1, VLLM_11005)),
        restore: None,
    },
    ColdStartPreset {
        name: "vllm-8b-a10g-s3-stream",
        description: "vLLM, 8B model streamed from S3 to the GPU with 32 readers, A10G; download and load are one",
        image_pull: Some(DEFAULT_PULL),
        model_download: None,
        gpu_load: Some(single(4.88, 1, RUN_AI)),
        cuda_warm_up: Some(single(14.18, 1, VLLM_11005)),
        restore: None,
    },
    ColdStartPreset {
        name: "vllm-70b-tp4",
        description: "vLLM, Llama-3-70B over 4 GPUs, weights from the Hugging Face hub, nothing cached",
        image_pull: Some(DEFAULT_PULL),
        model_download: Some(single(206.45, 2, ANYSCALE)),
        gpu_load: Some(single(16.14, 8, ANYSCALE)),
        cuda_warm_up: Some(single(91.8, 4, ANYSCALE)),
        restore: None,
    },
    ColdStartPreset {
        name: "vllm-70b-tp4-s3-stream",
        description: "vLLM, Llama-3-70B over 4 GPUs, sharded weights streamed from S3, compilation cached",
        image_pull: Some(DEFAULT_PULL),
        model_download: None,
        gpu_load: Some(single(25.94, 8, ANYSCALE)),
        cuda_warm_up: Some(single(38.11, 1, ANYSCALE)),
        restore: None,
    },
    ColdStartPreset {
        name: "vllm-235b-tp8",
        description: "vLLM, Qwen3-235B over 8 GPUs, weights from the Hugging Face hub, nothing cached",
        image_pull: Some(DEFAULT_PULL),
        model_download: Some(single(703.13, 2, ANYSCALE)),
        gpu_load: Some(single(32.4, 8, ANYSCALE)),
        cuda_warm_up: Some(single(170.5, 1, ANYSCALE)),
        restore: None,
    },
    ColdStartPreset {
        name: "diffusion-base-model",
        description: "diffusion service on a running node: another base model is loaded",
        image_pull: None,
        model_download: None,
        gpu_load: Some(measured(22.718, 41.988, 7_531, GENTD26)),
        cuda_warm_up: None,
        restore: None,
    },
    ColdStartPreset {
        name: "diffusion-lora",
        description: "diffusion service on a running node: a LoRA adapter is loaded",
        image_pull: None,
        model_download: None,
        gpu_load: Some(measured(4.378, 6.143, 27_415, GENTD26)),
        cuda_warm_up: None,
        restore: None,
    },
    ColdStartPreset {
        name: "vllm-8b-h100-sleep",
        description: "as vllm-8b-h100-parallel-pull; where a pod has run before, a sleeping instance is woken instead",
        image_pull: Some(PARALLEL_PULL),
        model_download: None,
        gpu_load: Some(measured(4.507, 5.295, 30, SERVERLESS_LLM)),
        cuda_warm_up: Some(single(39.34, 1, VLLM_11005)),
        restore: Some(single(13.0, 3, FAST_ACTUATION)),
    },
    ColdStartPreset {
        name: "vllm-wake",
        description: "vLLM on H100, woken from sleep instead of started",
        image_pull: None,
        model_download: None,
        gpu_load: Some(single(13.0, 3, FAST_ACTUATION)),
        cuda_warm_up: None,
        restore: None,
    },
];

/// Every preset.
pub fn presets() -> &'static [ColdStartPreset] {
    &PRESETS
}

/// The preset of a name.
pub fn preset(name: &str) -> Option<&'static ColdStartPreset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

impl ColdStartPreset {
    /// The phases in order, with their keys in a scenario.
    pub fn phases(&self) -> [(&'static str, Option<&PresetPhase>); 4] {
        [
            ("imagePull", self.image_pull.as_ref()),
            ("modelDownload", self.model_download.as_ref()),
            ("gpuLoad", self.gpu_load.as_ref()),
            ("cudaWarmUp", self.cuda_warm_up.as_ref()),
        ]
    }

    /// The preset as a scenario writes it out.
    pub fn yaml(&self) -> String {
        let line = |(key, phase): (&str, Option<&PresetPhase>)| match phase {
            Some(phase) => format!("  {key}: {} # {}\n", yaml::distribution(&phase.distribution()), phase.source),
            None => format!("  {key}: 0s\n"),
        };
        let restore = self.restore.as_ref().map_or_else(String::new, |phase| {
            let length = yaml::distribution(&phase.distribution());
            format!("  restore: {{length: {length}}} # {}\n", phase.source)
        });
        format!("coldStart: # {}\n{}{restore}", self.description, self.phases().map(line).concat())
    }
}
