//! What the metric APIs answer at one instant.

use policy::{MetricError, MetricOutcome, MetricQuery, MetricReading, PodSample, Provenance};
use promql::Value;
use promql::adapter::{AdapterError, MetricRequest, Objects, Requirement, SelectorOperator};
use units::{PodId, SimDuration, SimTime};

use super::{Answer, Pipeline, exposition, now_ms};
use crate::flow::Flow;
use crate::model::Pods;

const NANOS_PER_MILLI: i64 = 1_000_000;

impl Pipeline {
    /// The answers to `queries`, in their order, and how each came about.
    pub(crate) fn answer_all(
        &mut self,
        queries: &[MetricQuery],
        now: SimTime,
        flow: &mut dyn Flow,
        pods: &Pods,
    ) -> (Vec<Answer>, Vec<Provenance>) {
        let answer = |query| {
            self.provenance = Provenance::default();
            (self.answer(query, now, flow, pods), self.provenance)
        };
        queries.iter().map(answer).unzip()
    }

    /// Notes how old the oldest sample behind the present answer is.
    fn note_age(&mut self, stalest_ms: Option<i64>, now: SimTime) {
        let age_ms = stalest_ms.map(|stalest_ms| now_ms(now).saturating_sub(stalest_ms));
        self.provenance.age = age_ms.map(|age_ms| SimDuration::from_millis(u64::try_from(age_ms).unwrap_or(0)));
    }

    /// What the adapter refused. A metric it does not list is one without series, unless nobody configured it.
    fn refused(&mut self, failure: &AdapterError) -> MetricError {
        if matches!(failure, AdapterError::NotListed { .. }) {
            self.provenance.outcome = Some(MetricOutcome::Empty { as_zero: false });
        }
        error(&failure.to_string())
    }

    fn answer(&mut self, query: &MetricQuery, now: SimTime, flow: &mut dyn Flow, pods: &Pods) -> Answer {
        match query {
            MetricQuery::Resource { name, .. } => match &self.resources {
                Some(resources) => Ok(resources.answer(name, &self.service, pods)),
                None => Err(error("metrics-server is not there")),
            },
            MetricQuery::Pods { name, selector } => self.pods_metric(name, selector, now, pods),
            MetricQuery::Object { name, kind, object, selector } => {
                self.object_metric((name, selector), (kind, object), now)
            }
            MetricQuery::External { name, selector } => self.external_metric(name, selector, now),
            MetricQuery::PromQl { expression } => self.promql(expression, now),
            MetricQuery::Signal { name } => signal(name, now, flow),
        }
    }

    fn pods_metric(&mut self, metric: &str, selector: &[(String, String)], now: SimTime, pods: &Pods) -> Answer {
        let names: Vec<String> =
            pods.selected().into_iter().map(|pod| exposition::pod_name(&self.service, pod)).collect();
        let Some(adapter) = &mut self.adapter else { return Err(no_adapter(metric)) };
        let requirements = equalities(selector);
        let request = MetricRequest { metric, namespace: &self.service.namespace, selector: &requirements };
        let found = adapter.pods_metric(&self.storage, now_ms(now), request, &names);
        let found = found.map_err(|failure| self.refused(&failure))?;
        self.note_age(found.ages.stalest_ms, now);
        let timestamp_ns = found.ages.stalest_ms.unwrap_or(found.t_ms) * NANOS_PER_MILLI;
        let sample = |(name, value_m): &(String, i64)| {
            let pod: PodId = exposition::pod_of(&self.service, name)?;
            Some(PodSample { pod, value_m: *value_m, timestamp_ns })
        };
        Ok(MetricReading::Pods(found.values.iter().filter_map(sample).collect()))
    }

    fn object_metric(
        &mut self,
        (metric, selector): (&str, &[(String, String)]),
        (kind, name): (&str, &str),
        now: SimTime,
    ) -> Answer {
        let Some(adapter) = &mut self.adapter else { return Err(no_adapter(metric)) };
        let requirements = equalities(selector);
        let request = MetricRequest { metric, namespace: &self.service.namespace, selector: &requirements };
        let resource = kind.to_lowercase();
        let objects = Objects { resource: &resource, names: &[name] };
        let found = adapter.objects_metric(&self.storage, now_ms(now), request, &objects);
        let found = found.map_err(|failure| self.refused(&failure))?;
        self.note_age(found.ages.stalest_ms, now);
        let Some(value) = found.values.first() else {
            self.provenance.outcome = Some(MetricOutcome::Empty { as_zero: false });
            return Err(error(&format!("no value of {metric} for {kind} {name}")));
        };
        Ok(MetricReading::Object(value.1))
    }

    fn external_metric(&mut self, metric: &str, selector: &[(String, String)], now: SimTime) -> Answer {
        let Some(adapter) = &mut self.adapter else { return Err(no_adapter(metric)) };
        let requirements = equalities(selector);
        let request = MetricRequest { metric, namespace: &self.service.namespace, selector: &requirements };
        let found = adapter.external_metric(&self.storage, now_ms(now), request);
        let found = found.map_err(|failure| self.refused(&failure))?;
        self.note_age(found.ages.stalest_ms, now);
        Ok(MetricReading::External(found.values.iter().map(|(_, value_m)| *value_m).collect()))
    }

    /// An instant query as KEDA sends it: at the present time cut to the whole second.
    fn promql(&mut self, expression: &str, now: SimTime) -> Answer {
        let query =
            self.queries.iter_mut().find(|query| query.text() == expression).expect("every query was announced");
        let whole_second_ms = now.as_secs() as i64 * 1_000;
        let found = query
            .evaluate(&self.storage, whole_second_ms, self.options)
            .map_err(|failure| error(&failure.to_string()))?;
        self.note_age(found.ages.stalest_ms, now);
        match found.value {
            Value::Scalar(value) => Ok(MetricReading::Scalar(value)),
            Value::Vector(elements) => {
                Ok(MetricReading::Vector(elements.iter().map(|element| element.value).collect()))
            }
            Value::Matrix(_) | Value::Text(_) => Err(error("the query gives neither a vector nor a scalar")),
        }
    }
}

/// Figures the simulator itself knows, for triggers of kinds it does not model.
fn signal(name: &str, now: SimTime, flow: &mut dyn Flow) -> Answer {
    let load = flow.load(now);
    let value = match name {
        "queue_length" => load.waiting,
        "in_flight" => load.in_flight,
        "requests" => load.waiting + load.in_flight,
        "arrivals_total" => load.arrived,
        _ => return Err(error(&format!("no such signal: {name}"))),
    };
    Ok(MetricReading::Signal(value as f64))
}

fn equalities(selector: &[(String, String)]) -> Vec<Requirement> {
    let equality = |(label, value): &(String, String)| Requirement {
        key: label.clone(),
        operator: SelectorOperator::Equals,
        values: vec![value.clone()],
    };
    selector.iter().map(equality).collect()
}

fn error(message: &str) -> MetricError {
    MetricError { message: message.to_owned() }
}

fn no_adapter(metric: &str) -> MetricError {
    error(&format!("the metrics API has no metric {metric}: no prometheus-adapter rules were given"))
}
