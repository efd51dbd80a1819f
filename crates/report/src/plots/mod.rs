//! The plots of a run, each a [`Drawing`] that becomes SVG and PNG. Titles carry the subject, axes their units.

mod chart;
mod condense;
mod cost;
mod cost_services;
mod cost_vs_slo;
mod frame;
mod latency;
mod marker;
mod measured;
mod over_time;
mod overview;
mod palette;
mod phases;
mod scale;
mod search;
mod shared;
mod sweep;

pub(crate) use condense::condensed;
pub use cost::cost_breakdown;
pub use cost_services::cost_by_service;
pub use cost_vs_slo::cost_vs_slo;
pub use latency::latency_cdf;
pub use measured::{MeasuredPanel, measured_vs_fitted};
pub use over_time::timeline;
pub use overview::overview;
pub use phases::cold_start_phases;
pub use search::{AxisUnit, SearchAxis, SearchPoint, SearchReport, Standing, search_front};
pub use sweep::{SweepPoint, SweepReport, SweepValue, sweep_files, sweep_html};
pub(crate) use sweep::{front as sweep_front, replications as sweep_replications};

use crate::drawing::Drawing;
use crate::{PolicyOutcome, RunReport};

/// Every plot the data allow, as (file name without ending, picture): the overview, comparisons, then one timeline per policy. Those of
/// services are not among them.
pub(crate) fn all(report: &RunReport<'_>) -> Vec<(String, Drawing)> {
    let mut plots = Vec::new();
    if report.policies.is_empty() {
        return plots;
    }
    if report.policies.iter().any(|policy| !policy.detail.timeline().is_empty()) {
        plots.push(("overview".to_owned(), overview(report)));
    }
    plots.push(("cost_vs_slo".to_owned(), cost_vs_slo(report)));
    plots.push(("cost_breakdown".to_owned(), cost_breakdown(report)));
    if report.has_several_services() {
        plots.push(("cost_by_service".to_owned(), cost_by_service(report)));
    }
    if report.has_latency() {
        plots.push(("latency_cdf".to_owned(), latency_cdf(report)));
    }
    if report.policies.iter().any(|policy| !phases::finished_cold_starts(policy).is_empty()) {
        plots.push(("cold_start_phases".to_owned(), cold_start_phases(report)));
    }
    for (index, policy) in report.policies.iter().enumerate() {
        if !policy.detail.timeline().is_empty() {
            plots.push((format!("timeline-{}", file_name(report.policies, index)), timeline(report, policy)));
        }
    }
    plots
}

/// The plots of service number `service`, named for it.
pub(crate) fn of_service(report: &RunReport<'_>, service: usize) -> Vec<(String, Drawing)> {
    let names: Vec<&str> = report.services.iter().map(|one| one.service).collect();
    let prefix = told_apart(&names, service);
    all(&report.services[service]).into_iter().map(|(name, plot)| (format!("{prefix}-{name}"), plot)).collect()
}

/// The policy's name with only letters, digits, `-`, `_` and `.`, told apart by its index where two would be the same.
pub(crate) fn file_name(policies: &[PolicyOutcome<'_>], index: usize) -> String {
    told_apart(&policies.iter().map(PolicyOutcome::name).collect::<Vec<_>>(), index)
}

fn told_apart(names: &[&str], index: usize) -> String {
    let plain = |name: &str| {
        let kept = name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' });
        kept.collect::<String>().to_ascii_lowercase().trim_matches('.').to_owned()
    };
    let name = plain(names[index]);
    let is_taken = names.iter().enumerate().any(|(other, taken)| other != index && plain(taken) == name);
    if is_taken || name.is_empty() { format!("{name}-{index}") } else { name }
}

/// `24 h`, `90 min`, `7 d`: the length of the measured part.
pub(crate) fn horizon(report: &RunReport<'_>) -> String {
    let hours = report.policies.first().map_or(0.0, |policy| policy.detail.measured.as_secs_f64() / 3_600.0);
    match hours {
        hours if hours > 72.0 => format!("{} days", crate::rounding::three_digits(hours / 24.0)),
        hours if hours >= 2.0 => format!("{} h", crate::rounding::three_digits(hours)),
        hours => format!("{} min", crate::rounding::three_digits(hours * 60.0)),
    }
}

/// `1 replication`, `20 replications`, of the policy with most, and which intervals they give.
fn replications(report: &RunReport<'_>) -> String {
    match report.policies.iter().map(|policy| policy.summary.replications).max().unwrap_or(0) {
        1 => "1 replication, no interval".to_owned(),
        many => format!("{many} replications, 95 % intervals"),
    }
}

/// The same where attainment is shown: a lone replication has an interval of it, from batch means along its timeline.
pub(crate) fn replications_of_attainment(report: &RunReport<'_>) -> String {
    let is_lone = report.policies.iter().all(|policy| policy.summary.replications == 1);
    let has_batches = report.policies.iter().any(|policy| policy.summary.slo_attainment.low.is_finite());
    if is_lone && has_batches {
        "1 replication: attainment with 95 % intervals from batch means within it, cost without".to_owned()
    } else {
        replications(report)
    }
}
