//! The answer of a run: which policy to choose, what it meets and costs, why, how sure that is, and what to try next.
//!
//! Plain data: `lab` works it out, and everything that prints a run prints this one value.

use units::{SimDuration, SimTime};

use crate::Interval;

/// How a policy stands to an objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// The whole interval is at the objective or above it.
    Meets,
    /// The interval contains the objective, or there is no interval.
    Undecided,
    /// The whole interval is below the objective.
    Misses,
    /// There was no request to judge.
    NothingToJudge,
}

impl Standing {
    /// Of an attainment with its interval.
    pub fn of(attainment: Interval, objective: f64) -> Self {
        let Interval { mean, low, high } = attainment;
        match (low, high) {
            _ if mean.is_nan() => Self::NothingToJudge,
            // An estimate that misses is no policy that meets, whatever the bounds say.
            (low, _) if low >= objective && mean >= objective => Self::Meets,
            (_, high) if high < objective && mean < objective => Self::Misses,
            _ => Self::Undecided,
        }
    }

    /// Of several services together: all of them must meet their objectives, those without a request aside.
    pub fn of_all(services: impl Iterator<Item = Self>) -> Self {
        let judged = services.filter(|standing| *standing != Self::NothingToJudge);
        judged.max().unwrap_or(Self::NothingToJudge)
    }

    /// The word of the stamp.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meets => "meets",
            Self::Undecided => "undecided",
            Self::Misses => "misses",
            Self::NothingToJudge => "no requests",
        }
    }
}

/// The verdict on a run, for one policy or many, one service or several.
#[derive(Clone, Debug, PartialEq)]
pub struct RunVerdict {
    /// Every policy in the order of the scenario.
    pub policies: Vec<PolicyVerdict>,
    /// The cheapest of those that meet every objective for certain; where none does, of those whose estimates do. `None` if no estimate does.
    pub chosen: Option<usize>,
    /// The one that was nearest to being chosen instead, or the best there is where none is chosen.
    pub runner_up: Option<RunnerUp>,
    /// Why: what the first replication's decisions and replicas and the bill of all of them show, most telling first.
    pub facts: Vec<Fact>,
    /// How sure it is.
    pub certainty: Certainty,
    /// What to do next, most useful first.
    pub next: Vec<NextStep>,
}

/// One policy's part.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyVerdict {
    /// Its name.
    pub policy: String,
    /// Whether it meets the objective, of several services that of each.
    pub standing: Standing,
    /// Whether its estimates do, whatever the intervals.
    pub is_met_by_estimate: bool,
    /// Share of requests that met the SLO of their service.
    pub slo_attainment: Interval,
    /// Dollars for the run; of several services for the whole cluster.
    pub cost_usd: Interval,
    /// Each service; a lone one too.
    pub services: Vec<ServiceVerdict>,
    /// Metrics that never had a value: what it did, it did without them.
    pub silent_metrics: Vec<String>,
}

/// One service under one policy.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceVerdict {
    /// Its name; empty if it is the only one.
    pub service: String,
    /// Its objective, 0..=1.
    pub objective: f64,
    /// How it stands to it.
    pub standing: Standing,
    /// Its attainment.
    pub slo_attainment: Interval,
}

/// The alternative that was nearest.
#[derive(Clone, Debug, PartialEq)]
pub struct RunnerUp {
    /// Which policy.
    pub policy: usize,
    /// What it fails by.
    pub by: Shortfall,
}

/// What a policy fails by.
#[derive(Clone, Debug, PartialEq)]
pub enum Shortfall {
    /// An objective is missed by so much of a share (0..=1), of this service (empty if it is the only one).
    Objective {
        /// The service that is furthest from its objective.
        service: String,
        /// The objective less the attainment.
        share: f64,
        /// Whether the interval says so too.
        is_certain: bool,
    },
    /// The estimate meets the objective, the interval does not show it.
    NotCertain {
        /// The service whose interval reaches lowest below its objective.
        service: String,
        /// That lower bound; NaN where there is no interval.
        low: f64,
    },
    /// It meets everything and costs more than what was chosen.
    Cost {
        /// By so many dollars, with the interval of the paired difference.
        more: Interval,
        /// Whether the data tell the two apart.
        is_certain: bool,
    },
}

