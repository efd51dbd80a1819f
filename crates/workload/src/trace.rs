//! Recorded requests, column by column, in memory or streamed.

use std::sync::Arc;

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
    pub(crate) fn push_row(&mut self, other: &Self, row: usize, arrival_ns: u64) {
        if other.has_tokens() {
            self.push_with_tokens(arrival_ns, (other.prompt_tokens[row], other.output_tokens[row]));
        } else {
            self.push(arrival_ns);
        }
    }

    /// Appends a range of rows of `other`.
    pub(crate) fn extend_rows(&mut self, other: &Self, rows: std::ops::Range<usize>) {
        self.arrival_ns.extend_from_slice(&other.arrival_ns[rows.clone()]);
        if other.has_tokens() {
            self.prompt_tokens.extend_from_slice(&other.prompt_tokens[rows.clone()]);
            self.output_tokens.extend_from_slice(&other.output_tokens[rows]);
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
