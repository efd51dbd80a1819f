//! Conditions on labels: which of them no series can meet.

use promql::labels::METRIC_NAME;
use promql::{Matcher, SelectorUse};

use super::{Bindings, Finding, Severity, Topic, passing};
use crate::domain::{Domain, Fit};
use crate::registry::{Registry, Shown};
use crate::target::Exporter;

/// How a condition comes out for a series. A label it has not is empty.
pub(super) fn fit(shown: &Shown, matcher: &Matcher) -> Fit {
    match shown.labels.get(matcher.name()) {
        Some(domain) => domain.fit(matcher, shown.may_lack.contains(matcher.name())),
        None if matcher.is_match_value("") => Fit::Yes,
        None => Fit::No,
    }
}

fn on_labels(selector: &SelectorUse) -> impl Iterator<Item = &Matcher> {
    selector.matchers.iter().filter(|matcher| matcher.name() != METRIC_NAME)
}

/// What is wrong if no candidate passes; the condition that rules out most is told.
pub(super) fn unmatched(
    selector: &SelectorUse,
    candidates: &[&Shown],
    registry: &Registry,
    bindings: &Bindings,
) -> Option<Finding> {
    if !passing(selector, candidates).is_empty() {
        return conflict(selector, candidates, bindings);
    }
    let ruled_out = |matcher: &Matcher| candidates.iter().filter(|shown| fit(shown, matcher) == Fit::No).count();
    let worst = on_labels(selector).max_by_key(|matcher| ruled_out(matcher))?;
    Some(explain(selector, worst, candidates, registry))
}

/// A label that another query of the scenario gave another value.
fn conflict(selector: &SelectorUse, candidates: &[&Shown], bindings: &Bindings) -> Option<Finding> {
    for shown in passing(selector, candidates) {
        for matcher in on_labels(selector) {
            let Fit::IfBound(value) = fit(shown, matcher) else { continue };
            let label = plain(matcher.name());
            let Some((bound, asker)) = bindings.value(shown.exporter, label) else { continue };
            if !matcher.is_match_value(bound) {
                let text = format!(
                    "{} asks for {label} {value:?}, and {asker} asks for {bound:?}: one label can have one value here",
                    selector.text
                );
                return Some(Finding::new(Severity::Error, Topic::Label, selector.offset, text));
            }
        }
    }
    None
}

/// Takes the values of labels that nothing else tells.
pub(super) fn bind(
    selector: &SelectorUse,
    candidates: &[&Shown],
    asker: &str,
    bindings: &mut Bindings,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for shown in passing(selector, candidates) {
        for matcher in on_labels(selector) {
            let Fit::IfBound(value) = fit(shown, matcher) else { continue };
            let key: (Exporter, String) = (shown.exporter, plain(matcher.name()).to_owned());
            if bindings.0.contains_key(&key) {
                continue;
            }
            let text = format!("{} is taken to be {value:?}, as the query asks for; nothing else says", matcher.name());
            findings.push(Finding::new(Severity::Note, Topic::Bound, selector.offset, text));
            bindings.0.insert(key, (value, asker.to_owned()));
        }
    }
    findings
}

fn plain(label: &str) -> &str {
    label.trim_start_matches("exported_")
}

fn explain(selector: &SelectorUse, matcher: &Matcher, candidates: &[&Shown], registry: &Registry) -> Finding {
    let name = selector.name.as_deref().unwrap_or(&selector.text);
    let label = matcher.name();
    let error = |text: String| Finding::new(Severity::Error, Topic::Label, selector.offset, text);
    let with: Vec<&&Shown> = candidates.iter().filter(|shown| shown.labels.contains_key(label)).collect();
    let exported = format!("exported_{label}");
    let renamed =
        candidates.iter().any(|shown| shown.labels.get(&exported).is_some_and(|_| fit_as(shown, &exported, matcher)));
    if renamed {
        let (own, theirs) = if candidates[0].exporter == Exporter::Dcgm {
            ("exporter's", "workload's")
        } else {
            ("target's", "series'")
        };
        return error(format!("{name}: {label} is the {own} own; the {theirs} is {exported}")).with_help([
            format!("write {exported}{}", matcher.text().trim_start_matches(label)),
            "or, if the exporter is scraped with honorLabels, say metrics.dcgm: {honorLabels: true}".to_owned(),
        ]);
    }
    if with.is_empty() {
        let mut known: Vec<&str> =
            candidates.iter().flat_map(|shown| shown.labels.keys()).map(String::as_str).collect();
        known.sort_unstable();
        known.dedup();
        let hint = likely(label, &known).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        return error(format!("{name} has no label {label} (labels: {}){hint}", known.join(", ")));
    }
    let domains: Vec<String> = with.iter().filter_map(|shown| shown.labels.get(label)).map(Domain::text).collect();
    let mut values = domains;
    values.sort();
    values.dedup();
    let from = registry.facts().model_name_from.as_str();
    let from = if label == "model_name" && !from.is_empty() { format!(" (from {from})") } else { String::new() };
    let asked = matcher.text();
    let finding = error(format!("{name}: {label} is {}{from}, the query asks for {asked}", values.join(" or ")));
    match float_twin(matcher, &with) {
        Some(stored) => finding.with_help([format!("Prometheus 3 stores this bound as {label}={stored:?}")]),
        None => finding.with_help(super::answer::template(&asked)),
    }
}

/// Whether a condition holds for the same label under another name.
fn fit_as(shown: &Shown, name: &str, matcher: &Matcher) -> bool {
    shown.labels.get(name).is_some_and(|domain| domain.fit(matcher, shown.may_lack.contains(name)) != Fit::No)
}

/// The label most likely meant: one that ends or begins with the word, else the nearest.
fn likely<'a>(label: &str, known: &[&'a str]) -> Option<&'a str> {
    let by_part = known.iter().find(|name| {
        name.split('_').next() == Some(label)
            || label.split('_').next() == Some(**name)
            || name.ends_with(&format!("_{label}"))
    });
    by_part.copied().or_else(|| names::nearest(label, known.iter().copied()))
}

/// The text of a bound whose number is the one asked for.
fn float_twin(matcher: &Matcher, shown: &[&&Shown]) -> Option<String> {
    let asked: f64 = matcher.equal_value()?.parse().ok()?;
    let bounds = shown.iter().filter_map(|shown| match shown.labels.get(matcher.name()) {
        Some(Domain::Known(values)) => Some(values),
        _ => None,
    });
    bounds.flatten().find(|value| value.parse::<f64>().is_ok_and(|bound| (bound - asked).abs() < f64::EPSILON)).cloned()
}
