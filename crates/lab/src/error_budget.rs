//! The error budget: how fast a run spends the misses its SLO allows, and when.
//!
//! A budget is for 28 days. A run stands for 28 days like itself, so its miss share is what the budget is held against.

use record::TimelineRow;
use units::{SimDuration, SimTime};

use crate::statistics::Counts;

/// Days of a budget.
const BUDGET_DAYS: f64 = 28.0;
/// Length of the worst stretch.
pub const WORST_WINDOW: SimDuration = SimDuration::from_secs(300);

/// One window of the timeline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetWindow {
    /// Its beginning.
    pub start: SimTime,
    /// Requests that met the SLO, of those answered or failed in it.
    pub slo: Counts,
    /// Miss share over allowed miss share: at 1 the budget lasts exactly 28 days, at 14 two.
    pub burn_rate: f64,
}

/// The error budget of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorBudget {
    /// The whole run.
    pub slo: Counts,
    /// Burn rate of the whole run: also the share of a 28-day budget that 28 days like it spend.
    pub burn_rate: f64,
    /// Share of a 28-day budget that this run alone spent.
    pub spent: f64,
    /// Time in steps whose own attainment was below the objective.
    pub in_violation: SimDuration,
    /// The five minutes with the highest burn rate; `None` if nothing was answered.
    pub worst: Option<BudgetWindow>,
    /// Windows of the asked length, one per step that a whole window ends with.
    pub windows: Vec<BudgetWindow>,
}

/// The error budget of `timeline` (equal steps, warm-up left out by the caller) for `objective` in 0..1, with rolling windows of length `window`.
/// An objective of 1 allows no misses: then any miss burns infinitely fast.
pub fn error_budget(timeline: &[TimelineRow], objective: f64, window: SimDuration) -> ErrorBudget {
    let counts: Vec<Counts> = timeline
        .iter()
        .map(|row| {
            let total = row.completions + row.failures;
            Counts { met: total.saturating_sub(row.slo_misses), total }
        })
        .collect();
    let all: Counts = counts.iter().copied().sum();
    let length: SimDuration = timeline.iter().map(|row| row.step).sum();
    let whole = burn_rate(all, objective);
    let in_violation = timeline
        .iter()
        .zip(&counts)
        .filter(|(_, count)| count.total > 0 && count.share() < objective)
        .map(|(row, _)| row.step)
        .sum();
    ErrorBudget {
        slo: all,
        burn_rate: whole,
        spent: whole * length.as_secs_f64() / (BUDGET_DAYS * 86_400.0),
        in_violation,
        worst: rolling(timeline, &counts, objective, WORST_WINDOW)
            .into_iter()
            .filter(|window| window.slo.total > 0)
            // Of equal rates the first; `max_by` would take the last.
            .rev()
            .max_by(|a, b| a.burn_rate.total_cmp(&b.burn_rate)),
        windows: rolling(timeline, &counts, objective, window),
    }
}

/// No requests burn nothing.
fn burn_rate(slo: Counts, objective: f64) -> f64 {
    match slo.total - slo.met {
        0 => 0.0,
        misses => misses as f64 / slo.total as f64 / (1.0 - objective),
    }
}

fn rolling(timeline: &[TimelineRow], counts: &[Counts], objective: f64, window: SimDuration) -> Vec<BudgetWindow> {
    let Some(first) = timeline.first() else { return Vec::new() };
    // A window shorter than a step is a step; one longer than the run is the run.
    let steps = (window.as_nanos() / first.step.as_nanos().max(1)).clamp(1, counts.len() as u64) as usize;
    let mut sum = Counts::default();
    let mut windows = Vec::new();
    for index in 0..counts.len() {
        sum = Counts { met: sum.met + counts[index].met, total: sum.total + counts[index].total };
        if let Some(gone) = index.checked_sub(steps) {
            sum = Counts { met: sum.met - counts[gone].met, total: sum.total - counts[gone].total };
        }
        if index + 1 >= steps {
            let start = timeline[index + 1 - steps].start;
            windows.push(BudgetWindow { start, slo: sum, burn_rate: burn_rate(sum, objective) });
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A day of one-minute steps with ten requests each, and misses in some of them.
    fn day(misses: impl Fn(u64) -> u64) -> Vec<TimelineRow> {
        let step = SimDuration::from_secs(60);
        (0..1440)
            .map(|minute| TimelineRow {
                start: SimTime::ZERO + step * minute,
                step,
                completions: 9,
                failures: 1,
                slo_misses: misses(minute),
                ..TimelineRow::default()
            })
            .collect()
    }

    #[test]
    fn a_day_at_exactly_the_objective_spends_a_28th_of_the_budget() {
        let budget = error_budget(&day(|minute| u64::from(minute % 10 == 0)), 0.99, SimDuration::from_secs(3600));
        assert!((budget.burn_rate - 1.0).abs() < 1e-9);
        assert!((budget.spent - 1.0 / 28.0).abs() < 1e-9);
        assert_eq!(budget.in_violation, SimDuration::from_secs(144 * 60));
        assert_eq!(budget.windows.len(), 1440 - 59);
        assert!(budget.windows.iter().all(|window| (window.burn_rate - 1.0).abs() < 1e-9));
    }

    #[test]
    fn the_worst_five_minutes_are_where_the_misses_are() {
        let budget = error_budget(&day(|minute| if (600..605).contains(&minute) { 8 } else { 0 }), 0.99, WORST_WINDOW);
        let worst = budget.worst.unwrap();
        assert_eq!(worst.start, SimTime::from_secs(36_000));
        assert_eq!(worst.slo, Counts { met: 10, total: 50 });
        assert!((worst.burn_rate - 80.0).abs() < 1e-9);
    }

    #[test]
    fn an_empty_or_idle_run_burns_nothing() {
        let budget = error_budget(&[], 0.99, WORST_WINDOW);
        assert_eq!((budget.burn_rate, budget.worst, budget.windows.len()), (0.0, None, 0));
        let perfect = error_budget(&day(|_| 0), 1.0, WORST_WINDOW);
        assert_eq!((perfect.burn_rate, perfect.spent), (0.0, 0.0));
    }
}
