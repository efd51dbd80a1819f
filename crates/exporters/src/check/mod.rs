//! Queries held against the registry before anything runs: is there what they ask for, and can it be read the way they read it?
//!
//! A finding says where in the query it is and what to do; whether it stops anything is for others to decide.

mod answer;
mod labels;
mod missing;
mod nearest;
#[cfg(test)]
mod tests;
mod types;
mod windows;

use std::collections::BTreeMap;

use promql::labels::METRIC_NAME;
use promql::{AnswerType, Outline, Query, SelectorUse};

use crate::domain::Fit;
use crate::registry::{Registry, Shown};
use crate::target::Exporter;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something a reader should know.
    Note,
    /// Probably not what is meant.
    Warning,
    /// The query can never be answered as it is meant.
    Error,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// It is no PromQL, or not what the reader can take.
    Query,
    /// A metric that nothing here shows.
    Missing,
    /// A label that no series has, or has otherwise.
    Label,
    /// The range against the time between scrapes.
    Window,
    /// A function against the type of a metric.
    Type,
    /// How many elements the answer has.
    Answer,
    /// A value that never changes.
    Constant,
    /// A label whose value is taken from the query.
    Bound,
    /// Absent by the scenario's word.
    Assumed,
}

/// Something about a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// What it is about.
    pub topic: Topic,
    /// Where in the query, in bytes.
    pub offset: usize,
    /// In one line.
    pub text: String,
    /// What can be done.
    pub help: Vec<String>,
}

impl Finding {
    fn new(severity: Severity, topic: Topic, offset: usize, text: impl Into<String>) -> Self {
        Self { severity, topic, offset, text: text.into(), help: Vec::new() }
    }

    fn with_help(mut self, help: impl IntoIterator<Item = String>) -> Self {
        self.help.extend(help);
        self
    }
}

/// Who asks: what they can take differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// KEDA's prometheus trigger: exactly one element.
    Keda,
    /// prometheus-adapter, for values per object.
    Adapter,
    /// prometheus-adapter's question for names only: neither values nor windows matter.
    Listing,
    /// A recording rule, or an expression of the scenario.
    Other,
}

/// Values of labels that the queries tell, and which query did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bindings(BTreeMap<(Exporter, String), (String, String)>);

impl Bindings {
    /// The values.
    pub fn values(&self) -> BTreeMap<(Exporter, String), String> {
        self.0.iter().map(|(key, (value, _))| (key.clone(), value.clone())).collect()
    }

    fn value(&self, exporter: Exporter, label: &str) -> Option<&(String, String)> {
        self.0.get(&(exporter, label.to_owned()))
    }
}

/// A query to hold against what there is.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Its text.
    pub text: &'a str,
    /// Who asks.
    pub reader: Reader,
    /// What messages call it: `keda/s0`.
    pub asker: &'a str,
    /// Names and selectors that are absent by the scenario's word.
    pub assumed_absent: &'a [String],
}

/// What comes of a question.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Findings, the heaviest first, then in the order of the text.
    pub findings: Vec<Finding>,
    /// Names of the series it can reach, and who shows them.
    pub reached: Vec<(Exporter, String)>,
}

/// Holds a query against the registry. Labels that only queries know are bound.
pub fn check(question: Question<'_>, registry: &Registry, bindings: &mut Bindings) -> Verdict {
    let mut verdict = Verdict::default();
    let outline = match Query::compile(question.text).and_then(|_| Outline::of(question.text)) {
        Ok(outline) => outline,
        Err(error) => {
            verdict.findings.push(answer::broken(question.text, &error));
            return verdict;
        }
    };
    verdict.findings.extend(answer::of_type(question.reader, outline.answer));
    for selector in &outline.selectors {
        let found = one(selector, question, registry, bindings);
        verdict.findings.extend(found.findings);
        verdict.reached.extend(found.reached);
    }
    if outline.answer == AnswerType::Vector && question.reader == Reader::Keda {
        verdict.findings.extend(answer::several(&outline, registry));
    }
    verdict.findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.offset));
    verdict.findings.dedup();
    verdict.reached.sort();
    verdict.reached.dedup();
    verdict
}

fn one(selector: &SelectorUse, question: Question<'_>, registry: &Registry, bindings: &mut Bindings) -> Verdict {
    let candidates = candidates(selector, registry);
    let error = if candidates.is_empty() {
        Some(missing::finding(selector, registry))
    } else {
        labels::unmatched(selector, &candidates, registry, bindings)
    };
    if let Some(error) = error {
        return match assumed(selector, question.assumed_absent) {
            Some(word) => {
                let text = format!("{} has no series: {word} is assumed absent (metrics.assumeAbsent)", selector.text);
                let note = Finding::new(Severity::Note, Topic::Assumed, selector.offset, text);
                Verdict { findings: vec![note], reached: Vec::new() }
            }
            None => Verdict { findings: vec![error], reached: Vec::new() },
        };
    }
    let mut findings = labels::bind(selector, &candidates, question.asker, bindings);
    let matched: Vec<&Shown> = passing(selector, &candidates);
    if question.reader != Reader::Listing {
        findings.extend(windows::finding(selector, &matched));
        findings.extend(types::findings(selector, &matched, question.reader));
        findings.extend(constant(selector, &matched));
    }
    let reached = matched.iter().map(|shown| (shown.exporter, shown.name.clone())).collect();
    Verdict { findings, reached }
}

/// The series that a selector's conditions on the name allow.
fn candidates<'a>(selector: &SelectorUse, registry: &'a Registry) -> Vec<&'a Shown> {
    let on_name: Vec<_> = selector.matchers.iter().filter(|matcher| matcher.name() == METRIC_NAME).collect();
    let passes = |shown: &&Shown| on_name.iter().all(|matcher| matcher.is_match_value(&shown.name));
    match &selector.name {
        Some(name) => registry.named(name).filter(passes).collect(),
        None => registry.all().filter(passes).collect(),
    }
}

/// Those whose labels can pass.
fn passing<'a>(selector: &SelectorUse, candidates: &[&'a Shown]) -> Vec<&'a Shown> {
    let passes = |shown: &&&Shown| {
        let on_labels = selector.matchers.iter().filter(|matcher| matcher.name() != METRIC_NAME);
        on_labels.into_iter().all(|matcher| labels::fit(shown, matcher) != Fit::No)
    };
    candidates.iter().filter(passes).copied().collect()
}

/// The word by which the scenario says that a selector finds nothing: its name, or a selector with conditions that it has too.
fn assumed<'a>(selector: &SelectorUse, words: &'a [String]) -> Option<&'a String> {
    words.iter().find(|word| {
        if selector.name.as_deref() == Some(word.as_str()) {
            return true;
        }
        let Ok(outline) = Outline::of(word) else { return false };
        let [written] = outline.selectors.as_slice() else { return false };
        let texts: Vec<String> = selector.matchers.iter().map(promql::Matcher::text).collect();
        written.name == selector.name && written.matchers.iter().all(|matcher| texts.contains(&matcher.text()))
    })
}

/// Says so if nothing that a selector finds ever changes.
fn constant(selector: &SelectorUse, matched: &[&Shown]) -> Option<Finding> {
    let why = matched.first()?.constant?;
    if matched.iter().any(|shown| shown.constant.is_none()) {
        return None;
    }
    let text = format!("{} never changes: {why}", selector.text);
    Some(Finding::new(Severity::Note, Topic::Constant, selector.offset, text))
}
