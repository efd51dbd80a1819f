//! Candidates in order, though some have more replications than others.

use super::{Candidate, Search, violation};
use crate::columns::Column;

/// Indices of the candidates, best first: feasible before infeasible, cheaper before dearer, less infeasible before more.
///
/// All candidates face the same requests in the same replication, and a dear replication is dear for all of them. What replication `r` adds to
/// the first is estimated from the candidates that have both and taken off, so that a candidate is not better for having met only the kindest.
pub(super) fn ranked(search: &Search, candidates: &[Candidate]) -> Vec<usize> {
    let objective = as_if_first(search.minimize, None, candidates);
    let mut violations = vec![0.0; candidates.len()];
    for gate in &search.subject_to {
        let measures = as_if_first(gate.condition.column, gate.service.as_deref(), candidates);
        for (sum, measure) in violations.iter_mut().zip(measures) {
            *sum += violation(&gate.condition, measure);
        }
    }
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|&a, &b| {
        let by_violation = violations[a].total_cmp(&violations[b]);
        by_violation.then(objective[a].total_cmp(&objective[b])).then(a.cmp(&b))
    });
    order
}

/// Each candidate's mean of a column of the cluster or a service, every replication corrected to be as the first is.
fn as_if_first(column: &Column, service: Option<&str>, candidates: &[Candidate]) -> Vec<f64> {
    let values: Vec<Vec<f64>> = candidates
        .iter()
        .map(|candidate| candidate.replications.iter().map(|one| column.of(&one.of_service(service).summary)).collect())
        .collect();
    let most = values.iter().map(Vec::len).max().unwrap_or(0);
    let effects: Vec<f64> = (0..most)
        .map(|replication| {
            let differences: Vec<f64> = values
                .iter()
                .filter_map(|values| Some(values.get(replication)? - values[0]))
                .filter(|difference| difference.is_finite())
                .collect();
            if differences.is_empty() { 0.0 } else { crate::statistics::mean(&differences) }
        })
        .collect();
    let corrected = |values: &Vec<f64>| {
        let sum: f64 = values.iter().zip(&effects).map(|(value, effect)| value - effect).sum();
        sum / values.len() as f64
    };
    values.iter().map(corrected).collect()
}
