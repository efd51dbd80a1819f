//! A recorded trace in a file.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use workload::{TraceChunk, TraceReader, TraceSource};

use crate::error::ScenarioError;
use crate::file::TraceFile;

use super::line::{Layout, Row};
use super::{open, open_input, unreadable};

/// Rows handed out at once: 64 KiB of columns, which stay in the second-level cache.
const ROWS_PER_CHUNK: usize = 4_096;

/// A trace file that has been read through once and found good.
#[derive(Clone, Debug)]
pub struct FileTrace {
    path: PathBuf,
    layout: Layout,
    /// The file's own time of the start.
    origin_ns: i64,
    rows: u64,
    last_ns: u64,
}

impl FileTrace {
    /// Reads the file through: every row must be readable, and none earlier than the one above it.
    pub fn load(path: &Path, trace: &TraceFile) -> Result<Self, ScenarioError> {
        let name = path.display().to_string();
        let mut lines = Lines { input: open_input(path)?, buffer: Vec::new() };
        let broken = |error: std::io::Error| unreadable(path, &error);
        let first = String::from_utf8_lossy(lines.next().map_err(broken)?.unwrap_or_default()).into_owned();
        let layout =
            Layout::of(&first, trace).map_err(|reason| ScenarioError::BadFile { file: name.clone(), reason })?;
        let mut checked = Self { path: path.to_owned(), layout, origin_ns: 0, rows: 0, last_ns: 0 };
        let mut number = 1;
        if !checked.layout.has_header() {
            checked.check(first.as_bytes()).map_err(|reason| bad_row(&name, number, reason))?;
        }
        while let Some(line) = lines.next().map_err(broken)? {
            number += 1;
            checked.check(line).map_err(|reason| bad_row(&name, number, reason))?;
        }
        if checked.rows == 0 {
            return Err(ScenarioError::BadFile { file: name, reason: "holds no request".to_owned() });
        }
        Ok(checked)
    }

    /// What the file's format is called.
    pub fn format_name(&self) -> &'static str {
        self.layout.name()
    }

    /// Arrival of the last request, in nanoseconds from the start of the trace.
    pub fn last_ns(&self) -> u64 {
        self.last_ns
    }

    fn check(&mut self, line: &[u8]) -> Result<(), String> {
        let Some(row) = self.layout.row(line)? else { return Ok(()) };
        if self.rows == 0 && self.layout.starts_at_first_row() {
            self.origin_ns = row.at_ns;
        }
        let at_ns =
            self.relative(row).ok_or("arrives before the start of the trace; rows must be in order of arrival")?;
        if at_ns < self.last_ns {
            return Err("arrives before the row above; rows must be in order of arrival".to_owned());
        }
        self.last_ns = at_ns;
        self.rows += 1;
        Ok(())
    }

    fn relative(&self, row: Row) -> Option<u64> {
        u64::try_from(row.at_ns.checked_sub(self.origin_ns)?).ok()
    }

    /// A reader at the first request.
    pub fn reader(&self) -> FileReader {
        let changed = |error: std::io::Error| panic!("{} changed during the run: {error}", self.path.display());
        let mut lines = Lines { input: open(&self.path).unwrap_or_else(changed), buffer: Vec::new() };
        if self.layout.has_header() {
            lines.next().unwrap_or_else(|error| panic!("{} changed during the run: {error}", self.path.display()));
        }
        FileReader { trace: self.clone(), lines }
    }
}

impl TraceSource for FileTrace {
    fn open(&self) -> Box<dyn TraceReader> {
        Box::new(self.reader())
    }

    fn len(&self) -> u64 {
        self.rows
    }

    fn has_tokens(&self) -> bool {
        self.layout.has_tokens()
    }
}

fn bad_row(file: &str, row: u64, reason: String) -> ScenarioError {
    ScenarioError::BadRow { file: file.to_owned(), row, reason }
}

/// Lines of a file, one buffer for all of them.
struct Lines {
    input: Box<dyn BufRead + Send>,
    buffer: Vec<u8>,
}

impl Lines {
    fn next(&mut self) -> std::io::Result<Option<&[u8]>> {
        self.buffer.clear();
        let length = self.input.read_until(b'\n', &mut self.buffer)?;
        Ok((length > 0).then_some(&self.buffer))
    }
}

/// Reads a [`FileTrace`] forward.
pub struct FileReader {
    trace: FileTrace,
    lines: Lines,
}

impl FileReader {
    fn next_row(&mut self) -> Option<(u64, Option<(u32, u32)>)> {
        loop {
            let read = self.lines.next().map_err(|error| error.to_string());
            let row = read.and_then(|line| line.map(|line| self.trace.layout.row(line)).transpose());
            match row {
                Ok(None) => return None,
                Ok(Some(None)) => {}
                Ok(Some(Some(row))) => match self.trace.relative(row) {
                    Some(at_ns) => return Some((at_ns, row.tokens)),
                    None => panic!("{} changed during the run: a row before its start", self.trace.path.display()),
                },
                Err(reason) => panic!("{} changed during the run: {reason}", self.trace.path.display()),
            }
        }
    }
}

impl TraceReader for FileReader {
    fn next_chunk(&mut self, chunk: &mut TraceChunk) -> bool {
        chunk.clear();
        while chunk.len() < ROWS_PER_CHUNK {
            match self.next_row() {
                None => break,
                Some((at_ns, Some(tokens))) => chunk.push_with_tokens(at_ns, tokens),
                Some((at_ns, None)) => chunk.push(at_ns),
            }
        }
        !chunk.is_empty()
    }
}
