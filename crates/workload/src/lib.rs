//! Demand and dice: random streams, distributions, arrival processes, traces in memory.
//!
//! It does not know the engine, the cluster, any policy or file format. Every draw comes from a named stream (seed, purpose, entity),
//! so that two policies face the very same requests and one component's draws never shift another's.

mod arrivals;
mod distribution;
mod history;
mod rate;
mod stream;
mod trace;

pub use arrivals::{ArrivalCursor, Traffic};
pub use distribution::Distribution;
pub use history::RateLog;
pub use rate::RateCurve;
pub use stream::{Purpose, Stream};
pub use trace::{Trace, TraceChunk, TraceReader, TraceSource};
