//! Lengths of time that are drawn.

use units::SimDuration;
use workload::{Distribution, Stream};

use crate::spec::PhaseSpec;

/// A length from a distribution of seconds.
pub(super) fn draw(distribution: &Distribution, stream: &mut Stream) -> SimDuration {
    SimDuration::from_secs_f64(distribution.sample(stream))
}

/// The part of a phase that is a plain time.
pub(super) fn time_part(phase: &PhaseSpec) -> &Distribution {
    match phase {
        PhaseSpec::Time(time) => time,
        PhaseSpec::Transfer { fixed, .. } => fixed,
    }
}
