//! prometheus-adapter: Prometheus queries behind `custom.metrics` and `external.metrics`.
//!
//! Follows kubernetes-sigs/prometheus-adapter at 01919d0: discovery at each relist, naming, the query template, and
//! what becomes of the answer. It knows neither Kubernetes objects nor the autoscaler that asks.

mod chart;
mod config;
mod explain;
mod matchers;
mod resource;
mod rule;
mod template;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use config::{GroupResource, NameRule, Requirement, Resources, Rule, Rules, SelectorOperator, SeriesFilter};
pub use explain::{Answer, Asked, Reason, RuleIndex, Unanswered};

use crate::labels::Labels;
use crate::query::{BOUND_MATCHER, EvalError, Evaluation, Options, Query, QueryError, SampleAges, Value};
use crate::storage::Storage;
use matchers::Condition;
use resource::{is_cluster_wide, singular};
use rule::CheckedRule;
use template::Fields;

/// Why the adapter has no answer, or cannot use its rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdapterError {
    /// A rule's regular expression is none.
    #[error("invalid regular expression {pattern:?}: {reason}")]
    Pattern {
        /// As written.
        pattern: String,
        /// What the compiler said.
        reason: String,
    },
    /// A rule's template uses something else than the fields.
    #[error(
        "template {template:?}: cannot use <<{action}>>; supported are .Series, .LabelMatchers, .GroupBy, \
         index .GroupBySlice 0, index .LabelValuesByName \"label\" and, in resources, .Group and .Resource"
    )]
    Template {
        /// The template as written.
        template: String,
        /// What stands between the delimiters.
        action: String,
    },
    /// `name.matches` has several groups, and `name.as` does not say which to use.
    #[error("name.matches {matches:?} has several groups, so name.as is needed")]
    NameWithoutAs {
        /// The pattern as written.
        matches: String,
    },
    /// A rule without `metricsQuery`.
    #[error(
        "the rule for {series_query:?} has no metricsQuery: prometheus-adapter would answer every request for its metrics with an error"
    )]
    EmptyQuery {
        /// Its `seriesQuery`.
        series_query: String,
    },
    /// The metric is not in the list made at the last relist.
    #[error("metric {metric} is not listed for {resource}")]
    NotListed {
        /// Name in the API.
        metric: String,
        /// What it was asked for.
        resource: String,
    },
    /// No label of the rule names the resource.
    #[error("no label names {resource} for metric {metric}")]
    NoLabel {
        /// Name in the API.
        metric: String,
        /// Singular name of the resource.
        resource: String,
    },
    /// The expanded query is no PromQL.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The query failed.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// The answer has a type that the adapter refuses.
    #[error("query {query:?} gives no instant vector")]
    WrongType {
        /// The expanded query.
        query: String,
    },
    /// A value that cannot become a whole number of thousandths. The real adapter converts it with undefined result.
    #[error("metric {metric} has the value {value}")]
    NotANumber {
        /// Name in the API.
        metric: String,
        /// As text.
        value: String,
    },
}

/// A metric to look up.
#[derive(Clone, Copy, Debug)]
pub struct MetricRequest<'a> {
    /// Name in the API.
    pub metric: &'a str,
    /// Namespace of the autoscaler.
    pub namespace: &'a str,
    /// The metric selector.
    pub selector: &'a [Requirement],
}

/// Values of objects, in the order of the objects asked for. Objects without value are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectValues {
    /// Name of the object and its value in thousandths.
    pub values: Vec<(String, i64)>,
    /// Time the values are stamped with: that of the query, in milliseconds.
    pub t_ms: i64,
    /// Times of the samples behind the values.
    pub ages: SampleAges,
}

/// Values of an external metric; an autoscaler adds them up, and takes none at all as an error.
#[derive(Clone, Debug, PartialEq)]
pub struct ExternalValues {
    /// Labels of each element and its value in thousandths.
    pub values: Vec<(Labels, i64)>,
    /// Time the values are stamped with: that of the query, in milliseconds.
    pub t_ms: i64,
    /// Times of the samples behind the values.
    pub ages: SampleAges,
}

/// A running adapter.
#[derive(Clone, Debug)]
pub struct Adapter {
    custom: Vec<CheckedRule>,
    external: Vec<CheckedRule>,
    max_age_ms: i64,
    options: Options,
    /// Names in the API that somebody asks for; None for any.
    asked: Option<BTreeSet<String>>,
    listed_custom: BTreeMap<CustomKey, Listed>,
    listed_external: BTreeMap<String, Listed>,
    queries: BTreeMap<QueryKey, KnownQuery>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct CustomKey {
    metric: String,
    /// Singular.
    resource: String,
    is_namespaced: bool,
}

/// Where a metric comes from.
#[derive(Clone, Debug)]
struct Listed {
    rule: usize,
    series: String,
}

/// Requests that share a compiled query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct QueryKey {
    metric: String,
    namespace: String,
    /// None for external metrics.
    resource: Option<String>,
}

