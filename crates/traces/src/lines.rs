//! A trace of lines, CSV or JSON: parsed as it is read, with one line in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use workload::{Tag, TraceChunk, TraceReader};

use scenario::file::TraceFile;
use scenario::{ScenarioError, TraceDetails};

use crate::adapter::AdapterNames;
use crate::cache::CacheWriter;
use crate::file::{Clock, bad_row};
use crate::line::Layout;
use crate::seal::{Seal, Sealed};
use crate::text::{LineError, Lines, shortened};
use crate::{open_input, unpacked, unreadable};

/// Rows handed out at once: 64 KiB of columns, which stay in the second-level cache.
const ROWS_PER_CHUNK: usize = 4_096;

/// A file of lines and how they are read.
#[derive(Clone, Debug)]
pub struct LinesTrace {
    path: PathBuf,
    seal: Arc<Seal>,
    /// What stands in a line.
    pub layout: Layout,
    /// The file's own time of the start, in nanoseconds; known once the file was read through.
    pub origin_ns: i64,
    /// What is read of requests beside times and tokens.
    pub wanted: TraceDetails,
    /// What there is, as far as the first line tells.
    pub details: TraceDetails,
    /// Adapters by name, if they are read; known once the file was read through.
    pub adapters: Arc<AdapterNames>,
}

impl LinesTrace {
    /// Reads the first line, which says what the others hold.
    pub fn of(seal: &Arc<Seal>, trace: &TraceFile) -> Result<Self, ScenarioError> {
        let path = seal.path();
        let mut lines = Lines::new(open_input(path)?);
        let bad_file = |reason| ScenarioError::BadFile { file: path.display().to_string(), reason };
        let first = lines.next().map_err(|error| refused(path, 1, error))?;
        let first = first.ok_or_else(|| bad_file("is empty".to_owned()))?;
        let layout = Layout::of(&String::from_utf8_lossy(first), trace).map_err(bad_file)?;
        let (wanted, details) = (TraceDetails::default(), layout.details(first));
        let (path, seal, adapters) = (path.to_owned(), Arc::clone(seal), Arc::default());
        Ok(Self { path, seal, layout, origin_ns: 0, wanted, details, adapters })
    }

    /// Reads the file through: every row must be readable, and none earlier than the one above it. Rows also go to `cache`, which is given
    /// up when it cannot be written.
    pub fn check(&mut self, cache: &mut Option<CacheWriter>) -> Result<Clock, ScenarioError> {
        let name = self.path.display().to_string();
        let mut lines = Lines::new(open_input(&self.path)?);
        let mut clock = Clock::new(self.layout.starts_at_first_row());
        let (mut number, mut adapters) = (0, AdapterNames::default());
        while let Some(line) = lines.next().map_err(|error| refused(&self.path, number + 1, error))? {
            number += 1;
            if number == 1 && self.layout.has_header() {
                continue;
            }
            let broken = |reason| bad_row(&name, number, reason);
            let Some(row) = self.layout.row(line).map_err(broken)? else { continue };
            let at_ns = clock.admit(row.at_ns).map_err(broken)?;
            if self.wanted.blocks {
                self.layout.blocks(line).map_err(broken)?;
            }
            if self.wanted.adapters {
                let name = self.layout.adapter(line).map_err(broken)?;
                adapters.admit(&name).map_err(|reason| broken(format!("adapter `{}` {reason}", shortened(&name))))?;
            }
            if cache.as_mut().is_some_and(|cache| cache.push(at_ns, row.tokens).is_err()) {
                *cache = None;
            }
        }
        self.origin_ns = clock.origin_ns;
        self.adapters = Arc::new(adapters);
        Ok(clock)
    }

    /// A reader at the first request.
    pub fn reader(&self) -> LinesReader {
        let mut file = self.seal.open();
        let mut lines = match unpacked(file.handle()) {
            Ok(input) => Lines::new(input),
            Err(error) => file.give_up(error),
        };
        if self.layout.has_header()
            && let Err(error) = lines.next()
        {
            file.give_up(error);
        }
        LinesReader { trace: self.clone(), lines, file }
    }
}

/// What is wrong with a line that could not be read.
fn refused(path: &Path, number: u64, error: LineError) -> ScenarioError {
    match error {
        LineError::Unreadable(error) => unreadable(path, &error),
        LineError::TooLong => bad_row(&path.display().to_string(), number, error.to_string()),
    }
}

/// Reads a [`LinesTrace`] forward.
pub struct LinesReader {
    trace: LinesTrace,
    lines: Lines,
    file: Sealed,
}

impl LinesReader {
    fn next_row(&mut self) -> Option<(u64, Option<(u32, u32)>)> {
        loop {
            let read = self.lines.next().map_err(|error| error.to_string());
            let row = read.and_then(|line| line.map(|line| self.trace.layout.row(line)).transpose());
            match row {
                Ok(None) => return None,
                Ok(Some(None)) => {}
                Ok(Some(Some(row))) => match row.at_ns.checked_sub(self.trace.origin_ns).map(u64::try_from) {
                    Some(Ok(at_ns)) => return Some((at_ns, row.tokens)),
                    _ => self.file.give_up("a row before its start"),
                },
                Err(reason) => self.file.give_up(reason),
            }
        }
    }
}

impl TraceReader for LinesReader {
    fn next_chunk(&mut self, chunk: &mut TraceChunk) -> bool {
        chunk.clear();
        while chunk.len() < ROWS_PER_CHUNK {
            match self.next_row() {
                None => break,
                Some((at_ns, Some(tokens))) => chunk.push_with_tokens(at_ns, tokens),
                Some((at_ns, None)) => chunk.push(at_ns),
            }
            if self.trace.wanted.blocks {
                match self.trace.layout.blocks(&self.lines.buffer) {
                    Ok(blocks) => chunk.set_blocks_of_last(blocks),
                    Err(reason) => self.file.give_up(reason),
                }
            }
            if self.trace.wanted.adapters {
                let name = self.trace.layout.adapter(&self.lines.buffer);
                match name.and_then(|name| Ok(self.trace.adapters.number(&name)?)) {
                    Ok(0) => {}
                    Ok(adapter) => chunk.tag_last(Tag { adapter, ..Tag::default() }),
                    Err(reason) => self.file.give_up(reason),
                }
            }
        }
        // After reading: what is handed on was read before the file was found to be the same.
        self.file.verify();
        !chunk.is_empty()
    }
}
