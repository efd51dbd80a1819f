//! Every metric that the exporters people scale on have: names, types, labels, and which figure of the model each shows.
//!
//! One file per family, each a table with its sources. A metric that the model cannot fill is in the table too, with the reason, so that
//! a message can say whose a name is. The tables know nothing of scenarios; [`crate::Facts`] fills in what one scenario says.

mod application;
mod bounds;
mod cluster;
mod dcgm;
mod dynamo;
mod engines;
mod envoy;
mod epp;
mod guide;
mod ingress;
mod kserve;
mod lmdeploy;
mod nim;
mod programs;
mod ray;
mod sglang;
mod text_generation;
mod triton;
mod vllm;

pub use bounds::{Bounds, default_http_bounds};
pub use guide::guide;
pub use programs::{Program, known_as, program};

use crate::signal::{HistogramSignal, Scope, Signal};
use crate::target::{Appears, Exporter, Kind, TargetOf};
use crate::version::Version;

/// Labels of a table: name and value. In a value, a word in braces is a fact of the scenario or a variable of the target; a value that
/// begins with `?` is one no scenario knows, followed by what is assumed.
pub type Pairs = &'static [(&'static str, &'static str)];

/// What a metric shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// A signal.
    Of(Signal),
    /// A signal times a factor.
    Times(Signal, f64),
    /// A signal times a factor, cut to a whole number.
    Whole(Signal, f64),
    /// A histogram, its observations times a factor (1,000 for milliseconds).
    Spread(HistogramSignal, f64),
    /// A histogram of which each event of this counter observes a 1.
    Ones(Signal),
    /// A summary of which only `_sum` (a signal times a factor) and `_count` are kept.
    SumAndCount(Signal, f64, Signal),
    /// GPUs that a pod asks for.
    Gpus,
    /// Always the same, and why. A histogram in which nothing is ever observed, where the value is 0.
    Always(f64, &'static str),
    /// A signal where the workload says what prompts share; else always 0, and why.
    Found(Signal, &'static str),
    /// Not modelled, and why.
    Not(&'static str),
}

/// What must be so for an exporter to show a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Words in the arguments or the environment of the server.
    Argument(&'static str),
    /// No such words there.
    NoArgument(&'static str),
    /// Something the scenario must say.
    Stated(Statement),
}

/// What a scenario may say about metrics that nothing else tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Statement {
    /// Memory that a GPU has in use.
    GpuMemory,
    /// Power that a GPU draws.
    GpuPower,
    /// CPU and memory of the pods.
    Usage,
    /// Labels of objects in kube-state-metrics.
    ObjectLabels,
}

impl Statement {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::GpuMemory, Self::GpuPower, Self::Usage, Self::ObjectLabels];

    /// How to say it.
    pub fn help(self) -> &'static str {
        match self {
            Self::GpuMemory => "GPU memory in use is not known; state service.usage.gpuMemory",
            Self::GpuPower => {
                "the power that GPUs draw is not known; state service.usage.gpuPower: {idle: 70W, busy: 600W}"
            }
            Self::Usage => {
                "CPU and memory of the pods are not known; state service.usage (measure: \
                 rate(container_cpu_usage_seconds_total[1m]) idle and under load)"
            }
            Self::ObjectLabels => {
                "kube-state-metrics shows labels of objects only with --metric-labels-allowlist; say metrics.ksm: {labels: true} if \
                 yours does"
            }
        }
    }
}

/// One metric of an exporter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// Its name, without `_bucket`, `_sum` and `_count`.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Labels of all its series.
    pub labels: Pairs,
    /// Series that differ in some labels, and what each shows; one series that shows `figure` where this is empty.
    pub rows: &'static [(Pairs, Figure)],
    /// What it shows.
    pub figure: Figure,
    /// Upper bounds of its buckets.
    pub bounds: Bounds,
    /// Of what there is one such series; by default of what its target is.
    pub per: Option<Scope>,
    /// Which target shows it; by default the exporter's.
    pub at: Option<TargetOf>,
    /// When its series are there.
    pub appears: Appears,
    /// First release with it, where that is known.
    pub since: Option<Version>,
    /// First release that hides it unless asked.
    pub hidden: Option<Version>,
    /// First release without it.
    pub until: Option<Version>,
    /// What took its place.
    pub successor: Option<&'static str>,
    /// What must be so for it to be there.
    pub needs: Option<Needs>,
}

impl Metric {
    const fn new(name: &'static str, kind: Kind, labels: Pairs, figure: Figure) -> Self {
        Self {
            name,
            kind,
            labels,
            rows: &[],
            figure,
            bounds: Bounds::List(&[]),
            per: None,
            at: None,
            appears: Appears::WithProcess,
            since: None,
            hidden: None,
            until: None,
            successor: None,
            needs: None,
        }
    }

    const fn rows(mut self, rows: &'static [(Pairs, Figure)]) -> Self {
        self.rows = rows;
        self
    }

    const fn per(mut self, scope: Scope) -> Self {
        self.per = Some(scope);
        self
    }

    const fn at(mut self, target: TargetOf) -> Self {
        self.at = Some(target);
        self
    }

    /// Born with its first event.
    const fn while_flowing(mut self) -> Self {
        self.appears = Appears::WhileFlowing;
        self
    }

    const fn first(mut self) -> Self {
        self.appears = Appears::FirstEvent;
        self
    }

    const fn while_true(mut self) -> Self {
        self.appears = Appears::WhileTrue;
        self
    }

