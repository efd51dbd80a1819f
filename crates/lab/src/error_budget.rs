//! The error budget: how fast a policy spends the misses its SLO allows, and when.
//!
//! Budgets are for 28 days and runs are shorter. What 28 days hold is therefore stated for 28 days *made of runs like these*: their
//! expected spending is the runs' own, and how far one such stretch may lie from it follows from how far the replications lie from each
//! other. What happens within minutes and hours is read off the first replication, which keeps its timeline.

use record::{BUDGET_WINDOW, BudgetDetail, BudgetStretch, BudgetWindow, ErrorBudget, Interval, RunRecord, TimelineRow};
use units::SimDuration;

use crate::experiment::{PolicyResult, measured_rows};
use crate::statistics::{Confidence, Counts, share_forecast};

/// Windows that roll over the timeline in seconds, each with the share of the budget that an alert on it lets be spent: the page after 2 % within
/// an hour or 5 % within six, the ticket after 10 % within three days (Google, *The Site Reliability Workbook*, 2018, table 5-8).
const WINDOWS: [(u64, Option<f64>); 7] = [
    (300, None),
    (3_600, Some(0.02)),
    (6 * 3_600, Some(0.05)),
    (86_400, None),
    (3 * 86_400, Some(0.1)),
    (7 * 86_400, None),
    (BUDGET_WINDOW.as_secs(), Some(1.0)),
];

/// The error budget of a policy for `objective` in 0..=1. An objective of 1 allows no misses: then any miss burns infinitely fast.
pub fn error_budget(policy: &PolicyResult, objective: f64) -> ErrorBudget {
    let attainment = policy.summary.slo_attainment;
    let measured = policy.first.measured;
    let runs_ahead = BUDGET_WINDOW.as_secs_f64() / measured.as_secs_f64();
    let counts: Vec<Counts> = policy.replications.iter().map(|replication| replication.slo).collect();
    let forecast = share_forecast(&counts, runs_ahead, Confidence::P95);
    let is_held = policy.summary.replications >= policy.summary.replications_needed;
    let forecast = if is_held { forecast } else { Interval { mean: attainment.mean, low: f64::NAN, high: f64::NAN } };
    ErrorBudget {
        slo_attainment: attainment,
        burn_rate: burn_rates(attainment, objective),
        spent_28d: burn_rates(Interval { mean: attainment.mean, ..forecast }, objective),
        detail: detail(&policy.first, objective),
    }
}

/// The most attained burns least: bounds change places.
fn burn_rates(attainment: Interval, objective: f64) -> Interval {
    let burn = |share: f64| per_allowed(1.0 - share, objective);
    Interval { mean: burn(attainment.mean), low: burn(attainment.high), high: burn(attainment.low) }
}

/// Misses over what is allowed of them; none burn nothing even where none are allowed.
fn per_allowed(misses: f64, objective: f64) -> f64 {
    if misses == 0.0 { 0.0 } else { misses / (1.0 - objective) }
}

