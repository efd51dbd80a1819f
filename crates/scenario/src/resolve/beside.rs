//! Programs beside the service that monitors among the documents scrape: which of them is the application in front of the model, and what
//! their monitors are good for.

use std::collections::BTreeSet;

use exporters::catalogue::program;
use exporters::{Exporter, Facts, Target, TargetOf, default_target, targets_of};
use promql::{Outline, Query};

use crate::error::ScenarioError;

use super::Context;
use super::registry::{Demands, is_of};
use super::targets::{Beside, as_scraped, as_scraped_beside};

impl Context<'_> {
    /// The programs with the application among them that counts the requests, as far as one can tell: the one whose labels queries ask
    /// for, or the only one.
    pub(super) fn told_apart(
        &mut self,
        demands: &Demands<'_>,
        names: &BTreeSet<String>,
        facts: &Facts,
    ) -> Result<Vec<Beside>, ScenarioError> {
        let mut programs: Vec<Beside> = Vec::new();
        let mut applications: Vec<Beside> = Vec::new();
        for beside in demands.beside {
            if beside.exporter.is_some() { &mut programs } else { &mut applications }.push(beside.clone());
        }
        for beside in &programs {
            self.note_program(beside, names);
        }
        let is_asked = names.iter().any(|name| is_of(Exporter::Gateway, name));
        let is_known = programs.iter().any(|beside| beside.exporter == Some(Exporter::Gateway));
        let chosen = if is_asked && !is_known { the_one(&applications, demands, facts)? } else { None };
        for (index, mut beside) in applications.into_iter().enumerate() {
            if chosen == Some(index) {
                let monitor = &beside.monitor;
                self.note_once(format!(
                    "assumed: {}: {} scrapes the application in front of {}: requests are counted under its labels",
                    monitor.node.place, monitor.title, facts.workload
                ));
                beside.exporter = Some(Exporter::Gateway);
                programs.push(beside);
            } else {
                self.note_application(&beside, is_asked && chosen.is_none());
            }
        }
        Ok(programs)
    }

    /// What the monitor of a program is good for.
    fn note_program(&mut self, beside: &Beside, names: &BTreeSet<String>) {
        let Some(exporter) = beside.exporter else { return };
        let (monitor, title) = (&beside.monitor, program(exporter).title);
        let is_read = names.iter().any(|name| is_of(exporter, name));
        let effect = if is_read {
            "its labels, interval and relabelling hold for the metrics of that"
        } else {
            "nothing reads metrics of that, no effect"
        };
        self.note_once(format!("{}: {} scrapes {title}: {effect}", monitor.node.place, monitor.title));
    }

    fn note_application(&mut self, beside: &Beside, may_count: bool) {
        let monitor = &beside.monitor;
        let effect = if may_count {
            "whether that counts the requests is not known: labels and interval are those of the assumed gateway; `metrics.targets` states them"
        } else {
            "nothing reads metrics of that, no effect"
        };
        self.note_once(format!("{}: {} scrapes another application: {effect}", monitor.node.place, monitor.title));
    }

    /// The targets of these exporters, scraped as the documents say where they say so.
    pub(super) fn scraped_targets(
        &self,
        exporters: &[Exporter],
        demands: &Demands<'_>,
        facts: &Facts,
    ) -> Result<Vec<Target>, ScenarioError> {
        let mut targets = as_scraped_beside(targets_of(exporters, facts), demands.beside, &facts.workload)?;
        // What the scenario states wins.
        if self.scenario.at(&["spec", "metrics", "dcgm", "honorLabels"]).is_some() {
            let of_dcgm = targets.iter_mut().filter(|target| target.exporter == Exporter::Dcgm);
            of_dcgm.for_each(|target| target.honor_labels = facts.dcgm_honor_labels);
        }
        Ok(as_scraped(targets, demands.scrapes))
    }
}

/// Names that an application counts requests under are its own, whatever the server behind it counts.
pub(super) fn count_at_application(beside: &[Beside], facts: &mut Facts) {
    if beside.iter().any(|beside| beside.exporter == Some(Exporter::Gateway)) {
        let moved = facts.left_out.iter().map(|&(loser, name)| match loser {
            Exporter::Gateway => (Exporter::Vllm, name),
            _ => (loser, name),
        });
        facts.left_out = moved.collect();
    }
}

/// Which application the queries mean: the first whose labels fit one of their selectors, or the only one if no query asks for labels that
/// an assumed gateway has not.
fn the_one(applications: &[Beside], demands: &Demands<'_>, facts: &Facts) -> Result<Option<usize>, ScenarioError> {
    let assumed = default_target(Exporter::Gateway, TargetOf::Gateway, facts, Vec::new());
    for (index, beside) in applications.iter().enumerate() {
        let Some(target) = beside.target(&assumed, &facts.workload)? else { continue };
        if fits(&target, demands) && (applications.len() == 1 || !fits(&assumed, demands)) {
            return Ok(Some(index));
        }
    }
    Ok((applications.len() == 1 && demands.queries.is_empty()).then_some(0))
}

/// Whether a selector of requests is content with the labels of a target.
fn fits(target: &Target, demands: &Demands<'_>) -> bool {
    let of_rules =
        demands.rules.iter().flat_map(promql::rules::RuleGroup::rules).map(promql::rules::RecordingRule::query);
    let texts = demands.queries.iter().map(|query| query.text.as_str()).chain(of_rules.map(Query::text));
    let outlines = texts.filter_map(|text| Outline::of(text).ok());
    let mut selectors = outlines.flat_map(|outline| outline.selectors);
    selectors.any(|selector| {
        selector.name.as_ref().is_some_and(|name| is_of(Exporter::Gateway, name))
            && selector.matchers.iter().all(|matcher| {
                let label = target.labels.iter().find(|label| label.name == matcher.name());
                label.is_none_or(|label| matcher.is_match_value(label.value.text()))
            })
    })
}
