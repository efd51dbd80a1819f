//! Recorded requests, column by column, in memory or streamed.

use std::sync::Arc;

use crate::Tag;

/// Rows an in-memory trace hands out at once.
const ROWS_PER_CHUNK: usize = 4_096;

/// A stretch of a trace. All columns have the length of `arrival_ns`, or are empty where the trace has no tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceChunk {
    /// Arrivals in nanoseconds from the start of the run, ascending.
    pub arrival_ns: Vec<u64>,
    /// Prompt tokens.
    pub prompt_tokens: Vec<u32>,
    /// Output tokens.
    pub output_tokens: Vec<u32>,
    /// What else is known of the first so many requests; the others are as [`Tag::default`].
    pub tags: Vec<Tag>,
    /// What the prompts of the first so many requests are made of: numbers of blocks, equal ones hold equal tokens after equal ones. Where
    /// each request's end in `blocks`.
    pub block_ends: Vec<usize>,
    /// The blocks of one request after another.
    pub blocks: Vec<u32>,
}

/// Why columns do not make a trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// An arrival is earlier than the one before it.
    #[error("request {row} arrives before the one above it; arrivals must be ascending")]
    Unsorted {
        /// Its row, from 0.
        row: usize,
    },
    /// A token column has another length than the arrivals.
    #[error(
        "{column} has {rows} rows, but there are {arrivals} arrivals; token columns are complete or empty, both alike"
    )]
    Ragged {
        /// Its name.
        column: &'static str,
        /// Its length.
        rows: usize,
        /// Number of arrivals.
        arrivals: usize,
    },
}

impl TraceChunk {
    /// Requests in it.
    pub fn len(&self) -> usize {
        self.arrival_ns.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.arrival_ns.is_empty()
    }

    /// True if it has token columns with something in them.
    pub fn has_tokens(&self) -> bool {
        !self.prompt_tokens.is_empty()
    }

    /// Forgets all rows but keeps the memory.
    pub fn clear(&mut self) {
        self.arrival_ns.clear();
        self.prompt_tokens.clear();
        self.output_tokens.clear();
        self.tags.clear();
        self.block_ends.clear();
        self.blocks.clear();
    }

    /// What else is known of request `row`.
    pub fn tag(&self, row: usize) -> Tag {
        self.tags.get(row).copied().unwrap_or_default()
    }

    /// The blocks of the prompt of request `row`; none where they are not known.
    pub fn blocks_of(&self, row: usize) -> &[u32] {
        let Some(&end) = self.block_ends.get(row) else { return &[] };
        let start = row.checked_sub(1).map_or(0, |before| self.block_ends[before]);
        &self.blocks[start..end]
    }

    /// Says more of the last request.
    pub fn tag_last(&mut self, tag: Tag) {
        self.tags.resize(self.len() - 1, Tag::default());
        self.tags.push(tag);
    }

    /// Says what the prompt of the last request is made of.
    pub fn set_blocks_of_last(&mut self, blocks: impl IntoIterator<Item = u32>) {
        let before = self.block_ends.last().copied().unwrap_or(0);
        self.block_ends.resize(self.len() - 1, before);
        self.blocks.extend(blocks);
        self.block_ends.push(self.blocks.len());
    }

    /// Appends a request without tokens.
    pub fn push(&mut self, arrival_ns: u64) {
        self.arrival_ns.push(arrival_ns);
    }

    /// Appends a request with (prompt, output) tokens.
    pub fn push_with_tokens(&mut self, arrival_ns: u64, (prompt, output): (u32, u32)) {
        self.arrival_ns.push(arrival_ns);
        self.prompt_tokens.push(prompt);
        self.output_tokens.push(output);
    }

    /// Appends row `row` of `other`, with another arrival.
    pub fn push_row(&mut self, other: &Self, row: usize, arrival_ns: u64) {
        if other.has_tokens() {
            self.push_with_tokens(arrival_ns, (other.prompt_tokens[row], other.output_tokens[row]));
        } else {
            self.push(arrival_ns);
        }
        if row < other.tags.len() {
            self.tag_last(other.tags[row]);
        }
        if row < other.block_ends.len() {
            self.set_blocks_of_last(other.blocks_of(row).iter().copied());
        }
    }

    /// Appends a range of rows of `other`.
    pub(crate) fn extend_rows(&mut self, other: &Self, rows: std::ops::Range<usize>) {
        let before = self.len();
        self.arrival_ns.extend_from_slice(&other.arrival_ns[rows.clone()]);
        if other.has_tokens() {
            self.prompt_tokens.extend_from_slice(&other.prompt_tokens[rows.clone()]);
            self.output_tokens.extend_from_slice(&other.output_tokens[rows.clone()]);
        }
        self.extend_known_rows(other, rows, before);
    }

    fn extend_known_rows(&mut self, other: &Self, rows: std::ops::Range<usize>, place: usize) {
        if rows.start < other.tags.len() {
            self.tags.resize(place, Tag::default());
            self.tags.extend_from_slice(&other.tags[rows.start..rows.end.min(other.tags.len())]);
        }
        if rows.start < other.block_ends.len() {
            let last = self.block_ends.last().copied().unwrap_or(0);
            self.block_ends.resize(place, last);
            for row in rows.start..rows.end.min(other.block_ends.len()) {
                self.blocks.extend_from_slice(other.blocks_of(row));
                self.block_ends.push(self.blocks.len());
            }
        }
    }

