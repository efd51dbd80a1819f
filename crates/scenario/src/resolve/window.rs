//! A part of a trace, played several times, later.

use std::sync::Arc;

use units::SimDuration;
use workload::{TraceChunk, TraceReader, TraceSource};

use crate::data::RequestTrace;

/// A trace clipped, repeated and shifted, in this order.
#[derive(Clone, Debug)]
pub struct Window {
    source: Arc<dyn TraceSource>,
    from_ns: u64,
    to_ns: u64,
    /// Time from the start of one repetition to that of the next.
    period_ns: u64,
    repeat: u32,
    shift_ns: u64,
    rows_per_repetition: u64,
    /// Numbers of the adapters in the order of those that the trace gives them.
    adapters: Option<Arc<[u32]>>,
}

impl Window {
    /// The requests in `clip` (all without it), `repeat` times one after another, the first at `shift`. Without a clip's end one repetition
    /// lasts to the last request and one mean gap more, so that the join is no burst.
    pub fn new(
        trace: RequestTrace,
        clip: Option<(SimDuration, Option<SimDuration>)>,
        repeat: u32,
        shift: SimDuration,
    ) -> Self {
        let from_ns = clip.map_or(0, |clip| clip.0.as_nanos());
        let RequestTrace { source, last_ns, .. } = trace;
        let mean_gap_ns = last_ns / source.len().max(1);
        let natural_end_ns = last_ns + mean_gap_ns.max(1);
        let to_ns = clip.and_then(|clip| clip.1).map_or(natural_end_ns, SimDuration::as_nanos);
        let period_ns = to_ns.saturating_sub(from_ns).max(1);
        let (shift_ns, rows_per_repetition, adapters) = (shift.as_nanos(), 0, None);
        let mut window = Self { source, from_ns, to_ns, period_ns, repeat, shift_ns, rows_per_repetition, adapters };
        window.rows_per_repetition = if clip.is_none() { window.source.len() } else { window.count() };
        window
    }

    /// Gives the adapters of the trace other numbers, those at the place of their own less one.
    pub fn with_adapters(mut self, adapters: Option<Arc<[u32]>>) -> Self {
        self.adapters = adapters;
        self
    }

    fn count(&self) -> u64 {
        let mut reader = self.source.open();
        let (mut chunk, mut rows) = (TraceChunk::default(), 0);
        while reader.next_chunk(&mut chunk) {
            let is_inside = |at_ns: &&u64| (self.from_ns..self.to_ns).contains(*at_ns);
            rows += chunk.arrival_ns.iter().filter(is_inside).count() as u64;
        }
        rows
    }
}

impl TraceSource for Window {
    fn open(&self) -> Box<dyn TraceReader> {
        Box::new(WindowReader {
            window: self.clone(),
            reader: self.source.open(),
            played: 0,
            raw: TraceChunk::default(),
        })
    }

    fn len(&self) -> u64 {
        self.rows_per_repetition * u64::from(self.repeat)
    }

    fn has_tokens(&self) -> bool {
        self.source.has_tokens()
    }
}

struct WindowReader {
    window: Window,
    reader: Box<dyn TraceReader>,
    played: u32,
    raw: TraceChunk,
}

impl WindowReader {
    /// The next rows as recorded; starts again after the last until all repetitions are played.
    fn advance(&mut self) -> bool {
        while self.played < self.window.repeat {
            let is_over = !self.reader.next_chunk(&mut self.raw)
                || self.raw.arrival_ns.first().is_some_and(|first| *first >= self.window.to_ns);
            if !is_over {
                return true;
            }
            self.played += 1;
            if self.played < self.window.repeat {
                self.reader = self.window.source.open();
            }
        }
        false
    }
}

impl TraceReader for WindowReader {
    fn next_chunk(&mut self, chunk: &mut TraceChunk) -> bool {
        chunk.clear();
        while chunk.is_empty() {
            if !self.advance() {
                return false;
            }
            let window = &self.window;
            let offset_ns = window.shift_ns + u64::from(self.played) * window.period_ns;
            for (row, at_ns) in self.raw.arrival_ns.iter().enumerate() {
                if !(window.from_ns..window.to_ns).contains(at_ns) {
                    continue;
                }
                let moved_ns = at_ns - window.from_ns + offset_ns;
                chunk.push_row(&self.raw, row, moved_ns);
                if let Some(numbers) = &window.adapters
                    && let Some(tag) = chunk.tags.get_mut(chunk.arrival_ns.len() - 1)
                    && let Some(place) = tag.adapter.checked_sub(1)
                {
                    tag.adapter = numbers[place as usize];
                }
            }
        }
        true
    }
}
