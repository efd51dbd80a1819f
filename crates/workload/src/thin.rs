//! A source whose requests are let through, left out or repeated by a factor that changes over time.

use std::sync::Arc;

use units::SimTime;

use crate::exponential::BLOCK;
use crate::{ArrivalCursor, Purpose, RateCurve, Stream, TraceChunk};

/// Reads a source; a request at `t` passes ⌊f(t)⌋ times, and once more with the probability that is left of f(t).
pub struct Thin {
    source: ArrivalCursor,
    factor: Arc<RateCurve>,
    stream: Stream,
    end_ns: u64,
    chunk: TraceChunk,
    next_row: usize,
    /// First request and how many came so far: the mean gap, for the copies of the last one.
    first_ns: u64,
    rows: u64,
    extra_ns: Vec<u64>,
}

impl Thin {
    /// Starts where the source is.
    pub fn new(source: ArrivalCursor, factor: &Arc<RateCurve>, seed: u64, end: SimTime) -> Self {
        let mut thin = Self {
            source,
            factor: Arc::clone(factor),
            stream: Stream::new(seed, Purpose::Thinning, 0),
            end_ns: end.as_nanos(),
            chunk: TraceChunk::default(),
            next_row: 0,
            first_ns: 0,
            rows: 0,
            extra_ns: Vec::new(),
        };
        thin.source.fill(&mut thin.chunk);
        thin.first_ns = thin.chunk.arrival_ns.first().copied().unwrap_or(0);
        thin
    }

    /// Appends the next block of requests; false, and nothing appended, at the end.
    pub fn fill(&mut self, out: &mut TraceChunk) -> bool {
        let before = out.len();
        while out.len() < before + BLOCK && self.next_row < self.chunk.len() {
            self.pass_row(out);
        }
        out.len() > before
    }

    fn pass_row(&mut self, out: &mut TraceChunk) {
        let arrival_ns = self.chunk.arrival_ns[self.next_row];
        self.rows += 1;
        let factor = self.factor.rate_at(SimTime::from_nanos(arrival_ns));
        let whole = factor.floor();
        // No draw where there is nothing to decide, so that a factor of 1 is no change at all.
        let is_one_more = factor > whole && self.stream.uniform() < factor - whole;
        let copies = whole as u64 + u64::from(is_one_more);
        self.spread(copies.saturating_sub(1), arrival_ns);
        if copies > 0 {
            out.push_row(&self.chunk, self.next_row, arrival_ns);
            for extra_ns in &self.extra_ns {
                out.push_row(&self.chunk, self.next_row, *extra_ns);
            }
        }
        self.next_row += 1;
        if self.next_row == self.chunk.len() {
            self.chunk.clear();
            self.next_row = 0;
            self.source.fill(&mut self.chunk);
        }
    }

    /// Places `count` copies at random before the next request of the source and the end of the factor's step, ascending.
    fn spread(&mut self, count: u64, arrival_ns: u64) {
        self.extra_ns.clear();
        if count == 0 {
            return;
        }
        if self.next_row + 1 == self.chunk.len() {
            // Reads on, to know the next one; the rows behind are done with.
            let mut ahead = TraceChunk::default();
            ahead.extend_rows(&self.chunk, self.next_row..self.chunk.len());
            self.source.fill(&mut ahead);
            self.chunk = ahead;
            self.next_row = 0;
        }
        let mean_gap_ns = (arrival_ns - self.first_ns) / (self.rows - 1).max(1);
        let next_ns = self.chunk.arrival_ns.get(self.next_row + 1).copied().unwrap_or(arrival_ns + mean_gap_ns);
        // Within the step: the next one has a factor of its own.
        let step_ns = self.factor.step.as_nanos();
        let step_end_ns = (arrival_ns / step_ns + 1).saturating_mul(step_ns);
        let gap_ns = next_ns.min(step_end_ns).min(self.end_ns) - arrival_ns;
        for _ in 0..count {
            let after_ns = if gap_ns == 0 { 0 } else { self.stream.below(gap_ns) };
            self.extra_ns.push(arrival_ns + after_ns);
        }
        self.extra_ns.sort_unstable();
    }
}
