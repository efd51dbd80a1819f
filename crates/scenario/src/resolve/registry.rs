//! What is shown in a scenario, and every query held against it.

use std::collections::{BTreeMap, BTreeSet};

use cluster::spec::{PolicySpec, ServiceSpec};
use exporters::catalogue::{self, Statement, program};
use exporters::{
    Bindings, Domain, Exporter, Facts, Label, Registry, Target, TargetLife, Template, Verdict, Version, check,
};
use promql::labels::METRIC_NAME;
use promql::rules::RuleGroup;
use promql::{Labels, Outline};
use units::SimDuration;

use crate::error::{Allowed, ScenarioError};
use crate::file::{CountFile, ExporterFile, MetricsFile, ModelFile, RoleFile, ServiceView};

use super::beside::count_at_application;
use super::queries::AskedQuery;
use super::server::Server;
use super::targets::{Beside, Scrape};
use super::{Context, examples};

/// What is shown, and what it is made of.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    /// What Prometheus scrapes.
    pub targets: Vec<Target>,
    /// The same, for questions.
    pub registry: Registry,
    /// Label sets of all series, for one pod.
    pub series: Vec<Labels>,
    /// What comes of each query.
    pub verdicts: Vec<Verdict>,
}

/// What is asked of the metrics, and what stands between them and those who ask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demands<'a> {
    /// Queries.
    pub queries: &'a [AskedQuery],
    /// Names that somebody asks for by other ways.
    pub names: &'a BTreeSet<String>,
    /// How the pods are scraped; nothing if no document says so.
    pub scrapes: &'a [Scrape],
    /// Programs beside the service that documents say how to scrape.
    pub beside: &'a [Beside],
    /// Recording rules that are evaluated.
    pub rules: &'a [RuleGroup],
    /// Their expressions that answers depend on.
    pub recorded: &'a [AskedQuery],
}

/// What metrics there are of a service, and who reads them.
#[derive(Clone, Debug)]
pub struct MetricsView {
    /// Name of the service.
    pub service: String,
    /// Everything that is shown, and what is not.
    pub registry: Registry,
    /// Series that queries can reach.
    pub uses: Vec<MetricUse>,
}

/// A series that a query can reach.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MetricUse {
    /// Whose it is.
    pub exporter: Exporter,
    /// Its name.
    pub name: String,
    /// Policy of the query.
    pub policy: String,
    /// Who asks, `keda/s0`.
    pub asker: String,
}

