//! Targets and the series they show.

use promql::relabel::RelabelRule;
use units::SimDuration;

use crate::signal::{Scope, Signal};

/// A program that shows metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "names of programs")]
pub enum Exporter {
    Vllm,
    Triton,
    TritonTensorRtLlm,
    Dcgm,
    Sglang,
    Tgi,
    Tei,
    Nim,
    TrtllmServe,
    Lmdeploy,
    LlamaCpp,
    RayServe,
    TorchServe,
    KServe,
    KnativeQueueProxy,
    /// The application's own HTTP metrics, `http_requests_total` and so on.
    Gateway,
    /// llm-d's endpoint picker, under both of its prefixes.
    Epp,
    Envoy,
    Istio,
    Nginx,
    Traefik,
    KedaInterceptor,
    VllmRouter,
    Dynamo,
    KubeStateMetrics,
    CAdvisor,
    NodeExporter,
    /// Metrics the scenario defines itself.
    User,
    /// Results of recording rules.
    Recorded,
}

/// Type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "Prometheus' types")]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
    /// The result of a recording rule: anything.
    Recorded,
}

/// A part of a label's value that differs from one target or object to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variable {
    /// Name of the pod.
    Pod,
    /// Its IP address.
    PodIp,
    /// Its uid.
    PodUid,
    /// Name of the ReplicaSet that owns the pods.
    ReplicaSet,
    /// Name of the node (of the pod, of the GPU, or the node itself).
    Node,
    /// Address of the node.
    NodeIp,
    /// Index of the GPU on its node.
    Gpu,
    /// UUID of the GPU.
    GpuUuid,
    /// Product name of the GPU.
    GpuModel,
    /// Name of the exporter's own pod on the node.
    ExporterPod,
    /// Name of the container that holds the GPU; empty while nobody does.
    HolderContainer,
    /// Name of the pod that holds the GPU; empty while nobody does.
    HolderPod,
    /// Namespace of the pod that holds the GPU; empty while nobody does.
    HolderNamespace,
}

impl Variable {
    /// Every variable with the word that stands for it between braces.
    pub const ALL: [(&'static str, Self); 13] = [
        ("pod", Self::Pod),
        ("pod_ip", Self::PodIp),
        ("uid", Self::PodUid),
        ("replica_set", Self::ReplicaSet),
        ("node", Self::Node),
        ("node_ip", Self::NodeIp),
        ("gpu", Self::Gpu),
        ("gpu_uuid", Self::GpuUuid),
        ("gpu_model", Self::GpuModel),
        ("exporter_pod", Self::ExporterPod),
        ("holder_container", Self::HolderContainer),
        ("holder_pod", Self::HolderPod),
        ("holder_namespace", Self::HolderNamespace),
    ];
}

/// A label's value: text with variables in braces, `{pod}:8000`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Template(String);

impl Template {
    /// A template; a word in braces that is no variable stays as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The variables in it, in order of [`Variable::ALL`].
    pub fn variables(&self) -> impl Iterator<Item = Variable> + '_ {
        let is_plain = !self.0.contains('{');
        Variable::ALL
            .into_iter()
            .filter(move |(word, _)| !is_plain && self.0.contains(&format!("{{{word}}}")))
            .map(|(_, variable)| variable)
    }

    /// The text with every variable replaced by what `value` says of it.
    pub fn fill(&self, mut value: impl FnMut(Variable) -> String) -> String {
        let mut text = self.0.clone();
        if !text.contains('{') {
            return text;
        }
        for (word, variable) in Variable::ALL {
            let place = format!("{{{word}}}");
            if text.contains(&place) {
                text = text.replace(&place, &value(variable));
            }
        }
        text
    }
}

/// A label and its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Template,
}

impl Label {
    /// A label.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: Template::new(value) }
    }
}

/// What a series' value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A figure of the model, times `scale`; `floor` cuts it to a whole number (Triton's microseconds).
    Signal {
        /// Which.
        signal: Signal,
        /// Multiplied with it.
        scale: f64,
        /// Whether it is cut to a whole number.
        floor: bool,
    },
    /// Always the same.
    Constant(f64),
    /// PromQL over other series, evaluated at the scrape.
    Expression(String),
}

/// When a series is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appears {
    /// With the process, at 0.
    WithProcess,
    /// With its first event: it is born with its first value.
    FirstEvent,
    /// Only while its signal is 1 or known (Kubernetes' timestamps, `kube_pod_status_unschedulable`).
    WhileTrue,
    /// Only while a replica is ready.
    WhileReady,
    /// With the first request, until none came or waited for five minutes: llm-d's endpoint picker forgets idle flows.
    WhileFlowing,
}

/// One series, or one per object of its scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Full name, with `_bucket`, `_sum` or `_count`.
    pub name: String,
    /// Type of the metric it belongs to.
    pub kind: Kind,
    /// Labels it is shown with, before the target's are added.
    pub labels: Vec<Label>,
    /// What it is made of.
    pub value: Value,
    /// Of what there is one such series within the target: for a pod's or the gateway's own target, that pod or gateway; for
    /// kube-state-metrics one per pod object, node and so on.
    pub per: Scope,
    /// When it is there.
    pub appears: Appears,
}

/// How many of a target there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetOf {
    /// One per pod of the service.
    Pod,
    /// One per node (dcgm-exporter, cAdvisor, node-exporter).
    Node,
    /// One, in front of the service; there at zero replicas too.
    Gateway,
    /// One for the cluster (kube-state-metrics).
    Cluster,
}

/// Until when service discovery shows a pod's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetLife {
    /// A pod that is being deleted leaves at once (role Endpoints).
    Endpoints,
    /// Until the pod object is gone.
    PodObject,
}

/// Something Prometheus scrapes, with all it shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The program.
    pub exporter: Exporter,
    /// How many there are.
    pub of: TargetOf,
    /// Labels that discovery gives it, after relabelling.
    pub labels: Vec<Label>,
    /// Time between scrapes.
    pub interval: SimDuration,
    /// How old the figures are that a scrape finds.
    pub delay: SimDuration,
    /// Whether shown labels win over the target's.
    pub honor_labels: bool,
    /// What becomes of each series before it is stored (`metricRelabelings`).
    pub metric_relabelings: Vec<RelabelRule>,
    /// When it leaves discovery.
    pub life: TargetLife,
    /// What it shows.
    pub series: Vec<Series>,
}
