//! Arrival processes, read block by block.

use std::sync::Arc;

use units::SimTime;

use crate::{Distribution, RateCurve, TraceChunk, TraceSource};

/// Where requests come from.
#[derive(Clone, Debug)]
pub enum Traffic {
    /// A Poisson process whose rate follows a curve, exactly (unused parts of gaps are rescaled at each step's edge).
    Poisson {
        /// The rate.
        rate: Arc<RateCurve>,
    },
    /// Gaps of a renewal process with mean 1 and the given distribution shape, run through the curve's operational time.
    Renewal {
        /// The rate.
        rate: Arc<RateCurve>,
        /// Distribution of gaps; its mean is scaled to 1.
        gaps: Distribution,
    },
    /// Recorded requests, each `copies` times.
    Replay {
        /// The trace.
        source: Arc<dyn TraceSource>,
        /// How often each request is repeated; a fraction spreads evenly, so that exactly `floor(len * copies)` requests arrive. Copies
        /// of a request are spread at random over the gap to the next recorded one.
        copies: f64,
    },
}

/// Reads the requests of a [`Traffic`] in order of arrival.
pub struct ArrivalCursor {
    _private: (),
}

impl ArrivalCursor {
    /// Starts at the beginning; nothing arrives at or after `end`.
    pub fn new(_traffic: &Traffic, _seed: u64, _end: SimTime) -> Self {
        Self { _private: () }
    }

    /// Appends the next block (about a thousand requests) to `chunk`; false, and nothing appended, at the end.
    pub fn fill(&mut self, _chunk: &mut TraceChunk) -> bool {
        false
    }
}