fn detail(record: &RunRecord, objective: f64) -> Option<BudgetDetail> {
    let timeline = record.timeline();
    let rows: Vec<&TimelineRow> = measured_rows(&timeline, record.measured).collect();
    let steps: Vec<Counts> = rows.iter().map(|row| judged(row)).collect();
    let step = rows.first()?.step;
    let all: Counts = steps.iter().copied().sum();
    let measured: SimDuration = rows.iter().map(|row| row.step).sum();
    // Requests of 28 days at the run's rate.
    let requests_28d = all.total as f64 * (BUDGET_WINDOW.as_secs_f64() / measured.as_secs_f64());
    let spent = |counts: Counts| per_allowed(misses(counts) as f64 / requests_28d.max(1.0), objective);
    let windows = WINDOWS.iter().enumerate().filter(|&(index, &(seconds, _))| {
        // The worst five minutes of a shorter run are the run.
        index == 0 || SimDuration::from_secs(seconds) <= measured
    });
    let windows = windows.map(|(_, &(seconds, alert_share))| {
        let length = SimDuration::from_secs(seconds).min(measured).max(step);
        let alert_burn_rate = alert_share.map(|share| share * BUDGET_WINDOW.as_secs_f64() / length.as_secs_f64());
        let places = rolling(&steps, (length.as_nanos() / step.as_nanos()) as usize);
        let rates: Vec<f64> = places.iter().map(|&counts| burn_rate(counts, objective)).collect();
        let is_alerting = |rate: &&f64| alert_burn_rate.is_some_and(|alert| **rate >= alert);
        BudgetWindow {
            length,
            worst: worst(&places, &rates).map(|place| BudgetStretch {
                start: rows[place].start,
                requests: places[place].total,
                slo_misses: misses(places[place]),
                burn_rate: rates[place],
                spent: spent(places[place]),
            }),
            alert_burn_rate,
            alerting: step * rates.iter().filter(is_alerting).count() as u64,
        }
    });
    Some(BudgetDetail {
        measured,
        in_violation: step * steps.iter().filter(|one| one.total > 0 && one.share() < objective).count() as u64,
        spent: spent(all),
        windows: windows.collect(),
    })
}

fn judged(row: &TimelineRow) -> Counts {
    let total = row.completions + row.failures;
    Counts { met: total.saturating_sub(row.slo_misses), total }
}

fn misses(counts: Counts) -> u64 {
    counts.total - counts.met
}

fn burn_rate(counts: Counts, objective: f64) -> f64 {
    if counts.total == 0 { 0.0 } else { per_allowed(misses(counts) as f64 / counts.total as f64, objective) }
}

/// Of equal rates the first.
fn worst(places: &[Counts], rates: &[f64]) -> Option<usize> {
    let judged = (0..places.len()).filter(|&place| places[place].total > 0);
    judged.reduce(|best, place| if rates[place] > rates[best] { place } else { best })
}

/// Sums over every `length` steps in a row, by the first of them.
fn rolling(steps: &[Counts], length: usize) -> Vec<Counts> {
    let mut sum: Counts = steps.iter().take(length).copied().sum();
    let mut places = vec![sum];
    for (gone, come) in steps.iter().zip(steps.iter().skip(length)) {
        sum = Counts { met: sum.met + come.met - gone.met, total: sum.total + come.total - gone.total };
        places.push(sum);
    }
    places
}

#[cfg(test)]
mod tests {
    use record::{PolicySummary, ReplicationSummary, ServiceRecord};
    use units::SimTime;

    use super::*;
    use crate::experiment::{Replication, pool};

    /// A day of one-minute steps with ten requests each, and misses in some of them; several replications alike but for their counts.
    fn day(slo: &[Counts], misses: impl Fn(u64) -> u64) -> PolicyResult {
        let step = SimDuration::from_secs(60);
        let row = |minute: u64| TimelineRow {
            start: SimTime::ZERO + step * minute,
            step,
            completions: 9,
            failures: 1,
            slo_misses: misses(minute),
            ..TimelineRow::default()
        };
        let service = ServiceRecord { timeline: (0..1440).map(row).collect(), ..ServiceRecord::default() };
        let first = RunRecord { measured: step * 1440, services: vec![service], ..RunRecord::default() };
        let replication = |&slo: &Counts| Replication { slo, ..Replication::default() };
        let replications: Vec<Replication> = slo.iter().map(replication).collect();
        let summary = PolicySummary { pooled: ReplicationSummary::default(), ..pool(&replications) };
        PolicyResult { summary, replications, first, services: Vec::new() }
    }

    const AT_THE_OBJECTIVE: [Counts; 3] = [
        Counts { met: 14_256, total: 14_400 },
        Counts { met: 14_226, total: 14_400 },
        Counts { met: 14_286, total: 14_400 },
    ];

