//! From tables and facts to series and targets.

use units::SimDuration;

use crate::catalogue::{self, Figure, Metric, Pairs, program};
use crate::facts::Facts;
use crate::signal::{HistogramPart, Scope, Signal};
use crate::target::{Appears, Exporter, Kind, Label, Series, Target, TargetLife, TargetOf, Value};

/// The series of one metric, none if it is not modelled, not in this release, or if what it needs is not so.
pub fn series(exporter: Exporter, metric: &Metric, facts: &Facts) -> Vec<Series> {
    let version = facts.versions.get(&exporter).copied();
    let is_left_out = facts.left_out.contains(&(exporter, metric.name));
    if is_left_out || !metric.is_in(version) || !metric.needs.is_none_or(|needs| facts.has(needs)) {
        return Vec::new();
    }
    let build = Build { exporter, metric, facts };
    if metric.rows.is_empty() {
        return build.row(&[], metric.figure);
    }
    metric.rows.iter().flat_map(|(labels, figure)| build.row(labels, *figure)).collect()
}

struct Build<'a> {
    exporter: Exporter,
    metric: &'a Metric,
    facts: &'a Facts,
}

impl Build<'_> {
    fn row(&self, row: Pairs, figure: Figure) -> Vec<Series> {
        let signal = |signal, scale, floor| Value::Signal { signal: self.counted(signal), scale, floor };
        match figure {
            Figure::Of(of) => vec![self.one("", row, signal(of, 1.0, false))],
            Figure::Times(of, scale) => vec![self.one("", row, signal(of, scale, false))],
            Figure::Whole(of, scale) => vec![self.one("", row, signal(of, scale, true))],
            Figure::Gpus => vec![self.one("", row, Value::Constant(f64::from(self.facts.gpus)))],
            Figure::SumAndCount(sum, scale, count) => {
                vec![
                    self.one("_sum", row, signal(sum, scale, false)),
                    self.one("_count", row, signal(count, 1.0, false)),
                ]
            }
            Figure::Spread(of, scale) => self.histogram(row, |part| {
                let (part, scale) = match part {
                    HistogramPart::Bucket(bound) => (HistogramPart::Bucket(bound / scale), 1.0),
                    HistogramPart::Sum => (part, scale),
                    HistogramPart::Count => (part, 1.0),
                };
                Value::Signal { signal: Signal::Histogram(of, part), scale, floor: false }
            }),
            Figure::Ones(of) => self.histogram(row, |part| match part {
                HistogramPart::Bucket(bound) if bound < 1.0 => Value::Constant(0.0),
                _ => signal(of, 1.0, false),
            }),
            Figure::Always(value, _) if self.metric.kind == Kind::Histogram => {
                self.histogram(row, |_| Value::Constant(value))
            }
            Figure::Always(value, _) => vec![self.one("", row, Value::Constant(value))],
            Figure::Found(of, _) if self.facts.finds(of) => vec![self.one("", row, signal(of, 1.0, false))],
            Figure::Found(..) => vec![self.one("", row, Value::Constant(0.0))],
            Figure::Not(_) => Vec::new(),
        }
    }

    /// Counted at the answer where the scenario says so.
    fn counted(&self, signal: Signal) -> Signal {
        let at_answer = self.exporter == Exporter::Gateway && self.facts.counts_answers;
        if at_answer && signal == Signal::Arrivals { Signal::Answered } else { signal }
    }

    fn histogram(&self, row: Pairs, value: impl Fn(HistogramPart) -> Value) -> Vec<Series> {
        let mut bounds = self.metric.bounds.list(self.facts.context_tokens, &self.facts.http_bounds);
        bounds.push(f64::INFINITY);
        let mut all: Vec<Series> = bounds
            .into_iter()
            .map(|bound| {
                let mut bucket = self.one("_bucket", row, value(HistogramPart::Bucket(bound)));
                let text = if bound.is_infinite() { "+Inf".to_owned() } else { bound.to_string() };
                bucket.labels.push(Label::new("le", text));
                bucket
            })
            .collect();
        all.push(self.one("_sum", row, value(HistogramPart::Sum)));
        all.push(self.one("_count", row, value(HistogramPart::Count)));
        all
    }

    fn one(&self, suffix: &str, row: Pairs, value: Value) -> Series {
        let labels = self.metric.labels.iter().chain(row).filter_map(|(name, text)| self.label(name, text));
        Series {
            name: format!("{}{suffix}", self.metric.name),
            kind: self.metric.kind,
            labels: labels.collect(),
            value,
            per: self.metric.per.unwrap_or_else(|| scope(target_of(self.exporter, self.metric))),
            appears: self.metric.appears,
        }
    }

    /// None for a label that is empty here.
    fn label(&self, name: &str, text: &str) -> Option<Label> {
        let name = self.facts.fill(name);
        let bound = self.facts.bound.get(&(self.exporter, name.clone())).filter(|_| self.facts.is_open(text));
        let value = bound.cloned().unwrap_or_else(|| self.facts.fill(text.strip_prefix('?').unwrap_or(text)));
        (!value.is_empty()).then(|| Label::new(name, value))
    }
}

