//! The pods of one service as the fleet sees them: all alike.

use super::{ColdStartSpec, PodSpec};

/// One class of pods: those of one service.
#[derive(Clone, Debug)]
pub struct PodClass {
    /// Name of the service.
    pub name: String,
    /// One of its pods.
    pub pod: PodSpec,
    /// What it goes through once it has a node.
    pub cold_start: ColdStartSpec,
    /// PodDisruptionBudgets that select its pods.
    pub budgets: Vec<PodDisruptionBudget>,
    /// Seed of what is drawn for its pods.
    pub seed: u64,
}

/// A PodDisruptionBudget on the service's pods.
#[derive(Clone, Debug, PartialEq)]
pub enum PodDisruptionBudget {
    /// `minAvailable`, absolute.
    AvailableMin(u32),
    /// `minAvailable`, percent (rounded up).
    AvailableMinPercent(f64),
    /// `maxUnavailable`, absolute.
    UnavailableMax(u32),
    /// `maxUnavailable`, percent (rounded up).
    UnavailableMaxPercent(f64),
}
