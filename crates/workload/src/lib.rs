//! Demand and dice: random streams, distributions, arrival processes, traces in memory.
//!
//! It does not know the engine, the cluster, any policy or file format. Every draw comes from a named stream (seed, purpose, entity),
//! so that two policies face the very same requests and one component's draws never shift another's.

mod arrivals;
mod demand;
mod distribution;
mod exponential;
mod gamma;
mod history;
mod load;
mod load_driver;
mod load_test;
mod merge;
mod nanos;
mod normal;
mod quantile_table;
mod rate;
mod replay;
mod sampler;
mod sessions;
mod stream;
mod synthetic;
mod tag;
mod thin;
mod tokens;
mod trace;
mod walk;

pub use arrivals::{ArrivalCursor, Traffic, TrafficError};
pub use demand::ServiceTimes;
pub use distribution::{Distribution, DistributionError};
pub use exponential::{BLOCK, ExponentialBlocks};
pub use history::RateLog;
pub use load::{DailyWave, FlashCrowd, LoadShape, OfficeDay, RateNoise};
pub use load_driver::{LoadDriver, Sent};
pub use load_test::{ArrivalRule, LoadTest, LoadTestError, Stage, StageLength, StageLoad};
pub use rate::{RateCurve, RateError};
pub use sampler::Sampler;
pub use sessions::{Conversation, Next, SessionLaw, Turn};
pub use stream::{Purpose, Stream};
pub use synthetic::{LlmTrace, synthesize_llm};
pub use tag::Tag;
pub use trace::{Trace, TraceChunk, TraceError, TraceReader, TraceSource};