fn target_of(exporter: Exporter, metric: &Metric) -> TargetOf {
    metric.at.unwrap_or(program(exporter).of)
}

fn scope(of: TargetOf) -> Scope {
    match of {
        TargetOf::Pod => Scope::Pod,
        TargetOf::Node => Scope::Node,
        TargetOf::Gateway => Scope::Gateway,
        TargetOf::Cluster => Scope::Cluster,
    }
}

/// The targets of an exporter where no manifest says how it is scraped.
pub fn targets(exporter: Exporter, facts: &Facts) -> Vec<Target> {
    let kinds = [TargetOf::Pod, TargetOf::Node, TargetOf::Gateway, TargetOf::Cluster];
    let with_series = kinds.into_iter().map(|of| {
        let shown = catalogue::metrics(exporter).iter().filter(|metric| target_of(exporter, metric) == of);
        (of, shown.flat_map(|metric| series(exporter, metric, facts)).collect::<Vec<_>>())
    });
    let present = with_series.filter(|(_, series)| !series.is_empty());
    present.map(|(of, series)| default_target(exporter, of, facts, series)).collect()
}

/// The targets of several exporters where no manifest says how they are scraped.
pub fn targets_of(exporters: &[Exporter], facts: &Facts) -> Vec<Target> {
    exporters.iter().flat_map(|exporter| targets(*exporter, facts)).collect()
}

/// The target of an exporter as scraped where no manifest says how.
pub fn default_target(exporter: Exporter, of: TargetOf, facts: &Facts, series: Vec<Series>) -> Target {
    let port = program(exporter).port;
    let (labels, honor_labels) = match (exporter, of) {
        (Exporter::Dcgm, _) => (dcgm_labels(), facts.dcgm_honor_labels),
        (Exporter::KubeStateMetrics, _) => (kube_state_metrics_labels(), true),
        (Exporter::CAdvisor, _) => (kubelet_labels(), true),
        (Exporter::NodeExporter, _) => (node_exporter_labels(), false),
        (Exporter::User, TargetOf::Node) => (user_labels_of_nodes(facts), false),
        (_, TargetOf::Pod) => (pod_labels(facts, &format!("{{pod_ip}}:{port}")), false),
        _ => (gateway_labels(exporter, facts, port), false),
    };
    let interval = match exporter {
        Exporter::KubeStateMetrics => facts.interval.max(SimDuration::from_secs(30)),
        _ => facts.interval,
    };
    Target {
        exporter,
        of,
        labels,
        interval,
        delay: SimDuration::ZERO,
        honor_labels,
        metric_relabelings: Vec::new(),
        life: TargetLife::PodObject,
        series,
    }
}

fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
    pairs.iter().map(|(name, value)| Label::new(*name, *value)).collect()
}

/// Labels of a pod's target where nothing says how it is found: what a ServiceMonitor gives.
pub fn pod_labels(facts: &Facts, instance: &str) -> Vec<Label> {
    let mut all = labels(&[
        ("namespace", &facts.namespace),
        ("pod", "{pod}"),
        ("service", &facts.service),
        ("container", &facts.container),
        ("job", &facts.service),
        ("endpoint", "http"),
        ("instance", instance),
    ]);
    let extra = facts.extra_labels.iter().filter(|(name, _)| all.iter().all(|label| label.name != **name));
    let extra: Vec<Label> = extra.map(|(name, value)| Label::new(name, value)).collect();
    all.extend(extra);
    all
}

