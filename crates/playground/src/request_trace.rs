//! A request trace in a pack: gaps, tokens, blocks and adapters as small numbers, unpacked as it is read.

use std::fmt;
use std::sync::Arc;

use scenario::RequestTrace;
use serde::{Deserialize, Serialize};
use workload::{Tag, TraceChunk, TraceReader, TraceSource};

/// Rows handed out at once.
const ROWS_PER_CHUNK: usize = 4_096;

/// The requests of a trace, packed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(into = "Parts", try_from = "Parts")]
pub struct PackedTrace {
    bytes: Arc<[u8]>,
    rows: u64,
    has_tokens: bool,
    has_blocks: bool,
    /// Names of the adapters that requests are for, if they are for any.
    adapters: Option<Arc<[String]>>,
    /// Arrival of the last request, in nanoseconds from the start of the trace.
    pub last_ns: u64,
}

impl PackedTrace {
    /// Packs all of a trace; `None` as soon as it takes more than `bytes_max`.
    pub fn pack(trace: &RequestTrace, has_blocks: bool, bytes_max: usize) -> Option<Self> {
        let RequestTrace { source, adapters, .. } = trace;
        let (mut reader, mut chunk, mut bytes) = (source.open(), TraceChunk::default(), Vec::new());
        let mut last_ns = 0;
        while reader.next_chunk(&mut chunk) {
            for row in 0..chunk.len() {
                put(&mut bytes, chunk.arrival_ns[row] - last_ns);
                last_ns = chunk.arrival_ns[row];
                if source.has_tokens() {
                    put(&mut bytes, chunk.prompt_tokens[row]);
                    put(&mut bytes, chunk.output_tokens[row]);
                }
                if has_blocks {
                    put(&mut bytes, chunk.blocks_of(row));
                }
                if adapters.is_some() {
                    put(&mut bytes, chunk.tag(row).adapter);
                }
            }
            if bytes.len() > bytes_max {
                return None;
            }
        }
        let (rows, has_tokens) = (source.len(), source.has_tokens());
        let adapters = adapters.clone().map(Arc::from);
        Some(Self { bytes: bytes.into(), rows, has_tokens, has_blocks, adapters, last_ns })
    }

    /// As it was when it was packed.
    pub fn opened(&self) -> RequestTrace {
        let adapters = self.adapters.as_ref().map(|names| names.to_vec());
        RequestTrace { source: Arc::new(self.clone()), last_ns: self.last_ns, adapters }
    }
}

/// Adds a value to packed bytes: whole numbers by seven bits to a byte, small ones in one.
fn put(bytes: &mut Vec<u8>, value: impl Serialize) {
    *bytes = postcard::to_extend(&value, std::mem::take(bytes)).expect("there is memory");
}

/// A trace as a pack holds it.
#[derive(Serialize, Deserialize)]
struct Parts {
    bytes: Vec<u8>,
    rows: u64,
    has_tokens: bool,
    has_blocks: bool,
    adapters: Option<Vec<String>>,
}

impl From<PackedTrace> for Parts {
    fn from(PackedTrace { bytes, rows, has_tokens, has_blocks, adapters, .. }: PackedTrace) -> Self {
        let adapters = adapters.map(|names| names.to_vec());
        Self { bytes: bytes.to_vec(), rows, has_tokens, has_blocks, adapters }
    }
}

impl TryFrom<Parts> for PackedTrace {
    type Error = &'static str;

    /// Reads it through to its end.
    fn try_from(Parts { bytes, rows, has_tokens, has_blocks, adapters }: Parts) -> Result<Self, Self::Error> {
        let adapters = adapters.map(Arc::from);
        let trace = Self { bytes: bytes.into(), rows, has_tokens, has_blocks, adapters, last_ns: 0 };
        let mut cursor = Cursor { trace: trace.clone(), at: 0, rows: 0, last_ns: 0 };
        let mut chunk = TraceChunk::default();
        while cursor.rows < rows {
            cursor.fill(&mut chunk).ok_or("a trace that ends too early")?;
        }
        if cursor.at != trace.bytes.len() {
            return Err("a trace with something after its end");
        }
        Ok(Self { last_ns: cursor.last_ns, ..trace })
    }
}

/// Its bytes are nothing to read.
impl fmt::Debug for PackedTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PackedTrace({} requests, {} ns, {} bytes)", self.rows, self.last_ns, self.bytes.len())
    }
}

