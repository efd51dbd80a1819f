//! What a GPU instance is, costs, and when a spot one can be had: a table of machines with the labels their nodes carry, a dated catalog
//! with a source per row, billing rules per provider, and readers for price and availability histories.
//!
//! Everything comes in as text and goes out as plain values. The crate knows no paths, no clusters and no scenarios. A price that is
//! missing is an error and a price that is old is a warning; neither is ever zero.

mod billing;
mod catalog;
mod error;
mod estimate;
mod import;
mod lookup;
mod machine;
mod regions;
mod shape;
mod table;

pub use billing::BillingRules;
pub use catalog::{COLUMNS, Catalog, Row};
pub use error::PriceError;
pub use estimate::{EstimateFrom, SpotEstimate};
pub use import::{
    Advisor, AdvisorEntry, Availability, HOURS_PER_MONTH, Imported, LINUX, SkyPilotSource, SpotPriceHistory,
    SpotPriceSeries, availability_bamboo, availability_skypilot, skypilot_catalog,
};
pub use lookup::{Basis, Price, Query, STALE_AFTER_MONTHS, Staleness, default_region};
pub use machine::{
    Gpu, ImpliedTaint, Label, Machine, Platform, gpus, implied_taints, is_gpu_feature, known_values, machine, machines,
    provider_of_key, well_known_key,
};
pub use shape::Shape;
pub use table::{ListFilter, list_table, show_table};