fn gateway_labels(exporter: Exporter, facts: &Facts, port: u16) -> Vec<Label> {
    let (service, job) = match exporter {
        Exporter::Gateway | Exporter::User => (facts.service.clone(), "gateway".to_owned()),
        Exporter::Epp => (format!("{}-epp", facts.service), format!("{}-epp", facts.service)),
        Exporter::Nginx => {
            ("ingress-nginx-controller-metrics".to_owned(), "ingress-nginx-controller-metrics".to_owned())
        }
        other => (program(other).word.to_owned(), program(other).word.to_owned()),
    };
    let (namespace, pod) = match exporter {
        Exporter::Nginx => ("ingress-nginx", "ingress-nginx-controller-0"),
        Exporter::Traefik => ("traefik", "traefik-0"),
        Exporter::KedaInterceptor => ("keda", "keda-add-ons-http-interceptor-0"),
        Exporter::Istio => ("istio-system", "istio-ingressgateway-0"),
        Exporter::Envoy => ("envoy-gateway-system", "envoy-0"),
        _ => (facts.namespace.as_str(), ""),
    };
    let instance = if pod.is_empty() { format!("gateway:{port}") } else { format!("{pod}:{port}") };
    let mut all = labels(&[("namespace", namespace), ("service", &service), ("job", &job), ("instance", &instance)]);
    if !pod.is_empty() {
        all.push(Label::new("pod", pod));
    }
    all
}

/// As the GPU operator's ServiceMonitor has them.
fn dcgm_labels() -> Vec<Label> {
    labels(&[
        ("namespace", "gpu-operator"),
        ("pod", "{exporter_pod}"),
        ("container", "nvidia-dcgm-exporter"),
        ("service", "nvidia-dcgm-exporter"),
        ("job", "nvidia-dcgm-exporter"),
        ("endpoint", "gpu-metrics"),
        ("instance", "{node_ip}:9400"),
    ])
}

/// As kube-prometheus-stack has them; the object's own labels win.
fn kube_state_metrics_labels() -> Vec<Label> {
    labels(&[
        ("namespace", "monitoring"),
        ("pod", "kube-state-metrics-0"),
        ("container", "kube-state-metrics"),
        ("service", "kube-state-metrics"),
        ("job", "kube-state-metrics"),
        ("endpoint", "http"),
        ("instance", "kube-state-metrics:8080"),
    ])
}

fn kubelet_labels() -> Vec<Label> {
    labels(&[
        ("namespace", "kube-system"),
        ("service", "kubelet"),
        ("job", "kubelet"),
        ("endpoint", "https-metrics"),
        ("metrics_path", "/metrics/cadvisor"),
        ("node", "{node}"),
        ("instance", "{node_ip}:10250"),
    ])
}

/// What the scenario shows at each node itself.
fn user_labels_of_nodes(facts: &Facts) -> Vec<Label> {
    labels(&[("namespace", &facts.namespace), ("job", "nodes"), ("node", "{node}"), ("instance", "{node_ip}:9100")])
}

fn node_exporter_labels() -> Vec<Label> {
    labels(&[
        ("namespace", "monitoring"),
        ("pod", "{exporter_pod}"),
        ("service", "node-exporter"),
        ("job", "node-exporter"),
        ("endpoint", "http-metrics"),
        ("instance", "{node_ip}:9100"),
    ])
}

/// The series that Prometheus itself writes for every target; the value of all but `up` is assumed.
pub const OF_EVERY_TARGET: [&str; 3] = ["up", "scrape_duration_seconds", "scrape_samples_scraped"];

/// When a series is there, in words.
pub fn appears_text(appears: Appears) -> &'static str {
    match appears {
        Appears::WithProcess => "with the process, at 0",
        Appears::FirstEvent => "with its first event",
        Appears::WhileTrue => "only while it holds",
        Appears::WhileFlowing => "from the first request on, until its flow was idle for 5 min",
        Appears::WhileReady => "only while a replica is ready",
    }
}
