//! The yardstick: a fixed number of replicas.

use units::{SimDuration, SimTime};

use crate::{Action, MetricQuery, Observation, Recommendation, ScalingPolicy, Schedule, Trail};

/// Wants the same count at every pass.
#[derive(Clone, Copy, Debug)]
pub struct Fixed {
    /// The count.
    pub replicas: u32,
}

impl ScalingPolicy for Fixed {
    fn name(&self) -> &'static str {
        "static"
    }

    fn schedule(&self) -> Schedule {
        // Replaces what was lost within a minute even if somebody else wrote the count.
        Schedule { period: SimDuration::from_secs(60), first: SimTime::ZERO }
    }

    fn queries(&self) -> &[MetricQuery] {
        &[]
    }

    fn decide(&mut self, seen: &Observation<'_>) -> Recommendation {
        let action = if seen.counts.spec == self.replicas { Action::Hold } else { Action::Scale(self.replicas) };
        Recommendation { action, trail: Trail { raw: Some(self.replicas), reason: "Fixed", ..Trail::default() } }
    }
}