impl TraceSource for PackedTrace {
    fn open(&self) -> Box<dyn TraceReader> {
        Box::new(Cursor { trace: self.clone(), at: 0, rows: 0, last_ns: 0 })
    }

    fn len(&self) -> u64 {
        self.rows
    }

    fn has_tokens(&self) -> bool {
        self.has_tokens
    }
}

/// Reads a [`PackedTrace`] forward.
struct Cursor {
    trace: PackedTrace,
    at: usize,
    rows: u64,
    last_ns: u64,
}

impl Cursor {
    fn fill(&mut self, chunk: &mut TraceChunk) -> Option<()> {
        chunk.clear();
        let bytes = Arc::clone(&self.trace.bytes);
        let mut rest = &bytes[self.at..];
        while chunk.len() < ROWS_PER_CHUNK && self.rows < self.trace.rows {
            self.last_ns = self.last_ns.checked_add(take(&mut rest)?)?;
            self.rows += 1;
            if self.trace.has_tokens {
                chunk.push_with_tokens(self.last_ns, (take(&mut rest)?, take(&mut rest)?));
            } else {
                chunk.push(self.last_ns);
            }
            if self.trace.has_blocks {
                chunk.set_blocks_of_last(take::<Vec<u32>>(&mut rest)?);
            }
            if let Some(names) = &self.trace.adapters {
                let adapter = take::<u32>(&mut rest)?;
                (adapter as usize <= names.len()).then_some(())?;
                chunk.tag_last(Tag { adapter, ..Tag::default() });
            }
        }
        self.at = bytes.len() - rest.len();
        Some(())
    }
}

/// Takes the next value off packed bytes, if there is one.
fn take<'a, T: Deserialize<'a>>(rest: &mut &'a [u8]) -> Option<T> {
    let (value, after) = postcard::take_from_bytes(rest).ok()?;
    *rest = after;
    Some(value)
}

impl TraceReader for Cursor {
    fn next_chunk(&mut self, chunk: &mut TraceChunk) -> bool {
        self.fill(chunk).expect("a packed trace was read through when it was opened");
        !chunk.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use workload::Trace;

    use super::*;

    #[test]
    fn a_packed_trace_has_the_rows_of_the_trace_and_a_broken_one_is_refused() {
        let mut columns = TraceChunk::default();
        for row in 0..10_000_u64 {
            columns.push_with_tokens(row * row, (row as u32, 7));
            columns.set_blocks_of_last((0..(row % 3) as u32).map(|block| block * 300));
            columns.tag_last(Tag { adapter: (row % 3) as u32, ..Tag::default() });
        }
        let source = Arc::new(Trace { columns: Arc::new(columns.clone()) });
        let adapters = Some(vec!["sql".to_owned(), "chat".to_owned()]);
        let trace = RequestTrace { source, last_ns: 9_999 * 9_999, adapters };
        let packed = PackedTrace::pack(&trace, true, usize::MAX).unwrap();
        let mut bytes = postcard::to_allocvec(&packed).unwrap();
        let read: PackedTrace = postcard::from_bytes(&bytes).unwrap();
        assert_eq!((read.len(), read.last_ns, read.has_tokens()), (10_000, 9_999 * 9_999, true));
        let (mut reader, mut chunk, mut row) = (read.open(), TraceChunk::default(), 0);
        while reader.next_chunk(&mut chunk) {
            for index in 0..chunk.len() {
                assert_eq!(chunk.arrival_ns[index], columns.arrival_ns[row]);
                assert_eq!(chunk.prompt_tokens[index], columns.prompt_tokens[row]);
                assert_eq!(chunk.blocks_of(index), columns.blocks_of(row));
                assert_eq!(chunk.tag(index), columns.tag(row));
                row += 1;
            }
        }
        assert_eq!(row, 10_000);
        bytes.pop();
        assert!(postcard::from_bytes::<PackedTrace>(&bytes).is_err());
        assert_eq!(read.opened().adapters, trace.adapters);
        let unnamed = Parts { adapters: Some(vec!["sql".to_owned()]), ..packed.clone().into() };
        assert!(PackedTrace::try_from(unnamed).is_err(), "an adapter that has no name");
        let longer = Parts { rows: 10_001, ..packed.into() };
        assert!(PackedTrace::try_from(longer).is_err());
        assert!(PackedTrace::pack(&trace, false, 100).is_none(), "more than there is room for");
    }
}
