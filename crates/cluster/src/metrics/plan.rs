//! Which series are worth scraping: those that a query can reach, directly or through what it reads.

use std::sync::Arc;

use exporters::{
    Appears, HistogramPart, HistogramSignal, Kind, Label, Scope, Series, Signal, Target, TargetOf, Template, Value,
};
use promql::adapter::Adapter;
use promql::gke::GkeMetric;
use promql::labels::METRIC_NAME;
use promql::rules::RuleGroup;
use promql::{Labels, Query};

use crate::flow::Watched;
use crate::spec::ServiceSpec;

/// Everything that reads the store.
pub(super) struct Readers {
    /// PromQL by text.
    pub queries: Vec<Query>,
    pub adapter: Option<Adapter>,
    /// What series of the scenario's own are made of.
    pub expressions: Vec<Query>,
    /// Recording rules.
    pub rules: Vec<RuleGroup>,
    /// Metrics that GKE's adapter answers for.
    pub gke: Vec<GkeMetric>,
}

impl Readers {
    /// Whether anybody would look at a series with these labels.
    pub fn wants(&self, labels: &Labels) -> bool {
        let mut queries = self.queries.iter().chain(&self.expressions);
        queries.any(|query| query.wants(labels))
            || self.adapter.as_ref().is_some_and(|adapter| adapter.wants(labels))
            || self.rules.iter().any(|group| group.wants(labels))
            || self.gke.iter().any(|metric| metric.wants_name(labels.metric_name()))
    }

    fn wants_name(&self, name: &str) -> bool {
        let mut queries = self.queries.iter().chain(&self.expressions);
        queries.any(|query| query.wants_name(name))
            || self.adapter.as_ref().is_some_and(|adapter| adapter.wants_name(name))
            || self.rules.iter().any(|group| group.wants_name(name))
            || self.gke.iter().any(|metric| metric.wants_name(name))
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Figure {
    /// A figure of the model, times a scale, perhaps cut to a whole number.
    Signal {
        signal: Signal,
        scale: f64,
        floor: bool,
    },
    /// CPU or memory of a container, by its place among those of the pod; of all of them if that is `None`.
    Usage {
        signal: Signal,
        container: Option<usize>,
        scale: f64,
    },
    /// Values of a histogram at or below the bound of this bucket.
    Bucket(HistogramSignal, usize),
    Constant(f64),
    /// The answer of an expression, by number.
    Expression(usize),
}

/// A series that somebody may read.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub name: String,
    pub labels: Vec<Label>,
    pub figure: Figure,
    pub kind: Kind,
    pub appears: Appears,
    /// The service whose figure it shows.
    pub service: usize,
}

impl Shown {
    /// The same series of a pod whose container is called otherwise.
    pub fn of_container(&self, name: &str) -> Self {
        let mut other = self.clone();
        let named = other.labels.iter_mut().find(|label| label.name == "container");
        named.into_iter().for_each(|label| label.value = Template::new(name));
        other
    }
}

/// A target with the series of it that somebody may read.
pub(super) struct Plan {
    pub target: Target,
    /// The service that the target is of; the first that lists it, if it is the cluster's.
    pub service: usize,
    /// Tells targets apart whatever else is scraped.
    pub entity: u64,
    /// Series of the target itself.
    pub own: Vec<Shown>,
    /// Series of the objects it shows, by kind of object.
    pub of_objects: Vec<(Scope, Vec<Shown>)>,
    /// Whether somebody reads a busy share of the last second, and tokens of the last ten.
    pub reads_utilization: bool,
    pub reads_token_rate: bool,
}

/// Plans for the targets of `services`, and the histograms of each that are read; adds to `readers` the expressions that those read.
pub(super) fn plan(services: &[ServiceSpec], readers: &mut Readers) -> (Vec<Plan>, Vec<Arc<Watched>>) {
    let chosen = choose(services, readers);
    let mut plans: Vec<Plan> = Vec::new();
    let mut all_watched = Vec::new();
    for ((number, service), chosen) in services.iter().enumerate().zip(chosen) {
        let mut watched = Watched::default();
        let read = service.targets.iter().zip(&chosen).flat_map(|(target, chosen)| target.series.iter().zip(chosen));
        read.filter(|(_, chosen)| chosen.is_some()).for_each(|(series, _)| watch(&series.value, &mut watched));
        for (target, chosen) in service.targets.iter().zip(chosen) {
            let shown = target.series.iter().zip(chosen).filter_map(|(series, chosen)| {
                let figure = figure(series, chosen?, &watched, service);
                Some((series.per, shown(series, figure, number)))
            });
            let plan = arrange(target, number, shown.collect());
            match plans.iter_mut().find(|other| other.is_one_with(&plan)) {
                Some(other) => other.join(plan),
                None => plans.push(plan),
            }
        }
        all_watched.push(Arc::new(watched));
    }
    (plans, all_watched)
}

/// For each series of each target of each service: nothing if nobody reads it, else the number of its expression, or any number.
fn choose(services: &[ServiceSpec], readers: &mut Readers) -> Vec<Vec<Vec<Option<usize>>>> {
    let of_service =
        |service: &ServiceSpec| service.targets.iter().map(|target| vec![None; target.series.len()]).collect();
    let mut chosen: Vec<Vec<Vec<Option<usize>>>> = services.iter().map(of_service).collect();
    // An expression that is read makes others read: until nothing is added.
    loop {
        let mut has_grown = false;
        let targets = services.iter().zip(&mut chosen).flat_map(|(service, chosen)| service.targets.iter().zip(chosen));
        for (target, chosen) in targets {
            for (series, chosen) in target.series.iter().zip(chosen) {
                // Relabelling may give a series another name: what is stored is looked at when a target is registered.
                let is_renamed = !target.metric_relabelings.is_empty();
                if chosen.is_some() || !is_renamed && !readers.wants_name(&series.name) {
                    continue;
                }
                *chosen = Some(usize::MAX);
                if let Value::Expression(text) = &series.value {
                    *chosen = Some(readers.expressions.len());
                    readers.expressions.push(Query::compile(text).expect("the scenario compiled every expression"));
                    has_grown = true;
                }
            }
        }
        if !has_grown {
            return chosen;
        }
    }
}

fn watch(value: &Value, watched: &mut Watched) {
    if let Value::Signal { signal: Signal::Histogram(family, part), .. } = value {
        let bound = match part {
            HistogramPart::Bucket(bound) => Some(*bound),
            HistogramPart::Sum | HistogramPart::Count => None,
        };
        watched.add(*family, bound);
    }
}

fn shown(series: &Series, figure: Figure, service: usize) -> Shown {
    let Series { name, kind, labels, appears, .. } = series.clone();
    Shown { name, labels, figure, kind, appears, service }
}

fn figure(series: &Series, expression: usize, watched: &Watched, service: &ServiceSpec) -> Figure {
    match series.value {
        Value::Constant(value) => Figure::Constant(value),
        Value::Expression(_) => Figure::Expression(expression),
        Value::Signal { signal: Signal::Histogram(family, HistogramPart::Bucket(bound)), .. } => {
            Figure::Bucket(family, watched.bucket(family, bound))
        }
        Value::Signal { signal: signal @ (Signal::CpuSeconds | Signal::MemoryBytes), scale, .. } => {
            let named = series.labels.iter().find(|label| label.name == "container").map(|label| label.value.text());
            let container =
                named.and_then(|name| service.pod.containers.iter().position(|container| container.name == name));
            Figure::Usage { signal, container, scale }
        }
        Value::Signal { signal, scale, floor } => Figure::Signal { signal, scale, floor },
    }
}

impl Plan {
    /// Whether both are the same target: one of the cluster that several services list, each for its own series.
    fn is_one_with(&self, other: &Self) -> bool {
        matches!(self.target.of, TargetOf::Cluster | TargetOf::Node) && self.target == other.target
    }

