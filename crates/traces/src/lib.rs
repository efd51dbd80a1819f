//! Data files: recorded requests and rates, read forward in constant memory.
//!
//! A file is read through once when the scenario is loaded: every row is checked there, with its number in the message. During runs it is
//! opened again by each reader: as it is if it is Parquet, and what it was parsed to if it is text and a [`TraceCache`] was chosen.

mod cache;
mod column;
mod file;
mod line;
mod lines;
mod open;
mod parquet;
mod parquet_trace;
mod series;
mod table;
mod time;

pub use cache::TraceCache;
pub use file::FileTrace;
pub use open::{Disk, load, read, read_with};

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use scenario::ScenarioError;

/// Large enough that the system is asked rarely, small enough for many readers at once.
const BUFFER: usize = 1 << 18;

/// Opens a file; what starts with the magic number of gzip or Zstandard is unpacked, whatever its name.
fn open(path: &Path) -> std::io::Result<Box<dyn BufRead + Send>> {
    let mut file = BufReader::with_capacity(BUFFER, File::open(path)?);
    let start = file.fill_buf()?;
    if start.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(file))));
    }
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Ok(Box::new(BufReader::with_capacity(BUFFER, zstd::Decoder::with_buffer(file)?)));
    }
    Ok(Box::new(file))
}

/// The same, for loading.
fn open_input(path: &Path) -> Result<Box<dyn BufRead + Send>, ScenarioError> {
    open(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> ScenarioError {
    ScenarioError::Unreadable { path: path.display().to_string(), reason: error.to_string() }
}

/// A whole small file as text.
fn read_text(path: &Path) -> Result<String, ScenarioError> {
    let mut text = String::new();
    open_input(path)?.read_to_string(&mut text).map_err(|error| unreadable(path, &error))?;
    Ok(text)
}
