//! Data files: recorded requests and rates, read forward in constant memory.
//!
//! A file is read through once when the scenario is loaded: every row is checked there, with its number in the message. During runs it is
//! opened again by each reader: as it is if it is Parquet, and what it was parsed to if it is text and a [`TraceCache`] was chosen. A file
//! whose bytes are others by then ends what is being done, see [`Changed`].

mod adapter;
mod cache;
mod column;
mod file;
mod guard;
mod line;
mod lines;
mod open;
mod parquet;
mod parquet_trace;
mod seal;
mod series;
mod table;
mod text;
mod time;

pub use cache::TraceCache;
pub use file::FileTrace;
pub use open::{Disk, load, read, read_with};
pub use seal::Changed;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use scenario::ScenarioError;

use crate::text::{TEXT_BYTES_MAX, read_bounded};

/// Large enough that the system is asked rarely, small enough for many readers at once.
const BUFFER: usize = 1 << 18;

/// Opens a file of data. Other things are refused before they are opened: a pipe would wait for a writer, and can be read only once.
fn open_file(path: &Path) -> io::Result<File> {
    let found = std::fs::metadata(path)?;
    if found.is_dir() {
        return Err(io::Error::other("is a folder"));
    }
    if !found.is_file() {
        return Err(io::Error::other(
            "is a pipe or a device, and data is read more than once: write it to a file first",
        ));
    }
    File::open(path)
}

/// The lines of a file; what starts with the magic number of gzip or Zstandard is unpacked, whatever its name.
fn unpacked(file: File) -> io::Result<Box<dyn BufRead + Send>> {
    let mut file = BufReader::with_capacity(BUFFER, file);
    let start = file.fill_buf()?;
    if start.starts_with(&[0x1f, 0x8b]) {
        return as_utf_8(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(file)));
    }
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return as_utf_8(BufReader::with_capacity(BUFFER, zstd::Decoder::with_buffer(file)?));
    }
    as_utf_8(file)
}

/// The input itself unless it begins as UTF-16 does.
fn as_utf_8<R: BufRead + Send + 'static>(mut input: R) -> io::Result<Box<dyn BufRead + Send>> {
    if matches!(input.fill_buf()?.get(..2), Some([0xff, 0xfe] | [0xfe, 0xff])) {
        return Err(io::Error::other(
            "is UTF-16, which `>` of older PowerShells writes; data is read as UTF-8: `Get-Content FILE | Set-Content -Encoding utf8 NEW` makes it so",
        ));
    }
    Ok(Box::new(input))
}

/// The same of a path, for loading.
fn open_input(path: &Path) -> Result<Box<dyn BufRead + Send>, ScenarioError> {
    open_file(path).and_then(unpacked).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> ScenarioError {
    ScenarioError::Unreadable { path: path.display().to_string(), reason: error.to_string() }
}

/// A whole small file as text.
fn read_text(path: &Path) -> Result<String, ScenarioError> {
    read_bounded(open_input(path)?, TEXT_BYTES_MAX).map_err(|error| unreadable(path, &error))
}
