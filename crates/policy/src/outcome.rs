//! What became of each metric a controller asked for, apart from what the controller made of it.
//!
//! It does not know which source answered: the metrics pipeline and KEDA's scalers say it in these words.

use units::SimDuration;

/// What became of one metric in one pass. A fallback that stands in for a failed read does not change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricOutcome {
    /// A value was read.
    Read,
    /// The source answered without any series, sample or point.
    Empty {
        /// It was taken for 0 (`ignoreNullValues`); else it was an error.
        as_zero: bool,
    },
    /// The source answered with NaN or an infinity.
    NotANumber {
        /// It was taken for 0 (`ignoreNullValues`); else it was an error.
        as_zero: bool,
    },
    /// It could not be read for another reason: no such API, a wrong query, several series where one is wanted.
    Failed,
    /// Nobody asked for it in this pass: the count was outside the bounds, or zero.
    Skipped,
}

impl MetricOutcome {
    /// One word or two for tables: `read`, `empty as 0`, `empty`, `NaN as 0`, `NaN`, `failed`, `skipped`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Empty { as_zero: true } => "empty as 0",
            Self::Empty { as_zero: false } => "empty",
            Self::NotANumber { as_zero: true } => "NaN as 0",
            Self::NotANumber { as_zero: false } => "NaN",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// True if the controller had a number to go by.
    pub const fn has_value(self) -> bool {
        matches!(self, Self::Read | Self::Empty { as_zero: true } | Self::NotANumber { as_zero: true })
    }
}

/// What is known of an answer beside its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// What became of it, where the answer itself does not say; `None` leaves it to the reader: read, or failed.
    pub outcome: Option<MetricOutcome>,
    /// Age of the oldest sample behind it, where known.
    pub age: Option<SimDuration>,
}
