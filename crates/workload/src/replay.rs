//! Recorded requests, repeated.

use units::SimTime;

use crate::exponential::BLOCK;
use crate::{Distribution, Purpose, Sampler, Stream, TraceChunk, TraceReader, TraceSource};

/// Reads a trace and repeats each request as often as asked.
pub struct Replay {
    reader: Box<dyn TraceReader>,
    copies: f64,
    /// Draws how often each request comes, where that is left to chance.
    redraw: Option<(Sampler, Stream)>,
    end_ns: u64,
    stream: Stream,
    chunk: TraceChunk,
    /// The chunk after it, read ahead because the last copies of a chunk need the next arrival; empty at the end of the trace.
    following: TraceChunk,
    next_row: usize,
    rows_done: u64,
    first_ns: Option<u64>,
    extra_ns: Vec<u64>,
    /// A request beyond the end of the run has been seen: there is no need to read on.
    is_over: bool,
}

impl Replay {
    /// Starts at the first request. `copies` is finite and not negative.
    pub fn new(source: &dyn TraceSource, copies: f64, seed: u64, end: SimTime) -> Self {
        Self::with_redraw(source, copies, None, (seed, end))
    }

    /// The same, each request as often as chance will have it: a Poisson number of times with mean `copies`.
    pub fn resampled(source: &dyn TraceSource, copies: f64, seed: u64, end: SimTime) -> Self {
        let dice = (Distribution::poisson(copies).sampler(), Stream::new(seed, Purpose::Redraw, 0));
        Self::with_redraw(source, copies, Some(dice), (seed, end))
    }

    fn with_redraw(
        source: &dyn TraceSource,
        copies: f64,
        redraw: Option<(Sampler, Stream)>,
        (seed, end): (u64, SimTime),
    ) -> Self {
        let mut reader = source.open();
        let (mut chunk, mut following) = (TraceChunk::default(), TraceChunk::default());
        read(reader.as_mut(), &mut chunk);
        read(reader.as_mut(), &mut following);
        Self {
            reader,
            copies,
            redraw,
            end_ns: end.as_nanos(),
            stream: Stream::new(seed, Purpose::Arrivals, 0),
            first_ns: chunk.arrival_ns.first().copied(),
            chunk,
            following,
            next_row: 0,
            rows_done: 0,
            extra_ns: Vec::new(),
            is_over: false,
        }
    }

    /// Appends the next block of requests; false, and nothing appended, at the end.
    pub fn fill(&mut self, out: &mut TraceChunk) -> bool {
        let before = out.len();
        while !self.is_over && out.len() < before + BLOCK {
            if self.next_row == self.chunk.len() && !self.turn_page() {
                break;
            }
            if self.copies == 1.0 && self.redraw.is_none() {
                self.copy_chunk(out);
            } else {
                self.repeat_row(out);
            }
        }
        out.len() > before
    }

    /// Goes on to the next chunk; false at the end.
    fn turn_page(&mut self) -> bool {
        std::mem::swap(&mut self.chunk, &mut self.following);
        read(self.reader.as_mut(), &mut self.following);
        self.next_row = 0;
        !self.chunk.is_empty()
    }

    /// Takes over what is left of the chunk as it is, up to the end of the run.
    fn copy_chunk(&mut self, out: &mut TraceChunk) {
        let rows = self.chunk.arrival_ns.partition_point(|at| *at < self.end_ns).max(self.next_row);
        out.extend_rows(&self.chunk, self.next_row..rows);
        self.next_row = self.chunk.len();
        self.is_over = rows < self.chunk.len();
    }

    /// Repeats the next request, if it was recorded before the end of the run.
    fn repeat_row(&mut self, out: &mut TraceChunk) {
        let row = self.next_row;
        let arrival_ns = self.chunk.arrival_ns[row];
        if arrival_ns >= self.end_ns {
            self.is_over = true;
            return;
        }
        // Differences of a running total, so that any number of requests has its exact share of copies.
        let copies = match &mut self.redraw {
            Some((sampler, stream)) => sampler.sample(stream) as u64,
            None => total(self.rows_done + 1, self.copies) - total(self.rows_done, self.copies),
        };
        self.next_row += 1;
        self.rows_done += 1;
        if copies > 0 {
            out.push_row(&self.chunk, row, arrival_ns);
            self.spread(copies - 1, arrival_ns);
            for extra_ns in &self.extra_ns {
                out.push_row(&self.chunk, row, *extra_ns);
            }
        }
    }

    /// Places `count` copies at random between a request and the next, ascending.
    fn spread(&mut self, count: u64, arrival_ns: u64) {
        let gap_ns = self.next_arrival_ns(arrival_ns).min(self.end_ns) - arrival_ns;
        self.extra_ns.clear();
        for _ in 0..count {
            let after_ns = if gap_ns == 0 { 0 } else { self.stream.below(gap_ns) };
            self.extra_ns.push(arrival_ns + after_ns);
        }
        self.extra_ns.sort_unstable();
    }

    /// The recorded arrival after the row just taken; after the last request, one mean gap later.
    fn next_arrival_ns(&self, arrival_ns: u64) -> u64 {
        let in_chunk = self.chunk.arrival_ns.get(self.next_row);
        if let Some(next_ns) = in_chunk.or(self.following.arrival_ns.first()) {
            return *next_ns;
        }
        let recorded_ns = arrival_ns - self.first_ns.unwrap_or(arrival_ns);
        arrival_ns + recorded_ns / (self.rows_done - 1).max(1)
    }
}

/// Copies of the first `rows` requests together.
fn total(rows: u64, copies: f64) -> u64 {
    (rows as f64 * copies) as u64
}

/// The next chunk that has rows; an empty one at the end.
fn read(reader: &mut dyn TraceReader, chunk: &mut TraceChunk) {
    chunk.clear();
    while chunk.is_empty() {
        if !reader.next_chunk(chunk) {
            chunk.clear();
            return;
        }
    }
}
