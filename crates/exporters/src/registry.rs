//! Every series there can be in a scenario, as Prometheus stores it.
//!
//! Made of the targets; a query is held against it before anything runs. It knows what the labels of a series can be, not what they are.

use std::collections::{BTreeMap, BTreeSet};

use promql::labels::METRIC_NAME;
use promql::{Labels, ScrapeTarget};
use units::SimDuration;

use crate::build::OF_EVERY_TARGET;
use crate::catalogue::{self, Figure, Metric};
use crate::domain::Domain;
use crate::facts::Facts;
use crate::target::{Appears, Exporter, Kind, Series, Target, TargetOf, Value, Variable};

/// Series that differ in nothing but `le` and what a run makes up.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Name.
    pub name: String,
    /// Who shows it.
    pub exporter: Exporter,
    /// How many targets show it.
    pub of: TargetOf,
    /// Type of the metric.
    pub kind: Kind,
    /// Labels as stored, but the name.
    pub labels: BTreeMap<String, Domain>,
    /// Those of them that may be absent.
    pub may_lack: BTreeSet<String>,
    /// Time between its samples.
    pub interval: SimDuration,
    /// Its value, that of one bucket for a histogram.
    pub value: Value,
    /// When it is there.
    pub appears: Appears,
    /// Why it is always the same, if it is.
    pub constant: Option<&'static str>,
}

/// What there is, and where names that are not belong.
#[derive(Clone, Debug)]
pub struct Registry {
    facts: Facts,
    exporters: BTreeSet<Exporter>,
    shown: Vec<Shown>,
    by_name: BTreeMap<String, Vec<usize>>,
    /// Domains by the label value they were made of: many series share a few.
    domains: BTreeMap<String, Domain>,
}

impl Registry {
    /// Of these exporters, scraped as these targets.
    pub fn new(exporters: &[Exporter], targets: &[Target], facts: &Facts) -> Self {
        let mut registry = Self {
            facts: facts.clone(),
            exporters: exporters.iter().copied().collect(),
            shown: Vec::new(),
            by_name: BTreeMap::new(),
            domains: BTreeMap::new(),
        };
        for target in targets {
            registry.add_target(target);
        }
        registry.domains.clear();
        registry
    }

    /// A series that a recording rule makes, with the labels it can have; None if they are not known.
    pub fn record(&mut self, name: &str, interval: SimDuration, labels: BTreeMap<String, Domain>) {
        let shown = Shown {
            name: name.to_owned(),
            exporter: Exporter::Recorded,
            of: TargetOf::Cluster,
            kind: Kind::Recorded,
            may_lack: labels.keys().cloned().collect(),
            labels,
            interval,
            value: Value::Expression(String::new()),
            appears: Appears::FirstEvent,
            constant: None,
        };
        self.add(shown);
    }

    /// What the scenario says.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Whether this exporter is there.
    pub fn offers(&self, exporter: Exporter) -> bool {
        self.exporters.contains(&exporter)
    }

