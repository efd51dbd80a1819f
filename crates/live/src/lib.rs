//! A running cluster, as its Prometheus shows it.
//!
//! [`Prometheus`] asks the HTTP API, with bounds on time, size and repetition; [`import`] makes recordings of a stretch of the past of it:
//! requests per second, replica counts, latencies, what new pods went through; [`advise`] shows what is so now to the controllers of the
//! simulator and tells what they want. Nothing is written to the cluster. This crate knows no scenario: what a recording becomes there is for
//! others to say.

pub mod advise;
mod answer;
mod chunks;
mod client;
mod error;
mod families;
mod grid;
mod import;
mod increase;
mod observed;
mod path;
mod pods;
mod select;
mod served;
mod twins;

pub use chunks::{CHUNKS, ChunkStore};
pub use client::{Connection, Prometheus};
pub use error::{LiveError, Whose};
pub use families::Counts;
pub use grid::Grid;
pub use import::{Imported, Window, Wish, import};
pub use increase::Requests;
pub use observed::Observed;
pub use path::ReplicaPath;
pub use pods::PodStart;
pub use served::{Served, Server, Sizes};
