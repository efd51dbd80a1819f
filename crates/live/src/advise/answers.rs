//! What the metric APIs would have answered, moment by moment: the query that a controller has sent for it, asked of the Prometheus.

use std::collections::BTreeMap;

use policy::{ContainerUsage, LabelCondition, MetricError, MetricQuery, MetricReading, PodSample, PodUsage, PodView};
use promql::adapter::{Adapter, Asked};
use promql::{AnswerType, Labels, Query};
use units::{PodId, SimDuration};

use super::sight::Sight;
use crate::answer;
use crate::client::Prometheus;
use crate::error::LiveError;
use crate::grid::Grid;
use crate::select::Matchers;

/// Prometheus answers a range query with at most 11,000 points a series.
const POINTS_MAX: usize = 10_000;

/// Noise of a division: 500.0000001 thousandths are 500.
const ROUNDING: f64 = 1e-6;
/// What metrics-server says of its readings.
const WINDOW: SimDuration = SimDuration::from_secs(15);

/// Who is asked, of when, for whom.
pub(super) struct Asking<'a> {
    pub server: &'a Prometheus,
    pub grid: Grid,
    pub namespace: &'a str,
    pub matchers: &'a Matchers,
    pub sight: &'a Sight,
    /// prometheus-adapter with the series that the Prometheus has; what is wrong where there is none.
    pub adapter: Result<(Adapter, Vec<Labels>), String>,
    /// Metrics that GKE's adapter answers.
    pub gke: Vec<String>,
}

/// One element of an answer.
type Element = (BTreeMap<String, String>, f64);

/// All answers to one query, by moment.
pub(super) struct Answers {
    kind: Kind,
    rows: Vec<Vec<Element>>,
}

/// What becomes of an answer.
enum Kind {
    Vector,
    Scalar,
    Pods {
        label: String,
    },
    Object {
        metric: String,
        label: String,
        object: String,
    },
    External,
    /// Usage per pod and container; CPU is in cores, memory in bytes.
    Resource,
}

impl Asking<'_> {
    /// The answers to a query, or why they cannot be known. An error is one of the server's.
    pub fn answers(&self, query: &MetricQuery) -> Result<Result<Answers, String>, LiveError> {
        let (kind, text) = match self.question(query) {
            Ok(question) => question,
            Err(why) => return Ok(Err(why)),
        };
        // KEDA's scaler asks for the whole second.
        let is_of_keda = matches!(kind, Kind::Vector | Kind::Scalar);
        let grid = match self.grid.step_ms % 1_000 {
            0 if is_of_keda => Grid { from_ms: self.grid.from_ms.div_euclid(1_000) * 1_000, ..self.grid },
            _ => self.grid,
        };
        match range(self.server, &text, grid) {
            Ok(rows) => Ok(Ok(Answers { kind, rows })),
            // A query that the server refuses is one metric's trouble; who asks, and where, is everybody's.
            Err(error) if error.is_of_question => Ok(Err(format!("`{text}`: {}", error.message))),
            Err(error) => Err(error),
        }
    }

    fn question(&self, query: &MetricQuery) -> Result<(Kind, String), String> {
        match query {
            MetricQuery::PromQl { expression } => {
                let answer_type = Query::compile(expression).map(|query| query.answer_type());
                let is_scalar = answer_type == Ok(AnswerType::Scalar);
                Ok((if is_scalar { Kind::Scalar } else { Kind::Vector }, expression.clone()))
            }
            MetricQuery::Pods { name, selector } => {
                let asked = Asked::Custom { metric: name, resource: "pod" };
                let (label, text) = self.through_adapter(asked, name, (selector, &self.sight.names))?;
                Ok((Kind::Pods { label }, text))
            }
            MetricQuery::Object { name, kind, object, selector } => {
                let asked = Asked::Custom { metric: name, resource: kind };
                let (label, text) = self.through_adapter(asked, name, (selector, std::slice::from_ref(object)))?;
                Ok((Kind::Object { metric: name.clone(), label, object: object.clone() }, text))
            }
            MetricQuery::External { name, selector } => {
                let (_, text) = self.through_adapter(Asked::External { metric: name }, name, (selector, &[]))?;
                Ok((Kind::External, text))
            }
            MetricQuery::Resource { name, .. } => {
                let usage = usage(name, &self.matchers.of_pods());
                usage.map(|text| (Kind::Resource, text)).ok_or_else(|| {
                    format!("it reads `{name}` of metrics-server, for which no series of the kubelet stands")
                })
            }
            MetricQuery::Signal(signal) => Err(format!(
                "its trigger asks a service outside Prometheus, for which the simulator's figure `{}` stands; a `query` in \
                 metrics.triggers makes it one that can be asked",
                signal.signal.name()
            )),
            MetricQuery::Unread => Err("it is asked for nothing".to_owned()),
        }
    }

    /// The label that names objects and the query of a metric of prometheus-adapter's.
    fn through_adapter(
        &self,
        asked: Asked<'_>,
        metric: &str,
        (selector, objects): (&[LabelCondition], &[String]),
    ) -> Result<(String, String), String> {
        if self.gke.iter().any(|name| name == metric) {
            return Err(format!("{metric} comes from Cloud Monitoring, by GKE's adapter, and not from a Prometheus"));
        }
        let (adapter, series) = self.adapter.as_ref().map_err(Clone::clone)?;
        let found = adapter.explain(asked, series).map_err(|unanswered| {
            let near = names::nearest(metric, unanswered.names.iter().map(String::as_str));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            format!("the rules of prometheus-adapter list no metric {metric} of the series that are there now{near}")
        })?;
        let selector = cluster::metric_selector(selector);
        let text = adapter.query_for(&found, (self.namespace, objects), &selector);
        text.map(|text| (found.label, text)).map_err(|error| error.to_string())
    }
}

