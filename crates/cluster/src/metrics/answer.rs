//! What the metric APIs answer at one instant.

use std::collections::BTreeMap;

use policy::{LabelCondition, MetricError, MetricOutcome, MetricQuery, MetricReading, PodSample, Provenance};
use promql::Value;
use promql::adapter::{AdapterError, MetricRequest, Objects};
use promql::gke::{GkeAdapter, GkeRequest};
use units::{PodId, SimDuration, SimTime};

use super::selector::requirements;
use super::world::Asker;
use super::{Answer, Pipeline, millis, now_ms};

const NANOS_PER_MILLI: i64 = 1_000_000;

impl Pipeline {
    /// The answers to `queries` of a controller of one service, in their order, and how each came about.
    pub(crate) fn answer_all(
        &mut self,
        queries: &[MetricQuery],
        asker: &mut Asker<'_>,
    ) -> (Vec<Answer>, Vec<Provenance>) {
        let answer = |query| {
            self.provenance = Provenance::default();
            (self.answer(query, asker), self.provenance)
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

    fn answer(&mut self, query: &MetricQuery, asker: &mut Asker<'_>) -> Answer {
        let (now, pods, service) = (asker.now, asker.view.pods, asker.service);
        match query {
            MetricQuery::Pods { name, .. } | MetricQuery::Object { name, .. } | MetricQuery::External { name, .. }
                if self.outages.adapter(now) || self.outages.prometheus(now) =>
            {
                let what = if self.outages.adapter(now) { "prometheus-adapter" } else { "Prometheus" };
                Err(error(&format!("unable to get metric {name}: {what} does not answer")))
            }
            MetricQuery::PromQl { .. } if self.outages.prometheus(now) => Err(error("Prometheus does not answer")),
            MetricQuery::Resource { name, .. } => match &self.resources {
                Some(resources) => Ok(resources.answer(name, &self.tenants[service].service, pods)),
                None => Err(error("metrics-server is not there")),
            },
            MetricQuery::Pods { name, selector } if self.metrics.gke.metrics.contains_key(name) => {
                self.gke_pods((name, selector), asker)
            }
            MetricQuery::External { name, selector } if self.metrics.gke.metrics.contains_key(name) => {
                self.gke_external(name, selector, now)
            }
            MetricQuery::Pods { name, selector } => self.pods_metric((name, selector), asker),
            MetricQuery::Object { name, kind, object, selector } => {
                self.object_metric((name, selector), (kind, object), asker)
            }
            MetricQuery::External { name, selector } => self.external_metric((name, selector), asker),
            MetricQuery::PromQl { expression } => self.promql(expression, now),
            MetricQuery::Signal(query) => {
                let log = &self.tenants[service].signals;
                let (value, age) = log.value(*query, now, &mut *asker.view.flow, pods);
                self.provenance.age = Some(age);
                Ok(MetricReading::Signal(value))
            }
            MetricQuery::Unread => Err(error("not asked for")),
        }
    }

    fn pods_metric(&mut self, (metric, selector): (&str, &[LabelCondition]), asker: &Asker<'_>) -> Answer {
        let (now, pods, service) = (asker.now, asker.view.pods, asker.service);
        let by_name: BTreeMap<String, PodId> =
            pods.selected().into_iter().map(|pod| (self.tenants[service].names.pod(pod), pod)).collect();
        let names: Vec<&str> = pods_in_order(&by_name);
        let Some(adapter) = &mut self.readers.adapter else { return Err(no_adapter(metric)) };
        let requirements = requirements(selector);
        let request =
            MetricRequest { metric, namespace: &self.tenants[service].service.namespace, selector: &requirements };
        let found = adapter.pods_metric(&self.storage, now_ms(now), request, &names);
        let found = found.map_err(|failure| self.refused(&failure))?;
        self.note_age(found.ages.stalest_ms, now);
        let timestamp_ns = found.ages.stalest_ms.unwrap_or(found.t_ms) * NANOS_PER_MILLI;
        let sample = |(name, value_m): &(String, i64)| {
            let pod = *by_name.get(name)?;
            Some(PodSample { pod, value_m: *value_m, timestamp_ns })
        };
        Ok(MetricReading::Pods(found.values.iter().filter_map(sample).collect()))
    }

    fn object_metric(
        &mut self,
        (metric, selector): (&str, &[LabelCondition]),
        (kind, name): (&str, &str),
        asker: &Asker<'_>,
    ) -> Answer {
        let (now, service) = (asker.now, asker.service);
        let Some(adapter) = &mut self.readers.adapter else { return Err(no_adapter(metric)) };
        let requirements = requirements(selector);
        let request =
            MetricRequest { metric, namespace: &self.tenants[service].service.namespace, selector: &requirements };
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

    fn external_metric(&mut self, (metric, selector): (&str, &[LabelCondition]), asker: &Asker<'_>) -> Answer {
        let (now, service) = (asker.now, asker.service);
        let Some(adapter) = &mut self.readers.adapter else { return Err(no_adapter(metric)) };
        let requirements = requirements(selector);
        let request =
            MetricRequest { metric, namespace: &self.tenants[service].service.namespace, selector: &requirements };
        let found = adapter.external_metric(&self.storage, now_ms(now), request);
        let found = found.map_err(|failure| self.refused(&failure))?;
        self.note_age(found.ages.stalest_ms, now);
        Ok(MetricReading::External(found.values.iter().map(|(_, value_m)| *value_m).collect()))
    }

    /// A metric of the pods as GKE's adapter answers it.
    fn gke_pods(&mut self, (name, selector): (&str, &[LabelCondition]), asker: &Asker<'_>) -> Answer {
        let (now, pods, service) = (asker.now, asker.view.pods, asker.service);
        let by_name: BTreeMap<String, PodId> =
            pods.selected().into_iter().map(|pod| (self.tenants[service].names.pod(pod), pod)).collect();
        let names: Vec<&str> = pods_in_order(&by_name);
        let (adapter, selector) = (self.gke_adapter(), requirements(selector));
        let request = GkeRequest { metric: &self.metrics.gke.metrics[name], selector: &selector };
        let namespace = self.tenants[service].service.namespace.as_str();
        let found = adapter
            .pods_metric(&self.storage, now_ms(now), request, (namespace, &names))
            .map_err(|failure| error(&failure.to_string()))?;
        self.note_age(found.ages.stalest_ms, now);
        // The adapter stamps values with the time of the request.
        let timestamp_ns = found.t_ms * NANOS_PER_MILLI;
        let sample = |(name, value_m): &(String, i64)| {
            let pod = *by_name.get(name)?;
            Some(PodSample { pod, value_m: *value_m, timestamp_ns })
        };
        Ok(MetricReading::Pods(found.values.iter().filter_map(sample).collect()))
    }

    /// An external metric as GKE's adapter answers it.
    fn gke_external(&mut self, name: &str, selector: &[LabelCondition], now: SimTime) -> Answer {
        let selector = requirements(selector);
        let request = GkeRequest { metric: &self.metrics.gke.metrics[name], selector: &selector };
        let found = self
            .gke_adapter()
            .external_metric(&self.storage, now_ms(now), request)
            .map_err(|failure| error(&failure.to_string()))?;
        self.note_age(found.ages.stalest_ms, now);
        Ok(MetricReading::External(found.values.iter().map(|(_, value_m)| *value_m).collect()))
    }

    fn gke_adapter(&self) -> GkeAdapter {
        GkeAdapter { delay_ms: millis(self.metrics.gke.delay) }
    }

    /// An instant query as KEDA sends it: at the present time cut to the whole second.
    fn promql(&mut self, expression: &str, now: SimTime) -> Answer {
        let query = self
            .readers
            .queries
            .iter_mut()
            .find(|query| query.text() == expression)
            .expect("every query was announced");
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

/// Names of pods in the order in which the pods were made.
fn pods_in_order(by_name: &BTreeMap<String, PodId>) -> Vec<&str> {
    let mut names: Vec<(PodId, &str)> = by_name.iter().map(|(name, pod)| (*pod, name.as_str())).collect();
    names.sort_unstable();
    names.into_iter().map(|(_, name)| name).collect()
}

fn error(message: &str) -> MetricError {
    MetricError { message: message.to_owned() }
}

fn no_adapter(metric: &str) -> MetricError {
    error(&format!("the metrics API has no metric {metric}: no prometheus-adapter rules were given"))
}
