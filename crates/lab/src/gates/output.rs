//! A gate report as text, Markdown for a pull request, JUnit XML for a CI server, and JSON.

use std::fmt::Write as _;

use names::markdown;
use record::{Interval, TimelineRow};
use serde_json::{Value, json};

use super::evaluate::{change, ratio_text};
use super::{Bound, GateReport, GateResult, Outcome, WhenUndecided, figure};
use crate::experiment::PolicyResult;

/// Characters of a sparkline in a comment: wide enough for a day's shape, short enough for a table cell.
const SPARKLINE_WIDTH: usize = 48;

/// Values as a line of eight heights, at most 48 wide: the peak of each stretch, over a scale that begins at zero. NaN leaves a gap.
pub fn sparkline(values: &[f64]) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let width = values.len().min(SPARKLINE_WIDTH);
    let peaks: Vec<f64> = (0..width)
        .map(|cell| {
            let stretch = &values[cell * values.len() / width..(cell + 1) * values.len() / width];
            stretch.iter().copied().fold(f64::NAN, f64::max)
        })
        .collect();
    let top = peaks.iter().copied().fold(0.0, f64::max);
    peaks
        .iter()
        .map(|&peak| match peak {
            peak if peak.is_nan() => ' ',
            _ if top == 0.0 => HEIGHTS[0],
            peak => HEIGHTS[((peak.max(0.0) / top * 8.0) as usize).min(7)],
        })
        .collect()
}

impl GateReport {
    /// One line per gate and a closing one, for a terminal.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for result in &self.results {
            let _ = writeln!(
                text,
                "{:<9}  {}: {}\n           {}",
                result.outcome.name(),
                result.subject(),
                result.gate.condition,
                result.reason
            );
        }
        text + &self.verdict() + "\n"
    }

    /// A table with the numbers and intervals, what broke in words, and a sparkline per policy: made for a comment.
    pub fn to_markdown(&self, policies: &[PolicyResult]) -> String {
        let mut text = format!("### scalelab check: {}\n\n", if self.is_passed() { "passed" } else { "failed" });
        text += "| | policy | gate | estimate | interval | limit |\n| --- | --- | --- | ---: | ---: | ---: |\n";
        for result in &self.results {
            let _ = writeln!(
                text,
                "| **{}** | {} | `{}` | {} | {} | {} |",
                result.outcome.name(),
                markdown(&result.subject()),
                result.gate.condition,
                estimate_text(result),
                interval_text(result),
                result.limit_text(),
            );
        }
        text += "\n";
        for result in self.results.iter().filter(|result| result.outcome != Outcome::Holds) {
            let _ = writeln!(
                text,
                "- `{}` {} on {}: {}",
                result.gate.condition,
                result.outcome.name(),
                markdown(&result.subject()),
                markdown(&result.reason)
            );
        }
        let lines = sparklines(policies);
        if !lines.is_empty() {
            let _ = write!(
                text,
                "\n| policy | requests | ready replicas | SLO misses |\n| --- | --- | --- | --- |\n{lines}"
            );
        }
        let _ = writeln!(text, "\n{}", self.verdict());
        text
    }

    /// One test case per gate and policy; an undecided gate is a failure or skipped, as configured.
    pub fn to_junit(&self) -> String {
        let failures = self.results.iter().filter(|result| !self.passes(result)).count();
        let skipped = self.results.iter().filter(|result| self.is_skipped(result)).count();
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let _ = writeln!(
            text,
            "<testsuites>\n  <testsuite name=\"scalelab check\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">",
            self.results.len()
        );
        for result in &self.results {
            let _ = write!(
                text,
                "    <testcase classname=\"{}\" name=\"{}\"",
                escaped(&result.subject()),
                escaped(&result.gate.condition.to_string())
            );
            let message = escaped(&format!("{}: {}", result.outcome.name(), result.reason));
            let _ = if !self.passes(result) {
                writeln!(text, ">\n      <failure message=\"{message}\"/>\n    </testcase>")
            } else if self.is_skipped(result) {
                writeln!(text, ">\n      <skipped message=\"{message}\"/>\n    </testcase>")
            } else {
                writeln!(text, "/>")
            };
        }
        text + "  </testsuite>\n</testsuites>\n"
    }

    /// Everything, for machines. Numbers that do not exist are `null`.
    pub fn to_json(&self) -> Value {
        let gates: Vec<Value> = self
            .results
            .iter()
            .map(|result| {
                let mut one = json!({
                    "policy": result.policy,
                    "gate": result.gate.condition.to_string(),
                    "metric": result.gate.condition.column.name,
                    "confidence": result.gate.condition.confidence.level(),
                    "estimate": interval_json(result.estimate),
                    "controlled": result.is_controlled,
                    "limit": result.limit,
                    "difference": result.difference.map(interval_json),
                    "baseline": result.baseline.map(|against| against.mean),
                    "ratio": result.baseline.and_then(|against| against.ratio).map(interval_json),
                    "paired": result.baseline.map(|against| against.is_paired),
                    "identical": result.baseline.map(|against| against.is_same),
                    "replicationsNeeded": result.replications_needed,
                    "outcome": result.outcome.name(),
                    "reason": result.reason,
                });
                if let Some(service) = &result.gate.service {
                    one["service"] = json!(service);
                }
                one
            })
            .collect();
        json!({ "passed": self.is_passed(), "gates": gates })
    }

    fn is_skipped(&self, result: &GateResult) -> bool {
        result.outcome == Outcome::Undecided && self.when_undecided == WhenUndecided::Pass
    }

    fn verdict(&self) -> String {
        let undecided = match (self.count(Outcome::Undecided), self.when_undecided) {
            (0, _) => String::new(),
            (count, WhenUndecided::Fail) => {
                format!(", {count} undecided (counted as failed; more replications may decide)")
            }
            (count, WhenUndecided::Pass) => format!(", {count} undecided (let pass; more replications may decide)"),
        };
        format!("{} hold, {} fail{undecided}", self.count(Outcome::Holds), self.count(Outcome::Fails))
    }
}

