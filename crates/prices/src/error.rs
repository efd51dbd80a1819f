//! Why prices cannot be read or found.

use record::Purchase;

/// A mistake in a price file, or a price that is not there. Positions count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// A line is not CSV, or has too many or too few fields.
    #[error("line {line}: {reason}")]
    Line {
        /// Line.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A column that must be there is not.
    #[error("line 1: no column `{column}`{}", suggestion(.nearest.as_deref(), "is it the one called"))]
    MissingColumn {
        /// The column.
        column: &'static str,
        /// A column that may be it, misspelt.
        nearest: Option<String>,
    },
    /// A column that means nothing here.
    #[error("line 1, column {position}: unknown column `{column}`{} (known: {known})", suggestion(.nearest.as_deref(), "did you mean"))]
    UnknownColumn {
        /// Where.
        position: usize,
        /// The column.
        column: String,
        /// A known column it may be.
        nearest: Option<String>,
        /// All known columns.
        known: String,
    },
    /// A field holds something it cannot.
    #[error("line {line}, column {position} (`{column}`): found `{found}`, expected {expected}")]
    Value {
        /// Line.
        line: u64,
        /// Where.
        position: usize,
        /// Column name.
        column: &'static str,
        /// What it says.
        found: String,
        /// What it may say.
        expected: &'static str,
    },
    /// A row without any price would make an instance free.
    #[error("line {line}: `{instance_type}` has no price; at least one of {columns} is needed")]
    RowWithoutPrice {
        /// Line.
        line: u64,
        /// Instance type.
        instance_type: String,
        /// The price columns.
        columns: String,
    },
    /// A provider the catalog does not have.
    #[error("no prices of provider `{name}`{} (in the catalog: {known})", suggestion(.nearest.as_deref(), "did you mean"))]
    UnknownProvider {
        /// What was asked for.
        name: String,
        /// The most similar provider.
        nearest: Option<String>,
        /// All of them.
        known: String,
    },
    /// An instance type the catalog does not have.
    #[error("no price of instance type `{name}`{}", suggestion(.nearest.as_deref(), "did you mean"))]
    UnknownInstanceType {
        /// What was asked for.
        name: String,
        /// The most similar instance type.
        nearest: Option<String>,
    },
    /// Several providers have an instance type of that name.
    #[error("`{name}` is offered by several providers ({providers}); say which")]
    AmbiguousProvider {
        /// What was asked for.
        name: String,
        /// The providers.
        providers: String,
    },
    /// The instance type is known, but not there.
    #[error("no price of `{instance_type}` in region `{region}` (in the catalog: {known})")]
    UnknownRegion {
        /// Instance type.
        instance_type: String,
        /// What was asked for.
        region: String,
        /// Regions the catalog has.
        known: String,
    },
    /// The instance type is known there, but not bought this way.
    #[error("no {} price of `{instance_type}` in region `{region}`; import one or state it in the scenario", .purchase.name())]
    NoPrice {
        /// Instance type.
        instance_type: String,
        /// Region.
        region: String,
        /// How it was to be bought.
        purchase: Purchase,
    },
    /// JSON that is not what it should be.
    #[error("{what}: {reason}")]
    Json {
        /// Which file.
        what: &'static str,
        /// What is wrong with it, with line and column where the parser gives them.
        reason: String,
    },
    /// A history without a single usable entry.
    #[error("{what}: no usable entries{detail}")]
    Empty {
        /// Which file.
        what: &'static str,
        /// Why not, or nothing.
        detail: String,
    },
    /// A name that the advisor does not have.
    #[error("spot advisor: no {what} `{name}`{}", suggestion(.nearest.as_deref(), "did you mean"))]
    NotInAdvisor {
        /// Region, operating system or instance type.
        what: &'static str,
        /// What was asked for.
        name: String,
        /// The most similar.
        nearest: Option<String>,
    },
}

fn suggestion(nearest: Option<&str>, question: &str) -> String {
    nearest.map_or_else(String::new, |name| format!("; {question} `{name}`?"))
}
