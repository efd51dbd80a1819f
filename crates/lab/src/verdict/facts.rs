//! Why: what decisions, replicas and the bill say of the policy chosen and of the one that was nearest.

use record::{BillPart, DecisionRow, Fact, Held, RunRecord, RunVerdict, Shortfall, Standing, TimelineRow};
use units::{SimDuration, SimTime};

use crate::columns::Column;
use crate::experiment::{PolicyResult, measured_rows};

/// Two stretches below the objective that are no further apart are one.
const GAP: SimDuration = SimDuration::from_secs(120);
/// How long before a stretch a controller's hesitation may be the reason of it.
const BEFORE: SimDuration = SimDuration::from_secs(300);
/// A policy that is at its maximum for less of the time is not told so.
const AT_MAXIMUM_LEAST: f64 = 0.2;
/// Facts that are told.
const FACTS_MAX: usize = 3;

/// The facts about the chosen policy and the one beside it, the one that fails first.
pub(super) fn facts(results: &[PolicyResult], verdict: &RunVerdict) -> Vec<Fact> {
    let other = verdict.runner_up.as_ref().map(|runner_up| runner_up.policy);
    let mut facts = Vec::new();
    let subject = other.or(verdict.chosen);
    let falls_short =
        verdict.runner_up.as_ref().is_some_and(|runner_up| !matches!(runner_up.by, Shortfall::Cost { .. }));
    if let Some(policy) = other.filter(|_| falls_short).or(verdict.chosen.filter(|_| !falls_short)) {
        facts.extend(misses(policy, results, verdict));
    }
    for policy in [verdict.chosen, other].into_iter().flatten() {
        facts.extend(silent(policy, results, verdict));
    }
    match (verdict.chosen, other) {
        (Some(chosen), other) => {
            facts.push(bill(chosen, other, results));
            facts.extend(other.map(|other| replicas(chosen, other, results)));
        }
        (None, Some(other)) => facts.push(bill(other, None, results)),
        (None, None) => {}
    }
    facts.extend(subject.and_then(|policy| at_maximum(policy, results)));
    facts.truncate(FACTS_MAX.max(facts.iter().filter(|fact| matches!(fact, Fact::Silent { .. })).count() + 2));
    facts
}

/// The stretch with most misses of the service that is furthest from its objective; `None` where nothing is missed.
fn misses(policy: usize, results: &[PolicyResult], verdict: &RunVerdict) -> Option<Fact> {
    let services = &verdict.policies[policy].services;
    let judged = services.iter().filter(|one| one.standing != Standing::NothingToJudge);
    let burn = |share: f64, objective: f64| (1.0 - share) / (1.0 - objective).max(1e-9);
    let worst = judged
        .max_by(|a, b| burn(a.slo_attainment.mean, a.objective).total_cmp(&burn(b.slo_attainment.mean, b.objective)))?;
    let named = Some(worst.service.as_str()).filter(|name| !name.is_empty());
    let record = &results[policy].of_service(named).first;
    let timeline = record.timeline();
    let rows: Vec<&TimelineRow> = measured_rows(&timeline, record.measured).collect();
    let missed: u64 = rows.iter().map(|row| row.slo_misses).sum();
    let stretch = worst_stretch(&rows, worst.objective)?;
    let (first, last) = (rows[stretch.0], rows[stretch.1]);
    let within = &rows[stretch.0..=stretch.1];
    let here: u64 = within.iter().map(|row| row.slo_misses).sum();
    let end = last.start + last.step;
    Some(Fact::Misses {
        policy,
        service: worst.service.clone(),
        start: first.start,
        length: end.since(first.start),
        share: here as f64 / missed.max(1) as f64,
        wanted: within.iter().map(|row| row.desired).max().unwrap_or(0),
        ready: within.iter().map(|row| row.ready).min().unwrap_or(0),
        held: held(record, (first.start.saturating_sub(BEFORE), end)),
        cold_start_s: results[policy].of_service(named).summary.pooled.cold_start_s_mean,
    })
}