    /// Takes over what is known of the requests of `other` beside times and tokens, as that of row `place` and those after it.
    pub fn extend_known(&mut self, other: &Self, place: usize) {
        self.extend_known_rows(other, 0..other.len(), place);
    }

    /// Puts `count` requests of which nothing is known before the first, as far as anything is known of any.
    pub fn prepend_unknown(&mut self, count: usize) {
        if !self.tags.is_empty() {
            self.tags.splice(0..0, std::iter::repeat_n(Tag::default(), count));
        }
        if !self.block_ends.is_empty() {
            self.block_ends.splice(0..0, std::iter::repeat_n(0, count));
        }
    }

    /// Forgets what is known of the first `count` requests beside times and tokens.
    pub fn forget_first(&mut self, count: usize) {
        self.tags.drain(..count.min(self.tags.len()));
        let rows = count.min(self.block_ends.len());
        if rows > 0 {
            let cut = self.block_ends[rows - 1];
            self.blocks.drain(..cut);
            self.block_ends.drain(..rows);
            self.block_ends.iter_mut().for_each(|end| *end -= cut);
        }
    }

    /// Whether arrivals ascend and columns fit together.
    pub fn validate(&self) -> Result<(), TraceError> {
        let (prompts, outputs, arrivals) = (self.prompt_tokens.len(), self.output_tokens.len(), self.len());
        let without_tokens = prompts == 0 && outputs == 0;
        for (column, rows) in [("prompt_tokens", prompts), ("output_tokens", outputs)] {
            if !without_tokens && rows != arrivals {
                return Err(TraceError::Ragged { column, rows, arrivals });
            }
        }
        match self.arrival_ns.windows(2).position(|pair| pair[1] < pair[0]) {
            Some(row) => Err(TraceError::Unsorted { row: row + 1 }),
            None => Ok(()),
        }
    }
}

/// A trace that can be read from its beginning any number of times, at once from several threads.
pub trait TraceSource: Send + Sync + std::fmt::Debug {
    /// Starts at the beginning.
    fn open(&self) -> Box<dyn TraceReader>;
    /// Requests in it.
    fn len(&self) -> u64;
    /// True if there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// True if it has token columns.
    fn has_tokens(&self) -> bool;
}

/// Reads a trace once, forward.
pub trait TraceReader: Send {
    /// Replaces `chunk` by the next stretch (thousands of rows); false at the end. The source was validated when it was loaded, so
    /// a failure here means the file changed under the run: it panics with the file's name.
    fn next_chunk(&mut self, chunk: &mut TraceChunk) -> bool;
}

/// A trace in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Its columns.
    pub columns: Arc<TraceChunk>,
}

impl Trace {
    /// A trace of these columns, if they make one.
    pub fn new(columns: TraceChunk) -> Result<Self, TraceError> {
        columns.validate()?;
        Ok(Self { columns: Arc::new(columns) })
    }
}

impl TraceSource for Trace {
    fn open(&self) -> Box<dyn TraceReader> {
        Box::new(MemoryReader { columns: Arc::clone(&self.columns), next_row: 0 })
    }

    fn len(&self) -> u64 {
        self.columns.len() as u64
    }

    fn has_tokens(&self) -> bool {
        self.columns.has_tokens()
    }
}

struct MemoryReader {
    columns: Arc<TraceChunk>,
    next_row: usize,
}

impl TraceReader for MemoryReader {
    fn next_chunk(&mut self, chunk: &mut TraceChunk) -> bool {
        chunk.clear();
        let end = self.columns.len().min(self.next_row + ROWS_PER_CHUNK);
        chunk.extend_rows(&self.columns, self.next_row..end);
        self.next_row = end;
        !chunk.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_tokens(rows: u32) -> TraceChunk {
        let mut columns = TraceChunk::default();
        for row in 0..rows {
            columns.push_with_tokens(u64::from(row) * 10, (row, row + 1));
        }
        columns
    }

    #[test]
    fn a_trace_read_twice_gives_the_same_rows_both_times() {
        let trace = Trace::new(with_tokens(10_000)).unwrap();
        for _ in 0..2 {
            let (mut reader, mut chunk, mut all) = (trace.open(), TraceChunk::default(), TraceChunk::default());
            while reader.next_chunk(&mut chunk) {
                all.extend_rows(&chunk, 0..chunk.len());
            }
            assert_eq!(all, *trace.columns);
            assert!(!reader.next_chunk(&mut chunk));
        }
        assert_eq!((TraceSource::len(&trace), trace.has_tokens()), (10_000, true));
    }

    #[test]
    fn columns_that_make_no_trace_are_refused_with_the_row() {
        let unsorted = TraceChunk { arrival_ns: vec![1, 5, 4], ..TraceChunk::default() };
        let error = Trace::new(unsorted).unwrap_err().to_string();
        assert_eq!(error, "request 2 arrives before the one above it; arrivals must be ascending");

        let mut ragged = with_tokens(3);
        ragged.output_tokens.pop();
        let error = Trace::new(ragged).unwrap_err();
        assert_eq!(error, TraceError::Ragged { column: "output_tokens", rows: 2, arrivals: 3 });
    }
}
