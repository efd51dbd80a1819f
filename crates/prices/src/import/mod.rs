//! Readers of other people's price and availability files.

mod advisor;
mod availability;
mod skypilot;
mod spot_history;

pub use advisor::{Advisor, AdvisorEntry, HOURS_PER_MONTH};
pub use availability::{Availability, availability_bamboo, availability_skypilot};
pub use skypilot::{Imported, SkyPilotSource, skypilot_catalog};
pub use spot_history::{LINUX, SpotPriceHistory, SpotPriceSeries};
