//! The error budget: how fast a policy spends the misses that its SLO allows.

use units::{SimDuration, SimTime};

use crate::Interval;

/// The stretch a budget is for: four weeks, so that every weekday is in it equally often.
pub const BUDGET_WINDOW: SimDuration = SimDuration::from_secs(28 * 86_400);

/// One policy's error budget against the objective of the scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorBudget {
    /// SLO attainment over all replications with its 95 % interval.
    pub slo_attainment: Interval,
    /// Share of misses over the share allowed, over all replications: at 1 a budget lasts exactly as long as it must. Infinite where no
    /// miss is allowed and there is one.
    pub burn_rate: Interval,
    /// Share of the budget that 28 days made of runs like these spend; the bounds are for one such stretch, not for the mean of many.
    pub spent_28d: Interval,
    /// What the first replication shows in detail; `None` if it kept no timeline.
    pub detail: Option<BudgetDetail>,
}

/// The error budget along one replication.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetDetail {
    /// Length of what is measured.
    pub measured: SimDuration,
    /// Time in steps whose own attainment was below the objective.
    pub in_violation: SimDuration,
    /// Share of the budget of 28 days that this replication alone spent.
    pub spent: f64,
    /// Windows from five minutes up, as long as the replication holds them.
    pub windows: Vec<BudgetWindow>,
}

impl BudgetDetail {
    /// The worst five minutes (or the worst step, where steps are longer).
    pub fn worst_five_minutes(&self) -> Option<&BudgetStretch> {
        self.windows.first().and_then(|window| window.worst.as_ref())
    }
}

/// A window that rolls over a replication, step by step.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetWindow {
    /// Its length.
    pub length: SimDuration,
    /// Where the burn rate was highest; `None` if nothing was judged.
    pub worst: Option<BudgetStretch>,
    /// The burn rate at which a usual alert on a window of this length goes off; `None` if there is none.
    pub alert_burn_rate: Option<f64>,
    /// Time during which the burn rate of the window that ends there was at that rate or above.
    pub alerting: SimDuration,
}

/// One place of a window.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetStretch {
    /// Its beginning.
    pub start: SimTime,
    /// Requests that the SLO was judged on.
    pub requests: u64,
    /// Those that missed it.
    pub slo_misses: u64,
    /// Share of misses over the share allowed.
    pub burn_rate: f64,
    /// Share of the budget of 28 days that this stretch spends if the rest of them has requests as this run has.
    pub spent: f64,
}
