//! Why a measurement cannot be read or fitted.

/// A mistake in a measurement file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalibrateError {
    /// Not JSON, or not of the expected shape.
    #[error("{what}: {reason}")]
    Json {
        /// Which file.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A field holds something it cannot.
    #[error("{what}: `{field}` is {found}; expected {expected}")]
    Field {
        /// Which file.
        what: &'static str,
        /// Field.
        field: String,
        /// What it says.
        found: String,
        /// What it may say.
        expected: &'static str,
    },
    /// A CSV column that must be there is not.
    #[error("{what}: no column `{column}` (columns: {found})")]
    MissingColumn {
        /// Which file.
        what: &'static str,
        /// The column.
        column: &'static str,
        /// The columns there are.
        found: String,
    },
    /// Nothing to fit.
    #[error("{what}: nothing to fit: {reason}")]
    Nothing {
        /// Which file.
        what: &'static str,
        /// Why nothing was usable.
        reason: String,
    },
}
