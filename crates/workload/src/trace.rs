//! Recorded requests, column by column, in memory or streamed.

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
    pub columns: std::sync::Arc<TraceChunk>,
}