#[derive(Clone, Debug)]
struct KnownQuery {
    query: Query,
    /// The conditions in force.
    conditions: Vec<Condition>,
    /// Whether other conditions can be given without compiling again.
    is_bindable: bool,
}

impl Adapter {
    /// An adapter with an empty list; nothing is found before the first [`Self::relist`]. `max_age_ms` is
    /// `--metrics-max-age`, by default the relist interval.
    pub fn new(rules: &Rules, max_age_ms: i64, options: Options) -> Result<Self, AdapterError> {
        Ok(Self {
            custom: rules.custom.iter().map(CheckedRule::check).collect::<Result<_, _>>()?,
            external: rules.external.iter().map(CheckedRule::check).collect::<Result<_, _>>()?,
            max_age_ms,
            options,
            asked: None,
            listed_custom: BTreeMap::new(),
            listed_external: BTreeMap::new(),
            queries: BTreeMap::new(),
        })
    }

    /// The same adapter for callers that only ever ask for these metrics: it [`wants`](Self::wants) and lists nothing else, and answers
    /// them as it would otherwise.
    pub fn only<N: Into<String>>(self, metrics: impl IntoIterator<Item = N>) -> Self {
        Self { asked: Some(metrics.into_iter().map(Into::into).collect()), ..self }
    }

    fn is_asked(&self, metric: &str) -> bool {
        self.asked.as_ref().is_none_or(|asked| asked.contains(metric))
    }

    /// How far before the present samples can matter, in milliseconds; None if a query looks at a fixed time.
    pub fn lookbehind_ms(&self) -> Option<i64> {
        let examples = self.custom.iter().chain(&self.external).map(|rule| &rule.example);
        let needed = examples.map(|example| example.lookbehind_ms(self.options));
        needed.into_iter().try_fold(self.max_age_ms, |far, needed| Some(far.max(needed?)))
    }

    /// Whether any rule may look at a series with these labels.
    pub fn wants(&self, labels: &Labels) -> bool {
        self.custom.iter().chain(&self.external).any(|rule| rule.wants(labels, |name| self.is_asked(name)))
    }

    /// Whether any rule may look at a series of this name, whatever its other labels.
    pub fn wants_name(&self, name: &str) -> bool {
        self.custom.iter().chain(&self.external).any(|rule| rule.wants_name(name, |name| self.is_asked(name)))
    }

    /// Asks which series there are. Metrics whose series had no sample within the maximum age disappear.
    pub fn relist(&mut self, storage: &Storage, now_ms: i64) {
        self.listed_custom.clear();
        self.listed_external.clear();
        let since_ms = now_ms - self.max_age_ms;
        let asked = self.asked.as_ref();
        let is_asked = |name: &str| asked.is_none_or(|asked| asked.contains(name));
        for (index, rule) in self.custom.iter().enumerate() {
            for labels in rule.series.series(storage, since_ms, now_ms) {
                let metric = rule.api_name(labels.metric_name()).filter(|name| is_asked(name));
                let Some(metric) = metric else { continue };
                for key in explain::keys(rule, labels, &metric) {
                    let series = labels.metric_name().to_owned();
                    self.listed_custom.insert(key, Listed { rule: index, series });
                }
            }
        }
        for (index, rule) in self.external.iter().enumerate() {
            for labels in rule.series.series(storage, since_ms, now_ms) {
                if let Some(metric) = rule.api_name(labels.metric_name()).filter(|name| is_asked(name)) {
                    let series = labels.metric_name().to_owned();
                    self.listed_external.insert(metric, Listed { rule: index, series });
                }
            }
        }
    }

    /// A metric of several pods (HPA type Pods).
    pub fn pods_metric<N: AsRef<str>>(
        &mut self,
        storage: &Storage,
        now_ms: i64,
        request: MetricRequest<'_>,
        pods: &[N],
    ) -> Result<ObjectValues, AdapterError> {
        self.objects_metric(storage, now_ms, request, &Objects { resource: "pod", names: pods })
    }

    /// A metric of objects of one kind, such as a service (HPA type Object).
    pub fn objects_metric<N: AsRef<str>>(
        &mut self,
        storage: &Storage,
        now_ms: i64,
        request: MetricRequest<'_>,
        objects: &Objects<'_, N>,
    ) -> Result<ObjectValues, AdapterError> {
        let resource = singular(objects.resource);
        let is_namespaced = !is_cluster_wide(&resource);
        let key = CustomKey { metric: request.metric.to_owned(), resource: resource.clone(), is_namespaced };
        let listed = self
            .listed_custom
            .get(&key)
            .ok_or_else(|| AdapterError::NotListed { metric: request.metric.to_owned(), resource: resource.clone() })?;
        let rule = &self.custom[listed.rule];
        let label_of = |resource: &str| {
            let missing = || AdapterError::NoLabel { metric: request.metric.to_owned(), resource: resource.to_owned() };
            rule.label_of(resource).ok_or_else(missing)
        };
        let label = label_of(&resource)?;
        let mut conditions = matchers::of_selector(request.selector);
        if is_namespaced {
            conditions.push(Condition::equal(&label_of("namespace")?, request.namespace));
        }
        conditions.push(Condition::names(&label, objects.names));
        let key = QueryKey {
            metric: request.metric.to_owned(),
            namespace: request.namespace.to_owned(),
            resource: Some(resource),
        };
        let answer = ask(self.queries.entry(key), rule, (&listed.series, &label), conditions)?;
        let Evaluation { value, ages } = answer.evaluate(storage, now_ms, self.options)?;
        let Value::Vector(elements) = value else {
            return Err(AdapterError::WrongType { query: answer.text().to_owned() });
        };
        // Of several elements for one object the last counts.
        let by_name: BTreeMap<&str, f64> =
            elements.iter().map(|element| (element.labels.get(&label), element.value)).collect();
        let mut values = Vec::with_capacity(objects.names.len());
        for name in objects.names {
            if let Some(&value) = by_name.get(name.as_ref()) {
                let value = if value.is_nan() { 0.0 } else { value };
                values.push((name.as_ref().to_owned(), thousandths(request.metric, value)?));
            }
        }
        Ok(ObjectValues { values, t_ms: now_ms, ages })
    }

