//! Quantities every other crate speaks in: simulated time, money, bytes, cores, ids.
//!
//! All of them are integers, so that adding them up in any order gives the same total. This crate knows nothing else.

mod amount;
mod id;
mod money;
mod time;

pub use amount::{Bytes, Millicores};
pub use id::{NodeId, PodId};
pub use money::{Cost, Usd, UsdPerHour};
pub use time::{SimDuration, SimTime};
