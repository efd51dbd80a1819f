//! What `report` takes, borrowed from what was found: the whole cluster and, where there are several, each service.

use cluster::spec::SloSpec;
use lab::error_budget::error_budget;
use lab::experiment::{PolicyResult, Results};
use record::{Comparison, ErrorBudget, ReplicationSummary};
use report::{CalendarStart, PolicyOutcome, RunReport};
use scenario::Loaded;

/// Owns what the report of the cluster or of a service borrows.
struct Part<'a> {
    service: &'a str,
    /// `None` where services have their own.
    slo: Option<&'a SloSpec>,
    results: Vec<&'a PolicyResult>,
    summaries: Vec<Vec<ReplicationSummary>>,
    budgets: Vec<Option<ErrorBudget>>,
    comparisons: Vec<Comparison>,
}

impl<'a> Part<'a> {
    fn new(
        (service, slo): (&'a str, Option<&'a SloSpec>),
        results: Vec<&'a PolicyResult>,
        comparisons: &[Comparison],
    ) -> Self {
        let budget = |result: &&PolicyResult| slo.map(|slo| error_budget(result, slo.objective));
        Self {
            service,
            slo,
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
}

/// The report over what was found; `with` gets it because it borrows from here.
pub fn with_report<T>(loaded: &Loaded, results: &Results, with: impl FnOnce(&RunReport<'_>) -> T) -> T {
    let services = &loaded.spec.services;
    let comparisons = results.comparisons();
    let lone_slo = if let [only] = &services[..] { Some(&only.slo) } else { None };
    let cluster = Part::new(("", lone_slo), results.policies.iter().collect(), &comparisons);
    let parts: Vec<Part<'_>> = services
        .iter()
        .filter(|_| services.len() > 1)
        .map(|service| {
            let name = Some(service.name.as_str());
            let of_service = results.policies.iter().map(|policy| policy.of_service(name)).collect();
            Part::new((&service.name, Some(&service.slo)), of_service, &comparisons)
        })
        .collect();
    let outcomes: Vec<_> = parts.iter().map(Part::outcomes).collect();
    let of = |part: &'_ Part<'_>| -> (Option<units::SimDuration>, Option<f64>) {
        (part.slo.and_then(|slo| slo.latency), part.slo.map(|slo| slo.objective))
    };
    let start = Some(CalendarStart {
        unix_seconds: loaded.spec.start_unix_seconds,
        utc_offset_seconds: loaded.utc_offset_seconds,
    });
    let of_services: Vec<RunReport<'_>> = parts
        .iter()
        .zip(&outcomes)
        .map(|(part, policies)| RunReport {
            scenario: &loaded.spec.name,
            start,
            service: part.service,
            slo_threshold: of(part).0,
            objective: of(part).1,
            policies,
            comparisons: &part.comparisons,
            services: &[],
        })
        .collect();
    with(&RunReport {
        scenario: &loaded.spec.name,
        start,
        service: "",
        slo_threshold: of(&cluster).0,
        objective: of(&cluster).1,
        policies: &cluster.outcomes(),
        comparisons: &cluster.comparisons,
        services: &of_services,
    })
}
