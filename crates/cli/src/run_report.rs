//! What `report` takes, borrowed from what was found: the whole cluster and, where there are several, each service.

use cluster::spec::{ServiceSpec, SloSpec};
use lab::error_budget::error_budget;
use lab::experiment::{PolicyResult, Results};
use lab::verdict::verdict;
use record::{Comparison, ErrorBudget, ReplicationSummary};
use report::{CalendarStart, PolicyOutcome, RunReport, TokenSlo};
use scenario::Loaded;
use units::SimDuration;

use crate::args::ScenarioArgs;
use crate::assumptions::assumptions;
use crate::question::question;
use crate::run_file::RunFile;

/// Owns what the report of the cluster or of a service borrows.
struct Part<'a> {
    service: &'a str,
    /// `None` where services have their own.
    slo: Option<&'a SloSpec>,
    timeout: Option<SimDuration>,
    results: Vec<&'a PolicyResult>,
    summaries: Vec<Vec<ReplicationSummary>>,
    budgets: Vec<Option<ErrorBudget>>,
    comparisons: Vec<Comparison>,
}

impl<'a> Part<'a> {
    fn new(
        (service, spec): (&'a str, Option<&'a ServiceSpec>),
        results: Vec<&'a PolicyResult>,
        comparisons: &[Comparison],
    ) -> Self {
        let slo = spec.map(|spec| &spec.slo);
        let budget = |result: &&PolicyResult| slo.map(|slo| error_budget(result, slo.objective));
        Self {
            service,
            slo,
            timeout: spec.and_then(|spec| spec.client_timeout.as_ref()?.fixed()),
            summaries: results.iter().map(|result| result.summaries()).collect(),
            budgets: results.iter().map(budget).collect(),
            comparisons: comparisons.iter().filter(|pair| pair.service == service).cloned().collect(),
            results,
        }
    }

    fn outcomes(&self) -> Vec<PolicyOutcome<'_>> {
        let outcome = |(index, result): (usize, &&'a PolicyResult)| PolicyOutcome {
            summary: &result.summary,
            replications: &self.summaries[index],
            detail: &result.first,
            budget: self.budgets[index].as_ref(),
        };
        self.results.iter().enumerate().map(outcome).collect()
    }

    /// What is told of it and of nothing else.
    fn report<'b>(
        &'b self,
        scenario: &'b str,
        start: CalendarStart<'b>,
        policies: &'b [PolicyOutcome<'b>],
    ) -> RunReport<'b> {
        RunReport {
            scenario,
            start: Some(start),
            service: self.service,
            slo_threshold: self.slo.and_then(|slo| slo.latency),
            slo_end_to_end: self.slo.and_then(|slo| slo.end_to_end),
            token_slo: self.slo.map_or(TokenSlo::default(), |slo| TokenSlo { ttft: slo.ttft, tpot: slo.tpot }),
            timeout: self.timeout,
            objective: self.slo.map(|slo| slo.objective),
            policies,
            comparisons: &self.comparisons,
            verdict: None,
            assumptions: &[],
            services: &[],
        }
    }
}

/// What a report says of its run besides results.
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    /// What repeats it.
    pub file: &'a RunFile,
    /// How its scenario was named, where that is known.
    pub scenario: Option<&'a ScenarioArgs>,
}

/// The report over what was found; `with` gets it because it borrows from here.
pub fn with_report<T>(
    loaded: &Loaded,
    results: &Results,
    origin: Origin<'_>,
    with: impl FnOnce(&RunReport<'_>) -> T,
) -> T {
    let services = &loaded.spec.services;
    let comparisons = results.comparisons();
    let answer = verdict(&results.policies, &comparisons, &question(loaded, origin.scenario));
    let assumptions = assumptions(loaded, results, origin.file);
    let lone = if let [only] = &services[..] { Some(only) } else { None };
    let cluster = Part::new(("", lone), results.policies.iter().collect(), &comparisons);
    let parts: Vec<Part<'_>> = services
        .iter()
        .filter(|_| services.len() > 1)
        .map(|service| {
            let name = Some(service.name.as_str());
            let of_service = results.policies.iter().map(|policy| policy.of_service(name)).collect();
            Part::new((&service.name, Some(service)), of_service, &comparisons)
        })
        .collect();
    let start = CalendarStart {
        unix_seconds: loaded.spec.start_unix_seconds,
        utc_offset_seconds: loaded.utc_offset_seconds,
        changes: &loaded.clock_changes,
    };
    let name = loaded.spec.name.as_str();
    let outcomes: Vec<_> = parts.iter().map(Part::outcomes).collect();
    let of_services: Vec<RunReport<'_>> =
        parts.iter().zip(&outcomes).map(|(part, policies)| part.report(name, start, policies)).collect();
    with(&RunReport {
        verdict: Some(&answer),
        assumptions: &assumptions,
        services: &of_services,
        ..cluster.report(name, start, &cluster.outcomes())
    })
}