    const fn since(mut self, major: u16, minor: u16, patch: u16) -> Self {
        self.since = Some(Version(major, minor, patch));
        self
    }

    const fn hidden(mut self, major: u16, minor: u16) -> Self {
        self.hidden = Some(Version(major, minor, 0));
        self
    }

    const fn until(mut self, major: u16, minor: u16) -> Self {
        self.until = Some(Version(major, minor, 0));
        self
    }

    const fn successor(mut self, name: &'static str) -> Self {
        self.successor = Some(name);
        self
    }

    const fn needs(mut self, needs: Needs) -> Self {
        self.needs = Some(needs);
        self
    }

    /// Names under which its series are stored.
    pub fn series_names(&self) -> Vec<String> {
        let with = |suffixes: &[&str]| suffixes.iter().map(|suffix| format!("{}{suffix}", self.name)).collect();
        match self.kind {
            Kind::Histogram => with(&["_bucket", "_sum", "_count"]),
            Kind::Summary => with(&["", "_sum", "_count"]),
            Kind::Counter | Kind::Gauge | Kind::Recorded => with(&[""]),
        }
    }

    /// Why the model does not have it, if it does not.
    pub fn not_modelled(&self) -> Option<&'static str> {
        match self.figure {
            Figure::Not(why) if self.rows.iter().all(|(_, figure)| matches!(figure, Figure::Not(_))) => Some(why),
            _ => None,
        }
    }

    /// Whether an exporter of this version has it; a version that is not known is the newest.
    pub fn is_in(&self, version: Option<Version>) -> bool {
        let gone = self.hidden.or(self.until);
        match version {
            Some(version) => self.since.is_none_or(|since| version >= since) && gone.is_none_or(|gone| version < gone),
            None => gone.is_none(),
        }
    }
}

const fn gauge(name: &'static str, labels: Pairs, figure: Figure) -> Metric {
    Metric::new(name, Kind::Gauge, labels, figure)
}

const fn counter(name: &'static str, labels: Pairs, figure: Figure) -> Metric {
    Metric::new(name, Kind::Counter, labels, figure)
}

const fn histogram(name: &'static str, labels: Pairs, bounds: Bounds, figure: Figure) -> Metric {
    let mut metric = Metric::new(name, Kind::Histogram, labels, figure);
    metric.bounds = bounds;
    metric
}

const fn summary(name: &'static str, labels: Pairs, figure: Figure) -> Metric {
    Metric::new(name, Kind::Summary, labels, figure)
}

/// The metrics of an exporter, in the order of its own documentation.
pub fn metrics(exporter: Exporter) -> &'static [Metric] {
    match exporter {
        Exporter::Vllm => vllm::METRICS,
        Exporter::Triton => triton::METRICS,
        Exporter::TritonTensorRtLlm => triton::TENSOR_RT_LLM,
        Exporter::Dcgm => dcgm::METRICS,
        Exporter::Sglang => sglang::METRICS,
        Exporter::Tgi => text_generation::METRICS,
        Exporter::Tei => text_generation::EMBEDDINGS,
        Exporter::Nim => nim::METRICS,
        Exporter::TrtllmServe => engines::TRTLLM_SERVE,
        Exporter::Lmdeploy => lmdeploy::METRICS,
        Exporter::LlamaCpp => engines::LLAMA_CPP,
        Exporter::RayServe => ray::METRICS,
        Exporter::TorchServe => engines::TORCH_SERVE,
        Exporter::KServe => kserve::METRICS,
        Exporter::KnativeQueueProxy => kserve::KNATIVE,
        Exporter::Gateway => application::METRICS,
        Exporter::Epp => epp::METRICS,
        Exporter::Envoy => envoy::ENVOY,
        Exporter::Istio => envoy::ISTIO,
        Exporter::Nginx => ingress::NGINX,
        Exporter::Traefik => ingress::TRAEFIK,
        Exporter::KedaInterceptor => ingress::KEDA_INTERCEPTOR,
        Exporter::VllmRouter => ingress::VLLM_ROUTER,
        Exporter::Dynamo => dynamo::METRICS,
        Exporter::KubeStateMetrics => cluster::KUBE_STATE_METRICS,
        Exporter::CAdvisor => cluster::CADVISOR,
        Exporter::NodeExporter => cluster::NODE_EXPORTER,
        Exporter::User | Exporter::Recorded => &[],
    }
}

/// Every metric with its exporter.
pub fn all() -> impl Iterator<Item = (Exporter, &'static Metric)> {
    Exporter::ALL.into_iter().flat_map(|exporter| metrics(exporter).iter().map(move |metric| (exporter, metric)))
}

/// Families of which no name is modelled, with whose they are.
pub const FOREIGN: [(&str, &str); 12] = [
    ("ALERTS", "Prometheus shows it for alerting rules, which are not evaluated"),
    ("kubelet_", "the kubelet's own metrics are not modelled"),
    ("apiserver_", "the API server's metrics are not modelled"),
    ("karpenter_", "Karpenter's metrics are not modelled"),
    ("cluster_autoscaler_", "the cluster autoscaler's metrics are not modelled"),
    ("keda_", "KEDA's own metrics are not modelled"),
    ("ollama_", "Ollama has no Prometheus endpoint; an exporter of somebody else shows these"),
    ("amd_gpu_", "exporters of AMD GPUs are not modelled"),
    ("habanalabs_", "Gaudi's exporter is not modelled"),
    ("neuron_", "Neuron's exporter is not modelled"),
    ("tpu_", "TPU metrics are not modelled"),
    ("jetson_", "Jetson's exporter is not modelled"),
];
