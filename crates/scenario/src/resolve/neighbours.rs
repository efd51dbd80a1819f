//! Every query held against what is shown: by the service that asks, and by its neighbours in the same Prometheus.

use exporters::{Bindings, Finding, Question, Registry, Severity, Topic, Verdict, check};

use crate::error::ScenarioError;
use crate::file::{MetricsFile, OnBadQueryFile, OnUnknownFile};

use super::queries::AskedQuery;
use super::{Context, MetricUse};

/// Another service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Neighbour<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it shows.
    pub registry: &'a Registry,
}

impl AskedQuery {
    /// The query as a question to what is shown.
    pub(super) fn question<'a>(&'a self, file: &'a MetricsFile) -> Question<'a> {
        Question { text: &self.text, reader: self.reader, asker: &self.asker, assumed_absent: &file.assume_absent }
    }
}

impl Context<'_> {
    /// Judges what comes of each query of the service whose turn it is.
    pub(super) fn judge_all(
        &mut self,
        file: &MetricsFile,
        (asked, verdicts): (&[AskedQuery], Vec<Verdict>),
        neighbours: &[Neighbour<'_>],
    ) -> Result<Vec<MetricUse>, ScenarioError> {
        let mut uses = Vec::new();
        for (query, verdict) in asked.iter().zip(verdicts) {
            let shown_elsewhere = shown_by(query, file, neighbours);
            let is_answered = !verdict.findings.iter().any(|finding| finding.severity == Severity::Error);
            if let Some(others) = &shown_elsewhere {
                let note = if is_answered {
                    format!("it reads the series of {others} too: nothing in it tells the services apart")
                } else {
                    format!("it reads the series of {others}, and none of its own service")
                };
                self.note_once(format!("{}: {}: {note}", query.at.place, query.asker));
            }
            if is_answered || shown_elsewhere.is_none() {
                for finding in verdict.findings {
                    self.judge(file, query, finding)?;
                }
            }
            let (policy, asker) = query.asker.split_once(": ").unwrap_or(("", &query.asker));
            uses.extend(verdict.reached.into_iter().map(|(exporter, name)| MetricUse {
                exporter,
                name,
                policy: policy.to_owned(),
                asker: asker.to_owned(),
            }));
        }
        uses.sort();
        uses.dedup();
        Ok(uses)
    }

    /// Holds the queries by which an adapter answers a service against what is shown; they count as uses too.
    pub(super) fn hold_answers(
        &mut self,
        file: &MetricsFile,
        answered: &[AskedQuery],
        (number, registry): (usize, &Registry),
        neighbours: &[Neighbour<'_>],
    ) -> Result<(), ScenarioError> {
        let mut bindings = Bindings::default();
        let verdicts = answered.iter().map(|query| check(query.question(file), registry, &mut bindings)).collect();
        let uses = self.judge_all(file, (answered, verdicts), neighbours)?;
        self.metrics[number].uses.extend(uses);
        Ok(())
    }

    pub(super) fn judge(
        &mut self,
        file: &MetricsFile,
        query: &AskedQuery,
        finding: Finding,
    ) -> Result<(), ScenarioError> {
        let is_let_through = match finding.topic {
            Topic::Query => file.on_bad_query == OnBadQueryFile::Fail,
            _ => file.on_unknown == OnUnknownFile::Absent,
        };
        if finding.severity == Severity::Error && !is_let_through {
            let reason = match query.text[..finding.offset].chars().count() {
                0 => finding.text,
                before => format!("{} (at character {} of the query)", finding.text, before + 1),
            };
            let mut help = finding.help;
            if matches!(finding.topic, Topic::Missing | Topic::Label) {
                help.extend(self.scrape_configs()?.first().map(|found| {
                    format!(
                        "scrape configurations are not read ({found}): metrics.targets states the labels that they give"
                    )
                }));
            }
            return Err(ScenarioError::Query { at: query.at.clone(), reason, help });
        }
        let outcome = match (finding.severity, finding.topic) {
            (Severity::Error, Topic::Query) => "; the trigger fails at every poll (metrics.onBadQuery: fail)",
            (Severity::Error, _) => "; it is read as empty (metrics.onUnknown: absent)",
            _ => "",
        };
        let help: String = finding.help.iter().map(|help| format!("; {help}")).collect();
        self.note_once(format!("{}: {}: {}{outcome}{help}", query.at.place, query.asker, finding.text));
        Ok(())
    }
}

/// The neighbours whose series a query reads, as a text; `None` if there are none.
fn shown_by(query: &AskedQuery, file: &MetricsFile, neighbours: &[Neighbour<'_>]) -> Option<String> {
    if query.is_of_own_pods {
        return None;
    }
    let reads = |other: &&Neighbour<'_>| {
        let verdict = check(query.question(file), other.registry, &mut Bindings::default());
        let is_refused = verdict.findings.iter().any(|finding| {
            finding.severity == Severity::Error
                || matches!(finding.topic, Topic::Missing | Topic::Label | Topic::Assumed)
        });
        !is_refused && !verdict.reached.is_empty()
    };
    let names: Vec<String> = neighbours.iter().filter(reads).map(|other| format!("`{}`", other.name)).collect();
    match names.as_slice() {
        [] => None,
        [only] => Some(format!("service {only}")),
        names => Some(format!("services {}", names.join(", "))),
    }
}
