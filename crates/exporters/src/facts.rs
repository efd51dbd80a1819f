//! What one scenario says about its service, as far as metrics show it.

use std::collections::{BTreeMap, BTreeSet};

use units::SimDuration;

use crate::catalogue::{Needs, Statement, default_http_bounds};
use crate::signal::Signal;
use crate::target::Exporter;
use crate::version::Version;

/// Facts that fill in labels and bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Name of the Service.
    pub service: String,
    /// Name of the workload object.
    pub workload: String,
    /// Kind of the workload object, `Deployment` unless said.
    pub workload_kind: String,
    /// Namespace.
    pub namespace: String,
    /// Container that serves.
    pub container: String,
    /// Its image.
    pub image: String,
    /// Words of its command, arguments and environment; None if the scenario does not say them.
    pub arguments: Option<Vec<String>>,
    /// Name under which the model is served.
    pub model_name: String,
    /// Where the name is from, for messages: `--served-model-name`; empty where it is assumed.
    pub model_name_from: String,
    /// Longest context in tokens.
    pub context_tokens: u32,
    /// GPUs of a pod.
    pub gpus: u32,
    /// Releases of exporters; one that is not here is the newest.
    pub versions: BTreeMap<Exporter, Version>,
    /// Path of the requests.
    pub handler: String,
    /// Upper bounds of HTTP histograms, seconds.
    pub http_bounds: Vec<f64>,
    /// Whether the gateway counts answers (else arrivals).
    pub counts_answers: bool,
    /// Label of dcgm-exporter that names the node.
    pub hostname_label: String,
    /// Whether what dcgm-exporter shows wins over the labels of its target.
    pub dcgm_honor_labels: bool,
    /// Whether the workload says what prompts share, so that prefix caches find something.
    pub finds_prefixes: bool,
    /// Prompts are fetched from replicas of another service, which has computed them.
    pub fetches_prompts: bool,
    /// What the scenario states about metrics.
    pub stated: BTreeSet<Statement>,
    /// Metrics of an engine that are left out because another program shows them under the same name.
    pub left_out: BTreeSet<(Exporter, &'static str)>,
    /// Values of labels that only the queries know.
    pub bound: BTreeMap<(Exporter, String), String>,
    /// Labels that targets of the service have besides the usual ones, taken from its pods.
    pub extra_labels: BTreeMap<String, String>,
    /// Names of recording rules that nothing reads: they are not evaluated, and a slip of one may have been meant.
    pub idle_records: BTreeSet<String>,
    /// Name of the autoscaler object.
    pub autoscaler: String,
    /// Time between scrapes.
    pub interval: SimDuration,
}

impl Facts {
    /// Whether the scenario says anything that moves a signal of what prompts need not be computed for.
    pub fn finds(&self, signal: Signal) -> bool {
        match signal {
            Signal::TransferQueries | Signal::PromptTokensFetched => self.fetches_prompts,
            _ => self.finds_prefixes,
        }
    }

    /// Facts about a service of this name and namespace; the rest as assumed where nothing is said.
    pub fn new(service: &str, namespace: &str) -> Self {
        Self {
            service: service.to_owned(),
            workload: service.to_owned(),
            workload_kind: "Deployment".to_owned(),
            namespace: namespace.to_owned(),
            container: "main".to_owned(),
            image: String::new(),
            arguments: None,
            model_name: "model".to_owned(),
            model_name_from: String::new(),
            context_tokens: 131_072,
            gpus: 1,
            versions: BTreeMap::new(),
            handler: "/v1/chat/completions".to_owned(),
            http_bounds: default_http_bounds(),
            counts_answers: false,
            hostname_label: "Hostname".to_owned(),
            dcgm_honor_labels: false,
            finds_prefixes: false,
            fetches_prompts: false,
            stated: BTreeSet::new(),
            left_out: BTreeSet::new(),
            bound: BTreeMap::new(),
            extra_labels: BTreeMap::new(),
            idle_records: BTreeSet::new(),
            autoscaler: service.to_owned(),
            interval: SimDuration::from_secs(15),
        }
    }

    /// Whether what a metric needs is so. Arguments that the scenario does not say are taken to be right. vLLM reads `_` in the name of
    /// an argument as `-`, so one that must not be there is looked for in both spellings.
    pub fn has(&self, needs: Needs) -> bool {
        match needs {
            Needs::Argument(word) => {
                self.arguments.as_ref().is_none_or(|words| words.iter().any(|given| given.contains(word)))
            }
            Needs::NoArgument(word) => {
                let is_given = |words: &Vec<String>| words.iter().any(|given| given.replace('_', "-").contains(word));
                !self.arguments.as_ref().is_some_and(is_given)
            }
            Needs::Stated(statement) => self.stated.contains(&statement),
        }
    }

    /// Whether the value that a table has for a label is only assumed, so that a query may say another.
    pub(crate) fn is_open(&self, text: &str) -> bool {
        text.starts_with('?') || (text.contains("{model_name") && self.model_name_from.is_empty())
    }

    /// The text of a table with its facts filled in; variables of targets stay.
    pub(crate) fn fill(&self, text: &str) -> String {
        if !text.contains('{') {
            return text.to_owned();
        }
        let is_stateful = self.workload_kind == "StatefulSet";
        let engine = match self.versions.get(&Exporter::Vllm) {
            Some(version) if *version < Version(0, 8, 0) => "",
            _ => "0",
        };
        let words = [
            ("{service}", self.service.as_str()),
            ("{workload}", &self.workload),
            ("{namespace}", &self.namespace),
            ("{container}", &self.container),
            ("{image}", &self.image),
            ("{model_name}", &self.model_name),
            ("{model_name_lower}", &self.model_name.to_lowercase()),
            ("{engine}", engine),
            ("{handler}", &self.handler),
            ("{hostname_label}", &self.hostname_label),
            ("{hpa}", &self.autoscaler),
            ("{owner_kind}", if is_stateful { "StatefulSet" } else { "ReplicaSet" }),
            ("{owner_name}", if is_stateful { &self.workload } else { "{replica_set}" }),
        ];
        words.into_iter().fold(text.to_owned(), |text, (word, fact)| text.replace(word, fact))
    }
}
