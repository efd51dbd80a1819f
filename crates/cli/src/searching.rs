//! What a search is asked and what it found: conditions, the table of what was tried, the answer in words.

use lab::TrialError;
use lab::columns::Column;
use lab::gates::{Gate, figure};
use lab::optimize::{Candidate, Found, Search};
use record::Interval;
use report::Table;

use crate::failure::{Failure, Result};
use crate::tuning::{Tuned, assignments};

/// Replications below which an interval says little.
pub const REPLICATIONS_LEAST: u32 = 5;

/// Those given, or else the gates of the scenario that are about the policy.
pub fn conditions(given: &[String], tuned: &Tuned, policy: &str) -> Result<Vec<Gate>> {
    let texts = if given.is_empty() { &tuned.loaded.gates } else { given };
    let names: Vec<&str> = tuned.loaded.spec.policies.iter().map(|policy| policy.name.as_str()).collect();
    let services: Vec<&str> = tuned.loaded.spec.services.iter().map(|service| service.name.as_str()).collect();
    let mut conditions = Vec::new();
    for text in texts {
        let wrong = |problem: String| Failure::input(format!("--subject-to `{text}`: {problem}"));
        let gate = Gate::parse(text).and_then(|gate| gate.named(&names, &services));
        let gate = gate.map_err(|error| wrong(error.to_string()))?;
        if gate.needs_baseline() {
            return Err(wrong("a search knows no baseline; give a figure".to_owned()));
        }
        if gate.policy.as_deref().is_none_or(|name| name == policy) {
            // The policy is that of the search and goes without saying.
            conditions.push(Gate { policy: None, ..gate });
        }
    }
    if conditions.is_empty() {
        return Err(Failure::input(
            "nothing must hold, so the answer would be to serve nobody: give --subject-to, such as 'slo_attainment >= 0.99'",
        ));
    }
    Ok(conditions)
}

/// What keeps trials from an answer, as a command ends by it.
pub fn trial_failure(error: TrialError) -> Failure {
    match error {
        TrialError::Stopped => Failure::Environment(anyhow::anyhow!("interrupted before there was an answer")),
        error @ TrialError::Scenario { .. } => Failure::input(error),
    }
}

/// The column that a condition is about, with its service if it is about one.
pub fn column_title(gate: &Gate) -> String {
    gate.subject_of(gate.condition.column.name)
}

/// What the data say of the conditions at a candidate.
pub fn standing(candidate: &Candidate) -> &'static str {
    match (candidate.is_certain(), candidate.is_feasible()) {
        (true, _) => "hold",
        (false, true) => "met, not certain",
        (false, false) => "missed",
    }
}

/// The answer in words: the best settings with fresh seeds, or that there is none.
pub fn verdict(search: &Search, found: &Found) -> String {
    let Some((winner, confirmation)) = found.winner.as_ref().zip(found.confirmation.as_ref()) else {
        return if found.tried.iter().any(Candidate::is_feasible) {
            format!(
                "nothing confirmed: {} settings met the conditions and fell with fresh seeds; more replications or runs may tell",
                found.refused.len()
            )
        } else {
            "nothing meets the conditions in these ranges".to_owned()
        };
    };
    let measures = search.subject_to.iter().zip(&confirmation.measures);
    let conditions: Vec<String> =
        measures.map(|(gate, measure)| format!("{gate}: {}", with_interval(gate.condition.column, *measure))).collect();
    format!(
        "best: {}\nconfirmed with {} fresh seeds: {} {}\n{}",
        assignments(&winner.settings),
        confirmation.replications.len(),
        search.minimize.name,
        with_interval(search.minimize, confirmation.objective),
        conditions.join("\n"),
    )
}

/// An estimate, with its interval where there is one.
pub fn with_interval(column: &Column, interval: Interval) -> String {
    let shown = |value| figure(column.unit, value);
    if interval.low.is_nan() {
        return shown(interval.mean);
    }
    format!("{} ({} to {})", shown(interval.mean), shown(interval.low), shown(interval.high))
}

/// Everything tried, best first.
pub fn tried(search: &Search, found: &Found) -> Table {
    let tried = &found.tried;
    let mut table = Table::default();
    for (index, (parameter, _)) in search.over.iter().enumerate() {
        table = table.text(&parameter.name, tried.iter().map(|candidate| &candidate.settings[index].value.text));
    }
    let bounds = |table: Table, name: &str, pick: &dyn Fn(&Candidate) -> Interval| {
        table
            .number(name, tried.iter().map(|candidate| pick(candidate).mean))
            .number(&format!("{name}_ci_low"), tried.iter().map(|candidate| pick(candidate).low))
            .number(&format!("{name}_ci_high"), tried.iter().map(|candidate| pick(candidate).high))
    };
    table = bounds(table, search.minimize.name, &|candidate| candidate.objective);
    let mut named = vec![search.minimize.name.to_owned()];
    for (index, gate) in search.subject_to.iter().enumerate() {
        // Two conditions on one column are one column of the table.
        let title = column_title(gate);
        if !named.contains(&title) {
            table = bounds(table, &title, &|candidate| candidate.measures[index]);
            named.push(title);
        }
    }
    table
        .count("replications", tried.iter().map(|candidate| candidate.replications.len() as u64))
        .text("conditions", tried.iter().map(standing))
}