impl Answers {
    /// What the controller is told in a row, about the pods that are there.
    pub fn reading(
        &self,
        row: usize,
        pods: &[PodView],
        names: &[String],
        now_ns: i64,
    ) -> Result<MetricReading, MetricError> {
        let elements = &self.rows[row];
        match &self.kind {
            Kind::Vector => Ok(MetricReading::Vector(elements.iter().map(|element| element.1).collect())),
            Kind::Scalar => Ok(MetricReading::Scalar(elements.first().map_or(f64::NAN, |element| element.1))),
            Kind::External => elements
                .iter()
                .map(|element| thousandths(element.1))
                .collect::<Result<_, _>>()
                .map(MetricReading::External),
            Kind::Resource => Ok(MetricReading::Resource(
                pods.iter().filter_map(|pod| pod_usage(elements, (pod.pod, &names[pod.pod.index()]), now_ns)).collect(),
            )),
            Kind::Pods { label } => {
                let by_name = by_name(elements, label);
                let sample = |pod: &PodView| {
                    let value = *by_name.get(names[pod.pod.index()].as_str())?;
                    Some(thousandths(value).map(|value_m| PodSample { pod: pod.pod, value_m, timestamp_ns: now_ns }))
                };
                pods.iter().filter_map(sample).collect::<Result<_, _>>().map(MetricReading::Pods)
            }
            Kind::Object { metric, label, object } => {
                let value = by_name(elements, label).get(object.as_str()).copied();
                let value = value.ok_or_else(|| failure(format!("no value of {metric} for {object}")))?;
                thousandths(value).map(MetricReading::Object)
            }
        }
    }
}

/// What the kubelet's cadvisor shows of what metrics-server tells: CPU between the last two scrapes, memory at the last.
fn usage(resource: &str, pods: &str) -> Option<String> {
    // The sandbox of a pod and the pod's own cgroup are no containers.
    let matchers = format!("{pods},container!=\"\",container!=\"POD\"");
    let of_containers = match resource {
        "cpu" => format!("irate(container_cpu_usage_seconds_total{{{matchers}}}[5m])"),
        "memory" => format!("container_memory_working_set_bytes{{{matchers}}}"),
        _ => return None,
    };
    Some(format!("sum by (pod, container) ({of_containers})"))
}

/// Usage of one pod; nothing where none of its containers shows any.
fn pod_usage(elements: &[Element], (pod, name): (PodId, &str), now_ns: i64) -> Option<PodUsage> {
    let of_pod = elements.iter().filter(|(labels, _)| labels.get("pod").is_some_and(|pod| pod == name));
    let containers: Vec<ContainerUsage> = of_pod
        .filter(|(_, value)| value.is_finite())
        .map(|(labels, value)| ContainerUsage {
            name: labels.get("container").cloned().unwrap_or_default(),
            // Quantities are rounded up when they are read in thousandths.
            usage_m: (value * 1_000.0 - ROUNDING).ceil() as i64,
        })
        .collect();
    let containers_listed = containers.len();
    let has_any = containers_listed > 0;
    has_any.then_some(PodUsage { pod, containers, containers_listed, timestamp_ns: now_ns, window: WINDOW })
}

/// Of several elements for one object the last counts; NaN is 0, as prometheus-adapter has it.
fn by_name<'a>(elements: &'a [Element], label: &str) -> BTreeMap<&'a str, f64> {
    let named = elements.iter().filter_map(|(labels, value)| Some((labels.get(label)?.as_str(), *value)));
    named.map(|(name, value)| (name, if value.is_nan() { 0.0 } else { value })).collect()
}

fn thousandths(value: f64) -> Result<i64, MetricError> {
    let is_number = value.is_finite();
    is_number.then(|| (value * 1_000.0).trunc() as i64).ok_or_else(|| failure(format!("the value is {value}")))
}

fn failure(message: String) -> MetricError {
    MetricError { message }
}

/// The instant vectors of an expression at every row.
fn range(server: &Prometheus, expression: &str, grid: Grid) -> Result<Vec<Vec<Element>>, LiveError> {
    let mut rows = vec![Vec::new(); grid.rows];
    for first in (0..grid.rows).step_by(POINTS_MAX) {
        let last = grid.rows.min(first + POINTS_MAX) - 1;
        let body = server.query_range(expression, grid.at_ms(first), grid.at_ms(last), grid.step_ms)?;
        for series in answer::series(&body)? {
            for sample in &series.samples {
                if let Some(row) = grid.row_of(sample.at_ms) {
                    rows[row].push((series.labels.clone(), sample.value));
                }
            }
        }
    }
    Ok(rows)
}

/// The adapter of these rules with the series that it would list now, at `at_ms`.
pub(super) fn adapter(
    server: &Prometheus,
    rules: Option<&promql::adapter::Rules>,
    (max_age_ms, at_ms): (i64, i64),
) -> Result<Result<(Adapter, Vec<Labels>), String>, LiveError> {
    let Some(rules) = rules else {
        return Ok(Err("the scenario has no rules of prometheus-adapter that would answer for its metrics".to_owned()));
    };
    let adapter = match Adapter::new(rules, max_age_ms, promql::Options::default()) {
        Ok(adapter) => adapter,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let mut series = Vec::new();
    for selector in adapter.series_queries() {
        match server.series(selector, (at_ms - max_age_ms, at_ms)) {
            Ok(found) => series.extend(found.into_iter().map(Labels::new)),
            Err(error) if error.is_of_question => {
                return Ok(Err(format!("seriesQuery `{selector}`: {}", error.message)));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Ok((adapter, series)))
}