impl Context<'_> {
    /// What a service shows, with what comes of its own queries.
    pub(super) fn shown(
        &mut self,
        spec: &ServiceView,
        service: &ServiceSpec,
        policies: &[PolicySpec],
        demands: &Demands<'_>,
    ) -> Result<Shown, ScenarioError> {
        let (file, asked) = (&spec.metrics, demands.queries);
        let server = self.server_of(service);
        let mut facts = self.facts(file, service, policies, server.as_ref())?;
        facts.idle_records.clone_from(&self.idle_records);
        facts.stated.extend(super::usage::statements(spec.service.usage.as_ref()));
        let of_rules = demands.rules.iter().flat_map(RuleGroup::rules).map(|rule| rule.query().text());
        let mut names = names_in(asked.iter().map(|query| query.text.as_str()).chain(of_rules));
        names.extend(demands.names.iter().cloned());
        let beside = self.told_apart(demands, &names, &facts)?;
        let demands = &Demands { beside: &beside, ..*demands };
        let exporters = self.exporters(spec, server.as_ref(), &names, &mut facts);
        count_at_application(&beside, &mut facts);
        self.labels_of_pods(server.as_ref(), asked, &mut facts);
        let first = self.build(file, (&exporters, demands), &facts)?;
        let mut bindings = Bindings::default();
        let verdicts = asked.iter().map(|query| check(query.question(file), &first.registry, &mut bindings)).collect();
        for query in demands.recorded {
            // What labels that only queries know are is told by rules too; the findings are of all services together.
            check(query.question(file), &first.registry, &mut bindings);
        }
        let shown = if bindings == Bindings::default() {
            first
        } else {
            facts.bound = bindings.values();
            self.build(file, (&exporters, demands), &facts)?
        };
        Ok(Shown { verdicts, ..shown })
    }

    /// The server of a service whose turn it is, as its manifests tell.
    fn server_of(&self, service: &ServiceSpec) -> Option<Server> {
        let made = self.workload.as_ref().map(|workload| std::slice::from_ref(&workload.deployment));
        let called = (service.workload.as_str(), service.namespace.as_str());
        Server::of_documents(self.documents, called).or_else(|| Server::of_documents(made?, called))
    }

    /// The engines that the image of a service whose turn it is names, or else the usual one.
    pub(super) fn likely_engines(&self, spec: &ServiceView, service: &ServiceSpec) -> Vec<Exporter> {
        let named = engines_of(self.server_of(service).as_ref(), &service.pod.image);
        named.unwrap_or_else(|| vec![default_engine(spec)])
    }

    /// A word of `metrics.assumeAbsent` that nobody asks for is a slip.
    pub(super) fn note_idle_words<'q>(
        &mut self,
        file: &MetricsFile,
        asked: impl Iterator<Item = &'q AskedQuery>,
        policies: impl Iterator<Item = &'q PolicySpec>,
    ) {
        use cluster::spec::ControllerSpec;
        use policy::hpa::MetricSpec;
        let names = names_in(asked.map(|query| query.text.as_str()));
        let controllers = policies.flat_map(|policy| &policy.services[0].controllers);
        let hpa_metrics = controllers.flat_map(|controller| match controller {
            ControllerSpec::Hpa { spec, .. } => spec.metrics.as_slice(),
            _ => &[],
        });
        let of_autoscalers: BTreeSet<&str> = hpa_metrics
            .filter_map(|metric| match metric {
                MetricSpec::Pods { name, .. } | MetricSpec::Object { name, .. } | MetricSpec::External { name, .. } => {
                    Some(name.as_str())
                }
                _ => None,
            })
            .collect();
        for word in &file.assume_absent {
            let plain = word.split('{').next().unwrap_or(word);
            if !names.contains(plain) && !of_autoscalers.contains(plain) {
                self.note_once(format!("metrics.assumeAbsent: nothing asks for {word}"));
            }
        }
    }

    fn facts(
        &self,
        file: &MetricsFile,
        service: &ServiceSpec,
        policies: &[PolicySpec],
        server: Option<&Server>,
    ) -> Result<Facts, ScenarioError> {
        let mut facts = Facts::new(&service.workload, &service.namespace);
        service.pod.containers.first().map_or("main", |container| &container.name).clone_into(&mut facts.container);
        facts.image.clone_from(&service.pod.image);
        facts.gpus = service.pod.gpus;
        facts.interval =
            self.at_least(file.scrape_interval, SimDuration::from_secs(1), "spec.metrics.scrapeInterval")?;
        if let Some(server) = server {
            server.tell(&mut facts);
        }
        if let Some(name) = &file.model_name {
            (facts.model_name, facts.model_name_from) = (name.clone(), "the scenario's `modelName`".to_owned());
        }
        for (word, text) in &file.versions {
            let path = format!("spec.metrics.versions[\"{word}\"]");
            let Some(exporter) = Exporter::of_word(word) else {
                let names = Exporter::ALL.map(|exporter| program(exporter).word);
                let at = self.at(&path);
                return Err(ScenarioError::UnknownName { at, what: "exporter", allowed: Allowed::new(word, names) });
            };
            let version = Version::of_tag(text).ok_or_else(|| ScenarioError::WrongValue {
                at: self.at(&path),
                found: format!("text `{text}`"),
                expected: "a version such as \"0.11\"".to_owned(),
            })?;
            facts.versions.insert(exporter, version);
        }
        if let Some(handler) = &file.http.handler {
            facts.handler.clone_from(handler);
        }
        if !file.http.buckets.is_empty() {
            let is_rising = file.http.buckets.windows(2).all(|pair| pair[0] < pair[1]);
            if !is_rising || file.http.buckets[0] <= 0.0 {
                return Err(
                    self.inconsistent("spec.metrics.http.buckets", "must be positive seconds in ascending order")
                );
            }
            facts.http_bounds.clone_from(&file.http.buckets);
        }
        facts.finds_prefixes = service.prefix != cluster::spec::PrefixSpec::Off;
        facts.fetches_prompts = service.called_by.is_some_and(|call| call.transfer.is_some());
        facts.counts_answers = file.http.count == CountFile::Answer;
        facts.dcgm_honor_labels = file.dcgm.honor_labels;
        if let Some(label) = &file.dcgm.hostname {
            facts.hostname_label.clone_from(label);
        }
        if file.ksm.labels {
            facts.stated.insert(Statement::ObjectLabels);
        }
        facts.autoscaler = policies.iter().find_map(autoscaler).unwrap_or_else(|| service.workload.clone());
        Ok(facts)
    }

    /// The programs that show metrics: those listed, or those the image, the model and the queries name.
    fn exporters(
        &mut self,
        spec: &ServiceView,
        server: Option<&Server>,
        names: &BTreeSet<String>,
        facts: &mut Facts,
    ) -> Vec<Exporter> {
        let listed = spec.metrics.exporters.as_ref();
        let by_image = engines_of(server, &facts.image);
        let mut exporters: Vec<Exporter> = match listed {
            Some(listed) => {
                let listed = listed.iter().copied().map(exporter).collect();
                if self.has_several() { own_engines(spec, listed, by_image.as_ref()) } else { listed }
            }
            None => self.assumed(spec, by_image.as_ref(), names),
        };
        exporters.sort_unstable();
        exporters.dedup();
        let is_known_engine =
            listed.is_none() && by_image.as_ref().is_some_and(|engines| engines.contains(&Exporter::Vllm));
        leave_out_twins(&exporters, is_known_engine, facts);
        exporters
    }

    #[allow(clippy::single_match_else, reason = "two cases of equal weight")]
    fn assumed(
        &mut self,
        spec: &ServiceView,
        by_image: Option<&Vec<Exporter>>,
        names: &BTreeSet<String>,
    ) -> Vec<Exporter> {
        let mut exporters = vec![Exporter::Dcgm, Exporter::Gateway, Exporter::KubeStateMetrics];
        // A name that somebody present shows says nothing of others who show it too.
        let told = |name: &&String| !exporters.iter().any(|present| is_of(*present, name));
        let named = |exporter: Exporter| names.iter().filter(told).find(|name| is_of(exporter, name));
        match by_image {
            Some(engines) => exporters.extend(engines),
            None => {
                let asked = Exporter::ALL.into_iter().filter(|exporter| program(*exporter).is_engine);
                let found: Vec<(Exporter, &String)> =
                    asked.filter_map(|exporter| named(exporter).map(|name| (exporter, name))).collect();
                match found.first() {
                    Some((engine, name)) => {
                        exporters.push(*engine);
                        if default_engine(spec) != *engine {
                            self.note_once(format!(
                                "assumed: the container runs {}, because a query asks for {name}",
                                program(*engine).title
                            ));
                        }
                    }
                    None => exporters.push(default_engine(spec)),
                }
            }
        }
        let others = Exporter::ALL.into_iter().filter(|exporter| !program(*exporter).is_engine);
        for other in others {
            // A name that somebody present shows says nothing of others who show it too.
            let is_shown = |name: &&String| exporters.iter().any(|present| is_of(*present, name));
            if !exporters.contains(&other)
                && let Some(name) = names.iter().find(|name| is_of(other, name) && !is_shown(name))
            {
                self.note_once(format!("assumed: {} is there, because a query asks for {name}", program(other).title));
                exporters.push(other);
            }
        }
        exporters
    }

    /// Labels of the pods that a query names although nothing says that they are put on series.
    fn labels_of_pods(&mut self, server: Option<&Server>, asked: &[AskedQuery], facts: &mut Facts) {
        let Some(server) = server else { return };
        for query in asked {
            let Ok(outline) = Outline::of(&query.text) else { continue };
            let conditions = outline.selectors.iter().flat_map(|selector| &selector.matchers);
            for name in conditions.map(promql::Matcher::name) {
                let found = server.labels.iter().find(|(label, _)| sanitized(label) == name);
                let Some((label, value)) = found else { continue };
                if is_own_label(name) || facts.extra_labels.contains_key(name) {
                    continue;
                }
                self.note_once(format!(
                    "{}: the label {name} is taken from the pods' label {label}, as a labelmap job would; no manifest says so",
                    query.asker
                ));
                facts.extra_labels.insert(name.to_owned(), value.clone());
            }
        }
    }

    fn build(
        &self,
        file: &MetricsFile,
        (exporters, demands): (&[Exporter], &Demands<'_>),
        facts: &Facts,
    ) -> Result<Shown, ScenarioError> {
        let mut targets = self.scraped_targets(exporters, demands, facts)?;
        let own = self.user_targets(file, facts)?;
        for name in
            own.iter().flat_map(|target| &target.series).map(|series| series.name.clone()).collect::<BTreeSet<_>>()
        {
            for target in &mut targets {
                target.series.retain(|series| series.name != name);
            }
        }
        targets.extend(own);
        for written in &file.targets {
            let wanted = exporter(written.exporter);
            for target in targets.iter_mut().filter(|target| target.exporter == wanted) {
                for (name, value) in &written.labels {
                    set_label(&mut target.labels, name, value);
                }
                target.interval = written.interval.map_or(target.interval, crate::quantity::Time::duration);
                target.honor_labels = written.honor_labels.unwrap_or(target.honor_labels);
                target.life = match written.role {
                    Some(RoleFile::Endpoints) => TargetLife::Endpoints,
                    Some(RoleFile::Pod) => TargetLife::PodObject,
                    None => target.life,
                };
            }
        }
        for target in &mut targets {
            for (name, value) in &file.external_labels {
                if target.labels.iter().all(|label| label.name != *name) {
                    target.labels.push(Label::new(name, value));
                }
            }
        }
        let mut registry = Registry::new(exporters, &targets, facts);
        let scraped = examples::scraped(&targets, facts);
        let recorded = examples::recorded(demands.rules, &scraped);
        record(&mut registry, demands.rules, &recorded);
        let series = scraped.into_iter().chain(recorded).collect();
        Ok(Shown { series, targets, registry, verdicts: Vec::new() })
    }

    /// A note that is not there yet.
    pub(super) fn note_once(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// Tells the registry what the rules record. A label may have every value that some series of the name has.
fn record(registry: &mut Registry, groups: &[RuleGroup], recorded: &[Labels]) {
    let facts = registry.facts().clone();
    for group in groups {
        let interval = SimDuration::from_millis(group.interval_ms() as u64);
        for rule in group.rules() {
            let of_rule = recorded.iter().filter(|labels| labels.metric_name() == rule.record());
            let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for (name, value) in of_rule.flat_map(Labels::iter).filter(|(name, _)| *name != METRIC_NAME) {
                let value = examples::unfilled(value, &facts.workload);
                values.entry(name.to_owned()).or_default().insert(value);
            }
            let domain = |values: BTreeSet<String>| {
                let mut templates = values.into_iter().map(Template::new);
                match (templates.next(), templates.len()) {
                    (Some(only), 0) => Domain::of(&only, &facts),
                    (Some(first), _) if first.variables().next().is_none() => {
                        let rest: Vec<Template> = templates.collect();
                        let is_plain = rest.iter().all(|template| template.variables().next().is_none());
                        let texts = [first].iter().chain(&rest).map(|template| template.text().to_owned()).collect();
                        if is_plain { Domain::Known(texts) } else { Domain::Any }
                    }
                    _ => Domain::Any,
                }
            };
            let labels = values.into_iter().map(|(name, values)| (name, domain(values))).collect();
            registry.record(rule.record(), interval, labels);
        }
    }
}

/// Names of metrics in queries; what is no query has none.
pub(super) fn names_in<'a>(texts: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let outlines = texts.filter_map(|text| Outline::of(text).ok());
    outlines.flat_map(|outline| outline.selectors).filter_map(|selector| selector.name).collect()
}

/// Whether an exporter has a series of this name.
pub(super) fn is_of(exporter: Exporter, name: &str) -> bool {
    catalogue::metrics(exporter).iter().any(|metric| metric.series_names().iter().any(|series| series == name))
}

/// What of a list for all services one of them runs: of the servers that which its image tells, or its model suggests.
fn own_engines(spec: &ServiceView, listed: Vec<Exporter>, by_image: Option<&Vec<Exporter>>) -> Vec<Exporter> {
    let own = by_image.cloned().unwrap_or_else(|| vec![default_engine(spec)]);
    if !listed.iter().any(|exporter| own.contains(exporter)) {
        return listed;
    }
    listed.into_iter().filter(|exporter| !program(*exporter).is_engine || own.contains(exporter)).collect()
}

fn engines_of(server: Option<&Server>, image: &str) -> Option<Vec<Exporter>> {
    let by_image = || Server { image: image.to_owned(), ..Server::default() }.engines();
    server.and_then(Server::engines).or_else(by_image)
}

fn default_engine(spec: &ServiceView) -> Exporter {
    match spec.service.model {
        ModelFile::ContinuousBatching(_) => Exporter::Vllm,
        _ => Exporter::Triton,
    }
}

/// Requests are counted once under each name: by the gateway, or by a server that is known to count them itself where the gateway is only
/// assumed.
fn leave_out_twins(exporters: &[Exporter], is_known_engine: bool, facts: &mut Facts) {
    if !exporters.contains(&Exporter::Gateway) || !exporters.contains(&Exporter::Vllm) {
        return;
    }
    let names = ["http_requests_total", "http_request_duration_seconds"];
    let loser = if is_known_engine { Exporter::Gateway } else { Exporter::Vllm };
    facts.left_out.extend(names.map(|name| (loser, name)));
}

fn set_label(labels: &mut Vec<Label>, name: &str, value: &str) {
    labels.retain(|label| label.name != name);
    if !value.is_empty() {
        labels.push(Label::new(name, value));
    }
}

/// A label name as service discovery writes it.
fn sanitized(label: &str) -> String {
    label.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

/// Labels that targets have anyway.
fn is_own_label(name: &str) -> bool {
    ["namespace", "pod", "service", "container", "job", "endpoint", "instance", "le"].contains(&name)
}

fn autoscaler(policy: &PolicySpec) -> Option<String> {
    use cluster::spec::ControllerSpec;
    policy.services[0].controllers.iter().find_map(|controller| match controller {
        ControllerSpec::Hpa { spec, .. } => Some(spec.name.clone()),
        ControllerSpec::Keda { scaled_object, .. } => Some(format!("keda-hpa-{}", scaled_object.name)),
        _ => None,
    })
}

/// Words of the file as programs.
pub(super) fn exporter(file: ExporterFile) -> Exporter {
    match file {
        ExporterFile::Vllm => Exporter::Vllm,
        ExporterFile::Triton => Exporter::Triton,
        ExporterFile::TritonTensorRtLlm => Exporter::TritonTensorRtLlm,
        ExporterFile::Sglang => Exporter::Sglang,
        ExporterFile::Tgi => Exporter::Tgi,
        ExporterFile::Tei => Exporter::Tei,
        ExporterFile::Nim => Exporter::Nim,
        ExporterFile::TrtllmServe => Exporter::TrtllmServe,
        ExporterFile::Lmdeploy => Exporter::Lmdeploy,
        ExporterFile::Llamacpp => Exporter::LlamaCpp,
        ExporterFile::Ray => Exporter::RayServe,
        ExporterFile::Torchserve => Exporter::TorchServe,
        ExporterFile::Kserve => Exporter::KServe,
        ExporterFile::Knative => Exporter::KnativeQueueProxy,
        ExporterFile::Dcgm => Exporter::Dcgm,
        ExporterFile::Gateway => Exporter::Gateway,
        ExporterFile::Epp => Exporter::Epp,
        ExporterFile::Envoy => Exporter::Envoy,
        ExporterFile::Istio => Exporter::Istio,
        ExporterFile::Nginx => Exporter::Nginx,
        ExporterFile::Traefik => Exporter::Traefik,
        ExporterFile::Interceptor => Exporter::KedaInterceptor,
        ExporterFile::VllmRouter => Exporter::VllmRouter,
        ExporterFile::Dynamo => Exporter::Dynamo,
        ExporterFile::Ksm => Exporter::KubeStateMetrics,
        ExporterFile::Cadvisor => Exporter::CAdvisor,
        ExporterFile::NodeExporter => Exporter::NodeExporter,
    }
}
