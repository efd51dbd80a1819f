//! What happened to each metric a controller reads: how often it had an answer, how often not, and how old the answers were.

use units::{SimDuration, SimTime};

/// What one read of a metric came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricOutcome {
    /// It had a value.
    Read,
    /// The query found nothing, and the controller took that for 0.
    EmptyAsZero,
    /// The query found nothing, and that is a failure.
    Empty,
    /// The answer was NaN or an infinity, taken for 0 or for a failure as the controller's rules say.
    NotANumber,
    /// It could not be read for another reason.
    Failed,
    /// The controller did not ask: another rule decided first.
    Skipped,
}

impl MetricOutcome {
    /// As tables print it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::EmptyAsZero => "empty_as_zero",
            Self::Empty => "empty",
            Self::NotANumber => "not_a_number",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One metric of one controller over the measured part of a run. `reads = read + empty_as_zero + empty + not_a_number + failed`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricUse {
    /// The controller: `hpa`, `keda-operator`, `keda-hpa`, …
    pub controller: String,
    /// The metric, as the decisions name it.
    pub metric: String,
    /// Passes in which the controller asked for it.
    pub reads: u64,
    /// Those that gave a value.
    pub read: u64,
    /// Those whose query found nothing and was taken for 0.
    pub empty_as_zero: u64,
    /// Those whose query found nothing and that failed for it.
    pub empty: u64,
    /// Those whose answer was NaN or an infinity.
    pub not_a_number: u64,
    /// Those that failed for another reason.
    pub failed: u64,
    /// Σ age of the oldest sample behind each value, over the values whose age is known.
    pub age_ns_sum: u128,
    /// How many those are.
    pub aged: u64,
    /// The oldest of them.
    pub age_max: SimDuration,
    /// When it first had no answer, and the words of the API then.
    pub first_failure: Option<(SimTime, String)>,
}

impl MetricUse {
    /// Counts one read.
    pub fn count(&mut self, at: SimTime, outcome: MetricOutcome, age: Option<SimDuration>, note: &str) {
        match outcome {
            MetricOutcome::Skipped => return,
            MetricOutcome::Read => self.read += 1,
            MetricOutcome::EmptyAsZero => self.empty_as_zero += 1,
            MetricOutcome::Empty => self.empty += 1,
            MetricOutcome::NotANumber => self.not_a_number += 1,
            MetricOutcome::Failed => self.failed += 1,
        }
        self.reads += 1;
        if outcome != MetricOutcome::Read && self.first_failure.is_none() {
            self.first_failure = Some((at, note.to_owned()));
        }
        if let Some(age) = age {
            self.age_ns_sum += u128::from(age.as_nanos());
            self.aged += 1;
            self.age_max = self.age_max.max(age);
        }
    }

    /// Reads without a value.
    pub fn unanswered(&self) -> u64 {
        self.empty_as_zero + self.empty + self.not_a_number + self.failed
    }

    /// True if it was asked for and never had a value: what the policy did, it did without this metric.
    pub fn is_silent(&self) -> bool {
        self.reads > 0 && self.read == 0
    }

    /// Mean age of its values in seconds; `None` where no age is known.
    pub fn age_s_mean(&self) -> Option<f64> {
        (self.aged > 0).then(|| self.age_ns_sum as f64 / self.aged as f64 / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_that_only_ever_read_as_zero_for_want_of_series_is_silent() {
        let mut use_of = MetricUse::default();
        use_of.count(SimTime::from_secs(15), MetricOutcome::EmptyAsZero, None, "no series");
        use_of.count(SimTime::from_secs(30), MetricOutcome::Skipped, None, "");
        assert!(use_of.is_silent());
        assert_eq!((use_of.reads, use_of.unanswered()), (1, 1));
        assert_eq!(use_of.first_failure, Some((SimTime::from_secs(15), "no series".to_owned())));
        use_of.count(SimTime::from_secs(45), MetricOutcome::Read, Some(SimDuration::from_secs(7)), "");
        assert!(!use_of.is_silent());
        assert_eq!(use_of.age_s_mean(), Some(7.0));
    }
}
