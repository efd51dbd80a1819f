//! Several sources read as one.

use crate::exponential::BLOCK;
use crate::{ArrivalCursor, TraceChunk};

/// Reads several cursors in one order of arrival.
pub struct Merge {
    heads: Vec<Head>,
}

struct Head {
    cursor: ArrivalCursor,
    chunk: TraceChunk,
    next_row: usize,
}

impl Merge {
    /// Starts where the cursors are.
    pub fn new(cursors: Vec<ArrivalCursor>) -> Self {
        let head = |cursor| {
            let mut head = Head { cursor, chunk: TraceChunk::default(), next_row: 0 };
            head.refill();
            head
        };
        Self { heads: cursors.into_iter().map(head).collect() }
    }

    /// Appends the next block of requests; false, and nothing appended, at the end. At one instant sources take turns in an order that
    /// depends on nothing but the sources.
    pub fn fill(&mut self, out: &mut TraceChunk) -> bool {
        let before = out.len();
        while out.len() < before + BLOCK {
            let Some((first, until_ns)) = self.earliest() else {
                break;
            };
            let head = &mut self.heads[first];
            let rest = &head.chunk.arrival_ns[head.next_row..];
            let rows = rest.partition_point(|at| *at <= until_ns).min(BLOCK);
            out.extend_rows(&head.chunk, head.next_row..head.next_row + rows);
            head.next_row += rows;
            if head.next_row == head.chunk.len() {
                head.refill();
            }
        }
        out.len() > before
    }

    /// The source with the earliest request, and how far it may be read before another one is due.
    fn earliest(&self) -> Option<(usize, u64)> {
        let mut first: Option<(u64, usize)> = None;
        let mut until_ns = u64::MAX;
        for (index, head) in self.heads.iter().enumerate() {
            let Some(&at) = head.chunk.arrival_ns.get(head.next_row) else {
                continue;
            };
            match first {
                Some((first_ns, _)) if first_ns <= at => until_ns = until_ns.min(at),
                earlier => {
                    until_ns = earlier.map_or(until_ns, |(first_ns, _)| first_ns);
                    first = Some((at, index));
                }
            }
        }
        first.map(|(_, index)| (index, until_ns))
    }
}

impl Head {
    fn refill(&mut self) {
        self.chunk.clear();
        self.next_row = 0;
        self.cursor.fill(&mut self.chunk);
    }
}