    /// An external metric. The query is not grouped: a `by (<<.GroupBy>>)` makes one total.
    pub fn external_metric(
        &mut self,
        storage: &Storage,
        now_ms: i64,
        request: MetricRequest<'_>,
    ) -> Result<ExternalValues, AdapterError> {
        let listed = self.listed_external.get(request.metric).ok_or_else(|| AdapterError::NotListed {
            metric: request.metric.to_owned(),
            resource: "external metrics".to_owned(),
        })?;
        let rule = &self.external[listed.rule];
        let mut conditions = matchers::of_selector(request.selector);
        if rule.is_namespaced {
            let missing =
                || AdapterError::NoLabel { metric: request.metric.to_owned(), resource: "namespace".to_owned() };
            conditions.push(Condition::equal(&rule.label_of("namespace").ok_or_else(missing)?, request.namespace));
        }
        let (metric, namespace) = (request.metric.to_owned(), request.namespace.to_owned());
        let key = QueryKey { metric, namespace, resource: None };
        let answer = ask(self.queries.entry(key), rule, (&listed.series, ""), conditions)?;
        let Evaluation { value, ages } = answer.evaluate(storage, now_ms, self.options)?;
        let elements = match value {
            Value::Vector(elements) => elements.into_iter().map(|element| (element.labels, element.value)).collect(),
            Value::Scalar(value) => vec![(Labels::empty(), value)],
            _ => return Err(AdapterError::WrongType { query: answer.text().to_owned() }),
        };
        let values = elements.into_iter().map(|(labels, value)| Ok((labels, thousandths(request.metric, value)?)));
        Ok(ExternalValues { values: values.collect::<Result<_, AdapterError>>()?, t_ms: now_ms, ages })
    }
}

/// Objects of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Objects<'a, N> {
    /// The kind, singular or plural.
    pub resource: &'a str,
    /// Their names.
    pub names: &'a [N],
}

type Entry<'a> = std::collections::btree_map::Entry<'a, QueryKey, KnownQuery>;

/// The query for these conditions. Compiled once if the template uses them only within selectors, which is usual;
/// otherwise each time they change. `target` is the series and the label to group by.
fn ask<'a>(
    entry: Entry<'a>,
    rule: &CheckedRule,
    target: (&str, &str),
    conditions: Vec<Condition>,
) -> Result<&'a mut Query, AdapterError> {
    let expand = |label_matchers: &str| {
        let values = conditions.iter().map(|condition| (condition.label(), condition.values())).collect();
        let (series, group_by) = target;
        rule.query.expand(&Fields { series, label_matchers, group_by, values, ..Fields::default() })
    };
    let (later, text) = (expand(BOUND_MATCHER), || expand(&matchers::text(&conditions)));
    let mut known = match entry {
        Entry::Occupied(known) if known.get().is_bindable && known.get().query.text() == later => known,
        Entry::Occupied(known) if !known.get().is_bindable && known.get().query.text() == text() => known,
        other => {
            let mut query = Query::compile(&later)?;
            let is_bindable = !conditions.is_empty() && query.bind(&[]) == later.matches(BOUND_MATCHER).count();
            if !is_bindable {
                query = Query::compile(&text())?;
            }
            other.insert_entry(KnownQuery { query, conditions: Vec::new(), is_bindable })
        }
    };
    if known.get().is_bindable && known.get().conditions != conditions {
        let bound = conditions.iter().map(Condition::matcher).collect::<Result<Vec<_>, _>>()?;
        known.get_mut().query.bind(&bound);
        known.get_mut().conditions = conditions;
    }
    Ok(&mut known.into_mut().query)
}

/// A value in thousandths, cut. Infinities are refused where the real adapter's answer is undefined.
fn thousandths(metric: &str, value: f64) -> Result<i64, AdapterError> {
    if value.is_finite() {
        return Ok((value * 1000.0).trunc() as i64);
    }
    Err(AdapterError::NotANumber { metric: metric.to_owned(), value: value.to_string() })
}
