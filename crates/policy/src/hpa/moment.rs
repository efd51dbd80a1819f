//! Signed instants: a pod, a sample or a log entry may be older than the run itself.

use units::{SimDuration, SimTime};

/// An instant in nanoseconds since the start of the run; negative before it. Reaches 292 years either way and saturates there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// The instant `nanos` nanoseconds after the start of the run, before it if negative.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the start of the run.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// This instant moved forward.
    pub fn plus(self, forward: SimDuration) -> Self {
        Self(self.0.saturating_add(signed(forward)))
    }

    /// This instant moved back.
    pub fn minus(self, back: SimDuration) -> Self {
        Self(self.0.saturating_sub(signed(back)))
    }

    /// Time since `earlier`; zero if `earlier` is not earlier.
    pub fn since(self, earlier: Self) -> SimDuration {
        SimDuration::from_nanos(u64::try_from(i128::from(self.0) - i128::from(earlier.0)).unwrap_or(0))
    }
}

impl From<SimTime> for Moment {
    fn from(at: SimTime) -> Self {
        Self(i64::try_from(at.as_nanos()).unwrap_or(i64::MAX))
    }
}

fn signed(length: SimDuration) -> i64 {
    i64::try_from(length.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_before_the_run_has_an_age() {
        let now = Moment::from(SimTime::from_secs(5));
        let old = now.minus(SimDuration::from_secs(1_000_000_000));
        assert_eq!(now.since(old), SimDuration::from_secs(1_000_000_000));
        assert_eq!(old.since(now), SimDuration::ZERO);
        assert_eq!(old.plus(SimDuration::from_secs(1_000_000_000)), now);
    }

    #[test]
    fn a_length_beyond_the_clock_saturates() {
        assert_eq!(Moment::from_nanos(-5).minus(SimDuration::MAX), Moment::from_nanos(i64::MIN));
        assert_eq!(Moment::from(SimTime::MAX), Moment::from_nanos(i64::MAX));
    }
}
