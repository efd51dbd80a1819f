//! Functions against the types of metrics.

use promql::SelectorUse;

use super::{Finding, Reader, Severity, Topic};
use crate::registry::Shown;
use crate::target::Kind;

/// Functions of counters.
const OF_COUNTERS: [&str; 3] = ["rate", "increase", "irate"];
/// Functions under which it does not matter how large a counter is.
const BLIND: [&str; 9] = [
    "changes",
    "resets",
    "absent",
    "absent_over_time",
    "timestamp",
    "count",
    "group",
    "count_over_time",
    "present_over_time",
];
/// Functions over a range that make a difference of a counter.
const DIFFERENCES: [&str; 7] = ["rate", "increase", "irate", "idelta", "delta", "deriv", "predict_linear"];

/// What does not fit.
pub(super) fn findings(selector: &SelectorUse, matched: &[&Shown], reader: Reader) -> Vec<Finding> {
    let mut findings = Vec::new();
    let new = |text: String| Finding::new(Severity::Warning, Topic::Type, selector.offset, text);
    let name = selector.name.as_deref().unwrap_or(&selector.text);
    let is_all = |wanted: &dyn Fn(&Shown) -> bool| !matched.is_empty() && matched.iter().all(|shown| wanted(shown));
    let function = selector.around.first().map(String::as_str).unwrap_or_default();
    if OF_COUNTERS.contains(&function) && is_all(&|shown| shown.kind == Kind::Gauge) {
        findings.push(new(format!(
            "{function} of the gauge {name} counts only what it rises by; a gauge is read as it is, or by avg_over_time or deriv"
        )));
    }
    let grows = |shown: &Shown| matches!(shown.kind, Kind::Counter | Kind::Histogram);
    let is_bare = selector.around.iter().all(|name| {
        !BLIND.contains(&name.as_str()) && !DIFFERENCES.contains(&name.as_str()) && !name.starts_with("histogram_")
    });
    // An adapter's default rules show counters bare, and that is what they are told to do elsewhere.
    if is_bare && reader != Reader::Adapter && is_all(&grows) {
        findings.push(new(format!(
            "{name} only ever grows; without rate() or increase() its value says how old the processes are"
        )));
    }
    if selector.loses_bounds {
        findings.push(new(format!(
            "histogram_quantile needs the label le, which is aggregated away from {name}: the answer is empty; write sum by (le)"
        )));
    }
    findings
}
