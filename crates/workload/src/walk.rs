//! Arrivals whose rate follows a curve.
//!
//! Gaps with mean 1 are measured along the area under the curve ("operational time"). Within a step that is a straight line; at its edge
//! what is left of a gap is carried over and stretched by the next rate. With exponential gaps this is exactly the Poisson process of the
//! curve.

use std::sync::Arc;

use units::SimTime;

use crate::exponential::{BLOCK, ExponentialBlocks};
use crate::{Distribution, Purpose, RateCurve, Sampler, Stream, nanos};

/// Steps are cut to this length (about ten hours), so that a time within one is exact to far below a nanosecond.
const PIECE_NS_MAX: u64 = 1 << 45;
const NANOS_PER_SECOND: f64 = 1e9;

/// Reads the arrivals of one curve, a block at a time.
pub struct CurveWalk {
    gaps: UnitGaps,
    pieces: Pieces,
    piece: Option<Piece>,
    /// The last arrival, or the start of the piece, in nanoseconds from the start of the piece.
    offset_ns: f64,
    block: Box<[f64; BLOCK]>,
}

/// A stretch of constant rate.
#[derive(Clone, Copy)]
struct Piece {
    /// Nanoseconds from the start of the run.
    start: u64,
    /// Nanoseconds.
    length: f64,
    /// Mean gap in nanoseconds; finite.
    gap: f64,
}

/// Stretches of constant, positive rate, in order.
struct Pieces {
    curve: Arc<RateCurve>,
    next_ns: u64,
    end_ns: u64,
}

/// Gaps with mean 1.
enum UnitGaps {
    Exponential(ExponentialBlocks),
    Drawn { sampler: Sampler, mean_inverse: f64, stream: Stream },
}

impl CurveWalk {
    /// Starts with one gap from time zero. `gaps` has any positive mean; it is scaled to 1.
    pub fn new(curve: &Arc<RateCurve>, gaps: &Distribution, seed: u64, end: SimTime) -> Self {
        let end_ns = end.as_nanos().min(curve.length().as_nanos());
        let mut pieces = Pieces { curve: Arc::clone(curve), next_ns: 0, end_ns };
        let piece = pieces.next();
        Self { gaps: UnitGaps::new(gaps, seed), pieces, piece, offset_ns: 0.0, block: Box::new([0.0; BLOCK]) }
    }

    /// Appends the next block of arrivals; false, and nothing appended, at the end.
    pub fn fill(&mut self, arrival_ns: &mut Vec<u64>) -> bool {
        if self.piece.is_none() {
            return false;
        }
        self.gaps.fill(&mut self.block);
        let before = arrival_ns.len();
        arrival_ns.reserve(BLOCK);
        let mut next = 0;
        while let Some(piece) = self.piece
            && next < BLOCK
        {
            next += self.walk(piece, next, arrival_ns);
        }
        arrival_ns.len() > before
    }

    /// Turns gaps from index `first` on into arrivals until the piece or the block ends; how many.
    fn walk(&mut self, piece: Piece, first: usize, arrival_ns: &mut Vec<u64>) -> usize {
        let slots = &mut self.block[first..];
        let mut offset_ns = self.offset_ns;
        let mut walked = 0;
        for slot in slots.iter_mut() {
            let next_ns = offset_ns + *slot * piece.gap;
            if next_ns >= piece.length {
                // The part of the gap beyond the edge, again in operational time: the next piece stretches it by its own rate.
                *slot = (next_ns - piece.length) / piece.gap;
                break;
            }
            *slot = next_ns;
            offset_ns = next_ns;
            walked += 1;
        }
        if walked < slots.len() {
            self.piece = self.pieces.next();
            offset_ns = 0.0;
        }
        self.offset_ns = offset_ns;
        // Rounding must not carry an arrival over the edge.
        let last_ns = piece.length - 1.0;
        let offsets_ns = self.block[first..first + walked].iter();
        arrival_ns.extend(offsets_ns.map(|offset_ns| piece.start + nanos::round_below(*offset_ns, last_ns)));
        walked
    }
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let step_ns = self.curve.step.as_nanos();
        while self.next_ns < self.end_ns {
            let start = self.next_ns;
            let step = start / step_ns;
            self.next_ns = self.end_ns.min((step + 1).saturating_mul(step_ns)).min(start.saturating_add(PIECE_NS_MAX));
            // No arrival falls into a step without rate; the gap under way simply waits.
            let gap = NANOS_PER_SECOND / self.curve.rates[step as usize];
            if gap.is_finite() {
                return Some(Piece { start, length: (self.next_ns - start) as f64, gap });
            }
        }
        None
    }
}

impl UnitGaps {
    fn new(gaps: &Distribution, seed: u64) -> Self {
        let stream = Stream::new(seed, Purpose::Arrivals, 0);
        let mean = gaps.mean();
        assert!(mean > 0.0 && mean.is_finite(), "gaps between arrivals with a mean of {mean}");
        if matches!(gaps, Distribution::Exponential { .. }) {
            return Self::Exponential(ExponentialBlocks::new(stream));
        }
        Self::Drawn { sampler: gaps.sampler(), mean_inverse: 1.0 / mean, stream }
    }

    fn fill(&mut self, block: &mut [f64; BLOCK]) {
        match self {
            Self::Exponential(source) => source.fill(block),
            Self::Drawn { sampler, mean_inverse, stream } => {
                block.fill_with(|| sampler.sample(stream) * *mean_inverse);
            }
        }
    }
}