    /// Shows what `other` shows too.
    fn join(&mut self, other: Self) {
        self.own.extend(other.own);
        for (scope, series) in other.of_objects {
            // Nodes and their GPUs are nobody's: each shows a series once, whoever lists it.
            let is_shared = matches!(scope, Scope::Node | Scope::Gpu);
            if self.of_objects.iter().all(|(known, _)| *known != scope) {
                self.of_objects.push((scope, Vec::new()));
            }
            let of_scope = self.of_objects.iter_mut().filter(|(known, _)| *known == scope).map(|(_, shown)| shown);
            let Some(of_scope) = of_scope.last() else { continue };
            for series in series {
                let is_known = is_shared && of_scope.iter().any(|known| known.is_like(&series));
                if !is_known {
                    of_scope.push(series);
                }
            }
        }
        self.reads_utilization |= other.reads_utilization;
        self.reads_token_rate |= other.reads_token_rate;
    }
}

impl Shown {
    /// Whether both show the same figure under the same name and labels.
    fn is_like(&self, other: &Self) -> bool {
        self.name == other.name && self.labels == other.labels && self.figure == other.figure
    }
}

/// Puts series to the target itself or to the objects it shows.
fn arrange(target: &Target, service: usize, shown: Vec<(Scope, Shown)>) -> Plan {
    let reads = |wanted: Signal| {
        shown.iter().any(|(_, series)| matches!(series.figure, Figure::Signal { signal, .. } if signal == wanted))
    };
    let (reads_utilization, reads_token_rate) = (reads(Signal::GpuUtilization), reads(Signal::TokenRate));
    let mut plan = Plan {
        entity: entity(target),
        service,
        target: Target { series: Vec::new(), ..target.clone() },
        own: Vec::new(),
        of_objects: Vec::new(),
        reads_utilization,
        reads_token_rate,
    };
    for (scope, series) in shown {
        if is_own(target.of, scope) {
            plan.own.push(series);
        } else if let Some((_, of_scope)) = plan.of_objects.iter_mut().find(|(known, _)| *known == scope) {
            of_scope.push(series);
        } else {
            plan.of_objects.push((scope, vec![series]));
        }
    }
    plan
}

fn is_own(of: TargetOf, scope: Scope) -> bool {
    match scope {
        Scope::Gateway | Scope::Cluster | Scope::Autoscaler => true,
        Scope::Pod | Scope::PodObject => of == TargetOf::Pod,
        Scope::Node => of == TargetOf::Node,
        Scope::Gpu => false,
    }
}

/// A number made of what a target is: its phase does not depend on what else is scraped.
fn entity(target: &Target) -> u64 {
    let fold = |hash: u64, text: &str| {
        text.bytes().fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let start = fold(0xcbf2_9ce4_8422_2325, &format!("{:?} {:?}", target.exporter, target.of));
    target.labels.iter().fold(start, |hash, label| fold(fold(hash, &label.name), label.value.text()))
}

/// The labels a program shows a series with, its variables filled.
pub(super) fn exposed(shown: &Shown, fill: impl Fn(exporters::Variable) -> String) -> Labels {
    let labels = shown.labels.iter().map(|label| (label.name.clone(), label.value.fill(&fill)));
    Labels::new(labels.chain([(METRIC_NAME.to_owned(), shown.name.clone())]))
}
