//! Bounds of what is read as text: a file without line breaks, or a few packed megabytes that unpack to billions, must not take the
//! machine's memory, and a message must not repeat them.

use std::fmt;
use std::io::{self, BufRead, Read};

/// Longest line of a data file, in bytes: a request with a million prompt tokens in blocks of 16 fits twice.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// Largest file that is read whole (rates, prices, columns), unpacked, in bytes: a year of seconds fits.
pub const TEXT_BYTES_MAX: u64 = 1 << 30;

/// Letters of a cell that a message repeats.
const LETTERS_MAX: usize = 80;

/// Letters of a list of columns that a message repeats.
const LIST_LETTERS_MAX: usize = 600;

/// Why there is no next line.
#[derive(Debug)]
pub enum LineError {
    /// The file cannot be read.
    Unreadable(io::Error),
    /// It is longer than [`LINE_BYTES_MAX`].
    TooLong,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::TooLong => {
                write!(f, "the line is longer than 1 MiB, which no request is; is it a file of lines?")
            }
        }
    }
}

/// Lines of a file, one buffer for all of them.
pub struct Lines {
    input: Box<dyn BufRead + Send>,
    /// The last line, with its end.
    pub buffer: Vec<u8>,
}

impl Lines {
    /// From the first line on.
    pub fn new(input: Box<dyn BufRead + Send>) -> Self {
        Self { input, buffer: Vec::new() }
    }

    /// The next line, with its end; `None` behind the last.
    pub fn next(&mut self) -> Result<Option<&[u8]>, LineError> {
        self.buffer.clear();
        let mut bounded = self.input.by_ref().take(LINE_BYTES_MAX as u64 + 1);
        let length = bounded.read_until(b'\n', &mut self.buffer).map_err(LineError::Unreadable)?;
        if length > LINE_BYTES_MAX {
            return Err(LineError::TooLong);
        }
        Ok((length > 0).then_some(&self.buffer))
    }
}

/// Everything an input holds, if it is UTF-8 and no more than `bytes_max`.
pub fn read_bounded(input: impl Read, bytes_max: u64) -> io::Result<String> {
    let mut text = String::new();
    let length = input.take(bytes_max + 1).read_to_string(&mut text)? as u64;
    if length > bytes_max {
        return Err(io::Error::other(format!(
            "holds more than {} MiB of text, which is not read whole",
            bytes_max >> 20
        )));
    }
    Ok(text)
}

/// A cell as a message repeats it.
pub fn shortened(cell: &str) -> String {
    cut(cell, LETTERS_MAX)
}

/// Names as a message lists them.
pub fn listed(names: &[&str]) -> String {
    cut(&names.join(", "), LIST_LETTERS_MAX)
}

fn cut(text: &str, letters_max: usize) -> String {
    match text.char_indices().nth(letters_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_end_is_refused_in_bounded_memory() {
        let mut lines = Lines::new(Box::new(io::BufReader::new(io::repeat(b'1'))));
        assert!(matches!(lines.next(), Err(LineError::TooLong)));
        assert!(lines.buffer.len() <= LINE_BYTES_MAX + 1);
    }

    #[test]
    fn an_input_without_end_is_not_read_whole() {
        let refused = read_bounded(io::repeat(b'1'), 1 << 20).unwrap_err();
        assert_eq!(refused.to_string(), "holds more than 1 MiB of text, which is not read whole");
    }

    #[test]
    fn a_message_repeats_the_beginning_of_a_cell() {
        assert_eq!(shortened(&"é".repeat(100_000)).chars().count(), LETTERS_MAX + 1);
        assert_eq!(shortened("1.5"), "1.5");
    }
}