/// A fact about a policy.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// When it misses its objective most.
    Misses {
        /// Which policy.
        policy: usize,
        /// The service; empty if it is the only one.
        service: String,
        /// Beginning of the worst stretch.
        start: SimTime,
        /// Its length.
        length: SimDuration,
        /// Its share of all misses, 0..=1.
        share: f64,
        /// Most replicas wanted in it.
        wanted: u32,
        /// Fewest replicas ready in it.
        ready: u32,
        /// What held the controllers back most often in it, if anything did.
        held: Option<Held>,
        /// Mean cold start in seconds; NaN if there was none.
        cold_start_s: f64,
    },
    /// A metric that never had a value.
    Silent {
        /// Which policy.
        policy: usize,
        /// The metrics.
        metrics: Vec<String>,
        /// Passes in which a scale-down was held because of such a metric.
        held_passes: u64,
    },
    /// It wanted as many replicas as it may for much of the time.
    AtMaximum {
        /// Which policy.
        policy: usize,
        /// Share of the time, 0..=1.
        share: f64,
    },
    /// Where its replicas stand.
    Replicas {
        /// Which policy.
        policy: usize,
        /// Ready replicas in the mean.
        mean: f64,
        /// Cold starts it went through.
        cold_starts: u64,
        /// The other policy and its mean.
        other: Option<(usize, f64)>,
    },
    /// The part of the bill that tells it from the other, or the largest part that serves nobody.
    Bill {
        /// Which policy.
        policy: usize,
        /// The part.
        part: BillPart,
        /// Its dollars.
        usd: f64,
        /// Its share of the bill, 0..=1.
        share: f64,
        /// The other policy and its dollars for the same.
        other: Option<(usize, f64)>,
    },
}

/// What held a controller back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The controller.
    pub controller: String,
    /// The step that did: `rate limit`, `bounds`, `stabilization`.
    pub step: String,
    /// What the step said first.
    pub note: String,
    /// Passes in which it did.
    pub passes: u64,
    /// Passes there were.
    pub of: u64,
}

/// A part of the bill as the summary has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BillPart {
    /// Replicas with at least one request.
    Serving,
    /// Ready replicas without a request.
    Idle,
    /// Everything before a replica is ready.
    ColdStart,
    /// Warm standbys.
    Standby,
    /// Replicas that finish what they have.
    Draining,
    /// GPUs nobody holds.
    Unallocated,
}

impl BillPart {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 6] =
        [Self::Serving, Self::Idle, Self::ColdStart, Self::Standby, Self::Draining, Self::Unallocated];

    /// The name of its column, without `cost_` and `_usd`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Idle => "idle",
            Self::ColdStart => "cold_start",
            Self::Standby => "standby",
            Self::Draining => "draining",
            Self::Unallocated => "unallocated",
        }
    }
}

/// How sure a verdict is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certainty {
    /// Replications behind it.
    pub replications: u32,
    /// Policies whose stand to the objective is open and would change the answer.
    pub open_objectives: Vec<usize>,
    /// Policies that meet as well and whose cost cannot be told from the chosen one's.
    pub open_costs: Vec<usize>,
    /// Replications that would probably decide what is open; `None` where nothing is, or where they would be more than is reasonable.
    pub replications_needed: Option<u32>,
}

impl Certainty {
    /// Whether nothing is open.
    pub fn is_certain(&self) -> bool {
        self.open_objectives.is_empty() && self.open_costs.is_empty()
    }
}

/// Something to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextStep {
    /// What for.
    pub purpose: String,
    /// The command, ready to be copied.
    pub command: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_below_the_objective_never_meets_and_no_interval_decides_nothing() {
        let of = |mean, low, high| Standing::of(Interval { mean, low, high }, 0.99);
        assert_eq!(of(0.995, 0.991, 0.998), Standing::Meets);
        assert_eq!(of(0.95, 0.94, 0.96), Standing::Misses);
        assert_eq!(of(0.995, 0.98, 0.999), Standing::Undecided);
        assert_eq!(of(0.999, f64::NAN, f64::NAN), Standing::Undecided);
        // Batch means of one run may lie wholly beside the run's own share.
        assert_eq!(of(0.98, 0.991, 0.999), Standing::Undecided);
        assert_eq!(of(f64::NAN, f64::NAN, f64::NAN), Standing::NothingToJudge);
    }

    #[test]
    fn several_services_meet_only_together() {
        use Standing::{Meets, Misses, NothingToJudge, Undecided};
        assert_eq!(Standing::of_all([Meets, NothingToJudge].into_iter()), Meets);
        assert_eq!(Standing::of_all([Meets, Undecided].into_iter()), Undecided);
        assert_eq!(Standing::of_all([Undecided, Misses, Meets].into_iter()), Misses);
        assert_eq!(Standing::of_all([NothingToJudge].into_iter()), NothingToJudge);
    }
}