/// First and last of the steps below the objective that lie together and hold most misses.
fn worst_stretch(rows: &[&TimelineRow], objective: f64) -> Option<(usize, usize)> {
    let is_below = |row: &TimelineRow| {
        let judged = row.completions + row.failures;
        judged > 0 && row.slo_misses as f64 > (1.0 - objective) * judged as f64
    };
    let mut stretches: Vec<(usize, usize)> = Vec::new();
    for index in (0..rows.len()).filter(|&index| is_below(rows[index])) {
        match stretches.last_mut() {
            Some((_, last)) if rows[index].start.since(rows[*last].start + rows[*last].step) <= GAP => *last = index,
            _ => stretches.push((index, index)),
        }
    }
    let misses = |&(first, last): &(usize, usize)| rows[first..=last].iter().map(|row| row.slo_misses).sum::<u64>();
    // Of equal ones the first.
    stretches.into_iter().rev().max_by_key(misses)
}

/// The step that most often left less than the metrics asked for.
fn held(record: &RunRecord, (from, to): (SimTime, SimTime)) -> Option<Held> {
    let decisions = record.services.iter().flat_map(|service| &service.decisions);
    let passes: Vec<&DecisionRow> =
        decisions.filter(|row| from <= row.time && row.time < to && row.raw.is_some()).collect();
    let mut found: Vec<Held> = Vec::new();
    for pass in &passes {
        for step in pass.steps.iter().filter(|step| step.after < step.before) {
            let known = found.iter_mut().find(|one| (&one.controller, &one.step) == (&pass.controller, &step.name));
            match known {
                Some(one) => one.passes += 1,
                None => found.push(Held {
                    controller: pass.controller.clone(),
                    step: step.name.clone(),
                    note: step.note.clone(),
                    passes: 1,
                    of: passes.iter().filter(|other| other.controller == pass.controller).count() as u64,
                }),
            }
        }
    }
    found.into_iter().rev().max_by_key(|one| one.passes)
}

fn silent(policy: usize, results: &[PolicyResult], verdict: &RunVerdict) -> Option<Fact> {
    let metrics = verdict.policies[policy].silent_metrics.clone();
    let services = &results[policy].first.services;
    // A pass may not shrink on partial data: a metric asked for fewer replicas, one had no value, and nothing was written.
    let is_held = |row: &&DecisionRow| {
        let asks_for_less =
            row.metrics.iter().any(|metric| metric.replicas.is_some_and(|replicas| replicas < row.replicas_before));
        let is_blind = row.metrics.iter().any(|metric| metric.replicas.is_none());
        asks_for_less && is_blind && row.written.is_none()
    };
    let held_passes = services.iter().flat_map(|service| &service.decisions).filter(is_held).count() as u64;
    (!metrics.is_empty()).then_some(Fact::Silent { policy, metrics, held_passes })
}

fn at_maximum(policy: usize, results: &[PolicyResult]) -> Option<Fact> {
    let share = results[policy].summary.pooled.at_max_share;
    (share >= AT_MAXIMUM_LEAST).then_some(Fact::AtMaximum { policy, share })
}

fn replicas(policy: usize, other: usize, results: &[PolicyResult]) -> Fact {
    let of = |index: usize| &results[index].summary.pooled;
    Fact::Replicas {
        policy,
        mean: of(policy).replicas_mean,
        cold_starts: of(policy).cold_starts,
        other: Some((other, of(other).replicas_mean)),
    }
}

/// The part in which the bills differ most; of a lone policy the largest part that serves nobody.
fn bill(policy: usize, other: Option<usize>, results: &[PolicyResult]) -> Fact {
    let usd = |index: usize, part: BillPart| {
        let column = Column::named(&format!("cost_{}_usd", part.name()));
        column.map_or(0.0, |column| column.of(&results[index].summary.pooled))
    };
    let weight = |part: &BillPart| match other {
        Some(other) => (usd(policy, *part) - usd(other, *part)).abs(),
        None if *part == BillPart::Serving => -1.0,
        None => usd(policy, *part),
    };
    let part = BillPart::ALL.into_iter().max_by(|a, b| weight(a).total_cmp(&weight(b))).unwrap_or(BillPart::Idle);
    // The one that pays more for it is the one it is told of.
    let (policy, other) = match other {
        Some(other) if usd(other, part) > usd(policy, part) => (other, Some(policy)),
        other => (policy, other),
    };
    let total = results[policy].summary.cost_usd.mean;
    Fact::Bill {
        policy,
        part,
        usd: usd(policy, part),
        share: if total > 0.0 { usd(policy, part) / total } else { 0.0 },
        other: other.map(|other| (other, usd(other, part))),
    }
}
