//! `metrics`: what happened to each metric that a controller read.

use record::MetricUse;

use super::ByService;
use crate::{RunReport, Table};

/// One row per policy, controller and metric, of the first replication: how often it was read and with what result, and how old the
/// samples behind its values were.
pub fn metrics_table(report: &RunReport<'_>) -> Table {
    let rows = ByService::of(report, |service| &service.metrics);
    let each = || rows.each();
    rows.whose(Table::default())
        .text("controller", each().map(|used| &used.controller))
        .text("metric", each().map(|used| &used.metric))
        .count("reads", each().map(|used| used.reads))
        .count("read", each().map(|used| used.read))
        .count("empty_as_zero", each().map(|used| used.empty_as_zero))
        .count("empty", each().map(|used| used.empty))
        .count("not_a_number", each().map(|used| used.not_a_number))
        .count("failed", each().map(|used| used.failed))
        .number("sample_age_s_mean", each().map(MetricUse::age_s_mean))
        .number("sample_age_s_max", each().map(|used| (used.aged > 0).then(|| used.age_max.as_secs_f64())))
        .number("first_failure_s", each().map(|used| used.first_failure.as_ref().map(|(at, _)| at.as_secs_f64())))
        .text("first_failure", each().map(|used| used.first_failure.as_ref().map_or("", |(_, why)| why.as_str())))
}