    /// The exporters that are there.
    pub fn exporters(&self) -> impl Iterator<Item = Exporter> + '_ {
        self.exporters.iter().copied()
    }

    /// Everything shown, by name.
    pub fn all(&self) -> impl Iterator<Item = &Shown> {
        self.by_name.values().flatten().map(|index| &self.shown[*index])
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The series of one name.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Shown> {
        self.by_name.get(name).into_iter().flatten().map(|index| &self.shown[*index])
    }

    /// Why an exporter that is here does not show one of its metrics; None if it does.
    pub fn why_absent(&self, exporter: Exporter, metric: &Metric) -> Option<String> {
        if !crate::build::series(exporter, metric, &self.facts).is_empty() {
            return None;
        }
        let version = self.facts.versions.get(&exporter).copied();
        if let Some(why) = metric.not_modelled() {
            return Some(why.to_owned());
        }
        if !metric.is_in(version) {
            let instead = metric.successor.map(|name| format!("; {name} took its place")).unwrap_or_default();
            return Some(format!("not in this release{instead}"));
        }
        match metric.needs.filter(|needs| !self.facts.has(*needs)) {
            Some(catalogue::Needs::Argument(word)) => Some(format!("only with {word}")),
            Some(catalogue::Needs::NoArgument(word)) => Some(format!("only without {word}")),
            Some(catalogue::Needs::Stated(statement)) => Some(statement.help().to_owned()),
            None if !self.facts.left_out.contains(&(exporter, metric.name)) => {
                Some("no monitor keeps it: relabelings drop it".to_owned())
            }
            None => Some("another program shows requests under the same name".to_owned()),
        }
    }

    fn add(&mut self, shown: Shown) {
        self.by_name.entry(shown.name.clone()).or_default().push(self.shown.len());
        self.shown.push(shown);
    }

    fn add_target(&mut self, target: &Target) {
        let labels = target.labels.iter().map(|label| (label.name.clone(), label.value.text().to_owned()));
        let mut scraped = ScrapeTarget::new(Labels::new(labels), 1, 0);
        scraped.honor_labels = target.honor_labels;
        scraped.metric_relabelings.clone_from(&target.metric_relabelings);
        for name in OF_EVERY_TARGET {
            let shown = self.of_target(target, &scraped, name);
            self.add(shown);
        }
        let mut last: Option<(usize, Labels)> = None;
        for series in &target.series {
            let exposed = series.labels.iter().map(|label| (label.name.clone(), label.value.text().to_owned()));
            let exposed = Labels::new(exposed.chain([(METRIC_NAME.to_owned(), series.name.clone())]));
            let Some(stored) = scraped.stored_labels(&exposed) else { continue };
            let bound = stored.get("le").to_owned();
            let rest = stored.with("le", "");
            if let Some((index, before)) = &last
                && *before == rest
                && !bound.is_empty()
                && let Some(Domain::Known(bounds)) = self.shown[*index].labels.get_mut("le")
            {
                bounds.push(bound);
                continue;
            }
            let shown = self.of_series(target, series, &stored);
            last = Some((self.shown.len(), rest));
            self.add(shown);
        }
    }

    fn of_target(&mut self, target: &Target, scraped: &ScrapeTarget, name: &str) -> Shown {
        let labels = scraped.labels.iter().map(|(name, value)| (name.to_owned(), self.domain(value)));
        Shown {
            name: name.to_owned(),
            exporter: target.exporter,
            of: target.of,
            kind: Kind::Gauge,
            labels: labels.collect(),
            may_lack: BTreeSet::new(),
            interval: target.interval,
            value: Value::Constant(1.0),
            appears: Appears::WithProcess,
            constant: (name != "up").then_some("how long scrapes take and what they bring is not modelled"),
        }
    }

    fn of_series(&mut self, target: &Target, series: &Series, stored: &Labels) -> Shown {
        let metric = metric_of(target.exporter, &series.name);
        let labels: BTreeMap<String, Domain> = stored
            .iter()
            .filter(|(name, _)| *name != METRIC_NAME)
            .map(|(name, value)| (name.to_owned(), self.stored_domain(target, metric, name, value)))
            .collect();
        let is_of_holder = |value: &str| {
            use Variable::{HolderContainer, HolderNamespace, HolderPod};
            let template = crate::target::Template::new(value);
            template.variables().any(|variable| matches!(variable, HolderContainer | HolderNamespace | HolderPod))
        };
        let may_lack =
            stored.iter().filter(|(_, value)| is_of_holder(value)).map(|(name, _)| name.to_owned()).collect();
        Shown {
            name: stored.metric_name().to_owned(),
            exporter: target.exporter,
            of: target.of,
            kind: series.kind,
            constant: constant(series, metric),
            labels,
            may_lack,
            interval: target.interval,
            value: series.value.clone(),
            appears: series.appears,
        }
    }

    /// The domain of a label of a series: bindable where the tables say so.
    fn stored_domain(&mut self, target: &Target, metric: Option<&Metric>, name: &str, value: &str) -> Domain {
        let plain = name.trim_start_matches("exported_");
        let own = metric.and_then(|metric| {
            let rows = metric.rows.iter().flat_map(|(labels, _)| labels.iter());
            metric.labels.iter().chain(rows).find(|(label, _)| self.facts.fill(label) == plain)
        });
        let is_from_target = target.labels.iter().any(|label| label.name == name && label.value.text() == value);
        match own {
            Some((_, text)) if !is_from_target && self.is_bindable(target.exporter, plain, text) => {
                Domain::Bindable(value.to_owned())
            }
            _ => self.domain(value),
        }
    }

    fn is_bindable(&self, exporter: Exporter, label: &str, text: &str) -> bool {
        let is_bound = self.facts.bound.contains_key(&(exporter, label.to_owned()));
        !is_bound && self.facts.is_open(text)
    }

    fn domain(&mut self, value: &str) -> Domain {
        if let Some(known) = self.domains.get(value) {
            return known.clone();
        }
        let domain = Domain::of(&crate::target::Template::new(value), &self.facts);
        self.domains.insert(value.to_owned(), domain.clone());
        domain
    }
}

