//! Advice for people: a table, then the last pass of each controller as `explain` tells it.

use std::fmt::Write;

use live::advise::PolicyAdvice;
use report::{decision_outcome, decision_words};

use super::ServiceAdvice;
use crate::commands::import::when::{length, shown};

/// All of it.
pub fn text(advices: &[ServiceAdvice], at_ms: i64) -> String {
    advices.iter().map(|advice| of_service(advice, at_ms)).collect::<Vec<_>>().join("\n")
}

fn of_service(of: &ServiceAdvice, at_ms: i64) -> String {
    let (wanted, existing, ready) = of.advice.replicas;
    let count = |count: Option<u32>| count.map_or("not known".to_owned(), |count| count.to_string());
    let place = of.advice.namespace.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
    let name = if of.service == of.workload { of.service.clone() } else { format!("{} ({})", of.service, of.workload) };
    let mut text = format!(
        "{name}{place} at {}: replicas wanted {wanted}, existing {}, ready {}; looked back {}\n\n",
        shown(at_ms),
        count(existing),
        count(ready),
        length(of.advice.lookback_ms)
    );
    let width = of.advice.policies.iter().map(|policy| policy.policy.chars().count()).max().unwrap_or(0).max(6);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{:width$}  {:>8}  {:>6}  why", "policy", "replicas", "change");
    for policy in &of.advice.policies {
        let (replicas, change, why) = match &policy.replicas {
            Ok(replicas) => {
                let change = i64::from(*replicas) - i64::from(wanted);
                (replicas.to_string(), if change == 0 { "0".to_owned() } else { format!("{change:+}") }, why(policy))
            }
            Err(why) => ("unknown".to_owned(), String::new(), why.clone()),
        };
        let _ = writeln!(text, "{:width$}  {replicas:>8}  {change:>6}  {why}", policy.policy);
    }
    for policy in of.advice.policies.iter().filter(|policy| !policy.decisions.is_empty()) {
        let _ = write!(text, "\n{}\n", policy.policy);
        for decision in &policy.decisions {
            text += &decision_words(decision, &shown(at_ms));
        }
        for note in &policy.notes {
            let _ = writeln!(text, "note: {note}");
        }
    }
    text
}

/// In one line what decided: the controller that writes, else the last that passed.
fn why(policy: &PolicyAdvice) -> String {
    let writes =
        policy.decisions.iter().rev().find(|decision| decision.written.is_some_and(|(what, _)| what == "replicas"));
    match writes.or(policy.decisions.last()) {
        Some(decision) => decision_outcome(decision),
        None => policy.notes.join("; "),
    }
}
