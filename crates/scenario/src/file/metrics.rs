//! `metrics`: who shows what, how it is scraped, and what is to become of queries that ask for something else.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::quantity::Time;

use super::{OutageFile, TriggersFile};

/// `metrics`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct MetricsFile {
    /// Prometheus scrape interval, where no monitor says another.
    pub scrape_interval: Time,
    /// How far back Prometheus looks for the newest sample (`--query.lookback-delta`).
    pub lookback: Time,
    /// How often dcgm-exporter refreshes its values (`--collect-interval`).
    pub dcgm_interval: Time,
    /// `--metrics-relist-interval` of prometheus-adapter.
    pub adapter_relist: Time,
    /// `--metric-resolution` of metrics-server.
    pub resource_resolution: Time,
    /// Programs that show metrics. By default the server of the container's image, dcgm-exporter, kube-state-metrics, a gateway, and
    /// what the queries name.
    pub exporters: Option<Vec<ExporterFile>>,
    /// Releases of programs, `{vllm: "0.9"}`, where the image tag does not tell them.
    pub versions: BTreeMap<String, String>,
    /// Name under which the model is served, where the arguments of the container do not tell it.
    pub model_name: Option<String>,
    /// Metrics of your own and the signals they show, `{my_queue_depth: queue_length}`.
    pub aliases: BTreeMap<String, String>,
    /// Metrics of your own in full.
    pub series: Vec<UserSeriesFile>,
    /// Metrics or selectors that find nothing, on purpose: they are read as empty.
    pub assume_absent: Vec<String>,
    /// What becomes of a query that can find nothing: an error, or an empty answer and a note.
    pub on_unknown: OnUnknownFile,
    /// What becomes of a query that is no PromQL: an error, or a trigger that fails at every poll.
    pub on_bad_query: OnBadQueryFile,
    /// dcgm-exporter.
    pub dcgm: DcgmFile,
    /// HTTP metrics of the gateway.
    pub http: HttpFile,
    /// kube-state-metrics.
    pub ksm: KsmFile,
    /// prometheus-adapter: its rules come from its configuration or its chart's values among the manifests; without any, the chart's
    /// default rules are assumed where an HPA asks for a metric that only an adapter can answer. `none`: the cluster has no adapter.
    pub adapter: AdapterSwitch,
    /// GKE's adapter for Cloud Monitoring, which answers for metrics named as GKE names them.
    pub gke: GkeFile,
    /// Labels that every series has (`external_labels`, as Thanos, Mimir and managed services show them).
    pub external_labels: BTreeMap<String, String>,
    /// How programs are scraped, where no manifest says so.
    pub targets: Vec<TargetFile>,
    /// When parts of the pipeline do not work.
    pub outages: Vec<OutageFile>,
    /// What feeds KEDA triggers whose source lies outside the cluster, by `SCALEDOBJECT/TRIGGER` (its name, index or `*`); without an entry
    /// a queue trigger is fed by the signal of its type.
    pub triggers: TriggersFile,
}

impl Default for MetricsFile {
    fn default() -> Self {
        Self {
            scrape_interval: Time(15.0),
            lookback: Time(300.0),
            dcgm_interval: Time(30.0),
            adapter_relist: Time(60.0),
            resource_resolution: Time(15.0),
            exporters: None,
            versions: BTreeMap::new(),
            model_name: None,
            aliases: BTreeMap::new(),
            series: Vec::new(),
            assume_absent: Vec::new(),
            on_unknown: OnUnknownFile::Error,
            on_bad_query: OnBadQueryFile::Error,
            dcgm: DcgmFile::default(),
            http: HttpFile::default(),
            ksm: KsmFile::default(),
            adapter: AdapterSwitch::Auto,
            gke: GkeFile::default(),
            external_labels: BTreeMap::new(),
            targets: Vec::new(),
            outages: Vec::new(),
            triggers: TriggersFile::new(),
        }
    }
}

/// A program that shows metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ExporterFile {
    /// vLLM, `vllm:*`.
    Vllm,
    /// Triton, `nv_inference_*`.
    Triton,
    /// Triton with the TensorRT-LLM backend, `nv_trt_llm_*`.
    TritonTensorRtLlm,
    /// SGLang, `sglang:*`.
    Sglang,
    /// Text Generation Inference, `tgi_*`.
    Tgi,
    /// Text Embeddings Inference, `te_*`.
    Tei,
    /// NVIDIA NIM, `num_requests_running` and so on.
    Nim,
    /// trtllm-serve, `trtllm_*`.
    TrtllmServe,
    /// LMDeploy, `lmdeploy:*`.
    Lmdeploy,
    /// llama.cpp's server, `llamacpp:*`.
    Llamacpp,
    /// Ray Serve, `ray_serve_*`.
    Ray,
    /// TorchServe, `ts_*`.
    Torchserve,
    /// KServe's Python server, `request_predict_seconds`.
    Kserve,
    /// Knative, `kn_*` and `revision_*`.
    Knative,
    /// dcgm-exporter, `DCGM_FI_*`.
    Dcgm,
    /// `http_requests_total` at the gateway.
    Gateway,
    /// llm-d's endpoint picker, `llm_d_epp_*`, `inference_objective_*`, `inference_pool_*`, `inference_extension_*`.
    Epp,
    /// Envoy, `envoy_*`.
    Envoy,
    /// Istio, `istio_*`.
    Istio,
    /// ingress-nginx, `nginx_ingress_controller_*`.
    Nginx,
    /// Traefik, `traefik_*`.
    Traefik,
    /// The interceptor of KEDA's HTTP add-on, `interceptor_*`.
    Interceptor,
    /// The router of vLLM's production stack.
    VllmRouter,
    /// NVIDIA Dynamo, `dynamo_*`.
    Dynamo,
    /// kube-state-metrics, `kube_*`.
    Ksm,
    /// cAdvisor in the kubelet, `container_*`.
    Cadvisor,
    /// node-exporter, `node_*`.
    NodeExporter,
}

