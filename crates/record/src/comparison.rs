//! Pairs of policies, compared on the same requests.

use crate::Interval;

/// What the data say of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The first is better and the interval of the difference excludes zero.
    Better,
    /// The first is worse and the interval excludes zero.
    Worse,
    /// The data do not support a ranking.
    Undecided,
    /// There is nothing to rank: both have the very same figure in every replication.
    Same,
}

impl Verdict {
    /// The word in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Undecided => "undecided",
            Self::Same => "same",
        }
    }
}

/// `policy` against `baseline`: paired differences (policy − baseline) over replications with common random numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// First of the pair.
    pub policy: String,
    /// Second of the pair.
    pub baseline: String,
    /// The service that is compared; empty for the whole cluster.
    pub service: String,
    /// Replications behind it.
    pub replications: u32,
    /// Replications from which the difference of attainment has an interval that is known to hold; with fewer its bounds are NaN.
    pub replications_needed: u32,
    /// Difference of cost in dollars.
    pub cost_usd: Interval,
    /// Is the first cheaper?
    pub cost_verdict: Verdict,
    /// Difference of SLO attainment.
    pub slo_attainment: Interval,
    /// Does the first hold the SLO better?
    pub slo_verdict: Verdict,
}
