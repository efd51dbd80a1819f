//! Recording rules out of the documents: those that somebody reads, ready to be evaluated.

use std::collections::BTreeSet;

use exporters::{Bindings, Finding, Reader, Registry, Severity, check};
use promql::rules::{self, RuleGroup};
use units::SimDuration;

use crate::error::{At, Place, ScenarioError};
use crate::file::MetricsFile;
use crate::manifest::{RuleGroupFile, RuleOrigin, chart_values, read_groups};

use super::Context;
use super::queries::AskedQuery;
use super::registry::names_in;
use super::targets::{OPERATOR_EVALUATION, SERVER_EVALUATION, evaluation_interval};

/// Groups that are evaluated, and the expressions in them that somebody's answer depends on.
#[derive(Debug, Default)]
pub(super) struct Recording {
    /// Groups on the way to a reader.
    pub groups: Vec<RuleGroup>,
    /// Expressions of the rules on that way; others of their groups are evaluated beside them.
    pub asked: Vec<AskedQuery>,
}

impl Context<'_> {
    /// The groups on the way to a reader. `is_read` tells whether anything outside the rules selects series of a name.
    pub(super) fn recording(&mut self, is_read: &dyn Fn(&str) -> bool) -> Result<Recording, ScenarioError> {
        let given = evaluation_interval(&self.monitoring()?)?;
        let mut files: Vec<RuleGroupFile> = Vec::new();
        for document in self.documents {
            files.extend(read_groups(&document.node, &document.title())?);
            if document.node.get("kind").is_some() {
                for values in chart_values(&document.node)? {
                    files.extend(read_groups(&values.node, &document.title())?);
                }
            }
        }
        self.note_alerts(&files);
        let mut groups = Vec::new();
        let mut read = Vec::new();
        for file in &files {
            check_twins(file, &files)?;
            let group = file.resolve(interval(&file.origin, given));
            match group {
                Ok(group) => {
                    groups.push(group);
                    read.push(file);
                }
                // A server evaluates more than is known here; that matters only to those who read it.
                Err(error) if is_legal(file) && !self.is_reached(file, &files, is_read) => {
                    let note = format!("not evaluated, and read by nothing: {error}");
                    if !self.notes.contains(&note) {
                        self.notes.push(note);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let reached = rules::reached(&groups, is_read);
        let kept: Vec<RuleGroup> = groups
            .into_iter()
            .enumerate()
            .filter(|(index, _)| reached.contains(index))
            .map(|(_, group)| group)
            .collect();
        let cycles: Vec<String> = rules::cycles(&kept).into_iter().collect();
        if !cycles.is_empty() {
            self.notes.push(format!(
                "recording rules read their own results: {}; each turn sees the values of an evaluation before",
                cycles.join(", ")
            ));
        }
        let on_the_way = read.into_iter().enumerate().filter(|(index, _)| reached.contains(index));
        let asked = asked_by(&on_the_way.map(|(_, file)| file).collect::<Vec<_>>(), is_read);
        self.note_idle(&files, &asked);
        Ok(Recording { groups: kept, asked })
    }

    /// Rules that no answer depends on are counted; their names are kept for slips of them.
    fn note_idle(&mut self, files: &[RuleGroupFile], asked: &[AskedQuery]) {
        let is_asked = |place: &Place| asked.iter().any(|query| query.at.place == *place);
        for file in files {
            for (rule, (node, _)) in file.config.rules.iter().zip(&file.places) {
                if !is_asked(&node.place) {
                    self.folded.rule(&rule.record, format!("{}: {}: {}", node.place, file.title, rule.record));
                    self.idle_records.insert(rule.record.clone());
                }
            }
        }
    }

    /// Holds every expression that somebody's answer depends on against what all services show: a selector must find something in one of them.
    pub(super) fn hold_rules(
        &mut self,
        file: &MetricsFile,
        asked: &[AskedQuery],
        registries: &[&Registry],
    ) -> Result<(), ScenarioError> {
        for query in asked {
            let findings_in =
                |registry: &&Registry| check(query.question(file), registry, &mut Bindings::default()).findings;
            let found: Vec<Vec<Finding>> = registries.iter().map(findings_in).collect();
            let Some((first, others)) = found.split_first() else { continue };
            let is_everywhere =
                |one: &Finding| others.iter().all(|other| other.iter().any(|other| other.offset == one.offset));
            let is_clean = others.iter().any(|other| other.iter().all(|one| one.severity < Severity::Error));
            for finding in first {
                if finding.severity < Severity::Error || (is_everywhere(finding) && !is_clean) {
                    self.judge(file, query, finding.clone())?;
                }
            }
        }
        Ok(())
    }

    fn note_alerts(&mut self, files: &[RuleGroupFile]) {
        let alerts: usize = files.iter().map(|file| file.alerts).sum();
        if alerts > 0 {
            let titles: BTreeSet<&str> =
                files.iter().filter(|file| file.alerts > 0).map(|file| file.title.as_str()).collect();
            let titles: Vec<&str> = titles.into_iter().collect();
            let rules = if alerts == 1 { "1 alert rule".to_owned() } else { format!("{alerts} alert rules") };
            self.notes.push(format!("ignored: {}: {rules}: alerts scale nothing", titles.join(", ")));
        }
    }

    /// Whether a group that cannot be evaluated is on the way to a reader.
    #[allow(clippy::unused_self, reason = "a question to the context like its neighbours")]
    fn is_reached(&self, file: &RuleGroupFile, files: &[RuleGroupFile], is_read: &dyn Fn(&str) -> bool) -> bool {
        let readers: Vec<RuleGroup> = files.iter().filter_map(|other| other.resolve(SERVER_EVALUATION).ok()).collect();
        let reached = rules::reached(&readers, is_read);
        let is_wanted = |name: &str| is_read(name) || reached.iter().any(|&index| readers[index].wants_name(name));
        file.records().keys().any(|name| is_wanted(name))
    }
}

/// The expressions of rules whose results somebody reads, directly or by way of other rules.
fn asked_by(files: &[&RuleGroupFile], is_read: &dyn Fn(&str) -> bool) -> Vec<AskedQuery> {
    let rules: Vec<_> = files.iter().flat_map(|file| file.config.rules.iter().zip(&file.places)).collect();
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    loop {
        let is_wanted = |record: &str| is_read(record) || wanted.contains(record);
        let on_the_way = rules.iter().filter(|(rule, _)| is_wanted(&rule.record));
        let more = names_in(on_the_way.map(|(rule, _)| rule.expression.as_str()));
        if more == wanted {
            break;
        }
        wanted = more;
    }
    let on_the_way = rules.into_iter().filter(|(rule, _)| is_read(&rule.record) || wanted.contains(&rule.record));
    on_the_way
        .map(|(rule, (node, path))| AskedQuery {
            text: rule.expression.clone(),
            at: Box::new(At { place: node.place.clone(), path: path.clone() }),
            asker: format!("recording rule {}", rule.record),
            reader: Reader::Other,
            is_of_own_pods: false,
        })
        .collect()
}

/// How often a group is evaluated that does not say so itself.
fn interval(origin: &RuleOrigin, given: Option<SimDuration>) -> SimDuration {
    match origin {
        RuleOrigin::Operator => given.unwrap_or(OPERATOR_EVALUATION),
        RuleOrigin::Server => given.unwrap_or(SERVER_EVALUATION),
        RuleOrigin::Google { .. } | RuleOrigin::Victoria => SERVER_EVALUATION,
    }
}

/// Whether every expression is PromQL: what is none, the server itself refuses.
fn is_legal(file: &RuleGroupFile) -> bool {
    let parses = |text: &str| !matches!(promql::Query::compile(text), Err(promql::QueryError::Parse { .. }));
    file.config.rules.iter().all(|rule| parses(&rule.expression))
}

/// Two groups of one name in one file are refused by the server.
fn check_twins(file: &RuleGroupFile, files: &[RuleGroupFile]) -> Result<(), ScenarioError> {
    let is_twin = |other: &&RuleGroupFile| {
        other.title == file.title
            && other.node.place.source == file.node.place.source
            && other.config.name == file.config.name
    };
    let first = files.iter().find(is_twin);
    if first.is_some_and(|first| first.node.place != file.node.place) {
        let reason = format!("group `{}` is there twice in one document, which Prometheus refuses", file.config.name);
        return Err(ScenarioError::Inconsistent { at: file.node.locate(file.path.clone()), reason });
    }
    Ok(())
}