/// What becomes of a query that can find nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnUnknownFile {
    /// The scenario is refused.
    Error,
    /// The query is answered as if the series were not there, with a note.
    Absent,
}

/// What becomes of a query that is no PromQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnBadQueryFile {
    /// The scenario is refused.
    Error,
    /// The trigger fails at every poll, as with a server that answers 400, with a note.
    Fail,
}

/// `metrics.dcgm`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct DcgmFile {
    /// Whether `pod`, `namespace` and `container` are the workload's (`honorLabels` of the monitor); by default they are the exporter's
    /// and the workload's are `exported_pod` and so on.
    pub honor_labels: bool,
    /// Spelling of the label that names the node: `Hostname` up to release 4.8.2, `hostname` after it.
    pub hostname: Option<String>,
}

/// `metrics.http`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct HttpFile {
    /// Path of the requests, `/v1/chat/completions` unless a query asks for another.
    pub handler: Option<String>,
    /// Whether requests are counted on arrival (the default) or at their answer.
    pub count: CountFile,
    /// Upper bounds of the latency histogram in seconds; by default those of the Go client.
    pub buckets: Vec<f64>,
}

/// `metrics.http.count`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "words of the key above")]
pub enum CountFile {
    #[default]
    Arrival,
    Answer,
}

/// `metrics.ksm`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct KsmFile {
    /// Whether labels of objects are shown (`--metric-labels-allowlist`).
    pub labels: bool,
}

/// `metrics.adapter`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AdapterSwitch {
    /// As the manifests and the metrics asked for say.
    #[default]
    Auto,
    /// There is none.
    None,
}

/// `metrics.gke`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct GkeFile {
    /// How much later than its scrape a sample is visible in Cloud Monitoring.
    pub delay: Time,
}

impl Default for GkeFile {
    fn default() -> Self {
        Self { delay: Time(10.0) }
    }
}

/// One of `metrics.targets`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TargetFile {
    /// Whose.
    pub exporter: ExporterFile,
    /// Labels that its target has besides or instead of the usual ones; an empty value takes one away.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Time between its scrapes.
    #[serde(default)]
    pub interval: Option<Time>,
    /// Whether labels of its series win over those of the target.
    #[serde(default)]
    pub honor_labels: Option<bool>,
    /// How it is discovered.
    #[serde(default)]
    pub role: Option<RoleFile>,
}

/// `metrics.targets[].role`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RoleFile {
    /// By the Endpoints of a Service: a pod that is being deleted leaves at once.
    Endpoints,
    /// By the pods themselves or by EndpointSlices: until the pod is gone.
    Pod,
}

/// One of `metrics.series`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UserSeriesFile {
    /// Its name.
    pub name: String,
    /// The signal it shows, such as `pod_waiting`; `arrival_rate{window="5m"}` and `latency_quantile{q="0.99", window="5m"}` have
    /// parameters.
    #[serde(default)]
    pub from: Option<String>,
    /// An expression over other metrics instead, evaluated at the scrape.
    #[serde(default)]
    pub promql: Option<String>,
    /// A number instead.
    #[serde(default)]
    pub constant: Option<f64>,
    /// Its labels; `{pod}`, `{namespace}`, `{model_name}`, `{workload}` and `{node}` are filled in.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its type; by default the signal's.
    #[serde(default, rename = "type")]
    pub kind: Option<KindFile>,
    /// Upper bounds of a histogram.
    #[serde(default)]
    pub buckets: Vec<f64>,
    /// The value is multiplied with it; 1 unless set.
    #[serde(default)]
    pub scale: Option<f64>,
    /// `floor` cuts it to a whole number.
    #[serde(default)]
    pub round: RoundFile,
    /// Where it is scraped; by default where the signal is.
    #[serde(default)]
    pub at: Option<PlaceFile>,
    /// Time between its scrapes.
    #[serde(default)]
    pub interval: Option<Time>,
    /// How old its value is when it is scraped; 0 unless set.
    #[serde(default)]
    pub delay: Option<Time>,
    /// When it is there.
    #[serde(default, rename = "while")]
    pub present: PresentFile,
}

/// `metrics.series[].type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "Prometheus' types")]
pub enum KindFile {
    Counter,
    Gauge,
    Histogram,
}

/// `metrics.series[].round`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "words of the key above")]
pub enum RoundFile {
    #[default]
    None,
    Floor,
}

/// `metrics.series[].at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PlaceFile {
    /// At each pod of the service.
    Pod,
    /// At the gateway, which is there at zero replicas too.
    Gateway,
    /// At each node of the cluster.
    Node,
    /// At a controller of the cluster.
    Controller,
}

/// `metrics.series[].while`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PresentFile {
    /// From the start of the process on.
    #[default]
    Always,
    /// While a replica is ready.
    Ready,
    /// From its first event on.
    First,
}