fn interval_json(interval: Interval) -> Value {
    json!({ "mean": interval.mean, "low": interval.low, "high": interval.high })
}

impl GateResult {
    /// The policy, and the service if the gate is about one.
    fn subject(&self) -> String {
        self.gate.subject(&self.policy)
    }
}

/// The figure, and beside a baseline how far from it.
fn estimate_text(result: &GateResult) -> String {
    let estimate = figure(result.gate.condition.column.unit, result.estimate.mean);
    match relative(result) {
        Some(ratio) => format!("{estimate} ({})", change(ratio.mean)),
        None => estimate,
    }
}

/// The ratio that decided the gate.
fn relative(result: &GateResult) -> Option<Interval> {
    match result.gate.condition.bound {
        Bound::Baseline { offset: 0.0, .. } => result.baseline.and_then(|against| against.ratio),
        _ => None,
    }
}

/// The interval that decided the gate: of the ratio to a baseline, of the difference from it, or of the figure.
fn interval_text(result: &GateResult) -> String {
    let unit = result.gate.condition.column.unit;
    if let Some(ratio) = relative(result) {
        return ratio_text(ratio).unwrap_or_else(|| "none".to_owned());
    }
    if let Some(excess) = result.baseline.map(|against| against.excess).filter(|excess| !excess.low.is_nan()) {
        return format!("difference {} to {}", figure(unit, excess.low), figure(unit, excess.high));
    }
    if result.estimate.low.is_nan() {
        return "none".to_owned();
    }
    format!("{} to {}", figure(unit, result.estimate.low), figure(unit, result.estimate.high))
}

fn sparklines(policies: &[PolicyResult]) -> String {
    let line = |timeline: &[TimelineRow], value: fn(&TimelineRow) -> f64| {
        sparkline(&timeline.iter().map(value).collect::<Vec<_>>())
    };
    let mut rows = String::new();
    for policy in policies.iter().filter(|policy| !policy.first.timeline().is_empty()) {
        let timeline = &policy.first.timeline();
        let _ = writeln!(
            rows,
            "| {} | `{}` | `{}` | `{}` |",
            markdown(policy.name()),
            line(timeline, |row| row.arrivals as f64),
            line(timeline, |row| f64::from(row.ready)),
            line(timeline, |row| row.slo_misses as f64),
        );
    }
    rows
}

/// Text inside XML, which cannot hold control characters at all.
fn escaped(text: &str) -> String {
    let plain: String = text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect();
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