/// The metric that a series name belongs to.
pub(crate) fn metric_of(exporter: Exporter, name: &str) -> Option<&'static Metric> {
    catalogue::metrics(exporter).iter().find(|metric| is_series_of(metric, name))
}

/// Whether a metric has series of this name.
pub(crate) fn is_series_of(metric: &Metric, name: &str) -> bool {
    let Some(suffix) = name.strip_prefix(metric.name) else { return false };
    match metric.kind {
        Kind::Histogram => matches!(suffix, "_bucket" | "_sum" | "_count"),
        Kind::Summary => matches!(suffix, "" | "_sum" | "_count"),
        Kind::Counter | Kind::Gauge | Kind::Recorded => suffix.is_empty(),
    }
}

/// Why a series never changes: said by the table for the row that has its labels.
fn constant(series: &Series, metric: Option<&'static Metric>) -> Option<&'static str> {
    if !matches!(series.value, Value::Constant(_)) {
        return None;
    }
    let why = |figure: Figure| match figure {
        Figure::Always(_, why) | Figure::Found(_, why) => Some(why),
        _ => None,
    };
    let metric = metric?;
    let has = |labels: catalogue::Pairs| {
        labels.iter().all(|(name, value)| {
            value.is_empty() || series.labels.iter().any(|label| label.name == *name && label.value.text() == *value)
        })
    };
    let row = metric.rows.iter().find(|(labels, figure)| has(labels) && why(*figure).is_some());
    row.map_or(why(metric.figure), |(_, figure)| why(*figure))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::targets_of;

    fn registry(exporters: &[Exporter]) -> Registry {
        let facts = Facts::new("llm", "chat");
        Registry::new(exporters, &targets_of(exporters, &facts), &facts)
    }

    #[test]
    fn buckets_are_one_entry_with_bounds_as_prometheus_stores_them() {
        let registry = registry(&[Exporter::Vllm]);
        let buckets: Vec<&Shown> = registry.named("vllm:time_to_first_token_seconds_bucket").collect();
        assert_eq!(buckets.len(), 1);
        let Some(Domain::Known(bounds)) = buckets[0].labels.get("le") else { panic!("bounds are known") };
        assert_eq!((bounds.len(), bounds[0].as_str(), bounds[11].as_str()), (23, "0.001", "1.0"));
        assert_eq!(bounds.last().map(String::as_str), Some("+Inf"));
    }

    #[test]
    fn labels_of_the_holder_of_a_gpu_are_renamed_unless_honored() {
        let names = |honor| {
            let facts = Facts { dcgm_honor_labels: honor, ..Facts::new("llm", "chat") };
            let registry = Registry::new(&[Exporter::Dcgm], &targets_of(&[Exporter::Dcgm], &facts), &facts);
            let shown = registry.named("DCGM_FI_DEV_GPU_UTIL").next().expect("it is shown");
            (shown.labels.contains_key("exported_pod"), shown.may_lack.clone())
        };
        let set = |names: [&str; 3]| names.map(str::to_owned).into_iter().collect::<BTreeSet<String>>();
        assert_eq!(names(false), (true, set(["exported_container", "exported_namespace", "exported_pod"])));
        assert_eq!(names(true), (false, set(["container", "namespace", "pod"])));
    }

    #[test]
    fn every_metric_of_the_tables_is_shown_or_has_a_reason_not_to_be() {
        for (exporter, metric) in catalogue::all() {
            let mut facts = Facts::new("llm", "chat");
            facts.stated = catalogue::Statement::ALL.into_iter().collect();
            if let Some(gone) = metric.hidden.or(metric.until) {
                let before = crate::Version(gone.0, gone.1.saturating_sub(1), 0);
                facts.versions.insert(exporter, before);
            }
            let is_shown = !crate::series(exporter, metric, &facts).is_empty();
            assert_eq!(is_shown, metric.not_modelled().is_none(), "{}", metric.name);
        }
    }
}
