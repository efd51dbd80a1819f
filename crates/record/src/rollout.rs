//! New versions of the workload and how they came to be.

use units::SimTime;

/// A new version, from the change of the template to its last replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RolloutLife {
    /// When the template changed.
    pub began: SimTime,
    /// When all wanted replicas were new and available; `None` if the run or another version ended it.
    pub ended: Option<SimTime>,
    /// How far it was, each time that changed.
    pub stages: Vec<RolloutStage>,
}

/// How far a rollout is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RolloutStage {
    /// From when on.
    pub since: SimTime,
    /// Replicas wanted.
    pub wanted: u32,
    /// New ones that are not being deleted.
    pub new: u32,
    /// Of these, available ones.
    pub available: u32,
    /// Old ones that are not being deleted.
    pub old: u32,
    /// What must happen before it goes on; empty if nothing stands in its way.
    pub waits_for: Vec<String>,
}
