//! A request trace in a pack: gaps, tokens and blocks as small numbers, unpacked as it is read.

use std::fmt;
use std::sync::Arc;

use workload::{TraceChunk, TraceReader, TraceSource};

use crate::blob::{Reader, Writer};

/// Rows handed out at once.
const ROWS_PER_CHUNK: usize = 4_096;

/// The requests of a trace, packed.
#[derive(Clone)]
pub struct PackedTrace {
    bytes: Arc<[u8]>,
    rows: u64,
    has_tokens: bool,
    has_blocks: bool,
    /// Arrival of the last request, in nanoseconds from the start of the trace.
    pub last_ns: u64,
}

impl PackedTrace {
    /// Packs all of a trace; `None` as soon as it takes more than `bytes_max`.
    pub fn pack(source: &dyn TraceSource, has_blocks: bool, bytes_max: usize) -> Option<Self> {
        let (mut reader, mut chunk, mut writer) = (source.open(), TraceChunk::default(), Writer::default());
        let mut last_ns = 0;
        while reader.next_chunk(&mut chunk) {
            for row in 0..chunk.len() {
                writer.whole(chunk.arrival_ns[row] - last_ns);
                last_ns = chunk.arrival_ns[row];
                if source.has_tokens() {
                    writer.whole(u64::from(chunk.prompt_tokens[row]));
                    writer.whole(u64::from(chunk.output_tokens[row]));
                }
                if has_blocks {
                    let blocks = chunk.blocks_of(row);
                    writer.whole(blocks.len() as u64);
                    blocks.iter().for_each(|block| writer.whole(u64::from(*block)));
                }
            }
            if writer.0.len() > bytes_max {
                return None;
            }
        }
        let (rows, has_tokens) = (source.len(), source.has_tokens());
        Some(Self { bytes: writer.0.into(), rows, has_tokens, has_blocks, last_ns })
    }

    /// Puts it into a pack.
    pub fn write(&self, writer: &mut Writer) {
        writer.whole(self.rows);
        writer.whole(u64::from(self.has_tokens) | u64::from(self.has_blocks) << 1);
        writer.piece(&self.bytes);
    }

    /// Reads one out of a pack, through to its end; `None` if it is broken.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (rows, flags, bytes) = (reader.whole()?, reader.whole()?, reader.piece()?);
        let (has_tokens, has_blocks) = (flags & 1 != 0, flags & 2 != 0);
        let mut trace = Self { bytes: bytes.into(), rows, has_tokens, has_blocks, last_ns: 0 };
        let mut cursor = Cursor { trace: trace.clone(), at: 0, rows: 0, last_ns: 0 };
        let mut chunk = TraceChunk::default();
        while cursor.rows < rows {
            cursor.fill(&mut chunk)?;
        }
        trace.last_ns = cursor.last_ns;
        (cursor.at == trace.bytes.len()).then_some(trace)
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
        let mut reader = Reader(&bytes[self.at..]);
        while chunk.len() < ROWS_PER_CHUNK && self.rows < self.trace.rows {
            self.last_ns = self.last_ns.checked_add(reader.whole()?)?;
            self.rows += 1;
            let mut count = || reader.whole().and_then(|count| u32::try_from(count).ok());
            if self.trace.has_tokens {
                chunk.push_with_tokens(self.last_ns, (count()?, count()?));
            } else {
                chunk.push(self.last_ns);
            }
            if self.trace.has_blocks {
                let blocks = (0..count()?).map(|_| count()).collect::<Option<Vec<_>>>()?;
                chunk.set_blocks_of_last(blocks);
            }
        }
        self.at = bytes.len() - reader.0.len();
        Some(())
    }
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
        }
        let trace = Trace { columns: Arc::new(columns.clone()) };
        let packed = PackedTrace::pack(&trace, true, usize::MAX).unwrap();
        let mut writer = Writer::default();
        packed.write(&mut writer);
        let read = PackedTrace::read(&mut Reader(&writer.0)).unwrap();
        assert_eq!((read.len(), read.last_ns, read.has_tokens()), (10_000, 9_999 * 9_999, true));
        let (mut reader, mut chunk, mut row) = (read.open(), TraceChunk::default(), 0);
        while reader.next_chunk(&mut chunk) {
            for index in 0..chunk.len() {
                assert_eq!(chunk.arrival_ns[index], columns.arrival_ns[row]);
                assert_eq!(chunk.prompt_tokens[index], columns.prompt_tokens[row]);
                assert_eq!(chunk.blocks_of(index), columns.blocks_of(row));
                row += 1;
            }
        }
        assert_eq!(row, 10_000);
        writer.0.pop();
        assert!(PackedTrace::read(&mut Reader(&writer.0)).is_none());
        assert!(PackedTrace::pack(&trace, false, 100).is_none(), "more than there is room for");
    }
}