    #[test]
    fn days_at_exactly_the_objective_spend_exactly_the_budget() {
        let budget = error_budget(&day(&AT_THE_OBJECTIVE, |minute| u64::from(minute % 10 == 0)), 0.99);
        assert!((budget.burn_rate.mean - 1.0).abs() < 1e-9);
        assert!((budget.spent_28d.mean - 1.0).abs() < 1e-9);
        let detail = budget.detail.unwrap();
        assert!((detail.spent - 1.0 / 28.0).abs() < 1e-9);
        assert_eq!(detail.in_violation, SimDuration::from_secs(144 * 60));
        // Five minutes, an hour, six, a day: longer windows do not fit.
        assert_eq!(detail.windows.len(), 4);
        let hour = &detail.windows[1];
        assert!((hour.worst.as_ref().unwrap().burn_rate - 1.0).abs() < 1e-9);
        assert!((hour.alert_burn_rate.unwrap() - 13.44).abs() < 1e-9);
        assert_eq!(hour.alerting, SimDuration::ZERO);
    }

    #[test]
    fn one_stretch_of_28_days_is_less_certain_than_the_mean_of_many_and_more_than_one_day() {
        let budget = error_budget(&day(&AT_THE_OBJECTIVE, |_| 0), 0.99);
        let width = |interval: Interval| interval.high - interval.low;
        let (mean, month) = (width(budget.burn_rate), width(budget.spent_28d));
        // The variance of 28 runs' mean comes on top of that of three: 1 + 3 / 28.
        assert!((month / mean - (1.0_f64 + 3.0 / 28.0).sqrt()).abs() < 0.01, "{month} {mean}");
    }

    #[test]
    fn the_worst_five_minutes_are_where_the_misses_are() {
        let bad = |minute: u64| if (600..605).contains(&minute) { 8 } else { 0 };
        let budget = error_budget(&day(&AT_THE_OBJECTIVE, bad), 0.99);
        let detail = budget.detail.unwrap();
        let worst = detail.worst_five_minutes().unwrap();
        assert_eq!((worst.start, worst.requests, worst.slo_misses), (SimTime::from_secs(36_000), 50, 40));
        assert!((worst.burn_rate - 80.0).abs() < 1e-9);
        // 40 misses of the 28 * 144 that 28 days may have.
        assert!((worst.spent - 40.0 / 4_032.0).abs() < 1e-9);
        // The hour's rate is 40 / 600 / 1 % = 6.7 while all five minutes are in it: below 13.44.
        assert_eq!(detail.windows[1].alerting, SimDuration::ZERO);
        let worse = error_budget(&day(&AT_THE_OBJECTIVE, |minute| 2 * bad(minute).min(5)), 0.99);
        assert_eq!(worse.detail.unwrap().windows[1].alerting, SimDuration::ZERO);
    }

    #[test]
    fn an_alert_lasts_as_long_as_its_window_holds_too_many_misses() {
        // Ten minutes without an answer: 100 of the 600 requests of any hour around them, a rate of 16.7 against 13.44. An hour that holds
        // nine of them still alerts (15), one with eight does not (13.3).
        let budget =
            error_budget(&day(&AT_THE_OBJECTIVE, |minute| if (600..610).contains(&minute) { 10 } else { 0 }), 0.99);
        assert_eq!(budget.detail.unwrap().windows[1].alerting, SimDuration::from_secs((60 - 9 + 2) * 60));
    }

    #[test]
    fn an_empty_or_perfect_run_burns_nothing() {
        let perfect = error_budget(&day(&[Counts { met: 9, total: 9 }], |_| 0), 1.0);
        assert_eq!((perfect.burn_rate.mean, perfect.detail.unwrap().spent), (0.0, 0.0));
        let mut unseen = day(&AT_THE_OBJECTIVE, |_| 0);
        unseen.first.services[0].timeline.clear();
        assert_eq!(error_budget(&unseen, 0.99).detail, None);
    }
}
