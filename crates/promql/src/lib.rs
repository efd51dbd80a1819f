//! PromQL over a bounded ring of scraped samples, and the simulated scrape.
//!
//! Times are integer milliseconds since the start of the simulated world, values are `f64`. The crate answers what a
//! stock Prometheus 3 server, and prometheus-adapter in front of it, would answer from the samples it was given. It
//! does not know who produces the samples, what scales on the answers, or where configuration files live.

pub mod adapter;
pub mod gke;
pub mod labels;
pub mod matcher;
pub mod query;
pub mod relabel;
pub mod rules;
pub mod scrape;
pub mod storage;

pub use labels::Labels;
pub use matcher::{Matcher, MatcherError};
pub use query::{
    AnswerType, Element, EvalError, Evaluation, Kept, Options, Outline, Query, QueryError, SampleAges, SelectorUse,
    Value,
};
pub use scrape::ScrapeTarget;
pub use storage::{SeriesId, Storage, TargetId};
