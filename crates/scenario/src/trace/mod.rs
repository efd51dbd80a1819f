//! Data files: recorded requests and rates, read forward in constant memory.
//!
//! A file is read through once when the scenario is loaded: every row is checked there, with its number in the message. During runs it is
//! opened again by each reader.

mod availability;
mod file;
mod line;
mod series;
mod time;
mod window;

pub use availability::availability;
pub use file::FileTrace;
pub use series::Series;
pub use window::Window;

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::ScenarioError;

/// Large enough that the system is asked rarely, small enough for many readers at once.
const BUFFER: usize = 1 << 18;

/// Opens a file; what starts with gzip's magic number is unpacked, whatever its name.
fn open(path: &Path) -> std::io::Result<Box<dyn BufRead + Send>> {
    let mut file = BufReader::with_capacity(BUFFER, File::open(path)?);
    let is_packed = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    if is_packed {
        return Ok(Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(file))));
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
pub fn read_text(path: &Path) -> Result<String, ScenarioError> {
    let mut text = String::new();
    open_input(path)?.read_to_string(&mut text).map_err(|error| unreadable(path, &error))?;
    Ok(text)
}
