//! What a GPU instance costs and when a spot one can be had: a dated catalog with a source per row, billing rules per provider, and
//! readers for price and availability histories.
//!
//! Everything comes in as text and goes out as plain values. The crate knows no paths, no clusters and no scenarios. A price that is
//! missing is an error and a price that is old is a warning; neither is ever zero.

mod billing;
mod catalog;
mod error;
mod import;
mod lookup;
mod shape;
mod table;

pub use billing::BillingRules;
pub use catalog::{COLUMNS, Catalog, Row};
pub use error::PriceError;
pub use import::{
    Advisor, AdvisorEntry, Availability, HOURS_PER_MONTH, Imported, LINUX, SkyPilotSource, SpotPriceHistory,
    SpotPriceSeries, availability_bamboo, availability_skypilot, skypilot_catalog,
};
pub use lookup::{Basis, Price, Query, STALE_AFTER_MONTHS, Staleness};
pub use shape::Shape;
pub use table::{ListFilter, list_table, show_table};
