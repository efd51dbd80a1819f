//! The programs that show metrics: what users call them, and where they are scraped.

use crate::target::{Exporter, TargetOf};

/// A program that shows metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Which.
    pub exporter: Exporter,
    /// Its word in `metrics.exporters`.
    pub word: &'static str,
    /// Its name in sentences.
    pub title: &'static str,
    /// Port of its metrics.
    pub port: u16,
    /// How many there are.
    pub of: TargetOf,
    /// Whether it is a server of models: at most one of these runs in a pod.
    pub is_engine: bool,
}

impl Exporter {
    /// Every program, in the order of the guide.
    pub const ALL: [Self; 27] = [
        Self::Vllm,
        Self::Triton,
        Self::TritonTensorRtLlm,
        Self::Sglang,
        Self::Tgi,
        Self::Tei,
        Self::Nim,
        Self::TrtllmServe,
        Self::Lmdeploy,
        Self::LlamaCpp,
        Self::RayServe,
        Self::TorchServe,
        Self::KServe,
        Self::KnativeQueueProxy,
        Self::Dcgm,
        Self::Gateway,
        Self::Epp,
        Self::Envoy,
        Self::Istio,
        Self::Nginx,
        Self::Traefik,
        Self::KedaInterceptor,
        Self::VllmRouter,
        Self::Dynamo,
        Self::KubeStateMetrics,
        Self::CAdvisor,
        Self::NodeExporter,
    ];

    /// The program of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|exporter| program(*exporter).word == word)
    }
}

/// What is to be known of a program.
pub fn program(exporter: Exporter) -> Program {
    let (word, title, port, of, is_engine) = match exporter {
        Exporter::Vllm => ("vllm", "vLLM", 8000, TargetOf::Pod, true),
        Exporter::Triton => ("triton", "Triton", 8002, TargetOf::Pod, true),
        Exporter::TritonTensorRtLlm => {
            ("tritonTensorRtLlm", "Triton's TensorRT-LLM backend", 8002, TargetOf::Pod, true)
        }
        Exporter::Sglang => ("sglang", "SGLang", 30_000, TargetOf::Pod, true),
        Exporter::Tgi => ("tgi", "Text Generation Inference", 80, TargetOf::Pod, true),
        Exporter::Tei => ("tei", "Text Embeddings Inference", 80, TargetOf::Pod, true),
        Exporter::Nim => ("nim", "NIM", 8000, TargetOf::Pod, true),
        Exporter::TrtllmServe => ("trtllmServe", "trtllm-serve", 8000, TargetOf::Pod, true),
        Exporter::Lmdeploy => ("lmdeploy", "LMDeploy", 23_333, TargetOf::Pod, true),
        Exporter::LlamaCpp => ("llamacpp", "llama.cpp", 8080, TargetOf::Pod, true),
        Exporter::RayServe => ("ray", "Ray Serve", 8080, TargetOf::Pod, true),
        Exporter::TorchServe => ("torchserve", "TorchServe", 8082, TargetOf::Pod, true),
        Exporter::KServe => ("kserve", "KServe's Python server", 8080, TargetOf::Pod, true),
        Exporter::KnativeQueueProxy => ("knative", "Knative", 9091, TargetOf::Pod, false),
        Exporter::Dcgm => ("dcgm", "dcgm-exporter", 9400, TargetOf::Node, false),
        Exporter::Gateway => ("gateway", "the assumed gateway", 9090, TargetOf::Gateway, false),
        Exporter::Epp => ("epp", "llm-d's endpoint picker", 9090, TargetOf::Gateway, false),
        Exporter::Envoy => ("envoy", "Envoy", 9901, TargetOf::Gateway, false),
        Exporter::Istio => ("istio", "Istio", 15_020, TargetOf::Gateway, false),
        Exporter::Nginx => ("nginx", "ingress-nginx", 10_254, TargetOf::Gateway, false),
        Exporter::Traefik => ("traefik", "Traefik", 9100, TargetOf::Gateway, false),
        Exporter::KedaInterceptor => ("interceptor", "KEDA's HTTP interceptor", 2223, TargetOf::Gateway, false),
        Exporter::VllmRouter => ("vllmRouter", "the router of vLLM's production stack", 8001, TargetOf::Gateway, false),
        Exporter::Dynamo => ("dynamo", "Dynamo", 8000, TargetOf::Gateway, false),
        Exporter::KubeStateMetrics => ("ksm", "kube-state-metrics", 8080, TargetOf::Cluster, false),
        Exporter::CAdvisor => ("cadvisor", "cAdvisor", 10_250, TargetOf::Node, false),
        Exporter::NodeExporter => ("nodeExporter", "node-exporter", 9100, TargetOf::Node, false),
        Exporter::User => ("user", "the scenario itself", 0, TargetOf::Gateway, false),
        Exporter::Recorded => ("recorded", "a recording rule", 0, TargetOf::Cluster, false),
    };
    Program { exporter, word, title, port, of, is_engine }
}

/// Words by which labels tell a program: what its chart or its own manifests call its pods and Services. Engines have none, for whoever
/// runs a model calls it as they like.
pub const fn known_as(exporter: Exporter) -> &'static [&'static str] {
    match exporter {
        Exporter::Dcgm => &["dcgm-exporter"],
        Exporter::KubeStateMetrics => &["kube-state-metrics"],
        Exporter::CAdvisor => &["kubelet", "cadvisor"],
        Exporter::NodeExporter => &["node-exporter"],
        Exporter::Nginx => &["ingress-nginx", "nginx-ingress"],
        Exporter::Traefik => &["traefik"],
        Exporter::Istio => &["istio"],
        Exporter::Envoy => &["envoy"],
        Exporter::KedaInterceptor => &["keda-add-ons-http", "http-add-on", "interceptor"],
        Exporter::Epp => &["epp", "endpoint-picker", "inference-scheduler"],
        Exporter::VllmRouter => &["vllm-router"],
        _ => &[],
    }
}
